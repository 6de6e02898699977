"""In which order the calls of a plan come, and which have no safe order. Pure; `plan.py` has the actions.

The order is total, and the same for the same state. What closes an undeclared opening goes first; then resources are
created, bound, unbound and deleted (`Phase`), parents before children when creating and after them when deleting. An
action also waits for what its parameters refer to, and for the one before it in its chain. If it moves something from
one place to another, it waits until all traffic of the new place is corrected, and the old place is not changed before.

What has no safe order so (`reach/steps.py` judges that) is tried in smaller calls, and without the order that only
spares a judgement. What still has none comes last, as calls that only a person can release.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum

from desired_state.fields import Address
from reconciler.engine.judged import Judged
from reconciler.kinds import live_network, ranked
from reconciler.model import Action, Cause, Finding, Phase, Reason, Ref, refs
from reconciler.model.kind import PlanContext
from reconciler.reach.network import SUBNETS, Table
from reconciler.reach.steps import Breach, Forbids, Steps


def ordered(actions: list[Action], context: PlanContext, forbids: Forbids | None) -> Order:
    """The order of these actions, some of them in smaller calls if nothing else is safe."""

    def as_far_as_safe(some: list[Action]) -> Order:
        steps = Judged(lambda these: Steps(lambda: live_network(context.snapshot), these, forbids=forbids), some)
        return Order(some, _edges(some, context), steps)

    found = as_far_as_safe(actions)
    if found.left:
        found = as_far_as_safe(list(_loosened(actions, found.left)))
    found.override()
    return found


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


class Order:
    """Puts actions in their order: `order` are the indices that have a place in it, `left` those that have none yet.

    The key gives the order, but of the actions that may come next, the first is taken that breaks no rule of
    `reach/steps.py`. `overridden` are those that break one and have a place all the same (`override`).
    """

    def __init__(self, actions: list[Action], edges: list[set[int]], steps: Judged) -> None:
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
            if found := self._steps.breach(self.actions[index]):
                self.breaches[index] = found
                continue
            self._take(index)
            self.breaches = {}

    def unjudged(self, vpc: Address) -> Iterator[Finding]:
        """What could not be judged; `vpc` is the document's."""
        return self._steps.findings(vpc)

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


def unsafe(found: Order) -> dict[int, Cause]:
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


def stuck(found: Order) -> dict[int, Cause]:
    """Why these actions have no place in the order, whoever releases the plan."""
    causes: dict[int, Cause] = {}
    for index in sorted(found.left):
        needed = sorted(found.edges[index] & found.breaches.keys())
        if breach := found.breaches.get(index):
            if breach.reason in {Reason.HELD_BY_INTENT, Reason.FAULT}:
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
