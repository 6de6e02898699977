"""Which version of a document is enforced in this run: the newest one, or the last one that was accepted, or none.

`keep.py` asks once, before it looks at the network, and remembers the answer's `accepted`. Whoever may upload a
document may break it; a broken, old or foreign upload must neither open the network nor stop the keeping of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from desired_state.document import Document
from desired_state.load import DocumentError, load
from desired_state.sanitize import sanitize
from desired_state.sources import Pinned, SourceError
from reconciler.ledger.record import Accepted

ScopeProblem = Callable[[Document], str]
"""Why this deployment does not reach the account and region of a document's scope; empty where it does."""


class Versions(Protocol):
    """What is asked of S3: `desired_state.sources.Documents`, which says what the answers and errors mean."""

    def current(self, name: str) -> Pinned | None: ...

    def version(self, name: str, version_id: str) -> Pinned: ...


@dataclass(frozen=True)
class VersionSelection:
    """The answer. `document` is what to enforce, None: nothing. `refusal` says, a line for each thing, why the newest
    version is not enforced and what is instead; it is empty where the newest one is enforced. `deleted`: the object is
    gone, so nothing is enforced.

    `accepted` is what is to be remembered as accepted from now on, new or not. Of a deleted document it has no
    `version_id` any more: a document that somebody took away does not come back because a later upload is refused.
    """

    document: Document | None
    accepted: Accepted | None
    refusal: str = ""
    deleted: bool = False


class _Refused(Exception):
    """A version may not be enforced; the text says why and what to do."""


def select_version(
    name: str,
    documents: Versions,
    accepted: Accepted | None,
    scope_problem: ScopeProblem,
    *,
    accept_revision: int | None = None,
) -> VersionSelection:
    """The version of document `name` to enforce now. Every version is read at most once.

    `accept_revision`: a person wants the newest version accepted although it is older or other than what was accepted,
    if it is of this revision; where it is of another, nothing is enforced in this run.

    Raises SourceError where a version could not be read: then nothing is known, and nothing may be changed.
    """
    newest = documents.current(name)
    if newest is None:
        return VersionSelection(None, accepted and replace(accepted, version_id=""), deleted=True)
    try:
        document = _document(newest, scope_problem)
        if accept_revision is not None and accept_revision != document.revision:
            problem = f"revision {accept_revision} was to be accepted, and revision {document.revision} is there"
            hint = "nothing was done; look at it, then accept the revision that is there, or upload the one you mean"
            return VersionSelection(None, accepted, f"{newest.origin}: {problem}; {hint}")
        pinned = Accepted(document.revision, document.sha256, newest.version_id)
        if accepted and accept_revision is None:
            _check_follows(pinned, accepted, newest.origin)
        return VersionSelection(document, pinned)
    except _Refused as refused:
        refusal = str(refused)
    if accepted is None:
        return VersionSelection(
            None, None, f"{refusal}\nNothing is enforced: no version of this document was ever accepted."
        )
    if accepted.version_id == newest.version_id:
        return VersionSelection(
            None, accepted, f"{refusal}\nNothing is enforced: this is the version that was accepted before."
        )
    if not accepted.version_id:
        gone = f"the document was deleted after revision {accepted.revision} was accepted"
        return VersionSelection(None, accepted, f"{refusal}\nNothing is enforced: {gone}.")
    return _last_accepted(name, documents, accepted, scope_problem, refusal)


def _last_accepted(
    name: str, documents: Versions, accepted: Accepted, scope_problem: ScopeProblem, refusal: str
) -> VersionSelection:
    """What was accepted goes on being enforced, if it still is what was accepted."""
    try:
        good = documents.version(name, accepted.version_id)
        document = _document(good, scope_problem)
        _check_same(Accepted(document.revision, document.sha256, good.version_id), accepted, good.origin)
    except SourceError as error:
        if not error.gone:
            raise
        return VersionSelection(
            None, accepted, f"{refusal}\nNothing is enforced: the version accepted last is gone.\n{error}"
        )
    except _Refused as error:
        cause = "the version accepted last cannot be enforced either."
        return VersionSelection(None, accepted, f"{refusal}\nNothing is enforced: {cause}\n{error}")
    return VersionSelection(
        document, accepted, f"{refusal}\nRevision {accepted.revision}, accepted before, goes on being enforced."
    )


def _document(pinned: Pinned, scope_problem: ScopeProblem) -> Document:
    try:
        document = load(pinned.data, pinned.origin)
    except DocumentError as error:
        raise _Refused(str(error)) from error
    if document.name != pinned.name:
        problem = f"the object is named {pinned.name}, and the document in it {document.name}"
        hint = f'write "name": "{pinned.name}", or upload it as {document.name}.json'
        raise _Refused(f"{pinned.origin}: {problem}; {hint}")
    if why := scope_problem(document):
        raise _Refused(f"{pinned.origin}: {sanitize(why)}")
    return document


def _check_follows(new: Accepted, accepted: Accepted, origin: str) -> None:
    if new.version_id == accepted.version_id:
        _check_same(new, accepted, origin)
    elif new.revision < accepted.revision:
        problem = f"revision {new.revision} is older than revision {accepted.revision}, which was accepted"
        raise _Refused(f"{origin}: {problem}; {_way_on(new, accepted)}")
    elif new.revision == accepted.revision and new.sha256 != accepted.sha256:
        problem = f"revision {new.revision} was accepted with other bytes than these"
        raise _Refused(f"{origin}: {problem}; {_way_on(new, accepted)}")


def _check_same(version: Accepted, accepted: Accepted, origin: str) -> None:
    """One version never changes in S3: where it seems to, what is remembered of it is wrong, and neither is trusted."""
    if version != accepted:
        problem = (
            f"this version has revision {version.revision} and sha256 {version.sha256}, but was accepted with "
            f"revision {accepted.revision} and sha256 {sanitize(accepted.sha256)}"
        )
        hint = f"find out who changed what is remembered, then {_way_on(version, accepted)}"
        raise _Refused(f"{origin}: {problem}; {hint}")


def _way_on(new: Accepted, accepted: Accepted) -> str:
    return (
        f"upload it with a revision above {accepted.revision}, "
        f"or accept revision {new.revision} by hand (accept_revision)"
    )
