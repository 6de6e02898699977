"""The fleet as text for a terminal: one line a document, the gravest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from reconciler.fleet.fleet import Fleet, Line, exposed_for
from reconciler.fleet.standing import State
from reconciler.history.words import lasted
from reconciler.model.network_state import NetworkState
from reconciler.report.page.words import percent
from reconciler.report.style import Style, plain

_COLUMNS = ("STATE", "DOCUMENT", "ACCOUNT", "REGION", "LAST LOOK", "OPEN ALERTS", "EXPOSED", "30 DAYS", "WHY")
_COLOURS = {
    State.OPEN: "red",
    State.SILENT: "red",
    State.FAILED: "red",
    State.BLOCKED: "yellow",
    State.HELD: "yellow",
    State.FLAPPING: "yellow",
    State.WAITING: "yellow",
    State.DELETED: "dim",
    State.IN_SYNC: "green",
}


def text(fleet: Fleet, style: Style = plain) -> str:
    """The sentence on all of them, when and where it was so, and the table."""
    where = ", ".join(filter(None, (f"stack {fleet.stack}" if fleet.stack else "", fleet.account, fleet.region)))
    known = f"as the ledger had it at {fleet.at.astimezone(UTC):%d %b %Y, %H:%M:%S UTC}"
    assumed = ", which is assumed: name the stack with --stack" if fleet.assumed else ""
    head = [
        style(f"{fleet.heading}.", "bold"),
        f"{where}; {known}; a look every {lasted(fleet.rate.total_seconds())}{assumed}",
    ]
    return "\n".join([*head, *fleet.findings, *(["", *_table(fleet, style)] if fleet.lines else [])])


def _table(fleet: Fleet, style: Style) -> Iterator[str]:
    rows = [_COLUMNS, *(tuple(cells(one, fleet)) for one in fleet.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for number, row in enumerate(rows):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if number:
            padded[0] = style(padded[0], _COLOURS[fleet.lines[number - 1].standing.state])
        yield "  ".join(padded).rstrip()


def cells(line: Line, fleet: Fleet) -> Iterator[str]:
    """What is told of one document, in the order of _COLUMNS; `-` is what is not known or not there."""
    one = line.standing
    yield one.state.value
    yield f"{one.document} r{one.revision}" if one.revision else one.document
    yield one.account or "-"
    yield one.region or "-"
    yield last_look(line, fleet)
    yield alerts(line)
    yield exposed(line, fleet)
    yield month(line)
    yield "; ".join((*one.openings, *one.why)) or "-"


def last_look(line: Line, fleet: Fleet) -> str:
    """How long ago the whole network was looked at."""
    at = line.standing.looked_at
    return f"{lasted(max(0.0, (fleet.at - at).total_seconds()))} ago" if at else "never"


def alerts(line: Line) -> str:
    """The open alerts by severity, and since when; of a document that nobody looks at they are not known."""
    one = line.standing
    counted = ", ".join(f"{number} {severity or 'alert'}" for severity, number in one.alerts.items())
    since = f" since {one.alerts_since.astimezone(UTC):%d %b %H:%M}" if one.alerts_since else ""
    if not counted:
        return "unknown" if one.silent else "none"
    return f"{counted}{since}"


def exposed(line: Line, fleet: Fleet) -> str:
    """For how long something has stood open at most."""
    one = line.standing
    if not (one.openings or one.state is State.OPEN):
        return "unknown" if one.silent else "none"
    seconds = exposed_for(one, fleet.at)
    last = ", as seen last" if one.silent or one.state is State.DELETED else ""
    return f"{'since when is not known' if seconds is None else f'at most {lasted(seconds)}'}{last}"


def month(line: Line) -> str:
    """The part of 30 days in which it was as declared, and how long nobody knows."""
    if line.strip is None:
        return "unknown"
    share, unseen = line.strip.share_as_declared, line.strip.seconds(NetworkState.UNSEEN)
    if share is None:
        return "nothing is known"
    return f"{percent(share)} %" + (f", {lasted(unseen)} not known" if unseen >= 1 else "")
