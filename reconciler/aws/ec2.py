"""Converts between EC2's forms and the model's canonical ones (`desired_state/fields.py`), for the kinds.

Raises `ValueError` for what the model cannot express; the resource is then `unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from desired_state.fields import (
    ANY,
    ICMP,
    NAMED_PROTOCOLS,
    PORTED,
    AclEntry,
    Address,
    RuleKey,
    cidr_problem,
    is_cidr,
    is_ipv6,
    rule_key,
)
from desired_state.members import Tags
from desired_state.resource import route_parameter
from desired_state.route_targets import UNKNOWN, target_parameter
from desired_state.spelling import spelled_peer
from reconciler.aws.shapes import text, word
from reconciler.model import Action, Change, Operation, Phase, Ref, Risk
from reconciler.model.read import Answers, Item, Read, ReadContext, read

CREATE_TAGS = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)

HIGHEST_PORT, HIGHEST_ICMP = 65535, 255
_NOBODY: list[Item] = []
"""What stands for a list of peers that an answer does not show; nobody adds to it."""
_NAMES = {str(number): name for name, number in NAMED_PROTOCOLS.items()}


def in_vpc(operation: str, result: str, context: ReadContext, *, page: int = 1000, filters: str = "Filters") -> Read:
    """A read of all resources in the VPC, in the largest pages that AWS allows. `filters` is the name of the call's
    parameter: for a few calls it is `Filter`.
    """
    params = {filters: [{"Name": "vpc-id", "Values": [context.vpc_id]}]}
    return read("ec2", operation, result, params, page=page)


def by_id(operation: str, result: str, name: str, aws_ids: Iterable[str], *, page: int = 1000) -> Read:
    """A read of some resources by the filter `name`; what does not exist is left out of the answer."""
    return read("ec2", operation, result, {"Filters": [{"Name": name, "Values": list(aws_ids)}]}, page=page)


def tags_of(item: Item) -> Tags:
    """The tags of an item, without AWS's own (`aws:`), which cannot be set."""
    return settable_tags((tag["Key"], tag["Value"]) for tag in item.get("Tags") or ())


def settable_tags(shown: Iterable[tuple[Any, Any]], own: tuple[str, ...] = ("aws:",)) -> Tags:
    """The tags without AWS's `own`, by how these begin. Raises ValueError if one is no text."""
    tags = Tags()
    for key, value in shown:
        if not type(key) is type(value) is str:
            raise ValueError(f"the tag {key!r}={value!r}, which is no text")
        if not key.startswith(own):
            tags[key] = value
    return tags


def name_tag(item: Item) -> str:
    """The Name tag, empty if there is none; it need not be unique."""
    return tags_of(item).get("Name", "")


def pending(item: Item) -> str:
    """The state of a resource that is not available, as while it is being created; empty if it is."""
    state = str(item.get("State", "available"))
    return "" if state == "available" else state


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as a parameter, in a fixed order."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tagged_as(resource_type: str, tags: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """The `TagSpecifications` of a call that creates something, so that it is owned from the start."""
    return [{"ResourceType": resource_type, "Tags": tag_list(tags)}]


def retag(change: Change) -> Iterator[Action]:
    """The call that sets the differing tags; no tag is ever deleted."""
    if changed := {one.key: one.want for one in change.of("tags")}:
        why = "set " + ", ".join(f"{key}={value!r}" for key, value in sorted(changed.items()))
        yield CREATE_TAGS.on(
            change.address, why, "tags", params={"Resources": [Ref(change.address)], "Tags": tag_list(changed)}
        )


@lru_cache(maxsize=65536)
def canonical(cidr: str) -> str:
    """The canonical CIDR. AWS clears host bits and writes IPv6 by RFC 5952 (EC2 API reference, IpRange); emulators may
    not. Raises ValueError for what EC2 takes for no network, such as one with a zone (`fe80::%eth0/64`).
    """
    if cidr_problem(cidr) is None:
        return cidr
    if "%" in cidr:
        raise ValueError(f"the network {cidr!r}")
    return str(ip_network(cidr, strict=False))


def traffic_of(protocol: str, first: int | None, last: int | None) -> tuple[str, int, int]:
    """(protocol, first, last) of a `RuleKey`, from AWS's protocol and From/To."""
    name = _NAMES.get(protocol, protocol)
    if name in PORTED:
        if first is None or last is None:
            raise ValueError(f"a {name} rule without ports")
        if not 0 <= first <= last <= HIGHEST_PORT:
            raise ValueError(f"a {name} rule with the ports {first!r} to {last!r}")
        return name, first, last
    if name in ICMP:
        if not all(one is None or ANY <= one <= HIGHEST_ICMP for one in (first, last)):
            raise ValueError(f"a {name} rule with the type {first!r} and the code {last!r}")
        return name, (ANY if first is None else first), (ANY if last is None else last)
    if name != "all" and not name.isdecimal():
        raise ValueError(f"the protocol {name!r}")
    return name, ANY, ANY


def rules_of(
    permissions: Iterable[Mapping[str, Any]], account: str, names: Mapping[str, Address]
) -> dict[RuleKey, str]:
    """Key -> description of every rule in `IpPermissions`, which groups peers by protocol and ports."""
    rules: dict[RuleKey, str] = {}
    for permission in permissions:  # ten thousand in a large VPC, so the four lists are read without a loop
        shown = permission.get
        protocol, first, last = permission["IpProtocol"], shown("FromPort"), shown("ToPort")
        v4, v6 = shown("IpRanges", _NOBODY), shown("Ipv6Ranges", _NOBODY)
        lists, groups = shown("PrefixListIds", _NOBODY), shown("UserIdGroupPairs", _NOBODY)
        if not type(v4) is type(v6) is type(lists) is type(groups) is list:
            raise ValueError("the peers of a rule are no list")
        if not (v4 or v6 or lists or groups):
            raise ValueError("a rule that says for nobody")
        try:
            for one in v4:
                rules[_network_rule(protocol, first, last, one["CidrIp"])] = one.get("Description", "")
            for one in v6:
                rules[_network_rule(protocol, first, last, one["CidrIpv6"])] = one.get("Description", "")
            for one in lists:
                key = rule_key(*traffic_of(protocol, first, last), text(one, "PrefixListId"))
                rules[key] = one.get("Description", "")
            for one in groups:
                key = rule_key(*traffic_of(protocol, first, last), _group_peer(one, account, names))
                rules[key] = one.get("Description", "")
        except (AttributeError, TypeError) as error:
            raise ValueError(f"a peer of a rule is no structure: {error}") from error
    return rules


def key_of_rule(rule: Item, account: str, names: Mapping[str, Address]) -> RuleKey:
    """The key of a `SecurityGroupRule` of DescribeSecurityGroupRules."""
    traffic = rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")
    if cidr := rule.get("CidrIpv4") or rule.get("CidrIpv6"):
        return _network_rule(*traffic, cidr)
    peer = rule.get("PrefixListId") or _group_peer(rule["ReferencedGroupInfo"], account, names)
    return rule_key(*traffic_of(*traffic), peer)


def _group_peer(pair: Item, account: str, names: Mapping[str, Address]) -> str:
    """A group as the peer of a rule: its address, its id, or `<account>/<id>` if it belongs to another account. AWS may
    leave the owner out; then it is the one that the document writes, if it names the group.
    """
    group, owner = text(pair, "GroupId", "sg-"), pair.get("UserId")
    if owner is not None and not _is_account(owner):
        raise ValueError(f"UserId is {owner!r}, which is no account")
    return spelled_peer(f"{owner}/{group}" if owner else group, account, names)


@lru_cache(maxsize=1024)
def _is_account(owner: str) -> bool:
    """Memoized: nearly all groups are of one account."""
    return bool(re.fullmatch(r"\d{12}|amazon-[a-z-]+", owner))


@lru_cache(maxsize=32768)
def _network_rule(protocol: str, first: int | None, last: int | None, cidr: str) -> RuleKey:
    """Memoized: a run reads mostly the rules that the previous run read."""
    return rule_key(*traffic_of(protocol, first, last), canonical(cidr))


def aws_protocol(protocol: str) -> str:
    """A protocol as a number, `-1` for all, which every EC2 call accepts."""
    return str(NAMED_PROTOCOLS.get(protocol, protocol))


def permission(key: RuleKey, description: str | None = None) -> dict[str, Any]:
    """One rule as an `IpPermission`; a group of the document is a `Ref` in it."""
    described = {"Description": description} if description else {}
    params = _protocol_and_ports(key)
    if is_cidr(key.peer):
        params |= (
            {"Ipv6Ranges": [{"CidrIpv6": key.peer, **described}]}
            if is_ipv6(key.peer)
            else {"IpRanges": [{"CidrIp": key.peer, **described}]}
        )
    elif key.peer.startswith("pl-"):
        params["PrefixListIds"] = [{"PrefixListId": key.peer, **described}]
    else:
        params["UserIdGroupPairs"] = [{**_group(key.peer), **described}]
    return params


def rule_request(key: RuleKey, description: str | None) -> dict[str, Any]:
    """One rule as a `SecurityGroupRuleRequest`: ModifySecurityGroupRules replaces every field of a rule."""
    params = _protocol_and_ports(key) | {"Description": description or ""}
    if is_cidr(key.peer):
        params["CidrIpv6" if is_ipv6(key.peer) else "CidrIpv4"] = key.peer
    elif key.peer.startswith("pl-"):
        params["PrefixListId"] = key.peer
    else:
        params["ReferencedGroupId"] = _group(key.peer)["GroupId"]
    return params


def _protocol_and_ports(key: RuleKey) -> dict[str, Any]:
    """EC2 refuses ports of a rule for every protocol in all calls but Authorize (terraform-provider-aws #1920)."""
    ports = {"FromPort": key.first, "ToPort": key.last} if key.protocol in PORTED or key.protocol in ICMP else {}
    return {"IpProtocol": _protocol_name(key.protocol), **ports}


def peer_sort(key: RuleKey) -> str:
    """The type of a rule's peer, which ModifySecurityGroupRules cannot change (EC2 API reference)."""
    if is_cidr(key.peer):
        return "ipv6" if is_ipv6(key.peer) else "ipv4"
    return "prefix list" if key.peer.startswith("pl-") else "group"


PREFIX_LISTS = read(
    "ec2", "DescribeManagedPrefixLists", "PrefixLists", {}, page=100, absent=("UnauthorizedOperation", "AccessDenied")
)
"""All prefix lists of the account and AWS's own. A role of an earlier version may not ask; then no size is known."""
_OF_AWS = {
    "cloudfront.origin-facing": 55,
    "route53-healthchecks": 25,
    "vpc-lattice": 10,
    "s3express": 6,
    "groundstation": 5,
    "ec2-instance-connect": 2,
}
"""What AWS's own lists count, by the end of their names, if not as one (VPC user guide, AWS-managed prefix lists)."""


def reads_prefix_lists(used: bool) -> Iterable[Read]:  # noqa: FBT001 (the question is the argument)
    """The read of what prefix lists count, if any is used."""
    return (PREFIX_LISTS,) if used else ()


def prefix_list_sizes(answers: Answers) -> Mapping[str, int]:
    """What each prefix list counts towards the quota of rules or routes: its maximum of entries (VPC user guide,
    Prefix list quotas); AWS's own show none, and have a fixed weight. One that cannot be understood is left out, and
    counts as one: it must not cost the groups and tables, most of which do not name it.
    """
    return dict(filter(None, map(_size, answers.get(PREFIX_LISTS, ()))))


def _size(item: object) -> tuple[str, int] | None:
    if not isinstance(item, dict) or not isinstance(list_id := item.get("PrefixListId"), str):
        return None
    most, name = item.get("MaxEntries") or 0, str(item.get("PrefixListName", ""))
    of_aws = _OF_AWS.items() if item.get("OwnerId") == "AWS" else ()
    own = next((weight for end, weight in of_aws if name.endswith(f".{end}")), 1)
    return (list_id, most or own) if isinstance(most, int) and most >= 0 else None


def entry_params(entry: AclEntry) -> dict[str, Any]:
    """The parameters of an ACL entry; the create and the replace call both take all of them."""
    params: dict[str, Any] = {"Protocol": aws_protocol(entry.protocol), "RuleAction": entry.action}
    params["Ipv6CidrBlock" if is_ipv6(entry.cidr) else "CidrBlock"] = entry.cidr
    if entry.protocol in PORTED:
        params["PortRange"] = {"From": entry.first, "To": entry.last}
    if entry.protocol in ICMP:
        params["IcmpTypeCode"] = {"Type": entry.first, "Code": entry.last}
    return params


def entry_of(item: Item) -> AclEntry:
    """The entry in a `NetworkAclEntry`."""
    protocol = text(item, "Protocol")
    name = _NAMES.get(protocol, protocol)
    ports = item.get("PortRange") or {}
    icmp = item.get("IcmpTypeCode") or {}
    traffic = (
        traffic_of(name, icmp.get("Type"), icmp.get("Code"))
        if name in ICMP
        else traffic_of(name, ports.get("From"), ports.get("To"))
    )
    action = word(item, "RuleAction", frozenset({"allow", "deny"}))
    return AclEntry(action, *traffic, canonical(item.get("CidrBlock") or item["Ipv6CidrBlock"]))


_LIVE_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "VpcPeeringConnectionId",
    "TransitGatewayId",
    "NetworkInterfaceId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
    "InstanceId",
)
_NO_TARGETS = frozenset(
    {
        "DestinationCidrBlock",
        "DestinationIpv6CidrBlock",
        "DestinationPrefixListId",
        "InstanceOwnerId",
        "Origin",
        "State",
    }
)
"""What else AWS shows of a route (EC2 API reference, Route); every other field says where it leads."""


def route_target(route: Item) -> str:
    """The id of a live route's target, `local` for the VPC itself. AWS adds kinds of targets: of one that is not known
    here, what AWS shows, and UNKNOWN if botocore does not read that.
    """
    for name in _LIVE_TARGETS:
        if target := route.get(name):
            return str(target)
    others = (value for name, value in sorted(route.items()) if name not in _NO_TARGETS)
    return next((value for value in others if isinstance(value, str) and value), UNKNOWN)


def route_destination(route: Item) -> str:
    """A live route's destination: a canonical CIDR or a prefix list."""
    cidr = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
    return canonical(cidr) if cidr else text(route, "DestinationPrefixListId", "pl-")


def route_to(destination: str) -> dict[str, str]:
    """A destination as a parameter; EC2 has one for each type."""
    if not is_cidr(destination):
        return {"DestinationPrefixListId": destination}
    return {"DestinationIpv6CidrBlock" if is_ipv6(destination) else "DestinationCidrBlock": destination}


def route_via(target: str) -> dict[str, Any]:
    """A target as a parameter; EC2 has one for each type, which the kind or the form of the id determines."""
    return {target_parameter(target): Ref(Address(target)) if route_parameter(target) else target}


def _protocol_name(protocol: str) -> str:
    return "-1" if protocol == "all" else protocol


def _group(peer: str) -> dict[str, Any]:
    owner, _, group = peer.partition("/")
    if peer.startswith("security_group/"):
        return {"GroupId": Ref(Address(peer))}
    if not (group or owner).startswith("sg-"):
        raise ValueError(f"{peer!r} is no peer that a call can name")
    return {"UserId": owner, "GroupId": group} if group else {"GroupId": peer}
