"""The network of a document that nobody has looked at: what it declares, and what AWS makes of all else. Pure.

`validate` judges it. Whatever is not declared is as AWS makes it, and every verdict that rests on that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from desired_state.document import Document
from desired_state.fields import ANY, AclEntry, Address, RuleKey
from desired_state.network import NetworkAcl, RouteTable, SecurityGroup, Subnet
from desired_state.quotas import DEFAULT, Quotas
from desired_state.resource import Resource
from desired_state.rules import Egress, EgressEntries, Ingress, IngressEntries, Routes
from reconciler.model import Effect
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.places import placed, possible
from reconciler.reach.network import (
    ACL_OF,
    DEFAULT_ACL,
    GROUPS_OF,
    LOCAL,
    MAIN,
    OF_VPC,
    SUBNETS,
    TABLE_OF,
    USABLE,
    Network,
    entries,
    routes,
    rules,
    whole,
)
from reconciler.reach.pair.topology import Topology

type Means = Callable[[Address, Resource], Iterable[Effect]]
"""What a resource adds to the network's table: `Kind.traffic.effects` of its kind."""

MAIN_TABLE = Address("the VPC's main route table")
DEFAULT_NETWORK_ACL = Address("the VPC's default network ACL")
DEFAULT_GROUP = Address("the VPC's default security group")
_ALL_ALLOWED = {100: AclEntry("allow", "all", ANY, ANY, "0.0.0.0/0")}
"""The entry that AWS gives to both sides of a default network ACL (VPC user guide, default network ACL)."""
_ALL_OUT = RuleKey("all", ANY, ANY, "0.0.0.0/0")
"""The outbound rule that AWS gives to a new group (VPC user guide, security groups)."""
_DEFAULT_NAME = "default"


def offline(document: Document, means: Means, quotas: Quotas = DEFAULT) -> JudgeContext:
    """Everything that the judgement of a document alone needs; `quotas` are those of the account that it is for."""
    assumed: dict[Address, str] = {}
    network = Network(_effects(document, means, assumed))
    there = placed(document, network)
    topology = Topology(network, there.endpoints, assumed=tuple(sorted(assumed.values())), quotas=quotas)
    return JudgeContext(topology, there, possible(document, network, there.endpoints), assumed)


def _effects(document: Document, means: Means, assumed: dict[Address, str]) -> Iterator[Effect]:
    for address, resource in document.resources.items():
        if address not in document.external:
            yield from means(address, _as_aws_makes_it(address, resource, assumed))
    if not getattr(document.resources[document.vpc], "cidr_block", None):
        yield from _networks(document, assumed)
    for address in document.external:
        if address.kind == "subnet":
            yield SUBNETS, address, ()  # its networks are not known
        if address.kind == "internet_gateway":
            assumed[address] = f"{address}, which belongs to another document, is attached to the VPC"
            yield USABLE, address, True
    yield from _used(document, "route_table", "main", MAIN_TABLE, assumed)
    yield from _used(document, "network_acl", "is_default", DEFAULT_NETWORK_ACL, assumed)
    yield from _default_group(document, assumed)


def _default_group(document: Document, assumed: dict[Address, str]) -> Iterator[Effect]:
    """The group of databases that name none (RDS user guide, CreateDBInstance)."""
    declared = Address.of("security_group", _DEFAULT_NAME)
    for address, database in document.of_kind("db_instance").items():
        if address in document.external or getattr(database, "vpc_security_groups", None) is not None:
            continue
        if declared in document.resources:
            yield GROUPS_OF, address, frozenset({declared})
            continue
        yield GROUPS_OF, address, frozenset({DEFAULT_GROUP})
        yield whole(rules(DEFAULT_GROUP, "ingress"), {_own(DEFAULT_GROUP): True})
        yield whole(rules(DEFAULT_GROUP, "egress"), {_ALL_OUT: True})
        assumed[DEFAULT_GROUP] = _SAID[DEFAULT_GROUP]


def _as_aws_makes_it(address: Address, resource: Resource, assumed: dict[Address, str]) -> Resource:
    """A declared resource with what it leaves out."""
    match resource:
        case SecurityGroup():
            return _group(address, resource, assumed)
        case NetworkAcl():
            return _acl(address, resource, assumed)
        case RouteTable() if resource.routes is None:
            assumed[address] = f"{address}, whose routes are left out, has only its local route"
            return resource.but(routes=Routes())
    return resource


def _group(address: Address, group: SecurityGroup, assumed: dict[Address, str]) -> SecurityGroup:
    said = []
    if group.ingress is None:
        own = address.name == _DEFAULT_NAME
        said.append("whose ingress is left out, lets in " + ("its own members only" if own else "nothing"))
        group = group.but(ingress=Ingress({_own(address): None} if own else {}))
    if group.egress is None:
        said.append("whose egress is left out, lets everything out")
        group = group.but(egress=Egress({_ALL_OUT: None}))
    if said:
        assumed[address] = f"{address}, {', and '.join(said)}"
    return group


def _own(group: Address) -> RuleKey:
    return RuleKey("all", ANY, ANY, group)


def _acl(address: Address, acl: NetworkAcl, assumed: dict[Address, str]) -> NetworkAcl:
    left_out = [side for side in ("ingress", "egress") if getattr(acl, side) is None]
    if not left_out:
        return acl
    what = "lets everything through" if acl.is_default else "denies everything"
    are = "is" if len(left_out) == 1 else "are"
    assumed[address] = f"{address}, whose {' and '.join(left_out)} {are} left out, {what}"
    by_aws = _ALL_ALLOWED if acl.is_default else {}
    filled = {"ingress": IngressEntries(by_aws), "egress": EgressEntries(by_aws)}
    return acl.but(**{side: filled[side] for side in left_out})


def _networks(document: Document, assumed: dict[Address, str]) -> Iterator[Effect]:
    blocks = [one.cidr_block for one in document.resources.values() if isinstance(one, Subnet) and one.cidr_block]
    assumed[document.vpc] = f"{document.vpc}, which is not declared, has no networks but those of its subnets"
    yield from ((LOCAL, block, True) for block in blocks)


def _used(document: Document, kind: str, flag: str, by_aws: Address, assumed: dict[Address, str]) -> Iterator[Effect]:
    """What subnets use that nothing declared says: the VPC's own, or what belongs to another document.

    The members of the cells that say so; a table or ACL that nobody knows has no cell.
    """
    declared = document.of_kind(kind)
    own = next((at for at, one in declared.items() if getattr(one, flag)), None)
    of_others = any(at in document.external for at in declared)
    subnets = {subnet for one in declared.values() for subnet in getattr(one, "subnets", None) or ()}
    cell, noun = (TABLE_OF, "route table") if kind == "route_table" else (ACL_OF, "network ACL")
    for subnet in document.of_kind("subnet"):
        if subnet not in subnets and (of_others or subnet in document.external):
            yield cell, subnet, Address(f"the {noun} of {subnet}")
    if own is None and not of_others:
        yield MAIN if kind == "route_table" else DEFAULT_ACL, OF_VPC, by_aws
        yield from _made_by_aws(by_aws)
        assumed[by_aws] = _SAID[by_aws]


def _made_by_aws(address: Address) -> Iterator[Effect]:
    if address == MAIN_TABLE:
        yield whole(routes(address), {})
    else:
        yield from (whole(entries(address, side), _ALL_ALLOWED) for side in ("ingress", "egress"))


_SAID: Mapping[Address, str] = {
    MAIN_TABLE: f"{MAIN_TABLE}, which is not declared, has only its local route",
    DEFAULT_NETWORK_ACL: f"{DEFAULT_NETWORK_ACL}, which is not declared, lets everything through",
    DEFAULT_GROUP: f"{DEFAULT_GROUP}, which is not declared, lets in its own members and everything out",
}
