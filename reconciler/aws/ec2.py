"""EC2's spelling of things and ours: both ways, for the kinds of `reconciler/kinds`.

What AWS answers is brought to the canonical form of `desired_state/fields.py` here and nowhere else. Raises
`ValueError` for what the model cannot hold; the resource is then `unreadable`.
"""

from __future__ import annotations

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
from reconciler.model import Action, Change, Operation, Phase, Ref, Risk
from reconciler.model.kind import Item, Read, ReadContext, read

CREATE_TAGS = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)

_NAMES = {str(number): name for name, number in NAMED_PROTOCOLS.items()}


def in_vpc(operation: str, result: str, context: ReadContext, *, page: int = 1000, filters: str = "Filters") -> Read:
    """The read of everything of one sort in the VPC, in the largest pages AWS gives. `filters` is what the call names
    its filters; a few say `Filter`.
    """
    params = {filters: [{"Name": "vpc-id", "Values": [context.vpc_id]}]}
    return read("ec2", operation, result, params, page=page)


def tags_of(item: Item) -> Tags:
    """The tags of an item; AWS's own (`aws:`) cannot be set by anyone and are left out."""
    return Tags({tag["Key"]: tag["Value"] for tag in item.get("Tags", ()) if not tag["Key"].startswith("aws:")})


def name_tag(item: Item) -> str:
    """The Name tag, empty where there is none; AWS lets any number of things have the same one."""
    return tags_of(item).get("Name", "")


def pending(item: Item) -> str:
    """AWS's word for the state of a thing that is still being created; empty once it is available."""
    state = str(item.get("State", "available"))
    return "" if state == "available" else state


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as every call takes them, in a fixed order."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tagged_as(resource_type: str, tags: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """The `TagSpecifications` of a call that creates something, so that it is ours from its first moment."""
    return [{"ResourceType": resource_type, "Tags": tag_list(tags)}]


def retag(change: Change) -> Iterator[Action]:
    """The call that sets the tags that differ; no tag is ever taken away."""
    if changed := {one.key: one.want for one in change.of("tags")}:
        why = "set " + ", ".join(f"{key}={value!r}" for key, value in sorted(changed.items()))
        yield CREATE_TAGS.on(
            change.address, why, "tags", params={"Resources": [Ref(change.address)], "Tags": tag_list(changed)}
        )


@lru_cache(maxsize=65536)
def canonical(cidr: str) -> str:
    """AWS clears host bits and writes IPv6 by RFC 5952 (EC2 API reference, IpRange); emulators may not."""
    return cidr if cidr_problem(cidr) is None else str(ip_network(cidr, strict=False))


def traffic_of(protocol: str, first: int | None, last: int | None) -> tuple[str, int, int]:
    """(protocol, first, last) as `RuleKey` has them, out of AWS's protocol and From/To."""
    name = _NAMES.get(protocol, protocol)
    if name in PORTED:
        if first is None or last is None:
            raise ValueError(f"a {name} rule without ports")
        return name, first, last
    if name in ICMP:
        return name, (ANY if first is None else first), (ANY if last is None else last)
    if name != "all" and not name.isdecimal():
        raise ValueError(f"the protocol {name!r}")
    return name, ANY, ANY


def rules_of(
    permissions: Iterable[Mapping[str, Any]], account: str, names: Mapping[str, Address]
) -> dict[RuleKey, str]:
    """Key -> description of every rule in `IpPermissions`, which merges all peers of equal protocol and ports."""
    rules: dict[RuleKey, str] = {}
    for permission in permissions:
        traffic = permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort")
        for one in permission.get("IpRanges", ()):
            rules[_network_rule(*traffic, one["CidrIp"])] = one.get("Description", "")
        for one in permission.get("Ipv6Ranges", ()):
            rules[_network_rule(*traffic, one["CidrIpv6"])] = one.get("Description", "")
        for one in permission.get("PrefixListIds", ()):
            rules[rule_key(*traffic_of(*traffic), one["PrefixListId"])] = one.get("Description", "")
        for one in permission.get("UserIdGroupPairs", ()):
            peer = _group_peer(one, account, names)
            rules[rule_key(*traffic_of(*traffic), peer)] = one.get("Description", "")
    return rules


def key_of_rule(rule: Item, account: str, names: Mapping[str, Address]) -> RuleKey:
    """The key of one `SecurityGroupRule`, as DescribeSecurityGroupRules shows it."""
    traffic = rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")
    if cidr := rule.get("CidrIpv4") or rule.get("CidrIpv6"):
        return _network_rule(*traffic, cidr)
    peer = rule.get("PrefixListId") or _group_peer(rule["ReferencedGroupInfo"], account, names)
    return rule_key(*traffic_of(*traffic), peer)


def _group_peer(pair: Item, account: str, names: Mapping[str, Address]) -> str:
    """A group as the peer of a rule: its address, its id, or `<account>/<id>` where it is another account's."""
    group, owner = pair["GroupId"], pair.get("UserId") or account
    return names.get(group) or (group if owner == account else f"{owner}/{group}")


@lru_cache(maxsize=32768)
def _network_rule(protocol: str, first: int | None, last: int | None, cidr: str) -> RuleKey:
    """Memoised: a run sees the rules that the run before has seen."""
    return rule_key(*traffic_of(protocol, first, last), canonical(cidr))


def aws_protocol(protocol: str) -> str:
    """A protocol as a number, `-1` for all: the one spelling that every EC2 call takes."""
    return str(NAMED_PROTOCOLS.get(protocol, protocol))


def permission(key: RuleKey, description: str | None = None) -> dict[str, Any]:
    """One rule as an `IpPermission`; a group of the document stands in it as a `Ref`."""
    said = {"Description": description} if description else {}
    wanted: dict[str, Any] = {"IpProtocol": _protocol_name(key.protocol)}
    if key.protocol in PORTED or key.protocol in ICMP:
        wanted |= {"FromPort": key.first, "ToPort": key.last}
    if is_cidr(key.peer):
        wanted |= (
            {"Ipv6Ranges": [{"CidrIpv6": key.peer, **said}]}
            if is_ipv6(key.peer)
            else {"IpRanges": [{"CidrIp": key.peer, **said}]}
        )
    elif key.peer.startswith("pl-"):
        wanted["PrefixListIds"] = [{"PrefixListId": key.peer, **said}]
    else:
        wanted["UserIdGroupPairs"] = [{**_group(key.peer), **said}]
    return wanted


def rule_request(key: RuleKey, description: str | None) -> dict[str, Any]:
    """One rule as a `SecurityGroupRuleRequest`: ModifySecurityGroupRules replaces every field of a rule."""
    wanted: dict[str, Any] = {"IpProtocol": _protocol_name(key.protocol), "Description": description or ""}
    wanted |= {"FromPort": key.first, "ToPort": key.last}
    if is_cidr(key.peer):
        wanted["CidrIpv6" if is_ipv6(key.peer) else "CidrIpv4"] = key.peer
    elif key.peer.startswith("pl-"):
        wanted["PrefixListId"] = key.peer
    else:
        wanted["ReferencedGroupId"] = _group(key.peer)["GroupId"]
    return wanted


def peer_sort(key: RuleKey) -> str:
    """Which sort of peer a rule has; ModifySecurityGroupRules cannot change it (EC2 API reference)."""
    if is_cidr(key.peer):
        return "ipv6" if is_ipv6(key.peer) else "ipv4"
    return "prefix list" if key.peer.startswith("pl-") else "group"


def entry_params(entry: AclEntry) -> dict[str, Any]:
    """An ACL entry's own parameters; both ACL calls take the full specification and inherit nothing."""
    params: dict[str, Any] = {"Protocol": aws_protocol(entry.protocol), "RuleAction": entry.action}
    params["Ipv6CidrBlock" if is_ipv6(entry.cidr) else "CidrBlock"] = entry.cidr
    if entry.protocol in PORTED:
        params["PortRange"] = {"From": entry.first, "To": entry.last}
    if entry.protocol in ICMP:
        params["IcmpTypeCode"] = {"Type": entry.first, "Code": entry.last}
    return params


def entry_of(item: Item) -> AclEntry:
    """An ACL entry out of AWS's `NetworkAclEntry`."""
    name = str(_NAMES.get(item["Protocol"], item["Protocol"]))
    span = item.get("PortRange") or {}
    icmp = item.get("IcmpTypeCode") or {}
    what = (
        traffic_of(name, icmp.get("Type"), icmp.get("Code"))
        if name in ICMP
        else traffic_of(name, span.get("From"), span.get("To"))
    )
    return AclEntry(item["RuleAction"], *what, canonical(item.get("CidrBlock") or item["Ipv6CidrBlock"]))


_TARGETS = (
    ("igw-", "GatewayId"),
    ("vgw-", "GatewayId"),
    ("nat-", "NatGatewayId"),
    ("pcx-", "VpcPeeringConnectionId"),
    ("tgw-", "TransitGatewayId"),
    ("eni-", "NetworkInterfaceId"),
    ("vpce-", "VpcEndpointId"),
    ("eigw-", "EgressOnlyInternetGatewayId"),
)
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
    "InstanceId",
)


def route_target(route: Item) -> str:
    """The id of what a live route leads to, `local` for the VPC itself; empty where AWS shows none."""
    return next((str(route[name]) for name in _LIVE_TARGETS if route.get(name)), "")


def route_destination(route: Item) -> str:
    """The canonical network, or the prefix list, of a live route."""
    cidr = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
    return canonical(cidr) if cidr else str(route["DestinationPrefixListId"])


def route_to(destination: str) -> dict[str, str]:
    """A destination as the parameter of a call; EC2 has one for each sort."""
    if not is_cidr(destination):
        return {"DestinationPrefixListId": destination}
    return {"DestinationIpv6CidrBlock" if is_ipv6(destination) else "DestinationCidrBlock": destination}


def route_via(target: str) -> dict[str, Any]:
    """A target as the parameter of a call; EC2 has one for each sort: the kind says it, or the id's beginning."""
    if parameter := route_parameter(target):
        return {parameter: Ref(Address(target))}
    return {next(name for prefix, name in _TARGETS if target.startswith(prefix)): target}


def _protocol_name(protocol: str) -> str:
    return "-1" if protocol == "all" else protocol


def _group(peer: str) -> dict[str, Any]:
    owner, _, group = peer.partition("/")
    if peer.startswith("security_group/"):
        return {"GroupId": Ref(Address(peer))}
    return {"UserId": owner, "GroupId": group} if group else {"GroupId": peer}
