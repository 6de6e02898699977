"""Which changes of a DB instance RDS would refuse, always or for now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from desired_state.database import ADVANCED_DAYS, GP3_PROVISIONED_FROM, PROVISIONED
from desired_state.versions import is_later
from reconciler.kinds.db_instance.settings import Live, takes_back
from reconciler.model import Difference

_STORAGE = frozenset({"allocated_storage", "storage_type", "iops", "storage_throughput"})
_LEAST_SIZE = 20
"""GiB. Smaller instances are real; they keep their size (RDS user guide, Storage)."""


def impossible(one: Difference, have: Live, beside: Sequence[Difference]) -> str:
    """Why RDS would refuse the change, beside the other differences of the instance; empty if it would not."""
    now: Any = have.facts.now.get(one.field)
    if takes_back(one, have):
        return ""
    if one.field in _STORAGE | {"max_allocated_storage", "dedicated_log_volume"}:
        return _of_storage(one, have, beside)
    if one.field == "performance_insights_enabled" and not one.want:
        return "the history of Performance Insights could be lost: switch it off by hand, or declare it"
    if one.field == "performance_insights_retention_period" and _is_short(one, have, beside):
        return (
            f"its Database Insights are advanced, which keeps {ADVANCED_DAYS} days at least: declare that, or the mode"
        )
    if one.field == "engine_lifecycle_support":
        return f"RDS may not change it for an instance that is there: change it by hand, or declare {now}"
    if one.field == "engine_version" and (later := is_later(one.want, str(now))) is not True:
        if later is None:
            return f"which of {one.want} and {now}, which it runs, is later cannot be told; declare {now}"
        return f"the engine cannot be downgraded: it runs {now}; declare that"
    if one.field == "manage_master_user_password" and not one.want:
        return "this requires a master password, which a document cannot contain: change it manually"
    return ""


def _of_storage(one: Difference, have: Live, beside: Sequence[Difference]) -> str:
    now: Any = have.facts.now.get(one.field)
    if one.field == "storage_type" and one.want == "gp3" and now in PROVISIONED:
        size = next((other.want for other in beside if other.field == "allocated_storage"), None)
        if (size or have.facts.now["allocated_storage"]) < GP3_PROVISIONED_FROM:
            return (
                f"RDS does not convert {now} storage under {GP3_PROVISIONED_FROM} GiB to gp3: declare {now}, or "
                f"{GP3_PROVISIONED_FROM} GiB"
            )
    if one.field == "allocated_storage" and one.want < now:
        return f"storage cannot shrink: it has {now} GiB; declare at least that"
    if one.field == "allocated_storage" and one.want * 10 < now * 11:
        return f"storage can only grow by at least 10 %: it has {now} GiB; declare at least {-(-now * 11 // 10)}"
    if one.field == "allocated_storage" and one.want < _LEAST_SIZE:
        return f"it has {now} GiB, and RDS changes storage to at least {_LEAST_SIZE} GiB: declare {now}"
    if one.field == "max_allocated_storage" and one.want and one.want * 10 < have.facts.now["allocated_storage"] * 11:
        size = have.facts.now["allocated_storage"]
        return f"it has {size} GiB, and the maximum must be at least 1.1 times that: declare {-(-size * 11 // 10)}"
    kind = have.facts.now["storage_type"]
    if one.field == "dedicated_log_volume" and one.want and kind not in PROVISIONED:
        return f"its storage is {kind}: only that of {' and '.join(sorted(PROVISIONED))} has a log volume of its own"
    return ""


def _is_short(one: Difference, have: Live, beside: Sequence[Difference]) -> bool:
    """Whether the mode that stays does not take this retention period."""
    advanced = have.facts.now["database_insights_mode"] == "advanced"
    return (
        advanced and not any(other.field == "database_insights_mode" for other in beside) and one.want < ADVANCED_DAYS
    )


def not_now(one: Difference, have: Live) -> str:
    """Why RDS would refuse the change for now; empty if it would not. Full storage can only grow, and storage that is
    being optimized cannot change at all (RDS user guide, Storage).
    """
    storage = one.field in _STORAGE
    if have.facts.status == "storage-optimization" and storage:
        return "RDS is changing its storage: its status is storage-optimization"
    if have.facts.status == "storage-full" and not storage and one.field != "max_allocated_storage":
        return "RDS takes nothing but more storage: its status is storage-full"
    return ""
