"""What a version opens, from end to end: what is held, why, and what is not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from desired_state.document import Document
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import box
from reconciler.reach.compare import SENSITIVE_PORTS, FlowChange
from reconciler.reach.pair.ends import External, Ranges
from reconciler.report.flows import told
from reconciler.revision.change import HoldReason, RevisionChange, Side, worst
from reconciler.revision.compare import compare
from reconciler.revision.flows import weight
from tests.support.revisions import Change, version
from tests.support.runs import REFERENCE

ANYONE = "0.0.0.0/0"
WITHOUT_INTENTS = {**deepcopy(REFERENCE), "intents": []}


def reference(*changes: Change, intents: bool = False) -> Document:
    """The reference network with these changes; it is the next revision if there are any."""

    def changed(written: dict[str, Any]) -> None:
        written["revision"] += bool(changes)
        for change in changes:
            change(written)

    return version(changed, of=REFERENCE if intents else WITHOUT_INTENTS)


def opens(port: int, *, protocol: str = "tcp", source: str = ANYONE, group: str = "APIGatewaySG") -> Change:
    """A port of a group, through the ACL of the public subnet too."""
    rule = {"protocol": protocol, "ports": port, "source": source}

    def change(written: dict[str, Any]) -> None:
        resources = written["resources"]
        resources["security_group"][group]["ingress"].append(rule)
        entries = resources["network_acl"]["PublicSubnetACL"]["ingress"]
        entries[str(50 + len(entries))] = {"action": "allow", **rule}

    return change


def reasons(change: RevisionChange) -> list[HoldReason]:
    return [one.reason for one in change.holds]


@pytest.mark.parametrize("port", SENSITIVE_PORTS)
def test_a_sensitive_port_opened_to_the_internet_is_held(port: int) -> None:
    change = compare(reference(), reference(opens(port)))
    assert (reasons(change), change.severity) == ([HoldReason.EXPOSES], Severity.CRITICAL)
    assert told(one.flow for one in change.holds if one.flow) == [f"tcp {port} from the internet can reach api"]


@pytest.mark.parametrize(
    ("what", "severity"),
    [
        (opens(8443), Severity.MEDIUM),
        (opens(22, protocol="udp"), Severity.MEDIUM),
        (opens(22, source="10.0.0.0/16"), Severity.LOW),
    ],
)
def test_other_ports_and_other_sources_are_told_and_not_held(what: Change, severity: Severity) -> None:
    change = compare(reference(), reference(what))
    assert (change.holds, change.severity, bool(change.flows)) == ((), severity, True)


@pytest.mark.parametrize(
    ("port", "source", "opening", "cutting"),
    [
        (8443, ANYONE, Severity.MEDIUM, Severity.LOW),
        (8443, "10.0.0.0/16", Severity.LOW, Severity.LOW),
        (22, ANYONE, Severity.CRITICAL, Severity.LOW),
    ],
)
def test_what_is_opened_weighs_by_who_gets_in_and_what_is_cut_weighs_little(
    port: int, source: str, opening: Severity, cutting: Severity
) -> None:
    before, after = reference(), reference(opens(port, source=source))
    assert worst(weight(one) for one in compare(before, after).flows) is opening
    assert worst(weight(one) for one in compare(after, before).flows) is cutting


@pytest.mark.parametrize(("internet", "severity"), [(True, Severity.MEDIUM), (False, Severity.LOW)])
def test_what_is_opened_to_a_network_of_ones_own_weighs_little(internet: bool, severity: Severity) -> None:
    end = External("behind a VPN", Ranges.of("192.168.0.0/16"), internet=internet)
    opened = FlowChange(end, end, box("tcp", 8443, 8443, "192.168.0.0/16")[3], opened=True, certain=True)
    assert weight(opened) is severity


def test_a_rule_that_another_layer_stops_is_not_held() -> None:
    def behind_its_acl(written: dict[str, Any]) -> None:
        rule = {"protocol": "tcp", "ports": 22, "source": ANYONE}
        written["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(rule)

    change = compare(reference(), reference(behind_its_acl))
    assert (change.holds, [one.side for one in change.points]) == ((), [Side.DECLARED])


def test_a_database_that_the_internet_reaches_is_held_on_any_port() -> None:
    def public(written: dict[str, Any]) -> None:
        resources = written["resources"]
        resources["db_instance"]["mypostgresqldb"] |= {"publicly_accessible": True, "port": 6000}
        for name in ("PrivateSubnet1", "PrivateSubnet2"):
            resources["route_table"]["PublicRouteTable"]["subnets"].append(f"subnet/{name}")
        resources["route_table"]["PrivateRouteTable"]["subnets"] = []
        resources["security_group"]["DBSG"]["ingress"].append({"protocol": "tcp", "ports": 6000, "source": ANYONE})
        entry = {"action": "allow", "protocol": "tcp", "ports": 6000, "source": ANYONE}
        resources["network_acl"]["PrivateSubnetACL"]["ingress"]["50"] = entry

    change = compare(reference(), reference(public))
    assert HoldReason.EXPOSES in reasons(change)
    assert any("db_instance/mypostgresqldb" in one for one in told(one.flow for one in change.holds if one.flow))


def test_what_is_open_already_is_not_held_again() -> None:
    before = reference(opens(22))
    assert compare(before, reference(opens(22), opens(8443))).holds == ()
    more = compare(before, reference(opens(22), opens(3389)))
    assert told(one.flow for one in more.holds if one.flow) == ["tcp 3389 from the internet can reach api"]
    narrower = compare(reference(opens(22, source="198.51.100.0/24")), before)
    assert reasons(narrower) == [HoldReason.EXPOSES]


def test_without_a_version_before_everything_grave_counts_as_new_and_nothing_else_is_told() -> None:
    change = compare(None, reference(opens(22)))
    assert (reasons(change), change.before) == ([HoldReason.EXPOSES], None)
    calm = compare(None, reference())
    assert (calm.holds, calm.flows, calm.points, calm.severity) == ((), (), (), Severity.INFO)


@pytest.mark.parametrize("enforcement", ["report", "ignore"])
def test_who_enforces_it_does_not_matter_or_a_later_version_could_open_it_unseen(enforcement: str) -> None:
    def watched(written: dict[str, Any]) -> None:
        written["enforcement"] = enforcement

    assert reasons(compare(reference(watched), reference(watched, opens(22)))) == [HoldReason.EXPOSES]


def test_a_rule_that_was_dropped_and_is_still_there_counts_when_a_way_to_it_opens() -> None:
    """The group's ingress is not declared any more, so its rule for SSH stays; then its ACL is opened."""

    def group_only(written: dict[str, Any]) -> None:
        rule = {"protocol": "tcp", "ports": 22, "source": ANYONE}
        written["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(rule)

    def drops(written: dict[str, Any]) -> None:
        opens(22)(written)
        del written["resources"]["security_group"]["APIGatewaySG"]["ingress"]

    assert reasons(compare(reference(group_only), reference(drops))) == [HoldReason.EXPOSES]

    def elsewhere(written: dict[str, Any]) -> None:
        drops(written)
        written["scope"]["account_id"] = "111122223333"

    assert compare(reference(group_only), reference(elsewhere)).holds == ()  # there that rule never was


def test_a_new_resource_is_as_it_is_declared() -> None:
    def adds(written: dict[str, Any]) -> None:
        written["resources"]["security_group"]["New"] = {"description": "new"}

    assert compare(reference(), reference(adds)).holds == ()


def test_what_is_renamed_opens_and_cuts_nothing() -> None:
    def renamed(written: dict[str, Any]) -> None:
        opens(22)(written)
        text = str(written)
        for old in ("APIGatewaySG", "PublicSubnet1", "PublicRouteTable"):
            text = text.replace(f"{old}'", f"{old}-new'")
        import ast

        written.clear()
        written.update(ast.literal_eval(text))
        resources = written["resources"]
        resources["security_group"]["APIGatewaySG-new"]["formerly"] = ["APIGatewaySG"]
        resources["subnet"]["PublicSubnet1-new"]["formerly"] = ["PublicSubnet1"]
        resources["route_table"]["PublicRouteTable-new"]["formerly"] = ["PublicRouteTable"]

    change = compare(reference(opens(22)), reference(renamed))
    assert (change.points, change.flows, change.holds) == ((), (), ())


def test_a_workload_that_is_named_for_machines_that_were_there_opens_nothing() -> None:
    before = reference(opens(22), lambda written: written.update(workloads={}))
    change = compare(before, reference(opens(22)))
    assert (change.flows, change.holds) == ((), ())


# Its own intents


def closed(name: str = "closed", **more: Any) -> Change:
    intent = {"name": name, "from": "internet", "to": "api", "protocol": "tcp", "ports": 8443, "expect": "blocked"}
    return lambda written: written["intents"].append(intent | more)


def test_a_version_that_breaks_its_own_closed_intent_is_held() -> None:
    change = compare(reference(closed()), reference(closed(), opens(8443)))
    assert reasons(change) == [HoldReason.BREAKS_INTENT]
    assert change.severity is Severity.CRITICAL
    assert reasons(compare(None, reference(closed(), opens(8443)))) == [HoldReason.BREAKS_INTENT]


def test_an_only_intent_is_broken_by_what_it_lets_through_not_by_what_it_lacks() -> None:
    only = {"from": "internet", "to": "api", "protocol": "tcp", "ports": [80, 443], "expect": "only"}
    sentence: Change = lambda written: written["intents"].append({"name": "front door", **only})  # noqa: E731

    def closes(written: dict[str, Any]) -> None:
        written["resources"]["security_group"]["APIGatewaySG"]["ingress"] = []

    assert reasons(compare(reference(sentence), reference(sentence, opens(8443)))) == [HoldReason.BREAKS_INTENT]
    assert compare(reference(sentence), reference(sentence, closes)).holds == ()


def test_an_intent_that_only_reports_is_told_and_not_held() -> None:
    reports = closed(enforcement="report")
    change = compare(reference(reports), reference(reports, opens(8443)))
    assert (change.holds, [one.intent.name for one in change.broken]) == ((), ["closed"])


def test_an_intent_that_was_approved_as_broken_is_not_held_again_until_it_is_broken_more() -> None:
    before = reference(closed(ports=[8443, 8444]), opens(8443))
    assert compare(before, reference(closed(ports=[8443, 8444]), opens(8443), opens(9000))).holds == ()
    worse = compare(before, reference(closed(ports=[8443, 8444]), opens(8443), opens(8444)))
    assert reasons(worse) == [HoldReason.BREAKS_INTENT]
    here, there = "198.51.100.0/24", "203.0.113.0/24"
    of_two = closed(**{"from": [here, there]})
    as_approved = reference(of_two, opens(8443, source=here))
    more = compare(as_approved, reference(of_two, opens(8443, source=here), opens(8443, source=there)))
    assert reasons(more) == [HoldReason.BREAKS_INTENT]
    renamed = compare(before, reference(closed("shut", ports=[8443, 8444]), opens(8443)))
    assert renamed.holds == ()
    stricter = compare(
        reference(closed(enforcement="report"), opens(8443)), reference(closed(enforcement="hold"), opens(8443))
    )
    assert reasons(stricter) == [HoldReason.BREAKS_INTENT]


def test_the_reference_keeps_its_intents_and_ssh_breaks_one() -> None:
    change = compare(reference(intents=True), reference(opens(22), intents=True))
    assert [one.verdict.intent.name for one in change.holds if one.verdict] == ["from outside only the front door"]
