"""How a DB instance is changed: what takes effect immediately, in the maintenance window, or with downtime.

Changes of different cost (`settings.py`) are never mixed in one call. RDS refuses a call as a whole if it refuses one
setting, so each call also says how its settings are sent alone (`Action.parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from desired_state.database import DbInstance, LogTypes
from desired_state.fields import Address
from desired_state.members import SecurityGroups
from desired_state.versions import covers, same_major
from reconciler.aws.rds import arn, retag
from reconciler.kinds.db_instance.coupled import DbChange, coupled
from reconciler.kinds.db_instance.refused import impossible, not_now
from reconciler.kinds.db_instance.settings import (
    SETTINGS,
    cancels,
    cost_of,
    only_these,
    risk_of,
)
from reconciler.kinds.db_instance.windows import waits_for_window
from reconciler.model import (
    ABSENT,
    Action,
    ActionOptions,
    Cause,
    Difference,
    Effect,
    Evidence,
    Finding,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
)
from reconciler.model.kind import PlanContext, Step
from reconciler.reach.network import GROUPS_OF, PUBLIC

MODIFY = Operation(
    "rds",
    "ModifyDBInstance",
    Phase.BIND,
    Risk.TRAFFIC,
    takes_effect_later=True,
    also_needs=frozenset(
        {"secretsmanager:CreateSecret", "secretsmanager:TagResource", "kms:DescribeKey", "iam:PassRole"}
    ),
    iam_resource_types=("db", "og", "pg"),
)


def whole_list(groups: Iterable[Address]) -> list[Ref | str]:
    """The whole list of groups, which RDS replaces; an undeclared group is in it by its id."""
    return [Ref(one) if one.startswith("security_group/") else str(one) for one in sorted(groups)]


def correct(change: DbChange, context: PlanContext) -> Iterator[Step]:
    have = change.have
    if have is None:
        return
    address = change.address
    if have.facts.vpc != have.facts.document_vpc:
        problem = f"a database of this name is in another VPC, {have.facts.vpc}: choose another identifier"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem))
        return
    yield from retag(change, arn(context.document, f"db:{address.name}"))
    changed: dict[str, list[Difference]] = {}
    for one in change.differences:
        if one.field not in SETTINGS:
            continue
        cost = cost_of(one, have, change.differences)
        if obstacle := _obstacle(change, one, cost, context):
            yield obstacle
        else:
            changed.setdefault(cost, []).append(one)
    if free := changed.get("none"):
        yield _call(change, context, free)
    if windowed := changed.get("window"):
        yield _call(change, context, windowed)
    if disruptive := changed.get("downtime"):
        if unclear := _unclear(address, context):
            yield from (Finding(address, Outcome.HELD, unclear, one.field) for one in disruptive)
            return
        if context.policy.downtime == "now" and not only_these(disruptive, have):
            problem = f"it would also apply somebody else's pending {', '.join(sorted(have.facts.pending))}"
            yield from (
                Finding(address, Outcome.HELD, Cause(Reason.PENDING_CHANGE, problem), one.field) for one in disruptive
            )
        else:
            yield _call(change, context, disruptive)


def _obstacle(change: DbChange, one: Difference, cost: str, context: PlanContext) -> Finding | None:
    """Why a difference is not corrected now; None if it is."""
    have = change.have
    if have is None:
        return None
    kept_by = have.facts.kept_by
    if problem := kept_by.get("") or kept_by.get(one.field):
        return Finding(one.address, Outcome.HELD, Cause(Reason.KEPT_BY_OTHERS, problem), one.field)
    if problem := impossible(one, have, change.differences):
        return Finding(one.address, Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, problem), one.field)
    if problem := not_now(one, have):
        return Finding(one.address, Outcome.WAITING, Cause(Reason.NOT_READY, problem), one.field)
    starts = "" if context.policy.downtime == "now" else waits_for_window(one, change.differences, context.snapshot.at)
    if starts:
        return Finding(one.address, Outcome.WAITING, Cause(Reason.MAINTENANCE, starts), one.field)
    risk = risk_of(one, change.differences)
    if context.policy.downtime == "never" and risk and cost == "downtime":
        problem = f"{risk}: allow it with SETPOINT_DOWNTIME=window or =now, or change it by hand"
        return Finding(one.address, Outcome.HELD, Cause(Reason.DOWNTIME, problem), one.field)
    return None


def _call(change: DbChange, context: PlanContext, differences: Sequence[Difference]) -> Action:
    """The call for differences of one cost. Its parts are what decides who reaches the data, each alone, and the halves
    of the rest, which are taken apart further: the fewer calls RDS accepts, the less later ones wait for it.
    """
    whole = _modify(change, context, differences)
    apart = _apart(differences)
    if len(apart) == 1:
        return whole
    alone = [some for some in apart if some[0].field in REACHED]
    rest = [some for some in apart if some not in alone]
    middle = len(rest) // 2
    parts = [rest] if alone else [rest[:middle], rest[middle:]]
    halves = [[one for some in part for one in some] for part in parts if part]
    first = [some for some in alone if not _opens(some)]
    last = [some for some in alone if _opens(some)]
    return replace(whole, settings=True, parts=tuple(_call(change, context, some) for some in (*first, *halves, *last)))


REACHED = frozenset({"publicly_accessible", "vpc_security_groups"})
"""What decides who reaches the data."""


def _opens(differences: Sequence[Difference]) -> bool:
    return any(one.field == "publicly_accessible" and one.want for one in differences)


def _apart(differences: Sequence[Difference]) -> list[list[Difference]]:
    """The differences by what can be sent alone; what decides who reaches the data comes first."""
    found: dict[str, list[Difference]] = {}
    order = ["publicly_accessible", *SETTINGS]
    for one in sorted(differences, key=lambda one: order.index(one.field)):
        found.setdefault(SETTINGS[one.field].together or one.field, []).append(one)
    return list(found.values())


def _immediately(change: DbChange, context: PlanContext, differences: Sequence[Difference], cost: str) -> bool:
    """Whether the call is sent with ApplyImmediately."""
    have = change.have
    if have is None:
        return False
    if cost == "none":
        return only_these(differences, have) and cancels(differences, have)
    return only_these(differences, have) and (cost == "window" or context.policy.downtime == "now")


def _unclear(address: Address, context: PlanContext) -> Cause | None:
    """Why it is not certain that the instance of this name is the one that is meant; None if `adopt` says so."""
    copy = context.snapshot.copies.get(address)
    if copy is None or context.snapshot.found_by[address].by is Evidence.ADOPT:
        return None
    seen = context.snapshot.resources[address].resource_id
    message = (
        f"{copy} carries its tags too: what costs downtime waits until it is clear which one is meant; "
        f'take the tags off {copy}, or write "adopt": {{"{address}": "{seen}"}}'
    )
    return Cause(Reason.AMBIGUOUS, message)


def _modify(change: DbChange, context: PlanContext, differences: Sequence[Difference]) -> Action:
    fields = [one.field for one in differences]
    want, have = change.want, change.have
    cost = cost_of(differences[0], have, change.differences) if have else "none"
    risk = Risk.DOWNTIME if cost == "downtime" else Risk.TRAFFIC
    params: dict[str, Any] = {SETTINGS[one.field].parameter: one.want for one in differences if one.key is None}
    opens = "publicly_accessible" in fields and want.publicly_accessible
    options: ActionOptions = {
        "risk": risk,
        "closes": risk is Risk.TRAFFIC and not opens and "vpc_security_groups" not in fields,
        "breaks": len(differences),
        "effect": tuple(effects_of(change, fields)),
    }
    if "vpc_security_groups" in fields:
        goal = _goal(change)
        params["VpcSecurityGroupIds"] = whole_list(goal)
        seen = change.base.vpc_security_groups or SecurityGroups()
        options |= {"after": frozenset(goal - seen), "before": frozenset(seen - goal)}
    if "publicly_accessible" in fields and want.publicly_accessible:
        gateways = context.route_targets() | {context.document.vpc}
        options["after"] = options.get("after", frozenset()) | gateways
    params |= coupled(change, fields)
    if "engine_version" in fields and have:
        runs = str(have.facts.now["engine_version"])
        if covers(str(want.engine_version), runs):
            # Only the exact current version cancels a pending one: "16" could mean the newest 16.x.
            params["EngineVersion"] = runs
        elif not same_major(runs, str(want.engine_version)):
            params["AllowMajorVersionUpgrade"] = True
    return MODIFY.on(
        change.address,
        "set " + ", ".join(f"{name} to {_value(want, change, name)}" for name in sorted(set(fields))),
        *fields,
        params={
            "DBInstanceIdentifier": change.address.name,
            "ApplyImmediately": _immediately(change, context, differences, cost),
            **params,
        },
        **options,
    )


def effects_of(change: DbChange, fields: Iterable[str]) -> Iterator[Effect]:
    if "vpc_security_groups" in fields:
        yield GROUPS_OF, change.address, frozenset(_goal(change))
    if "publicly_accessible" in fields:
        yield PUBLIC, change.address, change.want.publicly_accessible or None


def _goal(change: DbChange) -> SecurityGroups:
    """The declared groups, and the undeclared ones with an exception."""
    seen = change.base.vpc_security_groups or SecurityGroups()
    extra = {one.key for one in change.of("vpc_security_groups") if one.want is ABSENT}
    return SecurityGroups((change.want.vpc_security_groups or SecurityGroups()) | (seen - extra))


def _value(want: DbInstance, change: DbChange, name: str) -> str:
    if name == "vpc_security_groups":
        return " and ".join(sorted(_goal(change)))
    value = getattr(want, name)
    if isinstance(value, LogTypes):
        return " and ".join(sorted(value)) or "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
