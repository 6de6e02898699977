"""The calls in their order: how each ended and why, and what it changed in what arrives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reconciler.report.page.differences import Differences
from reconciler.report.page.lanes import Lanes
from reconciler.report.page.reading import Json, listed, text
from reconciler.report.page.resources import Resource, Resources

MOST = 300
"""The most calls on one page; what is left out is counted."""
UNFOLDED = 40
"""Of more calls only the first are open, as long as none of the others failed."""
FIRST = 20


class Call(NamedTuple):
    """One call. `ended` is None in a plan; `arrives` says what it changes in what arrives, if that was worked out."""

    number: int
    resource: Resource
    operation: str
    why: str
    loses: str | None
    risk: str | None
    phase: str | None
    breaks: int
    ended: str | None
    reason: str | None
    message: str | None
    arrives: str | None
    resolves: tuple[int, ...]


@dataclass(frozen=True)
class Calls:
    """The calls of a run; `left_out` are not on the page."""

    calls: tuple[Call, ...]
    count: int
    left_out: int

    @property
    def first(self) -> tuple[Call, ...]:
        """Those that are open."""
        failed = any(one.ended in {"failed", "unknown", "stale"} for one in self.calls[FIRST:])
        return self.calls if failed or self.count <= UNFOLDED else self.calls[:FIRST]

    @property
    def rest(self) -> tuple[Call, ...]:
        """Those that are closed at first."""
        return self.calls[len(self.first) :]


def calls(receipt: Json, resources: Resources, differences: Differences, lanes: Lanes) -> Calls:
    """The calls of a receipt."""
    given = listed(receipt, "actions")
    resolves: dict[int, list[int]] = {}
    for entry in differences.entries:
        for one in entry.differences:
            for call in one.calls:
                resolves.setdefault(call, []).append(one.number)
    held = text(receipt, "held_as_a_whole")  # the verdict tells it once for all
    known = []
    for place, one in enumerate(given[:MOST], 1):
        number = int(one.get("number", place))
        known.append(
            Call(
                number=number,
                resource=resources.at(str(one.get("address"))),
                operation=str(one.get("operation")),
                why=str(one.get("why") or ""),
                loses=text(one, "loses"),
                risk=text(one, "risk"),
                phase=text(one, "phase"),
                breaks=int(one.get("breaks") or 0),
                ended=text(one, "ended"),
                reason=text(one, "reason"),
                message=None if text(one, "message") == held else text(one, "message"),
                arrives=lanes.changed_by(number),
                resolves=tuple(resolves.get(number, ())),
            )
        )
    return Calls(tuple(known), len(given), len(given) - len(known))
