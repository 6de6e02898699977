"""A read replica where the document has a database: a document cannot declare one, and nothing here promotes it."""

from __future__ import annotations

from reconciler.model import Cause, Condition, Outcome, Reason
from reconciler.model.read import Item

OF_SOURCE = ("manage_master_user_password", "backup_retention_period", "preferred_backup_window")
"""What a read replica has from its source, or should (RDS user guide, Working with DB instance read replicas)."""


def source_of(item: Item) -> str:
    """The instance that it copies, by its identifier or, in another Region, its ARN; empty for any other instance."""
    return str(item.get("ReadReplicaSourceDBInstanceIdentifier") or "")


def replica(item: Item) -> Condition | None:
    """What a person should know of a read replica; None for any other instance. Promoting one cannot be taken back (RDS
    user guide, Working with DB instance read replicas).
    """
    source = source_of(item)
    if not source:
        return None
    troubles = [str(one.get("Status")) for one in item.get("StatusInfos") or () if one.get("Normal") is False]
    how = f" (replication: {', '.join(troubles)})" if troubles else ""
    message = (
        f"it is a read replica of {source}{how}, and takes no writes; Setpoint never promotes it. If it is to be a "
        "database of its own, which nothing takes back: "
        f"aws rds promote-read-replica --db-instance-identifier {item['DBInstanceIdentifier']}"
    )
    return Condition(Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, message))
