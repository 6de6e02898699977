"""Sends messages to the worker's queue: the sweep's, and those that retry a document later."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.sanitize import sanitize
from reconciler.model.trigger import Trigger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

log = logging.getLogger(__name__)

ENTRIES = 10
"""The most entries of a SendMessageBatch (SQS API reference)."""
ATTEMPTS = 3
"""Per message: a 200 from SQS may contain failed entries."""
LONGEST_GROUP = 128
"""Characters of a MessageGroupId (SQS API reference, SendMessage)."""
LONGEST_DELAY = 900
"""Seconds: the longest delay of an SQS message (SQS API reference, DelaySeconds)."""


@dataclass(frozen=True)
class QueueMessage:
    """A body to put on the queue, delayed by `delay` seconds. `group` is whom a fair queue takes it to be from: of a
    group that takes long it hands out messages only where there are no others (SQS developer guide, How Amazon SQS fair
    queues work). Empty: it is a group of its own.
    """

    body: str
    delay: int = 0
    group: str = ""


def group(document: str, trigger: Trigger) -> str:
    """The group of a message: the account if it is known, since it is accounts that are slow; else the document."""
    return trigger.account or document[:LONGEST_GROUP]


class Queue:
    """The queue at `url`."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client, self._url = client, url

    def send(self, messages: Iterable[QueueMessage]) -> tuple[QueueMessage, ...]:
        """Sends the messages and returns those that failed three times; never raises for an answer of SQS."""
        failed: list[QueueMessage] = []
        for chunk in batched(messages, ENTRIES, strict=False):
            left = chunk
            for _ in range(ATTEMPTS):
                left = self._send_batch(left)
                if not left:
                    break
            failed += left
        return tuple(failed)

    def _send_batch(self, messages: tuple[QueueMessage, ...]) -> tuple[QueueMessage, ...]:
        """The messages of one batch that SQS did not accept."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = []
        for index, one in enumerate(messages):
            delay = min(max(one.delay, 0), LONGEST_DELAY)
            entries.append({"Id": str(index), "MessageBody": one.body, "DelaySeconds": delay})
            if one.group:
                entries[-1]["MessageGroupId"] = one.group
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            log.warning("the queue accepted none of %d messages: %s", len(messages), sanitize(str(error)))
            return messages
        accepted = {int(one["Id"]) for one in answer.get("Successful", ())}
        return tuple(one for index, one in enumerate(messages) if index not in accepted)
