"""What another state of the network changes from end to end, beside a walk of every packet through both states."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import box, join, less
from reconciler.reach.compare import FlowChange, changes, is_grave, severity
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.machines import is_anybody
from reconciler.reach.network import Network, rules
from reconciler.reach.pair.ends import Endpoint, External, Ranges, internet
from reconciler.report.flows import as_json, told, traffic_of
from tests.support.altered import altered
from tests.support.changed import disagreements, random_states
from tests.support.intents import OUT, context_of, document, network, rule
from tests.support.sampling import sampled

WORLDS, PAIRS = 16, 4
MOST = 300
"""Worlds until a mutant must have been noticed."""


@dataclass(frozen=True)
class Mutant:
    """One change of the source: this text, which stands there once, becomes another. `seed` is a world in which it
    shows, as of when it was written.
    """

    name: str
    old: str
    new: str
    seed: int = 0


MUTANTS = (
    Mutant(
        "addresses are not split where a filter tells them apart",
        "pairwise((0, *edges, BEYOND) if cuts else ())",
        "pairwise((0, BEYOND) if cuts else ())",
    ),
    Mutant(
        "pieces of an end are put together whatever they are paired with",
        "to = families[bool(source.ipv6)]",
        "to = families[0]; source = target = source | target",
        24,
    ),
    Mutant(
        "a region is skipped", "if not (target & at_sources or source & at_targets):", "if not target & at_sources:", 6
    ),
    Mutant(
        "the addresses of other ends are forgotten",
        "found |= self._by_group[group]",
        "found = self._by_group[group]",
        49,
    ),
    Mutant("replies are not asked for", "lost.append(asked)", "pass", 37),
    Mutant("only lost replies of TCP count", 'for name in ("tcp", "udp"):', 'for name in ("tcp",):', 37),
    Mutant(
        "what is not certain counts as certain", "surely = less(new[0], old[1]) if certain else ()", "surely = cuts"
    ),
    Mutant("what was not known counts as closed", "cuts = less(new[1], old[1])", "cuts = less(new[1], old[0])", 3),
    Mutant("an end that changes is not touched", "self._everywhere or both[0] != both[1]", "self._everywhere", 7),
    Mutant(
        "a route that changes is no change", "yield from (routes(table), routes_by_aws(table))", "yield from ()", 30
    ),
    Mutant("an association that changes is no change", "if cells != others or", "if", 18),
    Mutant("a gateway that changes is no change", "cell in _EVERYWHERE or", "", 11),
    Mutant("a filter of a NAT gateway is none of the machine", "or not self._changed.isdisjoint(nats[0])", "", 203),
    Mutant(
        "the filters of a NAT gateway split nothing",
        "for at in {subnet for _, subnet in places} | nats:",
        "for at in {subnet for _, subnet in places}:",
        1315,
    ),
    Mutant("one direction is forgotten", "yield from self._between(both, one)", "pass", 6),
)


MODULES = ("reconciler.reach.machines", "reconciler.reach.compare")


def mutated(mutant: Mutant) -> Callable[[JudgeContext, JudgeContext], tuple[FlowChange, ...]]:
    module = next(name for name in MODULES if mutant.old in Path(str(sys.modules[name].__file__)).read_text())
    found: Any = altered(MODULES, module, mutant.old, mutant.new)[MODULES[1]].changes
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(WORLDS))
def test_what_is_told_of_two_states_is_what_every_packet_shows(seed: int) -> None:
    random = Random(seed)
    before, now = random_states(random)
    assert list(disagreements(before, now, changes, random, PAIRS)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(WORLDS, 500))
def test_what_is_told_of_all_pairs_of_two_states_is_what_every_packet_shows(seed: int) -> None:
    random = Random(seed)
    before, now = random_states(random)
    assert list(disagreements(before, now, changes, random)) == []


@pytest.mark.parametrize("mutant", sampled(MUTANTS, 4, seed="mutants", ids=[mutant.name for mutant in MUTANTS]))
def test_the_walk_notices_that(mutant: Mutant) -> None:
    changed = mutated(mutant)
    for seed in range(mutant.seed, mutant.seed + MOST):
        random = Random(seed)
        before, now = random_states(random)
        if next(disagreements(before, now, changed, random), None):
            return
    pytest.fail(f"nobody noticed in {MOST} worlds")


WEB = Address("security_group/web")
TCP_22 = box("tcp", 22, 22, "::/0").cuts
OUTSIDE = internet(["10.0.0.0/16"])


# By hand: what nobody has looked at, severities.


def between(
    *edits: tuple[str, Any], looked: bool = False, before: tuple[tuple[str, Any], ...] = ()
) -> list[FlowChange]:
    """What edits of the document of `tests/support/intents.py` change; not `looked`: others may be there, too."""
    was, now = (context_of(document(network(*some))) for some in (before, (*before, *edits)))
    if looked:
        was, now = replace(was, possible=()), replace(now, possible=())
    return list(changes(was, now))


SPARE = "machines with security_group/spare in"
EVERYWHERE = "subnet/back, subnet/data-a, subnet/data-b and subnet/front"


def test_a_group_that_nobody_is_known_to_carry_is_judged_in_every_subnet_only_if_nobody_has_looked() -> None:
    spare = ("security_group.spare", {"ingress": [rule(22)], "egress": []})
    assert between(spare, looked=True) == []
    assert told(between(spare)) == [
        f"tcp 22 from the internet can reach {SPARE} subnet/front",
        f"tcp 22 from api, server and machines in 4 subnets can reach {SPARE} {EVERYWHERE}",
    ]


def test_a_rule_between_two_such_groups_is_about_a_machine_of_each() -> None:
    one: tuple[str, Any] = ("security_group.spare", {"ingress": [], "egress": []})
    other = ("security_group.other", {"ingress": [], "egress": [OUT]})
    opened = ("security_group.spare.ingress", [rule(22, "security_group/other")])
    assert told(between(opened, before=(one, other))) == [
        f"tcp 22 from machines with security_group/other in {EVERYWHERE} can reach {SPARE} {EVERYWHERE}"
    ]


def test_what_an_unknown_machine_lets_through_is_never_certain() -> None:
    found = between(("security_group.data.egress", [OUT]))
    to_anybody = [one for one in found if is_anybody(one.target)]
    assert to_anybody
    assert not any(one.certain for one in to_anybody)


def test_a_subnet_that_gets_another_acl_is_judged_with_all_groups_that_its_machines_may_carry() -> None:
    spare = ("security_group.spare", {"ingress": [rule(22)], "egress": []})
    closed = [
        ("network_acl.all.subnets", ["subnet/back", "subnet/data-a", "subnet/data-b"]),
        ("network_acl.shut", {"subnets": ["subnet/front"], "ingress": {}, "egress": {}}),
    ]
    closes = f"tcp 22 from the internet, server and machines in 3 subnets cannot reach {SPARE} subnet/front"
    assert closes in told(between(*closed, before=(spare,)))


def test_a_filter_that_was_not_known_and_has_nothing_now_is_a_change() -> None:
    known = context_of(document(network(("security_group.web.ingress", []))))
    state = known.topology.network
    unknown = Network(cells={cell: of for cell, of in state.cells.items() if cell != rules(WEB, "ingress")})
    found = changes(replace(known, topology=known.topology.after(unknown), possible=()), replace(known, possible=()))
    assert "all traffic from the internet cannot reach api" in told(
        one for one in found if isinstance(one.source, External)
    )
    assert not any(one.certain for one in found)


def test_the_same_machine_has_nothing_to_say_to_itself() -> None:
    itself = ("security_group.data.ingress", [rule(5432, "security_group/app"), rule(22, "security_group/data")])
    opened = between(itself, before=(("security_group.data.egress", [OUT]),), looked=True)
    assert told(opened) == []


@pytest.mark.parametrize("port", [22, 3389, 3306, 5432, 1433, 6379, 27017, 9200, 8080, 443])
def test_only_the_ports_by_which_machines_are_managed_are_critical_from_the_internet(port: int) -> None:
    found = between(("security_group.web.ingress", [rule(port)]), ("security_group.web.egress", []), looked=True)
    grave = [severity(one) for one in found if one.opened and isinstance(one.source, External)]
    critical = port not in {8080, 443}
    assert grave == ([Severity.CRITICAL if critical else Severity.HIGH] if port != 443 else [])
    assert [is_grave(one) for one in found if severity(one) is Severity.CRITICAL] == [True] * critical


def test_any_port_of_a_database_is_critical_from_the_internet() -> None:
    found = between(
        ("security_group.data.ingress", [rule(8080)]),
        ("db_instance.orders.publicly_accessible", True),
        ("route_table.public.subnets", ["subnet/front", "subnet/data-a", "subnet/data-b"]),
        ("route_table.private.subnets", ["subnet/back"]),
        looked=True,
    )
    assert {severity(one) for one in found if one.opened and isinstance(one.source, External)} == {Severity.CRITICAL}


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("security_group.web.ingress", []), {Severity.HIGH}),  # cut
        (("security_group.data.egress", [OUT]), {Severity.MEDIUM}),  # to a machine
        (("route_table.private.routes", {"172.16.0.0/12": "pcx-0123456789abcdef0"}), {Severity.MEDIUM}),  # outwards
        (
            ("security_group.app.ingress", [rule(8000, "security_group/web"), rule(22, "10.0.0.0/16")]),
            {Severity.MEDIUM},
        ),
        (("security_group.data.ingress", [rule("5432-5433", "security_group/app")]), {Severity.HIGH}),  # a database
    ],
)
def test_how_bad_another_flow_is(edit: tuple[str, Any], wanted: set[Severity]) -> None:
    assert {severity(one) for one in between(edit, looked=True)} == wanted


def test_a_network_beside_the_vpc_is_one_end_though_routes_to_it_differ() -> None:
    peer = "pcx-0123456789abcdef0"
    before = (("route_table.private.routes", {"172.16.0.0/16": peer}),)
    found = between(("route_table.private.routes", {"172.16.0.0/15": peer}), before=before, looked=True)
    assert told(found) == [f"all traffic from server can reach 172.17.0.0/16 behind {peer}"]


# The words.


def flow(**fields: Any) -> FlowChange:
    machines = Endpoint("api in subnet/a", Address("subnet/a"), frozenset(), Ranges.of("10.0.1.0/24"), owner="api")
    wanted: dict[str, Any] = {"source": OUTSIDE, "target": machines, "traffic": TCP_22, "opened": True, "certain": True}
    return FlowChange(**(wanted | fields))


@pytest.mark.parametrize(
    ("one", "now", "past"),
    [
        (flow(), "tcp 22 from the internet can reach api", "tcp 22 from the internet could reach api"),
        (
            flow(certain=False),
            "tcp 22 from the internet may reach api",
            "tcp 22 from the internet may have reached api",
        ),
        (
            flow(opened=False),
            "tcp 22 from the internet cannot reach api",
            "tcp 22 from the internet could not reach api",
        ),
        (
            flow(opened=False, replies=True),
            "replies to tcp 22 from the internet do not come back from api",
            "replies to tcp 22 from the internet did not come back from api",
        ),
        (
            flow(source=flow().target),
            "tcp 22 can pass between machines of api",
            "tcp 22 could pass between machines of api",
        ),
        (
            flow(source=flow().target, certain=False),
            "tcp 22 may pass between machines of api",
            "tcp 22 may have passed between machines of api",
        ),
    ],
)
def test_the_words_for_one_flow(one: FlowChange, now: str, past: str) -> None:
    assert told([one]) == [now]
    assert told([one], past=True) == [past]


@pytest.mark.parametrize(
    ("clauses", "words"),
    [
        ([("tcp", 80, 80), ("tcp", 443, 443), ("udp", 0, 65535)], "tcp 80, tcp 443 and udp"),
        ([("icmp", 8, 0)], "icmp type 8 code 0"),
        ([("icmp", 8, -1)], "icmp type 8"),
        ([("icmp", 3, code) for code in (1, 2)], "icmp type 3 codes 1-2"),
        ([("icmp", kind, -1) for kind in (3, 4, 8)], "icmp types 3-4 and icmp type 8"),
        ([("icmp", 3, 255), ("icmp", 4, 0)], "icmp type 3 code 255 and icmp type 4 code 0"),
        (
            [("icmp", 3, 255), ("icmp", 4, -1), ("icmp", 5, 0)],
            "icmp type 3 code 255, icmp type 4 and icmp type 5 code 0",
        ),
        ([("47", -1, -1)], "protocol 47"),
        ([("all", -1, -1)], "all traffic"),
        ([("tcp", number, number) for number in (1, 3, 5, 7, 9, 11)], "tcp 1, tcp 3, tcp 5 and 3 more"),
    ],
)
def test_the_words_for_traffic(clauses: list[tuple[str, int, int]], words: str) -> None:
    assert traffic_of(join(*(box(*clause, "::/0").cuts for clause in clauses))) == words


def test_the_words_for_all_of_icmp_but_one_code() -> None:
    all_but = less(box("icmp", -1, -1, "::/0").cuts, box("icmp", 3, 4, "::/0").cuts)
    assert traffic_of(all_but) == "icmp types 0-2, icmp type 3 codes 0-3, icmp type 3 codes 5-255 and icmp types 4-255"


def test_a_name_that_is_written_to_deceive_is_told_without_its_power() -> None:
    nasty = "sg-\x1b[31m\u202eevil\n"
    one = flow(source=Endpoint(nasty, Address("subnet/a"), frozenset({Address(nasty)}), Ranges.of("10.0.1.0/24")))
    for text in (*told([one]), *map(str, as_json(one).values())):
        assert not set("\x1b\u202e\n") & set(text)
