"""The history of a document: its episodes, the strip, and the figures of both. Pure.

`reading.py` opens what is needed in the bucket; the command line, the page and the fleet show it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from reconciler.history import words
from reconciler.history.episodes import Entry, Episode, What, episodes
from reconciler.history.recorded import Sheet
from reconciler.history.spans import Span, total
from reconciler.history.strip import Segment, missing_days, segments, share_as_declared, unwatched, watched
from reconciler.model.times import iso_time
from reconciler.redact import safe_text
from reconciler.report.page.words import counted

FORMAT_VERSION = 1
"""Of a history as JSON."""
QUIET = timedelta(minutes=30)
"""Longer than this between two looks, nobody looked: the default of the stack's parameter HeartbeatSeconds."""
_MOST_DAYS = 10
"""The days without a sheet that are named; the others are counted."""
_DIFFERED = frozenset({What.DIFFERENCE, What.REVISION})


@dataclass(frozen=True)
class History:
    """What is known of a document in a span of time. `episodes` are the earliest first; `findings` are sentences on
    what is not known, or is not as it should be. `looks` are those of whole days, as the sheets count them.
    """

    document: str
    account: str
    region: str
    whole: Span
    segments: tuple[Segment, ...]
    episodes: tuple[Episode, ...]
    looks: int
    looks_that_saw_nothing: int
    longest_gap: int
    findings: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[Episode, ...]:
        """The episodes in which the network was not as declared."""
        return tuple(one for one in self.episodes if one.what in _DIFFERED)

    @property
    def share_as_declared(self) -> float | None:
        """The part of the time in which the network is known to have been as declared; None if nothing is known."""
        return share_as_declared(self.segments)

    @property
    def longest(self) -> float | None:
        """Seconds of the longest episode in which the network was not as declared; None if there was none."""
        return max((one.lasted(self.whole.end).seconds for one in self.differences), default=None)

    @property
    def open_seconds(self) -> float:
        """Seconds in which something stood open, at most; several openings at a time count once."""
        stood = [span for one in self.episodes if (span := one.stood_open(self.whole.end))]
        return total(Span(max(one.start, self.whole.start), min(one.end, self.whole.end)) for one in stood)

    def only(self, addresses: Collection[str], *, opened: bool = False) -> History:
        """The same with the episodes of these addresses alone (none: of all), and, if `opened`, of openings alone."""
        kept = [one for one in self.episodes if not addresses or one.address in addresses]
        return replace(self, episodes=tuple(one for one in kept if one.opens or not opened))

    def as_json(self) -> dict[str, Any]:
        """As values for `json.dumps`, the latest episode first."""
        told = [one.as_json(self.whole.end) for one in reversed(self.episodes)]
        share, longest = self.share_as_declared, self.longest
        return {
            "format_version": FORMAT_VERSION,
            "document": self.document,
            "account": self.account or None,
            "region": self.region or None,
            "days": max(1, round(self.whole.seconds / 86_400)),
            "from": iso_time(self.whole.start),
            "to": iso_time(self.whole.end),
            "segments": [
                {"from": iso_time(span.start), "to": iso_time(span.end), "state": state.value}
                for span, state in self.segments
            ],
            "share_as_declared": None if share is None else round(share, 6),
            "episodes": told,
            "longest_s": None if longest is None else int(longest),
            "open_s": int(self.open_seconds),
            "looks": self.looks,
            "looks_that_saw_nothing": self.looks_that_saw_nothing,
            "longest_gap_s": self.longest_gap,
            "findings": list(self.findings),
        }


def history(
    document: str,
    entries: Iterable[Entry],
    since: datetime,
    until: datetime,
    *,
    today: Sheet | None = None,
    quiet: timedelta = QUIET,
) -> History:
    """What the receipts and day sheets of a document, twins left out, tell of this time.

    Entries before `since` say what stood when it began. `today` are the looks that no sheet counts yet, if the ledger
    was read. The time before anything was recorded does not count.
    """
    ordered = sorted(entries, key=lambda one: (one.summary.at, not one.is_sheet, one.key))
    whole = Span(_begin(ordered, today, since, until), until)
    found = [one for one in episodes(ordered) if one.end is None or one.end > whole.start]
    seen = watched(ordered, today, until, quiet)
    gaps = [_gap(one) for one in unwatched(whole, ordered, today)]
    sheets = [*(one.content.day for one in ordered if one.is_sheet and one.content and one.content.day)]
    counted = [one for one in [*sheets, *([today] if today else [])] if one.until > whole.start]
    told = next((one.content for one in reversed(ordered) if one.content and one.content.account), None)
    return History(
        document=document,
        account=safe_text(told.account) if told else "",
        region=safe_text(told.region) if told else "",
        whole=whole,
        segments=tuple(segments(whole, ordered, found, seen)) if whole.seconds > 0 else (),
        episodes=tuple(sorted([*found, *gaps], key=lambda one: (one.start, one.address, one.text))),
        looks=sum(one.looks for one in counted),
        looks_that_saw_nothing=sum(one.unseen for one in counted),
        longest_gap=max([0, *(one.longest_gap for one in counted)]),
        findings=tuple(_findings(whole, ordered, today, seen, counted, quiet)),
    )


def _begin(entries: Sequence[Entry], today: Sheet | None, since: datetime, until: datetime) -> datetime:
    """The start of the time, but not before the first thing that was recorded."""
    first = [one.content.day.since if one.content and one.content.day else one.summary.at for one in entries]
    return min(until, max(since, min([*first, *([today.since] if today else [])], default=since)))


def _gap(span: Span) -> Episode:
    """A time in which no run looked, as an episode."""
    return Episode(
        what=What.UNWATCHED,
        start=span.start,
        end=span.end,
        seen=span.end,
        severity=None,
        revision=None,
        before=None,
        address="",
        text="nobody looked",
        who="",
        outcome="nothing is known of this time",
        receipt="",
    )


def _findings(
    whole: Span,
    entries: Sequence[Entry],
    today: Sheet | None,
    seen: Sequence[Span],
    sheets: Sequence[Sheet],
    quiet: timedelta,
) -> Iterator[str]:
    if missing := missing_days(whole, entries, today):
        yield f"no day sheet of {_days(missing)}: nothing proves that somebody looked"
    unplaced = [one for one in sheets if one.longest_gap > quiet.total_seconds() and one.gaps is None]
    if unplaced:
        days = _days([one.since.date() for one in unplaced])
        longest = words.lasted(max(one.longest_gap for one in unplaced))
        yield f"nobody looked for up to {longest} on {days}; when that was is not recorded"
    closed = sum(one.content is None and not one.is_sheet and not one.summary.says_all for one in entries)
    if closed:
        yield f"{counted(closed, 'receipt')} not opened: the episodes in them are left out"
    last = max((one.end for one in seen), default=None)
    if last and whole.end - last > quiet:
        hint = "" if today else "; the looks since the last day sheet are in the ledger, which was not read"
        yield f"no look is known since {iso_time(last)}{hint}"


def _days(days: Sequence[date]) -> str:
    named = ", ".join(f"{one:%d %b %Y}" for one in days[:_MOST_DAYS])
    return named if len(days) <= _MOST_DAYS else f"{named} and {len(days) - _MOST_DAYS} more days"
