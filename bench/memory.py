"""The most memory that a process ever took."""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

from bench.runs import ours, plainly


def peak(world: Path, url: str, runs: int = 1) -> float:
    """The peak memory (MiB) of so many runs of a warm function, with all its imports."""
    _logger()
    run = ours(world, url)
    for _ in range(runs):
        assert run().in_sync
    return high_water()


def peak_plain(world: Path, url: str) -> float:
    """The peak memory (MiB) of nine plain calls and their answers."""
    answers = plainly(world, url)()
    assert answers
    return high_water()


def _logger() -> None:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

    copy_config_to_registered_loggers(Logger(service="setpoint"), include={"reconciler"}, log_level=logging.INFO)


def high_water() -> float:
    """MiB. Linux's ru_maxrss includes the memory of the parent process; VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / (1024 if sys.platform == "darwin" else 1)
