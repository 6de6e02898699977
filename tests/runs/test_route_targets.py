"""Every kind of target that AWS shows in a table: declared, tolerated, corrected, or left to a person; never lost."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import Outcome, Reason
from tests.support.cases import calm, edit, ended, mended, said, told, writes
from tests.support.route_targets import (
    DECLARED,
    EGRESS_ONLY,
    ELSEWHERE,
    INSTANCE,
    NO_TARGETS,
    SHAPE,
    SOMEWHERE,
    TABLE,
    UNKNOWN,
    laid,
    shown_as,
)
from tests.support.runs import Network, document


def _routes(net: Network) -> dict[str, Any]:
    tables = net.outsider("ec2").describe_route_tables(RouteTableIds=[net.id(TABLE)])["RouteTables"]
    return {one["DestinationCidrBlock"]: one for one in tables[0]["Routes"] if "DestinationCidrBlock" in one}


def test_every_target_of_botocore_has_its_test() -> None:
    assert SHAPE.keys() - NO_TARGETS == {*DECLARED, *ELSEWHERE, *INSTANCE, *UNKNOWN, EGRESS_ONLY} - {
        "SatelliteGatewayId"
    }
    assert "SatelliteGatewayId" not in SHAPE


@pytest.mark.parametrize(("name", "target"), DECLARED.items())
def test_a_declared_one_is_kept_and_made_again(net: Network, name: str, target: str) -> None:
    laid(name, target)(net)
    wanted = document(edit(TABLE, routes={SOMEWHERE: target}))
    calm(net, wanted)
    gone = lambda it: it.outsider("ec2").delete_route(RouteTableId=it.id(TABLE), DestinationCidrBlock=SOMEWHERE)  # noqa: E731
    mended(net, gone, wanted)
    assert _routes(net)[SOMEWHERE][name] == target
    net.outsider("ec2").replace_route(
        RouteTableId=net.id(TABLE),
        DestinationCidrBlock=SOMEWHERE,
        GatewayId=net.id("internet_gateway/MyInternetGateway"),
    )
    assert net.run(wanted).in_sync
    assert _routes(net)[SOMEWHERE][name] == target


@pytest.mark.parametrize(("name", "target"), {**DECLARED, **INSTANCE}.items())
def test_an_undeclared_one_is_corrected_by_its_name(net: Network, name: str, target: str) -> None:
    laid(name, target)(net)
    report = net.run()
    assert report.in_sync, told(report)
    assert [str(one.difference.have) for one in report.drifts] == [target]
    assert SOMEWHERE not in _routes(net)


@pytest.mark.parametrize(("name", "target"), UNKNOWN.items())
def test_one_that_cannot_be_made_again_is_never_deleted(net: Network, name: str, target: str) -> None:
    laid(name, target)(net)
    net.lab.calls.clear()
    report = net.run()
    assert writes(net) == []
    assert ended(report, TABLE, "routes") == {Outcome.BLOCKED}, told(report)
    assert {one.cause.reason for one in report.drifts if one.cause} == {Reason.UNSUPPORTED}
    assert f"{SOMEWHERE} via {shown_as(name, target)}" in said(report, TABLE, "routes")
    assert SOMEWHERE in _routes(net)


@pytest.mark.parametrize(("name", "target"), {**DECLARED, **INSTANCE, **UNKNOWN}.items())
def test_every_one_is_tolerated_by_its_id(net: Network, name: str, target: str) -> None:
    laid(name, target)(net)
    value = {SOMEWHERE: shown_as(name, target)}
    one = {"address": TABLE, "field": "routes", "value": value, "until": "2027-01-01", "reason": "a test"}
    net.lab.calls.clear()
    report = net.run(document(lambda written: written.update(exceptions=[one])))
    assert (writes(net), len(report.excepted)) == ([], 1), told(report)


@pytest.mark.parametrize(("name", "target"), UNKNOWN.items())
def test_where_another_target_is_declared_that_one_is_set(net: Network, name: str, target: str) -> None:
    laid(name, target)(net)
    wanted = document(edit(TABLE, routes={SOMEWHERE: DECLARED["LocalGatewayId"]}))
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == ["ReplaceRoute"]


def _with_endpoint(net: Network, table: str = TABLE) -> tuple[str, str]:
    """(prefix list, endpoint) of a gateway endpoint in a table."""
    ec2 = net.outsider("ec2")
    made = ec2.create_vpc_endpoint(
        VpcId=net.id("vpc/MyVPC"), ServiceName="com.amazonaws.ap-northeast-2.s3", RouteTableIds=[net.id(table)]
    )["VpcEndpoint"]["VpcEndpointId"]
    tables = ec2.describe_route_tables(RouteTableIds=[net.id(table)])["RouteTables"]
    (route,) = [one for one in tables[0]["Routes"] if one.get("GatewayId") == made]
    return route["DestinationPrefixListId"], made


def test_a_route_of_an_endpoint_may_be_declared_as_aws_shows_it(net: Network) -> None:
    prefix_list, made = _with_endpoint(net)
    wanted = document(edit(TABLE, routes={prefix_list: made}))
    calm(net, wanted)
    net.outsider("ec2").modify_vpc_endpoint(VpcEndpointId=made, RemoveRouteTableIds=[net.id(TABLE)])
    net.lab.calls.clear()
    report = net.run(wanted)
    assert writes(net) == []
    assert ended(report, TABLE, "routes") == {Outcome.BLOCKED}
    assert f"add the table to {made}" in said(report, TABLE, "routes")
    net.outsider("ec2").modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[net.id(TABLE)])
    calm(net, wanted)


@pytest.mark.parametrize("declared", ["vpce-0123456789abcdef0", DECLARED["LocalGatewayId"]])
def test_no_call_for_routes_changes_what_an_endpoint_made(net: Network, declared: str) -> None:
    prefix_list, made = _with_endpoint(net)
    net.lab.calls.clear()
    report = net.run(document(edit(TABLE, routes={prefix_list: declared})))
    assert writes(net) == []
    assert ended(report, TABLE, "routes") == {Outcome.BLOCKED}
    assert made in said(report, TABLE, "routes")
