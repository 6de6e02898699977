"""A VPC with IPv6: AWS adds entries of its own to every ACL, and what is opened for IPv6 is as open as for IPv4."""

from __future__ import annotations

from typing import Any

from tests.support.cases import calm, permission, told
from tests.support.runs import Network, drifted

ANY6 = "::/0"


def _with_ipv6(net: Network) -> Any:
    ec2 = net.outsider("ec2")
    ec2.associate_vpc_cidr_block(VpcId=net.id("vpc/MyVPC"), AmazonProvidedIpv6CidrBlock=True)
    return ec2


def test_what_aws_adds_for_ipv6_is_nobodys_drift_and_costs_no_acl(net: Network) -> None:
    """Every ACL ends with 32768 too, then (VPC user guide, Network ACLs)."""
    _with_ipv6(net)
    calm(net)


def test_what_is_opened_for_ipv6_is_closed_at_every_layer(net: Network) -> None:
    ec2 = _with_ipv6(net)
    acl, table = net.id("network_acl/PrivateSubnetACL"), net.id("route_table/PrivateRouteTable")
    rules = [permission(5432, ANY6), permission(-1, ANY6, protocol="58")]
    ec2.authorize_security_group_ingress(GroupId=net.id("security_group/DBSG"), IpPermissions=rules)
    for number, egress, kind in ((1, False, "-1"), (32766, True, "58")):
        ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=number,
            Egress=egress,
            RuleAction="allow",
            Protocol=kind,
            Ipv6CidrBlock=ANY6,
            **({"IcmpTypeCode": {"Type": 128, "Code": -1}} if kind == "58" else {}),
        )
    gateway = net.id("internet_gateway/MyInternetGateway")
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock=ANY6, GatewayId=gateway)
    report = net.run()
    assert report.in_sync, told(report)
    assert drifted(report) == {
        ("security_group/DBSG", "ingress"),
        ("network_acl/PrivateSubnetACL", "ingress"),
        ("network_acl/PrivateSubnetACL", "egress"),
        ("route_table/PrivateRouteTable", "routes"),
    }
    calm(net)
