"""What AWS is still creating: a VPC or a subnet is `pending` before it is available. Called by strict_aws.

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
_SHOWN = {"DescribeVpcs": ("Vpcs", "VpcId"), "DescribeSubnets": ("Subnets", "SubnetId")}
_UNKNOWN = {"vpc": "InvalidVpcID.NotFound", "subnet": "InvalidSubnetID.NotFound"}
_STATES = {
    "vpc": frozenset({PENDING, "available"}),
    "subnet": frozenset({PENDING, "available", "unavailable", "failed", "failed-insufficient-capacity"}),
}
"""VpcState and SubnetState."""
_IN_ANY_STATE = frozenset({"CreateTags", "DeleteTags"})


def made(live: Live, operation: str, answer: Answer) -> None:
    """Something was created: its answer says `pending`, and so do the next looks."""
    if operation in _MADE:
        key, id_member = _MADE[operation]
        answer[key]["State"] = PENDING
        if live.arrive_after:
            _put(live, answer[key][id_member], PENDING)
            live.arriving[answer[key][id_member]] = live.arrive_after


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
    """Put a VPC or a subnet into a state that AWS might give it by itself."""
    if state not in _STATES[resource_id.partition("-")[0]]:
        raise ValueError(f"{resource_id} has no state {state}")
    live.arriving.pop(resource_id, None)
    _put(live, resource_id, state)


def _put(live: Live, resource_id: str, state: str) -> None:
    thing: Any = live.vpc(resource_id) if resource_id.startswith("vpc-") else live.subnet(resource_id)
    thing.state = state
    live.forget_answers()


def _seen(live: Live, resource_id: str) -> None:
    if resource_id in live.arriving:
        live.arriving[resource_id] -= 1
        if not live.arriving[resource_id]:
            del live.arriving[resource_id]
            _put(live, resource_id, "available")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
