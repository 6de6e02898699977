"""What happened to one document as flat records for the log, and as the figures of its metrics. Pure.

`handlers/telemetry.py` writes each record as one line of JSON and the figures as one metric object. Values stand as a
document writes them; what is not there is left out of a record. All text in a record is harmless (`redact.py`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from desired_state.fields import Address, RuleKey
from reconciler.model import Action, Difference, Ended, Finding, Phase
from reconciler.model.trigger import Actor, Source
from reconciler.redact import REDACTED, fit, is_secret_name
from reconciler.report.as_json import action_as_json, drift_as_json, finding_as_json, time_as_json, value_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.summary import counts
from reconciler.report.text import difference, sentence

if TYPE_CHECKING:
    from reconciler.engine.result import Drift, Report

LogRecord = dict[str, Any]

MOST = 2_000
"""Drifts, and findings, of one run that get a line each; the run's own line says how many more there are."""
WIDTH, WIDTH_OF_ACTION = 8_192, 32_768
"""Bytes of one record as JSON. What was sent to AWS is worth more than what was seen."""
_SHORT, _FIELDS = 60, 32
"""Characters of a text, and fields, in a record that cannot be made narrow by cutting its lists."""
_NOT_TRIED = frozenset({Ended.HELD, Ended.SKIPPED})

UNITS: Mapping[str, str] = {
    "Drifted": "Count",
    "Corrected": "Count",
    "Held": "Count",
    "Waiting": "Count",
    "Blocked": "Count",
    "Failed": "Count",
    "Unmanaged": "Count",
    "ReadCalls": "Count",
    "WriteCalls": "Count",
    "RunDuration": "Milliseconds",
    "ExposureSeconds": "Seconds",
    "DocumentInvalid": "Count",
    "RunSucceeded": "Count",
    "AlertsLost": "Count",
}
"""Every metric there is, with CloudWatch's name of its unit."""


def records(result: AttemptResult) -> list[LogRecord]:
    """One record for each drift, finding and call that was tried, in this order, and one for the run as the last.

    A run that found nothing is that last one alone. `record` says which of the four it is, `message` is for people.
    """
    report = result.report
    told: list[LogRecord] = []
    if report:
        told += [_drift(drift, result.actors) for drift in report.drifts[:MOST]]
        told += [_finding(one, result.actors) for one in report.findings[:MOST]]
        told += _actions(report)
    name = _full(
        {"document": result.document, "run_id": result.run_id, "revision": report and report.document.revision}
    )
    return [one | _fitted(name, 1) for one in [*told, _run(result)]]


def metrics(result: AttemptResult) -> dict[str, float]:
    """The figures of one run, by the names of UNITS; empty where nothing ran.

    A wish that found the work done (COVERED) or somebody at it (BUSY) is no run, and counting it would hide that none
    succeeds. A person's question (`mode: plan`) and a person's request that was refused are answered to that person:
    counted, they would keep up a heartbeat that the schedule has lost, or break one that it has not. All else counts:
    RunSucceeded is 1 exactly when the network was seen completely and nothing failed. What is held, blocked or waiting
    was seen and told, and is no failure of the run. It is 0 for BLIND, which saw nothing; for REFUSED, which has no
    document to enforce; and for DELETED, after which nobody enforces anything, on purpose or not.
    """
    report = result.report
    asked = result.trigger.source is Source.MANUAL
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD} or (report and not report.wrote):
        return {}
    if result.ending is Ending.REFUSED and asked:
        return {}
    invalid = bool(result.refusal) or result.ending is Ending.REFUSED
    told: dict[str, float] = {"DocumentInvalid": int(invalid), "AlertsLost": result.alerts_lost, "RunSucceeded": 0}
    if result.exposed:
        told["ExposureSeconds"] = max(result.exposed.values())
    if report:
        ended = counts(report)
        told |= {
            "Drifted": len(report.drifts),
            **{name.capitalize(): ended[name] for name in ("corrected", "held", "waiting", "blocked", "failed")},
            "Unmanaged": len(report.unmanaged),
            "ReadCalls": report.reads,
            "WriteCalls": report.writes,
            "RunDuration": round(report.seconds * 1000, 1),
            # What could not be looked at is a finding that failed (result.py): none failed, so all was seen.
            "RunSucceeded": int(not ended["failed"]),
        }
    return told


def bounded(record: Mapping[str, Any], width: int) -> LogRecord:
    """The record, harmless, and as JSON of at most `width` bytes (from 8,192): lists are cut, and say how many members
    are left out; if that is not enough, what holds many goes altogether and texts are cut short.
    """
    told: LogRecord = {}
    for most in (64, 16, 4, 1):
        told = _fitted(record, most)
        if len(json.dumps(told, ensure_ascii=False).encode()) <= width:
            return told
    short = {name: value[:_SHORT] if isinstance(value, str) else value for name, value in list(told.items())[:_FIELDS]}
    return {name: "left out" if isinstance(value, (dict, list)) else value for name, value in short.items()}


def _fitted(record: Mapping[str, Any], most: int) -> LogRecord:
    """Field by field: of the record itself nothing is cut."""
    told: LogRecord = {}
    for name, value in record.items():
        told |= fit({name: value}, most)
    return told


def _drift(drift: Drift, actors: Mapping[Address, Actor]) -> LogRecord:
    told = drift_as_json(drift)
    told |= {"record": "drift", "cause": told.pop("message"), "message": difference(drift.difference)}
    if drift.field == "tags" and is_secret_name(drift.difference.key):
        told |= {side: REDACTED for side in ("want", "have") if told[side] is not None}
    return bounded(_full(told | {"who": _who(actors.get(drift.address))}), WIDTH)


def _finding(one: Finding, actors: Mapping[Address, Actor]) -> LogRecord:
    return bounded(_full({"record": "finding", **finding_as_json(one), "who": _who(actors.get(one.address))}), WIDTH)


def _who(actor: Actor | None) -> LogRecord:
    """CloudTrail's word on who made a call that fits; `names` served to find it, and tell nothing more."""
    if actor is None:
        return {}
    return _full(
        {
            "who": actor.who,
            "call": actor.call,
            "at": time_as_json(actor.at),
            "source_ip": actor.source_ip,
            "user_agent": actor.user_agent,
            "event_id": actor.event_id,
        }
    )


def _actions(report: Report) -> Iterator[LogRecord]:
    """The calls that were tried. What was held or left shows at its drift, or here if it has none."""
    stray = {(one.action.address, one.action.why) for one in report.orphaned}
    drifts: dict[tuple[Address, str], list[Difference]] = defaultdict(list)
    for drift in report.drifts:
        drifts[drift.address, drift.field].append(drift.difference)
    ids = {one.address: one.id for one in report.unmanaged}
    for action_result in report.action_results:
        action = action_result.action
        if action_result.ended in _NOT_TRIED and (action.address, action.why) not in stray:
            continue
        told = action_as_json(action)
        del told["resolves"]
        resolved = _resolved(action, drifts)
        told |= {
            "record": "action",
            "message": action.why,
            "ended": action_result.ended.value,
            "reason": action_result.cause.reason.value if action_result.cause else None,
            "cause": action_result.message,
            "before": _side(resolved, "have") or ({"id": ids[action.address]} if action.address in ids else {}),
            "after": _side(resolved, "want"),
        }
        del told["why"]
        yield bounded(_full(told), WIDTH_OF_ACTION)


def _resolved(action: Action, drifts: Mapping[tuple[Address, str], list[Difference]]) -> list[Difference]:
    """The differences that a call is about. Several calls may resolve one field: then the members it names are its own."""
    created = [(action.address, "")] if action.operation.phase is Phase.CREATE else []
    about = [one for place in (*created, *sorted(action.resolves)) for one in drifts.get(place, ())]
    named = {member for _, member, _ in action.effect}
    own = [one for one in about if one.key is not None and one.key in named]
    return own or about


def _side(differences: list[Difference], side: Literal["want", "have"]) -> LogRecord:
    """One side of some differences, by field; a field of many members has a list of them, or a mapping by their keys."""
    told: LogRecord = {}
    for one in differences:
        value = value_as_json(one, one.want if side == "want" else one.have)
        if value is None:
            continue
        name = one.field or "resource"
        if one.key is None:
            told[name] = value
        elif isinstance(one.key, RuleKey):
            told.setdefault(name, []).append(value)
        else:
            told.setdefault(name, {})[str(one.key)] = value
    return told


def _run(result: AttemptResult) -> LogRecord:
    told: LogRecord = {
        "record": "run",
        "message": result.problem or result.ending.value,
        "ending": result.ending.value,
        "source": result.trigger.source.value,
        "refusal": result.refusal,
    }
    told |= {
        name: value for name, value in (("again", result.retry_after), ("alerts_lost", result.alerts_lost)) if value
    }
    if result.exposed:
        told["exposed_seconds"] = max(result.exposed.values())
    if report := result.report:
        told |= {
            "message": sentence(report),
            "problem": result.problem,
            "in_sync": report.in_sync,
            "seconds": round(report.seconds, 3),
            "reads": report.reads,
            "writes": report.writes,
            "wrote": report.wrote,
            "counts": {name: count for name, count in _counts(report).items() if count},
            "fingerprint": report.plan.fingerprint if report.plan.actions else "",
            "sha256": report.document.sha256,
            "origin": report.document.origin,
            "held_as_a_whole": report.gate.plan_held.message if report.gate.plan_held else None,
            "left_out": max(0, len(report.drifts) - MOST) + max(0, len(report.findings) - MOST) or None,
        }
    return bounded(_full(told), WIDTH)


def _counts(report: Report) -> Mapping[str, int]:
    beyond = {"drifted": len(report.drifts), "unmanaged": len(report.unmanaged), "excepted": len(report.excepted)}
    return counts(report) | beyond | {"breaks": report.plan.breaks, "tried": len(report.action_results)}


def _full(record: LogRecord) -> LogRecord:
    """Without what is not there: a calm run is one short line."""
    return {name: value for name, value in record.items() if value is not None and value not in ("", {}, [])}
