"""Which alerts one attempt to keep a document raises. Pure.

`keep.py` calls `find_alerts` for each attempt, and `deduplication.py` decides which alerts are sent. There is one alert
for each field of a resource, with all that differs in it. What has one cause for many resources (AWS could not be read,
the plan is held, identities have changed, resources were adopted, the run stopped) is one alert too. An unmanaged
resource raises none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address
from reconciler.engine.result import Drift, Orphaned, Report
from reconciler.model import ENDED_THE_RUN, Cause, Ended, Finding, Outcome, Reason, Risk
from reconciler.model.exposure import Exposure, Severity
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint, of_account, short
from reconciler.notify.hold_tags import of_hold, under_hold
from reconciler.report.as_json import value_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.exposure import cost, exposure
from reconciler.report.takeover import Takeover, takeovers
from reconciler.report.text import difference

if TYPE_CHECKING:
    from reconciler.revision.change import RevisionChange

_MOST_SEVERE_FIRST = (Outcome.FAILED, Outcome.BLOCKED, Outcome.HELD, Outcome.WAITING, None, Outcome.CORRECTED)
_ENDINGS = {
    Outcome.FAILED: "could not be corrected",
    Outcome.BLOCKED: "needs manual action",
    Outcome.HELD: "held",
    Outcome.WAITING: "waiting",
    Outcome.CORRECTED: "corrected",
    None: "not corrected yet",
}
_SEVERITIES = {Outcome.FAILED: Severity.HIGH, Outcome.BLOCKED: Severity.MEDIUM, Outcome.HELD: Severity.LOW}


def find_alerts(result: AttemptResult) -> tuple[Alert, ...]:
    """The alerts of this attempt, the most severe first; none if another run reports instead."""
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD}:
        return ()
    found = [
        *_of_the_document(result),
        *_unobservable(result),
        *_of_the_revision(result),
        *(_of_the_network(result, result.report) if result.report else ()),
    ]
    if result.report and result.report.intents:
        from reconciler.notify.intent_alerts import with_intents

        found = list(with_intents(result, result.report.intents, found))
    if result.late:
        from reconciler.notify.late_alerts import with_late

        found = with_late(result, found)
    return tuple(sorted(found, key=lambda alert: (alert.severity.rank, alert.address or "", alert.fingerprint)))


def _of_the_document(result: AttemptResult) -> Iterator[Alert]:
    """A version that is not enforced, or a deleted document. A refused manual request raises none: its caller knows."""
    if result.ending is Ending.DELETED:
        sentence = "Nothing is enforced any more, and nothing is undone. To continue, upload the document again."
        member = Member(result.problem or "its object is gone", Outcome.HELD)
        yield _whole(result, Topic.DELETED, Severity.HIGH, "the document is deleted", sentence, [member])
    manual = result.trigger.source is Source.MANUAL
    problem = result.problem if result.ending is Ending.REFUSED and not manual and not result.held else ""
    if refusal := result.refusal or problem:
        severity = Severity.MEDIUM if result.report else Severity.HIGH
        ending = "the version accepted before continues to be enforced" if result.report else "nothing is enforced now"
        members = [Member(line, Outcome.BLOCKED) for line in refusal.splitlines() if line.strip()]
        sentence = f"The newest version of the document is not enforced; {ending}."
        yield _whole(result, Topic.REFUSED, severity, "the document is refused", sentence, members, about=refusal)


def _of_the_revision(result: AttemptResult) -> Iterator[Alert]:
    """A revision that is held; one that is accepted, if no report tells of it."""
    if result.change and result.held:
        from reconciler.notify.revision_alerts import held

        yield held(result, result.change)
    elif result.change and result.report is None:
        yield _announced(result, result.change)


def _announced(result: AttemptResult, change: RevisionChange, done: Iterable[Member] = ()) -> Alert:
    from reconciler.notify.revision_alerts import accepted

    return accepted(result, change, tuple(done))


def _unobservable(result: AttemptResult) -> Iterator[Alert]:
    if result.bug:
        members = [
            Member(result.problem, Outcome.FAILED),
            Member(
                "report it with the lines of this run in the log: nobody but its authors can mend it", Outcome.FAILED
            ),
        ]
        sentence = "This run was ended by a mistake in Setpoint itself. What it had corrected before stays corrected; "
        sentence += "nothing else was changed, and the next run tries again."
        title = "the run broke off: a mistake in Setpoint"
        yield _whole(result, Topic.BROKE_OFF, Severity.HIGH, title, sentence, members, about=result.bug)
    elif result.ending is Ending.UNOBSERVABLE:
        sentence = "Nothing could be read, so nothing was changed. What differs now is not known."
        title = "the network could not be read"
        member = Member(result.problem or "nothing could be read", Outcome.FAILED)
        if result.unreachable:
            title = f"account {result.unreachable} could not be read"
            sentence += f" This is told once for all documents of the account {result.unreachable}."
        alert = _whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, [member], about=result.code)
        yield replace(alert, fingerprint=of_account(result.unreachable)) if result.unreachable else alert


def _of_the_network(result: AttemptResult, report: Report) -> Iterator[Alert]:
    """What has one cause for many resources, one alert for each cause; then all the rest, field by field."""
    unseen = [one for one in report.findings if one.cause.reason is Reason.UNREADABLE]
    unverified = [drift for drift in report.drifts if _reason(drift) is Reason.UNVERIFIED]
    if unseen or unverified:
        yield _unseen(result, unseen, unverified)
    held, going, lost = [], [], []
    if report.gate.plan_held:
        held = [drift for drift in report.drifts if _reason(drift) in _WHOLE_PLAN]
        going = [one for one in report.orphaned if one.cause and one.cause.reason in _WHOLE_PLAN]
        lost = [one for one in report.findings if one.cause.reason is Reason.SECTION_LOST]
        members = [*map(_found, lost), *map(_going, going), *map(_named, held)]
        yield _plan_held(result, report, report.gate.plan_held, held, members)
    changed = [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED]
    suspect = [drift for drift in report.drifts if changed and _reason(drift) is Reason.IDENTITY_CHANGED]
    if changed:
        yield _identity_changed(result, report, changed, suspect)
    stops = _stops(report)
    left = list(_left_behind(report)) if stops else []
    if stops:
        title = f"the run stopped; partial: {report.count(Outcome.CORRECTED)} of {len(report.drifts)} done"
        sentence = "What was not done yet is unchanged; the next run continues from there."
        members = [*(Member(cause, Outcome.WAITING) for cause in sorted(map(str, stops))), *map(_named, left)]
        about = sorted({cause.reason for cause in stops})
        yield _whole(result, Topic.STOPPED, Severity.MEDIUM, title, sentence, members, about=about)
    taken_over = takeovers(report)
    adopted = [one for one in taken_over if one.outcome is Outcome.CORRECTED]
    refused = [one for one in taken_over if _is_refused(result, one)]
    if adopted or refused:
        yield _adopted(result, report, adopted, refused)
    tags = {id(drift) for one in (*adopted, *refused) for drift in one.drifts}
    told = {id(drift) for drift in (*unverified, *held, *suspect, *left)} | tags
    own = [drift for drift in report.drifts if id(drift) not in told and _is_own(result, drift)]
    done = [drift for drift in own if drift.outcome is Outcome.CORRECTED]
    undone = [drift for drift in own if drift.outcome in _UNDONE]
    if done or undone:
        yield _rollout(result, report, done, undone)
    elif result.change and not result.held:
        yield _announced(result, result.change)
    broken = [one for one in report.findings if report.intents and one.cause.reason is Reason.INTENT_BROKEN]
    taken = {
        id(one) for one in (*broken, *unseen, *unverified, *held, *lost, *changed, *suspect, *left, *done, *undone)
    } | tags
    yield from _by_field(result, report, taken, [one for one in report.orphaned if one not in going])


def _reason(drift: Drift) -> Reason | None:
    return drift.cause.reason if drift.cause else None


def _unseen(result: AttemptResult, unseen: list[Finding], unverified: list[Drift]) -> Alert:
    """One alert for each cause, whatever it affects: identified by AWS's error code, otherwise by resource."""
    rest = "corrections there could not be verified" if unverified else "nothing there was changed"
    sentence = f"Part of the network could not be read, and {rest}."
    about = sorted({one.cause.code or one.address for one in unseen}) or [Reason.UNVERIFIED]
    members = [*map(_found, unseen), *map(_named, unverified)]
    title = "part of the network could not be read"
    return _whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, members, about=about)


def _stops(report: Report) -> set[Cause]:
    """Why no further call was started: the causes of the calls that were not."""
    untried = (one for one in report.action_results if one.ended is not Ended.FAILED)
    return {one.cause for one in untried if one.cause and one.cause.reason in ENDED_THE_RUN}


def _left_behind(report: Report) -> Iterator[Drift]:
    """The drifts whose calls were not made because the run stopped."""
    skipped = {one.cause for one in report.action_results if one.ended is Ended.SKIPPED}
    for drift in report.drifts:
        unreached = drift.cause in skipped or _reason(drift) in ENDED_THE_RUN | {Reason.NOT_ATTEMPTED}
        if drift.outcome is Outcome.WAITING and unreached:
            yield drift


_WHOLE_PLAN = frozenset({Reason.PLAN_HELD, Reason.VPC_GONE})
"""Why no call of a plan is made."""


def _plan_held(
    result: AttemptResult, report: Report, cause: Cause, held: Iterable[Drift], members: list[Member]
) -> Alert:
    """Everything that waits for a person to release the plan, with the highest severity among it."""
    severity = min((Severity.HIGH, *(exposure(drift).severity for drift in held)), key=lambda one: one.rank)
    about: Any = [[one.what, one.want, one.have] for one in members]
    title, sentence = "the whole plan is held", _sentence(cause.message)
    if cause.reason is Reason.VPC_GONE:
        severity, title = Severity.CRITICAL, f"{report.document.vpc} is gone, and is not built again by itself"
        about = cause.code
    alert = _whole(result, Topic.PLAN_HELD, severity, title, sentence, members, about=about)
    return replace(alert, release=report.plan.fingerprint)


def _identity_changed(
    result: AttemptResult, report: Report, changed: Iterable[Finding], suspect: Iterable[Drift]
) -> Alert:
    """What is another resource than before: held, until a person says that this is right, or noticed too late. It is
    identified by the ids.
    """
    held = any(one.outcome is Outcome.HELD for one in changed)
    addresses = [one.address for one in changed]
    title = f"{addresses[0]} is another resource than before"
    if len(addresses) > 1:
        title = f"{len(addresses)} resources are others than before"
    sentence = "What was written may be at another resource than the one that was looked at: look at both."
    if held:
        sentence = "It was found at another id than before: nothing is written to it until a person confirms that."
    severity = min((Severity.HIGH, *(exposure(drift).severity for drift in suspect)), key=lambda one: one.rank)
    about = sorted([one.address, one.outcome, one.cause.code] for one in changed)
    members = [*map(_found, changed), *map(_named, suspect)]
    alert = _whole(result, Topic.IDENTITY, severity, title, sentence, members, about=about)
    return replace(alert, release=report.release if held else "")


def _is_refused(result: AttemptResult, one: Takeover) -> bool:
    """Whether what a version newly declares could not be given its tags. Another document's is told by itself."""
    refused = one.outcome in {Outcome.FAILED, Outcome.BLOCKED} and not one.former
    return refused and bool(one.drifts) and all(_is_own(result, drift) for drift in one.drifts)


def _adopted(
    result: AttemptResult, report: Report, adopted: Iterable[Takeover], refused: Iterable[Takeover] = ()
) -> Alert:
    """What got this document's tags, and what was refused them: one alert, because it is one decision to take over a
    network.
    """
    done = [_taken_over(one)._replace(outcome=Outcome.IN_SYNC, why="") for one in adopted]
    undone = [_taken_over(one) for one in refused]
    of_vpc = f" of {report.vpc_id}" if report.vpc_id else ""
    title = f"adopted {_resources(done)}{of_vpc}"
    sentence = "What was live and declared carries this document's tags now; that changed nothing else of it."
    if undone:
        title = f"{_resources(undone)}{of_vpc} could not be adopted"
        sentence = (
            f"{len(done)} of {len(done) + len(undone)} were adopted; the others do not carry this document's tags."
        )
    severity = Severity.HIGH if undone else Severity.LOW
    alert = _whole(result, Topic.ADOPTED, severity, title, sentence, [*undone, *done])
    return replace(alert, digest=digest(undone), corrected=digest(done))


def _taken_over(one: Takeover) -> Member:
    what, why = f"{one.address} is {one.id}{one.proof}{one.origin}", one.cause.message if one.cause else ""
    return Member(what, one.outcome, why, identity=(one.address, one.id))


def _resources(members: list[Member]) -> str:
    return f"{len(members)} resource{'' if len(members) == 1 else 's'}"


_UNDONE = frozenset({Outcome.HELD, Outcome.WAITING, None})


def _is_own(result: AttemptResult, drift: Drift) -> bool:
    """Whether the version of the document that is being rolled out makes this difference itself."""
    return result.rollout and (result.own is None or drift.difference.identity in result.own)


def _rollout(result: AttemptResult, report: Report, done: list[Drift], undone: list[Drift]) -> Alert:
    """What was changed to match a new version, and what of it is not done yet: no drift, whatever it lets through."""
    number = report.document.revision
    left = [_named(drift)._replace(why=drift.message) for drift in undone]
    if result.change and not result.held:
        alert = _announced(result, result.change, map(_named, done))
    else:
        members = [_named(drift) for drift in done]
        matched = f"The network was changed to match revision {number}."
        alert = _whole(result, Topic.ROLLOUT, Severity.LOW, f"revision {number} was applied", matched, members)
        alert = replace(alert, digest="", corrected=digest(members))
    if not left:
        return alert
    number_of = f"{len(left)} change{'' if len(left) == 1 else 's'}"
    return replace(
        alert,
        fingerprint=fingerprint(result.document, Topic.ROLLOUT),
        topic=Topic.ROLLOUT,
        digest=digest(left),
        title=f"revision {number} is being rolled out: {number_of} left",
        sentence=f"{alert.sentence if done or result.change else ''} Not done yet: {number_of} that it makes.".strip(),
        members=(*alert.members, *left),
    )


def _by_field(result: AttemptResult, report: Report, taken: set[int], going: Iterable[Orphaned]) -> Iterator[Alert]:
    drifts: dict[tuple[Address, str], list[Drift]] = {}
    parts: dict[tuple[Address, str], list[tuple[Member, Exposure]]] = {}
    for drift in report.drifts:
        if id(drift) not in taken:
            drifts.setdefault((drift.address, drift.field), []).append(drift)
            weight = under_hold(_weight(result, drift, report), drift, result)
            parts.setdefault((drift.address, drift.field), []).append((member(drift), weight))
    for finding in report.findings:
        if id(finding) not in taken and finding.outcome is not Outcome.IN_SYNC:
            broken = finding.cause.reason is Reason.BROKEN
            severity = Severity.HIGH if broken else _SEVERITIES.get(finding.outcome, Severity.LOW)
            weight = of_hold(Exposure(severity, _sentence(finding.cause.message)), finding, result)
            parts.setdefault((finding.address, finding.field), []).append((_found(finding, alone=True), weight))
            if finding.cause.reason in _WHOSE:
                parts[finding.address, finding.field] += _beneath(report, finding)
    for orphaned in going:
        action = orphaned.action
        verb = "was removed" if orphaned.outcome is Outcome.CORRECTED else "is to be removed"
        weight = Exposure(Severity.MEDIUM, f"{action.address} {verb}: the document does not declare it.")
        parts.setdefault((action.address, ""), []).append((_going(orphaned), weight))
    for (address, field), some in parts.items():
        yield _drift(result, report, address, field, some, drifts.get((address, field), []))


_WHOSE = frozenset({Reason.FOREIGN, Reason.AMBIGUOUS})
"""Why nothing is corrected at a resource: anybody with the right to tag can bring that about."""


def _beneath(report: Report, finding: Finding) -> Iterator[tuple[Member, Exposure]]:
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
    parts: list[tuple[Member, Exposure]],
    drifts: list[Drift],
) -> Alert:
    """The alert of a field: its members, the worst outcome first, and the sentence of the most severe."""
    parts = sorted(parts, key=lambda part: _MOST_SEVERE_FIRST.index(part[0].outcome))
    weight = min((part[1] for part in parts), key=lambda exposure: exposure.severity.rank)
    flapping = any(_reason(drift) is Reason.FLAPPING for drift in drifts)
    worst = "somebody keeps changing it" if flapping else _ENDINGS[parts[0][0].outcome]
    open_ones = [part[0] for part in parts if part[0].outcome is not Outcome.CORRECTED]
    done = [part[0] for part in parts if part[0].outcome is Outcome.CORRECTED]
    own = drifts and all(_is_own(result, drift) for drift in drifts)
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
    if _is_own(result, drift):
        severity = _SEVERITIES.get(drift.outcome or Outcome.WAITING, Severity.LOW)
        return Exposure(severity, f"Revision {report.document.revision} makes this change, and it is not done yet.")
    weight = exposure(drift)
    risks = [one.risk for one in report.plan.actions if (drift.address, drift.field) in one.resolves]
    price = cost(max(risks, default=Risk.COSMETIC)) if drift.outcome is Outcome.HELD else None
    if price is None:
        return weight
    severity = min(weight.severity, price.severity, key=lambda one: one.rank)
    return Exposure(severity, f"{weight.sentence} {price.sentence}")


def member(drift: Drift) -> Member:
    """A drift as a line of an alert."""
    one = drift.difference
    want, have = value_as_json(one, one.want), value_as_json(one, one.have)
    return Member(difference(one), drift.outcome, drift.message, want, have, compared=True)


def _named(drift: Drift) -> Member:
    """A member with its address, for an alert about many resources, which says why only once."""
    one = member(drift)
    return one._replace(what=f"{drift.address}: {one.what}", why="")


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
    """An alert about the document or the run as a whole; another `about` makes it a changed alert."""
    name = fingerprint(result.document, topic)
    still_open = short([topic.value, about])
    return Alert(name, still_open, "", topic, severity, title, sentence, tuple(members), once=topic is Topic.DELETED)
