"""The account that the doors of the artefact are started against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lab.sessions import fake_session
from tests.support.runtime_api import REGION

if TYPE_CHECKING:
    import boto3


@cache
def _session() -> boto3.Session:
    return fake_session(REGION)


@dataclass(frozen=True)
class Account:
    """An emulated account behind HTTP, with the stack's resources in it."""

    url: str
    bucket: str
    table: str
    queue_url: str
    dead_letters_url: str
    topic_arn: str
    receipts: str = "setpoint-receipts"

    def client(self, service: str) -> Any:
        """Somebody's boto3 client of this account."""
        return _session().client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    def put_document(self, name: str, data: bytes) -> str:
        """Uploads a document; its version."""
        key = f"documents/{name}.json"
        return str(self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=data)["VersionId"])

    @property
    def environment(self) -> dict[str, str]:
        """What the template sets for every function."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "SETPOINT_BUCKET": self.bucket,
            "SETPOINT_RECEIPTS": self.receipts,
            "SETPOINT_PREFIX": "documents/",
            "SETPOINT_TABLE": self.table,
            "SETPOINT_QUEUE_URL": self.queue_url,
            "SETPOINT_TOPIC_ARN": self.topic_arn,
            "SETPOINT_EVENT_BUS": "default",
            "SETPOINT_OWN_ROLES": "arn:aws:iam::123456789012:role/setpoint-worker",
            "POWERTOOLS_SERVICE_NAME": "setpoint",
        }
