"""The two ends of a flow: machines inside the VPC, and networks outside of it. Pure.

An end is a set of addresses that no filter can tell apart by anything but the address itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import NamedTuple

from desired_state.fields import Address, network
from desired_state.intents import INTERNET_IPV6, NOT_INTERNET
from reconciler.packets.traffic import Cuts, intervals, join, less, meet

type Ports = tuple[int, int]
"""The first and the last of a range of ports."""

CLIENT_PORTS: Ports = (1024, 65535)
"""The ports that clients of any kind pick from (VPC user guide, network ACLs, ephemeral ports): NAT gateways, load
balancers and Lambda functions use all of them, Linux and Windows a part."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of addresses, IPv4 and IPv6 apart; each family in the form of `Cuts`, so that `==` compares sets."""

    ipv4: Cuts = ()
    ipv6: Cuts = ()

    @classmethod
    def of(cls, *cidrs: str) -> Ranges:
        """The addresses of canonical CIDRs."""
        families: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for version, first, last in map(network, cidrs):
            families[version].append((first, last + 1))
        return cls(join(*families[4]), join(*families[6]))

    def __and__(self, other: Ranges) -> Ranges:
        return Ranges(meet(self.ipv4, other.ipv4), meet(self.ipv6, other.ipv6))

    def __or__(self, other: Ranges) -> Ranges:
        return Ranges(join(self.ipv4, other.ipv4), join(self.ipv6, other.ipv6))

    def __sub__(self, other: Ranges) -> Ranges:
        return Ranges(less(self.ipv4, other.ipv4), less(self.ipv6, other.ipv6))

    def __bool__(self) -> bool:
        return bool(self.ipv4 or self.ipv6)

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The fewest CIDRs that make up the set, in ascending order, IPv4 first."""
        return (*cidrs_of(self.ipv4, ipv6=False), *cidrs_of(self.ipv6, ipv6=True))

    def __str__(self) -> str:
        return ", ".join(self.cidrs)


def cidrs_of(addresses: Cuts, *, ipv6: bool) -> tuple[str, ...]:
    """The fewest CIDRs that make up a set of addresses of one family, in ascending order."""
    address = IPv6Address if ipv6 else IPv4Address
    return tuple(
        str(cidr)
        for first, end in intervals(addresses)
        for cidr in summarize_address_range(address(first), address(end - 1))
    )


class Endpoint(NamedTuple):
    """Machines of the VPC that no filter can tell apart: one subnet, one set of groups, one answer to "public?".

    `groups` is None if nobody knows which security groups the machines carry; an undeclared group has its id as its
    address. `addresses` are the private addresses that they have or may get. `public` says whether they have a public
    IPv4 address (None: not known); an IPv6 address is always one. `owner` is the workload, database, or network
    interface that this is, and `label` the end for people. `stranger`: it is there, and nobody declared it.
    """

    label: str
    subnet: Address
    groups: frozenset[Address] | None
    addresses: Ranges
    public: bool | None = None
    owner: str = ""
    client_ports: Ports = CLIENT_PORTS
    stranger: bool = False


class External(NamedTuple):
    """A network outside the VPC. `internet` says that it is no network of one's own: its packets come through an
    internet gateway, or it is not known how they come.
    """

    label: str
    addresses: Ranges
    internet: bool = False


type End = Endpoint | External

INTERNET = Ranges.of("0.0.0.0/0") - Ranges.of(*NOT_INTERNET) | Ranges.of(INTERNET_IPV6)
"""The addresses that an internet gateway carries packets to and from. The documentation networks are left in: examples
and tests are written with them."""


def internet(local: Iterable[str]) -> External:
    """The internet as an end of a flow, for a VPC with these networks."""
    return External("the internet", INTERNET - Ranges.of(*local), internet=True)
