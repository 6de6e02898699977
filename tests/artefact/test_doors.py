"""The artefact at work: each door under AWS's runtime client, against an emulated account behind HTTP.

After every test all that the functions let out (lines, messages, events, answers, what they remember) is looked at:
each line is one JSON object, nothing in it is alive, and none of the planted secrets is told (`Stack.hear`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.drifts import DRIFTS
from tests.support.canaries import CANARIES, assert_silent
from tests.support.deployed import (
    EXAMPLE,
    METRICS,
    NAME,
    SCHEDULE,
    Stack,
    check_line,
)
from tests.support.doors import object_event
from tests.support.packets import violations
from tests.support.runtime_api import ACCOUNT, Answer, Lambda
from tests.support.sampling import sampled


@pytest.fixture(scope="session")
def _running(artefact: Path, runtime: Path, emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    from moto.cloudtrail.responses import CloudTrailResponse
    from moto.ec2.responses import EC2Response
    from moto.rds.responses import RDSResponse

    logs = tmp_path_factory.mktemp("doors")

    def start(handler: str, env: Mapping[str, str]) -> Lambda:
        return Lambda(artefact, handler, runtime, logs / f"{len([*logs.iterdir()])}.log", env)

    def noticed(response: Any) -> Callable[[Any], Any]:
        carry_out = response.call_action

        def call_action(self: Any) -> Any:
            answer = carry_out(self)
            if not self._get_action().startswith("Describe"):
                deployed.written(self._get_action())
            return answer

        return call_action

    def lookup_events(self: Any) -> str:
        return json.dumps(deployed.trail.lookup(json.loads(self.body)), default=lambda time: time.timestamp())

    with ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        deployed = Stack(emulator, start, running)
        patch.setattr(CloudTrailResponse, "lookup_events", lookup_events)
        for response in (EC2Response, RDSResponse):
            patch.setattr(response, "call_action", noticed(response))
        yield deployed


@pytest.fixture
def stack(_running: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The deployed stack with the example network in sync and nothing told yet, its functions running."""
    if not _running.stands:
        _running.deploy(request.getfixturevalue("aws"))
    _running.begin()
    yield _running
    _running.hear()
    _running.trail.clear()


OPEN = "ssh-opened-to-the-world"
# Plain moto takes UpdateSecurityGroupRuleDescriptions by rule id for done, and changes nothing.
ALL = [one.name for one in DRIFTS if one.name != "description-changed"]
HOSTILE = "a\u202eb\u2028c\x9b31md\ne\tf"
"""What XML can carry of it: right-to-left, a line separator, an escape sequence in one byte, a line feed, a tab."""


def runs(answer: Answer) -> list[dict[str, Any]]:
    """What the log says of each run of an invocation."""
    return [told for line in answer.log_lines if (told := json.loads(line)).get("record") == "run"]


def figures(answer: Answer) -> dict[str, float]:
    """The metrics of the one run of an invocation."""
    (told,) = [json.loads(line) for line in answer.log_lines if '"_aws"' in line]
    return {name: told[name][0] for name in METRICS & told.keys()}


def subjects(stack: Stack) -> list[str]:
    return [one["Subject"] for one in stack.hear()[0]]


def asked(name: str = NAME, source: str = "schedule", **more: Any) -> dict[str, Any]:
    """A message of our own."""
    return {"setpoint": 1, "document": name, "trigger": {"source": source, **more}}


def test_a_correction_leaves_a_receipt_that_its_alert_names_and_the_calm_look_after_it_none(stack: Stack) -> None:
    stack.drift(OPEN)
    stack.sweep()
    stack.deliver()
    (receipt,) = stack.left()
    assert (receipt["state"], [one["outcome"] for one in receipt["drifted"]]) == ("sync", ["corrected"])
    people, _ = stack.hear()
    assert [f"setpoint receipt {NAME} " in one["Message"] for one in people] == [True]
    stack.sweep()
    stack.deliver()
    assert stack.left() == [receipt]


def test_a_manual_invoke_builds_the_example_network_and_the_next_finds_it_in_sync(stack: Stack) -> None:
    assert stack.built.error is None
    (run,) = runs(stack.built)
    assert (run["counts"]["corrected"], run["in_sync"]) == (14, True)
    people, programs = stack.told_of_building
    assert [one["Subject"] for one in people] == ["Setpoint low: revision 1 was applied (test-server)"]
    assert [len(one["detail"]["actions"]) for one in programs] == [run["writes"]]
    calm = stack.invoke(document=NAME, mode="apply").payload["report"]
    assert (calm["in_sync"], calm["counts"]["reads"], calm["counts"]["writes"]) == (True, 10, 0)
    ours: Any = [{"Name": "tag:setpoint:document", "Values": [NAME]}]
    assert len(stack.client("ec2").describe_subnets(Filters=ours)["Subnets"]) == 3
    assert len(stack.client("rds").describe_db_instances()["DBInstances"]) == 1


# One drift, three ways to it


def by_schedule(stack: Stack, events: list[dict[str, Any]]) -> Answer:
    assert stack.sweep().payload == {"documents": 1}
    return stack.deliver()


def by_event(stack: Stack, events: list[dict[str, Any]]) -> Answer:
    stack.send(*events)
    return stack.deliver()


def by_hand(stack: Stack, events: list[dict[str, Any]]) -> Answer:
    return stack.invoke(document=NAME, mode="apply")


THREE_WAYS = pytest.mark.parametrize(
    ("way", "source"), [(by_schedule, "schedule"), (by_event, "change"), (by_hand, "manual")]
)
Way = Callable[[Stack, list[dict[str, Any]]], Answer]


@THREE_WAYS
def test_a_drift_is_corrected_told_and_then_gone(stack: Stack, way: Way, source: str) -> None:
    events, broken, before = stack.drift(OPEN), stack.state(), stack.item()
    with stack.watched() as states:
        answer = way(stack, events)
    assert answer.error is None
    assert stack.writes == ["RevokeSecurityGroupIngress"]
    assert violations(broken, stack.state(), states) == []
    (run,) = runs(answer)
    assert (run["ending"], run["source"], run["in_sync"], run["writes"]) == ("completed", source, True, 1)
    told = figures(answer)
    assert told["ExposureSeconds"] > 0
    assert {name: told[name] for name in ("Drifted", "Corrected", "WriteCalls", "RunSucceeded", "AlertsLost")} == {
        "Drifted": 1,
        "Corrected": 1,
        "WriteCalls": 1,
        "RunSucceeded": 1,
        "AlertsLost": 0,
    }
    (alert,), (event,) = stack.hear()
    assert alert["Subject"] == "Setpoint medium: security_group/APIGatewaySG ingress: corrected (test-server)"
    assert "user/somebody by AuthorizeSecurityGroupIngress at " in alert["Message"]
    assert "--function-name setpoint-invoke" in alert["Message"]
    assert {name: one["Value"] for name, one in alert["MessageAttributes"].items()} == {
        "severity": "medium",
        "document": NAME,
        "topic": "drift",
        "status": "firing",
    }
    assert (event["source"], event["detail-type"]) == ("setpoint", "Setpoint Run")
    detail = event["detail"]
    assert (detail["woken_by"], detail["run_id"], detail["in_sync"]) == (source, run["run_id"], True)
    assert [(one["address"], one["outcome"]) for one in detail["drifted"]] == [
        ("security_group/APIGatewaySG", "corrected")
    ]
    item = stack.item()
    assert "owner" not in item
    told_of = {one["title"]: one["open"] for one in item["notified"].values()}
    assert told_of["security_group/APIGatewaySG ingress: corrected"] is False
    assert item["looked_at"] > before["looked_at"]
    calm = stack.invoke(document=NAME, mode="apply")
    assert (calm.payload["report"]["in_sync"], figures(calm)["WriteCalls"], figures(calm)["ReadCalls"]) == (True, 0, 10)
    assert (stack.hear(), stack.queued()) == (([], []), [])


def test_everything_at_once_is_put_right_and_no_write_opens_or_cuts_what_is_to_stay(stack: Stack) -> None:
    events = stack.drift(*ALL)
    broken = stack.state()
    with stack.watched() as states:
        answer = by_schedule(stack, events)
    assert answer.error is None
    assert len(states) == len(stack.writes) == 15
    assert violations(broken, stack.state(), states) == []
    assert len(stack.hear()[0]) == 10
    calm = stack.invoke(document=NAME).payload["report"]
    assert (calm["in_sync"], calm["drifted"], calm["counts"]["reads"]) == (True, [], 10)


# Cold and warm


@pytest.mark.parametrize(
    ("door", "event", "answer"),
    [
        ("sweep", SCHEDULE, {"documents": 1}),
        ("worker", {"Records": [{"messageId": "1", "body": json.dumps(asked())}]}, {"batchItemFailures": []}),
        ("invoke", {"document": NAME}, "completed"),
    ],
)
def test_a_door_answers_alike_cold_and_warm_and_its_lines_are_json_where_lambda_is_set_to_text_too(
    stack: Stack, door: str, event: Any, answer: Any
) -> None:
    stack.drift("tag-changed")
    with stack.start(f"handlers.{door}.handler", stack.environment | {"AWS_LAMBDA_LOG_FORMAT": "Text"}) as cold:
        answers = [stack.call(cold, event) for _ in range(3)]
        wrong = stack.call(cold, ["no such event"])
    assert [one.error for one in answers] == [None] * 3
    payloads = [one.payload["ending"] if door == "invoke" else one.payload for one in answers]
    assert payloads == [answer] * 3
    assert stack.writes == (["CreateTags"] if door == "worker" else [])
    lines = [line for one in (*answers, wrong) for line in one.log_lines]
    # What an exception's text is to the runtime client under Text; it says no more than the line before it.
    ours = [line for line in lines if not line.startswith(("[ERROR] BrokenOffError: ", "Traceback", "\xa0\xa0"))]
    assert all(check_line(line) for line in ours)
    assert (len(lines) > len(ours)) is (wrong.error is not None)
    stack.answers.clear()
    assert_silent("\n".join(lines))


# The schedule's door


def test_the_sweep_asks_for_every_document_that_is_there_or_was(stack: Stack) -> None:
    stack.upload(EXAMPLE.read_bytes(), name="another")
    stack.put_item({"document": "gone", "fence": 1})
    stack.put_item({"document": "long-gone", "fence": 1, "deleted": True})
    assert stack.sweep().payload == {"documents": 3}
    assert [one.body["document"] for one in stack.queued()] == ["another", NAME, "gone"]
    assert {one.body["trigger"]["source"] for one in stack.queued()} == {"schedule"}


@pytest.mark.parametrize("event", sampled([{}, [], "schedule", {"source": "setpoint.schedule"}, object_event()], 3))
def test_the_sweep_woken_by_anything_else_sends_nothing_and_says_what_wakes_it(stack: Stack, event: Any) -> None:
    answer = stack.sweep(event)
    assert answer.error is not None
    assert answer.error["errorType"] == "BrokenOffError"
    assert answer.error["errorMessage"].startswith("UnknownEvent: ")
    assert stack.queued() == []
    assert stack.sweep().payload == {"documents": 1}


# The queue's door


def test_an_upload_is_looked_after_and_put_in_force(stack: Stack) -> None:
    def raised(document: dict[str, Any]) -> None:
        document["revision"] = 2
        (rule,) = document["resources"]["security_group"]["TestServerSG"]["ingress"]
        document["resources"]["security_group"]["TestServerSG"]["ingress"].append(rule | {"ports": 8443})

    stack.upload_changed(raised)
    stack.send(object_event())
    (run,) = runs(stack.deliver())
    assert (run["source"], run["revision"], run["in_sync"]) == ("document", 2, True)
    assert stack.writes == ["AuthorizeSecurityGroupIngress"]
    assert stack.item()["accepted"]["revision"] == 2
    assert subjects(stack) == ["Setpoint low: revision 2 was applied (test-server)"]


def test_a_deleted_document_is_told_once_and_nothing_is_undone(stack: Stack) -> None:
    stack.client("s3").delete_object(Bucket=stack.bucket, Key=f"documents/{NAME}.json")
    for _ in range(2):
        stack.send(object_event("Object Deleted"))
        (run,) = runs(stack.deliver())
        assert run["ending"] == "deleted"
    assert ["deleted" in one for one in subjects(stack)] == [True]
    assert (stack.writes, stack.item()["deleted"]) == ([], True)
    assert stack.sweep().payload == {"documents": 0}


def test_one_batch_of_everything_makes_one_run_and_only_what_nobody_knows_comes_again(stack: Stack) -> None:
    events = stack.drift(OPEN)
    answer = stack.work({"hello": 1}, object_event(), *events, asked(), "no json", SCHEDULE)
    assert answer.payload == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (0, 4, 5)]}
    assert len(runs(answer)) == 1
    assert stack.writes == ["RevokeSecurityGroupIngress"]
    assert len([line for line in answer.log_lines if check_line(line).get("level") == "ERROR"]) == 3


def test_what_was_sent_before_the_last_look_is_covered_by_it_and_makes_no_metrics(stack: Stack) -> None:
    stack.work(asked())
    answer = stack.work(object_event(), sent=datetime.now(UTC) - timedelta(minutes=1))
    assert [run["ending"] for run in runs(answer)] == ["covered"]
    assert not [line for line in answer.log_lines if "_aws" in line]


def test_an_event_of_our_own_write_or_of_another_place_wakes_nobody(stack: Stack) -> None:
    (event,) = stack.drift(OPEN)
    stack.trail.write("ec2", "RevokeSecurityGroupIngress", {"GroupId": "sg-0123456789abcdef0"}, {}, None)
    own = stack.trail.events()[-1]
    answer = stack.work(own, {**event, "account": "111122223333"}, {**event, "region": "us-east-1"})
    assert answer.payload == {"batchItemFailures": []}
    assert (runs(answer), stack.writes) == ([], [])
    told = [check_line(line)["message"] for line in answer.log_lines]
    assert [one.startswith("the message was dropped: ") for one in told] == [True, True, True]


@pytest.mark.parametrize("event", sampled([SCHEDULE, {"document": NAME, "mode": "apply"}, {"Records": None}, []], 2))
def test_the_worker_woken_by_anything_but_its_queue_does_nothing_and_says_so(stack: Stack, event: Any) -> None:
    answer = stack.call(stack.door("worker"), event)
    assert answer.error is not None
    assert answer.error["errorType"] == "BrokenOffError"
    assert "the worker accepts batches of its queue only" in answer.error["errorMessage"]
    assert stack.work(asked()).payload == {"batchItemFailures": []}


# The manual door


def test_a_plan_changes_nothing_tells_nobody_and_leaves_nothing_behind(stack: Stack) -> None:
    stack.drift(OPEN)
    before = stack.item()
    answer = stack.invoke(document=NAME, mode="plan")
    assert answer.payload["ending"] == "completed"
    assert [one["address"] for one in answer.payload["report"]["drifted"]] == ["security_group/APIGatewaySG"]
    assert (stack.writes, stack.hear(), stack.queued()) == ([], ([], []), [])
    assert stack.item() == before | {"fence": before["fence"] + 1}


@pytest.mark.parametrize(
    ("payload", "problem"),
    sampled(
        [
            ({}, "document: missing; write the document's name"),
            ({"document": "No Name"}, "document: 'No Name' is not valid; write the document's name"),
            ({"document": NAME, "mode": "aply"}, "mode: 'aply' is not valid; write plan or apply"),
            ({"document": NAME, "moed": "apply"}, "'moed': unknown field; did you mean 'mode'?"),
            ({"document": NAME, "only": ["security_group/Nobody"]}, "only: 'security_group/Nobody' is not declared"),
            (object_event(), "document: missing"),
        ],
        3,
    ),
)
def test_a_payload_that_cannot_be_carried_out_is_answered_with_its_mend(
    stack: Stack, payload: dict[str, Any], problem: str
) -> None:
    stack.drift(OPEN)
    answer = stack.invoke(**payload)
    assert (answer.error, answer.payload["ending"], answer.payload["report"]) == (None, "refused", None)
    assert problem in answer.payload["problem"]
    assert (stack.writes, stack.hear(), stack.queued()) == ([], ([], []), [])


def test_an_older_revision_is_refused_until_a_person_accepts_it(stack: Stack) -> None:
    stack.upload_changed(lambda document: document.update(revision=3))
    stack.work(asked())
    stack.upload_changed(lambda document: document.update(revision=2))
    (run,) = runs(stack.work(asked()))
    assert "revision 2 is older than revision 3" in run["refusal"]
    assert stack.item()["accepted"]["revision"] == 3
    wrong = stack.invoke(document=NAME, mode="apply", accept_revision=1).payload
    assert (wrong["ending"], wrong["report"]) == ("refused", None)
    right = stack.invoke(document=NAME, mode="apply", accept_revision=2).payload
    assert (right["ending"], right["refusal"], right["report"]["document"]["revision"]) == ("completed", None, 2)
    assert stack.item()["accepted"]["revision"] == 2
    assert "resolved: " in subjects(stack)[-1]


def opens_ssh(document: dict[str, Any]) -> None:
    """SSH from anywhere to the front door, through its group and its ACL; the intent that forbids it is gone."""
    ssh = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
    document["revision"] = 2
    document["intents"] = [one for one in document["intents"] if one["expect"] != "only"]
    document["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(ssh)
    document["resources"]["network_acl"]["PublicSubnetACL"]["ingress"]["90"] = {"action": "allow", **ssh}


def uploaded(stack: Stack, version_id: str) -> dict[str, Any]:
    """The event of an upload, which names its version."""
    event = object_event()
    event["detail"]["object"]["version-id"] = version_id
    return event


@pytest.mark.long  # in the gate tests/doors/test_revisions.py shows it, in this process
def test_a_revision_that_opens_ssh_is_held_until_a_person_approves_it(stack: Stack) -> None:
    stack.send(uploaded(stack, stack.upload_changed(opens_ssh)))
    (run,) = runs(stack.deliver())
    assert (run["ending"], run["revision"], run["in_sync"]) == ("completed", 1, True)
    (alert,), (event,) = stack.hear()
    assert alert["Subject"] == "Setpoint high: revision 2 is held (test-server)"
    assert alert["Message"].splitlines()[0] == (
        "HIGH: Revision 2 is held until a person approves it: with it, tcp 22 from the internet can reach api. "
        "Revision 1, accepted before, continues to be enforced."
    )
    change = event["detail"]["revision_change"]
    assert (change["held"], [one["reason"] for one in change["holds"]]) == (True, ["exposes"])
    assert (stack.item()["accepted"]["revision"], stack.writes) == (1, [])
    wrong = stack.invoke(document=NAME, mode="apply", approve_revision="0" * 16).payload
    assert (wrong["ending"], "the approval is for 0000000000000000" in wrong["problem"]) == ("refused", True)
    right = stack.invoke(document=NAME, mode="apply", approve_revision=change["fingerprint"]).payload
    assert (right["ending"], right["report"]["in_sync"]) == ("completed", True)
    assert stack.item()["accepted"]["revision"] == stack.item()["announced"]["revision"] == 2
    assert sorted(stack.writes) == ["AuthorizeSecurityGroupIngress", "CreateNetworkAclEntry"]
    assert subjects(stack)[-2:] == [
        "Setpoint critical: revision 2 was applied (test-server)",
        "Setpoint resolved: revision 2 is held (test-server)",
    ]


@pytest.mark.long  # as the one before
def test_a_revision_that_ignores_everything_is_announced_with_who_uploaded_it(stack: Stack) -> None:
    version_id = stack.upload_changed(lambda document: document.update(revision=2, enforcement="ignore"))
    stack.send(uploaded(stack, version_id))
    answer = stack.deliver()
    (told,) = [line for line in map(check_line, answer.log_lines) if line.get("record") == "revision"]
    assert (told["number"], told["held"], told["severity"]) == (2, False, "high")
    (alert,), (event,) = stack.hear()
    assert alert["Subject"] == "Setpoint high: revision 2 was accepted (test-server)"
    assert "Uploaded by: account 123456789012 at " in alert["Message"]
    assert event["detail"]["revision_change"]["points"][0]["subject"] == "enforcement"
    assert stack.work(asked()).error is None
    assert stack.hear() == ([], [])


# Time, death and settings


def test_with_too_little_time_left_the_worker_begins_nothing_and_the_message_comes_again(stack: Stack) -> None:
    stack.drift(OPEN)
    answer = stack.work(asked(tries=2), deadline_ms=45_000)
    assert answer.payload == {"batchItemFailures": []}
    (again,) = stack.queued()
    assert (again.body["document"], again.body["trigger"]["tries"]) == (NAME, 3)
    assert 0 < again.delay <= 15
    assert (stack.writes, runs(answer)) == ([], [])
    assert stack.work(again.body).payload == {"batchItemFailures": []}
    assert stack.writes == ["RevokeSecurityGroupIngress"]


def test_a_manual_run_whose_time_is_up_writes_nothing_more_and_leaves_the_rest_to_the_worker(stack: Stack) -> None:
    stack.drift(OPEN)
    answer = stack.call(stack.door("invoke"), {"document": NAME, "mode": "apply"}, deadline_ms=25_000)
    assert answer.payload["again_in_seconds"] == 1
    assert [one["outcome"] for one in answer.payload["report"]["drifted"]] == ["waiting"]
    assert stack.writes == []
    ((body, delay),) = stack.queued()
    assert delay == 1
    assert stack.work(body).payload == {"batchItemFailures": []}
    assert stack.writes == ["RevokeSecurityGroupIngress"]


def test_a_function_that_is_killed_at_a_write_leaves_a_lease_that_ends_and_the_next_run_finishes(stack: Stack) -> None:
    stack.drift(OPEN, "acl-entry-denied", "tag-changed")
    broken = stack.state()
    with stack.start("handlers.worker.handler", stack.environment) as doomed, stack.watched() as states:
        watch = stack.after_write
        assert watch

        def last_one(operation: str) -> None:
            watch(operation)
            doomed._process.kill()

        stack.after_write = last_one
        dead = stack.work(asked(), by=doomed)
    assert dead.error is not None
    assert (dead.error["errorType"], len(stack.writes)) == ("Runtime.ExitError", 1)
    held = stack.item()
    assert held["owner"]
    (busy,) = runs(stack.work(asked()))
    assert (busy["ending"], len(stack.writes)) == ("lease_held", 1)
    ((body, delay),) = stack.queued()
    assert delay == 15
    over = datetime.now(UTC) - timedelta(seconds=11)  # its term and the grace for clocks, as if they had passed
    stack.put_item(held | {"expires": int(over.timestamp())})
    with stack.watched() as more:
        (done,) = runs(stack.work(body))
    assert (done["in_sync"], done["counts"]["corrected"], len(stack.writes)) == (True, 2, 3)
    assert stack.item()["fence"] == held["fence"] + 1
    assert violations(broken, stack.state(), [*states, *more]) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SETPOINT_MODE", "sideways", "SETPOINT_MODE: 'sideways' is not valid; write correct or report"),
        ("SETPOINT_TABLE", "", "SETPOINT_TABLE: not set; write the name of the DynamoDB table"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_at_every_call_and_nothing_is_done(
    stack: Stack, name: str, value: str, problem: str
) -> None:
    stack.drift(OPEN)
    with stack.start("handlers.invoke.handler", stack.environment | {name: value}) as wrong:
        for _ in range(2):
            answer = stack.call(wrong, {"document": NAME, "mode": "apply"})
            assert answer.error is not None
            assert answer.error["errorMessage"] == f"SettingsError: {problem}"
            assert check_line(answer.log_lines[0])["error"]["message"] == problem
    assert stack.writes == []


# Other people's words


def test_hostile_names_are_shown_and_never_alive(stack: Stack) -> None:
    (event,) = stack.drift(OPEN)
    ec2, live = stack.client("ec2"), stack.live()
    ec2.create_security_group(GroupName=HOSTILE, Description=HOSTILE, VpcId=live.vpc_id)
    ec2.create_tags(
        Resources=[live.vpc_id], Tags=[{"Key": "setpoint:name", "Value": HOSTILE}, {"Key": HOSTILE, "Value": "1"}]
    )
    source = {"CidrIp": "198.51.100.0/24", "Description": HOSTILE}
    rule: Any = {"IpProtocol": "tcp", "FromPort": 7, "ToPort": 7, "IpRanges": [source]}
    ec2.authorize_security_group_ingress(GroupId=live["security_group/DBSG"], IpPermissions=[rule])
    event["detail"]["userAgent"] = event["detail"]["sourceIPAddress"] = f"{HOSTILE}\x1b[2J\x00\x07"
    event["detail"]["userIdentity"]["arn"] += f"{HOSTILE}\x1b[2J\x00\x07"
    answer = stack.work(event, {HOSTILE: HOSTILE, "source": "\x1b[2J"}, f"\x1b[2J{HOSTILE}")
    assert len(answer.payload["batchItemFailures"]) == 2
    assert sorted(stack.writes) == ["CreateTags", "RevokeSecurityGroupIngress", "RevokeSecurityGroupIngress"]
    people, (program,) = stack.hear()  # which looks at every line and message
    seen = "a\\u202eb\\u2028c\\x9b31md\\ne\\tf"
    assert any(f"user/somebody{seen}\\x1b[2J\\x00\\x07 by Authorize" in one["Message"] for one in people)
    assert any(f'tcp 7 from 198.51.100.0/24 "{seen}"' in one["Message"] for one in people)
    assert f"security_group/{seen}" in [one["address"] for one in program["detail"]["unmanaged"]]
    assert stack.invoke(document=NAME).payload["report"]["in_sync"]


def test_an_answer_of_aws_that_is_no_xml_stops_the_run_and_is_told_without_what_is_in_it(stack: Stack) -> None:
    stack.drift(OPEN)
    group = stack.live()["security_group/DBSG"]
    tags = [{"Key": "Note", "Value": "\x1b[2J password=Canary-hunter2!"}]
    stack.client("ec2").create_tags(Resources=[group, stack.live().vpc_id], Tags=tags)
    answer = stack.work(asked())
    assert answer.payload == {"batchItemFailures": []}
    (run,) = runs(answer)
    assert (run["ending"], stack.writes) == ("unobservable", [])
    assert len(subjects(stack)) == 1
    assert [one.delay for one in stack.queued()] == [60]


def test_no_secret_in_rules_names_and_tags_is_told_on(stack: Stack) -> None:
    ec2, live = stack.client("ec2"), stack.live()
    group = live["security_group/DBSG"]
    for number, one in enumerate(CANARIES):
        source = {"CidrIp": "198.51.100.7/32", "Description": one.text}
        rule: Any = {"IpProtocol": "tcp", "FromPort": 7000 + number, "ToPort": 7000 + number, "IpRanges": [source]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        ec2.create_security_group(GroupName=one.text, Description=one.text, VpcId=live.vpc_id)
    tags = [{"Key": one.text[:128], "Value": one.text[:256]} for one in CANARIES]
    ec2.create_tags(Resources=[live.vpc_id, group], Tags=tags)
    ec2.create_tags(Resources=[live.vpc_id], Tags=[{"Key": "setpoint:name", "Value": CANARIES[0].text}])
    answer = stack.work(asked())
    (run,) = runs(answer)
    assert (run["counts"]["drifted"], run["counts"]["unmanaged"]) == (31, 33)
    assert (run["counts"]["held"], stack.writes) == (31, [])  # thirty are more than one run may take away
    people, programs = stack.hear()
    assert any("[redacted]" in one["Message"] for one in people)
    assert "[redacted]" in json.dumps(programs)


def test_no_secret_in_an_event_or_a_message_is_told_on(stack: Stack) -> None:
    (event,) = stack.drift(OPEN)
    events = []
    for one in CANARIES:
        detail = json.loads(json.dumps(event["detail"]))
        detail |= {"userAgent": one.text, "sourceIPAddress": one.text}
        detail["requestParameters"]["note"] = one.text
        detail["userIdentity"]["arn"] = f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/{one.text}"
        events.append({**event, "detail": detail})
    strange: list[object] = [one.text for one in CANARIES]
    strange += [{one.text: one.text, "source": one.text} for one in CANARIES]
    strange += [asked(one.text) for one in CANARIES] + [asked(source=one.text) for one in CANARIES]
    answer = stack.work(*events, *strange)
    assert len(answer.payload["batchItemFailures"]) == len(strange)
    assert stack.writes == ["RevokeSecurityGroupIngress"]
    assert len(stack.hear()[0]) == 1


def test_no_secret_in_a_document_is_told_on(stack: Stack) -> None:
    def secretive(document: dict[str, Any]) -> None:
        document["revision"] = 2
        rules = [
            {"protocol": "tcp", "ports": 7000 + number, "source": "198.51.100.7/32", "description": one.text}
            for number, one in enumerate(CANARIES)
        ]
        document["resources"]["security_group"]["DBSG"]["ingress"] += rules
        document["resources"]["vpc"]["MyVPC"]["tags"] = {"Note": CANARIES[0].text}
        document["resources"]["vpc"]["MyVPC"][CANARIES[1].text] = CANARIES[2].text

    stack.upload_changed(secretive)
    (run,) = runs(stack.work(asked()))
    assert run["refusal"]
    broken = "{" + ",".join(f"{one.text}: {json.dumps(one.text)}" for one in CANARIES)
    stack.upload(broken.encode())
    (run,) = runs(stack.work(asked()))
    assert run["refusal"]
    assert len(stack.hear()[0]) == 2


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_no_secret_in_rules_names_and_tags_is_in_the_answer_of_the_manual_door(stack: Stack, mode: str) -> None:
    ec2, live = stack.client("ec2"), stack.live()
    for number, one in enumerate(CANARIES):
        source = {"CidrIp": "198.51.100.7/32", "Description": one.text}
        rule: Any = {"IpProtocol": "tcp", "FromPort": 7000 + number, "ToPort": 7000 + number, "IpRanges": [source]}
        ec2.authorize_security_group_ingress(GroupId=live["security_group/DBSG"], IpPermissions=[rule])
    report = stack.invoke(document=NAME, mode=mode).payload["report"]
    assert len(report["drifted"]) == 30
    stack.hear()


def test_no_secret_in_a_payload_is_told_on(stack: Stack) -> None:
    for one in CANARIES:
        answer = stack.invoke(
            **{"document": one.text, "mode": one.text, "only": [one.text], "approve": one.text, one.text: 1}
        )
        assert answer.payload["ending"] == "refused"
    assert stack.hear() == ([], [])
