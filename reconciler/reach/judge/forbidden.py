"""What the intents of a document forbid a call of a plan, whatever the document's own rules say. Pure.

No call adds to what a `blocked` or `only` intent forbids and the first look did not let through, not even for a moment.
None breaks a `reachable` intent that the first look found kept, unless it takes away from the former: closing an
exposure is never held for the sake of a flow. Only what is certain counts, and only intents with `enforcement` hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from desired_state.intents import Intent
from reconciler.model import Reason
from reconciler.packets.traffic import Cuts, join, less, traffic_at
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, exposed, judge
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import End, Endpoint
from reconciler.reach.steps import ANY_MACHINE, Breach

type _Pair = tuple[str, tuple[str, str], tuple[str, str]]
"""The name of an intent, and who its ends are."""


class Forbidden:
    """What the intents have against the states that follow `look`. `context` is what judging one state needs."""

    def __init__(self, intents: Iterable[Intent], context: Callable[[Network], JudgeContext], look: Network) -> None:
        held = [one for one in intents if one.enforcement == "hold"]
        self._context = context
        self._closed = [one for one in held if one.expect != "reachable"]
        seen = context(look)
        self._open = self._exposures(seen)
        reachable = [one for one in held if one.expect == "reachable"]
        self._kept = [one.intent for one in judge(reachable, seen) if one.status is Status.KEPT]

    def __call__(self, later: Network) -> Breach | None:
        """What they have against this state; None if nothing."""
        context = self._context(later)
        now = self._exposures(context)
        for pair, cuts in now.items():
            if more := less(cuts, self._open.get(pair, ())):
                name, (source, _), (target, _) = pair
                return _held(name, f"it would let {traffic_at(more[0])} from {source} reach {target}")
        if any(less(cuts, now.get(pair, ())) for pair, cuts in self._open.items()):
            return None
        broken = (one for one in judge(self._kept, context) if one.status is Status.BROKEN)
        return next((_held(one.intent.name, "it would be broken") for one in broken), None)

    def _exposures(self, context: JudgeContext) -> Mapping[_Pair, Cuts]:
        found: dict[_Pair, Cuts] = {}
        for intent, source, target, cuts in exposed(self._closed, context):
            pair = intent.name, _who(source), _who(target)
            found[pair] = join(found.get(pair, ()), cuts)
        return found


def _who(end: End) -> tuple[str, str]:
    return end.label, end.subnet if isinstance(end, Endpoint) else ""


def _held(name: str, what: str) -> Breach:
    message = f"held by the intent {name!r}: {what}; change the rule or the intent"
    return Breach(Reason.HELD_BY_INTENT, ANY_MACHINE, message)
