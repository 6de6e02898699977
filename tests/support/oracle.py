"""Small worlds with every packet written out, and rules read in the plainest way.

The packet algebra and the step planners are held against this. It shares no code with them: it knows packets one by
one, and a rule as AWS documents it. Each world holds one packet for every case its own rules can tell apart, and a few
beyond their edges, so two sets that agree on all its packets are the same set.
"""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from desired_state.fields import AclEntry, RuleKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPAQUE = ("security_group/", "pl-")

address = cache(ip_address)
network = cache(ip_network)


class Packet(NamedTuple):
    """`port` is also the ICMP type, `code` the ICMP code; 0 where the protocol has none. `peer`: address or name."""

    protocol: str
    port: int
    code: int
    peer: str


def matches(rule: RuleKey, packet: Packet) -> bool:
    """Whether a rule or an ACL entry (its fields as a rule) is about this packet."""
    if rule.protocol not in ("all", packet.protocol):
        return False
    if rule.protocol in ("tcp", "udp") and not rule.first <= packet.port <= rule.last:
        return False
    if rule.protocol in ("icmp", "icmpv6") and (
        rule.first not in (-1, packet.port) or rule.last not in (-1, packet.code)
    ):
        return False
    if rule.peer.startswith(OPAQUE) or packet.peer.startswith(OPAQUE):
        return rule.peer == packet.peer
    return address(packet.peer) in network(rule.peer)


def through_rules(rules: Iterable[RuleKey], world: Iterable[Packet]) -> set[Packet]:
    listed = list(rules)
    return {packet for packet in world if any(matches(rule, packet) for rule in listed)}


def through_acl(entries: Mapping[int, AclEntry], world: Iterable[Packet]) -> set[Packet]:
    passed = set()
    for packet in world:
        for number in sorted(entries):
            entry = entries[number]
            if matches(RuleKey(entry.protocol, entry.first, entry.last, entry.cidr), packet):
                if entry.action == "allow":
                    passed.add(packet)
                break
    return passed


def exactly(packet: Packet) -> RuleKey:
    """The narrowest rule around a packet of the world: it matches no other packet of the world."""
    peer = packet.peer
    if not peer.startswith(OPAQUE):
        peer = f"{peer}/{address(peer).max_prefixlen}"
    if packet.protocol in ("tcp", "udp"):
        return RuleKey(packet.protocol, packet.port, packet.port, peer)
    if packet.protocol in ("icmp", "icmpv6"):
        return RuleKey(packet.protocol, packet.port, packet.code, peer)
    return RuleKey(packet.protocol, -1, -1, peer)


def world(peers: Iterable[str], ports: Iterable[int], icmp: Iterable[tuple[int, int]] = ()) -> tuple[Packet, ...]:
    """Every packet of these peers: tcp and udp to these ports, ICMP of these (type, code), protocols 47 and 50."""
    shapes = [(protocol, port, 0) for protocol in ("tcp", "udp") for port in ports]
    shapes += [(protocol, kind, code) for protocol in ("icmp", "icmpv6") for kind, code in icmp]
    shapes += [("47", 0, 0), ("50", 0, 0)]
    return tuple(Packet(*shape, peer) for peer in peers for shape in shapes)


# The rules know ports 0..7 and all, ICMP types 3 and 8 with codes 0 and 1, a /29 and a /126, a group and a prefix list;
# the packets also come from beside those networks, to a port and with a type, a code and a protocol no rule names.
PEERS_4 = tuple(f"10.0.0.{last}" for last in range(7, 17))
PEERS_6 = tuple(f"2001:db8::{last:x}" for last in range(3, 9))
NAMED = ("security_group/app", "pl-0a1b2c3d")
WORLD = world((*PEERS_4, *PEERS_6, *NAMED), (0, 1, 3, 4, 7, 8, 65535), ((3, 0), (3, 1), (3, 2), (8, 0), (8, 1), (9, 0)))

CIDRS_4 = ("0.0.0.0/0", "10.0.0.8/29", "10.0.0.8/30", "10.0.0.12/30", "10.0.0.8/31", "10.0.0.9/32", "10.0.0.12/32")
CIDRS_6 = ("::/0", "2001:db8::4/126", "2001:db8::4/127", "2001:db8::5/128")

ported = st.tuples(
    st.sampled_from(("tcp", "udp")), st.sampled_from(((0, 65535), (0, 0), (1, 3), (2, 4), (4, 7), (0, 7)))
)
typed = st.tuples(st.sampled_from(("icmp", "icmpv6")), st.sampled_from(((-1, -1), (3, -1), (3, 0), (3, 1), (8, 0))))
plain = st.tuples(st.sampled_from(("47", "all")), st.just((-1, -1)))
clauses = st.one_of(ported, typed, plain).map(lambda clause: (clause[0], *clause[1]))
cidrs = st.sampled_from(CIDRS_4 + CIDRS_6)


def rule(clause: tuple[str, int, int], peer: str) -> RuleKey:
    protocol, first, last = clause
    return RuleKey(protocol, first, last, peer)


def entry(action: str, clause: tuple[str, int, int], cidr: str) -> AclEntry:
    protocol, first, last = clause
    return AclEntry(action, protocol, first, last, cidr)


actions = st.sampled_from(("allow", "deny"))
rules = st.builds(rule, clauses, st.one_of(cidrs, st.sampled_from(NAMED)))
acls = st.dictionaries(st.integers(1, 20), st.builds(entry, actions, clauses, cidrs), max_size=8)
