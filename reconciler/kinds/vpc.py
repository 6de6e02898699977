"""The VPC: its CIDR block cannot change, its two DNS attributes can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desired_state.fields import Address
from desired_state.network import Vpc
from reconciler.aws.ec2 import CREATE_TAGS, canonical, in_vpc, name_tag, pending, retag, tagged_as, tags_of
from reconciler.model import Change, Effect, Observed, Operation, Phase, Ref, Risk
from reconciler.model.kind import (
    Answers,
    Correct,
    Create,
    Item,
    Kind,
    Observe,
    ObserveContext,
    PlanContext,
    Read,
    ReadContext,
    Step,
    Traffic,
    VpcFacts,
    read,
)
from reconciler.packets.reachability import LOCAL

CREATE = Operation(
    "ec2",
    "CreateVpc",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="Vpc.VpcId",
    iam_resource_types=("vpc",),
)
MODIFY = Operation("ec2", "ModifyVpcAttribute", Phase.BIND, Risk.REVERSIBLE, iam_resource_types=("vpc",))

ATTRIBUTES = {"enable_dns_support": "EnableDnsSupport", "enable_dns_hostnames": "EnableDnsHostnames"}
_GONE = ("InvalidVpcID.NotFound",)


def vpcs(context: ReadContext) -> Read:
    """The VPC by id, or every VPC of the region if the id is not known yet.

    A filter by Setpoint's tags or by the Name tag would miss candidates, and a missed VPC would be created again.
    """
    if not context.vpc_id:
        return read("ec2", "DescribeVpcs", "Vpcs", {}, page=1000)
    return in_vpc("DescribeVpcs", "Vpcs", context)


def attribute(context: ReadContext, field: str) -> Read:
    """One DNS attribute; DescribeVpcs shows neither, and a call returns one of them (EC2 API reference)."""
    name = ATTRIBUTES[field]
    lower = name[0].lower() + name[1:]
    params = {"VpcId": context.vpc_id, "Attribute": lower}
    return read("ec2", "DescribeVpcAttribute", f"{name}.Value", params, absent=_GONE)


def reads(context: ReadContext) -> Iterable[Read]:
    yield vpcs(context)
    if context.vpc_id:
        yield from (attribute(context, field) for field in ATTRIBUTES)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return answers[vpcs(context)]


def matches(address: Address, resource: Vpc, item: Item, context: ReadContext) -> bool:
    """By `scope.vpc_id` if it is given, otherwise by Name tag and CIDR block together."""
    if context.document.scope.vpc_id:
        return bool(item["VpcId"] == context.document.scope.vpc_id)
    return name_tag(item) == address.name and canonical(item["CidrBlock"]) == resource.cidr_block


def observed(item: Item, context: ObserveContext) -> Observed[Vpc, VpcFacts]:
    attributes = {field: context.answers[attribute(context.read, field)] for field in ATTRIBUTES}
    spec = Vpc(
        cidr_block=canonical(item["CidrBlock"]),
        tags=tags_of(item),
        **{field: answer[0] for field, answer in attributes.items() if answer},
    )
    networks = [one["CidrBlock"] for one in item.get("CidrBlockAssociationSet", ())]
    sixes = [one["Ipv6CidrBlock"] for one in item.get("Ipv6CidrBlockAssociationSet", ())]
    facts = VpcFacts(frozenset(map(canonical, [item["CidrBlock"], *networks, *sixes])))
    status = pending(item)
    return Observed(item["VpcId"], spec, facts, status, creating=bool(status))


def initial_state(want: Vpc, context: PlanContext) -> Vpc:
    """A VPC that is created by API has DNS support on and DNS hostnames off (VPC user guide, DNS attributes)."""
    return want.but(enable_dns_support=True, enable_dns_hostnames=False)


def create(address: Address, want: Vpc, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        f"create the VPC {want.cidr_block}",
        gives=Ref(address),
        params={"CidrBlock": want.cidr_block, "TagSpecifications": tagged_as("vpc", want.tags)},
    )


def correct(change: Change[Vpc, VpcFacts], context: PlanContext) -> Iterator[Step]:
    """DNS hostnames need DNS support, so that is switched on first and off last."""
    want = {one.field: one.want for one in change.differences if one.field in ATTRIBUTES}
    for field in sorted(want, key=lambda name: (not want[name], (name != "enable_dns_support") == want[name])):
        yield MODIFY.on(
            change.address,
            f"set {field} to {str(want[field]).lower()}",
            field,
            chain="dns",
            breaks=0 if want[field] else 1,
            params={"VpcId": Ref(change.address), ATTRIBUTES[field]: {"Value": want[field]}},
        )
    yield from retag(change)


def effects(address: Address, seen: Observed[Vpc, VpcFacts], vpc: Address) -> Iterable[Effect]:
    yield from ((LOCAL, cidr, True) for cidr in seen.facts.networks)


KIND = Kind(
    "vpc",
    Vpc,
    after=frozenset(),
    operations=(CREATE, MODIFY, CREATE_TAGS.for_resource_types("vpc")),
    observe=Observe(
        permissions=("ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"),
        reads=reads,
        live=live,
        id=lambda item: str(item["VpcId"]),
        label=name_tag,
        tags=tags_of,
        matches=matches,
        observed=observed,
        named_by_tag=lambda resource, document: not document.scope.vpc_id,
    ),
    create=Create(initial_state, create),
    correct=Correct(correct, immutable=frozenset({"cidr_block"})),
    traffic=Traffic(effects=effects, together=dict.fromkeys(ATTRIBUTES, "dns")),
    also_changed_by=frozenset(
        {
            "AssociateDhcpOptions",
            "AssociateVpcCidrBlock",
            "DeleteTags",
            "DeleteVpc",
            "DisassociateVpcCidrBlock",
            "ModifyVpcTenancy",
        }
    ),
)
