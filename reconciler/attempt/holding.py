"""Since when a `setpoint:hold` tag has been seen on a resource, and who set it, for the alerts of what it holds.

A hold needs no more than the right to tag, so whoever reads of it has to know whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from datetime import datetime, timedelta

from desired_state.fields import Address
from reconciler.cloudtrail.attribution import Differing, Drifted
from reconciler.engine.result import Report
from reconciler.ledger.record import DocumentRecord
from reconciler.model import HOLD_TAG, Reason
from reconciler.model.trigger import Actor
from reconciler.report.attempt import HoldTag

LOOK_BACK = timedelta(days=1)
"""How long before it was first seen a tag is searched for: no run may have looked for a while."""

type LookUp = Callable[[tuple[Drifted, ...], datetime], Mapping[Address, Actor]]
"""Who made the calls since a time that explain these."""


def hold_tags(report: Report, record: DocumentRecord) -> dict[Address, HoldTag]:
    """The hold tags that a run saw, valid and invalid, with the time of the first look that `record` knows of."""
    reasons = {Reason.HOLD_TAG, Reason.INVALID_HOLD_TAG}
    seen = dict.fromkeys(one.address for one in report.gate.findings if one.cause.reason in reasons)
    return {address: HoldTag(record.holds.get(address, report.started)) for address in seen}


def with_who(
    tags: Mapping[Address, HoldTag], told: Container[Address], report: Report, record: DocumentRecord, look_up: LookUp
) -> dict[Address, HoldTag]:
    """The same, with who set those that people are `told` of: what CloudTrail says of a day before they were seen, or
    of the time since the look before.
    """
    asked = tuple(_as_drift(address, report) for address in tags if address in told)
    if not asked:
        return dict(tags)
    since = min(_earliest(tags[one.address], one.address, record) for one in asked)
    actors = look_up(asked, since)
    return {address: one._replace(who=actors.get(address)) for address, one in tags.items()}


def _earliest(tag: HoldTag, address: Address, record: DocumentRecord) -> datetime:
    new = address not in record.holds
    return record.looked_at if new and record.looked_at else tag.since - LOOK_BACK


def _as_drift(address: Address, report: Report) -> Drifted:
    return Drifted(address, report.ids.get(address, ""), (Differing("tags", "extra", HOLD_TAG),))
