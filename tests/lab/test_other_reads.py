"""The looks at what stands beside a network: their filters, ids and pages (EC2 API reference, the Describe calls)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab.other_reads import LOOKS
from lab.strict_aws import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]
FILTER = {"DescribeNatGateways": "Filter", "DescribeFlowLogs": "Filter"}
OF_A_VPC = {
    "DescribeNetworkInterfaces": "vpc-id",
    "DescribeNatGateways": "vpc-id",
    "DescribeVpcEndpoints": "vpc-id",
    "DescribeVpcPeeringConnections": "requester-vpc-info.vpc-id",
    "DescribeTransitGatewayVpcAttachments": "vpc-id",
    "DescribeVpnGateways": "attachment.vpc-id",
    "DescribeFlowLogs": "resource-id",
}


def method(operation: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in operation).lstrip("_")


def look(ec2: Any, operation: str, name: str | None = None, *values: str) -> list[dict[str, Any]]:
    filters = {FILTER.get(operation, "Filters"): [{"Name": name, "Values": list(values)}]} if name else {}
    return list(getattr(ec2, method(operation))(**filters)[LOOKS[operation].key])


@pytest.fixture
def furnished(ec2: Any, vpc: str, subnets: list[str], other_vpc: str) -> tuple[str, str]:
    """Two VPCs with one thing of every kind in each of them."""
    transit = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    for each in (vpc, other_vpc):
        inside = (
            subnets[0] if each == vpc else ec2.create_subnet(VpcId=each, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        )
        ec2.create_nat_gateway(SubnetId=inside, ConnectivityType="private")
        ec2.create_vpc_endpoint(VpcId=each, ServiceName="com.amazonaws.ap-northeast-2.s3")
        ec2.create_vpc_peering_connection(VpcId=each, PeerVpcId=other_vpc if each == vpc else vpc)
        ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=transit, VpcId=each, SubnetIds=[inside])
        gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        ec2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=each)
        ec2.create_egress_only_internet_gateway(VpcId=each)
        ec2.create_flow_logs(
            ResourceIds=[each],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="cloud-watch-logs",
            LogGroupName=f"/flow/{each}",
            DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow",
        )
    return vpc, other_vpc


@pytest.mark.parametrize("operation", sorted(OF_A_VPC))
def test_the_filter_by_vpc_finds_what_is_in_that_vpc(ec2: Any, furnished: tuple[str, str], operation: str) -> None:
    whole = look(ec2, operation)
    assert len(whole) == 2
    parts = [look(ec2, operation, OF_A_VPC[operation], vpc) for vpc in furnished]
    assert [len(part) for part in parts] == [1, 1]
    assert sorted(map(str, whole)) == sorted(str(part[0]) for part in parts)
    assert look(ec2, operation, OF_A_VPC[operation], "vpc-0123456789abcdef0") == []
    assert len(look(ec2, operation, OF_A_VPC[operation], "vpc-*")) == 2


def test_egress_only_gateways_are_found_without_a_filter(
    ec2: Any, furnished: tuple[str, str], refused: Refused
) -> None:
    found = look(ec2, "DescribeEgressOnlyInternetGateways")
    assert [each["Attachments"][0]["VpcId"] for each in found] == list(furnished)
    with refused("InvalidParameterValue"):
        look(ec2, "DescribeEgressOnlyInternetGateways", "attachment.vpc-id", furnished[0])


@pytest.mark.parametrize("operation", sorted(LOOKS))
def test_a_filter_that_aws_does_not_have_is_refused(
    ec2: Any, furnished: tuple[str, str], refused: Refused, operation: str
) -> None:
    with refused("InvalidParameterValue"):
        look(ec2, operation, "no-such-filter", "x")


@pytest.mark.parametrize("operation", sorted(LOOKS))
def test_an_unknown_id_is_an_error_and_a_known_one_is_found(
    ec2: Any, furnished: tuple[str, str], refused: Refused, operation: str
) -> None:
    one = LOOKS[operation]
    first = look(ec2, operation)[0]
    found = getattr(ec2, method(operation))(**{one.ids_parameter: [first[one.id_member]]})[one.key]
    assert found == [first]
    unknown = first[one.id_member][:-8] + "00000000"
    with refused(one.unknown):
        getattr(ec2, method(operation))(**{one.ids_parameter: [unknown]})


@pytest.mark.parametrize("operation", sorted(set(LOOKS) - {"DescribeVpnGateways"}))
def test_the_looks_come_in_pages(ec2: Any, subnets: list[str], vpc: str, operation: str) -> None:
    for _ in range(6):
        ec2.create_network_interface(SubnetId=subnets[0])
        ec2.create_nat_gateway(SubnetId=subnets[0], ConnectivityType="private")
        ec2.create_egress_only_internet_gateway(VpcId=ec2.create_vpc(CidrBlock="10.8.0.0/24")["Vpc"]["VpcId"])
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.ap-northeast-2.s3")
    whole = look(ec2, operation)
    pages = list(ec2.get_paginator(method(operation)).paginate(PaginationConfig={"PageSize": 5}))
    assert [each for page in pages for each in page[LOOKS[operation].key]] == whole
    assert len(pages) == max(1, -(-len(whole) // 5))


def test_tags_are_filters(ec2: Any, furnished: tuple[str, str]) -> None:
    first = look(ec2, "DescribeNatGateways")[0]
    ec2.create_tags(Resources=[first["NatGatewayId"]], Tags=[{"Key": "team", "Value": "shop"}])
    for name, value in (("tag:team", "shop"), ("tag-key", "team")):
        assert [each["NatGatewayId"] for each in look(ec2, "DescribeNatGateways", name, value)] == [
            first["NatGatewayId"]
        ]


def test_the_interfaces_of_services_are_told_from_those_of_machines(
    aws: StrictAws, ec2: Any, rds: Any, vpc: str, subnets: list[str]
) -> None:
    machine = ec2.create_network_interface(SubnetId=subnets[1])["NetworkInterface"]["NetworkInterfaceId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], ConnectivityType="private")["NatGateway"]
    service = "com.amazonaws.ap-northeast-2.sqs"
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=service,
        VpcEndpointType="Interface",
        SubnetIds=subnets[:1],
        PrivateDnsEnabled=False,
    )
    spread = [subnets[0], subnets[2]]
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="Two zones", SubnetIds=spread)
    rds.create_db_instance(
        DBInstanceIdentifier="app",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        DBSubnetGroupName="data",
    )
    found = look(ec2, "DescribeNetworkInterfaces", "vpc-id", vpc)
    kinds = sorted((each["InterfaceType"], each["RequesterManaged"], each["Description"][:24]) for each in found)
    assert [kind[:2] for kind in kinds] == [
        ("interface", False),
        ("interface", True),
        ("nat_gateway", True),
        ("vpc_endpoint", True),
    ]
    (database,) = look(ec2, "DescribeNetworkInterfaces", "description", "RDSNetworkInterface")
    assert (database["SubnetId"], database["RequesterId"]) == (subnets[0], "amazon-rds")
    assert [each["NetworkInterfaceId"] for each in found if not each["RequesterManaged"]] == [machine]
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    assert len(look(ec2, "DescribeNetworkInterfaces", "vpc-id", vpc)) == 3
