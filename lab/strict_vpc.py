"""VPCs, subnets and internet gateways as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, CreateVpc, ModifyVpcAttribute, CreateSubnet, ModifySubnetAttribute,
AttachInternetGateway; VPC User Guide, "DNS attributes", "Subnet sizing"): /16 to /28; one attribute per modify; DNS
hostnames need DNS support; a new subnet maps no public addresses, and one with
IPv6 only is shown without CidrBlock; one gateway per VPC, which cannot be detached while
a public address is mapped (an outsider can, as long as it is no elastic one: see lab/drifts.py). The quota of five VPCs
per Region is not enforced (tests create more). The code for hostnames without support is not documented; here
InvalidParameterCombination.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from lab import canonical
from lab.live import Answer, Live, Params, needs_known, without
from lab.refusal import Refusal
from lab.strict_acls import let_ipv6_through
from lab.strict_groups import let_itself_in

_VPC_ATTRIBUTES = ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics")


def create_vpc(live: Live, params: Params) -> Answer:
    block = canonical.cidr4(params["CidrBlock"])
    if not 16 <= ipaddress.ip_network(block).prefixlen <= 28:
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    answer = live.moto("ec2", "CreateVpc", {**params, "CidrBlock": block})
    vpc_id = answer["Vpc"]["VpcId"]
    let_itself_in(live, vpc_id)
    if live.has_ipv6(vpc_id):
        let_ipv6_through(live, vpc_id)
    return answer


def modify_vpc(live: Live, params: Params) -> Answer:
    vpc = live.vpc(params["VpcId"])
    name, value = _one_attribute(params, "VpcId")
    if name not in _VPC_ATTRIBUTES:
        raise Refusal("InvalidParameter", f"{name} is no attribute of a VPC")
    wants_names = value if name == "EnableDnsHostnames" else _on(vpc.enable_dns_hostnames)
    has_support = value if name == "EnableDnsSupport" else _on(vpc.enable_dns_support)
    if wants_names and not has_support:
        raise Refusal(
            "InvalidParameterCombination", "DNS hostnames need DNS support: enable it first, disable it last."
        )
    return live.moto("ec2", "ModifyVpcAttribute", params)


def _one_attribute(params: Params, subject: str) -> tuple[str, bool]:
    named = {name: value for name, value in params.items() if name != subject}
    if not named:
        raise Refusal("MissingParameter", "The request must contain an attribute to modify")
    if len(named) > 1:
        raise Refusal("InvalidParameterCombination", f"Fields for multiple attribute types specified: {sorted(named)}")
    name, value = next(iter(named.items()))
    return name, bool(value.get("Value")) if isinstance(value, dict) else bool(value)


def _on(value: Any) -> bool:
    # moto stores what it parsed: a bool, or its text.
    return value is True or str(value).lower() == "true"


def dns_is_on(live: Live, vpc_id: str) -> bool:
    """Whether DNS support and DNS hostnames are on, which a public DB instance needs."""
    vpc = live.vpc(vpc_id)
    return _on(vpc.enable_dns_support) and _on(vpc.enable_dns_hostnames)


def delete_vpc(live: Live, params: Params) -> Answer:
    vpc = live.vpc(params["VpcId"])
    acls = [acl for acl in live.ec2.network_acls.values() if acl.vpc_id == vpc.id]
    groups = [group for group in live.groups() if group.vpc_id == vpc.id]
    in_use = live.gateway_of(vpc.id) is not None or len(acls) > 1 or len(groups) > 1
    if in_use:
        raise Refusal("DependencyViolation", f"The vpc '{vpc.id}' has dependencies and cannot be deleted.")
    answer = live.moto("ec2", "DeleteVpc", params)
    for acl in acls:
        live.ec2.network_acls.pop(acl.id, None)
    return answer


def describe_vpcs(live: Live, params: Params) -> Answer:
    needs_known(params.get("VpcIds") or [], live.ec2.vpcs, "InvalidVpcID.NotFound", "vpc ID")
    return live.moto("ec2", "DescribeVpcs", params)


def describe_vpc_attribute(live: Live, params: Params) -> Answer:
    live.vpc(params["VpcId"])
    return live.moto("ec2", "DescribeVpcAttribute", params)


def create_subnet(live: Live, params: Params) -> Answer:
    live.vpc(params["VpcId"])
    if not params.get("CidrBlock") and not params.get("Ipv6Native"):
        raise Refusal("MissingParameter", "Either 'cidrBlock' or 'ipv6CidrBlock' should be provided.")
    canonical_params = dict(params)
    if params.get("CidrBlock"):
        canonical_params["CidrBlock"] = _subnet_block(live, params["VpcId"], params["CidrBlock"])
    if params.get("Ipv6CidrBlock"):
        canonical_params["Ipv6CidrBlock"] = _subnet_block6(live, params["VpcId"], params["Ipv6CidrBlock"])
    if not params.get("AvailabilityZoneId"):
        canonical_params["AvailabilityZone"] = _zone(live, params.get("AvailabilityZone"))
    answer = live.moto("ec2", "CreateSubnet", canonical_params)
    # moto treats the first subnet of a zone as a default one, which maps public addresses.
    subnet = live.subnet(answer["Subnet"]["SubnetId"])
    subnet.map_public_ip_on_launch = False
    answer["Subnet"]["MapPublicIpOnLaunch"] = False
    return answer


def _subnet_block(live: Live, vpc_id: str, text: str) -> str:
    block = canonical.cidr4(text)
    network = ipaddress.IPv4Network(block)
    # moto also counts the blocks that the VPC no longer has.
    inside = any(network.subnet_of(ipaddress.IPv4Network(held)) for held in live.blocks(vpc_id))
    if not 16 <= network.prefixlen <= 28 or not inside:
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    return block


def _subnet_block6(live: Live, vpc_id: str, text: str) -> str:
    block = canonical.cidr6(text)
    network = ipaddress.IPv6Network(block)
    inside = any(network.subnet_of(ipaddress.IPv6Network(held)) for held in live.blocks(vpc_id, ipv6=True))
    if network.prefixlen != 64 or not inside:
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    return block


def _zone(live: Live, wanted: str | None) -> str:
    zones: list[str] = [zone.name for zone in live.ec2.describe_availability_zones()]
    if wanted is not None and wanted not in zones:
        known = ", ".join(zones)
        message = (
            f"Value ({wanted}) for parameter availabilityZone is invalid. "
            f"Subnets can currently only be created in the following availability zones: {known}."
        )
        raise Refusal("InvalidParameterValue", message)
    return wanted or zones[0]


def modify_subnet(live: Live, params: Params) -> Answer:
    live.subnet(params["SubnetId"])
    _one_attribute(params, "SubnetId")
    return live.moto("ec2", "ModifySubnetAttribute", params)


def delete_subnet(live: Live, params: Params) -> Answer:
    subnet = live.subnet(params["SubnetId"])
    interfaces = any(each.subnet.id == subnet.id for each in live.ec2.enis.values())
    if interfaces or subnet.id in _subnets_of_databases(live):
        message = f"The subnet '{subnet.id}' has dependencies and cannot be deleted."
        raise Refusal("DependencyViolation", message)
    answer = live.moto("ec2", "DeleteSubnet", params)
    # AWS deletes the subnet's associations too.
    for acl in live.ec2.network_acls.values():
        acl._associations = {k: a for k, a in acl._associations.items() if a.subnet_id != subnet.id}
    for table in live.ec2.route_tables.values():
        table._associations = {k: s for k, s in table._associations.items() if s != subnet.id}
    live.ec2.tags.pop(subnet.id, None)
    return answer


def _subnets_of_databases(live: Live) -> set[str]:
    return {subnet for instance in live.instances() for subnet in live.subnets_of(instance)}


def describe_subnets(live: Live, params: Params) -> Answer:
    needs_known(params.get("SubnetIds") or [], live.subnets(), "InvalidSubnetID.NotFound", "subnet ID")
    return live.moto("ec2", "DescribeSubnets", params)


def attach_gateway(live: Live, params: Params) -> Answer:
    gateway = live.gateway(params["InternetGatewayId"])
    vpc = live.vpc(params["VpcId"])
    if gateway.vpc is not None:
        message = f"resource {gateway.id} is already attached to network {gateway.vpc.id}"
        raise Refusal("Resource.AlreadyAssociated", message)
    if live.gateway_of(vpc.id) is not None:
        raise Refusal("InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached")
    return live.moto("ec2", "AttachInternetGateway", params)


def detach_gateway(live: Live, params: Params) -> Answer:
    gateway = live.gateway(params["InternetGatewayId"])
    if gateway.vpc is None or gateway.vpc.id != params["VpcId"]:
        message = f"resource {gateway.id} is not attached to network {params['VpcId']}"
        raise Refusal("Gateway.NotAttached", message)
    if _has_mapped_addresses(live, gateway.vpc.id) or (_has_public_things(live, gateway.vpc.id) and not live.by_force):
        message = f"Network {gateway.vpc.id} has some mapped public address(es). Please unmap those first."
        raise Refusal("DependencyViolation", message)
    return live.moto("ec2", "DetachInternetGateway", params)


def _has_mapped_addresses(live: Live, vpc_id: str) -> bool:
    interfaces = (address.eni for address in live.ec2.addresses if address.eni is not None)
    return any(interface.subnet.vpc_id == vpc_id for interface in interfaces)


def _has_public_things(live: Live, vpc_id: str) -> bool:
    """Whether a machine or a DB instance has a public address."""
    if any(each.public_ip and each.subnet.vpc_id == vpc_id for each in live.ec2.enis.values()):
        return True
    public = [each for each in live.instances() if each.publicly_accessible]
    return any((group := live.subnet_group_of(each)) is not None and group.vpc_id == vpc_id for each in public)


def describe_gateways(live: Live, params: Params) -> Answer:
    ids = params.get("InternetGatewayIds") or []
    needs_known(ids, live.ec2.internet_gateways, "InvalidInternetGatewayID.NotFound", "internetGateway ID")
    return live.moto(
        "ec2", "DescribeInternetGateways", without(params) if ids else without(params, "InternetGatewayIds")
    )


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateVpc": create_vpc,
    "ModifyVpcAttribute": modify_vpc,
    "DeleteVpc": delete_vpc,
    "DescribeVpcs": describe_vpcs,
    "DescribeVpcAttribute": describe_vpc_attribute,
    "CreateSubnet": create_subnet,
    "ModifySubnetAttribute": modify_subnet,
    "DeleteSubnet": delete_subnet,
    "DescribeSubnets": describe_subnets,
    "AttachInternetGateway": attach_gateway,
    "DetachInternetGateway": detach_gateway,
    "DescribeInternetGateways": describe_gateways,
}
