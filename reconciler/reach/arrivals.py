"""Sets of packets, by whether they arrive in each of several states. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import reduce

from reconciler.packets.traffic import Cuts, join, less, meet
from reconciler.reach.pair.ends import Ranges
from reconciler.reach.pair.filters import Through


class Arrives(IntEnum):
    """Whether packets pass in one state."""

    NO = 0
    PERHAPS = 1
    YES = 2


def by_answer(
    answers: Sequence[Through], mixes: Iterable[tuple[int, ...]]
) -> Iterator[tuple[tuple[Arrives, ...], Cuts]]:
    """The packets that pass by some answer, with whether they do by each of them, and then by each mix: several, by
    their places, of which nobody knows which one it is.
    """
    mixed = (
        (reduce(meet, (answers[place][0] for place in mix)), join(*(answers[place][1] for place in mix)))
        for mix in mixes
    )
    parts: list[tuple[Cuts, tuple[Arrives, ...]]] = [(join(*(possible for _, possible in answers)), ())]
    for answer in (*answers, *mixed):
        parts = [(cuts, (*values, value)) for rest, values in parts for cuts, value in _valued(rest, *answer) if cuts]
    yield from ((values, cuts) for cuts, values in parts if cuts)


def _valued(cuts: Cuts, certain: Cuts, possible: Cuts) -> tuple[tuple[Cuts, Arrives], ...]:
    """A set of traffic, by whether it passes."""
    may = meet(cuts, possible)
    surely = may if certain == possible else meet(cuts, certain)
    perhaps = () if surely == may else less(may, surely)
    return (surely, Arrives.YES), (perhaps, Arrives.PERHAPS), (() if may == cuts else less(cuts, may), Arrives.NO)


def by_traffic(parts: Iterable[tuple[Cuts, Ranges, Ranges]]) -> Iterator[tuple[Cuts, list[tuple[Ranges, Ranges]]]]:
    """The same packets, by traffic: what passes between the same addresses together."""
    known: list[tuple[Cuts, list[tuple[Ranges, Ranges]]]] = []
    for cuts, source, target in parts:
        rest, split = cuts, []
        for traffic, pieces in known:
            common = meet(traffic, rest)
            if not common:
                split.append((traffic, pieces))
                continue
            if left := less(traffic, common):
                split.append((left, list(pieces)))
            split.append((common, [*pieces, (source, target)]))
            rest = less(rest, common)
        if rest:
            split.append((rest, [(source, target)]))
        known = split
    alike: dict[tuple[tuple[Ranges, Ranges], ...], Cuts] = {}
    for traffic, pieces in known:
        alike[tuple(pieces)] = join(alike.get(tuple(pieces), ()), traffic)
    yield from ((traffic, list(pieces)) for pieces, traffic in alike.items())
