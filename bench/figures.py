"""The figures: each is a function that measures and yields rows of the table.

Times are medians of the ratios of alternating pairs, ours and the baseline, so that other load affects both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from statistics import median
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.clock import cpu, in_turns, wall
from bench.server import counted
from bench.several import DOCUMENTS, emulator

if TYPE_CHECKING:
    from lab.strict_aws import Call

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 500)


class Row(NamedTuple):
    """One line of the table: what was measured, ours, the baseline, the target, and whether it is met (None: no
    target, for information).
    """

    figure: str
    ours: str
    baseline: str
    target: str
    good: bool | None


def _ratio(pairs: Sequence[Sequence[float]]) -> float:
    return median(ours / plain for ours, plain in pairs)


def _alone(what: str, world: Path, *more: object) -> Any:
    """What a process of its own measured."""
    command = [sys.executable, "-m", "bench.alone", what, str(world), *map(str, more)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=170)
    return json.loads(told.stdout)


def calls_of_a_calm_run(worlds: Path, url: str) -> Iterator[Row]:
    """What the server was asked during one run of a fresh process."""
    for size in SIZES:
        counted(f"{url}/{size}")
        _alone("one-run", worlds / str(size), f"{url}/{size}")
        asked = counted(f"{url}/{size}")
        reads = sum(number for name, number in asked.items() if name.startswith("Describe"))
        writes = sum(asked.values()) - reads
        name = f"calls of a calm run, {size} groups of 20 rules"
        yield Row(name, f"{reads} reads, {writes} writes", "9 plain calls", "9 and 0", (reads, writes) == (9, 0))


def writes_of_a_correction() -> Iterator[Row]:
    """Every drift of the demo by itself, in the laboratory: which calls correct it."""
    calls: Counter[str] = Counter()
    most_of_a_group = most_of_a_member = drifts = 0
    for made in _corrections():
        drifts += 1
        calls.update(call.operation for call in made)
        groups = Counter(_group(call) for call in made)
        members = Counter(_member(call) for call in made)
        most_of_a_group = max([most_of_a_group, *(number for key, number in groups.items() if key)])
        most_of_a_member = max([most_of_a_member, *(number for key, number in members.items() if key)])
    name = f"writes that correct the demo's {drifts} drifts, one run each"
    yield Row(name, f"{calls.total()} calls", "", "", None)
    for line in wrap(", ".join(f"{call}:{number}" for call, number in sorted(calls.items())), 116):
        yield Row(f"    {line}", "", "", "", None)
    for what, most in (("group, direction, verb", most_of_a_group), ("ACL entry or route", most_of_a_member)):
        yield Row(f"  most writes of one run for one ({what})", str(most), "EC2's own form", "1", most <= 1)


def _corrections() -> Iterator[list[Call]]:
    """The successful writes of the run that corrects each drift."""
    from datetime import UTC, datetime

    from bench.calls import REGION
    from desired_state.load import load
    from lab import laboratory
    from lab.drifts import DRIFTS, find_network
    from reconciler.aws.client import Aws
    from reconciler.engine.run import Environment, run
    from reconciler.model import Policy

    document = load((files("desired_state") / "examples" / "test-server.json").read_bytes(), "test-server.json")
    with laboratory(region=REGION) as lab:
        world = Environment(Aws(lab.session(), REGION), lambda: datetime.now(UTC), lambda seconds: None)
        run(document, world, Policy(create_databases=True))
        lab.settle()
        clean = lab.save()
        network = find_network(lab.outsider(), document.name)
        for drift in DRIFTS:
            lab.restore(clean)
            drift.apply(lab.outsider(), network)
            lab.calls.clear()
            run(document, world, Policy())
            made = [call for call in lab.calls if call.kind == "write"]
            lab.settle()
            assert run(document, world, Policy()).in_sync, drift.name
            yield made


def _group(call: Call) -> tuple[str, str] | None:
    """(verb and direction, group) of a write of security group rules."""
    named = call.operation.endswith(("SecurityGroupIngress", "SecurityGroupEgress"))
    return (call.operation, call.params["GroupId"]) if named else None


def _member(call: Call) -> tuple[str, ...] | None:
    """The entry or route of a write."""
    params = call.params
    if call.operation.endswith("NetworkAclEntry"):
        return "entry", params["NetworkAclId"], str(params["RuleNumber"]), str(params["Egress"])
    if call.operation.endswith("Route"):
        to = [value for key, value in sorted(params.items()) if key.startswith("Destination")]
        return "route", params["RouteTableId"], *map(str, to)
    return None


def warm_runs(worlds: Path, url: str) -> Iterator[Row]:
    """Wall time of a calm run, document loaded in it, beside nine plain calls in nine threads on the same server."""
    for size, repetitions, most in zip(SIZES, (25, 21, 15), (1.02, 0.68, 0.27), strict=True):
        yield _warm(f"warm calm run, {size} groups, wall", _calm(worlds, url, f"{size}", repetitions), most)
    for size, repetitions, most in zip(SIZES, (15, 13, 11), (1.05, 0.72, 0.32), strict=True):
        pairs = _calm(worlds, url, f"{size}-changing", repetitions)
        yield _warm(f"  the same, {size} groups, one changed in every run", pairs, most)
    yield _warm("  the same, 500 groups, indented answers", _calm(worlds, url, "500-indented", 11), None)
    pairs = _alone("calm-finding", worlds / "10", f"{url}/10", 9)
    yield _warm("  the same, 10 groups, document without scope.vpc_id", pairs, None)
    pairs = _alone("calm-remembering", worlds / "10", f"{url}/10", 9)
    yield _warm("  the same, 10 groups, without it, the VPC remembered", pairs, 1.15)
    for size in SIZES:
        pairs = _alone("first", worlds / f"{size}", f"{url}/{size}", 9)
        ratio, plain = _ratio(pairs), median(one for _, one in pairs)
        beside = f"no memo: {plain * 1000:.0f} ms"
        yield Row(f"  the first run of new clients, {size} groups (n={len(pairs)})", f"{ratio:.2f}x", beside, "", None)


def _calm(worlds: Path, url: str, world: str, repetitions: int) -> Any:
    return _alone("calm", worlds / world, f"{url}/{world}", repetitions)


def _warm(name: str, pairs: Sequence[Sequence[float]], most: float | None) -> Row:
    ratio, plain = _ratio(pairs), median(one for _, one in pairs)
    target, good = (f"<= {most}x", round(ratio, 2) <= most) if most else ("", None)
    return Row(f"{name} (n={len(pairs)})", f"{ratio:.2f}x", f"{plain * 1000:.0f} ms", target, good)


def own_cpu(worlds: Path) -> Iterator[Row]:
    """Processor time of our steps over the parsed answers, beside botocore's parse of them."""
    for world, target in (("500", "<= 10 %"), ("500-merged", "")):
        taken: dict[str, list[float]] = _alone("cpu", worlds / world, "", 13)
        parse = taken["parse"]
        warm = len(parse) - 1

        def share(*steps: str, first: bool = False, taken: dict[str, list[float]] = taken) -> float:
            sums = [sum(one) for one in zip(*(taken[step] for step in steps), strict=True)]
            shares: list[float] = [ours / plain for ours, plain in zip(sums, taken["parse"], strict=True)]
            return 100 * (shares[0] if first else median(shares[1:]))

        baseline = f"parse: {median(parse) * 1000:.0f} ms"
        if target:
            kept = share("parse, kept", "reload, kept", "observe, kept", "diff, kept", "plan, kept")
            yield Row(f"all CPU of a warm run, 10,000 rules (n={warm})", f"{kept:.1f} %", baseline, "<= 6 %", kept <= 6)
            yield Row("    of it parsing", f"{share('parse, kept'):.1f} %", baseline, "", None)
        whole = share("reload", "observe", "diff", "plan")
        what = "own CPU, all items new, document seen before" if target else "  the same, two rules in one permission"
        yield Row(f"{what} (n={warm})", f"{whole:.1f} %", baseline, target, whole <= 10 if target else None)
        if target:
            for step, said in _STEPS.items():
                yield Row(f"    {said}", f"{share(step):.1f} %", baseline, "", None)
            again = share("load", "observe", "diff", "plan")
            yield Row("  the same, a document that is new to this process", f"{again:.1f} %", baseline, "", None)
            cold = share("load", "observe", "diff", "plan", first=True)
            yield Row("  the same, the first run of a process (n=1)", f"{cold:.1f} %", baseline, "", None)
    taken = _alone("cpu", worlds / "500-200-tables", "", 9)
    shares = [100 * one / plain for one, plain in zip(taken["identify"][1:], taken["parse"][1:], strict=True)]
    who, baseline = median(shares), f"parse: {median(taken['parse']) * 1000:.0f} ms"
    yield Row(f"who is who, 500 groups, 200 tables (n={len(shares)})", f"{who:.1f} %", baseline, "<= 5 %", who <= 5)


def judgement(worlds: Path) -> Iterator[Row]:
    """Processor time of judging the network as a whole, beside botocore's parse of its answers."""
    for size in SIZES:
        taken: dict[str, list[float]] = _alone("reach", worlds / str(size), "", 9)
        baseline = f"parse: {median(taken['parse']) * 1000:.0f} ms"
        what = {
            "judge": f"judging the example's intents live, {size} groups",
            "plan": f"  planning a correction of ten groups and an ACL, {size} groups",
            "call": "    each of its calls",
            "means": "    what its differences mean from end to end",
            "blind": "    the same, where the machines are not known",
        }
        for step, said in what.items():
            ours = median(taken[step][1:])
            share = median(one / plain for one, plain in zip(taken[step][1:], taken["parse"][1:], strict=True))
            yield Row(f"{said} (n={len(taken[step]) - 1})", f"{ours * 1000:.1f} ms, {share:.2f}x", baseline, "", None)


def lanes(worlds: Path) -> Iterator[Row]:
    """Processor time of who reaches what after every call of a plan, beside planning it."""
    name, pairs = _lanes_of_the_demo()
    ours, plain = median(one for one, _ in pairs), median(one for _, one in pairs)
    beside = f"planning: {plain * 1000:.0f} ms"
    good = ours <= 0.020
    yield Row(f"{name} (n={len(pairs)})", f"{ours * 1000:.1f} ms, {_ratio(pairs):.2f}x", beside, "<= 20 ms", good)
    taken: dict[str, list[float]] = _alone("lanes", worlds / "500", "", 7)
    beside = f"planning: {median(taken['plan'][1:]) * 1000:.0f} ms"
    for step, said in (("looked", "  of 40 calls, 500 groups"), ("blind", "    the same, the machines are not known")):
        ours = median(taken[step][1:])
        ratio = _ratio(list(zip(taken[step][1:], taken["plan"][1:], strict=True)))
        row = f"{said} (n={len(taken[step]) - 1})"
        yield Row(row, f"{ours * 1000:.0f} ms, {ratio:.2f}x", beside, "<= 1 s", ours <= 1)


def _lanes_of_the_demo() -> tuple[str, list[tuple[float, float]]]:
    """The states and their flows of the plan that corrects all drifts of the demo, beside making this plan."""
    from datetime import UTC, datetime

    from bench.calls import REGION
    from desired_state.load import load
    from lab import laboratory
    from lab.drifts import DRIFTS, find_network
    from reconciler.aws.client import Aws
    from reconciler.engine.diff import diff
    from reconciler.engine.plan import make_plan
    from reconciler.engine.run import Environment, run
    from reconciler.kinds import REGISTRY
    from reconciler.model import Policy
    from reconciler.model.kind import PlanContext
    from reconciler.report.lanes import lanes as told

    document = load((files("desired_state") / "examples" / "test-server.json").read_bytes(), "test-server.json")
    with laboratory(region=REGION) as lab:
        world = Environment(Aws(lab.session(), REGION), lambda: datetime.now(UTC), lambda seconds: None)
        run(document, world, Policy(create_databases=True))
        lab.settle()
        network = find_network(lab.outsider(), document.name)
        for drift in DRIFTS:
            drift.apply(lab.outsider(), network)
        report = run(document, world, Policy(), write=False)
    first = report.first
    assert first
    context = PlanContext(report.document, first, Policy())
    found = told(report)
    assert found

    def planned() -> None:
        make_plan(diff(report.document, first, context, REGISTRY), context)

    pairs = in_turns(lambda: cpu(lambda: told(report)), lambda: cpu(planned), 20)
    return f"who reaches what in {len(found['states'])} states, the demo's plan", pairs


_STEPS = {
    "reload": "load the document that the last run had",
    "load": "load a document that is new, its rules known",
    "normalise": "normalise live state",
    "rest": "the rest of observing: identify, name, unmanaged",
    "diff": "diff",
    "plan": "plan",
}


def start_up() -> Iterator[Row]:
    """Whole fresh processes, wall time."""
    pairs = _processes(["-c", _OURS], ["-c", "import boto3"], 25)
    yield _started("start-up: imports, ec2 and rds clients, models, Logger", pairs, "import boto3", 2.2)


_OURS = """
import gc
gc.disable()
from aws_lambda_powertools import Logger
logger = Logger(service="setpoint")
import boto3
from desired_state.load import load
from handlers.settings import settings
from handlers.wiring import environment
from reconciler.engine.run import run
session = boto3.Session(region_name="ap-northeast-2")
for service in ("ec2", "rds"):
    session.client(service)
gc.freeze()
gc.enable()
"""
"""What a function does before its first event. Collecting garbage is put off: imports make none worth finding."""


def command_line() -> Iterator[Row]:
    """`setpoint --help` and `validate`, beside an interpreter that imports click."""
    example = str(files("desired_state") / "examples" / "test-server.json")
    for arguments in (["--help"], ["validate", example]):
        started = f"from handlers.cli import main; main({arguments!r})"
        pairs = _processes(["-c", started], ["-c", "import click"], 9)
        yield _started(f"start-up: setpoint {arguments[0]}", pairs, "import click", None)


def _started(name: str, pairs: Sequence[Sequence[float]], beside: str, target: float | None) -> Row:
    ratio, plain = _ratio(pairs), median(one for _, one in pairs)
    wanted = f"<= {target}x" if target else ""
    good = ratio <= target if target else None
    return Row(f"{name} (n={len(pairs)})", f"{ratio:.2f}x", f"{beside}: {plain * 1000:.0f} ms", wanted, good)


def _processes(ours: list[str], plain: list[str], repetitions: int) -> list[tuple[float, float]]:
    """(ours, plain) wall seconds of whole processes, in turns.

    Both from byte code, as pip leaves what it installs: without, Setpoint alone would be compiled at every start.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once(arguments: list[str]) -> float:
        command = [sys.executable, *arguments]
        how: dict[str, Any] = {"capture_output": True, "cwd": ROOT, "env": environment, "timeout": 60}
        return wall(lambda: subprocess.run(command, check=True, **how))

    return in_turns(partial(once, ours), partial(once, plain), repetitions)


def memory(worlds: Path, url: str) -> Iterator[Row]:
    """The most memory that a fresh process ever took for one calm run, and for five."""
    for size, target in ((10, 80), (500, 128)):
        world, where = worlds / str(size), f"{url}/{size}"
        ours = median(_alone("peak", world, where) for _ in range(3))
        five = median(_alone("peak", world, where, 5) for _ in range(3))
        plain = median(_alone("peak-plain", world, where) for _ in range(3))
        beside = f"9 plain calls: {plain:.0f} MiB"
        yield Row(f"peak memory, {size} groups (n=3)", f"{ours:.0f} MiB", beside, f"<= {target} MiB", ours <= target)
        yield Row("  the same, after five runs", f"{five:.0f} MiB", beside, "", None)


def several_documents(worlds: Path, url: str) -> Iterator[Row]:
    """Five documents of one account in one warm worker, leases and documents included: in turn, and in threads."""

    def asked(how: str, repetitions: int) -> Any:
        words = ["bench.several", str(worlds / "several"), f"{url}/several", emulated, how, str(repetitions)]
        told = subprocess.run(
            [sys.executable, "-m", *words], check=True, capture_output=True, text=True, cwd=ROOT, timeout=170
        )
        return json.loads(told.stdout)

    with emulator() as emulated:
        both = asked("both", 9)
        turn, threads = (
            [median(one) / DOCUMENTS for one in zip(*both[how], strict=True)] for how in ("turn", "threads")
        )
        peaks = [median(asked(how, 3)["peak"] for _ in range(3)) for how in ("turn", "threads")]
    beside = f"in turn: {turn[0] * 1000:.0f} ms"
    wall, cpu = (
        median(one[at] / other[at] for one, other in zip(both["threads"], both["turn"], strict=True)) for at in range(2)
    )
    name = f"{DOCUMENTS} documents of one account in {DOCUMENTS} threads, each, wall (n=9)"
    yield Row(name, f"{wall:.2f}x", beside, "", None)
    yield Row("  the same, CPU", f"{cpu:.2f}x", f"in turn: {turn[1] * 1000:.0f} ms", "", None)
    for memory, share in ((512, 0.29), (1769, 1.0)):
        ours = memory / 1024 * max(threads[0], threads[1] / share)
        plain = memory / 1024 * (turn[0] - turn[1] + turn[1] / share)
        name = f"  GB-seconds of a look at {memory:,} MB, which has {share:.2f} of a core"
        yield Row(name, f"{ours:.3f}, {ours / plain:.2f}x", f"in turn: {plain:.3f}", "", None)
    yield Row("  peak memory (n=3)", f"{peaks[1]:.0f} MiB", f"in turn: {peaks[0]:.0f} MiB", "", None)


def figures(worlds: Path, url: str) -> tuple[Callable[[], Iterator[Row]], ...]:
    """Every figure, in the order of the table."""
    return (
        lambda: calls_of_a_calm_run(worlds, url),
        writes_of_a_correction,
        lambda: warm_runs(worlds, url),
        lambda: own_cpu(worlds),
        lambda: judgement(worlds),
        lambda: lanes(worlds),
        start_up,
        lambda: memory(worlds, url),
        lambda: several_documents(worlds, url),
        command_line,
    )
