"""Measurements in a fresh process, without the laboratory; `figures.py` starts it.

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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.calls import REGION, calls, keeping, made, parser

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.aws.client import Aws
    from reconciler.engine.result import Report
    from reconciler.model import Observed, Snapshot
    from reconciler.model.kind import Item, Kind, ObserveContext, Read


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


def first(world: Path, url: str, repetitions: int) -> list[tuple[float, float]]:
    """(with the memo, without it) wall seconds of the first run of new clients, in turns; the first is discarded."""
    pairs = []
    for number in range(repetitions + 1):
        taken = {}
        for memo in (True, False) if number % 2 else (False, True):
            run = ours(world, url, memo=memo)
            gc.collect()
            begun = time.perf_counter()
            run()
            taken[memo] = time.perf_counter() - begun
        pairs.append((taken[True], taken[False]))
    return pairs[1:]


def one_run(world: Path, url: str) -> None:
    """A single run that is in sync; the server counts its calls."""
    assert ours(world, url)().in_sync


class _Replay:
    """Replaces `Aws`: returns items of parsed answers."""

    patience = None

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
    """Processor seconds of each step: botocore's parse of the nine answers, and Setpoint's own steps.

    `load` is of a document that is new to this process, although its rules are not; `reload` is of the previous one.
    `observe` contains `normalise`, which is also measured separately; `rest` is the difference. `identify` is who is
    who, without the models that it makes and observing reuses. What is `kept` is so with the items and the document of
    the repetition before, as in a warm worker: nobody looks at this document with other items. The first repetition
    starts with empty caches of CIDRs and rules, the others with those of the previous one.
    """
    from desired_state.load import load
    from reconciler.aws.item_memo import ItemMemo
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
    memo = ItemMemo()
    keepers = [(one.name, keeping(one, memo), (world / f"{one.name}.xml").read_bytes()) for one in nine]
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
        made = step("who is who", _identified, list(_identities(document, aws, snapshot)))
        step("its models", _made, made)
        context = PlanContext(document, snapshot, Policy())
        changes = step("diff", diff, document, snapshot, context, REGISTRY)
        plan = step("plan", make_plan, changes, context)
        assert not changes
        assert not plan.actions
        assert len(snapshot.resources) == len(document.resources)
        kept = cast("Aws", _Replay(step("parse, kept", lambda: {name: keep(body) for name, keep, body in keepers})))
        warm = step("reload, kept", load, data, "document.json")
        snapshot = step("observe, kept", observe, warm, kept, look)
        context = PlanContext(warm, snapshot, Policy())
        changes = step("diff, kept", diff, warm, snapshot, context, REGISTRY)
        assert not step("plan, kept", make_plan, changes, context).actions

    def without(whole: str, part: str) -> list[float]:
        return [one - other for one, other in zip(taken[whole], taken[part], strict=True)]

    return taken | {"rest": without("observe", "normalise"), "identify": without("who is who", "its models")}


def reach(world: Path, url: str, repetitions: int) -> dict[str, list[float]]:
    """Processor seconds of botocore's parse of the nine answers, of judging the intents of the example on them, of
    planning a correction of ten groups and an ACL, of one call of such a plan, and of what each of these differences
    means from end to end, where nobody has looked which machines are there and where somebody has.
    """
    from dataclasses import replace
    from importlib.resources import files

    from desired_state.load import load
    from reconciler.engine.consequences import consequences
    from reconciler.engine.diff import diff
    from reconciler.engine.intents import judge_run
    from reconciler.engine.observe import ObserveOptions, observe
    from reconciler.engine.plan import make_plan
    from reconciler.kinds import REGISTRY
    from reconciler.model import Policy
    from reconciler.model.kind import PlanContext

    assert not url
    example = json.loads((files("desired_state") / "examples" / "test-server.json").read_text())
    written = json.loads((world / "document.json").read_text())
    intents = {name: example[name] for name in ("intents", "workloads")}
    with_intents = load(json.dumps(written | intents).encode(), "intents.json")
    for number in range(10):
        del written["resources"]["security_group"][f"group-{number}"]["ingress"][0]
    next(iter(written["resources"]["network_acl"].values()))["ingress"].popitem()
    other = load(json.dumps(written).encode(), "other.json")
    nine = calls((world / "vpc_id").read_text())
    bodies = [(one.name, parser(one), (world / f"{one.name}.xml").read_bytes()) for one in nine]
    look = ObserveOptions(lambda: datetime.now(UTC), lambda: None)
    taken: dict[str, list[float]] = {"parse": [], "judge": [], "plan": [], "call": [], "blind": [], "means": []}
    for _ in range(repetitions):
        gc.collect()
        begun = time.process_time()
        aws = cast("Aws", _Replay({name: parse(body) for name, parse, body in bodies}))
        taken["parse"].append(time.process_time() - begun)
        snapshot = observe(other, aws, look)
        context = PlanContext(other, snapshot, Policy())
        changes = diff(other, snapshot, context, REGISTRY)
        begun = time.process_time()
        actions = make_plan(changes, context).actions
        taken["plan"].append(time.process_time() - begun)
        taken["call"].append(taken["plan"][-1] / len(actions))
        differences = [one for change in changes for one in change.differences]
        for step, seen in (("blind", snapshot), ("means", replace(snapshot, interfaces=()))):
            begun = time.process_time()
            found = consequences(other, seen, differences)
            taken[step].append(time.process_time() - begun)
            assert len(found) == len(differences)
        begun = time.process_time()
        judged = judge_run(with_intents, snapshot, None)
        taken["judge"].append(time.process_time() - begun)
        assert len(judged.verdicts) == len(with_intents.intents)
    return taken


def lanes(world: Path, url: str, repetitions: int) -> dict[str, list[float]]:
    """Processor seconds of planning a correction of forty groups, and of who reaches what after each of its calls:
    where somebody has looked which machines are there (the workloads of the example), and where nobody has.
    """
    from dataclasses import replace
    from importlib.resources import files

    from desired_state.load import load
    from reconciler.engine.diff import diff
    from reconciler.engine.gate import Gate
    from reconciler.engine.observe import ObserveOptions, observe
    from reconciler.engine.plan import make_plan
    from reconciler.engine.result import Report
    from reconciler.kinds import REGISTRY
    from reconciler.model import Policy
    from reconciler.model.kind import PlanContext
    from reconciler.report.lanes import lanes as told

    assert not url
    example = json.loads((files("desired_state") / "examples" / "test-server.json").read_text())
    written = json.loads((world / "document.json").read_text()) | {"workloads": example["workloads"]}
    for number in range(40):
        del written["resources"]["security_group"][f"group-{number}"]["ingress"][0]
    document = load(json.dumps(written).encode(), "other.json")
    answers = {
        one.name: parser(one)((world / f"{one.name}.xml").read_bytes()) for one in calls((world / "vpc_id").read_text())
    }
    look = ObserveOptions(lambda: datetime.now(UTC), lambda: None)
    snapshot = observe(document, cast("Aws", _Replay(answers)), look)
    taken: dict[str, list[float]] = {"plan": [], "looked": [], "blind": []}
    for _ in range(repetitions):
        gc.collect()
        begun = time.process_time()
        context = PlanContext(document, snapshot, Policy())
        plan = make_plan(diff(document, snapshot, context, REGISTRY), context)
        taken["plan"].append(time.process_time() - begun)
        nothing = Gate(held={}, deferred={}, plan_held=None, findings=())
        for step, interfaces in (("looked", ()), ("blind", None)):
            report = Report(
                document=document,
                policy=Policy(),
                started=snapshot.at,
                seconds=0,
                wrote=False,
                plan=plan,
                gate=nothing,
                drifts=(),
                action_results=(),
                findings=(),
                excepted=(),
                unmanaged=(),
                reads=0,
                writes=0,
                first=replace(snapshot, interfaces=interfaces),
            )
            begun = time.process_time()
            found = told(report)
            taken[step].append(time.process_time() - begun)
            assert found is not None
            assert len(found["states"]) == len(plan.actions) + 2
    return taken


def _made(makers: Iterable[Callable[[], Observed]]) -> list[Observed]:
    return [make() for make in makers]


def _identities(
    document: Document, aws: Aws, snapshot: Snapshot
) -> Iterable[tuple[Kind, tuple[Item, ...], ObserveContext]]:
    """What identification is given, kind by kind."""
    from reconciler.kinds import REGISTRY, ranked
    from reconciler.model.kind import ObserveContext, ReadContext

    names = {aws_id: ref.to for ref, aws_id in snapshot.handles.items() if not ref.handle}
    for name in ranked():
        kind, declared = REGISTRY[name], document.of_kind(name)
        context = ReadContext(document, document.scope.vpc_id or "", declared)
        answers = {read: aws.read(read) for read in kind.observe.reads(context)}
        before = {aws_id: at for aws_id, at in names.items() if at.kind != name}
        yield kind, tuple(kind.observe.live(context, answers)), ObserveContext(context, answers, before)


def _identified(given: Iterable[tuple[Kind, tuple[Item, ...], ObserveContext]]) -> list[Callable[[], Observed]]:
    """Who is who, and the functions that make the models which were made for it."""
    from reconciler.engine.identity import identify

    made: list[Callable[[], Observed]] = []
    for kind, items, seen in given:
        known = identify(kind, items, seen)
        made += [partial(kind.observe.observed, known.matched[at].item, seen) for at in known.observed]
    return made


def _live(document: Document, aws: Aws, snapshot: Snapshot) -> list[Callable[[], Observed]]:
    """For every live resource, a function that builds its model from the answer."""
    from reconciler.kinds import REGISTRY
    from reconciler.model.kind import ObserveContext, ReadContext

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


def peak(world: Path, url: str, runs: int = 1) -> float:
    """The peak memory (MiB) of so many runs of a warm function, with all its imports."""
    _logger()
    run = ours(world, url)
    for _ in range(runs):
        assert run().in_sync
    return _high_water()


def peak_plain(world: Path, url: str) -> float:
    """The peak memory (MiB) of nine plain calls and their answers."""
    answers = plainly(world, url)()
    assert answers
    return _high_water()


def _logger() -> None:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

    copy_config_to_registered_loggers(Logger(service="setpoint"), include={"reconciler"}, log_level=logging.INFO)


def _high_water() -> float:
    """MiB. Linux's ru_maxrss includes the memory of the parent process; VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / (1024 if sys.platform == "darwin" else 1)


WHATS: dict[str, Callable[..., Any]] = {
    "one-run": one_run,
    "calm": calm,
    "first": first,
    "calm-finding": lambda world, url, repetitions: calm(world, url, repetitions, named=False),
    "calm-remembering": lambda world, url, repetitions: calm(world, url, repetitions, named=False, remembered=True),
    "cpu": cpu,
    "lanes": lanes,
    "reach": reach,
    "peak": peak,
    "peak-plain": peak_plain,
}
"""`calm-finding`: the document does not name its VPC; `calm-remembering`: it is known from the run before."""


if __name__ == "__main__":
    _, what, folder, *rest = sys.argv
    arguments = [*rest[:1], *map(int, rest[1:])]
    print(json.dumps(WHATS[what](Path(folder), *arguments)))
