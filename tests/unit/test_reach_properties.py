"""What must hold of the judgement in any network, whatever it says."""

from __future__ import annotations

from copy import deepcopy
from ipaddress import ip_network
from itertools import product
from random import Random

import pytest

from reconciler.packets.traffic import LINE, less
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import Endpoint, External
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.path import Flow
from tests.support.walker import GROUPS, Clause, Line, World, random_world

SEEDS = range(8)
FLOW = Flow.of("tcp", (1, 1), (1024, 32767))


def requests(world: World) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """What passes between all pairs of ends."""
    topology = world.topology()
    return [passing(topology, source, target, LINE) for source, target in product(world.ends, world.ends)]


def verdicts(world: World) -> list[str]:
    """How a flow does between all pairs of ends."""
    topology = world.topology()
    pairs = [pair for pair in product(world.ends, world.ends) if any(isinstance(end, Endpoint) for end in pair)]
    found = [blockers(topology, source, target, FLOW) for source, target in pairs]
    return ["broken" if any(one.certain for one in some) else "unknown" if some else "kept" for some in found]


def drawn(seed: int) -> tuple[World, World, Random]:
    """A network, a copy of it to change, and how to choose."""
    random = Random(seed)
    world = random_world(random)
    return world, deepcopy(world), random


def halves(cidr: str) -> list[str]:
    whole = ip_network(cidr)
    return [str(half) for half in whole.subnets()] if whole.prefixlen < whole.max_prefixlen else [cidr]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_rule_lets_more_through_and_breaks_nothing(seed: int) -> None:
    world, more, random = drawn(seed)
    group, side = random.choice(list(world.rules))
    more.rules[group, side].append((Clause("tcp", 0, 65535), "0.0.0.0/0"))
    for before, after in zip(requests(world), requests(more), strict=True):
        assert [less(old, new) for old, new in zip(before, after, strict=True)] == [(), ()]
    order = ["broken", "unknown", "kept"]
    for old, new in zip(verdicts(world), verdicts(more), strict=True):
        assert order.index(old) <= order.index(new)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_deny_lets_less_through_and_mends_nothing(seed: int) -> None:
    world, fewer, random = drawn(seed)
    acl, side = random.choice(list(world.acls))
    fewer.acls[acl, side].append(Line(0, False, Clause("tcp", 1024, 65535), "0.0.0.0/0"))
    for before, after in zip(requests(world), requests(fewer), strict=True):
        assert [less(new, old) for old, new in zip(before, after, strict=True)] == [(), ()]
    order = ["broken", "unknown", "kept"]
    for old, new in zip(verdicts(world), verdicts(fewer), strict=True):
        assert order.index(old) >= order.index(new)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_written_otherwise_is_judged_the_same(seed: int) -> None:
    """Networks and ports in two parts, other numbers in the same order, static routes in halves."""
    world, other, _ = drawn(seed)
    for at, rules in world.rules.items():
        other.rules[at] = [
            (clause, part)
            for clause, peer in rules
            for part in (halves(peer) if "sg-" not in peer and "pl-" not in peer and peer not in GROUPS else [peer])
        ]
    for at, lines in world.acls.items():
        parts = [
            (line, clause, cidr)
            for line in sorted(lines)
            for clause in split(line.clause)
            for cidr in halves(line.cidr)
        ]
        other.acls[at] = [
            Line(3 * number + 7, line.allow, clause, cidr) for number, (line, clause, cidr) in enumerate(parts)
        ]
    assert requests(other) == requests(world)
    assert verdicts(other) == verdicts(world)


def split(clause: Clause) -> list[Clause]:
    if clause.protocol == "tcp" and clause.first < clause.last:
        return [clause._replace(last=clause.first), clause._replace(first=clause.first + 1)]
    return [clause]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_counts_the_same_in_any_group_of_a_machine(seed: int) -> None:
    world, _, _ = drawn(seed)
    both = frozenset(GROUPS[:2])
    world.ends = [end._replace(groups=both) if isinstance(end, Endpoint) else end for end in world.ends]
    other = deepcopy(world)
    for side in ("ingress", "egress"):
        here, there = world.rules.get((GROUPS[0], side)), world.rules.get((GROUPS[1], side))
        if here is not None and there is not None and not world.unreadable:
            other.rules[GROUPS[0], side], other.rules[GROUPS[1], side] = [], here + there
    assert requests(other) == requests(world)
    assert verdicts(other) == verdicts(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_asked_is_all_that_is_answered(seed: int) -> None:
    world, _, _ = drawn(seed)
    topology = world.topology()
    for source, target in product(world.ends, world.ends):
        whole, part = passing(topology, source, target, LINE), passing(topology, source, target, FLOW.request)
        rest = passing(topology, source, target, less(LINE, FLOW.request))
        for one, some, others in zip(whole, part, rest, strict=True):
            assert not less(some, FLOW.request)
            assert less(one, some) == others
        if isinstance(source, External) and isinstance(target, External):
            assert whole == ((), ())
