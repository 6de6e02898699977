"""Which version of a document a run enforces: the newest one, or the last one that was accepted, or none.

`keep.py` calls `select_version` once, before the run, and stores the `accepted` of its result. A broken, old or foreign
upload must neither open the network nor stop the enforcement of the version before it.
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
"""Why this deployment does not manage the account and region of a document's scope; empty if it does."""


class Versions(Protocol):
    """The part of `desired_state.sources.Documents` that is needed here; its results and errors are described there."""

    def current(self, name: str) -> Pinned | None: ...

    def version(self, name: str, version_id: str) -> Pinned: ...


@dataclass(frozen=True)
class VersionSelection:
    """The version to enforce: `document` (None: nothing is enforced). `refusal` says, one problem a line, why the
    newest version is not enforced, and what is enforced instead; it is empty if the newest one is. `deleted`: the
    object is gone.

    `accepted` is the version to store as the accepted one, whether it changed or not. It has no `version_id` once the
    document was deleted: a deleted document must not come back because a later upload is refused.
    """

    document: Document | None
    accepted: Accepted | None
    refusal: str = ""
    deleted: bool = False


class _Refused(Exception):
    """A version must not be enforced; the text says why and what to do."""


def select_version(
    name: str,
    documents: Versions,
    accepted: Accepted | None,
    scope_problem: ScopeProblem,
    *,
    accept_revision: int | None = None,
) -> VersionSelection:
    """The version of document `name` to enforce now. Every version is read at most once.

    `accept_revision`: a person accepts the newest version if it has this revision, even if it is older than the
    accepted one or has the same revision with other content. If it has another revision, nothing is enforced in this
    run.

    Raises SourceError if a version could not be read: then nothing is known, and nothing may be changed.
    """
    newest = documents.current(name)
    if newest is None:
        return VersionSelection(None, accepted and replace(accepted, version_id=""), deleted=True)
    try:
        document = _document(newest, scope_problem)
        if accept_revision is not None and accept_revision != document.revision:
            problem = f"the request accepts revision {accept_revision}, but the object has revision {document.revision}"
            hint = "nothing was done; review it, then accept the revision it has, or upload the one you mean"
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
    """The accepted version, if it can still be read and has not changed."""
    try:
        pinned = documents.version(name, accepted.version_id)
        document = _document(pinned, scope_problem)
        _check_same(Accepted(document.revision, document.sha256, pinned.version_id), accepted, pinned.origin)
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
        document, accepted, f"{refusal}\nRevision {accepted.revision}, accepted before, continues to be enforced."
    )


def _document(pinned: Pinned, scope_problem: ScopeProblem) -> Document:
    try:
        document = load(pinned.data, pinned.origin)
    except DocumentError as error:
        raise _Refused(str(error)) from error
    if document.name != pinned.name:
        problem = f"the object is named {pinned.name}, but the document in it is named {document.name}"
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
        raise _Refused(f"{origin}: {problem}; {_hint(new, accepted)}")
    elif new.revision == accepted.revision and new.sha256 != accepted.sha256:
        problem = f"revision {new.revision} was accepted with different content"
        raise _Refused(f"{origin}: {problem}; {_hint(new, accepted)}")


def _check_same(version: Accepted, accepted: Accepted, origin: str) -> None:
    """A version never changes in S3. If it seems to, what is remembered of it is wrong, and neither is trusted."""
    if version != accepted:
        problem = (
            f"this version has revision {version.revision} and sha256 {version.sha256}, but was accepted with "
            f"revision {accepted.revision} and sha256 {sanitize(accepted.sha256)}"
        )
        hint = f"find out who changed the stored record, then {_hint(version, accepted)}"
        raise _Refused(f"{origin}: {problem}; {hint}")


def _hint(new: Accepted, accepted: Accepted) -> str:
    return (
        f"upload it with a revision above {accepted.revision}, "
        f"or accept revision {new.revision} by hand (accept_revision)"
    )
