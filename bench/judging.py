"""Processor time of judging the network as a whole: what reaches what, now and after each call of a plan."""

from __future__ import annotations

import gc
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench.calls import calls, parser
from bench.clock import Steps
from bench.replay import Replay

if TYPE_CHECKING:
    from reconciler.aws.client import Aws
    from reconciler.engine.plan import Plan


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
    step, actions = Steps(), list[int]()
    for _ in range(repetitions):
        gc.collect()
        answers = step("parse", lambda: {name: parse(body) for name, parse, body in bodies})
        snapshot = observe(other, cast("Aws", Replay(answers)), look)
        context = PlanContext(other, snapshot, Policy())
        changes = diff(other, snapshot, context, REGISTRY)
        actions.append(len(step("plan", make_plan, changes, context).actions))
        differences = [one for change in changes for one in change.differences]
        for name, seen in (("blind", snapshot), ("means", replace(snapshot, interfaces=()))):
            assert len(step(name, consequences, other, seen, differences)) == len(differences)
        judged = step("judge", judge_run, with_intents, snapshot, None)
        assert len(judged.verdicts) == len(with_intents.intents)
    each = [taken / number for taken, number in zip(step.taken["plan"], actions, strict=True)]
    return step.taken | {"call": each}


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
    snapshot = observe(document, cast("Aws", Replay(answers)), look)

    def planned() -> Plan:
        context = PlanContext(document, snapshot, Policy())
        return make_plan(diff(document, snapshot, context, REGISTRY), context)

    step = Steps()
    for _ in range(repetitions):
        gc.collect()
        plan = step("plan", planned)
        nothing = Gate(held={}, deferred={}, plan_held=None, findings=())
        for name, interfaces in (("looked", ()), ("blind", None)):
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
            found = step(name, told, report)
            assert found is not None
            assert len(found["states"]) == len(plan.actions) + 2
    return step.taken
