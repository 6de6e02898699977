"""What of a plan may be done now: policy, holds, blast radius. Pure; `run.py` asks it before every write.

Nothing here looks at AWS or at a document's wishes for more power: how far the tool goes is the deployment's `Policy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.members import members
from reconciler.model import HOLD_TAG, Action, Finding, Outcome, Phase, Policy, Risk, Snapshot
from reconciler.plan import Plan

LEAST_LIMIT = 20
"""Breaks that any run may make; a larger document may have a quarter of its members broken."""


@dataclass(frozen=True)
class Gate:
    """`held[i]` says why the i-th action of the plan is not to be done; `whole` why no action is. Findings are holds
    that count for nothing.
    """

    held: Mapping[int, str]
    whole: str
    findings: tuple[Finding, ...]


def gate(
    plan: Plan,
    document: Document,
    snapshot: Snapshot,
    policy: Policy,
    now: datetime,
    *,
    approved: str = "",
    barred: Callable[[Action], str] = lambda action: "",
) -> Gate:
    """What is held, and why. `approved` is the fingerprint a person released: it lifts the blast-radius limits only.
    `barred` says why an action is not to be done for a reason of the caller's (empty: there is none).
    """
    whole = "" if approved == plan.fingerprint else _too_much(plan, document, snapshot, policy)
    holds, findings = _holds(snapshot, policy, now)
    held: dict[int, str] = {}
    unmade: set[Address] = set()
    for index, action in enumerate(plan.actions):
        declared = document.resources.get(action.address)
        touched = sorted({action.address} | {at for at, _ in action.mends})
        if reason := barred(action):
            pass
        elif policy.mode == "report":
            reason = "this deployment only reports"
        elif declared and declared.enforcement == "report":
            reason = "the document says report for it"
        elif whole:
            reason = whole
        elif until := next((holds[at] for at in touched if at in holds), None):
            reason = f"somebody holds it until {until:%Y-%m-%dT%H:%MZ}"
        elif action.risk is Risk.DOWNTIME and policy.downtime == "never":
            reason = "it costs downtime: allow it with SETPOINT_DOWNTIME=window (in the maintenance window) or =now"
        elif before := sorted(plan.needs[index] & held.keys()):
            reason = f"it comes after something that is held: {plan.actions[before[0]].why}"
        elif action.operation.phase >= Phase.UNBIND and not action.closes and action.address in unmade:
            reason = "nothing is taken away where something that is to be made is held"
        else:
            continue
        held[index] = reason
        if action.operation.phase <= Phase.BIND:
            unmade.add(action.address)
    return Gate(held, whole, findings)


def owned_members(document: Document) -> int:
    """How many things the document owns: resources, and the rules, entries, routes, associations and groups in them."""
    inside = sum(
        len(list(members(getattr(resource, name))))
        for resource in document.resources.values()
        for name in resource.described()
        if name != "tags"
    )
    return len(document.resources) + inside


def _too_much(plan: Plan, document: Document, snapshot: Snapshot, policy: Policy) -> str:
    limit = policy.max_breaks if policy.max_breaks is not None else max(LEAST_LIMIT, owned_members(document) // 4)
    release = "look at the plan, then release it with: setpoint plan --out FILE, setpoint apply --plan FILE"
    if plan.breaks > limit:
        return f"the plan takes away {plan.breaks} live members, and {limit} is the limit of one run: {release}"
    declared = {address.kind for address in document.resources}
    for neighbour in snapshot.neighbours:
        if neighbour.ours and neighbour.address.kind not in declared:
            lost = f"the document has lost its whole section {neighbour.address.kind}"
            return f"{lost}, yet {neighbour.id} is ours: {release}"
    return ""


def _holds(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[dict[Address, datetime], tuple[Finding, ...]]:
    """The holds that count, by address; and a finding for each hold, whether it counts or not."""
    holds: dict[Address, datetime] = {}
    findings: list[Finding] = []
    furthest = now + timedelta(hours=policy.max_hold_hours)
    for address, observed in snapshot.resources.items():
        text = (observed.spec.tags or {}).get(HOLD_TAG)
        if text is None:
            continue
        until, problem = _hold(text, furthest)
        if problem or not until:
            message = f"its tag {HOLD_TAG}={text!r} holds nothing: {problem}"
            findings.append(Finding(address, Outcome.BLOCKED, message, "tags", HOLD_TAG))
        elif until > now:
            holds[address] = until
            message = f"somebody holds it until {until:%Y-%m-%dT%H:%MZ}"
            findings.append(Finding(address, Outcome.HELD, message, "tags", HOLD_TAG))
    return holds, tuple(findings)


def _hold(text: str, furthest: datetime) -> tuple[datetime | None, str]:
    """The end of a hold in UTC, and why it does not count (empty: it does)."""
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None, f"that is no time; write one such as {furthest:%Y-%m-%dT%H:%M:%SZ}"
    if until.tzinfo is None:
        return None, "it has no time zone; add Z for UTC"
    if until > furthest:
        return until, f"it lies beyond {furthest:%Y-%m-%dT%H:%MZ}, the furthest that this deployment allows"
    return until.astimezone(UTC), ""
