"""The judgement of a pair of ends beside a walk of every packet through small random networks."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.mutants import Mutant, judge
from tests.support.sampling import sampled
from tests.support.walker import disagreements, random_world

WORLDS, PAIRS = 16, 12
MOST = 300
"""Worlds until a mutant must have been noticed."""

MUTANTS = (
    Mutant("the ACL is asked within a subnet", "flows", "acl_out = NO_ACL if same else one", "acl_out = one", 4),
    Mutant(
        "the replies do not enter the source's subnet",
        "legs",
        'yield AclLeg(source.subnet, "ingress", self.back_from_target(source.client_ports))',
        "pass",
        7,
    ),
    Mutant(
        "the replies do not leave the target's subnet",
        "legs",
        'yield AclLeg(target.subnet, "egress", self.back_to_source(source.client_ports))',
        "pass",
        6,
    ),
    Mutant(
        "the shortest prefix decides", "routing", "begin(first, route)", "begin(first, [*around, (0, route)][1][1])"
    ),
    Mutant("a detached gateway carries packets", "routing", "if attached is False:", "if False:", 2),
    Mutant(
        "nobody needs a public address",
        "routing",
        "public = True if self.ipv6 else self.end.public",
        "public = True",
        2,
    ),
    Mutant("a NAT gateway lets in", "routing", "return Why.ONLY_OUTWARDS", "return None", 4),
    Mutant(
        "a prefix list certainly matches",
        "filters",
        "certain = possible = _some(boxes, line)",
        "certain = possible = join(_some(boxes, line), meet(self.lists, acl_certain))",
        3,
    ),
    Mutant("a group as peer matches nobody", "filters", "if self.peers:", "if False:"),
    Mutant(
        "a group as peer matches everybody",
        "filters",
        "for group in groups:\n                    if",
        "for group in self.peers:\n                    if",
    ),
    Mutant("a band is one address too wide", "filters", "starts[band] >= end", "starts[band] > end", 5),
    Mutant(
        "only the first address counts",
        "filters",
        "starts, bands = [0], list[Cuts]([()])",
        "starts, bands, ranges = [0], list[Cuts]([()]), ranges and (ranges[0], ranges[0] + 1)",
    ),
    Mutant("outbound rules do not count", "flows", 'groups_of(topology, end.groups, "egress")', "NO_GROUPS"),
    Mutant("the client's last port is left out", "path", "first + client_ports[1] + 1", "first + client_ports[1]", 85),
    Mutant(
        "one end is enough", "flows", "found.append(_both(out, into))", "found.append((join(out[0], into[0]), into[1]))"
    ),
    Mutant(
        "a propagated route goes before a static one",
        "routing",
        "found |= {to: via for to, via in made.items() if is_cidr(to)}",
        "found = {to: via for to, via in made.items() if is_cidr(to)} | found",
        5,
    ),
    Mutant("the subnet of a NAT gateway is not asked", "flows", "if subnet is None:", "if True:", 18),
    Mutant(
        "an appliance is taken for the local route",
        "routing",
        "== BLACKHOLE else Why.APPLIANCE",
        "== BLACKHOLE else None",
        7,
    ),
    Mutant("what is not known is closed", "filters", "Acl(NOTHING, EVERYTHING)", "Acl(NOTHING, NOTHING)", 9),
    Mutant("a NAT gateway carries every protocol", "flows", "meet(meet(got[0], into[0]), NAT_CARRIES)", "got[0]", 44),
)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_what_is_said_of_a_pair_of_ends_is_what_every_packet_says(seed: int) -> None:
    random = Random(seed)
    assert list(disagreements(random_world(random), judge(), random, PAIRS)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(500))
def test_what_is_said_of_all_pairs_is_what_every_packet_says(seed: int) -> None:
    random = Random(seed)
    assert list(disagreements(random_world(random), judge(), random)) == []


@pytest.mark.parametrize("mutant", sampled(MUTANTS, 4, seed="mutants", ids=[mutant.name for mutant in MUTANTS]))
def test_the_walk_notices_that(mutant: Mutant) -> None:
    changed = judge(mutant)
    for seed in range(mutant.seed, mutant.seed + MOST):
        random = Random(seed)
        if any(disagreements(random_world(random), changed, random)):
            return
    pytest.fail(f"nobody noticed in {MOST} worlds")
