"""What a run takes from earlier ones and gives to later ones, and how it ends when it may go on no longer."""

from __future__ import annotations

import pytest

from reconciler.aws.client import Aws
from reconciler.engine.run import Environment, Memory, run
from reconciler.model import Cause, Outcome, Policy, Reason
from tests.support.cases import ANYWHERE, permission, told
from tests.support.runs import Network, document

DB, SERVER = "security_group/DBSG", "security_group/TestServerSG"
LOST = Cause(Reason.LEASE_LOST, "another run has the lease")


def reads(net: Network) -> list[str]:
    return sorted(call.operation for call in net.lab.calls if call.kind != "write")


@pytest.mark.parametrize("known", [True, False])
def test_a_calm_run_makes_ten_reads_whether_it_knows_the_vpc_or_not(net: Network, known: bool) -> None:
    report = net.run(memory=Memory(vpc_id=net.id("vpc/MyVPC") if known else ""))
    assert (report.in_sync, report.reads, report.writes) == (True, 10, 0)
    assert len(reads(net)) == 10


def test_a_wrong_hint_changes_nothing_but_the_number_of_reads(net: Network) -> None:
    other = net.outsider("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    net.outsider("ec2").authorize_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(22, ANYWHERE)])
    report = net.run(memory=Memory(vpc_id=other))
    assert report.in_sync, told(report)
    assert (report.vpc_id, report.writes) == (net.id("vpc/MyVPC"), 1)


def test_a_report_knows_the_ids_of_all_that_it_saw_or_made(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.revoke_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER))])
    ec2.delete_security_group(GroupId=net.id(SERVER))
    planned, made = net.plan(), net.run()
    assert planned.ids.keys() == document().resources.keys() - {SERVER}
    assert made.ids.keys() == document().resources.keys()
    assert made.ids[document().vpc] == made.vpc_id == planned.vpc_id == net.id("vpc/MyVPC")
    (found,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["TestServerSG"]}])[
        "SecurityGroups"
    ]
    assert {str(at): one for at, one in made.ids.items()}[SERVER] == found["GroupId"]


class Lease:
    """A lease that is lost after some writes; it counts how often it was asked."""

    def __init__(self, writes: int) -> None:
        self.left, self.asked = writes, 0

    def __call__(self) -> Cause | None:
        self.asked += 1
        self.left -= 1
        return None if self.left >= 0 else LOST


def break_three(net: Network) -> None:
    for group in ("APIGatewaySG", "TestServerSG", "DBSG"):
        net.outsider("ec2").authorize_security_group_ingress(
            GroupId=net.id(f"security_group/{group}"), IpPermissions=[permission(22, ANYWHERE)]
        )
    net.lab.calls.clear()


@pytest.mark.parametrize(("writes", "looks"), [(0, 1), (1, 2), (2, 2), (3, 2)])
def test_the_lease_is_asked_once_a_write_and_after_its_loss_there_is_one_look_at_most(
    net: Network, writes: int, looks: int
) -> None:
    break_three(net)
    lease = Lease(writes)
    aws = Aws(net.lab.session(), net.lab.region, sleep=net.clock.sleep)
    report = run(document(), Environment(aws, net.clock.now, net.clock.sleep, may_start=lease), Policy())
    assert (report.writes, lease.asked) == (writes, min(writes + 1, 3))
    assert reads(net).count("DescribeSecurityGroups") == looks
    ends = [drift.outcome for drift in report.drifts]
    assert (ends.count(Outcome.CORRECTED), ends.count(Outcome.WAITING)) == (writes, 3 - writes)
    assert {drift.cause for drift in report.drifts if drift.outcome is Outcome.WAITING} <= {LOST}


def test_while_aws_shows_what_was_before_a_run_without_lease_does_not_wait(net: Network) -> None:
    break_three(net)
    net.lab.faults.stale("DescribeSecurityGroups", 9)
    before = net.clock.now()
    aws = Aws(net.lab.session(), net.lab.region, sleep=net.clock.sleep)
    report = run(document(), Environment(aws, net.clock.now, net.clock.sleep, may_start=Lease(1)), Policy())
    assert report.writes == 1
    assert (net.clock.now() - before).total_seconds() == 0
