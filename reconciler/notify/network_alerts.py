"""Alerts of what has one cause for many resources: one alert for each cause, then all the rest, field by field. Pure.

What could not be read, a plan that is held, identities that have changed, a run that stopped, adoption, and what a new
version changes itself. Each `_Group` is found and written by itself: whatever raises in one costs no other alert, and
what its rule would have told of is told field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.engine.result import Drift, Report
from reconciler.model import ENDED_THE_RUN, Cause, Ended, Finding, Outcome, Reason
from reconciler.model.exposure import Severity
from reconciler.notify import lines
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint
from reconciler.notify.field_alerts import by_field
from reconciler.notify.lines import is_own, reason, whole
from reconciler.notify.plain_alerts import About, Place, found, written
from reconciler.report.attempt import AttemptResult
from reconciler.report.exposure import exposure
from reconciler.report.takeover import Takeover, takeovers

if TYPE_CHECKING:
    from reconciler.revision.change import RevisionChange


class _Group(NamedTuple):
    """One alert: its topic, what it is about, and what writes it."""

    topic: Topic
    about: tuple[About, ...]
    write: Callable[[], Alert]


def of_the_network(result: AttemptResult, report: Report) -> Iterator[Alert]:
    """The alerts of what a run saw and did."""
    groups: list[_Group] = []
    for rule in (_unread, _held, _others_than_before, _stopped, _adoptions):
        groups += found(partial(rule, result, report), f"the rule {rule.__name__}")
    told = {id(one) for group in groups for one in group.about}
    groups += found(partial(_rolled_out, result, report, told), "the rule of rollouts")
    yield from (written(result, one.write, Place(one.topic), one.about) for one in groups)
    told |= {id(one) for group in groups for one in group.about}
    if report.intents:  # `intent_alerts.py` tells of those
        told |= {id(one) for one in report.findings if one.cause.reason is Reason.INTENT_BROKEN}
    going = found(lambda: report.orphaned, "the rule of what is removed")
    going = [one for one in going if all(one not in group.about for group in groups)]
    yield from by_field(result, report, told, going)


def _unread(result: AttemptResult, report: Report) -> Iterator[_Group]:
    unseen = [one for one in report.findings if one.cause.reason is Reason.UNREADABLE]
    unverified = [drift for drift in report.drifts if reason(drift) is Reason.UNVERIFIED]
    if unseen or unverified:
        yield _Group(Topic.UNSEEN, (*unseen, *unverified), lambda: _unseen(result, unseen, unverified))


def _held(result: AttemptResult, report: Report) -> Iterator[_Group]:
    if cause := report.gate.plan_held:
        held = [drift for drift in report.drifts if reason(drift) in _WHOLE_PLAN]
        going = [one for one in report.orphaned if one.cause and one.cause.reason in _WHOLE_PLAN]
        lost = [one for one in report.findings if one.cause.reason is Reason.SECTION_LOST]

        def write() -> Alert:
            members = [*map(lines.found, lost), *map(lines.going, going), *map(lines.named, held)]
            return _plan_held(result, report, cause, held, members)

        yield _Group(Topic.PLAN_HELD, (*lost, *going, *held), write)


def _others_than_before(result: AttemptResult, report: Report) -> Iterator[_Group]:
    changed = [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED]
    suspect = [drift for drift in report.drifts if changed and reason(drift) is Reason.IDENTITY_CHANGED]
    if changed:
        write = lambda: _identity_changed(result, report, changed, suspect)  # noqa: E731
        yield _Group(Topic.IDENTITY, (*changed, *suspect), write)


def _stopped(result: AttemptResult, report: Report) -> Iterator[_Group]:
    stops = _stops(report)
    left = list(_left_behind(report)) if stops else []
    if stops:
        yield _Group(Topic.STOPPED, tuple(left), lambda: _partial(result, report, stops, left))


def _partial(result: AttemptResult, report: Report, stops: Iterable[Cause], left: Iterable[Drift]) -> Alert:
    title = f"the run stopped; partial: {report.count(Outcome.CORRECTED)} of {len(report.drifts)} done"
    sentence = "What was not done yet is unchanged; the next run continues from there."
    members = [*(Member(cause, Outcome.WAITING) for cause in sorted(map(str, stops))), *map(lines.named, left)]
    about = sorted({cause.reason for cause in stops})
    return whole(result, Topic.STOPPED, Severity.MEDIUM, title, sentence, members, about=about)


def _adoptions(result: AttemptResult, report: Report) -> Iterator[_Group]:
    taken_over = takeovers(report)
    adopted = [one for one in taken_over if one.outcome is Outcome.CORRECTED]
    refused = [one for one in taken_over if _is_refused(result, one)]
    if adopted or refused:
        tags = tuple(drift for one in (*adopted, *refused) for drift in one.drifts)
        yield _Group(Topic.ADOPTED, tags, lambda: _adopted(result, report, adopted, refused))


def _rolled_out(result: AttemptResult, report: Report, told: set[int]) -> Iterator[_Group]:
    own = [drift for drift in report.drifts if id(drift) not in told and is_own(result, drift)]
    done = [drift for drift in own if drift.outcome is Outcome.CORRECTED]
    undone = [drift for drift in own if drift.outcome in _UNDONE]
    if done or undone:
        yield _Group(Topic.ROLLOUT, (*done, *undone), lambda: _rollout(result, report, done, undone))
    elif (change := result.change) and not result.held:
        yield _Group(Topic.REVISION, (), lambda: announced(result, change))


def _unseen(result: AttemptResult, unseen: list[Finding], unverified: list[Drift]) -> Alert:
    """One alert for each cause, whatever it affects: identified by AWS's error code, otherwise by resource."""
    rest = "corrections there could not be verified" if unverified else "nothing there was changed"
    sentence = f"Part of the network could not be read, and {rest}."
    about = sorted({one.cause.code or one.address for one in unseen}) or [Reason.UNVERIFIED]
    members = [*map(lines.found, unseen), *map(lines.named, unverified)]
    title = "part of the network could not be read"
    return whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, members, about=about)


def _stops(report: Report) -> set[Cause]:
    """Why no further call was started: the causes of the calls that were not."""
    untried = (one for one in report.action_results if one.ended is not Ended.FAILED)
    return {one.cause for one in untried if one.cause and one.cause.reason in ENDED_THE_RUN}


def _left_behind(report: Report) -> Iterator[Drift]:
    """The drifts whose calls were not made because the run stopped."""
    skipped = {one.cause for one in report.action_results if one.ended is Ended.SKIPPED}
    for drift in report.drifts:
        unreached = drift.cause in skipped or reason(drift) in ENDED_THE_RUN | {Reason.NOT_ATTEMPTED}
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
    title, sentence = "the whole plan is held", lines.sentence(cause.message)
    if cause.reason is Reason.VPC_GONE:
        severity, title = Severity.CRITICAL, f"{report.document.vpc} is gone, and is not built again by itself"
        about = cause.code
    alert = whole(result, Topic.PLAN_HELD, severity, title, sentence, members, about=about)
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
    members = [*map(lines.found, changed), *map(lines.named, suspect)]
    alert = whole(result, Topic.IDENTITY, severity, title, sentence, members, about=about)
    return replace(alert, release=report.release if held else "")


def _is_refused(result: AttemptResult, one: Takeover) -> bool:
    """Whether what a version newly declares could not be given its tags. Another document's is told by itself."""
    refused = one.outcome in {Outcome.FAILED, Outcome.BLOCKED} and not one.former
    return refused and bool(one.drifts) and all(is_own(result, drift) for drift in one.drifts)


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
    alert = whole(result, Topic.ADOPTED, severity, title, sentence, [*undone, *done])
    return replace(alert, digest=digest(undone), corrected=digest(done))


def _taken_over(one: Takeover) -> Member:
    what, why = f"{one.address} is {one.id}{one.proof}{one.origin}", one.cause.message if one.cause else ""
    return Member(what, one.outcome, why, identity=(one.address, one.id))


def _resources(members: list[Member]) -> str:
    return f"{len(members)} resource{'' if len(members) == 1 else 's'}"


_UNDONE = frozenset({Outcome.HELD, Outcome.WAITING, None})


def announced(result: AttemptResult, change: RevisionChange, done: Iterable[Member] = ()) -> Alert:
    """What an accepted revision means, and what was `done` to match it."""
    from reconciler.notify.revision_alerts import accepted

    return accepted(result, change, tuple(done))


def _rollout(result: AttemptResult, report: Report, done: list[Drift], undone: list[Drift]) -> Alert:
    """What was changed to match a new version, and what of it is not done yet: no drift, whatever it lets through."""
    number = report.document.revision
    left = [lines.named(drift)._replace(why=drift.message) for drift in undone]
    change = None if result.held else result.change
    if change:
        alert = announced(result, change, map(lines.named, done))
    else:
        members = [lines.named(drift) for drift in done]
        matched = f"The network was changed to match revision {number}."
        alert = whole(result, Topic.ROLLOUT, Severity.LOW, f"revision {number} was applied", matched, members)
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
        sentence=f"{alert.sentence if done or change else ''} Not done yet: {number_of} that it makes.".strip(),
        members=(*alert.members, *left),
    )
