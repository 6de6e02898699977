"""Which packets pass between two ends in each of several states of a network, such as those between the calls of a
plan. Pure.

The packets between two ends are split into sets that share one history: in every state all packets of a set pass, none
does, or it is not known. The answer is exact for each pair of ends: their addresses are split where any filter between
them may tell them apart in any of the states. What passes is only judged again where a filter or an end has changed.

A state may be one of several networks, if the outcome of a call is not known: then what passes in only some of them is
not known either.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

from desired_state.fields import Address, is_cidr
from reconciler.packets.traffic import LINE, Cuts, join
from reconciler.reach.arrivals import Arrives, by_answer, by_traffic
from reconciler.reach.judge.context import JudgeContext
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
    in_subnets,
    is_anybody,
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
    PUBLIC_SUBNETS,
    SUBNETS,
    Table,
)
from reconciler.reach.pair.ends import End, Endpoint, Ranges
from reconciler.reach.pair.filters import Through
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.topology import Topology
from reconciler.reach.versions import Versions, varies

MOST_PAIRS = 3_500
"""Of how many pairs of ends it is judged what passes: of what is outside and of machines that the document names or a
look shows first."""
MOST_QUESTIONS = 200_000
"""How often it is judged what passes between the addresses of two ends, before the pairs that follow are left out."""

MOST_UNNAMED = 200
"""Of how many machines that may be there, each with one group in one subnet, it is judged what reaches them."""


type State = tuple[JudgeContext, ...]
"""The networks that one state may be; nearly always one."""


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


type _Split = list[tuple[Ranges, dict[int, Variants]]]
"""Each piece of the addresses of an end, and what the end is with only these: by the identity of the whole."""


class _One(NamedTuple):
    """One end: what it is in each network, and a number that is the same where nothing of it or its filters differs.
    Equal `versions` are one object. `missing`: it is not there in every network.
    """

    ends: tuple[Variants, ...]
    versions: tuple[int, ...]
    addresses: Ranges
    missing: bool = False

    @property
    def any(self) -> End:
        return next(end for ends in reversed(self.ends) for end in ends)


class _Pairing(NamedTuple):
    """In which networks a pair of ends is judged, the `numbers`, and what the others share with them.

    `runs` are the first networks of those in a row that have the same answer, each with the place of that answer in
    `numbers`. `mixes` are the answers that a state of several networks has.
    """

    numbers: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]
    mixes: tuple[tuple[int, ...], ...]


class _Judged:
    """The judgement of several states. What is asked of the same network is asked once."""

    def __init__(self, states: Sequence[State]) -> None:
        contexts = list({id(context): context for state in states for context in state}.values())
        place = {id(context): number for number, context in enumerate(contexts)}
        self._states = [tuple(place[id(context)] for context in state) for state in states]
        self._looked = not any(context.possible for context in contexts)
        parts = contexts[0].topology.parts
        self._topologies = [_with_parts(one.topology, parts, looked=self._looked) for one in contexts]
        self._versions = Versions(self._topologies)
        self._outside = tuple(
            _One(((one,),) * len(contexts), self._versions.everywhere, one.addresses) for one in outside(*contexts)
        )
        self._several = [number for number, state in enumerate(self._states) if len(state) > 1]
        self._pairings: dict[tuple[int, int], _Pairing] = {}
        self._bounds: dict[int, Bounds] = {}
        self._splits: dict[tuple[int, Bounds], tuple[_One, _Split]] = {}
        self._questions = 0
        self.left_out = 0

    def histories(self) -> Iterator[History]:
        for number, (source, target) in enumerate(self._pairs()):
            if number >= MOST_PAIRS or self._questions > MOST_QUESTIONS:
                self.left_out += 1
            else:
                yield from self._between(source, target)

    def _pairs(self) -> Iterator[tuple[_One, _One]]:
        """The pairs of ends that are judged: with what is outside, then those that the document names or a look shows,
        then those that may be there; of the last only what changes.
        """
        by_name, others = self._machines()
        groups = tuple(
            [
                (who, one)
                for who, one in found.items()
                if (len(set(one.versions)) > 1 and who.groups != (ANYBODY,)) is changes
            ]
            for found in (by_name, others)
            for changes in (True, False)
        )
        changing, still, may_change, may_be = groups
        for _, one in (*changing, *still, *may_change):
            for far in self._outside:
                yield from ((far, one), (one, far))
        for some, more in (
            *((changing, changing), (changing, still), (still, still), (changing, may_change), (changing, may_be)),
            *((still, may_change), (may_change, may_change), (may_change, may_be)),
        ):
            for (who, one), (other, theirs) in product(some, more):
                if not is_same_database(who, other):
                    yield one, theirs
                    if some is not more:
                        yield theirs, one

    def _machines(self) -> tuple[dict[Who, _One], dict[Who, _One]]:
        """The machines that the document names or a look shows, and those that may be there besides."""
        known: dict[int, Here] = {}
        found = [known.setdefault(id(one.endpoints), {}) or named(one) for one in self._topologies]
        for one, here in zip(self._topologies, found, strict=True):
            known[id(one.endpoints)] = here
        others: list[Here] = [{} for _ in found]
        if not self._looked:
            unnamed = self._unnamed(
                {group for here in found for ends in here.values() for one in ends for group in carried(one)}
            )
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
        them if a filter of the subnet does; as many as there is room for.
        """
        differing = {cell.of for cell in self._versions.differing if cell.table is Table.RULES}
        everywhere = len(set(self._versions.everywhere)) > 1
        some: list[tuple[Address, Address]] = []
        rest: list[tuple[Address, Address]] = []
        subnets = {at: groups for one in self._topologies for at, groups in all_groups(one.network, known)}
        for subnet, groups in subnets.items():
            changes = everywhere or any(map(varies, self._versions.of_place(subnet)))
            for group in groups:
                if group in differing or changes:
                    (some if group in differing else rest).append((subnet, group))
        found: dict[Address, list[Address]] = {subnet: [] for subnet in subnets}
        for subnet, group in (*some, *rest)[:MOST_UNNAMED]:
            found[subnet].append(group)
        self.left_out += max(len(some) + len(rest) - MOST_UNNAMED, 0)
        return found

    def _over_states(self, found: Sequence[Here]) -> dict[Who, _One]:
        there = {who: None for here in found for who in here}
        return {who: self._one(tuple(here.get(who, ()) for here in found)) for who in there}

    def _one(self, ends: tuple[Variants, ...]) -> _One:
        same: dict[Variants, Variants] = {}
        distinct = {id(some): same.setdefault(some, some) for some in {id(one): one for one in ends}.values()}
        ends = tuple(distinct[id(some)] for some in ends)
        parts = dict.fromkeys(end.addresses for some in same for end in some)
        return _One(ends, self._versions.of_end(ends), reduce(Ranges.__or__, parts), missing=() in same)

    def _pairing(self, one: _One, other: _One) -> _Pairing:
        key = id(one.versions), id(other.versions)  # they are kept, so that their identity stays theirs
        if key not in self._pairings:
            places: dict[tuple[int, int], int] = {}
            numbers: list[int] = []
            runs: list[tuple[int, int]] = []
            for number in sorted({0, *self._versions.changes(one.versions), *self._versions.changes(other.versions)}):
                place = places.setdefault((one.versions[number], other.versions[number]), len(numbers))
                if place == len(numbers):
                    numbers.append(number)
                runs.append((number, place))
            found = _Pairing(tuple(numbers), tuple(runs), ())
            answers = self._by_network(found) if self._several else []
            mixes = dict.fromkeys(tuple(dict.fromkeys(answers[at] for at in self._states[n])) for n in self._several)
            self._pairings[key] = found._replace(mixes=tuple(mixes))
        return self._pairings[key]

    def _by_network(self, pairing: _Pairing) -> list[int]:
        """The place of the answer for each network."""
        ends = (*(first for first, _ in pairing.runs[1:]), len(self._topologies))
        return [place for (first, place), end in zip(pairing.runs, ends, strict=True) for _ in range(end - first)]

    def _over(self, pairing: _Pairing, values: tuple[Arrives, ...]) -> tuple[Arrives, ...]:
        """The value of each state, given those of the answers and then of the mixes."""
        answers = self._by_network(pairing)
        found = [values[answers[state[0]]] for state in self._states]
        for number in self._several:
            mix = tuple(dict.fromkeys(answers[at] for at in self._states[number]))
            found[number] = values[len(pairing.numbers) + pairing.mixes.index(mix)]
        return tuple(found)

    def _between(self, source: _One, target: _One) -> Iterator[History]:
        """What passes from one end to another."""
        if source is target and is_one(source.any):
            return  # what a machine sends to itself is not filtered
        pairing = self._pairing(source, target)
        whole = [self._passing(number, source.ends[number], target.ends[number]) for number in pairing.numbers]
        if not any(possible for _, possible in whole):
            return
        found: dict[tuple[Arrives, ...], list[tuple[Cuts, Ranges, Ranges]]] = {}
        of_sources, of_targets = (self._split(*both) for both in self._cuts(source, target))
        one_piece = len(of_sources) == len(of_targets) == 1
        for of, of_ends in of_sources:
            for to, to_ends in of_targets:
                if bool(of.ipv6) != bool(to.ipv6):
                    continue
                through = whole
                if not one_piece:
                    through = [
                        self._passing(number, of_ends[id(source.ends[number])], to_ends[id(target.ends[number])])
                        if all_of_it[1]
                        else all_of_it
                        for number, all_of_it in zip(pairing.numbers, whole, strict=True)
                    ]
                for values, cuts in by_answer(through, pairing.mixes):
                    found.setdefault(values, []).append((cuts, of, to))
        unnamed = any(isinstance(one.any, Endpoint) and not one.any.owner for one in (source, target))
        there = self._there(source, target)
        for values, parts in found.items():
            if unnamed and len(set(values)) == 1:
                continue
            arrives = self._over(pairing, values)
            for traffic, pieces in by_traffic(parts):
                for of, to in together(pieces):
                    ends = source.any._replace(addresses=of), target.any._replace(addresses=to)
                    wholes = of == source.addresses, to == target.addresses
                    yield History(*ends, traffic, arrives, *wholes, there)

    def _there(self, source: _One, target: _One) -> tuple[bool, ...]:
        if not (source.missing or target.missing):
            return (True,) * len(self._states)
        return tuple(any(source.ends[number] and target.ends[number] for number in state) for state in self._states)

    def _cuts(self, source: _One, target: _One) -> tuple[tuple[_One, Bounds], tuple[_One, Bounds]]:
        """Each end, with the addresses at which the filters of the other one split it."""
        return (source, self._boundaries(target)), (target, self._boundaries(source))

    def _passing(self, number: int, sources: Variants, targets: Variants) -> Through:
        self._questions += 1
        topology = self._topologies[number]
        found = [passing(topology, source, target, LINE) for source in sources for target in targets]
        if len(found) == 1:
            certain, possible = found[0]
        else:
            certain, possible = join(*(one for one, _ in found)), join(*(one for _, one in found))
        return (() if any(map(is_anybody, targets)) else certain), possible

    def _split(self, one: _One, bounds: Bounds) -> _Split:
        """One end, split at these addresses. The same pieces for the same bounds, so that what passes at them is worked
        out once.
        """
        families = one.addresses.ipv4, one.addresses.ipv6
        inner: Any = tuple(
            edges[bisect_right(edges, cuts[0]) : bisect_left(edges, cuts[-1])] if cuts else ()
            for cuts, edges in zip(families, bounds, strict=True)
        )
        key = id(one), inner
        if key not in self._splits:  # it keeps the end, so that its identity stays its own
            distinct = {id(ends): ends for ends in one.ends}
            pieces = cut_up(one.addresses, inner, of_own=is_own_network(one.any))
            found = [(piece, {key: within(ends, piece) for key, ends in distinct.items()}) for piece in pieces]
            self._splits[key] = one, found
        return self._splits[key][1]

    def _boundaries(self, one: _One) -> Bounds:
        """Where the filters of an end begin or end to match an address of the other side, in any of the networks."""
        key = id(one)
        if key not in self._bounds:  # `_splits` and `_machines` keep the end, so that its identity stays its own
            cidrs: set[str] = set()
            for number in {version: number for number, version in enumerate(one.versions)}.values():
                places = {(end.groups, end.subnet) for end in one.ends[number] if isinstance(end, Endpoint)}
                cidrs.update(filter(is_cidr, matching(self._topologies[number], places)))
            self._bounds[key] = boundaries(cidrs)
        return self._bounds[key]


def _with_parts(topology: Topology, parts: dict[Any, Any], *, looked: bool) -> Topology:
    """The topology, with what all of them work out of the same cells."""
    one = replace(topology, parts=parts, memo={})
    return one if looked else with_anybody(one)
