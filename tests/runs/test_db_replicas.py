"""Read replicas: one that is live where the document has a database, and one of a declared database."""

from __future__ import annotations

from typing import Any

from reconciler.model import Outcome, Policy, Reason
from reconciler.notify.alert_rules import find_alerts
from tests.support.attempts import completed
from tests.support.cases import DATABASE, calm, database, told, writes
from tests.support.runs import Network

DB = f"db_instance/{DATABASE}"
NOW = Policy(downtime="now", create_databases=True)


def _replicate(net: Network, name: str, **how: Any) -> None:
    rds = net.outsider("rds")
    rds.create_db_instance_read_replica(DBInstanceIdentifier=name, SourceDBInstanceIdentifier=DATABASE, **how)
    net.lab.settle()


def _put_a_replica_in_its_place(net: Network) -> None:
    """The database is renamed, and a replica of it gets its name and its tags."""
    rds = net.outsider("rds")
    (was,) = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    _replicate(net, "standby", Tags=was["TagList"])
    for former, name in ((DATABASE, "primary"), ("standby", DATABASE)):
        rds.modify_db_instance(DBInstanceIdentifier=former, NewDBInstanceIdentifier=name, ApplyImmediately=True)
        net.lab.settle()
    (primary,) = rds.describe_db_instances(DBInstanceIdentifier="primary")["DBInstances"]
    rds.remove_tags_from_resource(
        ResourceName=primary["DBInstanceArn"], TagKeys=[tag["Key"] for tag in primary["TagList"]]
    )


def test_a_replica_in_place_of_a_database_is_told_and_never_promoted(net: Network) -> None:
    _put_a_replica_in_its_place(net)
    net.lab.calls.clear()
    report = net.run(policy=NOW)
    net.lab.settle()
    (found,) = [one for one in report.findings if one.address == DB]
    assert (found.outcome, found.cause.reason) == (Outcome.BLOCKED, Reason.UNSUPPORTED), told(report)
    assert f"it is a read replica of primary, and takes no writes; {NEVER}" in found.cause.message
    assert writes(net) == ["ModifyDBInstance"]
    again = net.run(policy=NOW)
    assert {(one.field, one.cause and one.cause.reason) for one in again.drifts} == {
        ("backup_retention_period", Reason.KEPT_BY_OTHERS),
        ("manage_master_user_password", Reason.KEPT_BY_OTHERS),
    }, told(again)
    assert again.writes == 0
    (alert,) = [
        one
        for one in find_alerts(completed(report=again))
        if one.address == DB and "replica of" in one.title + one.sentence
    ]
    assert "aws rds promote-read-replica" in alert.sentence


NEVER = "Setpoint never promotes it. If it is to be a database of its own, which nothing takes back: aws rds promote-"


def test_a_replica_of_the_database_is_left_alone_and_hinders_nothing(net: Network) -> None:
    _replicate(net, "reports")
    calm(net)
    database(DeletionProtection=False)(net)
    net.lab.calls.clear()
    report = net.run()
    net.lab.settle()
    assert writes(net) == ["ModifyDBInstance"]
    assert [one for one in report.findings if one.address != DB] == []
    calm(net)


def test_replication_that_does_not_work_is_said_beside(net: Network) -> None:
    _put_a_replica_in_its_place(net)
    status = {"StatusType": "read replication", "Normal": False, "Status": "error"}
    net.lab._live.instance(DATABASE).replication = status
    (found,) = [one for one in net.plan().findings if one.address == DB]
    assert "a read replica of primary (replication: error), and" in found.cause.message
