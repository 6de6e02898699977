"""What each of several differences means from end to end: judged alone, together, and where one hides another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.consequences import MOST, Consequence, consequences
from reconciler.model import Cause, Difference, Reason, Snapshot
from reconciler.model.exposure import Severity
from reconciler.report.consequence import sentence
from tests.support.worlds import (
    APP,
    DATABASE,
    DB,
    IN,
    INSIDE,
    OUT,
    OUTSIDE,
    REFERENCE,
    WEB,
    changes,
    document,
    missing,
    seen,
)

type Edit = Callable[[dict[str, dict[str, Any]]], object]
"""A change of a document's resources, by kind and name."""

OFFICE = "203.0.113.0/24"
NOTHING = "Nothing more or less arrives because of it"


def look(*edits: Edit) -> Snapshot:
    """The look at the network of the reference with these changes, in which no machine stands that nobody declared."""
    written = deepcopy(REFERENCE)
    for edit in edits:
        edit(written["resources"])
    return replace(seen(document(written)), interfaces=())


def differences(snapshot: Snapshot) -> list[Difference]:
    found = changes(document(), snapshot)
    return [one for change in found for one in (change.differences if change.have else (change.missing,))]


def judged(snapshot: Snapshot) -> dict[tuple[str, str], list[Consequence]]:
    """The consequences of all differences, by address and field."""
    found: dict[tuple[str, str], list[Consequence]] = {}
    for (address, field, _), one in consequences(document(), snapshot, differences(snapshot)).items():
        found.setdefault((str(address), field), []).append(one)
    return found


def said(*edits: Edit) -> dict[tuple[str, str], list[str]]:
    """Each with its severity, in words."""
    return _words(judged(look(*edits)))


def _words(found: Mapping[tuple[str, str], Collection[Consequence]]) -> dict[tuple[str, str], list[str]]:
    return {at: [f"{one.severity.value}: {sentence(one, past=False)}" for one in some] for at, some in found.items()}


def let_in(group: str, ports: int | str, source: str = "0.0.0.0/0") -> Edit:
    rule = {"protocol": "tcp", "ports": ports, "source": source}
    return lambda parts: parts["security_group"][group]["ingress"].append(rule)


def entry(acl: str, ports: int, source: str = "0.0.0.0/0", *, number: int = 50, action: str = "allow") -> Edit:
    one = {"action": action, "protocol": "tcp", "ports": ports, "source": source}
    return lambda parts: parts["network_acl"][acl]["ingress"].update({str(number): one})


def route(table: str) -> Edit:
    return lambda parts: parts["route_table"][table]["routes"].update(
        {"0.0.0.0/0": "internet_gateway/MyInternetGateway"}
    )


def unrouted(parts: dict[str, Any]) -> None:
    parts["route_table"]["PublicRouteTable"]["routes"].clear()


def database(**values: Any) -> Edit:
    return lambda parts: parts["db_instance"]["mypostgresqldb"].update(values)


RULES, ENTRIES = (str(WEB), "ingress"), (str(OUTSIDE), "ingress")
STOPPED = "From outside the VPC it is stopped (network_acl/PublicSubnetACL: no entry matches, so the closing * denies)."
SSH, SSH_ENTRY = let_in("APIGatewaySG", 22), entry("PublicSubnetACL", 22)
TO_API = "critical: TCP 22 from the internet and api can reach api."


def test_a_rule_alone_opens_only_what_no_other_layer_stops() -> None:
    assert said(SSH) == {RULES: [f"medium: TCP 22 can pass between machines of api. {STOPPED}"]}


def test_an_entry_alone_says_which_layer_still_stands() -> None:
    assert said(SSH_ENTRY) == {ENTRIES: [f"low: {NOTHING} ({WEB}: no rule matches)."]}


def test_two_layers_that_open_a_way_together_are_both_told() -> None:
    found = said(SSH, SSH_ENTRY)
    assert found == {ENTRIES: ["critical: TCP 22 from the internet can reach api."], RULES: [TO_API]}


def test_two_rules_that_let_the_same_through_are_both_told() -> None:
    found = said(let_in("APIGatewaySG", 8080), let_in("APIGatewaySG", "8000-9000"))
    assert len(found[RULES]) == 2
    for ports in ("tcp 8080", "tcp 8000-9000"):
        assert any(one.startswith(f"high: {ports.upper()} from the internet") for one in found[RULES])


THREE = {
    (str(APP), "ingress"): let_in("TestServerSG", 22, OFFICE),
    (str(INSIDE), "ingress"): entry("PrivateSubnetACL", 22, OFFICE),
    (str(IN), "routes"): route("PrivateRouteTable"),
}
STANDS = {
    (str(APP), "ingress"): f"({APP}: no rule matches)",
    (str(INSIDE), "ingress"): f"({INSIDE}: no entry matches, so the closing * denies)",
    (str(IN), "routes"): f"({IN}: no route)",
}


def test_three_layers_that_open_a_way_together_are_all_told() -> None:
    found = said(*THREE.values())
    assert found.keys() == THREE.keys()
    for (one,) in found.values():
        assert one.startswith(f"critical: TCP 22 from {OFFICE} on the internet may reach server")


@pytest.mark.parametrize("two", list(combinations(THREE, 2)))
def test_any_two_of_them_say_that_the_third_still_stands(two: tuple[tuple[str, str], ...]) -> None:
    found = said(*(THREE[at] for at in two))
    (third,) = THREE.keys() - set(two)
    for at in two:
        if at != (str(IN), "routes"):  # the route alone lets them out
            assert found[at] == [f"low: {NOTHING} {STANDS[third]}."]


def test_what_has_no_route_says_so() -> None:
    assert said(let_in("DBSG", 22, "192.168.0.0/16"))[str(DB), "ingress"] == [
        f"low: {NOTHING} (no route leads to 192.168.0.0/16)."
    ]


def test_a_rule_for_what_nobody_carries_says_so() -> None:
    unused = [
        lambda parts: parts["security_group"].update(Spare={"ingress": []}),
        database(vpc_security_groups=["security_group/Spare"]),
        let_in("DBSG", 5432, OFFICE),
    ]
    assert said(*unused)[str(DB), "ingress"] == [f"low: {NOTHING} (no known machine has {DB})."]
    assert said(let_in("APIGatewaySG", 22, str(DB)))[RULES] != []


def test_each_of_two_that_cut_the_same_is_told() -> None:
    denied = entry("PublicSubnetACL", 443, number=90, action="deny")
    found = said(denied, _close_https)
    for at in (RULES, ENTRIES):
        assert [one.startswith("high: TCP 443 from the internet") for one in found[at]] == [True]
    found = said(unrouted, _close_https)
    assert "high: TCP 80 and tcp 443 from the internet cannot reach api" in found[str(OUT), "routes"][0]
    assert "high: TCP 443 from the internet" in found[RULES][0]


def _close_https(parts: dict[str, Any]) -> None:
    parts["security_group"]["APIGatewaySG"]["ingress"].pop(1)


def test_a_public_database_behind_closed_layers_says_which_still_stands() -> None:
    at = str(DATABASE), "publicly_accessible"
    assert said(database(publicly_accessible=True))[at] == [f"low: {NOTHING} ({IN}: no route)."]


def test_a_database_that_the_internet_reaches_is_critical_at_each_layer_that_opens_it() -> None:
    found = said(
        database(publicly_accessible=True),
        route("PrivateRouteTable"),
        let_in("DBSG", 5432),
        entry("PrivateSubnetACL", 5432),
    )
    told = "critical: TCP 5432 from the internet"
    assert [one.startswith(told) for some in found.values() for one in some] == [True] * 4


def test_other_groups_of_a_database_cut_one_way_and_open_another() -> None:
    at = str(DATABASE), "vpc_security_groups"
    found = said(database(vpc_security_groups=["security_group/APIGatewaySG"]))[at]
    assert any("TCP 5432 from server cannot reach db_instance/mypostgresqldb" in one for one in found)
    assert any("from server can reach db_instance/mypostgresqldb" in one for one in found)


def test_what_is_not_read_lets_nothing_be_said_without_flows() -> None:
    snapshot = look(SSH, let_in("TestServerSG", 22, "192.168.0.0/16"))
    hidden = missing(snapshot, INSIDE)
    unread = replace(hidden, unreadable={INSIDE: Cause(Reason.UNREADABLE, "it has an entry of a new kind")})
    found = _words(judged(unread))
    assert found == {RULES: [f"medium: TCP 22 can pass between machines of api. {STOPPED}"]}


def test_a_revision_that_changes_very_much_is_not_judged() -> None:
    many = [let_in("APIGatewaySG", 2000 + number) for number in range(MOST)]
    assert len(judged(look(*many))[RULES]) == MOST
    assert judged(look(*many, SSH)) == {}


def test_a_value_that_is_tolerated_counts_as_it_is() -> None:
    snapshot = look(SSH, SSH_ENTRY)
    some = [one for one in differences(snapshot) if one.address == WEB]
    ((_, found),) = consequences(document(), snapshot, some).items()
    assert sentence(found, past=False) == "TCP 22 from the internet and api can reach api."
    assert found.severity is Severity.CRITICAL
    assert found.exposes


def test_what_no_packet_can_tell_has_no_consequence() -> None:
    tagged: Edit = lambda parts: parts["vpc"]["MyVPC"].update(tags={"team": "shop"})  # noqa: E731
    assert said(tagged, database(backup_retention_period=1)) == {}


def test_a_group_that_is_missing_lets_nothing_through() -> None:
    ((found,),) = _words(judged(missing(look(), APP))).values()
    assert found.startswith("high: TCP 8000 from api cannot reach server; ")


@pytest.mark.parametrize(("address", "kind"), [(IN, "route_table"), (INSIDE, "network_acl")])
def test_what_is_missing_and_declared_without_members_lets_nothing_through_either(address: Address, kind: str) -> None:
    empty: dict[str, Any] = {
        "subnets": REFERENCE["resources"][kind][address.name]["subnets"],
        "ingress": {},
        "egress": {},
    }
    if kind == "route_table":
        empty = {"subnets": empty["subnets"], "routes": {}}
    declared = document(**{kind: REFERENCE["resources"][kind] | {address.name: empty}})
    snapshot = replace(missing(seen(declared), address), interfaces=())
    some = [one.missing for one in changes(declared, snapshot) if one.address == address]
    (found,) = consequences(declared, snapshot, some).values()
    assert [one for one in found.flows if not one.opened or not one.certain] == []


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ((let_in("APIGatewaySG", 8443),), Severity.HIGH),  # from the internet, but not to manage it
        ((let_in("APIGatewaySG", 9200),), Severity.CRITICAL),
        ((let_in("TestServerSG", 5432, "security_group/APIGatewaySG"),), Severity.MEDIUM),  # from a machine
        ((let_in("DBSG", 5433, "security_group/TestServerSG"),), Severity.HIGH),  # a database
        ((let_in("DBSG", 5433, "192.168.0.0/16"),), Severity.LOW),
        ((unrouted,), Severity.HIGH),
    ],
)
def test_how_bad_a_difference_is(edits: tuple[Edit, ...], wanted: Severity) -> None:
    found = [one for some in judged(look(*edits)).values() for one in some]
    assert [one.severity for one in found] == [wanted]


def test_what_is_only_cut_or_goes_out_exposes_nothing() -> None:
    for edits in ((unrouted,), (route("PrivateRouteTable"),)):
        assert [one.exposes for some in judged(look(*edits)).values() for one in some] == [False]
