"""Performance Insights and Database Insights as in RDS. Called by rds_options.

Facts encoded (RDS API reference, CreateDBInstance, ModifyDBInstance; RDS User Guide, "Database Insights"; what users of
other tools report of the refusals): the history is kept 7, 731 or 31 times 1 to 23 days; retention period and key need
Performance Insights, and the key never changes; the mode advanced needs Performance Insights and 465 days or more in
the same request. That a shorter period, or no Performance Insights, is refused while the mode stays advanced is likely,
and here so.
"""

from __future__ import annotations

from typing import Any

from lab.live import Params
from lab.refusal import Refusal

ADVANCED = "advanced"
_LEAST_DAYS = 465
_PERIOD, _KEY, _MODE = "PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId", "DatabaseInsightsMode"


def check(now: dict[str, Any], changes: Params) -> None:
    """Refuse what RDS refuses of one call; `now` has the values in force."""
    values = {**now, **changes}
    if {_PERIOD, _KEY} & changes.keys():
        _check_history(now, values, changes)
    if values[_MODE] not in ("standard", ADVANCED):
        raise Refusal("InvalidParameterValue", f"Invalid Database Insights mode: {values[_MODE]}")
    if values[_MODE] != ADVANCED or not {"EnablePerformanceInsights", _PERIOD, _MODE} & changes.keys():
        return
    said = changes if changes.get(_MODE) == ADVANCED else values
    if not said.get("EnablePerformanceInsights") or (said.get(_PERIOD) or 0) < _LEAST_DAYS:
        message = (
            "To enable the Advanced mode of Database Insights, modify your cluster to enable Performance Insights and "
            f"set the retention period for Performance Insights to at least {_LEAST_DAYS} days."
        )
        raise Refusal("InvalidParameterCombination", message)


def _check_history(now: dict[str, Any], values: Params, changes: Params) -> None:
    days, key = values[_PERIOD], changes.get(_KEY)
    if not values["EnablePerformanceInsights"]:
        message = "Performance Insights must be enabled for its retention period and key to be set."
        raise Refusal("InvalidParameterCombination", message)
    if days is not None and days not in (7, 731) and days not in [31 * months for months in range(1, 24)]:
        raise Refusal("InvalidParameterValue", f"Invalid Performance Insights retention period: {days}")
    former = now[_KEY]
    if key and former and key != former:
        raise Refusal("InvalidParameterCombination", "You can't change your Performance Insights KMS key.")
