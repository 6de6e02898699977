"""The contract that a kind fills in; `reconciler/kinds/` has one file per kind and the registry of them all.

A kind says what to read, how to recognise its resources, how AWS's answer becomes the model, and which calls mend a
difference. It never compares, never orders between addresses, never decides what is allowed, and never calls AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.model import Action, Change, Finding, Observed, Operation, Policy, Ref, Snapshot, Unmanaged

Item = Mapping[str, Any]
"""One resource as boto3 answers it."""


class Read(NamedTuple):
    """One read, all its pages; hashable, so that kinds that need the same answer share it.

    `params` is the JSON of the call's parameters, `result` the dotted path of what is wanted in the answer, `page` the
    largest page AWS gives (0: the call does not page). `absent` are error codes that say "there is none", as calls that
    name an id have them: the answer is then an empty list.
    """

    service: str
    operation: str
    params: str
    result: str
    page: int = 0
    absent: frozenset[str] = frozenset()


def read(
    service: str, operation: str, result: str, *, page: int = 0, absent: Iterable[str] = (), **params: Any
) -> Read:
    """A `Read` of `params`, which are spelled as AWS spells them."""
    return Read(service, operation, json.dumps(params, sort_keys=True), result, page, frozenset(absent))


Answers = Mapping[Read, list[Any]]


@dataclass(frozen=True)
class ReadContext:
    """What a kind may know when it says what to read: whose VPC it is, and what is declared of its own kind."""

    document: Document
    vpc_id: str
    declared: Mapping[Address, Resource]


@dataclass(frozen=True)
class ObserveContext:
    """What a kind may know when it turns an answer into its model."""

    context: ReadContext
    answers: Answers
    names: Mapping[str, Address]

    def address(self, aws_id: str) -> Address:
        """The address of an id, or the id itself where nobody declared the thing."""
        return self.names.get(aws_id) or Address(aws_id)


@dataclass(frozen=True)
class PlanContext:
    """What a kind may know when it plans: the whole of both sides, and how far it may go."""

    document: Document
    snapshot: Snapshot
    policy: Policy

    def has(self, ref: Ref) -> bool:
        return ref in self.snapshot.handles


def _nothing(*_: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Kind:
    """One kind of resource. Where a function has a default, most kinds do without it.

    What it is and what it may do:
    - `after`: kinds that must exist first, and whose ids appear in its state; `immutable`: fields AWS never changes;
    - `operations`: every call that changes something; `read_permissions`: the permissions of its reads;
    - `also_changed_by`: calls of the same service that change such a resource and that this tool never makes.

    How it is seen:
    - `reads` can all be made at once when the VPC's id is known, `more` are those that depend on the first answers;
    - `live` picks the kind's items out of the answers, `observed` makes the model of one, `handles` are further ids;
    - `matches`: whether an item without our tags is the declared resource; `named_by_tag`: whether the Name tag says so.

    How it is made and mended:
    - `initial_state`: what AWS makes of a new one before anything is bound to it; `create`: the calls that make it;
    - `created_by_aws`: whether AWS makes it together with the VPC (the main table, the default ACL and group), so that we
      never do;
    - `plan`: the calls that mend the differences of one resource, in the order it must be;
    - `lazy_read`: the read that shows a handle which only a correction needs (given the id of what it is a handle of), and
      `lazy_handles` finds it there (given that handle, the items, our account and all names);
    - `cleanup`: the calls that remove scaffolding which an interrupted run of ours left behind;
    - `delete`: the calls that unmake a neighbour with our tags; without it the kind is never deleted.
    """

    name: str
    model: type[Resource]
    after: frozenset[str]
    operations: tuple[Operation, ...]
    reads: Callable[[ReadContext], Iterable[Read]]
    live: Callable[[ReadContext, Answers], Iterable[Item]]
    id: Callable[[Item], str]
    label: Callable[[Item], str]
    tags: Callable[[Item], Mapping[str, str] | None]
    matches: Callable[[Address, Resource, Item, ReadContext], bool]
    observed: Callable[[Item, ObserveContext], Observed]
    initial_state: Callable[[Resource, PlanContext], Resource]
    create: Callable[[Address, Resource, PlanContext], Iterable[Action | Finding]]
    plan: Callable[[Change, PlanContext], Iterator[Action | Finding]]
    read_permissions: tuple[str, ...] = ()
    immutable: frozenset[str] = frozenset()
    named_by_tag: Callable[[Resource, Document], bool] = lambda resource, document: False
    more: Callable[[ReadContext, Answers], Iterable[Read]] = _nothing
    handles: Callable[[Iterable[Item], ObserveContext], Iterable[tuple[Ref, str]]] = _nothing
    delete: Callable[[Unmanaged], Iterable[Action]] | None = None
    lazy_read: Callable[[Ref, str], Read | None] = lambda ref, aws_id: None
    lazy_handles: Callable[[Ref, Iterable[Item], str, Mapping[str, Address]], Iterable[tuple[Ref, str]]] = _nothing
    created_by_aws: Callable[[Address, Resource], bool] = lambda address, resource: False
    cleanup: Callable[[Address, PlanContext], Iterable[Action]] = _nothing
    also_changed_by: frozenset[str] = frozenset()

    @property
    def changed_by(self) -> frozenset[str]:
        """Every CloudTrail eventName that says that somebody has changed such a resource."""
        return frozenset(row.name for row in self.operations) | self.also_changed_by
