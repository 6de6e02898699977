from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.database import DbInstance
from desired_state.fields import Address, rule_key
from desired_state.network import SecurityGroup
from reconciler.engine.gate import Gate, gate
from reconciler.engine.result import Drift, Observation, RunCost, RunTrace, judge
from reconciler.model import ABSENT, ActionResult, Ended, Finding, Operation, Outcome, Phase, Policy, Risk, Unmanaged
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.notify.exposure import Severity, exposure
from reconciler.report.attempt import AttemptResult, Ending
from tests.support import worlds
from tests.support.attempts import DAY, HOUR, HTTPS, NOW, SOMEBODY, SSH, ended, entry, extra, lacking, looked, only
from tests.support.reports import GROUP, VPC, action, line, planned

AUTHORIZE = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.TRAFFIC)
MODIFY = Operation("rds", "ModifyDBInstance", Phase.BIND, Risk.DOWNTIME)
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
ACL, TABLE, DATABASE = "network_acl/front", "route_table/out", "db_instance/orders"


def sentence(one: Drift) -> tuple[str, str]:
    severity, words = exposure(one)
    return severity.value, words


MEANINGS: list[tuple[Drift, str, str]] = [
    (
        extra(),
        "critical",
        "security_group/Web let in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
    ),
    (
        extra(outcome=Outcome.HELD),
        "critical",
        "security_group/Web lets in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
    ),
    (
        extra(rule_key("all", -1, -1, "::/0"), None),
        "critical",
        "security_group/Web lets in all traffic from anyone on the internet (::/0), which is not declared.",
    ),
    (
        extra(rule_key("tcp", 22, 22, "128.0.0.0/1")),
        "critical",
        "security_group/Web let in tcp 22 from much of the internet (128.0.0.0/1), which is not declared.",
    ),
    (
        extra(rule_key("tcp", 22, 22, "10.0.0.0/8")),
        "high",
        "security_group/Web let in tcp 22 from 10.0.0.0/8, which is not declared.",
    ),
    (
        extra(rule_key("tcp", 22, 22, "security_group/db")),
        "high",
        "security_group/Web let in tcp 22 from security_group/db, which is not declared.",
    ),
    (
        extra(field="egress"),
        "medium",
        "security_group/Web let out tcp 22 to anyone on the internet (0.0.0.0/0), which is not declared.",
    ),
    (
        lacking(),
        "high",
        "What is meant to reach security_group/Web with tcp 443 from anyone on the internet (0.0.0.0/0) could not.",
    ),
    (
        lacking(rule_key("tcp", 443, 443, "10.0.0.0/8"), Outcome.FAILED),
        "high",
        "What is meant to reach security_group/Web with tcp 443 from 10.0.0.0/8 cannot.",
    ),
    (
        line("ingress", HTTPS, "a", "b"),
        "low",
        "Only the description of a rule of security_group/Web differs: no packet does.",
    ),
    (
        line("ingress", 50, ABSENT, entry("allow"), at=ACL),
        "critical",
        "network_acl/front lets in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
    ),
    (
        line("ingress", 50, entry("deny"), ABSENT, at=ACL),
        "critical",
        "network_acl/front does not deny tcp 22 from anyone on the internet (0.0.0.0/0), as the document wants it to.",
    ),
    (
        line("ingress", 50, entry("deny", "203.0.113.0/24"), ABSENT, Outcome.CORRECTED, at=ACL),
        "high",
        "network_acl/front did not deny tcp 22 from 203.0.113.0/24, as the document wants it to.",
    ),
    (
        line("ingress", 50, entry("deny", port=23), entry("deny"), at=ACL),
        "critical",
        "network_acl/front does not deny tcp 23 from anyone on the internet (0.0.0.0/0), as the document wants it to.",
    ),
    (
        line("ingress", 50, ABSENT, entry("deny"), at=ACL),
        "high",
        "What is meant to reach network_acl/front with tcp 22 from anyone on the internet (0.0.0.0/0) cannot.",
    ),
    (
        line("ingress", 50, entry("allow"), entry("deny"), at=ACL),
        "high",
        "What is meant to reach network_acl/front with tcp 22 from anyone on the internet (0.0.0.0/0) cannot.",
    ),
    (
        line("egress", 50, entry("allow"), ABSENT, at=ACL),
        "high",
        "What is meant to leave network_acl/front with tcp 22 to anyone on the internet (0.0.0.0/0) cannot.",
    ),
    (
        line("routes", "0.0.0.0/0", ABSENT, "igw-0a1b2c3d", at=TABLE),
        "critical",
        "route_table/out sends what is for anyone on the internet (0.0.0.0/0) to igw-0a1b2c3d, which is not declared.",
    ),
    (
        line("routes", "0.0.0.0/0", "nat-1", "nat-2", Outcome.CORRECTED, at=TABLE),
        "high",
        "route_table/out sent what is for anyone on the internet (0.0.0.0/0) to nat-2 instead of nat-1.",
    ),
    (
        line("routes", "10.1.0.0/16", "pcx-1", ABSENT, at=TABLE),
        "high",
        "What route_table/out is meant to send to 10.1.0.0/16 cannot go there.",
    ),
    (
        line("subnets", Address("subnet/a"), ABSENT, Address("subnet/a"), at=TABLE),
        "high",
        "subnet/a follows route_table/out, which is not declared.",
    ),
    (
        line("subnets", Address("subnet/a"), Address("subnet/a"), ABSENT, Outcome.CORRECTED, at=TABLE),
        "high",
        "subnet/a did not follow route_table/out, as it is declared to.",
    ),
    (
        line("publicly_accessible", None, False, True, at=DATABASE),
        "critical",
        "db_instance/orders has a public address.",
    ),
    (
        line("publicly_accessible", None, True, False, at=DATABASE),
        "medium",
        "db_instance/orders is not as declared: publicly_accessible.",
    ),
    (
        line("deletion_protection", None, True, False, Outcome.CORRECTED, at=DATABASE),
        "high",
        "db_instance/orders could be deleted with one call.",
    ),
    (
        line("tags", "team", "a", "b"),
        "low",
        "Only tags of security_group/Web differ: no packet and no data does.",
    ),
    (
        line("", None, SecurityGroup(), ABSENT),
        "high",
        "security_group/Web is not there.",
    ),
    (
        line("", None, DbInstance(), ABSENT, Outcome.BLOCKED, at=DATABASE),
        "critical",
        "db_instance/orders is not there, and what was stored in it may be gone.",
    ),
    (
        line("multi_az", None, True, False, at=DATABASE),
        "medium",
        "db_instance/orders is not as declared: multi_az.",
    ),
]


@pytest.mark.parametrize(("one", "severity", "words"), MEANINGS, ids=range(len(MEANINGS)))
def test_a_drift_means_what_its_own_layer_shows_and_no_more(one: Drift, severity: str, words: str) -> None:
    assert sentence(one) == (severity, words)


@pytest.mark.parametrize(
    ("ending", "source"), [(Ending.LEASE_HELD, Source.SCHEDULE), (Ending.COVERED, Source.CHANGE)], ids=str
)
def test_what_another_run_tells_is_no_concern(ending: Ending, source: Source) -> None:
    assert find_alerts(ended(ending, source, problem="another run has the lease")) == ()


def test_a_calm_run_and_neighbours_that_nobody_minds_are_no_concern() -> None:
    stranger = Unmanaged(Address("security_group/theirs"), "sg-0f")
    assert find_alerts(looked()) == ()
    assert find_alerts(looked(unmanaged=(stranger,))) == ()
    assert find_alerts(looked(findings=(Finding(GROUP, Outcome.IN_SYNC, "as it should be"),))) == ()


def test_all_that_differs_in_one_field_is_one_concern_the_worst_first() -> None:
    one = only(looked(extra(), lacking(outcome=Outcome.FAILED, message="AWS said no"), actors={GROUP: SOMEBODY}))
    assert (one.topic, one.title) == (Topic.DRIFT, "security_group/Web ingress: could not be put right")
    assert [member.outcome for member in one.members] == [Outcome.FAILED, Outcome.CORRECTED]
    assert (one.severity, one.settled, one.aws_id) == (Severity.CRITICAL, False, "sg-0a1b2c3d4e5f60718")
    assert one.actor == SOMEBODY
    assert one.members[1].have == {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
    assert one.members[1].want is None


def test_each_field_and_each_resource_is_a_concern_of_its_own() -> None:
    found = find_alerts(looked(extra(), extra(field="egress"), line("tags", "team", "a", "b", at=VPC)))
    assert [(one.address, one.severity.value) for one in found] == [
        (GROUP, "critical"),
        (GROUP, "medium"),
        (VPC, "low"),
    ]
    assert len({one.fingerprint for one in found}) == 3


def test_what_was_corrected_is_told_and_settled_at_once() -> None:
    one = only(looked(extra()))
    assert (one.settled, one.digest, len(one.corrected)) == (True, "", 16)


def test_a_fingerprint_is_the_same_in_every_run_and_another_for_another_document() -> None:
    here, there = looked(extra()), looked(extra(SSH, Outcome.HELD))
    assert only(here).fingerprint == only(there).fingerprint
    assert only(replace(here, document="other")).fingerprint != only(here).fingerprint


def test_a_digest_says_what_is_the_matter_and_not_why_or_when() -> None:
    waits = only(looked(extra(outcome=Outcome.WAITING, message="RevokeX: Throttling: request 0af3 at 12:00")))
    later = only(looked(extra(outcome=Outcome.WAITING, message="RevokeX: Throttling: request 77bc at 12:05")))
    other = only(looked(extra(rule_key("tcp", 23, 23, "0.0.0.0/0"), Outcome.WAITING)))
    assert waits.digest == later.digest != other.digest
    assert only(looked(extra(outcome=Outcome.FAILED))).digest != waits.digest


def test_a_digest_of_what_is_open_does_not_change_when_something_beside_it_is_corrected() -> None:
    held = lacking(outcome=Outcome.HELD)
    alone, beside = only(looked(held)), only(looked(held, extra()))
    assert alone.digest == beside.digest
    assert (alone.corrected, bool(beside.corrected)) == ("", True)


@given(st.permutations([SSH, HTTPS, rule_key("udp", 53, 53, "10.0.0.0/8")]))
def test_a_digest_does_not_depend_on_the_order_of_what_differs(keys: list[Any]) -> None:
    shuffled = only(looked(*(extra(key, Outcome.HELD) for key in keys)))
    straight = only(looked(*(extra(key, Outcome.HELD) for key in sorted(keys))))
    assert shuffled.digest == straight.digest


def test_a_finding_is_known_by_its_words_and_not_by_its_numbers() -> None:
    def told(message: str) -> Alert:
        return only(looked(findings=(Finding(GROUP, Outcome.BLOCKED, message),)))

    two, three = told("2 live resources could be it: sg-01, sg-02"), told("3 live resources could be it: sg-01, sg-09")
    assert two.digest == three.digest != told("it belongs to another document").digest
    assert two.sentence == "2 live resources could be it: sg-01, sg-02."


def test_what_costs_data_or_downtime_says_so_where_that_holds_it() -> None:
    modify = MODIFY.on(Address(DATABASE), "change the class", "multi_az")
    drift = line("multi_az", None, True, False, Outcome.HELD, "it costs downtime", DATABASE)
    one = only(looked(drift, plan=planned(modify)))
    assert one.sentence == (
        "db_instance/orders is not as declared: multi_az. Putting it right costs downtime, so a person decides."
    )
    risky = replace(modify, risk=Risk.DATA)
    dear = only(looked(drift, plan=planned(risky)))
    assert dear.severity is Severity.HIGH
    assert dear.sentence.endswith("Putting it right may cost data, so a person decides.")


def test_what_is_ours_and_no_longer_declared_is_told_when_it_goes() -> None:
    gone = action()
    one = only(looked(plan=planned(gone), action_results=(ActionResult(gone, Ended.DONE),)))
    assert one.sentence == "security_group/Old was taken away: it is ours and no longer declared."
    assert (one.settled, one.title) == (True, "security_group/Old: corrected")


def test_a_fight_is_one_concern_that_is_told_once_in_the_thread_of_its_drift() -> None:
    fight = only(looked(extra(outcome=Outcome.HELD, message="a fight: corrected 3 times within the hour")))
    assert (fight.topic, fight.once) == (Topic.FIGHT, True)
    assert fight.title == "security_group/Web ingress: somebody keeps changing it"
    assert fight.fingerprint == only(looked(extra())).fingerprint
    assert fight.digest != only(looked(extra(outcome=Outcome.HELD, message="this deployment only reports"))).digest


def test_a_whole_plan_that_is_held_is_one_concern_however_many_drifts_it_holds() -> None:
    why = "the plan takes away 40 live members, and 20 is the limit of one run"
    lines = [
        extra(rule_key("tcp", port, port, "10.0.0.0/8"), Outcome.HELD, why, at=f"security_group/{port}")
        for port in range(40)
    ]
    one = only(looked(*lines, gate=Gate({}, {}, why, ())))
    assert (one.topic, one.severity, one.title) == (Topic.PLAN_HELD, Severity.HIGH, "the whole plan is held")
    assert (len(one.members), one.release) == (40, "0123456789abcdef")
    assert {member.why for member in one.members} == {""}


def test_a_lost_section_is_told_with_the_plan_it_holds() -> None:
    lost = Finding(Address("subnet/*"), Outcome.HELD, "the document has lost its whole section")
    why = "subnet/*: the document has lost its whole section; until then look at the plan"
    one = only(looked(findings=(lost,), gate=Gate({}, {}, why, (lost,))))
    assert (one.topic, one.members[0].what) == (Topic.PLAN_HELD, "subnet/*: the document has lost its whole section")


def test_what_another_reason_holds_beside_a_held_plan_is_told_by_itself() -> None:
    why = "too much"
    found = find_alerts(
        looked(
            extra(outcome=Outcome.HELD, message=why),
            extra(field="egress", outcome=Outcome.HELD, message="somebody holds it"),
            gate=Gate({}, {}, why, ()),
        )
    )
    assert [one.topic for one in found] == [Topic.PLAN_HELD, Topic.DRIFT]


def _stopped(reason: str, first: Ended = Ended.WAITING) -> AttemptResult:
    close = REVOKE.on(GROUP, "revoke", "ingress")
    opened = AUTHORIZE.on(Address("security_group/App"), "authorize", "ingress")
    after = "it comes after: revoke, which is waiting"
    return looked(
        extra(outcome=Outcome.WAITING, message=reason),
        extra(outcome=Outcome.WAITING, message=after, at="security_group/App"),
        extra(at="security_group/Done"),
        action_results=(ActionResult(close, first, reason), ActionResult(opened, Ended.SKIPPED, after)),
    )


def test_a_lease_that_was_lost_is_one_concern_with_all_that_was_left() -> None:
    found = find_alerts(_stopped("the lease is another run's now"))
    one = next(one for one in found if one.topic is Topic.STOPPED)
    assert one.title == "the run stopped; partial: 1 of 3 done"
    assert [member.what for member in one.members] == [
        "the lease is another run's now",
        "security_group/Web: ingress: tcp 22 from 0.0.0.0/0",
        "security_group/App: ingress: tcp 22 from 0.0.0.0/0",
    ]
    assert [one.title for one in found if one.topic is Topic.DRIFT] == ["security_group/Done ingress: corrected"]


def test_how_much_a_stopped_run_had_done_is_no_news() -> None:
    def stamp(kept: AttemptResult) -> str:
        return next(one.digest for one in find_alerts(kept) if one.topic is Topic.STOPPED)

    some = _stopped("the time of this run is up")
    assert some.report
    fewer = replace(some, report=replace(some.report, lines=some.report.lines[:2]))
    assert stamp(some) == stamp(fewer) != stamp(_stopped("the lease is another run's now"))


def test_credentials_that_are_no_longer_good_stop_a_run_and_what_they_met_is_told_beside_it() -> None:
    over = "RevokeSecurityGroupIngress: ExpiredToken: The security token included in the request is expired"
    first, second = REVOKE.on(GROUP, "revoke", "ingress"), REVOKE.on(Address("security_group/App"), "revoke", "ingress")
    found = find_alerts(
        looked(
            extra(outcome=Outcome.FAILED, message=over),
            extra(outcome=Outcome.WAITING, message=over, at="security_group/App"),
            action_results=(ActionResult(first, Ended.FAILED, over), ActionResult(second, Ended.SKIPPED, over)),
        )
    )
    assert [(one.topic, one.title) for one in found] == [
        (Topic.DRIFT, "security_group/Web ingress: could not be put right"),
        (Topic.STOPPED, "the run stopped; partial: 0 of 2 done"),
    ]


def test_what_a_stopped_run_never_tried_is_told_with_it() -> None:
    untried = extra(
        outcome=Outcome.WAITING, message="nothing was tried: the next run looks at it", at="security_group/App"
    )
    lost = _stopped("the lease is another run's now")
    assert lost.report
    lost = replace(lost, report=replace(lost.report, lines=(lost.report.lines[0], untried)))
    assert only(lost).topic is Topic.STOPPED
    assert len(only(lost).members) == 3


def test_a_busy_aws_stops_no_run() -> None:
    busy = "RevokeSecurityGroupIngress: RequestLimitExceeded: Request limit exceeded."
    revoke = REVOKE.on(GROUP, "revoke", "ingress")
    one = only(
        looked(
            extra(outcome=Outcome.WAITING, message=busy), action_results=(ActionResult(revoke, Ended.WAITING, busy),)
        )
    )
    assert (one.topic, one.title) == (Topic.DRIFT, "security_group/Web ingress: waiting")


def _judged(spoil: Callable[[Any], Any]) -> AttemptResult:
    """An attempt whose report is made by the run's own judge."""
    wish = worlds.document()
    snapshot = spoil(worlds.seen(wish))
    plan = worlds.plan(wish, snapshot)
    decided = gate(plan, wish, snapshot, Policy(), worlds.MORNING)
    sight = Observation(snapshot, plan, ())
    made = judge(wish, Policy(), RunTrace(sight, decided, (), sight, wrote=True), RunCost(worlds.MORNING, 1.0, 9, 0))
    return replace(looked(), document=wish.name, report=made)


def test_everything_that_could_not_be_looked_at_is_one_concern() -> None:
    why = "DescribeSubnets: UnauthorizedOperation: You are not authorized to perform this operation. Encoded: {}"

    def refused(code: str) -> AttemptResult:
        told = dict.fromkeys((worlds.FRONT, worlds.BACK1, worlds.OUT), why.format(code))
        return _judged(lambda snapshot: replace(snapshot, unreadable=told))

    one = only(refused("aaaa"))
    assert (one.topic, one.severity, len(one.members)) == (Topic.UNSEEN, Severity.HIGH, 3)
    assert one.sentence == "Part of the network could not be seen, and nothing of that part was changed."
    assert one.digest == only(refused("bbbb")).digest


def test_a_throttled_account_is_the_same_concern_whichever_call_meets_it() -> None:
    def throttled(call: str, code: str, *addresses: Address) -> Alert:
        told = dict.fromkeys(addresses, f"{call}: {code}: Rate exceeded")
        return only(_judged(lambda snapshot: replace(snapshot, unreadable=told)))

    one = throttled("DescribeSubnets", "RequestLimitExceeded", worlds.FRONT, worlds.BACK1)
    other = throttled("DescribeDBInstances", "Throttling", worlds.DATABASE)
    assert one.digest == other.digest
    assert one.digest != throttled("DescribeSubnets", "UnauthorizedOperation", worlds.FRONT).digest


def test_a_correction_that_could_not_be_seen_belongs_to_what_could_not_be_looked_at() -> None:
    unsure = "whether it is corrected could not be seen: the next run looks again"
    found = Finding(GROUP, Outcome.FAILED, "it could not be looked at: DescribeX: Throttling: slow down")
    one = only(looked(extra(outcome=Outcome.WAITING, message=unsure), findings=(found,)))
    assert (one.topic, len(one.members)) == (Topic.UNSEEN, 2)
    assert one.sentence == (
        "Part of the network could not be seen, and whether what was done there holds is not known."
    )


DESIGNED: dict[str, tuple[AttemptResult, Topic]] = {
    "a bad document beside a good one": (
        looked(refusal="s3://bucket/documents/small.json:3:5: unknown field (resources); leave it out"),
        Topic.REFUSED,
    ),
    "a bad document and no other": (ended(Ending.REFUSED, problem="shop.json:1:1: no JSON; mend it"), Topic.REFUSED),
    "an older revision": (looked(refusal="revision 6 is older than revision 7"), Topic.REFUSED),
    "a deleted document": (ended(Ending.DELETED, problem="its object is deleted"), Topic.DELETED),
    "a refused read": (ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no"), Topic.UNSEEN),
    "a refused write": (
        looked(extra(outcome=Outcome.FAILED, message="RevokeX: UnauthorizedOperation: no")),
        Topic.DRIFT,
    ),
    "a throttled account": (ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: RequestLimitExceeded: no"), Topic.UNSEEN),
    "a busy database": (
        looked(line("multi_az", None, True, False, Outcome.WAITING, "the database is modifying", DATABASE)),
        Topic.DRIFT,
    ),
    "a lost lease": (
        looked(
            extra(outcome=Outcome.WAITING, message="lost"),
            action_results=(ActionResult(REVOKE.on(GROUP, "revoke", "ingress"), Ended.WAITING, "lost"),),
        ),
        Topic.STOPPED,
    ),
    "a fight": (looked(extra(outcome=Outcome.HELD, message="a fight: left alone until 13:00")), Topic.FIGHT),
}


@pytest.mark.parametrize("name", DESIGNED)
def test_each_designed_situation_gives_exactly_one_concern_and_one_message(name: str) -> None:
    kept, topic = DESIGNED[name]
    assert only(kept).topic is topic
    heard = deduplicate(find_alerts(kept), {}, NOW, DAY, kept)
    assert len(heard.messages) == 1
    assert deduplicate(find_alerts(kept), heard.remembered(), NOW + HOUR / 2, DAY, kept).messages == ()


def test_a_refused_document_is_told_line_by_line_with_its_places() -> None:
    text = "small.json:3:5: unknown field; leave it out\nsmall.json:9:1: no CIDR; write one\nRevision 7 goes on."
    one = only(looked(refusal=text))
    assert [member.what for member in one.members] == text.split("\n")
    assert one.severity is Severity.MEDIUM
    assert only(ended(Ending.REFUSED, problem=text)).severity is Severity.HIGH


def test_what_a_person_asked_for_in_vain_is_told_to_that_person_only() -> None:
    assert find_alerts(ended(Ending.REFUSED, Source.MANUAL, problem="only: 'x' is not declared")) == ()


def test_a_run_cannot_be_blind_twice_in_two_ways_without_saying_so() -> None:
    refused = only(ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no"))
    table = only(ended(Ending.UNOBSERVABLE, problem="the ledger does not answer"))
    assert refused.fingerprint == table.fingerprint
    assert refused.digest != table.digest


def test_the_gravest_comes_first() -> None:
    found = find_alerts(
        looked(line("tags", "team", "a", "b", at=VPC), extra(), findings=(Finding(VPC, Outcome.FAILED, "no"),))
    )
    assert [one.severity.value for one in found] == ["critical", "high", "low"]
