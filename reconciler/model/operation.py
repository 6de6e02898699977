"""Every call this tool can make, and one call to make: `Operation` and `Action`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Literal, TypedDict, Unpack

from desired_state.fields import Address

type Parameters = Mapping[str, Any]
"""Parameters of a call, by AWS's names. They hold `Ref`s where AWS expects an id."""
type Effect = tuple[Any, Any, Any]
"""(cell, member, what it becomes) in the packets' table (`packets/reachability.py`); None takes the member away."""
_NO_PARAMETERS: Parameters = MappingProxyType({})


class Phase(IntEnum):
    """When a call comes. Make-before-break is this order, never a kind's own loop."""

    CREATE = 0
    BIND = 1
    UNBIND = 2
    DELETE = 3


class Risk(IntEnum):
    """What a mistake in a call could cost."""

    COSMETIC = 0
    REVERSIBLE = 1
    TRAFFIC = 2
    DOWNTIME = 3
    DATA = 4


@dataclass(frozen=True, order=True)
class Ref:
    """The AWS id of `to`, or of the thing `handle` names beside it; looked up only when the call is made."""

    to: Address
    handle: str = ""

    def __str__(self) -> str:
        return f"<{self.to}>" if not self.handle else f"<{self.to} {self.handle}>"


class ActionOptions(TypedDict, total=False):
    """What `Operation.on` takes beside the parameters of the call: the fields of `Action` of the same names."""

    risk: Risk
    resolves: frozenset[tuple[Address, str]]
    breaks: int
    closes: bool
    opens: bool
    moves: bool
    idle: bool
    chain: str
    after: frozenset[Address]
    before: frozenset[Address]
    gives: Ref | None
    parts: tuple[Action, ...]
    effect: tuple[Effect, ...]


@dataclass(frozen=True)
class Operation:
    """One row of a kind's table: all that this tool can ever do to such a resource.

    `name` is the API operation, the IAM action and the CloudTrail event name at once. `already_applied_codes` are error codes
    that mean "already so"; they count only for a call that states one fact. `also_needs` are permissions beyond
    `permission`. `yields` is the dotted path of a new id in the answer.

    What IAM makes of it: `iam_resource_types` are the types of resource, as ARNs spell them, that it checks the call against
    (Service Authorization Reference); a call that makes something names that first. `requires_setting` is the setting without
    which it is never made, so that the role needs no permission for it either.
    """

    service: Literal["ec2", "rds"]
    name: str
    phase: Phase
    risk: Risk
    already_applied_codes: frozenset[str] = frozenset()
    also_needs: frozenset[str] = frozenset()
    yields: str = ""
    affects_traffic: bool = False
    iam_resource_types: tuple[str, ...] = field(default=(), compare=False)
    requires_setting: Literal["", "prune", "create_databases"] = field(default="", compare=False)

    @property
    def permission(self) -> str:
        return f"{self.service}:{self.name}"

    def for_resource_types(self, *iam_resource_types: str) -> Operation:
        """The same call as one kind makes it, for one that several share; it is equal to every other form of it."""
        return replace(self, iam_resource_types=iam_resource_types)

    def on(
        self,
        address: Address,
        why: str,
        *fields: str,
        params: Parameters = _NO_PARAMETERS,
        **options: Unpack[ActionOptions],
    ) -> Action:
        """The call on `address` with `params`, spelled as AWS spells them; it resolves `fields` there."""
        resolves = frozenset((address, name) for name in fields)
        defaults: ActionOptions = {"risk": self.risk, "resolves": resolves}
        return Action(operation=self, address=address, why=why, params=params, **(defaults | options))


@dataclass(frozen=True)
class Action:
    """One call to make. `params` hold `Ref`s, never AWS ids, so that plans compare, print and fingerprint alike.

    `resolves` are the (address, field) pairs it brings nearer to the document. `breaks` counts the live members it takes
    away. `closes`: no packet passes after it that did not before, so it goes first. `opens`: none is stopped that
    passed before, so it goes after all that takes something away, unless that needs it. `moves`: it takes something
    from one place to another and changes neither place. `idle`: what it takes away carries no packet
    now, so nobody has to leave before. `chain`: the actions of one address and chain run in the
    order given, each only after the one before ended well. `after` and `before` are addresses all of whose traffic
    must have been put right before this call, or must not be touched until after it. `gives` names the id that the
    answer yields. `parts` are the same facts one call each, for when a batch is refused. `effect` is what it does to
    the packets' ways (`ways.py`).
    """

    operation: Operation
    address: Address
    why: str
    risk: Risk
    params: Mapping[str, Any]
    resolves: frozenset[tuple[Address, str]] = frozenset()
    breaks: int = 0
    closes: bool = False
    opens: bool = False
    moves: bool = False
    idle: bool = False
    chain: str = ""
    after: frozenset[Address] = frozenset()
    before: frozenset[Address] = frozenset()
    gives: Ref | None = None
    parts: tuple[Action, ...] = ()
    effect: tuple[Effect, ...] = ()

    @property
    def lets_through(self) -> bool:
        """Whether packets may pass after this call that did not before it."""
        return self.operation.affects_traffic and (self.moves or not self.closes)

    @property
    def touches_traffic(self) -> bool:
        return self.risk is not Risk.COSMETIC and self.operation.phase is not Phase.CREATE


def refs(value: Any) -> Iterator[Ref]:
    """Every `Ref` in the parameters of a call."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from refs(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from refs(inner)
