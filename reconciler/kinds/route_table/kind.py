"""Route tables: routes, and the subnets that use them. `observed.py` reads them, `route_changes.py` changes
their routes, `lost_routes.py` says what a subnet would lose that AWS made.

Local routes, propagated routes and those of gateway endpoints are AWS's own: they are neither compared nor changed,
except that a local route with another target is set back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from desired_state.fields import Address
from desired_state.members import Subnets
from desired_state.network import RouteTable
from desired_state.rules import Routes
from reconciler.aws.ec2 import (
    CREATE_TAGS,
    by_id,
    name_tag,
    retag,
    tagged_as,
    tags_of,
)
from reconciler.aws.shapes import listed
from reconciler.kinds.route_table.causes import CHANGES
from reconciler.kinds.route_table.imported import IMPORT
from reconciler.kinds.route_table.lost_routes import lost_routes, others_on_main
from reconciler.kinds.route_table.observed import (
    ASSOCIATION,
    MAIN,
    Facts,
    TableChange,
    handles,
    is_main,
    live,
    more,
    observed,
    order,
    reads,
    seats,
    subnet_routes,
)
from reconciler.kinds.route_table.route_changes import CREATE_ROUTE, DELETE_ROUTE, REPLACE_ROUTE, goal_of, route_calls
from reconciler.kinds.route_table.route_steps import sent_right
from reconciler.model import (
    ABSENT,
    Action,
    ActionOptions,
    Cause,
    Difference,
    Effect,
    Finding,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
    Snapshot,
    Unmanaged,
)
from reconciler.model.exposure import Exposure, Severity, of_association, who, wide
from reconciler.model.kind import (
    Correct,
    Create,
    Identify,
    Kind,
    Observe,
    PlanContext,
    Step,
    Traffic,
)
from reconciler.model.read import id_in
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
        yield from route_calls(change, context)
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
    was, new = set((used.routes or {}).items()), set(goal_of(change).items())
    return {"closes": new <= was, "opens": was < new}


def _lists(table: RouteTable, subnet: Address) -> bool:
    return subnet in (table.subnets or ())


def delete(unmanaged: Unmanaged) -> Iterable[Action]:
    table: dict[str, Any] = {"RouteTableId": Ref(unmanaged.address)}
    yield DELETE.on(
        unmanaged.address, "delete it: it is this document's, and no longer declared", breaks=1, params=table
    )


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
        live_key=lambda item, context: MAIN if is_main(item) else None,
        spare=lambda item: not listed(item, "Associations"),
        deleted_by="aws ec2 delete-route-table --route-table-id",
        key_text="it is the main table",
        seats=seats,
        seated=lambda resource: resource.subnets or (),
        content=("routes",),
        flag=("main",),
        members=("subnets",),
        standard=is_main,
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
