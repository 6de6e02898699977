"""A run that dies before or after any single write: the next ones finish it, and no packet pays for it.

Every write of a correction is tried, with the death just before it is sent and just after AWS carried it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from lab.drifts import DRIFTS
from lab.faults import Stopped
from reconciler.model import Policy
from tests.support.packets import State, violations
from tests.support.runs import Network

WRITES = 15
"""The writes that correct all drifts of the laboratory together; a test below holds that it is the number."""


@dataclass(frozen=True)
class Broken:
    """The reference network with every drift of the laboratory at once, and its packets then and before."""

    net: Network
    drifted: State
    clean: State


@pytest.fixture(scope="session")
def _kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def broken(net: Network, _kept: dict[str, Any]) -> Broken:
    """The broken network, put back as it was for every test."""
    if not _kept:
        clean = net.state()
        for drift in DRIFTS:
            drift.apply(net.hands, net.live)
        net.lab.settle()
        _kept.update(world=net.lab.save(), states=(net.state(), clean))
    net.lab.restore(_kept["world"])
    return Broken(net, *_kept["states"])


def test_every_write_of_the_correction_is_tried(broken: Broken) -> None:
    assert broken.net.run().writes == WRITES


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_run_that_dies_at_a_write_is_finished_by_at_most_two_more(
    broken: Broken, write: int, when: Literal["before", "after"]
) -> None:
    net = broken.net
    with net.watched() as states:
        net.lab.faults.stop_at(write, when)
        with pytest.raises(Stopped):
            net.run()
        net.lab.faults.clear()
        net.lab.settle()
        report = net.run()
        net.lab.settle()
        if not report.in_sync:
            report = net.run()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    assert violations(broken.drifted, broken.clean, states) == []
    assert len(states) == len([call for call in net.lab.calls if call.kind == "write" and call.error is None])
    calm = net.run()
    assert (calm.in_sync, calm.writes) == (True, 0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 8, 12, 16, 20, 25, 30, 35])
def test_a_first_build_that_dies_is_finished_without_making_anything_twice(
    net: Network, write: int, when: Literal["before", "after"]
) -> None:
    net.lab.restore(net.empty)
    net.lab.faults.stop_at(write, when)
    policy = Policy(create_databases=True)
    with pytest.raises(Stopped):
        net.run(policy=policy)
    net.lab.faults.clear()
    net.run(policy=policy)
    net.lab.settle()
    report = net.run(policy=policy)
    net.lab.settle()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    calm = net.run(policy=policy)
    assert (calm.in_sync, calm.writes) == (True, 0)
    vpcs = net.outsider("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"]
    gateways = net.outsider("ec2").describe_internet_gateways()["InternetGateways"]
    groups = net.outsider("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}])
    assert (len(vpcs), len(gateways), len(groups["SecurityGroups"])) == (1, 1, 4)
