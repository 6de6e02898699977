"""Nothing is blind in silence: whatever keeps the runs of one document from looking, the sweep measures and tells it,
and a document that is looked at does not hide it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from artefact.permissions import DOORS
from desired_state.sources import ListedDocument
from handlers.staleness import AHEAD, staleness
from handlers.sweep import SweepError
from reconciler.ledger.lease import LastLook
from tests.support.doors import NAME, TABLE, Doors
from tests.support.sampling import sampled

RATE, LIMIT = 300, 1800
"""Seconds: of the template's defaults."""
ENOUGH = LIMIT // RATE + 1
"""Sweeps within which it is told."""
HEALTHY = "healthy"
ACCOUNT = "123456789012"


class Died(BaseException):
    """What ends a function at once."""


def put(doors: Doors, name: str, **attributes: dict[str, str]) -> None:
    values = {f":{key}": value for key, value in attributes.items()}
    doors.hands.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"document": {"S": name}},
        UpdateExpression="SET " + ", ".join(f"#{key} = :{key}" for key in attributes),
        ExpressionAttributeNames={f"#{key}": key for key in attributes},
        ExpressionAttributeValues=values,
    )


def nothing(doors: Doors) -> None:
    """All is well."""


def stuck_lease(doors: Doors) -> None:
    """Somebody has the lease, and renews it for ever."""
    put(doors, NAME, owner={"S": "somebody"}, expires={"N": str(doors.clock.now().timestamp() + 900)})


def malformed_item(doors: Doors) -> None:
    put(doors, NAME, notified={"S": "nothing"})


def malformed_look(doors: Doors) -> None:
    put(doors, NAME, looked_at={"N": "17"})


def look_in_the_future(doors: Doors) -> None:
    put(doors, NAME, looked_at={"S": "2126-01-01T00:00:00Z"}, flapping={"N": "1"})


def dying_worker(doors: Doors) -> None:
    """It dies at the first read of the network, and does not even give up its lease."""
    dead: list[str] = []

    def died(name: str, service: str, operation: str) -> None:
        if operation == "DescribeVpcs" or dead:
            dead.append(operation)
            raise Died

    doors.lab.before_call = died


def unreachable_account(doors: Doors) -> None:
    doors.lab.faults.refuse("DescribeVpcs", code="UnauthorizedOperation")


def table_takes_no_lease(doors: Doors) -> None:
    doors.lab.faults.refuse("UpdateItem", code="AccessDeniedException")


def lost_messages(doors: Doors) -> None:
    """The worker never gets what the sweep sends."""
    doors.lab.faults.clear()


def day(doors: Doors, trouble: Callable[[Doors], None], sweeps: int) -> list[list[str]]:
    """What the messages of each sweep say; between two of them the worker does what it can."""
    told = []
    for _ in range(sweeps):
        doors.clock.sleep(RATE)
        put(doors, HEALTHY, looked_at={"S": doors.clock.now().isoformat()})
        before = len(doors.alerts())
        doors.sweep()
        told.append([one["Message"] for one in doors.alerts()[before:]])
        sent = [body for body, _ in doors.sent() if json.loads(body)["document"] == NAME]
        if trouble is not lost_messages:
            trouble(doors)
            with suppress(Died):
                doors.work(sent[-1])
            doors.lab.before_call = None
    return told


def figures(text: str) -> list[dict[str, float]]:
    """The metrics of every sweep."""
    lines = [json.loads(line) for line in text.splitlines() if '"DocumentsStale"' in line]
    return [{name: one[name][0] for name in ("DocumentsStale", "OldestLookAge") if name in one} for one in lines]


def test_where_every_document_is_looked_at_nothing_is_told(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    assert day(doors, nothing, ENOUGH + 2) == [[]] * (ENOUGH + 2)
    measured = figures(capsys.readouterr().out)
    assert [one["DocumentsStale"] for one in measured] == [0] * (ENOUGH + 2)
    assert max(one["OldestLookAge"] for one in measured) <= RATE + 60


@pytest.mark.parametrize(
    "trouble",
    sampled(
        [
            stuck_lease,
            malformed_look,
            look_in_the_future,
            dying_worker,
            unreachable_account,
            table_takes_no_lease,
            lost_messages,
        ],
        2,
        seed="troubles",
    ),
)
def test_a_document_that_is_not_looked_at_is_told_though_another_is(
    doors: Doors, capsys: pytest.CaptureFixture[str], trouble: Callable[[Doors], None]
) -> None:
    if trouble in (malformed_look, look_in_the_future):
        doors.delete()  # nothing else says since when nobody has looked
    told = day(doors, trouble, ENOUGH + 3)
    about = [text for some in told for text in some if "No run has read the network" in text]
    assert len(about) == 1, "told once"
    assert any("No run has read the network" in text for some in told[:ENOUGH] for text in some)
    assert NAME in about[0]
    assert f"- {HEALTHY}" not in about[0]
    measured = figures(capsys.readouterr().out)
    assert [one["DocumentsStale"] for one in measured[ENOUGH:]] == [1] * 3
    if trouble not in (malformed_look, look_in_the_future):
        assert [one["OldestLookAge"] > LIMIT for one in measured[ENOUGH:]] == [True] * 3


@pytest.mark.parametrize("call", ["DescribeDBInstances", "DescribeNetworkAcls"])
def test_a_look_that_missed_a_part_is_none(doors: Doors, call: str) -> None:
    """Neither does it cover a message, nor is the document any less stale."""
    before = doors.item()
    doors.lab.faults.refuse(call, code="UnauthorizedOperation" if "DB" not in call else "AccessDenied")
    doors.clock.sleep(60)
    assert doors.work({"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}) == ()
    after = doors.item()
    assert after["fence"] != before["fence"]
    assert [after.get(name) for name in ("looked_at", "covers")] == [
        before.get(name) for name in ("looked_at", "covers")
    ]


def test_a_document_whose_item_cannot_be_read_is_looked_at_all_the_same(doors: Doors) -> None:
    told = day(doors, malformed_item, ENOUGH + 3)
    assert [text for some in told for text in some if "No run has read the network" in text] == []


def test_it_is_told_again_after_a_look_in_between_and_after_the_time_of_every_alert(doors: Doors) -> None:
    assert sum(map(len, day(doors, stuck_lease, ENOUGH))) == 1
    put(doors, NAME, owner={"S": "somebody"}, expires={"N": "0"})
    assert day(doors, nothing, 2)[1] == []
    assert sum(map(len, day(doors, stuck_lease, ENOUGH + 1))) == 1
    doors.clock.sleep(doors.deployment.alert_repeat_hours * 3600)
    assert sum(map(len, day(doors, stuck_lease, 1))) == 1


def test_a_table_that_is_down_is_told_by_the_sweep_itself(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.lab.faults.refuse("Scan", code="ProvisionedThroughputExceededException")
    doors.lab.faults.refuse("UpdateItem", code="ProvisionedThroughputExceededException")
    for _ in range(3):
        doors.clock.sleep(RATE)
        with pytest.raises(SweepError):
            doors.sweep()
        assert doors.work(doors.sent()[-1][0]) == ()
    told = {one["MessageAttributes"]["severity"]["StringValue"]: one["Message"] for one in doors.alerts()}
    assert sorted(told) == ["critical", "high"]
    assert "The ledger cannot be read" in told["critical"]
    assert "the lease of" in told["high"], "what the worker says of its own call"
    assert figures(capsys.readouterr().out) == [{"DocumentsStale": 1}] * 3


def test_what_could_not_be_told_is_told_by_the_next_sweep(doors: Doors) -> None:
    doors.lab.faults.refuse("Publish", code="AuthorizationError", times=1)
    told = day(doors, stuck_lease, ENOUGH + 2)
    assert [len(some) for some in told[-3:]] in ([0, 1, 0], [1, 0, 0], [0, 0, 1])


def test_the_sweep_makes_exactly_the_calls_that_its_role_is_for(doors: Doors) -> None:
    put(doors, NAME, looked_at={"S": "2020-01-01T00:00:00Z"})
    doors.sweep()
    asked = {(one.service, one.operation) for one in doors.lab.calls}
    assert asked == {(one.service, one.operation) for one in DOORS if "sweep" in one.doors}


def test_what_is_stale_is_sent_last(doors: Doors) -> None:
    for name, age in (("a", LIMIT + 1), ("b", 10), ("z", LIMIT - 1)):
        put(doors, name, looked_at={"S": (doors.clock.now() - timedelta(seconds=age)).isoformat()})
    doors.sweep()
    assert [json.loads(body)["document"] for body, _ in doors.sent()] == ["b", NAME, "z", "a"]


def test_a_read_that_hangs_ends_before_the_invocation_does_and_is_told(doors: Doors) -> None:
    released, hung = threading.Event(), threading.Event()

    def hang(name: str, service: str, operation: str) -> None:
        if operation == "DescribeVpcs":
            hung.set()
            released.wait(30)

    doors.lab.before_call = hang
    doors.seconds_left = lambda: 15.1 if hung.is_set() else 300.0
    began = monotonic()
    doors.sweep()
    assert doors.work(doors.sent()[-1][0]) == ()
    assert monotonic() - began < 20
    assert "owner" not in doors.item()
    assert [delay for _, delay in doors.sent()] == [0, 60]
    released.set()
    doors.lab.before_call = None


NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("uploaded", "looked", "age", "stale"),
    [
        (60, 30, 30, False),
        (30, 60, 60, False),
        (60, None, 60, False),
        (LIMIT + 1, None, LIMIT + 1, True),
        (LIMIT + 1, 1, 1, False),
        (1, LIMIT + 1, LIMIT + 1, True),
        (None, LIMIT, LIMIT, False),
        (None, None, None, True),
        (None, -60, 0, False),
        (None, -AHEAD.total_seconds() - 1, None, True),
        (60, -AHEAD.total_seconds() - 1, 60, False),
    ],
)
def test_the_age_of_a_look(uploaded: float | None, looked: float | None, age: float | None, *, stale: bool) -> None:
    listed = [] if uploaded is None else [ListedDocument("a", NOW - timedelta(seconds=uploaded))]
    looks = {"a": LastLook(None if looked is None else NOW - timedelta(seconds=looked))}
    found = staleness(listed, looks, NOW, timedelta(seconds=LIMIT))
    assert (found.ages, bool(found.stale)) == ({"a": age}, stale)


@pytest.mark.parametrize("at", [None, 17, "", "yesterday", "2026-11-22T09:00:00", ["2026-11-22T09:00:00Z"]])
@pytest.mark.parametrize("account", [None, "", "12", "abcdefghijkl", 123456789012])
def test_an_item_that_somebody_changed_hides_nothing(at: object, account: object) -> None:
    assert LastLook.of({"looked_at": at, "account": account}) == LastLook()
    assert LastLook.of({"looked_at": "2026-11-22T09:00:00Z", "account": ACCOUNT}) == LastLook(NOW, ACCOUNT)


def test_without_documents_nothing_is_old() -> None:
    assert staleness([], {}, NOW, timedelta(1)).figures == {"DocumentsStale": 0, "OldestLookAge": 0}
