"""A bucket of receipts on the laboratory, and the command line that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from boto3.dynamodb.types import TypeSerializer

from handlers import history_source, wiring
from lab.strict_aws import StrictAws, laboratory
from reconciler.history.receipts import Remembered, chained, key
from reconciler.history.store import Receipts
from reconciler.ledger.item import written
from tests.support.ledger_table import create_table
from tests.support.recorded import at, summary

if TYPE_CHECKING:
    import pytest

    from reconciler.ledger.record import DocumentRecord

BUCKET, TABLE = "setpoint-receipts", "setpoint-ledger"


class Bucket(NamedTuple):
    """The bucket of the receipts: `s3` are somebody's hands in it, `lab` knows the calls."""

    lab: StrictAws
    s3: Any
    receipts: Receipts

    def keep(self, *contents: dict[str, Any]) -> list[str]:
        """Put receipts one after the other, each chained to the one before; their keys."""
        last, keys = None, []
        for one in contents:
            name = key(summary(one))
            sha256 = self.receipts.put(name, chained(one, last))
            last = Remembered(name, sha256, "")
            keys.append(name)
        self.lab.calls.clear()
        return keys

    def replace(self, name: str, data: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=name, Body=data)

    def count(self, operation: str) -> int:
        return sum(one.operation == operation for one in self.lab.calls)

    def remember(self, record: DocumentRecord, patch: pytest.MonkeyPatch) -> None:
        """The ledger remembers this of the document, and the environment names its table."""
        item = {name: TypeSerializer().serialize(value) for name, value in written(record).items()}
        client: Any = self.lab.outsider().client("dynamodb")
        client.put_item(TableName=TABLE, Item=item | {"document": {"S": "shop"}})
        patch.setenv("SETPOINT_TABLE", TABLE)

    def emptied(self, patch: pytest.MonkeyPatch) -> Bucket:
        """Empty, and named by the environment; it is five days after the first look."""
        session = self.lab.session()
        patch.setattr(wiring, "open_session", lambda entry: session)
        patch.setattr(history_source, "now", lambda: at(120))
        patch.setenv("SETPOINT_RECEIPTS", BUCKET)
        patch.setenv("AWS_REGION", self.lab.region)
        for one in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.s3.delete_object(Bucket=BUCKET, Key=one["Key"])
        self.lab.calls.clear()
        return self


@contextmanager
def bucket_of_receipts() -> Iterator[Bucket]:
    """A laboratory with nothing but the bucket and an empty ledger."""
    with laboratory() as lab:
        s3: Any = lab.outsider().client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": lab.region})
        create_table(lab.outsider().client("dynamodb"), TABLE)
        yield Bucket(lab, s3, Receipts(s3, BUCKET))
