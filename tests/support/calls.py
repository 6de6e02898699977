"""Calls to AWS, each with every resource that AWS checks and the keys that it gives: what roles may do, and may not."""

from __future__ import annotations

from functools import cache

from tests.support.cfn import Stack, template
from tests.support.iam import Target

HERE = "arn:aws:ec2:eu-west-1:123456789012"
OURS, THEIRS = f"{HERE}:vpc/vpc-0a1b2c3d", f"{HERE}:vpc/vpc-0ffffffff"
TAGGED = {"aws:ResourceTag/setpoint:document": "shop"}
POSTGRES, MYSQL = {"rds:DatabaseEngine": "postgres"}, {"rds:DatabaseEngine": "mysql"}
MANAGED, OWN_PASSWORD = ({"rds:ManageMasterUserPassword": value} for value in ("true", "false"))
SECRET: tuple[str, dict[str, str]] = ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1", {})
TAGGING = {"aws:RequestTag/setpoint:document": "shop"}


def vpc(arn: str = OURS, **further: str) -> Target:
    return arn, {"ec2:VpcID": arn.rpartition("/")[2], **further}


def within(kind: str, of: str = OURS, keys: dict[str, str] | None = None, here: str = HERE) -> Target:
    return f"{here}:{kind}/x-0a1b2c3d", {"ec2:Vpc": of, "ec2:Region": "eu-west-1", **(keys or {})}


def beside(kind: str, keys: dict[str, str] | None = None) -> Target:
    """A resource that has no ec2:Vpc."""
    return f"{HERE}:{kind}/x-0a1b2c3d", keys or {}


def named(kind: str, name: str = "shop-db", keys: dict[str, str] | None = None) -> Target:
    return f"arn:aws:rds:eu-west-1:123456789012:{kind}:{name}", keys or {}


def born(kind: str, call: str) -> Target:
    return f"{HERE}:{kind}/*", TAGGING | {"ec2:CreateAction": call}


RULE = beside("security-group-rule")
LIST: Target = ("arn:aws:ec2:eu-west-1:aws:prefix-list/pl-0a1b2c3d", {})
DEFAULTS = (named("og", "default:postgres-16"), named("pg", "default.postgres16"))
MAY: list[tuple[str, list[Target]]] = [
    ("ec2:RevokeSecurityGroupIngress", [within("security-group")]),
    ("ec2:ModifySecurityGroupRules", [within("security-group"), RULE]),
    ("ec2:ModifySecurityGroupRules", [within("security-group"), RULE, LIST]),
    ("ec2:ReplaceNetworkAclAssociation", [within("network-acl"), within("subnet")]),
    ("ec2:AssociateRouteTable", [within("route-table"), within("subnet")]),
    ("ec2:ModifyVpcAttribute", [vpc()]),
    ("ec2:DescribeVpcAttribute", [vpc(THEIRS)]),
    ("ec2:CreateSubnet", [beside("subnet", TAGGING), vpc(**TAGGING)]),
    ("ec2:CreateTags", [born("subnet", "CreateSubnet")]),
    ("ec2:CreateTags", [within("security-group")]),
    ("ec2:CreateTags", [vpc()]),
    ("ec2:CreateVpc", [beside("vpc", TAGGING)]),
    ("ec2:CreateTags", [beside("internet-gateway", TAGGING)]),
    ("ec2:CreateTags", [beside("internet-gateway", TAGGED)]),
    ("ec2:AttachInternetGateway", [beside("internet-gateway", TAGGED), vpc()]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED), *DEFAULTS]),
    ("rds:AddTagsToResource", [named("db", keys=TAGGING)]),
    ("rds:AddTagsToResource", [named("db", keys=TAGGED)]),
    ("rds:ModifyDBSubnetGroup", [named("subgrp")]),
    ("ec2:DeleteNetworkAcl", [within("network-acl", keys=TAGGED)]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED | POSTGRES | MANAGED), *DEFAULTS]),
    ("secretsmanager:CreateSecret", [(SECRET[0], {"aws:ViaAWSService": "true"})]),
    ("secretsmanager:TagResource", [(SECRET[0], {"aws:ViaAWSService": "true"})]),
    ("rds:CreateDBSubnetGroup", [named("subgrp", keys=TAGGING)]),
]
"""What it takes to keep a network and its database, when only one VPC and the names shop-* are given."""
MAY_NOT: list[tuple[str, list[Target]]] = [
    ("ec2:RevokeSecurityGroupIngress", [within("security-group", THEIRS)]),
    ("ec2:ModifySecurityGroupRules", [within("security-group", THEIRS), RULE]),
    ("ec2:ReplaceNetworkAclAssociation", [within("network-acl"), within("subnet", THEIRS)]),
    ("ec2:CreateRoute", [within("route-table", THEIRS)]),
    ("ec2:CreateRoute", [within("route-table", here="arn:aws:ec2:us-east-1:123456789012")]),
    ("ec2:CreateRoute", [within("route-table", here="arn:aws:ec2:eu-west-1:111122223333")]),
    ("ec2:ModifyVpcAttribute", [vpc(THEIRS)]),
    ("ec2:CreateSubnet", [beside("subnet"), vpc()]),
    ("ec2:CreateSubnet", [beside("subnet", TAGGING), vpc(THEIRS, **TAGGING)]),
    ("ec2:CreateTags", [within("security-group", THEIRS)]),
    ("ec2:CreateTags", [(f"{HERE}:security-group/x-0a1b2c3d", TAGGING | {"ec2:Vpc": THEIRS})]),
    ("ec2:CreateTags", [vpc(THEIRS, **TAGGING)]),
    ("ec2:CreateTags", [beside("instance", TAGGING)]),
    ("ec2:CreateTags", [beside("internet-gateway")]),
    ("ec2:AttachInternetGateway", [beside("internet-gateway"), vpc()]),
    ("ec2:AttachInternetGateway", [beside("internet-gateway", TAGGED), vpc(THEIRS)]),
    ("ec2:DeleteVpc", [vpc()]),
    ("ec2:DeleteSubnet", [within("subnet")]),
    ("ec2:DeleteTags", [within("subnet")]),
    ("rds:ModifyDBInstance", [named("db"), *DEFAULTS]),
    ("rds:ModifyDBInstance", [named("db", "wiki", TAGGED), *DEFAULTS]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED), named("pg", "their-own")]),
    ("rds:AddTagsToResource", [named("db")]),
    ("rds:AddTagsToResource", [named("db", "wiki", TAGGING)]),
    ("rds:ModifyDBSubnetGroup", [named("subgrp", "wiki")]),
    ("rds:DeleteDBInstance", [named("db", keys=TAGGED)]),
    ("rds:RestoreDBInstanceToPointInTime", [named("db", keys=TAGGED | TAGGING)]),
    ("iam:PassRole", [("arn:aws:iam::123456789012:role/any", {})]),
    ("sts:AssumeRole", [("arn:aws:iam::123456789012:role/any", {})]),
    ("lambda:InvokeFunction", [("arn:aws:lambda:eu-west-1:123456789012:function:any", {})]),
    ("ec2:DeleteNetworkAcl", [within("network-acl")]),
    ("ec2:DeleteNetworkAcl", [within("network-acl", THEIRS, TAGGED)]),
    ("ec2:DeleteSecurityGroup", [within("security-group")]),
    ("ec2:DeleteRouteTable", [within("route-table")]),
    ("ec2:DeleteInternetGateway", [beside("internet-gateway")]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED), named("pg", "default-of-theirs")]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED), named("og", "default-of-theirs")]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED | OWN_PASSWORD), *DEFAULTS]),
    ("rds:ModifyDBInstance", [named("db", keys=TAGGED | MYSQL), *DEFAULTS]),
    ("rds:CreateDBInstance", [named("db", keys=TAGGING | MYSQL), named("subgrp"), *DEFAULTS]),
    ("rds:CreateDBInstance", [named("db", keys=TAGGING | OWN_PASSWORD), named("subgrp"), *DEFAULTS]),
    ("secretsmanager:CreateSecret", [SECRET]),
    ("secretsmanager:TagResource", [SECRET]),
    ("secretsmanager:TagResource", [(SECRET[0], {"aws:ViaAWSService": "false"})]),
    ("secretsmanager:GetSecretValue", [("arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1", {})]),
]
PRUNE: list[tuple[str, list[Target]]] = [
    ("ec2:DeleteSecurityGroup", [within("security-group", keys=TAGGED)]),
    ("ec2:DeleteRouteTable", [within("route-table", keys=TAGGED)]),
    ("ec2:DeleteInternetGateway", [beside("internet-gateway", TAGGED)]),
]
NEW_DATABASE: list[tuple[str, list[Target]]] = [
    ("rds:CreateDBInstance", [named("db", keys=TAGGING | POSTGRES | MANAGED), named("subgrp"), *DEFAULTS]),
    ("rds:AddTagsToResource", [named("db", keys=TAGGING)]),
]
ADOPTING: list[tuple[str, list[Target]]] = [
    ("ec2:CreateTags", [beside("internet-gateway", TAGGING)]),
    ("rds:AddTagsToResource", [named("db", keys=TAGGING)]),
]


def stack(name: str = "template.yaml", **parameters: str) -> Stack:
    """The template, in mode correct for one VPC and the databases shop-* if nothing else is said. Not to be changed."""
    given = {"Mode": "correct", "VpcIds": "vpc-0a1b2c3d", "DatabaseNames": "shop-*"} | parameters
    return _worked_out(name, *sorted(given.items()))


@cache
def _worked_out(name: str, *parameters: tuple[str, str]) -> Stack:
    return Stack(template(name), **dict(parameters))
