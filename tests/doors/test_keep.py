"""One attempt after another to keep a document: what is remembered, what comes back, what breaks off, what flaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from handlers import worker
from handlers.stack import Invocation
from handlers.telemetry import BrokenOffError
from lab.network import find_network
from reconciler.attempt import keep as keeping
from reconciler.attempt import one_run, telling
from reconciler.attempt.given import TRIES
from reconciler.attempt.keep import keep
from reconciler.ledger.lease import GRACE, TERM, Lease, Ledger
from reconciler.model.trigger import Source, Trigger
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.doors import NAME, TABLE, Doors, object_event

OPEN = "ssh-opened-to-the-world"
SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
SECOND = "second"
REVOKED = "RevokeSecurityGroupIngress"


def subjects(doors: Doors) -> list[str]:
    return [one["Subject"] for one in doors.alerts()]


def comes_back(doors: Doors) -> list[dict[str, Any]]:
    return [json.loads(body) for body, _ in doors.sent()]


def retry_after(tries: int) -> dict[str, Any]:
    return {"setpoint": 1, "document": NAME, "trigger": {"source": "again", "tries": tries}}


def held(doors: Doors, name: str = NAME) -> Lease:
    lease = doors.another().ledger.take(name, "another run")
    assert isinstance(lease, Lease)
    return lease


def group(doors: Doors) -> str:
    return find_network(doors.hands, NAME)["security_group/APIGatewaySG"]


# ------------------------------------------------------------------------------------------ tries, delays and their end


def test_each_try_waits_twice_as_long_and_never_longer_than_the_queue_can(doors: Doors) -> None:
    lease = held(doors)
    for tries in range(TRIES + 1):
        assert doors.work(retry_after(tries)) == ()
    lease.release(lease.record)
    delays = [delay for _, delay in doors.sent()]
    assert delays == [15, 30, 60, 120, 240, 480, 900, 900, 900, 900, 900, 900]
    assert [one["trigger"]["tries"] for one in comes_back(doors)] == list(range(1, TRIES + 1))


def test_tries_end_also_where_there_is_never_enough_time_to_begin(doors: Doors) -> None:
    doors.seconds_left = lambda: 40.0
    for tries in range(TRIES + 1):
        assert doors.work(retry_after(tries)) == ()
    assert [delay for _, delay in doors.sent()] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert [one for one in doors.lab.calls if one.service != "sqs"] == []


def test_tries_end_also_where_a_database_is_busy_for_hours(doors: Doors) -> None:
    doors.drift("deletion-protection-off")
    doors.lab.rds_state("mypostgresqldb", status="modifying")
    settles, doors.lab.settle_after = doors.lab.settle_after, 10**6
    assert doors.work(retry_after(TRIES)) == ()
    assert doors.sent() == []
    assert doors.work(retry_after(TRIES - 1)) == ()
    assert [delay for _, delay in doors.sent()] == [900]
    doors.lab.settle_after = settles


def test_only_the_first_run_waits_for_a_role_that_aws_does_not_accept(doors: Doors) -> None:
    role = "arn:aws:iam::123456789012:role/rds-monitoring-role"

    def monitors(written: dict[str, Any]) -> None:
        written["revision"] = 2
        written["resources"]["db_instance"]["mypostgresqldb"] |= {"monitoring_interval": 60, "monitoring_role": role}

    doors.upload(monitors)
    doors.lab.new_role(role)
    asked = []
    for _ in range(2):
        doors.lab.calls.clear()
        doors.work(SCHEDULED)
        asked.append(sum("MonitoringRoleArn" in call.params for call in doors.lab.calls))
    assert asked == [6, 1]


def test_what_rds_accepted_and_did_not_make_is_told_once_and_sent_once(doors: Doors) -> None:
    doors.drift("deletion-protection-off")
    doors.lab.rds_fails("mypostgresqldb", "DeletionProtection")
    for _ in range(3):
        doors.work(SCHEDULED)
        doors.lab.settle()
        doors.clock.sleep(600)
    assert doors.writes().count("ModifyDBInstance") == 1
    (known,) = doors.item()["accepted_changes"]["M"].values()
    assert (known["M"]["field"], known["M"]["pauses"]) == ({"S": "deletion_protection"}, {"N": "1"})
    last = doors.alerts()[-1]
    assert "deletion_protection: held" in last["Subject"]
    assert "did not make it, or somebody took it back: see its events (aws rds describe-events" in last["Message"]
    assert [one for one in subjects(doors) if "deletion_protection: corrected" in one] == []


def test_what_there_is_no_time_for_goes_back_together_and_who_waited_longest_comes_first(doors: Doors) -> None:
    names = [f"shop-{index:02}" for index in range(24)]
    asked = [{"setpoint": 1, "document": name, "trigger": {"source": "schedule"}} for name in names]
    asked[20]["trigger"] = {"source": "again", "tries": 2}
    left = iter([300.0])
    doors.seconds_left = lambda: next(left, 40.0)  # one document is looked for, then time is up
    assert doors.work(*asked) == ()
    assert len([one for one in doors.lab.calls if one.operation == "SendMessageBatch"]) == 3
    assert [one["document"] for one in comes_back(doors)] == [name for name in names if name != "shop-20"]


def test_what_could_not_go_back_fails_its_own_items_only(doors: Doors) -> None:
    names = [f"shop-{index:02}" for index in range(12)]
    records = [
        doors.record({"setpoint": 1, "document": one, "trigger": {"source": "schedule"}}) for one in [*names, *names]
    ]
    doors.seconds_left = lambda: 40.0
    doors.lab.faults.throttle("SendMessageBatch", times=3)
    failed = doors.work_records(records)
    assert failed == tuple(one["messageId"] for one in [*records[:10], *records[12:22]])
    assert [one["document"] for one in comes_back(doors)] == names[10:]


# ------------------------------------------------------------------------------------------------- several in one batch


def small(written: dict[str, Any]) -> None:
    """A second document: one VPC and nothing in it."""
    written["name"] = SECOND
    written["resources"] = {"vpc": {"Other": {"cidr_block": "10.9.0.0/16"}}}
    del written["intents"], written["workloads"]


@pytest.fixture
def two(doors: Doors) -> Doors:
    """Two documents, both looked after once."""
    doors.upload(small, name=SECOND)
    assert doors.work(object_event(name=SECOND)) == ()
    doors.clock.sleep(60)
    doors.lab.calls.clear()
    return doors


def looked_at(doors: Doors, name: str) -> datetime:
    item = doors.hands.client("dynamodb").get_item(TableName=TABLE, Key={"document": {"S": name}})["Item"]
    return datetime.fromisoformat(item["looked_at"]["S"])


def opened(doors: Doors) -> dict[str, Any]:
    """The event of CloudTrail that somebody's opening of SSH becomes."""
    before = len(doors.lab.trail.events())
    doors.drift(OPEN)
    (event,) = doors.lab.trail.events()[before:]
    return event


def test_a_call_that_somebody_made_has_every_document_of_the_account_looked_after(two: Doors) -> None:
    event = opened(two)
    began = two.clock.now()
    assert two.work(event) == ()
    assert looked_at(two, NAME) >= began
    assert looked_at(two, SECOND) >= began
    assert two.writes() == [REVOKED]


def test_one_document_that_breaks_off_fails_its_own_items_and_costs_no_other_its_run(
    two: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, *rest: Any) -> AttemptResult:
        if name == SECOND:
            raise RuntimeError("a mistake of ours")
        return keep(name, *rest)

    monkeypatch.setattr(worker, "keep", broken)
    records = [two.record(one) for one in (object_event(), object_event(name=SECOND), opened(two))]
    assert two.work_records(records) == (records[1]["messageId"], records[2]["messageId"])
    assert two.writes() == [REVOKED]
    monkeypatch.undo()
    assert two.work_records(records[1:]) == ()
    assert two.writes() == [REVOKED]


def test_a_ledger_that_cannot_list_an_accounts_documents_is_asked_once_and_fails_those_items(two: Doors) -> None:
    event = opened(two)
    records = [two.record(event), two.record(SCHEDULED), two.record(event)]
    two.lab.faults.refuse("Scan", code="AccessDeniedException")
    assert two.work_records(records) == (records[0]["messageId"], records[2]["messageId"])
    assert len([one for one in two.lab.calls if one.operation == "Scan"]) == 1
    assert two.writes() == [REVOKED]


def test_messages_about_one_document_become_one_with_the_latest_time_most_tries_and_all_actors(
    doors: Doors,
) -> None:
    first = opened(doors)
    before = len(doors.lab.trail.events())
    doors.drift("acl-entry-denied")
    (second,) = doors.lab.trail.events()[before:]
    lease = held(doors)
    now = doors.clock.now()
    records = [
        doors.record(retry_after(3), sent=now - timedelta(seconds=30)),
        doors.record(first, sent=now - timedelta(seconds=20)),
        doors.record(second, sent=now - timedelta(seconds=10)),
    ]
    assert doors.work_records(records) == ()
    lease.release(lease.record)
    ((body, delay),) = doors.sent()
    told = json.loads(body)["trigger"]
    assert (told["source"], told["tries"], delay) == ("again", 4, 120)
    assert datetime.fromisoformat(told["sent"]) == now - timedelta(seconds=10)
    assert {one["call"] for one in told["actors"]} == {"AuthorizeSecurityGroupIngress", "ReplaceNetworkAclEntry"}
    assert doors.work(json.loads(body)) == ()
    assert sorted(doors.writes()) == ["ReplaceNetworkAclEntry", REVOKED]
    assert len([one for one in doors.alerts() if "user/somebody by" in one["Message"]]) == 2


class Context:
    """What Lambda hands a function beside the event."""

    aws_request_id = "8f14e45f-ea1d-4a3c-9c1e-000000000000"
    invoked_function_arn = "arn:aws:lambda:ap-northeast-2:123456789012:function:setpoint-worker"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@pytest.mark.parametrize("event", [{"document": NAME}, {"Records": None}, [], None])
def test_the_worker_invoked_by_hand_says_who_wakes_it(event: object) -> None:
    context: Any = Context()
    with pytest.raises(BrokenOffError, match="UnknownEvent: the worker accepts batches of its queue only"):
        worker.handler(event, context)


# ------------------------------------------------------------------------------------------------------ what breaks off


def raised(to: int) -> Callable[[dict[str, Any]], None]:
    return lambda written: written.update(revision=to)


def test_a_run_that_breaks_off_forgets_no_accepted_version_and_gives_the_lease_up(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a mistake of ours")

    doors.upload(raised(2))
    monkeypatch.setattr(one_run, "run", broken)
    assert doors.work(object_event()) == ()
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "2"}
    assert "owner" not in doors.item()
    (told,) = doors.alerts()
    assert told["Subject"].startswith("Setpoint HIGH: ".replace("HIGH", "high"))
    assert "a mistake in Setpoint" in told["Message"]
    assert "RuntimeError in tests/doors/test_keep.py" in told["Message"]
    assert "nothing can be remembered" not in told["Message"]
    monkeypatch.undo()
    doors.lab.calls.clear()
    doors.upload(raised(1))
    assert doors.work(object_event()) == ()
    assert "refused" in subjects(doors)[0]
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "2"}


@pytest.mark.parametrize(
    ("where", "name", "error", "tells"),
    [
        (Ledger, "take", ArithmeticError, True),
        (keeping, "_covered", BufferError, True),
        (Lease, "release", RuntimeError, False),
    ],
)
def test_a_mistake_before_or_after_the_run_costs_no_message_either(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: type[Exception], tells: bool
) -> None:
    """Without the ledger each kind of error is told once an hour."""

    def broken(*_: Any, **__: Any) -> None:
        raise error("a mistake of ours")

    doors.drift(OPEN)
    monkeypatch.setattr(where, name, broken)
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == ([] if tells else [REVOKED])
    assert ["a mistake in Setpoint" in one["Message"] for one in doors.alerts()] == [tells]


def test_what_was_done_is_remembered_even_where_nobody_could_be_told(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def speechless(kept: AttemptResult) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(telling, "find_alerts", speechless)
    doors.drift(OPEN)
    began = doors.clock.now()
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == [REVOKED]
    assert looked_at(doors, NAME) >= began
    assert len(doors.item()["flapping"]["M"]) == 1
    assert '"AlertsLost":[1.0]' in capsys.readouterr().out


def test_a_lease_that_could_not_be_given_up_runs_out_and_the_next_run_goes_on(doors: Doors) -> None:
    doors.drift(OPEN)

    def tired(name: str, service: str, operation: str) -> None:
        if operation == "PutEvents":
            doors.lab.faults.refuse("UpdateItem", code="ProvisionedThroughputExceededException")

    doors.lab.before_call = tired
    assert doors.work(SCHEDULED) == ()
    doors.lab.before_call = None
    doors.lab.faults.clear()
    assert doors.writes() == [REVOKED]
    assert doors.work(SCHEDULED) == ()
    assert [delay for _, delay in doors.sent()] == [15]
    doors.clock.sleep((TERM + GRACE).total_seconds())
    kept = keep(NAME, Trigger(Source.SCHEDULE, NAME), doors.stack.dependencies(Invocation("later", lambda: 300.0)))
    assert (kept.ending, kept.report is not None and kept.report.in_sync) == (Ending.COMPLETED, True)


def test_an_item_that_somebody_edited_means_that_nothing_is_changed_and_says_how_to_mend_it(doors: Doors) -> None:
    doors.drift(OPEN)
    item = doors.item()
    hands = doors.hands.client("dynamodb")
    hands.put_item(TableName=TABLE, Item={**item, "accepted": {"S": "revision 1"}})
    assert doors.work(SCHEDULED) == ()
    answer = doors.invoke(mode="apply")
    assert (answer["ending"], answer["report"]["wrote"]) == ("completed", False)
    assert [one["reason"] for one in answer["report"]["drifted"]] == ["memory_damaged"]
    assert "its item cannot be read, at accepted" in answer["problem"]
    assert "write revision (number), sha256 and version_id (text), or remove it" in answer["problem"]
    assert (doors.writes(), doors.sent()) == ([], [])
    hands.put_item(TableName=TABLE, Item=item)
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == [REVOKED]


def test_a_document_under_another_name_than_its_own_is_refused(doors: Doors) -> None:
    doors.upload_bytes(json.dumps({**doors.upload(), "revision": 9}).encode(), name="stranger")
    assert doors.work(object_event(name="stranger")) == ()
    assert [("the document is refused" in one) for one in subjects(doors)] == [True]
    assert "the object is named stranger, but the document in it is named test-server" in doors.alerts()[0]["Message"]
    assert doors.writes() == []


# -------------------------------------------------------------------------------------------------- holds and flapping


def test_a_hold_that_is_written_anew_every_day_ends_all_the_same(doors: Doors) -> None:
    ec2 = doors.hands.client("ec2")

    def hold() -> None:
        until = f"{doors.clock.now() + timedelta(hours=20):%Y-%m-%dT%H:%M:%SZ}"
        ec2.create_tags(Resources=[group(doors)], Tags=[{"Key": "setpoint:hold", "Value": until}])

    doors.drift(OPEN)
    for hours in (8, 8, 9):
        hold()
        assert doors.work(SCHEDULED) == ()
        assert doors.writes() == []
        doors.clock.sleep(3600 * hours)
    hold()
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == [REVOKED]
    assert any("longer than this deployment allows" in one["Message"] for one in doors.alerts())


def test_who_keeps_undoing_a_correction_is_named_and_suppressed_and_met_again_after_longer_and_longer(
    doors: Doors,
) -> None:
    wrote: list[datetime] = []
    is_open = False

    def turn(minutes: int) -> None:
        """Somebody opens SSH unless it is open still, and the event of it or the schedule wakes the worker."""
        nonlocal is_open
        event = SCHEDULED if is_open else opened(doors)
        before = doors.writes().count(REVOKED)
        assert doors.work(event) == ()
        is_open = doors.writes().count(REVOKED) == before
        wrote.extend([] if is_open else [doors.clock.now()])
        doors.clock.sleep(60 * minutes)

    for _ in range(3):
        turn(10)
    assert len(wrote) == 3
    assert ["corrected" in one for one in subjects(doors)] == [True]
    doors.drift("tag-changed")
    turn(10)
    assert doors.writes() == [REVOKED, REVOKED, REVOKED, "CreateTags"]
    (alert,) = [one for one in doors.alerts() if "somebody keeps changing it" in one["Subject"]]
    assert "arn:aws:iam::123456789012:user/somebody by AuthorizeSecurityGroupIngress" in alert["Message"]
    assert "declared: absent\n" in alert["Message"]
    assert 'found:    {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"' in alert["Message"]
    assert "it is suppressed until 2026-" in alert["Message"]
    for _ in range(18):
        turn(30)
    gaps = [(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(wrote[2:])]
    assert len(gaps) == 3
    assert [1 <= gaps[0] < 2, 2 <= gaps[1] < 3, 4 <= gaps[2] < 5] == [True, True, True]
    assert all(later - earlier > timedelta(hours=1) for earlier, later in zip(wrote, wrote[3:], strict=False))
    pauses = [one for one in doors.alerts() if "somebody keeps changing it" in one["Subject"]]
    assert len(pauses) == 1 + len(gaps)
    assert doors.writes().count("CreateTags") == 1
