"""Route tables, routes and associations, row by row, against what AWS does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import strict_routes

Refused = Callable[[str], AbstractContextManager[None]]
ANY = "0.0.0.0/0"


@pytest.fixture
def table(ec2: Any, vpc: str) -> str:
    return make_table(ec2, vpc)


@pytest.fixture
def gateway(ec2: Any, vpc: str) -> str:
    return make_gateway(ec2, vpc)


def make_table(ec2: Any, vpc_id: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"])


def make_gateway(ec2: Any, vpc_id: str | None = None) -> str:
    made = str(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    if vpc_id:
        ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc_id)
    return made


def shown(ec2: Any, table: str) -> dict[str, Any]:
    return dict(ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0])


def routes(ec2: Any, table: str) -> dict[str, tuple[str, str, str]]:
    return {
        route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"]: (
            route.get("GatewayId") or route["NetworkInterfaceId"],
            route["State"],
            route["Origin"],
        )
        for route in shown(ec2, table)["Routes"]
    }


def main_table(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
    return dict(ec2.describe_route_tables(Filters=filters)["RouteTables"][0])


LOCAL = {"10.0.0.0/16": ("local", "active", "CreateRouteTable")}


def test_a_destination_is_kept_canonical_and_its_twin_exists_already(
    ec2: Any, table: str, gateway: str, refused: Refused
) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="100.68.0.18/18", GatewayId=gateway)
    assert routes(ec2, table) == LOCAL | {"100.68.0.0/18": (gateway, "active", "CreateRoute")}
    with refused("RouteAlreadyExists"):
        ec2.create_route(
            RouteTableId=table, DestinationCidrBlock="100.68.0.0/18", LocalGatewayId="lgw-0123456789abcdef0"
        )


def test_an_ipv6_destination_is_kept_canonical_and_can_be_deleted(ec2: Any, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="2001:DB8::1/32", GatewayId=gateway)
    assert routes(ec2, table)["2001:db8::/32"] == (gateway, "active", "CreateRoute")
    ec2.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="2001:db8:0::/32")
    assert routes(ec2, table) == LOCAL


def test_the_local_route_cannot_be_made(ec2: Any, table: str, refused: Refused) -> None:
    with refused("InvalidGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", GatewayId="local")
    with refused("RouteAlreadyExists"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", LocalGatewayId="lgw-0123456789abcdef0")


def test_the_local_route_cannot_be_deleted(ec2: Any, table: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    assert routes(ec2, table) == LOCAL


def test_the_local_route_goes_to_an_interface_and_back(
    ec2: Any, table: str, subnets: list[str], gateway: str, refused: Refused
) -> None:
    eni = ec2.create_network_interface(SubnetId=subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    place = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16"}
    ec2.replace_route(**place, NetworkInterfaceId=eni)
    assert routes(ec2, table) == {"10.0.0.0/16": (eni, "active", "CreateRouteTable")}
    with refused("InvalidParameterValue"):
        ec2.delete_route(**place)
    ec2.replace_route(**place, LocalTarget=True)
    assert routes(ec2, table) == LOCAL
    with refused("InvalidParameterValue"):
        ec2.replace_route(**place, GatewayId=gateway)


def test_local_target_is_for_local_routes_only(ec2: Any, table: str, gateway: str, refused: Refused) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    with refused("InvalidParameterValue"):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock=ANY, LocalTarget=True)
    with refused("InvalidParameterCombination"):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock=ANY, LocalTarget=True, GatewayId=gateway)


def test_replacing_a_missing_route_is_an_invalid_value(ec2: Any, table: str, gateway: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    assert routes(ec2, table) == LOCAL


def test_a_replace_takes_the_new_target(ec2: Any, table: str, gateway: str, subnets: list[str]) -> None:
    eni = ec2.create_network_interface(SubnetId=subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, NetworkInterfaceId=eni)
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert routes(ec2, table)[ANY] == (gateway, "active", "CreateRoute")


def test_deleting_a_missing_route_is_not_found(ec2: Any, table: str, refused: Refused) -> None:
    with refused("InvalidRoute.NotFound"):
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock=ANY)
    with refused("InvalidRoute.NotFound"):
        ec2.delete_route(RouteTableId="rtb-0123456789abcdef0", DestinationCidrBlock=ANY)


def test_a_gateway_must_exist(ec2: Any, table: str, refused: Refused) -> None:
    with refused("InvalidGatewayID.NotFound"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId="igw-0123456789abcdef0")


@pytest.mark.parametrize("where", ["nowhere", "elsewhere"])
def test_a_gateway_must_be_attached_to_the_tables_vpc(
    ec2: Any, table: str, gateway: str, other_vpc: str, where: str, refused: Refused
) -> None:
    stranger = make_gateway(ec2, other_vpc if where == "elsewhere" else None)
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=stranger)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    with refused("InvalidParameterValue"):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=stranger)
    assert routes(ec2, table)[ANY][0] == gateway


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"DestinationCidrBlock": ANY}, "MissingParameter"),
        ({"NetworkInterfaceId": "eni-1"}, "MissingParameter"),
        ({"DestinationCidrBlock": ANY, "DestinationIpv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"DestinationCidrBlock": "10.0.0.0/33", "NetworkInterfaceId": "eni-1"}, "InvalidParameterValue"),
        ({"DestinationCidrBlock": ANY, "NatGatewayId": "nat-0123456789abcdef0"}, "InvalidNatGatewayID.NotFound"),
        ({"DestinationCidrBlock": ANY, "TransitGatewayId": "tgw-1"}, "InvalidTransitGatewayID.NotFound"),
        (
            {"DestinationCidrBlock": ANY, "VpcPeeringConnectionId": "pcx-1"},
            "InvalidVpcPeeringConnectionID.NotFound",
        ),
        ({"DestinationCidrBlock": ANY, "NetworkInterfaceId": "eni-1"}, "InvalidNetworkInterfaceID.NotFound"),
        ({"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}, "InvalidGatewayID.NotFound"),
        ({"DestinationCidrBlock": ANY, "EgressOnlyInternetGatewayId": "eigw-1"}, "InvalidParameterValue"),
        ({"DestinationPrefixListId": "pl-1", "NetworkInterfaceId": "eni-1"}, "InvalidPrefixListID.NotFound"),
    ],
)
def test_a_route_aws_would_refuse_is_refused(
    ec2: Any, table: str, params: dict[str, str], code: str, refused: Refused
) -> None:
    with refused(code):
        ec2.create_route(RouteTableId=table, **params)
    assert routes(ec2, table) == LOCAL


@pytest.mark.parametrize("call", ["create_route", "replace_route"])
@pytest.mark.parametrize("destination", ["10.0.0.0/16", "10.0.5.0/24"])
def test_an_internet_gateway_is_no_way_into_the_vpc_itself(
    ec2: Any, table: str, gateway: str, destination: str, call: str, refused: Refused
) -> None:
    if call == "replace_route" and destination != "10.0.0.0/16":
        interface = ec2.create_network_interface(SubnetId=_subnet_of(ec2, table))["NetworkInterface"]
        ec2.create_route(
            RouteTableId=table, DestinationCidrBlock=destination, NetworkInterfaceId=interface["NetworkInterfaceId"]
        )
    with refused("InvalidParameterValue"):
        getattr(ec2, call)(RouteTableId=table, DestinationCidrBlock=destination, GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", GatewayId=gateway)


def _subnet_of(ec2: Any, table: str) -> str:
    vpc_id = shown(ec2, table)["VpcId"]
    return str(ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"])


def test_creating_a_route_again_changes_nothing_and_another_target_is_refused(
    ec2: Any, vpc: str, table: str, gateway: str, refused: Refused
) -> None:
    for _ in range(2):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    for _ in range(2):
        ec2.create_route(
            RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", LocalGatewayId="lgw-0123456789abcdef0"
        )
    with refused("RouteAlreadyExists"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", GatewayId=gateway)
    assert len(shown(ec2, table)["Routes"]) == 3


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("LocalGatewayId", "lgw-0123456789abcdef0"),
        ("CarrierGatewayId", "cagw-0123456789abcdef0"),
        ("CoreNetworkArn", "arn:aws:networkmanager::123456789012:core-network/core-network-0123456789abcdef0"),
        ("OdbNetworkArn", "arn:aws:odb:us-east-1:123456789012:odb-network/odbnet_a1b2c3d4e5"),
    ],
)
def test_a_target_that_moto_does_not_keep_is_shown_and_replaced(
    ec2: Any, table: str, gateway: str, name: str, target: str
) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", **{name: target})
    assert [one[name] for one in shown(ec2, table)["Routes"] if name in one] == [target]
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", GatewayId=gateway)
    assert [one for one in shown(ec2, table)["Routes"] if name in one] == []


def test_so_many_routes_a_table_and_family(
    ec2: Any, table: str, gateway: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert strict_routes.MOST_ROUTES == 500
    monkeypatch.setattr(strict_routes, "MOST_ROUTES", 4)
    made = ec2.create_managed_prefix_list(PrefixListName="a", MaxEntries=3, AddressFamily="IPv4")["PrefixList"]
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=made["PrefixListId"], GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="100.1.0.0/16", GatewayId=gateway)
    with refused("RouteLimitExceeded"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="100.50.0.0/16", GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    assert len(shown(ec2, table)["Routes"]) == 4


def test_a_route_is_a_blackhole_while_its_gateway_is_away(ec2: Any, vpc: str, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert routes(ec2, table)[ANY] == (gateway, "blackhole", "CreateRoute")
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert routes(ec2, table)[ANY] == (gateway, "active", "CreateRoute")


def test_a_route_stays_a_blackhole_when_its_gateway_is_deleted(ec2: Any, vpc: str, table: str, gateway: str) -> None:
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    make_gateway(ec2, vpc)
    assert routes(ec2, table)[ANY] == (gateway, "blackhole", "CreateRoute")


def test_a_route_is_a_blackhole_when_what_it_leads_to_is_deleted(ec2: Any, vpc: str, subnets: list[str]) -> None:
    table = make_table(ec2, vpc)
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    inward = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=inward, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]
    peering_id = peering["VpcPeeringConnectionId"]
    outward = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    outward_id = outward["EgressOnlyInternetGatewayId"]
    interface = ec2.create_network_interface(SubnetId=subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/16", NatGatewayId=nat)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", VpcPeeringConnectionId=peering_id)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.17.0.0/16", NetworkInterfaceId=interface)
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=outward_id)

    def states() -> set[str]:
        return {one["State"] for one in shown(ec2, table)["Routes"] if one.get("GatewayId") != "local"}

    assert states() == {"active"}
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering_id)
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=outward_id)
    assert states() == {"blackhole"}


def test_a_new_subnet_is_with_the_main_table_and_the_default_acl(ec2: Any, vpc: str) -> None:
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.7.0/24")["Subnet"]["SubnetId"]
    at = [{"Name": "association.subnet-id", "Values": [subnet]}]
    assert ec2.describe_route_tables(Filters=at)["RouteTables"] == []  # only implicitly with the main one
    (acl,) = ec2.describe_network_acls(Filters=at)["NetworkAcls"]
    assert acl["IsDefault"] is True


# Associations


def test_a_subnet_has_one_explicit_association(
    ec2: Any, vpc: str, table: str, subnets: list[str], refused: Refused
) -> None:
    held = ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])["AssociationId"]
    other = make_table(ec2, vpc)
    with refused("Resource.AlreadyAssociated"):
        ec2.associate_route_table(RouteTableId=other, SubnetId=subnets[0])
    assert [a["RouteTableAssociationId"] for a in shown(ec2, table)["Associations"]] == [held]
    assert shown(ec2, other)["Associations"] == []


def test_a_replaced_association_has_a_new_id_and_the_old_one_is_dead(
    ec2: Any, vpc: str, table: str, subnets: list[str], refused: Refused
) -> None:
    old = ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])["AssociationId"]
    other = make_table(ec2, vpc)
    new = ec2.replace_route_table_association(AssociationId=old, RouteTableId=other)["NewAssociationId"]
    assert [(a["RouteTableAssociationId"], a["SubnetId"]) for a in shown(ec2, other)["Associations"]] == [
        (new, subnets[0])
    ]
    with refused("InvalidAssociationID.NotFound"):
        ec2.replace_route_table_association(AssociationId=old, RouteTableId=table)
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_route_table(AssociationId=old)


def test_a_subnet_of_another_vpc_cannot_be_associated(
    ec2: Any, subnets: list[str], table: str, other_vpc: str, refused: Refused
) -> None:
    stranger = make_table(ec2, other_vpc)
    with refused("InvalidParameterValue"):
        ec2.associate_route_table(RouteTableId=stranger, SubnetId=subnets[0])
    held = ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])["AssociationId"]
    with refused("InvalidParameterValue"):
        ec2.replace_route_table_association(AssociationId=held, RouteTableId=stranger)
    with refused("InvalidSubnetID.NotFound"):
        ec2.associate_route_table(RouteTableId=table, SubnetId="subnet-0123456789abcdef0")


def test_the_main_association_is_replaced_but_never_removed(ec2: Any, vpc: str, table: str, refused: Refused) -> None:
    main = main_table(ec2, vpc)
    held = main["Associations"][0]["RouteTableAssociationId"]
    with refused("InvalidParameterValue"):
        ec2.disassociate_route_table(AssociationId=held)
    with refused("DependencyViolation"):
        ec2.delete_route_table(RouteTableId=main["RouteTableId"])
    ec2.replace_route_table_association(AssociationId=held, RouteTableId=table)
    assert main_table(ec2, vpc)["RouteTableId"] == table
    ec2.delete_route_table(RouteTableId=main["RouteTableId"])
    with refused("InvalidRouteTableID.NotFound"):
        ec2.describe_route_tables(RouteTableIds=[main["RouteTableId"]])


def test_a_table_with_subnets_cannot_be_deleted(ec2: Any, table: str, subnets: list[str], refused: Refused) -> None:
    held = ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])["AssociationId"]
    with refused("DependencyViolation"):
        ec2.delete_route_table(RouteTableId=table)
    ec2.disassociate_route_table(AssociationId=held)
    ec2.delete_route_table(RouteTableId=table)


def test_a_client_token_makes_one_table(ec2: Any, vpc: str, other_vpc: str, refused: Refused) -> None:
    first = ec2.create_route_table(VpcId=vpc, ClientToken="t")["RouteTable"]["RouteTableId"]
    assert ec2.create_route_table(VpcId=vpc, ClientToken="t")["RouteTable"]["RouteTableId"] == first
    with refused("IdempotentParameterMismatch"):
        ec2.create_route_table(VpcId=other_vpc, ClientToken="t")
