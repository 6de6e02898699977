"""Which flows a document newly lets through or cuts, and which of its own intents that breaks: the seam to reach. Pure.

Only what the documents say is judged, whoever enforces it: a resource with enforcement `report` or `ignore` counts like
any other, so that changing that later opens nothing that nobody has approved.
"""

from __future__ import annotations

from collections.abc import Iterable

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.intents import Intent
from desired_state.resource import Resource
from reconciler.kinds import REGISTRY
from reconciler.model import Effect
from reconciler.model.exposure import Severity
from reconciler.packets.traffic import Cuts, join, less
from reconciler.reach.compare import FlowChange, changes, is_grave
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict, exposed, judge
from reconciler.reach.judge.offline import offline
from reconciler.reach.judge.places import Placed
from reconciler.reach.network import Network
from reconciler.reach.pair.ends import End, Endpoint, External
from reconciler.reach.pair.topology import Topology

type _Pair = tuple[str, str, str, str]


def judged(document: Document | None) -> JudgeContext:
    """What a document says of its network; of none, that there is nothing."""
    return offline(document, _means) if document else _NOTHING


_NOTHING = JudgeContext(Topology(Network(())), Placed((), {}, frozenset(), {}))


def _means(address: Address, resource: Resource) -> Iterable[Effect]:
    return REGISTRY[address.kind].traffic.effects(address, resource, None)


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


def newly_broken(before: Document | None, after: Document) -> tuple[Verdict, ...]:
    """The `blocked` and `only` intents of which the document lets through what they forbid, and more of it than the
    one before, if that had the same intent. What an `only` intent lacks to be reachable does not count: no opening is
    closed late for the sake of a flow.
    """
    closed = [one for one in after.intents if one.expect != "reachable"]
    if not closed:
        return ()
    context = judged(after)
    now = _exposures(closed, context)
    same = {_meaning(one): one for one in (before.intents if before else ())}
    known = [one for intent in now if (one := same.get(_meaning(intent)))]
    then = _exposures(known, judged(before)) if known else {}
    worse = [
        intent
        for intent, pairs in now.items()
        if any(
            less(cuts, then.get(same.get(_meaning(intent), intent), {}).get(pair, ())) for pair, cuts in pairs.items()
        )
    ]
    return tuple(one for one in judge(worse, context) if one.status is Status.BROKEN)


def _meaning(intent: Intent) -> str:
    """What an intent says, without its name and its severity."""
    return intent.model_dump_json(exclude={"name", "severity"})


def _exposures(intents: Iterable[Intent], context: JudgeContext) -> dict[Intent, dict[_Pair, Cuts]]:
    found: dict[Intent, dict[_Pair, Cuts]] = {}
    for intent, source, target, cuts in exposed(intents, context):
        pairs = found.setdefault(intent, {})
        pair = (*_who(source), *_who(target))
        pairs[pair] = join(pairs.get(pair, ()), cuts)
    return found


def _who(end: End) -> tuple[str, str]:
    return end.label, end.subnet if isinstance(end, Endpoint) else ""
