"""Security group rules, network ACL entries and routes, in their written and canonical forms."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict

from pydantic import WithJsonSchema

from desired_state.fields import (
    ICMP,
    NAMED_PROTOCOLS,
    AclEntry,
    Address,
    RuleKey,
    TrafficError,
    cidr_problem,
    is_ipv6,
    ports_of,
    rule_key,
    shown,
    written_entry,
    written_rule,
)
from desired_state.members import STRICT, Collection, MemberProblem, refused_members
from desired_state.quotas import HIGHEST_RULE_NUMBER
from desired_state.resource import SECTIONS, route_parameter
from desired_state.route_targets import WRITTEN, is_tolerable, target_parameter

_DESCRIPTION = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
"""What EC2 allows in the description of a group or rule (EC2 API reference, IpRange)."""

_PEER = re.compile(r"security_group/.+|([0-9]{12}/)?sg-[0-9a-f]{8,17}|pl-[0-9a-f]{8,17}", re.DOTALL)
_PREFIX_LIST = re.compile(r"pl-[0-9a-f]{8,17}")
_RULE_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


_Protocol = Annotated[
    str | int,
    WithJsonSchema(
        {"anyOf": [{"enum": sorted(NAMED_PROTOCOLS)}, {"type": "integer", "minimum": 0, "maximum": 255}]},
    ),
]
_Ports = Annotated[
    int | str,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 65535},
                {"type": "string", "pattern": "^[0-9]{1,5}-[0-9]{1,5}$"},
            ]
        },
    ),
]


class _Traffic(TypedDict):
    protocol: _Protocol
    ports: NotRequired[_Ports]
    icmp_type: NotRequired[int]
    icmp_code: NotRequired[int]


class IngressRule(_Traffic):
    """One inbound rule of a security group, as written."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    source: str
    description: NotRequired[str]


class EgressRule(_Traffic):
    """One outbound rule of a security group, as written."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    destination: str
    description: NotRequired[str]


class IngressEntry(_Traffic):
    """One inbound entry of a network ACL, as written."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    action: Literal["allow", "deny"]
    source: str


class EgressEntry(_Traffic):
    """One outbound entry of a network ACL, as written."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    action: Literal["allow", "deny"]
    destination: str


class Rules(Collection, dict[RuleKey, str | None]):
    """Rules of a security group in one direction: key -> description (None: not managed)."""

    end: ClassVar[str]

    @classmethod
    def read(cls, written: list[dict[str, Any]]) -> Self:
        rules, problems = cls(), list[MemberProblem]()
        for index, rule in enumerate(written):
            description, get = rule.get("description"), rule.get
            key, refused = _rule(rule["protocol"], get("ports"), get("icmp_type"), get("icmp_code"), rule[cls.end])
            if refused:
                problems += (((index, cls.end) if at_peer else (index,), *why) for at_peer, why in refused)
            if description is not None and (problem := description_problem(description)):
                problems.append(((index, "description"), *problem))
            if key is None:
                continue
            if key in rules:
                problem = f"a duplicate of the rule {key}", "write it once, also if the descriptions differ"
                problems.append(((index,), *problem))
            rules[key] = description
        if problems:
            raise refused_members(problems)
        return rules

    def as_written(self) -> list[dict[str, Any]]:
        return [
            written_rule(key, self.end) | ({} if description is None else {"description": description})
            for key, description in sorted(self.items())
        ]


class Ingress(Rules):
    """Inbound rules; the peer is the `source`."""

    written = list[IngressRule]
    end = "source"


class Egress(Rules):
    """Outbound rules; the peer is the `destination`."""

    written = list[EgressRule]
    end = "destination"


class Entries(Collection, dict[int, AclEntry]):
    """Entries of a network ACL in one direction: rule number -> entry, without AWS's own `*` entries."""

    end: ClassVar[str]

    @classmethod
    def read(cls, written: dict[str, dict[str, Any]]) -> Self:
        entries, problems = cls(), list[MemberProblem]()
        for number, entry in written.items():
            cidr, get = entry[cls.end], entry.get
            if not _RULE_NUMBER.fullmatch(number) or int(number) > HIGHEST_RULE_NUMBER:
                hint = f"number entries from 1 to {HIGHEST_RULE_NUMBER}, without leading zeros"
                problems.append(((number,), f"{shown(number)} is not a rule number", hint))
                continue
            if problem := cidr_problem(cidr):
                problems.append(((number, cls.end), *problem))
            try:
                traffic = ports_of(entry["protocol"], get("ports"), get("icmp_type"), get("icmp_code"))
            except TrafficError as error:
                problems.append(((number,), error.problem, error.hint))
                continue
            entries[int(number)] = AclEntry(entry["action"], *traffic, cidr)
            if traffic[0] in ICMP and (traffic[0] == "icmpv6") != is_ipv6(cidr):
                hint = "write icmp with an IPv4 network, icmpv6 with an IPv6 network"
                problems.append(((number,), f"{traffic[0]} does not match the network {shown(cidr)}", hint))
        if problems:
            raise refused_members(problems)
        return entries

    def as_written(self) -> dict[str, dict[str, Any]]:
        return {str(number): written_entry(entry, self.end) for number, entry in sorted(self.items())}


class IngressEntries(Entries):
    """Inbound entries; the network is the `source`."""

    written = dict[str, IngressEntry]
    end = "source"


class EgressEntries(Entries):
    """Outbound entries; the network is the `destination`."""

    written = dict[str, EgressEntry]
    end = "destination"


class Routes(Collection, dict[str, str]):
    """Routes of a table: destination (CIDR or prefix list) -> target (a declared gateway, or an AWS id)."""

    written = dict[str, str]

    @classmethod
    def read(cls, written: dict[str, str]) -> Self:
        problems = list[MemberProblem]()
        for destination, target in written.items():
            if not _PREFIX_LIST.fullmatch(destination) and (problem := cidr_problem(destination)):
                problems.append(((destination,), *problem))
            if not target_parameter(target):
                kinds = " or ".join(f"{kind}/<name>" for kind, model in SECTIONS.items() if model.route_parameter)
                hint = f"write {kinds}, or {WRITTEN}"
                problems.append(((destination,), f"{shown(target)} is not a route target", hint))
            if target.startswith("eigw-") and not is_ipv6(destination):
                hint = "write an IPv6 destination, or another target"
                problems.append(((destination,), "an egress-only internet gateway carries IPv6 only", hint))
        if problems:
            raise refused_members(problems)
        return cls({to: Address(via) if route_parameter(via) else via for to, via in written.items()})

    def as_written(self) -> dict[str, str]:
        return dict(sorted(self.items()))

    @classmethod
    def tolerated(cls, written: Any) -> tuple[str, str] | None:
        """(destination, target) of one route to what a document cannot declare; None if it is not such a route."""
        if not isinstance(written, dict) or len(written) != 1:
            return None
        ((to, via),) = written.items()
        fits = bool(_PREFIX_LIST.fullmatch(to)) or cidr_problem(to) is None
        return (to, via) if fits and isinstance(via, str) and not target_parameter(via) and is_tolerable(via) else None


@lru_cache(maxsize=32768)
def _rule(
    protocol: str | int, ports: int | str | None, icmp_type: int | None, icmp_code: int | None, peer: str
) -> tuple[RuleKey | None, tuple[tuple[bool, tuple[str, str]], ...]]:
    """(the rule, its problems: whether with the peer, and what).

    Memoized: a warm worker loads the same document run after run.
    """
    problem = _peer_problem(peer)
    refused = ((True, problem),) if problem else ()
    try:
        return rule_key(*ports_of(protocol, ports, icmp_type, icmp_code), peer), refused
    except TrafficError as error:
        return None, (*refused, (False, (error.problem, error.hint)))


def description_problem(text: str) -> tuple[str, str] | None:
    """Why EC2 would refuse the description of a rule or group; None if it would not. A rule's may be empty."""
    if not _DESCRIPTION.fullmatch(text):
        hint = "use at most 255 ASCII letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"
        return f"AWS refuses the description {shown(text)}", hint
    return None


def _peer_problem(peer: str) -> tuple[str, str] | None:
    problem = cidr_problem(peer)
    if problem is None or _PEER.fullmatch(peer):
        return None
    if (peer[:1].isdigit() or ":" in peer) and "sg-" not in peer:
        return problem
    hint = "write a CIDR, security_group/<name>, a group id sg-... or a prefix list pl-..."
    return f"{shown(peer)} is not a valid peer of a rule", hint
