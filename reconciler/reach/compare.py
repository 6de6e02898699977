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
from typing import Any, NamedTuple

from desired_state.fields import NAMED_PROTOCOLS, Address, is_cidr
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import LINE, STRETCH, Cuts, join, less, meet
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.layers import ANYWHERE
from reconciler.reach.machines import (
    ANYBODY,
    Bounds,
    Here,
    Variants,
    Who,
    all_groups,
    anybody,
    boundaries,
    carried,
    cut_up,
    filters_of,
    filters_of_nats,
    in_subnets,
    is_anybody,
    is_elsewhere,
    is_one,
    is_own_network,
    is_same_database,
    matching,
    named,
    outside,
    together,
    with_anybody,
    within,
)
from reconciler.reach.network import (
    LOCAL,
    SUBNETS,
    UNREADABLE,
    USABLE,
    Cell,
    Network,
    Table,
)
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import End, Endpoint, External, Ranges
from reconciler.reach.pair.filters import Through, group_of
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
    topology = with_anybody(context.topology)
    here = named(topology)
    if context.possible:
        known = {group for ends in here.values() for one in ends for group in carried(one)}
        here |= in_subnets(topology.network, all_groups(topology.network, known))
        here |= in_subnets(topology.network, anybody(topology.network))
    machines = [one for ends in here.values() for one in ends if isinstance(one, Endpoint)]
    peers: list[End] = [one for one in machines if peer in carried(one)]
    if is_cidr(peer):
        wanted = Ranges.of(peer)
        ends: tuple[End, ...] = (*outside(context), *machines)
        peers = [one._replace(addresses=part) for one in ends if (part := one.addresses & wanted)]
    for machine in machines:
        if filter_ in carried(machine) or (
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


type _Both = tuple[Variants, Variants]
"""One end as it is before, and afterwards."""
type _Piece = tuple[Ranges, Variants, Variants]
"""Some addresses of an end, and the end with only these before, and afterwards."""

EVERYWHERE = Ranges.of(*ANYWHERE)
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
        self._outside: list[_Both] = [((one,), (one,)) for one in outside(before, after)]
        one, other = before.topology, after.topology
        self._topologies = (one, other) if self._looked else (with_anybody(one), with_anybody(other))
        unlike = (one.nats, one.relays) != (other.nats, other.relays)
        self._everywhere = unlike or any(cell in _EVERYWHERE or is_elsewhere(cell) for cell in self._changed)
        self._by_group: dict[Address, Ranges] = {}
        for cell in self._changed:
            if cell.table is Table.RULES:
                self._by_group[cell.of] = self._by_group.get(cell.of, Ranges()) | self._differing(cell)
        self._by_place: dict[Address, Ranges] = {}
        self._bounds: dict[object, Bounds] = {}
        self._splits: dict[tuple[int, int], tuple[object, list[_Piece]]] = {}
        self._pieces_of: dict[tuple[int, Ranges], _Piece] = {}
        self._missing: dict[object, Cuts] = {}

    def changes(self) -> Iterator[FlowChange]:
        by_name = tuple(map(named, self._topologies))
        unnamed: tuple[Here, ...] = ({}, {})
        any_machine: tuple[Here, ...] = ({}, {})
        if not self._looked:
            known = {group for here in by_name for ends in here.values() for one in ends for group in carried(one)}
            unnamed = tuple(in_subnets(one.network, self._unnamed(one.network, known)) for one in self._topologies)
            any_machine = tuple(in_subnets(one.network, anybody(one.network)) for one in self._topologies)
        known_by_name, others = _matched(by_name), _matched(by_name) | _matched(any_machine) | _matched(unnamed)
        touched = {who: both for who, both in others.items() if who.groups != (ANYBODY,) and self._concerned(both)}
        for both in touched.values():
            for one in self._outside:
                yield from self._between(one, both)
                yield from self._between(both, one)
        some = {who: both for who, both in touched.items() if who in known_by_name}
        inside = touched if len(touched) * len(others) <= MOST_PAIRS else some
        for who, both in inside.items():
            for other, theirs in others.items():
                if is_same_database(who, other):
                    continue
                yield from self._between(theirs, both)
                if other not in inside:
                    yield from self._between(both, theirs)

    def _unnamed(self, state: Network, known: set[Address]) -> Iterator[tuple[Address, Iterable[Address]]]:
        """For each subnet, the groups that nobody known carries, and that what changes is about: all of them if a
        filter of the subnet changes, otherwise those with other rules and those that these rules name.
        """
        groups = {cell.of for cell in state.cells if cell.table is Table.RULES} - known - {ANYBODY}
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
                for group in carried(one) & self._by_group.keys():
                    found |= self._by_group[group]
        return found

    def _at_place(self, subnet: Address) -> Ranges:
        """Those for which the filters of a subnet change."""
        if subnet not in self._by_place:
            cells, others = (list(filters_of(state, subnet)) for state in (self._old, self._new))
            nats = [list(filters_of_nats(topology, subnet)) for topology in self._topologies]
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
        if ends[0] == ends[1] and is_one(ends[0]):
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
            for source, target in together(pieces):
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

    def _split(self, both: _Both, bounds: Bounds) -> list[_Piece]:
        """The same pieces for the same ends, so that what passes at them is worked out once."""
        key = id(both), id(bounds)
        if key not in self._splits:  # it keeps both, so that their identity stays theirs
            pieces = [self._pieces_of.setdefault((id(both), piece[0]), piece) for piece in _split(both, bounds)]
            self._splits[key] = (both, bounds), pieces
        return self._splits[key][1]

    def _boundaries(self, ends: Iterable[End]) -> Bounds:
        """Where the filters of ends begin or end to match an address of the other side, in IPv4 and in IPv6."""
        places = frozenset((one.groups, one.subnet) for one in ends if isinstance(one, Endpoint))
        if places not in self._bounds:
            cidrs = {one for topology in self._topologies for one in matching(topology, places) if is_cidr(one)}
            self._bounds[places] = boundaries(cidrs)
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

    def _missing_replies(self, state: int, sources: Variants, targets: Variants, protocol: str) -> Cuts:
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


def _matched(here: tuple[Here, ...]) -> dict[Who, _Both]:
    old, new = here
    return {who: (old.get(who, ()), new.get(who, ())) for who in old | new}


def _networks(cell: Cell, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    """The networks that the members name in which a cell differs; everything for a group or a prefix list."""
    for member in old.keys() | new.keys():
        if old.get(member) != new.get(member) or (member in old) != (member in new):
            if cell.table is Table.ENTRIES:
                yield from (one.cidr for one in (old.get(member), new.get(member)) if one)
                continue
            peer = member.peer if cell.table is Table.RULES else member
            yield from (peer,) if is_cidr(peer) else ANYWHERE


def _passing(topology: Topology, sources: Variants, targets: Variants) -> Through:
    found = [passing(topology, source, target, LINE) for source in sources for target in targets]
    return join(*(certain for certain, _ in found)), join(*(possible for _, possible in found))


def _split(both: _Both, bounds: Bounds) -> Iterator[_Piece]:
    """One end, split at these addresses: each piece, and what it is before and afterwards."""
    old, new = both
    for piece in cut_up(_addresses(both), bounds, of_own=any(map(is_own_network, (*new, *old)))):
        yield piece, within(old, piece), within(new, piece)


def _addresses(both: _Both) -> Ranges:
    old, new = both
    if old == new and len(old) == 1:
        return old[0].addresses
    return reduce(Ranges.__or__, (end.addresses for end in (*new, *old)), Ranges())
