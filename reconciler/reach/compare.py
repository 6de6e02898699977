"""What another state of the network changes from end to end: which flows pass that did not, and which are cut. Pure.

A flow is new if its request arrives only afterwards; it is cut if its request arrives only before, or if its replies
come back only before. Its ends are what the document names and the machines that a look shows. Where nobody has looked,
they are also a machine of each group that none of these has, in every subnet, and at the other end any machine of a
subnet, whatever its own groups let through.

The answer is exact for each pair of ends: their addresses are split where any filter between them may tell them apart.
Only pairs of which a filter or an end changes are compared.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import reduce
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

from desired_state.fields import ANY, NAMED_PROTOCOLS, Address, RuleKey, is_cidr, network
from desired_state.intents import OUTSIDE
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import LINE, STRETCH, Cuts, join, less, meet
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.selectors import Selectors
from reconciler.reach.layers import ANYWHERE
from reconciler.reach.network import (
    LOCAL,
    PUBLIC_SUBNETS,
    SIDES,
    SUBNETS,
    UNREADABLE,
    USABLE,
    Cell,
    Network,
    Table,
    entries,
    is_nat,
    routes,
    routes_by_aws,
    rules,
    whole,
)
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import INTERNET, End, Endpoint, External, Ranges
from reconciler.reach.pair.filters import BEYOND, Through, group_of
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.path import Flow
from reconciler.reach.pair.topology import Topology

MOST_PAIRS = 20_000
"""With more pairs, machines that nobody names are only compared with what is outside the VPC."""
SENSITIVE_PORTS = (22, 1433, 3306, 3389, 5432, 6379, 9200, 27017)
"""TCP ports by which machines are managed, or that databases listen on."""

_SENSITIVE = join(
    *((at, at + 1) for at in (NAMED_PROTOCOLS["tcp"] * STRETCH + port for port in SENSITIVE_PORTS)),
)
_EVERYWHERE = frozenset({USABLE, LOCAL, SUBNETS, UNREADABLE})
"""Cells that may change what passes at any machine."""


class FlowChange(NamedTuple):
    """Traffic from one end to another that passes only afterwards (`opened`), or only before.

    `traffic` is on the traffic line of `packets/traffic.py`; the addresses of the ends are only those between which it
    changes. Not `certain`: it may be so, because not all that it depends on is known. `replies`: the requests still
    arrive, but the replies to some client ports do not come back.
    """

    source: End
    target: End
    traffic: Cuts
    opened: bool
    certain: bool
    replies: bool = False


def changes(
    before: JudgeContext, after: JudgeContext, among: Container[tuple[str, str]] | None = None
) -> tuple[FlowChange, ...]:
    """All flows that differ between two states, those that are new first; `among` these pairs of labels only."""
    found = _Comparison(before, after, among).changes()
    return tuple(sorted(found, key=lambda one: not one.opened))


def trial_ends(context: JudgeContext, filter_: Address, peer: str) -> Iterator[tuple[Endpoint, End]]:
    """Pairs of ends that a rule of a group, or an entry of an ACL, is about: a machine behind this filter, and one of
    the peer, which is a network or a group.
    """
    topology = _with_anybody(context.topology)
    here = _named(topology)
    if context.possible:
        known = {group for ends in here.values() for one in ends for group in _groups(one)}
        here |= _in_subnets(topology.network, _all_groups(topology.network, known))
        here |= _in_subnets(topology.network, _anybody(topology.network))
    machines = [one for ends in here.values() for one in ends if isinstance(one, Endpoint)]
    peers: list[End] = [one for one in machines if peer in _groups(one)]
    if is_cidr(peer):
        wanted = Ranges.of(peer)
        ends: tuple[End, ...] = (*_outside(context), *machines)
        peers = [one._replace(addresses=part) for one in ends if (part := one.addresses & wanted)]
    for machine in machines:
        if filter_ in _groups(machine) or (
            not is_anybody(machine) and topology.network.acl_of(machine.subnet) == filter_
        ):
            yield from ((machine, other) for other in peers if other.label != machine.label)


def is_grave(change: FlowChange) -> bool:
    """Whether it newly lets the internet reach a DB instance, or a port by which machines are managed."""
    if not change.opened or not isinstance(change.source, External) or not change.source.internet:
        return False
    return is_database(change.target) or bool(meet(change.traffic, _SENSITIVE))


def severity(change: FlowChange) -> Severity:
    """How bad it is if nobody wanted it."""
    if not change.opened:
        return Severity.HIGH
    if is_grave(change):
        return Severity.CRITICAL
    if isinstance(change.target, External):
        return Severity.MEDIUM
    return Severity.HIGH if isinstance(change.source, External) or is_database(change.target) else Severity.MEDIUM


def is_database(end: End) -> bool:
    """Whether an end is a DB instance."""
    return isinstance(end, Endpoint) and Address(end.owner).kind == "db_instance"


def is_anybody(end: End) -> bool:
    """Whether an end stands for any machine of its subnet."""
    return isinstance(end, Endpoint) and _ANYBODY in (end.groups or ())


class _Who(NamedTuple):
    """What makes an end the same in both states: its owner, or else its groups."""

    owner: str
    groups: tuple[Address, ...]
    subnet: Address


type _Ends = tuple[End, ...]
"""One end in one state: the same but for whether its address is public; nothing if it is not there."""
type _Both = tuple[_Ends, _Ends]
"""One end as it is before, and afterwards."""
type _Here = dict[_Who, _Ends]
type _Bounds = tuple[Cuts, Cuts]
"""Addresses at which ends are split, in IPv4 and in IPv6."""
type _Piece = tuple[Ranges, _Ends, _Ends]
"""Some addresses of an end, and the end with only these before, and afterwards."""

EVERYWHERE = Ranges.of(*ANYWHERE)
_ANYBODY = Address("any group")
"""Stands for the groups of a machine of which only the subnet counts."""
_ALL = {RuleKey("all", ANY, ANY, cidr): None for cidr in ANYWHERE}
_OF_ROUTES_AND_ACLS = frozenset(
    {
        *(Table.ENTRIES, Table.ACL_OF, Table.DEFAULT_ACL),
        *(Table.ROUTES, Table.ROUTES_BY_AWS, Table.TABLE_OF, Table.MAIN, Table.USABLE),
    }
)


class _Comparison:
    def __init__(self, before: JudgeContext, after: JudgeContext, among: Container[tuple[str, str]] | None) -> None:
        self._among = among
        self._old, self._new = before.topology.network, after.topology.network
        self._changed = {
            cell
            for cell in self._old.cells.keys() | self._new.cells.keys()
            if (old := self._old.cells.get(cell)) is not (new := self._new.cells.get(cell)) and old != new
        }
        self._looked = not (before.possible or after.possible)
        self._outside: list[_Both] = [((one,), (one,)) for one in _outside(before, after)]
        one, other = before.topology, after.topology
        self._topologies = (one, other) if self._looked else (_with_anybody(one), _with_anybody(other))
        unlike = (one.nats, one.relays) != (other.nats, other.relays)
        self._everywhere = unlike or any(cell in _EVERYWHERE or _is_elsewhere(cell) for cell in self._changed)
        self._by_group: dict[Address, Ranges] = {}
        for cell in self._changed:
            if cell.table is Table.RULES:
                self._by_group[cell.of] = self._by_group.get(cell.of, Ranges()) | self._differing(cell)
        self._by_place: dict[Address, Ranges] = {}
        self._bounds: dict[object, _Bounds] = {}
        self._splits: dict[tuple[int, int], tuple[object, list[_Piece]]] = {}
        self._pieces_of: dict[tuple[int, Ranges], _Piece] = {}
        self._missing: dict[object, Cuts] = {}

    def changes(self) -> Iterator[FlowChange]:
        named = tuple(map(_named, self._topologies))
        unnamed: tuple[_Here, ...] = ({}, {})
        anybody: tuple[_Here, ...] = ({}, {})
        if not self._looked:
            known = {group for here in named for ends in here.values() for one in ends for group in _groups(one)}
            unnamed = tuple(_in_subnets(one.network, self._unnamed(one.network, known)) for one in self._topologies)
            anybody = tuple(_in_subnets(one.network, _anybody(one.network)) for one in self._topologies)
        known_by_name, others = _matched(named), _matched(named) | _matched(anybody) | _matched(unnamed)
        touched = {who: both for who, both in others.items() if who.groups != (_ANYBODY,) and self._concerned(both)}
        for both in touched.values():
            for outside in self._outside:
                yield from self._between(outside, both)
                yield from self._between(both, outside)
        by_name = {who: both for who, both in touched.items() if who in known_by_name}
        inside = touched if len(touched) * len(others) <= MOST_PAIRS else by_name
        for who, both in inside.items():
            for other, theirs in others.items():
                if who.owner == other.owner and Address(who.owner).kind == "db_instance":
                    continue  # it is one machine, wherever it stands
                yield from self._between(theirs, both)
                if other not in inside:
                    yield from self._between(both, theirs)

    def _unnamed(self, state: Network, known: set[Address]) -> Iterator[tuple[Address, Iterable[Address]]]:
        """For each subnet, the groups that nobody known carries, and that what changes is about: all of them if a
        filter of the subnet changes, otherwise those with other rules and those that these rules name.
        """
        groups = {cell.of for cell in state.cells if cell.table is Table.RULES} - known - {_ANYBODY}
        cells = [cell for cell in self._changed if cell.table is Table.RULES]
        peers = {group_of(rule.peer) for one in (self._old, self._new) for cell in cells for rule in one[cell]}
        some = groups & (peers | self._by_group.keys())
        for subnet in state.subnets:
            yield subnet, sorted(groups if self._everywhere or self._at_place(subnet) else some)

    def _concerned(self, both: _Both) -> Ranges:
        """The addresses of other ends for which something may change at this one."""
        if self._everywhere or both[0] != both[1]:
            return EVERYWHERE
        found = Ranges()
        for one in both[0]:
            if isinstance(one, Endpoint):
                found |= self._at_place(one.subnet)
                for group in _groups(one) & self._by_group.keys():
                    found |= self._by_group[group]
        return found

    def _at_place(self, subnet: Address) -> Ranges:
        """Those for which the filters of a subnet change."""
        if subnet not in self._by_place:
            cells, others = (list(_place(state, subnet)) for state in (self._old, self._new))
            nats = [list(_of_nats(topology, subnet)) for topology in self._topologies]
            if cells != others or nats[0] != nats[1] or not self._changed.isdisjoint(nats[0]):
                self._by_place[subnet] = EVERYWHERE
            else:
                found = map(self._differing, self._changed.intersection(cells))
                self._by_place[subnet] = reduce(Ranges.__or__, found, Ranges())
        return self._by_place[subnet]

    def _differing(self, cell: Cell) -> Ranges:
        """The addresses that the members name in which a cell differs; all if it is not always known."""
        if cell not in self._old or cell not in self._new:
            return EVERYWHERE
        return Ranges.of(*_networks(cell, self._old[cell], self._new[cell]))

    def _between(self, sources: _Both, targets: _Both) -> Iterator[FlowChange]:
        """What changes between two ends."""
        ends = (*sources[1], *sources[0])[0], (*targets[1], *targets[0])[0]
        if self._among is not None and (ends[0].label, ends[1].label) not in self._among:
            return
        if ends[0] == ends[1] and _is_one(ends[0]):
            return  # what a machine sends to itself is not filtered
        at_sources, at_targets = self._concerned(sources), self._concerned(targets)
        if not (_addresses(targets) & at_sources or _addresses(sources) & at_targets):
            return
        found: dict[tuple[bool, bool, bool, Cuts], list[tuple[Ranges, Ranges]]] = {}
        assumed = any(is_anybody(one) for some in targets for one in some)
        for source, target, old, new in self._pieces(sources, targets):
            if not (target & at_sources or source & at_targets):
                continue
            was, now = (_passing(topology, *ends) for topology, ends in zip(self._topologies, (old, new), strict=True))
            for key in _differing(was, now, certain=not assumed):
                found.setdefault(key, []).append((source, target))
            if (both := meet(was[1], now[1])) and (lost := self._lost_replies(old, new, both)):
                found.setdefault((False, True, True, lost), []).append((source, target))
        for (opened, certain, replies, cuts), pieces in found.items():
            for source, target in _together(pieces):
                of, to = (one._replace(addresses=part) for one, part in zip(ends, (source, target), strict=True))
                yield FlowChange(of, to, cuts, opened, certain, replies)

    def _pieces(self, sources: _Both, targets: _Both) -> Iterator[tuple[Ranges, Ranges, _Both, _Both]]:
        """The addresses of two ends, split where a filter of the other one may tell them apart: each pair of pieces,
        then both of them as they are before, and afterwards.
        """
        of_targets = self._split(targets, self._boundaries((*sources[0], *sources[1])))
        for source, old, new in self._split(sources, self._boundaries((*targets[0], *targets[1]))):
            for target, before, after in of_targets:
                if bool(source.ipv6) == bool(target.ipv6):
                    yield source, target, (old, before), (new, after)

    def _split(self, both: _Both, bounds: _Bounds) -> list[_Piece]:
        """The same pieces for the same ends, so that what passes at them is worked out once."""
        key = id(both), id(bounds)
        if key not in self._splits:  # it keeps both, so that their identity stays theirs
            pieces = [self._pieces_of.setdefault((id(both), piece[0]), piece) for piece in _split(both, bounds)]
            self._splits[key] = (both, bounds), pieces
        return self._splits[key][1]

    def _boundaries(self, ends: Iterable[End]) -> _Bounds:
        """Where the filters of ends begin or end to match an address of the other side, in IPv4 and in IPv6."""
        places = frozenset((one.groups, one.subnet) for one in ends if isinstance(one, Endpoint))
        if places not in self._bounds:
            cidrs = {one for topology in self._topologies for one in _matching(topology, places) if is_cidr(one)}
            bounds: tuple[set[int], set[int]] = (set(), set())
            for version, first, last in map(network, cidrs):
                bounds[version == 6].update((first, last + 1))
            self._bounds[places] = tuple(sorted(bounds[0])), tuple(sorted(bounds[1]))
        return self._bounds[places]

    def _lost_replies(self, old: _Both, new: _Both, both: Cuts) -> Cuts:
        """The part of some traffic whose replies came back to some client ports, and do not any more. Groups never ask
        for replies (EC2 user guide, connection tracking).
        """
        if not any(cell.table in _OF_ROUTES_AND_ACLS for cell in self._changed):
            return ()
        lost: list[Cuts] = []
        for name in ("tcp", "udp"):
            start = NAMED_PROTOCOLS[name] * STRETCH
            asked = meet(both, (start, start + STRETCH))
            if asked and less(self._missing_replies(1, *new, name), self._missing_replies(0, *old, name)):
                lost.append(asked)
        return join(*lost)

    def _missing_replies(self, state: int, sources: _Ends, targets: _Ends, protocol: str) -> Cuts:
        """Those that surely do not come back, from pieces of ends that no filter tells apart. They do not depend on
        what is asked, nor on groups.
        """
        key = state, protocol, tuple(map(_place_of, sources)), tuple(map(_place_of, targets))
        if key not in self._missing:
            self._missing[key] = join(
                *(
                    one.missing.traffic
                    for source in sources
                    for target in targets
                    for one in blockers(self._topologies[state], source, target, Flow.of(protocol))
                    if one.hop.reply and one.certain
                )
            )
        return self._missing[key]


def _place_of(end: End) -> object:
    """What decides about the replies to an end, and from it."""
    return end if isinstance(end, External) else (end.subnet, end.addresses, end.public, end.client_ports)


def _differing(was: Through, now: Through, *, certain: bool) -> Iterator[tuple[bool, bool, bool, Cuts]]:
    """(opened, certain, False, traffic) of what passes only now, and of what passed only before."""
    for opened, (old, new) in ((True, (was, now)), (False, (now, was))):
        cuts = less(new[1], old[1])
        surely = less(new[0], old[1]) if certain else ()
        yield from ((opened, sure, False, part) for sure, part in ((True, surely), (False, less(cuts, surely))) if part)


def _outside(*contexts: JudgeContext) -> Iterator[External]:
    """The networks outside, each with the addresses that it has in any of these states."""
    found: dict[str, External] = {}
    for context in contexts:
        for one in Selectors(context).ends(OUTSIDE):
            if isinstance(one, External):
                known = found.get(one.label, one)
                found[one.label] = one._replace(addresses=known.addresses | one.addresses)
    yield from found.values()


def _with_anybody(topology: Topology) -> Topology:
    effects = [whole(rules(_ANYBODY, side), _ALL) for side in SIDES]
    return topology.after(topology.network.after(effects))


def _groups(end: End) -> frozenset[Address]:
    return end.groups or frozenset() if isinstance(end, Endpoint) else frozenset()


def _named(topology: Topology) -> _Here:
    found: _Here = {}
    for one in topology.endpoints:
        who = _Who(one.owner, tuple(sorted(_groups(one))) if one.stranger else (), one.subnet)
        found[who] = (*found.get(who, ()), one)
    return found


def _all_groups(state: Network, known: set[Address]) -> Iterator[tuple[Address, Iterable[Address]]]:
    """For each subnet, the groups that nobody known carries."""
    groups = sorted({cell.of for cell in state.cells if cell.table is Table.RULES} - known - {_ANYBODY})
    yield from ((subnet, groups) for subnet in state.subnets)


def _anybody(state: Network) -> Iterator[tuple[Address, Iterable[Address]]]:
    yield from ((subnet, (_ANYBODY,)) for subnet in state.subnets)


def _in_subnets(state: Network, places: Iterable[tuple[Address, Iterable[Address]]]) -> _Here:
    """In each subnet a machine of each group."""
    found: _Here = {}
    for subnet, groups in places:
        there, public = Ranges.of(*state.subnets[subnet]), True if subnet in state[PUBLIC_SUBNETS] else None
        for group in groups if there else ():
            label = f"machines in {subnet}" if group == _ANYBODY else f"machines with {group} in {subnet}"
            found[_Who("", (group,), subnet)] = (Endpoint(label, subnet, frozenset({group}), there, public),)
    return found


def _matched(here: tuple[_Here, ...]) -> dict[_Who, _Both]:
    old, new = here
    return {who: (old.get(who, ()), new.get(who, ())) for who in old | new}


def _place(state: Network, subnet: Address) -> Iterator[Cell]:
    """The cells that filter whatever enters or leaves a subnet."""
    table, acl = state.table_of(subnet), state.acl_of(subnet)
    yield from (routes(table), routes_by_aws(table))
    yield from (entries(acl, side) for side in SIDES)


def _of_nats(topology: Topology, subnet: Address) -> Iterator[Cell]:
    """The cells that filter what a subnet sends through NAT gateways, and their subnets' names."""
    state = topology.network
    for target in sorted(set(filter(is_nat, state.routes(state.table_of(subnet)).values()))):
        if (at := topology.nats.get(target)) is not None:
            yield Cell(Table.SUBNETS, at)
            yield from _place(state, at)


def _is_elsewhere(cell: Cell) -> bool:
    """Whether a group is now known to be one of the VPC, or not any more: then rules for it have other members."""
    return cell.table is Table.RULES and cell.of.startswith("sg-")


def _networks(cell: Cell, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    """The networks that the members name in which a cell differs; everything for a group or a prefix list."""
    for member in old.keys() | new.keys():
        if old.get(member) != new.get(member) or (member in old) != (member in new):
            if cell.table is Table.ENTRIES:
                yield from (one.cidr for one in (old.get(member), new.get(member)) if one)
                continue
            peer = member.peer if cell.table is Table.RULES else member
            yield from (peer,) if is_cidr(peer) else ANYWHERE


def _matching(topology: Topology, places: Iterable[tuple[frozenset[Address] | None, Address]]) -> Iterator[str]:
    """The networks that the filters of some machines name, and those of NAT gateways. The ACL of a NAT gateway also
    sees the address of the machine, so it is at the other end of everything outside, too.
    """
    state = topology.network
    nats = set(topology.nats.values())
    for groups, _ in places:
        yield from (rule.peer for group in groups or () for side in SIDES for rule in state.rules(group, side))
    for at in {subnet for _, subnet in places} | nats:
        yield from state.routes(state.table_of(at))
        acl = state.acl_of(at)
        yield from (entry.cidr for side in SIDES for entry in state.entries(acl, side).values())


def _passing(topology: Topology, sources: _Ends, targets: _Ends) -> Through:
    found = [passing(topology, source, target, LINE) for source in sources for target in targets]
    return join(*(certain for certain, _ in found)), join(*(possible for _, possible in found))


def _split(both: _Both, bounds: _Bounds) -> Iterator[_Piece]:
    """One end, split at these addresses: each piece, and what it is before and afterwards."""
    old, new = both
    addresses = _addresses(both)
    of_own = any(isinstance(end, External) and not end.internet for end in (*new, *old))
    # No gateway to the internet carries what is not of the internet, but a network of one's own may have both.
    for part in (addresses & INTERNET, addresses - INTERNET) if of_own else (addresses,):
        for piece in _cut_up(part, bounds):
            yield piece, _within(old, piece), _within(new, piece)


def _is_one(end: End) -> bool:
    """Whether this is one machine: it has one address of each family at most."""
    families = end.addresses.ipv4, end.addresses.ipv6
    return all(len(cuts) <= 2 and sum(cuts[1::2]) - sum(cuts[::2]) <= 1 for cuts in families)


def _addresses(both: _Both) -> Ranges:
    old, new = both
    if old == new and len(old) == 1:
        return old[0].addresses
    return reduce(Ranges.__or__, (end.addresses for end in (*new, *old)), Ranges())


def _cut_up(addresses: Ranges, bounds: _Bounds) -> Iterator[Ranges]:
    for ipv6, (cuts, edges) in enumerate(zip((addresses.ipv4, addresses.ipv6), bounds, strict=True)):
        for low, high in pairwise((0, *edges, BEYOND) if cuts else ()):
            if part := meet(cuts, (low, high)):
                yield Ranges(ipv6=part) if ipv6 else Ranges(ipv4=part)


def _within(ends: _Ends, piece: Ranges) -> _Ends:
    parts = ((end, end.addresses & piece) for end in ends)
    return tuple(end if part == end.addresses else end._replace(addresses=part) for end, part in parts if part)


def _together(pieces: Iterable[tuple[Ranges, Ranges]]) -> Iterator[tuple[Ranges, Ranges]]:
    """The same pairs of pieces, as few pairs of sets of addresses of which every combination is meant. What is of one
    family has nothing to do with the other, so the two are put side by side.
    """
    families: tuple[dict[Ranges, Ranges], dict[Ranges, Ranges]] = ({}, {})
    for source, target in pieces:
        to = families[bool(source.ipv6)]
        to[source] = to.get(source, Ranges()) | target
    alike: tuple[dict[Ranges, Ranges], dict[Ranges, Ranges]] = ({}, {})
    for found, to in zip(alike, families, strict=True):
        for source, target in to.items():
            found[target] = found.get(target, Ranges()) | source
    for one, other in zip_longest(*(found.items() for found in alike), fillvalue=(Ranges(), Ranges())):
        yield one[1] | other[1], one[0] | other[0]
