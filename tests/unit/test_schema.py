"""The schema is the models': its file is fresh, and what `load` takes it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import desired_state
from desired_state.resource import SECTIONS
from desired_state.schema import FILE, schema, written
from tests.support.documents import ADOPTED

KINDS = ", ".join(f"'^{kind}/.'" for kind in sorted(SECTIONS))
NOT_VPC = KINDS.removesuffix(", '^vpc/.'")
EXAMPLES = sorted((Path(desired_state.__file__).parent / "examples").glob("*.json"))


def test_the_schema_in_the_package_is_the_one_of_the_models() -> None:
    assert FILE.name == "schema.v1.json"
    assert FILE.read_text(encoding="utf-8") == written(), "run: python -m desired_state.schema"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_have_the_shape(example: Path) -> None:
    assert [error.message for error in validator().iter_errors(json.loads(example.read_text(encoding="utf-8")))] == []


def test_every_kind_has_its_section() -> None:
    assert schema()["properties"]["resources"]["properties"].keys() == SECTIONS.keys()


def test_null_is_nowhere_a_value() -> None:
    assert '"null"' not in written()


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"vpc": {"a": {"cidr": "10.0.0.0/16"}}}, "'cidr_block' is a required property"),
        ({"vpc": {"a": {"cidr_block": None}}}, "None is not of type 'string'"),
        ({"security_group": {"a": {"ingress": [{"protocol": "tcp"}]}}}, "'source' is a required property"),
        ({"security_group": {"a": {"ingress": {}}}}, "{} is not of type 'array'"),
        ({"network_acl": {"a": {"egress": []}}}, "[] is not of type 'object'"),
        ({"vpcs": {}}, "Additional properties are not allowed ('vpcs' was unexpected)"),
    ],
)
def test_a_wrong_shape_is_seen_by_an_editor_too(resources: object, message: str) -> None:
    document = json.loads(EXAMPLES[0].read_text(encoding="utf-8")) | {"resources": resources}
    assert message in [error.message for error in validator().iter_errors(document)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"adopt": {"route_table/a": "acl-01234567"}}, "'acl-01234567' is not valid under any of the given schemas"),
        ({"adopt": {"db_instance/a": "new"}}, "'new' does not match '^db-[A-Z0-9]{26}$'"),
        ({"adopt": {"elastic_ip/a": "new"}}, "'elastic_ip/a' does not match any of the regexes: " + KINDS),
        ({"external": {"vpc/a": {"id": "vpc-01234567"}}}, "'vpc/a' does not match any of the regexes: " + NOT_VPC),
        ({"external": {"subnet/a": {}}}, "{} is not valid under any of the given schemas"),
        ({"external": {"subnet/a": {"id": "subnet-01234567", "name": "b"}}}, "'document' is a dependency of 'name'"),
        ({"formerly": ["Shop"]}, "'Shop' does not match '^[a-z0-9][a-z0-9-]{0,62}$'"),
        ({"formerly": [f"old-{n}" for n in range(11)]}, f"{[f'old-{n}' for n in range(11)]} is too long"),
        ({"note": "x" * 1001}, f"'{'x' * 1001}' is too long"),
    ],
)
def test_the_words_of_adoption_are_checked_by_an_editor_too(words: dict[str, object], message: str) -> None:
    assert [error.message for error in validator().iter_errors(json.loads(ADOPTED) | words)] == [message]


def test_a_document_of_a_network_that_exists_has_the_shape() -> None:
    assert [error.message for error in validator().iter_errors(json.loads(ADOPTED))] == []


def test_what_rds_knows_by_its_name_has_no_former_names() -> None:
    definitions = schema()["$defs"]
    with_names = [kind for kind, model in SECTIONS.items() if "formerly" in definitions[model.__name__]["properties"]]
    assert with_names == [kind for kind, model in SECTIONS.items() if not model.never_renamed]
    assert SECTIONS.keys() - set(with_names) == {"db_instance", "db_subnet_group"}


def properties(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of the schema and of its parts, with its place."""
    if isinstance(node, list):
        for one in node:
            yield from properties(one, at)
    elif isinstance(node, dict):
        for key, one in node.items():
            if key in {"properties", "$defs"}:
                yield from ((f"{at}/{name}", value) for name, value in one.items())
                for name, value in one.items():
                    yield from properties(value, f"{at}/{name}")
            else:
                yield from properties(one, at)


def test_an_editor_explains_every_word_of_the_document() -> None:
    found = dict(properties(schema()))
    assert {"/scope", "/Scope/region", "/DbInstance/port", "/IngressRule/source", "/resources/vpc"} <= found.keys()
    assert [place for place, one in found.items() if not one.get("description", "").endswith((".", ")"))] == []


def test_a_description_says_more_than_the_name_of_its_field() -> None:
    for place, one in properties(schema()):
        words = set(re.findall("[a-z]{3,}", one["description"].lower()))
        assert len(words - set(re.findall("[a-z]+", place.lower()))) >= 2, place


def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def test_every_reference_has_its_definition() -> None:
    def references(node: object) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(references, node))
        if not isinstance(node, dict):
            return set()
        return (
            {str(node["$ref"])} if isinstance(node.get("$ref"), str) else set().union(*map(references, node.values()))
        )

    whole = schema()
    assert references(whole) == {f"#/$defs/{name}" for name in whole["$defs"]}
