"""The worlds that the tests of whole runs start from: the reference network, built by the product itself, kept and
restored.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.strict_aws import StrictAws, laboratory
from tests.support.generated import Stage
from tests.support.outsider import Outsider
from tests.support.runs import Network, build


@pytest.fixture(scope="session")
def _built() -> Iterator[tuple[StrictAws, Network]]:
    with laboratory() as lab:
        yield lab, build(lab)


@pytest.fixture
def net(_built: tuple[StrictAws, Network]) -> Iterator[Network]:
    """The reference network, in sync, as it was built; whatever a test does to it is undone for the next."""
    lab, network = _built
    lab.restore(network.clean)
    lab.faults.clear()
    lab.calls.clear()
    lab.after_write = None
    yield network
    lab.after_write = None
    lab.faults.clear()


@pytest.fixture
def outsider(net: Network) -> Outsider:
    """The reference network with a NAT gateway in it that nobody declared, for routes to go astray through."""
    made = net.outsider("ec2").create_nat_gateway(SubnetId=net.id("subnet/PrivateSubnet1"), ConnectivityType="private")
    return Outsider(net, made["NatGateway"]["NatGatewayId"])


@pytest.fixture(scope="session")
def _stages() -> dict[str, Stage]:
    return {}


@pytest.fixture
def stage(net: Network, _stages: dict[str, Stage]) -> Stage:
    """The laboratory of the session; the next test puts the reference network back."""
    return _stages.setdefault("", Stage(net.lab, net.empty))
