"""A run dies after a call, and the next one does not see yet what that call has made: nothing is made twice, or people
are told by which command what is too many is deleted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lab.faults import Stopped
from reconciler.engine.run import ObserveError
from reconciler.model import Policy
from reconciler.report.text import text
from tests.support.cases import OWNED, carrying, told
from tests.support.runs import Network, document
from tests.support.sampling import sampled

BUILDING = 38
"""The writes of a first build."""
POLICY = Policy(create_databases=True)


@pytest.mark.parametrize("write", sampled(range(2, BUILDING + 1), 15, seed="made twice"))
def test_what_a_dead_run_made_unseen_is_not_made_twice_or_told_with_its_mend(net: Network, write: int) -> None:
    """Not the VPC itself: which one it is must be known before anything is read."""
    net.lab.restore(net.empty)
    net.lab.faults.stop_at(write, "after")
    with pytest.raises(Stopped):
        net.run(policy=POLICY)
    last = net.lab.calls[-1].operation
    for operation in OWNED:
        net.lab.faults.stale(operation, reads=2)
    net.run(policy=POLICY)
    net.lab.faults.clear()
    for _ in range(2):
        net.lab.settle()
        net.run(policy=POLICY)
    net.lab.settle()
    report = net.run(policy=POLICY)
    shown = text(report)
    twice = {name: ids for name, ids in carrying(net).items() if len(ids) > 1}
    for name, ids in twice.items():
        assert last == "CreateInternetGateway", (last, name, ids)  # AWS takes no token for it
        assert any(f"delete-internet-gateway --internet-gateway-id {one}" in shown for one in ids), shown
    assert report.in_sync, told(report)


def test_a_vpc_that_was_made_twice_is_told_and_nothing_more_is_made(net: Network) -> None:
    """Nobody remembers that one may have been made, as the deployed runs do (`tests/doors/test_vpc_made_once.py`)."""
    net.lab.restore(net.empty)
    net.lab.faults.stop_at(1, "after")
    with pytest.raises(Stopped):
        net.run(policy=POLICY)
    net.lab.faults.stale("DescribeVpcs", reads=2)
    net.run(policy=POLICY)
    net.lab.faults.clear()
    mine = [{"Name": "tag:setpoint:document", "Values": ["test-server"]}]
    first, second = (one["VpcId"] for one in net.outsider("ec2").describe_vpcs(Filters=mine)["Vpcs"])
    net.lab.calls.clear()
    with pytest.raises(ObserveError, match=f"delete-vpc --vpc-id ({first}|{second}) --region ap-northeast-2"):
        net.run(policy=POLICY)
    assert [call for call in net.lab.calls if call.kind == "write"] == []


def test_a_table_that_was_deleted_is_made_again_in_the_same_revision(net: Network) -> None:
    """AWS refuses a token whose thing is gone (IdempotentParameterMismatch): then the next one is taken."""
    ec2 = net.outsider("ec2")
    for _ in range(2):
        table = next(one for one in ec2.describe_route_tables()["RouteTables"] if _is_ours(one))
        for one in table["Associations"]:
            ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
        ec2.delete_route_table(RouteTableId=table["RouteTableId"])
        net.lab.settle()
        report = net.run(document())
        assert not report.failed, told(report)
        assert next(one for one in ec2.describe_route_tables()["RouteTables"] if _is_ours(one))


def _is_ours(table: Any) -> bool:
    return {"Key": "setpoint:name", "Value": "PrivateRouteTable"} in table["Tags"]


def test_a_spare_gateway_of_ours_is_told_with_its_mend_and_pruned_alone(net: Network) -> None:
    ec2 = net.outsider("ec2")
    tags = [
        {"Key": "setpoint:document", "Value": "test-server"},
        {"Key": "setpoint:name", "Value": "MyInternetGateway"},
    ]
    spare = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.create_tags(Resources=[spare], Tags=tags)
    report = net.run()
    assert report.in_sync, told(report)
    assert f"aws ec2 delete-internet-gateway --internet-gateway-id {spare} --region ap-northeast-2" in text(report)
    net.run(policy=Policy(prune=True))
    left = [one["InternetGatewayId"] for one in ec2.describe_internet_gateways()["InternetGateways"]]
    assert Counter(left) == Counter([net.id("internet_gateway/MyInternetGateway")])
