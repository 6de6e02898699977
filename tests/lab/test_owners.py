"""What belongs to another account (VPC User Guide, "Share your VPC subnets with other accounts")."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab.owners import SHOWN
from lab.strict_aws import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]
OWN, OTHER = "123456789012", "999999999999"


def owners(ec2: Any, operation: str) -> dict[str, str]:
    key, id_member = SHOWN[operation]
    name = "describe_" + {"Vpcs": "vpcs", "InternetGateways": "internet_gateways"}.get(key, "")
    name = name if name != "describe_" else f"describe_{key[0].lower()}{key[1:]}"
    method = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)
    return {one[id_member]: one["OwnerId"] for one in getattr(ec2, method)()[key]}


def group(ec2: Any, vpc: str, name: str) -> str:
    return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])


@pytest.mark.parametrize("operation", sorted(SHOWN))
def test_every_look_says_whose_a_thing_is(ec2: Any, vpc: str, subnets: list[str], operation: str) -> None:
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    found = owners(ec2, operation)
    assert found
    assert set(found.values()) == {OWN}


def test_a_vpc_is_given_away_with_everything_in_it(aws: StrictAws, ec2: Any, vpc: str, subnets: list[str]) -> None:
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    aws.give(vpc, OTHER)
    given = {one for operation in SHOWN for one, owner in owners(ec2, operation).items() if owner == OTHER}
    assert {vpc, gateway, *subnets} <= given
    assert len(given) == 8  # and the main table, the default ACL and the group `default`
    assert set(owners(ec2, "DescribeVpcs").values()) == {OWN, OTHER}  # the default VPC stays


def test_a_participants_group_may_be_called_as_the_owners(aws: StrictAws, ec2: Any, vpc: str, refused: Refused) -> None:
    theirs = group(ec2, vpc, "web")
    aws.give(theirs, OTHER)
    ours = group(ec2, vpc, "web")
    with refused("InvalidGroup.Duplicate"):
        group(ec2, vpc, "WEB")
    by_name = [{"Name": "group-name", "Values": ["web"]}, {"Name": "vpc-id", "Values": [vpc]}]
    found = {one["GroupId"]: one["OwnerId"] for one in ec2.describe_security_groups(Filters=by_name)["SecurityGroups"]}
    assert found == {theirs: OTHER, ours: OWN}


def test_a_filter_finds_by_the_owner(aws: StrictAws, ec2: Any, vpc: str) -> None:
    theirs = group(ec2, vpc, "web")
    aws.give(theirs, OTHER)
    found = ec2.describe_security_groups(Filters=[{"Name": "owner-id", "Values": [OTHER]}])["SecurityGroups"]
    assert [one["GroupId"] for one in found] == [theirs]


def test_a_rule_says_whose_group_it_refers_to(aws: StrictAws, ec2: Any, vpc: str) -> None:
    before, theirs, after = (group(ec2, vpc, name) for name in ("before", "theirs", "after"))
    pair = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": theirs}]}]
    ec2.authorize_security_group_ingress(GroupId=before, IpPermissions=pair)
    aws.give(theirs, OTHER)
    ec2.authorize_security_group_ingress(GroupId=after, IpPermissions=pair)
    for one in ec2.describe_security_groups(GroupIds=[before, after])["SecurityGroups"]:
        assert one["IpPermissions"][0]["UserIdGroupPairs"] == [{"GroupId": theirs, "UserId": OTHER}]


def test_nobody_writes_to_what_belongs_to_another_account(
    aws: StrictAws, ec2: Any, vpc: str, subnets: list[str], refused: Refused
) -> None:
    theirs, ours = group(ec2, vpc, "theirs"), ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    of_subnet = [{"Name": "association.subnet-id", "Values": [subnets[0]]}]
    (acl,) = ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"]
    association = next(each for each in acl["Associations"] if each["SubnetId"] == subnets[0])
    other_acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    aws.give(theirs, OTHER)
    aws.give(subnets[0], OTHER)
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("authorize_security_group_ingress", {"GroupId": theirs, "IpPermissions": everything}),
        ("create_tags", {"Resources": [ours, theirs], "Tags": [{"Key": "a", "Value": "b"}]}),
        ("delete_tags", {"Resources": [theirs]}),
        ("associate_route_table", {"RouteTableId": ours, "SubnetId": subnets[0]}),
        ("modify_subnet_attribute", {"SubnetId": subnets[0], "MapPublicIpOnLaunch": {"Value": True}}),
        ("delete_security_group", {"GroupId": theirs}),
    ]
    moved = {"AssociationId": association["NetworkAclAssociationId"], "NetworkAclId": other_acl}
    attempts.append(("replace_network_acl_association", moved))
    for name, params in attempts:
        with refused("UnauthorizedOperation"):
            getattr(ec2, name)(**params)
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [ours, theirs]}])["Tags"] == []


def test_a_participant_makes_groups_in_the_vpc_and_nothing_else(
    aws: StrictAws, ec2: Any, vpc: str, refused: Refused
) -> None:
    aws.give(vpc, OTHER)
    made = group(ec2, vpc, "web")
    assert owners(ec2, "DescribeSecurityGroups")[made] == OWN
    with refused("UnauthorizedOperation"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.200.0/24")
    with refused("UnauthorizedOperation"):
        ec2.create_route_table(VpcId=vpc)


def test_owners_are_saved_and_restored(aws: StrictAws, ec2: Any, vpc: str) -> None:
    before = aws.save()
    aws.give(vpc, OTHER)
    given = aws.save()
    aws.restore(before)
    assert owners(ec2, "DescribeVpcs")[vpc] == OWN
    aws.restore(given)
    assert owners(ec2, "DescribeVpcs")[vpc] == OTHER


def test_what_is_made_without_tags_shows_none(ec2: Any, vpc: str, subnets: list[str]) -> None:
    """EC2 API reference: nothing is tagged by itself, neither the Name nor the main table, default ACL and group."""
    ec2.create_route_table(VpcId=vpc)
    ec2.create_network_acl(VpcId=vpc)
    group(ec2, vpc, "web")
    in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    for method, key in (
        ("describe_vpcs", "Vpcs"),
        ("describe_subnets", "Subnets"),
        ("describe_route_tables", "RouteTables"),
        ("describe_network_acls", "NetworkAcls"),
        ("describe_security_groups", "SecurityGroups"),
    ):
        found = getattr(ec2, method)(Filters=in_vpc)[key]
        assert [one["Tags"] for one in found] == [[]] * len(found) != []


def test_aws_alone_puts_its_own_tags(aws: StrictAws, ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "shop"}])
    aws.tag_as_aws(vpc, {"aws:cloudformation:stack-name": "shop"})
    held = [{"Key": "aws:cloudformation:stack-name", "Value": "shop"}]
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == held
    ec2.delete_tags(Resources=[vpc])
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == held
