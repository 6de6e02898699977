"""What is seen and what differs: `Snapshot`, `Observed`, `Difference`, `Change`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.model.interface import Interface
from reconciler.model.operation import Ref
from reconciler.model.outcome import Cause, Outcome

DOCUMENT_TAG = "setpoint:document"
NAME_TAG = "setpoint:name"
HOLD_TAG = "setpoint:hold"


Sign = Literal["add", "change", "remove"]


class Absent(Enum):
    """The value of what does not exist; `None` means "left out" instead."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent.ABSENT


class Evidence(StrEnum):
    """What says that a live resource is a declared one. SCOPE, ADOPT, KEY and EXTERNAL are certain: a person, or AWS,
    says so. NAME and SEATS are weak, and must agree.
    """

    SCOPE = "scope"
    """`scope.vpc_id` names it."""
    ADOPT = "adopt"
    """The document's `adopt` names it."""
    EXTERNAL = "external"
    """The document's `external` names its id."""
    KEY = "key"
    """What AWS keeps unique: a subnet's network, a group's name, the main table, an identifier of RDS."""
    TAGS = "tags"
    """It has this document's tags."""
    NAME = "name_tag"
    SEATS = "seats"
    """The declared subnets of a route table or network ACL use it."""


CERTAIN = frozenset({Evidence.SCOPE, Evidence.ADOPT, Evidence.EXTERNAL, Evidence.KEY})


class Found(NamedTuple):
    """By what a live resource was found to be a declared one; `how` is the phrase for people."""

    by: Evidence
    how: str


class Remark(NamedTuple):
    """Something a person should know about a live member that does not differ."""

    field: str
    key: Any
    message: str


class Condition(NamedTuple):
    """Something a person should know about a live resource, even if nothing differs: how it counts, and why. `field` is
    empty if it is about the whole resource, otherwise it counts only if the document has that field.
    """

    outcome: Outcome
    cause: Cause
    field: str = ""


@dataclass(frozen=True)
class Observed[R: Resource = Any, F = Any]:
    """A live resource: `spec` is the document's model of it, with addresses in place of ids; `facts` is what else is
    known, in a type of its kind.

    `status` is empty if AWS would accept a change now, otherwise AWS's word for its state. `creating`: it is still
    being created, so nothing may use it yet. `usable`: whether packets pass through it, if it is a route target.
    `conditions` are what a person should know of it as it is. `resource_id` is the id that AWS never gives to another
    resource, if that is not `id` (a DB instance has both). `in_force` are the values of the fields of which AWS has
    accepted a change and not applied it yet: `spec` has what was accepted.
    """

    id: str
    spec: R
    facts: F
    status: str = ""
    creating: bool = False
    usable: bool = True
    remarks: tuple[Remark, ...] = ()
    conditions: tuple[Condition, ...] = ()
    resource_id: str = ""
    in_force: Mapping[str, Any] = MappingProxyType({})

    @property
    def lasting_id(self) -> str:
        """What identifies this very resource, whatever takes its name later."""
        return self.resource_id or self.id


class SubnetRoutes(NamedTuple):
    """What the route table `table` (an id) sends from a subnet: `declarable` are the routes that people make, `by_aws`
    those of gateway endpoints and propagated ones. `explicit`: the subnet is associated with the table; otherwise it
    uses the main table.
    """

    table: str
    declarable: Mapping[str, str]
    by_aws: Mapping[str, str]
    explicit: bool


@dataclass(frozen=True)
class Unmanaged:
    """A live resource in the VPC that the document does not declare.

    `owned`: it is this document's, under a name that is not declared any more. `remark` is what a person should know
    about it: that it belongs to somebody else, or has tags that it should not have.
    """

    address: Address
    id: str
    owned: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Everything seen in one look. `resources` has the same form as the document's.

    `handles` are all ids, by the names that actions use. `unreadable` and `ambiguous` say why an address is not in
    `resources` although it may exist; what is in none of the three does not exist, and was searched for twice.
    `found_by` says by what each address was found, `foreign` of each id of another document or account whose it is.
    `candidates` are the ids that may be an address of `ambiguous`, with that address. `copies` has, of each address
    whose tags something else carries too, the id of that. `subnet_routes` are the routes of each subnet.
    `neighbours` are the live resources that are in the VPC and not in `resources`, by kind and id (None: one has a
    value that the model does not support); they are only read when somebody asks. `interfaces` are the network
    interfaces, or why they could not be read; None if the document has no intents, so that nobody asked.
    """

    resources: Mapping[Address, Observed]
    handles: Mapping[Ref, str]
    unreadable: Mapping[Address, Cause]
    ambiguous: Mapping[Address, Cause]
    unmanaged: tuple[Unmanaged, ...]
    at: datetime
    found_by: Mapping[Address, Found] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    candidates: Mapping[str, Address] = field(default_factory=dict)
    copies: Mapping[Address, str] = field(default_factory=dict)
    subnet_routes: Mapping[Address, SubnetRoutes] = field(default_factory=dict)
    neighbours: Mapping[tuple[str, str], Observed | None] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] | Cause | None = None

    def absent(self, address: Address) -> bool:
        return address not in self.resources and address not in self.unreadable and address not in self.ambiguous


type Identity = tuple[Address, str, Any]
"""What identifies a difference from look to look: its address, field and key."""


@dataclass(frozen=True)
class Difference:
    """One difference. `key` is the member of a set or mapping (a rule, a number, a destination, a tag); None: a scalar.

    `want` and `have` are ABSENT if the member, or the whole resource, does not exist.
    """

    address: Address
    field: str
    key: Any
    want: Any
    have: Any

    @property
    def identity(self) -> Identity:
        return self.address, self.field, self.key

    @property
    def sign(self) -> Sign:
        """What correcting it does to the live state."""
        if self.have is ABSENT:
            return "add"
        return "remove" if self.want is ABSENT else "change"


@dataclass(frozen=True)
class Change[R: Resource = Any, F = Any]:
    """All drift of one resource. `have` is None if it is missing: then `base` is how AWS creates a new one."""

    address: Address
    want: R
    have: Observed[R, F] | None
    base: R
    differences: tuple[Difference, ...]

    @property
    def missing(self) -> Difference:
        """The difference of a missing resource."""
        return Difference(self.address, "", None, self.want, ABSENT)

    def of(self, name: str) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.field == name)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(one.field for one in self.differences)
