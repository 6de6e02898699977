"""Since when something undeclared may have been open, from run to run: an upper bound that is always true. Pure.

What a run sees and does not correct (a hold, flapping, a failure, a mode that only reports) is remembered with the time
from which it may have been there, and keeps that time until a look no longer shows it. What is seen for the first time
came after the look before, or after the call that certainly made it (`Attribution.made`). Where there was no look
before, it is not known. `keep.py` stores what `after` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from desired_state.fields import Address
from reconciler.attempt.named import short
from reconciler.engine.diff import covers
from reconciler.engine.result import Drift, Report
from reconciler.ledger.record import DocumentRecord
from reconciler.model import Identity, Outcome
from reconciler.report.exposure import exposes

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time that is not known, and is before every other one."""
MOST = 300
"""The most differences that are remembered one by one."""
OTHERS = "others"
"""The key of the earliest time of those that are not."""
type Made = Mapping[Identity, datetime]


class Exposed(NamedTuple):
    """Of resources that let in undeclared traffic and were corrected: for how many seconds they did at most, and of
    which that is not known.
    """

    seconds: Mapping[Address, float]
    unknown: frozenset[Address]


def name(drift: Drift, report: Report) -> str:
    """What identifies a difference from look to look, also when its resource is called otherwise in the document: 16
    hexadecimal digits.
    """
    one = drift.difference
    return _named(report.ids.get(one.address, one.address), one.field, one.key)


def _named(aws_id: str, field: str, key: Any) -> str:
    return short([aws_id, field, key])


def left(record: DocumentRecord, aws_id: str, field: str) -> bool:
    """Whether the run before left the difference in a whole field of a resource (by its address, if it has no id)."""
    return _named(aws_id, field, None) in record.open_since


def since(drift: Drift, report: Report, record: DocumentRecord, made: Made) -> datetime:
    """From when on this may have been open; `record` is that from before the run."""
    if known := record.open_since.get(name(drift, report)):
        return known
    if call := made.get(drift.difference.identity):
        return call
    first = record.open_since.get(OTHERS) or record.looked_at or UNKNOWN
    ended = [one.until for one in report.document.exceptions if covers(one, drift.difference)]
    return max([first, *(until for until in ended if until <= report.started)]) if first is not UNKNOWN else first


def times(report: Report, record: DocumentRecord, made: Made) -> dict[Identity, datetime]:
    """From when on each difference may have been there, as far as that is known, by its identity."""
    found = {drift.difference.identity: since(drift, report, record, made) for drift in report.drifts}
    return {identity: time for identity, time in found.items() if time > UNKNOWN}


def exposed(report: Report, record: DocumentRecord, made: Made, now: datetime) -> Exposed:
    """For how long what this run closed stood open. Of several differences of a resource, the longest counts."""
    closed = [drift for drift in report.drifts if drift.outcome is Outcome.CORRECTED and exposes(drift)]
    began: dict[Address, datetime] = {}
    for drift in closed:
        began[drift.address] = min(since(drift, report, record, made), began.get(drift.address, now))
    return Exposed(
        {at: max(0.0, (now - one).total_seconds()) for at, one in began.items() if one > UNKNOWN},
        frozenset(at for at, one in began.items() if one <= UNKNOWN),
    )


def after(report: Report, record: DocumentRecord, made: Made) -> dict[str, datetime]:
    """What to remember. What this run did not look at stays as it is."""
    complete = not report.gate.unseen and report.plan.only is None
    seen = {name(drift, report): drift for drift in report.drifts}
    kept = {} if complete else {key: time for key, time in record.open_since.items() if key not in seen}
    for key, drift in seen.items():
        if drift.outcome is not Outcome.CORRECTED:
            kept[key] = since(drift, report, record, made)
    others = [kept.pop(OTHERS)] if OTHERS in kept else []
    first = sorted(kept.items(), key=lambda entry: entry[1])
    others += [time for _, time in first[MOST:]]
    return dict(first[:MOST]) | ({OTHERS: min(others)} if others else {})
