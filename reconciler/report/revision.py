"""What a revision changes in meaning, as lines of text, as JSON and as a log record. Pure.

Imported only where a version is new. Names in it are somebody's text, and made safe to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from desired_state.fields import shown
from desired_state.sanitize import sanitize
from reconciler.engine.intents import said
from reconciler.model.exposure import Severity
from reconciler.report.flows import as_json as flow_as_json
from reconciler.report.flows import told
from reconciler.report.style import Style, by_severity, plain
from reconciler.revision.change import Hold, RevisionChange, Side
from reconciler.revision.flows import weight

_PREFIX = {Side.UNGUARDED: "no longer guarded: ", Side.GUARDED: "newly guarded: ", Side.DECLARED: "changed: "}
_ORDER = (Side.UNGUARDED, Side.DECLARED, Side.GUARDED)


class Line(NamedTuple):
    """One thing that a revision changes; `side` is what goes before the words in a list."""

    severity: Severity
    words: str
    side: str = ""

    def __str__(self) -> str:
        return f"{self.side}{self.words}"


def lines(change: RevisionChange) -> tuple[Line, ...]:
    """All that it changes, the gravest first; flows that change alike are one line."""
    return tuple(sorted(_lines(change), key=lambda one: one.severity.rank))


def _lines(change: RevisionChange) -> Iterator[Line]:
    for severity in Severity:
        yield from (Line(severity, one) for one in told(flow for flow in change.flows if weight(flow) is severity))
    for verdict in change.broken:
        words = f"breaks its own intent {shown(verdict.intent.name)}: {sanitize(said(verdict))}"
        yield Line(verdict.severity or Severity.LOW, words)
    for side in _ORDER:
        yield from (Line(one.severity, sanitize(one.words), _PREFIX[side]) for one in change.on(side))


def reasons(change: RevisionChange) -> tuple[str, ...]:
    """Why it is to be held: the flows that it opens, then the intents that it breaks."""
    opened = told(one.flow for one in change.holds if one.flow)
    broken = (
        f"its own intent {shown(one.verdict.intent.name)} is broken: {sanitize(said(one.verdict))}"
        for one in change.holds
        if one.verdict
    )
    return (*opened, *broken)


def announcement(change: RevisionChange) -> str:
    """What is told first of an accepted revision."""
    if change.before is None and not change.holds:
        return f"Revision {change.number} is enforced from now on. There is no version before it to compare it with."
    if change.means_nothing:
        return f"Revision {change.number} is enforced from now on. It changes nothing in meaning."
    first, *rest = lines(change)
    more = f"; and {len(rest)} more {'change' if len(rest) == 1 else 'changes'}" if rest else ""
    return f"Revision {change.number} is enforced from now on: {first.words}{more}."


def hold(change: RevisionChange) -> str:
    """Why a revision is held, in one sentence."""
    first, *rest = reasons(change)
    more = f", and {len(rest)} more" if rest else ""
    return f"Revision {change.number} is held until a person approves it: with it, {first}{more}."


def text(change: RevisionChange, *, holds: bool, style: Style = plain) -> str:
    """A block for a terminal: what it is compared with, every line with its severity, and whether it would be held."""
    against = f"revision {change.before}" if change.before is not None else "nothing"
    head = style(f"Revision {change.number}, compared with {against}:", "bold")
    found = [f"  {_severity(one.severity, style)} {one}" for one in lines(change)]
    body = found or ["  changes nothing in meaning"]
    if not change.holds:
        return "\n".join([head, *body])
    verdict = (
        f"It would be held until a person approves it, by the fingerprint {change.fingerprint}:"
        if holds
        else "It would be held if HOLD_EXPOSURES were on:"
    )
    return "\n".join([head, *body, style(verdict, "red"), *(f"  {one}" for one in reasons(change))])


def _severity(severity: Severity, style: Style) -> str:
    return by_severity(f"{severity.upper():<8}", severity, style)


def as_json(change: RevisionChange, *, held: bool) -> dict[str, Any]:
    """The same as values. `before` is null if there was nothing to compare with; `holds` says why a person decides."""
    return {
        "revision": change.number,
        "before": change.before,
        "fingerprint": change.fingerprint,
        "severity": change.severity.value,
        "held": held,
        "holds": [{"reason": one.reason.value, "message": _why(one)} for one in change.holds],
        "flows": [
            flow_as_json(one) | {"severity": weight(one).value, "message": told([one])[0]} for one in change.flows
        ],
        "intents_broken": [{"name": one.intent.name, "message": said(one)} for one in change.broken],
        "points": [
            {
                "side": one.side.value,
                "subject": one.subject.value,
                "address": one.address,
                "severity": one.severity.value,
                "message": one.words,
            }
            for one in change.points
        ],
    }


def _why(one: Hold) -> str:
    if one.flow:
        return told([one.flow])[0]
    return f"{one.verdict.intent.name}: {said(one.verdict)}" if one.verdict else ""


def record(change: RevisionChange, *, held: bool) -> dict[str, Any]:
    """The log record of a revision that is held, or announced."""
    return {
        "record": "revision",
        "message": hold(change) if held else announcement(change),
        **as_json(change, held=held),
    }
