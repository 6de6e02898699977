"""The EventBridge event of a run, for programs; its schema is `event.v1.schema.json`. Pure.

`publisher.py` puts it on the bus, once for every run that found or changed something. A change that would break readers
raises `version`.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.engine.result import Report
from reconciler.model import Cause, Outcome, Reason
from reconciler.model.guard import Stage, contained
from reconciler.model.times import iso_time
from reconciler.model.trigger import Actor
from reconciler.redact import fit, safe_text
from reconciler.report.as_json import as_json, intents_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.fitting import cut_lists, size

if TYPE_CHECKING:
    from reconciler.revision.change import RevisionChange

VERSION = 1
SOURCE, DETAIL_TYPE = "setpoint", "Setpoint Run"
LONGEST = 240_000
"""Bytes of a detail. A whole entry may have 262,144 (EventBridge user guide, "Calculating PutEvents event entry size").
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
_MOST_CHANGES = 100
_LINES = 30
"""The most bytes of one value of a drift, members of one list or mapping, of one list of what a revision changes, and
lines of one text."""


def detail(result: AttemptResult) -> dict[str, Any] | None:
    """The detail of the event, or None if there is none: another run reports instead, there is no document, or nothing
    differs.

    Lists that make it too long are cut; `left_out` says of each how many of its items are missing.
    """
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD, Ending.UNKNOWN}:
        return None
    report = result.report
    if report and not result.refusal and not result.change and not result.damage:
        calm = contained(lambda: _calm(report), lambda cause: False, who="the event of a run", stage=Stage.TELLING)
        if calm:
            return None
    fields: dict[str, Any] = {
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
    if result.receipt:
        fields["receipt"] = safe_text(result.receipt)
    more: dict[str, Any] = contained(
        lambda: _more(result, report), partial(_blind, fields), who="the event of a run", stage=Stage.TELLING
    )
    fields, left_out = cut_lists(fields | more, LONGEST)
    return fields | {"left_out": left_out}


def _more(result: AttemptResult, report: Report | None) -> dict[str, Any]:
    """What the run saw, and what a new version changes."""
    changed = {"revision_change": _revision(result, result.change)} if result.change else {}
    return changed | (_network(result, report) if report else {})


def _blind(fields: dict[str, Any], cause: Cause) -> dict[str, Any]:
    """What an event says instead of what cannot be written: version 1 has no ending for a run that only saw."""
    problem = "\n".join(filter(None, (fields["problem"], f"what this run saw is not told: {safe_text(cause.message)}")))
    return {"ending": _ENDINGS[Ending.UNOBSERVABLE], "problem": problem}


def _calm(report: Report) -> bool:
    """Nothing differed, nothing was done and nothing was found. Unmanaged resources are a metric, not an event."""
    broken = Reason.INTENT_BROKEN  # also one that is only reported
    noted = [one for one in report.findings if one.outcome is not Outcome.IN_SYNC or one.cause.reason is broken]
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
        "wrote": bool(report.writes),
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
        "unmanaged": [fit(_present(one), _MOST) for one in plain["unmanaged"]],
        "intents": [fit(one, _MOST) for one in intents_as_json(report, result.since)],
    }


def _revision(result: AttemptResult, change: RevisionChange) -> dict[str, Any]:
    """What a new version changes, and who uploaded it; lists are cut, and say how much is left out."""
    from reconciler.report.revision import as_json as written

    upload = result.upload
    who = (
        {
            "who": safe_text(upload.who),
            "source_ip": safe_text(upload.source_ip) or None,
            "at": iso_time(upload.at) if upload.at else None,
        }
        if upload
        else None
    )
    changed: dict[str, Any] = fit(written(change, held=bool(result.held)), _MOST_CHANGES)
    return changed | {"instead": _text(result.held), "uploaded_by": who}


def _present(one: dict[str, Any]) -> dict[str, Any]:
    """Without the members that have no value, which version 1 of the schema did not have at first."""
    return {name: value for name, value in one.items() if value is not None}


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
        "at": iso_time(one.at),
        "source_ip": safe_text(one.source_ip) or None,
        "user_agent": safe_text(one.user_agent) or None,
        "event_id": safe_text(one.event_id) or None,
    }


def _small(value: Any) -> Any:
    """A value as a document writes it, or its size if it is too large."""
    fitted = fit(value, _MOST)
    length = size(json.dumps(fitted, ensure_ascii=False))
    return fitted if length <= _LARGEST_VALUE else f"({length} bytes of JSON, left out)"


def _text(words: str) -> str | None:
    """The first lines, made safe, and how many more there are; None if there are none."""
    lines = words.splitlines()
    first = [safe_text(line) for line in lines[:_LINES]]
    more = [f"({len(lines) - _LINES} more lines)"] if len(lines) > _LINES else []
    return "\n".join([*first, *more]) or None
