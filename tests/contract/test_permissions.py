"""What IAM is asked to allow follows from the kinds' own tables and nothing else, and is as narrow as IAM can."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from random import Random

import botocore.session
import pytest
from botocore import xform_name

from artefact.denied import DENIED, WRITE_OBJECTS
from artefact.permissions import DOORS, Statement, calls, read_permissions, writes
from artefact.permissions_page import page
from desired_state.fields import Address
from reconciler.kinds import REGISTRY
from reconciler.model import Operation, Phase, Policy, Unmanaged
from tests.contract.test_operations import reads
from tests.support import nat_gateway, worlds
from tests.support.cfn import ROOT
from tests.support.worlds import document, missing, plan, seen

ALL = (*writes("ec2"), *writes("rds"))
OPERATIONS = [row for kind in REGISTRY.values() for row in kind.operations]


def test_the_page_about_permissions_is_what_the_tables_say() -> None:
    assert (ROOT / "docs/permissions.md").read_text() == page(), (
        "run: python -m artefact.permissions_page > docs/permissions.md"
    )


def test_every_operation_and_what_it_also_needs_is_allowed_and_nothing_else() -> None:
    needed = {row.permission for row in OPERATIONS} | {one for row in OPERATIONS for one in row.also_needs}
    assert {action for one in ALL for action in one.actions} == needed


def test_the_reads_that_are_allowed_are_those_that_kinds_make() -> None:
    assert set(read_permissions().actions) == {f"{one.service}:{one.operation}" for one in reads()}


CHECKED = {
    "ec2:AssociateRouteTable": {"route-table", "subnet"},
    "ec2:AttachInternetGateway": {"internet-gateway", "vpc"},
    "ec2:AuthorizeSecurityGroupEgress": {"security-group"},
    "ec2:AuthorizeSecurityGroupIngress": {"security-group"},
    "ec2:CreateInternetGateway": {"internet-gateway"},
    "ec2:CreateNetworkAcl": {"network-acl", "vpc"},
    "ec2:CreateNetworkAclEntry": {"network-acl"},
    "ec2:CreateRoute": {"route-table"},
    "ec2:CreateRouteTable": {"route-table", "vpc"},
    "ec2:CreateSecurityGroup": {"security-group", "vpc"},
    "ec2:CreateSubnet": {"subnet", "vpc"},
    "ec2:CreateTags": {"internet-gateway", "network-acl", "route-table", "security-group", "subnet", "vpc"},
    "ec2:CreateVpc": {"vpc"},
    "ec2:DeleteInternetGateway": {"internet-gateway"},
    "ec2:DeleteNetworkAcl": {"network-acl"},
    "ec2:DeleteNetworkAclEntry": {"network-acl"},
    "ec2:DeleteRoute": {"route-table"},
    "ec2:DeleteRouteTable": {"route-table"},
    "ec2:DeleteSecurityGroup": {"security-group"},
    "ec2:DisassociateRouteTable": {"route-table", "subnet"},
    "ec2:ModifySecurityGroupRules": {"prefix-list", "security-group", "security-group-rule"},
    "ec2:ModifySubnetAttribute": {"subnet"},
    "ec2:ModifyVpcAttribute": {"vpc"},
    "ec2:ReplaceNetworkAclAssociation": {"network-acl", "subnet"},
    "ec2:ReplaceNetworkAclEntry": {"network-acl"},
    "ec2:ReplaceRoute": {"route-table"},
    "ec2:ReplaceRouteTableAssociation": {"route-table", "subnet"},
    "ec2:RevokeSecurityGroupEgress": {"security-group"},
    "ec2:RevokeSecurityGroupIngress": {"security-group"},
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress": {"security-group"},
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress": {"security-group"},
    "rds:AddTagsToResource": {"db", "subgrp"},
    "rds:CreateDBInstance": {"db", "og", "pg", "subgrp"},
    "rds:CreateDBSubnetGroup": {"subgrp"},
    "rds:ModifyDBInstance": {"db", "og", "pg"},
    "rds:ModifyDBSubnetGroup": {"subgrp"},
}
"""What the Service Authorization Reference says each call is checked against, as far as ours name such a thing."""


def test_every_operation_names_all_that_iam_checks_it_against() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for row in OPERATIONS:
        found[row.permission] |= set(row.iam_resource_types)
    assert found == CHECKED


def test_a_call_that_makes_a_resource_names_that_resource_first() -> None:
    for kind in REGISTRY.values():
        for row in kind.operations:
            if row.phase is Phase.CREATE:
                own = {"db_instance": "db", "db_subnet_group": "subgrp"}.get(kind.name, kind.name.replace("_", "-"))
                assert row.iam_resource_types[0] == own


def test_a_row_that_does_not_say_what_iam_checks_is_refused() -> None:
    kind = replace(REGISTRY["vpc"], operations=(Operation("ec2", "CreateVpc", Phase.CREATE, nat_gateway.CREATE.risk),))
    with pytest.raises(ValueError, match=r"ec2:CreateVpc.*iam_resource_types"):
        writes("ec2", {"vpc": kind})


def test_what_is_changed_by_its_tag_alone_is_what_only_a_deployment_that_adopts_may_tag() -> None:
    types = {
        kind.name: {one for row in kind.operations for one in row.iam_resource_types} for kind in REGISTRY.values()
    }
    adopted = [resource for one in ALL if one.requires_setting == "adopt" for resource in one.resources]
    found = {
        name
        for name, own in types.items()
        if any(f":{one}/" in resource or f":{one}:" in resource for one in own for resource in adopted)
    }
    assert found == {kind.name for kind in REGISTRY.values() if kind.changed_by_tag}
    assert found == {"internet_gateway", "db_instance"}


def test_a_ninth_kind_brings_its_own_permissions() -> None:
    nine = {**REGISTRY, "nat_gateway": nat_gateway.KIND}
    more = {one.sid: one for one in writes("ec2", nine)}
    fewer = {one.sid for one in writes("ec2")}
    assert more.keys() - fewer == {"AdoptNatgateway", "ChangeElasticIp", "ChangeNatgateway", "MakeNatgateway"}
    assert more["ChangeNatgateway"].condition == {"Null": {"aws:ResourceTag/setpoint:document": "false"}}
    assert more["ChangeNatgateway"].resources == (
        "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:natgateway/*",
    )
    assert "CreateNatGateway" in more["TagWhatIsMade"].condition["StringEquals"]["ec2:CreateAction"]
    assert "ec2:DescribeNatGateways" in read_permissions(nine).actions


def grants(action: str, resource_type: str) -> list[Statement]:
    """The statements that let an action past its check against one type of resource."""
    mark = f":{resource_type}/" if action.startswith("ec2") else f":{resource_type}:"
    return [one for one in ALL if action in one.actions and any(mark in resource for resource in one.resources)]


def bounds(action: str, resource_type: str) -> set[str]:
    """In one word each, what such a grant is bound to."""
    words = {
        "ArnLike ec2:Vpc": "vpcs",
        "StringLike ec2:VpcID": "vpcs",
        "Null aws:ResourceTag/setpoint:document": "ours",
        "Null aws:RequestTag/setpoint:document": "made ours",
        "StringEquals ec2:CreateAction": "at birth",
    }
    found = set()
    for one in grants(action, resource_type):
        said = [words[f"{operator} {key}"] for operator, keys in one.condition.items() for key in keys]
        found.add(" ".join(sorted(said)))
    return found


SELVES: dict[str, set[str]] = defaultdict(
    set,
    {
        f"ec2:Delete{name}": {kind}
        for name, kind in (("NetworkAcl", "network-acl"), ("SecurityGroup", "security-group"))
    },
) | {"ec2:DeleteRouteTable": {"route-table"}}
"""The calls that delete a whole resource in a VPC, which must be ours as well."""
IN_VPC = {"network-acl", "route-table", "security-group", "subnet", "vpc"}


@pytest.mark.parametrize(
    ("action", "resource_type"), [(one, two) for one, all_ in CHECKED.items() for two in sorted(all_)]
)
def test_every_call_is_bound_to_the_vpcs_or_to_what_is_ours_wherever_iam_can(action: str, resource_type: str) -> None:
    made = action.partition(":Create")[2].lower() == resource_type.replace("-", "") or (
        action,
        resource_type,
    ) in {
        ("rds:CreateDBInstance", "db"),
        ("rds:CreateDBSubnetGroup", "subgrp"),
    }
    if action == "ec2:CreateTags":
        adopted = (
            {"at birth made ours", "vpcs"} if resource_type in IN_VPC else {"at birth made ours", "made ours", "ours"}
        )
        assert bounds(action, resource_type) == adopted
    elif action == "rds:AddTagsToResource":
        assert bounds(action, resource_type) == ({"made ours", "ours"} if resource_type == "db" else {"made ours", ""})
    elif made:
        assert bounds(action, resource_type) == {"made ours"}
    elif resource_type in IN_VPC and action.startswith("ec2:Delete") and resource_type in SELVES[action]:
        assert bounds(action, resource_type) == {"ours vpcs"}
    elif resource_type in IN_VPC:
        assert bounds(action, resource_type) == {"vpcs"}
    elif resource_type in {"internet-gateway", "db"}:
        assert bounds(action, resource_type) == {"ours"}
    else:
        assert bounds(action, resource_type) == {""}
        assert resource_type in {"security-group-rule", "prefix-list", "og", "pg", "subgrp"}


def test_a_database_is_named_besides() -> None:
    for one in writes("rds"):
        for resource in one.resources:
            assert resource.endswith(
                (
                    ":db:${DatabaseNames}",
                    ":subgrp:${DatabaseNames}",
                    ":og:default:*",
                    ":pg:${DatabaseNames}",
                    ":pg:default.*",
                    ":role/${MonitoringRole}",
                    ":key/*",
                    ":secret:rds!db-*",
                )
            )


def test_no_action_that_changes_something_has_a_wildcard_in_its_name_or_every_resource() -> None:
    for one in ALL:
        assert not any("*" in action for action in one.actions)
        assert all(resource.startswith("arn:${AWS::Partition}:") for resource in one.resources)
        assert all(resource.split(":", 5)[5] != "*" for resource in one.resources)


def test_nothing_that_is_refused_is_needed() -> None:
    needed = {action for one in (*ALL, read_permissions()) for action in one.actions}
    needed |= {permission for one in DOORS for permission in one.permissions}
    assert [(action, bar) for action in sorted(needed) for bar in DENIED if fnmatchcase(action, bar)] == []


@pytest.mark.parametrize(
    "action",
    [
        "rds:DeleteDBInstance",
        "rds:DeleteDBCluster",
        "rds:DeleteDBSnapshot",
        "rds:DeleteDBSubnetGroup",
        "rds:ModifyDBSnapshotAttribute",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBInstanceToPointInTime",
        "rds:RemoveTagsFromResource",
        "ec2:DeleteVpc",
        "ec2:DeleteSubnet",
        "ec2:DeleteTags",
        "ec2:DetachInternetGateway",
        "iam:CreateAccessKey",
        "iam:PutRolePolicy",
        "lambda:UpdateFunctionCode",
        "cloudtrail:StopLogging",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
    ],
)
def test_what_destroys_data_or_widens_power_is_refused(action: str) -> None:
    assert any(fnmatchcase(action, bar) for bar in (*DENIED, WRITE_OBJECTS))


def test_every_name_that_is_refused_exists() -> None:
    for bar in DENIED:
        service, _, name = bar.partition(":")
        assert any(fnmatchcase(one, name) for one in methods(service).values()), bar


def leaves(policy: Policy) -> Iterator[Operation]:
    """The operations of many plans under one policy: drifts, networks from nothing, things to prune."""
    for seed in range(2):
        declared, fact = (document(worlds.written(Random(seed + shift))) for shift in (0, 1000))
        for look in (seen(fact), seen(declared, only=[]), missing(seen(declared), *sorted(declared.resources)[:4])):
            old = [Unmanaged(Address.of(kind, "old"), f"{kind[:3]}-0a1b2c3d", owned=True) for kind in REGISTRY]
            for action in plan(declared, worlds.beside(look, *old), policy).actions:
                yield action.operation


def test_what_needs_leave_is_never_planned_without_it_and_is_with_it() -> None:
    requires_setting = {row.permission: row.requires_setting for row in OPERATIONS if row.requires_setting}
    assert requires_setting == {
        "ec2:DeleteInternetGateway": "prune",
        "ec2:DeleteRouteTable": "prune",
        "ec2:DeleteSecurityGroup": "prune",
        "rds:CreateDBInstance": "create_databases",
    }
    assert {one.permission for one in leaves(Policy())} & requires_setting.keys() == set()
    given = {one.permission for one in leaves(Policy(prune=True, create_databases=True))}
    assert given >= requires_setting.keys()


OWN = ("s3", "dynamodb", "sqs", "sns", "events", "sts", "cloudtrail")


@cache
def methods(service: str) -> dict[str, str]:
    """Operation by the name of its method."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def mentioned() -> set[tuple[str, str]]:
    """(service, operation) of every method of a client that the source calls or pages through, and of every `Read`."""
    names: set[str] = set()
    found: set[tuple[str, str]] = set()
    for folder in ("handlers", "reconciler", "desired_state"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                said = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
                if len(said) == 2 and said[0] in OWN:
                    found.add((str(said[0]), str(said[1])))
                if isinstance(node.func, ast.Attribute):
                    names.add(node.func.attr)
                    if node.func.attr == "get_paginator":
                        names |= {str(one) for one in said}
    return found | {(service, methods(service)[name]) for service in OWN for name in names & methods(service).keys()}


def test_the_table_of_the_doors_holds_every_call_that_the_source_makes_and_no_other() -> None:
    others = {"cloudformation"}  # a client of that name has methods that Jinja has too
    assert {(one.service, one.operation) for one in DOORS if one.service not in others} == mentioned()


def test_the_calls_of_the_product_are_the_registrys_and_the_doors() -> None:
    made = calls()
    assert made.keys() == {*OWN, "ec2", "rds"}
    assert made["s3"] == {"GetObject", "ListObjectsV2", "PutObject"}
    assert made["ec2"] == {row.name for row in OPERATIONS if row.service == "ec2"} | {
        one.operation for one in reads() if one.service == "ec2"
    }
    assert made["rds"] == {row.name for row in OPERATIONS if row.service == "rds"} | {
        one.operation for one in reads() if one.service == "rds"
    }
    for service, operations in made.items():
        assert operations <= set(botocore.session.get_session().get_service_model(service).operation_names)
