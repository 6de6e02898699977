"""What a look saw of a declared resource, said by what is otherwise than declared, and said whole again. Pure.

Most of a network is as declared, and a receipt has it up to three times. So a look says of a declared resource only
`but`: the fields that are otherwise, null for one that AWS does not show. An undeclared field that is empty goes
without saying.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from desired_state.members import OWN_TAGS

_OF_THE_DOCUMENT = frozenset({"enforcement", "formerly", "note"})
"""What a document says of a resource and AWS does not know."""
_EMPTY: tuple[Any, ...] = ("", [], {})


def without_our_tags(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A live resource as a document may write it: the tags by which Setpoint knows it are none that it may declare."""
    if "tags" not in spec:
        return dict(spec)
    return {**spec, "tags": {key: value for key, value in spec["tags"].items() if not key.startswith(OWN_TAGS)}}


def but(declared: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a live resource that are otherwise than declared."""
    found = {
        name: value
        for name, value in live.items()
        if (not _same(value, declared[name]) if name in declared else value not in _EMPTY)
    }
    return found | {name: None for name in declared if name not in live and name not in _OF_THE_DOCUMENT}


def _same(live: Any, declared: Any) -> bool:
    """Whether it is as declared; of a rule that is declared without a description, whatever is not said is empty."""
    if isinstance(live, list) and isinstance(declared, list) and live != declared:
        return [undescribed(one) for one in live] == declared
    return bool(live == declared)


def undescribed(member: Any) -> Any:
    """A member as somebody would write it: without an empty description."""
    if isinstance(member, Mapping):
        return {name: value for name, value in member.items() if (name, value) != ("description", "")}
    return member


def expanded(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt with the whole `spec` of every declared resource that a look saw, instead of `but`."""
    network = receipt.get("network")
    if not isinstance(network, Mapping):
        return dict(receipt)
    declared = network.get("declared") or {}
    looks = {name: _whole(look, declared) for name in ("first", "last") if (look := network.get(name))}
    return {**receipt, "network": {**network, **looks}}


def _whole(look: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    seen = look.get("resources") or {}
    return {**look, "resources": {address: _spec(one, declared.get(address)) for address, one in seen.items()}}


def _spec(one: Mapping[str, Any], declared: Mapping[str, Any] | None) -> dict[str, Any]:
    if "but" not in one:
        return dict(one)
    base = {name: value for name, value in (declared or {}).items() if name not in _OF_THE_DOCUMENT}
    spec = {name: value for name, value in (base | one["but"]).items() if value is not None}
    return {name: value for name, value in one.items() if name != "but"} | {"spec": spec}
