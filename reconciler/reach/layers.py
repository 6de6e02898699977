"""What each layer at an end lets through, as exact sets of packets: its groups, its subnet's ACL, its subnet's routes.

A packet is seen from the end: its address is that of the other end. Everything is memoized by content, since the states
of a plan differ in few cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from desired_state.fields import ANY, NOWHERE, AclEntry, Address, RuleKey, is_cidr, network
from reconciler.packets.traffic import EVERYTHING, NOTHING, Packets, of_acl, of_rules
from reconciler.reach.network import (
    BLACKHOLE,
    UNREADABLE,
    USABLE,
    Network,
    is_egress_only,
    is_internet_gateway,
    is_nat,
)

ANYWHERE = ("0.0.0.0/0", "::/0")


def of_groups(network_: Network, groups: Iterable[Address], side: str, carried: frozenset[str]) -> Packets:
    """What machines with these groups let through of the packets of another end that carries the groups `carried`.

    `carried` may also name a prefix list: then the other end's address is taken to be in it.
    """
    found = NOTHING
    for group in groups:
        keys = frozenset(network_.rules(group, side))
        found |= _by_rules(keys, carried & {key.peer for key in keys})
    return found


@lru_cache(maxsize=4096)
def _by_rules(keys: frozenset[RuleKey], carried: frozenset[str]) -> Packets:
    return of_rules(
        key._replace(peer=address)
        for key in keys
        for address in ((key.peer,) if is_cidr(key.peer) else ANYWHERE if key.peer in carried else ())
    )


def of_acl_at(network_: Network, subnet: Address, side: str) -> Packets | None:
    """What the ACL of a subnet lets through; None if that is not known."""
    acl = network_.acl_of(subnet)
    if acl == NOWHERE or acl in network_[UNREADABLE]:
        return None
    return of_entries(tuple(sorted(network_.entries(acl, side).items())))


def routes_unknown(network_: Network, subnet: Address) -> bool:
    """Whether it is not known where a subnet sends packets."""
    table = network_.table_of(subnet)
    return table == NOWHERE or table in network_[UNREADABLE]


def of_routes_at(network_: Network, subnet: Address, *, inwards: bool, public: bool, unknown: bool) -> Packets:
    """The packets whose other end is routed from a subnet. A machine without a `public` address exchanges no IPv4
    packets with the internet through an internet gateway (VPC user guide, Internet gateways). `inwards`: without those
    that only reply; NAT and egress-only gateways let nothing else in (VPC user guide, NAT gateways).

    `unknown`: whether a route that is not known passes packets. Within the VPC, they pass in any case.
    """
    if routes_unknown(network_, subnet):
        return EVERYTHING if unknown else at(tuple(sorted(network_.local)))
    table = network_.table_of(subnet)
    asked = table, inwards, public, unknown
    if asked not in network_.routed:
        network_.routed[asked] = _of_table(network_, table, inwards=inwards, public=public, unknown=unknown)
    return network_.routed[asked]


def _of_table(network_: Network, table: Address, *, inwards: bool, public: bool, unknown: bool) -> Packets:
    routes = network_.routes(table)
    passing = {
        via
        for via in set(routes.values())
        if not (inwards and (is_nat(via) or is_egress_only(via))) and not _is_dead(network_, via, unknown=unknown)
    }
    known = {
        to: via in passing and (public or not is_internet_gateway(via) or ":" in to)
        for to, via in routes.items()
        if is_cidr(to)
    }
    return _by_routes(frozenset((known | dict.fromkeys(network_.local, True)).items()))


def _is_dead(network_: Network, target: str, *, unknown: bool) -> bool:
    """Whether a route's target drops packets: a declared one, or an internet gateway, that is not usable now."""
    declared = "/" in target and not target.startswith("arn:")
    if not declared and not is_internet_gateway(target):
        return target == BLACKHOLE
    kind = Address(target).kind if declared else "internet_gateway"
    return target not in network_[USABLE] and not (unknown and network_.blind(kind))


@lru_cache(maxsize=4096)
def of_entries(acl: tuple[tuple[int, AclEntry], ...]) -> Packets:
    """What the entries of one direction of an ACL let through, memoized."""
    return of_acl(dict(acl))


@lru_cache(maxsize=256)
def _by_routes(routes: frozenset[tuple[str, bool]]) -> Packets:
    """Packets whose peer is routed, of destinations that pass or do not: the longest prefix decides (VPC user guide,
    Route priority). Where a call changes only the target, it is the same set.
    """
    ordered = sorted(routes, key=lambda route: _length(route[0]))
    return of_acl(
        {n: AclEntry("allow" if passes else "deny", "all", ANY, ANY, to) for n, (to, passes) in enumerate(ordered)}
    )


def _length(cidr: str) -> int:
    _, first, last = network(cidr)
    return last - first


@lru_cache(maxsize=1024)
def at(addresses: tuple[str, ...]) -> Packets:
    """All packets of these networks."""
    return of_rules(RuleKey("all", ANY, ANY, address) for address in addresses)
