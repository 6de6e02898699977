"""What alerts say of intents: one for each that is broken. Pure. Imported only where there are intents.

What was broken when a run began, and is kept now, is one alert with the drift that the run has corrected: the sentence
of that drift says what it meant. What is not known is never an alert by itself: if something could not be read, that is
one already. What the first run of a version has put right is no news, because nobody kept those intents before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from reconciler.engine.intents import JudgedIntents, address_of, said
from reconciler.model import Cause, Finding, Outcome
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.notify.alert import Alert, Member, Topic, fingerprint, short
from reconciler.notify.plain_alerts import Place, plain
from reconciler.notify.plain_alerts import found as found_by
from reconciler.reach.judge.intents import Case, Status, Verdict
from reconciler.reach.pair.ends import Endpoint
from reconciler.report.attempt import AttemptResult
from reconciler.report.fitting import cut
from reconciler.report.intents import text

_LONGEST_NAME = 80
"""Characters of an intent's name in a title; it is somebody's text."""
_LINES = 24


def with_intents(result: AttemptResult, judged: JudgedIntents, found: Iterable[Alert]) -> Iterator[Alert]:
    """The alerts that were `found` otherwise, each with the intents that what it tells of has broken, and one for each
    intent that is broken still.
    """
    alerts = list(found)
    for verdict in () if result.rollout else found_by(lambda: judged.corrected, "the rule of intents kept again"):
        alerts = contained(
            partial(_with_corrected, result, judged, verdict, alerts),
            partial(_with_plain, result, verdict, alerts, Outcome.CORRECTED),
            who=f"the alert of the intent {verdict.intent.name}",
            stage=Stage.TELLING,
        )
    for verdict in judged.verdicts:
        if verdict.status is Status.BROKEN and verdict.intent.name not in judged.tolerated:
            alerts = contained(
                partial(_with_broken, result, judged, verdict, alerts),
                partial(_with_plain, result, verdict, alerts, Outcome.BLOCKED),
                who=f"the alert of the intent {verdict.intent.name}",
                stage=Stage.TELLING,
            )
    yield from alerts


def _with_corrected(
    result: AttemptResult, judged: JudgedIntents, verdict: Verdict, found: Iterable[Alert]
) -> list[Alert]:
    """The alerts with an intent that is kept again: the correction that mended it says so, or else one of its own."""
    alerts = list(found)
    corrected = [one for one in alerts if one.address and one.corrected and one.topic in _DRIFTS]
    there = _components(verdict)
    about = [one for one in corrected if one.address in there] or corrected
    if not about:
        return [*alerts, _alert(result, judged, verdict, Outcome.CORRECTED)]
    first = min(about, key=lambda one: one.severity.rank)
    alerts[alerts.index(first)] = _explaining(first, verdict)
    return alerts


def _with_broken(result: AttemptResult, judged: JudgedIntents, verdict: Verdict, found: Iterable[Alert]) -> list[Alert]:
    return [*found, _alert(result, judged, verdict, Outcome.BLOCKED)]


def _with_plain(
    result: AttemptResult, verdict: Verdict, found: Iterable[Alert], outcome: Outcome, cause: Cause
) -> list[Alert]:
    about = Finding(address_of(verdict), outcome, cause)
    return [*found, plain(result, Place(Topic.INTENT, address_of(verdict)), [about], cause)]


_DRIFTS = frozenset({Topic.DRIFT, Topic.FLAPPING})


def _components(verdict: Verdict) -> set[str]:
    """The filters that decided."""
    hops = [*(hop for case in verdict.cases if case.path for hop in case.path.hops), *(b.hop for b in verdict.blockers)]
    return {hop.component for hop in hops}


def _explaining(alert: Alert, verdict: Verdict) -> Alert:
    """The alert of a corrected drift that says which intent it broke."""
    name = cut(verdict.intent.name, _LONGEST_NAME)
    severity = min(alert.severity, verdict.severity or Severity.LOW, key=lambda one: one.rank)
    lasting = f" {_LASTING}" if any(case.exposed for case in verdict.cases) else ""
    sentence = f"{alert.sentence} It broke the intent {name!r}: {said(verdict)}.{lasting}"
    return replace(alert, severity=severity, sentence=sentence)


_LASTING = "Connections that stand may last until they are idle; an ACL entry that denies cuts them."


def name_of(result: AttemptResult, verdict: Verdict) -> str:
    """The fingerprint of an intent's alert."""
    return fingerprint(result.document, Topic.INTENT, address_of(verdict))


def _alert(result: AttemptResult, judged: JudgedIntents, verdict: Verdict, outcome: Outcome) -> Alert:
    corrected = outcome is Outcome.CORRECTED
    what = "intent was broken, and is kept again" if corrected else "intent broken"
    about = short([verdict.partly, sorted(map(_identity, verdict.cases), key=str), verdict.nobody])
    return Alert(
        fingerprint=name_of(result, verdict),
        digest="" if corrected else about,
        corrected=about if corrected else "",
        topic=Topic.INTENT,
        severity=verdict.severity or Severity.LOW,
        title=f"{what}: {cut(verdict.intent.name, _LONGEST_NAME)}",
        sentence=_sentence(verdict, corrected=corrected),
        members=tuple(Member(line, outcome) for line in _explained(judged, verdict)),
        address=address_of(verdict),
    )


def _sentence(verdict: Verdict, *, corrected: bool) -> str:
    happened = said(verdict)
    if not corrected:
        return f"{happened[:1].upper()}{happened[1:]}."
    lasting = f" {_LASTING}" if any(case.exposed for case in verdict.cases) else ""
    return f"When this run began: {happened}. It is not so any more.{lasting}"


def _explained(judged: JudgedIntents, verdict: Verdict) -> list[str]:
    """The verdict as the terminal shows it, without its first and last line."""
    return [line.strip() for line in text([verdict], judged.declared).splitlines()[1:-1]][:_LINES]


def _identity(case: Case) -> list[Any]:
    """What a case is about, in any run: neither the addresses of a packet nor how many machines are alike."""
    return [_end(case.source), _end(case.target), case.flow, case.exposed, sorted({b.hop[:3] for b in case.blockers})]


def _end(end: Any) -> list[str]:
    if isinstance(end, Endpoint):
        return [end.subnet, *sorted(end.groups or ())]
    return [end.label]
