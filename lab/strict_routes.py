"""Route tables, routes and their associations as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, CreateRoute, ReplaceRoute, DeleteRoute, AssociateRouteTable; VPC User Guide, "Route
tables", and quotas): the local route is neither created nor deleted, but can get an interface as target, and be set
back with LocalTarget; no route to an internet gateway is for a network of the VPC, or a part of one; creating a route
that is there changes nothing, with another target it is RouteAlreadyExists; ReplaceRoute of a missing route is
InvalidParameterValue (moto #6425); a route to a detached gateway stays, in state blackhole, and is active again when
the same gateway is attached; so do those whose NAT gateway, peering or interface is deleted; a subnet has one explicit
association; the main association is replaced, never removed; 500 routes per table and family, of which one to a prefix
list counts as its maximum of entries; the route of a gateway endpoint is changed through the endpoint only (the code is
not documented; here InvalidParameterValue). Propagated routes are those of strict_propagation.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from botocore.loaders import create_loader

from lab import canonical, strict_propagation
from lab.group_rules import list_weight
from lab.live import Answer, Live, Params, needs_known, without
from lab.refusal import Refusal
from lab.strict_blocks import drop_former_routes
from lab.strict_endpoints import is_endpoint_route

MOST_ROUTES = 500
_TARGETS = (
    "GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId", "CarrierGatewayId", "VpcEndpointId", "LocalGatewayId", "CoreNetworkArn",
    "OdbNetworkArn",
)  # fmt: skip
_BESIDE_MOTO = frozenset({"CarrierGatewayId", "LocalGatewayId", "CoreNetworkArn", "OdbNetworkArn"})
"""Targets that moto does not keep: the route has them as `beside`."""
_SHOWN = frozenset(create_loader().load_service_model("ec2", "service-2")["shapes"]["Route"]["members"])
"""What botocore reads of a route; it drops what it does not know."""
_GONE = {
    "NatGatewayId": "InvalidNatGatewayID.NotFound",
    "TransitGatewayId": "InvalidTransitGatewayID.NotFound",
    "VpcPeeringConnectionId": "InvalidVpcPeeringConnectionID.NotFound",
    "EgressOnlyInternetGatewayId": "InvalidGatewayID.NotFound",
    "NetworkInterfaceId": "InvalidNetworkInterfaceID.NotFound",
}
"""The code for a target that is not there, or is there no more."""
_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def _destination(params: Params) -> tuple[str, str]:
    """The one destination of a request: the member's name and the canonical value."""
    named = [name for name in _DESTINATIONS if params.get(name)]
    if len(named) != 1:
        code = "MissingParameter" if not named else "InvalidParameterCombination"
        raise Refusal(code, "The request must contain exactly one destination")
    name = named[0]
    if name == "DestinationCidrBlock":
        return name, canonical.cidr4(params[name])
    if name == "DestinationIpv6CidrBlock":
        return name, canonical.cidr6(params[name])
    return name, params[name]


def _known_destination(live: Live, params: Params) -> tuple[str, str]:
    """The same; a prefix list must be there."""
    name, value = _destination(params)
    if name == "DestinationPrefixListId" and value not in live.ec2.managed_prefix_lists:
        raise Refusal("InvalidPrefixListID.NotFound", f"The prefix list ID '{value}' does not exist")
    return name, value


def _route(table: Any, destination: str) -> Any | None:
    return next((route for route in table.routes if destination in _named(route)), None)


def _named(route: Any) -> tuple[str, ...]:
    """What a route is for."""
    named = (route.destination_cidr_block, route.destination_ipv6_cidr_block, route.destination_prefix_list_id)
    return tuple(filter(None, named))


def _made(table: Any, destination: str) -> Any:
    if route := _route(table, destination):
        return route
    raise LookupError(f"moto made no route {destination} in {table.id}")


def _is_local(route: Any) -> bool:
    return bool(route.local) or getattr(route, "was_local", False)


def _check_target(live: Live, table: Any, params: Params, destination: str) -> None:
    named = [name for name in _TARGETS if params.get(name)]
    if len(named) != 1:
        code = "MissingParameter" if not named else "InvalidParameterCombination"
        raise Refusal(code, "The request must contain exactly one target")
    target = params[named[0]]
    if target in live.ec2.vpc_end_points and named[0] == "GatewayId":
        raise Refusal("InvalidParameterValue", f"The routes to {target} are changed through the endpoint only")
    if named[0] == "GatewayId" and not target.startswith(("vgw-", "vpce-")):
        gateway = live.ec2.internet_gateways.get(target)
        if gateway is None:
            raise Refusal("InvalidGatewayID.NotFound", f"The gateway ID '{target}' does not exist")
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            message = f"route table {table.id} and network gateway {target} belong to different networks"
            raise Refusal("InvalidParameterValue", message)
        if _is_inside(live, table.vpc_id, destination):
            message = (
                f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR "
            )
            message += "blocks. This route can target only an interface or an instance."
            raise Refusal("InvalidParameterValue", message)
    if named[0] == "EgressOnlyInternetGatewayId" and params.get("DestinationCidrBlock"):
        message = f"The route {destination} cannot lead to an egress-only internet gateway, which passes IPv6 only"
        raise Refusal("InvalidParameterValue", message)
    if named[0] in _GONE and not _is_there(live, named[0], target):
        raise Refusal(_GONE[named[0]], f"The ID '{target}' does not exist")


def _is_inside(live: Live, vpc_id: str, destination: str) -> bool:
    """Whether a destination is one of the VPC's networks, or a part of one."""
    if destination.startswith("pl-"):
        return False
    inner = ip_network(destination)
    blocks = map(ip_network, live.blocks(vpc_id, ipv6=inner.version == 6))
    return any(inner.subnet_of(each) for each in blocks)  # type: ignore[arg-type]  # of one version


def _target(params: Params) -> str:
    return next(str(params[name]) for name in _TARGETS if params.get(name))


def _targets_of(live: Live, table: Any, destination: str) -> set[str]:
    """The target of a route, by every name that AWS shows for it."""
    for route in _shown(live, table)["Routes"]:
        if destination in {route.get(name) for name in _DESTINATIONS}:
            return {str(route[name]) for name in _TARGETS if route.get(name)}
    return set()


def create_route(live: Live, params: Params) -> Answer:
    table = live.route_table(params["RouteTableId"])
    name, destination = _known_destination(live, params)
    if params.get("GatewayId") == "local":
        raise Refusal("InvalidGatewayID.NotFound", "The gateway ID 'local' does not exist")
    _check_target(live, table, params, destination)
    if (held := _route(table, destination)) is not None:
        if not _is_local(held) and _target(params) in _targets_of(live, table, destination):
            return {"Return": True}
        raise Refusal("RouteAlreadyExists", f"The route identified by {destination} already exists.")
    return _created(live, table, params, name, destination)


def lay(live: Live, table_id: str, destination: str, **target: str) -> None:
    """A route with a target that CreateRoute here need not know, as a newer AWS may have."""
    table = live.route_table(table_id)
    ((name, value),) = target.items()
    live.ec2.create_route(table.id, canonical.cidr4(destination))
    _made(table, destination).beside = (name, value)
    live.forget_answers()


def _created(live: Live, table: Any, params: Params, name: str, destination: str) -> Answer:
    of_family = [
        r for r in table.routes if not _is_local(r) and _family(live, r) == _family_of(live, name, destination)
    ]
    taken = sum(_weight(live, r.destination_prefix_list_id) for r in of_family)
    if taken + _weight(live, destination) > MOST_ROUTES:
        raise Refusal("RouteLimitExceeded", "The maximum number of routes has been reached.")
    answer = live.moto("ec2", "CreateRoute", {**without(params, *_BESIDE_MOTO), name: destination})
    _keep_beside(table, destination, params)
    return answer


def _keep_beside(table: Any, destination: str, params: Params) -> None:
    """The target that moto does not keep, or none any more."""
    beside = [(name, params[name]) for name in _BESIDE_MOTO if params.get(name)]
    _made(table, destination).beside = beside[0] if beside else None


def _weight(live: Live, destination: str | None) -> int:
    return list_weight(live, destination) if destination and destination in live.ec2.managed_prefix_lists else 1


def _family(live: Live, route: Any) -> str:
    name = "DestinationIpv6CidrBlock" if route.destination_ipv6_cidr_block else "DestinationCidrBlock"
    return _family_of(live, name, route.destination_prefix_list_id)


def _family_of(live: Live, name: str, destination: str | None) -> str:
    held = live.ec2.managed_prefix_lists.get(destination)
    if held is not None:
        return str(held.address_family)
    return "IPv6" if name == "DestinationIpv6CidrBlock" else "IPv4"


def replace_route(live: Live, params: Params) -> Answer:
    table = live.route_table(params["RouteTableId"])
    name, destination = _destination(params)
    route = _route(table, destination)
    if route is None:
        message = f"There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        raise Refusal("InvalidParameterValue", message)
    _refuse_endpoint_route(table, route)
    if params.get("LocalTarget"):
        if any(params.get(each) for each in _TARGETS):
            raise Refusal("InvalidParameterCombination", "LocalTarget cannot be used with another target")
        return _back_to_local(route, destination)
    _check_target(live, table, params, destination)
    if _is_local(route) and not any(params.get(each) for each in ("NetworkInterfaceId", "NatGatewayId")):
        message = f"The local route {destination} can only be replaced by a network interface or a NAT gateway"
        raise Refusal("InvalidParameterValue", message)
    answer = live.moto("ec2", "ReplaceRoute", {**without(params, "LocalTarget", *_BESIDE_MOTO), name: destination})
    _keep_beside(table, destination, params)
    if route.local:
        route.local, route.was_local = False, True
    return answer


def _refuse_endpoint_route(table: Any, route: Any) -> None:
    if is_endpoint_route(route):
        message = f"cannot change the VPC endpoint route {route.gateway.id} in route table {table.id}"
        raise Refusal("InvalidParameterValue", message)


def _back_to_local(route: Any, destination: str) -> Answer:
    if not _is_local(route):
        raise Refusal("InvalidParameterValue", f"The route {destination} is not a local route")
    route.gateway = route.nat_gateway = route.interface = route.instance = None
    route.local, route.was_local = True, False
    return {}


def delete_route(live: Live, params: Params) -> Answer:
    name, destination = _destination(params)
    table = live.ec2.route_tables.get(params["RouteTableId"])
    route = _route(table, destination) if table is not None else None
    if table is None or route is None:
        message = f"no route with {name} {destination} in route table {params['RouteTableId']}"
        raise Refusal("InvalidRoute.NotFound", message)
    if _is_local(route):
        message = f"cannot remove local route {destination} in route table {table.id}"
        raise Refusal("InvalidParameterValue", message)
    _refuse_endpoint_route(table, route)
    del table._routes[route.id]
    return {}


def create_table(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateRouteTable", params)
    if earlier is not None:
        return earlier
    live.vpc(params["VpcId"])
    answer = live.moto("ec2", "CreateRouteTable", params)
    table = live.route_table(answer["RouteTable"]["RouteTableId"])
    drop_former_routes(live, table)
    answer["RouteTable"] = _shown(live, table)
    live.remember_request("CreateRouteTable", params, answer)
    return answer


def delete_table(live: Live, params: Params) -> Answer:
    table = live.route_table(params["RouteTableId"])
    if table.main_association_id is not None:
        raise Refusal("DependencyViolation", f"The routeTable '{table.id}' has dependencies and cannot be deleted.")
    live.moto("ec2", "DeleteRouteTable", {"RouteTableId": table.id})
    for endpoint in live.ec2.vpc_end_points.values():
        endpoint.route_table_ids = [each for each in endpoint.route_table_ids if each != table.id]
    live.ec2.tags.pop(table.id, None)
    return {}


def associate(live: Live, params: Params) -> Answer:
    table = live.route_table(params["RouteTableId"])
    subnet_id = params.get("SubnetId")
    if subnet_id is None:
        return live.moto("ec2", "AssociateRouteTable", params)
    subnet = live.subnet(subnet_id)
    _same_vpc(table, subnet.vpc_id, f"subnet {subnet_id}")
    for other in live.ec2.route_tables.values():
        if subnet_id in other._associations.values() and other is not table:
            held = f"the specified association for route table {table.id} conflicts with an existing association"
            raise Refusal("Resource.AlreadyAssociated", held)
    answer = live.moto("ec2", "AssociateRouteTable", params)
    return {**answer, "AssociationState": {"State": "associated"}}


def _same_vpc(table: Any, vpc_id: str, what: str) -> None:
    if table.vpc_id != vpc_id:
        message = f"Route table {table.id} and {what} belong to different networks"
        raise Refusal("InvalidParameterValue", message)


def replace_association(live: Live, params: Params) -> Answer:
    holder = _holder(live, params["AssociationId"])
    table = live.route_table(params["RouteTableId"])
    _same_vpc(table, holder.vpc_id, f"association {params['AssociationId']}")
    answer = live.moto("ec2", "ReplaceRouteTableAssociation", params)
    return {**answer, "AssociationState": {"State": "associated"}}


def disassociate(live: Live, params: Params) -> Answer:
    association_id = params["AssociationId"]
    holder = _holder(live, association_id)
    if holder.main_association_id == association_id:
        message = f"cannot disassociate the main route table association {association_id}"
        raise Refusal("InvalidParameterValue", message)
    del holder._associations[association_id]
    return {}


def _holder(live: Live, association_id: str) -> Any:
    for table in live.ec2.route_tables.values():
        if association_id in table.all_associations_ids:
            return table
    raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist")


def describe(live: Live, params: Params) -> Answer:
    ids = params.get("RouteTableIds") or []
    needs_known(ids, live.ec2.route_tables, "InvalidRouteTableID.NotFound", "routeTable ID")
    answer = live.moto("ec2", "DescribeRouteTables", params)
    for shown in answer["RouteTables"]:
        table = live.route_table(shown["RouteTableId"])
        held = {name: route for route in table.routes for name in _named(route)}
        for route in shown["Routes"]:
            _mark(live, table, held, route)
        strict_propagation.show(live, table, shown)
    return answer


_PASSING = ("NatGatewayId", "EgressOnlyInternetGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId")
"""Targets that may be deleted while routes name them."""


def _is_there(live: Live, member: str, target: str) -> bool:
    """Whether the target of a route is there; moto keeps what was deleted, as deleted."""
    if member == "NatGatewayId":
        nat = live.ec2.nat_gateways.get(target)
        return nat is not None and nat.state not in ("deleted", "deleting", "failed")
    if member == "VpcPeeringConnectionId":
        peering = live.ec2.vpc_pcxs.get(target)
        return peering is not None and peering._status.code != "deleted"
    if member == "TransitGatewayId":
        return target in live.ec2.transit_gateways
    return target in (live.ec2.enis if member == "NetworkInterfaceId" else live.ec2.egress_only_internet_gateways)


def _shown(live: Live, table: Any) -> Answer:
    shown: Answer = describe(live, {"RouteTableIds": [table.id]})["RouteTables"][0]
    return shown


def _mark(live: Live, table: Any, by_destination: dict[str, Any], shown: Answer) -> None:
    destination = next(shown[name] for name in _DESTINATIONS if shown.get(name))
    held = by_destination.get(destination)
    if held is not None and _is_local(held):
        shown["Origin"] = "CreateRouteTable"
    name, beside = getattr(held, "beside", None) or ("", "")
    if name in _SHOWN:
        shown[name] = beside
    if any(shown.get(each) and not _is_there(live, each, shown[each]) for each in _PASSING):
        shown["State"] = "blackhole"
    target = shown.get("GatewayId", "")
    if target.startswith("igw-"):
        gateway = live.ec2.internet_gateways.get(target)
        attached = gateway is not None and gateway.vpc is not None and gateway.vpc.id == table.vpc_id
        shown["State"] = "active" if attached else "blackhole"


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateRouteTable": create_table,
    "DeleteRouteTable": delete_table,
    "DescribeRouteTables": describe,
    "CreateRoute": create_route,
    "ReplaceRoute": replace_route,
    "DeleteRoute": delete_route,
    "AssociateRouteTable": associate,
    "ReplaceRouteTableAssociation": replace_association,
    "DisassociateRouteTable": disassociate,
}
