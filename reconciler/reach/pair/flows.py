"""Which traffic passes from one end to another: the request, judged exactly and without a sample. Pure.

A request crosses the source's groups and ACL with the target's address, and the target's ACL and groups with the
source's. Each filter sees the traffic and one address, and the two addresses are independent. So what passes for some
pair of addresses is what passes the filters at some address of the target, and those at some address of the source.
"""

from __future__ import annotations

from typing import NamedTuple

from desired_state.fields import Address
from reconciler.packets.traffic import LINE, Cuts, extend, join, meet
from reconciler.reach.network import UNREADABLE, USABLE
from reconciler.reach.pair.ends import End, Endpoint, External
from reconciler.reach.pair.filters import NO_ACL, NO_GROUPS, Acl, Groups, Through, Where, acl_of, groups_of, where
from reconciler.reach.pair.routing import NAT_CARRIES, Table, pieces, table_of
from reconciler.reach.pair.topology import Topology

NOTHING_PASSES: Through = ((), ())


class Machine(NamedTuple):
    """What the packets of an endpoint cross on its own side."""

    end: Endpoint
    groups_out: Groups
    groups_in: Groups
    acl_out: Acl
    acl_in: Acl
    table: Table
    families: tuple[Where, ...]
    """Its addresses of each family that it has."""


def passing(topology: Topology, source: End, target: End, asked: Cuts) -> Through:
    """The traffic of `asked` for which some request packet arrives: what certainly does, and what may.

    Replies are not asked for, and the client's port may be any.
    """
    if isinstance(source, Endpoint):
        if isinstance(target, Endpoint):
            certain, possible = _inside(topology, source, target)
        else:
            certain, possible = _across(topology, source, target, inwards=False)
    elif isinstance(target, Endpoint):
        certain, possible = _across(topology, target, source, inwards=True)
    else:
        return NOTHING_PASSES  # a VPC carries nothing through itself
    if not possible:
        return NOTHING_PASSES
    if asked is LINE:
        return certain, possible
    return meet(certain, asked), meet(possible, asked)


def machine(topology: Topology, end: Endpoint) -> Machine:
    """What the packets of an endpoint cross, worked out once."""
    found: Machine | None = topology.memo.get(id(end))
    if found is None or found.end is not end:
        families = [(ipv6, end.addresses.ipv6 if ipv6 else end.addresses.ipv4) for ipv6 in (False, True)]
        found = topology.memo[id(end)] = Machine(
            end,
            groups_of(topology, end.groups, "egress"),
            groups_of(topology, end.groups, "ingress"),
            *place(topology, end.subnet),
            tuple(where(topology, some, some, ipv6=ipv6) for ipv6, some in families if some),
        )
    return found


def place(topology: Topology, subnet: Address) -> tuple[Acl, Acl, Table]:
    """What is the same for all machines of a subnet: its ACL out and in, and its table, worked out once."""
    found: tuple[Acl, Acl, Table] | None = topology.memo.get(subnet)
    if found is None:
        acls = acl_of(topology, subnet, "egress"), acl_of(topology, subnet, "ingress")
        found = topology.memo[subnet] = *acls, table_of(topology, subnet)
    return found


def acl_at(topology: Topology, subnet: Address, side: str) -> Acl:
    """One direction of the ACL that a subnet uses."""
    out, into, _ = place(topology, subnet)
    return out if side == "egress" else into


def groups_at(topology: Topology, end: Endpoint, side: str) -> Groups:
    """One direction of the groups that a machine carries."""
    one = machine(topology, end)
    return one.groups_out if side == "egress" else one.groups_in


def _inside(topology: Topology, source: Endpoint, target: Endpoint) -> Through:
    """Between two machines of the VPC: within a subnet no ACL is asked."""
    one, other = machine(topology, source), machine(topology, target)
    same = source.subnet == target.subnet
    acl_out = NO_ACL if same else one.acl_out
    acl_in = NO_ACL if same else other.acl_in
    found: list[Through] = []
    for to in other.families:
        for of in one.families:
            if of.ipv6 == to.ipv6:
                out = one.groups_out.inside(acl_out, one.table.inside(topology, to), target.groups)
                into = other.groups_in.inside(acl_in, of, source.groups) if out[1] else NOTHING_PASSES
                found.append(_both(out, into))
    return _either(found)


def _both(out: Through, into: Through) -> Through:
    if out[0] is out[1] and into[0] is into[1]:  # nearly always: everything is known
        passed = into[0] if out[0] == LINE else meet(out[0], into[0])
        return passed, passed
    return meet(out[0], into[0]), meet(out[1], into[1])


def _either(found: list[Through]) -> Through:
    if len(found) == 1:
        return found[0]
    return join(*(certain for certain, _ in found)), join(*(possible for _, possible in found))


class _Joined(NamedTuple):
    """Addresses outside that are joined to a machine through the same NAT gateways: those surely, and those perhaps."""

    nats: tuple[str, ...]
    at: Where


def _joined(topology: Topology, one: Machine, other: External, *, inwards: bool, ipv6: bool) -> tuple[_Joined, ...]:
    end, state = one.end, topology.network
    # What decides besides: kept with the answer, so that their identity stays theirs.
    rests_on = state[USABLE], state[UNREADABLE], topology.nats, topology.relays, other
    tables = tuple(table_of(topology, subnet) for subnet in topology.nats.values())
    key = "joined", one.table, end.public, inwards, ipv6, tables, *map(id, rests_on)
    kept: tuple[object, tuple[_Joined, ...]] | None = topology.parts.get(key)
    if kept is None:
        sure: dict[tuple[str, ...], list[int]] = {}
        maybe: dict[tuple[str, ...], list[int]] = {}
        for piece in pieces(topology, end, other, inwards=inwards, ipv6=ipv6):
            if piece.certain:
                nats = tuple(sorted({way.nat for way in piece.ways if way.nat}))
                extend(sure.setdefault(nats, []), piece.first, piece.end)
            for way in dict.fromkeys((way.nat,) if way.nat else () for way in piece.possible):
                extend(maybe.setdefault(way, []), piece.first, piece.end)
        found = tuple(
            _Joined(nats, where(topology, tuple(sure.get(nats, ())), tuple(maybe.get(nats, ())), ipv6=ipv6))
            for nats in dict.fromkeys([*sure, *maybe])
        )
        kept = topology.parts[key] = rests_on, found
    return kept[1]


def _across(topology: Topology, end: Endpoint, other: External, *, inwards: bool) -> Through:
    """Between a machine and a network outside."""
    one = machine(topology, end)
    groups, acl = (one.groups_in, one.acl_in) if inwards else (one.groups_out, one.acl_out)
    found: list[Through] = []
    for mine in one.families:
        for nats, at in _joined(topology, one, other, inwards=inwards, ipv6=mine.ipv6):
            crossed, first = _crossed(topology, one, nats, acl)
            got = groups.outside(crossed, at, internet=other.internet)
            if nats:
                into = NO_GROUPS.outside(first, mine, internet=True)
                got = meet(meet(got[0], into[0]), NAT_CARRIES), meet(meet(got[1], into[1]), NAT_CARRIES)
            found.append(got)
    return _either(found)


def _crossed(topology: Topology, one: Machine, nats: tuple[str, ...], acl: Acl) -> tuple[Acl, Acl]:
    """The ACLs that a request crosses with the target's address, and those that it crosses with the machine's.

    The subnet of a NAT gateway is entered with the machine's address as source and left towards the target.
    """
    first = NO_ACL
    for nat in nats:
        subnet = topology.nats.get(nat)
        if subnet is None:
            continue
        acl = acl.beside(acl_of(topology, subnet, "egress"))
        if subnet != one.end.subnet:
            first = first.beside(acl_of(topology, subnet, "ingress"))
    return acl, first
