"""The plan where none could be made: a mistake of Setpoint must not keep open what the document closes. Pure but for
the log. Imported only then.

It has the calls that only close, which need nothing else and are first in every plan, and says of all the rest that it
failed. Nothing of `order.py` or `suppression.py` is used, which may be what raised; what is suppressed stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from desired_state.fields import Address
from reconciler.engine.plan import Plan, fingerprint
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Cause, Change, Difference, Finding, Outcome, refs
from reconciler.model.guard import Stage, contained
from reconciler.model.kind import PlanContext


def closing_plan(
    changes: Iterable[Change],
    context: PlanContext,
    only: frozenset[Address] | None,
    suppressed: Callable[[Difference], Cause | None] | None,
    cause: Cause,
) -> Plan:
    """What only closes of the calls that correct `changes`, each resource by itself; `cause` says why no more is
    planned.
    """
    chosen = tuple(change for change in changes if only is None or change.address in only)
    actions: list[Action] = []
    findings = [Finding(context.document.vpc, Outcome.FAILED, cause)]
    for change in chosen:
        calls, failed = _calls(change, context, suppressed, cause)
        closing = [
            one for one in calls if one.closes and all(ref in context.snapshot.handles for ref in refs(one.params))
        ]
        actions += closing
        done = {name for one in closing for name in one.resolves} - {
            name for one in calls if one not in closing for name in one.resolves
        }
        fields = dict.fromkeys(one.field for one in change.differences) if change.have else [""]
        left = [name for name in fields if (change.address, name) not in done]
        findings += [Finding(change.address, Outcome.FAILED, failed, name) for name in left]
    name = fingerprint(context.document.sha256, actions)
    return Plan(chosen, tuple(actions), (frozenset(),) * len(actions), tuple(findings), name, only)


def _calls(
    change: Change, context: PlanContext, suppressed: Callable[[Difference], Cause | None] | None, cause: Cause
) -> tuple[list[Action], Cause]:
    """The calls that correct a live resource, as its kind makes them, and why the rest of it is not corrected."""
    if change.have is None or change.have.status:
        return [], cause

    def calls() -> tuple[list[Action], Cause]:
        if suppressed and any(suppressed(one) for one in change.differences):
            return [], cause
        made = REGISTRY[change.address.kind].correct.calls(change, context)
        return [one for one in made if isinstance(one, Action)], cause

    return contained(calls, lambda raised: ([], raised), who=change.address, stage=Stage.PLANNING)
