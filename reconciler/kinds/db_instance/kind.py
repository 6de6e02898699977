"""DB instances. Changes of different cost (`settings.py`) are never mixed in one call; instances are never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from desired_state.database import DbInstance
from desired_state.fields import Address
from desired_state.members import SecurityGroups
from reconciler.aws.ec2 import tag_list
from reconciler.aws.rds import ADD_TAGS, INSTANCES, arn, instances, retag, tags_of
from reconciler.kinds.db_instance.imported import IMPORT
from reconciler.kinds.db_instance.settings import (
    IMMUTABLE,
    READY,
    SETTINGS,
    Facts,
    Live,
    cancels,
    cost_of,
    impossible,
    only_these,
    optimizing,
    release,
)
from reconciler.model import (
    ABSENT,
    DOCUMENT_TAG,
    NAME_TAG,
    Action,
    ActionOptions,
    Cause,
    Change,
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
    id_in,
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
MODIFY = Operation(
    "rds",
    "ModifyDBInstance",
    Phase.BIND,
    Risk.TRAFFIC,
    takes_effect_later=True,
    also_needs=frozenset({"secretsmanager:CreateSecret", "secretsmanager:TagResource", "kms:DescribeKey"}),
    iam_resource_types=("db", "og", "pg"),
)


_NEEDED_TO_CREATE = (
    "engine",
    "db_instance_class",
    "allocated_storage",
    "master_username",
    "manage_master_user_password",
)


type DbChange = Change[DbInstance, Facts]


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
        "VpcSecurityGroupIds": _groups(db.vpc_security_groups) if db.vpc_security_groups else None,
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


def _groups(groups: Iterable[Address]) -> list[Ref | str]:
    """The whole list of groups, which RDS replaces; an undeclared group is in it by its id."""
    return [Ref(one) if one.startswith("security_group/") else str(one) for one in sorted(groups)]


def correct(change: DbChange, context: PlanContext) -> Iterator[Step]:
    have = change.have
    if have is None:
        return
    address = change.address
    if have.facts.vpc != have.facts.document_vpc:
        problem = f"a database of this name is in another VPC, {have.facts.vpc}: choose another identifier"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem))
        return
    yield from retag(change, arn(context.document, f"db:{address.name}"))
    changed: dict[str, list[Difference]] = {}
    for one in change.differences:
        if one.field not in SETTINGS:
            continue
        if problem := impossible(one, have):
            yield Finding(address, Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, problem), one.field)
        elif optimizing(one, have):
            cause = Cause(Reason.NOT_READY, f"RDS is changing its storage: its status is {have.facts.status}")
            yield Finding(address, Outcome.WAITING, cause, one.field)
        else:
            changed.setdefault(cost_of(one, have), []).append(one)
    if free := changed.get("none"):
        yield _modify(change, context, free, immediately=only_these(free, have) and cancels(free, have))
    if windowed := changed.get("window"):
        yield _modify(change, context, windowed, immediately=only_these(windowed, have))
    if disruptive := changed.get("downtime"):
        if unclear := _unclear(address, context):
            yield from (Finding(address, Outcome.HELD, unclear, one.field) for one in disruptive)
            return
        now = context.policy.downtime == "now"
        if now and not only_these(disruptive, have):
            problem = f"it would also apply somebody else's pending {', '.join(sorted(have.facts.pending))}"
            yield from (
                Finding(address, Outcome.HELD, Cause(Reason.PENDING_CHANGE, problem), one.field) for one in disruptive
            )
        else:
            yield _modify(change, context, disruptive, immediately=now, risk=Risk.DOWNTIME)


def _unclear(address: Address, context: PlanContext) -> Cause | None:
    """Why it is not certain that the instance of this name is the one that is meant; None if `adopt` says so."""
    copy = context.snapshot.copies.get(address)
    if copy is None or context.snapshot.found_by[address].by is Evidence.ADOPT:
        return None
    seen = context.snapshot.resources[address].resource_id
    message = (
        f"{copy} carries its tags too: what costs downtime waits until it is clear which one is meant; "
        f'take the tags off {copy}, or write "adopt": {{"{address}": "{seen}"}}'
    )
    return Cause(Reason.AMBIGUOUS, message)


def _modify(
    change: DbChange,
    context: PlanContext,
    differences: list[Difference],
    *,
    immediately: bool,
    risk: Risk = Risk.TRAFFIC,
) -> Action:
    fields = [one.field for one in differences]
    want = change.want
    params: dict[str, Any] = {SETTINGS[one.field].parameter: one.want for one in differences if one.key is None}
    opens = "publicly_accessible" in fields and want.publicly_accessible
    options: ActionOptions = {
        "risk": risk,
        "closes": risk is Risk.TRAFFIC and not opens and "vpc_security_groups" not in fields,
        "breaks": len(differences),
        "effect": tuple(_effects(change, fields)),
    }
    if "vpc_security_groups" in fields:
        goal = _goal(change)
        params["VpcSecurityGroupIds"] = _groups(goal)
        seen = change.base.vpc_security_groups or SecurityGroups()
        options |= {"after": frozenset(goal - seen), "before": frozenset(seen - goal)}
    if "publicly_accessible" in fields and want.publicly_accessible:
        gateways = context.route_targets() | {context.document.vpc}
        options["after"] = options.get("after", frozenset()) | gateways
    if "allocated_storage" in fields or "storage_type" in fields:
        params.setdefault("AllocatedStorage", want.allocated_storage or change.base.allocated_storage)
    if "engine_version" in fields and change.have:
        runs = str(change.have.facts.now["engine_version"])
        if runs.startswith(f"{want.engine_version}."):
            # Only the exact current version cancels a pending one: "16" could mean the newest 16.x.
            params["EngineVersion"] = runs
        elif release(runs)[:1] != release(str(want.engine_version))[:1]:
            params["AllowMajorVersionUpgrade"] = True
    return MODIFY.on(
        change.address,
        "set " + ", ".join(f"{name} to {_value(want, change, name)}" for name in sorted(set(fields))),
        *fields,
        params={"DBInstanceIdentifier": change.address.name, "ApplyImmediately": immediately, **params},
        **options,
    )


def _effects(change: DbChange, fields: Iterable[str]) -> Iterator[Effect]:
    if "vpc_security_groups" in fields:
        yield GROUPS_OF, change.address, frozenset(_goal(change))
    if "publicly_accessible" in fields:
        yield PUBLIC, change.address, change.want.publicly_accessible or None


def effects(address: Address, spec: DbInstance, seen: Live | None) -> Iterable[Effect]:
    """Where an instance is and who filters its packets. What RDS has accepted and not done yet does not count."""
    groups = seen.facts.groups if seen else frozenset(spec.vpc_security_groups or ())
    public = seen.facts.now["publicly_accessible"] if seen else spec.publicly_accessible
    yield PLACE_OF, address, spec.db_subnet_group
    yield GROUPS_OF, address, groups
    yield PUBLIC, address, public or None


def _goal(change: DbChange) -> SecurityGroups:
    """The declared groups, and the undeclared ones with an exception."""
    seen = change.base.vpc_security_groups or SecurityGroups()
    extra = {one.key for one in change.of("vpc_security_groups") if one.want is ABSENT}
    return SecurityGroups((change.want.vpc_security_groups or SecurityGroups()) | (seen - extra))


def _value(want: DbInstance, change: DbChange, name: str) -> str:
    if name == "vpc_security_groups":
        return " and ".join(sorted(_goal(change)))
    value = getattr(want, name)
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    correct=Correct(correct, immutable=IMMUTABLE),
    traffic=Traffic(
        effects=effects,
        coupled=coupled,
        leaves_open=leaves_open,
        lets_in=lambda one: one.field == "publicly_accessible" and one.have is True,
        keeps=keeps,
        exposure=exposure,
    ),
    also_changed_by=frozenset(
        {
            "AddRoleToDBInstance",
            "ApplyPendingMaintenanceAction",
            "DeleteDBInstance",
            "PromoteReadReplica",
            "RebootDBInstance",
            "RemoveRoleFromDBInstance",
            "RemoveTagsFromResource",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceToPointInTime",
            "StartDBInstance",
            "StopDBInstance",
            "SwitchoverReadReplica",
        }
    ),
    imported=IMPORT,
)
