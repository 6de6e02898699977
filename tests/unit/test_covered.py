"""A message is dropped only if a look that began after it was sent has seen the network, whatever our clock says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handlers.batch import in_turn
from reconciler.attempt.keep import _covered, _latest
from reconciler.ledger.record import DocumentRecord
from reconciler.model.trigger import Source, Trigger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def message(sent: int, received: int | None = None) -> Trigger:
    """Times in seconds of the queue's clock."""
    at = None if received is None else NOON + timedelta(seconds=received)
    return Trigger(Source.CHANGE, "shop", sent=NOON + timedelta(seconds=sent), received=at)


@pytest.mark.parametrize("skew", range(-600, 601, 60))
def test_no_change_is_missed_however_far_our_clock_is_off(skew: int) -> None:
    """A message is received `late` after it was sent; the look begins then, and a change is told of `after` that."""
    for late in (0, 3, 60):
        for after in range(-70, 601, 10):
            looked = message(0, late)
            record = DocumentRecord(
                looked_at=NOON + timedelta(seconds=late + skew), covers=_latest(None, looked.received)
            )
            sent = late + after
            assert not (_covered(record, message(sent)) and sent >= late), (skew, late, after)
            assert _covered(record, message(sent)) is (sent + 2 < late)


def test_a_look_that_no_message_started_covers_nothing_more() -> None:
    record = DocumentRecord(looked_at=NOON + timedelta(hours=1))
    assert not _covered(record, message(0))
    covers = _latest(NOON, None)
    assert _covered(replace(record, covers=covers), message(-10))
    assert not _covered(replace(record, covers=covers), message(0))


def test_a_run_for_several_messages_covers_what_was_sent_before_the_last_was_taken() -> None:
    (_, merged), *_ = in_turn({"shop": [("a", message(0, 1)), ("b", message(5, 9)), ("c", message(2))]})
    assert (merged.sent, merged.received) == (NOON + timedelta(seconds=5), NOON + timedelta(seconds=9))
