"""The live resources of one kind, as the rules ask about them: whose, tagged how, used by what, reading as what."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import Resource
from desired_state.spelling import spelled_resource
from reconciler.engine.diff import differences
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Cause, Difference, Evidence, Found, Observed, Reason
from reconciler.model.kind import Kind, ObserveContext
from reconciler.model.read import Item

NEW = "new"
"""In `adopt`: create it, although something live could be it."""
WEAK = frozenset({Evidence.NAME, Evidence.SEATS})


class Live(NamedTuple):
    """A live resource: `tagged` is the declared resource that its tags name, `stale` the name in its tags if that is
    declared no more. `account` and `owner` are the other account or the other document that it belongs to.
    """

    item: Item
    id: str
    tagged: Address | None
    stale: str
    account: str
    owner: str

    @property
    def foreign(self) -> str:
        """Whose it is; empty if it is this document's, or nobody's."""
        if self.account:
            return f"it belongs to the account {self.account}"
        return f"it belongs to the document {self.owner!r}" if self.owner else ""

    @property
    def free(self) -> bool:
        """Whether weak evidence may find it: it is nobody's, or has a name that this document declares no more."""
        return not self.foreign and not self.tagged


class Match(NamedTuple):
    """A live resource that is a declared one, and what says so."""

    live: Live
    found: Found

    @property
    def item(self) -> Item:
        return self.live.item


@dataclass
class Identified:
    """The result for one kind.

    `problems` says why an address is neither found nor created, and `candidates` has the ids that may be such an
    address. `copies` are the ids that have the tags of an address and are not it, `spares` those of them that nothing
    uses. `foreign` says of each id of another document or account whose it is. `owned` are this document's, under a
    name that is declared no more. `taken` has the address of each id that is one. `observed` are the models that were
    made to know it, so that none is made twice. `faults` says of an address why it could not be looked for, or what may
    be it and cannot be understood; `aliens` are the ids of all that cannot be, and `placed` those of them that say
    which address they are. `lives` is everything else that there is of the kind.
    """

    matched: dict[Address, Match] = field(default_factory=dict)
    problems: dict[Address, Cause] = field(default_factory=dict)
    candidates: dict[str, Address] = field(default_factory=dict)
    copies: dict[str, Address] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)
    spares: set[str] = field(default_factory=set)
    taken: dict[str, Address] = field(default_factory=dict)
    observed: dict[Address, Observed] = field(default_factory=dict)
    faults: dict[Address, Cause] = field(default_factory=dict)
    aliens: dict[str, Cause] = field(default_factory=dict)
    placed: dict[str, Address] = field(default_factory=dict)
    lives: list[Live] = field(default_factory=list)

    def open(self, address: Address) -> bool:
        """Whether nothing is known of an address yet."""
        return address not in self.matched and address not in self.problems

    def match(self, address: Address, live: Live, found: Found) -> None:
        """That live resource is the address."""
        self.matched[address] = Match(live, found)
        self.taken[live.id] = address

    def unmatch(self, address: Address) -> None:
        """Forget what the address was found to be."""
        if match := self.matched.pop(address, None):
            del self.taken[match.live.id]
            self.observed.pop(address, None)

    def refuse(
        self, address: Address, message: str, lives: Iterable[Live] = (), reason: Reason = Reason.AMBIGUOUS
    ) -> None:
        """Make it a problem of the address; `lives` may be it."""
        self.unmatch(address)
        self.problems[address] = Cause(reason, message)
        for live in lives:
            self.candidates.setdefault(live.id, address)


class Lives:
    """One kind of one look: what is declared of it and what is live, with the questions that the rules ask."""

    def __init__(
        self, kind: Kind, items: Iterable[Item], seen: ObserveContext, without: Container[Address] = ()
    ) -> None:
        self.kind, self.rules, self._seen = kind, kind.identify, seen
        self.document: Document = seen.read.document
        declared, external = seen.read.declared, self.document.external
        self.declared: dict[Address, Resource] = {
            at: self._spelled(at, one, seen.names)
            for at, one in declared.items()
            if at not in external and at not in without
        }
        self.external = [at for at in declared if at in external]
        self._names, self._by_name = self.document.names, self.document.called(kind.name)
        self._owners = {self.document.name, *self.document.formerly}
        self._names_before = dict(seen.names)
        self.all = [self._live(item) for item in items]

    def _live(self, item: Item) -> Live:
        """What a former name of the document tagged is this document's if it declares it, and otherwise still that
        one's: a document takes over part of another in this way.
        """
        tags = self.kind.observe.tags(item) or {}
        owner, account = tags.get(DOCUMENT_TAG), self.rules.owner(item)
        account = "" if account == self.document.scope.account_id else account
        name = tags.get(NAME_TAG, "") if owner in self._owners and not account else ""
        tagged = self._by_name.get(name)
        other = "" if owner is None or owner == self.document.name or tagged else owner
        stale = "" if tagged or other else name
        return Live(item, self.kind.observe.id(item), tagged, stale, account, other)

    def adopted(self, address: Address) -> str:
        """The id that `adopt` names; empty if it names none."""
        target = self.document.adopt.get(address, NEW)
        return "" if target == NEW else target

    def new(self, address: Address) -> bool:
        return self.document.adopt.get(address) == NEW

    @cached_property
    def orders(self) -> Mapping[Address, tuple[Evidence, ...]]:
        """The evidence that can decide about each declared resource, strongest first."""
        return {at: self.rules.order(one) for at, one in self.declared.items()}

    @cached_property
    def weak(self) -> frozenset[Address]:
        """What weak evidence can find."""
        return frozenset(at for at, order in self.orders.items() if not WEAK.isdisjoint(order))

    def label(self, live: Live) -> str:
        return self.kind.observe.label(live.item)

    # By what it is found.

    @cached_property
    def tagged(self) -> Mapping[Address, list[Live]]:
        tagged: dict[Address, list[Live]] = defaultdict(list)
        for one in self.all:
            if one.tagged:
                tagged[one.tagged].append(one)
        return tagged

    def with_key(self, address: Address) -> list[Live]:
        """What AWS's unique key says is this address, under its name or a former one."""
        resource, names = self.declared[address], self._names[address]
        keys = {self.rules.key(name, resource) for name in names}
        order = sorted(keys, key=repr) if len(keys) > 1 else keys
        return [one for key in order if key is not None for one in self._keyed.get(key, ())]

    @cached_property
    def _keyed(self) -> Mapping[Hashable, list[Live]]:
        keyed: dict[Hashable, list[Live]] = defaultdict(list)
        for one in self.all:
            keyed[self.rules.live_key(one.item, self._seen.read)].append(one)
        return keyed

    def is_named(self, address: Address, live: Live) -> bool:
        """Whether its Name tag is a name of the address."""
        return self.label(live) in self._names[address] and self.rules.named(self.declared[address], live.item)

    def is_called(self, address: Address, live: Live) -> bool:
        """Whether its Name tag or its setpoint:name has a name of the address, whoever set it."""
        tags = self.kind.observe.tags(live.item) or {}
        called = not self._names[address].isdisjoint({self.label(live), tags.get(NAME_TAG, "")})
        return called and self.rules.named(self.declared[address], live.item)

    def called_of_others(self, address: Address) -> list[Live]:
        """What another document has under a name of the address."""
        return [one for one in self.all if one.owner and self.is_called(address, one)]

    def seats(self, address: Address) -> list[Live]:
        """What the declared subnets of an address use."""
        subnets = self.seated(address)
        users = self._users if subnets else {}
        return list({one.id: one for subnet in sorted(subnets) for one in users.get(subnet, ())}.values())

    def seated(self, address: Address) -> frozenset[Address]:
        return frozenset(self.rules.seated(self.declared[address]))

    def places(self, address: Address) -> list[Live]:
        """Where it should be: what its subnets use, or the VPC's own, if it is declared as that."""
        return [*self.seats(address), *self.with_key(address)]

    def users(self, live: Live) -> frozenset[Address]:
        """The subnets that use it."""
        return frozenset(map(self._seen.address, self.rules.seats(live.item)))

    def known(self, subnets: Iterable[Address]) -> frozenset[Address]:
        """Those subnets that the document declares or refers to, and that were found."""
        return self._known.intersection(subnets)

    @cached_property
    def _known(self) -> frozenset[Address]:
        return frozenset(self._names_before.values())

    def seated_there(self, live: Live) -> list[Address]:
        """The addresses that declare a subnet that uses it."""
        return list(dict.fromkeys(at for user in sorted(self.users(live)) for at in self._seating.get(user, ())))

    @cached_property
    def _seating(self) -> Mapping[Address, list[Address]]:
        seating: dict[Address, list[Address]] = defaultdict(list)
        for at in self.declared:
            for subnet in self.seated(at):
                seating[subnet].append(at)
        return seating

    @cached_property
    def _users(self) -> Mapping[Address, list[Live]]:
        users: dict[Address, list[Live]] = defaultdict(list)
        for one in self.all:
            for subnet in self.users(one):
                users[subnet].append(one)
        return users

    # What it reads as.

    def reads_as(self, address: Address, live: Live, fields: Iterable[str], found: Identified) -> bool:
        """Whether it is in these fields as the address is declared, and any of them is declared at all."""
        names = tuple(fields)
        if all(getattr(self.declared[address], name) is None for name in names):
            return False
        return next(self._differences(address, live, names, found), None) is None

    def apart(self, address: Address, live: Live, fields: Iterable[str], found: Identified) -> int:
        """In how many members these fields of it are not as the address is declared."""
        return sum(1 for _ in self._differences(address, live, tuple(fields), found))

    def _differences(
        self, address: Address, live: Live, names: tuple[str, ...], found: Identified
    ) -> Iterator[Difference | None]:
        """What is not declared as the VPC's own is declared as another. Subnets that are not `known` say nothing: a
        problem of theirs, or another owner, keeps them from being compared. A value that the model does not support is
        one difference, None.
        """
        have = self._observed(live, address, found)
        if have is None:
            yield None
            return
        want = self._spelled(address, self._flagged(address), self._names_as(live, address, found))
        for one in differences(address, want, have.spec, names):
            if one.field not in self.rules.members or one.key in self._known:
                yield one

    def _flagged(self, address: Address) -> Resource:
        declared = self.declared[address]
        unsaid = {name: False for name in self.rules.flag if getattr(declared, name) is None}
        return declared.but(**unsaid) if unsaid else declared

    def _observed(self, live: Live, address: Address, found: Identified) -> Observed | None:
        """It in the model's form, as the address that it was found to be, or else as if it were `address`; None if the
        model does not support a value of it.
        """
        at = found.taken.get(live.id)
        if at is not None and at in found.observed:
            return found.observed[at]
        names = self._names_as(live, address, found)
        context = ObserveContext(self._seen.read, self._seen.answers, names)
        try:
            observed: Observed = self.kind.observe.observed(live.item, context)
        except Exception:  # noqa: BLE001 (if it is a declared resource, its model is made again, and this is told)
            return None
        if at is not None:
            found.observed[at] = observed
        return observed

    def _spelled(self, address: Address, resource: Resource, names: Mapping[str, Address]) -> Resource:
        """A declared resource as the live ones read: with an address for every id that is known."""
        if not any(one in names for one in self.document.ids_of.get(address, ())):
            return resource
        return spelled_resource(resource, self.document.scope.account_id, names)

    def _names_as(self, live: Live, address: Address, found: Identified) -> Mapping[str, Address]:
        """The names of a look in which it is what it was found to be, or else `address`."""
        return ChainMap({live.id: found.taken.get(live.id, address)}, found.taken, self._names_before)

    def left(self, found: Identified) -> Iterator[Live]:
        """What is no address yet."""
        return (one for one in self.all if one.id not in found.taken)
