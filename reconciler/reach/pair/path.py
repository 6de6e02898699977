"""What is asked about a pair of ends, and what is answered: flows, packets, paths, blockers. Pure values."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from desired_state.fields import ANY, ICMP, PORTED, AclEntry, Address, RuleKey, traffic
from reconciler.packets.traffic import STRETCH, Cuts, Packets, box, extend, intervals, traffic_at
from reconciler.reach.network import Cell, entries, routes, rules
from reconciler.reach.pair.ends import Ports

_ECHO = {"icmp": (8, 0), "icmpv6": (128, 129)}
"""The types of an ICMP echo request and its reply (RFC 792, RFC 4443)."""


class Flow(NamedTuple):
    """A conversation: what the source sends, and what it gets back.

    Both are places on the traffic line of `packets/traffic.py`. `reply` is None if the replies go to the client's
    ports of the same protocol, or have the same protocol where it has no ports.
    """

    name: str
    request: Cuts
    reply: Cuts | None = None

    @classmethod
    def of(cls, protocol: str, *ports: Ports) -> Flow:
        """The conversation of one protocol (a name of `NAMED_PROTOCOLS` or a number) with these ports, all if none.

        The one of `icmp` and `icmpv6` is ping: an echo request and its reply.
        """
        if protocol in ICMP:
            request, reply = _ECHO[protocol]
            return cls(f"{protocol} echo", box(protocol, request, 0, "::/0").cuts, box(protocol, reply, 0, "::/0").cuts)
        if protocol not in PORTED:
            return cls(traffic(protocol, ANY, ANY), box(protocol, ANY, ANY, "::/0").cuts)
        if not ports:
            return cls(protocol, box(protocol, 0, 65535, "::/0").cuts)
        cuts: list[int] = []
        for first, last in sorted(ports):
            start, end = box(protocol, first, last, "::/0").cuts
            extend(cuts, start, end)
        shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in sorted(ports))
        return cls(f"{protocol} {shown}", tuple(cuts))


class Packet(NamedTuple):
    """One packet: `place` is where it is on the traffic line, the addresses are integers."""

    place: int
    source: int
    target: int
    ipv6: bool = False

    @property
    def source_address(self) -> str:
        return str(IPv6Address(self.source) if self.ipv6 else IPv4Address(self.source))

    @property
    def target_address(self) -> str:
        return str(IPv6Address(self.target) if self.ipv6 else IPv4Address(self.target))

    def __str__(self) -> str:
        return f"{traffic_at(self.place)} from {self.source_address} to {self.target_address}"


class Why(Enum):
    """Why a hop lets nothing through, or why it is not known whether it does."""

    NO_RULE = "no rule matches"
    DENIED = "an entry denies"
    UNMATCHED = "no entry matches, so the closing * denies"
    NO_ROUTE = "no route"
    BLACKHOLE = "the route is a blackhole"
    DETACHED = "the gateway is not attached"
    NOT_PUBLIC = "no public address"
    NOT_CARRIED = "the gateway does not carry this protocol"
    ONLY_OUTWARDS = "the gateway carries connections from inside only"
    NOT_INTERNET = "the gateway carries packets of the internet only"
    NO_FAMILY = "the ends have no address of one family"

    GROUPS_UNKNOWN = "the groups are not known"
    PREFIX_LIST = "the content of a prefix list is not known"
    FAR_GROUP = "the members of a group elsewhere are not known"
    UNREADABLE = "it could not be read"
    UNDECLARED = "nobody says what it is"
    PUBLIC_UNKNOWN = "not known whether there is a public address"
    GATEWAY_UNKNOWN = "not known whether the gateway is attached"
    NAT_UNKNOWN = "not known in which subnet the NAT gateway is"
    APPLIANCE = "a route inside the VPC leads through an appliance"
    FAR_ROUTE = "not known whether the internet comes in this way"
    NO_ROUTE_BACK = "not known whether a gateway delivers without a route back"
    RELAY = "a load balancer may hand it on"

    @property
    def certain(self) -> bool:
        """Whether it surely blocks."""
        return self in _BLOCKS


_BLOCKS = frozenset(list(Why)[: list(Why).index(Why.GROUPS_UNKNOWN)])

type Member = RuleKey | int | str | None
"""What decided at a hop: a rule of a group, the number of an ACL entry, the destination of a route. None: nothing
matched, or there is nothing to match (a gateway, an ACL's closing `*`)."""


class Hop(NamedTuple):
    """One filter on the way of a packet.

    `component` is a security group, a network ACL, a route table, a gateway, or an end itself (for its public
    address); `side` the direction in which it is crossed, "" for gateways; `reply` says whether the packet is a reply.
    `passes` is None if that is not known; `why` says why it does not pass, or why that is not known.
    """

    component: str
    side: str
    reply: bool = False
    member: Member = None
    passes: bool | None = True
    why: Why | None = None

    @property
    def cell(self) -> Cell | None:
        """The cell of the network that `member` is a member of; None if there is no member."""
        at = Address(self.component)
        if isinstance(self.member, RuleKey):
            return rules(at, self.side)
        if isinstance(self.member, int):
            return entries(at, self.side)
        return None if self.member is None else routes(at)


class Path(NamedTuple):
    """One packet and every hop on its way. `certain` says that each of them is known to let it through."""

    packet: Packet
    hops: tuple[Hop, ...]
    certain: bool
    rests_on: tuple[str, ...] = ()


class Mend(NamedTuple):
    """One member that is missing: `cell` with `member` set to `value` lets it through. `quota` says that the side of
    the ACL or group is full, so that something must go first.
    """

    cell: Cell
    member: RuleKey | int
    value: AclEntry | bool
    quota: bool = False


class Blocker(NamedTuple):
    """A filter that does not let through all of a flow.

    `missing` is what it blocks or, if not `certain`, what it is not known to let through; its addresses are the
    peer's. `hop.member` is what decided. `mends` together let it through, and are empty if no rule or entry can.
    """

    hop: Hop
    missing: Packets
    mends: tuple[Mend, ...] = ()

    @property
    def certain(self) -> bool:
        return self.hop.why is None or self.hop.why.certain


def replies(flow: Flow, client_ports: Ports) -> Cuts:
    """What the replies of a flow are on the traffic line, for a client that picks its port from these."""
    if flow.reply is not None:
        return flow.reply
    cuts: list[int] = []
    for start, end in intervals(flow.request):
        for protocol in range(start // STRETCH, (end - 1) // STRETCH + 1):
            first = protocol * STRETCH
            ported = protocol in _PORTED
            low, high = (first + client_ports[0], first + client_ports[1] + 1) if ported else (first, first + STRETCH)
            extend(cuts, low, high)
    return tuple(cuts)


_PORTED = frozenset({6, 17})
