"""DB subnet groups as in RDS. Called by strict_aws.

Facts encoded (RDS API reference, CreateDBSubnetGroup, ModifyDBSubnetGroup, DeleteDBSubnetGroup; RDS User Guide,
"Working with a DB instance in a VPC"): names are stored in lower case and found in any case; subnets of one VPC in at
least two availability zones, at most 20; a modify replaces the whole list, in the same VPC, and must keep the subnets
of instances; a group that an instance uses cannot be deleted. For removing a subnet in use the sources name two codes;
here SubnetAlreadyInUse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.live import Answer, Live, Params
from lab.rds_limits import check_tags
from lab.refusal import Refusal

MOST_SUBNETS = 20
MOST_GROUPS = 50


def create(live: Live, params: Params) -> Answer:
    name = params["DBSubnetGroupName"].lower()
    if name == "default" or not re.fullmatch(r"[a-z0-9 ._-]{1,255}", name):
        raise Refusal("InvalidParameterValue", f"The parameter DBSubnetGroupName is not a valid identifier: {name}")
    if name in live.rds.subnet_groups:
        raise Refusal("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    if len(live.rds.subnet_groups) >= MOST_GROUPS:
        raise Refusal("DBSubnetGroupQuotaExceeded", f"A Region holds at most {MOST_GROUPS} DB subnet groups.")
    check_tags(tag["Key"] for tag in params.get("Tags", []))
    subnets = _subnets(live, params["SubnetIds"])
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise Refusal("InvalidSubnet", "The requested subnets are not all in a common VPC.")
    _check_zones(subnets)
    ids = [subnet.id for subnet in subnets]
    return live.moto("rds", "CreateDBSubnetGroup", {**params, "DBSubnetGroupName": name, "SubnetIds": ids})


def _subnets(live: Live, ids: list[str]) -> list[Any]:
    known = live.subnets()
    for subnet_id in ids:
        if subnet_id not in known:
            raise Refusal("InvalidSubnet", f"Subnet IDs are invalid: {subnet_id}")
    if len(set(ids)) > MOST_SUBNETS:
        raise Refusal("DBSubnetQuotaExceededFault", f"A DB subnet group holds at most {MOST_SUBNETS} subnets.")
    return [known[subnet_id] for subnet_id in dict.fromkeys(ids)]


def _check_zones(subnets: list[Any]) -> None:
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        message = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            "Add subnets to cover at least 2 AZs."
        )
        raise Refusal("DBSubnetGroupDoesNotCoverEnoughAZs", message)


def modify(live: Live, params: Params) -> Answer:
    group = live.subnet_group(params["DBSubnetGroupName"])
    subnets = _subnets(live, params["SubnetIds"])
    if {subnet.vpc_id for subnet in subnets} - {group.vpc_id}:
        message = "The new Subnets are not in the same Vpc as the existing subnet group"
        raise Refusal("InvalidParameterValue", message)
    _check_zones(subnets)
    remaining = {subnet.id for subnet in subnets}
    for instance in _users(live, group):
        if not live.subnets_of(instance) <= remaining:
            raise Refusal("SubnetAlreadyInUse", "Some of the subnets to be deleted are currently in use")
    # Not through moto: its ModifyDBSubnetGroup removes the group.
    group._subnets = subnets
    if params.get("DBSubnetGroupDescription") is not None:
        group.description = params["DBSubnetGroupDescription"]
    return {"DBSubnetGroup": _described(live, group)}


def _users(live: Live, group: Any) -> list[Any]:
    return [instance for instance in live.instances() if live.subnet_group_of(instance) is group]


def is_dual(group: Any | None) -> bool:
    """Whether every subnet of the group has IPv6 beside IPv4."""
    return group is not None and all(subnet.ipv6_cidr_block_associations for subnet in group._subnets)


def _described(live: Live, group: Any) -> Answer:
    shown: Answer = live.moto("rds", "DescribeDBSubnetGroups", {"DBSubnetGroupName": group.name})["DBSubnetGroups"][0]
    return _with_types(group, shown)


def _with_types(group: Any, shown: Answer) -> Answer:
    return {**shown, "SupportedNetworkTypes": ["IPV4", *(["DUAL"] if is_dual(group) else [])]}


def delete(live: Live, params: Params) -> Answer:
    group = live.subnet_group(params["DBSubnetGroupName"])
    users = _users(live, group)
    if users:
        names = ", ".join(instance.db_instance_identifier for instance in users)
        message = f"Cannot delete the subnet group '{group.name}' because these database instances use it: {names}."
        raise Refusal("InvalidDBSubnetGroupStateFault", message)
    return live.moto("rds", "DeleteDBSubnetGroup", {"DBSubnetGroupName": group.name})


def describe(live: Live, params: Params) -> Answer:
    if not params.get("DBSubnetGroupName"):
        found = live.moto("rds", "DescribeDBSubnetGroups", params)["DBSubnetGroups"]
        return {"DBSubnetGroups": [_with_types(live.subnet_group(each["DBSubnetGroupName"]), each) for each in found]}
    return {"DBSubnetGroups": [_described(live, live.subnet_group(params["DBSubnetGroupName"]))]}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateDBSubnetGroup": create,
    "ModifyDBSubnetGroup": modify,
    "DeleteDBSubnetGroup": delete,
    "DescribeDBSubnetGroups": describe,
}
