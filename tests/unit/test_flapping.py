"""When a drift counts as flapping, how long it is suppressed, and when that is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from reconciler.attempt.flapping import after, name, suppressed
from reconciler.engine.gate import Gate
from reconciler.engine.result import Drift, Report
from reconciler.ledger.record import FlappingRecord
from reconciler.model import (
    ABSENT,
    Action,
    ActionResult,
    Cause,
    Difference,
    Ended,
    Operation,
    Outcome,
    Phase,
    Reason,
    Risk,
)
from tests.support.reports import GROUP, document, report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
WEB = RuleKey("tcp", 443, 443, "0.0.0.0/0")
DIFFERENCE = Difference(GROUP, "ingress", SSH, ABSENT, "")
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def drift(outcome: Outcome | None) -> Drift:
    return Drift(DIFFERENCE, outcome)


def tried(ended: Ended = Ended.DONE, **how: Any) -> ActionResult:
    return ActionResult(REVOKE.on(GROUP, "revoke it", "ingress", **how), ended)


CORRECTED = replace(report(drift(Outcome.CORRECTED)), action_results=(tried(),), seconds=0.0)
CALM = replace(report(), seconds=0.0)


def corrected(*at: float, flapping: dict[str, FlappingRecord] | None = None) -> dict[str, FlappingRecord]:
    """What is remembered after corrections at these minutes past noon."""
    known = flapping or {}
    for minute in at:
        known = after(known, CORRECTED, NOON + minutes(minute))
    return known


def until(flapping: dict[str, FlappingRecord]) -> datetime | None:
    return flapping[name(DIFFERENCE)].until


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DIFFERENCE, replace(DIFFERENCE, have="let me in")),
        (
            Difference(GROUP, "ingress", WEB, "customers", ABSENT),
            Difference(GROUP, "ingress", WEB, "customers", "nobody"),
        ),
        (
            Difference(Address("vpc/Main"), "enable_dns_support", None, True, False),
            Difference(Address("vpc/Main"), "enable_dns_support", None, True, None),
        ),
        (
            Difference(GROUP, "", None, document().resources[GROUP], ABSENT),
            Difference(GROUP, "", None, document().resources[GROUP].but(description="other"), ABSENT),
        ),
    ],
)
def test_the_same_correction_has_the_same_name_whatever_was_found(one: Difference, other: Difference) -> None:
    assert name(one) == name(other)


@pytest.mark.parametrize(
    "other",
    [
        replace(DIFFERENCE, address=Address("security_group/Other")),
        replace(DIFFERENCE, field="egress"),
        replace(DIFFERENCE, key=WEB),
        replace(DIFFERENCE, want=""),
        replace(DIFFERENCE, want="absent"),
        Difference(GROUP, "", None, document().resources[GROUP], ABSENT),
    ],
)
def test_another_correction_has_another_name(other: Difference) -> None:
    assert name(DIFFERENCE) != name(other)


def test_a_correction_keeps_its_name_from_version_to_version() -> None:
    assert name(drift(Outcome.HELD).difference) == name(DIFFERENCE) == "1509e6abe6b0db6c"


def test_an_entry_set_now_to_this_and_then_to_that_is_one_drift() -> None:
    acl, want = Address("network_acl/Front"), AclEntry("allow", "tcp", 443, 443, "0.0.0.0/0")
    found = [Difference(acl, "ingress", 100, want, want._replace(last=port)) for port in (8443, 9443)]
    assert name(found[0]) == name(found[1]) == name(Difference(acl, "ingress", 100, want, ABSENT))


def test_two_corrections_within_an_hour_are_no_flapping() -> None:
    known = corrected(0, 59)
    assert known == {name(DIFFERENCE): FlappingRecord((NOON, NOON + minutes(59)))}
    assert suppressed(known, DIFFERENCE, NOON + minutes(59)) is None


def test_three_corrections_within_an_hour_pause_it_for_an_hour() -> None:
    known = corrected(0, 20, 40)
    told = Cause(
        Reason.FLAPPING,
        "flapping: it came back each time it was corrected, so it is suppressed until 2026-11-22T13:40Z",
    )
    assert suppressed(known, DIFFERENCE, NOON + minutes(41)) == told
    assert suppressed(known, DIFFERENCE, NOON + minutes(99.9)) == told
    assert suppressed(known, DIFFERENCE, NOON + minutes(100)) is None
    assert suppressed(known, replace(DIFFERENCE, key=WEB), NOON + minutes(41)) is None


def test_an_hour_is_any_sixty_minutes() -> None:
    assert until(corrected(0, 30, 60)) is None
    assert until(corrected(0, 30, 59.9)) == NOON + minutes(119.9)
    assert until(corrected(0, 30, 60, 89)) == NOON + minutes(149)


def test_a_write_early_in_a_long_run_counts_until_its_hour_is_over() -> None:
    first = after({}, CORRECTED, NOON)
    second = after(first, CORRECTED, NOON + minutes(30))
    third = after(second, replace(CORRECTED, seconds=300.0), NOON + minutes(62))
    assert until(third) == NOON + minutes(122)


def test_each_try_after_a_pause_makes_the_next_pause_twice_as_long_up_to_a_day() -> None:
    known = corrected(0, 1, 2)
    at, lengths = NOON + minutes(2), []
    for _ in range(7):
        end = until(known)
        assert end is not None
        lengths.append(int((end - at).total_seconds()) // 3600)
        assert suppressed(known, DIFFERENCE, end) is None
        at = end + minutes(5)
        known = after(known, CORRECTED, at)
        assert suppressed(known, DIFFERENCE, at + minutes(1)) is not None
    assert lengths == [1, 2, 4, 8, 16, 24, 24]


def test_a_drift_that_comes_back_every_minute_for_two_days_is_written_three_times_in_any_hour_at_most() -> None:
    known: dict[str, FlappingRecord] = {}
    wrote: list[int] = []
    for minute in range(2 * 24 * 60):
        now = NOON + minutes(minute)
        held = suppressed(known, DIFFERENCE, now)
        wrote += [] if held else [minute]
        seen = replace(report(drift(Outcome.HELD)), seconds=0.0) if held else CORRECTED
        known = after(known, seen, now)
    assert wrote == [0, 1, 2, 62, 182, 422, 902, 1862]


def test_what_stays_right_after_a_pause_is_forgotten_after_a_day() -> None:
    known = corrected(0, 1, 2)
    assert after(known, CALM, NOON + minutes(62) + timedelta(hours=23)) == known
    assert after(known, CALM, NOON + minutes(62) + timedelta(hours=24)) == {}
    assert until(corrected(0, 1, 2, flapping={})) == NOON + minutes(62)


def test_corrections_without_a_pause_are_forgotten_after_an_hour() -> None:
    known = corrected(0)
    assert after(known, CALM, NOON + minutes(59)) == known
    assert after(known, CALM, NOON + minutes(60)) == {}


def test_what_is_still_wrong_after_its_pause_is_not_forgotten() -> None:
    late = NOON + timedelta(days=3)
    waits = replace(report(drift(Outcome.WAITING)), seconds=0.0)
    known = after(corrected(0, 1, 2), waits, late)
    assert (until(known), suppressed(known, DIFFERENCE, late)) == (late, None)
    assert after(known, CALM, late + timedelta(hours=23)) == known


def test_a_look_that_did_not_see_everything_lets_nothing_of_a_flapping_drift_be_forgotten() -> None:
    known, late = corrected(0, 1, 2), NOON + timedelta(days=9)
    dark = Gate({}, {}, None, (), unseen=frozenset({GROUP}))
    assert after(known, replace(CALM, gate=dark), late) == known
    some = replace(CALM.plan, only=frozenset({Address("vpc/Main")}))
    assert after(known, replace(CALM, plan=some), late) == known
    assert after({}, replace(report(drift(Outcome.HELD)), seconds=0.0, gate=dark), late) == {}


def judged(outcome: Outcome | None, *action_results: ActionResult) -> Report:
    return replace(report(drift(outcome)), action_results=action_results, seconds=0.0)


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (judged(Outcome.CORRECTED, tried()), True),
        (judged(Outcome.CORRECTED, tried(Ended.UNKNOWN)), True),
        (judged(Outcome.CORRECTED, tried(Ended.FAILED, parts=(tried().action,))), True),
        (judged(Outcome.WAITING, tried()), True),
        (judged(Outcome.CORRECTED), False),
        (judged(Outcome.CORRECTED, tried(Ended.WAITING)), False),
        (judged(Outcome.WAITING, tried(Ended.WAITING)), False),
        (judged(Outcome.WAITING, tried(), tried(Ended.UNKNOWN)), False),
        (judged(Outcome.WAITING, tried(), tried(Ended.HELD)), True),
        (judged(Outcome.WAITING, tried(), tried(Ended.SKIPPED)), True),
        (judged(Outcome.WAITING, tried(Ended.HELD), tried(Ended.SKIPPED)), False),
        (judged(Outcome.FAILED, tried(Ended.FAILED)), False),
        (judged(Outcome.HELD, tried(Ended.HELD)), False),
        (judged(Outcome.HELD, tried()), False),
        (judged(None), False),
    ],
)
def test_a_correction_counts_when_a_write_for_it_was_done(seen: Report, counts: bool) -> None:
    assert after({}, seen, NOON) == ({name(DIFFERENCE): FlappingRecord((NOON,))} if counts else {})


def test_a_write_at_another_place_counts_for_nothing_here() -> None:
    other: Action = REVOKE.on(Address("security_group/Other"), "revoke it", "ingress")
    assert after({}, judged(Outcome.CORRECTED, ActionResult(other, Ended.DONE)), NOON) == {}
