"""The kinds of the network: VPC, internet gateway, subnet, route table, security group, network ACL.

One frozen model per kind. Fields have the names of the AWS API in snake_case; a reference has no `_id`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field

from desired_state.fields import Address, Form, cidr_problem, is_ipv6, network, refusal, shown
from desired_state.members import Collection, MemberProblem, Subnets, listed_twice, refused_members
from desired_state.regions import region_of
from desired_state.resource import Refusal, Resource, ec2_id
from desired_state.rules import Egress, EgressEntries, Ingress, IngressEntries, Routes, description_problem


def _block_problem(text: str) -> Refusal | None:
    """The CIDR block of a VPC or subnet: canonical IPv4, /16 to /28 (VPC user guide, VPC CIDR blocks)."""
    if problem := cidr_problem(text):
        return problem
    if is_ipv6(text) or not 16 <= int(text.partition("/")[2]) <= 28:
        return f"{shown(text)} cannot be the CIDR block of a VPC or subnet", "write an IPv4 network from /16 to /28"
    return None


def _block(text: str) -> str:
    if problem := _block_problem(text):
        raise refusal(*problem)
    return text


def _zone(text: str) -> str:
    if region_of(text) is None:
        hint = 'write the name of a zone, such as "ap-northeast-2a"'
        raise refusal(f"{shown(text)} is not an availability zone", hint)
    return text


def _vpc(text: str) -> str:
    if not text.startswith("vpc/"):
        raise refusal(
            f"{shown(text)} is not a VPC of this document", "write vpc/<name>, or leave it out: a document has one VPC"
        )
    return text


def _description(text: str) -> str:
    """EC2 refuses an empty description of a group, unlike that of a rule (EC2 API reference, CreateSecurityGroup)."""
    if not text:
        raise refusal("the description is empty", "leave it out, or write what this is for")
    if problem := description_problem(text):
        raise refusal(*problem)
    return text


Block = Annotated[str, AfterValidator(_block)]
Zone = Annotated[str, AfterValidator(_zone)]
VpcReference = Annotated[Address, AfterValidator(_vpc)]
GroupDescription = Annotated[str, AfterValidator(_description)]


_SECONDARY_BLOCKS = 49
"""50 with the VPC's own: the highest value that the quota can have (VPC user guide, quotas)."""


class Blocks(Collection, frozenset[str]):
    """A set of IPv4 networks."""

    written = list[str]

    @classmethod
    def read(cls, written: list[str]) -> Self:
        refused = ((index, _block_problem(one)) for index, one in enumerate(written))
        problems: list[MemberProblem] = [((index,), *problem) for index, problem in refused if problem]
        problems += listed_twice(written)
        if len(written) > _SECONDARY_BLOCKS:
            hint = f"declare at most {_SECONDARY_BLOCKS}: AWS allows 50 CIDR blocks in a VPC"
            problems.append(((), f"{len(written)} secondary CIDR blocks", hint))
        if problems:
            raise refused_members(problems)
        return cls(written)

    def as_written(self) -> list[str]:
        return sorted(self, key=network)


class Vpc(Resource):
    """The VPC; a document has one."""

    kind: ClassVar[str] = "vpc"
    id_form: ClassVar[Form | None] = ec2_id("vpc", "VPC")
    required: ClassVar[frozenset[str]] = frozenset({"cidr_block"})

    cidr_block: Block | None = None
    secondary_cidr_blocks: Annotated[
        Blocks | None, Field(description="Its further IPv4 networks; a difference is told, never corrected.")
    ] = None
    enable_dns_support: bool | None = None
    enable_dns_hostnames: bool | None = None


class InternetGateway(Resource):
    """The internet gateway. `vpc` is what it is attached to, by default the document's VPC."""

    kind: ClassVar[str] = "internet_gateway"
    id_form: ClassVar[Form | None] = ec2_id("igw", "internet gateway")
    route_parameter: ClassVar[str] = "GatewayId"

    vpc: VpcReference | None = None


class Subnet(Resource):
    """A subnet; its CIDR block identifies it."""

    kind: ClassVar[str] = "subnet"
    id_form: ClassVar[Form | None] = ec2_id("subnet", "subnet")
    required: ClassVar[frozenset[str]] = frozenset({"cidr_block", "availability_zone"})

    cidr_block: Block | None = None
    availability_zone: Zone | None = None
    map_public_ip_on_launch: bool | None = None


class RouteTable(Resource):
    """A route table with its static routes and the subnets explicitly associated with it.

    `main: true` declares the VPC's main table. `routes` need not include AWS's own: local routes, propagated routes and
    those of gateway endpoints. A declared one of a gateway endpoint (`pl-...` by `vpce-...`) is compared, and a
    difference is told: only the endpoint makes and takes away its routes.
    """

    kind: ClassVar[str] = "route_table"
    id_form: ClassVar[Form | None] = ec2_id("rtb", "route table")

    main: bool | None = None
    routes: Routes | None = None
    subnets: Subnets | None = None


class SecurityGroup(Resource):
    """A security group; `default` is the VPC's default group."""

    kind: ClassVar[str] = "security_group"
    id_form: ClassVar[Form | None] = ec2_id("sg", "security group")
    any_case: ClassVar[bool] = True

    description: GroupDescription | None = None
    ingress: Ingress | None = None
    egress: Egress | None = None

    @classmethod
    def name_problem(cls, name: str) -> Refusal | None:
        if name.lower().startswith("sg-"):
            return (
                f"{shown(name)} cannot be the name of a security group",
                "choose another: AWS reserves names that start with sg- for ids",
            )
        if name.lower() == "default" and name != "default":
            return (
                f"{shown(name)} cannot be the name of a security group",
                'write "default" for the VPC\'s default group',
            )
        return super().name_problem(name)


class NetworkAcl(Resource):
    """A network ACL with its entries and subnets. `is_default: true` declares the VPC's default ACL."""

    kind: ClassVar[str] = "network_acl"
    id_form: ClassVar[Form | None] = ec2_id("acl", "network ACL")

    is_default: bool | None = None
    ingress: IngressEntries | None = None
    egress: EgressEntries | None = None
    subnets: Subnets | None = None
