"""What stands in a VPC beside what a document can declare: it is seen, told, and not managed.

Each of these reads may fail. `ReadOnlyAccess` has them all; the functions' roles do not need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.aws.ec2 import in_vpc
from reconciler.importing.network import LiveNetwork
from reconciler.importing.reading import RememberedReads
from reconciler.model import Cause, Reason
from reconciler.model.read import Item, Read, ReadContext, read

_OVER = frozenset({"deleted", "deleting", "failed", "rejected", "expired", "detached"})
_PEOPLE = {"s3": "S3", "dynamodb": "DynamoDB"}
"""The services of gateway endpoints, as people write them."""


@dataclass(frozen=True)
class Beside:
    """One sort of thing: what one and several of it are called, the member with its id, its read, and which items of
    the answer are in the VPC.
    """

    one: str
    many: str
    id: str
    read: Callable[[ReadContext], Read]
    here: Callable[[Item, LiveNetwork], bool] = lambda item, network: True


def _of_vpc(operation: str, result: str, *, filters: str = "Filters") -> Callable[[ReadContext], Read]:
    return lambda context: in_vpc(operation, result, context, filters=filters)


def _all(operation: str, result: str, page: int = 1000) -> Callable[[ReadContext], Read]:
    """A read of the whole region: the call has no filter for the VPC, or has one for each end."""
    return lambda context: read("ec2", operation, result, {}, page=page)


def _vpn_gateways(context: ReadContext) -> Read:
    """DescribeVpnGateways has no pages (EC2 API reference)."""
    filters = [{"Name": "attachment.vpc-id", "Values": [context.vpc_id]}]
    return read("ec2", "DescribeVpnGateways", "VpnGateways", {"Filters": filters})


def _peers(item: Item, network: LiveNetwork) -> bool:
    ends = (item.get("RequesterVpcInfo") or {}, item.get("AccepterVpcInfo") or {})
    return any(end.get("VpcId") == network.vpc_id for end in ends)


def _attached(item: Item, network: LiveNetwork) -> bool:
    return any(one.get("VpcId") == network.vpc_id for one in item.get("Attachments", ()))


def _logs(item: Item, network: LiveNetwork) -> bool:
    return item.get("ResourceId") in {network.vpc_id, *network.around.zones}


INTERFACES = Beside(
    "interface", "interfaces", "NetworkInterfaceId", _of_vpc("DescribeNetworkInterfaces", "NetworkInterfaces")
)
ENDPOINTS = Beside("endpoint", "endpoints", "VpcEndpointId", _of_vpc("DescribeVpcEndpoints", "VpcEndpoints"))
ALL = (
    Beside(
        "NAT gateway", "NAT gateways", "NatGatewayId", _of_vpc("DescribeNatGateways", "NatGateways", filters="Filter")
    ),
    ENDPOINTS,
    Beside(
        "peering",
        "peerings",
        "VpcPeeringConnectionId",
        _all("DescribeVpcPeeringConnections", "VpcPeeringConnections"),
        _peers,
    ),
    Beside(
        "transit gateway attachment",
        "transit gateway attachments",
        "TransitGatewayAttachmentId",
        _of_vpc("DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments"),
    ),
    Beside("VPN gateway", "VPN gateways", "VpnGatewayId", _vpn_gateways),
    Beside(
        "egress-only internet gateway",
        "egress-only internet gateways",
        "EgressOnlyInternetGatewayId",
        _all("DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways", page=255),
        _attached,
    ),
    Beside("flow log", "flow logs", "FlowLogId", _all("DescribeFlowLogs", "FlowLogs"), _logs),
    INTERFACES,
)


@dataclass(frozen=True)
class Seen:
    """What was seen: how many of each sort, in words; what could not be looked at; the interfaces; words for ids."""

    counts: tuple[str, ...]
    not_looked_at: tuple[str, ...]
    interfaces: tuple[Item, ...]
    words: Mapping[str, str]


def reads(context: ReadContext) -> list[Read]:
    """The optional reads of a VPC."""
    return [one.read(context) for one in ALL]


def seen(network: LiveNetwork, answers: RememberedReads) -> Seen:
    """What stands beside. Every read was made before."""
    context = network.contexts["vpc"]
    declarable = {one.id for one in network.own}
    found: dict[str, list[Any]] = {}
    counts, missing = [], []
    for one in ALL:
        made = one.read(context)
        if problem := answers.problem(made):
            missing.append(f"{one.many}: {failed(made, problem)}")
            continue
        items = [item for item in answers.answers[made] if _lives(item) and one.here(item, network)]
        found[one.many] = items
        items = [item for item in items if item.get(one.id) not in declarable]
        if items:
            counts.append(f"{len(items)} {one.one if len(items) == 1 else one.many}")
    vpc = network.vpc
    if options := vpc.get("DhcpOptionsId"):
        counts.append(f"DHCP options {options}")
    if blocks := len(vpc.get("Ipv6CidrBlockAssociationSet", ())):
        counts.append(f"{blocks} IPv6 block{'' if blocks == 1 else 's'}")
    interfaces = sorted(found.get(INTERFACES.many, ()), key=lambda item: str(item["NetworkInterfaceId"]))
    words = dict(_services(found.get(ENDPOINTS.many, ())))
    return Seen(tuple(counts), tuple(missing), tuple(interfaces), words)


def failed(made: Read, problem: Cause) -> str:
    """`ec2:DescribeFlowLogs was refused`."""
    what = {Reason.REFUSED: "was refused", Reason.THROTTLED: "was throttled", Reason.ANSWER_LOST: "was not answered"}
    return f"{made.service}:{made.operation} {what.get(problem.reason, f'failed: {problem.code}')}"


def _lives(item: Item) -> bool:
    state = item.get("State") or (item.get("Status") or {})
    text = state.get("Code", "") if isinstance(state, Mapping) else state
    return str(text).lower() not in _OVER


def _services(endpoints: Iterable[Item]) -> Iterator[tuple[str, str]]:
    """The word for an endpoint: the service that it leads to."""
    for item in endpoints:
        service = str(item.get("ServiceName", "")).rpartition(".")[2]
        if service:
            yield str(item["VpcEndpointId"]), _PEOPLE.get(service, service)
