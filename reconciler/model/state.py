"""What is seen and what differs: `Snapshot`, `Observed`, `Difference`, `Change`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, NamedTuple

from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.model.operation import Ref
from reconciler.model.outcome import Cause

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


class Remark(NamedTuple):
    """Something a person should know about a live member that does not differ."""

    field: str
    key: Any
    message: str


@dataclass(frozen=True)
class Observed[R: Resource = Any, F = Any]:
    """A live resource: `spec` is the document's model of it, with addresses in place of ids; `facts` is what else is
    known, in a type of its kind.

    `status` is empty if AWS would accept a change now, otherwise AWS's word for its state. `creating`: it is still
    being created, so nothing may use it yet. `usable`: whether packets pass through it, if it is a route target.
    """

    id: str
    spec: R
    facts: F
    status: str = ""
    creating: bool = False
    usable: bool = True
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Unmanaged:
    """A live resource in the VPC that the document does not declare. `owned`: it has this document's tag."""

    address: Address
    id: str
    owned: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything seen in one look. `resources` has the same form as the document's.

    `handles` are all ids, by the names that actions use. `unreadable` and `ambiguous` say why an address is not in
    `resources` although it may exist; what is in none of the three does not exist, and was searched for twice.
    """

    resources: Mapping[Address, Observed]
    handles: Mapping[Ref, str]
    unreadable: Mapping[Address, Cause]
    ambiguous: Mapping[Address, Cause]
    unmanaged: tuple[Unmanaged, ...]
    at: datetime

    def absent(self, address: Address) -> bool:
        return address not in self.resources and address not in self.unreadable and address not in self.ambiguous


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
    def identity(self) -> tuple[Address, str, Any]:
        """What identifies it from look to look."""
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
