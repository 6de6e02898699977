"""The stack as CloudFormation makes it: the template translated by SAM's own translator, and deployed on the emulator.

The translator wants other versions of our libraries, so it lives in an environment of its own (`make sam`);
everywhere else this file is skipped. What the emulator's CloudFormation does not make is named below, and
nothing else is left out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import boto3
import pytest

from tests.support.cfn import template

sam: Any = pytest.importorskip(
    "samtranslator.translator.transform",
    reason="SAM's translator is not here: `make sam` gives it an environment of its own",
)
parsing: Any = pytest.importorskip("moto.cloudformation.parsing", reason="the emulator is here without CloudFormation")

REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
LACKING = {
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::Scheduler::ScheduleGroup",
}
"""Types that the emulator's CloudFormation does not make. cfn-lint holds their properties to AWS's schemas."""
LEFT_OUT = LACKING | {"AWS::CloudWatch::Dashboard"}
"""The dashboard goes with them, since it shows the alarms by their ARNs."""
SCHEDULES = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/setpoint"


class _NoPolicies:
    """Stands for the list of AWS's own policies, which the translator looks up names in; we name none."""

    def load(self) -> dict[str, str]:
        return {}


def translated() -> dict[str, Any]:
    source = deepcopy(template("template.yaml"))
    source["Globals"]["Function"]["CodeUri"] = "s3://artefacts/setpoint.zip"
    made: dict[str, Any] = sam.transform(source, {}, _NoPolicies())
    return made


def made_here(source: dict[str, Any]) -> str:
    """What the emulator can make of a template, as JSON."""
    kept = {name: one for name, one in source["Resources"].items() if one["Type"] not in LEFT_OUT}
    text = json.dumps(source | {"Resources": kept})
    return text.replace('{"Fn::GetAtt": ["Schedules", "Arn"]}', json.dumps(SCHEDULES))


@dataclass
class Deployed:
    """A stack that was made: physical ids by logical id, and its outputs."""

    ids: dict[str, str]
    outputs: dict[str, str]
    status: str

    def policies(self, role: str) -> set[str]:
        """The logical ids of the managed policies that a role has."""
        found = boto3.client("iam").list_attached_role_policies(RoleName=self.ids[role])["AttachedPolicies"]
        arns = {one["PolicyArn"] for one in found}
        return {name for name, physical in self.ids.items() if physical in arns}


def deploy(source: dict[str, Any], name: str = "setpoint", Mode: str = "correct", **others: str) -> Deployed:  # noqa: N803
    """The stack deployed with these parameters, in mode correct if they do not say another."""
    parameters = {"Mode": Mode, **others}
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=made_here(source),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    listed = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    ids = {
        one["LogicalResourceId"]: one["PhysicalResourceId"] for page in listed for one in page["StackResourceSummaries"]
    }
    return Deployed(ids, {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}, stack["StackStatus"])


@pytest.fixture(autouse=True)
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("handlers/worker.py", "")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="artefacts", Key="setpoint.zip", Body=archive.getvalue())
        yield


def unread() -> Deployed:
    """The stack with nobody at the queue: the emulator would run the worker, where it finds Docker. What is sent can be
    received at once: the queue holds messages back for some seconds, which no test waits for.
    """
    stack = deploy(translated())
    boto3.client("sqs").set_queue_attributes(QueueUrl=stack.ids["Queue"], Attributes={"DelaySeconds": "0"})
    aws = boto3.client("lambda")
    for one in aws.list_event_source_mappings()["EventSourceMappings"]:
        aws.delete_event_source_mapping(UUID=one["UUID"])
    return stack


def received(url: str) -> list[Any]:
    """The events on a queue."""
    sqs = boto3.client("sqs")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [json.loads(one["Body"]) for one in found]


def test_sam_makes_four_functions_and_nothing_that_is_not_in_the_template() -> None:
    source, made = template("template.yaml")["Resources"], translated()["Resources"]
    assert made.keys() - source.keys() == {f"{name}FunctionEventInvokeConfig" for name in ("Invoke", "Plan", "Sweep")}
    assert source.keys() <= made.keys()
    functions = {name for name, one in made.items() if one["Type"] == "AWS::Lambda::Function"}
    assert functions == {"SweepFunction", "WorkerFunction", "InvokeFunction", "PlanFunction"}
    assert all(made[name]["Properties"]["Runtime"] == "python3.13" for name in functions)
    every = {frozenset(made[name]["Properties"]["Environment"]["Variables"]) for name in functions}
    assert every == {frozenset(template("template.yaml")["Globals"]["Function"]["Environment"]["Variables"])}


def test_only_what_the_emulator_cannot_make_is_left_out() -> None:
    types = {one["Type"] for one in translated()["Resources"].values()}
    assert types & LACKING == LACKING
    makes = {name for name in types if parsing.resource_class_from_type(name) is not None}
    assert types - makes == LACKING


def test_the_stack_is_made_with_every_resource_whose_condition_holds() -> None:
    stack = deploy(translated(), VpcIds="vpc-0a1b2c3d,vpc-0e0e0e0e0e0e0e0e0", Prune="true", CreateDatabases="true")
    assert stack.status == "CREATE_COMPLETE"
    wanted = {name for name, one in translated()["Resources"].items() if one["Type"] not in LEFT_OUT}
    assert wanted - stack.ids.keys() == {"TargetsPolicy"}
    assert stack.outputs["BucketName"] == stack.ids["Documents"]
    assert stack.ids["InvokeFunction"] in stack.outputs["ApplyCommand"]
    assert stack.ids["PlanFunction"] in stack.outputs["PlanCommand"]


def test_the_worker_takes_batches_from_the_queue_and_is_told_where_everything_is() -> None:
    stack = deploy(translated())
    aws = boto3.client("lambda")
    (mapping,) = aws.list_event_source_mappings()["EventSourceMappings"]
    queue = boto3.client("sqs").get_queue_attributes(QueueUrl=stack.ids["Queue"], AttributeNames=["All"])["Attributes"]
    assert (mapping["EventSourceArn"], mapping["BatchSize"]) == (queue["QueueArn"], 1)
    assert mapping["FunctionArn"].rpartition(":")[2] == stack.ids["WorkerFunction"]
    told = aws.get_function(FunctionName=stack.ids["WorkerFunction"])["Configuration"]["Environment"]["Variables"]
    assert (told["SETPOINT_BUCKET"], told["SETPOINT_TABLE"]) == (stack.ids["Documents"], stack.ids["Ledger"])
    assert told["SETPOINT_RECEIPTS"] == stack.ids["Receipts"]
    assert (told["SETPOINT_QUEUE_URL"], told["SETPOINT_TOPIC_ARN"]) == (stack.ids["Queue"], stack.ids["Alerts"])
    trusted = stack.outputs["TrustedRoleArns"].split(",")
    assert told["SETPOINT_OWN_ROLES"].split(",") == trusted[:2]


@pytest.mark.parametrize("role", ["WorkerRole", "InvokeRole"])
def test_a_role_has_the_policies_of_its_mode(role: str) -> None:
    looking = {"LookPolicy", "KeepPolicy", "NeverPolicy"}
    changing = {"NetworkPolicy", "MakingPolicy", "DatabasePolicy", "AdoptPolicy"}
    leave = {"Prune": "true", "CreateDatabases": "true"}
    assert deploy(translated()).policies(role) == looking | changing
    assert deploy(translated(), "report", Mode="report", **leave).policies(role) == looking
    everything = looking | changing | {"PrunePolicy", "NewDatabasePolicy", "TargetsPolicy"}
    there = "arn:aws:iam::111122223333:role/there"
    assert deploy(translated(), "all", TargetRoleArns=there, **leave).policies(role) == everything


def test_whoever_may_only_ask_has_nothing_that_changes_anything() -> None:
    assert deploy(translated()).policies("PlanRole") == {"LookPolicy", "NeverPolicy"}


def test_the_sweep_has_none_of_them() -> None:
    assert deploy(translated()).policies("SweepRole") == set()


def test_the_role_for_another_account_is_made() -> None:
    source = template("templates/target-role.yaml")
    trusted = f"arn:aws:iam::{ACCOUNT}:role/worker,arn:aws:iam::{ACCOUNT}:role/invoke"
    stack = deploy(source, "target", TrustedRoleArns=trusted, ExternalId="8f14e45f", Mode="report")
    assert stack.policies("TargetRole") == {"LookPolicy", "NeverPolicy"}
    role = boto3.client("iam").get_role(RoleName=stack.ids["TargetRole"])["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": trusted.split(",")}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "8f14e45f"}}
    assert stack.outputs["TargetRoleArn"] == role["Arn"]


CALL = {
    "eventSource": "ec2.amazonaws.com",
    "eventName": "AuthorizeSecurityGroupIngress",
    "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/ada"},
}


@pytest.mark.parametrize(
    ("source", "detail", "arrives"),
    [
        ("aws.ec2", CALL, True),
        ("aws.ec2", CALL | {"eventName": "DescribeSecurityGroups"}, False),
        ("aws.ec2", CALL | {"errorCode": "Client.UnauthorizedOperation"}, False),
        ("aws.ec2", CALL | {"eventSource": "sts.amazonaws.com"}, False),
        ("aws.rds", CALL | {"eventSource": "rds.amazonaws.com", "eventName": "ModifyDBInstance"}, True),
        ("aws.rds", CALL | {"eventSource": "rds.amazonaws.com", "eventName": "DescribeDBInstances"}, False),
    ],
)
def test_a_call_that_changed_something_reaches_the_queue_whoever_made_it(
    source: str, detail: dict[str, Any], arrives: bool
) -> None:
    stack = unread()
    boto3.client("events").put_events(
        Entries=[{"Source": source, "DetailType": "AWS API Call via CloudTrail", "Detail": json.dumps(detail)}]
    )
    assert [one["detail"] for one in received(stack.ids["Queue"])] == ([detail] if arrives else [])


def test_a_document_that_is_uploaded_reaches_the_queue_and_no_other_object_does() -> None:
    stack = unread()
    s3 = boto3.client("s3")
    # The emulator's CloudFormation makes a bucket without its notifications.
    s3.put_bucket_notification_configuration(
        Bucket=stack.ids["Documents"], NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_object(Bucket=stack.ids["Documents"], Key="reports/shop.json", Body=b"{}")
    assert received(stack.ids["Queue"]) == []
    s3.put_object(Bucket=stack.ids["Documents"], Key="documents/shop.json", Body=b"{}")
    (event,) = received(stack.ids["Queue"])
    assert (event["detail-type"], event["detail"]["object"]["key"]) == ("Object Created", "documents/shop.json")
    assert event["detail"]["bucket"]["name"] == stack.ids["Documents"]
