"""Pages: MaxResults and NextToken of EC2, MaxRecords and Marker of RDS, cut from a whole answer.

moto answers everything in one page. strict_aws asks `cut` for the page the caller wanted. Without MaxResults EC2
gives everything; RDS gives 100 at most. A token is opaque, and belongs to the call that gave it.

Facts encoded (botocore ec2 and rds models): MaxResults 5-1000, DescribeRouteTables 5-100; MaxRecords 20-100, default
100.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import NamedTuple

from lab.live import Answer, Params, without
from lab.refusal import Refusal


class Pages(NamedTuple):
    """How one Describe call pages: the list it cuts, and the sizes it takes."""

    key: str
    smallest: int
    largest: int


EC2_PAGES = {
    "DescribeVpcs": Pages("Vpcs", 5, 1000),
    "DescribeSubnets": Pages("Subnets", 5, 1000),
    "DescribeInternetGateways": Pages("InternetGateways", 5, 1000),
    "DescribeRouteTables": Pages("RouteTables", 5, 100),
    "DescribeSecurityGroups": Pages("SecurityGroups", 5, 1000),
    "DescribeSecurityGroupRules": Pages("SecurityGroupRules", 5, 1000),
    "DescribeNetworkAcls": Pages("NetworkAcls", 5, 1000),
}
RDS_PAGES = {
    "DescribeDBInstances": Pages("DBInstances", 20, 100),
    "DescribeDBSubnetGroups": Pages("DBSubnetGroups", 20, 100),
}
_WORDS = {"ec2": ("MaxResults", "NextToken"), "rds": ("MaxRecords", "Marker")}


def pages_of(service: str, operation: str) -> Pages | None:
    """The paging of a call, or None when it has none here."""
    table = {"ec2": EC2_PAGES, "rds": RDS_PAGES}.get(service, {})
    return table.get(operation)


def unpaged(service: str, params: Params) -> Params:
    """The parameters without the page asked for, as the strict modules see them."""
    return without(params, *_WORDS[service])


def check(service: str, pages: Pages, params: Params) -> None:
    """Refuse a page size AWS would refuse (InvalidParameterValue)."""
    name = _WORDS[service][0]
    size = params.get(name)
    if size is not None and not pages.smallest <= size <= pages.largest:
        message = f"Value ( {size} ) for parameter {name} is invalid. Expecting {pages.smallest} to {pages.largest}."
        raise Refusal("InvalidParameterValue", message)


def cut(service: str, operation: str, pages: Pages, params: Params, whole: Answer) -> Answer:
    """The page of `whole` that the caller asked for, with the token of the next one if there is more."""
    size_name, token_name = _WORDS[service]
    asked = _fingerprint(operation, without(params, size_name, token_name))
    start = _start(service, asked, params.get(token_name))
    items = whole[pages.key]
    size = params.get(size_name) or (pages.largest if service == "rds" else max(len(items), 1))
    page = {**whole, pages.key: items[start : start + size]}
    if start + size < len(items):
        token = json.dumps([asked, start + size]).encode()
        page[token_name] = base64.urlsafe_b64encode(token).decode()
    return page


def _start(service: str, asked: str, token: str | None) -> int:
    if not token:
        return 0
    code = "InvalidNextToken" if service == "ec2" else "InvalidParameterValue"
    refusal = Refusal(code, f"The token '{token}' is invalid.")
    try:
        given, start = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError) as error:
        raise refusal from error
    if given != asked or not isinstance(start, int):
        raise refusal
    return start


def _fingerprint(operation: str, params: Params) -> str:
    text = json.dumps([operation, params], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
