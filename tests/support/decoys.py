"""Route tables with the tags of another one: what somebody with the right to tag can put in its place."""

from __future__ import annotations

from typing import Any

from desired_state.fields import Address
from lab.network import Network

PRIVATE, PUBLIC = Address("route_table/PrivateRouteTable"), Address("route_table/PublicRouteTable")


def tag(ec2: Any, aws_id: str, address: Address, document: str = "test-server") -> None:
    """Put a document's tags on something."""
    both = {"setpoint:document": document, "setpoint:name": address.name}
    ec2.create_tags(Resources=[aws_id], Tags=[{"Key": key, "Value": value} for key, value in both.items()])


def untag(ec2: Any, *aws_ids: str) -> None:
    """Take off every tag that says who something is."""
    keys = [{"Key": key} for key in ("setpoint:document", "setpoint:name", "Name")]
    ec2.delete_tags(Resources=list(aws_ids), Tags=keys)


def decoy(ec2: Any, live: Network) -> str:
    """The id of a new table that carries the tags of the private one, which has lost them."""
    made: str = ec2.create_route_table(VpcId=live.vpc_id)["RouteTable"]["RouteTableId"]
    untag(ec2, live[PRIVATE])
    tag(ec2, made, PRIVATE)
    return made


def replaced(ec2: Any, live: Network) -> str:
    """The id of a decoy that has the subnets of the private table, which is deleted."""
    made = decoy(ec2, live)
    (old,) = ec2.describe_route_tables(RouteTableIds=[live[PRIVATE]])["RouteTables"]
    for one in old["Associations"]:
        ec2.replace_route_table_association(AssociationId=one["RouteTableAssociationId"], RouteTableId=made)
    ec2.delete_route_table(RouteTableId=live[PRIVATE])
    return made


def exchanged(ec2: Any, live: Network) -> None:
    """The tags of the two tables, each on the other."""
    tag(ec2, live[PRIVATE], PUBLIC)
    tag(ec2, live[PUBLIC], PRIVATE)
