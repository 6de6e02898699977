"""What a version changes in meaning: every way to guard less, of every kind and field, and its reverse.

The ways are found in the models, so that a new kind or field is asked about without a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desired_state.document import NEW, Document, DocumentException, External
from desired_state.fields import Address
from desired_state.intents import Intent
from desired_state.members import Tags
from desired_state.resource import SECTIONS, Resource
from reconciler.model.exposure import Severity
from reconciler.revision.change import Point, Side, Subject, worst
from reconciler.revision.compare import compare, points
from tests.support.revisions import FULL, version
from tests.support.sampling import sampled

BEFORE = version()
FIELDS = [
    (at, name) for at, one in BEFORE.resources.items() for name in one.described() if getattr(one, name) is not None
]
ADDRESSES = list(BEFORE.resources)
UNTIL = datetime(2027, 6, 1, tzinfo=UTC)


def with_resource(at: Address, change: Callable[[Resource], Resource]) -> Document:
    return replace(BEFORE, resources={**BEFORE.resources, at: change(BEFORE.resources[at])})


def on(side: Side, before: Document, after: Document) -> tuple[Point, ...]:
    return tuple(one for one in points(before, after) if one.side is side)


def unguarded(before: Document, after: Document) -> list[tuple[Subject, str]]:
    return [(one.subject, one.address) for one in on(Side.UNGUARDED, before, after)]


def gravest(before: Document, after: Document) -> Severity:
    return worst(one.severity for one in points(before, after))


def only(points: tuple[Point, ...]) -> Point:
    (one,) = points
    return one


def test_every_field_of_every_kind_is_asked_about() -> None:
    assert {(at.kind, name) for at, name in FIELDS} == {
        (kind, name) for kind, model in SECTIONS.items() for name in model.described()
    }


def test_the_same_document_changes_nothing() -> None:
    change = compare(BEFORE, version())
    assert (change.means_nothing, change.severity, change.holds) == (True, Severity.INFO, ())


def _reordered(written: dict[str, Any]) -> None:
    written["resources"] = dict(reversed(written["resources"].items()))
    written["intents"] = written["intents"][::-1]


WITHOUT_MEANING: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "the revision": lambda written: written.update(revision=9),
    "a note": lambda written: written.update(note="by hand"),
    "the note of a resource": lambda written: written["resources"]["vpc"]["main"].update(note="ours"),
    "a former name": lambda written: written.update(formerly=["store"]),
    "the order": _reordered,
    "the name of an intent": lambda written: written["intents"][1].update(name="closed"),
    "the default, written out": lambda written: written["intents"][1].update(enforcement="hold"),
}


@pytest.mark.parametrize("what", WITHOUT_MEANING)
def test_what_has_no_meaning_changes_nothing(what: str) -> None:
    change = compare(BEFORE, version(WITHOUT_MEANING[what]))
    assert (change.points, change.flows, change.severity) == ((), (), Severity.INFO)


# Resources and fields


@pytest.mark.parametrize(("at", "name"), FIELDS, ids=str)
def test_a_field_that_is_dropped_is_no_longer_guarded_and_one_that_comes_back_is(at: Address, name: str) -> None:
    after = with_resource(at, lambda one: one.but(**{name: None}))
    point = only(on(Side.UNGUARDED, BEFORE, after))
    assert (point.subject, point.address) == (Subject.FIELD, at)
    assert f"{name} is not declared any more" in point.words
    plain = name in {"tags", "description"}
    assert (point.severity is Severity.LOW) is plain
    back = points(after, BEFORE)
    assert [(one.side, one.subject, one.severity) for one in back] == [(Side.GUARDED, Subject.FIELD, Severity.INFO)]


@pytest.mark.parametrize(("at", "name"), FIELDS, ids=str)
def test_a_field_of_what_is_ignored_anyway_is_not_missed(at: Address, name: str) -> None:
    before = with_resource(at, lambda one: one.but(enforcement="ignore"))
    after = with_resource(at, lambda one: one.but(**{"enforcement": "ignore", name: None}))
    assert on(Side.UNGUARDED, before, after) == ()


@pytest.mark.parametrize(("at", "name"), sampled(FIELDS, among=5, seed="dropped"))
def test_what_is_not_declared_any_more_stays_and_cuts_nobody_off(at: Address, name: str) -> None:
    assert compare(BEFORE, with_resource(at, lambda one: one.but(**{name: None}))).flows == ()


@pytest.mark.parametrize("at", [one for one in ADDRESSES if one.kind != "vpc"])
def test_a_resource_that_is_dropped_is_no_longer_guarded_and_one_that_comes_back_is(at: Address) -> None:
    after = replace(BEFORE, resources={other: one for other, one in BEFORE.resources.items() if other != at})
    assert (unguarded(BEFORE, after), gravest(BEFORE, after)) == ([(Subject.RESOURCE, at)], Severity.HIGH)
    assert compare(BEFORE, after).flows == ()
    back = only(points(after, BEFORE))
    assert (back.side, back.subject) == (Side.GUARDED, Subject.RESOURCE)


@pytest.mark.parametrize("at", ADDRESSES)
@pytest.mark.parametrize(
    ("was", "now", "severity"),
    [("correct", "report", Severity.MEDIUM), ("correct", "ignore", Severity.HIGH), ("report", "ignore", Severity.HIGH)],
)
def test_weaker_enforcement_is_told_and_stronger_one_is_no_alarm(
    at: Address, was: Any, now: Any, severity: Severity
) -> None:
    before = with_resource(at, lambda one: one.but(enforcement=was))
    after = with_resource(at, lambda one: one.but(enforcement=now))
    assert (unguarded(before, after), gravest(before, after)) == ([(Subject.ENFORCEMENT, at)], severity)
    back = only(points(after, before))
    assert (back.side, back.subject) == (Side.GUARDED, Subject.ENFORCEMENT)


def test_the_enforcement_of_the_whole_document_is_one_line() -> None:
    after = version(lambda written: written.update(enforcement="ignore"))
    number = len(ADDRESSES)
    assert [one.words for one in points(BEFORE, after)] == [
        f"all {number} resources are not looked at any more (enforcement is ignore, was correct)"
    ]


def test_a_tag_that_is_dropped_is_named() -> None:
    at = Address("subnet/a")
    after = with_resource(at, lambda one: one.but(tags=Tags()))
    assert only(points(BEFORE, after)).words == "subnet/a: not declared any more: tag 'team'"
    assert only(points(after, BEFORE)).words == "subnet/a: newly declared: tag 'team'"
    other = with_resource(at, lambda one: one.but(tags=Tags({"team": "other"})))
    assert only(points(BEFORE, other)).words == "subnet/a: tags: 1 changed"


def _another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if "/" in value and "." in value:
            return "10.200.1.0/24"
        case dict() | frozenset():
            return type(value)()
        case _:
            return type(value)(f"{value}9")


VALUES = [
    (at, name) for at, name in FIELDS if name != "tags" and getattr(BEFORE.resources[at], name) not in ({}, frozenset())
]
"""Fields with another value to change to: of an empty set nothing can be taken out."""


@pytest.mark.parametrize(("at", "name"), VALUES, ids=str)
def test_another_value_is_told_with_its_field(at: Address, name: str) -> None:
    value = getattr(BEFORE.resources[at], name)
    after = with_resource(at, lambda one: one.but(**{name: _another(value)}))
    point = only(on(Side.DECLARED, BEFORE, after))
    assert (point.subject, point.address) == (Subject.VALUE, at)
    assert point.words.startswith(f"{at}: {name}")


def test_a_database_that_may_be_deleted_is_graver_than_a_larger_one() -> None:
    at = Address("db_instance/orders")
    unprotected = with_resource(at, lambda one: one.but(deletion_protection=False))
    larger = with_resource(at, lambda one: one.but(allocated_storage=30))
    assert (gravest(BEFORE, unprotected), gravest(BEFORE, larger)) == (Severity.HIGH, Severity.LOW)


# Whose it is


@pytest.mark.parametrize("at", [one for one in ADDRESSES if one.kind != "vpc"])
def test_a_resource_that_is_handed_to_another_document_is_no_longer_guarded(at: Address) -> None:
    theirs = External(document="network")
    after = replace(
        BEFORE,
        external={at: theirs},
        resources={**BEFORE.resources, at: SECTIONS[at.kind](enforcement="ignore")},
    )
    assert (Subject.OWNER, at) in unguarded(BEFORE, after)
    assert gravest(BEFORE, after) is Severity.HIGH
    other = replace(after, external={at: External(document="elsewhere")})
    assert unguarded(after, other) == [(Subject.OWNER, at)]
    assert (Subject.OWNER, at) not in unguarded(after, BEFORE)


@pytest.mark.parametrize("at", ADDRESSES)
@pytest.mark.parametrize(
    ("was", "now", "severity"), [("x-1", "x-2", "high"), ("", "x-2", "medium"), ("x-1", NEW, "high")]
)
def test_another_live_resource_leaves_the_one_before_unguarded(at: Address, was: str, now: str, severity: str) -> None:
    before = replace(BEFORE, adopt={at: was} if was else {})
    after = replace(BEFORE, adopt={at: now})
    assert (unguarded(before, after), gravest(before, after)) == ([(Subject.OWNER, at)], Severity(severity))


@pytest.mark.parametrize(
    "scope", [{"account_id": "999999999999"}, {"region": "eu-central-1"}, {"vpc_id": "vpc-0123456789abcdef0"}]
)
def test_another_scope_leaves_the_whole_network_unguarded(scope: dict[str, str]) -> None:
    after = replace(BEFORE, scope=BEFORE.scope.model_copy(update=scope))
    assert (unguarded(BEFORE, after), gravest(BEFORE, after)) == ([(Subject.SCOPE, "")], Severity.HIGH)


# Exceptions


def _tolerated(at: Address, name: str) -> DocumentException:
    """An exception for something of this field: a member, or a value."""
    value = getattr(BEFORE.resources[at], name)
    collection = BEFORE.resources[at].collection(name)
    if collection is None:
        return DocumentException(at, name, value, UNTIL, "the auditors")
    member = next(
        iter(value.items() if name in {"tags", "routes"} or (at.kind == "network_acl" and name != "subnets") else value)
    )
    return DocumentException(at, name, member, UNTIL, "the auditors")


TOLERABLE = [(at, name) for at, name in FIELDS if getattr(BEFORE.resources[at], name) not in ({}, frozenset())]
"""Fields of which a value or a member can be tolerated."""


@pytest.mark.parametrize(("at", "name"), TOLERABLE, ids=str)
def test_an_exception_is_told_with_its_end_and_reason_and_as_it_ends(at: Address, name: str) -> None:
    exception = _tolerated(at, name)
    after = replace(BEFORE, exceptions=(*BEFORE.exceptions, exception))
    point = only(points(BEFORE, after))
    assert (point.side, point.subject, point.address) == (Side.UNGUARDED, Subject.EXCEPTION, at)
    assert point.words.startswith(f"{at} {name}: ")
    assert point.words.endswith(" is tolerated until 2027-06-01 00:00Z: 'the auditors'")
    assert point.severity.rank <= Severity.MEDIUM.rank
    longer = replace(after, exceptions=(*BEFORE.exceptions, replace(exception, until=UNTIL + timedelta(days=1))))
    assert unguarded(after, longer) == [(Subject.EXCEPTION, at)]
    assert on(Side.UNGUARDED, longer, after) == ()
    assert only(points(after, BEFORE)).side is Side.GUARDED


def test_an_exception_for_the_internet_is_as_grave_as_the_drift_that_it_tolerates() -> None:
    def tolerates(written: dict[str, Any]) -> None:
        written["exceptions"][0]["value"] = {"protocol": "tcp", "ports": 5432, "source": "0.0.0.0/0"}

    assert gravest(BEFORE, version(tolerates)) is Severity.CRITICAL


# Intents


def _intent(**changes: Any) -> Intent:
    said: dict[str, Any] = {
        "name": "sentence",
        "from": ["internet", "api"],
        "to": ["db_instance/orders", "subnet/c"],
        "expect": "blocked",
    }
    said |= {"except": "api", "protocol": "tcp", "ports": [5432, "8000-8010"], "severity": "high"} | changes
    return Intent.model_validate({name: value for name, value in said.items() if value is not None})


WEAKER: list[tuple[str, dict[str, Any]]] = [
    (expect, change)
    for expect in ("blocked", "only", "reachable")
    for change in (
        {"from": "internet"},
        {"to": "subnet/c"},
        {"ports": 5432},
        {"ports": [5432, "8000-8009"]},
        {"protocol": "udp"},
        {"except": ["api", "10.9.0.0/16"]},
        {"enforcement": "report"},
        {"severity": "low"},
        {"expect": "reachable" if expect != "reachable" else "blocked"},
    )
] + [("only", {"to": ["db_instance/orders", "subnet/c", "subnet/a"]}), ("only", {"ports": None})]


@pytest.mark.parametrize(("expect", "change"), WEAKER)
def test_an_intent_that_demands_less_is_told(expect: str, change: dict[str, Any]) -> None:
    before, after = (
        replace(BEFORE, intents=(one,)) for one in (_intent(expect=expect), _intent(**{"expect": expect, **change}))
    )
    assert unguarded(before, after) == [(Subject.INTENT, "sentence")]


STRONGER: list[tuple[str, dict[str, Any]]] = [
    ("blocked", {"from": ["internet", "api", "10.9.0.0/16"]}),
    ("blocked", {"to": ["db_instance/orders", "subnet/c", "subnet/a"]}),
    ("blocked", {"ports": None}),
    ("blocked", {"ports": [5432, "8000-8020"]}),
    ("blocked", {"protocol": None, "ports": None}),
    ("blocked", {"except": None}),
    ("blocked", {"severity": "critical"}),
    ("reachable", {"from": ["internet", "api", "10.9.0.0/16"]}),
]


@pytest.mark.parametrize(("expect", "change"), STRONGER)
def test_an_intent_that_demands_more_is_no_alarm(expect: str, change: dict[str, Any]) -> None:
    before, after = (
        replace(BEFORE, intents=(one,)) for one in (_intent(expect=expect), _intent(**{"expect": expect, **change}))
    )
    assert [(one.side, one.subject) for one in points(before, after)] == [(Side.GUARDED, Subject.INTENT)]


@pytest.mark.parametrize(("expect", "severity"), [("blocked", "high"), ("only", "high"), ("reachable", "medium")])
def test_an_intent_that_is_dropped_is_told_with_what_it_demanded(expect: str, severity: str) -> None:
    before = replace(BEFORE, intents=(_intent(expect=expect),))
    point = only(points(before, replace(BEFORE, intents=())))
    assert (point.side, point.severity) == (Side.UNGUARDED, Severity(severity))
    assert point.words == (
        "the intent 'sentence' is dropped: internet, api to db_instance/orders, subnet/c on tcp "
        f"[5432, '8000-8010'], expect {expect}"
    )


@pytest.mark.parametrize("change", [{"subnets": ["subnet/c"]}, {"security_groups": ["security_group/db"]}])
def test_a_workload_that_means_other_machines_is_told_if_an_intent_names_it(change: dict[str, Any]) -> None:
    after = version(lambda written: written["workloads"]["api"].update(change))
    assert (Subject.WORKLOAD, "api") in unguarded(BEFORE, after)
    nobody = replace(BEFORE, intents=())
    assert unguarded(nobody, replace(after, intents=())) == []


def test_the_ends_of_an_intent_are_all_of_its_fields() -> None:
    """Should intents learn another field, `_weaker` must say what it means."""
    assert set(Intent.model_fields) == {
        *("name", "source", "excluding", "to", "protocol", "ports", "expect", "severity", "enforcement")
    }


# Fingerprints


def test_a_fingerprint_is_of_these_bytes_and_of_what_they_are_compared_with() -> None:
    later = version(lambda written: written.update(revision=4))
    spaced = replace(later, sha256="0" * 64)
    prints = {
        compare(old, new).fingerprint
        for old in (None, BEFORE, replace(BEFORE, sha256="1" * 64))
        for new in (later, spaced)
    }
    assert len(prints) == 6
    assert {len(one) for one in prints} == {16}
    assert compare(BEFORE, later).fingerprint == compare(BEFORE, later).fingerprint
    assert FULL["revision"] == 3
