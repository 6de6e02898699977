"""Nothing in the policies of the stack's own buckets, queues, topic and key is there for nothing.

As in `test_every_statement.py`, the mutants are made of the statements: without any one of them, one of its conditions
or bounds, or for everybody, some call below is decided otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.support.calls import stack
from tests.support.cfn import listed, statements
from tests.support.iam import applies

WRITER, STRANGER = (f"arn:aws:iam::123456789012:role/{name}" for name in ("pipeline", "admin"))
EVENTS, WATCH, ROOT = "events.amazonaws.com", "cloudwatch.amazonaws.com", "arn:aws:iam::123456789012:root"
CLEAR, TLS = {"aws:SecureTransport": "false"}, {"aws:SecureTransport": "true"}
CREATES, ONCE = {"s3:ObjectCreationOperation": "true"}, {"s3:if-none-match": "*"}
OURS, THEIRS = {"aws:SourceAccount": "123456789012"}, {"aws:SourceAccount": "111122223333"}
ALARM = {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:setpoint-stale"}
ANOTHER_ALARM = {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:another"}
RULES = ("NetworkCallsRule", "DatabaseCallsRule", "DocumentsRule")


class Call(NamedTuple):
    """Who calls what with which keys, and whether the policy allows it (True), denies it (False) or does neither."""

    who: str
    action: str
    resource: str
    keys: Mapping[str, str]
    decided: bool | None


def by(who: str) -> dict[str, str]:
    return {"aws:PrincipalArn": who, **TLS}


def over_tls(action: str, *resources: str) -> list[Call]:
    """Nothing goes over a connection without TLS; of anything else this policy says nothing."""
    return [
        *(Call(STRANGER, action, one, {**by(WRITER), **CLEAR}, False) for one in resources),
        *(Call(STRANGER, action, one, by(WRITER), None) for one in resources),
        Call(STRANGER, action, "elsewhere", {**by(WRITER), **CLEAR}, None),
    ]


def from_service(service: str, action: str, resource: str, sources: list[str], other: str) -> list[Call]:
    """A service may call for what of this account it names, and for nothing else."""
    ours = [{"aws:SourceArn": one, **OURS} for one in sources]
    return [
        *(Call(service, action, resource, keys, True) for keys in ours),
        Call(service, action, resource, {"aws:SourceArn": other, **OURS}, None),
        Call(service, action, resource, {**ours[0], **THEIRS}, None),
        Call(service, action, "elsewhere", ours[0], None),
        Call(STRANGER, action, resource, ours[0], None),
    ]


FROM_RULES = [f"{one}.Arn" for one in RULES]
CALLS: Mapping[str, list[Call]] = {
    "DocumentsPolicy": [
        *over_tls("s3:GetObject", "Documents.Arn", "Documents.Arn/documents/shop.json"),
        *(
            Call(who, f"s3:{action}", f"Documents.Arn/{key}", by(who), decided)
            for action in ("PutObject", "DeleteObject", "DeleteObjectVersion", "RestoreObject")
            for who, key, decided in (
                (STRANGER, "documents/shop.json", False),
                (WRITER, "documents/shop.json", None),
                (STRANGER, "other/shop.json", None),
            )
        ),
    ],
    "ReceiptsPolicy": [
        *over_tls("s3:GetObject", "Receipts.Arn", "Receipts.Arn/receipts/shop/x"),
        Call(STRANGER, "s3:PutObject", "Receipts.Arn/receipts/shop/x", {**TLS, **CREATES}, False),
        Call(STRANGER, "s3:PutObject", "Receipts.Arn/receipts/shop/x", {**TLS, **CREATES, **ONCE}, None),
        Call(STRANGER, "s3:PutObject", "Receipts.Arn/receipts/shop/x", TLS, None),  # a part of an upload
        Call(STRANGER, "s3:PutObject", "elsewhere", {**TLS, **CREATES}, None),
    ],
    "QueuePolicy": [
        *over_tls("sqs:ReceiveMessage", "Queue.Arn"),
        *from_service(EVENTS, "sqs:SendMessage", "Queue.Arn", FROM_RULES, "AnotherRule.Arn"),
    ],
    "DeadLettersPolicy": [
        *over_tls("sqs:ReceiveMessage", "DeadLetters.Arn"),
        *from_service(EVENTS, "sqs:SendMessage", "DeadLetters.Arn", FROM_RULES, "AnotherRule.Arn"),
    ],
    "AlertsPolicy": [
        *over_tls("sns:Publish", "Alerts"),
        *from_service(WATCH, "sns:Publish", "Alerts", list(ALARM.values()), ANOTHER_ALARM["aws:SourceArn"]),
    ],
    "AlertsKey": [
        Call(ROOT, "kms:PutKeyPolicy", "*", {}, True),
        Call(STRANGER, "kms:PutKeyPolicy", "*", {}, None),
        Call(WATCH, "kms:Decrypt", "*", {**ALARM, **OURS}, True),
        Call(WATCH, "kms:Decrypt", "*", {**ANOTHER_ALARM, **OURS}, None),
        Call(WATCH, "kms:Decrypt", "*", {**ALARM, **THEIRS}, None),
        Call(STRANGER, "kms:Decrypt", "*", {**ALARM, **OURS}, None),
    ],
}


def held(name: str) -> list[dict[str, Any]]:
    properties = stack(DocumentWriters=WRITER).resources[name]["Properties"]
    return statements(properties.get("PolicyDocument") or properties["KeyPolicy"])


def decided(some: list[dict[str, Any]], call: Call) -> bool | None:
    by_effect = {
        one["Effect"]
        for one in some
        if (one["Principal"] == "*" or call.who in one["Principal"].values())
        and applies(one, call.action, (call.resource, call.keys))
    }
    return False if "Deny" in by_effect else "Allow" in by_effect or None


def mutants(one: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    yield "all of it", None
    if one["Principal"] != "*":
        yield "for everybody", {**one, "Principal": "*"}
    for operator, keys in one.get("Condition", {}).items():
        for key, wanted in keys.items():
            left = {name: value for name, value in keys.items() if name != key}
            yield f"without {operator} {key}", {**one, "Condition": {**one["Condition"], operator: left}}
            for value in listed(wanted) if len(listed(wanted)) > 1 else ():
                fewer = {**keys, key: [other for other in wanted if other != value]}
                yield f"{key} without {value}", {**one, "Condition": {**one["Condition"], operator: fewer}}
    bounds = listed(one["Resource"])
    if bounds != ["*"]:
        yield "for every resource", {**one, "Resource": "*"}
    for bound in bounds if len(bounds) > 1 else ():
        yield f"without {bound}", {**one, "Resource": [other for other in bounds if other != bound]}
    if one["Effect"] == "Deny":
        for action in listed(one["Action"]) if len(listed(one["Action"])) > 1 else ():
            yield f"without {action}", {**one, "Action": [other for other in one["Action"] if other != action]}


@pytest.mark.parametrize("name", CALLS)
def test_each_policy_decides_as_it_should_and_by_every_part_of_it(name: str) -> None:
    some, calls = held(name), CALLS[name]
    assert [one for one in calls if decided(some, one) is not one.decided] == []
    same = []
    for one in some:
        others = [other for other in some if other is not one]
        for part, changed in mutants(one):
            left = [*others, changed] if changed else others
            if all(decided(left, call) is call.decided for call in calls):
                same.append(f"{one['Sid']}: {part}")
    assert same == []


def test_every_policy_of_a_resource_is_asked_about() -> None:
    kinds = {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::KMS::Key"}
    assert {name for name, one in stack().resources.items() if one["Type"] in kinds} == CALLS.keys()
