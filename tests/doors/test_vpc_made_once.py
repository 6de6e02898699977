"""A run dies around CreateVpc, and AWS does not show what it has made: the deployed runs make one VPC, never two."""

from __future__ import annotations

from typing import Any

import pytest

from lab.faults import Stopped, When
from lab.strict_aws import Call
from reconciler.ledger.lease import GRACE, TERM
from tests.support.doors import NAME, TABLE, Doors

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
DEATHS = [(write, when) for write in range(1, 3) for when in ("before", "after")]
"""Around CreateVpc, which makes the tags too, and around its attribute."""


@pytest.fixture
def nothing(doors: Doors) -> Doors:
    """A document of a VPC alone is uploaded, and nobody has looked at it or made anything."""

    def alone(written: dict[str, Any]) -> None:
        written["resources"] = {"vpc": written["resources"]["vpc"]}
        del written["intents"], written["workloads"]

    doors.lab.restore(doors.empty)
    doors.upload(alone)
    doors.hands.client("dynamodb").delete_item(TableName=TABLE, Key={"document": {"S": NAME}})
    doors.lab.calls.clear()
    return doors


class Death:
    """The process dies around its write to EC2 of that number, and makes no call after that, not even to tidy up."""

    def __init__(self, doors: Doors, write: int, when: When) -> None:
        self.lab, self.write, self.when = doors.lab, write, when
        self.writes, self.dead = 0, False
        doors.lab.before_call, doors.lab.after_write = self.before, self.after
        with pytest.raises(Stopped):
            doors.work(SCHEDULED)
        doors.lab.before_call = doors.lab.after_write = None

    def before(self, name: str, service: str, operation: str) -> None:
        self.writes += service == "ec2" and not operation.startswith("Describe")
        if self.dead or (self.writes == self.write and self.when == "before"):
            self._die(operation)

    def after(self, call: Call) -> None:
        if call.service == "ec2" and self.writes == self.write:
            self._die(call.operation)

    def _die(self, operation: str) -> None:
        self.dead = True
        raise Stopped(f"{self.when} {operation}")


def waits_for(doors: Doors) -> bool:
    """Whether the ledger knows that a VPC may have been made."""
    key = {"document": {"S": NAME}}
    item = doors.hands.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"]
    return "untold" in item


def vpcs(doors: Doors) -> list[Any]:
    mine: Any = [{"Name": "tag:setpoint:document", "Values": [NAME]}]
    return list(doors.hands.client("ec2").describe_vpcs(Filters=mine)["Vpcs"])


def built(doors: Doors) -> None:
    doors.clock.sleep(400)
    for _ in range(2):
        doors.work(SCHEDULED)
    (vpc,) = vpcs(doors)
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        ec2: Any = doors.hands.client("ec2")
        shown = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)
        assert shown[name[0].upper() + name[1:]] == {"Value": True}


@pytest.mark.parametrize(("write", "when"), DEATHS)
def test_after_a_death_there_is_one_vpc(nothing: Doors, write: int, when: When) -> None:
    Death(nothing, write, when)
    nothing.clock.sleep((TERM + GRACE).total_seconds() + 1)
    nothing.work(SCHEDULED)
    assert len(vpcs(nothing)) == ((write, when) != (1, "before"))  # that it was not made shows only later
    built(nothing)


def test_what_a_dead_run_may_have_made_is_waited_for_as_long_as_aws_may_not_show_it(nothing: Doors) -> None:
    Death(nothing, 1, "after")
    (vpc,) = vpcs(nothing)
    nothing.lab.faults.stale("DescribeVpcs", reads=1000)
    for pause in ((TERM + GRACE).total_seconds() + 1, 60, 60):
        nothing.clock.sleep(pause)
        nothing.work(SCHEDULED)
        assert waits_for(nothing)
    assert [call.operation for call in nothing.lab.calls if call.kind == "write" and call.service == "ec2"] == [
        "CreateVpc"
    ]
    nothing.lab.faults.clear()
    nothing.clock.sleep(60)
    nothing.work(SCHEDULED)
    assert [one["VpcId"] for one in vpcs(nothing)] == [vpc["VpcId"]]
    built(nothing)


def test_what_was_not_made_is_made_once_aws_would_show_it(nothing: Doors) -> None:
    Death(nothing, 1, "before")
    nothing.clock.sleep((TERM + GRACE).total_seconds() + 1)
    nothing.work(SCHEDULED)
    assert vpcs(nothing) == []
    nothing.clock.sleep(300)
    nothing.work(SCHEDULED)
    assert len(vpcs(nothing)) == 1


def test_an_answer_that_was_lost_is_waited_for_too(nothing: Doors) -> None:
    nothing.lab.faults.lose_answer("CreateVpc")
    nothing.lab.faults.stale("DescribeVpcs", reads=1000)
    for pause in (0, 60, 60):
        nothing.clock.sleep(pause)
        nothing.work(SCHEDULED)
        assert len(vpcs(nothing)) == 1
    nothing.lab.faults.clear()
    built(nothing)
