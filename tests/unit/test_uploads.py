"""Who uploaded the version in force is known to every later run of it, and no more than a few are remembered."""

from __future__ import annotations

from datetime import timedelta

from reconciler.attempt.uploads import MOST, of_version, remembered
from reconciler.ledger.record import Accepted, DocumentRecord
from reconciler.model.trigger import Source, Trigger, Upload
from tests.support.attempts import NOW

FIRST = Upload("v1", "123456789012", NOW, "198.51.100.7")
SCHEDULED = Trigger(Source.SCHEDULE)


def by(*some: Upload) -> Trigger:
    return Trigger(Source.DOCUMENT, uploads=some)


def test_an_event_says_it_once_and_later_runs_of_the_same_version_know_it() -> None:
    record = remembered(DocumentRecord(), by(FIRST))
    assert of_version("v1", SCHEDULED, record) == FIRST
    assert of_version("v2", SCHEDULED, record) is None
    assert of_version("", by(Upload("", "somebody")), record) is None
    assert remembered(record, SCHEDULED) is record


def test_what_an_event_says_now_counts_more_than_what_is_remembered() -> None:
    record = remembered(DocumentRecord(), by(FIRST))
    again = Upload("v1", "111122223333", NOW)
    assert of_version("v1", by(again), record) == again
    assert remembered(record, by(again)).uploads == (again,)


def test_the_version_in_force_is_not_pushed_out_by_newer_ones() -> None:
    record = remembered(DocumentRecord(accepted=Accepted(1, "ab", "v1")), by(FIRST))
    for number in range(2, 20):
        record = remembered(record, by(Upload(f"v{number}", "111122223333", NOW + timedelta(minutes=number))))
    assert [one.version_id for one in record.uploads] == ["v1", "v19", "v18", "v17", "v16"]
    assert len(record.uploads) == MOST
    assert remembered(DocumentRecord(), by(Upload("", "nobody"), Upload("v", "x"))).uploads == (Upload("v", "x"),)
