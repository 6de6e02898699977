"""Who reaches what after every call of an apply, beside the packet oracle, which looks after every write."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.drifts import DRIFTS, Drift
from reconciler.engine.result import Report
from reconciler.model import Ended
from reconciler.report.lanes import lanes
from tests.support.lanes import Oracle, who_is_there
from tests.support.packets import State
from tests.support.runs import Network
from tests.support.sampling import sampled


def told_wrong(net: Network, report: Report, before: State, writes: Sequence[State], after: State | None) -> list[str]:
    """Every packet of every state of which the lanes of a run say something else than what was there; `writes` are the
    states after its writes.
    """
    told = lanes(report)
    assert told is not None
    states: list[State | None] = [before]
    made = iter(writes)
    for result in report.action_results if report.wrote else ():
        states.append(next(made) if result.ended is Ended.DONE else states[-1])
    assert next(made, None) is None
    states += [after]
    return list(Oracle(states, who_is_there(report.document, net.id)).disagreements(told))


@pytest.mark.parametrize("drift", sampled(DRIFTS, 8, seed="lanes", ids=[drift.name for drift in DRIFTS]))
def test_the_lanes_of_a_run_are_what_every_packet_shows_after_every_write(net: Network, drift: Drift) -> None:
    drift.apply(net.hands, net.live)
    before = net.state()
    with net.watched() as states:
        report = net.run()
    assert told_wrong(net, report, before, states, net.state()) == []


def test_the_lanes_of_all_drifts_together_and_of_their_plan_are_what_every_packet_shows(net: Network) -> None:
    for drift in DRIFTS:
        drift.apply(net.hands, net.live)
    before = net.state()
    plan = net.plan()
    with net.watched() as states:
        report = net.run()
    assert told_wrong(net, report, before, states, net.state()) == []
    planned, made = lanes(plan), lanes(report)
    assert planned
    assert made
    assert (planned["broken"], made["broken"], made["disagree"]) == (False, False, [])
