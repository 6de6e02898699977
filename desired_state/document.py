"""The document, version 1: the models around the resources, and `Document`, which `load.py` makes from bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

import desired_state.database
import desired_state.network  # noqa: F401 (defining the models fills SECTIONS)
from desired_state.fields import Address, refusal, shown
from desired_state.members import SecurityGroups, Subnets
from desired_state.resource import Enforcement, Resource

FORMAT = 1
"""The version of the document's format that this code reads."""


@dataclass(frozen=True)
class _Form:
    """The form of a string: a pattern for all of it, its name, and a hint."""

    pattern: str
    what: str
    hint: str

    def read(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise refusal(f"{shown(text)} is not a valid {self.what}", self.hint)
        return text

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


Name = Annotated[
    str, _Form(r"[a-z0-9][a-z0-9-]{0,62}", "document name", "use 1 to 63 of a-z, 0-9 and -, not starting with -")
]
"""Also a tag's value, part of an object's key, and the key of a lease."""
Revision = Annotated[int, Field(ge=1, le=2**53 - 1)]
_AccountId = Annotated[str, _Form(r"[0-9]{12}", "account id", 'write the 12 digits as a string: "123456789012"')]
_Region = Annotated[
    str, _Form(r"[a-z]{2}(-[a-z]+)+-[0-9]", "region", 'write the region\'s name, such as "ap-northeast-2"')
]
_VpcId = Annotated[str, _Form(r"vpc-[0-9a-f]{8,17}", "VPC id", "write the id as AWS shows it: vpc-...")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Scope(_Part):
    """The account and region. Without `vpc_id` the VPC is found by its tags, or by its Name tag and CIDR block."""

    account_id: _AccountId
    region: _Region
    vpc_id: _VpcId | None = None


class Workload(_Part):
    """A name for intents to use: machines in these subnets, with these security groups."""

    subnets: Subnets
    security_groups: SecurityGroups


class Intent(_Part):
    """What must be reachable or blocked. `from` and `to` are `internet`, a workload, an address, or a CIDR."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    source: Annotated[str, Field(alias="from")]
    to: str
    protocol: Literal["tcp", "udp", "icmp", "icmpv6", "all"] | None = None
    ports: int | str | None = None
    expect: Literal["reachable", "blocked"]


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
    under its id, with enforcement `ignore`.
    """

    name: str
    revision: int
    scope: Scope
    enforcement: Enforcement
    resources: Mapping[Address, Resource]
    vpc: Address
    intents: tuple[Intent, ...]
    workloads: Mapping[str, Workload]
    exceptions: tuple[DocumentException, ...]
    sha256: str
    origin: str

    def of_kind(self, kind: str) -> dict[Address, Resource]:
        return {address: resource for address, resource in self.resources.items() if address.kind == kind}
