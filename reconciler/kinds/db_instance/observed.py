"""DB instances as RDS shows them: which there are, and each as the document says it.

Values that AWS shows in several ways have one form here. What RDS has accepted and not done yet counts as done.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from desired_state.database import DbInstance, LogTypes, has_provisioned
from desired_state.fields import Address
from desired_state.members import SecurityGroups
from reconciler.aws.rds import INSTANCES, concerned, tags_of
from reconciler.aws.shapes import flag, listed, text
from reconciler.kinds.db_instance.replicas import OF_SOURCE, replica, source_of
from reconciler.kinds.db_instance.settings import SETTINGS, Facts, Live
from reconciler.kinds.db_instance.states import READY, condition
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Cause, Condition, Observed, Outcome, Reason
from reconciler.model.kind import ObserveContext
from reconciler.model.read import Answers, Item, Read, ReadContext, read

_GREEN = re.compile(r"(.+)-green-[a-z0-9]{6}")
_TWIN = re.compile(r"(.+)-(?:green-[a-z0-9]{6}|old[0-9]+)")
"""How RDS names the other instances of a blue/green deployment (RDS user guide, Blue/Green Deployments)."""
_DEPLOYMENTS = read("rds", "DescribeBlueGreenDeployments", "BlueGreenDeployments", {}, page=100)
_OVER = frozenset({"SWITCHOVER_COMPLETED", "DELETING"})
"""Statuses of a deployment that a change of its instances does not spoil any more."""


def reads(context: ReadContext) -> Iterable[Read]:
    if concerned(context.document):
        yield INSTANCES


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    """Those with a declared name, those in the VPC, and those with the document's tags, which a restore copies."""
    declared = {address.name for address in context.declared}
    present = {item["DBInstanceIdentifier"].lower() for item in answers.get(INSTANCES, ())}
    owners = {context.document.name, *context.document.formerly}
    return [
        _without_copied_tags(item, present)
        for item in answers.get(INSTANCES, ())
        if item["DBInstanceIdentifier"].lower() in declared
        or (context.vpc_id and _vpc(item) == context.vpc_id)
        or tags_of(item).get(DOCUMENT_TAG) in owners
    ]


def _vpc(item: Item) -> str:
    return str(item.get("DBSubnetGroup", {}).get("VpcId", ""))


def more(context: ReadContext, answers: Answers) -> Iterable[Read]:
    """Deployments are asked for only if there is an instance with the name of one."""
    declared = {address.name for address in context.declared}
    names = (str(item["DBInstanceIdentifier"]).lower() for item in answers.get(INSTANCES, ()))
    if any((found := _GREEN.fullmatch(name)) and found[1] in declared for name in names):
        yield _DEPLOYMENTS


def blue_of(name: str) -> str:
    """Whose twin in a blue/green deployment an instance of this name is; empty if it is none."""
    found = _TWIN.fullmatch(name.lower())
    return found[1] if found else ""


def _without_copied_tags(item: Item, present: Container[str]) -> Item:
    """A switchover copies the tags of an instance to its twin, which nobody needs to take off again."""
    blue = blue_of(str(item["DBInstanceIdentifier"]))
    if not blue or blue not in present or tags_of(item).get(NAME_TAG) != blue:
        return item
    tags = [tag for tag in item.get("TagList", ()) if tag["Key"] not in {DOCUMENT_TAG, NAME_TAG}]
    return {**item, "TagList": tags}


def observed(item: Item, context: ObserveContext) -> Live:
    shown_groups = listed(item, "VpcSecurityGroups")
    live_groups = (text(one, "VpcSecurityGroupId") for one in shown_groups if one.get("Status") != "removing")
    endpoint = item.get("Endpoint") or {}
    insights = flag(item, "PerformanceInsightsEnabled", absent=False)
    group = item.get("DBSubnetGroup", {}).get("DBSubnetGroupName")
    now = {
        "engine": item["Engine"],
        "engine_version": item.get("EngineVersion"),
        "db_instance_class": item["DBInstanceClass"],
        "storage_type": item.get("StorageType"),
        "allocated_storage": item["AllocatedStorage"],
        "max_allocated_storage": item.get("MaxAllocatedStorage") or 0,
        "iops": item.get("Iops"),
        "storage_throughput": item.get("StorageThroughput"),
        "storage_encrypted": _encrypted(item),
        "kms_key": item.get("KmsKeyId"),
        # None would mean unknown: an instance that was created without a first database has no DBName.
        "db_name": item.get("DBName") or "",
        "manage_master_user_password": bool(item.get("MasterUserSecret")),
        "port": endpoint.get("Port") or item.get("DbInstancePort") or None,
        "multi_az": flag(item, "MultiAZ", absent=False),
        "publicly_accessible": flag(item, "PubliclyAccessible"),
        "db_subnet_group": context.named("db_subnet_group", group) if group else None,
        "vpc_security_groups": SecurityGroups(map(context.address, live_groups)),
        "backup_retention_period": item["BackupRetentionPeriod"],
        "preferred_backup_window": item.get("PreferredBackupWindow"),
        "preferred_maintenance_window": item.get("PreferredMaintenanceWindow"),
        "auto_minor_version_upgrade": flag(item, "AutoMinorVersionUpgrade", absent=False),
        "copy_tags_to_snapshot": flag(item, "CopyTagsToSnapshot", absent=False),
        "deletion_protection": flag(item, "DeletionProtection", absent=False),
        "enabled_cloudwatch_logs_exports": LogTypes(item.get("EnabledCloudwatchLogsExports") or ()),
        "monitoring_interval": item.get("MonitoringInterval") or 0,
        "monitoring_role": item.get("MonitoringRoleArn") or "",
        "performance_insights_enabled": insights,
        # Nothing is kept while it is off, so that a period to come is a difference of its own.
        "performance_insights_retention_period": item.get("PerformanceInsightsRetentionPeriod")
        or (None if insights else 0),
        "performance_insights_kms_key": item.get("PerformanceInsightsKMSKeyId"),
        "ca_certificate_identifier": item.get("CACertificateIdentifier"),
        "iam_database_authentication": flag(item, "IAMDatabaseAuthenticationEnabled", absent=False),
        "db_parameter_group": next((one["DBParameterGroupName"] for one in item.get("DBParameterGroups") or ()), None),
        "network_type": item.get("NetworkType"),
        "database_insights_mode": item.get("DatabaseInsightsMode") or "standard",
        "dedicated_log_volume": flag(item, "DedicatedLogVolume", absent=False),
        "engine_lifecycle_support": item.get("EngineLifecycleSupport"),
        "tags": tags_of(item),
    }
    waiting = item.get("PendingModifiedValues") or {}
    pending = {
        field: waiting[one.pending]
        for field, one in SETTINGS.items()
        if one.pending and waiting.get(one.pending) is not None
    }
    if exports := waiting.get("PendingCloudwatchLogsExports"):
        live_types = set(now["enabled_cloudwatch_logs_exports"])
        on, off = (set(exports.get(key) or ()) for key in ("LogTypesToEnable", "LogTypesToDisable"))
        pending["enabled_cloudwatch_logs_exports"] = LogTypes((live_types | on) - off)
    spec = DbInstance.model_construct(master_username=item.get("MasterUsername"), **_canonical(now | pending))
    status = str(item.get("DBInstanceStatus", "available"))
    in_force = {field: now[field] for field, value in pending.items() if now[field] != value}
    filtering = _groups_in_force(item, context)
    if filtering != now["vpc_security_groups"]:
        in_force["vpc_security_groups"] = SecurityGroups(filtering)
    facts = Facts(
        now,
        frozenset(waiting),
        status,
        _vpc(item),
        context.read.vpc_id,
        filtering,
        dict(_kept_by_others(item, context.answers.get(_DEPLOYMENTS, ()))),
    )
    shown = "" if status in READY else status
    return Observed(
        str(item["DBInstanceIdentifier"]),
        spec,
        facts,
        shown,
        creating=status == "creating",
        conditions=tuple(_conditions(item, status)),
        in_force=in_force,
    )


def _encrypted(item: Item) -> bool | None:
    """Whether its storage is encrypted; None where AWS encrypts it with a key of its own, which it may show as not
    encrypted (RDS API reference, DBInstance, StorageEncryptionType).
    """
    if flag(item, "StorageEncrypted", absent=False):
        return True
    return None if item.get("StorageEncryptionType") == "sse-rds" else False


def _canonical(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Small gp3 shows IOPS and throughput that nobody chose, and that RDS refuses (RDS user guide, Storage)."""
    chosen = has_provisioned(values["storage_type"], values["allocated_storage"])
    return values if chosen else {**values, "iops": None, "storage_throughput": None}


def _conditions(item: Item, status: str) -> Iterator[Condition]:
    name = str(item["DBInstanceIdentifier"])
    if said := condition(status, name):
        yield said
    if said := replica(item):
        yield said
    for group in item.get("DBParameterGroups") or ():
        if group.get("ParameterApplyStatus") == "pending-reboot":
            message = f"{group['DBParameterGroupName']} waits for a reboot, which Setpoint never makes: when it suits, "
            cause = Cause(Reason.PENDING_REBOOT, f"{message}aws rds reboot-db-instance --db-instance-identifier {name}")
            yield Condition(Outcome.HELD, cause, "db_parameter_group")
    if (item.get("MasterUserSecret") or {}).get("SecretStatus") == "impaired":
        message = "RDS cannot use or rotate the secret of its master password: look at the secret and its KMS key"
        yield Condition(Outcome.BLOCKED, Cause(Reason.BROKEN, message), "manage_master_user_password")


def _kept_by_others(item: Item, deployments: Iterable[Item]) -> Iterator[tuple[str, str]]:
    """Why fields are left alone ("": all but the tags), although they differ."""
    names = {item.get("DBInstanceArn"), item["DBInstanceIdentifier"]}
    for one in deployments:
        if one.get("Status") not in _OVER and {one.get("Source"), one.get("Target")} & names:
            title = one.get("BlueGreenDeploymentName") or one.get("BlueGreenDeploymentIdentifier")
            yield "", f"the blue/green deployment {title} names it, and a change could spoil it"
    if item.get("AwsBackupRecoveryPointArn"):
        message = "AWS Backup decides it, by its backup plan: leave it out of the document, or end that plan for it"
        yield from ((field, message) for field in ("backup_retention_period", "preferred_backup_window"))
    if source := source_of(item):
        message = f"it is a read replica of {source}, which has the password and makes the backups"
        yield from ((field, message) for field in OF_SOURCE)
    if reservation := item.get("DBCapacityReservationIdentifier"):
        message = f"it would lose the reserved capacity {reservation}: change it by hand"
        yield from ((field, message) for field in ("db_instance_class", "multi_az"))


def _groups_in_force(item: Item, context: ObserveContext) -> frozenset[Address]:
    """The groups that filter its packets now: one that RDS is removing still does."""
    groups = (one for one in listed(item, "VpcSecurityGroups") if one.get("Status") != "adding")
    return frozenset(context.address(one["VpcSecurityGroupId"]) for one in groups)
