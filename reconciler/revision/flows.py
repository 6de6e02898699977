"""Which flows a document newly lets through or cuts, and which of its own intents that breaks: the seam to reach. Pure.

Only what the documents say is judged, whoever enforces it: a resource with enforcement `report` or `ignore` counts like
any other, so that changing that later opens nothing that nobody has approved.
"""

from __future__ import annotations

from desired_state.document import Document
from reconciler.kinds import declared_effects
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import less
from reconciler.reach.compare import FlowChange, changes, is_grave
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Verdict, exposures, judge
from reconciler.reach.judge.offline import offline
from reconciler.reach.judge.places import Placed
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import External
from reconciler.reach.pair.topology import Topology


def judged(document: Document | None) -> JudgeContext:
    """What a document says of its network; of none, that there is nothing."""
    return offline(document, declared_effects) if document else _NOTHING


_NOTHING = JudgeContext(Topology(Network(())), Placed((), {}, frozenset(), {}))


def flows(before: JudgeContext, after: JudgeContext, *, first: bool) -> tuple[FlowChange, ...]:
    """The flows that differ. Of a first revision only the grave ones: there is nothing that it changes."""
    return tuple(one for one in changes(before, after) if is_grave(one) or not first)


def weight(flow: FlowChange) -> Severity:
    """How grave it is that a flow is opened or cut, given that somebody has written it."""
    if is_grave(flow):
        return Severity.CRITICAL
    if flow.opened and isinstance(flow.source, External) and flow.source.internet:
        return Severity.MEDIUM
    return Severity.LOW


def newly_broken(
    before: Document | None, then: JudgeContext, after: Document, now: JudgeContext
) -> tuple[Verdict, ...]:
    """The `blocked` and `only` intents of which the document lets through what they forbid, and more of it than the
    one before, if that had the same intent. What an `only` intent lacks to be reachable does not count: no opening is
    closed late for the sake of a flow. `then` and `now` are what the documents say of their networks.
    """
    exposed = exposures(after.intents, now)
    same = {one.demand: one for one in (before.intents if before else ())}
    known = exposures((one for intent in exposed if (one := same.get(intent.demand))), then)
    worse = [
        intent
        for intent, pairs in exposed.items()
        if any(less(cuts, known.get(same.get(intent.demand, intent), {}).get(pair, ())) for pair, cuts in pairs.items())
    ]
    return judge(worse, now)
