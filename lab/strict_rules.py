"""Security group rules as in AWS: batches are all or nothing, edits in place replace every field. Called by strict_aws.

Facts encoded (EC2 API reference and aws-provider issues): a batch authorize with one bad rule adds none (terraform-
provider-aws #4726); RevokeSecurityGroupIngress outside the default VPC revokes nothing on a mismatch and answers
InvalidPermission.NotFound, in the default VPC a mismatch is no error but listed in UnknownIpPermissions;
ModifySecurityGroupRules cannot change the type of source; UpdateSecurityGroupRuleDescriptions* without a description
clears it, and refuses ports of protocol -1 (terraform-provider-aws #1920; so does ModifySecurityGroupRules here); 60
rules per direction, IPv4 and IPv6 counted separately (Amazon VPC quotas). Where AWS is not documented, this layer is
strict: revoking several rule ids of which one is unknown revokes none, ModifySecurityGroupRules is all or nothing and
clears an omitted description, and a group reference counts in both families.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lab import canonical
from lab.group_rules import (
    SOURCE_WORDS,
    Key,
    Rule,
    canonical_source,
    checked_description,
    key_of,
    list_weight,
    new_rule,
    permissions,
    row,
    rules_of_request,
    write,
)
from lab.live import Answer, Live, Params
from lab.refusal import Refusal
from lab.strict_tags import tags_at_creation

MOST_RULES = 60
_FAMILIES = {"IPv4": ("cidr4", "group", "prefix_list"), "IPv6": ("cidr6", "group", "prefix_list")}


def held_rules(group: Any, egress: bool) -> list[Any]:
    """moto's list of the group's rules in one direction."""
    rules: list[Any] = group.egress_rules if egress else group.ingress_rules
    return rules


def keep_rules(group: Any, egress: bool, rules: list[Any]) -> None:
    """Replaces the group's rules in one direction."""
    if egress:
        group.egress_rules = rules
    else:
        group.ingress_rules = rules


def authorize(live: Live, params: Params, egress: bool) -> Answer:
    group = live.group_of_request(params)
    wanted = rules_of_request(live, group, params)
    tags = tags_at_creation(params, "security-group-rule")
    held = held_rules(group, egress)
    keys = {key_of(each) for each in held}
    for rule in wanted:
        if rule.key in keys:
            message = f'the specified rule "{rule.key.peer()}" already exists'
            raise Refusal("InvalidPermission.Duplicate", message)
    _check_quota(live, [*keys, *(rule.key for rule in wanted)])
    added = [new_rule(live, group, egress, rule, tags) for rule in wanted]
    keep_rules(group, egress, [*held, *added])
    return {"Return": True, "SecurityGroupRules": [row(live, each) for each in added]}


def _check_quota(live: Live, keys: Iterable[Key]) -> None:
    counted = list(keys)
    for kinds in _FAMILIES.values():
        weight = sum(_weight(live, key) for key in counted if key.kind in kinds)
        if weight > MOST_RULES:
            message = "The maximum number of rules per security group has been reached."
            raise Refusal("RulesPerSecurityGroupLimitExceeded", message)


def _weight(live: Live, key: Key) -> int:
    # A reference to a prefix list counts as its maximum number of entries.
    if key.kind == "prefix_list":
        return list_weight(live, key.source)
    return 1


def revoke(live: Live, params: Params, egress: bool) -> Answer:
    group = live.group_of_request(params)
    held = held_rules(group, egress)
    if params.get("SecurityGroupRuleIds"):
        gone = [_by_id(held, rule_id) for rule_id in params["SecurityGroupRuleIds"]]
        unknown: list[Answer] = []
    else:
        gone, unknown = _revoked_by_properties(live, group, held, params)
    # By id: moto's == does not distinguish IPv6 rules with the same ports.
    ids = {each.id for each in gone}
    keep_rules(group, egress, [each for each in held if each.id not in ids])
    for rule_id in ids:
        live.ec2.tags.pop(rule_id, None)
    revoked = [_as_revoked(row(live, each)) for each in gone]
    return {"Return": True, "RevokedSecurityGroupRules": revoked, "UnknownIpPermissions": unknown}


def _revoked_by_properties(live: Live, group: Any, held: list[Any], params: Params) -> tuple[list[Any], list[Answer]]:
    by_key = {key_of(each): each for each in held}
    wanted = rules_of_request(live, group, params)
    absent = [rule for rule in wanted if rule.key not in by_key]
    if absent and group.vpc_id != live.ec2.default_vpc.id:
        raise Refusal("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    unknown = permissions([new_rule(live, group, True, rule, {}) for rule in absent])
    return [by_key[rule.key] for rule in wanted if rule.key in by_key], unknown


def _by_id(held: list[Any], rule_id: str) -> Any:
    for each in held:
        if each.id == rule_id:
            return each
    raise Refusal("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist")


def _as_revoked(shown: Answer) -> Answer:
    # botocore's RevokedSecurityGroupRule: the referenced group by id alone, no tags, owner or ARN.
    always = ("SecurityGroupRuleId", "GroupId", "IsEgress", "IpProtocol", "FromPort", "ToPort")
    optional = ("CidrIpv4", "CidrIpv6", "PrefixListId", "Description")
    revoked = {name: shown[name] for name in (*always, *optional) if name in shown}
    if "ReferencedGroupInfo" in shown:
        revoked["ReferencedGroupId"] = shown["ReferencedGroupInfo"]["GroupId"]
    return revoked


def modify(live: Live, params: Params) -> Answer:
    group = live.group(params["GroupId"])
    held = [*group.ingress_rules, *group.egress_rules]
    edits: dict[str, Rule] = {}
    for update in params["SecurityGroupRules"]:
        live_rule = _by_id(held, update["SecurityGroupRuleId"])
        edits[live_rule.id] = _edited(live, group, live_rule, update.get("SecurityGroupRule") or {})
    for egress in (False, True):
        after = [edits[r.id].key if r.id in edits else key_of(r) for r in held_rules(group, egress)]
        _refuse_duplicates(after)
        _check_quota(live, after)
    for live_rule in held:
        if live_rule.id in edits:
            write(live, live_rule, edits[live_rule.id])
    return {"Return": True}


def _edited(live: Live, group: Any, live_rule: Any, wanted: Params) -> Rule:
    named = [word for word in SOURCE_WORDS if wanted.get(word) is not None]
    if len(named) > 1:
        message = "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified"
        raise Refusal("InvalidParameterCombination", message)
    if not named:
        message = "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId"
        raise Refusal("MissingParameter", message)
    kind = SOURCE_WORDS[named[0]]
    if kind != key_of(live_rule).kind:
        message = f"Invalid rule type for security group rule '{live_rule.id}'. The kind of source cannot change."
        raise Refusal("InvalidParameterValue", message)
    if wanted.get("IpProtocol") is None:
        raise Refusal("InvalidParameterValue", "Invalid value 'null' for protocol. It must be specified explicitly.")
    _refuse_ports_of_all([wanted])
    protocol = canonical.group_protocol(wanted["IpProtocol"])
    ports = canonical.group_ports(protocol, wanted.get("FromPort"), wanted.get("ToPort"))
    source = canonical_source(live, group, kind, wanted[named[0]])
    return Rule(Key(protocol, *ports, kind, source), checked_description(wanted.get("Description")))


def _refuse_duplicates(keys: list[Key]) -> None:
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise Refusal("InvalidPermission.Duplicate", f'the specified rule "{key.peer()}" already exists')


def _refuse_ports_of_all(permissions: Iterable[Params]) -> None:
    """Authorize ignores the ports of a rule for every protocol; other calls refuse them."""
    for each in permissions:
        if str(each.get("IpProtocol")) == "-1" and ("FromPort" in each or "ToPort" in each):
            raise Refusal("InvalidParameterValue", "You may not specify ports for all protocols.")


def update_descriptions(live: Live, params: Params, egress: bool) -> Answer:
    group = live.group_of_request(params)
    held = held_rules(group, egress)
    edits: list[tuple[Any, Rule]] = []
    for update in params.get("SecurityGroupRuleDescriptions") or []:
        live_rule = _by_id(held, update["SecurityGroupRuleId"])
        edits.append((live_rule, Rule(key_of(live_rule), checked_description(update.get("Description")))))
    if params.get("IpPermissions"):
        _refuse_ports_of_all(params["IpPermissions"])
        by_key = {key_of(each): each for each in held}
        for rule in rules_of_request(live, group, params):
            if rule.key not in by_key:
                raise Refusal("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
            edits.append((by_key[rule.key], rule))
    if not edits:
        raise Refusal("MissingParameter", "Either ipPermissions or securityGroupRuleDescriptions should be provided.")
    for live_rule, rule in edits:
        write(live, live_rule, rule)
    return {"Return": True}


def _toward(act: Callable[[Live, Params, bool], Answer], egress: bool) -> Callable[[Live, Params], Answer]:
    return lambda live, params: act(live, params, egress)


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "AuthorizeSecurityGroupIngress": _toward(authorize, egress=False),
    "AuthorizeSecurityGroupEgress": _toward(authorize, egress=True),
    "RevokeSecurityGroupIngress": _toward(revoke, egress=False),
    "RevokeSecurityGroupEgress": _toward(revoke, egress=True),
    "ModifySecurityGroupRules": modify,
    "UpdateSecurityGroupRuleDescriptionsIngress": _toward(update_descriptions, egress=False),
    "UpdateSecurityGroupRuleDescriptionsEgress": _toward(update_descriptions, egress=True),
}
