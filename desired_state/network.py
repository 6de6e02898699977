"""The kinds of the network: VPC, internet gateway, subnet, route table, security group, network ACL.

One frozen model per kind. Fields have the names of the AWS API in snake_case; a reference has no `_id`.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from desired_state.fields import Address, cidr_problem, is_ipv6, refusal, shown
from desired_state.members import Subnets
from desired_state.resource import Refusal, Resource
from desired_state.rules import Egress, EgressEntries, Ingress, IngressEntries, Routes, description_problem

_ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+[a-z]|[a-z]{2}(-[a-z]+)+-[0-9]+-[a-z]+-[0-9]+[a-z]")


def _block(text: str) -> str:
    """The CIDR block of a VPC or subnet: canonical IPv4, /16 to /28 (VPC user guide, VPC CIDR blocks)."""
    if problem := cidr_problem(text):
        raise refusal(*problem)
    if is_ipv6(text) or not 16 <= int(text.partition("/")[2]) <= 28:
        raise refusal(
            f"{shown(text)} cannot be the CIDR block of a VPC or subnet", "write an IPv4 network from /16 to /28"
        )
    return text


def _zone(text: str) -> str:
    if not _ZONE.fullmatch(text):
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
    if problem := description_problem(text):
        raise refusal(*problem)
    return text


Block = Annotated[str, AfterValidator(_block)]
Zone = Annotated[str, AfterValidator(_zone)]
VpcReference = Annotated[Address, AfterValidator(_vpc)]
GroupDescription = Annotated[str, AfterValidator(_description)]


class Vpc(Resource):
    """The VPC; a document has one."""

    kind: ClassVar[str] = "vpc"
    required: ClassVar[frozenset[str]] = frozenset({"cidr_block"})

    cidr_block: Block | None = None
    enable_dns_support: bool | None = None
    enable_dns_hostnames: bool | None = None


class InternetGateway(Resource):
    """The internet gateway. `vpc` is what it is attached to, by default the document's VPC."""

    kind: ClassVar[str] = "internet_gateway"
    route_parameter: ClassVar[str] = "GatewayId"

    vpc: VpcReference | None = None


class Subnet(Resource):
    """A subnet; its CIDR block identifies it."""

    kind: ClassVar[str] = "subnet"
    required: ClassVar[frozenset[str]] = frozenset({"cidr_block", "availability_zone"})

    cidr_block: Block | None = None
    availability_zone: Zone | None = None
    map_public_ip_on_launch: bool | None = None


class RouteTable(Resource):
    """A route table with its static routes and the subnets explicitly associated with it.

    `main: true` declares the VPC's main table. `routes` does not include AWS's own: local routes, propagated routes and
    those of gateway endpoints.
    """

    kind: ClassVar[str] = "route_table"

    main: bool | None = None
    routes: Routes | None = None
    subnets: Subnets | None = None


class SecurityGroup(Resource):
    """A security group; `default` is the VPC's default group."""

    kind: ClassVar[str] = "security_group"

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

    is_default: bool | None = None
    ingress: IngressEntries | None = None
    egress: EgressEntries | None = None
    subnets: Subnets | None = None
