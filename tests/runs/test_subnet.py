"""Subnets: fixed in network and zone, and made anew with all that belongs to them when they are gone."""

from __future__ import annotations

from typing import Any

from reconciler.model import Outcome, Policy
from tests.support.cases import calm, edit, ended, left, mended, removed, said, told, writes
from tests.support.runs import Network, document

PUBLIC, PRIVATE = "subnet/PublicSubnet1", "subnet/PrivateSubnet1"


def _map(net: Network, subnet: str, value: bool) -> Any:
    return net.outsider("ec2").modify_subnet_attribute(SubnetId=net.id(subnet), MapPublicIpOnLaunch={"Value": value})


def test_public_addresses_switched_off_in_the_public_subnet_are_switched_on_again(net: Network) -> None:
    mended(net, lambda net: _map(net, PUBLIC, False))


def test_public_addresses_that_the_document_leaves_out_are_not_managed(net: Network) -> None:
    wanted = document(edit(PUBLIC, map_public_ip_on_launch=...))
    _map(net, PUBLIC, False)
    calm(net, wanted)


def _subnets(net: Network) -> dict[str, Any]:
    here = [{"Name": "vpc-id", "Values": [net.id("vpc/MyVPC")]}]
    return {one["CidrBlock"]: one for one in net.outsider("ec2").describe_subnets(Filters=here)["Subnets"]}


def test_a_deleted_subnet_is_made_anew_behind_its_own_table_and_acl(net: Network) -> None:
    report = mended(net, lambda net: net.outsider("ec2").delete_subnet(SubnetId=net.id(PUBLIC)), anew=True)
    assert ended(report, PUBLIC) == {Outcome.CORRECTED}
    new = _subnets(net)["10.0.1.0/24"]
    assert new["SubnetId"] != net.id(PUBLIC)
    assert (new["AvailabilityZone"], new["MapPublicIpOnLaunch"]) == ("ap-northeast-2a", True)
    ec2 = net.outsider("ec2")
    behind = [{"Name": "association.subnet-id", "Values": [new["SubnetId"]]}]
    (table,) = ec2.describe_route_tables(Filters=behind)["RouteTables"]
    (acl,) = ec2.describe_network_acls(Filters=behind)["NetworkAcls"]
    assert table["RouteTableId"] == net.id("route_table/PublicRouteTable")
    assert acl["NetworkAclId"] == net.id("network_acl/PublicSubnetACL")


def test_a_subnet_known_by_its_network_is_adopted_and_gets_our_tags(net: Network) -> None:
    owned = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(PRIVATE)], Tags=owned))
    tags = {tag["Key"]: tag["Value"] for tag in _subnets(net)["10.0.2.0/24"]["Tags"]}
    assert (tags["setpoint:document"], tags["setpoint:name"]) == ("test-server", "PrivateSubnet1")


def test_an_undeclared_neighbour_is_reported_and_never_touched(net: Network) -> None:
    made = net.outsider("ec2").create_subnet(VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.200.0/24")["Subnet"]
    report = net.run(policy=Policy(prune=True))
    assert [one.id for one in report.unmanaged if one.address.kind == "subnet"] == [made["SubnetId"]]
    assert (report.in_sync, report.writes) == (True, 0)
    assert "10.0.200.0/24" in _subnets(net)


def test_a_subnet_that_left_the_document_is_never_deleted(net: Network) -> None:
    """Its associations go back to the VPC's own table and ACL; the subnet stays, whatever pruning says."""

    def without(written: dict[str, Any]) -> None:
        removed(PUBLIC)(written)
        edit("route_table/PublicRouteTable", subnets=[])(written)
        edit("network_acl/PublicSubnetACL", subnets=[])(written)
        del written["workloads"], written["intents"]

    wanted = document(without)
    report = net.run(wanted, Policy(prune=True))
    assert "10.0.1.0/24" in _subnets(net)
    assert ended(report, "route_table/PublicRouteTable", "subnets") == {Outcome.BLOCKED}, told(report)
    assert ended(report, "network_acl/PublicSubnetACL", "subnets") == {Outcome.BLOCKED}, told(report)
    assert writes(net) == []


def test_an_undeclared_subnet_on_the_declared_network_s_place_is_told_and_never_removed(net: Network) -> None:
    """AWS refuses two overlapping subnets, and the one that is in the way is somebody's."""
    ec2 = net.outsider("ec2")
    ec2.delete_subnet(SubnetId=net.id(PUBLIC))
    squatter = ec2.create_subnet(VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.1.0/25")["Subnet"]["SubnetId"]
    report = net.run()
    assert ended(report, PUBLIC) == {Outcome.FAILED}, told(report)
    assert "InvalidSubnet.Conflict" in said(report, PUBLIC)
    assert {one.id for one in report.unmanaged} >= {squatter}
    assert [cidr for cidr in _subnets(net) if cidr.startswith("10.0.1.")] == ["10.0.1.0/25"]
    calls = len(writes(net))
    net.run()
    assert len(writes(net)) == calls


def test_a_subnet_in_another_zone_on_the_declared_network_is_blocked(net: Network) -> None:
    def elsewhere(net: Network) -> str:
        ec2 = net.outsider("ec2")
        ec2.delete_subnet(SubnetId=net.id(PUBLIC))
        made = ec2.create_subnet(VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.1.0/24", AvailabilityZone="ap-northeast-2c")
        return str(made["Subnet"]["SubnetId"])

    made = elsewhere(net)
    report = left(net, PUBLIC, "availability_zone", Outcome.BLOCKED, "AWS cannot change it")
    assert ended(report, "route_table/PublicRouteTable", "subnets") == {Outcome.CORRECTED}
    assert _subnets(net)["10.0.1.0/24"]["SubnetId"] == made
