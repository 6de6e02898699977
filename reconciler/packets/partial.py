"""Which differences must be suppressed too, so that a partly corrected list keeps the packet rule. Pure.

Network ACLs and route tables use it (`Traffic.coupled`), when some differences of a list are suppressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.model import ABSENT, Difference


def corrected(live: Mapping[Any, Any], differences: Iterable[Difference]) -> dict[Any, Any]:
    """A list with these differences corrected."""
    goal = dict(live)
    for one in differences:
        if one.want is ABSENT:
            del goal[one.key]
        else:
            goal[one.key] = one.want
    return goal


def coupled(
    family: list[Difference],
    suppressed: list[Difference],
    live: Mapping[Any, Any],
    allowed: Callable[[dict[Any, Any]], bool],
) -> list[Difference]:
    """The differences that must not be corrected either so that the list stays `allowed`, found greedily."""
    rest = [one for one in family if one not in suppressed]
    if allowed(corrected(live, rest)):
        return []
    chosen: list[Difference] = []
    for one in rest:
        if allowed(corrected(live, [*chosen, one])):
            chosen.append(one)
    return [one for one in rest if one not in chosen]
