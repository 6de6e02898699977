"""Time that passes in RDS: maintenance windows, and instances that were stopped for seven days. Called by strict_aws
and rds_clock.

The clock stands still until a test moves it (`StrictAws.advance`), and is saved and restored with the world.

Facts encoded (RDS User Guide, "Maintaining a DB instance", "Stopping an Amazon RDS DB instance temporarily"): what
waits is applied when the maintenance window opens, of an available instance only; a window that is moved so that it is
open at once starts what waits; a parameter group that waits for a reboot still does afterwards; a stopped instance has
no maintenance, and is started after seven days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lab import rds_clock, rds_events, rds_insights, rds_limits, rds_options
from lab.live import Live

_WEEK = timedelta(days=7)


def advance(live: Live, to: datetime) -> None:
    """The clock goes on to `to`, and what was due until then happens."""
    before = rds_events.now(live)
    if to < before:
        raise ValueError(f"it is {before} in the laboratory, and time does not go back")
    vars(live.rds)["laboratory_at"] = to
    for instance in live.instances():
        rds_clock.settle(live, instance)
        if opened(instance.preferred_maintenance_window, before, to):
            rds_clock.maintain(live, instance)
        rds_insights.put_back(live, rds_options.options(instance).values)
        restart = getattr(instance, "restarts_at", None)
        if instance.status == "stopped" and restart is not None and restart <= to:
            rds_events.record(live, instance, "DB instance is being started due to it exceeding the maximum allowed "
                              "time being stopped.", "notification")  # fmt: skip
            rds_clock.start(instance, "starting")


def opened(window: str, before: datetime, to: datetime) -> bool:
    """Whether the window was open at any moment after `before`, until `to`."""
    first, length = rds_limits.weekly(window)
    start = timedelta(minutes=first)
    monday = before.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=before.weekday())
    since = (before - monday - start) % _WEEK
    return since < timedelta(minutes=length) or since + (to - before) >= _WEEK
