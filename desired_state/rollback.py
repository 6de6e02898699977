"""Which version of a document's object a rollback goes back to, and the number that its text gets. Pure.

The versions are those of the object, whether a deployment ever enforced them or not: a revision that was refused is one
of them too. So where one revision was uploaded with several texts, a person says which one is meant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from desired_state.fields import shown
from desired_state.rollback_note import RollbackNote
from desired_state.sanitize import sanitize
from desired_state.sources import ObjectVersion

_NAMED = 10
"""The most versions that a message names; the others are counted."""


class NoRollback(Exception):
    """There is nothing to go back to, or it is not clear what: why, and what to do."""


@dataclass(frozen=True)
class ReadVersion:
    """One version of the object. `data` is None if it could not be read, and `problem` says why; `revision` is None if
    its text says none.
    """

    version: ObjectVersion
    revision: int | None = None
    data: bytes | None = None
    problem: str = ""
    note: RollbackNote | None = None

    @property
    def sha256(self) -> str:
        """The digest of its bytes in hexadecimal; empty if they could not be read."""
        return hashlib.sha256(self.data).hexdigest() if self.data is not None else ""

    def __str__(self) -> str:
        return f"version {sanitize(self.version.version_id)} of {self.version.uploaded:%Y-%m-%d %H:%M:%SZ}"


@dataclass(frozen=True)
class Choice:
    """The text of `target` is to become revision `number`, above that of every version; `newest` is the newest one."""

    newest: ReadVersion
    target: ReadVersion
    number: int

    @property
    def to(self) -> int:
        """The revision that the text had."""
        if self.target.revision is None:
            raise ValueError("a version without a revision was chosen")
        return self.target.revision


def choose(found: Sequence[ReadVersion], *, to: int | None, version_id: str = "", deleted: bool = False) -> Choice:
    """What to go back to, of all versions, the newest first: to the newest revision before the one that is newest now,
    or to revision `to`, or to the version `version_id`. Of a deleted object the newest one is one to go back to.

    Raises NoRollback.
    """
    if not found:
        raise NoRollback("the object has no version: there is nothing to go back to")
    newest = found[0]
    if newest.data is None:
        raise NoRollback(f"the newest version cannot be read, so no revision above it is known: {newest.problem}")
    if newest.revision is None and not any(one.revision for one in found):
        raise NoRollback("no version of the object says a revision: there is nothing to go back to")
    target = _exactly(found, version_id) if version_id else _revision(found, to, newest, deleted=deleted)
    if to is not None and target.revision != to:
        raise NoRollback(f"--version-id: {target} is revision {target.revision}, not {to}; leave --to out")
    if not deleted and target.version.version_id == newest.version.version_id:
        raise NoRollback(f"revision {newest.revision} is the newest one already; {_known(found)}")
    return Choice(newest, target, max(one.revision for one in found if one.revision) + 1)


def _exactly(found: Sequence[ReadVersion], version_id: str) -> ReadVersion:
    target = next((one for one in found if one.version.version_id == version_id), None)
    if target is None:
        raise NoRollback(f"--version-id: the object has no version {shown(version_id)}; {_known(found)}")
    if target.data is None:
        raise NoRollback(f"--version-id: it cannot be read: {target.problem}")
    if target.revision is None:
        raise NoRollback(f"--version-id: the text of {target} says no revision, so it was never in force")
    return target


def _revision(found: Sequence[ReadVersion], to: int | None, newest: ReadVersion, *, deleted: bool) -> ReadVersion:
    if to is None:
        to = _previous(found, newest, deleted=deleted)
    candidates = [one for one in found if one.revision == to]
    if not candidates:
        raise NoRollback(f"no version is revision {to}; {_known(found)}{_unread(found)}")
    texts = dict[str, ReadVersion]()
    for one in candidates:
        texts.setdefault(one.sha256, one)  # of equal ones the newest
    first, *others = texts.values()
    if others:
        which = ", ".join(map(str, (first, *others[: _NAMED - 1])))
        problem = f"revision {to} was uploaded with {len(texts)} different texts: {which}"
        raise NoRollback(f"{problem}; say which one with --version-id")
    return first


def _previous(found: Sequence[ReadVersion], newest: ReadVersion, *, deleted: bool) -> int:
    """The newest revision that is another one than the newest version's; of a deleted object that one itself."""
    others = (one.revision for one in found if one.revision and (deleted or one.revision != newest.revision))
    if (previous := next(others, None)) is None:
        what = "the only revision" if newest.revision else "no document, and there is none before it"
        problem = f"revision {newest.revision} is {what}" if newest.revision else f"the newest version is {what}"
        raise NoRollback(f"{problem}: there is nothing to go back to{_unread(found)}")
    return previous


def _known(found: Sequence[ReadVersion]) -> str:
    revisions = sorted({one.revision for one in found if one.revision}, reverse=True)
    more = f" and {len(revisions) - _NAMED} more" if len(revisions) > _NAMED else ""
    return f"its revisions are {', '.join(map(str, revisions[:_NAMED]))}{more}"


def _unread(found: Sequence[ReadVersion]) -> str:
    """That one of those that could not be read may be it."""
    unread = [one for one in found if one.data is None]
    if not unread:
        return ""
    which = "1 version" if len(unread) == 1 else f"{len(unread)} versions"
    return f"; {which} could not be read, the newest of them: {unread[0].problem}"
