"""What a rollback notes on the version of the object that it uploads, as user metadata of S3. Pure.

Facts encoded (S3 user guide, "User-defined object metadata"): keys are lower case, values US-ASCII, and all of it
together takes at most 2 KB. So the reason is percent-encoded UTF-8, and cut. Whoever may upload can write the same, so
nothing depends on it, and what is read is bounded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from desired_state.sanitize import sanitize

TO, REASON = "rollback-to", "rollback-reason"
LONGEST_REASON = 300
"""Characters of a reason; those that do not fit into `_ROOM` are cut as well."""
_ROOM = 1024
"""Bytes of an encoded reason."""
_REVISION = re.compile(r"[1-9][0-9]{0,15}")
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class RollbackNote(NamedTuple):
    """The text is that of revision `to`; `reason` is somebody's text, on one line, empty if none was given."""

    to: int
    reason: str = ""


def metadata(note: RollbackNote) -> dict[str, str]:
    """The metadata of a note, as S3 takes it."""
    reason = _bounded(note.reason)
    while len(encoded := _encoded(reason)) > _ROOM:
        reason = reason[:-1]
    return {TO: str(note.to)} | ({REASON: encoded} if encoded else {})


def fits(reason: str) -> bool:
    """Whether all of a reason is stored."""
    return _bounded(reason) == _whole(reason) and metadata(RollbackNote(1, reason)).get(REASON, "") == _encoded(
        _whole(reason)
    )


def noted(metadata: Mapping[str, str]) -> RollbackNote | None:
    """The note in an object's metadata; None if there is none that can be read."""
    to = metadata.get(TO, "")
    if not _REVISION.fullmatch(to):
        return None
    return RollbackNote(int(to), _bounded(unquote(metadata.get(REASON, ""), errors="replace")))


def _encoded(reason: str) -> str:
    return quote(reason, safe=_PLAIN).strip()


def _bounded(reason: str) -> str:
    return _whole(reason)[:LONGEST_REASON].strip()


def _whole(reason: str) -> str:
    whole = reason.encode("utf-8", "replace").decode()  # half a surrogate pair has no UTF-8
    return sanitize(" ".join(whole.split())).strip()
