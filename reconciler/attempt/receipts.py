"""The receipt of an attempt, and the day sheet: whether they are due, written, and what is remembered of them.

`keep.py` calls `recorded` under the lease, after the last look and before people are told. Whatever goes wrong here
costs the receipt, never the run or its alerts; what could not be written is not remembered, so the next run writes it.
A run in sync, of which there is nothing new to say, makes no call and imports nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from desired_state.sanitize import sanitize
from reconciler.engine.result import Drift, Orphaned, Report
from reconciler.history.receipts import (
    Day,
    Remembered,
    Summary,
    chained,
    day_sheet,
    digest,
    due,
    key,
    parse_key,
    sheet_due,
    short_run,
)
from reconciler.ledger.record import FLAPPING, DocumentRecord, LastReceipt
from reconciler.model import Finding, Outcome, Reason
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time
from reconciler.model.trigger import Source
from reconciler.redact import fit
from reconciler.report.as_json import drift_as_json, finding_as_json, told, unmanaged_as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.exposure import exposes, exposure

log = logging.getLogger(__name__)

type Put = Callable[[str, Mapping[str, Any]], str]
"""Writes a receipt under its key, and returns the SHA-256 of its bytes."""

HURRIED = 30.0
"""With fewer seconds left than this, a receipt is without its lanes."""
_MOST_LATE = 200
"""Of what an earlier run could not tell, and of the members of each."""
_LOOKS = frozenset({Ending.COMPLETED, Ending.UNOBSERVABLE, Ending.REFUSED, Ending.DELETED})


@dataclass(frozen=True)
class Recorder:
    """With what an attempt is recorded: how receipts are written (None: the deployment has no bucket for them), when
    the attempt began, after which time without a look nobody knows what was (`stale`), and whether its lease is known
    to be lost. `hurried`: there is no time to judge who reaches what between the calls; people must still be told.
    """

    put: Put | None
    began: datetime
    stale: timedelta
    lost: bool = False
    hurried: bool = False


def recorded(
    result: AttemptResult, record: DocumentRecord, before: DocumentRecord, recorder: Recorder
) -> tuple[AttemptResult, DocumentRecord]:
    """The result with the key of its receipt, and the record with what is remembered of it; `before` is the record from
    before the run.
    """
    if result.ending not in _LOOKS or (result.ending is Ending.REFUSED and result.trigger.source is Source.MANUAL):
        return result, record  # nobody looked, or a request was refused to whoever made it
    lost = 0
    try:
        record, lost = _day_told(result, _counted(result, record, before, recorder), before, recorder)
    except Exception:
        log.exception("%s: the day sheet could not be made", result.document)
        lost = 1
    result = replace(result, receipts_lost=lost)
    try:
        return _receipt_told(result, record, before, replace(recorder, put=_not_again) if lost else recorder)
    except Exception:
        log.exception("%s: the receipt of this run could not be made", result.document)
        # What was found could not be told, so nobody may take it for in sync.
        return replace(result, receipts_lost=lost + 1), replace(
            record,
            state=NetworkState.UNSEEN.value,
            severity=None,
            since=recorder.began,
            in_sync_since=None,
            openings=(),
            exposed_since=None,
            outcomes={},
        )


def _not_again(*_: object) -> str:
    raise TimeoutError("the day sheet could not be written, and one try a run is enough")


def _counted(
    result: AttemptResult, record: DocumentRecord, before: DocumentRecord, recorder: Recorder
) -> DocumentRecord:
    """The record with this look counted among those of its day. How long nobody has seen the whole network counts as
    soon as it is known, not only once it is over.
    """
    began, last = recorder.began, before.looked_at
    gap = int((began - last).total_seconds()) if last else 0
    over = record.looked_at == began or sheet_due(before.day, began)
    gaps = record.gaps
    if last and over and gap > recorder.stale.total_seconds():
        gaps = (*gaps, (int(last.timestamp()), int(began.timestamp())))
    return replace(
        record,
        gaps=gaps,
        day=record.day or began,
        looks=record.looks + 1,
        unseen=record.unseen + (result.report is None),
        longest_gap=max(record.longest_gap, gap),
    )


def _day_told(
    result: AttemptResult, record: DocumentRecord, before: DocumentRecord, recorder: Recorder
) -> tuple[DocumentRecord, int]:
    """The record once the sheet of a day that is over is written, and how many sheets were lost. A day whose sheet
    could not be written goes on, so that no look is lost: the sheet says since when it counts.
    """
    if before.day is None or not sheet_due(before.day, recorder.began):
        return record, 0
    new = replace(record, day=recorder.began, looks=1, unseen=int(result.report is None), longest_gap=0, gaps=())
    if recorder.put is None:
        return new, 0
    severity = _severity(before.severity)
    revision = before.accepted.revision if before.accepted else None
    sheet = day_sheet(
        result.document,
        # The gap up to this look began on the day before.
        Day(before.day, before.looks, before.unseen, record.longest_gap, record.gaps),
        until=recorder.began,
        state=_state(before.state),
        severity=severity,
        revision=revision,
        run={"id": result.run_id, "ending": result.ending.value},
        found=before.receipt.digest if before.receipt else "",
        of=_of(before.receipt),
    ) | {"account": record.account or None, "region": record.region or None}
    summary = Summary(
        result.document, recorder.began, NetworkState.DAY, severity, revision or 0, 0, short_run(result.run_id)
    )
    written = _put(summary, sheet, new, recorder.put)
    return (record, 1) if written is None else (replace(new, receipt=written), 0)


def _receipt_told(
    result: AttemptResult, record: DocumentRecord, before: DocumentRecord, recorder: Recorder
) -> tuple[AttemptResult, DocumentRecord]:
    report, last = result.report, record.receipt
    late = _late(record)
    found, writes = digest(found_by(result) | {"late": late}), report.writes if report else 0
    unrecorded = last is not None and not last.key and recorder.put is not None
    if not due(None if last is None or unrecorded else last.digest, found, writes):
        return replace(result, receipt=_of(last) or ""), record
    if recorder.lost and not writes:
        return result, record  # whoever has the lease now tells it
    from reconciler.report.receipt import receipt_of_attempt

    content = receipt_of_attempt(result, lanes=not recorder.hurried) | {
        "digest": found,
        "rollout": _rollout(result, before),
        **({"late": late} if late else {}),
    }
    if report is not None and report.plan.only is not None:
        # It has looked at a part. The rest is not in sync for that, and the next whole look leaves a receipt.
        content["run"] |= {"only": sorted(report.plan.only)}
        state, found = (
            _state(before.state) or NetworkState.UNSEEN if content["state"] == NetworkState.SYNC else content["state"],
            "",
        )
        content |= {"state": NetworkState(state).value}
    else:
        record = _now(result, record, content, recorder.began)
    if recorder.put is None:
        return result, replace(record, receipt=LastReceipt("", "", found))
    summary = Summary(
        result.document,
        report.started if report else recorder.began,
        NetworkState(content["state"]),
        _severity(content["severity"]),
        report.document.revision if report else 0,
        writes,
        short_run(result.run_id),
    )
    written = _put(summary, content, record, recorder.put)
    if written is None:
        return replace(result, receipts_lost=result.receipts_lost + 1), record
    return replace(result, receipt=written.key), replace(record, receipt=replace(written, digest=found))


def _of(last: LastReceipt | None) -> str | None:
    """The key of the last receipt that is no day sheet."""
    if last is None:
        return None
    said = parse_key(last.key)
    return last.key if said and said.state is not NetworkState.DAY else last.of


def _rollout(result: AttemptResult, before: DocumentRecord) -> dict[str, Any] | None:
    """Which revision was in force before, if the run is the first one of another."""
    if not result.rollout or before.rollout is None or not before.rollout.since:
        return None
    return {"from": before.rollout.since[-1].revision or None}


def _late(record: DocumentRecord) -> list[dict[str, Any]]:
    """What an earlier run was about to correct when it died, or has corrected and could not tell: the run itself may
    have left no receipt of it.
    """
    told: list[dict[str, Any]] = fit(
        [
            {
                "fingerprint": one.fingerprint,
                "address": one.address or None,
                "field": one.field or None,
                "severity": one.severity,
                "sentence": one.sentence,
                "at": iso_time(one.at),
                "who": one.who and one.who.who,
                "members": [member.what for member in one.members],
            }
            for one in record.untold
        ],
        _MOST_LATE,
    )
    return told


def _put(summary: Summary, content: Mapping[str, Any], record: DocumentRecord, put: Put) -> LastReceipt | None:
    """What is to be remembered of a receipt once it is written; None if it could not be."""
    last = record.receipt
    previous = Remembered(last.key, last.sha256, last.digest) if last and last.key else None
    name = key(summary)
    try:
        sha256 = put(name, chained(content, previous))
    except Exception:  # whatever it is, the run goes on
        log.exception("%s: the receipt %s could not be written", summary.document, name)
        return None
    return LastReceipt(name, sha256, str(content["digest"]), _of(last) if summary.state is NetworkState.DAY else None)


def _now(result: AttemptResult, record: DocumentRecord, content: Mapping[str, Any], began: datetime) -> DocumentRecord:
    """The record with the state after the run, and since when it is so."""
    state = str(content["state"])
    in_sync = state == NetworkState.SYNC
    return replace(
        record,
        state=state,
        severity=None if in_sync else content["severity"],
        since=record.since if record.since and state == record.state else began,
        in_sync_since=(record.in_sync_since or began) if in_sync else None,
        openings=_openings(result.report),
        exposed_since=_exposed_since(result),
        outcomes=_outcomes(result.report),
    )


def _openings(report: Report | None) -> tuple[str, ...]:
    """What stands open after the run, the gravest first; `ledger/item.py` keeps the first."""
    if report is None:
        return ()
    left = [exposure(one) for one in report.drifts if one.outcome is not Outcome.CORRECTED and exposes(one)]
    return tuple(sanitize(one.sentence) for one in sorted(left, key=lambda one: one.severity.rank))


def _exposed_since(result: AttemptResult) -> datetime | None:
    """From when on something that stands open after the run may have been there; None if that is not known of all."""
    drifts = result.report.drifts if result.report else ()
    left = [one.difference.identity for one in drifts if one.outcome is not Outcome.CORRECTED and exposes(one)]
    known = [result.drift_since[one] for one in left if one in result.drift_since]
    return min(known) if known and len(known) == len(left) else None


_SUPPRESSED = frozenset({Reason.FLAPPING, Reason.SUPPRESSED})


def _outcomes(report: Report | None) -> dict[str, int]:
    """How many differences, findings and orphaned actions a run left as they are, by their outcomes."""
    if report is None:
        return {}
    left = Counter[str]()
    ended: tuple[Drift | Finding | Orphaned, ...] = (*report.drifts, *report.findings, *report.orphaned)
    for one in ended:
        if one.outcome is Outcome.HELD and one.cause and one.cause.reason in _SUPPRESSED:
            left[FLAPPING] += 1
        elif one.outcome not in {None, Outcome.IN_SYNC, Outcome.CORRECTED}:
            left[str(one.outcome)] += 1
    return dict(left)


def found_by(result: AttemptResult) -> dict[str, Any]:
    """What an attempt has found, so far as it decides whether that is news: of what a receipt has, the members that
    `digest` reads, and `orphaned`, the actions at resources that nobody declares.
    """
    run = {"ending": result.ending.value, "problem": result.problem or result.refusal or result.held or None}
    report = result.report
    if report is None:
        return {"run": run}
    document = report.document
    return {
        "run": run,
        "document": {"revision": document.revision, "sha256": document.sha256},
        "held_as_a_whole": bool(report.gate.plan_held),
        "drifted": [told(drift_as_json, one) | {"exposes": exposes(one)} for one in report.drifts],
        "findings": [told(finding_as_json, one) for one in report.findings],
        "orphaned": [
            {"address": one.action.address, "operation": one.action.operation.permission, "outcome": one.outcome}
            for one in report.orphaned
        ],
        "pending": [one._asdict() for one in report.pending],
        "unmanaged": [unmanaged_as_json(one) for one in report.unmanaged],
        "intents": [
            {"name": one.intent.name, "status": str(one.status)}
            for one in (report.intents.verdicts if report.intents else ())
        ],
        "holds": [{"address": one} for one in report.gate.tagged],
        "unseen": [{"kind": one} for one in (*report.gate.unseen, *_unread(report))],
    }


def _unread(report: Report) -> tuple[str, ...]:
    """The interfaces, if they could not be read; they are no resource of the document."""
    look = report.last or report.first
    unread = look is not None and look.interfaces is not None and not isinstance(look.interfaces, tuple)
    return ("network_interface",) if unread else ()


def _state(text: str | None) -> NetworkState | None:
    return NetworkState(text) if text in set(NetworkState) else None


def _severity(text: str | None) -> Severity | None:
    return Severity(text) if text in set(Severity) else None
