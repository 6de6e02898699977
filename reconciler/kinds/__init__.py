"""One file per kind, and the registry of them all; a kind enters the product by its line here."""

from __future__ import annotations

from graphlib import TopologicalSorter

from reconciler.kinds import db_subnet_group, internet_gateway, subnet, vpc
from reconciler.kinds.db_instance import kind as db_instance
from reconciler.kinds.network_acl import kind as network_acl
from reconciler.kinds.route_table import kind as route_table
from reconciler.kinds.security_group import kind as security_group
from reconciler.model.kind import Kind

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


def ranked() -> tuple[str, ...]:
    """The kinds, each behind those it needs; ties in alphabetical order, so that plans are always the same."""
    sorter = TopologicalSorter({name: sorted(kind.after) for name, kind in sorted(REGISTRY.items())})
    return tuple(sorter.static_order())
