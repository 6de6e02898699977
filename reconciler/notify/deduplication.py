"""Which concerns are new, against what people were told before: quiet while nothing changes, never silent for good.

Pure. `keep.py` asks after each attempt, `alerts.py` sends what comes of it, and what was really sent is remembered. A
concern is told when it appears, when it becomes another one, again after a while, and when it is over; at most ten
messages leave one run, and the last of ten sums up the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.ledger.record import Notified
from reconciler.model import Outcome, Reason
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Topic, fingerprint
from reconciler.report.attempt import AttemptResult, Ending

AT_MOST = 10
"""Messages of one run."""
HOUR = timedelta(hours=1)
"""How long a correction that was told is remembered, so that it is not told again."""
_LONGEST = 160
"""Characters of a title that are remembered: many concerns share one item of the ledger."""


class Status(StrEnum):
    """Why a message is sent."""

    FIRING = "firing"
    CHANGED = "changed"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    DIGEST = "digest"


@dataclass(frozen=True)
class Notification:
    """One message to people. `alert` is None where it is over (RESOLVED) and where `rest` is summed up (DIGEST).
    `since` is when people were first told of it, None where that is now.
    """

    status: Status
    fingerprint: str
    severity: Severity
    title: str
    alert: Alert | None = None
    since: datetime | None = None
    rest: tuple[Notification, ...] = ()

    @property
    def fingerprints(self) -> frozenset[str]:
        """The concerns that people know of by this message."""
        return frozenset(one.fingerprint for one in self.rest) or frozenset({self.fingerprint})


@dataclass(frozen=True)
class Notifications:
    """What to send, and what is to be remembered when it was sent."""

    notifications: tuple[Notification, ...]
    told: Mapping[str, Notified]
    before: Mapping[str, Notified]

    def remembered(self, lost: Collection[str] = ()) -> Mapping[str, Notified]:
        """What people know now: without the concerns `lost`, whose messages could not be sent."""
        known = {name: one for name, one in self.told.items() if name not in lost}
        return known | {name: self.before[name] for name in lost if name in self.before}


def deduplicate(
    found: Iterable[Alert], told: Mapping[str, Notified], now: datetime, repeat: timedelta, result: AttemptResult
) -> Notifications:
    """What of the concerns of an attempt is to be told, given what was `told` before; `repeat` is after how long an
    unchanged one is told again.
    """
    messages: list[Notification] = []
    known: dict[str, Notified] = {}
    for one in found:
        before = told.get(one.fingerprint)
        status = _status(one, before, now, repeat)
        if status is None and before:
            known[one.fingerprint] = before
            continue
        first = before.first_seen if before and before.open else None
        messages.append(Notification(status or Status.FIRING, one.fingerprint, one.severity, one.title, one, first))
        known[one.fingerprint] = Notified(_stamp(one), one.title[:_LONGEST], first or now, now, open=not one.settled)
    shows = _shows(result)
    for name, before in told.items():
        if name in known:
            continue
        if before.open and shows(name):
            messages.append(Notification(Status.RESOLVED, name, Severity.INFO, before.title, since=before.first_seen))
            known[name] = replace(before, last_alerted=now, open=False)
        elif before.open or now - before.last_alerted < HOUR:
            known[name] = before
    return Notifications(_at_most(messages), known, dict(told))


def _status(one: Alert, before: Notified | None, now: datetime, repeat: timedelta) -> Status | None:
    """Why to tell of a concern; None: people know it."""
    if before is None:
        return Status.FIRING
    still, _, corrected = before.digest.partition("+")
    fresh = bool(one.corrected) and (one.corrected != corrected or now - before.last_alerted >= HOUR)
    if one.settled:
        return Status.CHANGED if before.open else Status.FIRING if fresh else None
    if not before.open:
        return Status.FIRING  # the last they heard was that it is over
    if one.digest != still or fresh:
        return Status.CHANGED
    return Status.REPEAT if not one.once and now - before.last_alerted >= repeat else None


def _stamp(one: Alert) -> str:
    """What is still open, and what was corrected beside it: either may be news while the other is not."""
    return f"{one.digest}+{one.corrected}"


def _shows(result: AttemptResult) -> Callable[[str], bool]:
    """Whether this attempt would have found the concern of a fingerprint, were it still there: only then is its absence
    good news. A run that was narrowed, or could not see everything, speaks for what it saw.
    """
    report = result.report
    if result.ending is not Ending.COMPLETED or report is None:
        return lambda name: False
    bad = {Outcome.FAILED, Outcome.BLOCKED}
    unseen = {one.address for one in report.findings if not one.field and one.outcome in bad}
    unseen |= {one.address for one in report.drifts if one.cause and one.cause.reason is Reason.UNVERIFIED}
    if report.plan.only is None and not unseen:
        return lambda name: True
    shown = {fingerprint(result.document, topic) for topic in (Topic.REFUSED, Topic.DELETED)}
    for address, resource in report.document.resources.items():
        if report.plan.covers(address) and address not in unseen and resource.enforcement != "ignore":
            fields = ("", *resource.described())
            shown |= {fingerprint(result.document, Topic.DRIFT, address, field) for field in fields}
    return lambda name: name in shown


def _at_most(messages: Iterable[Notification]) -> tuple[Notification, ...]:
    """The gravest first, good news last; what goes beyond the limit is one message, the last."""
    ordered = sorted(messages, key=lambda one: (one.status is Status.RESOLVED, one.severity.rank))
    if len(ordered) <= AT_MOST:
        return tuple(ordered)
    rest = tuple(ordered[AT_MOST - 1 :])
    worst = min((one.severity for one in rest), key=lambda one: one.rank)
    last = Notification(Status.DIGEST, rest[0].fingerprint, worst, f"{len(rest)} further concerns", rest=rest)
    return (*ordered[: AT_MOST - 1], last)
