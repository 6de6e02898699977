"""What the whole network lets through while a plan is carried out: groups, ACLs and routes together. Pure.

`plan.py` asks it before it gives an action its place. A packet passes all layers at once, so a step that is right in
its own layer may still let a packet through a mixture of old and new that neither side would let pass. The network is
kept as a table of cells, each a mapping; an action says which members it sets or takes away (`Action.effect`).

Only what changes is looked at. A group that no action touches is covered by the place of "any group": if ACLs and
routes alone keep the rule there, they keep it behind every rule that stays as it is. Peers that are groups or prefix
lists are looked at one at a time: a packet of that peer may have any address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

from desired_state.fields import ANY, NOWHERE, AclEntry, Address, RuleKey, is_cidr, network
from desired_state.network import NetworkAcl, RouteTable, SecurityGroup, Subnet
from reconciler.model import Action, Snapshot
from reconciler.packets.traffic import Packets, keeps, of_acl, of_rules

SIDES = ("ingress", "egress")
ACL_OF, TABLE_OF, ATTACHED = "acl of", "table of", "attached"
ANY_GROUP = Address("any group")
MOST_PLACES, MOST_LOOKS = 4_000, 80_000
"""How many places one plan may have, and how often all its effects may look at them; a larger plan keeps the order that
its phases and tiers give it.
"""

Effect = tuple[str, Any, Any]
"""(cell, member, what it becomes); None takes the member away."""
State = dict[str, dict[Any, Any]]


def cell(address: Address, side: str) -> str:
    """The name of a cell: the rules, entries or routes of one resource."""
    return f"{address} {side}"


class Reachability:
    """The network on its way from the look before to the end of a plan. Holds where it stands."""

    def __init__(self, snapshot: Snapshot, vpc: Address, actions: Iterable[Action]) -> None:
        effects = [effect for action in actions for effect in action.effect]
        self.feasible, self._now = False, State()
        if not effects:
            return  # a calm run pays nothing for what only a correction needs
        seen = snapshot.resources
        self._local = seen[vpc].facts.get("networks", frozenset()) if vpc in seen else frozenset()
        self._now = _state(snapshot, vpc)
        self._before = {name: dict(members) for name, members in self._now.items()}
        self._after = {name: dict(members) for name, members in self._now.items()}
        _carry_out(self._after, effects)
        touched = {name for name, _, _ in effects}
        self._groups = [ANY_GROUP, *(at for at in seen if _changes(at, "security_group", touched))]
        self._subnets = [at for at in seen if isinstance(seen[at].spec, Subnet)]
        self._peers = sorted(
            {key.peer for name, key, _ in effects if isinstance(key, RuleKey) and not is_cidr(key.peer)}
            | {key.peer for group in self._groups for key in _rules(self._before, group) if not is_cidr(key.peer)}
        )
        places = len(self._groups) * len(self._subnets) * len(SIDES) * (1 + len(self._peers))
        self.feasible = 0 < places * len(effects) <= MOST_LOOKS and places <= MOST_PLACES

    def allows(self, action: Action) -> bool:
        """Whether the network keeps the rule when this action comes next."""
        if not action.effect:
            return True
        later = dict(self._now)
        for name in {name for name, _, _ in action.effect}:
            later[name] = dict(later.get(name, {}))
        _carry_out(later, action.effect)
        return all(
            keeps(self._through(self._before, *place), self._through(self._after, *place), self._through(later, *place))
            for place in self._affected(action)
        )

    def advance(self, action: Action) -> None:
        """The action has its place: the network goes on from behind it."""
        _carry_out(self._now, action.effect)

    def _affected(self, action: Action) -> Iterator[tuple[Address, Address, str, str]]:
        names = {name for name, _, _ in action.effect}
        moved = {member for name, member, _ in action.effect if name in {ACL_OF, TABLE_OF}}
        for subnet, side in product(self._subnets, SIDES):
            near = {cell(self._now.get(ACL_OF, {}).get(subnet, NOWHERE), side)}
            near.add(cell(self._now.get(TABLE_OF, {}).get(subnet, NOWHERE), "routes"))
            whole = subnet in moved or ATTACHED in names or bool(names & near)
            for group in self._groups:
                if whole or cell(group, side) in names:
                    yield from ((subnet, group, side, peer) for peer in ("", *self._peers))

    def _through(self, state: State, subnet: Address, group: Address, side: str, peer: str) -> Packets:
        acl = state.get(ACL_OF, {}).get(subnet, NOWHERE)
        table = state.get(TABLE_OF, {}).get(subnet, NOWHERE)
        awake = frozenset(state.get(ATTACHED, {}))
        entries = tuple(sorted(state.get(cell(acl, side), {}).items()))
        routes = tuple(sorted(state.get(cell(table, "routes"), {}).items()))
        way = _listed(entries) & _routed(routes, awake, self._local)
        if group == ANY_GROUP:
            return way
        return way & _ruled(frozenset(state.get(cell(group, side), {})), peer)


def _rules(state: State, group: Address) -> Iterable[RuleKey]:
    return (key for side in SIDES for key in state.get(cell(group, side), {}))


def _changes(address: Address, kind: str, touched: set[str]) -> bool:
    return address.kind == kind and any(cell(address, side) in touched for side in SIDES)


def _carry_out(state: State, effects: Iterable[Effect]) -> None:
    for name, member, value in effects:
        members = state.setdefault(name, {})
        if value is None:
            members.pop(member, None)
        else:
            members[member] = value


def _state(snapshot: Snapshot, vpc: Address) -> State:
    """The cells of a look: every list of rules, and which of them each subnet is behind."""
    state: State = {ACL_OF: {}, TABLE_OF: {}, ATTACHED: {}}
    for address, seen in snapshot.resources.items():
        spec = seen.spec
        if isinstance(spec, SecurityGroup):
            state |= {cell(address, side): dict.fromkeys(getattr(spec, side) or (), True) for side in SIDES}
        if isinstance(spec, NetworkAcl):
            state |= {cell(address, side): dict(getattr(spec, side) or {}) for side in SIDES}
            state[ACL_OF] |= dict.fromkeys(spec.subnets or (), address)
            for subnet, lists in seen.facts.get("elsewhere", {}).items():
                state |= {cell(_strange(subnet), side): dict(lists[side]) for side in SIDES}
                state[ACL_OF].setdefault(subnet, _strange(subnet))
        if isinstance(spec, RouteTable):
            state[cell(address, "routes")] = dict(spec.routes or {})
            state[TABLE_OF] |= dict.fromkeys(spec.subnets or (), address)
            for subnet, routes in seen.facts.get("elsewhere", {}).items():
                state[cell(_strange(subnet), "routes")] = dict(routes)
                state[TABLE_OF].setdefault(subnet, _strange(subnet))
        if address.kind == "internet_gateway" and getattr(spec, "vpc", None) == vpc:
            state[ATTACHED][address] = True
    return state


def _strange(subnet: Address) -> Address:
    """What stands for the list or table, declared by nobody, that a subnet is behind."""
    return Address.of("strange", subnet.name)


@lru_cache(maxsize=4096)
def _listed(entries: tuple[tuple[int, AclEntry], ...]) -> Packets:
    return of_acl(dict(entries))


@lru_cache(maxsize=4096)
def _routed(routes: tuple[tuple[str, str], ...], awake: frozenset[Address], local: frozenset[str]) -> Packets:
    """Packets to whose peer there is a way; the longest prefix decides, and a detached gateway is none."""
    known = {to: via for to, via in routes if is_cidr(to)} | dict.fromkeys(local, "local")
    ordered = sorted(known.items(), key=lambda route: (_length(route[0]), route[0]))
    asleep = {via for via in known.values() if via.startswith("internet_gateway/") and via not in awake}
    return of_acl(
        {n: AclEntry("deny" if via in asleep else "allow", "all", ANY, ANY, to) for n, (to, via) in enumerate(ordered)}
    )


def _length(cidr: str) -> int:
    _, first, last = network(cidr)
    return last - first


@lru_cache(maxsize=4096)
def _ruled(rules: frozenset[RuleKey], peer: str) -> Packets:
    """What a group lets through of packets that come from, or go to, `peer` (empty: nobody in particular)."""
    mine: Mapping[str, tuple[str, ...]] = {peer: ("0.0.0.0/0", "::/0")} if peer else {}
    return of_rules(
        rule._replace(peer=address)
        for rule in rules
        for address in ((rule.peer,) if is_cidr(rule.peer) else mine.get(rule.peer, ()))
    )
