"""What of a plan may be done now: policy, holds, blast radius. Pure; `run.py` asks it before every write.

Nothing here looks at AWS or at a document's wishes for more power: how far the tool goes is the deployment's `Policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.members import members
from reconciler.engine.plan import Plan
from reconciler.model import HOLD_TAG, Action, Cause, Finding, Outcome, Phase, Policy, Reason, Risk, Snapshot

LEAST_LIMIT = 20
"""Breaks that any run may make; a larger document may have a quarter of its members broken."""


@dataclass(frozen=True)
class Gate:
    """`held[i]` says why the i-th action of the plan must not be done; `plan_held` why no action may be. `deferred[i]`
    says why the caller leaves it to another run, which is no decision to keep things as they are. Findings are the
    holds, valid and invalid. `tagged` are the resources with a hold that has not ended, `unseen` those that may have one.
    """

    held: Mapping[int, Cause]
    deferred: Mapping[int, Cause]
    plan_held: Cause | None
    findings: tuple[Finding, ...]
    tagged: frozenset[Address] = frozenset()
    unseen: frozenset[Address] = frozenset()


class Gated(Protocol):
    """What holds a gate's judgement, such as a report."""

    @property
    def gate(self) -> Gate: ...


def seen_holds(report: Gated, since: Mapping[Address, datetime], now: datetime) -> dict[Address, datetime]:
    """Since when each resource with a hold has been seen with it, out of what is remembered (`since`) and what the run
    saw. A hold that is over or gone is forgotten; of what could not be seen everything is remembered.
    """
    gate = report.gate
    return {at: since.get(at, now) for at in sorted(gate.tagged | (gate.unseen & since.keys()))}


@dataclass(frozen=True)
class Limits:
    """What the caller knows that the plan does not show.

    `deferred` says why an action is left to another run (None: it is not). `guard` says why one is held for the sake of
    what is left alone (`aside.py`); it is asked last, so that what it lets go is done. `held_since` says since when a
    hold has been seen: one that is written anew every day counts no longer than one that is written once.
    """

    deferred: Callable[[Action], Cause | None] = lambda action: None
    guard: Callable[[Action], Cause | None] = lambda action: None
    held_since: Mapping[Address, datetime] = field(default_factory=dict)


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
    """What is held, and why. `approved` is the fingerprint a person released: it lifts the blast-radius limits only."""
    lost = tuple(_lost_sections(document, snapshot))
    plan_held = None if approved == plan.fingerprint else _too_much(plan, lost, document, policy)
    holds, findings, tagged = _holds(snapshot, policy, now, limits.held_since)
    held: dict[int, Cause] = {}
    deferred: dict[int, Cause] = {}
    unmade: set[Address] = set()
    for index, action in enumerate(plan.actions):
        if cause := limits.deferred(action):
            deferred[index] = cause
            continue
        cause = _barrier(action, document, policy, holds) or plan_held
        if not cause and (before := sorted(plan.needs[index] & held.keys())):
            cause = Cause(Reason.DEPENDENCY, f"it comes after something that is held: {plan.actions[before[0]].why}")
        takes_away = action.operation.phase >= Phase.UNBIND and not action.closes
        if not cause and takes_away and action.address in unmade:
            cause = Cause(Reason.DEPENDENCY, "nothing is taken away where something that is to be created is held")
        if cause := cause or limits.guard(action):
            held[index] = cause
            unmade |= {action.address} if action.operation.phase <= Phase.BIND else set()
    unseen = frozenset(snapshot.unreadable) | frozenset(snapshot.ambiguous)
    return Gate(held, deferred, plan_held, (*lost, *findings), tagged, unseen)


def _barrier(action: Action, document: Document, policy: Policy, holds: Mapping[Address, datetime]) -> Cause | None:
    """Why this action alone is held, whatever else is in the plan; None if it is not."""
    if policy.mode == "report":
        return Cause(Reason.REPORT_ONLY, "this deployment only reports")
    touched = sorted({action.address} | {address for address, _ in action.resolves})
    for address in touched:
        if address in document.resources and document.resources[address].enforcement == "report":
            return Cause(Reason.REPORT_ONLY, f"the document says report for {address}")
    if until := next((holds[address] for address in touched if address in holds), None):
        return Cause(Reason.HOLD_TAG, f"a {HOLD_TAG} tag holds it until {until:%Y-%m-%dT%H:%MZ}")
    if action.risk is Risk.DOWNTIME and policy.downtime == "never":
        hint = "allow it with SETPOINT_DOWNTIME=window (in the maintenance window) or =now"
        return Cause(Reason.DOWNTIME, f"it costs downtime: {hint}")
    return None


def owned_members(document: Document) -> int:
    """How many things the document owns: resources, and the rules, entries, routes, associations and groups in them."""
    inside = sum(
        len(list(members(getattr(resource, name))))
        for resource in document.resources.values()
        for name in resource.described()
        if name != "tags"
    )
    return len(document.resources) + inside


_RELEASE = (
    "look at the plan, then release it: with setpoint plan --out FILE and setpoint apply --plan FILE, "
    "or by its fingerprint with approve in a manual invoke"
)


def _too_much(plan: Plan, lost: Iterable[Finding], document: Document, policy: Policy) -> Cause | None:
    """Why nothing at all may be written before a person has looked; None if there is no such reason."""
    limit = policy.max_breaks if policy.max_breaks is not None else max(LEAST_LIMIT, owned_members(document) // 4)
    if plan.breaks > limit:
        message = f"the plan takes away {plan.breaks} live members, and {limit} is the limit of one run: {_RELEASE}"
        return Cause(Reason.PLAN_HELD, message)
    messages = (f"{one.address}: {one.cause.message}; until then {_RELEASE}" for one in lost)
    return next((Cause(Reason.PLAN_HELD, message) for message in messages), None)


def _lost_sections(document: Document, snapshot: Snapshot) -> Iterator[Finding]:
    """A finding for every kind of which live resources are ours and the document has none any more."""
    declared = {address.kind for address in document.resources}
    owned = sorted((one.address.kind, one.id) for one in snapshot.unmanaged if one.owned)
    for kind in sorted({kind for kind, _ in owned} - declared):
        ids = ", ".join(aws_id for each, aws_id in owned if each == kind)
        message = f"the document has lost its whole section, yet these are ours: {ids}"
        hint = "put the section back, or take the tag setpoint:document off them"
        yield Finding(Address.of(kind, "*"), Outcome.HELD, Cause(Reason.SECTION_LOST, f"{message}: {hint}"))


def _holds(
    snapshot: Snapshot, policy: Policy, now: datetime, since: Mapping[Address, datetime]
) -> tuple[dict[Address, datetime], tuple[Finding, ...], frozenset[Address]]:
    """The holds that count, by address; a finding for each, whether it counts or not; and where one is not over."""
    holds: dict[Address, datetime] = {}
    findings: list[Finding] = []
    tagged: set[Address] = set()
    longest = timedelta(hours=policy.max_hold_hours)
    for address, observed in snapshot.resources.items():
        tags = observed.spec.tags
        if not tags or HOLD_TAG not in tags:
            continue
        text = tags[HOLD_TAG]
        until, problem = _hold(text, now + longest)
        tagged |= {address} if until and until > now else set()
        last = since.get(address, now) + longest
        if until and not problem and until > now >= last:
            problem = f"it has been held since {since[address]:%Y-%m-%dT%H:%MZ}, longer than this deployment allows"
        if problem or not until:
            message = f"its tag {HOLD_TAG}={text!r} holds nothing: {problem}"
            # A date that is moved on every day is no other problem each time; another unreadable text is.
            cause = Cause(Reason.INVALID_HOLD_TAG, message, "" if until else text)
            findings.append(Finding(address, Outcome.BLOCKED, cause, "tags", HOLD_TAG))
        elif until > now:
            holds[address] = min(until, last)
            cause = Cause(Reason.HOLD_TAG, f"a {HOLD_TAG} tag holds it until {holds[address]:%Y-%m-%dT%H:%MZ}")
            findings.append(Finding(address, Outcome.HELD, cause, "tags", HOLD_TAG))
    return holds, tuple(findings), frozenset(tagged)


def _hold(text: str, furthest: datetime) -> tuple[datetime | None, str]:
    """The end of a hold in UTC, and why it does not count (empty: it does)."""
    try:
        written = datetime.fromisoformat(text)
        until = written.astimezone(UTC) if written.tzinfo else None
    except (ValueError, OverflowError):  # in UTC the first or last day of the calendar may lie outside of it
        return None, f"that is no time; write one such as {furthest:%Y-%m-%dT%H:%M:%SZ}"
    if until is None:
        return None, "it has no time zone; add Z for UTC"
    if until > furthest:
        return until, f"it lies beyond {furthest:%Y-%m-%dT%H:%MZ}, the furthest that this deployment allows"
    return until, ""
