"""Read replicas of DB instances as in RDS. Called by strict_aws; rds_replication has what other calls must know.

Facts encoded (RDS API reference, CreateDBInstanceReadReplica, PromoteReadReplica; RDS User Guide, "Working with DB
instance read replicas"): the source is available and has backups; the replica has the settings of its source, a
DbiResourceId and tags of its own, no backups unless they are asked for, and no deletion protection; promoting is
one-way, and makes it an instance of its own, with a reboot. A replica of another Region is not here.
"""

from __future__ import annotations

from collections.abc import Callable

from lab import rds_clock, rds_limits, rds_replication
from lab.live import Answer, Live, Params
from lab.rds_restores import another
from lab.refusal import Refusal
from lab.strict_rds import shown_instance


def create(live: Live, params: Params) -> Answer:
    source = live.instance(params["SourceDBInstanceIdentifier"])
    if source.status != "available":
        raise Refusal("InvalidDBInstanceState", f"DB Instance {source.db_instance_identifier} is not available.")
    if not source.backup_retention_period:
        message = f"Automated backups are not enabled for {source.db_instance_identifier}."
        raise Refusal("InvalidDBInstanceState", message)
    network: Params = {"Tags": [], "BackupRetentionPeriod": 0, "VpcSecurityGroupIds": source.vpc_security_group_ids}
    group = live.subnet_group_of(source)
    network |= {"DBSubnetGroupName": group.name} if group is not None else {}
    wanted = {**network, **params}
    another(live, source, params["DBInstanceIdentifier"], wanted)
    replica = live.instance(params["DBInstanceIdentifier"])
    rds_replication.replicate(source, replica)
    return {"DBInstance": shown_instance(live, replica)}


def promote(live: Live, params: Params) -> Answer:
    replica = live.instance(params["DBInstanceIdentifier"])
    if not replica.is_replica:
        message = f"DB Instance is not a read replica: {replica.db_instance_identifier}"
        raise Refusal("InvalidDBInstanceState", message)
    if replica.status != "available":
        raise Refusal("InvalidDBInstanceState", f"DB Instance {replica.db_instance_identifier} is not available.")
    days = params.get("BackupRetentionPeriod", 1)
    rds_limits.check_retention(days)
    live.instance(replica.source_db_instance_identifier).remove_replica(replica)
    rds_replication.set_free(replica)
    replica.backup_retention_period = days
    rds_clock.start(replica, "modifying")
    return {"DBInstance": shown_instance(live, replica)}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateDBInstanceReadReplica": create,
    "PromoteReadReplica": promote,
}
