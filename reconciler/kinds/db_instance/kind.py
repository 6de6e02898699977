"""DB instances: three sorts of change, never mixed in one call, and never a deletion (`reconciler/kinds/db_instance/settings.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from desired_state.database import DbInstance
from desired_state.fields import Address
from desired_state.members import SecurityGroups
from desired_state.resource import Resource
from reconciler.aws.ec2 import tag_list
from reconciler.aws.rds import ADD_TAGS, INSTANCES, arn, retag, tags_of
from reconciler.kinds.db_instance.settings import (
    IMMUTABLE,
    READY,
    SETTINGS,
    busy,
    cancels,
    cost_of,
    impossible,
    only_ours,
    release,
)
from reconciler.model import (
    ABSENT,
    Action,
    ActionOptions,
    Cause,
    Change,
    Difference,
    Finding,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
)
from reconciler.model.kind import Answers, Item, Kind, ObserveContext, PlanContext, Read, ReadContext

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


def reads(context: ReadContext) -> Iterable[Read]:
    yield INSTANCES


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    wanted = {address.name for address in context.declared}
    return [
        item
        for item in answers.get(INSTANCES, ())
        if item["DBInstanceIdentifier"].lower() in wanted or (context.vpc_id and _vpc(item) == context.vpc_id)
    ]


def _vpc(item: Item) -> str:
    return str(item.get("DBSubnetGroup", {}).get("VpcId", ""))


def matches(address: Address, resource: Resource, item: Item, context: ReadContext) -> bool:
    return str(item["DBInstanceIdentifier"]).lower() == address.name


def observed(item: Item, seen: ObserveContext) -> Observed:
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
        # None would mean unknown: an instance made without a first database shows no DBName, and never will.
        "db_name": item.get("DBName") or "",
        "manage_master_user_password": bool(item.get("MasterUserSecret")),
        "port": endpoint.get("Port") or item.get("DbInstancePort") or None,
        "multi_az": item.get("MultiAZ", False),
        "publicly_accessible": item["PubliclyAccessible"],
        "db_subnet_group": seen.address(group) if group else None,
        "vpc_security_groups": SecurityGroups(map(seen.address, live_groups)),
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
    facts = {
        "status": status,
        "now": now,
        "pending": frozenset(waiting),
        "vpc": _vpc(item),
        "our_vpc": seen.context.vpc_id,
    }
    return Observed(item["DBInstanceIdentifier"], spec, "" if status in READY else status, facts)


def initial_state(want: Resource, context: PlanContext) -> Resource:
    return want


def create(address: Address, want: Resource, context: PlanContext) -> Iterable[Action | Finding]:
    """A database that is gone is not made anew behind anyone's back: an empty one would take the place of lost data."""
    db = cast("DbInstance", want)
    if not context.policy.create_databases:
        problem = (
            "the database does not exist, and none is made without leave: restore it from a snapshot, "
            "or allow it with SETPOINT_CREATE_DATABASES=1"
        )
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.CREATE_NOT_ALLOWED, problem))
        return
    if missing := [name for name in _NEEDED_TO_CREATE if getattr(db, name) is None]:
        problem = f"it cannot be made from this document: add {', '.join(missing)}"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.INCOMPLETE, problem))
        return
    if db.storage_type in {"io1", "io2"}:
        problem = f"RDS asks for IOPS with {db.storage_type}, and a document has none: make it by hand, then it is kept"
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
    gateways = frozenset(context.document.of_kind("internet_gateway")) | {context.document.vpc}
    yield CREATE.on(
        address,
        f"make the database {db.engine} {db.engine_version or ''} on {db.db_instance_class}",
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
    """The whole list of groups: RDS replaces it. A group nobody declared stands in it by its id."""
    return [Ref(one) if one.startswith("security_group/") else str(one) for one in sorted(groups)]


def plan(change: Change, context: PlanContext) -> Iterator[Action | Finding]:
    have = change.have
    if have is None:
        return
    address = change.address
    if have.facts["vpc"] != have.facts["our_vpc"]:
        problem = f"a database of this name lies in another VPC, {have.facts['vpc']}: choose another identifier"
        yield Finding(address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem))
        return
    yield from retag(change, arn(context.document, f"db:{address.name}"))
    changed: dict[str, list[Difference]] = {}
    for one in change.differences:
        if one.field not in SETTINGS:
            continue
        if problem := impossible(one, have):
            yield Finding(address, Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, problem), one.field)
        elif busy(one, have):
            yield Finding(
                address, Outcome.WAITING, Cause(Reason.NOT_READY, f"the database is {have.facts['status']}"), one.field
            )
        else:
            changed.setdefault(cost_of(one, have), []).append(one)
    if mild := changed.get("none"):
        yield _modify(change, context, mild, immediately=only_ours(mild, have) and cancels(mild, have))
    if slow := changed.get("window"):
        yield _modify(change, context, slow, immediately=only_ours(slow, have))
    if hard := changed.get("downtime"):
        now = context.policy.downtime == "now"
        if now and not only_ours(hard, have):
            problem = f"it would also carry out somebody else's pending {', '.join(sorted(have.facts['pending']))}"
            yield from (
                Finding(address, Outcome.HELD, Cause(Reason.PENDING_CHANGE, problem), one.field) for one in hard
            )
        else:
            yield _modify(change, context, hard, immediately=now, risk=Risk.DOWNTIME)


def _modify(
    change: Change, context: PlanContext, differences: list[Difference], *, immediately: bool, risk: Risk = Risk.TRAFFIC
) -> Action:
    fields = [one.field for one in differences]
    want = cast("DbInstance", change.want)
    params: dict[str, Any] = {SETTINGS[one.field].parameter: one.want for one in differences if one.key is None}
    opens = "publicly_accessible" in fields and want.publicly_accessible
    options: ActionOptions = {
        "risk": risk,
        "closes": risk is Risk.TRAFFIC and not opens,
        "breaks": len(differences),
    }
    if "vpc_security_groups" in fields:
        goal = _goal(change)
        params["VpcSecurityGroupIds"] = _groups(goal)
        seen = cast("DbInstance", change.base).vpc_security_groups or SecurityGroups()
        options |= {"after": frozenset(goal - seen), "before": frozenset(seen - goal)}
    if "publicly_accessible" in fields and want.publicly_accessible:
        gateways = frozenset(context.document.of_kind("internet_gateway")) | {context.document.vpc}
        options["after"] = options.get("after", frozenset()) | gateways
    if "allocated_storage" in fields or "storage_type" in fields:
        params.setdefault("AllocatedStorage", want.allocated_storage or change.base.allocated_storage)  # type: ignore[attr-defined]
    if "engine_version" in fields and change.have:
        runs = str(change.have.facts["now"]["engine_version"])
        if runs.startswith(f"{want.engine_version}."):
            # Only the very version that runs takes a pending one back: "16" could be read as the newest 16.x.
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


def _goal(change: Change) -> SecurityGroups:
    """The declared groups, and the undeclared ones that an exception tolerates."""
    seen = cast("DbInstance", change.base).vpc_security_groups or SecurityGroups()
    extra = {one.key for one in change.of("vpc_security_groups") if one.want is ABSENT}
    return SecurityGroups((cast("DbInstance", change.want).vpc_security_groups or SecurityGroups()) | (seen - extra))


def _value(want: DbInstance, change: Change, name: str) -> str:
    if name == "vpc_security_groups":
        return " and ".join(sorted(_goal(change)))
    value = getattr(want, name)
    return str(value).lower() if isinstance(value, bool) else str(value)


KIND = Kind(
    "db_instance",
    DbInstance,
    after=frozenset({"vpc", "db_subnet_group", "security_group"}),
    immutable=IMMUTABLE,
    operations=(CREATE, MODIFY, ADD_TAGS.for_resource_types("db")),
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
    read_permissions=("rds:DescribeDBInstances",),
    reads=reads,
    live=live,
    id=lambda item: str(item["DBInstanceIdentifier"]),
    label=lambda item: str(item["DBInstanceIdentifier"]),
    tags=tags_of,
    matches=matches,
    observed=observed,
    initial_state=initial_state,
    create=create,
    plan=plan,
)
