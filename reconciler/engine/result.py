"""The result of a run: every drift with how it ended, by comparing the look before with the look after. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan, signature
from reconciler.engine.suppression import Left, Suppression
from reconciler.model import (
    ABSENT,
    Action,
    Attempt,
    Change,
    Difference,
    Ended,
    Finding,
    Outcome,
    Policy,
    Snapshot,
    Unmanaged,
)


@dataclass(frozen=True)
class Observation:
    """One look and what follows from it. `aside` is what is left alone for a while."""

    snapshot: Snapshot
    plan: Plan
    covered: tuple[tuple[Difference, DocumentException], ...]
    aside: Suppression = field(default_factory=Suppression)


@dataclass(frozen=True)
class Line:
    """One drift. `field` is empty where the whole resource is missing. `outcome` is None where nothing was tried yet:
    the plan would correct it.
    """

    address: Address
    field: str
    key: Any
    want: Any
    have: Any
    outcome: Outcome | None
    message: str = ""


@dataclass(frozen=True)
class Report:
    """Everything a door may want to tell of one run; `seconds` of wall time, `reads` and `writes` counted calls.

    `ids` are the AWS ids of what was seen, by address; `vpc_id` is the VPC's (empty: there is none).
    """

    document: Document
    policy: Policy
    started: datetime
    seconds: float
    wrote: bool
    plan: Plan
    gate: Gate
    lines: tuple[Line, ...]
    attempts: tuple[Attempt, ...]
    findings: tuple[Finding, ...]
    tolerated: tuple[tuple[Difference, DocumentException], ...]
    unmanaged: tuple[Unmanaged, ...]
    reads: int
    writes: int
    vpc_id: str = ""
    ids: Mapping[Address, str] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> int:
        told = [line.outcome for line in self.lines] + [one.outcome for one in self.findings]
        return told.count(outcome)

    @property
    def in_sync(self) -> bool:
        """Nothing differs, or nothing does any more, and nothing is left for a person."""
        good = {Outcome.IN_SYNC, Outcome.CORRECTED}
        return all(line.outcome in good for line in self.lines) and all(one.outcome in good for one in self.findings)

    @property
    def failed(self) -> bool:
        return bool(self.count(Outcome.FAILED))


@dataclass(frozen=True)
class RunTrace:
    """What happened in a run: the look it began with, what the gate held of it, what was tried, and the last look (the
    first one where nothing was written).
    """

    first: Observation
    gate: Gate
    attempts: tuple[Attempt, ...]
    last: Observation
    wrote: bool


@dataclass(frozen=True)
class RunCost:
    """What a run cost: wall time in seconds since `started`, and counted calls."""

    started: datetime
    seconds: float
    reads: int
    writes: int


def judge(document: Document, policy: Policy, course: RunTrace, meter: RunCost) -> Report:
    """The report of a run. A drift is `corrected` when the last look no longer shows it, whatever the answers were."""
    first, last = course.first, course.last
    unseen = last.snapshot.unreadable.keys() | last.snapshot.ambiguous.keys()
    left = {_identity(one): (one, why) for one, why in _left(course, unseen)}
    remaining = {_identity(one): one for one in _drifts(last.plan.changes) if _identity(one) not in left}
    lines = [_line(one, Outcome.HELD, why) for one, why in left.values() if last.plan.covers(one.address)]
    for one in _drifts(first.plan.changes):
        still = remaining.pop(_identity(one), None)
        if _identity(one) in left:
            continue
        if last is not first and one.address in unseen:
            lines.append(
                _line(one, Outcome.WAITING, "whether it is corrected could not be seen: the next run looks again")
            )
        elif last is not first and still is None:
            lines.append(_line(one, Outcome.CORRECTED))
        else:
            lines.append(_open(still or one, course))
    for one in remaining.values():
        fate = _open(one, course)
        late = _line(one, Outcome.WAITING, "it appeared during the run: the next run looks at it")
        lines.append(fate if fate.outcome else late)
    findings = tuple(_findings(course, lines))
    ids = _ids(first.snapshot) | _ids(last.snapshot)
    return Report(
        document=document,
        policy=policy,
        started=meter.started,
        seconds=meter.seconds,
        wrote=course.wrote,
        plan=first.plan,
        gate=course.gate,
        lines=tuple(lines),
        attempts=course.attempts,
        findings=findings,
        tolerated=last.covered,
        unmanaged=last.snapshot.unmanaged,
        reads=meter.reads,
        writes=meter.writes,
        vpc_id=ids.get(document.vpc, document.scope.vpc_id or ""),
        ids={address: aws_id for address, aws_id in ids.items() if address in document.resources},
    )


def _left(course: RunTrace, unseen: Iterable[Address]) -> Iterable[Left]:
    """What is left alone, as the last look shows it; the first look where the last one could not see."""
    if course.last is not course.first:
        yield from (one for one in course.first.aside.left if one[0].address in unseen)
    yield from course.last.aside.left


def _ids(snapshot: Snapshot) -> dict[Address, str]:
    return {ref.to: aws_id for ref, aws_id in snapshot.handles.items() if not ref.handle}


def _findings(course: RunTrace, lines: Iterable[Line]) -> Iterable[Finding]:
    """What a person should know beyond the drifts, as far as the run was to go."""
    snapshot, plan, gate = course.last.snapshot, course.last.plan, course.gate
    told = {(line.address, line.field) for line in lines}
    held = {line.address for line in lines if line.outcome is Outcome.HELD}
    for address, why in snapshot.unreadable.items():
        if plan.covers(address):
            yield Finding(address, Outcome.FAILED, f"it could not be looked at: {why}")
    for address, why in snapshot.ambiguous.items():
        if plan.covers(address):
            yield Finding(address, Outcome.BLOCKED, why)
    for one in plan.findings:
        if (one.address, one.field) not in told and (one.address, "") not in told:
            yield one
    for one in gate.findings:
        if plan.covers(one.address) and not (one.outcome is Outcome.HELD and one.address in held):
            yield one


def _drifts(changes: Iterable[Change]) -> Iterable[Difference]:
    for change in changes:
        if change.have is None:
            yield Difference(change.address, "", None, change.want, ABSENT)
        else:
            yield from change.differences


def _identity(one: Difference) -> tuple[Address, str, Any]:
    return one.address, one.field, one.key


def _line(one: Difference, outcome: Outcome | None, message: str = "") -> Line:
    return Line(one.address, one.field, one.key, one.want, one.have, outcome, message)


_FATES = {
    Ended.HELD: Outcome.HELD,
    Ended.FAILED: Outcome.FAILED,
    Ended.UNKNOWN: Outcome.WAITING,
    Ended.WAITING: Outcome.WAITING,
    Ended.STALE: Outcome.WAITING,
    Ended.SKIPPED: Outcome.WAITING,
}
_WORST = (Ended.FAILED, Ended.HELD, Ended.WAITING, Ended.UNKNOWN, Ended.STALE, Ended.SKIPPED)


def _open(one: Difference, course: RunTrace) -> Line:
    """A drift that is still there: what the planner, AWS or the gate had to say to it."""
    plan, held = course.last.plan, course.gate.held
    last_tries: dict[str, Attempt] = {}
    for attempt in course.attempts:
        # A later round bars what AWS refused in an earlier one: how it ended is then what AWS said.
        if is_about(attempt.action, one) and (
            attempt.ended not in {Ended.HELD, Ended.SKIPPED} or signature(attempt.action) not in last_tries
        ):
            last_tries[signature(attempt.action)] = attempt
    tried = {attempt.ended: attempt for attempt in last_tries.values()}
    for finding in plan.findings:
        if finding.address == one.address and finding.field in {one.field, ""} and finding.key in {one.key, None}:
            if finding.outcome is Outcome.WAITING and Ended.HELD in tried:
                break  # it waits only for what this run began beside it, and would be held again after that
            return _line(one, finding.outcome, finding.message)
    for ended in _WORST:
        if ended in tried:
            return _line(one, _FATES[ended], tried[ended].message)
    if tried:
        return _line(one, Outcome.WAITING, "AWS took the call and still shows the old value: the next run looks again")
    if course.wrote:
        return _line(one, Outcome.WAITING, "nothing was tried: the next run looks at it")
    barriers = [held[index] for index, action in enumerate(plan.actions) if index in held and is_about(action, one)]
    return _line(one, Outcome.HELD, barriers[0]) if barriers else _line(one, None)


def is_about(action: Action, one: Difference | Line) -> bool:
    """Whether an action is about a drift, at the grain of its field."""
    return (one.address, one.field) in action.resolves or (not one.field and action.address == one.address)
