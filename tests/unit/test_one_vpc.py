"""A VPC is made once: when another may be made, and what people read where several have our tags."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from reconciler.engine.identity.several_vpcs import mend, subnets_of
from reconciler.engine.vpc_asked import why_not_yet
from reconciler.model import Reason
from tests.support.worlds import MORNING, document

DOCUMENT = document()
REGION = DOCUMENT.scope.region
A, B, C = "vpc-0a", "vpc-0b", "vpc-0c"


@pytest.mark.parametrize(("seconds", "waits"), [(0, True), (299, True), (300, False), (301, False), (-60, True)])
def test_a_vpc_that_was_asked_for_is_waited_for_as_long_as_aws_may_take_to_show_it(
    seconds: int, *, waits: bool
) -> None:
    cause = why_not_yet(MORNING, MORNING + timedelta(seconds=seconds))
    assert (cause is not None) is waits
    if cause:
        assert cause.reason is Reason.NOT_VISIBLE_YET
        assert cause.message.endswith(f"no other one is made before {MORNING + timedelta(minutes=5):%H:%M:%S} UTC")


def test_a_vpc_that_nobody_asked_for_may_be_made() -> None:
    assert why_not_yet(None, MORNING) is None


def _delete(vpc: str) -> str:
    command = f"aws ec2 delete-vpc --vpc-id {vpc} --region {REGION}"
    return f"delete the one too many, which AWS refuses while anything is in it: {command}"


def _off(*vpcs: str) -> str:
    tags = f"--tags Key=setpoint:document Key=setpoint:name --region {REGION}"
    commands = " or ".join(f"aws ec2 delete-tags --resources {one} {tags}" for one in vpcs)
    return f"take the tags off the one that it is not: {commands}"


@pytest.mark.parametrize(
    ("counts", "holds", "command"),
    [
        ({B: 0, A: 2}, f"{A} has 2 subnets; {B} has no subnets", _delete(B)),
        ({B: 1, A: 0}, f"{A} has no subnets; {B} has 1 subnet", _delete(A)),
        ({B: 0, A: 0}, f"{A} has no subnets; {B} has no subnets", _delete(B)),
        ({C: 1, B: 0, A: 0}, f"{A} has no subnets; {B} has no subnets; {C} has 1 subnet", _delete(B)),
        ({C: 1, B: 1, A: 0}, f"{A} has no subnets; {B} has 1 subnet; {C} has 1 subnet", _delete(A)),
        ({B: 3, A: 1}, f"{A} has 1 subnet; {B} has 3 subnets", _off(A, B)),
    ],
)
def test_of_several_vpcs_an_empty_one_may_go_and_never_the_last(
    counts: dict[str, int], holds: str, command: str
) -> None:
    subnets = [{"VpcId": vpc, "SubnetId": f"subnet-{n}"} for vpc, count in counts.items() for n in range(count)]
    assert mend(DOCUMENT, counts, subnets) == f"{holds}: {command}"


def test_their_subnets_are_read_in_one_call() -> None:
    asked = subnets_of([B, A])
    assert (asked.operation, json.loads(asked.params)) == (
        "DescribeSubnets",
        {"Filters": [{"Name": "vpc-id", "Values": [A, B]}]},
    )
