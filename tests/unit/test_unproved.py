"""What a run has corrected and no look of it has shown: it is told once a later look does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.attempt.untold import recovered
from reconciler.engine.gate import gate
from reconciler.engine.outcomes import judge
from reconciler.engine.result import Observation, RunCost, RunTrace
from reconciler.ledger.record import Untold
from reconciler.model import ActionResult, Cause, Ended, Outcome, Policy, Reason, Snapshot
from reconciler.notify.alert_rules import find_alerts
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import completed, ended
from tests.support.worlds import APP, MORNING, WEB, drifted, plan
from tests.unit.test_untold import DOCUMENT, LOOK, NOTED, SSH, opened, seen_by_the_next, whats

LATER = MORNING + timedelta(minutes=5)
NO_ANSWER = Cause(Reason.ANSWER_LOST, "lost")


def blind(*addresses: str) -> Snapshot:
    """A look to which these resources do not answer."""
    unreadable = {at: Cause(Reason.REFUSED, "not read") for at in LOOK.resources if at in addresses}
    return replace(
        LOOK, resources={at: one for at, one in LOOK.resources.items() if at not in addresses}, unreadable=unreadable
    )


def run(last: Snapshot, ended: Ended = Ended.DONE) -> AttemptResult:
    """A run that finds SSH open at WEB and a rule of APP gone, makes the calls, and then sees `last`."""
    first, after = (Observation(look, plan(DOCUMENT, look), ()) for look in (opened(), last))
    decided = gate(first.plan, DOCUMENT, opened(), Policy(), MORNING)
    results = tuple(ActionResult(one, ended, None if ended is Ended.DONE else NO_ANSWER) for one in first.plan.actions)
    trace = RunTrace(first, decided, results, after, wrote=True)
    made = judge(DOCUMENT, Policy(), trace, RunCost(MORNING, 1.0, 9, 2))
    since = {one.difference.identity: MORNING - timedelta(seconds=90) for one in made.drifts}
    return replace(completed(), document=DOCUMENT.name, report=made, drift_since=since)


def left(last: Snapshot, ended: Ended = Ended.DONE) -> list[Untold]:
    told, later = recovered(NOTED, run(last, ended), MORNING)
    assert told == ()
    return later


@pytest.mark.parametrize("how", [Ended.DONE, Ended.UNKNOWN])
@pytest.mark.parametrize("last", [blind(WEB, APP), opened()], ids=["not read", "still shown"])
def test_what_no_look_of_the_run_showed_is_left_and_told_as_corrected_when_one_does(last: Snapshot, how: Ended) -> None:
    later = left(last, how)
    assert (whats(later), {one.unproved for one in later}) == (whats(NOTED), {True})
    told, rest = recovered(later, seen_by_the_next(), LATER)
    assert ([one.sure for one in told], whats(one.untold for one in told), rest) == ([True, True], whats(NOTED), [])
    alerts = find_alerts(replace(seen_by_the_next(), late=told))
    assert [one.title for one in alerts] == [f"{WEB} ingress: corrected", f"{APP} ingress: corrected"]
    assert all(one.sentence.endswith("no look could show that; the look of this run does.") for one in alerts)
    assert alerts[0].exposed == 90 + 300  # until the look that shows it


def test_what_the_last_look_shows_is_told_by_the_run_itself() -> None:
    assert left(LOOK) == []
    assert whats(left(blind(WEB))) == whats(NOTED[:1])


@pytest.mark.parametrize("how", [Ended.FAILED, Ended.HELD, Ended.SKIPPED, Ended.WAITING, Ended.STALE])
def test_what_aws_did_not_take_is_not_claimed_later(how: Ended) -> None:
    assert left(blind(WEB, APP), how) == []


def test_what_is_still_on_its_way_is_left_once_and_what_comes_back_is_not() -> None:
    later = left(opened())
    waits = Cause(Reason.NOT_VISIBLE_YET, "AWS still shows the old value")
    again = seen_by_the_next(opened())
    assert again.report
    some = tuple(replace(one, outcome=Outcome.WAITING, cause=waits) for one in again.report.drifts)
    waiting = replace(again, report=replace(again.report, drifts=some))
    assert recovered(later, waiting, LATER) == ((), later)
    held = tuple(replace(one, outcome=Outcome.HELD) for one in some)
    assert recovered(later, replace(again, report=replace(again.report, drifts=held)), LATER) == ((), [])
    _, once = recovered([*NOTED, *later], run(opened()), LATER)  # sent again: stored again, before the first call
    assert whats(once) == whats(NOTED)


def test_it_is_left_for_as_long_as_nobody_can_look_and_the_document_is_there() -> None:
    later = left(blind(WEB, APP))
    day = LATER + timedelta(days=1)
    assert recovered(later, ended(Ending.UNOBSERVABLE), day) == ((), later)
    told, rest = recovered(later, ended(Ending.DELETED), day)
    assert ([one.sure for one in told], rest) == ([False, False], [])
    other = seen_by_the_next(declared=replace(DOCUMENT, sha256="0" * 64))
    told, rest = recovered(later, other, day)
    assert ([one.sure for one in told], rest) == ([False, False], [])
    (first, _) = find_alerts(replace(other, late=told))
    assert (
        first.sentence == "It was done before, when no look could show that, and whether it took effect is not known."
    )


def test_words_that_cannot_be_made_cost_no_more_than_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object, **__: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("reconciler.attempt.unproved.exposure", raising)
    assert [(one.unproved, one.sentence) for one in left(opened())] == [(True, one.sentence) for one in NOTED]


def test_another_rule_of_the_same_field_has_its_own_end() -> None:
    """The first look has two, and the last one shows that one of them is corrected."""
    only_ssh = drifted(LOOK, WEB, ingress=opened().resources[WEB].spec.ingress)
    assert SSH in only_ssh.resources[WEB].spec.ingress
    assert whats(left(only_ssh)) == whats(NOTED[:1])
