"""Processor time of the steps of a run, over answers that botocore has parsed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bench.calls import calls, keeping, parser
from bench.replay import Replay

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.aws.client import Aws
    from reconciler.model import Observed, Snapshot
    from reconciler.model.kind import Kind, ObserveContext
    from reconciler.model.read import Item


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
        aws = cast("Aws", Replay(answers))
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
        kept = cast("Aws", Replay(step("parse, kept", lambda: {name: keep(body) for name, keep, body in keepers})))
        warm = step("reload, kept", load, data, "document.json")
        snapshot = step("observe, kept", observe, warm, kept, look)
        context = PlanContext(warm, snapshot, Policy())
        changes = step("diff, kept", diff, warm, snapshot, context, REGISTRY)
        assert not step("plan, kept", make_plan, changes, context).actions

    def without(whole: str, part: str) -> list[float]:
        return [one - other for one, other in zip(taken[whole], taken[part], strict=True)]

    return taken | {"rest": without("observe", "normalise"), "identify": without("who is who", "its models")}


def _made(makers: Iterable[Callable[[], Observed]]) -> list[Observed]:
    return [make() for make in makers]


def _identities(
    document: Document, aws: Aws, snapshot: Snapshot
) -> Iterable[tuple[Kind, tuple[Item, ...], ObserveContext]]:
    """What identification is given, kind by kind."""
    from reconciler.kinds import REGISTRY, ranked
    from reconciler.model.kind import ObserveContext
    from reconciler.model.read import ReadContext

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
    from reconciler.model.kind import ObserveContext
    from reconciler.model.read import ReadContext

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
