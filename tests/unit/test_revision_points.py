"""What a version changes in meaning, word for word: each way to say a point, with its side, place and severity."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desired_state.document import NEW, Document, DocumentException, External
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.intents import Intent
from reconciler.model.exposure import Severity
from reconciler.revision.change import RevisionChange, Side, worst
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


def test_what_is_handed_over_is_not_said_to_be_dropped_too() -> None:
    assert [one[1] for one in said(owned(), owned(NAMED))] == ["owner"]
    assert said(without(GROUP), owned(NAMED)) == []


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
    (
        {"enforcement": "report", "severity": "critical"},
        {"enforcement": "report", "severity": "high"},
        "its severity is high, was critical",
    ),
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
    holds = was.get("expect") != "reachable" and was.get("enforcement") != "report"
    severity = "high" if holds else "medium"
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


# Resources and their fields


def resource(at: str, **fields: Any) -> Document:
    """The document with other fields of one resource (None: left out)."""
    return replace(BEFORE, resources={**BEFORE.resources, Address(at): BEFORE.resources[Address(at)].but(**fields)})


CORRECTED = "and whoever changes it is not corrected"
STAYS = "is not declared any more, and whatever is in it stays"
ROUTES: Any = BEFORE.resources[Address("route_table/out")]


@pytest.mark.parametrize(
    ("at", "fields", "expected"),
    [
        ("security_group/web", {"ingress": None}, ("unguarded", "field", "high", f"ingress {STAYS}")),
        ("subnet/a", {"tags": None}, ("unguarded", "field", "low", f"tags {STAYS}")),
        (
            "db_instance/orders",
            {"port": None},
            ("unguarded", "field", "medium", f"port is not declared any more (it was 5432), {CORRECTED}"),
        ),
        (
            "db_instance/orders",
            {"deletion_protection": None},
            ("unguarded", "field", "high", f"deletion_protection is not declared any more (it was true), {CORRECTED}"),
        ),
        (
            "security_group/db",
            {"description": None},
            ("unguarded", "field", "low", f"description is not declared any more (it was 'The data'), {CORRECTED}"),
        ),
        (
            "security_group/db",
            {"description": "Ours"},
            ("declared", "value", "info", "description is 'Ours', was 'The data'"),
        ),
        ("db_instance/orders", {"multi_az": True}, ("declared", "value", "low", "multi_az is true, was false")),
        # A live 16.4 would be what 16 asks for; of two documents they are not the same.
        (
            "db_instance/orders",
            {"engine_version": "16.4"},
            ("declared", "value", "low", "engine_version is '16.4', was '16'"),
        ),
        (
            "db_instance/orders",
            {"allocated_storage": 401},
            ("declared", "value", "low", "allocated_storage is 401, was 400"),
        ),
        (
            "db_instance/orders",
            {"publicly_accessible": True},
            ("declared", "value", "high", "publicly_accessible is true, was false"),
        ),
        ("route_table/out", {"routes": type(ROUTES.routes)()}, ("declared", "value", "low", "routes: 1 removed")),
        (
            "route_table/out",
            {"routes": type(ROUTES.routes)(dict.fromkeys(("0.0.0.0/0", "::/0"), "nat-1"))},
            ("declared", "value", "low", "routes: 1 added, 1 changed"),
        ),
        (
            "route_table/in",
            {"subnets": type(ROUTES.subnets)(["subnet/a"])},
            ("declared", "value", "low", "subnets: 1 added, 1 removed"),
        ),
    ],
    ids=str,
)
def test_what_is_declared_of_a_field(at: str, fields: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    side, subject, severity, words = expected
    assert said(BEFORE, resource(at, **fields)) == [(side, subject, at, severity, f"{at}: {words}")]


def without(*addresses: str) -> Document:
    return replace(BEFORE, resources={at: one for at, one in BEFORE.resources.items() if at not in addresses})


def test_resources_come_and_go_by_name_up_to_five() -> None:
    five = list(map(str, list(BEFORE.resources)[2:7]))
    new = ("guarded", "resource", five[0], "info", f"newly declared: {', '.join(five)}")
    assert said(without(*five), BEFORE) == [new]
    more = f"newly declared: {', '.join(five)} and 1 more"
    assert said(without(*five, "security_group/db"), BEFORE) == [(*new[:4], more)]
    lost = "security_group/db is not declared any more, and whoever changes it is not corrected"
    assert said(BEFORE, without("security_group/db")) == [("unguarded", "resource", GROUP, "high", lost)]
    ignored = resource(GROUP, enforcement="ignore")
    assert said(ignored, without("security_group/db")) == []


def test_a_vpc_that_only_the_scope_names_is_nobody_s_declaration() -> None:
    scope = BEFORE.scope.model_copy(update={"vpc_id": "main"})
    assert said(replace(without("vpc/main"), scope=scope), replace(BEFORE, scope=scope)) == []


def test_enforcement_is_one_line_for_all_that_change_alike() -> None:
    def enforced(how: str, *addresses: str) -> Document:
        changed = {Address(at): BEFORE.resources[Address(at)].but(enforcement=how) for at in addresses}
        return replace(BEFORE, resources={**BEFORE.resources, **changed})

    told = "not looked at any more (enforcement is ignore, was correct)"
    assert [one[3:] for one in said(BEFORE, enforced("ignore", "subnet/a"))] == [("high", f"subnet/a is {told}")]
    two = enforced("ignore", "subnet/a", "subnet/c")
    assert [one[3:] for one in said(BEFORE, two)] == [("high", f"subnet/a, subnet/c are {told}")]
    back = "looked at, and differences are corrected (enforcement is correct, was ignore)"
    assert said(two, BEFORE) == [("guarded", "enforcement", "subnet/a", "info", f"subnet/a, subnet/c are {back}")]
    report = "looked at, and differences are only reported (enforcement is report, was correct)"
    assert [one[3:] for one in said(BEFORE, enforced("report", "subnet/a"))] == [("medium", f"subnet/a is {report}")]
    alone = replace(BEFORE, resources={SUBNET: BEFORE.resources[SUBNET].but(enforcement="ignore")})
    assert [one[4] for one in said(WITHOUT_GROUP, alone)] == [f"subnet/a is {told}"]


# Exceptions

UNTIL = datetime(2027, 6, 1, tzinfo=UTC)
TOLERATED: list[tuple[str, str, Any, str, str]] = [
    ("security_group/web", "ingress", RuleKey("tcp", 443, 443, "0.0.0.0/0"), "critical", "tcp 443 0.0.0.0/0"),
    ("security_group/web", "ingress", RuleKey("tcp", 443, 443, "10.0.0.0/8"), "high", "tcp 443 10.0.0.0/8"),
    (
        "network_acl/front",
        "ingress",
        (100, AclEntry("allow", "tcp", 443, 443, "0.0.0.0/0")),
        "critical",
        "100 allow tcp 443 0.0.0.0/0",
    ),
    (
        "route_table/out",
        "routes",
        ("0.0.0.0/0", "internet_gateway/door"),
        "critical",
        "0.0.0.0/0 internet_gateway/door",
    ),
    ("subnet/a", "tags", ("team", "shop"), "medium", "team shop"),
    ("db_instance/orders", "publicly_accessible", True, "critical", "true"),
    ("db_instance/orders", "deletion_protection", False, "high", "false"),
    ("db_instance/orders", "backup_retention_period", 3, "high", "3"),
    ("db_instance/orders", "db_instance_class", "db.t3.large", "medium", "db.t3.large"),
    ("network_acl/front", "subnets", Address("subnet/c"), "high", "subnet/c"),
    ("security_group/web", "description", "The front door", "medium", "The front door"),
]


@pytest.mark.parametrize(("at", "field", "value", "severity", "words"), TOLERATED, ids=str)
def test_what_an_exception_tolerates_and_until_when(at: str, field: str, value: Any, severity: str, words: str) -> None:
    def tolerates(until: datetime) -> Document:
        return replace(BEFORE, exceptions=(DocumentException(Address(at), field, value, until, "the auditors"),))

    none, some, longer = replace(BEFORE, exceptions=()), tolerates(UNTIL), tolerates(UNTIL + timedelta(days=1))
    what, why = f"{at} {field}: {words} is", ": 'the auditors'"
    end, later = "2027-06-01 00:00Z", "2027-06-02 00:00Z"
    worse, better = ("unguarded", "exception", at, severity), ("guarded", "exception", at, "info")
    assert said(none, some) == [(*worse, f"{what} tolerated until {end}{why}")]
    assert said(some, longer) == [(*worse, f"{what} tolerated until {later}, was until {end}{why}")]
    assert said(longer, some) == [(*better, f"{what} tolerated only until {end}, was until {later}")]
    assert said(some, none) == [(*better, f"{what} not tolerated any more")]
    assert said(some, some) == []
    first = [(one.address, one.severity.value) for one in points(None, some)]
    assert first == [(at, severity)]


# Together


def test_the_severity_is_that_of_the_gravest_part() -> None:
    unprotected = BEFORE.resources[DB].but(deletion_protection=False)
    change = compare(BEFORE, replace(BEFORE, resources={**BEFORE.resources, DB: unprotected}))
    assert (change.flows, change.severity) == ((), Severity.HIGH)
    assert (change.before, change.number, change.means_nothing) == (BEFORE.revision, BEFORE.revision, False)
    assert [one.side for one in change.on(Side.DECLARED)] == [Side.DECLARED]
    assert (change.on(Side.GUARDED), change.on(Side.UNGUARDED)) == ((), ())
    assert worst(()) is Severity.INFO
    assert worst([Severity.LOW, Severity.HIGH, Severity.MEDIUM]) is Severity.HIGH


def test_a_change_means_something_by_its_flows_its_points_or_what_it_breaks() -> None:
    nothing = RevisionChange("shop", 2, 1, ("a", "b"))
    assert (nothing.means_nothing, nothing.severity) == (True, Severity.INFO)
    one: Any = (object(),)
    for changed in (replace(nothing, flows=one), replace(nothing, points=one), replace(nothing, broken=one)):
        assert not changed.means_nothing
