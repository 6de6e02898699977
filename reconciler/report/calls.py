"""The calls of a plan, numbered in their order, each with its risk and the AWS id of what it is about. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from desired_state.sanitize import sanitize
from reconciler.report.style import Style

if TYPE_CHECKING:
    from desired_state.fields import Address
    from reconciler.engine.result import Report


def id_of(report: Report, address: Address) -> str | None:
    """The AWS id of a resource as its calls have it; None if it does not exist, or was not seen, or if several live
    resources that are no longer declared have this address.
    """
    if found := report.ids.get(address):
        return found
    looks = (report.first.unmanaged if report.first else (), report.unmanaged)
    beside = {one.id for unmanaged in looks for one in unmanaged if one.address == address}
    return beside.pop() if len(beside) == 1 else None


def named(report: Report, address: Address) -> str:
    """An address with the id of the resource, unless its name says it already."""
    found = id_of(report, address)
    known = f" ({sanitize(found)})" if found and found != address.name else ""
    return f"{sanitize(address)}{known}"


def lines(report: Report, style: Style) -> Iterator[str]:
    """A heading, and a line for each call; `!` marks one that is held. Nothing once a run has made its calls."""
    actions = report.plan.actions
    if report.wrote or not actions:
        return
    held = report.gate.held
    yield "The call, with its risk:" if len(actions) == 1 else "The calls in their order, each with its risk:"
    number_width, name_width = len(str(len(actions))), max(len(one.operation.permission) for one in actions)
    risk_width = max(len(one.risk.name) for one in actions)
    for index, one in enumerate(actions):
        sign = style("!", "yellow") if index in held else " "
        risk = one.risk.name.lower().ljust(risk_width)
        operation = style(one.operation.permission.ljust(name_width), "dim")
        what = f"{named(report, one.address)}: {sanitize(one.why)}"
        yield f"{sign} {index + 1:>{number_width}}  {risk}  {operation}  {what}"
