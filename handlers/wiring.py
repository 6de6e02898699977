"""The composition root of the command line, which calls `connect`, then `environment`. `stack.py` is that of Lambda.

It imports boto3, which takes most of a second, so the command line imports this module only when it needs AWS.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from desired_state.document import Document
from desired_state.sanitize import sanitize
from reconciler.aws.client import Aws, AwsError
from reconciler.engine.run import Environment
from reconciler.model import Cause

_LOGIN = "log in, set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"

_MAYBE_OFF = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "OptInRequired"})
"""What AWS also answers in a region that is not enabled for the account, to credentials that are right elsewhere."""
_NOT_LOGGED_IN = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
FAILURES = (AwsError, BotoCoreError, ResponseParserError, OSError)
"""What a run may still raise if AWS cannot be reached: no such endpoint, an answer that cannot be parsed, a file of the
credentials that is gone when they are renewed.
"""


class CannotConnect(Exception):
    """There is no connection to the document's account and region: no credentials, another account, another region."""


@dataclass(frozen=True)
class ConnectionOptions:
    """The caller's options; an empty one comes from the AWS_* variables or the profile."""

    profile: str = ""
    region: str = ""
    endpoint_url: str = ""

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> ConnectionOptions:
        """Those of a command, which then has the others left."""
        return cls(*(options.pop(one) for one in ("profile", "region", "endpoint_url")))


@dataclass(frozen=True)
class AwsConnection:
    """A session in the document's account and region."""

    session: boto3.Session
    region: str
    endpoint_url: str = ""


Watch = Callable[[boto3.Session], None]
"""Called with a session before it has a client."""


def connect(document: Document, options: ConnectionOptions, watch: Watch) -> AwsConnection:
    """The connection to the document's account and region. Raises CannotConnect before the network is read.

    Its one call, sts:GetCallerIdentity, needs no permission and does not count as a read of a run.
    """
    connection, account = _connected(
        options, document.scope.region, lambda region: _check_region(document, region), watch
    )
    if account != document.scope.account_id:
        hint = "use --profile with a profile of that account, or correct scope.account_id"
        raise CannotConnect(f"this is account {account}, the document is for {document.scope.account_id}; {hint}")
    return connection


def connect_anywhere(options: ConnectionOptions, watch: Watch) -> tuple[AwsConnection, str]:
    """The connection to the account and region that the options, the AWS_* variables or the profile name, and the
    account's id. Raises CannotConnect; the one call is that of `connect`.
    """

    def known(region: str) -> None:
        if not region:
            raise CannotConnect("the region is not known: name it with --region, or set AWS_REGION")

    return _connected(options, "", known, watch)


def _connected(
    options: ConnectionOptions, default_region: str, check_region: Callable[[str], None], watch: Watch
) -> tuple[AwsConnection, str]:
    """The connection, and the id of its account."""
    region = options.region
    try:
        session = open_session(options)
        watch(session)
        region = region or os.environ.get("AWS_REGION") or session.region_name or default_region
        check_region(region)
        account = _account(session, region, options.endpoint_url)
    except ProfileNotFound as error:
        raise CannotConnect(f"{sanitize(str(error))}; `aws configure list-profiles` lists the profiles") from error
    except _NOT_LOGGED_IN as error:
        raise CannotConnect(f"{sanitize(str(error))}; {_LOGIN}") from error
    except ClientError as error:
        off = f", or enable the region {sanitize(region)} for the account" if _code(error) in _MAYBE_OFF else ""
        raise CannotConnect(f"AWS does not accept the credentials: {sanitize(str(error))}; {_LOGIN}{off}") from error
    except OSError as error:  # of a file that the credentials need: botocore's own connection errors are none of these
        where = f"{sanitize(str(error.filename))}: " if error.filename else ""
        raise CannotConnect(f"the credentials cannot be read: {where}{error.strerror or error}; {_LOGIN}") from error
    except (BotoCoreError, ResponseParserError, ValueError) as error:  # ValueError: the endpoint is not a URL
        raise CannotConnect(
            f"AWS cannot be reached: {sanitize(str(error))}; check the region, the endpoint and the network"
        ) from error
    return AwsConnection(session, region, options.endpoint_url), account


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def open_session(options: ConnectionOptions) -> boto3.Session:
    """The session of a profile, or of the AWS_* variables."""
    return boto3.Session(profile_name=options.profile or None)


def environment(
    connection: AwsConnection,
    *,
    on_read: Callable[[str], None] = lambda operation: None,
    on_throttle: Callable[[str, float], None] = lambda operation, seconds: None,
    on_write: Callable[[str], None] = lambda action: None,
    may_start: Callable[[], Cause | None] = lambda: None,
) -> Environment:
    """What one run works with, its counts at zero. The callbacks: `Aws` has the first two, `on_write` is called with
    every action before it is sent, `may_start` as `Environment` says.
    """
    aws = Aws(
        connection.session,
        connection.region,
        endpoint_url=connection.endpoint_url or None,
        version=version(),
        on_read=on_read,
        on_throttle=on_throttle,
    )
    return Environment(aws, lambda: datetime.now(UTC), time.sleep, on_write, may_start)


def _check_region(document: Document, region: str) -> None:
    if region != document.scope.region:
        hint = f"use --region {document.scope.region}, or correct scope.region"
        raise CannotConnect(f"this is region {sanitize(region)}, the document is for {document.scope.region}; {hint}")


def _account(session: boto3.Session, region: str, endpoint_url: str) -> str:
    config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=15)
    sts = session.client("sts", region_name=region, endpoint_url=endpoint_url or None, config=config)
    try:
        return sts.get_caller_identity()["Account"]
    except LookupError as error:  # botocore's own, for XML that is not AWS's: a proxy or a login page that says 200
        raise ValueError("what answers is not AWS") from error


def version() -> str:
    """The version of Setpoint, which CloudTrail shows in the user agent of its calls; 0 if it is not known."""
    try:
        return metadata.version("setpoint")
    except metadata.PackageNotFoundError:  # run from a folder without metadata
        return "0"
