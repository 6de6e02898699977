"""A history as text for a terminal, and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.history import words
from reconciler.history.episodes import Episode
from reconciler.history.history import History
from reconciler.report.page.words import counted, percent
from reconciler.report.style import Style, by_severity, plain

MOST = 100
"""The most episodes that a text tells."""
_DAY, _HOUR = 86_400, 3_600
_YEAR = 300 * _DAY
"""From this on, dates are told with their year."""


def text(found: History, style: Style = plain) -> str:
    """The whole history, without a line break at the end: the figures, the episodes, the latest first, what is not
    known, and how to see more.
    """
    return "\n".join(_lines(found, style))


def _lines(found: History, style: Style) -> Iterator[str]:
    name = ", ".join(filter(None, (found.document, found.account, found.region)))
    yield f"{style(name, 'bold')}: {sentence(found)}"
    latest = found.episodes[::-1]
    rows = [_row(found, one) for one in latest[:MOST]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for one, row in zip(latest, rows, strict=False):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[2] = by_severity(cells[2], one.severity, style)
        yield f"  {'  '.join(cells)}".rstrip()
    if len(latest) > MOST:
        yield f"  {len(latest) - MOST} earlier episodes: `-o json` has them all"
    for finding in found.findings:
        yield style(f"Not known: {finding}", "yellow")
    if run := next((one.receipt for one in latest if one.receipt), ""):
        yield f"Times are UTC. Receipt of a run: setpoint receipt {found.document} {run} -o html"


def sentence(found: History) -> str:
    """The figures: `as declared for 98.2 % of 30 days; 5 episodes; ...`."""
    blind = len(found.episodes) - len(found.differences)
    parts = [f"{share(found.share_as_declared)} of {_period(found)}"]
    parts.append(counted(len(found.differences), "episode"))
    if found.longest is not None:
        parts.append(f"the longest {words.lasted(found.longest)}")
    if blind:
        parts.append(f"{counted(blind, 'time')} in which nothing is known")
    if any(one.opens for one in found.episodes):
        unknown = any(one.opens and one.opened is None for one in found.episodes)
        rest = ", and of some it is not known since when" if unknown else ""
        parts.append(f"stood open at most {words.lasted(found.open_seconds)} in all{rest}")
    else:
        parts.append("nothing stood open")
    looks = f"{counted(found.looks, 'look')}, {found.looks_that_saw_nothing:,} saw nothing"
    parts.append(f"{looks}, longest gap {words.lasted(found.longest_gap)}" if found.looks else "looks not known")
    return "; ".join(parts)


def share(part: float | None) -> str:
    """`as declared for 98.2 %`."""
    return "not known whether as declared for any part" if part is None else f"as declared for {percent(part)} %"


def _period(found: History) -> str:
    whole = found.whole.seconds
    days = round(whole / _DAY)
    return counted(days, "day") if days and abs(whole - days * _DAY) < _HOUR else words.lasted(whole)


def _row(found: History, one: Episode) -> tuple[str, ...]:
    until = found.whole.end
    lasted = words.lasted(one.lasted(until).seconds)
    revision = f"r{one.revision}" if one.revision else "-"
    return (
        _moment(one.start, year=found.whole.seconds > _YEAR),
        lasted if one.end else f"now {lasted}",
        one.severity.upper() if one.severity else "-",
        f"r{one.before} -> {revision}" if one.before else revision,
        f"{one.address} {one.text}".lstrip(),
        one.who or "-",
        one.outcome,
        one.receipt,
    )


def _moment(moment: datetime, *, year: bool) -> str:
    return moment.astimezone(UTC).strftime("%d %b %Y %H:%M" if year else "%d %b %H:%M")
