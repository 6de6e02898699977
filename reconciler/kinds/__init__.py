"""The kinds of resource: one module or package each, and their registry.

A kind is added with a line here. It may import packets, aws and the vocabulary, and no other kind. The contract is
`reconciler/model/kind.py`; start with `subnet.py`, the smallest, then `security_group/kind.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter

from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.kinds import db_subnet_group, internet_gateway, subnet, vpc
from reconciler.kinds.db_instance import kind as db_instance
from reconciler.kinds.network_acl import kind as network_acl
from reconciler.kinds.route_table import kind as route_table
from reconciler.kinds.security_group import kind as security_group
from reconciler.model import Effect, Observed, Snapshot
from reconciler.model.guard import Stage, about, contained
from reconciler.model.kind import Kind
from reconciler.reach.network import UNREADABLE, Network

REGISTRY: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        vpc.KIND,
        internet_gateway.KIND,
        subnet.KIND,
        route_table.KIND,
        security_group.KIND,
        network_acl.KIND,
        db_subnet_group.KIND,
        db_instance.KIND,
    )
}


def dependencies(name: str) -> frozenset[str]:
    """The kinds whose resources must exist before one of this kind, and whose ids appear in its state."""
    return REGISTRY[name].after | {kind.name for kind in REGISTRY.values() if name in kind.before}


def ranked() -> tuple[str, ...]:
    """The kinds, each after its dependencies; ties in alphabetical order, so that plans are deterministic."""
    sorter = TopologicalSorter({name: sorted(dependencies(name)) for name in sorted(REGISTRY)})
    return tuple(sorter.static_order())


def declared_effects(address: Address, resource: Resource) -> Iterable[Effect]:
    """What a resource adds to the network's table by its model alone, whatever is live."""
    with about(address, Stage.JUDGING):
        return tuple(REGISTRY[address.kind].traffic.effects(address, resource, None))


def live_network(snapshot: Snapshot) -> Network:
    """What the filters of the VPC say now: of what is declared, under its address, and of all else under its id."""
    return Network(_live(snapshot))


def _live(snapshot: Snapshot) -> Iterator[Effect]:
    for address, seen in snapshot.resources.items():
        with about(address, Stage.JUDGING):
            yield from REGISTRY[address.kind].traffic.effects(address, seen.spec, seen)
    for (kind, aws_id), neighbour in snapshot.neighbours.items():
        unknown = ((UNREADABLE, Address.of(kind, aws_id), True),)
        yield from _effects(kind, aws_id, neighbour, unknown) if neighbour else unknown
    yield from ((UNREADABLE, address, True) for address in snapshot.unreadable)
    yield from ((UNREADABLE, Address(aws_id), True) for aws_id in snapshot.candidates)  # which one is it?


def _effects(kind: str, aws_id: str, one: Observed, unknown: tuple[Effect, ...]) -> tuple[Effect, ...]:
    effects = REGISTRY[kind].traffic.effects
    return contained(
        lambda: tuple(effects(Address(aws_id), one.spec, one)), lambda cause: unknown, who=aws_id, stage=Stage.JUDGING
    )
