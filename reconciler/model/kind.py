"""The contract of a kind of resource; the kinds and their registry are in `reconciler/kinds/`.

A kind says what to read, how to recognise its resources, how AWS's answer becomes the model, which calls resolve a
difference, and what its resources mean for packets. It never compares, never orders actions of different addresses,
never decides what is allowed, and never calls AWS.

`Kind[R, F]`: R is the model of declared and live state, F the type of what else is known of a live resource (`facts`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.model.exposure import Exposure
from reconciler.model.operation import Action, Effect, Operation, Parameters, Ref
from reconciler.model.outcome import Finding
from reconciler.model.policy import Policy
from reconciler.model.state import Change, Difference, Observed, Snapshot, Unmanaged

Item = Mapping[str, Any]
"""One resource as boto3 returns it."""
type Step = Action | Finding
"""What a kind plans: a call, or the reason for none."""


class Read(NamedTuple):
    """One read, all its pages; hashable, so that kinds that need the same answer share it.

    `params` is the JSON of the call's parameters, `result` the dotted path of the items in the answer, `page` the
    largest page size (0: the call has no pages). `absent` are error codes that mean that the resource does not exist,
    which calls with an id return: the answer is then an empty list.
    """

    service: str
    operation: str
    params: str
    result: str
    page: int = 0
    absent: frozenset[str] = frozenset()


def read(
    service: str, operation: str, result: str, params: Parameters, *, page: int = 0, absent: Iterable[str] = ()
) -> Read:
    """A `Read` with `params` as in the AWS API."""
    return Read(service, operation, json.dumps(dict(params), sort_keys=True), result, page, frozenset(absent))


Answers = Mapping[Read, list[Any]]


@dataclass(frozen=True)
class ReadContext:
    """What a kind needs to say what to read: the document, its VPC, and what is declared of this kind."""

    document: Document
    vpc_id: str
    declared: Mapping[Address, Any]


@dataclass(frozen=True)
class ObserveContext:
    """What a kind needs to turn an answer into its model."""

    read: ReadContext
    answers: Answers
    names: Mapping[str, Address]

    def address(self, aws_id: str) -> Address:
        """The address of an id, or the id itself if the resource is not declared."""
        return self.names.get(aws_id) or Address(aws_id)


@dataclass(frozen=True)
class VpcFacts:
    """What every kind may need of the VPC: all its networks, IPv4 and IPv6."""

    networks: frozenset[str] = frozenset()

    @property
    def ipv6(self) -> bool:
        return any(":" in network for network in self.networks)


@dataclass(frozen=True)
class PlanContext:
    """What a kind needs to plan: declared and live state, and the policy."""

    document: Document
    snapshot: Snapshot
    policy: Policy

    def has(self, ref: Ref) -> bool:
        return ref in self.snapshot.handles

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


def _nothing(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Observe[R: Resource = Any, F = Any]:
    """How resources are read.

    - `reads` need only the VPC's id; `more` depend on the first answers;
    - `permissions` are those of all reads;
    - `live` selects the kind's items from the answers, `observed` builds the model of one, `handles` are further ids;
    - `matches`: whether an item without our tags is the declared resource; `named_by_tag`: whether the Name tag says
      so;
    - `lazy_read` reads a handle that only a correction needs (given the id of what it belongs to), and `lazy_handles`
      finds it in the answer (given the handle, the items, our account and all names).
    """

    permissions: tuple[str, ...]
    reads: Callable[[ReadContext], Iterable[Read]]
    live: Callable[[ReadContext, Answers], Iterable[Item]]
    id: Callable[[Item], str]
    label: Callable[[Item], str]
    tags: Callable[[Item], Mapping[str, str] | None]
    matches: Callable[[Address, R, Item, ReadContext], bool]
    observed: Callable[[Item, ObserveContext], Observed[R, F]]
    named_by_tag: Callable[[R, Document], bool] = lambda resource, document: False
    more: Callable[[ReadContext, Answers], Iterable[Read]] = _nothing
    handles: Callable[[Iterable[Item], ObserveContext], Iterable[tuple[Ref, str]]] = _nothing
    lazy_read: Callable[[Ref, str], Read | None] = lambda ref, aws_id: None
    lazy_handles: Callable[[Ref, Iterable[Item], str, Mapping[str, Address]], Iterable[tuple[Ref, str]]] = _nothing


@dataclass(frozen=True)
class Create[R: Resource = Any]:
    """How a resource is created.

    - `initial_state`: a new resource as AWS creates it; `calls`: the calls that create it;
    - `by_aws`: whether AWS creates it together with the VPC (the main table, the default ACL and group), so that we
      never do;
    - `takes_time`: AWS answers long before it can be used, so what needs it waits for a later run.
    """

    initial_state: Callable[[R, PlanContext], R]
    calls: Callable[[Address, R, PlanContext], Iterable[Step]]
    by_aws: Callable[[Address, R], bool] = lambda address, resource: False
    takes_time: bool = False


@dataclass(frozen=True)
class Correct[R: Resource = Any, F = Any]:
    """How a difference is resolved.

    - `calls`: the calls that resolve the differences of one resource, in order;
    - `immutable`: fields that AWS cannot change;
    - `cleanup`: the calls that remove what an interrupted run left behind.
    """

    calls: Callable[[Change[R, F], PlanContext], Iterator[Step]]
    immutable: frozenset[str] = frozenset()
    cleanup: Callable[[Address, PlanContext], Iterable[Action]] = _nothing


@dataclass(frozen=True)
class Traffic[R: Resource = Any, F = Any]:
    """What a kind means for packets; a kind that does not affect any leaves all of this out.

    - `effects`: what a live resource adds to the packets' table;
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

    effects: Callable[[Address, Observed[R, F], Address], Iterable[Effect]] = _nothing
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
    - `also_changed_by`: calls of the same service that change such a resource and that this tool never makes;
    - `delete`: the calls that delete an unmanaged resource with our tags; without it, the kind is never deleted.
    """

    name: str
    model: type[R]
    after: frozenset[str]
    operations: tuple[Operation, ...]
    observe: Observe[R, F]
    create: Create[R]
    correct: Correct[R, F]
    before: frozenset[str] = frozenset()
    delete: Callable[[Unmanaged], Iterable[Action]] | None = None
    traffic: Traffic[R, F] = field(default_factory=Traffic)
    also_changed_by: frozenset[str] = frozenset()

    @property
    def changed_by(self) -> frozenset[str]:
        """Every CloudTrail eventName that means a change of such a resource."""
        return frozenset(row.name for row in self.operations) | self.also_changed_by
