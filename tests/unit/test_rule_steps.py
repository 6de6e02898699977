"""From the live rules of a group to the declared ones: no packet that both sides want is cut, none is let in early."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desired_state.fields import RuleKey
from desired_state.quotas import DEFAULT
from reconciler.aws.ec2 import peer_sort
from reconciler.kinds.security_group.rule_steps import RuleSteps, rule_steps
from reconciler.packets.traffic import Packets, keeps, may_overlap, of_rules
from tests.support import oracle

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
HTTPS = RuleKey("tcp", 443, 443, "0.0.0.0/0")
WIDE = RuleKey("tcp", 5432, 5432, "0.0.0.0/0")
NARROW = RuleKey("tcp", 5432, 5432, "10.0.0.0/16")
LOWER = RuleKey("tcp", 5432, 5432, "10.0.0.0/17")
UPPER = RuleKey("tcp", 5432, 5432, "10.0.128.0/17")
OF_GROUP = RuleKey("tcp", 5432, 5432, "security_group/app")
OF_LIST = RuleKey("tcp", 5432, 5432, "pl-0a1b2c3d")
WIDE_6 = RuleKey("tcp", 5432, 5432, "::/0")

rule_sets = st.frozensets(oracle.rules, max_size=5)
cidr_sets = st.frozensets(st.builds(oracle.rule, oracle.clauses, oracle.cidrs), max_size=5)


def many(count: int, port: int = 1000, peer: str = "10.0.0.0/16") -> set[RuleKey]:
    return {RuleKey("tcp", port + n, port + n, peer) for n in range(count)}


def test_nothing_to_do_is_no_step() -> None:
    assert rule_steps([SSH, HTTPS], [HTTPS, SSH]) == RuleSteps((), (), (), (), "")


def test_an_undeclared_rule_that_protects_nothing_is_revoked_first() -> None:
    assert rule_steps([SSH, HTTPS], [HTTPS]) == RuleSteps((SSH,), (), (), (), "")


def test_a_missing_rule_is_authorized() -> None:
    assert rule_steps([HTTPS], [HTTPS, SSH]) == RuleSteps((), (SSH,), (), (), "")


@pytest.mark.parametrize(("live", "declared"), [(WIDE, NARROW), (NARROW, WIDE)], ids=["narrowed", "widened"])
def test_a_rule_that_is_wider_or_narrower_than_declared_is_changed_in_place(live: RuleKey, declared: RuleKey) -> None:
    assert rule_steps([live], [declared]) == RuleSteps((), (), ((live, declared),), (), "")


def test_a_rule_that_is_split_takes_one_part_in_place_after_the_other_was_added() -> None:
    assert rule_steps([NARROW], [LOWER, UPPER]) == RuleSteps((), (UPPER,), ((NARROW, LOWER),), (), "")


def test_rules_that_are_merged_are_revoked_after_the_whole_is_there() -> None:
    assert rule_steps([LOWER, UPPER], [NARROW]) == RuleSteps((), (), ((LOWER, NARROW),), (UPPER,), "")


@pytest.mark.parametrize(
    ("live", "declared"), [(WIDE, OF_GROUP), (OF_GROUP, WIDE), (OF_LIST, OF_GROUP), (NARROW, OF_LIST)]
)
def test_another_sort_of_peer_is_authorized_before_the_old_one_is_revoked(live: RuleKey, declared: RuleKey) -> None:
    assert rule_steps([live], [declared]) == RuleSteps((), (declared,), (), (live,), "")


def test_ipv4_never_becomes_ipv6_and_they_share_no_packet() -> None:
    assert rule_steps([WIDE], [WIDE_6]) == RuleSteps((WIDE,), (WIDE_6,), (), (), "")


def test_a_group_may_stand_for_any_address_so_its_rule_waits_for_its_successor() -> None:
    assert rule_steps([OF_GROUP], [OF_GROUP._replace(last=5433)]).closing == ()
    assert rule_steps([OF_GROUP], [SSH]).closing == (OF_GROUP,)


def test_a_full_group_is_changed_in_place_without_one_place_more() -> None:
    full = many(DEFAULT.rules - 1) | {WIDE}
    found = rule_steps(full, many(DEFAULT.rules - 1) | {NARROW})
    assert found == RuleSteps((), (), ((WIDE, NARROW),), (), "")


def test_a_full_group_has_no_room_to_make_before_it_breaks() -> None:
    full = many(DEFAULT.rules - 1) | {WIDE}
    found = rule_steps(full, many(DEFAULT.rules - 1) | {OF_GROUP})
    assert found.short == (
        "61 IPv4 rules would exist at once, the quota (QUOTA_RULES) allows 60: "
        "no rule is revoked before its replacement exists"
    )


def test_what_only_closes_makes_room_for_what_is_to_come() -> None:
    full = many(DEFAULT.rules - 1) | {SSH}
    assert rule_steps(full, many(DEFAULT.rules - 1) | {OF_GROUP}).short == ""


def test_a_group_that_holds_more_than_the_default_has_a_higher_quota() -> None:
    full = many(DEFAULT.rules + 9) | {WIDE}
    assert "71 IPv4 rules" in rule_steps(full, many(DEFAULT.rules + 9) | {OF_GROUP}).short
    assert rule_steps(full | {SSH}, many(DEFAULT.rules + 9) | {OF_GROUP}).short == ""


def test_ipv4_and_ipv6_have_a_quota_each() -> None:
    assert rule_steps(many(DEFAULT.rules), many(DEFAULT.rules) | {WIDE_6}).short == ""
    sixes = many(DEFAULT.rules, peer="::/0")
    assert "61 IPv6 rules" in rule_steps(sixes, sixes | {WIDE_6}).short


def simulated(live: frozenset[RuleKey], found: RuleSteps) -> list[tuple[str, frozenset[RuleKey]]]:
    """The group after each call; within the one that modifies, after each rule in the order that is worst."""
    now = live - set(found.closing)
    rows = [("closing", now)]
    now |= set(found.added)
    rows.append(("added", now))
    for old, new in found.modified:
        now = now - {old} | {new}
        rows.append(("modified", now))
    rows.append(("removed", now - set(found.removed)))
    return rows


def check(live: frozenset[RuleKey], declared: frozenset[RuleKey]) -> None:
    found = rule_steps(live, declared)
    was, wanted = of_rules(live), of_rules(declared)
    for reverse in (False, True):
        turned = found._replace(modified=found.modified[::-1]) if reverse else found
        rows = simulated(live, turned)
        for step, now in rows:
            passed: Packets = of_rules(now)
            assert keeps(was, wanted, passed), step
            if step == "closing":
                assert passed <= was
        assert rows[-1][1] == declared


@settings(max_examples=60)
@given(cidr_sets, cidr_sets)
def test_every_group_on_the_way_keeps_the_rule(live: frozenset[RuleKey], declared: frozenset[RuleKey]) -> None:
    check(live, declared)


@pytest.mark.long
@given(cidr_sets, cidr_sets)
def test_every_group_on_the_way_keeps_the_rule_at_length(
    live: frozenset[RuleKey], declared: frozenset[RuleKey]
) -> None:
    check(live, declared)


@settings(max_examples=60)
@given(rule_sets, rule_sets)
def test_steps_never_cross(live: frozenset[RuleKey], declared: frozenset[RuleKey]) -> None:
    found = rule_steps(live, declared)
    assert found.added == tuple(sorted(set(found.added)))
    olds = [old for old, _ in found.modified]
    assert sorted([*found.closing, *found.removed, *olds]) == sorted(live - declared)
    assert sorted([*found.added, *(new for _, new in found.modified)]) == sorted(declared - live)
    for old, new in found.modified:
        assert peer_sort(old) == peer_sort(new)
        assert not any(may_overlap(old, other) for _, other in found.modified if other != new)
    assert not any(may_overlap(old, new) for old in found.closing for new in declared - live)
    assert found == rule_steps(sorted(live), sorted(declared, reverse=True))
