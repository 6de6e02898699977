"""Strict JSON, with the location of every value. `load.py` calls it.

A valid document costs one `json.loads`. Cheap signs show what that accepts but a document must not contain (duplicate
keys, null, NaN, lone surrogates, 10,000 digits, 10,000 brackets); only then is the text walked token by token, which
also gives the location of every value. The walk has its own stack, so no text is too deep for it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

Path = tuple[int | str, ...]
"""The keys and indices that lead to a value."""

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|[^\s\[\]{}:,"]++', re.DOTALL)
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_HALF_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
"""A lone surrogate, or one of a pair: the walk tells them apart."""
_MAX_DIGITS = 4300
"""Python refuses to read longer integers (sys.int_info.default_max_str_digits)."""

_SYNTAX = {
    "Expecting value": ("a value is expected here", "write a string, a number, true, false, a list or an object"),
    "Expecting property name enclosed in double quotes": ("a key is expected here", "write a key in double quotes"),
    "Illegal trailing comma before end of object": ("a comma before the end of an object", "remove the comma"),
    "Illegal trailing comma before end of array": ("a comma before the end of a list", "remove the comma"),
    "Expecting ',' delimiter": ("a comma is missing", "write a comma between two members"),
    "Expecting ':' delimiter": ("a colon is missing", "write a colon between a key and its value"),
    "Unterminated string starting at": ("a string without an end", "close the string with a double quote"),
    "Invalid control character at": (
        "a control character in a string",
        r"write a line break as \n and other control characters as \u00XX",
    ),
    "Invalid \\escape": ("a backslash that escapes nothing", r"write \\ for a backslash"),
    "Invalid \\uXXXX escape": (r"\u without four hexadecimal digits", r"write \\ for a backslash"),
    "Extra data": ("something follows the document", "remove what follows the document"),
}
"""What is wrong, and a hint, by the parser's own words for it."""
_OTHER_LANGUAGES = {
    ("//", "/*", "#"): ("JSON has no comments", 'write them under "note"'),
    ("'",): ("single quotes are not JSON", "write keys and strings in double quotes"),
}
"""The same, by what stands there: people know it from other languages."""


class Fault(NamedTuple):
    """Something that strict JSON must not contain: its offset in the text, its path, the problem and a hint."""

    offset: int
    path: Path
    problem: str
    hint: str


Spot = tuple[int, int]
"""The location of a member: the offset of its key (in a list, of itself) and of its value."""


class Survey(NamedTuple):
    """The result of the walk."""

    spots: dict[Path, Spot]
    faults: list[Fault]
    too_deep: bool


@dataclass
class _Open:
    """A container around the current token: its path, the keys so far (None: a list), and what comes next in it."""

    path: Path
    keys: set[str] | None
    has_key: bool = False
    index: int = 0


def decode(data: bytes) -> str | Fault:
    """The text of a document's bytes, or why there is none."""
    if len(data) > MAX_BYTES:
        return Fault(0, (), f"the document is larger than {MAX_BYTES:,} bytes", "split it: one document for each VPC")
    if data.startswith(b"\xef\xbb\xbf"):
        return Fault(0, (), "the file starts with a byte order mark", "save it as UTF-8 without BOM")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        return Fault(0, (), "the file is UTF-16 or not a text", "save it as UTF-8 without BOM")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        return Fault(len(before), (), f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def parse(text: str) -> tuple[Any, bool]:
    """(the value of `json.loads`, whether the text needs the walk).

    Raises json.JSONDecodeError. The value is None if the text is too deep to be read at all.
    """
    signs: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            signs.append("a duplicate key")
        return found

    try:
        try:
            value = json.loads(text, object_pairs_hook=members, parse_constant=signs.append)
        except json.JSONDecodeError:
            raise
        except ValueError:  # more digits than Python reads: continue without them, the walk finds their location
            signs.append("too many digits")
            value = json.loads(text, object_pairs_hook=members, parse_int=lambda digits: int(digits[:18]))
    except RecursionError:
        return None, True
    return value, bool(signs) or "null" in text or bool(_HALF_ESCAPE.search(text))


def syntax_fault(error: json.JSONDecodeError) -> Fault:
    """The parser's error in plain words, with a hint."""
    text, rest = error.doc, error.doc[error.pos :]
    if not text.strip():
        return Fault(0, (), "the document is empty", 'write { "version": 1, ... }')
    problem, hint = _SYNTAX.get(error.msg.partition(": ")[0], (error.msg, "write strict JSON (RFC 8259)"))
    if not rest.strip():
        problem, hint = "the text ends too early", "close the open lists and objects; part of the file may be missing"
    for beginnings, told in _OTHER_LANGUAGES.items():
        if rest.startswith(beginnings):
            problem, hint = told
    return Fault(error.pos, (), f"this is not JSON: {problem}", hint)


def survey(text: str) -> Survey:
    """Walks a text that `parse` accepted (or found too deep): the location of every value, and every fault.

    Of duplicate keys, the spots are those of the last one, which `parse` keeps.
    """
    spots: dict[Path, Spot] = {}
    faults: list[Fault] = []
    containers: list[_Open] = []  # around the current token
    path: Path = ()
    key_at = 0
    inner: _Open | None = None
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if token in {"]", "}"}:
            containers.pop()
            inner = containers[-1] if containers else None
        elif inner and inner.keys is not None and not inner.has_key:
            key = _string(token)
            path, key_at, inner.has_key = (*inner.path, key), at, True
            faults += (Fault(at, path, *problem) for problem in _key_problems(key, inner.keys))
            inner.keys.add(key)
        else:
            if inner and inner.keys is None:
                path, key_at = (*inner.path, inner.index), at
                inner.index += 1
            elif inner:
                inner.has_key = False
            spots[path] = (key_at, at)
            if token in {"[", "{"}:
                inner = _Open(path, set() if token == "{" else None)
                containers.append(inner)
                if len(containers) > MAX_DEPTH:
                    hint = "a document of this format needs fewer than ten"
                    faults.append(Fault(at, (), f"more than {MAX_DEPTH} levels of lists and objects", hint))
                    return Survey(spots, faults, too_deep=True)
            elif path and (problem := _scalar_problem(token)):  # the document itself must be an object anyway
                faults.append(Fault(at, path, *problem))
    return Survey(spots, faults, too_deep=False)


def scalar_end(text: str, offset: int) -> int:
    """Where the text, number or word ends that starts at `offset`, one of a survey's spots."""
    found = _TOKEN.match(text, offset)
    if found is None or found[0] in "[]{}":
        raise ValueError(f"there is no text, number or word at {offset}")
    return found.end()


def line_starts(text: str) -> list[int]:
    """The offset at which every line starts."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def line_and_column(starts: list[int], offset: int) -> tuple[int, int]:
    """Both from 1; columns count characters."""
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


def _string(token: str) -> str:
    return str(json.loads(token, strict=False)) if "\\" in token else token[1:-1]


def _key_problems(key: str, before: set[str]) -> Iterator[tuple[str, str]]:
    if key in before:
        yield "a duplicate key", "keep one of the two"
    if _HALF_CHARACTER.search(key):
        yield "a lone surrogate (half a character) in a key", "write whole characters"


def _scalar_problem(token: str) -> tuple[str, str] | None:
    if token == "null":
        return "null is not allowed", "leave the field out: what is left out is not managed"
    if token in {"NaN", "Infinity", "-Infinity"}:
        return f"{token} is not JSON", "write a number"
    if token.startswith('"'):
        if "\\u" in token and _HALF_CHARACTER.search(_string(token)):
            return "a lone surrogate (half a character) in a string", "write whole characters"
    elif len(token) > _MAX_DIGITS:
        return f"a number of {len(token)} digits", "write a shorter number"
    return None
