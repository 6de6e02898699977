"""What is told where an alert cannot be written: about which resource, how it ended, and what went wrong. Pure.

Whatever raises in one rule of alerts costs the words of that alert, and no other alert. A plain alert has the
fingerprint of the one that it stands for, so it is sent as seldom, and in the same thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from desired_state.fields import Address
from reconciler.engine.result import Drift, Orphaned, Report
from reconciler.model import Cause, Finding, Outcome
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint
from reconciler.report.attempt import AttemptResult

type About = Drift | Finding | Orphaned
"""What an alert can be about."""

MOST_SEVERE_FIRST = (Outcome.FAILED, Outcome.BLOCKED, Outcome.HELD, Outcome.WAITING, None, Outcome.CORRECTED)
ENDINGS = {
    Outcome.FAILED: "could not be corrected",
    Outcome.BLOCKED: "needs manual action",
    Outcome.HELD: "held",
    Outcome.WAITING: "waiting",
    Outcome.CORRECTED: "corrected",
    None: "not corrected yet",
}
"""How a title says that something ended."""


class Place(NamedTuple):
    """What identifies an alert, beside its document."""

    topic: Topic
    address: str = ""
    field: str = ""


def written(result: AttemptResult, write: Callable[[], Alert], place: Place, about: Iterable[About] = ()) -> Alert:
    """The alert that `write` makes about these, or a plain one."""
    who = f"an alert about {place.address or place.topic}"
    return contained(write, lambda cause: plain(result, place, about, cause), who=who, stage=Stage.TELLING)


def found[T](find: Callable[[], Iterable[T]], what: str) -> list[T]:
    """What a rule finds; nothing if it raises."""
    nothing: Callable[[Cause], list[T]] = lambda cause: []  # noqa: E731 (its type)
    return contained(lambda: list(find()), nothing, who=what, stage=Stage.TELLING)


def plain(result: AttemptResult, place: Place, about: Iterable[About], cause: Cause) -> Alert:
    """The alert of a place, in as few words as possible. Nobody knows how severe it is, so it counts as HIGH."""
    members = sorted(map(_member, about), key=lambda one: MOST_SEVERE_FIRST.index(one.outcome))
    done = [one for one in members if one.outcome is Outcome.CORRECTED]
    left = [one for one in members if one.outcome is not Outcome.CORRECTED]
    what = " ".join(filter(None, (place.address, place.field))) or place.topic.value.replace("-", " ")
    ending = ENDINGS[members[0].outcome] if members else "told in short"
    return Alert(
        fingerprint=fingerprint(result.document, place.topic, place.address, place.field),
        digest=digest(left) or ("" if done else digest([_OF_NOTHING])),
        corrected=digest(done),
        topic=place.topic,
        severity=Severity.HIGH,
        title=f"{what}: {ending}",
        sentence=f"What there is to say of it could not be written, so here is what it is about. {cause.message}.",
        members=tuple(members) or tuple(Member(line, None) for line in (result.problem or result.refusal).splitlines()),
        address=Address(place.address) if place.address else None,
        once=place.topic is Topic.DELETED,
        release=_release(result, place.topic),
    )


def one_by_one(result: AttemptResult, report: Report, cause: Cause) -> list[Alert]:
    """A plain alert of every field that differs or was found."""
    fields: dict[Place, list[About]] = {}
    for drift in report.drifts:
        fields.setdefault(Place(Topic.DRIFT, drift.difference.address, drift.difference.field), []).append(drift)
    for one in report.findings:
        if one.outcome is not Outcome.IN_SYNC:
            fields.setdefault(Place(Topic.DRIFT, one.address, one.field), []).append(one)
    return [plain(result, place, some, cause) for place, some in fields.items()]


def _release(result: AttemptResult, topic: Topic) -> str:
    """What releases what is held, for the command in the message."""
    if topic is Topic.REVISION_HELD and result.change:
        return result.change.fingerprint
    return result.report.plan.fingerprint if topic is Topic.PLAN_HELD and result.report else ""


_OF_NOTHING = Member("", None, identity=("told in short",))


def _member(one: About) -> Member:
    if isinstance(one, Orphaned):
        return Member(f"{one.action.address}: {one.action.operation.name}", one.outcome, identity=(one.action.address,))
    outcome = one.outcome if one.outcome in MOST_SEVERE_FIRST else None
    return Member(" ".join(filter(None, (one.address, one.field))), outcome, identity=(one.address, one.field))
