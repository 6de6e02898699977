"""Secondary networks of a VPC as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, AssociateVpcCidrBlock, DisassociateVpcCidrBlock; VPC User Guide, "VPC CIDR blocks"):
/16 to /28; no overlap with another block of the VPC; a range of another private network than the VPC's is restricted;
a block is smaller than the destination of any route in the VPC's tables that it covers; five blocks; the answer says
`associating`, the next look `associated`; every table gets a local route. The primary block stays; a block with subnets
in it stays; one that is gone is shown as `disassociated` until another is added. The codes for an overlap, a restricted
range, a route and a block in use are not documented; here InvalidVpc.Range, and DependencyViolation. Host bits are
refused: whether AWS clears them here is not documented.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from lab import canonical
from lab.live import Answer, Live, Params
from lab.refusal import Refusal
from lab.strict_acls import let_ipv6_through

_TEN, _TWELVE, _SIXTEEN = (ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_TEST = ipaddress.IPv4Network("198.19.0.0/16")
_NEVER = tuple(
    ipaddress.IPv4Network(each) for each in ("169.254.0.0/16", "127.0.0.0/8", "224.0.0.0/4", "172.31.0.0/16")
)
_RESTRICTED = {
    _TEN: (_TWELVE, _SIXTEEN, _TEST),
    _TWELVE: (_TEN, _SIXTEEN, _TEST),
    _SIXTEEN: (_TEN, _TWELVE, _TEST),
    _TEST: (_TEN, _TWELVE, _SIXTEEN),
}
"""The range of a VPC's primary block -> the ranges that none of its others may lie in."""


def associate(live: Live, params: Params) -> Answer:
    vpc = live.vpc(params["VpcId"])
    if params.get("AmazonProvidedIpv6CidrBlock"):
        first = not live.has_ipv6(vpc.id)
        answer = live.moto("ec2", "AssociateVpcCidrBlock", params)
        if first:
            let_ipv6_through(live, vpc.id)
        return answer
    if not params.get("CidrBlock"):
        raise Refusal("MissingParameter", "Either 'cidrBlock' or 'amazonProvidedIpv6CidrBlock' should be provided.")
    block = canonical.cidr4(params["CidrBlock"])
    if block != params["CidrBlock"]:
        message = f"The CIDR '{params['CidrBlock']}' is invalid: its network is {block}."
        raise Refusal("InvalidParameterValue", message)
    _check(live, vpc, ipaddress.IPv4Network(block))
    return live.moto("ec2", "AssociateVpcCidrBlock", params)


def _check(live: Live, vpc: Any, block: ipaddress.IPv4Network) -> None:
    if not 16 <= block.prefixlen <= 28:
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    for held in map(ipaddress.IPv4Network, live.blocks(vpc.id)):
        if block.overlaps(held):
            raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' conflicts with {held} of the same VPC.")
    primary = ipaddress.IPv4Network(vpc.cidr_block)
    restricted = next((others for own, others in _RESTRICTED.items() if primary.subnet_of(own)), ())
    if any(block.overlaps(other) for other in (*restricted, *_NEVER)):
        message = (
            f"The CIDR '{block}' is restricted. Use a CIDR from the same private address range as the current VPC "
            "CIDR, or use a publicly-routable CIDR."
        )
        raise Refusal("InvalidVpc.Range", message)
    for table in _tables(live, vpc.id):
        for route in table.routes:
            destination = route.destination_cidr_block
            if destination and not route.local and ipaddress.IPv4Network(destination).subnet_of(block):
                message = f"The CIDR '{block}' is the same as or larger than the route {destination} of {table.id}."
                raise Refusal("InvalidVpc.Range", message)


def _tables(live: Live, vpc_id: str) -> Iterator[Any]:
    return (table for table in live.ec2.route_tables.values() if table.vpc_id == vpc_id)


def disassociate(live: Live, params: Params) -> Answer:
    association_id = params["AssociationId"]
    vpc, held = _held(live, association_id)
    block = held["cidr_block"]
    if block == vpc.cidr_block:
        message = f"The vpc CIDR block with association ID {association_id} may not be disassociated."
        raise Refusal("OperationNotPermitted", message)
    network = ipaddress.ip_network(block)
    for subnet in live.subnets().values():
        if subnet.vpc_id == vpc.id and any(ipaddress.ip_network(own).overlaps(network) for own in _networks(subnet)):
            message = f"The vpc CIDR block {block} has dependencies and cannot be disassociated: {subnet.id}."
            raise Refusal("DependencyViolation", message)
    for table in _tables(live, vpc.id):
        drop_local_route(table, block)
    held["cidr_block_state"]["state"] = "disassociated"
    name = "Ipv6CidrBlock" if network.version == 6 else "CidrBlock"
    shown = {"AssociationId": association_id, name: block, f"{name}State": {"State": "disassociating"}}
    return {"VpcId": vpc.id, f"{name}Association": shown}


def _held(live: Live, association_id: str) -> tuple[Any, Answer]:
    for vpc in live.ec2.vpcs.values():
        held = vpc._cidr_block_association_set.get(association_id)
        if held is not None and held["cidr_block_state"]["state"] == "associated":
            return vpc, held
    message = f"The vpc CIDR block association ID '{association_id}' does not exist"
    raise Refusal("InvalidVpcCidrBlockAssociationID.NotFound", message)


def _networks(subnet: Any) -> list[str]:
    held = subnet.ipv6_cidr_block_associations.values()
    return [*([subnet.cidr_block] if subnet.cidr_block else []), *(each["ipv6CidrBlock"] for each in held)]


def drop_local_route(table: Any, block: str) -> None:
    """Take the local route of a block out of a table."""
    for key, route in list(table._routes.items()):
        destinations = (route.destination_cidr_block, route.destination_ipv6_cidr_block)
        if block in destinations and (route.local or getattr(route, "was_local", False)):
            del table._routes[key]


def drop_former_routes(live: Live, table: Any) -> None:
    """Take the local routes of blocks that the VPC no longer has out of a new table; moto makes those too."""
    held = {*live.blocks(table.vpc_id), *live.blocks(table.vpc_id, ipv6=True)}
    for each in live.vpc(table.vpc_id)._cidr_block_association_set.values():
        if each["cidr_block"] not in held:
            drop_local_route(table, each["cidr_block"])


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "AssociateVpcCidrBlock": associate,
    "DisassociateVpcCidrBlock": disassociate,
}
