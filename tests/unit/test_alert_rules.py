from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.database import DbInstance, DbSubnetGroup
from desired_state.fields import Address, rule_key
from desired_state.network import SecurityGroup
from reconciler.aws.client import AwsError
from reconciler.engine.gate import gate
from reconciler.engine.outcomes import judge
from reconciler.engine.result import Drift, Observation, RunCost, RunTrace
from reconciler.model import (
    ABSENT,
    ActionResult,
    Cause,
    Ended,
    Evidence,
    Finding,
    Found,
    Operation,
    Outcome,
    Phase,
    Policy,
    Reason,
    Risk,
    Unmanaged,
)
from reconciler.model.exposure import Severity
from reconciler.model.trigger import Source
from reconciler.notify.alert import Alert, Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.exposure import exposure
from tests.support import worlds
from tests.support.attempts import (
    DAY,
    FLAPPING,
    HOUR,
    HTTPS,
    NOW,
    REPORT_ONLY,
    SOMEBODY,
    SSH,
    UNVERIFIED,
    completed,
    ended,
    entry,
    extra,
    lacking,
    only,
)
from tests.support.reports import GROUP, VPC, action, document, drift, planned, whole_plan_held

AUTHORIZE = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.TRAFFIC)
MODIFY = Operation("rds", "ModifyDBInstance", Phase.BIND, Risk.DOWNTIME)
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
ACL, TABLE, DATABASE = "network_acl/front", "route_table/out", "db_instance/orders"
TOO_MUCH = Cause(Reason.PLAN_HELD, "the plan removes or replaces 40 live members, and the limit of one run is 20")
LOST_LEASE = Cause(Reason.LEASE_LOST, "the lease is another run's now")
MODIFYING = Cause(Reason.NOT_READY, "the database is modifying")
UP = Cause(Reason.OUT_OF_TIME, "the time of this run is up")


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
        "security_group/Web did not let in tcp 443 from anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        lacking(rule_key("tcp", 443, 443, "10.0.0.0/8"), Outcome.FAILED),
        "high",
        "security_group/Web does not let in tcp 443 from 10.0.0.0/8, although that is declared.",
    ),
    (
        drift("ingress", HTTPS, "a", "b"),
        "low",
        "Only the description of a rule of security_group/Web differs: packets are not affected.",
    ),
    (
        drift("ingress", 50, ABSENT, entry("allow"), at=ACL),
        "critical",
        "network_acl/front lets in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
    ),
    (
        drift("ingress", 50, entry("deny"), ABSENT, at=ACL),
        "critical",
        "network_acl/front does not deny tcp 22 from anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        drift("ingress", 50, entry("deny", "203.0.113.0/24"), ABSENT, Outcome.CORRECTED, at=ACL),
        "high",
        "network_acl/front did not deny tcp 22 from 203.0.113.0/24, although that is declared.",
    ),
    (
        drift("ingress", 50, entry("deny", port=23), entry("deny"), at=ACL),
        "critical",
        "network_acl/front does not deny tcp 23 from anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        drift("ingress", 50, ABSENT, entry("deny"), at=ACL),
        "high",
        "network_acl/front does not let in tcp 22 from anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        drift("ingress", 50, entry("allow"), entry("deny"), at=ACL),
        "high",
        "network_acl/front does not let in tcp 22 from anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        drift("egress", 50, entry("allow"), ABSENT, at=ACL),
        "high",
        "network_acl/front does not let out tcp 22 to anyone on the internet (0.0.0.0/0), although that is declared.",
    ),
    (
        drift("routes", "0.0.0.0/0", ABSENT, "igw-0a1b2c3d", at=TABLE),
        "critical",
        "route_table/out sends what is for anyone on the internet (0.0.0.0/0) to igw-0a1b2c3d, which is not declared.",
    ),
    (
        drift("routes", "0.0.0.0/0", "nat-1", "nat-2", Outcome.CORRECTED, at=TABLE),
        "high",
        "route_table/out sent what is for anyone on the internet (0.0.0.0/0) to nat-2 instead of nat-1.",
    ),
    (
        drift("routes", "10.1.0.0/16", "pcx-1", ABSENT, at=TABLE),
        "high",
        "What route_table/out is meant to send to 10.1.0.0/16 cannot go there.",
    ),
    (
        drift("subnets", Address("subnet/a"), ABSENT, Address("subnet/a"), at=TABLE),
        "high",
        "subnet/a uses route_table/out, which is not declared.",
    ),
    (
        drift("subnets", Address("subnet/a"), Address("subnet/a"), ABSENT, Outcome.CORRECTED, at=TABLE),
        "high",
        "subnet/a did not use route_table/out, although that is declared.",
    ),
    (
        drift("publicly_accessible", None, False, True, at=DATABASE),
        "critical",
        "db_instance/orders has a public address.",
    ),
    (
        drift("publicly_accessible", None, True, False, at=DATABASE),
        "medium",
        "db_instance/orders is not as declared: publicly_accessible.",
    ),
    (
        drift("deletion_protection", None, True, False, Outcome.CORRECTED, at=DATABASE),
        "high",
        "db_instance/orders could be deleted with one call.",
    ),
    (
        drift("tags", "team", "a", "b"),
        "low",
        "Only the tags of security_group/Web differ: packets and data are not affected.",
    ),
    (
        drift("", None, SecurityGroup(), ABSENT),
        "high",
        "security_group/Web is missing.",
    ),
    (
        drift("", None, DbInstance(), ABSENT, Outcome.BLOCKED, at=DATABASE),
        "critical",
        "db_instance/orders is missing, and its data may be lost.",
    ),
    (
        drift("multi_az", None, True, False, at=DATABASE),
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
def test_what_another_run_tells_is_no_alert(ending: Ending, source: Source) -> None:
    assert find_alerts(ended(ending, source, problem="another run has the lease")) == ()


def test_a_calm_run_and_unmanaged_resources_that_nobody_minds_are_no_alert() -> None:
    stranger = Unmanaged(Address("security_group/theirs"), "sg-0f")
    assert find_alerts(completed()) == ()
    assert find_alerts(completed(unmanaged=(stranger,))) == ()
    assert (
        find_alerts(
            completed(findings=(Finding(GROUP, Outcome.IN_SYNC, Cause(Reason.PENDING_CHANGE, "as it should be")),))
        )
        == ()
    )


def test_all_that_differs_in_one_field_is_one_alert_the_worst_first() -> None:
    one = only(
        completed(
            extra(),
            lacking(outcome=Outcome.FAILED, cause=Cause(Reason.REFUSED, "AWS said no")),
            actors={GROUP: SOMEBODY},
        )
    )
    assert (one.topic, one.title) == (Topic.DRIFT, "security_group/Web ingress: could not be corrected")
    assert [member.outcome for member in one.members] == [Outcome.FAILED, Outcome.CORRECTED]
    assert (one.severity, one.settled, one.aws_id) == (Severity.CRITICAL, False, "sg-0a1b2c3d4e5f60718")
    assert one.actor == SOMEBODY
    assert one.members[1].have == {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
    assert one.members[1].want is None


def test_each_field_and_each_resource_is_a_alert_of_its_own() -> None:
    found = find_alerts(completed(extra(), extra(field="egress"), drift("tags", "team", "a", "b", at=VPC)))
    assert [(one.address, one.severity.value) for one in found] == [
        (GROUP, "critical"),
        (GROUP, "medium"),
        (VPC, "low"),
    ]
    assert len({one.fingerprint for one in found}) == 3


def test_what_was_corrected_is_told_and_settled_at_once() -> None:
    one = only(completed(extra()))
    assert (one.settled, one.digest, len(one.corrected)) == (True, "", 16)


def test_a_fingerprint_is_the_same_in_every_run_and_another_for_another_document() -> None:
    here, there = completed(extra()), completed(extra(SSH, Outcome.HELD))
    assert only(here).fingerprint == only(there).fingerprint
    assert only(replace(here, document="other")).fingerprint != only(here).fingerprint


def test_a_digest_says_what_is_the_matter_and_not_why_or_when() -> None:
    waits = only(
        completed(
            extra(outcome=Outcome.WAITING, cause=Cause(Reason.THROTTLED, "RevokeX: Throttling: request 0af3 at 12:00"))
        )
    )
    later = only(
        completed(
            extra(outcome=Outcome.WAITING, cause=Cause(Reason.THROTTLED, "RevokeX: Throttling: request 77bc at 12:05"))
        )
    )
    other = only(completed(extra(rule_key("tcp", 23, 23, "0.0.0.0/0"), Outcome.WAITING)))
    assert waits.digest == later.digest != other.digest
    assert only(completed(extra(outcome=Outcome.FAILED))).digest != waits.digest


def test_a_digest_of_what_is_open_does_not_change_when_something_beside_it_is_corrected() -> None:
    held = lacking(outcome=Outcome.HELD)
    alone, beside = only(completed(held)), only(completed(held, extra()))
    assert alone.digest == beside.digest
    assert (alone.corrected, bool(beside.corrected)) == ("", True)


@given(st.permutations([SSH, HTTPS, rule_key("udp", 53, 53, "10.0.0.0/8")]))
def test_a_digest_does_not_depend_on_the_order_of_what_differs(keys: list[Any]) -> None:
    shuffled = only(completed(*(extra(key, Outcome.HELD) for key in keys)))
    straight = only(completed(*(extra(key, Outcome.HELD) for key in sorted(keys))))
    assert shuffled.digest == straight.digest


def test_a_finding_is_known_by_its_reason_and_place_and_not_by_its_words() -> None:
    def told(reason: Reason, message: str, address: Address = GROUP, code: str = "") -> Alert:
        return only(completed(findings=(Finding(address, Outcome.BLOCKED, Cause(reason, message, code)),)))

    two = told(Reason.AMBIGUOUS, "2 live resources could be it: sg-01, sg-02")
    three = told(Reason.AMBIGUOUS, "3 live resources could be it: sg-01, sg-09")
    assert two.digest == three.digest
    assert two.sentence == "2 live resources could be it: sg-01, sg-02."
    others = [
        told(Reason.CONFLICT, "2 live resources could be it: sg-01, sg-02"),
        told(Reason.AMBIGUOUS, "2 live resources could be it: sg-01, sg-02", VPC),
        told(Reason.AMBIGUOUS, "2 live resources could be it: sg-01, sg-02", code="InvalidGroup.Duplicate"),
    ]
    assert two.digest not in {one.digest for one in others}


def test_what_costs_data_or_downtime_says_so_where_that_holds_it() -> None:
    modify = MODIFY.on(Address(DATABASE), "change the class", "multi_az")
    held = drift("multi_az", None, True, False, Outcome.HELD, Cause(Reason.DOWNTIME, "it costs downtime"), DATABASE)
    one = only(completed(held, plan=planned(modify)))
    assert one.sentence == (
        "db_instance/orders is not as declared: multi_az. Correcting it causes downtime, so a person decides."
    )
    risky = replace(modify, risk=Risk.DATA)
    dear = only(completed(held, plan=planned(risky)))
    assert dear.severity is Severity.HIGH
    assert dear.sentence.endswith("Correcting it may lose data, so a person decides.")


def test_what_is_ours_and_no_longer_declared_is_told_when_it_goes() -> None:
    gone = action()
    one = only(completed(plan=planned(gone), action_results=(ActionResult(gone, Ended.DONE),)))
    assert one.sentence == "security_group/Old was removed: the document does not declare it."
    assert (one.settled, one.title) == (True, "security_group/Old: corrected")


def test_a_flapping_drift_is_one_alert_that_is_told_once_in_the_thread_of_its_drift() -> None:
    flapping = only(completed(extra(outcome=Outcome.HELD, cause=FLAPPING)))
    assert (flapping.topic, flapping.once) == (Topic.FLAPPING, True)
    assert flapping.title == "security_group/Web ingress: somebody keeps changing it"
    assert flapping.fingerprint == only(completed(extra())).fingerprint
    assert flapping.digest != only(completed(extra(outcome=Outcome.HELD, cause=REPORT_ONLY))).digest


def test_a_whole_plan_that_is_held_is_one_alert_however_many_drifts_it_holds() -> None:
    drifts = [
        extra(rule_key("tcp", port, port, "10.0.0.0/8"), Outcome.HELD, TOO_MUCH, at=f"security_group/{port}")
        for port in range(40)
    ]
    one = only(completed(*drifts, gate=whole_plan_held(TOO_MUCH)))
    assert (one.topic, one.severity, one.title) == (Topic.PLAN_HELD, Severity.HIGH, "the whole plan is held")
    assert (len(one.members), one.release) == (40, "0123456789abcdef")
    assert {member.why for member in one.members} == {""}


def test_a_vpc_that_is_gone_is_told_as_that_with_what_releases_the_plan() -> None:
    def gone(aws_id: str, *drifts: Drift) -> Alert:
        cause = Cause(Reason.VPC_GONE, f"the VPC {aws_id}, which was {VPC}, does not exist any more", aws_id)
        held = [replace(one, cause=cause) for one in drifts]
        return only(completed(*held, gate=whole_plan_held(cause)))

    missing = drift("", None, document().resources[GROUP], ABSENT, Outcome.HELD, at=GROUP)
    one = gone("vpc-1", missing)
    assert (one.topic, one.severity, one.release) == (Topic.PLAN_HELD, Severity.CRITICAL, "0123456789abcdef")
    assert one.title == f"{VPC} is gone, and is not built again by itself"
    assert one.sentence == f"The VPC vpc-1, which was {VPC}, does not exist any more."
    assert len(one.members) == 1
    assert gone("vpc-1").digest == one.digest  # as long as it is the same VPC, it is the same news
    assert gone("vpc-2", missing).digest != one.digest


def test_what_is_owned_and_no_longer_declared_is_told_with_the_plan_that_holds_it() -> None:
    gone = action()
    going = ActionResult(gone, Ended.HELD, TOO_MUCH)
    one = only(completed(plan=planned(gone), action_results=(going,), gate=whole_plan_held(TOO_MUCH)))
    assert (one.topic, [member.what for member in one.members]) == (
        Topic.PLAN_HELD,
        ["security_group/Old: it is ours and no longer declared"],
    )


def test_a_lost_section_is_told_with_the_plan_it_holds() -> None:
    message = "the document no longer has this section"
    lost = Finding(Address("subnet/*"), Outcome.HELD, Cause(Reason.SECTION_LOST, message))
    why = Cause(Reason.PLAN_HELD, f"subnet/*: {message}; until then look at the plan")
    one = only(completed(findings=(lost,), gate=whole_plan_held(why, lost)))
    assert (one.topic, one.members[0].what) == (Topic.PLAN_HELD, "subnet/*: the document no longer has this section")


def test_what_another_reason_holds_beside_a_held_plan_is_told_by_itself() -> None:
    held = Cause(Reason.HOLD_TAG, "a setpoint:hold tag holds it until 2026-03-01T18:00Z")
    found = find_alerts(
        completed(
            extra(outcome=Outcome.HELD, cause=TOO_MUCH),
            extra(field="egress", outcome=Outcome.HELD, cause=held),
            gate=whole_plan_held(TOO_MUCH),
        )
    )
    assert [one.topic for one in found] == [Topic.PLAN_HELD, Topic.DRIFT]


def _stopped(cause: Cause, first: Ended = Ended.WAITING) -> AttemptResult:
    close = REVOKE.on(GROUP, "revoke", "ingress")
    opened = AUTHORIZE.on(Address("security_group/App"), "authorize", "ingress")
    after = Cause(Reason.DEPENDENCY, "it depends on: revoke, which is waiting")
    return completed(
        extra(outcome=Outcome.WAITING, cause=cause),
        extra(outcome=Outcome.WAITING, cause=after, at="security_group/App"),
        extra(at="security_group/Done"),
        action_results=(ActionResult(close, first, cause), ActionResult(opened, Ended.SKIPPED, after)),
    )


def test_a_lease_that_was_lost_is_one_alert_with_all_that_was_left() -> None:
    found = find_alerts(_stopped(LOST_LEASE))
    one = next(one for one in found if one.topic is Topic.STOPPED)
    assert one.title == "the run stopped; partial: 1 of 3 done"
    assert [member.what for member in one.members] == [
        "the lease is another run's now",
        "security_group/Web: ingress: tcp 22 from 0.0.0.0/0",
        "security_group/App: ingress: tcp 22 from 0.0.0.0/0",
    ]
    assert [one.title for one in found if one.topic is Topic.DRIFT] == ["security_group/Done ingress: corrected"]


def test_how_much_a_stopped_run_had_done_is_no_news() -> None:
    def stamp(result: AttemptResult) -> str:
        return next(one.digest for one in find_alerts(result) if one.topic is Topic.STOPPED)

    some = _stopped(UP)
    assert some.report
    fewer = replace(some, report=replace(some.report, drifts=some.report.drifts[:2]))
    assert stamp(some) == stamp(fewer) != stamp(_stopped(LOST_LEASE))


def test_credentials_that_are_no_longer_good_stop_a_run_and_what_they_met_is_told_beside_it() -> None:
    expired = "RevokeSecurityGroupIngress: ExpiredToken: The security token included in the request is expired"
    over = Cause(Reason.CREDENTIALS, expired, "ExpiredToken")
    first, second = REVOKE.on(GROUP, "revoke", "ingress"), REVOKE.on(Address("security_group/App"), "revoke", "ingress")
    found = find_alerts(
        completed(
            extra(outcome=Outcome.FAILED, cause=over),
            extra(outcome=Outcome.WAITING, cause=over, at="security_group/App"),
            action_results=(ActionResult(first, Ended.FAILED, over), ActionResult(second, Ended.SKIPPED, over)),
        )
    )
    assert [(one.topic, one.title) for one in found] == [
        (Topic.DRIFT, "security_group/Web ingress: could not be corrected"),
        (Topic.STOPPED, "the run stopped; partial: 0 of 2 done"),
    ]


def test_what_a_stopped_run_never_tried_is_told_with_it() -> None:
    nothing = Cause(Reason.NOT_ATTEMPTED, "nothing was tried: the next run looks again")
    untried = extra(outcome=Outcome.WAITING, cause=nothing, at="security_group/App")
    lost = _stopped(LOST_LEASE)
    assert lost.report
    lost = replace(lost, report=replace(lost.report, drifts=(lost.report.drifts[0], untried)))
    assert only(lost).topic is Topic.STOPPED
    assert len(only(lost).members) == 3


def test_a_busy_aws_stops_no_run() -> None:
    limited = "RevokeSecurityGroupIngress: RequestLimitExceeded: Request limit exceeded."
    busy = Cause(Reason.THROTTLED, limited, "Throttling")
    revoke = REVOKE.on(GROUP, "revoke", "ingress")
    one = only(
        completed(
            extra(outcome=Outcome.WAITING, cause=busy), action_results=(ActionResult(revoke, Ended.WAITING, busy),)
        )
    )
    assert (one.topic, one.title) == (Topic.DRIFT, "security_group/Web ingress: waiting")


def _judged(spoil: Callable[[Any], Any]) -> AttemptResult:
    """An attempt whose report is made by the run's own judge."""
    declared = worlds.document()
    snapshot = spoil(worlds.seen(declared))
    plan = worlds.plan(declared, snapshot)
    decided = gate(plan, declared, snapshot, Policy(), worlds.MORNING)
    observation = Observation(snapshot, plan, ())
    made = judge(
        declared,
        Policy(),
        RunTrace(observation, decided, (), observation, wrote=True),
        RunCost(worlds.MORNING, 1.0, 9, 0),
    )
    return replace(completed(), document=declared.name, report=made)


def test_everything_that_could_not_be_looked_at_is_one_alert() -> None:
    why = "DescribeSubnets: UnauthorizedOperation: You are not authorized to perform this operation. Encoded: {}"

    def refused(code: str) -> AttemptResult:
        cause = Cause(Reason.UNREADABLE, why.format(code), "UnauthorizedOperation")
        told = dict.fromkeys((worlds.FRONT, worlds.BACK1, worlds.OUT), cause)
        return _judged(lambda snapshot: replace(snapshot, unreadable=told))

    one = only(refused("aaaa"))
    assert (one.topic, one.severity, len(one.members)) == (Topic.UNSEEN, Severity.HIGH, 3)
    assert one.sentence == "Part of the network could not be read, and nothing there was changed."
    assert one.digest == only(refused("bbbb")).digest


def test_a_throttled_account_is_the_same_alert_whichever_call_meets_it() -> None:
    def throttled(call: str, code: str, *addresses: Address) -> Alert:
        error = AwsError(call, code, "Rate exceeded").cause
        told = dict.fromkeys(addresses, Cause(Reason.UNREADABLE, error.message, error.code))
        return only(_judged(lambda snapshot: replace(snapshot, unreadable=told)))

    one = throttled("DescribeSubnets", "RequestLimitExceeded", worlds.FRONT, worlds.BACK1)
    other = throttled("DescribeDBInstances", "Throttling", worlds.DATABASE)
    assert one.digest == other.digest
    assert one.digest != throttled("DescribeSubnets", "UnauthorizedOperation", worlds.FRONT).digest


def test_a_correction_that_could_not_be_seen_belongs_to_what_could_not_be_looked_at() -> None:
    slow = Cause(Reason.UNREADABLE, "it could not be read: DescribeX: Throttling: slow down", "Throttling")
    found = Finding(GROUP, Outcome.FAILED, slow)
    one = only(completed(extra(outcome=Outcome.WAITING, cause=UNVERIFIED), findings=(found,)))
    assert (one.topic, len(one.members)) == (Topic.UNSEEN, 2)
    assert one.sentence == ("Part of the network could not be read, and corrections there could not be verified.")


DESIGNED: dict[str, tuple[AttemptResult, Topic]] = {
    "a bad document beside a good one": (
        completed(refusal="s3://bucket/documents/small.json:3:5: unknown field (resources); leave it out"),
        Topic.REFUSED,
    ),
    "a bad document and no other": (ended(Ending.REFUSED, problem="shop.json:1:1: no JSON; correct it"), Topic.REFUSED),
    "an older revision": (completed(refusal="revision 6 is older than revision 7"), Topic.REFUSED),
    "a deleted document": (ended(Ending.DELETED, problem="its object is deleted"), Topic.DELETED),
    "a refused read": (
        ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no", code="UnauthorizedOperation"),
        Topic.UNSEEN,
    ),
    "a refused write": (
        completed(extra(outcome=Outcome.FAILED, cause=Cause(Reason.REFUSED, "RevokeX: UnauthorizedOperation: no"))),
        Topic.DRIFT,
    ),
    "a throttled account": (
        ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: RequestLimitExceeded: no", code="Throttling"),
        Topic.UNSEEN,
    ),
    "a busy database": (
        completed(drift("multi_az", None, True, False, Outcome.WAITING, MODIFYING, DATABASE)),
        Topic.DRIFT,
    ),
    "a lost lease": (
        completed(
            extra(outcome=Outcome.WAITING, cause=LOST_LEASE),
            action_results=(ActionResult(REVOKE.on(GROUP, "revoke", "ingress"), Ended.WAITING, LOST_LEASE),),
        ),
        Topic.STOPPED,
    ),
    "a flapping drift": (completed(extra(outcome=Outcome.HELD, cause=FLAPPING)), Topic.FLAPPING),
}


@pytest.mark.parametrize("name", DESIGNED)
def test_each_designed_situation_gives_exactly_one_alert_and_one_message(name: str) -> None:
    result, topic = DESIGNED[name]
    assert only(result).topic is topic
    notified = deduplicate(find_alerts(result), {}, NOW, DAY, result)
    assert len(notified.notifications) == 1
    assert deduplicate(find_alerts(result), notified.remembered(), NOW + HOUR / 2, DAY, result).notifications == ()


def test_a_refused_document_is_told_line_by_line_with_its_places() -> None:
    text = "small.json:3:5: unknown field; leave it out\nsmall.json:9:1: no CIDR; write one\nRevision 7 goes on."
    one = only(completed(refusal=text))
    assert [member.what for member in one.members] == text.split("\n")
    assert one.severity is Severity.MEDIUM
    assert only(ended(Ending.REFUSED, problem=text)).severity is Severity.HIGH


def test_what_a_person_asked_for_in_vain_is_told_to_that_person_only() -> None:
    assert find_alerts(ended(Ending.REFUSED, Source.MANUAL, problem="only: 'x' is not declared")) == ()


def test_a_run_cannot_be_unobservable_in_two_ways_without_saying_so() -> None:
    refused = only(
        ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no", code="UnauthorizedOperation")
    )
    table = only(ended(Ending.UNOBSERVABLE, problem="the ledger does not answer", code="LedgerError"))
    assert refused.fingerprint == table.fingerprint
    assert refused.digest != table.digest


def test_the_gravest_comes_first() -> None:
    found = find_alerts(
        completed(
            drift("tags", "team", "a", "b", at=VPC),
            extra(),
            findings=(Finding(VPC, Outcome.FAILED, Cause(Reason.REFUSED, "no")),),
        )
    )
    assert [one.severity.value for one in found] == ["critical", "high", "low"]


IS_ANOTHER = Cause(Reason.IDENTITY_CHANGED, "it is rtb-2 now (its tags), and was rtb-1 before", "rtb-1 -> rtb-2")
TABLE_AT = Address(TABLE)
SUSPECT = Finding(TABLE_AT, Outcome.HELD, IS_ANOTHER)


def test_what_is_another_resource_than_before_is_one_alert_with_all_that_it_holds() -> None:
    held = drift("tags", "team", "a", "b", Outcome.HELD, IS_ANOTHER, TABLE)
    one = only(completed(held, findings=(SUSPECT,), release="0123456789abcdef"))
    assert (one.topic, one.severity) == (Topic.IDENTITY, Severity.HIGH)
    assert one.title == "route_table/out is another resource than before"
    assert (
        one.sentence == "It was found at another id than before: nothing is written to it until a person confirms that."
    )
    assert [member.what for member in one.members] == [
        "route_table/out: it is rtb-2 now (its tags), and was rtb-1 before",
        "route_table/out: tags: team = b -> a",
    ]
    assert one.release == "0123456789abcdef"
    assert not one.settled


def test_another_identity_is_worth_no_less_than_what_it_lets_through() -> None:
    opened = drift("routes", "0.0.0.0/0", ABSENT, "igw-0a1b2c3d", Outcome.HELD, IS_ANOTHER, TABLE)
    assert only(completed(opened, findings=(SUSPECT,))).severity is Severity.CRITICAL


def test_a_changed_identity_is_told_again_only_if_it_is_about_other_ids() -> None:
    reworded = replace(SUSPECT, cause=replace(IS_ANOTHER, message="other words"))
    third = replace(SUSPECT, cause=replace(IS_ANOTHER, code="rtb-1 -> rtb-3"))
    acl = Finding(Address(ACL), Outcome.HELD, replace(IS_ANOTHER, code="acl-1 -> acl-2"))
    alone, both = only(completed(findings=(SUSPECT,))), only(completed(findings=(SUSPECT, acl)))
    assert both.title == "2 resources are others than before"
    assert both.digest == only(completed(findings=(acl, SUSPECT))).digest
    assert only(completed(findings=(reworded,))).digest == alone.digest
    others = [both, only(completed(findings=(third,))), only(completed(findings=(acl,)))]
    assert len({alone.digest, *(one.digest for one in others)}) == 4
    assert {alone.fingerprint} == {one.fingerprint for one in others}
    held = drift("tags", "team", "a", "b", Outcome.HELD, IS_ANOTHER, TABLE)
    assert only(completed(held, findings=(SUSPECT,))).digest == alone.digest


def test_what_changed_hands_during_a_run_is_told_and_there_is_nothing_to_release() -> None:
    cause = Cause(Reason.IDENTITY_CHANGED, "the name app passed to another DB instance during the run", "db-A -> db-B")
    finding = Finding(Address(DATABASE), Outcome.FAILED, cause)
    one = only(completed(findings=(finding,), release="0123456789abcdef"))
    assert (one.topic, one.severity, one.release) == (Topic.IDENTITY, Severity.HIGH, "")
    assert one.sentence == "What was written may be at another resource than the one that was looked at: look at both."


def test_what_another_reason_holds_there_is_told_by_itself() -> None:
    reported = drift("tags", "team", "a", "b", Outcome.HELD, REPORT_ONLY, TABLE)
    assert [one.topic for one in find_alerts(completed(reported, findings=(SUSPECT,)))] == [Topic.IDENTITY, Topic.DRIFT]


def test_a_changed_identity_is_resolved_when_a_run_no_longer_finds_it() -> None:
    before = deduplicate(find_alerts(completed(findings=(SUSPECT,))), {}, NOW, DAY, completed(findings=(SUSPECT,)))
    (gone,) = deduplicate((), before.known, NOW + HOUR, DAY, completed()).notifications
    assert (gone.status, gone.title) == ("resolved", "route_table/out is another resource than before")


FOUND = {TABLE_AT: Found(Evidence.SEATS, "its subnets use it"), GROUP: Found(Evidence.KEY, "its name")}
OWN_IDS = {TABLE_AT: "rtb-1", GROUP: "sg-1"}


def adopted(*addresses: Address, former: Any = ABSENT, outcome: Outcome = Outcome.CORRECTED) -> list[Drift]:
    """The two tags of resources that were taken over."""
    return [
        drift("tags", key, value, former if key == "setpoint:document" else ABSENT, outcome, at=at)
        for at in addresses
        for key, value in (("setpoint:document", "small"), ("setpoint:name", at.name))
    ]


def adopting(*drifts: Drift, **changes: Any) -> AttemptResult:
    known: dict[str, Any] = {"found_by": FOUND, "ids": OWN_IDS, "vpc_id": "vpc-0a1b2c3d"}
    return completed(*drifts, **(known | changes))


@pytest.mark.parametrize("rollout", [False, True])
def test_what_was_taken_over_is_one_alert_however_many_resources_it_is(rollout: bool) -> None:
    one = only(adopting(*adopted(TABLE_AT, GROUP), rollout=rollout))
    assert (one.topic, one.severity, one.settled) == (Topic.ADOPTED, Severity.LOW, True)
    assert one.title == "adopted 2 resources of vpc-0a1b2c3d"
    assert (
        one.sentence == "What was live and declared carries this document's tags now; that changed nothing else of it."
    )
    assert [member.what for member in one.members] == [
        "route_table/out is rtb-1 (its subnets use it)",
        "security_group/Web is sg-1 (its name)",
    ]
    alone = only(adopting(*adopted(GROUP), rollout=rollout, vpc_id=""))
    assert (alone.title, alone.fingerprint) == ("adopted 1 resource", one.fingerprint)
    assert alone.corrected != one.corrected


def test_what_shows_no_tags_is_taken_over_with_all_the_rest() -> None:
    subnets = Address("db_subnet_group/data")
    declared = replace(document(), resources={**document().resources, subnets: DbSubnetGroup()})
    result = adopting(
        *adopted(GROUP),
        found_by={**FOUND, subnets: Found(Evidence.KEY, "its name")},
        ids={**OWN_IDS, subnets: "data"},
        tagless=(subnets,),
    )
    made = result.report
    assert made

    def members(*found: Address) -> list[str]:
        seen = replace(made, document=declared, resource_ids=dict.fromkeys(found, "x"))
        return [member.what for member in only(replace(result, report=seen)).members]

    mine, other = "security_group/Web is sg-1 (its name)", "db_subnet_group/data is data (its name)"
    assert members(GROUP, subnets) == [mine, other]
    assert members(GROUP, subnets, VPC) == [mine]


def test_what_was_taken_over_from_another_document_says_so() -> None:
    one = only(adopting(*adopted(TABLE_AT, former="network")))
    assert [member.what for member in one.members] == [
        "route_table/out is rtb-1 (its subnets use it), from the document 'network'"
    ]


def test_the_tags_of_a_person_and_whatever_else_was_corrected_stay_alerts_of_their_own() -> None:
    rest = [drift("tags", "team", "a", "b", Outcome.CORRECTED, at=TABLE), extra()]
    found = find_alerts(adopting(*adopted(TABLE_AT, GROUP), *rest))
    assert [(one.topic, one.address, len(one.members)) for one in found] == [
        (Topic.DRIFT, GROUP, 1),
        (Topic.ADOPTED, None, 2),
        (Topic.DRIFT, TABLE_AT, 1),
    ]
    rolled_out = find_alerts(adopting(*adopted(TABLE_AT, GROUP), *rest, rollout=True))
    assert sorted((one.topic, len(one.members)) for one in rolled_out) == [(Topic.ADOPTED, 2), (Topic.ROLLOUT, 2)]


def test_tags_that_could_not_be_set_and_a_name_alone_are_drift_as_before() -> None:
    failed = only(adopting(*adopted(GROUP, outcome=Outcome.FAILED)))
    assert (failed.topic, failed.address, len(failed.members)) == (Topic.DRIFT, GROUP, 2)
    renamed = only(adopting(drift("tags", "setpoint:name", "Web", "Old", Outcome.CORRECTED)))
    assert (renamed.topic, renamed.address) == (Topic.DRIFT, GROUP)


def test_what_a_first_run_could_not_take_over_is_one_alert_until_it_is_taken_over() -> None:
    before = deduplicate((), {}, NOW, DAY, completed())
    refused = adopting(*adopted(TABLE_AT, GROUP, outcome=Outcome.FAILED), rollout=True)
    one = only(refused)
    assert (one.topic, one.severity, one.settled) == (Topic.ADOPTED, Severity.HIGH, False)
    assert one.title == "2 resources of vpc-0a1b2c3d could not be adopted"
    half = only(adopting(*adopted(TABLE_AT), *adopted(GROUP, outcome=Outcome.FAILED), rollout=True))
    assert (half.title, half.fingerprint) == ("1 resource of vpc-0a1b2c3d could not be adopted", one.fingerprint)
    assert half.sentence == "1 of 2 were adopted; the others do not carry this document's tags."
    assert [member.outcome for member in half.members] == [Outcome.FAILED, Outcome.IN_SYNC]
    for found, status in (
        (one, ["firing"]),
        (one, []),
        (half, ["changed"]),
        (only(adopting(*adopted(GROUP))), ["changed"]),
    ):
        before = deduplicate((found,), before.known, NOW, DAY, refused)
        assert [each.status for each in before.notifications] == status


def test_a_tag_of_another_document_that_could_not_be_replaced_is_told_by_itself() -> None:
    found = find_alerts(adopting(*adopted(GROUP, former="network", outcome=Outcome.FAILED), rollout=True))
    assert [(one.topic, one.address) for one in found] == [(Topic.ROLLOUT, GROUP)]
