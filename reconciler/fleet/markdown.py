"""The fleet as GitHub Flavored Markdown: one row a document, as many as there is room for, the gravest first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.fleet.fleet import Fleet
from reconciler.fleet.view import Row, View, view
from reconciler.report.page.gfm import code, head, prose, row

MOST = 60_000
"""Characters: GitHub takes 65,536 for a comment."""
_COLUMNS = ("State", "Document", "Where", "Last look", "Open alerts", "Exposed", "30 days", "Why")
_RESERVED = 400
"""Characters for the line on what is left out."""


def markdown(fleet: Fleet, most: int = MOST) -> str:
    """The page of a fleet in at most `most` characters; what is left out is counted."""
    shown = view(fleet)
    lines = [*_beginning(shown), "", *head(_COLUMNS)]
    room, left = most - sum(len(one) + 1 for one in lines) - _RESERVED, list(shown.rows)
    while left and (room := room - len(cells := row(_cells(left[0]))) - 1) >= 0:
        lines.append(cells)
        left.pop(0)
    if left:
        counts = ", ".join(f"{count} {state}" for state, count in Counter(one.state for one in left).items())
        lines += ["", f"> Left out, to keep this within {most:,} characters: {counts}. `-o json` has all of it."]
    return "\n".join([*lines, ""])


def _beginning(shown: View) -> Iterator[str]:
    yield f"## Setpoint: {prose(shown.heading)}"
    yield ""
    where = [code(one) for one in (shown.stack, shown.account, shown.region) if one]
    assumed = " (assumed)" if shown.assumed else ""
    yield f"{', '.join(where)}; as the ledger had it at {shown.at}; a look every {shown.rate}{assumed}."
    yield ""
    yield "; ".join(f"{label}: **{value}**" for value, label, _ in shown.figures)
    for one in shown.findings:
        yield ""
        yield f"> **NOT SEEN** {prose(one)}"


def _cells(one: Row) -> Iterator[str]:
    yield f"**{one.state}**"
    yield f"{code(one.document)}{f' r{one.revision}' if one.revision else ''}"
    yield code(one.where) if one.where else ""
    yield one.last_look
    yield one.alerts
    yield one.exposed
    yield one.month
    yield "; ".join(map(prose, one.why))
