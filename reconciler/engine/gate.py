"""Which actions of a plan may be carried out now: policy, holds, blast radius. Pure; `run.py` calls it for every plan.

Only the deployment's `Policy` decides how much may be changed: no document can allow more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.members import members
from reconciler.engine.judged import Judged
from reconciler.engine.order import RELEASE
from reconciler.engine.plan import Plan
from reconciler.engine.witness import touching
from reconciler.kinds import REGISTRY, live_network
from reconciler.model import (
    DOCUMENT_TAG,
    HOLD_TAG,
    NAME_TAG,
    Action,
    Cause,
    Finding,
    Outcome,
    Phase,
    Policy,
    Reason,
    Risk,
    Snapshot,
)
from reconciler.model.guard import Stage, about
from reconciler.model.times import iso_minute
from reconciler.reach.steps import Breach, Steps

LEAST_LIMIT = 20
"""How many live members any run may remove or replace; for a larger document, the limit is a quarter of its members."""


@dataclass(frozen=True)
class Gate:
    """`held[i]` says why the i-th action of the plan must not be carried out, `plan_held` why none may be.
    `deferred[i]` says why the caller leaves it to another run, which is not a decision to keep the live state. The
    findings are the hold tags, valid and invalid, and the `suspects`: the resources whose identity has changed, with
    the cause. `tagged` are the resources with a hold that has not ended; `unseen` could not be read, and may have one.
    `wanted` are the actions that would lead to the document, if the plan has only some of them. `ends` says until when
    each valid hold lasts.
    """

    held: Mapping[int, Cause]
    deferred: Mapping[int, Cause]
    plan_held: Cause | None
    findings: tuple[Finding, ...]
    tagged: frozenset[Address] = frozenset()
    unseen: frozenset[Address] = frozenset()
    suspects: Mapping[Address, Cause] = field(default_factory=dict)
    wanted: tuple[Action, ...] = ()
    ends: Mapping[Address, datetime] = field(default_factory=dict)

    def steps(self, plan: Plan, snapshot: Snapshot) -> Judged:
        """The network while the rest of the plan is applied. Where somebody wants the live state to stay, it counts as
        declared. What is suppressed does not come for now; what waits for another reason still does, so that nothing is
        cut that it would keep.
        """
        intended = {plan.actions[index].address for index, cause in self.held.items() if cause.reason in INTENDED}
        wanted = [one for one in self.wanted or plan.actions if one.address not in intended]
        out = {index for index, cause in self.held.items() if cause.reason in INTENDED | _SUPPRESSED}
        coming = [one for index, one in enumerate(plan.actions) if index not in out]
        return Judged(lambda these: Steps(lambda: live_network(snapshot), these, coming, plan.forbids), wanted)


INTENDED = frozenset({Reason.REPORT_ONLY, Reason.HOLD_TAG})
_SUPPRESSED = frozenset({Reason.FLAPPING, Reason.NOT_CARRIED_OUT, Reason.SUPPRESSED})


class Gated(Protocol):
    """What has a gate, such as a report."""

    @property
    def gate(self) -> Gate: ...


def seen_holds(report: Gated, since: Mapping[Address, datetime], now: datetime) -> dict[Address, datetime]:
    """Since when each hold has been seen, from the memory (`since`) and what the run saw. A hold that has ended or was
    removed is forgotten; those of resources that could not be read are kept.
    """
    gate = report.gate
    return {at: since.get(at, now) for at in sorted(gate.tagged | (gate.unseen & since.keys()))}


@dataclass(frozen=True)
class Limits:
    """What the caller knows that the plan does not show.

    `deferred` says why an action is left to another run (None: it is not). `guard` says why one is held because of a
    suppression (`suppression.py`), and `wanted` are the actions of the plan without it, if there is one. `held_since`
    says since when a hold has been seen: renewing a hold every day does not make it last longer. `changed` are the
    addresses that no action may touch, because something else was found there than before (`witness.py`). `plan_held`
    says why the whole plan is held, besides the blast-radius limits, and `frozen` why every action is, whoever releases
    the plan. `further`: it is a further round of a run, whose plan no person has seen, so that no unsafe call is
    released.
    """

    deferred: Callable[[Action], Cause | None] = lambda action: None
    guard: Callable[[Action], Cause | None] = lambda action: None
    held_since: Mapping[Address, datetime] = field(default_factory=dict)
    changed: Mapping[Address, Cause] = field(default_factory=dict)
    wanted: tuple[Action, ...] = ()
    plan_held: Cause | None = None
    frozen: Cause | None = None
    further: bool = False


NO_LIMITS = Limits()


def gate(
    plan: Plan,
    document: Document,
    snapshot: Snapshot,
    policy: Policy,
    now: datetime,
    *,
    approved: str = "",
    limits: Limits = NO_LIMITS,
) -> Gate:
    """What is held, and why. `approved` is the fingerprint that a person released: it lifts only the blast-radius
    limits, and lets the calls of the plan be made that have no safe order.
    """
    lost = tuple(_lost_sections(document, snapshot))
    released = approved == plan.fingerprint
    plan_held = None if released or limits.frozen else limits.plan_held or _too_much(plan, lost, document, policy)
    unsafe = {} if released and not limits.further else plan.unsafe
    holds, findings, tagged = _holds(snapshot, policy, now, limits.held_since)
    unadopted = {} if policy.adopt else dict(_unadopted(document, snapshot))
    deferred = {i: cause for i, action in enumerate(plan.actions) if (cause := limits.deferred(action))}
    held: dict[int, Cause] = {}
    for index, action in enumerate(plan.actions):
        with about(action.address, Stage.HOLDING):
            cause = limits.frozen or _barrier(action, document, policy, holds, limits.changed)
            cause = cause or unadopted.get(action.address)
            cause = cause or plan_held or limits.guard(action)
        cause = cause or unsafe.get(index)
        if cause and (index not in deferred or cause.reason in INTENDED):
            held[index] = cause
            deferred.pop(index, None)
    own = Gate(held, deferred, plan_held, (), wanted=limits.wanted)
    held, unjudged = _with_dependencies(plan, own, document, snapshot)
    unseen = frozenset(snapshot.unreadable) | frozenset(snapshot.ambiguous)
    suspects = {at: cause for at, cause in limits.changed.items() if at in document.resources}
    changed = (Finding(at, Outcome.HELD, cause) for at, cause in suspects.items())
    return Gate(
        held,
        deferred,
        plan_held,
        (*lost, *changed, *unjudged, *findings),
        tagged,
        unseen,
        suspects,
        limits.wanted,
        holds,
    )


def _with_dependencies(
    plan: Plan, gate: Gate, document: Document, snapshot: Snapshot
) -> tuple[dict[int, Cause], tuple[Finding, ...]]:
    """What is held, also because of what is held or deferred: what needs it, what removes where something would be
    created, and what would break a rule of `reach/steps.py` without it. And what could not be judged.
    """
    held = dict(gate.held)
    if (not held or held == plan.unsafe) and not gate.deferred and not gate.wanted:
        return held, ()  # what comes before the calls without a safe order was judged with them
    coming = _coming(plan, held.keys() | gate.deferred.keys())
    steps = gate.steps(plan, snapshot) if coming else None
    not_created: set[Address] = set()
    for index, action in enumerate(plan.actions):
        if index in gate.deferred:
            continue
        cause = held.get(index)
        if not cause and (before := sorted(plan.needs[index] & held.keys())):
            cause = Cause(Reason.DEPENDENCY, f"it depends on an action that is held: {plan.actions[before[0]].why}")
        if not cause and action.needs_what_is_created and action.address in not_created:
            cause = Cause(Reason.DEPENDENCY, "nothing is removed where something to be created is held")
        breach = steps.breach(action) if not cause and steps and index in coming else None
        if breach:
            left_out = [one for one in gate.wanted or plan.actions if one.effect and one not in coming.values()]
            cause = breach.cause(_unless(breach, left_out))
        if cause:
            held[index] = cause
            not_created |= {action.address} if action.operation.phase <= Phase.BIND else set()
        elif steps and index in coming:
            steps.advance(action)
    return held, tuple(steps.findings(document.vpc)) if steps else ()


def _coming(plan: Plan, out: Iterable[int]) -> dict[int, Action]:
    """The actions of the plan without these, and without what `apply` skips because of them."""
    missing, not_created = set(out), set[Address]()
    for index, action in enumerate(plan.actions):
        removes = action.needs_what_is_created and action.address in not_created
        if index not in missing and (removes or plan.needs[index] & missing):
            missing.add(index)
        if index in missing and action.operation.phase <= Phase.BIND:
            not_created.add(action.address)
    return {index: one for index, one in enumerate(plan.actions) if index not in missing}


def _unless(breach: Breach, left_out: Iterable[Action]) -> str:
    """What is not done that would make the call safe, as far as can be told: rather something at the same machine."""
    near = min(left_out, key=lambda one: one.address != breach.machine, default=None)
    return f", as long as this is not done at {near.address}: {near.why}" if near else ""


def _barrier(
    action: Action,
    document: Document,
    policy: Policy,
    holds: Mapping[Address, datetime],
    changed: Mapping[Address, Cause],
) -> Cause | None:
    """Why this action is held by itself, whatever else is in the plan; None if it is not."""
    if policy.mode == "report":
        return Cause(Reason.REPORT_ONLY, "this deployment only reports: SETPOINT_MODE is report")
    touched = sorted({action.address} | {address for address, _ in action.resolves})
    for address in touched:
        if address in document.resources and document.resources[address].enforcement == "report":
            return Cause(Reason.REPORT_ONLY, f"the document sets enforcement to report for {address}")
    if cause := touching(action, changed, document.vpc):
        return cause
    if until := next((holds[address] for address in touched if address in holds), None):
        return Cause(Reason.HOLD_TAG, f"a {HOLD_TAG} tag holds it until {iso_minute(until)}")
    if action.risk is Risk.DOWNTIME and policy.downtime == "never":
        hint = "allow it with SETPOINT_DOWNTIME=window (in the maintenance window) or =now"
        return Cause(Reason.DOWNTIME, f"it costs downtime: {hint}")
    return None


def _unadopted(document: Document, snapshot: Snapshot) -> Iterator[tuple[Address, Cause]]:
    """Why each live resource may not be changed that lacks our tag, where only the tag allows a change."""
    for address, seen in snapshot.resources.items():
        if REGISTRY[address.kind].changed_by_tag and DOCUMENT_TAG not in (seen.spec.tags or {}):
            tags = f"{DOCUMENT_TAG}={document.name} and {NAME_TAG}={address.name}"
            message = f"it does not carry the tag {DOCUMENT_TAG}, and this deployment adopts nothing (SETPOINT_ADOPT)"
            message += f": set the stack's parameter Adopt to true until it is adopted, or give it the tags {tags}"
            yield address, Cause(Reason.NOT_ADOPTED, message)


def owned_members(document: Document) -> int:
    """How many members a document manages: resources, and their rules, entries, routes, associations and groups."""
    inside = sum(
        len(list(members(getattr(resource, name))))
        for resource in document.resources.values()
        for name in resource.described()
        if name != "tags"
    )
    return len(document.resources) + inside


def _too_much(plan: Plan, lost: Iterable[Finding], document: Document, policy: Policy) -> Cause | None:
    """Why nothing may be written before a person has reviewed the plan; None if there is no such reason."""
    limit = policy.max_breaks if policy.max_breaks is not None else max(LEAST_LIMIT, owned_members(document) // 4)
    breaks = sum(action.breaks for index, action in enumerate(plan.actions) if index not in plan.unsafe)
    if breaks > limit:
        message = f"the plan removes or replaces {breaks} live members, and the limit of one run is {limit}: {RELEASE}"
        return Cause(Reason.PLAN_HELD, message)
    messages = (f"{one.address}: {one.cause.message}; until then {RELEASE}" for one in lost)
    return next((Cause(Reason.PLAN_HELD, message) for message in messages), None)


def _lost_sections(document: Document, snapshot: Snapshot) -> Iterator[Finding]:
    """A finding for every kind with live resources of this document that the document no longer has a section for."""
    declared = {address.kind for address in document.resources}
    owned = sorted((one.address.kind, one.id) for one in snapshot.unmanaged if one.owned)
    for kind in sorted({kind for kind, _ in owned} - declared):
        ids = ", ".join(aws_id for owner, aws_id in owned if owner == kind)
        message = f"the document no longer has this section, but these resources have its tag: {ids}"
        hint = "restore the section, or remove the tag setpoint:document from them"
        yield Finding(Address.of(kind, "*"), Outcome.HELD, Cause(Reason.SECTION_LOST, f"{message}: {hint}"))


def _holds(
    snapshot: Snapshot, policy: Policy, now: datetime, since: Mapping[Address, datetime]
) -> tuple[dict[Address, datetime], tuple[Finding, ...], frozenset[Address]]:
    """The valid holds, by address; a finding for each hold, valid or not; the resources whose hold has not ended."""
    holds: dict[Address, datetime] = {}
    findings: list[Finding] = []
    tagged: set[Address] = set()
    longest = timedelta(hours=policy.max_hold_hours)
    for address, observed in snapshot.resources.items():
        tags = observed.spec.tags
        if not tags or HOLD_TAG not in tags:
            continue
        text = tags[HOLD_TAG]
        with about(address, Stage.HOLDING, "tags"):
            until, problem = _hold(text, now + longest)
        tagged |= {address} if until and until > now else set()
        last = since.get(address, now) + longest
        if until and not problem and until > now >= last:
            problem = f"it has been held since {iso_minute(since[address])}, longer than this deployment allows"
        if problem or not until:
            message = f"its tag {HOLD_TAG}={text!r} has no effect: {problem}"
            # A date that is moved on every day is no other problem each time; another unreadable text is.
            cause = Cause(Reason.INVALID_HOLD_TAG, message, "" if until else text)
            findings.append(Finding(address, Outcome.BLOCKED, cause, "tags", HOLD_TAG))
        elif until > now:
            holds[address] = min(until, last)
            cause = Cause(Reason.HOLD_TAG, f"a {HOLD_TAG} tag holds it until {iso_minute(holds[address])}")
            findings.append(Finding(address, Outcome.HELD, cause, "tags", HOLD_TAG))
    return holds, tuple(findings), frozenset(tagged)


def _hold(text: str, furthest: datetime) -> tuple[datetime | None, str]:
    """The end of a hold in UTC, and why it is invalid (empty: it is valid)."""
    try:
        written = datetime.fromisoformat(text)
        until = written.astimezone(UTC) if written.tzinfo else None
    except (ValueError, OverflowError):  # in UTC the first and last day of the calendar may be out of range
        return None, f"it is not a time; write one such as {furthest:%Y-%m-%dT%H:%M:%SZ}"
    if until is None:
        return None, "it has no time zone; add Z for UTC"
    if until > furthest:
        return until, f"it is after {iso_minute(furthest)}, the latest that this deployment allows"
    return until, ""
