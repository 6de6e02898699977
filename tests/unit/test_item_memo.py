"""What the memo gives is what botocore's own parser makes of the same bytes, also of bytes that nobody expects."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from reconciler.aws.item_memo import BATCH, ItemMemo
from reconciler.model.kept import KeptItem

READS = (
    "DescribeInternetGateways",
    "DescribeManagedPrefixLists",
    "DescribeNetworkAcls",
    "DescribeNetworkInterfaces",
    "DescribeRouteTables",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcAttribute",
    "DescribeVpcs",
)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<{0}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
TEXTS = (
    "",
    "a",
    "true",
    "0",
    "-1",
    "10.0.0.0/8",
    "sg-0123456789abcdef0",
    " ",
    "日本語",
    "&lt;item&gt;",
    "&amp;",
    "&#65;",
)
ODD = (
    "&nope;",
    "<!-- -->",
    "<![CDATA[<item>]]>",
    "<?x y?>",
    "\x00",
    "\ud800",
    "<item/>",
    "<item >",
    "</item>",
    "<b",
    "]]>",
)

type Answer = tuple[Any, str]


@cache
def model(operation: str) -> Any:
    return _ec2().operation_model(operation)


@cache
def _ec2() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


def parsed(body: bytes, operation: str, memo: ItemMemo | None, status: int = 200) -> Answer:
    """What a caller of botocore gets, as botocore's endpoint puts it together: the answer, or the error."""
    response: dict[str, Any] = {"status_code": status, "headers": {}, "body": body}
    beside: dict[str, Any] = {}
    if memo:
        memo.before_parse(model(operation), response, beside)
    try:
        answer = create_parser("ec2").parse(response, model(operation).output_shape)
    except Exception as error:  # noqa: BLE001 (whatever botocore raises is its answer)
        return None, re.sub(r":\n.*", "", f"{type(error).__name__}: {error}", flags=re.DOTALL)
    answer.update(beside)
    return answer, ""


class Written:
    """Answers at random, in the shape of an operation."""

    def __init__(self, seeded: random.Random, odd: float) -> None:
        self._seeded, self._odd = seeded, odd

    def answer(self, operation: str) -> str:
        shape = model(operation).output_shape
        body = "".join(self._member(name, one, 0) for name, one in shape.members.items())
        return f"{HEAD.format(operation)}<requestId>{self._seeded.random()}</requestId>{body}</{operation}Response>"

    def _member(self, name: str, shape: Any, depth: int) -> str:
        element = shape.serialization.get("name", name)
        space = self._seeded.choice(("", "", "\n  ", " "))
        if self._seeded.random() < 0.05 and depth:
            return ""
        if shape.type_name == "list" and not (inner := self._items(shape, depth)) and self._seeded.random() < 0.5:
            return f"{space}<{element}/>"
        if shape.type_name == "list":
            return f"{space}<{element}>{inner}{space}</{element}>"
        return f"{space}<{element}>{self._value(shape, depth)}</{element}>"

    def _items(self, shape: Any, depth: int) -> str:
        count = self._seeded.choice((0, 1, 1, 2, 3, BATCH + 3) if not depth else (0, 1, 1, 2))
        space = self._seeded.choice(("", "\n    "))
        return "".join(f"{space}<item>{self._value(shape.member, depth + 1)}</item>" for _ in range(count))

    def _value(self, shape: Any, depth: int) -> str:
        if shape.type_name == "structure":
            members = shape.members.items() if depth < 4 else ()
            return "".join(self._member(name, one, depth + 1) for name, one in members)
        if shape.type_name == "integer":
            return str(self._seeded.randint(-1, 65535))
        if shape.type_name == "boolean":
            return self._seeded.choice(("true", "false"))
        if shape.type_name == "timestamp":
            return "2026-11-22T09:00:00.000Z"
        return self._seeded.choice(ODD if self._seeded.random() < self._odd else TEXTS)


def moved(text: str, seeded: random.Random) -> str:
    """The same, cut, doubled or with something odd in it somewhere."""
    at, to = sorted(seeded.randrange(len(text)) for _ in range(2))
    tags = [found.span() for found in re.finditer(r"</?\w+/?>", text)]
    start, end = seeded.choice(tags)
    return seeded.choice(
        (
            lambda: text[:at],
            lambda: text[:at] + text[to:],
            lambda: text[:to] + text[at:],
            lambda: text[:start] + text[end:],
            lambda: text[:end] + text[start:end] + text[end:],
            lambda: text[:at] + seeded.choice(ODD) + text[at:],
            lambda: text[:start] + seeded.choice(ODD) + text[start:],
            lambda: text.replace("<item>", "<item a='b'>", 1),
            lambda: text.replace("UTF-8", "ISO-8859-1"),
            lambda: text.replace("Response xmlns", "Response a='b' xmlns"),
        )
    )()


def compared(seed: int) -> None:
    """One memo over many answers, most of which repeat what it has seen, against botocore alone."""
    seeded = random.Random(seed)
    memo = ItemMemo(seeded.choice((0, 2_000, 50_000, 4_000_000)))
    operation = READS[seed % len(READS)]
    written = Written(seeded, seeded.choice((0, 0, 0.02)))
    texts = [written.answer(operation) for _ in range(3)]
    for number in range(12):
        text = seeded.choice(texts)
        if seeded.random() < 0.5:
            text = moved(text, seeded)
        body, status = text.encode("utf-8", "surrogatepass"), seeded.choice((200, 200, 200, 200, 503))
        assert parsed(body, operation, memo, status) == parsed(body, operation, None, status), f"seed {seed}, {number}"


def compared_all(seeds: Iterable[int]) -> None:
    for seed in seeds:
        compared(seed)


def test_every_answer_is_what_botocore_makes_of_it() -> None:
    compared_all(range(60))


@pytest.mark.long
@pytest.mark.parametrize("first", range(100_000, 150_000, 500))
def test_every_answer_is_what_botocore_makes_of_it_in_many_more_cases(first: int) -> None:
    compared_all(range(first, first + 500))


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


def test_of_an_answer_above_the_budget_a_part_is_known_the_next_time() -> None:
    one = len(groups("a")) - len(groups())
    memo, body = ItemMemo(10 * one), groups(*map(str, range(30)))
    seen(memo, body)
    seen(memo, body)
    assert memo.reused >= 8


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
