"""What a new document refers to and does not declare, where an id cannot stand in its place. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from desired_state.fields import Address
from desired_state.resource import SECTIONS
from reconciler.importing.naming import names_of, natural
from reconciler.importing.network import Live, LiveNetwork


class External:
    """The entries of `external`: resources of other documents, by their name there, and what AWS knows by its name
    alone. `names` has the address of everything that may be referred to, by key.
    """

    def __init__(self, network: LiveNetwork, taken: Iterable[Address]) -> None:
        self._network, self._taken = network, set(taken)
        others = [*(one.live for one in network.foreign.values()), *(one.live for one in network.declined)]
        self._lives = {one.key: one for one in (*others, *network.own)}
        self.names: dict[Address, Address] = {}
        self._entries: dict[Address, dict[str, str]] = {}

    def refresh(self, declared: Mapping[Address, Address], refused: Container[Address]) -> None:
        """Name everything that is not `declared` and not `refused`, so that each may be referred to."""
        self.names, self._entries = {}, {}
        others = [one for one in self._lives.values() if one.key not in declared and one.key not in refused]
        wanted: dict[Address, list[tuple[Live, dict[str, str]]]] = {}
        for one in others:
            if entry := self._entry(one):
                name = entry.get("name") or entry.get("id") or ""
                wanted.setdefault(Address.of(one.kind.name, name), []).append((one, entry))
        taken = {*self._taken, *declared.values()}
        clashing = []
        for at, some in wanted.items():
            if len(some) == 1 and at not in taken and not SECTIONS[at.kind].name_problem(at.name):
                self._add(at, *some[0])
            else:
                clashing += some
        named = names_of((one for one, _ in clashing), self._network.around, "", [*taken, *self._entries])
        for one, entry in clashing:
            self._add(named[one.key], one, entry)

    def _entry(self, live: Live) -> dict[str, str] | None:
        foreign = self._network.foreign.get(live.key)
        if foreign and foreign.document and foreign.name and live.kind.name != "vpc":
            return {"document": foreign.document, "name": foreign.name}
        return {"id": live.id} if SECTIONS[live.kind.name].id_form is None else None

    def _add(self, at: Address, live: Live, entry: dict[str, str]) -> None:
        self.names[live.key] = at
        self._entries[at] = {key: text for key, text in entry.items() if (key, text) != ("name", at.name)}

    def key_of(self, address: Address) -> Address | None:
        """The key of what has this address here."""
        return next((key for key, at in self.names.items() if at == address), None)

    def written(self, referred: set[str]) -> dict[str, dict[str, str]]:
        """The entries of those that are referred to."""
        return {str(at): self._entries[at] for at in sorted(self._entries, key=natural) if at in referred}
