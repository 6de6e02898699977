"""What nobody is sure of in RDS: either answer of AWS leaves the database as declared, or waits, and nothing loops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciler.model import Outcome, Policy, Reason
from tests.support.cases import DATABASE, Edit, built, calm, database, edit, ended, live_database, mended, told, writes
from tests.support.runs import Network, document

DB = f"db_instance/{DATABASE}"
NOW = Policy(downtime="now")
ROLE = "arn:aws:iam::123456789012:role/rds-monitoring-role"


def _wanted(**fields: Any) -> Edit:
    return edit(DB, **fields)


def _instance(net: Network) -> dict[str, Any]:
    (found,) = net.outsider("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    return dict(found)


def test_a_window_is_moved_when_it_has_closed_and_what_waits_still_waits(net: Network) -> None:
    """It is Sunday, nine o'clock. Moved now, the window would apply somebody's pending change at once."""
    wanted = document(_wanted(preferred_maintenance_window="sun:08:45-sun:09:30"))
    net.lab.rds_state(DATABASE, pending={"CACertificateIdentifier": "rds-ca-rsa4096-g1"})
    report = net.run(wanted)
    field = "preferred_maintenance_window"
    assert ended(report, DB, field) == {Outcome.WAITING}, told(report)
    assert {one.cause and one.cause.reason for one in report.drifts} == {Reason.MAINTENANCE}
    later = net.clock.at + timedelta(hours=1)
    net.clock.sleep(3600)
    net.lab.advance(later)
    assert ended(net.run(wanted), DB, field) <= {Outcome.CORRECTED, Outcome.WAITING}
    net.lab.settle()
    seen = _instance(net)
    assert seen["PreferredMaintenanceWindow"] == "sun:08:45-sun:09:30"
    assert seen["PendingModifiedValues"] == {"CACertificateIdentifier": "rds-ca-rsa4096-g1"}
    calm(net, wanted)
    net.lab.advance(later + timedelta(days=6))
    assert "CACertificateIdentifier" in _instance(net)["PendingModifiedValues"]
    net.lab.advance(later + timedelta(days=7))
    assert _instance(net)["CACertificateIdentifier"] == "rds-ca-rsa4096-g1"


def test_a_modify_that_changes_nothing_may_be_refused_and_is_done(net: Network) -> None:
    """The first look is old: somebody has put it right meanwhile."""
    net.lab.rds_unsure(same_is_refused=True)
    database(DeletionProtection=False)(net)
    database(DeletionProtection=True)(net)
    net.lab.faults.stale("DescribeDBInstances", 1)
    try:
        report = net.run()
    finally:
        net.lab.faults.clear()
    assert report.in_sync, told(report)
    calm(net)


def test_logs_on_the_way_may_have_each_other_s_names_and_are_asked_for_once(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = built(net, _wanted(enabled_cloudwatch_logs_exports=["postgresql"]))
    other = {"EnableLogTypes": ["upgrade"], "DisableLogTypes": ["postgresql"]}
    database(CloudwatchLogsExportConfiguration=other)(net)
    net.lab.rds_unsure(swapped_logs=True)
    net.lab.calls.clear()
    with monkeypatch.context() as still:
        still.setattr(net.lab, "settle_after", 1000)
        for _ in range(3):
            net.run(wanted)
    assert writes(net) == ["ModifyDBInstance"]
    net.lab.settle()
    calm(net, wanted)


def test_a_role_that_is_shown_while_monitoring_is_off_is_no_drift(net: Network) -> None:
    net.lab.rds_unsure(role_when_off=True)
    on = built(net, _wanted(monitoring_interval=60, monitoring_role=ROLE))
    database(MonitoringInterval=0)(net)
    assert _instance(net)["MonitoringRoleArn"] == ROLE
    mended(net, lambda net: None, on)
    off = built(net, _wanted(monitoring_interval=0))
    calm(net, off)


@pytest.mark.parametrize("declared", [{}, {"storage_encrypted": True}, {"storage_encrypted": False}], ids=str)
def test_storage_with_a_key_of_aws_is_not_called_unencrypted(net: Network, declared: dict[str, Any]) -> None:
    live_database(net).storage_encrypted = False
    wanted = document(_wanted(**(declared or {"storage_encrypted": ...})))
    assert bool(net.plan(wanted).drifts) is (declared == {"storage_encrypted": True})
    net.lab.rds_unsure(sse_rds=True)
    calm(net, wanted)


@pytest.mark.parametrize("rule", ["six hours", "four a day"])
def test_storage_that_must_rest_waits_and_the_rest_goes_on(net: Network, rule: str) -> None:
    net.lab.rds_unsure(cool_down=rule)
    for size in (30, 40, 50, 60) if rule == "four a day" else (60,):
        database(AllocatedStorage=size)(net)
        net.lab.settle()
    wanted = document(_wanted(allocated_storage=80, deletion_protection=False))
    report = net.run(wanted)
    net.lab.settle()
    assert ended(report, DB, "allocated_storage") == {Outcome.WAITING}, told(report)
    assert _instance(net)["DeletionProtection"] is False
    net.lab.advance(net.clock.at + timedelta(hours=25))
    net.run(wanted)
    net.lab.settle()
    calm(net, wanted)


def test_iops_that_rds_rounds_up_end_as_declared(net: Network) -> None:
    built(net, _wanted(allocated_storage=110, storage_type="io1", iops=1000))
    wanted = document(_wanted(allocated_storage=110, storage_type="io1", iops=1050))
    for _ in range(2):
        net.run(wanted)
        net.lab.settle()
        net.lab.settle()
    assert _instance(net)["Iops"] == 1050
    calm(net, wanted)


def test_a_subnet_of_the_group_that_no_database_sits_in_comes_back_into_it(net: Network) -> None:
    used = net.lab._live.subnets_of(live_database(net))
    (free,) = [net.id(f"subnet/PrivateSubnet{n}") for n in (1, 2) if net.id(f"subnet/PrivateSubnet{n}") not in used]
    mended(net, lambda net: net.outsider("ec2").delete_subnet(SubnetId=free), anew=True)
