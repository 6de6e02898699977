"""What one run is told of earlier ones, and what it leaves to later ones: the wiring, with a run that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from desired_state.document import Document
from desired_state.fields import Address, rule_key
from reconciler.attempt import flapping, one_run, openings, untold
from reconciler.attempt.given import Dependencies, Request
from reconciler.attempt.holding import LOOK_BACK
from reconciler.attempt.one_run import FIRST_LOOK_BACK, _Permit, run_version
from reconciler.cloudtrail.attribution import Attribution, Drifted
from reconciler.engine.gate import gate
from reconciler.engine.result import Drift, Observation, Report
from reconciler.ledger.lease import Lease
from reconciler.ledger.record import Accepted, DocumentRecord, FlappingRecord, Notified, Rollout, Untold, UntoldMember
from reconciler.model import (
    ABSENT,
    ActionResult,
    Cause,
    Difference,
    Ended,
    Finding,
    Operation,
    Outcome,
    Phase,
    Policy,
    Reason,
    Risk,
    Unmanaged,
)
from reconciler.model.trigger import Actor, Source, Trigger
from reconciler.notify.alert import Topic, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import deduplicate
from reconciler.report.attempt import AttemptResult, Ending, HoldTag
from tests.support import worlds
from tests.support.attempts import DAY, IDS, NOW, SOMEBODY, completed, extra
from tests.support.reports import GROUP, VPC, document, report

HOUR = timedelta(hours=1)
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
DOCUMENT = document()
OTHER = Address("security_group/Other")
TELNET = rule_key("tcp", 23, 23, "0.0.0.0/0")
UP = Cause(Reason.OUT_OF_TIME, "the time is up")
LATE = Untold(
    "f" * 16, "drift", "high", f"{VPC} tags", "It was.", NOW - HOUR / 2, (UntoldMember("x", "n"),), DOCUMENT.sha256, VPC
)
RECORD = replace(
    DocumentRecord(),
    account=DOCUMENT.scope.account_id,
    region=DOCUMENT.scope.region,
    vpc_id="vpc-0",
    looked_at=NOW - HOUR,
    ids={GROUP: IDS[GROUP]},
)


@dataclass
class Asked:
    """What the run and CloudTrail were asked."""

    report: Report
    made: Mapping[Any, Any] = field(default_factory=dict)
    memory: Any = None
    how: dict[str, Any] = field(default_factory=dict)
    looked_up: list[tuple[list[str], Any]] = field(default_factory=list)
    notes: list[tuple[Untold, ...]] = field(default_factory=list)
    forgotten: list[frozenset[Address]] = field(default_factory=list)

    def run(self, declared: Document, world: Any, policy: Policy, **how: Any) -> Report:
        self.memory, self.how = how.pop("memory"), how | {"world": world, "policy": policy, "document": declared}
        return self.report

    def attribute(self, drifts: tuple[Drifted, ...], since: Any, **others: Any) -> Attribution:
        assert others.keys() == {"actors", "aws", "now", "sleep", "is_own_call"}
        self.looked_up.append(([one.address for one in drifts], since))
        return Attribution({GROUP: SOMEBODY}, self.made)


def ran(
    record: DocumentRecord = RECORD,
    *drifts: Drift,
    request: Request | None = None,
    made: Mapping[Any, Any] | None = None,
    left: float = 300.0,
    actors: tuple[Actor, ...] = (),
    declared: Document = DOCUMENT,
    **changes: Any,
) -> tuple[Asked, AttemptResult, DocumentRecord]:
    """A run with this report, an hour after the look before."""
    found = completed(*drifts, **changes).report
    assert found
    asked = Asked(replace(found, started=NOW, document=declared), made or {})
    lease = SimpleNamespace(note=asked.notes.append, forget=asked.forgotten.append, confirm=lambda: "")
    given: dict[str, Any] = dict.fromkeys(Dependencies.__dataclass_fields__)
    given |= {
        "aws_for": lambda declared: "aws",
        "documents": SimpleNamespace(),
        "now": lambda: NOW,
        "repeat": DAY,
        "seconds_left": lambda: left,
        "reserve": 60.0,
        "policy": Policy(),
        "vpc_problem": lambda declared, vpc_id: f"{vpc_id} is not of {declared.name}",
    }
    blank = AttemptResult(
        declared.name, "run-1", Ending.UNOBSERVABLE, Trigger(Source.SCHEDULE, actors=actors), rollout=True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_run, "run", asked.run)
        patch.setattr(one_run, "attribute", asked.attribute)
        request = request or Request()
        return asked, *run_version(cast("Lease", lease), blank, record, declared, Dependencies(**given), request)


CLOSED, OPEN = extra(), extra(TELNET, Outcome.HELD, Cause(Reason.REPORT_ONLY, "it only reports"), at=OTHER)


# For how long something stood open


def test_what_was_closed_stood_open_since_the_look_before_at_most() -> None:
    _, result, record = ran(RECORD, CLOSED, OPEN)
    assert (result.exposed, result.exposed_unknown) == ({GROUP: 3600.0}, frozenset())
    assert result.drift_since == {one.difference.identity: NOW - HOUR for one in (CLOSED, OPEN)}
    assert list(record.open_since.values()) == [NOW - HOUR]  # of what is still there


def test_what_a_call_certainly_made_counts_from_then_and_what_was_known_before_from_before() -> None:
    at = NOW - timedelta(minutes=5)
    made = {one.difference.identity: at for one in (CLOSED, OPEN)}
    _, result, record = ran(RECORD, CLOSED, OPEN, made=made)
    assert (result.exposed, set(result.drift_since.values())) == ({GROUP: 300.0}, {at})
    known = replace(RECORD, open_since=openings.after(completed(CLOSED, OPEN).report, RECORD, {}))  # type: ignore[arg-type]
    assert set(record.open_since.values()) == {at}
    _, _, later = ran(replace(known, looked_at=NOW), OPEN, made=made)
    assert list(later.open_since.values()) == [NOW - HOUR]


def test_without_a_look_before_it_is_not_known() -> None:
    asked, result, record = ran(replace(RECORD, looked_at=None), CLOSED, OPEN)
    assert (result.exposed, result.exposed_unknown) == ({}, frozenset({GROUP}))
    assert (result.drift_since, list(record.open_since.values())) == ({}, [openings.UNKNOWN])
    assert asked.looked_up == [([GROUP, OTHER], NOW - FIRST_LOOK_BACK)]


def test_what_a_version_opens_itself_did_not_stand_open() -> None:
    rollout = Rollout((Accepted(1, "a" * 64, ""),))  # there was none before: all of it is the version's own
    for looked in (NOW - HOUR, None):
        _, result, record = ran(replace(RECORD, rollout=rollout, looked_at=looked), CLOSED, OPEN)
        assert (result.exposed, result.exposed_unknown) == ({}, frozenset())
        assert result.own == {CLOSED.difference.identity, OPEN.difference.identity}
        assert record.rollout is not None
        assert record.rollout.left is not None
        assert len(record.rollout.left) >= 1
    _, result, record = ran(replace(RECORD, rollout=rollout), CLOSED)
    assert record.rollout is None


def test_a_plan_does_not_read_the_versions_before() -> None:
    rollout = Rollout((Accepted(1, "a" * 64, "v1"),))
    _, result, _ = ran(replace(RECORD, rollout=rollout), CLOSED, request=Request(write=False))
    assert (result.own, result.exposed) == (frozenset(), {GROUP: 3600.0})


# Who is asked about, and since when


def test_cloudtrail_is_asked_of_what_will_be_told_and_of_what_is_late() -> None:
    record = replace(RECORD, untold=(LATE,))
    asked, result, _ = ran(record, CLOSED)
    assert asked.looked_up == [([GROUP, VPC], NOW - HOUR)]
    assert result.actors == {GROUP: SOMEBODY}
    first = ran(record, OPEN)[1]
    known = deduplicate(find_alerts(first), {}, NOW, DAY, first).known
    asked, _, _ = ran(replace(record, notified=known), OPEN)
    assert asked.looked_up == [([VPC], NOW - HOUR)]  # of the other one people have heard
    asked, _, _ = ran(replace(record, notified=known), OPEN, request=Request(write=False))
    assert asked.looked_up == [([OTHER, VPC], NOW - HOUR)]


def test_cloudtrail_is_asked_of_all_that_a_digest_tells_and_whatever_is_over() -> None:
    over = Notified(("d",), "t", NOW - HOUR, NOW - HOUR, open=True, severity="high")
    many = [extra(at=f"security_group/{number:02}") for number in range(14)]
    record = replace(RECORD, notified={fingerprint("small", Topic.DRIFT, GROUP, "ingress"): over})
    asked, _, _ = ran(record, *many)
    assert asked.looked_up == [([f"security_group/{number:02}" for number in range(14)], NOW - HOUR)]


def test_cloudtrail_is_asked_of_what_aws_took_and_nobody_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later run tells of it, and cannot ask any more."""
    first = ran(RECORD, OPEN)[1]
    known = deduplicate(find_alerts(first), {}, NOW, DAY, first).known
    monkeypatch.setattr(one_run.unproved, "sent", lambda result: {"n": OPEN} if result.report else {})
    asked, _, _ = ran(replace(RECORD, notified=known), OPEN)
    assert asked.looked_up == [([OTHER], NOW - HOUR)]


def test_who_set_a_hold_tag_is_asked_since_the_look_before_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "seen_holds", lambda report, before, now: {GROUP: now, **before})
    held = Finding(GROUP, Outcome.HELD, Cause(Reason.HOLD_TAG, "held by a tag"))
    tags = replace(report().gate, findings=(held,))
    asked, result, record = ran(RECORD, findings=(held,), gate=tags)
    assert asked.looked_up == [([], NOW - HOUR), ([GROUP], NOW - HOUR)]
    assert result.hold_tags == {GROUP: HoldTag(NOW, SOMEBODY)}
    assert record.holds == {GROUP: NOW}
    asked, result, record = ran(replace(RECORD, holds={GROUP: NOW - DAY}), findings=(held,), gate=tags)
    assert asked.looked_up[-1] == ([GROUP], NOW - DAY - LOOK_BACK)
    assert record.holds == {GROUP: NOW - DAY}
    asked, result, _ = ran(RECORD, findings=(held,), gate=tags, request=Request(write=False))
    assert (asked.looked_up, result.hold_tags) == ([([], NOW - HOUR)], {GROUP: HoldTag(NOW)})


def test_a_mistake_while_it_is_asked_what_will_be_told_costs_only_that(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(result: AttemptResult) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(one_run, "find_alerts", raising)
    asked, result, _ = ran(RECORD, CLOSED)
    assert asked.looked_up == [([], NOW - HOUR)]
    assert result.exposed == {GROUP: 3600.0}
    assert "no change is looked up in CloudTrail" in caplog.text


# What the run is told


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("frozen", [None, UP])
@pytest.mark.parametrize("only", [None, (GROUP,)])
def test_a_run_is_asked_as_the_request_says(write: bool, frozen: Cause | None, only: tuple[str, ...] | None) -> None:
    asked, _, _ = ran(request=Request(write=write, only=only, frozen=frozen, approve="f" * 16))
    assert asked.how["write"] is (write and frozen is None)
    assert asked.how["only"] == (frozenset({GROUP}) if only else None)
    assert (asked.how["expected"], asked.how["approved"]) == ("f" * 16, "f" * 16)
    assert asked.memory.frozen == frozen
    assert asked.how["world"].vpc_problem("vpc-9") == "vpc-9 is not of small"
    assert (asked.how["policy"], asked.how["document"]) == (Policy(), DOCUMENT)


def test_a_run_is_told_what_earlier_ones_knew() -> None:
    flaps = {flapping.name(CLOSED.difference): FlappingRecord((NOW,), 1, NOW + HOUR)}
    vpc = replace(
        LATE, members=(UntoldMember("is missing", untold.name(Difference(DOCUMENT.vpc, "", None, 1, ABSENT))),)
    )
    held = extra(field="description", key=None, outcome=Outcome.HELD)
    seen = openings.after(completed(held).report, RECORD, {})  # type: ignore[arg-type]
    record = replace(RECORD, flapping=flaps, holds={GROUP: NOW - HOUR}, untold=(vpc,), open_since=seen)
    memory = ran(record)[0].memory
    assert (memory.vpc_id, memory.vpc_was, memory.vpc_asked) == ("vpc-0", "vpc-0", LATE.at)
    assert (memory.ids, memory.had, memory.held_since) == ({GROUP: IDS[GROUP]}, {IDS[GROUP]}, {GROUP: NOW - HOUR})
    assert memory.flapping(CLOSED.difference).reason is Reason.FLAPPING
    assert memory.flapping(OPEN.difference) is None
    assert (memory.left(IDS[GROUP], "description"), memory.left(IDS[GROUP], "ingress")) == (True, False)


def test_before_the_first_write_is_noted_what_it_corrects_and_what_is_untold_still() -> None:
    declared = worlds.document()
    look = worlds.drifted(
        worlds.seen(declared), worlds.WEB, ingress=type(worlds.seen(declared).resources[worlds.WEB].spec.ingress)()
    )
    plan = worlds.plan(declared, look)
    first, decided = Observation(look, plan, ()), gate(plan, declared, look, Policy(), NOW)
    kim = replace(SOMEBODY, call="RevokeSecurityGroupIngress", names=frozenset({worlds.aws_id(worlds.WEB)}))
    for rollout, topics in ((None, [Topic.DRIFT]), (Rollout((Accepted(1, "a" * 64, ""),)), [Topic.ROLLOUT])):
        asked, _, _ = ran(replace(RECORD, untold=(LATE,), rollout=rollout), declared=declared, actors=(kim,))
        asked.memory.intend(first, decided)
        ((*planned, late),) = asked.notes
        assert (late, [one.topic for one in planned], {one.at for one in planned}) == (LATE, topics, {NOW})
        assert [one.who and one.who.who for one in planned] == [None if rollout else kim.who]
    asked.memory.forget(frozenset({worlds.WEB}))
    assert asked.forgotten == [frozenset({worlds.WEB})]


# What it leaves


def test_what_is_known_after_a_run_is_remembered() -> None:
    seen = {GROUP: "sg-1"}
    _, _, record = ran(
        replace(RECORD, vpc_id="", account="", region=""),
        CLOSED,
        vpc_id="vpc-1",
        resource_ids=seen,
        associations_after={"a": "b"},
    )
    assert (record.account, record.region, record.vpc_id) == ("123456789012", "ap-northeast-2", "vpc-1")
    assert (record.ids, record.associations) == (seen, {"a": "b"})
    assert ran(RECORD, vpc_id="")[2].vpc_id == "vpc-0"
    old = Unmanaged(Address("security_group/old"), "sg-9", owned=True)
    ids = {**RECORD.ids, old.address: "sg-9", Address("security_group/gone"): "sg-8"}
    kept = ran(replace(RECORD, ids=ids), unmanaged=(old,), resource_ids=seen)[2].ids
    assert kept == {**seen, old.address: "sg-9"}
    revoked = ActionResult(REVOKE.on(GROUP, "revoke", "ingress"), Ended.DONE)
    assert ran(RECORD, CLOSED, action_results=(revoked,))[2].flapping.keys() == {flapping.name(CLOSED.difference)}


def test_what_aws_accepted_and_did_not_carry_out_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run.not_carried_out, "held", lambda known, one, now: (known, one, now))
    monkeypatch.setattr(one_run.not_carried_out, "after", lambda known, report, now: {"x": (known, report, now)})
    known: Any = {"before": "this"}
    asked, result, record = ran(replace(RECORD, accepted_changes=known), CLOSED)
    assert asked.memory.not_carried_out(CLOSED.difference) == (known, CLOSED.difference, NOW)
    assert record.accepted_changes == cast("Any", {"x": (known, result.report, NOW)})
    assert (result.ending, result.report is not None) == (Ending.COMPLETED, True)


@pytest.mark.parametrize(
    ("outcome", "write", "left", "again"),
    [
        (Outcome.WAITING, True, 300.0, 60),
        (Outcome.WAITING, False, 300.0, 0),
        (Outcome.CORRECTED, True, 300.0, 0),
    ],
)
def test_what_waits_is_tried_again_and_a_plan_never(outcome: Outcome, *, write: bool, left: float, again: int) -> None:
    _, result, _ = ran(RECORD, extra(outcome=outcome), request=Request(write=write), left=left)
    assert result.retry_after == again


def test_a_run_out_of_time_is_followed_by_one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def out(asked: Asked, declared: Document, world: Any, policy: Policy, **how: Any) -> Report:
        assert world.may_start().reason is Reason.OUT_OF_TIME
        return asked.report

    monkeypatch.setattr(Asked, "run", out)
    assert ran(RECORD, extra(outcome=Outcome.WAITING), left=59.9)[1].retry_after == 1


@pytest.mark.parametrize(
    ("left", "lost", "reason"),
    [
        (60.0, "", None),
        (59.9, "", Reason.OUT_OF_TIME),
        (60.0, "taken", Reason.LEASE_LOST),
        (1.0, "taken", Reason.OUT_OF_TIME),
    ],
)
def test_another_call_needs_time_and_the_lease(left: float, lost: str, reason: Reason | None) -> None:
    given: Any = SimpleNamespace(seconds_left=lambda: left, reserve=60.0)
    lease: Any = SimpleNamespace(confirm=lambda: lost)
    permit = _Permit(lease, given)
    cause = permit()
    assert (cause and cause.reason, permit.out_of_time) == (reason, reason is Reason.OUT_OF_TIME)


def test_since_when_an_intent_is_broken_is_when_people_heard_of_it_while_it_is() -> None:
    intents = [Address(f"intent/{name}") for name in ("known", "over", "new")]
    broken = tuple(Finding(at, Outcome.FAILED, Cause(Reason.INTENT_BROKEN, "it is broken")) for at in intents)
    other = Finding(GROUP, Outcome.FAILED, Cause(Reason.FAULT, "odd"))
    notified = {
        fingerprint("small", Topic.INTENT, at): Notified(("d",), "t", NOW - HOUR, NOW, open=open_, severity="high")
        for at, open_ in ((intents[0], True), (intents[1], False))
    }
    _, result, _ = ran(replace(RECORD, notified=notified), findings=(*broken, other))
    assert result.since == dict(zip(intents, (NOW - HOUR, NOW, NOW), strict=True))
