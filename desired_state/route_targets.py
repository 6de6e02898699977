"""The targets of routes that a document can name by their ids, and the parameter of CreateRoute for each.

Facts encoded (EC2 API reference, CreateRoute and Route; Cloud WAN and Oracle Database@AWS name theirs by ARNs). A
target that AWS adds later has no parameter here: such a route is tolerated by what AWS shows, and never made.
"""

from __future__ import annotations

import re
from functools import lru_cache

from desired_state.resource import route_parameter

_ID = "-[0-9a-f]{8,17}"
_PARAMETERS = {
    f"igw{_ID}": "GatewayId",
    f"vgw{_ID}": "GatewayId",
    f"nat{_ID}": "NatGatewayId",
    f"pcx{_ID}": "VpcPeeringConnectionId",
    f"tgw{_ID}": "TransitGatewayId",
    f"eni{_ID}": "NetworkInterfaceId",
    f"vpce{_ID}": "VpcEndpointId",
    f"eigw{_ID}": "EgressOnlyInternetGatewayId",
    f"lgw{_ID}": "LocalGatewayId",
    f"cagw{_ID}": "CarrierGatewayId",
    r"arn:aws[a-z-]*:networkmanager:[a-z0-9-]*:[0-9]{12}:core-network/[a-z0-9-]{1,64}": "CoreNetworkArn",
    r"arn:aws[a-z-]*:odb:[a-z0-9-]*:[0-9]{12}:odb-network/[A-Za-z0-9_-]{1,64}": "OdbNetworkArn",
}
_TARGETS = tuple((re.compile(pattern), parameter) for pattern, parameter in _PARAMETERS.items())
_TOLERABLE = re.compile(r"arn:[!-~]{1,1000}|[a-z][a-z0-9]{0,30}-[0-9a-zA-Z_-]{4,64}|[0-9a-fA-F.:]{3,45}")
UNKNOWN = "unknown"
"""What stands for the target of a route that AWS shows without any that is known here."""
WRITTEN = (
    "the id of an igw-, nat-, pcx-, tgw-, vgw-, eni-, vpce-, eigw-, lgw- or cagw- target, or the ARN of a core network "
    "or an ODB network"
)


def target_parameter(target: str) -> str:
    """The parameter of CreateRoute for a target, an address or an id; empty if no route can be made to it."""
    return route_parameter(target) or _of_id(target)


@lru_cache(maxsize=4096)
def _of_id(target: str) -> str:
    return next((name for form, name in _TARGETS if form.fullmatch(target)), "")


def is_replaceable(target: str) -> bool:
    """Whether somebody can make a route to it again: what is known, or an instance (AWS shows its interface)."""
    return bool(target_parameter(target)) or target.startswith("i-")


def is_tolerable(target: str) -> bool:
    """Whether it can be what AWS shows as a target: of these, an exception may name any."""
    return target == UNKNOWN or _TOLERABLE.fullmatch(target) is not None


def of_endpoint(destination: str, target: str) -> bool:
    """Whether a route is one that a gateway endpoint makes: a prefix list by way of an endpoint (AWS PrivateLink guide,
    Gateway endpoints). No call for routes makes or takes away such a route.
    """
    return destination.startswith("pl-") and target.startswith("vpce-")
