"""The intents in the report of a run: as lines of text, as JSON, and as log records. Imported only where there are any.

How one verdict is written is in `intents.py`; here is what a run adds: what its plan changes about it, what it has put
right, and since when it is so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.engine.intents import JudgedIntents, address_of, said
from reconciler.model import Outcome
from reconciler.model.times import iso_time
from reconciler.reach.judge.intents import Status
from reconciler.report import intents
from reconciler.report.style import Style, plain

if TYPE_CHECKING:
    from reconciler.engine.result import Report


def lines(report: Report, style: Style = plain) -> Iterator[list[str]]:
    """A block with what is not kept and how many are; then what the plan, or the run, changes about that."""
    judged = report.intents
    if judged is None:
        return
    yield intents.text(
        judged.verdicts, judged.declared, judged.mending, style, judged.mended, judged.tolerated
    ).splitlines()
    changed = list(_changes(judged)) or [
        f"Kept now: {sanitize(one.intent.name)}. When the run began: {sanitize(said(one))}." for one in judged.corrected
    ]
    if changed:
        yield changed


def _changes(judged: JudgedIntents) -> Iterator[str]:
    for now, then in zip(judged.verdicts, judged.coming, strict=True):
        if now.status is not then.status and now not in judged.mended:
            yield f"The plan changes an intent from {now.status} to {then.status}: {sanitize(now.intent.name)}"


def as_json(judged: JudgedIntents, since: Mapping[Address, datetime] | None = None) -> list[dict[str, Any]]:
    """Every verdict of the last look. `after_plan` is its status if the plan of a run that writes nothing is carried
    out, `before` the one of the first look; `since` is when it was first reported as broken,
    `tolerated_until` when the exceptions end that break it.
    """
    broken_since = since or {}
    return [
        intents.as_json(now, judged.declared, since=_time(broken_since.get(address_of(now))))
        | {
            "before": str(before.status),
            "after_plan": str(then.status),
            "tolerated_until": _time(judged.tolerated.get(now.intent.name)),
        }
        for before, now, then in zip(judged.before, judged.verdicts, judged.coming, strict=True)
    ]


def _time(moment: datetime | None) -> str | None:
    return iso_time(moment) if moment else None


def records(judged: JudgedIntents, since: Mapping[Address, datetime]) -> Iterator[dict[str, Any]]:
    """A log record for every intent that is not kept, or was not at the first look."""
    for before, now, whole in zip(judged.before, judged.verdicts, as_json(judged, since), strict=True):
        if Status.KEPT is now.status is before.status:
            continue
        corrected = before.status is Status.BROKEN and now.status is Status.KEPT
        tolerated = now.intent.name in judged.tolerated
        blocked = now.status is Status.BROKEN and now.intent.enforcement == "hold" and not tolerated
        yield {
            "record": "intent",
            "message": intents.headline(before if corrected else now),
            "address": address_of(now),
            "outcome": Outcome.CORRECTED.value if corrected else Outcome.BLOCKED.value if blocked else None,
            **{name: value for name, value in whole.items() if name != "name"},  # `address` has it
        }


def counts(judged: JudgedIntents) -> dict[str, int]:
    """How many intents there are of each status."""
    return {str(status): judged.count(status) for status in Status}
