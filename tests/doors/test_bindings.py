"""A document that is bound to VPCs gets to no other one, however it comes to mean it, and nothing is written before."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from handlers.stack import Stack
from lab.strict_aws import ACCOUNT, REGION
from tests.support.doors import Doors, deployed, object_event
from tests.support.runs import REFERENCE

VPC, DECLARED = next(iter(REFERENCE["resources"]["vpc"].items()))
OWN = "vpc-0123456789abcdef0"
TAGS = {
    "by-id": {},
    "by-tags": {"setpoint:document": "team-b", "setpoint:name": VPC},
    "by-former-name": {"setpoint:document": "team-a", "setpoint:name": VPC},
    "by-adopting": {},
    "by-name": {"Name": VPC},
    "created": None,
}
"""How team B's document may mean a VPC, with the tags of that VPC (None: there is none)."""


@pytest.fixture(scope="module")
def _stage() -> Iterator[tuple[Doors, Any]]:
    with deployed() as stage:
        yield stage, stage.lab.save()


@pytest.fixture
def doors(_stage: tuple[Doors, Any]) -> Doors:
    stage, world = _stage
    stage.lab.restore(world)
    stage.lab.calls.clear()
    return stage


def bound(doors: Doors, *bindings: str) -> Stack:
    given = doors.deployment.model_dump() | {"bindings": ",".join(bindings)}
    doors.deployment = type(doors.deployment).model_validate(given)
    return doors.another()


def meaning(doors: Doors, way: str, name: str) -> str:
    """Upload team B's document, which means a VPC in this way; the id of that VPC."""
    tags, vpc_id = TAGS[way], ""
    if tags is not None:
        hands = doors.hands.client("ec2")
        vpc_id = hands.create_vpc(CidrBlock=DECLARED["cidr_block"])["Vpc"]["VpcId"]
        written = {key: value.replace("team-b", name) for key, value in tags.items()}
        if written:
            hands.create_tags(Resources=[vpc_id], Tags=[{"Key": key, "Value": one} for key, one in written.items()])

    def change(document: dict[str, Any]) -> None:
        document.update(name=name, scope={"account_id": ACCOUNT, "region": REGION})
        document["resources"] = {"vpc": {VPC: deepcopy(DECLARED)}}
        del document["intents"], document["workloads"]
        if way == "by-id":
            document["scope"]["vpc_id"] = vpc_id
        if way == "by-former-name":
            document["formerly"] = ["team-a"]
        if way == "by-adopting":
            document["adopt"] = {f"vpc/{VPC}": vpc_id}

    doors.upload(change, name=name)
    doors.lab.calls.clear()
    return vpc_id


@pytest.mark.parametrize("way", TAGS)
def test_the_vpc_of_another_team_is_refused_before_anything_is_written(doors: Doors, way: str) -> None:
    name = f"b-{way}"
    stack = bound(doors, f"{name}={ACCOUNT}/{OWN}", f"team-a={ACCOUNT}")
    vpc_id = meaning(doors, way, name)
    for _ in range(2):
        assert doors.work(object_event(name=name), stack=stack) == ()
    answer = doors.invoke(stack, document=name, mode="apply")
    assert answer["ending"] == "refused"
    assert f"its VPC is {vpc_id}, but" in answer["problem"] if vpc_id else "its VPC was not found" in answer["problem"]
    assert f"{name} may only be for {ACCOUNT}/{OWN}; " in answer["problem"]
    assert doors.invoke(stack, document=name, mode="plan")["ending"] == "refused"
    assert doors.writes() == []
    (alert,) = doors.others()
    assert "the document is refused" in alert["Subject"]
    assert OWN in alert["Message"]


@pytest.mark.parametrize("way", TAGS)
def test_the_vpc_that_it_is_bound_to_is_kept(doors: Doors, way: str) -> None:
    name = f"c-{way}"
    vpc_id = meaning(doors, way, name)
    stack = bound(doors, f"{name}={ACCOUNT}/{vpc_id}" if vpc_id else f"{name}={ACCOUNT}", f"team-a={ACCOUNT}/{OWN}")
    answer = doors.invoke(stack, document=name, mode="apply")
    assert answer["ending"] == "completed"


def test_a_name_that_is_not_bound_is_refused_and_nothing_is_looked_at(doors: Doors) -> None:
    stack = bound(doors, f"team-a={ACCOUNT}")
    meaning(doors, "by-name", "team-x")
    assert doors.work(object_event(name="team-x"), stack=stack) == ()
    (alert,) = doors.others()
    assert "no binding for a document named team-x" in alert["Message"]
    assert [one for one in doors.lab.calls if one.service in {"ec2", "rds", "sts"}] == []
