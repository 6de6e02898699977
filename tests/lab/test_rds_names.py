"""Names and resource ids of DB instances: renamed, restored, made again (RDS User Guide, "Renaming a DB instance")."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab.strict_aws import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]
TAGS = [{"Key": "setpoint:document", "Value": "shop"}, {"Key": "setpoint:name", "Value": "app"}]


@pytest.fixture
def group(rds: Any, subnets: list[str]) -> str:
    spread = [subnets[0], subnets[2]]
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="Two zones", SubnetIds=spread)
    return "data"


def create(aws: StrictAws, rds: Any, group: str, name: str = "app", **more: Any) -> dict[str, Any]:
    made = {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "postgres",
        "MasterUserPassword": "not-a-secret",
        "DBSubnetGroupName": group,
    }
    rds.create_db_instance(**made | more)
    aws.settle()
    return shown(rds, name)


def shown(rds: Any, name: str = "app") -> dict[str, Any]:
    return dict(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def rename(rds: Any, name: str, new: str, *, now: bool = True) -> dict[str, Any]:
    answer = rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=new, ApplyImmediately=now)
    return dict(answer["DBInstance"])


def test_a_resource_id_is_one_instances_for_ever(aws: StrictAws, rds: Any, group: str) -> None:
    first, second = create(aws, rds, group)["DbiResourceId"], create(aws, rds, group, "beta")["DbiResourceId"]
    rds.delete_db_instance(DBInstanceIdentifier="app", SkipFinalSnapshot=True)
    aws.settle()
    again = create(aws, rds, group)["DbiResourceId"]
    assert len({first, second, again}) == 3
    assert all(re.fullmatch(r"db-[A-Z0-9]{26}", each) for each in (first, second, again))


def test_a_renamed_instance_keeps_its_id_and_its_tags(aws: StrictAws, rds: Any, group: str, refused: Refused) -> None:
    before = create(aws, rds, group, Tags=TAGS)
    assert rename(rds, "app", "App-Old1")["DBInstanceStatus"] == "renaming"
    meanwhile = shown(rds)
    assert (meanwhile["DBInstanceStatus"], meanwhile["PendingModifiedValues"]) == (
        "renaming",
        {"DBInstanceIdentifier": "app-old1"},
    )
    after = shown(rds, "app-old1")
    with refused("DBInstanceNotFound"):
        shown(rds)
    assert after["DBInstanceStatus"] == "available"
    assert (after["DbiResourceId"], after["TagList"]) == (before["DbiResourceId"], TAGS)
    assert after["Endpoint"]["Address"].startswith("app-old1.")
    assert after["DBInstanceArn"] == before["DBInstanceArn"].replace(":db:app", ":db:app-old1")
    assert rds.list_tags_for_resource(ResourceName=after["DBInstanceArn"])["TagList"] == TAGS


def test_the_former_name_is_free(aws: StrictAws, rds: Any, group: str) -> None:
    before = create(aws, rds, group)
    rename(rds, "app", "app-old1")
    aws.settle()
    assert create(aws, rds, group)["DbiResourceId"] != before["DbiResourceId"]
    assert {each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]} == {"app", "app-old1"}


def test_a_name_in_use_is_refused(aws: StrictAws, rds: Any, group: str, refused: Refused) -> None:
    create(aws, rds, group)
    create(aws, rds, group, "beta")
    with refused("DBInstanceAlreadyExists"):
        rename(rds, "app", "BETA")
    with refused("InvalidParameterValue"):
        rename(rds, "app", "a--b")
    rename(rds, "app", "gamma")
    for name in ("app", "gamma"):
        with refused("DBInstanceAlreadyExists"):
            create(aws, rds, group, name)
    with refused("InvalidDBInstanceState"):
        rename(rds, "app", "delta")


def test_two_instances_exchange_their_names(aws: StrictAws, rds: Any, group: str) -> None:
    ids = {name: create(aws, rds, group, name)["DbiResourceId"] for name in ("app", "beta")}
    for name, new in (("app", "gamma"), ("beta", "app"), ("gamma", "beta")):
        rename(rds, name, new)
        aws.settle()
    assert {name: shown(rds, name)["DbiResourceId"] for name in ids} == {"app": ids["beta"], "beta": ids["app"]}


def test_a_new_name_waits_for_the_window(aws: StrictAws, rds: Any, group: str) -> None:
    create(aws, rds, group)
    rename(rds, "app", "beta", now=False)
    held = shown(rds)
    assert (held["DBInstanceStatus"], held["PendingModifiedValues"]) == ("available", {"DBInstanceIdentifier": "beta"})
    aws.maintenance_window()
    assert shown(rds, "beta")["PendingModifiedValues"] == {}


def test_a_name_that_is_taken_when_the_window_comes_is_not_taken_over(aws: StrictAws, rds: Any, group: str) -> None:
    first = create(aws, rds, group)["DbiResourceId"]
    rename(rds, "app", "beta", now=False)
    create(aws, rds, group, "beta")
    aws.maintenance_window()
    assert shown(rds)["DbiResourceId"] == first


def test_a_restored_snapshot_is_another_instance_with_the_same_tags(
    aws: StrictAws, rds: Any, group: str, refused: Refused
) -> None:
    """RDS API reference, RestoreDBInstanceFromDBSnapshot, CopyTagsToSnapshot: without new tags those of the source."""
    source = create(aws, rds, group, Tags=TAGS, DeletionProtection=True)
    rds.create_db_snapshot(DBInstanceIdentifier="app", DBSnapshotIdentifier="nightly")
    rds.remove_tags_from_resource(ResourceName=source["DBInstanceArn"], TagKeys=["setpoint:name"])
    how = {"DBSnapshotIdentifier": "nightly", "DBSubnetGroupName": group}
    with refused("DBInstanceAlreadyExists"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="APP", **how)
    made = rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="Restore-Test", **how)["DBInstance"]
    assert (made["DBInstanceIdentifier"], made["DBInstanceStatus"]) == ("restore-test", "creating")
    aws.settle()
    copy = shown(rds, "restore-test")
    assert copy["TagList"] == TAGS
    assert copy["DbiResourceId"] != source["DbiResourceId"]
    assert (copy["DeletionProtection"], copy["PubliclyAccessible"]) == (False, False)
    assert [copy[each] for each in ("EngineVersion", "AllocatedStorage", "MasterUsername", "StorageType")] == [
        source[each] for each in ("EngineVersion", "AllocatedStorage", "MasterUsername", "StorageType")
    ]
    names = [each["DBSubnetGroupName"] for each in (copy["DBSubnetGroup"], source["DBSubnetGroup"])]
    assert names == [group, group]


def test_new_tags_replace_those_of_the_source(aws: StrictAws, rds: Any, group: str) -> None:
    create(aws, rds, group, Tags=TAGS)
    rds.create_db_snapshot(DBInstanceIdentifier="app", DBSnapshotIdentifier="nightly")
    own = [{"Key": "team", "Value": "data"}]
    how = {"DBSnapshotIdentifier": "nightly", "DBSubnetGroupName": group, "Tags": own}
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="beta", **how)
    assert shown(rds, "beta")["TagList"] == own


def test_a_restore_to_a_point_in_time_is_another_instance_with_the_same_tags(
    aws: StrictAws, rds: Any, group: str, refused: Refused
) -> None:
    source = create(aws, rds, group, Tags=TAGS)
    how: dict[str, Any] = {"SourceDBInstanceIdentifier": "app", "DBSubnetGroupName": group}
    with refused("InvalidParameterCombination"):
        rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="beta", **how)
    how["UseLatestRestorableTime"] = True
    with refused("DBInstanceAlreadyExists"):
        rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="app", **how)
    rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="beta", **how)
    by_id = {key: value for key, value in how.items() if key != "SourceDBInstanceIdentifier"}
    by_id["SourceDbiResourceId"] = source["DbiResourceId"]
    rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="gamma", **by_id)
    copies = [shown(rds, name) for name in ("beta", "gamma")]
    assert [copy["TagList"] for copy in copies] == [TAGS, TAGS]
    assert len({source["DbiResourceId"], *(copy["DbiResourceId"] for copy in copies)}) == 3


def test_what_cannot_be_restored_is_refused(aws: StrictAws, rds: Any, group: str, refused: Refused) -> None:
    create(aws, rds, group, BackupRetentionPeriod=0)
    with refused("PointInTimeRestoreNotEnabled"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="app", TargetDBInstanceIdentifier="beta", UseLatestRestorableTime=True
        )
    with refused("DBSnapshotNotFound"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="beta", DBSnapshotIdentifier="never")
    with refused("DBInstanceNotFound"):
        rds.restore_db_instance_to_point_in_time(
            SourceDbiResourceId="db-NOBODY", TargetDBInstanceIdentifier="beta", UseLatestRestorableTime=True
        )
