"""The states that the network goes through in a run: before, after each call, and in the end. Pure.

A plan predicts them from the effects of its calls. What a run held, skipped or was refused has none; where the outcome
of a call is not known, the network may be in either state. A database takes a change minutes after the call: the call
counts as having it, and the state has besides what the network is as long as it is `late`. After a run the last state
is what the second look saw.

Imported only by what tells of a run in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from desired_state.fields import Address
from reconciler.engine.corrected import Corrections, of_absent
from reconciler.engine.gate import INTENDED
from reconciler.engine.result import Report
from reconciler.kinds import live_network
from reconciler.model import Action, Cause, Difference, Ended, Phase, Snapshot
from reconciler.model.kind import declared_ids
from reconciler.reach.histories import State
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.live import LiveMachines, live, live_machines
from reconciler.reach.network import (
    GROUPS_OF,
    PLACE_OF,
    PUBLIC,
    PUBLIC_SUBNETS,
    SUBNETS,
    SUBNETS_OF,
    UNREADABLE,
    Network,
)

MOST_CALLS = 400
"""With more calls that change what passes, nothing is said of the states between them."""
MOST_NETWORKS = 8
"""Of how many networks the state may be one, after calls whose outcome is not known."""


_PLACES = (SUBNETS, PUBLIC_SUBNETS, SUBNETS_OF, PLACE_OF, GROUPS_OF, PUBLIC, UNREADABLE)
"""The cells that say who is where."""


class Named(NamedTuple):
    """One state: `call` is the number of the call after which it is (None: no call's), `predicted`: nobody saw it."""

    name: str
    call: int | None
    predicted: bool


@dataclass(frozen=True)
class States:
    """The states of a run in their order, as their `names` say.

    `late` has of each the networks that it may be while a database has not taken a change yet; the state itself if
    there is none such. `declared` is the network with every difference corrected, and `meant` is the same, but for what
    somebody wants to stay as it is (a hold, or a document that only reports). `seen`: the last state is what a second
    look saw. `unknown` are the numbers of the calls whose outcome is not known. `unplaced` says of workloads and
    databases why nobody can say in which subnets they are, in the first state and in the last: no packets of theirs are
    judged.
    """

    names: tuple[Named, ...]
    states: tuple[State, ...]
    late: tuple[State, ...]
    declared: JudgeContext
    meant: JudgeContext
    seen: bool
    unknown: tuple[int, ...]
    unplaced: frozenset[str]


class _Call(NamedTuple):
    """One call of a run, and what it does: nothing, or it is not known whether it does something."""

    action: Action
    done: bool
    unknown: bool = False


def why_none(report: Report) -> str | None:
    """Why nothing can be said of the states of a run; None if something can."""
    if report.first is None:
        return "this report has no look of its own"
    calls = _calls(report)
    changing = sum(bool(one.action.effect) and (one.done or one.unknown) for one in calls)
    if changing > MOST_CALLS:
        return f"{changing} calls change what passes: the states between them are worked out for {MOST_CALLS} at most"
    if 2 ** sum(one.unknown and bool(one.action.effect) for one in calls) > MOST_NETWORKS:
        return "the outcome of too many calls is not known"
    return None


def states(report: Report) -> States | None:
    """The states of a run or plan; None if nothing can be said of them (`why_none`)."""
    first = report.first
    if first is None or why_none(report):
        return None
    document, calls = report.document, _calls(report)
    before = live_network(first).after(of_absent(document, first))
    look, last = before, report.last
    if last is not None:
        look = live_network(last).after(of_absent(document, last))
    context = _Contexts(report, before, look)
    networks: list[tuple[list[Network], list[Network]]] = [([before], [before])]
    for call in calls:
        networks.append(_after(*networks[-1], call))
    names = [Named("before", None, predicted=False)]
    names += (Named(f"after call {number}", number, predicted=True) for number in range(1, len(calls) + 1))
    corrections = Corrections(first, before, _differences(report))
    kept = _kept(report)
    meant = frozenset(n for n, one in enumerate(corrections.differences) if one.address not in kept)
    declared = before.after(corrections.effects(corrections.all))
    if last is None:
        names.append(Named("as declared", None, predicted=True))
        networks.append(([declared], [declared]))
    else:
        names.append(Named("second look", None, predicted=False))
        networks.append(([look], [look]))
    ends = tuple(context.of(some) for some, _ in networks)
    return States(
        tuple(names),
        ends,
        tuple(context.of(some) for _, some in networks),
        context.of([declared])[0],
        context.of([declared if not kept else before.after(corrections.effects(meant))])[0],
        last is not None,
        tuple(number for number, one in enumerate(calls, start=1) if one.unknown and one.action.effect),
        frozenset(why for state in (ends[0], ends[-1]) for one in state for why in one.placed.unknown.values()),
    )


class _Contexts:
    """Who is in each network of a run. Nobody moves in it but the databases: where the machines are is what the last
    look says that could read it.
    """

    def __init__(self, report: Report, before: Network, look: Network) -> None:
        self._document = report.document
        snapshot, network = report.first, before
        if report.last is not None and not isinstance(report.last.interfaces, Cause):
            snapshot, network = report.last, look
        self._there = _live_machines(report, snapshot, network) if snapshot else LiveMachines()
        found = live(self._document, network, self._there)
        self._possible, self._strangers = found.possible, self._there.unknown
        self._known: dict[int, tuple[Network, JudgeContext]] = {}
        self._last: JudgeContext | None = None

    def of(self, networks: Iterable[Network]) -> State:
        return tuple(self._context(one) for one in networks)

    def _context(self, network: Network) -> JudgeContext:
        if id(network) not in self._known:  # it keeps the network, so that its identity stays its own
            self._known[id(network)] = network, self._made(network)
        return self._known[id(network)][1]

    def _made(self, network: Network) -> JudgeContext:
        """Most calls change nothing of who is where."""
        if self._last and all(network[cell] is self._last.topology.network[cell] for cell in _PLACES):
            return replace(self._last, topology=self._last.topology.after(network))
        found = live(self._document, network, replace(self._there, unknown=""))
        self._last = replace(found, possible=self._possible, strangers=self._strangers)
        return self._last


def _live_machines(report: Report, snapshot: Snapshot, network: Network) -> LiveMachines:
    names = dict(declared_ids(snapshot.handles, report.document))
    return live_machines(report.document, network, snapshot.interfaces, names)


def _calls(report: Report) -> list[_Call]:
    """The calls of a run in the order of its report, or those of a plan with what is predicted of them."""
    if report.wrote:
        return [_Call(one.action, one.ended is Ended.DONE, one.ended is Ended.UNKNOWN) for one in report.action_results]
    return list(_predicted(report))


def _predicted(report: Report) -> Iterator[_Call]:
    """The calls of a plan. What needs a call that is held, or takes away where one did not create, is skipped."""
    plan, gate = report.plan, report.gate
    out: set[int] = set()
    spoiled: set[Address] = set()
    for index, action in enumerate(plan.actions):
        if (
            index in gate.held
            or index in gate.deferred
            or plan.needs[index] & out
            or (action.needs_what_is_created and action.address in spoiled)
        ):
            out.add(index)
            if action.operation.phase <= Phase.BIND:
                spoiled.add(action.address)
        yield _Call(action, index not in out)


def _after(now: list[Network], late: list[Network], call: _Call) -> tuple[list[Network], list[Network]]:
    """The networks after a call, and those in which no database has taken its change yet. The same objects if the call
    changes nothing.
    """
    effects = call.action.effect
    if not effects or not (call.done or call.unknown):
        return now, late
    same = now is late or now == late
    then = [one.after(effects) for one in now]
    later = late if call.action.operation.takes_effect_later else [one.after(effects) for one in late]
    if call.unknown:
        then, later = [*now, *then], list({id(one): one for one in (*late, *later)}.values())
    if same and not call.action.operation.takes_effect_later:
        later = then
    return then, later


def _differences(report: Report) -> Sequence[Difference]:
    """All that differs from the document, also what is suppressed."""
    found: dict[object, Difference] = {}
    for change in report.plan.changes:
        for one in change.differences if change.have else (change.missing,):
            found[one.identity] = one
    for drift in report.drifts:
        found.setdefault(drift.difference.identity, drift.difference)
    return tuple(found.values())


def _kept(report: Report) -> frozenset[Address]:
    """The resources that somebody wants to stay as they are."""
    held = report.gate.held.items()
    actions = report.plan.actions
    return frozenset(actions[index].address for index, cause in held if cause.reason in INTENDED)
