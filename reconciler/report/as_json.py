"""A report as plain data: what `-o json` prints, for programs and for people with jq. Pure.

Values stand as a document writes them; `null` is what is not there. `format_version` rises when a reader would break.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from desired_state.fields import AclEntry, Address, RuleKey, written_entry, written_rule
from desired_state.members import Collection
from desired_state.resource import SECTIONS
from reconciler.model import ABSENT, Action
from reconciler.plan import printable
from reconciler.report.lines import expired, outcomes, settled, sign

if TYPE_CHECKING:
    from desired_state.document import Tolerance
    from reconciler.report.result import Line, Report

FORMAT_VERSION = 1


def as_json(report: Report) -> dict[str, Any]:
    """The report as values that `json.dumps` takes; times are ISO 8601 in UTC, `seconds` is wall time."""
    document = report.document
    return {
        "format_version": FORMAT_VERSION,
        "account": document.scope.account_id,
        "region": document.scope.region,
        "document": {
            "name": document.name,
            "revision": document.revision,
            "sha256": document.sha256,
            "origin": document.origin,
        },
        "policy": {name: getattr(report.policy, name) for name in report.policy.__dataclass_fields__},
        "started": _time(report.started),
        "seconds": round(report.seconds, 3),
        "wrote": report.wrote,
        "in_sync": settled(report),
        "fingerprint": report.plan.fingerprint,
        "held_as_a_whole": report.gate.whole or None,
        "drifted": [_drift(line) for line in report.lines],
        "actions": _actions(report),
        "findings": [
            {
                "address": one.address,
                "field": one.field or None,
                "key": None if one.key is None else _key(one.address, one.field, one.key),
                "outcome": one.outcome.value,
                "message": one.message,
            }
            for one in report.findings
        ],
        "unmanaged": [{"address": one.address, "id": one.id, "ours": one.ours} for one in report.neighbours],
        "exceptions": [
            *(_exception(tolerance, active=True) for _, tolerance in report.tolerated),
            *(_exception(tolerance, active=False) for tolerance in expired(report)),
        ],
        "counts": outcomes(report)
        | {
            "drifted": len(report.lines),
            "unmanaged": len(report.neighbours),
            "breaks": report.plan.breaks,
            "reads": report.reads,
            "writes": report.writes,
        },
    }


def _drift(line: Line) -> dict[str, Any]:
    return {
        "address": line.address,
        "field": line.field or None,
        "key": None if line.key is None else _key(line.address, line.field, line.key),
        "sign": sign(line),
        "want": _value(line.address, line.field, line.key, line.want),
        "have": _value(line.address, line.field, line.key, line.have),
        "outcome": line.outcome.value if line.outcome else None,
        "message": line.message,
    }


def _actions(report: Report) -> list[dict[str, Any]]:
    if report.wrote:
        return [_action(one.action) | {"ended": one.ended.value, "message": one.message} for one in report.attempts]
    held = report.gate.held
    return [
        _action(action) | {"ended": "held" if index in held else None, "message": held.get(index, "")}
        for index, action in enumerate(report.plan.actions)
    ]


def _action(action: Action) -> dict[str, Any]:
    return {
        "operation": action.operation.permission,
        "address": action.address,
        "why": action.why,
        "phase": action.operation.phase.name.lower(),
        "risk": action.risk.name.lower(),
        "breaks": action.breaks,
        "mends": sorted([address, field] for address, field in action.mends),
        "params": _plain(printable(action.params)),
    }


def _exception(one: Tolerance, *, active: bool) -> dict[str, Any]:
    return {
        "address": one.address,
        "field": one.field,
        "value": _tolerated(one),
        "until": _time(one.until),
        "reason": one.reason,
        "active": active,
    }


def _tolerated(one: Tolerance) -> Any:
    """The value as the document writes it: a member stands in `Tolerance` as its key, or as (key, value)."""
    if isinstance(one.value, RuleKey):
        return written_rule(one.value, _end(one.address, one.field))
    if isinstance(one.value, tuple):
        key, value = one.value
        if isinstance(key, RuleKey):
            return _value(one.address, one.field, key, value)
        return {str(key): _value(one.address, one.field, key, value)}
    return _plain(one.value)


def _key(address: Address, field: str, key: Any) -> Any:
    return written_rule(key, _end(address, field)) if isinstance(key, RuleKey) else str(key)


def _value(address: Address, field: str, key: Any, value: Any) -> Any:
    if value is ABSENT:
        return None
    if isinstance(key, RuleKey):
        return written_rule(key, _end(address, field)) | ({} if value is None else {"description": value})
    if isinstance(value, AclEntry):
        return written_entry(value, _end(address, field))
    return _plain(value)


def _end(address: Address, field: str) -> str:
    """Whether the peer of a rule or entry in this field is its `source` or its `destination`."""
    return str(getattr(SECTIONS[address.kind].collection(field), "end", "source"))


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case BaseModel():
            return value.model_dump(mode="json", exclude_none=True, exclude={"enforcement"})
        case Collection():
            return value.as_written()
        case datetime():
            return _time(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case _:
            return None if value is ABSENT else str(value)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
