"""What changing a setting of a DB instance costs, and when RDS would not do it at all. `kinds/db_instance.py` plans
by it.

Live state is what RDS does now together with what it has accepted and not yet done (`PendingModifiedValues`):
comparing with the first alone would send the same change for ever. `ApplyImmediately=True` carries out everything
that is pending, so it is only sent where nothing of somebody else's is (RDS user guide, Modifying a DB instance).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from desired_state.database import DbInstance
from reconciler.model import Difference, Observed


class Facts(NamedTuple):
    """What RDS does `now`, by field, and the parameters of what it has accepted and not yet done; its own word for what it
    is doing; the VPC that the instance lies in, and the document's (ids).
    """

    now: Mapping[str, Any]
    pending: frozenset[str]
    status: str
    vpc: str
    our_vpc: str


type Live = Observed[DbInstance, Facts]


class Setting(NamedTuple):
    """A field that RDS changes: its parameter, where describe and pending show it, and what changing it costs.

    `cost`: "none" takes effect at once whatever the flag; "window" waits for the maintenance window unless told
    otherwise, without downtime; "downtime" restarts the instance or locks its users out.
    """

    parameter: str
    cost: str
    pending: str = ""


SETTINGS: Mapping[str, Setting] = {
    "vpc_security_groups": Setting("VpcSecurityGroupIds", "none"),
    "publicly_accessible": Setting("PubliclyAccessible", "none"),
    "deletion_protection": Setting("DeletionProtection", "none"),
    "copy_tags_to_snapshot": Setting("CopyTagsToSnapshot", "none"),
    "auto_minor_version_upgrade": Setting("AutoMinorVersionUpgrade", "none"),
    "max_allocated_storage": Setting("MaxAllocatedStorage", "none"),
    "preferred_backup_window": Setting("PreferredBackupWindow", "none"),
    "preferred_maintenance_window": Setting("PreferredMaintenanceWindow", "none"),
    "backup_retention_period": Setting("BackupRetentionPeriod", "none", "BackupRetentionPeriod"),
    "allocated_storage": Setting("AllocatedStorage", "window", "AllocatedStorage"),
    "storage_type": Setting("StorageType", "window", "StorageType"),
    "multi_az": Setting("MultiAZ", "window", "MultiAZ"),
    "port": Setting("DBPortNumber", "downtime", "Port"),
    "db_instance_class": Setting("DBInstanceClass", "downtime", "DBInstanceClass"),
    "engine_version": Setting("EngineVersion", "downtime", "EngineVersion"),
    "manage_master_user_password": Setting("ManageMasterUserPassword", "downtime"),
}
"""Sources: RDS user guide, Settings for DB instances; a managed password replaces the one that applications hold."""

IMMUTABLE = frozenset({"engine", "storage_encrypted", "db_name", "master_username", "db_subnet_group"})
"""`db_subnet_group`: RDS refuses to move an instance to another group of the same VPC."""

READY = frozenset({"available", "storage-optimization", "storage-full"})
_STORAGE = frozenset({"allocated_storage", "storage_type"})


def impossible(one: Difference, have: Live) -> str:
    """Why RDS would never carry the change out; empty if it would."""
    now: Any = have.facts.now.get(one.field)
    if takes_back(one, have):
        return ""
    if one.field == "allocated_storage" and one.want < now:
        return f"storage never shrinks: it has {now} GiB; declare at least that"
    if one.field == "allocated_storage" and one.want * 10 < now * 11:
        return f"storage grows by a tenth or more at once: from {now} GiB declare at least {-(-now * 11 // 10)}"
    if one.field == "engine_version" and release(one.want) < release(str(now)):
        return f"an engine is never downgraded: it runs {now}; declare that"
    if one.field == "manage_master_user_password" and not one.want:
        return "switching this off needs a password, and none stands in a document: do it by hand"
    return ""


def takes_back(one: Difference, have: Live) -> bool:
    """Whether what is declared is what RDS does now, so that the change only takes back one that is pending."""
    now: Any = have.facts.now.get(one.field)
    runs = one.field == "engine_version" and str(now).startswith(f"{one.want}.")
    return SETTINGS[one.field].pending in have.facts.pending and (one.want == now or runs)


def release(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: `16.4` is (16, 4)."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _storage_ready(one: Difference, have: Live) -> bool:
    """A full disk may grow; one that is being rearranged may not change at all (RDS user guide, Storage)."""
    return have.facts.status == "storage-full" and one.field == "allocated_storage"


def cost_of(one: Difference, have: Live) -> str:
    """What this very change costs, in the words of `Setting.cost`."""
    if takes_back(one, have):
        return "none"
    if one.field == "backup_retention_period" and 0 in {one.want, have.facts.now[one.field]}:
        return "downtime"
    if one.field == "storage_type" and "standard" in {one.want, one.have}:
        return "downtime"
    return SETTINGS[one.field].cost


def only_ours(differences: Iterable[Difference], have: Live) -> bool:
    """Whether `ApplyImmediately` would carry out nothing but these changes."""
    return bool(have.facts.pending <= {SETTINGS[one.field].pending for one in differences})


def cancels(differences: Iterable[Difference], have: Live) -> bool:
    """Whether a change takes back something pending, which RDS only does at once (RDS user guide, Modifying)."""
    return any(SETTINGS[one.field].pending in have.facts.pending for one in differences)


def rearranging(one: Difference, have: Live) -> bool:
    """Whether RDS would refuse the change while it rearranges the storage."""
    return have.facts.status != "available" and one.field in _STORAGE and not _storage_ready(one, have)
