"""Security group rules: parsed from requests, compared as AWS does, stored in and shown from moto's state.

For strict_groups (Describe calls) and strict_rules (write calls).

Facts encoded (EC2 API reference, IpPermission, SecurityGroupRule): a rule is protocol, ports and one source; its
description is not part of its identity; DescribeSecurityGroups merges rules of equal protocol and ports and leaves
ports out where there are none; DescribeSecurityGroupRules shows one row a rule, with ports -1 there; GroupName of a
reference is not shown outside the default VPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from moto.ec2.models.security_groups import SecurityGroupRule

from lab import canonical
from lab.live import Answer, Live, Params
from lab.refusal import Refusal

_RANGES = (
    ("IpRanges", "CidrIp", "cidr4"),
    ("Ipv6Ranges", "CidrIpv6", "cidr6"),
    ("PrefixListIds", "PrefixListId", "prefix_list"),
    ("UserIdGroupPairs", "GroupId", "group"),
)
SOURCE_WORDS = {"CidrIpv4": "cidr4", "CidrIpv6": "cidr6", "PrefixListId": "prefix_list", "ReferencedGroupId": "group"}


class Key(NamedTuple):
    """The identity of a rule in one group and direction. `kind` is cidr4, cidr6, prefix_list or group."""

    protocol: str
    first: int | None
    last: int | None
    kind: str
    source: str

    def peer(self) -> str:
        """The rule as in InvalidPermission messages."""
        ports = "" if self.first is None else f", from port: {self.first}, to port: {self.last}"
        return f"peer: {self.source}, {self.protocol.upper()}{ports}, ALLOW"


class Rule(NamedTuple):
    """A rule in a request: its key and its description (None if absent)."""

    key: Key
    description: str | None


def rules_of_request(live: Live, group: Any, params: Params) -> list[Rule]:
    """The canonical rules of a batch; Refusal for the first one that AWS would refuse."""
    permissions = params.get("IpPermissions") or [_flat_permission(params)]
    rules = [rule for permission in permissions for rule in _rules(live, group, permission)]
    keys = [rule.key for rule in rules]
    if len(set(keys)) != len(keys):
        raise Refusal("InvalidParameterValue", "The same permission must not appear multiple times")
    return rules


def _flat_permission(params: Params) -> Params:
    # The one-rule form of the call: IpProtocol, FromPort, ToPort and CidrIp at the top.
    permission: Params = {name: params[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in params}
    if "CidrIp" in params:
        permission["IpRanges"] = [{"CidrIp": params["CidrIp"]}]
    if "SourceSecurityGroupName" in params:
        permission["UserIdGroupPairs"] = [{"GroupName": params["SourceSecurityGroupName"]}]
    return permission


def _rules(live: Live, group: Any, permission: Params) -> Iterator[Rule]:
    if permission.get("IpProtocol") is None:
        raise Refusal("MissingParameter", "The request must contain the parameter ipProtocol")
    protocol = canonical.group_protocol(permission["IpProtocol"])
    ports = canonical.group_ports(protocol, permission.get("FromPort"), permission.get("ToPort"))
    named = False
    for member, word, kind in _RANGES:
        for each in permission.get(member) or []:
            named = True
            source = canonical_source(live, group, kind, each.get(word), each.get("GroupName"))
            yield Rule(Key(protocol, *ports, kind, source), checked_description(each.get("Description")))
    if not named:
        raise Refusal("MissingParameter", "The request must contain a source: a CIDR, a group or a prefix list")


def canonical_source(live: Live, group: Any, kind: str, source: str | None, name: str | None = None) -> str:
    """The source of a rule of `group` as AWS stores it; refused if it does not exist or is in another VPC."""
    if kind == "group":
        return str(_referenced(live, group, source, name).id)
    if source is None:
        raise Refusal("MissingParameter", "The request must contain a source: a CIDR, a group or a prefix list")
    if kind == "cidr4":
        return canonical.cidr4(source)
    if kind == "cidr6":
        return canonical.cidr6(source)
    if source not in live.ec2.managed_prefix_lists:
        raise Refusal("InvalidPrefixListID.NotFound", f"The prefix list ID '{source}' does not exist")
    return source


def list_weight(live: Live, prefix_list: str) -> int:
    """What a reference to a prefix list counts: its maximum of entries; AWS's own have none, and a fixed weight."""
    held = live.ec2.managed_prefix_lists[prefix_list]
    own = next((weight for word, weight in (("cloudfront", 55), ("lattice", 10)) if word in held.prefix_list_name), 1)
    return int(own if held.owner_id == "AWS" else held.max_entries or 1)


def _referenced(live: Live, group: Any, group_id: str | None, name: str | None) -> Any:
    for other in live.groups():
        if other.vpc_id == group.vpc_id and (other.id == group_id or (group_id is None and other.name == name)):
            return other
    reached = f"The security group '{group_id or name}' does not exist"
    raise Refusal(
        "InvalidGroup.NotFound", f"You have specified two resources that belong to different networks. {reached}"
    )


def checked_description(text: str | None) -> str | None:
    """A rule's description, charset and length checked; an empty one is none."""
    return canonical.group_text(text, "rule description") if text else None


def key_of(live_rule: Any) -> Key:
    """The key of a rule that moto holds."""
    if "CidrIp" in live_rule.ip_range:
        source = ("cidr4", live_rule.ip_range["CidrIp"])
    elif "CidrIpv6" in live_rule.ip_range:
        source = ("cidr6", live_rule.ip_range["CidrIpv6"])
    elif live_rule.prefix_list_id:
        source = ("prefix_list", live_rule.prefix_list_id)
    else:
        source = ("group", live_rule.source_group["GroupId"])
    return Key(live_rule.ip_protocol, live_rule.from_port, live_rule.to_port, *source)


def description_of(live_rule: Any) -> str | None:
    """The description in moto; for prefix lists moto has none, so this layer stores it on the rule."""
    description = live_rule.ip_range.get("Description") or live_rule.source_group.get("Description")
    return description or getattr(live_rule, "prefix_list_description", None)


def new_rule(live: Live, group: Any, egress: bool, rule: Rule, tags: dict[str, str]) -> Any:
    """A moto rule with a new sgr- id, not yet in the group."""
    # moto's constructor calls int(None) for protocols without ports, so it gets "-1", which `write` replaces.
    live_rule = SecurityGroupRule(live.ec2, "-1", group.id, None, None, None, is_egress=egress, tags=tags)
    write(live, live_rule, rule)
    return live_rule


def write(live: Live, live_rule: Any, rule: Rule) -> None:
    """Replaces every field of moto's rule with those of `rule`; id and tags stay."""
    key = rule.key
    described = {"Description": rule.description} if rule.description else {}
    live_rule.ip_protocol, live_rule.from_port, live_rule.to_port = key.protocol, key.first, key.last
    live_rule.ip_range, live_rule.source_group, live_rule.prefix_list_id = {}, {}, None
    live_rule.prefix_list_description = None
    if key.kind == "cidr4":
        live_rule.ip_range = {"CidrIp": key.source, **described}
    elif key.kind == "cidr6":
        live_rule.ip_range = {"CidrIpv6": key.source, **described}
    elif key.kind == "group":
        live_rule.source_group = {"GroupId": key.source, "UserId": live.owner_of(key.source), **described}
    else:
        live_rule.prefix_list_id, live_rule.prefix_list_description = key.source, rule.description


def permissions(rules: list[Any]) -> list[Answer]:
    """Rules merged by protocol and ports, as IpPermissions and IpPermissionsEgress show them."""
    merged: dict[tuple[str, int | None, int | None], Answer] = {}
    for live_rule in rules:
        key = key_of(live_rule)
        permission = merged.get(key[:3])
        if permission is None:
            ports = {} if key.first is None else {"FromPort": key.first, "ToPort": key.last}
            lists: Answer = {member: [] for member, _, _ in _RANGES}
            permission = merged[key[:3]] = {"IpProtocol": key.protocol, **ports, **lists}
        member, word = next((member, word) for member, word, kind in _RANGES if kind == key.kind)
        entry = {word: key.source}
        if key.kind == "group":
            entry |= _owner(live_rule)
        description = description_of(live_rule)
        permission[member].append({**entry, "Description": description} if description else entry)
    return list(merged.values())


def _owner(live_rule: Any) -> Answer:
    """The owner of the group that a rule refers to. AWS leaves it out of some answers for groups of other accounts."""
    return {name: value for name, value in live_rule.source_group.items() if name == "UserId"}


def row(live: Live, live_rule: Any) -> Answer:
    """One rule as DescribeSecurityGroupRules, Authorize* and Revoke* show it."""
    key = key_of(live_rule)
    arn = f"arn:aws:ec2:{live.region}:{live.account}:security-group-rule/{live_rule.id}"
    shown: Answer = {
        "SecurityGroupRuleId": live_rule.id,
        "GroupId": live_rule.group_id,
        "GroupOwnerId": live.owner_of(live_rule.group_id),
        "IsEgress": live_rule.is_egress,
        "IpProtocol": key.protocol,
        "FromPort": -1 if key.first is None else key.first,
        "ToPort": -1 if key.last is None else key.last,
        "Tags": live.tags(live_rule.id),
        "SecurityGroupRuleArn": arn,
    }
    if key.kind == "group":
        shown["ReferencedGroupInfo"] = {"GroupId": key.source, **_owner(live_rule)}
    else:
        shown[{"cidr4": "CidrIpv4", "cidr6": "CidrIpv6", "prefix_list": "PrefixListId"}[key.kind]] = key.source
    description = description_of(live_rule)
    return {**shown, "Description": description} if description else shown
