"""One attempt to keep a network as its document declares it: lease, version, run, notification, memory, in this order.

Every Lambda entry point calls `keep`; the command line, which has no memory, calls `run` itself. Whatever goes wrong is
in the `AttemptResult`, and people are notified of it once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address, nearest, shown
from desired_state.sanitize import sanitize
from desired_state.sources import Documents, SourceError
from reconciler.attempt import announcement, damaged, flapping, holding, identities, openings, receipts, rollout, untold
from reconciler.attempt.telling import Voice, broken_off, tell, tell_without_ledger
from reconciler.attempt.version import Approval, VersionSelection, select_version
from reconciler.aws.client import Aws, AwsError
from reconciler.cloudtrail.attribution import attribute, drifted
from reconciler.engine.gate import Gate, seen_holds
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Observation, Report
from reconciler.engine.run import Environment, Memory, StalePlanError, VpcNotAllowedError, run
from reconciler.ledger.lease import MALFORMED, Damage, Lease, LeaseHeld, Ledger
from reconciler.ledger.record import DocumentRecord
from reconciler.ledger.table import LedgerError
from reconciler.model import Cause, Outcome, Policy, Reason
from reconciler.model.trigger import Trigger, Upload
from reconciler.notify.alert import Topic, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.notify.publisher import Publisher
from reconciler.report.attempt import AttemptResult, Ending

__all__ = ["AttemptResult", "Dependencies", "Ending", "Request", "Trigger", "Unreachable", "keep", "retry_delay"]

log = logging.getLogger(__name__)

SKEW = timedelta(seconds=2)
"""A look counts as later than a message only by more than this: the queue is many machines."""
BUSY_AGAIN, WAITING_AGAIN, LONGEST_AGAIN = 15, 60, 900
"""Seconds until the next try: the first if another run has the lease, the first if AWS is busy, and SQS's limit."""
TAGS_WAIT = timedelta(minutes=1)
"""After a look, what can have changed nothing but tags waits for this long, together with what else changes them."""
FIRST_LOOK_BACK = timedelta(days=1)
"""How far back CloudTrail is searched if there was no earlier look."""
TRIES = 12
"""How often a message is retried before the schedule takes over."""


class Unreachable(Exception):
    """The account of a document cannot be accessed: which, why, and how to correct it."""


@dataclass(frozen=True)
class Request:
    """The options of a manual invoke; the defaults are those of every other run. `approve` is the fingerprint of a held
    plan, `approve_revision` that of a held version of the document. `frozen` says why nothing may be changed whatever a
    person approves.
    """

    write: bool = True
    only: frozenset[str] | None = None
    approve: str = ""
    accept_revision: int | None = None
    approve_revision: str = ""
    frozen: Cause | None = None

    @property
    def approves(self) -> bool:
        """Whether a person lets this run do what no other run would."""
        return self.write and bool(self.approve or self.approve_revision or self.accept_revision is not None)


@dataclass(frozen=True)
class Dependencies:
    """Everything external that an attempt needs. `run_id` names the attempt and owns its lease.

    `scope_problem` says why the account and region of a document are not this deployment's (empty: they are), and
    `vpc_problem` why a document may not be for the VPC that it was found to be for, by its id (empty: one that it would
    create). `aws_for` connects to them, or raises `Unreachable`. `is_own_call` recognises our own calls by their
    CloudTrail record. `seconds_left` are those of this invocation; the last `reserve` of them are for the look after
    the writes and for notifications. An open alert is sent again after `repeat`. `put_receipt` writes a receipt (None:
    the deployment has no bucket for them). After `stale` without a look nobody knows what was.
    """

    ledger: Ledger
    documents: Documents
    publisher: Publisher
    aws_for: Callable[[Document], Aws]
    scope_problem: Callable[[Document], str]
    is_own_call: Callable[[Mapping[str, Any]], bool]
    policy: Policy
    repeat: timedelta
    run_id: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    seconds_left: Callable[[], float]
    reserve: float
    vpc_problem: Callable[[Document, str], str] = lambda document, vpc_id: ""
    put_receipt: receipts.Put | None = None
    stale: timedelta = timedelta(minutes=30)


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


def retry_delay(trigger: Trigger, first: int) -> int:
    """Seconds until the next try, doubled each time; 0 if the next scheduled run is to take over."""
    return min(first * 2**trigger.tries, LONGEST_AGAIN) if trigger.tries < TRIES else 0


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
    if result.report and request.only is None and not result.report.gate.unseen:
        record = replace(record, looked_at=began, covers=_latest(record.covers, result.trigger.received))
    if lease.damage:
        return _tell_damaged(lease, lease.damage, result, record, dependencies)
    hurried = dependencies.seconds_left() < receipts.HURRIED
    recorder = receipts.Recorder(dependencies.put_receipt, began, dependencies.stale, lost=lease.lost, hurried=hurried)
    result, record = receipts.recorded(result, record, lease.record, recorder)
    voice = Voice(dependencies.publisher, dependencies.repeat, dependencies.now, dependencies.ledger.accounts)
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
    blank = replace(blank, upload=_upload(blank.trigger, selection.newest))
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
        if request.write and not selection.held:
            change = announcement.pending(blank.document, dependencies.documents, selection, before, record)
            blank = replace(blank, change=change, rollout=record.rollout is not None)
        return _run(lease, blank, record, selection.document, dependencies, request)
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


def _upload(trigger: Trigger, version_id: str) -> Upload | None:
    """Who uploaded this version, if an event said so."""
    return next((one for one in trigger.uploads if version_id and one.version_id == version_id), None)


@dataclass
class _Permit:
    """Whether another call may be started: there is time for it, and the lease is still ours."""

    lease: Lease
    dependencies: Dependencies
    out_of_time: bool = field(default=False, init=False)

    def __call__(self) -> Cause | None:
        if self.dependencies.seconds_left() < self.dependencies.reserve:
            self.out_of_time = True
            return Cause(Reason.OUT_OF_TIME, "the time of this run is up: the next run continues from here")
        lost = self.lease.confirm()
        return Cause(Reason.LEASE_LOST, lost) if lost else None


def _run(
    lease: Lease,
    blank: AttemptResult,
    record: DocumentRecord,
    document: Document,
    dependencies: Dependencies,
    request: Request,
) -> tuple[AttemptResult, DocumentRecord]:
    aws = dependencies.aws_for(document)
    may_start = _Permit(lease, dependencies)
    started = dependencies.now()
    judge = (
        rollout.judge_of(blank.document, dependencies.documents, record.rollout, document) if request.write else None
    )

    def intend(first: Observation, first_gate: Gate) -> None:
        planned = untold.planned(
            document, first, first_gate, started, blank.trigger.actors, judge or (lambda one: False)
        )
        lease.note((*planned, *record.untold))

    memory = Memory(
        vpc_id=record.vpc_id,
        vpc_was=identities.vpc_of(record, document),
        flapping=lambda one: flapping.suppressed(record.flapping, one, started),
        held_since=record.holds,
        ids=identities.known(record, document),
        had=identities.had(record, document),
        frozen=request.frozen,
        forget=lambda addresses: lease.forget(identities.remembered_as(addresses, document)),
        intend=intend,
        vpc_asked=untold.vpc_asked(record, document),
        left=partial(openings.left, record),
    )
    report = run(
        document,
        Environment(
            aws,
            dependencies.now,
            dependencies.sleep,
            may_start=may_start,
            vpc_problem=lambda vpc_id: dependencies.vpc_problem(document, vpc_id),
        ),
        dependencies.policy,
        write=request.write and request.frozen is None,
        only=frozenset(map(Address, request.only)) if request.only is not None else None,
        expected=request.approve,
        approved=request.approve,
        memory=memory,
    )
    blank = replace(blank, own=rollout.own(judge, report))
    since = record.looked_at or started - FIRST_LOOK_BACK
    drifts = drifted(report, memory.ids, record.associations)
    hold_tags = holding.hold_tags(report, record)
    told: frozenset[Address] = frozenset()
    if request.write and (drifts or hold_tags):
        told = _to_report(replace(blank, ending=Ending.COMPLETED, report=report), record, dependencies)
        drifts = tuple(one for one in drifts if one.address in told)
    late, _ = untold.recovered(record.untold, replace(blank, ending=Ending.COMPLETED, report=report), started)
    drifts = (*drifts, *untold.to_attribute(late, document))
    look_up = partial(
        attribute,
        actors=blank.trigger.actors,
        aws=aws,
        now=dependencies.now,
        sleep=dependencies.sleep,
        is_own_call=dependencies.is_own_call,
    )
    found = look_up(drifts, since=since)
    asked = lambda some, since: look_up(some, since=since).actors  # noqa: E731
    hold_tags = holding.with_who(hold_tags, told, report, record, asked)
    foreign = {one.address for one in report.drifts if one.difference.identity not in (blank.own or ())}
    exposed = openings.exposed(report, record, found.made, dependencies.now())
    waiting = bool(report.count(Outcome.WAITING)) and request.write
    retry_after = retry_delay(blank.trigger, WAITING_AGAIN) if waiting else 0
    result = replace(
        blank,
        ending=Ending.COMPLETED,
        report=report,
        retry_after=retry_delay(blank.trigger, 1) if may_start.out_of_time else retry_after,
        actors=found.actors,
        exposed={address: one for address, one in exposed.seconds.items() if address in foreign},
        exposed_unknown=exposed.unknown & foreign,
        since=_since(blank, report, record, started),
        drift_since=openings.times(report, record, found.made),
        hold_tags=hold_tags,
    )
    scope = document.scope
    updated = replace(
        record,
        account=scope.account_id,
        region=scope.region,
        vpc_id=report.vpc_id or identities.vpc_of(record, document),
        flapping=flapping.after(record.flapping, report, dependencies.now()),
        holds=seen_holds(report, record.holds, dependencies.now()),
        ids={**identities.after(memory.ids, report), **identities.left(record, report)},
        associations=report.associations_after,
        open_since=openings.after(report, record, found.made),
        rollout=rollout.after(record.rollout, judge, report),
    )
    return result, updated


def _to_report(result: AttemptResult, record: DocumentRecord, dependencies: Dependencies) -> frozenset[Address]:
    """What an alert will be sent about: CloudTrail allows few lookups, so none is spent on what was reported
    before.
    """
    try:
        now, repeat = dependencies.now(), dependencies.repeat
        notifications = deduplicate(find_alerts(result), record.notified, now, repeat, result).notifications
    except Exception:  # sending the notifications meets the same error, and reports it
        log.exception("%s: no change is looked up in CloudTrail", result.document)
        return frozenset()
    alerts = [one.alert for notification in notifications for one in (notification, *notification.rest) if one.alert]
    return frozenset(alert.address for alert in alerts if alert.address)


def _since(
    blank: AttemptResult, report: Report, record: DocumentRecord, started: datetime
) -> Mapping[Address, datetime]:
    """Since when each broken intent is known to be broken: what was reported before, or this run."""
    broken = [one.address for one in report.findings if one.cause.reason is Reason.INTENT_BROKEN]
    known = {address: record.notified.get(fingerprint(blank.document, Topic.INTENT, address)) for address in broken}
    return {address: one.first_seen if one and one.open else started for address, one in known.items()}
