"""The network as it would be without some of the differences between the live one and the document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import SECTIONS, Resource
from reconciler.kinds import declared_effects
from reconciler.model import ABSENT, Difference, Effect, Snapshot
from reconciler.reach.network import WHOLE, Cell, Network, Table, whole

type _Members = dict[tuple[Cell, Any], Any]
"""Members of the network's table, with their values."""


def affects_traffic(one: Difference, snapshot: Snapshot) -> bool:
    """Whether correcting a difference changes the network's table."""
    if one.field == "tags" or not (one.field or isinstance(one.want, Resource)):
        return False
    seen = snapshot.resources.get(one.address)
    spec = seen.spec if seen else None
    return _members(one.address, spec) != _members(one.address, _corrected(spec, [one]))


class Corrections:
    """Some differences of one look, each of which may be corrected or not, whatever calls that would take."""

    def __init__(self, snapshot: Snapshot, live: Network, differences: Iterable[Difference]) -> None:
        self._snapshot, self._live, self.differences = snapshot, live, tuple(differences)
        self.all = frozenset(range(len(self.differences)))
        self._wanted: Mapping[tuple[Cell, Any], Any] = {}
        self._wanted = {(cell, member): value for cell, member, value in self.effects(self.all) if value is not None}

    def effects(self, corrected: frozenset[int]) -> list[Effect]:
        """What correcting these differences, by their places in `differences`, does to the live network."""
        by_address: dict[Address, list[Difference]] = {}
        for number in sorted(corrected):
            one = self.differences[number]
            by_address.setdefault(one.address, []).append(one)
        removed: dict[tuple[Cell, Any], Any] = {}
        made: dict[tuple[Cell, Any], Any] = {}
        for address, some in by_address.items():
            seen = self._snapshot.resources.get(address)
            spec = seen.spec if seen else None
            now, then = _members(address, spec), _members(address, _corrected(spec, some))
            made |= {member: value for member, value in then.items() if now.get(member) != value}
            # What leaves a place goes where the document has it, although that is another difference.
            removed |= {member: self._wanted.get(member) for member in now.keys() - then.keys()}
        # A cell without members is there too: what has no cell may let through anything.
        cells = (
            one
            for at, some in by_address.items()
            for one in _cells(at, _corrected(None, some))
            if one not in self._live
        )
        members = ((cell, member, value) for (cell, member), value in (removed | made).items())
        return [*(whole(cell, {}) for cell in cells), *members]


def _corrected(spec: Resource | None, differences: Iterable[Difference]) -> Resource | None:
    """A live resource without these differences."""
    for one in differences:
        if not one.field:
            spec = one.want
        elif spec is not None:
            spec = spec.but(**{one.field: _corrected_value(getattr(spec, one.field), one)})
    return spec


def _corrected_value(current: Any, one: Difference) -> Any:
    if one.key is None:
        return one.want
    collection: Any = SECTIONS[one.address.kind].collection(one.field)
    if isinstance(current, dict):
        rest = {key: value for key, value in current.items() if key != one.key}
        return collection(rest if one.want is ABSENT else rest | {one.key: one.want})
    others = frozenset(current or ()) - {one.key}
    return collection(others if one.want is ABSENT else others | {one.key})


def _members(address: Address, spec: Resource | None) -> _Members:
    """What a resource adds to the network's table, member by member, without the descriptions of rules."""
    found: _Members = {}
    for cell, member, value in declared_effects(address, spec) if spec else ():
        members = value.items() if member is WHOLE else ((member, value),)
        plain = cell.table is Table.RULES
        found |= {(cell, one): True if plain else inner for one, inner in members}
    return {member: value for member, value in found.items() if value is not None}


def of_absent(document: Document, snapshot: Snapshot) -> Iterator[Effect]:
    """A group that is not there lets nothing through: EC2 deletes none that a machine has (DeleteSecurityGroup)."""
    for address, spec in document.of_kind("security_group").items():
        if snapshot.absent(address):
            yield from (whole(cell, {}) for cell in _cells(address, spec))


def _cells(address: Address, spec: Resource | None) -> Iterator[Cell]:
    """The cells that a resource fills as a whole."""
    for cell, member, _ in declared_effects(address, spec) if spec else ():
        if member is WHOLE:
            yield cell
