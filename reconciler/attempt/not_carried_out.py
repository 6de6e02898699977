"""Changes that AWS accepted and did not make. Pure.

RDS answers a modify with 200, and carries it out minutes later, or in the maintenance window. If it cannot, the old
value stays, and only an event says why. To send the same call in every run would help nobody: the change is held,
people are told what AWS accepted and where the reason is, and it is tried again after a pause that doubles, up to a
day. What decides who reaches the database is tried three times before the first pause, as what flaps is
(`flapping.py`).

A value that AWS may set by itself (`Correct.once`) is corrected once; if AWS refuses that, or takes it back, a person
decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.attempt.flapping import MAX_CORRECTIONS, name, pause, plain
from reconciler.engine.outcomes import is_about
from reconciler.engine.result import Drift, Report
from reconciler.kinds import REGISTRY
from reconciler.ledger.item import LONGEST_VALUE
from reconciler.ledger.record import AcceptedChange
from reconciler.model import ActionResult, Cause, Difference, Ended, Outcome, Reason
from reconciler.model.times import iso_minute

GRACE = timedelta(minutes=3)
"""For so long RDS may show the old value as if nothing had been accepted."""
REMEMBERED = timedelta(days=30)
"""For so long after its correction a value that AWS may set by itself is not corrected again."""
_INVALID = frozenset({"InvalidParameterCombination", "InvalidParameterValue"})
"""The codes of RDS for a value that it does not take."""


def held(records: Mapping[str, AcceptedChange], one: Difference, now: datetime) -> Cause | None:
    """Why a difference of a resource that takes changes is not corrected now; None if it may be."""
    record = records.get(name(one)) if records else None
    if record is None or (not record.refused and now - record.at < GRACE):
        return None
    correct = REGISTRY[one.address.kind].correct
    if one.field in correct.once:
        how = f"refused it at {iso_minute(record.at)} ({record.refused})"
        if not record.refused:
            how = f"accepted it at {iso_minute(record.at)} and did not keep it"
        message = f"AWS may set this value by itself: it {how}, so it is not corrected again; declare the live value"
        return Cause(Reason.KEPT_BY_OTHERS, message, record.refused)
    if record.have != _text(one.have) or record.tries < _tries(one) or (record.until and now >= record.until):
        return None
    until = record.until or now + pause(record.pauses + 1)
    message = (
        f"AWS accepted this change at {iso_minute(record.at)} and did not make it, or somebody took it back: "
        f"{correct.reasons(one.address)}; it is tried again after {iso_minute(until)}"
    )
    return Cause(Reason.NOT_CARRIED_OUT, message)


def after(records: Mapping[str, AcceptedChange], report: Report, now: datetime) -> dict[str, AcceptedChange]:
    """What to store after a run that ended at `now`."""
    complete = not report.gate.unseen and report.plan.only is None
    coming = {(str(one.address), one.field) for one in report.pending}
    drifts = {name(drift.difference): drift for drift in report.drifts}
    kept: dict[str, AcceptedChange] = {}
    for key, drift in drifts.items():
        if found := _of_drift(records.get(key), drift, report, now):
            kept[key] = found
    for key, record in records.items():
        kind = REGISTRY.get(record.address.partition("/")[0])
        once = kind is not None and record.field in kind.correct.once
        if key not in drifts and (
            not complete or (record.address, record.field) in coming or (once and now - record.at < REMEMBERED)
        ):
            kept[key] = record
    return kept


def _of_drift(record: AcceptedChange | None, drift: Drift, report: Report, now: datetime) -> AcceptedChange | None:
    one = drift.difference
    once = one.field in REGISTRY[one.address.kind].correct.once
    sent = list(_sent(report, one))
    if any(result.ended is Ended.DONE for result in sent):
        pending = any((one.address, one.field) == (other.address, other.field) for other in report.pending)
        in_force = drift.outcome is Outcome.CORRECTED and not pending
        return None if in_force and not once else _accepted(record, one, now)
    refused = next((said for result in sent if (said := result.cause and result.cause.code) in _INVALID), None)
    if once and refused:
        return replace(_accepted(record, one, now), refused=refused)
    if record is None or (record.have != _text(one.have) and not once):
        return None
    if record.until is None and drift.cause and drift.cause.reason is Reason.NOT_CARRIED_OUT:
        return replace(record, pauses=record.pauses + 1, until=now + pause(record.pauses + 1))
    return record


def _accepted(record: AcceptedChange | None, one: Difference, now: datetime) -> AcceptedChange:
    first = AcceptedChange(str(one.address), one.field, _text(one.have), now)
    if record is None or record.have != first.have:
        return first
    again = replace(record, tries=record.tries + 1, until=None)
    return again if now - record.at < GRACE else replace(again, at=now)


def _sent(report: Report, one: Difference) -> Iterator[ActionResult]:
    """The calls of this run for a difference that AWS carries out later."""
    for result in report.action_results:
        for call in result.each():
            if call.action.operation.takes_effect_later and is_about(call.action, one):
                yield call


def _tries(one: Difference) -> int:
    """How often a change is tried before the first pause."""
    return MAX_CORRECTIONS if one.field in REGISTRY[one.address.kind].correct.urgent else 1


def _text(value: Any) -> str:
    """A value as text; the beginning of a long one tells values apart well enough."""
    return json.dumps(plain(value), default=str)[:LONGEST_VALUE]
