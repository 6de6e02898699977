"""What a version changes in meaning, word for word: each way to say a point, with its side, place and severity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import NEW, Document, External
from desired_state.fields import Address
from desired_state.intents import Intent
from reconciler.model.exposure import Severity
from reconciler.revision.change import worst
from reconciler.revision.compare import compare, points
from tests.support.revisions import version

BEFORE = version()
GROUP, SUBNET, DB = Address("security_group/db"), Address("subnet/a"), Address("db_instance/orders")


def said(before: Document, after: Document) -> list[tuple[str, str, str, str, str]]:
    return [
        (one.side.value, one.subject.value, one.address, one.severity.value, one.words) for one in points(before, after)
    ]


# Whose it is


def owned(owner: External | None = None, *, adopt: dict[Address, str] | None = None) -> Document:
    """The document with the group `db` as somebody else's."""
    theirs = {GROUP: owner} if owner else {}
    ignored = {at: type(BEFORE.resources[at])(enforcement="ignore") for at in theirs}
    return replace(BEFORE, adopt=adopt or {}, external=theirs, resources={**BEFORE.resources, **ignored})


AWAY, ANOTHER = "it is not kept here any more", "whatever refers to it means another resource"
LOST, SOME = "is not kept any more", "whichever it was before is not kept any more"
WITHOUT_GROUP = replace(BEFORE, resources={SUBNET: BEFORE.resources[SUBNET]})
PORTS = "[5432, '8000-8010']"
IDENTIFIED, NAMED, RENAMED = External(id="sg-0abc"), External(document="net"), External(document="net", name="data")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            owned(),
            owned(IDENTIFIED),
            ("unguarded", "high", f"{GROUP} belongs to the resource 'sg-0abc' now: {AWAY}"),
        ),
        (owned(), owned(NAMED), ("unguarded", "high", f"{GROUP} belongs to the document 'net' now: {AWAY}")),
        (
            owned(),
            owned(RENAMED),
            ("unguarded", "high", f"{GROUP} belongs to the document 'net', as 'data' now: {AWAY}"),
        ),
        (
            owned(NAMED),
            owned(IDENTIFIED),
            ("unguarded", "medium", f"{GROUP} is the resource 'sg-0abc' now, was the document 'net': {ANOTHER}"),
        ),
        (owned(NAMED), owned(NAMED), None),
        (owned(NAMED), owned(), ("guarded", "info", f"{GROUP} is declared here now, and belongs to nobody else")),
        (owned(NAMED), WITHOUT_GROUP, None),
        (WITHOUT_GROUP, owned(NAMED), None),
        (owned(), owned(adopt={GROUP: "sg-2"}), ("unguarded", "medium", f"{GROUP} is sg-2 now (adopt): {SOME}")),
        (
            owned(adopt={GROUP: NEW}),
            owned(adopt={GROUP: "sg-2"}),
            ("unguarded", "medium", f"{GROUP} is sg-2 now (adopt): {SOME}"),
        ),
        (
            owned(adopt={GROUP: "sg-1"}),
            owned(adopt={GROUP: "sg-2"}),
            ("unguarded", "high", f"{GROUP} is sg-2 now (adopt): sg-1 {LOST}"),
        ),
        (
            owned(adopt={GROUP: "sg-1"}),
            owned(adopt={GROUP: NEW}),
            ("unguarded", "high", f"{GROUP} is made anew (adopt): sg-1 {LOST}"),
        ),
        (owned(adopt={GROUP: "sg-1"}), owned(adopt={GROUP: "sg-1"}), None),
        (WITHOUT_GROUP, owned(adopt={GROUP: "sg-1"}), None),
    ],
)
def test_whose_a_resource_is(before: Document, after: Document, expected: tuple[str, str, str] | None) -> None:
    told = [(one[0], *one[3:]) for one in said(before, after) if one[1:3] == ("owner", GROUP)]
    assert told == ([expected] if expected else [])


def test_both_places_of_another_scope_are_told() -> None:
    after = replace(BEFORE, scope=BEFORE.scope.model_copy(update={"region": "eu-west-1", "vpc_id": "vpc-1"}))
    here = f"account {BEFORE.scope.account_id}, "
    assert BEFORE.scope.vpc_id is None
    places = f"the document is for {here}eu-west-1, vpc-1, was for {here}{BEFORE.scope.region}"
    words = f"{places}: what is there is not kept any more"
    assert said(BEFORE, after) == [("unguarded", "scope", "", "high", words)]


# Intents and workloads


def intent(**changes: Any) -> Intent:
    told: dict[str, Any] = {
        "name": "sentence",
        "from": ["internet", "api"],
        "to": ["db_instance/orders", "subnet/c"],
        "expect": "blocked",
        "except": "api",
        "protocol": "tcp",
        "ports": [5432, "8000-8010"],
        "severity": "high",
    } | changes
    return Intent.model_validate({name: value for name, value in told.items() if value is not None})


LESS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"enforcement": "report"}, "its enforcement is report, was hold"),
    ({"severity": "critical"}, {"severity": "high"}, "its severity is high, was critical"),
    ({"severity": "high"}, {"severity": "medium"}, "its severity is medium, was high"),
    ({"severity": "medium"}, {"severity": "low"}, "its severity is low, was medium"),
    ({}, {"expect": "only"}, "it expects only, did expect blocked"),
    ({}, {"from": "api"}, "\"from\" has no more 'internet'"),
    ({"from": "api"}, {"from": "internet"}, "\"from\" has no more 'api'"),
    ({}, {"except": ["api", "10.9.0.0/16"]}, "\"except\" has also '10.9.0.0/16'"),
    ({"except": None}, {"except": "api"}, "\"except\" has also 'api'"),
    ({}, {"to": "subnet/c"}, "\"to\" has no more 'db_instance/orders'"),
    (
        {"expect": "only"},
        {"expect": "only", "to": ["db_instance/orders", "subnet/a", "subnet/b", "subnet/c"]},
        "\"to\" has also 'subnet/a', 'subnet/b'",
    ),
    ({}, {"protocol": "udp"}, "its protocol is udp, was tcp"),
    ({"protocol": None, "ports": None}, {"ports": None}, "its protocol is tcp, was left out"),
    (
        {"expect": "reachable"},
        {"expect": "reachable", "protocol": None, "ports": None},
        f"its protocol is left out, was tcp; its ports are all, were {PORTS}",
    ),
    ({}, {"ports": [5432, "8001-8010"]}, f"its ports are [5432, '8001-8010'], were {PORTS}"),
    ({}, {"ports": [5432, "8000-8009"]}, f"its ports are [5432, '8000-8009'], were {PORTS}"),
    ({"ports": None}, {"ports": ["1-65535"]}, "its ports are 1-65535, were all"),
    ({"ports": None}, {"ports": ["0-65534"]}, "its ports are 0-65534, were all"),
    (
        {"expect": "only"},
        {"expect": "only", "ports": [5432, "8000-8020"]},
        f"its ports are [5432, '8000-8020'], were {PORTS}",
    ),
    ({"expect": "reachable"}, {"expect": "reachable", "ports": None}, f"its ports are all, were {PORTS}"),
]
MORE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"severity": "low"}, {"severity": "medium"}),
    ({"severity": "medium"}, {"severity": "high"}),
    ({"severity": "high"}, {"severity": "critical"}),
    ({"severity": "high"}, {"severity": None}),
    ({"severity": None}, {"severity": "low"}),
    ({"enforcement": "report"}, {"enforcement": "hold"}),
    ({}, {"except": None}),
    ({}, {"protocol": None, "ports": None}),
    ({}, {"ports": [5432, "7999-8011"]}),
    ({"ports": None}, {"ports": ["0-65535"]}),
    ({"expect": "reachable"}, {"expect": "reachable", "to": ["db_instance/orders", "subnet/c", "subnet/a"]}),
]


@pytest.mark.parametrize(("was", "now", "words"), LESS)
def test_what_an_intent_demands_less(was: dict[str, Any], now: dict[str, Any], words: str) -> None:
    before, after = (replace(BEFORE, intents=(intent(**one),)) for one in (was, now))
    severity = "high" if was.get("expect") != "reachable" else "medium"
    assert said(before, after) == [
        ("unguarded", "intent", "sentence", severity, f"the intent 'sentence' demands less: {words}")
    ]


@pytest.mark.parametrize(("was", "now"), MORE)
def test_what_an_intent_demands_more(was: dict[str, Any], now: dict[str, Any]) -> None:
    before, after = (replace(BEFORE, intents=(intent(**one),)) for one in (was, now))
    assert said(before, after) == [
        ("guarded", "intent", "sentence", "info", "the intent 'sentence' demands more than before")
    ]


def test_intents_that_only_report_weigh_less_when_they_are_dropped() -> None:
    plain = {"except": None, "protocol": None, "ports": None}
    one = intent(enforcement="report", **plain)
    words = "the intent 'sentence' is dropped: internet, api to db_instance/orders, subnet/c, expect blocked"
    assert said(replace(BEFORE, intents=(one,)), replace(BEFORE, intents=())) == [
        ("unguarded", "intent", "sentence", "medium", words)
    ]


def test_new_intents_are_one_line_and_renamed_ones_none() -> None:
    one, renamed, other = (intent(name=name) for name in ("one", "called otherwise", "other"))
    more = (renamed, intent(name="x", to="subnet/a"), intent(name="y", to="subnet/b"))
    assert said(replace(BEFORE, intents=(one,)), replace(BEFORE, intents=more)) == [
        ("guarded", "intent", "x", "info", "new intents: 'x', 'y'")
    ]
    assert said(replace(BEFORE, intents=(one,)), replace(BEFORE, intents=(one, other))) == []


def test_machines_of_a_workload() -> None:
    def told(**ends: Any) -> list[tuple[str, str, str, str, str]]:
        plain = {"from": "internet", "to": "subnet/c", "except": None}
        before = replace(BEFORE, intents=(intent(**plain | ends),))
        return said(before, replace(before, workloads={**before.workloads, "api": other}))

    other = BEFORE.workloads["api"].model_copy(update={"subnets": type(BEFORE.workloads["api"].subnets)()})
    words = "the workload 'api', which intents name, means other machines: other subnets"
    for end in ("from", "to", "except"):
        assert told(**{end: "api"}) == [("unguarded", "workload", "api", "medium", words)]
    assert told() == []
    assert [one for one in said(BEFORE, replace(BEFORE, workloads={})) if one[1] == "workload"] == []


# Together


def test_the_severity_is_that_of_the_gravest_part() -> None:
    unprotected = BEFORE.resources[DB].but(deletion_protection=False)
    change = compare(BEFORE, replace(BEFORE, resources={**BEFORE.resources, DB: unprotected}))
    assert (change.flows, change.severity) == ((), Severity.HIGH)
    assert (change.before, change.number, change.means_nothing) == (BEFORE.revision, BEFORE.revision, False)
    assert worst(()) is Severity.INFO
    assert worst([Severity.LOW, Severity.HIGH, Severity.MEDIUM]) is Severity.HIGH
