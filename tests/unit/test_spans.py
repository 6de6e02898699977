"""Spans of time beside sets of minutes, and what a strip makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.history.episodes import What
from reconciler.history.spans import Span, clipped, layered, total, union, without
from reconciler.history.strip import Segment, _states, missing_days, segments, share_as_declared, unwatched, watched
from reconciler.model.network_state import NetworkState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def span(start: int, end: int) -> Span:
    return Span(NOON + timedelta(minutes=start), NOON + timedelta(minutes=end))


def minutes(*spans: Span) -> set[int]:
    return {
        at
        for one in spans
        for at in range(int((one.start - NOON).total_seconds() // 60), int((one.end - NOON).total_seconds() // 60))
    }


def drawn(random: Random) -> list[Span]:
    """Some spans of half an hour; some are empty, some touch, some lie in others."""
    starts = [random.randrange(30) for _ in range(random.randrange(5))]
    return [span(start, start + random.choice([0, 1, 3, 10])) for start in starts]


def is_apart(spans: list[Span]) -> bool:
    """Whether they are in order, and neither empty nor touching."""
    return all(one.start < one.end for one in spans) and all(one.end < other.start for one, other in pairwise(spans))


@pytest.mark.parametrize("seed", range(60))
def test_spans_are_sets_of_time_in_their_shortest_form(seed: int) -> None:
    random = Random(seed)
    some, others, whole = drawn(random), drawn(random), span(5, 5 + random.choice([0, 1, 20]))
    joined = union(some)
    assert (minutes(*joined), is_apart(joined)) == (minutes(*some), True)
    assert total(some) == 60 * len(minutes(*some))
    inside = list(clipped(some, whole))
    assert minutes(*inside) == minutes(*some) & minutes(whole)
    assert all(one.start < one.end for one in inside)
    left = without(whole, some)
    assert (minutes(*left), is_apart(left)) == (minutes(whole) - minutes(*some), True)
    if whole.start == whole.end:
        return
    strip = layered(whole, "ground", [("a", some), ("b", others), ("a", [span(9, 11)])])
    assert (strip[0][0].start, strip[-1][0].end) == whole
    assert all(one.end == other.start and name != next_ for (one, name), (other, next_) in pairwise(strip))
    for at in minutes(whole):
        (name,) = [name for one, name in strip if at in minutes(one)]
        by_layer = [("a", minutes(*some)), ("b", minutes(*others)), ("a", minutes(span(9, 11)))]
        assert name == next((layer for layer, covered in reversed(by_layer) if at in covered), "ground")


def entry(at: int, ended: int, state: NetworkState, writes: int = 0) -> Any:
    summary = SimpleNamespace(at=span(at, at).start, state=state, writes=writes)
    return SimpleNamespace(is_sheet=False, summary=summary, ended=span(ended, ended).start, content=None)


def test_a_run_that_took_long_ends_after_the_next_one_began() -> None:
    long = entry(0, 10, NetworkState.SYNC, writes=1)
    found = _states([long, entry(5, 8, NetworkState.OPEN)], span(20, 20).start)
    assert found == [
        (span(0, 5), NetworkState.DIFFERS),
        (span(5, 10), NetworkState.OPEN),
        (span(10, 20), NetworkState.SYNC),
    ]
    at_once = _states([entry(0, 0, NetworkState.SYNC), entry(0, 0, NetworkState.DIFFERS)], span(20, 20).start)
    assert at_once == [(span(0, 20), NetworkState.DIFFERS)]  # the later one counts


def sheet(day: int, *gaps: tuple[int, int]) -> Any:
    """The sheet of a day of November 2026, with gaps in minutes after noon of the 22nd."""
    since = datetime(2026, 11, day, tzinfo=UTC)
    spans = tuple(tuple(span(*one)) for one in gaps)
    return SimpleNamespace(since=since, until=since + timedelta(days=1), gaps=spans, state=None)


def entries(*sheets: Any, seen: datetime | None = None) -> Any:
    found = [
        SimpleNamespace(is_sheet=True, content=SimpleNamespace(day=one), summary=SimpleNamespace(at=one.until))
        for one in sheets
    ]
    run = SimpleNamespace(is_sheet=False, content=None, summary=SimpleNamespace(at=seen))
    return cast("Any", [*found, *([run] if seen else [])])


def test_times_in_which_nobody_looked_are_told_in_order_today_too() -> None:
    whole = span(0, 100)
    found = unwatched(whole, entries(sheet(22, (50, 60), (-30, -20), (10, 20))), sheet(22, (90, 120)))
    assert found == [span(10, 20), span(50, 60), span(90, 120)]
    assert unwatched(whole, entries(sheet(22)), None) == []


@pytest.mark.parametrize(
    ("start", "end", "sheets", "seen", "missing"),
    [
        (datetime(2026, 11, 18, 6, tzinfo=UTC), 23, (19, 21), None, [20]),
        (datetime(2026, 11, 18, tzinfo=UTC), 23, (19, 21), None, [18, 20]),  # a day that is all of it
        (datetime(2026, 11, 18, 6, tzinfo=UTC), 23, (21, 19), None, [20]),
        (datetime(2026, 11, 18, 6, tzinfo=UTC), 23, (), None, []),
        (datetime(2026, 11, 18, 6, tzinfo=UTC), 23, (), 21, [19, 20]),
        (datetime(2026, 11, 18, 6, tzinfo=UTC), 20, (21,), None, [19]),
    ],
)
def test_a_whole_day_without_a_sheet_is_missing_if_there_was_a_run_after_it(
    start: datetime, end: int, sheets: tuple[int, ...], seen: int | None, missing: list[int]
) -> None:
    until = datetime(2026, 11, end, tzinfo=UTC)
    at = datetime(2026, 11, seen, tzinfo=UTC) if seen else None
    found = missing_days(Span(start, until), entries(*map(sheet, sheets), seen=at), None)
    assert [one.day for one in found] == missing
    if at:
        assert missing_days(Span(start, until), entries(*map(sheet, sheets)), sheet(seen or 0)) == found


def episode(
    what: What, lasted: Span, *, opens: bool = False, stood: Span | None = None, dated: Span | None = None
) -> Any:
    known = dated or span(0, 0)
    return SimpleNamespace(
        what=what,
        opens=opens,
        start=known.start,
        seen=known.end,
        lasted=lambda end: lasted,
        stood_open=lambda end: stood,
    )


SYNC, DIFFERS, OPEN, UNSEEN = NetworkState.SYNC, NetworkState.DIFFERS, NetworkState.OPEN, NetworkState.UNSEEN


def test_a_strip_lays_what_is_graver_and_what_nobody_saw_over_the_rest() -> None:
    receipts = [entry(0, 0, SYNC), entry(35, 35, OPEN), entry(40, 40, DIFFERS), entry(60, 60, NetworkState.REFUSED)]
    receipts.append(entry(65, 65, DIFFERS))
    found = [
        episode(What.DIFFERENCE, span(10, 20)),
        episode(What.REVISION, span(21, 34), opens=True, stood=span(25, 30)),
        episode(What.DIFFERENCE, span(50, 55), opens=True, dated=span(92, 95)),
        episode(What.DIFFERENCE, span(50, 51), dated=span(96, 97)),
        *(episode(one, span(2, 8), opens=True) for one in What if one not in {What.DIFFERENCE, What.REVISION}),
    ]
    strip = segments(span(0, 100), receipts, found, [span(0, 90)])
    assert strip == [
        (span(0, 10), SYNC),
        (span(10, 20), DIFFERS),
        (span(20, 25), SYNC),
        (span(25, 30), OPEN),
        (span(30, 35), SYNC),
        (span(35, 40), OPEN),
        (span(40, 50), DIFFERS),
        (span(50, 55), OPEN),
        (span(55, 60), DIFFERS),
        (span(60, 65), UNSEEN),
        (span(65, 90), DIFFERS),
        (span(90, 92), UNSEEN),
        (span(92, 95), OPEN),
        (span(95, 96), UNSEEN),
        (span(96, 97), DIFFERS),
        (span(97, 100), UNSEEN),
    ]


def test_the_sheet_of_a_day_tells_the_state_once_more() -> None:
    def told(state: NetworkState | None, content: bool = True, day: bool = True) -> Any:
        at = SimpleNamespace(until=span(50, 50).start, state=state)
        return SimpleNamespace(is_sheet=True, content=SimpleNamespace(day=at if day else None) if content else None)

    first = entry(0, 0, DIFFERS)
    until = span(100, 100).start
    assert _states([first, told(SYNC)], until) == [(span(0, 50), DIFFERS), (span(50, 100), SYNC)]
    for nothing in (told(None), told(SYNC, content=False), told(SYNC, day=False)):
        assert _states([first, nothing], until) == [(span(0, 100), DIFFERS)]
    assert _states([first, entry(100, 100, SYNC), entry(120, 120, OPEN)], until) == [
        (span(0, 100), DIFFERS),
        (span(100, 120), SYNC),
    ]


@pytest.mark.parametrize(
    ("receipts", "today", "seen"),
    [
        ([(0, 5), (35, 40)], None, [(0, 40)]),  # no more than half an hour between them
        ([(0, 5), (36, 40)], None, [(0, 5), (36, 40)]),
        ([(0, 5), (75, 80)], None, [(0, 5), (75, 100)]),
        ([(0, 80), (10, 20)], None, [(0, 100)]),
        ([(35, 40), (0, 5)], None, [(0, 40)]),
        ([(0, 5), (20, 25)], (10, 15), [(0, 10), (15, 25)]),  # the sheet says that nobody looked then
        ([], None, []),
    ],
)
def test_between_two_looks_somebody_watches_if_they_are_near(receipts: Any, today: Any, seen: Any) -> None:
    gaps = () if today is None else (tuple(span(*today)),)
    none: Any = SimpleNamespace(since=span(0, 0).start, until=span(0, 0).start, gaps=gaps, state=None)
    found = watched(
        [entry(at, ended, SYNC) for at, ended in receipts],
        none if today else None,
        span(100, 100).start,
        timedelta(minutes=30),
    )
    assert found == [span(*one) for one in seen]


def test_a_sheet_says_that_somebody_looked_all_day_but_in_its_gaps() -> None:
    bare = sheet(23)
    bare.gaps = None
    found = watched(
        [*entries(sheet(22, (10, 20)), bare), entry(2200, 2205, SYNC)],
        None,
        span(2500, 2500).start,
        timedelta(minutes=30),
    )
    assert found == [span(-720, 10), span(20, 2160), span(2200, 2205)]
    near = watched([*entries(bare), entry(2180, 2205, SYNC)], None, span(2500, 2500).start, timedelta(minutes=30))
    assert near == [span(720, 2205)]
    assert unwatched(span(0, 100), entries(bare), None) == []


def test_the_share_of_the_time_as_declared_is_of_all_of_it() -> None:
    strip = [Segment(span(0, 10), SYNC), Segment(span(10, 20), UNSEEN), Segment(span(20, 40), DIFFERS)]
    assert share_as_declared(strip) == 0.25
    assert share_as_declared(strip[1:2]) is None
    assert share_as_declared(strip[1:]) == 0.0
    assert share_as_declared([]) is None
