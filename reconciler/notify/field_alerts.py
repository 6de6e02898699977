"""The alerts of single resources: one for each field, with all that differs in it and what became of that. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from functools import partial

from desired_state.fields import Address
from reconciler.engine.result import Drift, Orphaned, Report
from reconciler.model import Finding, Outcome, Reason, Risk
from reconciler.model.exposure import Exposure, Severity
from reconciler.notify import lines
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint
from reconciler.notify.hold_tags import of_hold, under_hold
from reconciler.notify.lines import is_own, member, reason
from reconciler.notify.plain_alerts import ENDINGS, MOST_SEVERE_FIRST, About, Place, written
from reconciler.report.attempt import AttemptResult
from reconciler.report.exposure import cost, exposure

_SEVERITIES = {Outcome.FAILED: Severity.HIGH, Outcome.BLOCKED: Severity.MEDIUM, Outcome.HELD: Severity.LOW}


def by_field(result: AttemptResult, report: Report, told: Container[int], going: Iterable[Orphaned]) -> Iterator[Alert]:
    """What differs or was found, without what is `told` of otherwise (by the ids of the objects), and what is removed,
    `going`.
    """
    fields: dict[tuple[Address, str], list[About]] = {}
    for drift in report.drifts:
        if id(drift) not in told:
            fields.setdefault((drift.address, drift.field), []).append(drift)
    for finding in report.findings:
        if id(finding) not in told and finding.outcome is not Outcome.IN_SYNC:
            fields.setdefault((finding.address, finding.field), []).append(finding)
    for orphaned in going:
        fields.setdefault((orphaned.action.address, ""), []).append(orphaned)
    for (address, field), some in fields.items():
        write = partial(_of_field, result, report, address, field, some)
        yield written(result, write, Place(Topic.DRIFT, address, field), some)


def _of_field(result: AttemptResult, report: Report, address: Address, field: str, some: Iterable[About]) -> Alert:
    parts = [part for one in some for part in _parts(result, report, one)]
    return _drift(result, report, address, field, parts, [one for one in some if isinstance(one, Drift)])


type _Part = tuple[Member, Exposure]


def _parts(result: AttemptResult, report: Report, one: About) -> Iterator[_Part]:
    """What there is to say of one, a line and what it means for each."""
    if isinstance(one, Drift):
        yield member(one), under_hold(_weight(result, one, report), one, result)
    elif isinstance(one, Orphaned):
        verb = "was removed" if one.outcome is Outcome.CORRECTED else "is to be removed"
        sentence = f"{one.action.address} {verb}: the document does not declare it."
        yield lines.going(one), Exposure(Severity.MEDIUM, sentence)
    else:
        broken = one.cause.reason is Reason.BROKEN
        severity = Severity.HIGH if broken else _SEVERITIES.get(one.outcome, Severity.LOW)
        yield lines.found(one, alone=True), of_hold(Exposure(severity, lines.sentence(one.cause.message)), one, result)
        if one.cause.reason in _WHOSE:
            yield from _beneath(report, one)


_WHOSE = frozenset({Reason.FOREIGN, Reason.AMBIGUOUS})
"""Why nothing is corrected at a resource: anybody with the right to tag can bring that about."""


def _beneath(report: Report, finding: Finding) -> Iterator[_Part]:
    """What stands open at a resource that is not corrected because it is not clear whose it is."""
    for one in report.beneath.get(finding.address, ()):
        drift = Drift(one, Outcome.BLOCKED)
        weight = exposure(drift)
        sentence = f"{weight.sentence} It is not corrected: {finding.cause.message}."
        yield member(drift), Exposure(weight.severity, sentence)


def _drift(
    result: AttemptResult,
    report: Report,
    address: Address,
    field: str,
    parts: list[_Part],
    drifts: list[Drift],
) -> Alert:
    """The alert of a field: its members, the worst outcome first, and the sentence of the most severe."""
    parts = sorted(parts, key=lambda part: MOST_SEVERE_FIRST.index(part[0].outcome))
    weight = min((part[1] for part in parts), key=lambda exposure: exposure.severity.rank)
    flapping = any(reason(drift) is Reason.FLAPPING for drift in drifts)
    coming = any(reason(drift) is Reason.ACCEPTED for drift in drifts) and parts[0][0].outcome is Outcome.CORRECTED
    ending = "accepted by AWS" if coming else ENDINGS[parts[0][0].outcome]
    worst = "somebody keeps changing it" if flapping else ending
    open_ones = [part[0] for part in parts if part[0].outcome is not Outcome.CORRECTED]
    done = [part[0] for part in parts if part[0].outcome is Outcome.CORRECTED]
    own = drifts and all(is_own(result, drift) for drift in drifts)
    topic = Topic.FLAPPING if flapping else Topic.ROLLOUT if own else Topic.DRIFT
    return Alert(
        fingerprint=fingerprint(result.document, Topic.DRIFT, address, field),
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
        exposed_unknown=address in result.exposed_unknown,
        once=flapping,
    )


def _weight(result: AttemptResult, drift: Drift, report: Report) -> Exposure:
    """What a drift means, and what putting it right would cost where that is what holds it."""
    if is_own(result, drift):
        severity = _SEVERITIES.get(drift.outcome or Outcome.WAITING, Severity.LOW)
        return Exposure(severity, f"Revision {report.document.revision} makes this change, and it is not done yet.")
    weight = exposure(drift)
    risks = [one.risk for one in report.plan.actions if (drift.address, drift.field) in one.resolves]
    price = cost(max(risks, default=Risk.COSMETIC)) if drift.outcome is Outcome.HELD else None
    if price is None:
        return weight
    severity = min(weight.severity, price.severity, key=lambda one: one.rank)
    return Exposure(severity, f"{weight.sentence} {price.sentence}")
