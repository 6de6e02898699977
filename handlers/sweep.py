"""The function `sweep`: on a schedule, puts a message for every document on the queue, and measures the last looks.

It lists the documents in the bucket, and those in the table, which may have been deleted; it reads none of them. What
nobody has looked at for too long it tells people itself: the worker cannot, if its table is down or it always dies.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from desired_state.sources import ListedDocument, SourceError
from handlers import telemetry
from handlers.queue import QueueMessage, group
from handlers.stack import Stack, ready, warm
from handlers.staleness import Staleness, memory_lost, staleness, unwatched
from handlers.triggers import Dropped, UnknownEvent, message, read
from reconciler.ledger.lease import LastLook
from reconciler.ledger.table import LedgerError
from reconciler.model.trigger import Source, Trigger
from reconciler.notify.deduplication import Notification
from reconciler.notify.message import NotificationOrigin

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

log = logging.getLogger(__name__)

_LEDGER = "the ledger"
"""In `Stack.told`, beside names of documents, which have no blank."""


class SweepError(Exception):
    """Some documents could not be listed or put on the queue; Lambda retries the whole sweep."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Returns `{"documents": <how many messages were sent>}`."""
    with telemetry.log_context(run_id=context.aws_request_id):
        return {"documents": sweep(event, warm(), context.aws_request_id)}


def sweep(event: Any, stack: Stack, run_id: str = "sweep") -> int:
    """How many messages were sent. Raises `UnknownEvent` for any event but the schedule's, and `SweepError` after all
    other documents are on the queue; sending a message twice does no harm.
    """
    trigger = read(event, stack.here)
    if isinstance(trigger, Dropped) or trigger != Trigger(Source.SCHEDULE):
        raise UnknownEvent("the sweep accepts its schedule's event only; send anything else to the queue or to invoke")
    problems: list[str] = []
    listed: list[ListedDocument] = []
    try:
        for one in stack.documents.listed():
            listed.append(one)  # noqa: PERF402 (what was listed before a page failed is kept)
    except SourceError as error:
        problems.append(str(error))
    looks: Mapping[str, LastLook] = {}
    lost = ""
    try:
        looks = stack.ledger.looks()
    except LedgerError as error:
        lost = str(error)
        problems.append(lost)
    found = _measured(listed, looks, stack, run_id, lost)
    # What fails for long goes last: it takes the longest, and the others should not wait for it.
    names = sorted(found.ages, key=lambda name: (name in found.stale, name))
    if unsent := stack.queue.send(_message(name, looks) for name in names):
        problems.append(f"{len(unsent)} of {len(names)} documents could not be put on the queue")
    if problems:
        raise SweepError("; ".join(problems))
    return len(names)


def _message(name: str, looks: Mapping[str, LastLook]) -> QueueMessage:
    account = looks.get(name, LastLook()).account
    trigger = Trigger(Source.SCHEDULE, name, account=account)
    return QueueMessage(message(name, trigger), group=group(name, trigger))


def _measured(
    listed: Iterable[ListedDocument], looks: Mapping[str, LastLook], stack: Stack, run_id: str, lost: str
) -> Staleness:
    """The age of every last look, after the metrics are written and people are told: before anything is sent, because
    a queue that hangs must not keep this from being told.
    """
    found = staleness(listed, looks, stack.now(), timedelta(seconds=stack.deployment.stale_seconds))
    if lost:  # without the ledger no run begins, and nothing says when the last one was
        found = Staleness(dict.fromkeys(found.ages), frozenset(found.ages))
    telemetry.emit_figures(found.figures, run_id)
    for name in sorted(found.stale):
        log.warning("%s was not looked at for too long", name)
    for gone in stack.told.keys() - found.stale - ({_LEDGER} if lost else set()):
        del stack.told[gone]
    if lost:
        _tell({_LEDGER}, memory_lost(lost), stack, run_id)
    elif new := {name for name in found.stale if _untold(name, stack)}:
        _tell(new, unwatched(found, new), stack, run_id)
    return found


def _untold(name: str, stack: Stack) -> bool:
    at = stack.told.get(name)
    return at is None or stack.now() - at >= timedelta(hours=stack.deployment.alert_repeat_hours)


def _tell(about: set[str], notification: Notification, stack: Stack, run_id: str) -> None:
    """Send one message, unless it was sent before; without the ledger, since it may be what is broken."""
    if not any(_untold(name, stack) for name in about):
        return
    document = next(iter(about)) if len(about) == 1 else "several documents"
    here = NotificationOrigin(document, None, "", stack.region, run_id, stack.invoke_name)
    if stack.publisher.publish(notification, here):
        stack.told |= dict.fromkeys(about, stack.now())


ready()
