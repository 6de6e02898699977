"""How the routes of a table are changed, one call for each; `route_steps.py` orders them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from desired_state.fields import Address, is_cidr, is_ipv6
from desired_state.network import RouteTable
from desired_state.resource import route_parameter
from desired_state.route_targets import is_replaceable, of_endpoint
from reconciler.aws.ec2 import (
    route_to,
    route_via,
)
from reconciler.kinds.route_table.observed import Facts, TableChange
from reconciler.kinds.route_table.route_steps import overlap, route_order
from reconciler.model import (
    Cause,
    Finding,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
)
from reconciler.model.kind import (
    PlanContext,
    Step,
)
from reconciler.packets.partial import corrected
from reconciler.reach.network import routes as cell

CREATE_ROUTE = Operation(
    "ec2", "CreateRoute", Phase.BIND, Risk.REVERSIBLE, affects_traffic=True, iam_resource_types=("route-table",)
)
REPLACE_ROUTE = Operation(
    "ec2", "ReplaceRoute", Phase.BIND, Risk.TRAFFIC, affects_traffic=True, iam_resource_types=("route-table",)
)
DELETE_ROUTE = Operation(
    "ec2",
    "DeleteRoute",
    Phase.UNBIND,
    Risk.TRAFFIC,
    already_applied_codes=frozenset({"InvalidRoute.NotFound"}),
    iam_resource_types=("route-table",),
)


def goal_of(change: TableChange) -> dict[str, str]:
    """The declared routes, and the undeclared ones with an exception."""
    return corrected(change.base.routes or {}, change.of("routes"))


def route_calls(change: TableChange, context: PlanContext) -> Iterator[Step]:
    have: dict[str, str] = change.base.routes or {}
    goal = goal_of(change)
    unusable = context.unusable_targets()
    dead = frozenset(to for to, via in goal.items() if via in unusable)
    local = change.have.facts.local if change.have else frozenset()
    short = _short(change, context, goal)
    for step in route_order(have, goal, dead):
        if short and step.verb == "create":
            yield Finding(change.address, Outcome.HELD, Cause(Reason.QUOTA, short), "routes", step.destination)
            continue
        if cause := _left_alone(step.destination, have.get(step.destination, ""), goal.get(step.destination, "")):
            yield Finding(change.address, Outcome.BLOCKED, cause, "routes", step.destination)
            continue
        params = {"RouteTableId": Ref(change.address), **route_to(step.destination)}
        gone = ((cell(change.address), step.destination, None),)
        if step.verb == "delete" and step.destination in local:
            why = f"set the target of the route {step.destination} back to local"
            yield REPLACE_ROUTE.on(
                change.address,
                why,
                "routes",
                breaks=1,
                closes=step.free,
                effect=gone,
                params={"LocalTarget": True, **params},
            )
        elif step.verb == "delete":
            why = f"delete the route {step.destination} via {have[step.destination]}"
            waits: dict[str, Any] = {} if step.free else {"chain": "routes", "after": unusable if dead else frozenset()}
            # A route to an unusable target is a black hole: it is deleted before the target becomes usable.
            others = (to for to in have if to != step.destination)
            idle = have[step.destination] in unusable and not any(overlap(step.destination, to) for to in others)
            yield DELETE_ROUTE.on(
                change.address,
                why,
                "routes",
                breaks=1,
                closes=step.free,
                idle=step.free and idle,
                effect=gone,
                **waits,
                params=params,
            )
        else:
            target = goal[step.destination]
            operation = CREATE_ROUTE if step.verb == "create" else REPLACE_ROUTE
            why = f"route {step.destination} via {target}"
            breaks = int(step.verb == "replace")
            gateway = frozenset({Address(target)}) if route_parameter(target) else frozenset()
            params |= route_via(target)
            effect = ((cell(change.address), step.destination, target),)
            yield operation.on(
                change.address,
                why,
                "routes",
                breaks=breaks,
                chain="routes",
                after=gateway,
                effect=effect,
                params=params,
            )


def _short(change: TableChange, context: PlanContext, goal: Mapping[str, str]) -> str:
    """Why the quota has no room for new routes; empty if it has. AWS counts IPv4 and IPv6 apart, a prefix list with its
    maximum of entries (VPC user guide, quotas), and in the family that it is of; here in both. A table that holds more
    already proves a higher quota.
    """
    have: Mapping[str, str] = change.base.routes or {}
    seen = context.snapshot.resources
    facts = [one.facts for at, one in seen.items() if at.kind == RouteTable.kind and isinstance(one.facts, Facts)]
    sizes: Mapping[str, int] = facts[0].sizes if facts else {}
    for family, other in (("IPv4", True), ("IPv6", False)):
        now, then = (
            sum(sizes.get(to, 1) for to in some if not is_cidr(to) or is_ipv6(to) != other) for some in (have, goal)
        )
        allowed = max(context.policy.quotas.routes, now)
        if then > allowed:
            return f"the table would have {then} {family} routes, the quota (QUOTA_ROUTES) allows {allowed}"
    return ""


def _left_alone(to: str, have: str, want: str) -> Cause | None:
    """Why no call is made for a route; either target is empty where there is no route. None: a call is made.

    What a gateway endpoint makes belongs to it (`route_targets.of_endpoint`). What leads to a target of an unknown kind
    could not be put back, so a person has to decide that it goes.
    """
    if of_endpoint(to, have) or of_endpoint(to, want):
        live = of_endpoint(to, have)
        mend = f"declare it so, or take the table off {have}" if live else f"add the table to {want}"
        message = (
            f"{to} via {have if live else want}: a gateway endpoint makes its routes itself, no call for routes does"
        )
        return Cause(Reason.CREATED_BY_AWS, f"{message}: {mend}")
    if have and not want and not is_replaceable(have):
        message = f"{to} via {have}: no route to a target of this kind could be made again, so it is not deleted"
        return Cause(Reason.UNSUPPORTED, f"{message}: delete it by hand, or tolerate it under exceptions")
    return None
