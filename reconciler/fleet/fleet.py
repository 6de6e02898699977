"""The fleet: every document of a deployment with how it stands, the gravest first, and one sentence on all of them.

Pure. It is made on demand and names its time: a page that is kept would go on saying that all is well after everything
has stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.fleet.standing import Standing, State
from reconciler.fleet.strip import Strip
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time
from reconciler.report.page.words import counted

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Line:
    """One document. `strip` is None where its receipts were not listed, and `unlisted` then says why."""

    standing: Standing
    strip: Strip | None = None
    unlisted: str = ""


@dataclass(frozen=True)
class Fleet:
    """All lines, the gravest first. `rate` is how often every document is looked at; `assumed`: nobody said so, and it
    is the default. `findings` are sentences on what could not be read.
    """

    at: datetime
    region: str
    rate: timedelta
    lines: tuple[Line, ...]
    stack: str = ""
    account: str = ""
    assumed: bool = False
    findings: tuple[str, ...] = ()
    counts: Mapping[State, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(sorted(self.lines, key=_gravity)))
        number = Counter(one.standing.state for one in self.lines)
        object.__setattr__(self, "counts", {state: number[state] for state in State if number[state]})

    @property
    def well(self) -> bool:
        """Whether every document is in sync, or deleted, and all of it could be read."""
        return self.counts.keys() <= {State.IN_SYNC, State.DELETED} and not self.findings

    @property
    def heading(self) -> str:
        """One sentence, the worst first."""
        count, left = len(self.lines), dict(self.counts)
        if not count:
            return "No document is known here"
        kept = count - left.get(State.DELETED, 0)
        networks = counted(kept, "network")
        open_now, silent = left.get(State.OPEN, 0), sum(one.standing.silent for one in self.lines)
        parts = []
        if open_now:
            # One item may be of a resource that no packet reaches, so nothing is said of arrival.
            parts.append(f"{open_now} of {networks} {_verb(open_now, 'lets', 'let')} in what is not declared")
        if silent:
            who = str(silent) if parts else f"{silent} of {networks}"
            parts.append(f"{who} {_verb(silent, 'is', 'are')} not being looked at")
        if parts:
            return "; ".join(parts)
        grave = [f"{number} {state.lower()}" for state, number in left.items() if state not in _CALM]
        if grave:
            return f"{networks}: {', '.join(grave)}, {left.get(State.IN_SYNC, 0)} in sync"
        return f"In sync: {networks} {_verb(kept, 'is', 'are')} as declared" if kept else "Every document is deleted"

    def open_seconds(self) -> float | None:
        """For how long something stood open in the time of the strips, summed over the networks; None: no strips."""
        strips = [one.strip for one in self.lines if one.strip]
        return sum(one.seconds(NetworkState.OPEN) for one in strips) if strips else None

    def as_json(self) -> dict[str, Any]:
        """As values for `json.dumps`."""
        open_seconds = self.open_seconds()
        return {
            "format_version": FORMAT_VERSION,
            "stack": self.stack or None,
            "account": self.account or None,
            "region": self.region,
            "at": iso_time(self.at),
            "rate_s": int(self.rate.total_seconds()),
            "rate_assumed": self.assumed,
            "heading": self.heading,
            "counts": {state.value: number for state, number in self.counts.items()},
            "open_s": None if open_seconds is None else int(open_seconds),
            "findings": list(self.findings),
            "documents": [self._line(one) for one in self.lines],
        }

    def _line(self, line: Line) -> dict[str, Any]:
        one, seen = line.standing, line.strip
        share = seen.share_as_declared if seen else None
        return {
            "state": one.state.value,
            "document": one.document,
            "revision": one.revision,
            "account": one.account or None,
            "region": one.region or None,
            "last_look": iso_time(one.looked_at) if one.looked_at else None,
            "last_look_s": int((self.at - one.looked_at).total_seconds()) if one.looked_at else None,
            "silent": one.silent,
            "why": list(one.why),
            "severity": one.severity.value if one.severity else None,
            "alerts": {severity or "unknown": number for severity, number in one.alerts.items()},
            "alerts_since": iso_time(one.alerts_since) if one.alerts_since else None,
            "openings": list(one.openings),
            "exposed_at_most_s": exposed_for(one, self.at),
            "in_sync_since": iso_time(one.in_sync_since) if one.in_sync_since else None,
            "share_as_declared": None if share is None else round(share, 6),
            "segments": [
                {"from": iso_time(span.start), "to": iso_time(span.end), "state": state.value}
                for span, state in seen.segments
            ]
            if seen
            else None,
            "unlisted": line.unlisted or None,
            "receipt": one.receipt or None,
        }


_CALM = frozenset({State.IN_SYNC, State.DELETED})


def exposed_for(one: Standing, at: datetime) -> int | None:
    """For how many seconds something has stood open at most; None if nothing does, or it is not known."""
    return max(0, int((at - one.exposed_since).total_seconds())) if one.exposed_since else None


def _gravity(line: Line) -> tuple[Any, ...]:
    """The state, then the gravest severity, then the name."""
    one = line.standing
    return one.state.rank, one.severity.rank if one.severity else len(Severity), one.document


def fleet_of(standings: Iterable[Standing], strips: Mapping[str, Strip | str], **known: Any) -> Fleet:
    """The fleet. `strips` has a strip for each document, or why there is none; `known` are the other fields."""

    def line(one: Standing) -> Line:
        found = strips.get(one.document, "")
        return Line(one, unlisted=found) if isinstance(found, str) else Line(one, found)

    return Fleet(lines=tuple(map(line, standings)), **known)


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
