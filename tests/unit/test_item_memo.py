"""What the memo gives is what botocore's own parser makes of the same bytes, also of bytes that nobody expects."""

from __future__ import annotations

import pickle
import random
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.hooks import HierarchicalEmitter

from reconciler.aws.item_memo import ItemMemo
from reconciler.model.kept import KeptItem
from tests.support.written_answers import HEAD, READS, UNLIKE, answers, comparable, model, parsed


def compared(seed: int) -> None:
    """One memo over many answers against botocore alone, and what it keeps against its budget."""
    seeded = random.Random(seed)
    memo = ItemMemo(budget := seeded.choice((0, 2_000, 50_000, 4_000_000)))
    operation = (*READS, *UNLIKE)[seed % len((*READS, *UNLIKE))]
    for number, (asked, body, status) in enumerate(answers(seeded, operation, 12)):
        ours, plain = parsed(body, asked, memo, status), parsed(body, asked, None, status)
        assert ours == plain or comparable(ours) == comparable(plain), f"seed {seed}, {number}"
        kept = [sum(len(one.body) for one in some) for some in memo._known.values()]
        assert all(kept), f"seed {seed}, {number}"
        assert sum(kept) == memo._size <= budget, f"seed {seed}, {number}"


def compared_all(seeds: Iterable[int]) -> None:
    for seed in seeds:
        compared(seed)


def test_every_answer_is_what_botocore_makes_of_it() -> None:
    compared_all(range(39))


@pytest.mark.long
@pytest.mark.parametrize("first", range(100_000, 320_000, 2_000))
def test_every_answer_is_what_botocore_makes_of_it_in_many_more_cases(first: int) -> None:
    compared_all(range(first, first + 2_000))


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as the interpreter lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def compared_in_threads(seed: int) -> None:
    seeded = random.Random(seed)
    operation = READS[seed % len(READS)]
    made = list(answers(seeded, operation, 24))
    memo = ItemMemo(seeded.choice((2_000, 50_000, 4_000_000)))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: parsed(one[1], one[0], memo, one[2]), made))
    plain = [parsed(body, asked, None, status) for asked, body, status in made]
    assert comparable(found) == comparable(plain), f"seed {seed}"
    kept = sum(len(one.body) for some in memo._known.values() for one in some)
    assert kept == memo._size <= memo._budget, f"seed {seed}"


@pytest.mark.usefixtures("switching")
def test_four_threads_with_one_memo_get_what_botocore_makes_of_it() -> None:
    for seed in range(4):
        compared_in_threads(seed)


@pytest.mark.long
@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize("first", range(1_000, 11_000, 1_000))
def test_four_threads_with_one_memo_get_what_botocore_makes_of_it_in_many_more_cases(first: int) -> None:
    for seed in range(first, first + 1_000):
        compared_in_threads(seed)


def groups(*texts: str) -> bytes:
    """An answer with a group for each description."""
    items = "".join(
        f"<item><groupId>sg-{number:017x}</groupId><groupName>group {number}</groupName><ownerId>123456789012</ownerId>"
        f"<vpcId>vpc-0123456789abcdef0</vpcId><ipPermissions/><groupDescription>{text}</groupDescription></item>"
        for number, text in enumerate(texts)
    )
    name = "DescribeSecurityGroups"
    return f"{HEAD.format(name)}<securityGroupInfo>{items}</securityGroupInfo></{name}Response>".encode()


def seen(memo: ItemMemo, body: bytes) -> list[Any]:
    answer, error = parsed(body, "DescribeSecurityGroups", memo)
    assert not error
    found: list[Any] = answer["SecurityGroups"]
    return found


def test_an_item_with_the_same_bytes_is_the_same_object_wherever_it_stands() -> None:
    memo = ItemMemo()
    first = seen(memo, groups("one", "two", "three"))
    again = seen(memo, groups("one", "changed", "three"))
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, False, True]
    assert [one["Description"] for one in again] == ["one", "changed", "three"]
    assert (memo.reused, memo.parsed) == (2, 4)


@pytest.mark.parametrize("number", range(3))
def test_a_change_of_one_byte_is_seen(number: int) -> None:
    memo, body = ItemMemo(), groups("one", "two", "three")
    seen(memo, body)
    items = [found.span() for found in re.finditer(rb"<item>.*?</item>", body)]
    start, end = items[number]
    for at in range(start, end):
        if chr(body[at]).isalnum():
            changed = body[:at] + (b"4" if body[at : at + 1] != b"4" else b"5") + body[at + 1 :]
            with_memo = parsed(changed, "DescribeSecurityGroups", memo)
            assert with_memo == parsed(changed, "DescribeSecurityGroups", None)


def test_what_was_not_used_for_longest_is_forgotten_and_the_budget_is_kept() -> None:
    one = len(groups("a")) - len(groups())
    memo = ItemMemo(3 * one)
    first = seen(memo, groups("a", "b"))
    seen(memo, groups("c", "d"))
    assert memo._size <= 3 * one
    assert seen(memo, groups("a", "b")) == first


def test_what_was_used_last_stays() -> None:
    one = len(groups("a")) - len(groups())
    memo = ItemMemo(4 * one)
    kept = seen(memo, groups("a", "b"))[0]
    seen(memo, groups("c", "d"))
    assert seen(memo, groups("a"))[0] is kept
    newest = seen(memo, groups("e", "f"))
    assert seen(memo, groups("a"))[0] is kept
    assert all(one is other for one, other in zip(seen(memo, groups("e", "f")), newest, strict=True))
    assert memo.reused == 4


def test_of_an_answer_above_the_budget_a_part_is_known_the_next_time() -> None:
    one = len(groups("a")) - len(groups())
    memo, body = ItemMemo(10 * one), groups(*map(str, range(30)))
    seen(memo, body)
    seen(memo, body)
    assert memo.reused >= 8


def test_all_clients_that_read_share_one_memo_and_other_services_are_left_alone() -> None:
    memo, found = ItemMemo(), []
    for service in ("ec2", "ec2", "rds"):
        events = HierarchicalEmitter()
        memo.register(SimpleNamespace(meta=SimpleNamespace(events=events)))
        response, beside = {"status_code": 200, "headers": {}, "body": groups("one")}, dict[str, Any]()
        events.emit(
            f"before-parse.{service}.DescribeSecurityGroups",
            operation_model=model("DescribeSecurityGroups"),
            response_dict=response,
            customized_response_dict=beside,
        )
        found.append(beside.get("SecurityGroups", [None])[0])
    assert found[0] is found[1] is not None
    assert found[2] is None


def test_an_item_with_lists_in_it_is_kept_as_one() -> None:
    name, rule = "DescribeSecurityGroups", "<item><ipProtocol>tcp</ipProtocol><ipRanges><item/></ipRanges></item>"
    body = groups("one").replace(b"<ipPermissions/>", b"<ipPermissions>%b</ipPermissions>" % (rule.encode() * 2))
    memo, body = ItemMemo(), body.replace(b"<item/>", b"<item><cidrIp>10.0.0.0/8</cidrIp></item>")
    first = seen(memo, body)
    assert seen(memo, body)[0] is first[0]
    assert parsed(body, name, memo) == parsed(body, name, None)
    assert (memo.reused, memo.parsed) == (2, 1)


LONG = "<description>" + "x" * 160 + "</description>"


def _misleading(opened: str, closed: str) -> tuple[str, str]:
    both = f"<item>{LONG}{opened} <item> {closed}</item><item>{LONG}{opened} </item> {closed}</item>"
    return f"{both}<item>c{LONG}{opened} </item><item> {closed}</item>", both


MISLEADING = {
    "comments that open and close items": _misleading("<!--", "-->"),
    "instructions that do": _misleading("<?x", "?>"),
    "tags of items that are written otherwise": tuple(
        f"<item>{LONG}<ipPermissions><item a=''><ipProtocol>1</ipProtocol></item>"
        f"<item><ipProtocol>{number}</ipProtocol></item ></ipPermissions></item ><item a=''><groupId>b</groupId></item>"
        for number in (2, 3)
    ),
}
"""Two answers each: what is cut out of the first in the wrong way gives something else in the second."""


@pytest.mark.parametrize("what", MISLEADING)
def test_items_that_cannot_be_cut_by_their_tags_are_left_to_botocore(what: str) -> None:
    memo, name = ItemMemo(), "DescribeSecurityGroups"
    for items in MISLEADING[what]:
        body = f"{HEAD.format(name)}<securityGroupInfo>{items}</securityGroupInfo></{name}Response>".encode()
        assert parsed(body, name, memo) == parsed(body, name, None)
    assert memo.parsed == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</securityGroupInfo>", b"</securityGroupInfa>"),
        (b"</securityGroupInfo>", b"</securityGroupInfo><securityGroupInfo/>"),
        (b"<securityGroupInfo>", b"<securityGroupInfo/><securityGroupInfo>"),
        (b'encoding="UTF-8"', b'encoding="ISO-8859-1"'),
        (b"</DescribeSecurityGroupsResponse>", b"</DescribeSecurityGroupsResponse><more/>"),
        (b"</item></securityGroupInfo>", b"</item>more</securityGroupInfo>"),
    ],
)
def test_what_is_written_otherwise_around_known_items_is_read_as_botocore_reads_it(old: bytes, new: bytes) -> None:
    memo, body, name = ItemMemo(), groups("日本語", "two"), "DescribeSecurityGroups"
    seen(memo, body)
    assert old in body
    changed = body.replace(old, new)
    assert parsed(changed, name, memo) == parsed(changed, name, None)
    assert seen(memo, body) == seen(ItemMemo(), body)


def test_an_answer_may_end_anywhere() -> None:
    memo, body, name = ItemMemo(), groups("one", "two"), "DescribeSecurityGroups"
    seen(memo, body)
    for end in range(len(body)):
        assert parsed(body[:end], name, memo) == parsed(body[:end], name, None), end


def test_one_answer_at_a_time_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    memo, locked = ItemMemo(), []

    def looking(*given: Any) -> Any:
        locked.append(memo._lock.locked())
        return taken_apart(*given)

    taken_apart = memo._taken_apart
    monkeypatch.setattr(memo, "_taken_apart", looking)
    seen(memo, groups("one"))
    assert locked == [True]
    assert not memo._lock.locked()


def test_an_error_of_its_own_leaves_the_answer_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    memo, body = ItemMemo(), groups("one")

    def broken(*_: object) -> Iterator[Any]:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(memo, "_cut", broken)
    assert parsed(body, "DescribeSecurityGroups", memo) == parsed(body, "DescribeSecurityGroups", None)


def test_the_comparison_finds_a_memo_that_mixes_up_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the comparison itself: a lookup by the first bytes alone must not pass it."""
    monkeypatch.setattr("reconciler.aws.item_memo._START", 40)
    monkeypatch.setattr(ItemMemo, "_cut", _by_start_alone)
    with pytest.raises(AssertionError, match="seed"):
        compared_all(range(400))


def _by_start_alone(memo: Any, operation: str, body: bytes, at: int, closed: bytes) -> Iterator[tuple[int, Any, bytes]]:
    from reconciler.aws.item_memo import _end_of_item

    while not body.startswith(closed, at := at + len(body[at:]) - len(body[at:].lstrip())):
        cut = body[at : _end_of_item(body, at)]
        known = next(iter(memo._known.get((operation, cut[:40]), ())), None)
        yield at, known and known.item, cut
        at += len(cut)


def test_what_is_kept_can_be_pickled_and_compares_as_what_botocore_gives() -> None:
    (item,) = seen(ItemMemo(), groups("one"))
    assert isinstance(item, KeptItem)
    (plain,) = parsed(groups("one"), "DescribeSecurityGroups", None)[0]["SecurityGroups"]
    assert item == plain
    assert pickle.loads(pickle.dumps(dict(item))) == plain  # noqa: S301 (our own bytes)


def test_a_time_that_stands_twice_is_the_same_error() -> None:
    """botocore names the elements by where they are in memory."""
    name, times = "DescribeNetworkInterfaces", "<attachTime>2026-11-22T09:00:00.000Z</attachTime>" * 2
    item = f"<item><networkInterfaceId>eni-1</networkInterfaceId><attachment>{times}</attachment></item>"
    body = f"{HEAD.format(name)}<networkInterfaceSet>{item}</networkInterfaceSet></{name}Response>".encode()
    _, error = with_memo = parsed(body, name, ItemMemo())
    assert "Invalid timestamp" in error
    assert with_memo == parsed(body, name, None)
