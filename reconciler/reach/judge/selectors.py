"""Who a selector of an intent means: the machines of the VPC, and the networks outside. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from desired_state.fields import Address, is_cidr
from desired_state.intents import ANYWHERE, INTERNET, OUTSIDE
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.places import Possible
from reconciler.reach.network import Table
from reconciler.reach.pair.ends import INTERNET as PUBLIC_ADDRESSES
from reconciler.reach.pair.ends import End, Endpoint, External, Ranges, internet
from reconciler.reach.pair.routing import is_far

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_OF_SEVERAL = frozenset({"vpc", "subnet", "security_group"})
"""The kinds that machines of several owners are in, or have."""


class Selectors:
    """The ends that selectors mean in one state of the network. Each is one object, however often it is asked for."""

    def __init__(self, context: JudgeContext) -> None:
        self._context = context
        self._local = Ranges.of(*context.topology.network.local)
        self._found: dict[str, tuple[End, ...]] = {}
        self._machines: dict[tuple[Possible, Address | None], tuple[Endpoint, ...]] = {}

    def ends(self, selector: str) -> tuple[End, ...]:
        """Those that a selector means; none if nobody is there."""
        if selector not in self._found:
            self._found[selector] = tuple(self._ends(selector))
        return self._found[selector]

    def united(self, selectors: Iterable[str]) -> tuple[End, ...]:
        """Those that any of the selectors means, each once."""
        return tuple({id(end): end for selector in selectors for end in self.ends(selector)}.values())

    def without(self, ends: tuple[End, ...], selectors: Iterable[str]) -> tuple[End, ...]:
        """These ends, without what the selectors mean."""
        taken = self.united(selectors)
        return tuple(left for end in ends if (left := _less(end, taken)) is not None)

    def unknown(self, selectors: Iterable[str]) -> Iterator[str]:
        """Why it is not known who they all are."""
        unknown = self._context.placed.unknown
        for selector in selectors:
            if selector in unknown:
                yield unknown[selector]
            elif selector == ANYWHERE or Address(selector).kind in _OF_SEVERAL:
                yield from unknown.values()

    def may_be(self, selectors: Iterable[str]) -> tuple[Possible, ...]:
        """The machines that nobody names, and that a subnet, a group or the VPC may have."""
        found = (one.within(selector) for selector in selectors for one in self._context.possible)
        return tuple(dict.fromkeys(one for one in found if one))

    def may_be_besides(self, selectors: Iterable[str]) -> tuple[Possible, ...]:
        """The machines that nobody names, and that none of the selectors means."""
        wanted = tuple(selectors)
        return tuple(left for one in self._context.possible if (left := one.without(wanted)))

    def machines(self, possible: Possible, near: Address | None) -> tuple[Endpoint, ...]:
        """Possible machines, as the ends of flows with a machine of the subnet `near`."""
        key = possible, near if near in possible.subnets else None
        if key not in self._machines:
            self._machines[key] = tuple(possible.endpoints(self._context.topology.network, near))
        return self._machines[key]

    def _ends(self, selector: str) -> Iterator[End]:
        endpoints = self._context.topology.endpoints
        if selector == INTERNET:
            yield self._internet
        elif selector == OUTSIDE:
            yield self._internet
            yield from self._far
        elif selector == ANYWHERE:
            yield from (*self.ends(OUTSIDE), *endpoints)
        elif is_cidr(selector):
            yield from self._network(selector)
        elif Address(selector).kind in _OF_SEVERAL:
            yield from (one for one in endpoints if one.owner == selector or _is_in(one, selector))
        else:
            yield from self._owned.get(selector, ())

    def _network(self, cidr: str) -> Iterator[End]:
        asked = Ranges.of(cidr)
        for one in self._context.topology.endpoints:
            if common := one.addresses & asked:
                label = one.label if common == one.addresses else f"{one.label}, {cidr}"
                yield one if common == one.addresses else one._replace(label=label, addresses=common)
        outside = asked - self._local
        public = outside & PUBLIC_ADDRESSES
        if public:
            yield External(cidr, public, internet=True)
        if private := outside - public:
            yield External(cidr, private)

    @cached_property
    def _owned(self) -> dict[str, list[Endpoint]]:
        owned: dict[str, list[Endpoint]] = {}
        for one in self._context.topology.endpoints:
            owned.setdefault(one.owner, []).append(one)
        return owned

    @cached_property
    def _internet(self) -> External:
        return internet(self._context.topology.network.local)

    @cached_property
    def _far(self) -> tuple[External, ...]:
        """The networks that routes lead to through peering connections, VPNs and transit gateways."""
        found: dict[str, Ranges] = {}
        for cell, members in self._context.topology.network.cells.items():
            if cell.table in {Table.ROUTES, Table.ROUTES_BY_AWS}:
                for destination, target in members.items():
                    if is_far(target):
                        found[target] = found.get(target, Ranges()) | self._behind(destination)
        return tuple(External(f"behind {target}", there) for target, there in sorted(found.items()) if there)

    def _behind(self, destination: str) -> Ranges:
        """The networks that a route is for; of everything, or of a prefix list, those that are not the internet."""
        wide = destination in _EVERYWHERE or not is_cidr(destination)
        there = Ranges.of(*(_EVERYWHERE if not is_cidr(destination) else (destination,))) - self._local
        return there - PUBLIC_ADDRESSES if wide else there


def _is_in(one: Endpoint, selector: str) -> bool:
    match Address(selector).kind:
        case "vpc":
            return "/" in selector
        case "subnet":
            return one.subnet == selector
        case "security_group":
            return selector in (one.groups or ())
        case _:
            return False


def _less(end: End, taken: Iterable[End]) -> End | None:
    """An end without others; itself if they have nothing in common, None if nothing is left."""
    left = end.addresses
    for other in taken:
        if other is end:
            return None
        if _same_machines(end, other):
            left -= other.addresses
    if not left:
        return None
    return end if left == end.addresses else end._replace(addresses=left)


def _same_machines(end: End, other: End) -> bool:
    if isinstance(end, External) or isinstance(other, External):
        return isinstance(end, External) and isinstance(other, External)
    return same_machines(end, other)


def same_machines(one: Endpoint, other: Endpoint) -> bool:
    """Whether two names mean the same machines: workloads with the same groups in one subnet, not a database."""
    if (one.subnet, one.groups) != (other.subnet, other.groups) or one.groups is None:
        return one.owner == other.owner and one.subnet == other.subnet
    return one.owner == other.owner or not {Address(one.owner).kind, Address(other.owner).kind} & {"db_instance"}
