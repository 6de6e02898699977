"""Verdicts in words and as JSON: a sentence, where it is decided, and what to write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.reach.judge.intents import Status, judge
from reconciler.reach.judge.mending import together
from reconciler.reach.network import Network
from reconciler.report.intents import as_json, text
from tests.support.intents import NETWORK, OPEN, OUT, context_of, document, entries, network, rule

FRONT_DOOR = {
    "name": "HTTPS",
    "from": "internet",
    "to": "api",
    "protocol": "tcp",
    "ports": 443,
    "expect": "reachable",
}
TO_SERVER = {"name": "calls", "from": "api", "to": "server", "protocol": "tcp", "ports": 8000, "expect": "reachable"}
ONLY = {"name": "the door", "from": "internet", "to": "api", "protocol": "tcp", "ports": 443, "expect": "only"}


def lines(*changes: tuple[str, Any], intents: list[Mapping[str, Any]], declared: Network | None = None) -> list[str]:
    found = document(network(*changes, intents=intents))
    context = context_of(found)
    verdicts = judge(found.intents, context)
    written = context.topology.network if declared is None else declared
    return text(verdicts, written, together(verdicts, context)).splitlines()


def test_what_is_kept_is_only_counted() -> None:
    assert lines(intents=[FRONT_DOOR, TO_SERVER]) == ["Intents: 2 kept."]


def test_what_is_not_known_says_how_to_make_it_known() -> None:
    said = lines(("subnet.front.map_public_ip_on_launch", None), intents=[FRONT_DOOR, TO_SERVER])
    assert said[0] == "Intent unknown: HTTPS (the internet -> api, tcp 443)"
    assert said[1].endswith("-> internet_gateway/door   NOT KNOWN HERE")
    assert said[2].startswith("  perhaps  internet_gateway/door: not known whether there is a public address")
    assert said[2].endswith('write "public_address" for the workload')
    assert said[3:] == ["Intents: 1 kept, 1 unknown."]


def test_what_only_some_clients_miss_is_partly_broken() -> None:
    own = {"subnets": ["subnet/front"], "ingress": entries(rule("32768-65535")), "egress": entries(OUT)}
    said = lines(
        ("network_acl.own", own),
        ("network_acl.all.subnets", ["subnet/back", "subnet/data-a", "subnet/data-b"]),
        intents=[TO_SERVER],
    )
    assert said[0] == "Intent broken, partly: calls (api -> server, tcp 8000). MEDIUM"
    assert said[3:6] == [
        (
            "  blocked  network_acl/own in, replies: no entry matches tcp 1024-32767 from 10.0.2.0/24, "
            "so its closing * denies"
        ),
        (
            '  mend     network_acl/own, ingress: "110": {"action": "allow", "protocol": "tcp", "ports": "1024-32767", '
            '"source": "10.0.2.0/24"}'
        ),
        (
            "  clients on Linux and Windows work; NAT gateways, load balancers and Lambda functions do not: "
            "open the rest, or write client_ports of the workload"
        ),
    ]


def test_a_deny_is_named_by_its_number_and_mended_before_it() -> None:
    denied = entries({"action": "deny", "protocol": "all", "source": "10.0.1.0/24"}, OPEN)
    said = lines(("network_acl.all.ingress", denied), intents=[TO_SERVER])
    assert "  blocked  network_acl/all in 100: an entry denies (tcp 8000 from 10.0.1.0/24)" in said
    assert any(line.startswith('  mend     network_acl/all, ingress: "10": ') for line in said)


def test_a_machine_that_nobody_names_is_said_to_be_possible() -> None:
    said = lines(("security_group.debug", {"ingress": [rule(22)], "egress": []}), intents=[ONLY])
    assert said == [
        "Intent unknown: the door",
        "  tcp 22 from 1.0.0.0 (the internet) would reach a machine with security_group/debug in subnet/front, through",
        (
            "    route_table/public out 0.0.0.0/0 -> internet_gateway/door -> network_acl/all in 100 -> "
            "security_group/debug in tcp 22 from 0.0.0.0/0"
        ),
        "    no workload says that there is such a machine: declare it, or close this to it",
        "Intents: 1 unknown.",
    ]


def test_what_is_not_known_is_said_with_its_cause() -> None:
    found = document(network(intents=[ONLY]))
    (kept,) = judge(found.intents, context := context_of(found))
    unknown = replace(kept, status=Status.UNKNOWN, unknown=("the network of subnet/front is not known",))
    assert text([unknown], context.topology.network).splitlines() == [
        "Intent unknown: the door",
        "  because  the network of subnet/front is not known",
        "Intents: 1 unknown.",
    ]


OPENED = ("security_group.web.ingress", [rule(443), rule(22)])


def test_what_is_not_declared_on_the_way_is_marked() -> None:
    declared = context_of(document(network())).topology.network
    said = lines(OPENED, intents=[ONLY], declared=declared)
    assert said[2].endswith("network_acl/all in 100 -> security_group/web in tcp 22 from 0.0.0.0/0 (not declared)")
    assert not any("contradicts itself" in line for line in said)
    assert any("contradicts itself" in line for line in lines(OPENED, intents=[ONLY]))


def test_nobody_at_an_end_and_what_a_verdict_rests_on_are_said() -> None:
    spare = ("security_group.spare", {"ingress": [OPEN]})
    said = lines(spare, intents=[TO_SERVER | {"to": "security_group/spare"}])
    assert said[1] == "  nobody is there: security_group/spare"
    assert lines(("network_acl.all", None), intents=[FRONT_DOOR | {"ports": 22}])[-2] == (
        "  rests on: the VPC's default network ACL, which is not declared, lets everything through"
    )


def test_pairs_that_are_not_printed_are_counted() -> None:
    more = {f"w{n}": NETWORK["workloads"]["server"] for n in range(9)}
    found = document(
        network(intents=[{"name": "shut", "from": "api", "to": "security_group/app"}])
        | {"workloads": more | NETWORK["workloads"]}
    )
    context = context_of(found)
    said = text(judge(found.intents, context), context.topology.network).splitlines()
    assert said[-2:] == ["  and 5 more pairs of ends", "Intents: 1 broken."]


def test_hostile_names_speak_to_no_terminal() -> None:
    hostile = "\x1b[2J\u202e\nIntents: 1 kept."
    workloads = {hostile: NETWORK["workloads"]["server"], "api": NETWORK["workloads"]["api"]}
    intent = {"name": hostile, "from": "api", "to": hostile, "expect": "blocked"}
    found = document(network(intents=[intent]) | {"workloads": workloads})
    context = context_of(found)
    (verdict,) = judge(found.intents, context)
    said = text([verdict], context.topology.network)
    assert said.replace("\n", "").isprintable()
    assert "Intents: 1 kept." not in said.splitlines()
    assert json.dumps(as_json(verdict, context.topology.network), ensure_ascii=False).isprintable()


def test_the_json_of_an_exposure_has_the_packet_and_its_way() -> None:
    found = document(network(OPENED, intents=[ONLY | {"severity": "high", "enforcement": "report"}]))
    context = context_of(found)
    (verdict,) = judge(found.intents, context)
    told = as_json(verdict, context.topology.network, since="2026-11-22T09:12:00Z")
    assert told == {
        "name": "the door",
        "expect": "only",
        "status": "broken",
        "partly": False,
        "severity": "high",
        "enforcement": "report",
        "since": "2026-11-22T09:12:00Z",
        "pairs": [{"source": "the internet", "target": "api", "certain": True, "partly": False}],
        "pairs_in_all": 1,
        "witness": {"traffic": "tcp 22", "source": "1.0.0.0", "destination": "10.0.1.0"},
        "path": [
            hop("route_table/public", "egress", "0.0.0.0/0"),
            hop("internet_gateway/door", "", None),
            hop("network_acl/all", "ingress", "100"),
            hop("security_group/web", "ingress", "tcp 22 0.0.0.0/0"),
        ],
        "blockers": [],
        "nobody": [],
        "unknown": [],
        "rests_on": [],
    }


def hop(component: str, side: str, member: str | None) -> dict[str, Any]:
    return {
        "component": component,
        "side": side,
        "reply": False,
        "member": member,
        "declared": True,
        "passes": True,
    }
