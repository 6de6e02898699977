"""Who there is in the states of a network, and where filters may tell the addresses of an end apart. Pure.

An end is what the document names, a machine that a look shows, or a network outside. Where nobody has looked, it is
also a machine of each group that none of these has, in every subnet, and any machine of a subnet, whatever its own
groups let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest
from typing import NamedTuple

from desired_state.fields import ANY, Address, RuleKey, network
from desired_state.intents import OUTSIDE
from reconciler.packets.traffic import Cuts, meet, size
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.selectors import Selectors
from reconciler.reach.layers import ANYWHERE
from reconciler.reach.network import (
    PUBLIC_SUBNETS,
    SIDES,
    Cell,
    Network,
    Table,
    entries,
    is_nat,
    routes,
    routes_by_aws,
    rules,
    whole,
)
from reconciler.reach.pair.ends import INTERNET, End, Endpoint, External, Ranges
from reconciler.reach.pair.filters import BEYOND
from reconciler.reach.pair.topology import Topology


class Who(NamedTuple):
    """What makes an end the same in both states: its owner, or else its groups."""

    owner: str
    groups: tuple[Address, ...]
    subnet: Address


type Variants = tuple[End, ...]
"""One end in one state: the same but for whether its address is public; nothing if it is not there."""
type Here = dict[Who, Variants]
type Bounds = tuple[Cuts, Cuts]
"""Addresses at which ends are split, in IPv4 and in IPv6."""

ANYBODY = Address("any group")
"""Stands for the groups of a machine of which only the subnet counts."""
_ALL = {RuleKey("all", ANY, ANY, cidr): None for cidr in ANYWHERE}


def is_anybody(end: End) -> bool:
    """Whether an end stands for any machine of its subnet."""
    return isinstance(end, Endpoint) and ANYBODY in (end.groups or ())


def outside(*contexts: JudgeContext) -> Iterator[External]:
    """The networks outside, each with the addresses that it has in any of these states."""
    found: dict[str, External] = {}
    for context in contexts:
        for one in Selectors(context).ends(OUTSIDE):
            if isinstance(one, External):
                known = found.get(one.label, one)
                found[one.label] = one._replace(addresses=known.addresses | one.addresses)
    yield from found.values()


def with_anybody(topology: Topology) -> Topology:
    """The topology with a group that lets everything through, for machines of which only the subnet counts."""
    effects = [whole(rules(ANYBODY, side), _ALL) for side in SIDES]
    return topology.after(topology.network.after(effects))


def carried(end: End) -> frozenset[Address]:
    """The groups of a machine, as far as they are known."""
    return end.groups or frozenset() if isinstance(end, Endpoint) else frozenset()


def named(topology: Topology) -> Here:
    """The ends that the document names or a look shows; of strangers those with the same groups are one."""
    found: Here = {}
    for one in topology.endpoints:
        who = Who(one.owner, tuple(sorted(carried(one))) if one.stranger else (), one.subnet)
        found[who] = (*found.get(who, ()), one)
    return found


def all_groups(state: Network, known: set[Address]) -> Iterator[tuple[Address, Iterable[Address]]]:
    """For each subnet, the groups that nobody known carries."""
    groups = sorted({cell.of for cell in state.cells if cell.table is Table.RULES} - known - {ANYBODY})
    yield from ((subnet, groups) for subnet in state.subnets)


def anybody(state: Network) -> Iterator[tuple[Address, Iterable[Address]]]:
    """For each subnet, the group of machines of which only the subnet counts."""
    yield from ((subnet, (ANYBODY,)) for subnet in state.subnets)


def in_subnets(state: Network, places: Iterable[tuple[Address, Iterable[Address]]]) -> Here:
    """In each subnet a machine of each group."""
    found: Here = {}
    for subnet, groups in places:
        there, public = Ranges.of(*state.subnets[subnet]), True if subnet in state[PUBLIC_SUBNETS] else None
        for group in groups if there else ():
            label = f"machines in {subnet}" if group == ANYBODY else f"machines with {group} in {subnet}"
            found[Who("", (group,), subnet)] = (Endpoint(label, subnet, frozenset({group}), there, public),)
    return found


def filters_of(state: Network, subnet: Address) -> Iterator[Cell]:
    """The cells that filter whatever enters or leaves a subnet."""
    table, acl = state.table_of(subnet), state.acl_of(subnet)
    yield from (routes(table), routes_by_aws(table))
    yield from (entries(acl, side) for side in SIDES)


def filters_of_nats(topology: Topology, subnet: Address) -> Iterator[Cell]:
    """The cells that filter what a subnet sends through NAT gateways, and their subnets' names."""
    state = topology.network
    for target in sorted(set(filter(is_nat, state.routes(state.table_of(subnet)).values()))):
        if (at := topology.nats.get(target)) is not None:
            yield Cell(Table.SUBNETS, at)
            yield from filters_of(state, at)


def is_elsewhere(cell: Cell) -> bool:
    """Whether a group is now known to be one of the VPC, or not any more: then rules for it have other members."""
    return cell.table is Table.RULES and cell.of.startswith("sg-")


def matching(topology: Topology, places: Iterable[tuple[frozenset[Address] | None, Address]]) -> Iterator[str]:
    """The networks that the filters of some machines name, and those of NAT gateways. The ACL of a NAT gateway also
    sees the address of the machine, so it is at the other end of everything outside, too.
    """
    state = topology.network
    nats = set(topology.nats.values())
    for groups, _ in places:
        yield from (rule.peer for group in groups or () for side in SIDES for rule in state.rules(group, side))
    for at in {subnet for _, subnet in places} | nats:
        yield from state.routes(state.table_of(at))
        acl = state.acl_of(at)
        yield from (entry.cidr for side in SIDES for entry in state.entries(acl, side).values())


def is_one(end: End) -> bool:
    """Whether this is one machine: it has one address of each family at most."""
    families = end.addresses.ipv4, end.addresses.ipv6
    return all(len(cuts) <= 2 and size(cuts) <= 1 for cuts in families)


def is_same_database(one: Who, other: Who) -> bool:
    """Whether both are one machine, wherever it stands."""
    return one.owner == other.owner and Address(one.owner).kind == "db_instance"


def is_own_network(end: End) -> bool:
    """Whether this is a network outside that is not the internet."""
    return isinstance(end, External) and not end.internet


def boundaries(cidrs: Iterable[str]) -> Bounds:
    """Where these networks begin and end."""
    bounds: tuple[set[int], set[int]] = (set(), set())
    for version, first, last in map(network, cidrs):
        bounds[version == 6].update((first, last + 1))
    return tuple(sorted(bounds[0])), tuple(sorted(bounds[1]))


def cut_up(addresses: Ranges, bounds: Bounds, *, of_own: bool) -> Iterator[Ranges]:
    """These addresses, cut at the bounds of their family. No gateway to the internet carries what is not of the
    internet, but a network of one's own (`of_own`) may have both, so its addresses are told apart by that too.
    """
    for some in (addresses & INTERNET, addresses - INTERNET) if of_own else (addresses,):
        for ipv6, (cuts, edges) in enumerate(zip((some.ipv4, some.ipv6), bounds, strict=True)):
            for low, high in pairwise((0, *edges, BEYOND) if cuts else ()):
                if part := meet(cuts, (low, high)):
                    yield Ranges(ipv6=part) if ipv6 else Ranges(ipv4=part)


def within(ends: Variants, piece: Ranges) -> Variants:
    """An end with only these addresses; nothing if it has none of them."""
    parts = ((end, end.addresses & piece) for end in ends)
    return tuple(end if part == end.addresses else end._replace(addresses=part) for end, part in parts if part)


def together(pieces: Iterable[tuple[Ranges, Ranges]]) -> Iterator[tuple[Ranges, Ranges]]:
    """The same pairs of pieces, as few pairs of sets of addresses of which every combination is meant. What is of one
    family has nothing to do with the other, so the two are put side by side.
    """
    families: tuple[dict[Ranges, Ranges], dict[Ranges, Ranges]] = ({}, {})
    for source, target in pieces:
        to = families[bool(source.ipv6)]
        to[source] = to.get(source, Ranges()) | target
    alike: tuple[dict[Ranges, Ranges], dict[Ranges, Ranges]] = ({}, {})
    for found, to in zip(alike, families, strict=True):
        for source, target in to.items():
            found[target] = found.get(target, Ranges()) | source
    for one, other in zip_longest(*(found.items() for found in alike), fillvalue=(Ranges(), Ranges())):
        yield one[1] | other[1], one[0] | other[0]
