"""The flows drawn once, as arrows from who sends to what arrives. Pure; positions are in the picture's units."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.report.page.lanes import Lane, Lanes

WIDTH = 1000
LEFT = 216
"""The boxes of the sources end here."""
RIGHT = 420
"""The arrows end here."""
MOST = 24
"""With more flows the picture would say nothing: then the lanes alone say it."""
_ROW, _HEAD, _GAP, _BOX = 26, 30, 14, 30
_LONGEST = 30
_WORDS = {
    "undeclared": ("an opening", "shut"),
    "broken": ("rule broken", "not now"),
    "missing": ("arrives", "cut"),
    "declared_now": ("arrives", "not yet"),
    "throughout": ("as declared", "cut"),
}
"""What is said of a flow while it arrives, and while it does not."""


class Source(NamedTuple):
    """A box on the left. `y` is its upper edge."""

    name: str
    y: int


class Target(NamedTuple):
    """A heading on the right. `y` is its base line."""

    name: str
    y: int


class Arrow(NamedTuple):
    """One flow: its curve from (LEFT, `start`) to (RIGHT, `end`), and what is said beside it while it is on, or off."""

    lane: Lane
    start: int
    end: int
    traffic: str
    on: str
    off: str

    @property
    def middle(self) -> int:
        return (LEFT + RIGHT) // 2


class Arrows(NamedTuple):
    """The picture; `height` in its units."""

    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    arrows: tuple[Arrow, ...]
    height: int


def arrows(lanes: Lanes) -> Arrows | None:
    """The arrows of these lanes; None if they are too many, or none."""
    flows = lanes.all
    if not 0 < len(flows) <= MOST or lanes.left_out:
        return None
    by_target: dict[str, list[Lane]] = {}
    for one in flows:
        by_target.setdefault(one.target_id, []).append(one)
    ends: dict[int, float] = {}
    targets, y = [], 0.0
    for some in by_target.values():
        targets.append(Target(_fit(some[0].target), round(y + 18)))
        y += _HEAD
        for one in some:
            ends[one.number] = y + _ROW / 2
            y += _ROW
        y += _GAP
    height = y - _GAP
    by_source: dict[str, list[Lane]] = {}
    for one in flows:
        by_source.setdefault(one.source_id, []).append(one)
    # Sources stand in the order of the mean place of what they reach, so that few lines cross.
    ordered = sorted(by_source.values(), key=lambda some: sum(ends[one.number] for one in some) / len(some))
    step = max(height / len(ordered), _BOX + 6)
    height = max(height, step * len(ordered))
    sources, drawn = [], []
    for place, some in enumerate(ordered):
        top = step * place + (step - _BOX) / 2
        sources.append(Source(_fit(some[0].source), round(top)))
        for number, one in enumerate(sorted(some, key=lambda lane: ends[lane.number]), 1):
            start = top + _BOX * number / (len(some) + 1)
            traffic = f"{one.traffic} {one.addresses}" if one.addresses else one.traffic
            drawn.append(
                Arrow(one, round(start), round(ends[one.number]), _fit(traffic, 2 * _LONGEST), *_WORDS[one.flow])
            )
    drawn.sort(key=lambda arrow: arrow.lane.flow != "throughout")
    return Arrows(tuple(sources), tuple(targets), tuple(drawn), round(height))


def _fit(name: str, most: int = _LONGEST) -> str:
    """A name short enough for its box; the lanes have it whole."""
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
