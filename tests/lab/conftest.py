"""One laboratory a module, put back to its first world before every test: milliseconds instead of half a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import StrictAws, World, laboratory

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def one_laboratory() -> Iterator[tuple[StrictAws, World, Any, Any, Any]]:
    with laboratory() as aws:
        session = aws.session()
        yield aws, aws.save(), session.client("ec2"), session.client("rds"), aws.outsider()


@pytest.fixture
def aws(one_laboratory: tuple[StrictAws, World, Any, Any, Any]) -> StrictAws:
    aws, first_world, *_ = one_laboratory
    aws.restore(first_world)
    aws.faults.clear()
    aws.calls.clear()
    aws.after_write = None
    aws.settle_after, aws.status_lag = 1, 0
    return aws


@pytest.fixture
def ec2(aws: StrictAws, one_laboratory: tuple[StrictAws, World, Any, Any, Any]) -> Any:
    return one_laboratory[2]


@pytest.fixture
def rds(aws: StrictAws, one_laboratory: tuple[StrictAws, World, Any, Any, Any]) -> Any:
    return one_laboratory[3]


@pytest.fixture(scope="module")
def built() -> dict[bool, tuple[World, str, list[str]]]:
    """The first test of a module that wants a VPC builds it; the others find it here, with subnets or without."""
    return {}


@pytest.fixture
def site(
    aws: StrictAws, ec2: Any, built: dict[bool, tuple[World, str, list[str]]], request: pytest.FixtureRequest
) -> tuple[str, list[str]]:
    with_subnets = "subnets" in request.fixturenames
    if with_subnets not in built:
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = []
        for number, zone in ((1, "a"), (2, "a"), (3, "c")) if with_subnets else ():
            spot = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"ap-northeast-2{zone}"}
            made.append(ec2.create_subnet(VpcId=vpc, **spot)["Subnet"]["SubnetId"])
        aws.calls.clear()
        built[with_subnets] = (aws.save(), vpc, made)
    world, vpc, made = built[with_subnets]
    aws.restore(world)
    return vpc, made


@pytest.fixture
def vpc(site: tuple[str, list[str]]) -> str:
    return site[0]


@pytest.fixture
def subnets(site: tuple[str, list[str]]) -> list[str]:
    """Three subnets: two in zone a, one in zone c."""
    return site[1]


@pytest.fixture
def vpc6(ec2: Any) -> str:
    made = ec2.create_vpc(CidrBlock="10.6.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    return str(made["Vpc"]["VpcId"])


@pytest.fixture
def other_vpc(ec2: Any, vpc: str) -> str:
    return str(ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def refused() -> Refused:
    @contextmanager
    def refused_with(code: str) -> Iterator[None]:
        with pytest.raises(ClientError) as caught:
            yield
        assert caught.value.response["Error"]["Code"] == code

    return refused_with
