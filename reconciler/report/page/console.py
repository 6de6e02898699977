"""Links to the AWS console, from ids and regions alone, and only from what has exactly their form. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_REGION = re.compile(r"[a-z]{2}(?:-gov)?-[a-z]{1,20}-[0-9]{1,2}", re.ASCII)
_HOSTS = (("cn-", "amazonaws.cn"), ("us-gov-", "amazonaws-us-gov.com"))
_PAGES = {
    "vpc": "vpcconsole/home?region={}#VpcDetails:VpcId=",
    "subnet": "vpcconsole/home?region={}#SubnetDetails:subnetId=",
    "igw": "vpcconsole/home?region={}#InternetGateway:internetGatewayId=",
    "rtb": "vpcconsole/home?region={}#RouteTableDetails:RouteTableId=",
    "acl": "vpcconsole/home?region={}#NetworkAclDetails:networkAclId=",
    "sg": "ec2/home?region={}#SecurityGroup:groupId=",
}
_ID = re.compile(rf"({'|'.join(_PAGES)})-(?:[0-9a-f]{{8}}|[0-9a-f]{{17}})", re.ASCII)
_NAMED = {
    "db_instance": "rds/home?region={}#database:id={};is-cluster=false",
    "db_subnet_group": "rds/home?region={}#db-subnet-group:id={}",
}
_NAME = re.compile(r"[a-z](?:-?[a-z0-9]){0,62}", re.ASCII)
_EVENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def link(kind: str, resource_id: str | None, region: str | None) -> str | None:
    """The page of a resource; None if its id or the region does not have exactly its form."""
    host = _host(region)
    if host is None or not resource_id:
        return None
    if kind in _NAMED:
        return f"{host}{_NAMED[kind].format(region, resource_id)}" if _NAME.fullmatch(resource_id) else None
    form = _ID.fullmatch(resource_id)
    return f"{host}{_PAGES[form[1]].format(region)}{resource_id}" if form else None


def event_link(event_id: str | None, region: str | None) -> str | None:
    """The page of an event of CloudTrail."""
    host = _host(region)
    if host is None or not _EVENT.fullmatch(event_id or ""):
        return None
    return f"{host}cloudtrailv2/home?region={region}#/events/{event_id}"


@lru_cache(64)
def _host(region: str | None) -> str | None:
    if not _REGION.fullmatch(region or ""):
        return None
    domain = next((domain for start, domain in _HOSTS if str(region).startswith(start)), "aws.amazon.com")
    return f"https://{region}.console.{domain}/"
