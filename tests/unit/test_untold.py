"""What a run stores of what it is about to correct, and what the next one tells of it. The doors' tests let it die."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desired_state.document import Document, DocumentException
from desired_state.fields import Address, RuleKey
from desired_state.members import Tags
from desired_state.rules import Ingress
from reconciler.attempt import untold
from reconciler.attempt.named import name
from reconciler.attempt.untold import LONGEST_WAIT, planned, recovered, to_attribute, unsent
from reconciler.cloudtrail.details import rule_text
from reconciler.engine.gate import gate
from reconciler.engine.outcomes import judge
from reconciler.engine.result import Observation, RunCost, RunTrace
from reconciler.ledger.record import DocumentRecord, RecordedActor, Untold, UntoldMember
from reconciler.model import (
    ABSENT,
    DOCUMENT_TAG,
    NAME_TAG,
    Cause,
    Difference,
    Finding,
    Outcome,
    Policy,
    Reason,
    Ref,
    Snapshot,
    Unmanaged,
)
from reconciler.model.trigger import Actor
from reconciler.notify.alert import Topic, fingerprint
from reconciler.notify.alert_rules import find_alerts
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import HTTPS, IDS, completed, ended, extra, lacking
from tests.support.reports import GROUP, drift
from tests.support.worlds import APP, MORNING, VPC, WEB, aws_id, beside, document, drifted, missing, plan, seen

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
DOCUMENT = document()
LOOK = seen(DOCUMENT)
DEFAULT = Policy()
TAGS: Any = LOOK.resources[VPC].spec.tags
RULES: Any = getattr(DOCUMENT.resources[WEB], "ingress", None)
KIM = Actor("arn:aws:iam::123456789012:user/kim", "AuthorizeSecurityGroupIngress", MORNING, "198.51.100.7", "aws-cli")


def opened(look: Snapshot = LOOK) -> Snapshot:
    """SSH is open to the world, and a rule of another group is gone."""
    look = drifted(look, WEB, ingress=Ingress({**RULES, SSH: "temporary"}))
    return drifted(look, APP, ingress=Ingress())


def noted(
    look: Snapshot, policy: Policy = DEFAULT, skips: Any = None, declared: Document = DOCUMENT, **how: Any
) -> tuple[Untold, ...]:
    """What is stored before the first write; `skips` says which actions are held or deferred, by their addresses."""
    found = plan(declared, look, policy)
    decided = gate(found, declared, look, policy, MORNING)
    causes: dict[str, Any] = {
        name: {i: Cause(Reason.HOLD_TAG, "held") for i, one in enumerate(found.actions) if one.address in addresses}
        for name, addresses in (skips or {}).items()
    }
    return planned(declared, Observation(look, found, ()), replace(decided, **causes), MORNING, **how)


def seen_by_the_next(
    look: Snapshot = LOOK, declared: Any = DOCUMENT, policy: Policy = DEFAULT, **changes: Any
) -> AttemptResult:
    """The next run, which finds this."""
    found = plan(declared, look, policy)
    decided = gate(found, declared, look, policy, MORNING)
    before = Observation(look, found, ())
    trace = RunTrace(before, decided, (), before, wrote=False)
    made = judge(declared, policy, trace, RunCost(MORNING, 1.0, 9, 0))
    return replace(completed(), document=declared.name, report=replace(made, **changes))


def whats(some: Any) -> list[str]:
    return sorted(member.what for one in some for member in one.members)


# What is stored


def test_what_is_about_to_be_corrected_is_stored_the_gravest_first() -> None:
    some = noted(opened())
    assert [(one.topic, one.address, one.field) for one in some] == [
        ("drift", WEB, "ingress"),
        ("drift", APP, "ingress"),
    ]
    assert {one.sha256 for one in some} == {DOCUMENT.sha256}
    assert {one.at for one in some} == {MORNING}
    assert [one.severity for one in some] == ["critical", "high"]
    ((member,), _) = (one.members for one in some)
    assert (member.want, member.have is not None, bool(member.name)) == (None, True, True)
    assert not member.what.startswith(":")
    first = noted(drifted(opened(), VPC, tags=Tags({**TAGS, NAME_TAG: "other"})))[0]
    assert (first.address, first.title, first.aws_id) == (WEB, f"{WEB} ingress", aws_id(WEB))
    known = {one.fingerprint for one in find_alerts(seen_by_the_next(opened()))}
    assert {one.fingerprint for one in some} == known
    assert all(one.sentence for one in some)


def test_of_what_is_missing_it_is_stored_that_it_is_and_no_field_of_it() -> None:
    look = missing(LOOK, APP)
    (one,) = [each for each in noted(look) if each.address == APP]
    found = [each for change in plan(DOCUMENT, look).changes for each in untold.differences([change])]
    assert (one.title, one.field, [each.name for each in one.members]) == (
        APP,
        "",
        [name(each) for each in found if each.address == APP],
    )


@pytest.mark.parametrize("name", ["held", "deferred"])
def test_what_is_not_done_now_is_not_about_to_be_corrected(name: str) -> None:
    assert [one.address for one in noted(opened(), skips={name: {WEB}})] == [APP]
    assert noted(opened(), skips={name: {WEB, APP}}) == ()


def test_a_field_is_one_alert_with_the_words_of_what_is_worst_in_it() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({SSH: ""}))  # and all that is declared is gone
    (one,) = noted(look)
    (alone,) = noted(drifted(LOOK, WEB, ingress=Ingress({**RULES, SSH: ""})))
    assert (one.severity, one.sentence, len(one.members)) == ("critical", alone.sentence, 1 + len(RULES))


OLD = Unmanaged(Address("security_group/old"), "sg-0000000000000001", owned=True)


def test_what_is_taken_away_is_stored_too_and_told_when_it_is_gone() -> None:
    (one,) = noted(beside(LOOK, OLD), Policy(prune=True))
    assert (one.topic, one.severity, one.title) == (Topic.DRIFT, "medium", "security_group/old")
    assert one.sentence == "security_group/old was removed: the document does not declare it."
    assert one.fingerprint == fingerprint(DOCUMENT.name, Topic.DRIFT, OLD.address)
    late, left = recovered([one], seen_by_the_next(), LATER)
    assert ([each.sure for each in late], left) == ([True], [])
    still = seen_by_the_next(beside(LOOK, OLD), policy=Policy(prune=True))
    assert recovered([one], still, LATER) == ((), [])
    assert {each.address for each in noted(beside(opened(), OLD), Policy(prune=True))} == {WEB, APP, OLD.address}


def test_a_value_too_long_for_an_item_is_not_stored() -> None:
    groups = [f"security_group/{'very-long-name-' * 4}{number:02}" for number in range(60)]
    short, long = (untold._json(groups[:length]) for length in (20, 40))
    assert json.loads(short or "") == groups[:20]
    assert json.loads(long or "") == "(too long to be stored)"
    fits = ["ü" * 450, "ü" * 450, "x " * 94]
    assert len((untold._json(fits) or "").encode()) == 2000
    assert json.loads(untold._json([*fits[:2], "x " * 94 + "x"]) or "") == "(too long to be stored)"
    assert len(json.loads(untold._json([1] * 90) or "")) == 50 + 1  # and how many more there are
    assert untold._json(None) is None


def test_who_did_it_is_stored_where_an_event_says_so() -> None:
    some = noted(opened(), actors=[replace(KIM, names=frozenset({aws_id(WEB)}))])
    assert [one.who and one.who.who for one in some] == [KIM.who, None]
    assert some[0].who == RecordedActor(KIM.who, KIM.call, KIM.at, KIM.source_ip, KIM.user_agent)
    assert [one.who for one in noted(opened(), actors=[replace(KIM, names=frozenset({"sg-0"}))])] == [None, None]


def test_who_took_a_rule_of_another_group_away_is_known_by_the_ids_of_both() -> None:
    (rule,) = [one for one in LOOK.resources[APP].spec.ingress if one.peer == WEB]
    details = frozenset({f"rule={rule_text(rule._replace(peer=aws_id(WEB)))}"})
    took = replace(KIM, call="RevokeSecurityGroupIngress", names=frozenset({aws_id(APP)}), details=details)
    look = replace(opened(), handles={**LOOK.handles, Ref(WEB, "its rule"): "sgr-0123456789abcdef0"})
    for actor, who in ((took, KIM.who), (replace(took, details=frozenset({"rule=tcp:1:1:sg-0"})), None)):
        (one,) = [one for one in noted(look, actors=[actor]) if one.address == APP]
        assert (one.who and one.who.who) == who


def test_what_a_version_rolls_out_and_adopts_is_no_drift() -> None:
    some = noted(opened(), rolls_out=lambda one: one.address == APP)
    assert [(one.topic, one.severity, one.address) for one in some] == [
        (Topic.DRIFT, some[0].severity, WEB),
        (Topic.ROLLOUT, "low", ""),
    ]
    assert some[1].title == f"revision {DOCUMENT.revision}"
    assert all(what.startswith(f"{APP}: ") for what in whats(some[1:]))
    bare = drifted(LOOK, VPC, tags=Tags())
    (one,) = [each for each in noted(bare) if each.topic == Topic.ADOPTED]
    assert (one.severity, one.title, len(one.members)) == ("low", "adopted resources", 1)
    assert one.sentence.startswith("They carry this document's tags now")
    assert one.fingerprint == fingerprint(DOCUMENT.name, Topic.ADOPTED)
    assert [each.name for each in one.members] == [name(Difference(VPC, "tags", DOCUMENT_TAG, "", ABSENT))]
    declared = replace(
        DOCUMENT, resources={**DOCUMENT.resources, VPC: DOCUMENT.resources[VPC].but(tags=Tags(team="shop"))}
    )
    topics = [each.topic for each in noted(bare, declared=declared)]
    assert topics == [Topic.DRIFT, Topic.ADOPTED]  # a tag that the document declares is no tag of ours
    without_name = drifted(LOOK, VPC, tags=Tags({DOCUMENT_TAG: DOCUMENT.name}))
    assert [(one.topic, one.field) for one in noted(without_name)] == [(Topic.DRIFT, "tags")]
    both = drifted(opened(), WEB, tags=Tags())
    assert sorted((one.topic, one.address) for one in noted(both)) == [
        (Topic.ADOPTED, ""),
        (Topic.DRIFT, WEB),
        (Topic.DRIFT, APP),
    ]
    assert not [what for what in whats(noted(bare)) if DOCUMENT_TAG in what or NAME_TAG in what]


# What the next run tells


NOTED = noted(opened())
LATER = MORNING + timedelta(minutes=5)


def test_what_is_as_declared_now_was_corrected_and_what_differs_still_was_not() -> None:
    late, left = recovered(NOTED, seen_by_the_next(), LATER)
    assert ([one.sure for one in late], whats(one.untold for one in late), left) == ([True, True], whats(NOTED), [])
    half = drifted(LOOK, APP, ingress=Ingress())
    late, left = recovered(NOTED, seen_by_the_next(half), LATER)
    assert ([one.untold.address for one in late], left) == ([WEB], [])
    assert recovered(NOTED, seen_by_the_next(opened()), LATER) == ((), [])


def test_what_is_missing_altogether_was_not_corrected() -> None:
    late, left = recovered(NOTED, seen_by_the_next(missing(LOOK, APP)), LATER)
    assert ([one.untold.address for one in late], left) == ([WEB], [])


def test_what_an_exception_tolerates_now_was_not_corrected() -> None:
    found = plan(DOCUMENT, opened())
    some = [one for change in found.changes for one in change.differences if one.address == WEB]
    exception = DocumentException(WEB, "ingress", SSH, LATER + timedelta(days=1), "a test")
    late, left = recovered(NOTED, seen_by_the_next(excepted=tuple((one, exception) for one in some)), LATER)
    assert ([one.untold.address for one in late], left) == ([APP], [])


def test_another_text_of_the_document_cannot_be_sure() -> None:
    late, _ = recovered(NOTED, seen_by_the_next(declared=replace(DOCUMENT, sha256="0" * 64)), LATER)
    assert [one.sure for one in late] == [False, False]


@pytest.mark.parametrize("blind", ["no look", "unseen", "unverified", "failed", "only"])
def test_what_nobody_could_look_at_waits_for_an_hour_and_is_told_without_saying_so_then(blind: str) -> None:
    result = seen_by_the_next()
    assert result.report
    report = result.report
    match blind:
        case "no look":
            result = ended(Ending.UNOBSERVABLE)
        case "unseen":
            result = replace(result, report=replace(report, gate=replace(report.gate, unseen=frozenset({WEB, APP}))))
        case "unverified":
            cause = Cause(Reason.UNVERIFIED, "not seen")
            drifts = tuple(extra(HTTPS, Outcome.FAILED, cause, at=at) for at in (WEB, APP))
            result = replace(result, report=replace(report, drifts=drifts))
        case "failed":
            findings = tuple(Finding(at, Outcome.FAILED, Cause(Reason.FAULT, "odd")) for at in (WEB, APP))
            result = replace(result, report=replace(report, findings=findings))
        case _:
            other = replace(report.plan, only=frozenset({VPC}))
            result = replace(result, report=replace(report, plan=other))
    assert recovered(NOTED, result, MORNING + LONGEST_WAIT - timedelta(seconds=1)) == ((), list(NOTED))
    late, left = recovered(NOTED, result, MORNING + LONGEST_WAIT)
    assert ([one.sure for one in late], left) == ([False, False], [])


@pytest.mark.parametrize("odd", ["another cause", "of a field", "not failed"])
def test_what_a_run_has_looked_at_is_certain_whatever_else_it_found_there(odd: str) -> None:
    result = seen_by_the_next()
    assert result.report
    held, fault = Cause(Reason.HOLD_TAG, "held"), Cause(Reason.FAULT, "odd")
    found: dict[str, dict[str, Any]] = {
        "another cause": {"drifts": (extra(HTTPS, Outcome.HELD, held, "egress", WEB), extra(HTTPS, at=WEB))},
        "of a field": {"findings": (Finding(WEB, Outcome.FAILED, fault, "tags"),)},
        "not failed": {"findings": (Finding(WEB, Outcome.BLOCKED, fault),)},
    }
    report = replace(result.report, **found[odd])
    late, left = recovered(NOTED[:1], replace(result, report=report), LATER)
    assert ([one.sure for one in late], left) == ([True], [])


def test_what_is_about_no_single_resource_is_certain_after_a_look_at_everything_only() -> None:
    whole, result = replace(NOTED[0], address=""), seen_by_the_next()
    assert result.report
    assert [one.sure for one in recovered([whole], result, LATER)[0]] == [True]
    gate, some = replace(result.report.gate, unseen=frozenset({APP})), frozenset({WEB})
    for part in (
        replace(result.report, gate=gate),
        replace(result.report, plan=replace(result.report.plan, only=some)),
    ):
        assert recovered([whole], replace(result, report=part), LATER) == ((), [whole])
        late, _ = recovered(NOTED[:1], replace(result, report=part), LATER)
        assert [one.sure for one in late] == [True]  # at this one it has looked


MISSING = Difference(VPC, "", None, DOCUMENT.resources[VPC], ABSENT)
SUBNET = Address("subnet/PublicSubnet1")


@pytest.mark.parametrize(
    ("at", "field", "reason", "waits"),
    [
        (VPC, "", Reason.NOT_VISIBLE_YET, True),
        (VPC, "", Reason.ANSWER_LOST, True),
        (VPC, "", Reason.HOLD_TAG, False),
        (VPC, "", None, False),
        (VPC, "tags", Reason.NOT_VISIBLE_YET, False),
        (SUBNET, "", Reason.NOT_VISIBLE_YET, False),
    ],
)
def test_a_vpc_that_may_have_been_made_waits_until_a_look_shows_it(
    at: Address, field: str, reason: Reason | None, *, waits: bool
) -> None:
    cause = Cause(reason, "why") if reason else None
    one = Difference(at, field, None, DOCUMENT.resources[at], ABSENT)
    drift = replace(extra(outcome=Outcome.WAITING, cause=cause), difference=one)
    waiting = Untold("f", Topic.DRIFT, "high", at, "", MORNING, (UntoldMember("is missing", name(one)),))
    result = seen_by_the_next(drifts=(drift, extra(at=WEB)))
    for later in (LATER, MORNING + 2 * LONGEST_WAIT):
        assert recovered([waiting], result, later) == ((), [waiting] if waits else [])


def test_when_an_earlier_run_was_about_to_make_the_vpc() -> None:
    vpc, other = UntoldMember("is missing", name(MISSING)), UntoldMember("x", "0" * 16)
    some = [
        replace(NOTED[0], at=MORNING + timedelta(hours=hours), members=members)
        for hours, members in ((0, (other,)), (2, (vpc, other)), (1, (other, vpc)))
    ]
    asked = untold.vpc_asked(DocumentRecord(untold=tuple(some)), DOCUMENT)
    assert asked == MORNING + timedelta(hours=1)
    assert untold.vpc_asked(DocumentRecord(untold=tuple(some[:1])), DOCUMENT) is None


def test_a_deleted_document_waits_for_nothing() -> None:
    late, left = recovered(NOTED, ended(Ending.DELETED), LATER)
    assert ([one.sure for one in late], left) == ([False, False], [])


def test_what_was_certain_when_it_was_stored_is_told_whatever_is_there_now() -> None:
    sure = replace(NOTED[0], members=(UntoldMember("was closed"),))
    half = replace(NOTED[0], members=(*NOTED[0].members, *sure.members))
    late, left = recovered([half], ended(Ending.UNOBSERVABLE), LATER)
    assert ([one.untold for one in late], left) == ([sure], [NOTED[0]])
    for result in (seen_by_the_next(opened()), ended(Ending.UNOBSERVABLE), seen_by_the_next()):
        late, left = recovered([sure], result, LATER)
        assert ([(one.sure, one.untold.members) for one in late], left) == ([(True, sure.members)], [])


def test_of_one_alert_each_member_has_its_own_end() -> None:
    both = replace(NOTED[0], members=(*NOTED[0].members, *NOTED[1].members, UntoldMember("sure")))
    result = seen_by_the_next(opened(), drifts=())
    assert result.report
    found = plan(DOCUMENT, drifted(LOOK, APP, ingress=Ingress()))
    (difference,) = [one for change in found.changes for one in change.differences]
    result = replace(result, report=replace(result.report, drifts=(replace(extra(), difference=difference),)))
    late, left = recovered([both], result, LATER)
    assert (whats(one.untold for one in late), left) == (sorted([*whats([NOTED[0]]), "sure"]), [])


def test_cloudtrail_is_asked_of_what_nobody_is_known_for() -> None:
    late, _ = recovered(NOTED, seen_by_the_next(), LATER)
    assert [(one.address, [each.field for each in one.differing]) for one in to_attribute(late, DOCUMENT)] == [
        (WEB, ["ingress"]),
        (APP, ["ingress"]),
    ]
    known = RecordedActor("kim", "AuthorizeSecurityGroupIngress", MORNING)
    named = tuple(one._replace(untold=replace(one.untold, who=known)) for one in late)
    assert to_attribute(named, DOCUMENT) == ()
    sent = tuple(one._replace(untold=replace(one.untold, members=(UntoldMember("x"),))) for one in late)
    assert to_attribute(sent, DOCUMENT) == ()
    gone = replace(DOCUMENT, resources={VPC: DOCUMENT.resources[VPC]})
    assert to_attribute(late, gone) == ()
    of_all = late[0]._replace(untold=replace(late[0].untold, address=""))
    assert to_attribute([of_all], DOCUMENT) == ()
    half = late[0]._replace(untold=replace(late[0].untold, members=(*NOTED[0].members, UntoldMember("x"))))
    for fields, asked in ((["tags", "", "ingress"], ["ingress", "tags"]), ([""], [""])):
        some = [half._replace(untold=replace(half.untold, field=field)) for field in fields]
        (one,) = to_attribute(some, DOCUMENT)
        assert [each.field for each in one.differing] == asked


# What could not be sent


def lost(result: AttemptResult) -> list[Untold]:
    alerts = find_alerts(result)
    return unsent(alerts, {one.fingerprint for one in alerts}, (), MORNING)


def test_corrections_that_could_not_be_sent_are_stored_and_nothing_else() -> None:
    (one,) = lost(completed(extra(), lacking(outcome=Outcome.HELD, cause=Cause(Reason.HOLD_TAG, "held"))))
    assert [member.name for member in one.members] == [""]
    assert (one.at, one.title.endswith("corrected"), len(one.members)) == (MORNING, False, 1)
    (named,) = lost(completed(extra(), actors={GROUP: KIM}))
    assert (named.address, named.aws_id, named.who and named.who.who) == (GROUP, IDS[GROUP], KIM.who)
    assert lost(completed(lacking(outcome=Outcome.HELD, cause=Cause(Reason.HOLD_TAG, "held")))) == []
    alerts = find_alerts(completed(extra()))
    assert unsent(alerts, (), (), MORNING) == []


def test_of_a_rollout_what_was_changed_is_stored() -> None:
    held = lacking(outcome=Outcome.HELD, cause=Cause(Reason.HOLD_TAG, "held"))
    (one,) = [each for each in lost(completed(extra(), held, rollout=True)) if each.topic == Topic.ROLLOUT]
    assert len(one.members) == 1


def test_of_an_adoption_what_was_adopted_is_stored_and_what_was_refused_is_not() -> None:
    refused = Cause(Reason.REFUSED, "CreateTags: UnauthorizedOperation", "UnauthorizedOperation")
    tags = [
        drift("tags", DOCUMENT_TAG, "small", ABSENT, outcome, cause, at)
        for outcome, cause, at in ((Outcome.CORRECTED, None, GROUP), (Outcome.FAILED, refused, VPC))
    ]
    whole, half = (lost(completed(*some, rollout=True)) for some in (tags[:1], tags))
    for some, title in ((whole, "adopted 1 resource of vpc-0a1b2c3d4e5f60718"), (half, "adopted resources")):
        assert [(one.topic, one.title) for one in some] == [(Topic.ADOPTED, title)]
        assert [one.what.split()[0] for one in some[0].members] == [GROUP]
    assert "others" not in half[0].sentence
    assert lost(completed(tags[1], rollout=True)) == []


def test_how_long_it_stood_open_is_stored_as_an_upper_bound() -> None:
    result = completed(extra())
    address = extra().address
    for seconds, stored in ((0.0, 0), (0.2, 1), (59.0, 59), (59.5, 60)):
        (one,) = lost(replace(result, exposed={address: seconds}))
        assert one.open_for == stored


def test_what_was_late_already_and_could_not_be_sent_stays() -> None:
    late, _ = recovered(NOTED, seen_by_the_next(), LATER)
    kept = unsent((), {NOTED[0].fingerprint}, late, LATER)
    assert [(one.address, one.members) for one in kept] == [(WEB, NOTED[0].members)]
    result = replace(completed(), late=late)
    alerts = find_alerts(result)
    assert unsent(alerts, {one.fingerprint for one in alerts}, late, LATER) == [one.untold for one in late]


def test_secrets_are_not_stored() -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    look = drifted(LOOK, WEB, ingress=Ingress({**RULES, SSH: f"key {secret}"}))
    assert secret not in repr([(one.title, one.sentence, [each.what for each in one.members]) for one in noted(look)])

    said = untold._safe(Untold("", "", "", secret, f"{secret}\ud800", MORNING, (UntoldMember(f"{secret}\udfff"),)))
    assert secret not in repr(said)
    assert said.sentence.encode()  # which half of a surrogate pair refuses
    assert said.members[0].what.encode()


def test_a_difference_is_known_by_its_place_and_not_by_its_values() -> None:
    one = Difference(WEB, "ingress", SSH, "a", "b")
    assert name(one) == name(replace(one, want="c", have="d"))
    others = [replace(one, address=APP), replace(one, field="egress"), replace(one, key=SSH._replace(first=21))]
    assert len({name(one), *map(name, others)}) == 4
