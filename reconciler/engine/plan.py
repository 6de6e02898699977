"""What will be done: changes become the calls of a `Plan`. Pure; `run.py` calls it after every look.

In which order the calls come, and which have no safe order, is in `order.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from desired_state.fields import Address, shown
from reconciler.engine import order
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Cause, Change, Finding, Observed, Outcome, Phase, Reason, Ref, refs
from reconciler.model.guard import Stage, about, contained
from reconciler.model.kind import Kind, PlanContext, Step
from reconciler.reach.steps import Forbids


@dataclass(frozen=True)
class Plan:
    """Actions in their order; `needs[i]` are the actions that must succeed before the i-th. Findings are what no action
    corrects. `fingerprint` identifies the document and the actions. `forbids` is what the document's intents forbid.
    `unsafe` are the last actions, if they have no safe order: by their index, what would be let through or cut. They
    are held until a person releases the plan.
    """

    changes: tuple[Change, ...]
    actions: tuple[Action, ...]
    needs: tuple[frozenset[int], ...]
    findings: tuple[Finding, ...]
    fingerprint: str
    only: frozenset[Address] | None = None
    forbids: Forbids | None = field(default=None, compare=False, repr=False)
    unsafe: Mapping[int, Cause] = field(default_factory=dict)

    def covers(self, address: Address) -> bool:
        """Whether the plan includes this address."""
        return self.only is None or address in self.only

    @property
    def breaks(self) -> int:
        """How many live members the plan removes or replaces."""
        return sum(action.breaks for action in self.actions)


def make_plan(changes: Iterable[Change], context: PlanContext, only: frozenset[Address] | None = None) -> Plan:
    """The plan that corrects `changes`; with `only`, those of these addresses."""
    chosen = tuple(change for change in changes if only is None or change.address in only)
    actions: list[Action] = []
    findings: list[Finding] = []
    for one in _steps(chosen, context, only):
        (actions if isinstance(one, Action) else findings).append(one)  # type: ignore[arg-type]
    actions, dropped = _executable(actions, context)
    forbids = _forbids(context) if any(one.effect for one in actions) else None
    found = order.ordered(actions, context, forbids)
    actions = found.actions
    for index, cause in order.stuck(found).items():
        resolved = sorted(actions[index].resolves) or [(actions[index].address, "")]
        outcome = Outcome.FAILED if cause.reason is Reason.FAULT else Outcome.HELD
        findings += [Finding(address, outcome, cause, name) for address, name in resolved]
    findings += found.unjudged(context.document.vpc)
    place = {index: position for position, index in enumerate(found.order)}
    ordered = tuple(actions[index] for index in found.order)
    needs = tuple(frozenset(place[earlier] for earlier in found.edges[index]) for index in found.order)
    unsafe = order.unsafe(found)
    name = fingerprint(context.document.sha256, ordered, (cause.message for cause in unsafe.values()))
    return Plan(chosen, ordered, needs, (*findings, *dropped), name, only, forbids, unsafe)


def _forbids(context: PlanContext) -> Forbids | None:
    """Judging intents is imported only if there are any to hold a call."""
    if all(one.enforcement != "hold" for one in context.document.intents):
        return None
    from reconciler.engine.intent_faults import nothing_opens
    from reconciler.engine.intents import forbidden

    made: Callable[[], Forbids] = lambda: forbidden(context.document, context.snapshot)  # noqa: E731 (its type)
    return contained(made, nothing_opens, who="the intents", stage=Stage.JUDGING)


def fingerprint(sha256: str, actions: Iterable[Action], unsafe: Iterable[str] = ()) -> str:
    """A digest of 16 hexadecimal digits of these actions and this document, and of what is said of `unsafe` ones."""
    text = json.dumps([sha256, [signature(action) for action in actions], *unsafe])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def signature(action: Action) -> str:
    """What an action does, as text: equal for equal calls. References are names, not ids."""
    with about(action.address, Stage.PLANNING):
        return _signature(action)


def _signature(action: Action) -> str:
    return json.dumps([action.operation.permission, action.address, printable(action.params)], sort_keys=True)


def printable(value: Any) -> Any:
    """Parameters with every `Ref` as text, for output, files and fingerprints."""
    if isinstance(value, Ref):
        return str(value)
    if isinstance(value, Mapping):
        return {key: printable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(inner) for inner in value]
    return value


def _steps(changes: Iterable[Change], context: PlanContext, only: frozenset[Address] | None) -> Iterator[Step]:
    for change in changes:
        kind = REGISTRY[change.address.kind]
        with about(change.address, Stage.PLANNING):
            yield from (
                _create(change, kind, context) if change.have is None else _correct(change, change.have, kind, context)
            )
    for address, seen in context.snapshot.resources.items():
        if context.document.resources[address].enforcement != "ignore" and (only is None or address in only):
            with about(address, Stage.PLANNING):
                yield from _beyond(address, seen, context)
    for unmanaged in context.snapshot.unmanaged:
        delete = REGISTRY[unmanaged.address.kind].delete
        # Tags can be put on anything by anybody: they alone do not make a thing this document's to delete.
        known = context.had is None or unmanaged.id in context.had
        if context.policy.prune and unmanaged.owned and known and delete and only is None:
            with about(unmanaged.address, Stage.PLANNING):
                yield from delete(unmanaged)


def _create(change: Change, kind: Kind, context: PlanContext) -> Iterator[Step]:
    if kind.create.by_aws(change.address, change.want):
        if context.document.vpc in context.snapshot.resources:
            problem = "AWS creates it with every VPC, and this VPC has none: ask AWS Support"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.CREATED_BY_AWS, problem))
        else:
            cause = Cause(Reason.CREATED_BY_AWS, "AWS creates it together with the VPC")
            yield Finding(change.address, Outcome.WAITING, cause)
        return
    calls = list(kind.create.calls(change.address, change.want, context))
    made = tuple(kind.traffic.effects(change.address, change.base, None))
    for one in calls:
        yield replace(one, effect=made) if isinstance(one, Action) and one.gives == Ref(change.address) else one
    if all(isinstance(one, Action) for one in calls):
        yield from kind.correct.calls(change, context)


def _correct(change: Change, have: Observed, kind: Kind, context: PlanContext) -> Iterator[Step]:
    """A resource that is not ready accepts changes of its tags only: the rest waits, whatever the kind."""
    rest = []
    for one in change.differences:
        if one.field in kind.correct.immutable:
            message = f"AWS cannot change it: it is {shown(one.have)}, and {shown(one.want)} is declared"
            message += "; declare the live value, or recreate the resource by hand"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.IMMUTABLE, message), one.field)
        elif have.status and one.field != "tags":
            yield Finding(change.address, Outcome.WAITING, not_ready(have), one.field)
        else:
            rest.append(one)
    if rest:
        yield from kind.correct.calls(replace(change, differences=tuple(rest)), context)


def _beyond(address: Address, seen: Observed, context: PlanContext) -> Iterator[Step]:
    """What a live resource needs even if it does not differ."""
    yield from REGISTRY[address.kind].correct.cleanup(address, context)
    for name, key, remark in seen.remarks:
        if key in (getattr(context.document.resources[address], name) or ()):
            yield Finding(address, Outcome.BLOCKED, Cause(Reason.TARGET_GONE, remark), name, key)
    for said in seen.conditions:
        if not said.field or getattr(context.document.resources[address], said.field) is not None:
            yield Finding(address, said.outcome, said.cause, said.field)
    if seen.creating:
        yield Finding(address, Outcome.WAITING, not_ready(seen))


_OF_STATUS = frozenset({Reason.NOT_READY, Reason.BROKEN})


def not_ready(seen: Observed) -> Cause:
    """Why a live resource that is not ready takes no change."""
    if seen.status == "creating":
        return Cause(Reason.NOT_READY, "AWS is still creating it")
    what = "AWS is still creating it" if seen.creating else "AWS accepts no change now"
    of_status = [one.cause for one in seen.conditions if not one.field and one.cause.reason in _OF_STATUS]
    said = of_status[0].message if of_status else f"it is {seen.status}"
    return Cause(Reason.NOT_READY, f"{what}: {said}")


def _field(action: Action) -> str:
    return min((field for address, field in action.resolves if address == action.address), default="")


def _executable(actions: list[Action], context: PlanContext) -> tuple[list[Action], list[Finding]]:
    """The actions whose references can all be resolved, and a finding for each that cannot be done now."""
    findings: list[Finding] = []
    later: set[Ref] = set()
    while True:
        known = context.snapshot.handles.keys() | {action.gives for action in actions if action.gives}
        unready = _unready(actions, context)
        impossible: dict[int, Finding] = {}
        for index, action in enumerate(actions):
            missing = _unresolved(action, known)
            if missing in later:
                cause = Cause(Reason.NOT_READY, f"it needs {missing}, which has to wait itself")
                impossible[index] = Finding(action.address, Outcome.WAITING, cause, _field(action))
            elif missing:
                message = f"it needs {missing}, which does not exist and is not created now"
                cause = Cause(Reason.MISSING_REFERENCE, message)
                impossible[index] = Finding(action.address, Outcome.BLOCKED, cause, _field(action))
            elif waiting := next((ref.to for ref in refs(action.params) if ref.to in unready - {action.address}), None):
                cause = Cause(Reason.NOT_READY, f"it needs {waiting}, which AWS is still creating")
                impossible[index] = Finding(action.address, Outcome.WAITING, cause, _field(action))
        if not impossible:
            return actions, findings
        if apart := {index for index in impossible if actions[index].settings}:
            # What one setting needs must not keep the others back.
            actions = [part for i, one in enumerate(actions) for part in (one.parts if i in apart else (one,))]
            continue
        findings += impossible.values()
        behind = _behind(actions, impossible)
        for index, (outcome, why) in behind.items():
            cause = Cause(Reason.DEPENDENCY, f"it depends on an action that cannot be done now: {why}")
            findings.append(Finding(actions[index].address, outcome, cause, _field(actions[index])))
        ended = {index: one.outcome for index, one in impossible.items()}
        ended |= {index: outcome for index, (outcome, _) in behind.items()}
        later |= {gives for i, outcome in ended.items() if outcome is Outcome.WAITING and (gives := actions[i].gives)}
        actions = [action for index, action in enumerate(actions) if index not in impossible and index not in behind]


def _unready(actions: Iterable[Action], context: PlanContext) -> set[Address]:
    """What AWS is still creating, or will be creating after this plan."""
    seen = {at for at, one in context.snapshot.resources.items() if one.creating}
    creates = (action.address for action in actions if action.operation.phase is Phase.CREATE)
    return seen | {at for at in creates if REGISTRY[at.kind].create.takes_time}


def _behind(actions: list[Action], impossible: Mapping[int, Finding]) -> dict[int, tuple[Outcome, str]]:
    """What must not be done because of the impossible actions, with the outcome and description of the one that it
    depends on: the rest of its chain, and removals at its address, which require that all creations there succeeded.
    """
    chains: dict[tuple[Address, str], tuple[Outcome, str]] = {}
    reasons = {index: (finding.outcome, actions[index].why) for index, finding in impossible.items()}
    not_created = {actions[i].address: one for i, one in reasons.items() if actions[i].operation.phase <= Phase.BIND}
    behind: dict[int, tuple[Outcome, str]] = {}
    for index, action in enumerate(actions):
        link = action.address, action.chain
        if index in impossible:
            chains[link] = reasons[index]
        elif action.chain and link in chains:
            behind[index] = chains[link]
        elif action.needs_what_is_created and action.address in not_created:
            behind[index] = not_created[action.address]
    return behind


def _unresolved(action: Action, known: Iterable[Ref | None]) -> Ref | None:
    for ref in refs(action.params):
        lazy = Ref(ref.to) in known and any(kind.observe.lazy_read(ref, "") for kind in REGISTRY.values())
        if ref not in known and not (ref.handle and lazy):
            return ref
    return None
