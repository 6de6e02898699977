"""DB subnet groups: edited as a whole list, known by name, and never taken from another VPC."""

from __future__ import annotations

from typing import Any

from reconciler.model import Outcome, Policy
from tests.support.cases import DATABASE, built, calm, edit, ended, left, mended, told, writes
from tests.support.runs import Network, document

GROUP = "db_subnet_group/mydbsubnetgroup"
PRIVATE = ("subnet/PrivateSubnet1", "subnet/PrivateSubnet2")
SPARE = edit("db_subnet_group/spare", description="For the next database", subnets=list(PRIVATE))
ARN = "arn:aws:rds:ap-northeast-2:123456789012:subgrp:"


def _modify(net: Network, *subnets: str, name: str = "mydbsubnetgroup", **more: Any) -> None:
    ids = [net.id(one) if "/" in one else one for one in subnets]
    net.outsider("rds").modify_db_subnet_group(DBSubnetGroupName=name, SubnetIds=ids, **more)


def _group(net: Network, name: str = "mydbsubnetgroup") -> tuple[str, set[str]]:
    (group,) = net.outsider("rds").describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"]
    return group["DBSubnetGroupDescription"], {one["SubnetIdentifier"] for one in group["Subnets"]}


DECLARED = "Private subnets in two availability zones"


def test_an_extra_subnet_is_taken_out_of_the_group(net: Network) -> None:
    mended(net, lambda net: _modify(net, *PRIVATE, "subnet/PublicSubnet1"))
    assert writes(net) == ["ModifyDBSubnetGroup"]
    assert _group(net) == (DECLARED, {net.id(one) for one in PRIVATE})


def test_a_subnet_that_nobody_declared_is_taken_out_of_the_group(net: Network) -> None:
    made = net.outsider("ec2").create_subnet(
        VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.200.0/24", AvailabilityZone="ap-northeast-2c"
    )["Subnet"]["SubnetId"]
    mended(net, lambda net: _modify(net, *PRIVATE, made))
    assert _group(net) == (DECLARED, {net.id(one) for one in PRIVATE})


def test_a_missing_subnet_is_put_back(net: Network) -> None:
    three = [*PRIVATE, "subnet/PublicSubnet1"]
    wanted = built(net, edit(GROUP, subnets=three))
    mended(net, lambda net: _modify(net, *PRIVATE), wanted)
    assert _group(net) == (DECLARED, {net.id(one) for one in three})


def test_another_description_is_set_back_with_the_subnets_as_they_are(net: Network) -> None:
    mended(net, lambda net: _modify(net, *PRIVATE, DBSubnetGroupDescription="nobody knows"))
    assert _group(net) == (DECLARED, {net.id(one) for one in PRIVATE})


def test_subnets_and_description_are_set_back_in_one_call(net: Network) -> None:
    deed = lambda net: _modify(net, *PRIVATE, "subnet/PublicSubnet1", DBSubnetGroupDescription="x")  # noqa: E731
    report = mended(net, deed)
    assert ended(report, GROUP, "subnets") == ended(report, GROUP, "description") == {Outcome.CORRECTED}
    assert writes(net) == ["ModifyDBSubnetGroup"]


def test_a_description_that_is_left_out_is_not_managed(net: Network) -> None:
    wanted = document(edit(GROUP, description=...))
    _modify(net, *PRIVATE, DBSubnetGroupDescription="nobody knows")
    calm(net, wanted)


def test_a_group_that_no_database_uses_is_read_in_one_more_call_and_made_anew_when_it_is_gone(net: Network) -> None:
    wanted = built(net, SPARE)
    assert net.run(wanted).reads == 10
    mended(net, lambda net: net.outsider("rds").delete_db_subnet_group(DBSubnetGroupName="spare"), wanted)
    assert writes(net) == ["CreateDBSubnetGroup"]
    assert _group(net, "spare") == ("For the next database", {net.id(one) for one in PRIVATE})


def test_a_group_that_no_database_uses_is_put_right(net: Network) -> None:
    wanted = built(net, SPARE)
    mended(net, lambda net: _modify(net, *PRIVATE, "subnet/PublicSubnet1", name="spare"), wanted)


def test_tags_are_read_and_kept_where_the_document_declares_some(net: Network) -> None:
    wanted = built(net, edit(GROUP, tags={"team": "shop"}))
    rds = net.outsider("rds")
    extra = [{"Key": "team", "Value": "nobody"}, {"Key": "cost-centre", "Value": "42"}]
    mended(net, lambda net: rds.add_tags_to_resource(ResourceName=f"{ARN}mydbsubnetgroup", Tags=extra), wanted)
    tags = rds.list_tags_for_resource(ResourceName=f"{ARN}mydbsubnetgroup")["TagList"]
    found = {tag["Key"]: tag["Value"] for tag in tags}
    assert (found["team"], found["cost-centre"]) == ("shop", "42")


def test_a_group_of_that_name_in_another_vpc_is_not_touched(net: Network) -> None:
    """Names are unique in the account and region, so ours cannot be made beside it."""
    ec2 = net.outsider("ec2")
    elsewhere = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    there = [
        ec2.create_subnet(VpcId=elsewhere, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"ap-northeast-2{zone}")
        for index, zone in enumerate("ac")
    ]
    subnets = [one["Subnet"]["SubnetId"] for one in there]
    net.outsider("rds").create_db_subnet_group(
        DBSubnetGroupName="spare", DBSubnetGroupDescription="theirs", SubnetIds=subnets
    )
    wanted = document(SPARE)
    left(net, "db_subnet_group/spare", "subnets", Outcome.BLOCKED, f"is in another VPC, {elsewhere}", wanted)
    assert writes(net) == []
    assert _group(net, "spare") == ("theirs", set(subnets))


def test_a_group_is_made_only_once_the_subnets_in_it_are_there(net: Network) -> None:
    """RDS refuses to take the database's own subnet out, so only a group without one can lose both."""
    three = edit("subnet/PrivateSubnet3", cidr_block="10.0.4.0/24", availability_zone="ap-northeast-2c")

    def with_new(written: dict[str, Any]) -> None:
        three(written)
        edit("db_subnet_group/spare", subnets=["subnet/PrivateSubnet1", "subnet/PrivateSubnet3"])(written)

    wanted = document(with_new)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == ["CreateSubnet", "CreateDBSubnetGroup"]
    calm(net, wanted)


def test_a_group_that_left_the_document_is_never_deleted(net: Network) -> None:
    built(net, SPARE)
    report = net.run(policy=Policy(prune=True))
    assert report.writes == 0
    assert _group(net, "spare")[0] == "For the next database"
    assert net.outsider("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
