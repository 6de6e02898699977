"""JSON as strictly as a document needs it, and where everything stands in it. `load.py` calls it.

A good document costs one `json.loads`. What that accepts and a document may not hold (a key twice, null, NaN, a half
character, 10,000 digits, 10,000 brackets) shows up as a cheap sign first; only then the text is walked token by token,
which also tells the place of every value. The walk keeps its own stack, so no text is too deep for it.
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
"""Half a character, or one of the two halves of one: the walk tells them apart."""
_MAX_DIGITS = 4300
"""From here on Python refuses to read an integer (sys.int_info.default_max_str_digits)."""

_SYNTAX_MENDS = {
    "Expecting value": "write a value here: a string, a number, true, false, a list or an object",
    "Expecting property name enclosed in double quotes": "write a key in double quotes",
    "Illegal trailing comma before end of object": "take the comma away",
    "Illegal trailing comma before end of array": "take the comma away",
    "Expecting ',' delimiter": "write a comma between two members",
    "Expecting ':' delimiter": "write a colon between a key and its value",
    "Unterminated string starting at": "close the string with a double quote",
    "Invalid control character at": r"write a line break as \n and other control characters as \u00XX",
    "Extra data": "a file holds one document: take away what follows it",
}


class Fault(NamedTuple):
    """Something that strict JSON may not hold: where (offset into the text), on which path, and what to do about it."""

    offset: int
    path: Path
    problem: str
    hint: str


Spot = tuple[int, int]
"""Where a member stands: the offset of its key (of itself in a list) and of its value."""


class Survey(NamedTuple):
    """What the walk found."""

    spots: dict[Path, Spot]
    faults: list[Fault]
    too_deep: bool


@dataclass
class _Open:
    """A container that the walk is in: its path, the keys so far (None: a list), what comes next in it."""

    path: Path
    keys: set[str] | None
    has_key: bool = False
    index: int = 0


def decode(data: bytes) -> str | Fault:
    """The text of a document's bytes, or why they are none."""
    if len(data) > MAX_BYTES:
        return Fault(0, (), f"the document is larger than {MAX_BYTES:,} bytes", "split it: one document for each VPC")
    if data.startswith(b"\xef\xbb\xbf"):
        return Fault(0, (), "the file begins with a byte order mark", "save it as UTF-8 without BOM")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        return Fault(len(before), (), f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def parse(text: str) -> tuple[Any, bool]:
    """(the value, whether the walk has to look at the text): `json.loads`, telling of what it lets through.

    Raises json.JSONDecodeError. The value is None where the text is too deep to be read at all.
    """
    signs: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            signs.append("a key twice")
        return found

    try:
        try:
            value = json.loads(text, object_pairs_hook=members, parse_constant=signs.append)
        except json.JSONDecodeError:
            raise
        except ValueError:  # more digits than Python reads: read on without them, the walk finds the place
            signs.append("too many digits")
            value = json.loads(text, object_pairs_hook=members, parse_int=lambda digits: int(digits[:18]))
    except RecursionError:
        return None, True
    return value, bool(signs) or "null" in text or bool(_HALF_ESCAPE.search(text))


def syntax_fault(error: json.JSONDecodeError) -> Fault:
    """What the parser says of a text that is no JSON, with a mend."""
    reason = error.msg.partition(": ")[0]
    return Fault(
        error.pos, (), f"this is not JSON: {reason}", _SYNTAX_MENDS.get(reason, "write strict JSON (RFC 8259)")
    )


def survey(text: str) -> Survey:
    """Walk a text that `parse` accepted (or found too deep): the place of every value, and every fault.

    Of two equal keys the spots are those of the last, which is the one that `parse` keeps.
    """
    spots: dict[Path, Spot] = {}
    faults: list[Fault] = []
    around: list[_Open] = []  # the containers around the place that the walk has come to
    path: Path = ()
    key_at = 0
    here: _Open | None = None
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if token in {"]", "}"}:
            around.pop()
            here = around[-1] if around else None
        elif here and here.keys is not None and not here.has_key:
            key = _string(token)
            path, key_at, here.has_key = (*here.path, key), at, True
            faults += (Fault(at, path, *problem) for problem in _key_problems(key, here.keys))
            here.keys.add(key)
        else:
            if here and here.keys is None:
                path, key_at = (*here.path, here.index), at
                here.index += 1
            elif here:
                here.has_key = False
            spots[path] = (key_at, at)
            if token in {"[", "{"}:
                here = _Open(path, set() if token == "{" else None)
                around.append(here)
                if len(around) > MAX_DEPTH:
                    hint = "a document of this format needs fewer than ten"
                    faults.append(Fault(at, (), f"more than {MAX_DEPTH} levels of lists and objects", hint))
                    return Survey(spots, faults, too_deep=True)
            elif problem := _scalar_problem(token):
                faults.append(Fault(at, path, *problem))
    return Survey(spots, faults, too_deep=False)


def line_starts(text: str) -> list[int]:
    """The offset at which every line begins."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def line_and_column(starts: list[int], offset: int) -> tuple[int, int]:
    """Both from 1; columns count characters."""
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


def _string(token: str) -> str:
    return str(json.loads(token, strict=False)) if "\\" in token else token[1:-1]


def _key_problems(key: str, before: set[str]) -> Iterator[tuple[str, str]]:
    if key in before:
        yield "this key stands here twice", "keep one of the two"
    if _HALF_CHARACTER.search(key):
        yield "half a character (a lone surrogate) in a key", "write whole characters"


def _scalar_problem(token: str) -> tuple[str, str] | None:
    if token == "null":
        return "null is no value", "leave the field out: what is left out is not managed"
    if token in {"NaN", "Infinity", "-Infinity"}:
        return f"{token} is not JSON", "write a number"
    if token.startswith('"'):
        if "\\u" in token and _HALF_CHARACTER.search(_string(token)):
            return "half a character (a lone surrogate) in a string", "write whole characters"
    elif len(token) > _MAX_DIGITS:
        return f"a number of {len(token)} digits", "no number of a document is that long"
    return None
