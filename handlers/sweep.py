"""The schedule's door: one message for every document, so that each is looked after within one period.

It lists the documents there are, and those that are remembered and may have been deleted; it reads none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.queue import Message
from handlers.stack import Stack, warm
from handlers.triggers import Dropped, UnknownEvent, message, read
from reconciler.trigger import Source, Trigger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class SweepError(Exception):
    """Some documents could not be put on the queue; Lambda tries the whole sweep again."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answers `{"documents": <how many messages were sent>}`."""
    with telemetry.voice(run_id=context.aws_request_id):
        return {"documents": sweep(event, warm(context.invoked_function_arn))}


def sweep(event: Any, stack: Stack) -> int:
    """How many messages were sent. Raises `UnknownEvent` for any event but the schedule's, `SourceError`, `LedgerError`
    and `SweepError`; a message that was sent twice does no harm.
    """
    trigger = read(event, stack.here)
    if isinstance(trigger, Dropped) or trigger.source is not Source.SCHEDULE:
        raise UnknownEvent("the sweep is woken by its schedule only: send anything else to the queue or to invoke")
    names = sorted({*stack.documents.names(), *stack.ledger.names()})
    lost = stack.queue.send(Message(message(name, Trigger(Source.SCHEDULE, name))) for name in names)
    if lost:
        raise SweepError(f"{len(lost)} of {len(names)} documents could not be put on the queue")
    return len(names)
