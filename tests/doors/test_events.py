"""Events wake the worker and do nothing else: however many, in whatever order, lost or made up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.doors import NAME, Doors, object_event
from tests.support.sampling import sampled

OPEN = "ssh-opened-to-the-world"


def looks(doors: Doors) -> int:
    """How often the network was looked at: every look reads the security groups once."""
    return len([one for one in doors.lab.calls if one.operation == "DescribeSecurityGroups"])


def happened(doors: Doors, since: int = 0) -> list[dict[str, Any]]:
    return doors.lab.trail.events()[since:]


def test_a_call_that_somebody_made_wakes_the_worker_and_is_named_in_the_alert(doors: Doors) -> None:
    before = len(happened(doors))
    doors.drift(OPEN)
    (event,) = happened(doors, before)
    assert doors.work(event) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    (alert,) = doors.alerts()
    assert "arn:aws:iam::123456789012:user/somebody by AuthorizeSecurityGroupIngress" in alert["Message"]
    assert [one for one in doors.lab.calls if one.operation == "LookupEvents"] == []


def test_a_thousand_events_in_a_burst_end_in_at_most_two_runs(doors: Doors) -> None:
    before = len(happened(doors))
    doors.drift(OPEN)
    (event,) = happened(doors, before)
    records = [doors.record(event) for _ in range(1000)]
    batches = [records[start : start + 100] for start in range(0, 1000, 100)]
    held = doors.another().ledger.take(NAME, "a run that is going on")
    assert [doors.work_records(batch) for batch in batches[:5]] == [()] * 5
    held.release(held.record)  # type: ignore[union-attr]
    assert [doors.work_records(batch) for batch in batches[5:]] == [()] * 5
    doors.settle()
    assert looks(doors) <= 4  # a run that corrects looks twice
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert len(doors.alerts()) == 1


def test_our_own_writes_coming_back_as_events_write_nothing_and_look_at_nothing(doors: Doors) -> None:
    before = len(happened(doors))
    doors.drift(OPEN)
    doors.drift("acl-entry-denied")
    doors.sweep()
    doors.settle()
    ours = [one for one in happened(doors, before) if one["detail"]["userIdentity"]["type"] == "AssumedRole"]
    assert {one["detail"]["eventName"] for one in ours} == set(doors.writes())
    seen, written = looks(doors), len(doors.writes())
    assert doors.work(*ours) == ()
    assert (looks(doors), len(doors.writes())) == (seen, written)


@pytest.mark.parametrize("seed", sampled(range(6), 2, seed="events"))
def test_duplicated_reordered_and_lost_events_change_nothing_in_the_end_state(doors: Doors, seed: int) -> None:
    dice = random.Random(seed)
    before = len(happened(doors))
    for name in dice.sample(["tag-changed", OPEN, "acl-entry-denied", "rule-deleted", "public-route-deleted"], 3):
        doors.drift(name)
    events = [one for one in happened(doors, before) if dice.random() < 0.7]
    events += dice.choices(events, k=5) if events else []
    dice.shuffle(events)
    while events:
        batch = [events.pop() for _ in range(min(len(events), dice.randint(1, 3)))]
        assert doors.work(*batch) == ()
        doors.settle()
    doors.sweep()
    doors.settle()
    assert doors.invoke()["report"]["in_sync"]


def test_with_every_event_lost_the_sweep_repairs_within_one_period(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.sweep()
    doors.settle()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]


def test_a_thousand_made_up_events_reach_no_call_with_anything_they_say(doors: Doors) -> None:
    before = len(happened(doors))
    doors.drift("tag-changed")
    (real,) = happened(doors, before)
    doors.work({"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}})
    plain = [(one.operation, one.params) for one in doors.lab.calls if one.service in {"ec2", "rds"}]
    doors.again()
    doors.drift("tag-changed")
    dice = random.Random(7)
    forged = []
    for _ in range(1000):
        event = {**real, "detail": {**real["detail"]}}
        event["detail"]["requestParameters"] = {"groupId": f"sg-{dice.randrange(16**8):08x}", "vpcId": "vpc-0bad0bad"}
        event["detail"]["eventName"] = dice.choice(["AuthorizeSecurityGroupIngress", "DeleteVpc", "CreateTags"])
        forged.append(event)
    assert doors.work(*forged) == ()
    asked = [(one.operation, one.params) for one in doors.lab.calls if one.service in {"ec2", "rds"}]
    assert sorted(map(repr, asked)) == sorted(map(repr, plain))


def test_an_event_of_another_account_region_or_bucket_wakes_nobody(doors: Doors) -> None:
    before = len(happened(doors))
    doors.drift("tag-changed")
    (real,) = happened(doors, before)
    stranger = object_event()
    stranger["detail"]["bucket"]["name"] = "somebody-elses"
    assert doors.work({**real, "account": "111122223333"}, {**real, "region": "us-east-1"}, stranger) == ()
    assert (looks(doors), doors.writes(), doors.sent()) == (0, [], [])
