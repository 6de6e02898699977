"""Subnets: network and zone are fixed; whether machines launched there get public addresses is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from desired_state.fields import Address
from desired_state.network import Subnet
from desired_state.resource import Resource
from reconciler.aws.ec2 import CREATE_TAGS, canonical, in_vpc, name_tag, retag, tagged_as, tags_of
from reconciler.model import Action, Change, Finding, Observed, Operation, Phase, Ref, Risk
from reconciler.model.kind import Answers, Item, Kind, ObserveContext, PlanContext, Read, ReadContext

CREATE = Operation(
    "ec2",
    "CreateSubnet",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="Subnet.SubnetId",
    iam_resource_types=("subnet", "vpc"),
)
MODIFY = Operation("ec2", "ModifySubnetAttribute", Phase.BIND, Risk.REVERSIBLE, iam_resource_types=("subnet",))


def _subnets(context: ReadContext) -> Read:
    return in_vpc("DescribeSubnets", "Subnets", context)


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id:
        yield _subnets(context)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return cast("list[Item]", answers.get(_subnets(context), []))


def matches(address: Address, resource: Resource, item: Item, context: ReadContext) -> bool:
    return canonical(item["CidrBlock"]) == cast("Subnet", resource).cidr_block


def observed(item: Item, seen: ObserveContext) -> Observed:
    spec = Subnet(
        cidr_block=canonical(item["CidrBlock"]),
        availability_zone=item["AvailabilityZone"],
        map_public_ip_on_launch=item["MapPublicIpOnLaunch"],
        tags=tags_of(item),
    )
    return Observed(item["SubnetId"], spec, "" if item.get("State", "available") == "available" else item["State"])


def initial_state(want: Resource, context: PlanContext) -> Resource:
    return want.but(map_public_ip_on_launch=False)


def create(address: Address, want: Resource, context: PlanContext) -> Iterable[Action | Finding]:
    subnet = cast("Subnet", want)
    yield CREATE.on(
        address,
        f"make the subnet {subnet.cidr_block} in {subnet.availability_zone}",
        gives=Ref(address),
        params={
            "VpcId": Ref(context.document.vpc),
            "CidrBlock": subnet.cidr_block,
            "AvailabilityZone": subnet.availability_zone,
            "TagSpecifications": tagged_as("subnet", want.tags),
        },
    )


def plan(change: Change, context: PlanContext) -> Iterator[Action | Finding]:
    for one in change.of("map_public_ip_on_launch"):
        yield MODIFY.on(
            change.address,
            f"machines launched here get {'a' if one.want else 'no'} public address",
            one.field,
            params={"SubnetId": Ref(change.address), "MapPublicIpOnLaunch": {"Value": one.want}},
        )
    yield from retag(change)


KIND = Kind(
    "subnet",
    Subnet,
    after=frozenset({"vpc"}),
    immutable=frozenset({"cidr_block", "availability_zone"}),
    operations=(CREATE, MODIFY, CREATE_TAGS.for_resource_types("subnet")),
    also_changed_by=frozenset(
        {"AssociateSubnetCidrBlock", "DeleteSubnet", "DeleteTags", "DisassociateSubnetCidrBlock"}
    ),
    read_permissions=("ec2:DescribeSubnets",),
    reads=reads,
    live=live,
    id=lambda item: str(item["SubnetId"]),
    label=name_tag,
    tags=tags_of,
    matches=matches,
    observed=observed,
    initial_state=initial_state,
    create=create,
    plan=plan,
)
