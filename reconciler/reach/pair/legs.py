"""Every filter that a conversation between two ends crosses, in order, with what must pass it. Pure.

The request leaves by the source's side and arrives by the target's, the replies go back. `blockers.py` asks each leg
whether it lets all of a flow through, `explain.py` what it does with one packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from desired_state.fields import NOWHERE, Address, RuleKey, is_cidr, network
from reconciler.packets.traffic import Cuts, box, extend, has, intervals, less
from reconciler.reach.network import BLACKHOLE, entries, is_prefix_list, rules
from reconciler.reach.pair.ends import CLIENT_PORTS, End, Endpoint, External, Ports
from reconciler.reach.pair.filters import group_of, is_elsewhere
from reconciler.reach.pair.flows import acl_at, groups_at, place
from reconciler.reach.pair.path import Flow, Hop, Why, replies
from reconciler.reach.pair.routing import NAT_CARRIES, Piece, Way, inside_by, pieces
from reconciler.reach.pair.topology import Topology

type Lacking = list[tuple[int, int, Cuts]]
"""Traffic by address: from an address to another (excluded), in ascending order."""

_AT_THE_TABLE = frozenset({Why.NO_ROUTE, Why.BLACKHOLE, Why.APPLIANCE, Why.UNDECLARED, Why.UNREADABLE, Why.PREFIX_LIST})


class Crossed(NamedTuple):
    """What must pass a leg: this traffic, with every one of these addresses of the peer."""

    cuts: Cuts
    peers: Cuts
    peer: End
    ipv6: bool
    reply: bool = False


class GroupsLeg(NamedTuple):
    """The security groups of a machine, in one direction."""

    end: Endpoint
    side: str
    crossed: Crossed

    def lacking(self, topology: Topology, *, certain: bool) -> Lacking:
        """What is not certain to pass or, if not `certain`, what surely does not."""
        groups = groups_at(topology, self.end, self.side)
        rest, peer = self.crossed.cuts, self.crossed.peer
        if not certain and groups.unknown:
            return []
        if isinstance(peer, Endpoint):
            known = groups.peers.keys() if peer.groups is None and not certain else peer.groups or ()
            for group in known:
                rest = less(rest, groups.peers.get(Address(group), ()))
        elif not certain and not peer.internet:
            rest = less(rest, groups.elsewhere)
        if not certain:
            rest = less(rest, groups.lists)
        return _uncovered(rest, self.crossed.peers, groups.boxes[self.crossed.ipv6])

    def at(self, topology: Topology, address: int, place: int) -> Hop:
        """What the groups do with one packet."""
        doubts: list[Hop] = []
        if self.end.groups is None:
            return Hop(self.end.label, self.side, member=None, passes=None, why=Why.GROUPS_UNKNOWN)
        for group in sorted(self.end.groups):
            cell = rules(group, self.side)
            if topology.unreadable(group, "security_group") or cell not in topology.network:
                why = Why.UNREADABLE if topology.unreadable(group, "security_group") else Why.UNDECLARED
                doubts.append(Hop(group, self.side, passes=None, why=why))
                continue
            for key in sorted(topology.network[cell]):
                mismatch = self._matches(topology, key, address, place)
                if mismatch is None:
                    return Hop(group, self.side, member=key)
                if not mismatch.certain:
                    doubts.append(Hop(group, self.side, member=key, passes=None, why=mismatch))
        if doubts:
            return doubts[0]
        return Hop(", ".join(sorted(self.end.groups)) or self.end.label, self.side, passes=False, why=Why.NO_RULE)

    def _matches(self, topology: Topology, key: RuleKey, address: int, place: int) -> Why | None:
        """None if the rule matches; otherwise why it does not, or why that is not known."""
        peer = self.crossed.peer
        if not has(box(key.protocol, key.first, key.last, "::/0").cuts, place):
            return Why.NO_RULE
        if is_cidr(key.peer):
            version, first, last = network(key.peer)
            return None if (version == 6) == self.crossed.ipv6 and first <= address <= last else Why.NO_RULE
        if is_prefix_list(key.peer):
            return Why.PREFIX_LIST
        group = group_of(key.peer)
        if isinstance(peer, External):
            far = is_elsewhere(topology, group) and not peer.internet
            return Why.FAR_GROUP if far else Why.NO_RULE
        if peer.groups is None:
            return Why.GROUPS_UNKNOWN
        return None if group in peer.groups else Why.NO_RULE


class AclLeg(NamedTuple):
    """The network ACL of a subnet, in one direction. `sure` is False if only some of several possible ways cross it."""

    subnet: Address
    side: str
    crossed: Crossed
    sure: bool = True

    def lacking(self, topology: Topology, *, certain: bool) -> Lacking:
        """What is not certain to pass or, if not `certain`, what surely does not."""
        if not certain and not self.sure:
            return []
        starts, bands = acl_at(topology, self.subnet, self.side).line(self.crossed.ipv6, certain)
        boxes = [(start, end, cuts) for start, end, cuts in zip(starts, starts[1:], bands, strict=False) if cuts]
        return _uncovered(self.crossed.cuts, self.crossed.peers, boxes)

    def at(self, topology: Topology, address: int, place: int) -> Hop:
        """What the ACL does with one packet."""
        acl, reply = topology.network.acl_of(self.subnet), self.crossed.reply
        cell = entries(acl, self.side)
        if acl == NOWHERE:
            return Hop(self.subnet, self.side, reply, passes=None, why=_nowhere(topology, "network_acl"))
        if topology.unreadable(acl, "network_acl") or cell not in topology.network:
            why = Why.UNREADABLE if topology.unreadable(acl, "network_acl") else Why.UNDECLARED
            return Hop(acl, self.side, reply, passes=None, why=why)
        for number, entry in sorted(topology.network.entries(acl, self.side).items()):
            version, first, last = network(entry.cidr)
            if (version == 6) != self.crossed.ipv6 or not first <= address <= last:
                continue
            if has(box(entry.protocol, entry.first, entry.last, "::/0").cuts, place):
                if entry.action == "allow":
                    return Hop(acl, self.side, reply, number)
                return self._denied(Hop(acl, self.side, reply, number, passes=False, why=Why.DENIED))
        return self._denied(Hop(acl, self.side, reply, passes=False, why=Why.UNMATCHED))

    def _denied(self, hop: Hop) -> Hop:
        return hop if self.sure else hop._replace(passes=None, why=Why.PREFIX_LIST)


class RouteLeg(NamedTuple):
    """A route or a gateway, and what it does with all the addresses that it is for.

    `service` says that some of them may be reached through a gateway endpoint of AWS.
    """

    hop: Hop
    crossed: Crossed
    service: bool = False

    def lacking(self, _: Topology, *, certain: bool) -> Lacking:
        """What is not certain to pass or, if not `certain`, what surely does not."""
        why = self.hop.why
        if why is None or not (certain or why.certain or self._of_internet):
            return []
        return [(first, end, self.crossed.cuts) for first, end in intervals(self.crossed.peers)]

    @property
    def _of_internet(self) -> bool:
        """Whether the services of AWS are too few to be all of what is asked for."""
        return self.service and isinstance(self.crossed.peer, External) and self.crossed.peer.internet

    def at(self, topology: Topology, address: int, place: int) -> Hop:  # noqa: ARG002 (the same for all its packets)
        """What the route or gateway does."""
        return self.hop


type Leg = GroupsLeg | AclLeg | RouteLeg


def legs(topology: Topology, source: End, target: End, flow: Flow, *, ipv6: bool) -> tuple[Leg, ...]:
    """The filters that a flow crosses, in order; none between two ends outside."""
    asked = _Asked(topology, source, target, flow, ipv6)
    if isinstance(source, Endpoint):
        return tuple(asked.inside(source, target) if isinstance(target, Endpoint) else asked.outwards(source, target))
    return tuple(asked.inwards(source, target)) if isinstance(target, Endpoint) else ()


class _Asked(NamedTuple):
    topology: Topology
    source: End
    target: End
    flow: Flow
    ipv6: bool

    def to_target(self, peers: Cuts | None = None) -> Crossed:
        """The request, for a filter that sees the target's addresses."""
        return Crossed(self.flow.request, self._of(self.target) if peers is None else peers, self.target, self.ipv6)

    def from_source(self) -> Crossed:
        """The request, for a filter that sees the source's addresses."""
        return Crossed(self.flow.request, self._of(self.source), self.source, self.ipv6)

    def back_to_source(self, ports: Ports) -> Crossed:
        """The replies to these ports of the client, for a filter that sees the source's addresses."""
        cuts = replies(self.flow, ports)
        return Crossed(cuts, self._of(self.source), self.source, self.ipv6, reply=True)

    def back_from_target(self, ports: Ports, peers: Cuts | None = None) -> Crossed:
        """The same, for a filter that sees the target's addresses."""
        return self.to_target(peers)._replace(cuts=replies(self.flow, ports), reply=True)

    def _of(self, end: End) -> Cuts:
        return end.addresses.ipv6 if self.ipv6 else end.addresses.ipv4

    def inside(self, source: Endpoint, target: Endpoint) -> Iterator[Leg]:
        """Between two machines of the VPC."""
        same = source.subnet == target.subnet
        yield GroupsLeg(source, "egress", self.to_target())
        if not same:
            yield AclLeg(source.subnet, "egress", self.to_target())
        yield from self._local(source.subnet, self.to_target())
        if not same:
            yield AclLeg(target.subnet, "ingress", self.from_source())
        yield GroupsLeg(target, "ingress", self.from_source())
        yield from self._local(target.subnet, self.back_to_source(source.client_ports))
        if not same:
            yield AclLeg(target.subnet, "egress", self.back_to_source(source.client_ports))
            yield AclLeg(source.subnet, "ingress", self.back_from_target(source.client_ports))

    def _local(self, subnet: Address, crossed: Crossed) -> Iterator[RouteLeg]:
        """What is wrong with the local route."""
        table = place(self.topology, subnet)[2]
        at = self.topology.network.table_of(subnet)
        component = subnet if at == NOWHERE else at
        found: dict[Hop, list[int]] = {}
        doubt = next((route for route in table.lists if inside_by(route)), None)
        for first, end, route in table.pieces(crossed.peers, ipv6=self.ipv6):
            why, member = inside_by(route), route.destination or None
            if doubt and (why is None or why.certain):
                why, member = Why.APPLIANCE, doubt.destination
            if why is Why.UNDECLARED:
                why = _nowhere(self.topology, "route_table")
            if why:
                passes = False if why.certain else None
                hop = Hop(component, "egress", crossed.reply, member, passes=passes, why=why)
                extend(found.setdefault(hop, []), first, end)
        for hop, peers in found.items():
            yield RouteLeg(hop, crossed._replace(peers=tuple(peers)))

    def outwards(self, source: Endpoint, target: External) -> Iterator[Leg]:
        """From a machine to a network outside, through a NAT gateway where a route leads to one."""
        found = pieces(self.topology, source, target, inwards=False, ipv6=self.ipv6)
        yield GroupsLeg(source, "egress", self.to_target())
        yield AclLeg(source.subnet, "egress", self.to_target())
        yield from self._routes(source, found, self.to_target())
        nats = sorted({way.nat for piece in found for way in piece.possible if way.nat})
        for nat in nats:
            yield from self._request_by(nat, source, found)
        for nat in nats:
            yield from self._reply_by(nat, source, found)
        direct = _ranges(piece for piece in found if self._enters_from_outside(piece, source))
        if direct:
            yield AclLeg(source.subnet, "ingress", self.back_from_target(source.client_ports, direct))

    def _enters_from_outside(self, piece: Piece, source: Endpoint) -> bool:
        """Whether replies enter the machine's subnet, rather than come from a NAT gateway within it."""
        ways = piece.possible or piece.ways
        return any(not way.nat or self.topology.nats.get(way.nat) != source.subnet for way in ways)

    def _request_by(self, nat: str, source: Endpoint, found: tuple[Piece, ...]) -> Iterator[Leg]:
        for some, sure in _crossing(nat, found):
            if not_carried := less(self.flow.request, NAT_CARRIES):
                hop = Hop(nat, "", passes=False if sure else None, why=Why.NOT_CARRIED if sure else Why.PREFIX_LIST)
                yield RouteLeg(hop, self.to_target(some)._replace(cuts=not_carried))
            subnet = self.topology.nats.get(nat)
            if subnet is not None and subnet != source.subnet:
                yield AclLeg(subnet, "ingress", self.from_source(), sure)
                yield AclLeg(subnet, "egress", self.to_target(some), sure)

    def _reply_by(self, nat: str, source: Endpoint, found: tuple[Piece, ...]) -> Iterator[Leg]:
        """The NAT gateway hands a reply on with the address that it came from (VPC user guide, NAT gateways)."""
        subnet = self.topology.nats.get(nat)
        if subnet is None:
            return
        for some, sure in _crossing(nat, found):
            yield AclLeg(subnet, "ingress", self.back_from_target(CLIENT_PORTS, some), sure)
            if subnet != source.subnet:
                yield AclLeg(subnet, "egress", self.back_to_source(source.client_ports), sure)

    def inwards(self, source: External, target: Endpoint) -> Iterator[Leg]:
        """From a network outside to a machine."""
        found = pieces(self.topology, target, source, inwards=True, ipv6=self.ipv6)
        yield from self._routes(target, found, self.from_source())
        yield AclLeg(target.subnet, "ingress", self.from_source())
        yield GroupsLeg(target, "ingress", self.from_source())
        yield AclLeg(target.subnet, "egress", self.back_to_source(CLIENT_PORTS))
        unrouted = [
            Piece(piece.first, piece.end, tuple(map(_back, piece.ways)))
            for piece in found
            if any(way.why is Why.NO_ROUTE_BACK for way in piece.ways)
        ]
        yield from self._routes(target, unrouted, self.back_to_source(CLIENT_PORTS))

    def _routes(self, end: Endpoint, found: Iterable[Piece], crossed: Crossed) -> Iterator[RouteLeg]:
        """The routes and gateways to these addresses, those alike together."""
        at = self.topology.network.table_of(end.subnet)
        table = end.subnet if at == NOWHERE else at
        alike: dict[tuple[tuple[Hop, ...], bool], list[int]] = {}
        for piece in found:
            way, why = _shown(piece)
            if why is Why.UNDECLARED:
                why = _nowhere(self.topology, "route_table")
            service = bool(piece.also) and not any(one.possible for one in piece.ways)
            key = tuple(_hops(table, way, why, reply=crossed.reply)), service
            extend(alike.setdefault(key, []), piece.first, piece.end)
        for (hops, service), peers in alike.items():
            for hop in hops:
                yield RouteLeg(hop, crossed._replace(peers=tuple(peers)), service)


def _shown(piece: Piece) -> tuple[Way, Why | None]:
    """The way that says most about a piece, and why packets do not pass or may not."""
    if piece.certain:
        return piece.ways[0], None
    if not piece.possible:
        return piece.ways[0], piece.ways[0].why
    for way in (*piece.ways, *piece.also):
        if way.why is not None and not way.why.certain:
            return way, way.why
    return next(way for way in piece.ways[1:]), Why.PREFIX_LIST


def _nowhere(topology: Topology, kind: str) -> Why:
    """Why it is not known which table or ACL a subnet uses: one that could not be read may be it."""
    return Why.UNREADABLE if topology.network.blind(kind) else Why.UNDECLARED


def _back(way: Way) -> Way:
    """The way of the replies, where the request may come without a route: there is none."""
    if way.why is not Why.NO_ROUTE_BACK:
        return way
    if way.route.target == BLACKHOLE:
        return way._replace(why=Why.BLACKHOLE)
    return way._replace(why=Why.NOT_INTERNET if way.route.destination else Why.NO_ROUTE)


def _hops(table: Address, way: Way, why: Why | None, *, reply: bool) -> Iterator[Hop]:
    """The table's hop, and the gateway's if the packet comes so far."""
    member = way.route.destination or None
    passes = None if why is None or not why.certain else False
    if why in _AT_THE_TABLE or way.route.target in ("", BLACKHOLE):
        yield Hop(table, "egress", reply, member, passes=passes, why=why)
        return
    yield Hop(table, "egress", reply, member)
    yield Hop(way.route.target, "", reply, passes=True if why is None else passes, why=why)


def _crossing(nat: str, found: Iterable[Piece]) -> Iterator[tuple[Cuts, bool]]:
    """The addresses that are reached through a NAT gateway: surely so, and as one of several ways."""
    for sure in (True, False):
        some = _ranges(
            piece
            for piece in found
            if any(way.nat == nat for way in piece.possible) and all(way.nat == nat for way in piece.possible) is sure
        )
        if some:
            yield some, sure


def _ranges(found: Iterable[Piece]) -> Cuts:
    cuts: list[int] = []
    for piece in found:
        extend(cuts, piece.first, piece.end)
    return tuple(cuts)


def _uncovered(cuts: Cuts, peers: Cuts, boxes: Iterable[tuple[int, int, Cuts]]) -> Lacking:
    """What of this traffic no box has, by address."""
    if not peers:
        return []
    low, high = peers[0], peers[-1]
    others: list[tuple[int, int, Cuts]] = []
    for first, end, some in boxes:
        if first <= low and high <= end:
            cuts = less(cuts, some)
            if not cuts:
                return []
        elif first < high and low < end:
            others.append((first, end, some))
    if not cuts:
        return []
    edges = {edge for first, end, _ in others for edge in (first, end)}
    found: Lacking = []
    for start, stop in intervals(peers):
        inner = [start, *sorted(edge for edge in edges if start < edge < stop), stop]
        for first, end in pairwise(inner):
            rest = cuts
            for low, high, some in others:
                if low <= first and end <= high:
                    rest = less(rest, some)
            if rest:
                found.append((first, end, rest))
    return found
