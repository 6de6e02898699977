"""Revisions that change nearly everything at once: what has a safe order is done, the rest waits for a person.

Two networks about the same names are drawn by a seed. One is built, the document of the other one is uploaded. The
packet oracle watches both ends of every way after every write. What is not released opens and cuts nothing; what is
released opens nothing that the plan did not say, and leads to the document.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from reconciler.engine.result import Report
from reconciler.model import Reason
from tests.support.generated import POLICY, Stage, Written, drawn, left, loaded
from tests.support.packets import violations

ROUNDS = 6
"""More runs than any revision needs until nothing is done without a release, and more releases than any needs."""


def a_pair(seed: int) -> tuple[Written, Written]:
    """Two documents about the same names."""
    dice = Random(f"revision {seed}")
    first = drawn(dice, database=False)
    while True:
        second = drawn(dice, database=False)
        if _names(first) == _names(second):
            return first, second


def _names(written: Written) -> list[tuple[str, list[str]]]:
    return [(kind, sorted(section)) for kind, section in sorted(written["resources"].items())]


class Revised(NamedTuple):
    """How a revision ended: what the oracle found before and after it was released, and what plans said of that."""

    held: bool
    before_release: list[str]
    exposed: list[str]
    announced: list[str]
    left: list[str]
    writes_when_calm: int


def revised(stage: Stage, seed: int) -> Revised:
    first, second = a_pair(seed)
    stage.built(first)
    document, net = loaded(second), stage.net
    before = net.state()
    with net.watched() as states:
        again = net.run(document, POLICY)
        for _ in range(ROUNDS):
            if not again.writes:
                break
            again = net.run(document, POLICY)
        until = len(states)
        held = _held(again)
        announced: list[str] = []
        for _ in range(ROUNDS):
            if again.in_sync:
                break
            planned = net.plan(document, POLICY)
            announced += [one.message for one in planned.plan.unsafe.values()]
            again = net.run(document, POLICY, approved=planned.plan.fingerprint)
    calm = net.run(document, POLICY)
    after = net.state()
    exposed = [one for one in violations(before, after, states) if "exposed" in one]
    return Revised(held, violations(before, after, states[:until]), exposed, announced, left(again), calm.writes)


def _held(report: Report) -> bool:
    return any(drift.cause and drift.cause.reason is Reason.NO_SAFE_ORDER for drift in report.drifts)


def check(stage: Stage, seed: int) -> bool:
    """Whether something was held."""
    found = revised(stage, seed)
    assert found.before_release == [], f"seed {seed}: {found}"
    assert found.left == [], f"seed {seed}: {found}"
    assert found.writes_when_calm == 0, f"seed {seed}: {found}"
    assert found.held == bool(found.announced), f"seed {seed}: {found}"
    if not any("it would let through" in one for one in found.announced):
        assert found.exposed == [], f"seed {seed}: {found}"
    return found.held


def test_a_large_revision_is_safe_until_a_person_releases_the_rest(stage: Stage) -> None:
    assert {check(stage, seed) for seed in range(1, 5)} == {True, False}  # some are held in part, and some are not


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 500, 10))
def test_a_large_revision_is_safe_at_length(stage: Stage, first: int) -> None:
    for seed in range(first, first + 10):
        check(stage, seed)
