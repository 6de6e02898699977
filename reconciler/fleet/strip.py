"""What the keys of a document's receipts say of its last 30 days, with no receipt opened. Pure.

A state lasts from its receipt to the next one, as long as the day sheets between them prove that somebody looked: one
is due once a day, so that where two keys lie further apart than that, nothing of the time between is known. A gap of
less than a day is in the sheet itself, which only the history opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.history.receipts import Summary
from reconciler.history.spans import Span, layered, total
from reconciler.history.strip import SEEN, Segment, share_as_declared
from reconciler.model.network_state import NetworkState

DAYS = 30
PROVEN = timedelta(hours=26)
"""The longest time between two keys of a document that is looked at: a day, and what a run may be late."""


@dataclass(frozen=True)
class Strip:
    """The states of the time, in order; what is not one of SYNC, DIFFERS and OPEN is UNSEEN."""

    whole: Span
    segments: tuple[Segment, ...]

    @property
    def share_as_declared(self) -> float | None:
        """The part of the time in which the network is known to have been as declared; None if nothing is known."""
        return share_as_declared(self.segments)

    def seconds(self, state: NetworkState) -> float:
        """The seconds in this state."""
        return total(span for span, found in self.segments if found is state)


def strip(
    found: Iterable[Summary], looked_at: datetime | None, now: datetime, *, quiet: timedelta = timedelta(0)
) -> Strip:
    """The last DAYS. `looked_at` is the last look by the ledger: what came after it is not known, unless it is no
    longer ago than `quiet`.
    """
    ordered = sorted(found, key=lambda one: one.at)
    whole = Span(now - timedelta(days=DAYS), now)
    layers = [(state, [span for span, known in _states(ordered, now) if known is state]) for state in SEEN]
    unseen = (NetworkState.UNSEEN, list(_unproven(ordered, looked_at, now, quiet)))
    named = layered(whole, NetworkState.UNSEEN, [*layers, unseen])
    return Strip(whole, tuple(Segment(span, state) for span, state in named))


def _states(ordered: Sequence[Summary], now: datetime) -> Iterator[tuple[Span, NetworkState]]:
    receipts = [one for one in ordered if one.state is not NetworkState.DAY]
    ends = [*(one.at for one in receipts), now][1:]
    for one, end in zip(receipts, ends, strict=False):
        if one.at < end and one.state in SEEN:
            yield Span(one.at, end), one.state


def _unproven(
    ordered: Sequence[Summary], looked_at: datetime | None, now: datetime, quiet: timedelta
) -> Iterator[Span]:
    for one, after in pairwise(ordered):
        if after.at - one.at > PROVEN:
            yield Span(one.at, after.at)
    last = max([*(one.at for one in ordered[-1:]), *([looked_at] if looked_at else [])], default=None)
    if last is not None and now - last > quiet:
        yield Span(last, now)
    # A look of today proves nothing of the days before it, of which there is no sheet.
    if ordered and looked_at and looked_at - ordered[-1].at > PROVEN:
        yield Span(ordered[-1].at, looked_at)
