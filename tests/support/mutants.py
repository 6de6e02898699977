"""The judgement of `reconciler/reach/pair` with one change of its source, to show that a test notices it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import reconciler.reach.pair

MODULES = ("path", "filters", "routing", "flows", "legs", "mends", "blockers", "explain")
"""Each after those that it imports."""


class Judge(NamedTuple):
    """The questions about a pair of ends; `flow` makes what `blockers` is asked about."""

    passing: Callable[..., Any]
    blockers: Callable[..., Any]
    witness: Callable[..., Any]
    walk: Callable[..., Any]
    flow: Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """One change: this text of a module, which stands there once, becomes another. `seed` is a world in which it shows,
    as of when it was written.
    """

    name: str
    module: str
    old: str
    new: str
    seed: int = 0


@cache
def judge(mutant: Mutant | None = None) -> Judge:
    """The judgement, as it is or changed; what others have imported stays as it is."""
    loaded = {name: sys.modules.get(_full(name)) for name in MODULES}
    made: dict[str, ModuleType] = {}
    try:
        for name in MODULES:
            made[name] = sys.modules[_full(name)] = ModuleType(_full(name))
            exec(compile(_source(name, mutant), f"<{name}>", "exec"), made[name].__dict__)  # noqa: S102 (our own source)
    finally:
        for name, module in loaded.items():
            if module is None:
                del sys.modules[_full(name)]
            else:
                sys.modules[_full(name)] = module
    flows, explain = made["flows"], made["explain"]
    return Judge(flows.passing, made["blockers"].blockers, explain.witness, explain.walk, made["path"].Flow.of)


def _full(name: str) -> str:
    return f"reconciler.reach.pair.{name}"


def _source(name: str, mutant: Mutant | None) -> str:
    source = (Path(reconciler.reach.pair.__path__[0]) / f"{name}.py").read_text()
    if mutant is None or mutant.module != name:
        return source
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.old!r} does not stand in {name}.py exactly once")
    return source.replace(mutant.old, mutant.new)
