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
opened that passes it. It lets through the same before and now, unless the plan changes what it depends on: the subnet
leaves an ACL or a table that could not be read, or a machine becomes public behind routes that could not be. A declared
DB instance that could not be read may be any machine, so nothing at all is opened meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from desired_state.fields import NOWHERE, Address, is_cidr
from reconciler.model import Action, Cause, Effect, Reason
from reconciler.packets.traffic import EVERYTHING, NOTHING, Cuts, Packets, meet
from reconciler.reach.layers import at, of_acl_at, of_groups, of_routes_at, routes_unknown
from reconciler.reach.network import (
    ACL_OF,
    BLACKHOLE,
    DEFAULT_ACL,
    GROUPS_OF,
    MAIN,
    OF_VPC,
    PLACE_OF,
    PUBLIC,
    SIDES,
    SUBNETS_OF,
    TABLE_OF,
    UNREADABLE,
    Cell,
    Network,
    Table,
    is_internet_gateway,
    is_prefix_list,
    routes,
    routes_by_aws,
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
    `carried` is the other end, with the groups that it has in each state. `public` is for machines with a public
    address, which is of no consequence to packets inside the VPC; that of a DB instance follows from its state.
    """

    place: Address
    machine: Address
    side: str
    carried: str = ""
    public: bool = True


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
        self._unread = self._before[UNREADABLE]
        self._databases_unread = any(at_.kind == "db_instance" and not at_.endswith("/*") for at_ in self._unread)
        self._forbids = forbids(self._before) if forbids else lambda later, action: None
        self._wanted = self._before.after(effects)
        self._final = self._wanted
        if coming is not None:
            self._final = self._before.after(effect for action in coming for effect in action.effect)
        changed = dict.fromkeys(cell.of for cell, _, _ in effects if cell.table is Table.RULES)
        self._groups = sorted(at_ for at_ in changed if any(rules(at_, side) in self._before for side in SIDES))
        self._databases = _changed_databases(effects, self._before, self._wanted)
        self._places = [*sorted(self._before.subnets), *([UNKNOWN] if self._before.blind("subnet") else [])]
        self._ends = list(dict.fromkeys(self._all_ends(effects)))
        self._subnets = [end for end in self._ends if not end.machine and end.side != REPLIES]
        self._filters = [end for end in self._ends if end.machine and end.machine not in self._databases]
        self._old = {end: self._passed(self._before, end) for end in self._ends}
        self._new = {end: self._passed(self._wanted, end, unknown=False) for end in self._ends}
        final = {end: self._passed(self._final, end) for end in self._ends}
        self._kept = {end: old & final[end] for end, old in self._old.items()}
        self._coming = {end: (final[end] - old).traffic for end, old in self._old.items()}
        self._judged: tuple[Action, list[_After]] | None = None
        standing = {end: self._standing(self._old[end], end, self._before) for end in self._ends}
        self._states = [_State(self._before, standing)]

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
        now = {end: self._passed(later, end) for end in self._touched(action.effect, state.network, later)}
        standing = state.standing | {end: self._standing(packets, end, later) for end, packets in now.items()}
        return _After(now, _State(later, standing))

    def _broken(self, network: Network, action: Action, now: dict[End, Packets], later: _State) -> Breach | None:
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
        blind = next((place for place in self._places if routes_unknown(later, place)), None) if targets else None
        if blind:
            message = f"it would let through what is routed to {targets[0]} in {blind}, whose routes could not be read"
            yield Breach(Reason.WOULD_OPEN, ANY_MACHINE, message)

    def _by_default(self, later: Network) -> Iterator[Breach]:
        """A subnet of which it is not known what it uses may use the main table or the default ACL, whose routes and
        entries may be known, and change.
        """
        places = self._places if self._unread else ()
        unplaced = [at_ for at_ in places if NOWHERE in (later.table_of(at_), later.acl_of(at_))]
        for place, side in product(unplaced, SIDES):
            end = End(place, ANY_MACHINE, side)
            old, now = (self._passed(_with_defaults(state, place), end) for state in (self._before, later))
            if not now <= (allowed := old | self._new[end]):
                yield self._at(end, now - allowed, opens=True)

    def _alone(self, now: dict[End, Packets], network: Network, later: Network) -> Iterator[Breach]:
        for end, packets in now.items():
            old, new, kept = self._was(end, later), self._new[end], self._kept[end]
            opened = NOTHING if packets <= old | new or end.side == REPLIES else packets - (old | new)
            cut = NOTHING if kept <= packets else kept - packets
            if opened or cut:
                if opened := opened - self._let_through(network, end):
                    yield self._at(end, opened, opens=True)
                if cut := cut & (EVERYTHING if self.blind else self._passed(network, end)):
                    yield self._at(end, cut, opens=False)

    def _by_both(self, now: dict[End, Packets], later: _State, network: Network) -> Iterator[Breach]:
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
            packets, allowed = self._passed(later.network, both), self._allowed(both, later.network)
            if not packets <= allowed and (opened := packets - allowed - self._let_through(network, both)):
                yield self._at(both, opened, opens=True)

    def _let_through(self, network: Network, end: End) -> Packets:
        """What a call before has let through already, after a release by a person; there is none while something could
        not be read.
        """
        return NOTHING if self.blind else self._passed(network, end)

    def _allowed(self, end: End, later: Network) -> Packets:
        return self._was(end, later) | self._passed(self._wanted, end, unknown=False)

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
                    if not kept <= passed and (cut := (kept - passed) & self._kept_by(end, other, carried, network)[1]):
                        yield self._at(end, cut, opens=False)

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
                if other.side == end.side or not (end.public and other.public):
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
        old = self._was(end, later, other=other.machine) & addresses
        new, now = (
            self._passed(state, end, unknown=unknown, other=other.machine) & addresses
            for state, unknown in ((self._wanted, False), (later, True))
        )
        return _Passed(old, new, now)

    def _at(self, end: End, packets: Packets, *, opens: bool) -> Breach:
        packet = packets.example("to" if end.side == "egress" else "from")
        where = "" if end.place == NEAR else f" in {end.place}"
        who = end.machine or f"machines{'' if end.public else ' without a public address'}"
        message = f"it would {'let through' if opens else 'cut'} {packet} for {who}{where}"
        if opens and self._unread and packets <= self._passed(self._wanted, end):
            message += f", as far as can be told while {min(self._unread)} is not known"
        return Breach(Reason.WOULD_OPEN if opens else Reason.WOULD_CUT, end.machine, message)

    def _carries(self, end: End, carried: str, network: Network) -> bool:
        if carried in self._databases:
            return end.machine == carried
        groups = network[GROUPS_OF].get(end.machine)
        return groups is None or not carried or carried in groups or is_prefix_list(carried)

    def _standing(self, packets: Packets, end: End, network: Network) -> Standing:
        if end.side == REPLIES:
            return Standing((), ())
        return Standing((packets - self._was(end, network)).traffic, (packets - self._new[end]).traffic)

    def _was(self, end: End, later: Network, *, other: Address = ANY_MACHINE) -> Packets:
        """What an end let through before the plan, as far as what could not be read lets it through the same later."""
        if other or end not in self._old or self._unread:
            return self._passed(self._before, end, other=other, later=later if self._unread else None)
        return self._old[end]

    def _passed(
        self,
        network: Network,
        end: End,
        *,
        unknown: bool = True,
        other: Address = ANY_MACHINE,
        later: Network | None = None,
    ) -> Packets:
        """What an end lets through of the packets of `other` machines.

        `unknown`: whether what could not be read lets through packets; with `later`, only if it does so in that state
        too, whatever it says.
        """
        subnet = end.place
        groups: Iterable[Address] = (end.machine,)
        public = end.public
        if self._databases_unread and not unknown:
            return NOTHING
        if end.machine in self._databases:
            if not self._stands(network, end, unknown=unknown):
                return NOTHING
            groups, public = network[GROUPS_OF].get(end.machine, ()), end.machine in network[PUBLIC]
        by_groups = EVERYTHING if end.machine else self._any_machine(network, unknown=unknown)
        if end.machine and not (unknown and self._joins_unread(network, end.machine)):
            carried = self._carried(network, end.carried) | self._carried(network, other)
            by_groups = of_groups(network, groups, end.side, carried)
        if subnet == NEAR:
            return by_groups
        acl = of_acl_at(network, subnet, _acl_side(end))
        same_acl = unknown and (not later or later.acl_of(subnet) == network.acl_of(subnet))
        by_acl = acl if acl is not None else EVERYTHING if same_acl else NOTHING
        same_routes = unknown and (not later or self._same_routes(network, later, end))
        inwards = end.side == "ingress"
        return by_groups & by_acl & of_routes_at(network, subnet, inwards=inwards, public=public, unknown=same_routes)

    def _stands(self, network: Network, end: End, *, unknown: bool) -> bool:
        """Whether a DB instance is in the place of this end; if its subnets could not be read, it may be in any."""
        subnets = self._subnets_of(network, end.machine)
        if subnets is None:
            return unknown
        return bool(subnets) and (end.place == NEAR or end.place in subnets)

    @staticmethod
    def _subnets_of(network: Network, database: Address) -> Iterable[Address] | None:
        """The subnets of a DB instance; None if they are not known."""
        found: Iterable[Address] | None = network[SUBNETS_OF].get(network[PLACE_OF].get(database))
        if found is None and database in network[GROUPS_OF] and network.blind("db_subnet_group"):
            return None
        return found or ()

    def _joins_unread(self, network: Network, machine: Address) -> bool:
        """Whether a DB instance has a group that could not be read, and did not have it before. One that it keeps adds
        the same before and now.
        """
        groups = network[GROUPS_OF].get(machine, ()) if self._unread and machine in self._databases else ()
        return any(group in self._unread for group in groups if group not in self._before[GROUPS_OF].get(machine, ()))

    @staticmethod
    def _same_routes(network: Network, later: Network, end: End) -> bool:
        """Whether routes that could not be read pass the same in both states."""
        return network[TABLE_OF].get(end.place) == later[TABLE_OF].get(end.place) and (
            end.machine in network[PUBLIC] or end.machine not in later[PUBLIC]
        )

    def _carried(self, network: Network, carried: str) -> frozenset[str]:
        return frozenset(network[GROUPS_OF].get(carried, ()) if carried in self._databases else {carried})

    @staticmethod
    def _any_machine(network: Network, *, unknown: bool) -> Packets:
        return EVERYTHING if unknown or not network.blind("security_group") else NOTHING

    def _addresses(self, place: Address, network: Network) -> Packets:
        return at(tuple(sorted(network.local)) if place == NEAR else network.subnets.get(place, ()))

    def _all_ends(self, effects: Iterable[Effect]) -> Iterator[End]:
        """One for each subnet, one for each group, and those of changing DB instances. What a machine of a group in a
        subnet lets through follows from two of them (`_by_both`).
        """
        changed = {cell for cell, _, _ in effects}
        for place in self._places:
            private = (False,) if self._other_ways(place, changed) else ()
            for side, public in product((*SIDES, REPLIES), (True, *private)):
                yield End(place, ANY_MACHINE, side, public=public)
        for group, side in product(self._groups, SIDES):
            yield from (End(NEAR, group, side, peer) for peer in ("", *self._peers(group, side)))
        for database, side in product(self._databases, SIDES):
            states = (self._before, self._wanted)
            groups = sorted({group for state in states for group in state[GROUPS_OF].get(database, ())})
            found = [self._subnets_of(state, database) for state in states]
            used = set(self._places) if None in found else {at_ for some in found for at_ in some or ()}
            peers = dict.fromkeys(peer for group in groups for peer in self._peers(group, side))
            for place in (*sorted(used), NEAR):
                yield from (End(place, database, side, peer) for peer in ("", *peers))
            yield from self._ends_that_name(database, side)

    def _other_ways(self, place: Address, changed: set[Cell]) -> bool:
        """Whether the plan may exchange, for a subnet, an internet gateway, which hands on nothing for a machine
        without a public address, and another way out, such as a NAT gateway, which does. Otherwise what holds for a
        machine with a public address holds for one without.
        """
        states = (self._before, self._wanted)
        tables = {state.table_of(place) for state in states}
        if len(tables) > 1:
            tables |= {state[MAIN].get(OF_VPC, NOWHERE) for state in states}
        elif changed.isdisjoint(cell for table in tables for cell in (routes(table), routes_by_aws(table))):
            return False
        ways = {via for state in states for table in tables for to, via in state.routes(table).items() if ":" not in to}
        gateways = {via for via in ways if is_internet_gateway(via)}
        return bool(gateways and ways - gateways - {BLACKHOLE})

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
    return group._replace(place=subnet.place, public=subnet.public)


def _with_defaults(network: Network, subnet: Address) -> Network:
    """The network, if a subnet of which it is not known what it uses uses the main table and the default ACL."""
    used = (TABLE_OF, network.table_of(subnet), MAIN), (ACL_OF, network.acl_of(subnet), DEFAULT_ACL)
    return network.after((cell, subnet, network[default].get(OF_VPC)) for cell, at_, default in used if at_ == NOWHERE)


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
