"""What alerts say of corrections that an earlier run could not tell of. Pure. Imported only where there are any.

They join the alert that this run has about the same thing, so that people read one message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from desired_state.fields import Address
from reconciler.ledger.record import Untold, UntoldMember
from reconciler.model import Cause, Outcome
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.model.trigger import Actor
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint, short
from reconciler.report.attempt import AttemptResult, Late

_ENDED = "The run that was to correct it ended early, before it could tell; this run no longer finds it."
_UNSENT = "It was done before, and could not be told then."
_PROVED = "It was done before, when no look could show that; the look of this run does."
_UNSURE = "A run was about to correct this when it ended early, and whether it did is not known."
_NEVER_PROVED = "It was done before, when no look could show that, and whether it took effect is not known."


def with_late(result: AttemptResult, found: Iterable[Alert]) -> list[Alert]:
    """The alerts that were `found` otherwise, each with what is late of the same, and one for each of the rest."""
    alerts = {one.fingerprint: one for one in found}
    for late in result.late:
        contained(
            partial(_join, result, alerts, late),
            partial(_join_plain, alerts, late),
            who=f"what is late of {late.untold.title}",
            stage=Stage.TELLING,
        )
    return list(alerts.values())


def _join(result: AttemptResult, alerts: dict[str, Alert], late: Late) -> None:
    name = late.untold.fingerprint
    announced = fingerprint(result.document, Topic.REVISION)
    if late.untold.topic == Topic.ROLLOUT and name not in alerts and announced in alerts:
        revision = alerts[announced]
        title = revision.title.replace("was accepted", "was applied")
        joined = _joined(replace(revision, fingerprint=name, topic=Topic.ROLLOUT, title=title), late)
        del alerts[announced]
        alerts[name] = joined
    else:
        alerts[name] = _joined(alerts[name], late) if name in alerts else _alert(result, late)


def _join_plain(alerts: dict[str, Alert], late: Late, cause: Cause) -> None:
    """Its lines, as they are stored, beside what this run has to say of the same."""
    one = late.untold
    outcome = Outcome.CORRECTED if late.sure else Outcome.IN_SYNC
    members = tuple(Member(each.what, outcome, identity=(each.what, each.name)) for each in one.members)
    said = f"{one.sentence} It could not be told in full: {cause.message}."
    topic = next((each for each in Topic if each == one.topic), Topic.DRIFT)
    there = alerts.get(one.fingerprint) or Alert(
        one.fingerprint, "", "", topic, Severity.HIGH, f"{one.title}: told late", "", ()
    )
    corrected = short([there.corrected, digest(members)])
    sentence = f"{there.sentence} {said}".strip()
    alerts[one.fingerprint] = replace(there, members=(*there.members, *members), corrected=corrected, sentence=sentence)


def _joined(alert: Alert, late: Late) -> Alert:
    members = [*alert.members, *_members(late)]
    corrected = short([alert.corrected, digest(_members(late))])
    severity = min(alert.severity, Severity(late.untold.severity), key=lambda one: one.rank)
    sentence = f"{alert.sentence} {_said(late)}" if _said(late) not in alert.sentence else alert.sentence
    return replace(alert, members=tuple(members), corrected=corrected, severity=severity, sentence=sentence)


def _alert(result: AttemptResult, late: Late) -> Alert:
    one = late.untold
    address = Address(one.address) if one.address else None
    ending = "corrected" if late.sure else "may have been corrected"
    topic = Topic(one.topic)
    if topic is Topic.ROLLOUT:
        ending = "was applied" if late.sure else "may have been applied"
    title = f"{one.title} {ending}" if topic is Topic.ROLLOUT else f"{one.title}: {ending}"
    members = _members(late)
    return Alert(
        fingerprint=one.fingerprint,
        digest="",
        corrected=digest(members),
        topic=topic,
        severity=Severity(one.severity),
        title=title if topic is not Topic.ADOPTED or not late.sure else one.title,
        sentence=f"{one.sentence} {_said(late)}" if late.sure else _said(late),
        members=members,
        address=address,
        aws_id=one.aws_id,
        actor=_actor(one, result),
        exposed=None if one.open_for is None else float(one.open_for),
    )


def _said(late: Late) -> str:
    if late.untold.unproved:
        return _PROVED if late.sure else _NEVER_PROVED
    if not late.sure:
        return _UNSURE
    return _ENDED if any(one.name for one in late.untold.members) else _UNSENT


def _members(late: Late) -> tuple[Member, ...]:
    outcome = Outcome.CORRECTED if late.sure else Outcome.IN_SYNC
    return tuple(
        Member(one.what, outcome, "", _value(one.want), _value(one.have), one.compared, _identity(one), _said(late))
        for one in late.untold.members
    )


def _identity(one: UntoldMember) -> tuple[Any, ...]:
    return () if one.compared else (one.what, one.name)


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def _actor(one: Untold, result: AttemptResult) -> Actor | None:
    if one.who:
        known = one.who
        return Actor(known.who, known.call, known.at, known.source_ip, known.user_agent, known.event_id)
    return result.actors.get(Address(one.address)) if one.address else None
