"""What the calls of CloudTrail can have changed of a DB instance (RDS API reference and user guide, each call)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from desired_state.database import DbInstance
from reconciler.kinds.db_instance.settings import SETTINGS
from reconciler.model.cause import GOES, GONE, NOTHING, Details, Part, Touches, by_parameter, rds_tags, touches

_PARAMETERS = {field: one.parameter.lower() for field, one in SETTINGS.items()}
_MADE = touches(*(field for field in DbInstance.model_fields if field not in {"enforcement", "formerly", "note"}))
"""A new instance under this name: whatever it was made with."""
_SET = by_parameter(_PARAMETERS | {"db_subnet_group": "dbsubnetgroupname"}, lists={"vpc_security_groups"})


def _modified(details: Details) -> Iterable[Part]:
    """An instance that gets another name is missing under the old one, and any other under the new one."""
    if "newdbinstanceidentifier" in details:
        return [Part("", GONE), *_MADE(details)]
    return _SET(details)


def _maintained(details: Details) -> Iterable[Part]:
    """`db-upgrade` is another engine version; the other actions change nothing that can be declared."""
    return [Part("engine_version")] if "applyaction=db-upgrade" in details else []


CHANGES: Mapping[str, Touches] = {
    **rds_tags("db"),
    "AddRoleToDBInstance": NOTHING,
    "ApplyPendingMaintenanceAction": _maintained,
    "CreateDBInstance": _MADE,
    "CreateDBInstanceReadReplica": _MADE,
    "DeleteDBCluster": NOTHING,  # of a cluster, whose name is no instance's
    "DeleteDBInstance": GOES,
    "ModifyDBCluster": NOTHING,
    "ModifyDBInstance": _modified,
    "PromoteReadReplica": by_parameter(
        {name: _PARAMETERS[name] for name in ("backup_retention_period", "preferred_backup_window")}
    ),
    "RebootDBInstance": NOTHING,
    "RemoveRoleFromDBInstance": NOTHING,
    "RestoreDBInstanceFromDBSnapshot": _MADE,
    "RestoreDBInstanceToPointInTime": _MADE,
    "StartDBInstance": NOTHING,
    "StopDBInstance": NOTHING,
    "SwitchoverReadReplica": NOTHING,
}
