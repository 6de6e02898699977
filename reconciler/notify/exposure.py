"""How grave a drift is, and the sentence that says why: what its kind says of it, else what holds for all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import REGISTRY
from reconciler.model import Difference, Outcome, Risk
from reconciler.model.exposure import Exposure, Severity

if TYPE_CHECKING:
    from reconciler.engine.result import Drift


def exposure(drift: Drift) -> Exposure:
    """What this drift means as long as it stands, or meant until it was corrected."""
    one, past = drift.difference, drift.outcome is Outcome.CORRECTED
    if one.field in {"tags", "description"}:
        return Exposure(Severity.LOW, f"Only {one.field} of {one.address} differ: no packet and no data does.")
    if told := REGISTRY[one.address.kind].traffic.exposure(one, past):
        return told
    verb = "was" if past else "is"
    if not one.field:
        return Exposure(Severity.MEDIUM if past else Severity.HIGH, f"{one.address} {verb} not there.")
    return Exposure(Severity.MEDIUM, f"{one.address} {verb} not as declared: {one.field}.")


def cost(risk: Risk) -> Exposure | None:
    """What correcting it costs, where that is why a person decides."""
    return {
        Risk.DATA: Exposure(Severity.HIGH, "Correcting it may cost data, so a person decides."),
        Risk.DOWNTIME: Exposure(Severity.MEDIUM, "Correcting it costs downtime, so a person decides."),
    }.get(risk)


def lets_in(one: Difference) -> bool:
    """Whether a difference lets something in, at its own layer, that the document does not."""
    return REGISTRY[one.address.kind].traffic.lets_in(one)
