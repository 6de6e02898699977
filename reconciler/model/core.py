"""The vocabulary of the core: what is seen, what differs, what may be done about it, and how it ended.

Pure values. No boto3, no clock, no environment. Everything in `reconciler` speaks in these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal

from desired_state.fields import Address
from desired_state.resource import Resource

DOCUMENT_TAG = "setpoint:document"
NAME_TAG = "setpoint:name"
HOLD_TAG = "setpoint:hold"


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


class Outcome(StrEnum):
    """How a finding ended. `CORRECTED` is a claim about the second look, not about an answer of 200."""

    IN_SYNC = "in_sync"
    CORRECTED = "corrected"
    HELD = "held"
    WAITING = "waiting"
    BLOCKED = "blocked"
    FAILED = "failed"


class Absent(Enum):
    """The value of what is not there; `None` is taken: it means "left out"."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, order=True)
class Ref:
    """The AWS id of `to`, or of the thing `handle` names beside it; looked up only when the call is made."""

    to: Address
    handle: str = ""

    def __str__(self) -> str:
        return f"<{self.to}>" if not self.handle else f"<{self.to} {self.handle}>"


@dataclass(frozen=True)
class Operation:
    """One row of a kind's table: all that this tool can ever do to such a resource.

    `name` is the API operation, the IAM action and the CloudTrail event name at once. `settled_by` are error codes
    that mean "already so"; they count only for a call that states one fact. `also_needs` are permissions beyond
    `permission`. `yields` is the dotted path of a new id in the answer.

    What IAM makes of it: `checked` are the types of resource, as ARNs spell them, that it checks the call against
    (Service Authorization Reference); a call that makes something names that first. `leave` is the setting without
    which it is never made, so that the role needs no permission for it either.
    """

    service: Literal["ec2", "rds"]
    name: str
    phase: Phase
    risk: Risk
    settled_by: frozenset[str] = frozenset()
    also_needs: frozenset[str] = frozenset()
    yields: str = ""
    reaches: bool = False
    checked: tuple[str, ...] = field(default=(), compare=False)
    leave: Literal["", "prune", "create_databases"] = field(default="", compare=False)

    @property
    def permission(self) -> str:
        return f"{self.service}:{self.name}"

    def against(self, *checked: str) -> Operation:
        """The same call as one kind makes it, for one that several share; it is equal to every other form of it."""
        return replace(self, checked=checked)

    def on(self, address: Address, why: str, *fields: str, **how: Any) -> Action:
        """The call on `address` that mends `fields` there. Keys of `how` in lower case are fields of `Action`, the
        others parameters of the call, as AWS spells them.
        """
        params = {name: value for name, value in how.items() if name[0].isupper()}
        rest = {name: value for name, value in how.items() if not name[0].isupper()}
        rest.setdefault("risk", self.risk)
        rest.setdefault("mends", frozenset((address, name) for name in fields))
        return Action(operation=self, address=address, why=why, params=params, **rest)


@dataclass(frozen=True)
class Action:
    """One call to make. `params` hold `Ref`s, never AWS ids, so that plans compare, print and fingerprint alike.

    `mends` are the (address, field) pairs it brings nearer to the document. `breaks` counts the live members it takes
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
    mends: frozenset[tuple[Address, str]] = frozenset()
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
    effect: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def lets_through(self) -> bool:
        """Whether packets may pass after this call that did not before it."""
        return self.operation.reaches and (self.moves or not self.closes)

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


@dataclass(frozen=True)
class Observed:
    """A live resource: `spec` is the document's model with ids turned back into addresses; `facts` is what is no state.

    `status` is empty when AWS would take a change now, else AWS's own word for what it is doing.
    """

    id: str
    spec: Resource
    status: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Neighbour:
    """A live thing in the VPC that the document does not declare. `ours`: it carries this document's tag."""

    address: Address
    id: str
    ours: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything seen in one look. `resources` is symmetric with the document's.

    `handles` are all ids by the name that actions use. `unreadable` and `ambiguous` say why an address is not in
    `resources` though it may well exist; what is in none of the three does not exist, and was looked for twice.
    """

    resources: Mapping[Address, Observed]
    handles: Mapping[Ref, str]
    unreadable: Mapping[Address, str]
    ambiguous: Mapping[Address, str]
    neighbours: tuple[Neighbour, ...]
    at: datetime

    def absent(self, address: Address) -> bool:
        return address not in self.resources and address not in self.unreadable and address not in self.ambiguous


@dataclass(frozen=True)
class Difference:
    """One drift. `key` is the member of a set or mapping (a rule, a number, a destination, a tag), None for a scalar.

    `want` and `have` are ABSENT where the member, or the whole resource, is not there.
    """

    address: Address
    field: str
    key: Any
    want: Any
    have: Any


@dataclass(frozen=True)
class Change:
    """All drift of one resource. `have` is None where it is missing: then `base` is what AWS makes of a new one."""

    address: Address
    want: Resource
    have: Observed | None
    base: Resource
    differences: tuple[Difference, ...]

    def of(self, name: str) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.field == name)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(one.field for one in self.differences)


@dataclass(frozen=True)
class Finding:
    """Something a person should know, with its outcome; `field` is empty where it concerns the whole resource."""

    address: Address
    outcome: Outcome
    message: str
    field: str = ""
    key: Any = None


class Ended(Enum):
    """How one action ended. DONE is AWS's word only; STALE needs only a fresh look to be tried."""

    DONE = "done"
    HELD = "held"
    SKIPPED = "skipped"
    WAITING = "waiting"
    STALE = "stale"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """An action and how it ended; `message` says why where it is not DONE."""

    action: Action
    ended: Ended
    message: str = ""


@dataclass(frozen=True)
class Policy:
    """How far the deployment lets the tool go; no document can raise it. Hours and counts as named."""

    mode: Literal["correct", "report"] = "correct"
    create_databases: bool = False
    downtime: Literal["never", "window", "now"] = "never"
    max_breaks: int | None = None
    prune: bool = False
    max_hold_hours: int = 24
