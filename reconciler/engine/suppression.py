"""What is not corrected for now, and what must not be corrected without it. Pure; `run.py` calls it after every look.

A correction that somebody else keeps undoing is suppressed (`attempt/flapping.py` says which), and so is one that
refers to something that was not identified (`engine/identity/`): its id may be the one that is live. The rest is
corrected, under the rule of every plan: no packet passes that neither the state before nor the document lets through,
and every packet passes that both let through. The target of such a plan is the document with the live value at each
suppressed place, so the target itself must keep the rule:

1. Within one list, the rest is corrected as long as the target's list keeps the rule. If it would not (revoking an
   undeclared rule would block what a missing, suppressed rule lets through), additions wait. But if something would
   stay open, the suppression is lifted: flapping on one rule must not keep another one open.
2. Between resources, moves and missing resources stay in the plan and are held, and the gate holds what needs them.
   Nothing is moved to a resource with a suppressed difference, and a resource that is still in use by something that
   should have moved away keeps its traffic.
3. Between layers, a packet passes groups, ACLs and routes together. So what lets packets through waits if it would open
   a path to what is left open: `reach/steps.py` decides, compared with the whole document.

What a kind means for packets is in its `Kind.traffic`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import members
from desired_state.resource import Resource
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT, Action, Cause, Change, Difference, Reason, Ref, Snapshot, refs
from reconciler.model.guard import Stage, about
from reconciler.model.kind import Traffic

Suppressed = tuple[Difference, Cause]
"""A difference that is not corrected for now, and why."""


@dataclass(frozen=True)
class Suppression:
    """`changes` are what is left to plan. `removed` is no longer among them. `held` still is, so that what needs it
    waits for it, and its actions must be held. `unsuppressed` are the actions of a plan without any suppression.
    """

    changes: tuple[Change, ...] = ()
    removed: tuple[Suppressed, ...] = ()
    held: tuple[Suppressed, ...] = ()
    unsuppressed: tuple[Action, ...] = ()

    @property
    def suppressed(self) -> tuple[Suppressed, ...]:
        return *self.removed, *self.held


def suppress(
    changes: Iterable[Change],
    flapping: Callable[[Difference], Cause | None],
    unidentified: Mapping[str, Cause] = MappingProxyType({}),
) -> Suppression:
    """The changes without what is suppressed. `flapping` says why a difference is suppressed (None: it is not).
    `unidentified` says of an address that was not identified, and of every id that may be it, why it waits.
    """
    everything = tuple(changes)
    flapping = _guarded(flapping)
    missing = _missing(everything, flapping, unidentified)
    rest: list[Change] = []
    removed: list[Suppressed] = []
    held: list[Suppressed] = [(one.missing, missing[one.address]) for one in everything if one.address in missing]
    for change in everything:
        if change.have is None:
            rest.append(change)
            continue
        with about(change.address, Stage.HOLDING):
            suppressed = _suppressed(change, flapping, {**missing, **unidentified})
            moves = [one for one in suppressed if one[0].field in _traffic(change.address).moves]
            out = [one for one in suppressed if one not in moves]
            left = tuple(one for one in change.differences if all(one is not other for other, _ in out))
            target = Change(change.address, _target(change, out), change.have, change.base, left) if out else change
        held += moves
        removed += out
        rest += [target] if left else []
    return Suppression(tuple(rest), tuple(removed), tuple(held))


def _guarded(flapping: Callable[[Difference], Cause | None]) -> Callable[[Difference], Cause | None]:
    def asked(one: Difference) -> Cause | None:
        with about(one.address, Stage.HOLDING, one.field):
            return flapping(one)

    return asked


def _traffic(address: Address) -> Traffic:
    return REGISTRY[address.kind].traffic


def unidentified(snapshot: Snapshot) -> dict[str, Cause]:
    """Every address that was not identified, and every id that may be one, with why what refers to it waits."""
    waits: dict[str, Cause] = {
        address: Cause(Reason.DEPENDENCY, f"it refers to {address}, and which that is must be settled first: {cause}")
        for address, cause in (*snapshot.ambiguous.items(), *_unplaced(snapshot))
    }
    may_be = {aws_id: waits[address] for aws_id, address in snapshot.candidates.items() if address in waits}
    return {**waits, **may_be}


def _unplaced(snapshot: Snapshot) -> Iterator[tuple[Address, Cause]]:
    """What could not be read, and whose id is not known either: any id may be it."""
    yield from ((at, cause) for at, cause in snapshot.unreadable.items() if Ref(at) not in snapshot.handles)


def _missing(
    changes: Iterable[Change], flapping: Callable[[Difference], Cause | None], unidentified: Mapping[str, Cause]
) -> dict[str, Cause]:
    """What is not created now, and why: also what refers to such a resource, and would be incomplete without it."""
    absent = [change for change in changes if change.have is None]
    found: dict[str, Cause] = {
        change.address: cause
        for change in absent
        if (cause := flapping(change.missing) or _mentioned(change.want, unidentified))
    }
    while more := {
        str(change.address): Cause(Reason.SUPPRESSED, f"it needs {named}, which is suppressed: {found[named]}")
        for change in absent
        if change.address not in found
        and (named := next((one for one in found if one in _mentions(change.want)), None))
    }:
        found |= more
    return found


def _mentioned(resource: Resource, unidentified: Mapping[str, Cause]) -> Cause | None:
    named = sorted(_mentions(resource) & unidentified.keys()) if unidentified else []
    return unidentified[named[0]] if named else None


def _mentions(resource: Resource) -> set[str]:
    """Every address that a resource refers to in its fields and members."""
    found: set[str] = set()
    for name in resource.described():
        value = getattr(resource, name)
        held = value.values() if isinstance(value, Mapping) else ()
        for one in (value, *members(value), *held):
            found |= {one.peer} if isinstance(one, RuleKey) else {one} if isinstance(one, str) else set()
    return found


def _suppressed(
    change: Change, flapping: Callable[[Difference], Cause | None], missing: Mapping[str, Cause]
) -> list[Suppressed]:
    """The suppressed differences of a live resource, and those that would break the rule if corrected without them."""
    together = _traffic(change.address).together
    families: dict[str, list[Difference]] = {}
    for one in change.differences:
        families.setdefault(together.get(one.field, one.field), []).append(one)
    found: list[Suppressed] = []
    for family in families.values():
        causes = [flapping(one) or _needs_missing(one, missing) for one in family]
        named = [(one, cause) for one, cause in zip(family, causes, strict=True) if cause]
        if not named:
            continue
        first, cause = named[0]
        coupled = _coupled(change, family, [one for one, _ in named])
        if any(map(_stands_open, coupled)) and not any(_needs_missing(one, missing) for one, _ in named):
            continue  # flapping must not keep something else open
        key = "" if first.key is None else f" {first.key}"
        message = f"it cannot be corrected without {first.field}{key}, which is suppressed: {cause}"
        coupled_cause = Cause(Reason.SUPPRESSED, message)
        found += [(one, own or coupled_cause) for one, own in zip(family, causes, strict=True) if own or one in coupled]
    return found


def _coupled(change: Change, family: list[Difference], suppressed: list[Difference]) -> list[Difference]:
    traffic = _traffic(change.address)
    coupled = family if family[0].field in traffic.together else traffic.coupled(change, family, suppressed)
    return [one for one in coupled if one not in suppressed]


def _stands_open(one: Difference) -> bool:
    """Whether something undeclared is live, or a declared denial is not."""
    return one.have is not ABSENT or (isinstance(one.want, AclEntry) and one.want.action == "deny")


def _needs_missing(one: Difference, missing: Mapping[str, Cause]) -> Cause | None:
    """Why a member waits that refers to a resource that is not created now, or to one that was not identified. What is
    not identified may be live here under its id, so nothing that names it is removed either.
    """
    for name in _named(one):
        cause = missing.get(name)
        if cause and cause.reason is Reason.DEPENDENCY:
            return cause
        if cause and one.have is ABSENT:
            return Cause(Reason.SUPPRESSED, f"it needs {name}, which is suppressed: {cause}")
    return None


def _named(one: Difference) -> tuple[str, ...]:
    """The addresses or ids that a difference names: the peer of a rule, a target, a member of a set, a reference."""
    if one.field == "tags":
        return ()
    if isinstance(one.key, RuleKey):
        return (one.key.peer,)
    if isinstance(one.key, Address):
        return (one.key,)
    return tuple(value for value in (one.want, one.have) if isinstance(value, str))


def _target(change: Change, suppressed: Iterable[Suppressed]) -> Resource:
    """The resource as declared, with the live value of what is suppressed."""
    fields: dict[str, Any] = {}
    for one, _ in suppressed:
        declared = fields.get(one.field, getattr(change.want, one.field))
        if one.key is None:
            fields[one.field] = one.have
        elif isinstance(declared, dict):
            rest = {key: value for key, value in declared.items() if key != one.key}
            fields[one.field] = type(declared)(rest if one.have is ABSENT else {**rest, one.key: one.have})
        else:
            fields[one.field] = type(declared)(declared - {one.key} if one.have is ABSENT else declared | {one.key})
    target: Resource = change.want.but(**fields)
    return target


class Guard:
    """What must not be done while something is suppressed, besides what the rules of `reach/steps.py` forbid."""

    def __init__(self, suppression: Suppression, snapshot: Snapshot) -> None:
        suppressed = suppression.suppressed
        self._held = suppression.held
        self._differs: dict[Address, Cause] = {}
        self._stays: dict[Address, Cause] = {}
        shared: list[tuple[Address, Difference, Cause]] = []
        for one, cause in suppression.removed:
            with about(one.address, Stage.HOLDING):
                self._differs |= {one.address: cause} if _traffic(one.address).decides(one) else {}
        for one, cause in suppressed:
            with about(one.address, Stage.HOLDING):
                self._stays |= dict.fromkeys(_traffic(one.address).stays(one, snapshot), cause)
                shared += [(at, one, cause) for at in _traffic(one.address).keeps(one, snapshot)]
        incomplete = {one.address for one, _ in suppressed if one.have is ABSENT}
        self._stays |= {at: cause for at, one, cause in shared if one.address in incomplete}
        self._shared = {at: cause for at, _, cause in shared}

    def __call__(self, action: Action) -> Cause | None:
        """Why this action is held; None if it is not."""
        for one, cause in self._held:
            if _resolves(action, one):
                return cause
        stays = self._stays if action.touches_traffic and not action.moves else {}
        shared = self._shared if action.lets_through else {}
        if stuck := stays.get(action.address) or shared.get(action.address):
            return Cause(Reason.SUPPRESSED, f"what uses it cannot be moved away, because that is suppressed: {stuck}")
        if differing := sorted(action.after & self._differs.keys()):
            message = f"{differing[0]} is not as declared, and is suppressed: {self._differs[differing[0]]}"
            return Cause(Reason.SUPPRESSED, message)
        return None


def _resolves(action: Action, one: Difference) -> bool:
    if not one.field:
        return action.address == one.address
    named = one.key is None or any(ref.to == one.key for ref in refs(action.params))
    return named and (one.address, one.field) in action.resolves
