"""Subnets: CIDR block and availability zone cannot change; whether instances get public addresses can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from desired_state.fields import Address
from desired_state.network import Subnet
from reconciler.aws.ec2 import CREATE_TAGS, canonical, in_vpc, name_tag, pending, retag, tagged_as, tags_of
from reconciler.aws.shapes import flag, word
from reconciler.model import (
    Cause,
    Change,
    Condition,
    Effect,
    Evidence,
    Observed,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
)
from reconciler.model.cause import EC2_TAGS, GOES, NOTHING, Touches, by_parameter, touches
from reconciler.model.exposure import Setting, Severity, of_setting
from reconciler.model.imported import Import, Surroundings, placed
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
)
from reconciler.model.read import Answers, Item, Read, ReadContext, id_in
from reconciler.reach.network import PUBLIC_SUBNETS, SUBNETS

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
    return answers.get(_subnets(context), [])


def live_key(item: Item, context: ReadContext) -> str | None:
    """Subnets of a VPC never overlap; one that has IPv6 only has no IPv4 network (EC2 API reference, Subnet)."""
    return _ipv4(item) or None


def _ipv4(item: Item) -> str:
    """The IPv4 network; empty if the subnet has IPv6 only. Raises ValueError if it has neither."""
    if item.get("CidrBlock"):
        return canonical(item["CidrBlock"])
    if not item.get("Ipv6Native") and not item.get("Ipv6CidrBlockAssociationSet"):
        raise ValueError("it has no network at all")
    return ""


class Facts(NamedTuple):
    """The IPv6 networks of a subnet."""

    ipv6: tuple[str, ...] = ()


def observed(item: Item, context: ObserveContext) -> Observed[Subnet, Facts]:
    network = _ipv4(item)
    spec = Subnet(
        cidr_block=network or None,
        availability_zone=item["AvailabilityZone"],
        map_public_ip_on_launch=flag(item, "MapPublicIpOnLaunch"),
        tags=tags_of(item),
    )
    if not network:
        spec = spec.but(cidr_block="")  # known, and none: it differs from any that is declared
    status = pending(item)
    return Observed(
        item["SubnetId"],
        spec,
        Facts(tuple(_ipv6(item))),
        status,
        creating=status == "pending",
        conditions=tuple(_broken(item["SubnetId"], status)),
    )


_BROKEN = {
    "failed": "AWS could not create it: delete it by hand ({delete}), and the next run makes it anew",
    "failed-insufficient-capacity": (
        "AWS has no capacity for it there: delete it by hand ({delete}), and the next run makes it anew"
    ),
    "unavailable": "what is in it cannot be used: look at the AWS Health Dashboard",
}
"""SubnetState (EC2 API reference, Subnet), without `pending` and `available`."""


def _broken(subnet: str, status: str) -> Iterator[Condition]:
    if words := _BROKEN.get(status):
        said = words.format(delete=f"aws ec2 delete-subnet --subnet-id {subnet}")
        yield Condition(Outcome.BLOCKED, Cause(Reason.BROKEN, f"it is {status}: {said}", status))


_BLOCK_STATES = frozenset({"associating", "associated", "disassociating", "disassociated", "failing", "failed"})
"""The words of SubnetCidrBlockState (EC2 API reference)."""


def _ipv6(item: Item) -> Iterator[str]:
    for one in item.get("Ipv6CidrBlockAssociationSet", ()):
        state = word(one.get("Ipv6CidrBlockState", {}), "State", _BLOCK_STATES, "associated")
        if state in {"associated", "associating"}:
            yield canonical(one["Ipv6CidrBlock"])


def initial_state(want: Subnet, context: PlanContext) -> Subnet:
    return want.but(map_public_ip_on_launch=False)


def create(address: Address, want: Subnet, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        f"create the subnet {want.cidr_block} in {want.availability_zone}",
        gives=Ref(address),
        params={
            "VpcId": Ref(context.document.vpc),
            "CidrBlock": want.cidr_block,
            "AvailabilityZone": want.availability_zone,
            "TagSpecifications": tagged_as("subnet", want.tags),
        },
    )


def correct(change: Change[Subnet, Facts], context: PlanContext) -> Iterator[Step]:
    for one in change.of("map_public_ip_on_launch"):
        yield MODIFY.on(
            change.address,
            f"set {one.field} to {str(one.want).lower()}",
            one.field,
            effect=((PUBLIC_SUBNETS, change.address, one.want or None),),
            params={"SubnetId": Ref(change.address), "MapPublicIpOnLaunch": {"Value": one.want}},
        )
    yield from retag(change)


def effects(address: Address, spec: Subnet, seen: Observed[Subnet, Facts] | None) -> Iterable[Effect]:
    networks = [spec.cidr_block] if spec.cidr_block else []
    yield SUBNETS, address, (*networks, *(seen.facts.ipv6 if seen else ()))
    if spec.map_public_ip_on_launch:
        yield PUBLIC_SUBNETS, address, True


SETTINGS = {
    "map_public_ip_on_launch": Setting(
        value=True,
        severity=Severity.HIGH,
        is_now="gives public addresses to instances launched in it",
        was="gave public addresses to instances launched in it",
    ),
}


def zone(item: Item, region: str) -> str:
    """`a`, or `lax-1a` of a local zone."""
    return str(item.get("AvailabilityZone", "")).removeprefix(region).removeprefix("-")


def unnamed(item: Item, around: Surroundings, document: str) -> str:
    subnet = [str(item["SubnetId"])]
    return placed(around.way(subnet), around.zone(subnet))


def apart(item: Item, around: Surroundings) -> Iterator[str]:
    yield around.zones.get(item["SubnetId"], "")
    yield str(item.get("CidrBlock", "")).replace(".", "-").replace("/", "-")


def declined(item: Item) -> str:
    return "" if item.get("CidrBlock") else "it has no IPv4 network, by which a document knows a subnet"


def unsaid(item: Item, words: Mapping[str, str]) -> Iterator[str]:
    if blocks := list(_ipv6(item)):
        yield f"its IPv6 network {', '.join(blocks)}: neither compared nor touched"


CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "AssociateSubnetCidrBlock": NOTHING,
    "CreateSubnet": touches("tags", "cidr_block", "availability_zone", "map_public_ip_on_launch"),
    "DeleteSubnet": GOES,
    "DisassociateSubnetCidrBlock": NOTHING,
    "ModifySubnetAttribute": by_parameter({"map_public_ip_on_launch": "mappubliciponlaunch"}),
}
"""EC2 API reference, each call; networks that are associated are IPv6 only, and cannot be declared."""


KIND = Kind(
    "subnet",
    Subnet,
    after=frozenset({"vpc"}),
    operations=(CREATE, MODIFY, CREATE_TAGS.for_resource_types("subnet")),
    observe=Observe(
        permissions=("ec2:DescribeSubnets",),
        reads=reads,
        live=live,
        id=id_in("SubnetId"),
        label=name_tag,
        tags=tags_of,
        observed=observed,
    ),
    identify=Identify(
        "subnet",
        order=lambda resource: (Evidence.KEY, Evidence.TAGS),
        key=lambda name, resource: resource.cidr_block,
        live_key=live_key,
        key_text="its network",
        fits=lambda resource, item: bool(_ipv4(item)),
    ),
    create=Create(initial_state, create),
    correct=Correct(correct, immutable=frozenset({"cidr_block", "availability_zone"})),
    traffic=Traffic(effects=effects, exposure=lambda one, past: of_setting(SETTINGS, one, past=past)),
    changes=CHANGES,
    imported=Import(unnamed=unnamed, apart=apart, zone=zone, declined=declined, unsaid=unsaid),
)
