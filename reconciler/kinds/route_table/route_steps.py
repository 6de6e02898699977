"""In which order the routes of one table change, so that no address is ever sent where neither side wants it.

Asked when a route table is planned. A route table decides by the longest prefix that matches (VPC User Guide, "Route
priority"), so order matters only between destinations that overlap. With creations from the most to the least specific,
then replacements, then deletions from the least to the most specific, every address has at every step the target of
before or of after: a route that exists too early hides nothing that is still missing below it, and one that is deleted
uncovers only what after has there.

A destination that is a prefix list is opaque, so nothing is proven about its addresses; it counts as overlapping
everything and as the least specific (at equal length a CIDR wins over a prefix list, same page).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import is_cidr, network

if TYPE_CHECKING:
    from collections.abc import Mapping


class RouteStep(NamedTuple):
    """One call. `free` marks a deletion that may also go before everything else, the free ones in their own order."""

    verb: str
    destination: str
    free: bool = False


def route_order(
    before: Mapping[str, str], after: Mapping[str, str], unusable: frozenset[str] = frozenset()
) -> list[RouteStep]:
    """The calls from `before` to `after`, both destination -> target; verbs `create`, `replace`, `delete`.

    `unusable` are destinations of `after` whose target carries nothing yet: they count as still to be written.
    """
    created = sorted(after.keys() - before.keys(), key=_most_specific_first)
    replaced = sorted(each for each in after.keys() & before.keys() if after[each] != before[each])
    deleted = sorted(before.keys() - after.keys(), key=_most_specific_first, reverse=True)
    return [
        *(RouteStep("create", each) for each in created),
        *(RouteStep("replace", each) for each in replaced),
        *(RouteStep("delete", each, each in _free(deleted, [*created, *replaced, *unusable])) for each in deleted),
    ]


def overlap(one: str, other: str) -> bool:
    """Whether two destinations may share an address."""
    if not (is_cidr(one) and is_cidr(other)):
        return True
    version, first, last = network(one)
    its_version, its_first, its_last = network(other)
    return version == its_version and first <= its_last and its_first <= last


def _free(deleted: list[str], written: list[str]) -> set[str]:
    """The deletions that no written route meets, and that fall back on no route which has to be deleted later.

    The second half is needed: behind a free 10.1.0.0/16 an undeclared 10.0.0.0/8 may wait for a creation inside it, and
    deleting the first alone would send its addresses to the second.
    """
    free: set[str] = set()
    for position, each in enumerate(deleted):  # the least specific first: what contains `each` is judged already
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
    """Whether every address takes the very route of before or of after: the longest prefix decides (VPC user guide,
    Route priority). A prefix list stands for addresses nobody here knows, so with one that differs nothing is proven.
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
