"""The checkpoints whose packets a plan may affect, and what each lets through in any state. Pure.

A packet passes one checkpoint at each of its ends: the groups, the ACL and the routes there. It is that of a machine of
a subnet with one of the groups that the plan changes, or with any other (whose groups stay as they are, so that they
may be taken to let through everything), or that of a DB instance.

What could not be read may let through anything before and now, and nothing that the document wants. It lets through the
same before and now, unless the plan changes what it depends on: the subnet leaves an ACL or a table that could not be
read, or a machine becomes public behind routes that could not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from desired_state.fields import NOWHERE, Address, is_cidr
from reconciler.model import Effect
from reconciler.packets.traffic import EVERYTHING, NOTHING, Packets
from reconciler.reach.layers import at, of_acl_at, of_groups, of_routes_at
from reconciler.reach.network import (
    BLACKHOLE,
    GROUPS_OF,
    MAIN,
    OF_VPC,
    PLACE_OF,
    PUBLIC,
    SIDES,
    SUBNETS_OF,
    TABLE_OF,
    UNREADABLE,
    Cell,
    Network,
    Table,
    is_internet_gateway,
    is_prefix_list,
    routes,
    routes_by_aws,
    rules,
)

REPLIES = "replies"
ANY_MACHINE = Address("")
NEAR = Address("subnet/*")
"""The place of a machine that exchanges packets with another of its own subnet: no ACL and no route is asked."""
UNKNOWN = Address("subnet/?")
"""Where machines may be if the subnets could not be read."""

_DATABASE = frozenset({Table.GROUPS_OF, Table.PLACE_OF, Table.PUBLIC, Table.SUBNETS_OF})


class Checkpoint(NamedTuple):
    """What the packets of machines in one place (a subnet, or NEAR) that are alike pass in one direction.

    The direction REPLIES is of packets that only answer, which no group asks about.

    `machine` is a group that they have, a DB instance, or empty for machines of which no group changes. `carried` is
    what the other end is taken to have: a group, or an address in a prefix list; empty: neither. A DB instance as
    `carried` is the other end, with the groups that it has in each state. `public` is for machines with a public
    address, which is of no consequence to packets inside the VPC; that of a DB instance follows from its state.
    """

    place: Address
    machine: Address
    side: str
    carried: str = ""
    public: bool = True


class Checkpoints:
    """The checkpoints where something else may pass while the network changes from `before` to `wanted` by
    `effects`.
    """

    def __init__(self, before: Network, wanted: Network, effects: Sequence[Effect]) -> None:
        self._before, self._wanted = before, wanted
        self.unread = before[UNREADABLE]
        self._databases_unread = any(at_.kind == "db_instance" and not at_.endswith("/*") for at_ in self.unread)
        changed = dict.fromkeys(cell.of for cell, _, _ in effects if cell.table is Table.RULES)
        self._groups = sorted(at_ for at_ in changed if any(rules(at_, side) in before for side in SIDES))
        self.databases = _changed_databases(effects, before, wanted)
        self.places = [*sorted(before.subnets), *([UNKNOWN] if before.blind("subnet") else [])]
        self.all = list(dict.fromkeys(self._affected(effects)))

    def passed(
        self,
        network: Network,
        end: Checkpoint,
        *,
        unknown: bool = True,
        other: Address = ANY_MACHINE,
        later: Network | None = None,
    ) -> Packets:
        """What a checkpoint lets through of the packets of `other` machines.

        `unknown`: whether what could not be read lets through packets; with `later`, only if it does so in that state
        too, whatever it says.
        """
        subnet = end.place
        groups: Iterable[Address] = (end.machine,)
        public = end.public
        if self._databases_unread and not unknown:
            return NOTHING
        if end.machine in self.databases:
            if not self._stands(network, end, unknown=unknown):
                return NOTHING
            groups, public = network[GROUPS_OF].get(end.machine, ()), end.machine in network[PUBLIC]
        by_groups = EVERYTHING if end.machine else self._any_machine(network, unknown=unknown)
        if end.machine and not (unknown and self._joins_unread(network, end.machine)):
            carried = self.carried(network, end.carried) | self.carried(network, other)
            by_groups = of_groups(network, groups, end.side, carried)
        if subnet == NEAR:
            return by_groups
        acl = of_acl_at(network, subnet, _acl_side(end))
        same_acl = unknown and (not later or later.acl_of(subnet) == network.acl_of(subnet))
        by_acl = acl if acl is not None else EVERYTHING if same_acl else NOTHING
        same_routes = unknown and (not later or self._same_routes(network, later, end))
        inwards = end.side == "ingress"
        return by_groups & by_acl & of_routes_at(network, subnet, inwards=inwards, public=public, unknown=same_routes)

    def _stands(self, network: Network, end: Checkpoint, *, unknown: bool) -> bool:
        """Whether a DB instance is in the place of this end; if its subnets could not be read, it may be in any."""
        subnets = self._subnets_of(network, end.machine)
        if subnets is None:
            return unknown
        return bool(subnets) and (end.place == NEAR or end.place in subnets)

    @staticmethod
    def _subnets_of(network: Network, database: Address) -> Iterable[Address] | None:
        """The subnets of a DB instance; None if they are not known."""
        found: Iterable[Address] | None = network[SUBNETS_OF].get(network[PLACE_OF].get(database))
        if found is None and database in network[GROUPS_OF] and network.blind("db_subnet_group"):
            return None
        return found or ()

    def _joins_unread(self, network: Network, machine: Address) -> bool:
        """Whether a DB instance has a group that could not be read, and did not have it before. One that it keeps adds
        the same before and now.
        """
        groups = network[GROUPS_OF].get(machine, ()) if self.unread and machine in self.databases else ()
        return any(group in self.unread for group in groups if group not in self._before[GROUPS_OF].get(machine, ()))

    @staticmethod
    def _same_routes(network: Network, later: Network, end: Checkpoint) -> bool:
        """Whether routes that could not be read pass the same in both states."""
        return network[TABLE_OF].get(end.place) == later[TABLE_OF].get(end.place) and (
            end.machine in network[PUBLIC] or end.machine not in later[PUBLIC]
        )

    def carried(self, network: Network, carried: str) -> frozenset[str]:
        return frozenset(network[GROUPS_OF].get(carried, ()) if carried in self.databases else {carried})

    @staticmethod
    def _any_machine(network: Network, *, unknown: bool) -> Packets:
        return EVERYTHING if unknown or not network.blind("security_group") else NOTHING

    def addresses(self, place: Address, network: Network) -> Packets:
        return at(tuple(sorted(network.local)) if place == NEAR else network.subnets.get(place, ()))

    def carries(self, end: Checkpoint, carried: str, network: Network) -> bool:
        if carried in self.databases:
            return end.machine == carried
        groups = network[GROUPS_OF].get(end.machine)
        return groups is None or not carried or carried in groups or is_prefix_list(carried)

    def _affected(self, effects: Iterable[Effect]) -> Iterator[Checkpoint]:
        """One for each subnet, one for each group, and those of changing DB instances. What a machine of a group in a
        subnet lets through follows from two of them (`_by_both`).
        """
        changed = {cell for cell, _, _ in effects}
        for place in self.places:
            private = (False,) if self._other_ways(place, changed) else ()
            for side, public in product((*SIDES, REPLIES), (True, *private)):
                yield Checkpoint(place, ANY_MACHINE, side, public=public)
        for group, side in product(self._groups, SIDES):
            yield from (Checkpoint(NEAR, group, side, peer) for peer in ("", *self._peers(group, side)))
        for database, side in product(self.databases, SIDES):
            states = (self._before, self._wanted)
            groups = sorted({group for state in states for group in state[GROUPS_OF].get(database, ())})
            found = [self._subnets_of(state, database) for state in states]
            used = set(self.places) if None in found else {at_ for some in found for at_ in some or ()}
            peers = dict.fromkeys(peer for group in groups for peer in self._peers(group, side))
            for place in (*sorted(used), NEAR):
                yield from (Checkpoint(place, database, side, peer) for peer in ("", *peers))
            yield from self._that_name(database, side)

    def _other_ways(self, place: Address, changed: set[Cell]) -> bool:
        """Whether the plan may exchange, for a subnet, an internet gateway, which hands on nothing for a machine
        without a public address, and another way out, such as a NAT gateway, which does. Otherwise what holds for a
        machine with a public address holds for one without.
        """
        states = (self._before, self._wanted)
        tables = {state.table_of(place) for state in states}
        if len(tables) > 1:
            tables |= {state[MAIN].get(OF_VPC, NOWHERE) for state in states}
        elif changed.isdisjoint(cell for table in tables for cell in (routes(table), routes_by_aws(table))):
            return False
        ways = {via for state in states for table in tables for to, via in state.routes(table).items() if ":" not in to}
        gateways = {via for via in ways if is_internet_gateway(via)}
        return bool(gateways and ways - gateways - {BLACKHOLE})

    def _that_name(self, database: Address, side: str) -> Iterator[Checkpoint]:
        """Machines whose rules name a group that the plan gives to a DB instance, or takes from it."""
        old, new = (frozenset(state[GROUPS_OF].get(database, ())) for state in (self._before, self._wanted))
        if changed := old ^ new:
            groups = {cell.of for cell in self._before.cells if cell.table is Table.RULES and cell.side == side}
            named = sorted(group for group in groups if changed.intersection(self._peers(group, side)))
            yield from (Checkpoint(NEAR, group, side, database) for group in named)

    def _peers(self, group: Address, side: str) -> list[str]:
        """The groups and prefix lists that the rules of a group name."""
        states = (self._before, self._wanted)
        return sorted({key.peer for state in states for key in state.rules(group, side) if not is_cidr(key.peer)})

    def touched(self, effects: Iterable[Effect], now: Network, later: Network) -> Iterator[Checkpoint]:
        """The checkpoints at which something else may pass after these effects."""
        cells = {cell for cell, _, _ in effects}
        tables = {cell.table for cell in cells}
        acls = {(cell.of, cell.side) for cell in cells if cell.table is Table.ENTRIES}
        routed = {cell.of for cell in cells if cell.table in {Table.ROUTES, Table.ROUTES_BY_AWS}}
        groups = {(cell.of, cell.side) for cell in cells if cell.table is Table.RULES}
        anywhere = bool(tables & {Table.USABLE, Table.LOCAL, Table.SUBNETS, Table.DEFAULT_ACL})
        moved = {
            place
            for place in {end.place for end in self.all if end.place != NEAR}
            if anywhere
            or now.acl_of(place) != later.acl_of(place)
            or now.table_of(place) != later.table_of(place)
            or later.table_of(place) in routed
        }
        of_databases = bool(tables & _DATABASE)
        for end in self.all:
            if (
                (end.machine, end.side) in groups
                or (end.place != NEAR and (end.place in moved or (later.acl_of(end.place), _acl_side(end)) in acls))
                or (end.machine in self.databases and (of_databases or not groups.isdisjoint(_of(end, now, later))))
                or (of_databases and end.carried in self.databases)
            ):
                yield end


def _of(end: Checkpoint, *networks: Network) -> Iterator[tuple[Address, str]]:
    """The groups of a DB instance, with the direction of an end."""
    yield from ((group, end.side) for network in networks for group in network[GROUPS_OF].get(end.machine, ()))


def _acl_side(end: Checkpoint) -> str:
    return "ingress" if end.side == REPLIES else end.side


def _changed_databases(effects: Iterable[Effect], before: Network, wanted: Network) -> list[Address]:
    """The DB instances of which the plan changes the groups, the subnets, or whether they are public. Others are
    machines like any other.
    """
    members = {member for cell, member, _ in effects if cell.table in _DATABASE}
    places = {state[PLACE_OF].get(at_): at_ for state in (before, wanted) for at_ in state[PLACE_OF]}
    return sorted({places.get(member, member) for member in members if member in places or member in places.values()})
