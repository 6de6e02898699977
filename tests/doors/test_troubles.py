"""What goes wrong around a run: each trouble ends as designed, with nothing half done, and one alert."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lab.strict_aws import Call
from reconciler.ledger.lease import GRACE, TERM
from tests.support.doors import NAME, Doors, object_event

OPEN = "ssh-opened-to-the-world"


def raised(to: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(written: dict[str, Any]) -> None:
        written["revision"] = to
        written.update(changes)

    return change


def subjects(doors: Doors) -> list[str]:
    return [one["Subject"] for one in doors.alerts()]


def test_a_document_that_does_not_load_is_told_once_and_the_last_good_one_goes_on_being_enforced(doors: Doors) -> None:
    doors.upload_bytes(b'{\n  "version": 1,\n  "name": "test-server",\n  "revision": two\n}')
    assert doors.work(object_event()) == ()
    (alert,) = doors.others()
    assert "refused" in alert["Subject"]
    assert ":4:15: " in alert["Message"]
    assert "Revision 1, accepted before, continues to be enforced" in alert["Message"]
    doors.drift(OPEN)
    doors.sweep()
    doors.settle()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert ["refused" in one for one in subjects(doors)] == [True, False]
    doors.upload(raised(2))
    assert doors.work(object_event()) == ()
    assert "resolved: " in doors.others()[-1]["Subject"]
    assert len(doors.others()) == 3


def test_a_deleted_document_is_told_once_and_nothing_is_enforced_or_undone(doors: Doors) -> None:
    doors.delete()
    assert doors.work(object_event("Object Deleted")) == ()
    assert len(doors.alerts()) == 1
    assert "deleted" in subjects(doors)[0]
    doors.drift(OPEN)
    assert doors.sweep() == 0
    assert doors.work(object_event("Object Deleted")) == ()
    assert (len(doors.alerts()), doors.writes()) == (1, [])


def test_a_deletion_whose_event_was_lost_is_noticed_by_the_sweep(doors: Doors) -> None:
    doors.delete()
    assert doors.sweep() == 1
    doors.settle()
    assert ["deleted" in one for one in subjects(doors)] == [True]
    assert doors.sweep() == 0


def test_an_older_revision_is_refused_until_a_person_accepts_it(doors: Doors) -> None:
    doors.upload(raised(3))
    doors.work(object_event())
    doors.upload(raised(2))
    doors.work(object_event())
    (alert,) = doors.others()
    assert "refused" in alert["Subject"]
    assert "accept_revision" in alert["Message"]
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "3"}
    answer = doors.invoke(mode="apply", accept_revision=2)
    assert (answer["ending"], answer["refusal"]) == ("completed", None)
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "2"}


def test_the_same_revision_with_other_bytes_is_refused(doors: Doors) -> None:
    doors.upload(lambda written: written["resources"]["security_group"]["DBSG"].update(ingress=[]))
    doors.work(object_event())
    assert doors.writes() == []
    assert ["refused" in one for one in subjects(doors)] == [True]


def test_a_refused_read_changes_nothing_that_depends_on_it_and_is_told_once(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.drift("public-ip-on-launch")
    doors.lab.faults.refuse("DescribeSecurityGroups")
    for _ in range(3):
        doors.sweep()
        doors.settle(rounds=40)
    assert doors.writes() == ["ModifySubnetAttribute"]
    assert [("could not be read" in one) for one in subjects(doors)].count(True) == 1
    doors.lab.faults.clear()
    doors.sweep()
    doors.settle()
    assert doors.writes()[1:] == ["RevokeSecurityGroupIngress"]
    assert doors.invoke()["report"]["in_sync"]


def test_a_refused_write_is_told_once_and_the_rest_is_done(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.drift("tag-changed")
    doors.lab.faults.refuse("RevokeSecurityGroupIngress")
    doors.sweep()
    doors.settle()
    assert sorted(doors.writes()) == ["CreateTags", "RevokeSecurityGroupIngress"]
    failed = [one for one in doors.alerts() if "could not be corrected" in one["Subject"]]
    assert len(failed) == 1
    assert "UnauthorizedOperation" in failed[0]["Message"]
    doors.clock.sleep(300)
    doors.sweep()
    doors.settle()
    assert len([one for one in doors.alerts() if "could not be corrected" in one["Subject"]]) == 1


def test_a_throttled_account_is_told_once_and_comes_back_later_and_later(doors: Doors) -> None:
    doors.drift(OPEN)
    for operation in ("DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeRouteTables"):
        doors.lab.faults.throttle(operation, times=10**6)
    for operation in ("DescribeNetworkAcls", "DescribeInternetGateways", "DescribeVpcAttribute", "DescribeDBInstances"):
        doors.lab.faults.throttle(operation, times=10**6)
    doors.sweep()
    with pytest.raises(AssertionError, match="does not come to rest"):
        doors.settle(rounds=3)
    assert doors.writes() == []
    assert len(doors.alerts()) == 1
    delays = [delay for _, delay in doors.sent()]
    assert delays == sorted(delays)
    assert delays[-1] > delays[1] >= 60


def test_a_busy_database_waits_and_comes_back_by_itself(doors: Doors) -> None:
    doors.drift("deletion-protection-off")
    doors.lab.rds_state("mypostgresqldb", status="modifying")
    settles, doors.lab.settle_after = doors.lab.settle_after, 10**6
    doors.sweep()
    for body, _ in doors.sent():
        doors.work(body)
    assert doors.writes() == []
    assert len(doors.alerts()) == 1
    assert "waiting" in subjects(doors)[0]
    doors.lab.settle_after = settles
    doors.lab.settle()
    (again,) = doors.sent()[1:]
    assert again[1] == 60
    doors.work(again[0])
    assert doors.writes() == ["ModifyDBInstance"]


def test_a_run_that_lost_its_lease_writes_nothing_more_and_says_so_once(doors: Doors) -> None:
    doors.drift("acl-entry-denied")
    doors.drift(OPEN)

    def lose(call: Call) -> None:
        if call.service == "ec2":
            doors.clock.sleep((TERM + GRACE + timedelta(seconds=1)).total_seconds())

    doors.lab.after_write = lose
    doors.sweep()
    (body, _) = doors.sent()[0]
    doors.work(body)
    doors.lab.after_write = None
    assert len(doors.writes()) == 1
    assert len([one for one in doors.alerts() if "partial: " in one["Message"]]) == 1
    doors.sweep()
    doors.settle()
    assert doors.invoke()["report"]["in_sync"]


def test_a_run_whose_time_is_up_stops_and_puts_itself_back(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.drift("tag-changed")
    writes = doors.writes
    doors.seconds_left = lambda: 300.0 if len(writes()) < 1 else 20.0
    doors.sweep()
    (body, _) = doors.sent()[0]
    doors.work(body)
    assert len(doors.writes()) == 1
    assert len([one for one in doors.alerts() if "partial: " in one["Message"]]) == 1
    (again,) = doors.sent()[1:]
    assert again[1] <= 5
    doors.seconds_left = lambda: 300.0
    doors.work(again[0])
    assert doors.invoke()["report"]["in_sync"]


def test_with_too_little_time_left_nothing_is_begun_and_the_message_comes_again(doors: Doors) -> None:
    doors.seconds_left = lambda: 40.0
    assert doors.work(object_event()) == ()
    assert [json.loads(body)["document"] for body, _ in doors.sent()] == [NAME]
    assert [one for one in doors.lab.calls if one.service != "sqs"] == []


def test_what_finds_the_lease_taken_comes_back_later_and_is_covered_by_the_run_that_had_it(doors: Doors) -> None:
    other = doors.another()
    held = other.ledger.take(NAME, "another run")
    assert doors.work(object_event()) == ()
    assert [delay for _, delay in doors.sent()] == [15]
    held.release(held.record)  # type: ignore[union-attr]
    doors.settle()
    assert doors.alerts() == []


def test_a_ledger_that_cannot_be_reached_means_that_nothing_is_looked_at(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.lab.faults.refuse("UpdateItem", code="AccessDeniedException")
    assert doors.work(object_event()) == ()
    assert doors.writes() == []
    (told,) = doors.alerts()
    assert told["Subject"] == f"Setpoint high: the network could not be read ({NAME})"
    assert "every document of this deployment is meant" in told["Message"]
    assert [delay for _, delay in doors.sent()] == [60]


def test_documents_that_cannot_be_read_mean_that_nothing_is_changed(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.lab.faults.refuse("GetObject", code="AccessDenied")
    assert doors.work(object_event()) == ()
    assert doors.writes() == []
    assert len(doors.alerts()) == 1


def test_a_message_that_cannot_be_put_back_fails_its_item(doors: Doors) -> None:
    doors.seconds_left = lambda: 40.0
    doors.lab.faults.refuse("SendMessageBatch", code="AccessDenied")
    assert len(doors.work(object_event())) == 1


def test_an_alert_that_cannot_be_sent_fails_no_run_and_is_sent_by_the_next(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.lab.faults.refuse("Publish", code="AuthorizationError")
    doors.sweep()
    doors.settle()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert doors.alerts() == []


def test_who_it_was_is_asked_when_people_are_told_and_not_again_while_nothing_is_new(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.lab.faults.refuse("RevokeSecurityGroupIngress")
    for _ in range(3):
        doors.sweep()
        doors.settle()
        doors.clock.sleep(300)
    lookups = [one for one in doors.lab.calls if one.operation == "LookupEvents"]
    assert (len(lookups), len(doors.alerts())) == (1, 1)
    assert "user/somebody by AuthorizeSecurityGroupIngress" in doors.alerts()[0]["Message"]
