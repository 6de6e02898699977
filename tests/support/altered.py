"""Modules of ours with one change of their source, to show that a test notices it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def altered(modules: Sequence[str], module: str, old: str, new: str) -> dict[str, ModuleType]:
    """These modules, each after those that it imports, anew; in the source of `module` the text `old`, which stands
    there once, becomes `new`. What others have imported stays as it is.
    """
    sources = {name: Path(str(importlib.import_module(name).__file__)).read_text() for name in modules}
    assert sources[module].count(old) == 1, f"{old!r} stands {sources[module].count(old)} times in {module}"
    sources[module] = sources[module].replace(old, new)
    kept = {name: sys.modules[name] for name in modules}
    made: dict[str, ModuleType] = {}
    try:
        for name in modules:
            made[name] = sys.modules[name] = ModuleType(name)
            exec(compile(sources[name], f"<{name}>", "exec"), made[name].__dict__)  # noqa: S102 (our own source)
    finally:
        sys.modules.update(kept)
    return made
