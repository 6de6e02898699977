"""How one document stands, by its item in the ledger. Pure.

An item may have been changed by somebody else, or be of an older version of this program: what it does not say is not
known, and what is not known is never in sync.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reconciler.history.receipts import parse_key
from reconciler.ledger.item import LONGEST_OPENING, MalformedItem, read
from reconciler.ledger.lease import LastLook
from reconciler.ledger.record import FLAPPING, DocumentRecord
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.redact import safe_text

AHEAD = timedelta(minutes=10)
"""A look that lies further in the future than two clocks differ is no look."""
LOOKS_MISSED = 3
"""A document is silent once so many looks are missing."""
_SENTENCE = 200


class State(StrEnum):
    """How a document stands, the gravest first."""

    OPEN = "OPEN"
    """Something that is not declared was let in when it was looked at last."""
    SILENT = "SILENT"
    """Nobody looks: what is so now is not known."""
    FAILED = "FAILED"
    """AWS refused something, part of the network or the item could not be read, or no version may be enforced."""
    BLOCKED = "BLOCKED"
    HELD = "HELD"
    FLAPPING = "FLAPPING"
    WAITING = "WAITING"
    DELETED = "DELETED"
    """The document is deleted: nothing is enforced any more."""
    IN_SYNC = "IN SYNC"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(State).index(self)


_TOLD_BY_ALERTS = frozenset({State.SILENT, State.FAILED, State.HELD})
"""Where nothing else says why, the title of an open alert does."""


_COUNTED = (Outcome.FAILED.value, Outcome.BLOCKED.value, Outcome.HELD.value, FLAPPING, Outcome.WAITING.value)


@dataclass(frozen=True)
class Standing:
    """How a document stands; what is not known is None or empty.

    `looked_at` is the last look at the whole network, `silent` whether it is too long ago. `alerts` are the open ones
    by severity, those of an unknown one under the empty text, `alerts_since` when the first of them was told.
    `openings` are sentences on what stands open, `exposed_since` from when on that may have been so at the earliest.
    `why` are reasons, for people, `receipt` is the key of the last receipt. All texts are safe to show.
    """

    document: str
    state: State
    revision: int | None = None
    account: str = ""
    region: str = ""
    looked_at: datetime | None = None
    silent: bool = False
    severity: Severity | None = None
    alerts: Mapping[str, int] = field(default_factory=dict)
    alerts_since: datetime | None = None
    openings: tuple[str, ...] = ()
    exposed_since: datetime | None = None
    in_sync_since: datetime | None = None
    why: tuple[str, ...] = ()
    receipt: str = ""


def standing(item: Mapping[str, Any], now: datetime, rate: timedelta) -> Standing:
    """How the document of an item stands. `rate` is how often every document is looked at."""
    name, look = safe_text(str(item.get("document", "")))[:63], LastLook.of(item)
    silent = _is_silent(look.at, now, rate)
    try:
        record = read(item)
    except MalformedItem as error:
        why = safe_text(f"its item cannot be read, at {error.attribute}: {error.problem}; {error.hint}")
        return Standing(
            name, State.FAILED, account=look.account, looked_at=look.at, silent=silent, why=(why[:_SENTENCE],)
        )
    found = _standing(name, record, silent=silent)
    return replace(found, why=tuple(one[:_SENTENCE] for one in _why(record, found.state, silent=silent)))


def never_looked(document: str, uploaded: datetime, now: datetime, rate: timedelta) -> Standing:
    """How a document stands that is in the bucket and of which the ledger knows nothing."""
    silent = _is_silent(uploaded, now, rate)
    why = f"uploaded at {uploaded:%d %b %Y %H:%M UTC}, and no run has looked yet"
    return Standing(document, State.SILENT if silent else State.WAITING, silent=silent, why=(why,))


def _is_silent(at: datetime | None, now: datetime, rate: timedelta) -> bool:
    return at is None or at > now + AHEAD or now - at > LOOKS_MISSED * rate


def _standing(name: str, record: DocumentRecord, *, silent: bool) -> Standing:
    notified = [one for one in record.notified.values() if one.open]
    alerts = dict.fromkeys((*Severity, ""), 0)
    for one in notified:
        alerts[one.severity if one.severity in alerts else ""] += 1
    return Standing(
        name,
        _state(record, silent=silent),
        revision=record.accepted.revision if record.accepted else None,
        account=safe_text(record.account)[:12],
        region=safe_text(record.region)[:32],
        looked_at=record.looked_at,
        silent=silent and not record.deleted,
        severity=Severity(record.severity) if record.severity in set(Severity) else None,
        alerts={str(severity): count for severity, count in alerts.items() if count},
        alerts_since=min((one.first_seen for one in notified), default=None),
        openings=tuple(map(_opening, record.openings)),
        exposed_since=record.exposed_since if record.openings else None,
        in_sync_since=record.in_sync_since,
        receipt=record.receipt.key if record.receipt and parse_key(record.receipt.key) else "",
    )


def _opening(sentence: str) -> str:
    """A sentence as the item has it, which may be its beginning only."""
    return f"{safe_text(sentence)[:_SENTENCE]}{'...' if len(sentence) >= LONGEST_OPENING else ''}"


def _state(record: DocumentRecord, *, silent: bool) -> State:
    if record.deleted:
        return State.DELETED
    left = record.outcomes
    ordered = (
        (State.OPEN, record.state == NetworkState.OPEN or bool(record.openings)),
        (State.SILENT, silent),
        (State.FAILED, record.state in {NetworkState.UNSEEN, NetworkState.REFUSED} or bool(left.get(Outcome.FAILED))),
        (State.BLOCKED, bool(left.get(Outcome.BLOCKED))),
        (State.HELD, bool(left.get(Outcome.HELD))),
        (State.FLAPPING, bool(left.get(FLAPPING))),
        (State.WAITING, bool(left.get(Outcome.WAITING)) or record.rollout is not None),
        # A revision that is held or refused leaves the network in sync with the one before it, and its alert open.
        (State.HELD, record.state == NetworkState.DIFFERS or any(one.open for one in record.notified.values())),
        (State.IN_SYNC, record.state == NetworkState.SYNC),
    )
    # Nothing is known of an item that an older version of this program has written, until the next run.
    return next((state for state, is_so in ordered if is_so), State.WAITING)


def _why(record: DocumentRecord, state: State, *, silent: bool) -> Iterator[str]:
    """What goes with a state, in words, the most important first."""
    if silent and not record.deleted:
        yield "no run has ever looked at the whole network" if record.looked_at is None else "nobody looks"
    if record.state == NetworkState.UNSEEN:
        yield "the network, or a part of it, could not be read"
    if record.state == NetworkState.REFUSED:
        yield "no version of the document may be enforced"
    if record.deleted and record.openings:
        yield "something stood open when it was deleted"
    if counts := [f"{count} {one}" for one in _COUNTED if (count := record.outcomes.get(one))]:
        yield ", ".join(counts)
    elif state in _TOLD_BY_ALERTS and (titles := [one.title for one in record.notified.values() if one.open]):
        yield f"{safe_text(titles[0])}{f', and {len(titles) - 1} more' if len(titles) > 1 else ''}"
    until = [one.until for one in record.flapping.values() if one.until]
    if state is State.FLAPPING and until:
        yield f"left as it is until {max(until):%d %b %H:%M UTC}"
    if record.rollout is not None:
        revision = f"revision {record.accepted.revision} " if record.accepted else "a revision "
        yield f"{revision}is being rolled out"
    if record.state is None and not silent and not record.deleted:
        yield "how it stands is known after the next run"
