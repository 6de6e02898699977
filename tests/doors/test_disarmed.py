"""Tags that disarm Setpoint, which anybody with the right to tag can set: the first line says what stands open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.doors import NAME, Doors

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
GROUP = "TestServerSG"
KIM = "arn:aws:iam::123456789012:user/somebody"


def tag(doors: Doors, key: str, value: str) -> None:
    aws_id = group(doors)
    doors.hands.client("ec2").create_tags(Resources=[aws_id], Tags=[{"Key": key, "Value": value}])


def group(doors: Doors) -> str:
    groups = doors.hands.client("ec2").describe_security_groups()["SecurityGroups"]
    return str(next(one["GroupId"] for one in groups if one["GroupName"] == GROUP))


def opened(doors: Doors) -> None:
    permission: Any = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    doors.hands.client("ec2").authorize_security_group_ingress(GroupId=group(doors), IpPermissions=[permission])


def hold(doors: Doors, hours: int = 10) -> str:
    until = f"{doors.clock.now() + timedelta(hours=hours):%Y-%m-%dT%H:%M:00Z}"
    tag(doors, "setpoint:hold", until)
    return until.replace(":00Z", "Z")


def first_lines(doors: Doors, about: str = f"security_group/{GROUP}") -> list[str]:
    """Of the alerts about the group, in their order."""
    told: list[dict[str, Any]] = [one for one in doors.others() if about in one["Subject"]]
    return [one["Message"].splitlines()[0] for one in told]


def test_an_opening_under_foreign_tags_is_told_first_and_as_severe_as_it_is(doors: Doors) -> None:
    tag(doors, "setpoint:document", "other")
    assert doors.work(SCHEDULED) == ()
    opened(doors)
    assert doors.work(SCHEDULED) == ()
    before, after = first_lines(doors)
    assert before.startswith("MEDIUM: ")
    opening = f"CRITICAL: security_group/{GROUP} lets in tcp 22 from anyone on the internet (0.0.0.0/0)"
    assert after.startswith(f"{opening}, which is not declared. It is not corrected: {group(doors)} is it, but it ")


def test_an_opening_under_a_hold_is_told_with_the_tag_since_when_and_by_whom(doors: Doors) -> None:
    until = hold(doors)
    opened(doors)
    seen = doors.clock.now()
    assert doors.work(SCHEDULED) == ()
    (line,) = first_lines(doors)
    assert "TCP 22" in line
    assert f" A setpoint:hold tag holds it until {until}; the tag was first seen at {seen:%Y-%m-%dT%H:%M}" in line
    assert f", and set by {KIM} (CreateTags at {seen:%Y-%m-%dT%H:%M}" in line
    doors.clock.sleep(timedelta(hours=8).total_seconds())
    hold(doors)
    permission: Any = {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    doors.hands.client("ec2").authorize_security_group_ingress(GroupId=group(doors), IpPermissions=[permission])
    assert doors.work(SCHEDULED) == ()
    again = first_lines(doors)[-1]
    assert f"the tag was first seen at {seen:%Y-%m-%dT%H:%M}" in again
    assert f", and set by {KIM} (CreateTags at {doors.clock.now():%Y-%m-%dT%H:}" in again


def test_a_hold_under_which_nothing_differs_says_so_and_whose_it_is(doors: Doors) -> None:
    until = hold(doors)
    assert doors.work(SCHEDULED) == ()
    (line,) = first_lines(doors)
    assert line.startswith(f"LOW: A setpoint:hold tag holds it until {until}; the tag was first seen at ")
    assert line.endswith("). Nothing differs under it.")
    assert f", and set by {KIM} (CreateTags at " in line


@pytest.mark.parametrize("lost", ["no-record", "refused"])
def test_who_set_a_hold_is_not_known_where_cloudtrail_does_not_say(doors: Doors, lost: str) -> None:
    hold(doors)
    opened(doors)
    if lost == "no-record":
        doors.lab.trail.clear()
    else:
        doors.lab.faults.refuse("LookupEvents", code="AccessDenied")
    assert doors.work(SCHEDULED) == ()
    (line,) = first_lines(doors)
    assert line.endswith(", and who set it is not known.")


def test_other_tags_say_nothing_of_who_set_a_hold(doors: Doors) -> None:
    hold(doors)
    doors.lab.trail.clear()
    tag(doors, "team", "payments")
    opened(doors)
    assert doors.work(SCHEDULED) == ()
    (line,) = first_lines(doors)
    assert line.endswith(", and who set it is not known.")
