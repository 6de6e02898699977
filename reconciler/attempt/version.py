"""Which version of a document a run enforces: the newest one, or the last one that was accepted, or none.

`keep.py` calls `select_version` once, before the run, and stores the `accepted` of its result. A broken, old or foreign
upload must neither open the network nor stop the enforcement of the version before it. A new version is compared with
the accepted one, and held if a person must approve what it opens (decision 14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from desired_state.document import Document
from desired_state.load import DocumentError, load
from desired_state.sanitize import sanitize
from desired_state.sources import Pinned, SourceError
from reconciler.ledger.record import Accepted

if TYPE_CHECKING:
    from reconciler.revision.change import RevisionChange

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

    `change` is what the newest version changes, compared with the accepted one, if its content is another. If it waits
    until a person approves it, `held` says what is enforced instead: the accepted one, or nothing. `newest` is the id
    of the newest version.
    """

    document: Document | None
    accepted: Accepted | None
    refusal: str = ""
    deleted: bool = False
    change: RevisionChange | None = None
    held: str = ""
    newest: str = ""


@dataclass(frozen=True)
class Approval:
    """What a person allows, and what the deployment does not.

    `accept_revision`: the newest version is accepted if it has this revision, even if it is older than the accepted one
    or has the same revision with other content. `approve_revision`: it is not held if this is the fingerprint of its
    change. If it has another revision or fingerprint, nothing is enforced in this run. `hold_exposures`: what newly
    opens the network is held.
    """

    accept_revision: int | None = None
    approve_revision: str = ""
    hold_exposures: bool = True


NO_APPROVAL = Approval()
NEVER_ACCEPTED = "no version of this document was ever accepted."


class _Refused(Exception):
    """A version must not be enforced; the text says why and what to do."""


def select_version(
    name: str,
    documents: Versions,
    accepted: Accepted | None,
    scope_problem: ScopeProblem,
    approval: Approval = NO_APPROVAL,
) -> VersionSelection:
    """The version of document `name` to enforce now. Every version is read at most once, and the accepted one only if
    the newest one is another.

    Raises SourceError if a version could not be read: then nothing is known, and nothing may be changed.
    """
    newest = documents.current(name)
    if newest is None:
        return VersionSelection(None, accepted and replace(accepted, version_id=""), deleted=True)
    try:
        document = _document(newest, scope_problem)
        if approval.accept_revision not in {None, document.revision}:
            given = f"the request accepts revision {approval.accept_revision}"
            problem = f"{given}, but the object has revision {document.revision}"
            hint = "nothing was done; review it, then accept the revision it has, or upload the one you mean"
            return VersionSelection(None, accepted, f"{newest.origin}: {problem}; {hint}")
        pinned = Accepted(document.revision, document.sha256, newest.version_id)
        if accepted and approval.accept_revision is None:
            _check_follows(pinned, accepted, newest.origin)
        if accepted and pinned.same_content(accepted):
            return _unchanged(document, pinned, approval, newest.origin)
        before = _Before(problem="its stored record is wrong.")
        if accepted is None or accepted.version_id != newest.version_id:
            before = _accepted_before(name, documents, accepted, scope_problem)
        return _compared(before, document, pinned, accepted, approval)
    except _Refused as refused:
        refusal = str(refused)
    if accepted is None:
        return VersionSelection(None, None, f"{refusal}\nNothing is enforced: {NEVER_ACCEPTED}")
    if accepted.version_id == newest.version_id:
        return VersionSelection(
            None, accepted, f"{refusal}\nNothing is enforced: this is the version that was accepted before."
        )
    before = _accepted_before(name, documents, accepted, scope_problem)
    if before.document is None:
        return VersionSelection(None, accepted, f"{refusal}\nNothing is enforced: {before.problem}")
    return VersionSelection(
        before.document,
        accepted,
        f"{refusal}\nRevision {accepted.revision}, accepted before, continues to be enforced.",
    )


def _unchanged(document: Document, pinned: Accepted, approval: Approval, origin: str) -> VersionSelection:
    """The accepted content again: nothing waits for an approval."""
    if approval.approve_revision:
        problem = f"revision {document.revision} is accepted already, and nothing waits for an approval"
        return VersionSelection(None, pinned, f"{origin}: {problem}; nothing was done; leave out approve_revision")
    return VersionSelection(document, pinned)


def _compared(
    before: _Before, document: Document, pinned: Accepted, accepted: Accepted | None, approval: Approval
) -> VersionSelection:
    """The new version if it may be enforced, otherwise the one before."""
    change = _change(before.document, document)
    given = approval.approve_revision
    if given and given != change.fingerprint:
        problem = (
            f"the approval is for {given}, but the newest version is {change.fingerprint} (revision {change.number})"
        )
        hint = "nothing was done; review what it changes now, then approve that fingerprint"
        return VersionSelection(None, accepted, f"{document.origin}: {problem}; {hint}")
    if change.holds and approval.hold_exposures and not given:
        instead = f"Nothing is enforced: {before.problem or NEVER_ACCEPTED}"
        if before.document and accepted:
            instead = f"Revision {accepted.revision}, accepted before, continues to be enforced."
        return VersionSelection(before.document, accepted, change=change, held=instead, newest=pinned.version_id)
    return VersionSelection(document, pinned, change=change, newest=pinned.version_id)


_CHANGES: dict[tuple[str, str, str], RevisionChange] = {}
"""What was compared last, by the name and the digests: a held revision meets every run until somebody approves it."""
_MOST_CHANGES = 4


def _change(before: Document | None, document: Document) -> RevisionChange:
    """What a version changes. The comparison is imported here: most runs compare nothing."""
    key = document.name, before.sha256 if before else "", document.sha256
    if key not in _CHANGES:
        from reconciler.revision.compare import compare

        while len(_CHANGES) >= _MOST_CHANGES:
            del _CHANGES[next(iter(_CHANGES))]
        _CHANGES[key] = compare(before, document)
    return _CHANGES[key]


@dataclass(frozen=True)
class _Before:
    """The accepted version; without a `document`, `problem` says why it cannot be enforced (empty: there is none)."""

    document: Document | None = None
    problem: str = ""


def _accepted_before(name: str, documents: Versions, accepted: Accepted | None, scope_problem: ScopeProblem) -> _Before:
    """The accepted version, if it can still be read and has not changed. Raises SourceError, unless it is gone."""
    if accepted is None:
        return _Before()
    if not accepted.version_id:
        return _Before(problem=f"the document was deleted after revision {accepted.revision} was accepted.")
    try:
        pinned = documents.version(name, accepted.version_id)
        document = _document(pinned, scope_problem)
        _check_same(Accepted(document.revision, document.sha256, pinned.version_id), accepted, pinned.origin)
    except SourceError as error:
        if not error.gone:
            raise
        return _Before(problem=f"the version accepted last is gone.\n{error}")
    except _Refused as error:
        return _Before(problem=f"the version accepted last cannot be enforced either.\n{error}")
    return _Before(document)


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
    return replace(document, rollback=pinned.rollback) if pinned.rollback else document


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
