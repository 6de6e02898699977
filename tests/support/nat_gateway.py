"""A ninth kind, as anybody would add one: the model and the kind file of a NAT gateway.

It lives in the tests until it is wanted. Public zonal gateways only; the elastic IP is named by its id. Sources: EC2
API reference, CreateNatGateway and DescribeNatGateways; VPC user guide, NAT gateways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from desired_state.fields import Address, Form
from desired_state.resource import SECTIONS, Resource, ec2_id
from reconciler.aws.ec2 import CREATE_TAGS, in_vpc, name_tag, pending, retag, tagged_as, tags_of
from reconciler.model import Change, Effect, Evidence, Observed, Operation, Phase, Ref, Risk
from reconciler.model.cause import EC2_TAGS, GOES
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
from reconciler.model.read import Answers, Item, Read, ReadContext
from reconciler.reach.network import USABLE

# The model: what may be written down.


class NatGateway(Resource):
    """A NAT gateway; its subnet and its elastic IP are fixed."""

    kind: ClassVar[str] = "nat_gateway"
    required: ClassVar[frozenset[str]] = frozenset({"subnet", "allocation_id"})
    id_form: ClassVar[Form | None] = ec2_id("nat", "NAT gateway")
    route_parameter: ClassVar[str] = "NatGatewayId"

    subnet: Address | None = None
    allocation_id: Annotated[str, Field(pattern=r"^eipalloc-[0-9a-f]{8,17}$")] | None = None


SECTIONS.pop(NatGateway.kind)  # defining the model has entered it; a test that wants the kind puts it back

# The kind: how AWS has it.

CREATE = Operation(
    "ec2",
    "CreateNatGateway",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="NatGateway.NatGatewayId",
    iam_resource_types=("natgateway", "elastic-ip", "subnet"),
)


def _gateways(context: ReadContext) -> Read:
    """Its filters are called `Filter`, as of few EC2 calls."""
    return in_vpc("DescribeNatGateways", "NatGateways", context, filters="Filter")


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id:
        yield _gateways(context)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    """A deleted gateway is shown for an hour (VPC user guide, NAT gateways); it is none any more."""
    found = answers.get(_gateways(context), [])
    return [item for item in found if item["State"] not in {"deleted", "deleting", "failed"}]


def observed(item: Item, context: ObserveContext) -> Observed[NatGateway, None]:
    spec = NatGateway(tags=tags_of(item)).but(
        subnet=context.address(item["SubnetId"]),
        allocation_id=item["NatGatewayAddresses"][0].get("AllocationId"),
    )
    status = pending(item)
    return Observed(item["NatGatewayId"], spec, None, status, creating=bool(status), usable=not status)


def create(address: Address, want: NatGateway, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        f"create the NAT gateway in {want.subnet}",
        gives=Ref(address),
        params={
            "SubnetId": Ref(want.subnet or context.document.vpc),
            "AllocationId": want.allocation_id,
            "TagSpecifications": tagged_as("natgateway", want.tags),
        },
    )


def correct(change: Change[NatGateway, None], context: PlanContext) -> Iterator[Step]:
    yield from retag(change)


def effects(address: Address, spec: NatGateway, seen: Observed[NatGateway, None] | None) -> Iterable[Effect]:
    if seen is None or seen.usable:
        yield USABLE, address, True


KIND = Kind(
    "nat_gateway",
    NatGateway,
    after=frozenset({"vpc", "subnet"}),
    before=frozenset({"route_table"}),
    operations=(CREATE, CREATE_TAGS.for_resource_types("natgateway")),
    observe=Observe(
        permissions=("ec2:DescribeNatGateways",),
        reads=reads,
        live=live,
        id=lambda item: str(item["NatGatewayId"]),
        label=name_tag,
        tags=tags_of,
        observed=observed,
    ),
    identify=Identify("NAT gateway", order=lambda resource: (Evidence.TAGS, Evidence.NAME)),
    create=Create(lambda want, context: want, create, named_by_tag=lambda resource: True, takes_time=True),
    correct=Correct(correct, immutable=frozenset({"subnet", "allocation_id"})),
    traffic=Traffic(effects=effects),
    changes={**EC2_TAGS, "DeleteNatGateway": GOES},
)
