"""Pages of EC2 and RDS answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def groups(ec2: Any, vpc: str) -> list[str]:
    """Eleven groups and the default one: twelve in the VPC."""
    return [str(ec2.create_security_group(VpcId=vpc, GroupName=f"g{n}", Description="d")["GroupId"]) for n in range(11)]


def of_vpc(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def test_a_page_holds_what_was_asked_and_a_token_for_the_rest(ec2: Any, vpc: str, groups: list[str]) -> None:
    first = ec2.describe_security_groups(Filters=of_vpc(vpc), MaxResults=5)
    second = ec2.describe_security_groups(Filters=of_vpc(vpc), MaxResults=5, NextToken=first["NextToken"])
    third = ec2.describe_security_groups(Filters=of_vpc(vpc), MaxResults=5, NextToken=second["NextToken"])
    assert [len(page["SecurityGroups"]) for page in (first, second, third)] == [4, 5, 3]
    assert "NextToken" not in third
    seen = [group["GroupId"] for page in (first, second, third) for group in page["SecurityGroups"]]
    assert set(groups) < set(seen)
    assert len(set(seen)) == 12


def test_the_paginator_of_boto3_walks_all_pages(aws: Any, ec2: Any, vpc: str, groups: list[str]) -> None:
    aws.calls.clear()
    pages = ec2.get_paginator("describe_security_groups").paginate(
        Filters=of_vpc(vpc), PaginationConfig={"PageSize": 5}
    )
    assert sum(len(page["SecurityGroups"]) for page in pages) == 12
    assert len(aws.calls) == 3


def test_without_a_size_ec2_gives_everything(ec2: Any, vpc: str, groups: list[str]) -> None:
    whole = ec2.describe_security_groups(Filters=of_vpc(vpc))
    assert (len(whole["SecurityGroups"]), "NextToken" in whole) == (12, False)


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        ("describe_vpcs", 1001),
        ("describe_subnets", 1001),
        ("describe_internet_gateways", 1001),
        ("describe_route_tables", 101),
        ("describe_security_groups", 1001),
        ("describe_security_group_rules", 1001),
        ("describe_network_acls", 1001),
    ],
)
def test_a_size_outside_the_bounds_is_refused(ec2: Any, operation: str, size: int, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        getattr(ec2, operation)(MaxResults=size)


def test_route_tables_page_up_to_a_hundred(ec2: Any, vpc: str) -> None:
    assert "NextToken" not in ec2.describe_route_tables(MaxResults=100)


@pytest.mark.parametrize("token", ["garbage", "eyJhIjogMX0=", "%%%"])
def test_a_token_nobody_gave_is_refused(ec2: Any, token: str, refused: Refused) -> None:
    with refused("InvalidNextToken"):
        ec2.describe_vpcs(NextToken=token)


def test_a_token_belongs_to_the_call_that_gave_it(ec2: Any, vpc: str, groups: list[str], refused: Refused) -> None:
    token = ec2.describe_security_groups(Filters=of_vpc(vpc), MaxResults=5)["NextToken"]
    with refused("InvalidNextToken"):
        ec2.describe_security_groups(MaxResults=5, NextToken=token)
    with refused("InvalidNextToken"):
        ec2.describe_vpcs(MaxResults=5, NextToken=token)


def test_rules_come_in_pages_too(ec2: Any, vpc: str, groups: list[str]) -> None:
    pages = ec2.get_paginator("describe_security_group_rules").paginate(PaginationConfig={"PageSize": 5})
    sizes = [len(page["SecurityGroupRules"]) for page in pages]
    assert sum(sizes) == len(ec2.describe_security_group_rules()["SecurityGroupRules"])
    assert sizes[:-1] == [5] * (len(sizes) - 1)


@pytest.fixture
def many_subnet_groups(rds: Any, subnets: list[str]) -> int:
    for number in range(101):
        rds.create_db_subnet_group(DBSubnetGroupName=f"g{number:03}", DBSubnetGroupDescription="d", SubnetIds=subnets)
    return 101


def test_rds_gives_a_hundred_and_a_marker(aws: Any, rds: Any, many_subnet_groups: int, refused: Refused) -> None:
    first = rds.describe_db_subnet_groups()
    rest = rds.describe_db_subnet_groups(Marker=first["Marker"])
    assert [len(page["DBSubnetGroups"]) for page in (first, rest)] == [100, 1]
    assert "Marker" not in rest
    with refused("InvalidParameterValue"):
        rds.describe_db_subnet_groups(Marker="garbage")
    pages = rds.get_paginator("describe_db_subnet_groups").paginate(PaginationConfig={"PageSize": 50})
    assert [len(page["DBSubnetGroups"]) for page in pages] == [50, 50, 1]


@pytest.mark.parametrize("size", [19, 101])
def test_rds_refuses_a_size_outside_twenty_to_a_hundred(rds: Any, size: int, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        rds.describe_db_instances(MaxRecords=size)


@pytest.mark.parametrize(
    ("operation", "ids"), [("describe_subnets", "SubnetIds"), ("describe_security_groups", "GroupIds")]
)
def test_a_size_does_not_go_with_ids(ec2: Any, refused: Refused, operation: str, ids: str) -> None:
    with refused("InvalidParameterCombination"):
        getattr(ec2, operation)(MaxResults=100, **{ids: ["subnet-1"]})


def test_a_filter_takes_two_hundred_values(ec2: Any, refused: Refused) -> None:
    ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-1"] * 200}])
    with refused("FilterLimitExceeded"):
        ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-1"] * 201}])


def test_pages_of_groups_may_be_short_and_end_in_an_empty_one(ec2: Any, vpc: str) -> None:
    for number in range(8):
        ec2.create_security_group(VpcId=vpc, GroupName=f"g{number}", Description="d")
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    pages = list(ec2.get_paginator("describe_security_groups").paginate(Filters=here, PaginationConfig={"PageSize": 5}))
    assert [len(page["SecurityGroups"]) for page in pages] == [4, 5, 0]
