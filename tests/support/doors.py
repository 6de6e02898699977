"""One deployed stack on the laboratory: bucket, table, queue, topic, and the doors called as Lambda calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from handlers.invoke import invoke
from handlers.settings import Deployment
from handlers.stack import Invocation, Stack
from handlers.sweep import sweep
from handlers.worker import work
from lab.drifts import DRIFTS
from lab.network import find_network
from lab.strict_aws import ACCOUNT, REGION, StrictAws, laboratory
from lab.world import World
from reconciler.history.store import Receipts
from reconciler.model import Policy
from tests.support.emptied import empty_bucket, empty_table
from tests.support.ledger_table import create_table
from tests.support.runs import REFERENCE, Clock

BUCKET, RECEIPTS, TABLE = "setpoint-documents", "setpoint-receipts", "setpoint-ledger"
SCHEDULE = {"source": "setpoint.schedule", "version": 1}
WORKER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/setpoint-worker"
NAME = REFERENCE["name"]
_DRIFTS = {one.name: one for one in DRIFTS}


@dataclass
class Doors:
    """The deployed stack; `clock` is everybody's clock, and only sleeping and waiting move it."""

    lab: StrictAws
    deployment: Deployment
    policy: Policy = field(default_factory=lambda: Policy(create_databases=True))
    clock: Clock = field(default_factory=Clock)
    seconds_left: Callable[[], float] = lambda: 300.0
    runs: int = 0

    def __post_init__(self) -> None:
        self.session = self.lab.session()
        self.hands = self.lab.outsider()
        self.lab.trail.now = self.clock.now
        self.stack = self.another()
        self._s3, self._answered, self.version_id = self.hands.client("s3"), 0, ""

    def another(self, policy: Policy | None = None, name: str = "") -> Stack:
        """The same stack in another process: nothing in memory is shared. `name` is what the laboratory calls it."""
        return Stack(
            self.lab.session(name) if name else self.session,
            self.deployment,
            policy or self.policy,
            account=ACCOUNT,
            region=REGION,
            function="setpoint-worker",
            now=self.clock.now,
            sleep=self.clock.sleep,
        )

    def uploaded(self, name: str = NAME) -> dict[str, Any]:
        """The event of the last upload."""
        event = object_event(name=name)
        event["detail"]["object"]["version-id"] = self.version_id
        return event

    def upload(self, change: Callable[[dict[str, Any]], object] | None = None, *, name: str = NAME) -> dict[str, Any]:
        """Put the reference document, changed in place by `change`, where the stack looks for it."""
        written = deepcopy(REFERENCE)
        if change:
            change(written)
        self.upload_bytes(json.dumps(written).encode(), name=name)
        return written

    def upload_bytes(self, data: bytes, *, name: str = NAME) -> None:
        answer = self._s3.put_object(Bucket=BUCKET, Key=f"documents/{name}.json", Body=data)
        self.version_id = answer["VersionId"]

    def delete(self, name: str = NAME) -> None:
        self._s3.delete_object(Bucket=BUCKET, Key=f"documents/{name}.json")

    def drift(self, name: str) -> None:
        """Do the drift of that name, in somebody else's hands."""
        _DRIFTS[name].apply(self.hands, find_network(self.hands, NAME))

    def record(self, body: object, *, sent: datetime | None = None) -> dict[str, Any]:
        """A message as Lambda hands it to the worker."""
        self.runs += 1
        at = int((sent or self.clock.now()).timestamp() * 1000)
        text = body if isinstance(body, str) else json.dumps(body)
        return {"messageId": f"message-{self.runs}", "body": text, "attributes": {"SentTimestamp": str(at)}}

    def begin(self, built: World | None = None) -> World:
        """The reference network, built by the product from an upload, and remembered as the world to start from.

        `built` is that world, where another stack has built it before. `empty` is the one before it.
        """
        self.empty = self.lab.save()
        if built is None:
            self.upload()
            assert self.work(object_event()) == ()
            self.lab.settle()
            self.settle()
            built = self.lab.save()
        self._clean, self._looked_at = built, self.clock.at
        self._item: dict[str, Any] = {}
        self._receipt: dict[str, Any] = {}
        return built

    def again(self) -> None:
        """As `begin` left it: the network in sync, the document uploaded and looked after once, all told and quiet."""
        self.lab.restore(self._clean)
        self.lab.faults.clear()
        self.lab.before_call = self.lab.after_write = None
        self.lab.trail.clear()
        self.stack.told.clear()
        self.seconds_left = lambda: 300.0
        for bucket in (BUCKET, RECEIPTS):
            empty_bucket(ACCOUNT, bucket)
        empty_table(ACCOUNT, REGION, TABLE)
        self._look_after()
        self.lab.calls.clear()
        self._answered = 0

    def _look_after(self) -> None:
        """Have the worker look after the document, the first time; then what it remembered is put back, at its time."""
        self.upload()
        if self._item:
            self.clock.at = self._looked_at
            accepted = {"M": self._item["accepted"]["M"] | {"version_id": {"S": self.version_id}}}
            item = self._item | {"accepted": accepted, "announced": accepted}
            self.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
            self._s3.put_object(Bucket=RECEIPTS, **self._receipt)
            return
        assert self.work(object_event()) == ()
        self.clock.sleep(60)
        self._item, self._looked_at = self.item(), self.clock.at
        (name,) = self.puts()[-1:]
        body = self._s3.get_object(Bucket=RECEIPTS, Key=name)["Body"].read()
        self._receipt = {"Key": name, "Body": body, "ContentEncoding": "gzip"}

    def sweep(self, stack: Stack | None = None) -> int:
        return sweep(SCHEDULE, stack or self.stack)

    def work(self, *bodies: object, stack: Stack | None = None) -> tuple[str, ...]:
        """The worker on one batch; which messages failed."""
        return self.work_records([self.record(body) for body in bodies], stack)

    def work_records(self, records: list[dict[str, Any]], stack: Stack | None = None) -> tuple[str, ...]:
        received = str(int(self.clock.now().timestamp() * 1000))
        for one in records:
            one["attributes"].setdefault("ApproximateFirstReceiveTimestamp", received)
        self.clock.sleep(5)  # the queue's batching window
        self.runs += 1
        return work(records, stack or self.stack, Invocation(f"run-{self.runs}", self.seconds_left))

    def invoke(self, stack: Stack | None = None, **payload: Any) -> dict[str, Any]:
        self.runs += 1
        return invoke(
            {"document": NAME} | payload, stack or self.stack, Invocation(f"run-{self.runs}", self.seconds_left)
        )

    def invoke_fleet(self, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the function answers about all documents."""
        self.runs += 1
        return invoke(event or {"fleet": True}, self.stack, Invocation(f"run-{self.runs}", self.seconds_left))

    def sent(self) -> list[tuple[str, int]]:
        """Every message put on the queue so far: its body, and the seconds it is kept back."""
        calls = [one for one in self.lab.calls if one.operation == "SendMessageBatch" and one.error is None]
        return [(entry["MessageBody"], entry["DelaySeconds"]) for one in calls for entry in one.params["Entries"]]

    def settle(self, rounds: int = 10) -> None:
        """Hand the worker what was put on the queue, time passing as it must, until nothing is left."""
        for _ in range(rounds):
            waiting = self.sent()[self._answered :]
            if not waiting:
                return
            self._answered += len(waiting)
            for body, delay in waiting:
                record = self.record(body)
                self.clock.sleep(delay)
                assert self.work_records([record]) == ()
        raise AssertionError("the queue does not come to rest")

    def alerts(self) -> list[dict[str, Any]]:
        """Every message published so far, as it was given to SNS."""
        return [one.params for one in self.lab.calls if one.operation == "Publish" and one.error is None]

    def others(self) -> list[dict[str, Any]]:
        """Every message published so far, but that a revision was accepted."""
        return [one for one in self.alerts() if one["MessageAttributes"]["topic"]["StringValue"] != "revision"]

    def events(self) -> list[dict[str, Any]]:
        """The details of the events put on the bus so far."""
        calls = [one for one in self.lab.calls if one.operation == "PutEvents" and one.error is None]
        return [json.loads(entry["Detail"]) for one in calls for entry in one.params["Entries"]]

    def writes(self) -> list[str]:
        """The writes to the network and the database so far, refused ones too."""
        return [one.operation for one in self.lab.calls if one.kind == "write" and one.service in {"ec2", "rds"}]

    def receipts(self) -> Receipts:
        """The receipts, as somebody reads them who may."""
        return Receipts(self._s3, RECEIPTS)

    def puts(self) -> list[str]:
        """The keys of the receipts that were put so far, also where S3 refused."""
        return [one.params["Key"] for one in self.lab.calls if one.operation == "PutObject"]

    def item(self) -> dict[str, Any]:
        """The ledger's item of the reference document, as DynamoDB has it; empty where there is none."""
        answer = self.hands.client("dynamodb").get_item(TableName=TABLE, Key={"document": {"S": NAME}})
        return dict(answer.get("Item", {}))


@contextmanager
def deployed(**chosen: Any) -> Iterator[Doors]:
    """A fresh laboratory with a stack deployed in it, and no document yet."""
    with laboratory(REGION) as lab:
        hands = lab.outsider()
        s3 = hands.client("s3")
        for bucket in (BUCKET, RECEIPTS):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        create_table(hands.client("dynamodb"), TABLE)
        url = hands.client("sqs").create_queue(QueueName="setpoint")["QueueUrl"]
        topic = hands.client("sns").create_topic(Name="setpoint")["TopicArn"]
        deployment = Deployment.model_validate(
            {
                "bucket": BUCKET,
                "receipts": RECEIPTS,
                "table": TABLE,
                "queue_url": url,
                "topic_arn": topic,
                "own_roles": (WORKER_ROLE,),
                **chosen,
            }
        )
        yield Doors(lab, deployment)


def object_event(what: str = "Object Created", name: str = NAME) -> dict[str, Any]:
    """What EventBridge makes of an upload or a deletion (S3 user guide, EventBridge event message structure)."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": what,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2026-11-22T09:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {"key": f"documents/{name}.json", "version-id": "v", "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": ACCOUNT,
            "source-ip-address": "198.51.100.7",
            "reason": "PutObject" if what == "Object Created" else "DeleteObject",
        },
    }
