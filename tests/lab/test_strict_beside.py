"""Egress-only gateways, peerings, flow logs; and what the laboratory does not model, which it says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]


def test_a_vpc_has_one_egress_only_gateway(ec2: Any, vpc: str, refused: Refused) -> None:
    made = {
        ec2.create_egress_only_internet_gateway(VpcId=vpc, ClientToken="once")["EgressOnlyInternetGateway"][
            "EgressOnlyInternetGatewayId"
        ]
        for _ in range(2)
    }
    (gateway,) = made
    with refused("InvalidParameterValue"):
        ec2.create_egress_only_internet_gateway(VpcId=vpc)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)
    with refused("InvalidEgressOnlyInternetGatewayId.NotFound"):
        ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)


def test_a_peering_goes_through_its_states(ec2: Any, vpc: str, other_vpc: str, refused: Refused) -> None:
    def peer(other: str) -> str:
        made = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]
        return str(made["VpcPeeringConnectionId"])

    def state(peering: str) -> str:
        found = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
        return str(found[0]["Status"]["Code"])

    peering = peer(other_vpc)
    assert state(peering) == "pending-acceptance"
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    for call in (ec2.accept_vpc_peering_connection, ec2.reject_vpc_peering_connection):
        with refused("InvalidStateTransition"):
            call(VpcPeeringConnectionId=peering)
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert state(peering) == "deleted"
    same = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    assert state(peer(same)) == "failed"
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId="pcx-0123456789abcdef0")


def test_flow_logs_of_what_is_not_there_are_an_item_and_no_error(ec2: Any, vpc: str) -> None:
    answer = ec2.create_flow_logs(
        ResourceIds=[vpc, "vpc-0123456789abcdef0"],
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName="/flow",
        DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow",
    )
    assert [each["ResourceId"] for each in answer["Unsuccessful"]] == ["vpc-0123456789abcdef0"]
    assert len(answer["FlowLogIds"]) == 1


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("associate_dhcp_options", {"DhcpOptionsId": "default", "VpcId": "vpc-0123456789abcdef0"}),
        ("create_dhcp_options", {"DhcpConfigurations": []}),
        ("delete_flow_logs", {"FlowLogIds": ["fl-0123456789abcdef0"]}),
        ("restore_managed_prefix_list_version", {"PrefixListId": "pl-1", "PreviousVersion": 1, "CurrentVersion": 2}),
        ("get_managed_prefix_list_associations", {"PrefixListId": "pl-0123456789abcdef0"}),
        ("associate_nat_gateway_address", {"NatGatewayId": "nat-0123456789abcdef0", "AllocationIds": ["eipalloc-1"]}),
        ("modify_vpc_peering_connection_options", {"VpcPeeringConnectionId": "pcx-0123456789abcdef0"}),
        ("modify_vpc_tenancy", {"VpcId": "vpc-0123456789abcdef0", "InstanceTenancy": "default"}),
        ("create_snapshot", {"VolumeId": "vol-1"}),
    ],
)
def test_what_is_not_modelled_is_refused_loudly(ec2: Any, operation: str, params: Any, refused: Refused) -> None:
    with refused("NotModelled"):
        getattr(ec2, operation)(**params)
