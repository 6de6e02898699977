"""Looks again, before a call that takes something away, at what it takes away and what it relies on, if that was seen
too long ago: somebody may have edited it since.

What is read is compared with what the look saw and the run's own calls have changed since. EC2 is eventually consistent
(EC2 developer guide, Eventual consistency), so a call of this run that is not visible yet is waited for, and is never
taken for somebody's edit. A run that writes within `FRESH_FOR` of its look reads nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from desired_state.document import Document
from desired_state.fields import NOWHERE, Address
from desired_state.sanitize import sanitize
from reconciler.aws.client import Aws, AwsError
from reconciler.aws.errors import Reaction
from reconciler.kinds import REGISTRY, live_network
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
    Ref,
    Snapshot,
)
from reconciler.model.guard import said
from reconciler.model.kind import Kind, ObserveContext, declared_ids, naming
from reconciler.model.read import Item, ReadContext
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    GROUPS_OF,
    MAIN,
    OF_VPC,
    PLACE_OF,
    PUBLIC,
    TABLE_OF,
    WHOLE,
    Cell,
    Network,
    Table,
)

FRESH_FOR = timedelta(seconds=5)
"""How long what was seen counts as still so."""
PAUSES = (1.0, 2.0)
"""Seconds between looks while AWS does not show a call of this run."""
MOST_AT_ONCE = 100
"""How many resources one read names, with those of the calls that come next. EC2 takes 200 values for a filter."""

_TOLD = 3
_USERS = (ACL_OF, TABLE_OF, MAIN, DEFAULT_ACL)
"""The shared cells in which a resource is a value, and those in which it is a member."""
_SETTINGS = (GROUPS_OF, PLACE_OF, PUBLIC)


class Changed(NamedTuple):
    """Why a call must not be made now. `effect` is what a changed resource says now, for the network's table."""

    cause: Cause
    effect: tuple[Effect, ...] = ()


class _Place(NamedTuple):
    """A resource that the look saw; `at` is its name in the network's table."""

    kind: Kind
    id: str
    at: Address
    seen: Observed


type _Members = dict[tuple[Cell, Any], Any]


def takes_away(action: Action) -> bool:
    """Whether a call takes something away from what is live."""
    return (
        action.operation.phase >= Phase.UNBIND
        or action.breaks > 0
        or action.moves
        or any(value is None for _, _, value in action.effect)
    )


@dataclass(frozen=True)
class Hands:
    """What looking again needs."""

    aws: Aws
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class Again:
    """What is known of the network while a plan is applied, and since when.

    `actions` are those of the plan; `handles` is shared with what makes the calls, so that it has the ids of new
    resources. `reached` is the position of the call that is made.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        look: Snapshot,
        document: Document,
        handles: Mapping[Ref, str],
        hands: Hands,
    ) -> None:
        self._actions, self._look, self._document, self._handles, self._hands = actions, look, document, handles, hands
        self.reached = 0
        self._known_at: dict[str, datetime] = {}
        self._problems: dict[str, Changed] = {}
        self._calls: list[tuple[Action, bool]] = []
        self._made: set[Address] = set()
        self._touched: set[tuple[Address, str]] = set()
        self._network: Network | None = None
        self._before: dict[tuple[Cell, Any], list[Any]] = {}
        self._perhaps: dict[tuple[Cell, Any], list[Any]] = {}
        self._fields: dict[Address, set[str]] = {}
        self._kinds = {aws_id: kind for kind, aws_id in look.neighbours}

    def saw(self, aws_id: str) -> bool:
        """Whether the look showed a resource with this id."""
        shown = (one.id for one in self._look.resources.values())
        return aws_id in self._kinds or aws_id in shown

    def record(self, action: Action, *, certain: bool) -> None:
        """The action has been done, or may have been."""
        self._calls.append((action, certain))
        self._touched |= action.resolves
        if action.gives and action.operation.phase is Phase.CREATE:
            self._made.add(action.gives.to)

    def in_force(self, action: Action) -> bool:
        """Whether everything that the action would add to the network's table is seen there, in a new look at its
        resource. AWS may not show at once what it says is there already.
        """
        kind, aws_id = REGISTRY[action.address.kind], self._id(action.address)
        added = {(cell, member): value for cell, member, value in action.effect if value is not None}
        if not added or kind.observe.again([aws_id]) is None:
            return True
        for pause in (0.0, *PAUSES):
            if pause:
                self._hands.sleep(pause)
            found = self._live_members(kind, action.address, aws_id)
            if all(self._same(key, found.get(key), value) for key, value in added.items()):
                return True
        return False

    def _live_members(self, kind: Kind, at: Address, aws_id: str) -> _Members:
        """What a resource says now in the network's table; nothing if it cannot be read."""
        read = kind.observe.again([aws_id])
        try:
            items = self._hands.aws.read(read) if read else []
            context = self._context(kind)
            seen = next((kind.observe.observed(one, context) for one in items if kind.observe.id(one) == aws_id), None)
        except (AwsError, ValueError, KeyError, TypeError):
            return {}
        return _members(kind.traffic.effects(at, seen.spec, seen)) if seen else {}

    def problem(self, action: Action) -> Changed | None:
        """Why the action must not be made now; None if all that it takes away and relies on is known to be as before.

        Raises `AwsError` if no further call makes sense.
        """
        if not takes_away(action) or self._fresh(self._look.at):
            return None
        places = list(self._relied_on(action))
        for pause in (0.0, *PAUSES):
            if pause:
                self._hands.sleep(pause)
            self._look_at([one for one in places if one.id not in self._problems and not self._known(one)])
            if found := next((self._problems[one.id] for one in places if one.id in self._problems), None):
                return found
            if all(map(self._known, places)):
                return None
        late = ", ".join(sorted(one.at for one in places if not self._known(one)))
        message = f"AWS does not show yet what this run has done to {late}"
        return Changed(Cause(Reason.NOT_VISIBLE_YET, sanitize(message)))

    def _known(self, place: _Place) -> bool:
        return self._fresh(self._known_at.get(place.id, self._look.at))

    def _fresh(self, at: datetime) -> bool:
        return self._hands.now() - at <= FRESH_FOR

    def _relied_on(self, action: Action) -> Iterator[_Place]:
        names = dict.fromkeys(_places_of(action, self._expected()))
        return (place for at in names if (place := self._place(at)))

    def _place(self, at: Address) -> _Place | None:
        """What has this name in the network's table; None if it cannot be read again, or if this run has made it."""
        if seen := self._look.resources.get(at):
            return self._readable(_Place(REGISTRY[at.kind], self._id(at), at, seen))
        aws_id = self._id(at)
        kind = self._kinds.get(aws_id)
        neighbour = self._look.neighbours[kind, aws_id] if kind else None
        return (
            self._readable(_Place(REGISTRY[kind], aws_id, Address(aws_id), neighbour)) if kind and neighbour else None
        )

    @staticmethod
    def _readable(place: _Place) -> _Place | None:
        return place if place.kind.observe.again([place.id]) else None

    def _id(self, at: Address) -> str:
        """The id of what has this name in the table: also of a part, such as `network_acl/web (temporary)`."""
        whole, _, part = at.removesuffix(")").rpartition(" (")
        return self._handles.get(Ref(at)) or self._handles.get(Ref(Address(whole), part), str(at))

    def _look_at(self, places: Iterable[_Place]) -> None:
        """Read these again, with what the next calls need of the same kinds, so that they need not be read then."""
        wanted: dict[str, dict[str, _Place]] = {}
        for place in places:
            wanted.setdefault(place.kind.name, {})[place.id] = place
        for place in self._coming() if wanted else ():
            if place.id not in self._problems:
                wanted.get(place.kind.name, {}).setdefault(place.id, place)
        for some in wanted.values():
            self._read(dict(islice(some.items(), MOST_AT_ONCE)))

    def _coming(self) -> Iterator[_Place]:
        for action in islice(self._actions, self.reached + 1, self.reached + 1 + MOST_AT_ONCE):
            if takes_away(action):
                yield from self._relied_on(action)

    def _read(self, places: Mapping[str, _Place]) -> None:
        kind = next(iter(places.values())).kind
        for one in places:
            self._known_at.pop(one, None)
        read = kind.observe.again(sorted(places))
        try:
            items = {kind.observe.id(item): item for item in self._hands.aws.read(read)} if read else {}
        except AwsError as error:
            if error.reaction is Reaction.STOP:
                raise
            message = sanitize(f"it could not be looked at again before the call: {error}")
            cause = Cause(Reason.STALE, message, error.cause.code)
            self._problems |= dict.fromkeys(places, Changed(cause))
            return
        at = self._hands.now()  # what takes long is a throttled read, and its last attempt was answered
        context = self._context(kind)
        for aws_id, place in places.items():
            late, problem = self._compared(place, items.get(aws_id), context)
            if problem:
                self._problems[aws_id] = problem
            elif not late:
                self._known_at[aws_id] = at

    def _compared(self, place: _Place, item: Item | None, context: ObserveContext) -> tuple[bool, Changed | None]:
        """Whether AWS does not show a call of this run yet, and what somebody else has changed."""
        if item is None:
            return False, _changed(place, ["it does not exist any more"])
        try:
            seen = place.kind.observe.observed(item, context)
        except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
            return False, _changed(place, [f"it has a value that Setpoint does not support: {said(error)}"])
        effect = tuple(place.kind.traffic.effects(place.at, seen.spec, seen))
        now, expected = _members(effect), self._said_by(place, effect)
        late, texts = False, list(self._other_settings(place, seen))
        for key in [*now, *(key for key in expected if key not in now)]:
            was, is_ = expected.get(key), now.get(key)
            if self._same(key, was, is_) or any(
                self._on_the_way(key, was, one, is_) for one in self._perhaps.get(key, ())
            ):
                continue
            if any(self._same(key, one, is_) for one in self._before.get(key, ())) or self._put_by_aws(key):
                late |= not (self._put_by_aws(key) and was is None)
                continue
            texts.append(_text(key, was, is_))
        return late, _changed(place, texts, effect) if texts else None

    def _put_by_aws(self, key: tuple[Cell, Any]) -> bool:
        """Whether this is where AWS has put something that this run has made: a new subnet uses the default ACL."""
        return key[0] in _USERS and key[1] in self._made

    def _same(self, key: tuple[Cell, Any], one: Any, other: Any) -> bool:
        if key[0] in _USERS and one and other:
            return self._id(one) == self._id(other)
        return bool(one == other)

    def _on_the_way(self, key: tuple[Cell, Any], was: Any, goal: Any, is_: Any) -> bool:
        """Whether this may be seen while a call takes effect: RDS adds and removes groups one by one."""
        if isinstance(was, frozenset) and isinstance(goal, frozenset) and isinstance(is_, frozenset):
            return was & goal <= is_ <= was | goal
        return self._same(key, goal, is_)

    def _context(self, kind: Kind) -> ObserveContext:
        names: dict[str, Address] = {}
        for aws_id, at in declared_ids(self._handles, self._document):
            names |= naming(at.kind, aws_id, at)
        vpc_id = self._handles.get(Ref(self._document.vpc), "")
        return ObserveContext(ReadContext(self._document, vpc_id, self._document.of_kind(kind.name)), {}, names)

    def _expected(self) -> Network:
        """What the look saw, with what this run has done since."""
        if self._network is None:
            self._network = live_network(self._look)
            for action in self._actions:
                for at, name in action.resolves if takes_away(action) else ():
                    self._fields.setdefault(at, set()).add(name)
        for action, certain in self._calls:
            for cell, member, value in action.effect:
                if certain:
                    before = _members([(cell, WHOLE, self._network[cell])]).get((cell, member))
                    self._before.setdefault((cell, member), []).append(before)
                else:
                    self._perhaps.setdefault((cell, member), []).append(value)
            self._network = self._network.after(action.effect) if certain else self._network
        self._calls.clear()
        return self._network

    def _said_by(self, place: _Place, effect: Iterable[Effect]) -> _Members:
        """What is expected of a resource, in the cells that it says."""
        network = self._expected()
        found = _members((cell, WHOLE, network[cell]) for cell, member, _ in effect if member is WHOLE)
        for cell in _USERS:
            found |= {(cell, one): user for one, user in network[cell].items() if self._id(user) == place.id}
        found |= {(cell, place.at): network[cell][place.at] for cell in _SETTINGS if place.at in network[cell]}
        return found

    def _other_settings(self, place: _Place, seen: Observed) -> Iterator[str]:
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


def _places_of(action: Action, network: Network) -> Iterator[Address]:
    """What a call takes something away from, and the places that it moves something from and to."""
    yield action.address
    for cell, member, value in action.effect:
        if cell.of != NOWHERE:
            yield cell.of
        elif cell == ACL_OF:
            yield from (network.acl_of(member), value or network[DEFAULT_ACL].get(OF_VPC, NOWHERE))
        elif cell == TABLE_OF:
            yield from (network.table_of(member), value or network[MAIN].get(OF_VPC, NOWHERE))
        elif cell == MAIN:
            yield from (network[MAIN].get(OF_VPC, NOWHERE), value)
        elif cell == GROUPS_OF:
            yield from sorted(network[GROUPS_OF].get(member, frozenset()) ^ (value or frozenset()))


def _members(effect: Iterable[Effect]) -> _Members:
    """What effects say, member by member. Of a rule it only counts that it is there."""
    found: _Members = {}
    for cell, member, value in effect:
        if member is not WHOLE:
            found |= {} if value is None else {(cell, member): value}
        elif cell.table is Table.RULES:
            found |= dict.fromkeys(((cell, one) for one in value), True)
        else:
            found |= {(cell, one): said for one, said in value.items()}
    return found


def _changed(place: _Place, texts: list[str], effect: tuple[Effect, ...] = ()) -> Changed:
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
