"""What is said about a flow that does not work, about one packet's way, and about what is not known."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.quotas import Quotas
from reconciler.packets.traffic import LINE
from reconciler.reach.network import UNREADABLE, entries, rules
from reconciler.reach.pair.blockers import blockers, partly
from reconciler.reach.pair.ends import Endpoint, External, Ranges, internet
from reconciler.reach.pair.explain import REMEDIES, rests_on, said, walk, witness
from reconciler.reach.pair.flows import passing
from reconciler.reach.pair.mends import told
from reconciler.reach.pair.path import Blocker, Flow, Packet, Why, replies
from reconciler.reach.pair.topology import Topology
from tests.support.mutants import judge
from tests.support.small_vpc import ALL, EVERYTHING, GATEWAY, Vpc, outside, written
from tests.support.walker import disagreements, random_world

INTERNET = internet(["10.0.0.0/16"])
SSH = Flow.of("tcp", (22, 22))


def two_subnets(**replies_in: str) -> tuple[Topology, Endpoint, Endpoint]:
    """An application that reaches a back end; its own ACL lets in HTTPS, and these entries."""
    vpc = Vpc()
    named = {int(number[1:]): entry for number, entry in replies_in.items()}
    vpc.acl("front", {100: "allow tcp 443 0.0.0.0/0", 110: "allow tcp 80 0.0.0.0/0", **named}, EVERYTHING)
    vpc.subnet("front", "10.0.1.0/24", "front", "public")
    vpc.subnet("back", "10.0.2.0/24")
    return vpc.topology(), vpc.machine("front", "front", public=True), vpc.machine("back", "back")


def mended(topology: Topology, blocker: Blocker) -> Topology:
    return topology.after(topology.network.after((mend.cell, mend.member, mend.value) for mend in blocker.mends))


def test_replies_that_no_entry_lets_in_are_named_with_the_entry_that_is_missing() -> None:
    topology, front, back = two_subnets()
    (blocker,) = blockers(topology, front, back, Flow.of("tcp", (8000, 8000)))
    assert blocker.certain
    assert said(blocker) == (
        "network_acl/front in, replies: no entry matches tcp 1024-65535 from 10.0.2.0/24, so its closing * denies"
    )
    (mend,) = blocker.mends
    assert told(mend) == (
        'network_acl/front, ingress: "120": '
        '{"action": "allow", "protocol": "tcp", "ports": "1024-65535", "source": "10.0.2.0/24"}'
    )
    assert blockers(mended(topology, blocker), front, back, Flow.of("tcp", (8000, 8000))) == ()


def test_an_entry_is_put_before_the_deny_that_decided() -> None:
    topology, front, back = two_subnets(n105="deny tcp 0-65535 10.0.0.0/8", n120="allow all 0.0.0.0/0")
    (blocker,) = blockers(topology, front, back, SSH)
    assert (blocker.hop.member, blocker.hop.why) == (105, Why.DENIED)
    assert [mend.member for mend in blocker.mends] == [104]
    assert blockers(mended(topology, blocker), front, back, SSH) == ()


def test_there_is_no_mend_before_a_deny_with_the_first_number() -> None:
    topology, front, back = two_subnets(n1="deny tcp 0-65535 10.0.0.0/8", n120="allow all 0.0.0.0/0")
    (blocker,) = blockers(topology, front, back, SSH)
    assert (blocker.hop.member, blocker.mends) == (1, ())


def test_a_mend_says_when_the_quota_is_full() -> None:
    extra = {f"n{number}": f"allow udp {number} 10.0.9.0/24" for number in range(200, 217)}
    topology, front, back = two_subnets(**extra)
    (blocker,) = blockers(topology, front, back, SSH)
    assert [(mend.member, mend.quota) for mend in blocker.mends] == [(220, True)]


@pytest.mark.parametrize(
    ("quotas", "full"),
    [(Quotas(), False), (Quotas(rules=1), True), (Quotas(rules=2), False), (Quotas(entries=2), False)],
)
def test_the_quota_of_a_group_is_the_accounts(quotas: Quotas, *, full: bool) -> None:
    vpc = Vpc()
    vpc.subnet("back", "10.0.2.0/24")
    vpc.group("one", ["tcp 22 10.0.9.0/24"], ALL)
    one, other = vpc.machine("one", "back", "one"), vpc.machine("other", "back")
    (blocker,) = blockers(replace(vpc.topology(), quotas=quotas), other, one, SSH)
    assert [mend.quota for mend in blocker.mends] == [full]


@pytest.mark.parametrize(
    ("quotas", "full"),
    [(Quotas(), False), (Quotas(entries=3), True), (Quotas(entries=4), False), (Quotas(rules=1), False)],
)
def test_the_quota_of_an_acl_is_the_accounts(quotas: Quotas, *, full: bool) -> None:
    topology, front, back = two_subnets()
    (blocker,) = blockers(replace(topology, quotas=quotas), front, back, SSH)
    assert [mend.quota for mend in blocker.mends] == [full]


def test_ports_that_only_linux_and_windows_clients_use_make_a_flow_work_partly() -> None:
    topology, front, back = two_subnets(n120="allow tcp 32768-65535 0.0.0.0/0")
    (blocker,) = found = blockers(topology, front, back, SSH)
    assert blocker.missing.example() == "tcp 1024 from 10.0.2.0"
    assert partly(found)
    assert blockers(topology, front._replace(client_ports=(32768, 60999)), back, SSH) == ()
    topology, front, back = two_subnets(n120="allow tcp 32768-65534 0.0.0.0/0")
    assert not partly(blockers(topology, front, back, SSH))
    assert not partly(())


def test_every_blocker_is_found_at_once() -> None:
    vpc = Vpc()
    vpc.group("nothing")
    vpc.acl("closed", {}, {})
    vpc.subnet("one", "10.0.1.0/24", "closed")
    vpc.subnet("two", "10.0.2.0/24", "closed")
    one, two = vpc.machine("one", "one", "nothing"), vpc.machine("two", "two", "nothing")
    found = blockers(vpc.topology(), one, two, SSH)
    assert [(blocker.hop.component, blocker.hop.side, blocker.hop.reply) for blocker in found] == [
        ("security_group/nothing", "egress", False),
        ("network_acl/closed", "egress", False),
        ("network_acl/closed", "ingress", False),
        ("security_group/nothing", "ingress", False),
        ("network_acl/closed", "egress", True),
        ("network_acl/closed", "ingress", True),
    ]
    assert [told(mend) for mend in found[0].mends] == [
        'security_group/nothing, egress: {"protocol": "tcp", "ports": 22, "destination": "security_group/nothing"}'
    ]


def test_a_rule_for_some_of_the_addresses_leaves_the_others_blocked() -> None:
    vpc = Vpc()
    vpc.group("half", ["tcp 22 10.0.1.0/25", "tcp 22 10.0.1.128/26"], ALL)
    vpc.subnet("one", "10.0.1.0/24")
    vpc.subnet("two", "10.0.2.0/24")
    topology, one, two = vpc.topology(), vpc.machine("one", "one"), vpc.machine("two", "two", "half")
    (blocker,) = blockers(topology, one, two, SSH)
    assert said(blocker) == "security_group/half in: no rule matches (tcp 22 from 10.0.1.192/26)"
    assert [mend.member for mend in blocker.mends] == [RuleKey("tcp", 22, 22, "security_group/open")]
    assert blockers(mended(topology, blocker), one, two, SSH) == ()


def test_what_is_not_known_is_no_certain_blocker_and_has_a_remedy() -> None:
    vpc = Vpc()
    vpc.group("listed", ["tcp 22 pl-0a1b2c3d4e5f60718"], ALL)
    vpc.subnet("one", "10.0.1.0/24")
    topology, one = vpc.topology(), vpc.machine("one", "one", "listed")
    stranger = one._replace(label="10.0.1.0/24", groups=None)
    (blocker,) = blockers(topology, vpc.machine("two", "one"), one, SSH)
    assert (blocker.hop.why, blocker.certain) == (Why.PREFIX_LIST, False)
    assert written(passing(topology, vpc.machine("two", "one"), one, LINE)[1]) == ["tcp 22"]
    found = blockers(topology, stranger, stranger, SSH)
    assert [(one.hop.component, one.hop.side, one.hop.why) for one in found] == [
        ("10.0.1.0/24", "egress", Why.GROUPS_UNKNOWN),
        ("10.0.1.0/24", "ingress", Why.GROUPS_UNKNOWN),
    ]
    assert {why for why in Why if not why.certain} == set(REMEDIES)


@pytest.mark.parametrize(
    "unread", ["security_group/open", "security_group/*", "network_acl/open", "network_acl/*", "route_table/main"]
)
def test_whatever_rests_on_what_could_not_be_read_is_not_known(unread: str) -> None:
    vpc = Vpc()
    vpc.subnet("one", "10.0.1.0/24")
    vpc.subnet("two", "10.0.2.0/24")
    vpc.effects.append((UNREADABLE, Address(unread), True))
    topology, one, two = vpc.topology(), vpc.machine("one", "one"), vpc.machine("two", "two")
    assert passing(topology, one, two, LINE) == ((), LINE)
    found = blockers(topology, one, two, SSH)
    assert {blocker.hop.why for blocker in found} == {Why.UNREADABLE}  # and not one that nobody declares
    assert not any(blocker.certain or blocker.mends for blocker in found)


def test_a_load_balancer_that_keeps_the_clients_address_may_hand_packets_on() -> None:
    vpc = Vpc()
    vpc.subnet("one", "10.0.1.0/24")
    one = vpc.machine("one", "one")
    assert passing(vpc.topology(), INTERNET, one, LINE) == ((), ())
    relayed = Topology(vpc.topology().network, relays=("net/front/0123456789abcdef",))
    assert passing(relayed, INTERNET, one, LINE) == ((), LINE)


def test_members_of_a_group_elsewhere_are_on_no_internet_but_may_be_beyond_a_peering() -> None:
    vpc = Vpc()
    vpc.group("peered", ["tcp 22 999999999999/sg-0a1b2c3d4e5f60718"], ALL)
    vpc.table("peered", {"192.168.0.0/16": "pcx-0a1b2c3d4e5f60718", "0.0.0.0/0": GATEWAY})
    vpc.subnet("one", "10.0.1.0/24", "open", "peered")
    topology, one = vpc.topology(), vpc.machine("one", "one", "peered", public=True)
    certain, possible = passing(topology, outside("192.168.0.0/16"), one, LINE)
    assert (certain, written(possible)) == ((), ["tcp 22"])
    assert passing(topology, INTERNET, one, LINE) == ((), ())


def test_the_witness_is_the_plainest_packet_with_every_member_that_let_it_through() -> None:
    vpc = Vpc()
    vpc.group("web", ["tcp 443 8.8.0.0/16", "udp 53 0.0.0.0/0"], ALL)
    vpc.subnet("front", "10.0.1.0/24", "open", "public")
    path = witness(vpc.topology(), INTERNET, vpc.machine("front", "front", "web", public=True), LINE)
    assert path is not None
    assert (str(path.packet), path.certain) == ("tcp 443 from 8.8.0.0 to 10.0.1.0", True)
    assert [(hop.component, hop.side, hop.member) for hop in path.hops] == [
        ("route_table/public", "egress", "0.0.0.0/0"),
        (GATEWAY, "", None),
        ("network_acl/open", "ingress", 100),
        ("security_group/web", "ingress", RuleKey("tcp", 443, 443, "8.8.0.0/16")),
    ]
    assert [hop.cell for hop in path.hops if hop.cell and hop.member != "0.0.0.0/0"] == [
        entries(Address("network_acl/open"), "ingress"),
        rules(Address("security_group/web"), "ingress"),
    ]


def test_a_witness_of_ipv6_is_found_too_and_none_where_nothing_passes() -> None:
    vpc = Vpc("2600:1::/56")
    vpc.acl("open", {100: "allow all ::/0"}, {100: "allow all ::/0"})
    vpc.group("open", ["tcp 22 2600:2::/32"], [])
    vpc.table("public", {"::/0": GATEWAY})
    vpc.subnet("front", "2600:1::/64", "open", "public")
    topology, front = vpc.topology(), vpc.machine("front", "front")
    path = witness(topology, INTERNET, front, LINE)
    assert path is not None
    assert str(path.packet) == "tcp 22 from 2600:2:: to 2600:1::"
    assert witness(topology, front, INTERNET, LINE) is None


def test_a_packet_and_its_reply_are_walked_to_the_hop_where_they_die() -> None:
    topology, front, back = two_subnets()
    packet = Packet(SSH.request[0], 0x0A000101, 0x0A000201)
    hops = walk(topology, front, back, packet, reply=6 * 65536 + 40000)
    assert [(hop.component, hop.side, hop.reply, hop.passes) for hop in hops] == [
        ("security_group/open", "egress", False, True),
        ("network_acl/front", "egress", False, True),
        ("network_acl/open", "ingress", False, True),
        ("security_group/open", "ingress", False, True),
        ("network_acl/open", "egress", True, True),
        ("network_acl/front", "ingress", True, False),
    ]


def test_a_verdict_on_another_network_rests_on_its_far_side() -> None:
    vpc = Vpc()
    vpc.table("peered", {"192.168.0.0/16": "pcx-0a1b2c3d4e5f60718"})
    vpc.subnet("one", "10.0.1.0/24", "open", "peered")
    topology, one = vpc.topology(), vpc.machine("one", "one")
    expected = ("the far side of pcx-0a1b2c3d4e5f60718 lets it through",)
    assert rests_on(topology, one, outside("192.168.1.0/24")) == expected
    assert rests_on(topology, outside("192.168.1.0/24"), one) == expected
    assert rests_on(topology, one, one) == rests_on(topology, one, INTERNET) == ()


def test_another_state_of_the_network_is_judged_anew() -> None:
    topology, front, back = two_subnets()
    assert passing(topology, back, front, LINE) != ((), ())
    later = topology.after(
        topology.network.after(
            [(entries(Address("network_acl/front"), "ingress"), 90, AclEntry("deny", "all", -1, -1, "0.0.0.0/0"))]
        )
    )
    assert passing(later, back, front, LINE) == ((), ())
    assert passing(topology, back, front, LINE) != ((), ())


def test_two_ends_without_a_common_family_or_both_outside_are_not_joined() -> None:
    topology, front, _ = two_subnets()
    (blocker,) = blockers(topology, front, outside("2600:2::/32"), SSH)
    assert (blocker.hop.why, blocker.certain, said(blocker)) == (
        Why.NO_FAMILY,
        True,
        "2600:2::/32: the ends have no address of one family",
    )
    assert passing(topology, INTERNET, outside("8.8.8.8/32"), LINE) == ((), ())


def test_flows_know_their_replies() -> None:
    assert written(Flow.of("tcp", (80, 80), (443, 443)).request) == ["tcp 80", "tcp 443"]
    assert written(replies(Flow.of("tcp", (80, 80), (443, 443)), (1024, 65535))) == ["tcp 1024-65535"]
    ping = Flow.of("icmp")
    assert (written(ping.request), ping.reply) == (["icmp 8-0"], (65536, 65537))
    assert written(replies(Flow.of("107"), (1024, 65535))) == ["107"]
    every = replies(Flow.of("all"), (1024, 65535))
    assert written(every)[6:9] == ["tcp 1024-65535", "7", "8"]


def test_the_internet_is_neither_the_vpc_nor_a_special_network() -> None:
    one = internet(["8.8.8.0/24"])
    assert isinstance(one, External)
    for cidr in ("10.0.0.0/8", "8.8.8.0/24", "192.168.0.0/16", "224.0.0.0/4", "fd00::/8"):
        assert not one.addresses & Ranges.of(cidr)
    assert str(one.addresses & Ranges.of("8.8.8.0/23", "2600::/16")) == "8.8.9.0/24, 2600::/16"


@pytest.mark.parametrize("seed", range(6))
def test_what_mends_a_blocker_mends_it_in_any_network(seed: int) -> None:
    """Mends are carried out one after another, until what is left has none."""
    random = Random(seed)
    world = random_world(random)
    topology = world.topology()
    for source in world.ends:
        for target in world.ends:
            if isinstance(source, External) and isinstance(target, External):
                continue
            state = topology
            for _ in range(20):
                found = blockers(state, source, target, SSH)
                wanted = next((blocker for blocker in found if blocker.mends), None)
                if wanted is None:
                    break
                state = mended(state, wanted)
                assert wanted not in blockers(state, source, target, SSH)
            else:
                pytest.fail(f"{source} -> {target} is never mended")


def test_a_world_is_compared_with_the_judge_that_others_import() -> None:
    """`judge()` loads the modules a second time; this is what everybody else gets."""
    random = Random(3)
    real = judge()._replace(passing=passing, blockers=blockers, witness=witness, walk=walk, flow=Flow.of)
    assert list(disagreements(random_world(random), real, random, 6)) == []
