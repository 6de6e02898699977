"""How much work it is to judge the calls of a plan: counted, since a table of 500 routes may change as a whole."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from desired_state.rules import Routes
from reconciler.packets import traffic
from reconciler.reach import layers
from tests.support.worlds import FRONT, OUT, REFERENCE, document, drifted, plan, seen

ROUTES = 12


def counted(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[None]:
    calls: list[None] = []
    real: Callable[..., Any] = getattr(where, name)

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, counting)
    return calls


def work(monkeypatch: pytest.MonkeyPatch, subnets: int, before: str) -> tuple[int, int]:
    """How often bands are merged, and routes read, to plan that all routes of a table with so many subnets change."""
    whole = deepcopy(REFERENCE)
    parts = whole["resources"]
    for number in range(subnets):
        parts["subnet"][f"more-{number}"] = parts["subnet"][FRONT.name] | {"cidr_block": f"10.0.{100 + number}.0/24"}
    destinations = [f"172.16.{2 * number}.0/24" for number in range(ROUTES)]
    parts["route_table"][OUT.name] |= {
        "routes": dict.fromkeys(destinations, "pcx-0a1b2c3d"),
        "subnets": [FRONT, *(f"subnet/more-{number}" for number in range(subnets))],
    }
    declared = document(whole, db_instance=None, db_subnet_group=None)
    look = drifted(seen(declared), OUT, routes=Routes(dict.fromkeys(destinations, before) if before else {}))
    for memo in (traffic._combined, traffic._traffic, layers._by_routes):
        memo.cache_clear()
    with monkeypatch.context() as patch:
        merged, read = counted(patch, traffic, "_merge_bands"), counted(patch, layers, "_of_table")
        assert len(plan(declared, look).actions) == ROUTES
    return len(merged), len(read)


@pytest.mark.parametrize("before", ["", "pcx-0b1b2c3d"])
def test_more_subnets_on_one_table_are_no_more_work(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    few, many = (work(monkeypatch, subnets, before) for subnets in (1, 9))
    assert few == many


def test_a_route_whose_new_target_passes_the_same_packets_compares_nothing_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    merged, read = work(monkeypatch, 3, "pcx-0b1b2c3d")
    assert merged < ROUTES
    assert read <= 4 * ROUTES, "for requests and for replies in each state, and a few times before the first call"
