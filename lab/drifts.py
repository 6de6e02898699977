"""Drift as people and other tools cause it, by name, with plain boto3 calls.

The demo and the tests apply each Drift to the reference network (the three-tier example with MyVPC), one by one or all
in the order of DRIFTS; `addresses` is what Setpoint should then report. The order matters: AWS allows a public database
only while the gateway is attached and DNS is on, and DNS hostnames have to be switched off before DNS support. Waiting
for RDS polls without a pause, because in the laboratory a describe call makes time pass.

AWS does not detach a gateway from a VPC with a public database (DependencyViolation, mapped public addresses). For an
outsider the laboratory does, so that all drifts can be applied to one network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.network import Network, find_network

if TYPE_CHECKING:
    import boto3

__all__ = ["DRIFTS", "Drift", "Network", "find_network"]

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Drift:
    """One out-of-band change. `story` says who and how; `addresses` are the (address, field) pairs that drift."""

    name: str
    story: str
    apply: Callable[[boto3.Session, Network], None]
    addresses: frozenset[tuple[str, str]]


def _open_ssh(session: boto3.Session, network: Network) -> None:
    session.client("ec2").authorize_security_group_ingress(
        GroupId=network["security_group/APIGatewaySG"],
        IpPermissions=[_tcp(22, "temporary, for debugging")],
    )


def let_ssh_through(session: boto3.Session, network: Network) -> None:
    """What makes a front door that was opened to SSH reachable: the network ACL lets it through too. Not one of DRIFTS,
    because alone it changes nothing that anybody would notice.
    """
    session.client("ec2").create_network_acl_entry(
        NetworkAclId=network["network_acl/PublicSubnetACL"],
        RuleNumber=90,
        Protocol="6",
        RuleAction="allow",
        Egress=False,
        CidrBlock=ANYWHERE,
        PortRange={"From": 22, "To": 22},
    )


def _tcp(port: int, description: str) -> Any:
    source = {"CidrIp": ANYWHERE, "Description": description}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [source]}


def _ingress(session: boto3.Session, network: Network, address: str, port: int) -> list[str]:
    """The ids of the group's ingress rules on that port."""
    pages = (
        session.client("ec2")
        .get_paginator("describe_security_group_rules")
        .paginate(Filters=[{"Name": "group-id", "Values": [network[address]]}])
    )
    rules = [rule for page in pages for rule in page["SecurityGroupRules"]]
    return [rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"] and rule["FromPort"] == port]


def _widen_rule(session: boto3.Session, network: Network) -> None:
    ec2 = session.client("ec2")
    narrow = _ingress(session, network, "security_group/DBSG", 5432)
    group = network["security_group/DBSG"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[_tcp(5432, "reporting tool")])
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=narrow)


def _delete_rule(session: boto3.Session, network: Network) -> None:
    session.client("ec2").revoke_security_group_ingress(
        GroupId=network["security_group/TestServerSG"],
        SecurityGroupRuleIds=_ingress(session, network, "security_group/TestServerSG", 8000),
    )


def _change_description(session: boto3.Session, network: Network) -> None:
    rules = _ingress(session, network, "security_group/DBSG", 5432)
    session.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=network["security_group/DBSG"],
        SecurityGroupRuleDescriptions=[
            {"SecurityGroupRuleId": r, "Description": "ask Kim before touching"} for r in rules
        ],
    )


def _deny_entry(session: boto3.Session, network: Network) -> None:
    session.client("ec2").replace_network_acl_entry(
        NetworkAclId=network["network_acl/PublicSubnetACL"],
        RuleNumber=110,
        Egress=False,
        Protocol="6",
        RuleAction="deny",
        CidrBlock=ANYWHERE,
        PortRange={"From": 443, "To": 443},
    )


def _allow_intruder(session: boto3.Session, network: Network) -> None:
    session.client("ec2").create_network_acl_entry(
        NetworkAclId=network["network_acl/PrivateSubnetACL"],
        RuleNumber=50,
        Egress=False,
        Protocol="-1",
        RuleAction="allow",
        CidrBlock="198.51.100.0/24",
    )


def _move_acl_association(session: boto3.Session, network: Network) -> None:
    ec2 = session.client("ec2")
    subnet_id = network["subnet/PublicSubnet1"]
    of_vpc: Any = [{"Name": "vpc-id", "Values": [network.vpc_id]}]
    acls = ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
    default = next(acl["NetworkAclId"] for acl in acls if acl["IsDefault"])
    current = next(each for acl in acls for each in acl["Associations"] if each["SubnetId"] == subnet_id)
    ec2.replace_network_acl_association(AssociationId=current["NetworkAclAssociationId"], NetworkAclId=default)


def _delete_public_route(session: boto3.Session, network: Network) -> None:
    table = network["route_table/PublicRouteTable"]
    session.client("ec2").delete_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE)


def _make_private_subnet_public(session: boto3.Session, network: Network) -> None:
    ec2 = session.client("ec2")
    subnet_id = network["subnet/PrivateSubnet1"]
    by_subnet: Any = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    (table,) = ec2.describe_route_tables(Filters=by_subnet)["RouteTables"]
    current = next(each for each in table["Associations"] if each.get("SubnetId") == subnet_id)
    ec2.replace_route_table_association(
        AssociationId=current["RouteTableAssociationId"], RouteTableId=network["route_table/PublicRouteTable"]
    )


def _map_public_ip(session: boto3.Session, network: Network) -> None:
    session.client("ec2").modify_subnet_attribute(
        SubnetId=network["subnet/PrivateSubnet2"], MapPublicIpOnLaunch={"Value": True}
    )


def _change_tag(session: boto3.Session, network: Network) -> None:
    tags: Any = [{"Key": "setpoint:name", "Value": "old-do-not-use"}]
    session.client("ec2").create_tags(Resources=[network.vpc_id], Tags=tags)


def _expose_database(session: boto3.Session, network: Network) -> None:
    _change_database(
        session,
        network,
        PubliclyAccessible=True,
        VpcSecurityGroupIds=[network["security_group/APIGatewaySG"]],
        BackupRetentionPeriod=1,
    )


def _unprotect_database(session: boto3.Session, network: Network) -> None:
    _change_database(session, network, DeletionProtection=False)


def _change_database(session: boto3.Session, network: Network, **changes: Any) -> None:
    rds = session.client("rds")
    identifier = network["db_instance/mypostgresqldb"]
    available = rds.get_waiter("db_instance_available")
    available.wait(DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 0})
    rds.modify_db_instance(DBInstanceIdentifier=identifier, ApplyImmediately=True, **changes)
    available.wait(DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 0})


def _detach_gateway(session: boto3.Session, network: Network) -> None:
    gateway = network["internet_gateway/MyInternetGateway"]
    session.client("ec2").detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc_id)


def _switch_dns_off(session: boto3.Session, network: Network) -> None:
    ec2 = session.client("ec2")
    ec2.modify_vpc_attribute(VpcId=network.vpc_id, EnableDnsHostnames={"Value": False})
    ec2.modify_vpc_attribute(VpcId=network.vpc_id, EnableDnsSupport={"Value": False})


def _drift(
    name: str, story: str, apply: Callable[[boto3.Session, Network], None], *addresses: tuple[str, str]
) -> Drift:
    return Drift(name, story, apply, frozenset(addresses))


DRIFTS: tuple[Drift, ...] = (
    _drift(
        "ssh-opened-to-the-world",
        "An engineer opened SSH on the front door to everyone from the console, to debug something.",
        _open_ssh,
        ("security_group/APIGatewaySG", "ingress"),
    ),
    _drift(
        "rule-widened",
        "Somebody opened PostgreSQL to the whole internet for a reporting tool, instead of to the back end only.",
        _widen_rule,
        ("security_group/DBSG", "ingress"),
    ),
    _drift(
        "rule-deleted",
        "A clean-up script revoked the rule that lets the front door reach the back end.",
        _delete_rule,
        ("security_group/TestServerSG", "ingress"),
    ),
    _drift(
        "description-changed",
        "A colleague replaced a rule's description with a note in the console.",
        _change_description,
        ("security_group/DBSG", "ingress"),
    ),
    _drift(
        "acl-entry-denied",
        "During an incident HTTPS was denied in the public network ACL, and nobody reverted it.",
        _deny_entry,
        ("network_acl/PublicSubnetACL", "ingress"),
    ),
    _drift(
        "intruder-acl-allow",
        "Stolen credentials were used to allow a foreign network before all other entries of the private network ACL.",
        _allow_intruder,
        ("network_acl/PrivateSubnetACL", "ingress"),
    ),
    _drift(
        "acl-association-moved",
        "Another tool moved the public subnet to the VPC's default network ACL, which allows everything.",
        _move_acl_association,
        ("network_acl/PublicSubnetACL", "subnets"),
    ),
    _drift(
        "public-route-deleted",
        "A script deleted the public route table's default route.",
        _delete_public_route,
        ("route_table/PublicRouteTable", "routes"),
    ),
    _drift(
        "private-subnet-on-public-table",
        "Somebody moved a private subnet to the public route table so that a server could download packages.",
        _make_private_subnet_public,
        ("route_table/PrivateRouteTable", "subnets"),
        ("route_table/PublicRouteTable", "subnets"),
    ),
    _drift(
        "public-ip-on-launch",
        "An engineer enabled public IP addresses for new instances in a private subnet.",
        _map_public_ip,
        ("subnet/PrivateSubnet2", "map_public_ip_on_launch"),
    ),
    _drift(
        "tag-changed",
        "A tagging script renamed the VPC in its tag setpoint:name.",
        _change_tag,
        ("vpc/MyVPC", "tags"),
    ),
    _drift(
        "database-exposed",
        "A developer made the database public, gave it the front door's security group and cut backups to one day.",
        _expose_database,
        ("db_instance/mypostgresqldb", "publicly_accessible"),
        ("db_instance/mypostgresqldb", "vpc_security_groups"),
        ("db_instance/mypostgresqldb", "backup_retention_period"),
    ),
    _drift(
        "deletion-protection-off",
        "Somebody switched deletion protection off to rehearse a migration.",
        _unprotect_database,
        ("db_instance/mypostgresqldb", "deletion_protection"),
    ),
    _drift(
        "gateway-detached",
        "A decommissioning run detached the internet gateway from the wrong VPC.",
        _detach_gateway,
        ("internet_gateway/MyInternetGateway", "vpc"),
    ),
    _drift(
        "dns-switched-off",
        "A hardening script switched off the VPC's DNS hostnames and DNS support.",
        _switch_dns_off,
        ("vpc/MyVPC", "enable_dns_hostnames"),
        ("vpc/MyVPC", "enable_dns_support"),
    ),
)
