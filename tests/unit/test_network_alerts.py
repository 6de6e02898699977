"""Alerts of one cause for many resources: what belongs to them and what is told by itself. And where an alert cannot be
written: the plain one that stands for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.result import Drift, Orphaned
from reconciler.model import (
    ABSENT,
    ENDED_THE_RUN,
    ActionResult,
    Cause,
    Ended,
    Evidence,
    Finding,
    Found,
    Operation,
    Outcome,
    Phase,
    Reason,
    Risk,
)
from reconciler.model.exposure import Severity
from reconciler.notify.alert import Alert, Member, Topic, digest, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.field_alerts import by_field
from reconciler.notify.plain_alerts import About, Place, one_by_one, plain
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.exposure import exposure
from reconciler.revision.compare import compare
from tests.support.attempts import completed, ended, extra, only
from tests.support.reports import GROUP, VPC, action, document, drift, planned, report, whole_plan_held

REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
TABLE, APP = Address("route_table/out"), Address("security_group/App")
TOO_MUCH = Cause(Reason.PLAN_HELD, "the plan removes 40 live members")
BUSY, FAULT = Cause(Reason.NOT_READY, "the database is modifying"), Cause(Reason.FAULT, "odd.")


def of(topic: Topic, result: AttemptResult) -> Alert:
    (one,) = [each for each in find_alerts(result) if each.topic is topic]
    return one


# A plan that is held


def held(*drifts: Drift, **changes: Any) -> AttemptResult:
    return completed(*drifts, gate=whole_plan_held(TOO_MUCH), **changes)


@pytest.mark.parametrize(
    ("drifts", "severity"),
    [
        ([drift("tags", "team", "a", "b", Outcome.HELD, TOO_MUCH, VPC)], Severity.HIGH),
        (
            [drift("tags", "team", "a", "b", Outcome.HELD, TOO_MUCH, VPC), extra(outcome=Outcome.HELD, cause=TOO_MUCH)],
            Severity.CRITICAL,
        ),
    ],
)
def test_a_held_plan_is_as_grave_as_the_gravest_in_it_and_never_little(drifts: list[Drift], severity: Severity) -> None:
    assert only(held(*drifts)).severity is severity


def test_beside_a_held_plan_whatever_has_another_cause_is_told_by_itself() -> None:
    gone, other = action(), action(at="security_group/Other")
    results = (ActionResult(gone, Ended.HELD, TOO_MUCH), ActionResult(other, Ended.FAILED, BUSY))
    odd = Finding(TABLE, Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, "two candidates"))
    done = action(at="security_group/Done")
    result = held(
        plan=planned(gone, other, done), action_results=(*results, ActionResult(done, Ended.DONE)), findings=(odd,)
    )
    assert [each.what.split(":")[0] for each in of(Topic.PLAN_HELD, result).members] == ["security_group/Old"]
    assert {each.address for each in find_alerts(result)} == {None, TABLE, other.address, done.address}


# A run that stopped


def stopped(*causes: Cause, beside: tuple[Drift, ...] = (), more: tuple[ActionResult, ...] = ()) -> AttemptResult:
    results = [
        ActionResult(REVOKE.on(Address(f"security_group/{at}"), "revoke", "ingress"), Ended.WAITING, cause)
        for at, cause in enumerate(causes)
    ]
    drifts = [extra(outcome=Outcome.WAITING, cause=one, at=f"security_group/{at}") for at, one in enumerate(causes)]
    return completed(*drifts, *beside, action_results=(*results, *more))


def test_why_a_run_stopped_is_told_in_one_order() -> None:
    causes = [Cause(reason, f"because of {reason}") for reason in sorted(ENDED_THE_RUN)]
    assert len(causes) == 4
    one, other = (only(stopped(*some)) for some in (causes, causes[::-1]))
    assert [each.what for each in one.members[:4]] == sorted(map(str, causes))
    assert (one.digest, one.severity) == (other.digest, Severity.MEDIUM)
    assert one.digest != only(stopped(*causes[:3])).digest


def test_what_waits_for_something_else_is_not_told_as_left_by_a_run_that_stopped() -> None:
    up = Cause(Reason.OUT_OF_TIME, "the time is up")
    busy = ActionResult(REVOKE.on(APP, "revoke", "ingress"), Ended.WAITING, BUSY)
    result = stopped(up, beside=(extra(outcome=Outcome.WAITING, cause=BUSY, at=APP),), more=(busy,))
    assert [(each.topic, each.address) for each in find_alerts(result)] == [
        (Topic.DRIFT, APP),
        (Topic.STOPPED, None),
    ]


# What could not be read, and what is another resource


def test_what_could_not_be_read_without_a_code_is_known_by_where_it_is() -> None:
    def unread(*addresses: Address) -> str:
        cause = Cause(Reason.UNREADABLE, "its item is odd")
        return only(completed(findings=tuple(Finding(at, Outcome.FAILED, cause) for at in addresses))).digest

    places = [Address(f"subnet/{name}") for name in "abcde"]
    assert unread(*places) == unread(*places[::-1])
    assert unread(*places) != unread(*places[:4])


def test_one_that_is_held_among_others_that_changed_is_released_by_a_person() -> None:
    cause = Cause(Reason.IDENTITY_CHANGED, "it is another one now", "a -> b")
    findings = (Finding(TABLE, Outcome.FAILED, cause), Finding(APP, Outcome.HELD, cause))
    assert only(completed(findings=findings, release="f" * 16)).release == "f" * 16


# Adoption


def tagged(at: Address, outcome: Outcome, cause: Cause | None = None) -> list[Drift]:
    return [
        drift("tags", f"setpoint:{tag}", value, ABSENT, outcome, cause, at)
        for tag, value in (("document", "small"), ("name", at.name))
    ]


def adopting(*drifts: Drift, **changes: Any) -> AttemptResult:
    ids = {TABLE: "rtb-1", GROUP: "sg-1"}
    return completed(*drifts, rollout=True, found_by={TABLE: Found(Evidence.SEATS, "its subnets")}, ids=ids, **changes)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BLOCKED])
def test_what_could_not_be_adopted_says_why_and_is_known_by_what_it_is(outcome: Outcome) -> None:
    def refused(at: Address, why: str) -> Alert:
        return only(adopting(*tagged(at, outcome, Cause(Reason.REFUSED, why))))

    one = refused(TABLE, "no right to tag")
    assert (one.topic, [each.why for each in one.members]) == (Topic.ADOPTED, ["no right to tag"])
    assert one.digest == refused(TABLE, "in other words").digest
    assert one.digest != refused(GROUP, "no right to tag").digest


def test_a_tag_that_the_version_does_not_set_itself_is_drift() -> None:
    drifts = tagged(TABLE, Outcome.FAILED, Cause(Reason.REFUSED, "no right to tag"))
    mine = frozenset({drifts[0].difference.identity})
    result = adopting(*drifts, own=mine)
    assert Topic.ADOPTED not in {each.topic for each in find_alerts(result)}


# One field


def test_what_is_held_says_what_it_means_and_its_price_only_where_it_has_one() -> None:
    one = extra(outcome=Outcome.HELD, cause=BUSY)
    assert only(completed(one)).sentence == exposure(one).sentence


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(Outcome.HELD, "is to be removed"), (Outcome.CORRECTED, "was removed"), (None, "is to be removed")],
)
def test_what_is_declared_no_more_is_told_as_removed_once_it_is(outcome: Outcome | None, said: str) -> None:
    (one,) = by_field(completed(), report(), set(), [Orphaned(action(), outcome, BUSY)])
    assert (one.sentence, one.severity) == (
        f"security_group/Old {said}: the document does not declare it.",
        Severity.MEDIUM,
    )


@pytest.mark.parametrize(
    ("outcome", "reason", "severity"),
    [
        (Outcome.FAILED, Reason.REFUSED, Severity.HIGH),
        (Outcome.BLOCKED, Reason.AMBIGUOUS, Severity.MEDIUM),
        (Outcome.HELD, Reason.NOT_READY, Severity.LOW),
        (Outcome.WAITING, Reason.NOT_READY, Severity.LOW),
        (Outcome.WAITING, Reason.BROKEN, Severity.HIGH),
    ],
)
def test_what_is_found_weighs_by_how_it_ended_and_stands_without_its_address(
    outcome: Outcome, reason: Reason, severity: Severity
) -> None:
    one = only(completed(findings=(Finding(TABLE, outcome, Cause(reason, "odd")),)))
    assert (one.severity, one.sentence, [each.what for each in one.members]) == (severity, "Odd.", ["odd"])


def test_what_stands_open_where_nothing_is_corrected_is_told_once() -> None:
    beneath = {GROUP: (extra().difference,)}
    causes = [Cause(reason, f"because of {reason}") for reason in (Reason.FOREIGN, Reason.INVALID_HOLD_TAG)]
    one = only(completed(findings=tuple(Finding(GROUP, Outcome.BLOCKED, each) for each in causes), beneath=beneath))
    assert (one.severity, len(one.members)) == (Severity.CRITICAL, 3)


# The plain alert


MADE: dict[str, tuple[About, str]] = {
    "drift": (extra(outcome=Outcome.FAILED), "security_group/Web ingress"),
    "missing": (drift("", None, 1, ABSENT, Outcome.HELD, at=TABLE), "route_table/out"),
    "corrected": (extra(at=APP), "security_group/App ingress"),
    "finding": (Finding(TABLE, Outcome.BLOCKED, BUSY, field="routes"), "route_table/out routes"),
    "in sync": (Finding(TABLE, Outcome.IN_SYNC, BUSY), "route_table/out"),
    "removed": (Orphaned(action(), Outcome.CORRECTED, None), "security_group/Old: DeleteSecurityGroup"),
}
ORDER = ["drift", "finding", "missing", "in sync", "corrected", "removed"]
"""The worst first; of what is in sync the outcome is not told."""


def test_a_plain_alert_has_a_line_of_each_the_worst_first() -> None:
    place = Place(Topic.DRIFT, GROUP, "ingress")
    one = plain(completed(), place, [made for made, _ in MADE.values()], FAULT)
    assert [each.what for each in one.members] == [MADE[name][1] for name in ORDER]
    assert one.members[3].outcome is None
    assert (one.severity, one.address, one.topic) == (Severity.HIGH, GROUP, Topic.DRIFT)
    assert one.fingerprint == fingerprint("small", Topic.DRIFT, GROUP, "ingress")
    assert one.title == f"{GROUP} ingress: could not be corrected"
    assert one.sentence == "What there is to say of it could not be written, so here is what it is about. odd.."
    assert (one.digest, one.corrected) == (digest(one.members[:4]), digest(one.members[4:]))
    assert len({each.identity for each in one.members}) == 5


@pytest.mark.parametrize(("name", "open_"), [("drift", True), ("finding", True), ("corrected", False)])
def test_a_plain_alert_is_open_as_long_as_something_is(name: str, *, open_: bool) -> None:
    one = plain(completed(), Place(Topic.DRIFT, GROUP), [MADE[name][0]], FAULT)
    assert (bool(one.digest), bool(one.corrected)) == (open_, not open_)


@pytest.mark.parametrize(
    ("topic", "title", "once"),
    [
        (Topic.PLAN_HELD, "plan held: told in short", False),
        (Topic.DELETED, "document deleted: told in short", True),
        (Topic.REVISION_HELD, "revision held: told in short", False),
        (Topic.UNSEEN, "unseen: told in short", False),
    ],
)
def test_a_plain_alert_of_a_document_has_the_lines_of_its_problem_and_what_releases_it(
    topic: Topic, title: str, *, once: bool
) -> None:
    change = compare(None, document())
    run = completed(change=change)
    releases = {Topic.PLAN_HELD: run.report and run.report.plan.fingerprint, Topic.REVISION_HELD: change.fingerprint}
    for result, members in (
        (replace(run, problem="a\nb", refusal="c"), ["a", "b"]),
        (replace(run, refusal="c"), ["c"]),
        (run, []),
    ):
        one = plain(result, Place(topic), (), FAULT)
        assert (one.title, one.once, one.address) == (title, once, None)
        assert one.members == tuple(Member(each, None) for each in members)
        assert one.release == releases.get(topic, "")
        assert (one.digest, one.corrected) == (digest([Member("", None, identity=("told in short",))]), "")
    assert plain(ended(Ending.UNOBSERVABLE), Place(topic), (), FAULT).release == ""


def test_field_by_field_there_is_a_plain_alert_of_all_that_is_not_in_sync() -> None:
    result = completed(
        extra(),
        extra(("tcp", 23)),
        extra(at=APP),
        findings=tuple(Finding(TABLE, one, BUSY) for one in (Outcome.IN_SYNC, Outcome.FAILED)),
    )
    assert result.report
    found = one_by_one(result, result.report, FAULT)
    assert [(each.address, len(each.members)) for each in found] == [(GROUP, 2), (APP, 1), (TABLE, 1)]
    assert [each.fingerprint for each in found] == [
        fingerprint("small", Topic.DRIFT, *place) for place in ((GROUP, "ingress"), (APP, "ingress"), (TABLE, ""))
    ]
