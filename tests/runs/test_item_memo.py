"""Runs share the items that did not change (`tests/support/shared_items.py`, which all tests of runs use)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.drifts import DRIFTS, Drift
from reconciler.engine.observe import ObserveOptions, observe
from tests.support.runs import Network, document
from tests.support.sampling import sampled


@pytest.mark.parametrize("drift", sampled(DRIFTS, 6, ids=[one.name for one in DRIFTS]))
def test_a_run_sees_what_changed_beside_the_items_that_it_has_seen_before(drift: Drift, net: Network) -> None:
    assert net.run().in_sync
    reused = net.aws.reused
    assert net.run().in_sync
    assert net.aws.reused > reused
    drift.apply(net.hands, net.live)
    declared = document()
    assert {str(one.address) for one in net.plan(declared).drifts} == {address for address, _ in drift.addresses}
    kept, anew = (
        observe(one, net.aws, ObserveOptions(net.clock.now, lambda: None)) for one in (declared, replace(declared))
    )
    assert kept == anew, "the run has changed the look that it got, and the next one gets it too"
