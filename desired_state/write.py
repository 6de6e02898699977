"""Writes a document's values as JSON for people and for diffs. Programs that make documents call it.

`load` reads what `write` has written: the same values give the same bytes. `as_section` gives the values of a resource.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from desired_state.members import Collection
from desired_state.resource import Resource
from desired_state.strict_json import MAX_BYTES

WIDTH = 118
"""Characters of the longest line that holds a whole object or list."""
_INDENTATION = 2
_FIRST = ("formerly", "note", "enforcement")
_ASCII = json.JSONEncoder(allow_nan=False).encode
_UNICODE = json.JSONEncoder(ensure_ascii=False).encode


def write(values: Mapping[str, Any]) -> bytes:
    """The document as UTF-8, its members in the order given. An object or list stands on one line if it fits in WIDTH
    characters with its key and its comma; otherwise each of its members starts a line.

    What would be larger than a document may be is written without indentation and blanks, and may still be too large.
    `values` are those of JSON, their keys are texts. Raises ValueError for a number that JSON does not have.
    """
    data = _encoded(values, _INDENTATION)
    return data if len(data) <= MAX_BYTES else _encoded(values, 0)


def as_section(resource: Resource) -> dict[str, Any]:
    """The fields of a resource as a document writes them, without those that are not managed, its tags last."""
    fields = (*_FIRST, *(name for name in resource.described() if name != "tags"), "tags")
    values = {name: getattr(resource, name) for name in fields}
    return {name: _written(value) for name, value in values.items() if value is not None and value != ()}


def _written(value: Any) -> Any:
    if isinstance(value, Collection):
        return value.as_written()
    return str(value) if isinstance(value, str) else value  # an Address is a str too


def _encoded(values: Mapping[str, Any], indentation: int) -> bytes:
    return (_text(values, indentation) + "\n").encode()


def _text(value: Any, step: int, margin: int = 0, beside: int = 0) -> str:
    """A value on one line, or on several, the first without its margin; `beside` are the columns of its key and comma.

    A line that holds the whole value is no shorter than one that holds any of its members, so if one of these does not
    fit, the value does not either.
    """
    if isinstance(value, str):
        return _string(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return _ASCII(value)
    blank = " " if step else ""
    opening, closing = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    if not value:
        return opening + closing
    inner = margin + step
    members = [
        key + _text(member, step, inner, len(key) + (0 if last else 1)) for key, member, last in _members(value, blank)
    ]
    if not any("\n" in member for member in members):
        around = blank if isinstance(value, Mapping) else ""
        line = f"{opening}{around}{f',{blank}'.join(members)}{around}{closing}"
        if margin + beside + len(line) <= WIDTH:
            return line
    return "\n".join((opening, ",\n".join(" " * inner + member for member in members), " " * margin + closing))


def _members(value: Any, blank: str) -> Iterator[tuple[str, Any, bool]]:
    """The members of an object or list: the key with its colon (empty in a list), the value, whether it is the last."""
    pairs = value.items() if isinstance(value, Mapping) else ((None, member) for member in value)
    for index, (key, member) in enumerate(pairs, start=1):
        yield "" if key is None else f"{_string(key)}:{blank}", member, index == len(value)


def _string(text: str) -> str:
    """A string of JSON: every character that is not printable is escaped, so that no terminal acts on it."""
    encoded = _ASCII(text) if text.isascii() else _UNICODE(text)
    return encoded if encoded.isprintable() else "".join(map(_escaped, encoded))


def _escaped(char: str) -> str:
    return char if char.isprintable() else _ASCII(char)[1:-1]
