"""Route tables: their routes in every spelling, the subnets on them, and the main one."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.fields import Address
from lab import operations
from lab.live import Answer, Live, Params
from reconciler.engine.memory import Memory
from reconciler.model import Evidence, Found, Outcome, Reason
from tests.support.cases import (
    ANYWHERE,
    Deed,
    association,
    both,
    built,
    calm,
    edit,
    ended,
    left,
    main_table,
    mended,
    other_main,
    said,
    told,
    writes,
)
from tests.support.runs import Network, document

PUBLIC, PRIVATE = "route_table/PublicRouteTable", "route_table/PrivateRouteTable"
GATEWAY = "internet_gateway/MyInternetGateway"
VPC = "vpc/MyVPC"


def _vgw(net: Network) -> str:
    made = net.outsider("ec2").create_vpn_gateway(Type="ipsec.1")["VpnGateway"]
    return str(made["VpnGatewayId"])


def _routes(net: Network, table: str) -> dict[str, str]:
    (found,) = net.outsider("ec2").describe_route_tables(RouteTableIds=[net.id(table)])["RouteTables"]
    routes = {}
    for one in found["Routes"]:
        to = one.get("DestinationCidrBlock") or one.get("DestinationIpv6CidrBlock") or one["DestinationPrefixListId"]
        routes[to] = one.get("GatewayId") or one.get("NetworkInterfaceId") or one.get("NatGatewayId")
    return routes


def _add(table: str, destination: str, **target: str) -> Deed:
    def deed(net: Network) -> None:
        to = {"DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock": destination}
        via = target or {"GatewayId": net.id(GATEWAY)}
        net.outsider("ec2").create_route(RouteTableId=net.id(table), **to, **via)

    return deed


def _delete(net: Network, table: str, destination: str) -> None:
    to = {"DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock": destination}
    net.outsider("ec2").delete_route(RouteTableId=net.id(table), **to)


def test_a_deleted_route_is_made_again(net: Network) -> None:
    mended(net, lambda net: _delete(net, PUBLIC, ANYWHERE))
    assert writes(net) == ["CreateRoute"]


def test_a_route_to_another_target_is_set_back_in_one_call(net: Network) -> None:
    def divert(net: Network) -> None:
        net.outsider("ec2").replace_route(
            RouteTableId=net.id(PUBLIC), DestinationCidrBlock=ANYWHERE, GatewayId=_vgw(net)
        )

    mended(net, divert)
    assert writes(net) == ["ReplaceRoute"]
    assert _routes(net, PUBLIC)[ANYWHERE] == net.id(GATEWAY)


def test_a_way_out_of_the_private_table_is_closed(net: Network) -> None:
    mended(net, _add(PRIVATE, ANYWHERE))
    assert writes(net) == ["DeleteRoute"]
    assert _routes(net, PRIVATE) == {"10.0.0.0/16": "local"}


def test_a_more_specific_route_that_diverts_a_part_of_the_traffic_is_taken_away(net: Network) -> None:
    mended(net, lambda net: _add(PUBLIC, "203.0.113.0/24", GatewayId=_vgw(net))(net))
    assert _routes(net, PUBLIC) == {"10.0.0.0/16": "local", ANYWHERE: net.id(GATEWAY)}


def test_an_ipv6_route_is_kept_beside_the_ipv4_one(net: Network) -> None:
    wanted = built(net, edit(PUBLIC, routes={ANYWHERE: GATEWAY, "::/0": GATEWAY}))
    mended(net, lambda net: _delete(net, PUBLIC, "::/0"), wanted)
    assert _routes(net, PUBLIC)["::/0"] == net.id(GATEWAY)
    mended(net, _add(PRIVATE, "2001:db8::/32"), wanted)
    assert "2001:db8::/32" not in _routes(net, PRIVATE)


def test_routes_within_routes_are_put_right_without_a_gap(net: Network) -> None:
    vgw = _vgw(net)
    nested = {ANYWHERE: GATEWAY, "203.0.113.0/24": vgw, "203.0.113.128/25": GATEWAY}
    wanted = built(net, edit(PUBLIC, routes=nested))

    def shuffle(net: Network) -> None:
        _delete(net, PUBLIC, "203.0.113.0/24")
        _delete(net, PUBLIC, "203.0.113.128/25")
        _add(PUBLIC, "203.0.112.0/22", GatewayId=vgw)(net)
        _add(PUBLIC, "203.0.113.192/26", GatewayId=vgw)(net)

    mended(net, shuffle, wanted)
    assert _routes(net, PUBLIC) == {
        "10.0.0.0/16": "local",
        ANYWHERE: net.id(GATEWAY),
        "203.0.113.0/24": vgw,
        "203.0.113.128/25": net.id(GATEWAY),
    }


def test_a_local_route_that_was_sent_through_a_machine_is_local_again(net: Network) -> None:
    def tap(net: Network) -> None:
        ec2 = net.outsider("ec2")
        tap_id = ec2.create_network_interface(SubnetId=net.id("subnet/PublicSubnet1"))["NetworkInterface"]
        ec2.replace_route(
            RouteTableId=net.id(PRIVATE),
            DestinationCidrBlock="10.0.0.0/16",
            NetworkInterfaceId=tap_id["NetworkInterfaceId"],
        )

    mended(net, tap)
    assert writes(net) == ["ReplaceRoute"]
    assert _routes(net, PRIVATE) == {"10.0.0.0/16": "local"}


def test_a_subnet_taken_off_its_table_is_put_on_it_again(net: Network) -> None:
    def disassociate(net: Network) -> None:
        held = association(net, "subnet/PublicSubnet1")["RouteTableAssociationId"]
        net.outsider("ec2").disassociate_route_table(AssociationId=held)

    mended(net, disassociate)
    assert writes(net) == ["AssociateRouteTable"]


def test_an_undeclared_subnet_on_our_table_is_told_and_left_where_it_is(net: Network) -> None:
    ec2 = net.outsider("ec2")
    subnet = ec2.create_subnet(VpcId=net.id(VPC), CidrBlock="10.0.200.0/24")["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=net.id(PRIVATE), SubnetId=subnet)
    left(net, PRIVATE, "subnets", Outcome.BLOCKED, f"{subnet} uses this table and is not declared")
    assert writes(net) == []


def test_a_subnet_that_the_document_puts_on_no_table_goes_to_the_main_one(net: Network) -> None:
    wanted = document(edit(PRIVATE, subnets=["subnet/PrivateSubnet1"]))
    assert net.run(wanted).in_sync
    assert writes(net) == ["DisassociateRouteTable"]
    calm(net, wanted)


MAIN = edit("route_table/Main", main=True, routes={}, subnets=[])


def test_the_table_that_aws_made_is_adopted_as_the_declared_main_one(net: Network) -> None:
    before = main_table(net)[0]
    wanted = document(MAIN)
    assert net.run(wanted).in_sync
    assert writes(net) == ["CreateTags"]
    assert main_table(net)[0] == before
    calm(net, wanted)


def test_another_table_made_main_is_set_back(net: Network) -> None:
    wanted = built(net, MAIN)
    before = main_table(net)[0]
    mended(net, other_main, wanted)
    assert writes(net) == ["ReplaceRouteTableAssociation"]
    assert main_table(net)[0] == before


def test_a_way_out_of_the_main_table_is_closed(net: Network) -> None:
    wanted = built(net, MAIN)
    main = main_table(net)[0]
    mended(
        net,
        lambda net: net.outsider("ec2").create_route(
            RouteTableId=main, DestinationCidrBlock=ANYWHERE, GatewayId=net.id(GATEWAY)
        ),
        wanted,
    )
    assert writes(net) == ["DeleteRoute"]


def test_a_main_table_with_other_routes_than_declared_is_put_right_before_it_becomes_main(net: Network) -> None:
    """An undeclared subnet follows the main table, so it must not see half of it."""
    net.outsider("ec2").create_subnet(VpcId=net.id(VPC), CidrBlock="10.0.200.0/24")
    wanted = built(net, edit(PRIVATE, main=True))

    def swap(net: Network) -> None:
        other_main(net)
        _add(PRIVATE, ANYWHERE)(net)

    mended(net, swap, wanted)
    assert writes(net) == ["DeleteRoute", "ReplaceRouteTableAssociation"]


def test_a_deleted_table_is_made_anew_with_its_routes_and_subnets(net: Network) -> None:
    def delete(net: Network) -> None:
        held = association(net, "subnet/PublicSubnet1")["RouteTableAssociationId"]
        net.outsider("ec2").disassociate_route_table(AssociationId=held)
        net.outsider("ec2").delete_route_table(RouteTableId=net.id(PUBLIC))

    report = mended(net, delete, anew=True)
    assert ended(report, PUBLIC) == {Outcome.CORRECTED}
    assert writes(net) == ["CreateRouteTable", "CreateRoute", "AssociateRouteTable"]


def _swap(net: Network) -> None:
    """The public subnet and a private one change their tables."""
    ec2 = net.outsider("ec2")
    public, private = (
        association(net, one)["RouteTableAssociationId"] for one in ("subnet/PublicSubnet1", "subnet/PrivateSubnet1")
    )
    ec2.replace_route_table_association(AssociationId=public, RouteTableId=net.id(PRIVATE))
    ec2.replace_route_table_association(AssociationId=private, RouteTableId=net.id(PUBLIC))


def test_two_tables_that_swapped_subnets_are_unswapped_in_two_calls(net: Network) -> None:
    mended(net, _swap)
    assert writes(net) == ["ReplaceRouteTableAssociation", "ReplaceRouteTableAssociation"]


def test_a_swap_of_subnets_with_changes_in_one_of_the_tables_is_put_right(net: Network) -> None:
    def both_ways(net: Network) -> None:
        _swap(net)
        _delete(net, PUBLIC, ANYWHERE)

    mended(net, both_ways)


def test_a_swap_of_subnets_between_two_changed_tables_is_held_and_said(net: Network) -> None:
    """Each table must be right before a subnet comes to it, and untouched until its old one has left: a circle."""
    vgw = _vgw(net)
    wanted = built(net, edit(PRIVATE, routes={"172.16.0.0/12": vgw}))
    _swap(net)
    _delete(net, PUBLIC, ANYWHERE)
    _delete(net, PRIVATE, "172.16.0.0/12")
    report = net.run(wanted)
    circle = "moves between these resources depend on each other"
    for table in (PUBLIC, PRIVATE):
        for field in ("routes", "subnets"):
            assert ended(report, table, field) == {Outcome.HELD}, told(report)
            assert circle in said(report, table, field)
    assert writes(net) == []


def test_the_routes_of_gateway_endpoints_are_no_part_of_the_declared_ones(net: Network) -> None:
    net.outsider("ec2").create_vpc_endpoint(
        VpcId=net.id(VPC),
        ServiceName="com.amazonaws.ap-northeast-2.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[net.id(PRIVATE)],
    )
    calm(net)


def _shows(monkeypatch: pytest.MonkeyPatch, table_id: str, route: dict[str, str]) -> None:
    """DescribeRouteTables shows this route in a table, too; moto makes none such."""
    describe: Any = operations.STRICT["ec2"]["DescribeRouteTables"]

    def with_it(live: Live, params: Params) -> Answer:
        answer: Answer = describe(live, params)
        for table in answer["RouteTables"]:
            if table["RouteTableId"] == table_id:
                table["Routes"].append(dict(route))
        return answer

    monkeypatch.setitem(operations.STRICT["ec2"], "DescribeRouteTables", with_it)


ENDPOINT = {
    "DestinationPrefixListId": "pl-78a54011",
    "GatewayId": "vpce-0a1b2c3d4e5f60718",
    "Origin": "CreateRoute",
    "State": "active",
}
PROPAGATED = {
    "DestinationCidrBlock": "172.16.0.0/12",
    "GatewayId": "vgw-0a1b2c3d4e5f60718",
    "Origin": "EnableVgwRoutePropagation",
    "State": "active",
}


@pytest.mark.parametrize("route", [ENDPOINT, PROPAGATED], ids=["of a gateway endpoint", "propagated"])
def test_a_route_that_aws_keeps_itself_is_neither_compared_nor_touched(
    net: Network, route: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _shows(monkeypatch, net.id(PRIVATE), route)
    calm(net)


def _nat(net: Network) -> str:
    made = net.outsider("ec2").create_nat_gateway(SubnetId=net.id("subnet/PrivateSubnet1"), ConnectivityType="private")
    return str(made["NatGateway"]["NatGatewayId"])


@pytest.mark.parametrize("state", ["failed", "deleted"])
def test_a_route_into_a_hole_is_told_and_left_to_a_person(net: Network, state: str) -> None:
    """Replacing it with the same target would correct nothing: AWS still shows the target, which is gone."""
    nat = _nat(net)
    net.outsider("ec2").create_route(
        RouteTableId=net.id(PRIVATE), DestinationCidrBlock="172.16.0.0/12", NatGatewayId=nat
    )
    net.lab.network_state(nat, state)
    net.lab.calls.clear()
    report = net.run(document(edit(PRIVATE, routes={"172.16.0.0/12": nat})))
    (finding,) = report.findings
    assert (finding.address, finding.field, finding.key) == (PRIVATE, "routes", "172.16.0.0/12")
    assert finding.outcome is Outcome.BLOCKED
    assert (
        finding.cause.message == f"its target {nat} is gone or has failed: create it again, or declare another target"
    )
    assert (report.in_sync, writes(net)) == (False, [])


def test_a_route_to_what_aws_does_not_find_waits_for_one_run_and_then_for_a_person(net: Network) -> None:
    """Somebody may have just made it; once a run has left it so, it is not new any more."""
    nat = _nat(net)
    net.lab.network_state(nat, "deleted")
    wanted = document(edit(PRIVATE, routes={"172.16.0.0/12": nat}))
    first = net.run(wanted)
    later = net.run(wanted, memory=Memory(left=lambda aws_id, field: (aws_id, field) == (net.id(PRIVATE), "routes")))
    drifts = [one for report in (first, later) for one in report.drifts]
    assert [(one.outcome, one.cause and one.cause.reason) for one in drifts] == [
        (Outcome.WAITING, Reason.TARGET_GONE),
        (Outcome.FAILED, Reason.TARGET_GONE),
    ]
    assert [f"{nat} does not exist" in one.message for one in drifts] == [True, True]
    assert [call.operation for call in net.lab.calls if call.kind == "write"] == ["CreateRoute"] * 2


def test_a_table_known_by_its_name_tag_is_adopted_and_gets_our_tags(net: Network) -> None:
    owned = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(PUBLIC)], Tags=owned))
    assert writes(net) == ["CreateTags"]


def test_of_two_tables_of_the_same_name_the_one_that_its_subnets_use_is_it(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.delete_tags(Resources=[net.id(PUBLIC)], Tags=[{"Key": "setpoint:document"}, {"Key": "setpoint:name"}])
    twin = ec2.create_route_table(VpcId=net.id(VPC))["RouteTable"]["RouteTableId"]
    ec2.create_tags(Resources=[twin], Tags=[{"Key": "Name", "Value": "PublicRouteTable"}])
    _delete(net, PUBLIC, ANYWHERE)
    report = net.run()
    assert report.in_sync, told(report)
    assert report.found_by[Address(PUBLIC)] == Found(Evidence.NAME, "its Name tag, and its subnets use it")
    assert report.ids[Address(PUBLIC)] == net.id(PUBLIC)


def test_the_main_table_and_the_private_one_may_trade_places_in_one_document(net: Network) -> None:
    wanted = document(both(MAIN, edit("route_table/Main", subnets=["subnet/PublicSubnet1"]), edit(PUBLIC, subnets=[])))
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert association(net, "subnet/PublicSubnet1")["RouteTableId"] == main_table(net)[0]
    calm(net, wanted)
