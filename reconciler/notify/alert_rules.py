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
from reconciler.engine.result import Line, Report
from reconciler.model import Ended, Finding, Outcome, Risk
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Member, Topic, cause, digest, fingerprint, short
from reconciler.notify.exposure import Exposure, Severity, cost, exposure
from reconciler.report.as_json import line_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.lines import Orphaned, orphaned
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
UNSEEN = "it could not be looked at"
"""How the finding of what could not be read begins (`result.py`)."""
UNSURE = "whether it is corrected could not be seen"
_UNTRIED = "nothing was tried"
FIGHT = "a fight:"
"""How the message of a drift begins that is left alone because somebody keeps bringing it back (`fights.py`)."""


def find_alerts(result: AttemptResult) -> tuple[Alert, ...]:
    """All that people must know of this attempt, the gravest first; nothing where another run does the telling."""
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD}:
        return ()
    found = [
        *_of_the_document(result),
        *_blind(result),
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


def _blind(result: AttemptResult) -> Iterator[Alert]:
    if result.ending is Ending.UNOBSERVABLE:
        sentence = "Nothing could be seen, so nothing was changed: what differs now is not known."
        member = Member(result.problem or "nothing could be seen", Outcome.FAILED)
        about = cause("", result.problem)
        yield _whole(
            result, Topic.UNSEEN, Severity.HIGH, "the network could not be looked at", sentence, [member], about=about
        )


def _of_the_network(result: AttemptResult, report: Report) -> Iterator[Alert]:
    """What has one cause for many resources, each cause once; then all the rest, field by field."""
    unseen = [one for one in report.findings if one.message.startswith(UNSEEN)]
    unsure = [line for line in report.lines if line.message.startswith(UNSURE)]
    if unseen or unsure:
        rest = "whether what was done there holds is not known" if unsure else "nothing of that part was changed"
        sentence = f"Part of the network could not be seen, and {rest}."
        about = sorted({cause(one.address, one.message) for one in unseen} or {UNSURE})
        told = [*map(_found, unseen), *map(_named, unsure)]
        title = "part of the network could not be looked at"
        yield _whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, told, about=about)
    held = [line for line in report.lines if _held_as_a_whole(line.outcome, line.message, report)]
    lost = [one for one in report.findings if report.gate.whole and one in report.gate.findings and not one.field]
    going = [one for one in orphaned(report) if _held_as_a_whole(one.outcome, one.message, report)]
    if report.gate.whole:
        yield _plan_held(result, report, held, [*map(_found, lost), *map(_going, going)])
    stopped = _stopped(report)
    left = [line for line in report.lines if stopped and line.outcome is Outcome.WAITING and line.message in stopped]
    if stopped:
        reasons = sorted({one for one in stopped.values() if one})
        title = f"the run stopped; partial: {report.count(Outcome.CORRECTED)} of {len(report.lines)} done"
        sentence = "What was not done yet stands as it was; the next run goes on from there."
        told = [*(Member(one, Outcome.WAITING) for one in reasons), *map(_named, left)]
        yield _whole(result, Topic.STOPPED, Severity.MEDIUM, title, sentence, told, about=reasons)
    done = [line for line in report.lines if result.rollout and line.outcome is Outcome.CORRECTED]
    if done:
        yield _rollout(result, report, done)
    taken = {id(one) for one in (*unseen, *unsure, *held, *lost, *left, *done)}
    yield from _by_field(result, report, taken, [one for one in orphaned(report) if one not in going])


def _plan_held(result: AttemptResult, report: Report, held: Iterable[Line], others: Iterable[Member]) -> Alert:
    """Everything that waits for a person to release the plan, as grave as the gravest of it."""
    severity = min((Severity.HIGH, *(exposure(line).severity for line in held)), key=lambda one: one.rank)
    told = [*others, *map(_named, held)]
    about = [[one.what, one.want, one.have] for one in told]
    sentence = _sentence(report.gate.whole)
    alert = _whole(result, Topic.PLAN_HELD, severity, "the whole plan is held", sentence, told, about=about)
    return replace(alert, release=report.plan.fingerprint)


def _rollout(result: AttemptResult, report: Report, done: Iterable[Line]) -> Alert:
    """What the first run of a version put right. It is what the author wanted, so nobody is woken for each piece of it;
    what somebody else changed meanwhile cannot be told from it.
    """
    number = report.document.revision
    title = f"revision {number} was put in force"
    sentence = f"What differed from revision {number}, be it new in it or drift, was put right."
    told = [_named(line) for line in done]
    alert = _whole(result, Topic.ROLLOUT, Severity.LOW, title, sentence, told)
    return replace(alert, digest="", corrected=digest(told))


def _held_as_a_whole(outcome: Outcome | None, message: str, report: Report) -> bool:
    return bool(report.gate.whole) and outcome is Outcome.HELD and message == report.gate.whole


def _stopped(report: Report) -> dict[str, str]:
    """By what a drift that was not reached says of itself, the reason why the run stopped (empty: a consequence).

    AWS's own words begin with the name of the call (`aws.py`); the others come from who may end a run early.
    """
    reasons = {
        one.message
        for one in report.attempts
        if one.ended is Ended.WAITING and not one.message.startswith(f"{one.action.operation.name}:")
    }
    failed = {one.message for one in report.attempts if one.ended is Ended.FAILED}
    reasons |= {one.message for one in report.attempts if one.ended is Ended.SKIPPED and one.message in failed}
    if not reasons:
        return {}
    after = {one.message for one in report.attempts if one.ended is Ended.SKIPPED} - reasons
    untried = {line.message for line in report.lines if line.message.startswith(_UNTRIED)}
    return {reason: reason for reason in sorted(reasons)} | dict.fromkeys(sorted(after | untried), "")


def _by_field(result: AttemptResult, report: Report, taken: set[int], going: Iterable[Orphaned]) -> Iterator[Alert]:
    lines: dict[tuple[Address, str], list[Line]] = {}
    told: dict[tuple[Address, str], list[tuple[Member, Exposure]]] = {}
    for line in report.lines:
        if id(line) not in taken:
            lines.setdefault((line.address, line.field), []).append(line)
            told.setdefault((line.address, line.field), []).append((_member(line), _weight(line, report)))
    for one in report.findings:
        if id(one) not in taken and one.outcome is not Outcome.IN_SYNC:
            weight = Exposure(_GRAVITY.get(one.outcome, Severity.LOW), _sentence(one.message))
            told.setdefault((one.address, one.field), []).append((_found(one, alone=True), weight))
    for each in going:
        verb = "was taken away" if each.outcome is Outcome.CORRECTED else "is to be taken away"
        weight = Exposure(Severity.MEDIUM, f"{each.action.address} {verb}: {each.action.why}.")
        told.setdefault((each.action.address, ""), []).append((_going(each), weight))
    for (address, field), parts in told.items():
        yield _drift(result, report, address, field, parts, lines.get((address, field), []))


def _drift(
    result: AttemptResult,
    report: Report,
    address: Address,
    field: str,
    parts: list[tuple[Member, Exposure]],
    lines: Iterable[Line],
) -> Alert:
    """The one concern of a field: its members worst first, its sentence that of the gravest."""
    parts = sorted(parts, key=lambda part: _WORST.index(part[0].outcome))
    weight = min((part[1] for part in parts), key=lambda one: one.severity.rank)
    fight = any(line.outcome is Outcome.HELD and line.message.startswith(FIGHT) for line in lines)
    worst = "somebody keeps changing it" if fight else _ENDINGS[parts[0][0].outcome]
    open_ones = [part[0] for part in parts if part[0].outcome is not Outcome.CORRECTED]
    done = [part[0] for part in parts if part[0].outcome is Outcome.CORRECTED]
    topic = Topic.FIGHT if fight else Topic.DRIFT
    return Alert(
        fingerprint=fingerprint(result.document, topic, address, field),
        digest=digest(open_ones, "fight" if fight else ""),
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
        once=fight,
    )


def _weight(line: Line, report: Report) -> Exposure:
    """What a drift means, and what putting it right would cost where that is what holds it."""
    weight = exposure(line)
    risks = [one.risk for one in report.plan.actions if (line.address, line.field) in one.resolves]
    price = cost(max(risks, default=Risk.COSMETIC)) if line.outcome is Outcome.HELD else None
    if price is None:
        return weight
    severity = min(weight.severity, price.severity, key=lambda one: one.rank)
    return Exposure(severity, f"{weight.sentence} {price.sentence}")


def _member(line: Line) -> Member:
    plain = line_as_json(line)
    what = difference(line) if line.field else "the whole resource is missing"
    return Member(what, line.outcome, line.message, plain["want"], plain["have"], compared=True)


def _named(line: Line) -> Member:
    """A member with its address, for a concern of many resources; that has said why already."""
    member = _member(line)
    return member._replace(what=f"{line.address}: {member.what}", why="")


def _found(one: Finding, *, alone: bool = False) -> Member:
    return Member(one.message if alone else f"{one.address}: {one.message}", one.outcome)


def _going(one: Orphaned) -> Member:
    return Member(f"{one.action.address}: {one.action.why}", one.outcome, one.message)


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
