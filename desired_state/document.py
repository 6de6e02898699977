"""The document, version 1: the models around the resources, and `Document`, which `load.py` makes from bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

import desired_state.database  # noqa: F401 (defining the models fills SECTIONS)
from desired_state.fields import Address, Form, refusal, shown
from desired_state.intents import Intent, Workload
from desired_state.members import Names
from desired_state.network import Vpc
from desired_state.regions import is_region, listed_regions
from desired_state.resource import Enforcement, Resource
from desired_state.rollback_note import RollbackNote
from desired_state.rules import Rules
from desired_state.spelling import foreign_groups, ids_in, ids_of

FORMAT = 1
"""The version of the document's format that this code reads."""
NEW = "new"
"""In `adopt`: no live resource is it, so that one is made."""


_NAME = Form(r"[a-z0-9][a-z0-9-]{0,62}", "a valid document name", "use 1 to 63 of a-z, 0-9 and -, not starting with -")
Name = Annotated[str, _NAME]
"""Also a tag's value, part of an object's key, and the key of a lease."""
Revision = Annotated[int, Field(ge=1, le=2**53 - 1)]
_AccountId = Annotated[str, Form(r"[0-9]{12}", "a valid account id", 'write the 12 digits as a string: "123456789012"')]


def _region(text: str) -> str:
    if not is_region(text):
        known = sorted(listed_regions())
        close = get_close_matches(text[:64], known, n=1, cutoff=0.7)
        hint = f'did you mean "{close[0]}"?' if close else 'write the region\'s name, such as "ap-northeast-2"'
        raise refusal(f"{shown(text)} is not a valid region", hint)
    return text


_Region = Annotated[
    str, AfterValidator(_region), WithJsonSchema({"type": "string", "pattern": "^[a-z]+(-[a-z]+)+-[0-9]+$"})
]
FORMER_NAMES = 10
"""That a document may have: each one is a further owner whose tags count."""
FormerNames = Annotated[Names, AfterValidator(lambda names: names.checked(_NAME.problem, most=FORMER_NAMES))]
_VpcId = Annotated[str, Vpc.id_form]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Scope(_Part):
    """The account and region. Without `vpc_id` the VPC is found by its tags, or by its Name tag and CIDR block."""

    account_id: _AccountId
    region: _Region
    vpc_id: _VpcId | None = None


class External(_Part):
    """What the document refers to and does not own: its id, or the document that owns it and tags it."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["id"]}, {"required": ["document"]}],
            "dependentRequired": {"name": ["document"]},
        }
    )

    id: Annotated[str | None, Field(description="Its id; of a DB instance its DbiResourceId.")] = None
    document: Annotated[Name | None, Field(description="The name of the document that owns it.")] = None
    name: Annotated[str | None, Field(description="Its name in that document; left out: the same as here.")] = None


class WrittenException(_Part):
    """A live value that is accepted until a date, although it is not declared.

    `value` is written as in the field itself: a rule, one entry under its number, one route, one tag, one reference.
    """

    address: Address
    field: str
    value: Any
    until: str
    reason: Annotated[str, Field(min_length=1, max_length=256)]


@dataclass(frozen=True)
class DocumentException:
    """An exception that loaded: `value` is canonical, as in the model of `address`."""

    address: Address
    field: str
    value: Any
    until: datetime
    reason: str


@dataclass(frozen=True)
class Document:
    """A document that loaded: canonical and cross-checked, with the digest of its bytes.

    `resources` has everything declared, in the document's order, with the defaults of `enforcement` and of an internet
    gateway's `vpc` filled in. `vpc` is the address of the VPC; if only `scope.vpc_id` names it, `resources` has it
    under its id, with enforcement `ignore`. So are those of `external`: last, with no field set.

    `formerly` are earlier names of the document. `adopt` says which live resource an address is: an id, or NEW.
    `rollback` is what a rollback has noted on the version of the object that the bytes are from.
    """

    name: str
    formerly: tuple[str, ...]
    revision: int
    scope: Scope
    enforcement: Enforcement
    adopt: Mapping[Address, str]
    external: Mapping[Address, External]
    resources: Mapping[Address, Resource]
    vpc: Address
    intents: tuple[Intent, ...]
    workloads: Mapping[str, Workload]
    exceptions: tuple[DocumentException, ...]
    sha256: str
    origin: str
    rollback: RollbackNote | None = None

    @property
    def own(self) -> list[Address]:
        """What it declares itself: not what is external, and not a VPC that only `scope.vpc_id` names."""
        only_named = self.resources[self.vpc] == Vpc(enforcement="ignore") and self.vpc.name == self.scope.vpc_id
        return [at for at in self.resources if at not in self.external and not (only_named and at == self.vpc)]

    def of_kind(self, kind: str) -> Mapping[Address, Resource]:
        return self._by_kind.get(kind, {})

    @cached_property
    def _by_kind(self) -> Mapping[str, Mapping[Address, Resource]]:
        by_kind: dict[str, dict[Address, Resource]] = {}
        for address, resource in self.resources.items():
            by_kind.setdefault(address.kind, {})[address] = resource
        return by_kind

    @cached_property
    def names_prefix_lists(self) -> bool:
        """Whether a rule of a group is about a prefix list."""
        rules = (getattr(one, field) for one in self.resources.values() for field in one.described())
        return any(key.peer.startswith("pl-") for some in rules if isinstance(some, Rules) for key in some)

    @cached_property
    def compared(self) -> dict[Address, Any]:
        """What `diff` remembers of the last comparison of each resource with a look."""
        return {}

    @cached_property
    def looked(self) -> dict[str, Any]:
        """What the last look remembers of a VPC, by its id (`engine/looked.py`)."""
        return {}

    @cached_property
    def names(self) -> Mapping[Address, frozenset[str]]:
        """The name and the former names of everything that it owns."""
        return {
            at: frozenset({at.name, *one.formerly}) for at, one in self.resources.items() if at not in self.external
        }

    def called(self, kind: str) -> Mapping[str, Address]:
        """What it owns of a kind, by its name and its former names."""
        return self._called.get(kind, {})

    @cached_property
    def _called(self) -> Mapping[str, Mapping[str, Address]]:
        called: dict[str, dict[str, Address]] = {}
        for address, names in self.names.items():
            called.setdefault(address.kind, {}).update(dict.fromkeys(names, address))
        return called

    @cached_property
    def ids_of(self) -> Mapping[Address, frozenset[str]]:
        """The ids by which each resource names something; it has none that names nothing so."""
        return {at: ids for at, one in self.resources.items() if (ids := frozenset(ids_of(one)))}

    @cached_property
    def ids(self) -> frozenset[str]:
        """Every id by which it names something."""
        return frozenset(ids_in(self))

    @cached_property
    def foreign_groups(self) -> Mapping[str, Address]:
        """The full name, `<account>/<id>`, of every group of another account that it names so, by its id."""
        return dict(foreign_groups(self))
