"""What becomes of a modify later: not carried out, in the window, put back by AWS; and what nobody is sure of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import StrictAws
from tests.lab.test_rds_options import ADVANCED, ROLE
from tests.lab.test_strict_rds import Refused, db, group, make_group, modify, shown, wanted

__all__ = ["db", "group"]

SUNDAY = datetime(2026, 11, 22, 9, tzinfo=UTC)
"""When the clock of a new laboratory stands still. The window of these instances is sun:18:00-sun:18:30."""


def events(rds: Any, **how: Any) -> list[str]:
    found = rds.describe_events(SourceType="db-instance", SourceIdentifier="main", **how)["Events"]
    return [one["Message"] for one in found]


@pytest.mark.parametrize(
    ("name", "value", "before"),
    [
        ("DBInstanceClass", "db.t3.large", "db.t3.micro"),
        ("AllocatedStorage", 200, 100),
        ("EngineVersion", "16.4", "16.3"),
        ("DeletionProtection", True, False),
        ("MultiAZ", True, False),
    ],
)
def test_a_modify_that_fails_silently_answers_200_and_only_an_event_says_why(
    aws: StrictAws, rds: Any, db: str, name: str, value: Any, before: Any
) -> None:
    aws.rds_fails(db, name)
    modify(rds, **{name: value}, CopyTagsToSnapshot=True)
    assert shown(rds)["DBInstanceStatus"] == "modifying"
    after = shown(rds)
    assert (after["DBInstanceStatus"], after[name], after["PendingModifiedValues"]) == ("available", before, {})
    assert after["CopyTagsToSnapshot"] is True
    assert ["insufficient instance capacity" in one for one in events(rds)] == [True]
    aws.rds_fails(db, name, "")
    modify(rds, **{name: value})
    aws.settle()
    assert (shown(rds)[name], len(events(rds))) == (value, 1)


def test_a_modify_may_fail_silently_in_the_window_too(aws: StrictAws, rds: Any, db: str) -> None:
    aws.rds_fails(db, "DBInstanceClass", "unable to modify database instance class")
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    assert (shown(rds)["PendingModifiedValues"], events(rds)) == ({"DBInstanceClass": "db.t3.large"}, [])
    aws.maintenance_window()
    seen = shown(rds)
    assert (seen["DBInstanceClass"], seen["PendingModifiedValues"]) == ("db.t3.micro", {})
    assert len(events(rds)) == 1


def test_events_are_those_of_the_last_hour_unless_asked_otherwise(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    aws.rds_fails(db, "MultiAZ")
    modify(rds, MultiAZ=True)
    aws.settle()
    aws.advance(SUNDAY + timedelta(hours=2))
    assert (events(rds), len(events(rds, Duration=180))) == ([], 1)
    assert events(rds, Duration=180, EventCategories=["creation"]) == []
    with refused("InvalidParameterCombination"):
        rds.describe_events(SourceIdentifier="main")


def test_the_window_applies_what_waits_when_the_clock_passes_it(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    for hours in (1, 8.99):
        aws.advance(SUNDAY + timedelta(hours=hours))
        assert shown(rds)["PendingModifiedValues"] == {"DBInstanceClass": "db.t3.large"}
    aws.advance(SUNDAY + timedelta(hours=9.75))
    assert (shown(rds)["DBInstanceClass"], shown(rds)["PendingModifiedValues"]) == ("db.t3.large", {})
    modify(rds, now=False, DBInstanceClass="db.t3.micro")
    aws.advance(SUNDAY + timedelta(days=6, hours=20))
    assert shown(rds)["DBInstanceClass"] == "db.t3.large"
    aws.advance(SUNDAY + timedelta(days=8))
    assert shown(rds)["DBInstanceClass"] == "db.t3.micro"


@pytest.mark.parametrize(("window", "starts"), [("sun:08:45-sun:09:15", True), ("sun:09:30-sun:10:00", False)])
def test_moving_the_window_onto_the_present_starts_what_waits(
    aws: StrictAws, rds: Any, db: str, window: str, starts: bool
) -> None:
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    modify(rds, now=False, PreferredMaintenanceWindow=window)
    seen = [shown(rds) for _ in range(3)][-1]
    assert seen["PreferredMaintenanceWindow"] == window
    assert seen["DBInstanceClass"] == ("db.t3.large" if starts else "db.t3.micro")


def test_time_does_not_go_back(aws: StrictAws) -> None:
    with pytest.raises(ValueError, match="does not go back"):
        aws.advance(SUNDAY - timedelta(minutes=1))


def test_a_stopped_instance_has_no_maintenance_and_is_started_after_seven_days(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    rds.create_db_parameter_group(DBParameterGroupName="orders", DBParameterGroupFamily="postgres16", Description="d")
    rds.stop_db_instance(DBInstanceIdentifier=db)
    aws.settle()
    assert shown(rds)["AutomaticRestartTime"] == SUNDAY + timedelta(days=7)
    with refused("InvalidDBInstanceState"):
        modify(rds, DBParameterGroupName="orders", MultiAZ=True)
    modify(rds, DBParameterGroupName="orders")
    aws.advance(SUNDAY + timedelta(days=6.9))
    assert shown(rds)["DBInstanceStatus"] == "stopped"
    aws.advance(SUNDAY + timedelta(days=7))
    assert shown(rds)["DBInstanceStatus"] == "starting"
    seen = shown(rds)
    assert (seen["DBInstanceStatus"], "AutomaticRestartTime" in seen) == ("available", False)
    assert seen["DBParameterGroups"] == [{"DBParameterGroupName": "orders", "ParameterApplyStatus": "in-sync"}]


def test_a_reboot_that_waits_is_not_done_by_the_window(aws: StrictAws, rds: Any, db: str) -> None:
    rds.create_db_parameter_group(DBParameterGroupName="orders", DBParameterGroupFamily="postgres16", Description="d")
    modify(rds, DBParameterGroupName="orders")
    aws.advance(SUNDAY + timedelta(days=9))
    assert shown(rds)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"


INSIGHTS: dict[str, Any] = {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 31}


def test_aws_may_refuse_a_retention_period_or_put_it_back(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    aws.rds_unsure(retention="refused")
    with refused("InvalidParameterCombination"):
        modify(rds, **INSIGHTS)
    modify(rds, **ADVANCED)
    aws.settle()
    assert shown(rds)["PerformanceInsightsRetentionPeriod"] == 465
    aws.rds_unsure(retention="put back")
    modify(rds, **INSIGHTS, DatabaseInsightsMode="standard")
    aws.settle()
    assert shown(rds)["PerformanceInsightsRetentionPeriod"] == 31
    aws.advance(SUNDAY + timedelta(minutes=5))
    assert shown(rds)["PerformanceInsightsRetentionPeriod"] == 7


def test_what_nobody_is_sure_of_may_be_otherwise(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    aws.rds_unsure(role_when_off=True, swapped_logs=True, same_is_refused=True, lifecycle_changes=True)
    modify(rds, MonitoringInterval=60, MonitoringRoleArn=ROLE)
    aws.settle()
    modify(rds, MonitoringInterval=0)
    aws.settle()
    assert (shown(rds)["MonitoringInterval"], shown(rds)["MonitoringRoleArn"]) == (0, ROLE)
    with refused("InvalidParameterCombination"):
        modify(rds, DeletionProtection=False)
    aws.rds_state(db, pending={"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["upgrade"]}})
    aws.rds_unsure(sse_rds=True)
    pending = shown(rds)["PendingModifiedValues"]
    assert (shown(rds)["StorageEncrypted"], shown(rds)["StorageEncryptionType"]) == (False, "sse-rds")
    assert pending == {"PendingCloudwatchLogsExports": {"LogTypesToDisable": ["upgrade"]}}
    modify(rds, EngineLifecycleSupport="open-source-rds-extended-support-disabled")
    aws.settle()
    assert shown(rds)["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"


def test_a_small_growth_may_be_rounded(aws: StrictAws, rds: Any, db: str) -> None:
    aws.rds_unsure(growth_is_rounded=True)
    modify(rds, AllocatedStorage=105)
    aws.settle()
    assert shown(rds)["AllocatedStorage"] == 110


@pytest.mark.parametrize(("rule", "changes", "after"), [("six hours", 1, 6), ("four a day", 4, 24)])
def test_storage_that_was_changed_may_have_to_rest_for_hours(
    aws: StrictAws, rds: Any, db: str, refused: Refused, rule: str, changes: int, after: int
) -> None:
    aws.rds_unsure(cool_down=rule)
    for number in range(1, changes + 1):
        modify(rds, AllocatedStorage=100 + 50 * number)
        aws.settle()
    for hours in (0, after - 1):
        aws.advance(SUNDAY + timedelta(hours=hours))
        with refused("InvalidParameterCombination"):
            modify(rds, AllocatedStorage=390)
    modify(rds, DeletionProtection=True)
    aws.advance(SUNDAY + timedelta(hours=after))
    modify(rds, AllocatedStorage=390)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"AllocatedStorage": 399}, "storage-optimization"),
        ({"AllocatedStorage": 400}, "available"),
        ({"StorageType": "standard"}, "available"),
        ({"StorageType": "gp2"}, "storage-optimization"),
    ],
)
def test_storage_that_is_copied_is_not_optimized_afterwards(
    rds: Any, db: str, changes: dict[str, Any], status: str
) -> None:
    modify(rds, **changes)
    assert [shown(rds)["DBInstanceStatus"] for _ in range(2)] == ["modifying", status]


def test_a_small_raise_of_iops_is_rounded_up(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, StorageType="io1", AllocatedStorage=110, Iops=1000)
    aws.settle()
    modify(rds, AllocatedStorage=110, Iops=1050)
    aws.settle()
    assert shown(rds)["Iops"] == 1100
    modify(rds, AllocatedStorage=110, Iops=1050)
    aws.settle()
    assert shown(rds)["Iops"] == 1050


def test_the_status_lags_while_monitoring_is_configured_and_a_modify_is_refused(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    aws.settle_after, aws.status_lag = 3, 2
    modify(rds, MonitoringInterval=60, MonitoringRoleArn=ROLE)
    assert shown(rds)["DBInstanceStatus"] == "available"
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)


def test_an_unknown_option_group_is_not_found(rds: Any, db: str, refused: Refused) -> None:
    with refused("OptionGroupNotFoundFault"):
        modify(rds, OptionGroupName="tuned")


def test_a_region_holds_so_many_of_each(
    rds: Any, group: str, subnets: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.rds_limits.MOST_INSTANCES", 1)
    monkeypatch.setattr("lab.strict_subnet_groups.MOST_GROUPS", 1)
    rds.create_db_instance(**wanted(group))
    with refused("InstanceQuotaExceeded"):
        rds.create_db_instance(**wanted(group, DBInstanceIdentifier="second"))
    with refused("DBSubnetGroupQuotaExceeded"):
        make_group(rds, "second", subnets)


def test_a_group_of_subnets_may_list_one_that_is_gone(ec2: Any, rds: Any, db: str, subnets: list[str]) -> None:
    ec2.delete_subnet(SubnetId=subnets[1])
    (found,) = rds.describe_db_subnet_groups()["DBSubnetGroups"]
    assert subnets[1] in [each["SubnetIdentifier"] for each in found["Subnets"]]


def test_the_switches_and_the_clock_are_of_the_world(aws: StrictAws, rds: Any, db: str) -> None:
    before = aws.save()
    aws.rds_unsure(same_is_refused=True)
    aws.rds_fails(db, "MultiAZ")
    aws.advance(SUNDAY + timedelta(days=1))
    aws.restore(before)
    modify(rds, DeletionProtection=False)
    modify(rds, MultiAZ=True)
    aws.settle()
    assert (shown(rds)["MultiAZ"], events(rds)) == (True, [])
    aws.advance(SUNDAY)


@pytest.mark.parametrize(
    "call",
    [
        lambda rds: rds.describe_db_engine_versions(),
        lambda rds: rds.describe_pending_maintenance_actions(),
        lambda rds: rds.describe_certificates(),
        lambda rds: rds.describe_option_groups(),
    ],
)
def test_what_is_not_modelled_says_so(rds: Any, refused: Refused, call: Any) -> None:
    with refused("NotModelled"):
        call(rds)
