"""The rest of a database: what goes together, what is left alone, and what only a person does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from desired_state.load import DocumentError, load
from reconciler.kinds.db_instance.settings import SETTINGS
from reconciler.model import Outcome, Policy, Reason
from tests.support.cases import DATABASE, Edit, built, calm, database, edit, ended, left, live_database, told, writes
from tests.support.runs import REFERENCE, Network, document

DB = f"db_instance/{DATABASE}"
NOW = Policy(downtime="now")
ROLE = "arn:aws:iam::123456789012:role/rds-monitoring-role"


ADVANCED: dict[str, Any] = {
    "performance_insights_enabled": True,
    "performance_insights_retention_period": 465,
    "database_insights_mode": "advanced",
}
STANDARD = ADVANCED | {"performance_insights_retention_period": 31, "database_insights_mode": "standard"}


def _wanted(**fields: Any) -> Edit:
    return edit(DB, **fields)


def _instance(net: Network) -> Any:
    (found,) = net.outsider("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    return found


def _sent(net: Network) -> list[dict[str, Any]]:
    calls = [call.params for call in net.lab.calls if call.operation == "ModifyDBInstance" and call.error is None]
    return [{name: value for name, value in one.items() if name != "DBInstanceIdentifier"} for one in calls]


def test_monitoring_is_sent_with_its_role_and_switched_off_alone(net: Network) -> None:
    net.run(document(_wanted(monitoring_interval=60, monitoring_role=ROLE)))
    net.lab.settle()
    net.run(document(_wanted(monitoring_interval=0)))
    net.lab.settle()
    assert _sent(net) == [
        {"ApplyImmediately": False, "MonitoringInterval": 60, "MonitoringRoleArn": ROLE},
        {"ApplyImmediately": False, "MonitoringInterval": 0},
    ]
    calm(net, document(_wanted(monitoring_interval=0)))


@pytest.mark.parametrize(("was", "wanted"), [({}, ADVANCED), (STANDARD, ADVANCED), (ADVANCED, STANDARD)])
def test_the_mode_of_the_insights_and_what_goes_with_it_wait_together_and_are_sent_together(
    net: Network, was: dict[str, Any], wanted: dict[str, Any]
) -> None:
    built(net, _wanted(**was))
    report = net.run(document(_wanted(**wanted)))
    fields = {one.field for one in report.drifts}
    assert "database_insights_mode" in fields
    assert {(one.outcome, one.cause and one.cause.reason) for one in report.drifts} == {
        (Outcome.HELD, Reason.DOWNTIME)
    }, told(report)
    assert _sent(net) == []
    net.run(document(_wanted(**wanted)), NOW)
    assert _sent(net) == [
        {
            "ApplyImmediately": True,
            "EnablePerformanceInsights": True,
            "PerformanceInsightsRetentionPeriod": wanted["performance_insights_retention_period"],
            "DatabaseInsightsMode": wanted["database_insights_mode"],
        }
    ]
    net.lab.settle()
    calm(net, document(_wanted(**wanted)))


def test_a_retention_period_is_corrected_with_the_mode_that_it_belongs_to(net: Network) -> None:
    """The mode itself is not declared here: it is said as it is."""
    wanted = built(net, _wanted(performance_insights_enabled=True, performance_insights_retention_period=465))
    database(EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=731, DatabaseInsightsMode="advanced")(
        net
    )
    net.lab.calls.clear()
    net.run(wanted)
    assert [(one["PerformanceInsightsRetentionPeriod"], one["DatabaseInsightsMode"]) for one in _sent(net)] == [
        (465, "advanced")
    ]
    net.lab.settle()
    report = net.run(document(_wanted(performance_insights_enabled=True, performance_insights_retention_period=31)))
    assert ended(report, DB, "performance_insights_retention_period") == {Outcome.BLOCKED}, told(report)
    assert len(_sent(net)) == 1


def test_provisioned_storage_that_is_too_small_to_become_gp3_is_told(net: Network) -> None:
    built(net, _wanted(storage_type="io1", iops=1000, allocated_storage=100))
    report = net.run(document(_wanted(storage_type="gp3", iops=..., allocated_storage=100)))
    assert ended(report, DB, "storage_type") == {Outcome.BLOCKED}, told(report)
    assert writes(net) == []


def test_a_log_volume_of_its_own_is_held_and_waits_for_the_window(net: Network) -> None:
    storage = {"storage_type": "io1", "iops": 1000, "allocated_storage": 100}
    built(net, _wanted(**storage))
    wanted = document(_wanted(**storage, dedicated_log_volume=True))
    report = net.run(wanted)
    assert (ended(report, DB, "dedicated_log_volume"), writes(net)) == ({Outcome.HELD}, []), told(report)
    report = net.run(wanted, Policy(downtime="window"))
    assert _sent(net) == [{"ApplyImmediately": False, "DedicatedLogVolume": True}]
    assert not net.run(wanted, Policy(downtime="window")).writes
    net.lab.maintenance_window()
    calm(net, wanted)


def test_a_log_volume_that_the_storage_cannot_have_is_told(net: Network) -> None:
    report = net.run(document(_wanted(storage_type=..., dedicated_log_volume=True)), NOW)
    assert ended(report, DB, "dedicated_log_volume") == {Outcome.BLOCKED}, told(report)
    assert writes(net) == []


def test_the_lifecycle_support_is_told_and_never_sent(net: Network) -> None:
    other = "open-source-rds-extended-support-disabled"
    report = net.run(document(_wanted(engine_lifecycle_support=other)), NOW)
    assert ended(report, DB, "engine_lifecycle_support") == {Outcome.BLOCKED}, told(report)
    assert writes(net) == []


def test_what_is_not_declared_of_them_is_left_alone(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"DedicatedLogVolume": True, "EngineLifecycleSupport": "open-source-rds-extended-support-disabled"}
    _marked(net, monkeypatch, DatabaseInsightsMode="advanced", **shown)
    calm(net)
    database(DBInstanceClass="db.t3.large", DeletionProtection=False)(net)
    net.lab.calls.clear()
    net.run(policy=NOW)
    assert not {"DatabaseInsightsMode", *shown} & {name for one in _sent(net) for name in one}


def test_log_exports_are_sent_as_what_differs(net: Network) -> None:
    wanted = built(net, _wanted(enabled_cloudwatch_logs_exports=["postgresql"]))
    database(CloudwatchLogsExportConfiguration={"EnableLogTypes": ["upgrade"]})(net)
    net.lab.calls.clear()
    net.run(wanted)
    assert _sent(net) == [
        {"ApplyImmediately": False, "CloudwatchLogsExportConfiguration": {"DisableLogTypes": ["upgrade"]}}
    ]


def test_an_export_that_rds_is_still_switching_on_is_not_sent_again(net: Network) -> None:
    net.lab.rds_state(DATABASE, pending={"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["postgresql"]}})
    calm(net, document(_wanted(enabled_cloudwatch_logs_exports=["postgresql"])))


def test_small_gp3_is_in_sync_with_what_it_shows_and_is_never_told_it(net: Network) -> None:
    wanted = document(_wanted(iops=3000, storage_throughput=125))
    calm(net, wanted)
    report = net.run(document(_wanted(iops=3000, storage_throughput=125, allocated_storage=30)))
    assert _sent(net) == [{"ApplyImmediately": True, "AllocatedStorage": 30}], told(report)


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ({"allocated_storage": 400}, {"AllocatedStorage": 400}),
        ({"allocated_storage": 400, "iops": 13000}, {"AllocatedStorage": 400, "Iops": 13000}),
        (
            {"allocated_storage": 500, "iops": 13000, "storage_throughput": 600},
            {"AllocatedStorage": 500, "Iops": 13000, "StorageThroughput": 600},
        ),
        (
            {"allocated_storage": 100, "storage_type": "io1", "iops": 1000},
            {"AllocatedStorage": 100, "StorageType": "io1", "Iops": 1000},
        ),
    ],
    ids=str,
)
def test_storage_is_sent_as_a_whole_and_without_what_it_showed_before(
    net: Network, declared: dict[str, Any], sent: dict[str, Any]
) -> None:
    report = net.run(document(_wanted(**declared)))
    assert _sent(net) == [{"ApplyImmediately": True, **sent}], told(report)
    net.lab.settle()
    calm(net, document(_wanted(**declared)))


def test_iops_are_sent_with_the_size(net: Network) -> None:
    wanted = built(net, _wanted(allocated_storage=100, storage_type="io1", iops=1000))
    database(AllocatedStorage=100, Iops=2000)(net)
    net.lab.calls.clear()
    net.run(wanted)
    assert _sent(net) == [{"ApplyImmediately": True, "AllocatedStorage": 100, "Iops": 1000}]


def test_autoscaling_is_switched_off_by_the_live_size(net: Network) -> None:
    database(MaxAllocatedStorage=100)(net)
    live_database(net).allocated_storage = 50
    wanted = document(_wanted(max_allocated_storage=0, allocated_storage=50))
    net.run(wanted)
    assert _sent(net) == [{"ApplyImmediately": False, "MaxAllocatedStorage": 50}]
    net.lab.settle()
    calm(net, wanted)


@pytest.mark.parametrize("size", [5, 10, 17])
def test_an_instance_under_20_gib_is_kept_as_it_is(net: Network, size: int) -> None:
    live_database(net).allocated_storage = size
    calm(net, document(_wanted(allocated_storage=size)))
    why = f"at least 20 GiB: declare {size}"
    left(net, DB, "allocated_storage", Outcome.BLOCKED, why, document(_wanted(allocated_storage=19)))


def test_magnetic_storage_that_aws_converted_is_no_drift(net: Network) -> None:
    calm(net, document(_wanted(storage_type="standard")))


def test_a_parameter_group_is_associated_with_leave_and_then_waits_for_a_reboot(net: Network) -> None:
    net.outsider("rds").create_db_parameter_group(
        DBParameterGroupName="orders-16", DBParameterGroupFamily="postgres16", Description="d"
    )
    wanted = document(_wanted(db_parameter_group="orders-16"))
    report = net.run(wanted, NOW)
    assert writes(net) == ["ModifyDBInstance"]
    net.lab.settle()
    again = net.run(wanted, NOW)
    assert (again.drifts, again.writes, again.in_sync) == ((), 0, False), told(report)
    (found,) = again.findings
    assert (found.address, found.field, found.cause.reason) == (DB, "db_parameter_group", Reason.PENDING_REBOOT)
    assert f"aws rds reboot-db-instance --db-instance-identifier {DATABASE}" in found.cause.message
    net.outsider("rds").reboot_db_instance(DBInstanceIdentifier=DATABASE)
    net.lab.settle()
    calm(net, wanted)


def test_a_new_database_has_it_all(net: Network) -> None:
    wanted = document(
        _wanted(
            allocated_storage=400,
            iops=12500,
            monitoring_interval=30,
            monitoring_role=ROLE,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            performance_insights_enabled=True,
            performance_insights_retention_period=465,
            database_insights_mode="advanced",
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            ca_certificate_identifier="rds-ca-ecc384-g1",
            iam_database_authentication=True,
        )
    )
    database(DeletionProtection=False)(net)
    net.outsider("rds").delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
    net.lab.settle()
    net.run(wanted, Policy(create_databases=True))
    net.lab.settle()
    calm(net, wanted)


def _marked(net: Network, monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    """RDS shows these members of the instance too."""
    from lab import strict_rds

    shown = strict_rds.shown_instance
    monkeypatch.setattr(strict_rds, "shown_instance", lambda live, instance: {**shown(live, instance), **members})


HOLDERS = [
    ({"AwsBackupRecoveryPointArn": "arn:aws:backup:x:1:recovery-point:1"}, "backup_retention_period", "AWS Backup"),
    ({"DBCapacityReservationIdentifier": "dbcr-1"}, "db_instance_class", "the reserved capacity dbcr-1"),
]


@pytest.mark.parametrize(("members", "field", "why"), HOLDERS, ids=["backup", "capacity"])
def test_what_another_service_decides_is_left_alone_and_shields_nothing(
    net: Network, monkeypatch: pytest.MonkeyPatch, members: dict[str, str], field: str, why: str
) -> None:
    value = {"backup_retention_period": 1, "db_instance_class": "db.t3.large"}[field]
    database(PubliclyAccessible=True, **{SETTINGS[field].parameter: value})(net)
    _marked(net, monkeypatch, **members)
    net.run(policy=NOW)
    net.lab.settle()
    assert [set(one) for one in _sent(net)] == [{"ApplyImmediately", "PubliclyAccessible"}]
    (drift,) = net.run(policy=NOW).drifts
    assert (drift.outcome, drift.cause and drift.cause.reason) == (Outcome.HELD, Reason.KEPT_BY_OTHERS)
    assert why in drift.message


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"monitoring_interval": 60}, "without a monitoring_role"),
        ({"monitoring_role": ROLE}, "without a monitoring_interval"),
        ({"max_allocated_storage": 21}, "less than 1.1 times"),
        ({"iops": 4000}, "has no iops to choose"),
        ({"storage_type": "gp2", "iops": 3000}, "has no iops to choose"),
        ({"allocated_storage": 400, "iops": 3000}, "too few for gp3"),
        ({"performance_insights_retention_period": 7}, "not declared to be on"),
        ({"performance_insights_enabled": True, "performance_insights_retention_period": 94}, "for 94 days"),
        ({"performance_insights_enabled": True, "database_insights_mode": "advanced"}, "465 days at least"),
        ({**ADVANCED, "performance_insights_retention_period": 434}, "465 days at least"),
        ({"dedicated_log_volume": True}, "no log volume of its own"),
        ({"enabled_cloudwatch_logs_exports": ["audit"]}, "not a log of PostgreSQL"),
        ({"kms_key": "alias/shop"}, "not the ARN of a KMS key"),
        ({"ca_certificate_identifier": "mine"}, "not a certificate authority"),
        ({"db_parameter_group": "Shop_1"}, "not the name of a DB parameter group"),
    ],
    ids=str,
)
def test_what_rds_would_refuse_is_refused_at_load(fields: dict[str, Any], word: str) -> None:
    written = json.loads(json.dumps(REFERENCE))
    written["resources"]["db_instance"][DATABASE].update(fields)
    with pytest.raises(DocumentError, match=word):
        load(json.dumps(written).encode(), "test.json")


@pytest.mark.parametrize("window", ["sun:23:45-mon:00:15", "sun:23:30-mon:00:00", "mon:00:00-mon:00:30"])
def test_a_maintenance_window_may_pass_sunday_midnight(net: Network, window: str) -> None:
    wanted = document(_wanted(preferred_maintenance_window=window))
    net.run(wanted)
    net.lab.settle()
    calm(net, wanted)
