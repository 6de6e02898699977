"""Network ACLs: ordered entries, and the subnets that use them.

`search.py` finds an order of single calls that avoids exposure and outages; if there is none, `detour.py` uses a
temporary ACL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from desired_state.fields import AclEntry, Address
from desired_state.members import Subnets
from desired_state.network import NetworkAcl
from desired_state.quotas import HIGHEST_RULE_NUMBER
from desired_state.rules import EgressEntries, IngressEntries
from reconciler.aws.ec2 import CREATE_TAGS, by_id, entry_of, in_vpc, name_tag, retag, tagged_as, tags_of
from reconciler.aws.shapes import flag, legible_tags, listed, number, text
from reconciler.kinds.network_acl.calls import (
    ASSOCIATION,
    CREATE,
    CREATE_ENTRY,
    DELETE,
    DELETE_ENTRY,
    REASSOCIATE,
    REPLACE_ENTRY,
    SIDES,
    TEMPORARY,
    AclChange,
    Facts,
    goal_of,
    live_entries,
    move,
    order_of,
    temporary,
    write_entries,
)
from reconciler.kinds.network_acl.causes import CHANGES
from reconciler.kinds.network_acl.detour import TEMPORARY_TAG, cleanup, detour, no_detour
from reconciler.kinds.network_acl.imported import IMPORT
from reconciler.model import (
    ABSENT,
    DOCUMENT_TAG,
    Action,
    ActionOptions,
    Cause,
    Difference,
    Effect,
    Evidence,
    Finding,
    Observed,
    Outcome,
    Reason,
    Ref,
    Snapshot,
    Unmanaged,
)
from reconciler.model.exposure import Exposure, of_association, of_rule, rule_lets_in
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
from reconciler.packets.partial import corrected, coupled
from reconciler.packets.traffic import keeps, of_acl
from reconciler.reach.network import ACL_OF, DEFAULT_ACL, OF_VPC, entries, whole

DEFAULT = "default_network_acl"
LAST = 65535
"""Numbers from 32767 on are AWS's own: of the entry that it puts last for IPv4, and 32768 for IPv6 if the VPC has that
(EC2 API reference, CreateNetworkAclEntry; VPC user guide, Network ACLs).
"""


def _acls(context: ReadContext) -> Read:
    return in_vpc("DescribeNetworkAcls", "NetworkAcls", context)


def reads(context: ReadContext) -> Iterable[Read]:
    if context.vpc_id:
        yield _acls(context)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return answers.get(_acls(context), [])


def order(resource: NetworkAcl) -> tuple[Evidence, ...]:
    return (Evidence.KEY,) if resource.is_default else (Evidence.TAGS, Evidence.NAME, Evidence.SEATS)


def seats(item: Item) -> Iterable[str]:
    """The subnets that use it; of the default ACL they say nothing, because AWS puts every new subnet there."""
    return [] if flag(item, "IsDefault") else [subnet for subnet, _ in _associated(item)]


def _associated(item: Item) -> Iterator[tuple[str, str]]:
    for one in listed(item, "Associations"):
        yield text(one, "SubnetId", "subnet-"), text(one, "NetworkAclAssociationId")


def observed(item: Item, context: ObserveContext) -> Observed[NetworkAcl, Facts]:
    return Observed(item["NetworkAclId"], _spec(item, context), Facts(_temporary(item, context)))


def _spec(item: Item, context: ObserveContext) -> NetworkAcl:
    return NetworkAcl(
        is_default=flag(item, "IsDefault"),
        ingress=IngressEntries(_entries_of(item, egress=False)),
        egress=EgressEntries(_entries_of(item, egress=True)),
        subnets=Subnets(context.address(subnet) for subnet, _ in _associated(item)),
        tags=tags_of(item),
    )


def _entries_of(item: Item, *, egress: bool) -> dict[int, AclEntry]:
    found = {
        number(one, "RuleNumber", 1, LAST): one for one in listed(item, "Entries") if flag(one, "Egress") is egress
    }
    return {one: entry_of(entry) for one, entry in found.items() if one <= HIGHEST_RULE_NUMBER}


def _temporary(item: Item, context: ObserveContext) -> NetworkAcl | None:
    """The temporary ACL for this one that a stopped run left."""
    tags = {DOCUMENT_TAG: context.read.document.name, TEMPORARY_TAG: context.address(item["NetworkAclId"]).name}
    for one in context.answers.get(_acls(context.read), ()):
        if one is not item and tags.items() <= legible_tags(one).items():
            return _spec(one, context)
    return None


def handles(items: Iterable[Item], context: ObserveContext) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for subnet, association in _associated(item):
            yield Ref(context.address(subnet), ASSOCIATION), association
        if item["IsDefault"]:
            yield Ref(context.read.document.vpc, DEFAULT), item["NetworkAclId"]
        tags = tags_of(item)
        if TEMPORARY_TAG in tags and tags.get(DOCUMENT_TAG) == context.read.document.name:
            yield Ref(Address.of("network_acl", tags[TEMPORARY_TAG]), TEMPORARY), item["NetworkAclId"]


def lazy_read(ref: Ref, subnet_id: str) -> Read | None:
    """The association of a subnet that was just created: AWS associates it with the default ACL."""
    if ref.handle != ASSOCIATION:
        return None
    params = {"Filters": [{"Name": "association.subnet-id", "Values": [subnet_id]}]}
    return read("ec2", "DescribeNetworkAcls", "NetworkAcls", params, page=1000)


def lazy_handles(
    ref: Ref, items: Iterable[Item], account: str, names: Mapping[str, Address]
) -> Iterable[tuple[Ref, str]]:
    for item in items:
        yield from ((ref, association) for subnet, association in _associated(item) if names.get(subnet) == ref.to)


def initial_state(want: NetworkAcl, context: PlanContext) -> NetworkAcl:
    """A new ACL denies everything (VPC user guide, Create a network ACL)."""
    return want.but(is_default=False, ingress=IngressEntries(), egress=EgressEntries(), subnets=Subnets())


def create(address: Address, want: NetworkAcl, context: PlanContext) -> Iterable[Step]:
    yield CREATE.on(
        address,
        "create the network ACL",
        gives=Ref(address),
        params={"VpcId": Ref(context.document.vpc), "TagSpecifications": tagged_as("network-acl", want.tags)},
    )


def correct(change: AclChange, context: PlanContext) -> Iterator[Step]:
    goals = {side: goal_of(change, side) for side in SIDES if change.of(side.field)}
    in_use = bool(change.base.subnets)
    capacity = context.policy.quotas.usable_entries
    found = {
        side: order_of(live_entries(change, side), goal, in_use=in_use, capacity=capacity)
        for side, goal in goals.items()
    }
    if all(one is not None for one in found.values()):
        for side, sequence in found.items():
            if sequence:
                yield from write_entries(change, side, sequence)
    elif problem := no_detour(change, context, goals):
        # A subnet that moves to this ACL now would get entries that are not correct yet.
        for field in sorted(change.fields & {"ingress", "egress", "subnets"}):
            yield Finding(change.address, Outcome.HELD, Cause(Reason.NO_SAFE_ORDER, problem), field)
        return
    else:
        yield from detour(change, context, goals)
    for one in change.of("subnets"):
        yield from _subnet(change, context, one.key, declared=one.have is ABSENT)
    for one in change.of("is_default"):
        problem = "the default ACL of a VPC cannot be changed: set is_default on the ACL that is the default"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.IMMUTABLE, problem), one.field)
    yield from retag(change)


def _subnet(change: AclChange, context: PlanContext, subnet: Address, *, declared: bool) -> Iterator[Step]:
    this = frozenset({change.address})
    lists = (_lists(cast("NetworkAcl", one), subnet) for one in context.document.of_kind(change.address.kind).values())
    declaring = any(lists)
    if whose := context.not_ours(subnet):
        problem = f"{subnet} is not moved: {whose}"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.FOREIGN, problem), "subnets", subnet)
    elif declared:
        seen = context.snapshot.resources.items()
        left = frozenset(at for at, one in seen if at.kind == change.address.kind and _lists(one.spec, subnet))
        why = f"associate {subnet} with this ACL" + (f" instead of {min(left)}" if left else "")
        options: ActionOptions = {
            "after": this,
            "before": left,
            "resolves": frozenset((at, "subnets") for at in this | left),
            "breaks": int(subnet in context.snapshot.resources),
        }
        options |= _effect(change, context, subnet)
        yield move(change.address, subnet, Ref(change.address), why, (), **options)
    elif subnet not in context.document.resources:
        problem = f"{subnet} uses this ACL and is not declared: declare it, or associate it with another ACL"
        yield Finding(change.address, Outcome.BLOCKED, Cause(Reason.UNDECLARED, problem), "subnets", subnet)
    elif not declaring:
        to = Ref(context.document.vpc, DEFAULT)
        why = f"associate {subnet} with the VPC's default ACL"
        effect = ((ACL_OF, subnet, _default(context)),)
        yield move(change.address, subnet, to, why, ("subnets",), effect=effect)


def _default(context: PlanContext) -> Address:
    """The default ACL in the network's table: by its address, or by its id if it is not declared."""
    acls = ((at, one.spec) for at, one in context.snapshot.resources.items() if at.kind == KIND.name)
    found = next((at for at, acl in acls if acl.is_default), None)
    return found or Address(context.snapshot.handles.get(Ref(context.document.vpc, DEFAULT), ""))


def _effect(change: AclChange, context: PlanContext, subnet: Address) -> ActionOptions:
    """Whether a subnet that moves to this ACL only loses packets, or only gains some."""
    used = next((acl for acl in context.live(KIND) if _lists(acl, subnet)), None)
    if used is None:
        return {}
    pairs = [(of_acl(getattr(used, side.field) or {}), of_acl(goal_of(change, side))) for side in SIDES]
    closes = all(new <= was for was, new in pairs)
    return {"closes": closes, "opens": not closes and all(was <= new for was, new in pairs)}


def _lists(acl: NetworkAcl, subnet: Address) -> bool:
    return subnet in (acl.subnets or ())


def delete(unmanaged: Unmanaged) -> Iterable[Action]:
    acl: dict[str, Any] = {"NetworkAclId": Ref(unmanaged.address)}
    yield DELETE.on(unmanaged.address, "delete it: it is this document's, and no longer declared", breaks=1, params=acl)


def effects(address: Address, spec: NetworkAcl, seen: Observed[NetworkAcl, Facts] | None) -> Iterable[Effect]:
    for side in SIDES:
        yield whole(entries(address, side.field), getattr(spec, side.field) or {})
    yield from ((ACL_OF, subnet, address) for subnet in sorted(spec.subnets or ()))
    if spec.is_default:
        yield DEFAULT_ACL, OF_VPC, address
    if seen and seen.facts.temporary:
        yield from effects(temporary(address), seen.facts.temporary, None)


def coupled_in(change: AclChange, family: list[Difference], suppressed: list[Difference]) -> list[Difference]:
    """The order of entries decides, so a partly corrected list must keep the packet rule as a whole."""
    field = family[0].field
    if field not in {side.field for side in SIDES}:
        return []
    live_now = getattr(change.base, field) or {}
    before, after = of_acl(live_now), of_acl(corrected(live_now, family))
    return coupled(family, suppressed, live_now, lambda part: keeps(before, after, of_acl(part)))


def decides(one: Difference) -> bool:
    return one.field != "tags"


def stays(one: Difference, snapshot: Snapshot) -> Iterable[Address]:
    """The ACLs that subnets keep using instead of the declared one."""
    subnets = getattr(one.want, "subnets", None) or () if not one.field else [one.key] if one.field == "subnets" else ()
    acls = [(at, seen.spec) for at, seen in snapshot.resources.items() if at.kind == one.address.kind]
    return [at for subnet in subnets for at, acl in acls if subnet in (acl.subnets or ())]


def exposure(one: Difference, past: bool) -> Exposure | None:  # noqa: FBT001 (the contract's signature)
    if one.field == "subnets":
        return of_association(one, past=past)
    return of_rule(one, past=past) if one.field in {"ingress", "egress"} else None


KIND = Kind(
    "network_acl",
    NetworkAcl,
    after=frozenset({"vpc", "subnet"}),
    operations=(
        CREATE,
        CREATE_ENTRY,
        REPLACE_ENTRY,
        DELETE_ENTRY,
        REASSOCIATE,
        DELETE,
        CREATE_TAGS.for_resource_types("network-acl"),
    ),
    observe=Observe(
        permissions=("ec2:DescribeNetworkAcls",),
        reads=reads,
        live=live,
        id=id_in("NetworkAclId"),
        label=name_tag,
        tags=tags_of,
        observed=observed,
        handles=handles,
        lazy_read=lazy_read,
        lazy_handles=lazy_handles,
        again=lambda aws_ids: by_id("DescribeNetworkAcls", "NetworkAcls", "network-acl-id", aws_ids),
    ),
    identify=Identify(
        "network ACL",
        order=order,
        key=lambda name, resource: DEFAULT if resource.is_default else None,
        live_key=lambda item, context: DEFAULT if item["IsDefault"] else None,
        spare=lambda item: not flag(item, "IsDefault") and not listed(item, "Associations"),
        deleted_by="aws ec2 delete-network-acl --network-acl-id",
        key_text="it is the default ACL",
        seats=seats,
        seated=lambda resource: resource.subnets or (),
        content=("ingress", "egress"),
        flag=("is_default",),
        members=("subnets",),
        fits=lambda resource, item: bool(resource.is_default) == bool(item["IsDefault"]),
        standard=lambda item: bool(item["IsDefault"]),
        temporary=lambda item: TEMPORARY_TAG in tags_of(item),
    ),
    create=Create(
        initial_state,
        create,
        by_aws=lambda address, resource: bool(resource.is_default),
        named_by_tag=lambda resource: not resource.is_default,
    ),
    correct=Correct(correct, cleanup=cleanup),
    delete=delete,
    traffic=Traffic(
        effects=effects,
        moves=frozenset({"subnets"}),
        coupled=coupled_in,
        decides=decides,
        leaves_open=decides,
        lets_in=rule_lets_in,
        stays=stays,
        exposure=exposure,
    ),
    changes=CHANGES,
    imported=IMPORT,
)
