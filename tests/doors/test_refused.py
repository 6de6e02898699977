"""Each action of the roles denied alone: the rest is served, nothing is half done, and one alert names the action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from artefact.permissions import read_permissions
from lab.network import Network, find_network
from reconciler.kinds import REGISTRY
from reconciler.model import Policy
from tests.support.cases import permission
from tests.support.doors import NAME, Doors, object_event

ANYWHERE = "0.0.0.0/0"
SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
GROUP, TABLE, PRIVATE = "security_group/DBSG", "route_table/PublicRouteTable", "route_table/PrivateRouteTable"
DATABASE, SUBNETS = "mypostgresqldb", "mydbsubnetgroup"
RDS = {"AddTagsToResource", "ListTagsForResource"}
OPERATIONS = {row.name: row for kind in REGISTRY.values() for row in kind.operations}


@dataclass(frozen=True)
class Hands:
    """Somebody else at work on the reference network."""

    doors: Doors
    ec2: Any
    rds: Any
    live: Network

    def no_association(self) -> None:
        (table,) = self.ec2.describe_route_tables(RouteTableIds=[self.live[TABLE]])["RouteTables"]
        self.ec2.disassociate_route_table(AssociationId=table["Associations"][0]["RouteTableAssociationId"])

    def no_gateway(self) -> None:
        gateway = self.live["internet_gateway/MyInternetGateway"]
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self.live["vpc/MyVPC"])
        self.ec2.delete_internet_gateway(InternetGatewayId=gateway)

    def no_database(self) -> None:
        self.rds.modify_db_instance(DBInstanceIdentifier=DATABASE, DeletionProtection=False, ApplyImmediately=True)
        self.doors.lab.settle()
        self.rds.delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
        self.doors.lab.settle()

    def no_subnet_group(self) -> None:
        self.no_database()
        self.rds.delete_db_subnet_group(DBSubnetGroupName=SUBNETS)

    def all_out(self, verb: str) -> None:
        every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
        getattr(self.ec2, f"{verb}_security_group_egress")(GroupId=self.live[GROUP], IpPermissions=every)

    def mail_out(self) -> None:
        self.ec2.authorize_security_group_egress(
            GroupId=self.live[GROUP], IpPermissions=[permission(25, "198.51.100.0/24")]
        )

    def narrowed(self) -> None:
        front = self.live["security_group/APIGatewaySG"]
        self.ec2.revoke_security_group_ingress(GroupId=front, IpPermissions=[permission(80, ANYWHERE)])
        self.ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=[permission(80, "10.0.0.0/8")])

    def no_entry(self) -> None:
        acl = self.live["network_acl/PublicSubnetACL"]
        self.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=110, Egress=False)

    def other_route(self) -> None:
        gateway = self.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        self.ec2.replace_route(RouteTableId=self.live[TABLE], DestinationCidrBlock=ANYWHERE, GatewayId=gateway)

    def onto_the_main_table(self) -> None:
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.live["vpc/MyVPC"]]}])
        (main,) = [one for one in tables["RouteTables"] if any(each["Main"] for each in one["Associations"])]
        (ours,) = [one for one in tables["RouteTables"] if one["RouteTableId"] == self.live[TABLE]]
        self.ec2.replace_route_table_association(
            AssociationId=ours["Associations"][0]["RouteTableAssociationId"], RouteTableId=main["RouteTableId"]
        )

    def strange_route(self) -> None:
        self.ec2.create_route(
            RouteTableId=self.live[PRIVATE],
            DestinationCidrBlock="203.0.113.0/24",
            GatewayId=self.live["internet_gateway/MyInternetGateway"],
        )

    def wider_subnet_group(self) -> None:
        subnets = [self.live[f"subnet/{name}"] for name in ("PrivateSubnet1", "PrivateSubnet2", "PublicSubnet1")]
        self.rds.modify_db_subnet_group(DBSubnetGroupName=SUBNETS, SubnetIds=subnets)

    def leftover(self, sort: str) -> None:
        """Something that is tagged as ours and that no document declares."""
        tags = [{"Key": "setpoint:document", "Value": NAME}, {"Key": "setpoint:name", "Value": "Leftover"}]
        how: dict[str, Any] = {"TagSpecifications": [{"ResourceType": sort, "Tags": tags}]}
        if sort != "internet-gateway":
            how["VpcId"] = self.live["vpc/MyVPC"]
        if sort == "security-group":
            how |= {"GroupName": "Leftover", "Description": "Left over"}
        getattr(self.ec2, f"create_{sort.replace('-', '_')}")(**how)

    def second_gateway(self) -> None:
        """One of ours beside the declared one, which is detached: only then are gateways looked for by our tag."""
        self.leftover("internet-gateway")
        self.doors.drift("gateway-detached")


class Case(NamedTuple):
    """What makes an operation necessary: a deed, or a new revision of the document; `prune` if it takes that leave."""

    deed: Callable[[Hands], object] = lambda hands: None
    revision: Callable[[dict[str, Any]], object] | None = None
    prune: bool = False


def drift(name: str) -> Case:
    return Case(lambda hands: hands.doors.drift(name))


def more(kind: str, **fields: Any) -> Case:
    """A revision that declares one resource more."""
    return Case(revision=lambda written: written["resources"][kind].update(Spare=fields))


def edited(kind: str, name: str, **fields: Any) -> Case:
    return Case(revision=lambda written: written["resources"][kind][name].update(fields))


def small(written: dict[str, Any]) -> None:
    written["resources"] = {"vpc": {"Other": {"cidr_block": "10.9.0.0/16"}}}
    del written["intents"], written["workloads"]


CASES: Mapping[str, Case] = {
    "AddTagsToResource": edited("db_instance", DATABASE, tags={"team": "shop"}),
    "AssociateRouteTable": Case(Hands.no_association),
    "AttachInternetGateway": drift("gateway-detached"),
    "AuthorizeSecurityGroupEgress": Case(lambda hands: hands.all_out("revoke")),
    "AuthorizeSecurityGroupIngress": drift("rule-deleted"),
    "CreateDBInstance": Case(Hands.no_database),
    "CreateDBSubnetGroup": Case(Hands.no_subnet_group),
    "CreateInternetGateway": Case(Hands.no_gateway),
    "CreateNetworkAcl": more("network_acl", subnets=[], ingress={}, egress={}),
    "CreateNetworkAclEntry": Case(Hands.no_entry),
    "CreateRoute": drift("public-route-deleted"),
    "CreateRouteTable": more("route_table", routes={}, subnets=[]),
    "CreateSecurityGroup": more("security_group", description="Spare", ingress=[], egress=[]),
    "CreateSubnet": more("subnet", cidr_block="10.0.9.0/24", availability_zone="ap-northeast-2a"),
    "CreateTags": drift("tag-changed"),
    "CreateVpc": Case(revision=small),
    "DeleteInternetGateway": Case(Hands.second_gateway, prune=True),
    "DeleteNetworkAcl": Case(lambda hands: hands.leftover("network-acl"), prune=True),
    "DeleteNetworkAclEntry": drift("intruder-acl-allow"),
    "DeleteRoute": Case(Hands.strange_route),
    "DeleteRouteTable": Case(lambda hands: hands.leftover("route-table"), prune=True),
    "DeleteSecurityGroup": Case(lambda hands: hands.leftover("security-group"), prune=True),
    "DisassociateRouteTable": edited("route_table", "PrivateRouteTable", subnets=["subnet/PrivateSubnet1"]),
    "ModifyDBInstance": drift("deletion-protection-off"),
    "ModifyDBSubnetGroup": Case(Hands.wider_subnet_group),
    "ModifySecurityGroupRules": Case(Hands.narrowed),
    "ModifySubnetAttribute": drift("public-ip-on-launch"),
    "ModifyVpcAttribute": drift("dns-switched-off"),
    "ReplaceNetworkAclAssociation": drift("acl-association-moved"),
    "ReplaceNetworkAclEntry": drift("acl-entry-denied"),
    "ReplaceRoute": Case(Hands.other_route),
    "ReplaceRouteTableAssociation": Case(Hands.onto_the_main_table),
    "RevokeSecurityGroupEgress": Case(Hands.mail_out),
    "RevokeSecurityGroupIngress": drift("ssh-opened-to-the-world"),
    "UpdateSecurityGroupRuleDescriptionsEgress": edited(
        "security_group",
        "DBSG",
        egress=[{"protocol": "all", "destination": ANYWHERE, "description": "Anywhere"}],
    ),
    "UpdateSecurityGroupRuleDescriptionsIngress": drift("description-changed"),
}
BYSTANDERS = {"CreateTags": ("public-ip-on-launch", "ModifySubnetAttribute")}


def done(doors: Doors, case: Case, name: str = NAME) -> None:
    """What makes the case's operation necessary."""
    case.deed(Hands(doors, doors.hands.client("ec2"), doors.hands.client("rds"), find_network(doors.hands, NAME)))
    if revision := case.revision:

        def revised(written: dict[str, Any]) -> None:
            written.update(revision=2, name=name)
            revision(written)

        doors.upload(revised, name=name)


def code_of(operation: str) -> str:
    return "AccessDenied" if "DB" in operation or operation in RDS else "UnauthorizedOperation"


def test_every_write_that_there_is_has_its_case() -> None:
    assert CASES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", sorted(CASES))
def test_a_write_that_the_role_may_not_make_costs_nothing_else_and_is_told_by_its_name(
    doors: Doors, operation: str
) -> None:
    case, name = CASES[operation], "other" if operation == "CreateVpc" else NAME
    beside, does = BYSTANDERS.get(operation, ("tag-changed", "CreateTags"))
    stack = doors.another(Policy(create_databases=True, prune=case.prune))
    asked = [SCHEDULED, object_event(name=name)]
    done(doors, case, name)
    doors.drift(beside)
    doors.lab.faults.refuse(operation)
    assert doors.work(*asked, stack=stack) == ()
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {code_of(operation)}
    assert does in [one.operation for one in doors.lab.calls if one.error is None]
    assert [one["counts"]["failed"] > 0 for one in doors.events() if one["document"] == name] == [True]
    doors.clock.sleep(300)
    assert doors.work(*asked, stack=stack) == ()
    named = [one for one in doors.alerts() if f"{operation}: {code_of(operation)}" in one["Message"]]
    assert len(named) == 1, [one["Subject"] for one in doors.alerts()]
    doors.lab.faults.clear()
    assert doors.work(*asked, stack=stack) == ()
    doors.lab.settle()
    assert doors.invoke(stack, document=name, mode="apply")["report"]["in_sync"]


ELSEWHERE = {
    "ssh-opened-to-the-world": "RevokeSecurityGroupIngress",
    "acl-entry-denied": "ReplaceNetworkAclEntry",
    "public-ip-on-launch": "ModifySubnetAttribute",
    "public-route-deleted": "CreateRoute",
}
"""Drifts of four kinds, and what puts each right."""
ALL = frozenset(ELSEWHERE.values())
# What is not corrected while a read is denied, because it rests on what that read would say.
RESTS_ON = {
    "DescribeDBInstances": frozenset[str](),
    "DescribeDBSubnetGroups": frozenset[str](),
    "DescribeInternetGateways": {"CreateRoute"},
    "DescribeNetworkAcls": {"ReplaceNetworkAclEntry"},
    "DescribeRouteTables": {"CreateRoute"},
    "DescribeSecurityGroupRules": {"CreateRoute", "ReplaceNetworkAclEntry"},  # they open only after the group is right
    "DescribeSecurityGroups": {"RevokeSecurityGroupIngress"},
    "DescribeSubnets": ALL - {"RevokeSecurityGroupIngress"},
    "DescribeVpcAttribute": ALL,
    "DescribeVpcs": ALL,
    "ListTagsForResource": frozenset[str](),
}
# What makes a read necessary that a calm run does without.
ASKED_FOR = {
    "DescribeDBSubnetGroups": Case(Hands.no_database),
    "DescribeSecurityGroupRules": Case(Hands.narrowed),
    "ListTagsForResource": edited("db_subnet_group", SUBNETS, tags={"team": "shop"}),
}


def test_every_read_that_there_is_has_its_case() -> None:
    assert RESTS_ON.keys() == {one.partition(":")[2] for one in read_permissions().actions}


@pytest.mark.parametrize("operation", sorted(RESTS_ON))
def test_a_read_that_the_role_may_not_make_costs_what_rests_on_it_only_and_is_told_by_its_name(
    doors: Doors, operation: str
) -> None:
    done(doors, ASKED_FOR.get(operation, Case()))
    for name in ELSEWHERE:
        doors.drift(name)
    doors.lab.faults.refuse(operation)
    for _ in range(2):
        assert doors.work(SCHEDULED) == ()
        doors.clock.sleep(300)
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {code_of(operation)}
    assert ALL & set(doors.writes()) == ALL - RESTS_ON[operation]
    named = [one for one in doors.alerts() if f"{operation}: {code_of(operation)}" in one["Message"]]
    assert len(named) == 1, [one["Subject"] for one in doors.alerts()]
    doors.lab.faults.clear()
    assert doors.work(SCHEDULED) == ()
    doors.lab.settle()
    assert doors.invoke(mode="apply")["report"]["in_sync"]


@pytest.mark.parametrize("operation", ["LookupEvents", "PutEvents"])
def test_who_did_it_and_telling_programs_are_no_conditions_of_correcting(doors: Doors, operation: str) -> None:
    doors.drift("ssh-opened-to-the-world")
    doors.lab.faults.refuse(operation, code="AccessDeniedException")
    assert doors.work(SCHEDULED) == ()
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {"AccessDeniedException"}
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert ["corrected" in one["Subject"] for one in doors.alerts()] == [True]
