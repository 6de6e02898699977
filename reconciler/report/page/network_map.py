"""The map: internet, gateways, VPC, zones, subnets, and on each card who arrives. Pure.

It shows the last look: of a plan what is so now, after an apply what is so then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.report.page.differences import DONE, Differences
from reconciler.report.page.lanes import Lane, Lanes
from reconciler.report.page.placement import Placement, zones
from reconciler.report.page.reading import Json, in_words, kind_of, listed, mapping, name_of, text
from reconciler.report.page.resources import Resource, Resources
from reconciler.report.page.words import counted, member, moment

SUBNETS = 6
"""Of a zone with more subnets, those that differ are shown and the rest is one line."""
GROUPS = 24
"""Of more groups, those that differ are shown, up to so many."""
MOST = 300
"""The most names that are listed in one place; the rest is counted."""
_GROUPS = ("security_group", "db_subnet_group")
_SHARED = ("route_table", "network_acl")


class Value(NamedTuple):
    """A fact of the map. `declared` is None where it is as declared."""

    live: str
    declared: str | None = None
    numbers: tuple[int, ...] = ()


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
    """A workload or a database in a subnet. `elsewhere`: it may also stand in another subnet."""

    resource: Resource
    groups: tuple[Group, ...]
    arrivals: tuple[Arrival, ...]
    database: bool = False
    remarks: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    elsewhere: bool = False

    @property
    def open(self) -> bool:
        return any(one.state == "open" for one in self.arrivals)


class Subnet(NamedTuple):
    """A subnet; `missing`: it is declared and does not exist."""

    resource: Resource
    cidr: str | None
    public: bool
    public_declared: bool | None
    routes: Value
    acl: Value
    cards: tuple[Card, ...]
    numbers: tuple[int, ...]
    missing: bool
    unmanaged: bool

    @property
    def differs(self) -> bool:
        mentioned = self.numbers or self.routes.numbers or self.acl.numbers or self.missing
        return bool(mentioned or any(card.open or card.numbers for card in self.cards))

    @property
    def turned_public(self) -> bool:
        return self.public and self.public_declared is False


class Zone(NamedTuple):
    """An availability zone; `further` are subnets that are as declared and not drawn."""

    name: str
    subnets: tuple[Subnet, ...]
    further: tuple[Resource, ...]


class Shared(NamedTuple):
    """A group, a table or an ACL, or something that nobody declares."""

    resource: Resource
    about: str
    rules: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    managed: bool = True
    made_with_vpc: bool = False
    missing: bool = False
    remark: str | None = None
    differs: bool = False


class Gateway(NamedTuple):
    """An internet gateway."""

    resource: Resource
    attached: bool
    numbers: tuple[int, ...]
    managed: bool


class Vpc(NamedTuple):
    """A VPC."""

    resource: Resource
    cidr: str | None
    numbers: tuple[int, ...]
    missing: bool


class NetworkMap(NamedTuple):
    """All of it. `unknown`: why there is none. `at` is when it was looked at; `past`: it is after an apply."""

    at: str | None = None
    after_apply: bool = False
    arrivals: tuple[Arrival, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    vpcs: tuple[Vpc, ...] = ()
    zones: tuple[Zone, ...] = ()
    groups: tuple[Shared, ...] = ()
    further_differing: tuple[Resource, ...] = ()
    further: tuple[Resource, ...] = ()
    unmanaged: tuple[Shared, ...] = ()
    unmanaged_left_out: int = 0
    arrivals_unknown: str | None = None
    unknown: str | None = None


def network_map(receipt: Json, resources: Resources, differences: Differences, lanes: Lanes) -> NetworkMap:
    """The map of a receipt."""
    network = mapping(receipt, "network")
    look = mapping(network, "last") or mapping(network, "first")
    if not look:
        return NetworkMap(unknown="This run has not kept what it saw of the network, so there is nothing to draw.")
    return _Drawing(receipt, resources, differences, lanes, network, look).drawn()


class _Drawing:
    def __init__(
        self, receipt: Json, resources: Resources, differences: Differences, lanes: Lanes, network: Json, look: Json
    ) -> None:
        self._receipt, self._resources, self._differences, self._lanes = receipt, resources, differences, lanes
        self._drifted = listed(receipt, "drifted")
        self._about: dict[str, list[int]] = {}
        for index, one in enumerate(self._drifted):
            if index in differences.numbers:
                for address in {str(one.get("address")), str(one.get("key"))}:
                    self._about.setdefault(address, []).append(index)
        self._look = look
        self._last = bool(mapping(network, "last"))
        self._there = mapping(look, "resources")
        self._strangers = mapping(look, "unmanaged")
        self._specs = mapping(network, "declared")
        self._workloads = mapping(network, "workloads")
        strange = {address: mapping(one, "spec") or None for address, one in self._strangers.items()}
        self._live = Placement({a: mapping(one, "spec") for a, one in self._there.items() if one.get("spec")}, strange)
        self._declared = Placement(self._specs)
        self._strange = strange
        self._by_kind: dict[str, list[str]] = {}
        for address in dict.fromkeys([*self._specs, *self._there]):
            self._by_kind.setdefault(kind_of(address), []).append(address)

    def drawn(self) -> NetworkMap:
        groups = sorted(self._shared(), key=lambda one: not (one.numbers or one.missing))
        differing = [one for one in groups if one.numbers or one.missing]
        drawn = groups if len(groups) <= GROUPS else differing[:GROUPS]
        kept = {one.resource.address for one in [*drawn, *differing]}
        unmanaged = list(self._unmanaged())
        return NetworkMap(
            at=moment(text(self._look, "at"), seconds=True),
            after_apply=self._last,
            arrivals=tuple(self._arrivals(one for one in self._lanes.all if one.from_internet)),
            gateways=tuple(self._gateways()),
            vpcs=tuple(self._vpcs()),
            zones=tuple(self._zones()),
            groups=tuple(drawn),
            further_differing=tuple(one.resource for one in differing[GROUPS:] if len(groups) > GROUPS),
            further=tuple(one.resource for one in groups if one.resource.address not in kept),
            unmanaged=tuple(unmanaged[:MOST]),
            unmanaged_left_out=max(0, len(unmanaged) - MOST),
            arrivals_unknown=self._lanes.unknown,
        )

    def _numbers(self, address: str) -> tuple[int, ...]:
        return self._numbered(self._about.get(address, ()))

    def _numbered(self, indexes: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted({self._differences.numbers[index] for index in indexes}))

    def _own_numbers(self, address: str) -> tuple[int, ...]:
        return self._numbered(n for n in self._about.get(address, ()) if self._drifted[n].get("address") == address)

    def _all_of(self, kind: str) -> list[str]:
        return self._by_kind.get(kind, [])

    def _differs(self, address: str) -> bool:
        """Whether a resource is not as declared in the look that the map shows."""
        own = (self._drifted[n] for n in self._about.get(address, ()))
        return any(one.get("address") == address and one.get("outcome") not in DONE for one in own)

    def _spec(self, address: str) -> Json:
        return self._live.specs.get(address) or self._declared.specs.get(address) or {}

    def _gateways(self) -> Iterator[Gateway]:
        for address in self._all_of("internet_gateway"):
            attached = address in self._there and self._live.attached(address)
            yield Gateway(self._resources.at(address), attached, self._numbers(address), managed=True)
        for address, one in self._strangers.items():
            if kind_of(address) == "internet_gateway":
                yield Gateway(self._stranger(address, one), attached=True, numbers=(), managed=False)

    def _vpcs(self) -> Iterator[Vpc]:
        for address in self._all_of("vpc"):
            cidr = text(self._spec(address), "cidr_block")
            yield Vpc(self._resources.at(address), cidr, self._own_numbers(address), address not in self._there)

    def _zones(self) -> Iterator[Zone]:
        strangers = Placement({a: spec for a, spec in self._strange.items() if spec})
        zone_of = zones([self._live, self._declared, strangers])
        by_zone: dict[str, list[Subnet]] = {}
        strange = [address for address in self._strangers if kind_of(address) == "subnet"]
        for address in [*self._all_of("subnet"), *strange]:
            by_zone.setdefault(zone_of.get(address, "zone not known"), []).append(self._subnet(address))
        for name in sorted(by_zone):
            subnets = by_zone[name]
            shown = subnets if len(subnets) <= SUBNETS else [one for one in subnets if one.differs]
            further = tuple(one.resource for one in subnets if one not in shown)
            yield Zone(name, tuple(shown), further)

    def _subnet(self, address: str) -> Subnet:
        strange = address in self._strangers
        spec = (self._strange.get(address) or {}) if strange else self._spec(address)
        declared = address in self._declared.specs
        missing = not strange and address not in self._there
        seen = self._declared if missing else self._live
        return Subnet(
            resource=self._stranger(address, self._strangers[address]) if strange else self._resources.at(address),
            cidr=text(spec, "cidr_block"),
            public=seen.public(address),
            public_declared=self._declared.public(address) if declared else None,
            routes=self._value("route_table", address, seen, declared=declared),
            acl=self._value("network_acl", address, seen, declared=declared),
            cards=tuple(self._cards(address)),
            numbers=self._own_numbers(address),
            missing=missing,
            unmanaged=strange,
        )

    def _value(self, kind: str, subnet: str, seen: Placement, *, declared: bool) -> Value:
        live, wanted = seen.named(kind, subnet), self._declared.user(kind, subnet)
        of_subnet = (n for n in self._about.get(subnet, ()) if kind_of(str(self._drifted[n].get("address"))) == kind)
        used = dict.fromkeys(one for one in (live, wanted) if one)
        of_used = (n for one in used for n in self._about.get(one, ()) if self._drifted[n].get("field") != "subnets")
        differs = declared and wanted is not None and wanted != live
        return Value(
            name_of(live), name_of(wanted) if differs and wanted else None, self._numbered([*of_subnet, *of_used])
        )

    def _cards(self, subnet: str) -> Iterator[Card]:
        for name, one in self._known_workloads().items():
            if subnet in listed(one, "subnets"):
                groups = tuple(Group(name_of(str(group))) for group in listed(one, "security_groups"))
                arrivals = self._arrivals(
                    lane for lane in self._lanes.all if name in _names(lane) and _stands_in(lane, subnet)
                )
                yield Card(Resource(f"workload/{name}"), groups, arrivals=tuple(arrivals))
        for address in self._all_of("db_instance"):
            placed = self._live if address in self._live.specs else self._declared
            subnets = placed.subnets_of_database(address)
            if subnet in subnets:
                yield self._database(address, elsewhere=len(subnets) > 1)

    def _known_workloads(self) -> Json:
        """The document's workloads; without them those at which a lane ends."""
        if self._workloads:
            return self._workloads
        found: dict[str, dict[str, list[str]]] = {}
        for flow in listed(mapping(self._receipt, "lanes"), "flows"):
            for end in (mapping(flow, "from"), mapping(flow, "to")):
                if end.get("kind") == "workload" and end.get("name"):
                    found.setdefault(str(end["name"]), {"subnets": listed(end, "subnets")})
        return found

    def _database(self, address: str, *, elsewhere: bool) -> Card:
        spec, seen = self._spec(address), mapping(self._there, address)
        remarks = ["publicly accessible"] if spec.get("publicly_accessible") else []
        status = text(seen, "status")
        remarks += [status] if status and status != "available" else []
        remarks += ["does not exist"] if not seen else []
        remarks += ["may stand here"] if elsewhere else []
        arrivals = self._arrivals(lane for lane in self._lanes.all if address in _names(lane))
        live = [str(group) for group in listed(spec, "vpc_security_groups")]
        wanted = [str(group) for group in listed(self._declared.specs.get(address, {}), "vpc_security_groups")]
        groups = [Group(name_of(one), "extra" if wanted and one not in wanted else "") for one in live]
        groups += [Group(name_of(one), "missing") for one in wanted if one not in live]
        numbers = self._own_numbers(address)
        return Card(
            self._resources.at(address),
            tuple(groups),
            arrivals=tuple(arrivals),
            database=True,
            remarks=tuple(remarks),
            numbers=numbers,
            elsewhere=elsewhere,
        )

    def _arrivals(self, lanes: Iterable[Lane]) -> list[Arrival]:
        """What arrives in the state that the map shows, and what should; the gravest first."""
        found = []
        for lane in lanes:
            on = lane.ends[self._last]
            wrong = lane.flow in {"undeclared", "broken"}
            if on or not wrong:
                state = "open" if wrong else "declared" if on else "missing"
                found.append(Arrival(state, lane.traffic, lane.source, lane.addresses, lane.target, lane.certain))
        return sorted(dict.fromkeys(found), key=lambda one: ("open", "missing", "declared").index(one.state))

    def _shared(self) -> Iterator[Shared]:
        for kind in (*_GROUPS, *_SHARED):
            for address in self._all_of(kind):
                spec = self._spec(address)
                missing = address not in self._there
                rules = tuple(_rules(spec))
                yield Shared(
                    self._resources.at(address),
                    _about(kind, spec),
                    rules,
                    self._own_numbers(address),
                    missing=missing,
                    differs=missing or self._differs(address),
                )

    def _unmanaged(self) -> Iterator[Shared]:
        remarks = {str(one.get("address")): one for one in listed(self._receipt, "unmanaged")}
        known = {address: self._stranger(address, one) for address, one in self._strangers.items()}
        ids = {one.id for one in known.values()}
        for address, one in remarks.items():
            if one.get("id") not in ids:
                known[address] = self._resources.known(address, text(one, "id"))
        by_id = {text(one, "id"): text(one, "remark") for one in remarks.values()}
        for address, resource in known.items():
            spec = self._strange.get(address) or {}
            made = bool(mapping(self._strangers, address).get("made_by_aws"))
            yield Shared(
                resource,
                _about(kind_of(address), spec),
                tuple(_rules(spec)),
                managed=False,
                made_with_vpc=made,
                remark=by_id.get(resource.id),
            )

    def _stranger(self, address: str, one: Json) -> Resource:
        name = text(one, "name")
        known = f"{kind_of(address)}/{name}" if name else address
        return self._resources.known(known, text(one, "id"))


def _names(lane: Lane) -> tuple[str | None, str]:
    return lane.target_address, lane.target.removeprefix("workload ")


def _stands_in(lane: Lane, subnet: str) -> bool:
    return not lane.target_subnets or subnet in lane.target_subnets


def _about(kind: str, spec: Json) -> str:
    words = in_words(kind)
    match kind:
        case "security_group" if spec:
            rules = len(listed(spec, "ingress")) + len(listed(spec, "egress"))
            return f"{words}, {counted(rules, 'rule')}"
        case "network_acl" if spec:
            entries = len(mapping(spec, "ingress")) + len(mapping(spec, "egress"))
            return f"{words}, {counted(entries, 'entry', 'entries')}"
        case "route_table" if spec:
            return f"{words}, {counted(len(mapping(spec, 'routes')), 'route')}"
        case "db_subnet_group" if spec:
            return f"{words}, {counted(len(listed(spec, 'subnets')), 'subnet')}"
        case _:
            return words


def _rules(spec: Json) -> Iterator[str]:
    """What a group, an ACL or a table lets through, one line each."""
    for field, word in (("ingress", "in"), ("egress", "out")):
        given = spec.get(field)
        if isinstance(given, list):
            yield from (f"{word} {member(one)}" for one in given)
        elif isinstance(given, dict):
            yield from (f"{word} {number} {member(one)}" for number, one in given.items())
    yield from (f"{block} to {target}" for block, target in mapping(spec, "routes").items())
