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
from reconciler.model import HOLD_TAG, Action, Finding, Outcome, Phase, Policy, Risk, Snapshot

LEAST_LIMIT = 20
"""Breaks that any run may make; a larger document may have a quarter of its members broken."""


@dataclass(frozen=True)
class Gate:
    """`held[i]` says why the i-th action of the plan is not to be done; `whole` why no action is. `left[i]` says why
    the caller leaves it for another run, which is no decision to keep things as they are. Findings are the holds, those
    that count and those that count for nothing. `tagged` carry a hold whose time is not over, `unseen` may do so.
    """

    held: Mapping[int, str]
    left: Mapping[int, str]
    whole: str
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

    `barred` says why an action is left for another run (empty: it is not). `guard` says why one is held for the sake of
    what is left alone (`aside.py`); it is asked last, so that what it lets go is done. `held_since` says since when a
    hold has been seen: one that is written anew every day counts no longer than one that is written once.
    """

    barred: Callable[[Action], str] = lambda action: ""
    guard: Callable[[Action], str] = lambda action: ""
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
    whole = "" if approved == plan.fingerprint else _too_much(plan, lost, document, policy)
    holds, findings, tagged = _holds(snapshot, policy, now, limits.held_since)
    held: dict[int, str] = {}
    left: dict[int, str] = {}
    unmade: set[Address] = set()
    for index, action in enumerate(plan.actions):
        if reason := limits.barred(action):
            left[index] = reason
            continue
        reason = _barrier(action, document, policy, holds) or whole
        if before := sorted(plan.needs[index] & held.keys()):
            reason = reason or f"it comes after something that is held: {plan.actions[before[0]].why}"
        if action.operation.phase >= Phase.UNBIND and not action.closes and action.address in unmade:
            reason = reason or "nothing is taken away where something that is to be made is held"
        reason = reason or limits.guard(action)
        if reason:
            held[index] = reason
            unmade |= {action.address} if action.operation.phase <= Phase.BIND else set()
    unseen = frozenset(snapshot.unreadable) | frozenset(snapshot.ambiguous)
    return Gate(held, left, whole, (*lost, *findings), tagged, unseen)


def _barrier(action: Action, document: Document, policy: Policy, holds: Mapping[Address, datetime]) -> str:
    """Why this action alone is held, whatever else is in the plan; empty if it is not."""
    if policy.mode == "report":
        return "this deployment only reports"
    touched = sorted({action.address} | {address for address, _ in action.resolves})
    for address in touched:
        if address in document.resources and document.resources[address].enforcement == "report":
            return f"the document says report for {address}"
    if until := next((holds[address] for address in touched if address in holds), None):
        return f"somebody holds it until {until:%Y-%m-%dT%H:%MZ}"
    if action.risk is Risk.DOWNTIME and policy.downtime == "never":
        return "it costs downtime: allow it with SETPOINT_DOWNTIME=window (in the maintenance window) or =now"
    return ""


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


def _too_much(plan: Plan, lost: Iterable[Finding], document: Document, policy: Policy) -> str:
    """Why nothing at all is to be written before a person has looked; empty if there is no such reason."""
    limit = policy.max_breaks if policy.max_breaks is not None else max(LEAST_LIMIT, owned_members(document) // 4)
    if plan.breaks > limit:
        return f"the plan takes away {plan.breaks} live members, and {limit} is the limit of one run: {_RELEASE}"
    return next((f"{one.address}: {one.message}; until then {_RELEASE}" for one in lost), "")


def _lost_sections(document: Document, snapshot: Snapshot) -> Iterator[Finding]:
    """A finding for every kind of which live resources are ours and the document has none any more."""
    declared = {address.kind for address in document.resources}
    owned = sorted((one.address.kind, one.id) for one in snapshot.unmanaged if one.owned)
    for kind in sorted({kind for kind, _ in owned} - declared):
        ids = ", ".join(aws_id for each, aws_id in owned if each == kind)
        message = f"the document has lost its whole section, yet these are ours: {ids}"
        mend = "put the section back, or take the tag setpoint:document off them"
        yield Finding(Address.of(kind, "*"), Outcome.HELD, f"{message}: {mend}")


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
            findings.append(Finding(address, Outcome.BLOCKED, message, "tags", HOLD_TAG))
        elif until > now:
            holds[address] = min(until, last)
            message = f"somebody holds it until {holds[address]:%Y-%m-%dT%H:%MZ}"
            findings.append(Finding(address, Outcome.HELD, message, "tags", HOLD_TAG))
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
