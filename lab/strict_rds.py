"""DB instances as RDS makes, changes, shows and deletes them.

Dispatched to by strict_aws; the checks are rds_limits', what happens later rds_clock's.

Facts encoded (RDS API reference, CreateDBInstance, ModifyDBInstance, DeleteDBInstance; RDS User Guide, "Modifying a
DB instance"): identifiers are kept in lower case and found in any; a modify needs an available instance (storage-full
lets storage grow, storage-optimization refuses storage changes only); some settings take effect at once whatever
ApplyImmediately says, the others wait in PendingModifiedValues or, with it, go together with all that waits; setting
a value back takes it out of the queue; moving within the VPC to another subnet group is refused; deleting needs a
word on the final snapshot and takes a while. A modify that names nothing is refused (AWS may also answer 200).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from lab import rds_clock, rds_limits
from lab.live import Answer, Live, Params, without
from lab.refusal import Refusal

_AT_ONCE = frozenset(
    {
        "VpcSecurityGroupIds", "PubliclyAccessible", "PreferredBackupWindow", "PreferredMaintenanceWindow",
        "DeletionProtection", "CopyTagsToSnapshot", "MaxAllocatedStorage", "AutoMinorVersionUpgrade", "DBPortNumber",
        "MonitoringInterval", "MonitoringRoleArn", "CloudwatchLogsExportConfiguration", "EnablePerformanceInsights",
        "MasterUserPassword", "ManageMasterUserPassword", "DBParameterGroupName", "DatabaseInsightsMode",
    }
)  # fmt: skip
_STORAGE = frozenset({"AllocatedStorage", "StorageType", "Iops", "StorageThroughput"})
_NO_SETTING = ("DBInstanceIdentifier", "ApplyImmediately", "AllowMajorVersionUpgrade")
_ATTRIBUTES = {
    "DBPortNumber": "port",
    "VpcSecurityGroupIds": "vpc_security_group_ids",
    "DBInstanceClass": "db_instance_class",
    "EnableIAMDatabaseAuthentication": "enable_iam_database_authentication",
    "CACertificateIdentifier": "ca_certificate_identifier",
    "MultiAZ": "multi_az",
    **{
        name: name
        for name in (
            "EngineVersion", "AllocatedStorage", "StorageType", "Iops", "StorageThroughput", "PubliclyAccessible",
            "BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "DeletionProtection",
            "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "MonitoringInterval", "LicenseModel",
        )
    },
}  # fmt: skip


def create(live: Live, params: Params) -> Answer:
    wanted = {**params, "DBInstanceIdentifier": params["DBInstanceIdentifier"].lower()}
    identifier = wanted["DBInstanceIdentifier"]
    rds_limits.check_identifier(identifier)
    if identifier in {instance.db_instance_identifier for instance in live.instances()}:
        raise Refusal("DBInstanceAlreadyExists", "DB instance already exists")
    _check_new(wanted)
    group = live.subnet_group(wanted["DBSubnetGroupName"]) if wanted.get("DBSubnetGroupName") else None
    vpc_id = group.vpc_id if group is not None else live.ec2.default_vpc.id
    if group is not None:
        wanted["DBSubnetGroupName"] = group.name
    wanted.setdefault("PubliclyAccessible", group is None)
    wanted.setdefault("VpcSecurityGroupIds", [live.ec2.get_default_security_group(vpc_id).id])
    rds_limits.check_groups(live, wanted["VpcSecurityGroupIds"], vpc_id)
    if wanted["PubliclyAccessible"]:
        rds_limits.check_public(live, vpc_id)
    if group is not None:
        wanted.setdefault("AvailabilityZone", group._subnets[0].availability_zone)
    live.moto("rds", "CreateDBInstance", wanted)
    instance = live.instance(identifier)
    _finish(live, instance)
    rds_clock.start(instance, "creating")
    return {"DBInstance": _shown(live, instance)}


def _check_new(wanted: Params) -> None:
    """Check what is asked for and fill in what RDS would."""
    if wanted["Engine"].lower() != "postgres":
        raise Refusal(
            "InvalidParameterValue", f"Invalid DB engine: {wanted['Engine']} (the laboratory has postgres only)"
        )
    wanted["Engine"] = "postgres"
    wanted["EngineVersion"] = rds_limits.full_version(wanted.get("EngineVersion") or "16")
    rds_limits.check_class(wanted["DBInstanceClass"])
    rds_limits.check_master_user(wanted.get("MasterUsername"))
    rds_limits.check_new_password(wanted)
    wanted.setdefault("StorageType", "io1" if wanted.get("Iops") else "gp3")
    if "AllocatedStorage" not in wanted:
        raise Refusal("InvalidParameterCombination", "The parameter AllocatedStorage must be provided")
    size = wanted["AllocatedStorage"]
    rds_limits.check_storage(wanted["StorageType"], size, wanted.get("Iops"), wanted.get("StorageThroughput"))
    rds_limits.check_retention(wanted.get("BackupRetentionPeriod", 1))
    rds_limits.check_port(wanted.get("Port", 5432))
    rds_limits.check_log_exports(wanted.get("EnableCloudwatchLogsExports", []))
    wanted.setdefault("PreferredBackupWindow", "13:14-13:44")
    wanted.setdefault("PreferredMaintenanceWindow", "wed:06:38-wed:07:08")
    wanted["PreferredMaintenanceWindow"] = wanted["PreferredMaintenanceWindow"].lower()
    rds_limits.check_windows(wanted["PreferredBackupWindow"], wanted["PreferredMaintenanceWindow"])
    wanted.setdefault("CACertificateIdentifier", "rds-ca-rsa2048-g1")
    wanted.setdefault("LicenseModel", "postgresql-license")
    if wanted.get("MultiAZ") and wanted.get("AvailabilityZone"):
        raise Refusal("InvalidParameterCombination", "AvailabilityZone cannot be given for a Multi-AZ instance.")


def _finish(live: Live, instance: Any) -> None:
    # moto gives every instance one resource id, a key id for a key ARN, and `admin` for the secret's user.
    digest = hashlib.sha256(f"{live.account}/{instance.db_instance_identifier}/{instance.created}".encode()).hexdigest()
    instance.dbi_resource_id = f"db-{digest[:26].upper()}"
    if instance.storage_encrypted and not str(instance.kms_key_id).startswith("arn:"):
        instance.kms_key_id = f"arn:aws:kms:{live.region}:{live.account}:key/{digest[:8]}-0000-4000-8000-{digest[8:20]}"
    if instance.manage_master_user_password:
        secret = instance.master_user_secret.secret
        text = json.dumps({"username": instance.master_username, "password": digest[20:44]})
        for version in secret.versions.values():
            version["secret_string"] = text


def modify(live: Live, params: Params) -> Answer:
    instance = live.instance(params["DBInstanceIdentifier"])
    changes = without(params, *_NO_SETTING)
    if not changes:
        raise Refusal("InvalidParameterCombination", "No modifications were requested")
    _check_status(instance, changes)
    _check_changes(live, instance, params, changes)
    held = rds_clock.intentions(instance)
    for name in [name for name, value in changes.items() if _is_held(instance, name, value)]:
        held.waiting.pop(name, None)
        changes.pop(name)
    at_once = {name: value for name, value in changes.items() if _is_at_once(instance, name, value)}
    deferred = {name: value for name, value in changes.items() if name not in at_once}
    for name in at_once:
        held.waiting.pop(name, None)
    held.waiting.update(deferred)
    held.queued.update(at_once)
    if params.get("ApplyImmediately"):
        held.queued.update(held.waiting)
        held.waiting = {}
    if held.queued:
        rds_clock.start(instance, "modifying")
    return {"DBInstance": _shown(live, instance)}


def _is_held(instance: Any, name: str, value: Any) -> bool:
    if name == "MaxAllocatedStorage":
        return bool((instance.max_allocated_storage or instance.allocated_storage) == value)
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
    if status == "deleting":
        message = f"Instance {instance.db_instance_identifier} is already being deleted."
    else:
        message = f"Database instance {instance.db_instance_identifier} is not in available state."
    raise Refusal("InvalidDBInstanceState", message)


def _check_changes(live: Live, instance: Any, params: Params, changes: Params) -> None:
    """Check one modify as a whole: one bad field refuses all. Spells `changes` as RDS keeps them."""
    vpc_id = _vpc_of(live, instance)
    if "DBSubnetGroupName" in changes:
        _check_move(live, instance, changes)
    if "VpcSecurityGroupIds" in changes:
        rds_limits.check_groups(live, changes["VpcSecurityGroupIds"], vpc_id)
    if changes.get("PubliclyAccessible"):
        rds_limits.check_public(live, vpc_id)
    if "EngineVersion" in changes:
        _check_version(instance, params, changes)
    if "PreferredMaintenanceWindow" in changes:
        changes["PreferredMaintenanceWindow"] = changes["PreferredMaintenanceWindow"].lower()
    windows = ("PreferredBackupWindow", "PreferredMaintenanceWindow")
    if any(name in changes for name in windows):
        held = (instance.preferred_backup_window, instance.preferred_maintenance_window)
        backup, maintenance = (changes.get(name, now) for name, now in zip(windows, held, strict=True))
        rds_limits.check_windows(backup, maintenance)
    if set(changes) & (_STORAGE | {"MaxAllocatedStorage"}):
        _check_storage(instance, changes)
    simple: dict[str, Callable[[Any], None]] = {
        "DBInstanceClass": rds_limits.check_class,
        "BackupRetentionPeriod": rds_limits.check_retention,
        "DBPortNumber": rds_limits.check_port,
        "MasterUserPassword": rds_limits.check_password,
    }
    for name, check in simple.items():
        if name in changes:
            check(changes[name])
    exports = changes.get("CloudwatchLogsExportConfiguration") or {}
    rds_limits.check_log_exports([*exports.get("EnableLogTypes", []), *exports.get("DisableLogTypes", [])])
    _check_managed_password(instance, changes)


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


def _check_storage(instance: Any, changes: Params) -> None:
    size = changes.get("AllocatedStorage", instance.allocated_storage)
    rds_limits.check_growth(instance.allocated_storage, size)
    storage_type = changes.get("StorageType", instance.storage_type)
    iops = changes.get("Iops", instance.iops if storage_type in ("io1", "io2") else None)
    rds_limits.check_storage(storage_type, size, iops, changes.get("StorageThroughput"))
    if changes.get("MaxAllocatedStorage", size) < size:
        raise Refusal("InvalidParameterCombination", "Max storage size must be greater than storage size")


def _check_managed_password(instance: Any, changes: Params) -> None:
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


def delete(live: Live, params: Params) -> Answer:
    instance = live.instance(params["DBInstanceIdentifier"])
    identifier = instance.db_instance_identifier
    if instance.status == "deleting":
        raise Refusal("InvalidDBInstanceState", f"Instance {identifier} is already being deleted.")
    if instance.deletion_protection:
        message = "Cannot delete protected DB Instance, please disable deletion protection and try again."
        raise Refusal("InvalidParameterCombination", message)
    if instance.status == "creating":
        raise Refusal("InvalidDBInstanceState", f"Instance {identifier} is currently creating.")
    skip, snapshot = params.get("SkipFinalSnapshot", False), params.get("FinalDBSnapshotIdentifier")
    if bool(skip) == bool(snapshot):
        message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then."
        raise Refusal("InvalidParameterCombination", message)
    rds_clock.intentions(instance).deletion = {**params, "DBInstanceIdentifier": identifier}
    rds_clock.start(instance, "deleting")
    return {"DBInstance": _shown(live, instance)}


def describe(live: Live, params: Params) -> Answer:
    if params.get("DBInstanceIdentifier"):
        instances = [live.instance(params["DBInstanceIdentifier"])]
    else:
        instances = _filtered(live, params)
    answer = {"DBInstances": [_shown(live, instance) for instance in instances]}
    for instance in instances:
        rds_clock.looked_at(live, instance)
    return answer


def _filtered(live: Live, params: Params) -> list[Any]:
    filters = {each["Name"]: each["Values"] for each in params.get("Filters") or []}
    found: list[Any] = live.rds.describe_db_instances(None, filters=filters)
    return found


def _shown(live: Live, instance: Any) -> Answer:
    identifier = instance.db_instance_identifier
    shown: Answer = live.moto("rds", "DescribeDBInstances", {"DBInstanceIdentifier": identifier})["DBInstances"][0]
    shown["PendingModifiedValues"] = rds_clock.pending_values(instance)
    shown["DbInstancePort"] = 0
    group = live.subnet_group_of(instance)
    if group is not None:
        named = {"DBSubnetGroupName": group.name}
        shown["DBSubnetGroup"] = live.moto("rds", "DescribeDBSubnetGroups", named)["DBSubnetGroups"][0]
    if "MasterUserSecret" in shown:
        # moto calls the secret active after one look, whatever the instance does.
        shown["MasterUserSecret"]["SecretStatus"] = "creating" if instance.status == "creating" else "active"
    if instance.status == "creating":
        shown.pop("Endpoint", None)
        shown.pop("InstanceCreateTime", None)
    return shown


def _in_lower_case(operation: str) -> Callable[[Live, Params], Answer]:
    def act(live: Live, params: Params) -> Answer:
        for tag in params.get("Tags", []):
            _refuse_reserved(tag["Key"])
        for key in params.get("TagKeys", []):
            _refuse_reserved(key)
        prefix, _, name = params["ResourceName"].rpartition(":")
        kind = prefix.rsplit(":", 1)[-1]
        if kind == "db":
            live.instance(name)
        elif kind == "subgrp":
            live.subnet_group(name)
        return live.moto("rds", operation, {**params, "ResourceName": f"{prefix}:{name.lower()}"})

    return act


def _refuse_reserved(key: str) -> None:
    if key.lower().startswith(("aws:", "rds:")):
        raise Refusal("InvalidParameterValue", f"Tag keys starting with 'aws:' or 'rds:' are reserved: {key}")


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateDBInstance": create,
    "ModifyDBInstance": modify,
    "DeleteDBInstance": delete,
    "DescribeDBInstances": describe,
    "AddTagsToResource": _in_lower_case("AddTagsToResource"),
    "RemoveTagsFromResource": _in_lower_case("RemoveTagsFromResource"),
    "ListTagsForResource": _in_lower_case("ListTagsForResource"),
}
