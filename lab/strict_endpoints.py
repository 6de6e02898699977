"""VPC endpoints as in AWS, above all those of type Gateway, which write routes. Called by strict_aws.

Facts encoded (EC2 API reference, CreateVpcEndpoint, ModifyVpcEndpoint, DeleteVpcEndpoints; AWS PrivateLink guide,
"Gateway endpoints"): the type is Gateway when omitted, and only that type has route tables; it writes a route to the
service's prefix list into each of its tables, which only the endpoint takes out again; a table has one endpoint for a
service (RouteAlreadyExists); an interface endpoint without groups has the VPC's default one; an endpoint that is not
there is an item of Unsuccessful, not an error; one of type Interface has private names unless it is told not to, for
which the VPC needs DNS host names, and one endpoint of a service in a VPC has them. An endpoint is available at once
here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from lab.live import Answer, Live, Params
from lab.refusal import Refusal, not_modelled
from lab.strict_vpc import dns_is_on

GATEWAY = "Gateway"
_SERVICES = ("s3", "dynamodb")


def create(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateVpcEndpoint", params)
    if earlier is not None:
        return earlier
    vpc = live.vpc(params["VpcId"])
    kind = params.get("VpcEndpointType") or GATEWAY
    tables = params.get("RouteTableIds") or []
    _check_policy(params)
    wanted = {**params, "VpcEndpointType": kind, "RouteTableIds": []}
    if kind == GATEWAY:
        wanted["PrivateDnsEnabled"] = False
        prefix_list = _prefix_list(live, params["ServiceName"])
        _check_tables(live, vpc.id, tables, prefix_list)
    else:
        _refuse_tables(tables)
        wanted["PrivateDnsEnabled"] = _private_names(live, params)
        if not params.get("SecurityGroupIds"):
            wanted["SecurityGroupIds"] = [live.ec2.get_default_security_group(vpc.id).id]
    made = live.moto("ec2", "CreateVpcEndpoint", wanted)["VpcEndpoint"]
    endpoint = live.ec2.vpc_end_points[made["VpcEndpointId"]]
    if kind == GATEWAY:
        _add(live, endpoint, tables)
    answer = {"VpcEndpoint": {**made, "RouteTableIds": list(endpoint.route_table_ids)}}
    live.remember_request("CreateVpcEndpoint", params, answer)
    return answer


def _private_names(live: Live, params: Params) -> bool:
    """Whether an interface endpoint answers to the service's own name, as it does unless it is told not to."""
    if not params.get("PrivateDnsEnabled", True):
        return False
    vpc, service = params["VpcId"], params["ServiceName"]
    if not dns_is_on(live, vpc):
        message = (
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
        )
        raise Refusal("InvalidParameter", f"{message} for {vpc}")
    for each in live.ec2.vpc_end_points.values():
        if each.vpc_id == vpc and each.service_name == service and each.private_dns_enabled:
            message = "private-dns-enabled cannot be set because there is already a conflicting DNS domain"
            raise Refusal("InvalidParameter", f"{message} for {service} in the VPC {vpc}")
    return True


def _check_policy(params: Params) -> None:
    if params.get("PolicyDocument"):
        try:
            json.loads(params["PolicyDocument"])
        except ValueError as error:
            raise Refusal("InvalidPolicyDocument", "The policy document is not valid JSON.") from error


def _prefix_list(live: Live, service: str) -> Any:
    """The prefix list of a service that has endpoints of type Gateway."""
    known = {f"com.amazonaws.{live.region}.{name}" for name in _SERVICES}
    if service not in known:
        raise Refusal("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
    return next(each for each in live.ec2.managed_prefix_lists.values() if each.prefix_list_name == service)


def _refuse_tables(tables: Iterable[str]) -> None:
    if list(tables):
        raise Refusal("InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoint.")


def _check_tables(live: Live, vpc_id: str, tables: Iterable[str], prefix_list: Any) -> None:
    for table in map(live.route_table, tables):
        if table.vpc_id != vpc_id:
            raise Refusal("InvalidParameter", f"Route table {table.id} and the endpoint belong to different networks")
        if any(route.destination_prefix_list is prefix_list for route in table.routes):
            message = f"route table {table.id} already has a route with destination-prefix-list-id {prefix_list.id}"
            raise Refusal("RouteAlreadyExists", message)


def _add(live: Live, endpoint: Any, tables: Iterable[str]) -> None:
    prefix_list = _prefix_list(live, endpoint.service_name)
    for table in map(live.route_table, dict.fromkeys(tables)):
        live.ec2.create_route(table.id, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list.id)
        endpoint.route_table_ids = [*endpoint.route_table_ids, table.id]


def _remove(live: Live, endpoint: Any, tables: Iterable[str]) -> None:
    for table_id in tables:
        table = live.route_table(table_id)
        table._routes = {key: route for key, route in table._routes.items() if route.gateway is not endpoint}
    endpoint.route_table_ids = [each for each in endpoint.route_table_ids if each not in set(tables)]


_UNCHANGED = (
    "PrivateDnsEnabled", "ResetPolicy", "IpAddressType", "DnsOptions", "SubnetConfigurations", "AddSubnetIds",
    "RemoveSubnetIds",
)  # fmt: skip
"""What moto would take and not do."""


def modify(live: Live, params: Params) -> Answer:
    if ignored := [name for name in _UNCHANGED if name in params]:
        raise not_modelled(f"{', '.join(ignored)} of ModifyVpcEndpoint")
    endpoint = live.ec2.vpc_end_points.get(params["VpcEndpointId"])
    if endpoint is None:
        message = f"The Vpc Endpoint Id '{params['VpcEndpointId']}' does not exist"
        raise Refusal("InvalidVpcEndpointId.NotFound", message)
    _check_policy(params)
    added, removed = params.get("AddRouteTableIds") or [], params.get("RemoveRouteTableIds") or []
    if endpoint.vpc_endpoint_type == GATEWAY:
        new = [table for table in added if table not in endpoint.route_table_ids]
        _check_tables(live, endpoint.vpc_id, new, _prefix_list(live, endpoint.service_name))
        for table in removed:
            live.route_table(table)
        _add(live, endpoint, new)
        _remove(live, endpoint, removed)
    else:
        _refuse_tables([*added, *removed])
    rest = {name: value for name, value in params.items() if "RouteTableIds" not in name}
    return live.moto("ec2", "ModifyVpcEndpoint", rest)


def delete(live: Live, params: Params) -> Answer:
    failed = []
    for endpoint_id in params["VpcEndpointIds"]:
        endpoint = live.ec2.vpc_end_points.pop(endpoint_id, None)
        if endpoint is None:
            error = {
                "Code": "InvalidVpcEndpoint.NotFound",
                "Message": f"The Vpc Endpoint Id '{endpoint_id}' does not exist",
            }
            failed.append({"ResourceId": endpoint_id, "Error": error})
            continue
        _remove(live, endpoint, list(endpoint.route_table_ids))
        for interface_id in endpoint.network_interface_ids:
            live.ec2.enis.pop(interface_id, None)
        live.ec2.tags.pop(endpoint_id, None)
    return {"Unsuccessful": failed}


def is_endpoint_route(route: Any) -> bool:
    """Whether a gateway endpoint made this route of moto."""
    return route.destination_prefix_list is not None and str(getattr(route.gateway, "id", "")).startswith("vpce-")


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateVpcEndpoint": create,
    "ModifyVpcEndpoint": modify,
    "DeleteVpcEndpoints": delete,
}
