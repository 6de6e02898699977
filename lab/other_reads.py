"""The looks at what stands beside a network: interfaces, NAT gateways, endpoints, peerings, attachments, flow logs.

Called by strict_aws. moto answers without filters; these filter its answer, as far as AWS has the filter. One that AWS
does not have, or that is not built here, is refused with InvalidParameterValue: nothing is found in silence.

Facts encoded (EC2 API reference, the Describe calls below): the parameter is `Filter` for NAT gateways and flow logs;
egress-only internet gateways are filtered by tags only; `*` and `?` in a value stand for any text and any character.
The interfaces of NAT gateways, interface endpoints and databases are managed by their service, and the type, the
description and the requester say whose they are; moto has none of a database's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lab import strict_nat
from lab.live import Answer, Live, Params, needs_known, without
from lab.refusal import Refusal


class Look(NamedTuple):
    """One Describe call: where its list and ids are, the code for an unknown id, and its filters by path."""

    key: str
    id_member: str
    ids_parameter: str
    unknown: str
    filters: dict[str, str]
    tags: str = "Tags"
    is_tagged: bool = True


LOOKS = {
    "DescribeNetworkInterfaces": Look(
        "NetworkInterfaces",
        "NetworkInterfaceId",
        "NetworkInterfaceIds",
        "InvalidNetworkInterfaceID.NotFound",
        {
            "vpc-id": "VpcId",
            "subnet-id": "SubnetId",
            "group-id": "Groups.GroupId",
            "network-interface-id": "NetworkInterfaceId",
            "interface-type": "InterfaceType",
            "description": "Description",
            "status": "Status",
            "owner-id": "OwnerId",
            "requester-id": "RequesterId",
            "private-ip-address": "PrivateIpAddress",
            "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
            "attachment.instance-id": "Attachment.InstanceId",
        },
        "TagSet",
    ),
    "DescribeNatGateways": Look(
        "NatGateways",
        "NatGatewayId",
        "NatGatewayIds",
        "NatGatewayNotFound",
        {"vpc-id": "VpcId", "subnet-id": "SubnetId", "state": "State", "nat-gateway-id": "NatGatewayId"},
    ),
    "DescribeVpcEndpoints": Look(
        "VpcEndpoints",
        "VpcEndpointId",
        "VpcEndpointIds",
        "InvalidVpcEndpointId.NotFound",
        {
            "vpc-id": "VpcId",
            "vpc-endpoint-id": "VpcEndpointId",
            "vpc-endpoint-state": "State",
            "vpc-endpoint-type": "VpcEndpointType",
            "service-name": "ServiceName",
        },
    ),
    "DescribeVpcPeeringConnections": Look(
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        "VpcPeeringConnectionIds",
        "InvalidVpcPeeringConnectionID.NotFound",
        {
            "requester-vpc-info.vpc-id": "RequesterVpcInfo.VpcId",
            "requester-vpc-info.owner-id": "RequesterVpcInfo.OwnerId",
            "accepter-vpc-info.vpc-id": "AccepterVpcInfo.VpcId",
            "accepter-vpc-info.owner-id": "AccepterVpcInfo.OwnerId",
            "status-code": "Status.Code",
            "vpc-peering-connection-id": "VpcPeeringConnectionId",
        },
    ),
    "DescribeTransitGatewayVpcAttachments": Look(
        "TransitGatewayVpcAttachments",
        "TransitGatewayAttachmentId",
        "TransitGatewayAttachmentIds",
        "InvalidTransitGatewayAttachmentID.NotFound",
        {
            "vpc-id": "VpcId",
            "state": "State",
            "transit-gateway-id": "TransitGatewayId",
            "transit-gateway-attachment-id": "TransitGatewayAttachmentId",
        },
        is_tagged=False,
    ),
    "DescribeVpnGateways": Look(
        "VpnGateways",
        "VpnGatewayId",
        "VpnGatewayIds",
        "InvalidVpnGatewayID.NotFound",
        {
            "attachment.vpc-id": "VpcAttachments.VpcId",
            "attachment.state": "VpcAttachments.State",
            "state": "State",
            "type": "Type",
            "vpn-gateway-id": "VpnGatewayId",
        },
    ),
    "DescribeEgressOnlyInternetGateways": Look(
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayId",
        "EgressOnlyInternetGatewayIds",
        "InvalidEgressOnlyInternetGatewayId.NotFound",
        {},
    ),
    "DescribeFlowLogs": Look(
        "FlowLogs",
        "FlowLogId",
        "FlowLogIds",
        "InvalidFlowLogId.NotFound",
        {
            "resource-id": "ResourceId",
            "traffic-type": "TrafficType",
            "flow-log-id": "FlowLogId",
            "log-group-name": "LogGroupName",
            "log-destination-type": "LogDestinationType",
            "deliver-log-status": "DeliverLogsStatus",
        },
    ),
}


def _look(operation: str) -> Callable[[Live, Params], Answer]:
    look = LOOKS[operation]

    def act(live: Live, params: Params) -> Answer:
        rest = without(params, "Filter", "Filters", look.ids_parameter)
        found = live.moto("ec2", operation, rest)[look.key]
        if operation == "DescribeNatGateways":
            found = strict_nat.shown(live, found)
        if operation == "DescribeNetworkInterfaces":
            found = [*_as_services_say(live, found), *_of_databases(live)]
        ids = params.get(look.ids_parameter) or []
        needs_known(ids, [each[look.id_member] for each in found], look.unknown, "ID")
        found = [each for each in found if not ids or each[look.id_member] in ids]
        for each in params.get("Filters") or params.get("Filter") or []:
            found = [one for one in found if _matches(one, look, each["Name"], each["Values"])]
        return {look.key: found}

    return act


def _matches(one: Answer, look: Look, name: str, values: list[str]) -> bool:
    held = list(_held(one, look, name))
    return any(_pattern(value).fullmatch(each) for value in values for each in held)


def _held(one: Answer, look: Look, name: str) -> Iterator[str]:
    tags = one.get(look.tags) or []
    if name in look.filters:
        yield from _at(one, look.filters[name].split("."))
    elif look.is_tagged and name == "tag-key":
        yield from (tag["Key"] for tag in tags)
    elif look.is_tagged and name.startswith("tag:"):
        yield from (tag["Value"] for tag in tags if tag["Key"] == name.removeprefix("tag:"))
    else:
        raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")


def _at(value: Any, path: list[str]) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _at(each, path)
    elif not path:
        yield str(value)
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(re.escape(value).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _as_services_say(live: Live, interfaces: list[Answer]) -> list[Answer]:
    """The interfaces of NAT gateways and endpoints, as the services that keep them show them."""
    managed: dict[str, Answer] = {}
    for nat in live.ec2.nat_gateways.values():
        if nat.state != "deleted":
            said = f"Interface for NAT Gateway {nat.id}"
            managed[nat._eni.id] = {"InterfaceType": "nat_gateway", "Description": said, "Groups": []}
    for endpoint in live.ec2.vpc_end_points.values():
        for interface_id in endpoint.network_interface_ids:
            said = f"VPC Endpoint Interface {endpoint.id}"
            managed[interface_id] = {"InterfaceType": "vpc_endpoint", "Description": said}
    shared = {"RequesterManaged": True, "Status": "in-use"}
    gone = {nat._eni.id for nat in live.ec2.nat_gateways.values() if nat.state == "deleted"}
    kept = [each for each in interfaces if each["NetworkInterfaceId"] not in gone]
    return [
        {**each, **shared, **managed[each["NetworkInterfaceId"]]} if each["NetworkInterfaceId"] in managed else each
        for each in kept
    ]


def _of_databases(live: Live) -> Iterator[Answer]:
    """The interfaces that RDS keeps for DB instances: one each, in the first subnet of the instance's zone."""
    for instance in live.instances():
        group = live.subnet_group_of(instance)
        zone = instance.availability_zone
        subnet = next((each for each in group._subnets if each.availability_zone == zone), None) if group else None
        if subnet is None:
            continue
        names = {each.id: each.name for each in live.groups()}
        yield {
            "NetworkInterfaceId": f"eni-{instance.dbi_resource_id[3:].encode().hex()[:17]}",
            "VpcId": subnet.vpc_id,
            "SubnetId": subnet.id,
            "AvailabilityZone": zone,
            "Description": "RDSNetworkInterface",
            "InterfaceType": "interface",
            "RequesterId": "amazon-rds",
            "RequesterManaged": True,
            "Status": "in-use",
            "OwnerId": live.account,
            "Groups": [{"GroupId": each, "GroupName": names.get(each, "")} for each in instance.vpc_security_group_ids],
            "PrivateIpAddresses": [],
            "Ipv6Addresses": [],
            "SourceDestCheck": True,
            "TagSet": [],
        }


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {operation: _look(operation) for operation in LOOKS}
