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
from reconciler.model import Finding, Outcome
from reconciler.notify.alert import Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import Notifications, Status, deduplicate
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import DAY, HOUR, HTTPS, NOW, SSH, ended, extra, lacking, looked
from tests.support.reports import GROUP, VPC, WRITTEN, planned

MINUTE = timedelta(minutes=1)
HELD = extra(outcome=Outcome.HELD, message="this deployment only reports")
FIGHT = extra(outcome=Outcome.HELD, message="a fight: left alone until 13:00")
UNOBSERVABLE = ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no")
UNSEEN = Finding(VPC, Outcome.FAILED, "it could not be looked at: DescribeVpcs: Throttling: slow down")


def hear(kept: AttemptResult, told: Mapping[str, Notified] | None = None, now: datetime = NOW) -> Notifications:
    return deduplicate(find_alerts(kept), told or {}, now, DAY, kept)


def kinds(heard: Notifications) -> list[str]:
    return [one.kind.value for one in heard.messages]


def story(*parts: tuple[timedelta, AttemptResult]) -> list[list[str]]:
    """What is said at each of these times, when all of it arrives."""
    told: Mapping[str, Notified] = {}
    said = []
    for after, kept in parts:
        heard = hear(kept, told, NOW + after)
        told = heard.remembered()
        said.append(kinds(heard))
    return said


def test_what_is_new_is_told_and_the_same_again_is_not() -> None:
    assert story((0 * MINUTE, looked(HELD)), (5 * MINUTE, looked(HELD)), (23 * HOUR, looked(HELD))) == [["new"], [], []]


def test_what_still_stands_is_told_again_after_a_while() -> None:
    assert story(
        (0 * MINUTE, looked(HELD)), (DAY, looked(HELD)), (DAY + HOUR, looked(HELD)), (2 * DAY, looked(HELD))
    ) == [
        ["new"],
        ["still"],
        [],
        ["still"],
    ]


def test_another_thing_in_the_same_field_is_an_update_in_the_same_thread() -> None:
    first = hear(looked(HELD))
    more = hear(looked(HELD, extra(HTTPS, Outcome.HELD)), first.remembered(), NOW + MINUTE)
    assert kinds(more) == ["changed"]
    assert more.messages[0].fingerprint == first.messages[0].fingerprint
    assert more.messages[0].since == NOW


def test_what_is_over_is_back_to_normal_once() -> None:
    assert story((0 * MINUTE, looked(HELD)), (MINUTE, looked()), (2 * MINUTE, looked()), (3 * HOUR, looked())) == [
        ["new"],
        ["normal"],
        [],
        [],
    ]


def test_back_to_normal_says_what_was_and_since_when() -> None:
    first = hear(looked(HELD))
    last = hear(looked(), first.remembered(), NOW + HOUR).messages[0]
    assert (last.title, last.since, last.kind) == ("security_group/Web ingress: held", NOW, Status.RESOLVED)


def test_what_comes_back_after_it_was_over_is_new() -> None:
    assert story((0 * MINUTE, looked(HELD)), (MINUTE, looked()), (2 * MINUTE, looked(HELD))) == [
        ["new"],
        ["normal"],
        ["new"],
    ]


def test_what_was_told_and_is_corrected_ends_with_that_word() -> None:
    assert story((0 * MINUTE, looked(HELD)), (MINUTE, looked(extra())), (2 * MINUTE, looked())) == [
        ["new"],
        ["changed"],
        [],
    ]


def test_the_same_correction_is_not_told_twice_within_an_hour() -> None:
    assert story(
        (0 * MINUTE, looked(extra())),
        (20 * MINUTE, looked(extra())),
        (40 * MINUTE, looked()),
        (59 * MINUTE, looked(extra())),
        (61 * MINUTE, looked(extra())),
    ) == [["new"], [], [], [], ["new"]]


def test_another_correction_within_the_hour_is_told() -> None:
    assert story((0 * MINUTE, looked(extra())), (MINUTE, looked(extra(HTTPS)))) == [["new"], ["new"]]


def test_a_correction_beside_something_that_is_held_is_told_and_no_more_than_hourly() -> None:
    held = lacking(outcome=Outcome.HELD)
    assert story(
        (0 * MINUTE, looked(held)),
        (MINUTE, looked(held, extra())),
        (2 * MINUTE, looked(held)),
        (3 * MINUTE, looked(held, extra())),
        (4 * MINUTE, looked(held, extra(SSH))),
        (70 * MINUTE, looked(held, extra())),
    ) == [["new"], ["changed"], [], [], [], ["changed"]]


def test_a_fight_and_a_deletion_are_told_once_however_long_they_last() -> None:
    gone = ended(Ending.DELETED, problem="its object is deleted")
    assert story((0 * MINUTE, looked(FIGHT)), (DAY, looked(FIGHT)), (9 * DAY, looked(FIGHT))) == [["new"], [], []]
    assert story((0 * MINUTE, gone), (DAY, gone), (9 * DAY, gone)) == [["new"], [], []]


def test_a_drift_that_becomes_a_fight_is_told_with_both_sides() -> None:
    assert story((0 * MINUTE, looked(extra())), (MINUTE, looked(FIGHT)), (HOUR, looked(extra())))[1:] == [
        ["new"],
        ["changed"],
    ]


def test_a_run_that_saw_nothing_says_nothing_of_what_it_did_not_see() -> None:
    for kept in (
        UNOBSERVABLE,
        ended(Ending.LEASE_HELD),
        ended(Ending.COVERED),
        ended(Ending.DELETED),
        ended(Ending.REFUSED, problem="no JSON"),
        looked(findings=(replace(UNSEEN, address=GROUP),)),
        looked(plan=replace(planned(), only=frozenset({VPC}))),
    ):
        first = hear(looked(HELD)).remembered()
        heard = hear(kept, first, NOW + MINUTE)
        assert "normal" not in kinds(heard)
        assert heard.remembered().items() >= first.items()


def test_a_narrowed_run_speaks_for_what_it_covers() -> None:
    told = {
        **hear(looked(HELD)).remembered(),
        **hear(looked(findings=(Finding(VPC, Outcome.BLOCKED, "odd"),))).remembered(),
    }
    heard = hear(looked(plan=replace(planned(), only=frozenset({GROUP}))), told, NOW + MINUTE)
    assert [one.title for one in heard.messages] == ["security_group/Web ingress: held"]


def test_a_narrowed_run_says_nothing_of_what_it_is_to_ignore() -> None:
    written = json.loads(json.dumps(WRITTEN))
    written["resources"]["security_group"]["Web"]["enforcement"] = "ignore"
    ignoring = load(json.dumps(written).encode(), "small.json")
    kept = looked(plan=replace(planned(), only=frozenset({GROUP})))
    assert kept.report
    kept = replace(kept, report=replace(kept.report, document=ignoring))
    assert kinds(hear(kept, hear(looked(HELD)).remembered(), NOW + MINUTE)) == []


def test_a_correction_that_could_not_be_seen_ends_nothing_at_its_resource() -> None:
    unsure = "whether it is corrected could not be seen: the next run looks again"
    told = hear(looked(extra(field="egress", outcome=Outcome.HELD))).remembered()
    assert kinds(hear(looked(extra(outcome=Outcome.WAITING, message=unsure)), told, NOW + MINUTE)) == ["new"]


def test_a_run_that_saw_all_but_one_resource_speaks_for_the_others() -> None:
    heard = hear(looked(findings=(UNSEEN,)), hear(looked(HELD)).remembered(), NOW + MINUTE)
    assert sorted(kinds(heard)) == ["new", "normal"]


def test_a_blind_run_is_over_with_the_first_look_that_sees_all() -> None:
    assert story(
        (0 * MINUTE, UNOBSERVABLE), (MINUTE, UNOBSERVABLE), (2 * MINUTE, looked(findings=(UNSEEN,))), (HOUR, looked())
    ) == [
        ["new"],
        [],
        ["changed"],
        ["normal"],
    ]


def test_a_document_that_is_accepted_again_is_back_to_normal() -> None:
    assert story(
        (0 * MINUTE, looked(refusal="revision 6 is older than revision 7")),
        (MINUTE, looked(refusal="revision 6 is older than revision 7")),
        (2 * MINUTE, looked(plan=replace(planned(), only=frozenset({VPC})))),
    ) == [["new"], [], ["normal"]]


def test_what_was_settled_is_forgotten_after_an_hour() -> None:
    told = hear(looked(extra())).remembered()
    assert [one.open for one in told.values()] == [False]
    assert hear(looked(), told, NOW + 59 * MINUTE).remembered() == told
    assert hear(looked(), told, NOW + 60 * MINUTE).remembered() == {}


def test_what_could_not_be_sent_is_not_remembered_as_told() -> None:
    heard = hear(looked(HELD))
    assert heard.remembered(heard.messages[0].fingerprints) == {}
    assert kinds(hear(looked(HELD), heard.remembered(heard.messages[0].fingerprints), NOW + MINUTE)) == ["new"]


def test_an_update_that_could_not_be_sent_comes_with_the_next_run() -> None:
    first = hear(looked(HELD)).remembered()
    for kept in (looked(), looked(extra()), looked(HELD, extra(HTTPS, Outcome.HELD))):
        lost = hear(kept, first, NOW + MINUTE)
        kept_in_mind = lost.remembered(lost.messages[0].fingerprints)
        assert kept_in_mind == first
        assert kinds(hear(kept, kept_in_mind, NOW + 2 * MINUTE)) == kinds(lost)


def many(count: int, outcome: Outcome = Outcome.HELD) -> AttemptResult:
    keys = [rule_key("tcp", 22, 22, "0.0.0.0/0"), rule_key("tcp", 22, 22, "10.0.0.0/8")]
    return looked(*(extra(keys[number % 2], outcome, at=f"security_group/{number:04}") for number in range(count)))


def test_at_most_ten_messages_leave_a_run_and_the_tenth_sums_up_the_rest() -> None:
    assert len(hear(many(10)).messages) == 10
    heard = hear(many(47))
    assert [one.kind for one in heard.messages] == [*[Status.FIRING] * 9, Status.DIGEST]
    last = heard.messages[-1]
    assert (last.title, last.severity.value, len(last.rest)) == ("38 further concerns", "critical", 38)
    assert len(heard.remembered()) == 47
    assert kinds(hear(many(47), heard.remembered(), NOW + MINUTE)) == []


def test_the_gravest_are_told_by_themselves() -> None:
    heard = hear(many(30))
    assert {one.severity.value for one in heard.messages[:9]} == {"critical"}


def test_a_sum_that_could_not_be_sent_loses_all_that_it_sums_up() -> None:
    heard = hear(many(47))
    assert len(heard.remembered(heard.messages[-1].fingerprints)) == 9


def test_good_news_comes_last() -> None:
    told = hear(many(30)).remembered()
    heard = hear(looked(extra(at="security_group/new")), told, NOW + MINUTE)
    assert (heard.messages[0].kind, heard.messages[0].title) == (Status.FIRING, "security_group/new ingress: corrected")


_OUTCOMES = st.sampled_from([Outcome.CORRECTED, Outcome.HELD, Outcome.WAITING, Outcome.FAILED, Outcome.BLOCKED])
_LINES = st.builds(
    extra,
    st.builds(rule_key, st.just("tcp"), st.integers(1, 3), st.just(9), st.sampled_from(["0.0.0.0/0", "10.0.0.0/8"])),
    _OUTCOMES,
    st.sampled_from(["", "a fight: left alone", "AWS is busy"]),
    st.sampled_from(["ingress", "egress"]),
    st.sampled_from([f"security_group/{number}" for number in range(30)]),
)
_ATTEMPTS = st.one_of(
    st.lists(_LINES, max_size=60, unique_by=lambda one: (one.address, one.field, one.key)).map(
        lambda some: looked(*some)
    ),
    st.sampled_from(
        [UNOBSERVABLE, ended(Ending.DELETED), ended(Ending.REFUSED, problem="bad"), ended(Ending.LEASE_HELD)]
    ),
)


@given(st.lists(_ATTEMPTS, min_size=1, max_size=4))
def test_never_more_than_ten_messages_and_never_a_word_twice(action_results: list[AttemptResult]) -> None:
    told: Mapping[str, Notified] = {}
    for number, kept in enumerate(action_results):
        now = NOW + number * MINUTE
        heard = hear(kept, told, now)
        assert len(heard.messages) <= 10
        named = [name for one in heard.messages for name in one.fingerprints]
        assert len(named) == len(set(named))
        told = heard.remembered()
        retry_after = hear(kept, told, now + MINUTE)
        assert retry_after.messages == ()
        assert retry_after.remembered() == told


@given(_ATTEMPTS, st.randoms(use_true_random=False))
def test_what_is_lost_is_told_by_the_next_run_and_nothing_else_is(kept: AttemptResult, random: object) -> None:
    heard = hear(kept)
    lost = {name for number, one in enumerate(heard.messages) for name in one.fingerprints if number % 2}
    retry_after = hear(kept, heard.remembered(lost), NOW + MINUTE)
    assert {name for one in retry_after.messages for name in one.fingerprints} == lost


def test_a_resource_that_the_document_no_longer_has_is_over_too() -> None:
    stray = looked(extra(outcome=Outcome.HELD, at=Address("security_group/Gone")))
    assert story((0 * MINUTE, stray), (MINUTE, looked())) == [["new"], ["normal"]]


def test_a_long_title_is_remembered_in_part() -> None:
    long = looked(extra(outcome=Outcome.HELD, at=f"security_group/{'a' * 255}"))
    (told,) = hear(long).remembered().values()
    assert told.title == f"security_group/{'a' * 145}"


def test_each_topic_is_a_thread_of_its_own() -> None:
    refused = looked(HELD, refusal="bad")
    threads = {one.alert.topic: one.fingerprint for one in hear(refused).messages if one.alert}
    assert threads.keys() == {Topic.DRIFT, Topic.REFUSED}
    assert len(set(threads.values())) == 2
