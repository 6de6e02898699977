"""Who answers which call of EC2 and RDS: a strict module, moto where it does as AWS, or nobody. Called by strict_aws.

A call that is in neither table is refused loudly: what moto would answer is often kinder than AWS, and nobody would
notice.
"""

from __future__ import annotations

from collections.abc import Callable

from lab import (
    other_reads,
    rds_controls,
    strict_acls,
    strict_beside,
    strict_blocks,
    strict_endpoints,
    strict_groups,
    strict_lists,
    strict_nat,
    strict_propagation,
    strict_routes,
    strict_rules,
    strict_tags,
    strict_vpc,
)
from lab.live import Answer, Live, Params
from lab.refusal import not_modelled

STRICT: dict[str, dict[str, Callable[[Live, Params], Answer]]] = {
    "ec2": {
        **other_reads.OPERATIONS,
        **strict_vpc.OPERATIONS,
        **strict_blocks.OPERATIONS,
        **strict_endpoints.OPERATIONS,
        **strict_nat.OPERATIONS,
        **strict_lists.OPERATIONS,
        **strict_beside.OPERATIONS,
        **strict_propagation.OPERATIONS,
        **strict_routes.OPERATIONS,
        **strict_groups.OPERATIONS,
        **strict_rules.OPERATIONS,
        **strict_acls.OPERATIONS,
        **strict_tags.OPERATIONS,
    },
    "rds": rds_controls.OPERATIONS,
}
AS_MOTO = frozenset(
    {
        "AllocateAddress", "AssociateAddress", "AssociateSubnetCidrBlock", "AttachVpnGateway", "CreateInternetGateway",
        "CreateNetworkInterface", "CreateTransitGateway", "CreateTransitGatewayVpcAttachment", "CreateVpnGateway",
        "DeleteInternetGateway", "DeleteNetworkInterface", "DescribeAddresses", "DescribeAvailabilityZones",
        "DescribeInstances", "DescribePrefixLists", "DescribeTags", "DetachVpnGateway", "DisassociateAddress",
        "RunInstances", "TerminateInstances",
    }
)  # fmt: skip
"""The calls of EC2 that moto answers as AWS does, as far as the tests use them."""


def act_for(service: str, operation: str) -> Callable[[Live, Params], Answer]:
    """What answers a call; Refusal for one of EC2 that is not modelled."""
    act = STRICT.get(service, {}).get(operation)
    if act is not None:
        return act
    if service == "ec2" and operation not in AS_MOTO:
        raise not_modelled(operation)
    return lambda live, params: live.moto(service, operation, params)
