"""The options of DB instances in the laboratory, row by row, against what RDS does."""

from __future__ import annotations

from typing import Any

import pytest

from lab import StrictAws
from tests.lab.test_strict_rds import Refused, db, group, modify, shown, wanted

__all__ = ["db", "group"]

ROLE = "arn:aws:iam::123456789012:role/rds-monitoring-role"
KEY = "arn:aws:kms:ap-northeast-2:123456789012:key/0f5c2a10-0000-4000-8000-1a2b3c4d5e6f"
ADVANCED: dict[str, Any] = {
    "EnablePerformanceInsights": True,
    "PerformanceInsightsRetentionPeriod": 465,
    "DatabaseInsightsMode": "advanced",
}
COMBINATION, VALUE = "InvalidParameterCombination", "InvalidParameterValue"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MonitoringInterval": 60}, COMBINATION),
        ({"MonitoringRoleArn": ROLE}, COMBINATION),
        ({"MonitoringInterval": 0, "MonitoringRoleArn": ROLE}, COMBINATION),
        ({"MonitoringInterval": 7, "MonitoringRoleArn": ROLE}, VALUE),
        ({"MonitoringInterval": 60, "MonitoringRoleArn": "rds-monitoring-role"}, VALUE),
        ({"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["audit"]}}, COMBINATION),
        ({"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 94}, VALUE),
        ({"PerformanceInsightsRetentionPeriod": 31}, COMBINATION),
        ({"DatabaseInsightsMode": "advanced"}, COMBINATION),
        ({"DatabaseInsightsMode": "advanced", "EnablePerformanceInsights": True}, COMBINATION),
        ({**ADVANCED, "PerformanceInsightsRetentionPeriod": 434}, COMBINATION),
        ({"DatabaseInsightsMode": "basic"}, VALUE),
        ({"NetworkType": "DUAL"}, "NetworkTypeNotSupported"),
        ({"DedicatedLogVolume": True}, COMBINATION),
        ({"EngineLifecycleSupport": "open-source-rds-extended-support-disabled"}, COMBINATION),
        ({"CACertificateIdentifier": "rds-ca-2019"}, "CertificateNotFound"),
        ({"DBParameterGroupName": "ghost"}, "DBParameterGroupNotFound"),
        ({"AllocatedStorage": 200, "Iops": 3000}, COMBINATION),
        ({"AllocatedStorage": 400, "Iops": 3000}, COMBINATION),
        ({"AllocatedStorage": 400, "Iops": 65000}, COMBINATION),
        ({"AllocatedStorage": 400, "Iops": 13000, "StorageThroughput": 4001}, COMBINATION),
        ({"StorageType": "io1", "Iops": 5001}, COMBINATION),
        ({"StorageType": "io1", "Iops": 900}, COMBINATION),
        ({"MaxAllocatedStorage": 105}, COMBINATION),
    ],
    ids=str,
)
def test_rds_refuses(rds: Any, db: str, refused: Refused, changes: dict[str, Any], code: str) -> None:
    before = shown(rds)
    with refused(code):
        modify(rds, **changes)
    assert shown(rds) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"MonitoringInterval": 60},
        {"EnableCloudwatchLogsExports": ["audit"]},
        {"MaxAllocatedStorage": 105},
        {"Iops": 3000},
        {"DBName": "1orders"},
        {"DBName": "order-lines"},
        {"ManageMasterUserPassword": None, "MasterUserPassword": "with a space"},
        {"StorageType": "standard", "AllocatedStorage": 4},
        {"StorageType": "standard", "AllocatedStorage": 3073},
        {"DatabaseInsightsMode": "advanced"},
        {"DedicatedLogVolume": True},
        {"EngineLifecycleSupport": "never"},
        {"EngineVersion": "16.3", "DBParameterGroupName": "default.postgres15"},
    ],
    ids=str,
)
def test_rds_refuses_them_for_a_new_instance_too(rds: Any, group: str, changes: dict[str, Any]) -> None:
    with pytest.raises(rds.exceptions.ClientError):
        rds.create_db_instance(**wanted(group, **changes))
    assert rds.describe_db_instances()["DBInstances"] == []


def test_monitoring_is_on_at_once_and_off_without_a_role(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, now=False, MonitoringInterval=60, MonitoringRoleArn=ROLE)
    aws.settle()
    seen = shown(rds)
    assert (seen["MonitoringInterval"], seen["MonitoringRoleArn"]) == (60, ROLE)
    assert ":RDSOSMetrics:" in seen["EnhancedMonitoringResourceArn"]
    modify(rds, now=False, MonitoringInterval=0)
    aws.settle()
    assert shown(rds)["MonitoringInterval"] == 0


def test_log_exports_are_sets(aws: StrictAws, rds: Any, db: str) -> None:
    assert "EnabledCloudwatchLogsExports" not in shown(rds)
    modify(rds, now=False, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["upgrade", "postgresql"]})
    assert shown(rds)["PendingModifiedValues"] == {
        "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["upgrade", "postgresql"]}
    }
    aws.settle()
    assert shown(rds)["EnabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    modify(rds, now=False, CloudwatchLogsExportConfiguration={"DisableLogTypes": ["upgrade", "iam-db-auth-error"]})
    aws.settle()
    assert shown(rds)["EnabledCloudwatchLogsExports"] == ["postgresql"]


def test_the_key_of_the_insights_never_changes(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    modify(rds, now=False, EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=KEY)
    aws.settle()
    seen = shown(rds)
    assert (seen["PerformanceInsightsEnabled"], seen["PerformanceInsightsRetentionPeriod"]) == (True, 7)
    with refused(COMBINATION):
        modify(rds, EnablePerformanceInsights=True, PerformanceInsightsKMSKeyId=f"{KEY}-2")


def test_a_key_is_shown_by_its_arn(aws: StrictAws, rds: Any, group: str) -> None:
    insights = {"EnablePerformanceInsights": True, "PerformanceInsightsKMSKeyId": "alias/figures"}
    rds.create_db_instance(**wanted(group, StorageEncrypted=True, KmsKeyId="alias/shop", **insights))
    keys = [shown(rds)[name] for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId")]
    assert [one.split("/")[0] for one in keys] == ["arn:aws:kms:ap-northeast-2:123456789012:key"] * 2
    assert len(set(keys)) == 2


def test_the_advanced_mode_keeps_its_figures_for_so_long(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    assert shown(rds)["DatabaseInsightsMode"] == "standard"
    modify(rds, now=False, **ADVANCED)
    aws.settle()
    assert (shown(rds)["DatabaseInsightsMode"], shown(rds)["PerformanceInsightsRetentionPeriod"]) == ("advanced", 465)
    for less in ({"EnablePerformanceInsights": False}, {"PerformanceInsightsRetentionPeriod": 31}):
        with refused(COMBINATION):
            modify(rds, **less)
    modify(rds, now=False, DatabaseInsightsMode="standard", PerformanceInsightsRetentionPeriod=31)
    aws.settle()
    assert (shown(rds)["DatabaseInsightsMode"], shown(rds)["PerformanceInsightsRetentionPeriod"]) == ("standard", 31)


def test_storage_that_was_changed_is_optimized_before_it_changes_again(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    modify(rds, AllocatedStorage=200)
    assert shown(rds)["AllocatedStorage"] == 100
    with refused(COMBINATION):
        modify(rds, AllocatedStorage=300)
    seen = shown(rds)
    assert (seen["DBInstanceStatus"], seen["AllocatedStorage"]) == ("storage-optimization", 200)
    assert shown(rds)["DBInstanceStatus"] == "available"
    modify(rds, AllocatedStorage=300)


def test_a_change_of_anything_else_is_not_lost_while_storage_is_optimized(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, AllocatedStorage=200)
    shown(rds)
    modify(rds, DeletionProtection=True)
    aws.settle()
    assert shown(rds)["DeletionProtection"] is True


def test_the_status_is_available_for_a_while_after_a_modify(aws: StrictAws, rds: Any, db: str) -> None:
    aws.settle_after, aws.status_lag = 3, 2
    modify(rds, DeletionProtection=True, BackupRetentionPeriod=3)
    seen = [shown(rds) for _ in range(4)]
    assert [one["DBInstanceStatus"] for one in seen] == ["available", "available", "modifying", "available"]
    assert [one["DeletionProtection"] for one in seen] == [False, False, False, True]
    assert [one["PendingModifiedValues"] for one in seen] == [{"BackupRetentionPeriod": 3}] * 3 + [{}]


def test_magnetic_storage_may_be_small(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group, StorageType="standard", AllocatedStorage=5, DBName="orders_1"))
    assert shown(rds)["AllocatedStorage"] == 5


def test_small_storage_does_not_become_gp3_again(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    modify(rds, StorageType="io1", Iops=1000)
    aws.settle()
    aws.settle()
    small: dict[str, Any] = {"StorageType": "gp3", "AllocatedStorage": 100}
    for more in (small, small | {"Iops": 3000}):
        with refused(COMBINATION):
            modify(rds, **more)
    modify(rds, StorageType="gp3", AllocatedStorage=400, Iops=12000)


def test_the_network_type_needs_both_in_every_subnet(
    aws: StrictAws, ec2: Any, rds: Any, db: str, subnets: list[str], vpc: str
) -> None:
    def supported() -> list[str]:
        return list(rds.describe_db_subnet_groups()["DBSubnetGroups"][0]["SupportedNetworkTypes"])

    assert supported() == ["IPV4"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (block,) = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
    for number, subnet in enumerate(subnets):
        part = block["Ipv6CidrBlock"].replace("00::/56", f"{number:02}::/64")
        ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=part)
    assert supported() == ["IPV4", "DUAL"]
    modify(rds, now=False, NetworkType="DUAL")
    assert (shown(rds)["PendingModifiedValues"], shown(rds)["NetworkType"]) == ({}, "IPV4")
    aws.maintenance_window()
    assert shown(rds)["NetworkType"] == "DUAL"


def test_the_certificate_is_shown_with_its_end(rds: Any, db: str) -> None:
    details = shown(rds)["CertificateDetails"]
    assert (details["CAIdentifier"], details["ValidTill"].year) == ("rds-ca-rsa2048-g1", 2027)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"MonitoringInterval": 60, "MonitoringRoleArn": ROLE}, "configuring-enhanced-monitoring"),
        ({"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["upgrade"]}}, "configuring-log-exports"),
        ({"EnableIAMDatabaseAuthentication": True}, "configuring-iam-database-auth"),
        ({"EnableIAMDatabaseAuthentication": True, "DeletionProtection": True}, "modifying"),
    ],
)
def test_the_status_says_what_is_configured(
    aws: StrictAws, rds: Any, db: str, refused: Refused, changes: dict[str, Any], status: str
) -> None:
    modify(rds, **changes)
    with refused("InvalidDBInstanceState"):
        modify(rds, MultiAZ=True)
    assert shown(rds)["DBInstanceStatus"] == status
    assert shown(rds)["DBInstanceStatus"] == "available"


def test_a_role_that_is_too_new_is_refused_like_one_that_lacks_something(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    aws.new_role(ROLE)
    for _ in range(2):
        with refused(VALUE):
            modify(rds, MonitoringInterval=60, MonitoringRoleArn=ROLE)
    aws.know_roles()
    modify(rds, MonitoringInterval=60, MonitoringRoleArn=ROLE)


def test_a_stopped_instance_takes_nothing_and_has_lost_what_waited(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    modify(rds, now=False, MultiAZ=True)
    with refused("InvalidDBInstanceState"):
        rds.start_db_instance(DBInstanceIdentifier="main")
    rds.stop_db_instance(DBInstanceIdentifier="main")
    assert shown(rds)["DBInstanceStatus"] == "stopping"
    aws.settle()
    seen = shown(rds)
    assert (seen["DBInstanceStatus"], seen["PendingModifiedValues"]) == ("stopped", {})
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)
    rds.start_db_instance(DBInstanceIdentifier="main")
    aws.settle()
    assert shown(rds)["DBInstanceStatus"] == "available"


def test_a_log_volume_waits_for_the_window(aws: StrictAws, rds: Any, db: str) -> None:
    assert shown(rds)["DedicatedLogVolume"] is False
    modify(rds, StorageType="io1", AllocatedStorage=100, Iops=1000)
    aws.settle()
    modify(rds, now=False, DedicatedLogVolume=True)
    assert shown(rds)["PendingModifiedValues"] == {"DedicatedLogVolume": True}
    aws.maintenance_window()
    assert shown(rds)["DedicatedLogVolume"] is True


def test_the_lifecycle_support_is_chosen_at_creation(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group, EngineLifecycleSupport="open-source-rds-extended-support-disabled"))
    assert shown(rds)["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"


def test_a_parameter_group_waits_for_a_reboot(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    for name, family in (("orders-16", "postgres16"), ("orders-15", "postgres15")):
        rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d")
    with refused(COMBINATION):
        modify(rds, DBParameterGroupName="orders-15")
    modify(rds, now=False, DBParameterGroupName="orders-16")
    aws.settle()
    aws.maintenance_window()
    (seen,) = shown(rds)["DBParameterGroups"]
    assert seen == {"DBParameterGroupName": "orders-16", "ParameterApplyStatus": "pending-reboot"}
    rds.reboot_db_instance(DBInstanceIdentifier="main")
    aws.settle()
    assert shown(rds)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def test_small_gp3_shows_what_nobody_may_say(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    assert (shown(rds)["Iops"], shown(rds)["StorageThroughput"]) == (3000, 125)
    modify(rds, AllocatedStorage=400)
    aws.settle()
    assert shown(rds)["Iops"] == 12000
    with refused(COMBINATION):
        modify(rds, Iops=14000)
    modify(rds, AllocatedStorage=400, Iops=14000)
    aws.settle()
    assert shown(rds)["Iops"] == 14000


def test_a_maximum_that_is_the_size_switches_autoscaling_off(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, MaxAllocatedStorage=110)
    aws.settle()
    assert shown(rds)["MaxAllocatedStorage"] == 110
    modify(rds, MaxAllocatedStorage=100)
    aws.settle()
    assert "MaxAllocatedStorage" not in shown(rds)


@pytest.mark.parametrize(
    ("name", "value", "pending"),
    [
        ("CACertificateIdentifier", "rds-ca-rsa4096-g1", "CACertificateIdentifier"),
        ("EnableIAMDatabaseAuthentication", True, "IAMDatabaseAuthenticationEnabled"),
    ],
)
def test_it_waits_for_the_window(aws: StrictAws, rds: Any, db: str, name: str, value: Any, pending: str) -> None:
    member = pending or name
    modify(rds, now=False, **{name: value})
    assert shown(rds)["PendingModifiedValues"] == ({pending: value} if pending else {})
    assert shown(rds)[member] != value
    aws.maintenance_window()
    assert shown(rds)[member] == value
