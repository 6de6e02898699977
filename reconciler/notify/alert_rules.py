"""Which alerts one attempt to keep a document raises. Pure but for the log.

`telling.py` calls `find_alerts` for each attempt, and `deduplication.py` decides which alerts are sent. There is one
alert for each field of a resource, with all that differs in it (`field_alerts.py`). What has one cause for many
resources is one alert too (`network_alerts.py`), and so is what is wrong with a document, or the run as a whole. An
unmanaged resource raises none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from reconciler.engine.result import Report
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.model.guard import Stage, contained
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Member, Topic, of_account
from reconciler.notify.lines import whole
from reconciler.notify.network_alerts import announced, of_the_network
from reconciler.notify.plain_alerts import Place, one_by_one, plain
from reconciler.report.attempt import AttemptResult, Ending


def find_alerts(result: AttemptResult) -> tuple[Alert, ...]:
    """The alerts of this attempt, the most severe first; none if another run reports instead."""
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD}:
        return ()
    deleted, bug, held = result.ending is Ending.DELETED, bool(result.bug), bool(result.held)
    alerts = [
        *_by_rule(_of_the_document, result, Topic.DELETED if deleted else Topic.REFUSED),
        *_by_rule(_unobservable, result, Topic.BROKE_OFF if bug else Topic.UNSEEN),
        *_by_rule(_of_the_item, result, Topic.DAMAGED),
        *_by_rule(_of_the_revision, result, Topic.REVISION_HELD if held else Topic.REVISION),
        *(_of_the_network(result, result.report) if result.report else ()),
    ]
    if result.report and (judged := result.report.intents):
        from reconciler.notify.intent_alerts import with_intents

        alerts = contained(
            lambda: list(with_intents(result, judged, alerts)),
            lambda cause: [*alerts, plain(result, Place(Topic.INTENT), (), cause)],
            who="the alerts of intents",
            stage=Stage.TELLING,
        )
    if result.late:
        from reconciler.notify.late_alerts import with_late

        alerts = with_late(result, alerts)
    return tuple(sorted(alerts, key=lambda alert: (alert.severity.rank, alert.address or "", alert.fingerprint)))


def _of_the_network(result: AttemptResult, report: Report) -> list[Alert]:
    """The alerts of what a run saw and did; if they cannot even be told apart, each thing by itself."""
    return contained(
        lambda: list(of_the_network(result, report)),
        lambda cause: one_by_one(result, report, cause),
        who="the alerts of the network",
        stage=Stage.TELLING,
    )


def _by_rule(rule: Callable[[AttemptResult], Iterable[Alert]], result: AttemptResult, topic: Topic) -> list[Alert]:
    """What a rule about the attempt as a whole finds; if it raises, a plain alert of that topic."""
    return contained(
        lambda: list(rule(result)),
        lambda cause: [plain(result, Place(topic), (), cause)],
        who=f"the alert {topic.value}",
        stage=Stage.TELLING,
    )


def _of_the_document(result: AttemptResult) -> Iterator[Alert]:
    """A version that is not enforced, or a deleted document. A refused manual request raises none: its caller knows."""
    if result.ending is Ending.DELETED:
        sentence = "Nothing is enforced any more, and nothing is undone. To continue, upload the document again."
        member = Member(result.problem or "its object is gone", Outcome.HELD)
        yield whole(result, Topic.DELETED, Severity.HIGH, "the document is deleted", sentence, [member])
    manual = result.trigger.source is Source.MANUAL
    problem = result.problem if result.ending is Ending.REFUSED and not manual and not result.held else ""
    if refusal := result.refusal or problem:
        severity = Severity.MEDIUM if result.report else Severity.HIGH
        ending = "the version accepted before continues to be enforced" if result.report else "nothing is enforced now"
        members = [Member(line, Outcome.BLOCKED) for line in refusal.splitlines() if line.strip()]
        sentence = f"The newest version of the document is not enforced; {ending}."
        yield whole(result, Topic.REFUSED, severity, "the document is refused", sentence, members, about=refusal)


def _of_the_item(result: AttemptResult) -> Iterator[Alert]:
    """What is remembered of the document and cannot be read."""
    if result.damage:
        sentence = (
            "Nothing is changed until a person has mended the document's item in the ledger. The network is looked at "
            "as before, and what differs is told."
        )
        title = "what is remembered of the document cannot be read"
        member = Member(result.damage, Outcome.BLOCKED)
        yield whole(result, Topic.DAMAGED, Severity.HIGH, title, sentence, [member], about=result.damage)


def _of_the_revision(result: AttemptResult) -> Iterator[Alert]:
    """A revision that is held; one that is accepted, if no report tells of it."""
    if result.change and result.held:
        from reconciler.notify.revision_alerts import held

        yield held(result, result.change)
    elif result.change and result.report is None:
        yield announced(result, result.change)


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
        yield whole(result, Topic.BROKE_OFF, Severity.HIGH, title, sentence, members, about=result.bug)
    elif result.ending is Ending.UNOBSERVABLE:
        sentence = "Nothing could be read, so nothing was changed. What differs now is not known."
        title = "the network could not be read"
        member = Member(result.problem or "nothing could be read", Outcome.FAILED)
        if result.unreachable:
            title = f"account {result.unreachable} could not be read"
            sentence += f" This is told once for all documents of the account {result.unreachable}."
        alert = whole(result, Topic.UNSEEN, Severity.HIGH, title, sentence, [member], about=result.code)
        yield replace(alert, fingerprint=of_account(result.unreachable)) if result.unreachable else alert
