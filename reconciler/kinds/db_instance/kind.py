"""DB instances. Changes of different cost (`settings.py`) are never mixed in one call; instances are never deleted."""

from __future__ import annotations

from collections.abc import Iterable

from desired_state.database import DbInstance
from desired_state.fields import Address
from desired_state.members import SecurityGroups
from reconciler.aws.ec2 import tag_list
from reconciler.aws.rds import ADD_TAGS, INSTANCES, instances, tags_of
from reconciler.kinds.db_instance.causes import CHANGES
from reconciler.kinds.db_instance.changes import MODIFY, DbChange, correct, whole_list
from reconciler.kinds.db_instance.imported import IMPORT
from reconciler.kinds.db_instance.settings import (
    IMMUTABLE,
    READY,
    SETTINGS,
    Facts,
    Live,
)
from reconciler.model import (
    ABSENT,
    DOCUMENT_TAG,
    NAME_TAG,
    Cause,
    Difference,
    Effect,
    Evidence,
    Finding,
    Observed,
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
    Answers,
    Correct,
    Create,
    Identify,
    Item,
    Kind,
    Observe,
    ObserveContext,
    PlanContext,
    Read,
    ReadContext,
    Step,
    Traffic,
)
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


def reads(context: ReadContext) -> Iterable[Read]:
    yield INSTANCES


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    """Those with a declared name, those in the VPC, and those with the document's tags, which a restore copies."""
    declared = {address.name for address in context.declared}
    owners = {context.document.name, *context.document.formerly}
    return [
        item
        for item in answers.get(INSTANCES, ())
        if item["DBInstanceIdentifier"].lower() in declared
        or (context.vpc_id and _vpc(item) == context.vpc_id)
        or tags_of(item).get(DOCUMENT_TAG) in owners
    ]


def _vpc(item: Item) -> str:
    return str(item.get("DBSubnetGroup", {}).get("VpcId", ""))


def live_key(item: Item, context: ReadContext) -> str:
    """Every call names an instance by its identifier, whatever its tags say."""
    return str(item["DBInstanceIdentifier"]).lower()


def misnamed(address: Address, item: Item) -> str:
    """A rename keeps the tags, and a restore copies them (RDS API reference, RestoreDBInstanceFromDBSnapshot)."""
    name = item["DBInstanceIdentifier"]
    return (
        f"{address.name} does not exist, and {name} carries its tags: it may have been renamed, or be a copy; "
        f"rename it back, declare it as {Address.of('db_instance', name)}, or take the tag {NAME_TAG} off it"
    )


def observed(item: Item, context: ObserveContext) -> Live:
    live_groups = (
        one["VpcSecurityGroupId"] for one in item.get("VpcSecurityGroups", ()) if one.get("Status") != "removing"
    )
    endpoint = item.get("Endpoint") or {}
    group = item.get("DBSubnetGroup", {}).get("DBSubnetGroupName")
    now = {
        "engine": item["Engine"],
        "engine_version": item.get("EngineVersion"),
        "db_instance_class": item["DBInstanceClass"],
        "storage_type": item.get("StorageType"),
        "allocated_storage": item["AllocatedStorage"],
        "max_allocated_storage": item.get("MaxAllocatedStorage") or item["AllocatedStorage"],
        "storage_encrypted": item.get("StorageEncrypted", False),
        # None would mean unknown: an instance that was created without a first database has no DBName.
        "db_name": item.get("DBName") or "",
        "manage_master_user_password": bool(item.get("MasterUserSecret")),
        "port": endpoint.get("Port") or item.get("DbInstancePort") or None,
        "multi_az": item.get("MultiAZ", False),
        "publicly_accessible": item["PubliclyAccessible"],
        "db_subnet_group": context.named("db_subnet_group", group) if group else None,
        "vpc_security_groups": SecurityGroups(map(context.address, live_groups)),
        "backup_retention_period": item["BackupRetentionPeriod"],
        "preferred_backup_window": item.get("PreferredBackupWindow"),
        "preferred_maintenance_window": item.get("PreferredMaintenanceWindow"),
        "auto_minor_version_upgrade": item.get("AutoMinorVersionUpgrade", False),
        "copy_tags_to_snapshot": item.get("CopyTagsToSnapshot", False),
        "deletion_protection": item.get("DeletionProtection", False),
        "tags": tags_of(item),
    }
    waiting = item.get("PendingModifiedValues") or {}
    pending = {
        field: waiting[one.pending]
        for field, one in SETTINGS.items()
        if one.pending and waiting.get(one.pending) is not None
    }
    spec = DbInstance.model_construct(master_username=item.get("MasterUsername"), **(now | pending))
    status = str(item.get("DBInstanceStatus", "available"))
    facts = Facts(now, frozenset(waiting), status, _vpc(item), context.read.vpc_id, _groups_in_force(item, context))
    shown = "" if status in READY else status
    return Observed(item["DBInstanceIdentifier"], spec, facts, shown, creating=status == "creating")


def _groups_in_force(item: Item, context: ObserveContext) -> frozenset[Address]:
    """The groups that filter its packets now: one that RDS is removing still does."""
    groups = (one for one in item.get("VpcSecurityGroups", ()) if one.get("Status") != "adding")
    return frozenset(context.address(one["VpcSecurityGroupId"]) for one in groups)


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
    if db.storage_type in {"io1", "io2"}:
        problem = f"{db.storage_type} requires IOPS, which a document cannot declare: create the database manually"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, problem))
        return
    plain = {
        "Engine": db.engine,
        "EngineVersion": db.engine_version,
        "DBInstanceClass": db.db_instance_class,
        "StorageType": db.storage_type,
        "AllocatedStorage": db.allocated_storage,
        "MaxAllocatedStorage": db.max_allocated_storage,
        "StorageEncrypted": db.storage_encrypted,
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
    observe=Observe(
        permissions=("rds:DescribeDBInstances",),
        reads=reads,
        live=live,
        id=lambda item: str(item["DBInstanceIdentifier"]),
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
    correct=Correct(correct, immutable=IMMUTABLE),
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
