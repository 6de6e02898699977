"""Network ACLs as in AWS: numbered entries, the `*` entries at the end, one association per subnet.

Called by strict_aws.

Facts encoded (EC2 API reference, CreateNetworkAclEntry, ReplaceNetworkAclEntry, ReplaceNetworkAclAssociation; VPC
User Guide, "Network ACLs"; Amazon VPC quotas): numbers 1-32766; every ACL ends with 32767 (and 32768 if the VPC has
IPv6), which denies the rest in both directions; protocols are numbers, tcp and udp need ports, which others do not
have, ICMP needs type and code; creating an identical entry succeeds (terraform-provider-aws), another one with the same
number does not; 20 entries per direction, IPv4 and IPv6 separately, including the `*`. That ReplaceNetworkAclEntry of a
missing entry answers InvalidNetworkAclEntry.NotFound is not documented, only likely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from moto.ec2.models.network_acls import NetworkAclEntry

from lab import canonical
from lab.live import Answer, Live, Params, needs_known
from lab.refusal import Refusal

LAST_OWN_NUMBER = 32766
STAR = 32767
STAR_IPV6 = 32768
MOST_ENTRIES = 20


class Entry(NamedTuple):
    """One canonical entry, as CreateNetworkAclEntry compares it."""

    number: int
    egress: bool
    protocol: str
    action: str
    cidr4: str | None
    cidr6: str | None
    first: int | None
    last: int | None
    icmp_type: int | None
    icmp_code: int | None


def create_entry(live: Live, params: Params) -> Answer:
    acl = live.acl(params["NetworkAclId"])
    entry = _entry(params)
    held = _held(acl, entry.egress, entry.number)
    if held is not None:
        if _of_moto(held) == entry:
            return {}
        message = f"The network acl entry identified by {entry.number} already exists."
        raise Refusal("NetworkAclEntryAlreadyExists", message)
    _check_quota(acl, entry)
    acl.network_acl_entries.append(_to_moto(live, acl, entry))
    return {}


def replace_entry(live: Live, params: Params) -> Answer:
    acl = live.acl(params["NetworkAclId"])
    entry = _entry(params)
    held = _held(acl, entry.egress, entry.number)
    if held is None:
        raise _no_entry(acl, entry.egress, entry.number)
    if (held.cidr_block is None) != (entry.cidr4 is None):
        _check_quota(acl, entry)
    acl.network_acl_entries[acl.network_acl_entries.index(held)] = _to_moto(live, acl, entry)
    return {}


def delete_entry(live: Live, params: Params) -> Answer:
    acl = live.acl(params["NetworkAclId"])
    number, egress = params["RuleNumber"], params["Egress"]
    _check_number(number)
    held = _held(acl, egress, number)
    if held is None:
        raise _no_entry(acl, egress, number)
    acl.network_acl_entries.remove(held)
    return {}


def _entry(params: Params) -> Entry:
    _check_number(params["RuleNumber"])
    if params["RuleAction"] not in ("allow", "deny"):
        raise Refusal("InvalidParameterValue", f"Invalid value '{params['RuleAction']}' for ruleAction.")
    protocol = canonical.acl_protocol(params["Protocol"])
    given4, given6 = params.get("CidrBlock"), params.get("Ipv6CidrBlock")
    if given4 is None and given6 is None:
        raise Refusal("MissingParameter", "Either 'cidrBlock' or 'ipv6CidrBlock' must be provided.")
    if given4 is not None and given6 is not None:
        raise Refusal("InvalidParameterCombination", "Only one of 'cidrBlock' and 'ipv6CidrBlock' can be provided.")
    ports = canonical.acl_ports(protocol, params.get("PortRange"))
    icmp = _icmp(protocol, given6 is not None, params.get("IcmpTypeCode"))
    cidr4 = canonical.cidr4(given4) if given4 is not None else None
    cidr6 = canonical.cidr6(given6) if given6 is not None else None
    egress, action = bool(params["Egress"]), params["RuleAction"]
    return Entry(params["RuleNumber"], egress, protocol, action, cidr4, cidr6, *ports, *icmp)


def _check_number(number: int) -> None:
    if not 1 <= number <= LAST_OWN_NUMBER:
        message = f"Value ({number}) for parameter ruleNumber is invalid. It must be 1 to {LAST_OWN_NUMBER}."
        raise Refusal("InvalidParameterValue", message)


def _icmp(protocol: str, is_ipv6: bool, given: dict[str, int] | None) -> tuple[int | None, int | None]:
    if protocol != "1" and not (protocol == "58" and is_ipv6):
        return None, None
    if not given or given.get("Type") is None or given.get("Code") is None:
        raise Refusal("MissingParameter", "The request must contain the parameter icmpTypeCode for ICMP.")
    return given["Type"], given["Code"]


def _held(acl: Any, egress: bool, number: int) -> Any | None:
    found = (e for e in acl.network_acl_entries if bool(e.egress) == egress and int(e.rule_number) == number)
    return next(found, None)


def _no_entry(acl: Any, egress: bool, number: int) -> Refusal:
    direction = "egress" if egress else "ingress"
    message = f"there is no {direction} entry with number {number} in network ACL {acl.id}"
    return Refusal("InvalidNetworkAclEntry.NotFound", message)


def _check_quota(acl: Any, entry: Entry) -> None:
    own = [e for e in acl.network_acl_entries if bool(e.egress) == entry.egress and e.rule_number <= LAST_OWN_NUMBER]
    family = [e for e in own if (e.cidr_block is None) == (entry.cidr4 is None)]
    if len(family) + 1 + 1 > MOST_ENTRIES:  # the new one and the `*`
        message = "The maximum number of network ACL entries has been reached."
        raise Refusal("NetworkAclEntryLimitExceeded", message)


def _of_moto(held: Any) -> Entry:
    return Entry(
        int(held.rule_number), bool(held.egress), str(held.protocol), held.rule_action, held.cidr_block,
        held.ipv6_cidr_block, held.port_range_from, held.port_range_to, held.icmp_type, held.icmp_code,
    )  # fmt: skip


def _to_moto(live: Live, acl: Any, entry: Entry) -> Any:
    # Added to moto's list directly, because moto's parser of this call loses IcmpTypeCode.
    return NetworkAclEntry(
        live.ec2,
        network_acl_id=acl.id,
        rule_number=entry.number,
        protocol=entry.protocol,
        rule_action=entry.action,
        egress=entry.egress,
        cidr_block=entry.cidr4,  # type: ignore[arg-type]
        ipv6_cidr_block=entry.cidr6,
        icmp_type=entry.icmp_type,
        icmp_code=entry.icmp_code,
        port_range_from=entry.first,
        port_range_to=entry.last,
    )


def let_ipv6_through(live: Live, vpc_id: str) -> None:
    """Adds entry 101 of the default ACL of a VPC with an IPv6 block, which moto omits."""
    acl = next(a for a in live.ec2.network_acls.values() if a.vpc_id == vpc_id and a.default)
    for egress in (False, True):
        entry = Entry(101, egress, "-1", "allow", None, "::/0", None, None, None, None)
        acl.network_acl_entries.append(_to_moto(live, acl, entry))


def create(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateNetworkAcl", params)
    if earlier is not None:
        return earlier
    live.vpc(params["VpcId"])
    made = live.moto("ec2", "CreateNetworkAcl", params)
    answer = {**made, "NetworkAcl": _with_stars(live, made["NetworkAcl"])}
    live.remember_request("CreateNetworkAcl", params, answer)
    return answer


def delete(live: Live, params: Params) -> Answer:
    acl = live.acl(params["NetworkAclId"])
    if acl.default:
        raise Refusal("InvalidParameterValue", f"cannot delete default network ACL {acl.id}")
    live.moto("ec2", "DeleteNetworkAcl", {"NetworkAclId": acl.id})
    live.ec2.tags.pop(acl.id, None)
    return {}


def replace_association(live: Live, params: Params) -> Answer:
    association_id = params["AssociationId"]
    holder = next((a for a in live.ec2.network_acls.values() if association_id in a._associations), None)
    if holder is None:
        message = f"The association ID '{association_id}' does not exist"
        raise Refusal("InvalidAssociationID.NotFound", message)
    acl = live.acl(params["NetworkAclId"])
    if acl.vpc_id != holder.vpc_id:
        subnet_id = holder._associations[association_id].subnet_id
        message = f"network ACL {acl.id} and subnet {subnet_id} belong to different networks"
        raise Refusal("InvalidParameterValue", message)
    return live.moto("ec2", "ReplaceNetworkAclAssociation", params)


def describe(live: Live, params: Params) -> Answer:
    ids = params.get("NetworkAclIds") or []
    needs_known(ids, live.ec2.network_acls, "InvalidNetworkAclID.NotFound", "networkAcl ID")
    filters = list(params.get("Filters", []))
    named = [each for each in filters if each["Name"] == "network-acl-id"]  # a filter that moto does not know
    others = {"Filters": [each for each in filters if each not in named]} if filters else {}
    answer = live.moto("ec2", "DescribeNetworkAcls", {**params, **others})
    found = [acl for acl in answer["NetworkAcls"] if all(acl["NetworkAclId"] in each["Values"] for each in named)]
    return {**answer, "NetworkAcls": [_with_stars(live, acl) for acl in found]}


def _with_stars(live: Live, shown: Answer) -> Answer:
    entries = [entry for entry in shown["Entries"] if entry["RuleNumber"] <= LAST_OWN_NUMBER]
    for egress in (True, False):
        denied = {"Egress": egress, "Protocol": "-1", "RuleAction": "deny"}
        entries.append({**denied, "CidrBlock": "0.0.0.0/0", "RuleNumber": STAR})
        if live.has_ipv6(shown["VpcId"]):
            entries.append({**denied, "Ipv6CidrBlock": "::/0", "RuleNumber": STAR_IPV6})
    return {**shown, "Entries": entries}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateNetworkAcl": create,
    "DeleteNetworkAcl": delete,
    "DescribeNetworkAcls": describe,
    "CreateNetworkAclEntry": create_entry,
    "ReplaceNetworkAclEntry": replace_entry,
    "DeleteNetworkAclEntry": delete_entry,
    "ReplaceNetworkAclAssociation": replace_association,
}
