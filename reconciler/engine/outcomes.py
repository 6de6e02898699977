"""How every drift ended, by comparing the look before with the look after: `judge` makes the report of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.diff import untagged
from reconciler.engine.plan import not_ready, signature
from reconciler.engine.result import OUTCOMES, Drift, PendingChange, Report, RunCost, RunTrace
from reconciler.engine.suppression import Suppressed
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
    Outcome,
    Policy,
    Reason,
    Snapshot,
)

if TYPE_CHECKING:
    from reconciler.engine.consequences import Consequence, Identity
    from reconciler.engine.intents import JudgedIntents


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
            return Drift(one, OUTCOMES[ended], tried[ended].cause)
    if tried:
        return Drift(one, Outcome.WAITING, _NOT_VISIBLE_YET)
    if trace.wrote:
        return Drift(one, Outcome.WAITING, _NOT_ATTEMPTED)
    causes = [held[index] for index, action in enumerate(plan.actions) if index in held and is_about(action, one)]
    return Drift(one, Outcome.HELD, causes[0]) if causes else Drift(one, None)


def is_about(action: Action, one: Difference) -> bool:
    """Whether an action is about the field of a difference, or creates its resource."""
    return (one.address, one.field) in action.resolves or (not one.field and action.address == one.address)
