"""The result of a run: every drift with how it ended, by comparing the look before with the look after. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from reconciler.engine.diff import untagged
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan, not_ready, signature
from reconciler.engine.suppression import Suppressed, Suppression
from reconciler.engine.witness import sealed
from reconciler.engine.written import created, passed_on
from reconciler.model import (
    Action,
    ActionResult,
    Cause,
    Change,
    Difference,
    Ended,
    Finding,
    Found,
    Outcome,
    Policy,
    Reason,
    Snapshot,
    Unmanaged,
)

if TYPE_CHECKING:
    from reconciler.engine.consequences import Consequence, Identity
    from reconciler.engine.intents import JudgedIntents
    from reconciler.reach.compare import FlowChange


@dataclass(frozen=True)
class Observation:
    """One look and what follows from it. `excepted` are the differences covered by an exception of the document."""

    snapshot: Snapshot
    plan: Plan
    excepted: tuple[tuple[Difference, DocumentException], ...]
    suppression: Suppression = field(default_factory=Suppression)


@dataclass(frozen=True)
class Drift:
    """A difference and its outcome, which is None if nothing was tried yet: the plan would correct it.

    `consequence` is what it means from end to end, as far as that was judged.
    """

    difference: Difference
    outcome: Outcome | None
    cause: Cause | None = None
    consequence: Consequence | None = None

    @property
    def address(self) -> Address:
        return self.difference.address

    @property
    def field(self) -> str:
        return self.difference.field

    @property
    def message(self) -> str:
        return self.cause.message if self.cause else ""


class Orphaned(NamedTuple):
    """An action that corrects no declared resource: it deletes an owned one that is no longer declared, or cleans up
    after an interrupted run. `outcome` is None if nothing was tried yet.
    """

    action: Action
    outcome: Outcome | None
    cause: Cause | None

    @property
    def message(self) -> str:
        return self.cause.message if self.cause else ""


class PendingChange(NamedTuple):
    """A change that AWS has accepted and not applied yet: what is in force, and what will be."""

    address: Address
    field: str
    now: Any
    accepted: Any


@dataclass(frozen=True)
class Report:
    """Everything about one run; `seconds` of wall time, `reads` and `writes` in calls.

    `ids` are the AWS ids of what was seen, by address; `vpc_id` is the VPC's (empty: there is none). `resource_ids` are
    the ids that AWS never gives to another resource, from the first look, or from the last one if this run `created`
    it; what it created may also be not visible yet. `associations` are the ids of what associates subnets with tables
    and ACLs, and the main table with the VPC, from the first look, `associations_after` from the last one. `found_by`
    says by what each was found. `untagged` are the
    addresses without this document's tags where these are not set: in mode report, and where the document says so;
    `tagless` are those whose tags AWS does not show. `release` is the fingerprint by which a person releases in the
    next run what this one held. `intents` is None if the document has none. `pending` is from the last look. `beneath`
    is what stands open at the resources of which it is not clear whose they are (`beneath.py`). `first` and `last` are
    the looks themselves, for what tells of the whole network (`report/network.py`); `last` is None after a single look.
    """

    document: Document
    policy: Policy
    started: datetime
    seconds: float
    wrote: bool
    plan: Plan
    gate: Gate
    drifts: tuple[Drift, ...]
    action_results: tuple[ActionResult, ...]
    findings: tuple[Finding, ...]
    excepted: tuple[tuple[Difference, DocumentException], ...]
    unmanaged: tuple[Unmanaged, ...]
    reads: int
    writes: int
    vpc_id: str = ""
    ids: Mapping[Address, str] = field(default_factory=dict)
    resource_ids: Mapping[Address, str] = field(default_factory=dict)
    created: frozenset[Address] = frozenset()
    found_by: Mapping[Address, Found] = field(default_factory=dict)
    untagged: tuple[Address, ...] = ()
    tagless: tuple[Address, ...] = ()
    release: str = ""
    intents: JudgedIntents | None = None
    openings: tuple[FlowChange, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)
    associations_after: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[PendingChange, ...] = ()
    beneath: Mapping[Address, tuple[Difference, ...]] = field(default_factory=dict)
    first: Snapshot | None = field(default=None, repr=False)
    last: Snapshot | None = field(default=None, repr=False)

    def count(self, outcome: Outcome | None) -> int:
        """How many drifts, findings and orphaned actions ended so; None: nothing was tried yet."""
        return self._outcomes().count(outcome)

    @property
    def in_sync(self) -> bool:
        """Whether all drift is corrected and nothing is held, waiting, blocked or failed."""
        return all(one in {Outcome.IN_SYNC, Outcome.CORRECTED} for one in self._outcomes())

    @property
    def failed(self) -> bool:
        return bool(self.count(Outcome.FAILED))

    @property
    def orphaned(self) -> tuple[Orphaned, ...]:
        """The actions at addresses without drift, each with its last outcome."""
        drifted = {drift.address for drift in self.drifts}
        found: dict[tuple[str, str], Orphaned] = {}
        for index, action in enumerate(self.plan.actions):
            if corrects_nothing(action, drifted):
                held = self.gate.held.get(index)
                found[action.address, action.why] = Orphaned(action, Outcome.HELD if held else None, held)
        for result in self.action_results:
            if corrects_nothing(result.action, drifted):
                ended = Outcome.CORRECTED if result.ended is Ended.DONE else _OUTCOMES[result.ended]
                found[result.action.address, result.action.why] = Orphaned(result.action, ended, result.cause)
        return tuple(found.values())

    def _outcomes(self) -> list[Outcome | None]:
        of_drifts = [one.outcome for one in self.drifts] + [one.outcome for one in self.orphaned]
        return [*of_drifts, *(one.outcome for one in self.findings)]


def corrects_nothing(action: Action, drifted: Collection[Address]) -> bool:
    """Whether an action only takes away what nobody declares, given the addresses of what differs."""
    return action.address not in drifted and not any(address in drifted for address, _ in action.resolves)


@dataclass(frozen=True)
class RunTrace:
    """What happened in a run: the first look, what the gate held of its plan, what was tried, and the last look (the
    first one again if nothing was written).
    """

    first: Observation
    gate: Gate
    action_results: tuple[ActionResult, ...]
    last: Observation
    wrote: bool


@dataclass(frozen=True)
class RunCost:
    """What a run cost: wall time in seconds since `started`, and calls."""

    started: datetime
    seconds: float
    reads: int
    writes: int


def judge(
    document: Document,
    policy: Policy,
    trace: RunTrace,
    cost: RunCost,
    intents: JudgedIntents | Finding | None = None,
    consequences: Mapping[Identity, Consequence] = MappingProxyType({}),
) -> Report:
    """The report of a run. A drift is `corrected` if the last look no longer shows it, whatever the answers were."""
    drifts = tuple(replace(one, consequence=consequences.get(one.difference.identity)) for one in _drifts(trace))
    anew = created(document, trace.action_results) - trace.first.snapshot.resources.keys()
    ids = _ids(trace.first.snapshot) | _ids(trace.last.snapshot)
    return Report(
        document=document,
        policy=policy,
        started=cost.started,
        seconds=cost.seconds,
        wrote=trace.wrote,
        plan=trace.first.plan,
        gate=trace.gate,
        drifts=drifts,
        action_results=trace.action_results,
        findings=(*_findings(trace, drifts), *_of_intents(intents)),
        excepted=trace.last.excepted,
        unmanaged=trace.last.snapshot.unmanaged,
        reads=cost.reads,
        writes=cost.writes,
        vpc_id=ids.get(document.vpc, document.scope.vpc_id or ""),
        ids={address: aws_id for address, aws_id in ids.items() if address in document.resources},
        resource_ids={at: one for at, one in _lasting_ids(trace.last.snapshot).items() if at in anew}
        | _lasting_ids(trace.first.snapshot),
        associations=_associations(trace.first.snapshot),
        associations_after=_associations(trace.last.snapshot),
        created=anew,
        found_by={**trace.last.snapshot.found_by, **trace.first.snapshot.found_by},
        untagged=tuple(untagged(document, policy, trace.last.snapshot)),
        tagless=tuple(at for at, seen in trace.first.snapshot.resources.items() if seen.spec.tags is None),
        release=_release(trace),
        intents=None if isinstance(intents, Finding) else intents,
        pending=tuple(_pending(trace.last.snapshot)),
        first=trace.first.snapshot,
        last=None if trace.last is trace.first else trace.last.snapshot,
    )


def _of_intents(intents: JudgedIntents | Finding | None) -> tuple[Finding, ...]:
    if isinstance(intents, Finding):
        return (intents,)
    return intents.findings if intents else ()


def _pending(snapshot: Snapshot) -> Iterator[PendingChange]:
    for address, seen in snapshot.resources.items():
        for name, now in seen.in_force.items():
            yield PendingChange(address, name, now, getattr(seen.spec, name))


def _release(trace: RunTrace) -> str:
    first, last = trace.first.plan.fingerprint, trace.last.plan.fingerprint
    return first if trace.last is trace.first else sealed(last, trace.gate.suspects)


def _lasting_ids(snapshot: Snapshot) -> dict[Address, str]:
    return {address: seen.lasting_id for address, seen in snapshot.resources.items()}


def _drifts(trace: RunTrace) -> Iterator[Drift]:
    """Every difference of the first or the last look, with its outcome: suppressed ones first, new ones last."""
    first, last = trace.first, trace.last
    unseen = last.snapshot.unreadable.keys() | last.snapshot.ambiguous.keys()
    suppressed = {one.identity: (one, cause) for one, cause in _suppressed(trace, unseen)}
    remaining = {one.identity: one for one in _differences(last.plan.changes) if one.identity not in suppressed}
    for one, cause in suppressed.values():
        if last.plan.covers(one.address):
            yield Drift(one, Outcome.HELD, cause)
    for one in _differences(first.plan.changes):
        still = remaining.pop(one.identity, None)
        if one.identity in suppressed:
            continue
        if last is not first and one.address in unseen:
            yield Drift(one, Outcome.WAITING, _UNVERIFIED)
        elif last is not first and still is None:
            yield _gone(one, last.snapshot)
        else:
            yield _remaining(still or one, trace)
    for one in remaining.values():
        drift = _remaining(one, trace)
        yield drift if drift.outcome else Drift(one, Outcome.WAITING, _APPEARED)


_UNVERIFIED = Cause(Reason.UNVERIFIED, "whether it was corrected could not be verified: the next run looks again")
_APPEARED = Cause(Reason.APPEARED, "it appeared during the run: the next run corrects it")
_NOT_ATTEMPTED = Cause(Reason.NOT_ATTEMPTED, "nothing was tried: the next run looks again")
_ACCEPTED = Cause(Reason.ACCEPTED, "AWS accepted it, and it is not in force yet")
_NOT_VISIBLE_YET = Cause(
    Reason.NOT_VISIBLE_YET, "AWS accepted the call but still shows the old value: the next run looks again"
)


def _gone(one: Difference, snapshot: Snapshot) -> Drift:
    """A difference that the last look no longer shows. What AWS is still creating is not corrected yet."""
    seen = snapshot.resources.get(one.address)
    if not one.field and seen and seen.creating:
        return Drift(one, Outcome.WAITING, not_ready(seen))
    return Drift(one, Outcome.CORRECTED, _ACCEPTED if seen and one.field in seen.in_force else None)


def _suppressed(trace: RunTrace, unseen: Iterable[Address]) -> Iterator[Suppressed]:
    """What is suppressed, from the last look, or from the first look if the last one could not read it."""
    if trace.last is not trace.first:
        yield from (one for one in trace.first.suppression.suppressed if one[0].address in unseen)
    yield from trace.last.suppression.suppressed


def _associations(snapshot: Snapshot) -> dict[str, str]:
    """`<address> <handle>` -> id: AWS's calls that move or end an association name nothing else."""
    return {
        f"{ref.to} {ref.handle}": aws_id
        for ref, aws_id in snapshot.handles.items()
        if ref.handle.endswith("association")
    }


def _ids(snapshot: Snapshot) -> dict[Address, str]:
    return {ref.to: aws_id for ref, aws_id in snapshot.handles.items() if not ref.handle}


def _findings(trace: RunTrace, drifts: Iterable[Drift]) -> Iterator[Finding]:
    """What a person should know beyond the drifts, at the addresses of the plan."""
    snapshot, plan, gate = trace.last.snapshot, trace.last.plan, trace.gate
    reported = {(drift.address, drift.field) for drift in drifts if drift.field or drift.outcome}
    held = {drift.address for drift in drifts if drift.outcome is Outcome.HELD}
    for address, cause in snapshot.unreadable.items():
        if plan.covers(address):
            fault = cause.reason is Reason.FAULT
            unread = Cause(Reason.UNREADABLE, f"it could not be read: {cause}", cause.code)
            yield Finding(address, Outcome.FAILED, cause if fault else unread)
    for address, cause in snapshot.ambiguous.items():
        if plan.covers(address):
            yield Finding(address, Outcome.BLOCKED, cause)
    for one in plan.findings:
        if (one.address, one.field) not in reported and (one.address, "") not in reported:
            yield one
    for one in gate.findings:
        told = one.outcome is Outcome.HELD and one.address in held and one.cause.reason is Reason.HOLD_TAG
        if plan.covers(one.address) and not told:
            yield one
    yield from passed_on(trace.first.snapshot, trace.last.snapshot, trace.action_results)


def _differences(changes: Iterable[Change]) -> Iterator[Difference]:
    for change in changes:
        if change.have is None:
            yield change.missing
        else:
            yield from change.differences


_OUTCOMES = {
    Ended.HELD: Outcome.HELD,
    Ended.FAILED: Outcome.FAILED,
    Ended.UNKNOWN: Outcome.WAITING,
    Ended.WAITING: Outcome.WAITING,
    Ended.STALE: Outcome.WAITING,
    Ended.SKIPPED: Outcome.WAITING,
}
_MOST_SEVERE_FIRST = (Ended.FAILED, Ended.HELD, Ended.WAITING, Ended.UNKNOWN, Ended.STALE, Ended.SKIPPED)


def _remaining(one: Difference, trace: RunTrace) -> Drift:
    """A difference that is still there, with the cause from the planner, from AWS or from the gate."""
    plan, held = trace.last.plan, trace.gate.held
    last_tries: dict[str, ActionResult] = {}
    for result in trace.action_results:
        # A later round defers what AWS refused in an earlier one: then the answer of AWS counts.
        if is_about(result.action, one) and (
            result.ended not in {Ended.HELD, Ended.SKIPPED} or signature(result.action) not in last_tries
        ):
            last_tries[signature(result.action)] = result
    tried = {result.ended: result for result in last_tries.values()}
    for finding in plan.findings:
        if finding.address == one.address and finding.field in {one.field, ""} and finding.key in {one.key, None}:
            if finding.outcome is Outcome.WAITING and tried.keys() & {Ended.HELD, Ended.FAILED}:
                break  # it waits for another call of this run, and would be held or refused again after that
            return Drift(one, finding.outcome, finding.cause)
    for ended in _MOST_SEVERE_FIRST:
        if ended in tried:
            return Drift(one, _OUTCOMES[ended], tried[ended].cause)
    if tried:
        return Drift(one, Outcome.WAITING, _NOT_VISIBLE_YET)
    if trace.wrote:
        return Drift(one, Outcome.WAITING, _NOT_ATTEMPTED)
    causes = [held[index] for index, action in enumerate(plan.actions) if index in held and is_about(action, one)]
    return Drift(one, Outcome.HELD, causes[0]) if causes else Drift(one, None)


def is_about(action: Action, one: Difference) -> bool:
    """Whether an action is about the field of a difference, or creates its resource."""
    return (one.address, one.field) in action.resolves or (not one.field and action.address == one.address)
