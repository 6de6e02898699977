"""One run: observe, diff, plan, gate, apply, look again, report. Every door calls `run`; nothing else decides anything.

A run that writes looks again, and goes round once more where its own work made that necessary: what came into being
with a VPC, what an answer was lost of, what was left because the look had become too old. Such a further round does
nothing that the first plan did not hold, except to what this very run has made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws
from reconciler.engine.apply import ApplyContext, apply
from reconciler.engine.diff import diff, tolerated
from reconciler.engine.gate import Gate, Limits, gate
from reconciler.engine.observe import ObserveError, ObserveOptions, observe
from reconciler.engine.plan import make_plan, signature
from reconciler.engine.result import Observation, Report, RunCost, RunTrace, judge
from reconciler.engine.suppression import Guard, Suppression, suppress
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Attempt, Difference, Ended, Phase, Policy, Ref, Snapshot
from reconciler.model.kind import PlanContext

ROUNDS = 4
PATIENCE = (1.0, 2.0, 4.0)
"""Seconds between looks while AWS has taken a call and still shows the old value (EC2 guide: back off from 2 s)."""
STALE_AFTER = timedelta(seconds=60)
SECOND_LOOK_PAUSE = 1.0


class StalePlanError(Exception):
    """The plan that somebody looked at is not what would be done now."""


@dataclass(frozen=True)
class Environment:
    """Everything outside that a run touches. `may_start` is empty, or says why no further call may be started (time, a
    lost lease): it is asked before every write, and never again once it gave a reason.
    """

    aws: Aws
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    notice: Callable[[str], None] = lambda text: None
    may_start: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Memory:
    """What is known from earlier runs. `vpc_id` is where the document's VPC was seen last; it is a hint only. `paused`
    says why a difference is left alone for a while (empty: it is not). `held_since` says since when a resource has been
    seen with a hold.
    """

    vpc_id: str = ""
    paused: Callable[[Difference], str] | None = None
    held_since: Mapping[Address, datetime] = field(default_factory=dict)


NO_MEMORY = Memory()


def run(  # noqa: PLR0913 (all that a door may ask of a run)
    document: Document,
    world: Environment,
    policy: Policy,
    *,
    write: bool = True,
    only: frozenset[Address] | None = None,
    expected: str = "",
    approved: str = "",
    memory: Memory = NO_MEMORY,
) -> Report:
    """Bring the live network to the document, or with `write=False` only say what would be done.

    `only` narrows the run to some addresses. `expected` is the fingerprint of the plan somebody has seen; another
    plan is refused with `StalePlanError`. `approved` releases the blast-radius limits for the plan of that
    fingerprint. Raises `ObserveError` where nothing could be seen.
    """
    started, reads, writes = world.now(), world.aws.reads, world.aws.writes
    leave = _Leave(world.may_start)
    task = _Task(document, replace(world, may_start=leave), policy, only, memory)
    observation = first = _look(task, memory.vpc_id)
    if expected and expected != first.plan.fingerprint:
        raise StalePlanError(f"the plan is {first.plan.fingerprint} now, not {expected}: what it rests on has changed")
    barred = _gate(task, first, approved)
    attempts: list[Attempt] = []
    if write and first.plan.actions:
        tries = barred
        for _ in range(ROUNDS):
            tried = apply(
                observation.plan, tries, observation.snapshot, document, _hands(task.world, observation.snapshot)
            )
            attempts += tried
            moved = any(one.ended in {Ended.DONE, Ended.UNKNOWN, Ended.STALE} for one in tried)
            if leave.refused and not moved:
                break
            observation = _look_again(task, first, attempts, leave)
            tries = _further(task, first, barred, observation, attempts)
            over = len(tries.held) + len(tries.left) == len(observation.plan.actions)
            if over or not moved or leave.refused:
                break
    seconds = (world.now() - started).total_seconds()
    meter = RunCost(started, seconds, world.aws.reads - reads, world.aws.writes - writes)
    return judge(document, policy, RunTrace(first, barred, tuple(attempts), observation, write), meter)


@dataclass(frozen=True)
class _Task:
    """What a run was asked to do, and with what."""

    document: Document
    world: Environment
    policy: Policy
    only: frozenset[Address] | None
    memory: Memory


class _Leave:
    """The leave to start a call. Asking costs a call of its own, so a reason once given is kept in `refused`."""

    def __init__(self, may_start: Callable[[], str]) -> None:
        self._may_start = may_start
        self.refused = ""

    def __call__(self) -> str:
        self.refused = self.refused or self._may_start()
        return self.refused


def _look(task: _Task, vpc_id: str) -> Observation:
    """One look, and the plan that follows from it. `vpc_id` is where the VPC was seen last."""
    document, world = task.document, task.world
    look = ObserveOptions(world.now, lambda: world.sleep(SECOND_LOOK_PAUSE))
    snapshot = observe(document, world.aws, look, vpc_id)
    context = PlanContext(document, snapshot, task.policy)
    changes, covered = tolerated(diff(document, snapshot, context, REGISTRY), document.exceptions, world.now())
    aside = suppress(changes, task.memory.paused) if task.memory.paused else Suppression(changes)
    if aside.left:
        aside = replace(aside, whole=make_plan(changes, context, task.only).actions)
    return Observation(snapshot, make_plan(aside.changes, context, task.only), covered, aside)


def _look_again(task: _Task, first: Observation, attempts: Iterable[Attempt], leave: _Leave) -> Observation:
    """The look after the writes; repeated while AWS has taken a call and still shows what was before it, unless the
    run may go on no longer.
    """
    done = {one for attempt in attempts if attempt.ended is Ended.DONE for one in attempt.action.resolves}
    undone = {one for attempt in attempts if attempt.ended is not Ended.DONE for one in attempt.action.resolves}
    vpc_id = first.snapshot.handles.get(Ref(task.document.vpc), "")
    try:
        observation = _look(task, vpc_id)
        for pause in PATIENCE:
            mending = {one for action in observation.plan.actions for one in action.resolves}
            if leave.refused or not mending & (done - undone) or leave():
                break
            task.world.sleep(pause)
            observation = _look(task, vpc_id)
    except ObserveError as error:
        return _blind(task, str(error))
    return observation


def _blind(task: _Task, why: str) -> Observation:
    """The sight of a look that saw nothing: after writes that is a finding, not the end of the report."""
    snapshot = Snapshot({}, {}, dict.fromkeys(task.document.resources, why), {}, (), task.world.now())
    return Observation(snapshot, make_plan((), PlanContext(task.document, snapshot, task.policy), task.only), ())


def _hands(world: Environment, snapshot: Snapshot) -> ApplyContext:
    return ApplyContext(
        world.aws, world.sleep, world.may_start, lambda: world.now() - snapshot.at > STALE_AFTER, world.notice
    )


def _gate(
    task: _Task, observation: Observation, approved: str, barred: Callable[[Action], str] = lambda action: ""
) -> Gate:
    document, policy = task.document, task.policy
    guard = Guard(observation.aside, PlanContext(document, observation.snapshot, policy))
    limits = Limits(barred, guard, task.memory.held_since)
    return gate(
        observation.plan, document, observation.snapshot, policy, task.world.now(), approved=approved, limits=limits
    )


def _further(
    task: _Task, first: Observation, barred: Gate, observation: Observation, attempts: Iterable[Attempt]
) -> Gate:
    """What a further round may do: what the first plan held and was allowed, or what concerns things this run has
    made.
    """
    document = task.document
    tried = list(attempts)
    creates = [one for one in tried if one.action.operation.phase is Phase.CREATE]
    sent = [one.action for one in creates if one.ended in {Ended.DONE, Ended.UNKNOWN}]
    once, owned = {signature(action) for action in sent}, {action.address for action in sent}
    if any(one.action.address == document.vpc and one.ended is Ended.DONE for one in creates):
        owned |= {at for at, resource in document.resources.items() if REGISTRY[at.kind].created_by_aws(at, resource)}
    unsure = {signature(one.action) for one in tried if one.ended in {Ended.UNKNOWN, Ended.STALE, Ended.SKIPPED}}
    unsure -= {signature(one.action) for one in tried if one.ended in {Ended.FAILED, Ended.WAITING}}
    planned = {signature(action) for index, action in enumerate(first.plan.actions) if index not in barred.held}

    def barred_now(action: Action) -> str:
        name = signature(action)
        if name in once:
            return "AWS may have made it a moment ago and not show it yet: the next run looks again"
        if action.address in owned or (name in planned and name in unsure):
            return ""
        return "this run does not try it again, or did not begin with it: the next run does"

    return _gate(task, observation, observation.plan.fingerprint, barred_now)
