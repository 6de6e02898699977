"""For how long something stood open, against an oracle that knows when it was opened."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from desired_state.document import DocumentException
from desired_state.fields import Address, RuleKey
from reconciler.attempt import openings
from reconciler.engine.result import Drift, Report
from reconciler.ledger.item import bounded, read, written
from reconciler.ledger.record import DocumentRecord
from reconciler.model import ABSENT, Difference, Outcome
from tests.support.sampling import sampled

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEB = Address("security_group/web")
OUTCOMES = [Outcome.CORRECTED, Outcome.HELD, Outcome.FAILED]
KEYS = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in (22, 23, 24)]


def drift(key: RuleKey, outcome: Outcome | None, address: Address = WEB) -> Drift:
    return Drift(Difference(address, "ingress", key, ABSENT, ""), outcome)


def report(
    *drifts: Drift,
    now: datetime = NOON,
    unseen: bool = False,
    exceptions: tuple[DocumentException, ...] = (),
    address: Address = WEB,
) -> Report:
    parts: dict[str, Any] = {
        "drifts": drifts,
        "ids": {address: "sg-0a1b2c3d"},
        "document": SimpleNamespace(exceptions=exceptions),
        "gate": SimpleNamespace(unseen=frozenset({WEB} if unseen else ())),
        "plan": SimpleNamespace(only=None),
        "started": now,
    }
    return cast("Report", SimpleNamespace(**parts))


class Site:
    """Rules that people open and close, looks that correct some of them, and the truth."""

    def __init__(self, record: DocumentRecord | None = None) -> None:
        self.now = NOON
        self.record = record or DocumentRecord(looked_at=NOON)
        self.opened: dict[RuleKey, datetime] = {}
        self.calls: dict[RuleKey, list[datetime]] = {}
        self.exceptions: dict[RuleKey, datetime] = {}
        self.known: set[RuleKey] = set()
        """Of which every call has been told of, and that no look has shown."""

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def open(self, key: RuleKey) -> None:
        if key not in self.opened:
            self.opened[key] = self.now
            self.calls.setdefault(key, []).append(self.now)

    def close(self, key: RuleKey) -> None:
        self.opened.pop(key, None)

    def truth(self, key: RuleKey) -> float:
        since = self.opened[key]
        if self.exceptions.get(key, self.now) < self.now:
            since = max(since, self.exceptions[key])
        return (self.now - since).total_seconds()

    def look(self, chance: random.Random) -> None:
        """Some looks are blind in part, CloudTrail loses some calls, and not everything is corrected."""
        began, unseen, lost = self.now, chance.random() < 0.2, chance.random() < 0.3
        seen = [key for key in self.opened if not began < self.exceptions.get(key, began)]
        found = [drift(key, chance.choice(OUTCOMES)) for key in seen]
        some = tuple(
            cast("DocumentException", SimpleNamespace(address=WEB, field="ingress", value=key, until=until))
            for key, until in self.exceptions.items()
        )
        made = {}
        for key in seen:
            times = [at for at in self.calls.get(key, []) if at >= (self.record.looked_at or NOON) and not lost]
            if times:
                made[WEB, "ingress", key] = min(times)
        seen_report = report(*found, now=began, unseen=unseen, exceptions=some)
        for one in found:
            if one.outcome is Outcome.CORRECTED:
                alone = report(one, now=began, exceptions=some)
                bound = openings.exposed(alone, self.record, made, self.now)
                key, truth = one.difference.key, self.truth(one.difference.key)
                assert bound.unknown or bound.seconds[WEB] >= truth, (bound, truth)
                first = openings.name(one, alone) not in self.record.open_since
                if first and made.get(one.difference.identity) == self.opened[key] and key not in self.exceptions:
                    assert bound.seconds[WEB] == truth
                    self.known.add(key)
                self.opened.pop(key)
        remembered = openings.after(seen_report, self.record, made)
        self.record = replace(self.record, open_since=remembered)
        if not unseen:
            self.record = replace(self.record, looked_at=began)
            self.calls.clear()
        self.record = read(written(bounded(self.record)))


@pytest.mark.parametrize("hundred", sampled(range(20), 10))
def test_what_is_told_is_never_less_than_the_truth_and_is_the_truth_where_all_is_known(hundred: int) -> None:
    known = 0
    for seed in range(hundred * 100, hundred * 100 + 100):
        chance = random.Random(seed)
        site = Site(DocumentRecord() if chance.random() < 0.2 else None)
        for _ in range(30):
            site.wait(chance.randrange(1, 4000))
            key = chance.choice(KEYS)
            match chance.choice(["open", "open", "close", "except", "look", "look", "look"]):
                case "open":
                    site.open(key)
                case "close":
                    site.close(key)
                case "except" if key not in site.opened and key not in site.exceptions:
                    site.exceptions[key] = site.now + timedelta(seconds=chance.randrange(1, 9000))
                case "look":
                    site.look(chance)
                case _:
                    pass
        known += len(site.known)
    assert known


def test_what_was_held_counts_from_when_it_was_first_seen_and_not_from_the_last_look() -> None:
    site = Site()
    site.open(KEYS[0])
    for _ in range(30):
        site.wait(1800)
        held = report(drift(KEYS[0], Outcome.HELD), now=site.now)
        site.record = replace(site.record, open_since=openings.after(held, site.record, {}), looked_at=site.now)
    site.wait(3)
    closed = report(drift(KEYS[0], Outcome.CORRECTED), now=site.now)
    assert openings.exposed(closed, site.record, {}, site.now) == ({WEB: 54_003.0}, frozenset())


def test_a_resource_that_the_document_calls_otherwise_now_stood_open_all_the_same() -> None:
    record = DocumentRecord(looked_at=NOON)
    record = replace(record, open_since=openings.after(report(drift(KEYS[0], Outcome.HELD)), record, {}))
    record = replace(record, looked_at=NOON + timedelta(hours=1))
    www = Address("security_group/www")
    now = NOON + timedelta(hours=2)
    closed = report(drift(KEYS[0], Outcome.CORRECTED, www), now=now, address=www)
    assert openings.exposed(closed, record, {}, now).seconds == {www: 7200.0}


def test_without_an_earlier_look_it_is_not_known_and_stays_unknown() -> None:
    closed = report(drift(KEYS[0], Outcome.CORRECTED))
    assert openings.exposed(closed, DocumentRecord(), {}, NOON) == ({}, frozenset({WEB}))
    held = openings.after(report(drift(KEYS[0], Outcome.HELD)), DocumentRecord(), {})
    later = read(written(DocumentRecord(looked_at=NOON, open_since=held)))
    assert openings.exposed(closed, later, {}, NOON) == ({}, frozenset({WEB}))


def test_of_two_differences_the_longest_counts_and_one_unknown_makes_it_unknown() -> None:
    held = openings.after(report(drift(KEYS[0], Outcome.HELD)), DocumentRecord(), {})
    both = report(*(drift(key, Outcome.CORRECTED) for key in KEYS[:2]))
    assert openings.exposed(both, DocumentRecord(looked_at=NOON, open_since=held), {}, NOON).unknown == {WEB}


def test_each_difference_has_its_own_time_and_none_where_it_is_not_known() -> None:
    held = openings.after(report(drift(KEYS[0], Outcome.HELD)), DocumentRecord(looked_at=NOON), {})
    record = DocumentRecord(looked_at=NOON + timedelta(hours=1), open_since=held)
    seen = report(*(drift(key, Outcome.HELD) for key in KEYS[:2]))
    first, second = (one.difference.identity for one in seen.drifts)
    assert openings.times(seen, record, {}) == {first: NOON, second: NOON + timedelta(hours=1)}
    made = {second: NOON + timedelta(minutes=90)}
    assert openings.times(seen, record, made) == {first: NOON, second: NOON + timedelta(minutes=90)}
    assert openings.times(seen, DocumentRecord(), {}) == {}


@pytest.mark.parametrize("more", [1, 50])
def test_those_for_which_there_is_no_room_count_from_the_earliest_of_them(more: int) -> None:
    keys = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in range(1, openings.MOST + more + 1)]
    record = DocumentRecord(looked_at=NOON)
    record = replace(record, open_since=openings.after(report(*(drift(key, Outcome.HELD) for key in keys)), record, {}))
    record = read(written(bounded(replace(record, looked_at=NOON + timedelta(hours=1)))))
    assert len(record.open_since) == openings.MOST + 1
    now = NOON + timedelta(hours=2)
    for key in keys[:: len(keys) - 1]:
        closed = report(drift(key, Outcome.CORRECTED), now=now)
        assert openings.exposed(closed, record, {}, now).seconds == {WEB: 7200.0}


def test_what_has_no_room_is_what_was_seen_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MOST", 2)
    held = report(*(drift(key, Outcome.HELD) for key in KEYS))
    last, first, middle = (one.difference.identity for one in held.drifts)
    times = {last: NOON, first: NOON - timedelta(hours=2), middle: NOON - timedelta(hours=1)}
    kept = openings.after(held, DocumentRecord(looked_at=NOON), times)
    names = [openings.name(one, held) for one in held.drifts]
    assert kept == {names[1]: times[first], names[2]: times[middle], openings.OTHERS: NOON}
    assert {len(name) for name in names} == {16}


@pytest.mark.parametrize("ids", [{WEB: "sg-0a1b2c3d"}, {}])
def test_whether_the_run_before_left_the_difference_of_a_whole_field(ids: dict[Address, str]) -> None:
    held = Drift(Difference(WEB, "description", None, "a", "b"), Outcome.HELD)
    look = report(held)
    cast("Any", look).ids = ids
    record = DocumentRecord(open_since=openings.after(look, DocumentRecord(looked_at=NOON), {}))
    at = ids.get(WEB, WEB)
    asked = [openings.left(record, *one) for one in ((at, "description"), (at, "ingress"), ("sg-0", "description"))]
    assert asked == [True, False, False]


def tolerated(until: datetime) -> DocumentException:
    return DocumentException(WEB, "ingress", KEYS[0], until, "a test")


@pytest.mark.parametrize(
    ("ended", "seconds"),
    [
        ([], 7200.0),
        ([90], 1800.0),
        ([30], 5400.0),
        ([-30], 7200.0),
        ([90, 100], 1200.0),
        ([100, 90], 1200.0),
        ([120], 0.0),
        ([121], 7200.0),
    ],
)
def test_what_an_exception_tolerated_counts_from_its_end(ended: list[int], seconds: float) -> None:
    """In minutes after noon: the look before was at noon, this one is two hours later."""
    now = NOON + timedelta(hours=2)
    some = tuple(tolerated(NOON + timedelta(minutes=minutes)) for minutes in ended)
    closed = report(drift(KEYS[0], Outcome.CORRECTED), now=now, exceptions=some)
    assert openings.exposed(closed, DocumentRecord(looked_at=NOON), {}, now).seconds == {WEB: seconds}
    assert openings.exposed(closed, DocumentRecord(), {}, now).unknown == {WEB}
    other = replace(closed.drifts[0], difference=replace(closed.drifts[0].difference, key=KEYS[1]))
    elsewhere = report(other, now=now, exceptions=some)
    assert openings.exposed(elsewhere, DocumentRecord(looked_at=NOON), {}, now).seconds == {WEB: 7200.0}


def test_only_what_was_open_and_is_closed_counts() -> None:
    record, later = DocumentRecord(looked_at=NOON), NOON + timedelta(hours=1)
    held, missing = (
        drift(KEYS[0], Outcome.HELD),
        Drift(Difference(WEB, "ingress", KEYS[1], "", ABSENT), Outcome.CORRECTED),
    )
    assert openings.exposed(report(held, missing), record, {}, later) == ({}, frozenset())
    both = openings.exposed(report(held, missing, drift(KEYS[2], Outcome.CORRECTED)), record, {}, later)
    assert both.seconds == {WEB: 3600.0}


def test_what_is_corrected_or_gone_is_forgotten_by_a_look_at_everything_only() -> None:
    first = DocumentRecord(looked_at=NOON)
    known = openings.after(report(*(drift(key, Outcome.HELD) for key in KEYS)), first, {})
    record = DocumentRecord(looked_at=NOON + timedelta(hours=1), open_since=known)
    seen = (drift(KEYS[0], Outcome.HELD), drift(KEYS[1], Outcome.CORRECTED))
    here = openings.name(seen[0], report(*seen))
    assert openings.after(report(*seen), record, {}) == {here: NOON}
    gone = {name: time for name, time in known.items() if name != openings.name(seen[1], report(*seen))}
    assert len(gone) == 2
    partly = report(*seen)
    cast("Any", partly).plan = SimpleNamespace(only=frozenset({WEB}))
    for look in (report(*seen, unseen=True), partly):
        assert openings.after(look, record, {}) == gone


def test_what_had_no_room_keeps_its_time_in_a_look_at_a_part() -> None:
    record = DocumentRecord(looked_at=NOON + timedelta(hours=1), open_since={openings.OTHERS: NOON})
    assert openings.after(report(unseen=True), record, {}) == {openings.OTHERS: NOON}
    keys = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in range(1, openings.MOST + 3)]
    full = report(*(drift(key, Outcome.HELD) for key in keys), unseen=True)
    made = {one.difference.identity: NOON + timedelta(minutes=30) for one in full.drifts}
    assert openings.after(full, record, made)[openings.OTHERS] == NOON
    assert openings.after(report(), record, {}) == {}
