"""From a batch of queue messages to the documents to reconcile, and why. The worker calls it once per batch."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from handlers.stack import Stack
from handlers.triggers import Dropped, UnknownEvent, read_record
from reconciler.ledger.table import LedgerError
from reconciler.model.trigger import Source, Trigger

log = logging.getLogger(__name__)

Requests = Mapping[str, list[tuple[str, Trigger]]]
"""By document: the id and the trigger of each message about it."""
_NOTHING = Trigger(Source.CHANGE)


def in_turn(requests: Requests) -> list[tuple[str, Trigger]]:
    """Each document once. Those with the most retries come first: a full queue would starve them."""
    merged = [(document, reduce(_merged, (trigger for _, trigger in some))) for document, some in requests.items()]
    return sorted(merged, key=lambda one: (-one[1].tries, one[0]))


def requests_of(records: Iterable[Mapping[str, Any]], stack: Stack) -> tuple[Requests, set[str]]:
    """The requests in a batch, and the ids of the messages that cannot be read."""
    requests: dict[str, list[tuple[str, Trigger]]] = defaultdict(list)
    failed: set[str] = set()
    of_account: dict[str, tuple[str, ...] | LedgerError] = {}
    for record in records:
        item = record["messageId"]
        try:
            trigger, documents = _requested(record, stack, of_account)
        except (UnknownEvent, LedgerError) as error:
            log.error("message %s: %s", item, error)  # noqa: TRY400 (a traceback would add nothing)
            failed.add(item)
            continue
        except Exception:  # a mistake of ours that one message meets must not cost the others their run
            log.exception("message %s could not be read", item)
            failed.add(item)
            continue
        for document in documents:
            requests[document].append((item, trigger))
    return requests, failed


def _requested(
    record: Mapping[str, Any], stack: Stack, of_account: dict[str, tuple[str, ...] | LedgerError]
) -> tuple[Trigger, tuple[str, ...]]:
    """The trigger in one message, and its documents. Raises `UnknownEvent` and `LedgerError`."""
    trigger = read_record(record, stack.here)
    if isinstance(trigger, Dropped):
        log.info("the message was dropped: %s", trigger.reason)
        return _NOTHING, ()
    if trigger.document:
        return trigger, (trigger.document,)
    if trigger.source is Source.SCHEDULE:
        raise UnknownEvent("the schedule's event is for the sweep: it names no document")
    return trigger, _of_account(trigger.account, of_account, stack)


def _of_account(account: str, known: dict[str, tuple[str, ...] | LedgerError], stack: Stack) -> tuple[str, ...]:
    """The documents of an account, read once per batch. Raises LedgerError."""
    if account not in known:
        try:
            known[account] = stack.ledger.documents(account, stack.region)
        except LedgerError as error:
            known[account] = error
    found = known[account]
    if isinstance(found, LedgerError):
        raise found
    return found


def _merged(one: Trigger, other: Trigger) -> Trigger:
    """Two triggers of one document as one. The later `sent` counts: a run that covers it covers both. So does
    the later `received`: the run begins after both.
    """
    sent = max(one.sent, other.sent) if one.sent and other.sent else None
    received = [each for each in (one.received, other.received) if each]
    first = min(one, other, key=lambda trigger: list(Source).index(trigger.source))
    return replace(
        first,
        sent=sent,
        received=max(received, default=None),
        actors=(*one.actors, *other.actors),
        uploads=(*one.uploads, *other.uploads),
        tries=max(one.tries, other.tries),
        only_tags=one.only_tags and other.only_tags,
    )
