"""The function `worker`: one run for each document in a batch of queue messages.

What has to wait is sent again as a delayed message (`retry.py`). Only a message that cannot be parsed, or could not be
sent again, fails its batch item, and ends in the dead-letter queue after some retries.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.batch import in_turn, requests_of
from handlers.queue import QueueMessage
from handlers.retry import again, put_back
from handlers.stack import Invocation, Stack, ready, warm
from handlers.triggers import UnknownEvent
from reconciler.attempt.keep import keep, retry_delay
from reconciler.model.trigger import Trigger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

log = logging.getLogger(__name__)

ENOUGH = 20.0
"""Seconds beyond the reserve that a run needs to be worth starting."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Returns the messages that SQS is to deliver again: `{"batchItemFailures": [{"itemIdentifier": ...}]}`."""
    with telemetry.log_context(run_id=context.aws_request_id):
        invocation = Invocation(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        if not isinstance(event, Mapping) or not isinstance(event.get("Records"), list):
            raise UnknownEvent(
                "the worker accepts batches of its queue only; send anything else to the queue or to invoke"
            )
        failed = work(event["Records"], warm(), invocation)
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def work(records: Iterable[Mapping[str, Any]], stack: Stack, invocation: Invocation) -> tuple[str, ...]:
    """The ids of the messages that failed, in the order they came."""
    records = list(records)
    requests, failed = requests_of(records, stack)
    postponed: dict[str, QueueMessage] = {}
    for document, trigger in in_turn(requests):
        if invocation.seconds_left() < stack.deployment.reserve_seconds + ENOUGH:
            log.warning("%s: postponed, because the invocation has too little time left", document)
            postponed.update((document, one) for one in again(document, trigger, retry_delay(trigger, 1)))
            continue
        try:
            done = _one(document, trigger, stack, invocation)
        except Exception:
            # `keep` tells of its own mistakes, so this is one before or after it. It must not cost the others their
            # run; the message is delivered some times again, and ends in the dead-letter queue.
            log.exception("%s: the run broke off", document)
            done = False
        failed |= set() if done else {item for item, _ in requests[document]}
    unsent = set(stack.queue.send(postponed.values()))
    failed |= {item for document, one in postponed.items() if one in unsent for item, _ in requests[document]}
    return tuple(one["messageId"] for one in records if one["messageId"] in failed)


def _one(document: str, trigger: Trigger, stack: Stack, invocation: Invocation) -> bool:
    """Whether the document was reconciled, or will be retried: its messages are done."""
    with telemetry.log_keys(document=document):
        result = keep(document, trigger, stack.dependencies(invocation))
    try:
        telemetry.emit(result)
    except Exception:  # what the run did is done, and people were told
        log.exception("%s: the records of the run could not be written", document)
    return put_back(result, stack)


ready()
