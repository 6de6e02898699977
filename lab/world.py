"""Saving and putting back the emulated world: a deep copy of moto's EC2, RDS and Secrets Manager backends, a few
milliseconds each.

Used by StrictAws.save and .restore (exhaustive crash tests start every case from the same world), and before each
write, so that a stale read can answer from the past.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.live import Live

_REST = ("dynamodb", "events", "s3", "sns", "sqs")
"""Services beside EC2 and RDS that a laboratory is asked for."""


@dataclass(frozen=True)
class World:
    """The state of one account in one Region at one moment. Opaque: only `restore` reads it."""

    ec2: dict[str, Any]
    rds: dict[str, Any]
    secrets: dict[str, Any]
    tokens: dict[Any, Any]
    backends: tuple[Any, ...]


def save(live: Live) -> World:
    """A copy of the world that later calls do not touch."""
    return _copied(live, _present(live))


def restore(live: Live, world: World) -> None:
    """Put the world back; the saved one stays good for another time."""
    _put(live, _copied(live, world))


@contextmanager
def looking_back(live: Live, world: World) -> Iterator[None]:
    """Within the block the live state is that of `world`; whatever the block changes is thrown away."""
    present = _present(live)
    held = World(dict(present.ec2), dict(present.rds), dict(present.secrets), present.tokens, present.backends)
    restore(live, world)
    try:
        yield
    finally:
        _put(live, held)


@contextmanager
def fresh(live: Live) -> Iterator[None]:
    """Within the block the account is as new, whatever an outer mock_aws() already holds; that is put back.

    What other services hold (the functions' bucket, table, queue and topic) begins and ends empty.
    """
    outer = save(live)
    _empty_the_rest()
    live.rds.secretsmanager.reset()
    live.ec2.reset()
    live.rds.reset()
    try:
        yield
    finally:
        _empty_the_rest()
        restore(live, outer)


def _empty_the_rest() -> None:
    for service in _REST:
        if module := sys.modules.get(f"moto.{service}.models"):  # one that nobody has asked holds nothing
            getattr(module, f"{service}_backends").reset()


def _present(live: Live) -> World:
    # The secrets of managed passwords belong to their instances: one must not come back without the other.
    return World(vars(live.ec2), vars(live.rds), vars(live.rds.secretsmanager), live.tokens, _backends(live))


def _backends(live: Live) -> tuple[Any, ...]:
    return live.ec2, live.rds, live.rds.kms, live.rds.secretsmanager


def _copied(live: Live, world: World) -> World:
    # moto's objects point back at their backends (and the RDS ones at KMS and Secrets Manager): those become the ones
    # of now, or every copy would drag whole backends along and later write into a backend nobody reads. A reset of
    # moto makes new ones.
    now = _backends(live)
    stay = {id(backend): backend for backend in now}
    return copy.deepcopy(world, {id(then): backend for then, backend in zip(world.backends, now, strict=True)} | stay)


def _put(live: Live, world: World) -> None:
    secrets = live.rds.secretsmanager
    for backend, state in ((live.ec2, world.ec2), (secrets, world.secrets), (live.rds, world.rds)):
        vars(backend).clear()
        vars(backend).update(state)
    live.tokens = world.tokens
