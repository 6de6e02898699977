"""The rules and entries that a filter lacks: exactly what is missing, as few as can be, where they take effect."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import islice
from random import Random
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.quotas import HIGHEST_RULE_NUMBER
from reconciler.packets.traffic import CODES, LINE, STRETCH, Cuts, box, join
from reconciler.reach.network import UNREADABLE, entries, rules
from reconciler.reach.pair import mends as module
from reconciler.reach.pair.ends import External, Ranges, internet
from reconciler.reach.pair.legs import AclLeg, Crossed, GroupsLeg
from reconciler.reach.pair.mends import MOST_CIDRS, MOST_MENDS, clauses, mends, told
from reconciler.reach.pair.path import Mend
from tests.support.small_vpc import EVERYTHING, Vpc, outside

TCP, UDP, ICMP, ICMPV6 = (number * STRETCH for number in (6, 17, 1, 58))
NUMBERS = range(1, HIGHEST_RULE_NUMBER + 1)


def cut(clause: tuple[str, int, int]) -> Cuts:
    return box(*clause, "0.0.0.0/0").cuts


def drawn(random: Random) -> Cuts:
    """Parts of the protocols that have parts, and the whole of others."""
    some: list[Cuts] = [(number * STRETCH, (number + 1) * STRETCH) for number in random.sample([0, 2, 47, 255], 2)]
    for start in (TCP, UDP, ICMP, ICMPV6):
        for _ in range(random.randrange(3)):
            first = random.choice([0, CODES, random.randrange(STRETCH - 1)])
            end = random.choice([STRETCH, first + 1, first + 2 * CODES, random.randrange(first, STRETCH) + 1])
            some.append((start + first, start + min(end, STRETCH)))
    return join(*some)


@pytest.mark.parametrize("seed", range(40))
def test_clauses_make_up_a_part_of_the_traffic_and_share_nothing(seed: int) -> None:
    cuts = drawn(Random(seed))
    found = [cut(one) for one in clauses(cuts)]
    assert join(*found) == cuts
    assert sum(end - start for one in found for start, end in zip(one[::2], one[1::2], strict=True)) == sum(
        end - start for start, end in zip(cuts[::2], cuts[1::2], strict=True)
    )


@pytest.mark.parametrize(
    ("cuts", "found"),
    [
        (LINE, [("all", -1, -1)]),
        ((TCP, TCP + STRETCH), [("tcp", 0, 65535)]),
        ((TCP + 22, TCP + 23, TCP + 80, TCP + 82), [("tcp", 22, 22), ("tcp", 80, 81)]),
        ((TCP + 65535, TCP + STRETCH + 1), [("tcp", 65535, 65535), ("7", -1, -1)]),
        ((ICMP, ICMP + STRETCH), [("icmp", -1, -1)]),
        ((ICMP, ICMP + 2 * CODES), [("icmp", 0, -1), ("icmp", 1, -1)]),
        ((ICMP + 8 * CODES + 255, ICMP + 9 * CODES + 1), [("icmp", 8, 255), ("icmp", 9, 0)]),
        ((ICMPV6 + 254, ICMPV6 + 2 * CODES), [("icmpv6", 0, 254), ("icmpv6", 0, 255), ("icmpv6", 1, -1)]),
        ((ICMP + CODES, ICMP + 2 * CODES - 1), [("icmp", 1, code) for code in range(255)]),
    ],
)
def test_a_clause_is_as_wide_as_it_can_be(cuts: Cuts, found: list[Any]) -> None:
    assert clauses(cuts) == found


# The number of an entry


@pytest.mark.parametrize(
    ("taken", "below", "first"),
    [
        ([], 32767, [10, 20, 30]),
        ([100], 32767, [110, 120, 130]),
        ([104], 32767, [110, 120, 130]),
        ([100, 130], 125, [110, 120, 124, 123]),
        ([100, 125], 125, [110, 120, 124, 123]),
        ([100, 130, 120], 125, [124, 123, 122, 121, 119]),
        ([100, 110], 105, [104, 103, 102, 101, 99]),
        ([100, 105], 105, [104, 103, 102]),
        ([1, 2, 3], 3, []),
        ([5], 1, []),
    ],
)
def test_a_number_is_ten_after_the_entry_before_or_the_nearest_that_is_free(
    taken: list[int], below: int, first: list[int]
) -> None:
    found = list(module._free(dict.fromkeys(taken, AclEntry("allow", "all", -1, -1, "0.0.0.0/0")), below))
    assert found[: len(first)] == first
    assert sorted(found) == [number for number in range(1, below) if number not in taken]


def test_the_highest_number_can_be_taken() -> None:
    taken = dict.fromkeys(NUMBERS[:-1], AclEntry("allow", "all", -1, -1, "0.0.0.0/0"))
    below = module._first_deny({}, crossing(), [])
    assert list(islice(module._free(taken, below), 2)) == [HIGHEST_RULE_NUMBER]


HERE = outside("198.51.100.0/24")
FIRST = int(ip_network("198.51.100.0/24")[0])
SSH: Cuts = (TCP + 22, TCP + 23)
WEB: Cuts = (TCP + 443, TCP + 444)
WHOLE: Cuts = (FIRST, FIRST + 256)


def crossing(peer: Any = HERE, *, peers: Cuts = WHOLE, ipv6: bool = False, cuts: Cuts = SSH) -> Crossed:
    return Crossed(cuts, peers, peer, ipv6)


LACKS = [(FIRST, FIRST + 4, SSH), (FIRST + 8, FIRST + 12, WEB)]


@pytest.mark.parametrize(
    ("others", "number"),
    [
        ({}, HIGHEST_RULE_NUMBER + 1),
        ({90: "deny tcp 22 0.0.0.0/0"}, 90),
        ({90: "deny tcp 443 0.0.0.0/0"}, 90),
        ({90: "deny tcp 22 0.0.0.0/0", 80: "deny all 0.0.0.0/0"}, 80),
        ({90: "allow tcp 22 0.0.0.0/0", 95: "deny all 198.51.100.0/24"}, 95),
        ({90: "deny tcp 22 198.51.100.8/29", 91: "deny tcp 443 198.51.100.0/30"}, HIGHEST_RULE_NUMBER + 1),
        ({90: "deny tcp 22 198.51.100.4/30", 91: "deny tcp 443 198.51.100.12/30"}, HIGHEST_RULE_NUMBER + 1),
        ({90: "deny tcp 443 198.51.100.4/30", 91: "deny tcp 22 198.51.100.4/30"}, HIGHEST_RULE_NUMBER + 1),
        ({90: "deny tcp 23 0.0.0.0/0", 91: "deny udp 22 0.0.0.0/0"}, HIGHEST_RULE_NUMBER + 1),
        ({90: "deny all ::/0", 91: "deny tcp 22 198.51.100.3/32"}, 91),
    ],
)
def test_an_entry_must_stand_before_the_first_that_denies_some_of_it(others: dict[int, str], number: int) -> None:
    vpc = Vpc()
    vpc.acl("front", others, {})
    found = vpc.topology().network.entries(Address("network_acl/front"), "ingress")
    assert module._first_deny(found, crossing(), LACKS) == number


# What is wanted


def bands(random: Random) -> list[tuple[int, int, Cuts]]:
    """What lacks by address, in ascending order."""
    found, at, most = [], FIRST, random.randrange(1, 4)
    while len(found) < most:
        at += random.choice([0, 0, 8, 16])
        end = at + random.choice([8, 8, 8, 3])
        found.append((at, end, random.choice([SSH, WEB, join(SSH, WEB)])))
        at = end
    return found


def made_up(wanted: Any) -> dict[int, Cuts]:
    """What clauses and networks let through, by address."""
    found: dict[int, Cuts] = {}
    for clause, cidr in wanted:
        network = ip_network(cidr)
        for address in range(int(network[0]), int(network[-1]) + 1):
            found[address] = join(found.get(address, ()), cut(clause))
    return found


def test_what_lacks_is_let_through_exactly_unless_that_takes_too_many() -> None:
    exact = whole = 0
    for seed in range(100):
        lacking = bands(Random(seed))
        wanted = module._wanted(crossing(), lacking)
        lets, lacks = made_up(wanted), {at: cuts for first, end, cuts in lacking for at in range(first, end)}
        if len(wanted) <= MOST_CIDRS and {cidr for _, cidr in wanted} != {"198.51.100.0/24"}:
            assert lets == lacks, lacking
            exact += 1
        else:
            every = join(*(cuts for _, _, cuts in lacking))
            assert lets == dict.fromkeys(range(*WHOLE), every), lacking
            whole += 1
    assert min(exact, whole) > 20


@pytest.mark.parametrize(
    ("lacking", "wanted"),
    [
        ([(FIRST, FIRST + 4, SSH), (FIRST + 4, FIRST + 8, SSH)], [("198.51.100.0/29", 22)]),
        ([(FIRST, FIRST + 4, SSH), (FIRST + 8, FIRST + 12, SSH)], [("198.51.100.0/30", 22), ("198.51.100.8/30", 22)]),
        ([(FIRST, FIRST + 4, SSH), (FIRST + 4, FIRST + 8, WEB)], [("198.51.100.0/30", 22), ("198.51.100.4/30", 443)]),
        ([(FIRST + 1, FIRST + 8, SSH)], [(f"198.51.100.{last}", 22) for last in ("1/32", "2/31", "4/30")]),
        ([(FIRST + 1, FIRST + 16, SSH)], [(f"198.51.100.{last}", 22) for last in ("1/32", "2/31", "4/30", "8/29")]),
        ([(FIRST + 1, FIRST + 32, SSH)], [("198.51.100.0/24", 22)]),
    ],
)
def test_networks_are_as_few_as_can_be(lacking: Any, wanted: list[tuple[str, int]]) -> None:
    found = module._wanted(crossing(), lacking)
    assert [(cidr, first) for (_, first, _), cidr in found] == wanted


def test_for_the_internet_a_mend_is_for_everybody_and_for_another_network_for_that() -> None:
    everybody = internet(["10.0.0.0/16"])
    six = int(ip_network("2001:db8::/64")[0])
    far = External("far", Ranges.of("2001:db8::/64"))
    for peer, ipv6, first, cidr in (
        (everybody, False, FIRST, "0.0.0.0/0"),
        (everybody, True, six, "::/0"),
        (HERE, False, FIRST, "198.51.100.0/32"),
        (far, True, six, "2001:db8::/128"),
    ):
        lacking = [(first, first + 1, SSH)]
        assert module._wanted(crossing(peer, ipv6=ipv6), lacking) == [(("tcp", 22, 22), cidr)]
    many = [(six + 2 * at, six + 2 * at + 1, SSH) for at in range(MOST_CIDRS + 1)]
    assert module._wanted(crossing(far, peers=(six, six + 2**64), ipv6=True), many) == [
        (("tcp", 22, 22), "2001:db8::/64")
    ]


# Groups and ACLs


def world(**groups: tuple[str, ...]) -> Vpc:
    vpc = Vpc()
    vpc.acl("front", {}, EVERYTHING)
    vpc.subnet("front", "10.0.1.0/24", "front")
    for name, some in groups.items():
        vpc.group(name, some)
    return vpc


def ports(count: int) -> Cuts:
    """So many single ports, none beside another."""
    return join(*((TCP + 2 * at, TCP + 2 * at + 1) for at in range(count)))


def of_a_group(vpc: Vpc, *carried: str, peer: Any = HERE, cuts: Cuts = SSH) -> list[tuple[str, Any]]:
    leg = GroupsLeg(vpc.machine("front", "front", *carried), "ingress", crossing(peer, cuts=cuts))
    found = mends(vpc.topology(), leg, [(*WHOLE, cuts)])
    assert all(one.value is True for one in found)
    return [(one.cell.of.name, one.member) for one in found]


def of_an_acl(vpc: Vpc, cuts: Cuts = SSH, acl_of: str = "front") -> list[Any]:
    leg = AclLeg(Address(f"subnet/{acl_of}"), "ingress", crossing(cuts=cuts))
    return [(one.member, one.value) for one in mends(vpc.topology(), leg, [(*WHOLE, cuts)])]


def test_the_first_group_that_is_known_gets_the_rule() -> None:
    ssh = RuleKey("tcp", 22, 22, "198.51.100.0/24")
    for seed in range(5):
        names = Random(seed).sample(["a", "b", "c"], 3)
        vpc = world(**dict.fromkeys(names, ()))
        assert of_a_group(vpc, *names) == [("a", ssh)]
        assert of_a_group(vpc, *names, "0-of-nobody") == [("a", ssh)]
        vpc.effects.append((UNREADABLE, Address("security_group/a"), True))
        assert of_a_group(vpc, *names) == [("b", ssh)]
    assert of_a_group(world(), "of-nobody") == []


def test_a_peer_with_groups_is_named_by_the_first_of_them() -> None:
    vpc = world(own=(), x=(), y=(), z=())
    for seed in range(5):
        peer = vpc.machine("peer", "front", *Random(seed).sample("zyx", 3))
        assert of_a_group(vpc, "own", peer=peer) == [("own", RuleKey("tcp", 22, 22, "security_group/x"))]


@pytest.mark.parametrize(("count", "fits"), [(1, True), (MOST_MENDS, True), (MOST_MENDS + 1, False)])
def test_what_would_take_too_many_has_no_mend(count: int, *, fits: bool) -> None:
    cuts = ports(count)
    assert len(of_a_group(world(own=()), "own", cuts=cuts)) == len(of_an_acl(world(), cuts)) == (count if fits else 0)


def test_entries_stand_in_the_order_of_what_they_let_through() -> None:
    vpc = world()
    vpc.acl("front", {100: "allow tcp 1 0.0.0.0/0", 112: "deny all 0.0.0.0/0"}, EVERYTHING)
    found = of_an_acl(vpc, ports(3))
    assert [(number, one.first) for number, one in found] == [(109, 0), (110, 2), (111, 4)]
    assert {one.cidr for _, one in found} == {"198.51.100.0/24"}
    vpc.acl("front", {4: "deny all 0.0.0.0/0"}, EVERYTHING)
    assert len(of_an_acl(vpc, ports(3))) == 3
    assert of_an_acl(vpc, ports(4)) == []


def test_an_acl_that_nobody_knows_has_no_mend() -> None:
    vpc = world()
    assert of_an_acl(vpc, acl_of="nowhere") == []
    vpc.subnet("bare", "10.0.2.0/24", "of-nobody")
    assert of_an_acl(vpc, acl_of="bare") == []
    vpc.effects.append((UNREADABLE, Address("network_acl/front"), True))
    assert of_an_acl(vpc) == []


def test_a_mend_is_told_as_a_document_writes_it_and_acts_on_no_terminal() -> None:
    odd = Address("security_group/\x1b[2J")
    assert told(Mend(rules(odd, "egress"), RuleKey("tcp", 22, 22, "10.0.0.0/8"), value=True)) == (
        'security_group/\\x1b[2J, egress: {"protocol": "tcp", "ports": 22, "destination": "10.0.0.0/8"}'
    )
    with pytest.raises(ValueError, match="has a number and a value"):
        told(Mend(entries(Address("network_acl/front"), "ingress"), 100, value=True))
