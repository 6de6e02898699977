"""The event of a run for EventBridge: what a program may want to act on, as the schema beside this file says. Pure.

`alerts.py` puts it on the bus, once for every run that found or changed something. `version` rises when a reader would
break; `event.v1.schema.json` is what readers may rely on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from reconciler.engine.result import Report
from reconciler.model import Outcome
from reconciler.model.trigger import Actor
from reconciler.redact import fit, safe_text
from reconciler.report.as_json import as_json
from reconciler.report.attempt import AttemptResult, Ending

VERSION = 1
SOURCE, DETAIL_TYPE = "setpoint", "Setpoint Run"
LONGEST = 240_000
"""Bytes of a detail. An entry may have 262,144 with everything around it (EventBridge user guide, "Calculating
PutEvents event entry size").
"""
_ENDINGS = {
    Ending.COMPLETED: "looked",
    Ending.REFUSED: "refused",
    Ending.DELETED: "deleted",
    Ending.UNOBSERVABLE: "blind",
}
"""The words of version 1 of the schema for how an attempt ended."""
_LARGEST_VALUE = 4_000
_MOST = 2_000
_LINES = 30
"""Bytes of one value of a drift, members of one list or mapping, and lines of one text, before it is shortened."""


def detail(result: AttemptResult) -> dict[str, Any] | None:
    """The detail of the event, or None where there is nothing to tell: another run does, or all is calm.

    Lists that make it too long are cut short; `left_out` says of each how many of its items are missing.
    """
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD}:
        return None
    report = result.report
    if report and _calm(report) and not result.refusal:
        return None
    told: dict[str, Any] = {
        "version": VERSION,
        "run_id": safe_text(result.run_id),
        "document": safe_text(result.document),
        "ending": _ENDINGS[result.ending],
        "woken_by": result.trigger.source.value,
        "problem": _text(result.problem),
        "refusal": _text(result.refusal),
        "again_in_seconds": result.retry_after,
        "left_out": {},
    }
    return _fitted(told | (_network(result, report) if report else {}))


def _calm(report: Report) -> bool:
    """Nothing differed, nothing was done and nothing is to be known; what nobody declares is a metric, no event."""
    noted = [one for one in report.findings if one.outcome is not Outcome.IN_SYNC]
    return not (report.drifts or noted or report.writes or report.gate.plan_held or report.orphaned)


def _network(result: AttemptResult, report: Report) -> dict[str, Any]:
    plain = as_json(report)
    return {
        "revision": report.document.revision,
        "sha256": report.document.sha256,
        "account": report.document.scope.account_id,
        "region": report.document.scope.region,
        "vpc_id": safe_text(report.vpc_id) or None,
        "started": plain["started"],
        "seconds": plain["seconds"],
        "wrote": report.wrote,
        "in_sync": plain["in_sync"],
        "fingerprint": report.plan.fingerprint,
        "held_as_a_whole": _text(plain["held_as_a_whole"] or ""),
        "counts": plain["counts"],
        "drifted": [_drift(one, result, report) for one in plain["drifted"]],
        "findings": [fit(one, _MOST) for one in plain["findings"]],
        "actions": [
            {
                name: fit(one[name], _MOST)
                for name in ("operation", "address", "why", "risk", "ended", "reason", "message")
            }
            for one in plain["actions"]
        ],
        "unmanaged": [fit(one, _MOST) for one in plain["unmanaged"]],
    }


def _drift(one: dict[str, Any], result: AttemptResult, report: Report) -> dict[str, Any]:
    address = one["address"]
    actor = result.actors.get(address)
    exposed = result.exposed.get(address)
    return {
        "address": safe_text(address),
        "id": safe_text(report.ids.get(address, "")) or None,
        "field": one["field"],
        "key": _small(one["key"]),
        "sign": one["sign"],
        "want": _small(one["want"]),
        "have": _small(one["have"]),
        "outcome": one["outcome"],
        "reason": one["reason"],
        "message": safe_text(one["message"]),
        "exposed_seconds": None if exposed is None else round(exposed, 3),
        "actor": _actor(actor) if actor else None,
    }


def _actor(one: Actor) -> dict[str, Any]:
    return {
        "who": safe_text(one.who),
        "call": safe_text(one.call),
        "at": _time(one.at),
        "source_ip": safe_text(one.source_ip) or None,
        "user_agent": safe_text(one.user_agent) or None,
        "event_id": safe_text(one.event_id) or None,
    }


def _small(value: Any) -> Any:
    """A value as a document writes it, or where it is large a word on how large it is."""
    told = fit(value, _MOST)
    size = len(json.dumps(told, ensure_ascii=False).encode())
    return told if size <= _LARGEST_VALUE else f"({size} bytes of JSON, left out)"


def _text(words: str) -> str | None:
    """Some lines, each of them harmless, and a word on how many more there are; None where there are none."""
    drifts = words.splitlines()
    told = [safe_text(line) for line in drifts[:_LINES]]
    more = [f"({len(drifts) - _LINES} more lines)"] if len(drifts) > _LINES else []
    return "\n".join([*told, *more]) or None


def _fitted(told: dict[str, Any]) -> dict[str, Any]:
    """The same with its longest lists halved until it is short enough; their first items stay."""
    left_out: dict[str, int] = told["left_out"]
    while len(encoded(told).encode()) > LONGEST:
        sizes = {name: len(encoded(value)) for name, value in told.items() if isinstance(value, list) and value}
        if not sizes:
            break
        longest = max(sizes, key=lambda name: sizes[name])
        keep = len(told[longest]) // 2
        left_out[longest] = left_out.get(longest, 0) + len(told[longest]) - keep
        told[longest] = told[longest][:keep]
    return told


def encoded(told: Any) -> str:
    """The JSON that is sent."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
