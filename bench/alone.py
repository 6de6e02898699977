"""Measurements in a fresh process, without the laboratory; `figures.py` starts it.

`python -m bench.alone WHAT WORLD [URL [REPETITIONS]]` prints its measurements as JSON. WHAT is one of WHATS.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.judging import lanes, reach
from bench.memory import peak, peak_plain
from bench.runs import calm, first, one_run
from bench.steps import cpu

WHATS: dict[str, Callable[..., Any]] = {
    "one-run": one_run,
    "calm": calm,
    "first": first,
    "calm-finding": lambda world, url, repetitions: calm(world, url, repetitions, named=False),
    "calm-remembering": lambda world, url, repetitions: calm(world, url, repetitions, named=False, remembered=True),
    "cpu": cpu,
    "lanes": lanes,
    "reach": reach,
    "peak": peak,
    "peak-plain": peak_plain,
}
"""`calm-finding`: the document does not name its VPC; `calm-remembering`: it is known from the run before."""


if __name__ == "__main__":
    _, what, folder, *rest = sys.argv
    arguments = [*rest[:1], *map(int, rest[1:])]
    print(json.dumps(WHATS[what](Path(folder), *arguments)))
