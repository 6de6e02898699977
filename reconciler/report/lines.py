"""What every form of a report says alike: the sign of a drift, what a plan does beyond the drifts, whether all is well.

Pure. `text.py` and `as_json.py` call it, and the command line for its exit code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from desired_state.document import DocumentException
from reconciler.model import ABSENT, Action, Outcome

if TYPE_CHECKING:
    from reconciler.engine.result import Line, Report

Sign = Literal["add", "change", "remove"]


class Orphaned(NamedTuple):
    """An action that mends no drift of a declared resource: what is ours and no longer declared goes, or scaffolding of
    an interrupted run. `outcome` is None where nothing was tried yet.
    """

    action: Action
    outcome: Outcome | None
    message: str


def sign(line: Line) -> Sign:
    """What the correction of a drift does to the live state."""
    if line.have is ABSENT:
        return "add"
    return "remove" if line.want is ABSENT else "change"


def orphaned(report: Report) -> tuple[Orphaned, ...]:
    """The actions at addresses without any drift, each with how it ended last."""
    drifted = {line.address for line in report.lines}
    found: dict[tuple[str, str], Orphaned] = {}
    for index, action in enumerate(report.plan.actions):
        if _stray(action, drifted):
            held = report.gate.held.get(index)
            found[action.address, action.why] = Orphaned(action, Outcome.HELD if held else None, held or "")
    for attempt in report.attempts:
        if _stray(attempt.action, drifted):
            ended = _ENDINGS.get(attempt.ended.value, Outcome.WAITING)
            found[attempt.action.address, attempt.action.why] = Orphaned(attempt.action, ended, attempt.message)
    return tuple(found.values())


_ENDINGS = {"done": Outcome.CORRECTED, "held": Outcome.HELD, "failed": Outcome.FAILED}


def _stray(action: Action, drifted: Iterable[str]) -> bool:
    return action.address not in drifted and not any(address in drifted for address, _ in action.resolves)


def outcomes(report: Report) -> dict[str, int]:
    """How many drifts, findings and loose actions ended how; `planned` are those that nothing was tried on yet."""
    told = [line.outcome for line in report.lines] + [one.outcome for one in orphaned(report)]
    ends: list[Outcome | None] = [*told, *(one.outcome for one in report.findings)]
    return {"planned": ends.count(None)} | {outcome.value: ends.count(outcome) for outcome in Outcome}


def settled(report: Report) -> bool:
    """Whether nothing is left: all that differed is corrected, and no action and no finding waits for anything."""
    ended = outcomes(report)
    return report.in_sync and not sum(ended[one] for one in ("planned", "held", "waiting", "blocked", "failed"))


def expired(report: Report) -> tuple[DocumentException, ...]:
    """The exceptions of the document that no longer cover anything."""
    return tuple(one for one in report.document.exceptions if one.until <= report.started)
