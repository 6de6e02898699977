"""The composition root of the terminal: how it gets to AWS. The command line calls `connect`, then `world`.

It imports boto3, which takes most of a second: the command line imports this module when it is about to look at AWS,
not before. What the Lambda functions work with is put together in `stack.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

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

_LOGIN = "log in, set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"

_NOT_LOGGED_IN = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
FAILURES = (AwsError, BotoCoreError, ResponseParserError)
"""What a run may still raise when AWS cannot be spoken to at all: no such endpoint, an answer that is no answer."""


class CannotConnect(Exception):
    """AWS cannot be reached as the document needs it: no credentials, another account, another region."""


@dataclass(frozen=True)
class ConnectionOptions:
    """How to get to AWS, as the caller asked; what is empty comes from the AWS_* variables and the profile."""

    profile: str = ""
    region: str = ""
    endpoint_url: str = ""


@dataclass(frozen=True)
class AwsConnection:
    """Where we are: a session of the account and region that the document is for."""

    session: boto3.Session
    region: str
    endpoint_url: str = ""


def connect(document: Document, entry: ConnectionOptions) -> AwsConnection:
    """The place the document is for. Raises NoEntry before anything of the network is read.

    The one call made, sts:GetCallerIdentity, needs no permission and is not counted as a read of a run.
    """
    try:
        session = open_session(entry)
        region = entry.region or os.environ.get("AWS_REGION") or session.region_name or document.scope.region
        _check_region(document, region)
        account = _account(session, region, entry.endpoint_url)
    except ProfileNotFound as error:
        raise CannotConnect(f"{sanitize(str(error))}: `aws configure list-profiles` shows those there are") from error
    except _NOT_LOGGED_IN as error:
        raise CannotConnect(f"{sanitize(str(error))}: {_LOGIN}") from error
    except ClientError as error:
        raise CannotConnect(f"AWS does not say who we are: {sanitize(str(error))}; {_LOGIN}") from error
    except (BotoCoreError, ResponseParserError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise CannotConnect(
            f"AWS cannot be reached: {sanitize(str(error))}; check the region, the endpoint, the network"
        ) from error
    if account != document.scope.account_id:
        hint = "use --profile with a profile of that account, or correct scope.account_id"
        raise CannotConnect(f"this is account {account}, the document is for {document.scope.account_id}: {hint}")
    return AwsConnection(session, region, entry.endpoint_url)


def open_session(entry: ConnectionOptions) -> boto3.Session:
    """The session of a profile, or of what the AWS_* variables say."""
    return boto3.Session(profile_name=entry.profile or None)


def world(connection: AwsConnection, *, looking: Callable[[str], None], doing: Callable[[str], None]) -> Environment:
    """The outside of one run, its counts at zero. `looking` is told of reads, `doing` of every write before it."""
    aws = Aws(
        connection.session,
        connection.region,
        endpoint_url=connection.endpoint_url or None,
        version=version(),
        notice=looking,
    )
    return Environment(aws, lambda: datetime.now(UTC), time.sleep, doing)


def _check_region(document: Document, region: str) -> None:
    if region != document.scope.region:
        hint = f"use --region {document.scope.region}, or correct scope.region"
        raise CannotConnect(f"this is region {sanitize(region)}, the document is for {document.scope.region}: {hint}")


def _account(session: boto3.Session, region: str, endpoint_url: str) -> str:
    patience = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=15)
    sts = session.client("sts", region_name=region, endpoint_url=endpoint_url or None, config=patience)
    return sts.get_caller_identity()["Account"]


def version() -> str:
    """The version of this program, which CloudTrail shows in the user agent of our calls; 0 where it is not known."""
    try:
        return metadata.version("setpoint")
    except metadata.PackageNotFoundError:  # run from a folder, as the Lambda artefact is
        return "0"
