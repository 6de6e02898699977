"""What is measured in a fresh process of its own, without the laboratory beside it; `figures.py` starts it.

`python -m bench.alone WHAT WORLD [URL [REPETITIONS]]` prints its measurements as JSON. WHAT is one of WHATS.
"""

from __future__ import annotations

import gc
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.calls import REGION, calls, made, parser

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.aws.client import Aws
    from reconciler.engine.result import Report
    from reconciler.model import Observed, Snapshot
    from reconciler.model.kind import Item, Read


def plainly(world: Path, url: str) -> Callable[[], object]:
    """The baseline: nine plain boto3 calls in nine threads; clients, connections and threads are kept."""
    import boto3

    session = boto3.Session("testing", "testing", region_name=REGION)
    clients: dict[str, Any] = {name: session.client(name, endpoint_url=url) for name in ("ec2", "rds")}
    nine = calls((world / "vpc_id").read_text())
    pool = ThreadPoolExecutor(len(nine))
    return lambda: list(pool.map(lambda one: made(clients[one.service], one), nine))


def ours(world: Path, url: str, *, named: bool = True, remembered: bool = False) -> Callable[[], Report]:
    """A run as a door makes it: load the document, run, have the report. The session and its clients are kept. The VPC
    is `named` in the document, or `remembered` from the run before, or to be found.
    """
    import boto3

    from desired_state.load import load
    from reconciler.aws.client import Aws
    from reconciler.engine.run import Environment, Memory, run
    from reconciler.model import Policy

    data = (world / "document.json").read_bytes()
    memory = Memory((world / "vpc_id").read_text() if remembered else "")
    if not named:
        written = json.loads(data)
        del written["scope"]["vpc_id"]
        data = json.dumps(written).encode()
    session = boto3.Session("testing", "testing", region_name=REGION)
    aws = Aws(session, REGION, endpoint_url=url)

    def once() -> Report:
        outside = Environment(aws, lambda: datetime.now(UTC), time.sleep)
        return run(load(data, "document.json"), outside, Policy(), memory=memory)

    return once


def calm(
    world: Path, url: str, repetitions: int, *, named: bool = True, remembered: bool = False
) -> list[tuple[float, float]]:
    """(ours, plain) wall seconds of warm runs, in turns; the first of each is thrown away."""
    run, nine = ours(world, url, named=named, remembered=remembered), plainly(world, url)
    for _ in range(2):
        assert run().in_sync
        nine()
    pairs = []
    for number in range(repetitions):
        taken: dict[Callable[[], object], float] = {}
        for one in (run, nine) if number % 2 else (nine, run):
            gc.collect()
            begun = time.perf_counter()
            one()
            taken[one] = time.perf_counter() - begun
        pairs.append((taken[run], taken[nine]))
    return pairs


def one_run(world: Path, url: str) -> None:
    """A single run, asserted to be calm; the server counts its calls."""
    assert ours(world, url)().in_sync


class _Replay:
    """In the place of `Aws`: the items out of answers that are parsed already."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def read(self, read: Read) -> list[Any]:
        name = read.operation
        if name == "DescribeVpcAttribute":
            name += "." + json.loads(read.params)["Attribute"]
        value = self._answers[name]
        for step in read.result.split("."):
            value = value[step]
        return value if isinstance(value, list) else [value]


def cpu(world: Path, url: str, repetitions: int) -> dict[str, list[float]]:
    """Processor seconds of each step, in turns: botocore's parse of the nine answers, and what we do with them.

    `load` is of a document that is new to this process though its rules are not, `reload` of the one it had before.
    `observe` contains `normalise`, which is measured once more by itself; `rest` is the difference. The first
    repetition meets empty memories of CIDRs and rules, the others what the one before has left there, as in a warm
    worker.
    """
    from desired_state.load import load
    from reconciler.engine.diff import diff
    from reconciler.engine.observe import ObserveOptions, observe
    from reconciler.engine.plan import make_plan
    from reconciler.kinds import REGISTRY
    from reconciler.model import Policy
    from reconciler.model.kind import PlanContext

    assert not url
    data = (world / "document.json").read_bytes()
    nine = calls((world / "vpc_id").read_text())
    bodies = [(one.name, parser(one), (world / f"{one.name}.xml").read_bytes()) for one in nine]
    taken: dict[str, list[float]] = {}

    def step[**P, T](name: str, act: Callable[P, T], *args: P.args, **how: P.kwargs) -> T:
        begun = time.process_time()
        result = act(*args, **how)
        taken.setdefault(name, []).append(time.process_time() - begun)
        return result

    look = ObserveOptions(lambda: datetime.now(UTC), lambda: None)
    for number in range(repetitions):
        gc.collect()
        answers = step("parse", lambda: {name: parse(body) for name, parse, body in bodies})
        step("load", load, data, f"document-{number}.json")
        document = step("reload", load, data, f"document-{number}.json")
        aws = cast("Aws", _Replay(answers))
        snapshot = step("observe", observe, document, aws, look)
        step("normalise", _made, list(_live(document, aws, snapshot)))
        scene = PlanContext(document, snapshot, Policy())
        changes = step("diff", diff, document, snapshot, scene, REGISTRY)
        plan = step("plan", make_plan, changes, scene)
        assert not changes
        assert not plan.actions
        assert len(snapshot.resources) == len(document.resources)
    observed = zip(taken["observe"], taken["normalise"], strict=True)
    return taken | {"rest": [whole - part for whole, part in observed]}


def _made(makers: Iterable[Callable[[], Observed]]) -> list[Observed]:
    return [make() for make in makers]


def _live(document: Document, aws: Aws, snapshot: Snapshot) -> list[Callable[[], Observed]]:
    """For every live resource, what makes the model of the answer."""
    from reconciler.kinds import REGISTRY
    from reconciler.model.kind import Kind, ObserveContext, ReadContext

    names = {aws_id: ref.to for ref, aws_id in snapshot.handles.items() if not ref.handle}

    def making(kind: Kind, item: Item, seen: ObserveContext) -> Callable[[], Observed]:
        return lambda: kind.observe.observed(item, seen)

    makers = []
    for kind in REGISTRY.values():
        read_context = ReadContext(document, document.scope.vpc_id or "", document.of_kind(kind.name))
        seen = ObserveContext(read_context, {read: aws.read(read) for read in kind.observe.reads(read_context)}, names)
        makers += [
            making(kind, item, seen)
            for item in kind.observe.live(read_context, seen.answers)
            if kind.observe.id(item) in names
        ]
    return makers


def peak(world: Path, url: str) -> float:
    """The most memory (MiB) that one run took, everything that the function imports imported."""
    _logger()
    one_run(world, url)
    return _high_water()


def peak_plain(world: Path, url: str) -> float:
    """The same of nine plain calls, their answers held."""
    answers = plainly(world, url)()
    assert answers
    return _high_water()


def _logger() -> None:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

    copy_config_to_registered_loggers(Logger(service="setpoint"), include={"reconciler"}, log_level=logging.INFO)


def _high_water() -> float:
    """MiB. Linux's ru_maxrss begins with the memory of the process that started this one; VmHWM is our own."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / (1024 if sys.platform == "darwin" else 1)


WHATS: dict[str, Callable[..., Any]] = {
    "one-run": one_run,
    "calm": calm,
    "calm-finding": lambda world, url, repetitions: calm(world, url, repetitions, named=False),
    "calm-remembering": lambda world, url, repetitions: calm(world, url, repetitions, named=False, remembered=True),
    "cpu": cpu,
    "peak": peak,
    "peak-plain": peak_plain,
}
"""`calm-finding`: the document does not name its VPC; `calm-remembering`: it is known from the run before."""


if __name__ == "__main__":
    _, what, folder, *rest = sys.argv
    arguments = [*rest[:1], *map(int, rest[1:])]
    print(json.dumps(WHATS[what](Path(folder), *arguments)))
