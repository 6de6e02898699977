"""The VPC: its CIDR block cannot change, its two DNS attributes can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from desired_state.fields import Address
from desired_state.network import Blocks, Vpc
from reconciler.aws.ec2 import CREATE_TAGS, canonical, in_vpc, name_tag, pending, retag, tagged_as, tags_of
from reconciler.model import (
    ABSENT,
    Cause,
    Change,
    Effect,
    Evidence,
    Finding,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
)
from reconciler.model.cause import (
    EC2_TAGS,
    EXTRA,
    GOES,
    GONE,
    NOTHING,
    Details,
    Part,
    Touches,
    Way,
    by_parameter,
    touches,
    values_of,
)
from reconciler.model.imported import Import
from reconciler.model.kind import (
    Correct,
    Create,
    Identify,
    Kind,
    Observe,
    ObserveContext,
    PlanContext,
    Step,
    Traffic,
    VpcFacts,
)
from reconciler.model.read import Answers, Item, Read, ReadContext, id_in, read
from reconciler.reach.network import LOCAL

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


def named(resource: Vpc, item: Item) -> bool:
    """Neither the Name tag nor the network is unique."""
    return canonical(item["CidrBlock"]) == resource.cidr_block


def rival(address: Address, resource: Vpc, item: Item) -> str:
    """A VPC with its network or its Name tag may be the one that is meant."""
    name, network = name_tag(item), canonical(item["CidrBlock"])
    if name != address.name and network != resource.cidr_block:
        return ""
    called = f"its Name tag says {name!r}" if name else "it has no Name tag"
    return (
        f"{item['VpcId']} has the network {network}, and {called}: name it in scope.vpc_id if it is this one; "
        f'write "adopt": {{"{address}": "new"}} to have another made beside it'
    )


def observed(item: Item, context: ObserveContext) -> Observed[Vpc, VpcFacts]:
    attributes = {field: context.answers[attribute(context.read, field)] for field in ATTRIBUTES}
    networks = [one["CidrBlock"] for one in item.get("CidrBlockAssociationSet", ()) if _associated(one)]
    spec = Vpc(
        cidr_block=canonical(item["CidrBlock"]),
        secondary_cidr_blocks=Blocks(set(map(canonical, networks)) - {canonical(item["CidrBlock"])}),
        tags=tags_of(item),
        **{field: answer[0] for field, answer in attributes.items() if answer},
    )
    sixes = [
        one["Ipv6CidrBlock"]
        for one in item.get("Ipv6CidrBlockAssociationSet", ())
        if _associated(one, "Ipv6CidrBlockState")
    ]
    facts = VpcFacts(frozenset(map(canonical, [item["CidrBlock"], *networks, *sixes])))
    status = pending(item)
    return Observed(item["VpcId"], spec, facts, status, creating=status == "pending")


def _associated(block: Item, state: str = "CidrBlockState") -> bool:
    """Whether a network is the VPC's now: a disassociated one is shown for a while (EC2 API reference)."""
    return block.get(state, {}).get("State", "associated") in {"associated", "associating"}


def initial_state(want: Vpc, context: PlanContext) -> Vpc:
    """A VPC that is created by API has DNS support on and DNS hostnames off (VPC user guide, DNS attributes)."""
    return want.but(enable_dns_support=True, enable_dns_hostnames=False, secondary_cidr_blocks=Blocks())


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
    for one in change.of("secondary_cidr_blocks"):
        problem = f"{one.key} is associated with the VPC and not declared: declare it, or disassociate it by hand"
        if one.have is ABSENT:
            problem = f"{one.key} is not associated with the VPC: associate it by hand, or take it out of the document"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.UNSUPPORTED, problem), one.field, one.key)
    yield from retag(change)


def effects(address: Address, spec: Vpc, seen: Observed[Vpc, VpcFacts] | None) -> Iterable[Effect]:
    declared = {*([spec.cidr_block] if spec.cidr_block else []), *(spec.secondary_cidr_blocks or ())}
    yield from ((LOCAL, cidr, True) for cidr in sorted(seen.facts.networks if seen else declared))


def unsaid(item: Item, words: Mapping[str, str]) -> Iterator[str]:
    if (tenancy := item.get("InstanceTenancy", "default")) != "default":
        yield f"instance tenancy {tenancy}: a document has no field for it"


def _network(ways: frozenset[Way]) -> Touches:
    """An IPv4 network by its block, or one that IPAM chose; IPv6 cannot be declared."""

    def touched(details: Details) -> Iterable[Part]:
        if blocks := values_of(details, "cidrblock"):
            yield Part("secondary_cidr_blocks", ways, blocks)
        elif "ipv4ipampoolid" in details:
            yield Part("secondary_cidr_blocks", ways)

    return touched


CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "AssociateDhcpOptions": NOTHING,
    "AssociateVpcCidrBlock": _network(EXTRA),
    "CreateVpc": touches("tags", "cidr_block", *ATTRIBUTES, Part("secondary_cidr_blocks", GONE)),
    "DeleteVpc": GOES,
    "DisassociateVpcCidrBlock": touches(Part("secondary_cidr_blocks", GONE)),
    "ModifyVpcAttribute": by_parameter({field: parameter.lower() for field, parameter in ATTRIBUTES.items()}),
    "ModifyVpcTenancy": NOTHING,
}
"""EC2 API reference, each call. DisassociateVpcCidrBlock names an association; the answer names the VPC."""


KIND = Kind(
    "vpc",
    Vpc,
    after=frozenset(),
    operations=(CREATE, MODIFY, CREATE_TAGS.for_resource_types("vpc")),
    observe=Observe(
        permissions=("ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"),
        reads=reads,
        live=live,
        id=id_in("VpcId"),
        label=name_tag,
        tags=tags_of,
        observed=observed,
    ),
    identify=Identify(
        "VPC",
        order=lambda resource: (Evidence.SCOPE, Evidence.TAGS, Evidence.NAME),
        refer="take it out of resources and name it in scope.vpc_id alone",
        named=named,
        rival=rival,
    ),
    create=Create(initial_state, create, named_by_tag=lambda resource: True),
    correct=Correct(correct, immutable=frozenset({"cidr_block"})),
    traffic=Traffic(effects=effects, together=dict.fromkeys(ATTRIBUTES, "dns")),
    changes=CHANGES,
    imported=Import(unnamed=lambda item, around, document: document, unsaid=unsaid),
)
