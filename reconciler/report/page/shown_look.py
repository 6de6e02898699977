"""The look that the map shows, beside the document: what is there, what differs, what nobody declares. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.report.page.differences import DONE, Differences
from reconciler.report.page.placement import Placement
from reconciler.report.page.reading import Json, kind_of, listed, mapping, text
from reconciler.report.page.resources import Resource, Resources


class ShownLook:
    """Of a plan its only look, of an apply its last one.

    `there` is what is declared and was seen, `strangers` what was seen and is not declared, both by address and as the
    receipt has them; `strange` are the specs of the latter. `live` and `declared` say where the subnets belong.
    """

    def __init__(self, receipt: Json, resources: Resources, differences: Differences) -> None:
        network = mapping(receipt, "network")
        self.resources = resources
        self.last = bool(mapping(network, "last"))
        self.look = mapping(network, "last") or mapping(network, "first")
        self.there = mapping(self.look, "resources")
        self.strangers = mapping(self.look, "unmanaged")
        self.strange = {address: mapping(one, "spec") or None for address, one in self.strangers.items()}
        seen = {address: mapping(one, "spec") for address, one in self.there.items() if one.get("spec")}
        self.live, self.declared = Placement(seen, self.strange), Placement(mapping(network, "declared"))
        self._numbers = differences.numbers
        self._drifted = listed(receipt, "drifted")
        self._about: dict[str, list[int]] = {}
        for index, one in enumerate(self._drifted):
            if index in self._numbers:
                for address in {str(one.get("address")), str(one.get("key"))}:
                    self._about.setdefault(address, []).append(index)
        self._by_kind: dict[str, list[str]] = {}
        for address in dict.fromkeys([*mapping(network, "declared"), *self.there]):
            self._by_kind.setdefault(kind_of(address), []).append(address)

    def all_of(self, kind: str) -> list[str]:
        """The addresses of a kind, declared or seen."""
        return self._by_kind.get(kind, [])

    def spec(self, address: str) -> Json:
        """How it was seen; how it is declared where it was not."""
        return self.live.specs.get(address) or self.declared.specs.get(address) or {}

    def differs(self, address: str) -> bool:
        """Whether a resource is not as declared in this look."""
        own = (self._drifted[index] for index in self._about.get(address, ()))
        return any(one.get("address") == address and one.get("outcome") not in DONE for one in own)

    def numbers(self, address: str) -> tuple[int, ...]:
        """The numbers of the differences that concern an address: its own, and those of which it is a member."""
        return self._numbered(self._about.get(address, ()))

    def own_numbers(self, address: str) -> tuple[int, ...]:
        """The numbers of the differences of a resource itself."""
        about = self._about.get(address, ())
        return self._numbered(index for index in about if self._drifted[index].get("address") == address)

    def numbers_of_use(self, kind: str, subnet: str, used: Iterable[str]) -> tuple[int, ...]:
        """The numbers of the differences in which table or ACL a subnet uses, and in what those `used` say."""
        chosen = (index for index in self._about.get(subnet, ()) if self._kind(index) == kind)
        said = (index for one in used for index in self._about.get(one, ()) if self._field(index) != "subnets")
        return self._numbered([*chosen, *said])

    def stranger(self, address: str) -> Resource:
        """A resource that nobody declares, by its name if it has one."""
        one = self.strangers[address]
        name = text(one, "name")
        return self.resources.known(f"{kind_of(address)}/{name}" if name else address, text(one, "id"))

    def _kind(self, index: int) -> str:
        return kind_of(str(self._drifted[index].get("address")))

    def _field(self, index: int) -> object:
        return self._drifted[index].get("field")

    def _numbered(self, indexes: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted({self._numbers[index] for index in indexes}))
