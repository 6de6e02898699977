"""What is left alone for a while, and what must be left alone with it. Pure; `run.py` calls it after every look.

A correction that somebody else keeps undoing is flapping (`fights.py` says so, `keep.py` hands it on). The rest goes on,
and keeps the rule of every plan: nothing passes that neither the state before nor the document lets through, and all
passes that both let through. What is planned leads to an aim, the document with the live value at each flapping place,
so the aim itself has to keep the rule:

1. inside one list. What is not flapping goes on, as long as the aim's list keeps the rule. Where it would not (revoking
   an undeclared rule would cut what a flapping one that is missing lets through), what is to be added waits; but where
   something would stay open the pause gives way: nobody keeps a door open by fighting over the one beside it;
2. between places. Moves, and what is missing as a whole, stay in the plan and are held: what needs them is held with
   them by the gate. Nobody comes to a place where something is left alone, and a place where somebody stays who ought
   to leave keeps its traffic as it is;
3. between layers. A packet passes groups, ACLs and routes together, so what lets packets through waits where it would
   open a way to what is left open: the ways of the packets decide, held against the whole document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from desired_state.fields import AclEntry, Address, RuleKey, is_cidr, network
from desired_state.members import members
from desired_state.resource import Resource
from reconciler.model import ABSENT, Action, Cause, Change, Difference, Reason, refs
from reconciler.model.kind import PlanContext
from reconciler.packets.reachability import Reachability
from reconciler.packets.traffic import keeps, may_overlap, of_acl

Suppressed = tuple[Difference, Cause]
"""A difference that is not corrected for now, and why."""

MOVES = {
    ("route_table", "subnets"),
    ("route_table", "main"),
    ("network_acl", "subnets"),
    ("internet_gateway", "vpc"),
}
_DNS = {"enable_dns_support", "enable_dns_hostnames"}
_PLACES = {"security_group", "network_acl", "route_table"}


@dataclass(frozen=True)
class Suppression:
    """`changes` are what is left to plan. `removed` was taken out of them; `held` is still in them, so that what needs it
    waits for it, and its actions must be held. `unsuppressed` is what would be done if nothing were suppressed.
    """

    changes: tuple[Change, ...] = ()
    removed: tuple[Suppressed, ...] = ()
    held: tuple[Suppressed, ...] = ()
    unsuppressed: tuple[Action, ...] = ()

    @property
    def suppressed(self) -> tuple[Suppressed, ...]:
        return *self.removed, *self.held


def suppress(changes: Iterable[Change], flapping: Callable[[Difference], Cause | None]) -> Suppression:
    """The changes without what is flapping. `flapping` says why a difference is to be left alone (empty: it is not)."""
    everything = tuple(changes)
    missing = _suppressed_missing(everything, flapping)
    kept: list[Change] = []
    removed: list[Suppressed] = []
    held: list[Suppressed] = [(one.missing, missing[one.address]) for one in everything if one.address in missing]
    for change in everything:
        if change.have is None:
            kept.append(change)
            continue
        left = _suppressed(change, flapping, missing)
        moves = [one for one in left if (change.address.kind, one[0].field) in MOVES]
        out = [one for one in left if one not in moves]
        held += moves
        removed += out
        rest = tuple(one for one in change.differences if all(one is not other for other, _ in out))
        if rest:
            kept.append(Change(change.address, _aim(change, out), change.have, change.base, rest) if out else change)
    return Suppression(tuple(kept), tuple(removed), tuple(held))


def _suppressed_missing(
    changes: Iterable[Change], flapping: Callable[[Difference], Cause | None]
) -> dict[Address, Cause]:
    """What is not made now, and why: also what is missing and names such a thing, for half of it would be a guess."""
    absent = [change for change in changes if change.have is None]
    left = {change.address: why for change in absent if (why := flapping(change.missing))}
    while more := {
        change.address: Cause(Reason.SUPPRESSED, f"it needs {named}, which is suppressed: {left[named]}")
        for change in absent
        if change.address not in left and (named := next((one for one in left if one in _mentions(change.want)), None))
    }:
        left |= more
    return left


def _mentions(resource: Resource) -> set[str]:
    """Every address that a resource names in its fields and members."""
    found: set[str] = set()
    for name in resource.described():
        value = getattr(resource, name)
        held = value.values() if isinstance(value, Mapping) else ()
        for one in (value, *members(value), *held):
            found |= {one.peer} if isinstance(one, RuleKey) else {one} if isinstance(one, str) else set()
    return found


def _suppressed(
    change: Change, flapping: Callable[[Difference], Cause | None], missing: Mapping[Address, Cause]
) -> list[Suppressed]:
    """The differences of a live resource that are left alone, with those that would break the rule without them."""
    left: list[Suppressed] = []
    for name in dict.fromkeys(_family(one) for one in change.differences):
        ones = [one for one in change.differences if _family(one) == name]
        whys = [flapping(one) or _orphaned(one, missing) for one in ones]
        named = [(one, why) for one, why in zip(ones, whys, strict=True) if why]
        if not named:
            continue
        first, why = named[0]
        flapping_ones = [one for one, _ in named]
        bound = [one for one in _bound(change, name, ones, flapping_ones) if one not in flapping_ones]
        if any(map(_stands_open, bound)) and not any(_orphaned(one, missing) for one in flapping_ones):
            continue  # nothing new is left open for the sake of an old fight
        message = f"it cannot be corrected without {first.field}{_key(first)}, which is suppressed: {why}"
        beside = Cause(Reason.SUPPRESSED, message)
        left += [(one, said or beside) for one, said in zip(ones, whys, strict=True) if said or one in bound]
    return left


def _stands_open(one: Difference) -> bool:
    """Whether something is live that the document does not want so, or a denial is not."""
    return one.have is not ABSENT or (isinstance(one.want, AclEntry) and one.want.action == "deny")


def _family(one: Difference) -> str:
    """What is judged together: a field, or the two attributes of DNS of which AWS refuses one without the other."""
    return "dns" if one.field in _DNS else one.field


def _key(one: Difference) -> str:
    return "" if one.key is None else f" {one.key}"


def _orphaned(one: Difference, missing: Mapping[Address, Cause]) -> Cause | None:
    """Why a member that names a thing which is not made now has to wait for it."""
    named = one.key.peer if isinstance(one.key, RuleKey) else one.want if one.field == "routes" else one.key
    if one.have is ABSENT and isinstance(named, str) and (why := missing.get(Address(named))):
        return Cause(Reason.SUPPRESSED, f"it needs {named}, which is suppressed: {why}")
    return None


def _bound(change: Change, name: str, ones: list[Difference], flapping: list[Difference]) -> list[Difference]:
    """The differences of one list that must be left alone because of the flapping ones among them."""
    kind = change.address.kind
    live = getattr(change.base, name, None)
    if name == "dns" or (kind, name) == ("db_instance", "vpc_security_groups"):
        return ones
    if kind == "security_group" and name in {"ingress", "egress"}:
        lacking = [one.key for one in flapping if one.have is ABSENT]
        return [one for one in ones if one.want is ABSENT and any(may_overlap(one.key, key) for key in lacking)]
    if kind == "network_acl" and name in {"ingress", "egress"}:
        before, after = of_acl(live or {}), of_acl(_with(live or {}, ones))
        return _unsafe(ones, flapping, live or {}, lambda aim: keeps(before, after, of_acl(aim)))
    if kind == "route_table" and name == "routes":
        goal = _with(live or {}, ones)
        return _unsafe(ones, flapping, live or {}, lambda aim: _sent_right(live or {}, goal, aim))
    return []


def _unsafe(
    ones: list[Difference], flapping: list[Difference], live: Mapping[Any, Any], right: Callable[[dict[Any, Any]], bool]
) -> list[Difference]:
    """What is left alone so that the list stays `right`: as little as is found by going one by one."""
    rest = [one for one in ones if one not in flapping]
    if right(_with(live, rest)):
        return []
    taken: list[Difference] = []
    for one in rest:
        if right(_with(live, [*taken, one])):
            taken.append(one)
    return [one for one in rest if one not in taken]


def _with(live: Mapping[Any, Any], ones: Iterable[Difference]) -> dict[Any, Any]:
    """A list with these differences put right."""
    goal = dict(live)
    for one in ones:
        if one.want is ABSENT:
            goal.pop(one.key, None)
        else:
            goal[one.key] = one.want
    return goal


def _sent_right(live: Mapping[str, str], goal: Mapping[str, str], aim: Mapping[str, str]) -> bool:
    """Whether every address takes the very route of before or of after: the longest prefix decides (VPC user guide,
    Route priority). A prefix list stands for addresses nobody here knows, so with one that differs nothing is proven.
    """
    differing = {to for to in live.keys() | goal.keys() if live.get(to) != goal.get(to)}
    if not all(map(is_cidr, differing)):
        return dict(aim) == dict(live)
    known = [network(to) for to in live.keys() | goal.keys() if is_cidr(to)]
    edges = {(version, edge) for version, first, last in known for edge in (first, last + 1)}
    return all(_route(aim, edge) in {_route(live, edge), _route(goal, edge)} for edge in edges)


def _route(routes: Mapping[str, str], at: tuple[int, int]) -> tuple[str, str] | None:
    """The route of one address, (IP version, address as a number)."""
    best: tuple[int, tuple[str, str]] | None = None
    for destination, target in routes.items():
        version, first, last = network(destination) if is_cidr(destination) else (0, 0, 0)
        if version == at[0] and first <= at[1] <= last and (best is None or last - first < best[0]):
            best = last - first, (destination, target)
    return best and best[1]


def _aim(change: Change, left: Iterable[Suppressed]) -> Resource:
    """The resource as declared, with the live value of what is left alone."""
    fields: dict[str, Any] = {}
    for one, _ in left:
        wish = fields.get(one.field, getattr(change.want, one.field))
        if one.key is None:
            fields[one.field] = one.have
        elif isinstance(wish, dict):
            rest = {key: value for key, value in wish.items() if key != one.key}
            fields[one.field] = type(wish)(rest if one.have is ABSENT else {**rest, one.key: one.have})
        else:
            fields[one.field] = type(wish)(wish - {one.key} if one.have is ABSENT else wish | {one.key})
    return change.want.but(**fields)


class Guard:
    """What may not be done while something is left alone. The gate asks it for each action that nothing else holds, in
    the order of the plan; it holds the network as it stands after those it let go.
    """

    def __init__(self, suppression: Suppression, context: PlanContext) -> None:
        left = suppression.suppressed
        self._held = suppression.held
        self._unlike = {one.address: why for one, why in suppression.removed if _about_packets(one)}
        self._staying = {at: why for one, why in left for at in _stays(one, context)}
        bare = {one.address for one, _ in left if one.have is ABSENT}
        groups = [(Address(one.key), one, why) for one, why in left if _keeps_group(one)]
        self._staying |= {at: why for at, one, why in groups if one.address in bare}
        self._shared = {at: why for at, _, why in groups}
        self._open = {one.address: why for one, why in left if _leaves_open(one)}
        self._reachability = (
            Reachability(context.snapshot, context.document.vpc, suppression.unsuppressed) if self._open else None
        )

    def __call__(self, action: Action) -> Cause | None:
        """Why this action is held; None if it is not, and then it counts as done."""
        cause = self._cause(action)
        if self._reachability and not cause:
            self._reachability.advance(action)
        return cause

    def _cause(self, action: Action) -> Cause | None:
        for one, why in self._held:
            if _resolves(action, one):
                return why
        stays = self._staying if action.touches_traffic and not action.moves else {}
        shared = self._shared if action.lets_through else {}
        if stuck := stays.get(action.address) or shared.get(action.address):
            return Cause(
                Reason.SUPPRESSED, f"a subnet or database stays that ought to leave, which is suppressed: {stuck}"
            )
        if unlike := sorted(action.after & self._unlike.keys()):
            message = f"{unlike[0]} is not as declared, and is suppressed: {self._unlike[unlike[0]]}"
            return Cause(Reason.SUPPRESSED, message)
        others = sorted(at for at in self._open if at.kind != action.address.kind)
        if self._reachability and action.lets_through and others and not self._allowed(action):
            message = f"it may open a way to what is suppressed at {others[0]}: {self._open[others[0]]}"
            return Cause(Reason.SUPPRESSED, message)
        return None

    def _allowed(self, action: Action) -> bool:
        reachability = self._reachability
        return bool(reachability and reachability.feasible and action.effect and reachability.allows(action))


def _resolves(action: Action, one: Difference) -> bool:
    if not one.field:
        return action.address == one.address
    named = one.key is None or any(ref.to == one.key for ref in refs(action.params))
    return named and (one.address, one.field) in action.resolves


def _about_packets(one: Difference) -> bool:
    """Whether a place differs from the document in what it lets through; a description does not."""
    described = isinstance(one.key, RuleKey) and ABSENT not in {one.want, one.have}
    return one.address.kind in _PLACES and one.field != "tags" and not described


def _leaves_open(one: Difference) -> bool:
    """Whether more may pass than the document allows as long as this is not corrected."""
    kind = one.address.kind
    if kind == "db_instance":
        return one.field in {"publicly_accessible", "vpc_security_groups"} and one.have not in {ABSENT, False}
    if kind == "security_group":
        return _about_packets(one) and one.have is not ABSENT
    return _about_packets(one)


def _stays(one: Difference, context: PlanContext) -> Iterator[Address]:
    """The declared places where a subnet stays that ought to be behind another one."""
    kind, seen = one.address.kind, context.snapshot.resources
    if kind not in {"route_table", "network_acl"} or one.field not in {"", "subnets", "main"}:
        return
    mains = [at for at in seen if at.kind == kind and getattr(seen[at].spec, "main", False)]
    subnets = getattr(one.want, "subnets", None) or () if not one.field else [one.key] if one.key else ()
    for subnet in subnets:
        behind = [at for at in seen if at.kind == kind and subnet in (getattr(seen[at].spec, "subnets", None) or ())]
        yield from behind or mains
    if one.field == "main":
        yield from mains


def _keeps_group(one: Difference) -> bool:
    """Whether a database stays in a group that it ought to leave."""
    return (one.address.kind, one.field) == ("db_instance", "vpc_security_groups") and one.have is not ABSENT
