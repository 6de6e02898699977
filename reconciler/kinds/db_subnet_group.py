"""DB subnet groups: identified by name; a change replaces the whole list of subnets.

Tags cost one more read per group, so they are read only if the document declares tags. They are not needed to identify
a group: its name is unique in the account and region.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from desired_state.database import DbSubnetGroup
from desired_state.fields import Address
from desired_state.members import Subnets, Tags
from reconciler.aws.ec2 import tag_list
from reconciler.aws.rds import ADD_TAGS, INSTANCES, arn, concerned, retag, tags_of
from reconciler.aws.shapes import listed, text
from reconciler.model import (
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
from reconciler.model.cause import GOES, Part, Touches, by_parameter, rds_tags, touches
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
from reconciler.reach.network import SUBNETS_OF

CREATE = Operation(
    "rds",
    "CreateDBSubnetGroup",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"rds:AddTagsToResource"}),
    yields="DBSubnetGroup.DBSubnetGroupName",
    iam_resource_types=("subgrp",),
)
MODIFY = Operation("rds", "ModifyDBSubnetGroup", Phase.BIND, Risk.REVERSIBLE, iam_resource_types=("subgrp",))

_GROUPS = read("rds", "DescribeDBSubnetGroups", "DBSubnetGroups", {}, page=100)


def _tags(context: ReadContext, address: Address) -> Read:
    name = arn(context.document, f"subgrp:{address.name}")
    gone = ("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound")
    return read("rds", "ListTagsForResource", "TagList", {"ResourceName": name}, absent=gone)


def reads(context: ReadContext) -> Iterable[Read]:
    if concerned(context.document):
        yield INSTANCES


def more(context: ReadContext, answers: Answers) -> Iterable[Read]:
    """DescribeDBInstances shows the groups of instances; only groups without an instance need a read of their own."""
    shown = {item["DBSubnetGroupName"] for item in _inside(answers)}
    if any(address.name not in shown for address in context.declared):
        yield _GROUPS
    for address, group in context.declared.items():
        if group.tags is not None and not set(group.tags) <= {"setpoint:document", "setpoint:name"}:
            yield _tags(context, address)


def _inside(answers: Answers) -> Iterator[Item]:
    for instance in answers.get(INSTANCES, ()):
        if group := instance.get("DBSubnetGroup"):
            yield group


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    found = {item["DBSubnetGroupName"]: item for item in (*_inside(answers), *answers.get(_GROUPS, ()))}
    declared = {address.name for address in context.declared}
    return [
        item
        for name, item in found.items()
        if name in declared or (context.vpc_id and item.get("VpcId") == context.vpc_id)
    ]


class Facts(NamedTuple):
    """The ids of the group's VPC and of the document's."""

    vpc: str
    document_vpc: str


def observed(item: Item, context: ObserveContext) -> Observed[DbSubnetGroup, Facts]:
    spec = DbSubnetGroup(
        description=item["DBSubnetGroupDescription"],
        subnets=Subnets(context.address(text(one, "SubnetIdentifier")) for one in listed(item, "Subnets")),
    )
    tags = context.answers.get(_tags(context.read, Address.of("db_subnet_group", item["DBSubnetGroupName"])))
    if tags is not None:
        spec = spec.but(tags=tags_of({"TagList": tags}))
    return Observed(item["DBSubnetGroupName"], spec, Facts(item.get("VpcId", ""), context.read.vpc_id))


def initial_state(want: DbSubnetGroup, context: PlanContext) -> DbSubnetGroup:
    return want


def create(address: Address, want: DbSubnetGroup, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        "create the DB subnet group",
        gives=Ref(address),
        params={
            "DBSubnetGroupName": address.name,
            "DBSubnetGroupDescription": want.description or address.name,
            "SubnetIds": [context.ref(subnet) for subnet in sorted(want.subnets or ())],
            "Tags": tag_list(want.tags),
        },
    )


def correct(change: Change[DbSubnetGroup, Facts], context: PlanContext) -> Iterator[Step]:
    if change.have and change.have.facts.vpc != change.have.facts.document_vpc:
        problem = f"a group of this name is in another VPC, {change.have.facts.vpc}: choose another name"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.CONFLICT, problem))
        return
    changed = sorted(change.fields & {"description", "subnets"})
    if changed:
        want, have = change.want, change.base
        subnets = sorted((want if "subnets" in changed else have).subnets or Subnets())
        params: dict[str, Any] = {"DBSubnetGroupDescription": want.description} if "description" in changed else {}
        yield MODIFY.on(
            change.address,
            f"set subnets to {' and '.join(subnets)}" + (f", description to {want.description!r}" if params else ""),
            *changed,
            breaks=len((have.subnets or Subnets()) - set(subnets)),
            effect=((SUBNETS_OF, change.address, frozenset(subnets)),),
            params={
                "DBSubnetGroupName": change.address.name,
                "SubnetIds": [context.ref(subnet) for subnet in subnets],
                **params,
            },
        )
    yield from retag(change, arn(context.document, f"subgrp:{change.address.name}"))


def effects(address: Address, spec: DbSubnetGroup, seen: Observed[DbSubnetGroup, Facts] | None) -> Iterable[Effect]:
    yield SUBNETS_OF, address, frozenset(spec.subnets or ())


CHANGES: Mapping[str, Touches] = {
    **rds_tags("subgrp"),
    "CreateDBSubnetGroup": touches("tags", "description", Part("subnets", lists=True)),
    "DeleteDBSubnetGroup": GOES,
    "ModifyDBSubnetGroup": by_parameter(
        {"subnets": "subnetids", "description": "dbsubnetgroupdescription"}, lists={"subnets"}
    ),
}
"""RDS API reference, each call."""


KIND = Kind(
    "db_subnet_group",
    DbSubnetGroup,
    after=frozenset({"vpc", "subnet"}),
    operations=(CREATE, MODIFY, ADD_TAGS.for_resource_types("subgrp")),
    observe=Observe(
        permissions=("rds:DescribeDBInstances", "rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"),
        reads=reads,
        more=more,
        live=live,
        id=id_in("DBSubnetGroupName"),
        label=lambda item: str(item["DBSubnetGroupName"]),
        tags=lambda item: cast("Tags | None", None),
        observed=observed,
    ),
    identify=Identify(
        "DB subnet group",
        order=lambda resource: (Evidence.KEY,),
        key=lambda name, resource: name,
        live_key=lambda item, context: str(item["DBSubnetGroupName"]).lower(),
        key_text="its name",
        name=lambda item: str(item["DBSubnetGroupName"]).lower(),
    ),
    create=Create(initial_state, create),
    correct=Correct(correct),
    traffic=Traffic(effects=effects),
    changes=CHANGES,
    imported=Import(
        reads=lambda context: (INSTANCES, _GROUPS),
        tags=lambda item, context: _tags(context, Address.of("db_subnet_group", item["DBSubnetGroupName"])),
        name=lambda item: str(item["DBSubnetGroupName"]).lower(),
    ),
)
