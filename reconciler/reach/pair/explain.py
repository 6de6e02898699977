"""One packet and its way through the network, hop by hop, and what is known of each hop in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from desired_state.fields import NAMED_PROTOCOLS, RuleKey, traffic
from desired_state.sanitize import sanitize
from reconciler.packets.traffic import STRETCH, Cuts, intervals
from reconciler.reach.pair.ends import End, Endpoint, External, Ranges, cidrs_of
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.legs import legs
from reconciler.reach.pair.mends import clauses
from reconciler.reach.pair.path import Blocker, Flow, Hop, Packet, Path, Why
from reconciler.reach.pair.routing import is_far, pieces
from reconciler.reach.pair.topology import Topology

_FIRST_SHOWN = tuple(NAMED_PROTOCOLS[name] for name in ("tcp", "udp", "icmp", "icmpv6"))
_MOST_SHOWN = 3


def witness(topology: Topology, source: End, target: End, asked: Cuts) -> Path | None:
    """One packet of `asked` that arrives, with its whole way; None if none does.

    A packet that certainly arrives if there is one, else one that may; of those tcp if it can be, then the lowest port
    and the lowest addresses.
    """
    certain, possible = passing(topology, source, target, asked)
    if not possible:
        return None
    of, known = (0, certain) if certain else (1, possible)
    place = min(_corners(known), key=_rank)
    scratch = replace(topology, memo={})  # the narrower ends are asked about once

    def arrives(one: End, other: End) -> bool:
        return bool(passing(scratch, one, other, (place, place + 1))[of])

    ipv6 = not arrives(_family(source, ipv6=False), target)
    one, other = _family(source, ipv6=ipv6), _family(target, ipv6=ipv6)
    while len(half := _halves(one, ipv6=ipv6)) > 1:
        one = half[0] if arrives(half[0], other) else half[1]
    while len(half := _halves(other, ipv6=ipv6)) > 1:
        other = half[0] if arrives(one, half[0]) else half[1]
    packet = Packet(place, _addresses(one, ipv6=ipv6)[0], _addresses(other, ipv6=ipv6)[0], ipv6)
    return Path(packet, walk(topology, one, other, packet), bool(certain), rests_on(topology, one, other))


def walk(topology: Topology, source: End, target: End, packet: Packet, reply: int | None = None) -> tuple[Hop, ...]:
    """What every hop does with one packet, in order, and with the reply to it at this place of the traffic line."""
    flow = Flow("", (packet.place, packet.place + 1), () if reply is None else (reply, reply + 1))
    one = _only(source, (packet.source, packet.source + 1), ipv6=packet.ipv6)
    other = _only(target, (packet.target, packet.target + 1), ipv6=packet.ipv6)
    return tuple(
        leg.at(topology, leg.crossed.peers[0], leg.crossed.cuts[0])
        for leg in legs(topology, one, other, flow, ipv6=packet.ipv6)
        if leg.crossed.cuts
    )


def rests_on(topology: Topology, source: End, target: End) -> tuple[str, ...]:
    """What is taken for granted where packets leave or enter the VPC by a gateway to another network, sorted."""
    if isinstance(source, Endpoint) == isinstance(target, Endpoint):
        return ()
    inwards = isinstance(target, Endpoint)
    end, other = (target, source) if inwards else (source, target)
    if not isinstance(end, Endpoint) or not isinstance(other, External):
        return ()
    far = {
        way.route.target
        for ipv6 in (False, True)
        if _addresses(end, ipv6=ipv6)
        for piece in pieces(topology, end, other, inwards=inwards, ipv6=ipv6)
        for way in piece.possible
        if is_far(way.route.target)
    }
    return tuple(sorted(f"the far side of {sanitize(target)} lets it through" for target in far))


def said(blocker: Blocker) -> str:
    """A blocker in one sentence: where, and which traffic it does not let through, or may not."""
    hop = blocker.hop
    side = {"ingress": " in", "egress": " out", "": ""}[hop.side]
    place = f"{sanitize(hop.component)}{side}{_member(hop)}{', replies' if hop.reply else ''}"
    end = "to" if hop.side == "egress" else "from" if hop.side == "ingress" else "with"
    missing = traffic_of(blocker, end)
    why = hop.why.value if hop.why else "not passed"
    if hop.why is Why.UNMATCHED:
        return f"{place}: no entry matches {missing}, so its closing * denies"
    return f"{place}: {why}{f' ({missing})' if missing else ''}"


def traffic_of(blocker: Blocker, end: str) -> str:
    """What a blocker keeps out, such as `tcp 1024-65535 from 10.0.2.0/24`; `end` is "from" or "to"."""
    networks: dict[str, list[str]] = {}
    for space, bands in blocker.missing.spaces:
        for (first, cuts), (stop, _) in pairwise(bands):
            if cuts:
                some = _few([traffic(*clause) for clause in clauses(cuts)])
                networks.setdefault(some, []).extend(cidrs_of((first, stop), ipv6=space == "IPv6"))
    return _few([f"{some} {end} {_few(cidrs)}" for some, cidrs in networks.items()], "; ")


def _few(items: list[str], between: str = ", ") -> str:
    """The first of them, and how many more there are."""
    more = len(items) - _MOST_SHOWN
    return between.join(items[:_MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _member(hop: Hop) -> str:
    if hop.member is None:
        return ""
    if isinstance(hop.member, RuleKey):
        end = "from" if hop.side == "ingress" else "to"
        key = hop.member
        return f" {traffic(key.protocol, key.first, key.last)} {end} {sanitize(key.peer)}"
    return f" {hop.member}"


REMEDIES = {
    Why.GROUPS_UNKNOWN: "name a workload instead of a network, or wait for the live look, which reads the interfaces",
    Why.PREFIX_LIST: "name the networks instead of the prefix list",
    Why.FAR_GROUP: "name the networks instead of the group",
    Why.UNREADABLE: "let the role read it",
    Why.UNDECLARED: "declare it",
    Why.PUBLIC_UNKNOWN: 'write "public_address" for the workload',
    Why.GATEWAY_UNKNOWN: "declare the internet gateway",
    Why.NAT_UNKNOWN: "let the role read the network interfaces",
    Why.APPLIANCE: "test it: what the appliance does is not known",
    Why.FAR_ROUTE: "test it: what the far side does is not known",
    Why.NO_ROUTE_BACK: "close it in the group or the ACL if it must not be reached",
    Why.RELAY: "close it in the group or the ACL if it must not be reached",
}
"""What would make known what is not."""


def _corners(cuts: Cuts) -> Iterator[int]:
    """The lowest place of each interval, and of each protocol with a name in it."""
    for start, end in intervals(cuts):
        yield start
        yield from (first for first in (number * STRETCH for number in _FIRST_SHOWN) if start < first < end)


def _rank(place: int) -> tuple[int, int]:
    protocol = place // STRETCH
    return (_FIRST_SHOWN.index(protocol) if protocol in _FIRST_SHOWN else len(_FIRST_SHOWN)), place


def _addresses(end: End, *, ipv6: bool) -> Cuts:
    return end.addresses.ipv6 if ipv6 else end.addresses.ipv4


def _only(end: End, addresses: Cuts, *, ipv6: bool) -> End:
    return end._replace(addresses=Ranges((), addresses) if ipv6 else Ranges(addresses))


def _family(end: End, *, ipv6: bool) -> End:
    return _only(end, _addresses(end, ipv6=ipv6), ipv6=ipv6)


def _halves(end: End, *, ipv6: bool) -> tuple[End, ...]:
    """The lower and the upper half of an end's addresses, cut between two intervals if there are several."""
    cuts = _addresses(end, ipv6=ipv6)
    if len(cuts) > 2:
        at = len(cuts) // 4 * 2
        return _only(end, cuts[:at], ipv6=ipv6), _only(end, cuts[at:], ipv6=ipv6)
    first, stop = cuts
    if stop - first == 1:
        return (end,)
    middle = (first + stop) // 2
    return _only(end, (first, middle), ipv6=ipv6), _only(end, (middle, stop), ipv6=ipv6)
