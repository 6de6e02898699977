"""What a look means: what differs in it, and the plan that corrects that, whatever raises meanwhile. Pure but for the
log; `run.py` calls it after every look.

What raises for one resource sets that one aside, and the rest is planned again without it (`model/guard.py`). If a plan
cannot be made at all, what closes goes on (`closing.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from reconciler.engine.diff import apply_exceptions, diff
from reconciler.engine.memory import Memory
from reconciler.engine.plan import make_plan
from reconciler.engine.result import Observation
from reconciler.engine.spelled import as_seen
from reconciler.engine.suppression import Suppression, suppress, unidentified
from reconciler.kinds import REGISTRY
from reconciler.model import Cause, Change, Difference, Policy, Ref, Snapshot
from reconciler.model.guard import ResourceFaultError, Stage, fault, logged
from reconciler.model.kind import PlanContext


class Asked(NamedTuple):
    """What a plan is made for: `only` limits it to some addresses."""

    document: Document
    policy: Policy
    only: frozenset[Address] | None
    memory: Memory


def understood(asked: Asked, snapshot: Snapshot, now: datetime) -> Observation:
    """A look and its plan, without the resources for which anything raises."""
    while True:
        try:
            return _planned(asked, snapshot, now)
        except ResourceFaultError as error:
            if error.address in snapshot.unreadable:  # then it is not about that resource
                return _closing(asked, snapshot, now, error)
            snapshot = _set_aside(snapshot, error)
        except Exception as error:  # noqa: BLE001 (it is logged, and told)
            return _closing(asked, snapshot, now, error)


def without_faults[T](
    asked: Asked, look: Observation, now: datetime, say: Callable[[Observation], T]
) -> tuple[Observation, T]:
    """What `say` says of a look, without the resources for which it raises."""
    while True:
        try:
            return look, say(look)
        except ResourceFaultError as error:
            look = understood(asked, _set_aside(look.snapshot, error), now)


def not_seen(asked: Asked, cause: Cause, now: datetime) -> Observation:
    """The observation of a look that could not read anything: after writes this is a finding, not an error."""
    unreadable = dict.fromkeys(asked.document.resources, cause)
    interfaces = cause if asked.document.intents else None
    snapshot = Snapshot({}, {}, unreadable, {}, (), now, interfaces=interfaces)
    return Observation(snapshot, make_plan((), PlanContext(asked.document, snapshot, asked.policy), asked.only), ())


def _set_aside(snapshot: Snapshot, error: ResourceFaultError) -> Snapshot:
    """The look without a resource that cannot be understood: what depends on it is not guessed, and its traffic is
    unknown. Raises the error if that was so before: then it is not about the resource.
    """
    address = error.address
    logged(error.__cause__, address, error.stage)
    if address in snapshot.unreadable:
        raise error
    aws_id = snapshot.handles.get(Ref(address), "")
    cause = replace(error.cause, message=f"{aws_id}: {error.cause}") if aws_id else error.cause
    return replace(
        snapshot,
        resources={at: one for at, one in snapshot.resources.items() if at != address},
        unmanaged=tuple(one for one in snapshot.unmanaged if one.address != address),
        unreadable={**snapshot.unreadable, address: cause},
    )


def _planned(asked: Asked, snapshot: Snapshot, now: datetime) -> Observation:
    context, changes, excepted = _differing(asked, snapshot, now)
    unclear = unidentified(snapshot)
    suppression = Suppression(changes)
    suppressed = asked.memory.suppressed(snapshot)
    if unclear or suppressed:
        suppression = suppress(changes, suppressed or (lambda one: None), unclear)
    if suppression.suppressed:
        suppression = replace(suppression, unsuppressed=make_plan(changes, context, asked.only).actions)
    return Observation(snapshot, make_plan(suppression.changes, context, asked.only), excepted, suppression)


def _differing(
    asked: Asked, snapshot: Snapshot, now: datetime
) -> tuple[PlanContext, tuple[Change, ...], tuple[tuple[Difference, DocumentException], ...]]:
    document = as_seen(asked.document, snapshot)
    context = PlanContext(document, snapshot, asked.policy, asked.memory.had)
    return context, *apply_exceptions(diff(document, snapshot, context, REGISTRY), document.exceptions, now)


def _closing(asked: Asked, snapshot: Snapshot, now: datetime, error: Exception) -> Observation:
    """The same, where no plan could be made; raises where not even what differs can be said."""
    from reconciler.engine.closing import closing_plan

    logged(error, "the plan", Stage.PLANNING)
    cause = error.cause if isinstance(error, ResourceFaultError) else fault(error, Stage.PLANNING)
    context, changes, excepted = _differing(asked, snapshot, now)
    plan = closing_plan(changes, context, asked.only, asked.memory.suppressed(snapshot), cause)
    return Observation(snapshot, plan, excepted, Suppression(plan.changes))
