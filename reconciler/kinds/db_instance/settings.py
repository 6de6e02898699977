"""What changing a setting of a DB instance costs, and which changes RDS refuses. `kind.py` plans by it.

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
from desired_state.versions import covers, is_later
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
    without it, and has no downtime; "downtime" restarts the instance or locks its users out. `together`: the name of
    the settings that RDS judges together, so that they are sent together or not at all.
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

_STORAGE = frozenset({"allocated_storage", "storage_type", "iops", "storage_throughput"})
_LEAST_SIZE = 20
"""GiB. Smaller instances are real; they keep their size (RDS user guide, Storage)."""


def impossible(one: Difference, have: Live) -> str:
    """Why RDS would refuse the change; empty if it would not."""
    now: Any = have.facts.now.get(one.field)
    if takes_back(one, have):
        return ""
    if one.field == "allocated_storage" and one.want < now:
        return f"storage cannot shrink: it has {now} GiB; declare at least that"
    if one.field == "allocated_storage" and one.want * 10 < now * 11:
        return f"storage can only grow by at least 10 %: it has {now} GiB; declare at least {-(-now * 11 // 10)}"
    if one.field == "allocated_storage" and one.want < _LEAST_SIZE:
        return f"it has {now} GiB, and RDS changes storage to at least {_LEAST_SIZE} GiB: declare {now}"
    if one.field == "max_allocated_storage" and one.want and one.want * 10 < have.facts.now["allocated_storage"] * 11:
        size = have.facts.now["allocated_storage"]
        return f"it has {size} GiB, and the maximum must be at least 1.1 times that: declare {-(-size * 11 // 10)}"
    if one.field == "performance_insights_enabled" and not one.want:
        return "the history of Performance Insights could be lost: switch it off by hand, or declare it"
    if one.field == "engine_version" and (later := is_later(one.want, str(now))) is not True:
        if later is None:
            return f"which of {one.want} and {now}, which it runs, is later cannot be told; declare {now}"
        return f"the engine cannot be downgraded: it runs {now}; declare that"
    if one.field == "manage_master_user_password" and not one.want:
        return "this requires a master password, which a document cannot contain: change it manually"
    return ""


def takes_back(one: Difference, have: Live) -> bool:
    """Whether the declared value is the current one, so that the change only cancels a pending change."""
    now: Any = have.facts.now.get(one.field)
    runs = one.field == "engine_version" and covers(str(one.want), str(now))
    return SETTINGS[one.field].pending in have.facts.pending and (one.want == now or runs)


def cost_of(one: Difference, have: Live) -> str:
    """The cost of this change, as in `Setting.cost`."""
    if takes_back(one, have):
        return "none"
    if one.field == "backup_retention_period" and 0 in {one.want, have.facts.now[one.field]}:
        return "downtime"
    if one.field == "storage_type" and "standard" in {one.want, one.have}:
        return "downtime"
    if one.field == "iam_database_authentication" and not one.want:
        return "downtime"
    return SETTINGS[one.field].cost


def only_these(differences: Iterable[Difference], have: Live) -> bool:
    """Whether `ApplyImmediately` would apply only these changes."""
    return bool(have.facts.pending <= {SETTINGS[one.field].pending for one in differences})


def cancels(differences: Iterable[Difference], have: Live) -> bool:
    """Whether a change cancels a pending one, which RDS does only immediately (RDS user guide, Modifying)."""
    return any(SETTINGS[one.field].pending in have.facts.pending for one in differences)


def not_now(one: Difference, have: Live) -> str:
    """Why RDS would refuse the change for now; empty if it would not. Full storage can only grow, and storage that is
    being optimized cannot change at all (RDS user guide, Storage).
    """
    storage = one.field in _STORAGE
    if have.facts.status == "storage-optimization" and storage:
        return "RDS is changing its storage: its status is storage-optimization"
    if have.facts.status == "storage-full" and not storage and one.field != "max_allocated_storage":
        return "RDS takes nothing but more storage: its status is storage-full"
    return ""
