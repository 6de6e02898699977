"""The lines of alerts, and the alert about a document or a run as a whole. Pure; the modules of rules use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.engine.result import Drift, Orphaned
from reconciler.model import Finding, Reason
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Member, Topic, fingerprint, short
from reconciler.report.as_json import value_as_json
from reconciler.report.attempt import AttemptResult
from reconciler.report.text import difference


def reason(drift: Drift) -> Reason | None:
    """Why a drift is still there; None if it is not, or nobody said."""
    return drift.cause.reason if drift.cause else None


def is_own(result: AttemptResult, drift: Drift) -> bool:
    """Whether the version of the document that is being rolled out makes this difference itself."""
    return result.rollout and (result.own is None or drift.difference.identity in result.own)


def member(drift: Drift) -> Member:
    """A drift as a line of an alert."""
    one = drift.difference
    want, have = value_as_json(one, one.want), value_as_json(one, one.have)
    return Member(difference(one), drift.outcome, drift.message, want, have, compared=True)


def named(drift: Drift) -> Member:
    """A member with its address, for an alert about many resources, which says why only once."""
    one = member(drift)
    return one._replace(what=f"{drift.address}: {one.what}", why="")


def found(one: Finding, *, alone: bool = False) -> Member:
    """A finding as a line, with its address unless it stands `alone`."""
    message = one.cause.message if alone else f"{one.address}: {one.cause.message}"
    identity = (one.address, one.field, str(one.key), one.cause.reason, one.cause.code)
    return Member(message, one.outcome, identity=identity)


def going(one: Orphaned) -> Member:
    """What is removed because nobody declares it, as a line."""
    identity = (one.action.address, one.action.operation.name)
    return Member(f"{one.action.address}: {one.action.why}", one.outcome, one.message, identity=identity)


def sentence(message: str) -> str:
    """A message as a sentence."""
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('.') else '.'}"


def whole(
    result: AttemptResult,
    topic: Topic,
    severity: Severity,
    title: str,
    said: str,
    members: Iterable[Member],
    *,
    about: Any = "",
) -> Alert:
    """An alert about the document or the run as a whole; another `about` makes it a changed alert."""
    name = fingerprint(result.document, topic)
    still_open = short([topic.value, about])
    return Alert(name, still_open, "", topic, severity, title, said, tuple(members), once=topic is Topic.DELETED)
