"""Runs of a warm process, and beside them nine plain boto3 calls to the same server."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.calls import REGION, calls, made
from bench.clock import in_turns, wall

if TYPE_CHECKING:
    from reconciler.engine.result import Report


def plainly(world: Path, url: str) -> Callable[[], object]:
    """The baseline: nine plain boto3 calls in nine threads; clients, connections and threads are reused."""
    import boto3

    session = boto3.Session("testing", "testing", region_name=REGION)
    clients: dict[str, Any] = {name: session.client(name, endpoint_url=url) for name in ("ec2", "rds")}
    nine = calls((world / "vpc_id").read_text())
    pool = ThreadPoolExecutor(len(nine))
    return lambda: list(pool.map(lambda one: made(clients[one.service], one), nine))


def ours(
    world: Path, url: str, *, named: bool = True, remembered: bool = False, memo: bool = True
) -> Callable[[], Report]:
    """A run as in a Lambda function: load the document, run, get the report. The session and its clients are reused,
    with `memo` also the items that were parsed before. The VPC is `named` in the document, or `remembered` from the
    previous run, or has to be found.
    """
    import boto3

    from desired_state.load import load
    from reconciler.aws.client import Aws
    from reconciler.aws.item_memo import ItemMemo
    from reconciler.engine.run import Environment, Memory, run
    from reconciler.model import Policy

    data = (world / "document.json").read_bytes()
    memory = Memory((world / "vpc_id").read_text() if remembered else "")
    if not named:
        written = json.loads(data)
        del written["scope"]["vpc_id"]
        data = json.dumps(written).encode()
    session = boto3.Session("testing", "testing", region_name=REGION)
    aws = Aws(session, REGION, endpoint_url=url, memo=ItemMemo() if memo else None)
    aws.open("ec2", "rds")

    def once() -> Report:
        outside = Environment(aws, lambda: datetime.now(UTC), time.sleep)
        return run(load(data, "document.json"), outside, Policy(), memory=memory)

    return once


def calm(
    world: Path, url: str, repetitions: int, *, named: bool = True, remembered: bool = False
) -> list[tuple[float, float]]:
    """(ours, plain) wall seconds of alternating warm runs; the first of each is discarded."""
    run, nine = ours(world, url, named=named, remembered=remembered), plainly(world, url)
    assert run().in_sync
    return in_turns(partial(_collected, run), partial(_collected, nine), repetitions)


def first(world: Path, url: str, repetitions: int) -> list[tuple[float, float]]:
    """(with the memo, without it) wall seconds of the first run of new clients, in turns; the first is discarded."""

    def once(*, memo: bool) -> float:
        return _collected(ours(world, url, memo=memo))

    return in_turns(lambda: once(memo=True), lambda: once(memo=False), repetitions)


def _collected(run: Callable[[], object]) -> float:
    gc.collect()
    return wall(run)


def one_run(world: Path, url: str) -> None:
    """A single run that is in sync; the server counts its calls."""
    assert ours(world, url)().in_sync
