"""DB instances as in RDS. Called by strict_aws; rds_limits checks, rds_changes modifies, rds_clock does the rest.

Facts encoded (RDS API reference, CreateDBInstance, DeleteDBInstance, DescribeDBInstances): identifiers are stored in
lower case and found in any case, also by ARN; an instance in a named subnet group is private by default, and has the
default group of its VPC; there is no endpoint while it is being created; deleting requires a choice about the final
snapshot and takes a while. rds_names has names and resource ids, rds_restores what is restored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from lab import rds_changes, rds_clock, rds_deployments, rds_limits, rds_names, rds_options, rds_replication, rds_stops
from lab.live import Answer, Live, Params
from lab.rds_unsure import unsure
from lab.refusal import Refusal
from lab.strict_subnet_groups import is_dual


def create(live: Live, params: Params) -> Answer:
    wanted = {**params, "DBInstanceIdentifier": rds_names.free(live, params["DBInstanceIdentifier"])}
    _check_new(wanted)
    return add(live, wanted)


def add(live: Live, wanted: Params) -> Answer:
    """Make an instance whose own settings are checked, after those of its network."""
    rds_limits.check_quota(live)
    if "OptionGroupName" in wanted:
        rds_limits.check_option_group(live, wanted["OptionGroupName"])
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
    plain, chosen = rds_options.from_new(wanted)
    none = rds_options.Options(dict(rds_options.DEFAULTS))
    rds_options.check(live, none, chosen, wanted["EngineVersion"], dual=is_dual(group))
    rds_options.check_log_volume(chosen, wanted["StorageType"])
    windows = {name: plain.pop(name) for name in list(plain) if name.startswith("Preferred")}
    live.moto("rds", "CreateDBInstance", plain)
    instance = live.instance(wanted["DBInstanceIdentifier"])
    rds_clock.put_windows(instance, windows)
    rds_options.take(live, instance, chosen, new=True)
    _finish(live, instance)
    rds_clock.start(instance, "creating")
    return {"DBInstance": shown_instance(live, instance)}


def _check_new(wanted: Params) -> None:
    """Checks the request and adds RDS's defaults."""
    if wanted["Engine"].lower() != "postgres":
        raise Refusal(
            "InvalidParameterValue", f"Invalid DB engine: {wanted['Engine']} (the laboratory has postgres only)"
        )
    wanted["Engine"] = "postgres"
    wanted["EngineVersion"] = rds_limits.full_version(wanted.get("EngineVersion") or "16")
    rds_limits.check_class(wanted["DBInstanceClass"])
    rds_limits.check_master_user(wanted.get("MasterUsername"))
    rds_limits.check_new_password(wanted)
    rds_limits.check_database_name(wanted.get("DBName"))
    wanted.setdefault("StorageType", "io1" if wanted.get("Iops") else "gp3")
    if "AllocatedStorage" not in wanted:
        raise Refusal("InvalidParameterCombination", "The parameter AllocatedStorage must be provided")
    size = wanted["AllocatedStorage"]
    iops = wanted.get("Iops")
    rds_limits.check_storage(wanted["StorageType"], size, iops, wanted.get("StorageThroughput"), told=iops)
    rds_limits.check_maximum(size, wanted.get("MaxAllocatedStorage"))
    rds_limits.check_retention(wanted.get("BackupRetentionPeriod", 1))
    rds_limits.check_port(wanted.get("Port", 5432))
    rds_limits.check_tags(tag["Key"] for tag in wanted.get("Tags", []))
    wanted.setdefault("PreferredBackupWindow", "13:14-13:44")
    wanted.setdefault("PreferredMaintenanceWindow", "wed:06:38-wed:07:08")
    wanted["PreferredMaintenanceWindow"] = wanted["PreferredMaintenanceWindow"].lower()
    rds_limits.check_windows(wanted["PreferredBackupWindow"], wanted["PreferredMaintenanceWindow"])
    wanted.setdefault("LicenseModel", "postgresql-license")
    if wanted.get("MultiAZ") and wanted.get("AvailabilityZone"):
        raise Refusal("InvalidParameterCombination", "AvailabilityZone cannot be given for a Multi-AZ instance.")


def _finish(live: Live, instance: Any) -> None:
    # moto gives every instance one resource id, a key id for a key ARN, and `admin` for the secret's user.
    instance.dbi_resource_id = rds_names.resource_id(live)
    digest = hashlib.sha256(f"{live.account}/{instance.dbi_resource_id}".encode()).hexdigest()
    if instance.storage_encrypted:
        instance.kms_key_id = live.key_arn(str(instance.kms_key_id))
    if instance.manage_master_user_password:
        secret = instance.master_user_secret.secret
        text = json.dumps({"username": instance.master_username, "password": digest[20:44]})
        for version in secret.versions.values():
            version["secret_string"] = text


def modify(live: Live, params: Params) -> Answer:
    instance = live.instance(params["DBInstanceIdentifier"])
    rds_changes.change(live, instance, params)
    return {"DBInstance": shown_instance(live, instance)}


def reboot(live: Live, params: Params) -> Answer:
    """A reboot puts the parameter group into force."""
    instance = live.instance(params["DBInstanceIdentifier"])
    if instance.status != "available":
        message = f"Database instance {instance.db_instance_identifier} is not in available state."
        raise Refusal("InvalidDBInstanceState", message)
    rds_options.rebooted(instance)
    rds_clock.start(instance, "rebooting")
    return {"DBInstance": shown_instance(live, instance)}


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
    rds_deployments.check_delete(live, instance)
    skip, snapshot = params.get("SkipFinalSnapshot", False), params.get("FinalDBSnapshotIdentifier")
    if bool(skip) == bool(snapshot):
        message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and only then."
        raise Refusal("InvalidParameterCombination", message)
    rds_clock.intentions(instance).deletion = {**params, "DBInstanceIdentifier": identifier}
    rds_replication.end(live, instance)
    rds_clock.start(instance, "deleting")
    return {"DBInstance": shown_instance(live, instance)}


def describe(live: Live, params: Params) -> Answer:
    if params.get("DBInstanceIdentifier"):
        instances = [live.instance(params["DBInstanceIdentifier"])]
    else:
        instances = _filtered(live, params)
    answer = {"DBInstances": [shown_instance(live, instance) for instance in instances]}
    for instance in instances:
        rds_clock.looked_at(live, instance)
    return answer


def _filtered(live: Live, params: Params) -> list[Any]:
    filters = {each["Name"]: each["Values"] for each in params.get("Filters") or []}
    found: list[Any] = live.rds.describe_db_instances(None, filters=filters)
    return found


def shown_instance(live: Live, instance: Any) -> Answer:
    """The instance as DescribeDBInstances shows it."""
    identifier = instance.db_instance_identifier
    shown: Answer = live.moto("rds", "DescribeDBInstances", {"DBInstanceIdentifier": identifier})["DBInstances"][0]
    if rds_clock.is_late(live, instance):
        shown["DBInstanceStatus"] = "available"
    shown["PendingModifiedValues"] = rds_clock.pending_values(live, instance)
    shown["DbInstancePort"] = 0
    rds_options.show(instance, shown)
    rds_replication.show(instance, shown)
    if "MasterUserSecret" in shown:
        # moto shows the secret as active after one describe, regardless of the instance.
        shown["MasterUserSecret"]["SecretStatus"] = "creating" if instance.status == "creating" else "active"
    if not instance.storage_encrypted and unsure(live).sse_rds:
        shown["StorageEncryptionType"] = "sse-rds"
    if instance.status == "stopped" and hasattr(instance, "restarts_at"):
        shown["AutomaticRestartTime"] = instance.restarts_at
    if instance.status == "creating":
        shown.pop("Endpoint", None)
        shown.pop("InstanceCreateTime", None)
    return shown


def _in_lower_case(operation: str) -> Callable[[Live, Params], Answer]:
    def act(live: Live, params: Params) -> Answer:
        rds_limits.check_tags([*(tag["Key"] for tag in params.get("Tags", [])), *params.get("TagKeys", [])])
        prefix, _, name = params["ResourceName"].rpartition(":")
        kind = prefix.rsplit(":", 1)[-1]
        if kind == "db":
            live.instance(name)
        elif kind == "subgrp":
            live.subnet_group(name)
        return live.moto("rds", operation, {**params, "ResourceName": f"{prefix}:{name.lower()}"})

    return act


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateDBInstance": create,
    "ModifyDBInstance": modify,
    "DeleteDBInstance": delete,
    "RebootDBInstance": reboot,
    "StopDBInstance": rds_stops.stop,
    "StartDBInstance": rds_stops.start,
    "DescribeDBInstances": describe,
    "AddTagsToResource": _in_lower_case("AddTagsToResource"),
    "RemoveTagsFromResource": _in_lower_case("RemoveTagsFromResource"),
    "ListTagsForResource": _in_lower_case("ListTagsForResource"),
}
