"""The templates hold exactly what the registry, the settings and the metrics say, and let nobody else in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from artefact.denied import DENIED, PASS_ROLE, WRITE_OBJECTS, denied
from artefact.permissions import DOORS, ApiCall, policies, read_permissions, writes
from handlers.settings import PREFIX, Deployment, deployment, settings
from handlers.telemetry import NAMESPACE
from handlers.triggers import event_names
from reconciler.ledger.lease import LONGEST
from reconciler.model import Policy
from reconciler.report.records import UNITS
from tests.support.cfn import ROOT, Stack, as_yaml, listed, statements, template
from tests.support.iam import allowed, attached

MAIN, TARGET = "template.yaml", "templates/target-role.yaml"
BOTH = pytest.mark.parametrize("name", [MAIN, TARGET])
FUNCTIONS = {"SweepFunction": "sweep", "WorkerFunction": "worker", "InvokeFunction": "invoke", "PlanFunction": "plan"}
ROLE_THERE = "arn:aws:iam::111122223333:role/setpoint-TargetRole-1ABC"
GIVEN = {"TrustedRoleArns": "arn:aws:iam::111122223333:role/worker,arn:aws:iam::111122223333:role/invoke"}
FULL = {"Prune": "true", "CreateDatabases": "true"}


def stack(name: str = MAIN, **parameters: str) -> Stack:
    """The template for these parameters, in mode correct if they do not say another."""
    return Stack(template(name), **({"Mode": "correct"} | (GIVEN if name == TARGET else {}) | parameters))


def test_who_answers_every_question_of_the_deployment_with_enter_gets_a_deployment_that_only_reports() -> None:
    worked = Stack(template(MAIN))
    assert worked.holds("Corrects") is False
    of_all = worked.worked_out(template(MAIN)["Globals"])["Function"]
    assert of_all["Environment"]["Variables"]["SETPOINT_MODE"] == "report"


# ------------------------------------------------------------------------------- what the registry says, word for word


def held(name: str, policy: str) -> list[Any]:
    """The statements of a managed policy as they stand there."""
    return listed(template(name)["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"])


@BOTH
@pytest.mark.parametrize("policy", sorted(policies()))
def test_what_may_be_changed_is_what_the_registry_changes(name: str, policy: str) -> None:
    asked = [one.as_iam() for one in policies()[policy]]
    assert held(name, policy) == asked, f"{name}, {policy} should be:\n{as_yaml(asked)}"


def test_no_statement_of_the_registry_is_in_two_policies_or_in_none() -> None:
    split = [one.sid for statements_ in policies().values() for one in statements_]
    assert sorted(split) == sorted(one.sid for service in ("ec2", "rds") for one in writes(service))


@BOTH
def test_there_is_no_other_policy_than_these(name: str) -> None:
    own = {"LookPolicy", "NeverPolicy"} | ({"KeepPolicy", "TargetsPolicy"} if name == MAIN else set())
    kinds = {key for key, one in template(name)["Resources"].items() if one["Type"].startswith("AWS::IAM::")}
    every = {"SweepRole", "WorkerRole", "InvokeRole", "PlanRole", "ScheduleRole"} if name == MAIN else {"TargetRole"}
    assert kinds == own | policies().keys() | every


@BOTH
def test_what_may_be_read_is_what_the_registry_reads_and_who_did_it(name: str) -> None:
    who = {"Sid": "WhoChangedIt", "Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*"}
    assert held(name, "LookPolicy") == [read_permissions().as_iam(), who], (
        f"should be:\n{as_yaml(read_permissions().as_iam())}"
    )


@BOTH
def test_what_is_refused_is_the_list_of_what_is_refused(name: str) -> None:
    assert held(name, "NeverPolicy") == denied(receipts=name == MAIN)
    assert len(DENIED) == len(set(DENIED))


# --------------------------------------------------------------------------------------------- roles, worked out


def actions(worked: Stack, role: str, effect: str = "Allow") -> set[str]:
    return {action for one in allowed(worked, role) if one["Effect"] == effect for action in listed(one["Action"])}


NETWORK = ("ec2:", "rds:", "kms:DescribeKey", "secretsmanager:", "iam:PassRole")
LAMBDAS = {
    "sweep": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "worker": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    },
    "invoke": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "plan": {"logs:CreateLogStream", "logs:PutLogEvents"},
}
"""What Lambda itself does in a function's name: it reads the queue and writes the log."""


@pytest.mark.parametrize(("function", "door"), FUNCTIONS.items())
def test_beside_the_network_a_role_may_do_what_its_door_does_and_nothing_else(function: str, door: str) -> None:
    worked = stack(TargetRoleArns=ROLE_THERE, **FULL)
    role = worked.resources[function]["Properties"]["Role"].removesuffix(".Arn")
    own = {action for action in actions(worked, role) if not action.startswith(NETWORK)}
    assert own == {permission for one in DOORS if door in one.doors for permission in one.permissions} | LAMBDAS[door]
    network = {action for one in (*writes("ec2"), *writes("rds"), read_permissions()) for action in one.actions}
    looks = set(read_permissions().actions)
    assert actions(worked, role) - own == {"sweep": set(), "plan": looks}.get(door, network)


def roles(worked: Stack) -> list[str]:
    return [
        name for name in ("SweepRole", "WorkerRole", "InvokeRole", "PlanRole", "TargetRole") if name in worked.resources
    ]


@BOTH
@pytest.mark.parametrize("parameters", [{}, FULL, {"VpcIds": "vpc-0a1b2c3d"}])
def test_in_report_mode_no_role_can_change_a_network_or_a_database(name: str, parameters: dict[str, str]) -> None:
    worked = stack(name, Mode="report", **parameters)
    changing = {action for service in ("ec2", "rds") for one in writes(service) for action in one.actions}
    for role in roles(worked):
        assert actions(worked, role) & changing == set()
        reading = {one for one in actions(worked, role) if one.startswith(NETWORK)}
        assert all(re.match(r"(ec2|rds):(Describe|List)", one) for one in reading)
    assert not policies().keys() & worked.resources.keys()


@BOTH
@pytest.mark.parametrize(
    ("parameter", "requires_setting"),
    [("Prune", {"prune"}), ("CreateDatabases", {"create_databases"}), ("Adopt", {"adopt"}), ("", set())],
)
def test_what_needs_leave_is_allowed_only_with_it(name: str, parameter: str, requires_setting: set[str]) -> None:
    worked = stack(name, **({"Adopt": "false"} | ({parameter: "true"} if parameter else {})))
    role = [one for one in roles(worked) if one != "PlanRole"][-1]
    with_leave = {one.sid for service in ("ec2", "rds") for one in writes(service) if one.requires_setting}
    given = {
        one.sid
        for service in ("ec2", "rds")
        for one in writes(service)
        if one.requires_setting in requires_setting and one.requires_setting
    }
    assert {one["Sid"] for one in allowed(worked, role)} & with_leave == given


@BOTH
def test_a_role_that_may_correct_is_refused_what_destroys(name: str) -> None:
    worked = stack(name, **FULL)
    for role in set(roles(worked)) - {"SweepRole"}:
        others = {PASS_ROLE, WRITE_OBJECTS, "rds:CreateDBInstance", "rds:ModifyDBInstance"}
        assert actions(worked, role, "Deny") == {*DENIED, *others}


@BOTH
def test_nothing_is_allowed_that_the_same_role_is_refused(name: str) -> None:
    worked = stack(name, **FULL)
    for role in set(roles(worked)) - {"SweepRole"}:
        assert [(a, bar) for a in actions(worked, role) for bar in DENIED if fnmatchcase(a, bar)] == []


@BOTH
def test_only_reads_are_allowed_on_every_resource_and_no_action_is_a_pattern(name: str) -> None:
    worked = stack(name, TargetRoleArns=ROLE_THERE, **FULL) if name == MAIN else stack(name, **FULL)
    for role in (*roles(worked), *(["ScheduleRole"] if name == MAIN else [])):
        for one in allowed(worked, role):
            if one["Effect"] == "Allow":
                assert not any("*" in action for action in listed(one["Action"]))
                everywhere = "*" in listed(one["Resource"])
                reads = all(re.match(r"\w+:(Describe|List|Lookup)", action) for action in listed(one["Action"]))
                assert not everywhere or reads, one["Sid"]


@BOTH
def test_the_vpcs_of_the_parameter_become_a_condition_of_each(name: str) -> None:
    worked = stack(name, VpcIds="vpc-0a1b2c3d,vpc-0e0e0e0e0e0e0e0e0")
    found = {one["Sid"]: one for one in statements(worked.resources["NetworkPolicy"]["Properties"]["PolicyDocument"])}
    assert found["ChangeInVpc"]["Condition"] == {
        "ArnLike": {"ec2:Vpc": ["arn:*:ec2:*:*:vpc/vpc-0a1b2c3d", "arn:*:ec2:*:*:vpc/vpc-0e0e0e0e0e0e0e0e0"]}
    }
    assert found["ChangeVpc"]["Condition"] == {"StringLike": {"ec2:VpcID": ["vpc-0a1b2c3d", "vpc-0e0e0e0e0e0e0e0e0"]}}
    anywhere = {
        one["Sid"]: one for one in statements(stack(name).resources["NetworkPolicy"]["Properties"]["PolicyDocument"])
    }
    assert anywhere["ChangeInVpc"]["Condition"] == {"ArnLike": {"ec2:Vpc": ["arn:*:ec2:*:*:vpc/*"]}}
    assert anywhere["ChangeVpc"]["Condition"] == {"StringLike": {"ec2:VpcID": ["*"]}}


def test_databases_are_bound_to_their_names() -> None:
    worked = stack(DatabaseNames="shop-*")
    for one in statements(worked.resources["DatabasePolicy"]["Properties"]["PolicyDocument"]):
        for resource in one["Resource"]:
            if ":db:" in resource or ":subgrp:" in resource:
                assert resource.endswith(":shop-*")


def test_other_accounts_are_entered_by_the_roles_of_the_parameter_only() -> None:
    assert "sts:AssumeRole" not in actions(stack(), "WorkerRole")
    two = f"{ROLE_THERE},arn:aws:iam::123456789012:role/other"
    for role in ("WorkerRole", "InvokeRole", "PlanRole"):
        (enter,) = [one for one in allowed(stack(TargetRoleArns=two), role) if one["Action"] == "sts:AssumeRole"]
        assert enter["Resource"] == two.split(",")


def test_the_role_in_another_account_trusts_the_named_roles_with_the_external_id_and_nobody_else() -> None:
    worked = stack(TARGET, ExternalId="8f14e45f")
    assert worked.resources["TargetRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": GIVEN["TrustedRoleArns"].split(",")},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "8f14e45f"}},
        }
    ]


@BOTH
def test_policies_keep_within_the_quotas_of_iam(name: str) -> None:
    """6,144 characters a managed policy, without white space; ten of them a role (IAM quotas)."""
    twenty = ",".join(f"vpc-{number:017x}" for number in range(20))
    parameters = FULL | {"VpcIds": twenty, "DatabaseNames": "x" * 60 + "-*"}
    worked = stack(name, **parameters)
    for one, properties in worked.of_type("AWS::IAM::ManagedPolicy").items():
        assert len(json.dumps(properties["PolicyDocument"], separators=(",", ":"))) <= 6144, one
    for role, properties in worked.of_type("AWS::IAM::Role").items():
        assert len(attached(worked, role)) <= 10
        inline = json.dumps([one["PolicyDocument"] for one in properties.get("Policies", ())], separators=(",", ":"))
        assert len(inline) <= 10240


# ------------------------------------------------------------------------------------------------- what wakes it


def patterns(worked: Stack) -> dict[str, Any]:
    return {name: one["EventPattern"] for name, one in worked.of_type("AWS::Events::Rule").items()}


@pytest.mark.parametrize(("rule", "service"), [("NetworkCallsRule", "ec2"), ("DatabaseCallsRule", "rds")])
def test_the_calls_that_wake_it_are_those_that_change_what_a_kind_declares(rule: str, service: str) -> None:
    wanted = sorted(event_names()[service])
    assert patterns(stack())[rule] == {
        "source": [f"aws.{service}"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": [f"{service}.amazonaws.com"],
            "errorCode": [{"exists": False}],
            "eventName": wanted,
        },
    }, "eventName should be:\n" + yaml.safe_dump(wanted)


def test_there_is_a_rule_for_every_service_of_the_registry() -> None:
    sources = {one["source"][0] for one in patterns(stack()).values()}
    assert sources == {f"aws.{service}" for service in event_names()} | {"aws.s3"}


def test_a_rule_takes_documents_of_our_bucket_below_the_prefix_and_no_other_object() -> None:
    assert patterns(stack(Prefix="network/documents/"))["DocumentsRule"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": ["Documents"]}, "object": {"key": [{"prefix": "network/documents/"}]}},
    }


def test_no_pattern_leaves_out_callers_or_is_longer_than_eventbridge_takes() -> None:
    """2,048 characters (EventBridge quotas)."""
    for name, pattern in patterns(stack(Prefix="x" * 100 + "/")).items():
        told = json.dumps(pattern, separators=(",", ":"))
        assert len(told) <= 2048, name
        assert "anything-but" not in told


def test_every_rule_sends_to_the_queue_and_keeps_what_it_could_not_send() -> None:
    for one in stack().of_type("AWS::Events::Rule").values():
        (target,) = one["Targets"]
        assert (target["Arn"], target["DeadLetterConfig"]["Arn"]) == ("Queue.Arn", "DeadLetters.Arn")


def test_the_schedule_calls_the_sweep_with_the_event_that_it_knows() -> None:
    (schedule,) = stack(Rate="rate(1 hour)").of_type("AWS::Scheduler::Schedule").values()
    assert (schedule["ScheduleExpression"], schedule["Target"]["Arn"]) == ("rate(1 hour)", "SweepFunction.Arn")
    assert json.loads(schedule["Target"]["Input"]) == {"source": "setpoint.schedule", "version": 1}
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": "DeadLetters.Arn"}
    assert actions(stack(), "ScheduleRole") == {"lambda:InvokeFunction", "sqs:SendMessage"}


def test_the_queue_waits_for_the_worker_and_gathers_a_burst() -> None:
    worked = stack(BatchingWindow="30")
    queue, worker = worked.resources["Queue"]["Properties"], worked.resources["WorkerFunction"]["Properties"]
    (mapping,) = worked.of_type("AWS::Lambda::EventSourceMapping").values()
    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": "DeadLetters.Arn", "maxReceiveCount": 5}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1
    assert int(queue["DelaySeconds"]) == 30
    assert template(MAIN)["Parameters"]["WorkerConcurrency"]["MinValue"] == 2


def test_no_invocation_lasts_longer_than_a_lease_is_honoured_at_most() -> None:
    """Lambda ends every invocation after 15 minutes (Lambda quotas), and these after less."""
    assert timedelta(minutes=15) == LONGEST
    for function in FUNCTIONS:
        assert timedelta(seconds=stack().resources[function]["Properties"]["Timeout"]) <= LONGEST


# ------------------------------------------------------------------------------------------ functions and settings


def environment(worked: Stack) -> dict[str, str]:
    told = worked.worked_out(template(MAIN)["Globals"]["Function"]["Environment"]["Variables"])
    return {name: str(value) for name, value in told.items()}


def test_the_functions_are_given_every_setting_that_they_read_and_no_other() -> None:
    ours = (*(one.name for one in fields(Policy)), *Deployment.model_fields)
    assert environment(stack()).keys() == {*(PREFIX + one.upper() for one in ours), "POWERTOOLS_SERVICE_NAME"}


def live(worked: Stack) -> dict[str, str]:
    """The environment with what the stack's resources are called put in."""
    called = {
        "SETPOINT_BUCKET": "setpoint-documents-1abc",
        "SETPOINT_RECEIPTS": "setpoint-receipts-1abc",
        "SETPOINT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/setpoint-Queue-1ABC",
        "SETPOINT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:setpoint-Alerts-1ABC",
        "SETPOINT_OWN_ROLES": "arn:aws:iam::123456789012:role/a,arn:aws:iam::123456789012:role/b",
    }
    told = environment(worked)
    assert told["SETPOINT_OWN_ROLES"] == "WorkerRole.Arn,InvokeRole.Arn"
    return told | called


def test_the_settings_can_be_read_as_the_template_writes_them() -> None:
    assert settings(live(stack())) == Policy()
    where = deployment(live(stack()))
    assert (where.prefix, where.event_bus, where.alert_form, where.role_arns) == ("documents/", "default", "text", ())
    assert where.receipts == "setpoint-receipts-1abc"
    assert environment(stack())["SETPOINT_RECEIPTS"] == "Receipts"
    assert (where.alert_repeat_hours, where.reserve_seconds, where.external_id) == (24, 60, "")


def test_every_choice_of_a_parameter_reaches_the_settings() -> None:
    worked = stack(
        Mode="report",
        CreateDatabases="true",
        Downtime="window",
        MaxBreaks="7",
        Prune="true",
        Adopt="false",
        HoldExposures="false",
        MaxHoldHours="2",
        QuotaRules="100",
        QuotaEntries="40",
        QuotaRoutes="1000",
        AlertRepeatHours="48",
        AlertForm="chat",
        Prefix="a/b/",
        EventBus="ops",
        TargetRoleArns=ROLE_THERE,
        ExternalId="8f14e45f",
        Bindings="team-a=111122223333/vpc-0123456789abcdef0,team-b-*=999999999999",
    )
    read = settings(live(worked))
    assert read == Policy(
        mode="report",
        create_databases=True,
        downtime="window",
        max_breaks=7,
        prune=True,
        adopt=False,
        hold_exposures=False,
        max_hold_hours=2,
        quota_rules=100,
        quota_entries=40,
        quota_routes=1000,
    )
    where = deployment(live(worked))
    assert (where.alert_repeat_hours, where.alert_form, where.prefix, where.event_bus) == (48, "chat", "a/b/", "ops")
    assert (where.role_arns, where.external_id) == ((ROLE_THERE,), "8f14e45f")
    assert [(one.names, one.place) for one in where.bindings] == [
        ("team-a", "111122223333/vpc-0123456789abcdef0"),
        ("team-b-*", "999999999999"),
    ]


@pytest.mark.parametrize(("function", "door"), FUNCTIONS.items())
def test_each_function_has_its_door_its_own_log_and_python_313_on_arm(function: str, door: str) -> None:
    source = template(MAIN)["Resources"][function]
    shared = template(MAIN)["Globals"]["Function"]
    assert source["Metadata"] == {"BuildMethod": "makefile"}
    assert (shared["Runtime"], shared["Architectures"], shared["CodeUri"]) == ("python3.13", ["arm64"], ".")
    module = "invoke" if door == "plan" else door
    assert source["Properties"]["Handler"] == f"handlers.{module}.handler"
    assert (ROOT / "handlers" / f"{module}.py").read_text().count("\ndef handler(") == 1
    worked = stack(LogRetentionDays="30")
    logging = worked.resources[function]["Properties"]["LoggingConfig"]
    assert logging == {"LogFormat": "JSON", "LogGroup": f"{door.capitalize()}Logs"}
    assert worked.resources[logging["LogGroup"]]["Properties"] == {"RetentionInDays": "30"}
    writes_to = {one["Resource"] for one in allowed(worked, f"{door.capitalize()}Role") if one.get("Sid") == "Log"}
    assert writes_to == {f"{door.capitalize()}Logs.Arn"}


def test_nothing_is_traced() -> None:
    assert "Tracing" not in (ROOT / MAIN).read_text()
    assert "xray" not in (ROOT / MAIN).read_text().lower()


def test_concurrency_is_reserved_only_when_asked_for() -> None:
    assert "ReservedConcurrentExecutions" not in stack().resources["WorkerFunction"]["Properties"]
    assert (
        stack(ReservedConcurrency="4").resources["WorkerFunction"]["Properties"]["ReservedConcurrentExecutions"] == "4"
    )


# ---------------------------------------------------------------------------------------------- who may send what


def resource_policies(worked: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    for kind in kinds:
        for name, one in worked.of_type(kind).items():
            yield from ((name, statement) for statement in statements(one["PolicyDocument"]))
    for name, one in worked.of_type("AWS::KMS::Key").items():
        yield from ((name, statement) for statement in statements(one["KeyPolicy"]))
    for name, one in worked.of_type("AWS::IAM::Role").items():
        yield from ((name, statement) for statement in statements(one["AssumeRolePolicyDocument"]))


def test_no_service_can_be_made_to_act_for_somebody_else() -> None:
    """Lambda is the exception: it takes a role only for a function, and iam:PassRole decides who may give it one."""
    seen = set()
    for name, one in resource_policies(stack()):
        service = one.get("Principal") != "*" and one["Principal"].get("Service")
        if one["Effect"] == "Allow" and service and service != "lambda.amazonaws.com":
            keys = {key for keys in one["Condition"].values() for key in keys}
            assert {"aws:SourceArn", "aws:SourceAccount"} <= keys, name
            assert one["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012"
            seen.add(name)
    assert seen == {"QueuePolicy", "DeadLettersPolicy", "AlertsPolicy", "AlertsKey", "ScheduleRole"}


def test_everybody_is_allowed_nothing_and_refused_without_tls() -> None:
    refused = set()
    for name, one in resource_policies(stack()):
        if one["Principal"] == "*":
            assert one["Effect"] == "Deny"
            if one["Sid"] == "OnceOnly":
                continue
            assert one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            refused.add(name)
    assert refused == {"DocumentsPolicy", "ReceiptsPolicy", "QueuePolicy", "DeadLettersPolicy", "AlertsPolicy"}


def test_nobody_can_write_a_receipt_that_could_replace_another_one() -> None:
    """S3 user guide, "Enforce conditional writes on Amazon S3 buckets"."""
    policy = stack().resources["ReceiptsPolicy"]["Properties"]["PolicyDocument"]
    (once,) = [one for one in statements(policy) if one["Sid"] == "OnceOnly"]
    assert (once["Effect"], once["Principal"], once["Action"]) == ("Deny", "*", "s3:PutObject")
    assert once["Resource"] == "Receipts.Arn/*"
    assert once["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }


def test_receipts_are_forgotten_after_their_days_and_locked_only_when_asked_for() -> None:
    def bucket(**parameters: str) -> dict[str, Any]:
        properties: dict[str, Any] = stack(**parameters).resources["Receipts"]["Properties"]
        return properties

    assert bucket()["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == "400"
    assert bucket(ReceiptDays="30")["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == "30"
    # A bucket can only be given a lock later if it was made for one.
    assert bucket()["ObjectLockEnabled"] is True
    assert "Rule" not in bucket()["ObjectLockConfiguration"]
    assert bucket(ReceiptLockDays="365")["ObjectLockConfiguration"]["Rule"] == {
        "DefaultRetention": {"Mode": "COMPLIANCE", "Days": "365"}
    }
    assert "NotificationConfiguration" not in bucket()


def test_documents_are_written_by_those_whom_the_deployment_names_and_by_nobody_else() -> None:
    writers = ["arn:aws:iam::123456789012:role/pipeline", "arn:aws:iam::123456789012:user/ops-*"]

    def refused(who: str, action: str, worked: Stack) -> bool:
        policy = worked.resources["DocumentsPolicy"]["Properties"]["PolicyDocument"]
        for one in statements(policy):
            if one["Sid"] == "WritersOnly" and action in one["Action"]:
                assert (one["Effect"], one["Principal"]) == ("Deny", "*")
                assert one["Resource"] == "${Documents.Arn}/documents/*".replace("${Documents.Arn}", "Documents.Arn")
                return not any(
                    fnmatchcase(who, writer) for writer in one["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
                )
        return False

    bound = stack(DocumentWriters=",".join(writers))
    stranger, allowed_ = "arn:aws:iam::123456789012:role/admin", "arn:aws:iam::123456789012:user/ops-anna"
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
        assert refused(stranger, action, bound)
        assert not refused(allowed_, action, bound)
        assert not refused(writers[0], action, bound)
        assert not refused(stranger, action, stack())
    assert not refused(stranger, "s3:GetObject", bound)


def test_rules_may_send_by_their_own_arn_only() -> None:
    rules = {f"{name}.Arn" for name in stack().of_type("AWS::Events::Rule")}
    for policy in ("QueuePolicy", "DeadLettersPolicy"):
        (allow,) = [one for name, one in resource_policies(stack()) if name == policy and one["Effect"] == "Allow"]
        assert set(allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == rules


def test_what_is_stored_is_encrypted_and_what_cannot_be_made_again_stays() -> None:
    worked = stack()
    for name in ("Documents", "Receipts", "Ledger", "SweepLogs", "WorkerLogs", "InvokeLogs"):
        assert worked.resources[name]["DeletionPolicy"] == worked.resources[name]["UpdateReplacePolicy"] == "Retain"
    buckets, table = worked.of_type("AWS::S3::Bucket"), worked.resources["Ledger"]["Properties"]
    assert buckets.keys() == {"Documents", "Receipts"}
    for bucket in buckets.values():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"] == buckets["Documents"]["BucketEncryption"]
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    woken = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert buckets["Documents"]["NotificationConfiguration"] == woken
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert (table["BillingMode"], table["KeySchema"]) == (
        "PAY_PER_REQUEST",
        [{"AttributeName": "document", "KeyType": "HASH"}],
    )
    assert all(one["SqsManagedSseEnabled"] for one in worked.of_type("AWS::SQS::Queue").values())
    assert worked.resources["Alerts"]["Properties"]["KmsMasterKeyId"] == "AlertsKey.Arn"


def test_an_address_is_subscribed_only_when_one_is_given() -> None:
    assert stack().of_type("AWS::SNS::Subscription") == {}
    (one,) = stack(AlertEmail="ops@example.org").of_type("AWS::SNS::Subscription").values()
    assert one == {"TopicArn": "Alerts", "Protocol": "email", "Endpoint": "ops@example.org"}


# ---------------------------------------------------------------------------------------------- alarms, dashboard


def alarms() -> Mapping[str, dict[str, Any]]:
    return stack(HeartbeatSeconds="900").of_type("AWS::CloudWatch::Alarm")


def test_an_alarm_on_our_metrics_names_one_that_is_written_with_exactly_its_dimension() -> None:
    ours = {one["MetricName"]: one for one in alarms().values() if one["Namespace"] == NAMESPACE}
    assert ours.keys() == {"RunSucceeded", "DocumentsStale", "Failed", "Blocked", "AlertsLost", "ReceiptsLost"}
    assert ours.keys() <= UNITS.keys()
    service = environment(stack())["POWERTOOLS_SERVICE_NAME"]
    assert all(one["Dimensions"] == [{"Name": "service", "Value": service}] for one in ours.values())


def test_silence_is_an_alarm() -> None:
    heartbeat = alarms()["HeartbeatAlarm"]
    assert (heartbeat["MetricName"], heartbeat["Statistic"], heartbeat["TreatMissingData"]) == (
        "RunSucceeded",
        "Sum",
        "breaching",
    )
    assert (heartbeat["ComparisonOperator"], heartbeat["Threshold"], heartbeat["Period"]) == (
        "LessThanThreshold",
        1,
        "900",
    )


def test_a_document_that_is_not_looked_at_is_an_alarm_and_so_is_a_sweep_that_measures_nothing() -> None:
    stale = alarms()["StaleAlarm"]
    assert (stale["MetricName"], stale["Statistic"], stale["TreatMissingData"]) == (
        "DocumentsStale",
        "Maximum",
        "breaching",
    )
    assert (stale["ComparisonOperator"], stale["Threshold"], stale["Period"]) == (
        "GreaterThanOrEqualToThreshold",
        1,
        "900",
    )
    assert environment(stack(HeartbeatSeconds="900"))["SETPOINT_STALE_SECONDS"] == "900"


def test_every_function_and_the_dead_letters_are_watched_and_every_alarm_tells_somebody() -> None:
    watched = {(one["Namespace"], one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms().values()}
    for function in FUNCTIONS:
        assert {("AWS/Lambda", "Errors", function), ("AWS/Lambda", "Throttles", function)} <= watched
    assert ("AWS/Lambda", "Duration", "WorkerFunction") in watched
    assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "DeadLetters.QueueName") in watched
    assert all(one["AlarmActions"] == ["Alerts"] for one in alarms().values())
    (limit,) = [one["Threshold"] for one in alarms().values() if one["MetricName"] == "Duration"]
    assert limit < 1000 * stack().resources["WorkerFunction"]["Properties"]["Timeout"] <= limit + 30_000


def test_the_topic_and_its_key_let_every_alarm_publish() -> None:
    for policy in ("AlertsPolicy", "AlertsKey"):
        (allow,) = [
            one
            for name, one in resource_policies(stack())
            if name == policy and one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        ]
        pattern = allow["Condition"]["ArnLike"]["aws:SourceArn"]
        for one in alarms().values():
            assert fnmatchcase(f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{one['AlarmName']}", pattern)


def test_the_dashboard_shows_every_metric_there_is_and_every_alarm() -> None:
    (dashboard,) = stack().of_type("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    shown = [metric for one in widgets for metric in one["properties"].get("metrics", ())]
    ours = [metric[:4] for metric in shown if metric[0] == NAMESPACE]
    assert {metric[1] for metric in ours} == UNITS.keys()
    assert all(metric[2:4] == ["service", "setpoint"] for metric in ours)
    (listed_alarms,) = [one["properties"]["alarms"] for one in widgets if one["type"] == "alarm"]
    assert set(listed_alarms) == {f"{name}.Arn" for name in alarms()}


# ---------------------------------------------------------------------------------------------------- the template


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


@BOTH
def test_every_parameter_is_used_described_and_its_form_is_checked(name: str) -> None:
    source = template(name)
    body = {key: value for key, value in source.items() if key != "Parameters"}
    body.pop("Metadata", None)
    used = set(strings(body)) | {found for one in strings(body) for found in re.findall(r"\$\{(\w+)\}", one)}
    for parameter, one in source["Parameters"].items():
        assert parameter in used
        assert one["Description"]
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & one.keys(), parameter
        if "AllowedPattern" in one:
            values = (
                one.get("Default", "").split(",") if one["Type"] == "CommaDelimitedList" else [one.get("Default", "")]
            )
            assert "Default" not in one or all(re.search(one["AllowedPattern"], value) for value in values)
            assert one["ConstraintDescription"]


def test_every_parameter_has_its_place_and_label_on_the_console() -> None:
    interface = template(MAIN)["Metadata"]["AWS::CloudFormation::Interface"]
    placed = [parameter for group in interface["ParameterGroups"] for parameter in group["Parameters"]]
    assert sorted(placed) == sorted(template(MAIN)["Parameters"]) == sorted(interface["ParameterLabels"])


@BOTH
def test_no_arn_names_a_partition_a_region_or_an_account(name: str) -> None:
    body = {key: value for key, value in template(name).items() if key != "Parameters"}
    for one in strings(body):
        for arn in re.findall(r"arn:[^\s\"',]*", one):
            assert arn.startswith(("arn:${AWS::Partition}:", "arn:*:ec2:*:*:vpc/")), arn
        assert not re.search(r"\b\d{12}\b|\b(us|eu|ap)-\w+-\d\b", one)


@BOTH
def test_no_alias_of_yaml_is_used_which_cloudformation_does_not_read(name: str) -> None:
    tokens = yaml.scan((ROOT / name).read_text())
    assert not [one for one in tokens if isinstance(one, (yaml.AliasToken, yaml.AnchorToken))]


def test_the_output_shows_how_to_invoke_and_upload() -> None:
    outputs = stack().worked_out(template(MAIN)["Outputs"])
    assert json.loads(re.search(r"'(\{.*?\})'", outputs["PlanCommand"]["Value"])[1]) == {  # type: ignore[index]
        "document": "NAME",
        "mode": "plan",
    }
    assert outputs["InvokeFunctionName"]["Value"] == "InvokeFunction"
    assert "s3://Documents/documents/NAME.json" in outputs["UploadCommand"]["Value"]
    assert outputs["TrustedRoleArns"]["Value"] == "WorkerRole.Arn,InvokeRole.Arn,PlanRole.Arn"


def test_a_call_of_a_door_that_no_role_may_make_would_be_seen() -> None:
    """The comparison of roles and doors fails for a call that is in the table and not in the template."""
    unknown = ApiCall("s3", "PutObjectTagging", ("s3:PutObjectTagging",), frozenset({"worker"}))
    wanted = {permission for one in (*DOORS, unknown) if "worker" in one.doors for permission in one.permissions}
    assert wanted - actions(stack(TargetRoleArns=ROLE_THERE), "WorkerRole") == {"s3:PutObjectTagging"}


def test_the_function_for_questions_is_the_only_one_that_answers_only_questions() -> None:
    worked = stack()
    only = {
        name: one["Properties"].get("Environment", {}).get("Variables", {})
        for name, one in worked.resources.items()
        if one["Type"] == "AWS::Serverless::Function"
    }
    assert {name for name, variables in only.items() if variables} == {"PlanFunction"}
    assert only["PlanFunction"] == {"SETPOINT_QUESTIONS_ONLY": "1"}
    assert environment(worked)["SETPOINT_QUESTIONS_ONLY"] == "0"
