"""Which documents nobody has looked at for too long: what the sweep measures, and what it tells people. Pure.

It measures from outside: only that a run has read the whole network counts, not that one was started, has succeeded or
was able to send an alert. So it does not matter why there was no look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from desired_state.sources import ListedDocument
from reconciler.ledger.lease import LastLook
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Member, Topic
from reconciler.notify.deduplication import Notification, Status

AHEAD = timedelta(minutes=10)
"""A look that lies further in the future than two clocks differ was written by somebody else: it is no look."""


@dataclass(frozen=True)
class Staleness:
    """`ages` are the seconds since the last look at each document, or since its upload if there was none; None: not
    known. `stale` are those of more than the limit, and those that are not known.
    """

    ages: Mapping[str, float | None]
    stale: frozenset[str]

    @property
    def figures(self) -> dict[str, float]:
        """The metrics; without a known age there is no oldest one, and the alarm takes the gap for the worst."""
        known = [age for age in self.ages.values() if age is not None]
        oldest = {"OldestLookAge": round(max(known, default=0.0), 1)} if known or not self.ages else {}
        return {"DocumentsStale": float(len(self.stale)), **oldest}


def staleness(
    listed: Iterable[ListedDocument], looks: Mapping[str, LastLook], now: datetime, limit: timedelta
) -> Staleness:
    """How old the last look at each document is that is in the bucket or remembered."""
    began: dict[str, datetime | None] = {one.name: one.uploaded for one in listed}
    for name, look in looks.items():
        looked = look.at if look.at and look.at <= now + AHEAD else None
        began[name] = looked or began.get(name)
    ages = {name: max(0.0, (now - at).total_seconds()) if at else None for name, at in began.items()}
    stale = {name for name, age in ages.items() if age is None or age > limit.total_seconds()}
    return Staleness(ages, frozenset(stale))


def unwatched(found: Staleness, names: Iterable[str]) -> Notification:
    """The message about documents that nobody has looked at for too long."""
    members = tuple(Member(f"{name}: {_age(found.ages[name])}", None, "", identity=(name,)) for name in sorted(names))
    one = len(members) == 1
    title = "a document is not looked at" if one else f"{len(members)} documents are not looked at"
    sentence = (
        f"No run has read the network of {'this document' if one else 'these documents'} for too long, so drift goes "
        "unnoticed: read the worker's log and the dead-letter queue, and the document's item in the ledger."
    )
    return _notification(Severity.HIGH, title, sentence, members)


def memory_lost(problem: str) -> Notification:
    """The message that the ledger cannot be read: without it no document is looked at."""
    sentence = "The ledger cannot be read. Without a lease no run begins, so drift in every document goes unnoticed."
    return _notification(
        Severity.CRITICAL, "the ledger cannot be read", sentence, (Member(problem, None, identity=("ledger",)),)
    )


def _age(age: float | None) -> str:
    return "nothing says when it was looked at" if age is None else f"not looked at for {age:,.0f} s"


def _notification(severity: Severity, title: str, sentence: str, members: tuple[Member, ...]) -> Notification:
    identity = hashlib.sha256(title.encode()).hexdigest()[:16]
    alert = Alert(identity, identity, "", Topic.UNWATCHED, severity, title, sentence, members)
    return Notification(Status.FIRING, identity, severity, title, alert)
