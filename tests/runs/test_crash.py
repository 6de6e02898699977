"""A run that dies before or after any single write: the next ones finish it, and no packet pays for it.

Every write of a correction and of a first build is tried, with the death just before it is sent and just after AWS
carried it out: a seeded sample of them, spread over the whole run, in the gate, and all of them at length.
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
from tests.support.sampling import sampled

WRITES, BUILDING = 15, 38
"""The writes that correct all drifts of the laboratory together, and those of a first build; a test holds either."""


def points(writes: int, among: int) -> list[Any]:
    """Every point of death in so many writes; all but one in `among` of them only at length."""
    whens = ("before", "after")
    return [
        point
        for when in whens
        for point in sampled([(one, when) for one in range(1, writes + 1)], among, seed=f"{writes} {when}")
    ]


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


@pytest.mark.parametrize(("write", "when"), points(WRITES, 6))
def test_a_run_that_dies_at_a_write_is_finished_by_at_most_two_more(
    broken: Broken, write: int, when: Literal["before", "after"]
) -> None:
    net = broken.net
    with net.watched() as states:
        net.lab.faults.stop_at(write, when)
        with pytest.raises(Stopped, match=f"^{when} write {write}$"):
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


def test_every_write_of_a_first_build_is_tried(net: Network) -> None:
    net.lab.restore(net.empty)
    assert net.run(policy=Policy(create_databases=True)).writes == BUILDING


@pytest.mark.parametrize(("write", "when"), points(BUILDING, 20))
def test_a_first_build_that_dies_is_finished_without_making_anything_twice(
    net: Network, write: int, when: Literal["before", "after"]
) -> None:
    net.lab.restore(net.empty)
    net.lab.faults.stop_at(write, when)
    policy = Policy(create_databases=True)
    with pytest.raises(Stopped, match=f"^{when} write {write}$"):
        net.run(policy=policy)
    net.lab.faults.clear()
    net.run(policy=policy)
    net.lab.settle()
    report = net.run(policy=policy)
    net.lab.settle()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    calm = net.run(policy=policy)
    assert (calm.in_sync, calm.writes) == (True, 0)
    ec2 = net.outsider("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.0.0.0/16"]}])["Vpcs"]
    inside: Any = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    assert len(ec2.describe_internet_gateways()["InternetGateways"]) == 1
    assert len(ec2.describe_subnets(Filters=inside)["Subnets"]) == 3
    assert len(ec2.describe_route_tables(Filters=inside)["RouteTables"]) == 3  # with the VPC's own
    assert len(ec2.describe_security_groups(Filters=inside)["SecurityGroups"]) == 4
    assert len(ec2.describe_network_acls(Filters=inside)["NetworkAcls"]) == 3
