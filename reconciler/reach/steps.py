"""Whether a call may come next: the network judged from end to end, in every state between two calls of a plan. Pure.

Two rules hold for any two ends, whether or not an intent names them:

- No exposure: a call lets through no packet that neither the state before the plan nor the document lets through.
- No outage: a call cuts no packet that both let through.

A packet passes the groups, the ACL and the routes of both its ends. An end is a machine of a subnet with one of the
groups that the plan changes, or with any other (whose groups stay as they are, so that they may be taken to let through
everything), or a DB instance. At one end, a state must keep both rules by itself. Two ends together can still
break the first: when one already lets through what only the document does, and the other still what only the state
before did. A machine with several groups can still break the second: when what one of them no longer lets through, the
other does not let through yet. One group at a time is enough for the first rule, and two for the second, because groups
only allow.

What could not be read may let through anything before and now, and nothing that the document wants: so nothing is
opened that passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from desired_state.fields import Address, is_cidr
from reconciler.model import Action, Cause, Effect, Reason
from reconciler.packets.traffic import EVERYTHING, NOTHING, Cuts, Packets, meet
from reconciler.reach.layers import at, of_acl_at, of_groups, of_routes_at, routes_unknown
from reconciler.reach.network import (
    GROUPS_OF,
    PLACE_OF,
    PUBLIC,
    SIDES,
    SUBNETS_OF,
    Network,
    Table,
    is_prefix_list,
    rules,
)

REPLIES = "replies"
NEAR = Address("subnet/*")
"""The place of a machine that exchanges packets with another of its own subnet: no ACL and no route is asked."""
UNKNOWN = Address("subnet/?")
"""Where machines may be if the subnets could not be read."""
MOST_STATES = 8
"""How many states the network may be in, after calls whose outcome is not known, before nothing more may be done."""

_DATABASE = frozenset({Table.GROUPS_OF, Table.PLACE_OF, Table.PUBLIC, Table.SUBNETS_OF})


class End(NamedTuple):
    """Machines in one place (a subnet, or NEAR) that are alike, seen in one direction.

    The direction REPLIES is of packets that only answer, which no group asks about.

    `machine` is a group that they have, a DB instance, or empty for machines of which no group changes. `carried` is
    what the other end is taken to have: a group, or an address in a prefix list; empty: neither. A DB instance as
    `carried` is the other end, with the groups that it has in each state.
    """

    place: Address
    machine: Address
    side: str
    carried: str = ""


ANY_MACHINE = Address("")


class Standing(NamedTuple):
    """How an end stands in one state: the traffic that it lets through and did not before (`ahead`), and that which it
    lets through and will not in the end (`behind`).
    """

    ahead: Cuts
    behind: Cuts


class Breach(NamedTuple):
    """How a call would break a rule.

    `reason` is WOULD_OPEN, WOULD_CUT, or HELD_BY_INTENT; `machine` is the group or DB instance at which it would, if it
    is one.
    """

    reason: Reason
    machine: Address
    message: str

    def cause(self, unless: str) -> Cause:
        """Why the call is not made; `unless` says what would have to be so. For an intent, nothing would do."""
        held = self.reason is Reason.HELD_BY_INTENT
        return Cause(self.reason, self.message if held else f"{self.message}{unless}")


type Forbids = Callable[[Network], Callable[[Network], Breach | None]]
"""Makes, of the live network, what an intent of the document has against any other state of it (None: nothing)."""


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
        self._forbids = forbids(self._before) if forbids else lambda later: None
        self._wanted = self._before.after(effects)
        self._final = self._wanted
        if coming is not None:
            self._final = self._before.after(effect for action in coming for effect in action.effect)
        changed = dict.fromkeys(cell.of for cell, _, _ in effects if cell.table is Table.RULES)
        self._groups = [at_ for at_ in changed if any(rules(at_, side) in self._before for side in SIDES)]
        self._databases = _changed_databases(effects, self._before, self._wanted)
        self._places = [*self._before.subnets, *([UNKNOWN] if self._before.blind("subnet") else [])]
        self._ends = list(dict.fromkeys(self._all_ends()))
        self._subnets = [end for end in self._ends if not end.machine and end.side != REPLIES]
        self._filters = [end for end in self._ends if end.machine and end.machine not in self._databases]
        self._old = {end: self._passed(self._before, end) for end in self._ends}
        self._new = {end: self._passed(self._wanted, end, unknown=False) for end in self._ends}
        final = {end: self._passed(self._final, end) for end in self._ends}
        self._kept = {end: old & final[end] for end, old in self._old.items()}
        self._coming = {end: (final[end] - old).traffic for end, old in self._old.items()}
        self._judged: tuple[Action, list[_After]] | None = None
        self._states = [_State(self._before, {end: self._standing(self._old[end], end) for end in self._ends})]

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

    @property
    def lost(self) -> bool:
        """Whether too little is known of the network's state to do anything else."""
        return not self._idle and len(self._states) > MOST_STATES

    def _after(self, state: _State, action: Action) -> _After:
        later = state.network.after(action.effect)
        now = {end: self._passed(later, end) for end in self._touched(action.effect, state.network, later)}
        standing = state.standing | {end: self._standing(packets, end) for end, packets in now.items()}
        return _After(now, _State(later, standing))

    def _broken(self, network: Network, action: Action, now: dict[End, Packets], later: _State) -> Breach | None:
        return (
            next(self._through_unknown_routes(action.effect, later.network), None)
            or next(self._alone(now), None)
            or next(self._by_both(now, later), None)
            or next(self._between_groups(now, network, later.network), None)
            or next(self._between_ends(now, later), None)
            or self._forbids(later.network)
        )

    def _through_unknown_routes(self, effects: Iterable[Effect], later: Network) -> Iterator[Breach]:
        """A target that becomes usable opens every route to it, also in a table that could not be read."""
        targets = [member for cell, member, value in effects if cell.table is Table.USABLE and value]
        blind = next((place for place in self._places if routes_unknown(later, place)), None) if targets else None
        if blind:
            message = f"it would let through what is routed to {targets[0]} in {blind}, whose routes could not be read"
            yield Breach(Reason.WOULD_OPEN, ANY_MACHINE, message)

    def _alone(self, now: dict[End, Packets]) -> Iterator[Breach]:
        for end, packets in now.items():
            old, new, kept = self._old[end], self._new[end], self._kept[end]
            if not packets <= (old | new) and end.side != REPLIES:
                yield self._at(end, packets - (old | new), opens=True)
            if not kept <= packets:
                yield self._at(end, kept - packets, opens=False)

    def _by_both(self, now: dict[End, Packets], later: _State) -> Iterator[Breach]:
        """What a machine of a group in a subnet lets through, if its group is ahead and the subnet behind, or the other
        way round.
        """
        found: dict[End, None] = {}
        for end in now:
            others = self._filters if end.place != NEAR else self._subnets
            for other in others if end.machine not in self._databases else ():
                mine, theirs = later.standing[end], later.standing[other]
                if other.side == end.side and (meet(mine.ahead, theirs.behind) or meet(mine.behind, theirs.ahead)):
                    found[_both(end, other)] = None
        for both in found:
            if not (packets := self._passed(later.network, both)) <= (allowed := self._allowed(both)):
                yield self._at(both, packets - allowed, opens=True)

    def _allowed(self, end: End) -> Packets:
        return self._passed(self._before, end) | self._passed(self._wanted, end, unknown=False)

    def _between_groups(self, now: dict[End, Packets], network: Network, later: Network) -> Iterator[Breach]:
        """A machine with two groups: what one no longer lets through, and the other does not let through yet."""
        for end, packets in now.items():
            if not end.machine or end.machine in self._databases:
                continue
            gone = (self._passed(network, end) - packets) & self._old[end]
            for other in self._filters if gone else ():
                if (
                    other.side != end.side
                    or other.machine == end.machine
                    or not meet(gone.traffic, self._coming[other])
                ):
                    continue
                for carried in ({end.carried}, {other.carried}, {end.carried, other.carried}):
                    kept, passed = self._kept_by(end, other, carried, later)
                    if not kept <= passed:
                        yield self._at(end, kept - passed, opens=False)

    def _kept_by(self, end: End, other: End, carried: set[str], later: Network) -> tuple[Packets, Packets]:
        """What machines with both groups must let through because of the other one, and what they do, of the packets of
        machines that carry all of `carried`.
        """

        def of(network: Network, *groups: Address) -> Packets:
            names = frozenset().union(*(self._carried(network, one) for one in carried))
            return of_groups(network, groups, end.side, names)

        return of(self._before, end.machine) & of(self._final, other.machine), of(later, end.machine, other.machine)

    def _between_ends(self, now: dict[End, Packets], later: _State) -> Iterator[Breach]:
        """Two ends of which one is ahead and the other behind: what both let through, and neither state did."""
        pairs: dict[tuple[End, End], None] = {}
        for end in now:
            mine = later.standing[end]
            for other, theirs in later.standing.items() if mine.ahead or mine.behind else ():
                if other.side == end.side:
                    continue
                if meet(mine.ahead, theirs.behind):
                    pairs |= dict.fromkeys(self._pairs(end, other, later.network))
                if meet(mine.behind, theirs.ahead):
                    pairs |= dict.fromkeys(self._pairs(other, end, later.network))
        for ahead, behind in pairs:
            here, there = self._from(ahead, behind, later.network), self._from(behind, ahead, later.network)
            if meet((here.now - here.old).traffic, (there.now - there.new).traffic):
                yield self._at(ahead, here.now - here.old, opens=True)

    def _pairs(self, ahead: End, behind: End, later: Network) -> Iterator[tuple[End, End]]:
        """The pairs of machines that such ends stand for, if they can exchange packets: a group and a subnet are both
        asked by a machine of the group in any other subnet.
        """
        if not (self._carries(behind, ahead.carried, later) and self._carries(ahead, behind.carried, later)):
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

    def _places_of(self, end: End) -> Iterable[Address]:
        """Where the machines of an end without a place may be; those of a DB instance have ends with their places."""
        return () if end.machine in self._databases else self._places

    def _from(self, end: End, other: End, later: Network) -> _Passed:
        addresses = self._addresses(other.place, later)
        old, new, now = (
            self._passed(state, end, unknown=unknown, other=other.machine) & addresses
            for state, unknown in ((self._before, True), (self._wanted, False), (later, True))
        )
        return _Passed(old, new, now)

    @staticmethod
    def _at(end: End, packets: Packets, *, opens: bool) -> Breach:
        packet = packets.example("to" if end.side == "egress" else "from")
        where = "" if end.place == NEAR else f" in {end.place}"
        message = f"it would {'let through' if opens else 'cut'} {packet} for {end.machine or 'machines'}{where}"
        return Breach(Reason.WOULD_OPEN if opens else Reason.WOULD_CUT, end.machine, message)

    def _carries(self, end: End, carried: str, network: Network) -> bool:
        if carried in self._databases:
            return end.machine == carried
        groups = network[GROUPS_OF].get(end.machine)
        return groups is None or not carried or carried in groups or is_prefix_list(carried)

    def _standing(self, packets: Packets, end: End) -> Standing:
        if end.side == REPLIES:
            return Standing((), ())
        return Standing((packets - self._old[end]).traffic, (packets - self._new[end]).traffic)

    def _passed(self, network: Network, end: End, *, unknown: bool = True, other: Address = ANY_MACHINE) -> Packets:
        """What an end lets through of the packets of `other` machines; `unknown`: whether what could not be read lets
        through packets.
        """
        subnet = end.place
        groups: Iterable[Address] = (end.machine,)
        public = unknown or not network.blind("db_instance")  # it may be a database that is not to be public
        if end.machine in self._databases:
            subnets = network[SUBNETS_OF].get(network[PLACE_OF].get(end.machine), ())
            if not subnets or (subnet != NEAR and subnet not in subnets):
                return NOTHING
            groups, public = network[GROUPS_OF].get(end.machine, ()), end.machine in network[PUBLIC]
        by_groups = EVERYTHING if end.machine else self._any_machine(network, unknown=unknown)
        if end.machine:
            carried = self._carried(network, end.carried) | self._carried(network, other)
            by_groups = of_groups(network, groups, end.side, carried)
        if subnet == NEAR:
            return by_groups
        acl = of_acl_at(network, subnet, _acl_side(end))
        by_acl = acl if acl is not None else EVERYTHING if unknown else NOTHING
        inwards = end.side == "ingress"
        return by_groups & by_acl & of_routes_at(network, subnet, inwards=inwards, public=public, unknown=unknown)

    def _carried(self, network: Network, carried: str) -> frozenset[str]:
        return frozenset(network[GROUPS_OF].get(carried, ()) if carried in self._databases else {carried})

    @staticmethod
    def _any_machine(network: Network, *, unknown: bool) -> Packets:
        return EVERYTHING if unknown or not network.blind("security_group") else NOTHING

    def _addresses(self, place: Address, network: Network) -> Packets:
        return at(tuple(sorted(network.local)) if place == NEAR else network.subnets.get(place, ()))

    def _all_ends(self) -> Iterator[End]:
        """One for each subnet, one for each group, and those of changing DB instances. What a machine of a group in a
        subnet lets through follows from two of them (`_by_both`).
        """
        for place in self._places:
            yield from (End(place, ANY_MACHINE, side) for side in (*SIDES, REPLIES))
        for group, side in product(self._groups, SIDES):
            yield from (End(NEAR, group, side, peer) for peer in ("", *self._peers(group, side)))
        for database, side in product(self._databases, SIDES):
            states = (self._before, self._wanted)
            groups = sorted({group for state in states for group in state[GROUPS_OF].get(database, ())})
            used = {at_ for state in states for at_ in state[SUBNETS_OF].get(state[PLACE_OF].get(database), ())}
            peers = dict.fromkeys(peer for group in groups for peer in self._peers(group, side))
            for place in (*sorted(used), NEAR):
                yield from (End(place, database, side, peer) for peer in ("", *peers))
            yield from self._ends_that_name(database, side)

    def _ends_that_name(self, database: Address, side: str) -> Iterator[End]:
        """Machines whose rules name a group that the plan gives to a DB instance, or takes from it."""
        old, new = (frozenset(state[GROUPS_OF].get(database, ())) for state in (self._before, self._wanted))
        if changed := old ^ new:
            groups = {cell.of for cell in self._before.cells if cell.table is Table.RULES and cell.side == side}
            named = sorted(group for group in groups if changed.intersection(self._peers(group, side)))
            yield from (End(NEAR, group, side, database) for group in named)

    def _peers(self, group: Address, side: str) -> list[str]:
        """The groups and prefix lists that the rules of a group name."""
        states = (self._before, self._wanted)
        return sorted({key.peer for state in states for key in state.rules(group, side) if not is_cidr(key.peer)})

    def _touched(self, effects: Iterable[Effect], now: Network, later: Network) -> Iterator[End]:
        """The ends at which something else may pass after these effects."""
        cells = {cell for cell, _, _ in effects}
        tables = {cell.table for cell in cells}
        acls = {(cell.of, cell.side) for cell in cells if cell.table is Table.ENTRIES}
        routed = {cell.of for cell in cells if cell.table in {Table.ROUTES, Table.ROUTES_BY_AWS}}
        groups = {(cell.of, cell.side) for cell in cells if cell.table is Table.RULES}
        anywhere = bool(tables & {Table.USABLE, Table.LOCAL, Table.SUBNETS, Table.DEFAULT_ACL})
        moved = {
            place
            for place in {end.place for end in self._ends if end.place != NEAR}
            if anywhere
            or now.acl_of(place) != later.acl_of(place)
            or now.table_of(place) != later.table_of(place)
            or later.table_of(place) in routed
        }
        of_databases = bool(tables & _DATABASE)
        for end in self._ends:
            if (
                (end.machine, end.side) in groups
                or (end.place != NEAR and (end.place in moved or (later.acl_of(end.place), _acl_side(end)) in acls))
                or (end.machine in self._databases and (of_databases or not groups.isdisjoint(_of(end, now, later))))
                or (of_databases and end.carried in self._databases)
            ):
                yield end


def _of(end: End, *networks: Network) -> Iterator[tuple[Address, str]]:
    """The groups of a DB instance, with the direction of an end."""
    yield from ((group, end.side) for network in networks for group in network[GROUPS_OF].get(end.machine, ()))


def _both(one: End, other: End) -> End:
    """The machines of a group, in a subnet."""
    group, subnet = (one, other) if one.machine else (other, one)
    return group._replace(place=subnet.place)


def _acl_side(end: End) -> str:
    return "ingress" if end.side == REPLIES else end.side


class _Passed(NamedTuple):
    """What an end lets through before the plan, in the end, and now."""

    old: Packets
    new: Packets
    now: Packets


class _State(NamedTuple):
    """A state that the network may be in, and how each end stands in it."""

    network: Network
    standing: dict[End, Standing]


class _After(NamedTuple):
    """What a call makes of a state, and what the ends that it touches let through then."""

    now: dict[End, Packets]
    later: _State


def _changed_databases(effects: Iterable[Effect], before: Network, wanted: Network) -> list[Address]:
    """The DB instances of which the plan changes the groups, the subnets, or whether they are public. Others are
    machines like any other.
    """
    members = {member for cell, member, _ in effects if cell.table in _DATABASE}
    places = {state[PLACE_OF].get(at_): at_ for state in (before, wanted) for at_ in state[PLACE_OF]}
    return sorted({places.get(member, member) for member in members if member in places or member in places.values()})
