"""Whether a maintenance window may be moved now. Pure.

RDS carries out what is pending as soon as the window of an instance is open (RDS user guide, Maintaining a DB
instance): moving the window to a time that includes the present starts it at once, which may restart the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from desired_state.database import maintenance_minutes
from reconciler.model import Difference

AHEAD = timedelta(minutes=15)
"""A window that opens within this time counts as open: RDS takes a while to store a new one."""
_WEEK = timedelta(days=7)


def waits_for_window(one: Difference, beside: Iterable[Difference], now: datetime) -> str:
    """Why this setting waits until the declared maintenance window has closed; empty if it does not. The backup window
    waits with it, because RDS refuses windows that overlap.
    """
    if one.field not in {"preferred_maintenance_window", "preferred_backup_window"}:
        return ""
    wanted = next((other.want for other in beside if other.field == "preferred_maintenance_window"), None)
    if wanted is None or not is_open(wanted, now):
        return ""
    return (
        f"the declared maintenance window, {wanted}, is open or about to open, and RDS would start what is pending at "
        "once: it is moved when that window has closed"
    )


def is_open(window: str, now: datetime) -> bool:
    """Whether a maintenance window (`ddd:hh:mm-ddd:hh:mm`, UTC) includes the present, or soon will."""
    first, length = maintenance_minutes(window) or (0, 0)
    moment = timedelta(days=now.weekday(), hours=now.hour, minutes=now.minute)
    return (moment - (timedelta(minutes=first) - AHEAD)) % _WEEK < timedelta(minutes=length) + AHEAD
