"""The live ids of a document's network, by Setpoint's tags; for the drifts, which know only the document's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

DOCUMENT_TAG = "setpoint:document"
NAME_TAG = "setpoint:name"
_KINDS = (
    ("subnet", "describe_subnets", "Subnets", "SubnetId"),
    ("route_table", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("security_group", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("network_acl", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
)


@dataclass(frozen=True)
class Network:
    """`ids` maps an address ("security_group/DBSG") to the live id; a database's id is its identifier."""

    vpc_id: str
    ids: Mapping[str, str]

    def __getitem__(self, address: str) -> str:
        """The live id of an address; KeyError if there is none."""
        return self.ids[address]


def find_network(session: boto3.Session, document: str) -> Network:
    """The network whose VPC carries `setpoint:document` = `document`; LookupError unless there is exactly one."""
    ec2 = session.client("ec2")
    vpcs = ec2.describe_vpcs(Filters=[{"Name": f"tag:{DOCUMENT_TAG}", "Values": [document]}])["Vpcs"]
    if len(vpcs) != 1:
        raise LookupError(f"{len(vpcs)} VPCs carry the tag {DOCUMENT_TAG}={document}, not one")
    vpc_id = vpcs[0]["VpcId"]
    ids = {f"vpc/{name}": vpc_id for name in _names(vpcs[0].get("Tags", []))}
    for kind, operation, key, id_member in _KINDS:
        pages = ec2.get_paginator(operation).paginate(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])  # type: ignore[call-overload]
        ids |= _named(kind, (thing for page in pages for thing in page[key]), id_member)
    gateways = ec2.describe_internet_gateways(Filters=[{"Name": f"tag:{DOCUMENT_TAG}", "Values": [document]}])
    ids |= _named("internet_gateway", gateways["InternetGateways"], "InternetGatewayId")
    return Network(vpc_id, ids | _databases(session, vpc_id))


def _named(kind: str, things: Iterable[Any], id_member: str) -> dict[str, str]:
    return {f"{kind}/{name}": thing[id_member] for thing in things for name in _names(thing.get("Tags", []))}


def _names(tags: Iterable[Any]) -> list[str]:
    return [tag["Value"] for tag in tags if tag["Key"] == NAME_TAG]


def _databases(session: boto3.Session, vpc_id: str) -> dict[str, str]:
    pages = session.client("rds").get_paginator("describe_db_instances").paginate()
    in_vpc = [db for page in pages for db in page["DBInstances"] if db.get("DBSubnetGroup", {}).get("VpcId") == vpc_id]
    identifiers = [db["DBInstanceIdentifier"] for db in in_vpc]
    return {f"db_instance/{identifier}": identifier for identifier in identifiers}
