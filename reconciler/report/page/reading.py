"""Reads a receipt that may have been cut, tampered with, or written by another version. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

type Json = Mapping[str, Any]

NEWEST = 1
"""The newest format of a receipt, and of a report, that this version can show."""
_LISTS = (
    "drifted",
    "actions",
    "findings",
    "pending",
    "unmanaged",
    "intents",
    "openings",
    "exceptions",
    "holds",
    "unseen",
    "orphaned",
)
_MAPPINGS = ("run", "document", "network", "lanes", "ids", "actors", "since", "exposed", "before", "counts", "policy")


class UnreadableReceipt(ValueError):
    """This is no receipt that this version can show. The message is one sentence that says why."""


def checked(value: object) -> Json:
    """The receipt, if its outline is that of one; `UnreadableReceipt` otherwise."""
    if not isinstance(value, Mapping):
        raise UnreadableReceipt("this is not a receipt: a receipt is a JSON object")
    version = value.get("receipt", value.get("format_version"))
    if not isinstance(version, int) or isinstance(version, bool):
        raise UnreadableReceipt("this is not a receipt: it does not say which format it has")
    if version > NEWEST:
        raise UnreadableReceipt(
            f"this receipt has format {version}: a newer version of Setpoint wrote it, and can show it"
        )
    for name in _LISTS:
        if not all(isinstance(one, Mapping) for one in listed(value, name)):
            raise UnreadableReceipt(f"this receipt is damaged: {name} is not a list of objects")
    for name in _MAPPINGS:
        mapping(value, name)
    return value


def listed(value: Json, name: str) -> list[Any]:
    """A list by its name; empty if it is missing or null."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list | tuple):
        raise UnreadableReceipt(f"this receipt is damaged: {name} is not a list")
    return list(found)


def mapping(value: Json, name: str) -> Json:
    """An object by its name; empty if it is missing or null."""
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UnreadableReceipt(f"this receipt is damaged: {name} is not an object")
    return found


def text(value: Json, name: str) -> str | None:
    """A string by its name; None if it is missing, null or empty."""
    found = value.get(name)
    return None if found is None or found == "" else str(found)


def number(value: Json, name: str) -> int:
    """A count by its name; 0 if it is missing."""
    found = value.get(name)
    return int(found) if isinstance(found, int | float) else 0


def kind_of(address: str) -> str:
    """The kind of the resource at an address."""
    return address.partition("/")[0]


def in_words(kind: str) -> str:
    """A kind for people: `network ACL`."""
    return " ".join({"acl": "ACL", "db": "DB", "vpc": "VPC"}.get(word, word) for word in kind.split("_"))


def name_of(address: str) -> str:
    """The name of the resource at an address."""
    return address.partition("/")[2] or address


def leaves(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
