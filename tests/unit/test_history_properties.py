"""Random histories, recorded as a deployment records them, against an oracle that goes through every minute.

The world is a row of minutes. In some of them somebody changes something or puts it back, in some a run looks, and what
a run finds is corrected, held or found gone. Receipts are left by the rule of the report: one for what is new, one day
sheet for every day. The oracle knows the world and the looks; the history knows the receipts only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from reconciler.history.episodes import What
from reconciler.history.history import QUIET, History, history
from reconciler.model.network_state import NetworkState
from tests.support.recorded import DAY, entries, receipt, rule, setting, sheet

MINUTES = 3 * 1440
QUIET_MINUTES = int(QUIET.total_seconds() // 60)
DRIFTS = {
    "open": rule(),
    "other": rule(ports=22),
    "setting": setting(),
    "tags": setting(field="tags", severity="low"),
}
SEEDS = [int(os.environ.get("SETPOINT_TEST_SEED", "0")) + number for number in range(40)]


def minute(number: float) -> datetime:
    return DAY + timedelta(minutes=number)


@dataclass
class World:
    """What was made up: every look (minute, what it found and left), and the receipts of them."""

    looks: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    corrected: list[tuple[str, int]] = field(default_factory=list)
    contents: list[dict[str, Any]] = field(default_factory=list)
    spans: list[tuple[str, int, int | None]] = field(default_factory=list)
    """Each drift as the looks saw it: from the first that found it to the one that did not, or corrected it."""


def made(random: Random) -> World:
    """A world of three days."""
    world, held = World(), {name: random.random() < 0.5 for name in DRIFTS}
    live: set[str] = set()
    seen: dict[str, int] = {}
    last: frozenset[str] | None = None
    day_looks: list[int] = []
    now, previous = 0, 0
    while now < MINUTES:
        for name in DRIFTS:
            if now and random.random() < 0.04:  # a first look that finds something is a rollout
                live.symmetric_difference_update({name})
        if day_looks and now // 1440 > day_looks[0] // 1440:
            world.contents.append(_sheet(day_looks, now, last))
            day_looks = []
        day_looks.append(now)
        fixed = {name for name in live if not held[name]}
        for name in live - seen.keys():
            seen[name] = now
        for name in [*seen]:
            if name not in live or name in fixed:
                world.spans.append((name, seen.pop(name), now))
        left = frozenset(live - fixed)
        if fixed or left != last:
            lines = [DRIFTS[one] | {"outcome": "corrected" if one in fixed else "held"} for one in sorted(live)]
            world.contents.append(receipt(minute(now), *lines, seconds=0, first=last is None, revision=7))
        live -= fixed
        world.looks.append((now, left))
        last, previous = left, now
        now += 5 if random.random() < 0.98 else random.choice([20, 31, 60, 300, 1500])
    world.contents.append(_sheet(day_looks, previous, last))
    world.spans += [(name, start, None) for name, start in seen.items()]
    return world


def _sheet(looks: list[int], until: int, left: frozenset[str] | None) -> dict[str, Any]:
    moments = [*looks, until]
    pairs = list(pairwise(moments))
    return sheet(
        minute(looks[0]),
        minute(until),
        looks=len(looks),
        gaps=[(minute(a), minute(b)) for a, b in pairs if b - a > QUIET_MINUTES],
        longest=max(b - a for a, b in pairs) * 60,
        state=_state(left or frozenset()),
    )


def _state(left: frozenset[str]) -> NetworkState:
    if left & {"open", "other"}:
        return NetworkState.OPEN
    return NetworkState.DIFFERS if left else NetworkState.SYNC


def expected(world: World, end: int) -> list[NetworkState]:
    """The state of every minute, by the looks alone: that of the look before, unless the next one is too far away."""
    states = []
    for (at, left), following in zip(world.looks, [*(at for at, _ in world.looks[1:]), end], strict=True):
        quiet = following - at <= QUIET_MINUTES
        states += [(_state(left) if quiet else NetworkState.UNSEEN)] * (following - at)
    return states


def told(world: World, end: int) -> History:
    return history("shop", entries(*world.contents), DAY, minute(end))


def strip(found: History, end: int) -> list[NetworkState]:
    """The state in the middle of every minute."""
    states: list[NetworkState] = []
    segments = iter(found.segments)
    span, state = next(segments)
    for number in range(end):
        while span.end <= minute(number + 0.5):
            span, state = next(segments)
        states.append(state)
    return states


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_every_minute_is_told_as_the_looks_saw_it(seed: int) -> None:
    random = Random(seed)
    world = made(random)
    end = world.looks[-1][0] + random.choice([3, 30, 31, 500])
    found = told(world, end)
    assert strip(found, end) == expected(world, end), f"seed {seed}"
    assert found.segments[0].span.start == DAY
    assert found.segments[-1].span.end == minute(end)
    assert all(a.state != b.state for a, b in pairwise(found.segments))


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_every_episode_is_one_that_the_looks_saw(seed: int) -> None:
    world = made(Random(seed))
    found = told(world, world.looks[-1][0] + 3)
    texts = {one["field"]: name for name, one in DRIFTS.items() if name not in {"open", "other"}}
    texts |= {f"ingress: tcp {DRIFTS[name]['key']['ports']}": name for name in ("open", "other")}

    def name_of(text: str) -> str:
        return next(name for begin, name in texts.items() if text.startswith(begin))

    rows = sorted((name_of(one.text), one.start, one.end) for one in found.differences)
    assert [(name, start, end or minute(10**6)) for name, start, end in rows] == sorted(
        (name, minute(start), minute(10**6) if end is None else minute(end)) for name, start, end in world.spans
    ), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_the_figures_are_those_of_the_minutes(seed: int) -> None:
    world = made(Random(seed))
    end = world.looks[-1][0] + 3
    found, states = told(world, end), expected(world, end)
    assert found.share_as_declared == pytest.approx(states.count(NetworkState.SYNC) / end)
    assert found.looks == len(world.looks)
    assert found.findings == ()
    stood = set[int]()
    for name, start, until in world.spans:
        if name in {"open", "other"}:
            stood |= set(range(start, end if until is None else until))
    assert found.open_seconds == 60 * len(stood)
    gaps = [b - a for (a, _), (b, _) in pairwise(world.looks)]
    assert found.longest_gap == 60 * max(gaps)
    assert sum(one.what is What.UNWATCHED for one in found.episodes) == sum(gap > QUIET_MINUTES for gap in gaps)


@pytest.mark.parametrize("seed", SEEDS[:5])
def test_a_later_window_tells_the_same_of_its_time(seed: int) -> None:
    """With what was recorded from two days before its beginning on, as the reading lists it."""
    world = made(Random(seed))
    end, start = world.looks[-1][0] + 3, 2000
    whole = told(world, end)
    part = history("shop", entries(*world.contents), minute(start), minute(end))
    at = [minute(number + 0.5) for number in range(start, end)]
    states = [next(state for span, state in part.segments if span.start <= one < span.end) for one in at]
    assert strip(whole, end)[start:] == states, f"seed {seed}"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(400))
def test_every_minute_of_many_worlds(seed: int) -> None:
    test_every_minute_is_told_as_the_looks_saw_it(seed)
    test_every_episode_is_one_that_the_looks_saw(seed)
    test_the_figures_are_those_of_the_minutes(seed)
