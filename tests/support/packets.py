"""The packet oracle: who reaches whom in a live network, worked out in the plainest way, to hold corrections to their
rule.

Written apart from the product on purpose: none of its algebra and none of its classes, only AWS's answers and the
packets of a finite world. The world has one address, port and type in every cell that the edges of all rules, entries
and routes seen in the run cut out, so that two packets in the same cell are treated alike by all of them.

The rule is about two ends, in every state after a write:

- exposed: no request arrives that arrives in none of the states known to be right (before the run, and as the document
  wants it).
- cut: no conversation fails, request and reply, that works in all of them.

An end is a machine that may stand in a subnet, with one group or with two, a DB instance where it stands, or the
internet. Every ordered pair of them is asked. A single layer, or one end alone, may let through more than either known
state does, as long as nothing arrives: what is judged is only the whole way. `layers` and `places` show the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import chain, combinations, product
from typing import Any, NamedTuple

INTERNET = "203.0.113.9"
LOCAL = "local"
BLACKHOLE = "blackhole"


class Rule(NamedTuple):
    protocol: str
    first: int
    last: int
    peer: str


class Entry(NamedTuple):
    number: int
    action: str
    protocol: str
    first: int
    last: int
    peer: str


type Sides[Part] = tuple[Part, Part]
"""Something of the way in, and of the way out."""
type Listed[Part] = tuple[tuple[str, Part], ...]
"""Something by id, sorted."""


class Database(NamedTuple):
    groups: frozenset[str]
    public: bool
    subnets: frozenset[str]


@dataclass(frozen=True)
class State:
    """A network at one moment, ids kept as they are. Every part is hashable: its packets are worked out once.

    `acl_of` has every subnet, `table_of` those with an association of their own. `attached` are the internet gateways
    of the VPC; a route through any other one leads nowhere.
    """

    networks: tuple[str, ...]
    subnets: Listed[str]
    groups: Listed[Sides[frozenset[Rule]]]
    acls: Listed[Sides[tuple[Entry, ...]]]
    acl_of: Listed[str]
    tables: Listed[frozenset[tuple[str, str]]]
    table_of: Listed[str]
    main: str
    attached: frozenset[str]
    databases: Listed[Database]

    def in_use(self) -> State:
        """Without the tables and ACLs that no subnet uses: packets do not meet them."""
        tables, acls = {self.main, *(table for _, table in self.table_of)}, {acl for _, acl in self.acl_of}
        return replace(
            self,
            tables=tuple(one for one in self.tables if one[0] in tables),
            acls=tuple(one for one in self.acls if one[0] in acls),
        )


def look(ec2: Any, rds: Any, vpc_id: str) -> State:
    """The state of a VPC, by plain describes of two boto3 clients."""
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    vpc = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    more = [one["CidrBlock"] for one in vpc.get("CidrBlockAssociationSet", ())]
    subnets = {one["SubnetId"]: one["CidrBlock"] for one in ec2.describe_subnets(Filters=here)["Subnets"]}
    gateways = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc_id]}])
    return State(
        networks=tuple(sorted({vpc["CidrBlock"], *more})),
        subnets=tuple(sorted(subnets.items())),
        groups=_groups(ec2, here),
        attached=frozenset(one["InternetGatewayId"] for one in gateways["InternetGateways"]),
        databases=_databases(rds, vpc_id),
        **_acls(ec2, here),
        **_tables(ec2, here),
    )


def _groups(ec2: Any, here: Any) -> Listed[Sides[frozenset[Rule]]]:
    found = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    sides = {one["GroupId"]: (_rules(one["IpPermissions"]), _rules(one["IpPermissionsEgress"])) for one in found}
    return tuple(sorted(sides.items()))


def _acls(ec2: Any, here: Any) -> dict[str, Any]:
    found = ec2.describe_network_acls(Filters=here)["NetworkAcls"]
    acls = {
        one["NetworkAclId"]: tuple(
            tuple(sorted(_entry(entry) for entry in one["Entries"] if entry["Egress"] is egress))
            for egress in (False, True)
        )
        for one in found
    }
    used = {seat["SubnetId"]: one["NetworkAclId"] for one in found for seat in one["Associations"]}
    return {"acls": tuple(sorted(acls.items())), "acl_of": tuple(sorted(used.items()))}


def _tables(ec2: Any, here: Any) -> dict[str, Any]:
    found = ec2.describe_route_tables(Filters=here)["RouteTables"]
    seats = [(one["RouteTableId"], seat) for one in found for seat in one["Associations"]]
    return {
        "tables": tuple(sorted((one["RouteTableId"], _routes(one)) for one in found)),
        "table_of": tuple(sorted((seat["SubnetId"], table) for table, seat in seats if seat.get("SubnetId"))),
        "main": next(table for table, seat in seats if seat["Main"]),
    }


def _databases(rds: Any, vpc_id: str) -> Listed[Database]:
    return tuple(
        sorted(
            (
                one["DBInstanceIdentifier"],
                Database(
                    frozenset(
                        group["VpcSecurityGroupId"] for group in one["VpcSecurityGroups"] if group["Status"] != "adding"
                    ),
                    one["PubliclyAccessible"],
                    frozenset(subnet["SubnetIdentifier"] for subnet in one["DBSubnetGroup"]["Subnets"]),
                ),
            )
            for one in rds.describe_db_instances()["DBInstances"]
            if one["DBSubnetGroup"]["VpcId"] == vpc_id
        )
    )


_CHANGES = {"SecurityGroup": "groups", "NetworkAcl": "acls", "Route": "routes", "Tags": ""}
"""What part of a state a write with that word in its name can change; any other may change all of it."""


def look_again(last: State, operation: str, ec2: Any, rds: Any, vpc_id: str) -> State:
    """The state after one more write: as `look` sees it, asked for as little as that write can have changed."""
    part = next((part for word, part in _CHANGES.items() if word in operation), None)
    if part is None:
        return look(ec2, rds, vpc_id)
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    changed: dict[str, Any] = {"databases": _databases(rds, vpc_id)}
    if part == "groups":
        changed["groups"] = _groups(ec2, here)
    elif part == "acls":
        changed |= _acls(ec2, here)
    elif part == "routes":
        changed |= _tables(ec2, here)
    return replace(last, **changed)


def _rules(permissions: list[dict[str, Any]]) -> frozenset[Rule]:
    rules = set()
    for one in permissions:
        what = (one["IpProtocol"], one.get("FromPort", -1), one.get("ToPort", -1))
        rules |= {Rule(*what, peer["CidrIp"]) for peer in one.get("IpRanges", ())}
        rules |= {Rule(*what, peer["CidrIpv6"]) for peer in one.get("Ipv6Ranges", ())}
        rules |= {Rule(*what, peer["GroupId"]) for peer in one.get("UserIdGroupPairs", ())}
    return frozenset(rules)


def _entry(one: dict[str, Any]) -> Entry:
    span = one.get("PortRange", {})
    kind = one.get("IcmpTypeCode", {})
    first = span.get("From", kind.get("Type", -1))
    last = span.get("To", kind.get("Type", -1))
    name = {"6": "tcp", "17": "udp", "1": "icmp"}.get(one["Protocol"], one["Protocol"])
    return Entry(one["RuleNumber"], one["RuleAction"], name, first, last, one.get("CidrBlock") or one["Ipv6CidrBlock"])


def _routes(table: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """Destination and target; whether a route through an internet gateway leads anywhere is seen from the gateway."""
    found = set()
    for route in table["Routes"]:
        to = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
        via = route.get("GatewayId") or route.get("NatGatewayId") or "other"
        active = route.get("State", "active") == "active" or via.startswith("igw-")
        found.add((to, via if active else BLACKHOLE))
    return frozenset(found)


class Universe(NamedTuple):
    """The finite world of packets that tells the given states apart.

    A set of packets is a number. The bit of a packet is that of its peer times the number of traffics, plus its
    traffic; a peer is an address and what its machine carries: no group that is named here (the first), or one.
    """

    addresses: tuple[str, ...]
    carried: tuple[str, ...]
    traffics: tuple[tuple[str, int], ...]

    def packet(self, bit: int) -> str:
        peer, traffic = divmod(bit, len(self.traffics))
        group, address = divmod(peer, len(self.addresses))
        return f"{self.traffics[traffic]} of {(self.addresses[address], self.carried[group])}"

    @property
    def everything(self) -> int:
        return (1 << len(self.carried) * len(self.addresses) * len(self.traffics)) - 1

    @property
    def of_one(self) -> int:
        """All packets of peers that carry no group."""
        return (1 << len(self.addresses) * len(self.traffics)) - 1


def universe_of(states: Sequence[State]) -> Universe:
    """One packet for every cell that the edges of all rules, entries and routes in `states` cut out."""
    edges: set[str] = {f"{INTERNET}/32"}
    groups: set[str] = set()
    spans: set[tuple[int, int]] = set()
    for state in states:
        edges |= {cidr for _, cidr in state.subnets} | {*state.networks}
        groups |= {group for group, _ in state.groups}
        clauses: list[Rule | Entry] = [rule for _, sides in state.groups for side in sides for rule in side]
        clauses += [entry for _, sides in state.acls for side in sides for entry in side]
        edges |= {one.peer for one in clauses if "/" in one.peer}
        spans |= {(one.first, one.last) for one in clauses if one.protocol in {"tcp", "udp"}}
        edges |= {to for _, routes in state.tables for to, _ in routes if to and "/" in to}
    blocks = [ip_network(cidr) for cidr in edges if ":" not in cidr]
    firsts = {int(block[0]) for block in blocks} | {int(block[-1]) + 1 for block in blocks} | {1}
    addresses = tuple(str(ip_address(first)) for first in sorted(firsts) if 0 < first < 2**32)
    ports = {0} | {edge for first, last in spans for edge in (first, last + 1)}
    known = sorted(port for port in ports if 0 <= port <= 65535)
    traffics = (*product(["tcp", "udp"], known), *_ECHO, ("47", -1))
    return Universe(addresses, ("", *sorted(groups)), traffics)


_ECHO = (("icmp", 8), ("icmp", 0))
"""A ping, and its reply."""


@cache
def _in_network(peer: str, cidr: str) -> bool:
    return ip_address(peer) in ip_network(cidr)


def _carries(traffic: tuple[str, int], rule: str, first: int, last: int) -> bool:
    protocol, port = traffic
    if rule == "-1":
        return True
    if rule != protocol:
        return False
    return protocol not in {"tcp", "udp", "icmp"} or first == -1 or first <= port <= last


@cache
def _spread(universe: Universe, traffics: int, cidr: str) -> int:
    """These traffics of all peers in a network, whatever they carry."""
    width, many = len(universe.traffics), len(universe.addresses)
    ones = sum(
        1 << (group * many + place) * width
        for place, address in enumerate(universe.addresses)
        if _in_network(address, cidr)
        for group in range(len(universe.carried))
    )
    return ones * traffics


@cache
def _matched(universe: Universe, protocol: str, first: int, last: int, peer: str) -> int:
    """The packets that one rule or entry is about."""
    traffics = sum(1 << bit for bit, one in enumerate(universe.traffics) if _carries(one, protocol, first, last))
    if "/" in peer:
        return _spread(universe, traffics, peer)
    if peer not in universe.carried:
        return 0
    width, many = len(universe.traffics), len(universe.addresses)
    ones = sum(1 << place * width for place in range(many))
    return ones * traffics << universe.carried.index(peer) * many * width


@cache
def through_group(rules: frozenset[Rule], universe: Universe) -> int:
    passed = 0
    for rule in rules:
        passed |= _matched(universe, rule.protocol, rule.first, rule.last, rule.peer)
    return passed


@cache
def through_acl(entries: tuple[Entry, ...], universe: Universe) -> int:
    passed = met = 0
    for entry in entries:
        hit = _matched(universe, entry.protocol, entry.first, entry.last, entry.peer) & ~met
        met |= hit
        passed |= hit if entry.action == "allow" else 0
    return passed


class Ways(NamedTuple):
    """The packets to and from whose peer there is a way from a subnet, by what the routes lead through: the VPC itself
    or anything that hands on both ways; an internet gateway; a NAT gateway, which nobody outside can open a connection
    through.
    """

    any: int
    gateway: int
    nat: int


@cache
def through_routes(routes: frozenset[tuple[str, str]], attached: frozenset[str], universe: Universe) -> Ways:
    """The longest prefix decides, and a black hole is no way."""
    any_ = gateway = nat = 0
    everything = (1 << len(universe.traffics)) - 1
    for address in universe.addresses:
        fitting = [
            (ip_network(to).prefixlen, via) for to, via in routes if to and "/" in to and _in_network(address, to)
        ]
        via = max(fitting)[1] if fitting else BLACKHOLE
        packets = _spread(universe, everything, f"{address}/32")
        if via.startswith("igw-"):
            gateway |= packets if via in attached else 0
        elif via.startswith("nat-"):
            nat |= packets
        elif via != BLACKHOLE:
            any_ |= packets
    return Ways(any_, gateway, nat)


class _Parts:
    """What every layer of a state lets through."""

    def __init__(self, state: State, universe: Universe) -> None:
        self.universe = universe
        self.groups = {group: tuple(through_group(rules, universe) for rules in sides) for group, sides in state.groups}
        acls = {acl: tuple(through_acl(entries, universe) for entries in sides) for acl, sides in state.acls}
        self.acl = {subnet: acls[acl] for subnet, acl in state.acl_of}
        tables = {table: through_routes(routes, state.attached, universe) for table, routes in state.tables}
        of = dict(state.table_of)
        self.ways = {subnet: tables[of.get(subnet, state.main)] for subnet, _ in state.subnets}
        self.databases = dict(state.databases)
        self._seen: dict[Any, int] = {}

    def by_groups(self, groups: Iterable[str], side: int, carried: Iterable[str]) -> int:
        """What a machine with these groups lets through of a peer that carries others, of all addresses."""
        key = (groups, side, carried)
        if key not in self._seen:
            passed = found = 0
            for group in groups:
                passed |= self.groups.get(group, (0, 0))[side]
            size = len(self.universe.addresses) * len(self.universe.traffics)
            for group in ("", *carried):
                found |= passed >> self.universe.carried.index(group) * size & self.universe.of_one
            self._seen[key] = found
        return self._seen[key]


def layers(state: State, universe: Universe) -> dict[str, int]:
    """What each layer lets through by itself, by a name of the place."""
    parts = _Parts(state, universe)
    found = {}
    for group, sides in parts.groups.items():
        for side, passed in zip(("in", "out"), sides, strict=True):
            found[f"{group} {side}"] = passed
    for subnet, sides in parts.acl.items():
        for side, passed in zip(("in", "out"), sides, strict=True):
            found[f"acl of {subnet} {side}"] = passed
    for subnet, ways in parts.ways.items():
        found[f"routes of {subnet}"] = ways.any | ways.gateway | ways.nat
    return found


def places(state: State, universe: Universe) -> dict[str, int]:
    """What all layers at one end let through together: of a machine of each group in each subnet, and each database."""
    alone = layers(state, universe)
    found = {}
    for (subnet, _), (group, _), side in product(state.subnets, state.groups, ("in", "out")):
        way = alone[f"acl of {subnet} {side}"] & alone[f"routes of {subnet}"]
        found[f"{group} in {subnet} {side}"] = alone[f"{group} {side}"] & way
    everything = (1 << len(universe.traffics)) - 1
    inside = 0
    for network in state.networks:
        inside |= _spread(universe, everything, network)
    for name, (groups, public, _) in state.databases:
        open_to = 0
        for group in groups:
            open_to |= alone[f"{group} in"]
        for subnet, _ in state.subnets:
            way = alone[f"acl of {subnet} in"] & alone[f"routes of {subnet}"]
            found[f"database {name} in {subnet}"] = open_to & way & (universe.everything if public else inside)
    return found


class End(NamedTuple):
    """A machine that may stand in a subnet (`name`: empty), or a DB instance there. The internet stands nowhere."""

    subnet: str
    groups: tuple[str, ...] = ()
    public: bool = True
    name: str = ""

    def __str__(self) -> str:
        if not self.subnet:
            return "the internet"
        return f"{self.name or '+'.join(self.groups)} in {self.subnet}{'' if self.public else ', private'}"


OUTSIDE = End("")


class Passing(NamedTuple):
    """What passes between two ends: requests at the source, by the target's address, and at the target, by the
    source's; replies likewise. A request or reply arrives if it passes at both.
    """

    leaves: int
    enters: int
    reply_leaves: int
    reply_enters: int


_IN, _OUT = 0, 1
_NOTHING = Passing(0, 0, 0, 0)


class Judge:
    """The ends of a run, and what passes between them in each state."""

    def __init__(self, known: Sequence[State], states: Sequence[State], more: Iterable[End] = ()) -> None:
        """`more` are ends besides those that may stand somewhere."""
        self.universe = universe = universe_of([*known, *states])
        self.width = len(universe.traffics)
        first = known[0]
        groups = [group for group, _ in first.groups]
        sets = [*((group,) for group in groups), *combinations(groups, 2)]
        standing = [End(subnet, some) for (subnet, _), some in product(first.subnets, sets)]
        private = [end._replace(public=False) for end in standing]
        subnets = dict(chain.from_iterable(state.subnets for state in (*known, *states)))
        databases = {
            End(subnet, name=name)
            for state in (*known, *states)
            for name, database in state.databases
            for subnet in database.subnets
            if subnet in subnets
        }
        standing += sorted(databases)
        self.pairs = [
            (one, other) for one, other in product(standing, standing) if not one.name or one.name != other.name
        ]
        self.pairs += [pair for end in (*standing, *private) for pair in ((OUTSIDE, end), (end, OUTSIDE))]
        self.ends = list(dict.fromkeys([*standing, *private, OUTSIDE, *more]))
        every = (1 << self.width) - 1
        size = self.universe.of_one
        self._at = {subnet: _spread(universe, every, cidr) & size for subnet, cidr in subnets.items()}
        inside = 0
        for network in {network for state in (*known, *states) for network in state.networks}:
            inside |= _spread(universe, every, network) & size
        self._at[""] = size & ~inside
        self.places = {
            subnet: [bit for bit in range(len(universe.addresses)) if at >> bit * self.width & 1]
            for subnet, at in self._at.items()
        }
        self.parts: dict[State, _Parts] = {state: _Parts(state, universe) for state in (*known, *states)}

    def filters(self, end: End, state: State) -> Any:
        """All that decides what passes at an end; if it is the same in two states, the same passes."""
        parts = self.parts[state]
        if end == OUTSIDE:
            return ()
        if end.subnet not in parts.ways:
            return None
        groups, public = end.groups, end.public
        if end.name:
            if end.name not in parts.databases or end.subnet not in parts.databases[end.name].subnets:
                return None
            database = parts.databases[end.name]
            groups, public = tuple(sorted(database.groups)), database.public
        return (
            groups,
            public,
            tuple(parts.groups.get(group, (0, 0)) for group in groups),
            parts.acl[end.subnet],
            parts.ways[end.subnet],
        )

    def passing(self, source: End, target: End, state: State, filters: dict[End, Any]) -> Passing:
        mine, theirs = filters[source], filters[target]
        if mine is None or theirs is None:
            return _NOTHING
        parts = self.parts[state]
        here, there = self._at[source.subnet], self._at[target.subnet]
        if target == OUTSIDE:
            groups, public, _, acl, ways = mine
            way = ways.any | ways.nat | (ways.gateway if public else 0)
            return Passing(parts.by_groups(groups, _OUT, ()) & acl[_OUT] & way & there, here, here, acl[_IN] & there)
        if source == OUTSIDE:
            groups, public, _, acl, ways = theirs
            way = ways.any | (ways.gateway if public else 0)
            return Passing(there, parts.by_groups(groups, _IN, ()) & acl[_IN] & way & here, acl[_OUT] & here, there)
        leaves = parts.by_groups(mine[0], _OUT, theirs[0]) & there
        enters = parts.by_groups(theirs[0], _IN, mine[0]) & here
        if source.subnet == target.subnet:
            return Passing(leaves, enters, here, there)
        return Passing(
            leaves & mine[3][_OUT] & mine[4].any,
            enters & theirs[3][_IN] & theirs[4].any,
            theirs[3][_OUT] & theirs[4].any & here,
            mine[3][_IN] & mine[4].any & there,
        )

    def exposed(self, source: End, target: End, now: Passing, known: Sequence[Passing]) -> str:
        """A request that arrives now and in no known state: each of them stops it on its way out or on its way in."""
        if now in known:
            return ""
        for stops in product((True, False), repeat=len(known)):
            leaves, enters = now.leaves, now.enters
            for one, at_source in zip(known, stops, strict=True):
                leaves &= ~one.leaves if at_source else -1
                enters &= -1 if at_source else ~one.enters
            if leaves and enters:
                both = self._traffics(leaves, target) & self._traffics(enters, source)
                if both:
                    bit = both.bit_length() - 1
                    return self._named(bit, self._first(enters, source, bit), self._first(leaves, target, bit))
        return ""

    def cut(self, source: End, target: End, now: Passing, known: Sequence[Passing]) -> str:
        """A conversation that works in all known states and not now."""
        if now in known:
            return ""
        kept = known[0]
        for one in known[1:]:
            kept = Passing(*(mine & theirs for mine, theirs in zip(kept, one, strict=True)))
        if not all(kept) or not any(mine & ~theirs for mine, theirs in zip(kept, now, strict=True)):
            return ""
        for here, there in product(self.places[source.subnet], self.places[target.subnet]):
            asked = self.one(kept.leaves, there) & self.one(kept.enters, here)
            answered = self.one(kept.reply_leaves, here) & self.one(kept.reply_enters, there)
            if not (asked and answered):
                continue
            no_request = asked & ~(self.one(now.leaves, there) & self.one(now.enters, here))
            no_reply = answered & ~(self.one(now.reply_leaves, here) & self.one(now.reply_enters, there))
            for requests, replies in _talk(self.universe):
                if not (asked & requests and answered & replies):
                    continue
                addresses = (self.universe.addresses[here], self.universe.addresses[there])
                if no_request & requests:
                    return self._named((no_request & requests).bit_length() - 1, *addresses)
                if no_reply & replies:
                    return f"the replies {self._named((no_reply & replies).bit_length() - 1, *reversed(addresses))}"
        return ""

    def one(self, packets: int, place: int) -> int:
        return packets >> place * self.width & (1 << self.width) - 1

    def _traffics(self, packets: int, end: End) -> int:
        found = 0
        for place in self.places[end.subnet]:
            found |= self.one(packets, place)
        return found

    def _first(self, packets: int, end: End, traffic: int) -> str:
        places = self.places[end.subnet]
        return next(self.universe.addresses[place] for place in places if self.one(packets, place) >> traffic & 1)

    def _named(self, traffic: int, source: str, target: str) -> str:
        protocol, port = self.universe.traffics[traffic]
        return f"{protocol} {port} {source} -> {target}"


@cache
def _talk(universe: Universe) -> list[tuple[int, int]]:
    """The requests of a protocol, and the traffics that may be their replies: the client's port is any."""

    def all_of(*wanted: tuple[str, int]) -> int:
        return sum(1 << bit for bit, one in enumerate(universe.traffics) if one in wanted)

    whole = [all_of(*(one for one in universe.traffics if one[0] == protocol)) for protocol in ("tcp", "udp", "47")]
    return [*((one, one) for one in whole), (all_of(_ECHO[0]), all_of(_ECHO[1]))]


def violations(before: State, after: State, states: Sequence[State], *others: State) -> list[str]:
    """Every breach of the rule in any of `states`. The known states are `before` (its subnets and groups are those that
    a machine may have), `after` (as the document wants it), and as `others` want it. One for every pair of ends and
    write, and what it begins with only: what stays exposed or cut is not said again.
    """
    if not states:
        return []
    known = [before, after, *others]
    judge = Judge(known, states)
    said: set[tuple[End, End, str]] = set()
    told = []
    of_known = [{end: judge.filters(end, state) for end in judge.ends} for state in known]
    wanted = {
        pair: [judge.passing(*pair, state, filters) for state, filters in zip(known, of_known, strict=True)]
        for pair in judge.pairs
    }
    last = of_known[0]
    for index, state in enumerate(states):
        filters = {end: judge.filters(end, state) for end in judge.ends}
        changed = {end for end in judge.ends if filters[end] != last[end]}
        last = filters
        for pair in judge.pairs if changed else ():
            if pair[0] not in changed and pair[1] not in changed:
                continue
            now = judge.passing(*pair, state, filters)
            for what, ask in (("exposed", judge.exposed), ("cut", judge.cut)):
                found = ask(*pair, now, wanted[pair])
                if not found:
                    said.discard((*pair, what))
                elif (*pair, what) not in said:
                    said.add((*pair, what))
                    told.append(f"after write {index + 1}, {pair[0]} -> {pair[1]}: {what} {found}")
    return told
