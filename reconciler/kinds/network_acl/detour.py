"""Changes a network ACL through a temporary one, if no order of single calls avoids exposure or an outage.

The subnets move to a temporary ACL with the declared entries, the ACL is rewritten, the subnets move back, and the
temporary ACL is deleted: each subnet moves in one call from one complete list to another. A run may stop at any point;
the next one finds the temporary ACL by its tag, uses it again if it is complete, and deletes it once no subnet uses it.
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
    TEMPORARY,
    AclChange,
    Side,
    live_entries,
    move,
    order_of,
    write_entries,
)
from reconciler.kinds.network_acl.calls import temporary as temporary_of
from reconciler.model import DOCUMENT_TAG, Action, Cause, Finding, Outcome, Reason, Ref
from reconciler.model.kind import PlanContext, Step
from reconciler.reach.network import entries as cell

_IN_USE = "its temporary ACL of an earlier run is in use and not as declared: move its subnets, then delete it"
_NO_ORDER = "no order of single calls avoids exposure or an outage"

TEMPORARY_TAG = "setpoint:temporary"
"""On a temporary ACL: the name of the ACL that it is for. It has no `setpoint:name`, so that they are not confused."""


def no_detour(change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]]) -> str:
    """Why a temporary ACL cannot be used; empty if it can.

    One that a stopped run left is used again if it has subnets, because then it is complete. One without is deleted,
    and the next run creates its own.
    """
    if whose := next((text for at in sorted(change.base.subnets or ()) if (text := context.not_ours(at))), ""):
        return f"{_NO_ORDER}, and a subnet of it cannot be moved: {whose}"
    temporary = change.have.facts.temporary if change.have else None
    if temporary is None and not context.has(Ref(change.address, TEMPORARY)):
        return ""
    if temporary is None or not temporary.subnets:
        return f"{_NO_ORDER}, and the temporary ACL of an earlier run has to be deleted first"
    if all(getattr(temporary, side.field) == goals.get(side, live_entries(change, side)) for side in SIDES):
        return ""
    return _IN_USE


def detour(change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]]) -> Iterator[Action]:
    """Through a temporary ACL that holds the declared entries, subnet by subnet, and back."""
    address, base = change.address, change.base
    temporary = Ref(address, TEMPORARY)
    fields = sorted(side.field for side in goals)
    chain = TEMPORARY
    if not context.has(temporary):
        yield from _temporary(change, context, goals, fields)
    subnets = sorted(base.subnets or ())
    for subnet in subnets:
        yield move(address, subnet, temporary, f"associate {subnet} with the temporary ACL", fields, chain=chain)
    for side, goal in goals.items():
        order = order_of(live_entries(change, side), goal, in_use=False)
        if order:
            yield from write_entries(change, side, order, chain=chain)
    for subnet in subnets:
        why = f"associate {subnet} with this ACL again"
        yield move(address, subnet, Ref(address), why, fields, chain=chain, breaks=0)
    if not context.has(temporary):
        yield DELETE.on(address, "delete the temporary ACL", *fields, chain=chain, params={"NetworkAclId": temporary})


def _temporary(
    change: AclChange, context: PlanContext, goals: Mapping[Side, dict[int, AclEntry]], fields: Iterable[str]
) -> Iterator[Action]:
    """Creates the temporary ACL with all its entries, before any subnet uses it."""
    address, temporary = change.address, Ref(change.address, TEMPORARY)
    tags = {DOCUMENT_TAG: context.document.name, TEMPORARY_TAG: address.name, "Name": f"{address.name} (temporary)"}
    yield CREATE.on(
        address,
        f"create a temporary ACL: {_NO_ORDER}",
        *fields,
        chain=TEMPORARY,
        gives=temporary,
        params={"VpcId": Ref(context.document.vpc), "TagSpecifications": tagged_as("network-acl", tags)},
    )
    for side in SIDES:
        for number, entry in sorted(goals.get(side, live_entries(change, side)).items()):
            yield CREATE_ENTRY.on(
                address,
                f"create {side.field} entry {number} {entry} in the temporary ACL",
                *fields,
                chain=TEMPORARY,
                effect=((cell(temporary_of(address), side.field), number, entry),),
                params={"NetworkAclId": temporary, "Egress": side.egress, "RuleNumber": number, **entry_params(entry)},
            )


def cleanup(address: Address, context: PlanContext) -> Iterable[Step]:
    """Deletes a temporary ACL that a stopped run left, after its subnets were moved back; `correct` moves the declared
    ones. It counts as a move, so that no subnet has to wait for it. AWS refuses to delete an ACL that has subnets.

    Tags can be put on anything by anybody: subnets of which the document does not say that they use this ACL are moved
    only if nothing else passes there than before.
    """
    temporary = Ref(address, TEMPORARY)
    observed = context.snapshot.resources.get(address)
    if not context.has(temporary) or not observed:
        return
    left, declared = (
        observed.facts.temporary or NetworkAcl(),
        cast("NetworkAcl", context.document.resources[address]),
    )
    changed = any(getattr(declared, side.field) not in [None, getattr(left, side.field)] for side in SIDES)
    if changed and left.subnets and observed.spec.subnets:
        return  # the entries may be held because of it (`no_detour`): its subnets stay, and a person decides
    undeclared = (left.subnets or Subnets()) - (declared.subnets or Subnets())
    if undeclared and not all(_as_here(left, declared, observed.spec, side.field) for side in SIDES):
        yield Finding(address, Outcome.HELD, Cause(Reason.UNDECLARED, _IN_USE), "subnets", min(undeclared))
        return
    this = frozenset({address})
    for subnet in sorted(undeclared):
        yield move(address, subnet, Ref(address), f"associate {subnet} with this ACL again", (), after=this)
    acl: dict[str, Any] = {"NetworkAclId": temporary}
    yield DELETE.on(address, "delete the temporary ACL of an earlier run", moves=True, after=this, params=acl)


def _as_here(left: NetworkAcl, declared: NetworkAcl, live: NetworkAcl, field: str) -> bool:
    """Whether the temporary ACL has in one direction the entries that the ACL has, or is to have."""
    goal = getattr(declared, field)
    return bool(getattr(left, field) == (getattr(live, field) if goal is None else goal))
