"""Live values taken into a document where it differs from the network: the opposite of applying it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from desired_state.members import Collection, References, Tags
from desired_state.network import Blocks
from desired_state.resource import Resource
from desired_state.rules import Entries, Routes, Rules
from desired_state.write import as_section
from reconciler.model import ABSENT, Difference


def accepted(section: Mapping[str, Any], live: Resource, differences: Iterable[Difference]) -> dict[str, Any]:
    """The fields of a resource as a document writes them, with the live value wherever one differs; everything else
    stays as it is written, in its order. `live` is the resource as an import says it.
    """
    fields = dict(section)
    said = as_section(live)
    for one in differences:
        collection = type(live).collection(one.field)
        if collection is None:
            _put(fields, one.field, said.get(one.field, ABSENT))
        elif issubclass(collection, (Entries, Routes, Tags)):
            members = dict(fields[one.field])
            _put(members, str(one.key), dict(said.get(one.field) or {}).get(str(one.key), ABSENT))
            fields[one.field] = members
        else:
            fields[one.field] = _listed(fields[one.field], collection, one, getattr(live, one.field))
    return fields


def _put(members: dict[str, Any], key: str, value: Any) -> None:
    if value is ABSENT:
        members.pop(key, None)
    else:
        members[key] = value


def _listed(written: list[Any], collection: type[Collection], one: Difference, live: Any) -> list[Any]:
    """A list with the live member in place of the written one, behind all others if there is no such one."""
    member = [] if one.have is ABSENT else [_as_written(live, one.key)]
    at = [index for index, each in enumerate(written) if _key(collection, each) == one.key]
    if not at:
        return [*written, *member]
    return [*written[: at[0]], *member, *written[at[0] + 1 :]]


def _key(collection: type[Collection], member: Any) -> Any:
    """What identifies a written member, as in a difference."""
    return next(iter(collection.read([member]))) if issubclass(collection, (Rules, References, Blocks)) else member


def _as_written(live: Any, key: Any) -> Any:
    return type(live)({key: live[key]}).as_written()[0] if isinstance(live, Rules) else str(key)
