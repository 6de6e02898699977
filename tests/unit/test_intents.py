"""Intents judged on documents: who is meant, what is kept, broken or not known, and what a verdict rests on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.model.exposure import Severity
from reconciler.reach.judge.intents import EXPLAINED, Status, judge
from reconciler.reach.judge.mending import together
from reconciler.reach.judge.places import placed
from reconciler.reach.network import GROUPS_OF, PLACE_OF, SUBNETS, UNREADABLE
from tests.support.intents import (
    DB,
    OPEN,
    OUT,
    after,
    context_of,
    document,
    entries,
    judged,
    network,
    pairs,
    rule,
    status,
    verdict,
)

REACHABLE: dict[str, Any] = {"expect": "reachable", "protocol": "tcp"}
FRONT_DOOR = REACHABLE | {"from": "internet", "to": "api", "ports": 443}
TO_SERVER = REACHABLE | {"from": "api", "to": "server", "ports": 8000}
TO_DATABASE = {"expect": "reachable", "from": "server", "to": DB}
NO_INTERNET = {"from": "internet", "to": "server"}
ONLY = {"expect": "only", "from": "internet", "to": "api", "protocol": "tcp", "ports": 443}


def acl(ingress: list[dict[str, Any]], egress: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """The front's own network ACL."""
    rest = ["subnet/back", "subnet/data-a", "subnet/data-b"]
    return [
        ("network_acl.all.subnets", rest),
        ("network_acl.own", {"subnets": ["subnet/front"], "ingress": entries(*ingress), "egress": entries(*egress)}),
    ]


# Reachable.


@pytest.mark.parametrize("intent", [FRONT_DOOR, TO_SERVER, TO_DATABASE])
def test_what_passes_with_its_replies_is_reachable(intent: dict[str, Any]) -> None:
    found = verdict(intent)
    assert (found.status, found.severity, found.cases, found.rests_on) == (Status.KEPT, None, (), ())


def test_every_port_must_be_reachable() -> None:
    assert status(TO_SERVER | {"ports": [8000, 8001]}) == "broken"


def test_every_machine_must_be_reachable() -> None:
    found = verdict(
        TO_SERVER,
        ("workloads.server.subnets", ["subnet/back", "subnet/data-a"]),
        ("network_acl.all.subnets", ["subnet/front", "subnet/back", "subnet/data-b"]),
        ("network_acl.shut", {"subnets": ["subnet/data-a"], "ingress": {}, "egress": {}}),
    )
    assert found.status is Status.BROKEN
    assert list(pairs(found)) == [("api", "server in subnet/data-a")]


def test_a_database_is_in_every_subnet_of_its_group_because_a_failover_moves_it() -> None:
    found = verdict(
        TO_DATABASE,
        ("network_acl.all.subnets", ["subnet/front", "subnet/back", "subnet/data-a"]),
        ("network_acl.shut", {"subnets": ["subnet/data-b"], "ingress": {}, "egress": {}}),
    )
    assert list(pairs(found)) == [("server", f"{DB} in subnet/data-b")]


def test_a_database_has_its_own_port() -> None:
    assert status(TO_DATABASE, ("db_instance.orders.port", 6000)) == "broken"
    moved = ("security_group.data.ingress", [rule(6000, "security_group/app")])
    assert status(TO_DATABASE, ("db_instance.orders.port", 6000), moved) == "kept"


def test_replies_that_do_not_come_back_break_it() -> None:
    found = verdict(TO_SERVER, *acl([rule(443)], [OUT]))
    assert found.status is Status.BROKEN
    assert not found.partly
    assert [(one.hop.component, one.hop.side, one.hop.reply) for one in found.blockers] == [
        ("network_acl/own", "ingress", True)
    ]
    assert found.severity is Severity.HIGH


def test_replies_to_common_clients_only_are_partly_there() -> None:
    found = verdict(TO_SERVER, *acl([rule("32768-65535")], [OUT]))
    assert (found.status, found.partly, found.severity) == (Status.BROKEN, True, Severity.MEDIUM)
    assert status(TO_SERVER, *acl([rule("32768-65535")], [OUT]), ("workloads.api.client_ports", "32768-60999")) == (
        "kept"
    )


def test_half_of_the_common_client_ports_is_not_partly() -> None:
    found = verdict(TO_SERVER, *acl([rule("40000-65535")], [OUT]))
    assert (found.status, found.partly) == (Status.BROKEN, False)


def test_every_broken_layer_is_named() -> None:
    found = verdict(
        TO_SERVER,
        *acl([rule(443)], [OUT | {"destination": "10.9.0.0/16"}]),
        ("security_group.app.ingress", []),
    )
    assert {(one.hop.component, one.hop.side, one.hop.reply) for one in found.blockers} == {
        ("network_acl/own", "egress", False),
        ("security_group/app", "ingress", False),
        ("network_acl/own", "ingress", True),
    }


def test_what_does_not_say_what_must_be_reachable_is_unknown() -> None:
    """Such a document has always loaded."""
    found = verdict({"expect": "reachable", "from": "api", "to": "server"})
    assert found.status is Status.UNKNOWN
    assert found.unknown == ('it is not said what must reach server: add "protocol"',)
    found = verdict({"expect": "reachable", "from": "api", "to": ["server", DB]})
    assert (found.status, next(iter(pairs(found)))) == (Status.BROKEN, ("api", f"{DB} in subnet/data-a"))


def test_ping_is_reachable_if_echo_and_reply_pass() -> None:
    ping = {"expect": "reachable", "protocol": "icmp", "from": "api", "to": "server"}
    echo = {"protocol": "icmp", "icmp_type": 8, "source": "security_group/web"}
    assert status(ping, ("security_group.app.ingress", [echo])) == "kept"
    assert status(ping, ("security_group.app.ingress", [echo | {"icmp_type": 0}])) == "broken"


# Blocked.


def test_what_does_not_arrive_is_blocked() -> None:
    found = verdict(NO_INTERNET)
    assert (found.status, found.cases, found.severity) == (Status.KEPT, (), None)


def test_missing_replies_do_not_keep_anything_blocked() -> None:
    blocked = {"from": "api", "to": "server"}
    assert status(blocked, *acl([rule(443)], [OUT])) == "broken"


def test_blocked_is_about_the_protocol_and_ports_that_it_names() -> None:
    assert status({"from": "api", "to": "server", "protocol": "udp"}) == "kept"
    assert status({"from": "api", "to": "server", "protocol": "tcp", "ports": [22, "8001-65535"]}) == "kept"
    assert status({"from": "api", "to": "server", "protocol": "tcp", "ports": "22-8000"}) == "broken"


def test_blocked_icmp_is_every_type() -> None:
    unreachable = {"protocol": "icmp", "icmp_type": 3, "source": "0.0.0.0/0"}
    opened = ("security_group.app.ingress", [unreachable])
    assert status({"from": "api", "to": "server", "protocol": "icmp"}, opened) == "broken"
    assert status({"from": "api", "to": "server", "protocol": "icmpv6"}, opened) == "kept"


def test_one_packet_and_its_way_show_what_arrives() -> None:
    found = verdict({"from": "internet", "to": "api"})
    assert found.status is Status.BROKEN
    assert found.witness is not None
    assert str(found.witness).startswith("tcp 443 from ")
    assert [hop.component for hop in found.path if hop.member is not None] == [
        "route_table/public",
        "network_acl/all",
        "security_group/web",
    ]
    assert [hop.passes for hop in found.path] == [True] * len(found.path)


def test_a_public_address_that_nobody_knows_of_leaves_it_open() -> None:
    opened = (
        ("security_group.app.ingress", [OPEN]),
        ("route_table.private.subnets", ["subnet/data-a", "subnet/data-b"]),
        ("route_table.public.subnets", ["subnet/front", "subnet/back"]),
    )
    no_word = ("workloads.server.public_address", None)
    assert status(NO_INTERNET, *opened, no_word) == "unknown"
    assert status(NO_INTERNET, *opened, ("workloads.server.public_address", True)) == "broken"
    assert status(NO_INTERNET, *opened) == "kept"
    assert status(NO_INTERNET, *opened, no_word, ("subnet.back.map_public_ip_on_launch", True)) == "broken"


def test_the_front_door_without_a_word_about_its_public_address_is_unknown() -> None:
    found = verdict(FRONT_DOOR, ("subnet.front.map_public_ip_on_launch", None))
    assert (found.status, found.severity) == (Status.UNKNOWN, Severity.LOW)


def test_a_private_network_is_no_part_of_the_internet() -> None:
    assert status({"from": "internet", "to": "api"}, ("security_group.web.ingress", [rule(443, "10.0.0.0/8")])) == (
        "kept"
    )


PEERED = ("route_table.public.routes", {"0.0.0.0/0": "internet_gateway/door", "10.8.0.0/16": "pcx-0123456789abcdef0"})


def test_outside_is_also_what_a_peering_connection_leads_to() -> None:
    changes = (PEERED, ("security_group.web.ingress", [rule(22, "10.8.1.0/24")]))
    assert status({"from": "internet", "to": "api"}, *changes) == "kept"
    found = verdict({"from": "outside", "to": "api"}, *changes)
    assert found.status is Status.BROKEN
    assert list(pairs(found)) == [("behind pcx-0123456789abcdef0", "api")]


def test_anywhere_is_also_every_machine_of_the_vpc() -> None:
    found = verdict({"from": "anywhere", "to": "server"})
    assert list(pairs(found)) == [("api", "server")]
    assert found.severity is Severity.CRITICAL


def test_who_is_excepted_does_not_count() -> None:
    assert status({"from": "anywhere", "except": ["api"], "to": "server"}) == "kept"
    assert status({"from": "anywhere", "except": ["server"], "to": DB}) == "kept"
    assert status({"from": "anywhere", "except": ["api"], "to": DB}) == "broken"


def test_a_network_may_be_excepted_from_the_internet() -> None:
    office = ("security_group.web.ingress", [rule(22, "203.0.113.0/24")])
    blocked = {"from": "internet", "to": "api"}
    assert status(blocked | {"except": "203.0.113.0/24"}, office) == "kept"
    assert status(blocked | {"except": "203.0.113.0/25"}, office) == "broken"


def test_a_network_inside_the_vpc_is_the_machines_in_it() -> None:
    assert status({"from": "10.0.1.0/28", "to": "server"}) == "broken"
    assert status({"from": "10.0.4.0/24", "to": "server"}) == "kept"


def test_a_network_that_is_inside_and_outside_is_both() -> None:
    found = verdict({"from": "10.0.0.0/8", "to": "api"}, PEERED)
    assert set(pairs(found)) >= {("10.0.0.0/8", "api"), ("server", "api")}


def test_a_subnet_a_group_and_the_vpc_are_the_machines_in_them() -> None:
    for end in ("subnet/back", "security_group/app", "vpc/main"):
        found = verdict({"from": "api", "to": end})
        assert ("api", "server") in set(pairs(found))


def test_a_database_is_one_machine_wherever_it_is() -> None:
    opened = ("security_group.data.ingress", [OPEN]), ("security_group.data.egress", [OUT])
    assert status({"from": DB, "to": DB}, *opened) == "kept"
    assert list(pairs(verdict({"from": "anywhere", "except": ["api", "server"], "to": DB}, *opened))) == []


def test_machines_of_one_workload_are_several() -> None:
    assert status({"from": "server", "to": "server"}) == "kept"
    own = ("security_group.app.ingress", [rule(8000, "security_group/app")])
    assert status({"from": "server", "to": "server"}, own) == "broken"


# Only.


def test_only_is_kept_if_nothing_else_is_reached() -> None:
    assert status(ONLY) == "kept"


def test_only_is_broken_if_what_it_names_is_not_reached() -> None:
    found = verdict(ONLY, ("security_group.web.ingress", []))
    assert (found.status, found.severity) == (Status.BROKEN, Severity.HIGH)
    assert found.blockers
    assert found.witness is None


def test_only_is_broken_by_another_port_of_what_it_names() -> None:
    found = verdict(ONLY, ("security_group.web.ingress", [rule(443), rule(22, "198.51.100.7/32")]))
    assert (found.status, found.severity) == (Status.BROKEN, Severity.CRITICAL)
    assert str(found.witness).startswith("tcp 22 from 198.51.100.7 to 10.0.1.")


def test_only_is_broken_by_another_machine() -> None:
    found = verdict(
        ONLY,
        ("workloads.worker", {"subnets": ["subnet/front"], "security_groups": ["security_group/data"]}),
        ("security_group.data.ingress", [rule(5432), rule(5432, "security_group/app")]),
    )
    assert found.status is Status.BROKEN
    assert [pair for pair in pairs(found) if pair[1] == "worker"] == [("the internet", "worker")]


def test_only_is_unknown_if_a_machine_that_nobody_names_would_be_reached() -> None:
    debug = ("security_group.debug", {"ingress": [rule(22)], "egress": []})
    found = verdict(ONLY, debug)
    assert (found.status, found.severity) == (Status.UNKNOWN, Severity.LOW)
    assert list(pairs(found)) == [("the internet", "a machine with security_group/debug in subnet/front")]
    named = ("workloads.debug", {"subnets": ["subnet/front"], "security_groups": ["security_group/debug"]})
    assert status(ONLY, debug, named) == "broken"


NO_HTTPS_INSIDE = ("security_group.web.ingress", [rule(443, "203.0.113.0/24")])


def test_from_inside_only_blocks_the_other_machines() -> None:
    only = {"expect": "only", "from": "api", "to": "server", "protocol": "tcp", "ports": 8000}
    found = verdict(only, NO_HTTPS_INSIDE)
    assert found.status is Status.UNKNOWN
    assert {target for _, target in pairs(found)} == {
        f"a machine with security_group/app in subnet/{subnet}"
        for subnet in ("front", "data-a")  # data-b is no different
    }
    found = verdict(only, NO_HTTPS_INSIDE, ("security_group.data.ingress", [rule(5432, "security_group/web")]))
    assert (found.status, found.severity) == (Status.BROKEN, Severity.HIGH)
    assert [target for _, target in pairs(found)][:2] == [f"{DB} in subnet/data-a", f"{DB} in subnet/data-b"]


def test_only_towards_a_database_is_about_its_port() -> None:
    only = {"expect": "only", "from": "server", "to": DB}
    found = verdict(only, NO_HTTPS_INSIDE)
    assert {target for _, target in pairs(found)} == {
        f"a machine with security_group/data in subnet/{subnet}" for subnet in ("front", "back")
    }
    wider = ("security_group.data.ingress", [rule("5432-5433", "security_group/app")])
    found = verdict(only, NO_HTTPS_INSIDE, wider)
    assert found.status is Status.BROKEN
    assert str(found.witness).startswith("tcp 5433 from ")


# Nobody, and what is not known.


def test_what_must_be_reachable_and_has_nobody_is_unknown() -> None:
    found = verdict(TO_SERVER | {"to": "security_group/spare"}, ("security_group.spare", {"ingress": [OPEN]}))
    assert (found.status, found.nobody) == (Status.UNKNOWN, ("security_group/spare",))


def test_nobody_is_blocked() -> None:
    assert status({"from": "api", "to": "security_group/spare"}, ("security_group.spare", {"ingress": []})) == "kept"


def test_a_machine_that_may_be_in_a_blocked_group_leaves_it_open() -> None:
    spare = ("security_group.spare", {"ingress": [rule(22, "security_group/web")]})
    assert status({"from": "api", "to": "security_group/spare"}, spare) == "unknown"
    assert status({"from": "api", "to": "security_group/spare", "protocol": "udp"}, spare) == "kept"


def test_a_database_that_is_not_there_breaks_what_needs_it() -> None:
    found = document(network(intents=[TO_DATABASE, {"from": "internet", "to": DB}]))
    context = context_of(found)
    gone = context.topology.network.after([(PLACE_OF, Address(DB), None)])
    topology = replace(context.topology, network=gone, endpoints=context.topology.endpoints[:2])
    placed = context.placed._replace(absent=frozenset({DB}), endpoints=context.placed.endpoints[:2])
    needed, blocked = judge(found.intents, replace(context, topology=topology, placed=placed))
    assert (needed.status, needed.nobody) == (Status.BROKEN, (DB,))
    assert blocked.status is Status.KEPT


def test_too_many_pairs_are_not_judged() -> None:
    many = {f"w{n}": {"subnets": ["subnet/back"], "security_groups": ["security_group/app"]} for n in range(145)}
    found = document(
        network(("workloads.api", None), intents=[{"from": "vpc/main", "to": "vpc/main"}]) | {"workloads": many}
    )
    (verdict_,) = judge(found.intents, context_of(found))
    assert verdict_.status is Status.UNKNOWN
    assert verdict_.unknown == ("21609 pairs of ends are too many to judge: name the ends",)


def test_only_the_first_pairs_are_explained() -> None:
    many = {f"w{n}": {"subnets": ["subnet/back"], "security_groups": ["security_group/app"]} for n in range(30)}
    found = document(
        network(intents=[{"from": "api", "to": "security_group/app"}]) | {"workloads": many | network()["workloads"]}
    )
    (verdict_,) = judge(found.intents, context_of(found))
    assert (verdict_.count, len(verdict_.cases)) == (31, EXPLAINED)


def test_a_prefix_list_matches_perhaps_and_never_certainly() -> None:
    listed = ("security_group.app.ingress", [rule(8000, "pl-0123456789abcdef0")])
    assert status(TO_SERVER, listed) == "unknown"
    assert status({"from": "api", "to": "server"}, listed) == "unknown"


def test_strangers_that_nobody_could_look_for_leave_only_open() -> None:
    found = document(network(intents=[ONLY, FRONT_DOOR, {"from": "anywhere", "except": "api", "to": "server"}]))
    refused = "who else is there is not known: grant ec2:DescribeNetworkInterfaces"
    verdicts = judge(found.intents, replace(context_of(found), strangers=refused))
    assert [one.status for one in verdicts] == [Status.UNKNOWN, Status.KEPT, Status.UNKNOWN]
    assert verdicts[0].unknown == (refused,)


def test_what_belongs_to_another_document_is_not_known() -> None:
    written = network(("db_instance.orders", None), ("db_subnet_group.data", None), intents=[TO_DATABASE])
    written["external"] = {DB: {"document": "databases"}}
    (found,) = judge((whole := document(written)).intents, context_of(whole))
    assert found.status is Status.UNKNOWN
    assert found.unknown == (f"{DB} belongs to another document, so it is not known where it is",)


def test_a_subnet_of_another_document_has_filters_that_nobody_knows() -> None:
    written = network(
        ("subnet.back", None),
        ("route_table.private.subnets", ["subnet/data-a", "subnet/data-b"]),
        ("network_acl.all.subnets", ["subnet/front", "subnet/data-a", "subnet/data-b"]),
        intents=[TO_SERVER, {"from": "api", "to": "server", "protocol": "udp"}],
    )
    written["external"] = {"subnet/back": {"document": "network"}}
    verdicts = judge((whole := document(written)).intents, context_of(whole))
    assert [one.status for one in verdicts] == [Status.UNKNOWN, Status.UNKNOWN]


# What stands in for what nobody declares.

ASSUMED: list[tuple[list[tuple[str, Any]], dict[str, Any], str, str]] = [
    (
        [("network_acl.all", None)],
        TO_SERVER,
        "kept",
        "the VPC's default network ACL, which is not declared, lets everything through",
    ),
    (
        [("route_table.private", None)],
        TO_SERVER,
        "kept",
        "the VPC's main route table, which is not declared, has only its local route",
    ),
    (
        [("route_table.private", None)],
        {"from": "server", "to": "internet", "expect": "reachable", "protocol": "tcp"},
        "broken",
        "the VPC's main route table, which is not declared, has only its local route",
    ),
    (
        [("route_table.private.routes", None)],
        TO_SERVER,
        "kept",
        "route_table/private, whose routes are left out, has only its local route",
    ),
    (
        [("security_group.web.egress", None)],
        TO_SERVER,
        "kept",
        "security_group/web, whose egress is left out, lets everything out",
    ),
    (
        [("security_group.app.ingress", None)],
        TO_SERVER,
        "broken",
        "security_group/app, whose ingress is left out, lets in nothing",
    ),
    (
        [("network_acl.all.egress", None)],
        TO_SERVER,
        "kept",
        "network_acl/all, whose egress is left out, lets everything through",
    ),
    (
        [("network_acl.all.egress", None), ("network_acl.all.is_default", None)],
        TO_SERVER,
        "broken",
        "network_acl/all, whose egress is left out, denies everything",
    ),
    (
        [("db_instance.orders.vpc_security_groups", None)],
        {"from": "server", "to": DB},
        "kept",
        "the VPC's default security group, which is not declared, lets in its own members and everything out",
    ),
]


@pytest.mark.parametrize(("changes", "intent", "expected", "said"), ASSUMED, ids=[one[3][:60] for one in ASSUMED])
def test_a_verdict_says_what_it_rests_on(
    changes: list[tuple[str, Any]], intent: dict[str, Any], expected: str, said: str
) -> None:
    found = verdict(intent, *changes)
    assert (found.status, found.rests_on) == (Status(expected), (said,))


def test_what_aws_makes_may_as_well_be_declared() -> None:
    """A document that says nothing of what AWS makes by itself is judged as one that says it."""
    intents = [FRONT_DOOR, TO_SERVER, TO_DATABASE, NO_INTERNET, ONLY, {"from": "server", "to": "internet"}]
    silent = judged(
        ("network_acl.all", None),
        ("route_table.private", None),
        ("security_group.app.egress", None),
        intents=intents,
    )
    assert [one.status for one in silent] == [one.status for one in judged(intents=intents)]


def test_the_far_side_is_assumed_to_let_it_through() -> None:
    out = REACHABLE | {"from": "api", "to": "10.8.0.0/16", "ports": 443}
    found = verdict(out, PEERED)
    assert (found.status, found.rests_on) == (
        Status.KEPT,
        ("the far side of pcx-0123456789abcdef0 lets it through",),
    )


# IPv6 and NAT gateways.


def test_what_must_be_reachable_is_ipv4_and_what_is_blocked_is_both() -> None:
    assert status(FRONT_DOOR) == "kept"
    (found,) = judged(intents=[REACHABLE | {"from": "2001:db8::/32", "to": "api", "ports": 443}])
    assert found.status is Status.BROKEN


def test_a_nat_gateway_carries_if_its_subnet_is_known() -> None:
    out = REACHABLE | {"from": "server", "to": "internet", "ports": 443}
    nat = "nat-0123456789abcdef0"
    found = document(network(("route_table.private.routes", {"0.0.0.0/0": nat}), intents=[out]))
    context = context_of(found)
    assert [one.status for one in judge(found.intents, context)] == [Status.UNKNOWN]
    topology = replace(context.topology, nats={nat: Address("subnet/front")})
    assert [one.status for one in judge(found.intents, replace(context, topology=topology))] == [Status.KEPT]


# Severity.


@pytest.mark.parametrize(
    ("intent", "severity"),
    [
        ({"from": "internet", "to": "api"}, "critical"),
        ({"from": "anywhere", "to": "server"}, "critical"),
        ({"from": "outside", "to": "api"}, "critical"),
        ({"from": "203.0.113.0/24", "to": "api"}, "critical"),
        ({"from": "api", "to": "server"}, "high"),
        (TO_SERVER | {"ports": 22}, "high"),
        (TO_SERVER | {"ports": 22, "severity": "low"}, "low"),
        ({"from": "internet", "to": "api", "severity": "medium"}, "medium"),
    ],
)
def test_the_severity_follows_from_who_is_exposed_or_is_written(intent: dict[str, Any], severity: str) -> None:
    found = verdict(intent)
    assert (found.status, found.severity) == (Status.BROKEN, Severity(severity))


def test_a_severity_is_not_that_of_what_is_unknown() -> None:
    found = verdict(FRONT_DOOR | {"severity": "critical"}, ("subnet.front.map_public_ip_on_launch", None))
    assert (found.status, found.severity) == (Status.UNKNOWN, Severity.LOW)


# Mends.


def test_the_mend_of_one_intent_mends_it() -> None:
    found = document(network(*acl([rule(443)], [OUT]), intents=[TO_SERVER]))
    context = context_of(found)
    (broken,) = judge(found.intents, context)
    assert broken.mends
    mended = after(context, [(mend.cell, mend.member, mend.value) for mend in broken.mends])
    assert [one.status for one in judge(found.intents, mended)] == [Status.KEPT]


def test_a_mend_that_would_break_another_intent_says_so() -> None:
    ssh = TO_SERVER | {"name": "operators get in", "ports": 22}
    shut = {"name": "nobody from the front", "from": "10.0.1.0/24", "to": "server", "protocol": "tcp", "ports": 22}
    found = document(network(intents=[ssh, shut, FRONT_DOOR]))
    context = context_of(found)
    verdicts = judge(found.intents, context)
    mending = together(verdicts, context)
    assert mending is not None
    assert (mending.mended, mending.broken, mending.breaks) == (1, 1, ("nobody from the front",))


def test_mends_of_one_side_of_an_acl_get_numbers_of_their_own() -> None:
    found = document(
        network(
            *acl([rule(443)], [OUT]),
            ("network_acl.shut", {"subnets": ["subnet/back"], "ingress": {}, "egress": {}}),
            ("network_acl.all.subnets", ["subnet/data-a", "subnet/data-b"]),
            ("security_group.app.ingress", [rule(8000, "security_group/web"), rule(53, "security_group/web", "udp")]),
            intents=[TO_SERVER, {"from": "api", "to": "server", "expect": "reachable", "protocol": "udp", "ports": 53}],
        )
    )
    context = context_of(found)
    mending = together(judge(found.intents, context), context)
    assert mending is not None
    assert (mending.mended, mending.broken) == (2, 2)
    assert len({(mend.cell, mend.member) for mend in mending.mends}) == len(mending.mends)


def test_what_is_kept_has_no_mend() -> None:
    found = document(network(intents=[FRONT_DOOR]))
    context = context_of(found)
    assert together(judge(found.intents, context), context) is None


# A network that somebody looked at.


def test_a_database_that_could_not_be_read_is_not_absent() -> None:
    found = document(network(intents=[TO_DATABASE]))
    context = context_of(found)
    effects = [(PLACE_OF, Address(DB), None), (GROUPS_OF, Address(DB), None), (UNREADABLE, Address(DB), True)]
    seen = context.topology.network.after(effects)
    there = placed(found, seen)
    assert there.unknown == {DB: f"{DB} could not be read, so it is not known where it is"}
    assert there.absent == frozenset()
    assert placed(found, context.topology.network.after(effects[:2])).absent == {DB}


def test_nobody_is_in_a_declared_subnet_that_is_not_there() -> None:
    found = document(network(intents=[TO_SERVER]))
    seen = context_of(found).topology.network.after([(SUBNETS, Address("subnet/back"), None)])
    there = placed(found, seen)
    assert "server" not in {one.owner for one in there.endpoints}
    assert there.unknown == {}
    blind = placed(found, seen.after([(UNREADABLE, Address("subnet/back"), True)]))
    assert blind.unknown == {"server": "server is in subnet/back, whose network is not known"}


def test_a_prefix_list_behind_a_transit_gateway_may_be_any_network_of_ones_own() -> None:
    routes = {"0.0.0.0/0": "internet_gateway/door", "pl-0123456789abcdef0": "tgw-0123456789abcdef0"}
    changes = ("route_table.public.routes", routes), ("security_group.web.ingress", [rule(22, "192.168.7.0/24")])
    assert status({"from": "outside", "to": "api"}, *changes) == "unknown"
    assert status({"from": "internet", "to": "api"}, *changes) == "kept"


# The same machines under two names.

TWIN = ("workloads.twin", {"subnets": ["subnet/front"], "security_groups": ["security_group/web"]})


def test_only_does_not_take_a_second_name_for_another_machine() -> None:
    assert status(ONLY, TWIN) == "kept"


def test_who_is_excepted_is_excepted_under_every_name() -> None:
    assert status({"from": "anywhere", "except": "api", "to": "server"}, TWIN) == "kept"


def test_a_database_is_no_second_name_for_a_workload() -> None:
    beside = ("workloads.beside", {"subnets": ["subnet/data-a"], "security_groups": ["security_group/data"]})
    opened = (
        ("security_group.data.egress", [OUT]),
        ("security_group.data.ingress", [rule(5432, "security_group/data")]),
    )
    assert status({"from": "anywhere", "except": "beside", "to": DB}, beside, *opened) == "kept"
    assert status({"from": "anywhere", "except": "server", "to": DB}, beside, *opened) == "broken"


def test_only_to_a_subnet_is_about_the_machines_that_may_be_in_it() -> None:
    only = {"expect": "only", "from": "internet", "to": "subnet/front", "protocol": "tcp", "ports": [22, 443]}
    debug = ("security_group.debug", {"ingress": [rule(22)], "egress": []})
    both = ("security_group.web.ingress", [rule(22), rule(443)])
    assert status(only, both, debug) == "kept"
    assert status(only | {"ports": 443}, debug) == "unknown"
