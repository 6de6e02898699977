"""A report as text: signs, members, outcomes, reasons, the closing sentence; and nobody's words can forge any of it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.database import DbSubnetGroup
from desired_state.document import DocumentException
from desired_state.fields import ANY, AclEntry, Address, RuleKey
from desired_state.members import Tags
from reconciler.engine.gate import Gate
from reconciler.engine.result import Drift, PendingChange, Report
from reconciler.model import (
    ABSENT,
    ActionResult,
    Cause,
    Difference,
    Ended,
    Evidence,
    Finding,
    Found,
    Operation,
    Outcome,
    Phase,
    Reason,
    Risk,
    Unmanaged,
)
from reconciler.report.summary import counts
from reconciler.report.text import difference, sentence, text, value
from tests.support.attempts import REPORT_ONLY
from tests.support.reports import GROUP, NOW, VPC, action, document, drift, planned, report, whole_plan_held

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
WEB = RuleKey("tcp", 443, 443, "0.0.0.0/0")
ACL = "network_acl/Public"
X = Cause(Reason.REFUSED, "x")
UNTAGGABLE = Finding(VPC, Outcome.BLOCKED, X)
HTTPS = AclEntry("allow", "tcp", 443, 443, "0.0.0.0/0")


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (drift("ingress", SSH, ABSENT, None), "ingress: tcp 22 from 0.0.0.0/0"),
        (drift("ingress", SSH, ABSENT, ""), "ingress: tcp 22 from 0.0.0.0/0"),
        (drift("ingress", SSH, ABSENT, "for a day"), 'ingress: tcp 22 from 0.0.0.0/0 "for a day"'),
        (drift("egress", SSH, "out", ABSENT), 'egress: tcp 22 to 0.0.0.0/0 "out"'),
        (drift("ingress", SSH, "new", "old"), 'ingress: tcp 22 from 0.0.0.0/0 "old" -> "new"'),
        (drift("ingress", SSH, "new", None), 'ingress: tcp 22 from 0.0.0.0/0 no description -> "new"'),
        (
            drift("ingress", RuleKey("icmp", 3, 4, "security_group/Web"), None, ABSENT),
            "ingress: icmp type 3 code 4 from security_group/Web",
        ),
        (drift("ingress", RuleKey("all", ANY, ANY, "pl-12345678"), None, ABSENT), "ingress: all from pl-12345678"),
        (drift("ingress", 100, HTTPS, ABSENT, at=ACL), "ingress: 100 allow tcp 443 from 0.0.0.0/0"),
        (drift("egress", 100, ABSENT, HTTPS, at=ACL), "egress: 100 allow tcp 443 to 0.0.0.0/0"),
        (
            drift("ingress", 100, HTTPS, HTTPS._replace(action="deny"), at=ACL),
            "ingress: 100 deny tcp 443 from 0.0.0.0/0 -> allow tcp 443 from 0.0.0.0/0",
        ),
        (
            drift("routes", "0.0.0.0/0", "internet_gateway/Main", "nat-12345678", at="route_table/Public"),
            "routes: 0.0.0.0/0 via nat-12345678 -> internet_gateway/Main",
        ),
        (drift("routes", "10.9.0.0/16", ABSENT, "pcx-1", at="route_table/P"), "routes: 10.9.0.0/16 via pcx-1"),
        (drift("subnets", Address("subnet/A"), Address("subnet/A"), ABSENT, at=ACL), "subnets: subnet/A"),
        (drift("tags", "Name", "Main", "an old name", at=VPC), 'tags: Name = "an old name" -> Main'),
        (drift("tags", "Name", "Main", ABSENT, at=VPC), "tags: Name = Main"),
        (drift("enable_dns_support", None, True, False, at=VPC), "enable_dns_support: false -> true"),
        (drift("engine_version", None, "16", "15.4", at="db_instance/db"), "engine_version: 15.4 -> 16"),
        (drift("allocated_storage", None, 20, 10, at="db_instance/db"), "allocated_storage: 10 -> 20"),
    ],
)
def test_a_drift_is_one_line_from_what_is_to_what_should_be(one: Drift, told: str) -> None:
    assert difference(one.difference) == told


def test_the_whole_text_of_a_plan() -> None:
    drifts = (
        drift("enable_dns_support", None, True, False, at=VPC),
        drift("ingress", WEB, None, ABSENT),
        drift("ingress", SSH, ABSENT, "x", Outcome.HELD, Cause(Reason.REPORT_ONLY, "the document only reports it")),
    )
    seen = report(*drifts, unmanaged=(Unmanaged(Address("security_group/wizard-1"), "sg-1"),))
    assert text(seen) == (
        "Account 123456789012, ap-northeast-2: document small, revision 7 (small.json)\n"
        "\n"
        "  ~ vpc/Main\n"
        "      ~ enable_dns_support: false -> true\n"
        "\n"
        "  ~ security_group/Web\n"
        "      + ingress: tcp 443 from 0.0.0.0/0\n"
        '    ! - ingress: tcp 22 from 0.0.0.0/0 "x"\n'
        "          held: the document only reports it\n"
        "\n"
        "Live but not declared:\n"
        "    security_group/wizard-1 (sg-1)\n"
        "\n"
        "Plan: 1 to add, 1 to change; 1 held. Nothing was changed."
    )


def test_a_new_resource_shows_what_it_will_hold_without_our_own_tags() -> None:
    group = document().resources[GROUP].but(tags=Tags({"setpoint:document": "small", "Name": "Web"}))
    lines = text(report(drift("", None, group, ABSENT))).splitlines()
    assert lines[2:5] == [
        "  + security_group/Web",
        "      + ingress: tcp 443 from 0.0.0.0/0",
        "      + tags: Name = Web",
    ]
    assert lines[-1] == "Plan: 1 to add. Nothing was changed."


def test_one_reason_of_several_drifts_stands_once_below_them() -> None:
    busy = (Outcome.WAITING, Cause(Reason.NOT_READY, "the database is modifying"))
    drifts = (
        drift("multi_az", None, True, False, *busy, at="db_instance/db"),
        drift("backup_retention_period", None, 7, 1, Outcome.CORRECTED, at="db_instance/db"),
        drift("deletion_protection", None, True, False, *busy, at="db_instance/db"),
    )
    told = text(report(*drifts, wrote=True, writes=1)).splitlines()
    assert told[2:7] == [
        "  ~ db_instance/db",
        "    ! ~ multi_az: false -> true",
        "      ~ backup_retention_period: 1 -> 7 (corrected)",
        "    ! ~ deletion_protection: false -> true",
        "          waiting: the database is modifying",
    ]
    assert told[-1] == "Corrected 1 of 3 differences with 1 write; 2 waiting."


def test_what_holds_the_whole_plan_is_told_once() -> None:
    why = "the plan removes or replaces 30 live members, and the limit of one run is 20"
    cause = Cause(Reason.PLAN_HELD, why)
    drifts = [drift("ingress", SSH._replace(first=n, last=n), ABSENT, None, Outcome.HELD, cause) for n in range(30)]
    told = text(report(*drifts, gate=whole_plan_held(cause)))
    assert told.count(why) == 1
    assert f"! The whole plan is held: {why}" in told.splitlines()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "In sync: 2 resources are as declared; 9 reads, no write."),
        ({"reads": 1}, "In sync: 2 resources are as declared; 1 read, no write."),
        ({"wrote": True}, "In sync: 2 resources are as declared; 9 reads, no write."),
        (
            {"drifts": (drift("ingress", SSH, ABSENT, None), drift("ingress", WEB, ABSENT, None))},
            "Plan: 2 to remove. Nothing was changed.",
        ),
        (
            {"drifts": (drift("ingress", SSH, ABSENT, None, Outcome.BLOCKED, X),)},
            "Plan: 1 blocked. Nothing was changed.",
        ),
        (
            {"drifts": (drift("ingress", SSH, ABSENT, None, Outcome.CORRECTED),), "wrote": True, "writes": 2},
            "Corrected 1 difference with 2 writes; the second look is in sync.",
        ),
        (
            {"drifts": (drift("ingress", SSH, ABSENT, None, Outcome.FAILED, X),), "wrote": True, "writes": 1},
            "Corrected 0 of 1 difference with 1 write; 1 failed.",
        ),
        (
            {"drifts": (drift("ingress", SSH, ABSENT, None, Outcome.HELD, X),), "wrote": True},
            "Nothing was changed: 1 held.",
        ),
        (
            {"findings": (Finding(VPC, Outcome.FAILED, Cause(Reason.UNREADABLE, "it could not be read")),)},
            "Plan: 1 failed. Nothing was changed.",
        ),
        (
            {"findings": (*2 * (Finding(VPC, Outcome.BLOCKED, Cause(Reason.INTENT_BROKEN, "x")),), UNTAGGABLE)},
            "Plan: 1 blocked, 2 intents broken. Nothing was changed.",
        ),
        (
            {
                "findings": (Finding(VPC, Outcome.FAILED, Cause(Reason.UNREADABLE, "it could not be read")),),
                "wrote": True,
            },
            "Nothing was changed: 1 failed.",
        ),
    ],
)
def test_the_last_line_is_one_true_sentence(changes: dict[str, Any], told: str) -> None:
    assert sentence(report(**changes)) == told
    assert text(report(**changes)).splitlines()[-1] == told


def test_something_ours_that_nobody_declares_any_more_is_a_removal_though_no_drift() -> None:
    seen = report(plan=planned(action(breaks=1)))
    assert not seen.in_sync
    assert "  - security_group/Old: it is ours and no longer declared" in text(seen).splitlines()
    assert sentence(seen) == "Plan: 1 to remove. Nothing was changed."
    done = replace(seen, wrote=True, writes=1, action_results=(ActionResult(action(breaks=1), Ended.DONE),))
    assert done.in_sync
    assert sentence(done) == "Corrected 1 difference with 1 write; the second look is in sync."
    failed = replace(
        done, action_results=(ActionResult(action(breaks=1), Ended.FAILED, Cause(Reason.BUSY, "DependencyViolation")),)
    )
    assert not failed.in_sync
    assert counts(failed)["failed"] == 1
    assert "          failed: DependencyViolation" in text(failed).splitlines()


def test_how_an_attempt_ended_last_is_what_counts() -> None:
    tries = (ActionResult(action(), Ended.WAITING, Cause(Reason.BUSY, "busy")), ActionResult(action(), Ended.DONE))
    assert report(plan=planned(action()), wrote=True, writes=2, action_results=tries).in_sync


def test_a_finding_without_a_drift_has_a_place_of_its_own() -> None:
    hold = Cause(Reason.HOLD_TAG, "a setpoint:hold tag holds it until 2026-03-02T00:00Z")
    seen = report(findings=(Finding(VPC, Outcome.HELD, hold, "tags"),))
    assert "    vpc/Main\n    !   tags: held: a setpoint:hold tag holds it until 2026-03-02T00:00Z" in text(seen)


def test_exceptions_are_told_with_their_end_and_their_reason() -> None:
    one = DocumentException(GROUP, "ingress", SSH, NOW + timedelta(days=1), "pen test")
    two = DocumentException(VPC, "tags", ("Name", "x y"), NOW, "renaming")
    seen = report(
        document=replace(document(), exceptions=(one, two)),
        excepted=((Difference(GROUP, "ingress", SSH, ABSENT, None), one),),
    )
    assert (
        "Active exceptions:\n"
        '    security_group/Web ingress: tcp 22 from 0.0.0.0/0, until 2026-03-02 12:00 UTC: "pen test"\n'
        "\n"
        "Expired exceptions:\n"
        '    vpc/Main tags: Name = "x y", until 2026-03-01 12:00 UTC: "renaming"\n'
    ) in text(seen)
    assert seen.in_sync


def test_an_unmanaged_resource_that_carries_our_tags_is_told_apart() -> None:
    seen = report(unmanaged=(Unmanaged(Address("subnet/Old"), "subnet-1", owned=True),))
    told = "    subnet/Old (subnet-1); it has this document's tags: declare it, or let --prune delete it"
    assert told in text(seen).splitlines()


def test_an_unmanaged_resource_that_is_to_go_is_told_once() -> None:
    seen = report(plan=planned(action()), unmanaged=(Unmanaged(Address("security_group/Old"), "sg-1", owned=True),))
    assert "Live but not declared" not in text(seen)
    assert [line for line in text(seen).splitlines() if "security_group/Old" in line] == [
        "  - security_group/Old (sg-1): it is ours and no longer declared",
        "  1  traffic  ec2:DeleteSecurityGroup  security_group/Old (sg-1): it is ours and no longer declared",
    ]


def test_a_plan_numbers_its_calls_in_their_order_with_risk_and_id_and_marks_what_is_held() -> None:
    describe = Operation("ec2", "UpdateSecurityGroupRuleDescriptionsIngress", Phase.BIND, Risk.COSMETIC)
    new = Operation("ec2", "CreateSubnet", Phase.CREATE, Risk.REVERSIBLE)
    actions = [
        new.on(Address("subnet/a"), "create it", ""),
        *(describe.on(GROUP, f"rule {number}", "ingress") for number in range(8)),
        action(),
    ]
    plan = planned(*actions)
    hostile = report(plan=plan, gate=Gate(held={9: REPORT_ONLY}, deferred={}, plan_held=None, findings=()), ids=ODD_IDS)
    assert calls_of(hostile)[:3] == [
        "The calls in their order, each with its risk:",
        "   1  reversible  ec2:CreateSubnet                                subnet/a: create it",
        "   2  cosmetic    ec2:UpdateSecurityGroupRuleDescriptionsIngress  security_group/Web (sg-1\\x1b): rule 0",
    ]
    assert calls_of(hostile)[-1] == (
        "! 10  traffic     ec2:DeleteSecurityGroup                         security_group/Old: it is ours and no "
        "longer declared"
    )
    assert [line.split()[-1] for line in calls_of(hostile)[2:-1]] == list("01234567")
    assert calls_of(replace(hostile, wrote=True)) == []


ODD_IDS = {GROUP: "sg-1\x1b", Address("security_group/Old"): "Old"}


def calls_of(seen: Report) -> list[str]:
    blocks = text(seen).split("\n\n")
    return next((block.splitlines() for block in blocks if block.startswith("The call")), [])


def test_a_pending_change_is_told_in_words() -> None:
    at = Address("db_instance/orders")
    waits = PendingChange(at, "db_instance_class", "db.t3.micro", "db.t3.large")
    theirs = drift("db_instance_class", None, "db.t3.micro", "db.t3.large", at=at)
    assert text(report(theirs, pending=(waits,))).splitlines()[2:-2] == [
        "  ~ db_instance/orders",
        "      ~ db_instance_class: db.t3.micro, pending db.t3.large -> db.t3.micro",
    ]
    ours = replace(theirs, outcome=Outcome.CORRECTED)
    assert text(report(ours, pending=(waits,))).splitlines()[2:-2] == [
        "  ~ db_instance/orders",
        "      ~ db_instance_class: db.t3.large -> db.t3.micro (corrected)",
        "",
        "Accepted by AWS, and not in force yet:",
        "    db_instance/orders db_instance_class: db.t3.micro, pending db.t3.large",
    ]


def test_the_count_of_breaks_is_told_before_anything_is_done() -> None:
    assert "The plan removes or replaces 2 live members." in text(report(plan=planned(action(breaks=2)))).splitlines()


def test_colours_are_those_of_the_signs_and_change_no_word() -> None:
    drifts = (
        drift("enable_dns_support", None, True, False, at=VPC),
        drift("ingress", WEB, None, ABSENT),
        drift("ingress", SSH, ABSENT, None, Outcome.HELD, X),
    )
    used = []

    def note(words: str, colour: str) -> str:
        used.append((words, colour))
        return words

    assert text(report(*drifts), note) == text(report(*drifts))
    assert {("+", "green"), ("~", "yellow"), ("-", "red"), ("!", "yellow"), ("held", "yellow")} <= set(used)


OURS = "setpoint:document"
TABLE = Address("route_table/private")
FOUND = {
    TABLE: Found(Evidence.SEATS, "its subnets use it"),
    GROUP: Found(Evidence.KEY, "its name"),
    VPC: Found(Evidence.SCOPE, "scope.vpc_id names it"),
}
IDS = {TABLE: "rtb-0123", GROUP: "sg-1", VPC: "vpc-1"}


def taken(
    *addresses: Address, former: Any = ABSENT, outcome: Outcome | None = None, cause: Cause | None = None
) -> list[Drift]:
    """The two tags of resources that are taken over."""
    return [
        drift("tags", key, value, former if key == OURS else ABSENT, outcome, cause, at)
        for at in addresses
        for key, value in ((OURS, "small"), ("setpoint:name", at.name))
    ]


def found(*drifts: Drift, **changes: Any) -> Report:
    return report(*drifts, ids=IDS, resource_ids=IDS, found_by=FOUND, **changes)


def test_a_plan_says_of_each_resource_that_it_takes_over_how_it_was_found_and_not_which_tags_it_lacks() -> None:
    tags = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)
    calls = planned(tags.on(TABLE, "set tags", "tags"), tags.on(GROUP, "set tags", "tags"))
    seen = found(*taken(TABLE, GROUP), plan=calls)
    assert text(seen) == (
        "Account 123456789012, ap-northeast-2: document small, revision 7 (small.json)\n"
        "\n"
        "  > route_table/private  takes over rtb-0123 (its subnets use it)\n"
        "  > security_group/Web  takes over sg-1 (its name)\n"
        "\n"
        "The calls in their order, each with its risk:\n"
        "  1  cosmetic  ec2:CreateTags  route_table/private (rtb-0123): set tags\n"
        "  2  cosmetic  ec2:CreateTags  security_group/Web (sg-1): set tags\n"
        "\n"
        "Plan: takes over 2 resources with 2 tag calls, and changes nothing else."
    )


def test_what_shows_no_tags_is_taken_over_with_the_rest_and_costs_no_call() -> None:
    subnets = Address("db_subnet_group/data")
    declared = replace(document(), resources={GROUP: document().resources[GROUP], subnets: DbSubnetGroup()})
    ids = {GROUP: "sg-1", subnets: "data"}
    tags = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)
    seen = replace(
        found(*taken(GROUP), plan=planned(tags.on(GROUP, "set tags", "tags")), tagless=(subnets,)),
        document=declared,
        ids=ids,
        resource_ids=ids,
        found_by=dict.fromkeys(ids, Found(Evidence.KEY, "its name")),
    )
    assert text(seen).splitlines()[2:] == [
        "  > security_group/Web  takes over sg-1 (its name)",
        "  > db_subnet_group/data  takes over data (its name)",
        "",
        "The call, with its risk:",
        "  1  cosmetic  ec2:CreateTags  security_group/Web (sg-1): set tags",
        "",
        "Plan: takes over 2 resources with 1 tag call, and changes nothing else.",
    ]
    with_vpc = replace(declared, resources={**declared.resources, VPC: document().resources[VPC]})
    owned = replace(seen, document=with_vpc, resource_ids={**ids, VPC: "vpc-1"})
    assert "db_subnet_group" not in text(owned)
    assert sentence(owned) == "Plan: takes over 1 resource with 1 tag call, and changes nothing else."


def test_what_is_taken_over_from_another_document_says_from_which() -> None:
    told = text(found(*taken(TABLE, former="net\x1b[2J")))
    assert (
        "  > route_table/private  takes over rtb-0123 (its subnets use it), from the document 'net\\x1b[2J'"
        in told.replace("\\\\", "\\").splitlines()
    )


def test_what_differs_beside_its_tags_stands_below_it_and_is_counted() -> None:
    rest = (drift("ingress", WEB, None, ABSENT), drift("tags", "team", "shop", ABSENT))
    lines = text(found(*taken(GROUP, TABLE), *rest)).splitlines()
    assert lines[2:] == [
        "  > security_group/Web  takes over sg-1 (its name)",
        "      + ingress: tcp 443 from 0.0.0.0/0",
        "      + tags: team = shop",
        "",
        "  > route_table/private  takes over rtb-0123 (its subnets use it)",
        "",
        "Plan: takes over 2 resources, 2 to add. Nothing was changed.",
    ]


def test_a_name_alone_that_differs_is_a_tag_like_any_other() -> None:
    """It is this document's already: the address was renamed, or somebody changed the tag."""
    lines = text(found(drift("tags", "setpoint:name", "private", "rt-2", at=TABLE))).splitlines()
    assert lines[2:4] == ["  ~ route_table/private (rtb-0123)", "      ~ tags: setpoint:name = rt-2 -> private"]
    assert lines[-1] == "Plan: 1 to change. Nothing was changed."


def test_what_cannot_be_taken_over_now_says_why() -> None:
    lines = text(
        found(*taken(TABLE, outcome=Outcome.HELD, cause=Cause(Reason.HOLD_TAG, "until noon")), *taken(GROUP))
    ).splitlines()
    assert lines[2:] == [
        "! > route_table/private  takes over rtb-0123 (its subnets use it)",
        "          held: until noon",
        "",
        "  > security_group/Web  takes over sg-1 (its name)",
        "",
        "Plan: takes over 1 resource; 1 held. Nothing was changed.",
    ]


@pytest.mark.parametrize(
    ("drifts", "writes", "told"),
    [
        (taken(TABLE, GROUP, VPC, outcome=Outcome.CORRECTED), 3, "Took over 3 resources with 3 tag calls; {}."),
        (taken(TABLE, outcome=Outcome.CORRECTED), 1, "Took over 1 resource with 1 tag call; {}."),
        (
            [
                *taken(TABLE, GROUP, outcome=Outcome.CORRECTED),
                drift("ingress", WEB, None, ABSENT, Outcome.CORRECTED),
            ],
            3,
            "Took over 2 resources and corrected 1 difference with 3 writes; {}.",
        ),
        (
            [
                *taken(TABLE, outcome=Outcome.CORRECTED),
                *taken(GROUP, outcome=Outcome.FAILED, cause=X),
                drift("ingress", WEB, None, ABSENT, Outcome.CORRECTED),
            ],
            3,
            "Took over 1 of 2 resources and corrected 1 of 1 difference with 3 writes; 1 failed.",
        ),
    ],
)
def test_after_a_run_the_last_line_says_what_was_taken_over(drifts: list[Drift], writes: int, told: str) -> None:
    seen = found(*drifts, wrote=True, writes=writes)
    assert text(seen).splitlines()[-1] == told.format("the second look is in sync")
    took = [one for one in text(seen).splitlines() if "took over" in one]
    assert len(took) == sum(one.outcome is Outcome.CORRECTED and one.difference.key == OURS for one in drifts)


def test_one_tag_that_is_not_set_yet_is_not_a_resource_that_was_taken_over() -> None:
    owner, name = taken(TABLE, outcome=Outcome.CORRECTED)
    busy = Cause(Reason.BUSY, "busy")
    seen = found(owner, replace(name, outcome=Outcome.WAITING, cause=busy), wrote=True, writes=1)
    assert "! > route_table/private  takes over rtb-0123 (its subnets use it)" in text(seen).splitlines()
    assert "          waiting: busy" in text(seen).splitlines()


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        ((TABLE, GROUP), "2 resources do not carry Setpoint's tags yet; correct mode sets them."),
        ((TABLE,), "1 resource does not carry Setpoint's tags yet; correct mode sets them."),
    ],
)
def test_where_tags_are_not_set_one_sentence_says_so(addresses: tuple[Address, ...], told: str) -> None:
    seen = found(untagged=addresses)
    assert told in text(seen).splitlines()
    assert seen.in_sync
    assert "carry" not in text(found())


def adopting(*drifts: Drift, adopt: dict[Address, str], **changes: Any) -> list[str]:
    seen = found(*drifts, document=replace(document(), adopt=adopt), **changes)
    return [line for line in text(seen).splitlines() if "adopt:" in line]


DONE = ["adopt: 2 entries are done and may be taken out."]
ENTRIES = {TABLE: "rtb-0123", GROUP: "new"}


def test_when_all_entries_of_adopt_are_done_they_may_be_taken_out() -> None:
    assert adopting(adopt=ENTRIES) == DONE
    assert adopting(drift("ingress", WEB, None, ABSENT), adopt=ENTRIES) == DONE
    assert adopting(*taken(TABLE, outcome=Outcome.CORRECTED), adopt=ENTRIES, wrote=True, writes=1) == DONE
    assert adopting(adopt={TABLE: "rtb-0123"}) == ["adopt: 1 entry is done and may be taken out."]


def test_entries_of_adopt_stay_as_long_as_one_of_them_is_needed() -> None:
    assert adopting(adopt={}) == []
    assert adopting(*taken(TABLE), adopt=ENTRIES) == []
    assert adopting(drift("tags", "setpoint:name", "private", "x", at=TABLE), adopt=ENTRIES) == []
    assert adopting(*taken(TABLE, outcome=Outcome.FAILED, cause=X), adopt=ENTRIES, wrote=True, writes=1) == []
    assert adopting(adopt=ENTRIES, untagged=(GROUP,)) == []
    assert adopting(adopt={TABLE: "rtb-4567"}) == []
    assert adopting(adopt={Address("network_acl/spare"): "new"}) == []
    assert adopting(drift("", None, document().resources[GROUP], ABSENT), adopt=ENTRIES) == []


def test_what_is_told_with_a_drift_is_not_told_again_as_a_finding() -> None:
    cause = Cause(Reason.IDENTITY_CHANGED, "it is rtb-2 now", "rtb-1 -> rtb-2")
    finding = Finding(TABLE, Outcome.HELD, cause)
    one = drift("routes", "0.0.0.0/0", ABSENT, "nat-1", Outcome.HELD, cause, TABLE)
    assert text(report(one, findings=(finding,))).count("it is rtb-2 now") == 1
    assert text(report(findings=(finding,))).count("it is rtb-2 now") == 1
    assert text(report(*taken(TABLE, outcome=Outcome.HELD, cause=cause), findings=(finding,))).count("rtb-2") == 1


def test_an_unmanaged_resource_is_told_with_what_a_person_should_know_about_it() -> None:
    theirs = Unmanaged(Address("security_group/web"), "sg-9", remark="it belongs to the account 999999999999")
    told = "    security_group/web (sg-9); it belongs to the account 999999999999"
    assert told in text(report(unmanaged=(theirs,))).splitlines()


HOSTILE = "\x1b[2J\x1b]0;x\x07\r\n\nIn sync: all is well.\u2028\u202e\u2066\x9b1m\x00\u200b"


@pytest.mark.parametrize(
    "seen",
    [
        report(drift("ingress", SSH, ABSENT, HOSTILE)),
        report(drift("ingress", SSH, HOSTILE, "x")),
        report(drift("ingress", RuleKey("tcp", 1, 1, HOSTILE), None, ABSENT)),
        report(drift("tags", "Name", "x", HOSTILE, at=VPC)),
        report(drift("tags", HOSTILE, "x", ABSENT, at=VPC)),
        report(drift("routes", "0.0.0.0/0", ABSENT, HOSTILE, at="route_table/P")),
        report(drift("ingress", 100, ABSENT, HTTPS._replace(cidr=HOSTILE), at=ACL)),
        report(drift("subnets", Address(HOSTILE), ABSENT, Address(HOSTILE), at=ACL)),
        report(drift("description", None, "x", HOSTILE)),
        report(drift("ingress", SSH, ABSENT, None, Outcome.FAILED, Cause(Reason.REFUSED, HOSTILE))),
        report(drift("ingress", SSH, ABSENT, None, at=f"security_group/{HOSTILE}")),
        report(findings=(Finding(Address(f"vpc/{HOSTILE}"), Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, HOSTILE)),)),
        report(unmanaged=(Unmanaged(Address(f"subnet/{HOSTILE}"), HOSTILE, remark=HOSTILE),)),
        found(*taken(TABLE, former=HOSTILE)),
        report(plan=planned(action(HOSTILE, at=f"security_group/{HOSTILE}"))),
        report(gate=whole_plan_held(Cause(Reason.PLAN_HELD, HOSTILE))),
        report(document=document(origin=HOSTILE)),
        report(
            document=replace(document(), exceptions=(DocumentException(VPC, "tags", (HOSTILE, HOSTILE), NOW, HOSTILE),))
        ),
    ],
)
def test_other_peoples_words_stay_words_on_one_line(seen: Any) -> None:
    told = text(seen)
    odd = {char for char in told if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"}}
    assert odd == set()
    forged = [one for one in told.splitlines()[:-1] if one.strip().startswith("In sync")]
    assert forged == []


@given(st.text())
def test_any_text_as_a_value_is_printable_and_says_which_characters_it_has(words: str) -> None:
    told = value(words)
    assert told.isprintable()
    assert value(words + "x") != told or len(told) >= 500


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_texts_look_alike_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (value(one) == value(other)) == (one == other)
