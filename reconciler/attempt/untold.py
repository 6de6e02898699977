"""What people must still be told of, across the death of a run and the silence of SNS. Pure.

Before its first write a run stores what it is about to correct (`planned`), in the call that confirms the lease anyway.
A run that ends properly replaces that by what could not be sent (`unsent`), mostly nothing. So what the next run finds
there was corrected, or not: its look tells (`recovered`), and `notify/late_alerts.py` says it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.attempt import unproved
from reconciler.attempt.named import name, of_action, short
from reconciler.cloudtrail.attribution import Differing, Drifted, differing, who_made
from reconciler.engine.gate import Gate
from reconciler.engine.outcomes import is_about
from reconciler.engine.result import Drift, Observation, Report, corrects_nothing
from reconciler.ledger.record import DocumentRecord, RecordedActor, Untold, UntoldMember
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Action, Change, Difference, Outcome, Reason, Ref
from reconciler.model.exposure import Severity
from reconciler.model.trigger import Actor
from reconciler.notify.alert import Alert, Member, Topic, fingerprint
from reconciler.notify.lines import member
from reconciler.redact import fit, safe_text
from reconciler.report.attempt import AttemptResult, Ending, Late
from reconciler.report.exposure import exposure

_PERHAPS_MADE = frozenset({Reason.NOT_VISIBLE_YET, Reason.ANSWER_LOST})
LONGEST_WAIT = timedelta(hours=1)
"""How long it is left open whether something was corrected: then it is told without saying so."""
_MOST, _LONGEST = 50, 2000
"""Members of a stored value, and bytes of its JSON."""


def vpc_asked(record: DocumentRecord, document: Document) -> datetime | None:
    """When an earlier run was about to create the document's VPC, which no look has shown since."""
    missing = short([document.vpc, "", None])
    return min((one.at for one in record.untold if any(each.name == missing for each in one.members)), default=None)


def differences(changes: Iterable[Change]) -> Iterator[Difference]:
    """Every difference of a look; of a missing resource only that it is missing."""
    for change in changes:
        yield from (change.missing,) if change.have is None else change.differences


def planned(
    document: Document,
    first: Observation,
    first_gate: Gate,
    now: datetime,
    actors: Iterable[Actor] = (),
    rolls_out: Callable[[Difference], bool] = lambda one: False,
) -> tuple[Untold, ...]:
    """What people would be told, were all calls made that the gate allows; the most severe first.

    Severities are those of one layer: to judge them from end to end would delay the correction.
    """
    skipped = first_gate.held.keys() | first_gate.deferred.keys()
    allowed = [one for index, one in enumerate(first.plan.actions) if index not in skipped]
    found = list(differences(first.plan.changes))
    coming = [one for one in found if any(is_about(action, one) for action in allowed)]
    base = Untold("", "", "", "", "", now, sha256=document.sha256)
    adopted = {one.address for one in coming if one.key == DOCUMENT_TAG}
    ids = {ref.to: aws_id for ref, aws_id in first.snapshot.handles.items() if not ref.handle}
    whole: dict[Topic, list[UntoldMember]] = {Topic.ADOPTED: [], Topic.ROLLOUT: []}
    parts: dict[tuple[Address, str], list[tuple[Difference, Untold]]] = {}
    for one in coming:
        drift = Drift(one, Outcome.CORRECTED)
        aws_id = first.snapshot.handles.get(Ref(one.address), "")
        if one.address in adopted and one.key in {DOCUMENT_TAG, NAME_TAG}:
            if one.key == DOCUMENT_TAG:
                whole[Topic.ADOPTED].append(UntoldMember(f"{one.address} is {aws_id}", name(one)))
        elif rolls_out(one):
            whole[Topic.ROLLOUT].append(_stored(member(drift), name(one), one.address))
        else:
            weight = exposure(drift)
            alert = replace(
                base,
                fingerprint=fingerprint(document.name, Topic.DRIFT, one.address, one.field),
                topic=Topic.DRIFT,
                severity=weight.severity,
                title=f"{one.address}{f' {one.field}' if one.field else ''}",
                sentence=weight.sentence,
                members=(_stored(member(drift), name(one)),),
                address=one.address,
                field=one.field,
                aws_id=aws_id,
                who=_who(who_made(Drifted(one.address, aws_id, (differing(one, ids, document.vpc),)), actors)),
            )
            parts.setdefault((one.address, one.field), []).append((one, alert))
    alerts = [_joined([alert for _, alert in some]) for some in parts.values()]
    alerts += list(_cleaned(document.name, base, allowed, {one.address for one in found}))
    number = document.revision
    for topic, title, sentence in (
        (Topic.ADOPTED, *_ADOPTED),
        (Topic.ROLLOUT, f"revision {number}", f"The network was changed to match revision {number}."),
    ):
        if members := whole[topic]:
            whole_alert = replace(base, fingerprint=fingerprint(document.name, topic), topic=topic, severity="low")
            alerts.append(replace(whole_alert, title=title, sentence=sentence, members=tuple(members)))
    return tuple(sorted(map(_safe, alerts), key=_rank))


_ADOPTED = "adopted resources", "They carry this document's tags now; nothing else of them was changed."


def _rank(one: Untold) -> int:
    return Severity(one.severity).rank


def _joined(some: list[Untold]) -> Untold:
    """One alert for a field, with the sentence of what is most severe in it."""
    first = min(some, key=_rank)
    return replace(first, members=tuple(one for alert in some for one in alert.members))


def _cleaned(document: str, base: Untold, allowed: Iterable[Action], drifted: Collection[Address]) -> Iterator[Untold]:
    """What is taken away and corrects no difference: what is declared no more, and what an earlier run left."""
    for action in allowed:
        if not corrects_nothing(action, drifted):
            continue
        yield replace(
            base,
            fingerprint=fingerprint(document, Topic.DRIFT, action.address),
            topic=Topic.DRIFT,
            severity="medium",
            title=str(action.address),
            sentence=f"{action.address} was removed: the document does not declare it.",
            members=(UntoldMember(f"{action.address}: {action.why}", of_action(action)),),
            address=action.address,
        )


def _stored(one: Member, identity: str, address: str = "") -> UntoldMember:
    what = f"{address}: {one.what}" if address else one.what
    return UntoldMember(what, identity, _json(one.want), _json(one.have), one.compared)


def _json(value: object) -> str | None:
    if value is None:
        return None
    written = json.dumps(fit(value, _MOST), ensure_ascii=False)
    return written if len(written.encode()) <= _LONGEST else json.dumps("(too long to be stored)")


def _who(actor: Actor | None) -> RecordedActor | None:
    return (
        None
        if actor is None
        else RecordedActor(actor.who, actor.call, actor.at, actor.source_ip, actor.user_agent, actor.event_id)
    )


def _safe(one: Untold) -> Untold:
    """Without what looks like a secret: an item of the ledger is read in the console."""
    members = tuple(replace(each, what=safe_text(each.what)) for each in one.members)
    return replace(one, title=safe_text(one.title), sentence=safe_text(one.sentence), members=members)


def recovered(untold: Iterable[Untold], result: AttemptResult, now: datetime) -> tuple[tuple[Late, ...], list[Untold]]:
    """What people are told now of what earlier runs have left, and what is left to a later run.

    What this run finds to differ still, or again, is in neither: its own alert tells of that. What it has corrected
    itself and could not see corrected is left to a later one, too.
    """
    told: list[Late] = []
    later: list[Untold] = []
    sent = unproved.sent(result)
    verdict = _verdicts(result, now, sent)
    for one in untold:
        judged = [(verdict(one, each), each) for each in one.members]
        for sure, members in (
            (True, tuple(each for how, each in judged if how is True)),
            (False, tuple(each for how, each in judged if how is False)),
        ):
            if members:
                told.append(Late(replace(unproved.proved(one, now) if sure else one, members=members), sure))
        if members := tuple(each for how, each in judged if how == "later"):
            later.append(_kept(replace(one, members=members), result, sent, now))
    return tuple(told), later


def _kept(one: Untold, result: AttemptResult, sent: dict[str, Drift], now: datetime) -> Untold:
    kept = unproved.kept(one, result, sent, now)
    actor = result.actors.get(Address(one.address)) if one.address and kept.unproved else None
    return replace(kept, who=_who(actor)) if actor else kept


def _verdicts(
    result: AttemptResult, now: datetime, sent: Collection[str]
) -> Callable[[Untold, UntoldMember], bool | str | None]:
    """Of each member whether it was corrected (True), which is not known (False), "later", or None: it was not.

    What this run has `sent` may stand twice, as an earlier run has left it, too: it is left to a later one once.
    """
    report = result.report
    once = set(sent)
    waiting = {name(one.difference) for one in unproved.waiting(result)}
    still, blind = _still(report) if report else set(), _blind(report) if report else frozenset()
    not_shown, deleted = _not_shown(report) if report else "", result.ending is Ending.DELETED

    def verdict(one: Untold, each: UntoldMember) -> bool | str | None:
        if not each.name:
            return True
        if each.name == not_shown or each.name in once:
            once.discard(each.name)
            return "later"
        if each.name in still:
            return "later" if one.unproved and each.name in waiting and each.name not in sent else None
        open_ = "later" if (one.unproved or now - one.at < LONGEST_WAIT) and not deleted else False
        if report is None:
            return open_
        address = Address(one.address)
        unseen = address in blind if address else bool(blind)
        if unseen or not report.plan.covers(address):
            return open_
        return one.sha256 == report.document.sha256

    return verdict


def _not_shown(report: Report) -> str:
    """The name of the missing VPC, if it may have been created and is not shown yet; empty if not."""
    missing = [one for one in report.drifts if one.address == report.document.vpc and not one.field]
    waits = [one for one in missing if one.cause and one.cause.reason in _PERHAPS_MADE]
    return name(waits[0].difference) if waits else ""


def _still(report: Report) -> set[str]:
    drifts = {name(drift.difference) for drift in report.drifts} | {name(one) for one, _ in report.excepted}
    missing = {drift.address for drift in report.drifts if not drift.field}
    inside = {name(one) for change in report.plan.changes if change.address in missing for one in change.differences}
    return drifts | inside | {of_action(one.action) for one in report.orphaned}


def _blind(report: Report) -> frozenset[Address]:
    """What this run could not look at."""
    unseen = {one.address for one in report.drifts if one.cause and one.cause.reason is Reason.UNVERIFIED}
    failed = {one.address for one in report.findings if one.outcome is Outcome.FAILED and not one.field}
    return report.gate.unseen | unseen | failed


def to_attribute(late: Iterable[Late], document: Document) -> tuple[Drifted, ...]:
    """The resources of which nobody is known to have changed them; asked of CloudTrail as those that differ now."""
    fields: dict[tuple[Address, str], set[str]] = {}
    for one in late:
        untold = one.untold
        ended_early = any(each.name for each in untold.members)  # of the others that was asked before
        if ended_early and untold.who is None and Address(untold.address) in document.resources:
            fields.setdefault((Address(untold.address), untold.aws_id), set()).update({untold.field} - {""})
    return tuple(
        Drifted(address, aws_id, tuple(map(Differing, sorted(names) or [""])))
        for (address, aws_id), names in fields.items()
    )


def unsent(alerts: Iterable[Alert], lost: Collection[str], late: Iterable[Late], now: datetime) -> list[Untold]:
    """What to store of the alerts that could not be sent, as far as no later run would find it by itself."""
    found = [one.untold for one in late if one.untold.fingerprint in lost]
    for alert in alerts:
        own = [one for one in alert.members if not one.late and _is_done(alert, one)]
        if alert.fingerprint in lost and own:
            title, sentence = alert.title.removesuffix(": corrected"), alert.sentence
            if alert.topic is Topic.ADOPTED and alert.digest:  # what was refused beside it is found by every later run
                title, sentence = _ADOPTED
            found.append(
                Untold(
                    fingerprint=alert.fingerprint,
                    topic=alert.topic,
                    severity=alert.severity,
                    title=title,
                    sentence=sentence,
                    at=now,
                    members=tuple(_stored(one, "") for one in own),
                    address=alert.address or "",
                    aws_id=alert.aws_id,
                    open_for=None if alert.exposed is None else int(alert.exposed + 0.999),
                    who=_who(alert.actor),
                )
            )
    return [_safe(one) for one in found]


def _is_done(alert: Alert, one: Member) -> bool:
    return one.outcome is (Outcome.IN_SYNC if alert.topic is Topic.ADOPTED else Outcome.CORRECTED)
