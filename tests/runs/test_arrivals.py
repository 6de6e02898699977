"""AWS is still creating a VPC or a subnet: what is on it waits, in words, for this run or the next; nothing is made
twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lab.live import Meanwhile
from reconciler.engine.result import Report
from reconciler.model import Outcome, Reason
from tests.support.cases import told
from tests.support.runs import Network, document
from tests.support.sampling import sampled

SUBNET = "subnet/PrivateSubnet1"
MEANWHILE: tuple[Meanwhile, ...] = ("accepted", "unknown", "refused")
CASES = [(what, times) for what in MEANWHILE for times in (1, 3, 6, 20)]


def small(written: dict[str, Any]) -> None:
    """A VPC with a subnet that has a table and an ACL of its own."""
    mine = {
        "vpc": ("MyVPC",),
        "subnet": ("PrivateSubnet1",),
        "route_table": ("PrivateRouteTable",),
        "network_acl": ("PrivateSubnetACL",),
    }
    have = written["resources"]
    written["resources"] = {kind: {name: have[kind][name] for name in names} for kind, names in mine.items()}
    for kind in ("route_table", "network_acl"):
        for one in written["resources"][kind].values():
            one["subnets"] = [SUBNET]
    del written["intents"], written["workloads"]


WANTED = document(small)


@pytest.fixture(autouse=True)
def at_once_again(net: Network) -> Iterator[None]:
    yield
    net.lab.arrive_after, net.lab.meanwhile = 0, "accepted"


def made(net: Network) -> Counter[str]:
    """How often AWS made what."""
    return Counter(
        one.operation
        for one in net.lab.calls
        if one.error is None and one.operation.startswith("Create") and one.operation != "CreateNetworkAclEntry"
    )


def waits(report: Report) -> bool:
    """Whether all that is not done waits, and says for what."""
    return all(
        one.outcome is Outcome.CORRECTED or (one.outcome is Outcome.WAITING and one.cause) for one in report.drifts
    )


@pytest.mark.parametrize(("meanwhile", "times"), sampled(CASES, 4, seed="arrivals"))
def test_what_is_on_something_pending_waits_and_nothing_is_made_twice(
    net: Network, meanwhile: Meanwhile, times: int
) -> None:
    net.lab.restore(net.empty)
    net.lab.calls.clear()
    net.lab.arrive_after, net.lab.meanwhile = times, meanwhile
    report = net.run(WANTED)
    for _ in range(30):
        assert waits(report), told(report)
        assert not report.failed, told(report)
        if report.in_sync and not report.writes:
            break
        report = net.run(WANTED)
    assert (report.in_sync, report.writes) == (True, 0), told(report)
    assert made(net) == {"CreateVpc": 1, "CreateSubnet": 1, "CreateRouteTable": 1, "CreateNetworkAcl": 1}


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("failed", Reason.BROKEN, "delete it by hand (aws ec2 delete-subnet --subnet-id"),
        ("failed-insufficient-capacity", Reason.BROKEN, "no capacity"),
        ("unavailable", Reason.BROKEN, "AWS Health Dashboard"),
        ("pending", Reason.NOT_READY, "AWS is still creating it"),
    ],
)
def test_a_subnet_in_another_state_is_told_and_left_alone(net: Network, state: str, reason: Reason, words: str) -> None:
    net.lab.network_state(net.id(SUBNET), state)
    net.lab.calls.clear()
    report = net.run()
    wanted = Outcome.BLOCKED if reason is Reason.BROKEN else Outcome.WAITING
    assert [call.operation for call in net.lab.calls if call.kind == "write"] == []
    (found,) = report.findings
    assert (str(found.address), found.outcome, found.cause.reason) == (SUBNET, wanted, reason), told(report)
    assert words in found.cause.message
