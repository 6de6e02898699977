"""The calls in their order: how each ended and why, and what it changed in what arrives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from reconciler.report.page.differences import Differences
from reconciler.report.page.lanes import Lanes
from reconciler.report.page.reading import Json, listed, text
from reconciler.report.page.resources import Resource, Resources
from reconciler.report.page.words import Brief

MOST = 240
"""The most calls on one page, those that failed before the others; what is left out is counted."""
_FAILED = ("failed", "unknown", "stale")
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

    @cached_property
    def numbers(self) -> frozenset[int]:
        """The numbers of those that are on the page."""
        return frozenset(one.number for one in self.calls)

    @property
    def first(self) -> tuple[Call, ...]:
        """Those that are open."""
        failed = any(one.ended in _FAILED for one in self.calls[FIRST:])
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
    failed = [place for place, one in enumerate(given) if one.get("ended") in _FAILED]
    shown = sorted(list(dict.fromkeys([*failed, *range(len(given))]))[:MOST])
    for place, one in ((place + 1, given[place]) for place in shown):
        number = int(one.get("number", place))
        known.append(
            Call(
                number=number,
                resource=resources.at(str(one.get("address"))),
                operation=str(one.get("operation")),
                why=(str if len(given) <= UNFOLDED else Brief)(one.get("why") or ""),
                loses=text(one, "loses"),
                risk=text(one, "risk"),
                breaks=int(one.get("breaks") or 0),
                ended=text(one, "ended"),
                reason=text(one, "reason"),
                message=None if text(one, "message") == held else text(one, "message"),
                arrives=lanes.changed_by(number),
                resolves=tuple(resolves.get(number, ())),
            )
        )
    return Calls(tuple(known), len(given), len(given) - len(known))
