"""The options of a DB instance that moto drops or leaves unchecked: monitoring, insights, logs, keys, certificates,
parameter group, network type, IOPS. Called by strict_rds, rds_changes and rds_clock.

Facts encoded (RDS API reference, CreateDBInstance, ModifyDBInstance, DBInstance; RDS User Guide, "Enhanced Monitoring",
"Publishing database logs", "Performance Insights", "Using SSL/TLS", "Parameter groups", "Storage"; what users of other
tools report of the refusals): an interval of monitoring is one of seven and goes together with a role; log exports are
sets, changed by differences; an unknown certificate authority is CertificateNotFound; a parameter group fits the major
version and, once changed, waits for a reboot; small gp3 shows 3000 IOPS and 125 MiB/s, and refuses to be told them;
storage with IOPS takes size and IOPS together; a dedicated log volume is for io1 and io2 (the code is not known: here
InvalidParameterCombination); the lifecycle support of an instance that is there does not change (so CloudFormation; the
RDS model lets it be asked for: `rds_unsure`); the network type DUAL needs IPv6 in every subnet of the group; a role
that is too new is refused like one without the permissions; a key is shown by its ARN. The code for a parameter group
of another family is not known: here InvalidParameterCombination.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab import rds_insights
from lab.live import Answer, Live, Params
from lab.rds_unsure import unsure
from lab.refusal import Refusal

INTERVALS = (0, 1, 5, 10, 15, 30, 60)
AUTHORITIES = ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")
LIFECYCLES = ("open-source-rds-extended-support", "open-source-rds-extended-support-disabled")
LOGS = frozenset({"postgresql", "upgrade", "iam-db-auth-error"})
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_GP3_FROM = 400
_VALID_TILL = datetime(2027, 11, 22, tzinfo=UTC)
"""The server certificate renews itself every year; the laboratory's never needs to."""


@dataclass
class Options:
    """What is in force, in RDS's names. An attribute of moto's object, so that it is saved and restored with it."""

    values: dict[str, Any] = field(default_factory=dict)
    logs: set[str] = field(default_factory=set)
    group: str = ""
    group_status: str = "in-sync"


DEFAULTS = {
    "MonitoringInterval": 0,
    "MonitoringRoleArn": None,
    "EnablePerformanceInsights": False,
    "PerformanceInsightsRetentionPeriod": None,
    "PerformanceInsightsKMSKeyId": None,
    "CACertificateIdentifier": AUTHORITIES[0],
    "EnableIAMDatabaseAuthentication": False,
    "NetworkType": "IPV4",
    "DatabaseInsightsMode": "standard",
    "DedicatedLogVolume": False,
    "EngineLifecycleSupport": LIFECYCLES[0],
    "Iops": None,
    "StorageThroughput": None,
}
"""ModifyDBInstance parameter -> what a new instance has."""
_EXPORTS = "CloudwatchLogsExportConfiguration"
_SHOWN_AS = {
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
}


def options(instance: Any) -> Options:
    """The options of an instance; the defaults for one that this layer did not create."""
    if not hasattr(instance, "options_in_force"):
        instance.options_in_force = Options(dict(DEFAULTS))
    found: Options = instance.options_in_force
    return found


def held(instance: Any, name: str, value: Any) -> bool | None:
    """Whether the instance has this value already; None if it is no option of here."""
    if name == "DBParameterGroupName":
        return bool(options(instance).group == value)
    return bool(options(instance).values[name] == value) if name in DEFAULTS else None


def from_new(wanted: Params) -> tuple[Params, Params]:
    """The parameters of a new instance without the options of here, and these as ModifyDBInstance takes them."""
    chosen = {name: value for name, value in wanted.items() if name in DEFAULTS or name == "DBParameterGroupName"}
    if logs := wanted.get("EnableCloudwatchLogsExports"):
        chosen[_EXPORTS] = {"EnableLogTypes": logs}
    rest = {name: value for name, value in wanted.items() if name not in chosen}
    rest.pop("EnableCloudwatchLogsExports", None)
    return rest, chosen


def check(live: Live, now: Options, changes: Params, version: str, *, dual: bool) -> None:
    """Refuse what RDS refuses of one call, given what is in force; `dual`: its subnets have IPv4 and IPv6."""
    values = {**now.values, **changes}
    interval = values.get("MonitoringInterval") or 0
    if {"MonitoringInterval", "MonitoringRoleArn"} & changes.keys():
        _check_monitoring(live, interval, changes)
    for name in (changes.get(_EXPORTS) or {}).values():
        _check_logs(name, version)
    rds_insights.check(live, now.values, changes)
    authority = changes.get("CACertificateIdentifier")
    if authority is not None and authority not in AUTHORITIES:
        raise Refusal("CertificateNotFound", f"Certificate not found: {authority}", 404)
    if changes.get("NetworkType") == "DUAL" and not dual:
        raise Refusal("NetworkTypeNotSupported", "The network type DUAL is not supported for the DB subnet group.")
    if values["NetworkType"] not in ("IPV4", "DUAL"):
        raise Refusal("InvalidParameterValue", f"Invalid network type: {values['NetworkType']}")
    if values["EngineLifecycleSupport"] not in LIFECYCLES:
        raise Refusal("InvalidParameterValue", f"Invalid engine lifecycle support: {values['EngineLifecycleSupport']}")
    if group := changes.get("DBParameterGroupName"):
        _check_group(live, group, version)


def _check_monitoring(live: Live, interval: int, changes: Params) -> None:
    if interval not in INTERVALS:
        raise Refusal("InvalidParameterValue", f"Invalid monitoring interval: {interval}")
    role = changes.get("MonitoringRoleArn")
    if interval and not role:
        message = "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0."
        raise Refusal("InvalidParameterCombination", message)
    if role and not interval:
        message = "You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value."
        raise Refusal("InvalidParameterCombination", message)
    if role and (role in live.new_roles or not _ROLE.fullmatch(role)):
        message = "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING"
        raise Refusal("InvalidParameterValue", message)


def _check_logs(types: list[str], version: str) -> None:
    for name in types:
        if name not in LOGS:
            message = f"You cannot use the log types '{name}' with engine version postgres {version}."
            raise Refusal("InvalidParameterCombination", message)


def _check_group(live: Live, name: str, version: str) -> None:
    family = f"postgres{version.split('.', maxsplit=1)[0]}"
    if name == f"default.{family}":
        return
    group = live.rds.db_parameter_groups.get(name)
    if group is None:
        raise Refusal("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    if group.family != family:
        message = f"The parameter group {name} of family {group.family} cannot be used for engine version {version}."
        raise Refusal("InvalidParameterCombination", message)


def check_fixed(live: Live, changes: Params, storage_type: str) -> None:
    """Refuse what an instance that is there cannot become."""
    if "EngineLifecycleSupport" in changes and not unsure(live).lifecycle_changes:
        raise Refusal("InvalidParameterCombination", "EngineLifecycleSupport cannot be modified.")
    check_log_volume(changes, storage_type)


def check_log_volume(values: Params, storage_type: str) -> None:
    if values.get("DedicatedLogVolume") and storage_type not in ("io1", "io2"):
        message = f"A dedicated log volume is not supported for storage type {storage_type}."
        raise Refusal("InvalidParameterCombination", message)


def take(live: Live, instance: Any, changes: Params, *, new: bool = False) -> Params:
    """Put the options among the changes in force; returns the other changes."""
    now = options(instance)
    exports = changes.get(_EXPORTS) or {}
    now.logs |= set(exports.get("EnableLogTypes") or ())
    now.logs -= set(exports.get("DisableLogTypes") or ())
    if group := changes.get("DBParameterGroupName"):
        now.group, now.group_status = group, "in-sync" if new or group == now.group else "pending-reboot"
    now.values.update({name: value for name, value in changes.items() if name in DEFAULTS})
    if key := now.values["PerformanceInsightsKMSKeyId"]:
        now.values["PerformanceInsightsKMSKeyId"] = live.key_arn(key)
    if now.values["EnablePerformanceInsights"]:
        now.values["PerformanceInsightsRetentionPeriod"] = now.values["PerformanceInsightsRetentionPeriod"] or 7
    if not now.values["MonitoringInterval"] and not unsure(live).role_when_off:
        now.values["MonitoringRoleArn"] = None
    return {name: value for name, value in changes.items() if name not in {*DEFAULTS, _EXPORTS, "DBParameterGroupName"}}


def rebooted(instance: Any) -> None:
    options(instance).group_status = "in-sync"


def show(instance: Any, shown: Answer) -> None:
    """The options in the answer of DescribeDBInstances; what is off or not there is left out, as RDS does."""
    now = options(instance)
    if shown.get("MaxAllocatedStorage") == shown["AllocatedStorage"]:
        del shown["MaxAllocatedStorage"]
    values = {_SHOWN_AS.get(name, name): value for name, value in now.values.items()}
    if instance.storage_type == "gp3" and instance.allocated_storage < _GP3_FROM:
        values |= {"Iops": 3000, "StorageThroughput": 125}
    elif instance.storage_type == "gp3":
        values |= {"Iops": values["Iops"] or 12000, "StorageThroughput": values["StorageThroughput"] or 500}
    elif instance.storage_type not in ("io1", "io2"):
        values |= {"Iops": None, "StorageThroughput": None}
    for name, value in values.items():
        shown.pop(name, None)
        if value is not None:
            shown[name] = value
    shown.pop("EnabledCloudwatchLogsExports", None)
    if now.logs:
        shown["EnabledCloudwatchLogsExports"] = sorted(now.logs)
    if values["MonitoringInterval"]:
        shown["EnhancedMonitoringResourceArn"] = (
            f"arn:aws:logs:{instance.region}:{instance.account_id}:log-group:RDSOSMetrics:"
            f"log-stream:{instance.dbi_resource_id}"
        )
    authority = {"CAIdentifier": values["CACertificateIdentifier"], "ValidTill": _VALID_TILL}
    shown["CertificateDetails"] = authority
    if now.group:
        shown["DBParameterGroups"] = [{"DBParameterGroupName": now.group, "ParameterApplyStatus": now.group_status}]
