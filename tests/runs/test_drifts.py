"""What people and other tools really do to the reference network: named exactly, put right, and never at the packets'
cost.
"""

from __future__ import annotations

import pytest

from lab.drifts import DRIFTS, Drift
from tests.support.packets import violations
from tests.support.runs import Network, document, drifted, without_intents


def test_a_calm_run_makes_nine_reads_and_no_write(net: Network) -> None:
    report = net.run(document(without_intents))
    assert report.in_sync
    assert (report.reads, report.writes) == (9, 0)


def test_a_calm_run_with_intents_makes_one_read_more(net: Network) -> None:
    report = net.run()
    assert report.in_sync
    assert (report.reads, report.writes) == (10, 0)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_one_drift_is_named_exactly_and_corrected_without_a_gap(net: Network, drift: Drift) -> None:
    clean = net.state()
    drift.apply(net.hands, net.live)
    before = net.state()
    assert drifted(net.plan()) == drift.addresses
    with net.watched() as states:
        report = net.run()
    net.lab.settle()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    assert violations(before, clean, states) == []
    again = net.run()
    assert (again.in_sync, again.writes) == (True, 0)


def test_all_drifts_together_are_named_exactly_and_corrected_without_a_gap(net: Network) -> None:
    clean = net.state()
    for drift in DRIFTS:
        drift.apply(net.hands, net.live)
    before = net.state()
    assert drifted(net.plan()) == set().union(*(drift.addresses for drift in DRIFTS))
    with net.watched() as states:
        report = net.run()
    net.lab.settle()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    assert violations(before, clean, states) == []
    again = net.run()
    assert (again.in_sync, again.writes) == (True, 0)
