"""Corrections that somebody else keeps undoing: which they are, and how long each is left alone. Pure.

`keep.py` asks `paused` before a run corrects anything and remembers what `after` answers when the run is over. Three
corrections of one drift within an hour are a fight. It is left alone for an hour; after that one more correction is
tried, and each time the pause from that try on is twice as long, a day at most. So no drift is ever written more than
three times in any hour, and a fight that goes on is met once a day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from desired_state.resource import Resource
from reconciler.engine.result import Drift, Report, is_about
from reconciler.ledger.record import FlappingRecord
from reconciler.model import ABSENT, ActionResult, Cause, Difference, Ended, Outcome, Reason

MAX_CORRECTIONS = 3
"""Corrections of one drift that any hour may have."""
HOUR = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=24)
DAY = timedelta(hours=24)


def name(one: Difference) -> str:
    """What the correction of a drift is called between runs: 16 hexadecimal digits.

    It is the place and what the document wants there; what was found does not matter. So a rule that is added again, a
    rule of ours that is taken away again, and a value that is set now to this and then to that are each one drift. A
    document that wants something else there begins anew: a person decided so. A missing resource is one drift, however
    it is declared.
    """
    want = "there" if isinstance(one.want, Resource) else _plain(one.want)
    told = json.dumps([one.address, one.field, _plain(one.key), want], default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if value is ABSENT:
        return {"absent": True}
    return sorted(map(str, value)) if isinstance(value, frozenset) else value


def suppressed(flapping: Mapping[str, FlappingRecord], one: Difference, now: datetime) -> Cause | None:
    """Why a drift is not corrected for now, and until when; None where it may be corrected."""
    record = flapping.get(name(one)) if flapping else None
    if record is None or record.until is None or now >= record.until:
        return None
    until = f"{record.until:%Y-%m-%dT%H:%MZ}"
    message = f"flapping: it came back each time it was corrected, so it is suppressed until {until}"
    return Cause(Reason.FLAPPING, message)


def after(flapping: Mapping[str, FlappingRecord], report: Report, now: datetime) -> dict[str, FlappingRecord]:
    """What to remember after a run that ended at `now`. Times are those of the run's end, so never before the write."""
    window = HOUR + timedelta(seconds=report.seconds)
    complete = not report.gate.unseen and report.plan.only is None
    drifts = {name(drift.difference): drift for drift in report.drifts}
    kept: dict[str, FlappingRecord] = {}
    for key in [*drifts, *(one for one in flapping if one not in drifts)]:
        record, drift = flapping.get(key, FlappingRecord()), drifts.get(key)
        if drift and _written(drift, report):
            record = _corrected(record, now, window)
        elif drift and record.until:
            record = FlappingRecord(
                record.times, record.pauses, max(record.until, now)
            )  # it is right at the earliest from now on
        if not _over(record, now, window) or (record.pauses and not complete):
            kept[key] = record
    return kept


def _written(drift: Drift, report: Report) -> bool:
    """Whether this run wrote to correct the drift. What the last look does not show any more counts also where an
    answer was lost or a batch was taken apart; what it still shows counts where all calls for it went well.
    """
    tried = [one for one in report.action_results if is_about(one.action, drift.difference)]
    if drift.outcome is Outcome.CORRECTED:
        return any(map(_sent, tried))
    sent = [one for one in tried if one.ended not in {Ended.HELD, Ended.SKIPPED}]
    return drift.outcome is Outcome.WAITING and bool(sent) and all(one.ended is Ended.DONE for one in sent)


def _sent(action_result: ActionResult) -> bool:
    apart = bool(action_result.action.parts) and action_result.ended not in {Ended.HELD, Ended.SKIPPED}
    return action_result.ended in {Ended.DONE, Ended.UNKNOWN} or apart


def _corrected(record: FlappingRecord, now: datetime, window: timedelta) -> FlappingRecord:
    times = (*(one for one in record.times if now - one < window), now)
    if not record.pauses and len(times) < MAX_CORRECTIONS:
        return FlappingRecord(times)
    pauses = record.pauses + 1
    return FlappingRecord(times, pauses, now + _pause(pauses))


def _pause(number: int) -> timedelta:
    """How long the pause of this number is, from 1."""
    return LONGEST_PAUSE if number > 5 else HOUR * 2 ** (number - 1)


def _over(record: FlappingRecord, now: datetime, window: timedelta) -> bool:
    """Whether it has stayed right long enough to be forgotten."""
    if not record.until:
        return all(now - one >= window for one in record.times)
    return now >= record.until + max(_pause(record.pauses), DAY)
