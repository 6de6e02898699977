"""Whether a call may come next: the network judged from end to end, in every state between two calls of a plan. Pure.

Two rules hold for any two ends, whether or not an intent names them:

- No exposure: a call lets through no packet that neither the state before the plan nor the document lets through.
- No outage: a call cuts no packet that both let through.

An end is a machine of a subnet, or a DB instance (`checkpoints.py`). At one end, a state must keep both rules by
itself. Two ends together can still break the first: when one already lets through what only the document does, and the
other still what only the state before did. A machine with several groups can still break the second: when what one of
them no longer lets through, the other does not let through yet. One group at a time is enough for the first rule, and
two for the second, because groups only allow.

What could not be read may let through anything before and now, and nothing that the document wants: so nothing is
opened that passes it. A declared DB instance that could not be read may be any machine, so nothing at all is opened
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from desired_state.fields import NOWHERE, Address
from reconciler.model import Action, Cause, Effect, Reason
from reconciler.packets.traffic import EVERYTHING, NOTHING, Cuts, Packets, meet
from reconciler.reach.checkpoints import ANY_MACHINE, NEAR, REPLIES, Checkpoint, Checkpoints
from reconciler.reach.layers import of_groups, routes_unknown
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    MAIN,
    OF_VPC,
    SIDES,
    TABLE_OF,
    UNREADABLE,
    Network,
    Table,
)

MOST_STATES = 8
"""How many states the network may be in, after calls whose outcome is not known, before nothing more may be done."""


class Excess(NamedTuple):
    """What an end lets through in one state and not in the others: the traffic that it did not let through before
    (`ahead`), and that which it will not let through in the end (`behind`).
    """

    ahead: Cuts
    behind: Cuts


class Breach(NamedTuple):
    """How a call would break a rule.

    `reason` is WOULD_OPEN, WOULD_CUT, HELD_BY_INTENT, or FAULT if that could not be judged; `machine` is the group or
    DB instance at which it would, if it is one.
    """

    reason: Reason
    machine: Address
    message: str

    def cause(self, unless: str) -> Cause:
        """Why the call is not made; `unless` says what would have to be so. For an intent, nothing would do."""
        held = self.reason in {Reason.HELD_BY_INTENT, Reason.FAULT}
        return Cause(self.reason, self.message if held else f"{self.message}{unless}")


type Forbids = Callable[[Network], Callable[[Network, Action], Breach | None]]
"""Makes, of the live network, what an intent of the document has against another state of it, and the call that leads
there (None: nothing).
"""


class Steps:
    """The network while a plan is applied, from its live state to what the document wants.

    `network` returns the live state; it is called only if some action has an effect. `actions` lead to what the
    document wants, `coming` are those of them that will be done as far as is known. `forbids` is what the
    intents of the document add to the rules.
    """

    def __init__(
        self,
        network: Callable[[], Network],
        actions: Iterable[Action],
        coming: Iterable[Action] | None = None,
        forbids: Forbids | None = None,
    ) -> None:
        effects = [effect for action in actions for effect in action.effect]
        self._idle = not effects
        if self._idle:
            return  # costs nothing if there is nothing to correct
        self._before = network()
        self._forbids = forbids(self._before) if forbids else lambda later, action: None
        self._wanted = self._before.after(effects)
        self._final = self._wanted
        if coming is not None:
            self._final = self._before.after(effect for action in coming for effect in action.effect)
        self._checkpoints = Checkpoints(self._before, self._wanted, effects)
        self._databases, self._unread = self._checkpoints.databases, self._checkpoints.unread
        self._subnets = [end for end in self._checkpoints.all if not end.machine and end.side != REPLIES]
        self._filters = [end for end in self._checkpoints.all if end.machine and end.machine not in self._databases]
        self._old = {end: self._checkpoints.passed(self._before, end) for end in self._checkpoints.all}
        self._new = {end: self._checkpoints.passed(self._wanted, end, unknown=False) for end in self._checkpoints.all}
        final = {end: self._checkpoints.passed(self._final, end) for end in self._checkpoints.all}
        self._kept = {end: old & final[end] for end, old in self._old.items()}
        self._coming = {end: (final[end] - old).traffic for end, old in self._old.items()}
        self._judged: tuple[Action, list[_After]] | None = None
        excess = {end: self._excess(self._old[end], end, self._before) for end in self._checkpoints.all}
        self._states = [_State(self._before, excess)]

    def breach(self, action: Action) -> Breach | None:
        """How the action would break a rule if it came next; None if it would not."""
        if self._idle or not action.effect:
            return None
        after = [self._after(state, action) for state in self._states]
        self._judged = action, after
        breaches = (self._broken(state.network, action, *one) for state, one in zip(self._states, after, strict=True))
        return next(filter(None, breaches), None)

    def advance(self, action: Action, *, certain: bool = True) -> None:
        """The action has been done; if not `certain`, it is not known whether it has, or whether it is in force yet."""
        if self._idle or not action.effect:
            return
        judged, after = self._judged or (None, [])
        self._judged = None
        if judged is not action:
            after = [self._after(state, action) for state in self._states]
        self._states = [*(() if certain else self._states), *(later for _, later in after)]

    def forbidden(self, action: Action) -> bool:
        """Whether an intent forbids that the action comes next."""
        if self._idle or not action.effect:
            return False
        return any(self._forbids(state.network.after(action.effect), action) for state in self._states)

    @property
    def blind(self) -> bool:
        """Whether something could not be read, so that nobody can say what a call would let through."""
        return not self._idle and bool(self._before[UNREADABLE])

    @property
    def lost(self) -> bool:
        """Whether too little is known of the network's state to do anything else."""
        return not self._idle and len(self._states) > MOST_STATES

    def _after(self, state: _State, action: Action) -> _After:
        later = state.network.after(action.effect)
        now = {
            end: self._checkpoints.passed(later, end)
            for end in self._checkpoints.touched(action.effect, state.network, later)
        }
        excess = state.excess | {end: self._excess(packets, end, later) for end, packets in now.items()}
        return _After(now, _State(later, excess))

    def _broken(self, network: Network, action: Action, now: dict[Checkpoint, Packets], later: _State) -> Breach | None:
        return (
            next(self._through_unknown_routes(action.effect, later.network), None)
            or next(self._by_default(later.network), None)
            or next(self._alone(now, network, later.network), None)
            or next(self._by_both(now, later, network), None)
            or next(self._between_groups(now, network, later.network), None)
            or next(self._between_ends(now, later), None)
            or self._forbids(later.network, action)
        )

    def _through_unknown_routes(self, effects: Iterable[Effect], later: Network) -> Iterator[Breach]:
        """A target that becomes usable opens every route to it, also in a table that could not be read."""
        targets = [member for cell, member, value in effects if cell.table is Table.USABLE and value]
        blind = (
            next((place for place in self._checkpoints.places if routes_unknown(later, place)), None)
            if targets
            else None
        )
        if blind:
            message = f"it would let through what is routed to {targets[0]} in {blind}, whose routes could not be read"
            yield Breach(Reason.WOULD_OPEN, ANY_MACHINE, message)

    def _by_default(self, later: Network) -> Iterator[Breach]:
        """A subnet of which it is not known what it uses may use the main table or the default ACL, whose routes and
        entries may be known, and change.
        """
        places = self._checkpoints.places if self._unread else ()
        unplaced = [at_ for at_ in places if NOWHERE in (later.table_of(at_), later.acl_of(at_))]
        for place, side in product(unplaced, SIDES):
            end = Checkpoint(place, ANY_MACHINE, side)
            old, now = (self._checkpoints.passed(_with_defaults(state, place), end) for state in (self._before, later))
            if not now <= (allowed := old | self._new[end]):
                yield self._at(end, now - allowed, opens=True)

    def _alone(self, now: dict[Checkpoint, Packets], network: Network, later: Network) -> Iterator[Breach]:
        for end, packets in now.items():
            old, new, kept = self._was(end, later), self._new[end], self._kept[end]
            opened = NOTHING if packets <= old | new or end.side == REPLIES else packets - (old | new)
            cut = NOTHING if kept <= packets else kept - packets
            if opened or cut:
                if opened := opened - self._let_through(network, end):
                    yield self._at(end, opened, opens=True)
                if cut := cut & (EVERYTHING if self.blind else self._checkpoints.passed(network, end)):
                    yield self._at(end, cut, opens=False)

    def _by_both(self, now: dict[Checkpoint, Packets], later: _State, network: Network) -> Iterator[Breach]:
        """What a machine of a group in a subnet lets through, if its group is ahead and the subnet behind, or the other
        way round.
        """
        found: dict[Checkpoint, None] = {}
        for end in now:
            others = self._filters if end.place != NEAR else self._subnets
            for other in others if end.machine not in self._databases else ():
                mine, theirs = later.excess[end], later.excess[other]
                if other.side == end.side and (meet(mine.ahead, theirs.behind) or meet(mine.behind, theirs.ahead)):
                    found[_both(end, other)] = None
        for both in found:
            packets, allowed = self._checkpoints.passed(later.network, both), self._allowed(both, later.network)
            if not packets <= allowed and (opened := packets - allowed - self._let_through(network, both)):
                yield self._at(both, opened, opens=True)

    def _let_through(self, network: Network, end: Checkpoint) -> Packets:
        """What a call before has let through already, after a release by a person; there is none while something could
        not be read.
        """
        return NOTHING if self.blind else self._checkpoints.passed(network, end)

    def _allowed(self, end: Checkpoint, later: Network) -> Packets:
        return self._was(end, later) | self._checkpoints.passed(self._wanted, end, unknown=False)

    def _between_groups(self, now: dict[Checkpoint, Packets], network: Network, later: Network) -> Iterator[Breach]:
        """A machine with two groups: what one no longer lets through, and the other does not let through yet."""
        for end, packets in now.items():
            if not end.machine or end.machine in self._databases:
                continue
            gone = (self._checkpoints.passed(network, end) - packets) & self._old[end]
            for other in self._filters if gone else ():
                if (
                    other.side != end.side
                    or other.machine == end.machine
                    or not meet(gone.traffic, self._coming[other])
                ):
                    continue
                for carried in ({end.carried}, {other.carried}, {end.carried, other.carried}):
                    kept, passed = self._kept_by(end, other, carried, later)
                    if not kept <= passed and (cut := (kept - passed) & self._kept_by(end, other, carried, network)[1]):
                        yield self._at(end, cut, opens=False)

    def _kept_by(
        self, end: Checkpoint, other: Checkpoint, carried: set[str], later: Network
    ) -> tuple[Packets, Packets]:
        """What machines with both groups must let through because of the other one, and what they do, of the packets of
        machines that carry all of `carried`.
        """

        def of(network: Network, *groups: Address) -> Packets:
            names = frozenset().union(*(self._checkpoints.carried(network, one) for one in carried))
            return of_groups(network, groups, end.side, names)

        return of(self._before, end.machine) & of(self._final, other.machine), of(later, end.machine, other.machine)

    def _between_ends(self, now: dict[Checkpoint, Packets], later: _State) -> Iterator[Breach]:
        """Two ends of which one is ahead and the other behind: what both let through, and neither state did."""
        pairs: dict[tuple[Checkpoint, Checkpoint], None] = {}
        for end in now:
            mine = later.excess[end]
            for other, theirs in later.excess.items() if mine.ahead or mine.behind else ():
                if other.side == end.side or not (end.public and other.public):
                    continue
                if mine.ahead and theirs.behind and meet(mine.ahead, theirs.behind):
                    pairs |= dict.fromkeys(self._pairs(end, other, later.network))
                if mine.behind and theirs.ahead and meet(mine.behind, theirs.ahead):
                    pairs |= dict.fromkeys(self._pairs(other, end, later.network))
        for ahead, behind in pairs:
            here, there = self._from(ahead, behind, later.network), self._from(behind, ahead, later.network)
            if meet((here.now - here.old).traffic, (there.now - there.new).traffic):
                yield self._at(ahead, here.now - here.old, opens=True)

    def _pairs(self, ahead: Checkpoint, behind: Checkpoint, later: Network) -> Iterator[tuple[Checkpoint, Checkpoint]]:
        """The pairs of machines that such ends stand for, if they can exchange packets: a group and a subnet are both
        asked by a machine of the group in any other subnet.
        """
        if not (
            self._checkpoints.carries(behind, ahead.carried, later)
            and self._checkpoints.carries(ahead, behind.carried, later)
        ):
            return
        if (ahead.place == NEAR) == (behind.place == NEAR):
            if ahead.place == NEAR or ahead.place != behind.place:
                yield ahead, behind
        elif ahead.place == NEAR:
            yield from (
                (ahead._replace(place=place), behind) for place in self._places_of(ahead) if place != behind.place
            )
        else:
            yield from (
                (ahead, behind._replace(place=place)) for place in self._places_of(behind) if place != ahead.place
            )

    def _places_of(self, end: Checkpoint) -> Iterable[Address]:
        """Where the machines of an end without a place may be; those of a DB instance have ends with their places."""
        return () if end.machine in self._databases else self._checkpoints.places

    def _from(self, end: Checkpoint, other: Checkpoint, later: Network) -> _Passed:
        addresses = self._checkpoints.addresses(other.place, later)
        old = self._was(end, later, other=other.machine) & addresses
        new, now = (
            self._checkpoints.passed(state, end, unknown=unknown, other=other.machine) & addresses
            for state, unknown in ((self._wanted, False), (later, True))
        )
        return _Passed(old, new, now)

    def _at(self, end: Checkpoint, packets: Packets, *, opens: bool) -> Breach:
        packet = packets.example("to" if end.side == "egress" else "from")
        where = "" if end.place == NEAR else f" in {end.place}"
        who = end.machine or f"machines{'' if end.public else ' without a public address'}"
        message = f"it would {'let through' if opens else 'cut'} {packet} for {who}{where}"
        if opens and self._unread and packets <= self._checkpoints.passed(self._wanted, end):
            message += f", as far as can be told while {min(self._unread)} is not known"
        return Breach(Reason.WOULD_OPEN if opens else Reason.WOULD_CUT, end.machine, message)

    def _excess(self, packets: Packets, end: Checkpoint, network: Network) -> Excess:
        if end.side == REPLIES:
            return Excess((), ())
        return Excess((packets - self._was(end, network)).traffic, (packets - self._new[end]).traffic)

    def _was(self, end: Checkpoint, later: Network, *, other: Address = ANY_MACHINE) -> Packets:
        """What an end let through before the plan, as far as what could not be read lets it through the same later."""
        if other or end not in self._old or self._unread:
            return self._checkpoints.passed(self._before, end, other=other, later=later if self._unread else None)
        return self._old[end]


def _both(one: Checkpoint, other: Checkpoint) -> Checkpoint:
    """The machines of a group, in a subnet."""
    group, subnet = (one, other) if one.machine else (other, one)
    return group._replace(place=subnet.place, public=subnet.public)


def _with_defaults(network: Network, subnet: Address) -> Network:
    """The network, if a subnet of which it is not known what it uses uses the main table and the default ACL."""
    used = (TABLE_OF, network.table_of(subnet), MAIN), (ACL_OF, network.acl_of(subnet), DEFAULT_ACL)
    return network.after((cell, subnet, network[default].get(OF_VPC)) for cell, at_, default in used if at_ == NOWHERE)


class _Passed(NamedTuple):
    """What an end lets through before the plan, in the end, and now."""

    old: Packets
    new: Packets
    now: Packets


class _State(NamedTuple):
    """A state that the network may be in, and how each end stands in it."""

    network: Network
    excess: dict[Checkpoint, Excess]


class _After(NamedTuple):
    """What a call makes of a state, and what the ends that it touches let through then."""

    now: dict[Checkpoint, Packets]
    later: _State
