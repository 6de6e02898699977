"""Messages to the queue: in batches of ten, offered three times, never raised about and never lost in silence."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from handlers.queue import Queue, QueueMessage
from tests.support.doors import Doors


def queue(doors: Doors) -> Queue:
    return Queue(doors.session.client("sqs"), doors.deployment.queue_url)


def messages(number: int) -> list[QueueMessage]:
    return [QueueMessage(f"message {index}") for index in range(number)]


def offered(doors: Doors) -> list[int]:
    """How many messages each call held, refused ones too."""
    return [len(one.params["Entries"]) for one in doors.lab.calls if one.operation == "SendMessageBatch"]


class Sqs:
    """A queue that takes of each batch only what it is told to: a set of ids an answer, or an error."""

    def __init__(self, *answers: set[str] | Exception) -> None:
        self.answers, self.offered = list(answers), list[list[str]]()

    def send_message_batch(self, **params: Any) -> dict[str, Any]:
        self.offered.append([one["MessageBody"] for one in params["Entries"]])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        ids = [one["Id"] for one in params["Entries"]]
        failed = [{"Id": one, "Code": "InternalError", "SenderFault": False} for one in ids if one not in answer]
        return {"Successful": [{"Id": one} for one in ids if one in answer], "Failed": failed}


def test_nothing_to_send_is_no_call(doors: Doors) -> None:
    assert queue(doors).send([]) == ()
    assert offered(doors) == []


def test_messages_go_out_by_tens_in_their_order(doors: Doors) -> None:
    assert queue(doors).send(messages(25)) == ()
    assert offered(doors) == [10, 10, 5]
    assert [body for body, _ in doors.sent()] == [f"message {index}" for index in range(25)]


@pytest.mark.parametrize(("delay", "kept_back"), [(-5, 0), (0, 0), (60, 60), (900, 900), (5000, 900)])
def test_a_delay_is_never_more_than_sqs_takes(doors: Doors, delay: int, kept_back: int) -> None:
    assert queue(doors).send([QueueMessage("later", delay)]) == ()
    assert doors.sent() == [("later", kept_back)]


def test_what_an_answer_of_200_did_not_take_is_offered_again_alone() -> None:
    client: Any = Sqs({"0", "2"}, {"1"}, {"0"})
    assert Queue(client, "https://queue").send(messages(4)) == ()
    assert client.offered == [
        ["message 0", "message 1", "message 2", "message 3"],
        ["message 1", "message 3"],
        ["message 1"],
    ]


def test_what_is_not_taken_three_times_is_answered_and_the_next_batch_goes_out() -> None:
    all_ids = {str(index) for index in range(10)}
    client: Any = Sqs(all_ids - {"3"}, set(), set(), all_ids)
    assert Queue(client, "https://queue").send(messages(12)) == (QueueMessage("message 3"),)
    assert [len(one) for one in client.offered] == [10, 1, 1, 2]


def test_an_answer_that_is_no_answer_loses_the_messages_and_raises_nothing() -> None:
    client: Any = Sqs(*[ResponseParserError("no JSON")] * 3)
    assert Queue(client, "https://queue").send(messages(2)) == tuple(messages(2))


def test_a_queue_that_is_refused_loses_all_after_three_offers(doors: Doors) -> None:
    doors.lab.faults.refuse("SendMessageBatch", code="AccessDenied")
    assert queue(doors).send(messages(3)) == tuple(messages(3))
    assert offered(doors) == [3, 3, 3]


def test_a_queue_that_is_busy_for_a_moment_loses_nothing(doors: Doors) -> None:
    doors.lab.faults.throttle("SendMessageBatch", times=2)
    assert queue(doors).send(messages(3)) == ()
    assert len(doors.sent()) == 3
