"""What is one thing is told once, and what can be no opening does not keep the worker busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers import wiring
from lab import by_hand
from lab.network import find_network
from lab.strict_aws import ACCOUNT, REGION
from tests.support.doors import NAME, Doors, deployed, object_event

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}


@pytest.fixture
def by_hand_doors(setpoint: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Doors]:
    """A deployed stack whose first document was just imported from a network that was made by hand."""
    with deployed() as doors:
        written = tmp_path / "shop.json"
        monkeypatch.setattr(wiring, "open_session", lambda entry: doors.hands)
        vpc = by_hand.build(doors.hands)
        assert setpoint("import", "--vpc", vpc, "--name", "shop", "--out", written).code == 0
        doors.upload_bytes(written.read_bytes(), name="shop")
        doors.lab.calls.clear()
        yield doors


def test_a_first_run_says_once_what_it_adopted_or_could_not_adopt(by_hand_doors: Doors) -> None:
    doors = by_hand_doors
    doors.lab.faults.refuse("CreateTags", code="UnauthorizedOperation")
    assert doors.work(object_event(name="shop")) == ()
    doors.lab.faults.clear()
    doors.clock.sleep(300)
    assert doors.work(object_event(name="shop")) == ()
    told = [one["Subject"].partition(" of vpc-")[0] for one in doors.alerts()]
    assert told == [
        "Setpoint high: 14 resources",
        "Setpoint info: revision 1 was accepted (shop)",
        "Setpoint low (update): adopted 14 resources",
    ]


def tagged(doors: Doors, number: int) -> dict[str, Any]:
    """Somebody's CreateTags on the VPC, and CloudTrail's event of it."""
    before = len(doors.lab.trail.events())
    vpc = find_network(doors.hands, NAME)["vpc/MyVPC"]
    doors.hands.client("ec2").create_tags(Resources=[vpc], Tags=[{"Key": "cost", "Value": str(number)}])
    (event,) = doors.lab.trail.events()[before:]
    return event


def looks(doors: Doors) -> int:
    return len([one for one in doors.lab.calls if one.operation == "DescribeVpcs"])


def test_tags_that_somebody_keeps_changing_cost_at_most_a_look_a_minute(doors: Doors) -> None:
    assert doors.work(SCHEDULED) == ()
    doors.lab.calls.clear()
    event = tagged(doors, 0)
    doors.lab.calls.clear()
    began, waiting, answered = doors.clock.at, [], 0
    for number in range(1, 31):
        assert doors.work_records([doors.record(event, sent=doors.clock.now())]) == ()
        new, answered = doors.sent()[answered:], len(doors.sent())
        waiting += [(doors.clock.at + timedelta(seconds=delay), doors.record(body)) for body, delay in new]
        due = [one for one in waiting if one[0] <= began + timedelta(seconds=10 * number)]
        waiting = [one for one in waiting if one not in due]
        for at, record in due:
            doors.clock.at = max(doors.clock.at, at)
            assert doors.work_records([record]) == ()
        doors.clock.at = max(doors.clock.at, began + timedelta(seconds=10 * number))
    minutes = (doors.clock.at - began) / timedelta(minutes=1)
    assert 4 <= looks(doors) <= minutes + 1
    assert len(waiting) <= 7


def test_what_may_be_an_opening_never_waits_for_tags(doors: Doors) -> None:
    assert doors.work(SCHEDULED) == ()
    event = tagged(doors, 0)
    rds = {
        "source": "aws.rds",
        "detail-type": "RDS DB Instance Event",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {},
    }
    before = len(doors.lab.trail.events())
    doors.drift("ssh-opened-to-the-world")
    (opening,) = doors.lab.trail.events()[before:]
    for beside in ([opening], [event, opening], [event, rds], [event, SCHEDULED], [event, object_event()]):
        doors.lab.calls.clear()
        assert doors.work(*beside) == ()
        assert looks(doors) >= 1
    doors.lab.calls.clear()
    assert doors.work(event) == ()
    assert (looks(doors), len(doors.sent())) == (0, 1)
