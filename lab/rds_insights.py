"""Performance Insights and Database Insights as in RDS. Called by rds_options.

Facts encoded (RDS API reference, CreateDBInstance, ModifyDBInstance; RDS User Guide, "Database Insights"; what users of
other tools report of the refusals): the history is kept 7, 731 or 31 times 1 to 23 days; retention period and key need
Performance Insights, and the key never changes; the mode advanced needs Performance Insights and 465 days or more in
the same request. Since the end of the console of Performance Insights (31 July 2026) RDS may keep figures for 7 days
only where the mode is not advanced, and refuse or rewrite other periods (`rds_unsure`). That a shorter period, or no
Performance Insights, is refused while the mode stays advanced is likely, and here so.
"""

from __future__ import annotations

from typing import Any

from lab.live import Live, Params
from lab.rds_unsure import unsure
from lab.refusal import Refusal

ADVANCED = "advanced"
_LEAST_DAYS = 465
_PERIOD, _KEY, _MODE = "PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId", "DatabaseInsightsMode"
_ONLY_DAYS = 7


def put_back(live: Live, now: dict[str, Any]) -> None:
    """Time has passed, and RDS keeps the figures no longer than it wants to."""
    if unsure(live).retention == "put back" and now[_MODE] != ADVANCED and now[_PERIOD]:
        now[_PERIOD] = _ONLY_DAYS


def check(live: Live, now: dict[str, Any], changes: Params) -> None:
    """Refuse what RDS refuses of one call; `now` has the values in force."""
    values = {**now, **changes}
    fixed = unsure(live).retention == "refused" and values[_MODE] != ADVANCED
    if fixed and changes.get(_PERIOD) not in (None, _ONLY_DAYS):
        message = f"The retention period of Performance Insights must be {_ONLY_DAYS} days in the standard mode."
        raise Refusal("InvalidParameterCombination", message)
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
