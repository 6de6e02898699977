"""What nobody is sure of in RDS: switches of the laboratory, so that the product is tried against either answer.

Called by the other modules of RDS; `StrictAws.rds_unsure` sets them. They are saved and restored with the world.

No source decides between the answers here: the RDS API reference is silent, or reports of users contradict it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from lab.live import Live


@dataclass(frozen=True)
class Unsure:
    """The answers of one laboratory; the defaults are those that are thought more likely.

    `retention`: what becomes of a retention period of Performance Insights other than 7 days in the standard mode of
    Database Insights: it is kept, refused, or accepted and put back to 7 days when time passes.
    `role_when_off`: the monitoring role is still shown at an interval of 0.
    `swapped_logs`: PendingCloudwatchLogsExports has what is switched on under the name of what is switched off.
    `same_is_refused`: a modify that changes nothing is refused, and not answered with 200.
    `lifecycle_changes`: the lifecycle support of an instance that is there can be changed.
    `sse_rds`: storage that is not encrypted with a key of the account shows StorageEncryptionType `sse-rds`.
    `cool_down`: how long after a change of storage the next one is refused: until it is optimized, for six hours more,
    or if there were four within a day.
    `green_has_tags`: the green instance has the tags of the blue one before the switchover too.
    `growth_is_rounded`: storage that is to grow by less than a tenth grows by a tenth, and is not refused.
    """

    retention: Literal["kept", "refused", "put back"] = "kept"
    role_when_off: bool = False
    swapped_logs: bool = False
    same_is_refused: bool = False
    lifecycle_changes: bool = False
    growth_is_rounded: bool = False
    green_has_tags: bool = False
    sse_rds: bool = False
    cool_down: Literal["optimization", "six hours", "four a day"] = "optimization"


def unsure(live: Live) -> Unsure:
    found: Unsure = vars(live.rds).setdefault("laboratory_unsure", Unsure())
    return found


def choose(live: Live, **answers: Any) -> None:
    vars(live.rds)["laboratory_unsure"] = replace(unsure(live), **answers)
