"""What the request of one CloudTrail record names: the `Details` by which `Kind.changes` says what it can change. Pure.

EC2 writes parameters in lowerCamelCase with lists under `items`, ModifySecurityGroupRules as in its request, RDS with a
lower-case first letter (CloudTrail User Guide, record contents), so they are compared in lower case. Everything here is
untrusted text, which is only ever compared: what does not have the form of a value is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from desired_state.fields import RuleKey
from reconciler.aws.ec2 import canonical, traffic_of
from reconciler.model.cause import MANY, Details

DETAILS = 60
"""The most details that are kept of one call: the names of its parameters first."""
VALUES = 20
"""The most values that are kept of one parameter; of more, it is only known that there are many."""
_LONGEST = 100
_FORM = re.compile(r"[!-~][ -~]*")
_TOLD = frozenset(
    {
        "applyaction",
        "cidrblock",
        "destinationcidrblock",
        "destinationipv6cidrblock",
        "destinationprefixlistid",
        "egress",
        "rulenumber",
    }
)
"""Parameters whose values say which member or field a call changes; of all others only `true` and `false` are kept."""
_NETWORKS = frozenset({"cidrblock", "destinationcidrblock", "destinationipv6cidrblock"})


def details_of(record: Mapping[str, Any]) -> Details:
    """What is known of the request of a record."""
    request, answer = (_mapping(record.get(part)) for part in ("requestParameters", "responseElements"))
    if len(request) == 1 and next(iter(request)).endswith("Request"):
        request = _mapping(next(iter(request.values())))
    names = [name.lower() for name, value in request.items() if value is not None]
    values: dict[str, list[str]] = defaultdict(list)
    for parameter, value in _values(request, answer):
        values[parameter].append(value)
    for name, value in request.items():
        if told := _plain(name.lower(), value):
            values[name.lower()].append(told)
    pairs = [f"{name}={one}" for name, some in values.items() for one in _few(some)]
    return bounded_details([*names, *pairs])


def bounded_details(details: Any) -> Details:
    """Details that are safe to store: limited in number and form. Bounded ones are returned as they are."""
    fits = dict.fromkeys(one for one in details if len(one) <= _LONGEST and _FORM.fullmatch(one))
    return frozenset(sorted(fits, key=lambda one: ("=" in one, one))[:DETAILS])


def rule_text(key: RuleKey) -> str:
    """A rule as details have it; its peer must be an id or a network."""
    return f"{key.protocol}:{key.first}:{key.last}:{key.peer.rpartition('/')[2] if 'sg-' in key.peer else key.peer}"


def _few(values: list[str]) -> list[str]:
    """All of the values or `MANY`: a part of them would say that the others are not among them."""
    some = list(dict.fromkeys(values))
    fits = len(some) <= VALUES and all(len(one) < _LONGEST - 30 and _FORM.fullmatch(one) for one in some)
    return some if fits else [MANY]


def _plain(name: str, value: Any) -> str:
    """The value of a parameter, if it is told; EC2's attributes have theirs in `value`."""
    inner = value.get("value") if isinstance(value, Mapping) else value
    if isinstance(inner, bool) or (isinstance(inner, str) and inner in {"true", "false"}):
        return str(inner).lower()
    if name not in _TOLD or not isinstance(inner, (str, int)):
        return ""
    return _network(str(inner)) if name in _NETWORKS else str(inner)


def _values(request: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(parameter, value) of tags, of the type in an ARN, and of rules."""
    for one in (*_items(request.get("tagSet")), *_items(request.get("tags"))):
        if isinstance(key := _mapping(one).get("key"), str):
            yield "tag", key
    yield from (("tag", key) for key in _items(request.get("tagKeys")) if isinstance(key, str))
    named = request.get("resourceName")
    if isinstance(named, str) and named.startswith("arn:") and named.count(":") >= 6:
        yield "arn", named.split(":")[5]
    asked = [*_requested(request), *_modified(request)]
    yield from (("rule", rule) for rule in asked or _answered(answer))


def _requested(request: Mapping[str, Any]) -> Iterator[str]:
    """The rules in `ipPermissions`, and the one that older clients write at the top."""
    for one in (*map(_mapping, _items(request.get("ipPermissions"))), request):
        for group, name in (("ipRanges", "cidrIp"), ("ipv6Ranges", "cidrIpv6"), ("prefixListIds", "prefixListId")):
            yield from (_rule(one, _mapping(end).get(name)) for end in _items(one.get(group)))
        for group in ("groups", "userIdGroupPairs"):
            yield from (_rule(one, _mapping(end).get("groupId")) for end in _items(one.get(group)))
        if "cidrIp" in one:
            yield _rule(one, one["cidrIp"])


def _modified(request: Mapping[str, Any]) -> Iterator[str]:
    """What ModifySecurityGroupRules makes of the rules."""
    rules = request.get("SecurityGroupRule")
    for one in rules if isinstance(rules, list) else [rules] if rules else ():
        new = _mapping(_mapping(one).get("SecurityGroupRule"))
        rule = {name[:1].lower() + name[1:]: value for name, value in new.items()}
        yield _rule(rule, _end(rule))


def _answered(answer: Mapping[str, Any]) -> Iterator[str]:
    for name in ("securityGroupRuleSet", "revokedSecurityGroupRuleSet"):
        for one in map(_mapping, _items(answer.get(name))):
            yield _rule(one, _end(one) or _mapping(one.get("referencedGroupInfo")).get("groupId"))


def _end(rule: Mapping[str, Any]) -> Any:
    ends = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedGroupId")
    return next((rule[name] for name in ends if rule.get(name)), None)


def _rule(rule: Mapping[str, Any], end: Any) -> str:
    """The text of a rule; `MANY` if it cannot be read, so that it may be any."""
    protocol, first, last = rule.get("ipProtocol"), rule.get("fromPort"), rule.get("toPort")
    if not isinstance(end, str) or not isinstance(protocol, str):
        return MANY
    try:
        traffic = traffic_of(protocol.lower(), first, last)
    except (TypeError, ValueError):
        return MANY
    return rule_text(RuleKey(*traffic, _network(end) if "/" in end else end))


def _network(text: str) -> str:
    try:
        return canonical(text)
    except ValueError:
        return text


def _items(value: Any) -> list[Any]:
    inner = value.get("items") if isinstance(value, Mapping) else value
    return inner if isinstance(inner, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
