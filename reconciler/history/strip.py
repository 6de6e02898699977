"""The strip: in which state a network was from when to when, as far as somebody looked. Pure.

Where nobody looked it is never "as declared": between two looks a state is taken to last, but only if no more than
`quiet` lies between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from reconciler.history.episodes import Entry, Episode, What
from reconciler.history.recorded import Sheet
from reconciler.history.spans import Span, clipped, layered, union, without
from reconciler.model.network_state import NetworkState

SEEN = (NetworkState.SYNC, NetworkState.DIFFERS, NetworkState.OPEN)
"""The states that a strip shows, the gravest last; every other one is shown as UNSEEN."""


class Segment(NamedTuple):
    """A state that lasted."""

    span: Span
    state: NetworkState


def segments(whole: Span, entries: Sequence[Entry], found: Iterable[Episode], watched: Iterable[Span]) -> list[Segment]:
    """The whole in segments, neighbours of different states: what the receipts say, over it what the episodes know of
    the time before a receipt, over it where nobody looked, and over that what CloudTrail says of such a time.
    """
    lasting: dict[NetworkState, list[Span]] = {state: [] for state in (*SEEN, NetworkState.UNSEEN)}
    for span, state in _states(entries, whole.end):
        lasting[state if state in SEEN else NetworkState.UNSEEN].append(span)
    differed: dict[NetworkState, list[Span]] = {NetworkState.DIFFERS: [], NetworkState.OPEN: []}
    dated: dict[NetworkState, list[Span]] = {NetworkState.DIFFERS: [], NetworkState.OPEN: []}
    for one in found:
        if one.what not in {What.DIFFERENCE, What.REVISION}:
            continue
        state = NetworkState.OPEN if one.opens else NetworkState.DIFFERS
        differed[state].append(one.stood_open(whole.end) or one.lasted(whole.end))
        dated[state].append(Span(one.start, one.seen))
    layers = [
        (NetworkState.SYNC, lasting[NetworkState.SYNC]),
        (NetworkState.DIFFERS, [*lasting[NetworkState.DIFFERS], *differed[NetworkState.DIFFERS]]),
        (NetworkState.OPEN, [*lasting[NetworkState.OPEN], *differed[NetworkState.OPEN]]),
        (NetworkState.UNSEEN, [*lasting[NetworkState.UNSEEN], *without(whole, watched)]),
        (NetworkState.DIFFERS, dated[NetworkState.DIFFERS]),
        (NetworkState.OPEN, dated[NetworkState.OPEN]),
    ]
    return [Segment(span, state) for span, state in layered(whole, NetworkState.UNSEEN, layers)]


def share_as_declared(strip: Iterable[Segment]) -> float | None:
    """The part of the time in which the network is known to have been as declared; None if nothing is known."""
    seconds = dict.fromkeys(NetworkState, 0.0)
    for span, state in strip:
        seconds[state] += span.seconds
    whole = sum(seconds.values())
    return seconds[NetworkState.SYNC] / whole if seconds[NetworkState.UNSEEN] < whole else None


def _states(entries: Sequence[Entry], until: datetime) -> list[tuple[Span, NetworkState]]:
    """Each state that the receipts tell, to the next one: from the look of its run, or from its end if it changed
    something; until then something differed. A day sheet tells the state once more.
    """
    known: list[tuple[datetime, NetworkState]] = []
    for one in entries:
        if not one.is_sheet:
            if one.summary.writes:
                known.append((one.summary.at, NetworkState.DIFFERS))
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
