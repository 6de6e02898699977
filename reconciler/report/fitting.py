"""Text and lists cut to the room they have, in characters or in bytes of UTF-8. Pure.

What may be shown at all is decided before, in `redact.py`: nothing here looks for secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any


def encoded(value: Any) -> str:
    """A value as JSON, as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(text: str) -> int:
    """The bytes that a text takes."""
    return len(text.encode())


def cut(text: str, longest: int) -> str:
    """A text of at most `longest` characters; one that was cut ends in three dots."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def cut_lines(lines: list[str], room: int) -> tuple[list[str], int]:
    """As many of the lines as fit into `room` bytes with their line breaks, and how many are left out."""
    for number, line in enumerate(lines):
        room -= size(line) + 1
        if room < 0:
            return lines[:number], len(lines) - number
    return lines, 0


def cut_lists(
    fields: Mapping[str, Any],
    longest: int,
    *,
    nested: Iterable[tuple[str, ...]] = (),
    bytes_of: Callable[[Any], int] = lambda value: size(encoded(value)),
) -> tuple[dict[str, Any], dict[str, int]]:
    """The fields with the longest of their lists halved until their JSON has at most `longest` bytes, and how many
    members each list has lost, by its name. The first members stay.

    `nested` are the paths of lists and mappings that are cut too, each named by its path with dots. `bytes_of` measures
    a value as it is sent.
    """
    fields, left_out = dict(fields), dict[str, int]()
    over = bytes_of(fields | {"left_out": left_out}) - longest
    paths = [*((name,) for name, value in fields.items() if isinstance(value, list)), *nested] if over > 0 else []
    sizes = {path: bytes_of(value) for path in paths if (value := _at(fields, path))}
    while over > 0 and sizes:
        path = max(sizes, key=lambda path: sizes[path])
        value = _at(fields, path)
        half = len(value) // 2
        less = dict(islice(value.items(), half)) if isinstance(value, Mapping) else value[:half]
        fields, before = _with(fields, path, less), sizes.pop(path)
        name = ".".join(path)
        left_out[name] = left_out.get(name, 0) + len(value) - half
        after = bytes_of(less)
        over -= before - after
        sizes |= {path: after} if less else {}
        if over <= 0:  # what is left out takes some room too
            over = bytes_of(fields | {"left_out": left_out}) - longest
    return fields, left_out


def _at(fields: Any, path: tuple[str, ...]) -> Any:
    """What is at a path; None if it leads nowhere."""
    for name in path:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields


def _with(fields: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The fields with another value at a path, which leads somewhere."""
    name, *below = path
    return {**fields, name: _with(fields[name], tuple(below), value) if below else value}
