"""In which of several networks something else decides about packets, as numbers: equal where nothing differs. Pure.

Each thing that decides, such as the rules of a group, has one number for each network. Most never change, so that to
ask what passes between two ends in all networks is to ask it in a few of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from desired_state.fields import Address
from reconciler.reach.machines import Variants, carried, filters_of, filters_of_nats, is_elsewhere
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    LOCAL,
    MAIN,
    SIDES,
    SUBNETS,
    TABLE_OF,
    UNREADABLE,
    USABLE,
    Cell,
    Table,
    rules,
)
from reconciler.reach.pair.ends import Endpoint
from reconciler.reach.pair.topology import Topology

type Numbers = tuple[int, ...]
"""One for each network."""

_ROUTES = frozenset({Table.ROUTES, Table.ROUTES_BY_AWS})


class Versions:
    """What differs between several networks. `differing` are the cells that are not the same in all of them, and
    `everywhere` is equal where what decides about packets anywhere is.
    """

    def __init__(self, topologies: Sequence[Topology]) -> None:
        self._topologies = topologies
        self.differing = dict(_differing(topologies))
        self._interned: dict[Numbers, Numbers] = {}
        self._changes: dict[Numbers, Numbers] = {}
        self._places: dict[Address, list[Numbers]] = {}
        self._moves = any(cell in self.differing for cell in (TABLE_OF, ACL_OF, MAIN, DEFAULT_ACL, UNREADABLE))
        self.everywhere = self._together([numbers(map(self._of_all, range(len(topologies))))])

    def of_end(self, ends: Sequence[Variants]) -> Numbers:
        """Of one end, which is this in each network: equal where it, and every filter of its packets, is the same.
        What is equal is one object, and so must equal ends be.
        """
        distinct = {id(some): some for some in ends}.values()
        vectors = [self.everywhere]
        if len(distinct) > 1:
            vectors.append(numbers(map(id, ends)))
        cells = {rules(group, side) for some in distinct for end in some for group in carried(end) for side in SIDES}
        vectors += (self.differing[cell] for cell in sorted(cells) if cell in self.differing)
        for subnet in {end.subnet for some in distinct for end in some if isinstance(end, Endpoint)}:
            vectors += self.of_place(subnet)
        return self._together(vectors)

    def of_place(self, subnet: Address) -> list[Numbers]:
        """Equal where what filters packets that enter or leave a subnet is the same."""
        if subnet not in self._places:
            cells = self._cells_of(self._topologies[0], subnet)
            found = [self.differing[cell] for cell in cells if cell in self.differing]
            if self._moves or any(cell.table in _ROUTES for cell in cells if cell in self.differing):
                used = [self._cells_of(one, subnet) for one in self._topologies]
                found = [
                    self.differing[cell]
                    for cell in dict.fromkeys(one for some in used for one in some)
                    if cell in self.differing
                ]
                found.append(
                    numbers(
                        (some, subnet in one.network[TABLE_OF])
                        for some, one in zip(used, self._topologies, strict=True)
                    )
                )
            self._places[subnet] = found
        return self._places[subnet]

    def changes(self, versions: Numbers) -> Numbers:
        """The networks that differ from the one before."""
        if versions not in self._changes:
            self._changes[versions] = tuple(n for n, (was, now) in enumerate(pairwise(versions), 1) if was != now)
        return self._changes[versions]

    def _together(self, vectors: Iterable[Numbers]) -> Numbers:
        """A number for each network, equal where all of these are."""
        varying = list(filter(varies, vectors))
        found = numbers(zip(*varying, strict=True)) if varying else (0,) * len(self._topologies)
        return self._interned.setdefault(found, found)

    @staticmethod
    def _cells_of(topology: Topology, subnet: Address) -> tuple[Cell, ...]:
        return (*filters_of(topology.network, subnet), *filters_of_nats(topology, subnet))

    def _of_all(self, number: int) -> object:
        """What decides about packets anywhere in one network."""
        topology = self._topologies[number]
        cells = tuple(
            versions[number]
            for cell, versions in self.differing.items()
            if cell in (USABLE, LOCAL, SUBNETS, UNREADABLE)
        )
        elsewhere = frozenset(cell for cell in self.differing if is_elsewhere(cell) and cell in topology.network.cells)
        return cells, elsewhere, topology.relays, tuple(sorted(topology.nats.items()))


def varies(versions: Numbers) -> bool:
    """Whether something is not the same in all networks."""
    return versions.count(versions[0]) != len(versions)


def _differing(topologies: Sequence[Topology]) -> Iterator[tuple[Cell, Numbers]]:
    """The cells that are not the same in all networks, with a number for each network: equal for equal members."""
    tables = [one.network.cells for one in topologies]
    found = {
        cell: None for was, now in pairwise(tables) for cell, members in now.items() if was.get(cell) is not members
    }
    found |= {cell: None for was, now in pairwise(tables) for cell in was.keys() - now.keys()}
    for cell in found:
        numbers = _by_members([cells.get(cell) for cells in tables])
        if any(numbers):
            yield cell, numbers


def _by_members(found: Sequence[Mapping[Any, Any] | None]) -> Numbers:
    distinct: list[Mapping[Any, Any] | None] = []
    by_identity: dict[int, int] = {}
    for one in found:
        if id(one) not in by_identity:
            known = next((n for n, other in enumerate(distinct) if other == one), len(distinct))
            if known == len(distinct):
                distinct.append(one)
            by_identity[id(one)] = known
    return tuple(by_identity[id(one)] for one in found)


def numbers(values: Iterable[object]) -> Numbers:
    """A number for each value, equal for equal ones."""
    known: dict[object, int] = {}
    return tuple(known.setdefault(value, len(known)) for value in values)
