"""What is left of an attempt: a receipt where something is new, a sheet for every day, and nothing otherwise."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import telemetry
from lab.faults import Stopped
from reconciler.history.receipts import Broken, Link, Summary, parse_key, short_run, verified
from reconciler.ledger.lease import GRACE, TERM, Lease
from reconciler.model import Policy
from reconciler.model.network_state import NetworkState
from reconciler.report.attempt import AttemptResult
from reconciler.report.records import metrics
from tests.support.doors import BUCKET, NAME, TABLE, Doors, object_event
from tests.support.published import IS_RECEIPT

OPEN, TAGS = "ssh-opened-to-the-world", "deletion-protection-off"
SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
REPORTS = Policy(mode="report", create_databases=True)


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[AttemptResult]:
    """What the functions tell their log of."""
    told: list[AttemptResult] = []
    monkeypatch.setattr(telemetry, "emit", told.append)
    return told


def said(doors: Doors) -> list[Summary]:
    return [found for one in doors.puts() if (found := parse_key(one))]


def kept(doors: Doors) -> list[dict[str, Any]]:
    """The receipts in the bucket, oldest first; each is as published."""
    receipts = doors.receipts()
    found = [dict(receipts.get(one.key).receipt) for one in receipts.listed(NAME)]
    for one in found:
        IS_RECEIPT.validate(one)
    return found


def links(doors: Doors) -> list[Link]:
    receipts = doors.receipts()
    found = [receipts.get(one.key) for one in receipts.listed(NAME)]
    return [
        Link(one.key, one.sha256, (before["key"], before["sha256"]) if (before := one.receipt["previous"]) else None)
        for one in found
    ]


def look(doors: Doors, seconds: int = 60, **how: Any) -> None:
    doors.clock.sleep(seconds)
    assert doors.work(SCHEDULED, **how) == ()


# ---------------------------------------------------------------------------------------------------- when


def test_the_first_look_leaves_the_first_receipt(doors: Doors) -> None:
    (first,) = kept(doors)
    assert (first["previous"], first["state"], first["run"]["ending"]) == (None, "sync", "completed")


def test_a_calm_look_puts_nothing_and_imports_nothing_that_tells_of_a_run(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    needless = {"jinja2", "reconciler.report.receipt", "reconciler.report.network", "reconciler.history.store"}
    for name in needless & sys.modules.keys():
        monkeypatch.delitem(sys.modules, name)
    look(doors)
    assert doors.puts() == []
    assert needless.isdisjoint(sys.modules)


def test_a_correction_leaves_one_receipt_and_the_calm_look_after_it_none(doors: Doors) -> None:
    doors.drift(OPEN)
    look(doors)
    (receipt,) = said(doors)
    assert (receipt.state, receipt.writes, receipt.revision) == (NetworkState.SYNC, 1, 1)
    told = kept(doors)[-1]
    assert [one["outcome"] for one in told["drifted"]] == ["corrected"]
    (drifted,) = told["drifted"]
    assert told["before"].keys() == told["since"].keys() == told["exposed"].keys() == {drifted["address"]}
    assert drifted["since"] == told["since"][drifted["address"]] < told["run"]["started"]
    version = doors.hands.client("s3").head_object(Bucket=BUCKET, Key=f"documents/{NAME}.json")["VersionId"]
    assert told["document"]["version_id"] == version
    look(doors)
    assert len(doors.puts()) == 1


def test_a_question_leaves_none(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.invoke(mode="plan")
    assert doors.puts() == []


def test_a_request_that_is_refused_to_whoever_made_it_leaves_none(doors: Doors) -> None:
    before = doors.item()
    assert doors.invoke(mode="apply", approve="0" * 16)["ending"] == "refused"
    assert doors.puts() == []
    assert doors.item()["state"] == before["state"]


def test_a_run_by_hand_leaves_one_that_says_so(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.invoke(mode="apply")
    (_, told) = kept(doors)
    assert told["run"]["trigger"]["source"] == "manual"


def test_a_run_that_looked_at_a_part_does_not_call_the_rest_in_sync(doors: Doors) -> None:
    stack = doors.another(REPORTS)
    doors.drift(OPEN)
    look(doors, stack=stack)
    doors.invoke(mode="apply", only=["vpc/MyVPC"], stack=stack)
    assert doors.item()["state"] == {"S": "open"}
    assert {one.state for one in said(doors)} == {NetworkState.OPEN}
    doors.puts().clear()
    look(doors, stack=stack)
    assert doors.item()["state"] == {"S": "open"}


def test_a_version_that_is_refused_leaves_one_that_says_why(doors: Doors) -> None:
    doors.upload_bytes(b"not JSON")
    doors.work(object_event())
    look(doors)
    assert [one.state for one in said(doors)] == [NetworkState.SYNC]
    assert "Revision 1, accepted before, continues" in kept(doors)[-1]["run"]["problem"]


def test_a_deleted_document_leaves_a_last_one(doors: Doors) -> None:
    doors.delete()
    doors.work(object_event("Object Deleted"))
    assert [one.state for one in said(doors)] == [NetworkState.DELETED]
    assert doors.item()["state"] == {"S": "deleted"}


# ---------------------------------------------------------------------------------------------- how, and in which order


def test_it_is_written_after_the_last_look_and_before_people_are_told_who_get_its_name(doors: Doors) -> None:
    doors.drift(OPEN)
    look(doors)
    calls = [one.operation for one in doors.lab.calls]
    looked = max(index for index, one in enumerate(calls) if one.startswith("Describe"))
    put, told = calls.index("PutObject"), calls.index("Publish")
    released = max(index for index, one in enumerate(calls) if one == "UpdateItem")
    assert looked < put < told < released
    (alert,) = doors.alerts()
    (name,) = doors.puts()
    run = name.split(".")[-3]
    assert f"Receipt:     {name}\n" in alert["Message"]
    assert (
        f"setpoint receipt {NAME} {run} --stack setpoint --region ap-northeast-2 -o html > receipt.html"
        in alert["Message"]
    )
    assert run == short_run(f"run-{doors.runs}")


def test_an_alert_that_could_not_be_sent_names_later_the_receipt_that_says_the_same(doors: Doors) -> None:
    stack = doors.another(REPORTS)
    doors.drift(OPEN)
    doors.lab.faults.fail("Publish", "InternalError")
    look(doors, stack=stack)
    assert doors.alerts() == []
    look(doors, stack=stack)
    (name,) = doors.puts()
    assert f"Receipt:     {name}\n" in doors.alerts()[0]["Message"]


def test_an_object_that_is_there_is_never_overwritten(doors: Doors) -> None:
    receipts, name = doors.receipts(), "receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz"
    first = receipts.put(name, {"receipt": 1, "was": "first"})
    second = receipts.put(name, {"receipt": 1, "was": "second"})
    assert receipts.get(name).receipt["was"] == "first"
    assert receipts.get(name).sha256 == first != second


def test_the_chain_is_whole_and_shows_what_was_removed_or_changed(doors: Doors) -> None:
    for _ in range(2):
        doors.drift(OPEN)
        look(doors)
    whole = links(doors)
    assert len(whole) == 3
    assert verified(whole) == []
    assert verified([whole[0], *whole[2:]]) == [Broken(whole[1].key, "missing")]
    assert verified([whole[0], whole[1]._replace(sha256="0" * 64), *whole[2:]]) == [Broken(whole[1].key, "changed")]


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_a_put_that_fails_fails_nothing_and_the_next_run_writes(doors: Doors, results: list[AttemptResult]) -> None:
    doors.lab.faults.refuse("PutObject", "AccessDenied", times=1)
    stack = doors.another(REPORTS)
    doors.drift(OPEN)
    look(doors, stack=stack)
    assert kept(doors)[1:] == []
    (alert,) = doors.alerts()
    assert "Receipt:" not in alert["Message"]
    assert (doors.item()["state"], metrics(results[-1])["ReceiptsLost"]) == ({"S": "open"}, 1)
    assert metrics(results[-1])["RunSucceeded"] == 1
    look(doors, stack=stack)
    assert [one["state"] for one in kept(doors)] == ["sync", "open"]
    assert "ReceiptsLost" not in metrics(results[-1])
    assert verified(links(doors)) == []


def test_a_put_whose_answer_is_lost_leaves_a_twin(doors: Doors) -> None:
    doors.lab.faults.lose_answer("PutObject")
    stack = doors.another(REPORTS)
    doors.drift(OPEN)
    look(doors, stack=stack)
    look(doors, stack=stack)
    look(doors, stack=stack)
    first, twin, again = links(doors)
    assert twin.previous == again.previous == (first.key, first.sha256)
    assert verified([first, twin, again]) == [Broken(twin.key, "twin")]


def test_a_crash_between_the_put_and_the_release_leaves_one_twin(doors: Doors) -> None:
    stack = doors.another(REPORTS)
    doors.drift(OPEN)

    def died(name: str, service: str, operation: str) -> None:
        if operation == "Publish":
            raise Stopped("after the receipt was written")

    doors.lab.before_call = died
    with pytest.raises(Stopped):
        look(doors, stack=stack)
    doors.lab.before_call = None
    look(doors, int((TERM + GRACE).total_seconds()), stack=stack)
    look(doors, stack=stack)
    first, twin, again = links(doors)
    assert verified([first, twin, again]) == [Broken(twin.key, "twin")]
    assert [one["digest"] for one in kept(doors)[1:]] == [kept(doors)[1]["digest"]] * 2


def test_what_a_run_that_died_has_corrected_is_in_the_receipt_of_the_next_one(doors: Doors) -> None:
    doors.drift(OPEN)

    def died(call: Any) -> None:
        if call.service == "ec2":
            raise Stopped("after the call, before any receipt")

    doors.lab.after_write = died
    with pytest.raises(Stopped):
        look(doors)
    doors.lab.after_write = None
    assert doors.puts() == []
    look(doors, int((TERM + GRACE).total_seconds()))
    told = kept(doors)[-1]
    assert (told["state"], told["drifted"], told["run"]["writes"]) == ("sync", [], 0)
    (late,) = told["late"]
    assert late["address"] == "security_group/APIGatewaySG"
    assert late["members"] == ['ingress: tcp 22 from 0.0.0.0/0 "temporary, for debugging"']
    for _ in range(3):
        look(doors)
    assert len(doors.puts()) == 2  # the second says that nothing is left to be told


def test_whoever_lost_the_lease_leaves_a_receipt_of_what_it_wrote_and_remembers_nothing(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.drift(TAGS)

    def stolen(call: Any) -> None:
        if call.service in {"ec2", "rds"}:
            doors.clock.sleep(int((TERM + GRACE).total_seconds()) + 1)
            assert isinstance(doors.another().ledger.take(NAME, "another run"), Lease)

    doors.lab.after_write = stolen
    before = doors.item()["receipt"]
    look(doors)
    doors.lab.after_write = None
    (receipt,) = said(doors)
    assert receipt.writes == 1
    assert doors.item()["receipt"] == before


def test_a_mistake_in_telling_of_a_run_costs_the_receipt_only(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, results: list[AttemptResult]
) -> None:
    def broken(result: AttemptResult, **_: object) -> dict[str, Any]:
        raise KeyError("lanes")

    monkeypatch.setattr("reconciler.report.receipt.receipt_of_attempt", broken)
    doors.drift(OPEN)
    look(doors)
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert len(doors.alerts()) == 1
    assert doors.item()["state"] == {"S": "unseen"}
    assert results[-1].receipts_lost == 1


def test_a_stack_without_the_bucket_works_and_records_once_it_has_one(doors: Doors) -> None:
    older, deployment = doors.stack, doors.deployment
    doors.deployment = deployment.model_copy(update={"receipts": ""})
    without = doors.another(REPORTS)
    doors.deployment = deployment
    doors.drift(OPEN)
    look(doors, stack=without)
    look(doors, stack=without)
    assert doors.puts() == []
    assert "Receipt:" not in doors.alerts()[0]["Message"]
    assert (doors.item()["state"], doors.item()["looks"]) == ({"S": "open"}, {"N": "3"})
    assert older.deployment.receipts
    look(doors, stack=doors.another(REPORTS))
    assert [one.state for one in said(doors)] == [NetworkState.OPEN]


# --------------------------------------------------------------------------------------------------------- day sheets


def midnight(doors: Doors) -> int:
    """Seconds until the day after."""
    now = doors.clock.now()
    return int((datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds())


def test_the_first_look_of_a_day_writes_the_sheet_of_the_day_before(doors: Doors) -> None:
    look(doors, 600)
    looked = doors.clock.now()
    look(doors, midnight(doors) + 30)
    assert [(one.state, one.severity, one.writes) for one in said(doors)] == [(NetworkState.DAY, None, 0)]
    (_, sheet) = kept(doors)
    told = sheet["day"]
    assert told["date"] == "2026-11-22"
    assert (told["state"], told["looks"], told["unseen"]) == ("sync", 2, 0)
    # The gap over midnight.
    assert told["longest_gap"] == int((doors.clock.now() - looked).total_seconds())
    assert sheet["previous"]["key"] == kept_keys(doors)[0]
    look(doors)
    assert len(doors.puts()) == 1
    assert (doors.item()["looks"], doors.item()["longest_gap"]) == ({"N": "2"}, {"N": "65"})


# ---------------------------------------------------------------------------------------------------- the ledger


def test_the_item_says_what_is_so_now_and_since_when(doors: Doors) -> None:
    stack = doors.another(REPORTS)
    calm = doors.item()
    assert calm["state"] == {"S": "sync"}
    assert calm["since"] == calm["in_sync_since"]
    assert "severity" not in calm
    assert "openings" not in calm
    doors.drift(OPEN)
    look(doors, stack=stack)
    opened = doors.item()
    assert (opened["state"], opened["severity"]) == ({"S": "open"}, {"S": "medium"})
    assert "in_sync_since" not in opened
    assert len(opened["openings"]["L"]) == 1
    look(doors, stack=stack)
    assert doors.item()["since"] == opened["since"]
    look(doors)
    assert doors.item()["state"] == {"S": "sync"}
    assert doors.item()["in_sync_since"]["S"] > opened["since"]["S"]


def test_an_item_of_the_version_before_is_read_and_gets_what_it_lacks(doors: Doors) -> None:
    item = {name: value for name, value in doors.item().items() if name not in NEW}
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
    look(doors)
    assert {"state", "since", "in_sync_since", "day", "looks", "receipt"} <= doors.item().keys()
    assert [one.state for one in said(doors)] == [NetworkState.SYNC]


def test_a_malformed_member_is_told_and_nothing_is_written(doors: Doors) -> None:
    item = doors.item() | {"receipt": {"M": {"key": {"N": "1"}}}}
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
    doors.drift(OPEN)
    look(doors)
    assert doors.writes() == []
    (alert,) = [one for one in doors.alerts() if "what is remembered" in one["Subject"]]
    assert "receipt.key" in alert["Message"]


NEW = {"state", "severity", "since", "in_sync_since", "openings", "day", "looks", "unseen", "longest_gap", "receipt"}


def kept_keys(doors: Doors) -> list[str]:
    return [one.key for one in doors.receipts().listed(NAME)]
