"""What RDS takes together or not at all: storage, monitoring, insights, and the lists of logs (RDS API reference,
ModifyDBInstance). A half is refused, or accepted and not kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from desired_state.database import DbInstance, has_provisioned
from reconciler.kinds.db_instance.settings import SETTINGS, Facts
from reconciler.model import ABSENT, Change

type DbChange = Change[DbInstance, Facts]


def coupled(change: DbChange, fields: Iterable[str]) -> dict[str, Any]:
    """The parameters that go with a change of these fields: those that do not differ, and those whose value is not the
    declared one.
    """
    want, base = change.want, change.base
    of = {SETTINGS[field].together for field in fields}
    found: dict[str, Any] = {}
    if "storage" in of:
        found |= _storage(change, fields)
    if "monitoring" in of:
        # Of these two a document declares neither, both, or an interval of 0 (`desired_state/limits.py`).
        found["MonitoringInterval"] = want.monitoring_interval
        if want.monitoring_interval:
            found["MonitoringRoleArn"] = want.monitoring_role
    if "insights" in of:
        found |= _insights(want, base)
    if "max_allocated_storage" in fields and not want.max_allocated_storage and change.have:
        # The size itself switches autoscaling off (RDS user guide, Storage autoscaling).
        found["MaxAllocatedStorage"] = change.have.facts.now["allocated_storage"]
    if "enabled_cloudwatch_logs_exports" in fields:
        exports = change.of("enabled_cloudwatch_logs_exports")
        on = [one.key for one in exports if one.have is ABSENT]
        off = [one.key for one in exports if one.want is ABSENT]
        lists = {"EnableLogTypes": on, "DisableLogTypes": off}
        found["CloudwatchLogsExportConfiguration"] = {key: types for key, types in lists.items() if types}
    return found


def _storage(change: DbChange, fields: Iterable[str]) -> dict[str, Any]:
    """Size, type, IOPS and throughput as they will be. RDS chooses what is left out where the size crosses a limit."""
    want, base = change.want, change.base
    size = want.allocated_storage if "allocated_storage" in fields else base.allocated_storage
    kind = want.storage_type if "storage_type" in fields else base.storage_type
    found: dict[str, Any] = {"AllocatedStorage": size}
    if not has_provisioned(kind, size):
        return found
    kept = base if "storage_type" not in fields else None
    iops = want.iops or (kept and kept.iops)
    throughput = want.storage_throughput or (kept and kept.storage_throughput)
    found |= {"Iops": iops} if iops else {}
    return found | ({"StorageThroughput": throughput} if throughput and kind == "gp3" else {})


def _insights(want: DbInstance, base: DbInstance) -> dict[str, Any]:
    """Performance Insights, on, with how long and by which key its figures are kept, and the mode of Database Insights:
    the mode advanced needs the retention period in the same call.
    """
    values = {
        "PerformanceInsightsRetentionPeriod": want.performance_insights_retention_period
        or base.performance_insights_retention_period,
        "PerformanceInsightsKMSKeyId": base.performance_insights_kms_key or want.performance_insights_kms_key,
        "DatabaseInsightsMode": want.database_insights_mode or base.database_insights_mode,
    }
    return {"EnablePerformanceInsights": True} | {name: value for name, value in values.items() if value}
