"""The way round for a network ACL whose entries no order of single calls can change without a gap.

A temporary ACL with the declared entries takes the subnets over, the ACL is rewritten, they come back, and the
temporary one goes: each subnet moves in one call, from one whole list to another. A run may die at any point of it;
what it leaves behind is found by its tag, used again if it is whole, and taken down when nothing is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from desired_state.fields import AclEntry, Address
from desired_state.members import Subnets
from desired_state.network import NetworkAcl
from reconciler.aws.ec2 import entry_params, tagged_as
from reconciler.kinds.network_acl.calls import (
    CREATE,
    CREATE_ENTRY,
    DELETE,
    SIDES,
    AclChange,
    Side,
    live_entries,
    move,
    order_of,
    write_entries,
)
from reconciler.model import DOCUMENT_TAG, Action, Ref
from reconciler.model.kind import PlanContext

TEMPORARY = "temporary"
TEMPORARY_TAG = "setpoint:temporary"
"""Carried by a temporary ACL, with the name of the ACL it stands in for; it has no `setpoint:name`, so it is never
taken for it.
"""


def no_detour(change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]]) -> str:
    """Why the way through a temporary ACL is barred; empty if it is open.

    One that a stopped run left serves again where subnets are behind it: it is whole, or none would be. One without is
    deleted, and the next run makes its own.
    """
    spare = change.have.facts.temporary if change.have else None
    if spare is None and not context.has(Ref(change.address, TEMPORARY)):
        return ""
    if spare is None or not spare.subnets:
        return "no order of single calls keeps its packets right, and a temporary ACL of an earlier run goes first"
    if all(getattr(spare, side.field) == goals.get(side, live_entries(change, side)) for side in SIDES):
        return ""
    return "its temporary ACL of an earlier run is in use and not as declared: move its subnets by hand, then delete it"


def detour(change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]]) -> Iterator[Action]:
    """Through a temporary ACL that holds the declared entries, subnet by subnet, and back."""
    address, base = change.address, change.base
    spare = Ref(address, TEMPORARY)
    fields = sorted(side.field for side in goals)
    chain = TEMPORARY
    if not context.has(spare):
        yield from _temporary(change, context, goals, fields)
    staying = sorted(base.subnets or ())
    for subnet in staying:
        yield move(address, subnet, spare, f"{subnet} uses the temporary ACL", fields, chain=chain)
    for side, goal in goals.items():
        order = order_of(live_entries(change, side), goal, in_use=False)
        if order:
            yield from write_entries(change, side, order, chain=chain)
    for subnet in staying:
        yield move(address, subnet, Ref(address), f"{subnet} uses this ACL again", fields, chain=chain, breaks=0)
    if not context.has(spare):
        yield DELETE.on(address, "delete the temporary ACL", *fields, chain=chain, params={"NetworkAclId": spare})


def _temporary(
    change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]], fields: Iterable[str]
) -> Iterator[Action]:
    """The temporary ACL, made whole before any subnet is behind it."""
    address, spare = change.address, Ref(change.address, TEMPORARY)
    tags = {DOCUMENT_TAG: context.document.name, TEMPORARY_TAG: address.name, "Name": f"{address.name} (temporary)"}
    yield CREATE.on(
        address,
        "create a temporary ACL: no order of single calls keeps its packets right",
        *fields,
        chain=TEMPORARY,
        gives=spare,
        params={"VpcId": Ref(context.document.vpc), "TagSpecifications": tagged_as("network-acl", tags)},
    )
    for side in SIDES:
        for number, entry in sorted(goals.get(side, live_entries(change, side)).items()):
            yield CREATE_ENTRY.on(
                address,
                f"create {side.field} entry {number} {entry} in the temporary ACL",
                *fields,
                chain=TEMPORARY,
                params={"NetworkAclId": spare, "Egress": side.egress, "RuleNumber": number, **entry_params(entry)},
            )


def cleanup(address: Address, context: PlanContext) -> Iterable[Action]:
    """A temporary ACL that a stopped run left behind goes once its subnets are back; `plan` brings the declared ones.

    It counts as a move, so that no subnet waits for its end. AWS refuses to delete it while it has one.
    """
    spare = Ref(address, TEMPORARY)
    observed = context.snapshot.resources.get(address)
    if not context.has(spare) or not observed:
        return
    left, declared = (
        observed.facts.temporary or NetworkAcl(),
        cast("NetworkAcl", context.document.resources[address]),
    )
    changed = any(getattr(declared, side.field) not in [None, getattr(left, side.field)] for side in SIDES)
    if changed and left.subnets and observed.spec.subnets:
        return  # the entries may be held for it (`_no_detour`): its subnets stay, and a person decides
    here = frozenset({address})
    for subnet in sorted((left.subnets or Subnets()) - (declared.subnets or Subnets())):
        yield move(address, subnet, Ref(address), f"{subnet} uses this ACL again", (), after=here)
    acl: dict[str, Any] = {"NetworkAclId": spare}
    yield DELETE.on(address, "delete the temporary ACL of an earlier run", moves=True, after=here, params=acl)
