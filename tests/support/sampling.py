"""A seeded sample of many cases for the gate; `make long` runs them all."""

from __future__ import annotations

from collections.abc import Container, Sequence
from random import Random
from typing import Any

import pytest


def sampled(cases: Sequence[Any], among: int, *, seed: str = "", ids: Sequence[str] | None = None) -> list[Any]:
    """Every case as a parameter; of each `among` in a row, all but one only in the long suite.

    A case that is a tuple gives several parameters. The sample is spread over all of them, and always the same.
    """
    chosen = Random(seed)
    kept = {chosen.choice(range(first, min(first + among, len(cases)))) for first in range(0, len(cases), among)}
    return _marked(cases, kept, ids)


def dealt(cases: Sequence[Any], number: int, of: int) -> list[Any]:
    """As `sampled`, for several tests of the same cases: each case is in the gate with one of the `of` tests."""
    return _marked(cases, range(number, len(cases), of), None)


def _marked(cases: Sequence[Any], kept: Container[int], ids: Sequence[str] | None) -> list[Any]:
    found = []
    for index, one in enumerate(cases):
        case = one if isinstance(one, tuple) else (one,)
        marks = () if index in kept else pytest.mark.long
        found.append(pytest.param(*case, marks=marks, id=ids[index] if ids else None))
    return found
