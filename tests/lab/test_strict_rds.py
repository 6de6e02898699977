"""DB instances and subnet groups, row by row, against what RDS does."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def group(rds: Any, subnets: list[str]) -> str:
    return make_group(rds, "private", subnets)


def make_group(rds: Any, name: str, subnets: list[str]) -> str:
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=subnets)
    return name


@pytest.fixture
def sg(ec2: Any, vpc: str) -> str:
    return str(ec2.create_security_group(VpcId=vpc, GroupName="db", Description="d")["GroupId"])


@pytest.fixture
def public_vpc(ec2: Any, vpc: str) -> str:
    """The VPC with all a public instance needs."""
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return vpc


def wanted(group: str, **changes: Any) -> dict[str, Any]:
    usual = {
        "DBInstanceIdentifier": "main",
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "EngineVersion": "16.3",
        "AllocatedStorage": 100,
        "StorageType": "gp3",
        "MasterUsername": "postgres",
        "ManageMasterUserPassword": True,
        "DBSubnetGroupName": group,
        "PubliclyAccessible": False,
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "17:00-17:30",
        "PreferredMaintenanceWindow": "sun:18:00-sun:18:30",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


@pytest.fixture
def db(aws: StrictAws, rds: Any, group: str) -> str:
    rds.create_db_instance(**wanted(group))
    aws.settle()
    return "main"


def shown(rds: Any, identifier: str = "main") -> dict[str, Any]:
    return dict(rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0])


def modify(rds: Any, *, now: bool = True, **changes: Any) -> dict[str, Any]:
    answer = rds.modify_db_instance(DBInstanceIdentifier="main", ApplyImmediately=now, **changes)
    return dict(answer["DBInstance"])


# Subnet groups


def test_a_group_name_is_kept_in_lower_case_and_found_in_any(rds: Any, subnets: list[str]) -> None:
    make_group(rds, "MyGroup", subnets)
    assert rds.describe_db_subnet_groups()["DBSubnetGroups"][0]["DBSubnetGroupName"] == "mygroup"
    found = rds.describe_db_subnet_groups(DBSubnetGroupName="MYGROUP")["DBSubnetGroups"]
    assert [each["DBSubnetGroupName"] for each in found] == ["mygroup"]


def test_a_taken_group_name_is_refused_in_any_case(rds: Any, group: str, subnets: list[str], refused: Refused) -> None:
    with refused("DBSubnetGroupAlreadyExists"):
        make_group(rds, "Private", subnets[:1])
    (held,) = rds.describe_db_subnet_groups()["DBSubnetGroups"]
    assert len(held["Subnets"]) == 3


def test_a_group_covers_two_availability_zones(rds: Any, subnets: list[str], refused: Refused) -> None:
    with refused("DBSubnetGroupDoesNotCoverEnoughAZs"):
        make_group(rds, "one-zone", subnets[:2])


def test_a_group_lies_in_one_vpc(ec2: Any, rds: Any, subnets: list[str], other_vpc: str, refused: Refused) -> None:
    place = {"CidrBlock": "10.9.1.0/24", "AvailabilityZone": "ap-northeast-2c"}
    stranger = ec2.create_subnet(VpcId=other_vpc, **place)["Subnet"]["SubnetId"]
    with refused("InvalidSubnet"):
        make_group(rds, "two-vpcs", [subnets[0], stranger])
    make_group(rds, "one-vpc", subnets)
    with refused("InvalidParameterValue"):
        rds.modify_db_subnet_group(DBSubnetGroupName="one-vpc", SubnetIds=[subnets[0], stranger])


def test_a_group_of_unknown_subnets_or_named_default_is_refused(rds: Any, subnets: list[str], refused: Refused) -> None:
    with refused("InvalidSubnet"):
        make_group(rds, "ghost", [subnets[0], "subnet-0123456789abcdef0"])
    with refused("InvalidParameterValue"):
        make_group(rds, "Default", subnets)
    assert rds.describe_db_subnet_groups()["DBSubnetGroups"] == []


def test_a_modified_group_is_still_there_with_the_whole_new_list(rds: Any, group: str, subnets: list[str]) -> None:
    rds.modify_db_subnet_group(
        DBSubnetGroupName="PRIVATE", SubnetIds=[subnets[1], subnets[2]], DBSubnetGroupDescription="new"
    )
    (held,) = rds.describe_db_subnet_groups(DBSubnetGroupName=group)["DBSubnetGroups"]
    assert held["DBSubnetGroupDescription"] == "new"
    assert [each["SubnetIdentifier"] for each in held["Subnets"]] == [subnets[1], subnets[2]]


def test_a_group_cannot_shrink_to_one_zone(rds: Any, group: str, subnets: list[str], refused: Refused) -> None:
    with refused("DBSubnetGroupDoesNotCoverEnoughAZs"):
        rds.modify_db_subnet_group(DBSubnetGroupName=group, SubnetIds=subnets[:2])


def test_the_subnet_an_instance_sits_in_stays(
    rds: Any, db: str, group: str, subnets: list[str], refused: Refused
) -> None:
    with refused("SubnetAlreadyInUse"):
        rds.modify_db_subnet_group(DBSubnetGroupName=group, SubnetIds=subnets[1:])
    rds.modify_db_subnet_group(DBSubnetGroupName=group, SubnetIds=[subnets[0], subnets[2]])
    seen = shown(rds)["DBSubnetGroup"]["Subnets"]
    assert [each["SubnetIdentifier"] for each in seen] == [subnets[0], subnets[2]]


def test_a_group_in_use_cannot_be_deleted(aws: StrictAws, rds: Any, db: str, group: str, refused: Refused) -> None:
    with refused("InvalidDBSubnetGroupStateFault"):
        rds.delete_db_subnet_group(DBSubnetGroupName=group)
    rds.delete_db_instance(DBInstanceIdentifier=db, SkipFinalSnapshot=True)
    with refused("InvalidDBSubnetGroupStateFault"):
        rds.delete_db_subnet_group(DBSubnetGroupName=group)
    aws.settle()
    rds.delete_db_subnet_group(DBSubnetGroupName=group.upper())
    with refused("DBSubnetGroupNotFoundFault"):
        rds.describe_db_subnet_groups(DBSubnetGroupName=group)


# Creating


def test_an_instance_is_kept_in_lower_case_and_found_in_any(aws: StrictAws, rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group.upper(), DBInstanceIdentifier="MyDatabase"))
    aws.settle()
    held = shown(rds, "MYDATABASE")
    assert held["DBInstanceIdentifier"] == "mydatabase"
    assert held["DBSubnetGroup"]["DBSubnetGroupName"] == "private"
    arn = held["DBInstanceArn"]
    assert shown(rds, arn)["DBInstanceIdentifier"] == "mydatabase"


def test_a_new_instance_is_creating_without_endpoint_until_it_settles(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group))
    first, second = shown(rds), shown(rds)
    assert (first["DBInstanceStatus"], second["DBInstanceStatus"]) == ("creating", "available")
    assert "Endpoint" not in first
    assert second["Endpoint"]["Port"] == 5432
    assert (first["DbInstancePort"], second["DbInstancePort"]) == (0, 0)


def test_settling_takes_as_many_looks_as_the_test_says(aws: StrictAws, rds: Any, group: str) -> None:
    aws.settle_after = 3
    rds.create_db_instance(**wanted(group))
    assert [shown(rds)["DBInstanceStatus"] for _ in range(4)] == ["creating", "creating", "creating", "available"]


def test_the_managed_secret_is_shown_and_names_the_master_user(aws: StrictAws, rds: Any, db: str) -> None:
    secret = shown(rds)["MasterUserSecret"]
    assert secret["SecretStatus"] == "active"
    store = aws.outsider().client("secretsmanager")
    held = json.loads(store.get_secret_value(SecretId=secret["SecretArn"])["SecretString"])
    assert held["username"] == "postgres"


@pytest.mark.parametrize(("asked", "kept"), [("16", "16.4"), ("15", "15.8"), ("16.3", "16.3"), (None, "16.4")])
def test_a_version_prefix_becomes_a_full_version(rds: Any, group: str, asked: str | None, kept: str) -> None:
    rds.create_db_instance(**wanted(group, EngineVersion=asked))
    assert shown(rds)["EngineVersion"] == kept


def test_window_days_are_kept_in_lower_case_and_the_off_limit_of_storage_is_absent(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group, PreferredMaintenanceWindow="Sun:18:00-Sun:18:30", MaxAllocatedStorage=100))
    held = shown(rds)
    assert held["PreferredMaintenanceWindow"] == "sun:18:00-sun:18:30"
    assert "MaxAllocatedStorage" not in held


def test_without_groups_an_instance_gets_the_default_one_of_its_own_vpc(
    ec2: Any, rds: Any, vpc: str, group: str
) -> None:
    rds.create_db_instance(**wanted(group))
    (held,) = shown(rds)["VpcSecurityGroups"]
    (sg,) = ec2.describe_security_groups(GroupIds=[held["VpcSecurityGroupId"]])["SecurityGroups"]
    assert (sg["VpcId"], sg["GroupName"]) == (vpc, "default")


def test_an_instance_in_a_named_group_is_private_unless_told_otherwise(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group, PubliclyAccessible=None))
    assert shown(rds)["PubliclyAccessible"] is False


def test_every_instance_has_its_own_resource_id(rds: Any, group: str) -> None:
    rds.create_db_instance(**wanted(group))
    rds.create_db_instance(**wanted(group, DBInstanceIdentifier="second"))
    assert shown(rds)["DbiResourceId"] != shown(rds, "second")["DbiResourceId"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MasterUsername": "admin"}, "InvalidParameterValue"),
        ({"MasterUsername": "Admin"}, "InvalidParameterValue"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue"),
        ({"MasterUsername": "pg_owner"}, "InvalidParameterValue"),
        ({"MasterUsername": "1abc"}, "InvalidParameterValue"),
        ({"MasterUsername": "x" * 17}, "InvalidParameterValue"),
        ({"MasterUserPassword": "long-enough"}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": None}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": None, "MasterUserPassword": "seven77"}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": None, "MasterUserPassword": "with/slash"}, "InvalidParameterValue"),
        ({"ManageMasterUserPassword": None, "MasterUserPassword": "lösenord1"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "a--b"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "1a"}, "InvalidParameterValue"),
        ({"DBInstanceClass": "huge"}, "InvalidParameterValue"),
        ({"Engine": "postgre"}, "InvalidParameterValue"),
        ({"EngineVersion": "1.1"}, "InvalidParameterCombination"),
        ({"AllocatedStorage": 5}, "InvalidParameterValue"),
        ({"AllocatedStorage": 65537}, "InvalidParameterValue"),
        ({"StorageType": "fast"}, "InvalidParameterValue"),
        ({"StorageType": "io1"}, "InvalidParameterCombination"),
        ({"Iops": 3000}, "InvalidParameterCombination"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
        ({"Port": 80}, "InvalidParameterValue"),
        ({"EnableCloudwatchLogsExports": ["audit"]}, "InvalidParameterCombination"),
        ({"PreferredBackupWindow": "18:15-18:45"}, "InvalidParameterValue"),
        ({"PreferredBackupWindow": "17:00-17:10"}, "InvalidParameterValue"),
        ({"PreferredBackupWindow": "17:00"}, "InvalidParameterValue"),
        ({"PreferredMaintenanceWindow": "someday"}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "InvalidParameterValue"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
        ({"PubliclyAccessible": True}, "InvalidVPCNetworkStateFault"),
        ({"MultiAZ": True, "AvailabilityZone": "ap-northeast-2a"}, "InvalidParameterCombination"),
    ],
)
def test_an_instance_rds_would_refuse_is_refused(
    rds: Any, group: str, changes: dict[str, Any], code: str, refused: Refused
) -> None:
    with refused(code):
        rds.create_db_instance(**wanted(group, **changes))
    assert rds.describe_db_instances()["DBInstances"] == []


def test_windows_that_meet_over_midnight_overlap(rds: Any, group: str, refused: Refused) -> None:
    windows = {"PreferredBackupWindow": "23:45-00:15", "PreferredMaintenanceWindow": "mon:00:00-mon:00:30"}
    with refused("InvalidParameterValue"):
        rds.create_db_instance(**wanted(group, **windows))


def test_a_group_of_another_vpc_is_refused(
    ec2: Any, rds: Any, db: str, group: str, other_vpc: str, refused: Refused
) -> None:
    stranger = ec2.create_security_group(VpcId=other_vpc, GroupName="g", Description="d")["GroupId"]
    with refused("InvalidParameterCombination"):
        rds.create_db_instance(**wanted(group, DBInstanceIdentifier="second", VpcSecurityGroupIds=[stranger]))
    with refused("InvalidParameterCombination"):
        modify(rds, VpcSecurityGroupIds=[stranger])


def test_a_public_instance_needs_dns_and_a_gateway(
    ec2: Any, rds: Any, public_vpc: str, group: str, refused: Refused
) -> None:
    by_vpc = [{"Name": "attachment.vpc-id", "Values": [public_vpc]}]
    (gateway,) = ec2.describe_internet_gateways(Filters=by_vpc)["InternetGateways"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=public_vpc)
    with refused("InvalidVPCNetworkStateFault"):
        rds.create_db_instance(**wanted(group, PubliclyAccessible=True))
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=public_vpc)
    rds.create_db_instance(**wanted(group, PubliclyAccessible=True))
    assert shown(rds)["PubliclyAccessible"] is True


def test_a_taken_identifier_is_refused_in_any_case(rds: Any, db: str, group: str, refused: Refused) -> None:
    with refused("DBInstanceAlreadyExists"):
        rds.create_db_instance(**wanted(group, DBInstanceIdentifier="MAIN"))


# Modifying


def test_what_takes_effect_at_once_shows_when_the_instance_has_settled(
    ec2: Any, rds: Any, public_vpc: str, sg: str, db: str
) -> None:
    before = shown(rds)
    modify(
        rds,
        now=False,
        PubliclyAccessible=True,
        VpcSecurityGroupIds=[sg],
        DeletionProtection=True,
        BackupRetentionPeriod=1,
        CopyTagsToSnapshot=True,
        AutoMinorVersionUpgrade=False,
        MaxAllocatedStorage=200,
        PreferredBackupWindow="03:00-03:30",
        PreferredMaintenanceWindow="Mon:04:00-Mon:04:30",
    )
    during, after = shown(rds), shown(rds)
    assert (during["DBInstanceStatus"], after["DBInstanceStatus"]) == ("modifying", "available")
    assert during["PendingModifiedValues"] == {"BackupRetentionPeriod": 1}
    assert during["PubliclyAccessible"] is False
    (default,) = before["VpcSecurityGroups"]
    assert during["VpcSecurityGroups"] == [
        default | {"Status": "removing"},
        {"VpcSecurityGroupId": sg, "Status": "adding"},
    ]
    assert after["PendingModifiedValues"] == {}
    assert after["PubliclyAccessible"] is True
    assert [each["VpcSecurityGroupId"] for each in after["VpcSecurityGroups"]] == [sg]
    assert (after["DeletionProtection"], after["BackupRetentionPeriod"]) == (True, 1)
    assert (after["CopyTagsToSnapshot"], after["AutoMinorVersionUpgrade"]) == (True, False)
    assert after["MaxAllocatedStorage"] == 200
    assert after["PreferredBackupWindow"] == "03:00-03:30"
    assert after["PreferredMaintenanceWindow"] == "mon:04:00-mon:04:30"


def test_the_port_changes_at_once_whatever_the_flag(rds: Any, db: str) -> None:
    modify(rds, now=False, DBPortNumber=6432)
    assert shown(rds)["PendingModifiedValues"] == {"Port": 6432}
    assert shown(rds)["Endpoint"]["Port"] == 6432


DEFERRED = {
    "DBInstanceClass": "db.t3.small",
    "AllocatedStorage": 200,
    "EngineVersion": "16.4",
    "MultiAZ": True,
    "CACertificateIdentifier": "rds-ca-ecc384-g1",
    "StorageType": "gp2",
}


@pytest.mark.parametrize(("name", "value"), DEFERRED.items())
def test_a_deferred_change_waits_for_the_window(aws: StrictAws, rds: Any, db: str, name: str, value: Any) -> None:
    before = shown(rds)[name]
    modify(rds, now=False, **{name: value})
    aws.settle()
    waiting = shown(rds)
    assert (waiting["DBInstanceStatus"], waiting[name], waiting["PendingModifiedValues"]) == (
        "available",
        before,
        {name: value},
    )
    aws.maintenance_window()
    after = shown(rds)
    assert (after["DBInstanceStatus"], after[name], after["PendingModifiedValues"]) == ("available", value, {})


@pytest.mark.parametrize(("name", "value"), DEFERRED.items())
def test_a_deferred_change_goes_now_when_told(rds: Any, db: str, name: str, value: Any) -> None:
    modify(rds, now=True, **{name: value})
    assert shown(rds)["DBInstanceStatus"] == "modifying"
    after = shown(rds)
    status = "storage-optimization" if name in {"AllocatedStorage", "StorageType"} else "available"
    assert (after["DBInstanceStatus"], after[name], after["PendingModifiedValues"]) == (status, value, {})


def test_iam_authentication_is_pending_under_its_describe_name(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, now=False, EnableIAMDatabaseAuthentication=True)
    assert shown(rds)["PendingModifiedValues"] == {"IAMDatabaseAuthenticationEnabled": True}
    aws.maintenance_window()
    assert shown(rds)["IAMDatabaseAuthenticationEnabled"] is True


def test_switching_backups_off_is_deferred(aws: StrictAws, rds: Any, db: str) -> None:
    modify(rds, now=False, BackupRetentionPeriod=0)
    held = shown(rds)
    assert (held["BackupRetentionPeriod"], held["PendingModifiedValues"]) == (7, {"BackupRetentionPeriod": 0})
    aws.maintenance_window()
    assert shown(rds)["BackupRetentionPeriod"] == 0


def test_apply_immediately_flushes_everything_that_waits(rds: Any, db: str) -> None:
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    modify(rds, now=True, DeletionProtection=True)
    shown(rds)
    after = shown(rds)
    assert (after["DBInstanceClass"], after["DeletionProtection"]) == ("db.t3.large", True)
    assert after["PendingModifiedValues"] == {}


def test_an_immediate_change_without_the_flag_leaves_the_queue_alone(rds: Any, db: str) -> None:
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    modify(rds, now=False, DeletionProtection=True)
    shown(rds)
    after = shown(rds)
    assert (after["DBInstanceClass"], after["DeletionProtection"]) == ("db.t3.micro", True)
    assert after["PendingModifiedValues"] == {"DBInstanceClass": "db.t3.large"}


def test_setting_a_value_back_takes_it_out_of_the_queue(rds: Any, db: str) -> None:
    modify(rds, now=False, DBInstanceClass="db.t3.large")
    modify(rds, now=True, DBInstanceClass="db.t3.micro")
    held = shown(rds)
    assert (held["PendingModifiedValues"], held["DBInstanceStatus"]) == ({}, "available")


def test_a_modify_to_what_is_live_changes_nothing(rds: Any, db: str) -> None:
    modify(rds, BackupRetentionPeriod=7, DBInstanceClass="db.t3.micro", EngineVersion="16", PubliclyAccessible=False)
    assert shown(rds)["DBInstanceStatus"] == "available"


def test_a_modify_that_names_nothing_is_refused(rds: Any, db: str, refused: Refused) -> None:
    with refused("InvalidParameterCombination"):
        modify(rds)


def test_a_pending_password_is_masked(rds: Any, group: str, aws: StrictAws) -> None:
    rds.create_db_instance(**wanted(group, ManageMasterUserPassword=None, MasterUserPassword="first-secret"))
    aws.settle()
    assert modify(rds, MasterUserPassword="second-secret")["PendingModifiedValues"] == {"MasterUserPassword": "****"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AllocatedStorage": 50}, "InvalidParameterCombination"),
        ({"AllocatedStorage": 105}, "InvalidParameterCombination"),
        ({"AllocatedStorage": 200, "Iops": 12000}, "InvalidParameterCombination"),
        ({"MaxAllocatedStorage": 50}, "InvalidParameterCombination"),
        ({"EngineVersion": "15.8"}, "InvalidParameterCombination"),
        ({"EngineVersion": "16.1"}, "InvalidParameterCombination"),
        ({"EngineVersion": "17.2"}, "InvalidParameterCombination"),
        ({"EngineVersion": "1.1"}, "InvalidParameterCombination"),
        ({"BackupRetentionPeriod": 99}, "InvalidParameterValue"),
        ({"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
        ({"PubliclyAccessible": True}, "InvalidVPCNetworkStateFault"),
        ({"PreferredBackupWindow": "18:00-18:30"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "long-enough"}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": False}, "InvalidParameterCombination"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"DBInstanceClass": "huge"}, "InvalidParameterValue"),
        ({"DBPortNumber": 1}, "InvalidParameterValue"),
    ],
)
def test_one_bad_field_refuses_the_whole_modify(
    rds: Any, db: str, changes: dict[str, Any], code: str, refused: Refused
) -> None:
    with refused(code):
        modify(rds, DeletionProtection=True, **changes)
    held = shown(rds)
    assert (held["DBInstanceStatus"], held["DeletionProtection"], held["PendingModifiedValues"]) == (
        "available",
        False,
        {},
    )


def test_a_major_upgrade_needs_the_flag(rds: Any, db: str) -> None:
    modify(rds, EngineVersion="17", AllowMajorVersionUpgrade=True)
    shown(rds)
    assert shown(rds)["EngineVersion"] == "17.2"


def test_an_instance_cannot_move_to_a_group_of_the_same_vpc(
    rds: Any, db: str, group: str, subnets: list[str], refused: Refused
) -> None:
    make_group(rds, "second", subnets)
    with refused("InvalidVPCNetworkStateFault"):
        modify(rds, DBSubnetGroupName="second")
    modify(rds, DBSubnetGroupName=group.upper(), DeletionProtection=True)
    assert shown(rds)["DBSubnetGroup"]["DBSubnetGroupName"] == group


def test_a_busy_instance_refuses_a_modify(aws: StrictAws, rds: Any, group: str, refused: Refused) -> None:
    rds.create_db_instance(**wanted(group))
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)
    aws.settle()
    modify(rds, BackupRetentionPeriod=3)
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)


@pytest.mark.parametrize("status", ["backing-up", "stopped", "failed", "upgrading", "something-new"])
def test_no_status_but_available_takes_any_modify(
    aws: StrictAws, rds: Any, db: str, status: str, refused: Refused
) -> None:
    aws.rds_state("main", status=status)
    assert shown(rds)["DBInstanceStatus"] == status
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)


def test_a_full_disk_takes_growth_and_nothing_else(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    aws.rds_state("main", status="storage-full")
    aws.settle()
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)
    modify(rds, AllocatedStorage=200)
    aws.settle()
    held = shown(rds)
    assert (held["DBInstanceStatus"], held["AllocatedStorage"]) == ("available", 200)


def test_while_storage_is_optimized_only_storage_is_refused(
    aws: StrictAws, rds: Any, db: str, refused: Refused
) -> None:
    aws.rds_state("main", status="storage-optimization")
    with refused("InvalidParameterCombination"):
        modify(rds, AllocatedStorage=200)
    modify(rds, DeletionProtection=True)
    aws.settle()
    assert shown(rds)["DeletionProtection"] is True


def test_somebody_elses_pending_value_can_be_put_there(aws: StrictAws, rds: Any, db: str) -> None:
    aws.rds_state("main", pending={"EngineVersion": "16.6", "Port": 6000})
    assert shown(rds)["PendingModifiedValues"] == {"EngineVersion": "16.6", "Port": 6000}
    assert shown(rds)["DBInstanceStatus"] == "available"
    aws.maintenance_window()
    held = shown(rds)
    assert (held["EngineVersion"], held["Endpoint"]["Port"]) == ("16.6", 6000)


# Deleting


def test_a_protected_instance_cannot_be_deleted(aws: StrictAws, rds: Any, group: str, refused: Refused) -> None:
    rds.create_db_instance(**wanted(group, DeletionProtection=True))
    aws.settle()
    with refused("InvalidParameterCombination"):
        rds.delete_db_instance(DBInstanceIdentifier="main", SkipFinalSnapshot=True)
    assert shown(rds)["DBInstanceStatus"] == "available"


def test_a_delete_needs_a_word_on_the_final_snapshot(rds: Any, db: str, refused: Refused) -> None:
    with refused("InvalidParameterCombination"):
        rds.delete_db_instance(DBInstanceIdentifier=db)
    with refused("InvalidParameterCombination"):
        rds.delete_db_instance(DBInstanceIdentifier=db, SkipFinalSnapshot=True, FinalDBSnapshotIdentifier="s")
    assert shown(rds)["DBInstanceStatus"] == "available"


def test_a_deleted_instance_is_deleting_for_a_while_and_leaves_its_snapshot(
    rds: Any, db: str, group: str, refused: Refused
) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=db.upper(), FinalDBSnapshotIdentifier="last")
    with refused("InvalidDBInstanceState"):
        rds.delete_db_instance(DBInstanceIdentifier=db, SkipFinalSnapshot=True)
    with refused("InvalidDBInstanceState"):
        modify(rds, DeletionProtection=True)
    with refused("DBInstanceAlreadyExists"):
        rds.create_db_instance(**wanted(group))
    assert shown(rds)["DBInstanceStatus"] == "deleting"
    with refused("DBInstanceNotFound"):
        shown(rds)
    snapshots = rds.describe_db_snapshots(DBSnapshotIdentifier="last")["DBSnapshots"]
    assert [each["DBInstanceIdentifier"] for each in snapshots] == [db]


def test_an_unknown_instance_is_not_found(rds: Any, refused: Refused) -> None:
    with refused("DBInstanceNotFound"):
        shown(rds, "ghost")
    with refused("DBInstanceNotFound"):
        modify(rds, DeletionProtection=True)
    with refused("DBInstanceNotFound"):
        rds.delete_db_instance(DBInstanceIdentifier="ghost", SkipFinalSnapshot=True)


# What an instance holds on to


def test_a_group_and_a_subnet_an_instance_uses_cannot_be_deleted(
    ec2: Any, rds: Any, sg: str, group: str, subnets: list[str], refused: Refused
) -> None:
    rds.create_db_instance(**wanted(group, VpcSecurityGroupIds=[sg]))
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=sg)
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnets[0])


# Tags


def test_tags_of_an_instance_and_a_group_come_and_go_by_arn(rds: Any, db: str, group: str, refused: Refused) -> None:
    arns = [
        shown(rds)["DBInstanceArn"],
        rds.describe_db_subnet_groups(DBSubnetGroupName=group)["DBSubnetGroups"][0]["DBSubnetGroupArn"],
    ]
    for arn in arns:
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
        assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "b", "Value": "2"}]
        with refused("InvalidParameterValue"):
            rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "aws:a", "Value": "1"}])
    assert shown(rds)["TagList"] == [{"Key": "b", "Value": "2"}]


def test_tags_of_what_is_not_there_are_not_found(rds: Any, refused: Refused) -> None:
    prefix = "arn:aws:rds:ap-northeast-2:123456789012"
    with refused("DBInstanceNotFound"):
        rds.list_tags_for_resource(ResourceName=f"{prefix}:db:ghost")
    with refused("DBSubnetGroupNotFoundFault"):
        rds.list_tags_for_resource(ResourceName=f"{prefix}:subgrp:ghost")
