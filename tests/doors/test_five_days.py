"""Five days as the receipts tell them, at the cost that was computed before (decision 16)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from handlers.history_source import Source
from handlers.wiring import AwsConnection
from reconciler.history.episodes import What
from reconciler.history.history import History
from reconciler.history.reading import verify
from reconciler.history.receipts import Link, verified
from reconciler.history.words import lasted
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.report.page.markdown import markdown
from tests.support.doors import NAME, TABLE
from tests.support.five_days import EVERY_MINUTE, REASON, SPARSELY, Story, told
from tests.support.published import IS_RECEIPT

DOLLARS_A_PUT, DOLLARS_A_GIGABYTE = 0.005 / 1000, 0.023
"""S3 Standard, US East: PutObject, and storage a month."""


@pytest.fixture(
    scope="module", params=[SPARSELY, pytest.param(EVERY_MINUTE, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    with told(request.param) as found:
        yield found


def receipts(story: Story) -> list[dict[str, Any]]:
    store = story.doors.receipts()
    everything = [dict(store.get(one.key).receipt) for one in store.listed(NAME, story.begins + timedelta(seconds=10))]
    for one in everything:
        IS_RECEIPT.validate(one)
    return [one for one in everything if one["state"] != "day"]


def test_every_change_is_one_receipt_however_often_it_was_looked(story: Story) -> None:
    assert [(one.state, one.severity, one.revision, one.writes) for one in story.receipts()] == [
        (NetworkState.OPEN, Severity.CRITICAL, 1, 0),  # held
        (NetworkState.OPEN, Severity.CRITICAL, 1, 1),  # the other opening, corrected
        (NetworkState.OPEN, Severity.CRITICAL, 2, 1),  # revision 2
        (NetworkState.OPEN, Severity.CRITICAL, 3, 1),  # the rollback
        (NetworkState.SYNC, Severity.HIGH, 3, 2),  # released, and corrected
    ]
    first, *_, last = story.receipts()
    assert first.at - story.at["held"] <= story.every + timedelta(minutes=1)
    assert last.at - story.at["released"] <= story.every + timedelta(minutes=1)


def test_every_day_has_its_sheet_and_the_sheets_count_every_look(story: Story) -> None:
    store = story.doors.receipts()
    days = [store.get(one).receipt["day"] for one in story.doors.puts() if ".day." in one]
    begins = story.begins.date()
    assert [one["date"] for one in days] == [str(begins + timedelta(days=number)) for number in range(5)]
    # The look at midnight is the first one of the day after.
    assert sum(one["looks"] for one in days) == story.looks
    assert [one["state"] for one in days] == ["open", "open", "open", "open", "sync"]
    assert [one["unseen"] for one in days] == [0] * 5
    gaps = [gap for one in days for gap in one["gaps"]]
    assert len(gaps) == 1
    assert max(one["longest_gap"] for one in days) == int((story.every + timedelta(hours=1)).total_seconds())


def test_the_rollback_is_told_with_its_reason(story: Story) -> None:
    changed, rolled_back = receipts(story)[2:4]
    assert (changed["rollout"], changed["document"]["rollback"]) == ({"from": 1}, None)
    assert rolled_back["rollout"] == {"from": 2}
    assert rolled_back["document"]["rollback"] == {"to": 1, "reason": REASON}
    alerts = [one["Message"] for one in story.doors.alerts() if "It is a rollback" in one["Message"]]
    assert len(alerts) == 1
    assert f"It is a rollback to revision 1: '{REASON}'." in " ".join(alerts[0].split())


def test_the_chain_of_the_five_days_is_whole(story: Story) -> None:
    store = story.doors.receipts()
    found = [store.get(one.key) for one in store.listed(NAME)]
    links = [
        Link(one.key, one.sha256, (before["key"], before["sha256"]) if (before := one.receipt["previous"]) else None)
        for one in found
    ]
    assert verified(links) == []
    assert sum(link.previous is None for link in links) == 1


def test_it_costs_a_put_for_each_change_and_each_day(story: Story) -> None:
    """The month of the decision has 200 changes and 30 days: 0.002 dollars, where an object for every look would cost
    0.23.
    """
    puts = story.puts()
    assert len(puts) == len(story.receipts()) + len(story.sheets()) == 5 + 5
    sizes = [one.size for one in story.doors.receipts().listed(NAME)]
    largest = max(sizes)
    assert largest <= 8 * 1024
    month = 230 * DOLLARS_A_PUT + 230 * 13 * largest / 1e9 * DOLLARS_A_GIGABYTE
    assert round(month, 3) <= 0.002
    assert 100 * month < 43_200 * DOLLARS_A_PUT


def history(story: Story) -> History:
    """As `setpoint history` reads it, with the looks of the ledger that no sheet counts yet."""
    doors = story.doors
    source = Source(doors.receipts(), AwsConnection(doors.lab.session(), doors.lab.region), TABLE)
    return source.history(NAME, story.begins + timedelta(seconds=30), story.ends + timedelta(minutes=1))


def test_the_history_tells_exactly_that(story: Story) -> None:
    soon, at = timedelta(seconds=30), story.at
    released = story.receipts()[-1].at
    told = sorted(history(story).episodes, key=lambda one: (one.start, one.severity or ""))
    assert [(one.what, one.address, one.text, one.outcome) for one in told] == [
        (
            What.DIFFERENCE,
            "security_group/DBSG",
            "ingress: tcp 5432 from 0.0.0.0/0",
            "corrected, 1 call",
        ),
        (
            What.DIFFERENCE,
            "security_group/DBSG",
            "ingress: no tcp 5432 from security_group/TestServerSG",
            "corrected, 1 call",
        ),
        (
            What.DIFFERENCE,
            "security_group/APIGatewaySG",
            "ingress: tcp 22 from 0.0.0.0/0",
            "corrected, 1 call",
        ),
        (What.UNWATCHED, "", "nobody looked", "nothing is known of this time"),
        (What.REVISION, "", "put in force", "1 call"),
        (What.REVISION, "", f'put in force (rollback to r1: "{REASON}")', "1 call"),
    ]
    held, _, opened, unwatched, changed, back = told
    assert (held.start, held.end, held.opens, held.who) == (at["held"], released, True, "somebody")
    assert (opened.start, opened.end, opened.who) == (at["opened"], at["closed"], "somebody")
    assert abs(unwatched.start - at["unwatched"]) <= soon
    assert abs((unwatched.end or story.begins) - at["watched"]) <= soon
    assert [(one.before, one.revision) for one in (changed, back)] == [(1, 2), (2, 3)]
    assert abs(changed.start - at["changed"]) <= soon
    assert abs(back.start - at["rolled_back"]) <= soon


def test_the_strip_is_green_only_where_somebody_looked_and_nothing_stood_open(story: Story) -> None:
    found, at = history(story), story.at
    assert [one.state for one in found.segments] == [
        NetworkState.SYNC,
        NetworkState.OPEN,
        NetworkState.UNSEEN,
        NetworkState.OPEN,
        NetworkState.SYNC,
    ]
    assert found.segments[1].span.start == at["held"]
    assert found.segments[-1].span.start == story.receipts()[-1].at
    assert found.segments[-1].span.end == found.whole.end
    green = sum(one.span.seconds for one in found.segments if one.state is NetworkState.SYNC)
    assert found.share_as_declared == green / found.whole.seconds
    assert found.open_seconds == (story.receipts()[-1].at - at["held"]).total_seconds()
    assert found.findings == ()
    # The first look after the fifth day is in the ledger only.
    assert found.looks == story.looks + 1


def test_the_page_tells_the_same(story: Story) -> None:
    found = history(story)
    told = markdown(receipts(story)[-1], history=found.as_json())
    for fact in (
        "5 episodes; 1 time in which nothing is known",
        f"stood open for at most {lasted(found.open_seconds)} in all",
        "`ingress: tcp 22 from 0.0.0.0/0`",
        "`nobody looked`",
        f'`put in force (rollback to r1: "{REASON}")`',
    ):
        assert fact in told


def test_every_receipt_of_the_five_days_is_as_the_next_one_saw_it(story: Story) -> None:
    item = story.doors.item()["receipt"]["M"]
    last = item["key"]["S"], item["sha256"]["S"]
    assert verify(story.doors.receipts(), NAME, story.begins, last).broken == ()
