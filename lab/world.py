"""Saves and restores the emulated world: deep copies of moto's EC2, RDS and Secrets Manager backends, which take a few
milliseconds.

For StrictAws.save and .restore (crash tests start every case from the same world), and before each write, so that a
stale read can show the previous state.
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
"""Other services that the tests use."""


@dataclass(frozen=True)
class World:
    """The state of one account in one Region at one moment. Opaque: only `restore` reads it."""

    ec2: dict[str, Any]
    rds: dict[str, Any]
    secrets: dict[str, Any]
    tokens: dict[Any, Any]
    backends: tuple[Any, ...]


def save(live: Live) -> World:
    """A copy of the world that later calls do not change."""
    return _copied(live, _present(live))


def restore(live: Live, world: World) -> None:
    """Restores the world; the saved one can be restored again."""
    _put(live, _copied(live, world))


@contextmanager
def looking_back(live: Live, world: World) -> Iterator[None]:
    """Inside the block the live state is that of `world`; changes inside the block are discarded."""
    now = _present(live)
    present = World(dict(now.ec2), dict(now.rds), dict(now.secrets), now.tokens, now.backends)
    restore(live, world)
    try:
        yield
    finally:
        _put(live, present)


@contextmanager
def fresh(live: Live) -> Iterator[None]:
    """Inside the block the account is empty, whatever an outer mock_aws() has; that is restored afterwards.

    Other services (the functions' bucket, table, queue and topic) start and end empty.
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
        if module := sys.modules.get(f"moto.{service}.models"):  # one that was never imported is empty
            getattr(module, f"{service}_backends").reset()


def _present(live: Live) -> World:
    # Secrets of managed passwords must be restored together with their instances.
    return World(vars(live.ec2), vars(live.rds), vars(live.rds.secretsmanager), live.tokens, _backends(live))


def _backends(live: Live) -> tuple[Any, ...]:
    return live.ec2, live.rds, live.rds.kms, live.rds.secretsmanager


def _copied(live: Live, world: World) -> World:
    # moto's objects refer to their backends (and those of RDS to KMS and Secrets Manager). The copies refer to the
    # current backends, because copies of backends would be large, and writes to them would be lost. A reset of moto
    # creates new backends.
    now = _backends(live)
    stay = {id(backend): backend for backend in now}
    return copy.deepcopy(world, {id(then): backend for then, backend in zip(world.backends, now, strict=True)} | stay)


def _put(live: Live, world: World) -> None:
    secrets = live.rds.secretsmanager
    for backend, state in ((live.ec2, world.ec2), (secrets, world.secrets), (live.rds, world.rds)):
        vars(backend).clear()
        vars(backend).update(state)
    live.tokens = world.tokens
