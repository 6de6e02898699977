"""One receipt as text for a terminal: how the run ended, what differed, who did it, and what was done. Pure.

The page has the rest: the network, who reaches what, intents.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.history import words
from reconciler.history.recorded import Drift, Recorded
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time
from reconciler.redact import safe_text
from reconciler.report.page.words import counted
from reconciler.report.style import Style, by_severity, plain

_STATES = {
    NetworkState.SYNC: ("in sync after the run", "green"),
    NetworkState.DIFFERS: ("not as declared after the run", "yellow"),
    NetworkState.OPEN: ("something stands open after the run", "red"),
    NetworkState.UNSEEN: ("nothing, or not all of it, could be read", "yellow"),
    NetworkState.REFUSED: ("no version of the document may be enforced", "yellow"),
    NetworkState.DELETED: ("the document is deleted: nothing is enforced any more", "yellow"),
    NetworkState.DAY: ("a day sheet", "bold"),
}


def text(found: Recorded, style: Style = plain) -> str:
    """The receipt, without a line break at the end."""
    return "\n".join(_lines(found, style))


def _lines(found: Recorded, style: Style) -> Iterator[str]:
    document, run = found.document, found.run
    revision = f" r{document.revision}" if document.revision else ""
    named = (f"{safe_text(document.name)}{revision}", safe_text(found.account), safe_text(found.region))
    where = ", ".join(filter(None, named))
    when = f", {iso_time(run.started)}" if run.started else ""
    state, colour = _STATES[found.state]
    yield f"{style(where, 'bold')}{when}, run {safe_text(run.id)[:8] or 'of a terminal'}: {style(state, colour)}"
    yield from _document(found)
    if why := run.problem or run.refusal:
        yield f"  {safe_text(why)}"
    if found.day:
        yield (
            f"  {iso_time(found.day.since)} to {iso_time(found.day.until)}: "
            f"{counted(found.day.looks, 'look')}, {found.day.unseen:,} saw nothing, "
            f"longest gap {words.lasted(found.day.longest_gap)}"
        )
        return
    for index, one in enumerate(found.drifted):
        yield from _drift(found, index, one, style)
    for unseen in found.unseen:
        yield f"  could not be read: {safe_text(unseen.kind)}: {safe_text(unseen.why)}"
    calls = sum(one.ended == "done" for one in found.actions)
    yield f"{counted(len(found.drifted), 'difference')}, {counted(calls, 'call')} made."


def _document(found: Recorded) -> Iterator[str]:
    if uploaded := found.document.uploaded:
        at = f" at {iso_time(uploaded.at)}" if uploaded.at else ""
        yield f"  uploaded by {words.who(uploaded.who) or 'somebody'}{at}"
    if back := found.document.rollback:
        yield f"  rollback to r{back.to}{f': {words.quoted(back.reason)}' if back.reason else ''}"


def _drift(found: Recorded, index: int, one: Drift, style: Style) -> Iterator[str]:
    severity = by_severity((one.severity.upper() if one.severity else "-").ljust(8), one.severity, style)
    made = found.calls(index)
    done = f", {counted(len(made), 'call')}" if made else ""
    message = f": {safe_text(one.message)}" if one.message else ""
    yield f"  {severity}  {words.what(one)}  {safe_text(one.outcome) or 'planned'}{done}{message}"
    actor = found.actors.get(one.address)
    if actor and actor.who:
        at = f" at {iso_time(actor.at)}" if actor.at else ""
        yield f"            by {words.who(actor.who)}{at}"
    if one.opens and one.address in found.exposed:
        yield f"            stood open at most {words.lasted(found.exposed[one.address])}"
