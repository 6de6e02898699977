"""Each action of the roles denied alone: the rest is served, nothing is half done, and one alert names the action.

That a refused write costs nothing else, each of them shows in tests/runs/test_faults.py; here, in the gate, a sample
shows that people are told.
"""

from __future__ import annotations

import pytest

from artefact.permissions import read_permissions
from lab.network import find_network
from tests.support.deeds import NEEDS, OPTIONAL_READS, READ_NEEDS, Need, Somebody, code_of
from tests.support.doors import NAME, TABLE, Doors, object_event
from tests.support.sampling import sampled

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}


def done(doors: Doors, need: Need) -> None:
    """What makes the need's operation necessary."""
    need.deed(Somebody(doors.lab, doors.hands, find_network(doors.hands, NAME)))
    if need.revision:
        doors.upload(need.revised, name=need.document)
    if need.policy.prune:
        remember(doors)


def remember(doors: Doors) -> None:
    """Have the ledger know whatever carries our tags as declared before: nothing else is pruned."""
    known = doors.item()["ids"]["M"]
    tags = doors.hands.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["setpoint:name"]}])["Tags"]
    carried = {f"{one['ResourceType'].replace('-', '_')}/{one['Value']}": one["ResourceId"] for one in tags}
    ids = known | {address: {"S": aws_id} for address, aws_id in carried.items() if address not in known}
    doors.hands.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"document": {"S": NAME}},
        UpdateExpression="SET ids = :ids",
        ExpressionAttributeValues={":ids": {"M": ids}},
    )


@pytest.mark.parametrize("operation", sampled(sorted(NEEDS), 20))
def test_a_write_that_the_role_may_not_make_costs_nothing_else_and_is_told_by_its_name(
    doors: Doors, operation: str
) -> None:
    need = NEEDS[operation]
    stack = doors.another(need.policy)
    asked = [SCHEDULED, object_event(name=need.document)]
    done(doors, need)
    doors.drift(need.beside)
    doors.lab.faults.refuse(operation)
    assert doors.work(*asked, stack=stack) == ()
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {code_of(operation)}
    assert need.does in [one.operation for one in doors.lab.calls if one.error is None]
    assert [one["counts"]["failed"] > 0 for one in doors.events() if one["document"] == need.document] == [True]
    doors.clock.sleep(300)
    assert doors.work(*asked, stack=stack) == ()
    named = [one for one in doors.alerts() if f"{operation}: {code_of(operation)}" in one["Message"]]
    assert len(named) == 1, [one["Subject"] for one in doors.alerts()]
    doors.lab.faults.clear()
    assert doors.work(*asked, stack=stack) == ()
    doors.lab.settle()
    assert doors.invoke(stack, document=need.document, mode="apply")["report"]["in_sync"]


ELSEWHERE = {
    "ssh-opened-to-the-world": "RevokeSecurityGroupIngress",
    "acl-entry-denied": "ReplaceNetworkAclEntry",
    "public-ip-on-launch": "ModifySubnetAttribute",
    "public-route-deleted": "CreateRoute",
}
"""Drifts of four kinds, and what puts each right."""
ALL = frozenset(ELSEWHERE.values())
OPENS = frozenset({"CreateRoute", "ReplaceNetworkAclEntry"})
"""What lets packets through waits while anything that they pass could not be read."""
# What is not corrected while a read is denied, because it rests on what that read would say.
RESTS_ON = {
    "DescribeBlueGreenDeployments": OPENS,
    "DescribeDBInstances": OPENS,  # a database may be what it opens the way to, with groups that it is not to have
    "DescribeDBSubnetGroups": OPENS,
    "DescribeInternetGateways": OPENS,
    "DescribeNetworkAcls": OPENS,
    "DescribeNetworkInterfaces": frozenset[str](),  # only intents rest on it
    "DescribeRouteTables": OPENS,
    "DescribeSecurityGroupRules": frozenset[str](),
    "DescribeSecurityGroups": OPENS | {"RevokeSecurityGroupIngress"},
    "DescribeSubnets": ALL - {"RevokeSecurityGroupIngress"},
    "DescribeVpcAttribute": ALL,
    "DescribeVpcs": ALL,
    "ListTagsForResource": OPENS,  # nothing is known of its subnet group, nor of its databases
}


def test_every_read_that_there_is_has_its_case() -> None:
    assert RESTS_ON.keys() == {one.partition(":")[2] for one in read_permissions().actions} - OPTIONAL_READS


@pytest.mark.parametrize("operation", sampled(sorted(RESTS_ON), 8, seed="reads"))
def test_a_read_that_the_role_may_not_make_costs_what_rests_on_it_only_and_is_told_by_its_name(
    doors: Doors, operation: str
) -> None:
    done(doors, READ_NEEDS.get(operation, Need()))
    for name in ELSEWHERE:
        doors.drift(name)
    doors.lab.faults.refuse(operation)
    for _ in range(2):
        assert doors.work(SCHEDULED) == ()
        doors.clock.sleep(300)
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {code_of(operation)}
    assert ALL & set(doors.writes()) == ALL - RESTS_ON[operation]
    named = [one for one in doors.alerts() if f"{operation}: {code_of(operation)}" in one["Message"]]
    assert len(named) == 1, [one["Subject"] for one in doors.alerts()]
    doors.lab.faults.clear()
    assert doors.work(SCHEDULED) == ()
    doors.lab.settle()
    assert doors.invoke(mode="apply")["report"]["in_sync"]


@pytest.mark.parametrize("operation", ["LookupEvents", "PutEvents"])
def test_who_did_it_and_telling_programs_are_no_conditions_of_correcting(doors: Doors, operation: str) -> None:
    doors.drift("ssh-opened-to-the-world")
    doors.lab.faults.refuse(operation, code="AccessDeniedException")
    assert doors.work(SCHEDULED) == ()
    assert {one.error for one in doors.lab.calls if one.operation == operation} == {"AccessDeniedException"}
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert ["corrected" in one["Subject"] for one in doors.alerts()] == [True]
