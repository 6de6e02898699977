"""What is recorded of a long row of attempts: how many receipts and day sheets, without any AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.attempt.receipts import Recorder, found_by, recorded
from reconciler.history.receipts import digest, parse_key
from reconciler.history.store import packed
from reconciler.ledger.record import DocumentRecord
from reconciler.model import ActionResult, Cause, Ended, Outcome, Reason, Snapshot
from reconciler.model.network_state import NetworkState
from reconciler.model.trigger import Source
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import DAY, NOW, completed, ended, extra, lacking
from tests.support.reports import action, planned

HELD = Cause(Reason.HOLD_TAG, "a tag holds it")
MIDNIGHT = NOW.replace(hour=0)
EVERY = timedelta(minutes=15)


@dataclass
class Desk:
    """The memory of one document, and the receipts; `broken` is how many puts fail from now on."""

    record: DocumentRecord = field(default_factory=DocumentRecord)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: int = 0
    run: int = 0

    def put(self, key: str, receipt: Mapping[str, Any]) -> str:
        if self.broken:
            self.broken -= 1
            raise TimeoutError("S3 does not answer")
        assert key not in self.kept
        self.kept[key] = dict(receipt)
        return f"sha256 of {len(packed(receipt))} bytes"

    def attempt(self, result: AttemptResult, at: datetime, **how: bool) -> AttemptResult:
        self.run += 1
        report = result.report and replace(result.report, started=at)
        result = replace(result, run_id=f"run-{self.run}", report=report)
        record = replace(self.record, looked_at=at) if report else self.record
        recorder = Recorder(self.put, at, timedelta(minutes=30), **how)
        result, self.record = recorded(result, record, self.record, recorder)
        return result

    def states(self) -> list[NetworkState]:
        return [said.state for one in self.kept if (said := parse_key(one))]


CALM, OPEN = completed(), completed(extra(outcome=Outcome.HELD, cause=HELD))


def test_five_days_held_are_two_receipts_and_five_sheets_and_a_put_for_each() -> None:
    desk, at = Desk(), MIDNIGHT - EVERY
    desk.attempt(CALM, at)
    begun = len(desk.kept)
    for _ in range(5 * DAY // EVERY):
        at += EVERY
        desk.attempt(OPEN, at)
    desk.attempt(CALM, at + EVERY)
    assert sorted(desk.states()[begun:]) == [NetworkState.DAY] * 6 + [NetworkState.OPEN, NetworkState.SYNC]
    whole = [one["day"] for one in desk.kept.values() if one["state"] == "day"][1:]
    assert [one["looks"] for one in whole] == [96] * 5
    assert [(one["state"], one["longest_gap"], one["gaps"]) for one in whole] == [("open", 900, [])] * 5


def test_a_fight_that_never_ends_costs_a_put_a_run() -> None:
    desk = Desk()
    for number in range(20):
        desk.attempt(completed(extra(), writes=1), NOW + number * EVERY)
    assert desk.states() == [NetworkState.SYNC] * 20


def test_a_change_of_what_is_found_is_news_and_a_return_to_it_is_too() -> None:
    desk = Desk()
    for number, found in enumerate((CALM, OPEN, CALM, CALM, OPEN, OPEN)):
        desk.attempt(found, NOW + number * EVERY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.OPEN, NetworkState.SYNC, NetworkState.OPEN]


def test_attempts_that_see_nothing_are_one_receipt_whatever_the_reason() -> None:
    desk = Desk()
    desk.attempt(CALM, NOW)
    for number, why in enumerate(("AccessDenied", "Throttling", "AccessDenied")):
        desk.attempt(ended(Ending.UNOBSERVABLE, problem=why, code=why), NOW + (number + 1) * EVERY)
    desk.attempt(CALM, NOW + 4 * EVERY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.UNSEEN, NetworkState.SYNC]
    assert (desk.record.looks, desk.record.unseen, desk.record.longest_gap) == (5, 3, 3600)


def test_attempts_that_are_no_looks_change_nothing() -> None:
    desk = Desk()
    desk.attempt(CALM, NOW)
    before, kept = desk.record, dict(desk.kept)
    for ending in (Ending.COVERED, Ending.LEASE_HELD, Ending.UNKNOWN):
        desk.attempt(ended(ending), NOW + EVERY)
    desk.attempt(ended(Ending.REFUSED, Source.MANUAL, problem="only: nothing of that name"), NOW + EVERY)
    assert (desk.record, desk.kept) == (before, kept)


def test_a_time_without_a_look_stands_in_the_sheet_of_its_day() -> None:
    desk = Desk()
    for hour in (0.0, 0.5, 1.5, 2.0, 24.0):
        desk.attempt(CALM, MIDNIGHT + timedelta(hours=hour))
    (sheet,) = [one["day"] for one in desk.kept.values() if one["state"] == "day"]
    assert sheet["gaps"] == [
        ["2026-03-01T00:30:00Z", "2026-03-01T01:30:00Z"],
        ["2026-03-01T02:00:00Z", "2026-03-02T00:00:00Z"],
    ]
    assert sheet["of"] == next(iter(desk.kept))
    assert (desk.record.gaps, desk.record.longest_gap, desk.record.looks) == ((), 0, 1)


def test_a_day_on_which_nobody_looked_has_no_sheet() -> None:
    desk = Desk()
    for hour in (1.0, 49.0, 73.0):
        desk.attempt(CALM, MIDNIGHT + timedelta(hours=hour))
    sheets = [one["day"] for one in desk.kept.values() if one["state"] == "day"]
    assert [(one["date"], one["longest_gap"]) for one in sheets] == [
        ("2026-03-01", 48 * 3600),
        ("2026-03-03", 24 * 3600),
    ]


def test_a_sheet_that_could_not_be_written_is_written_later_and_loses_no_look() -> None:
    desk = Desk()
    desk.attempt(CALM, MIDNIGHT)
    desk.broken = 1
    lost = desk.attempt(OPEN, MIDNIGHT + DAY)
    assert (lost.receipts_lost, lost.receipt, desk.broken) == (2, "", 0)  # one try a run is enough
    assert desk.record.state == "open"
    desk.attempt(OPEN, MIDNIGHT + DAY + EVERY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.DAY, NetworkState.OPEN]
    sheet = list(desk.kept.values())[1]
    assert (sheet["day"]["date"], sheet["day"]["looks"], desk.record.looks) == ("2026-03-01", 2, 1)


def test_a_sheet_and_a_receipt_of_one_run_are_two_links_of_the_chain() -> None:
    desk = Desk()
    desk.attempt(CALM, MIDNIGHT)
    desk.attempt(OPEN, MIDNIGHT + DAY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.DAY, NetworkState.OPEN]
    assert list(desk.kept) == sorted(desk.kept)
    before = [one["previous"] and one["previous"]["key"] for one in desk.kept.values()]
    assert before == [None, *list(desk.kept)[:2]]


def test_looks_that_see_nothing_lengthen_one_time_and_begin_no_other() -> None:
    desk = Desk()
    desk.attempt(CALM, NOW)
    for minutes in (40, 50):
        desk.attempt(ended(Ending.UNOBSERVABLE), NOW + timedelta(minutes=minutes))
    desk.attempt(CALM, NOW + timedelta(minutes=60))
    desk.attempt(CALM, NOW + timedelta(minutes=65))
    begins = int(NOW.timestamp())
    assert (desk.record.gaps, desk.record.longest_gap) == (((begins, begins + 3600),), 3600)


def test_while_s3_does_not_answer_what_is_so_is_remembered_all_the_same() -> None:
    desk = Desk(broken=2)
    assert desk.attempt(OPEN, NOW).receipts_lost == 1
    assert (desk.record.state, desk.record.receipt) == ("open", None)
    assert desk.attempt(OPEN, NOW + EVERY).receipts_lost == 1
    assert desk.attempt(OPEN, NOW + 2 * EVERY).receipt in desk.kept
    assert desk.states() == [NetworkState.OPEN]
    assert desk.record.since == NOW


def test_a_lost_lease_without_a_write_leaves_nothing_and_with_one_a_receipt() -> None:
    desk = Desk()
    desk.attempt(OPEN, NOW, lost=True)
    assert desk.kept == {}
    desk.attempt(completed(extra(), writes=1), NOW + EVERY, lost=True)
    assert desk.states() == [NetworkState.SYNC]


def test_interfaces_that_could_not_be_read_are_news() -> None:
    unread = Snapshot({}, {}, {}, {}, (), NOW, interfaces=Cause(Reason.UNREADABLE, "AccessDenied"))
    seen = replace(unread, interfaces=())
    one, other = (found_by(completed(first=look)) for look in (unread, seen))
    assert digest(one) != digest(other)


def test_what_a_run_has_deleted_is_told_by_its_receipt_and_is_no_news_for_the_next() -> None:
    one = action()
    deleted = completed(plan=planned(one), action_results=(ActionResult(one, Ended.DONE),), writes=1)
    desk = Desk()
    for number, found in enumerate((CALM, deleted, CALM)):
        desk.attempt(found, NOW + number * EVERY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.SYNC]


def test_what_a_run_has_corrected_is_told_by_its_receipt_and_is_no_news_for_the_next() -> None:
    desk = Desk()
    desk.attempt(CALM, NOW)
    desk.attempt(completed(extra(), lacking(), writes=2), NOW + EVERY)
    desk.attempt(CALM, NOW + 2 * EVERY)
    assert desk.states() == [NetworkState.SYNC, NetworkState.SYNC]
    assert len(list(desk.kept.values())[-1]["drifted"]) == 2


def test_a_run_that_has_no_time_left_leaves_a_receipt_without_lanes() -> None:
    desk = Desk()
    desk.attempt(OPEN, NOW, hurried=True)
    (receipt,) = desk.kept.values()
    assert (receipt["lanes"], receipt["lanes_unknown"]) == (None, "nobody asked")
