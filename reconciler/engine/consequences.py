"""What each difference means from end to end: which flows pass, or are cut, because of it. Pure.

Layers decide together, so one difference is judged beside the others. A flow is its consequence if the live network and
the document differ about that flow, and if correcting this difference alone would change it; or if making it alone
would, in the network that the document wants; or in the live network with the rest of its own layer corrected, for two
rules that let the same through.

Imported only by a run that found a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from desired_state.document import Document
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.intents import DATABASE_PORT
from reconciler.engine.corrected import Corrections, affects_traffic, of_absent
from reconciler.kinds import live_network
from reconciler.model import ABSENT, Difference, Identity, Snapshot
from reconciler.model.exposure import Severity
from reconciler.model.kind import declared_ids
from reconciler.packets.traffic import Cuts, box, join, meet
from reconciler.reach.compare import FlowChange, changes, severity, trial_ends
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.live import live, live_machines
from reconciler.reach.layers import ANYWHERE
from reconciler.reach.network import UNREADABLE, Table
from reconciler.reach.pair.blockers import blockers
from reconciler.reach.pair.ends import End, Endpoint, External, internet
from reconciler.reach.pair.path import Flow

MOST = 40
"""With more differences that affect traffic, none is judged from end to end: a revision changes them on purpose."""

_LAYERS = (
    frozenset({Table.RULES, Table.GROUPS_OF}),
    frozenset({Table.ENTRIES, Table.ACL_OF, Table.DEFAULT_ACL}),
)
"""The tables of the layers that let traffic through together; all others are about routes."""


@dataclass(frozen=True)
class Consequence:
    """What a difference means: the `flows` that pass or are cut because of it.

    `stopped_by` says which other layer still stands, if one is found: where there are no flows, or none from the
    internet although this difference lets it in.
    """

    flows: tuple[FlowChange, ...]
    stopped_by: str = ""

    @property
    def severity(self) -> Severity:
        return min(map(severity, self.flows), key=lambda one: one.rank, default=Severity.LOW)

    @property
    def exposes(self) -> bool:
        """Whether something reaches machines that should not."""
        return any(one.opened and isinstance(one.target, Endpoint) for one in self.flows)


def consequences(
    document: Document, snapshot: Snapshot, differences: Iterable[Difference]
) -> Mapping[Identity, Consequence]:
    """The consequence of each difference that affects traffic, by its identity; of none if they are too many.

    Where something could not be read, nothing is said of a difference without flows: they may only not be known.
    """
    judged = [one for one in differences if affects_traffic(one, snapshot)]
    if not judged or len(judged) > MOST:
        return {}
    return dict(_Consequences(document, snapshot, judged).each())


class _Consequences:
    """The judgement of several differences of one look."""

    def __init__(self, document: Document, snapshot: Snapshot, differences: list[Difference]) -> None:
        self._document, self._differences = document, differences
        self._live = live_network(snapshot).after(of_absent(document, snapshot))
        names = dict(declared_ids(snapshot.handles, document))
        self._there = live_machines(document, self._live, snapshot.interfaces, names)
        # Who may be there besides is asked once, and what is worked out of a filter serves in all states.
        self._possible = live(document, self._live, self._there).possible
        self._parts: dict[Any, Any] = {}
        self._contexts: dict[frozenset[int], JudgeContext] = {}
        self._corrections = Corrections(snapshot, self._live, differences)
        self._all = self._corrections.all

    def each(self) -> Iterator[tuple[Identity, Consequence]]:
        really = changes(self._context(self._all), self._context(frozenset()))
        among = frozenset(map(_ends, really))
        blind = bool(self._live[UNREADABLE])
        for number, one in enumerate(self._differences):
            flows = (
                really if len(self._all) == 1 or not really else tuple(_common(self._candidates(number, among), really))
            )
            if flows or not blind:
                reached = any(isinstance(flow.source, External) or not flow.opened for flow in flows)
                yield one.identity, Consequence(flows, "" if reached else self._stopped_by(one, bool(flows)))

    def _candidates(self, number: int, among: frozenset[tuple[str, str]]) -> Iterator[FlowChange]:
        """What changes between these ends with one difference: in the live network, in the one that the document wants,
        and in the live one with the rest of its layer corrected.
        """
        alone = frozenset({number})
        layer = self._layer(number)
        others = frozenset(other for other in self._all if self._layer(other) & layer) - alone
        for corrected in dict.fromkeys((frozenset[int](), self._all - alone, others)):
            yield from changes(self._context(corrected | alone), self._context(corrected), among)

    def _layer(self, number: int) -> frozenset[int]:
        tables = {cell.table for cell, member, _ in self._corrections.effects(frozenset({number}))}
        return frozenset(
            next((n for n, layer in enumerate(_LAYERS) if table in layer), len(_LAYERS)) for table in tables
        )

    def _context(self, corrected: frozenset[int]) -> JudgeContext:
        """The network with some of the differences corrected, and who is in it."""
        if corrected not in self._contexts:
            network = self._live.after(self._corrections.effects(corrected))
            found = live(self._document, network, replace(self._there, unknown=""))
            topology = replace(found.topology, parts=self._parts)
            self._contexts[corrected] = replace(found, topology=topology, possible=self._possible)
        return self._contexts[corrected]

    def _stopped_by(self, one: Difference, inside: bool) -> str:  # noqa: FBT001 (what is known of it)
        """Which filter keeps what a difference lets through from arriving; empty if none is found. `inside`: it does
        arrive from machines of the VPC, so only the way from outside is asked about.
        """
        context = self._context(frozenset())
        if one.field == "publicly_accessible" and one.have is True:
            return _blocked(context, one.address, self._to_database(context, one.address))
        entry = one.have if isinstance(one.have, AclEntry) and one.have.action == "allow" else one.key
        if one.want is not ABSENT or not isinstance(entry, (AclEntry, RuleKey)):
            return ""
        peer = entry.cidr if isinstance(entry, AclEntry) else entry.peer
        flow = Flow("", box(entry.protocol, entry.first, entry.last, peer).cuts)
        ends = list(trial_ends(context, one.address, peer))
        if inside:
            ends = [both for both in ends if isinstance(both[1], External)]
        elif not ends and isinstance(entry, RuleKey):
            if next(trial_ends(context, one.address, ANYWHERE[":" in peer]), None) is None:
                return f"no known machine has {one.address}"
            return f"no route leads to {peer}" if entry.is_cidr else f"no known machine has {peer}"
        pairs = ((other, machine) if one.field == "ingress" else (machine, other) for machine, other in ends)
        return _blocked(context, one.address, ((*pair, flow) for pair in pairs))

    def _to_database(self, context: JudgeContext, address: Address) -> Iterator[tuple[End, End, Flow]]:
        """From the internet to a DB instance."""
        port = context.placed.ports.get(address, DATABASE_PORT)
        outside = internet(context.topology.network.local)
        yield from (
            (outside, end, Flow.of("tcp", (port, port))) for end in context.topology.endpoints if end.owner == address
        )


def _blocked(context: JudgeContext, address: Address, flows: Iterable[tuple[End, End, Flow]]) -> str:
    """The first filter, other than that of this address, that surely stops one of these requests."""
    for source, target, flow in flows:
        for blocker in blockers(context.topology, source, target, flow):
            hop = blocker.hop
            if blocker.certain and not hop.reply and hop.component != address and hop.why:
                return f"{hop.component}: {hop.why.value}"
    return ""


def _common(candidates: Iterable[FlowChange], really: Iterable[FlowChange]) -> Iterator[FlowChange]:
    """The part of the candidates that is a real difference between the live network and the document, each once."""
    found: dict[tuple[Any, ...], tuple[FlowChange, Cuts]] = {}
    for one in candidates:
        for real in really:
            if _ends(one) != _ends(real) or one.opened != real.opened or one.replies != real.replies:
                continue
            cuts = meet(one.traffic, real.traffic)
            source, target = one.source.addresses & real.source.addresses, one.target.addresses & real.target.addresses
            if cuts and source and target:
                key = *_ends(one), one.opened, one.replies, real.certain, source, target
                _, known = found.get(key, (one, ()))
                flow = FlowChange(
                    one.source._replace(addresses=source),
                    one.target._replace(addresses=target),
                    join(cuts, known),
                    real.opened,
                    real.certain,
                    real.replies,
                )
                found[key] = flow, flow.traffic
    yield from (flow for flow, _ in found.values())


def _ends(one: FlowChange) -> tuple[str, str]:
    return one.source.label, one.target.label
