"""What the roles may really do, call by call: every resource that AWS checks a call against, with the keys it gives."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.support.calls import (
    ADOPTING,
    DEFAULTS,
    MAY,
    MAY_NOT,
    NEW_DATABASE,
    OWN_PASSWORD,
    POSTGRES,
    PRUNE,
    RULE,
    TAGGED,
    TAGGING,
    THEIRS,
    beside,
    named,
    stack,
    vpc,
    within,
)
from tests.support.cfn import Stack
from tests.support.iam import Target, may

KEEPERS = pytest.mark.parametrize(
    ("name", "role"),
    [("template.yaml", "WorkerRole"), ("template.yaml", "InvokeRole"), ("templates/target-role.yaml", "TargetRole")],
)


@KEEPERS
def test_a_role_may_do_all_that_keeping_its_network_takes(name: str, role: str) -> None:
    assert [call for call, targets in MAY if not may(stack(name), role, call, *targets)] == []


@KEEPERS
def test_a_role_may_not_touch_what_it_was_not_given(name: str, role: str) -> None:
    most = stack(name, Prune="true", CreateDatabases="true")
    assert [(call, targets) for call, targets in MAY_NOT if may(most, role, call, *targets)] == []


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
    worked = deepcopy(stack())
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
    worked = deepcopy(stack())
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
