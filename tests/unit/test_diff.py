"""What differs, by one rule for every kind: what is left out is not managed, what is given is owned whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desired_state.document import Document, DocumentException
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import Subnets, Tags
from desired_state.network import SecurityGroup
from desired_state.resource import Resource
from desired_state.rules import Egress, Ingress, IngressEntries, Routes
from reconciler.engine.diff import apply_exceptions, diff, differences, wanted
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT, Cause, Difference, Policy, Reason
from tests.support import worlds
from tests.support.worlds import DB, MORNING, OUTSIDE, VPC, WEB, context, document, drifted, missing, of_groups, seen

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
HTTP = RuleKey("tcp", 80, 80, "0.0.0.0/0")
HTTPS = RuleKey("tcp", 443, 443, "0.0.0.0/0")
GROUP = Address("security_group/web")


def compared(want: Resource, have: Resource) -> list[tuple[str, Any, Any, Any]]:
    return [(one.field, one.key, one.want, one.have) for one in differences(GROUP, want, have)]


@settings(max_examples=15)
@given(worlds.documents)
def test_a_network_that_is_as_declared_does_not_differ(declared: Document) -> None:
    assert worlds.changes(declared, seen(declared)) == ()


@settings(max_examples=15)
@given(worlds.documents, worlds.documents)
def test_everything_that_differs_is_said_once(declared: Document, fact: Document) -> None:
    found = [one for change in worlds.changes(declared, seen(fact)) for one in change.differences]
    names = [(one.address, one.field, one.key) for one in found]
    assert len(names) == len(set(names))
    assert all(one.want != one.have for one in found)


@settings(max_examples=15)
@given(worlds.documents, st.randoms(use_true_random=False))
def test_the_order_in_which_a_document_lists_things_is_no_drift(declared: Document, random: Random) -> None:
    def turned(resource: Resource) -> Resource:
        fields = {}
        for name in resource.described():
            value = getattr(resource, name)
            if isinstance(value, Mapping):
                pairs = list(value.items())
                random.shuffle(pairs)
                fields[name] = type(value)(pairs)  # type: ignore[call-arg]
        return resource.but(**fields)

    other = replace(declared, resources={at: turned(one) for at, one in declared.resources.items()})
    assert worlds.changes(other, seen(declared)) == ()


def test_what_is_left_out_is_not_managed() -> None:
    have = SecurityGroup(description="anything", ingress=Ingress({SSH: ""}), egress=Egress(), tags=Tags(team="ops"))
    assert compared(SecurityGroup(), have) == []


def test_an_empty_list_must_be_empty() -> None:
    assert compared(SecurityGroup(ingress=Ingress()), SecurityGroup(ingress=Ingress({SSH: "x"}))) == [
        ("ingress", SSH, ABSENT, "x")
    ]


def test_a_live_value_that_nobody_knows_yet_is_no_drift() -> None:
    assert compared(SecurityGroup(ingress=Ingress({SSH: None})), SecurityGroup()) == []


def test_missing_members_come_before_changed_ones_and_those_before_extra_ones() -> None:
    want = SecurityGroup(ingress=Ingress({HTTPS: "web", HTTP: "plain"}))
    have = SecurityGroup(ingress=Ingress({SSH: "mine", HTTPS: "old"}))
    assert compared(want, have) == [
        ("ingress", HTTP, "plain", ABSENT),
        ("ingress", HTTPS, "web", "old"),
        ("ingress", SSH, ABSENT, "mine"),
    ]


def test_a_rule_declared_without_description_is_owned_and_its_description_is_not() -> None:
    assert compared(SecurityGroup(ingress=Ingress({SSH: None})), SecurityGroup(ingress=Ingress({SSH: "hm"}))) == []


def test_only_the_tags_a_document_names_are_its_own() -> None:
    want, have = SecurityGroup(tags=Tags(team="shop", cost="7")), SecurityGroup(tags=Tags(team="ops", other="x"))
    assert compared(want, have) == [("tags", "cost", "7", ABSENT), ("tags", "team", "shop", "ops")]


def test_entries_routes_and_subnets_differ_member_by_member() -> None:
    look = seen(document())
    denied = AclEntry("deny", "tcp", 443, 443, "0.0.0.0/0")
    acl = look.resources[OUTSIDE].spec
    entries = IngressEntries({**acl.ingress, 110: denied, 50: denied})
    found = list(differences(OUTSIDE, document().resources[OUTSIDE], acl.but(ingress=entries, subnets=Subnets())))
    assert found == [
        Difference(OUTSIDE, "ingress", 110, AclEntry("allow", "tcp", 443, 443, "0.0.0.0/0"), denied),
        Difference(OUTSIDE, "ingress", 50, ABSENT, denied),
        Difference(OUTSIDE, "subnets", "subnet/PublicSubnet1", "subnet/PublicSubnet1", ABSENT),
    ]
    table = look.resources[worlds.OUT].spec.but(routes=Routes({"0.0.0.0/0": "nat-0a1b2c3d"}))
    found = list(differences(worlds.OUT, document().resources[worlds.OUT], table))
    assert found == [Difference(worlds.OUT, "routes", "0.0.0.0/0", worlds.GATEWAY, "nat-0a1b2c3d")]


def test_a_kind_may_say_that_what_aws_keeps_agrees_with_what_was_asked_for() -> None:
    class Rounded(Resource):
        agrees: ClassVar = {"size": lambda want, have: have.size == -(-want.size // 10) * 10}
        size: int | None = None

    assert compared(Rounded(size=25), Rounded(size=30)) == []
    assert compared(Rounded(size=25), Rounded(size=40)) == [("size", None, 25, 40)]


def test_a_major_version_agrees_with_each_of_its_minor_ones() -> None:
    declared = document()
    assert worlds.changes(declared, drifted(seen(declared), worlds.DATABASE, engine_version="16.4")) == ()
    (change,) = worlds.changes(declared, drifted(seen(declared), worlds.DATABASE, engine_version="15.8"))
    assert change.fields == {"engine_version"}


def test_a_missing_resource_is_compared_with_what_aws_makes_of_a_new_one() -> None:
    declared = document()
    (change,) = worlds.changes(declared, missing(seen(declared), DB))
    assert change.have is None
    assert change.of("egress") == ()
    assert [one.want for one in change.of("ingress")] == ["PostgreSQL from the back end"]


def test_a_new_group_lets_everything_out_so_a_declared_egress_of_nothing_differs() -> None:
    declared = of_groups(web={"ingress": [], "egress": []})
    (change,) = worlds.changes(declared, seen(declared, only=[VPC]))
    assert change.differences == (Difference(GROUP, "egress", RuleKey("all", -1, -1, "0.0.0.0/0"), ABSENT, ""),)


def said_of(at: Address, declared: Document, mode: Any = "correct", *, missing: bool = False) -> dict[str, str]:
    return dict(wanted(declared, Policy(mode=mode), at, REGISTRY[at.kind], missing=missing).tags or {})


def test_the_owners_tags_are_wanted_where_differences_are_corrected() -> None:
    declared, ours = document(), {"setpoint:document": "test-server", "setpoint:name": "DBSG"}
    assert said_of(DB, declared) == ours
    assert said_of(DB, declared, "report") == {}
    report_only = document({**worlds.REFERENCE, "enforcement": "report"})
    assert said_of(DB, report_only) == {}


def test_only_a_new_resource_gets_a_name_tag_and_only_if_it_has_no_other_name() -> None:
    declared = document()
    ours = {"setpoint:document": "test-server", "setpoint:name": "PublicSubnetACL"}
    assert said_of(OUTSIDE, declared) == ours
    assert said_of(OUTSIDE, declared, missing=True) == {**ours, "Name": "PublicSubnetACL"}
    assert "Name" not in said_of(DB, declared, missing=True)


def test_what_could_not_be_seen_is_neither_in_sync_nor_missing() -> None:
    declared = document()
    look = missing(seen(declared), DB, WEB)
    refused, two = Cause(Reason.UNREADABLE, "refused"), Cause(Reason.AMBIGUOUS, "two could be it")
    unclear = replace(look, unreadable={DB: refused}, ambiguous={WEB: two})
    assert worlds.changes(declared, unclear) == ()


def test_what_is_to_be_ignored_is_not_compared() -> None:
    sections = {"web": {"ingress": [], "enforcement": "ignore"}, "app": {"ingress": [], "enforcement": "report"}}
    declared = of_groups(**sections)
    look = seen(declared)
    for name in sections:
        look = drifted(look, Address.of("security_group", name), ingress=Ingress({SSH: ""}))
    assert [change.address for change in worlds.changes(declared, look)] == ["security_group/app"]


def test_changes_come_in_the_order_of_the_document() -> None:
    declared = document()
    look = drifted(drifted(seen(declared), DB, ingress=Ingress()), VPC, enable_dns_support=False)
    assert [change.address for change in diff(declared, look, context(declared, look), REGISTRY)] == [VPC, DB]


def exception(value: Any, field: str = "ingress", days: int = 1) -> DocumentException:
    return DocumentException(WEB, field, value, MORNING + timedelta(days=days), "an audit")


@pytest.mark.parametrize(
    ("one", "left"),
    [
        (exception(SSH), 0),
        (exception(SSH, days=0), 1),
        (exception(HTTP), 1),
        (exception(SSH, field="egress"), 1),
    ],
    ids=["named", "over", "another value", "another field"],
)
def test_an_exception_covers_what_it_names_until_it_is_over(one: DocumentException, left: int) -> None:
    declared = document()
    live = Ingress({**declared.resources[WEB].ingress, SSH: "mine"})  # type: ignore[attr-defined]
    found = worlds.changes(declared, drifted(seen(declared), WEB, ingress=live))
    rest, covered = apply_exceptions(found, [one], MORNING)
    assert (len(rest), len(covered)) == (left, 1 - left)
    assert [(each.key, each.have) for each, _ in covered] == [(SSH, "mine")][left:]


def test_an_exception_for_an_entry_names_its_number_and_its_value() -> None:
    declared = document()
    denied, other = AclEntry("deny", "tcp", 22, 22, "0.0.0.0/0"), AclEntry("allow", "tcp", 22, 22, "0.0.0.0/0")
    live = IngressEntries({**declared.resources[OUTSIDE].ingress, 50: denied})  # type: ignore[attr-defined]
    found = worlds.changes(declared, drifted(seen(declared), OUTSIDE, ingress=live))
    until = MORNING + timedelta(days=1)
    for value, left in (((50, denied), 0), ((50, other), 1), ((51, denied), 1)):
        rest, _ = apply_exceptions(found, [DocumentException(OUTSIDE, "ingress", value, until, "why")], MORNING)
        assert len(rest) == left


def test_an_exception_does_not_cover_what_is_missing() -> None:
    declared = document()
    found = worlds.changes(declared, drifted(seen(declared), WEB, ingress=Ingress({HTTP: "HTTP from anywhere"})))
    rest, covered = apply_exceptions(found, [exception(HTTPS)], MORNING)
    assert covered == ()
    assert rest == found


def test_a_missing_resource_stays_a_change_whatever_is_excepted_in_it() -> None:
    declared = of_groups(web={"egress": []})
    found = worlds.changes(declared, seen(declared, only=[VPC]))
    everything = RuleKey("all", -1, -1, "0.0.0.0/0")
    whole = DocumentException(GROUP, "egress", everything, MORNING + timedelta(days=1), "why")
    rest, covered = apply_exceptions(found, [whole], MORNING)
    assert covered == ()
    assert [one.have for one in rest] == [None]
    assert rest == found


def test_what_was_compared_before_is_never_taken_for_what_is_compared_now() -> None:
    """One document in any two looks after each other, under either policy, beside a copy that was never compared."""
    declared = of_groups(DBSG={"ingress": [], "tags": {"team": "shop"}})
    calm = seen(declared)
    opened = drifted(calm, DB, ingress=Ingress({SSH: ""}), tags=Tags({"team": "ops"}))
    looks = [calm, opened, drifted(calm, DB, tags=Tags()), missing(calm, DB)]
    cases = list(product(looks, (Policy(), Policy(mode="report"))))
    found = [worlds.changes(replace(declared), *case) for case in cases]
    assert len(set(map(str, found))) > 4
    for first, (case, alone) in product(cases, zip(cases, found, strict=True)):
        worlds.changes(declared, *first)
        assert worlds.changes(declared, *case) == alone
