"""A small random network and the same a little later, and a walk of every packet through both: the oracle of
`reconciler/reach/compare.py`.

What is not known is walked twice, as in `walker.py`. A packet is opened if it surely did not arrive before and may
arrive afterwards, certainly if it surely does; a cut is the same the other way. Replies are lost if they came back to
some port of the client, and surely do not any more, although the request may arrive in both states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain, product
from random import Random
from typing import NamedTuple

from desired_state.fields import Address
from reconciler.reach.compare import FlowChange
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.places import Placed
from reconciler.reach.judge.selectors import Selectors
from reconciler.reach.network import USABLE
from reconciler.reach.pair.ends import CLIENT_PORTS, End, Endpoint, External, Ranges
from tests.support import walker
from tests.support.walker import (
    ATTACHED,
    DETACHED,
    FAR,
    GROUPS,
    NAT,
    PLACES,
    PUBLIC,
    SUBNETS,
    Walker,
    World,
    addresses,
    holds,
    random_world,
)

type Changes = Callable[[JudgeContext, JudgeContext], Iterable[FlowChange]]

OUTSIDE = Ranges.of(*PUBLIC.values(), *FAR.values())
"""The addresses outside that are walked."""


@dataclass
class State:
    """A world and the machines in it. `detached`: the internet gateway is not attached now."""

    world: World
    detached: bool = False

    def context(self) -> JudgeContext:
        topology = self.world.topology()
        if self.detached:
            topology = topology.after(topology.network.after([(USABLE, ATTACHED, None)]))
        return JudgeContext(topology, Placed((), {}, frozenset(), {}))

    def walkers(self) -> tuple[Walker, Walker]:
        world = deepcopy(self.world)
        world.ends = self.world.ends
        if self.detached:  # a walker knows a gateway by its name
            for table, routes in world.made.items():
                world.made[table] = [(to, DETACHED if via == ATTACHED else via) for to, via in routes]
        return Walker(world, hopeful=False), Walker(world, hopeful=True)

    @property
    def machines(self) -> list[Endpoint]:
        return [end for end in self.world.ends if isinstance(end, Endpoint)]


def first_state(random: Random) -> State:
    """A world in which every machine is itself; one may stand for machines with and without public addresses."""
    world = random_world(random)
    machines = [end._replace(owner=end.label) for end in world.ends if isinstance(end, Endpoint)]
    world.ends = [*machines]
    if random.random() < 0.2:
        twin = random.choice(machines)
        world.ends.append(twin._replace(public=not twin.public))
    return State(world)


def random_states(random: Random) -> tuple[State, State]:
    """A world, and what it is after one to three changes."""
    before = first_state(random)
    after = State(deepcopy(before.world))
    for _ in range(random.choice((1, 1, 2, 3))):
        random.choice(MOVES)(random, after)
    return (before, after) if random.random() < 0.5 else (after, before)


def _rule(random: Random, state: State) -> None:
    rules = state.world.rules
    _member(random, rules.setdefault(random.choice(list(rules)), []), walker._rules(random, is_open=False))


def _line(random: Random, state: State) -> None:
    acls = state.world.acls
    at = random.choice(list(acls))
    _member(random, acls[at], walker._lines(random))
    acls[at] = list({line.number: line for line in acls[at]}.values())


def _member[T](random: Random, members: list[T], more: list[T]) -> None:
    """One more, one less, or one instead of another."""
    if members and random.random() < 0.6:
        members.remove(random.choice(members))
    if more and random.random() < 0.7:
        members.append(random.choice(more))


def _route(random: Random, state: State) -> None:
    tables = random.choice((state.world.made, state.world.made, state.world.by_aws))
    at = random.choice(list(tables))
    made, by_aws = walker._routes(random)
    _member(random, tables[at], made if tables is state.world.made else by_aws)
    tables[at] = list(dict(tables[at]).items())


def _acl_of(random: Random, state: State) -> None:
    acl = Address(f"network_acl/a{random.randrange(2)}")
    state.world.acl_of[random.choice(SUBNETS)] = acl


def _table_of(random: Random, state: State) -> None:
    state.world.table_of[random.choice(SUBNETS)] = random.choice(list(state.world.made))


def _gateway(_: Random, state: State) -> None:
    state.detached = ATTACHED not in state.world.unreadable


def _public(random: Random, state: State) -> None:
    _machine(random, state, lambda end: end._replace(public=random.choice((True, False, None))))


def _groups(random: Random, state: State) -> None:
    _machine(random, state, lambda end: end._replace(groups=frozenset(random.sample(GROUPS, random.choice((1, 2))))))


def _leaves(random: Random, state: State) -> None:
    state.world.ends.remove(random.choice(state.world.ends))


def _machine(random: Random, state: State, change: Callable[[Endpoint], Endpoint]) -> None:
    at = random.randrange(len(state.machines))
    state.world.ends[at] = change(state.machines[at])


MOVES = (_rule, _rule, _rule, _line, _line, _route, _route, _acl_of, _table_of, _gateway, _public, _groups, _leaves)


class _Pair(NamedTuple):
    """Two ends, by name; each as it is before, and afterwards."""

    source: str
    target: str
    sources: tuple[list[End], list[End]]
    targets: tuple[list[End], list[End]]


def disagreements(
    before: State, after: State, changes: Changes, random: Random, most: int | None = None
) -> Iterator[str]:
    """Every packet about which `changes` says something else than the walk, between all ends or as many pairs."""
    contexts = before.context(), after.context()
    told = list(changes(*contexts))
    walkers = before.walkers(), after.walkers()
    pairs = list(_pairs(before, after, contexts))
    for pair in pairs if most is None else random.sample(pairs, min(most, len(pairs))):
        about = [one for one in told if (one.source.label, one.target.label) == (pair.source, pair.target)]
        yield from _Walk(before, after, walkers, pair, about).disagreements()


def _pairs(before: State, after: State, contexts: tuple[JudgeContext, JudgeContext]) -> Iterator[_Pair]:
    machines: dict[str, tuple[list[End], list[End]]] = {
        label: (
            [end for end in before.machines if end.label == label],
            [end for end in after.machines if end.label == label],
        )
        for label in dict.fromkeys(end.label for state in (before, after) for end in state.machines)
    }
    outside: dict[str, External] = {}
    for context in contexts:
        for end in Selectors(context).ends("outside"):
            assert isinstance(end, External)
            known = outside.get(end.label, end._replace(addresses=Ranges()))
            outside[end.label] = known._replace(addresses=known.addresses | end.addresses & OUTSIDE)
    others: dict[str, tuple[list[End], list[End]]] = {
        label: ([end], [end]) for label, end in outside.items() if end.addresses
    }
    for (one, mine), (other, theirs) in product(machines.items(), machines.items()):
        yield _Pair(one, other, mine, theirs)
    for (one, mine), (other, theirs) in product(machines.items(), others.items()):
        yield _Pair(one, other, mine, theirs)
        yield _Pair(other, one, theirs, mine)


@dataclass
class _Walk:
    before: State
    after: State
    walkers: tuple[tuple[Walker, Walker], tuple[Walker, Walker]]
    pair: _Pair
    told: list[FlowChange]

    def disagreements(self) -> Iterator[str]:
        for ipv6 in (False, True):
            sources, targets = (
                sorted({a for end in chain(*ends) for a in addresses(end, ipv6)})
                for ends in (self.pair.sources, self.pair.targets)
            )
            for a, b, place in product(sources, targets, PLACES):
                if a == b:
                    continue  # a machine does not send to itself through its filters
                if found := self._packet(a, b, place):
                    yield f"{self.pair.source} -> {self.pair.target}, {place} from {a} to {b}: {found}"

    def _packet(self, a: str, b: str, place: tuple[str, int]) -> str:
        was, now = (self._arrives(number, a, b, place) for number in (0, 1))
        about = [one for one in self.told if self._is_in(one, a, b, place)]
        for opened, (old, new) in ((True, (was, now)), (False, (now, was))):
            mine = [one for one in about if one.opened is opened and not one.replies]
            wanted = [new[0] and not old[1], new[1] and not old[1] and not new[0]]
            said = [any(one.certain for one in mine), any(not one.certain for one in mine)]
            if said != wanted:
                return f"{'opened' if opened else 'cut'} (surely, perhaps): said {said}, walked {wanted}"
        said_lost = any(one.replies for one in about)
        lost = bool(was[1] and now[1]) and self._loses_replies(a, b, place)
        if said_lost != lost and not (lost and self._by_nat):
            return "" if self._unsure_ways else f"replies lost: said {said_lost}, walked {lost}"
        return ""

    def _is_in(self, one: FlowChange, a: str, b: str, place: tuple[str, int]) -> bool:
        at = (one.source, a), (one.target, b)
        return holds(one.traffic, place) and all(has(end.addresses, address) for end, address in at)

    def _arrives(self, number: int, a: str, b: str, place: tuple[str, int]) -> tuple[bool, bool]:
        sure, maybe = (
            any(walker_.request(source, target, a, b, place) for source, target in self._ends(number, a, b))
            for walker_ in self.walkers[number]
        )
        return sure, maybe

    def _ends(self, number: int, a: str, b: str) -> Iterator[tuple[End, End]]:
        for source, target in product(self.pair.sources[number], self.pair.targets[number]):
            if has(source.addresses, a) and has(target.addresses, b):
                yield source, target

    def _loses_replies(self, a: str, b: str, place: tuple[str, int]) -> bool:
        if place[0] not in ("tcp", "udp"):
            return False
        one = next(iter(self._ends(1, a, b)))[0]
        mine = walker._answers(place[0], one.client_ports if isinstance(one, Endpoint) else CLIENT_PORTS)
        of_nat = walker._answers(place[0], CLIENT_PORTS)
        return any(
            self._comes_back(0, a, b, place, *ports) and not self._comes_back(1, a, b, place, *ports)
            for ports in product(mine, of_nat)
        )

    def _comes_back(
        self, number: int, a: str, b: str, place: tuple[str, int], reply: tuple[str, int], nat_reply: tuple[str, int]
    ) -> bool:
        hopeful = self.walkers[number][1]
        ends = self._ends(number, a, b)
        return any(hopeful.conversation(*pair, a, b, place, reply, nat_reply) for pair in ends)

    @property
    def _by_nat(self) -> bool:
        """A NAT gateway has client ports of its own: what is lost of them may have been lost of the machine's."""
        return self._routes(lambda to, via: via == NAT)

    @property
    def _unsure_ways(self) -> bool:
        """Where a prefix list may be meant, what keeps a conversation from working is not judged exactly."""
        return self._routes(lambda to, via: to.startswith("pl-"))

    def _routes(self, asked: Callable[[str, str], bool]) -> bool:
        worlds = self.before.world, self.after.world
        tables = [table for world in worlds for table in (*world.made.values(), *world.by_aws.values())]
        return any(asked(to, via) for routes in tables for to, via in routes)


def has(ranges: Ranges, address: str) -> bool:
    """Whether an address is in a set of them."""
    number, cuts = int(ip_address(address)), ranges.ipv6 if ":" in address else ranges.ipv4
    return any(low <= number < high for low, high in zip(cuts[::2], cuts[1::2], strict=True))
