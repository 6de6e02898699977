"""What will be done, in which order: changes become a `Plan`. Pure; `run.py` calls it after every look.

The order is total, and the same for the same state. What closes an undeclared opening goes first; then resources are
created, bound, unbound and deleted (`Phase`), parents before children when creating and after them when deleting. An
action also waits for what its parameters refer to, and for the one before it in its chain. If it moves something from
one place to another, it waits until all traffic of the new place is corrected, and the old place is not changed before.

What has no safe order so (`reach/steps.py` judges that) is tried in smaller calls, and without the order that only
spares a judgement. What still has none comes last, as calls that only a person can release.
"""

from __future__ import annotations

import hashlib
import json
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from desired_state.fields import Address
from reconciler.kinds import REGISTRY, live_network, ranked
from reconciler.model import Action, Cause, Change, Finding, Observed, Outcome, Phase, Reason, Ref, refs
from reconciler.model.guard import Stage, about
from reconciler.model.kind import Kind, PlanContext, Step
from reconciler.reach.network import SUBNETS, Table
from reconciler.reach.steps import Breach, Forbids, Steps


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

    def ordered_as_far_as_safe() -> _Order:
        steps = Steps(lambda: live_network(context.snapshot), actions, forbids=forbids)
        return _Order(actions, _edges(actions, context), steps)

    found = ordered_as_far_as_safe()
    if found.left:
        actions = list(_loosened(actions, found.left))
        found = ordered_as_far_as_safe()
    found.override()
    for index, cause in _stuck(found).items():
        resolved = sorted(actions[index].resolves) or [(actions[index].address, "")]
        findings += [Finding(address, Outcome.HELD, cause, name) for address, name in resolved]
    place = {index: position for position, index in enumerate(found.order)}
    ordered = tuple(actions[index] for index in found.order)
    needs = tuple(frozenset(place[earlier] for earlier in found.edges[index]) for index in found.order)
    unsafe = _unsafe(found)
    name = fingerprint(context.document.sha256, ordered, (cause.message for cause in unsafe.values()))
    return Plan(chosen, ordered, needs, (*findings, *dropped), name, only, forbids, unsafe)


def _forbids(context: PlanContext) -> Forbids | None:
    """Judging intents is imported only if there are any to hold a call."""
    if all(one.enforcement != "hold" for one in context.document.intents):
        return None
    from reconciler.engine.intents import forbidden

    return forbidden(context.document, context.snapshot)


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
            message = f"AWS cannot change it: it is {one.have!r}, and {one.want!r} is declared"
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


def not_ready(seen: Observed) -> Cause:
    """Why a live resource that is not ready takes no change."""
    if seen.status == "creating":
        return Cause(Reason.NOT_READY, "AWS is still creating it")
    what = "AWS is still creating it" if seen.creating else "AWS accepts no change now"
    said = next((one.cause.message for one in seen.conditions if not one.field), f"it is {seen.status}")
    return Cause(Reason.NOT_READY, f"{what}: {said}")


def _field(action: Action) -> str:
    return min((field for address, field in action.resolves if address == action.address), default="")


def _executable(actions: list[Action], context: PlanContext) -> tuple[list[Action], list[Finding]]:
    """The actions whose references can all be resolved, and a finding for each that cannot be done now."""
    findings: list[Finding] = []
    while True:
        known = context.snapshot.handles.keys() | {action.gives for action in actions if action.gives}
        unready = _unready(actions, context)
        impossible: dict[int, Finding] = {}
        for index, action in enumerate(actions):
            if missing := _unresolved(action, known):
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


def _edges(actions: list[Action], context: PlanContext) -> list[set[int]]:
    """For every action, the indices of those that must succeed before it."""
    edges: list[set[int]] = [set() for _ in actions]
    givers: dict[Ref, int] = {}
    chains: dict[tuple[Address, str], int] = {}
    settled: dict[Address, list[int]] = defaultdict(list)
    for index, action in enumerate(actions):
        if action.gives:
            givers.setdefault(action.gives, index)
        if action.touches_traffic and not action.moves and not action.idle:
            settled[action.address].append(index)
        if action.chain:
            edges[index].update({chains.get((action.address, action.chain), index)})
            chains[action.address, action.chain] = index
    for index, action in enumerate(actions):
        edges[index].update(
            givers.get(ref, givers.get(Ref(ref.to), index))  # a handle of what is created is read after that
            for ref in refs(action.params)
            if ref not in context.snapshot.handles
        )
        edges[index].update(earlier for place in action.after for earlier in settled[place])
        for later in (one for place in action.before for one in settled[place]):
            edges[later].add(index)
    for index, bound in _into_new_subnets(actions):
        edges[index] |= bound
    for index, earlier in enumerate(edges):
        earlier.discard(index)
    return edges


def _into_new_subnets(actions: list[Action]) -> Iterator[tuple[int, set[int]]]:
    """What puts something into a subnet that is created now, with the calls that bind it to its table and ACL: nothing
    is put there before, and nothing if one of them fails.
    """
    new = {member for action in actions for cell, member, _ in action.effect if cell == SUBNETS}
    bound: dict[Address, set[int]] = defaultdict(set)
    users: dict[Address, set[int]] = defaultdict(set)
    for index, action in enumerate(actions):
        for subnet in {ref.to for ref in refs(action.params)} & new - {action.address}:
            (bound if action.moves else users)[subnet].add(index)
    yield from ((index, bound[subnet]) for subnet, some in users.items() for index in some)


class _Order:
    """Puts actions in their order: `order` are the indices that have a place in it, `left` those that have none yet.

    The key gives the order, but of the actions that may come next, the first is taken that breaks no rule of
    `reach/steps.py`. `overridden` are those that break one and have a place all the same (`override`).
    """

    def __init__(self, actions: list[Action], edges: list[set[int]], steps: Steps) -> None:
        self.actions, self.edges, self._steps = actions, edges, steps
        self.order: list[int] = []
        self.left = set(range(len(actions)))
        self.breaches: dict[int, Breach] = {}
        self.overridden: dict[int, Breach] = {}
        self._ranks = {name: rank for rank, name in enumerate(ranked())}
        self._tiers = _tiers(actions, edges)
        self._waiting = [set(earlier) for earlier in edges]
        self._later: list[list[int]] = [[] for _ in actions]
        for index, earlier in enumerate(edges):
            for one in earlier:
                self._later[one].append(index)
        self._ready = sorted(self._key(index) for index in self.left if not self._waiting[index])
        self._extend()

    def _extend(self) -> None:
        """Takes what may come next and breaks no rule, as long as there is something."""
        self.breaches = {}
        while len(self.breaches) < len(self._ready):
            *_, index = self._ready[len(self.breaches)]
            with about(self.actions[index].address, Stage.JUDGING):
                found = self._steps.breach(self.actions[index])
            if found:
                self.breaches[index] = found
                continue
            self._take(index)
            self.breaches = {}

    def override(self) -> None:
        """Takes what breaks a rule, too, where nothing else may come next: rather what cuts than what lets through, but
        nothing that an intent forbids, and nothing while something could not be read.
        """
        while self.breaches and not self._steps.blind:
            some = [index for *_, index in self._ready if not self._steps.forbidden(self.actions[index])]
            if not some:
                return
            chosen = min(some, key=lambda index: self.breaches[index].reason is not Reason.WOULD_CUT)
            self.overridden[chosen] = self.breaches[chosen]
            self._take(chosen)
            self._extend()

    def _take(self, index: int) -> None:
        self._ready.remove(self._key(index))
        self.left.discard(index)
        self.order.append(index)
        with about(self.actions[index].address, Stage.JUDGING):
            self._steps.advance(self.actions[index])
        for one in self._later[index]:
            self._waiting[one].discard(index)
            if not self._waiting[one]:
                insort(self._ready, self._key(one))

    def _key(self, index: int) -> tuple[Tier, Phase, int, Address, int]:
        action = self.actions[index]
        phase = action.operation.phase
        rank = self._ranks[action.address.kind]
        return self._tiers[index], phase, rank if phase <= Phase.BIND else -rank, action.address, index


_FILTERS = frozenset({Table.RULES, Table.ENTRIES, Table.ACL_OF})


def _loosened(actions: list[Action], left: set[int]) -> Iterator[Action]:
    """All actions; those of them that are `left` with batches and settings as single calls, in any order of a group's
    rules, and without waiting for a move between filters: whether each call is safe is judged anyway. Routes keep their
    order, which also decides where packets go.
    """
    tables: dict[Address, set[Table]] = defaultdict(set)
    for action in actions:
        tables[action.address] |= _tables(action)
    filters = {address for address, found in tables.items() if found <= _FILTERS}
    for index, action in enumerate(actions):
        if index not in left or not action.effect:
            yield action
            continue
        looser = replace(action, after=action.after - filters, before=action.before - filters)
        if action.settings:
            yield from action.parts
        elif _tables(action) == {Table.RULES}:
            looser = replace(looser, chain="")
            yield from (replace(one, closes=action.closes, opens=action.opens) for one in action.parts or (looser,))
        else:
            yield looser


def _tables(action: Action) -> set[Table]:
    return {cell.table for cell, _, _ in action.effect}


def _unsafe(found: _Order) -> dict[int, Cause]:
    """Why the actions from the first that breaks a rule on must be released by a person, by their place in the plan."""
    first = next((place for place, index in enumerate(found.order) if index in found.overridden), len(found.order))
    causes: dict[int, Cause] = {}
    because = ""
    for place, index in enumerate(found.order[first:], first):
        if breach := found.overridden.get(index):
            because = found.actions[index].why
            rest = len(found.order) - place - 1
            lasts = f"for the time of {rest} more call{'s' if rest != 1 else ''} at most" if rest else "from then on"
            message = f"no order of the calls avoids it: {breach.message}, {lasts}"
        else:
            message = f"it comes after a call that no order makes safe: {because}"
        causes[place] = Cause(Reason.NO_SAFE_ORDER, f"{message}; {RELEASE}")
    return causes


def _stuck(found: _Order) -> dict[int, Cause]:
    """Why these actions have no place in the order, whoever releases the plan."""
    causes: dict[int, Cause] = {}
    for index in sorted(found.left):
        needed = sorted(found.edges[index] & found.breaches.keys())
        if breach := found.breaches.get(index):
            if breach.reason is Reason.HELD_BY_INTENT:
                causes[index] = Cause(breach.reason, breach.message)
                continue
            message = f"no order of the calls avoids it: {breach.message}; {_BY_HAND}"
        elif needed:
            message = f"it depends on an action that cannot be done now: {found.actions[needed[0]].why}"
        else:
            message = f"moves between these resources depend on each other: {_BY_HAND}"
        causes[index] = Cause(Reason.NO_SAFE_ORDER, message)
    return causes


_BY_HAND = "make one of the changes by hand, or split them over two revisions of the document"
RELEASE = (
    "review the plan, then release it: with setpoint plan --out FILE and setpoint apply --plan FILE, "
    "or by its fingerprint with approve in a manual invoke"
)
"""How a person lets a plan be carried out that is held as a whole, or in part."""


class Tier(IntEnum):
    """The coarse order of a plan, before `Phase`.

    A packet passes groups, ACLs and routes together, so opening one layer may complete a path that another layer should
    have closed. So what only closes comes first, then what removes, then what removes and lets through in one call,
    then what only lets through.
    """

    CLOSE = 0
    REMOVE = 1
    EXCHANGE = 2
    ADD = 3
    DELETE = 4


def _tiers(actions: list[Action], edges: list[set[int]]) -> list[Tier]:
    """Each action's tier. What closes but needs an action that lets through is an EXCHANGE. What another action needs
    is in its tier at the latest, but never in CLOSE, unless it closes itself.
    """
    tiers = [_tier(action) for action in actions]
    later: list[list[int]] = [[] for _ in actions]
    for index, needed in enumerate(edges):
        for earlier in needed:
            later[earlier].append(index)
    opening = [index for index, tier in enumerate(tiers) if tier >= Tier.EXCHANGE and actions[index].lets_through]
    behind = set(opening)
    while opening:
        for index in later[opening.pop()]:
            if index not in behind:
                behind.add(index)
                opening.append(index)
                tiers[index] = max(tiers[index], Tier.EXCHANGE)
    urgent = [index for index, tier in enumerate(tiers) if tier <= Tier.EXCHANGE]
    while urgent:
        index = urgent.pop()
        for earlier in edges[index]:
            wanted = max(tiers[index], Tier.REMOVE)
            if tiers[earlier] > wanted:
                tiers[earlier] = wanted
                urgent.append(earlier)
    return tiers


def _tier(action: Action) -> Tier:
    if action.closes:
        return Tier.CLOSE
    if action.operation.phase is Phase.DELETE:
        return Tier.DELETE
    if action.opens or not (action.breaks or action.moves):
        return Tier.ADD
    return Tier.EXCHANGE if action.lets_through else Tier.REMOVE
