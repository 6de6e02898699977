"""The network that Setpoint was made for: the example keeps its intents, and as it was first written it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import desired_state
from desired_state.fields import Address, RuleKey
from desired_state.load import load
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.judge.mending import together
from reconciler.reach.network import MAIN, OF_VPC, PUBLIC, entries, routes, rules
from reconciler.reach.pair.ends import Endpoint, Ranges
from tests.support.intents import after, context_of

EXAMPLES = Path(desired_state.__file__).with_name("examples")
DB = "db_instance/mypostgresqldb"
NAT = "nat-0123456789abcdef0"
FLOWS: list[dict[str, Any]] = [
    {
        "name": "only the front door",
        "from": "internet",
        "to": "api",
        "protocol": "tcp",
        "ports": [80, 443],
        "expect": "only",
    },
    {
        "name": "api to server",
        "from": "api",
        "to": "server",
        "protocol": "tcp",
        "ports": 8000,
        "expect": "reachable",
    },
    {"name": "server to database", "from": "server", "to": DB, "expect": "reachable"},
    {"name": "app to database", "from": "app", "to": DB, "expect": "reachable"},
    {"name": "packages", "from": "api", "to": "internet", "protocol": "tcp", "ports": 443, "expect": "reachable"},
    {"name": "no back end", "from": "internet", "to": "server", "expect": "blocked"},
    {"name": "no database", "from": "internet", "to": DB, "expect": "blocked"},
    {"name": "not past the back end", "from": "api", "to": DB, "expect": "blocked"},
]
"""Every sentence that somebody may say of this network; `app` is a back end that stands in the public subnet."""


def written(example: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXAMPLES / f"{example}.json").read_bytes())
    document["workloads"]["api"]["public_address"] = True
    document["workloads"]["app"] = {
        "subnets": ["subnet/PublicSubnet1"],
        "security_groups": ["security_group/TestServerSG"],
    }
    document["intents"] = FLOWS
    return document


def as_written() -> dict[str, Any]:
    """With the three things mended that AWS refuses, and nothing else: a user name, an identifier, a subnet group."""
    document = written("as-written")
    resources = document["resources"]
    resources["db_instance"] = {"mypostgresqldb": resources["db_instance"]["MyPostgreSQLDB"]}
    resources["db_instance"]["mypostgresqldb"]["master_username"] = "postgres"
    resources["subnet"]["PrivateSubnet2"] = {"cidr_block": "10.0.3.0/24", "availability_zone": "ap-northeast-2c"}
    resources["db_subnet_group"]["mydbsubnetgroup"]["subnets"].append("subnet/PrivateSubnet2")
    return document


def judged(document: dict[str, Any]) -> tuple[dict[str, Verdict], JudgeContext]:
    loaded = load(json.dumps(document).encode(), "reference.json")
    context = context_of(loaded)
    return {one.intent.name: one for one in judge(loaded.intents, context)}, context


def test_the_example_keeps_its_intents() -> None:
    document = json.loads((EXAMPLES / "test-server.json").read_bytes())
    verdicts, _ = judged(document)
    assert len(verdicts) == 8
    assert {one.status for one in verdicts.values()} == {Status.KEPT}
    assert "only" in {one.intent.expect for one in verdicts.values()}
    assert {why for one in verdicts.values() for why in one.rests_on} == set()


def test_the_example_keeps_whatever_is_said_of_it() -> None:
    verdicts, _ = judged(written("test-server"))
    assert {one.status for one in verdicts.values()} == {Status.KEPT}


def test_as_it_was_first_written_three_flows_die_where_replies_enter_the_public_subnet() -> None:
    verdicts, _ = judged(as_written())
    broken = {name for name, one in verdicts.items() if one.status is Status.BROKEN}
    assert broken == {"api to server", "app to database", "packages"}
    for name in broken:
        assert {(one.hop.component, one.hop.side, one.hop.reply) for one in verdicts[name].blockers} == {
            ("network_acl/PublicSubnetACL", "ingress", True)
        }
    assert {one.status for name, one in verdicts.items() if name not in broken} == {Status.KEPT}
    assert verdicts["only the front door"].status is Status.KEPT


def test_one_entry_mends_all_three() -> None:
    verdicts, context = judged(as_written())
    found = together(list(verdicts.values()), context)
    assert found is not None
    assert (found.mended, found.broken, found.breaks) == (3, 3, ())
    (mend,) = found.mends
    acl = Address("network_acl/PublicSubnetACL")
    assert (mend.cell, mend.member, str(mend.value)) == (
        entries(acl, "ingress"),
        120,
        "allow tcp 1024-65535 0.0.0.0/0",
    )


def test_what_it_rests_on_is_said() -> None:
    verdicts, _ = judged(as_written())
    assert verdicts["server to database"].rests_on == (
        "the VPC's default network ACL, which is not declared, lets everything through",
        "the VPC's main route table, which is not declared, has only its local route",
    )


def test_without_a_word_about_public_addresses_the_front_door_is_not_known() -> None:
    document = as_written()
    del document["workloads"]["api"]["public_address"]
    verdicts, _ = judged(document)
    assert verdicts["only the front door"].status is Status.UNKNOWN
    assert verdicts["no database"].status is Status.KEPT


def with_nat(document: dict[str, Any], table: str) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """What is known of updates through a NAT gateway: offline, and with its subnet known."""
    document["intents"] = [
        {
            "name": "updates",
            "from": "server",
            "to": "internet",
            "protocol": "tcp",
            "ports": 443,
            "expect": "reachable",
        }
    ]
    document["workloads"]["server"]["subnets"] = ["subnet/PrivateSubnet1"]
    document["resources"]["route_table"][table] = {
        "routes": {"0.0.0.0/0": NAT},
        "subnets": ["subnet/PrivateSubnet1"],
    }
    loaded = load(json.dumps(document).encode(), "reference.json")
    context = context_of(loaded)
    topology = replace(context.topology, nats={NAT: Address("subnet/PublicSubnet1")})
    found = [judge(loaded.intents, one) for one in (context, replace(context, topology=topology))]
    return {one.intent.name: one for one in found[0]}, {one.intent.name: one for one in found[1]}


def dies_at(verdict: Verdict) -> set[tuple[str, str, bool]]:
    return {(one.hop.component, one.hop.side, one.hop.reply) for one in verdict.blockers if one.certain}


def test_updates_through_a_nat_gateway_die_at_both_acls_as_first_written() -> None:
    offline, known = with_nat(as_written(), "PrivateRouteTable")
    assert offline["updates"].status is Status.BROKEN
    assert dies_at(known["updates"]) == {
        ("network_acl/PublicSubnetACL", "ingress", True),
        ("network_acl/PrivateSubnetACL", "ingress", True),
    }


def test_updates_through_a_nat_gateway_die_at_the_private_acl_of_the_example() -> None:
    document = written("test-server")
    document["resources"]["route_table"]["PrivateRouteTable"]["subnets"] = ["subnet/PrivateSubnet2"]
    _, known = with_nat(document, "NatRouteTable")
    assert dies_at(known["updates"]) == {("network_acl/PrivateSubnetACL", "ingress", True)}


# As somebody may change it in AWS.

ALL = "0.0.0.0/0"
OPENED = [
    (rules(Address("security_group/DBSG"), "ingress"), RuleKey("tcp", 5432, 5432, ALL), True),
    (routes(Address("route_table/PrivateRouteTable")), ALL, Address("internet_gateway/MyInternetGateway")),
]


def live(example: dict[str, Any], *effects: tuple[Any, Any, Any], public: bool) -> dict[str, Verdict]:
    loaded = load(json.dumps(example).encode(), "reference.json")
    context = after(context_of(loaded), [*effects, (PUBLIC, Address(DB), public or None)])
    ends = tuple(one._replace(public=public) if one.owner == DB else one for one in context.topology.endpoints)
    topology = replace(context.topology, endpoints=ends)
    return {one.intent.name: one for one in judge(loaded.intents, replace(context, topology=topology, possible=()))}


@pytest.mark.parametrize(("public", "status"), [(False, Status.KEPT), (True, Status.BROKEN)])
def test_an_opened_database_is_reached_if_it_is_public(public: bool, status: Status) -> None:
    acl = entries(Address("network_acl/PrivateSubnetACL"), "ingress")
    document = written("test-server")
    context = context_of(load(json.dumps(document).encode(), "reference.json"))
    entry = context.topology.network[acl][100]._replace(cidr=ALL)
    verdicts = live(document, *OPENED, (acl, 90, entry), public=public)
    assert verdicts["no database"].status is status
    assert verdicts["only the front door"].status is status
    if public:
        path = [hop.component for hop in verdicts["no database"].path if hop.member is not None]
        assert path == ["route_table/PrivateRouteTable", "network_acl/PrivateSubnetACL", "security_group/DBSG"]


def test_a_stray_machine_breaks_only() -> None:
    loaded = load(json.dumps(written("test-server")).encode(), "reference.json")
    context = context_of(loaded)
    stray = Endpoint(
        "eni-0123456789abcdef0",
        Address("subnet/PublicSubnet1"),
        frozenset({Address("security_group/TestServerSG"), Address("sg-0123456789abcdef0")}),
        Ranges.of("10.0.1.9/32"),
        public=True,
        owner="eni-0123456789abcdef0",
    )
    opened = after(
        context,
        [
            (rules(Address("sg-0123456789abcdef0"), "ingress"), RuleKey("tcp", 80, 80, ALL), True),
            (rules(Address("sg-0123456789abcdef0"), "egress"), None, None),
        ],
    )
    topology = replace(opened.topology, endpoints=(*opened.topology.endpoints, stray))
    verdicts = {one.intent.name: one for one in judge(loaded.intents, replace(opened, topology=topology, possible=()))}
    found = verdicts["only the front door"]
    assert found.status is Status.BROKEN
    assert [case.target.label for case in found.cases] == ["eni-0123456789abcdef0"]


def test_a_main_table_that_leads_out_is_not_that_of_the_private_subnets() -> None:
    """The example associates every subnet, so that what happens to the main table does not reach them."""
    loaded = load(json.dumps(written("test-server")).encode(), "reference.json")
    context = context_of(loaded)
    main = Address("rtb-0123456789abcdef0")
    led_out = after(
        context,
        [(MAIN, OF_VPC, main), (routes(main), ALL, Address("internet_gateway/MyInternetGateway"))],
    )
    assert {one.status for one in judge(loaded.intents, led_out)} == {Status.KEPT}
