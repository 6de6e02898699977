"""A small random network in several states, and a walk of every packet through each of them: the oracle of
`reconciler/reach/histories.py`.

What is not known is walked twice, as in `walker.py`: a packet surely arrives in a state if it does in the worst case,
and perhaps if it does in the best one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import product
from random import Random

from reconciler.reach.arrivals import Arrives
from reconciler.reach.histories import Histories, History
from reconciler.reach.histories import State as JudgedState
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.selectors import Selectors
from reconciler.reach.pair.ends import End, External, Ranges
from tests.support.changed import MOVES, OUTSIDE, State, first_state, has
from tests.support.walker import PLACES, Walker, addresses, holds

type Judged = Callable[[Sequence[JudgedState]], Histories]


def random_course(random: Random, calls: int = 4) -> list[list[State]]:
    """A world and what it is after each of several calls, some of which change nothing. After a call whose outcome is
    not known it may be one of two; the next call finds it as if that had been done.
    """
    course = [[first_state(random)]]
    for _ in range(calls):
        now = course[-1][-1]
        then = State(deepcopy(now.world), detached=now.detached)
        chance = random.random()
        if chance < 0.1:
            course.append([now])
            continue
        random.choice(MOVES)(random, then)
        course.append([now, then] if chance < 0.2 else [then])
    if random.random() < 0.2:
        course.append(course[0])
    return course


def disagreements(
    course: list[list[State]], histories: Judged, random: Random, most: int | None = None
) -> Iterator[str]:
    """Every packet of which `histories` says something else than the walk, between all ends or as many pairs."""
    states = list({id(state): state for some in course for state in some}.values())
    contexts = {id(state): state.context() for state in states}
    walkers = {id(state): state.walkers() for state in states}
    told = histories([tuple(contexts[id(state)] for state in some) for some in course])
    assert told.left_out == 0
    outside = list(_outside(contexts.values()))
    ends: dict[int, dict[str, list[End]]] = {}
    for state in states:
        ends[id(state)] = dict(_machines(state))
        ends[id(state)] |= {_name(one): [one] for one in outside}
    names = list(dict.fromkeys(name for found in ends.values() for name in found))
    pairs = [(one, other) for one, other in product(names, names) if not one.startswith("out:") or other[:4] != "out:"]
    for source, target in pairs if most is None else random.sample(pairs, min(most, len(pairs))):
        about = [one for one in told.found if (_name(one.source), _name(one.target)) == (source, target)]
        for packet in _packets(ends.values(), source, target):
            walked = tuple(
                _value([_arrives(walkers[id(state)], ends[id(state)], source, target, packet) for state in some])
                for some in course
            )
            said = [one.arrives for one in about if _is_about(one, *packet)]
            if said != ([walked] if any(walked) else []):
                yield f"{source} -> {target}, {packet}: said {said}, walked {walked}"


type _Packet = tuple[str, str, tuple[str, int]]
"""From an address to another, and its place."""


def _arrives(
    walkers: tuple[Walker, Walker], ends: Mapping[str, list[End]], source: str, target: str, packet: _Packet
) -> list[bool]:
    """Whether it does in the worst case, and in the best one."""
    a, b, place = packet
    here, there = ends.get(source, []), ends.get(target, [])
    both = [(one, to) for one, to in product(here, there) if has(one.addresses, a) and has(to.addresses, b)]
    return [any(walker.request(*pair, a, b, place) for pair in both) for walker in walkers]


def _packets(ends: Collection[Mapping[str, list[End]]], source: str, target: str) -> Iterator[_Packet]:
    """Every packet that is walked between two ends, in whatever state they have these addresses."""
    for ipv6 in (False, True):
        sources, targets = (
            sorted({a for found in ends for end in found.get(name, ()) for a in addresses(end, ipv6)})
            for name in (source, target)
        )
        # a machine does not send to itself through its filters
        yield from ((a, b, place) for a, b, place in product(sources, targets, PLACES) if a != b)


def _value(found: list[list[bool]]) -> Arrives:
    """What is known of a state that is one of several networks, each walked in the worst case and in the best one."""
    if all(worst for worst, _ in found):
        return Arrives.YES
    return Arrives.PERHAPS if any(best for _, best in found) else Arrives.NO


def _machines(state: State) -> Iterator[tuple[str, list[End]]]:
    for label in dict.fromkeys(end.label for end in state.machines):
        yield label, [end for end in state.machines if end.label == label]


def _outside(contexts: Iterable[JudgeContext]) -> Iterator[External]:
    """The networks outside, with the walked addresses that they have in any state."""
    found: dict[str, External] = {}
    for context in contexts:
        for one in Selectors(context).ends("outside"):
            assert isinstance(one, External)
            known = found.get(one.label, one._replace(addresses=Ranges()))
            found[one.label] = one._replace(addresses=known.addresses | one.addresses & OUTSIDE)
    yield from (one for one in found.values() if one.addresses)


def _name(end: End) -> str:
    return f"out:{end.label}" if isinstance(end, External) else end.label


def _is_about(one: History, a: str, b: str, place: tuple[str, int]) -> bool:
    return holds(one.traffic, place) and has(one.source.addresses, a) and has(one.target.addresses, b)
