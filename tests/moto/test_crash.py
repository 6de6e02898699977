"""A run that dies before or after any single write: the next ones finish it, and no packet pays for it.

Every write of a correction is tried, with the death just before it is sent and just after AWS carried it out.
"""

from __future__ import annotations

import pytest

from lab.drifts import DRIFTS
from lab.faults import Stopped
from lab.world import World
from reconciler.model import Policy
from tests.moto.packets import violations
from tests.moto.runs import Network

MOST_WRITES = 24
"""More than the correction of all drifts takes; a test below holds that it is enough."""


@pytest.fixture(scope="session")
def _broken() -> dict[str, World]:
    return {}


@pytest.fixture
def broken(net: Network, _broken: dict[str, World]) -> Network:
    """The reference network with every drift of the laboratory at once."""
    if "all" not in _broken:
        for drift in DRIFTS:
            drift.apply(net.hands, net.live)
        net.lab.settle()
        _broken["all"] = net.lab.save()
    net.lab.restore(_broken["all"])
    return net


def test_every_write_of_the_correction_is_tried(broken: Network) -> None:
    assert 0 < broken.run().writes <= MOST_WRITES


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, MOST_WRITES + 1))
def test_a_run_that_dies_at_a_write_is_finished_by_at_most_two_more(
    net: Network, broken: Network, write: int, when: str
) -> None:
    drifted = broken.lab.save()
    before = broken.state()
    broken.lab.restore(net.clean)
    clean = broken.state()
    broken.lab.restore(drifted)
    with broken.watched() as states:
        broken.lab.faults.stop_at(write, when)  # type: ignore[arg-type]
        try:
            broken.run()
        except Stopped:
            died = True
        else:
            died = False
        broken.lab.faults.clear()
        broken.lab.settle()
        report = broken.run()
        broken.lab.settle()
        if not report.in_sync:
            report = broken.run()
    assert report.in_sync, [line for line in report.lines if line.message]
    assert violations(before, clean, states) == []
    assert len(states) == len([call for call in broken.lab.calls if call.kind == "write" and call.error is None])
    assert died or write > 1
    calm = broken.run()
    assert (calm.in_sync, calm.writes) == (True, 0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3, 8, 12, 16, 20, 25, 30, 35])
def test_a_first_build_that_dies_is_finished_without_making_anything_twice(net: Network, write: int, when: str) -> None:
    net.lab.restore(net.empty)
    net.lab.faults.stop_at(write, when)  # type: ignore[arg-type]
    policy = Policy(create_databases=True)
    with pytest.raises(Stopped):
        net.run(policy=policy)
    net.lab.faults.clear()
    for _ in range(2):
        report = net.run(policy=policy)
        net.lab.settle()
    assert report.in_sync, [line for line in report.lines if line.message]
    calm = net.run(policy=policy)
    assert (calm.in_sync, calm.writes) == (True, 0)
    vpcs = net.outsider("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"]
    gateways = net.outsider("ec2").describe_internet_gateways()["InternetGateways"]
    groups = net.outsider("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpcs[0]["VpcId"]]}])
    assert (len(vpcs), len(gateways), len(groups["SecurityGroups"])) == (1, 1, 4)
