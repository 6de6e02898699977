"""Network ACLs: entries whose order decides, and the subnets behind them. `reconciler/acl_steps.py` finds the order.

Where no order of single calls keeps the packets right, a temporary ACL with the declared entries takes the subnets over
while this one is rewritten, and they come back: each subnet moves in one call, from one whole list to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from desired_state.fields import AclEntry, Address
from desired_state.members import EgressEntries, Entries, IngressEntries, Subnets
from desired_state.network import NetworkAcl
from desired_state.resource import Resource
from reconciler.acl_steps import Step, Steps, steps
from reconciler.ec2 import CREATE_TAGS, entry_of, entry_params, in_vpc, name_tag, retag, tagged_as, tags_of
from reconciler.kind import Answers, Item, Kind, Read, Scene, Seen, Sight, read
from reconciler.model import (
    ABSENT,
    DOCUMENT_TAG,
    Action,
    Change,
    Finding,
    Neighbour,
    Observed,
    Operation,
    Outcome,
    Phase,
    Ref,
    Risk,
)
from reconciler.traffic import of_acl

CREATE = Operation(
    "ec2",
    "CreateNetworkAcl",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="NetworkAcl.NetworkAclId",
)
CREATE_ENTRY = Operation("ec2", "CreateNetworkAclEntry", Phase.BIND, Risk.TRAFFIC, reaches=True)
REPLACE_ENTRY = Operation("ec2", "ReplaceNetworkAclEntry", Phase.BIND, Risk.TRAFFIC, reaches=True)
DELETE_ENTRY = Operation(
    "ec2",
    "DeleteNetworkAclEntry",
    Phase.UNBIND,
    Risk.TRAFFIC,
    reaches=True,
    settled_by=frozenset({"InvalidNetworkAclEntry.NotFound"}),
)
REASSOCIATE = Operation(
    "ec2", "ReplaceNetworkAclAssociation", Phase.BIND, Risk.TRAFFIC, yields="NewAssociationId", reaches=True
)
DELETE = Operation(
    "ec2", "DeleteNetworkAcl", Phase.DELETE, Risk.TRAFFIC, settled_by=frozenset({"InvalidNetworkAclID.NotFound"})
)

ASSOCIATION = "network_acl_association"
DEFAULT = "default_network_acl"
TEMPORARY = "temporary"
TEMPORARY_TAG = "setpoint:temporary"
"""Carried by a temporary ACL, with the name of the ACL it stands in for; it has no `setpoint:name`, so it is never
taken for it.
"""

_HIGHEST = 32766
"""Above are AWS's own `*` entries, which nobody can change (VPC user guide, Network ACL rules)."""


class Side(NamedTuple):
    """One direction, as the model and as EC2 call it."""

    field: str
    egress: bool


SIDES = (Side("ingress", egress=False), Side("egress", egress=True))


def _acls(sight: Sight) -> Read:
    return in_vpc("DescribeNetworkAcls", "NetworkAcls", sight)


def reads(sight: Sight) -> Iterable[Read]:
    if sight.vpc_id:
        yield _acls(sight)


def live(sight: Sight, answers: Answers) -> Iterable[Item]:
    return cast("list[Item]", answers.get(_acls(sight), []))


def is_it(address: Address, resource: Resource, item: Item, sight: Sight) -> bool:
    if cast("NetworkAcl", resource).is_default:
        return bool(item["IsDefault"])
    return name_tag(item) == address.name and not item["IsDefault"]


def observed(item: Item, seen: Seen) -> Observed:
    spec = NetworkAcl(
        is_default=item["IsDefault"],
        ingress=IngressEntries(_entries_of(item, egress=False)),
        egress=EgressEntries(_entries_of(item, egress=True)),
        subnets=Subnets(seen.address(one["SubnetId"]) for one in item.get("Associations", ()) if one.get("SubnetId")),
        tags=tags_of(item),
    )
    return Observed(
        item["NetworkAclId"], spec, facts={"spare": _spare(item, seen), "elsewhere": dict(_elsewhere(item, spec, seen))}
    )


def _elsewhere(item: Item, spec: NetworkAcl, seen: Seen) -> Iterator[tuple[Address, dict[str, dict[int, AclEntry]]]]:
    """The lists that declared subnets of this ACL are behind now, where that is another ACL."""
    declared = seen.sight.declared.get(seen.address(item["NetworkAclId"]))
    strays = (cast("NetworkAcl", declared).subnets or Subnets()) - (spec.subnets or Subnets()) if declared else ()
    for other in live(seen.sight, seen.answers) if strays else ():
        for one in other.get("Associations", ()):
            if (subnet := seen.address(one.get("SubnetId", ""))) in strays:
                yield subnet, {side.field: _entries_of(other, egress=side.egress) for side in SIDES}


def _entries_of(item: Item, *, egress: bool) -> dict[int, AclEntry]:
    found = (one for one in item.get("Entries", ()) if one["RuleNumber"] <= _HIGHEST and one["Egress"] is egress)
    return {one["RuleNumber"]: entry_of(one) for one in found}


def _spare(item: Item, seen: Seen) -> NetworkAcl | None:
    """The temporary ACL that a stopped run left standing in for this one."""
    mine = {DOCUMENT_TAG: seen.sight.document.name, TEMPORARY_TAG: seen.address(item["NetworkAclId"]).name}
    for one in seen.answers.get(_acls(seen.sight), ()):
        if one is not item and mine.items() <= tags_of(one).items():
            return cast("NetworkAcl", observed(one, seen).spec)
    return None


def handles(items: Iterable[Item], seen: Seen) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for one in item.get("Associations", ()):
            if one.get("SubnetId"):
                yield Ref(seen.address(one["SubnetId"]), ASSOCIATION), one["NetworkAclAssociationId"]
        if item["IsDefault"]:
            yield Ref(seen.sight.document.vpc, DEFAULT), item["NetworkAclId"]
        tags = tags_of(item)
        if TEMPORARY_TAG in tags and tags.get(DOCUMENT_TAG) == seen.sight.document.name:
            yield Ref(Address.of("network_acl", tags[TEMPORARY_TAG]), TEMPORARY), item["NetworkAclId"]


def late(ref: Ref, subnet_id: str) -> Read | None:
    """Which association a subnet has that was made a moment ago: AWS put it behind the default ACL."""
    if ref.handle != ASSOCIATION:
        return None
    filters = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    return read("ec2", "DescribeNetworkAcls", "NetworkAcls", page=1000, Filters=filters)


def late_handles(
    ref: Ref, items: Iterable[Item], account: str, names: Mapping[str, Address]
) -> Iterable[tuple[Ref, str]]:
    for item in items:
        for one in item.get("Associations", ()):
            if names.get(one["SubnetId"]) == ref.to:
                yield ref, one["NetworkAclAssociationId"]


def newborn(want: Resource, scene: Scene) -> Resource:
    """A new ACL denies everything (VPC user guide, Create a network ACL)."""
    return want.but(is_default=False, ingress=IngressEntries(), egress=EgressEntries(), subnets=Subnets())


def create(address: Address, want: Resource, scene: Scene) -> Iterable[Action | Finding]:
    yield CREATE.on(
        address,
        "make the network ACL",
        VpcId=Ref(scene.document.vpc),
        TagSpecifications=tagged_as("network-acl", want.tags),
        gives=Ref(address),
    )


def plan(change: Change, scene: Scene) -> Iterator[Action | Finding]:
    goals = {side: _goal(change, side) for side in SIDES if change.of(side.field)}
    in_use = bool(cast("NetworkAcl", change.base).subnets)
    found = {side: _order(_live(change, side), goal, in_use=in_use) for side, goal in goals.items()}
    if all(one is not None for one in found.values()):
        for side, sequence in found.items():
            if sequence:
                yield from _entries(change, side, sequence)
    elif problem := _no_detour(change, scene, goals):
        # A subnet that came now would come to entries that are not yet right.
        for field in sorted(change.fields & {"ingress", "egress", "subnets"}):
            yield Finding(change.address, Outcome.HELD, problem, field)
        return
    else:
        yield from _detour(change, scene, goals)
    for one in change.of("subnets"):
        yield from _subnet(change, scene, one.key, wanted=one.have is ABSENT)
    for one in change.of("is_default"):
        problem = "AWS decides which ACL is a VPC's default one: declare the one that is"
        yield Finding(change.address, Outcome.BLOCKED, problem, one.field)
    yield from retag(change)


def _live(change: Change, side: Side) -> Entries:
    return cast("Entries", getattr(change.base, side.field))


def _goal(change: Change, side: Side) -> dict[int, AclEntry]:
    """The declared entries, with the undeclared ones that an exception tolerates left as they are."""
    goal = dict(_live(change, side))
    for one in change.of(side.field):
        if one.want is ABSENT:
            del goal[one.key]
        else:
            goal[one.key] = one.want
    return goal


def _order(before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], *, in_use: bool) -> Steps | None:
    """The single calls from `before` to `after`; in any order where no subnet is behind the ACL."""
    if in_use:
        return steps(before, after)
    gone = [Step("delete", number, None) for number in sorted(before.keys() - after.keys())]
    made = [Step("create", number, after[number]) for number in sorted(after.keys() - before.keys())]
    both = sorted(number for number in before.keys() & after.keys() if before[number] != after[number])
    return Steps((), (*gone, *(Step("replace", number, after[number]) for number in both), *made))


def _entries(change: Change, side: Side, sequence: Steps, chain: str = "") -> Iterator[Action]:
    for index, step in enumerate((*sequence.closing, *sequence.rest)):
        operation = {"create": CREATE_ENTRY, "replace": REPLACE_ENTRY, "delete": DELETE_ENTRY}[step.verb]
        said = f" {step.entry}" if step.entry else ""
        yield operation.on(
            change.address,
            f"{step.verb} {side.field} entry {step.number}{said}",
            side.field,
            closes=index < len(sequence.closing) and not chain,
            opens=index >= len(sequence.closing),
            chain=chain or side.field,
            breaks=int(step.verb != "create"),
            NetworkAclId=Ref(change.address),
            Egress=side.egress,
            RuleNumber=step.number,
            **(entry_params(step.entry) if step.entry else {}),
        )


def _no_detour(change: Change, scene: Scene, goals: Mapping[Side, dict[int, AclEntry]]) -> str:
    """Why the way through a temporary ACL is barred; empty if it is open.

    One that a stopped run left serves again where subnets are behind it: it is whole, or none would be. One without is
    deleted, and the next run makes its own.
    """
    spare = change.have.facts.get("spare") if change.have else None
    if spare is None and not scene.has(Ref(change.address, TEMPORARY)):
        return ""
    if spare is None or not spare.subnets:
        return "no order of single calls keeps its packets right, and a temporary ACL of an earlier run goes first"
    if all(getattr(spare, side.field) == goals.get(side, _live(change, side)) for side in SIDES):
        return ""
    return "its temporary ACL of an earlier run is in use and not as declared: move its subnets by hand, then delete it"


def _detour(change: Change, scene: Scene, goals: Mapping[Side, dict[int, AclEntry]]) -> Iterator[Action]:
    """Through a temporary ACL that holds the declared entries, subnet by subnet, and back."""
    address, base = change.address, cast("NetworkAcl", change.base)
    spare = Ref(address, TEMPORARY)
    fields = sorted(side.field for side in goals)
    chain = TEMPORARY
    if not scene.has(spare):
        yield from _temporary(change, scene, goals, fields)
    staying = sorted(base.subnets or ())
    for subnet in staying:
        yield _move(address, subnet, spare, f"{subnet} uses the temporary ACL", fields, chain=chain)
    for side, goal in goals.items():
        order = _order(_live(change, side), goal, in_use=False)
        if order:
            yield from _entries(change, side, order, chain=chain)
    for subnet in staying:
        yield _move(address, subnet, Ref(address), f"{subnet} uses this ACL again", fields, chain=chain)
    if not scene.has(spare):
        yield DELETE.on(address, "delete the temporary ACL", *fields, chain=chain, NetworkAclId=spare)


def _temporary(
    change: Change, scene: Scene, goals: Mapping[Side, dict[int, AclEntry]], fields: Iterable[str]
) -> Iterator[Action]:
    """The temporary ACL, made whole before any subnet is behind it."""
    address, spare = change.address, Ref(change.address, TEMPORARY)
    tags = {DOCUMENT_TAG: scene.document.name, TEMPORARY_TAG: address.name, "Name": f"{address.name} (temporary)"}
    yield CREATE.on(
        address,
        "make a temporary ACL: no order of single calls keeps its packets right",
        *fields,
        chain=TEMPORARY,
        gives=spare,
        VpcId=Ref(scene.document.vpc),
        TagSpecifications=tagged_as("network-acl", tags),
    )
    for side in SIDES:
        for number, entry in sorted(goals.get(side, _live(change, side)).items()):
            yield CREATE_ENTRY.on(
                address,
                f"create {side.field} entry {number} {entry} in the temporary ACL",
                *fields,
                chain=TEMPORARY,
                NetworkAclId=spare,
                Egress=side.egress,
                RuleNumber=number,
                **entry_params(entry),
            )


def _move(address: Address, subnet: Address, to: Ref, why: str, fields: Iterable[str], **how: Any) -> Action:
    """A subnet is behind one ACL before this call and behind another after it, and behind none never."""
    association = Ref(subnet, ASSOCIATION)
    params: dict[str, Any] = {"AssociationId": association, "NetworkAclId": to}
    return REASSOCIATE.on(address, why, *fields, breaks=1, moves=True, gives=association, **how, **params)


def _subnet(change: Change, scene: Scene, subnet: Address, *, wanted: bool) -> Iterator[Action | Finding]:
    here = frozenset({change.address})
    if wanted:
        seen = scene.snapshot.resources.items()
        left = frozenset(at for at, one in seen if at.kind == change.address.kind and _lists(one.spec, subnet))
        why = f"{subnet} uses this ACL" + (f" instead of {min(left)}" if left else "")
        mends = frozenset((at, "subnets") for at in here | left)
        effect = _effect(change, scene, subnet, left)
        yield _move(
            change.address, subnet, Ref(change.address), why, (), after=here, before=left, mends=mends, **effect
        )
    elif subnet not in scene.document.resources:
        problem = f"{subnet} uses this ACL and nobody declared it: declare it, or move it to another ACL"
        yield Finding(change.address, Outcome.BLOCKED, problem, "subnets", subnet)
    elif not any(_lists(one, subnet) for one in scene.document.of_kind(change.address.kind).values()):
        to = Ref(scene.document.vpc, DEFAULT)
        yield _move(change.address, subnet, to, f"{subnet} uses the VPC's default ACL", ("subnets",))


def _effect(change: Change, scene: Scene, subnet: Address, left: frozenset[Address]) -> dict[str, bool]:
    """Whether a subnet that moves to this ACL only loses packets by it, or only gains some."""
    old = change.have.facts.get("elsewhere", {}).get(subnet) if change.have else None
    if left:
        acl = scene.snapshot.resources[min(left)].spec
        old = {side.field: getattr(acl, side.field) for side in SIDES}
    if old is None:
        return {}
    pairs = [(of_acl(old[side.field]), of_acl(_goal(change, side))) for side in SIDES]
    closes = all(new <= was for was, new in pairs)
    return {"closes": closes, "opens": not closes and all(was <= new for was, new in pairs)}


def _lists(acl: Resource, subnet: Address) -> bool:
    return subnet in (cast("NetworkAcl", acl).subnets or ())


def tidy(address: Address, scene: Scene) -> Iterable[Action]:
    """A temporary ACL that a stopped run left behind goes once its subnets are back; `plan` brings the declared ones.

    It counts as a move, so that no subnet waits for its end. AWS refuses to delete it while it has one.
    """
    spare = Ref(address, TEMPORARY)
    observed = scene.snapshot.resources.get(address)
    if not scene.has(spare) or not observed:
        return
    left, declared = observed.facts.get("spare") or NetworkAcl(), cast("NetworkAcl", scene.document.resources[address])
    changed = any(getattr(declared, side.field) not in [None, getattr(left, side.field)] for side in SIDES)
    if changed and left.subnets and cast("NetworkAcl", observed.spec).subnets:
        return  # the entries may be held for it (`_no_detour`): its subnets stay, and a person decides
    here = frozenset({address})
    for subnet in sorted((left.subnets or Subnets()) - (declared.subnets or Subnets())):
        yield _move(address, subnet, Ref(address), f"{subnet} uses this ACL again", (), after=here)
    acl: dict[str, Any] = {"NetworkAclId": spare}
    yield DELETE.on(address, "delete the temporary ACL of an earlier run", moves=True, after=here, **acl)


def delete(neighbour: Neighbour) -> Iterable[Action]:
    acl: dict[str, Any] = {"NetworkAclId": Ref(neighbour.address)}
    yield DELETE.on(neighbour.address, "delete it: it is ours and no longer declared", breaks=1, **acl)


KIND = Kind(
    "network_acl",
    NetworkAcl,
    after=frozenset({"vpc", "subnet"}),
    operations=(CREATE, CREATE_ENTRY, REPLACE_ENTRY, DELETE_ENTRY, REASSOCIATE, DELETE, CREATE_TAGS),
    looks=("ec2:DescribeNetworkAcls",),
    reads=reads,
    live=live,
    id=lambda item: str(item["NetworkAclId"]),
    label=name_tag,
    tags=tags_of,
    is_it=is_it,
    observed=observed,
    handles=handles,
    late=late,
    late_handles=late_handles,
    newborn=newborn,
    create=create,
    plan=plan,
    tidy=tidy,
    delete=delete,
    named_by_tag=lambda resource, document: not cast("NetworkAcl", resource).is_default,
    comes_with=lambda address, resource: bool(cast("NetworkAcl", resource).is_default),
)
