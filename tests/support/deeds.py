"""What makes each write of the registry necessary, for the tests that let it fail: in runs and behind the doors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.drifts import DRIFTS
from lab.network import Network
from lab.strict_aws import StrictAws
from reconciler.kinds import REGISTRY
from reconciler.model import Policy
from tests.support.cases import permission
from tests.support.runs import REFERENCE

if TYPE_CHECKING:
    import boto3

ANYWHERE = "0.0.0.0/0"
NAME = REFERENCE["name"]
GROUP, TABLE, PRIVATE = "security_group/DBSG", "route_table/PublicRouteTable", "route_table/PrivateRouteTable"
DATABASE, SUBNETS = "mypostgresqldb", "mydbsubnetgroup"
OPERATIONS = {row.name: row for kind in REGISTRY.values() for row in kind.operations}
_RDS = {"DescribeBlueGreenDeployments", "AddTagsToResource", "ListTagsForResource"}
_DRIFTS = {one.name: one for one in DRIFTS}


def code_of(operation: str) -> str:
    """The error code of a call that the role may not make."""
    return "AccessDenied" if "DB" in operation or operation in _RDS else "UnauthorizedOperation"


@dataclass(frozen=True)
class Somebody:
    """Somebody else at work on the reference network."""

    lab: StrictAws
    session: boto3.Session
    live: Network

    @property
    def ec2(self) -> Any:
        return self.session.client("ec2")

    @property
    def rds(self) -> Any:
        return self.session.client("rds")

    def drift(self, name: str) -> None:
        """Do the drift of that name."""
        _DRIFTS[name].apply(self.session, self.live)

    def every_drift(self) -> None:
        """Do all drifts of the laboratory, in their order."""
        for name in _DRIFTS:
            self.drift(name)

    def no_association(self) -> None:
        (table,) = self.ec2.describe_route_tables(RouteTableIds=[self.live[TABLE]])["RouteTables"]
        self.ec2.disassociate_route_table(AssociationId=table["Associations"][0]["RouteTableAssociationId"])

    def no_gateway(self) -> None:
        gateway = self.live["internet_gateway/MyInternetGateway"]
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self.live["vpc/MyVPC"])
        self.ec2.delete_internet_gateway(InternetGatewayId=gateway)

    def no_database(self) -> None:
        self.rds.modify_db_instance(DBInstanceIdentifier=DATABASE, DeletionProtection=False, ApplyImmediately=True)
        self.lab.settle()
        self.rds.delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
        self.lab.settle()

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

    def listed(self) -> None:
        """Let in what a prefix list holds."""
        made = self.ec2.create_managed_prefix_list(PrefixListName="a", MaxEntries=5, AddressFamily="IPv4")
        peer = [{"PrefixListId": made["PrefixList"]["PrefixListId"]}]
        rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": peer}
        self.ec2.authorize_security_group_ingress(GroupId=self.live[GROUP], IpPermissions=[rule])

    def green(self) -> None:
        """Make an instance that has the name of one of a blue/green deployment."""
        (blue,) = self.rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
        self.rds.create_db_instance(
            DBInstanceIdentifier=f"{DATABASE}-green-a1b2c3",
            Engine="postgres",
            EngineVersion=blue["EngineVersion"],
            DBInstanceClass=blue["DBInstanceClass"],
            AllocatedStorage=blue["AllocatedStorage"],
            StorageType=blue["StorageType"],
            MasterUsername="master",
            ManageMasterUserPassword=True,
            DBSubnetGroupName=SUBNETS,
            PubliclyAccessible=False,
        )
        self.lab.settle()

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
        self.drift("gateway-detached")


class Need(NamedTuple):
    """What makes an operation necessary: a deed, or a revision of the document of that name; `prune`: only where the
    deployment deletes what is no longer declared. `beside` is a drift that has nothing to do with it, and `does` what
    corrects that.
    """

    deed: Callable[[Somebody], object] = lambda somebody: None
    revision: Callable[[dict[str, Any]], object] | None = None
    prune: bool = False
    document: str = NAME
    beside: str = "tag-changed"
    does: str = "CreateTags"

    @property
    def policy(self) -> Policy:
        """How far a deployment must go that makes the operation."""
        return Policy(create_databases=True, prune=self.prune)

    def revised(self, written: dict[str, Any]) -> None:
        """Make a reference document the one that is wanted, in place."""
        if self.revision:
            written.update(revision=2, name=self.document)
            self.revision(written)


def drift(name: str) -> Need:
    return Need(lambda somebody: somebody.drift(name))


def away_from_the_vpc(need: Need) -> Need:
    """A need that concerns the VPC's own tags or attributes, so that the drift beside it must be elsewhere."""
    return need._replace(beside="public-ip-on-launch", does="ModifySubnetAttribute")


def more(kind: str, **fields: Any) -> Need:
    """A revision that declares one resource more."""
    return Need(revision=lambda written: written["resources"][kind].update(Spare=fields))


def edited(kind: str, name: str, **fields: Any) -> Need:
    return Need(revision=lambda written: written["resources"][kind][name].update(fields))


def small(written: dict[str, Any]) -> None:
    written["resources"] = {"vpc": {"Other": {"cidr_block": "10.9.0.0/16"}}}
    del written["intents"], written["workloads"]


NEEDS: Mapping[str, Need] = {
    "AddTagsToResource": edited("db_instance", DATABASE, tags={"team": "shop"}),
    "AssociateRouteTable": Need(Somebody.no_association),
    "AttachInternetGateway": drift("gateway-detached"),
    "AuthorizeSecurityGroupEgress": Need(lambda somebody: somebody.all_out("revoke")),
    "AuthorizeSecurityGroupIngress": drift("rule-deleted"),
    "CreateDBInstance": Need(Somebody.no_database),
    "CreateDBSubnetGroup": Need(Somebody.no_subnet_group),
    "CreateInternetGateway": Need(Somebody.no_gateway),
    "CreateNetworkAcl": more("network_acl", subnets=[], ingress={}, egress={}),
    "CreateNetworkAclEntry": Need(Somebody.no_entry),
    "CreateRoute": drift("public-route-deleted"),
    "CreateRouteTable": more("route_table", routes={}, subnets=[]),
    "CreateSecurityGroup": more("security_group", description="Spare", ingress=[], egress=[]),
    "CreateSubnet": more("subnet", cidr_block="10.0.9.0/24", availability_zone="ap-northeast-2a"),
    "CreateTags": away_from_the_vpc(drift("tag-changed")),
    "CreateVpc": Need(revision=small, document="other"),
    "DeleteInternetGateway": Need(Somebody.second_gateway, prune=True),
    "DeleteNetworkAcl": Need(lambda somebody: somebody.leftover("network-acl"), prune=True),
    "DeleteNetworkAclEntry": drift("intruder-acl-allow"),
    "DeleteRoute": Need(Somebody.strange_route),
    "DeleteRouteTable": Need(lambda somebody: somebody.leftover("route-table"), prune=True),
    "DeleteSecurityGroup": Need(lambda somebody: somebody.leftover("security-group"), prune=True),
    "DisassociateRouteTable": edited("route_table", "PrivateRouteTable", subnets=["subnet/PrivateSubnet1"]),
    "ModifyDBInstance": drift("deletion-protection-off"),
    "ModifyDBSubnetGroup": Need(Somebody.wider_subnet_group),
    "ModifySecurityGroupRules": Need(Somebody.narrowed),
    "ModifySubnetAttribute": drift("public-ip-on-launch"),
    "ModifyVpcAttribute": away_from_the_vpc(drift("dns-switched-off")),
    "ReplaceNetworkAclAssociation": drift("acl-association-moved"),
    "ReplaceNetworkAclEntry": drift("acl-entry-denied"),
    "ReplaceRoute": Need(Somebody.other_route),
    "ReplaceRouteTableAssociation": Need(Somebody.onto_the_main_table),
    "RevokeSecurityGroupEgress": Need(Somebody.mail_out),
    "RevokeSecurityGroupIngress": drift("ssh-opened-to-the-world"),
    "UpdateSecurityGroupRuleDescriptionsEgress": edited(
        "security_group",
        "DBSG",
        egress=[{"protocol": "all", "destination": ANYWHERE, "description": "Anywhere"}],
    ),
    "UpdateSecurityGroupRuleDescriptionsIngress": drift("description-changed"),
}
"""For each write that there is, what makes a run make it."""
READ_NEEDS: Mapping[str, Need] = {
    "DescribeBlueGreenDeployments": Need(Somebody.green),
    "DescribeDBSubnetGroups": Need(Somebody.no_database),
    "DescribeManagedPrefixLists": Need(Somebody.listed),
    "DescribeSecurityGroupRules": Need(Somebody.narrowed),
    "ListTagsForResource": edited("db_subnet_group", SUBNETS, tags={"team": "shop"}),
}
"""For each read that a calm run does without, what makes a run make it."""
OPTIONAL_READS = frozenset({"DescribeManagedPrefixLists"})
"""Reads without which a network is kept all the same: roles of an earlier version may not make them, and only what
finds room under a quota rests on them (tests/runs/test_quotas.py).
"""
