"""The fault switch, the record of calls, the saved worlds, and who may enter moto when."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from moto.moto_api._internal.models import moto_api_backend

from lab import Call, Stopped, StrictAws, laboratory

Refused = Callable[[str], AbstractContextManager[None]]


def vpcs(ec2: Any) -> list[str]:
    return sorted(vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"])


def make(ec2: Any, number: int = 0) -> str:
    return str(ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"])


HOME = "172.31.0.0/16"


def test_a_throttled_call_is_not_applied_and_the_next_one_goes_through(aws: StrictAws, ec2: Any) -> None:
    aws.faults.throttle("CreateVpc")
    with pytest.raises(ClientError) as caught:
        make(ec2)
    assert caught.value.response["Error"]["Code"] == "RequestLimitExceeded"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert vpcs(ec2) == [HOME]
    make(ec2)
    assert vpcs(ec2) == ["10.0.0.0/16", HOME]


def test_a_throttle_of_everything_counts_down_over_all_calls(aws: StrictAws, ec2: Any, rds: Any) -> None:
    aws.faults.throttle(times=2)
    with pytest.raises(ClientError):
        ec2.describe_vpcs()
    with pytest.raises(ClientError) as caught:
        rds.describe_db_instances()
    assert caught.value.response["Error"]["Code"] == "Throttling"
    assert rds.describe_db_instances()["DBInstances"] == []


def test_a_missing_permission_lasts_and_is_spelt_by_the_service(
    aws: StrictAws, ec2: Any, rds: Any, refused: Refused
) -> None:
    aws.faults.refuse("CreateVpc")
    aws.faults.refuse("DescribeDBInstances")
    for _ in range(3):
        with refused("UnauthorizedOperation"):
            make(ec2)
        with refused("AccessDenied"):
            rds.describe_db_instances()
    assert vpcs(ec2) == [HOME]


def test_any_code_can_be_failed_with(aws: StrictAws, ec2: Any) -> None:
    aws.faults.fail("DescribeVpcs", "InternalError")
    with pytest.raises(ClientError) as caught:
        ec2.describe_vpcs()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert vpcs(ec2) == [HOME]


def test_a_lost_answer_was_applied(aws: StrictAws, ec2: Any) -> None:
    aws.faults.lose_answer("CreateVpc", times=2)
    with pytest.raises(ReadTimeoutError):
        make(ec2, 1)
    with pytest.raises(ConnectionClosedError):
        make(ec2, 2)
    assert vpcs(ec2) == ["10.1.0.0/16", "10.2.0.0/16", HOME]
    assert [call.error for call in aws.calls] == ["ReadTimeoutError", "ConnectionClosedError", None]


def test_cleared_faults_are_gone(aws: StrictAws, ec2: Any) -> None:
    aws.faults.refuse("*")
    aws.faults.stop_at(1)
    aws.faults.clear()
    make(ec2)
    assert vpcs(ec2) == ["10.0.0.0/16", HOME]


def test_an_outsider_meets_no_faults_and_leaves_no_record(aws: StrictAws, refused: Refused) -> None:
    aws.faults.refuse("*")
    aws.faults.stop_at(1)
    other = aws.outsider().client("ec2")
    made = make(other)
    with refused("InvalidVpc.Range"):
        other.create_vpc(CidrBlock="10.0.0.0/8")
    assert (len(other.describe_vpcs(VpcIds=[made])["Vpcs"]), aws.calls) == (1, [])


# Stale reads


def test_a_stale_read_shows_the_world_before_the_last_write(aws: StrictAws, ec2: Any) -> None:
    make(ec2, 1)
    make(ec2, 2)
    aws.faults.stale("DescribeVpcs", reads=2)
    seen = [vpcs(ec2) for _ in range(3)]
    assert seen == [["10.1.0.0/16", HOME], ["10.1.0.0/16", HOME], ["10.1.0.0/16", "10.2.0.0/16", HOME]]


def test_a_stale_read_does_not_see_what_an_outsider_just_did(aws: StrictAws, ec2: Any) -> None:
    make(aws.outsider().client("ec2"), 1)
    aws.faults.stale("DescribeVpcs")
    assert vpcs(ec2) == [HOME]


def test_a_stale_read_by_id_does_not_find_what_was_just_made(aws: StrictAws, ec2: Any, refused: Refused) -> None:
    made = make(ec2)
    aws.faults.stale("DescribeVpcs")
    with refused("InvalidVpcID.NotFound"):
        ec2.describe_vpcs(VpcIds=[made])
    assert len(ec2.describe_vpcs(VpcIds=[made])["Vpcs"]) == 1


def test_a_write_armed_as_stale_stays_a_write(aws: StrictAws, ec2: Any) -> None:
    aws.faults.stale("*")
    make(ec2)
    assert vpcs(ec2) == [HOME]
    assert vpcs(ec2) == ["10.0.0.0/16", HOME]


def test_a_refused_write_does_not_move_the_past(aws: StrictAws, ec2: Any, refused: Refused) -> None:
    make(ec2)
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock="10.0.0.0/8")
    aws.faults.stale("DescribeVpcs")
    assert vpcs(ec2) == [HOME]


def test_a_call_that_lags_shows_every_write_too_late(aws: StrictAws, ec2: Any) -> None:
    aws.faults.lag("DescribeVpcs", reads=2)
    make(ec2, 1)
    make(ec2, 2)
    seen = [vpcs(ec2) for _ in range(3)]
    assert seen == [[HOME], [HOME], ["10.1.0.0/16", "10.2.0.0/16", HOME]]
    make(aws.outsider().client("ec2"), 3)
    assert (len(vpcs(ec2)), len(ec2.describe_subnets()["Subnets"])) == (3, 4)


def test_a_call_that_lags_may_show_a_write_and_then_not(aws: StrictAws, ec2: Any) -> None:
    """Two answers come from two servers."""
    aws.faults.lag("DescribeVpcs", reads=1, after=1)
    make(ec2, 1)
    assert [len(vpcs(ec2)) for _ in range(4)] == [2, 1, 2, 2]
    aws.faults.clear()
    make(ec2, 2)
    assert [len(vpcs(ec2)) for _ in range(2)] == [3, 3]


# Stops


def test_stopped_before_a_write_it_is_not_applied(aws: StrictAws, ec2: Any) -> None:
    make(ec2, 1)
    aws.faults.stop_at(2)
    make(ec2, 2)
    with pytest.raises(Stopped):
        make(ec2, 3)
    assert vpcs(ec2) == ["10.1.0.0/16", "10.2.0.0/16", HOME]
    make(ec2, 4)
    assert len(vpcs(ec2)) == 4


def test_stopped_after_a_write_it_is_applied_and_recorded(aws: StrictAws, ec2: Any) -> None:
    aws.faults.stop_at(1, when="after")
    ec2.describe_vpcs()
    with pytest.raises(Stopped):
        make(ec2)
    assert [call.operation for call in aws.calls] == ["DescribeVpcs", "CreateVpc"]
    assert vpcs(ec2) == ["10.0.0.0/16", HOME]


def test_no_handler_of_exceptions_catches_a_stop() -> None:
    assert not issubclass(Stopped, Exception)


# The record


def test_calls_are_recorded_as_the_caller_made_them(aws: StrictAws, ec2: Any, refused: Refused) -> None:
    ec2.describe_vpcs(MaxResults=5)
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock="10.0.0.5/8")
    assert aws.calls == [
        Call("ec2", "DescribeVpcs", {"MaxResults": 5}, "read", None),
        Call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.5/8"}, "write", "InvalidVpc.Range"),
    ]


def test_other_services_are_recorded_and_met_by_faults_too(aws: StrictAws, refused: Refused) -> None:
    sts = aws.session().client("sts")
    assert sts.get_caller_identity()["Account"] == aws.account == "123456789012"
    aws.faults.refuse("GetCallerIdentity", code="AccessDenied")
    with refused("AccessDenied"):
        sts.get_caller_identity()
    assert [(call.operation, call.kind, call.error) for call in aws.calls] == [
        ("GetCallerIdentity", "read", None),
        ("GetCallerIdentity", "read", "AccessDenied"),
    ]


def test_after_write_sees_every_write_that_was_applied(aws: StrictAws, ec2: Any, refused: Refused) -> None:
    seen: list[tuple[str, str | None, int]] = []
    other = aws.outsider().client("ec2")

    def watch(call: Call) -> None:
        seen.append((call.operation, call.error, len(vpcs(other))))

    aws.after_write = watch
    make(ec2, 1)
    aws.faults.lose_answer("CreateVpc")
    with pytest.raises(ReadTimeoutError):
        make(ec2, 2)
    aws.faults.throttle("CreateVpc")
    with refused("RequestLimitExceeded"):
        make(ec2, 3)
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock="10.0.0.0/8")
    ec2.describe_vpcs()
    make(other, 4)
    assert seen == [("CreateVpc", None, 2), ("CreateVpc", "ReadTimeoutError", 3)]


def test_the_watcher_may_read_from_several_threads(aws: StrictAws, ec2: Any) -> None:
    seen: list[int] = []

    def watch(call: Call) -> None:
        with ThreadPoolExecutor(4) as pool:
            seen.extend(pool.map(lambda _: len(vpcs(ec2)), range(8)))

    aws.after_write = watch
    make(ec2)
    assert seen == [2] * 8


def test_many_threads_read_and_write_without_losing_anything(aws: StrictAws, ec2: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: make(ec2, number), range(24)))
        counts = list(pool.map(lambda _: len(vpcs(ec2)), range(16)))
    assert len(set(made)) == 24
    assert counts == [25] * 16
    assert len(aws.calls) == 40


# Worlds


def test_a_restored_world_is_the_saved_one(aws: StrictAws, ec2: Any, rds: Any, subnets: list[str]) -> None:
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    before = aws.save()
    seen = (vpcs(ec2), ec2.describe_network_acls(), rds.describe_db_subnet_groups())
    for _ in range(2):
        rds.delete_db_subnet_group(DBSubnetGroupName="g")
        ec2.delete_subnet(SubnetId=subnets[0])
        make(ec2, 7)
        assert vpcs(ec2) != seen[0]
        aws.restore(before)
        assert (vpcs(ec2), ec2.describe_network_acls(), rds.describe_db_subnet_groups()) == seen


def test_a_busy_instance_is_saved_busy(aws: StrictAws, rds: Any, subnets: list[str]) -> None:
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="main",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="g",
    )
    aws.settle()
    rds.modify_db_instance(DBInstanceIdentifier="main", DeletionProtection=True, EngineVersion="16.5")
    before = aws.save()
    for _ in range(2):
        seen = [rds.describe_db_instances()["DBInstances"][0] for _ in range(2)]
        assert [(db["DBInstanceStatus"], db["DeletionProtection"]) for db in seen] == [
            ("modifying", False),
            ("available", True),
        ]
        assert seen[1]["PendingModifiedValues"] == {"EngineVersion": "16.5"}
        aws.restore(before)


def test_a_deleted_instance_comes_back_with_its_secret_and_can_be_deleted_again(
    aws: StrictAws, rds: Any, subnets: list[str]
) -> None:
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="main",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="g",
    )
    aws.settle()
    secret = rds.describe_db_instances()["DBInstances"][0]["MasterUserSecret"]["SecretArn"]
    store = aws.outsider().client("secretsmanager")
    before = aws.save()
    for _ in range(2):
        rds.delete_db_instance(DBInstanceIdentifier="main", SkipFinalSnapshot=True)
        aws.settle()
        assert rds.describe_db_instances()["DBInstances"] == []
        aws.restore(before)
        assert "SecretString" in store.get_secret_value(SecretId=secret)


def test_writes_work_without_keeping_the_past(aws: StrictAws, ec2: Any) -> None:
    aws.keep_past = False
    try:
        make(ec2)
        assert vpcs(ec2) == ["10.0.0.0/16", HOME]
    finally:
        aws.keep_past = True


# The laboratory


def test_a_laboratory_within_another_has_a_world_of_its_own(aws: StrictAws, ec2: Any) -> None:
    make(ec2, 1)
    s3 = aws.outsider().client("s3")
    here: Any = {"LocationConstraint": "ap-northeast-2"}
    s3.create_bucket(Bucket="ours", CreateBucketConfiguration=here)
    s3.put_object(Bucket="ours", Key="kept", Body=b"as it was")
    with laboratory() as inner:
        there = inner.session().client("ec2")
        assert vpcs(there) == [HOME]
        make(there, 2)
        assert inner.outsider().client("s3").list_buckets()["Buckets"] == []
        inner.outsider().client("s3").create_bucket(Bucket="theirs", CreateBucketConfiguration=here)
    assert vpcs(ec2) == ["10.1.0.0/16", HOME]
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["ours"]
    assert s3.get_object(Bucket="ours", Key="kept")["Body"].read() == b"as it was"


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.delenv("AWS_REGION", raising=False)
    before = dict(os.environ)
    with laboratory("eu-west-1") as other:
        assert os.environ["AWS_ACCESS_KEY_ID"] != "real"
        assert "AWS_PROFILE" not in os.environ
        assert other.session().client("ec2").describe_vpcs()["Vpcs"][0]["CidrBlock"] == HOME
        assert other.session().region_name == "eu-west-1"
    assert dict(os.environ) == before


def test_a_saved_world_outlives_a_reset_of_the_emulator(aws: StrictAws, ec2: Any) -> None:
    """A reset makes new backends: what is put back must belong to them, or it would write where nobody reads."""
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    saved = aws.save()
    moto_api_backend.reset()
    aws.restore(saved)
    assert vpcs(ec2) == ["10.77.0.0/16", HOME]
    assert aws._live.vpc(vpc).ec2_backend is aws._live.ec2
