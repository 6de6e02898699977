"""Reads the values of AWS's answers by the types that AWS documents; whatever else is there raises `ValueError`.

A list that is not there, or a word that nobody knows, is not "none": taken for that, it would be corrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.read import Item


def listed(item: Item, name: str) -> Sequence[Item]:
    """A list of structures, which AWS always shows, if only empty."""
    found = item.get(name)
    if isinstance(found, list):
        for one in found:  # a generator for `all` would take most of the time: there are ten thousand short lists
            if not isinstance(one, dict):
                break
        else:
            return found
    raise ValueError(f"{name} is {found!r}, which is no list of structures")


def text(item: Item, name: str, *starts: str) -> str:
    """A text that is not empty and starts with one of `starts`, such as an id with its prefix."""
    found = item.get(name)
    if not isinstance(found, str) or not found or not found.startswith(starts or ""):
        raise ValueError(f"{name} is {found!r}")
    return found


def flag(item: Item, name: str, *, absent: bool | None = None) -> bool:
    """True or false; `absent` is what it means that the field is not shown (None: it always is)."""
    found = item.get(name, absent)
    if found is not True and found is not False:
        raise ValueError(f"{name} is {found!r}, which is neither true nor false")
    return found


def word(item: Item, name: str, known: frozenset[str], default: str = "") -> str:
    """One of the words that AWS documents; `default` if the field is not shown at all."""
    found = item.get(name, default)
    if found not in known:
        raise ValueError(f"{name} is {found!r}, which is none of {', '.join(sorted(known))}")
    return str(found)


def number(item: Item, name: str, least: int, most: int) -> int:
    """A number from `least` to `most`."""
    found = item.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise ValueError(f"{name} is {found!r}, which is no number from {least} to {most}")
    return found


def legible_tags(item: Item) -> Mapping[str, str]:
    """The tags of an item, as far as they can be understood: for whoever asks about another item, or what this one says
    that cannot be understood otherwise.
    """
    found = item.get("Tags") or item.get("TagList")
    tags = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    both = ((one.get("Key"), one.get("Value")) for one in tags)
    return {key: value for key, value in both if isinstance(key, str) and isinstance(value, str)}
