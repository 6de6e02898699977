"""The expressions of DynamoDB that the ledger writes, parsed: an update's steps, and a condition to be asked.

For `quick_items.py`, which carries them out. What is parsed here is what the ledger asks for: top-level attributes,
conditions of comparisons and of three functions. Anything else is `Unsure`.

Facts encoded (DynamoDB developer guide, "Condition and filter expressions"): a comparison with an attribute that is not
there is false, `<>` is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

Raw = dict[str, dict[str, Any]]
"""An item as the API spells it: by attribute, its type and its value."""

NAME, VALUE = re.compile(r"#\w+"), re.compile(r":\w+")
"""The placeholders of an expression: of an attribute's name, and of a value."""


class Unsure(Exception):
    """Only moto knows."""


_TARGET = r"(?:#\w+|[A-Za-z]\w*)"
_PARTS = re.compile(r"\s*\b(SET|REMOVE|ADD)\s+(.*?)(?=\s+(?:SET|REMOVE|ADD)\s|\s*$)", re.DOTALL)
_ONE = {
    "SET": re.compile(rf"\s*({_TARGET})\s*=\s*(:\w+)\s*"),
    "REMOVE": re.compile(rf"\s*({_TARGET})()\s*"),
    "ADD": re.compile(rf"\s*({_TARGET})\s+(:\w+)\s*"),
}


@cache
def update_steps(expression: str) -> tuple[tuple[str, str, str], ...]:
    """The steps of an update: SET, REMOVE or ADD, of what, and the name of the value."""
    steps: list[tuple[str, str, str]] = []
    at = 0
    while at < len(expression.rstrip()):
        part = _PARTS.match(expression, at)
        if part is None or any(verb == part[1] for verb, *_ in steps):
            raise Unsure
        for each in part[2].split(","):
            found = _ONE[part[1]].fullmatch(each)
            if found is None:
                raise Unsure
            steps.append((part[1], found[1], found[2]))
        at = part.end()
    if not steps:
        raise Unsure
    return tuple(steps)


class Looked(NamedTuple):
    """What a condition is asked about."""

    names: Mapping[str, str]
    values: Mapping[str, dict[str, Any]]
    item: Raw

    def value(self, operand: str) -> dict[str, Any] | None:
        """The value of an operand: of the request, or of an attribute; None where the item has no such attribute."""
        if operand.startswith(":"):
            if operand not in self.values:
                raise Unsure
            return self.values[operand]
        name = self.names.get(operand) if operand.startswith("#") else operand
        if name is None:
            raise Unsure
        return self.item.get(name)


Condition = Callable[[Looked], bool]
_TOKEN = re.compile(r"\s*(<=|>=|<>|[()=<>,]|[#:]\w+|[A-Za-z]\w*)")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


@cache
def condition_of(expression: str) -> Condition:
    """A condition, to be asked about an item."""
    tokens, at = [], 0
    text = expression.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unsure
        tokens.append(found[1])
        at = found.end()
    reader = _Reader(iter([*tokens, ""]))
    condition = reader.either()
    if reader.next:
        raise Unsure
    return condition


class _Reader:
    """Reads a condition by precedence: OR, AND, NOT, comparisons and functions (developer guide)."""

    def __init__(self, tokens: Iterator[str]) -> None:
        self._tokens = tokens
        self.next = next(tokens)

    def _take(self, wanted: str = "") -> str:
        taken = self.next
        if not taken or wanted not in {"", taken}:
            raise Unsure
        self.next = next(self._tokens)
        return taken

    def either(self) -> Condition:
        parts = [self._both()]
        while self.next == "OR":
            self._take()
            parts.append(self._both())
        return lambda looked: any(part(looked) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self.next == "AND":
            self._take()
            parts.append(self._one())
        return lambda looked: all(part(looked) for part in parts)

    def _one(self) -> Condition:
        if self.next == "NOT":
            self._take()
            denied = self._one()
            return lambda looked: not denied(looked)
        if self.next == "(":
            self._take()
            inner = self.either()
            self._take(")")
            return inner
        first = self._take()
        if self.next == "(":
            return self._function(first)
        sign, second = self._take(), self._take()
        if sign not in _COMPARED or not (_is_operand(first) and _is_operand(second)):
            raise Unsure
        return lambda looked: _compare(sign, looked.value(first), looked.value(second))

    def _function(self, name: str) -> Condition:
        self._take("(")
        path = self._take()
        kind = ""
        if name == "attribute_type":
            self._take(",")
            kind = self._take()
        self._take(")")
        if not path.startswith("#"):
            raise Unsure
        match name:
            case "attribute_exists":
                return lambda looked: looked.value(path) is not None
            case "attribute_not_exists":
                return lambda looked: looked.value(path) is None
            case "attribute_type":
                return lambda looked: list(looked.value(path) or ()) == [_text(looked.value(kind))]
            case _:
                raise Unsure


def _is_operand(token: str) -> bool:
    return token.startswith(("#", ":"))


def _text(value: dict[str, Any] | None) -> str:
    if value is None or "S" not in value:
        raise Unsure
    return str(value["S"])


def _compare(sign: str, one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None:
        return sign == "<>"
    [(kind, left)], [(other_kind, right)] = one.items(), other.items()
    if kind != other_kind or kind not in {"S", "N", "BOOL"} or (kind == "BOOL" and sign not in {"=", "<>"}):
        raise Unsure
    if kind == "N":
        left, right = Decimal(left), Decimal(right)
    return _COMPARED[sign](left, right)
