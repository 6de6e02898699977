"""What people and programs are told: sent through SNS and EventBridge, read where they arrive."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from desired_state.fields import Address
from lab.faults import FOR_EVER
from lab.strict_aws import StrictAws
from reconciler.aws.client import Aws
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, Memory, run
from reconciler.model import Cause, Outcome, Policy, Reason
from reconciler.model.trigger import Actor, Source, Trigger
from reconciler.notify.alert import Alert, Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import Notifications, deduplicate
from reconciler.notify.publisher import Publisher, Sent
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import DAY, NOW, completed, ended, extra
from tests.support.runs import Network

WEB = "security_group/APIGatewaySG"


@dataclass
class Desk:
    """A topic and a bus with a queue behind each, and the clients that alerts are sent with."""

    net: Network
    topic: str = ""
    heard: str = ""
    seen: str = ""
    clients: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set up in somebody else's hands: no fault is met, and no call of it is recorded."""
        self.clients = {"sns": self.net.lab.session().client("sns"), "events": self.net.lab.session().client("events")}
        hands: dict[str, Any] = {
            "sns": self.net.hands.client("sns"),
            "events": self.net.hands.client("events"),
            "sqs": self.net.hands.client("sqs"),
        }
        self.sqs = hands["sqs"]
        self.topic = hands["sns"].create_topic(Name="alerts")["TopicArn"]
        self.heard, self.seen = (self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("heard", "seen"))
        arns = [
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            for url in (self.heard, self.seen)
        ]
        hands["sns"].subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arns[0])
        hands["events"].put_rule(Name="runs", EventPattern=json.dumps({"source": ["setpoint"]}))
        hands["events"].put_targets(Rule="runs", Targets=[{"Id": "seen", "Arn": arns[1]}])

    def alerts(self, **how: Any) -> Publisher:
        return Publisher(self.clients["sns"], self.clients["events"], **({"topic_arn": self.topic} | how))

    def messages(self) -> list[dict[str, Any]]:
        """What arrived at the topic's queue, in the form SNS hands it on; taken away."""
        return sorted(self._take(self.heard), key=lambda one: str(one["Subject"]))

    def events(self) -> list[dict[str, Any]]:
        """What arrived at the bus; taken away."""
        return self._take(self.seen)

    def _take(self, url: str) -> list[dict[str, Any]]:
        taken: list[dict[str, Any]] = []
        while some := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in some:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
                taken.append(json.loads(one["Body"]))
        return taken


@pytest.fixture(scope="module")
def _desk(_built: tuple[StrictAws, Network]) -> Desk:
    """Wired up once: making clients costs more than what is sent through them."""
    return Desk(_built[1])


@pytest.fixture
def desk(net: Network, _desk: Desk) -> Iterator[Desk]:
    yield _desk
    net.lab.faults.clear()
    _desk.messages()
    _desk.events()


def heard(kept: AttemptResult) -> Notifications:
    return deduplicate(find_alerts(kept), {}, NOW, DAY, kept)


def many(count: int) -> AttemptResult:
    return completed(*(extra(outcome=Outcome.HELD, at=f"security_group/{number:03}") for number in range(count)))


def test_a_message_arrives_with_its_subject_and_what_to_filter_by(desk: Desk) -> None:
    kept = completed(extra())
    assert desk.alerts().send(heard(kept), kept) == Sent()
    (told,) = desk.messages()
    assert told["Subject"] == "Setpoint critical: security_group/Web ingress: corrected (small)"
    assert told["Message"].startswith("CRITICAL: security_group/Web let in tcp 22 from anyone on the internet")
    assert {name: one["Value"] for name, one in told["MessageAttributes"].items()} == {
        "severity": "critical",
        "document": "small",
        "topic": "drift",
        "status": "firing",
    }


def test_a_message_for_a_chat_arrives_as_a_custom_notification(desk: Desk) -> None:
    kept = completed(extra())
    desk.alerts(form="chat").send(heard(kept), kept)
    (told,) = desk.messages()
    found = json.loads(told["Message"])
    assert (found["version"], found["source"]) == ("1.0", "custom")
    assert found["metadata"]["threadId"] == find_alerts(kept)[0].fingerprint


def test_an_event_arrives_once_for_a_run_with_anything_to_tell(desk: Desk) -> None:
    kept = many(3)
    desk.alerts().send(heard(kept), kept)
    (told,) = desk.events()
    assert (told["source"], told["detail-type"]) == ("setpoint", "Setpoint Run")
    assert [one["address"] for one in told["detail"]["drifted"]] == [
        "security_group/000",
        "security_group/001",
        "security_group/002",
    ]


def test_a_calm_run_sends_nothing_at_all(desk: Desk) -> None:
    kept = completed()
    assert desk.alerts().send(heard(kept), kept) == Sent()
    assert (desk.messages(), desk.events()) == ([], [])
    assert [call.operation for call in desk.net.lab.calls] == []


def test_what_people_know_already_is_an_event_and_no_message(desk: Desk) -> None:
    kept = many(1)
    again = deduplicate(find_alerts(kept), heard(kept).remembered(), NOW, DAY, kept)
    desk.alerts().send(again, kept)
    assert desk.messages() == []
    assert len(desk.events()) == 1


def test_without_a_topic_nothing_is_sent_and_nothing_is_lost(desk: Desk) -> None:
    kept = many(2)
    assert desk.alerts(topic_arn="").send(heard(kept), kept) == Sent()
    assert desk.messages() == []
    assert len(desk.events()) == 1


def test_without_a_bus_there_is_no_event(desk: Desk) -> None:
    kept = many(1)
    assert desk.alerts(bus="").send(heard(kept), kept) == Sent()
    assert (len(desk.messages()), desk.events()) == (1, [])


def test_many_concerns_are_ten_messages(desk: Desk) -> None:
    kept = many(47)
    desk.alerts().send(heard(kept), kept)
    told = desk.messages()
    assert len(told) == 10
    assert told[0]["Subject"] == "Setpoint critical: 38 further alerts (small)"
    assert "  - critical: security_group/046 ingress: held" in told[0]["Message"].split("\n")


def test_a_message_that_is_refused_is_lost_by_name_and_the_others_arrive(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    kept = many(3)
    desk.net.lab.faults.throttle("Publish", code="Throttled")
    told = heard(kept)
    sent = desk.alerts().send(told, kept)
    assert sent == Sent(told.notifications[0].fingerprints, 1)
    assert len(desk.messages()) == 2
    assert len(told.remembered(sent.lost)) == 2
    assert "an alert was lost: critical: security_group/000 ingress: held" in caplog.messages


def test_a_topic_that_takes_nothing_is_left_alone_after_two_tries_and_all_is_lost(desk: Desk) -> None:
    kept = many(30)
    desk.net.lab.faults.refuse("Publish", code="AuthorizationError")
    told = heard(kept)
    sent = desk.alerts().send(told, kept)
    assert (len(sent.lost), sent.messages, sent.event) == (30, 10, False)
    assert told.remembered(sent.lost) == {}
    assert [call.operation for call in desk.net.lab.calls].count("Publish") == 2


def test_a_topic_that_is_gone_fails_no_run(desk: Desk) -> None:
    kept = many(1)
    sent = desk.alerts(topic_arn=f"{desk.topic}-gone").send(heard(kept), kept)
    assert (len(sent.lost), sent.messages) == (1, 1)


def test_a_bus_that_refuses_costs_the_event_and_not_the_messages(desk: Desk) -> None:
    kept = many(1)
    desk.net.lab.faults.refuse("PutEvents", code="AccessDeniedException")
    assert desk.alerts().send(heard(kept), kept) == Sent(event=True)
    assert (len(desk.messages()), desk.events()) == (1, [])


class _HalfABus:
    """A bus that answers 200 and takes nothing, as EventBridge does when it is throttled."""

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 (boto3's word)
        return {
            "FailedEntryCount": len(Entries),
            "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}],
        }


class _Unplugged:
    """A client without a network."""

    def put_events(self, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.invalid")


class _Broken:
    """A client that fails as no client should."""

    def put_events(self, **_: Any) -> None:
        raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize(
    ("bus", "words"),
    [
        (_HalfABus(), "the event of this run was lost: ThrottlingException: slow down"),
        (
            _Unplugged(),
            'the event of this run was lost: Could not connect to the endpoint URL: "https://events.invalid"',
        ),
        (_Broken(), "the event of this run could not be written"),
    ],
    ids=["throttled", "unplugged", "broken"],
)
def test_an_event_that_does_not_arrive_is_logged_and_raises_nothing(
    desk: Desk, bus: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = many(1)
    with caplog.at_level(logging.ERROR):
        sent = Publisher(desk.clients["sns"], bus, topic_arn=desk.topic).send(heard(kept), kept)
    assert sent == Sent(event=True)
    assert words in caplog.messages
    assert len(desk.messages()) == 1


def test_hostile_names_arrive_as_words(desk: Desk) -> None:
    at = "security_group/<!here>\n\x1b[31m\u202e\x00`@channel` https://evil.example"
    kept = completed(extra(outcome=Outcome.HELD, at=at), actors={}, document="a\r\nb")
    for form in ("text", "chat"):
        assert desk.alerts(form=form).send(heard(kept), kept) == Sent()
        (told,) = desk.messages()
        assert told["Subject"].isprintable()
        assert "https://evil" not in told["Message"]
        assert "\x1b" not in told["Message"]


# What people are told of a real run: one alert for each thing that goes wrong.


def kept_of(net: Network, report: Report, **more: Any) -> AttemptResult:
    return replace(
        AttemptResult(net.document.name, "run-1", Ending.COMPLETED, Trigger(Source.SCHEDULE), report), **more
    )


def the_one(kept: AttemptResult) -> Alert:
    found = find_alerts(kept)
    assert len(found) == 1, [one.title for one in found]
    return found[0]


def open_ssh(net: Network, address: str = WEB) -> None:
    everyone = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    net.outsider("ec2").authorize_security_group_ingress(GroupId=net.id(address), IpPermissions=[everyone])


def test_an_opening_that_was_closed_is_told_with_its_id(net: Network) -> None:
    open_ssh(net)
    one = the_one(kept_of(net, net.run()))
    assert (one.title, one.settled) == ("security_group/APIGatewaySG ingress: corrected", True)
    assert one.sentence == (
        "TCP 22 could pass between machines of api. From outside the VPC it is stopped "
        "(network_acl/PublicSubnetACL: no entry matches, so the closing * denies)."
    )
    assert one.aws_id == net.id(WEB)


def test_a_refused_write_is_one_concern_until_it_is_allowed(net: Network) -> None:
    open_ssh(net)
    net.lab.faults.refuse("RevokeSecurityGroupIngress")
    first = kept_of(net, net.run())
    assert the_one(first).title == "security_group/APIGatewaySG ingress: could not be corrected"
    told = deduplicate(find_alerts(first), {}, NOW, DAY, first)
    again, later = kept_of(net, net.run()), NOW + timedelta(minutes=15)
    assert deduplicate(find_alerts(again), told.remembered(), later, DAY, again).notifications == ()
    net.lab.faults.clear()
    done = kept_of(net, net.run())
    (last,) = deduplicate(find_alerts(done), told.remembered(), NOW + timedelta(minutes=30), DAY, done).notifications
    assert (last.status.value, last.title) == ("changed", "security_group/APIGatewaySG ingress: corrected")


@pytest.mark.parametrize("operation", ["DescribeSubnets", "DescribeSecurityGroups", "DescribeDBInstances"])
def test_a_refused_read_is_one_concern_whatever_depends_on_it(net: Network, operation: str) -> None:
    net.lab.faults.refuse(operation)
    first, again = kept_of(net, net.run()), kept_of(net, net.run())
    one = the_one(first)
    assert one.topic is Topic.UNSEEN
    assert one.digest == the_one(again).digest


def test_a_throttled_account_is_one_concern(net: Network) -> None:
    net.lab.faults.throttle(times=FOR_EVER)
    with pytest.raises(ObserveError) as unobservable:
        net.run()
    assert the_one(ended(Ending.UNOBSERVABLE, problem=str(unobservable.value))).topic is Topic.UNSEEN


def test_a_busy_database_is_one_concern(net: Network) -> None:
    net.outsider("rds").modify_db_instance(
        DBInstanceIdentifier="mypostgresqldb", BackupRetentionPeriod=14, ApplyImmediately=True
    )
    net.lab.settle()
    net.lab.rds_state("mypostgresqldb", "backing-up")
    one = the_one(kept_of(net, net.run()))
    assert one.title == "db_instance/mypostgresqldb backup_retention_period: waiting"


def test_a_lease_that_is_lost_half_way_is_one_concern_beside_what_was_done(net: Network) -> None:
    open_ssh(net)
    open_ssh(net, "security_group/DBSG")
    causes = iter([None, Cause(Reason.LEASE_LOST, "another run has the lease")])
    aws = Aws(net.lab.session(), net.lab.region, sleep=net.clock.sleep)
    environment = Environment(aws, net.clock.now, net.clock.sleep, may_start=lambda: next(causes))
    found = find_alerts(kept_of(net, run(net.document, environment, Policy())))
    stopped, done = sorted(found, key=lambda one: one.topic is Topic.DRIFT)
    assert (done.topic, done.title) == (Topic.DRIFT, "security_group/APIGatewaySG ingress: corrected")
    assert (stopped.topic, stopped.title) == (Topic.STOPPED, "the run stopped; partial: 1 of 2 done")
    assert [member.what for member in stopped.members] == [
        "another run has the lease",
        "security_group/DBSG: ingress: tcp 22 from 0.0.0.0/0",
    ]


def test_flapping_is_one_alert_with_both_sides(net: Network) -> None:
    open_ssh(net)
    somebody = Actor("arn:aws:iam::123456789012:user/kim", "AuthorizeSecurityGroupIngress", NOW)
    cause = Cause(Reason.FLAPPING, "flapping: it came back each time it was corrected")
    report = net.run(memory=Memory(flapping=lambda one: cause))
    one = the_one(kept_of(net, report, actors={Address(WEB): somebody}))
    assert (one.topic, one.once, one.actor) == (Topic.FLAPPING, True, somebody)


def test_a_deployment_that_only_reports_tells_each_drift_as_held(net: Network) -> None:
    open_ssh(net)
    one = the_one(kept_of(net, net.run(policy=Policy(mode="report"))))
    assert (one.title, one.members[0].why) == (
        "security_group/APIGatewaySG ingress: held",
        "this deployment only reports: SETPOINT_MODE is report",
    )


def test_a_plan_that_is_held_as_a_whole_is_one_concern(net: Network) -> None:
    open_ssh(net)
    open_ssh(net, "security_group/DBSG")
    one = the_one(kept_of(net, net.run(policy=Policy(max_breaks=1))))
    assert (one.topic, one.severity.value, len(one.members)) == (Topic.PLAN_HELD, "high", 2)
    assert len(one.release) == 16
