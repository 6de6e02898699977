"""NAT gateways and the elastic addresses that they use, as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, CreateNatGateway, NatGateway, DeleteNatGateway, ReleaseAddress; VPC User Guide, "NAT
gateways"): a new one is pending, and that it cannot work is told later, by the state `failed` and a FailureCode; a
public one needs an address that nothing uses, and a VPC with an internet gateway; a deleted one leaves its address,
which is not released; deleted and failed ones are shown for about an hour, still with their address (`forget`); an
address in use is not released. Of the two codes that people have seen for that, AuthFailure is the other one. Regional
gateways and secondary addresses are refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import arrivals
from lab.live import Answer, Live, Params
from lab.refusal import Refusal, not_modelled

_OVER = frozenset({"failed", "deleted"})
_NOT_MODELLED = frozenset(
    {"AvailabilityMode", "VpcId", "AvailabilityZoneAddresses", "SecondaryAllocationIds", "SecondaryPrivateIpAddresses"}
)


def create(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateNatGateway", params)
    if earlier is not None:
        return earlier
    if params.get("AvailabilityMode", "zonal") != "zonal" or _NOT_MODELLED & params.keys() - {"AvailabilityMode"}:
        raise not_modelled("a regional NAT gateway, or one with secondary addresses")
    if not params.get("SubnetId"):
        raise Refusal("MissingParameter", "The request must contain the parameter SubnetId")
    subnet = live.subnet(params["SubnetId"])
    public = params.get("ConnectivityType", "public") == "public"
    address = params.get("AllocationId")
    if public != bool(address):
        code = "MissingParameter" if public else "InvalidParameterCombination"
        raise Refusal(code, "A public NAT gateway has an AllocationId, and a private one has none")
    failure = _failure(live, subnet, address) if public else ""
    kept = ("SubnetId", "ConnectivityType", "TagSpecifications")
    plain: Params = {name: params[name] for name in kept if name in params}
    usable = {"AllocationId": address} if address and not failure else {}
    answer = live.moto("ec2", "CreateNatGateway", {**plain, **usable})
    nat = live.ec2.nat_gateways[answer["NatGateway"]["NatGatewayId"]]
    nat.failure = failure
    if failure and address:
        nat.address_set[0]["allocationId"] = address
        live.ec2.enis.pop(nat._eni.id, None)
    arrivals.begin(live, nat, "pending", "failed" if failure else "available")
    answer["NatGateway"] = {**_shown(nat, answer["NatGateway"]), "State": "pending"}
    answer["NatGateway"].pop("FailureCode", None)
    live.remember_request("CreateNatGateway", params, answer)
    return answer


def _failure(live: Live, subnet: Any, allocation: str | None) -> str:
    """Why a public gateway will not work, as FailureCode; empty if it will."""
    if live.gateway_of(subnet.vpc_id) is None:
        return "Gateway.NotAttached"
    address = next((each for each in live.ec2.addresses if each.allocation_id == allocation), None)
    if address is None:
        return "InvalidAllocationID.NotFound"
    return "Resource.AlreadyAssociated" if address.association_id else ""


def delete(live: Live, params: Params) -> Answer:
    nat = live.ec2.nat_gateways.get(params["NatGatewayId"])
    if nat is None or nat.state in {"deleting", "deleted"}:
        raise Refusal("NatGatewayNotFound", f"The Nat Gateway {params['NatGatewayId']} was not found")
    for address in live.ec2.addresses:
        if address.eni is not None and address.eni.id == nat._eni.id:
            address.eni = address.association_id = None
    live.ec2.enis.pop(nat._eni.id, None)
    arrivals.begin(live, nat, "deleting", "deleted")
    return {"NatGatewayId": nat.id}


def forget(live: Live) -> None:
    """An hour later: what has failed or was deleted is shown no more."""
    for nat in list(live.ec2.nat_gateways.values()):
        if nat.state in _OVER:
            del live.ec2.nat_gateways[nat.id]
            live.ec2.tags.pop(nat.id, None)


def shown(live: Live, found: list[Answer]) -> list[Answer]:
    """The gateways of moto's answer, as AWS shows them."""
    return [_shown(live.ec2.nat_gateways[each["NatGatewayId"]], each) for each in found]


def _shown(nat: Any, item: Answer) -> Answer:
    failed = {"FailureCode": nat.failure, "FailureMessage": nat.failure} if nat.state == "failed" else {}
    addresses = [{**each, "IsPrimary": True} for each in item.get("NatGatewayAddresses") or []]
    kept = {
        "ConnectivityType": nat.connectivity_type or "public",
        "AvailabilityMode": "zonal",
        "NatGatewayAddresses": addresses,
    }
    return {**item, **kept, **failed}


def release(live: Live, params: Params) -> Answer:
    allocation = params.get("AllocationId")
    address = next((each for each in live.ec2.addresses if each.allocation_id == allocation), None)
    if address is None:
        raise Refusal("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
    if address.association_id:
        raise Refusal("InvalidIPAddress.InUse", f"The address with allocation id {allocation} is in use")
    return live.moto("ec2", "ReleaseAddress", params)


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateNatGateway": create,
    "DeleteNatGateway": delete,
    "ReleaseAddress": release,
}
