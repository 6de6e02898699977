"""botocore with the pruned data does what it does with its own, for every call that the functions may make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.paginate import PaginatorModel
from botocore.parsers import ResponseParserFactory
from botocore.regions import EndpointResolver
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from artefact.assemble import calls
from artefact.prune import endpoints, model
from bench.calls import Call
from bench.worlds import as_xml
from tests.support.alone import run_in

CALLS = sorted((service, operation) for service, operations in calls().items() for operation in operations)
SERVICES = sorted(calls())
_NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@cache
def _loader(data: Path) -> Loader:
    return Loader(extra_search_paths=[str(data)], include_default_search_paths=False)


@cache
def _service(data: Path, name: str) -> Any:
    return ServiceModel(_loader(data).load_service_model(name, "service-2"), name)


STOCK = Path(botocore.__file__).parent / "data"


@pytest.fixture(scope="session")
def pruned(artefact: Path) -> Path:
    return artefact / "botocore" / "data"


def _described(shape: Shape | None, seen: frozenset[str] = frozenset()) -> Any:
    """All that botocore knows of a shape, as literals, documentation apart; what recurs is named."""
    if shape is None or shape.name in seen:
        return shape and shape.name
    seen |= {shape.name}
    told: dict[str, Any] = {"is": (shape.name, shape.type_name, shape.serialization, shape.metadata)}
    if isinstance(shape, StructureShape):
        told["members"] = [(name, _described(member, seen)) for name, member in shape.members.items()]
        told["tagged union"], told["document"] = shape.is_tagged_union, shape.is_document_type
    elif isinstance(shape, ListShape):
        told["member"] = _described(shape.member, seen)
    elif isinstance(shape, MapShape):
        told["key"], told["value"] = _described(shape.key, seen), _described(shape.value, seen)
    return told


def _operation(one: OperationModel) -> Any:
    return {
        "input": _described(one.input_shape),
        "output": _described(one.output_shape),
        "errors": [_described(error) for error in one.error_shapes],
        "http": one.http,
        "auth": (one.auth_type, one.auth, one.unsigned_payload),
        "checksum": (one.http_checksum, one.http_checksum_required),
        "endpoint": (one.endpoint, one.static_context_parameters, one.context_parameters, one.endpoint_discovery),
        "request": (one.idempotent_members, one.request_compression, one.has_streaming_input, one.has_streaming_output),
    }


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_an_operation_is_described_as_in_the_stock_model(pruned: Path, service: str, operation: str) -> None:
    ours = _operation(_service(pruned, service).operation_model(operation))
    assert ours == _operation(_service(STOCK, service).operation_model(operation))
    assert ours["http"]


def _sample(shape: Shape, seen: tuple[str, ...] = ()) -> Any:
    """A value with every member there is; of shapes that contain themselves, once."""
    again = (*seen, shape.name)
    match shape:
        case StructureShape():
            items = shape.members.items()
            if shape.is_tagged_union:
                items = list(items)[:1]  # type: ignore[assignment]
            return {name: _sample(member, again) for name, member in items if member.name not in again}
        case ListShape():
            return [] if shape.member.name in again else [_sample(shape.member, again)] * 2
        case MapShape():
            return {} if shape.value.name in again else {"key": _sample(shape.value, again)}
        case _:
            return _plain(shape)


def _plain(shape: Shape) -> Any:
    plain: Mapping[str, Any] = {
        "blob": b"bytes",
        "boolean": True,
        "double": 1.5,
        "float": 1.5,
        "integer": shape.metadata.get("min", 7),
        "long": shape.metadata.get("min", 7),
        "timestamp": _NOON,
    }
    return plain.get(shape.type_name, "x" * shape.metadata.get("min", 3))


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_a_request_is_valid_and_serialised_alike(
    pruned: Path, service: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: "00000000-0000-4000-8000-000000000000")
    requests = []
    for data in (pruned, STOCK):
        known = _service(data, service)
        one = known.operation_model(operation)
        params = _sample(one.input_shape) if one.input_shape else {}
        if one.input_shape:
            assert not ParamValidator().validate(params, one.input_shape).has_errors()
        serializer = create_serializer(known.resolved_protocol)
        requests.append(serializer.serialize_to_request(params, one))
    assert requests[0] == requests[1]
    assert requests[0]["method"] in {"GET", "HEAD", "POST", "PUT"}


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_a_missing_required_parameter_is_refused_alike(pruned: Path, service: str, operation: str) -> None:
    told = []
    for data in (pruned, STOCK):
        shape = _service(data, service).operation_model(operation).input_shape
        told.append(ParamValidator().validate({}, shape).generate_report() if shape else "")
    assert told[0] == told[1]


def _body(known: Any, one: OperationModel) -> bytes:
    """A full answer as AWS spells it in the service's protocol."""
    shape = one.output_shape
    if shape is None:
        return f"<{one.name}Response><requestId>1</requestId></{one.name}Response>".encode()
    if "payload" in shape.serialization:
        return b"bytes"
    value = _sample(shape)
    if known.resolved_protocol in {"ec2", "query", "rest-xml"}:
        return as_xml(Call("", known.service_name, one.name, {}), value)
    return json.dumps(value, default=lambda other: other.timestamp() if other == _NOON else "Ynl0ZXM=").encode()


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_an_answer_is_parsed_alike(pruned: Path, service: str, operation: str) -> None:
    body = _body(_service(STOCK, service), _service(STOCK, service).operation_model(operation))
    parsed = []
    for data in (pruned, STOCK):
        known = _service(data, service)
        answer = {"body": body, "headers": {"x-amzn-requestid": "1"}, "status_code": 200}
        parse = ResponseParserFactory().create_parser(known.resolved_protocol).parse
        parsed.append(parse(answer, known.operation_model(operation).output_shape))
    assert parsed[0] == parsed[1]
    assert parsed[0]["ResponseMetadata"]["HTTPStatusCode"] == 200
    declared = _service(STOCK, service).operation_model(operation).output_shape
    body_members = [one for one in declared.members.values() if "location" not in one.serialization] if declared else []
    assert len(parsed[0]) > len(body_members)


_REFUSALS = {
    "ec2": "<Response><Errors><Error><Code>{0}</Code><Message>no</Message></Error></Errors></Response>",
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>{0}</Code><Message>no</Message></Error></ErrorResponse>",
    "rest-xml": "<Error><Code>{0}</Code><Message>no</Message><RequestId>1</RequestId></Error>",
    "json": '{{"__type": "com.amazonaws#{0}", "message": "no"}}',
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_of_a_service_is_known_by_its_code_as_before(pruned: Path, service: str) -> None:
    ours, stock = _service(pruned, service), _service(STOCK, service)
    codes = {one.error_code or one.name for one in stock.error_shapes} | {"AccessDenied", "Throttling"}
    for code in codes:
        assert _described(ours.shape_for_error_code(code)) == _described(stock.shape_for_error_code(code))
    body = _REFUSALS[stock.resolved_protocol].format(min(codes)).encode()
    answer: Any = {"body": body, "headers": {}, "status_code": 400}
    parsers: list[Any] = [ResponseParserFactory().create_parser(known.resolved_protocol) for known in (ours, stock)]
    parsed = [parser.parse(answer, None) for parser in parsers]
    assert parsed[0] == parsed[1]
    assert parsed[0]["Error"]["Code"] == min(codes)


def test_the_pages_of_every_call_are_turned_alike(pruned: Path) -> None:
    turned = set()
    for service, operation in CALLS:
        try:
            stock = PaginatorModel(_loader(STOCK).load_service_model(service, "paginators-1")).get_paginator(operation)
        except ValueError:
            continue
        ours = PaginatorModel(_loader(pruned).load_service_model(service, "paginators-1")).get_paginator(operation)
        assert ours == stock
        turned.add(operation)
    assert {"DescribeSecurityGroups", "DescribeRouteTables", "DescribeDBInstances", "ListObjectsV2", "Scan"} <= turned


def _places() -> Iterator[tuple[str, str]]:
    for partition in _loader(STOCK).load_data("endpoints")["partitions"]:
        yield from ((partition["partition"], region) for region in partition["regions"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_endpoint_of_a_service_is_the_same_in_every_region(pruned: Path, service: str) -> None:
    ours, stock = (EndpointResolver(_loader(data).load_data("endpoints")) for data in (pruned, STOCK))
    regions = list(_places())
    assert len(regions) > 35
    for partition, region in regions:
        for tls_only in ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}):
            mine, theirs = (_endpoint(one, service, region, tls_only) for one in (ours, stock))
            assert mine == theirs, (region, tls_only)
        assert ours.get_partition_for_region(region) == partition
    assert ours.get_available_endpoints(service) == stock.get_available_endpoints(service)


def _endpoint(resolver: Any, service: str, region: str, variant: Mapping[str, bool]) -> Any:
    try:
        return resolver.construct_endpoint(service, region, **variant)
    except botocore.exceptions.EndpointVariantError as error:
        return str(error)


def test_the_rules_of_endpoints_and_the_partitions_are_the_stock_files(pruned: Path) -> None:
    for service in SERVICES:
        version = _loader(STOCK).determine_latest_version(service, "service-2")
        assert _loader(pruned).determine_latest_version(service, "service-2") == version
        rules = Path(service, version, "endpoint-rule-set-1.json.gz")
        assert (pruned / rules).read_bytes() == (STOCK / rules).read_bytes()
    for name in ("_retry", "partitions", "sdk-default-configuration"):
        assert (pruned / f"{name}.json").read_bytes() == (STOCK / f"{name}.json").read_bytes()


def test_a_client_of_the_artefact_has_a_method_for_every_call_and_the_endpoint_of_stock_boto3(artefact: Path) -> None:
    regions = ("eu-west-1", "ap-northeast-2", "us-east-1", "cn-north-1", "us-gov-west-1")
    script = f"""
import boto3, json
from botocore import xform_name
session = boto3.Session("testing", "testing")
told = {{}}
for service in {SERVICES!r}:
    for region in {regions!r}:
        told[service + " " + region] = session.client(service, region_name=region).meta.endpoint_url
for service, operation in {CALLS!r}:
    client = session.client(service, region_name="eu-west-1")
    assert callable(getattr(client, xform_name(operation))), operation
    if client.can_paginate(xform_name(operation)):
        client.get_paginator(xform_name(operation))
print(json.dumps(told))
"""
    told = json.loads(run_in(artefact, script))
    session = boto3.Session("testing", "testing")
    for place, url in told.items():
        service, region = place.split()
        assert url == session.client(service, region_name=region).meta.endpoint_url


def test_a_document_of_the_newest_partition_loads_in_the_artefact(artefact: Path) -> None:
    script = "from desired_state.regions import region_of; print(region_of('eusc-de-east-1a'))"
    assert run_in(artefact, script).strip() == "eusc-de-east-1"


def test_documentation_is_gone_and_a_member_of_that_name_stays() -> None:
    whole = {
        "version": "2.0",
        "documentation": "gone",
        "operations": {
            "Say": {"input": {"shape": "Words", "documentation": "gone"}, "errors": [{"shape": "No"}]},
            "Other": {"input": {"shape": "Unused"}},
        },
        "shapes": {
            "Words": {"type": "structure", "members": {"documentation": {"shape": "Text", "documentation": "gone"}}},
            "Text": {"type": "string", "documentation": "gone"},
            "No": {"type": "structure", "exception": True, "members": {}},
            "Undeclared": {"type": "structure", "exception": True, "members": {}},
            "Unused": {"type": "structure", "members": {}},
        },
    }
    assert model(whole, {"Say"}) == {
        "version": "2.0",
        "operations": {"Say": {"input": {"shape": "Words"}, "errors": [{"shape": "No"}]}},
        "shapes": {
            "Words": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
            "Text": {"type": "string"},
            "No": {"type": "structure", "exception": True, "members": {}},
            "Undeclared": {"type": "structure", "exception": True, "members": {}},
        },
    }


def test_endpoints_keep_every_partition_and_region() -> None:
    whole = {"version": 3, "partitions": [{"regions": {"r": {}}, "services": {"ec2": {"endpoints": {}}, "iam": {}}}]}
    assert endpoints(whole, {"ec2", "sts"}) == {
        "version": 3,
        "partitions": [{"regions": {"r": {}}, "services": {"ec2": {"endpoints": {}}}}],
    }


@pytest.mark.parametrize("service", SERVICES)
def test_methods_are_named_as_operations_are(pruned: Path, service: str) -> None:
    names = _service(pruned, service).operation_names
    assert len({xform_name(name) for name in names}) == len(names)
    assert set(names) >= set(calls()[service])
