"""How a time is written: for programs, and for people."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second: `2026-11-27T05:12:08Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_minute(moment: datetime) -> str:
    """The same to the minute, as causes and messages say it: `2026-11-27T05:12Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def minute_time(moment: datetime) -> str:
    """A time for people, to the minute: `2026-11-27 05:12 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
