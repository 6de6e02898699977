"""The words of a document are AWS's own, nothing in it can be a secret, and nothing in it can widen what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import StructureShape
from pydantic import ValidationError

from desired_state.database import DbInstance
from desired_state.resource import SECTIONS
from desired_state.schema import schema
from reconciler.kinds import REGISTRY
from reconciler.kinds.vpc import ATTRIBUTES

SHAPES = {
    "vpc": ("ec2", ("Vpc",)),
    "internet_gateway": ("ec2", ("InternetGateway", "InternetGatewayAttachment")),
    "subnet": ("ec2", ("Subnet",)),
    "route_table": ("ec2", ("RouteTable", "RouteTableAssociation")),
    "security_group": ("ec2", ("SecurityGroup",)),
    "network_acl": ("ec2", ("NetworkAcl",)),
    "db_subnet_group": ("rds", ("DBSubnetGroup",)),
    "db_instance": ("rds", ("DBInstance",)),
}
"""What AWS answers about a resource of each kind."""

OTHERWISE = {
    ("vpc", "secondary_cidr_blocks"): "AWS lists all blocks as associations, and calls the further ones secondary",
    ("vpc", "enable_dns_support"): "told by DescribeVpcAttribute only, and so called in ModifyVpcAttribute",
    ("vpc", "enable_dns_hostnames"): "the same",
    ("route_table", "subnets"): "AWS lists associations, of which the subnet is all there is to declare",
    ("network_acl", "subnets"): "the same",
    ("network_acl", "ingress"): "AWS lists entries of both directions, told apart by a flag",
    ("network_acl", "egress"): "the same",
    ("security_group", "ingress"): "AWS calls inbound rules IpPermissions and the calls that make them ...Ingress",
    ("security_group", "egress"): "the same with IpPermissionsEgress and ...Egress",
    ("db_subnet_group", "description"): "AWS says DBSubnetGroupDescription; elsewhere it is a description",
    ("db_instance", "manage_master_user_password"): "a parameter of CreateDBInstance; shown as MasterUserSecret",
    ("db_instance", "port"): "a parameter of CreateDBInstance; shown within Endpoint",
    ("db_instance", "monitoring_role"): "AWS says MonitoringRoleArn; elsewhere a reference has no such ending",
    ("db_instance", "iam_database_authentication"): "AWS says IAMDatabaseAuthenticationEnabled",
    ("db_instance", "db_parameter_group"): "AWS lists DBParameterGroups, of which PostgreSQL has one",
    ("db_instance", "tags"): "RDS answers TagList; elsewhere they are Tags",
    ("db_subnet_group", "tags"): "RDS tells them in ListTagsForResource only",
}
"""Every name that is not a member of what AWS answers, and why."""


@cache
def members(kind: str) -> frozenset[str]:
    service, names = SHAPES[kind]
    model = botocore.session.get_session().get_service_model(service)
    found = set()
    for name in names:
        shape = model.shape_for(name)
        assert isinstance(shape, StructureShape)
        found |= {xform_name(member) for member in shape.members}
    shortened = {re.sub(r"_(id|ids|name)$", "", name) for name in found}
    return frozenset(found | shortened)


FIELDS = [(kind, field) for kind, model in SECTIONS.items() if kind in SHAPES for field in model.described()]


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_every_property_has_the_name_that_aws_gives_it(kind: str, field: str) -> None:
    assert (field in members(kind)) is ((kind, field) not in OTHERWISE)


def test_no_exception_outlives_its_property() -> None:
    assert OTHERWISE.keys() <= set(FIELDS)


def test_every_kind_of_the_registry_has_its_section_and_the_other_way_round() -> None:
    assert REGISTRY.keys() == SHAPES.keys()
    assert {name: kind.model for name, kind in REGISTRY.items()} == {name: SECTIONS[name] for name in SHAPES}


def test_the_dns_attributes_are_called_as_the_call_that_sets_them_calls_them() -> None:
    model = botocore.session.get_session().get_service_model("ec2").operation_model("ModifyVpcAttribute")
    assert isinstance(model.input_shape, StructureShape)
    for field, member in ATTRIBUTES.items():
        assert xform_name(member) == field
        assert member in model.input_shape.members


def properties(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", ())
        for inner in node.values():
            yield from properties(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from properties(inner)


def test_no_property_could_hold_a_secret() -> None:
    words = re.compile(r"password|secret|token|credential|private|access_key|kms", re.IGNORECASE)
    found = {name for name in properties(schema()) if words.search(name)}
    assert found == {"manage_master_user_password", "kms_key", "performance_insights_kms_key"}
    for field in found - {"manage_master_user_password"}:  # the names of keys, which say nothing secret
        with pytest.raises(ValidationError, match="is not the ARN of a KMS key"):
            DbInstance.model_validate({field: "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"})
    assert schema()["$defs"]["DbInstance"]["properties"]["manage_master_user_password"]["type"] == "boolean"


def test_a_document_names_no_role_no_place_to_send_to_and_no_limit() -> None:
    words = re.compile(
        r"role|arn|queue|topic|sns|sqs|bucket|lambda|webhook|url|email|alert|limit|max_breaks|approve|prune|downtime|mode|hold",
        re.IGNORECASE,
    )
    bound = {"monitoring_role"}  # IAM lets one role be passed, to one service of AWS (artefact/permissions.py)
    of_aws = {"database_insights_mode"}  # what RDS calls one of its settings
    assert {name for name in properties(schema()) if words.search(name)} == bound | of_aws


def test_nobody_can_write_what_the_schema_does_not_name() -> None:
    definitions = schema()["$defs"]
    objects = [name for name, one in definitions.items() if one.get("type") == "object"]
    assert len(objects) >= len(SECTIONS)
    assert all(definitions[name].get("additionalProperties") is False for name in objects)
    assert schema()["additionalProperties"] is False
    assert json.dumps(schema()).count('"additionalProperties": true') == 0
