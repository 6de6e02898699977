"""What the fleet's page says, in the order in which it says it: for HTML and for Markdown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from reconciler.fleet import text as words
from reconciler.fleet.fleet import Fleet, Line
from reconciler.fleet.standing import State
from reconciler.fleet.strip import DAYS, Strip
from reconciler.history.strip import SEEN
from reconciler.history.words import lasted

WIDTH = 300
"""The strip is this wide; positions are in the same unit."""
_LEAST = 1.5
"""What is short is drawn at least this wide, or nobody would see it."""
_TONES = {State.OPEN: "grave", State.IN_SYNC: "good", State.DELETED: "plain"}
"""The others are `warn`."""


@dataclass(frozen=True)
class Row:
    """One document. `strip` has a path for each state that is there: (state, the path's data)."""

    state: str
    tone: str
    document: str
    revision: int | None
    where: str
    last_look: str
    alerts: str
    exposed: str
    month: str
    strip: tuple[tuple[str, str], ...]
    listed: bool
    why: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The page: a heading, six figures as (value, label, tone), and a row a document, the gravest first."""

    heading: str
    tone: str
    stack: str
    account: str
    region: str
    at: str
    rate: str
    assumed: bool
    figures: tuple[tuple[str, str, str], ...]
    findings: tuple[str, ...]
    rows: tuple[Row, ...]
    days: int = DAYS


def view(fleet: Fleet) -> View:
    """What the page of a fleet says."""
    grave = fleet.counts.get(State.OPEN)
    return View(
        heading=fleet.heading,
        tone="grave" if grave else "good" if fleet.well and fleet.lines else "warn",
        stack=fleet.stack,
        account=fleet.account,
        region=fleet.region,
        at=f"{fleet.at.astimezone(UTC):%d %b %Y, %H:%M:%S UTC}",
        rate=lasted(fleet.rate.total_seconds()),
        assumed=fleet.assumed,
        figures=tuple(_figures(fleet)),
        findings=fleet.findings,
        rows=tuple(_row(one, fleet) for one in fleet.lines),
    )


def _figures(fleet: Fleet) -> list[tuple[str, str, str]]:
    def of(*states: State) -> int:
        return sum(fleet.counts.get(one, 0) for one in states)

    silent = sum(one.standing.silent for one in fleet.lines)
    others = of(State.FAILED, State.BLOCKED, State.HELD, State.FLAPPING, State.WAITING)
    opened = fleet.open_seconds()
    stood = "unknown" if opened is None else f"at most {lasted(opened)}" if opened >= 1 else "0 s"
    return [
        (str(len(fleet.lines)), "documents", ""),
        (str(of(State.IN_SYNC)), "in sync", "good" if of(State.IN_SYNC) else ""),
        (str(of(State.OPEN)), "open now", "grave" if of(State.OPEN) else ""),
        (str(silent), "not looked at", "grave" if silent else ""),
        (str(others), "failed, blocked, held, flapping, waiting", "warn" if others else ""),
        (stood, f"stood open in {DAYS} days, of all", "grave" if opened and opened >= 1 else ""),
    ]


def _row(line: Line, fleet: Fleet) -> Row:
    one = line.standing
    return Row(
        state=one.state.value,
        tone=_TONES.get(one.state, "warn"),
        document=one.document,
        revision=one.revision,
        where=", ".join(filter(None, (one.account, one.region))),
        last_look=words.last_look(line, fleet),
        alerts=words.alerts(line),
        exposed=words.exposed(line, fleet),
        month=words.month(line),
        strip=tuple(_paths(line.strip)) if line.strip else (),
        listed=line.strip is not None,
        why=(*one.openings, *one.why),
    )


def _paths(strip: Strip) -> list[tuple[str, str]]:
    """One path for each state, of lines as wide as the strip is high."""
    begin, whole = strip.whole.start, strip.whole.seconds
    found: list[tuple[str, str]] = []
    for state in SEEN:  # they lie over the ground of the strip, which is what nobody knows
        pieces = []
        for span, known in strip.segments:
            if known is state:
                wide = max(_LEAST, span.seconds / whole * WIDTH)
                at = min((span.start - begin).total_seconds() / whole * WIDTH, WIDTH - wide)
                pieces.append(f"M{at:.4g} 4h{wide:.4g}")
        if pieces:
            found.append((state.value, "".join(pieces)))
    return found
