"""What the whole network allows while a plan is applied: groups, ACLs and routes together. Pure.

`plan.py` calls it before it orders the next action. A packet passes all layers, so a step that is safe in its own layer
may still allow a packet through a mixture of old and new that neither the old nor the new state allows. The network is
a table of cells, each a mapping. A live resource adds members to it (`Kind.traffic.effects`), an action sets or removes
some (`Action.effect`).

Only what changes is checked. "Any group" covers the groups that no action changes: if ACLs and routes alone keep the
packet rule, they keep it together with any unchanged group. Peers that are groups or prefix lists are checked one at a
time, because a packet of such a peer may have any address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from desired_state.fields import ANY, NOWHERE, AclEntry, Address, RuleKey, is_cidr, network
from reconciler.model import Action, Effect
from reconciler.packets.traffic import Packets, keeps, of_acl, of_rules

SIDES = ("ingress", "egress")
ANY_GROUP = Address("any group")
MOST_PLACES, MOST_LOOKS = 4_000, 80_000
"""The most places of one plan, and of places times effects; a larger plan keeps the order of its phases and tiers."""


class Table(Enum):
    """The content of a cell: member -> value."""

    RULES = auto()
    """One direction of a group: rule key -> True."""
    ENTRIES = auto()
    """One direction of an ACL: number -> entry."""
    ROUTES = auto()
    """A route table: destination -> target."""
    ACL_OF = auto()
    """Subnet -> the ACL it uses."""
    ROUTES_OF = auto()
    """Subnet -> the route table it uses."""
    UNDECLARED_ACL_OF = auto()
    """Subnet -> an undeclared ACL that it uses; ACL_OF takes precedence."""
    UNDECLARED_ROUTES_OF = auto()
    USABLE = auto()
    """Route target -> True, if it can carry packets now."""
    LOCAL = auto()
    """Network of the VPC -> True."""
    SUBNETS = auto()
    """Subnet -> True."""


class Cell(NamedTuple):
    """One mapping of the network's table."""

    table: Table
    of: Address = NOWHERE
    side: str = ""


ACL_OF, ROUTES_OF = Cell(Table.ACL_OF), Cell(Table.ROUTES_OF)
UNDECLARED_ACL_OF, UNDECLARED_ROUTES_OF = Cell(Table.UNDECLARED_ACL_OF), Cell(Table.UNDECLARED_ROUTES_OF)
USABLE, LOCAL, SUBNETS = Cell(Table.USABLE), Cell(Table.LOCAL), Cell(Table.SUBNETS)

State = dict[Cell, dict[Any, Any]]


def rules(group: Address, side: str) -> Cell:
    """The cell of a group's rules."""
    return Cell(Table.RULES, group, side)


def entries(acl: Address, side: str) -> Cell:
    """The cell of an ACL's entries."""
    return Cell(Table.ENTRIES, acl, side)


def routes(table: Address) -> Cell:
    """The cell of a table's routes."""
    return Cell(Table.ROUTES, table)


def undeclared(subnet: Address) -> Address:
    """A placeholder address for the undeclared ACL or route table that a subnet uses."""
    return Address.of("undeclared", subnet.name)


class Reachability:
    """The state of the network while a plan is applied, from the live state to its end.

    `seen` returns what the live resources add to the table; it is called only if some action has an effect.
    """

    def __init__(self, seen: Callable[[], Iterable[Effect]], actions: Iterable[Action]) -> None:
        effects = [effect for action in actions for effect in action.effect]
        self.feasible, self._now = False, State()
        if not effects:
            return  # costs nothing if there is nothing to correct
        _carry_out(self._now, seen())
        self._local = frozenset(self._now.get(LOCAL, {}))
        self._before = {cell: dict(members) for cell, members in self._now.items()}
        self._after = {cell: dict(members) for cell, members in self._now.items()}
        _carry_out(self._after, effects)
        changed = [cell.of for cell, _, _ in effects if cell.table is Table.RULES]
        self._groups = [ANY_GROUP, *(at for at in dict.fromkeys(changed) if self._is_live(at))]
        self._subnets = list(self._now.get(SUBNETS, {}))
        self._peers = sorted(
            {key.peer for _, key, _ in effects if isinstance(key, RuleKey) and not is_cidr(key.peer)}
            | {key.peer for group in self._groups for key in _rules(self._before, group) if not is_cidr(key.peer)}
        )
        places = len(self._groups) * len(self._subnets) * len(SIDES) * (1 + len(self._peers))
        self.feasible = 0 < places * len(effects) <= MOST_LOOKS and places <= MOST_PLACES

    def allows(self, action: Action) -> bool:
        """Whether the network keeps the packet rule if this action comes next."""
        if not action.effect:
            return True
        later = dict(self._now)
        for cell in {cell for cell, _, _ in action.effect}:
            later[cell] = dict(later.get(cell, {}))
        _carry_out(later, action.effect)
        return all(
            keeps(self._through(self._before, *place), self._through(self._after, *place), self._through(later, *place))
            for place in self._affected(action)
        )

    def advance(self, action: Action) -> None:
        """Apply the effects of the action, which comes next."""
        _carry_out(self._now, action.effect)

    def _is_live(self, group: Address) -> bool:
        return any(rules(group, side) in self._before for side in SIDES)

    def _affected(self, action: Action) -> Iterator[tuple[Address, Address, str, str]]:
        cells = {cell for cell, _, _ in action.effect}
        moved = {member for cell, member, _ in action.effect if cell in {ACL_OF, ROUTES_OF}}
        for subnet, side in product(self._subnets, SIDES):
            near = {entries(_used(self._now, subnet, ACL_OF, UNDECLARED_ACL_OF), side)}
            near.add(routes(_used(self._now, subnet, ROUTES_OF, UNDECLARED_ROUTES_OF)))
            whole = subnet in moved or USABLE in cells or bool(cells & near)
            for group in self._groups:
                if whole or rules(group, side) in cells:
                    yield from ((subnet, group, side, peer) for peer in ("", *self._peers))

    def _through(self, state: State, subnet: Address, group: Address, side: str, peer: str) -> Packets:
        acl = _used(state, subnet, ACL_OF, UNDECLARED_ACL_OF)
        table = _used(state, subnet, ROUTES_OF, UNDECLARED_ROUTES_OF)
        usable = frozenset(state.get(USABLE, {}))
        acl_entries = tuple(sorted(state.get(entries(acl, side), {}).items()))
        table_routes = tuple(sorted(state.get(routes(table), {}).items()))
        packets = _by_acl(acl_entries) & _by_routes(table_routes, usable, self._local)
        if group == ANY_GROUP:
            return packets
        return packets & _by_group(frozenset(state.get(rules(group, side), {})), peer)


def _used(state: State, subnet: Address, declared: Cell, undeclared_: Cell) -> Address:
    """The ACL or route table that a subnet uses."""
    found: Address = state.get(declared, {}).get(subnet) or state.get(undeclared_, {}).get(subnet, NOWHERE)
    return found


def _rules(state: State, group: Address) -> Iterable[RuleKey]:
    return (key for side in SIDES for key in state.get(rules(group, side), {}))


def _carry_out(state: State, effects: Iterable[Effect]) -> None:
    for cell, member, value in effects:
        members = state.setdefault(cell, {})
        if value is None:
            members.pop(member, None)
        else:
            members[member] = value


@lru_cache(maxsize=4096)
def _by_acl(acl: tuple[tuple[int, AclEntry], ...]) -> Packets:
    return of_acl(dict(acl))


@lru_cache(maxsize=4096)
def _by_routes(table: tuple[tuple[str, str], ...], usable: frozenset[Address], local: frozenset[str]) -> Packets:
    """Packets whose peer is routed: the longest prefix decides, and a declared target that is not usable drops them."""
    known = {to: via for to, via in table if is_cidr(to)} | dict.fromkeys(local, "local")
    ordered = sorted(known.items(), key=lambda route: (_length(route[0]), route[0]))
    dead = {via for via in known.values() if "/" in via and via not in usable}
    return of_acl(
        {n: AclEntry("deny" if via in dead else "allow", "all", ANY, ANY, to) for n, (to, via) in enumerate(ordered)}
    )


def _length(cidr: str) -> int:
    _, first, last = network(cidr)
    return last - first


@lru_cache(maxsize=4096)
def _by_group(group: frozenset[RuleKey], peer: str) -> Packets:
    """What a group allows of the packets from or to `peer` (empty: only its rules for CIDRs)."""
    addresses: Mapping[str, tuple[str, ...]] = {peer: ("0.0.0.0/0", "::/0")} if peer else {}
    return of_rules(
        rule._replace(peer=address)
        for rule in group
        for address in ((rule.peer,) if is_cidr(rule.peer) else addresses.get(rule.peer, ()))
    )
