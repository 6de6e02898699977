"""The doors on one deployed stack: schedule, upload, CloudTrail call and manual invoke lead to the same run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lab.drifts import DRIFTS, find_network, let_ssh_through
from tests.support.doors import NAME, SCHEDULE, Doors, object_event


def test_a_quiet_sweep_reads_ten_times_writes_nothing_and_tells_nobody(doors: Doors) -> None:
    assert doors.sweep() == 1
    doors.settle()
    assert doors.writes() == []
    assert len([one for one in doors.lab.calls if one.service in {"ec2", "rds"}]) == 10
    assert doors.alerts() == []
    assert doors.events() == []


def test_the_schedule_corrects_what_drifted_and_tells_each_thing_once(doors: Doors) -> None:
    for one in DRIFTS:
        doors.drift(one.name)
    doors.sweep()
    (body, _) = doors.sent()[0]
    doors.work(body)
    assert len(doors.alerts()) == 10
    assert "further alerts" in doors.alerts()[-1]["Subject"]
    doors.lab.settle()
    doors.settle()
    told, writes = len(doors.alerts()), len(doors.writes())
    doors.sweep()
    doors.settle()
    assert (len(doors.alerts()), len(doors.writes())) == (told, writes)
    assert doors.invoke()["report"]["in_sync"]


def test_a_manual_plan_leaves_nothing_behind_and_a_manual_apply_corrects(doors: Doors) -> None:
    doors.drift("ssh-opened-to-the-world")
    item = doors.item()
    planned = doors.invoke(mode="plan")
    assert planned["ending"] == "completed"
    assert planned["report"]["counts"]["drifted"] == 1
    assert (doors.writes(), doors.alerts()) == ([], [])
    assert {name for name, value in doors.item().items() if item.get(name) != value} <= {"fence"}
    applied = doors.invoke(mode="apply")
    assert applied["report"]["in_sync"]
    assert len(doors.writes()) == 1


def test_what_was_sent_before_the_last_look_is_covered_by_it(doors: Doors) -> None:
    early = doors.record(object_event(), sent=doors.clock.now() - timedelta(minutes=1))
    doors.sweep()
    doors.settle()
    calls = len([one for one in doors.lab.calls if one.service in {"ec2", "rds"}])
    assert doors.work_records([early]) == ()
    assert len([one for one in doors.lab.calls if one.service in {"ec2", "rds"}]) == calls


@pytest.mark.parametrize("ahead", [-300, 300])
def test_a_change_after_a_look_is_seen_whatever_the_difference_between_our_clock_and_the_queues(
    doors: Doors, ahead: int
) -> None:
    def of_the_queue() -> dict[str, Any]:
        stamp = doors.clock.now() - timedelta(seconds=ahead)
        one = doors.record(object_event(), sent=stamp)
        one["attributes"]["ApproximateFirstReceiveTimestamp"] = one["attributes"]["SentTimestamp"]
        return one

    doors.clock.sleep(600)
    early = of_the_queue()
    doors.clock.sleep(60)
    assert doors.work_records([of_the_queue()]) == ()
    covers = doors.item()["covers"]
    doors.drift("ssh-opened-to-the-world")
    doors.invoke(mode="apply", only=["vpc/MyVPC"])
    calls = len(doors.lab.calls)
    assert doors.work_records([early]) == ()
    assert {one.service for one in doors.lab.calls[calls:]} == {"dynamodb"}
    assert doors.work_records([of_the_queue()]) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    later = doors.item()["covers"]
    assert later != covers
    doors.invoke(mode="apply")
    assert doors.item()["covers"] == later  # a run that no message started has seen nothing that is sent later


def test_a_message_that_nobody_understands_fails_its_item_and_no_other(doors: Doors) -> None:
    strange, good = doors.record({"hello": 1}), doors.record(object_event())
    assert doors.work_records([strange, good]) == (strange["messageId"],)
    assert doors.work_records([doors.record("no json")]) != ()


def test_the_schedule_itself_is_no_message_for_the_worker_to_lose(doors: Doors) -> None:
    assert doors.work(SCHEDULE) != ()


def test_the_first_run_of_a_new_revision_is_told_as_one_thing(doors: Doors) -> None:
    def raised(written: dict[str, Any]) -> None:
        written["revision"] = 2
        written["resources"]["security_group"]["TestServerSG"]["ingress"][0]["ports"] = 8443
        written["resources"]["security_group"]["DBSG"]["description"] = "The database"
        (between,) = [one for one in written["intents"] if one.get("ports") == 8000]
        between["ports"] = 8443

    doors.upload(raised)
    doors.work(object_event())
    assert "revision 2 was applied" in doors.alerts()[0]["Subject"]
    assert [one["Subject"] for one in doors.alerts() if "corrected" in one["Subject"]] == []
    assert {one["exposed_seconds"] for event in doors.events() for one in event["drifted"]} == {None}


def test_only_what_reaches_somebody_from_end_to_end_starts_the_exposure_clock(doors: Doors) -> None:
    doors.drift("intruder-acl-allow")  # the private subnets have no route to it
    doors.clock.sleep(60)
    doors.sweep()
    doors.settle()
    let_ssh_through(doors.hands, find_network(doors.hands, NAME))  # the front door's group stops it
    doors.sweep()
    doors.settle()
    seconds = [one["exposed_seconds"] for event in doors.events() for one in event["drifted"]]
    assert len(seconds) >= 2
    assert set(seconds) == {None}


def test_what_two_layers_open_together_starts_the_exposure_clock_at_both(doors: Doors) -> None:
    doors.drift("ssh-opened-to-the-world")
    let_ssh_through(doors.hands, find_network(doors.hands, NAME))
    doors.clock.sleep(60)
    doors.sweep()
    doors.settle()
    seconds = {one["address"]: one["exposed_seconds"] for event in doors.events() for one in event["drifted"]}
    assert seconds.keys() == {"security_group/APIGatewaySG", "network_acl/PublicSubnetACL"}
    assert all(one is not None and one >= 60 for one in seconds.values())
