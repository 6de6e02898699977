"""Security groups as in AWS; strict_rules has their rules. Called by strict_aws.

Facts encoded (EC2 API reference, CreateSecurityGroup, DeleteSecurityGroup, DescribeSecurityGroups): names are unique
for one owner in a VPC regardless of case, `default` is reserved, and a name must not start with `sg-`; a new group
allows everything out (IPv6 too if the VPC has it); a default group allows itself in and cannot be deleted; deleting a
group that another group's rule refers to, or that a network interface or a DB instance uses, is DependencyViolation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import canonical
from lab.group_rules import Key, Rule, key_of, new_rule, permissions, row
from lab.live import Answer, Live, Params, filters_of, needs_known
from lab.refusal import Refusal


def create(live: Live, params: Params) -> Answer:
    name, description = params["GroupName"], params["Description"]
    if not name or not description:
        raise Refusal("MissingParameter", "The request must contain groupName and groupDescription")
    canonical.group_text(name, "security group name")
    canonical.group_text(description, "security group description")
    if name.lower().startswith("sg-"):
        message = f"Invalid value '{name}' for groupName. Group names may not be in the format sg-*."
        raise Refusal("InvalidParameterValue", message)
    if name.lower() == "default":
        raise Refusal("InvalidGroup.Reserved", "The security group name 'default' is reserved")
    vpc_id = params.get("VpcId") or live.ec2.default_vpc.id
    live.vpc(vpc_id)
    ours = (group for group in live.groups() if group.vpc_id == vpc_id and live.owner_of(group.id) == live.account)
    if any(group.name.lower() == name.lower() for group in ours):
        raise Refusal("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc_id}'")
    # moto knows one owner, and would refuse the name of another account's group.
    held = any(group.vpc_id == vpc_id and group.name == name for group in live.groups())
    answer = live.moto("ec2", "CreateSecurityGroup", {**params, "VpcId": vpc_id, "GroupName": "new" if held else name})
    made = live.group(answer["GroupId"])
    made.name = made.group_name = name
    return answer


def let_itself_in(live: Live, vpc_id: str) -> None:
    """Adds the rule of a VPC's default group that allows itself in, which moto omits."""
    group = live.ec2.get_default_security_group(vpc_id)
    group.is_default = True
    if not group.ingress_rules:
        rule = Rule(Key("-1", None, None, "group", group.id), None)
        group.ingress_rules = [new_rule(live, group, False, rule, {})]


def delete(live: Live, params: Params) -> Answer:
    group = live.group_of_request(params)
    if group.name == "default":
        raise Refusal("CannotDelete", 'the specified group: "default" name: "default" cannot be deleted by a user')
    referenced = any(_names(rule, group.id) for other in live.groups() if other is not group for rule in _rules(other))
    if referenced or group.id in _used_by_interfaces(live) or group.id in _used_by_databases(live):
        raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")
    for rule in _rules(group):
        live.ec2.tags.pop(rule.id, None)
    live.ec2.tags.pop(group.id, None)
    live.moto("ec2", "DeleteSecurityGroup", {"GroupId": group.id})
    return {"Return": True, "GroupId": group.id}


def _rules(group: Any) -> list[Any]:
    return [*group.ingress_rules, *group.egress_rules]


def _names(rule: Any, group_id: str) -> bool:
    return key_of(rule)[3:] == ("group", group_id)


def _used_by_interfaces(live: Live) -> set[str]:
    return {group.id for interface in live.ec2.enis.values() for group in interface.group_set}


def _used_by_databases(live: Live) -> set[str]:
    return {group_id for instance in live.instances() for group_id in instance.vpc_security_group_ids}


def describe(live: Live, params: Params) -> Answer:
    ids, names = params.get("GroupIds") or [], params.get("GroupNames") or []
    for group_id in ids:
        live.group(group_id)
    in_default = {group.name for group in live.groups() if group.vpc_id == live.ec2.default_vpc.id}
    needs_known(names, in_default, "InvalidGroup.NotFound", "security group")
    groups = _filtered(live, filters_of(params))
    if ids:
        groups = [group for group in groups if group.id in ids]
    if names:
        groups = [g for g in groups if g.name in names and g.vpc_id == live.ec2.default_vpc.id]
    return {"SecurityGroups": [_shown(live, group) for group in groups]}


def _filtered(live: Live, filters: dict[str, list[str]]) -> list[Any]:
    try:
        groups: list[Any] = live.ec2.describe_security_groups(filters=filters)
    except KeyError as error:
        raise Refusal("InvalidParameterValue", f"The filter {error} is invalid") from error
    return groups


def _shown(live: Live, group: Any) -> Answer:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc_id,
        "OwnerId": live.owner_of(group.id),
        "SecurityGroupArn": group.arn,
        "Tags": live.tags(group.id),
        "IpPermissions": permissions(group.ingress_rules),
        "IpPermissionsEgress": permissions(group.egress_rules),
    }


def describe_rules(live: Live, params: Params) -> Answer:
    filters = filters_of(params)
    for name in filters:
        if name not in ("group-id", "security-group-rule-id") and not name.startswith("tag"):
            raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
    ids = params.get("SecurityGroupRuleIds") or []
    rules = [rule for group in live.groups() for rule in _rules(group)]
    needs_known(ids, {rule.id for rule in rules}, "InvalidSecurityGroupRuleId.NotFound", "security group rule ID")
    groups = filters.pop("group-id", None)
    if groups is not None:
        rules = [rule for rule in rules if rule.group_id in groups]
    chosen = [rule for rule in rules if (not ids or rule.id in ids) and rule.matches_filters(filters)]
    return {"SecurityGroupRules": [row(live, rule) for rule in chosen]}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateSecurityGroup": create,
    "DeleteSecurityGroup": delete,
    "DescribeSecurityGroups": describe,
    "DescribeSecurityGroupRules": describe_rules,
}
