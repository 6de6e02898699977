"""The parts of a document as values: their order, and what stands in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from desired_state.fields import Address

_TOP = (
    "$schema",
    "version",
    "name",
    "formerly",
    "note",
    "revision",
    "scope",
    "enforcement",
    "adopt",
    "external",
    "resources",
    "workloads",
    "intents",
    "exceptions",
)
"""The order of a document's parts."""


def arranged(written: dict[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The document with the parts added to its own, a new part at its place; what stands there keeps its order."""
    for name, part in parts.items():
        if not part:
            continue
        if name in written:
            written[name] = {**written[name], **part}
            continue
        behind = [key for key in written if key in _TOP[_TOP.index(name) + 1 :]]
        moved = {key: written.pop(key) for key in list(written)[list(written).index(behind[0]) :]} if behind else {}
        written = {**written, name: dict(part), **moved}
    return written


def texts(value: Any) -> Iterator[str]:
    """Every text in the values of a document, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def addresses(written: Mapping[str, Any]) -> Iterator[Address]:
    """Every address that a document declares, declared before, or refers to outside."""
    for kind, section in written.get("resources", {}).items():
        for name, fields in section.items():
            yield from (Address.of(kind, one) for one in (name, *fields.get("formerly", ())))
    yield from map(Address, written.get("external", {}))
