"""A seeded sample of many cases for the gate; `make long` runs them all."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest


def sampled(cases: Sequence[Any], among: int, *, seed: str = "", ids: Sequence[str] | None = None) -> list[Any]:
    """Every case as a parameter; of each `among` in a row, all but one only in the long suite.

    A case that is a tuple gives several parameters. The sample is spread over all of them, and always the same.
    """
    chosen = Random(seed)
    found = []
    for first in range(0, len(cases), among):
        some = range(first, min(first + among, len(cases)))
        kept = chosen.choice(some)
        for index in some:
            case = cases[index] if isinstance(cases[index], tuple) else (cases[index],)
            marks = () if index == kept else pytest.mark.long
            found.append(pytest.param(*case, marks=marks, id=ids[index] if ids else None))
    return found
