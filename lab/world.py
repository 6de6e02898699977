"""Saves and restores the emulated world: pickles of moto's EC2, RDS and Secrets Manager backends, which take a
millisecond (deep copies take ten times as long).

For StrictAws.save and .restore (crash tests start every case from the same world), and before each write, so that a
stale read can show the previous state.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab.live import Answers, Live

_REST = ("dynamodb", "events", "s3", "sns", "sqs")
"""Other services that the tests use."""


@dataclass(frozen=True)
class World:
    """The state of one account in one Region at one moment. Opaque: only `restore` reads it."""

    pickled: bytes
    answers: Answers = field(repr=False, compare=False)


class _State(NamedTuple):
    """What moto's backends hold, and the answers to requests with a ClientToken."""

    ec2: dict[str, Any]
    rds: dict[str, Any]
    secrets: dict[str, Any]
    tokens: dict[Any, Any]


def save(live: Live) -> World:
    """A copy of the world that later calls do not change."""
    with live.looking():
        held, state = _backends(live), _present(live)
    names = {id(backend): name for name, backend in held.items()}

    def reduced(backend: Any) -> Any:
        name = names.get(id(backend))
        return backend.__reduce_ex__(pickle.HIGHEST_PROTOCOL) if name is None else (_the_backend, (name,))

    into = io.BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    # By class, and not by persistent_id, which is called for every object there is.
    pickler.dispatch_table = copyreg.dispatch_table | {type(each): reduced for each in held.values()}
    pickler.dump(state)
    return World(into.getvalue(), live.answers)


def restore(live: Live, world: World) -> None:
    """Restores the world; the saved one can be restored again."""
    _put(live, _Unpickler(live, world).load(), world.answers)


@contextmanager
def looking_back(live: Live, world: World) -> Iterator[None]:
    """Inside the block the live state is that of `world`; changes inside the block are discarded."""
    with live.looking():
        now, answers = _present(live), live.answers
    present = _State(dict(now.ec2), dict(now.rds), dict(now.secrets), now.tokens)
    restore(live, world)
    try:
        yield
    finally:
        _put(live, present, answers)


@contextmanager
def fresh(live: Live) -> Iterator[None]:
    """Inside the block the account is empty, whatever an outer laboratory has; that is restored afterwards, with its
    other services (the functions' bucket, table, queue and topic).
    """
    outer, rest = save(live), _take_the_rest()
    live.rds.secretsmanager.reset()
    live.ec2.reset()
    live.rds.reset()
    try:
        yield
    finally:
        if s3 := sys.modules.get("moto.s3.models"):
            for account in s3.s3_backends.values():
                account.reset()  # closes the files of its objects
        _take_the_rest()
        _put_back(rest)
        restore(live, outer)


def _take_the_rest() -> dict[str, list[Any]]:
    """What the other services hold, by service; afterwards they are empty."""
    taken = {}
    for service in _REST:
        held = _held(service)
        taken[service] = [list(each) if isinstance(each, list) else dict(each) for each in held]
        for each in held:
            each.clear()
    return taken


def _put_back(rest: dict[str, list[Any]]) -> None:
    for service, taken in rest.items():
        for each, was in zip(_held(service), taken, strict=False):  # a service that was not imported then was empty
            (each.extend if isinstance(each, list) else each.update)(was)


def _held(service: str) -> list[Any]:
    """Where moto holds what a service has: its backends by account, and for S3 whose each bucket is, and its files."""
    module = sys.modules.get(f"moto.{service}.models")
    if module is None:
        return []
    backends = getattr(module, f"{service}_backends")
    if service != "s3":
        return [backends]
    return [
        backends,
        backends.bucket_accounts,
        *(one.instances_tracked for one in (module.FakeKey, module.FakeMultipart)),
    ]


def _present(live: Live) -> _State:
    # Secrets of managed passwords must be restored together with their instances.
    return _State(vars(live.ec2), vars(live.rds), vars(live.rds.secretsmanager), live.tokens)


def _backends(live: Live) -> dict[str, Any]:
    # moto's objects refer to their backends (and those of RDS to KMS and Secrets Manager). What is saved has only their
    # names, and what is restored refers to the current ones: copies of backends would be large, and writes to them
    # would be lost. A reset of moto creates new backends.
    return {"ec2": live.ec2, "rds": live.rds, "kms": live.rds.kms, "secrets": live.rds.secretsmanager}


def _the_backend(name: str) -> Any:
    """Stands in a pickle for the backend of that name."""
    raise NotImplementedError(f"Only _Unpickler knows the backend {name}.")


class _Unpickler(pickle.Unpickler):
    def __init__(self, live: Live, world: World) -> None:
        super().__init__(io.BytesIO(world.pickled))
        self._live_backends = _backends(live)

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == (__name__, _the_backend.__name__):
            return self._live_backends.__getitem__
        return super().find_class(module_name, global_name)


def _put(live: Live, state: _State, answers: Answers) -> None:
    secrets = live.rds.secretsmanager
    for backend, held in ((live.ec2, state.ec2), (secrets, state.secrets), (live.rds, state.rds)):
        vars(backend).clear()
        vars(backend).update(held)
    live.tokens = state.tokens
    live.answers = answers
