"""The stack with its functions running: what reaches them, what they let out, and the network that they look after.

    stack.drift("ssh-opened-to-the-world")
    stack.sweep()
    stack.deliver()
    assert stack.writes == ["RevokeSecurityGroupIngress"]

The functions are started once for all tests, each when it is first called; `begin` puts everything else back. Plain
moto stands for AWS. It hands queue, topic and bus on to one another; S3's and CloudTrail's events are made up here as
AWS would write them: of CloudTrail's those of calls that were really made (`lab/trail.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from lab import world
from lab.drifts import DRIFTS
from lab.live import Live
from lab.network import Network, find_network
from lab.sessions import fake_session
from lab.trail import Trail
from reconciler.history.store import Receipts
from tests.support.account import Account
from tests.support.canaries import ENVIRONMENT, assert_silent
from tests.support.emptied import empty_bucket, empty_table
from tests.support.packets import State, look
from tests.support.runtime_api import ACCOUNT, REGION, Answer, Lambda

EXAMPLE = Path(__file__).parents[2] / "desired_state" / "examples" / "test-server.json"
NAME = "test-server"
SCHEDULE = {"source": "setpoint.schedule", "version": 1}
OWN_ROLES = f"arn:aws:iam::{ACCOUNT}:role/setpoint-worker,arn:aws:iam::{ACCOUNT}:role/setpoint-invoke"
METRICS = {
    "Drifted",
    "Corrected",
    "Held",
    "Waiting",
    "Blocked",
    "Failed",
    "Unmanaged",
    "ReadCalls",
    "WriteCalls",
    "RunDuration",
    "ExposureSeconds",
    "IntentsBroken",
    "IntentsUnknown",
    "DocumentInvalid",
    "RunSucceeded",
    "AlertsLost",
    "ReceiptsLost",
    "OldestLookAge",
    "DocumentsStale",
}
_DRIFTS = {one.name: one for one in DRIFTS}


class Queued(NamedTuple):
    """A message on the work queue, and for how many seconds SQS keeps it back."""

    body: Any
    delay: int


@dataclass
class Stack:
    """`start` makes a function of a handler, a file for its output and its environment. `after_write` is called with
    the name of each call of a function that changed the network or the database, once moto has carried it out.
    """

    url: str
    start: Callable[[str, Mapping[str, str]], Lambda]
    running: ExitStack
    after_write: Callable[[str], None] | None = None
    writes: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._session, self._others = (fake_session(REGION) for _ in range(2))
        self._others.events.register_first("provide-client-params", _keep)
        self._others.events.register("after-call", self._notice)
        self._clients: dict[str, Any] = {}
        self._doors: dict[str, Lambda] = {}
        self._live = Live(REGION, ACCOUNT)
        self.trail = Trail(ACCOUNT, REGION)
        self._called: Lambda | None = None
        self._saved: world.World | None = None
        self._item: dict[str, Any] = {}
        self._backend: Any = None

    @property
    def stands(self) -> bool:
        """Whether it is still there; tests of other modules empty the emulator."""
        return self._backend is self._live.ec2

    def deploy(self, account: Account) -> None:
        """Set up in an empty account: somebody listens to topic and bus, and the artefact builds the network."""
        self.environment = account.environment | ENVIRONMENT
        self.environment |= {"SETPOINT_CREATE_DATABASES": "1", "SETPOINT_OWN_ROLES": OWN_ROLES}
        self.bucket, self.table, self.queue_url = account.bucket, account.table, account.queue_url
        self.receipts = account.receipts
        sqs, events = self.client("sqs"), self.client("events")
        people, programs = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for name in ("people", "programs"))
        self.people_url = sqs.create_queue(QueueName="people")["QueueUrl"]
        self.client("sns").subscribe(TopicArn=account.topic_arn, Protocol="sqs", Endpoint=people)
        self.programs_url = sqs.create_queue(QueueName="programs")["QueueUrl"]
        events.put_rule(Name="programs", EventPattern=json.dumps({"source": ["setpoint"]}))
        events.put_targets(Rule="programs", Targets=[{"Id": "programs", "Arn": programs}])
        self.upload(EXAMPLE.read_bytes())
        self.answers.clear()
        self.built = self.invoke(document=NAME, mode="apply")
        self.told_of_building = self.hear()
        self._saved, self._item, self._backend = world.save(self._live), self.item(), self._live.ec2

    def begin(self) -> None:
        """The example network in sync, its document uploaded and looked after once, nobody told of anything."""
        assert self._saved
        world.restore(self._live, self._saved)
        for bucket in (self.bucket, self.receipts):
            empty_bucket(ACCOUNT, bucket)
        empty_table(ACCOUNT, REGION, self.table)
        for queue in self._queues().values():
            queue._messages.clear()  # SQS would purge once a minute
        version = self.upload(EXAMPLE.read_bytes())
        self.put_item(self._item | {"accepted": self._item["accepted"] | {"version_id": version}})
        self.trail.clear()
        self.writes.clear()
        self.answers.clear()
        self.after_write = None

    # What reaches the functions

    def client(self, service: str) -> Any:
        """The tests' own hands: nobody hears of what they do."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self.url)  # type: ignore[call-overload]
        return self._clients[service]

    def upload(self, data: bytes, name: str = NAME) -> str:
        key = f"documents/{name}.json"
        return str(self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=data)["VersionId"])

    def upload_changed(self, change: Callable[[dict[str, Any]], object]) -> str:
        """The example, changed in place by `change`; the id of its version."""
        document = json.loads(EXAMPLE.read_bytes())
        change(document)
        return self.upload(json.dumps(document).encode())

    def door(self, name: str) -> Lambda:
        """The function of that door, started if it is not running yet."""
        if name not in self._doors:
            self._doors[name] = self.running.enter_context(self.start(f"handlers.{name}.handler", self.environment))
        return self._doors[name]

    def call(self, door: Lambda, event: Any, **how: Any) -> Answer:
        """Invoke a function; whatever it lets out is kept for `hear`."""
        self._called = door
        answer = door.invoke(event, **how)
        self._called = None
        self.answers.append(answer)
        return answer

    def sweep(self, event: Any = SCHEDULE) -> Answer:
        return self.call(self.door("sweep"), event)

    def work(self, *bodies: object, sent: datetime | None = None, **how: Any) -> Answer:
        """The worker on one batch of messages that never were on the queue; ids are message-0, message-1 ..."""
        at = str(int((sent or datetime.now(UTC)).timestamp() * 1000))
        texts = [one if isinstance(one, str) else json.dumps(one) for one in bodies]
        records = [
            {"messageId": f"message-{number}", "body": text, "attributes": {"SentTimestamp": at}}
            for number, text in enumerate(texts)
        ]
        return self.call(how.pop("by", None) or self.door("worker"), {"Records": records}, **how)

    def send(self, *events: object) -> None:
        """Put events on the work queue, as EventBridge's rules do."""
        for one in events:
            self.client("sqs").send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(one))

    def deliver(self) -> Answer:
        """What Lambda does with the queue: one batch to the worker, and what did not fail is deleted."""
        sqs = self.client("sqs")
        answer = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"])
        records = [
            {"messageId": one["MessageId"], "body": one["Body"], "attributes": one["Attributes"]}
            for one in answer["Messages"]
        ]
        done = self.call(self.door("worker"), {"Records": records})
        assert done.payload, done
        failed = {one["itemIdentifier"] for one in done.payload["batchItemFailures"]}
        for one in answer["Messages"]:
            if one["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=one["ReceiptHandle"])
        return done

    def invoke(self, **payload: Any) -> Answer:
        return self.call(self.door("invoke"), payload)

    # What they let out

    def queued(self) -> list[Queued]:
        """What is on the work queue, also what SQS does not hand out yet; it stays there."""
        return [
            Queued(json.loads(one.body), round((one.delayed_until - one.sent_timestamp) / 1000))
            for one in self._queues()["setpoint-work"]._messages
        ]

    def _queues(self) -> Any:
        from moto.backends import get_backend

        return get_backend("sqs")[ACCOUNT][REGION].queues

    def hear(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The messages to people (Subject, Message, MessageAttributes) and the events for programs since the last time;
        everything that the functions let out meanwhile is looked at, and must be clean.
        """
        people = [json.loads(body) for body in self._taken(self.people_url)]
        programs = [json.loads(body) for body in self._taken(self.programs_url)]
        lines = [line for one in self.answers for line in one.log_lines]
        for line in lines:
            check_line(line)
        told = [(one["Subject"], one["Message"], one.get("MessageAttributes")) for one in people]
        out = [*lines, *(json.dumps([one.payload, one.error]) for one in self.answers), *map(json.dumps, told)]
        out += [json.dumps(one["detail"]) for one in programs] + [json.dumps(one.body) for one in self.queued()]
        out += [json.dumps(self.item(), default=str), *(json.dumps(one) for one in self.left())]
        self.answers.clear()
        for text in (*out, *(part for one in people for part in (one["Subject"], one["Message"]))):
            assert_silent(text)
        for text in (part for one in people for part in (one["Subject"], *one["Message"].splitlines())):
            assert text.isprintable(), text
        return people, programs

    def left(self) -> list[dict[str, Any]]:
        """The receipts that runs have left, oldest first."""
        receipts = Receipts(self.client("s3"), self.receipts)
        return [dict(receipts.get(one.key).receipt) for one in receipts.listed(NAME)]

    def _taken(self, url: str) -> Iterator[str]:
        sqs = self.client("sqs")
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
                yield one["Body"]

    def item(self, name: str = NAME) -> dict[str, Any]:
        """What is remembered of a document, as plain values; empty where nothing is."""
        found = self.client("dynamodb").get_item(TableName=self.table, Key={"document": {"S": name}}).get("Item", {})
        return {name: TypeDeserializer().deserialize(value) for name, value in found.items()}

    def put_item(self, item: Mapping[str, Any]) -> None:
        written = {name: TypeSerializer().serialize(value) for name, value in item.items()}
        self.client("dynamodb").put_item(TableName=self.table, Item=written)

    # The network, and what others do to it

    def drift(self, *names: str) -> list[dict[str, Any]]:
        """Do the drifts of those names; what EventBridge delivers of the calls that they took."""
        before = len(self.trail.events())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", self.url)
            network = self.live()
            for name in names:
                _DRIFTS[name].apply(self._others, network)
        return self.trail.events()[before:]

    def _notice(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        if not model.name.startswith("Describe"):
            self.trail.write(model.service_model.service_name, model.name, context["asked"], parsed, "somebody")

    def live(self) -> Network:
        """The ids of the example network."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", self.url)
            return find_network(self._session, NAME)

    def state(self) -> State:
        """What lets packets through, for the packet oracle."""
        return look(self.client("ec2"), self.client("rds"), self.item()["vpc_id"])

    def written(self, operation: str) -> None:
        """Moto has carried out a call that was no read; the tests' own are not counted."""
        if self._called is not None:
            self.writes.append(operation)
            if self.after_write:
                self.after_write(operation)

    @contextmanager
    def watched(self) -> Iterator[list[State]]:
        """The states after every write that a function makes meanwhile."""
        states: list[State] = []
        self.after_write = lambda operation: states.append(self.state())
        yield states
        self.after_write = None


def _keep(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context["asked"] = params


def check_line(line: str) -> dict[str, Any]:
    """One line of the log: one JSON object with nothing alive in it; metrics have the one set of dimensions."""
    told: dict[str, Any] = json.loads(line)
    assert isinstance(told, dict), line
    assert line.isprintable(), line
    frames = told.pop("stackTrace", [])  # the runtime client's own: files and lines of this program
    for text in _texts(told):
        assert text.isprintable(), line
    assert all(re.fullmatch(r'  File "[^"\n]+", line \d+, in \w+\n    [^\n]+\n', frame) for frame in frames), line
    if "_aws" in told:
        (directive,) = told["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Setpoint"
        assert directive["Dimensions"] == [["service"]]
        assert told["service"] == "setpoint"
        named = {one["Name"] for one in directive["Metrics"]}
        assert named <= METRICS
        of_document = set() if "DocumentsStale" in named else {"document"}
        assert {*told} - {"revision"} == {"_aws", "service", "run_id", *of_document, *named}
    return told


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str():
            yield value
        case _:
            pass
