"""The value types that documents and live state share.

Each value has one canonical form, so that `==` decides whether two are the same. A document with another form is
refused, never rewritten; `reconciler/aws/ec2.py` brings AWS's answers to the canonical form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

ANY = -1
"""`first` and `last` of a rule that has no ports, or of an ICMP rule for any type or any code."""

PORTED = frozenset({"tcp", "udp"})
ICMP = frozenset({"icmp", "icmpv6"})
NAMED_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "all": ANY}
"""The protocols that have a name, with their IANA number (-1 is AWS's spelling of "all")."""


def shown(value: object) -> str:
    """A value for a message: on one line, short, without control characters."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):  # str() refuses integers of more than 4300 digits
        return str(value) if value.bit_length() < 64 else "a number of more than 19 digits"
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]!r}..."
    return repr(value)


_SHOWN = 120


def nearest(text: str, known: Iterable[str], otherwise: str = "see what is declared") -> str:
    """The hint for an unknown word: the known words that it resembles or is a part of, else all of them, and
    `otherwise` if they are too many.
    """
    words = list(known)
    alike = [word for word in words if abs(len(word) - len(text)) <= 3][:_COMPARED]
    if close := get_close_matches(text[:_SHOWN], alike, n=1):
        return f"did you mean {close[0][:_SHOWN]!a}?"  # escaped, because letters of other scripts may look alike
    if not words:
        return "leave it out"
    longer = [word for word in words if text in word] if len(text) >= _PART else []
    if 0 < len(longer) <= _LONGER:
        return f"did you mean {' or '.join(f'{word[:_SHOWN]!a}' for word in sorted(longer))}?"
    return f"write one of {', '.join(sorted(words))}" if len(words) <= _LISTED else otherwise


_LISTED = 30
_PART, _LONGER = 4, 8
"""The least characters of a part that is looked for, and the most words with it that are named."""
_COMPARED = 30
"""Keeps a document with ten thousand names, hundreds of them misspelled, within a second."""


def refusal(problem: str, hint: str) -> PydanticCustomError:
    """The error that a value type raises: what is wrong, and what to write instead."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "hint": hint})


@dataclass(frozen=True)
class Form:
    """The form of a string: a pattern for all of it, its name with an article, and a hint."""

    pattern: str
    what: str
    hint: str

    def problem(self, text: str) -> tuple[str, str] | None:
        """Why the text does not have this form, as (problem, hint); None if it has."""
        return None if re.fullmatch(self.pattern, text) else (f"{shown(text)} is not {self.what}", self.hint)

    def read(self, text: str) -> str:
        if problem := self.problem(text):
            raise refusal(*problem)
        return text

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


class Address(str):
    """`<kind>/<name>`: a resource in references, plans, logs and alerts."""

    __slots__ = ()

    @classmethod
    def of(cls, kind: str, name: str) -> Address:
        return cls(f"{kind}/{name}")

    @property
    def kind(self) -> str:
        return self.partition("/")[0]

    @property
    def name(self) -> str:
        return self.partition("/")[2]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


NOWHERE = Address("nowhere")
"""What a detached resource is attached to (`None` would mean: not known)."""


def cidr_problem(text: str) -> tuple[str, str] | None:
    """Why `text` is not a canonical CIDR, as (problem, hint); None if it is one."""
    if len(text) > _LONGEST_CIDR:
        return _not_a_cidr(text)
    return _cidr_problem(text)


_LONGEST_CIDR = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")


@lru_cache(maxsize=65536)
def _cidr_problem(text: str) -> tuple[str, str] | None:
    """Memoized: documents and live state repeat their CIDRs."""
    if _ipv4_network(text):
        return None
    try:
        parsed = ip_network(text, strict=False)
    except ValueError:
        return _not_a_cidr(text)
    if "%" in text:  # ipaddress allows scoped IPv6 networks, EC2 does not
        return _not_a_cidr(text)
    if str(parsed) != text:
        return f"{shown(text)} is not in canonical form", f'write "{parsed}"'
    return None


def _not_a_cidr(text: str) -> tuple[str, str]:
    return f"{shown(text)} is not a CIDR", "write an IPv4 or IPv6 network such as 10.0.0.0/16 or 2001:db8::/32"


_OCTETS = {str(number): number for number in range(256)}
_HOSTS = {str(length): (1 << (32 - length)) - 1 for length in range(33)}
"""The bits of the addresses within a network, by its prefix length."""


def _ipv4_network(text: str) -> tuple[int, int] | None:
    """(first, last address) of a canonical IPv4 CIDR, None of any other text.

    `ip_network` says the same and takes four times as long, which is a quarter of the first load of ten thousand rules.
    """
    address, _, length = text.partition("/")
    try:
        one, two, three, four = address.split(".")
        first = _OCTETS[one] << 24 | _OCTETS[two] << 16 | _OCTETS[three] << 8 | _OCTETS[four]
        hosts = _HOSTS[length]
    except (KeyError, ValueError):
        return None
    return None if first & hosts else (first, first | hosts)


def is_ipv6(cidr: str) -> bool:
    """Whether a CIDR is of IPv6."""
    return ":" in cidr


@lru_cache(maxsize=65536)
def network(cidr: str) -> tuple[int, int, int]:
    """A canonical CIDR as (IP version, first address, last address), the addresses as integers."""
    if bounds := _ipv4_network(cidr):
        return 4, *bounds
    parsed = ip_network(cidr)
    return (4 if isinstance(parsed, IPv4Network) else 6), int(parsed.network_address), int(parsed.broadcast_address)


def contains(outer: str, inner: str) -> bool:
    """Whether the network `outer` contains every address of `inner`; both canonical CIDRs."""
    version, first, last = network(outer)
    other, low, high = network(inner)
    return version == other and first <= low and high <= last


class RuleKey(NamedTuple):
    """What identifies a security group rule of one direction in EC2; the description does not.

    `protocol` is a name (`tcp`, `udp`, `icmp`, `icmpv6`, `all`) or a number as text. `first` and `last` are the ports
    of tcp and udp, type and code of ICMP (-1: any), and -1 for everything else. `peer` is a canonical CIDR, an address
    `security_group/<name>`, a group id `sg-...` (`<account>/sg-...` where another account owns it) or a prefix list
    `pl-...`.
    """

    protocol: str
    first: int
    last: int
    peer: str

    @property
    def is_cidr(self) -> bool:
        return is_cidr(self.peer)

    def __str__(self) -> str:
        return f"{traffic(self.protocol, self.first, self.last)} {self.peer}"


@lru_cache(maxsize=32768)
def rule_key(protocol: str, first: int, last: int, peer: str) -> RuleKey:
    """The RuleKey of these values, the same object every time, so that comparing it is mostly an identity check."""
    return RuleKey(protocol, first, last, peer)


class AclEntry(NamedTuple):
    """One entry of a network ACL under its number; the fields as in `RuleKey`, and `cidr` a canonical CIDR."""

    action: str
    protocol: str
    first: int
    last: int
    cidr: str

    def __str__(self) -> str:
        return f"{self.action} {traffic(self.protocol, self.first, self.last)} {self.cidr}"


def is_cidr(peer: str) -> bool:
    """Whether the peer of a rule is a canonical CIDR."""
    return cidr_problem(peer) is None


def traffic(protocol: str, first: int, last: int) -> str:
    """`tcp 443`, `udp 1024-65535`, `icmp type 3 code 4`, `all`: a rule's protocol and ports for people."""
    if protocol in PORTED:
        return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"
    if protocol in ICMP and first != ANY:
        return f"{protocol} type {first}" + (f" code {last}" if last != ANY else "")
    return protocol if protocol in NAMED_PROTOCOLS else f"protocol {protocol}"


def written_traffic(protocol: str, first: int, last: int) -> dict[str, Any]:
    """The same as a document writes it: `{"protocol": "tcp", "ports": "1024-65535"}`."""
    written: dict[str, Any] = {"protocol": protocol if protocol in NAMED_PROTOCOLS else int(protocol)}
    if protocol in PORTED:
        written["ports"] = first if first == last else f"{first}-{last}"
    if protocol in ICMP:
        written |= {name: value for name, value in (("icmp_type", first), ("icmp_code", last)) if value != ANY}
    return written


def written_rule(key: RuleKey, end: str) -> dict[str, Any]:
    """A rule as a document writes it; `end` is `source` or `destination`."""
    return written_traffic(key.protocol, key.first, key.last) | {end: key.peer}


def written_entry(entry: AclEntry, end: str) -> dict[str, Any]:
    """An ACL entry as a document writes it under its number; `end` as above."""
    return {"action": entry.action} | written_traffic(entry.protocol, entry.first, entry.last) | {end: entry.cidr}


class TrafficError(ValueError):
    """A protocol with ports, an ICMP type or a code that do not match it: what is wrong, and what to write instead."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint)
        self.problem = problem
        self.hint = hint


def ports_of(
    protocol: str | int, ports: int | str | None, icmp_type: int | None, icmp_code: int | None
) -> tuple[str, int, int]:
    """(protocol, first, last) of a rule or entry from its fields as written, None for those left out.

    Raises TrafficError.
    """
    name = _protocol_name(protocol)
    label = name if name in NAMED_PROTOCOLS else f"protocol {name}"
    if name in PORTED:
        if ports is None:
            raise TrafficError(f"{name} needs ports", 'add "ports": a port such as 443 or a range such as "1024-65535"')
    elif ports is not None:
        raise TrafficError(f"{label} has no ports", "leave ports out, or write tcp or udp")
    if name not in ICMP and (icmp_type is not None or icmp_code is not None):
        raise TrafficError(f"{label} has no ICMP type or code", "leave icmp_type and icmp_code out")
    if name in ICMP:
        return name, *_icmp(icmp_type, icmp_code)
    return (name, ANY, ANY) if ports is None else (name, *port_range(ports))


def _protocol_name(protocol: str | int) -> str:
    if isinstance(protocol, str):
        if protocol in NAMED_PROTOCOLS:
            return protocol
        hint = "write tcp, udp, icmp, icmpv6, all or a protocol number"
        raise TrafficError(f"unknown protocol {shown(protocol)}", hint)
    for known, number in NAMED_PROTOCOLS.items():
        if protocol == number:
            raise TrafficError(f"protocol {protocol} has a name", f'write "{known}"')
    if not 0 <= protocol <= 255:
        raise TrafficError(f"there is no protocol {shown(protocol)}", "protocol numbers go from 0 to 255")
    return str(protocol)


def _icmp(icmp_type: int | None, icmp_code: int | None) -> tuple[int, int]:
    if icmp_type is None and icmp_code is not None:
        raise TrafficError("icmp_code without icmp_type", "add icmp_type, or leave both out for any ICMP")
    for field, value in (("icmp_type", icmp_type), ("icmp_code", icmp_code)):
        if value is not None and not 0 <= value <= 255:
            raise TrafficError(
                f"{field} {shown(value)} does not exist", f"{field} goes from 0 to 255; leave it out for any"
            )
    return (ANY if icmp_type is None else icmp_type), (ANY if icmp_code is None else icmp_code)


_RANGE = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")


def port_range(ports: int | str) -> tuple[int, int]:
    """(first, last) of ports as a document writes them: 443, or "1024-65535". Raises TrafficError."""
    if isinstance(ports, str):
        bounds = _RANGE.fullmatch(ports)
        if not bounds:
            hint = 'write a port as a number (443), or a range as "1024-65535"'
            raise TrafficError(f"{shown(ports)} is not a port range", hint)
        first, last = int(bounds[1]), int(bounds[2])
        if ports != f"{first}-{last}":
            raise TrafficError(f"{shown(ports)} is not in canonical form", f'write "{first}-{last}"')
        if first == last:
            raise TrafficError(f"the range {shown(ports)} is one port", f"write {first}")
    else:
        first = last = ports
    if not 0 <= first <= last <= 65535:
        raise TrafficError(f"ports {shown(ports)} do not exist", "ports go from 0 to 65535, the lower one first")
    return first, last
