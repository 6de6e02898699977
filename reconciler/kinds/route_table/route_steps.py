"""Orders the changes of one table's routes, so that every address always has its target of before or of after.

A route table decides by the longest matching prefix (VPC User Guide, "Route priority"), so the order matters only
between destinations that overlap. It is: creations from the most to the least specific, then replacements, then
deletions from the least to the most specific. A created route then hides no more specific route that is still missing,
and a deleted one uncovers only what `after` has there.

The addresses of a prefix list are not known, so it counts as overlapping everything and as the least specific (at equal
length a CIDR takes precedence over a prefix list, same page).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import is_cidr, network

if TYPE_CHECKING:
    from collections.abc import Mapping


class RouteStep(NamedTuple):
    """One call. `free` marks a deletion that may also come before everything else, in the order of the free ones."""

    verb: str
    destination: str
    free: bool = False


def route_order(
    before: Mapping[str, str], after: Mapping[str, str], unusable: frozenset[str] = frozenset()
) -> list[RouteStep]:
    """The calls from `before` to `after`, both destination -> target; verbs `create`, `replace`, `delete`.

    `unusable` are destinations of `after` whose target is not usable yet: they count as still to be written.
    """
    created = sorted(after.keys() - before.keys(), key=_most_specific_first)
    replaced = sorted(each for each in after.keys() & before.keys() if after[each] != before[each])
    deleted = sorted(before.keys() - after.keys(), key=_most_specific_first, reverse=True)
    free = _free(deleted, [*created, *replaced, *unusable])
    return [
        *(RouteStep("create", each) for each in created),
        *(RouteStep("replace", each) for each in replaced),
        *(RouteStep("delete", each, each in free) for each in deleted),
    ]


def overlap(one: str, other: str) -> bool:
    """Whether two destinations may share an address."""
    if not (is_cidr(one) and is_cidr(other)):
        return True
    version, first, last = network(one)
    its_version, its_first, its_last = network(other)
    return version == its_version and first <= its_last and its_first <= last


def _free(deleted: list[str], written: list[str]) -> set[str]:
    """The deletions that overlap no written route, and do not fall back on a route that is deleted later.

    The latter matters: if an undeclared 10.0.0.0/8 has to wait for a creation inside it, then deleting a free
    10.1.0.0/16 first would send its addresses to the target of 10.0.0.0/8.
    """
    free: set[str] = set()
    for position, each in enumerate(deleted):  # the least specific first, so what contains `each` is decided already
        wider = [other for other in deleted[:position] if overlap(each, other)]
        if not any(overlap(each, other) for other in written) and free.issuperset(wider):
            free.add(each)
    return free


def _most_specific_first(destination: str) -> tuple[bool, int, str]:
    if not is_cidr(destination):
        return True, 0, destination
    _, first, last = network(destination)
    return False, last - first, destination


def sent_right(before: Mapping[str, str], after: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether every address has its route of before or of after: the longest prefix decides (VPC user guide, Route
    priority). The addresses of a prefix list are not known, so if one differs, only `before` itself is safe.
    """
    differing = {to for to in before.keys() | after.keys() if before.get(to) != after.get(to)}
    if not all(map(is_cidr, differing)):
        return dict(now) == dict(before)
    known = [network(to) for to in before.keys() | after.keys() if is_cidr(to)]
    edges = {(version, edge) for version, first, last in known for edge in (first, last + 1)}
    return all(_route(now, edge) in {_route(before, edge), _route(after, edge)} for edge in edges)


def _route(routes: Mapping[str, str], at: tuple[int, int]) -> tuple[str, str] | None:
    """The route of one address, (IP version, address as a number)."""
    best: tuple[int, tuple[str, str]] | None = None
    for destination, target in routes.items():
        version, first, last = network(destination) if is_cidr(destination) else (0, 0, 0)
        if version == at[0] and first <= at[1] <= last and (best is None or last - first < best[0]):
            best = last - first, (destination, target)
    return best and best[1]
