"""Compares a version of a document with the one before: the answer is a `RevisionChange`. Pure.

`attempt/version.py` asks for it when a version is new, `setpoint validate --against` before it is uploaded.
"""

from __future__ import annotations

from desired_state.document import Document
from reconciler.reach.compare import is_grave
from reconciler.revision import exceptions, intents, owners, resources
from reconciler.revision.change import Hold, HoldReason, Point, RevisionChange, worst
from reconciler.revision.flows import flows, judged, newly_broken, weight
from reconciler.revision.lasting import lasting, renamed


def compare(before: Document | None, after: Document) -> RevisionChange:
    """What `after` changes in meaning. Without a document before, only what is grave is told of its flows, and every
    grave flow counts as new.
    """
    was, now = lasting(renamed(before, after), after) if before else (None, after)
    contexts = judged(was), judged(now)
    opened = flows(*contexts, first=before is None)
    broken = newly_broken(was, contexts[0], now, contexts[1])
    guards = points(before, after)
    holds = (
        *(Hold(HoldReason.EXPOSES, flow=one) for one in opened if is_grave(one)),
        *(Hold(HoldReason.BREAKS_INTENT, verdict=one) for one in broken if one.intent.enforcement == "hold"),
    )
    graves = (
        *(weight(one) for one in opened),
        *(one.severity for one in guards),
        *(one.severity for one in broken if one.severity),
    )
    return RevisionChange(
        document=after.name,
        number=after.revision,
        before=before.revision if before else None,
        digests=(before.sha256 if before else "", after.sha256),
        flows=opened,
        points=guards,
        broken=broken,
        holds=holds,
        severity=worst(graves),
    )


def points(before: Document | None, after: Document) -> tuple[Point, ...]:
    """What is guarded less or more, and what is declared otherwise. Of a first version, only what it tolerates."""
    if before is None:
        return tuple(exceptions.points(None, after))
    before = renamed(before, after)
    return (
        *owners.points(before, after),
        *resources.points(before, after),
        *intents.points(before, after),
        *exceptions.points(before, after),
    )
