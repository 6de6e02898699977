"""What the calls for DB instances must know of blue/green deployments. Called by strict_rds and other modules of RDS.

Facts encoded (RDS User Guide, "Using Amazon RDS Blue/Green Deployments"): before its switchover a deployment that names
a modified instance becomes INVALID_CONFIGURATION (it may, in the guide); none of its instances can be deleted.
"""

from __future__ import annotations

from typing import Any

from lab.live import Answer, Live
from lab.refusal import Refusal

BEFORE_SWITCHOVER = frozenset({"PROVISIONING", "AVAILABLE", "INVALID_CONFIGURATION", "SWITCHOVER_FAILED"})


def deployments(live: Live) -> dict[str, Answer]:
    found: dict[str, Answer] = vars(live.rds).setdefault("laboratorydeployments", {})
    return found


def changed(live: Live, instance: Any) -> None:
    """Somebody modifies an instance: its deployment cannot be switched over any more."""
    for one in of(live, instance):
        one["Status"] = "INVALID_CONFIGURATION"


def check_delete(live: Live, instance: Any) -> None:
    if of(live, instance):
        message = f"{instance.db_instance_identifier} is part of a blue/green deployment."
        raise Refusal("InvalidDBInstanceState", message)


def of(live: Live, instance: Any) -> list[Answer]:
    """The deployments, not switched over yet, that name an instance."""
    return [
        one
        for one in deployments(live).values()
        if one["Status"] in BEFORE_SWITCHOVER and instance.db_instance_arn in (one["Source"], one["Target"])
    ]
