"""One run: observe, diff, plan, gate, apply, look again, report. Every door calls `run`; nothing else decides anything.

A run that writes looks again, and goes round once more where its own work made that necessary: what came into being
with a VPC, what an answer was lost of, what was left because the look had become too old. Such a further round does
nothing that the first plan did not hold, except to what this very run has made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.apply import Hands, apply
from reconciler.aws import Aws
from reconciler.diff import diff, tolerated
from reconciler.gate import Gate, gate
from reconciler.kind import Scene
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Attempt, Ended, Phase, Policy, Snapshot
from reconciler.observe import Look, ObserveError, observe
from reconciler.plan import Plan, make_plan, signature
from reconciler.report.result import Course, Meter, Report, Sight, judge

ROUNDS = 4
PATIENCE = (1.0, 2.0, 4.0)
"""Seconds between looks while AWS has taken a call and still shows the old value (EC2 guide: back off from 2 s)."""
STALE_AFTER = timedelta(seconds=60)
SECOND_LOOK_PAUSE = 1.0


class StalePlanError(Exception):
    """The plan that somebody looked at is not what would be done now."""


@dataclass(frozen=True)
class World:
    """Everything outside that a run touches. `may_start` is empty, or says why no further call may be started."""

    aws: Aws
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    notice: Callable[[str], None] = lambda text: None
    may_start: Callable[[], str] = lambda: ""


def run(
    document: Document,
    world: World,
    policy: Policy,
    *,
    write: bool = True,
    only: frozenset[Address] | None = None,
    expected: str = "",
    approved: str = "",
) -> Report:
    """Bring the live network to the document, or with `write=False` only say what would be done.

    `only` narrows the run to some addresses. `expected` is the fingerprint of the plan somebody has seen; another
    plan is refused with `StalePlanError`. `approved` releases the blast-radius limits for the plan of that
    fingerprint. Raises `ObserveError` where nothing could be seen.
    """
    started, reads, writes = world.now(), world.aws.reads, world.aws.writes
    sight = first = _look(document, world, policy, only)
    if expected and expected != first.plan.fingerprint:
        raise StalePlanError(f"the plan is {first.plan.fingerprint} now, not {expected}: what it rests on has changed")
    barred = gate(first.plan, document, first.snapshot, policy, world.now(), approved=approved)
    attempts: list[Attempt] = []
    if write and first.plan.actions:
        tries = barred
        for _ in range(ROUNDS):
            tried = apply(sight.plan, tries, sight.snapshot, document, _hands(world, sight.snapshot))
            attempts += tried
            sight = _look_again(document, world, policy, only, attempts)
            tries = _further(first.plan, barred, sight, document, policy, world.now(), attempts)
            moved = any(one.ended in {Ended.DONE, Ended.UNKNOWN, Ended.STALE} for one in tried)
            over = len(tries.held) + len(tries.left) == len(sight.plan.actions)
            if over or not moved or world.may_start():
                break
    seconds = (world.now() - started).total_seconds()
    meter = Meter(started, seconds, world.aws.reads - reads, world.aws.writes - writes)
    return judge(document, policy, Course(first, barred, tuple(attempts), sight, write), meter)


def _look(document: Document, world: World, policy: Policy, only: frozenset[Address] | None) -> Sight:
    look = Look(world.now, lambda: world.sleep(SECOND_LOOK_PAUSE))
    snapshot = observe(document, world.aws, look)
    scene = Scene(document, snapshot, policy)
    changes, covered = tolerated(diff(document, snapshot, scene, REGISTRY), document.exceptions, world.now())
    return Sight(snapshot, make_plan(changes, scene, only), covered)


def _look_again(
    document: Document, world: World, policy: Policy, only: frozenset[Address] | None, attempts: Iterable[Attempt]
) -> Sight:
    """The look after the writes; repeated while AWS has taken a call and still shows what was before it."""
    done = {one for attempt in attempts if attempt.ended is Ended.DONE for one in attempt.action.mends}
    undone = {one for attempt in attempts if attempt.ended is not Ended.DONE for one in attempt.action.mends}
    try:
        sight = _look(document, world, policy, only)
        for pause in PATIENCE:
            mending = {one for action in sight.plan.actions for one in action.mends}
            if not mending & (done - undone) or world.may_start():
                break
            world.sleep(pause)
            sight = _look(document, world, policy, only)
    except ObserveError as error:
        return _blind(document, world, policy, only, str(error))
    return sight


def _blind(document: Document, world: World, policy: Policy, only: frozenset[Address] | None, why: str) -> Sight:
    """The sight of a look that saw nothing: after writes that is a finding, not the end of the report."""
    snapshot = Snapshot({}, {}, dict.fromkeys(document.resources, why), {}, (), world.now())
    return Sight(snapshot, make_plan((), Scene(document, snapshot, policy), only), ())


def _hands(world: World, snapshot: Snapshot) -> Hands:
    return Hands(world.aws, world.sleep, world.may_start, lambda: world.now() - snapshot.at > STALE_AFTER, world.notice)


def _further(
    first: Plan,
    barred: Gate,
    sight: Sight,
    document: Document,
    policy: Policy,
    now: datetime,
    attempts: Iterable[Attempt],
) -> Gate:
    """What a further round may do: what the first plan held and was allowed, or what concerns things this run has
    made.
    """
    tried = list(attempts)
    creates = [one for one in tried if one.action.operation.phase is Phase.CREATE]
    sent = [one.action for one in creates if one.ended in {Ended.DONE, Ended.UNKNOWN}]
    once, ours = {signature(action) for action in sent}, {action.address for action in sent}
    if any(one.action.address == document.vpc and one.ended is Ended.DONE for one in creates):
        ours |= {at for at, resource in document.resources.items() if REGISTRY[at.kind].comes_with(at, resource)}
    unsure = {signature(one.action) for one in tried if one.ended in {Ended.UNKNOWN, Ended.STALE, Ended.SKIPPED}}
    unsure -= {signature(one.action) for one in tried if one.ended in {Ended.FAILED, Ended.WAITING}}
    planned = {signature(action) for index, action in enumerate(first.actions) if index not in barred.held}

    def barred_now(action: Action) -> str:
        name = signature(action)
        if name in once:
            return "AWS may have made it a moment ago and not show it yet: the next run looks again"
        if action.address in ours or (name in planned and name in unsure):
            return ""
        return "this run does not try it again, or did not begin with it: the next run does"

    return gate(sight.plan, document, sight.snapshot, policy, now, approved=sight.plan.fingerprint, barred=barred_now)
