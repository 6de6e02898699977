"""What a person should know before an old text of a document is put in force again. Pure.

`compare.py` says what the text changes in meaning; here is what its age brings with it: exceptions that have ended,
intents that it breaks by itself, what was declared since, and databases in one text only. `setpoint rollback` shows it
before the plan, and of the plan what AWS never takes back (`never_taken_back`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from desired_state.document import Document
from desired_state.fields import Address, shown
from desired_state.sanitize import sanitize
from reconciler.engine.intents import said
from reconciler.engine.result import Report
from reconciler.kinds import REGISTRY
from reconciler.model import Outcome, Policy
from reconciler.reach.judge.intents import Status, judge
from reconciler.revision.exceptions import ended
from reconciler.revision.flows import judged


class Topic(StrEnum):
    """What a warning is about."""

    EXCEPTION_ENDED = "exception_ended"
    INTENT_BROKEN = "intent_broken"
    DECLARED_SINCE = "declared_since"
    """It is left unmanaged, or deleted if the deployment prunes."""
    DATABASE_LEFT = "database_left"
    DATABASE_MISSING = "database_missing"
    NEVER_TAKEN_BACK = "never_taken_back"
    """AWS has no call for it: it is `blocked`."""


class Warned(NamedTuple):
    """One thing to know: what it is about, where (a resource or the name of an intent), and in words, safe to show."""

    topic: Topic
    address: str
    words: str


def beforehand(newest: Document | None, rolled: Document, policy: Policy, now: datetime) -> tuple[Warned, ...]:
    """What the text `rolled` brings with it in place of `newest` (None: the newest one is no document)."""
    return (
        *_exceptions(rolled, now),
        *_intents(rolled),
        *(_since(newest, rolled, policy) if newest else ()),
        *(_databases(newest, rolled, policy) if newest else ()),
    )


def never_taken_back(report: Report) -> tuple[Warned, ...]:
    """What the plan cannot bring back, by the plan's own words."""
    found = dict[tuple[str, str], Warned]()
    for one in report.drifts:
        if one.outcome is Outcome.BLOCKED:
            words = sanitize(f"{one.address} {one.field}: {one.message}")
            found[one.address, one.field] = Warned(Topic.NEVER_TAKEN_BACK, one.address, words)
    return tuple(found.values())


def _exceptions(rolled: Document, now: datetime) -> Iterator[Warned]:
    for one in rolled.exceptions:
        if one.until <= now:
            words = f"{ended(one)} ({shown(one.reason)}): what it tolerated is corrected"
            yield Warned(Topic.EXCEPTION_ENDED, one.address, words)


def _intents(rolled: Document) -> Iterator[Warned]:
    if not rolled.intents:
        return
    for one in judge(rolled.intents, judged(rolled)):
        if one.status is Status.BROKEN:
            words = f"the old text breaks its own intent {shown(one.intent.name)}: {sanitize(said(one))}"
            yield Warned(Topic.INTENT_BROKEN, one.intent.name, words)


def _own(document: Document) -> dict[Address, str]:
    """The kinds of what a document declares itself, by the address."""
    return {
        at: at.kind for at in document.resources if at not in document.external and at.name != document.scope.vpc_id
    }


def _since(newest: Document, rolled: Document, policy: Policy) -> Iterator[Warned]:
    known = {*rolled.resources, *_former(newest, rolled)}
    for address, kind in _own(newest).items():
        if address in known or kind == _DATABASE:
            continue
        pruned = policy.prune and REGISTRY[kind].delete is not None
        then = "is deleted, since the deployment prunes" if pruned else "stays as it is, and nobody keeps it any more"
        yield Warned(Topic.DECLARED_SINCE, address, f"{address} is not in the old text: it {then}")


def _former(newest: Document, rolled: Document) -> Iterator[Address]:
    """Addresses of `newest` that have another name in the old text."""
    for at, one in newest.resources.items():
        if any(Address.of(at.kind, name) in rolled.resources for name in one.formerly):
            yield at


_DATABASE = "db_instance"


def _databases(newest: Document, rolled: Document, policy: Policy) -> Iterator[Warned]:
    """RDS knows a database by its name: one that is called otherwise is another one (`DbInstance`)."""
    old, new = _own(rolled), _own(newest)
    for address in (at for at, kind in new.items() if kind == _DATABASE and at not in old):
        words = f"{address} is not in the old text: a database is never deleted, it stays, and nobody keeps it any more"
        yield Warned(Topic.DATABASE_LEFT, address, words)
    for address in (at for at, kind in old.items() if kind == _DATABASE and at not in new):
        made = "it is made, empty, if it does not exist" if policy.create_databases else "it is not made without leave"
        words = f"{address} is only in the old text: {made}, and no data comes back"
        yield Warned(Topic.DATABASE_MISSING, address, words)
