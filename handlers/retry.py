"""Retries what a run left undone: with a delayed message of its own, not by failing the message that it came with.

A failed message would end in the dead-letter queue; waiting for AWS, for a lease or for time is not a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from handlers.queue import QueueMessage, group
from handlers.stack import Stack
from handlers.triggers import message
from reconciler.attempt.keep import AttemptResult, Ending
from reconciler.model.trigger import Source, Trigger


def put_back(result: AttemptResult, stack: Stack) -> bool:
    """Whether what is left to do, if anything, is on the queue again. A request that no run has met yet keeps its
    `sent`, so that the current run may cover it; what a run left undone is a new request.
    """
    trigger = replace(result.trigger, sent=None) if result.ending is Ending.COMPLETED else result.trigger
    if result.report:
        trigger = replace(trigger, account=result.report.document.scope.account_id)
    return not stack.queue.send(again(result.document, trigger, result.retry_after))


def again(document: str, trigger: Trigger, delay: int) -> Iterator[QueueMessage]:
    """The message that retries a document after `delay` seconds; none for 0."""
    if delay:
        retry_at = replace(trigger, source=Source.RETRY, document=document, tries=trigger.tries + 1)
        yield QueueMessage(message(document, retry_at), delay, group(document, retry_at))
