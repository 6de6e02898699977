"""How a network ACL is written into a new document: its name, and what goes without saying."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from desired_state.network import NetworkAcl
from reconciler.model import Observed
from reconciler.model.imported import Import, Surroundings, placed
from reconciler.model.read import Item


def _subnets(item: Item) -> list[str]:
    return [str(one["SubnetId"]) for one in item.get("Associations", ()) if one.get("SubnetId")]


def unnamed(item: Item, around: Surroundings, document: str) -> str:
    if item["IsDefault"]:
        return "default"
    subnets = _subnets(item)
    return placed(around.way(subnets), around.zone(subnets)) if subnets else "unused"


def apart(item: Item, around: Surroundings) -> Iterator[str]:
    yield around.zone(_subnets(item))


def said(seen: Observed[NetworkAcl, Any]) -> NetworkAcl:
    """`is_default: false` goes without saying."""
    return seen.spec if seen.spec.is_default else seen.spec.but(is_default=None)


IMPORT = Import(unnamed=unnamed, apart=apart, said=said)
