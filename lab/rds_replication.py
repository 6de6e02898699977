"""What the calls for DB instances must know of read replicas. Called by strict_rds and other modules of RDS.

Facts encoded (RDS API reference, DBInstance, DBInstanceStatusInfo; RDS User Guide, "Working with DB instance read
replicas"): a replica shows its source and how replication goes (StatusInfos), the source lists its replicas; neither is
stopped; a source keeps its backups; the master password of a replica is its source's; deleting a source promotes its
replicas in the same Region.
"""

from __future__ import annotations

from typing import Any

from lab.live import Answer, Live, Params
from lab.refusal import Refusal

_HEALTHY = {"StatusType": "read replication", "Normal": True, "Status": "replicating"}


def replicate(source: Any, replica: Any) -> None:
    replica.is_replica, replica.source_db_instance_identifier = True, source.db_instance_identifier
    replica.replication = dict(_HEALTHY)
    source.add_replica(replica)


def renamed(live: Live, instance: Any, former: str) -> None:
    """An instance has another name now: its replicas, and its source, know it by that."""
    name = instance.db_instance_identifier
    for one in live.instances():
        one.replicas = [name if each == former else each for each in one.replicas]
        if one.is_replica and one.source_db_instance_identifier == former:
            one.source_db_instance_identifier = name


def end(live: Live, instance: Any) -> None:
    """A source is about to be gone: its replicas become instances of their own."""
    for name in list(instance.replicas):
        set_free(live.instance(name))
    instance.replicas = []


def set_free(replica: Any) -> None:
    replica.is_replica, replica.source_db_instance_identifier = False, None


def check_stop(instance: Any) -> None:
    if instance.is_replica or instance.replicas:
        message = f"{instance.db_instance_identifier} is a read replica or has one, and cannot be stopped."
        raise Refusal("InvalidDBInstanceState", message)


def check_backups(instance: Any, days: int | None) -> None:
    if days == 0 and instance.replicas:
        message = f"The backups of {instance.db_instance_identifier} cannot be switched off: it has read replicas."
        raise Refusal("InvalidDBInstanceState", message)


def check_password(instance: Any, changes: Params) -> None:
    if instance.is_replica and {"ManageMasterUserPassword", "MasterUserPassword"} & changes.keys():
        message = f"{instance.db_instance_identifier} is a read replica: its master password is that of its source."
        raise Refusal("InvalidParameterCombination", message)


def show(instance: Any, shown: Answer) -> None:
    """The source of a replica, and how replication goes, in the answer of DescribeDBInstances."""
    shown.pop("StatusInfos", None)
    shown.pop("ReadReplicaSourceDBInstanceIdentifier", None)
    if instance.is_replica:
        shown["ReadReplicaSourceDBInstanceIdentifier"] = instance.source_db_instance_identifier
        shown["StatusInfos"] = [dict(instance.replication)]
    shown["ReadReplicaDBInstanceIdentifiers"] = list(instance.replicas)
