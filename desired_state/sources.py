"""The bytes of a document: from a file for the command line, from S3 for the Lambda functions.

A source returns all the bytes or raises; it never returns a part. The S3 client is a parameter, so that this package
needs no AWS library.

Facts encoded (S3 API reference, GetObject; S3 user guide, "Working with delete markers"): without a version S3 answers
404 NoSuchKey for a deleted object, but 403 AccessDenied if the caller may not list the bucket; a deleted version is 404
NoSuchVersion, a version that is a delete marker 405 MethodNotAllowed; an object written while versioning was off has
the version "null" or none, and the next such write replaces it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter, ValidationError

from desired_state.document import Name
from desired_state.fields import shown
from desired_state.load import DocumentError, Problem
from desired_state.rollback_note import RollbackNote, noted
from desired_state.sanitize import sanitize
from desired_state.strict_json import MAX_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SUFFIX = ".json"
_DELETED = "NoSuchKey"
_GONE = frozenset({"NoSuchVersion", "NoSuchKey", "MethodNotAllowed"})
_LATER = "try again later"
_HINTS = {
    "AccessDenied": (
        "grant s3:GetObject and s3:GetObjectVersion on it, and kms:Decrypt if a KMS key encrypts it; also grant "
        "s3:ListBucket on the bucket, because without it S3 gives this answer for a missing object too"
    ),
    "NoSuchBucket": "check the name of the bucket",
    "InvalidObjectState": "restore it from the archive, and exclude documents from archiving lifecycle rules",
}
_LISTING_HINTS = {**_HINTS, "AccessDenied": "grant s3:ListBucket on the bucket"}
_VERSIONS_HINTS = {**_HINTS, "AccessDenied": "grant s3:ListBucketVersions on the bucket"}


class SourceError(Exception):
    """A document or a listing could not be read: where, why, and a hint. It never means that a document was deleted.

    `code` is S3's, or the name of the exception if S3 did not answer; empty if the answer is unusable.
    """

    def __init__(self, where: str, problem: str, hint: str, code: str = "") -> None:
        super().__init__(f"{sanitize(where)}: {sanitize(problem)}; {hint}")
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether S3 says that there is no such version, so that reading again will not help."""
        return self.code in _GONE


@dataclass(frozen=True)
class Pinned:
    """All the bytes of one version of a document's object. `origin` is its URL with the version, for messages.
    `rollback` is what a rollback has noted on it, which whoever may upload can write too.
    """

    name: str
    data: bytes
    version_id: str
    origin: str
    rollback: RollbackNote | None = None


class ListedDocument(NamedTuple):
    """A document's name, and when its newest version was uploaded."""

    name: str
    uploaded: datetime


class ObjectVersion(NamedTuple):
    """One version of a document's object, not a delete marker; `etag` as S3 writes it, in quotes."""

    version_id: str
    uploaded: datetime
    etag: str


@dataclass(frozen=True)
class ObjectVersions:
    """Every version of a document's object, the newest first; `deleted`: the object is deleted now."""

    versions: tuple[ObjectVersion, ...]
    deleted: bool = False


class Documents:
    """The documents in one bucket: the objects `<prefix><name>.json`. The bucket must have versioning enabled."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def listed(self) -> Iterator[ListedDocument]:
        """All documents, a page of the listing (1,000 keys) at a time.

        Deeper folders are ignored. Keys that name no document are skipped, and logged in one line after the last page.
        Raises SourceError if a page cannot be read: the names so far are then incomplete.
        """
        where = self._where(self._prefix)
        listing = self._client.get_paginator("list_objects_v2")
        pages = iter(listing.paginate(Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"))
        ignored: list[str] = []
        while (page := self._answered(where, lambda: next(pages, None), _LISTING_HINTS)) is not None:
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(self._prefix)
                if name.endswith(_SUFFIX) and _is_name(name.removesuffix(_SUFFIX)):
                    yield ListedDocument(name.removesuffix(_SUFFIX), entry["LastModified"])
                elif name:  # an empty one is the folder itself, which the console creates
                    ignored.append(name)
        if ignored:
            _LOG.warning(
                "%s: %d keys are ignored, such as %s; the key of a document is <name>%s, <name> of a-z, 0-9 and -",
                *(sanitize(where), len(ignored), shown(ignored[0]), _SUFFIX),
            )

    def versions(self, name: str) -> ObjectVersions:
        """All versions of a document's object, a page of the listing (1,000) at a time. Raises SourceError.

        Needs s3:ListBucketVersions, which the functions do not have.
        """
        key = self._key(name)
        where = self._where(key)
        listing = self._client.get_paginator("list_object_versions")
        pages = iter(listing.paginate(Bucket=self._bucket, Prefix=key))
        found, deleted = list[ObjectVersion](), False
        while (page := self._answered(where, lambda: next(pages, None), _VERSIONS_HINTS)) is not None:
            for one in page.get("Versions", ()):
                if one["Key"] == key:  # a prefix also finds `shop.json.bak`
                    found.append(ObjectVersion(one["VersionId"], one["LastModified"], one["ETag"]))
            deleted |= any(one["Key"] == key and one["IsLatest"] for one in page.get("DeleteMarkers", ()))
        return ObjectVersions(tuple(found), deleted)

    def current(self, name: str) -> Pinned | None:
        """The newest version of a document; None if its object is deleted. Raises SourceError."""
        try:
            return self._pinned(name)
        except SourceError as error:
            if error.code == _DELETED:
                return None
            raise

    def version(self, name: str, version_id: str) -> Pinned:
        """This version of a document. Raises SourceError, with `gone` if there is no such version."""
        return self._pinned(name, version_id)

    def _pinned(self, name: str, version_id: str | None = None) -> Pinned:
        key = self._key(name)
        where = self._where(key, version_id)

        def fetched() -> tuple[bytes, int | None, str, RollbackNote | None]:
            if version_id is None:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            else:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
            with closing(answer["Body"]) as body:
                data = _drained(body.read)
            return data, answer.get("ContentLength"), answer.get("VersionId", ""), noted(answer.get("Metadata", {}))

        data, length, pinned, rollback = self._answered(where, fetched, _HINTS)
        if length is None or len(data) != min(length, MAX_BYTES + 1):
            raise SourceError(where, f"the answer broke off after {len(data):,} of {length} bytes", _LATER)
        if pinned in ("", "null"):
            hint = "enable versioning for the bucket, then upload the document again"
            raise SourceError(where, "the bucket has no version of it, so a version cannot be pinned", hint)
        return Pinned(name, data, pinned, sanitize(self._where(key, pinned)), rollback)

    def _key(self, name: str) -> str:
        if not _is_name(name):
            raise SourceError(
                self._where(self._prefix), f"{shown(name)} is not a valid document name", "check the name"
            )
        return f"{self._prefix}{name}{_SUFFIX}"

    def _answered[Answer](self, where: str, call: Callable[[], Answer], hints: dict[str, str]) -> Answer:
        try:
            return call()
        # Not only botocore's errors: a connection that fails while the body is read may raise one of urllib3 or ssl.
        except Exception as error:
            if isinstance(error, self._client.exceptions.ClientError):
                code = error.response["Error"]["Code"]
                problem = f"S3 answers {code}: {error.response['Error'].get('Message', '')}"
            else:
                code = type(error).__name__
                problem = f"S3 gives no answer: {code}: {error}"
            raise SourceError(where, problem, hints.get(code, _LATER), code) from error

    def _where(self, key: str, version_id: str | None = None) -> str:
        return f"s3://{self._bucket}/{key}" + (f"?versionId={version_id}" if version_id else "")


def _drained(read: Callable[[int], bytes]) -> bytes:
    """A body to its end, where botocore verifies its length and checksum; a body that is too long for a document, to
    one byte more than allowed, so that `load` refuses it.
    """
    data = b""
    while len(data) <= MAX_BYTES and (chunk := read(MAX_BYTES + 1 - len(data))):
        data += chunk
    return data


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def read_file(path: Path | str) -> bytes:
    """The bytes of a file, at most one more than a document may have, so that `load` refuses a file that is too long.

    Raises DocumentError if there is no file to read.
    """
    where = Path(path)
    try:
        with where.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problem, hint = "there is no such file", "check the path"
    except IsADirectoryError:
        problem, hint = "this is a directory", "name one document in it"
    except PermissionError:
        problem, hint = "permission to read the file is denied", "check the file's permissions"
    except (OSError, ValueError) as error:  # ValueError: an impossible path, such as one with a NUL
        reason = error.strerror if isinstance(error, OSError) else None
        problem, hint = f"the file cannot be read: {reason or error}", "check the path"
    raise DocumentError([Problem(sanitize(str(path)), 0, 0, "", sanitize(problem), hint)])
