"""One run: observe, diff, plan, gate, apply, look again, report. Every entry point calls `run`.

A run that writes looks again, and makes another round if its own writes require one: for what AWS created together with
a VPC, for a lost answer, for what was skipped because the look had become too old. Such a round only repeats actions of
the first plan, except on resources that this run has created.

Whatever raises for one resource makes that resource one that could not be read, and the rest is planned again without
it (`model/guard.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws
from reconciler.engine import witness
from reconciler.engine.apply import ApplyContext, apply
from reconciler.engine.gate import Gate, Limits, gate
from reconciler.engine.memory import NO_MEMORY, Memory
from reconciler.engine.observe import ObserveError, ObserveOptions, VpcNotAllowedError, observe
from reconciler.engine.outcomes import judge
from reconciler.engine.plan import signature
from reconciler.engine.result import Observation, Report, RunCost, RunTrace
from reconciler.engine.spelled import as_seen
from reconciler.engine.suppression import Guard
from reconciler.engine.understood import Asked, not_seen, understood, without_faults
from reconciler.engine.vpc_asked import why_not_yet
from reconciler.engine.written import created, may_have_created
from reconciler.model import (
    Action,
    ActionResult,
    Cause,
    Ended,
    Finding,
    Outcome,
    Policy,
    Reason,
    Ref,
)
from reconciler.model.guard import Stage, contained

if TYPE_CHECKING:
    from reconciler.engine.consequences import Consequence, Identity
    from reconciler.engine.intents import JudgedIntents
    from reconciler.reach.compare import FlowChange

__all__ = ["Environment", "Memory", "ObserveError", "Openings", "Report", "StalePlanError", "VpcNotAllowedError", "run"]

ROUNDS = 4
PATIENCE = (1.0, 2.0, 4.0)
"""Seconds between looks while AWS has accepted a call and still shows the old value (EC2 guide: back off from 2 s)."""
SECOND_LOOK_PAUSE = 1.0


class Openings(Enum):
    """What a run does about what its plan newly lets the internet reach (`openings.py`)."""

    UNASKED = "unasked"
    """Nothing: the version of the document was compared with the one before."""
    TOLD = "told"
    HELD = "held"
    """The plan is held as a whole, until its fingerprint is approved."""


class StalePlanError(Exception):
    """The plan that was reviewed is not what would be done now."""


@dataclass(frozen=True)
class Environment:
    """Everything external that a run needs. `may_start` says why no further call may be started (no time left, a lost
    lease; None: one may): it is called before every write, and not again after it returned a cause. `vpc_problem` says
    why the document may not be for the VPC with this id (empty: for one that it would create).
    """

    aws: Aws
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    notice: Callable[[str], None] = lambda text: None
    may_start: Callable[[], Cause | None] = lambda: None
    vpc_problem: Callable[[str], str] = lambda vpc_id: ""


def run(  # noqa: PLR0913 (the options of every entry point)
    document: Document,
    environment: Environment,
    policy: Policy,
    *,
    write: bool = True,
    only: frozenset[Address] | None = None,
    expected: str = "",
    approved: str = "",
    memory: Memory = NO_MEMORY,
    openings: Openings = Openings.UNASKED,
) -> Report:
    """Correct the live network to match the document, or with `write=False` only report what would be done.

    `only` limits the run to some addresses. `expected` is the fingerprint of the plan that was reviewed; any other plan
    is refused with `StalePlanError`. `approved` lifts the blast-radius limits for the plan with that fingerprint, and
    releases what was found at another id than before, and the calls that have no safe order. `openings` says what
    follows if the plan opens the network and is not approved. Raises `ObserveError` if nothing could be read,
    `VpcNotAllowedError` if the document may not be for its VPC, and whatever `memory.forget` raises, before anything is
    written.
    """
    started, reads, writes = environment.now(), environment.aws.reads, environment.aws.writes
    permit = _WritePermit(environment.may_start)
    task = _Task(document, replace(environment, may_start=permit), policy, only, memory)
    start = _start(task, _first_look(task, write=write), approved, openings)
    task, first, first_gate = start.task, start.first, start.gate
    document, fingerprint = task.document, first.plan.fingerprint
    if expected and expected != fingerprint:
        raise StalePlanError(f"the plan is now {fingerprint}, not {expected}: something has changed since")
    observation, round_gate = first, first_gate
    if write and (anew := _created_anew(task, first, first_gate)):
        memory.forget(anew)
    if write and first.plan.actions:
        memory.intend(first, first_gate)
    results: list[ActionResult] = []
    for _ in range(ROUNDS if write and first.plan.actions else 0):
        tried = apply(observation.plan, round_gate, observation.snapshot, document, _apply_context(task))
        results += tried
        moved = any(one.ended in {Ended.DONE, Ended.UNKNOWN, Ended.STALE} for one in tried)
        if permit.refused and not moved:
            break
        observation, round_gate = without_faults(
            task.asked,
            _look_again(task, first, results, permit),
            environment.now(),
            partial(_further_gate, first, first_gate, results, task),
        )
        over = len(round_gate.held) + len(round_gate.deferred) == len(observation.plan.actions)
        if over or not moved or permit.refused:
            break
    seconds = (environment.now() - started).total_seconds()
    cost = RunCost(started, seconds, environment.aws.reads - reads, environment.aws.writes - writes)
    trace = RunTrace(first, first_gate, tuple(results), observation, write)
    report = judge(document, policy, trace, cost, _intents(document, policy, trace), _consequences(document, trace))
    if observation.snapshot.candidates:
        from reconciler.engine.beneath import beneath

        report = replace(report, beneath=beneath(document, observation.snapshot, environment.now()))
    return replace(report, openings=start.opened) if start.opened else report


class _Start(NamedTuple):
    """What a run begins with: its first look and what is held of its plan, and the flows that this plan opens."""

    task: _Task
    first: Observation
    gate: Gate
    opened: tuple[FlowChange, ...]


def _start(task: _Task, look: Observation, approved: str, openings: Openings) -> _Start:
    def gated(task: _Task, look: Observation) -> _Start:
        document = as_seen(task.document, look.snapshot)
        changed = witness.changed(document, look.snapshot, task.memory.ids)
        fingerprint = witness.sealed(look.plan.fingerprint, changed)
        first = replace(look, plan=replace(look.plan, fingerprint=fingerprint))
        task = replace(task, document=document, changed={} if approved == fingerprint else changed)
        asked = (
            why_not_yet(task.memory.vpc_asked, task.environment.now()) if first.snapshot.absent(document.vpc) else None
        )
        first_gate = _gate(task, first, approved, (lambda action: asked) if asked else None)
        opened = _opened(document, first, first_gate) if openings is not Openings.UNASKED else ()
        if opened and openings is Openings.HELD and approved != fingerprint:
            from reconciler.engine.openings import HELD

            first_gate = _gate(replace(task, plan_held=HELD), first, approved)
        was = "" if document.scope.vpc_id else task.memory.vpc_was
        if was and first.plan.actions and first.snapshot.absent(document.vpc):
            first_gate = _gate(replace(task, plan_held=_vpc_gone(document, was)), first, approved)
        return _Start(task, first, first_gate, opened)

    now = task.environment.now()
    return without_faults(task.asked, look, now, partial(gated, task))[1]


def _vpc_gone(document: Document, vpc_id: str) -> Cause:
    message = f"the VPC {vpc_id}, which was {document.vpc}, does not exist any more, and neither does what was in it"
    message += ". To build all of it again, empty, review the plan and release it"
    return Cause(Reason.VPC_GONE, message, vpc_id)


def _opened(document: Document, first: Observation, first_gate: Gate) -> tuple[FlowChange, ...]:
    """What the allowed actions newly let the internet reach. A plan without any changes of traffic asks nothing."""
    skipped = first_gate.held.keys() | first_gate.deferred.keys()
    allowed = [one for index, one in enumerate(first.plan.actions) if index not in skipped]
    effects = [effect for action in allowed for effect in action.effect]
    if not effects:
        return ()
    from reconciler.engine.openings import openings

    return openings(document, first.snapshot, effects)


def _consequences(document: Document, trace: RunTrace) -> Mapping[Identity, Consequence]:
    """What each difference of the first look means from end to end. A calm run does not even import what judges it."""
    first = trace.first
    found = [one for change in first.plan.changes for one in (change.differences if change.have else [change.missing])]
    found += [one for one, _ in first.suppression.suppressed]
    if not found or first.snapshot.absent(document.vpc):
        return {}
    from reconciler.engine.consequences import consequences

    return contained(
        lambda: consequences(document, first.snapshot, {one.identity: one for one in found}.values()),
        lambda cause: {},
        who="the consequences of the differences",
        stage=Stage.JUDGING,
    )


def _intents(document: Document, policy: Policy, trace: RunTrace) -> JudgedIntents | Finding | None:
    """What is known of the document's intents, or why nothing is. Without intents nothing of `reach` that judges them
    is even imported.
    """
    if not document.intents:
        return None
    from reconciler.engine.intents import judge_run

    plan, held = trace.first.plan, trace.gate.held.keys() | trace.gate.deferred.keys()
    planned = () if trace.wrote else [one for index, one in enumerate(plan.actions) if index not in held]
    last = None if trace.last is trace.first else trace.last.snapshot
    judged: Callable[[], JudgedIntents | Finding] = lambda: judge_run(  # noqa: E731 (its type)
        document, trace.first.snapshot, last, planned, trace.last.excepted, policy.quotas
    )
    return contained(
        judged,
        lambda cause: Finding(Address.of("intent", "*"), Outcome.FAILED, cause),
        who="the intents",
        stage=Stage.JUDGING,
    )


@dataclass(frozen=True)
class _Task:
    """The arguments of a run. `changed` is what no action of it may touch, because its identity has changed.
    `plan_held` says why no action is carried out, whatever the limits are.
    """

    document: Document
    environment: Environment
    policy: Policy
    only: frozenset[Address] | None
    memory: Memory
    changed: Mapping[Address, Cause] = field(default_factory=dict)
    plan_held: Cause | None = None

    @property
    def asked(self) -> Asked:
        return Asked(self.document, self.policy, self.only, self.memory)


class _WritePermit:
    """Whether a write may be started. The check costs a call, so the first cause is kept in `refused`."""

    def __init__(self, may_start: Callable[[], Cause | None]) -> None:
        self._may_start = may_start
        self.refused: Cause | None = None

    def __call__(self) -> Cause | None:
        self.refused = self.refused or self._may_start()
        return self.refused


def _first_look(task: _Task, *, write: bool) -> Observation:
    """The look that a run plans from; repeated before a VPC is made of which nobody remembers whether it was made."""
    look = _look(task, task.memory.vpc_id)
    for pause in task.memory.vpc_patience if write else ():
        if not any(one.gives == Ref(task.document.vpc) for one in look.plan.actions):
            break
        task.environment.sleep(pause)
        look = _look(task, task.memory.vpc_id)
    return look


def _look(task: _Task, vpc_id: str) -> Observation:
    """One look, and its plan. `vpc_id` is the last known id of the VPC."""
    document, environment = task.document, task.environment
    pause = lambda: environment.sleep(SECOND_LOOK_PAUSE)  # noqa: E731
    options = ObserveOptions(environment.now, pause, environment.vpc_problem)
    snapshot = observe(document, environment.aws, options, vpc_id)
    return understood(task.asked, snapshot, environment.now())


def _look_again(task: _Task, first: Observation, results: Iterable[ActionResult], permit: _WritePermit) -> Observation:
    """The look after the writes, repeated while AWS has accepted a call and still shows the old state, as long as the
    run may continue.
    """
    done = {one for result in results if result.ended is Ended.DONE for one in result.action.resolves}
    undone = {one for result in results if result.ended is not Ended.DONE for one in result.action.resolves}
    vpc_id = first.snapshot.handles.get(Ref(task.document.vpc), "")
    try:
        observation = _look(task, vpc_id)
        for pause in PATIENCE:
            open_ = {one for action in observation.plan.actions for one in action.resolves}
            if permit.refused or not open_ & (done - undone) or permit():
                break
            task.environment.sleep(pause)
            observation = _look(task, vpc_id)
    except ObserveError as error:
        return not_seen(task.asked, error.cause, task.environment.now())
    return observation


def _apply_context(task: _Task) -> ApplyContext:
    world = task.environment
    return ApplyContext(world.aws, world.sleep, world.may_start, world.now, world.notice, task.memory.left)


def _gate(
    task: _Task,
    observation: Observation,
    approved: str,
    deferred: Callable[[Action], Cause | None] | None = None,
) -> Gate:
    document, policy = task.document, task.policy
    suppression = observation.suppression
    guard = Guard(suppression, observation.snapshot)
    limits = Limits(
        deferred or (lambda action: None),
        guard,
        task.memory.held_since,
        task.changed,
        suppression.unsuppressed,
        further=deferred is not None,
        plan_held=task.plan_held,
        frozen=task.memory.frozen,
    )
    now = task.environment.now()
    return gate(observation.plan, document, observation.snapshot, policy, now, approved=approved, limits=limits)


def _created_anew(task: _Task, first: Observation, first_gate: Gate) -> frozenset[Address]:
    """What is remembered and absent, and may be created by this run."""
    skipped = first_gate.held.keys() | first_gate.deferred.keys()
    planned = [ActionResult(one, Ended.DONE) for i, one in enumerate(first.plan.actions) if i not in skipped]
    return (created(task.document, planned) & task.memory.ids.keys()) - first.snapshot.resources.keys()


def _further_gate(
    first: Observation, first_gate: Gate, results: Iterable[ActionResult], task: _Task, observation: Observation
) -> Gate:
    """What a further round may do: actions of the first plan that were not held, and actions on resources that this run
    has created. Nothing touches what the first look found at another id.
    """
    document = task.document
    tried = list(results)
    anew = created(document, tried)
    once = {signature(one.action) for one in tried if may_have_created(one)}
    unsure = {signature(one.action) for one in tried if one.ended in {Ended.UNKNOWN, Ended.STALE, Ended.SKIPPED}}
    unsure -= {signature(one.action) for one in tried if one.ended in {Ended.DONE, Ended.FAILED, Ended.WAITING}}
    planned = {signature(action) for index, action in enumerate(first.plan.actions) if index not in first_gate.held}

    def deferred(action: Action) -> Cause | None:
        name = signature(action)
        if name in once:
            message = "AWS may have just created it and not show it yet: the next run looks again"
            return Cause(Reason.NOT_VISIBLE_YET, message)
        if action.address in anew or (name in planned and name in unsure):
            return None
        message = "it was tried before in this run, or was not in its first plan: the next run does it"
        return Cause(Reason.NEXT_RUN, message)

    ids = {at: seen.lasting_id for at, seen in first.snapshot.resources.items()}
    changed = {**witness.changed(document, observation.snapshot, ids), **task.changed}
    return _gate(replace(task, changed=changed), observation, observation.plan.fingerprint, deferred)
