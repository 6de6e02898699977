"""Routes that a VPN gateway propagates into a table (EC2 API reference, EnableVgwRoutePropagation)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab.strict_aws import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]
OFFICE, HALL = "192.168.0.0/16", "192.168.7.0/24"


@pytest.fixture
def gateway(aws: StrictAws, ec2: Any, vpc: str) -> str:
    made = str(ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"])
    ec2.attach_vpn_gateway(VpnGatewayId=made, VpcId=vpc)
    aws.learn(made, [OFFICE])
    return made


@pytest.fixture
def table(ec2: Any, vpc: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])


def learned(ec2: Any, table: str) -> dict[str, tuple[str, str, str]]:
    (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {
        route["DestinationCidrBlock"]: (route["GatewayId"], route["Origin"], route["State"])
        for route in found["Routes"]
        if route["Origin"] != "CreateRouteTable"
    }


def propagating(ec2: Any, table: str) -> list[str]:
    (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return [each["GatewayId"] for each in found["PropagatingVgws"]]


def enable(ec2: Any, gateway: str, table: str) -> None:
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)


def test_every_table_says_what_propagates_into_it(ec2: Any, gateway: str, table: str) -> None:
    assert [each["PropagatingVgws"] for each in ec2.describe_route_tables()["RouteTables"]] == [[]] * 3
    enable(ec2, gateway, table)
    assert propagating(ec2, table) == [gateway]


def test_a_table_shows_what_the_gateway_has_learned(aws: StrictAws, ec2: Any, gateway: str, table: str) -> None:
    assert learned(ec2, table) == {}
    enable(ec2, gateway, table)
    assert learned(ec2, table) == {OFFICE: (gateway, "EnableVgwRoutePropagation", "active")}
    aws.learn(gateway, [HALL])
    assert list(learned(ec2, table)) == [HALL]
    ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert (learned(ec2, table), propagating(ec2, table)) == ({}, [])


def test_a_repeat_changes_nothing(ec2: Any, gateway: str, table: str) -> None:
    for _ in range(2):
        enable(ec2, gateway, table)
    assert propagating(ec2, table) == [gateway]
    for _ in range(2):
        ec2.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)
    assert propagating(ec2, table) == []


def test_a_gateway_that_is_not_attached_propagates_nothing(
    ec2: Any, vpc: str, gateway: str, table: str, refused: Refused
) -> None:
    enable(ec2, gateway, table)
    ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    assert learned(ec2, table) == {}
    with refused("Gateway.NotAttached"):
        enable(ec2, gateway, table)


def test_what_is_not_there_is_refused(ec2: Any, gateway: str, table: str, refused: Refused) -> None:
    with refused("InvalidVpnGatewayID.NotFound"):
        enable(ec2, "vgw-0123456789abcdef0", table)
    with refused("InvalidRouteTableID.NotFound"):
        enable(ec2, gateway, "rtb-0123456789abcdef0")


def test_a_learned_route_is_out_of_reach_and_a_static_one_wins(
    ec2: Any, vpc: str, gateway: str, table: str, refused: Refused
) -> None:
    enable(ec2, gateway, table)
    to = {"RouteTableId": table, "DestinationCidrBlock": OFFICE}
    with refused("InvalidRoute.NotFound"):
        ec2.delete_route(**to)
    with refused("InvalidParameterValue"):
        ec2.replace_route(**to, GatewayId=gateway)
    internet = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=vpc)
    ec2.create_route(**to, GatewayId=internet)
    assert learned(ec2, table) == {OFFICE: (internet, "CreateRoute", "active")}
    ec2.delete_route(**to)
    assert learned(ec2, table) == {OFFICE: (gateway, "EnableVgwRoutePropagation", "active")}


def test_propagation_is_saved_and_restored(aws: StrictAws, ec2: Any, gateway: str, table: str) -> None:
    before = aws.save()
    enable(ec2, gateway, table)
    after = aws.save()
    aws.restore(before)
    assert learned(ec2, table) == {}
    aws.restore(after)
    aws.learn(gateway, [HALL])
    assert list(learned(ec2, table)) == [HALL]
    aws.restore(after)
    assert list(learned(ec2, table)) == [OFFICE]
