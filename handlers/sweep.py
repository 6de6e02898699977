"""The function `sweep`: on a schedule, puts a message for every document on the queue.

It lists the documents in the bucket, and those in the table, which may have been deleted; it reads none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from desired_state.sources import SourceError
from handlers import telemetry
from handlers.queue import QueueMessage
from handlers.stack import Stack, ready, warm
from handlers.triggers import Dropped, UnknownEvent, message, read
from reconciler.ledger.table import LedgerError
from reconciler.model.trigger import Source, Trigger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class SweepError(Exception):
    """Some documents could not be listed or put on the queue; Lambda retries the whole sweep."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Returns `{"documents": <how many messages were sent>}`."""
    with telemetry.log_context(run_id=context.aws_request_id):
        return {"documents": sweep(event, warm())}


def sweep(event: Any, stack: Stack) -> int:
    """How many messages were sent. Raises `UnknownEvent` for any event but the schedule's, and `SweepError` after all
    other documents are on the queue; sending a message twice does no harm.
    """
    trigger = read(event, stack.here)
    if isinstance(trigger, Dropped) or trigger != Trigger(Source.SCHEDULE):
        raise UnknownEvent("the sweep accepts its schedule's event only; send anything else to the queue or to invoke")
    names: set[str] = set()
    problems: list[str] = []
    for listed in (stack.documents.names, stack.ledger.names):
        try:
            names.update(listed())
        except (SourceError, LedgerError) as error:
            problems.append(str(error))
    messages = [QueueMessage(message(name, Trigger(Source.SCHEDULE, name))) for name in sorted(names)]
    if lost := stack.queue.send(messages):
        problems.append(f"{len(lost)} of {len(names)} documents could not be put on the queue")
    if problems:
        raise SweepError("; ".join(problems))
    return len(names)


ready()
