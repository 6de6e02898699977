"""Blue/green deployments of DB instances as in RDS. Called by strict_aws; rds_deployments has what other
calls must know.

Facts encoded (RDS API reference, CreateBlueGreenDeployment, SwitchoverBlueGreenDeployment, DeleteBlueGreenDeployment;
RDS User Guide, "Using Amazon RDS Blue/Green Deployments"): the source has backups and a password that RDS does not
manage; the green instance is named `<name>-green-<six characters>`; at the switchover the blue one becomes
`<name>-old1` and the green one gets its name, with the tags of the blue one over its own, so that two instances carry
them; each keeps its DbiResourceId; a change of either instance before that makes the deployment INVALID_CONFIGURATION
(it may, in the guide); deleting a deployment leaves the instances, and the green one goes only if that is asked for
before the switchover. That the former instance is read-only is not shown by any Describe call.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from lab import rds_clock, rds_options
from lab.live import Answer, Live, Params, filters_of
from lab.rds_deployments import BEFORE_SWITCHOVER, deployments, of
from lab.rds_restores import another
from lab.rds_unsure import unsure
from lab.refusal import Refusal

_TARGET = {
    "TargetEngineVersion": "EngineVersion",
    "TargetDBInstanceClass": "DBInstanceClass",
    "TargetAllocatedStorage": "AllocatedStorage",
    "TargetStorageType": "StorageType",
}
_FILTERS = {
    "blue-green-deployment-identifier": "BlueGreenDeploymentIdentifier",
    "blue-green-deployment-name": "BlueGreenDeploymentName",
    "source": "Source",
    "target": "Target",
}


def create(live: Live, params: Params) -> Answer:
    source = live.instance(params["Source"])
    name = source.db_instance_identifier
    if any(one["BlueGreenDeploymentName"] == params["BlueGreenDeploymentName"] for one in deployments(live).values()):
        raise Refusal("BlueGreenDeploymentAlreadyExistsFault", "A blue/green deployment of this name exists.")
    if source.manage_master_user_password:
        message = f"{name} has a master password in Secrets Manager, which blue/green deployments do not support."
        raise Refusal("SourceDatabaseNotSupportedFault", message)
    if source.status != "available" or not source.backup_retention_period or of(live, source):
        raise Refusal("InvalidDBInstanceState", f"{name} is not available, has no backups, or is in a deployment.")
    digest = hashlib.sha256(f"{live.account}/{name}/{len(deployments(live))}".encode()).digest()
    letters = base64.b32encode(digest).decode().lower()
    chosen = {member: params[given] for given, member in _TARGET.items() if given in params}
    group = live.subnet_group_of(source)
    chosen |= {"DBSubnetGroupName": group.name} if group is not None else {}
    tags = [dict(tag) for tag in source.tags] if unsure(live).green_has_tags else []
    chosen |= {"Tags": tags, "VpcSecurityGroupIds": source.vpc_security_group_ids}
    chosen |= {"PubliclyAccessible": source.publicly_accessible, "DeletionProtection": source.deletion_protection}
    chosen["CopyTagsToSnapshot"] = source.copy_tags_to_snapshot
    chosen["EnableCloudwatchLogsExports"] = sorted(rds_options.options(source).logs)
    green = f"{name}-green-{letters[:6]}"
    another(live, source, green, chosen)
    made = {
        "BlueGreenDeploymentIdentifier": f"bgd-{letters[:16]}",
        "BlueGreenDeploymentName": params["BlueGreenDeploymentName"],
        "Source": source.db_instance_arn,
        "Target": live.instance(green).db_instance_arn,
        "Status": "PROVISIONING",
    }
    deployments(live)[made["BlueGreenDeploymentIdentifier"]] = made
    return {"BlueGreenDeployment": dict(made)}


def describe(live: Live, params: Params) -> Answer:
    if params.get("BlueGreenDeploymentIdentifier"):
        found = [_known(live, params)]
    else:
        wanted = {_FILTERS[name]: values for name, values in filters_of(params).items()}
        found = [one for one in deployments(live).values() if all(one[key] in some for key, some in wanted.items())]
    return {"BlueGreenDeployments": [dict(one) for one in found]}


def switch_over(live: Live, params: Params) -> Answer:
    found = _known(live, params)
    if found["Status"] != "AVAILABLE":
        raise Refusal("InvalidBlueGreenDeploymentStateFault", f"The deployment is {found['Status']}.")
    found["Status"] = "SWITCHOVER_IN_PROGRESS"
    return {"BlueGreenDeployment": dict(found)}


def delete(live: Live, params: Params) -> Answer:
    found = _known(live, params)
    target = params.get("DeleteTarget", False)
    if found["Status"] in ("SWITCHOVER_IN_PROGRESS", "DELETING") or (
        target and found["Status"] not in BEFORE_SWITCHOVER
    ):
        raise Refusal("InvalidBlueGreenDeploymentStateFault", f"The deployment is {found['Status']}.")
    found["Status"] = "DELETING"
    if target:
        green = live.instance(found["Target"])
        green.deletion_protection = False
        rds_clock.intentions(green).deletion = {
            "DBInstanceIdentifier": green.db_instance_identifier, "SkipFinalSnapshot": True
        }  # fmt: skip
        rds_clock.start(green, "deleting")
    return {"BlueGreenDeployment": dict(found)}


def settle(live: Live) -> None:
    """Every deployment finishes what it is doing."""
    for identifier, one in list(deployments(live).items()):
        if one["Status"] == "PROVISIONING":
            one["Status"] = "AVAILABLE"
        elif one["Status"] == "SWITCHOVER_IN_PROGRESS":
            step_aside(live, identifier)
            _take_the_name(live, one)
        elif one["Status"] == "DELETING":
            del deployments(live)[identifier]


def step_aside(live: Live, identifier: str) -> None:
    """The first half of a switchover: the blue instance gives up its name, which nobody has for a moment."""
    one = deployments(live)[identifier]
    blue = live.instance(one["Source"])
    if "Name" in one:  # it has done so already
        return
    one["Name"] = name = blue.db_instance_identifier
    number = next(n for n in range(1, 100) if f"{name}-old{n}" not in live.rds.databases)
    rds_clock.rename(live, blue, f"{name}-old{number}")
    one["Source"] = blue.db_instance_arn


def _take_the_name(live: Live, one: Answer) -> None:
    blue, green = live.instance(one["Source"]), live.instance(one["Target"])
    rds_clock.rename(live, green, one.pop("Name"))
    copied = {tag["Key"]: tag["Value"] for tag in [*green.tags, *blue.tags]}
    green.tags = [{"Key": key, "Value": value} for key, value in copied.items()]
    one["Target"] = green.db_instance_arn
    one["Status"] = "SWITCHOVER_COMPLETED"


def _known(live: Live, params: Params) -> Answer:
    identifier = params["BlueGreenDeploymentIdentifier"]
    if identifier not in deployments(live):
        raise Refusal("BlueGreenDeploymentNotFoundFault", f"BlueGreenDeployment {identifier} not found.", 404)
    return deployments(live)[identifier]


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateBlueGreenDeployment": create,
    "DescribeBlueGreenDeployments": describe,
    "SwitchoverBlueGreenDeployment": switch_over,
    "DeleteBlueGreenDeployment": delete,
}
