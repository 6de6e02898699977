"""Somebody at work on the reference network: single deeds, sequences of them to search, and those that met badly."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from hypothesis import strategies as st

from lab.strict_aws import Call
from tests.support.cases import default_acl
from tests.support.moves import put_entry, put_route, use_acl, use_table
from tests.support.runs import Network

GROUPS = ("APIGatewaySG", "TestServerSG", "DBSG")
ACLS = ("PublicSubnetACL", "PrivateSubnetACL")
TABLES = ("PublicRouteTable", "PrivateRouteTable")
SUBNETS = ("PublicSubnet1", "PrivateSubnet1", "PrivateSubnet2")
PEERS = (
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.2.0/24",
    "10.0.2.128/25",
    "203.0.113.0/24",
    "::/0",
)
TRAFFIC = (
    ("-1", -1, -1),
    ("tcp", 0, 65535),
    ("tcp", 22, 22),
    ("tcp", 80, 80),
    ("tcp", 80, 443),
    ("tcp", 443, 443),
    ("tcp", 5432, 5432),
    ("tcp", 8000, 8000),
    ("tcp", 1024, 65535),
    ("udp", 53, 53),
    ("icmp", -1, -1),
    ("47", -1, -1),
)
NUMBERS = (1, 2, 50, 99, 100, 101, 105, 110, 111, 115, 120, 121, 130, 200, 32766)
DESTINATIONS = ("0.0.0.0/0", "0.0.0.0/1", "10.1.0.0/16", "203.0.113.0/24", "203.0.113.0/25")
TARGETS = ("gateway", "nat")
NUMBER_OF = {"tcp": "6", "udp": "17", "icmp": "1"}


class Rule(NamedTuple):
    protocol: str
    first: int
    last: int
    peer: str


@dataclass
class Outsider:
    """Somebody else's hands. What AWS refuses them is no drift."""

    net: Network
    nat: str

    @property
    def ec2(self) -> Any:
        return self.net.outsider("ec2")

    def do(self, deeds: Iterable[Deed]) -> None:
        """These deeds, but for what AWS refuses."""
        for deed in deeds:
            with suppress(ClientError):
                deed.done(self)

    def rules(self, group: str, *, egress: bool) -> list[dict[str, Any]]:
        found = self.ec2.describe_security_groups(GroupIds=[self.net.id(f"security_group/{group}")])["SecurityGroups"][
            0
        ]
        listed = found["IpPermissionsEgress" if egress else "IpPermissions"]
        return [
            {key: one[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in one} | {sort: [peer]}
            for one in listed
            for sort in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
            for peer in one.get(sort, ())
        ]

    def permission(self, rule: Rule) -> dict[str, Any]:
        what: dict[str, Any] = {"IpProtocol": rule.protocol}
        if rule.protocol in NUMBER_OF:
            what |= {"FromPort": rule.first, "ToPort": rule.last}
        if rule.peer in GROUPS:
            return what | {"UserIdGroupPairs": [{"GroupId": self.net.id(f"security_group/{rule.peer}")}]}
        if ":" in rule.peer:
            return what | {"Ipv6Ranges": [{"CidrIpv6": rule.peer, "Description": "somebody else's"}]}
        return what | {"IpRanges": [{"CidrIp": rule.peer}]}


class AddRule(NamedTuple):
    group: str
    egress: bool
    rule: Rule

    def done(self, by: Outsider) -> None:
        call = by.ec2.authorize_security_group_egress if self.egress else by.ec2.authorize_security_group_ingress
        call(GroupId=by.net.id(f"security_group/{self.group}"), IpPermissions=[by.permission(self.rule)])


class RemoveRule(NamedTuple):
    group: str
    egress: bool
    place: int

    def done(self, by: Outsider) -> None:
        if listed := by.rules(self.group, egress=self.egress):
            call = by.ec2.revoke_security_group_egress if self.egress else by.ec2.revoke_security_group_ingress
            gone = listed[self.place % len(listed)]
            call(GroupId=by.net.id(f"security_group/{self.group}"), IpPermissions=[gone])


class ChangeRule(NamedTuple):
    group: str
    egress: bool
    place: int
    rule: Rule

    def done(self, by: Outsider) -> None:
        AddRule(self.group, self.egress, self.rule).done(by)
        listed = by.rules(self.group, egress=self.egress)
        added = by.permission(self.rule)
        others = [
            one
            for one in listed
            if (one["IpProtocol"], one.get("FromPort")) != (added["IpProtocol"], added.get("FromPort"))
        ]
        if others:
            call = by.ec2.revoke_security_group_egress if self.egress else by.ec2.revoke_security_group_ingress
            call(GroupId=by.net.id(f"security_group/{self.group}"), IpPermissions=[others[self.place % len(others)]])


class PutEntry(NamedTuple):
    acl: str
    egress: bool
    number: int
    action: str
    rule: Rule

    def done(self, by: Outsider) -> None:
        params: dict[str, Any] = {
            "RuleAction": self.action,
            "Protocol": NUMBER_OF.get(self.rule.protocol, self.rule.protocol),
            "Ipv6CidrBlock" if ":" in self.rule.peer else "CidrBlock": self.rule.peer,
        }
        if self.rule.protocol in {"tcp", "udp"}:
            params["PortRange"] = {"From": self.rule.first, "To": self.rule.last}
        if self.rule.protocol == "icmp":
            params["IcmpTypeCode"] = {"Type": self.rule.first, "Code": self.rule.last}
        put_entry(by.ec2, by.net.id(f"network_acl/{self.acl}"), self.number, egress=self.egress, **params)


class DeleteEntry(NamedTuple):
    acl: str
    egress: bool
    number: int

    def done(self, by: Outsider) -> None:
        acl = by.net.id(f"network_acl/{self.acl}")
        by.ec2.delete_network_acl_entry(NetworkAclId=acl, Egress=self.egress, RuleNumber=self.number)


class PutRoute(NamedTuple):
    table: str
    destination: str
    target: str

    def done(self, by: Outsider) -> None:
        via = (
            {"GatewayId": by.net.id("internet_gateway/MyInternetGateway")}
            if self.target == "gateway"
            else {"NatGatewayId": by.nat}
        )
        put_route(by.ec2, by.net.id(f"route_table/{self.table}"), self.destination, **via)


class DeleteRoute(NamedTuple):
    table: str
    destination: str

    def done(self, by: Outsider) -> None:
        by.ec2.delete_route(RouteTableId=by.net.id(f"route_table/{self.table}"), DestinationCidrBlock=self.destination)


class UseTable(NamedTuple):
    """`table` is empty for the main one."""

    subnet: str
    table: str

    def done(self, by: Outsider) -> None:
        table = by.net.id(f"route_table/{self.table}") if self.table else ""
        use_table(by.ec2, by.net.id(f"subnet/{self.subnet}"), table)


class UseAcl(NamedTuple):
    """`acl` is empty for the default one."""

    subnet: str
    acl: str

    def done(self, by: Outsider) -> None:
        acl = by.net.id(f"network_acl/{self.acl}") if self.acl else default_acl(by.net)
        use_acl(by.ec2, by.net.id(f"subnet/{self.subnet}"), acl)


class Retag(NamedTuple):
    address: str

    def done(self, by: Outsider) -> None:
        tags = [{"Key": "setpoint:name", "Value": "old-do-not-use"}, {"Key": "owner", "Value": "nobody"}]
        by.ec2.create_tags(Resources=[by.net.id(self.address)], Tags=tags)


class SwitchDns(NamedTuple):
    attribute: str
    on: bool

    def done(self, by: Outsider) -> None:
        by.ec2.modify_vpc_attribute(VpcId=by.net.live.vpc_id, **{self.attribute: {"Value": self.on}})


class DetachGateway(NamedTuple):
    def done(self, by: Outsider) -> None:
        gateway = by.net.id("internet_gateway/MyInternetGateway")
        by.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=by.net.live.vpc_id)


class GivePublicAddresses(NamedTuple):
    subnet: str
    on: bool

    def done(self, by: Outsider) -> None:
        subnet = by.net.id(f"subnet/{self.subnet}")
        by.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": self.on})


class ChangeDatabase(NamedTuple):
    field: str
    value: Any

    def done(self, by: Outsider) -> None:
        value = self.value
        if self.field == "VpcSecurityGroupIds":
            value = [by.net.id(f"security_group/{group}") for group in value]
        by.net.outsider("rds").modify_db_instance(
            DBInstanceIdentifier="mypostgresqldb", ApplyImmediately=True, **{self.field: value}
        )
        by.net.lab.settle()


type Deed = (
    AddRule
    | RemoveRule
    | ChangeRule
    | PutEntry
    | DeleteEntry
    | PutRoute
    | DeleteRoute
    | UseTable
    | UseAcl
    | Retag
    | SwitchDns
    | DetachGateway
    | GivePublicAddresses
    | ChangeDatabase
)


def a_rule(what: tuple[str, int, int], peer: str) -> Rule:
    return Rule(what[0], what[1], what[2], peer)


traffics = st.sampled_from(TRAFFIC)
group_rules = st.builds(a_rule, traffics, st.sampled_from(PEERS + GROUPS))
acl_rules = st.builds(a_rule, traffics, st.sampled_from(PEERS)).filter(
    lambda rule: rule.protocol != "icmp" or ":" not in rule.peer
)
groups, acls, subnets = st.sampled_from(GROUPS), st.sampled_from(ACLS), st.sampled_from(SUBNETS)
numbers, sides = st.sampled_from(NUMBERS), st.booleans()
database = st.sampled_from(
    (
        ("PubliclyAccessible", True),
        ("VpcSecurityGroupIds", ("APIGatewaySG",)),
        ("VpcSecurityGroupIds", ("APIGatewaySG", "DBSG")),
        ("VpcSecurityGroupIds", ("TestServerSG", "APIGatewaySG")),
        ("DeletionProtection", False),
        ("BackupRetentionPeriod", 1),
        ("PreferredBackupWindow", "03:00-03:30"),
        ("CopyTagsToSnapshot", False),
    )
)
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(AddRule, groups, sides, group_rules),
    st.builds(AddRule, groups, sides, group_rules),
    st.builds(RemoveRule, groups, sides, st.integers(0, 3)),
    st.builds(ChangeRule, groups, sides, st.integers(0, 3), group_rules),
    st.builds(PutEntry, acls, sides, numbers, st.sampled_from(("allow", "deny")), acl_rules),
    st.builds(PutEntry, acls, sides, numbers, st.sampled_from(("allow", "deny")), acl_rules),
    st.builds(DeleteEntry, acls, sides, st.sampled_from((100, 110, 120))),
    st.builds(PutRoute, st.sampled_from(TABLES), st.sampled_from(DESTINATIONS), st.sampled_from(TARGETS)),
    st.builds(DeleteRoute, st.sampled_from(TABLES), st.sampled_from(DESTINATIONS)),
    st.builds(UseTable, subnets, st.sampled_from((*TABLES, ""))),
    st.builds(UseAcl, subnets, st.sampled_from((*ACLS, ""))),
    st.builds(Retag, st.sampled_from(("vpc/MyVPC", "subnet/PublicSubnet1", "security_group/DBSG"))),
    st.builds(SwitchDns, st.sampled_from(("EnableDnsSupport", "EnableDnsHostnames")), st.just(False)),
    st.builds(DetachGateway),
    st.builds(GivePublicAddresses, subnets, sides),
    database.map(lambda pair: ChangeDatabase(*pair)),
)
sequences = st.lists(deeds, min_size=1, max_size=6)


def changes(net: Network) -> list[Call]:
    """The calls that changed something, as `watched` counts them."""
    return [call for call in net.lab.calls if call.kind == "write" and call.error is None]


IN_WEB, OUT_WEB = ("APIGatewaySG", False), ("APIGatewaySG", True)
ANYBODY = "0.0.0.0/0"


MEETINGS: dict[str, list[Deed]] = {
    "a gateway comes back while the private table still has a route through it": [
        PutRoute("PrivateRouteTable", ANYBODY, "gateway"),
        UseTable("PublicSubnet1", "PrivateRouteTable"),
        DetachGateway(),
        PutRoute("PublicRouteTable", ANYBODY, "nat"),
    ],
    "a database moves to a group that is widened again while a subnet is behind the open default list": [
        ChangeRule("DBSG", True, 0, Rule("tcp", 443, 443, ANYBODY)),
        UseAcl("PrivateSubnet1", ""),
        DeleteEntry("PrivateSubnetACL", True, 120),
        ChangeDatabase("VpcSecurityGroupIds", ("APIGatewaySG",)),
    ],
    "a group is widened again while an entry that lets other packets out is put right": [
        ChangeRule(*OUT_WEB, 0, Rule("47", -1, -1, ANYBODY)),
        PutEntry("PublicSubnetACL", True, 120, "allow", Rule("-1", -1, -1, "10.0.2.0/24")),
    ],
    "a route goes while the one behind it waits for its gateway": [
        DetachGateway(),
        PutRoute("PublicRouteTable", "0.0.0.0/1", "nat"),
    ],
    "a group is widened again while a subnet is behind the open default list": [
        ChangeRule(*OUT_WEB, 0, Rule("tcp", 5432, 5432, "APIGatewaySG")),
        PutEntry("PrivateSubnetACL", True, 100, "deny", Rule("tcp", 22, 22, "10.0.2.0/24")),
        UseAcl("PrivateSubnet2", ""),
    ],
    "a subnet moves to a wider list while a group lets too much in": [
        AddRule(*IN_WEB, Rule("tcp", 8000, 8000, ANYBODY)),
        UseAcl("PublicSubnet1", "PrivateSubnetACL"),
    ],
    "a subnet moves to a wider list while a rule is to be narrowed": [
        ChangeRule(*IN_WEB, 0, Rule("tcp", 80, 8000, ANYBODY)),
        UseAcl("PublicSubnet1", "PrivateSubnetACL"),
    ],
    "a gateway is attached while the database is open to everybody": [
        DetachGateway(),
        ChangeRule("DBSG", False, 0, Rule("tcp", 1024, 65535, ANYBODY)),
    ],
    "a route is made while the database is open to everybody": [
        DeleteRoute("PublicRouteTable", ANYBODY),
        PutRoute("PublicRouteTable", "0.0.0.0/1", "nat"),
        ChangeRule("DBSG", False, 0, Rule("tcp", 1024, 65535, ANYBODY)),
    ],
    "a subnet comes back to the way out while a group lets too much in": [
        UseTable("PublicSubnet1", "PrivateRouteTable"),
        AddRule(*IN_WEB, Rule("tcp", 8000, 8000, ANYBODY)),
    ],
    "the same with a list that lacks an entry": [
        DeleteEntry("PublicSubnetACL", False, 110),
        UseTable("PublicSubnet1", "PrivateRouteTable"),
        AddRule(*IN_WEB, Rule("tcp", 8000, 8000, ANYBODY)),
    ],
    "the same with another subnet behind the default list": [
        UseTable("PublicSubnet1", "PrivateRouteTable"),
        AddRule(*IN_WEB, Rule("tcp", 8000, 8000, ANYBODY)),
        UseAcl("PrivateSubnet2", ""),
    ],
    "the database gets a group back that lets too much in": [
        ChangeDatabase("VpcSecurityGroupIds", ("APIGatewaySG",)),
        AddRule("DBSG", False, Rule("tcp", 22, 22, ANYBODY)),
    ],
}
"""Drifts of several layers that meet on one way of a packet: each was found by a search, or is close to one."""
