"""Flapping: drift that comes back each time it is corrected, and the backoff it gets. Pure.

`keep.py` calls `suppressed` before a run corrects anything, and stores what `after` returns when the run is over. Three
corrections of one drift within an hour are flapping. The drift is then suppressed for an hour. After that, one more
correction is tried, and each further one doubles the pause, up to a day. So no drift is corrected more than three times
in any hour, and one that keeps flapping is corrected once a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from desired_state.resource import Resource
from reconciler.attempt.named import short
from reconciler.engine.outcomes import is_about
from reconciler.engine.result import Drift, Report
from reconciler.engine.written import wrote
from reconciler.ledger.record import FlappingRecord
from reconciler.model import ABSENT, Cause, Difference, Ended, Outcome, Reason
from reconciler.model.times import iso_minute

MAX_CORRECTIONS = 3
"""The most corrections of one drift in any hour."""
HOUR = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=24)
DAY = timedelta(hours=24)


def name(difference: Difference) -> str:
    """The name of a drift between runs: 16 hexadecimal digits.

    It depends on the place and the declared value, not on the live one. So a rule that is added again, a declared rule
    that is removed again, and a value that is set to something new each time are one drift each. If the document
    declares another value, counting starts again. A missing resource is one drift, however it is declared.
    """
    want = "there" if isinstance(difference.want, Resource) else plain(difference.want)
    return short([difference.address, difference.field, difference.key, want])


def plain(value: Any) -> Any:
    """A value as it is compared between runs."""
    return {"absent": True} if value is ABSENT else value


def suppressed(flapping: Mapping[str, FlappingRecord], difference: Difference, now: datetime) -> Cause | None:
    """Why a drift is not corrected now, and until when; None if it may be corrected."""
    record = flapping.get(name(difference)) if flapping else None
    if record is None or record.until is None or now >= record.until:
        return None
    until = iso_minute(record.until)
    message = f"flapping: it came back each time it was corrected, so it is suppressed until {until}"
    return Cause(Reason.FLAPPING, message)


def after(flapping: Mapping[str, FlappingRecord], report: Report, now: datetime) -> dict[str, FlappingRecord]:
    """What to store after a run that ended at `now`. Corrections count from the end of the run, so never before the
    write.
    """
    window = HOUR + timedelta(seconds=report.seconds)
    complete = not report.gate.unseen and report.plan.only is None
    drifts = {name(drift.difference): drift for drift in report.drifts}
    records: dict[str, FlappingRecord] = {}
    for key in dict.fromkeys([*drifts, *flapping]):
        record, drift = flapping.get(key, FlappingRecord()), drifts.get(key)
        if drift and _written(drift, report):
            record = _corrected(record, now, window)
        elif drift and record.until:  # it still differs, so it has been in sync since now at the earliest
            record = FlappingRecord(record.times, record.pauses, max(record.until, now))
        if not _over(record, now, window) or (record.pauses and not complete):
            records[key] = record
    return records


def _written(drift: Drift, report: Report) -> bool:
    """Whether this run made calls to correct the drift. If the last look no longer shows it, a call whose answer was
    lost and a batch that was split count too; if it still does, all calls for it must have succeeded.
    """
    results = [result for result in report.action_results if is_about(result.action, drift.difference)]
    if drift.outcome is Outcome.CORRECTED:
        return any(map(wrote, results))
    sent = [result for result in results if result.ended not in {Ended.HELD, Ended.SKIPPED}]
    return drift.outcome is Outcome.WAITING and bool(sent) and all(result.ended is Ended.DONE for result in sent)


def _corrected(record: FlappingRecord, now: datetime, window: timedelta) -> FlappingRecord:
    times = (*(time for time in record.times if now - time < window), now)
    if not record.pauses and len(times) < MAX_CORRECTIONS:
        return FlappingRecord(times)
    pauses = record.pauses + 1
    return FlappingRecord(times, pauses, now + pause(pauses))


def pause(number: int) -> timedelta:
    """The length of the nth pause, counted from 1."""
    return LONGEST_PAUSE if number > 5 else HOUR * 2 ** (number - 1)


def _over(record: FlappingRecord, now: datetime, window: timedelta) -> bool:
    """Whether it has stayed in sync long enough to be forgotten."""
    if not record.until:
        return all(now - time >= window for time in record.times)
    return now >= record.until + max(pause(record.pauses), DAY)
