"""Route tables: routes, and the subnets that use them. `route_steps.py` orders the changes of routes, `lost_routes.py`
says what a subnet would lose that AWS made.

Local routes, propagated routes and those of gateway endpoints are AWS's own: they are neither compared nor changed,
except that a local route with another target is set back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from desired_state.fields import Address, is_cidr, is_ipv6
from desired_state.members import Subnets
from desired_state.network import RouteTable
from desired_state.resource import route_parameter
from desired_state.route_targets import is_replaceable, of_endpoint
from desired_state.rules import Routes
from reconciler.aws.ec2 import (
    CREATE_TAGS,
    by_id,
    in_vpc,
    name_tag,
    prefix_list_sizes,
    reads_prefix_lists,
    retag,
    route_destination,
    route_target,
    route_to,
    route_via,
    tagged_as,
    tags_of,
)
from reconciler.aws.shapes import flag, listed, text, word
from reconciler.kinds.route_table.causes import CHANGES
from reconciler.kinds.route_table.imported import IMPORT
from reconciler.kinds.route_table.lost_routes import lost_routes, others_on_main
from reconciler.kinds.route_table.route_steps import overlap, route_order, sent_right
from reconciler.model import (
    ABSENT,
    Action,
    ActionOptions,
    Cause,
    Change,
    Difference,
    Effect,
    Evidence,
    Finding,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Remark,
    Risk,
    Snapshot,
    SubnetRoutes,
    Unmanaged,
)
from reconciler.model.exposure import Exposure, Severity, of_association, who, wide
from reconciler.model.kind import (
    Answers,
    Correct,
    Create,
    Identify,
    Item,
    Kind,
    Observe,
    ObserveContext,
    PlanContext,
    Read,
    ReadContext,
    Step,
    Traffic,
    id_in,
)
from reconciler.packets.partial import corrected, coupled
from reconciler.reach.network import BLACKHOLE, OF_VPC, TABLE_OF, is_internet_gateway, routes_by_aws, whole
from reconciler.reach.network import MAIN as MAIN_CELL
from reconciler.reach.network import routes as cell

CREATE = Operation(
    "ec2",
    "CreateRouteTable",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="RouteTable.RouteTableId",
    takes_token=True,
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

_STATES = frozenset({"associating", "associated", "disassociating", "disassociated", "failed"})
_ORIGINS = frozenset({"CreateRouteTable", "CreateRoute", "EnableVgwRoutePropagation", "Advertisement"})
"""The words of RouteTableAssociationState and of Route (EC2 API reference)."""
ASSOCIATION = "route_table_association"
MAIN = "main_route_table_association"


def _tables(context: ReadContext) -> Read:
    """DescribeRouteTables returns at most 100 per page, other calls 1000 (EC2 API reference)."""
    return in_vpc("DescribeRouteTables", "RouteTables", context, page=100)


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id:
        yield _tables(context)


def more(context: ReadContext, answers: Answers) -> Iterable[Read]:
    """What prefix lists count, if a declared route leads to one."""
    declared = (to for table in context.declared.values() for to in table.routes or ())
    return reads_prefix_lists(used=any(to.startswith("pl-") for to in declared))


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return answers.get(_tables(context), [])


def _is_main(item: Item) -> bool:
    return any("Main" in one and flag(one, "Main") for one in listed(item, "Associations"))


def order(resource: RouteTable) -> tuple[Evidence, ...]:
    if resource.main:
        return Evidence.TAGS, Evidence.KEY
    return Evidence.TAGS, Evidence.NAME, Evidence.SEATS


def seats(item: Item) -> Iterable[str]:
    """The subnets that are associated with it; of the main table they say nothing, because it is every subnet's."""
    return [] if _is_main(item) else [subnet for subnet, _ in _associated(item)]


def _associated(item: Item) -> Iterator[tuple[str, str]]:
    """The subnets, each with its association; a table may be associated with a gateway too."""
    for one in listed(item, "Associations"):
        state = word(one.get("AssociationState", {}), "State", _STATES, "associated")
        if one.get("Main") or one.get("GatewayId") or state not in {"associated", "associating"}:
            continue
        yield text(one, "SubnetId", "subnet-"), text(one, "RouteTableAssociationId")


class _Route(NamedTuple):
    to: str
    via: str
    state: str


class _Lists(NamedTuple):
    """The routes of a live table: those that people make, those that AWS makes (of gateway endpoints, and propagated
    ones: no call for routes creates one), and the destinations of local ones, also of those with another target.
    """

    managed: list[_Route]
    by_aws: dict[str, str]
    local: frozenset[str]


def _lists_of(item: Item) -> _Lists:
    managed, by_aws, local = [], {}, []
    for route in listed(item, "Routes"):
        to, via, origin = route_destination(route), route_target(route), word(route, "Origin", _ORIGINS, "CreateRoute")
        if origin == "CreateRouteTable":
            local.append(to)
        if origin in {"CreateRoute", "CreateRouteTable"} and via != "local" and not of_endpoint(to, via):
            managed.append(_Route(to, via, route.get("State", "")))
        elif via != "local":
            by_aws[to] = via
    return _Lists(managed, by_aws, frozenset(local))


class Facts(NamedTuple):
    """`local`: the destinations of local routes, also of those with another target now. `by_aws`: the routes that AWS
    made. `sizes`: what each prefix list counts towards the quota of routes.
    """

    local: frozenset[str] = frozenset()
    by_aws: Mapping[str, str] = MappingProxyType({})
    sizes: Mapping[str, int] = MappingProxyType({})


type TableChange = Change[RouteTable, Facts]


def observed(item: Item, context: ObserveContext) -> Observed[RouteTable, Facts]:
    lists = _lists_of(item)
    dead = tuple(
        Remark("routes", one.to, f"its target {one.via} does not exist: create it again, or declare another target")
        for one in lists.managed
        if one.state == "blackhole" and one.via not in context.names
    )
    routes = {one.to: context.address(one.via) for one in lists.managed}
    spec = RouteTable(
        main=_is_main(item),
        routes=Routes(routes | _declared_of_endpoints(item, lists, context)),
        subnets=Subnets(context.address(subnet) for subnet, _ in _associated(item)),
        tags=tags_of(item),
    )
    return Observed(
        item["RouteTableId"], spec, Facts(lists.local, lists.by_aws, prefix_list_sizes(context.answers)), remarks=dead
    )


def _declared_of_endpoints(item: Item, lists: _Lists, context: ObserveContext) -> dict[str, Address]:
    """The routes of gateway endpoints to what the document declares for this table: these are compared."""
    declared = context.read.document.resources.get(context.address(item["RouteTableId"]))
    routes = declared.routes if isinstance(declared, RouteTable) and declared.routes else {}
    return {to: Address(via) for to, via in lists.by_aws.items() if to in routes and of_endpoint(to, via)}


def _declarable(lists: _Lists, context: ObserveContext) -> dict[str, str]:
    return {one.to: str(context.address(one.via)) for one in lists.managed}


def subnet_routes(items: Iterable[Item], context: ObserveContext) -> Iterable[tuple[Address, SubnetRoutes]]:
    """Of every subnet that is declared or associated with a table; without an association it uses the main one."""
    subnets = [address for address in context.names.values() if address.kind == "subnet"]
    for item in sorted(items, key=_is_main, reverse=True):
        lists = _lists_of(item)
        routes = SubnetRoutes(item["RouteTableId"], _declarable(lists, context), lists.by_aws, explicit=False)
        yield from ((subnet, routes) for subnet in subnets if _is_main(item))
        users = [context.address(subnet) for subnet, _ in _associated(item)]
        yield from ((subnet, routes._replace(explicit=True)) for subnet in users)


def handles(items: Iterable[Item], context: ObserveContext) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for subnet, association in _associated(item):
            yield Ref(context.address(subnet), ASSOCIATION), association
        for one in listed(item, "Associations"):
            if one.get("Main"):
                yield Ref(context.read.document.vpc, MAIN), one["RouteTableAssociationId"]


def initial_state(want: RouteTable, context: PlanContext) -> RouteTable:
    return want.but(main=False, routes=Routes(), subnets=Subnets())


def create(address: Address, want: RouteTable, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        "create the route table",
        gives=Ref(address),
        params={"VpcId": Ref(context.document.vpc), "TagSpecifications": tagged_as("route-table", want.tags)},
    )


def correct(change: TableChange, context: PlanContext) -> Iterator[Step]:
    if change.of("routes"):
        yield from _routes(change, context)
    for one in change.of("subnets"):
        yield from _subnet(change, context, one.key, declared=one.have is ABSENT)
    for one in change.of("main"):
        if not one.want:
            problem = "a VPC always has a main route table: declare another table as main"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.IMMUTABLE, problem), "main")
            continue
        implicit = [at for at, routes in context.snapshot.subnet_routes.items() if not routes.explicit]
        losses = [lost_routes(context, at, change.address, with_main=True) for at in implicit]
        if held := next((lost for lost in losses if lost and lost.held), None):
            yield Finding(change.address, Outcome.HELD, Cause(Reason.LOSES_ROUTES, held.message), "main")
            continue
        if others := others_on_main(context):
            yield Finding(change.address, Outcome.HELD, Cause(Reason.FOREIGN, others), "main")
            continue
        yield REASSOCIATE.on(
            change.address,
            "set it as the VPC's main route table",
            "main",
            moves=True,
            breaks=1,
            after=frozenset({change.address}),
            gives=Ref(context.document.vpc, MAIN),
            effect=((MAIN_CELL, OF_VPC, change.address),),
            params={"AssociationId": Ref(context.document.vpc, MAIN), "RouteTableId": Ref(change.address)},
        )
    yield from retag(change)


def _goal(change: TableChange) -> dict[str, str]:
    """The declared routes, and the undeclared ones with an exception."""
    return corrected(change.base.routes or {}, change.of("routes"))


def _routes(change: TableChange, context: PlanContext) -> Iterator[Step]:
    have: dict[str, str] = change.base.routes or {}
    goal = _goal(change)
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
    facts = [one.facts for at, one in seen.items() if at.kind == KIND.name and isinstance(one.facts, Facts)]
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


def _subnet(change: TableChange, context: PlanContext, subnet: Address, *, declared: bool) -> Iterator[Step]:
    """A subnet moves in one call from its current table to the declared one, without using another in between."""
    this = frozenset({change.address})
    declaring = {
        address
        for address, one in context.document.of_kind(change.address.kind).items()
        if _lists(cast("RouteTable", one), subnet)
    }
    lost = lost_routes(context, subnet, change.address if declared else min(declaring, default=None))
    if whose := context.not_ours(subnet):
        problem = f"{subnet} is not moved: {whose}"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.FOREIGN, problem), "subnets", subnet)
    elif lost and lost.held and (declared or subnet in context.document.resources):
        yield Finding(change.address, Outcome.HELD, Cause(Reason.LOSES_ROUTES, lost.message), "subnets", subnet)
    elif declared:
        seen = context.snapshot.resources.items()
        left = frozenset(at for at, one in seen if at.kind == change.address.kind and _lists(one.spec, subnet))
        explicit = context.has(Ref(subnet, ASSOCIATION))
        target: dict[str, Any] = {"RouteTableId": Ref(change.address)}
        target |= {"AssociationId": Ref(subnet, ASSOCIATION)} if explicit else {"SubnetId": context.ref(subnet)}
        options: ActionOptions = {
            "moves": True,
            "breaks": int(explicit),
            "effect": ((TABLE_OF, subnet, change.address),),
            "after": this,
            "before": left,
            "gives": Ref(subnet, ASSOCIATION),
            "resolves": frozenset((at, "subnets") for at in this | left),
        }
        why = f"associate {subnet} with this table" + (f" instead of {min(left)}" if left else "")
        options |= _effect(change, context, subnet)
        options["loses"] = lost.message if lost else ""
        yield (REASSOCIATE if explicit else ASSOCIATE).on(change.address, why, params=target, **options)
    elif subnet not in context.document.resources:
        problem = f"{subnet} uses this table and is not declared: declare it, or associate it with another table"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.UNDECLARED, problem), "subnets", subnet)
    elif not declaring:
        params: dict[str, Any] = {"AssociationId": Ref(subnet, ASSOCIATION)}
        why = f"disassociate {subnet}, which then uses the main route table"
        loses = lost.message if lost else ""
        effect = ((TABLE_OF, subnet, None),)
        yield DISASSOCIATE.on(change.address, why, "subnets", breaks=1, loses=loses, effect=effect, params=params)


def _effect(change: TableChange, context: PlanContext, subnet: Address) -> ActionOptions:
    """Whether a subnet that moves to this table only loses routes, or only gains some."""
    tables = list(context.live(KIND)) if context.has(Ref(subnet)) else []
    used = next((table for table in tables if _lists(table, subnet)), None)
    used = used or next((table for table in tables if table.main), None)
    if used is None:
        return {}
    was, new = set((used.routes or {}).items()), set(_goal(change).items())
    return {"closes": new <= was, "opens": was < new}


def _lists(table: RouteTable, subnet: Address) -> bool:
    return subnet in (table.subnets or ())


def delete(unmanaged: Unmanaged) -> Iterable[Action]:
    table: dict[str, Any] = {"RouteTableId": Ref(unmanaged.address)}
    yield DELETE.on(unmanaged.address, "delete it: it is owned and no longer declared", breaks=1, params=table)


def effects(address: Address, spec: RouteTable, seen: Observed[RouteTable, Facts] | None) -> Iterable[Effect]:
    dead = {one.key for one in seen.remarks if one.field == "routes"} if seen else set()
    listed: Mapping[str, str] = spec.routes or {}
    yield whole(cell(address), {to: BLACKHOLE if to in dead else via for to, via in listed.items()})
    yield whole(routes_by_aws(address), seen.facts.by_aws if seen else {})
    yield from ((TABLE_OF, subnet, address) for subnet in sorted(spec.subnets or ()))
    if spec.main:
        yield MAIN_CELL, OF_VPC, address


def coupled_in(change: TableChange, family: list[Difference], suppressed: list[Difference]) -> list[Difference]:
    """The longest prefix decides, so partly corrected routes must still send every address where it may go."""
    if family[0].field != "routes":
        return []
    live_now: dict[str, str] = change.base.routes or {}
    goal = corrected(live_now, family)
    return coupled(family, suppressed, live_now, lambda part: sent_right(live_now, goal, part))


def decides(one: Difference) -> bool:
    return one.field != "tags"


def stays(one: Difference, snapshot: Snapshot) -> Iterable[Address]:
    """The tables that subnets keep using instead of the declared one; without an association, the main table."""
    tables = [(at, seen.spec) for at, seen in snapshot.resources.items() if at.kind == one.address.kind]
    mains = [at for at, table in tables if table.main]
    subnets = getattr(one.want, "subnets", None) or () if not one.field else [one.key] if one.field == "subnets" else ()
    for subnet in subnets:
        yield from [at for at, table in tables if subnet in (table.subnets or ())] or mains
    if one.field == "main":
        yield from mains


def lets_in(one: Difference) -> bool:
    return one.field == "routes" and is_internet_gateway(str(one.have))


def exposure(one: Difference, past: bool) -> Exposure | None:  # noqa: FBT001 (the contract's signature)
    if one.field == "subnets":
        return of_association(one, past=past)
    if one.field != "routes":
        return None
    address, destination = one.address, str(one.key)
    if one.have is ABSENT:
        cannot = "could not" if past else "cannot"
        return Exposure(Severity.HIGH, f"What {address} is meant to send to {who(destination)} {cannot} go there.")
    severity = Severity.CRITICAL if lets_in(one) and wide(destination) else Severity.HIGH
    sends, ending = "sent" if past else "sends", ", which is not declared"
    if one.want is not ABSENT:
        ending = f" instead of {one.want}"
    return Exposure(severity, f"{address} {sends} what is for {who(destination)} to {one.have}{ending}.")


KIND = Kind(
    "route_table",
    RouteTable,
    after=frozenset({"vpc", "subnet"}),
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
    observe=Observe(
        permissions=("ec2:DescribeRouteTables", "ec2:DescribeManagedPrefixLists"),
        reads=reads,
        more=more,
        live=live,
        id=id_in("RouteTableId"),
        label=name_tag,
        tags=tags_of,
        observed=observed,
        handles=handles,
        subnet_routes=subnet_routes,
        again=lambda aws_ids: by_id("DescribeRouteTables", "RouteTables", "route-table-id", aws_ids, page=100),
    ),
    identify=Identify(
        "route table",
        order=order,
        key=lambda name, resource: MAIN if resource.main else None,
        live_key=lambda item, context: MAIN if _is_main(item) else None,
        spare=lambda item: not listed(item, "Associations"),
        deleted_by="aws ec2 delete-route-table --route-table-id",
        key_text="it is the main table",
        seats=seats,
        seated=lambda resource: resource.subnets or (),
        content=("routes",),
        flag=("main",),
        members=("subnets",),
        standard=_is_main,
    ),
    create=Create(
        initial_state,
        create,
        by_aws=lambda address, resource: bool(resource.main),
        named_by_tag=lambda resource: not resource.main,
    ),
    correct=Correct(correct),
    delete=delete,
    traffic=Traffic(
        effects=effects,
        moves=frozenset({"subnets", "main"}),
        coupled=coupled_in,
        decides=decides,
        leaves_open=decides,
        lets_in=lets_in,
        stays=stays,
        exposure=exposure,
    ),
    changes=CHANGES,
    imported=IMPORT,
)
