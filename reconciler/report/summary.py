"""What every form of a report says alike: how many ended how, and which exceptions are over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desired_state.document import DocumentException
from reconciler.model import Outcome

if TYPE_CHECKING:
    from reconciler.engine.result import Report


def counts(report: Report) -> dict[str, int]:
    """How many drifts, findings and orphaned actions ended how; `planned` are those that nothing was tried on yet."""
    return {"planned": report.count(None)} | {outcome.value: report.count(outcome) for outcome in Outcome}


def expired(report: Report) -> tuple[DocumentException, ...]:
    """The exceptions of the document that no longer cover anything."""
    return tuple(one for one in report.document.exceptions if one.until <= report.started)
