"""What changing each setting of a database costs, what is sent with it, and what is left alone, without an emulator.

The table is read off the RDS user guide (Settings for DB instances), not off the code.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from desired_state.database import DbInstance, LogTypes
from desired_state.fields import Address
from reconciler.kinds import REGISTRY
from reconciler.kinds.db_instance.observed import observed
from reconciler.kinds.db_instance.settings import SETTINGS
from reconciler.model import Observed, Outcome, Policy, Reason, Risk
from tests.support.worlds import DATABASE, REFERENCE, document, drifted, plan, seen

ROLE, OTHER_ROLE = (f"arn:aws:iam::123456789012:role/{name}" for name in ("rds-monitoring", "other"))
KEY, OTHER_KEY = (f"arn:aws:kms:ap-northeast-2:123456789012:key/{number}" for number in (1, 2))
GP3 = {"storage_type": "gp3", "allocated_storage": 500, "iops": 12_000, "storage_throughput": 500}
NEVER, WINDOW, NOW = (Policy(downtime=when) for when in ("never", "window", "now"))


def planned(
    declared: dict[str, Any],
    live: dict[str, Any],
    policy: Policy = NEVER,
    pending: set[str] | None = None,
    **facts: Any,
) -> tuple[list[tuple[dict[str, Any], Risk]], list[tuple[str, Outcome, Reason]]]:
    """The parameters and the risk of each call, and what is found instead; all else is as declared. `facts` are of the
    live instance, such as its status.
    """
    written = {**REFERENCE["resources"]["db_instance"][DATABASE.name], **declared}
    wanted = document(
        db_instance={DATABASE.name: {name: value for name, value in written.items() if value is not None}}
    )
    look = seen(wanted)
    now = {**look.resources[DATABASE].facts.now, **live, **facts.pop("now", {})}
    look = drifted(look, DATABASE, now=now, pending=frozenset(pending or ()), **live)
    one = look.resources[DATABASE]
    look = replace(look, resources={**look.resources, DATABASE: replace(one, facts=one.facts._replace(**facts))})
    found = plan(wanted, look, policy)
    calls = [
        ({key: value for key, value in one.params.items() if key != "DBInstanceIdentifier"}, one.risk)
        for one in found.actions
        if one.operation.name == "ModifyDBInstance"
    ]
    return calls, [(one.field, one.outcome, one.cause.reason) for one in found.findings]


# What it costs: its field, what is declared, what is live, what RDS is told, and when it takes effect.

SUNDAY, CA = "sun:20:00-sun:20:30", "rds-ca-rsa4096-g1"
COSTS: list[tuple[str, Any, Any, str, Any, str]] = [
    ("publicly_accessible", False, True, "PubliclyAccessible", False, "free"),
    ("deletion_protection", True, False, "DeletionProtection", True, "free"),
    ("copy_tags_to_snapshot", True, False, "CopyTagsToSnapshot", True, "free"),
    ("auto_minor_version_upgrade", True, False, "AutoMinorVersionUpgrade", True, "free"),
    ("max_allocated_storage", 100, 0, "MaxAllocatedStorage", 100, "free"),
    ("preferred_backup_window", "17:00-17:30", "18:00-18:30", "PreferredBackupWindow", "17:00-17:30", "free"),
    ("preferred_maintenance_window", SUNDAY, "mon:20:00-mon:20:30", "PreferredMaintenanceWindow", SUNDAY, "free"),
    ("backup_retention_period", 7, 3, "BackupRetentionPeriod", 7, "free"),
    ("backup_retention_period", 7, 0, "BackupRetentionPeriod", 7, "restart"),
    ("backup_retention_period", 0, 7, "BackupRetentionPeriod", 0, "restart"),
    ("multi_az", True, False, "MultiAZ", True, "window"),
    ("iam_database_authentication", True, False, "EnableIAMDatabaseAuthentication", True, "window"),
    ("iam_database_authentication", False, True, "EnableIAMDatabaseAuthentication", False, "asked"),
    ("ca_certificate_identifier", CA, "rds-ca-rsa2048-g1", "CACertificateIdentifier", CA, "asked"),
    ("db_parameter_group", "tuned", "default.postgres16", "DBParameterGroupName", "tuned", "asked"),
    ("network_type", "DUAL", "IPV4", "NetworkType", "DUAL", "asked"),
    ("dedicated_log_volume", False, True, "DedicatedLogVolume", False, "asked"),
    ("port", 5432, 6000, "DBPortNumber", 5432, "restart"),
    ("db_instance_class", "db.t3.micro", "db.t3.large", "DBInstanceClass", "db.t3.micro", "restart"),
    ("engine_version", "16.4", "16.3", "EngineVersion", "16.4", "restart"),
    ("manage_master_user_password", True, False, "ManageMasterUserPassword", True, "restart"),
]


@pytest.mark.parametrize(("field", "want", "have", "parameter", "value", "cost"), COSTS)
def test_what_a_change_costs(field: str, want: Any, have: Any, parameter: str, value: Any, cost: str) -> None:
    """`free` goes at once and flushes nothing, `window` at once since nobody notices, `restart` and `asked`, which may
    lock people out, with leave only.
    """
    risk = Risk.DOWNTIME if cost in {"restart", "asked"} else Risk.TRAFFIC
    for policy, immediately in ((NEVER, cost == "window"), (WINDOW, cost == "window"), (NOW, cost != "free")):
        calls, found = planned({field: want}, {field: have}, policy)
        if cost == "asked" and policy is NEVER:
            assert (calls, found) == ([], [(field, Outcome.HELD, Reason.DOWNTIME)])
        else:
            assert (calls, found) == ([({"ApplyImmediately": immediately, parameter: value}, risk)], [])


def test_the_mode_of_database_insights_is_asked_for() -> None:
    declared = {"performance_insights_enabled": True, "database_insights_mode": "standard"}
    calls, found = planned(declared, {"database_insights_mode": "advanced"})
    assert (calls, found) == ([], [("database_insights_mode", Outcome.HELD, Reason.DOWNTIME)])
    ((params, risk),), found = planned(declared, {"database_insights_mode": "advanced"}, NOW)
    assert (params["DatabaseInsightsMode"], params["ApplyImmediately"], risk, found) == (
        "standard",
        True,
        Risk.DOWNTIME,
        [],
    )


def test_every_setting_has_its_cost_here() -> None:
    together = {
        "vpc_security_groups",
        "database_insights_mode",
        *MONITORED,
        *INSIGHTS,
        *GP3,
        "enabled_cloudwatch_logs_exports",
    }
    asked = {field for field, *_ in COSTS} | together - {"performance_insights_kms_key"}
    assert SETTINGS.keys() - {"engine_lifecycle_support"} == asked  # which RDS lets nobody change


@pytest.mark.parametrize(
    ("field", "want", "have"),
    [
        ("engine", "postgres", "mysql"),
        ("storage_encrypted", True, False),
        ("kms_key", KEY, OTHER_KEY),
        ("db_name", "orders", "other"),
        ("master_username", "postgres", "other"),
        ("performance_insights_kms_key", KEY, OTHER_KEY),
    ],
)
def test_what_cannot_be_changed_is_said_and_nothing_is_sent(field: str, want: Any, have: Any) -> None:
    calls, found = planned(
        {"storage_encrypted": True, "performance_insights_enabled": True, field: want}, {field: have}, NOW
    )
    assert (calls, found) == ([], [(field, Outcome.BLOCKED, Reason.IMMUTABLE)])


# What goes together


MONITORED = {"monitoring_interval": 60, "monitoring_role": ROLE}
WITH_ROLE = {"MonitoringInterval": 60, "MonitoringRoleArn": ROLE}
UNSEEN = {
    "performance_insights_enabled": False,
    "performance_insights_retention_period": None,
    "performance_insights_kms_key": None,
}
WITH_ALL = {
    "EnablePerformanceInsights": True,
    "PerformanceInsightsRetentionPeriod": 31,
    "PerformanceInsightsKMSKeyId": KEY,
}
INSIGHTS = {
    "performance_insights_enabled": True,
    "performance_insights_retention_period": 31,
    "performance_insights_kms_key": KEY,
}


@pytest.mark.parametrize(
    ("declared", "live", "sent"),
    [
        (MONITORED, {"monitoring_interval": 0, "monitoring_role": ""}, WITH_ROLE),
        (MONITORED, {"monitoring_interval": 30}, WITH_ROLE),
        (MONITORED, {"monitoring_role": OTHER_ROLE}, WITH_ROLE),
        ({"monitoring_interval": 0}, MONITORED, {"MonitoringInterval": 0}),
        (INSIGHTS, UNSEEN, WITH_ALL),
        (INSIGHTS, {"performance_insights_retention_period": 7}, WITH_ALL),
        (
            {"performance_insights_enabled": True},
            {"performance_insights_enabled": False, "performance_insights_retention_period": 62},
            {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 62},
        ),
        (
            {"performance_insights_enabled": True},
            {"performance_insights_enabled": False},
            {"EnablePerformanceInsights": True},
        ),
        (
            {"performance_insights_enabled": True},
            {"performance_insights_enabled": False, "performance_insights_kms_key": KEY},
            {"EnablePerformanceInsights": True, "PerformanceInsightsKMSKeyId": KEY},
        ),
        (
            {"performance_insights_enabled": True},
            {"performance_insights_enabled": False, "database_insights_mode": "standard"},
            {"EnablePerformanceInsights": True, "DatabaseInsightsMode": "standard"},
        ),
        (
            {"enabled_cloudwatch_logs_exports": ["upgrade", "postgresql"]},
            {"enabled_cloudwatch_logs_exports": LogTypes()},
            {"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["postgresql", "upgrade"]}},
        ),
        (
            {"enabled_cloudwatch_logs_exports": []},
            {"enabled_cloudwatch_logs_exports": LogTypes({"upgrade", "postgresql"})},
            {"CloudwatchLogsExportConfiguration": {"DisableLogTypes": ["postgresql", "upgrade"]}},
        ),
        (
            {"enabled_cloudwatch_logs_exports": ["postgresql"]},
            {"enabled_cloudwatch_logs_exports": LogTypes({"upgrade"})},
            {"CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["postgresql"], "DisableLogTypes": ["upgrade"]}},
        ),
    ],
)
def test_what_rds_takes_together_is_sent_together(
    declared: dict[str, Any], live: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert planned(declared, live) == ([({"ApplyImmediately": False, **sent}, Risk.TRAFFIC)], [])


FAST = {"AllocatedStorage": 500, "Iops": 12_000, "StorageThroughput": 500}
UNCHOSEN = {**GP3, "iops": None, "storage_throughput": None}
IO1 = {"storage_type": "io1", "allocated_storage": 500, "iops": 5_000, "storage_throughput": None}


@pytest.mark.parametrize(
    ("declared", "live", "sent"),
    [
        (GP3, {"iops": 13_000}, FAST),
        (GP3, {"storage_throughput": 600}, FAST),
        (GP3, {"allocated_storage": 400}, FAST),
        # What is not declared keeps its speed, but none of another type's.
        (UNCHOSEN, {**GP3, "allocated_storage": 400}, FAST),
        ({**UNCHOSEN, "storage_type": None}, {**GP3, "allocated_storage": 400}, FAST),
        (UNCHOSEN, IO1, {"AllocatedStorage": 500, "StorageType": "gp3"}),
        (IO1, GP3, {"AllocatedStorage": 500, "StorageType": "io1", "Iops": 5_000}),
        (IO1, {**IO1, "iops": 4_000, "storage_throughput": 500}, {"AllocatedStorage": 500, "Iops": 5_000}),
        # What is not declared is as it is.
        ({"storage_type": "gp3", "allocated_storage": None}, IO1, {"AllocatedStorage": 500, "StorageType": "gp3"}),
        (
            {"storage_type": None, "allocated_storage": None, "iops": 13_000},
            IO1,
            {"AllocatedStorage": 500, "Iops": 13_000},
        ),
        (
            {**IO1, "allocated_storage": 100, "iops": 1_000},
            {"storage_type": "gp3", "iops": None},
            {"AllocatedStorage": 100, "StorageType": "io1", "Iops": 1_000},
        ),
        # Below 400 GiB gp3 has a speed that nobody chooses, and RDS refuses to be told it.
        ({"storage_type": "gp3", "allocated_storage": 399}, {"allocated_storage": 300}, {"AllocatedStorage": 399}),
        (
            {"storage_type": "gp3", "allocated_storage": 399, "iops": 3000, "storage_throughput": 125},
            {"allocated_storage": 300, "iops": None, "storage_throughput": None},
            {"AllocatedStorage": 399},
        ),
    ],
    ids=str,
)
def test_storage_is_sent_as_it_will_be(declared: dict[str, Any], live: dict[str, Any], sent: dict[str, Any]) -> None:
    ((params, risk),), found = planned(declared, live)
    assert (params, risk, found) == ({"ApplyImmediately": True, **sent}, Risk.TRAFFIC, [])


def test_autoscaling_is_switched_off_by_the_size_that_is_there() -> None:
    calls, found = planned(
        {"max_allocated_storage": 0, "allocated_storage": 20}, {"max_allocated_storage": 100, "allocated_storage": 50}
    )
    assert calls == [({"ApplyImmediately": False, "MaxAllocatedStorage": 50}, Risk.TRAFFIC)]
    assert [one[:2] for one in found] == [("allocated_storage", Outcome.BLOCKED)]


# What is left to a person


@pytest.mark.parametrize(
    ("field", "want", "have", "live", "blocked"),
    [
        ("performance_insights_enabled", False, True, {}, True),
        ("allocated_storage", 30, 50, {}, True),
        ("allocated_storage", 54, 50, {}, True),
        ("allocated_storage", 55, 50, {}, False),
        ("allocated_storage", 19, 10, {}, True),
        ("allocated_storage", 20, 10, {}, False),
        ("max_allocated_storage", 54, 100, {"allocated_storage": 50}, True),
        ("max_allocated_storage", 55, 100, {"allocated_storage": 50}, False),
        ("engine_version", "16.3", "16.4", {}, True),
    ],
    ids=str,
)
def test_what_rds_refuses_is_not_tried(
    field: str, want: Any, have: Any, live: dict[str, Any], *, blocked: bool
) -> None:
    declared = {"allocated_storage": None, "auto_minor_version_upgrade": None, field: want}
    calls, found = planned(declared, {"auto_minor_version_upgrade": False, **live, field: have}, NOW)
    assert (field, Outcome.BLOCKED, Reason.UNSUPPORTED) in found if blocked else calls
    assert bool(calls) is not blocked


@pytest.mark.parametrize(
    ("kept_by", "left"),
    [
        ({"": "a blue/green deployment"}, {"deletion_protection", "multi_az"}),
        ({"multi_az": "AWS Backup"}, {"multi_az"}),
        ({"port": "another field"}, set()),
    ],
)
def test_what_others_keep_is_held_and_the_rest_is_corrected(kept_by: dict[str, str], left: set[str]) -> None:
    fields = {"deletion_protection": True, "multi_az": False}
    calls, found = planned(fields, {name: not value for name, value in fields.items()}, kept_by=kept_by)
    assert sorted(found) == [(one, Outcome.HELD, Reason.KEPT_BY_OTHERS) for one in sorted(left)]
    assert len(calls) == len(fields) - len(left)


@pytest.mark.parametrize(
    ("status", "waiting"),
    [
        ("storage-optimization", {"allocated_storage"}),
        ("storage-full", {"multi_az", "deletion_protection"}),
        ("available", set()),
    ],
)
def test_storage_that_is_busy_or_full_keeps_back_what_rds_would_refuse(status: str, waiting: set[str]) -> None:
    declared = {"allocated_storage": 100, "multi_az": False, "deletion_protection": True}
    live = {"allocated_storage": 50, "multi_az": True, "deletion_protection": False}
    _, found = planned(declared, live, status=status)
    assert {field for field, outcome, _ in found if outcome is Outcome.WAITING} == waiting


LARGE, MICRO = "db.t3.large", "db.t3.micro"


def test_what_somebody_else_has_set_and_rds_has_not_done_is_taken_back_at_once() -> None:
    for policy in (NEVER, WINDOW, NOW):
        calls, found = planned(
            {"db_instance_class": MICRO},
            {"db_instance_class": LARGE},
            policy,
            {"DBInstanceClass"},
            now={"db_instance_class": MICRO},
        )
        assert (calls, found) == ([({"ApplyImmediately": True, "DBInstanceClass": MICRO}, Risk.TRAFFIC)], [])
    calls, _ = planned(
        {"engine_version": "16"}, {"engine_version": "17.2"}, NEVER, {"EngineVersion"}, now={"engine_version": "16.4"}
    )
    assert calls == [({"ApplyImmediately": True, "EngineVersion": "16.4"}, Risk.TRAFFIC)]


def test_nothing_is_applied_at_once_with_somebody_else_s_change() -> None:
    other = {"AllocatedStorage"}
    calls, found = planned({"db_instance_class": MICRO}, {"db_instance_class": LARGE}, NOW, other)
    assert (calls, found) == ([], [("db_instance_class", Outcome.HELD, Reason.PENDING_CHANGE)])
    for policy in (NEVER, WINDOW):
        calls, _ = planned({"db_instance_class": MICRO}, {"db_instance_class": LARGE}, policy, other)
        assert calls == [({"ApplyImmediately": False, "DBInstanceClass": MICRO}, Risk.DOWNTIME)]
    calls, _ = planned({"multi_az": False}, {"multi_az": True}, NEVER, other)
    assert calls == [({"ApplyImmediately": False, "MultiAZ": False}, Risk.TRAFFIC)]


# What RDS shows


def shown(**members: Any) -> Observed[DbInstance, Any]:
    item = {
        "DBInstanceIdentifier": "orders",
        "DBInstanceArn": "arn:orders",
        "Engine": "postgres",
        "DBInstanceClass": "db.t3.micro",
        "StorageType": "gp3",
        "AllocatedStorage": 20,
        "PubliclyAccessible": False,
        "BackupRetentionPeriod": 7,
        "VpcSecurityGroups": [],
    } | members
    deployments = item.pop("deployments", ())
    context: Any = SimpleNamespace(
        named=Address.of,
        address=Address,
        read=SimpleNamespace(vpc_id="vpc-1"),
        answers=SimpleNamespace(get=lambda read, otherwise: deployments),
    )
    return observed(item, context)


@pytest.mark.parametrize(("size", "chosen"), [(20, False), (399, False), (400, True), (None, False)])
def test_the_speed_of_small_gp3_is_none_that_somebody_chose(size: int | None, *, chosen: bool) -> None:
    spec = shown(AllocatedStorage=size, Iops=12_000, StorageThroughput=500).spec
    assert (spec.iops, spec.storage_throughput) == ((12_000, 500) if chosen else (None, None))
    assert shown(StorageType="io1", Iops=1000).spec.iops == 1000


SWITCHES = [
    "AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DedicatedLogVolume", "DeletionProtection",
    "IAMDatabaseAuthenticationEnabled", "MultiAZ", "PerformanceInsightsEnabled", "PubliclyAccessible",
    "StorageEncrypted",
]  # fmt: skip


@pytest.mark.parametrize("odd", [None, "", "true", 1, []])
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_that_is_neither_on_nor_off_is_not_understood(switch: str, odd: Any) -> None:
    """What counted as not said was not corrected, and nobody was told."""
    with pytest.raises(ValueError, match=f"^{switch} is "):
        shown(**{switch: odd})


def test_what_is_off_is_shown_by_its_absence() -> None:
    spec = shown().spec
    assert (spec.max_allocated_storage, spec.monitoring_interval, spec.monitoring_role) == (0, 0, "")
    assert (spec.performance_insights_enabled, spec.iam_database_authentication) == (False, False)
    assert spec.enabled_cloudwatch_logs_exports == LogTypes()


@pytest.mark.parametrize(
    ("on", "off", "expected"),
    [
        (["upgrade"], [], {"postgresql", "upgrade"}),
        ([], ["postgresql"], set()),
        (["upgrade"], ["postgresql"], {"upgrade"}),
    ],
)
def test_exports_that_are_being_switched_count_as_switched(on: list[str], off: list[str], expected: set[str]) -> None:
    waiting = {"PendingCloudwatchLogsExports": {"LogTypesToEnable": on, "LogTypesToDisable": off}}
    spec = shown(EnabledCloudwatchLogsExports=["postgresql"], PendingModifiedValues=waiting).spec
    assert spec.enabled_cloudwatch_logs_exports == LogTypes(expected)


@pytest.mark.parametrize("end", ["Source", "Target"])
@pytest.mark.parametrize(
    ("status", "holds"),
    [("AVAILABLE", True), ("SWITCHOVER_FAILED", True), ("SWITCHOVER_COMPLETED", False), ("DELETING", False)],
)
def test_a_deployment_holds_what_it_names(end: str, status: str, *, holds: bool) -> None:
    one = {"BlueGreenDeploymentName": "upgrade", "Source": "arn:other", "Target": "arn:another", "Status": status}
    assert shown(deployments=[one]).facts.kept_by == {}
    assert bool(shown(deployments=[one | {end: "arn:orders"}]).facts.kept_by) is holds


def test_what_aws_backup_and_a_capacity_reservation_keep() -> None:
    assert set(shown(AwsBackupRecoveryPointArn="arn:1").facts.kept_by) == {
        "backup_retention_period",
        "preferred_backup_window",
    }
    assert set(shown(DBCapacityReservationIdentifier="dbcr-1").facts.kept_by) == {"db_instance_class", "multi_az"}


@pytest.mark.parametrize(("status", "told"), [("pending-reboot", True), ("in-sync", False), ("applying", False)])
def test_a_parameter_group_that_waits_for_a_reboot_is_told(status: str, *, told: bool) -> None:
    found = shown(DBParameterGroups=[{"DBParameterGroupName": "tuned", "ParameterApplyStatus": status}])
    assert found.spec.db_parameter_group == "tuned"
    reasons = [one.cause.reason for one in found.conditions]
    assert reasons == ([Reason.PENDING_REBOOT] if told else [])


def test_nothing_reboots_a_database_and_its_licence_is_left_alone() -> None:
    assert "license_model" not in DbInstance.model_fields
    called = {one.name for kind in REGISTRY.values() for one in kind.operations if one.service == "rds"}
    changed = {"ModifyDBInstance", "ModifyDBSubnetGroup", "AddTagsToResource"}
    assert called == {"CreateDBInstance", "CreateDBSubnetGroup", *changed}
