"""Which packets pass between two ends in each of several states of a network, such as those between the calls of a
plan. Pure.

The packets between two ends are split into sets that share one history: in every state all packets of a set pass, none
does, or it is not known. The answer is exact for each pair of ends: their addresses are split where any filter between
them may tell them apart in any of the states. What passes is only judged again where a filter or an end has changed.

A state may be one of several networks, if the outcome of a call is not known: then what passes in only some of them is
not known either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import reduce
from typing import Any, NamedTuple

from desired_state.fields import Address, is_cidr, network
from reconciler.packets.traffic import LINE, Cuts, join, less, meet
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.machines import (
    ANYBODY,
    Bounds,
    Ends,
    Here,
    Who,
    all_groups,
    anybody,
    carried,
    cut_up,
    filters_of,
    filters_of_nats,
    in_subnets,
    is_anybody,
    is_elsewhere,
    is_one,
    matching,
    named,
    outside,
    together,
    with_anybody,
    within,
)
from reconciler.reach.network import (
    LOCAL,
    PUBLIC_SUBNETS,
    SIDES,
    SUBNETS,
    TABLE_OF,
    UNREADABLE,
    USABLE,
    Cell,
    Table,
    rules,
)
from reconciler.reach.pair.ends import INTERNET, End, Endpoint, External, Ranges
from reconciler.reach.pair.filters import Through
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.topology import Topology

MOST_PAIRS = 20_000
"""With more pairs of ends, those of which nothing changes are left out first, then those of machines that nobody
names."""
MOST_QUESTIONS = 200_000
"""How often it is judged what passes between the addresses of two ends, before the pairs that follow are left out."""

MOST_UNNAMED = 200
"""Of how many machines that may be there and do not change themselves it is told what reaches them."""

type State = tuple[JudgeContext, ...]
"""The networks that one state may be; nearly always one."""


class Arrives(IntEnum):
    """Whether packets pass in one state."""

    NO = 0
    PERHAPS = 1
    YES = 2


class History(NamedTuple):
    """Packets from one end to another that share a history: `arrives` has a value for each state.

    `traffic` is on the traffic line of `packets/traffic.py`; the addresses of the ends are those that it is about, and
    every combination of them is meant. `source_whole` and `target_whole` say that these are all that the end has in any
    state. `there` says of each state whether both ends exist.
    """

    source: End
    target: End
    traffic: Cuts
    arrives: tuple[Arrives, ...]
    source_whole: bool
    target_whole: bool
    there: tuple[bool, ...]


class Histories(NamedTuple):
    """All histories in which something passes, and how many pairs of ends were `left_out` because they are too many."""

    found: tuple[History, ...]
    left_out: int


def histories(states: Sequence[State]) -> Histories:
    """What passes between any two ends in these states.

    Of machines that nobody names (where nobody has looked), only what changes is told: that they may be there at all is
    an assumption.
    """
    judged = _Judged(states)
    return Histories(tuple(judged.histories()), judged.left_out)


type _Split = list[tuple[Ranges, tuple[Ends, ...]]]
"""Each piece of the addresses of an end, and what the end is with only these, in each network."""


class _One(NamedTuple):
    """One end: what it is in each network, and a number that is the same where nothing of it or its filters differs."""

    ends: tuple[Ends, ...]
    versions: tuple[int, ...]
    addresses: Ranges

    @property
    def any(self) -> End:
        return next(end for ends in reversed(self.ends) for end in ends)

    @property
    def changes(self) -> bool:
        return len(set(self.versions)) > 1


class _Judged:
    """The judgement of several states. What is asked of the same network is asked once."""

    def __init__(self, states: Sequence[State]) -> None:
        contexts = list({id(context): context for state in states for context in state}.values())
        place = {id(context): number for number, context in enumerate(contexts)}
        self._states = [tuple(place[id(context)] for context in state) for state in states]
        self._looked = not any(context.possible for context in contexts)
        parts = contexts[0].topology.parts
        self._topologies = [_with_parts(one.topology, parts, looked=self._looked) for one in contexts]
        self._differing = dict(_differing(self._topologies))
        self._everywhere = _numbers(map(self._of_all, range(len(contexts))))
        self._outside = tuple(
            _One(((one,),) * len(contexts), self._everywhere, one.addresses) for one in outside(*contexts)
        )
        self._places: dict[tuple[int, Address], object] = {}
        self._bounds: dict[int, Bounds] = {}
        self._splits: dict[tuple[int, int], tuple[object, _Split]] = {}
        self._questions = 0
        self.left_out = 0

    def histories(self) -> Iterator[History]:
        for source, target in self._pairs():
            if self._questions > MOST_QUESTIONS:
                self.left_out += 1
            else:
                yield from self._between(source, target)

    def _pairs(self) -> Iterator[tuple[_One, _One]]:
        """The pairs of ends that are judged, those of which something changes first."""
        by_name, others = self._machines()
        changing = {who: one for who, one in (by_name | others).items() if one.changes and who.groups != (ANYBODY,)}
        still = {who: one for who, one in by_name.items() if who not in changing}
        for one in (*changing.values(), *still.values()):
            for far in self._outside:
                yield from ((far, one), (one, far))
        pairs = len(changing) * (len(by_name) + len(others))
        if pairs > MOST_PAIRS:
            some = {who: one for who, one in changing.items() if who in by_name}
            self.left_out += 2 * (len(changing) - len(some)) * len(others)
            changing = some
        everybody = by_name | others
        for who, one in changing.items():
            for other, theirs in everybody.items():
                if not _same_database(who, other):
                    yield theirs, one
                    if other not in changing:
                        yield one, theirs
        if len(still) ** 2 > MOST_PAIRS:
            self.left_out += len(still) ** 2
            return
        for who, one in still.items():
            yield from ((one, theirs) for other, theirs in still.items() if not _same_database(who, other))

    def _machines(self) -> tuple[dict[Who, _One], dict[Who, _One]]:
        """The machines that the document names or a look shows, and those that may be there besides."""
        found = [named(one) for one in self._topologies]
        others: list[Here] = [{} for _ in found]
        if not self._looked:
            known = {group for here in found for ends in here.values() for one in ends for group in carried(one)}
            unnamed = self._unnamed(known)
            made: dict[tuple[int, int], Here] = {}
            for number, network in enumerate(one.network for one in self._topologies):
                key = id(network[SUBNETS]), id(network[PUBLIC_SUBNETS])
                if key not in made:
                    places = ((at, groups) for at, groups in unnamed.items() if at in network.subnets)
                    made[key] = in_subnets(network, anybody(network)) | in_subnets(network, places)
                others[number] = made[key]
        return self._over_states(found), self._over_states(others)

    def _unnamed(self, known: set[Address]) -> dict[Address, list[Address]]:
        """For each subnet, the groups that nobody known carries: those whose rules differ in some state, then all of
        them if a filter of the subnet does.
        """
        differing = {cell.of for cell in self._differing if cell.table is Table.RULES}
        everywhere = len(set(self._everywhere)) > 1
        some: dict[Address, list[Address]] = {}
        rest: list[tuple[Address, Address]] = []
        for subnet, groups in dict(at for one in self._topologies for at in all_groups(one.network, known)).items():
            some[subnet] = [group for group in groups if group in differing]
            places = {tuple(filters_of(one.network, subnet)) for one in self._topologies}
            if everywhere or len(places) > 1 or any(cell in self._differing for cells in places for cell in cells):
                rest += ((subnet, group) for group in groups if group not in differing)
        room = max(MOST_UNNAMED - sum(map(len, some.values())), 0)
        self.left_out += len(rest[room:])
        for subnet, group in rest[:room]:
            some[subnet].append(group)
        return some

    def _over_states(self, found: Sequence[Here]) -> dict[Who, _One]:
        there = {who: None for here in found for who in here}
        return {who: self._one(tuple(here.get(who, ()) for here in found)) for who in there}

    def _one(self, ends: tuple[Ends, ...]) -> _One:
        same: dict[Ends, Ends] = {}
        ends = tuple(same.setdefault(some, some) for some in ends)
        versions = _numbers(self._version(number, some) for number, some in enumerate(ends))
        parts = dict.fromkeys(end.addresses for some in ends for end in some)
        return _One(ends, versions, reduce(Ranges.__or__, parts))

    def _version(self, number: int, ends: Ends) -> object:
        """What decides about packets at an end in one network."""
        if not ends:
            return None
        return self._everywhere[number], ends, tuple(self._of_filters(number, end) for end in ends)

    def _of_filters(self, number: int, end: End) -> object:
        if not isinstance(end, Endpoint):
            return None
        topology = self._topologies[number]
        cells = (rules(group, side) for group in carried(end) for side in SIDES)
        versions = tuple(self._differing[cell][number] for cell in cells if cell in self._differing)
        if (number, end.subnet) not in self._places:
            self._places[number, end.subnet] = self._of_place(number, end.subnet)
        return versions, self._places[number, end.subnet], end.subnet in topology.network[TABLE_OF]

    def _of_place(self, number: int, subnet: Address) -> object:
        """What decides about packets that enter or leave a subnet."""
        topology = self._topologies[number]
        cells = (*filters_of(topology.network, subnet), *filters_of_nats(topology, subnet))
        return cells, tuple(self._differing[cell][number] for cell in cells if cell in self._differing)

    def _of_all(self, number: int) -> object:
        """What decides about packets anywhere in one network."""
        topology = self._topologies[number]
        cells = tuple(
            versions[number]
            for cell, versions in self._differing.items()
            if cell in (USABLE, LOCAL, SUBNETS, UNREADABLE)
        )
        elsewhere = frozenset(cell for cell in self._differing if is_elsewhere(cell) and cell in topology.network.cells)
        return cells, elsewhere, topology.relays, tuple(sorted(topology.nats.items()))

    def _between(self, source: _One, target: _One) -> Iterator[History]:
        """What passes from one end to another."""
        if source is target and is_one(source.any):
            return  # what a machine sends to itself is not filtered
        versions = list(zip(source.versions, target.versions, strict=True))
        numbers = [versions.index(both) for both in dict.fromkeys(versions)]
        whole = [self._passing(number, source.ends[number], target.ends[number]) for number in numbers]
        if not any(possible for _, possible in whole):
            return
        order = [numbers.index(versions.index(both)) for both in versions]
        there = tuple(any(source.ends[n] and target.ends[n] for n in state) for state in self._states)
        found: dict[tuple[Arrives, ...], list[tuple[Cuts, Ranges, Ranges]]] = {}
        of_sources, of_targets = (self._split(*both) for both in self._cuts(source, target))
        one_piece = len(of_sources) == len(of_targets) == 1
        for of, of_ends in of_sources:
            for to, to_ends in of_targets:
                if bool(of.ipv6) != bool(to.ipv6):
                    continue
                through = (
                    whole
                    if one_piece
                    else [
                        self._passing(number, of_ends[number], to_ends[number]) if through[1] else through
                        for number, through in zip(numbers, whole, strict=True)
                    ]
                )
                for arrives, cuts in self._shared(through, order):
                    found.setdefault(arrives, []).append((cuts, of, to))
        unnamed = any(isinstance(one.any, Endpoint) and not one.any.owner for one in (source, target))
        for arrives, parts in found.items():
            if unnamed and len(set(arrives)) == 1:
                continue
            for traffic, pieces in _by_traffic(parts):
                for of, to in together(pieces):
                    ends = source.any._replace(addresses=of), target.any._replace(addresses=to)
                    wholes = of == source.addresses, to == target.addresses
                    yield History(*ends, traffic, arrives, *wholes, there)

    def _cuts(self, source: _One, target: _One) -> tuple[tuple[_One, Bounds], tuple[_One, Bounds]]:
        """Each end, with the addresses at which the filters of the other one split it."""
        return (source, self._boundaries(target)), (target, self._boundaries(source))

    def _passing(self, number: int, sources: Ends, targets: Ends) -> Through:
        self._questions += 1
        topology = self._topologies[number]
        found = [passing(topology, source, target, LINE) for source in sources for target in targets]
        if len(found) == 1:
            certain, possible = found[0]
        else:
            certain, possible = join(*(one for one, _ in found)), join(*(one for _, one in found))
        return (() if any(map(is_anybody, targets)) else certain), possible

    def _shared(self, through: Sequence[Through], order: Sequence[int]) -> Iterator[tuple[tuple[Arrives, ...], Cuts]]:
        """The packets that pass in some state, by their history; `order` says which of the answers is for which
        network.
        """
        states = [
            (
                _all(through[order[number]][0] for number in state),
                join(*(through[order[number]][1] for number in state)),
            )
            for state in self._states
        ]
        parts: list[tuple[Cuts, tuple[Arrives, ...]]] = [(join(*(possible for _, possible in states)), ())]
        for state in dict.fromkeys(states):
            parts = [
                (cuts, (*values, value)) for rest, values in parts for cuts, value in _valued(rest, *state) if cuts
            ]
        place = {state: number for number, state in enumerate(dict.fromkeys(states))}
        for cuts, values in parts:
            yield tuple(values[place[state]] for state in states), cuts

    def _split(self, one: _One, bounds: Bounds) -> _Split:
        """One end, split at these addresses. The same pieces for the same bounds, so that what passes at them is worked
        out once.
        """
        key = id(one), id(bounds)
        if key not in self._splits:  # it keeps both, so that their identity stays theirs
            of_own = isinstance(one.any, External) and not one.any.internet
            # No gateway to the internet carries what is not of the internet, but a network of one's own may have both.
            parts = (one.addresses & INTERNET, one.addresses - INTERNET) if of_own else (one.addresses,)
            pieces: _Split = []
            distinct = {id(ends): ends for ends in one.ends}
            for piece in (piece for part in parts for piece in cut_up(part, bounds)):
                made = {key: within(ends, piece) for key, ends in distinct.items()}
                pieces.append((piece, tuple(made[id(ends)] for ends in one.ends)))
            self._splits[key] = (one, bounds), pieces
        return self._splits[key][1]

    def _boundaries(self, one: _One) -> Bounds:
        """Where the filters of an end begin or end to match an address of the other side, in any of the networks."""
        key = id(one)
        if key not in self._bounds:  # `_splits` and `_machines` keep the end, so that its identity stays its own
            cidrs: set[str] = set()
            for number in {version: number for number, version in enumerate(one.versions)}.values():
                places = {(end.groups, end.subnet) for end in one.ends[number] if isinstance(end, Endpoint)}
                cidrs.update(filter(is_cidr, matching(self._topologies[number], places)))
            bounds: tuple[set[int], set[int]] = (set(), set())
            for version, first, last in map(network, cidrs):
                bounds[version == 6].update((first, last + 1))
            self._bounds[key] = tuple(sorted(bounds[0])), tuple(sorted(bounds[1]))
        return self._bounds[key]


def _with_parts(topology: Topology, parts: dict[Any, Any], *, looked: bool) -> Topology:
    """The topology, with what all of them work out of the same cells."""
    one = replace(topology, parts=parts, memo={})
    return one if looked else with_anybody(one)


def _differing(topologies: Sequence[Topology]) -> Iterator[tuple[Cell, tuple[int, ...]]]:
    """The cells that are not the same in all networks, with a number for each network: equal for equal members."""
    tables = [one.network.cells for one in topologies]
    for cell in {cell: None for cells in tables for cell in cells}:
        one = tables[0].get(cell)
        if any(cells.get(cell) is not one for cells in tables):
            numbers = _by_members([cells.get(cell) for cells in tables])
            if any(numbers):
                yield cell, numbers


def _by_members(found: Sequence[Mapping[Any, Any] | None]) -> tuple[int, ...]:
    distinct: list[Mapping[Any, Any] | None] = []
    by_identity: dict[int, int] = {}
    for one in found:
        if id(one) not in by_identity:
            known = next((n for n, other in enumerate(distinct) if other == one), len(distinct))
            if known == len(distinct):
                distinct.append(one)
            by_identity[id(one)] = known
    return tuple(by_identity[id(one)] for one in found)


def _numbers(values: Iterable[object]) -> tuple[int, ...]:
    """A number for each value, equal for equal ones."""
    known: dict[object, int] = {}
    return tuple(known.setdefault(value, len(known)) for value in values)


def _same_database(one: Who, other: Who) -> bool:
    """Whether both are one machine, wherever it stands."""
    return one.owner == other.owner and Address(one.owner).kind == "db_instance"


def _all(sets: Iterable[Cuts]) -> Cuts:
    return reduce(meet, sets)


def _valued(cuts: Cuts, certain: Cuts, possible: Cuts) -> tuple[tuple[Cuts, Arrives], ...]:
    """A set of traffic, by whether it passes."""
    may = meet(cuts, possible)
    surely = may if certain == possible else meet(cuts, certain)
    perhaps = () if surely == may else less(may, surely)
    return (surely, Arrives.YES), (perhaps, Arrives.PERHAPS), (() if may == cuts else less(cuts, may), Arrives.NO)


def _by_traffic(parts: Iterable[tuple[Cuts, Ranges, Ranges]]) -> Iterator[tuple[Cuts, list[tuple[Ranges, Ranges]]]]:
    """The same packets, by traffic: what passes between the same addresses together."""
    known: list[tuple[Cuts, list[tuple[Ranges, Ranges]]]] = []
    for cuts, source, target in parts:
        rest, split = cuts, []
        for traffic, pieces in known:
            common = meet(traffic, rest)
            if not common:
                split.append((traffic, pieces))
                continue
            if left := less(traffic, common):
                split.append((left, list(pieces)))
            split.append((common, [*pieces, (source, target)]))
            rest = less(rest, common)
        if rest:
            split.append((rest, [(source, target)]))
        known = split
    alike: dict[tuple[tuple[Ranges, Ranges], ...], Cuts] = {}
    for traffic, pieces in known:
        alike[tuple(pieces)] = join(alike.get(tuple(pieces), ()), traffic)
    yield from ((traffic, list(pieces)) for pieces, traffic in alike.items())
