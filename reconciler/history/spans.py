"""Spans of time: their union, what is left of one without others, and how they lie over each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple


class Span(NamedTuple):
    """From the first moment to before the second."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def clipped(spans: Iterable[Span], within: Span) -> Iterator[Span]:
    """What of each lies within a span."""
    for one in spans:
        start, end = max(one.start, within.start), min(one.end, within.end)
        if start < end:
            yield Span(start, end)


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that neither overlap nor touch, the earliest first; empty ones are gone."""
    joined: list[Span] = []
    for one in sorted(one for one in spans if one.start < one.end):
        if joined and one.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, one.end))
        else:
            joined.append(one)
    return joined


def total(spans: Iterable[Span]) -> float:
    """Seconds that they cover together; no moment counts twice."""
    return sum(one.seconds for one in union(spans))


def without(span: Span, others: Iterable[Span]) -> list[Span]:
    """What is left of a span where no other one lies."""
    left, at = [], span.start
    for one in union(clipped(others, span)):
        if at < one.start:
            left.append(Span(at, one.start))
        at = one.end
    return [*left, Span(at, span.end)] if at < span.end else left


def layered[Name](whole: Span, ground: Name, layers: Iterable[tuple[Name, Iterable[Span]]]) -> list[tuple[Span, Name]]:
    """The whole as spans with one name each, in order: a later layer lies over an earlier one, all over the ground.

    Neighbours have different names.
    """
    named = [(name, union(clipped(spans, whole))) for name, spans in layers]
    edges = sorted({whole.start, whole.end, *(edge for _, spans in named for one in spans for edge in one)})
    found: list[tuple[Span, Name]] = []
    at = [0] * len(named)
    for start, end in pairwise(edges):
        name = ground
        for index, (candidate, spans) in enumerate(named):
            while at[index] < len(spans) and spans[at[index]].end <= start:
                at[index] += 1
            if at[index] < len(spans) and spans[at[index]].start <= start:
                name = candidate
        if found and found[-1][1] == name:
            found[-1] = (Span(found[-1][0].start, end), name)
        else:
            found.append((Span(start, end), name))
    return found
