"""One attempt to keep a network as its document declares it: lease, version, run, notification, memory, in this order.

Every Lambda entry point calls `keep`; the command line, which has no memory, calls `run` itself. Whatever goes wrong is
in the `AttemptResult`, and people are notified of it once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from desired_state.document import Document
from desired_state.fields import nearest, shown
from desired_state.sanitize import sanitize
from desired_state.sources import SourceError
from reconciler.attempt import announcement, damaged, receipts, uploads
from reconciler.attempt.given import (
    BUSY_AGAIN,
    WAITING_AGAIN,
    Dependencies,
    Request,
    Unreachable,
    retry_delay,
)
from reconciler.attempt.one_run import run_version
from reconciler.attempt.telling import Voice, broken_off, tell, tell_without_ledger
from reconciler.attempt.version import Approval, VersionSelection, select_version
from reconciler.aws.client import AwsError
from reconciler.engine.observe import ObserveError
from reconciler.engine.run import StalePlanError, VpcNotAllowedError
from reconciler.ledger.lease import MALFORMED, Damage, Lease, LeaseHeld
from reconciler.ledger.record import DocumentRecord
from reconciler.ledger.table import LedgerError
from reconciler.model import Reason
from reconciler.model.trigger import Trigger
from reconciler.report.attempt import AttemptResult, Ending

__all__ = ["AttemptResult", "Dependencies", "Ending", "Request", "Trigger", "Unreachable", "keep", "retry_delay"]

log = logging.getLogger(__name__)

SKEW = timedelta(seconds=2)
"""A look counts as later than a message only by more than this: the queue is many machines."""
TAGS_WAIT = timedelta(minutes=1)
"""After a look, what can have changed nothing but tags waits for this long, together with what else changes them."""


def keep(name: str, trigger: Trigger, dependencies: Dependencies, request: Request | None = None) -> AttemptResult:
    """One attempt to keep the document `name`. Never raises: a mistake of this program is told too."""
    blank, request = AttemptResult(name, dependencies.run_id, Ending.UNOBSERVABLE, trigger), request or Request()
    blank = replace(blank, approved_by=_NOT_SAID if request.approves else "")
    voice = Voice(dependencies.publisher, dependencies.repeat, dependencies.now)
    try:
        lease = dependencies.ledger.take(name, dependencies.run_id)
    except Exception as error:
        if isinstance(error, LedgerError):
            result = replace(_unobservable(blank, error), code=error.code or type(error).__name__)
        else:
            log.exception("%s: the lease could not be taken", name)
            result = broken_off(blank, error)
        return tell_without_ledger(result, voice) if request.write else result
    if isinstance(lease, LeaseHeld):
        problem = f"another run has the lease until {lease.until:%H:%M:%SZ}: {sanitize(lease.owner)}"
        return replace(blank, ending=Ending.LEASE_HELD, problem=problem, retry_after=retry_delay(trigger, BUSY_AGAIN))
    updated: DocumentRecord | None = None
    try:
        if _covered(lease.record, trigger):
            updated = uploads.remembered(lease.record, trigger)
            return replace(blank, ending=Ending.COVERED)
        if delay := _may_wait(lease.record, trigger, dependencies.now()):
            return replace(blank, ending=Ending.COVERED, retry_after=delay)
        result, updated = _under_lease(lease, blank, dependencies, request)
        return result
    except Exception as error:
        log.exception("%s: the run broke off", name)
        result = broken_off(blank, error)
        return tell_without_ledger(result, voice) if request.write else result
    finally:
        # If the run died, the lease still has the version that it accepted, which must not be forgotten.
        _release(lease, updated or lease.record)


def _release(lease: Lease, record: DocumentRecord) -> None:
    try:
        problem = lease.release(record)
    except Exception:  # a record that cannot be written: the one before is still there, and the lease runs out
        log.exception("%s: the memory of this run could not be written", lease.document)
        return
    if problem:
        log.warning("%s: the memory of this run could not be stored: %s", lease.document, problem)


def _covered(record: DocumentRecord, trigger: Trigger) -> bool:
    """Whether a run has looked at the network since the message was sent: it covers all that happened before it.

    Both times are by the queue's clock. Ours is another one: if it is ahead, a look would seem later than it was, and
    a change would be missed.
    """
    if trigger.sent is None or record.covers is None:
        return False
    return record.covers > trigger.sent + SKEW


def _may_wait(record: DocumentRecord, trigger: Trigger, now: datetime) -> int:
    """Seconds until a look because of tags is due, 0 if it is: however often tags change, they cost a look a minute.
    What comes back after that is retried as any message is, and does not wait again.
    """
    if not trigger.only_tags or record.looked_at is None or record.looked_at > now:
        return 0
    return max(0, ceil((record.looked_at + TAGS_WAIT - now).total_seconds()))


def _latest(*times: datetime | None) -> datetime | None:
    return max((one for one in times if one), default=None)


def _under_lease(
    lease: Lease, blank: AttemptResult, dependencies: Dependencies, request: Request
) -> tuple[AttemptResult, DocumentRecord]:
    """The attempt itself, and the record to store."""
    began = dependencies.now()
    if lease.damage:
        request = Request(request.write, request.only, frozen=damaged.NOTHING_IS_CHANGED)
    try:
        result, record = _select_and_run(lease, blank, dependencies, request)
    except Exception as error:
        log.exception("%s: the run broke off", lease.document)
        result, record = broken_off(blank, error), lease.record
    if lease.damage:
        result = damaged.seen(result, lease.damage)
    if result.ending is Ending.UNKNOWN:
        return result, record  # it is stored as deleted, or the next sweep would look for it
    if not request.write:
        return result, lease.record  # a plan stores nothing, and sends no alert
    record = uploads.remembered(record, result.trigger)
    if result.report and request.only is None and not result.report.gate.unseen:
        record = replace(record, looked_at=began, covers=_latest(record.covers, result.trigger.received))
    if lease.damage:
        return _tell_damaged(lease, lease.damage, result, record, dependencies)
    hurried = dependencies.seconds_left() < receipts.HURRIED
    recorder = receipts.Recorder(dependencies.put_receipt, began, dependencies.stale, lost=lease.lost, hurried=hurried)
    result, record = receipts.recorded(result, record, lease.record, recorder)
    voice = Voice(
        dependencies.publisher, dependencies.repeat, dependencies.now, dependencies.ledger.accounts, lease.regain
    )
    # `result.late` was looked up before the run's own corrections were stored, and they are in its report.
    return tell(result, replace(record, untold=lease.record.untold), lease.record.untold, voice)


def _tell_damaged(
    lease: Lease, damage: Damage, result: AttemptResult, record: DocumentRecord, dependencies: Dependencies
) -> tuple[AttemptResult, DocumentRecord]:
    """As every attempt; where nobody knows what was told before, not more than once an hour from one process."""
    publisher, now = dependencies.publisher, dependencies.now
    if "notified" in damage.attributes and not publisher.may_tell(f"{MALFORMED} {result.document}", now()):
        return result, damaged.remembered(lease.record, replace(lease.record, looked_at=record.looked_at))
    voice = Voice(publisher, dependencies.repeat, now, dependencies.ledger.accounts)
    result, told = tell(result, replace(record, untold=lease.record.untold), lease.record.untold, voice)
    return result, damaged.remembered(lease.record, told)


def _select_and_run(
    lease: Lease, blank: AttemptResult, dependencies: Dependencies, request: Request
) -> tuple[AttemptResult, DocumentRecord]:
    record = lease.record
    try:
        selection = select_version(
            blank.document,
            dependencies.documents,
            record.accepted,
            dependencies.scope_problem,
            Approval(
                request.accept_revision, request.approve_revision, _holds_exposures(request, record, dependencies)
            ),
        )
    except SourceError as error:
        return _unobservable(blank, error), record
    blank = replace(blank, upload=uploads.of_version(selection.newest, blank.trigger, record))
    if selection.held or not request.write:
        blank = replace(blank, change=selection.change, held=selection.held)
    if selection.deleted:
        record, known = replace(record, deleted=True, accepted=selection.accepted), not _unknown_document(record)
        return replace(blank, **_DELETED if known else _UNKNOWN), record
    record = replace(record, deleted=False)
    if selection.document is None:
        return replace(blank, ending=Ending.REFUSED, problem=selection.refusal or _held(selection)), record
    if problem := _unknown(request.only, selection.document):
        return replace(blank, ending=Ending.REFUSED, problem=problem, refusal=selection.refusal), record
    blank = replace(blank, refusal=selection.refusal)
    try:
        before, record = record.accepted, _accepted(lease, record, selection, request)
        blank = replace(blank, version_id=selection.accepted.version_id if selection.accepted else "")
        if request.write:  # also while a newer version waits for an approval
            blank = replace(blank, rollout=record.rollout is not None)
        if request.write and not selection.held:
            change = announcement.pending(blank.document, dependencies.documents, selection, before, record)
            blank = replace(blank, change=change)
        return run_version(lease, blank, record, selection.document, dependencies, request)
    except VpcNotAllowedError as error:
        return replace(blank, ending=Ending.REFUSED, problem=sanitize(str(error))), replace(
            record, ids=lease.record.ids
        )
    except (ObserveError, AwsError, Unreachable, LedgerError) as error:
        account = selection.document.scope.account_id if _of_the_account(error) else ""
        blank = replace(blank, unreachable=account)
        return _unobservable(blank, error), replace(record, ids=lease.record.ids)
    except StalePlanError as error:
        problem = f"{error}; nothing was changed: request the plan again and review it"
        return replace(blank, ending=Ending.REFUSED, problem=sanitize(problem)), record


_NOT_SAID = (
    "not known: Lambda does not say who invoked it; the run is the id of that request, which CloudTrail has if the "
    "trail records data events of Lambda"
)
_DELETED: Mapping[str, Any] = {
    "ending": Ending.DELETED,
    "problem": "its object is deleted: nothing is enforced any more, and nothing is undone",
}
_UNKNOWN: Mapping[str, Any] = {
    "ending": Ending.UNKNOWN,
    "problem": "unknown: there is no such object, and nothing is remembered of one; write the name of the object, "
    "without .json, which is the name in the document too",
}


def _unknown_document(record: DocumentRecord) -> bool:
    """Whether nothing is remembered of a document: its name is wrong, or it was deleted before any run."""
    return replace(record, deleted=False) == DocumentRecord()


def _unobservable(blank: AttemptResult, error: Exception) -> AttemptResult:
    cause = error.cause if isinstance(error, (AwsError, ObserveError)) else None
    code = (cause and (cause.code or cause.reason.value)) or type(error).__name__
    delay = retry_delay(blank.trigger, WAITING_AGAIN)
    return replace(blank, problem=sanitize(str(error)), code=code, retry_after=delay)


def _of_the_account(error: Exception) -> bool:
    """Whether it is the trouble of every document of the account."""
    cause = error.cause if isinstance(error, (AwsError, ObserveError)) else None
    return isinstance(error, Unreachable) or (cause is not None and cause.reason in _OF_THE_ACCOUNT)


_OF_THE_ACCOUNT = frozenset(
    {Reason.CREDENTIALS, Reason.THROTTLED, Reason.ANSWER_LOST, Reason.REFUSED, Reason.UNREADABLE}
)


def _unknown(only: Iterable[str] | None, document: Document) -> str:
    strange = [one for one in only or () if one not in document.resources]
    if not strange:
        return ""
    return f"only: {shown(strange[0])} is not declared in this document; {nearest(strange[0], document.resources)}"


def _accepted(lease: Lease, record: DocumentRecord, selection: VersionSelection, request: Request) -> DocumentRecord:
    """The record with the version that this run enforces. It is stored before the first write, so that an older version
    is recognised as older even after a crash.
    """
    if selection.accepted is None or selection.accepted == record.accepted or not request.write:
        return record
    if request.frozen:
        return lease.accepting(selection.accepted) if record.accepted else record
    lease.accept(selection.accepted)
    now = lease.record
    return replace(record, accepted=now.accepted, announced=now.announced, rollout=now.rollout)


def _holds_exposures(request: Request, record: DocumentRecord, dependencies: Dependencies) -> bool:
    """Whether a version that opens the network is held. Where nothing is changed and nobody knows which version was in
    force, the network is compared with the newest one.
    """
    return dependencies.policy.hold_exposures and not (request.frozen and record.accepted is None)


def _held(selection: VersionSelection) -> str:
    """Why nothing is enforced, if a first version is held."""
    if selection.change is None:
        return ""
    from reconciler.report.revision import hold

    return f"{hold(selection.change)}\n{selection.held}"
