"""NAT gateways: pending, failed later, deleted and still shown; and the addresses that they use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def at_once_again(aws: StrictAws) -> Iterator[None]:
    yield
    aws.arrive_after, aws.meanwhile = 0, "accepted"


@pytest.fixture
def outside(ec2: Any, vpc: str, subnets: list[str]) -> str:
    """A subnet of a VPC that has an internet gateway."""
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return subnets[0]


@pytest.fixture
def address(ec2: Any) -> str:
    return str(ec2.allocate_address(Domain="vpc")["AllocationId"])


def create(ec2: Any, subnet: str, address: str, **more: Any) -> Any:
    return ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **more)["NatGateway"]


def look(ec2: Any, nat: str) -> Any:
    return ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]


def states(ec2: Any, nat: str, times: int) -> list[str]:
    return [look(ec2, nat)["State"] for _ in range(times)]


def association(ec2: Any, address: str) -> str | None:
    found: str | None = ec2.describe_addresses(AllocationIds=[address])["Addresses"][0].get("AssociationId")
    return found


def test_a_new_gateway_is_pending_and_then_available(aws: StrictAws, ec2: Any, outside: str, address: str) -> None:
    aws.arrive_after = 2
    made = create(ec2, outside, address)
    assert [made["State"], *states(ec2, made["NatGatewayId"], 3)] == ["pending", "pending", "pending", "available"]
    assert (made["ConnectivityType"], made["NatGatewayAddresses"][0]["IsPrimary"]) == ("public", True)


def test_a_gateway_without_a_way_out_fails_later(aws: StrictAws, ec2: Any, subnets: list[str], address: str) -> None:
    aws.arrive_after = 1
    made = create(ec2, subnets[0], address)
    assert "FailureCode" not in made
    assert states(ec2, made["NatGatewayId"], 2) == ["pending", "failed"]
    shown = look(ec2, made["NatGatewayId"])
    assert (shown["FailureCode"], shown["NatGatewayAddresses"][0]["AllocationId"]) == ("Gateway.NotAttached", address)
    assert association(ec2, address) is None


def test_an_address_in_use_or_unknown_is_a_failure_that_comes_later(ec2: Any, outside: str, address: str) -> None:
    create(ec2, outside, address)
    second, third = create(ec2, outside, address), create(ec2, outside, "eipalloc-0123456789abcdef0")
    codes = [look(ec2, each["NatGatewayId"])["FailureCode"] for each in (second, third)]
    assert codes == ["Resource.AlreadyAssociated", "InvalidAllocationID.NotFound"]


def test_a_deleted_gateway_is_shown_with_its_address_for_an_hour(
    aws: StrictAws, ec2: Any, outside: str, address: str, refused: Refused
) -> None:
    nat = create(ec2, outside, address)["NatGatewayId"]
    aws.arrive_after = 1
    ec2.delete_nat_gateway(NatGatewayId=nat)
    assert states(ec2, nat, 2) == ["deleting", "deleted"]
    assert look(ec2, nat)["NatGatewayAddresses"][0]["AllocationId"] == address
    assert association(ec2, address) is None
    with refused("NatGatewayNotFound"):
        ec2.delete_nat_gateway(NatGatewayId=nat)
    aws.an_hour_later()
    with refused("NatGatewayNotFound"):
        look(ec2, nat)
    assert create(ec2, outside, address)["NatGatewayAddresses"][0]["AllocationId"] == address


def test_a_client_token_makes_one_gateway_and_a_dry_run_none(
    ec2: Any, outside: str, address: str, refused: Refused
) -> None:
    with refused("DryRunOperation"):
        create(ec2, outside, address, DryRun=True)
    made = {create(ec2, outside, address, ClientToken="once")["NatGatewayId"] for _ in range(2)}
    assert {each["NatGatewayId"] for each in ec2.describe_nat_gateways()["NatGateways"]} == made
    assert len(made) == 1


def test_an_address_in_use_is_not_released_nor_its_subnet_deleted(
    ec2: Any, outside: str, address: str, refused: Refused
) -> None:
    nat = create(ec2, outside, address)["NatGatewayId"]
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=address)
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=outside)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)
    with refused("InvalidAllocationID.NotFound"):
        ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=outside)


@pytest.mark.parametrize("gone", ["failed", "deleted"])
def test_no_route_is_made_to_a_gateway_that_is_gone_and_an_old_one_is_a_black_hole(
    aws: StrictAws, ec2: Any, vpc: str, outside: str, address: str, gone: str, refused: Refused
) -> None:
    nat = create(ec2, outside, address)["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    aws.network_state(nat, gone)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert [each["State"] for each in routes if each.get("NatGatewayId")] == ["blackhole"]
    with refused("InvalidNatGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", NatGatewayId=nat)


def test_a_route_to_a_gateway_that_is_pending_is_taken_or_not(
    aws: StrictAws, ec2: Any, vpc: str, outside: str, address: str, refused: Refused
) -> None:
    aws.arrive_after, aws.meanwhile = 1, "unknown"
    nat = create(ec2, outside, address)["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    with refused("InvalidNatGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"AllocationId": "eipalloc-0123456789abcdef0", "ConnectivityType": "private"}, "InvalidParameterCombination"),
        ({"AvailabilityMode": "regional"}, "NotModelled"),
        ({"SecondaryAllocationIds": ["eipalloc-0123456789abcdef0"]}, "NotModelled"),
    ],
)
def test_a_gateway_that_cannot_be_is_refused(
    ec2: Any, outside: str, refused: Refused, params: dict[str, Any], code: str
) -> None:
    with refused(code):
        ec2.create_nat_gateway(SubnetId=outside, **params)
