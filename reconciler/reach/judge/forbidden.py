"""What the intents of a document forbid a call of a plan, whatever the document's own rules say. Pure.

No call adds to what a `blocked` or `only` intent forbids and the first look did not let through, not even for a moment.
None breaks a `reachable` intent that the first look found kept, unless it takes away from the former: closing an
exposure is never held for the sake of a flow. Only what is certain counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from desired_state.intents import Intent
from reconciler.model import Reason
from reconciler.packets.traffic import Cuts, less, traffic_at
from reconciler.reach.checkpoints import ANY_MACHINE
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import EndName, Exposures, Status, exposures, judge
from reconciler.reach.network import Network
from reconciler.reach.steps import Breach


class Forbidden:
    """What the intents, those with `enforcement` hold, have against the states that follow `look`. `context` is what
    judging one state needs.
    """

    def __init__(self, intents: Iterable[Intent], context: Callable[[Network], JudgeContext], look: Network) -> None:
        held = tuple(intents)
        self._context = context
        self._closed = [one for one in held if one.expect != "reachable"]
        seen = context(look)
        self._open = exposures(self._closed, seen)
        reachable = [one for one in held if one.expect == "reachable"]
        self._kept = [one.intent for one in judge(reachable, seen) if one.status is Status.KEPT]

    def __call__(self, later: Network) -> Breach | None:
        """What they have against this state; None if nothing."""
        context = self._context(later)
        now = exposures(self._closed, context)
        for intent, (source, _), (target, _), more in _beyond(now, self._open):
            return _held(intent.name, f"it would let {traffic_at(more[0])} from {source} reach {target}")
        if any(_beyond(self._open, now)):
            return None
        broken = (one for one in judge(self._kept, context) if one.status is Status.BROKEN)
        return next((_held(one.intent.name, "it would be broken") for one in broken), None)


def _beyond(some: Exposures, others: Exposures) -> Iterator[tuple[Intent, EndName, EndName, Cuts]]:
    """What is exposed in one state and not in another."""
    for intent, pairs in some.items():
        for (source, target), cuts in pairs.items():
            if more := less(cuts, others.get(intent, {}).get((source, target), ())):
                yield intent, source, target, more


def _held(name: str, what: str) -> Breach:
    message = f"the intent {name!r} forbids it: {what}; change the rule or the intent"
    return Breach(Reason.HELD_BY_INTENT, ANY_MACHINE, message)
