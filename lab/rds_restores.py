"""DB instances restored from a snapshot or to a point in time, as in RDS. Called by strict_aws.

Facts encoded (RDS API reference, RestoreDBInstanceFromDBSnapshot, RestoreDBInstanceToPointInTime): the new instance
has a name that is free, a DbiResourceId of its own and the settings of its source; without Tags in the request it gets
the tags of the instance that the snapshot was taken of; without a subnet group it comes into the default VPC, without
groups it gets the default one; deletion protection is off. A point in time needs backups
(PointInTimeRestoreNotEnabled).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import rds_limits, rds_names, rds_options
from lab.live import Answer, Live, Params
from lab.refusal import Refusal
from lab.strict_rds import add

_KEPT = {
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "DBInstanceClass": "db_instance_class",
    "AllocatedStorage": "allocated_storage",
    "StorageType": "storage_type",
    "MultiAZ": "multi_az",
    "Port": "port",
    "MasterUsername": "master_username",
    "DBName": "db_name",
    "LicenseModel": "license_model",
    "BackupRetentionPeriod": "backup_retention_period",
    "PreferredBackupWindow": "preferred_backup_window",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "StorageEncrypted": "storage_encrypted",
    "KmsKeyId": "kms_key_id",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
}
_CHOSEN = (
    *_KEPT, "DBSubnetGroupName", "VpcSecurityGroupIds", "AvailabilityZone", "PubliclyAccessible", "CopyTagsToSnapshot",
    "DeletionProtection", "EnableCloudwatchLogsExports", "Tags",
)  # fmt: skip


def from_snapshot(live: Live, params: Params) -> Answer:
    name = params["DBSnapshotIdentifier"].rsplit(":", 1)[-1].lower()
    snapshot = live.rds.database_snapshots.get(name)
    if snapshot is None:
        raise Refusal("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
    return another(live, snapshot.database, params["DBInstanceIdentifier"], params)


def to_point_in_time(live: Live, params: Params) -> Answer:
    if params.get("SourceDbiResourceId"):
        by_id = {each.dbi_resource_id: each for each in live.instances()}
        source = by_id.get(params["SourceDbiResourceId"])
        if source is None:
            raise Refusal("DBInstanceNotFound", f"DBInstance {params['SourceDbiResourceId']} not found.")
    else:
        source = live.instance(params["SourceDBInstanceIdentifier"])
    if bool(params.get("UseLatestRestorableTime")) == bool(params.get("RestoreTime")):
        raise Refusal("InvalidParameterCombination", "Either RestoreTime or UseLatestRestorableTime must be specified.")
    if not source.backup_retention_period:
        message = f"Point in time restore is not enabled for {source.db_instance_identifier}."
        raise Refusal("PointInTimeRestoreNotEnabled", message)
    if source.status == "creating":
        message = f"Instance {source.db_instance_identifier} is currently creating."
        raise Refusal("InvalidDBInstanceState", message)
    return another(live, source, params["TargetDBInstanceIdentifier"], params)


def another(live: Live, source: Any, name: str, params: Params) -> Answer:
    """A new instance of this name with the settings of `source`, but for those that are chosen."""
    kept = {member: getattr(source, attribute, None) for member, attribute in _KEPT.items()}
    wanted = {member: value for member, value in kept.items() if value is not None}
    wanted |= {name: value for name, value in rds_options.options(source).values.items() if value}
    wanted |= {member: params[member] for member in _CHOSEN if member in params}
    wanted["DBInstanceIdentifier"] = rds_names.free(live, name)
    if "Tags" not in params:
        wanted["Tags"] = [dict(tag) for tag in source.tags]
    rds_limits.check_class(wanted["DBInstanceClass"])
    rds_limits.check_growth(source.allocated_storage, wanted["AllocatedStorage"], wanted["StorageType"])
    if wanted["MultiAZ"] and "AvailabilityZone" in wanted:
        raise Refusal("InvalidParameterCombination", "AvailabilityZone cannot be given for a Multi-AZ instance.")
    return add(live, wanted)


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "RestoreDBInstanceFromDBSnapshot": from_snapshot,
    "RestoreDBInstanceToPointInTime": to_point_in_time,
}
