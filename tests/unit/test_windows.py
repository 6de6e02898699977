"""When a maintenance window may be moved: never so that it is open at once, which starts what is pending."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from reconciler.engine.plan import Plan
from reconciler.kinds.db_instance.windows import is_open
from reconciler.model import Outcome, Policy, Reason
from tests.support import worlds
from tests.support.worlds import DATABASE, MORNING, document, drifted, seen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK = seen(document())


def written(start: datetime, length: timedelta) -> str:
    return "-".join(f"{DAYS[at.weekday()]}:{at:%H:%M}" for at in (start, start + length))


@pytest.mark.parametrize("day", range(7))
def test_it_counts_as_open_from_a_quarter_of_an_hour_before_until_it_closes(day: int) -> None:
    """Against a walk of the minutes around each end, over Sunday midnight too."""
    for hour, length in product((0, 9, 23), (30, 24 * 60 - 1)):
        start = datetime(2026, 11, 16 + day, hour, 45, tzinfo=MORNING.tzinfo)
        end = start + timedelta(minutes=length)
        for edge, minutes in product((start - timedelta(minutes=15), start, end), (-1, 0, 1)):
            at = edge + timedelta(minutes=minutes)
            assert is_open(written(start, end - start), at) == (start - timedelta(minutes=15) <= at < end)


def moved(to: str, policy: Policy, **beside: Any) -> Plan:
    """The plan that moves the window from another day to this time, and other settings as declared."""
    wanted = document()
    declared = wanted.resources[DATABASE].but(preferred_maintenance_window=to)
    look = drifted(LOOK, DATABASE, preferred_maintenance_window="wed:03:00-wed:03:30", **beside)
    resources = {**wanted.resources, DATABASE: declared}
    return worlds.plan(replace(wanted, resources=resources), look, policy)


@pytest.mark.parametrize("downtime", ["never", "window"])
def test_a_window_that_is_open_now_is_moved_later_and_all_else_at_once(downtime: str) -> None:
    open_now = written(MORNING - timedelta(minutes=5), timedelta(minutes=30))
    policy = Policy(downtime=downtime)  # type: ignore[arg-type]
    found = moved(open_now, policy, preferred_backup_window="11:00-11:30", deletion_protection=False)
    assert [set(one.resolves) for one in found.actions] == [{(DATABASE, "deletion_protection")}]
    waiting = {one.field: one for one in found.findings}
    assert waiting.keys() == {"preferred_maintenance_window", "preferred_backup_window"}
    assert {(one.outcome, one.cause.reason) for one in waiting.values()} == {(Outcome.WAITING, Reason.MAINTENANCE)}


def test_it_is_moved_at_once_where_downtime_is_allowed_and_where_it_is_not_open() -> None:
    open_now = written(MORNING - timedelta(minutes=5), timedelta(minutes=30))
    later = written(MORNING + timedelta(hours=1), timedelta(minutes=30))
    for found in (moved(open_now, Policy(downtime="now")), moved(later, Policy())):
        assert [set(one.resolves) for one in found.actions] == [{(DATABASE, "preferred_maintenance_window")}]
        assert found.findings == ()
