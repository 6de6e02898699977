"""Read replicas in the laboratory, row by row, against what RDS does."""

from __future__ import annotations

from typing import Any

from lab import StrictAws
from tests.lab.test_strict_rds import Refused, db, group, modify, shown

__all__ = ["db", "group"]


def replicate(aws: StrictAws, rds: Any, name: str = "copy", **how: Any) -> dict[str, Any]:
    rds.create_db_instance_read_replica(DBInstanceIdentifier=name, SourceDBInstanceIdentifier="main", **how)
    aws.settle()
    return shown(rds, name)


def test_a_replica_is_an_instance_of_its_own_that_shows_its_source(aws: StrictAws, rds: Any, db: str) -> None:
    source = shown(rds)
    tags = [{"Key": "setpoint:name", "Value": "main"}]
    rds.add_tags_to_resource(ResourceName=source["DBInstanceArn"], Tags=tags)
    copy = replicate(aws, rds)
    assert copy["ReadReplicaSourceDBInstanceIdentifier"] == "main"
    status = {"StatusType": "read replication", "Normal": True, "Status": "replicating"}
    assert (copy["StatusInfos"], copy["BackupRetentionPeriod"], copy["TagList"]) == ([status], 0, [])
    assert copy["DbiResourceId"] != source["DbiResourceId"]
    assert copy["DBSubnetGroup"]["DBSubnetGroupName"] == "private"
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == ["copy"]
    assert not {"StatusInfos", "ReadReplicaSourceDBInstanceIdentifier"} & shown(rds).keys()


def test_a_source_needs_backups_and_keeps_them(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    modify(rds, BackupRetentionPeriod=0)
    aws.settle()
    with refused("InvalidDBInstanceState"):
        replicate(aws, rds)
    modify(rds, BackupRetentionPeriod=7)
    aws.settle()
    replicate(aws, rds)
    with refused("InvalidDBInstanceState"):
        modify(rds, BackupRetentionPeriod=0)


def test_neither_a_replica_nor_its_source_is_stopped(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    replicate(aws, rds)
    for name in ("main", "copy"):
        with refused("InvalidDBInstanceState"):
            rds.stop_db_instance(DBInstanceIdentifier=name)


def test_the_password_of_a_replica_is_its_source_s(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    replicate(aws, rds)
    with refused("InvalidParameterCombination"):
        rds.modify_db_instance(DBInstanceIdentifier="copy", ManageMasterUserPassword=True)


def test_promoting_is_one_way(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    replicate(aws, rds)
    with refused("InvalidDBInstanceState"):
        rds.promote_read_replica(DBInstanceIdentifier="main")
    rds.promote_read_replica(DBInstanceIdentifier="copy", BackupRetentionPeriod=3)
    aws.settle()
    copy = shown(rds, "copy")
    assert (copy["BackupRetentionPeriod"], "StatusInfos" in copy) == (3, False)
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == []
    with refused("InvalidDBInstanceState"):
        rds.promote_read_replica(DBInstanceIdentifier="copy")


def test_deleting_a_source_promotes_its_replicas(aws: StrictAws, rds: Any, db: str, refused: Refused) -> None:
    replicate(aws, rds)
    rds.delete_db_instance(DBInstanceIdentifier="main", SkipFinalSnapshot=True)
    aws.settle()
    assert "ReadReplicaSourceDBInstanceIdentifier" not in shown(rds, "copy")
    rds.delete_db_instance(DBInstanceIdentifier="copy", SkipFinalSnapshot=True)
    aws.settle()
    assert rds.describe_db_instances()["DBInstances"] == []


def test_a_replica_that_is_deleted_leaves_its_source(aws: StrictAws, rds: Any, db: str) -> None:
    replicate(aws, rds)
    rds.delete_db_instance(DBInstanceIdentifier="copy", SkipFinalSnapshot=True)
    aws.settle()
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == []


def test_source_and_replica_know_each_other_by_their_new_names(aws: StrictAws, rds: Any, db: str) -> None:
    replicate(aws, rds)
    for former, new in (("main", "orders"), ("copy", "reports")):
        rds.modify_db_instance(DBInstanceIdentifier=former, NewDBInstanceIdentifier=new, ApplyImmediately=True)
        aws.settle()
    assert shown(rds, "orders")["ReadReplicaDBInstanceIdentifiers"] == ["reports"]
    assert shown(rds, "reports")["ReadReplicaSourceDBInstanceIdentifier"] == "orders"
