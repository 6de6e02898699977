"""Times, durations, counts and values of a document, as words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import floor
from typing import Any, NamedTuple

SEVERITIES = ("critical", "high", "medium", "low", "info")
_LINES = 40
"""The most lines of one value; the rest is counted."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Foreign(str):
    """What other people wrote (a description, a tag, a user agent): shown shorter than our own sentences are."""

    __slots__ = ()


class Brief(str):
    """One of very many texts of ours, shown shorter than where there are few."""

    __slots__ = ()


class Whole(str):
    """A long text where it stands whole, at the end of the page."""

    __slots__ = ()


class Side(NamedTuple):
    """One side of a difference: its lines as a document writes them, and a rule's description. Empty: not there."""

    lines: tuple[str, ...] = ()
    note: Foreign | None = None
    more: int = 0

    @property
    def there(self) -> bool:
        return bool(self.lines)


def rank(severity: str | None) -> int:
    """0 for the gravest; what has no severity comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def gravest(severities: Iterable[str | None]) -> str | None:
    """The gravest of these; None if none is known."""
    found = min(severities, key=rank, default=None)
    return found if found in SEVERITIES else None


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 call`, `2 calls`, `1,200 calls`."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def joined(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    known = list(words)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}" if known else ""


def percent(share: float) -> str:
    """`98.2`, `100`: never rounded up, so that 100 % is the whole."""
    tenths = floor(share * 1000 + 1e-9)
    return f"{tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}"


def duration(seconds: float) -> str:
    """The two largest units: `8 min 11 s`, `29 d 10 h`."""
    if 0 < seconds < 1:
        return f"{seconds:.3f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
        left %= size
        if len(parts) == 2 or (parts and not left):
            break
    return " ".join(parts)


def moment(text: str | None, *, year: bool = True, seconds: bool = False) -> str | None:
    """`27 Nov 2026, 05:12 UTC` of ISO 8601; what is no time as it is."""
    time = parsed(text)
    if time is None:
        return text
    day = f"{time.day} {time:%b}{f' {time.year}' if year else ''}"
    return f"{day}, {time:%H:%M:%S} UTC" if seconds else f"{day}, {time:%H:%M} UTC"


def parsed(text: str | None) -> datetime | None:
    """A time in UTC; None if it is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def side(value: Any) -> Side:
    """One side of a difference; None is not there."""
    if value is None:
        return Side()
    if isinstance(value, Mapping) and "protocol" in value:
        note = value.get("description")
        return Side((rule(value),), None if note is None else Foreign(note))
    lines = list(_lines(value))
    return Side(tuple(lines[:_LINES]), more=max(0, len(lines) - _LINES))


def _lines(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield plain(value)
        return
    for name, inner in value.items():
        if isinstance(inner, list) and inner:
            yield from (f"{name}: {member(one)}" for one in inner)
        elif isinstance(inner, Mapping) and inner:
            yield from (f"{name} {key}: {member(one)}" for key, one in inner.items())
        else:
            yield f"{name}: {member(inner)}"


def member(value: Any) -> str:
    """A member of a collection on one line, its description too."""
    if isinstance(value, Mapping) and "protocol" in value:
        note = value.get("description")
        return rule(value) + (f" ({note})" if note else "")
    return plain(value)


def rule(value: Mapping[str, Any]) -> str:
    """A rule of a group or an entry of an ACL: `tcp 5432 from 0.0.0.0/0`, `allow tcp 443 from 0.0.0.0/0`."""
    known = {"action", "protocol", "ports", "source", "destination", "description"}
    words = [value.get("action"), value.get("protocol"), value.get("ports")]
    words += [f"{name} {value[name]}" for name in value if name not in known]
    words += [f"from {value['source']}"] if "source" in value else []
    words += [f"to {value['destination']}"] if "destination" in value else []
    return " ".join(str(word) for word in words if word is not None)


def plain(value: Any) -> str:
    """A value as a document writes it, on one line; a string without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def key_of(key: Any) -> str | None:
    """What tells a member of a collection from the others."""
    if key is None:
        return None
    return rule(key) if isinstance(key, Mapping) and "protocol" in key else plain(key)
