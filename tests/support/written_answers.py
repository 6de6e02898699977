"""Answers of EC2 at random, in the shape of every read: as EC2 writes them, cut, moved, and with odd characters."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from reconciler.aws.item_memo import BATCH, ItemMemo

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
UNLIKE = ("DescribeFleetInstances", "DescribeVpcEndpointServices", "GetSubnetCidrReservations")
"""Answers of another form, which no run reads: more beside the list than a token, or two lists."""
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
        # An element is told by where it is in memory, and wrong XML is followed by all of the answer.
        return None, re.sub(r" at 0x[0-9a-f]+|:\n.*", "", f"{type(error).__name__}: {error}", flags=re.DOTALL)
    answer.update(beside)
    return answer, ""


def comparable(value: Any) -> Any:
    """Of a text that stands twice botocore gives the elements, which compare by identity."""
    match value:
        case dict():
            return {name: comparable(one) for name, one in value.items()}
        case list() | tuple():
            return [comparable(one) for one in value]
        case Element():
            return value.tag, value.text
        case _:
            return value


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


def with_another_value(text: str, seeded: random.Random) -> str:
    """The same with one value changed, so that an item often begins as it did before."""
    values = [found.span(1) for found in re.finditer(r">([^<>\s][^<>]*)<", text)]
    start, end = seeded.choice(values)
    return text[:start] + seeded.choice(("2", "b", "10.0.0.1/8", text[start:end] * 2)) + text[end:]


def of_another_read(text: str, operation: str, other: str) -> str:
    """The items of one operation in the answer of another, which makes something else of the same bytes."""
    before, after = (_element_of_list(one) for one in (operation, other))
    inner = re.search(f"<{before}>(.*)</{before}>", text, re.DOTALL)
    listed = inner[1] if inner else ""
    return f"{HEAD.format(other)}<requestId>1</requestId><{after}>{listed}</{after}></{other}Response>"


def _element_of_list(operation: str) -> str:
    shape = model(operation).output_shape
    (name, one), *_ = ((name, one) for name, one in shape.members.items() if one.type_name == "list")
    return str(one.serialization.get("name", name))


def answers(seeded: random.Random, operation: str, number: int) -> Iterator[tuple[str, bytes, int]]:
    """(operation, body, status): most repeat what was there before, with something moved, or for another operation."""
    written = Written(seeded, seeded.choice((0, 0, 0.02)))
    texts = [written.answer(operation) for _ in range(3)]
    lists = [one for one in (*READS, *UNLIKE) if one != "DescribeVpcAttribute"]
    for _ in range(number):
        text, asked = seeded.choice(texts), operation
        chance = seeded.random()
        if chance < 0.1 and operation in lists:
            asked = seeded.choice(lists)
            text = of_another_read(text, operation, asked)
        elif chance < 0.3:
            text = with_another_value(text, seeded)
        elif chance < 0.6:
            text = moved(text, seeded)
        yield asked, text.encode("utf-8", "surrogatepass"), seeded.choice((200, 200, 200, 200, 503))
