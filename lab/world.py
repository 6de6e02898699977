"""Saving and putting back the emulated world: a deep copy of moto's EC2 and RDS backends, a few milliseconds each.

Used by StrictAws.save and .restore (exhaustive crash tests start every case from the same world), and before each
write, so that a stale read can answer from the past.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.live import Live


@dataclass(frozen=True)
class World:
    """The state of one account in one Region at one moment. Opaque: only `restore` reads it."""

    ec2: dict[str, Any]
    rds: dict[str, Any]
    tokens: dict[Any, Any]


def save(live: Live) -> World:
    """A copy of the world that later calls do not touch."""
    return World(*_copied(live, (vars(live.ec2), vars(live.rds), live.tokens)))


def restore(live: Live, world: World) -> None:
    """Put the world back; the saved one stays good for another time."""
    ec2, rds, tokens = _copied(live, (world.ec2, world.rds, world.tokens))
    _replace(live.ec2, ec2)
    _replace(live.rds, rds)
    live.tokens = tokens


@contextmanager
def looking_back(live: Live, world: World) -> Iterator[None]:
    """Within the block the live state is that of `world`; whatever the block changes is thrown away."""
    present = (dict(vars(live.ec2)), dict(vars(live.rds)), live.tokens)
    restore(live, world)
    try:
        yield
    finally:
        _replace(live.ec2, present[0])
        _replace(live.rds, present[1])
        live.tokens = present[2]


def _copied(live: Live, state: tuple[Any, ...]) -> tuple[Any, ...]:
    # moto's objects point back at their backends (and the RDS ones at KMS and Secrets Manager): those stay themselves,
    # or every copy would drag whole backends along and later write into a backend nobody reads.
    stay = [live.ec2, live.rds, live.rds.kms, live.rds.secretsmanager]
    return copy.deepcopy(state, {id(backend): backend for backend in stay})


def _replace(backend: Any, state: dict[str, Any]) -> None:
    vars(backend).clear()
    vars(backend).update(state)
