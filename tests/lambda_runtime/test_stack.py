"""The account that the doors are started against, and that a function of the artefact works in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.lambda_runtime.conftest import Account
from tests.lambda_runtime.runtime_api import Lambda

EXAMPLE = Path(__file__).parents[2] / "desired_state" / "examples" / "test-server.json"


def test_the_sweep_asks_for_every_document_there_is(function: Callable[..., Lambda], aws: Account) -> None:
    aws.put_document("test-server", EXAMPLE.read_bytes())
    with function("handlers.sweep.handler") as sweep:
        answer = sweep.invoke({"source": "setpoint.schedule", "version": 1})
    assert answer.payload == {"documents": 1}, answer
    messages = aws.client("sqs").receive_message(QueueUrl=aws.queue_url, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(one["Body"])["document"] for one in messages] == ["test-server"]


def test_an_account_begins_with_empty_resources_of_the_stack(aws: Account) -> None:
    assert aws.put_document("a", b"{}") != aws.put_document("a", b"{}")  # versioned
    assert aws.client("dynamodb").scan(TableName=aws.table)["Items"] == []
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=aws.queue_url)


def test_nothing_of_another_test_is_left(aws: Account) -> None:
    assert aws.client("s3").list_objects_v2(Bucket=aws.bucket)["KeyCount"] == 0


def test_a_manual_invoke_builds_the_example_network_and_the_next_finds_it_in_sync(
    function: Callable[..., Lambda], aws: Account
) -> None:
    aws.put_document("test-server", EXAMPLE.read_bytes())
    ask = {"document": "test-server", "mode": "apply"}
    with function("handlers.invoke.handler", SETPOINT_CREATE_DATABASES="1") as invoke:
        built = invoke.invoke(ask)
        assert built.error is None, built
        calm = invoke.invoke(ask)
    report = calm.payload["report"]
    assert (report["in_sync"], report["counts"]["reads"], report["counts"]["writes"]) == (True, 9, 0)
    ours = [{"Name": "tag:setpoint:document", "Values": ["test-server"]}]
    assert len(aws.client("ec2").describe_subnets(Filters=ours)["Subnets"]) == 3
    assert len(aws.client("rds").describe_db_instances()["DBInstances"]) == 1
