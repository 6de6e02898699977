"""A role that was just made is refused until IAM shows it everywhere: it is tried again, after everything else."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.engine.result import Report
from reconciler.engine.run import Environment, Memory, run
from reconciler.model import Outcome, Policy, Reason
from tests.support.cases import DATABASE, calm, database, edit, ended, permission, told
from tests.support.runs import Network, document

DB = f"db_instance/{DATABASE}"
ROLE = "arn:aws:iam::123456789012:role/rds-monitoring-role"
WANTED = edit(DB, monitoring_interval=60, monitoring_role=ROLE)


def _run(net: Network, known_after: float, memory: Memory | None = None) -> Report:
    """One run; IAM shows the role everywhere when it has waited for so many seconds."""
    started = net.clock.now()

    def sleep(seconds: float) -> None:
        net.clock.sleep(seconds)
        if (net.clock.now() - started).total_seconds() >= known_after:
            net.lab.know_roles()
        net.lab.settle()

    net.lab.new_role(ROLE)
    world = Environment(net.aws, net.clock.now, sleep)
    return run(document(WANTED), world, Policy(), memory=memory or Memory())


def _asked(net: Network) -> list[Any]:
    return [call for call in net.lab.calls if "MonitoringRoleArn" in call.params]


@pytest.mark.parametrize("known_after", [1, 20, 50])
def test_it_is_tried_again_within_the_run(net: Network, known_after: float) -> None:
    report = _run(net, known_after)
    assert ended(report, DB, "monitoring_interval") <= {Outcome.CORRECTED, Outcome.WAITING}, told(report)
    net.lab.settle()
    calm(net, document(WANTED))


def test_all_else_is_done_before_it_is_waited_for(net: Network) -> None:
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(5432, "0.0.0.0/0")]
    )
    database(PubliclyAccessible=True, DeletionProtection=False)(net)
    net.lab.calls.clear()
    report = _run(net, 20)
    calls = [call for call in net.lab.calls if call.kind == "write" and call.error is None]
    assert [call for call in calls if "MonitoringRoleArn" in call.params] == calls[-1:], calls
    assert "RevokeSecurityGroupIngress" in {call.operation for call in calls}, told(report)


def test_a_role_that_lacks_something_is_told_by_its_field_and_not_waited_for_again(net: Network) -> None:
    started = net.clock.now()
    report = _run(net, 1e9)
    assert ended(report, DB, "monitoring_interval") == {Outcome.FAILED}, told(report)
    assert {one.cause.reason for one in report.drifts if one.cause} == {Reason.ROLE_NOT_ACCEPTED}
    assert 60 <= (net.clock.now() - started).total_seconds() <= 70
    net.lab.calls.clear()
    started = net.clock.now()
    report = _run(net, 1e9, Memory(left=lambda aws_id, field: (aws_id, field) == (DATABASE, "monitoring_interval")))
    assert ended(report, DB, "monitoring_interval") == {Outcome.FAILED}, told(report)
    assert (len(_asked(net)), (net.clock.now() - started).total_seconds() < 10) == (1, True)


def test_no_other_refusal_is_waited_for(net: Network) -> None:
    net.lab.faults.refuse_parameter("ModifyDBInstance", "MonitoringRoleArn", "the role is of no use")
    report = _run(net, 1)
    assert ended(report, DB, "monitoring_interval") == {Outcome.FAILED}, told(report)
    assert len(_asked(net)) == 1


@pytest.mark.parametrize(("left", "asked"), [(70.0, 1), (80.0, 2), (85.0, 3), (1000.0, 6)])
def test_it_is_waited_for_only_while_the_run_has_time(
    net: Network, monkeypatch: pytest.MonkeyPatch, left: float, asked: int
) -> None:
    end = net.clock.now().timestamp() + left
    monkeypatch.setattr(net.aws, "seconds_left", lambda: end - net.clock.now().timestamp())
    _run(net, 1e9)
    assert len(_asked(net)) == asked
