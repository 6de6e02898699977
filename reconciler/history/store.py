"""The receipts of a deployment, as objects in a bucket of their own: gzipped JSON that is written once.

The functions only `put`; whoever reads the history lists and gets with credentials of their own. `put` needs
s3:PutObject, `listed` s3:ListBucket and `get` s3:GetObject. The S3 client is a parameter.

Facts encoded (S3 API reference, PutObject; S3 user guide, "How to prevent object overwrites with conditional writes"):
with `If-None-Match: *` S3 answers 412 PreconditionFailed if there is an object of that key, and 409
ConditionalRequestConflict if another write to it was under way: then the call is to be sent again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.sanitize import sanitize
from reconciler.history.receipts import ROOT, Summary, parse_key, prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGEST = 5 * 1024 * 1024
"""Bytes of a receipt as JSON; what is longer is cut by `reconciler/report/receipt.py`."""
LARGEST_READ = 2 * LARGEST
"""Bytes of an object that are unpacked: one that somebody else wrote may be a bomb."""
FORMAT = 1
_FAILURES = (ClientError, BotoCoreError, ResponseParserError, OSError)
_LATER = "try again later"
_HINTS = {
    "AccessDenied": "grant s3:ListBucket on the receipts' bucket and s3:GetObject on its objects, and kms:Decrypt if a "
    "KMS key encrypts it",
    "NoSuchBucket": "check the name of the bucket",
    "NoSuchKey": "`setpoint history` lists the receipts that there are",
    "InvalidObjectState": "restore it from the archive",
}
_EXISTS, _CONFLICT = "PreconditionFailed", "ConditionalRequestConflict"


class ReceiptError(Exception):
    """A receipt or a listing could not be read, or written: which, why, and a hint. `code` is S3's, if it answered."""

    def __init__(self, where: str, problem: str, hint: str, code: str = "") -> None:
        super().__init__(f"{sanitize(where)}: {sanitize(problem)}; {hint}")
        self.code = code


class Listed(NamedTuple):
    """One receipt in a listing: its key, what that says, and its size in bytes."""

    key: str
    summary: Summary
    size: int


class Stored(NamedTuple):
    """One receipt that was read, and the SHA-256 of its bytes as the receipt after it names them."""

    key: str
    sha256: str
    receipt: Mapping[str, Any]


class Receipts:
    """The receipts in one bucket. `root` is what their keys begin with."""

    def __init__(self, client: S3Client, bucket: str, root: str = ROOT) -> None:
        self._client, self.bucket, self._root = client, bucket, root

    def put(self, key: str, receipt: Mapping[str, Any]) -> str:
        """Write one receipt, and return the SHA-256 of its bytes. Raises ReceiptError.

        Nothing is ever overwritten. An object of that key is our own: its name has the second and the run, and an
        earlier try may have arrived although its answer was lost.
        """
        data = packed(receipt)
        for last in (False, True):
            try:
                self._client.put_object(
                    Bucket=self.bucket,
                    Key=self._keyed(key),
                    Body=data,
                    IfNoneMatch="*",
                    ContentType="application/json",
                    ContentEncoding="gzip",
                )
            except _FAILURES as error:
                code = _code(error)
                if code == _EXISTS:
                    break
                if last or code != _CONFLICT:
                    raise self._error(key, error) from error
            else:
                break
        return hashlib.sha256(data).hexdigest()

    def listed(self, document: str, since: datetime | None = None) -> Iterator[Listed]:
        """The receipts of a document, oldest first, a page of the listing (1,000 keys) at a time; with `since`, those
        of that second and later. Keys that are no receipt's are skipped. Raises ReceiptError.
        """
        where = self._keyed(prefix(document))
        after = self._keyed(prefix(document, since))
        listing = self._client.get_paginator("list_objects_v2")
        pages = iter(listing.paginate(Bucket=self.bucket, Prefix=where, StartAfter=after))
        while (page := self._answered(where, lambda: next(pages, None))) is not None:
            for entry in page.get("Contents", ()):
                key = ROOT + entry["Key"].removeprefix(self._root)
                if summary := parse_key(key):
                    yield Listed(key, summary, entry["Size"])

    def get(self, key: str) -> Stored:
        """One receipt. Raises ReceiptError, also for one that is cut, not JSON, or of a newer version."""
        answer = self._answered(key, lambda: self._client.get_object(Bucket=self.bucket, Key=self._keyed(key)))
        with closing(answer["Body"]) as body:
            data = self._answered(key, lambda: body.read(LARGEST_READ))
        return Stored(key, hashlib.sha256(data).hexdigest(), unpacked(data, key))

    def _keyed(self, key: str) -> str:
        return self._root + key.removeprefix(ROOT)

    def _answered[T](self, where: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except _FAILURES as error:
            raise self._error(where, error) from error

    def _error(self, where: str, error: Exception) -> ReceiptError:
        code = _code(error)
        return ReceiptError(f"s3://{self.bucket}/{where}", str(error), _HINTS.get(code, _LATER), code)


def packed(receipt: Mapping[str, Any]) -> bytes:
    """The bytes of a receipt; the same receipt always has the same ones."""
    text = json.dumps(receipt, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode(), mtime=0)


def unpacked(data: bytes, where: str) -> dict[str, Any]:
    """The receipt in these bytes, gzipped or not. Raises ReceiptError, which names `where` they came from."""
    try:
        text = _plain(data) if data[:2] == b"\x1f\x8b" else data
        value = json.loads(text.decode())
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        is_text = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        why = "it is empty" if not data else "it is not JSON" if is_text else str(error) or type(error).__name__
        raise ReceiptError(where, f"it is no receipt: {why}", _WHOLE) from error
    if not isinstance(value, dict) or not isinstance(version := value.get("receipt"), int):
        raise ReceiptError(where, "it is no receipt: it has no member `receipt`", _WHOLE)
    if version > FORMAT:
        raise ReceiptError(
            where, f"it is of version {version}, and this program reads {FORMAT}", "use a newer Setpoint"
        )
    return value


_WHOLE = "get it again, or read another one; `setpoint history NAME --verify` says which were changed"


def _plain(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    text = unpacker.decompress(data, LARGEST_READ)
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {LARGEST_READ} bytes")
    if not unpacker.eof:
        raise EOFError("it is cut")
    return text


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
