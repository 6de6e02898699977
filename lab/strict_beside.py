"""Egress-only internet gateways, peerings and flow logs as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, CreateEgressOnlyInternetGateway, CreateVpcPeeringConnection, CreateFlowLogs; VPC User
Guide and VPC Peering Guide): a VPC has one egress-only gateway; a peering of VPCs whose networks overlap fails, only a
pending one is accepted or rejected, and deleted ones are shown for a while; flow logs of something that does not exist
are an item of Unsuccessful, with success. The code for a second egress-only gateway is not documented; here
InvalidParameterValue.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from lab.live import Answer, Live, Params
from lab.refusal import Refusal


def create_egress_only(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateEgressOnlyInternetGateway", params)
    if earlier is not None:
        return earlier
    vpc = live.vpc(params["VpcId"])
    if any(each.vpc_id == vpc.id for each in live.ec2.egress_only_internet_gateways.values()):
        raise Refusal("InvalidParameterValue", f"Network {vpc.id} already has an egress-only internet gateway attached")
    answer = live.moto("ec2", "CreateEgressOnlyInternetGateway", params)
    live.remember_request("CreateEgressOnlyInternetGateway", params, answer)
    return answer


def delete_egress_only(live: Live, params: Params) -> Answer:
    gateway = params["EgressOnlyInternetGatewayId"]
    if gateway not in live.ec2.egress_only_internet_gateways:
        message = f"The egress-only internet gateway ID '{gateway}' does not exist"
        raise Refusal("InvalidEgressOnlyInternetGatewayId.NotFound", message)
    live.moto("ec2", "DeleteEgressOnlyInternetGateway", params)
    return {"ReturnCode": True}


def create_peering(live: Live, params: Params) -> Answer:
    ours, peer = live.vpc(params["VpcId"]), live.ec2.vpcs.get(params.get("PeerVpcId"))
    answer = live.moto("ec2", "CreateVpcPeeringConnection", params)
    if peer is not None and ip_network(ours.cidr_block).overlaps(ip_network(peer.cidr_block)):
        made = _peering(live, answer["VpcPeeringConnection"]["VpcPeeringConnectionId"])
        made._status.code, made._status.message = (
            "failed",
            "Failed due to incorrect VPC-ID, Account ID, or CIDR overlap",
        )
    return answer


def _peering(live: Live, peering_id: str) -> Any:
    held = live.ec2.vpc_pcxs.get(peering_id)
    if held is None:
        message = f"The vpcPeeringConnection ID '{peering_id}' does not exist"
        raise Refusal("InvalidVpcPeeringConnectionID.NotFound", message)
    return held


def _from(operation: str, *states: str) -> Callable[[Live, Params], Answer]:
    """A call on a peering that is in one of these states."""

    def act(live: Live, params: Params) -> Answer:
        held = _peering(live, params["VpcPeeringConnectionId"])
        if held._status.code not in states:
            message = f"Invalid state transition for {held.id}, which is {held._status.code}"
            raise Refusal("InvalidStateTransition", message)
        return live.moto("ec2", operation, params)

    return act


def create_flow_logs(live: Live, params: Params) -> Answer:
    known: Any = {"VPC": live.ec2.vpcs, "Subnet": live.subnets(), "NetworkInterface": live.ec2.enis}
    there = known.get(params["ResourceType"], {})
    missing = [each for each in params["ResourceIds"] if each not in there]
    error = {"Code": "400", "Message": "The resource does not exist"}
    failed = [{"ResourceId": each, "Error": error} for each in missing]
    rest = [each for each in params["ResourceIds"] if each in there]
    if not rest:
        return {"FlowLogIds": [], "Unsuccessful": failed}
    answer = live.moto("ec2", "CreateFlowLogs", {**params, "ResourceIds": rest})
    return {**answer, "Unsuccessful": [*(answer.get("Unsuccessful") or []), *failed]}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateEgressOnlyInternetGateway": create_egress_only,
    "DeleteEgressOnlyInternetGateway": delete_egress_only,
    "CreateVpcPeeringConnection": create_peering,
    "AcceptVpcPeeringConnection": _from("AcceptVpcPeeringConnection", "pending-acceptance"),
    "RejectVpcPeeringConnection": _from("RejectVpcPeeringConnection", "pending-acceptance"),
    "DeleteVpcPeeringConnection": _from("DeleteVpcPeeringConnection", "pending-acceptance", "active"),
    "CreateFlowLogs": create_flow_logs,
}
