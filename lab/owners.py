"""Accounts: a thing of the laboratory can be made to belong to another one, as in a VPC that is shared.

A test gives things away with StrictAws.give; strict_aws asks here before each write and after each look.

Facts encoded (VPC User Guide, "Share your VPC subnets with other accounts"; EC2 API reference, OwnerId): the owner of a
VPC and its participants see each other's groups in it, and neither changes what belongs to the other; a group's name
is unique for one owner in one VPC; a participant makes groups in the VPC, and nothing else of the network. The code is
not documented; here UnauthorizedOperation. AWS keeps the tags of a shared subnet apart for each account and lets a
participant tag it; here a tag on somebody else's thing is refused, because Setpoint has no reason to try.
"""

from __future__ import annotations

from typing import Any

from lab.group_rules import key_of
from lab.live import Answer, Live, Params
from lab.refusal import Refusal

SHOWN = {
    "DescribeVpcs": ("Vpcs", "VpcId"),
    "DescribeSubnets": ("Subnets", "SubnetId"),
    "DescribeInternetGateways": ("InternetGateways", "InternetGatewayId"),
    "DescribeRouteTables": ("RouteTables", "RouteTableId"),
    "DescribeSecurityGroups": ("SecurityGroups", "GroupId"),
    "DescribeNetworkAcls": ("NetworkAcls", "NetworkAclId"),
}
"""The looks that say whose a thing is: the list and the id in it."""
_SUBJECTS = ("GroupId", "NetworkAclId", "RouteTableId", "SubnetId", "InternetGatewayId", "VpcId")
_AS_PARTICIPANT = frozenset({"CreateSecurityGroup"})


def give(live: Live, resource_id: str, account: str) -> None:
    """Make a thing belong to `account`; of a VPC also everything that is in it now."""
    given = _with_contents(live, resource_id) if resource_id.startswith("vpc-") else [resource_id]
    live.owners.update(dict.fromkeys(given, account))
    for acl in live.ec2.network_acls.values():
        acl.owner_id = live.owner_of(acl.id)  # moto's filter owner-id
    for group in live.groups():
        group.owner_id = live.owner_of(group.id)
        for rule in (*group.ingress_rules, *group.egress_rules):
            if key_of(rule).kind == "group":
                rule.source_group["UserId"] = live.owner_of(key_of(rule).source)


def _with_contents(live: Live, vpc_id: str) -> list[str]:
    live.vpc(vpc_id)
    things: list[Any] = [*live.subnets().values(), *live.ec2.route_tables.values()]
    things += [*live.ec2.network_acls.values(), *live.groups()]
    gateway = live.gateway_of(vpc_id)
    return [vpc_id, *(each.id for each in things if each.vpc_id == vpc_id), *([gateway.id] if gateway else [])]


def check(live: Live, operation: str, params: Params) -> None:
    """Refuse a write to a thing of another account (UnauthorizedOperation)."""
    if not live.owners:
        return
    subjects = [params[name] for name in _SUBJECTS if isinstance(params.get(name), str)]
    if operation in _AS_PARTICIPANT:
        subjects = []
    subjects += params.get("Resources") or []
    if params.get("AssociationId"):
        subjects += _parties(live, params["AssociationId"])
    for subject in subjects:
        if live.owner_of(subject) != live.account:
            message = f"You are not authorized to perform this operation: {subject} belongs to another account."
            raise Refusal("UnauthorizedOperation", message)


def _parties(live: Live, association_id: str) -> list[str]:
    """The table or ACL of an association, and its subnet."""
    for table in live.ec2.route_tables.values():
        if association_id in table.all_associations_ids:
            return [table.id, table._associations.get(association_id, table.id)]
    for acl in live.ec2.network_acls.values():
        if association_id in acl._associations:
            return [acl.id, acl._associations[association_id].subnet_id]
    return []


def mark(live: Live, operation: str, answer: Answer) -> None:
    """Put the owners into an answer of moto, for which everything belongs to one account."""
    if live.owners and operation in SHOWN:
        key, id_member = SHOWN[operation]
        for shown in answer[key]:
            shown["OwnerId"] = live.owner_of(shown[id_member])
