"""boto3 sessions with fake credentials, which share what botocore reads of its models from disk and makes of them.

A session reads and parses the models of its services anew, which takes a quarter of a second for EC2 alone: longer than
a whole run in the laboratory. From a model a client makes a method for each of the service's operations (EC2 has eight
hundred), which takes longer than a dozen calls.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from botocore.client import ClientCreator
from botocore.loaders import Loader
from botocore.model import ServiceModel


class _Shared(Loader):
    """The loader of all sessions. It keeps what it has loaded, and nobody changes that."""

    @property
    def search_paths(self) -> list[str]:
        """A copy: every boto3 session appends the folder of its resources, which nobody here uses."""
        return list(super().search_paths)


_LOADER = _Shared()


class _Creator(ClientCreator):
    """Makes the clients of all sessions here, from one model and one set of methods for each service.

    Every client has a class of its own still, to which its session's events may add.
    """

    def _load_service_model(self, service_name: str, api_version: str | None = None) -> ServiceModel:
        return _model(service_name, api_version)

    def _create_methods(self, service_model: ServiceModel) -> dict[str, Any]:
        if service_model not in _METHODS:
            _METHODS[service_model] = super()._create_methods(service_model)  # type: ignore[misc] # the stubs lack it
        return dict(_METHODS[service_model])


_METHODS: dict[ServiceModel, dict[str, Any]] = {}


@cache
def _model(service: str, api_version: str | None) -> ServiceModel:
    return ServiceModel(_LOADER.load_service_model(service, "service-2", api_version=api_version), service)


def _creator(loader: Any, *args: Any, **options: Any) -> ClientCreator:
    """Of a session that was made elsewhere, in another thread: botocore's own."""
    return (_Creator if loader is _LOADER else ClientCreator)(loader, *args, **options)


_ONE_AT_A_TIME = Lock()


class _Session(botocore.session.Session):
    def create_client(self, *args: Any, **options: Any) -> Any:
        with _ONE_AT_A_TIME, patch.object(botocore.client, "ClientCreator", _creator):
            return super().create_client(*args, **options)


def fake_session(region: str) -> boto3.Session:
    """A session of its own, with credentials that are none."""
    core: Any = _Session()
    core.register_component("data_loader", _LOADER)
    return boto3.Session(
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
        botocore_session=core,
    )
