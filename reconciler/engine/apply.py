"""Carries out a gated plan, one call at a time, in order; `writer.py` sends each.

Before a call that takes something away, `again.py` looks again at that if it was seen too long ago.
An action is carried out only if all that it needs succeeded, and a removal only if everything created before it at its
address succeeded. A failure stops what depends on it, and nothing else. Whether a difference is corrected is decided by
the second look (`run.py`), never by an answer.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import timedelta

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.again import Again, Hands
from reconciler.engine.gate import Gate
from reconciler.engine.new_roles import sent_again
from reconciler.engine.plan import Plan
from reconciler.engine.progress import Progress
from reconciler.engine.writer import ApplyContext, OutsideError, Writer, refusal
from reconciler.model import Action, ActionResult, Cause, Ended, Phase, Reason, Snapshot
from reconciler.model.guard import Stage, logged

__all__ = ["STALE_AFTER", "ApplyContext", "apply"]


def apply(
    plan: Plan, gate: Gate, snapshot: Snapshot, document: Document, context: ApplyContext
) -> tuple[ActionResult, ...]:
    """The result of every action of the plan, in its order; of an action whose settings were sent one by one, those of
    its parts.
    """
    try:
        return _apply(plan, gate, snapshot, document, context)
    except OutsideError as error:
        raise error.raised from None


def _apply(
    plan: Plan, gate: Gate, snapshot: Snapshot, document: Document, context: ApplyContext
) -> tuple[ActionResult, ...]:
    progress = Progress(lambda: gate.steps(plan, snapshot))
    handles = dict(snapshot.handles)
    again = Again(plan.actions, snapshot, document, handles, Hands(context.aws, context.now, context.sleep))
    writer = Writer(document, context, handles, progress, again)
    results: list[ActionResult] = []
    spoiled: set[Address] = set()
    halted: tuple[Ended, Cause] | None = None
    for index, action in enumerate(plan.actions):
        unmet = [results[earlier] for earlier in sorted(plan.needs[index]) if results[earlier].ended is not Ended.DONE]
        again.reached = index
        if index in gate.held:
            result = ActionResult(action, Ended.HELD, gate.held[index])
        elif index in gate.deferred:
            result = ActionResult(action, Ended.SKIPPED, gate.deferred[index])
        elif halted:
            result = ActionResult(action, *halted)
        elif cause := _skipped(action, unmet, spoiled) or refusal(progress, action):
            result, halted = writer.without(action, cause)
        elif _removes(action) and context.now() - snapshot.at > STALE_AFTER:
            result = ActionResult(action, Ended.STALE, _TOO_OLD)
        else:
            result, halted = writer.perform(action)
        if result.ended is not Ended.DONE and action.operation.phase <= Phase.BIND:
            spoiled.add(action.address)
        progress.uneven |= result.ended not in {Ended.DONE, Ended.HELD} and index not in gate.deferred
        results.append(result)
    made = [one for result in results for one in result.each()]
    try:
        return tuple(sent_again(made, writer.perform, lambda: context.aws.patience, context.sleep, writer.is_old))
    except OutsideError:
        raise
    except Exception as error:  # noqa: BLE001 (it is a second try: what was done and what was not is known)
        logged(error, "calls that wait for a new role", Stage.APPLYING)
        return tuple(made)


STALE_AFTER = timedelta(seconds=60)
"""The age of a look after which nothing is taken away without another one: what is read again is only a part of it."""
_TOO_OLD = Cause(Reason.STALE, "the last look is too old to base a removal on")


def _removes(action: Action) -> bool:
    return action.operation.phase >= Phase.UNBIND or action.breaks > 0


def _skipped(action: Action, unmet: list[ActionResult], spoiled: Container[Address]) -> Cause | None:
    """Why an action is skipped after what happened before it; None if it is not."""
    if unmet:
        return Cause(Reason.DEPENDENCY, f"it depends on: {unmet[0].action.why}, which {_ending(unmet[0])}")
    if action.needs_what_is_created and action.address in spoiled:
        return Cause(Reason.DEPENDENCY, "nothing is removed where something could not be created")
    return None


def _ending(result: ActionResult) -> str:
    return "did not succeed" if result.ended in {Ended.FAILED, Ended.UNKNOWN} else f"is {result.ended.value}"
