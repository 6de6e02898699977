"""DB instances that are stopped for a while and started again, as in RDS. Called by strict_rds.

Facts encoded (RDS API reference, StopDBInstance, StartDBInstance; RDS User Guide, "Stopping an Amazon RDS DB instance
temporarily"): only an available instance is stopped, only a stopped one is started; stopping drops what waits for the
maintenance window; while it is stopped nothing can be modified; RDS starts it after seven days (AutomaticRestartTime).
"""

from __future__ import annotations

from lab import rds_clock
from lab.live import Answer, Live, Params
from lab.refusal import Refusal


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
        rds_clock.intentions(instance).waiting = {}
    rds_clock.start(instance, status)
    return {"DBInstance": {"DBInstanceIdentifier": instance.db_instance_identifier, "DBInstanceStatus": status}}
