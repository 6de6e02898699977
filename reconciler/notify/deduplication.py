"""Which alerts to send, given those that were sent before. Pure.

An alert is sent when it fires, when it changes, again after a while, and when it is resolved. One run sends at most ten
messages; if there are more, the tenth is a digest of the rest. `keep.py` calls `deduplicate` after each attempt,
`publisher.py` sends the result, and only what was really sent is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.ledger.record import Notified
from reconciler.model import Cause, Outcome, Reason
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.notify.alert import Alert, Topic, fingerprint
from reconciler.report.attempt import AttemptResult, Ending

AT_MOST = 10
"""The most messages of one run."""
HOUR = timedelta(hours=1)
"""How long a reported correction is remembered, so that it is not reported again."""
_LONGEST = 160
"""Characters of a title that are remembered: many alerts share one item of the ledger."""


class Status(StrEnum):
    """Why a notification is sent."""

    FIRING = "firing"
    CHANGED = "changed"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    DIGEST = "digest"


@dataclass(frozen=True)
class Notification:
    """One message to people. `alert` is None if it is resolved (RESOLVED) or if this is a digest of `rest` (DIGEST).
    `since` is when it was first reported, None if that is now.
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
        """The alerts that this message reports."""
        return frozenset(one.fingerprint for one in self.rest) or frozenset({self.fingerprint})


@dataclass(frozen=True)
class Notifications:
    """What to send, and what to remember: `known` once all of it was sent, `before` of what could not be sent."""

    notifications: tuple[Notification, ...]
    known: Mapping[str, Notified]
    before: Mapping[str, Notified]

    def remembered(self, lost: Collection[str] = ()) -> Mapping[str, Notified]:
        """What to remember if the messages about the alerts `lost` could not be sent."""
        known = {name: notified for name, notified in self.known.items() if name not in lost}
        return known | {name: self.before[name] for name in lost if name in self.before}


def deduplicate(
    found: Iterable[Alert], notified: Mapping[str, Notified], now: datetime, repeat: timedelta, result: AttemptResult
) -> Notifications:
    """Which alerts of an attempt to send, given what was `notified` before. An unchanged alert is sent again after
    `repeat`.
    """
    messages: list[Notification] = []
    known: dict[str, Notified] = {}
    for alert in found:
        name, before = alert.fingerprint, notified.get(alert.fingerprint)
        status = _status(alert, before, now, repeat)
        if status is None and before:
            known[name] = before
            continue
        first = before.first_seen if before and before.open else None
        messages.append(Notification(status or Status.FIRING, name, alert.severity, alert.title, alert, first))
        known[name] = Notified(
            _digests(alert),
            alert.title[:_LONGEST],
            first or now,
            now,
            open=not alert.settled,
            severity=alert.severity.value,
        )
    nothing: Callable[[Cause], Callable[[str], bool]] = lambda cause: lambda name: False  # noqa: E731 (its type)
    shows = contained(lambda: _shows(result), nothing, who="what is resolved", stage=Stage.TELLING)
    for name, before in notified.items():
        if name in known:
            continue
        if before.open and shows(name):
            messages.append(Notification(Status.RESOLVED, name, Severity.INFO, before.title, since=before.first_seen))
            known[name] = replace(before, last_alerted=now, open=False)
        elif before.open or now - before.last_alerted < HOUR:
            known[name] = before
    return Notifications(_at_most(messages), known, dict(notified))


def _status(alert: Alert, before: Notified | None, now: datetime, repeat: timedelta) -> Status | None:
    """Why to send an alert; None if it was reported and has not changed."""
    if before is None:
        return Status.FIRING
    still, _, corrected = before.digest.partition("+")
    fresh = bool(alert.corrected) and (alert.corrected != corrected or now - before.last_alerted >= HOUR)
    if alert.settled:
        return Status.CHANGED if before.open else Status.FIRING if fresh else None
    if not before.open:
        return Status.FIRING  # it was last reported as resolved
    if alert.digest != still or fresh:
        return Status.CHANGED
    return Status.REPEAT if not alert.once and now - before.last_alerted >= repeat else None


def _digests(alert: Alert) -> str:
    """What is still open, and what was corrected: either may change without the other."""
    return f"{alert.digest}+{alert.corrected}"


def _shows(result: AttemptResult) -> Callable[[str], bool]:
    """Whether this attempt would have found the alert of a fingerprint if it were still open: only then is it resolved.
    A run of some addresses only, or one that could not read everything, resolves only what it covers.
    """
    report = result.report
    if result.ending is not Ending.COMPLETED or report is None:
        return lambda name: False
    bad = {Outcome.FAILED, Outcome.BLOCKED}
    seen = [one for one in report.findings if one.cause.reason is not Reason.INTENT_BROKEN]
    unseen = {one.address for one in seen if not one.field and one.outcome in bad}
    unseen |= {one.address for one in report.drifts if one.cause and one.cause.reason is Reason.UNVERIFIED}
    kept, unknown = _intents(result)
    if report.plan.only is None and not unseen:
        return lambda name: name not in unknown
    shown = kept | {fingerprint(result.document, topic) for topic in (Topic.REFUSED, Topic.DELETED)}
    for address, resource in report.document.resources.items():
        if report.plan.covers(address) and address not in unseen and resource.enforcement != "ignore":
            fields = ("", *resource.described())
            shown |= {fingerprint(result.document, Topic.DRIFT, address, field) for field in fields}
    return lambda name: name in shown


def _intents(result: AttemptResult) -> tuple[set[str], set[str]]:
    """The alerts of the intents that are kept, and of those of which that is not known."""
    if result.report is None or result.report.intents is None:
        return set(), set()
    from reconciler.notify.intent_alerts import name_of
    from reconciler.reach.judge.intents import Status as Known

    names: dict[Known, set[str]] = {status: set() for status in Known}
    for one in result.report.intents.verdicts:
        names[one.status].add(name_of(result, one))
    return names[Known.KEPT], names[Known.UNKNOWN]


def _at_most(messages: Iterable[Notification]) -> tuple[Notification, ...]:
    """The most severe first, resolved ones last; what exceeds the limit becomes one digest, the last message."""
    ordered = sorted(messages, key=lambda one: (one.status is Status.RESOLVED, one.severity.rank))
    if len(ordered) <= AT_MOST:
        return tuple(ordered)
    rest = tuple(ordered[AT_MOST - 1 :])
    worst = min((one.severity for one in rest), key=lambda one: one.rank)
    last = Notification(Status.DIGEST, rest[0].fingerprint, worst, f"{len(rest)} further alerts", rest=rest)
    return (*ordered[: AT_MOST - 1], last)
