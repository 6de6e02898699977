"""Route tables as EC2 shows them: which there are, and each as the document says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from desired_state.fields import Address
from desired_state.members import Subnets
from desired_state.network import RouteTable
from desired_state.route_targets import of_endpoint
from desired_state.rules import Routes
from reconciler.aws.ec2 import (
    in_vpc,
    prefix_list_sizes,
    reads_prefix_lists,
    route_destination,
    route_target,
    tags_of,
)
from reconciler.aws.shapes import flag, listed, text, word
from reconciler.model import (
    Change,
    Evidence,
    Observed,
    Ref,
    Remark,
    SubnetRoutes,
)
from reconciler.model.kind import (
    ObserveContext,
)
from reconciler.model.read import Answers, Item, Read, ReadContext

_STATES = frozenset({"associating", "associated", "disassociating", "disassociated", "failed"})
_ORIGINS = frozenset({"CreateRouteTable", "CreateRoute", "EnableVgwRoutePropagation", "Advertisement"})
"""The words of RouteTableAssociationState and of Route (EC2 API reference)."""
_EDGES = ("GatewayId", "PublicIpv4Pool")
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


def is_main(item: Item) -> bool:
    return any("Main" in one and flag(one, "Main") for one in listed(item, "Associations"))


def order(resource: RouteTable) -> tuple[Evidence, ...]:
    if resource.main:
        return Evidence.TAGS, Evidence.KEY
    return Evidence.TAGS, Evidence.NAME, Evidence.SEATS


def seats(item: Item) -> Iterable[str]:
    """The subnets that are associated with it; of the main table they say nothing, because it is every subnet's."""
    return [] if is_main(item) else [subnet for subnet, _ in _associated(item)]


def _associated(item: Item) -> Iterator[tuple[str, str]]:
    """The subnets, each with its association; a table may be associated with where traffic comes in, too (EC2 API
    reference, AssociateRouteTable).
    """
    for one in listed(item, "Associations"):
        state = word(one.get("AssociationState", {}), "State", _STATES, "associated")
        if one.get("Main") or any(one.get(name) for name in _EDGES) or state not in {"associated", "associating"}:
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
        Remark(
            "routes", one.to, f"its target {one.via} is gone or has failed: create it again, or declare another target"
        )
        for one in lists.managed
        if one.state == "blackhole" and one.via not in context.names
    )
    routes = {one.to: context.address(one.via) for one in lists.managed}
    spec = RouteTable(
        main=is_main(item),
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
    for item in sorted(items, key=is_main, reverse=True):
        lists = _lists_of(item)
        routes = SubnetRoutes(item["RouteTableId"], _declarable(lists, context), lists.by_aws, explicit=False)
        yield from ((subnet, routes) for subnet in subnets) if is_main(item) else ()
        users = [context.address(subnet) for subnet, _ in _associated(item)]
        yield from ((subnet, routes._replace(explicit=True)) for subnet in users)


def handles(items: Iterable[Item], context: ObserveContext) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for subnet, association in _associated(item):
            yield Ref(context.address(subnet), ASSOCIATION), association
        for one in listed(item, "Associations"):
            if one.get("Main"):
                yield Ref(context.read.document.vpc, MAIN), one["RouteTableAssociationId"]
