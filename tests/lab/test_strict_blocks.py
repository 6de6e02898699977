"""Secondary networks and IPv6-only subnets, against what AWS does (VPC User Guide, "VPC CIDR blocks")."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]
SECOND = "100.64.0.0/16"


def associate(ec2: Any, vpc: str, block: str = SECOND) -> dict[str, Any]:
    return dict(ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=block)["CidrBlockAssociation"])


def shown(ec2: Any, vpc: str) -> dict[str, str]:
    held = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]
    return {each["CidrBlock"]: each["CidrBlockState"]["State"] for each in held}


def local_routes(ec2: Any, vpc: str) -> list[list[str]]:
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    for route in (route for table in tables for route in table["Routes"]):
        assert (route["GatewayId"], route["Origin"], route["State"]) == ("local", "CreateRouteTable", "active")
    return [[route["DestinationCidrBlock"] for route in table["Routes"]] for table in tables]


def test_a_second_network_is_associated_and_every_table_gets_its_local_route(ec2: Any, vpc: str) -> None:
    ec2.create_route_table(VpcId=vpc)
    made = associate(ec2, vpc)
    assert (made["CidrBlock"], made["CidrBlockState"]["State"]) == (SECOND, "associating")
    assert shown(ec2, vpc) == {"10.0.0.0/16": "associated", SECOND: "associated"}
    ec2.create_route_table(VpcId=vpc)
    assert local_routes(ec2, vpc) == [["10.0.0.0/16", SECOND]] * 3


def test_a_subnet_lies_in_any_network_of_its_vpc(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidSubnet.Range"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="100.64.1.0/24")
    associate(ec2, vpc)
    assert ec2.create_subnet(VpcId=vpc, CidrBlock="100.64.1.0/24")["Subnet"]["CidrBlock"] == "100.64.1.0/24"


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("100.64.0.5/16", "InvalidParameterValue"),  # host bits
        ("100.64.0.0/15", "InvalidVpc.Range"),
        ("100.64.0.0/29", "InvalidVpc.Range"),
        ("10.0.128.0/20", "InvalidVpc.Range"),  # inside the VPC's own
        ("10.0.0.0/16", "InvalidVpc.Range"),
        ("172.16.0.0/16", "InvalidVpc.Range"),  # another private range than the VPC's
        ("192.168.0.0/16", "InvalidVpc.Range"),
        ("198.19.0.0/16", "InvalidVpc.Range"),
        ("169.254.0.0/16", "InvalidVpc.Range"),
    ],
)
def test_a_network_that_overlaps_is_restricted_or_is_none_is_refused(
    ec2: Any, vpc: str, refused: Refused, block: str, code: str
) -> None:
    with refused(code):
        associate(ec2, vpc, block)
    assert shown(ec2, vpc) == {"10.0.0.0/16": "associated"}


def test_another_part_of_the_same_range_and_a_public_one_are_taken(ec2: Any, vpc: str) -> None:
    associate(ec2, vpc, "10.7.0.0/16")
    associate(ec2, vpc, "203.0.112.0/20")
    assert list(shown(ec2, vpc)) == ["10.0.0.0/16", "10.7.0.0/16", "203.0.112.0/20"]


def test_a_network_as_large_as_the_destination_of_a_route_is_refused(ec2: Any, vpc: str, refused: Refused) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.7.0.0/24", GatewayId=gateway)
    for block in ("10.7.0.0/16", "10.7.0.0/24"):
        with refused("InvalidVpc.Range"):
            associate(ec2, vpc, block)
    associate(ec2, vpc, "10.7.0.0/25")


def test_a_vpc_has_five_networks(ec2: Any, vpc: str, refused: Refused) -> None:
    for number in range(1, 5):
        associate(ec2, vpc, f"10.{number}.0.0/16")
    with refused("CidrLimitExceeded"):
        associate(ec2, vpc, "10.5.0.0/16")


def test_a_network_goes_when_no_subnet_is_in_it(ec2: Any, vpc: str, refused: Refused) -> None:
    made = associate(ec2, vpc)["AssociationId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="100.64.1.0/24")["Subnet"]["SubnetId"]
    with refused("DependencyViolation"):
        ec2.disassociate_vpc_cidr_block(AssociationId=made)
    ec2.delete_subnet(SubnetId=subnet)
    answer = ec2.disassociate_vpc_cidr_block(AssociationId=made)["CidrBlockAssociation"]
    assert answer["CidrBlockState"]["State"] == "disassociating"
    assert shown(ec2, vpc) == {"10.0.0.0/16": "associated", SECOND: "disassociated"}
    ec2.create_route_table(VpcId=vpc)
    assert local_routes(ec2, vpc) == [["10.0.0.0/16"]] * 2
    with refused("InvalidSubnet.Range"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="100.64.1.0/24")
    with refused("InvalidVpcCidrBlockAssociationID.NotFound"):
        ec2.disassociate_vpc_cidr_block(AssociationId=made)
    associate(ec2, vpc)
    assert shown(ec2, vpc) == {"10.0.0.0/16": "associated", SECOND: "associated"}


def test_the_first_network_stays(ec2: Any, vpc: str, refused: Refused) -> None:
    first = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    with refused("OperationNotPermitted"):
        ec2.disassociate_vpc_cidr_block(AssociationId=first)


def test_a_subnet_with_ipv6_only_is_shown_without_a_network(ec2: Any, vpc6: str, refused: Refused) -> None:
    """EC2 API reference, Subnet: CidrBlock is there only if the subnet has one."""
    block = ec2.describe_vpcs(VpcIds=[vpc6])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    own = block.replace("/56", "/64")
    with refused("InvalidSubnet.Range"):
        ec2.create_subnet(VpcId=vpc6, Ipv6Native=True, Ipv6CidrBlock="2001:db8::/64")
    with refused("InvalidParameterCombination"):
        ec2.create_subnet(VpcId=vpc6, Ipv6Native=True, Ipv6CidrBlock=own, CidrBlock="10.6.1.0/24")
    made = ec2.create_subnet(VpcId=vpc6, Ipv6Native=True, Ipv6CidrBlock=own)["Subnet"]
    (found,) = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert "CidrBlock" not in made
    assert "CidrBlock" not in found
    assert found["Ipv6Native"] is True
    assert [each["Ipv6CidrBlock"] for each in found["Ipv6CidrBlockAssociationSet"]] == [own]
    ec2.create_subnet(VpcId=vpc6, CidrBlock="10.6.1.0/24")


@pytest.mark.parametrize("hextets", ["0f25:1e", "0000:00", "ffff:0a"])
def test_a_block_that_amazon_provides_is_shown_without_leading_zeros(
    ec2: Any, vpc: str, monkeypatch: pytest.MonkeyPatch, hextets: str
) -> None:
    """RFC 5952; every hextet of the emulator's own draw has four digits."""
    monkeypatch.setattr("lab.patched_moto._drawn", lambda: f"2400:6500:{hextets}00::/56")
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (held,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
    assert held["Ipv6CidrBlock"] == str(ipaddress.ip_network(held["Ipv6CidrBlock"]))
    own = held["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = ec2.create_subnet(VpcId=vpc, Ipv6Native=True, Ipv6CidrBlock=own)["Subnet"]
    assert [each["Ipv6CidrBlock"] for each in subnet["Ipv6CidrBlockAssociationSet"]] == [own]
    (shown,) = ec2.describe_subnets(SubnetIds=[subnet["SubnetId"]])["Subnets"]
    assert [each["Ipv6CidrBlockState"] for each in shown["Ipv6CidrBlockAssociationSet"]] == [{"State": "associated"}]


def test_a_network_of_ipv6_lets_ipv6_through_the_default_acl(ec2: Any, vpc: str) -> None:
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (acl,) = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    assert sorted(each["RuleNumber"] for each in acl["Entries"] if not each["Egress"]) == [100, 101, 32767, 32768]
