"""What passes between two ends in each of several states, beside a walk of every packet through all of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.reach import histories as judged
from reconciler.reach.arrivals import Arrives
from reconciler.reach.histories import Histories, histories
from reconciler.reach.judge.context import JudgeContext
from tests.support.altered import altered
from tests.support.courses import Judged, disagreements, random_course
from tests.support.intents import OUT, context_of, document, network, rule
from tests.support.sampling import sampled

COURSES, PAIRS = 8, 4
MOST = 150
"""Courses until a mutant must have been noticed."""
NO, PERHAPS, YES = Arrives


@dataclass(frozen=True)
class Mutant:
    """One change of the source: this text, which stands there once, becomes another. `seed` is a course in which it
    shows, as of when it was written.
    """

    name: str
    old: str
    new: str
    seed: int = 0


MUTANTS = (
    Mutant(
        "a call is skipped",
        "for state in self._states]\n",
        "for state in (self._states[0], *self._states[:1], *self._states[2:])]\n",
        14,
    ),
    Mutant(
        "what a call does counts as the next one's",
        "for state in self._states]\n",
        "for state in (self._states[0], *self._states[:-1])]\n",
        4,
    ),
    Mutant(
        "two sets with different histories are one",
        "found.setdefault(values, [])",
        "found.setdefault((*values[:-1], values[-2:][0]), [])",
        4,
    ),
    Mutant(
        "what passes in one of two networks passes",
        "reduce(meet, (answers[place][0] for place in mix))",
        "join(*(answers[place][0] for place in mix))",
        8,
    ),
    Mutant(
        "one of two networks is enough",
        "for number in self._several:\n            mix",
        "for number in ():\n            mix",
        8,
    ),
    Mutant("what is not known does not pass", "perhaps = () if surely == may else less(may, surely)", "perhaps = ()"),
    Mutant(
        "the rules of groups are always the same",
        "for cell in sorted(cells) if cell in self.differing",
        "for cell in ()",
        22,
    ),
    Mutant("the ACL and the routes of a subnet are always the same", "vectors += self.of_place(subnet)", "pass", 14),
    Mutant(
        "gateways are always the same",
        "numbers(map(self._of_all, range(len(topologies))))",
        "(0,) * len(topologies)",
        4,
    ),
    Mutant("an end never changes", "vectors.append(numbers(map(id, ends)))", "pass", 8),
    Mutant("what was once so is so again", "runs.append((number, place))", "runs.append((number, min(place, 1)))", 8),
    Mutant(
        "addresses are not split by the filters of the source",
        "(target, self._boundaries(source))",
        "(target, ((), ()))",
        1,
    ),
    Mutant(
        "addresses are not split by the filters of the target",
        "(source, self._boundaries(target))",
        "(source, ((), ()))",
        21,
    ),
    Mutant(
        "only the last state splits addresses",
        "for number in {version: number for number, version in enumerate(one.versions)}.values():",
        "for number in (len(one.versions) - 1,):",
        21,
    ),
    Mutant(
        "the last bound within an end splits nothing",
        "bisect_left(edges, cuts[-1])]",
        "bisect_left(edges, cuts[-1]) - 1]",
        21,
    ),
    Mutant(
        "traffic that some addresses share is told of all", "if left := less(traffic, common):", "if left := ():", 35
    ),
    Mutant(
        "what nobody shares is left out",
        "        if rest:\n            split",
        "        if not rest:\n            split",
    ),
    Mutant("one direction is forgotten", "yield from ((far, one), (one, far))", "yield far, one"),
    Mutant("nobody asks about those who stay as they are", "(still, still), ", "", 6),
)


MODULES = ("reconciler.reach.versions", "reconciler.reach.arrivals", "reconciler.reach.histories")


def mutated(mutant: Mutant) -> Judged:
    module = next(name for name in MODULES if mutant.old in Path(str(sys.modules[name].__file__)).read_text())
    found: Any = altered(MODULES, module, mutant.old, mutant.new)[MODULES[-1]].histories
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(COURSES))
def test_what_is_told_of_a_course_is_what_every_packet_shows(seed: int) -> None:
    random = Random(seed)
    assert list(disagreements(random_course(random), histories, random, PAIRS)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(COURSES, 400))
def test_what_is_told_of_all_pairs_of_a_course_is_what_every_packet_shows(seed: int) -> None:
    random = Random(seed)
    assert list(disagreements(random_course(random, calls=6), histories, random)) == []


@pytest.mark.parametrize("mutant", sampled(MUTANTS, 8, seed="histories", ids=[mutant.name for mutant in MUTANTS]))
def test_the_walk_notices_that(mutant: Mutant) -> None:
    changed = mutated(mutant)
    for seed in range(mutant.seed, mutant.seed + MOST):
        random = Random(seed)
        if next(disagreements(random_course(random), changed, random, PAIRS), None):
            return
    pytest.fail(f"nobody noticed in {MOST} courses")


# By hand: what nobody has looked at, and what is too much.


def course(*edits: tuple[tuple[str, Any], ...], looked: bool) -> list[tuple[JudgeContext, ...]]:
    """The document of `tests/support/intents.py` with these edits, each list a state."""
    found = [context_of(document(network(*some))) for some in edits]
    return [(replace(one, possible=()) if looked else one,) for one in found]


def said(found: Histories) -> set[tuple[str, str, tuple[Arrives, ...]]]:
    return {(one.source.label, one.target.label, one.arrives) for one in found.found}


SPARE = "security_group.spare"
OPEN = {"ingress": [rule(22)], "egress": []}
SHUT: dict[str, Any] = {"ingress": [], "egress": []}


def test_of_machines_that_nobody_names_only_what_changes_is_told_and_only_if_nobody_has_looked() -> None:
    states = ((SPARE, SHUT),), ((SPARE, OPEN),), ((SPARE, SHUT),)
    found = histories(course(*states, looked=False))
    to_spare = {(source, arrives) for source, target, arrives in said(found) if target.startswith("machines with")}
    assert to_spare == {(one, (NO, YES, NO)) for one in ("the internet", *NEAR)}
    assert not [one for one in histories(course(*states, looked=True)).found if "machines" in one.target.label]
    assert {one[2] for one in said(histories(course(((SPARE, OPEN),), ((SPARE, OPEN),), looked=False)))} == {(YES, YES)}


NEAR = ("api", "server", *(f"machines in subnet/{name}" for name in ("back", "data-a", "data-b", "front")))


def test_a_machine_that_may_be_anybody_is_never_certain_to_be_reached() -> None:
    states = (), (("security_group.data.egress", [OUT]),)
    found = histories(course(*states, looked=False))
    to_anybody = [one for one in found.found if one.target.label.startswith("machines in")]
    assert to_anybody
    assert {value for one in to_anybody for value in one.arrives} == {NO, PERHAPS}


def test_pairs_that_are_too_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    states = course(((SPARE, SHUT),), ((SPARE, OPEN),), looked=False)
    whole = histories(states)
    assert whole.left_out == 0
    monkeypatch.setattr(judged, "MOST_PAIRS", 10)
    less = histories(states)
    assert said(less) < said(whole)
    assert less.left_out > 0
    assert {one for one in said(whole) if "internet" in one[0]} <= said(less)


def test_machines_that_may_be_there_are_told_of_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = (SPARE, OPEN), ("network_acl.all.subnets", ["subnet/back", "subnet/data-a", "subnet/data-b"])
    shut = ("network_acl.shut", {"subnets": ["subnet/front"], "ingress": {}, "egress": {}})
    states = course(((SPARE, OPEN),), (*moved, shut), looked=False)
    assert histories(states).left_out == 0
    monkeypatch.setattr(judged, "MOST_UNNAMED", 0)
    assert histories(states).left_out > 0


def test_questions_that_are_too_many_leave_the_other_pairs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    states = course((), (("security_group.data.ingress", [rule(22)]),), looked=True)
    whole = histories(states)
    monkeypatch.setattr(judged, "MOST_QUESTIONS", 1)
    less = histories(states)
    assert said(less) < said(whole)
    assert less.left_out > 0
