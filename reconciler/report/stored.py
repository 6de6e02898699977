"""A value as it is kept in a receipt: redacted, and without what breaks an encoder. Pure.

Receipts leave by mail and are read years later by other programs: nothing in one may look like a secret, and every text
must be valid Unicode. What a terminal or a browser must not act on is escaped by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from reconciler.redact import REDACTED, fit, is_secret_name, redacted

_BY_ADDRESS = frozenset(
    {
        ("ids",),
        ("found_by",),
        ("actors",),
        ("since",),
        ("exposed",),
        ("before",),
        ("network", "declared"),
        ("network", "workloads"),
        *(("network", look, part) for look in ("first", "last") for part in ("resources", "unmanaged", "unread")),
    }
)
"""The mappings whose keys are addresses: a group that is called `token-service` is no secret."""
_DEEP = 12
_MANY = 1_000_000


def stored_text(text: str) -> str:
    """A text without what looks like a secret, and without halves of characters, which no file can hold."""
    return redacted(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def stored(value: Any) -> Any:
    """A receipt with all its text redacted. What it says in many places is looked at once."""
    return _stored(value, (), cache(stored_text))


def _stored(value: Any, path: tuple[str, ...], text: Callable[[str], str]) -> Any:
    if not isinstance(value, Mapping) or not any(one[: len(path)] == path for one in _BY_ADDRESS):
        return fit(value, _MANY, _DEEP, text)
    by_address = path in _BY_ADDRESS
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        if by_address:
            kept[_free(text(str(key)), kept)] = fit(inner, _MANY, _DEEP, text)
        else:
            secret = is_secret_name(key) and isinstance(inner, str)
            kept[text(str(key))] = REDACTED if secret else _stored(inner, (*path, str(key)), text)
    return kept


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """The key, told apart from others that redacting has made the same."""
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key} ({number})"
    return free
