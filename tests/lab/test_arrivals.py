"""VPCs and subnets that AWS is still creating."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def slow(aws: StrictAws, request: pytest.FixtureRequest) -> Iterator[None]:
    if "subnets" in request.fixturenames:
        request.getfixturevalue("subnets")  # these are available
    aws.arrive_after = 2
    yield
    aws.arrive_after, aws.meanwhile = 0, "accepted"


def made(ec2: Any) -> tuple[str, list[str]]:
    """A new VPC, and the states that say the answer and three looks."""
    answer = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    states = [ec2.describe_vpcs(VpcIds=[answer["VpcId"]])["Vpcs"][0]["State"] for _ in range(3)]
    return answer["VpcId"], [answer["State"], *states]


def test_a_new_vpc_and_a_new_subnet_are_pending_for_some_looks(ec2: Any) -> None:
    vpc, states = made(ec2)
    assert states == ["pending"] * 3 + ["available"]
    answer = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]
    pending: Any = [{"Name": "state", "Values": ["pending"]}]
    looks = [len(ec2.describe_subnets(Filters=pending)["Subnets"]) for _ in range(3)]
    assert (answer["State"], looks) == ("pending", [1, 1, 0])


def test_without_the_switch_only_the_answer_says_pending(aws: StrictAws, ec2: Any) -> None:
    aws.arrive_after = 0
    assert made(ec2)[1] == ["pending", *["available"] * 3]


@pytest.mark.parametrize(
    ("meanwhile", "code"), [("accepted", ""), ("unknown", "InvalidVpcID.NotFound"), ("refused", "IncorrectState")]
)
def test_a_call_on_what_is_pending_is_taken_not_found_or_refused(
    aws: StrictAws, ec2: Any, refused: Refused, meanwhile: Any, code: str
) -> None:
    aws.meanwhile = meanwhile
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for _ in range(2 if code else 0):
        with refused(code):
            ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")
    assert ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["VpcId"] == vpc


def test_tags_are_put_on_what_is_pending(aws: StrictAws, ec2: Any) -> None:
    aws.meanwhile = "refused"
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "new"}])
    assert [each["State"] for each in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == ["pending"]


def test_rds_does_not_find_a_subnet_that_is_pending(
    aws: StrictAws, ec2: Any, rds: Any, subnets: list[str], refused: Refused
) -> None:
    aws.meanwhile = "unknown"
    new = ec2.create_subnet(
        VpcId=ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"], CidrBlock="10.0.9.0/24"
    )["Subnet"]["SubnetId"]
    with refused("InvalidSubnet"):
        rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=[*subnets, new])


def test_what_is_pending_is_saved_and_restored(aws: StrictAws, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    saved = aws.save()
    for _ in range(2):
        looks = [ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["State"] for _ in range(3)]
        assert looks == ["pending", "pending", "available"]
        aws.restore(saved)


def test_a_subnet_may_be_in_any_state_of_aws(aws: StrictAws, ec2: Any, subnets: list[str]) -> None:
    aws.network_state(subnets[0], "failed-insufficient-capacity")
    (shown,) = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"]
    assert shown["State"] == "failed-insufficient-capacity"
    with pytest.raises(ValueError, match="no state"):
        aws.network_state(subnets[0], "deleted")
