"""What the calls of a run cut or let through between each other, in words. Pure but for the log; the terminal asks."""

from __future__ import annotations

from reconciler.engine.result import Report
from reconciler.engine.written import wrote
from reconciler.model.guard import Stage, contained


def broken_between(report: Report) -> tuple[str, ...]:
    """Each flow that certainly broke the rule of packets in a state between two calls; none if that is not known."""
    if not any(one.action.effect and wrote(one) for one in report.action_results):
        return ()
    from reconciler.report.lanes import lanes

    found = contained(
        lambda: lanes(report), lambda cause: None, who="what arrived between the calls", stage=Stage.JUDGING
    )
    return tuple(
        f"{one['traffic']} from {one['from']['label']} to {one['to']['label']}: {one['verdict']}"
        for one in (found["flows"] if found else ())
        if one["class"] == "broken"
    )
