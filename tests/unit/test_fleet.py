"""The fleet: how a document stands by its item, what its keys say of 30 days, and that silence is never green."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import fleet as reading
from handlers.fleet_sources import Sources, quick
from reconciler.fleet.fleet import Fleet, fleet_of
from reconciler.fleet.standing import AHEAD, Standing, State, never_looked, standing
from reconciler.fleet.strip import DAYS, Strip, strip
from reconciler.fleet.text import text
from reconciler.history.receipts import Summary
from reconciler.history.store import ReceiptError
from reconciler.history.store import Receipts as Stored
from reconciler.ledger.item import written
from reconciler.ledger.record import (
    FLAPPING,
    Accepted,
    DocumentRecord,
    FlappingRecord,
    LastReceipt,
    Notified,
    Rollout,
)
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from tests.support.ledger_table import records

NOW = datetime(2026, 11, 27, 5, 12, tzinfo=UTC)
RATE = timedelta(minutes=5)
CALM = DocumentRecord(
    account="123456789012",
    region="eu-central-1",
    accepted=Accepted(7, "ab12", "v7"),
    looked_at=NOW - timedelta(seconds=20),
    state="sync",
    in_sync_since=NOW - timedelta(hours=3),
)
HELD_ALERT = Notified("d", "the whole plan is held", NOW - timedelta(hours=1), NOW, severity="medium")


def item(record: DocumentRecord, name: str = "shop") -> dict[str, Any]:
    """The item as it comes from the table."""
    sent = TypeSerializer().serialize(written(record))
    return {"document": name, **TypeDeserializer().deserialize(sent)}


def stands(record: DocumentRecord) -> Standing:
    return standing(item(record), NOW, RATE)


OPENED = ("tcp 22 from anyone may enter security_group/web.",)
CASES = {
    State.OPEN: replace(CALM, state="open", openings=OPENED, severity="critical"),
    State.SILENT: replace(CALM, looked_at=NOW - timedelta(minutes=16)),
    State.FAILED: replace(CALM, state="differs", outcomes={"failed": 1, "blocked": 3}),
    State.BLOCKED: replace(CALM, state="differs", outcomes={"blocked": 1, "held": 3}),
    State.HELD: replace(CALM, state="differs", outcomes={"held": 1, FLAPPING: 1, "waiting": 1}),
    State.FLAPPING: replace(CALM, state="differs", outcomes={FLAPPING: 1, "waiting": 2}),
    State.WAITING: replace(CALM, state="differs", outcomes={"waiting": 2}),
    State.DELETED: replace(CALM, state="deleted", deleted=True),
    State.IN_SYNC: CALM,
}
"""A record of each state, with as much of the less grave ones as can be."""


def test_every_state_is_reached_and_the_gravest_counts() -> None:
    assert list(CASES) == list(State)
    assert {state: stands(record).state for state, record in CASES.items()} == {state: state for state in State}


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (replace(CALM, state="unseen"), State.FAILED),
        (replace(CALM, state="refused"), State.FAILED),
        (replace(CALM, rollout=Rollout((Accepted(6, "cd", "v6"),))), State.WAITING),
        (replace(CALM, state="differs"), State.HELD),
        (replace(CALM, notified={"f": HELD_ALERT}), State.HELD),
        (replace(CALM, notified={"f": replace(HELD_ALERT, open=False)}), State.IN_SYNC),
        (replace(CALM, state=None), State.WAITING),
        (replace(CALM, looked_at=None), State.SILENT),
        (replace(CALM, looked_at=NOW + timedelta(minutes=11)), State.SILENT),
        (replace(CALM, looked_at=NOW - timedelta(minutes=15)), State.IN_SYNC),
        (replace(CASES[State.OPEN], looked_at=None), State.OPEN),
        (replace(CASES[State.DELETED], looked_at=None), State.DELETED),
        (DocumentRecord(), State.SILENT),
    ],
)
def test_what_is_less_plain(record: DocumentRecord, state: State) -> None:
    assert stands(record).state is state


AGES = st.none() | st.integers(-3600, 3600).map(lambda seconds: NOW - timedelta(seconds=seconds))


@settings(max_examples=40)
@given(records(), AGES, st.integers(1, 60))
def test_nothing_is_green_unless_somebody_looked_and_saw_nothing(
    record: DocumentRecord, looked_at: datetime | None, minutes: int
) -> None:
    rate = timedelta(minutes=minutes)
    record = replace(record, looked_at=looked_at)
    one = standing(item(record), NOW, rate)
    fresh = looked_at is not None and looked_at <= NOW + AHEAD and NOW - looked_at <= 3 * rate
    if one.state is State.IN_SYNC:
        assert fresh
        assert record.state == "sync"
        assert not any((record.openings, any(record.outcomes.values()), record.rollout, record.deleted))
        assert not any(told.open for told in record.notified.values())
    if not fresh and not record.deleted:
        assert one.state in {State.OPEN, State.SILENT}
        assert one.silent
    assert Fleet(NOW, "eu-central-1", rate, fleet_of([one], {}, **AT).lines).well is (
        one.state in {State.IN_SYNC, State.DELETED}
    )


AT: dict[str, Any] = {"at": NOW, "region": "eu-central-1", "rate": RATE, "stack": "setpoint", "account": "123456789012"}


def fleet(*records: DocumentRecord, strips: dict[str, Strip | str] | None = None, **more: Any) -> Fleet:
    """A fleet of these, called d0, d1, ..."""
    found = [standing(item(record, f"d{number}"), NOW, RATE) for number, record in enumerate(records)]
    return fleet_of(found, strips or {}, **AT | more)


def test_the_gravest_stands_first_and_within_a_state_the_gravest_severity() -> None:
    low = replace(CASES[State.HELD], severity="low")
    high = replace(CASES[State.HELD], severity="high")
    made = fleet(*reversed(CASES.values()), low, high)
    assert [one.standing.state for one in made.lines] == sorted(
        [*State, State.HELD, State.HELD], key=lambda state: state.rank
    )
    held = [one.standing.severity for one in made.lines if one.standing.state is State.HELD]
    assert held == [Severity.HIGH, Severity.LOW, None]


@pytest.mark.parametrize(
    ("records", "heading"),
    [
        ([], "No document is known here"),
        ([CALM], "In sync: 1 network is as declared"),
        ([CALM, CALM, CASES[State.DELETED]], "In sync: 2 networks are as declared"),
        ([CASES[State.DELETED]], "Every document is deleted"),
        ([CALM, CASES[State.HELD]], "2 networks: 1 held, 1 in sync"),
        ([CALM, CASES[State.SILENT]], "1 of 2 networks is not being looked at"),
        (
            [CASES[State.OPEN], CASES[State.OPEN], CASES[State.SILENT]],
            "2 of 3 networks let in what is not declared; 1 is not being looked at",
        ),
        (
            [replace(CASES[State.OPEN], looked_at=None)],
            "1 of 1 network lets in what is not declared; 1 is not being looked at",
        ),
    ],
)
def test_the_heading_says_the_worst_first(records: list[DocumentRecord], heading: str) -> None:
    assert fleet(*records).heading == heading


def test_a_malformed_item_is_a_failed_line_and_hides_no_other() -> None:
    bad: list[dict[str, Any]] = [
        {"document": "bad", "looked_at": 3, "account": "123456789012"},
        {"document": "worse", "notified": "nobody"},
        {"document": "\u202e\x1b[31mworst", "state": None},
        {},
    ]
    found = [standing(one, NOW, RATE) for one in (*bad, item(CALM))]
    assert [one.state for one in found] == [State.FAILED, State.FAILED, State.FAILED, State.SILENT, State.IN_SYNC]
    assert found[0].account == "123456789012"
    assert found[0].why[0].startswith("its item cannot be read, at looked_at: ")
    assert found[2].document.isprintable()


def test_what_stands_open_is_told_with_at_most_or_with_not_known() -> None:
    opened = replace(CASES[State.OPEN], exposed_since=NOW - timedelta(minutes=8))
    unknown = CASES[State.OPEN]
    one, other = (made.as_json()["documents"][0] for made in (fleet(opened), fleet(unknown)))
    assert (one["exposed_at_most_s"], one["openings"]) == (480, list(OPENED))
    assert other["exposed_at_most_s"] is None
    assert "at most 8 min" in text(fleet(opened))
    assert "since when is not known" in text(fleet(unknown))


def test_the_text_is_one_line_a_document() -> None:
    told = replace(
        CASES[State.HELD],
        notified={"f": HELD_ALERT, "g": replace(HELD_ALERT, severity=""), "h": replace(HELD_ALERT, open=False)},
    )
    flapping = replace(CASES[State.FLAPPING], flapping={"n": FlappingRecord((), 1, NOW + timedelta(minutes=52))})
    made = fleet(CALM, told, CASES[State.SILENT], flapping)
    lines = text(made).splitlines()
    assert lines[:3] == [
        "1 of 4 networks is not being looked at.",
        f"stack setpoint, {', '.join(WHERE)}; as the ledger had it at 27 Nov 2026, 05:12:00 UTC; a look every 5 min",
        "",
    ]
    table = [line.split("  ") for line in lines[3:]]
    assert [[cell.strip() for cell in line if cell.strip()] for line in table] == [
        ["STATE", "DOCUMENT", "ACCOUNT", "REGION", "LAST LOOK", "OPEN ALERTS", "EXPOSED", "30 DAYS", "WHY"],
        ["SILENT", "d2 r7", *WHERE, "16 min ago", "unknown", "unknown", "unknown", "nobody looks"],
        [
            *("HELD", "d1 r7", *WHERE, "20 s ago", "1 medium, 1 alert since 27 Nov 04:12", "none", "unknown"),
            "1 held, 1 flapping, 1 waiting",
        ],
        [
            *("FLAPPING", "d3 r7", *WHERE, "20 s ago", "none", "none", "unknown"),
            "1 flapping, 2 waiting; left as it is until 27 Nov 06:04 UTC",
        ],
        ["IN SYNC", "d0 r7", *WHERE, "20 s ago", "none", "none", "unknown", "-"],
    ]


WHERE = ("123456789012", "eu-central-1")


def test_why_nobody_sees_it_is_told_by_the_open_alert() -> None:
    unread = replace(HELD_ALERT, title="the network could not be read")
    silent = replace(CASES[State.SILENT], state="unseen", notified={"f": unread})
    assert stands(silent).why == (
        "nobody looks",
        "the network, or a part of it, could not be read",
        "the network could not be read",
    )


def test_the_last_receipt_is_named_if_it_can_be_one() -> None:
    key = "receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz"
    one, other = (replace(CALM, receipt=LastReceipt(name, "", "")) for name in (key, "<script>"))
    assert [line["receipt"] for line in fleet(one, other).as_json()["documents"]] == [key, None]


def test_a_document_that_no_run_has_looked_at_yet_is_not_forgotten() -> None:
    new = never_looked("new", NOW - timedelta(minutes=1), NOW, RATE)
    old = never_looked("old", NOW - timedelta(hours=1), NOW, RATE)
    assert (new.state, old.state) == (State.WAITING, State.SILENT)
    assert old.why == ("uploaded at 27 Nov 2026 04:12 UTC, and no run has looked yet",)


# ------------------------------------------------------------------------------------------------- the strip


def summary(days_ago: float, state: NetworkState) -> Summary:
    return Summary("shop", NOW - timedelta(days=days_ago), state, None, 7, 0, "6f2c9a1e")


def daily(*, until: int = 0, since: int = 31) -> list[Summary]:
    return [summary(day, NetworkState.DAY) for day in range(since, until, -1)]


def test_a_state_lasts_to_the_next_receipt_while_day_sheets_prove_it() -> None:
    found = [summary(31, NetworkState.SYNC), *daily(), summary(9, NetworkState.OPEN), summary(6, NetworkState.SYNC)]
    made = strip(found, NOW, NOW)
    assert [(span.seconds / 86_400, state) for span, state in made.segments] == [
        (21, NetworkState.SYNC),
        (3, NetworkState.OPEN),
        (6, NetworkState.SYNC),
    ]
    assert made.share_as_declared == pytest.approx(27 / 30)


def test_a_day_without_a_sheet_is_not_known() -> None:
    found = [summary(31, NetworkState.SYNC), *(one for one in daily() if one.at != NOW - timedelta(days=10))]
    made = strip(found, NOW, NOW)
    assert [(span.seconds / 86_400, state) for span, state in made.segments] == [
        (19, NetworkState.SYNC),
        (2, NetworkState.UNSEEN),
        (9, NetworkState.SYNC),
    ]


def test_what_came_after_the_last_look_is_not_known() -> None:
    found = [summary(31, NetworkState.SYNC), *daily()]
    made = strip(found, NOW - timedelta(hours=3), NOW)
    assert [(span.seconds / 3_600, state) for span, state in made.segments[-1:]] == [(3, NetworkState.UNSEEN)]
    late = strip([summary(31, NetworkState.SYNC), *daily(until=4)], NOW, NOW)
    assert [(span.seconds / 86_400, state) for span, state in late.segments[-1:]] == [(5, NetworkState.UNSEEN)]


def test_before_the_first_receipt_and_without_any_nothing_is_known() -> None:
    new = strip([summary(0.5, NetworkState.SYNC)], NOW, NOW)
    assert [state for _, state in new.segments] == [NetworkState.UNSEEN, NetworkState.SYNC]
    assert strip([], NOW, NOW).share_as_declared is None


KEYS = st.lists(
    st.tuples(st.floats(0, DAYS + 2), st.sampled_from(list(NetworkState))).map(lambda one: summary(*one)), max_size=12
)


@given(KEYS, AGES)
def test_no_moment_is_green_that_nobody_vouches_for(found: list[Summary], looked_at: datetime | None) -> None:
    made = strip(found, looked_at, NOW)
    assert sum(span.seconds for span, _ in made.segments) == pytest.approx(DAYS * 86_400)
    moments = sorted([one.at for one in found] + ([looked_at] if looked_at else []))
    for span, state in made.segments:
        if state is NetworkState.SYNC:
            assert any(one.state is NetworkState.SYNC and one.at <= span.start for one in found)
            assert any(moment >= span.end for moment in moments) or span.seconds == 0


# ----------------------------------------------------------------------------------------------- 500 documents


class Ledger:
    def __init__(self, items: list[dict[str, Any]]) -> None:
        self.items = items

    def at_a_glance(self) -> list[dict[str, Any]]:
        return self.items


class Receipts:
    """Keys for every document but those of which the listing is refused."""

    def __init__(self, refused: str = "") -> None:
        self.refused, self.asked = refused, list[tuple[str, datetime]]()

    def listed(self, document: str, since: datetime) -> list[Any]:
        self.asked.append((document, since))
        if document == self.refused:
            raise ReceiptError("s3://receipts", "AccessDenied", "grant s3:ListBucket")
        return []


def test_each_document_is_listed_once_and_a_refusal_is_said() -> None:
    receipts: Any = Receipts(refused="d1")
    ledger: Any = Ledger([item(CALM, f"d{number}") for number in range(3)])
    made = reading.read(Sources(ledger, None, receipts), NOW, RATE, region="eu-central-1")
    assert sorted(name for name, _ in receipts.asked) == ["d0", "d1", "d2"]
    assert [bool(one.strip) for one in made.lines] == [True, False, True]
    assert made.findings == (
        "the receipts of 1 documents could not be listed: s3://receipts: AccessDenied; grant s3:ListBucket",
    )
    assert not made.well


def test_the_json_says_all_of_it() -> None:
    made = fleet(CALM, strips={"d0": strip([summary(31, NetworkState.SYNC), *daily()], NOW, NOW)}).as_json()
    assert json.loads(json.dumps(made)) == made
    (line,) = made["documents"]
    assert (line["state"], line["last_look_s"], line["share_as_declared"]) == ("IN SYNC", 20, 1.0)
    assert line["segments"] == [{"from": "2026-10-28T05:12:00Z", "to": "2026-11-27T05:12:00Z", "state": "sync"}]
    assert (made["counts"], made["rate_s"], made["rate_assumed"]) == ({"IN SYNC": 1}, 300, False)


def test_a_quick_listing_has_the_same_keys() -> None:
    name = "receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz"
    entry = (
        f"<Contents><Key>{name}</Key><LastModified>2026-11-27T05:12:08.000Z</LastModified><ETag>&quot;9b&quot;</ETag>"
    )
    page = (
        f"<ListBucketResult>{entry}<Size>18</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"
    )
    seen: list[dict[str, Any]] = []

    def answered(request: Any, **_: Any) -> Any:
        raw = io.BytesIO(page.encode())
        return AWSResponse(request.url, 200, HTTPHeaders(), SimpleNamespace(stream=lambda *_, **__: iter([raw.read()])))

    def client() -> Any:
        made = boto3.client("s3", "eu-central-1", aws_access_key_id="-", aws_secret_access_key="-")
        made.meta.events.register("before-send.s3", answered)
        made.meta.events.register("after-call.s3", lambda parsed, **_: seen.append(parsed["Contents"][0]))
        return made

    told = [list(Stored(one, "bucket").listed("shop")) for one in (client(), quick(client()))]
    assert told[0] == told[1]
    assert told[0][0].summary.at == datetime(2026, 11, 27, 5, 12, 8, tzinfo=UTC)
    assert ["LastModified" in one for one in seen] == [True, False]


def test_an_answer_that_is_too_long_leaves_out_the_strips_then_the_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    strips: dict[str, Strip | str] = {
        f"d{n}": strip([summary(31, NetworkState.SYNC), *daily()], NOW, NOW) for n in range(8)
    }
    whole: Any = fleet(*[CALM] * 7, CASES[State.OPEN], strips=strips)
    stack: Any = SimpleNamespace(fleet_sources=None, rate=RATE, region="", account="", name="", now=lambda: NOW)
    monkeypatch.setattr(reading, "read", lambda *_, **__: whole)
    told = reading.answer({"fleet": True, "page": "markdown"}, stack, "run-1")
    assert "left_out" not in told
    assert told["page"].startswith("## Setpoint: ")
    size = len(json.dumps(told))
    monkeypatch.setattr(reading, "LARGEST", size - 1)
    assert reading.answer({"fleet": True}, stack, "run-1").get("left_out") is None
    fewer = reading.answer({"fleet": True, "page": "markdown"}, stack, "run-1")
    assert fewer["left_out"] == {"segments": 8}
    monkeypatch.setattr(reading, "LARGEST", 2_000)
    least = reading.answer({"fleet": True, "page": "markdown"}, stack, "run-1")
    assert least["left_out"] == {"segments": 8, "page": 1, "documents": 6}
    assert [one["state"] for one in least["fleet"]["documents"]] == ["OPEN", "IN SYNC"]
