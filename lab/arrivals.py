"""What AWS is still creating or changing: a VPC or a subnet is `pending` before it is available. Called by strict_aws,
and for NAT gateways and prefix lists by their modules.

Nothing waits for real time: something arrives after it was shown, or was not found, `arrive_after` times. A subnet may
also be put into any other state that AWS has for one (`put`).

Facts encoded (EC2 API reference, Vpc and Subnet, State; EC2 developer guide, "Eventual consistency"): the answer that
creates either says `pending`. What a call on it meets meanwhile is not documented, and people have seen all three: it
is carried out, it does not find it, or it is refused because of its state. `meanwhile` says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.live import Answer, Live, Params
from lab.refusal import Refusal

PENDING = "pending"
_MADE = {"CreateVpc": ("Vpc", "VpcId"), "CreateSubnet": ("Subnet", "SubnetId")}
_SHOWN = {
    "DescribeVpcs": ("Vpcs", "VpcId"),
    "DescribeSubnets": ("Subnets", "SubnetId"),
    "DescribeNatGateways": ("NatGateways", "NatGatewayId"),
    "DescribeManagedPrefixLists": ("PrefixLists", "PrefixListId"),
}
_UNKNOWN = {
    "vpc": "InvalidVpcID.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "nat": "InvalidNatGatewayID.NotFound",
    "pl": "InvalidPrefixListID.NotFound",
}
_STATES = {
    "vpc": frozenset({PENDING, "available"}),
    "subnet": frozenset({PENDING, "available", "unavailable", "failed", "failed-insufficient-capacity"}),
    "nat": frozenset({PENDING, "available", "failed", "deleting", "deleted"}),
}
"""VpcState, SubnetState and NatGatewayState."""
_IN_ANY_STATE = frozenset({"CreateTags", "DeleteTags"})


def made(live: Live, operation: str, answer: Answer) -> None:
    """A VPC or a subnet was created: its answer says `pending`, and so do the next looks."""
    if operation in _MADE:
        key, id_member = _MADE[operation]
        answer[key]["State"] = PENDING
        if live.arrive_after:
            begin(live, _thing(live, answer[key][id_member]), PENDING, "available")


def begin(live: Live, thing: Any, passing: str, final: str) -> None:
    """Something begins to change: it is in the state `passing` until it was seen so, and then in `final`."""
    thing.state, thing.becomes = (passing, final) if live.arrive_after else (final, final)
    live.arriving.pop(thing.id, None)
    if live.arrive_after:
        live.arriving[thing.id] = live.arrive_after
    live.forget_answers()


def shown(live: Live, operation: str, answer: Answer) -> None:
    """Something was looked at: what was pending often enough is available from the next look on."""
    if live.arriving and operation in _SHOWN:
        key, id_member = _SHOWN[operation]
        for one in answer[key]:
            _seen(live, one[id_member])


def check(live: Live, service: str, operation: str, params: Params) -> None:
    """Refuse a call that names something pending, if that is what happens meanwhile."""
    if live.meanwhile == "accepted" or not live.arriving:
        return
    unknown = live.meanwhile == "unknown"
    if not unknown and operation in _IN_ANY_STATE:
        return
    for each in _texts(params):
        if each in live.arriving:
            _seen(live, each)
            if not unknown:
                raise Refusal("IncorrectState", f"The resource '{each}' is in the state {PENDING}")
            code = "InvalidSubnet" if service == "rds" else _UNKNOWN[each.partition("-")[0]]
            raise Refusal(code, f"The ID '{each}' does not exist")


def put(live: Live, resource_id: str, state: str) -> None:
    """Put something into a state that AWS might give it by itself."""
    if state not in _STATES[resource_id.partition("-")[0]]:
        raise ValueError(f"{resource_id} has no state {state}")
    live.arriving.pop(resource_id, None)
    _put(live, resource_id, state)


def _thing(live: Live, resource_id: str) -> Any:
    kind = resource_id.partition("-")[0]
    if kind == "nat":
        return live.ec2.nat_gateways[resource_id]
    if kind == "pl":
        return live.ec2.managed_prefix_lists[resource_id]
    return live.vpc(resource_id) if kind == "vpc" else live.subnet(resource_id)


def _put(live: Live, resource_id: str, state: str) -> None:
    _thing(live, resource_id).state = state
    live.forget_answers()


def _seen(live: Live, resource_id: str) -> None:
    if resource_id in live.arriving:
        live.arriving[resource_id] -= 1
        if not live.arriving[resource_id]:
            del live.arriving[resource_id]
            _put(live, resource_id, _thing(live, resource_id).becomes)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
