"""The queue's door: one run for each document that a batch of messages is about.

What has to wait comes back as a message of our own, later: only what is no message at all, or could not be put back,
fails its item, and ends in the dead-letter queue after some tries.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.queue import Message
from handlers.stack import Stack, warm
from handlers.triggers import Dropped, UnknownEvent, message, read_record
from reconciler.keep import keep
from reconciler.ledger import LedgerError
from reconciler.report.kept import Ending, Kept
from reconciler.trigger import Source, Trigger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

log = logging.getLogger(__name__)

ENOUGH = 20.0
"""Seconds beyond the reserve that a run needs to be worth beginning."""


@dataclass(frozen=True)
class Call:
    """One invocation: its name, and how many seconds it has left."""

    run_id: str
    seconds_left: Callable[[], float]


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answers which messages are to come again: `{"batchItemFailures": [{"itemIdentifier": ...}]}`."""
    with telemetry.voice(run_id=context.aws_request_id):
        call = Call(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        failed = work(event["Records"], warm(context.invoked_function_arn), call)
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def work(records: Iterable[Mapping[str, Any]], stack: Stack, call: Call) -> tuple[str, ...]:
    """The ids of the messages that failed, in the order they came."""
    records = list(records)
    wishes, failed = _wishes(records, stack)
    for document, asked in sorted(wishes.items()):
        trigger = reduce(_merged, (trigger for _, trigger in asked))
        try:
            done = _one(document, trigger, stack, call)
        except Exception:
            # One document's mistake must not cost the others their run; the message comes again, and is kept at last.
            log.exception("%s: the run broke off", document)
            done = False
        failed |= set() if done else {item for item, _ in asked}
    return tuple(one["messageId"] for one in records if one["messageId"] in failed)


def _wishes(
    records: Iterable[Mapping[str, Any]], stack: Stack
) -> tuple[Mapping[str, list[tuple[str, Trigger]]], set[str]]:
    """By document, which messages want it looked after; and the ids of those that cannot be understood."""
    wishes: dict[str, list[tuple[str, Trigger]]] = defaultdict(list)
    failed: set[str] = set()
    at: dict[str, tuple[str, ...]] = {}
    for record in records:
        item = record["messageId"]
        try:
            trigger = read_record(record, stack.here)
            if isinstance(trigger, Dropped):
                log.info("not for us: %s", trigger.reason)
                continue
            if trigger.source is Source.SCHEDULE and not trigger.document:
                raise UnknownEvent("the schedule's event belongs to the sweep: it says no document")
            if not trigger.document and trigger.account not in at:
                at[trigger.account] = stack.ledger.documents(trigger.account, stack.region)
        except (UnknownEvent, LedgerError) as error:
            log.error("message %s: %s", item, error)  # noqa: TRY400 (what, where and the mend; a traceback adds nothing)
            failed.add(item)
            continue
        for document in [trigger.document] if trigger.document else at[trigger.account]:
            wishes[document].append((item, trigger))
    return wishes, failed


def _merged(one: Trigger, other: Trigger) -> Trigger:
    """Two reasons to look after one document, as one: the later message decides whether a look has covered both."""
    sent = max(one.sent, other.sent) if one.sent and other.sent else None
    first = min(one, other, key=lambda trigger: list(Source).index(trigger.source))
    return replace(first, sent=sent, actors=(*one.actors, *other.actors), tries=max(one.tries, other.tries))


def _one(document: str, trigger: Trigger, stack: Stack, call: Call) -> bool:
    """Whether the document was looked after, or will be: its messages are done with."""
    if call.seconds_left() < stack.deployment.reserve_seconds + ENOUGH:
        return _send(document, trigger, 1, stack)
    with telemetry.about(document=document):
        kept = keep(document, trigger, stack.means(call.run_id, call.seconds_left))
    telemetry.tell(kept)
    return put_back(kept, stack)


def put_back(kept: Kept, stack: Stack) -> bool:
    """Whether what is left to do, if anything, is on the queue again. A wish that no run has met yet keeps its age, so
    that the run that is going on may cover it; what a run left undone is a new wish.
    """
    if not kept.again:
        return True
    trigger = replace(kept.trigger, sent=None) if kept.ending is Ending.LOOKED else kept.trigger
    return _send(kept.document, trigger, kept.again, stack)


def _send(document: str, trigger: Trigger, delay: int, stack: Stack) -> bool:
    again = replace(trigger, source=Source.AGAIN, document=document, tries=trigger.tries + 1)
    return not stack.queue.send([Message(message(document, again), delay)])
