"""What is deleted because it is no longer declared: only what the ledger says that the document has declared."""

from __future__ import annotations

from typing import Any

import pytest

from lab.network import find_network
from reconciler.model import Policy
from tests.support.doors import NAME, Doors, object_event

SPARE = {"description": "nobody is in it", "ingress": [], "egress": []}
PRUNES = Policy(create_databases=True, prune=True)


def declared(written: dict[str, Any]) -> None:
    written["revision"] += 1
    written["resources"]["security_group"]["Spare"] = SPARE


def taken_out(written: dict[str, Any]) -> None:
    written["revision"] += 2


def deletions(doors: Doors) -> list[str]:
    return [one for one in doors.writes() if one.startswith("Delete")]


def test_what_the_document_declared_and_declares_no_more_is_deleted(doors: Doors) -> None:
    pruning = doors.another(PRUNES)
    doors.upload(declared)
    assert doors.work(object_event(), stack=pruning) == ()
    doors.clock.sleep(60)
    assert doors.work(object_event(), stack=pruning) == ()
    doors.clock.sleep(60)
    doors.upload(taken_out)
    assert doors.work(object_event(), stack=doors.another()) == ()  # without leave to prune it is remembered
    assert deletions(doors) == []
    doors.clock.sleep(60)
    assert doors.work(object_event(), stack=pruning) == ()
    assert deletions(doors) == ["DeleteSecurityGroup"]
    doors.clock.sleep(60)
    assert doors.work(object_event(), stack=pruning) == ()
    assert "security_group/Spare" not in doors.item()["ids"]["M"]


@pytest.mark.parametrize("kind", ["security_group", "route_table"])
def test_what_only_carries_our_tags_is_never_deleted(doors: Doors, kind: str) -> None:
    ec2, vpc = doors.hands.client("ec2"), find_network(doors.hands, NAME).vpc_id
    tags: Any = [{"Key": "setpoint:document", "Value": NAME}, {"Key": "setpoint:name", "Value": "Spare"}]
    if kind == "security_group":
        made = ec2.create_security_group(GroupName="Spare", Description="theirs", VpcId=vpc)["GroupId"]
    else:
        made = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_tags(Resources=[made], Tags=tags)
    pruning = doors.another(PRUNES)
    for _ in range(2):
        assert doors.work(object_event(), stack=pruning) == ()
        doors.clock.sleep(60)
    assert deletions(doors) == []
