"""What intents may say: what loads, as what, and what is refused where it stands."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from desired_state.document import Document
from desired_state.intents import Intent, Ports, Workload
from desired_state.load import load
from desired_state.schema import schema
from tests.support.documents import DOCUMENT, said_of

WORKLOADS = {
    "api": {"subnets": ["subnet/a"], "security_groups": ["security_group/web"]},
    "worker": {"subnets": ["subnet/a", "subnet/c"], "security_groups": ["security_group/web", "security_group/db"]},
    "far": {"subnets": ["subnet/c"], "security_groups": ["security_group/web"]},
}
DB = "db_instance/orders"


def text_of(*intents: dict[str, Any], workloads: dict[str, Any] | None = None) -> str:
    """The document with these intents, one a line: the first stands in line 3."""
    document = json.loads(DOCUMENT)
    del document["intents"], document["exceptions"]
    document["workloads"] = WORKLOADS if workloads is None else workloads
    lines = ",\n".join(
        json.dumps({"name": f"i{number}", "from": "internet", "to": "api", "expect": "blocked"} | intent)
        for number, intent in enumerate(intents)
    )
    return f'{{\n"intents": [\n{lines}\n],\n{json.dumps(document)[1:]}'


def loaded(*intents: dict[str, Any], workloads: dict[str, Any] | None = None) -> Document:
    return load(text_of(*intents, workloads=workloads).encode(), "shop.json")


def refused(*intents: dict[str, Any], workloads: dict[str, Any] | None = None) -> list[str]:
    return said_of(text_of(*intents, workloads=workloads))


# What loads.


def test_one_end_or_port_is_a_list_of_one() -> None:
    (one, several) = loaded(
        {"protocol": "tcp", "ports": 443},
        {"from": ["internet", "outside"], "to": ["api", DB], "protocol": "tcp", "ports": [80, "8000-8080"]},
    ).intents
    assert (one.source, one.to, one.ports) == (("internet",), ("api",), ((443, 443),))
    assert (several.source, several.to) == (("internet", "outside"), ("api", DB))
    assert several.ports == ((80, 80), (8000, 8080))


def test_what_is_left_out() -> None:
    (intent,) = loaded({}).intents
    assert (intent.excluding, intent.protocol, intent.ports, intent.severity) == (None, None, None, None)
    assert intent.enforcement == "hold"
    workload = loaded().workloads["api"]
    assert (workload.public_address, workload.client_ports) == (None, None)


def test_a_workload_may_say_its_public_address_and_its_client_ports() -> None:
    workloads = {"api": WORKLOADS["api"] | {"public_address": True, "client_ports": "32768-60999"}}
    workload = loaded(workloads=workloads).workloads["api"]
    assert workload.public_address is True
    assert workload.client_ports == ((32768, 60999),)


def test_every_kind_of_selector_loads() -> None:
    ends = ["anywhere", "api", DB, "subnet/a", "security_group/web", "vpc/main", "203.0.113.0/24", "2001:db8::/32"]
    for end in ends:
        (intent,) = loaded({"from": end, "to": "far"}).intents
        assert intent.source == (end,)


def test_a_reachable_database_needs_no_protocol() -> None:
    assert loaded({"from": "api", "to": DB, "expect": "reachable"}).intents[0].protocol is None


# What an editor takes by the schema.

RANGES = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda ends: (min(ends), max(ends)))
PORTS = st.lists(RANGES, min_size=1, max_size=3, unique=True).map(lambda ranges: Ports(ranges).as_written())
SELECTORS = ("internet", "outside", "api", "worker", "far", DB, "subnet/a", "security_group/db", "10.0.1.0/25", "::/0")
ENDS = st.lists(st.sampled_from(SELECTORS), min_size=1, max_size=3, unique=True)
INTENTS = st.fixed_dictionaries(
    {"name": st.just("one"), "from": ENDS, "to": ENDS, "expect": st.sampled_from(["reachable", "blocked", "only"])},
    optional={
        "except": ENDS,
        "protocol": st.sampled_from(["tcp", "udp"]),
        "ports": PORTS,
        "severity": st.sampled_from(["critical", "high", "medium", "low"]),
        "enforcement": st.sampled_from(["hold", "report"]),
    },
)
WORKLOADS_WRITTEN = st.builds(
    lambda public, ports: WORKLOADS["api"] | {"public_address": public, "client_ports": ports},
    st.booleans(),
    RANGES.map(lambda ports: Ports([ports]).as_written()),
)


@settings(max_examples=60)
@given(INTENTS)
def test_the_schema_takes_every_intent_that_the_model_takes(written: dict[str, Any]) -> None:
    assert Intent.model_validate(written).name == "one"
    assert [error.message for error in validator("Intent").iter_errors(written)] == []


@settings(max_examples=20)
@given(WORKLOADS_WRITTEN)
def test_the_schema_takes_every_workload_that_the_model_takes(written: dict[str, Any]) -> None:
    assert Workload.model_validate(written).public_address is written["public_address"]
    assert [error.message for error in validator("Workload").iter_errors(written)] == []


@cache
def validator(part: str) -> Draft202012Validator:
    whole = schema()
    return Draft202012Validator({"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]})


def test_an_editor_sees_an_empty_list_and_an_unknown_word() -> None:
    written = {"name": "a", "from": [], "to": "api", "expect": "maybe", "enforcement": "stop"}
    assert sorted(error.json_path for error in validator("Intent").iter_errors(written)) == [
        "$.enforcement",
        "$.expect",
        "$.from",
    ]


# What is refused, with its place and what to write instead. The first intent stands in line 3.

ONLY = {"protocol": "tcp", "ports": 443, "expect": "only"}
OPEN = {"protocol": "tcp", "ports": 443, "expect": "reachable"}
REFUSED: list[tuple[str, list[dict[str, Any]], list[str]]] = [
    (
        "a typo in a workload",
        [{"to": ["api", "workers"]}],
        [
            (
                "3:50: 'workers' is not a workload, an address in this document or a CIDR (intents[0].to[1]); "
                "did you mean 'worker'?"
            )
        ],
    ),
    (
        "a typo in a word",
        [{"from": "anywere"}],
        [
            (
                "3:24: 'anywere' is not a workload, an address in this document or a CIDR (intents[0].from); "
                "did you mean 'anywhere'?"
            )
        ],
    ),
    (
        "a typo in a kind",
        [{"to": "db_instanse/orders"}],
        [
            (
                "3:42: 'db_instanse/orders' is not a workload, an address in this document or a CIDR (intents[0].to); "
                "did you mean 'db_instance/orders'?"
            )
        ],
    ),
    (
        "a typo in a name",
        [{"to": "subnet/aa"}],
        ["3:42: 'subnet/aa' is not declared in this document (intents[0].to); did you mean 'subnet/a'?"],
    ),
    (
        "a kind that no machine is in",
        [{"to": "route_table/out"}],
        [
            (
                "3:42: 'route_table/out' is no end: no machine is in it (intents[0].to); write db_instance/<name>, "
                "subnet/<name>, security_group/<name> or vpc/<name>, or a workload"
            )
        ],
    ),
    (
        "a network with host bits in except",
        [{"except": ["203.0.113.7/24"]}],
        ["3:80: '203.0.113.7/24' is not in canonical form (intents[0].except); write \"203.0.113.0/24\""],
    ),
    (
        "nobody at an end",
        [{"to": []}],
        ["3:42: the list is empty (intents[0].to); write at least one, or leave it out where it may be left out"],
    ),
    (
        "an end twice",
        [{"to": ["api", "api"]}],
        ["3:50: 'api' is listed twice (intents[0].to[1]); list it once"],
    ),
    (
        "an end that is a number",
        [{"to": 5, "from": ["api", 7]}],
        [
            "3:32: expected a string, found 7 (intents[0].from[1]); write a string",
            "3:42: expected a string or a list, found 5 (intents[0].to); write a string, or a list",
        ],
    ),
    (
        "ports of ICMP",
        [{"protocol": "icmp", "ports": 8}],
        ['3:99: ports without tcp or udp (intents[0].ports); add "protocol": "tcp" or "udp", or leave ports out'],
    ),
    (
        "ports of only, without a protocol",
        [{"expect": "only", "ports": 443}],
        ['3:76: ports without tcp or udp (intents[0].ports); add "protocol": "tcp" or "udp", or leave ports out'],
    ),
    (
        "one of the ports backwards, one twice, one a truth",
        [{"protocol": "tcp", "ports": [80, "443-80", 80]}, {"protocol": "tcp", "ports": [True]}],
        [
            "3:103: ports '443-80' do not exist (intents[0].ports[1]); ports go from 0 to 65535, the lower one first",
            "3:113: 80 is listed twice (intents[0].ports[2]); list it once",
            (
                "4:99: expected a port or a range of ports, found true (intents[1].ports[0]); "
                "write a port or a range of ports"
            ),
        ],
    ),
    (
        "ICMP of the other family",
        [{"protocol": "icmp", "from": "2001:db8::/32"}],
        [
            (
                "3:24: icmp does not match the network '2001:db8::/32' (intents[0].from); "
                "write icmp with an IPv4 network, icmpv6 with an IPv6 network"
            )
        ],
    ),
    (
        "only without a protocol",
        [{"expect": "only", "to": [DB, "api"], "from": "worker"}],
        [
            (
                "3:1: \"protocol\" is missing: 'api' is not a database, which has its own (intents[0].protocol); "
                'add "protocol": "tcp", or what it is'
            )
        ],
    ),
    (
        "an except that empties from",
        [{"from": ["203.0.113.0/24", "api"], "except": ["anywhere"]}],
        [
            (
                "3:95: nobody is left of '203.0.113.0/24' and 1 more (intents[0].except); "
                "leave somebody in, or take the intent out"
            )
        ],
    ),
    (
        "an except that is nobody",
        [{"except": ["203.0.113.0/24", "worker"]}, {"except": "10.0.1.0/24"}, {"from": "api", "except": DB}],
        [
            (
                "3:99: 'worker' is in none of 'internet' (intents[0].except[1]); "
                "take it out: it is not among those that the intent is from"
            ),
            (
                "4:80: '10.0.1.0/24' is in none of 'internet' (intents[1].except); "
                "take it out: it is not among those that the intent is from"
            ),
            (
                "5:75: 'db_instance/orders' is in none of 'api' (intents[2].except); "
                "take it out: it is not among those that the intent is from"
            ),
        ],
    ),
    (
        "both ends outside",
        [{"from": "internet", "to": ["api", "203.0.113.0/24"]}],
        [
            "3:50: both ends of the intent are outside the VPC (intents[0].to[1]); write one end inside the VPC",
        ],
    ),
    (
        "only from a machine to itself",
        [ONLY | {"from": ["api", "worker"], "to": ["far", "worker"]}],
        [
            (
                "3:57: only from 'worker' to itself (intents[0].to[1]); "
                "take it out of one of the ends: machines of one name are not told apart"
            )
        ],
    ),
    (
        "the opposite of another",
        [OPEN, {"from": ["outside", "worker"]}],
        [
            (
                "4:70: the opposite of the intent 'i0', about 'internet' -> 'api' (intents[1].expect); "
                'take one of the two out, or take those ends out by "except"'
            )
        ],
    ),
    (
        "the opposite of only, at another machine",
        [ONLY, {"to": "worker", "protocol": "udp", "expect": "reachable"}],
        [
            (
                "4:62: the opposite of the intent 'i0', about 'internet' -> 'worker' (intents[1].expect); "
                'take one of the two out, or take those ends out by "except"'
            )
        ],
    ),
    (
        "the opposite of only, at another port",
        [ONLY, ONLY | {"ports": [443, 8443]}],
        [
            (
                "4:59: the opposite of the intent 'i0', about 'internet' -> 'api' (intents[1].expect); "
                'take one of the two out, or take those ends out by "except"'
            )
        ],
    ),
    (
        "the opposite about a database's own port",
        [{"from": "api", "to": DB, "expect": "reachable"}, {"from": "vpc/main", "to": DB, "protocol": "tcp"}],
        [
            (
                "4:74: the opposite of the intent 'i0', about 'api' -> 'db_instance/orders' (intents[1].expect); "
                'take one of the two out, or take those ends out by "except"'
            )
        ],
    ),
]


@pytest.mark.parametrize(("intents", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_an_intent_is_refused_with_place_and_hint(intents: list[dict[str, Any]], said: list[str]) -> None:
    assert refused(*intents) == said


@pytest.mark.parametrize("word", ["internet", "outside", "anywhere"])
def test_a_workload_cannot_have_the_name_of_a_word(word: str) -> None:
    said = refused(workloads=WORKLOADS | {word: WORKLOADS["api"]})
    assert [line.partition(" (")[0].partition(": ")[2] for line in said] == [f"a workload cannot be called {word!r}"]


def test_client_ports_are_one_range() -> None:
    (said,) = refused(workloads={"api": WORKLOADS["api"] | {"client_ports": [1024, "1030-1040"]}})
    assert said.partition(": ")[2] == (
        "2 ranges of client ports (workloads.api.client_ports); write the range that holds them all"
    )


def test_client_ports_are_ports() -> None:
    (said,) = refused(workloads={"api": WORKLOADS["api"] | {"client_ports": "high"}})
    assert said.partition(": ")[2] == (
        "'high' is not a port range (workloads.api.client_ports); "
        'write a port as a number (443), or a range as "1024-65535"'
    )


# What only looks like a contradiction.


@pytest.mark.parametrize(
    "intents",
    [
        [OPEN, {"protocol": "tcp", "ports": [80, "444-65535"]}],
        [OPEN, {"protocol": "udp", "ports": 443}],
        [OPEN, {"from": "10.0.0.0/8"}],
        [OPEN, {"from": "outside", "except": ["internet"]}],
        [OPEN | {"except": ["203.0.113.0/24"]}, {"from": "203.0.113.0/24"}],
        [OPEN | {"to": "worker"}, {"from": "anywhere", "to": "far"}],
        [ONLY, OPEN],
        [ONLY, ONLY | {"from": "203.0.113.0/24", "except": None} | {"from": "api", "to": "worker"}],
        [ONLY, {"to": DB}],
        [ONLY | {"ports": [80, "81-90"]}, OPEN | {"ports": "80-90"}],
        [ONLY, OPEN | {"to": "subnet/a"}],
        [OPEN | {"from": "subnet/a", "to": "far"}, {"from": "worker", "to": "far"}],
    ],
)
def test_what_a_network_may_keep_together_loads(intents: list[dict[str, Any]]) -> None:
    cleaned = [{key: value for key, value in intent.items() if value is not None} for intent in intents]
    assert len(loaded(*cleaned).intents) == 2


def test_two_workloads_may_be_the_same_machines() -> None:
    twin = {"subnets": ["subnet/a"], "security_groups": ["security_group/web"]}
    assert "twin" in loaded(ONLY, OPEN | {"to": "twin"}, workloads=WORKLOADS | {"twin": twin}).workloads


def test_thousands_of_intents_load_in_time() -> None:
    many = [OPEN | {"to": ["api", "worker"][n % 2], "expect": ["reachable", "blocked"][n % 2]} for n in range(3000)]
    assert len(loaded(*many).intents) == 3000


def test_an_unreadable_workload_is_not_a_typo() -> None:
    said = refused({"to": "api"}, workloads={"api": {"subnets": ["subnet/a"]}})
    assert len(said) == 1
    assert '"security_groups" is missing' in said[0]


def test_intents_of_thousands_of_flows_load_in_time() -> None:
    """No flow is the opposite of another, so that nothing is compared."""
    assert len(loaded(*[OPEN] * 6000).intents) == 6000
