"""What others have measured or published about whole networks, rebuilt by hand."""

from __future__ import annotations

from itertools import product

import pytest

from desired_state.fields import Address
from reconciler.packets.traffic import LINE, Cuts, join
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import End, Endpoint, internet
from reconciler.reach.pair.explain import walk, witness
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.path import Flow, Packet, Why
from reconciler.reach.pair.topology import Topology
from tests.support.small_vpc import ALL, EVERYTHING, GATEWAY, Vpc, outside, written

NAT = "nat-0a1b2c3d4e5f60718"
OFFICE = "147.235.208.136/32"
EVERY_PORT = "tcp 0-65535"


def requests(topology: Topology, source: End, target: End) -> list[str]:
    """The traffic that arrives, certainly so."""
    certain, possible = passing(topology, source, target, LINE)
    assert certain == possible
    return written(certain)


def lost_replies(topology: Topology, source: End, target: End, flow: Flow) -> list[str]:
    """The client's ports that replies do not come to."""
    found: Cuts = ()
    for blocker in blockers(topology, source, target, flow):
        assert blocker.hop.reply
        for _, bands in blocker.missing.spaces:
            for _, cuts in bands:
                found = join(found, cuts)
    return written(found)


# one ACL for three subnets, and groups for networks and protocols


@pytest.fixture
def one_acl() -> tuple[Topology, dict[str, End]]:
    vpc = Vpc("10.240.0.0/16")
    ingress = {10: "allow tcp 9080 147.235.0.0/16", 20: "allow all 10.240.32.0/19"}
    egress = {10: "allow tcp 1025-5000 147.235.0.0/16", 20: "allow all 10.240.32.0/19"}
    vpc.acl("shared", ingress, egress)
    vpc.subnet("p", "10.240.0.0/22", "shared", "public")
    vpc.subnet("q", "10.240.32.0/24", "shared")
    vpc.subnet("r", "10.240.48.0/24", "shared")
    rules = {
        "A": "all 10.240.0.0/18",
        "U": "udp 0-65535 0.0.0.0/0",
        "T": "tcp 9080 0.0.0.0/0",
        "W": "tcp 0-65535 147.0.0.0/8",
    }
    for name, rule in rules.items():
        vpc.group(name, [rule], [rule])
    ends: dict[str, End] = {
        "p1": vpc.machine("p1", "p", "W", public=True, address="10.240.0.11/32"),
        "p2": vpc.machine("p2", "p", "A", public=True, address="10.240.0.12/32"),
        "p3": vpc.machine("p3", "p", "W", "A", public=True, address="10.240.0.13/32"),
        "q1": vpc.machine("q1", "q", "U", address="10.240.32.11/32"),
        "q2": vpc.machine("q2", "q", "A", address="10.240.32.12/32"),
        "r1": vpc.machine("r1", "r", "T", address="10.240.48.11/32"),
        "office": outside("147.235.0.0/16")._replace(internet=True),
    }
    return vpc.topology(), ends


def test_one_acl_for_three_subnets_lets_these_requests_through_and_no_others(
    one_acl: tuple[Topology, dict[str, End]],
) -> None:
    topology, ends = one_acl
    found = {
        (source, target): requests(topology, ends[source], ends[target])
        for source, target in product(ends, ends)
        if source != target and requests(topology, ends[source], ends[target])
    }
    assert found == {
        ("office", "p1"): ["tcp 9080"],
        ("office", "p3"): ["tcp 9080"],
        ("p1", "office"): ["tcp 1025-5000"],
        ("p3", "office"): ["tcp 1025-5000"],
        ("p2", "p3"): ["all"],
        ("p3", "p2"): ["all"],
        ("q1", "q2"): ["udp 0-65535"],
        ("q2", "q1"): ["udp 0-65535"],
        ("q2", "r1"): ["tcp 9080"],
        ("r1", "q2"): ["tcp 9080"],
    }


def test_an_acl_lets_replies_through_to_some_ports_of_the_client_only(
    one_acl: tuple[Topology, dict[str, End]],
) -> None:
    topology, ends = one_acl
    for machine in ("p1", "p3"):
        inwards = lost_replies(topology, ends["office"], ends[machine], Flow.of("tcp", (9080, 9080)))
        assert inwards == ["tcp 1024", "tcp 5001-65535"]
        outwards = lost_replies(topology, ends[machine], ends["office"], Flow.of("tcp", (1025, 5000)))
        assert outwards == ["tcp 1024-9079", "tcp 9081-65535"]


def test_a_packet_between_subnets_dies_where_no_entry_matches(one_acl: tuple[Topology, dict[str, End]]) -> None:
    topology, ends = one_acl
    found = blockers(topology, ends["p2"], ends["q2"], Flow.of("tcp", (80, 80)))
    request = [blocker.hop for blocker in found if not blocker.hop.reply]
    assert [(hop.component, hop.side, hop.member, hop.why) for hop in request] == [
        ("network_acl/shared", "ingress", None, Why.UNMATCHED)
    ]


# an ACL for each of four subnets, and one group that allows everything


@pytest.fixture
def four_acls() -> tuple[Topology, dict[str, Endpoint]]:
    vpc = Vpc("10.240.0.0/16")
    zero = {10: f"allow all {OFFICE}", 20: "allow all 10.240.1.0/24", 30: "allow all 10.240.2.0/24"}
    vpc.acl("zero", zero, zero)
    vpc.acl("one", {10: "allow all 10.240.0.0/24"}, {10: "allow all 10.240.0.0/24"})
    both = {10: f"allow all {OFFICE}", 30: "deny all 10.240.1.0/24", 40: "allow all 10.240.3.0/24"}
    vpc.acl(
        "two",
        both | {20: f"allow {EVERY_PORT} 10.240.0.0/24"},
        both | {20: "allow tcp 9080 10.240.0.0/24"},
    )
    for number, acl in enumerate(("zero", "one", "two", "open")):
        vpc.subnet(f"x{number}", f"10.240.{number}.0/24", acl, "public")
    return vpc.topology(), {name: vpc.machine(name, name, public=True) for name in vpc.subnets}


def test_four_subnets_reach_one_another_as_their_acls_say(four_acls: tuple[Topology, dict[str, Endpoint]]) -> None:
    topology, ends = four_acls
    found = {
        (source, target): requests(topology, ends[source], ends[target])
        for source, target in product(ends, ends)
        if source != target and requests(topology, ends[source], ends[target])
    }
    assert found == {
        ("x0", "x1"): ["all"],
        ("x1", "x0"): ["all"],
        ("x0", "x2"): [EVERY_PORT],
        ("x2", "x0"): ["tcp 9080"],
        ("x2", "x3"): ["all"],
        ("x3", "x2"): ["all"],
    }
    replies = lost_replies(topology, ends["x0"], ends["x2"], Flow.of("tcp", (22, 22)))
    assert replies == ["tcp 1024-9079", "tcp 9081-65535"]


def test_the_internet_reaches_what_acls_leave_open(four_acls: tuple[Topology, dict[str, Endpoint]]) -> None:
    topology, ends = four_acls
    office, others, everybody = (
        outside(OFFICE),
        outside("147.235.208.137/32", "8.8.8.8/32"),
        internet(["10.240.0.0/16"]),
    )
    for one, name in ((office, "x0"), (office, "x2"), (office, "x3"), (others, "x3"), (everybody, "x3")):
        assert requests(topology, one, ends[name]) == requests(topology, ends[name], one) == ["all"]
        assert blockers(topology, one, ends[name], Flow.of("tcp", (22, 22))) == ()
    for one, name in ((others, "x0"), (others, "x2"), (office, "x1"), (others, "x1"), (everybody, "x1")):
        assert requests(topology, one, ends[name]) == requests(topology, ends[name], one) == []


# NAT gateways


def behind_nat(private: dict[int, str] = EVERYTHING, public: dict[int, str] = EVERYTHING) -> tuple[Topology, Endpoint]:
    """A private subnet behind a NAT gateway in a public one, and what both ACLs let in."""
    vpc = Vpc()
    vpc.acl("private", private, EVERYTHING)
    vpc.acl("public", public, EVERYTHING)
    vpc.table("private", {"0.0.0.0/0": NAT})
    vpc.subnet("public", "10.0.1.0/24", "public", "public")
    vpc.subnet("private", "10.0.2.0/24", "private", "private")
    vpc.nats[NAT] = Address("subnet/public")
    return vpc.topology(), vpc.machine("app", "private")


INTERNET = internet(["10.0.0.0/16"])


def test_a_nat_gateway_carries_tcp_udp_and_icmp_outwards_and_their_replies_back() -> None:
    topology, app = behind_nat()
    assert requests(topology, app, INTERNET) == ["icmp", "tcp 0-65535", "udp 0-65535"]
    assert blockers(topology, app, INTERNET, Flow.of("tcp", (80, 80))) == ()
    (blocker,) = blockers(topology, app, INTERNET, Flow.of("107"))
    assert (blocker.hop.component, blocker.hop.why, blocker.certain) == (NAT, Why.NOT_CARRIED, True)


def test_nothing_comes_in_through_a_nat_gateway() -> None:
    topology, app = behind_nat()
    assert requests(topology, INTERNET, app) == []
    (blocker,) = blockers(topology, INTERNET, app, Flow.of("tcp", (80, 80)))
    assert (blocker.hop.component, blocker.hop.why) == (NAT, Why.ONLY_OUTWARDS)


def test_a_reply_through_a_nat_gateway_enters_the_private_subnet_from_the_remote_address() -> None:
    topology, app = behind_nat(private={100: "allow all 10.0.0.0/16"})
    (blocker,) = blockers(topology, app, INTERNET, Flow.of("tcp", (443, 443)))
    hop = blocker.hop
    assert (hop.component, hop.side, hop.reply, hop.why) == ("network_acl/private", "ingress", True, Why.UNMATCHED)
    entries = [(mend.member, str(mend.value)) for mend in blocker.mends]
    assert entries == [(110, "allow tcp 1024-65535 0.0.0.0/0")]


def test_the_subnet_of_a_nat_gateway_must_let_the_machines_request_in_and_the_replies_to_every_port() -> None:
    topology, app = behind_nat(public={100: "allow tcp 32768-65535 0.0.0.0/0"})
    found = blockers(topology, app, INTERNET, Flow.of("tcp", (443, 443)))
    assert [(blocker.hop.component, blocker.hop.side, blocker.hop.reply) for blocker in found] == [
        ("network_acl/public", "ingress", False),
        ("network_acl/public", "ingress", True),
    ]
    assert found[1].missing.example() == "tcp 1024 from 1.0.0.0"


def test_a_nat_gateway_of_an_unknown_subnet_may_carry_packets() -> None:
    topology, app = behind_nat()
    blind = Topology(topology.network)
    certain, possible = passing(blind, app, INTERNET, LINE)
    assert (certain, written(possible)) == ((), ["icmp", "tcp 0-65535", "udp 0-65535"])
    (blocker,) = blockers(blind, app, INTERNET, Flow.of("tcp", (443, 443)))
    assert (blocker.hop.component, blocker.hop.why, blocker.certain) == (NAT, Why.NAT_UNKNOWN, False)


# gateways


def in_the_open(public: bool | None = True, **tables: dict[str, str]) -> tuple[Topology, Endpoint]:
    vpc = Vpc()
    for name, made in tables.items():
        vpc.table(name, made)
    vpc.subnet("front", "10.0.1.0/24", "open", *(tables or ("public",)))
    return vpc.topology(), vpc.machine("front", "front", public=public)


def test_a_machine_without_a_public_address_does_not_get_past_the_internet_gateway() -> None:
    topology, front = in_the_open(public=False)
    for source, target in ((front, INTERNET), (INTERNET, front)):
        assert requests(topology, source, target) == []
        (blocker,) = blockers(topology, source, target, Flow.of("tcp", (443, 443)))
        assert (blocker.hop.component, blocker.hop.why) == (GATEWAY, Why.NOT_PUBLIC)


def test_a_machine_that_may_have_a_public_address_may_be_reached() -> None:
    topology, front = in_the_open(public=None)
    assert passing(topology, INTERNET, front, LINE) == ((), LINE)
    path = witness(topology, INTERNET, front, LINE)
    assert path is not None
    assert [(hop.component, hop.passes) for hop in path.hops if hop.passes is not True] == [(GATEWAY, None)]


def test_addresses_without_a_route_are_not_reached() -> None:
    topology, front = in_the_open(peered={"192.168.1.0/24": "pcx-0a1b2c3d4e5f60718"})
    assert requests(topology, front, outside("192.168.1.0/24")) == ["all"]
    assert requests(topology, front, outside("192.168.100.1/32")) == []
    (blocker,) = blockers(topology, front, outside("192.168.100.1/32"), Flow.of("tcp", (22, 22)))
    assert (blocker.hop.component, blocker.hop.why) == ("route_table/peered", Why.NO_ROUTE)


@pytest.mark.parametrize("target", ["pcx-0a1b2c3d4e5f60718", "tgw-0a1b2c3d4e5f60718", "vgw-0a1b2c3d4e5f60718"])
def test_networks_of_ones_own_deliver_to_a_subnet_without_a_route_back(target: str) -> None:
    topology, front = in_the_open(local={})
    far = outside("192.168.1.0/24")
    assert passing(topology, far, front, LINE) == ((), LINE)
    found = blockers(topology, far, front, Flow.of("tcp", (22, 22)))
    assert [(blocker.hop.reply, blocker.hop.why, blocker.certain) for blocker in found] == [
        (False, Why.NO_ROUTE_BACK, False),
        (True, Why.NO_ROUTE, True),
    ]
    topology, front = in_the_open(back={"192.168.0.0/16": target})
    assert requests(topology, far, front) == ["all"]
    assert blockers(topology, far, front, Flow.of("tcp", (22, 22))) == ()


def test_a_rule_for_a_private_network_is_no_exposure_to_the_internet() -> None:
    vpc = Vpc()
    vpc.group("office", ["all 10.0.0.0/8"], ALL)
    vpc.subnet("front", "10.0.1.0/24", "open", "public")
    assert requests(vpc.topology(), INTERNET, vpc.machine("front", "front", "office", public=True)) == []


def test_an_egress_only_gateway_carries_ipv6_outwards() -> None:
    vpc = Vpc("2600:1::/56")
    vpc.acl("open", {100: "allow all ::/0"}, {100: "allow all ::/0"})
    vpc.group("open", ["all ::/0"], ["all ::/0"])
    vpc.table("egress", {"::/0": "eigw-0a1b2c3d4e5f60718"})
    vpc.subnet("front", "2600:1::/64", "open", "egress")
    topology, front = vpc.topology(), vpc.machine("front", "front")
    assert (requests(topology, front, INTERNET), requests(topology, INTERNET, front)) == (["all"], [])


# routes


def test_a_static_route_goes_before_a_propagated_one_and_the_longest_prefix_before_both() -> None:
    vpc = Vpc()
    vpc.table("mixed", {"192.168.0.0/16": "blackhole"}, {"192.168.0.0/16": "vgw-1", "192.168.1.0/24": "vgw-1"})
    vpc.subnet("front", "10.0.1.0/24", "open", "mixed")
    topology, front = vpc.topology(), vpc.machine("front", "front")
    assert requests(topology, front, outside("192.168.1.0/24")) == ["all"]
    assert requests(topology, front, outside("192.168.2.0/24")) == []


@pytest.mark.parametrize(
    ("made", "by_aws", "expected"),
    [
        ({"10.0.2.0/24": "eni-0a1b2c3d4e5f60718"}, {}, ((), LINE)),
        ({"10.0.2.0/24": "local"}, {}, (LINE, LINE)),
        ({"10.0.2.0/24": "blackhole"}, {}, ((), ())),
        ({"10.0.0.0/8": "tgw-0a1b2c3d4e5f60718"}, {}, (LINE, LINE)),
        ({}, {"10.0.2.0/24": "vgw-0a1b2c3d4e5f60718"}, (LINE, LINE)),
    ],
)
def test_only_a_route_that_people_make_is_more_specific_than_the_local_one(
    made: dict[str, str], by_aws: dict[str, str], expected: object
) -> None:
    vpc = Vpc()
    vpc.table("detour", made, by_aws)
    vpc.subnet("one", "10.0.1.0/24", "open", "detour")
    vpc.subnet("two", "10.0.2.0/24")
    assert passing(vpc.topology(), vpc.machine("one", "one"), vpc.machine("two", "two"), LINE) == expected


def test_no_acl_is_asked_within_a_subnet() -> None:
    vpc = Vpc()
    vpc.acl("closed", {}, {})
    vpc.subnet("one", "10.0.1.0/24", "closed")
    topology, one = vpc.topology(), vpc.machine("one", "one")
    assert requests(topology, one, one) == ["all"]
    assert blockers(topology, one, one, Flow.of("tcp", (22, 22))) == ()
    packet = Packet(6 * 65536 + 22, 0x0A000104, 0x0A000105)
    assert {hop.component for hop in walk(topology, one, one, packet)} == {"security_group/open"}
