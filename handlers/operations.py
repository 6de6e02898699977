"""The list of `setpoint operations`: every call to EC2 and RDS that Setpoint can make, from the kinds' tables, reads
first, and the read that only intents need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.engine.interfaces import PERMISSION as OF_INTENTS
from reconciler.kinds import REGISTRY

_COLUMNS = ("permission", "phase", "risk", "kinds", "also_needs")


def rows() -> list[dict[str, Any]]:
    """One row per operation, in the order of phases. `kinds` are those that call it (`intents` is what a document has
    besides kinds), `also_needs` the permissions that AWS requires beyond the operation's own.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {(-1, OF_INTENTS, -1): _read(OF_INTENTS) | {"kinds": ["intents"]}}
    for kind in REGISTRY.values():
        for permission in kind.observe.permissions:
            found.setdefault((-1, permission, -1), _read(permission))["kinds"].append(kind.name)
        for one in kind.operations:
            row = {
                "service": one.service,
                "operation": one.name,
                "phase": one.phase.name.lower(),
                "risk": one.risk.name.lower(),
                "permission": one.permission,
                "also_needs": sorted(one.also_needs),
                "kinds": [],
            }
            same = (one.phase, one.permission, one.risk, *row["also_needs"])
            found.setdefault(same, row)["kinds"].append(kind.name)
    return [found[key] for key in sorted(found)]


def _read(permission: str) -> dict[str, Any]:
    service, _, operation = permission.partition(":")
    return {
        "service": service,
        "operation": operation,
        "phase": "read",
        "risk": "none",
        "permission": permission,
        "also_needs": [],
        "kinds": [],
    }


def as_table(listed: Iterable[Mapping[str, Any]]) -> str:
    """The rows as a text table."""
    lines = [[name.replace("_", " ").upper() for name in _COLUMNS]]
    lines += [[_cell(row[name]) for name in _COLUMNS] for row in listed]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)
