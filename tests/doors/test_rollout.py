"""A version of the document is rolled out until a run has brought the network to it: what it changes is no drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lab.faults import Stopped
from lab.network import find_network
from reconciler.ledger.lease import GRACE, TERM
from tests.support.doors import NAME, Doors

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
FRONT = "APIGatewaySG"
OWN = ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]


def closes_http(written: dict[str, Any]) -> None:
    """The front door no longer answers on port 80, and does on 8443: what is open now is not declared any more."""
    written["revision"] = 2
    rules = written["resources"]["security_group"][FRONT]["ingress"]
    rules[:] = [one for one in rules if one["ports"] != 80]
    rules.append({"protocol": "tcp", "ports": 8443, "source": "10.0.0.0/16", "description": "health checks"})
    written["intents"] = []


def topics(doors: Doors) -> list[tuple[str, str]]:
    return [
        (one["MessageAttributes"]["topic"]["StringValue"], one["MessageAttributes"]["severity"]["StringValue"])
        for one in doors.alerts()
    ]


def dies(at: int) -> Callable[[Doors], None]:
    def first(doors: Doors) -> None:
        calls: list[str] = []

        def call(name: str, service: str, operation: str) -> None:
            calls.append(operation)
            if len(calls) >= at:
                raise Stopped(operation)

        doors.lab.before_call = call
        with pytest.raises(Stopped):
            doors.work(doors.uploaded())
        doors.lab.before_call = None

    return first


def is_blind(doors: Doors) -> None:
    doors.lab.faults.refuse("DescribeVpcs", code="UnauthorizedOperation")
    assert doors.work(doors.uploaded()) == ()
    doors.lab.faults.clear()


def is_throttled(doors: Doors) -> None:
    for operation in OWN:
        doors.lab.faults.refuse(operation, code="RequestLimitExceeded")
    assert doors.work(doors.uploaded()) == ()
    doors.lab.faults.clear()


def is_refused(doors: Doors) -> None:
    for operation in OWN:
        doors.lab.faults.refuse(operation, code="UnauthorizedOperation")
    assert doors.work(doors.uploaded()) == ()
    doors.lab.faults.clear()


def has_no_time(doors: Doors) -> None:
    left = iter([300.0])
    doors.seconds_left = lambda: next(left, 1.0)
    assert doors.work(doors.uploaded()) == ()
    doors.seconds_left = lambda: 300.0


def loses_its_lease(doors: Doors) -> None:
    table = doors.hands.client("dynamodb")

    def stolen(name: str, service: str, operation: str) -> None:
        if operation == "DescribeSecurityGroups":
            doors.lab.before_call = None
            table.update_item(
                TableName="setpoint-ledger",
                Key={"document": {"S": NAME}},
                UpdateExpression="SET #o = :o ADD #f :one",
                ExpressionAttributeNames={"#o": "owner", "#f": "fence"},
                ExpressionAttributeValues={":o": {"S": "another"}, ":one": {"N": "1"}},
            )

    doors.lab.before_call = stolen
    assert doors.work(doors.uploaded()) == ()


def only_reports(doors: Doors) -> None:
    assert doors.work(doors.uploaded(), stack=doors.another(replace(doors.policy, mode="report"))) == ()


def is_held_by_a_tag(doors: Doors) -> None:
    ec2, group = doors.hands.client("ec2"), find_network(doors.hands, NAME)[f"security_group/{FRONT}"]
    until = f"{doors.clock.now() + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
    ec2.create_tags(Resources=[group], Tags=[{"Key": "setpoint:hold", "Value": until}])
    assert doors.work(doors.uploaded()) == ()
    ec2.delete_tags(Resources=[group], Tags=[{"Key": "setpoint:hold"}])


def is_held_as_a_whole(doors: Doors) -> None:
    stack = doors.another(replace(doors.policy, max_breaks=0))
    assert doors.work(doors.uploaded(), stack=stack) == ()


WAYS = [
    *(pytest.param(dies(at), id=f"dies-{at}", marks=() if at == 16 else pytest.mark.long) for at in range(4, 20)),
    pytest.param(is_blind, marks=pytest.mark.long),
    pytest.param(is_throttled, marks=pytest.mark.long),
    is_refused,
    pytest.param(has_no_time, marks=pytest.mark.long),
    loses_its_lease,
    pytest.param(only_reports, marks=pytest.mark.long),
    is_held_by_a_tag,
    pytest.param(is_held_as_a_whole, marks=pytest.mark.long),
]


@pytest.mark.parametrize("first_run", WAYS)
def test_what_a_revision_changes_is_never_told_as_drift_however_its_first_run_fails(
    doors: Doors, first_run: Callable[[Doors], None]
) -> None:
    """And what somebody does to the network meanwhile is, as ever."""
    doors.upload(closes_http)
    first_run(doors)
    doors.drift("public-route-deleted")
    for _ in range(2):
        doors.clock.sleep((TERM + GRACE).total_seconds() + 1)
        assert doors.work(SCHEDULED) == ()
    told = topics(doors)
    drifts = [one["Subject"] for one in doors.alerts() if topic_of(one) == ("drift", "high")]
    assert drifts == [f"Setpoint high: route_table/PublicRouteTable routes: corrected ({NAME})"]
    other = [topic for topic, severity in told if topic == "drift" and severity != "high"]
    assert [one for one in other if first_run is not is_held_by_a_tag] == []
    rolled = [one["Message"] for one in doors.alerts() if topic_of(one)[0] == "rollout"]
    assert any("tcp 8443" in one for one in rolled)
    assert all(severity != "critical" for _, severity in told)
    assert "rollout" not in doors.item()


def topic_of(message: dict[str, Any]) -> tuple[str, str]:
    given = message["MessageAttributes"]
    return given["topic"]["StringValue"], given["severity"]["StringValue"]


def test_drift_in_the_very_first_run_of_a_revision_is_told_as_drift(doors: Doors) -> None:
    doors.drift("public-route-deleted")
    doors.upload(closes_http)
    assert doors.work(doors.uploaded()) == ()
    assert sorted(topic for topic, _ in topics(doors)) == ["drift", "rollout"]
    (message,) = (one["Message"] for one in doors.alerts() if topic_of(one)[0] == "rollout")
    assert "internet_gateway" not in message


def test_what_is_put_back_after_the_revision_took_it_away_is_drift_while_the_rest_is_still_rolled_out(
    doors: Doors,
) -> None:
    def also_protects(written: dict[str, Any]) -> None:
        closes_http(written)
        written["resources"]["security_group"]["DBSG"]["tags"] = {"team": "data"}

    doors.upload(also_protects)
    doors.lab.faults.refuse("CreateTags", code="UnauthorizedOperation")
    assert doors.work(doors.uploaded()) == ()
    group = find_network(doors.hands, NAME)[f"security_group/{FRONT}"]
    rule: Any = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    doors.hands.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    before = len(doors.alerts())
    assert doors.work(SCHEDULED) == ()
    assert "rollout" in doors.item()
    (alert,) = [one for one in doors.alerts()[before:] if topic_of(one)[0] == "drift"]
    assert "tcp 80 from 0.0.0.0/0 (corrected)" in alert["Message"]
    doors.lab.faults.clear()
    assert doors.work(SCHEDULED) == ()
    assert "rollout" not in doors.item()


def test_what_a_revision_changes_is_no_drift_either_while_a_newer_one_waits_for_an_approval(doors: Doors) -> None:
    def opens_ssh(written: dict[str, Any]) -> None:
        closes_http(written)
        written["revision"] = 3
        rule = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
        written["resources"]["security_group"][FRONT]["ingress"].append(rule)
        entries = written["resources"]["network_acl"]["PublicSubnetACL"]["ingress"]
        entries["50"] = {"action": "allow", **rule}

    doors.upload(closes_http)
    is_refused(doors)
    doors.upload(opens_ssh)
    before = len(doors.alerts())
    assert doors.work(doors.uploaded()) == ()
    held, rolled, over = doors.alerts()[before:]
    assert [topic_of(one)[0] for one in (held, rolled, over)] == ["revision-held", "rollout", "resolved"]
    assert "revision 2 was applied" in rolled["Subject"]
    assert "rollout" not in doors.item()


# ------------------------------------------------------------------------------------------------ a VPC that is gone


def delete_everything(doors: Doors) -> None:
    """The world before the first run: as if somebody had deleted the VPC and all that was in it."""
    doors.lab.restore(doors.empty)


def test_a_deleted_vpc_is_what_people_hear_first_and_is_built_again_only_when_a_person_releases_it(
    doors: Doors,
) -> None:
    delete_everything(doors)
    doors.lab.calls.clear()
    for _ in range(3):
        assert doors.work(SCHEDULED) == ()
        doors.clock.sleep(300)
    assert doors.writes() == []
    alert, *others = doors.alerts()
    assert [topic_of(one)[0] for one in others] == ["intent"]
    assert alert["Subject"] == f"Setpoint critical: vpc/MyVPC is gone, and is not built again by itself ({NAME})"
    first = alert["Message"].splitlines()[0]
    assert first.startswith("CRITICAL: The VPC vpc-"), first
    plan = doors.invoke()
    assert doors.invoke(mode="apply", approve="0" * 16)["ending"] == "refused"
    assert doors.writes() == []
    answer = doors.invoke(mode="apply", approve=plan["report"]["fingerprint"])
    assert answer["ending"] == "completed"
    assert "CreateVpc" in doors.writes()
    doors.lab.settle()
    doors.clock.sleep(900)
    before = len(doors.writes())
    assert doors.work(SCHEDULED) == ()
    assert doors.writes()[before:].count("CreateVpc") == 0
