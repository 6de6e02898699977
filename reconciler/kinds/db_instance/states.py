"""What each status of a DB instance means for people, and what they can do.

Sources: RDS user guide, "Viewing Amazon RDS DB instance status", "Stopping an Amazon RDS DB instance temporarily",
"Amazon RDS DB instance storage". The list is open: a status that is not known is waited for.
"""

from __future__ import annotations

from reconciler.model import Cause, Condition, Outcome, Reason

READY = frozenset({"available", "storage-optimization", "storage-full"})
"""Statuses in which RDS accepts changes; `settings.py` knows which."""
_AT_WORK = frozenset(
    {"available", "storage-optimization", "storage-initialization", "backing-up", "modifying", "creating"}
    | {"configuring-associated-roles", "configuring-enhanced-monitoring", "configuring-iam-database-auth"}
    | {"configuring-log-exports", "storage-config-upgrade", "validating-configuration"}
)
"""Statuses that need no word: the database is used as declared, and what RDS is changing is a difference until it is
done. While it is being created, every kind says so.
"""

_PASSING = {
    "converting-to-vpc": "RDS is moving it into a VPC",
    "delete-precheck": "RDS is about to delete it",
    "deleting": "RDS is deleting it",
    "maintenance": "RDS is carrying out maintenance",
    "moving-to-vpc": "RDS is moving it to another VPC",
    "rebooting": "it cannot be used for the moment",
    "renaming": "RDS is renaming it",
    "resetting-master-credentials": "RDS is setting its master password",
    "starting": "RDS is starting it, which takes minutes to hours",
    "stopping": "RDS is stopping it",
    "upgrading": "RDS is upgrading its engine",
}
_KEY = "its KMS key is disabled, deleted or not accessible"
_BROKEN = {
    "failed": "RDS cannot recover it: restore it from a backup, to the latest restorable time",
    "inaccessible-encryption-credentials": f"{_KEY}: restore it from a backup with a key that is",
    "inaccessible-encryption-credentials-recoverable": (
        f"{_KEY}, and it is stopped: enable the key within seven days, then start it ({{start}})"
    ),
    "incompatible-create": "RDS could not create it with these settings: look at its events ({events})",
    "incompatible-credentials": "RDS cannot use its credentials: look at its events ({events})",
    "incompatible-network": "its subnets or groups do not let RDS recover it: look at its events ({events})",
    "incompatible-option-group": "its option group does not fit its engine: look at its events ({events})",
    "incompatible-parameters": "its parameter group keeps it from starting: correct the parameters, then reboot it",
    "incompatible-restore": "RDS cannot restore it to that point in time: choose another one",
    "insufficient-capacity": "AWS has no capacity for its class there: wait, or change the class by hand",
    "modify-failed": "RDS could not carry out a change: look at its events ({events})",
    "restore-error": "restoring it failed: look at its events ({events})",
    "storage-full": "RDS has shut it down: declare more allocated_storage, by at least 10 %",
    "unsupported-configuration": "RDS cannot keep this configuration running: look at its events ({events})",
    "upgrade-failed": "upgrading its engine failed: look at its events ({events})",
}
_STOPPED = "nothing is changed until somebody starts it ({start}); RDS does after seven days at the latest"
STATUSES = (*sorted(_AT_WORK), *_PASSING, *_BROKEN, "stopped")
"""Every status that is known."""


def events(name: str) -> str:
    """The command that shows the events of the DB instance `name`, of as many minutes as RDS keeps them."""
    return f"aws rds describe-events --source-type db-instance --source-identifier {name} --duration 20160"


def condition(status: str, name: str) -> Condition | None:
    """What a person should know of the DB instance `name` in this status; None if there is nothing to know."""
    known = status.replace("_", "-")
    if known in _AT_WORK:
        return None
    hints = {
        "start": f"aws rds start-db-instance --db-instance-identifier {name}",
        "events": events(name),
    }
    if words := _BROKEN.get(known):
        return Condition(Outcome.BLOCKED, Cause(Reason.BROKEN, f"it is {status}: {words.format(**hints)}", status))
    if known == "stopped":
        words = _STOPPED.format(**hints)
    else:
        words = _PASSING.get(known, "what RDS does with it is not known")
    return Condition(Outcome.WAITING, Cause(Reason.NOT_READY, f"it is {status}: {words}"))
