"""How a route table is written into a new document: its name, and what a document cannot say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from desired_state.network import RouteTable
from reconciler.aws.ec2 import route_destination, route_target
from reconciler.model import Observed
from reconciler.model.imported import Import, Surroundings, placed
from reconciler.model.read import Item

_EVERYWHERE = ("0.0.0.0/0", "::/0")


def _subnets(item: Item) -> list[str]:
    return [str(one["SubnetId"]) for one in item.get("Associations", ()) if one.get("SubnetId")]


def _is_main(item: Item) -> bool:
    return any(one.get("Main") for one in item.get("Associations", ()))


def _way(item: Item) -> str:
    """Where its default route leads: to the internet gateway, elsewhere, or nowhere."""
    defaults = [route for route in item.get("Routes", ()) if _destination(route) in _EVERYWHERE]
    if any(route_target(route).startswith("igw-") for route in defaults):
        return "public"
    return "private" if defaults else "isolated"


def _destination(route: Item) -> str:
    return str(route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock") or "")


def ways(items: Iterable[Item]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        found |= dict.fromkeys(_subnets(item), _way(item))
        if _is_main(item):
            found[""] = _way(item)
    return found


def unnamed(item: Item, around: Surroundings, document: str) -> str:
    if _is_main(item):
        return "main"
    if any(one.get("GatewayId") for one in item.get("Associations", ())):
        return "edge"
    subnets = _subnets(item)
    return placed(_way(item), around.zone(subnets)) if subnets else placed("unused", _way(item))


def apart(item: Item, around: Surroundings) -> Iterator[str]:
    yield around.zone(_subnets(item))


def said(seen: Observed[RouteTable, Any]) -> RouteTable:
    """`main: false` goes without saying."""
    return seen.spec if seen.spec.main else seen.spec.but(main=None)


def unsaid(item: Item, words: Mapping[str, str]) -> Iterator[str]:
    """Routes that AWS makes, and the gateways whose incoming traffic the table routes."""
    endpoints, propagated = [], []
    for route in item.get("Routes", ()):
        target = route_target(route)
        if target.startswith("vpce-") and "DestinationPrefixListId" in route:
            endpoints.append(words.get(target, target))
        elif route.get("Origin") == "EnableVgwRoutePropagation":
            propagated.append(f"{route_destination(route)} via {words.get(target, target)}")
    for what, found in (("endpoint", endpoints), ("propagated", propagated)):
        if found:
            several = len(found) > 1
            count = f"{len(found)} {what} route{'s' if several else ''} ({', '.join(sorted(set(found)))})"
            yield f"{count}: AWS makes {'them' if several else 'it'}; neither compared nor touched"
    edges = sorted(str(one["GatewayId"]) for one in item.get("Associations", ()) if one.get("GatewayId"))
    if edges:
        yield f"it routes what comes in through {', '.join(edges)}: the association is neither compared nor touched"


def remarks(item: Item, seen: Observed[RouteTable, Any]) -> Iterator[str]:
    """Dead routes: a document holds them, and a run cannot make them live again."""
    routes: Mapping[str, str] = seen.spec.routes or {}
    for one in seen.remarks:
        if one.field == "routes":
            yield f"{one.key} via {routes.get(one.key, '')} leads nowhere: delete it and import again"


IMPORT = Import(unnamed=unnamed, apart=apart, ways=ways, said=said, unsaid=unsaid, remarks=remarks)
