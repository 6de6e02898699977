"""ModifyDBInstance: what can be changed, immediately or later.

Called by strict_rds; rds_limits has the limits, rds_clock applies the changes.

Facts encoded (RDS API reference, ModifyDBInstance; RDS User Guide, "Modifying a DB instance"): a modify needs an
available instance (storage-full lets storage grow, storage-optimization refuses storage changes only); some settings
take effect immediately regardless of ApplyImmediately, the others wait in PendingModifiedValues or, with it, are
applied together with everything that waits; setting a value back cancels its pending change; one invalid field refuses
the whole call; a new name waits like any other change (rds_names); moving to another subnet group within the VPC is
refused. A modify without changes is refused (AWS may also answer 200).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lab import rds_clock, rds_deployments, rds_events, rds_limits, rds_names, rds_options, rds_replication
from lab.live import Live, Params, without
from lab.rds_unsure import unsure
from lab.refusal import Refusal
from lab.strict_subnet_groups import is_dual

_AT_ONCE = frozenset(
    {
        "VpcSecurityGroupIds", "PubliclyAccessible", "PreferredBackupWindow", "PreferredMaintenanceWindow",
        "DeletionProtection", "CopyTagsToSnapshot", "MaxAllocatedStorage", "AutoMinorVersionUpgrade", "DBPortNumber",
        "MonitoringInterval", "MonitoringRoleArn", "CloudwatchLogsExportConfiguration", "EnablePerformanceInsights",
        "MasterUserPassword", "ManageMasterUserPassword", "DBParameterGroupName", "DatabaseInsightsMode",
        "PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId",
    }
)  # fmt: skip
_STORAGE = rds_clock.STORAGE
_NO_SETTING = ("DBInstanceIdentifier", "ApplyImmediately", "AllowMajorVersionUpgrade")
_ATTRIBUTES = {
    "DBPortNumber": "port",
    "VpcSecurityGroupIds": "vpc_security_group_ids",
    "DBInstanceClass": "db_instance_class",
    "MultiAZ": "multi_az",
    **{
        name: name
        for name in (
            "EngineVersion", "AllocatedStorage", "StorageType", "PubliclyAccessible",
            "BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "DeletionProtection",
            "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "LicenseModel",
        )
    },
}  # fmt: skip


def change(live: Live, instance: Any, params: Params) -> None:
    """One ModifyDBInstance: checks all of it, then starts its changes or makes them wait."""
    changes = without(params, *_NO_SETTING)
    if not changes:
        raise Refusal("InvalidParameterCombination", "No modifications were requested")
    _check_status(instance, changes)
    _check_changes(live, instance, params, changes)
    rds_deployments.changed(live, instance)
    held = rds_clock.intentions(instance)
    waited = dict(held.waiting)
    for name in [name for name, value in changes.items() if _is_held(instance, name, value)]:
        held.waiting.pop(name, None)
        changes.pop(name)
    if not changes and held.waiting == waited and unsure(live).same_is_refused:
        raise Refusal("InvalidParameterCombination", "No modifications were requested")
    at_once = {name: value for name, value in changes.items() if _is_at_once(instance, name, value)}
    deferred = {name: value for name, value in changes.items() if name not in at_once}
    for name in at_once:
        held.waiting.pop(name, None)
    held.waiting.update(deferred)
    held.queued.update(at_once)
    if params.get("ApplyImmediately"):
        held.queued.update(held.waiting)
        held.waiting = {}
    if held.queued and instance.status != "stopped":
        rds_clock.start(instance, _status_of(held.queued))


_AT_START = frozenset({"DBParameterGroupName", "OptionGroupName"})
"""What a stopped instance takes: it is in force when the instance starts."""
_CONFIGURING = (
    ({"MonitoringInterval", "MonitoringRoleArn"}, "configuring-enhanced-monitoring"),
    ({"CloudwatchLogsExportConfiguration"}, "configuring-log-exports"),
    ({"EnableIAMDatabaseAuthentication"}, "configuring-iam-database-auth"),
)


def _status_of(queued: Params) -> str:
    """The status while these changes are applied."""
    if rds_clock.NEW_NAME in queued:
        return "renaming"
    return next((status for names, status in _CONFIGURING if queued.keys() <= names), "modifying")


def _is_held(instance: Any, name: str, value: Any) -> bool:
    if name == rds_clock.NEW_NAME:
        return bool(instance.db_instance_identifier == value)
    if name == "MaxAllocatedStorage":
        return bool((instance.max_allocated_storage or instance.allocated_storage) == value)
    option = rds_options.held(instance, name, value)
    if option is not None:
        return option
    attribute = _ATTRIBUTES.get(name)
    if attribute is None:
        return False
    live_value = getattr(instance, _snake(attribute))
    if name == "VpcSecurityGroupIds":
        return set(live_value) == set(value)
    return bool(live_value == value)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _is_at_once(instance: Any, name: str, value: Any) -> bool:
    if name == "BackupRetentionPeriod":
        return bool(instance.backup_retention_period and value)
    return name in _AT_ONCE


def _check_status(instance: Any, changes: Params) -> None:
    status = instance.status
    if status == "available" or (status == "storage-full" and set(changes) <= _STORAGE | {"MaxAllocatedStorage"}):
        return
    if status == "storage-optimization":
        if set(changes) & _STORAGE:
            message = (
                "You can't currently modify the storage of this DB instance because the previous "
                "storage change is being optimized."
            )
            raise Refusal("InvalidParameterCombination", message)
        return
    if status == "configuring-enhanced-monitoring":
        message = "RDS is configuring Enhanced Monitoring or Performance Insights for this DB instance. "
        raise Refusal("InvalidDBInstanceState", f"{message}Try your request later.")
    if status == "stopped" and changes.keys() <= _AT_START:
        return
    if status in ("stopped", "stopping"):
        raise Refusal("InvalidDBInstanceState", "You can't modify a stopped DB instance.")
    if status == "deleting":
        message = f"Instance {instance.db_instance_identifier} is already being deleted."
    else:
        message = f"Database instance {instance.db_instance_identifier} is not in available state."
    raise Refusal("InvalidDBInstanceState", message)


def _check_changes(live: Live, instance: Any, params: Params, changes: Params) -> None:
    """Checks one modify as a whole: one invalid field refuses all. Canonicalizes `changes` as RDS does."""
    vpc_id = _vpc_of(live, instance)
    if rds_clock.NEW_NAME in changes:
        changes[rds_clock.NEW_NAME] = _new_name(live, instance, changes[rds_clock.NEW_NAME])
    if "DBSubnetGroupName" in changes:
        _check_move(live, instance, changes)
    if "VpcSecurityGroupIds" in changes:
        rds_limits.check_groups(live, changes["VpcSecurityGroupIds"], vpc_id)
    if changes.get("PubliclyAccessible"):
        rds_limits.check_public(live, vpc_id)
    if "EngineVersion" in changes:
        _check_version(instance, params, changes)
    _check_windows(instance, changes)
    if set(changes) & _STORAGE:
        _check_cool_down(live, instance)
    if set(changes) & (_STORAGE | {"MaxAllocatedStorage"}):
        _check_storage(live, instance, changes)
    rds_replication.check_backups(instance, changes.get("BackupRetentionPeriod"))
    simple: dict[str, Callable[[Any], None]] = {
        "DBInstanceClass": rds_limits.check_class,
        "BackupRetentionPeriod": rds_limits.check_retention,
        "DBPortNumber": rds_limits.check_port,
        "MasterUserPassword": rds_limits.check_password,
        "OptionGroupName": lambda name: rds_limits.check_option_group(live, name),
    }
    for name, check in simple.items():
        if name in changes:
            check(changes[name])
    version = changes.get("EngineVersion", instance.engine_version)
    dual = is_dual(live.subnet_group_of(instance))
    rds_options.check(live, rds_options.options(instance), changes, version, dual=dual)
    _check_managed_password(instance, changes)
    rds_options.check_fixed(live, changes, changes.get("StorageType", instance.storage_type))


def _check_windows(instance: Any, changes: Params) -> None:
    if "PreferredMaintenanceWindow" in changes:
        changes["PreferredMaintenanceWindow"] = changes["PreferredMaintenanceWindow"].lower()
    windows = ("PreferredBackupWindow", "PreferredMaintenanceWindow")
    if any(name in changes for name in windows):
        held = (instance.preferred_backup_window, instance.preferred_maintenance_window)
        backup, maintenance = (changes.get(name, now) for name, now in zip(windows, held, strict=True))
        rds_limits.check_windows(backup, maintenance)


def _new_name(live: Live, instance: Any, name: str) -> str:
    own: str = instance.db_instance_identifier
    return own if name.lower() == own else rds_names.free(live, name)


def _vpc_of(live: Live, instance: Any) -> str:
    group = live.subnet_group_of(instance)
    return str(group.vpc_id if group is not None else live.ec2.default_vpc.id)


def _check_move(live: Live, instance: Any, changes: Params) -> None:
    wanted = live.subnet_group(changes["DBSubnetGroupName"])
    held = live.subnet_group_of(instance)
    if held is not None and held.name == wanted.name:
        changes.pop("DBSubnetGroupName")
    elif wanted.vpc_id == _vpc_of(live, instance):
        message = (
            f"You cannot move DB instance {instance.db_instance_identifier} to subnet group {wanted.name}. "
            "The specified DB subnet group and DB instance are in the same VPC."
        )
        raise Refusal("InvalidVPCNetworkStateFault", message)
    else:
        changes["DBSubnetGroupName"] = wanted.name


def _check_version(instance: Any, params: Params, changes: Params) -> None:
    wanted, held = changes["EngineVersion"], instance.engine_version
    if held == wanted or held.startswith(f"{wanted}."):
        changes["EngineVersion"] = held
        return
    changes["EngineVersion"] = rds_limits.full_version(wanted)
    rds_limits.check_upgrade(held, changes["EngineVersion"], bool(params.get("AllowMajorVersionUpgrade")))


def _check_cool_down(live: Live, instance: Any) -> None:
    """Whether the last changes of storage are long enough ago."""
    now, done = rds_events.now(live), getattr(instance, "storage_changes", [])
    rule = unsure(live).cool_down
    soon = rule == "six hours" and any(now - at < timedelta(hours=6) for at in done)
    often = rule == "four a day" and sum(now - at < timedelta(days=1) for at in done) >= 4
    if soon or often:
        message = (
            "You can't currently modify the storage of this DB instance because the previous storage change is being"
        )
        raise Refusal("InvalidParameterCombination", f"{message} optimized. Try again after approximately 6 hours.")


def _check_storage(live: Live, instance: Any, changes: Params) -> None:
    size = changes.get("AllocatedStorage", instance.allocated_storage)
    least = -(-instance.allocated_storage * 11 // 10)
    if instance.allocated_storage < size < least and unsure(live).growth_is_rounded:
        size = changes["AllocatedStorage"] = least
    storage_type = changes.get("StorageType", instance.storage_type)
    rds_limits.check_growth(instance.allocated_storage, size, storage_type)
    known = rds_options.options(instance).values["Iops"]
    iops = changes.get("Iops", known if "StorageType" not in changes else None)
    rds_limits.check_storage(storage_type, size, iops, changes.get("StorageThroughput"), told=changes.get("Iops"))
    told = changes.get("Iops")
    if told and known and known < told and told * 10 < known * 11:
        changes["Iops"] = -(-known * 11 // 10)  # a raise of less than a tenth is rounded up
    resized = {"AllocatedStorage", "Iops"} & changes.keys()
    chosen = storage_type in ("io1", "io2") or (storage_type == "gp3" and instance.allocated_storage >= 400)
    from_provisioned = instance.storage_type in ("io1", "io2") and storage_type == "gp3" and "Iops" not in changes
    if (chosen and len(resized) == 1 and "StorageType" not in changes) or from_provisioned:
        message = "You must specify both the storage size and iops when modifying the storage size or iops on a DB "
        raise Refusal("InvalidParameterCombination", f"{message}instance that has iops.")
    rds_limits.check_maximum(size, changes.get("MaxAllocatedStorage"))


def _check_managed_password(instance: Any, changes: Params) -> None:
    rds_replication.check_password(instance, changes)
    manage, password = changes.get("ManageMasterUserPassword"), changes.get("MasterUserPassword")
    managed = instance.manage_master_user_password if manage is None else manage
    if managed and password is not None:
        message = "You can't specify MasterUserPassword while RDS manages the password."
        raise Refusal("InvalidParameterCombination", message)
    if manage is False and instance.manage_master_user_password and password is None:
        message = "You must specify MasterUserPassword when RDS no longer manages the password."
        raise Refusal("InvalidParameterCombination", message)
    if manage is not None and bool(manage) == bool(instance.manage_master_user_password):
        changes.pop("ManageMasterUserPassword")
