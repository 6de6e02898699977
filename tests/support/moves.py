"""What people do by hand to tables and ACLs, by id: one call, or the two that the console makes of it."""

from __future__ import annotations

from typing import Any


def use_table(ec2: Any, subnet: str, table: str) -> None:
    """A subnet uses this table; an empty one: it uses the main table."""
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    seats = [seat for one in tables for seat in one["Associations"] if seat.get("SubnetId") == subnet]
    held = [seat["RouteTableAssociationId"] for seat in seats]
    if not table:
        for one in held:
            ec2.disassociate_route_table(AssociationId=one)
    elif held:
        ec2.replace_route_table_association(AssociationId=held[0], RouteTableId=table)
    else:
        ec2.associate_route_table(SubnetId=subnet, RouteTableId=table)


def use_acl(ec2: Any, subnet: str, acl: str) -> None:
    """A subnet uses this ACL."""
    acls = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
    held = next(seat for one in acls for seat in one["Associations"] if seat["SubnetId"] == subnet)
    ec2.replace_network_acl_association(AssociationId=held["NetworkAclAssociationId"], NetworkAclId=acl)


def make_main(ec2: Any, vpc: str, table: str) -> None:
    """This table is the VPC's main one."""
    here = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    (main,) = ec2.describe_route_tables(Filters=here)["RouteTables"]
    held = next(seat for seat in main["Associations"] if seat["Main"])
    ec2.replace_route_table_association(AssociationId=held["RouteTableAssociationId"], RouteTableId=table)


def put_route(ec2: Any, table: str, destination: str, **target: str) -> None:
    """A table has this route, in place of another one to the same destination."""
    (held,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    there = any(one.get("DestinationCidrBlock") == destination for one in held["Routes"])
    call = ec2.replace_route if there else ec2.create_route
    call(RouteTableId=table, DestinationCidrBlock=destination, **target)


def put_entry(ec2: Any, acl: str, number: int, *, egress: bool, **entry: Any) -> None:
    """An ACL has this entry, in place of another one of the same number. `entry` is as in EC2's API."""
    (held,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]
    taken = {(one["RuleNumber"], one["Egress"]) for one in held["Entries"]}
    call = ec2.replace_network_acl_entry if (number, egress) in taken else ec2.create_network_acl_entry
    call(NetworkAclId=acl, RuleNumber=number, Egress=egress, **entry)
