"""Every kind of target that AWS shows in a table, and how it comes into one of the laboratory's."""

from __future__ import annotations

from botocore.loaders import create_loader

from lab import strict_routes
from tests.support.cases import Deed

TABLE = "route_table/PrivateRouteTable"
SOMEWHERE = "172.16.0.0/12"
SHAPE = create_loader().load_service_model("ec2", "service-2")["shapes"]["Route"]["members"]
NO_TARGETS = {
    "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "InstanceOwnerId", "Origin", "State",
}  # fmt: skip
DECLARED = {
    "LocalGatewayId": "lgw-0a1b2c3d4e5f60718",
    "CarrierGatewayId": "cagw-0a1b2c3d4e5f60718",
    "CoreNetworkArn": "arn:aws:networkmanager::123456789012:core-network/core-network-0fab1c2d3e4f5a6b7",
    "OdbNetworkArn": "arn:aws:odb:ap-northeast-2:123456789012:odb-network/odbnet_a1b2c3d4e5",
}
ELSEWHERE = {
    "GatewayId": "vgw-0a1b2c3d4e5f60718",
    "NatGatewayId": "nat-0a1b2c3d4e5f60718",
    "VpcPeeringConnectionId": "pcx-0a1b2c3d4e5f60718",
    "TransitGatewayId": "tgw-0a1b2c3d4e5f60718",
    "NetworkInterfaceId": "eni-0a1b2c3d4e5f60718",
}
"""Targets that documents could always name; the reference tests of route tables correct routes to them."""
EGRESS_ONLY = "EgressOnlyInternetGatewayId"
INSTANCE = {"InstanceId": "i-0a1b2c3d4e5f60718"}
"""AWS shows it beside its interface, which is what a document names."""
UNKNOWN = {"IpAddress": "10.9.8.7", "SatelliteGatewayId": "satgw-0a1b2c3d4e5f60718"}
"""Targets that no call of Setpoint makes a route to; botocore does not even know the last one, and drops it."""


def laid(name: str, target: str) -> Deed:
    """Somebody's route to that target."""
    return lambda net: strict_routes.lay(net.lab._live, net.id(TABLE), SOMEWHERE, **{name: target})


def shown_as(name: str, target: str) -> str:
    """What a document calls it."""
    return target if name in SHAPE else "unknown"
