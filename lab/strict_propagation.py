"""Routes that a VPN gateway propagates into route tables, as in AWS. Called by strict_aws and strict_routes.

A test says with StrictAws.learn which networks a gateway has learned.

Facts encoded (EC2 API reference, EnableVgwRoutePropagation, DisableVgwRoutePropagation, DescribeRouteTables; VPC User
Guide, "Route priority"): the gateway must be attached to the table's VPC (Gateway.NotAttached); learned routes have the
origin EnableVgwRoutePropagation and are not in the reach of CreateRoute, ReplaceRoute and DeleteRoute; a static route
to the same network wins, and here it alone is shown. Whether a repeat of either call is refused is not documented; here
it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lab import canonical
from lab.live import Answer, Live, Params
from lab.refusal import Refusal

ORIGIN = "EnableVgwRoutePropagation"


def learn(live: Live, gateway_id: str, networks: Iterable[str]) -> None:
    """The networks that a VPN gateway has learned, instead of those before."""
    _gateway(live, gateway_id).learned = [canonical.cidr4(each) for each in networks]


def _gateway(live: Live, gateway_id: str) -> Any:
    gateway = live.ec2.vpn_gateways.get(gateway_id)
    if gateway is None or gateway.state == "deleted":
        raise Refusal("InvalidVpnGatewayID.NotFound", f"The vpnGateway ID '{gateway_id}' does not exist")
    return gateway


def _is_attached(gateway: Any, vpc_id: str) -> bool:
    attachment = gateway.attachments.get(vpc_id)
    return attachment is not None and attachment.state == "attached"


def enable(live: Live, params: Params) -> Answer:
    table, gateway = live.route_table(params["RouteTableId"]), _gateway(live, params["GatewayId"])
    if not _is_attached(gateway, table.vpc_id):
        raise Refusal("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {table.vpc_id}")
    table.propagating = [*(each for each in _propagating(table) if each != gateway.id), gateway.id]
    return {}


def disable(live: Live, params: Params) -> Answer:
    table, gateway = live.route_table(params["RouteTableId"]), _gateway(live, params["GatewayId"])
    table.propagating = [each for each in _propagating(table) if each != gateway.id]
    return {}


def _propagating(table: Any) -> list[str]:
    held: list[str] = getattr(table, "propagating", [])
    return held


def show(live: Live, table: Any, shown: Answer) -> None:
    """Add PropagatingVgws and the learned routes to what DescribeRouteTables shows of a table."""
    gateways = [live.ec2.vpn_gateways[each] for each in _propagating(table) if each in live.ec2.vpn_gateways]
    shown["PropagatingVgws"] = [{"GatewayId": gateway.id} for gateway in gateways]
    taken = {route.get("DestinationCidrBlock") for route in shown["Routes"]}
    for gateway in gateways:
        if not _is_attached(gateway, table.vpc_id):
            continue
        for network in getattr(gateway, "learned", []):
            if network not in taken:
                taken.add(network)
                learned = {"DestinationCidrBlock": network, "GatewayId": gateway.id, "Origin": ORIGIN}
                shown["Routes"].append({**learned, "State": "active"})


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "EnableVgwRoutePropagation": enable,
    "DisableVgwRoutePropagation": disable,
}
