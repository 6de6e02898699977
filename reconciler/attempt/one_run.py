"""One run of the version that is in force: what it is told of earlier runs, and what it leaves to later ones.

`keep.py` calls `run_version` under the lease, once it is settled which version that is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.attempt import flapping, holding, identities, not_carried_out, openings, rollout, unproved, untold
from reconciler.attempt.given import WAITING_AGAIN, Dependencies, Request, retry_delay
from reconciler.aws.client import Aws
from reconciler.cloudtrail.attribution import Attribution, attribute, drifted
from reconciler.engine.gate import Gate, seen_holds
from reconciler.engine.result import Observation, Report
from reconciler.engine.run import Environment, Memory, run
from reconciler.ledger.lease import Lease
from reconciler.ledger.record import DocumentRecord
from reconciler.model import Cause, Outcome, Reason
from reconciler.notify.alert import Topic, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.report.attempt import AttemptResult, Ending, HoldTag

log = logging.getLogger(__name__)

FIRST_LOOK_BACK = timedelta(days=1)
"""How far back CloudTrail is searched if there was no earlier look."""


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


@dataclass(frozen=True)
class _Given:
    """What a run is about, and what it works with: as of `run_version`. `judge` says which differences are the
    version's own (None: no version is being rolled out).
    """

    lease: Lease
    blank: AttemptResult
    record: DocumentRecord
    document: Document
    dependencies: Dependencies
    request: Request
    aws: Aws
    started: datetime
    judge: rollout.Judge | None


class _Attributed(NamedTuple):
    """What CloudTrail says: who made the changes, and the hold tags with who set them."""

    found: Attribution
    hold_tags: Mapping[Address, HoldTag]


def run_version(
    lease: Lease,
    blank: AttemptResult,
    record: DocumentRecord,
    document: Document,
    dependencies: Dependencies,
    request: Request,
) -> tuple[AttemptResult, DocumentRecord]:
    """The result of a run of `document`, and the record with what is known after it; `blank` is the result so far.
    Raises what `run` raises, and `Unreachable`.
    """
    aws = dependencies.aws_for(document)
    may_start = _Permit(lease, dependencies)
    started = dependencies.now()
    judge = (
        rollout.judge_of(blank.document, dependencies.documents, record.rollout, document) if request.write else None
    )
    given = _Given(lease, blank, record, document, dependencies, request, aws, started, judge)
    memory = _memory(given)
    report = _run(given, memory, may_start)
    seen = replace(blank, ending=Ending.COMPLETED, report=report, own=rollout.own(judge, report))
    attributed = _attributed(given, seen, report, memory)
    result = _result(given, seen, report, attributed, out_of_time=may_start.out_of_time)
    return result, _remembered(given, report, memory, attributed.found)


def _memory(given: _Given) -> Memory:
    """What the run is told of earlier runs, and where it leaves what it is about to do."""
    record, document, started = given.record, given.document, given.started

    def intend(first: Observation, first_gate: Gate) -> None:
        rolls_out = given.judge or (lambda one: False)
        planned = untold.planned(document, first, first_gate, started, given.blank.trigger.actors, rolls_out)
        given.lease.note((*planned, *record.untold))

    return Memory(
        vpc_id=record.vpc_id,
        vpc_was=identities.vpc_of(record, document),
        flapping=lambda one: flapping.suppressed(record.flapping, one, started),
        not_carried_out=lambda one: not_carried_out.held(record.accepted_changes, one, started),
        held_since=record.holds,
        ids=identities.known(record, document),
        had=identities.had(record, document),
        frozen=given.request.frozen,
        forget=lambda addresses: given.lease.forget(identities.remembered_as(addresses, document)),
        intend=intend,
        vpc_asked=untold.vpc_asked(record, document),
        left=partial(openings.left, record),
    )


def _run(given: _Given, memory: Memory, may_start: _Permit) -> Report:
    document, dependencies, request = given.document, given.dependencies, given.request
    return run(
        document,
        Environment(
            given.aws,
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


def _attributed(given: _Given, seen: AttemptResult, report: Report, memory: Memory) -> _Attributed:
    """Asks CloudTrail about what people will be told of."""
    record, dependencies = given.record, given.dependencies
    drifts = drifted(report, memory.ids, record.associations)
    hold_tags = holding.hold_tags(report, record)
    told: frozenset[Address] = frozenset()
    if given.request.write and (drifts or hold_tags):
        told = _to_report(seen, record, dependencies)
        # What no look has shown yet is told by a later run, which cannot ask any more.
        told |= {one.address for one in unproved.sent(seen).values()}
        drifts = tuple(one for one in drifts if one.address in told)
    late, _ = untold.recovered(record.untold, seen, given.started)
    drifts = (*drifts, *untold.to_attribute(late, given.document))
    look_up = partial(
        attribute,
        actors=seen.trigger.actors,
        aws=given.aws,
        now=dependencies.now,
        sleep=dependencies.sleep,
        is_own_call=dependencies.is_own_call,
    )
    found = look_up(drifts, since=record.looked_at or given.started - FIRST_LOOK_BACK)
    who = lambda some, since: look_up(some, since=since).actors  # noqa: E731
    return _Attributed(found, holding.with_who(hold_tags, told, report, record, who))


def _result(
    given: _Given, seen: AttemptResult, report: Report, attributed: _Attributed, *, out_of_time: bool
) -> AttemptResult:
    record, request = given.record, given.request
    foreign = {one.address for one in report.drifts if one.difference.identity not in (seen.own or ())}
    exposed = openings.exposed(report, record, attributed.found.made, given.dependencies.now())
    waiting = bool(report.count(Outcome.WAITING)) and request.write
    retry_after = retry_delay(seen.trigger, WAITING_AGAIN) if waiting else 0
    return replace(
        seen,
        retry_after=retry_delay(seen.trigger, 1) if out_of_time else retry_after,
        actors=attributed.found.actors,
        exposed={address: one for address, one in exposed.seconds.items() if address in foreign},
        exposed_unknown=exposed.unknown & foreign,
        since=_since(seen, report, record, given.started),
        drift_since=openings.times(report, record, attributed.found.made),
        hold_tags=attributed.hold_tags,
    )


def _remembered(given: _Given, report: Report, memory: Memory, found: Attribution) -> DocumentRecord:
    """What later runs are told."""
    record, document, now = given.record, given.document, given.dependencies.now
    return replace(
        record,
        account=document.scope.account_id,
        region=document.scope.region,
        vpc_id=report.vpc_id or identities.vpc_of(record, document),
        flapping=flapping.after(record.flapping, report, now()),
        accepted_changes=not_carried_out.after(record.accepted_changes, report, now()),
        holds=seen_holds(report, record.holds, now()),
        ids={**identities.after(memory.ids, report), **identities.left(record, report)},
        associations=report.associations_after,
        open_since=openings.after(report, record, found.made),
        rollout=rollout.after(record.rollout, given.judge, report),
    )


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
