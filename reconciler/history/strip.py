"""The strip: in which state a network was from when to when, as far as somebody looked. Pure.

Where nobody looked it is never "as declared": between two looks a state is taken to last, but only if no more than
`quiet` lies between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from reconciler.history.receipts import State
from reconciler.history.recorded import Sheet
from reconciler.history.spans import Span, clipped, layered, union, without
from reconciler.history.standing import Entry, Episode, What

_SHOWN = {State.SYNC: State.SYNC, State.DIFFERS: State.DIFFERS, State.OPEN: State.OPEN}
"""What the strip shows of a state; everything else is `unseen`."""


class Segment(NamedTuple):
    """A state that lasted."""

    span: Span
    state: State


def segments(whole: Span, entries: Sequence[Entry], found: Iterable[Episode], watched: Iterable[Span]) -> list[Segment]:
    """The whole in segments, neighbours of different states: what the receipts say, over it what the episodes know of
    the time before a receipt, over it where nobody looked, and over that what CloudTrail says of such a time.
    """
    lasting: dict[State, list[Span]] = {State.SYNC: [], State.DIFFERS: [], State.OPEN: [], State.UNSEEN: []}
    for span, state in _states(entries, whole.end):
        lasting[_SHOWN.get(state, State.UNSEEN)].append(span)
    differed: dict[State, list[Span]] = {State.DIFFERS: [], State.OPEN: []}
    dated: dict[State, list[Span]] = {State.DIFFERS: [], State.OPEN: []}
    for one in found:
        if one.what not in {What.DIFFERENCE, What.REVISION}:
            continue
        state = State.OPEN if one.opens else State.DIFFERS
        differed[state].append(one.stood_open(whole.end) or one.lasted(whole.end))
        dated[state].append(Span(one.start, one.seen))
    layers = [
        (State.SYNC, lasting[State.SYNC]),
        (State.DIFFERS, [*lasting[State.DIFFERS], *differed[State.DIFFERS]]),
        (State.OPEN, [*lasting[State.OPEN], *differed[State.OPEN]]),
        (State.UNSEEN, [*lasting[State.UNSEEN], *without(whole, watched)]),
        (State.DIFFERS, dated[State.DIFFERS]),
        (State.OPEN, dated[State.OPEN]),
    ]
    return [Segment(span, state) for span, state in layered(whole, State.UNSEEN, layers)]


def _states(entries: Sequence[Entry], until: datetime) -> list[tuple[Span, State]]:
    """Each state that the receipts tell, to the next one: from the look of its run, or from its end if it changed
    something; until then something differed. A day sheet tells the state once more.
    """
    known: list[tuple[datetime, State]] = []
    for one in entries:
        if not one.is_sheet:
            if one.summary.writes:
                known.append((one.summary.at, State.DIFFERS))
            known.append((one.ended if one.summary.writes else one.summary.at, one.summary.state))
        elif one.content and one.content.day and one.content.day.state:
            known.append((one.content.day.until, one.content.day.state))
    known.sort(key=lambda each: each[0])  # a run that took long ends after the next one began
    ends = [*(at for at, _ in known), until][1:]
    return [(Span(at, end), state) for (at, state), end in zip(known, ends, strict=False) if at < end]


def watched(entries: Iterable[Entry], today: Sheet | None, until: datetime, quiet: timedelta) -> list[Span]:
    """When somebody looked: the days of the sheets and `today`, without their gaps, the receipts, and what is no
    longer than `quiet` between two of these, or between the last one and `until`.
    """
    sheets = [*_sheets(entries), *([today] if today else [])]
    gaps = [Span(start, end) for one in sheets for start, end in one.gaps or ()]
    spans = [left for one in sheets for left in without(Span(one.since, one.until), gaps)]
    moments = [Span(one.summary.at, one.ended) for one in entries if not one.is_sheet]
    moments += [Span(at, at) for at in (until, *(one.until for one in sheets))]  # a gap may end with the last look
    bridged: list[Span] = []
    for one in sorted([*spans, *moments]):
        if bridged and one.start - bridged[-1].end <= quiet:
            bridged[-1] = Span(bridged[-1].start, max(bridged[-1].end, one.end))
        else:
            bridged.append(one)
    return union(left for one in bridged for left in without(one, gaps))


def unwatched(whole: Span, entries: Iterable[Entry], today: Sheet | None) -> list[Span]:
    """Each time in which nobody looked, as the sheets tell it, if some of it is in the whole."""
    sheets = [*_sheets(entries), *([today] if today else [])]
    found = {Span(start, end) for one in sheets for start, end in one.gaps or ()}
    return sorted(one for one in found if next(clipped([one], whole), None))


def missing_days(whole: Span, entries: Iterable[Entry], today: Sheet | None) -> list[date]:
    """The whole days (UTC) of which there is no sheet. The last one's is written by the first run after it, so it is
    missing only if there was such a run.
    """
    sheets = [Span(one.since, one.until) for one in _sheets(entries)]
    last = max([one.end for one in sheets], default=whole.start)
    last = max([last, *(one.summary.at for one in entries), *([today.since] if today else [])])
    day = whole.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    missing = []
    while day + timedelta(days=1) <= min(last, whole.end):
        span = Span(day, day + timedelta(days=1))
        if not any(one.start < span.end and one.end > span.start for one in sheets):
            missing.append(day.date())
        day = span.end
    return missing


def _sheets(entries: Iterable[Entry]) -> list[Sheet]:
    return [one.content.day for one in entries if one.is_sheet and one.content and one.content.day]
