"""VPCs, subnets, gateways and tags, row by row, against what AWS does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]


def dns(ec2: Any, vpc: str) -> tuple[bool, bool]:
    support = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]
    names = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    return support, names


def test_host_bits_of_a_vpc_are_cleared(ec2: Any) -> None:
    made = ec2.create_vpc(CidrBlock="100.68.0.18/18")["Vpc"]
    assert ec2.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]["CidrBlock"] == "100.68.0.0/18"


@pytest.mark.parametrize("block", ["10.0.0.0/15", "10.0.0.0/29"])
def test_a_vpc_is_a_sixteen_to_a_twenty_eight(ec2: Any, block: str, refused: Refused) -> None:
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock=block)


def test_a_new_vpc_resolves_names_but_gives_none(ec2: Any, vpc: str) -> None:
    assert dns(ec2, vpc) == (True, False)


def test_one_attribute_a_modify(ec2: Any, vpc: str, refused: Refused) -> None:
    on = {"Value": True}
    with refused("InvalidParameterCombination"):
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport=on, EnableDnsHostnames=on)
    with refused("MissingParameter"):
        ec2.modify_vpc_attribute(VpcId=vpc)
    assert dns(ec2, vpc) == (True, False)


def test_dns_host_names_need_dns_support(ec2: Any, vpc: str, refused: Refused) -> None:
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    with refused("InvalidParameterCombination"):
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert dns(ec2, vpc) == (False, False)


def test_dns_support_cannot_go_before_dns_host_names(ec2: Any, vpc: str, refused: Refused) -> None:
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    with refused("InvalidParameterCombination"):
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert dns(ec2, vpc) == (True, True)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    assert dns(ec2, vpc) == (False, False)


@pytest.mark.parametrize("what", ["gateway", "group", "acl", "subnet", "table"])
def test_a_vpc_with_something_in_it_cannot_be_deleted(ec2: Any, vpc: str, what: str, refused: Refused) -> None:
    if what == "gateway":
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    elif what == "group":
        ec2.create_security_group(VpcId=vpc, GroupName="g", Description="d")
    elif what == "acl":
        ec2.create_network_acl(VpcId=vpc)
    elif what == "subnet":
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    else:
        ec2.create_route_table(VpcId=vpc)
    with refused("DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    assert len(ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]) == 1


def test_a_deleted_vpc_takes_its_default_acl_with_it(ec2: Any, vpc: str, refused: Refused) -> None:
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"] == []
    with refused("InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=[vpc])


def test_an_unknown_filter_is_refused(ec2: Any, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.describe_vpcs(Filters=[{"Name": "colour", "Values": ["red"]}])


# Subnets


def test_host_bits_of_a_subnet_are_cleared_and_no_public_address_is_mapped(ec2: Any, vpc: str) -> None:
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.7/24")["Subnet"]
    (subnet,) = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert (subnet["CidrBlock"], subnet["MapPublicIpOnLaunch"]) == ("10.0.1.0/24", False)
    assert subnet["AvailabilityZone"].startswith("ap-northeast-2")


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ({"CidrBlock": "10.0.1.0/29"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range"),
        ({"CidrBlock": "10.0.1.128/25"}, "InvalidSubnet.Conflict"),
        ({"CidrBlock": "10.0.9.0/24", "AvailabilityZone": "us-east-1a"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.9.0/33"}, "InvalidParameterValue"),
    ],
)
def test_a_subnet_aws_would_refuse_is_refused(
    ec2: Any, vpc: str, place: dict[str, str], code: str, refused: Refused
) -> None:
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    with refused(code):
        ec2.create_subnet(VpcId=vpc, **place)
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]) == 1


def test_one_subnet_attribute_a_modify(ec2: Any, subnets: list[str], refused: Refused) -> None:
    on = {"Value": True}
    with refused("InvalidParameterCombination"):
        ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch=on, AssignIpv6AddressOnCreation=on)
    assert ec2.describe_subnets(SubnetIds=[subnets[0]])["Subnets"][0]["MapPublicIpOnLaunch"] is False
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch=on)
    assert ec2.describe_subnets(SubnetIds=[subnets[0]])["Subnets"][0]["MapPublicIpOnLaunch"] is True


def test_a_subnet_with_an_interface_cannot_be_deleted(ec2: Any, subnets: list[str], refused: Refused) -> None:
    ec2.create_network_interface(SubnetId=subnets[0])
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnets[0])


def test_a_deleted_subnet_leaves_no_association_behind(ec2: Any, vpc: str, subnets: list[str]) -> None:
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    ec2.delete_subnet(SubnetId=subnets[0])
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnets[0]]}]
    assert ec2.describe_network_acls(Filters=by_subnet)["NetworkAcls"] == []
    assert ec2.describe_route_tables(Filters=by_subnet)["RouteTables"] == []


# Gateways


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    made = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
    return made


def attached(ec2: Any, gateway: str) -> list[str]:
    (shown,) = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    return [each["VpcId"] for each in shown["Attachments"]]


def test_a_vpc_has_one_gateway(ec2: Any, vpc: str, gateway: str, refused: Refused) -> None:
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue"):
        ec2.attach_internet_gateway(InternetGatewayId=second, VpcId=vpc)
    assert (attached(ec2, gateway), attached(ec2, second)) == ([vpc], [])


def test_a_gateway_has_one_vpc(ec2: Any, vpc: str, gateway: str, other_vpc: str, refused: Refused) -> None:
    with refused("Resource.AlreadyAssociated"):
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=other_vpc)
    assert attached(ec2, gateway) == [vpc]


def test_only_an_attached_gateway_is_detached(ec2: Any, vpc: str, gateway: str, refused: Refused) -> None:
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    with refused("Gateway.NotAttached"):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)


def test_an_attached_gateway_cannot_be_deleted(ec2: Any, vpc: str, gateway: str, refused: Refused) -> None:
    with refused("DependencyViolation"):
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    with refused("InvalidInternetGatewayID.NotFound"):
        ec2.describe_internet_gateways(InternetGatewayIds=[gateway])


def test_a_gateway_with_mapped_addresses_is_not_detached(
    ec2: Any, vpc: str, gateway: str, subnets: list[str], refused: Refused
) -> None:
    eni = ec2.create_network_interface(SubnetId=subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    held = ec2.associate_address(AllocationId=address, NetworkInterfaceId=eni)["AssociationId"]
    with refused("DependencyViolation"):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert attached(ec2, gateway) == [vpc]
    ec2.disassociate_address(AssociationId=held)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert attached(ec2, gateway) == []


def test_a_gateway_of_a_public_database_is_detached_by_outsiders_only(
    aws: StrictAws, ec2: Any, rds: Any, vpc: str, gateway: str, subnets: list[str], refused: Refused
) -> None:
    """AWS refuses everybody; but all drifts of the laboratory fit into one network."""
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="main",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="g",
        PubliclyAccessible=True,
    )
    with refused("DependencyViolation"):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    aws.outsider().client("ec2").detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert attached(ec2, gateway) == []


# Tags and dry runs


def tags(ec2: Any, vpc: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]}


def test_a_reserved_tag_key_is_refused(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "ok", "Value": ""}, {"Key": "aws:mine", "Value": ""}])
    with refused("InvalidParameterValue"):
        ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "aws:mine"}])
    assert tags(ec2, vpc) == {}


@pytest.mark.parametrize(("key", "value"), [("k" * 128, ""), ("", "v"), ("k", "v" * 257)])
def test_a_tag_that_is_too_long_is_refused(ec2: Any, vpc: str, key: str, value: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": key, "Value": value}])


def test_fifty_tags_a_resource(ec2: Any, vpc: str, refused: Refused) -> None:
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    with refused("TagLimitExceeded"):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "one-more", "Value": ""}])
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "k0", "Value": "overwritten"}])
    assert (len(tags(ec2, vpc)), tags(ec2, vpc)["k0"]) == (50, "overwritten")


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "aws:k", "Value": "v"}], "InvalidParameterValue"),
        ([{"Key": "k", "Value": "v"}, {"Key": "k", "Value": "w"}], "InvalidParameterValue"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "TagLimitExceeded"),
    ],
)
def test_tags_aws_would_refuse_make_nothing(
    ec2: Any, vpc: str, tags: list[dict[str, str]], code: str, refused: Refused
) -> None:
    with refused(code):
        ec2.create_subnet(
            VpcId=vpc, CidrBlock="10.0.1.0/24", TagSpecifications=[{"ResourceType": "subnet", "Tags": tags}]
        )
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"] == []


def test_a_specification_must_name_the_type_that_is_made(ec2: Any, refused: Refused) -> None:
    before = len(ec2.describe_vpcs()["Vpcs"])
    with refused("InvalidParameterValue"):
        ec2.create_vpc(
            CidrBlock="10.0.0.0/16",
            TagSpecifications=[{"ResourceType": "subnet", "Tags": [{"Key": "k", "Value": "v"}]}],
        )
    assert len(ec2.describe_vpcs()["Vpcs"]) == before


def test_tags_are_deleted_by_key_by_value_or_altogether(ec2: Any, vpc: str) -> None:
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": key, "Value": "v"} for key in "abcd"])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "a"}, {"Key": "b", "Value": ""}, {"Key": "c", "Value": "v"}])
    assert sorted(tags(ec2, vpc)) == ["b", "d"]
    ec2.delete_tags(Resources=[vpc])
    assert tags(ec2, vpc) == {}


def test_an_unknown_resource_cannot_be_tagged(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidVpcID.NotFound"):
        ec2.create_tags(Resources=[vpc, "vpc-0123456789abcdef0"], Tags=[{"Key": "k", "Value": "v"}])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.create_tags(Resources=[vpc, "sgr-0123456789abcdef0"], Tags=[{"Key": "k", "Value": "v"}])
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[vpc] * 1001, Tags=[{"Key": "k", "Value": "v"}])
    assert tags(ec2, vpc) == {}


def test_a_dry_run_changes_nothing(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("DryRunOperation"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", DryRun=True)
    with refused("DryRunOperation"):
        ec2.create_route_table(VpcId=vpc, DryRun=True)
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"] == []
    assert len(ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]) == 1


def test_a_dry_run_without_the_permission_says_so(aws: Any, ec2: Any, vpc: str, refused: Refused) -> None:
    aws.faults.refuse("CreateSubnet")
    with refused("UnauthorizedOperation"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", DryRun=True)
