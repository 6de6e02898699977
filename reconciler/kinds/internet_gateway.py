"""The internet gateway: one per VPC, identified by its attachment. Attaching it opens every route through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from desired_state.fields import NOWHERE, Address
from desired_state.network import InternetGateway
from reconciler.aws.ec2 import CREATE_TAGS, name_tag, retag, tagged_as, tags_of
from reconciler.aws.shapes import legible_tags, listed, text
from reconciler.model import (
    DOCUMENT_TAG,
    Action,
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
    Unmanaged,
)
from reconciler.model.cause import EC2_TAGS, GOES, GONE, Part, Touches, touches
from reconciler.model.exposure import Setting, Severity, of_setting
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
)
from reconciler.model.read import Answers, Item, Read, ReadContext, id_in, read
from reconciler.reach.network import USABLE

CREATE = Operation(
    "ec2",
    "CreateInternetGateway",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="InternetGateway.InternetGatewayId",
    iam_resource_types=("internet-gateway",),
)
ATTACH = Operation(
    "ec2",
    "AttachInternetGateway",
    Phase.BIND,
    Risk.REVERSIBLE,
    affects_traffic=True,
    iam_resource_types=("internet-gateway", "vpc"),
)
DELETE = Operation(
    "ec2",
    "DeleteInternetGateway",
    Phase.DELETE,
    Risk.TRAFFIC,
    iam_resource_types=("internet-gateway",),
    requires_setting="prune",
)

ATTACHED = "internet_gateway"


GATEWAYS = read("ec2", "DescribeInternetGateways", "InternetGateways", {}, page=1000)
"""All of the region: a filter by the attachment would miss one that is detached, or that a stopped run made twice."""


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id or context.owned:
        yield GATEWAYS


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    """The attached one, and those with the document's tags."""
    for item in answers.get(GATEWAYS, ()):
        tagged = legible_tags(item).get(DOCUMENT_TAG) == context.document.name and bool(context.owned)
        if tagged or (context.vpc_id and _vpc_id(item) == context.vpc_id):
            yield item


def _vpc_id(item: Item) -> str:
    found = (text(one, "VpcId", "vpc-") for one in listed(item, "Attachments") if one.get("State") != "detached")
    return next(found, "")


def live_key(item: Item, context: ReadContext) -> str | None:
    """A VPC has one gateway (VPC user guide, Internet gateways)."""
    return ATTACHED if context.vpc_id and _vpc_id(item) == context.vpc_id else None


def observed(item: Item, context: ObserveContext) -> Observed[InternetGateway, None]:
    vpc_id = _vpc_id(item)
    spec = InternetGateway(tags=tags_of(item)).but(vpc=context.address(vpc_id) if vpc_id else NOWHERE)
    usable = spec.vpc == context.read.document.vpc
    return Observed(item["InternetGatewayId"], spec, None, usable=usable)


def handles(items: Iterable[Item], context: ObserveContext) -> Iterable[tuple[Ref, str]]:
    for item in items:
        if _vpc_id(item) == context.read.vpc_id:
            yield Ref(context.read.document.vpc, ATTACHED), item["InternetGatewayId"]


def initial_state(want: InternetGateway, context: PlanContext) -> InternetGateway:
    return want.but(vpc=NOWHERE)


def create(address: Address, want: InternetGateway, context: PlanContext) -> Iterable[Step]:
    tags = tagged_as("internet-gateway", want.tags)
    yield CREATE.on(address, "create the internet gateway", gives=Ref(address), params={"TagSpecifications": tags})


def correct(change: Change[InternetGateway, None], context: PlanContext) -> Iterator[Step]:
    for one in change.of("vpc"):
        other = context.snapshot.handles.get(Ref(context.document.vpc, ATTACHED))
        if one.have != NOWHERE:
            problem = f"it is attached to {one.have}, and detaching it would interrupt that VPC: detach it manually"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem), "vpc")
        elif other:
            problem = f"another gateway, {other}, is attached to the VPC, which can have one: detach it, or declare it"
            yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem), "vpc")
        else:
            params: dict[str, Any] = {"InternetGatewayId": Ref(change.address), "VpcId": Ref(Address(one.want))}
            yield ATTACH.on(
                change.address,
                f"attach it to {one.want}",
                "vpc",
                opens=True,
                effect=((USABLE, change.address, True),),
                params=params,
            )
    yield from retag(change)


def delete(unmanaged: Unmanaged) -> Iterable[Action]:
    gateway: dict[str, Any] = {"InternetGatewayId": Ref(unmanaged.address)}
    yield DELETE.on(
        unmanaged.address, "delete it: it is this document's, and no longer declared", breaks=1, params=gateway
    )


def effects(address: Address, spec: InternetGateway, seen: Observed[InternetGateway, None] | None) -> Iterable[Effect]:
    if seen.usable if seen else spec.vpc != NOWHERE:
        yield USABLE, address, True


SETTINGS = {"vpc": Setting(None, Severity.HIGH, "is not attached as declared", "was not attached as declared")}

CHANGES: Mapping[str, Touches] = {
    **EC2_TAGS,
    "AttachInternetGateway": touches("vpc"),
    "CreateInternetGateway": touches("tags", "vpc"),
    "DeleteInternetGateway": GOES,
    "DetachInternetGateway": touches("vpc", Part("", GONE)),
}
"""EC2 API reference, each call. Without our tags, a gateway that is detached cannot be seen."""


KIND = Kind(
    "internet_gateway",
    InternetGateway,
    after=frozenset({"vpc"}),
    before=frozenset({"route_table"}),
    operations=(CREATE, ATTACH, DELETE, CREATE_TAGS.for_resource_types("internet-gateway")),
    changed_by_tag=True,
    observe=Observe(
        permissions=("ec2:DescribeInternetGateways",),
        reads=reads,
        live=live,
        id=id_in("InternetGatewayId"),
        label=name_tag,
        tags=tags_of,
        observed=observed,
        handles=handles,
    ),
    identify=Identify(
        "internet gateway",
        order=lambda resource: (Evidence.TAGS, Evidence.KEY),
        key=lambda name, resource: ATTACHED,
        live_key=live_key,
        spare=lambda item: not listed(item, "Attachments"),
        deleted_by="aws ec2 delete-internet-gateway --internet-gateway-id",
        key_text="its attachment",
    ),
    create=Create(initial_state, create),
    correct=Correct(correct),
    delete=delete,
    traffic=Traffic(
        effects=effects,
        moves=frozenset({"vpc"}),
        exposure=lambda one, past: of_setting(SETTINGS, one, past=past),
    ),
    changes=CHANGES,
    imported=Import(unnamed=lambda item, around, document: "internet", said=lambda seen: seen.spec.but(vpc=None)),
)
