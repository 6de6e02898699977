"""The map of a page: a receipt keeps of a look only what is otherwise than declared, and the map shows what is live."""

from __future__ import annotations

from reconciler.report.page.view import view
from tests.support.receipts import fixture


def test_a_gateway_that_is_detached_now_is_not_drawn_as_attached() -> None:
    (gateway,) = view(fixture("plan")).map.gateways
    assert not gateway.attached
    (gateway,) = view(fixture("apply")).map.gateways
    assert gateway.attached


def test_a_subnet_that_is_as_declared_is_drawn_so_and_one_that_is_not_shows_what_is_live() -> None:
    def of(name: str) -> dict[str, tuple[str, str | None]]:
        zones = view(fixture(name)).map.zones
        return {one.resource.name: (one.routes.live, one.routes.declared) for zone in zones for one in zone.subnets}

    assert of("plan")["PublicSubnet1"] == ("PublicRouteTable", None)
    assert of("plan")["PrivateSubnet1"] == ("PublicRouteTable", "PrivateRouteTable")
    assert of("apply")["PrivateSubnet1"] == ("PrivateRouteTable", None)
