"""What the roles may really do, call by call: every resource that AWS checks a call against, with the keys it gives."""

from __future__ import annotations

import pytest

from tests.support.cfn import Stack, template
from tests.support.iam import Target, may

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
KEEPERS = pytest.mark.parametrize(
    ("name", "role"),
    [("template.yaml", "WorkerRole"), ("template.yaml", "InvokeRole"), ("templates/target-role.yaml", "TargetRole")],
)


def stack(name: str = "template.yaml", **parameters: str) -> Stack:
    return Stack(
        template(name), **({"Mode": "correct", "VpcIds": "vpc-0a1b2c3d", "DatabaseNames": "shop-*"} | parameters)
    )


@KEEPERS
def test_a_role_may_do_all_that_keeping_its_network_takes(name: str, role: str) -> None:
    assert [call for call, targets in MAY if not may(stack(name), role, call, *targets)] == []


@KEEPERS
def test_a_role_may_not_touch_what_it_was_not_given(name: str, role: str) -> None:
    most = stack(name, Prune="true", CreateDatabases="true")
    assert [(call, targets) for call, targets in MAY_NOT if may(most, role, call, *targets)] == []


ADOPTING: list[tuple[str, list[Target]]] = [
    ("ec2:CreateTags", [beside("internet-gateway", TAGGING)]),
    ("rds:AddTagsToResource", [named("db", keys=TAGGING)]),
]


@KEEPERS
def test_what_is_not_ours_becomes_ours_only_where_the_deployment_allows_it(name: str, role: str) -> None:
    off = stack(name, Adopt="false", Prune="true")
    assert [call for call, targets in ADOPTING if may(off, role, call, *targets)] == []
    left = [(call, targets) for call, targets in MAY if (call, targets) not in ADOPTING]
    assert [call for call, targets in left if not may(off, role, call, *targets)] == []


@KEEPERS
def test_a_database_with_a_password_of_its_own_is_changed_only_where_the_deployment_allows_it(
    name: str, role: str
) -> None:
    change = [named("db", keys=TAGGED | OWN_PASSWORD | POSTGRES), *DEFAULTS]
    assert not may(stack(name), role, "rds:ModifyDBInstance", *change)
    assert may(stack(name, OwnPasswords="true"), role, "rds:ModifyDBInstance", *change)
    most = stack(name, OwnPasswords="true", CreateDatabases="true")
    make = [named("db", keys=TAGGING | OWN_PASSWORD | POSTGRES), named("subgrp"), *DEFAULTS]
    assert not may(most, role, "rds:CreateDBInstance", *make)


@pytest.mark.parametrize("role", ["WorkerRole", "InvokeRole"])
def test_an_event_is_put_in_our_own_name_only(role: str) -> None:
    bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    worked = stack()
    for source, allowed in (("setpoint", True), ("aws.ec2", False), ("aws.s3", False), ("setpoint.schedule", False)):
        assert may(worked, role, "events:PutEvents", (bus, {"events:source": source})) is allowed
    assert not may(worked, role, "events:PutEvents", (bus, {}))


@KEEPERS
@pytest.mark.parametrize(("parameter", "calls"), [("Prune", PRUNE), ("CreateDatabases", NEW_DATABASE)])
def test_what_takes_leave_may_be_done_with_it_and_not_without(
    name: str, role: str, parameter: str, calls: list[tuple[str, list[Target]]]
) -> None:
    for call, targets in calls:
        assert may(stack(name, **{parameter: "true"}), role, call, *targets)
        assert not may(stack(name, Adopt="false"), role, call, *targets)
        assert not may(stack(name, Mode="report", **{parameter: "true"}), role, call, *targets)


@KEEPERS
def test_leave_to_prune_ends_at_other_vpcs_and_at_what_is_not_ours(name: str, role: str) -> None:
    requires_setting = stack(name, Prune="true")
    assert not may(requires_setting, role, "ec2:DeleteSecurityGroup", within("security-group", THEIRS))
    assert not may(requires_setting, role, "ec2:DeleteInternetGateway", beside("internet-gateway"))


@KEEPERS
def test_with_no_vpc_named_every_vpc_of_the_account_and_region_is_given(name: str, role: str) -> None:
    everywhere = stack(name, VpcIds="*", DatabaseNames="*")
    assert may(everywhere, role, "ec2:ModifySecurityGroupRules", within("security-group", THEIRS), RULE)
    assert may(everywhere, role, "ec2:ModifyVpcAttribute", vpc(THEIRS))
    assert may(everywhere, role, "rds:ModifyDBInstance", named("db", "wiki", TAGGED), *DEFAULTS)


@KEEPERS
def test_in_report_mode_a_role_only_looks(name: str, role: str) -> None:
    looking = stack(name, Mode="report")
    done = [call for call, targets in MAY if may(looking, role, call, *targets)]
    assert done == ["ec2:DescribeVpcAttribute"]
    assert may(looking, role, "ec2:DescribeSecurityGroups", ("*", {}))


@pytest.mark.parametrize("role", ["WorkerRole", "InvokeRole"])
def test_a_role_reads_documents_and_can_tell_that_one_is_gone_and_writes_none(role: str) -> None:
    worked = stack()
    worked.resources["KeepPolicy"]["Properties"]["PolicyDocument"] = with_arn(worked, "Documents")
    assert may(worked, role, "s3:GetObjectVersion", ("arn:aws:s3:::bucket/documents/shop.json", {}))
    assert may(worked, role, "s3:ListBucket", ("arn:aws:s3:::bucket", {}))
    assert may(worked, role, "s3:ListBucket", ("arn:aws:s3:::bucket", {"s3:prefix": "documents/"}))
    assert not may(worked, role, "s3:ListBucket", ("arn:aws:s3:::bucket", {"s3:prefix": "reports/"}))
    assert not may(worked, role, "s3:GetObject", ("arn:aws:s3:::bucket/reports/shop.json", {}))
    assert not may(worked, role, "s3:PutObject", ("arn:aws:s3:::bucket/documents/shop.json", {}))


def with_arn(worked: Stack, bucket: str) -> dict[str, object]:
    """The policy with the bucket's ARN in it."""
    policy = worked.resources["KeepPolicy"]["Properties"]["PolicyDocument"]
    put = [
        one | {"Resource": one["Resource"].replace(f"{bucket}.Arn", "arn:aws:s3:::bucket")}
        for one in policy["Statement"]
    ]
    return {**policy, "Statement": put}


FUNCTIONS = pytest.mark.parametrize("role", ["WorkerRole", "InvokeRole"])
RECEIPT: Target = ("Receipts.Arn/receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz", {})
DOCUMENT: Target = ("Documents.Arn/documents/shop.json", {})


@FUNCTIONS
def test_a_function_writes_receipts_and_nothing_else_and_cannot_read_them(role: str) -> None:
    most = stack(Prune="true", CreateDatabases="true")
    assert may(most, role, "s3:PutObject", RECEIPT)
    elsewhere: list[Target] = [
        DOCUMENT,
        ("Documents.Arn/receipts/shop/20261127T051208Z.open.critical.r7.w9.6f2c9a1e.json.gz", {}),
        ("Receipts.Arn/documents/shop.json", {}),
        ("arn:aws:s3:::another/receipts/shop/x", {}),
    ]
    assert [one for one in elsewhere if may(most, role, "s3:PutObject", one)] == []
    for call in ("GetObject", "GetObjectVersion", "DeleteObject", "DeleteObjectVersion", "PutObjectRetention"):
        assert not may(most, role, f"s3:{call}", RECEIPT), call
    for call in ("PutBucketPolicy", "PutLifecycleConfiguration", "PutBucketVersioning"):
        assert not may(most, role, f"s3:{call}", ("Receipts.Arn", {})), call
    # The fleet is told by the names of the receipts, to whoever invokes the function.
    may_list = may(most, role, "s3:ListBucket", ("Receipts.Arn", {"s3:prefix": "receipts/shop/"}))
    assert may_list is (role == "InvokeRole")
    assert not may(most, role, "s3:ListBucket", ("Receipts.Arn", {"s3:prefix": ""}))


@FUNCTIONS
def test_documents_stay_out_of_reach_whatever_else_a_role_is_given(role: str) -> None:
    """The denial holds even where somebody attaches a policy that allows it."""
    worked = stack()
    worked.resources["KeepPolicy"]["Properties"]["PolicyDocument"]["Statement"].append(
        {"Sid": "Everything", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    )
    assert not may(worked, role, "s3:PutObject", DOCUMENT)
    assert not may(worked, role, "s3:DeleteObjectVersion", RECEIPT)
    assert may(worked, role, "s3:PutObject", RECEIPT)


def test_the_sweep_questions_and_other_accounts_have_nothing_to_do_with_receipts() -> None:
    assert not may(stack(), "SweepRole", "s3:PutObject", RECEIPT)
    assert not may(stack(), "PlanRole", "s3:PutObject", RECEIPT)
    assert not may(stack("templates/target-role.yaml"), "TargetRole", "s3:PutObject", RECEIPT)


def test_whoever_may_only_ask_can_change_nothing() -> None:
    most = stack(Prune="true", CreateDatabases="true", OwnPasswords="true")
    everything = [*MAY, *MAY_NOT, *ADOPTING, *NEW_DATABASE]
    changing = [(call, targets) for call, targets in everything if not call.startswith("ec2:Describe")]
    assert [call for call, targets in changing if may(most, "PlanRole", call, *targets)] == []
    assert may(most, "PlanRole", "ec2:DescribeSecurityGroups", ("*", {}))
    for call in ("s3:PutObject", "s3:DeleteObject"):
        assert not may(most, "PlanRole", call, DOCUMENT)
        assert not may(most, "PlanRole", call, RECEIPT)
    assert not may(most, "PlanRole", "sns:Publish", ("Alerts", {}))
