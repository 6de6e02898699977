"""Paging: MaxResults and NextToken of EC2, MaxRecords and Marker of RDS.

moto answers everything in one page, from which `cut` takes the requested one. Without MaxResults EC2 returns
everything; RDS returns at most 100 items. A token is opaque, and valid only for the call that returned it.

Facts encoded (botocore ec2 and rds models): MaxResults 5-1000, DescribeRouteTables 5-100, DescribeEgressOnlyInternet-
Gateways 5-255, no smallest one of DescribeVpcEndpoints and DescribeFlowLogs; DescribeVpnGateways has no pages;
MaxRecords 20-100, default 100. A filter takes 200 values (EC2 API reference, "Error codes"); no page size goes with the
ids of subnets or groups; pages of groups may be short, and the last one may come with a token (so users of other
tools): here the first page is one short, and a full last page has a token for an empty one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import NamedTuple

from lab.live import Answer, Params, without
from lab.refusal import Refusal

MOST_VALUES = 200


class Pages(NamedTuple):
    """The paging of one Describe call: the list, and the allowed page sizes."""

    key: str
    smallest: int
    largest: int
    not_with: tuple[str, ...] = ()
    """Parameters that the size of a page cannot stand beside."""
    loose: bool = False
    """Whether a page may hold less than was asked for, and the last one come with a token for nothing."""


EC2_PAGES = {
    "DescribeVpcs": Pages("Vpcs", 5, 1000),
    "DescribeSubnets": Pages("Subnets", 5, 1000, ("SubnetIds",)),
    "DescribeInternetGateways": Pages("InternetGateways", 5, 1000),
    "DescribeRouteTables": Pages("RouteTables", 5, 100),
    "DescribeSecurityGroups": Pages("SecurityGroups", 5, 1000, ("GroupIds", "GroupNames"), loose=True),
    "DescribeSecurityGroupRules": Pages("SecurityGroupRules", 5, 1000),
    "DescribeNetworkAcls": Pages("NetworkAcls", 5, 1000),
    "DescribeNetworkInterfaces": Pages("NetworkInterfaces", 5, 1000),
    "DescribeNatGateways": Pages("NatGateways", 5, 1000),
    "DescribeVpcEndpoints": Pages("VpcEndpoints", 1, 1000),
    "DescribeVpcPeeringConnections": Pages("VpcPeeringConnections", 5, 1000),
    "DescribeTransitGatewayVpcAttachments": Pages("TransitGatewayVpcAttachments", 5, 1000),
    "DescribeEgressOnlyInternetGateways": Pages("EgressOnlyInternetGateways", 5, 255),
    "DescribeFlowLogs": Pages("FlowLogs", 1, 1000),
}
RDS_PAGES = {
    "DescribeBlueGreenDeployments": Pages("BlueGreenDeployments", 20, 100),
    "DescribeDBInstances": Pages("DBInstances", 20, 100),
    "DescribeDBSubnetGroups": Pages("DBSubnetGroups", 20, 100),
}
_PARAMETERS = {"ec2": ("MaxResults", "NextToken"), "rds": ("MaxRecords", "Marker")}


def pages_of(service: str, operation: str) -> Pages | None:
    """The paging of a call, or None if it has none here."""
    table = {"ec2": EC2_PAGES, "rds": RDS_PAGES}.get(service, {})
    return table.get(operation)


def unpaged(service: str, params: Params) -> Params:
    """The parameters without those of the paging, for the strict modules."""
    return without(params, *_PARAMETERS[service])


def check(service: str, pages: Pages, params: Params) -> None:
    """Refuse a page size AWS would refuse (InvalidParameterValue), one beside ids, and too many values of a filter."""
    name = _PARAMETERS[service][0]
    size = params.get(name)
    if size is not None and any(params.get(ids) for ids in pages.not_with):
        message = f"The parameter {pages.not_with[0]} cannot be used with the parameter {name}"
        raise Refusal("InvalidParameterCombination", message)
    for each in params.get("Filters") or params.get("Filter") or []:
        if service == "ec2" and len(each.get("Values") or []) > MOST_VALUES:
            message = f"The maximum number of filter values specified on a single call is {MOST_VALUES}"
            raise Refusal("FilterLimitExceeded", message)
    if size is not None and not pages.smallest <= size <= pages.largest:
        message = f"Value ( {size} ) for parameter {name} is invalid. Expecting {pages.smallest} to {pages.largest}."
        raise Refusal("InvalidParameterValue", message)


def cut(service: str, operation: str, pages: Pages, params: Params, whole: Answer) -> Answer:
    """The requested page of `whole`, with a token if there are more."""
    size_name, token_name = _PARAMETERS[service]
    request = _fingerprint(operation, without(params, size_name, token_name))
    start = _start(service, request, params.get(token_name))
    items = whole[pages.key]
    size = params.get(size_name) or (pages.largest if service == "rds" else max(len(items), 1))
    if pages.loose and params.get(size_name):
        size -= start == 0
    page = {**whole, pages.key: items[start : start + size]}
    full = pages.loose and bool(params.get(size_name)) and start + size == len(items)
    if start + size < len(items) or full:
        token = json.dumps([request, start + size]).encode()
        page[token_name] = base64.urlsafe_b64encode(token).decode()
    return page


def _start(service: str, request: str, token: str | None) -> int:
    if not token:
        return 0
    code = "InvalidNextToken" if service == "ec2" else "InvalidParameterValue"
    refusal = Refusal(code, f"The token '{token}' is invalid.")
    try:
        given, start = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError) as error:
        raise refusal from error
    if given != request or not isinstance(start, int):
        raise refusal
    return start


def _fingerprint(operation: str, params: Params) -> str:
    text = json.dumps([operation, params], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
