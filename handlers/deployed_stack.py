"""Where a deployed stack keeps its documents, its table and its receipts, for the commands that read them.

The names are outputs of the CloudFormation stack, so whoever knows the stack needs no other. Reading them takes
cloudformation:DescribeStacks, which `ReadOnlyAccess` has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.fields import shown
from desired_state.sanitize import sanitize

if TYPE_CHECKING:
    import boto3

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=15)
"""Of the clients of these commands: a person waits for the answer."""


class StackNotFound(Exception):
    """There is no such stack, it is none of ours, or it cannot be read: which, why, and what to do."""


@dataclass(frozen=True)
class DeployedStack:
    """The names that belong to one stack. `prefix` is that of the documents; `receipts` is empty for a stack of a
    version that kept none.
    """

    name: str
    documents: str
    prefix: str
    table: str
    receipts: str


def find(session: boto3.Session, region: str, stack: str, endpoint_url: str = "") -> DeployedStack:
    """What belongs to the stack of that name or ARN in this region. Raises StackNotFound."""
    client = session.client("cloudformation", region_name=region, endpoint_url=endpoint_url or None, config=CONFIG)
    try:
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
    except (ClientError, BotoCoreError, ResponseParserError, LookupError) as error:
        hint = "check the name and the region, and that you may call cloudformation:DescribeStacks"
        raise StackNotFound(f"the stack {shown(stack)} cannot be read: {sanitize(str(error))}; {hint}") from error
    outputs = _named(found.get("Outputs", ()), "OutputKey", "OutputValue")
    parameters = _named(found.get("Parameters", ()), "ParameterKey", "ParameterValue")
    if not (outputs.get("BucketName") and outputs.get("LedgerName")):
        hint = "name the stack that was deployed from Setpoint's template"
        raise StackNotFound(f"the stack {shown(stack)} is none of Setpoint's: it has no bucket and no ledger; {hint}")
    return DeployedStack(
        name=stack,
        documents=outputs["BucketName"],
        prefix=parameters.get("Prefix", "documents/"),
        table=outputs["LedgerName"],
        receipts=outputs.get("ReceiptsBucketName", ""),
    )


def _named(entries: Any, name: str, value: str) -> dict[str, str]:
    return {str(one[name]): str(one.get(value, "")) for one in entries}
