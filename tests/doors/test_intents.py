"""Intents through the deployed door: somebody opens a machine, it is told once, and told again when it is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

import reconciler.notify
from lab.network import find_network
from tests.support.doors import NAME, Doors

if TYPE_CHECKING:
    import pytest

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
FRONT = "from outside only the front door"
ALONE = "nobody but the back end reaches the database"


def topics(doors: Doors) -> list[str]:
    return [one["MessageAttributes"]["topic"]["StringValue"] for one in doors.alerts()]


def subjects(doors: Doors) -> list[str]:
    return [one["Subject"] for one in doors.alerts()]


def stray(doors: Doors) -> tuple[str, str]:
    """A machine in the public subnet with the groups of two workloads; the ids of its instance and its interface."""
    live = find_network(doors.hands, NAME)
    made = doors.hands.client("ec2").run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        SubnetId=live["subnet/PublicSubnet1"],
        SecurityGroupIds=[live["security_group/APIGatewaySG"], live["security_group/TestServerSG"]],
    )
    (machine,) = made["Instances"]
    return str(machine["InstanceId"]), str(machine["NetworkInterfaces"][0]["NetworkInterfaceId"])


def of_run(doors: Doors, name: str) -> dict[str, Any]:
    return next(one for one in doors.events()[-1]["intents"] if one["name"] == name)


def test_a_stray_machine_is_told_once_and_told_again_when_it_is_gone(
    doors: Doors, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    capsys.readouterr()
    instance, interface = stray(doors)
    assert doors.work(SCHEDULED) == ()
    assert subjects(doors) == [
        f"Setpoint critical: intent broken: {FRONT} ({NAME})",
        f"Setpoint critical: intent broken: {ALONE} ({NAME})"[:99],
    ]
    assert topics(doors) == ["intent", "intent"]
    assert instance in doors.alerts()[0]["Message"]
    assert doors.writes() == []
    first = of_run(doors, FRONT)
    assert (first["status"], first["severity"]) == ("broken", "critical")
    doors.clock.sleep(300)
    assert doors.work(SCHEDULED) == ()
    assert len(doors.alerts()) == 2
    assert of_run(doors, FRONT)["since"] == first["since"]
    logged = [vars(one) for one in caplog.records if vars(one).get("record") == "intent"]
    assert {one["address"] for one in logged} == {f"intent/{FRONT}", f"intent/{ALONE}"}
    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["IntentsBroken"] for one in figures if "IntentsBroken" in one] == [[2.0], [2.0]]
    doors.hands.client("ec2").terminate_instances(InstanceIds=[instance])
    doors.hands.client("ec2").delete_network_interface(NetworkInterfaceId=interface)  # AWS does both at once
    doors.clock.sleep(300)
    assert doors.work(SCHEDULED) == ()
    assert subjects(doors)[2:] == [
        f"Setpoint resolved: intent broken: {FRONT} ({NAME})",
        f"Setpoint resolved: intent broken: {ALONE} ({NAME})"[:99],
    ]
    assert doors.work(SCHEDULED) == ()
    assert len(doors.alerts()) == 4


def test_a_drift_that_broke_an_intent_says_so_in_the_alert_of_the_drift(doors: Doors) -> None:
    doors.drift("public-route-deleted")
    assert doors.work(SCHEDULED) == ()
    (alert,) = doors.alerts()
    assert f"It broke the intent '{FRONT}'" in alert["Message"]
    assert "It broke the intent 'the front door answers HTTPS'" in alert["Message"]
    assert of_run(doors, FRONT)["before"] == "broken"
    assert of_run(doors, FRONT)["status"] == "kept"


def test_interfaces_that_may_not_be_read_are_told_once_and_the_intent_is_not_told_as_over(doors: Doors) -> None:
    stray(doors)
    assert doors.work(SCHEDULED) == ()
    told = len(doors.alerts())
    doors.lab.faults.refuse("DescribeNetworkInterfaces")
    for _ in range(2):
        doors.clock.sleep(300)
        assert doors.work(SCHEDULED) == ()
    (alert,) = doors.alerts()[told:]
    assert "ec2:DescribeNetworkInterfaces" in alert["Message"]
    assert alert["MessageAttributes"]["topic"]["StringValue"] == "unseen"
    doors.lab.faults.clear()


def test_the_event_is_of_its_schema(doors: Doors) -> None:
    stray(doors)
    assert doors.work(SCHEDULED) == ()
    schema = json.loads(Path(reconciler.notify.__file__).with_name("event.v1.schema.json").read_text())
    Draft202012Validator(schema).validate(doors.events()[-1])
    assert [one["status"] for one in doors.events()[-1]["intents"]].count("broken") == 2


def test_a_plan_through_invoke_has_the_intents_and_sends_nothing(doors: Doors) -> None:
    stray(doors)
    answer = doors.invoke(mode="plan")
    broken = [one["name"] for one in answer["report"]["intents"] if one["status"] == "broken"]
    assert broken == [FRONT, ALONE]
    assert doors.alerts() == []
