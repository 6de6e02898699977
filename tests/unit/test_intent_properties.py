"""What is true of every judgement, on random networks: what an added rule can do, and what changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.load import load
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.network import Cell, Table
from tests.support.intents import DB, after, context_of, network
from tests.support.sampling import sampled

SEEDS = sampled(range(240), 30, seed="intents")
CIDRS = ("0.0.0.0/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/25", "10.8.0.0/16", "203.0.113.0/24", "198.51.100.7/32")
RANGES: tuple[int | str, ...] = (22, 443, 5432, 8000, "1024-65535", "0-65535", "32768-65535", "400-9000")
GROUPS = ("security_group/web", "security_group/app", "security_group/data")
PREFIX_LIST = "pl-0123456789abcdef0"
ENDS = ("internet", "outside", "anywhere", "api", "server", DB, "subnet/back", "security_group/app", *CIDRS[2:])
INSIDE = ("api", "server", DB, "subnet/back", "vpc/main")

World = dict[str, Any]


def traffic(random: Random) -> dict[str, Any]:
    protocol = random.choice(("tcp", "tcp", "tcp", "udp", "icmp", "all"))
    return {"protocol": protocol} | ({"ports": random.choice(RANGES)} if protocol in {"tcp", "udp"} else {})


def rules(random: Random, end: str) -> list[dict[str, Any]]:
    peers = (*CIDRS, *GROUPS, PREFIX_LIST)
    found = {
        json.dumps(one, sort_keys=True): one
        for one in (traffic(random) | {end: random.choice(peers)} for _ in range(random.randint(0, 4)))
    }
    return list(found.values())


def acl(random: Random, end: str) -> dict[str, Any]:
    numbers = sorted(random.sample(range(10, 300, 10), random.randint(1, 4)))
    some = {
        str(number): {"action": random.choice(("allow", "allow", "deny"))}
        | traffic(random)
        | {end: random.choice(CIDRS)}
        for number in numbers
    }
    return some | {"1000": {"action": "allow", "protocol": "all", end: "0.0.0.0/0"}} if random.random() < 0.7 else some


def world(random: Random) -> World:
    """A random network, whose intents are added afterwards."""
    changes: list[tuple[str, Any]] = [
        ("network_acl.all.subnets", ["subnet/data-b"]),
        ("subnet.back.map_public_ip_on_launch", random.choice((True, None))),
        ("workloads.server.public_address", random.choice((True, False, None))),
        ("db_instance.orders.vpc_security_groups", random.sample(GROUPS, random.randint(1, 2))),
        (
            "workloads.both",
            {
                "subnets": random.sample(["subnet/front", "subnet/back", "subnet/data-a"], 2),
                "security_groups": ["security_group/app", "security_group/data"],
                "client_ports": random.choice(("32768-60999", "1024-65535")),
            },
        ),
    ]
    targets = ("internet_gateway/door", "pcx-0123456789abcdef0", "nat-0123456789abcdef0", "tgw-0123456789abcdef0")
    for table in ("public", "private"):
        chosen = random.sample(("0.0.0.0/0", "10.8.0.0/16", "203.0.113.0/24"), random.randint(0, 3))
        routes = {to: random.choice(targets[:2] if random.random() < 0.6 else targets) for to in chosen}
        changes.append((f"route_table.{table}.routes", routes))
    for group in ("web", "app", "data"):
        changes.append((f"security_group.{group}.ingress", rules(random, "source")))
        if random.random() < 0.6:
            changes.append((f"security_group.{group}.egress", rules(random, "destination")))
    for subnet in ("front", "back", "data-a"):
        sides = {"ingress": acl(random, "source"), "egress": acl(random, "destination")}
        changes.append((f"network_acl.{subnet}", {"subnets": [f"subnet/{subnet}"]} | sides))
    return network(*changes)


def intent(random: Random, expect: str) -> dict[str, Any]:
    """A random intent that loads: `only` has no end on both sides."""
    found: dict[str, Any] = {"name": f"{expect} {random.random()}", "expect": expect}
    source = random.choice(ENDS)
    to = random.choice([end for end in INSIDE if end != source])
    found |= {"from": source, "to": to}
    if expect != "blocked" or random.random() < 0.5:
        found |= {"protocol": random.choice(("tcp", "udp", "icmp"))}
        if found["protocol"] != "icmp":
            found["ports"] = random.choice((443, 5432, [22, 8000], "1024-2000"))
    return found


def judged(document: World, intents: Iterable[dict[str, Any]]) -> tuple[list[Verdict], JudgeContext]:
    """Each intent in a document of its own, since together they may contradict one another; one context for all."""
    verdicts: list[Verdict] = []
    context: JudgeContext | None = None
    for one in intents:
        loaded = load(json.dumps(document | {"intents": [one]}).encode(), "random.json")
        context = context or context_of(loaded)
        verdicts += judge(loaded.intents, context)
    assert context is not None
    return verdicts, context


def statuses(verdicts: Iterable[Verdict]) -> list[Status]:
    return [one.status for one in verdicts]


def cells(context: JudgeContext, table: Table) -> list[Cell]:
    return sorted((cell for cell in context.topology.network.cells if cell.table is table), key=str)


def some_intents(random: Random) -> list[dict[str, Any]]:
    return [intent(random, expect) for expect in ("reachable", "blocked") * 4]


ORDER = {
    "reachable": [Status.BROKEN, Status.UNKNOWN, Status.KEPT],
    "blocked": [Status.KEPT, Status.UNKNOWN, Status.BROKEN],
}
"""What more packets can do: a status never moves to the left."""


@pytest.mark.parametrize("seed", SEEDS)
def test_what_allows_more_breaks_no_flow_and_keeps_nothing_out(seed: int) -> None:
    random = Random(seed)
    document = world(random)
    verdicts, context = judged(document, some_intents(random))
    for _ in range(4):
        written = traffic(random)
        first, last = (int(one) for one in (str(written.get("ports", "0-0")).split("-") * 2)[:2])
        ported = "ports" in written
        clause = (written["protocol"], first if ported else -1, last if ported else -1, random.choice(CIDRS))
        if random.random() < 0.5:
            cell = random.choice(cells(context, Table.RULES))
            allowed = after(context, [(cell, RuleKey(*clause), True)])
        else:
            cell = random.choice(cells(context, Table.ENTRIES))
            number = next(n for n in range(random.randint(1, 900), 32766) if n not in context.topology.network[cell])
            allowed = after(context, [(cell, number, AclEntry("allow", *clause))])
            denied = after(context, [(cell, number, AclEntry("deny", *clause))])
            never_left(judge([one.intent for one in verdicts], denied), verdicts)
        never_left(verdicts, judge([one.intent for one in verdicts], allowed))


def never_left(fewer: Iterable[Verdict], more: Iterable[Verdict]) -> None:
    for one, other in zip(fewer, more, strict=True):
        order = ORDER[one.intent.expect]
        assert order.index(one.status) <= order.index(other.status), one.intent


def halves(cidr: str) -> list[str]:
    parsed = ip_network(cidr)
    return [cidr] if parsed.prefixlen == 32 else list(map(str, parsed.subnets()))


def split_ports(written: dict[str, Any]) -> list[dict[str, Any]]:
    ports = written.get("ports")
    if not isinstance(ports, str):
        return [written]
    first, last = map(int, ports.split("-"))
    middle = (first + last) // 2
    return [
        written | {"ports": low if low == high else f"{low}-{high}"}
        for low, high in ((first, middle), (middle + 1, last))
    ]


def rewritten(document: World) -> World:
    """The same network in other words: networks and ports in halves, entries under other numbers in the same order, and
    the rules of one of two groups that are always carried together in the other.
    """
    other = deepcopy(document)
    for group in other["resources"]["security_group"].values():
        for side, end in (("ingress", "source"), ("egress", "destination")):
            if side in group:
                found = [
                    half | {end: cidr}
                    for one in group[side]
                    for half in split_ports(one)
                    for cidr in (halves(half[end]) if half[end][0].isdigit() else [half[end]])
                ]
                group[side] = list({json.dumps(one, sort_keys=True): one for one in found}.values())
    for one in other["resources"]["network_acl"].values():
        for side, end in (("ingress", "source"), ("egress", "destination")):
            found = [
                half | {end: cidr}
                for _, entry in sorted(one[side].items(), key=lambda item: int(item[0]))
                for half in split_ports(entry)
                for cidr in halves(half[end])
            ]
            one[side] = {str(7 + 3 * n): entry for n, entry in enumerate(found[:19])} if len(found) < 20 else one[side]
    return other


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_network_in_other_words_is_judged_the_same(seed: int) -> None:
    random = Random(seed)
    document = world(random)
    intents = [*some_intents(random), intent(random, "only")]
    assert statuses(judged(rewritten(document), intents)[0]) == statuses(judged(document, intents)[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_may_stand_in_either_group_of_one_machine(seed: int) -> None:
    """Two groups that are no peers, and that only machines with both have."""
    random = Random(seed)
    document = world(random)
    moved = deepcopy(document)
    for side, end in (("ingress", "source"), ("egress", "destination")):
        some = {json.dumps(one): one for one in (*rules(random, end), *rules(random, end))}
        cut = random.randint(0, len(some))
        for written, at in ((document, cut), (moved, 0)):
            listed = list(some.values())
            groups = written["resources"]["security_group"]
            groups.setdefault("left", {})[side] = listed[:at]
            groups.setdefault("right", {})[side] = listed[at:]
    for written in (document, moved):
        written["workloads"]["pair"] = {
            "subnets": ["subnet/front", "subnet/back"],
            "security_groups": ["security_group/left", "security_group/right"],
            "public_address": True,
        }
    intents = [one | {random.choice(("from", "to")): "pair"} for one in some_intents(random)]
    intents = [one for one in intents if one["from"] != one["to"]]
    assert statuses(judged(moved, intents)[0]) == statuses(judged(document, intents)[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_only_is_its_parts(seed: int) -> None:
    random = Random(seed)
    document = world(random)
    ports = sorted(random.sample(range(20, 9000), 2))
    owners = ["api", "server", "both", DB]
    named = random.choice(owners)
    source = random.choice(("internet", "outside", "203.0.113.0/24", *(one for one in owners if one != named)))
    asked: dict[str, Any] = {"from": source, "protocol": "tcp"}
    only = asked | {"name": "only", "to": named, "ports": f"{ports[0]}-{ports[1]}", "expect": "only"}
    parts = [only | {"expect": "reachable"}]
    rest: list[dict[str, Any]] = [{"protocol": "tcp", "ports": [f"0-{ports[0] - 1}", f"{ports[1] + 1}-65535"]}]
    rest += [{"protocol": one} for one in ("udp", "icmp")]
    parts += [{"name": "rest", "from": source, "to": named, "expect": "blocked"} | one for one in rest]
    parts += [{"name": "other", "from": source, "to": other, "expect": "blocked"} for other in owners if other != named]
    verdicts, context = judged(document, [only, *parts])
    (whole,) = judge([verdicts[0].intent], replace(context, possible=()))
    found = set(statuses(verdicts[1:]))
    expected = next(one for one in (Status.BROKEN, Status.UNKNOWN, Status.KEPT) if one in found)
    assert whole.status is expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mend_mends(seed: int) -> None:
    """What is still in the way, after everything that can be added is, is what no rule or entry mends."""
    random = Random(seed)
    document = world(random)
    verdicts, context = judged(document, [intent(random, "reachable") for _ in range(6)])
    for verdict in verdicts:
        unmended = {one for case in verdict.cases for one in case.blockers if not one.mends}
        if verdict.status is Status.BROKEN and not unmended and not verdict.nobody:
            mended = context
            for _ in verdict.cases:
                (now,) = judge([verdict.intent], mended)
                mended = after(
                    mended,
                    [
                        (one.cell, one.member, one.value)
                        for case in now.cases[:1]
                        for b in case.blockers
                        for one in b.mends
                    ],
                )
            (now,) = judge([verdict.intent], mended)
            assert now.status is Status.KEPT, verdict.intent


@pytest.mark.parametrize("seed", SEEDS)
def test_a_packet_that_arrives_is_one_that_must_not_and_passes_every_hop(seed: int) -> None:
    random = Random(seed)
    verdicts, _ = judged(world(random), [intent(random, expect) for expect in ("blocked", "blocked", "only")])
    for verdict in verdicts:
        for case in verdict.cases:
            if case.exposed:
                assert case.path is not None
                if case.path.certain:  # it may be the machine that is not certain
                    assert [hop for hop in case.path.hops if hop.passes is not True] == []
                else:
                    assert [hop for hop in case.path.hops if hop.passes is None] != []
                assert [hop for hop in case.path.hops if hop.reply] == []


def test_the_random_networks_have_verdicts_of_every_kind() -> None:
    """A property that only meets broken intents shows nothing."""
    found: dict[tuple[str, Status], int] = {}
    for seed in range(20):
        random = Random(seed)
        verdicts, _ = judged(world(random), [intent(random, e) for e in ("reachable", "blocked", "only") * 3])
        for one in verdicts:
            key = one.intent.expect, one.status
            found[key] = found.get(key, 0) + 1
    assert {expect: set(Status) for expect in ("reachable", "blocked")} == {
        expect: {status for other, status in found if other == expect} for expect in ("reachable", "blocked")
    }
    assert Address("only") in {expect for expect, _ in found}
