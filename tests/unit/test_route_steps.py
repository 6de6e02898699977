"""Routes of one table: every address goes, at every step, where before or after sends it."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kinds.route_table import route_steps
from reconciler.kinds.route_table.route_steps import RouteStep, route_order

if TYPE_CHECKING:
    from collections.abc import Mapping

network = cache(ip_network)

ADDRESSES = [IPv4Address("10.0.0.0") + last for last in range(9)]  # a /29 and one address beside it
DESTINATIONS = [
    "0.0.0.0/0",
    *(str(net) for length in range(29, 33) for net in ip_network("10.0.0.0/29").subnets(new_prefix=length)),
]
tables = st.dictionaries(st.sampled_from(DESTINATIONS), st.sampled_from(("igw-1", "nat-2", "pcx-3")), max_size=8)


def target(table: Mapping[str, str], address: IPv4Address) -> str | None:
    """Where the longest prefix that matches sends this address; None: nowhere."""
    lengths = {network(each).prefixlen: to for each, to in table.items() if address in network(each)}
    return lengths[max(lengths)] if lengths else None


def walk(before: Mapping[str, str], after: Mapping[str, str], order: list[RouteStep]) -> None:
    table = dict(before)
    for verb, destination, _ in order:
        assert (verb == "create") == (destination not in table)
        if verb == "delete":
            del table[destination]
        else:
            table[destination] = after[destination]
        for address in ADDRESSES:
            assert target(table, address) in (target(before, address), target(after, address)), (verb, destination)
    assert table == dict(after)


def check(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    order = route_order(before, after)
    walk(before, after, order)
    walk(before, after, sorted(order, key=lambda step: not step.free))


@settings(max_examples=40)
@given(tables, tables)
def test_every_address_goes_where_before_or_after_sends_it(before: dict[str, str], after: dict[str, str]) -> None:
    check(before, after)


@pytest.mark.long
@given(tables, tables)
def test_every_address_goes_where_before_or_after_sends_it_at_length(
    before: dict[str, str], after: dict[str, str]
) -> None:
    check(before, after)


def test_creations_come_first_and_deletions_last() -> None:
    before = {"0.0.0.0/0": "igw-1", "10.1.0.0/16": "pcx-1", "10.1.2.0/24": "pcx-2"}
    after = {"0.0.0.0/0": "nat-1", "10.2.0.0/16": "pcx-1", "10.2.3.0/24": "pcx-2"}
    assert route_order(before, after) == [
        RouteStep("create", "10.2.3.0/24"),
        RouteStep("create", "10.2.0.0/16"),
        RouteStep("replace", "0.0.0.0/0"),
        RouteStep("delete", "10.1.0.0/16"),
        RouteStep("delete", "10.1.2.0/24"),
    ]


def test_a_deletion_that_meets_no_written_route_is_free() -> None:
    order = route_order({"203.0.113.0/24": "eni-1"}, {"10.2.0.0/16": "pcx-1"})
    assert order == [RouteStep("create", "10.2.0.0/16"), RouteStep("delete", "203.0.113.0/24", free=True)]


def test_a_deletion_that_falls_back_on_a_route_to_be_deleted_later_is_not_free() -> None:
    order = route_order({"10.0.0.0/8": "pcx-1", "10.1.0.0/16": "pcx-2"}, {"10.2.0.0/16": "pcx-3"})
    assert [step.free for step in order] == [False, False, False]


def test_a_prefix_list_counts_as_overlapping_everything() -> None:
    order = route_order({"203.0.113.0/24": "eni-1"}, {"pl-0a1b2c3d": "pcx-1", "10.2.0.0/16": "pcx-1"})
    assert order == [
        RouteStep("create", "10.2.0.0/16"),
        RouteStep("create", "pl-0a1b2c3d"),
        RouteStep("delete", "203.0.113.0/24"),
    ]


def test_ipv6_and_ipv4_routes_do_not_meet() -> None:
    order = route_order({"::/0": "eigw-1"}, {"0.0.0.0/0": "nat-1"})
    assert order == [RouteStep("create", "0.0.0.0/0"), RouteStep("delete", "::/0", free=True)]


def test_a_full_table_of_undeclared_routes_is_ordered_with_one_comparison_of_each_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []
    monkeypatch.setattr(route_steps, "overlap", lambda one, other: compared.append(one))
    extra = {f"172.{16 + n // 250}.{n % 250}.0/24": "pcx-1" for n in range(500)}
    assert len(route_order(extra, {})) == 500
    assert len(compared) <= 500 * 500
