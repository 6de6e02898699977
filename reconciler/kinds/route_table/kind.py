"""Route tables: routes, and which subnets use them. What order routes change in is decided in
`reconciler/kinds/route_table/route_steps.py`.

The local routes, propagated routes and those of gateway endpoints are AWS's own: neither compared nor touched, except a
local route that somebody retargeted, which is set back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from desired_state.fields import Address
from desired_state.members import Subnets
from desired_state.network import RouteTable
from desired_state.resource import Resource
from desired_state.rules import Routes
from reconciler.aws.ec2 import (
    CREATE_TAGS,
    in_vpc,
    name_tag,
    retag,
    route_destination,
    route_target,
    route_to,
    route_via,
    tagged_as,
    tags_of,
)
from reconciler.kinds.route_table.route_steps import overlap, route_order
from reconciler.model import (
    ABSENT,
    Action,
    ActionOptions,
    Cause,
    Change,
    Finding,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
    Unmanaged,
)
from reconciler.model.kind import Answers, Item, Kind, ObserveContext, PlanContext, Read, ReadContext
from reconciler.packets.reachability import TABLE_OF, cell

CREATE = Operation(
    "ec2",
    "CreateRouteTable",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="RouteTable.RouteTableId",
    iam_resource_types=("route-table", "vpc"),
)
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
ASSOCIATE = Operation(
    "ec2",
    "AssociateRouteTable",
    Phase.BIND,
    Risk.TRAFFIC,
    yields="AssociationId",
    affects_traffic=True,
    iam_resource_types=("route-table", "subnet"),
)
REASSOCIATE = Operation(
    "ec2",
    "ReplaceRouteTableAssociation",
    Phase.BIND,
    Risk.TRAFFIC,
    yields="NewAssociationId",
    affects_traffic=True,
    iam_resource_types=("route-table", "subnet"),
)
DISASSOCIATE = Operation(
    "ec2",
    "DisassociateRouteTable",
    Phase.UNBIND,
    Risk.TRAFFIC,
    affects_traffic=True,
    already_applied_codes=frozenset({"InvalidAssociationID.NotFound"}),
    iam_resource_types=("route-table", "subnet"),
)
DELETE = Operation(
    "ec2", "DeleteRouteTable", Phase.DELETE, Risk.TRAFFIC, iam_resource_types=("route-table",), requires_setting="prune"
)

ASSOCIATION = "route_table_association"
MAIN = "main_route_table_association"


def _tables(context: ReadContext) -> Read:
    """DescribeRouteTables gives at most 100 a page, the others 1000 (EC2 API reference)."""
    return in_vpc("DescribeRouteTables", "RouteTables", context, page=100)


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id:
        yield _tables(context)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return cast("list[Item]", answers.get(_tables(context), []))


def _is_main(item: Item) -> bool:
    return any(one.get("Main") for one in item.get("Associations", ()))


def matches(address: Address, resource: Resource, item: Item, context: ReadContext) -> bool:
    if cast("RouteTable", resource).main:
        return _is_main(item)
    return name_tag(item) == address.name


def _associated(item: Item) -> Iterator[tuple[str, str]]:
    for one in item.get("Associations", ()):
        state = one.get("AssociationState", {}).get("State", "associated")
        if one.get("SubnetId") and state in {"associated", "associating"}:
            yield one["SubnetId"], one["RouteTableAssociationId"]


def _managed(route: Item) -> bool:
    target, origin = route_target(route), route.get("Origin", "CreateRoute")
    if target == "local" or (target.startswith("vpce-") and "DestinationPrefixListId" in route):
        return False
    return origin in {"CreateRoute", "CreateRouteTable"}


def observed(item: Item, seen: ObserveContext) -> Observed:
    managed = [route for route in item.get("Routes", ()) if _managed(route)]
    routes = Routes({route_destination(route): seen.address(route_target(route)) for route in managed})
    subnets = Subnets(seen.address(subnet) for subnet, _ in _associated(item))
    dead = tuple(
        (
            "routes",
            route_destination(route),
            f"its target {route_target(route)} is gone: make it anew, or declare another target",
        )
        for route in managed
        if route.get("State") == "blackhole" and route_target(route) not in seen.names
    )
    local = frozenset(
        route_destination(route) for route in item.get("Routes", ()) if route.get("Origin") == "CreateRouteTable"
    )
    spec = RouteTable(main=_is_main(item), routes=routes, subnets=subnets, tags=tags_of(item))
    elsewhere = dict(_elsewhere(item, spec, seen))
    return Observed(item["RouteTableId"], spec, facts={"remarks": dead, "local": local, "elsewhere": elsewhere})


def _elsewhere(item: Item, spec: RouteTable, seen: ObserveContext) -> Iterator[tuple[Address, dict[str, str]]]:
    """The routes that declared subnets of this table have now, where they use another one."""
    declared = seen.context.declared.get(seen.address(item["RouteTableId"]))
    strays = (cast("RouteTable", declared).subnets or Subnets()) - (spec.subnets or Subnets()) if declared else ()
    for other in sorted(live(seen.context, seen.answers), key=_is_main, reverse=True) if strays else ():
        routes = {
            route_destination(one): str(seen.address(route_target(one)))
            for one in other.get("Routes", ())
            if _managed(one)
        }
        users = {seen.address(subnet) for subnet, _ in _associated(other)}
        yield from ((subnet, routes) for subnet in strays if _is_main(other) or subnet in users)


def handles(items: Iterable[Item], seen: ObserveContext) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for subnet, association in _associated(item):
            yield Ref(seen.address(subnet), ASSOCIATION), association
        for one in item.get("Associations", ()):
            if one.get("Main"):
                yield Ref(seen.context.document.vpc, MAIN), one["RouteTableAssociationId"]


def initial_state(want: Resource, context: PlanContext) -> Resource:
    return want.but(main=False, routes=Routes(), subnets=Subnets())


def create(address: Address, want: Resource, context: PlanContext) -> Iterable[Action | Finding]:
    yield CREATE.on(
        address,
        "make the route table",
        gives=Ref(address),
        params={"VpcId": Ref(context.document.vpc), "TagSpecifications": tagged_as("route-table", want.tags)},
    )


def plan(change: Change, context: PlanContext) -> Iterator[Action | Finding]:
    if change.of("routes"):
        yield from _routes(change, context)
    for one in change.of("subnets"):
        yield from _subnet(change, context, one.key, wanted=one.have is ABSENT)
    for one in change.of("main"):
        if not one.want:
            problem = "a VPC always has a main table: declare another table as main"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.IMMUTABLE, problem), "main")
            continue
        yield REASSOCIATE.on(
            change.address,
            "make it the VPC's main table",
            "main",
            closes=True,
            moves=True,
            breaks=1,
            after=frozenset({change.address}),
            gives=Ref(context.document.vpc, MAIN),
            params={"AssociationId": Ref(context.document.vpc, MAIN), "RouteTableId": Ref(change.address)},
        )
    yield from retag(change)


def _goal(change: Change) -> dict[str, str]:
    """The declared routes, with the undeclared ones that an exception tolerates."""
    goal: dict[str, str] = dict(cast("RouteTable", change.base).routes or {})
    for one in change.of("routes"):
        if one.want is ABSENT:
            del goal[one.key]
        else:
            goal[one.key] = one.want
    return goal


def _routes(change: Change, context: PlanContext) -> Iterator[Action]:
    have: dict[str, str] = cast("RouteTable", change.base).routes or {}
    goal = _goal(change)
    detached = _detached(context)
    asleep = frozenset(to for to, via in goal.items() if via in detached)
    local = change.have.facts["local"] if change.have else frozenset()
    for step in route_order(have, goal, asleep):
        params = {"RouteTableId": Ref(change.address), **route_to(step.destination)}
        gone = ((cell(change.address, "routes"), step.destination, None),)
        if step.verb == "delete" and step.destination in local:
            why = f"send {step.destination} to the VPC itself again"
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
            waits: dict[str, Any] = (
                {} if step.free else {"chain": "routes", "after": detached if asleep else frozenset()}
            )
            # A route through a detached gateway is a black hole: it goes before the gateway opens it to whoever is
            # here.
            others = (to for to in have if to != step.destination)
            idle = have[step.destination] in detached and not any(overlap(step.destination, to) for to in others)
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
            gateway = frozenset({Address(target)}) if "/" in target else frozenset()
            params |= route_via(target)
            effect = ((cell(change.address, "routes"), step.destination, target),)
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


def _detached(context: PlanContext) -> frozenset[Address]:
    """The declared gateways that are not attached yet: until then a route through one is a black hole."""
    seen = context.snapshot.resources
    return frozenset(
        at
        for at in context.document.of_kind("internet_gateway")
        if at not in seen or getattr(seen[at].spec, "vpc", None) != context.document.vpc
    )


def _subnet(change: Change, context: PlanContext, subnet: Address, *, wanted: bool) -> Iterator[Action | Finding]:
    """A subnet moves in one call from the table it uses to the one declared for it, and is on no other in between."""
    here = frozenset({change.address})
    homes = {address for address, one in context.document.of_kind(change.address.kind).items() if _lists(one, subnet)}
    if wanted:
        seen = context.snapshot.resources.items()
        left = frozenset(at for at, one in seen if at.kind == change.address.kind and _lists(one.spec, subnet))
        explicit = context.has(Ref(subnet, ASSOCIATION))
        target: dict[str, Any] = {"RouteTableId": Ref(change.address)}
        target |= {"AssociationId": Ref(subnet, ASSOCIATION)} if explicit else {"SubnetId": Ref(subnet)}
        options: ActionOptions = {
            "moves": True,
            "breaks": int(explicit),
            "effect": ((TABLE_OF, subnet, change.address),),
            "after": here,
            "before": left,
            "gives": Ref(subnet, ASSOCIATION),
            "resolves": frozenset((at, "subnets") for at in here | left),
        }
        why = f"{subnet} uses this table" + (f" instead of {min(left)}" if left else "")
        options |= _effect(change, context, subnet, left)
        yield (REASSOCIATE if explicit else ASSOCIATE).on(change.address, why, params=target, **options)
    elif subnet not in context.document.resources:
        problem = f"{subnet} uses this table and nobody declared it: declare it, or move it to another table"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.UNDECLARED, problem), "subnets", subnet)
    elif not homes:
        params: dict[str, Any] = {"AssociationId": Ref(subnet, ASSOCIATION)}
        yield DISASSOCIATE.on(change.address, f"{subnet} uses the main table", "subnets", breaks=1, params=params)


def _effect(change: Change, context: PlanContext, subnet: Address, left: frozenset[Address]) -> ActionOptions:
    """Whether a subnet that moves to this table only loses routes by it, or only gains some."""
    old = change.have.facts.get("elsewhere", {}).get(subnet) if change.have else None
    if left:
        old = cast("RouteTable", context.snapshot.resources[min(left)].spec).routes or {}
    if old is None:
        return {}
    was, new = set(old.items()), set(_goal(change).items())
    return {"closes": new <= was, "opens": was < new}


def _lists(table: Resource, subnet: Address) -> bool:
    return subnet in (cast("RouteTable", table).subnets or ())


def delete(neighbour: Unmanaged) -> Iterable[Action]:
    table: dict[str, Any] = {"RouteTableId": Ref(neighbour.address)}
    yield DELETE.on(neighbour.address, "delete it: it is ours and no longer declared", breaks=1, params=table)


KIND = Kind(
    "route_table",
    RouteTable,
    after=frozenset({"vpc", "internet_gateway", "subnet"}),
    operations=(
        CREATE,
        CREATE_ROUTE,
        REPLACE_ROUTE,
        DELETE_ROUTE,
        ASSOCIATE,
        REASSOCIATE,
        DISASSOCIATE,
        DELETE,
        CREATE_TAGS.for_resource_types("route-table"),
    ),
    also_changed_by=frozenset({"DeleteTags", "DisableVgwRoutePropagation", "EnableVgwRoutePropagation"}),
    read_permissions=("ec2:DescribeRouteTables",),
    reads=reads,
    live=live,
    id=lambda item: str(item["RouteTableId"]),
    label=name_tag,
    tags=tags_of,
    matches=matches,
    observed=observed,
    handles=handles,
    initial_state=initial_state,
    create=create,
    plan=plan,
    delete=delete,
    named_by_tag=lambda resource, document: not cast("RouteTable", resource).main,
    created_by_aws=lambda address, resource: bool(cast("RouteTable", resource).main),
)
