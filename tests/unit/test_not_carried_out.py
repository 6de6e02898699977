"""When a change that AWS accepted counts as not made, how long it is held, and when that is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.attempt.flapping import name
from reconciler.attempt.not_carried_out import after, held
from reconciler.engine.result import Drift, PendingChange, Report
from reconciler.kinds.db_instance.changes import MODIFY
from reconciler.ledger.record import AcceptedChange
from reconciler.model import ABSENT, ActionResult, Cause, Difference, Ended, Operation, Outcome, Phase, Reason, Risk
from tests.support.reports import report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DB = Address("db_instance/app")
CLASS = Difference(DB, "db_instance_class", None, "db.t3.micro", "db.t3.large")
PUBLIC = Difference(DB, "publicly_accessible", None, want=False, have=True)
LACKS = Difference(DB, "vpc_security_groups", "security_group/db", "security_group/db", ABSENT)
RETENTION = Difference(DB, "performance_insights_retention_period", None, 31, 7)
Records = dict[str, AcceptedChange]
PENDING = (PendingChange(DB, "db_instance_class", "db.t3.large", "db.t3.micro"),)
REFUSED = Cause(Reason.REFUSED, "no", "InvalidParameterValue")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def ran(one: Difference, ended: Ended | None = Ended.DONE, why: Cause | None = None, **how: Any) -> Report:
    """A run that saw the difference, and called AWS for it unless `ended` is None."""
    results = (ActionResult(MODIFY.on(one.address, "modify it", one.field), ended, why),) if ended else ()
    drift = Drift(one, how.pop("outcome", Outcome.WAITING), how.pop("cause", None))
    return replace(report(drift), action_results=results, seconds=0.0, **how)


def sent(one: Difference, known: Records | None = None, at: float = 0) -> Records:
    return after(known or {}, ran(one), NOON + minutes(at))


def noticed(one: Difference, known: Records, at: float) -> tuple[Cause | None, Records]:
    """What a later run does about it, and what is remembered then."""
    now = NOON + minutes(at)
    cause = held(known, one, now)
    return cause, after(known, ran(one, None if cause else Ended.DONE, cause=cause, outcome=Outcome.HELD), now)


def test_it_is_tried_again_after_pauses_that_double_up_to_a_day() -> None:
    known, tries = sent(CLASS), [0.0]
    for minute in range(5, 6 * 24 * 60, 5):
        cause, known = noticed(CLASS, known, minute)
        tries += [] if cause else [minute / 60]
    pauses = [round(late - early) for early, late in pairwise(tries)]
    assert pauses == [1, 2, 4, 8, 16, 24, 24, 24, 24]


def test_it_says_until_when_at_once_and_keeps_to_it() -> None:
    first, known = noticed(CLASS, sent(CLASS), 10)
    second, _ = noticed(CLASS, known, 50)
    for cause in (first, second):
        assert cause is not None
        assert cause.reason is Reason.NOT_CARRIED_OUT
        assert cause.message.startswith("AWS accepted this change at 2026-11-22T12:00Z and did not make it, or ")
        assert cause.message.endswith("; it is tried again after 2026-11-22T13:10Z")
    assert held(known, CLASS, NOON + minutes(70)) is None


def test_for_some_minutes_rds_may_not_show_it_yet() -> None:
    known = sent(CLASS)
    assert held(known, CLASS, NOON + minutes(2.9)) is None
    known = sent(CLASS, known, 2)
    assert (known[name(CLASS)].at, known[name(CLASS)].tries) == (NOON, 2), "to ask again is no new beginning"
    assert held(known, CLASS, NOON + minutes(3)) is not None


@pytest.mark.parametrize("one", [PUBLIC, LACKS])
def test_what_decides_who_reaches_it_is_tried_three_times_first(one: Difference) -> None:
    known = sent(one)
    for at, waits in ((5, False), (10, False), (15, True)):
        cause, known = noticed(one, known, at)
        assert (cause is not None) is waits


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        (ran(CLASS, outcome=Outcome.CORRECTED), False),
        (ran(CLASS, outcome=Outcome.CORRECTED, pending=PENDING), True),
        (ran(CLASS, Ended.FAILED), False),
        (ran(CLASS, Ended.HELD), False),
        (ran(CLASS, None), False),
    ],
)
def test_only_what_aws_accepted_and_no_look_saw_in_force_is_remembered(seen: Report, kept: bool) -> None:
    assert bool(after({}, seen, NOON)) is kept


def test_what_aws_does_at_once_is_no_concern_of_it() -> None:
    at_once = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
    result = ActionResult(at_once.on(DB, "do it", CLASS.field), Ended.DONE)
    assert after({}, replace(ran(CLASS), action_results=(result,)), NOON) == {}


CALM = replace(report(), seconds=0.0)
UNSEEN = replace(CALM, gate=replace(CALM.gate, unseen=frozenset({DB})))


PART = replace(CALM, plan=replace(CALM.plan, only=frozenset({Address("vpc/Main")})))


@pytest.mark.parametrize(
    ("seen", "kept"), [(CALM, False), (replace(CALM, pending=PENDING), True), (UNSEEN, True), (PART, True)]
)
def test_it_is_forgotten_once_a_whole_look_sees_it_in_force(seen: Report, kept: bool) -> None:
    known = sent(CLASS)
    assert after(known, seen, NOON + minutes(60)) == (known if kept else {})


def test_another_value_than_before_is_somebody_s_change() -> None:
    other, known = replace(CLASS, have="db.r5.large"), sent(CLASS)
    assert held(known, other, NOON + minutes(10)) is None
    assert after(known, ran(other, None), NOON + minutes(10)) == {}
    assert sent(other, known, 10)[name(other)].tries == 1


def test_what_is_busy_is_neither_held_nor_forgotten() -> None:
    busy = Cause(Reason.NOT_READY, "it is modifying")
    assert after(sent(CLASS), ran(CLASS, None, cause=busy), NOON + minutes(60)) == sent(CLASS)


def test_what_aws_may_set_by_itself_is_corrected_once_in_thirty_days() -> None:
    known = after({}, ran(RETENTION, outcome=Outcome.CORRECTED), NOON)
    known = after(known, CALM, NOON + minutes(60))
    for have in (7, 62):
        cause = held(known, replace(RETENTION, have=have), NOON + timedelta(days=29))
        assert cause is not None
        assert (cause.reason, cause.code) == (Reason.KEPT_BY_OTHERS, "")
    assert after(known, CALM, NOON + timedelta(days=31)) == {}


def test_what_aws_refuses_of_it_is_not_asked_again() -> None:
    known = after({}, ran(RETENTION, Ended.FAILED, REFUSED), NOON)
    cause = held(known, RETENTION, NOON + minutes(1))
    assert cause is not None
    assert (cause.reason, cause.code) == (Reason.KEPT_BY_OTHERS, "InvalidParameterValue")
    assert after(known, ran(RETENTION, None, cause=cause), NOON + minutes(1)) == known
    for code in ("AccessDenied", "Throttling"):
        assert after({}, ran(RETENTION, Ended.FAILED, replace(REFUSED, code=code)), NOON) == {}
    assert after({}, ran(CLASS, Ended.FAILED, REFUSED), NOON) == {}


def test_a_long_value_is_told_apart_by_its_beginning() -> None:
    long = replace(CLASS, have="x" * 5000)
    (record,) = sent(long).values()
    assert len(record.have) == 400
    assert held(sent(long), long, NOON + minutes(10)) is not None
