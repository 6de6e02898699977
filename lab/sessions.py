"""boto3 sessions with fake credentials, which share what botocore reads of its models from disk.

A session reads and parses the models of its services anew, which takes a quarter of a second for EC2 alone: longer than
a whole run in the laboratory.
"""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
from botocore.loaders import Loader


class _Shared(Loader):
    """The loader of all sessions. It keeps what it has loaded, and nobody changes that."""

    @property
    def search_paths(self) -> list[str]:
        """A copy: every boto3 session appends the folder of its resources, which nobody here uses."""
        return list(super().search_paths)


_LOADER = _Shared()


def fake_session(region: str) -> boto3.Session:
    """A session of its own, with credentials that are none."""
    core: Any = botocore.session.Session()
    core.register_component("data_loader", _LOADER)
    return boto3.Session(
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
        botocore_session=core,
    )
