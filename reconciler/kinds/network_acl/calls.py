"""The calls that change a network ACL, for `kind.py` and `detour.py`: writing entries in an order, moving a subnet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Unpack, cast

from desired_state.fields import AclEntry, Address, is_ipv6
from desired_state.network import NetworkAcl
from desired_state.quotas import DEFAULT
from desired_state.rules import Entries
from reconciler.aws.ec2 import entry_params
from reconciler.kinds.network_acl.search import Step, Steps, steps
from reconciler.model import Action, ActionOptions, Change, Operation, Phase, Ref, Risk
from reconciler.packets.partial import corrected
from reconciler.packets.traffic import of_acl
from reconciler.reach.network import ACL_OF
from reconciler.reach.network import entries as cell

CREATE = Operation(
    "ec2",
    "CreateNetworkAcl",
    Phase.CREATE,
    Risk.REVERSIBLE,
    also_needs=frozenset({"ec2:CreateTags"}),
    yields="NetworkAcl.NetworkAclId",
    takes_token=True,
    iam_resource_types=("network-acl", "vpc"),
)
CREATE_ENTRY = Operation(
    "ec2", "CreateNetworkAclEntry", Phase.BIND, Risk.TRAFFIC, affects_traffic=True, iam_resource_types=("network-acl",)
)
REPLACE_ENTRY = Operation(
    "ec2", "ReplaceNetworkAclEntry", Phase.BIND, Risk.TRAFFIC, affects_traffic=True, iam_resource_types=("network-acl",)
)
DELETE_ENTRY = Operation(
    "ec2",
    "DeleteNetworkAclEntry",
    Phase.UNBIND,
    Risk.TRAFFIC,
    affects_traffic=True,
    already_applied_codes=frozenset({"InvalidNetworkAclEntry.NotFound"}),
    iam_resource_types=("network-acl",),
)
REASSOCIATE = Operation(
    "ec2",
    "ReplaceNetworkAclAssociation",
    Phase.BIND,
    Risk.TRAFFIC,
    yields="NewAssociationId",
    affects_traffic=True,
    iam_resource_types=("network-acl", "subnet"),
)
DELETE = Operation(
    "ec2",
    "DeleteNetworkAcl",
    Phase.DELETE,
    Risk.TRAFFIC,
    already_applied_codes=frozenset({"InvalidNetworkAclID.NotFound"}),
    iam_resource_types=("network-acl",),
)

ASSOCIATION = "network_acl_association"
TEMPORARY = "temporary"
"""The handle of an ACL's temporary one."""


class Facts(NamedTuple):
    """`temporary`: the temporary ACL for this one, if there is any."""

    temporary: NetworkAcl | None = None


type AclChange = Change[NetworkAcl, Facts]


class Side(NamedTuple):
    """One direction, as the model and as EC2 name it."""

    field: str
    egress: bool


SIDES = (Side("ingress", egress=False), Side("egress", egress=True))


def temporary(acl: Address) -> Address:
    """What the temporary ACL for another is called in the network's table."""
    return Address(f"{acl} ({TEMPORARY})")


def live_entries(change: AclChange, side: Side) -> Entries:
    """The entries that are live."""
    return cast("Entries", getattr(change.base, side.field))


def goal_of(change: AclChange, side: Side) -> dict[int, AclEntry]:
    """The declared entries, and the undeclared ones with an exception."""
    return corrected(live_entries(change, side), change.of(side.field))


def order_of(
    before: Mapping[int, AclEntry],
    after: Mapping[int, AclEntry],
    *,
    in_use: bool,
    capacity: int = DEFAULT.usable_entries,
) -> Steps | None:
    """The single calls from `before` to `after`, in any order if no subnet uses the ACL. `capacity` is the quota for
    what is there on the way; whether all of `after` has room, AWS says.
    """
    if in_use:
        families = [is_ipv6(entry.cidr) for entry in after.values()]
        return steps(before, after, max(capacity, sum(families), len(families) - sum(families)))
    deleted = [Step("delete", number, None) for number in sorted(before.keys() - after.keys())]
    created = [Step("create", number, after[number]) for number in sorted(after.keys() - before.keys())]
    changed = sorted(number for number in before.keys() & after.keys() if before[number] != after[number])
    return Steps((), (*deleted, *(Step("replace", number, after[number]) for number in changed), *created))


def write_entries(change: AclChange, side: Side, sequence: Steps, chain: str = "") -> Iterator[Action]:
    """The calls of a sequence, as a part of `chain`, or in a chain of their own whose beginning only closes."""
    now = dict(live_entries(change, side))
    for index, step in enumerate((*sequence.closing, *sequence.rest)):
        passed = of_acl(now)
        if step.entry:
            now[step.number] = step.entry
        else:
            del now[step.number]
        operation = {"create": CREATE_ENTRY, "replace": REPLACE_ENTRY, "delete": DELETE_ENTRY}[step.verb]
        entry = f" {step.entry}" if step.entry else ""
        yield operation.on(
            change.address,
            f"{step.verb} {side.field} entry {step.number}{entry}",
            side.field,
            closes=index < len(sequence.closing) and not chain,
            opens=index >= len(sequence.closing) and passed <= of_acl(now),
            chain=chain or side.field,
            effect=((cell(change.address, side.field), step.number, step.entry),),
            breaks=int(step.verb != "create"),
            params={
                "NetworkAclId": Ref(change.address),
                "Egress": side.egress,
                "RuleNumber": step.number,
                **(entry_params(step.entry) if step.entry else {}),
            },
        )


def move(
    address: Address, subnet: Address, to: Ref, why: str, fields: Iterable[str], **options: Unpack[ActionOptions]
) -> Action:
    """The call that moves a subnet from one ACL to another, so that it always has one."""
    association = Ref(subnet, ASSOCIATION)
    params: dict[str, Any] = {"AssociationId": association, "NetworkAclId": to}
    defaults: ActionOptions = {
        "moves": True,
        "gives": association,
        "breaks": 1,
        "effect": ((ACL_OF, subnet, temporary(to.to) if to.handle == TEMPORARY else to.to),),
    }
    return REASSOCIATE.on(address, why, *fields, params=params, **(defaults | options))
