"""What every form of a report contains: counts by outcome, and expired exceptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desired_state.document import DocumentException
from reconciler.model import Outcome

if TYPE_CHECKING:
    from reconciler.engine.result import Report


def counts(report: Report) -> dict[str, int]:
    """How many drifts, findings and orphaned actions there are by outcome; `planned`: nothing was tried yet."""
    return {"planned": report.count(None)} | {outcome.value: report.count(outcome) for outcome in Outcome}


def expired(report: Report) -> tuple[DocumentException, ...]:
    """The exceptions of the document that have expired."""
    return tuple(one for one in report.document.exceptions if one.until <= report.started)
