"""DB instances that are stopped for a while and started again, as in RDS. Called by strict_rds.

Facts encoded (RDS API reference, StopDBInstance, StartDBInstance; RDS User Guide, "Stopping an Amazon RDS DB instance
temporarily"): only an available instance is stopped, only a stopped one is started; stopping drops what waits for the
maintenance window, and RDS starts it after seven days (AutomaticRestartTime); while it is stopped nothing is modified
but its parameter group, which is in force when it starts.
"""

from __future__ import annotations

from datetime import timedelta

from lab import rds_clock, rds_events, rds_replication
from lab.live import Answer, Live, Params
from lab.refusal import Refusal

STOPPED_FOR = timedelta(days=7)


def stop(live: Live, params: Params) -> Answer:
    return _turned(live, params, "available", "stopping")


def start(live: Live, params: Params) -> Answer:
    return _turned(live, params, "stopped", "starting")


def _turned(live: Live, params: Params, only: str, status: str) -> Answer:
    instance = live.instance(params["DBInstanceIdentifier"])
    if instance.status != only:
        message = f"Instance {instance.db_instance_identifier} is not in {only} state."
        raise Refusal("InvalidDBInstanceState", message)
    if status == "stopping":
        rds_replication.check_stop(instance)
        rds_clock.intentions(instance).waiting = {}
        instance.restarts_at = rds_events.now(live) + STOPPED_FOR
    rds_clock.start(instance, status)
    return {"DBInstance": {"DBInstanceIdentifier": instance.db_instance_identifier, "DBInstanceStatus": status}}
