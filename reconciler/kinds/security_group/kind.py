"""Security groups: rules in both directions. `rule_steps.py` orders their changes, `calls.py` makes calls of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from desired_state.fields import Address, RuleKey
from desired_state.network import SecurityGroup
from desired_state.rules import Egress, Ingress
from reconciler.aws.ec2 import (
    CREATE_TAGS,
    by_id,
    in_vpc,
    key_of_rule,
    reads_prefix_lists,
    retag,
    tagged_as,
    tags_of,
)
from reconciler.kinds.security_group.calls import (
    DIRECTIONS,
    MODIFY,
    Direction,
    authorize,
    describe,
    modify,
    revoke,
    rule_handle,
)
from reconciler.kinds.security_group.causes import CHANGES
from reconciler.kinds.security_group.imported import IMPORT
from reconciler.kinds.security_group.observed import Facts, names_prefix_list, observed
from reconciler.kinds.security_group.rule_steps import rule_steps, within
from reconciler.model import (
    ABSENT,
    NAME_TAG,
    Action,
    Cause,
    Change,
    Difference,
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
from reconciler.model.exposure import of_rule, rule_lets_in
from reconciler.model.kind import (
    Correct,
    Create,
    Identify,
    Kind,
    Observe,
    PlanContext,
    Step,
    Traffic,
)
from reconciler.model.read import Answers, Item, Read, ReadContext, id_in, read
from reconciler.packets.traffic import may_overlap
from reconciler.reach.network import rules as cell
from reconciler.reach.network import whole

CREATE = Operation(
    "ec2",
    "CreateSecurityGroup",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="GroupId",
    iam_resource_types=("security-group", "vpc"),
)
DELETE = Operation(
    "ec2",
    "DeleteSecurityGroup",
    Phase.DELETE,
    Risk.TRAFFIC,
    already_applied_codes=frozenset({"InvalidGroup.NotFound"}),
    iam_resource_types=("security-group",),
    requires_setting="prune",
)


def _groups(context: ReadContext) -> Read:
    return in_vpc("DescribeSecurityGroups", "SecurityGroups", context)


def reads(context: ReadContext) -> Iterable[Read]:
    """DescribeSecurityGroups includes the rules: one call for a thousand groups, however many rules they have."""
    if context.vpc_id:
        yield _groups(context)


def more(context: ReadContext, answers: Answers) -> Iterable[Read]:
    """What prefix lists count, if a live or a declared rule names one."""
    used = context.document.names_prefix_lists or any(
        names_prefix_list(item) for item in answers.get(_groups(context), ())
    )
    return reads_prefix_lists(used=used)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return answers.get(_groups(context), [])


_name = id_in("GroupName")


def live_key(item: Item, context: ReadContext) -> str:
    """A group's name is unique in its VPC regardless of case (EC2 API reference, CreateSecurityGroup)."""
    return _name(item).casefold()


def misnamed(address: Address, item: Item) -> str:
    """The name of a group never changes (VPC user guide, Security groups)."""
    name = item["GroupName"]
    return (
        f"{item['GroupId']} carries its tags and is called {name!r}, and AWS never renames a group: "
        f'write "formerly": {json.dumps([name])} if it is this one, or take the tag {NAME_TAG} off it'
    )


type GroupChange = Change[SecurityGroup, Facts]


def initial_state(want: SecurityGroup, context: PlanContext) -> SecurityGroup:
    """A new group allows nothing in and everything out (VPC user guide, Security groups)."""
    peers = ["0.0.0.0/0"] + (["::/0"] if context.vpc.ipv6 else [])
    return want.but(ingress=Ingress(), egress=Egress({RuleKey("all", -1, -1, peer): "" for peer in peers}))


def create(address: Address, want: SecurityGroup, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        "create the security group",
        gives=Ref(address),
        params={
            "VpcId": Ref(context.document.vpc),
            "GroupName": address.name,
            "Description": want.description or address.name,
            "TagSpecifications": tagged_as("security-group", want.tags),
        },
    )


def correct(change: GroupChange, context: PlanContext) -> Iterator[Step]:
    for direction in DIRECTIONS:
        if change.of(direction.field):
            yield from _correct(change, context, direction)
    yield from retag(change)


def _correct(change: GroupChange, context: PlanContext, direction: Direction) -> Iterator[Step]:
    want: dict[RuleKey, str | None] = getattr(change.want, direction.field)
    differences = change.of(direction.field)
    have = set(getattr(change.base, direction.field))
    excepted = have - set(want) - {one.key for one in differences if one.want is ABSENT}
    goal = set(want) | excepted
    steps = rule_steps(have, goal, context.policy.quotas.rules, _sizes(context))
    ipv6 = context.vpc.ipv6
    closes = within(goal, have, ipv6=ipv6)
    opens = within(have - set(steps.closing), goal, ipv6=ipv6)
    described = [one.key for one in differences if one.want is not ABSENT and one.have is not ABSENT]
    if steps.closing:
        yield revoke(change.address, direction, steps.closing, closes=True)
    if steps.short:
        yield Finding(change.address, Outcome.HELD, Cause(Reason.QUOTA, steps.short), direction.field)
    else:
        if steps.added:
            yield authorize(change.address, direction, steps.added, want, closes=closes, opens=opens)
        if steps.modified:
            current = {new: getattr(change.base, direction.field)[old] for old, new in steps.modified}
            descriptions = {new: text if (text := want[new]) is not None else current[new] for new in current}
            yield modify(change.address, direction, steps.modified, descriptions, closes=closes, opens=opens)
        if steps.removed:
            yield revoke(change.address, direction, steps.removed, closes=False, opens=opens)
    if described:
        yield describe(change.address, direction, described, want)


def _sizes(context: PlanContext) -> Mapping[str, int]:
    """What each prefix list counts; every VPC has a group, its default one, so a new one need not know it itself."""
    seen = [one.facts for at, one in context.snapshot.resources.items() if at.kind == KIND.name]
    neighbours = context.snapshot.neighbours
    seen += [one.facts for key in neighbours if key[0] == KIND.name and not seen and (one := neighbours[key])]
    return next((facts.sizes for facts in seen if isinstance(facts, Facts)), {})


def lazy_read(ref: Ref, group_id: str) -> Read | None:
    """The ids of a group's rules, which only a change in place needs: one call for each group that drifted."""
    if ref.to.kind != KIND.name:
        return None
    params = {"Filters": [{"Name": "group-id", "Values": [group_id]}]}
    return read("ec2", "DescribeSecurityGroupRules", "SecurityGroupRules", params, page=1000)


def lazy_handles(
    ref: Ref, items: Iterable[Item], account: str, names: Mapping[str, Address]
) -> Iterable[tuple[Ref, str]]:
    for item in items:
        field = "egress" if item["IsEgress"] else "ingress"
        yield Ref(ref.to, rule_handle(field, key_of_rule(item, account, names))), item["SecurityGroupRuleId"]


def delete(unmanaged: Unmanaged) -> Iterable[Action]:
    group: dict[str, Any] = {"GroupId": Ref(unmanaged.address)}
    yield DELETE.on(
        unmanaged.address, "delete it: it is this document's, and no longer declared", breaks=1, params=group
    )


def effects(address: Address, spec: SecurityGroup, seen: Observed[SecurityGroup, Facts] | None) -> Iterable[Effect]:
    for direction in DIRECTIONS:
        yield whole(cell(address, direction.field), getattr(spec, direction.field) or {})


def coupled(change: GroupChange, family: list[Difference], suppressed: list[Difference]) -> list[Difference]:
    """An undeclared rule must stay while a missing rule that may replace it is suppressed."""
    missing = [one.key for one in suppressed if one.have is ABSENT and isinstance(one.key, RuleKey)]
    extra = (one for one in family if one.want is ABSENT and isinstance(one.key, RuleKey))
    return [one for one in extra if any(may_overlap(one.key, key) for key in missing)]


def decides(one: Difference) -> bool:
    """Descriptions and tags have no effect on packets."""
    described = isinstance(one.key, RuleKey) and ABSENT not in {one.want, one.have}
    return one.field != "tags" and not described


KIND = Kind(
    "security_group",
    SecurityGroup,
    after=frozenset({"vpc"}),
    operations=(
        CREATE,
        MODIFY,
        DELETE,
        CREATE_TAGS.for_resource_types("security-group"),
        *(row for one in DIRECTIONS for row in one[2:]),
    ),
    observe=Observe(
        permissions=("ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:DescribeManagedPrefixLists"),
        reads=reads,
        more=more,
        live=live,
        id=id_in("GroupId"),
        label=_name,
        tags=tags_of,
        observed=observed,
        lazy_read=lazy_read,
        lazy_handles=lazy_handles,
        again=lambda aws_ids: by_id("DescribeSecurityGroups", "SecurityGroups", "group-id", aws_ids),
    ),
    identify=Identify(
        "security group",
        order=lambda resource: (Evidence.KEY,),
        key=lambda name, resource: name.casefold(),
        live_key=live_key,
        key_text="its name",
        key_of_account=True,
        content=("ingress", "egress"),
        standard=lambda item: bool(item["GroupName"] == "default"),
        name=_name,
        misnamed=misnamed,
    ),
    create=Create(initial_state, create, by_aws=lambda address, resource: address.name == "default"),
    correct=Correct(correct, immutable=frozenset({"description"})),
    delete=delete,
    traffic=Traffic(
        effects=effects,
        coupled=coupled,
        decides=decides,
        leaves_open=lambda one: decides(one) and one.have is not ABSENT,
        lets_in=rule_lets_in,
        exposure=lambda one, past: of_rule(one, past=past) if one.field in {"ingress", "egress"} else None,
    ),
    changes=CHANGES,
    imported=IMPORT,
)
