"""What an alert's first line says of a `setpoint:hold` tag: what stands under it, since when, and who set it. Pure."""

from __future__ import annotations

from desired_state.fields import Address
from reconciler.engine.result import Drift
from reconciler.model import Cause, Finding, Reason
from reconciler.model.exposure import Exposure
from reconciler.report.attempt import AttemptResult, HoldTag


def under_hold(weight: Exposure, drift: Drift, result: AttemptResult) -> Exposure:
    """What a drift means, and the tag that keeps it; unchanged if no tag does."""
    if drift.cause is None or drift.cause.reason is not Reason.HOLD_TAG:
        return weight
    return weight._replace(sentence=f"{weight.sentence} {_said(drift.cause, drift.address, result)}")


def of_hold(weight: Exposure, finding: Finding, result: AttemptResult) -> Exposure:
    """What a tag itself is; unchanged if the finding is not about one."""
    if finding.cause.reason not in {Reason.HOLD_TAG, Reason.INVALID_HOLD_TAG}:
        return weight
    calm = result.report and all(one.address != finding.address for one in result.report.drifts)
    under = " Nothing differs under it." if calm and finding.cause.reason is Reason.HOLD_TAG else ""
    return weight._replace(sentence=f"{_said(finding.cause, finding.address, result)}{under}")


def _said(cause: Cause, address: Address, result: AttemptResult) -> str:
    said = f"{cause.message[:1].upper()}{cause.message[1:]}"
    tag = result.hold_tags.get(address)
    return f"{said}; {_history(tag)}." if tag else f"{said}."


def _history(tag: HoldTag) -> str:
    first = f"the tag was first seen at {tag.since:%Y-%m-%dT%H:%M:%SZ}"
    if tag.who is None:
        return f"{first}, and who set it is not known"
    return f"{first}, and set by {tag.who.who} ({tag.who.call} at {tag.who.at:%Y-%m-%dT%H:%M:%SZ})"
