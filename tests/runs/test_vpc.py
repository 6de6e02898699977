"""The VPC: its two DNS switches in AWS's order, its tags, how it is recognised, and what happens when it is gone."""

from __future__ import annotations

import pytest

from reconciler.engine.observe import ObserveError
from reconciler.model import Outcome, Policy
from tests.support.cases import built, calm, edit, ended, mended, removed, told, vpc_attribute, writes
from tests.support.packets import look
from tests.support.runs import Network, document

VPC = "vpc/MyVPC"
BUILDING = Policy(create_databases=True)


def test_dns_support_is_switched_on_before_the_host_names_that_need_it(net: Network) -> None:
    mended(net, vpc_attribute(EnableDnsHostnames=False, EnableDnsSupport=False))
    named = [call.params for call in net.lab.calls if call.operation == "ModifyVpcAttribute"]
    assert [sorted(set(params) - {"VpcId"}) for params in named] == [["EnableDnsSupport"], ["EnableDnsHostnames"]]


def test_dns_host_names_are_switched_off_before_the_support_that_they_need(net: Network) -> None:
    off = document(edit(VPC, enable_dns_support=False, enable_dns_hostnames=False))
    assert net.run(off).in_sync
    named = [call.params for call in net.lab.calls if call.operation == "ModifyVpcAttribute"]
    assert [sorted(set(params) - {"VpcId"}) for params in named] == [["EnableDnsHostnames"], ["EnableDnsSupport"]]
    calm(net, off)


def _tags(net: Network) -> dict[str, str]:
    (vpc,) = net.outsider("ec2").describe_vpcs(VpcIds=[net.id(VPC)])["Vpcs"]
    return {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}


def test_a_tag_that_nobody_declared_stays(net: Network) -> None:
    wanted = built(net, edit(VPC, tags={"team": "shop"}))
    mine = [{"Key": "team", "Value": "nobody"}, {"Key": "cost-centre", "Value": "42"}]
    mended(net, lambda net: net.outsider("ec2").create_tags(Resources=[net.id(VPC)], Tags=mine), wanted)
    assert (_tags(net)["team"], _tags(net)["cost-centre"]) == ("shop", "42")


def test_a_declared_tag_that_was_taken_off_is_put_back(net: Network) -> None:
    wanted = built(net, edit(VPC, tags={"team": "shop"}))
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(VPC)], Tags=[{"Key": "team"}]), wanted)
    assert _tags(net)["team"] == "shop"


def test_a_vpc_known_by_name_and_network_is_adopted_and_gets_our_tags(net: Network) -> None:
    owned = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(VPC)], Tags=owned))
    assert _tags(net) == {"Name": "MyVPC", "setpoint:document": "test-server", "setpoint:name": "MyVPC"}
    assert writes(net) == ["CreateTags"]


def test_two_vpcs_that_could_be_it_stop_the_run_before_any_write(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.delete_tags(Resources=[net.id(VPC)], Tags=[{"Key": "setpoint:document"}, {"Key": "setpoint:name"}])
    twin = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[twin], Tags=[{"Key": "Name", "Value": "MyVPC"}])
    with pytest.raises(ObserveError, match=r'vpc/MyVPC: 2 live resources could be it: vpc-.*"adopt"'):
        net.run(policy=BUILDING)
    assert writes(net) == []


def test_two_vpcs_with_our_tags_stop_the_run_before_any_write(net: Network) -> None:
    ec2 = net.outsider("ec2")
    twin = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    copied = [{"Key": "setpoint:document", "Value": "test-server"}, {"Key": "setpoint:name", "Value": "MyVPC"}]
    ec2.create_tags(Resources=[twin], Tags=copied)
    with pytest.raises(ObserveError, match="vpc/MyVPC: 2 live resources could be it"):
        net.run(policy=BUILDING)
    assert writes(net) == []


def _like_ours(net: Network) -> str:
    """Another VPC with the document's tags."""
    ec2 = net.outsider("ec2")
    vpc = str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])
    copied = [{"Key": "setpoint:document", "Value": "test-server"}, {"Key": "setpoint:name", "Value": "MyVPC"}]
    ec2.create_tags(Resources=[vpc], Tags=copied)
    return vpc


def _refused(net: Network) -> str:
    with pytest.raises(ObserveError) as caught:
        net.run(policy=BUILDING)
    assert writes(net) == []
    return str(caught.value)


def test_of_two_vpcs_with_our_tags_the_empty_one_is_told_with_the_call_that_deletes_it(net: Network) -> None:
    spare, ours = _like_ours(net), net.id(VPC)
    message = _refused(net)
    assert f"{spare} has no subnets" in message
    assert f"{ours} has 3 subnets" in message
    _, _, command = message.partition(": aws ec2 ")
    assert command == f"delete-vpc --vpc-id {spare} --region ap-northeast-2"
    net.outsider("ec2").delete_vpc(VpcId=spare)
    calm(net)


def test_two_vpcs_with_our_tags_that_both_hold_something_are_told_with_the_tags_to_take_off(net: Network) -> None:
    other, ours = _like_ours(net), net.id(VPC)
    net.outsider("ec2").create_subnet(VpcId=other, CidrBlock="10.0.9.0/24")
    message = _refused(net)
    assert f"{other} has 1 subnet;" in message or f"{other} has 1 subnet:" in message
    assert "delete-vpc" not in message
    for one in (other, ours):
        tags = "--tags Key=setpoint:document Key=setpoint:name --region ap-northeast-2"
        assert f"aws ec2 delete-tags --resources {one} {tags}" in message


def test_two_vpcs_are_told_also_where_their_subnets_cannot_be_read(net: Network) -> None:
    _like_ours(net)
    net.lab.faults.refuse("DescribeSubnets")
    message = _refused(net)
    assert "2 live resources could be it" in message
    assert "subnets" not in message


def test_our_tags_decide_where_another_vpc_has_the_name_and_the_network(net: Network) -> None:
    ec2 = net.outsider("ec2")
    twin = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[twin], Tags=[{"Key": "Name", "Value": "MyVPC"}])
    calm(net)


def test_the_id_in_the_scope_decides_whatever_name_and_tags_say(net: Network) -> None:
    named = document(lambda written: written["scope"].update(vpc_id=net.id(VPC)))
    ec2 = net.outsider("ec2")
    twin = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[twin], Tags=[{"Key": "Name", "Value": "MyVPC"}])
    everything = [{"Key": "Name", "Value": "production"}]
    ec2.delete_tags(Resources=[net.id(VPC)], Tags=[{"Key": "setpoint:document"}, {"Key": "setpoint:name"}])
    ec2.create_tags(Resources=[net.id(VPC)], Tags=everything)
    assert net.run(named).in_sync
    assert _tags(net) == {"Name": "production", "setpoint:document": "test-server", "setpoint:name": "MyVPC"}
    calm(net, named)


def test_an_id_in_the_scope_that_does_not_exist_is_an_error_and_no_new_vpc(net: Network) -> None:
    gone = document(lambda written: written["scope"].update(vpc_id="vpc-0123456789abcdef0"))
    with pytest.raises(ObserveError, match="vpc-0123456789abcdef0 does not exist in account 123456789012"):
        net.run(gone, BUILDING)
    assert writes(net) == []


def test_a_vpc_that_only_the_scope_names_is_not_managed_itself(net: Network) -> None:
    def only_named(written: dict[str, dict[str, object]]) -> None:
        written["scope"]["vpc_id"] = net.id(VPC)
        removed(VPC)(written)

    wanted = document(only_named)
    assert net.run(wanted).in_sync
    vpc_attribute(EnableDnsHostnames=False)(net)
    calm(net, wanted)


def _raze(net: Network) -> None:
    """Somebody deletes the whole VPC, database first."""
    ec2, rds = net.outsider("ec2"), net.outsider("rds")
    rds.modify_db_instance(DBInstanceIdentifier="mypostgresqldb", DeletionProtection=False, ApplyImmediately=True)
    net.lab.settle()
    rds.delete_db_instance(DBInstanceIdentifier="mypostgresqldb", SkipFinalSnapshot=True)
    net.lab.settle()
    rds.delete_db_subnet_group(DBSubnetGroupName="mydbsubnetgroup")
    for group in ("DBSG", "TestServerSG", "APIGatewaySG"):
        ec2.delete_security_group(GroupId=net.id(f"security_group/{group}"))
    for subnet in ("PublicSubnet1", "PrivateSubnet1", "PrivateSubnet2"):
        ec2.delete_subnet(SubnetId=net.id(f"subnet/{subnet}"))
    for acl in ("PublicSubnetACL", "PrivateSubnetACL"):
        ec2.delete_network_acl(NetworkAclId=net.id(f"network_acl/{acl}"))
    for table in ("PublicRouteTable", "PrivateRouteTable"):
        ec2.delete_route_table(RouteTableId=net.id(f"route_table/{table}"))
    gateway = net.id("internet_gateway/MyInternetGateway")
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=net.id(VPC))
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_vpc(VpcId=net.id(VPC))


def _shape(net: Network, vpc_id: str) -> tuple[list[str], int, int]:
    state = look(net.outsider("ec2"), net.outsider("rds"), vpc_id)
    return sorted(cidr for _, cidr in state.subnets), len(state.groups), len(state.databases)


def test_a_vpc_that_disappeared_is_made_anew_with_everything_in_it(net: Network) -> None:
    _raze(net)
    report = net.run(policy=BUILDING)
    net.lab.settle()
    assert ended(report, "db_instance/mypostgresqldb") == {Outcome.WAITING}, told(report)  # AWS is still creating it
    others = {one.outcome for one in report.drifts if one.address != "db_instance/mypostgresqldb"}
    assert others == {Outcome.CORRECTED}, told(report)
    calm(net)
    found = net.outsider("ec2").describe_vpcs(Filters=[{"Name": "tag:setpoint:document", "Values": ["test-server"]}])
    (vpc,) = found["Vpcs"]
    assert _shape(net, vpc["VpcId"]) == (["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"], 4, 1)


def test_without_leave_everything_but_the_database_is_made_anew(net: Network) -> None:
    _raze(net)
    report = net.run()
    assert ended(report, "db_instance/mypostgresqldb") == {Outcome.BLOCKED}, told(report)
    others = {one.outcome for one in report.drifts if one.address != "db_instance/mypostgresqldb"}
    assert others == {Outcome.CORRECTED}, told(report)
    again = net.run()
    assert (again.writes, ended(again, "db_instance/mypostgresqldb")) == (0, {Outcome.BLOCKED})
