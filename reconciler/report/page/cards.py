"""The cards of the map: who stands in a subnet, and what reaches it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.report.page.lanes import Lane, Lanes
from reconciler.report.page.reading import Json, listed, mapping, name_of, text
from reconciler.report.page.resources import Resource
from reconciler.report.page.shown_look import ShownLook


class Arrival(NamedTuple):
    """What reaches a card. `state`: `declared`, `open` (not declared) or `missing` (declared, does not arrive)."""

    state: str
    traffic: str
    source: str
    addresses: str | None
    target: str
    certain: bool


class Group(NamedTuple):
    """A group on a card. `state`: empty, `extra` (it is not declared) or `missing` (it is declared, and not there)."""

    name: str
    state: str = ""


class Card(NamedTuple):
    """A workload or a database in a subnet."""

    resource: Resource
    groups: tuple[Group, ...]
    arrivals: tuple[Arrival, ...]
    database: bool = False
    remarks: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def open(self) -> bool:
        return any(one.state == "open" for one in self.arrivals)


class Cards:
    """Every card of one look."""

    def __init__(self, receipt: Json, look: ShownLook, lanes: Lanes) -> None:
        self._look, self._lanes = look, lanes
        self._workloads = mapping(mapping(receipt, "network"), "workloads") or _ends_of_lanes(receipt)

    def of(self, subnet: str) -> Iterator[Card]:
        """Those in a subnet."""
        for name, one in self._workloads.items():
            if subnet in listed(one, "subnets"):
                yield self._workload(name, one, subnet)
        for address in self._look.all_of("db_instance"):
            placed = self._look.live if address in self._look.live.specs else self._look.declared
            subnets = placed.subnets_of_database(address)
            if subnet in subnets:
                yield self._database(address, elsewhere=len(subnets) > 1)

    def from_internet(self) -> tuple[Arrival, ...]:
        """What arrives from there, at whichever card."""
        return self._arrivals(lane for lane in self._lanes.all if lane.from_internet)

    def _workload(self, name: str, one: Json, subnet: str) -> Card:
        groups = tuple(Group(name_of(str(group))) for group in listed(one, "security_groups"))
        lanes = (lane for lane in self._lanes.all if name in _names(lane) and _stands_in(lane, subnet))
        return Card(Resource(f"workload/{name}"), groups, self._arrivals(lanes))

    def _database(self, address: str, *, elsewhere: bool) -> Card:
        look = self._look
        spec, seen = look.spec(address), mapping(look.there, address)
        remarks = ["publicly accessible"] if spec.get("publicly_accessible") else []
        status = text(seen, "status")
        remarks += [status] if status and status != "available" else []
        remarks += ["does not exist"] if not seen else []
        remarks += ["may stand here"] if elsewhere else []
        live = [str(group) for group in listed(spec, "vpc_security_groups")]
        wanted = [str(group) for group in listed(look.declared.specs.get(address, {}), "vpc_security_groups")]
        groups = [Group(name_of(one), "extra" if wanted and one not in wanted else "") for one in live]
        groups += [Group(name_of(one), "missing") for one in wanted if one not in live]
        return Card(
            look.resources.at(address),
            tuple(groups),
            self._arrivals(lane for lane in self._lanes.all if address in _names(lane)),
            database=True,
            remarks=tuple(remarks),
            numbers=look.own_numbers(address),
        )

    def _arrivals(self, lanes: Iterable[Lane]) -> tuple[Arrival, ...]:
        """What arrives in the state that the map shows, and what should; the gravest first."""
        found = []
        for lane in lanes:
            on = lane.ends[self._look.last]
            if on or not lane.undeclared:
                state = "open" if lane.undeclared else "declared" if on else "missing"
                found.append(Arrival(state, lane.traffic, lane.source, lane.addresses, lane.target, lane.certain))
        return tuple(sorted(dict.fromkeys(found), key=lambda one: ("open", "missing", "declared").index(one.state)))


def _ends_of_lanes(receipt: Json) -> Json:
    """The workloads at which a lane ends, for a receipt that does not have the document's."""
    found: dict[str, dict[str, list[str]]] = {}
    for flow in listed(mapping(receipt, "lanes"), "flows"):
        for end in (mapping(flow, "from"), mapping(flow, "to")):
            if end.get("kind") == "workload" and end.get("name"):
                found.setdefault(str(end["name"]), {"subnets": listed(end, "subnets")})
    return found


def _names(lane: Lane) -> tuple[str | None, str]:
    return lane.target_address, lane.target.removeprefix("workload ")


def _stands_in(lane: Lane, subnet: str) -> bool:
    return not lane.target_subnets or subnet in lane.target_subnets
