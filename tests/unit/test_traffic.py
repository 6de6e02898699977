"""The packet algebra: exact on small worlds where every packet can be counted, and readable."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desired_state.fields import AclEntry, RuleKey
from reconciler.packets.traffic import NOTHING, Packets, keeps, may_overlap, of_acl, of_rule, of_rules
from tests.support import oracle
from tests.support.oracle import WORLD, Packet

ONE = {packet: of_rule(oracle.exactly(packet)) for packet in WORLD}
quick = settings(max_examples=8)

rule_lists = st.lists(oracle.rules, max_size=6)


def members(packets: Packets) -> set[Packet]:
    return {packet for packet, alone in ONE.items() if alone <= packets}


def check_groups(left: list[RuleKey], right: list[RuleKey]) -> None:
    one, other = of_rules(left), of_rules(right)
    ones, others = oracle.through_rules(left, WORLD), oracle.through_rules(right, WORLD)
    assert members(one) == ones
    assert members(one | other) == ones | others
    assert members(one & other) == ones & others
    assert members(one - other) == ones - others
    assert (one <= other) == (ones <= others)
    assert (one == other) == (ones == others)
    assert bool(one) == bool(ones)


def check_acls(before: dict[int, AclEntry], after: dict[int, AclEntry], now: dict[int, AclEntry]) -> None:
    was, wanted, present = of_acl(before), of_acl(after), of_acl(now)
    let_before, let_after, let_now = (oracle.through_acl(entries, WORLD) for entries in (before, after, now))
    assert members(was) == let_before
    assert (was == wanted) == (let_before == let_after)
    assert keeps(was, wanted, present) == (let_now <= let_before | let_after and let_before & let_after <= let_now)


@quick
@given(rule_lists, rule_lists)
def test_sets_of_rules_agree_with_counting_packets(left: list[RuleKey], right: list[RuleKey]) -> None:
    check_groups(left, right)


@quick
@given(oracle.acls, oracle.acls, oracle.acls)
def test_first_match_agrees_with_counting_packets(
    before: dict[int, AclEntry], after: dict[int, AclEntry], now: dict[int, AclEntry]
) -> None:
    check_acls(before, after, now)


@pytest.mark.long
@given(rule_lists, rule_lists)
def test_sets_of_rules_agree_with_counting_packets_at_length(left: list[RuleKey], right: list[RuleKey]) -> None:
    check_groups(left, right)


@pytest.mark.long
@given(oracle.acls, oracle.acls, oracle.acls)
def test_first_match_agrees_with_counting_packets_at_length(
    before: dict[int, AclEntry], after: dict[int, AclEntry], now: dict[int, AclEntry]
) -> None:
    check_acls(before, after, now)


@quick
@given(rule_lists, st.randoms(use_true_random=False))
def test_a_set_has_one_form_whatever_the_order_of_its_rules(listed: list[RuleKey], random: Random) -> None:
    shuffled = listed[:]
    random.shuffle(shuffled)
    assert of_rules(shuffled) == of_rules(listed)
    assert hash(of_rules(shuffled)) == hash(of_rules(listed))


@quick
@given(oracle.rules, oracle.rules)
def test_rules_of_opaque_peers_may_meet_anybody_and_cidrs_meet_by_address(one: RuleKey, other: RuleKey) -> None:
    here, there = (rule if rule.is_cidr else rule._replace(peer="0.0.0.0/0") for rule in (one, other))
    if not (one.is_cidr and other.is_cidr):
        here, there = here._replace(peer="0.0.0.0/0"), there._replace(peer="0.0.0.0/0")
    meet = oracle.through_rules([here], WORLD) & oracle.through_rules([there], WORLD)
    assert may_overlap(one, other) == may_overlap(other, one) == bool(meet)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (RuleKey("tcp", 22, 22, "10.0.0.0/8"), RuleKey("all", -1, -1, "10.1.0.0/16"), True),
        (RuleKey("tcp", 22, 22, "10.0.0.0/16"), RuleKey("tcp", 22, 22, "10.1.0.0/16"), False),
        (RuleKey("tcp", 22, 22, "10.0.0.0/8"), RuleKey("tcp", 23, 80, "10.0.0.0/8"), False),
        (RuleKey("tcp", 22, 22, "10.0.0.0/8"), RuleKey("udp", 22, 22, "10.0.0.0/8"), False),
        (RuleKey("tcp", 22, 22, "0.0.0.0/0"), RuleKey("tcp", 22, 22, "::/0"), False),
        (RuleKey("tcp", 22, 22, "security_group/app"), RuleKey("tcp", 20, 30, "10.0.0.1/32"), True),
        (RuleKey("tcp", 22, 22, "security_group/app"), RuleKey("all", -1, -1, "pl-0a1b2c3d"), True),
        (RuleKey("icmp", 8, -1, "::/0"), RuleKey("icmp", 8, 0, "security_group/app"), True),
        (RuleKey("icmp", 8, 1, "::/0"), RuleKey("icmp", 8, 0, "security_group/app"), False),
    ],
)
def test_two_rules_meet_where_traffic_and_peers_do(one: RuleKey, other: RuleKey, meet: bool) -> None:
    assert may_overlap(one, other) is meet
    assert may_overlap(other, one) is meet


def test_a_range_is_the_ports_it_spells_out() -> None:
    spelled = of_rules(RuleKey("tcp", port, port, "10.0.0.0/24") for port in range(20, 26))
    assert of_rule(RuleKey("tcp", 20, 25, "10.0.0.0/24")) == spelled


def test_two_halves_of_the_internet_are_the_internet() -> None:
    halves = of_rules([RuleKey("all", -1, -1, "0.0.0.0/1"), RuleKey("all", -1, -1, "128.0.0.0/1")])
    assert halves == of_rule(RuleKey("all", -1, -1, "0.0.0.0/0"))
    assert not halves & of_rule(RuleKey("all", -1, -1, "::/0"))


def test_all_traffic_is_the_256_protocols_and_nothing_else() -> None:
    ported = [RuleKey(name, 0, 65535, "::/0") for name in ("tcp", "udp")]
    types = [RuleKey(name, kind, -1, "::/0") for name in ("icmp", "icmpv6") for kind in range(256)]
    others = [RuleKey(str(number), -1, -1, "::/0") for number in range(256) if number not in (1, 6, 17, 58)]
    assert of_rules(ported + types + others) == of_rule(RuleKey("all", -1, -1, "::/0"))
    assert of_rules(ported + types + others[1:]) != of_rule(RuleKey("all", -1, -1, "::/0"))


def test_an_icmp_type_is_its_256_codes() -> None:
    codes = of_rules(RuleKey("icmp", 3, code, "10.0.0.0/8") for code in range(256))
    assert codes == of_rule(RuleKey("icmp", 3, -1, "10.0.0.0/8"))


def test_one_icmp_code_of_any_type_is_that_code_of_each_type() -> None:
    every = of_rules(RuleKey("icmp", kind, 4, "10.0.0.0/8") for kind in range(256))
    assert of_rule(RuleKey("icmp", -1, 4, "10.0.0.0/8")) == every


def test_opaque_peers_are_worlds_of_their_own() -> None:
    group = of_rule(RuleKey("tcp", 5432, 5432, "security_group/app"))
    everywhere = of_rules(RuleKey("all", -1, -1, cidr) for cidr in ("0.0.0.0/0", "::/0"))
    foreign = of_rule(RuleKey("tcp", 5432, 5432, "111122223333/sg-0a1b2c3d"))
    assert not group & everywhere
    assert not group & foreign
    assert group <= of_rule(RuleKey("all", -1, -1, "security_group/app"))


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        (RuleKey("tcp", 22, 25, "203.0.113.0/24"), "tcp 22 from 203.0.113.0"),
        (RuleKey("udp", 53, 53, "2001:db8::/32"), "udp 53 from 2001:db8::"),
        (RuleKey("icmp", 8, -1, "10.0.0.1/32"), "icmp type 8 code 0 from 10.0.0.1"),
        (RuleKey("47", -1, -1, "10.0.0.0/8"), "protocol 47 from 10.0.0.0"),
        (RuleKey("all", -1, -1, "0.0.0.0/0"), "tcp 0 from 0.0.0.0"),
        (RuleKey("tcp", 5432, 5432, "security_group/app"), "tcp 5432 from security_group/app"),
        (RuleKey("tcp", 443, 443, "pl-0a1b2c3d"), "tcp 443 from pl-0a1b2c3d"),
    ],
)
def test_an_example_reads_like_a_sentence(rule: RuleKey, example: str) -> None:
    assert of_rule(rule).example() == example
    assert of_rule(rule).example("to") == example.replace(" from ", " to ")


@quick
@given(rule_lists)
def test_an_example_is_a_packet_of_the_set(listed: list[RuleKey]) -> None:
    packets = of_rules(listed)
    if not packets:
        return
    clause, _, peer = packets.example().partition(" from ")
    words = clause.split()
    cidr = f"{peer}/128" if ":" in peer else f"{peer}/32" if peer[0].isdigit() else peer
    match words:
        case ["tcp" | "udp", port]:
            alone = RuleKey(words[0], int(port), int(port), cidr)
        case ["icmp" | "icmpv6", "type", kind, "code", code]:
            alone = RuleKey(words[0], int(kind), int(code), cidr)
        case _:
            alone = RuleKey(words[1], -1, -1, cidr)
    assert of_rule(alone) <= packets


def test_nothing_has_no_example() -> None:
    assert not NOTHING
    with pytest.raises(ValueError, match="an empty set"):
        NOTHING.example()


def test_an_intruders_allow_below_a_wanted_deny_lets_through_what_it_names() -> None:
    wanted = {
        100: AclEntry("deny", "tcp", 22, 22, "0.0.0.0/0"),
        200: AclEntry("allow", "all", -1, -1, "0.0.0.0/0"),
    }
    drifted = wanted | {50: AclEntry("allow", "tcp", 22, 22, "203.0.113.0/24")}
    assert (of_acl(drifted) - of_acl(wanted)).example() == "tcp 22 from 203.0.113.0"
    assert of_acl(wanted) <= of_acl(drifted)
    assert not keeps(of_acl(wanted), of_acl(wanted), of_acl(drifted))
