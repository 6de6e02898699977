"""The log records and metrics of one attempt. Pure.

`handlers/telemetry.py` writes each record as one line of JSON, and the metrics as one object. Values are written as in
a document; absent ones are left out. All text in a record is made safe (`redact.py`).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from desired_state.fields import Address, RuleKey
from reconciler.model import Action, Difference, Ended, Finding, Phase, Reason
from reconciler.model.trigger import Actor, Source
from reconciler.redact import REDACTED, fit, is_secret_name
from reconciler.report.as_json import (
    action_as_json,
    actor_as_json,
    drift_as_json,
    finding_as_json,
    found_as_json,
    told,
    unmanaged_as_json,
    value_as_json,
)
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.fitting import size
from reconciler.report.summary import counts
from reconciler.report.text import difference, sentence, shown

if TYPE_CHECKING:
    from reconciler.engine.result import Drift, Report

LogRecord = dict[str, Any]

MOST = 2_000
"""The most drifts, and findings, of one run that get a record each; the run's own says how many more there are."""
WIDTH, WIDTH_OF_ACTION = 8_192, 32_768
"""Bytes of one record as JSON. The audit trail of calls needs more room than what was seen."""
_SHORT, _FIELDS = 60, 32
"""Characters of a text, and fields, in a record that is still too wide after its lists were cut."""
_NOT_TRIED = frozenset({Ended.HELD, Ended.SKIPPED})

UNITS: Mapping[str, str] = {
    "Drifted": "Count",
    "Corrected": "Count",
    "Held": "Count",
    "Waiting": "Count",
    "Blocked": "Count",
    "Failed": "Count",
    "Unmanaged": "Count",
    "IntentsBroken": "Count",
    "IntentsUnknown": "Count",
    "ReadCalls": "Count",
    "WriteCalls": "Count",
    "RunDuration": "Milliseconds",
    "ExposureSeconds": "Seconds",
    "DocumentInvalid": "Count",
    "RunSucceeded": "Count",
    "AlertsLost": "Count",
    "ReceiptsLost": "Count",
    "OldestLookAge": "Seconds",
    "DocumentsStale": "Count",
}
"""Every metric there is, with CloudWatch's name of its unit."""


def records(result: AttemptResult) -> list[LogRecord]:
    """One record for a new revision, then one for each drift, finding, intent that is not kept and attempted call, in
    this order, and one for the run at the end.

    If nothing was found, there is only the last one. `record` says which of the six it is, `message` is for people.
    """
    report = result.report
    found: list[LogRecord] = list(_revision(result))
    if report:
        found += [_drift(drift, result.actors) for drift in report.drifts[:MOST]]
        found += [_finding(one, report, result.actors) for one in _findings(report)[:MOST]]
        found += _intents(result, report)
        found += _actions(report)
    keys = {"document": result.document, "run_id": result.run_id, "revision": report and report.document.revision}
    return [record | _fitted(_present(keys), 1) for record in [*found, _run(result)]]


def _revision(result: AttemptResult) -> Iterator[LogRecord]:
    """What a new version of the document changes, and who uploaded it. `number` is its revision: the record's own
    `revision` is the one that is enforced.
    """
    if result.change is None:
        return
    from reconciler.report.revision import record

    told = record(result.change, held=bool(result.held))
    told["number"] = told.pop("revision")
    upload = result.upload and {"who": result.upload.who, "source_ip": result.upload.source_ip}
    yield bounded(
        _present(told | {"instead": result.held, "uploaded_by": upload, "approved_by": result.approved_by}), WIDTH
    )


def _findings(report: Report) -> list[Finding]:
    """Those that have a record of this kind: broken intents have their own."""
    return [one for one in report.findings if one.cause.reason is not Reason.INTENT_BROKEN]


def _intents(result: AttemptResult, report: Report) -> Iterator[LogRecord]:
    """Every intent that is not kept, or was not when the run began."""
    if report.intents is None:
        return
    from reconciler.report.run_intents import records as of_intents

    yield from (bounded(_present(one), WIDTH) for one in of_intents(report.intents, result.since))


def metrics(result: AttemptResult) -> dict[str, float]:
    """The metrics of one attempt, by the names of UNITS; empty if there was no run.

    COVERED, LEASE_HELD and UNKNOWN are not runs: counting them would hide that no run succeeds. Nor are a plan
    (`mode: plan`) and a refused manual request, which are answered to their caller: counting them could keep the
    heartbeat alarm quiet while the schedule fails, or raise it while the schedule works. RunSucceeded is 1 if the whole
    network was read and nothing failed. What is held, blocked or waiting was seen and reported, so it is not a failure
    of the run. RunSucceeded is 0 for UNOBSERVABLE, which saw nothing; for REFUSED, without a document to enforce; and
    for DELETED, after which nothing is enforced, on purpose or not. A revision that is held counts under Held, not as
    invalid.
    """
    report = result.report
    manual = result.trigger.source is Source.MANUAL
    if result.ending in {Ending.COVERED, Ending.LEASE_HELD, Ending.UNKNOWN} or (report and not report.wrote):
        return {}
    if result.ending is Ending.REFUSED and manual:
        return {}
    invalid = bool(result.refusal) or (result.ending is Ending.REFUSED and not result.held)
    figures: dict[str, float] = {"DocumentInvalid": int(invalid), "AlertsLost": result.alerts_lost, "RunSucceeded": 0}
    if result.receipts_lost:  # a metric costs more than all receipts, and this one is nearly always 0
        figures["ReceiptsLost"] = result.receipts_lost
    if result.exposed:
        figures["ExposureSeconds"] = max(result.exposed.values())
    if report:
        ended = counts(report)
        figures |= {
            "Drifted": len(report.drifts),
            **{name.capitalize(): ended[name] for name in ("corrected", "held", "waiting", "blocked", "failed")},
            "Unmanaged": len(report.unmanaged),
            "ReadCalls": report.reads,
            "WriteCalls": report.writes,
            "RunDuration": round(report.seconds * 1000, 1),
            # What could not be read is a failed finding (outcomes.py), so without failures everything was read.
            "RunSucceeded": int(not ended["failed"]),
        }
        if known := _known(report):
            figures |= {"IntentsBroken": known["broken"], "IntentsUnknown": known["unknown"]}
    if result.held:
        figures["Held"] = figures.get("Held", 0) + 1
    return figures


def bounded(record: Mapping[str, Any], width: int) -> LogRecord:
    """The record made safe, as JSON of at most `width` bytes (8,192 or more): lists are cut, and say how many members
    are left out; if that is not enough, they are left out as a whole, and texts are cut.
    """
    fitted: LogRecord = {}
    for most in (64, 16, 4, 1):
        fitted = _fitted(record, most)
        if size(json.dumps(fitted, ensure_ascii=False)) <= width:
            return fitted
    short = {
        name: value[:_SHORT] if isinstance(value, str) else value for name, value in list(fitted.items())[:_FIELDS]
    }
    return {name: "left out" if isinstance(value, (dict, list)) else value for name, value in short.items()}


def _fitted(record: Mapping[str, Any], most: int) -> LogRecord:
    """The record with every list and mapping in it cut to `most` members; its own fields all stay."""
    fitted: LogRecord = {}
    for name, value in record.items():
        fitted |= fit({name: value}, most)
    return fitted


def _drift(drift: Drift, actors: Mapping[Address, Actor]) -> LogRecord:
    record = told(drift_as_json, drift)
    message = shown(lambda: [difference(drift.difference)], drift.address)[0]
    record |= {"record": "drift", "cause": record.pop("message"), "message": message}
    if drift.field == "tags" and is_secret_name(drift.difference.key):
        record |= {side: REDACTED for side in ("want", "have") if record[side] is not None}
    return bounded(_present(record | {"who": _who(actors.get(drift.address))}), WIDTH)


def _finding(one: Finding, report: Report, actors: Mapping[Address, Actor]) -> LogRecord:
    record = {"record": "finding", **told(finding_as_json, one), "found_by": found_as_json(report, one.address)}
    return bounded(_present(record | {"who": _who(actors.get(one.address))}), WIDTH)


def _who(actor: Actor | None) -> LogRecord:
    """Who caused the drift, according to CloudTrail; `names` only served to find the call."""
    return _present(actor_as_json(actor)) if actor else {}


def _actions(report: Report) -> Iterator[LogRecord]:
    """The calls that were tried. What was held or skipped is reported with its drift, or here if it has none."""
    orphaned = {(one.action.address, one.action.why) for one in report.orphaned}
    drifts: dict[tuple[Address, str], list[Difference]] = defaultdict(list)
    for drift in report.drifts:
        drifts[drift.address, drift.field].append(drift.difference)
    ids = {one.address: one.id for one in report.unmanaged}
    for action_result in report.action_results:
        action = action_result.action
        if action_result.ended in _NOT_TRIED and (action.address, action.why) not in orphaned:
            continue
        record = action_as_json(action)
        del record["resolves"]
        resolved = _resolved(action, drifts)
        record |= {
            "record": "action",
            "message": action.why,
            "ended": action_result.ended.value,
            "reason": action_result.cause.reason.value if action_result.cause else None,
            "cause": action_result.message,
            "before": _side(resolved, "have") or ({"id": ids[action.address]} if action.address in ids else {}),
            "after": _side(resolved, "want"),
        }
        del record["why"]
        yield bounded(_present(record), WIDTH_OF_ACTION)


def _resolved(action: Action, drifts: Mapping[tuple[Address, str], list[Difference]]) -> list[Difference]:
    """The differences that a call is about: if several calls resolve one field, those of the members that it names."""
    created = [(action.address, "")] if action.operation.phase is Phase.CREATE else []
    about = [one for place in (*created, *sorted(action.resolves)) for one in drifts.get(place, ())]
    named = {member for _, member, _ in action.effect}
    own = [one for one in about if one.key is not None and one.key in named]
    return own or about


def _side(differences: list[Difference], side: Literal["want", "have"]) -> LogRecord:
    """One side of some differences, by field: members as a list of rules, or as a mapping by their keys."""
    sides: LogRecord = {}
    for one in differences:
        value = value_as_json(one, one.want if side == "want" else one.have)
        if value is None:
            continue
        name = one.field or "resource"
        if one.key is None:
            sides[name] = value
        elif isinstance(one.key, RuleKey):
            sides.setdefault(name, []).append(value)
        else:
            sides.setdefault(name, {})[str(one.key)] = value
    return sides


def _run(result: AttemptResult) -> LogRecord:
    record: LogRecord = {
        "record": "run",
        "message": result.problem or result.ending.value,
        "ending": result.ending.value,
        "source": result.trigger.source.value,
        "refusal": result.refusal,
        "approved_by": result.approved_by,
        "receipt": result.receipt,
    }
    lost = (("alerts_lost", result.alerts_lost), ("receipts_lost", result.receipts_lost))
    record |= {name: value for name, value in (("again", result.retry_after), *lost) if value}
    if result.exposed:
        record["exposed_seconds"] = max(result.exposed.values())
    if report := result.report:
        record |= {
            "message": sentence(report),
            "problem": result.problem,
            "in_sync": report.in_sync,
            "seconds": round(report.seconds, 3),
            "reads": report.reads,
            "writes": report.writes,
            "wrote": bool(report.writes),
            "counts": {name: count for name, count in _counts(report).items() if count},
            "intents": _known(report),
            "found_by": dict(Counter(one.by.value for one in report.found_by.values())),
            "untagged": len(report.untagged) or None,
            "remarks": [unmanaged_as_json(one) for one in report.unmanaged if one.remark],
            "fingerprint": report.plan.fingerprint if report.plan.actions else "",
            "sha256": report.document.sha256,
            "origin": report.document.origin,
            "held_as_a_whole": report.gate.plan_held.message if report.gate.plan_held else None,
            "left_out": max(0, len(report.drifts) - MOST) + max(0, len(report.findings) - MOST) or None,
        }
    return bounded(_present(record), WIDTH)


def _known(report: Report) -> dict[str, int]:
    """How many intents there are by what is known of them; empty if the document has none."""
    if report.intents is None:
        return {}
    from reconciler.report.run_intents import counts as of_intents

    return of_intents(report.intents)


def _counts(report: Report) -> Mapping[str, int]:
    found = {"drifted": len(report.drifts), "unmanaged": len(report.unmanaged), "excepted": len(report.excepted)}
    return counts(report) | found | {"breaks": report.plan.breaks, "tried": len(report.action_results)}


def _present(record: LogRecord) -> LogRecord:
    """The fields that have a value, so that an uneventful run is one short line."""
    return {name: value for name, value in record.items() if value is not None and value not in ("", {}, [])}
