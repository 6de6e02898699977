"""Tags as in EC2. Called by strict_aws, which calls `check_at_creation` before every call.

Facts encoded (EC2 API reference, CreateTags, DeleteTags, TagSpecification): keys that start with aws: are reserved; at
most 50 user tags per resource; a key has up to 127 characters, a value up to 256; a TagSpecification must name the type
that the call creates; DeleteTags without Tags deletes every user tag, with a Value only a tag with that value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lab.live import Answer, Live, Params
from lab.refusal import Refusal

MOST_TAGS = 50
MOST_RESOURCES = 1000
LONGEST_KEY = 127
LONGEST_VALUE = 256

_ID = re.compile(r"[a-z]+-[0-9a-f]{8,17}\Z")

TAGGED_AT_CREATION = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateInternetGateway": "internet-gateway",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateNetworkAcl": "network-acl",
    "CreateNatGateway": "natgateway",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateVpnGateway": "vpn-gateway",
    "CreateEgressOnlyInternetGateway": "egress-only-internet-gateway",
    "CreateFlowLogs": "vpc-flow-log",
    "AuthorizeSecurityGroupIngress": "security-group-rule",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
}


def tags_at_creation(params: Params, resource_type: str) -> dict[str, str]:
    """The tags of a creating call; Refusal for another resource type, a reserved key or too many tags."""
    tags: dict[str, str] = {}
    for specification in params.get("TagSpecifications") or []:
        if specification.get("ResourceType") != resource_type:
            wrong = specification.get("ResourceType")
            message = f"'{wrong}' is not a valid taggable resource type for this operation."
            raise Refusal("InvalidParameterValue", message)
        tags.update(_checked(specification.get("Tags") or []))
    _refuse_too_many(tags)
    return tags


def check_at_creation(operation: str, params: Params) -> None:
    """Refuse invalid TagSpecifications before anything is created."""
    if operation in TAGGED_AT_CREATION:
        tags_at_creation(params, TAGGED_AT_CREATION[operation])


def _checked(tags: list[dict[str, str]]) -> dict[str, str]:
    checked: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag.get("Value") or ""
        refuse_reserved(key)
        if not 0 < len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise Refusal("InvalidParameterValue", "Tag key or value exceeds the maximum length")
        if key in checked:
            raise Refusal("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        checked[key] = value
    return checked


def refuse_reserved(key: str) -> None:
    if key.lower().startswith("aws:"):
        message = f"Tag keys starting with 'aws:' are reserved for internal use: {key}"
        raise Refusal("InvalidParameterValue", message)


def _refuse_too_many(tags: dict[str, str]) -> None:
    if sum(not key.startswith("aws:") for key in tags) > MOST_TAGS:
        raise Refusal("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def create_tags(live: Live, params: Params) -> Answer:
    if len(params["Resources"]) > MOST_RESOURCES:
        raise Refusal("InvalidParameterValue", f"At most {MOST_RESOURCES} resources can be tagged in a call")
    added = _checked(params["Tags"])
    for resource_id in params["Resources"]:
        _refuse_too_many({**live.ec2.tags.get(resource_id, {}), **added})
    # moto checks that resources exist, except for security group rules.
    others = [each for each in params["Resources"] if not each.startswith("sgr-")]
    _refuse_unknown_rules(live, [each for each in params["Resources"] if each.startswith("sgr-")])
    if others:
        live.moto("ec2", "CreateTags", {"Resources": others, "Tags": params["Tags"]})
    for resource_id in params["Resources"]:
        live.ec2.tags[resource_id].update(added)
    return {}


def _refuse_unknown_rules(live: Live, rule_ids: list[str]) -> None:
    known = {rule.id for group in live.groups() for rule in (*group.ingress_rules, *group.egress_rules)}
    for rule_id in rule_ids:
        if rule_id not in known:
            raise Refusal("InvalidSecurityGroupRuleId.NotFound", f"The rule ID '{rule_id}' does not exist")


def delete_tags(live: Live, params: Params) -> Answer:
    named = params.get("Tags")
    for tag in named or []:
        refuse_reserved(tag["Key"])
    for resource_id in params["Resources"]:
        held = live.ec2.tags.get(resource_id, {})
        if not named:
            deleted = [key for key in held if not key.startswith("aws:")]
        else:
            deleted = [t["Key"] for t in named if t["Key"] in held and t.get("Value") in (None, held[t["Key"]])]
        for key in deleted:
            held.pop(key, None)
    return {}


def tag_as_aws(live: Live, resource: str, tags: Mapping[str, str]) -> None:
    """Put tags on an EC2 resource, by its id, or a DB instance, by its name, that AWS refuses from anybody else."""
    if not _ID.match(resource):
        live.instance(resource).add_tags([{"Key": key, "Value": value} for key, value in tags.items()])
        return
    live.ec2.tags.setdefault(resource, {}).update(tags)


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {"CreateTags": create_tags, "DeleteTags": delete_tags}
