"""DB instances. Changes of different cost (`settings.py`) are never mixed in one call; instances are never deleted."""

from __future__ import annotations

from collections.abc import Iterable

from desired_state.database import PROVISIONED, DbInstance, has_provisioned
from desired_state.fields import Address
from reconciler.aws.ec2 import tag_list
from reconciler.aws.rds import ADD_TAGS, instances, tags_of
from reconciler.kinds.db_instance.causes import CHANGES
from reconciler.kinds.db_instance.changes import MODIFY, REACHED, correct, whole_list
from reconciler.kinds.db_instance.coupled import DbChange
from reconciler.kinds.db_instance.imported import IMPORT
from reconciler.kinds.db_instance.observed import blue_of, live, more, observed, reads
from reconciler.kinds.db_instance.settings import (
    IMMUTABLE,
    ONCE,
    Live,
)
from reconciler.kinds.db_instance.states import events
from reconciler.model import (
    ABSENT,
    NAME_TAG,
    Cause,
    Difference,
    Effect,
    Evidence,
    Finding,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
    Snapshot,
)
from reconciler.model.exposure import Exposure, Setting, Severity, of_setting
from reconciler.model.kind import (
    Correct,
    Create,
    Identify,
    Kind,
    Observe,
    PlanContext,
    Step,
    Traffic,
)
from reconciler.model.read import Item, ReadContext, id_in
from reconciler.reach.network import GROUPS_OF, PLACE_OF, PUBLIC

CREATE = Operation(
    "rds",
    "CreateDBInstance",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset(
        {
            "rds:AddTagsToResource",
            "secretsmanager:CreateSecret",
            "secretsmanager:TagResource",
            "kms:DescribeKey",
            "iam:PassRole",
        }
    ),
    yields="DBInstance.DBInstanceIdentifier",
    iam_resource_types=("db", "subgrp", "og", "pg"),
    requires_setting="create_databases",
)
_NEEDED_TO_CREATE = (
    "engine",
    "db_instance_class",
    "allocated_storage",
    "master_username",
    "manage_master_user_password",
)


def live_key(item: Item, context: ReadContext) -> str:
    """Every call names an instance by its identifier, whatever its tags say."""
    return str(item["DBInstanceIdentifier"]).lower()


def misnamed(address: Address, item: Item) -> str:
    """A rename keeps the tags, and a restore copies them (RDS API reference, RestoreDBInstanceFromDBSnapshot)."""
    name = str(item["DBInstanceIdentifier"])
    may = "may have been renamed, or be a copy"
    if blue_of(name) == address.name:
        may = "is what the switchover of a blue/green deployment leaves behind, so look again if one is under way"
    return (
        f"{address.name} does not exist, and {name} carries its tags: it {may}; "
        f"rename it back, declare it as {Address.of('db_instance', name)}, or take the tag {NAME_TAG} off it"
    )


def initial_state(want: DbInstance, context: PlanContext) -> DbInstance:
    return want


def create(address: Address, want: DbInstance, context: PlanContext) -> Iterable[Step]:
    """A missing database is created only if that is allowed: an empty one would take the place of lost data."""
    db = want
    if not context.policy.create_databases:
        problem = (
            "the database does not exist, and creating databases is not allowed: restore it from a snapshot, "
            "or set SETPOINT_CREATE_DATABASES=1"
        )
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.CREATE_NOT_ALLOWED, problem))
        return
    if missing := [name for name in _NEEDED_TO_CREATE if getattr(db, name) is None]:
        problem = f"it cannot be created from this document: add {', '.join(missing)}"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.INCOMPLETE, problem))
        return
    chosen = has_provisioned(db.storage_type, db.allocated_storage)
    if db.storage_type in PROVISIONED and not db.iops:
        cause = Cause(Reason.INCOMPLETE, f"{db.storage_type} needs IOPS: add iops")
        yield Finding(address, Outcome.BLOCKED, cause)
        return
    plain = {
        "Engine": db.engine,
        "EngineVersion": db.engine_version,
        "DBInstanceClass": db.db_instance_class,
        "StorageType": db.storage_type,
        "AllocatedStorage": db.allocated_storage,
        "MaxAllocatedStorage": db.max_allocated_storage or None,
        "Iops": db.iops if chosen else None,
        "StorageThroughput": db.storage_throughput if chosen else None,
        "StorageEncrypted": db.storage_encrypted,
        "KmsKeyId": db.kms_key,
        "DBName": db.db_name,
        "MasterUsername": db.master_username,
        "ManageMasterUserPassword": db.manage_master_user_password,
        "Port": db.port,
        "MultiAZ": db.multi_az,
        "DBSubnetGroupName": Ref(db.db_subnet_group) if db.db_subnet_group else None,
        "VpcSecurityGroupIds": whole_list(db.vpc_security_groups) if db.vpc_security_groups else None,
        "BackupRetentionPeriod": db.backup_retention_period,
        "PreferredBackupWindow": db.preferred_backup_window,
        "PreferredMaintenanceWindow": db.preferred_maintenance_window,
        "AutoMinorVersionUpgrade": db.auto_minor_version_upgrade,
        "CopyTagsToSnapshot": db.copy_tags_to_snapshot,
        "DeletionProtection": db.deletion_protection,
        "EnableCloudwatchLogsExports": sorted(db.enabled_cloudwatch_logs_exports or ()) or None,
        "MonitoringInterval": db.monitoring_interval or None,
        "MonitoringRoleArn": db.monitoring_role,
        "EnablePerformanceInsights": db.performance_insights_enabled,
        "PerformanceInsightsRetentionPeriod": db.performance_insights_retention_period,
        "PerformanceInsightsKMSKeyId": db.performance_insights_kms_key,
        "CACertificateIdentifier": db.ca_certificate_identifier,
        "EnableIAMDatabaseAuthentication": db.iam_database_authentication,
        "DBParameterGroupName": db.db_parameter_group,
        "NetworkType": db.network_type,
        "DatabaseInsightsMode": db.database_insights_mode,
        "DedicatedLogVolume": db.dedicated_log_volume or None,
        "EngineLifecycleSupport": db.engine_lifecycle_support,
    }
    public = bool(db.publicly_accessible)
    gateways = context.route_targets() | {context.document.vpc}
    yield CREATE.on(
        address,
        f"create the database {db.engine} {db.engine_version or ''} on {db.db_instance_class}",
        gives=Ref(address),
        after=gateways if public else frozenset(),
        params={
            "DBInstanceIdentifier": address.name,
            "PubliclyAccessible": public,
            "Tags": tag_list(want.tags),
            **{name: value for name, value in plain.items() if value is not None},
        },
    )


def effects(address: Address, spec: DbInstance, seen: Live | None) -> Iterable[Effect]:
    """Where an instance is and who filters its packets. What RDS has accepted and not done yet does not count."""
    groups = seen.facts.groups if seen else frozenset(spec.vpc_security_groups or ())
    public = seen.facts.now["publicly_accessible"] if seen else spec.publicly_accessible
    yield PLACE_OF, address, spec.db_subnet_group
    yield GROUPS_OF, address, groups
    yield PUBLIC, address, public or None


def leaves_open(one: Difference) -> bool:
    return one.field in {"publicly_accessible", "vpc_security_groups"} and one.have not in {ABSENT, False}


def coupled(change: DbChange, family: list[Difference], suppressed: list[Difference]) -> list[Difference]:
    """RDS replaces the list of groups as a whole."""
    return family if family[0].field == "vpc_security_groups" else []


def keeps(one: Difference, snapshot: Snapshot) -> Iterable[Address]:
    """The undeclared group that the instance keeps."""
    if one.field == "vpc_security_groups" and one.have is not ABSENT:
        yield Address(one.key)


EXPOSURES = {
    "publicly_accessible": Setting(
        value=True, severity=Severity.CRITICAL, is_now="has a public address", was="had a public address"
    ),
    "deletion_protection": Setting(
        value=False,
        severity=Severity.HIGH,
        is_now="can be deleted with one call",
        was="could be deleted with one call",
    ),
    "backup_retention_period": Setting(
        None,
        Severity.HIGH,
        "has another backup retention period than declared",
        "had another backup retention period than declared",
    ),
    "enabled_cloudwatch_logs_exports": Setting(
        None,
        Severity.HIGH,
        "exports other logs than declared, so its audit trail may stop",
        "exported other logs than declared, so its audit trail may have stopped",
    ),
    "monitoring_interval": Setting(0, Severity.MEDIUM, "has no enhanced monitoring", "had no enhanced monitoring"),
    "iam_database_authentication": Setting(
        None, Severity.HIGH, "lets other users log in than declared", "let other users log in than declared"
    ),
    "storage_encrypted": Setting(
        value=False, severity=Severity.HIGH, is_now="is not encrypted at rest", was="was not encrypted at rest"
    ),
    "vpc_security_groups": Setting(
        None,
        Severity.HIGH,
        "has other security groups than declared",
        "had other security groups than declared",
    ),
}


def exposure(one: Difference, past: bool) -> Exposure | None:  # noqa: FBT001 (the contract's signature)
    if one.field:
        return of_setting(EXPOSURES, one, past=past)
    severity, was = (Severity.HIGH, "was") if past else (Severity.CRITICAL, "is")
    return Exposure(severity, f"{one.address} {was} missing, and its data may be lost.")


KIND = Kind(
    "db_instance",
    DbInstance,
    after=frozenset({"vpc", "db_subnet_group", "security_group"}),
    operations=(CREATE, MODIFY, ADD_TAGS.for_resource_types("db")),
    changed_by_tag=True,
    observe=Observe(
        permissions=("rds:DescribeDBInstances", "rds:DescribeBlueGreenDeployments"),
        reads=reads,
        more=more,
        live=live,
        id=id_in("DBInstanceIdentifier"),
        label=lambda item: str(item["DBInstanceIdentifier"]),
        tags=tags_of,
        observed=observed,
        again=instances,
    ),
    identify=Identify(
        "DB instance",
        order=lambda resource: (Evidence.KEY,),
        key=lambda name, resource: name,
        live_key=live_key,
        key_text="its name",
        name=lambda item: str(item["DBInstanceIdentifier"]).lower(),
        resource_id=lambda item: str(item.get("DbiResourceId", "")),
        misnamed=misnamed,
    ),
    create=Create(initial_state, create, takes_time=True),
    correct=Correct(
        correct,
        immutable=IMMUTABLE,
        once=ONCE,
        urgent=REACHED,
        reasons=lambda at: f"see its events ({events(at.name)})",
    ),
    traffic=Traffic(
        effects=effects,
        coupled=coupled,
        leaves_open=leaves_open,
        lets_in=lambda one: one.field == "publicly_accessible" and one.have is True,
        keeps=keeps,
        exposure=exposure,
    ),
    changes=CHANGES,
    imported=IMPORT,
)
