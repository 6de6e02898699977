"""An item of the ledger that somebody has changed, so that it cannot be read: the network is looked at, and left alone.

What the item knew decides what may be changed: which version was accepted, what is whose, what keeps coming back, what
is held. So nothing is guessed and no call is made, and nothing but what people were told is stored, never over what
cannot be read. But an opening that stands in a network that nobody looks at any more is worse than a message too many.
Pure.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.ledger.lease import Damage
from reconciler.ledger.record import DocumentRecord
from reconciler.model import Cause, Reason
from reconciler.report.attempt import AttemptResult

NOTHING_IS_CHANGED = Cause(
    Reason.MEMORY_DAMAGED,
    "nothing is changed while the document's item in the ledger cannot be read: what was known of the network is in it",
)


def seen(result: AttemptResult, damage: Damage) -> AttemptResult:
    """The result of an attempt that could only look. What a new version changes is announced once it is enforced, and
    nobody's approval was made use of.
    """
    change = result.change if result.held else None
    problem = result.problem or str(damage)
    return replace(result, damage=str(damage), problem=problem, change=change, approved_by="")


def remembered(before: DocumentRecord, after: DocumentRecord) -> DocumentRecord:
    """What is stored of it: when the network was looked at, and what people know."""
    return replace(before, looked_at=after.looked_at, covers=after.covers, notified=after.notified, untold=after.untold)
