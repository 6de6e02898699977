"""CIDR blocks, protocols and ports in the canonical form in which EC2 stores and compares them.

The strict modules of the laboratory canonicalize every request with it, because moto stores requests verbatim.

Facts encoded (EC2 API reference: IpPermission, CreateNetworkAclEntry, CreateVpc, CreateRoute): host bits of a CIDR
are cleared, IPv6 is written as in RFC 5952; group rules name tcp, udp, icmp and icmpv6 and keep other numbers without
ports; protocol -1 ignores ports; tcp, udp and icmp must have ports, icmpv6 without ports means every type; ACL
entries hold protocol numbers only.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from lab.refusal import Refusal

GROUP_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
_NAMED = frozenset({"tcp", "udp", "icmp", "icmpv6", "-1"})
_PREFIX_LENGTH = re.compile(r"/\d{1,3}\Z")
_GROUP_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*\Z")
LONGEST_GROUP_TEXT = 255


class PortRange(NamedTuple):
    """First and last port, or ICMP type and code; both None where the protocol has neither."""

    first: int | None
    last: int | None


def cidr4(text: str) -> str:
    """The IPv4 block as AWS stores it; InvalidParameterValue if it is not one."""
    return _cidr(text, 4)


def cidr6(text: str) -> str:
    """The IPv6 block as AWS stores it; InvalidParameterValue if it is not one."""
    return _cidr(text, 6)


def _cidr(text: str, version: int) -> str:
    malformed = Refusal("InvalidParameterValue", f"CIDR block {text} is malformed")
    if not _PREFIX_LENGTH.search(text):
        raise malformed
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise malformed from error
    if network.version != version:
        raise malformed
    return str(network)


def group_protocol(value: object) -> str:
    """The protocol of a group rule as in DescribeSecurityGroups; InvalidParameterValue if it is unknown."""
    text = str(value).lower() if value is not None else ""
    text = GROUP_PROTOCOLS.get(text, text)
    if text in _NAMED or (text.isdecimal() and int(text) <= 255):
        return text
    raise Refusal("InvalidParameterValue", f"Invalid value '{value}' for IP protocol. Unknown protocol.")


def group_ports(protocol: str, first: int | None, last: int | None) -> PortRange:
    """The ports of a group rule; InvalidParameterValue if they are missing, reversed or out of range."""
    if protocol not in _NAMED or protocol == "-1":
        return PortRange(None, None)
    if protocol == "icmpv6" and first is None and last is None:
        return PortRange(-1, -1)
    if first is None or last is None:
        raise Refusal("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports.")
    if protocol in ("icmp", "icmpv6"):
        if not -1 <= first <= 255 or not -1 <= last <= 255 or (first == -1 and last != -1):
            raise Refusal("InvalidParameterValue", f"ICMP type ({first}) and code ({last}) are not a valid pair.")
        return PortRange(first, last)
    return _ports(first, last)


def acl_protocol(value: object) -> str:
    """The protocol number of an ACL entry as text; names are refused with InvalidParameterValue."""
    text = str(value)
    if text == "-1" or (text.isdecimal() and int(text) <= 255):
        return str(int(text))
    raise Refusal("InvalidParameterValue", f"Invalid value '{value}' for IP protocol. Unknown protocol.")


def acl_ports(protocol: str, port_range: dict[str, int] | None) -> PortRange:
    """The ports of an ACL entry: required for tcp (6) and udp (17), dropped for anything else."""
    if protocol not in ("6", "17"):
        return PortRange(None, None)
    if not port_range or port_range.get("From") is None or port_range.get("To") is None:
        raise Refusal("MissingParameter", "The request must contain the parameter portRange for TCP and UDP.")
    return _ports(port_range["From"], port_range["To"])


def _ports(first: int, last: int) -> PortRange:
    if not 0 <= first <= 65535 or not 0 <= last <= 65535 or first > last:
        raise Refusal("InvalidParameterValue", f"Invalid value '{first}-{last}' for portRange.")
    return PortRange(first, last)


def group_text(text: str, what: str) -> str:
    """A group's name or description, or a rule's description; refused if it is too long or has another character."""
    if len(text) > LONGEST_GROUP_TEXT:
        raise Refusal(
            "InvalidParameterValue", f"Value for {what} is too long. At most {LONGEST_GROUP_TEXT} characters."
        )
    if not _GROUP_TEXT.match(text):
        allowed = "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*"
        raise Refusal("InvalidParameterValue", f"Invalid {what}. Valid characters are {allowed}")
    return text
