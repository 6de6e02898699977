"""What of one attempt to keep a document people must know: one concern for each thing that is the matter. Pure.

`keep.py` asks once for each attempt, `news.py` compares with what people were told before. There is one concern for
each field of a resource, with all that differs in it; what has one cause for many resources (AWS could not be read, the
plan is held, the run stopped) is one concern too. What nobody declares and nobody minds is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from desired_state.fields import Address
from reconciler.engine.result import Drift, Orphaned, Report
from reconciler.model import ENDED_THE_RUN, Cause, Ended, Finding, Outcome, Reason, Risk
from reconciler.model.exposure import Exposure, Severity
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint, short
from reconciler.notify.exposure import cost, exposure
from reconciler.report.as_json import value_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.text import difference

_WORST = (Outcome.FAILED, Outcome.BLOCKED, Outcome.HELD, Outcome.WAITING, None, Outcome.CORRECTED)
_ENDINGS = {
    Outcome.FAILED: "could not be put right",
    Outcome.BLOCKED: "needs a person",
    Outcome.HELD: "held",
    Outcome.WAITING: "waiting",
    Outcome.CORRECTED: "corrected",
    None: "not corrected yet",
}
_GRAVITY = {Outcome.FAILED: Severity.HIGH, Outcome.BLOCKED: Severity.MEDIUM, Outcome.HELD: Severity.LOW}


def find_alerts(result: AttemptResult) -> tuple[Alert, ...]:
    """All that people must know of this attempt, the gravest first; nothing where another run does the telling."""
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD}:
        return ()
    found = [
        *_of_the_document(result),
        *_unobservable(result),
        *(_of_the_network(result, result.report) if result.report else ()),
    ]
    return tuple(sorted(found, key=lambda one: (one.severity.rank, one.address or "", one.fingerprint)))


def _of_the_document(result: AttemptResult) -> Iterator[Alert]:
    """A version that may not be enforced, or none any more. What a person asked for in vain is told to that person."""
    if result.ending is Ending.DELETED:
        sentence = "Nothing is enforced any more, and nothing is undone; upload the document again to go on."
        member = Member(result.problem or "its object is gone", Outcome.HELD)
        yield _whole(result, Topic.DELETED, Severity.HIGH, "the document is deleted", sentence, [member])
    asked = result.trigger.source is Source.MANUAL
    problem = result.problem if result.ending is Ending.REFUSED and not asked else ""
    if told := result.refusal or problem:
        severity = Severity.MEDIUM if result.report else Severity.HIGH
        ending = "the version accepted before goes on being enforced" if result.report else "nothing is enforced now"
        members = [Member(line, Outcome.BLOCKED) for line in told.splitlines() if line.strip()]
        sentence = f"The newest version of the document is not enforced; {ending}."
        yield _whole(result, Topic.REFUSED, severity, "the document is refused", sentence, members, about=told)


def _unobservable(result: AttemptResult) -> Iterator[Alert]:
    if result.ending is Ending.UNOBSERVABLE:
        sentence = "Nothing could be seen, so nothing was changed: what differs now is not known."
        title = "the network could not be looked at"
        member = Member(result.problem or "nothing could be seen", Outcome.FAILED)
        yield _whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, [member], about=result.code)


def _of_the_network(result: AttemptResult, report: Report) -> Iterator[Alert]:
    """What has one cause for many resources, each cause once; then all the rest, field by field."""
    unseen = [one for one in report.findings if one.cause.reason is Reason.UNREADABLE]
    unverified = [drift for drift in report.drifts if _reason(drift) is Reason.UNVERIFIED]
    if unseen or unverified:
        yield _unseen(result, unseen, unverified)
    held, going, lost = [], [], []
    if report.gate.plan_held:
        held = [drift for drift in report.drifts if _reason(drift) is Reason.PLAN_HELD]
        going = [one for one in report.orphaned if one.cause and one.cause.reason is Reason.PLAN_HELD]
        lost = [one for one in report.findings if one.cause.reason is Reason.SECTION_LOST]
        members = [*map(_found, lost), *map(_going, going), *map(_named, held)]
        yield _plan_held(result, report, report.gate.plan_held, held, members)
    stops = _stops(report)
    left = list(_left_behind(report)) if stops else []
    if stops:
        title = f"the run stopped; partial: {report.count(Outcome.CORRECTED)} of {len(report.drifts)} done"
        sentence = "What was not done yet stands as it was; the next run goes on from there."
        told = [*(Member(one, Outcome.WAITING) for one in sorted(map(str, stops))), *map(_named, left)]
        about = sorted({one.reason for one in stops})
        yield _whole(result, Topic.STOPPED, Severity.MEDIUM, title, sentence, told, about=about)
    done = [drift for drift in report.drifts if result.rollout and drift.outcome is Outcome.CORRECTED]
    if done:
        yield _rollout(result, report, done)
    taken = {id(one) for one in (*unseen, *unverified, *held, *lost, *left, *done)}
    yield from _by_field(result, report, taken, [one for one in report.orphaned if one not in going])


def _reason(drift: Drift) -> Reason | None:
    return drift.cause.reason if drift.cause else None


def _unseen(result: AttemptResult, unseen: list[Finding], unverified: list[Drift]) -> Alert:
    """The same cause is one alert, whichever resources it meets: known by AWS's code, else by the resource."""
    rest = "whether what was done there holds is not known" if unverified else "nothing of that part was changed"
    sentence = f"Part of the network could not be seen, and {rest}."
    about = sorted({one.cause.code or one.address for one in unseen}) or [Reason.UNVERIFIED]
    members = [*map(_found, unseen), *map(_named, unverified)]
    title = "part of the network could not be looked at"
    return _whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, members, about=about)


def _stops(report: Report) -> set[Cause]:
    """Why no further call was started, of the calls that were not started for it."""
    untried = (one for one in report.action_results if one.ended is not Ended.FAILED)
    return {one.cause for one in untried if one.cause and one.cause.reason in ENDED_THE_RUN}


def _left_behind(report: Report) -> Iterator[Drift]:
    """The drifts that were not reached because the run stopped, or because of what it did not reach."""
    skipped = {one.cause for one in report.action_results if one.ended is Ended.SKIPPED}
    for drift in report.drifts:
        unreached = drift.cause in skipped or _reason(drift) in ENDED_THE_RUN | {Reason.NOT_ATTEMPTED}
        if drift.outcome is Outcome.WAITING and unreached:
            yield drift


def _plan_held(
    result: AttemptResult, report: Report, cause: Cause, held: Iterable[Drift], members: list[Member]
) -> Alert:
    """Everything that waits for a person to release the plan, as grave as the gravest of it."""
    severity = min((Severity.HIGH, *(exposure(drift).severity for drift in held)), key=lambda one: one.rank)
    about = [[one.what, one.want, one.have] for one in members]
    title, sentence = "the whole plan is held", _sentence(cause.message)
    alert = _whole(result, Topic.PLAN_HELD, severity, title, sentence, members, about=about)
    return replace(alert, release=report.plan.fingerprint)


def _rollout(result: AttemptResult, report: Report, done: Iterable[Drift]) -> Alert:
    """What the first run of a version put right. It is what the author wanted, so nobody is woken for each piece of it;
    what somebody else changed meanwhile cannot be told from it.
    """
    number = report.document.revision
    title = f"revision {number} was put in force"
    sentence = f"What differed from revision {number}, be it new in it or drift, was put right."
    told = [_named(drift) for drift in done]
    alert = _whole(result, Topic.ROLLOUT, Severity.LOW, title, sentence, told)
    return replace(alert, digest="", corrected=digest(told))


def _by_field(result: AttemptResult, report: Report, taken: set[int], going: Iterable[Orphaned]) -> Iterator[Alert]:
    drifts: dict[tuple[Address, str], list[Drift]] = {}
    told: dict[tuple[Address, str], list[tuple[Member, Exposure]]] = {}
    for drift in report.drifts:
        if id(drift) not in taken:
            drifts.setdefault((drift.address, drift.field), []).append(drift)
            told.setdefault((drift.address, drift.field), []).append((_member(drift), _weight(drift, report)))
    for one in report.findings:
        if id(one) not in taken and one.outcome is not Outcome.IN_SYNC:
            weight = Exposure(_GRAVITY.get(one.outcome, Severity.LOW), _sentence(one.cause.message))
            told.setdefault((one.address, one.field), []).append((_found(one, alone=True), weight))
    for each in going:
        verb = "was taken away" if each.outcome is Outcome.CORRECTED else "is to be taken away"
        weight = Exposure(Severity.MEDIUM, f"{each.action.address} {verb}: {each.action.why}.")
        told.setdefault((each.action.address, ""), []).append((_going(each), weight))
    for (address, field), parts in told.items():
        yield _drift(result, report, address, field, parts, drifts.get((address, field), []))


def _drift(
    result: AttemptResult,
    report: Report,
    address: Address,
    field: str,
    parts: list[tuple[Member, Exposure]],
    drifts: Iterable[Drift],
) -> Alert:
    """The one alert of a field: its members worst first, its sentence that of the gravest."""
    parts = sorted(parts, key=lambda part: _WORST.index(part[0].outcome))
    weight = min((part[1] for part in parts), key=lambda one: one.severity.rank)
    flapping = any(_reason(drift) is Reason.FLAPPING for drift in drifts)
    worst = "somebody keeps changing it" if flapping else _ENDINGS[parts[0][0].outcome]
    open_ones = [part[0] for part in parts if part[0].outcome is not Outcome.CORRECTED]
    done = [part[0] for part in parts if part[0].outcome is Outcome.CORRECTED]
    topic = Topic.FLAPPING if flapping else Topic.DRIFT
    return Alert(
        fingerprint=fingerprint(result.document, topic, address, field),
        digest=digest(open_ones, Reason.FLAPPING if flapping else ""),
        corrected=digest(done),
        topic=topic,
        severity=weight.severity,
        title=f"{address}{f' {field}' if field else ''}: {worst}",
        sentence=weight.sentence,
        members=tuple(part[0] for part in parts),
        address=address,
        aws_id=report.ids.get(address, ""),
        actor=result.actors.get(address),
        exposed=result.exposed.get(address),
        once=flapping,
    )


def _weight(drift: Drift, report: Report) -> Exposure:
    """What a drift means, and what putting it right would cost where that is what holds it."""
    weight = exposure(drift)
    risks = [one.risk for one in report.plan.actions if (drift.address, drift.field) in one.resolves]
    price = cost(max(risks, default=Risk.COSMETIC)) if drift.outcome is Outcome.HELD else None
    if price is None:
        return weight
    severity = min(weight.severity, price.severity, key=lambda one: one.rank)
    return Exposure(severity, f"{weight.sentence} {price.sentence}")


def _member(drift: Drift) -> Member:
    one = drift.difference
    want, have = value_as_json(one, one.want), value_as_json(one, one.have)
    return Member(difference(one), drift.outcome, drift.message, want, have, compared=True)


def _named(drift: Drift) -> Member:
    """A member with its address, for an alert of many resources; that has said why already."""
    member = _member(drift)
    return member._replace(what=f"{drift.address}: {member.what}", why="")


def _found(one: Finding, *, alone: bool = False) -> Member:
    message = one.cause.message if alone else f"{one.address}: {one.cause.message}"
    identity = (one.address, one.field, str(one.key), one.cause.reason, one.cause.code)
    return Member(message, one.outcome, identity=identity)


def _going(one: Orphaned) -> Member:
    identity = (one.action.address, one.action.operation.name)
    return Member(f"{one.action.address}: {one.action.why}", one.outcome, one.message, identity=identity)


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('.') else '.'}"


def _whole(
    result: AttemptResult,
    topic: Topic,
    severity: Severity,
    title: str,
    sentence: str,
    members: Iterable[Member],
    *,
    about: Any = "",
) -> Alert:
    """A concern of the document or the run as a whole; `about` is what of it makes it another one."""
    name = fingerprint(result.document, topic)
    matter = short([topic.value, about])
    return Alert(name, matter, "", topic, severity, title, sentence, tuple(members), once=topic is Topic.DELETED)
