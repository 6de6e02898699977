"""How long something took, and two things in turns."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu(act: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    begun = time.process_time()
    act()
    return time.process_time() - begun


def wall(act: Callable[[], object]) -> float:
    """Seconds that passed."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def in_turns[T](ours: Callable[[], T], plain: Callable[[], T], pairs: int) -> list[tuple[T, T]]:
    """What each measured, every other pair in the opposite order: other load meets both alike. The first pair, which
    warms up, is thrown away.
    """
    found = []
    for number in range(pairs + 1):
        if number % 2:
            found.append((ours(), plain()))
        else:
            found.append((plain(), ours())[::-1])
    return found[1:]


class Steps:
    """Processor seconds of named steps, one for each time that the step was taken."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    def __call__[**P, T](self, name: str, act: Callable[P, T], *args: P.args, **how: P.kwargs) -> T:
        """What `act` returns."""
        begun = time.process_time()
        result = act(*args, **how)
        self.taken.setdefault(name, []).append(time.process_time() - begun)
        return result
