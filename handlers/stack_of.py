"""Where a deployed stack keeps what it works with, for the commands that read it with the caller's own credentials.

`--stack NAME` asks CloudFormation for the stack's outputs and parameters, one call; `--bucket` and the variables
`SETPOINT_BUCKET`, `SETPOINT_PREFIX`, `SETPOINT_TABLE` and `SETPOINT_RECEIPTS` name the parts one by one, and come
before what the stack says. `rollback`, `history` and `fleet` call it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.fields import shown
from desired_state.sanitize import sanitize
from handlers.refusal import Kind, Refused
from handlers.settings import rate_of
from handlers.wiring import AwsConnection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DEFAULT_PREFIX = "documents/"
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=15,
    max_pool_connections=16,
)
"""Of the clients that ask a stack's bucket and table."""

_OUTPUTS = {"bucket": "BucketName", "table": "LedgerName", "receipts": "ReceiptsBucketName"}
_POLICY = {
    "Mode": "mode",
    "CreateDatabases": "create_databases",
    "Downtime": "downtime",
    "MaxBreaks": "max_breaks",
    "Prune": "prune",
    "Adopt": "adopt",
    "HoldExposures": "hold_exposures",
    "MaxHoldHours": "max_hold_hours",
    "QuotaRules": "quota_rules",
    "QuotaEntries": "quota_entries",
    "QuotaRoutes": "quota_routes",
}
"""The parameters that are the deployment's policy, by the field of `Policy`."""
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_NAME_THEM = "name the stack with --stack"


@dataclass(frozen=True)
class Given:
    """What the options and the environment say; an empty one is not given."""

    stack: str = ""
    bucket: str = ""
    prefix: str = ""
    table: str = ""
    receipts: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str], *, stack: str = "", bucket: str = "") -> Given:
        """The options, and of what they leave open the variables `SETPOINT_<NAME>`."""
        names = ("stack", "bucket", "prefix", "table", "receipts")
        found = {name: environment.get(f"SETPOINT_{name.upper()}", "") for name in names}
        return cls(**found | {name: one for name, one in (("stack", stack), ("bucket", bucket)) if one})


@dataclass(frozen=True)
class Deployed:
    """What is known of a stack; a name that is not known is empty. `rate` is how often every document is looked at,
    None if nobody said so. `policy` has the stack's own settings, as `handlers.settings.settings` takes them.
    """

    account: str
    region: str
    stack: str = ""
    bucket: str = ""
    prefix: str = DEFAULT_PREFIX
    table: str = ""
    receipts: str = ""
    rate: timedelta | None = None
    policy: Mapping[str, str] = field(default_factory=dict)

    def documents_bucket(self) -> str:
        """The bucket of the documents. Raises Refused."""
        return self._known(self.bucket, "which bucket holds the documents", "--bucket or SETPOINT_BUCKET")

    def ledger_table(self) -> str:
        """The table of the ledger. Raises Refused."""
        return self._known(self.table, "which table is the ledger", "SETPOINT_TABLE")

    def receipts_bucket(self) -> str:
        """The bucket of the receipts. Raises Refused."""
        return self._known(self.receipts, "which bucket holds the receipts", "SETPOINT_RECEIPTS")

    def _known(self, name: str, what: str, other: str) -> str:
        if name:
            return name
        if self.stack:
            hint = f"update the stack to this version's template, or give {other}"
            raise Refused(f"{what} is not known: stack {sanitize(self.stack)} does not say it; {hint}")
        raise Refused(f"{what} is not known: {_NAME_THEM}, or give {other}")


def stack_of(connection: AwsConnection, account: str, given: Given) -> Deployed:
    """What the caller gave, completed by what CloudFormation knows of the stack, if one is named. Raises Refused."""
    found = _described(connection, given.stack) if given.stack else {}
    outputs, parameters = found.get("Outputs", {}), found.get("Parameters", {})
    return Deployed(
        account=account,
        region=connection.region,
        stack=given.stack,
        bucket=given.bucket or outputs.get(_OUTPUTS["bucket"], ""),
        prefix=given.prefix or parameters.get("Prefix", DEFAULT_PREFIX),
        table=given.table or outputs.get(_OUTPUTS["table"], ""),
        receipts=given.receipts or outputs.get(_OUTPUTS["receipts"], ""),
        rate=rate_of(parameters.get("Rate", "")),
        policy={name: parameters[key] for key, name in _POLICY.items() if parameters.get(key)},
    )


def s3(connection: AwsConnection) -> S3Client:
    """A client for the stack's buckets."""
    return connection.session.client(
        "s3", region_name=connection.region, endpoint_url=connection.endpoint_url or None, config=CONFIG
    )


def dynamodb(connection: AwsConnection) -> DynamoDBClient:
    """A client for the stack's table."""
    return connection.session.client(
        "dynamodb", region_name=connection.region, endpoint_url=connection.endpoint_url or None, config=CONFIG
    )


def _described(connection: AwsConnection, name: str) -> dict[str, dict[str, str]]:
    """The outputs and parameters of a stack, by their keys."""
    if not _STACK_NAME.fullmatch(name):
        raise Refused(f"--stack: {shown(name)} is no name of a stack; write its name, not its ARN")
    where = f"stack {name} in {sanitize(connection.region)}"
    try:
        client = connection.session.client(
            "cloudformation",
            region_name=connection.region,
            endpoint_url=connection.endpoint_url or None,
            config=CONFIG,
        )
        stack: Mapping[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        # CloudFormation says so of a stack that does not exist (API reference, DescribeStacks).
        hint = "check its name, --region and --profile" if code == "ValidationError" else _permission(code)
        raise Refused(f"{where} cannot be read: {sanitize(str(error))}; {hint}", Kind.CONNECTION) from error
    except (BotoCoreError, ResponseParserError, LookupError, OSError) as error:
        problem = f"{where} cannot be read: {sanitize(str(error))}; {_permission('')}"
        raise Refused(problem, Kind.CONNECTION) from error
    return {
        "Outputs": {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())},
        "Parameters": {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", ())},
    }


def _permission(code: str) -> str:
    if code in {"AccessDenied", "AccessDeniedException"}:
        return "grant cloudformation:DescribeStacks on it, or give --bucket"
    return "try again later"
