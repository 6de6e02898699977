"""The map: internet, gateways, VPC, zones, subnets, and on each card who arrives. Pure.

It shows the last look: of a plan what is so now, after an apply what is so then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.report.page.cards import Arrival, Card, Cards
from reconciler.report.page.differences import Differences
from reconciler.report.page.lanes import Lanes
from reconciler.report.page.placement import Placement, zones
from reconciler.report.page.reading import Json, kind_of, name_of, text
from reconciler.report.page.resources import Resource, Resources
from reconciler.report.page.shared import Shared, shared, unmanaged
from reconciler.report.page.shown_look import ShownLook
from reconciler.report.page.words import moment

SUBNETS = 6
"""Of a zone with more subnets, those that differ are shown and the rest is one line."""
MOST = 300
"""The most names that are listed in one place; the rest is counted."""


class Value(NamedTuple):
    """A fact of the map. `declared` is None where it is as declared."""

    live: str
    declared: str | None = None
    numbers: tuple[int, ...] = ()


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
    look = ShownLook(receipt, resources, differences)
    if not look.look:
        return NetworkMap(unknown="This run has not kept what it saw of the network, so there is nothing to draw.")
    cards, groups, strange = Cards(receipt, look, lanes), shared(look), list(unmanaged(receipt, look))
    return NetworkMap(
        at=moment(text(look.look, "at"), seconds=True),
        after_apply=look.last,
        arrivals=cards.from_internet(),
        gateways=tuple(_gateways(look)),
        vpcs=tuple(_vpcs(look)),
        zones=tuple(_zones(look, cards)),
        groups=groups.shown,
        further_differing=groups.differing,
        further=groups.further,
        unmanaged=tuple(strange[:MOST]),
        unmanaged_left_out=max(0, len(strange) - MOST),
        arrivals_unknown=lanes.unknown,
    )


def _gateways(look: ShownLook) -> Iterator[Gateway]:
    for address in look.all_of("internet_gateway"):
        attached = address in look.there and look.live.attached(address)
        yield Gateway(look.resources.at(address), attached, look.numbers(address), managed=True)
    for address in look.strangers:
        if kind_of(address) == "internet_gateway":
            yield Gateway(look.stranger(address), attached=True, numbers=(), managed=False)


def _vpcs(look: ShownLook) -> Iterator[Vpc]:
    for address in look.all_of("vpc"):
        cidr = text(look.spec(address), "cidr_block")
        yield Vpc(look.resources.at(address), cidr, look.own_numbers(address), address not in look.there)


def _zones(look: ShownLook, cards: Cards) -> Iterator[Zone]:
    strangers = Placement({address: spec for address, spec in look.strange.items() if spec})
    zone_of = zones([look.live, look.declared, strangers])
    by_zone: dict[str, list[Subnet]] = {}
    strange = [address for address in look.strangers if kind_of(address) == "subnet"]
    for address in [*look.all_of("subnet"), *strange]:
        by_zone.setdefault(zone_of.get(address, "zone not known"), []).append(_subnet(look, cards, address))
    for name in sorted(by_zone):
        subnets = by_zone[name]
        shown = subnets if len(subnets) <= SUBNETS else [one for one in subnets if one.differs]
        further = tuple(one.resource for one in subnets if one not in shown)
        yield Zone(name, tuple(shown), further)


def _subnet(look: ShownLook, cards: Cards, address: str) -> Subnet:
    strange = address in look.strangers
    spec = (look.strange.get(address) or {}) if strange else look.spec(address)
    declared = address in look.declared.specs
    missing = not strange and address not in look.there
    seen = look.declared if missing else look.live
    return Subnet(
        resource=look.stranger(address) if strange else look.resources.at(address),
        cidr=text(spec, "cidr_block"),
        public=seen.public(address),
        public_declared=look.declared.public(address) if declared else None,
        routes=_used(look, "route_table", address, seen, declared=declared),
        acl=_used(look, "network_acl", address, seen, declared=declared),
        cards=tuple(cards.of(address)),
        numbers=look.own_numbers(address),
        missing=missing,
        unmanaged=strange,
    )


def _used(look: ShownLook, kind: str, subnet: str, seen: Placement, *, declared: bool) -> Value:
    """Which table or ACL a subnet uses."""
    live, wanted = seen.named(kind, subnet), look.declared.user(kind, subnet)
    differs = declared and wanted is not None and wanted != live
    numbers = look.numbers_of_use(kind, subnet, dict.fromkeys(one for one in (live, wanted) if one))
    return Value(name_of(live), name_of(wanted) if differs and wanted else None, numbers)
