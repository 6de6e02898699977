"""Where packets go that leave a subnet, and which of the outside can reach it: routes and gateways. Pure.

Sources: VPC user guide, "Route priority" (the longest prefix; a static route before a propagated one; the local route
before propagated ones, however specific those are), "Internet gateways" (an attached gateway, a route to it, and a
public address, for traffic from and to the internet), "NAT gateways", "Egress-only internet gateways".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from desired_state.fields import NAMED_PROTOCOLS, NOWHERE, Address, is_cidr, network
from reconciler.packets.traffic import STRETCH, Cuts, intervals, join, less, meet
from reconciler.reach.network import (
    BLACKHOLE,
    LOCAL,
    TABLE_OF,
    USABLE,
    is_egress_only,
    is_internet_gateway,
    is_nat,
    is_prefix_list,
    routes,
    routes_by_aws,
)
from reconciler.reach.pair.ends import INTERNET, Endpoint, External
from reconciler.reach.pair.filters import EVERY_ADDRESS, Where, where
from reconciler.reach.pair.path import Why
from reconciler.reach.pair.topology import Topology

LOCAL_TARGET = "local"

NAT_CARRIES: Cuts = tuple(
    bound
    for first in sorted(NAMED_PROTOCOLS[name] * STRETCH for name in ("icmp", "tcp", "udp"))
    for bound in (first, first + STRETCH)
)
"""TCP, UDP and ICMP (VPC user guide, NAT gateway basics)."""

_MIDDLEBOXES = ("eni-", "i-", "nat-", "vpce-")
"""The targets that a route inside the VPC may have besides `local` (VPC user guide, middlebox routing)."""


class Route(NamedTuple):
    """What a table does with some addresses; without a route, `destination` and `target` are empty."""

    destination: str
    target: str


NO_ROUTE = Route("", "")
UNKNOWN_TABLE_ROUTE = Route("", "?")
"""Of a table that nobody knows."""


def _within(cidr: str, networks: list[tuple[int, int, int]]) -> bool:
    version, first, last = network(cidr)
    return any(version == other and low <= first and last <= high for other, low, high in networks)


def _segments(found: Mapping[str, str], version: int) -> tuple[list[int], list[Route]]:
    """Where each segment begins, and its route: that of the longest prefix."""
    known = [(*network(to), Route(to, via)) for to, via in found.items()]
    starts, chosen = [0], [NO_ROUTE]
    around = [(EVERY_ADDRESS[version == 6][1], NO_ROUTE)]

    def begin(at: int, route: Route) -> None:
        if starts[-1] == at:
            chosen[-1] = route
        else:
            starts.append(at)
            chosen.append(route)

    for family, first, last, route in sorted(known, key=lambda one: (one[1], -one[2])):
        if family != version:
            continue
        while around[-1][0] <= first:
            end, _ = around.pop()
            begin(end, around[-1][1])
        begin(first, route)
        around.append((last + 1, route))
    while len(around) > 1:
        end, _ = around.pop()
        begin(end, around[-1][1])
    return starts, chosen


class Table:
    """A route table: per family the segments of addresses with one route, and the routes for prefix lists."""

    __slots__ = ("_inside", "_segments", "endpoints", "known", "lists")

    def __init__(
        self, made: Mapping[str, str], by_aws: Mapping[str, str], local: Mapping[str, Any], *, known: bool = True
    ) -> None:
        self.known = known
        self.lists = tuple(Route(to, via) for to, via in made.items() if not is_cidr(to))
        """The routes for prefix lists: each may apply to any address, because the lists are not read."""
        self.endpoints = tuple(Route(to, via) for to, via in by_aws.items() if not is_cidr(to))
        """Those of gateway endpoints: their lists are AWS's own, of its public services."""
        networks = [network(cidr) for cidr in local]
        found = {to: via for to, via in by_aws.items() if is_cidr(to) and not _within(to, networks)}
        found |= dict.fromkeys(local, LOCAL_TARGET)
        found |= {to: via for to, via in made.items() if is_cidr(to)}
        self._segments = tuple(_segments(found, version) for version in (4, 6))
        self._inside: dict[Where, Where] = {}

    def pieces(self, ranges: Cuts, *, ipv6: bool) -> Iterator[tuple[int, int, Route]]:
        """The ranges, cut where another route begins: first address, end (excluded), and the route."""
        if not self.known:
            yield from ((first, end, UNKNOWN_TABLE_ROUTE) for first, end in intervals(ranges))
            return
        starts, chosen = self._segments[ipv6]
        for first, end in intervals(ranges):
            at = bisect_right(starts, first) - 1
            while first < end:
                stop = min(end, starts[at + 1]) if at + 1 < len(starts) else end
                yield first, stop, chosen[at]
                first, at = stop, at + 1  # noqa: PLW2901 (the rest of the range)

    def inside(self, topology: Topology, at: Where) -> Where:
        """Which of these addresses of the VPC packets surely reach by the local route, and which they may reach."""
        found = self._inside.get(at)
        if found is None:
            sure: Cuts = ()
            maybe: Cuts = ()
            doubtful = any(inside_by(route) is Why.APPLIANCE for route in self.lists)
            for first, end, route in self.pieces(at.maybe, ipv6=at.ipv6):
                why = inside_by(route)
                if why is None and not doubtful:
                    sure = join(sure, (first, end))
                if why is None or not why.certain or doubtful:
                    maybe = join(maybe, (first, end))
            found = self._inside[at] = where(topology, sure, maybe, ipv6=at.ipv6)
        return found


UNKNOWN_TABLE = Table({}, {}, {}, known=False)


def table_of(topology: Topology, subnet: Address) -> Table:
    """The route table that a subnet uses."""
    state = topology.network
    at = state.table_of(subnet)
    cell, by_aws = routes(at), routes_by_aws(at)
    if at == NOWHERE or cell not in state or not state[LOCAL] or topology.unreadable(at, "route_table"):
        return UNKNOWN_TABLE
    if subnet not in state[TABLE_OF] and any(one.kind == "route_table" for one in topology.unread):
        return UNKNOWN_TABLE  # it may be associated with that one
    cells = state[cell], state[by_aws], state[LOCAL]
    kept = topology.parts.get(cell)
    if kept is None or any(old is not new for old, new in zip(kept[0], cells, strict=True)):
        kept = topology.parts[cell] = cells, Table(*cells)
    found: Table = kept[1]
    return found


def inside_by(route: Route) -> Why | None:
    """Why a route does not carry packets to a machine of the VPC, None if it does.

    A route for a prefix list may be more specific than the local one only if a middlebox is its target.
    """
    if route == UNKNOWN_TABLE_ROUTE:
        return Why.UNDECLARED
    if route.target == LOCAL_TARGET:
        return None
    if is_prefix_list(route.destination):
        middlebox = route.target.startswith(_MIDDLEBOXES) or route.target == BLACKHOLE
        return Why.APPLIANCE if middlebox else None
    if not route.destination:
        return Why.NO_ROUTE
    return Why.BLACKHOLE if route.target == BLACKHOLE else Why.APPLIANCE


class Way(NamedTuple):
    """How a route joins some addresses outside to a machine, in one direction of the connection.

    `why` is None if packets surely pass; if not, `why.certain` says whether they surely do not. `nat` is the NAT
    gateway that they cross.
    """

    route: Route
    why: Why | None
    nat: str = ""

    @property
    def possible(self) -> bool:
        return self.why is None or not self.why.certain


class Piece(NamedTuple):
    """Addresses outside, from `first` to `end` (excluded), that are joined to a machine in the same way.

    There are several ways where the routes for prefix lists may or may not apply. `certain` needs all of them; an
    address may get through if one of them lets it. `also` is a way that some of the addresses have besides.
    """

    first: int
    end: int
    ways: tuple[Way, ...]
    also: tuple[Way, ...] = ()

    @property
    def certain(self) -> bool:
        return all(way.why is None for way in self.ways)

    @property
    def possible(self) -> tuple[Way, ...]:
        return tuple(way for way in (*self.ways, *self.also) if way.possible)


def pieces(topology: Topology, end: Endpoint, other: External, *, inwards: bool, ipv6: bool) -> tuple[Piece, ...]:
    """The addresses of a network outside, and how each is joined to a machine.

    `inwards` says that the connection comes from outside. Addresses that are no part of the internet never come
    through an internet or NAT gateway.
    """
    table = table_of(topology, end.subnet)
    ranges = other.addresses.ipv6 if ipv6 else other.addresses.ipv4
    public = INTERNET.ipv6 if ipv6 else INTERNET.ipv4
    asked = _Asked(topology, end, other, inwards=inwards, ipv6=ipv6)
    found = [
        piece
        for some, of_internet in ((meet(ranges, public), True), (less(ranges, public), False))
        for first, stop, route in table.pieces(some, ipv6=ipv6)
        for piece in asked.by(first, stop, (route, *table.lists), table.endpoints, of_internet=of_internet)
    ]
    return tuple(sorted(found))


class _Asked(NamedTuple):
    """One question about the gateways, and the answers by target."""

    topology: Topology
    end: Endpoint
    other: External
    inwards: bool
    ipv6: bool

    def by(
        self, first: int, stop: int, found: tuple[Route, ...], endpoints: tuple[Route, ...], *, of_internet: bool
    ) -> Iterator[Piece]:
        """The addresses with these routes, cut where the NAT gateway's own table has another one."""
        also = () if self.inwards else tuple(Way(route, Why.PREFIX_LIST) for route in endpoints)
        cuts = {first, stop}
        for route in found:
            nat_subnet = self._nat_subnet(route)
            if nat_subnet:
                onwards = table_of(self.topology, nat_subnet).pieces((first, stop), ipv6=self.ipv6)
                cuts |= {start for start, _, _ in onwards}
        edges = sorted(cuts)
        for start, end in pairwise(edges):
            ways = tuple(self._way(route, start, of_internet=of_internet) for route in found)
            yield Piece(start, end, ways, also)

    def _nat_subnet(self, route: Route) -> Address | None:
        outwards = not self.inwards and not self.ipv6 and is_nat(route.target)
        return self.topology.nats.get(route.target) if outwards else None

    def _way(self, route: Route, first: int, *, of_internet: bool) -> Way:
        why, nat = self._why(route, first, of_internet), ""
        if is_nat(route.target) and not self.inwards and (why is None or not why.certain):
            nat = route.target
        relayed = self.inwards and of_internet and self.topology.relays
        if relayed and why is not None and (why.certain or why is Why.NO_ROUTE_BACK):
            why = Why.RELAY
        return Way(route, why, nat)

    def _why(self, route: Route, first: int, of_internet: bool) -> Why | None:  # noqa: FBT001 (from its caller only)
        target = route.target
        if route == UNKNOWN_TABLE_ROUTE:
            return Why.UNDECLARED
        if target in ("", BLACKHOLE, LOCAL_TARGET):
            dead = Why.BLACKHOLE if target == BLACKHOLE else Why.NO_ROUTE
            return self._unrouted(dead)
        if is_internet_gateway(target) or is_egress_only(target) or is_nat(target):
            if not of_internet and not self._private_nat(target):
                return self._unrouted(Why.NOT_INTERNET)
            if is_internet_gateway(target):
                return self._gateway(target)
            if self.inwards:
                return Why.ONLY_OUTWARDS
            return self._nat(target, first) if is_nat(target) else None if self.ipv6 else Why.NO_ROUTE
        return Why.FAR_ROUTE if self.inwards and self.other.internet else None

    def _unrouted(self, dead: Why) -> Why:
        """Peering connections and other gateways of one's own deliver whatever the tables of this VPC say."""
        return Why.NO_ROUTE_BACK if self.inwards and not self.other.internet else dead

    def _gateway(self, target: str) -> Why | None:
        attached = is_attached(self.topology, target)
        public = True if self.ipv6 else self.end.public
        if attached is False:
            return Why.DETACHED
        if public is False:
            return Why.NOT_PUBLIC
        if attached is None:
            return Why.GATEWAY_UNKNOWN
        return None if public else Why.PUBLIC_UNKNOWN

    def _private_nat(self, target: str) -> bool:
        return is_nat(target) and not self.inwards

    def _nat(self, target: str, first: int) -> Why | None:
        """A NAT gateway carries IPv4 outwards, and then needs a route of its own subnet."""
        if self.ipv6:
            return Why.NO_ROUTE
        subnet = self.topology.nats.get(target)
        if subnet is None:
            return Why.NAT_UNKNOWN
        table = table_of(self.topology, subnet)
        ((_, _, route),) = table.pieces((first, first + 1), ipv6=False)
        whys = [self._onwards(one, subnet, first) for one in (route, *table.lists)]
        if all(why is None for why in whys):
            return None
        dead = all(why is not None and why.certain for why in whys)
        return whys[0] if dead and not table.endpoints else self._doubt(whys)

    def _onwards(self, route: Route, subnet: Address, first: int) -> Why | None:
        if is_nat(route.target):
            return Why.NO_ROUTE
        gateway = self._replace(end=self.end._replace(subnet=subnet, public=True))
        of_internet = bool(meet((first, first + 1), INTERNET.ipv4))
        return gateway._why(route, first, of_internet)  # noqa: SLF001 (the same question, asked of the NAT gateway)

    @staticmethod
    def _doubt(whys: list[Why | None]) -> Why:
        """Why it is not known, if one of several routes applies."""
        return next((why for why in whys if why is not None and not why.certain), Why.PREFIX_LIST)


def is_far(target: str) -> bool:
    """Whether a target leads to a network of one's own: by peering, a transit gateway, a VPN, or an appliance."""
    near = is_internet_gateway(target) or is_nat(target) or is_egress_only(target)
    return not near and target not in ("", "?", BLACKHOLE, LOCAL_TARGET)


def is_attached(topology: Topology, gateway: str) -> bool | None:
    """Whether an internet gateway is attached to the VPC; None if that is not known.

    A declared one is attached if USABLE says so. One that is only known by its id is not known to be attached, unless
    USABLE says True or False.
    """
    if topology.unreadable(Address(gateway), "internet_gateway"):
        return None
    found: bool | None = topology.network[USABLE].get(gateway)
    return False if found is None and "/" in gateway else found
