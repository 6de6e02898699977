"""Where the fleet of one deployment is read from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from desired_state.sources import Documents
from reconciler.history.store import Receipts
from reconciler.ledger.lease import Ledger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UNUSED = re.compile(rb"<(LastModified|ETag|ChecksumAlgorithm|ChecksumType|StorageClass)>[^<]*</\1>")


@dataclass(frozen=True)
class Sources:
    """What the fleet of one deployment is read from; without `documents` or `receipts` that part is left out."""

    ledger: Ledger
    documents: Documents | None = None
    receipts: Receipts | None = None


def quick(client: S3Client) -> S3Client:
    """The client, listing in half the time: what a listing says beside keys and sizes is dropped before it is parsed,
    because botocore spends most of its time on the times. For the receipts alone, of which nobody needs them.
    """
    client.meta.events.register("before-parse.s3.ListObjectsV2", _without_unused)
    return client


def _without_unused(response_dict: dict[str, Any], **_: Any) -> None:
    response_dict["body"] = _UNUSED.sub(b"", response_dict["body"])
