"""The severity of a drift, and the sentence that says why: from its kind, otherwise from what applies to all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import REGISTRY
from reconciler.model import Difference, Outcome, Risk
from reconciler.model.exposure import Exposure, Severity
from reconciler.model.guard import Stage, contained
from reconciler.report.consequence import sentence

if TYPE_CHECKING:
    from reconciler.engine.result import Drift


def exposure(drift: Drift) -> Exposure:
    """What this drift means, or meant until it was corrected: from end to end, if that was judged."""
    one, past = drift.difference, drift.outcome is Outcome.CORRECTED
    alone = own_layer(one, past=past)
    if drift.consequence is None:
        return alone
    said = sentence(drift.consequence, past=past)
    severity = drift.consequence.severity
    return Exposure(severity, said if drift.consequence.flows else f"{alone.sentence} {said}")


def own_layer(one: Difference, *, past: bool) -> Exposure:
    """What a difference means at its own layer, whether or not anything arrives because of it."""
    if one.field in {"tags", "description"}:
        differs = "differ" if one.field == "tags" else "differs"
        return Exposure(
            Severity.LOW, f"Only the {one.field} of {one.address} {differs}: packets and data are not affected."
        )
    verb = "was" if past else "is"
    unknown = f"{one.address} {verb} not as declared: {one.field}. What that means could not be judged."
    of_kind = contained(
        lambda: REGISTRY[one.address.kind].traffic.exposure(one, past),
        lambda cause: Exposure(Severity.HIGH, unknown),
        who=one.address,
        stage=Stage.TELLING,
    )
    if of_kind:
        return of_kind
    if not one.field:
        return Exposure(Severity.MEDIUM if past else Severity.HIGH, f"{one.address} {verb} missing.")
    return Exposure(Severity.MEDIUM, f"{one.address} {verb} not as declared: {one.field}.")


def cost(risk: Risk) -> Exposure | None:
    """What correcting it costs, if that is why it needs a decision."""
    return {
        Risk.DATA: Exposure(Severity.HIGH, "Correcting it may lose data, so a person decides."),
        Risk.DOWNTIME: Exposure(Severity.MEDIUM, "Correcting it causes downtime, so a person decides."),
    }.get(risk)


def exposes(drift: Drift) -> bool:
    """Whether a drift lets something reach machines that should not be: from end to end, if that was judged, or else
    at its own layer.
    """
    if drift.consequence is not None:
        return drift.consequence.exposes
    return contained(
        lambda: REGISTRY[drift.address.kind].traffic.lets_in(drift.difference),
        lambda cause: False,
        who=drift.address,
        stage=Stage.TELLING,
    )
