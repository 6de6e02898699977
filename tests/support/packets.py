"""The packet oracle: what a live network lets through, in the plainest way, to hold corrections to their rule.

Written apart from `reconciler/packets/traffic.py` on purpose: no algebra, no classes of the product, only AWS's
answers and every packet of a finite world tried one by one. The world is made of one address, port and type on either
side of every edge that any rule, entry or route seen in the run has, so that two packets in the same cell are treated
alike by all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any, NamedTuple

INTERNET = "203.0.113.9"


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


@dataclass(frozen=True)
class State:
    """A network at one moment, ids kept as they are. Every part is hashable: its packets are worked out once."""

    network: str
    subnets: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, tuple[frozenset[Rule], frozenset[Rule]]], ...]
    acls: tuple[tuple[str, tuple[tuple[Entry, ...], tuple[Entry, ...]]], ...]
    routes: tuple[tuple[str, frozenset[tuple[str, str]]], ...]
    databases: tuple[tuple[str, frozenset[str], bool], ...]


def look(ec2: Any, rds: Any, vpc_id: str) -> State:
    """The state of a VPC, by plain describes of two boto3 clients."""
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    network = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["CidrBlock"]
    subnets = {one["SubnetId"]: one["CidrBlock"] for one in ec2.describe_subnets(Filters=here)["Subnets"]}
    return State(
        network,
        tuple(sorted(subnets.items())),
        _groups(ec2, here),
        _acls(ec2, here),
        _tables(ec2, here, subnets),
        _databases(rds),
    )


def _groups(ec2: Any, here: Any) -> tuple[tuple[str, tuple[frozenset[Rule], frozenset[Rule]]], ...]:
    found = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    sides = {one["GroupId"]: (_rules(one["IpPermissions"]), _rules(one["IpPermissionsEgress"])) for one in found}
    return tuple(sorted(sides.items()))


def _acls(ec2: Any, here: Any) -> tuple[tuple[str, tuple[tuple[Entry, ...], tuple[Entry, ...]]], ...]:
    acls: dict[str, tuple[tuple[Entry, ...], tuple[Entry, ...]]] = {}
    for one in ec2.describe_network_acls(Filters=here)["NetworkAcls"]:
        into, out = (
            tuple(sorted(_entry(entry) for entry in one["Entries"] if entry["Egress"] is egress))
            for egress in (False, True)
        )
        acls |= {association["SubnetId"]: (into, out) for association in one["Associations"]}
    return tuple(sorted(acls.items()))


def _tables(ec2: Any, here: Any, subnets: Iterable[str]) -> tuple[tuple[str, frozenset[tuple[str, str]]], ...]:
    tables = ec2.describe_route_tables(Filters=here)["RouteTables"]
    by_subnet = {
        association["SubnetId"]: table
        for table in tables
        for association in table["Associations"]
        if association.get("SubnetId")
    }
    main = next(table for table in tables for association in table["Associations"] if association["Main"])
    return tuple(sorted((subnet, _routes(by_subnet.get(subnet, main))) for subnet in subnets))


def _databases(rds: Any) -> tuple[tuple[str, frozenset[str], bool], ...]:
    return tuple(
        (
            one["DBInstanceIdentifier"],
            frozenset(group["VpcSecurityGroupId"] for group in one["VpcSecurityGroups"]),
            one["PubliclyAccessible"],
        )
        for one in rds.describe_db_instances()["DBInstances"]
    )


_CHANGES = {"SecurityGroup": "groups", "NetworkAcl": "acls", "Route": "routes", "Tags": ""}
"""What part of a state a write with that word in its name can change; any other may change all of it."""


def look_again(last: State, operation: str, ec2: Any, rds: Any, vpc_id: str) -> State:
    """The state after one more write: as `look` sees it, asked for as little as that write can have changed."""
    part = next((part for word, part in _CHANGES.items() if word in operation), None)
    if part is None:
        return look(ec2, rds, vpc_id)
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    subnets = [subnet for subnet, _ in last.subnets]
    changed: dict[str, Any] = {"databases": _databases(rds)}
    if part == "groups":
        changed["groups"] = _groups(ec2, here)
    elif part == "acls":
        changed["acls"] = _acls(ec2, here)
    elif part == "routes":
        changed["routes"] = _tables(ec2, here, subnets)
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
    found = set()
    for route in table["Routes"]:
        to = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
        via = route.get("GatewayId") or route.get("NatGatewayId") or "other"
        found.add((to, via if route.get("State", "active") == "active" else "blackhole"))
    return frozenset(found)


class Universe(NamedTuple):
    """The finite world of packets that tells the given states apart.

    A set of packets is a number: the bit of a packet is that of its peer times the number of traffics, plus its
    traffic.
    """

    peers: tuple[tuple[str, str], ...]
    traffics: tuple[tuple[str, int], ...]

    def packet(self, bit: int) -> str:
        peer, traffic = divmod(bit, len(self.traffics))
        return f"{self.traffics[traffic]} of {self.peers[peer]}"

    @property
    def everything(self) -> int:
        return (1 << len(self.peers) * len(self.traffics)) - 1


def universe_of(states: list[State]) -> Universe:
    """One packet for every cell that the edges of all rules, entries and routes in `states` cut out."""
    edges: set[str] = {f"{INTERNET}/32"}
    ports = {0, 65535}
    groups: set[str] = set()
    for state in states:
        edges |= {cidr for _, cidr in state.subnets} | {state.network}
        groups |= {group for group, _ in state.groups}
        rules = [rule for _, sides in state.groups for side in sides for rule in side]
        entries = [entry for _, sides in state.acls for side in sides for entry in side]
        clauses = [(one.peer, one.first, one.last) for one in rules]
        clauses += [(one.peer, one.first, one.last) for one in entries]
        for peer, first, last in clauses:
            if "/" in peer and ":" not in peer:
                edges.add(peer)
            ports |= {port for edge in (first, last) for port in (edge - 1, edge, edge + 1)}
        edges |= {to for _, routes in state.routes for to, _ in routes if to and ":" not in to}
    addresses: set[str] = set()
    for cidr in edges:
        net = ip_network(cidr)
        for number in (int(net[0]) - 1, int(net[0]), int(net[-1]), int(net[-1]) + 1):
            if 0 < number < 2**32 - 1:
                addresses.add(str(ip_address(number)))
    inside = {a for a in addresses if any(ip_address(a) in ip_network(state.network) for state in states)}
    peers = [
        (peer, group) for peer in sorted(addresses) for group in ["", *sorted(groups)] if not group or peer in inside
    ]
    known = sorted(port for port in ports if 0 <= port <= 65535)
    return Universe(tuple(peers), (*product(["tcp", "udp"], known), ("icmp", 8), ("47", -1)))


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
def _matched(universe: Universe, protocol: str, first: int, last: int, peer: str) -> int:
    """The packets that one rule or entry is about."""
    traffics = sum(1 << bit for bit, one in enumerate(universe.traffics) if _carries(one, protocol, first, last))
    width = len(universe.traffics)
    return sum(
        traffics << bit * width
        for bit, (address, group) in enumerate(universe.peers)
        if (_in_network(address, peer) if "/" in peer else group == peer)
    )


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


@cache
def through_routes(routes: frozenset[tuple[str, str]], universe: Universe) -> int:
    """Packets to whose peer there is a way: the longest prefix decides, and a black hole is none."""
    passed = 0
    width = len(universe.traffics)
    for bit, (address, _) in enumerate(universe.peers):
        fitting = [
            (ip_network(to).prefixlen, via) for to, via in routes if to and ":" not in to and _in_network(address, to)
        ]
        if fitting and max(fitting)[1] != "blackhole":
            passed |= ((1 << width) - 1) << bit * width
    return passed


def layers(state: State, universe: Universe) -> dict[str, int]:
    """What each layer lets through by itself, by a name of the place."""
    found = {}
    for group, sides in state.groups:
        for side, rules in zip(("in", "out"), sides, strict=True):
            found[f"{group} {side}"] = through_group(rules, universe)
    for subnet, lists in state.acls:
        for side, entries in zip(("in", "out"), lists, strict=True):
            found[f"acl of {subnet} {side}"] = through_acl(entries, universe)
    for subnet, routes in state.routes:
        found[f"routes of {subnet}"] = through_routes(routes, universe)
    return found


def places(state: State, universe: Universe) -> dict[str, int]:
    """What all layers together let through: to and from a machine of each group in each subnet, and each database."""
    alone = layers(state, universe)
    found = {}
    for (subnet, _), (group, _), side in product(state.subnets, state.groups, ("in", "out")):
        way = alone[f"acl of {subnet} {side}"] & alone[f"routes of {subnet}"]
        found[f"{group} in {subnet} {side}"] = alone[f"{group} {side}"] & way
    inside = _matched(universe, "-1", -1, -1, state.network)
    for name, groups, public in state.databases:
        open_to = 0
        for group in groups:
            open_to |= alone[f"{group} in"]
        for subnet, _ in state.subnets:
            way = alone[f"acl of {subnet} in"] & alone[f"routes of {subnet}"]
            found[f"database {name} in {subnet}"] = open_to & way & (universe.everything if public else inside)
    return found


def violations(before: State, after: State, states: list[State]) -> list[str]:
    """Every breach of the rule in any of `states`: what neither `before` nor `after` lets through and passes, and what
    both let through and does not. Checked layer by layer and for all layers together."""
    universe = universe_of([before, after, *states])
    told = []
    for view in (layers, places):
        old, new = view(before, universe), view(after, universe)
        for index, state in enumerate(states):
            for place, now in view(state, universe).items():
                if place not in old or place not in new:
                    continue
                exposed = now & ~(old[place] | new[place])
                cut = old[place] & new[place] & ~now
                for what, some in (("exposed", exposed), ("cut", cut)):
                    if some:
                        packet = universe.packet(some.bit_length() - 1)
                        told.append(f"after write {index + 1}, {place}: {what} {packet}")
    return told
