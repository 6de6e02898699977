"""What every filter of a VPC says, as one table of cells. Pure.

Each cell is a mapping. A live or declared resource adds members to it (`Kind.traffic.effects`), an action sets or
removes some (`Action.effect`). So the network as it is, as the document wants it, and as it is between two calls of a
plan all have the same form, and one judgement serves for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, NamedTuple

from desired_state.fields import NOWHERE, AclEntry, Address, RuleKey
from reconciler.model import Effect
from reconciler.packets.traffic import Packets

SIDES = ("ingress", "egress")
BLACKHOLE = "blackhole"
"""The target of a route that drops what it matches."""


class Table(Enum):
    """The content of a cell: member -> value."""

    __hash__ = object.__hash__  # members are unique, and that of Enum is not written in C

    RULES = auto()
    """One direction of a group: rule key -> anything. A peer is a CIDR, a group (address or id), or a prefix list."""
    ENTRIES = auto()
    """One direction of an ACL: number -> entry, without the closing `*`."""
    ROUTES = auto()
    """The routes of a table that people make: destination (CIDR or prefix list) -> target (address, id, BLACKHOLE)."""
    ROUTES_BY_AWS = auto()
    """Its propagated routes and those of gateway endpoints, in the same form; a route of ROUTES takes precedence."""
    ACL_OF = auto()
    """Subnet -> the ACL that it uses; without one, it uses the default ACL."""
    TABLE_OF = auto()
    """Subnet -> the route table that it is associated with; without one, it uses the main table."""
    MAIN = auto()
    """`OF_VPC` -> the VPC's main route table."""
    DEFAULT_ACL = auto()
    """`OF_VPC` -> the VPC's default ACL, which a new subnet uses."""
    USABLE = auto()
    """Internet gateway -> True, if it is attached to the VPC."""
    LOCAL = auto()
    """Network of the VPC (CIDR) -> True."""
    SUBNETS = auto()
    """Subnet -> its networks, a tuple of CIDRs."""
    PUBLIC_SUBNETS = auto()
    """Subnet -> True, if it gives public addresses to what is launched in it."""
    SUBNETS_OF = auto()
    """DB subnet group -> its subnets, a frozenset."""
    PLACE_OF = auto()
    """DB instance -> its DB subnet group."""
    GROUPS_OF = auto()
    """DB instance -> its security groups, a frozenset."""
    PUBLIC = auto()
    """DB instance -> True, if it is publicly accessible."""
    UNREADABLE = auto()
    """A resource, or `<kind>/*` for all of a kind, that could not be read, so may let through anything -> True."""


class Cell(NamedTuple):
    """One mapping of the network's table."""

    table: Table
    of: Address = NOWHERE
    side: str = ""


ACL_OF, DEFAULT_ACL = Cell(Table.ACL_OF), Cell(Table.DEFAULT_ACL)
TABLE_OF, MAIN = Cell(Table.TABLE_OF), Cell(Table.MAIN)
USABLE, LOCAL = Cell(Table.USABLE), Cell(Table.LOCAL)
SUBNETS, PUBLIC_SUBNETS, SUBNETS_OF = Cell(Table.SUBNETS), Cell(Table.PUBLIC_SUBNETS), Cell(Table.SUBNETS_OF)
PLACE_OF, GROUPS_OF, PUBLIC = Cell(Table.PLACE_OF), Cell(Table.GROUPS_OF), Cell(Table.PUBLIC)
UNREADABLE = Cell(Table.UNREADABLE)
OF_VPC = "vpc"
"""The only member of the cells MAIN and DEFAULT_ACL."""


class Whole(Enum):
    """The member of an effect that says all members of a cell."""

    WHOLE = "whole"


WHOLE = Whole.WHOLE


def is_prefix_list(peer: str) -> bool:
    """Whether the peer of a rule, or the destination of a route, is a prefix list."""
    return peer.startswith("pl-")


def is_internet_gateway(target: str) -> bool:
    """Whether a route's target is an internet gateway, declared or not."""
    return target.startswith(("internet_gateway/", "igw-"))


def is_nat(target: str) -> bool:
    """Whether a route's target is a NAT gateway."""
    return target.startswith(("nat_gateway/", "nat-"))


def is_egress_only(target: str) -> bool:
    """Whether a route's target is an egress-only internet gateway."""
    return target.startswith(("egress_only_internet_gateway/", "eigw-"))


def rules(group: Address, side: str) -> Cell:
    """The cell of a group's rules."""
    return Cell(Table.RULES, group, side)


def entries(acl: Address, side: str) -> Cell:
    """The cell of an ACL's entries."""
    return Cell(Table.ENTRIES, acl, side)


def routes(table: Address) -> Cell:
    """The cell of the routes that people make in a table."""
    return Cell(Table.ROUTES, table)


def routes_by_aws(table: Address) -> Cell:
    """The cell of the routes that AWS makes in a table."""
    return Cell(Table.ROUTES_BY_AWS, table)


def whole(cell: Cell, members: Mapping[Any, Any]) -> Effect:
    """The effect that says all members of a cell, even if it has none. They are shared, not copied."""
    return cell, WHOLE, members


_EMPTY: Mapping[Any, Any] = MappingProxyType({})


class Network:
    """The state of the network at one moment. It never changes: `after` returns another one that shares the rest."""

    __slots__ = ("_cells", "routed")

    routed: dict[tuple[Address, bool, bool, bool], Packets]
    """What `layers.py` has worked out of this state's route tables, whichever subnet asks."""

    def __init__(self, effects: Iterable[Effect] = (), *, cells: Mapping[Cell, Mapping[Any, Any]] = _EMPTY) -> None:
        self._cells = dict(cells)
        self.routed = {}
        mine: dict[Cell, dict[Any, Any]] = {}
        for cell, member, value in effects:
            if member is WHOLE:
                self._cells[cell] = value
                mine.pop(cell, None)
                continue
            if cell not in mine:
                self._cells[cell] = mine[cell] = dict(self._cells.get(cell, _EMPTY))
            if value is None:
                mine[cell].pop(member, None)
            else:
                mine[cell][member] = value

    def after(self, effects: Iterable[Effect]) -> Network:
        """This network with some members set or removed."""
        return Network(effects, cells=self._cells)

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._cells

    def __getitem__(self, cell: Cell) -> Mapping[Any, Any]:
        """The members of a cell, without any if nobody has said what it is."""
        return self._cells.get(cell, _EMPTY)

    @property
    def cells(self) -> Mapping[Cell, Mapping[Any, Any]]:
        return self._cells

    @property
    def local(self) -> frozenset[str]:
        """The networks of the VPC."""
        return frozenset(self[LOCAL])

    @property
    def subnets(self) -> Mapping[Address, tuple[str, ...]]:
        return self[SUBNETS]

    def acl_of(self, subnet: Address) -> Address:
        """The ACL that a subnet uses; NOWHERE if that is not known."""
        found: Address = self[ACL_OF].get(subnet) or self._otherwise(DEFAULT_ACL, "network_acl")
        return found

    def table_of(self, subnet: Address) -> Address:
        """The route table that a subnet uses, explicitly or as the main one; NOWHERE if that is not known."""
        found: Address = self[TABLE_OF].get(subnet) or self._otherwise(MAIN, "route_table")
        return found

    def _otherwise(self, cell: Cell, kind: str) -> Address:
        """What a subnet uses that nothing shows: it may be what could not be read."""
        found: Address = NOWHERE if self.blind(kind) else self[cell].get(OF_VPC, NOWHERE)
        return found

    def blind(self, kind: str) -> bool:
        """Whether some resource of this kind could not be read."""
        return any(address.kind == kind for address in self[UNREADABLE])

    def rules(self, group: Address, side: str) -> Iterable[RuleKey]:
        return self[rules(group, side)]

    def entries(self, acl: Address, side: str) -> Mapping[int, AclEntry]:
        return self[entries(acl, side)]

    def routes(self, table: Address) -> Mapping[str, str]:
        """Destination -> target, with those that AWS makes (VPC user guide, Route priority: static ones first)."""
        return {**self[routes_by_aws(table)], **self[routes(table)]}
