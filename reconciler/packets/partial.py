"""What must stay as it is so that a list that is corrected only in part keeps the packet rule. Pure.

A kind asks it where some differences of a list are suppressed (`Traffic.coupled`): network ACLs and route tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.model import ABSENT, Difference


def corrected(live: Mapping[Any, Any], differences: Iterable[Difference]) -> dict[Any, Any]:
    """A list, member by member, with these differences corrected."""
    goal = dict(live)
    for one in differences:
        if one.want is ABSENT:
            goal.pop(one.key, None)
        else:
            goal[one.key] = one.want
    return goal


def coupled(
    family: list[Difference],
    suppressed: list[Difference],
    live: Mapping[Any, Any],
    right: Callable[[dict[Any, Any]], bool],
) -> list[Difference]:
    """What must not be corrected either so that the list stays `right`: as little as is found by going one by one."""
    rest = [one for one in family if one not in suppressed]
    if right(corrected(live, rest)):
        return []
    taken: list[Difference] = []
    for one in rest:
        if right(corrected(live, [*taken, one])):
            taken.append(one)
    return [one for one in rest if one not in taken]
