"""Intents: what may reach what, in the words of a document. `intent_checks.py` checks them against its other parts.

An end of an intent is a selector: a word (INTERNET, OUTSIDE, ANYWHERE), the name of a workload, the address of a
database, subnet, security group or VPC, or a CIDR. What they mean for packets is decided in `reconciler/reach`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from desired_state.fields import TrafficError, port_range, refusal, shown
from desired_state.members import Collection, MemberProblem, SecurityGroups, Subnets, listed_twice, refused_members

INTERNET = "internet"
"""Every public address that is not the VPC's own."""
OUTSIDE = "outside"
"""The internet, and every network that a route leads to through a peering, a VPN or a transit gateway."""
ANYWHERE = "anywhere"
"""Outside, and every machine of the VPC."""
WORDS = (INTERNET, OUTSIDE, ANYWHERE)
SELECTABLE = ("db_instance", "subnet", "security_group", "vpc")
"""The kinds whose addresses are ends: machines are in them, or have them."""
NOT_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
"""The IPv4 networks that are no part of the internet (RFC 6890, and multicast with what is above it)."""
INTERNET_IPV6 = "2000::/3"
"""The IPv6 addresses that are given out for the internet (RFC 4291)."""
DATABASE_PORT = 5432
"""Of a PostgreSQL instance without a declared port (RDS user guide, CreateDBInstance)."""

Expect = Literal["reachable", "blocked", "only"]
Protocol = Literal["tcp", "udp", "icmp", "icmpv6", "all"]


def _listed(written: Any, member: type | tuple[type, ...], nouns: str) -> list[Any]:
    """The members of a list, or the one value that stands for a list of one. Raises the refusal of other types."""
    if isinstance(written, list):
        if not written:
            raise refusal("the list is empty", "write at least one, or leave it out where it may be left out")
        wrong: list[MemberProblem] = [
            ((index,), f"expected {nouns}, found {shown(one)}", f"write {nouns}")
            for index, one in enumerate(written)
            if not isinstance(one, member) or isinstance(one, bool)
        ]
        if wrong:
            raise refused_members(wrong)
        return written
    if not isinstance(written, member) or isinstance(written, bool):
        raise refusal(f"expected {nouns} or a list, found {shown(written)}", f"write {nouns}, or a list")
    return [written]


_END = {"type": "string"}


class Ends(Collection, tuple[str, ...]):
    """Selectors, in the order in which they are written. One may stand without a list."""

    __slots__ = ()
    written = Any

    @classmethod
    def read(cls, written: Any) -> Self:
        ends = cls(_listed(written, str, "a string"))
        if problems := listed_twice(ends):
            raise refused_members(problems)
        return ends

    def as_written(self) -> str | list[str]:
        return self[0] if len(self) == 1 else list(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [_END, {"type": "array", "items": _END, "minItems": 1}]}


_PORTS = [
    {"type": "integer", "minimum": 0, "maximum": 65535},
    {"type": "string", "pattern": "^[0-9]{1,5}-[0-9]{1,5}$"},
]


class Ports(Collection, tuple[tuple[int, int], ...]):
    """Ranges of ports as (first, last), in the order in which they are written. One may stand without a list."""

    __slots__ = ()
    written = Any

    @classmethod
    def read(cls, written: Any) -> Self:
        in_list, ranges, problems = isinstance(written, list), list[tuple[int, int]](), list[MemberProblem]()
        for index, ports in enumerate(_listed(written, (int, str), "a port or a range of ports")):
            try:
                found = port_range(ports)
            except TrafficError as error:
                if not in_list:
                    raise refusal(error.problem, error.hint) from error
                problems.append(((index,), error.problem, error.hint))
                continue
            if found in ranges:
                problems.append(((index,), f"{shown(ports)} is listed twice", "list it once"))
            ranges.append(found)
        if problems:
            raise refused_members(problems)
        return cls(ranges)

    def as_written(self) -> int | str | list[int | str]:
        listed: list[int | str] = [first if first == last else f"{first}-{last}" for first, last in self]
        return listed[0] if len(listed) == 1 else listed

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [*_PORTS, {"type": "array", "items": {"anyOf": _PORTS}, "minItems": 1}]}


def _one_range(ports: Ports | None) -> Ports | None:
    if ports is not None and len(ports) > 1:
        raise refusal(f"{len(ports)} ranges of client ports", "write the range that holds them all")
    return ports


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Workload(_Part):
    """A name for intents to use: machines in these subnets, each with all of these security groups."""

    subnets: Subnets
    security_groups: SecurityGroups
    public_address: Annotated[
        bool | None,
        Field(description="Whether its machines have public IPv4 addresses; left out: if their subnet gives them one."),
    ] = None
    client_ports: Annotated[
        Ports | None,
        AfterValidator(_one_range),
        Field(description="The range of ports that its machines connect from; left out: 1024-65535."),
    ] = None


class Intent(_Part):
    """What may reach what: `from` and `to` are internet, outside, anywhere, workloads, addresses or CIDRs.

    `reachable`: every request passes, and its replies. `blocked`: no request arrives. `only`: what is named is
    reachable, and everything else from there is blocked: other machines, and other ports of these machines.
    """

    name: Annotated[str, Field(min_length=1, max_length=256)]
    source: Annotated[Ends, Field(alias="from", description="Who sends: one, or a list.")]
    excluding: Annotated[
        Ends | None, Field(alias="except", description="Who is taken out of `from`: one, or a list.")
    ] = None
    to: Annotated[Ends, Field(description="Who is reached: one, or a list.")]
    protocol: Annotated[
        Protocol | None,
        Field(description="Left out: anything, if it is blocked; towards a database tcp and its port."),
    ] = None
    ports: Annotated[Ports | None, Field(description="One, a range or a list; left out: all of the protocol.")] = None
    expect: Expect
    severity: Annotated[
        Literal["critical", "high", "medium", "low"] | None,
        Field(description="How grave it is if it is broken; left out: what follows from the intent."),
    ] = None
    enforcement: Annotated[
        Literal["hold", "report"],
        Field(description="Whether a call that would break it is held, or it is only reported."),
    ] = "hold"

    @property
    def demand(self) -> str:
        """All that it says, without its name and its severity: equal for intents that demand the same."""
        return self.model_dump_json(exclude={"name", "severity"})
