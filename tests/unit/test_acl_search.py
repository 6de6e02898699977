"""From one ACL list to another: every list on the way keeps the rule, judged by counting packets."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desired_state.fields import AclEntry
from reconciler.kinds.network_acl import search as acl_steps
from reconciler.kinds.network_acl.search import Step, Steps, steps
from tests.support import oracle

type Entries = dict[int, AclEntry]

EVERYWHERE = "0.0.0.0/0"
ALL = AclEntry("allow", "all", -1, -1, EVERYWHERE)
ALL_6 = AclEntry("allow", "all", -1, -1, "::/0")
WEB = AclEntry("allow", "tcp", 443, 443, EVERYWHERE)
SSH = AclEntry("allow", "tcp", 22, 22, EVERYWHERE)
NO_SSH = AclEntry("deny", "tcp", 22, 22, EVERYWHERE)

# One packet for every case that the entries below can tell apart, and some beyond their edges.
WORLD = oracle.world(
    (
        "10.0.0.3",
        "10.0.0.4",
        "10.0.0.5",
        "10.0.0.6",
        "10.0.0.7",
        "10.0.0.8",
        "2001:db8::4",
        "2001:db8::5",
        "2001:db8::6",
    ),
    (0, 1, 2, 4, 5),
)
clauses = st.sampled_from(
    (("tcp", 0, 65535), ("tcp", 1, 1), ("tcp", 1, 2), ("tcp", 2, 4), ("47", -1, -1), ("all", -1, -1))
)
cidrs = st.sampled_from(
    (
        EVERYWHERE,
        "10.0.0.4/30",
        "10.0.0.4/31",
        "10.0.0.6/31",
        "10.0.0.5/32",
        "::/0",
        "2001:db8::4/127",
        "2001:db8::5/128",
    )
)
entries = st.builds(oracle.entry, oracle.actions, clauses, cidrs)
near = st.integers(1, 9)  # no number in front of most lists
apart = st.sampled_from((10, 20, 30, 40, 50, 60, 32766))
lists = st.one_of(st.dictionaries(near, entries, max_size=6), st.dictionaries(apart, entries, max_size=6))


def host(last: int) -> AclEntry:
    """Hosts share no packet, so nothing but the entry itself, or a copy, keeps one reachable."""
    return AclEntry("allow", "tcp", 443, 443, f"10.0.{last}.1/32")


def versions(listed: Entries) -> tuple[int, int]:
    six = sum(":" in entry.cidr for entry in listed.values())
    return len(listed) - six, six


def walked(
    before: Entries, after: Entries, found: Steps, capacity: int = 19, world: tuple[oracle.Packet, ...] = WORLD
) -> None:
    """Makes the calls as EC2 would and counts the packets after each."""
    was, wanted = oracle.through_acl(before, world), oracle.through_acl(after, world)
    limit = [max(capacity, count) for count in versions(before)]
    now = dict(before)
    for position, (verb, number, entry) in enumerate(found.closing + found.rest):
        assert 1 <= number <= 32766
        assert (verb == "create") == (number not in now)
        if verb == "delete":
            assert entry is None
            del now[number]
        else:
            assert entry is not None
            now[number] = entry
        assert all(count <= most for count, most in zip(versions(now), limit, strict=True))
        passed = oracle.through_acl(now, world)
        assert was & wanted <= passed <= was | wanted
        if position <= len(found.closing):
            assert (passed <= was) == (position < len(found.closing))
    assert now == after


def check(before: Entries, after: Entries, capacity: int) -> Steps | None:
    found = steps(before, after, capacity)
    if found is not None:
        walked(before, after, found, capacity)
        differing = sum(before.get(number) != after.get(number) for number in before | after)
        assert len(found.closing) + len(found.rest) >= differing
    return found


@settings(max_examples=20)
@given(lists, lists, st.sampled_from((6, 7, 19)))
def test_every_list_on_the_way_keeps_the_rule(before: Entries, after: Entries, capacity: int) -> None:
    check(before, after, capacity)


def narrow_then_wide(before: Entries, after: Entries, rows: list[Entries]) -> bool | None:
    """Whether these lists first only close and then only open (True), or just keep the rule (False), or not (None)."""
    was, wanted = oracle.through_acl(before, WORLD), oracle.through_acl(after, WORLD)
    passed = [oracle.through_acl(row, WORLD) for row in rows]
    if not all(was & wanted <= now <= was | wanted for now in passed):
        return None
    closing = next((n for n, now in enumerate(passed) if not now <= was), len(passed))
    return all(now <= wanted for now in passed[closing:])


def check_best(before: Entries, after: Entries) -> None:
    """Against every order there is of writing each differing number once."""
    numbers = [number for number in sorted(before | after) if before.get(number) != after.get(number)]
    orders = [
        narrow_then_wide(before, after, [mixed(before, after, set(order[: n + 1])) for n in range(len(order))])
        for order in permutations(numbers)
    ]
    found = steps(before, after)
    direct = found is not None and len(found.closing) + len(found.rest) == len(numbers)
    assert direct == any(order is not None for order in orders)
    if found is not None and any(orders):
        now, rows = dict(before), []
        for _, number, entry in found.closing + found.rest:
            now = {other: kept for other, kept in now.items() if other != number}
            now |= {number: entry} if entry else {}
            rows.append(now)
        assert narrow_then_wide(before, after, rows)


def mixed(before: Entries, after: Entries, written: set[int]) -> Entries:
    return {n: e for n, e in before.items() if n not in written} | {n: e for n, e in after.items() if n in written}


few = st.dictionaries(st.integers(1, 4), entries, max_size=4)


@settings(max_examples=6)
@given(few, few)
@example(
    {
        1: AclEntry("allow", "tcp", 1, 2, "10.0.0.4/31"),
        2: AclEntry("deny", "tcp", 1, 2, "10.0.0.4/30"),
        3: AclEntry("allow", "all", -1, -1, "10.0.0.4/31"),
    },
    {
        1: AclEntry("deny", "tcp", 2, 4, "10.0.0.4/31"),
        2: AclEntry("allow", "tcp", 1, 2, "10.0.0.4/31"),
        3: AclEntry("allow", "tcp", 1, 2, "10.0.0.4/30"),
    },
)
def test_each_number_is_written_once_wherever_some_order_keeps_the_rule(before: Entries, after: Entries) -> None:
    check_best(before, after)


@pytest.mark.long
@given(few, few)
def test_each_number_is_written_once_at_length(before: Entries, after: Entries) -> None:
    check_best(before, after)


@pytest.mark.long
@given(lists, lists, st.sampled_from((2, 3, 4, 6, 7, 19)))
def test_every_list_on_the_way_keeps_the_rule_at_length(before: Entries, after: Entries, capacity: int) -> None:
    check(before, after, capacity)


def test_equal_lists_need_no_call() -> None:
    assert steps({100: WEB}, {100: WEB}) == Steps((), ())


def test_an_allow_becomes_a_deny_in_one_replace_that_closes() -> None:
    found = steps({100: SSH, 110: ALL}, {100: NO_SSH, 110: ALL})
    assert found == Steps((Step("replace", 100, NO_SSH),), ())


def test_an_intruders_low_allow_goes_before_anything_opens() -> None:
    intruder = AclEntry("allow", "tcp", 22, 22, "203.0.113.0/24")
    found = steps({50: intruder, 100: NO_SSH}, {100: NO_SSH, 110: WEB})
    assert found == Steps((Step("delete", 50, None),), (Step("create", 110, WEB),))


def test_a_wanted_deny_stands_before_the_intruders_allow_goes() -> None:
    intruder = AclEntry("allow", "tcp", 22, 22, "203.0.113.0/24")
    found = steps({50: intruder, 110: ALL}, {100: NO_SSH, 110: ALL})
    assert found == Steps((Step("create", 100, NO_SSH), Step("delete", 50, None)), ())


def test_a_renumbered_deny_stands_twice_for_a_while() -> None:
    found = steps({100: WEB, 110: NO_SSH, 120: ALL}, {100: WEB, 105: NO_SSH, 120: ALL})
    assert found == Steps((Step("create", 105, NO_SSH), Step("delete", 110, None)), ())


def test_an_allow_in_front_of_a_deny_is_one_opening_call() -> None:
    found = steps({100: NO_SSH, 110: ALL}, {90: SSH._replace(cidr="10.0.0.0/8"), 100: NO_SSH, 110: ALL})
    assert found == Steps((), (Step("create", 90, SSH._replace(cidr="10.0.0.0/8")),))


def test_a_deny_and_an_allow_that_swap_places_need_two_replaces_in_the_right_order() -> None:
    found = steps({100: NO_SSH, 110: ALL}, {100: ALL, 110: NO_SSH})
    assert found == Steps((), (Step("replace", 100, ALL), Step("replace", 110, NO_SSH)))


def test_two_hosts_that_swap_places_need_a_copy_in_front() -> None:
    found = steps({100: host(1), 110: host(2)}, {100: host(2), 110: host(1)})
    expected = (
        Step("create", 99, host(1)),
        Step("replace", 100, host(2)),
        Step("replace", 110, host(1)),
        Step("delete", 99, None),
    )
    assert found == Steps(expected, ())


def test_two_hosts_that_swap_places_in_a_full_list_have_no_way() -> None:
    assert steps({100: host(1), 110: host(2)}, {100: host(2), 110: host(1)}, capacity=2) is None


def test_a_full_list_of_19_is_changed_in_place() -> None:
    before = {100 + n: AclEntry("allow", "tcp", 1000 + n, 1000 + n, EVERYWHERE) for n in range(19)}
    after = {number: entry._replace(first=entry.first + 500, last=entry.last + 500) for number, entry in before.items()}
    found = steps(before, after)
    assert found is not None
    assert {step.verb for step in found.closing + found.rest} == {"replace"}
    assert len(found.closing + found.rest) == 19


def test_a_full_list_trades_one_number_for_another_by_deleting_first() -> None:
    before = {100 + n: host(n) for n in range(19)}
    after = before | {90: SSH}
    del after[118]
    assert steps(before, after) == Steps((Step("delete", 118, None),), (Step("create", 90, SSH),))


def test_an_intruder_at_number_1_who_lets_everybody_in_is_deleted_first() -> None:
    wanted = {100: NO_SSH, 110: WEB}
    assert steps({1: ALL} | wanted, wanted) == Steps((Step("delete", 1, None),), ())
    assert steps({1: ALL, 110: WEB}, wanted) == Steps((Step("delete", 1, None), Step("create", 100, NO_SSH)), ())


def test_an_intruder_at_number_1_who_shuts_everybody_out_goes_once_nothing_wrong_is_behind() -> None:
    shut = ALL._replace(action="deny")
    found = steps({1: shut, 100: SSH}, {100: NO_SSH, 110: WEB})
    assert found == Steps((Step("replace", 100, NO_SSH), Step("delete", 1, None)), (Step("create", 110, WEB),))


def test_three_pairs_swap_places_though_no_number_is_free_in_front() -> None:
    before = {1 + n: host(n) for n in range(6)}
    after = {1 + n: host(n ^ 1) for n in range(6)}
    world = oracle.world([f"10.0.{n}.1" for n in range(7)], (443,))
    found = steps(before, after)
    assert found is not None
    walked(before, after, found, world=world)
    assert len(found.closing + found.rest) == 10


def test_nine_pairs_swap_places_with_room_for_a_single_entry_more() -> None:
    before = {100 + n: host(n) for n in range(18)}
    after = {100 + n: host(n ^ 1) for n in range(18)}
    world = oracle.world([f"10.0.{n}.1" for n in range(19)], (443,))
    found = steps(before, after)
    assert found is not None
    walked(before, after, found, world=world)


def test_a_search_that_has_looked_at_enough_lists_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {100: host(1), 110: host(2)}
    after = {100: host(2), 110: host(1)}
    assert steps(before, after) is not None
    monkeypatch.setattr(acl_steps, "TRIES", 3)
    assert steps(before, after) is None


def test_a_sequence_that_the_algebra_does_not_agree_to_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = {100: NO_SSH, 110: ALL}, {100: WEB, 105: NO_SSH, 110: ALL}
    for calls in (
        [(100, None), (105, NO_SSH), (100, WEB)],  # ssh passes for a while
        [(110, None), (105, NO_SSH), (110, ALL), (100, WEB)],  # nothing passes for a while
        [(105, NO_SSH)],  # not the whole way
    ):
        monkeypatch.setattr(acl_steps, "_shortest", lambda *_, calls=calls: calls)
        assert steps(before, after) is None


def test_what_closes_again_after_something_opened_is_no_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [(110, WEB), (110, None), (110, WEB)]
    monkeypatch.setattr(acl_steps, "_shortest", lambda *_: calls)
    found = steps({100: SSH}, {100: SSH, 110: WEB})
    assert found == Steps((), (Step("create", 110, WEB), Step("delete", 110, None), Step("create", 110, WEB)))


def test_ipv4_and_ipv6_entries_are_counted_apart() -> None:
    before = {100 + n: host(n) for n in range(19)}
    assert steps(before, before | {200: ALL_6}) == Steps((), (Step("create", 200, ALL_6),))
    assert steps(before, before | {200: SSH}) is None


def test_a_list_longer_than_the_quota_proves_a_higher_one() -> None:
    before = {100 + n: host(n) for n in range(25)}
    after = {number: entry for number, entry in before.items() if number != 110} | {90: SSH}
    assert steps(before, after) == Steps((Step("delete", 110, None),), (Step("create", 90, SSH),))


def test_numbers_that_entries_cannot_have_lead_nowhere() -> None:
    assert steps({}, {0: WEB}) is None
    assert steps({32767: ALL}, {32766: ALL}) is None
    assert steps({}, {32766: WEB}) == Steps((), (Step("create", 32766, WEB),))


def test_a_spare_number_is_one_that_entries_may_have() -> None:
    assert list(acl_steps._free((1, 5, 6, 32766))) == [4, 32765]
    assert list(acl_steps._free((100,))) == [99, 101]


def test_the_same_lists_give_the_same_calls_whatever_the_order_of_the_mapping() -> None:
    before = {100 + 10 * n: host(n) for n in range(5)} | {95: NO_SSH}
    after = {100 + 10 * n: host((n + 2) % 5) for n in range(5)} | {160: ALL}
    assert steps(dict(reversed(before.items())), dict(reversed(after.items()))) == steps(before, after)


def test_a_few_changed_numbers_take_milliseconds_and_two_full_lists_less_than_a_second() -> None:
    random = Random(7)

    def listed() -> Entries:
        return {
            100 + n: AclEntry(
                random.choice(("allow", "deny")), "tcp", low, low + random.randint(0, 30), f"10.{block}.0.0/16"
            )
            for n, low, block in ((n, random.randint(1, 60), random.randint(0, 3)) for n in range(19))
        }

    before, after = listed(), listed()
    nearly = after | {150: ALL, 101: WEB, 105: NO_SSH}
    assert steps(nearly, after, capacity=20) is not None
    steps(before, after)  # bounded work: an endless search would meet pytest's timeout
