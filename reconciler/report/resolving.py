"""Which differences a call resolves. Pure.

A call names fields (`Action.resolves`). Of two rules of one group each has its own call, so the member decides where
the call says it: in what it changes in the network's table, in the tags that it sets, or in the id of the rule that it
names. A call that says none resolves all of its field, such as the one that creates a temporary ACL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from desired_state.fields import NOWHERE, Address
from reconciler.model import Action, Difference, refs


class Resolving:
    """The differences of a report, to be found by the calls."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self._of_field: dict[tuple[Address, str], list[tuple[int, Any]]] = defaultdict(list)
        self._missing: dict[Address, list[int]] = defaultdict(list)
        for index, one in enumerate(differences):
            if one.field:
                self._of_field[one.address, one.field].append((index, one.key))
            else:
                self._missing[one.address].append(index)

    def of(self, action: Action) -> list[int]:
        """The indexes of what this call resolves, or helps to; a missing resource takes all calls at its address."""
        found = set(self._missing.get(action.address, ()))
        for name in action.resolves:
            if members := self._of_field.get(name):
                found |= _named(members, set(_members(action, *name)))
        return sorted(found)


def _named(members: Iterable[tuple[int, Any]], keys: set[Any]) -> set[int]:
    exactly = {index for index, key in members if key is not None and str(key) in keys}
    return exactly or {index for index, _ in members}


def _members(action: Action, address: Address, field: str) -> Iterator[str]:
    """The members of a field that a call names, as text: what a plan names is text too."""
    for cell, member, _ in action.effect:
        if cell.of in {address, NOWHERE} and cell.side in {field, ""}:
            yield str(member)
    if field == "tags":
        yield from (str(one.get("Key")) for one in action.params.get("Tags", ()))
    for ref in refs(action.params):
        if ref.to == address and ref.handle.startswith(f"{field} "):
            yield ref.handle.removeprefix(f"{field} ")
