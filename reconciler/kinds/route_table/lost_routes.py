"""What keeps a subnet on its route table: routes that AWS makes and it would lose, or somebody else's subnets.

Pure; `kind.py` plans by it.

Nobody can put such a route into another table with a call for routes: that takes the gateway endpoint, or propagation
(VPC user guide, Gateway endpoints, and Route propagation). So the subnet waits for a person, unless staying keeps a way
to the internet open that is not declared, or both tables are certain and in use.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from desired_state.fields import Address
from desired_state.network import RouteTable
from reconciler.model import Evidence, Ref, Snapshot
from reconciler.model.kind import PlanContext
from reconciler.reach.network import is_internet_gateway


class Lost(NamedTuple):
    """What a subnet loses when it moves. `held`: it does not move because of that."""

    message: str
    held: bool


def lost_routes(context: PlanContext, subnet: Address, to: Address | None, *, with_main: bool = False) -> Lost | None:
    """What `subnet` loses when it comes to the table `to` (None: the main table); None if it loses nothing.

    `with_main`: it is not moved itself, but uses the main table, and another one becomes that. Then nothing is certain:
    exchanged tags look the same.
    """
    now, later = context.snapshot.subnet_routes.get(subnet), _table(context, to)
    if now is None:
        odd = _not_understood(context.snapshot) if context.has(Ref(subnet)) else ""
        return Lost(f"{subnet} may lose what AWS made in {odd}, which could not be read", held=False) if odd else None
    if now.table == later.id:
        return None
    lost = {destination: via for destination, via in now.by_aws.items() if destination not in later.by_aws}
    if not lost:
        return None
    routes = " and ".join(f"{destination} via {via}" for destination, via in sorted(lost.items()))
    closes = any(is_internet_gateway(via) and later.routes.get(at) != via for at, via in now.declarable.items())
    certain = not with_main and _certain(context, now.table) and _certain(context, later.id) and later.in_use
    if closes or certain:
        return Lost(f"{subnet} loses {routes}, which AWS made", held=False)
    message = f"{subnet} would lose {routes}: AWS makes these routes itself, and this table has none of them"
    return Lost(f"{message}; add the table to the endpoint, or switch propagation on, then it moves", held=True)


def others_on_main(context: PlanContext) -> str:
    """A subnet of somebody else that uses the main table without an association, and whose it is; empty if there is
    none. It would move with the main table.
    """
    routes, foreign = context.snapshot.subnet_routes, context.snapshot.foreign
    ids = {aws_id: ref.to for ref, aws_id in context.snapshot.handles.items() if not ref.handle}
    here = [at for at, one in routes.items() if not one.explicit]
    # Of one that has no routes here it is not known which table it uses.
    here += [
        at for at in context.document.external if at.kind == "subnet" and at not in routes and context.has(Ref(at))
    ]
    # One of another owner has an address only if it is external; its association is known by its id.
    unnamed = [Address(one) for one in foreign if one.startswith("subnet-") and one not in ids]
    for subnet in sorted({*here, *(one for one in unnamed if one not in routes)}):
        if whose := context.not_ours(subnet):
            return f"{subnet} uses the main table, and is not moved: {whose}"
    return ""


def _not_understood(snapshot: Snapshot) -> str:
    """A table that could not be read, which a subnet may use; empty if there is none."""
    others = (aws_id for (kind, aws_id), one in snapshot.neighbours.items() if kind == "route_table" and one is None)
    return min((*(at for at in snapshot.unreadable if at.kind == "route_table"), *others), default="")


class _Table(NamedTuple):
    """The table that a subnet comes to: `routes` as they will be. One that was just created is not `in_use`: nothing
    that AWS makes can be in it yet, and what a plan holds must not be done by the next round of its own run.
    """

    id: str = ""
    by_aws: dict[str, str] = {}  # noqa: RUF012 (a default of a NamedTuple, never changed)
    routes: dict[str, str] = {}  # noqa: RUF012
    in_use: bool = False


def _table(context: PlanContext, to: Address | None) -> _Table:
    if to is None:
        main = next((one for one in context.snapshot.subnet_routes.values() if not one.explicit), None)
        return _Table(main.table, dict(main.by_aws), dict(main.declarable), in_use=True) if main else _Table()
    declared, seen = cast("RouteTable", context.document.resources[to]), context.snapshot.resources.get(to)
    if seen is None:
        return _Table(routes=dict(declared.routes or {}))
    routes = seen.spec.routes if declared.routes is None else declared.routes
    return _Table(seen.id, dict(seen.facts.by_aws), dict(routes), bool(seen.spec.subnets or seen.spec.main))


def _certain(context: PlanContext, table: str) -> bool:
    """Whether a table is declared, and found by more than weak evidence."""
    ids = {aws_id: ref.to for ref, aws_id in context.snapshot.handles.items() if not ref.handle}
    address = ids.get(table, Address(""))
    found = context.snapshot.found_by.get(address) if address not in context.document.external else None
    return found is not None and found.by in {Evidence.ADOPT, Evidence.TAGS, Evidence.KEY}
