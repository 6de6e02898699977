"""A message is dropped only if a look that began after it was sent has seen the network, whatever our clock says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handlers.batch import in_turn
from reconciler.attempt.keep import TAGS_WAIT, _covered, _latest, _may_wait
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


def test_a_message_that_does_not_say_when_it_was_sent_makes_the_whole_run_one_that_nothing_covers() -> None:
    (_, merged), *_ = in_turn({"shop": [("a", message(0, 1)), ("b", Trigger(Source.CHANGE, "shop"))]})
    assert (merged.sent, merged.received) == (None, NOON + timedelta(seconds=1))
    assert not _covered(DocumentRecord(covers=NOON + timedelta(days=1)), merged)


@pytest.mark.parametrize(
    ("one", "other", "only"), [(True, True, True), (True, False, False), (False, True, False), (False, False, False)]
)
def test_what_changes_more_than_tags_waits_for_no_other_message(*, one: bool, other: bool, only: bool) -> None:
    both = [("a", replace(message(0), only_tags=one)), ("b", replace(message(1), only_tags=other))]
    (_, merged), *_ = in_turn({"shop": both})
    assert merged.only_tags is only


@pytest.mark.parametrize(
    ("looked", "waits"),
    [(None, 0), (0, 60), (1, 59), (59, 1), (60, 0), (3_600, 0), (-1, 0), (-86_400, 0)],
)
def test_tags_wait_for_a_minute_after_a_look_and_for_none_that_lies_ahead(looked: int | None, waits: int) -> None:
    """A look that our clock has not reached yet says nothing: somebody wrote it, or a clock was wrong."""
    record = DocumentRecord(looked_at=None if looked is None else NOON - timedelta(seconds=looked))
    assert timedelta(seconds=60) == TAGS_WAIT
    assert _may_wait(record, replace(message(0), only_tags=True), NOON) == waits
    assert _may_wait(record, message(0), NOON) == 0
