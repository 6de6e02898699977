"""The lanes of a report beside the packet oracle: every packet of every state, between all ends that the document names
and the internet.

The lanes are read as they are told, from their JSON and its words; the oracle (`packets.py`) sees states of the network
and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from desired_state.document import Document
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    GROUPS_OF,
    LOCAL,
    MAIN,
    PLACE_OF,
    PUBLIC,
    SUBNETS,
    SUBNETS_OF,
    TABLE_OF,
    USABLE,
    Network,
    Table,
    entries,
    routes,
    routes_by_aws,
    rules,
)
from tests.support.packets import OUTSIDE, Database, End, Entry, Judge, Passing, Rule, State

NOT_INTERNET = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
)
type Packet = tuple[str, str, int]
"""The source's address, the target's, and the traffic's number."""


class Who(NamedTuple):
    """One end as lanes name it, in one subnet. `ends` are two if it is not known whether it has a public address."""

    kind: str
    name: str
    subnet: str
    ends: tuple[End, ...]


def who_is_there(document: Document, id_of: Callable[[str], str]) -> list[Who]:
    """The internet, and the workloads and databases in every subnet of theirs; `id_of` says the id of an
    address.
    """
    found = [Who("internet", "internet", "", (OUTSIDE,))]
    for name, workload in document.workloads.items():
        for subnet in sorted(workload.subnets):
            mapped = getattr(document.resources[subnet], "map_public_ip_on_launch", None)
            public = workload.public_address if workload.public_address is not None else True if mapped else None
            groups = tuple(sorted(id_of(one) for one in workload.security_groups))
            known = (True, False) if public is None else (public,)
            found.append(Who("workload", name, subnet, tuple(End(id_of(subnet), groups, one) for one in known)))
    for address, database in document.of_kind("db_instance").items():
        place: Any = document.resources[database.db_subnet_group]  # type: ignore[attr-defined]
        name = id_of(address)
        found += [Who("db_instance", address.name, at, (End(id_of(at), name=name),)) for at in sorted(place.subnets)]
    return found


class Told(NamedTuple):
    """One lane between two ends of the oracle."""

    flow: Mapping[str, Any]
    traffic: int
    addresses: str

    def arrives(self, state: int) -> bool:
        return _within(state, self.flow["on"])

    def perhaps(self, state: int) -> bool:
        return _within(state, self.flow["perhaps"]) or state in self.flow["under_way"]


@dataclass
class Oracle:
    """The states of a run as somebody saw them, one for each state of the lanes (None: nobody saw it)."""

    states: Sequence[State | None]
    ends: Sequence[Who]
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        known = [one for one in self.states if one]
        self.judge = Judge(known[:1], known[1:], {end for who in self.ends for end in who.ends})

    def disagreements(self, lanes: Mapping[str, Any]) -> Iterator[str]:
        """Every packet of which the lanes say something else."""
        assert len(lanes["states"]) == len(self.states)
        assert lanes["left_out"] == 0
        for source, target in self._pairs():
            told = list(self._told(lanes, source, target))
            arriving = [self._arriving(source, target, state) if state else None for state in self.states]
            for (a, b), about in self._addresses(source, target, told):
                for number, found in enumerate(arriving):
                    if found is None:
                        continue
                    sure, maybe = (some.get((a, b), 0) for some in found)
                    said = unsure = 0
                    for one in about:
                        said |= one.traffic if one.arrives(number) else 0
                        unsure |= one.traffic if one.perhaps(number) else 0
                    wrong = (sure & ~said | said & ~maybe) & ~unsure & ~self._untold(target)
                    if wrong:
                        state = lanes["states"][number]["name"]
                        what = self.judge.universe.traffics[wrong.bit_length() - 1]
                        says = "arrives" if wrong & said else "does not arrive"
                        yield f"{state}: {source[:3]} -> {target[:3]}, {what} from {a} to {b}: it {says}, they say"

    def _pairs(self) -> Iterator[tuple[Who, Who]]:
        for source in self.ends:
            for target in self.ends:
                if source.kind == target.kind == "internet" or (
                    source.kind == target.kind == "db_instance" and source.name == target.name
                ):
                    continue
                yield source, target

    def _arriving(
        self, source: Who, target: Who, state: State
    ) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
        """The traffic between two addresses that arrives whatever is not known of the ends, and that may arrive."""
        filters = {end: self.judge.filters(end, state) for end in (*source.ends, *target.ends)}
        found = [
            self._between(one, other, self.judge.passing(one, other, state, filters))
            for one in source.ends
            for other in target.ends
        ]
        keys = {key for some in found for key in some}
        sure, maybe = dict.fromkeys(keys, -1), dict.fromkeys(keys, 0)
        for some in found:
            for key in keys:
                sure[key] &= some.get(key, 0)
                maybe[key] |= some.get(key, 0)
        return sure, maybe

    def _between(self, source: End, target: End, passing: Passing) -> dict[tuple[str, str], int]:
        found = {}
        addresses = self.judge.universe.addresses
        for here in self._places(source):
            for there in self._places(target):
                if cuts := self.judge.one(passing.leaves, there) & self.judge.one(passing.enters, here):
                    found[addresses[here], addresses[there]] = cuts
        return found

    def _places(self, end: End) -> list[int]:
        """The places of an end's addresses; of the internet only what the internet has."""
        places = self.judge.places[end.subnet]
        return places if end.subnet else [one for one in places if _public(self.judge.universe.addresses[one])]

    def _addresses(
        self, source: Who, target: Who, told: Sequence[Told]
    ) -> Iterator[tuple[tuple[str, str], list[Told]]]:
        addresses = self.judge.universe.addresses
        for here in self._places(source.ends[0]):
            for there in self._places(target.ends[0]):
                a, b = addresses[here], addresses[there]
                yield (a, b), [one for one in told if _is_about(one.addresses, a, b)]

    def _untold(self, target: Who) -> int:
        """What the oracle does not know: that a NAT gateway carries TCP, UDP and ICMP only."""
        others = (bit for bit, (name, _) in enumerate(self.judge.universe.traffics) if name == "47")
        return sum(1 << bit for bit in others) if target.kind == "internet" else 0

    def _told(self, lanes: Mapping[str, Any], source: Who, target: Who) -> Iterator[Told]:
        for flow in lanes["flows"]:
            if not (_is_end(flow["from"], source) and _is_end(flow["to"], target)):
                continue
            full = flow["in_full"] or flow
            addresses = flow["addresses"] or ""
            within = "within one subnet" in addresses
            if not within or source.subnet == target.subnet:
                yield Told(flow, self._bits(full["traffic"]), full["addresses"] or "")

    def _bits(self, words: str) -> int:
        return sum(1 << bit for bit, one in enumerate(self.judge.universe.traffics) if _carries(words, one))


def _within(state: int, runs: Sequence[Sequence[int]]) -> bool:
    return any(first <= state <= last for first, last in runs)


def _is_end(end: Mapping[str, Any], who: Who) -> bool:
    return (end["kind"], end["name"]) == (who.kind, who.name) and (not who.subnet or who.subnet in end["subnets"])


@cache
def _public(address: str) -> bool:
    return not any(ip_address(address) in ip_network(one) for one in NOT_INTERNET)


@cache
def _is_about(addresses: str, source: str, target: str) -> bool:
    """Whether such as "from 10.0.1.0/25 and 10.0.1.200/32 to anyone but 203.0.113.0/24" is about two addresses."""
    parts = re.match(r"(?:from (.*?))?(?:^| |$)(?:to (.*))?$", addresses.replace("within one subnet", "").strip())
    assert parts, addresses
    return all(_is_in(said, one) for said, one in zip(parts.groups(), (source, target), strict=True) if said)


def _is_in(said: str, address: str) -> bool:
    everyone, but, others = said.partition(" but ")
    listed = re.split(r", | and ", others if but else said)
    if everyone == "anyone":
        return not but or not any(ip_address(address) in ip_network(one) for one in listed)
    return any(ip_address(address) in ip_network(one) for one in listed)


@cache
def _carries(words: str, traffic: tuple[str, int]) -> bool:
    whole, but, others = words.partition(" but ")
    if whole == "all traffic":
        return not but or not _carries(others, traffic)
    return any(_is_one(part, traffic) for part in re.split(r", | and ", words))


def _is_one(part: str, traffic: tuple[str, int]) -> bool:
    """Whether such as "tcp 22", "udp", "icmp type 8 code 0" or "protocol 47" is about some traffic."""
    protocol, port = traffic
    words = part.removeprefix("protocol ").split()
    if words[0] != protocol:
        return False
    if len(words) == 1:
        return True
    if protocol == "icmp":
        first, _, last = words[2].partition("-")
        codes = words[4].partition("-")[0] if words[3:] else "0"
        return int(first) <= port <= int(last or first) and codes == "0"
    first, _, last = words[1].partition("-")
    return int(first) <= port <= int(last or first)


def state_of(network: Network) -> State:
    """A state of the product's own table as the oracle has it: only the members of its cells are read. Addresses serve
    as ids (`id_of`).
    """
    cells = network.cells
    groups = sorted({cell.of for cell in cells if cell.table is Table.RULES})
    acls = sorted({cell.of for cell in cells if cell.table is Table.ENTRIES})
    tables = sorted({cell.of for cell in cells if cell.table is Table.ROUTES})
    used = {at: network[ACL_OF].get(at) or network[DEFAULT_ACL]["vpc"] for at in network[SUBNETS]}
    return State(
        networks=tuple(sorted(network[LOCAL])),
        subnets=tuple(sorted((id_of(at), cidrs[0]) for at, cidrs in network[SUBNETS].items())),
        groups=tuple((id_of(at), (_rules(network, at, "ingress"), _rules(network, at, "egress"))) for at in groups),
        acls=tuple((id_of(at), (_entries(network, at, "ingress"), _entries(network, at, "egress"))) for at in acls),
        acl_of=tuple(sorted((id_of(at), id_of(acl)) for at, acl in used.items())),
        tables=tuple((id_of(at), _routes(network, at)) for at in tables),
        table_of=tuple(sorted((id_of(at), id_of(table)) for at, table in network[TABLE_OF].items())),
        main=id_of(network[MAIN]["vpc"]),
        attached=frozenset(id_of(at) for at, usable in network[USABLE].items() if usable),
        databases=tuple((id_of(at), _database(network, at)) for at in sorted(network[PLACE_OF])),
    )


def id_of(address: str) -> str:
    """An address as the oracle can have it for an id: what has a slash is a network to it."""
    return f"{'igw-' * address.startswith('internet_gateway/')}{address.replace('/', '.')}"


def _database(network: Network, at: Any) -> Database:
    groups, subnets = network[GROUPS_OF].get(at, ()), network[SUBNETS_OF][network[PLACE_OF][at]]
    return Database(frozenset(map(id_of, groups)), at in network[PUBLIC], frozenset(map(id_of, subnets)))


def _rules(network: Network, group: Any, side: str) -> frozenset[Rule]:
    found = network[rules(group, side)]
    return frozenset(
        Rule(_number(one.protocol), *_span(one), one.peer if one.is_cidr else id_of(one.peer)) for one in found
    )


def _entries(network: Network, acl: Any, side: str) -> tuple[Entry, ...]:
    found = (
        Entry(number, one.action, _number(one.protocol), *_span(one), one.cidr)
        for number, one in network[entries(acl, side)].items()
    )
    return tuple(sorted(found))


def _span(one: Any) -> tuple[int, int]:
    """As AWS shows it: all types of ICMP are -1, and a code is not in the oracle's packets."""
    return (one.first, one.first) if one.protocol == "icmp" and one.first != -1 else (one.first, one.last)


def _number(protocol: str) -> str:
    return "-1" if protocol == "all" else protocol


def _routes(network: Network, table: Any) -> frozenset[tuple[str, str]]:
    found = {**network[routes_by_aws(table)], **dict.fromkeys(network[LOCAL], "local"), **network[routes(table)]}
    return frozenset((to, id_of(via)) for to, via in found.items())
