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
    """The value of what is not there; `None` is taken: it means "left out"."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent.ABSENT


class Remark(NamedTuple):
    """Something a person should know of a live member though nothing differs."""

    field: str
    key: Any
    message: str


@dataclass(frozen=True)
class Observed[R: Resource = Any, F = Any]:
    """A live resource: `spec` is the document's model with ids turned back into addresses; `facts` is what is known
    beyond it, in a type of the kind's own.

    `status` is empty when AWS would take a change now, else AWS's own word for what it is doing; `creating`: it is still
    being created, so nothing may rely on it yet. `usable`: whether packets pass through it, where it is a route target.
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
    """A live thing in the VPC that the document does not declare. `owned`: it carries this document's tag."""

    address: Address
    id: str
    owned: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Everything seen in one look. `resources` is symmetric with the document's.

    `handles` are all ids by the name that actions use. `unreadable` and `ambiguous` say why an address is not in
    `resources` though it may well exist; what is in none of the three does not exist, and was looked for twice.
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
    """One difference. `key` is the member of a set or mapping (a rule, a number, a destination, a tag), None for a scalar.

    `want` and `have` are ABSENT where the member, or the whole resource, is not there.
    """

    address: Address
    field: str
    key: Any
    want: Any
    have: Any

    @property
    def identity(self) -> tuple[Address, str, Any]:
        """What it is known by from look to look."""
        return self.address, self.field, self.key

    @property
    def sign(self) -> Sign:
        """What correcting it does to the live state."""
        if self.have is ABSENT:
            return "add"
        return "remove" if self.want is ABSENT else "change"


@dataclass(frozen=True)
class Change[R: Resource = Any, F = Any]:
    """All drift of one resource. `have` is None where it is missing: then `base` is what AWS makes of a new one."""

    address: Address
    want: R
    have: Observed[R, F] | None
    base: R
    differences: tuple[Difference, ...]

    @property
    def missing(self) -> Difference:
        """That the whole resource is missing, as a difference."""
        return Difference(self.address, "", None, self.want, ABSENT)

    def of(self, name: str) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.field == name)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(one.field for one in self.differences)
