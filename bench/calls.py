"""The nine reads of a run in sync as plain boto3 calls: the baseline of every figure.

Imports neither the product nor the laboratory, because the measured processes import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

ACCOUNT = "123456789012"
REGION = "ap-northeast-2"


class Call(NamedTuple):
    """One read. `name` is its answer's file in a world's folder."""

    name: str
    service: str
    operation: str
    params: Mapping[str, Any]


def calls(vpc_id: str) -> tuple[Call, ...]:
    """The nine reads, in the largest pages AWS gives."""

    def of_vpc(operation: str, page: int = 1000, key: str = "vpc-id") -> Call:
        return Call(operation, "ec2", operation, {"Filters": [{"Name": key, "Values": [vpc_id]}], "MaxResults": page})

    def attribute(name: str) -> Call:
        params = {"VpcId": vpc_id, "Attribute": name}
        return Call(f"DescribeVpcAttribute.{name}", "ec2", "DescribeVpcAttribute", params)

    return (
        of_vpc("DescribeVpcs"),
        attribute("enableDnsSupport"),
        attribute("enableDnsHostnames"),
        of_vpc("DescribeSubnets"),
        of_vpc("DescribeInternetGateways", key="attachment.vpc-id"),
        of_vpc("DescribeRouteTables", 100),
        of_vpc("DescribeSecurityGroups"),
        of_vpc("DescribeNetworkAcls"),
        Call("DescribeDBInstances", "rds", "DescribeDBInstances", {"MaxRecords": 100}),
    )


def made(client: Any, call: Call) -> Any:
    """The call, made with a boto3 client."""
    from botocore import xform_name

    return getattr(client, xform_name(call.operation))(**call.params)


@cache
def service_model(service: str) -> Any:
    """botocore's description of a service."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader(include_default_search_paths=True).load_service_model(service, "service-2"), service)


def parser(call: Call) -> Callable[[bytes], Any]:
    """botocore's own way from the bytes of an answer to what a client returns."""
    from botocore.parsers import ResponseParserFactory

    model = service_model(call.service)
    shape = model.operation_model(call.operation).output_shape
    parse = ResponseParserFactory().create_parser(model.metadata["protocol"])
    return lambda body: parse.parse({"body": body, "headers": {}, "status_code": 200}, shape)


def keeping(call: Call, memo: Any) -> Callable[[bytes], Any]:
    """The same, with a memo of items that botocore asks before it parses; as its endpoint does it."""
    parse, model = parser(call), service_model(call.service).operation_model(call.operation)

    def parsed(body: bytes) -> Any:
        response: dict[str, Any] = {"body": body, "headers": {}, "status_code": 200}
        beside: dict[str, Any] = {}
        if call.service == "ec2":
            memo.before_parse(model, response, beside)
        return parse(response["body"]) | beside

    return parsed
