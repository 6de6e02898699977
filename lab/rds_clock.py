"""What RDS does asynchronously: creating, modifying and deleting instances, and changes that wait for the window.

strict_rds records intentions; describing an instance, `settle` and the maintenance window carry them out. Nothing waits
for real time: a busy instance settles after it was described `settle_after` times.

Facts encoded (RDS API reference, PendingModifiedValues; RDS User Guide, "Modifying a DB instance", "Storage"): during a
change the old values still show; PendingModifiedValues shows what waits for the window and what is being applied, as
far as it has a member for it; ApplyImmediately applies everything that waits; the status says `available` for a while
after a modify (`status_lag`), also while monitoring is configured; storage that was changed is optimized afterwards,
but for what is copied to new volumes (magnetic storage, and what crosses 400 GiB); a maintenance window that is moved
onto the present starts what waits.
"""

from __future__ import annotations

from typing import Any

from lab import rds_events, rds_limits, rds_options, rds_replication
from lab.live import Answer, Live, Params
from lab.rds_unsure import unsure

BUSY = frozenset(
    {
        "creating", "modifying", "renaming", "deleting", "stopping", "starting", "configuring-enhanced-monitoring",
        "configuring-iam-database-auth", "configuring-log-exports",
    }
)  # fmt: skip
_LATE = frozenset(status for status in BUSY if status.startswith(("modifying", "configuring-")))
PASSING = BUSY | {
    "backing-up", "rebooting", "upgrading", "maintenance", "storage-optimization",
    "resetting-master-credentials", "storage-config-upgrade", "validating-configuration", "delete-precheck",
}  # fmt: skip

NEW_NAME = "NewDBInstanceIdentifier"
STORAGE = frozenset({"AllocatedStorage", "StorageType", "Iops", "StorageThroughput"})

# ModifyDBInstance parameter -> member of PendingModifiedValues, where the names differ.
PENDING_NAMES = {
    "DBPortNumber": "Port",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    NEW_NAME: "DBInstanceIdentifier",
}
SHOWN_PENDING = frozenset(
    {
        "DBInstanceClass", "AllocatedStorage", "MasterUserPassword", "Port", "BackupRetentionPeriod", "MultiAZ",
        "EngineVersion", "LicenseModel", "Iops", "StorageThroughput", "StorageType", "DBInstanceIdentifier",
        "CACertificateIdentifier", "DBSubnetGroupName", "IAMDatabaseAuthenticationEnabled", "DedicatedLogVolume",
        "PendingCloudwatchLogsExports",
    }
)  # fmt: skip
_PARAMETER_NAMES = {member: parameter for parameter, member in PENDING_NAMES.items()}


class Intentions:
    """The future changes of one instance. An attribute of moto's object, so that it is saved and restored with it."""

    def __init__(self) -> None:
        self.queued: Params = {}  # being applied now, by Modify parameter
        self.waiting: Params = {}  # waits for the maintenance window
        self.deletion: Params | None = None
        self.describes = 0


def intentions(instance: Any) -> Intentions:
    """The intentions of an instance; empty ones for an instance that this layer did not create."""
    if not hasattr(instance, "intentions"):
        instance.intentions = Intentions()
    found: Intentions = instance.intentions
    return found


def pending_values(live: Live, instance: Any) -> Answer:
    """PendingModifiedValues of an instance: what waits and what is being applied."""
    held = intentions(instance)
    shown = {PENDING_NAMES.get(name, name): value for name, value in {**held.waiting, **held.queued}.items()}
    if "MasterUserPassword" in shown:
        shown["MasterUserPassword"] = "****"
    if exports := shown.get("CloudwatchLogsExportConfiguration"):
        names = {"EnableLogTypes": "LogTypesToEnable", "DisableLogTypes": "LogTypesToDisable"}
        if unsure(live).swapped_logs:
            names = dict(zip(names, reversed(names.values()), strict=True))
        lists = {names[name]: types for name, types in exports.items()}
        shown["PendingCloudwatchLogsExports"] = lists
    return {name: value for name, value in shown.items() if name in SHOWN_PENDING}


def start(instance: Any, status: str) -> None:
    """The instance becomes busy."""
    instance.status = status
    intentions(instance).describes = 0


def looked_at(live: Live, instance: Any) -> None:
    """The instance was described: if it was busy long enough, it settles."""
    if instance.status in BUSY | {"storage-optimization"}:
        intentions(instance).describes += 1
        if intentions(instance).describes >= live.settle_after:
            settle(live, instance)


def is_late(live: Live, instance: Any) -> bool:
    """Whether the status does not say yet that a modify is being carried out."""
    return instance.status in _LATE and intentions(instance).describes < live.status_lag


def settle(live: Live, instance: Any) -> None:
    """The instance finishes its change; a state that needs a person (storage-full, failed) stays."""
    if instance.status not in PASSING:
        return
    live.forget_answers()
    held = intentions(instance)
    if held.deletion is not None:
        instance.status = "available"
        live.moto("rds", "DeleteDBInstance", held.deletion)
        return
    done = rds_events.without_failing(live, instance, held.queued)
    held.queued = {}
    copied = _is_copied(instance, done)
    _apply(live, instance, done)
    if instance.status == "starting":
        rds_options.rebooted(instance)
    instance.status = "stopped" if instance.status == "stopping" else "available"
    if STORAGE & done.keys():
        instance.storage_changes = [*getattr(instance, "storage_changes", []), rds_events.now(live)]
        if not copied:
            start(instance, "storage-optimization")
    moved = done.get("PreferredMaintenanceWindow")
    if moved and held.waiting and rds_limits.is_open(moved, rds_events.now(live)):
        held.queued, held.waiting = held.waiting, {}
        start(instance, "modifying")


def _is_copied(instance: Any, changes: Params) -> bool:
    """Whether new storage is copied to new volumes, for hours, instead of being optimized afterwards."""
    kind, size = instance.storage_type, instance.allocated_storage
    new_kind, new_size = changes.get("StorageType", kind), changes.get("AllocatedStorage", size)
    crosses = "standard" not in (kind, new_kind) and size < rds_limits.GP3_IOPS_FROM <= new_size
    return crosses or (new_kind != kind and "standard" in (kind, new_kind))


def settle_all(live: Live) -> None:
    with live.looking():
        for instance in live.instances():
            settle(live, instance)
            if instance.status == "storage-optimization":
                settle(live, instance)


def maintenance_window(live: Live) -> None:
    for instance in live.instances():
        settle(live, instance)
        maintain(live, instance)


def maintain(live: Live, instance: Any) -> None:
    """The maintenance window of an instance is open: what waits is applied, if it is available."""
    if instance.status == "available":
        held = intentions(instance)
        waiting, held.waiting = held.waiting, {}
        _apply(live, instance, rds_events.without_failing(live, instance, waiting))


def put(live: Live, identifier: str, status: str | None, pending: dict[str, Any] | None) -> None:
    """Put an instance into a state that AWS reaches by itself; `pending` has the names of PendingModifiedValues."""
    instance = live.instance(identifier)
    if status is not None:
        start(instance, status)
    if pending is not None:
        intentions(instance).waiting = {_PARAMETER_NAMES.get(name, name): value for name, value in pending.items()}


def _apply(live: Live, instance: Any, changes: Params) -> None:
    if not changes:
        return
    # moto sets each parameter under its own name, and has no port or password under those.
    rest = rds_options.take(live, instance, changes)
    if "DBPortNumber" in rest:
        instance.port = rest.pop("DBPortNumber")
    if "AllocatedStorage" in rest:
        instance.allocated_storage = rest.pop("AllocatedStorage")
    if "MaxAllocatedStorage" in rest:
        instance.max_allocated_storage = max(rest.pop("MaxAllocatedStorage"), instance.allocated_storage)
    put_windows(instance, rest)
    name = rest.pop(NEW_NAME, None)
    if rest:
        identifier = instance.db_instance_identifier
        live.moto("rds", "ModifyDBInstance", {"DBInstanceIdentifier": identifier, **rest, "ApplyImmediately": True})
    if name is not None and name not in live.rds.databases:  # else it was taken while the change waited
        rename(live, instance, name)


def put_windows(instance: Any, changes: Params) -> None:
    """Put the windows among the changes in force: moto refuses one that passes Sunday midnight."""
    for name, attribute in _WINDOWS.items():
        if name in changes:
            setattr(instance, attribute, changes.pop(name))


_WINDOWS = {
    "PreferredBackupWindow": "preferred_backup_window",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
}


def rename(live: Live, instance: Any, name: str) -> None:
    """The instance has another name from now on."""
    former: str = instance.db_instance_identifier
    del live.rds.databases[former]
    instance.db_instance_identifier = name
    live.rds.databases[name] = instance
    rds_replication.renamed(live, instance, former)
    # moto names automatic snapshots after the instance, and refuses the next one that gets the former name.
    for key, snapshot in list(live.rds.database_snapshots.items()):
        if snapshot.snapshot_type == "automated" and snapshot.db_instance_identifier == former:
            del live.rds.database_snapshots[key]
