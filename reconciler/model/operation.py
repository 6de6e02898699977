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
"""(cell, member, what it becomes) in the network's table (`reach/network.py`); None takes the member away."""
_NO_PARAMETERS: Parameters = MappingProxyType({})


class Phase(IntEnum):
    """When a call is made. Make-before-break follows from this order, never from a kind's own loop."""

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
    """The AWS id of `to`, or of a part of it that `handle` names; resolved only when the call is made."""

    to: Address
    handle: str = ""

    def __str__(self) -> str:
        return f"<{self.to}>" if not self.handle else f"<{self.to} {self.handle}>"


class ActionOptions(TypedDict, total=False):
    """What `Operation.on` takes besides the parameters of the call: fields of `Action`."""

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
    settings: bool
    effect: tuple[Effect, ...]
    loses: str


@dataclass(frozen=True)
class Operation:
    """One row of a kind's table: all that this tool can ever do to such a resource.

    `name` is the API operation, the IAM action and the CloudTrail event name at once. `already_applied_codes` are error
    codes that mean that the change is already in place; they do not count for a batch. `also_needs` are permissions
    besides `permission`. `yields` is the dotted path of a new id in the answer. `takes_effect_later`: AWS answers
    before the change is in force. `takes_token`: AWS takes a ClientToken, and answers a repeated call with what the
    first one made.

    For IAM: `iam_resource_types` are the types of resource, as in ARNs, that the call is authorised against (Service
    Authorization Reference); a call that creates something names its type first. `requires_setting` is the setting
    without which the call is never made, so the role does not need its permission.
    """

    service: Literal["ec2", "rds"]
    name: str
    phase: Phase
    risk: Risk
    already_applied_codes: frozenset[str] = frozenset()
    also_needs: frozenset[str] = frozenset()
    yields: str = ""
    affects_traffic: bool = False
    takes_effect_later: bool = False
    takes_token: bool = False
    iam_resource_types: tuple[str, ...] = field(default=(), compare=False)
    requires_setting: Literal["", "prune", "create_databases"] = field(default="", compare=False)

    @property
    def permission(self) -> str:
        return f"{self.service}:{self.name}"

    def for_resource_types(self, *iam_resource_types: str) -> Operation:
        """The same call as one kind makes it, if several kinds share it; all of them compare equal."""
        return replace(self, iam_resource_types=iam_resource_types)

    def on(
        self,
        address: Address,
        why: str,
        *fields: str,
        params: Parameters = _NO_PARAMETERS,
        **options: Unpack[ActionOptions],
    ) -> Action:
        """The call on `address` with `params`, as in the AWS API; it resolves `fields` there."""
        resolves = frozenset((address, name) for name in fields)
        defaults: ActionOptions = {"risk": self.risk, "resolves": resolves}
        return Action(operation=self, address=address, why=why, params=params, **(defaults | options))


@dataclass(frozen=True)
class Action:
    """One call to make. `params` hold `Ref`s instead of AWS ids, so plans can be compared, printed and fingerprinted.

    - `resolves`: the (address, field) pairs that it brings closer to the document; `breaks`: how many live members it
      removes;
    - `closes`: it lets through no packet that did not pass before, so it goes first; `opens`: it blocks no packet that
      passed before, so it goes after all removals, except those that need it;
    - `moves`: it moves something from one place to another and changes neither; `idle`: what it removes carries no
      packets now, so nothing needs to move away first;
    - `chain`: the actions of one address and chain run in the order given, each only if the one before succeeded;
    - `after`, `before`: addresses whose traffic must all be corrected before this call, or not be changed until after
      it;
    - `gives`: names the id that the answer yields; `parts`: a batch as single calls, for when the batch is refused;
    - `settings`: its parts are settings of one resource, what closes first, each with a result of its own;
    - `effect`: what it changes in the network's table (`reach/network.py`);
    - `loses`: what a person should know that it takes away, besides what it resolves.
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
    settings: bool = False
    effect: tuple[Effect, ...] = ()
    loses: str = ""

    @property
    def lets_through(self) -> bool:
        """Whether packets may pass after this call that did not before it."""
        return self.operation.affects_traffic and (self.moves or not self.closes)

    @property
    def needs_what_is_created(self) -> bool:
        """Whether it must not be done if something could not be created at its address: it removes what is in use."""
        return self.operation.phase >= Phase.UNBIND and not self.closes

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
