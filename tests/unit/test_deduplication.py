from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from desired_state.fields import Address, rule_key
from desired_state.load import load
from reconciler.ledger.record import Notified
from reconciler.model import Cause, Finding, Outcome, Reason
from reconciler.notify.alert import Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import Notifications, Status, deduplicate
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import (
    DAY,
    FLAPPING,
    HOUR,
    HTTPS,
    NOW,
    REPORT_ONLY,
    SSH,
    UNVERIFIED,
    completed,
    ended,
    extra,
    lacking,
)
from tests.support.reports import GROUP, VPC, WRITTEN, planned

MINUTE = timedelta(minutes=1)
HELD = extra(outcome=Outcome.HELD, cause=REPORT_ONLY)
FLAPS = extra(outcome=Outcome.HELD, cause=FLAPPING)
UNOBSERVABLE = ended(
    Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no", code="UnauthorizedOperation"
)
UNREADABLE = Cause(Reason.UNREADABLE, "it could not be read: DescribeVpcs: Throttling: slow down", code="Throttling")
UNSEEN = Finding(VPC, Outcome.FAILED, UNREADABLE)


def notified(result: AttemptResult, told: Mapping[str, Notified] | None = None, now: datetime = NOW) -> Notifications:
    return deduplicate(find_alerts(result), told or {}, now, DAY, result)


def statuses(sent: Notifications) -> list[str]:
    return [one.status.value for one in sent.notifications]


def story(*parts: tuple[timedelta, AttemptResult]) -> list[list[str]]:
    """What is said at each of these times, when all of it arrives."""
    told: Mapping[str, Notified] = {}
    said = []
    for after, result in parts:
        sent = notified(result, told, NOW + after)
        told = sent.remembered()
        said.append(statuses(sent))
    return said


def test_what_is_new_is_told_and_the_same_again_is_not() -> None:
    assert story((0 * MINUTE, completed(HELD)), (5 * MINUTE, completed(HELD)), (23 * HOUR, completed(HELD))) == [
        ["firing"],
        [],
        [],
    ]


def test_what_still_stands_is_told_again_after_a_while() -> None:
    assert story(
        (0 * MINUTE, completed(HELD)), (DAY, completed(HELD)), (DAY + HOUR, completed(HELD)), (2 * DAY, completed(HELD))
    ) == [
        ["firing"],
        ["repeat"],
        [],
        ["repeat"],
    ]


def test_another_thing_in_the_same_field_is_an_update_in_the_same_thread() -> None:
    first = notified(completed(HELD))
    more = notified(completed(HELD, extra(HTTPS, Outcome.HELD)), first.remembered(), NOW + MINUTE)
    assert statuses(more) == ["changed"]
    assert more.notifications[0].fingerprint == first.notifications[0].fingerprint
    assert more.notifications[0].since == NOW


def test_what_is_over_is_resolved_once() -> None:
    assert story(
        (0 * MINUTE, completed(HELD)), (MINUTE, completed()), (2 * MINUTE, completed()), (3 * HOUR, completed())
    ) == [
        ["firing"],
        ["resolved"],
        [],
        [],
    ]


def test_a_resolved_alert_says_what_was_and_since_when() -> None:
    first = notified(completed(HELD))
    last = notified(completed(), first.remembered(), NOW + HOUR).notifications[0]
    assert (last.title, last.since, last.status) == ("security_group/Web ingress: held", NOW, Status.RESOLVED)


def test_what_comes_back_after_it_was_over_is_new() -> None:
    assert story((0 * MINUTE, completed(HELD)), (MINUTE, completed()), (2 * MINUTE, completed(HELD))) == [
        ["firing"],
        ["resolved"],
        ["firing"],
    ]


def test_what_was_told_and_is_corrected_ends_with_that_word() -> None:
    assert story((0 * MINUTE, completed(HELD)), (MINUTE, completed(extra())), (2 * MINUTE, completed())) == [
        ["firing"],
        ["changed"],
        [],
    ]


def test_the_same_correction_is_not_told_twice_within_an_hour() -> None:
    assert story(
        (0 * MINUTE, completed(extra())),
        (20 * MINUTE, completed(extra())),
        (40 * MINUTE, completed()),
        (59 * MINUTE, completed(extra())),
        (61 * MINUTE, completed(extra())),
    ) == [["firing"], [], [], [], ["firing"]]


def test_another_correction_within_the_hour_is_told() -> None:
    assert story((0 * MINUTE, completed(extra())), (MINUTE, completed(extra(HTTPS)))) == [["firing"], ["firing"]]


def test_a_correction_beside_something_that_is_held_is_told_and_no_more_than_hourly() -> None:
    held = lacking(outcome=Outcome.HELD)
    assert story(
        (0 * MINUTE, completed(held)),
        (MINUTE, completed(held, extra())),
        (2 * MINUTE, completed(held)),
        (3 * MINUTE, completed(held, extra())),
        (4 * MINUTE, completed(held, extra(SSH))),
        (70 * MINUTE, completed(held, extra())),
    ) == [["firing"], ["changed"], [], [], [], ["changed"]]


def test_a_flapping_drift_and_a_deletion_are_told_once_however_long_they_last() -> None:
    gone = ended(Ending.DELETED, problem="its object is deleted")
    assert story((0 * MINUTE, completed(FLAPS)), (DAY, completed(FLAPS)), (9 * DAY, completed(FLAPS))) == [
        ["firing"],
        [],
        [],
    ]
    assert story((0 * MINUTE, gone), (DAY, gone), (9 * DAY, gone)) == [["firing"], [], []]


def test_a_drift_that_begins_to_flap_is_told_with_both_sides() -> None:
    assert story((0 * MINUTE, completed(extra())), (MINUTE, completed(FLAPS)), (HOUR, completed(extra())))[1:] == [
        ["firing"],
        ["changed"],
    ]


def test_a_run_that_saw_nothing_says_nothing_of_what_it_did_not_see() -> None:
    for result in (
        UNOBSERVABLE,
        ended(Ending.LEASE_HELD),
        ended(Ending.COVERED),
        ended(Ending.DELETED),
        ended(Ending.REFUSED, problem="no JSON"),
        completed(findings=(replace(UNSEEN, address=GROUP),)),
        completed(plan=replace(planned(), only=frozenset({VPC}))),
    ):
        first = notified(completed(HELD)).remembered()
        sent = notified(result, first, NOW + MINUTE)
        assert "resolved" not in statuses(sent)
        assert sent.remembered().items() >= first.items()


def test_a_narrowed_run_speaks_for_what_it_covers() -> None:
    told = {
        **notified(completed(HELD)).remembered(),
        **notified(completed(findings=(Finding(VPC, Outcome.BLOCKED, Cause(Reason.CONFLICT, "odd")),))).remembered(),
    }
    sent = notified(completed(plan=replace(planned(), only=frozenset({GROUP}))), told, NOW + MINUTE)
    assert [one.title for one in sent.notifications] == ["security_group/Web ingress: held"]


def test_a_narrowed_run_says_nothing_of_what_it_is_to_ignore() -> None:
    written = json.loads(json.dumps(WRITTEN))
    written["resources"]["security_group"]["Web"]["enforcement"] = "ignore"
    ignoring = load(json.dumps(written).encode(), "small.json")
    result = completed(plan=replace(planned(), only=frozenset({GROUP})))
    assert result.report
    result = replace(result, report=replace(result.report, document=ignoring))
    assert statuses(notified(result, notified(completed(HELD)).remembered(), NOW + MINUTE)) == []


def test_a_correction_that_could_not_be_seen_ends_nothing_at_its_resource() -> None:
    told = notified(completed(extra(field="egress", outcome=Outcome.HELD))).remembered()
    assert statuses(notified(completed(extra(outcome=Outcome.WAITING, cause=UNVERIFIED)), told, NOW + MINUTE)) == [
        "firing"
    ]


def test_a_run_that_saw_all_but_one_resource_speaks_for_the_others() -> None:
    sent = notified(completed(findings=(UNSEEN,)), notified(completed(HELD)).remembered(), NOW + MINUTE)
    assert sorted(statuses(sent)) == ["firing", "resolved"]


def test_an_unobservable_network_is_over_with_the_first_look_that_sees_all() -> None:
    assert story(
        (0 * MINUTE, UNOBSERVABLE),
        (MINUTE, UNOBSERVABLE),
        (2 * MINUTE, completed(findings=(UNSEEN,))),
        (HOUR, completed()),
    ) == [
        ["firing"],
        [],
        ["changed"],
        ["resolved"],
    ]


def test_a_document_that_is_accepted_again_is_resolved() -> None:
    assert story(
        (0 * MINUTE, completed(refusal="revision 6 is older than revision 7")),
        (MINUTE, completed(refusal="revision 6 is older than revision 7")),
        (2 * MINUTE, completed(plan=replace(planned(), only=frozenset({VPC})))),
    ) == [["firing"], [], ["resolved"]]


def test_what_was_settled_is_forgotten_after_an_hour() -> None:
    told = notified(completed(extra())).remembered()
    assert [one.open for one in told.values()] == [False]
    assert notified(completed(), told, NOW + 59 * MINUTE).remembered() == told
    assert notified(completed(), told, NOW + 60 * MINUTE).remembered() == {}


def test_what_could_not_be_sent_is_not_remembered_as_told() -> None:
    sent = notified(completed(HELD))
    assert sent.remembered(sent.notifications[0].fingerprints) == {}
    assert statuses(notified(completed(HELD), sent.remembered(sent.notifications[0].fingerprints), NOW + MINUTE)) == [
        "firing"
    ]


def test_an_update_that_could_not_be_sent_comes_with_the_next_run() -> None:
    first = notified(completed(HELD)).remembered()
    for result in (completed(), completed(extra()), completed(HELD, extra(HTTPS, Outcome.HELD))):
        lost = notified(result, first, NOW + MINUTE)
        remembered = lost.remembered(lost.notifications[0].fingerprints)
        assert remembered == first
        assert statuses(notified(result, remembered, NOW + 2 * MINUTE)) == statuses(lost)


def many(count: int, outcome: Outcome = Outcome.HELD) -> AttemptResult:
    keys = [rule_key("tcp", 22, 22, "0.0.0.0/0"), rule_key("tcp", 22, 22, "10.0.0.0/8")]
    return completed(*(extra(keys[number % 2], outcome, at=f"security_group/{number:04}") for number in range(count)))


def test_at_most_ten_messages_leave_a_run_and_the_tenth_sums_up_the_rest() -> None:
    assert len(notified(many(10)).notifications) == 10
    sent = notified(many(47))
    assert [one.status for one in sent.notifications] == [*[Status.FIRING] * 9, Status.DIGEST]
    last = sent.notifications[-1]
    assert (last.title, last.severity.value, len(last.rest)) == ("38 further alerts", "critical", 38)
    assert len(sent.remembered()) == 47
    assert statuses(notified(many(47), sent.remembered(), NOW + MINUTE)) == []


def test_the_gravest_are_told_by_themselves() -> None:
    sent = notified(many(30))
    assert {one.severity.value for one in sent.notifications[:9]} == {"critical"}


def test_a_sum_that_could_not_be_sent_loses_all_that_it_sums_up() -> None:
    sent = notified(many(47))
    assert len(sent.remembered(sent.notifications[-1].fingerprints)) == 9


def test_good_news_comes_last() -> None:
    told = notified(many(30)).remembered()
    sent = notified(completed(extra(at="security_group/new")), told, NOW + MINUTE)
    assert (sent.notifications[0].status, sent.notifications[0].title) == (
        Status.FIRING,
        "security_group/new ingress: corrected",
    )


_OUTCOMES = st.sampled_from([Outcome.CORRECTED, Outcome.HELD, Outcome.WAITING, Outcome.FAILED, Outcome.BLOCKED])
_DRIFTS = st.builds(
    extra,
    st.builds(rule_key, st.just("tcp"), st.integers(1, 3), st.just(9), st.sampled_from(["0.0.0.0/0", "10.0.0.0/8"])),
    _OUTCOMES,
    st.sampled_from([None, FLAPPING, Cause(Reason.BUSY, "AWS is busy")]),
    st.sampled_from(["ingress", "egress"]),
    st.sampled_from([f"security_group/{number}" for number in range(30)]),
)
_ATTEMPTS = st.one_of(
    st.lists(_DRIFTS, max_size=60, unique_by=lambda one: one.difference.identity).map(lambda some: completed(*some)),
    st.sampled_from(
        [UNOBSERVABLE, ended(Ending.DELETED), ended(Ending.REFUSED, problem="bad"), ended(Ending.LEASE_HELD)]
    ),
)


@given(st.lists(_ATTEMPTS, min_size=1, max_size=4))
def test_never_more_than_ten_messages_and_never_a_word_twice(attempts: list[AttemptResult]) -> None:
    told: Mapping[str, Notified] = {}
    for number, result in enumerate(attempts):
        now = NOW + number * MINUTE
        sent = notified(result, told, now)
        assert len(sent.notifications) <= 10
        named = [name for one in sent.notifications for name in one.fingerprints]
        assert len(named) == len(set(named))
        told = sent.remembered()
        again = notified(result, told, now + MINUTE)
        assert again.notifications == ()
        assert again.remembered() == told


@given(_ATTEMPTS, st.randoms(use_true_random=False))
def test_what_is_lost_is_told_by_the_next_run_and_nothing_else_is(result: AttemptResult, random: object) -> None:
    sent = notified(result)
    lost = {name for number, one in enumerate(sent.notifications) for name in one.fingerprints if number % 2}
    again = notified(result, sent.remembered(lost), NOW + MINUTE)
    assert {name for one in again.notifications for name in one.fingerprints} == lost


def test_a_resource_that_the_document_no_longer_has_is_over_too() -> None:
    stray = completed(extra(outcome=Outcome.HELD, at=Address("security_group/Gone")))
    assert story((0 * MINUTE, stray), (MINUTE, completed())) == [["firing"], ["resolved"]]


def test_a_long_title_is_remembered_in_part() -> None:
    long = completed(extra(outcome=Outcome.HELD, at=f"security_group/{'a' * 255}"))
    (told,) = notified(long).remembered().values()
    assert told.title == f"security_group/{'a' * 145}"


def test_each_topic_is_a_thread_of_its_own() -> None:
    refused = completed(HELD, refusal="bad")
    threads = {one.alert.topic: one.fingerprint for one in notified(refused).notifications if one.alert}
    assert threads.keys() == {Topic.DRIFT, Topic.REFUSED}
    assert len(set(threads.values())) == 2
