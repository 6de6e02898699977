"""Gateway endpoints and the routes that they write (AWS PrivateLink guide, "Gateway endpoints")."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]
S3, DYNAMODB = "com.amazonaws.ap-northeast-2.s3", "com.amazonaws.ap-northeast-2.dynamodb"


def table(ec2: Any, vpc: str) -> str:
    return str(ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])


def endpoint(ec2: Any, vpc: str, *tables: str, service: str = S3, **more: Any) -> str:
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, RouteTableIds=list(tables), **more)
    return str(made["VpcEndpoint"]["VpcEndpointId"])


def tables_of(ec2: Any, made: str) -> list[str]:
    return list(ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]["RouteTableIds"])


def prefix_list(ec2: Any, service: str = S3) -> str:
    (found,) = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [service]}])["PrefixLists"]
    return str(found["PrefixListId"])


def beside_local(ec2: Any, of_table: str) -> list[dict[str, str]]:
    (found,) = ec2.describe_route_tables(RouteTableIds=[of_table])["RouteTables"]
    return [route for route in found["Routes"] if route.get("GatewayId") != "local"]


def route(ec2: Any, made: str, service: str = S3) -> dict[str, str]:
    to = {"DestinationPrefixListId": prefix_list(ec2, service), "GatewayId": made}
    return {**to, "Origin": "CreateRoute", "State": "active"}


def test_an_endpoint_writes_its_route_into_each_of_its_tables(ec2: Any, vpc: str) -> None:
    first, second, other = (table(ec2, vpc) for _ in range(3))
    made = endpoint(ec2, vpc, first, second)
    assert tables_of(ec2, made) == [first, second]
    assert [beside_local(ec2, each) for each in (first, second, other)] == [[route(ec2, made)]] * 2 + [[]]
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"]
    assert (found["VpcEndpointType"], found["State"], found["PrivateDnsEnabled"]) == ("Gateway", "available", False)


def test_a_modify_adds_and_removes_tables_with_their_routes(ec2: Any, vpc: str, refused: Refused) -> None:
    first, second = (table(ec2, vpc) for _ in range(2))
    made = endpoint(ec2, vpc, first)
    ec2.modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[second], RemoveRouteTableIds=[first])
    assert tables_of(ec2, made) == [second]
    assert [beside_local(ec2, each) for each in (first, second)] == [[], [route(ec2, made)]]
    ec2.modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[second])
    assert beside_local(ec2, second) == [route(ec2, made)]
    with refused("InvalidRouteTableID.NotFound"):
        ec2.modify_vpc_endpoint(VpcEndpointId=made, RemoveRouteTableIds=["rtb-0123456789abcdef0"])


def test_a_table_has_one_endpoint_for_a_service(ec2: Any, vpc: str, refused: Refused) -> None:
    first = table(ec2, vpc)
    made = endpoint(ec2, vpc, first)
    with refused("RouteAlreadyExists"):
        endpoint(ec2, vpc, first)
    second = endpoint(ec2, vpc, first, service=DYNAMODB)
    assert beside_local(ec2, first) == [route(ec2, made), route(ec2, second, DYNAMODB)]
    third = endpoint(ec2, vpc)
    with refused("RouteAlreadyExists"):
        ec2.modify_vpc_endpoint(VpcEndpointId=third, AddRouteTableIds=[first])


def test_the_route_is_changed_through_the_endpoint_only(ec2: Any, vpc: str, refused: Refused) -> None:
    first, other = table(ec2, vpc), table(ec2, vpc)
    made = endpoint(ec2, vpc, first)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    to = {"RouteTableId": first, "DestinationPrefixListId": prefix_list(ec2)}
    with refused("InvalidParameterValue"):
        ec2.delete_route(**to)
    with refused("InvalidParameterValue"):
        ec2.replace_route(**to, GatewayId=gateway)
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=other, DestinationCidrBlock="203.0.113.0/24", GatewayId=made)
    assert beside_local(ec2, first) == [route(ec2, made)]


def test_an_endpoint_that_is_deleted_takes_its_routes_with_it(ec2: Any, vpc: str) -> None:
    first = table(ec2, vpc)
    made = endpoint(ec2, vpc, first)
    missing = "vpce-0123456789abcdef0"
    answer = ec2.delete_vpc_endpoints(VpcEndpointIds=[missing, made])
    assert [(each["ResourceId"], each["Error"]["Code"]) for each in answer["Unsuccessful"]] == [
        (missing, "InvalidVpcEndpoint.NotFound")
    ]
    assert beside_local(ec2, first) == []
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


def test_a_table_that_is_deleted_leaves_the_endpoint(ec2: Any, vpc: str) -> None:
    first, second = table(ec2, vpc), table(ec2, vpc)
    made = endpoint(ec2, vpc, first, second)
    ec2.delete_route_table(RouteTableId=first)
    assert tables_of(ec2, made) == [second]


def test_a_subnet_that_moves_changes_its_way_to_the_service_and_not_the_tables(ec2: Any, vpc: str) -> None:
    first, second = table(ec2, vpc), table(ec2, vpc)
    made = endpoint(ec2, vpc, first)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.77.0/24")["Subnet"]["SubnetId"]
    association = ec2.associate_route_table(RouteTableId=first, SubnetId=subnet)["AssociationId"]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=second)
    assert tables_of(ec2, made) == [first]
    assert beside_local(ec2, second) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ServiceName": "com.amazonaws.ap-northeast-2.ec2"}, "InvalidServiceName"),
        ({"VpcEndpointType": "Interface"}, "InvalidParameter"),
        ({"PolicyDocument": "{"}, "InvalidPolicyDocument"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(
    ec2: Any, vpc: str, refused: Refused, params: dict[str, str], code: str
) -> None:
    first = table(ec2, vpc)
    with refused(code):
        ec2.create_vpc_endpoint(**{"VpcId": vpc, "ServiceName": S3, "RouteTableIds": [first]} | params)
    assert beside_local(ec2, first) == []


def test_tables_of_another_vpc_are_refused(ec2: Any, vpc: str, other_vpc: str, refused: Refused) -> None:
    with refused("InvalidParameter"):
        endpoint(ec2, vpc, table(ec2, other_vpc))


def test_a_client_token_makes_one_endpoint(ec2: Any, vpc: str) -> None:
    first = table(ec2, vpc)
    made = {endpoint(ec2, vpc, first, ClientToken="once") for _ in range(2)}
    assert len(made) == 1


def interface(ec2: Any, vpc: str, subnets: list[str], **more: Any) -> Any:
    service = "com.amazonaws.ap-northeast-2.sqs"
    return ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, VpcEndpointType="Interface", SubnetIds=subnets[:1], **more
    )["VpcEndpoint"]


def test_an_interface_endpoint_without_groups_has_the_default_one(ec2: Any, vpc: str, subnets: list[str]) -> None:
    made = interface(ec2, vpc, subnets, PrivateDnsEnabled=False)
    assert [each["GroupName"] for each in made["Groups"]] == ["default"]


def test_private_names_need_those_of_the_vpc_and_belong_to_one_endpoint(
    ec2: Any, vpc: str, subnets: list[str], refused: Refused
) -> None:
    with refused("InvalidParameter"):
        interface(ec2, vpc, subnets)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert interface(ec2, vpc, subnets)["PrivateDnsEnabled"] is True
    with refused("InvalidParameter"):
        interface(ec2, vpc, subnets)
    assert interface(ec2, vpc, subnets, PrivateDnsEnabled=False)["PrivateDnsEnabled"] is False


def test_what_moto_would_take_and_not_do_is_refused(ec2: Any, vpc: str, refused: Refused) -> None:
    made = endpoint(ec2, vpc)
    with refused("NotModelled"):
        ec2.modify_vpc_endpoint(VpcEndpointId=made, ResetPolicy=True)
