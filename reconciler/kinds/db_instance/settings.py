"""What changing a setting of a DB instance costs. `changes.py` plans by it.

The live state includes the changes that RDS has accepted and not yet applied (`PendingModifiedValues`); without them,
the same change would be sent again and again. `ApplyImmediately=True` applies everything that is pending, so it is sent
only if nobody else's change is (RDS user guide, Modifying a DB instance).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from desired_state.database import DbInstance
from desired_state.fields import Address
from desired_state.versions import covers
from reconciler.model import Difference, Observed


class Facts(NamedTuple):
    """`now`: the current values by field. `pending`: the parameters with an accepted change that is not applied yet.
    `status`: RDS's. `vpc` and `document_vpc`: the ids of the instance's VPC and of the document's. `groups`: the
    security groups that filter its packets now. `kept_by`: why fields are left alone ("": all but the tags).
    """

    now: Mapping[str, Any]
    pending: frozenset[str]
    status: str
    vpc: str
    document_vpc: str
    groups: frozenset[Address] = frozenset()
    kept_by: Mapping[str, str] = MappingProxyType({})


type Live = Observed[DbInstance, Facts]


class Setting(NamedTuple):
    """A field that RDS can change: its parameter, what changing it costs, and its name in PendingModifiedValues.

    `cost`: "none" takes effect immediately regardless of ApplyImmediately; "window" waits for the maintenance window
    without it, and has no downtime; "downtime" restarts the instance, locks its users out or changes what it costs.
    `together`: the name of the settings that RDS judges together, so that they are sent together or not at all.
    """

    parameter: str
    cost: str
    pending: str = ""
    together: str = ""


SETTINGS: Mapping[str, Setting] = {
    "vpc_security_groups": Setting("VpcSecurityGroupIds", "none"),
    "publicly_accessible": Setting("PubliclyAccessible", "none"),
    "deletion_protection": Setting("DeletionProtection", "none"),
    "copy_tags_to_snapshot": Setting("CopyTagsToSnapshot", "none"),
    "auto_minor_version_upgrade": Setting("AutoMinorVersionUpgrade", "none"),
    "max_allocated_storage": Setting("MaxAllocatedStorage", "none"),
    "preferred_backup_window": Setting("PreferredBackupWindow", "none", together="windows"),
    "preferred_maintenance_window": Setting("PreferredMaintenanceWindow", "none", together="windows"),
    "backup_retention_period": Setting("BackupRetentionPeriod", "none", "BackupRetentionPeriod"),
    "enabled_cloudwatch_logs_exports": Setting(
        "CloudwatchLogsExportConfiguration", "none", "PendingCloudwatchLogsExports"
    ),
    "monitoring_interval": Setting("MonitoringInterval", "none", together="monitoring"),
    "monitoring_role": Setting("MonitoringRoleArn", "none", together="monitoring"),
    "performance_insights_enabled": Setting("EnablePerformanceInsights", "none", together="insights"),
    "performance_insights_retention_period": Setting("PerformanceInsightsRetentionPeriod", "none", together="insights"),
    "database_insights_mode": Setting("DatabaseInsightsMode", "downtime", together="insights"),
    "allocated_storage": Setting("AllocatedStorage", "window", "AllocatedStorage", "storage"),
    "storage_type": Setting("StorageType", "window", "StorageType", "storage"),
    "iops": Setting("Iops", "window", "Iops", "storage"),
    "storage_throughput": Setting("StorageThroughput", "window", "StorageThroughput", "storage"),
    "multi_az": Setting("MultiAZ", "window", "MultiAZ"),
    "iam_database_authentication": Setting(
        "EnableIAMDatabaseAuthentication", "window", "IAMDatabaseAuthenticationEnabled"
    ),
    "ca_certificate_identifier": Setting("CACertificateIdentifier", "downtime", "CACertificateIdentifier"),
    "db_parameter_group": Setting("DBParameterGroupName", "downtime"),
    "network_type": Setting("NetworkType", "downtime"),
    "dedicated_log_volume": Setting("DedicatedLogVolume", "downtime", "DedicatedLogVolume"),
    "engine_lifecycle_support": Setting("EngineLifecycleSupport", "none"),
    "port": Setting("DBPortNumber", "downtime", "Port"),
    "db_instance_class": Setting("DBInstanceClass", "downtime", "DBInstanceClass"),
    "engine_version": Setting("EngineVersion", "downtime", "EngineVersion"),
    "manage_master_user_password": Setting("ManageMasterUserPassword", "downtime"),
}
"""Sources: RDS user guide, Settings for DB instances; a managed password replaces the one that applications hold."""

RISKS: Mapping[str, str] = {
    "iam_database_authentication": "whoever logs in with IAM is locked out",
    "ca_certificate_identifier": "clients that verify the server must trust the new authority first",
    "db_parameter_group": "what it sets takes effect at a reboot, which is left to a person",
    "network_type": "an outage is possible",
    "dedicated_log_volume": "it takes effect with a restart, and copying the log may take long",
    "database_insights_mode": "it changes what the database costs and how long its figures are kept",
}
"""What is at stake where it is not a restart, for people who decide about it."""

IMMUTABLE = frozenset(
    {
        "engine",
        "storage_encrypted",
        "kms_key",
        "performance_insights_kms_key",
        "db_name",
        "master_username",
        "db_subnet_group",
    }
)
"""`db_subnet_group`: RDS refuses to move an instance to another group of the same VPC."""

ONCE = frozenset({"performance_insights_retention_period"})
"""Since the end of the console of Performance Insights RDS may refuse or rewrite how long its figures are kept (RDS
user guide, Database Insights).
"""

_MODE = "database_insights_mode"


def takes_back(one: Difference, have: Live) -> bool:
    """Whether the declared value is the current one, so that the change only cancels a pending change."""
    now: Any = have.facts.now.get(one.field)
    runs = one.field == "engine_version" and covers(str(one.want), str(now))
    return SETTINGS[one.field].pending in have.facts.pending and (one.want == now or runs)


def cost_of(one: Difference, have: Live, beside: Iterable[Difference]) -> str:
    """The cost of this change, as in `Setting.cost`, beside the other differences of the instance."""
    if _goes_with_mode(one, beside):
        return SETTINGS[_MODE].cost
    if takes_back(one, have):
        return "none"
    if one.field == "backup_retention_period" and 0 in {one.want, have.facts.now[one.field]}:
        return "downtime"
    if one.field == "storage_type" and "standard" in {one.want, one.have}:
        return "downtime"
    if one.field == "iam_database_authentication" and not one.want:
        return "downtime"
    return SETTINGS[one.field].cost


def risk_of(one: Difference, beside: Iterable[Difference]) -> str:
    """What is at stake, as in `RISKS`; empty if it is a restart, or nothing."""
    return RISKS.get(_MODE if _goes_with_mode(one, beside) else one.field, "")


def _goes_with_mode(one: Difference, beside: Iterable[Difference]) -> bool:
    """Whether a change is sent in the call that changes the mode of Database Insights, or not at all."""
    return SETTINGS[one.field].together == SETTINGS[_MODE].together and any(other.field == _MODE for other in beside)


def only_these(differences: Iterable[Difference], have: Live) -> bool:
    """Whether `ApplyImmediately` would apply only these changes."""
    return bool(have.facts.pending <= {SETTINGS[one.field].pending for one in differences})


def cancels(differences: Iterable[Difference], have: Live) -> bool:
    """Whether a change cancels a pending one, which RDS does only immediately (RDS user guide, Modifying)."""
    return any(SETTINGS[one.field].pending in have.facts.pending for one in differences)
