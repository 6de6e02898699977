"""Text and lists cut to the room they have, in characters or in bytes of UTF-8. Pure.

What may be shown at all is decided before, in `redact.py`: nothing here looks for secrets.
"""

from __future__ import annotations

import json
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


def cut_lists(fields: dict[str, Any], longest: int) -> tuple[dict[str, Any], dict[str, int]]:
    """The fields with the longest of their lists halved until their JSON has at most `longest` bytes, and how many
    members each list has lost. The first members stay.
    """
    fields, left_out = dict(fields), dict[str, int]()
    while size(encoded(fields | {"left_out": left_out})) > longest:
        sizes = {name: size(encoded(value)) for name, value in fields.items() if isinstance(value, list) and value}
        if not sizes:
            break
        name = max(sizes, key=lambda name: sizes[name])
        members = len(fields[name])
        fields[name] = fields[name][: members // 2]
        left_out[name] = left_out.get(name, 0) + members - members // 2
    return fields, left_out
