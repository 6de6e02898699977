"""The tenth read, made only for a document with intents: the network interfaces of the VPC. `observe.py` makes it
together with the reads of the kinds.

An interface is no kind of resource: nothing declares one, and nothing corrects one. It says who carries which groups,
where, and with which public address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.aws.ec2 import in_vpc
from reconciler.model import Interface
from reconciler.model.read import Item, Read, ReadContext

PERMISSION = "ec2:DescribeNetworkInterfaces"
_NAT = re.compile(r"nat-[0-9a-f]+")
"""AWS writes the id into the description of a NAT gateway's interface: `Interface for NAT Gateway nat-...`."""
_NAT_TYPES = frozenset({"nat_gateway", "natGateway"})
"""EC2 API reference, NetworkInterface, has both spellings of `InterfaceType`."""


def interfaces_read(context: ReadContext) -> Read:
    """All interfaces of the VPC, 1,000 a page (EC2 API reference, DescribeNetworkInterfaces)."""
    return in_vpc("DescribeNetworkInterfaces", "NetworkInterfaces", context)


def interfaces_of(items: Iterable[Item]) -> tuple[Interface, ...]:
    """The interfaces of an answer, in the order of their ids. Raises KeyError or TypeError for a malformed one."""
    return tuple(sorted(map(_interface, items)))


def _interface(item: Item) -> Interface:
    held = list(item.get("PrivateIpAddresses", ()))
    private = [one["PrivateIpAddress"] for one in held] or [
        *([item["PrivateIpAddress"]] if item.get("PrivateIpAddress") else [])
    ]
    sixes = [one["Ipv6Address"] for one in item.get("Ipv6Addresses", ())]
    kind = item.get("InterfaceType", "interface")
    nat = _NAT.search(item.get("Description", "")) if kind in _NAT_TYPES else None
    return Interface(
        id=item["NetworkInterfaceId"],
        subnet=item["SubnetId"],
        groups=frozenset(one["GroupId"] for one in item.get("Groups", ())),
        addresses=(*(f"{one}/32" for one in private), *(f"{one}/128" for one in sixes)),
        public=any((one.get("Association") or {}).get("PublicIp") for one in (item, *held)),
        type=kind,
        managed=bool(item.get("RequesterManaged")),
        instance=(item.get("Attachment") or {}).get("InstanceId") or "",
        nat=nat.group() if nat else "",
        in_use=item.get("Status") != "available",
    )
