"""The internet gateway: known by what it is attached to, and the end of every public route."""

from __future__ import annotations

from typing import Any

from reconciler.model import Outcome
from tests.support.cases import ANYWHERE, calm, ended, left, mended, told, writes
from tests.support.runs import Network, document

GATEWAY = "internet_gateway/MyInternetGateway"
VPC = "vpc/MyVPC"


def _detach(net: Network) -> None:
    net.outsider("ec2").detach_internet_gateway(InternetGatewayId=net.id(GATEWAY), VpcId=net.id(VPC))


def _attached(net: Network) -> Any:
    filters = [{"Name": "attachment.vpc-id", "Values": [net.id(VPC)]}]
    (gateway,) = net.outsider("ec2").describe_internet_gateways(Filters=filters)["InternetGateways"]
    return gateway


def _public_route(net: Network) -> tuple[str, str]:
    tables = net.outsider("ec2").describe_route_tables(RouteTableIds=[net.id("route_table/PublicRouteTable")])
    (route,) = [one for one in tables["RouteTables"][0]["Routes"] if one["DestinationCidrBlock"] == ANYWHERE]
    return route["GatewayId"], route["State"]


def test_a_detached_gateway_is_attached_again_and_its_routes_work_again(net: Network) -> None:
    mended(net, _detach)
    assert writes(net) == ["AttachInternetGateway"]
    assert _attached(net)["InternetGatewayId"] == net.id(GATEWAY)
    assert _public_route(net) == (net.id(GATEWAY), "active")


def test_a_deleted_gateway_is_made_anew_and_its_routes_are_replaced(net: Network) -> None:
    def delete(net: Network) -> None:
        _detach(net)
        net.outsider("ec2").delete_internet_gateway(InternetGatewayId=net.id(GATEWAY))

    report = mended(net, delete, anew=True)
    assert ended(report, GATEWAY) == {Outcome.CORRECTED}
    new = _attached(net)["InternetGatewayId"]
    assert new != net.id(GATEWAY)
    assert _public_route(net) == (new, "active")


def test_another_gateway_in_its_place_is_a_matter_for_a_person(net: Network) -> None:
    _detach(net)
    other = net.outsider("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    net.outsider("ec2").attach_internet_gateway(InternetGatewayId=other, VpcId=net.id(VPC))
    left(net, GATEWAY, "vpc", Outcome.BLOCKED, f"another gateway, {other}, is attached to the VPC")
    assert _attached(net)["InternetGatewayId"] == other
    assert writes(net) == []


def test_a_gateway_that_serves_another_vpc_is_not_taken_from_it(net: Network) -> None:
    _detach(net)
    ec2 = net.outsider("ec2")
    elsewhere = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.attach_internet_gateway(InternetGatewayId=net.id(GATEWAY), VpcId=elsewhere)
    left(net, GATEWAY, "vpc", Outcome.BLOCKED, f"attached to {elsewhere}, and detaching it would interrupt that VPC")
    assert writes(net) == []


def test_a_gateway_known_by_its_attachment_is_adopted_and_gets_our_tags(net: Network) -> None:
    owned = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(GATEWAY)], Tags=owned))
    tags = {tag["Key"]: tag["Value"] for tag in _attached(net)["Tags"]}
    assert tags == {"setpoint:document": "test-server", "setpoint:name": "MyInternetGateway"}


def test_a_gateway_without_tags_that_was_detached_is_not_found_and_a_new_one_is_made(net: Network) -> None:
    net.outsider("ec2").delete_tags(
        Resources=[net.id(GATEWAY)], Tags=[{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    )
    mended(net, _detach, anew=True)
    assert _attached(net)["InternetGatewayId"] != net.id(GATEWAY)


def test_the_detached_gateway_of_a_renamed_document_is_attached_and_none_is_made(net: Network) -> None:
    _detach(net)
    renamed = document(lambda written: written.update(name="shop", formerly=["test-server"]))
    report = net.run(renamed)
    assert report.in_sync, told(report)
    assert _attached(net)["InternetGatewayId"] == net.id(GATEWAY)
    assert "CreateInternetGateway" not in writes(net)


def test_a_free_gateway_of_somebody_else_is_no_concern_of_ours(net: Network) -> None:
    net.outsider("ec2").create_internet_gateway()
    calm(net)


def test_two_gateways_with_our_tags_are_never_chosen_between(net: Network) -> None:
    _detach(net)
    other = net.outsider("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    owned = [
        {"Key": "setpoint:document", "Value": "test-server"},
        {"Key": "setpoint:name", "Value": "MyInternetGateway"},
    ]
    net.outsider("ec2").create_tags(Resources=[other], Tags=owned)
    report = net.run()
    (finding,) = [one for one in report.findings if one.address == GATEWAY]
    assert finding.outcome is Outcome.BLOCKED, told(report)
    assert "2 live resources could be it" in finding.cause.message
    assert writes(net) == []
