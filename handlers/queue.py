"""Messages to the one queue between everybody and the worker: the sweep's, and those of work that comes back later."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.sanitize import sanitize

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

log = logging.getLogger(__name__)

ENTRIES = 10
"""The most that SendMessageBatch takes (SQS API reference)."""
ATTEMPTS = 3
"""How often what SQS did not take is offered: an answer of 200 may hold failed entries."""
LONGEST_DELAY = 900
"""Seconds: the most that SQS keeps a message back (SQS API reference, DelaySeconds)."""


@dataclass(frozen=True)
class QueueMessage:
    """What to put on the queue, and how many seconds it is kept back there."""

    body: str
    delay: int = 0


class Queue:
    """The queue at `url`."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client, self._url = client, url

    def send(self, messages: Iterable[QueueMessage]) -> tuple[QueueMessage, ...]:
        """Those that could not be sent, after three tries each; never raises for what SQS answers."""
        lost: list[QueueMessage] = []
        for chunk in batched(messages, ENTRIES, strict=False):
            left = chunk
            for _ in range(ATTEMPTS):
                left = self._offer(left)
                if not left:
                    break
            lost += left
        return tuple(lost)

    def _offer(self, messages: tuple[QueueMessage, ...]) -> tuple[QueueMessage, ...]:
        """Those of one batch that SQS did not take."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": one.body, "DelaySeconds": min(max(one.delay, 0), LONGEST_DELAY)}
            for index, one in enumerate(messages)
        ]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            log.warning("the queue took none of %d messages: %s", len(messages), sanitize(str(error)))
            return messages
        taken = {int(one["Id"]) for one in answer.get("Successful", ())}
        return tuple(one for index, one in enumerate(messages) if index not in taken)
