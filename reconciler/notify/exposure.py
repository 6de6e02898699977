"""The severity of a drift, and the sentence that says why: from its kind, otherwise from what applies to all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import REGISTRY
from reconciler.model import Difference, Outcome, Risk
from reconciler.model.exposure import Exposure, Severity

if TYPE_CHECKING:
    from reconciler.engine.result import Drift


def exposure(drift: Drift) -> Exposure:
    """What this drift means, or meant until it was corrected."""
    one, past = drift.difference, drift.outcome is Outcome.CORRECTED
    if one.field in {"tags", "description"}:
        differs = "differ" if one.field == "tags" else "differs"
        return Exposure(
            Severity.LOW, f"Only the {one.field} of {one.address} {differs}: packets and data are not affected."
        )
    if of_kind := REGISTRY[one.address.kind].traffic.exposure(one, past):
        return of_kind
    verb = "was" if past else "is"
    if not one.field:
        return Exposure(Severity.MEDIUM if past else Severity.HIGH, f"{one.address} {verb} missing.")
    return Exposure(Severity.MEDIUM, f"{one.address} {verb} not as declared: {one.field}.")


def cost(risk: Risk) -> Exposure | None:
    """What correcting it costs, if that is why it needs a decision."""
    return {
        Risk.DATA: Exposure(Severity.HIGH, "Correcting it may lose data, so a person decides."),
        Risk.DOWNTIME: Exposure(Severity.MEDIUM, "Correcting it causes downtime, so a person decides."),
    }.get(risk)


def lets_in(one: Difference) -> bool:
    """Whether a difference lets something in, at its own layer, that the document does not."""
    return REGISTRY[one.address.kind].traffic.lets_in(one)
