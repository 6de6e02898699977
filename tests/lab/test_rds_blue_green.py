"""Blue/green deployments in the laboratory, row by row, against what RDS does."""

from __future__ import annotations

from typing import Any

import pytest

from lab import StrictAws
from tests.lab.test_strict_rds import Refused, group, shown, wanted

__all__ = ["group"]

TAGS = [{"Key": "setpoint:document", "Value": "shop"}, {"Key": "setpoint:name", "Value": "main"}]
PASSWORD = {"ManageMasterUserPassword": None, "MasterUserPassword": "long-enough"}
STATE = "InvalidBlueGreenDeploymentStateFault"


@pytest.fixture
def blue(aws: StrictAws, rds: Any, group: str) -> dict[str, Any]:
    rds.create_db_instance(**wanted(group, Tags=TAGS, **PASSWORD))
    aws.settle()
    return shown(rds)


def deploy(aws: StrictAws, rds: Any, blue: dict[str, Any], **how: Any) -> dict[str, Any]:
    rds.create_blue_green_deployment(BlueGreenDeploymentName="upgrade", Source=blue["DBInstanceArn"], **how)
    aws.settle()
    (found,) = rds.describe_blue_green_deployments()["BlueGreenDeployments"]
    return dict(found)


def by_id(one: dict[str, Any]) -> dict[str, str]:
    return {"BlueGreenDeploymentIdentifier": one["BlueGreenDeploymentIdentifier"]}


def status(rds: Any) -> list[str]:
    return [one["Status"] for one in rds.describe_blue_green_deployments()["BlueGreenDeployments"]]


def test_a_switchover_gives_the_name_and_the_tags_to_another_instance(
    aws: StrictAws, rds: Any, blue: dict[str, Any], refused: Refused
) -> None:
    one = deploy(aws, rds, blue, TargetEngineVersion="17.2")
    assert (one["Status"], one["Source"]) == ("AVAILABLE", blue["DBInstanceArn"])
    green = shown(rds, one["Target"])
    assert green["DBInstanceIdentifier"].startswith("main-green-")
    assert (green["EngineVersion"], green["TagList"]) == ("17.2", [])
    with refused("InvalidDBInstanceState"):
        rds.delete_db_instance(DBInstanceIdentifier="main", SkipFinalSnapshot=True)
    rds.switchover_blue_green_deployment(**by_id(one))
    assert status(rds) == ["SWITCHOVER_IN_PROGRESS"]
    with refused(STATE):
        rds.delete_blue_green_deployment(**by_id(one))
    aws.half_switched_over(one["BlueGreenDeploymentIdentifier"])
    with refused("DBInstanceNotFound"):
        shown(rds)
    aws.settle()
    now, old = shown(rds), shown(rds, "main-old1")
    assert (now["DbiResourceId"], old["DbiResourceId"]) == (green["DbiResourceId"], blue["DbiResourceId"])
    assert (now["TagList"], old["TagList"], now["EngineVersion"]) == (TAGS, TAGS, "17.2")
    (after,) = rds.describe_blue_green_deployments()["BlueGreenDeployments"]
    assert (after["Status"], after["Source"], after["Target"]) == (
        "SWITCHOVER_COMPLETED",
        old["DBInstanceArn"],
        now["DBInstanceArn"],
    )
    with refused(STATE):
        rds.delete_blue_green_deployment(**by_id(one), DeleteTarget=True)
    rds.delete_blue_green_deployment(**by_id(one))
    aws.settle()
    assert (status(rds), len(rds.describe_db_instances()["DBInstances"])) == ([], 2)
    second = deploy(aws, rds, shown(rds))
    rds.switchover_blue_green_deployment(**by_id(second))
    aws.settle()
    assert {each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]} == {
        *("main", "main-old1", "main-old2")
    }


@pytest.mark.parametrize("side", ["Source", "Target"])
def test_a_change_of_either_side_spoils_the_deployment(
    aws: StrictAws, rds: Any, blue: dict[str, Any], refused: Refused, side: str
) -> None:
    aws.rds_unsure(green_has_tags=True)
    one = deploy(aws, rds, blue)
    assert shown(rds, one["Target"])["TagList"] == TAGS
    name = one[side].rpartition(":")[2]
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=True)
    assert status(rds) == ["INVALID_CONFIGURATION"]
    with refused(STATE):
        rds.switchover_blue_green_deployment(**by_id(one))
    aws.settle()
    rds.delete_blue_green_deployment(**by_id(one), DeleteTarget=True)
    aws.settle()
    assert [each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]] == ["main"]


def test_what_cannot_be_deployed_is_refused(
    aws: StrictAws, rds: Any, group: str, blue: dict[str, Any], refused: Refused
) -> None:
    rds.create_db_instance(**wanted(group, DBInstanceIdentifier="managed"))
    rds.create_db_instance(**wanted(group, DBInstanceIdentifier="bare", BackupRetentionPeriod=0, **PASSWORD))
    aws.settle()
    deploy(aws, rds, blue)
    for name, title, code in (
        ("managed", "other", "SourceDatabaseNotSupportedFault"),
        ("bare", "other", "InvalidDBInstanceState"),
        ("main", "other", "InvalidDBInstanceState"),
        ("main", "upgrade", "BlueGreenDeploymentAlreadyExistsFault"),
    ):
        with refused(code):
            rds.create_blue_green_deployment(BlueGreenDeploymentName=title, Source=shown(rds, name)["DBInstanceArn"])
    with refused("BlueGreenDeploymentNotFoundFault"):
        rds.describe_blue_green_deployments(BlueGreenDeploymentIdentifier="bgd-0000000000000000")
    found = rds.describe_blue_green_deployments(Filters=[{"Name": "source", "Values": ["arn:aws:rds:x:1:db:x"]}])
    assert found["BlueGreenDeployments"] == []
