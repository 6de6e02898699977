"""Where the bytes of a document come from: a file for the command line, S3 for the Lambda doors. `load` judges them.

A source gives all the bytes, or says what stood in the way: nothing here ever gives a part of a document. The S3
client is handed in, so that nothing in this folder needs an AWS library.

Facts encoded (S3 API reference, GetObject; S3 user guide, "Working with delete markers"): without a version S3 answers
404 NoSuchKey where the object is deleted, and 403 AccessDenied instead where the caller may not list the bucket;
a version that is gone is 404 NoSuchVersion, a version that is a delete marker 405 MethodNotAllowed; an object written
while versioning was off has the version "null" or none, and the next such write replaces it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from desired_state.document import Name
from desired_state.fields import shown
from desired_state.load import DocumentError, Problem
from desired_state.sanitize import sanitize
from desired_state.strict_json import MAX_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SUFFIX = ".json"
_DELETED = "NoSuchKey"
_GONE = frozenset({"NoSuchVersion", "NoSuchKey", "MethodNotAllowed"})
_LATER = "nothing is known of it until it can be read; look again later"
_MENDS = {
    "AccessDenied": (
        "grant s3:GetObject and s3:GetObjectVersion on it, and kms:Decrypt where a key of KMS encrypts it; grant "
        "s3:ListBucket on the bucket too, without it S3 answers the same where there is no such object"
    ),
    "NoSuchBucket": "check the name of the bucket",
    "InvalidObjectState": "it is archived: restore it, and keep documents out of archiving lifecycle rules",
}
_LISTING_MENDS = {**_MENDS, "AccessDenied": "grant s3:ListBucket on the bucket"}


class SourceError(Exception):
    """What should be read could not be: where, what, and what to do. It never means that a document was deleted.

    `code` is S3's own, or the name of the error where S3 gave no answer; empty where the answer itself is no use.
    """

    def __init__(self, where: str, problem: str, hint: str, code: str = "") -> None:
        super().__init__(f"{sanitize(where)}: {sanitize(problem)}; {hint}")
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether S3 says that there is no such version: reading again will not help."""
        return self.code in _GONE


@dataclass(frozen=True)
class Pinned:
    """All the bytes of one version of a document's object. `origin` names it in messages, to the version."""

    name: str
    data: bytes
    version_id: str
    origin: str


class Documents:
    """The documents of one bucket: the objects `<prefix><name>.json`. The bucket keeps versions."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def names(self) -> Iterator[str]:
        """The names of all documents there are, a page of the listing (1,000 keys) at a time.

        What lies in deeper folders is not looked at; a key here that names no document is skipped, and logged in one
        line after the last page. Raises SourceError where a page cannot be read: the names so far are then not all.
        """
        where = self._where(self._prefix)
        listing = self._client.get_paginator("list_objects_v2")
        pages = iter(listing.paginate(Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"))
        strangers: list[str] = []
        while (page := self._answered(where, lambda: next(pages, None), _LISTING_MENDS)) is not None:
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(self._prefix)
                if name.endswith(_SUFFIX) and _is_name(name.removesuffix(_SUFFIX)):
                    yield name.removesuffix(_SUFFIX)
                elif name:  # without one it is the folder itself, as the console makes it
                    strangers.append(name)
        if strangers:
            _LOG.warning(
                "%s: %d keys name no document, such as %s; a document is named <name>%s, <name> of a-z, 0-9 and -",
                *(sanitize(where), len(strangers), shown(strangers[0]), _SUFFIX),
            )

    def current(self, name: str) -> Pinned | None:
        """The newest version of a document; None where its object is deleted. Raises SourceError."""
        try:
            return self._pinned(name)
        except SourceError as error:
            if error.code == _DELETED:
                return None
            raise

    def version(self, name: str, version_id: str) -> Pinned:
        """Exactly this version of a document. Raises SourceError, with `gone` where there is no such version."""
        return self._pinned(name, version_id)

    def _pinned(self, name: str, version_id: str | None = None) -> Pinned:
        if not _is_name(name):
            raise SourceError(self._where(self._prefix), f"{shown(name)} is no name of a document", "check the name")
        key = f"{self._prefix}{name}{_SUFFIX}"
        where = self._where(key, version_id)

        def fetched() -> tuple[bytes, int | None, str]:
            if version_id is None:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            else:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
            with closing(answer["Body"]) as body:
                return _drained(body.read), answer.get("ContentLength"), answer.get("VersionId", "")

        data, length, pinned = self._answered(where, fetched, _MENDS)
        if length is None or len(data) != min(length, MAX_BYTES + 1):
            raise SourceError(where, f"the answer broke off after {len(data):,} of {length} bytes", _LATER)
        if pinned in ("", "null"):
            hint = "turn versioning on for the bucket, then upload the document once more"
            raise SourceError(where, "the bucket keeps no versions of it, so it can be neither pinned nor kept", hint)
        return Pinned(name, data, pinned, sanitize(self._where(key, pinned)))

    def _answered[Answer](self, where: str, read_request: Callable[[], Answer], resolves: dict[str, str]) -> Answer:
        try:
            return read_request()
        # All that a call to S3 can end in besides an answer. Not only botocore's errors: a connection that fails while
        # the body is read can surface as an error of urllib3 or ssl.
        except Exception as error:
            if isinstance(error, self._client.exceptions.ClientError):
                code = error.response["Error"]["Code"]
                problem = f"S3 answers {code}: {error.response['Error'].get('Message', '')}"
            else:
                code = type(error).__name__
                problem = f"S3 gives no answer: {code}: {error}"
            raise SourceError(where, problem, resolves.get(code, _LATER), code) from error

    def _where(self, key: str, version_id: str | None = None) -> str:
        return f"s3://{self._bucket}/{key}" + (f"?versionId={version_id}" if version_id else "")


def _drained(read: Callable[[int], bytes]) -> bytes:
    """A body to its end, which is where botocore compares its length and checksum; one that is longer than a document
    may be, to one byte more than that, so that `load` can refuse it.
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
    """The bytes of a file, at most one more than a document may have, so that `load` can refuse what is too long.

    Raises DocumentError where there is no file to read.
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
        problem, hint = "the file may not be read", "give yourself permission to read it"
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have, such as one with a NUL
        reason = error.strerror if isinstance(error, OSError) else None
        problem, hint = f"the file cannot be read: {reason or error}", "check the path"
    raise DocumentError([Problem(sanitize(str(path)), 1, 1, "", sanitize(problem), hint)])
