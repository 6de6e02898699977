"""What a batch of messages wants: which documents are to be looked after, and why. The worker asks once a batch."""

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
"""By document, the id of each message that wants it looked after, and its reason."""
_NOTHING = Trigger(Source.CHANGE)


def in_turn(requests: Requests) -> list[tuple[str, Trigger]]:
    """Each document once. Those that had to come back most often come first, or a full queue would starve some."""
    merged = [(document, reduce(_merged, (trigger for _, trigger in asked))) for document, asked in requests.items()]
    return sorted(merged, key=lambda one: (-one[1].tries, one[0]))


def requests_of(records: Iterable[Mapping[str, Any]], stack: Stack) -> tuple[Requests, set[str]]:
    """The wishes of a batch, and the ids of the messages that cannot be understood."""
    requests: dict[str, list[tuple[str, Trigger]]] = defaultdict(list)
    failed: set[str] = set()
    at: dict[str, tuple[str, ...] | LedgerError] = {}
    for record in records:
        item = record["messageId"]
        try:
            trigger, documents = _asked(record, stack, at)
        except (UnknownEvent, LedgerError) as error:
            log.error("message %s: %s", item, error)  # noqa: TRY400 (what, where and the mend; a traceback adds nothing)
            failed.add(item)
            continue
        for document in documents:
            requests[document].append((item, trigger))
    return requests, failed


def _asked(
    record: Mapping[str, Any], stack: Stack, at: dict[str, tuple[str, ...] | LedgerError]
) -> tuple[Trigger, tuple[str, ...]]:
    """What one message wants, and of which documents. Raises `UnknownEvent` and `LedgerError`."""
    trigger = read_record(record, stack.here)
    if isinstance(trigger, Dropped):
        log.info("not for us: %s", trigger.reason)
        return _NOTHING, ()
    if trigger.document:
        return trigger, (trigger.document,)
    if trigger.source is Source.SCHEDULE:
        raise UnknownEvent("the schedule's event belongs to the sweep: it says no document")
    return trigger, _of_account(trigger.account, at, stack)


def _of_account(account: str, known: dict[str, tuple[str, ...] | LedgerError], stack: Stack) -> tuple[str, ...]:
    """The documents of an account, asked for once in a batch. Raises LedgerError."""
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
    """Two reasons to look after one document, as one: the later message decides whether a look has covered both."""
    sent = max(one.sent, other.sent) if one.sent and other.sent else None
    first = min(one, other, key=lambda trigger: list(Source).index(trigger.source))
    return replace(first, sent=sent, actors=(*one.actors, *other.actors), tries=max(one.tries, other.tries))
