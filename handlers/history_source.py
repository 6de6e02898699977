"""Where the commands read a history from: the bucket of the receipts, and of the ledger what no day sheet counts yet.

Both are named by `--stack`, or by SETPOINT_RECEIPTS and SETPOINT_TABLE. Reading takes s3:ListBucket and s3:GetObject on
the receipts; dynamodb:GetItem on the table is optional, and without it today's looks are not known.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.fields import shown
from desired_state.sanitize import sanitize
from handlers.refusal import Kind, Refused
from handlers.stack_of import CONFIG, Given, s3, stack_of
from reconciler.history.history import QUIET
from reconciler.history.reading import NoHistory, read_history
from reconciler.history.recorded import Sheet
from reconciler.history.store import ReceiptError, Receipts
from reconciler.ledger.item import MalformedItem, read
from reconciler.model.network_state import NetworkState

if TYPE_CHECKING:
    from handlers.wiring import AwsConnection
    from reconciler.history.history import History
    from reconciler.ledger.record import DocumentRecord

_SINCE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = timedelta(days=3660)
MONTH = timedelta(days=30)
_LATE = 3
"""So many times the stack's rate without a look: nobody looked."""


def now() -> datetime:
    """The time until which a history is told."""
    return datetime.now(UTC).replace(microsecond=0)


def since(given: str, now: datetime) -> datetime:
    """The time that `--since` names: `30d`, `12h`, `2w`, or a date (UTC). Raises Refused."""
    if (found := _SINCE.fullmatch(given)) and (ago := int(found[1]) * _UNITS[found[2]]) <= _LONGEST:
        return now - ago
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    at = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
    if at is None or not now - _LONGEST <= at < now:
        hint = "write how long ago, such as 30d, 12h or 2w, or a date in the past, such as 2026-11-01"
        raise Refused(f"--since: {shown(given)} is not valid; {hint}")
    return at


@dataclass(frozen=True)
class Source:
    """The receipts, and the table of the ledger (empty: it is not known). Between two looks without a day sheet, nobody
    looked if they are further apart than `quiet`.
    """

    receipts: Receipts
    connection: AwsConnection
    table: str = ""
    quiet: timedelta = QUIET
    _records: dict[str, DocumentRecord | None] = field(default_factory=dict)

    def history(self, document: str, since: datetime, until: datetime) -> History:
        """The history of a document. Raises Refused."""
        record = self.record(document)
        try:
            return read_history(self.receipts, document, since, until, today=_today(record, until), quiet=self.quiet)
        except (NoHistory, ReceiptError) as error:
            raise refused(error) from error

    def record(self, document: str) -> DocumentRecord | None:
        """What the ledger remembers of a document; None if that cannot be read, which is told on stderr."""
        if document not in self._records:
            self._records[document] = self._read(document) if self.table else None
        return self._records[document]

    def last(self, document: str) -> tuple[str, str] | None:
        """The key of the newest receipt and the SHA-256 of its bytes, as the ledger remembers them."""
        record = self.record(document)
        known = record.receipt if record else None
        return (known.key, known.sha256) if known and known.key else None

    def _read(self, document: str) -> DocumentRecord | None:
        client = self.connection.session.client(
            "dynamodb",
            region_name=self.connection.region,
            endpoint_url=self.connection.endpoint_url or None,
            config=CONFIG,
        )
        try:
            found = client.get_item(TableName=self.table, Key={"document": {"S": document}}).get("Item", {})
            return read({name: TypeDeserializer().deserialize(value) for name, value in found.items()})
        except (ClientError, BotoCoreError, ResponseParserError, MalformedItem) as error:
            problem = f"the ledger {self.table} could not be read: {error}"
            click.echo(f"{sanitize(problem)}; the looks since the last day sheet are left out", err=True)
            return None


def source(connection: AwsConnection, account: str, *, stack: str = "", receipts: str = "") -> Source:
    """What the options and the environment name. Raises Refused."""
    given = Given.of(os.environ, stack=stack)
    if receipts:
        given = Given(given.stack, given.bucket, given.prefix, given.table, receipts)
    deployed = stack_of(connection, account, given)
    quiet = max(QUIET, _LATE * deployed.rate) if deployed.rate else QUIET
    return Source(Receipts(s3(connection), deployed.receipts_bucket()), connection, deployed.table, quiet)


def _today(record: DocumentRecord | None, until: datetime) -> Sheet | None:
    """The looks that no day sheet counts yet, as a sheet."""
    if record is None or record.day is None:
        return None
    values: dict[str, Any] = {
        "since": record.day,
        "until": min(until, max(record.day, record.looked_at or record.day)),
        "state": NetworkState(record.state) if record.state in set(NetworkState) else None,
        "looks": record.looks,
        "unseen": record.unseen,
        "longest_gap": record.longest_gap,
        "gaps": [[datetime.fromtimestamp(at, UTC) for at in gap] for gap in record.gaps],
    }
    return Sheet(**values)


def refused(error: Exception) -> Refused:
    """Why a history or a receipt cannot be shown."""
    if isinstance(error, ReceiptError) and error.code:
        return Refused(str(error), Kind.CONNECTION)
    return Refused(str(error), Kind.RECEIPT)
