"""Small random networks, and plain code that walks every packet through them: the oracle of `reconciler/reach`.

It shares no code with what it tests, only the data types. Nothing is clever here: the first match decides, the
longest prefix is found by looking at all routes, and every address, port and machine is tried. Whatever is not known
is judged twice, once as if it let nothing through (`hopeful` False), and once as if it let everything through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import product
from random import Random
from typing import NamedTuple

from desired_state.fields import AclEntry, Address, RuleKey
from reconciler.model import Effect
from reconciler.packets.traffic import LINE
from reconciler.reach import network as cells
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import End, Endpoint, External, Ranges
from reconciler.reach.pair.path import Packet
from reconciler.reach.pair.topology import Topology
from tests.support.mutants import Judge

INSIDE = {
    False: ("10.0.0.0/29", ["10.0.0.0/30", "10.0.0.4/31", "10.0.0.6/31"]),
    True: ("2600:1::/125", ["2600:1::/126", "2600:1::4/127", "2600:1::6/127"]),
}
"""The VPC's network and its three subnets: eight addresses of each family."""
PUBLIC = {False: "198.51.100.0/31", True: "2600:2::/127"}
FAR = {False: "192.168.0.0/31", True: "fd00::/127"}
SUBNETS = [Address(f"subnet/s{number}") for number in range(3)]
GROUPS = [Address(f"security_group/g{number}") for number in range(3)]
ELSEWHERE = "sg-0123456789abcdef0"
ATTACHED, DETACHED, UNSURE = "internet_gateway/attached", "internet_gateway/detached", "igw-0123456789abcdef0"
NAT, LOST_NAT = "nat-0123456789abcdef0", "nat-0123456789abcdef1"
PEERING, APPLIANCE, EGRESS_ONLY = "pcx-0123456789abcdef0", "eni-0123456789abcdef0", "eigw-0123456789abcdef0"
PROPAGATED, ENDPOINT = "vgw-0123456789abcdef0", "vpce-0123456789abcdef0"
PREFIX_LIST, OF_AWS = "pl-0123456789abcdef0", "pl-0123456789abcdef1"

FIRSTS, LASTS = (0, 1, 2, 1024, 32768, 65535), (0, 1, 1023, 32767, 65534, 65535)
"""Every range of ports begins and ends at one of these, so one port of each stretch stands for all of it."""
PLACES = [("tcp", port) for port in FIRSTS] + [("udp", 2), ("udp", 1024), ("icmp", 2048), ("icmp", 0), ("107", 0)]
"""A packet's protocol, and its port or 256 times the ICMP type (8: echo request, 0: its reply)."""
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "107": 107}


def on_line(place: tuple[str, int]) -> int:
    """The packet's place on the traffic line."""
    protocol, rest = place
    return NUMBERS[protocol] * 65536 + rest


class Clause(NamedTuple):
    """The protocol and ports of a rule; for ICMP the type as `first` and the code 0, -1 for any."""

    protocol: str
    first: int = -1
    last: int = -1

    def matches(self, place: tuple[str, int]) -> bool:
        protocol, rest = place
        if self.protocol == "all":
            return True
        if self.protocol != protocol:
            return False
        if protocol in ("tcp", "udp"):
            return self.first <= rest <= self.last
        return self.first == -1 or self.first * 256 == rest


class Line(NamedTuple):
    """An entry of an ACL."""

    number: int
    allow: bool
    clause: Clause
    cidr: str


@dataclass
class World:
    """A network and its ends. A group without rules in `rules`, or an ACL without lines in `acls`, is not known."""

    rules: dict[tuple[Address, str], list[tuple[Clause, str]]] = field(default_factory=dict)
    acls: dict[tuple[Address, str], list[Line]] = field(default_factory=dict)
    acl_of: dict[Address, Address] = field(default_factory=dict)
    table_of: dict[Address, Address] = field(default_factory=dict)
    made: dict[Address, list[tuple[str, str]]] = field(default_factory=dict)
    by_aws: dict[Address, list[tuple[str, str]]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    relays: tuple[str, ...] = ()
    ends: list[End] = field(default_factory=list)

    def topology(self) -> Topology:
        """The same as the judge sees it."""
        effects: list[Effect] = []
        effects += [(cells.LOCAL, cidr, True) for cidr, _ in INSIDE.values()]
        for (group, side), rules in self.rules.items():
            effects.append((cells.rules(group, side), None, None))
            effects += [(cells.rules(group, side), RuleKey(*clause_of(clause), peer), True) for clause, peer in rules]
        for (acl, side), lines in self.acls.items():
            effects.append((cells.entries(acl, side), None, None))
            for line in lines:
                entry = AclEntry("allow" if line.allow else "deny", *clause_of(line.clause), line.cidr)
                effects.append((cells.entries(acl, side), line.number, entry))
        effects += [(cells.ACL_OF, subnet, acl) for subnet, acl in self.acl_of.items()]
        effects += [(cells.TABLE_OF, subnet, table) for subnet, table in self.table_of.items()]
        for table, routes in self.made.items():
            effects.append((cells.routes(table), None, None))
            effects += [(cells.routes(table), to, via) for to, via in routes]
        for table, routes in self.by_aws.items():
            effects += [(cells.routes_by_aws(table), to, via) for to, via in routes]
        effects.append((cells.USABLE, ATTACHED, True))
        effects += [(cells.UNREADABLE, Address(at), True) for at in self.unreadable]
        endpoints = tuple(end for end in self.ends if isinstance(end, Endpoint))
        return Topology(Network(effects), endpoints, {NAT: SUBNETS[1]}, self.relays)


def clause_of(clause: Clause) -> tuple[str, int, int]:
    return (clause.protocol, clause.first, 0) if clause.protocol == "icmp" and clause.first != -1 else clause


def random_world(random: Random) -> World:
    """A world in which much passes, and much does not; a quarter are open but for what else is drawn."""
    world = World(relays=("nlb",) if random.random() < 0.1 else ())
    is_open = random.random() < 0.25
    for group in GROUPS:
        for side in ("ingress", "egress"):
            if random.random() < 0.98:
                world.rules[group, side] = _rules(random, is_open)
    acls = [Address(f"network_acl/a{number}") for number in range(2)]
    for acl in acls:
        for side in ("ingress", "egress"):
            if random.random() < 0.98:
                world.acls[acl, side] = _lines(random)[-3 if is_open else 0 :]
    for subnet in SUBNETS:
        if random.random() < 0.98:
            world.acl_of[subnet] = random.choice(acls)
        table = Address(f"route_table/t{subnet[-1]}")
        if random.random() < 0.98:
            world.table_of[subnet] = table
        world.made[table], world.by_aws[table] = _routes(random)
    if random.random() < 0.1:
        world.unreadable.append(random.choice((GROUPS[0], acls[0], "network_acl/*", "route_table/t0", ATTACHED)))
    world.ends = [*_machines(random), *_outside(random)]
    return world


def _rules(random: Random, is_open: bool) -> list[tuple[Clause, str]]:
    rules = [(_clause(random), _peer(random)) for _ in range(random.choice((0, 1, 2, 3)))]
    if random.random() < 0.4:
        rules += [(_clause(random), "0.0.0.0/0"), (_clause(random), "::/0")]
    if is_open and random.random() < 0.8:
        rules += [(Clause("all"), "0.0.0.0/0"), (Clause("all"), "::/0")]
    return rules


def _routes(random: Random) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The routes that people make, and those that AWS makes."""
    made = [_route(random) for _ in range(random.choice((0, 1, 2, 3)))]
    if random.random() < 0.5:
        always = random.choice((ATTACHED, ATTACHED, NAT, EGRESS_ONLY))
        made = [("0.0.0.0/0", always), ("::/0", always), *made]
    by_aws = []
    if random.random() < 0.4:
        by_aws = [(_network(random, random.random() < 0.4), PROPAGATED) for _ in range(random.choice((1, 2)))]
    if random.random() < 0.1:
        by_aws.append((OF_AWS, ENDPOINT))
    return list(dict(made).items()), list(dict(by_aws).items())


def _clause(random: Random) -> Clause:
    protocol = random.choice(("all", "all", "tcp", "tcp", "tcp", "udp", "icmp", "107"))
    if protocol == "tcp":
        first, last = random.choice([(a, b) for a in FIRSTS for b in LASTS if a <= b])
        return Clause(protocol, first, last)
    if protocol == "udp":
        return Clause(protocol, *random.choice(((0, 65535), (1024, 65535), (0, 1023))))
    return Clause(protocol, random.choice((-1, 8, 0))) if protocol == "icmp" else Clause(protocol)


def _network(random: Random, inside: bool) -> str:
    """A CIDR; half of them hold one or two addresses."""
    ipv6 = random.random() < 0.35
    if inside:
        cidr, subnets = INSIDE[ipv6]
        if random.random() < 0.5:
            return random.choice([cidr, *subnets])
        low, length = ip_network(cidr)[random.randrange(8)], random.choice((31, 32))
        return str(ip_network(f"{low}/{length + 96 * ipv6}", strict=False))
    if random.random() < 0.4:
        return "::/0" if ipv6 else "0.0.0.0/0"
    cidr = random.choice((PUBLIC[ipv6], FAR[ipv6]))
    return random.choice((cidr, *(f"{address}/{128 if ipv6 else 32}" for address in ip_network(cidr))))


def _peer(random: Random) -> str:
    if random.random() < 0.35:
        return random.choice((*GROUPS, *GROUPS, PREFIX_LIST, PREFIX_LIST, ELSEWHERE, f"999999999999/{ELSEWHERE}"))
    return _network(random, random.random() < 0.5)


def _lines(random: Random) -> list[Line]:
    lines = [
        Line(number, random.random() < 0.6, _clause(random), _network(random, random.random() < 0.5))
        for number in random.sample(range(1, 60), random.choice((0, 1, 2, 3, 4)))
    ]
    if random.random() < 0.7:
        lines += [Line(100, True, Clause("all"), "0.0.0.0/0"), Line(101, True, Clause("all"), "::/0")]
    return lines


def _route(random: Random) -> tuple[str, str]:
    if random.random() < 0.05:
        return PREFIX_LIST, random.choice((PEERING, APPLIANCE, ATTACHED, NAT, "blackhole"))
    inside = random.random() < 0.2
    if inside:
        return _network(random, inside), random.choice((APPLIANCE, APPLIANCE, "blackhole", "local"))
    usual = (ATTACHED, ATTACHED, DETACHED, UNSURE, NAT, NAT, LOST_NAT, PEERING, PEERING, EGRESS_ONLY, "blackhole")
    return _network(random, inside), random.choice(usual)


def _machines(random: Random) -> Iterator[Endpoint]:
    for number in range(4):
        at = number if number < 3 else random.randrange(3)
        some = [INSIDE[ipv6][1][at] for ipv6 in (False, True)][: random.choice((1, 2, 2))]
        if random.random() < 0.3:
            some = [str(ip_network(cidr)[0]) + ("/128" if ":" in cidr else "/32") for cidr in some]
        groups = frozenset(random.sample(GROUPS, random.choice((1, 1, 2))))
        ports = random.choice(((1024, 65535), (1024, 65535), (32768, 65535), (1024, 32767)))
        known = None if random.random() < 0.04 else groups
        yield Endpoint(
            f"m{number}",
            SUBNETS[at],
            known,
            Ranges.of(*some),
            random.choice((True, True, True, False, False, None)),
            "",
            ports,
        )


def _outside(random: Random) -> Iterator[External]:
    yield External("internet", Ranges.of(PUBLIC[False], PUBLIC[True]), internet=True)
    yield External("everything", Ranges.of(PUBLIC[False], PUBLIC[True], FAR[False], FAR[True]))
    cidrs = *PUBLIC.values(), *FAR.values()
    yield External("some", Ranges.of(random.choice([*cidrs, "198.51.100.1/32", "192.168.0.0/32", "fd00::/128"])))


def addresses(end: End, ipv6: bool) -> list[str]:
    cuts = end.addresses.ipv6 if ipv6 else end.addresses.ipv4
    kind = ip_address("::" if ipv6 else "0.0.0.0").__class__
    return [str(kind(one)) for low, high in zip(cuts[::2], cuts[1::2], strict=True) for one in range(low, high)]


@cache
def within(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr)


@dataclass
class Walker:
    """Walks packets through a world. `hopeful` is what everything that is not known does."""

    world: World
    hopeful: bool
    _known: dict[object, bool] = field(default_factory=dict)
    _targets: dict[tuple[Address, str], list[str]] = field(default_factory=dict)

    # the filters

    def groups(self, end: Endpoint, side: str, peer: End, address: str, place: tuple[str, int]) -> bool:
        key = "groups", id(end), side, id(peer), address, place
        if key not in self._known:
            self._known[key] = self._groups(end, side, peer, address, place)
        return self._known[key]

    def _groups(self, end: Endpoint, side: str, peer: End, address: str, place: tuple[str, int]) -> bool:
        if end.groups is None:
            return self.hopeful
        for group in end.groups:
            if (group, side) not in self.world.rules or group in self.world.unreadable:
                if self.hopeful:
                    return True
                continue
            for clause, named in self.world.rules[group, side]:
                if clause.matches(place) and self._is_peer(named, peer, address):
                    return True
        return False

    def _is_peer(self, named: str, peer: End, address: str) -> bool:
        if named.startswith("pl-"):
            return self.hopeful
        if named in GROUPS:
            if isinstance(peer, External):
                return False
            return self.hopeful if peer.groups is None else named in peer.groups
        if named.endswith(ELSEWHERE):
            if isinstance(peer, External):
                return self.hopeful and not peer.internet
            return self.hopeful and peer.groups is None
        return within(address, named)

    def acl(self, subnet: Address, side: str, address: str, place: tuple[str, int]) -> bool:
        key = "acl", subnet, side, address, place
        if key not in self._known:
            self._known[key] = self._acl(subnet, side, address, place)
        return self._known[key]

    def _acl(self, subnet: Address, side: str, address: str, place: tuple[str, int]) -> bool:
        acl = self.world.acl_of.get(subnet)
        if acl is None or (acl, side) not in self.world.acls:
            return self.hopeful
        if acl in self.world.unreadable or "network_acl/*" in self.world.unreadable:
            return self.hopeful
        for line in sorted(self.world.acls[acl, side]):
            if line.clause.matches(place) and within(address, line.cidr):
                return line.allow
        return False

    # the routes

    def targets(self, subnet: Address, address: str) -> list[str]:
        """What the subnet's table may do with the address: what one target does, or any of several."""
        key = subnet, address
        if key not in self._targets:
            self._targets[key] = self._chosen(subnet, address)
        return self._targets[key]

    def _chosen(self, subnet: Address, address: str) -> list[str]:
        table = self.world.table_of.get(subnet)
        if table is None or table in self.world.unreadable:
            return ["?"]
        best, length, rank = "", -1, -1
        local = any(within(address, INSIDE[ipv6][0]) for ipv6 in (False, True))
        of_vpc = [(cidr, "local") for cidr, _ in INSIDE.values()]
        for order, routes in enumerate((self.world.by_aws.get(table, []), of_vpc, self.world.made[table])):
            for to, via in routes:
                if to.startswith("pl-") or not within(address, to) or (order == 0 and local):
                    continue
                prefix = ip_network(to).prefixlen
                if (prefix, order) > (length, rank):
                    best, length, rank = via, prefix, order
        others = [via for to, via in self.world.made[table] if to.startswith("pl-")]
        return [best, *(via for via in others if not local or via not in (PEERING, ATTACHED, DETACHED))]

    def any_of(self, answers: list[bool]) -> bool:
        """One of several things happens, and nobody knows which."""
        return any(answers) if self.hopeful else all(answers)

    def to_inside(self, subnet: Address, address: str, place: tuple[str, int]) -> bool:
        key = "inside", subnet, address
        if key not in self._known:
            found = [
                True if via == "local" else via not in ("", "blackhole") and self.hopeful
                for via in self.targets(subnet, address)
            ]
            others = self.targets(subnet, address)[1:]
            if any(via in (APPLIANCE, NAT, "blackhole") for via in others):
                found = [self.hopeful]
            self._known[key] = self.any_of(found)
        return self._known[key]

    def gateway(self, end: Endpoint, via: str, ipv6: bool) -> bool:
        """The internet gateway between the internet and a machine."""
        if end.public is False and not ipv6:
            return False
        if via == DETACHED:
            return via in self.world.unreadable and self.hopeful
        certain = via == ATTACHED and via not in self.world.unreadable and (ipv6 or end.public is True)
        return certain or self.hopeful

    # whole ways

    def request(self, source: End, target: End, a: str, b: str, place: tuple[str, int]) -> bool:
        """Whether a request from the address `a` to `b` arrives."""
        return self.conversation(source, target, a, b, place, None, None)

    def conversation(
        self,
        source: End,
        target: End,
        a: str,
        b: str,
        place: tuple[str, int],
        reply: tuple[str, int] | None,
        nat_reply: tuple[str, int] | None,
    ) -> bool:
        """Whether the request arrives and, unless it is None, the reply; behind a NAT gateway `nat_reply` to that."""
        if isinstance(source, Endpoint) and isinstance(target, Endpoint):
            return self._within_vpc(source, target, a, b, place, reply)
        if isinstance(source, Endpoint) and isinstance(target, External):
            return self._outwards(source, target, a, b, place, reply, nat_reply)
        if isinstance(source, External) and isinstance(target, Endpoint):
            return self._inwards(source, target, a, b, place, reply)
        return False

    def _within_vpc(
        self, source: Endpoint, target: Endpoint, a: str, b: str, place: tuple[str, int], reply: tuple[str, int] | None
    ) -> bool:
        one, other = source.subnet, target.subnet
        if not self.groups(source, "egress", target, b, place) or not self.groups(target, "ingress", source, a, place):
            return False
        if not self.to_inside(one, b, place):
            return False
        if one != other and not (self.acl(one, "egress", b, place) and self.acl(other, "ingress", a, place)):
            return False
        if reply is None:
            return True
        if not self.to_inside(other, a, reply):
            return False
        return one == other or (self.acl(other, "egress", a, reply) and self.acl(one, "ingress", b, reply))

    def _outwards(
        self,
        source: Endpoint,
        target: External,
        a: str,
        b: str,
        place: tuple[str, int],
        reply: tuple[str, int] | None,
        nat_reply: tuple[str, int] | None,
    ) -> bool:
        if not self.groups(source, "egress", target, b, place):
            return False
        if not self.acl(source.subnet, "egress", b, place):
            return False
        ways = [self._out_by(via, source, a, b, place, reply, nat_reply) for via in self.targets(source.subnet, b)]
        if self.hopeful and self._has_endpoint(source.subnet):
            back = reply is None or self.acl(source.subnet, "ingress", b, reply)
            ways.append(back)
        return self.any_of(ways)

    def _has_endpoint(self, subnet: Address) -> bool:
        table = self.world.table_of.get(subnet)
        return (
            table is not None
            and table not in self.world.unreadable
            and any(via == ENDPOINT for _, via in self.world.by_aws.get(table, []))
        )

    def _out_by(
        self,
        via: str,
        source: Endpoint,
        a: str,
        b: str,
        place: tuple[str, int],
        reply: tuple[str, int] | None,
        nat_reply: tuple[str, int] | None,
    ) -> bool:
        ipv6 = ":" in b
        back = reply is None or self.acl(source.subnet, "ingress", b, reply)
        if via == "?":
            return self.hopeful and back
        if via in ("", "blackhole", "local"):
            return False
        if via in (ATTACHED, DETACHED, UNSURE):
            return within(b, PUBLIC[ipv6]) and self.gateway(source, via, ipv6) and back
        if via == EGRESS_ONLY:
            return ipv6 and within(b, PUBLIC[ipv6]) and back
        if via in (NAT, LOST_NAT):
            if ipv6 or place[0] not in ("tcp", "udp", "icmp"):
                return False
            if via == LOST_NAT:
                return self.hopeful and back
            return self._by_nat(source, a, b, place, reply, nat_reply)
        return back

    def _by_nat(
        self,
        source: Endpoint,
        a: str,
        b: str,
        place: tuple[str, int],
        reply: tuple[str, int] | None,
        nat_reply: tuple[str, int] | None,
    ) -> bool:
        mine, its = source.subnet, SUBNETS[1]
        gateway = source._replace(subnet=its, public=True)
        onwards = [via not in (NAT, LOST_NAT) and self._onwards(via, gateway, b) for via in self.targets(its, b)]
        if not self.any_of(onwards) and not (self.hopeful and self._has_endpoint(its)):
            return False
        if mine != its and not self.acl(its, "ingress", a, place):
            return False
        if not self.acl(its, "egress", b, place):
            return False
        if reply is None or nat_reply is None:
            return True
        if not self.acl(its, "ingress", b, nat_reply):
            return False
        return mine == its or (self.acl(its, "egress", a, reply) and self.acl(mine, "ingress", b, reply))

    def _onwards(self, via: str, gateway: Endpoint, b: str) -> bool:
        if via == "?":
            return self.hopeful
        if via in ("", "blackhole", "local", EGRESS_ONLY):
            return False
        if via in (ATTACHED, DETACHED, UNSURE):
            return within(b, PUBLIC[False]) and self.gateway(gateway, via, ipv6=False)
        return True

    def _inwards(
        self, source: External, target: Endpoint, a: str, b: str, place: tuple[str, int], reply: tuple[str, int] | None
    ) -> bool:
        if not self.acl(target.subnet, "ingress", a, place) or not self.groups(target, "ingress", source, a, place):
            return False
        if reply is not None and not self.acl(target.subnet, "egress", a, reply):
            return False
        ways = [self._in_by(via, source, target, a, reply is not None) for via in self.targets(target.subnet, a)]
        return self.any_of(ways)

    def _in_by(self, via: str, source: External, target: Endpoint, a: str, replied: bool) -> bool:
        ipv6 = ":" in a
        public = within(a, PUBLIC[ipv6])
        relayed = self.hopeful and bool(self.world.relays) and public
        if via == "?":
            return self.hopeful
        routed = via not in ("", "blackhole", "local")
        for_internet = via in (ATTACHED, DETACHED, UNSURE, NAT, LOST_NAT, EGRESS_ONLY)
        if not routed or (for_internet and not public):
            own = self.hopeful and not source.internet
            return relayed or (own and not replied)
        if via in (ATTACHED, DETACHED, UNSURE):
            return self.gateway(target, via, ipv6) or relayed
        if for_internet:
            return relayed
        return self.hopeful if source.internet else True


# the comparison


def disagreements(world: World, judge: Judge, random: Random, pairs: int | None = None) -> Iterator[str]:
    """What the judge says of the pairs of ends, all or as many, that is not what the walk of every packet says."""
    topology = world.topology()
    walkers = Walker(world, hopeful=False), Walker(world, hopeful=True)
    known = list(product(world.ends, world.ends))
    for source, target in known if pairs is None else random.sample(known, pairs):
        compared = Compared(world, topology, walkers, judge, source, target)
        conversations = (compared.conversation(random) for _ in range(3))
        for found in (compared.requests(), *conversations, compared.packets(random)):
            if found:
                yield f"{source} -> {target}: {found}"


class Compared(NamedTuple):
    """One pair of ends, as the judge and the walkers see it; each method says what differs, "" if nothing does."""

    world: World
    topology: Topology
    walkers: tuple[Walker, Walker]
    judge: Judge
    source: End
    target: End

    def requests(self) -> str:
        """The traffic that passes, certainly or perhaps."""
        found = self.judge.passing(self.topology, self.source, self.target, LINE)
        for name, walker, cuts in zip(("certain", "possible"), self.walkers, found, strict=True):
            for place in PLACES:
                said, walked = (
                    holds(cuts, place),
                    any(
                        walker.request(self.source, self.target, a, b, place)
                        for ipv6 in (False, True)
                        for a in addresses(self.source, ipv6)
                        for b in addresses(self.target, ipv6)
                    ),
                )
                if said != walked:
                    return f"{name} {place}: said {said}, walked {walked}"
        return ""

    def conversation(self, random: Random) -> str:
        """Whether a whole conversation surely works, surely does not, or neither."""
        source, target = self.source, self.target
        ipv6 = not (source.addresses.ipv4 and target.addresses.ipv4)
        if isinstance(source, External) and isinstance(target, External):
            return ""
        if ipv6 and not (source.addresses.ipv6 and target.addresses.ipv6):
            return ""
        protocol = random.choice(("tcp", "tcp", "udp", "icmp", "107"))
        first, last = random.choice([(a, b) for a in FIRSTS for b in LASTS if a <= b])
        asked = [("tcp", port) for port in FIRSTS if first <= port <= last]
        flow = self.judge.flow("tcp", (first, last))
        if protocol != "tcp":
            asked = {"udp": [("udp", 2), ("udp", 1024)], "icmp": [("icmp", 2048)], "107": [("107", 0)]}[protocol]
            flow = self.judge.flow(protocol, (2, 2000)) if protocol == "udp" else self.judge.flow(protocol)
        blockers = self.judge.blockers(self.topology, source, target, flow)
        said = "broken" if any(blocker.certain for blocker in blockers) else "unknown" if blockers else "kept"
        mine = _answers(protocol, source.client_ports if isinstance(source, Endpoint) else (1024, 65535))
        kept, possible = (
            all(
                walker.conversation(source, target, a, b, place, reply, nat_reply)
                for a in addresses(source, ipv6)
                for b in addresses(target, ipv6)
                for place in asked
                for reply in mine
                for nat_reply in _answers(protocol, (1024, 65535))
            )
            for walker in self.walkers
        )
        walked = "kept" if kept else "unknown" if possible else "broken"
        if said == walked or self._may_differ(said, walked):
            return ""
        return f"{flow.name}: said {said}, walked {walked}: {blockers}"

    def _may_differ(self, said: str, walked: str) -> bool:
        """The two known differences: several ways at once are not combined, and AWS's services are not the internet."""
        if (said, walked) == ("unknown", "broken"):
            return self._routes(self.world.made, PREFIX_LIST)
        everywhere = isinstance(self.target, External) and self.target.internet
        return (said, walked) == ("broken", "unknown") and everywhere and self._routes(self.world.by_aws, OF_AWS)

    def _routes(self, tables: dict[Address, list[tuple[str, str]]], destination: str) -> bool:
        return any(to == destination for routes in tables.values() for to, _ in routes)

    def packets(self, random: Random) -> str:
        """Single packets: the witness of what passes, and some that the judge walks itself."""
        path = self.judge.witness(self.topology, self.source, self.target, LINE)
        if path:
            packet = path.packet
            place = next((place for place in PLACES if on_line(place) == packet.place), None)
            ends = self.source, self.target, packet.source_address, packet.target_address
            if place and not self.walkers[not path.certain].request(*ends, place):
                return f"the witness {packet} does not arrive: {path}"
            if any(hop.passes is False or (path.certain and hop.passes is None) for hop in path.hops):
                return f"the witness {packet} does not pass its own way: {path}"
        for ipv6 in (False, True):
            sources, targets = addresses(self.source, ipv6), addresses(self.target, ipv6)
            if sources and targets and not (isinstance(self.source, External) and isinstance(self.target, External)):
                a, b, place = random.choice(sources), random.choice(targets), random.choice(PLACES)
                packet = Packet(on_line(place), int(ip_address(a)), int(ip_address(b)), ipv6)
                hops = self.judge.walk(self.topology, self.source, self.target, packet)
                said = [all(hop.passes is True for hop in hops), all(hop.passes is not False for hop in hops)]
                walked = [walker.request(self.source, self.target, a, b, place) for walker in self.walkers]
                several = said == [False, True] and self._routes(self.world.made, PREFIX_LIST)
                if said != walked and not several:
                    return f"{packet}: said {said}, walked {walked}: {hops}"
        return ""


def _answers(protocol: str, ports: tuple[int, int]) -> list[tuple[str, int]]:
    """The replies to all ports of a client."""
    if protocol in ("tcp", "udp"):
        return [(protocol, port) for port in FIRSTS if ports[0] <= port <= ports[1]]
    return [(protocol, 0)]


def holds(cuts: tuple[int, ...], place: tuple[str, int]) -> bool:
    """Whether a set of places on the traffic line has this one."""
    return any(low <= on_line(place) < high for low, high in zip(cuts[::2], cuts[1::2], strict=True))
