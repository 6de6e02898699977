"""What a look shows if nobody but this run has changed anything since an earlier one, and what it shows instead.

What is expected is what the earlier look saw, with what the run's own calls have changed since. EC2 is eventually
consistent (EC2 developer guide, Eventual consistency), so what a call of this run has changed may still be seen as it
was before, and what a call may have changed as it was or as it would be: neither is somebody's edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.kinds import live_network
from reconciler.model import (
    DOCUMENT_TAG,
    HOLD_TAG,
    NAME_TAG,
    Action,
    Cause,
    Effect,
    Observed,
    Phase,
    Reason,
    Snapshot,
)
from reconciler.model.guard import said
from reconciler.model.kind import Kind, ObserveContext
from reconciler.model.read import Item
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    GROUPS_OF,
    MAIN,
    PLACE_OF,
    PUBLIC,
    TABLE_OF,
    WHOLE,
    Cell,
    Network,
    Table,
)

_TOLD = 3
_USERS = (ACL_OF, TABLE_OF, MAIN, DEFAULT_ACL)
"""The shared cells in which a resource is a value, and those in which it is a member."""
_SETTINGS = (GROUPS_OF, PLACE_OF, PUBLIC)


class Changed(NamedTuple):
    """Why a call must not be made now. `effect` is what a changed resource says now, for the network's table."""

    cause: Cause
    effect: tuple[Effect, ...] = ()


class Place(NamedTuple):
    """A resource that the look saw; `at` is its name in the network's table."""

    kind: Kind
    id: str
    at: Address
    seen: Observed


type Members = dict[tuple[Cell, Any], Any]
"""What the network's table says, by cell and member."""


def takes_away(action: Action) -> bool:
    """Whether a call takes something away from what is live."""
    return (
        action.operation.phase >= Phase.UNBIND
        or action.breaks > 0
        or action.moves
        or any(value is None for _, _, value in action.effect)
    )


class Expectation:
    """What is expected of the network while a plan is applied: the look, and the calls that were made since.

    `actions` are those of the plan. `id_of` says the id of what has a name in the network's table, as far as it is
    known by then.
    """

    def __init__(self, look: Snapshot, actions: Sequence[Action], id_of: Callable[[Address], str]) -> None:
        self._look, self._actions, self._id_of = look, actions, id_of
        self._calls: list[tuple[Action, bool]] = []
        self._made: set[Address] = set()
        self._touched: set[tuple[Address, str]] = set()
        self._network: Network | None = None
        self._before: dict[tuple[Cell, Any], list[Any]] = {}
        self._perhaps: dict[tuple[Cell, Any], list[Any]] = {}
        self._fields: dict[Address, set[str]] = {}

    def record(self, action: Action, *, certain: bool) -> None:
        """The action has been done, or may have been."""
        self._calls.append((action, certain))
        self._touched |= action.resolves
        if action.gives and action.operation.phase is Phase.CREATE:
            self._made.add(action.gives.to)

    def network(self) -> Network:
        """What the look saw, with what this run has done since."""
        if self._network is None:
            self._network = live_network(self._look)
            for action in self._actions:
                for at, name in action.resolves if takes_away(action) else ():
                    self._fields.setdefault(at, set()).add(name)
        for action, certain in self._calls:
            for cell, member, value in action.effect:
                if certain:
                    before = members([(cell, WHOLE, self._network[cell])]).get((cell, member))
                    self._before.setdefault((cell, member), []).append(before)
                else:
                    self._perhaps.setdefault((cell, member), []).append(value)
            self._network = self._network.after(action.effect) if certain else self._network
        self._calls.clear()
        return self._network

    def compared(self, place: Place, item: Item | None, context: ObserveContext) -> tuple[bool, Changed | None]:
        """Whether AWS does not show a call of this run yet, and what somebody else has changed."""
        if item is None:
            return False, _changed(place, ["it does not exist any more"])
        try:
            seen = place.kind.observe.observed(item, context)
        except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
            return False, _changed(place, [f"it has a value that Setpoint does not support: {said(error)}"])
        effect = tuple(place.kind.traffic.effects(place.at, seen.spec, seen))
        now, expected = members(effect), self._said_by(place, effect)
        late, texts = False, list(self._other_settings(place, seen))
        for key in [*now, *(key for key in expected if key not in now)]:
            was, is_ = expected.get(key), now.get(key)
            if self.same(key, was, is_) or any(
                self._on_the_way(key, was, one, is_) for one in self._perhaps.get(key, ())
            ):
                continue
            if any(self.same(key, one, is_) for one in self._before.get(key, ())) or self._put_by_aws(key):
                late |= not (self._put_by_aws(key) and was is None)
                continue
            texts.append(_text(key, was, is_))
        return late, _changed(place, texts, effect) if texts else None

    def _put_by_aws(self, key: tuple[Cell, Any]) -> bool:
        """Whether this is where AWS has put something that this run has made: a new subnet uses the default ACL."""
        return key[0] in _USERS and key[1] in self._made

    def same(self, key: tuple[Cell, Any], one: Any, other: Any) -> bool:
        """Whether two values of a member mean the same: a resource may be there by its name and by its id."""
        if key[0] in _USERS and one and other:
            return self._id_of(one) == self._id_of(other)
        return bool(one == other)

    def _on_the_way(self, key: tuple[Cell, Any], was: Any, goal: Any, is_: Any) -> bool:
        """Whether this may be seen while a call takes effect: RDS adds and removes groups one by one."""
        if isinstance(was, frozenset) and isinstance(goal, frozenset) and isinstance(is_, frozenset):
            return was & goal <= is_ <= was | goal
        return self.same(key, goal, is_)

    def _said_by(self, place: Place, effect: Iterable[Effect]) -> Members:
        """What is expected of a resource, in the cells that it says."""
        network = self.network()
        found = members((cell, WHOLE, network[cell]) for cell, member, _ in effect if member is WHOLE)
        for cell in _USERS:
            found |= {(cell, one): user for one, user in network[cell].items() if self._id_of(user) == place.id}
        found |= {(cell, place.at): network[cell][place.at] for cell in _SETTINGS if place.at in network[cell]}
        return found

    def _other_settings(self, place: Place, seen: Observed) -> Iterator[str]:
        """The fields that the plan changes and that are not in the network's table, and Setpoint's own tags."""
        spec, was = seen.spec, place.seen.spec
        own = {HOLD_TAG} if (place.at, "tags") in self._touched else {HOLD_TAG, DOCUMENT_TAG, NAME_TAG}
        tags, old = (getattr(one, "tags", None) or {} for one in (spec, was))
        yield from (f"its tag {tag}" for tag in sorted(own) if tags.get(tag) != old.get(tag))
        for name in sorted(self._fields.get(place.at, set()) - place.kind.traffic.moves):
            value, before = getattr(spec, name, None), getattr(was, name, None)
            of_table = isinstance(before, Mapping) or isinstance(value, Mapping)
            if value != before and not of_table and (place.at, name) not in self._touched:
                yield f"its {name}"


def members(effect: Iterable[Effect]) -> Members:
    """What effects say, member by member. Of a rule it only counts that it is there."""
    found: Members = {}
    for cell, member, value in effect:
        if member is not WHOLE:
            found |= {} if value is None else {(cell, member): value}
        elif cell.table is Table.RULES:
            found |= dict.fromkeys(((cell, one) for one in value), True)
        else:
            found |= {(cell, one): said for one, said in value.items()}
    return found


def _changed(place: Place, texts: list[str], effect: tuple[Effect, ...] = ()) -> Changed:
    more = f", and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    message = f"{place.at} has changed since it was looked at: {', '.join(texts[:_TOLD])}{more}"
    return Changed(Cause(Reason.STALE, sanitize(message)), effect)


_WORDS = {
    Table.RULES: "rule",
    Table.ENTRIES: "entry",
    Table.ROUTES: "route",
    Table.ROUTES_BY_AWS: "route of AWS",
    Table.ACL_OF: "use by",
    Table.TABLE_OF: "use by",
    Table.MAIN: "main table",
    Table.DEFAULT_ACL: "default ACL",
    Table.GROUPS_OF: "security groups of",
    Table.PLACE_OF: "subnet group of",
    Table.PUBLIC: "public address of",
}


def _text(key: tuple[Cell, Any], was: Any, is_: Any) -> str:
    cell, member = key
    if cell.table is Table.RULES:
        member = member._replace(peer=f"{'from' if cell.side == 'ingress' else 'to'} {member.peer}")
    what = f"{cell.side} {_WORDS[cell.table]} {member}".strip()
    return f"{what} is gone" if is_ is None else f"{what} is new" if was is None else f"{what} is another"
