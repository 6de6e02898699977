"""The contract of a kind of resource; the kinds and their registry are in `reconciler/kinds/`.

A kind says what to read, how to recognise its resources, how AWS's answer becomes the model, which calls resolve a
difference, and what its resources mean for packets. It never compares, never orders actions of different addresses,
never decides what is allowed, and never calls AWS.

`Kind[R, F]`: R is the model of declared and live state, F the type of what else is known of a live resource (`facts`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.model.cause import Touches
from reconciler.model.exposure import Exposure
from reconciler.model.imported import Import
from reconciler.model.operation import Action, Effect, Operation, Ref
from reconciler.model.outcome import Finding
from reconciler.model.policy import Policy
from reconciler.model.read import Answers, Item, Read, ReadContext
from reconciler.model.state import Change, Difference, Evidence, Observed, Snapshot, SubnetRoutes, Unmanaged

type Step = Action | Finding
"""What a kind plans: a call, or the reason for none."""


@dataclass(frozen=True)
class ObserveContext:
    """What a kind needs to turn an answer into its model."""

    read: ReadContext
    answers: Answers
    names: Mapping[str, Address]

    def address(self, aws_id: str) -> Address:
        """The address of an id, or the id itself if the resource is not declared."""
        return self.names.get(aws_id) or Address(aws_id)

    def named(self, kind: str, name: str) -> Address:
        """The address of what AWS knows by its name, or the name: a database and its subnet group may have the same."""
        return self.names.get(Address.of(kind, name)) or Address(name)


@dataclass(frozen=True)
class VpcFacts:
    """What every kind may need of the VPC: all its networks, IPv4 and IPv6."""

    networks: frozenset[str] = frozenset()

    @property
    def ipv6(self) -> bool:
        return any(":" in network for network in self.networks)


@dataclass(frozen=True)
class PlanContext:
    """What a kind needs to plan: declared and live state, and the policy. `had` are the ids of what the document is
    known to have declared (None: nothing is remembered, and a person looks at the plan).
    """

    document: Document
    snapshot: Snapshot
    policy: Policy
    had: frozenset[str] | None = None

    def has(self, ref: Ref) -> bool:
        return ref in self.snapshot.handles

    def ref(self, address: Address) -> Ref | str:
        """What a parameter has for it: the id itself, if the document names it so."""
        return Ref(address) if "/" in address else str(address)

    def not_ours(self, address: Address) -> str:
        """Whose something is that the document names and does not own; empty if it may be moved."""
        if address in self.document.external:
            return "this document refers to it and does not own it"
        return self.snapshot.foreign.get(self.snapshot.handles.get(Ref(address), str(address)), "")

    def live[R: Resource](self, kind: Kind[R]) -> Iterator[R]:
        """Everything of a kind that is in the VPC, declared or not, apart from what could not be read."""
        yield from (one.spec for at, one in self.snapshot.resources.items() if at.kind == kind.name)
        neighbours = self.snapshot.neighbours
        yield from (one.spec for key in neighbours if key[0] == kind.name and (one := neighbours[key]))

    @property
    def vpc(self) -> VpcFacts:
        seen = self.snapshot.resources.get(self.document.vpc)
        return seen.facts if seen and isinstance(seen.facts, VpcFacts) else VpcFacts()

    def route_targets(self) -> frozenset[Address]:
        """The declared resources that can be targets of routes."""
        return frozenset(at for at, resource in self.document.resources.items() if resource.route_parameter)

    def unusable_targets(self) -> frozenset[Address]:
        """The declared route targets that pass no packets now: a route to one is a black hole."""
        seen = self.snapshot.resources
        return frozenset(at for at in self.route_targets() if at not in seen or not seen[at].usable)


def naming(kind: str, aws_id: str, address: Address) -> dict[str, Address]:
    """What the names of a look have for a resource: its id, and its id with its kind (`ObserveContext`)."""
    return {aws_id: address, Address.of(kind, aws_id): address}


def declared_ids(handles: Mapping[Ref, str], document: Document) -> Iterator[tuple[str, Address]]:
    """The id of everything that is declared, with its address. All else is called by its id, even if it is owned. A DB
    instance and its subnet group may have the same id. Before them come the groups of other accounts that the document
    names with their account: AWS leaves that out of some answers (EC2 API reference, UserIdGroupPair).
    """
    yield from document.foreign_groups.items()
    yield from ((aws_id, ref.to) for ref, aws_id in handles.items() if not ref.handle and ref.to in document.resources)


def _nothing(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Observe[R: Resource = Any, F = Any]:
    """How resources are read.

    - `reads` need only the VPC's id; `more` depend on the first answers;
    - `permissions` are those of all reads;
    - `live` selects the kind's items from the answers, `observed` builds the model of one, `handles` are further ids;
    - `subnet_routes`: the routes that each subnet has, if the kind is what routes;
    - `lazy_read` reads a handle that only a correction needs (given the id of what it belongs to), and `lazy_handles`
      finds it in the answer (given the handle, the items, our account and all names);
    - `again` reads some of its resources by their ids, before a call takes something away from them (None: no call of
      it takes anything from traffic).
    """

    permissions: tuple[str, ...]
    reads: Callable[[ReadContext], Iterable[Read]]
    live: Callable[[ReadContext, Answers], Iterable[Item]]
    id: Callable[[Item], str]
    label: Callable[[Item], str]
    tags: Callable[[Item], Mapping[str, str] | None]
    observed: Callable[[Item, ObserveContext], Observed[R, F]]
    more: Callable[[ReadContext, Answers], Iterable[Read]] = _nothing
    handles: Callable[[Iterable[Item], ObserveContext], Iterable[tuple[Ref, str]]] = _nothing
    subnet_routes: Callable[[Iterable[Item], ObserveContext], Iterable[tuple[Address, SubnetRoutes]]] = _nothing
    lazy_read: Callable[[Ref, str], Read | None] = lambda ref, aws_id: None
    lazy_handles: Callable[[Ref, Iterable[Item], str, Mapping[str, Address]], Iterable[tuple[Ref, str]]] = _nothing
    again: Callable[[Sequence[str]], Read | None] = lambda aws_ids: None


_ACCOUNT = re.compile(r"[0-9]{12}")


def _owner_id(item: Item) -> str:
    owner = item.get("OwnerId", "")
    if not isinstance(owner, str) or (owner and not _ACCOUNT.fullmatch(owner)):
        raise ValueError(f"OwnerId is {owner!r}, which is no account")
    return owner


@dataclass(frozen=True)
class Identify[R: Resource = Any]:
    """How a live resource is recognised as a declared one; the rules are in `engine/identity/`.

    - `noun`: what people call it; `refer`: how a document refers to one that it does not own;
    - `order`: the evidence that can decide after `adopt`, strongest first; without TAGS, tags are only a remark;
    - `key`: what AWS keeps unique of a resource of this name, and `live_key` of an item (None: nothing); `key_text` is
      what that is, for people; `key_of_account`: AWS keeps it unique among the resources of one account only;
    - `named`: what must be so besides its Name tag, for that to say that an item is the resource;
    - `seats`: the ids of the subnets that use an item explicitly, `seated`: those that the resource declares;
    - `content`: the fields that say what a resource does, `flag`: the one that says that it is the VPC's own,
      `members`: those that say what uses it; by all of them, one reads as another;
    - `fits`: whether a declared resource can be an item at all, whatever its tags say;
    - `standard`: whether AWS made an item together with the VPC; `temporary`: whether Setpoint made it for one run;
    - `name`: the name in AWS, which never changes, if the kind has one; `owner`: the account's id, empty: not shown;
    - `resource_id`: the id that AWS never gives to another resource, if that is not `Observe.id`;
    - `misnamed`: why an item with the resource's tags is not it, if the kind has a key that decides;
    - `rival`: why a resource is not created beside this item; empty: it may be;
    - `spare`: whether nothing uses an item, so that of two with the same tags it is the one too many; `deleted_by`: the
      call of the AWS CLI that deletes one, up to its id.
    """

    noun: str
    order: Callable[[R], tuple[Evidence, ...]]
    refer: str = 'refer to it under "external"'
    key: Callable[[str, R], Hashable] = lambda name, resource: None
    live_key: Callable[[Item, ReadContext], Hashable] = lambda item, context: None
    key_text: str = ""
    key_of_account: bool = False
    named: Callable[[R, Item], bool] = lambda resource, item: True
    seats: Callable[[Item], Iterable[str]] = _nothing
    seated: Callable[[R], Iterable[Address]] = _nothing
    content: tuple[str, ...] = ()
    flag: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    fits: Callable[[R, Item], bool] = lambda resource, item: True
    standard: Callable[[Item], bool] = lambda item: False
    temporary: Callable[[Item], bool] = lambda item: False
    name: Callable[[Item], str] = lambda item: ""
    owner: Callable[[Item], str] = _owner_id
    resource_id: Callable[[Item], str] = lambda item: ""
    misnamed: Callable[[Address, Item], str] = lambda address, item: ""
    rival: Callable[[Address, R, Item], str] = lambda address, resource, item: ""
    spare: Callable[[Item], bool] = lambda item: False
    deleted_by: str = ""


@dataclass(frozen=True)
class Create[R: Resource = Any]:
    """How a resource is created.

    - `initial_state`: a new resource as AWS creates it; `calls`: the calls that create it;
    - `by_aws`: whether AWS creates it together with the VPC (the main table, the default ACL and group), so that we
      never do;
    - `named_by_tag`: whether its Name tag is the only name it has, so that a new one gets one;
    - `takes_time`: AWS answers long before it can be used, so what needs it waits for a later run.
    """

    initial_state: Callable[[R, PlanContext], R]
    calls: Callable[[Address, R, PlanContext], Iterable[Step]]
    by_aws: Callable[[Address, R], bool] = lambda address, resource: False
    named_by_tag: Callable[[R], bool] = lambda resource: False
    takes_time: bool = False


@dataclass(frozen=True)
class Correct[R: Resource = Any, F = Any]:
    """How a difference is resolved.

    - `calls`: the calls that resolve the differences of one resource, in order;
    - `immutable`: fields that AWS cannot change;
    - `once`: fields that AWS may set by itself: when it has refused a correction, or taken it back, a person decides;
    - `urgent`: fields that decide who reaches what: a change that AWS accepts and does not make is tried again sooner;
    - `reasons`: where a person sees why a change was not made that AWS had accepted, as a part of a sentence;
    - `cleanup`: the calls that remove what an interrupted run left behind.
    """

    calls: Callable[[Change[R, F], PlanContext], Iterator[Step]]
    immutable: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    urgent: frozenset[str] = frozenset()
    reasons: Callable[[Address], str] = lambda address: ""
    cleanup: Callable[[Address, PlanContext], Iterable[Action]] = _nothing


@dataclass(frozen=True)
class Traffic[R: Resource = Any, F = Any]:
    """What a kind means for packets; a kind that does not affect any leaves all of this out.

    - `effects`: what a resource adds to the network's table (`reach/network.py`), given its model, and what is seen of
      it (None: it is not live);
    - `moves`: fields that say where something is: correcting one moves it from one place to another;
    - `together`: field -> family: fields that AWS changes only together;
    - `coupled`: of the differences of one family, those that must not be corrected while others (the last argument)
      are suppressed;
    - `decides`: whether a difference changes which packets pass; `leaves_open`: whether more packets may pass than
      declared until it is corrected; `lets_in`: whether it lets in undeclared packets at its own layer;
    - `stays`: the places whose traffic must not change until a difference is corrected, because something still uses
      them that is declared elsewhere; `keeps`: the same for places that several resources share (a database's groups);
    - `exposure`: what a difference means for people, in the past tense or not; None: only that it is not as declared.
    """

    effects: Callable[[Address, R, Observed[R, F] | None], Iterable[Effect]] = _nothing
    moves: frozenset[str] = frozenset()
    together: Mapping[str, str] = field(default_factory=dict)
    coupled: Callable[[Change[R, F], list[Difference], list[Difference]], list[Difference]] = (
        lambda change, family, suppressed: []
    )
    decides: Callable[[Difference], bool] = lambda one: False
    leaves_open: Callable[[Difference], bool] = lambda one: False
    lets_in: Callable[[Difference], bool] = lambda one: False
    stays: Callable[[Difference, Snapshot], Iterable[Address]] = _nothing
    keeps: Callable[[Difference, Snapshot], Iterable[Address]] = _nothing
    exposure: Callable[[Difference, bool], Exposure | None] = lambda one, past: None


@dataclass(frozen=True)
class Kind[R: Resource = Any, F = Any]:
    """One kind of resource: its calls, and how it is read, created, corrected and deleted.

    - `after`: kinds that must exist first, and whose ids appear in its state; `before`: kinds for which this one must
      exist first, such as route tables for a route target;
    - `operations`: every call that changes something;
    - `changes`: eventName -> the fields that the call can have changed, for every call of CloudTrail that concerns such
      a resource, also those that this tool never makes;
    - `delete`: the calls that delete an unmanaged resource with our tags; without it, the kind is never deleted;
    - `changed_by_tag`: the roles may change one only by its tag, so that to give it the tag takes leave of the
      deployment (`Policy.adopt`).
    """

    name: str
    model: type[R]
    after: frozenset[str]
    operations: tuple[Operation, ...]
    observe: Observe[R, F]
    identify: Identify[R]
    create: Create[R]
    correct: Correct[R, F]
    before: frozenset[str] = frozenset()
    delete: Callable[[Unmanaged], Iterable[Action]] | None = None
    traffic: Traffic[R, F] = field(default_factory=Traffic)
    changes: Mapping[str, Touches] = field(default_factory=dict)
    imported: Import[R, F] = field(default_factory=Import)
    changed_by_tag: bool = False

    @property
    def changed_by(self) -> frozenset[str]:
        """Every CloudTrail eventName that means a change of such a resource."""
        return frozenset(row.name for row in self.operations) | self.changes.keys()
