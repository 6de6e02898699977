"""The schedule's door: every document that is there or remembered gets a message, whatever stands in its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from desired_state.sources import ListedDocument
from handlers.queue import Queue
from handlers.stack import Stack
from handlers.sweep import SweepError, sweep
from handlers.triggers import UnknownEvent
from lab.strict_aws import ACCOUNT
from reconciler.model.trigger import Source
from tests.support.doors import NAME, SCHEDULE, Doors, object_event


@dataclass
class Bucket:
    """Documents of these names, as a listing of S3 tells them; listings are tested in tests/runs/test_sources.py."""

    names: list[str]
    uploaded: datetime

    def listed(self) -> Iterator[ListedDocument]:
        return (ListedDocument(name, self.uploaded) for name in self.names)


def holding(doors: Doors, *names: str) -> Stack:
    stack = doors.another()
    stack.__dict__["documents"] = Bucket(list(names), doors.clock.now())
    return stack


def woken(doors: Doors) -> list[str]:
    return [json.loads(body)["document"] for body, _ in doors.sent()]


@pytest.mark.parametrize(("number", "calls"), [(0, 1), (1, 1), (25, 3)])
def test_every_document_gets_one_message_by_tens(doors: Doors, number: int, calls: int) -> None:
    names = [f"shop-{index:04}" for index in range(number)]
    assert doors.sweep(holding(doors, *names)) == number + 1
    assert woken(doors) == [*names, NAME]  # the reference document is remembered
    assert len([one for one in doors.lab.calls if one.operation == "SendMessageBatch"]) == calls
    assert [one for one in doors.lab.calls if one.service in {"ec2", "rds"}] == []


class Taking:
    """A queue that takes everything; the emulator's grows slow with what lies on it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def send_message_batch(self, **params: Any) -> dict[str, Any]:
        self.batches.append([json.loads(one["MessageBody"])["document"] for one in params["Entries"]])
        return {"Successful": [{"Id": one["Id"]} for one in params["Entries"]]}


def test_fifteen_hundred_documents_take_a_hundred_and_fifty_calls(doors: Doors) -> None:
    names = [f"shop-{index:04}" for index in range(1499)]
    client: Any = Taking()
    stack = holding(doors, *names)
    stack.__dict__["queue"] = Queue(client, doors.deployment.queue_url)
    assert doors.sweep(stack) == 1500
    assert [len(one) for one in client.batches] == [10] * 150
    assert [name for one in client.batches for name in one] == [*names, NAME]


def test_without_any_document_nothing_is_sent(doors: Doors) -> None:
    doors.delete()
    doors.work(object_event("Object Deleted"))
    assert doors.sweep() == 0
    assert doors.sent() == []


def test_a_message_says_that_it_was_the_schedule(doors: Doors) -> None:
    doors.sweep()
    ((body, delay),) = doors.sent()
    assert delay == 0
    assert json.loads(body) == {
        "setpoint": 1,
        "document": NAME,
        "trigger": {"source": Source.SCHEDULE.value, "account": ACCOUNT, "sent": None, "actors": [], "tries": 0},
    }


def test_a_batch_that_the_queue_takes_at_the_third_offer_is_not_lost(doors: Doors) -> None:
    doors.lab.faults.throttle("SendMessageBatch", times=2)
    assert doors.sweep(holding(doors, *(f"shop-{index}" for index in range(24)))) == 25
    assert len(woken(doors)) == 25


def test_a_batch_that_is_lost_fails_the_sweep_after_the_others_were_sent(doors: Doors) -> None:
    doors.lab.faults.throttle("SendMessageBatch", times=3)
    with pytest.raises(SweepError, match=r"^10 of 25 documents could not be put on the queue$"):
        doors.sweep(holding(doors, *(f"shop-{index}" for index in range(24))))
    assert len(woken(doors)) == 15


@pytest.mark.parametrize(
    ("operation", "code", "told"),
    [("ListObjectsV2", "AccessDenied", "s3:ListBucket"), ("Scan", "AccessDeniedException", "dynamodb:Scan")],
)
def test_where_one_list_cannot_be_read_the_other_is_swept_and_the_sweep_fails(
    doors: Doors, operation: str, code: str, told: str
) -> None:
    doors.lab.faults.refuse(operation, code=code)
    with pytest.raises(SweepError, match=told):
        doors.sweep()
    assert woken(doors) == [NAME]


def test_a_document_that_nobody_remembers_and_one_that_was_deleted_unseen_are_both_woken(doors: Doors) -> None:
    doors.delete()
    doors.upload(name="new")
    assert doors.sweep() == 2
    assert woken(doors) == ["new", NAME]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"source": "setpoint.schedule"},
        SCHEDULE | {"version": 2},
        object_event(),
        {"Records": []},
        {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}},
        None,
    ],
)
def test_any_other_event_wakes_nobody(doors: Doors, event: object) -> None:
    with pytest.raises(UnknownEvent):
        sweep(event, doors.stack)
    assert doors.sent() == []
