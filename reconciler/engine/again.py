"""Looks again, before a call that takes something away, at what it takes away and what it relies on, if that was seen
too long ago: somebody may have edited it since.

What is read is compared with what is expected (`expectation.py`). A call of this run that is not visible yet is waited
for. A run that writes within `FRESH_FOR` of its look reads nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from desired_state.document import Document
from desired_state.fields import NOWHERE, Address
from desired_state.sanitize import sanitize
from reconciler.aws.client import Aws, AwsError
from reconciler.aws.errors import Reaction
from reconciler.engine.expectation import Changed, Expectation, Members, Place, members, takes_away
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Cause, Reason, Ref, Snapshot
from reconciler.model.kind import Kind, ObserveContext, declared_ids, naming
from reconciler.model.read import ReadContext
from reconciler.reach.network import ACL_OF, DEFAULT_ACL, GROUPS_OF, MAIN, OF_VPC, TABLE_OF, Network

FRESH_FOR = timedelta(seconds=5)
"""How long what was seen counts as still so."""
PAUSES = (1.0, 2.0)
"""Seconds between looks while AWS does not show a call of this run."""
MOST_AT_ONCE = 100
"""How many resources one read names, with those of the calls that come next. EC2 takes 200 values for a filter."""


@dataclass(frozen=True)
class Hands:
    """What looking again needs."""

    aws: Aws
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class Again:
    """What is known of the network while a plan is applied, and since when.

    A resource is known to be as expected for `FRESH_FOR` after it was read, or after the look. Then it is read again
    before a call relies on it, until AWS shows what this run has done to it. What is not as expected, or could not be
    read, is a problem to the end.

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
        self._expectation = Expectation(look, actions, self._id)
        self.reached = 0
        self._known_at: dict[str, datetime] = {}
        self._problems: dict[str, Changed] = {}
        self._kinds = {aws_id: kind for kind, aws_id in look.neighbours}

    def saw(self, aws_id: str) -> bool:
        """Whether the look showed a resource with this id."""
        shown = (one.id for one in self._look.resources.values())
        return aws_id in self._kinds or aws_id in shown

    def record(self, action: Action, *, certain: bool) -> None:
        """The action has been done, or may have been."""
        self._expectation.record(action, certain=certain)

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
            if all(self._expectation.same(key, found.get(key), value) for key, value in added.items()):
                return True
        return False

    def _live_members(self, kind: Kind, at: Address, aws_id: str) -> Members:
        """What a resource says now in the network's table; nothing if it cannot be read."""
        read = kind.observe.again([aws_id])
        try:
            items = self._hands.aws.read(read) if read else []
            context = self._context(kind)
            seen = next((kind.observe.observed(one, context) for one in items if kind.observe.id(one) == aws_id), None)
        except (AwsError, ValueError, KeyError, TypeError):
            return {}
        return members(kind.traffic.effects(at, seen.spec, seen)) if seen else {}

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

    def _known(self, place: Place) -> bool:
        return self._fresh(self._known_at.get(place.id, self._look.at))

    def _fresh(self, at: datetime) -> bool:
        return self._hands.now() - at <= FRESH_FOR

    def _relied_on(self, action: Action) -> Iterator[Place]:
        names = dict.fromkeys(_places_of(action, self._expectation.network()))
        return (place for at in names if (place := self._place(at)))

    def _place(self, at: Address) -> Place | None:
        """What has this name in the network's table; None if it cannot be read again, or if this run has made it."""
        if seen := self._look.resources.get(at):
            return self._readable(Place(REGISTRY[at.kind], self._id(at), at, seen))
        aws_id = self._id(at)
        kind = self._kinds.get(aws_id)
        neighbour = self._look.neighbours[kind, aws_id] if kind else None
        return self._readable(Place(REGISTRY[kind], aws_id, Address(aws_id), neighbour)) if kind and neighbour else None

    @staticmethod
    def _readable(place: Place) -> Place | None:
        return place if place.kind.observe.again([place.id]) else None

    def _id(self, at: Address) -> str:
        """The id of what has this name in the table: also of a part, such as `network_acl/web (temporary)`."""
        whole, _, part = at.removesuffix(")").rpartition(" (")
        return self._handles.get(Ref(at)) or self._handles.get(Ref(Address(whole), part), str(at))

    def _look_at(self, places: Iterable[Place]) -> None:
        """Read these again, with what the next calls need of the same kinds, so that they need not be read then."""
        wanted: dict[str, dict[str, Place]] = {}
        for place in places:
            wanted.setdefault(place.kind.name, {})[place.id] = place
        for place in self._coming() if wanted else ():
            if place.id not in self._problems:
                wanted.get(place.kind.name, {}).setdefault(place.id, place)
        for some in wanted.values():
            self._read(dict(islice(some.items(), MOST_AT_ONCE)))

    def _coming(self) -> Iterator[Place]:
        for action in islice(self._actions, self.reached + 1, self.reached + 1 + MOST_AT_ONCE):
            if takes_away(action):
                yield from self._relied_on(action)

    def _read(self, places: Mapping[str, Place]) -> None:
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
            late, problem = self._expectation.compared(place, items.get(aws_id), context)
            if problem:
                self._problems[aws_id] = problem
            elif not late:
                self._known_at[aws_id] = at

    def _context(self, kind: Kind) -> ObserveContext:
        names: dict[str, Address] = {}
        for aws_id, at in declared_ids(self._handles, self._document):
            names |= naming(at.kind, aws_id, at)
        vpc_id = self._handles.get(Ref(self._document.vpc), "")
        return ObserveContext(ReadContext(self._document, vpc_id, self._document.of_kind(kind.name)), {}, names)


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
