"""The account that the doors are started against."""

from __future__ import annotations

from tests.support.account import Account


def test_an_account_begins_with_empty_resources_of_the_stack(aws: Account) -> None:
    assert aws.put_document("a", b"{}") != aws.put_document("a", b"{}")  # versioned
    assert aws.client("dynamodb").scan(TableName=aws.table)["Items"] == []
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=aws.queue_url)


def test_nothing_of_another_test_is_left(aws: Account) -> None:
    assert aws.client("s3").list_objects_v2(Bucket=aws.bucket)["KeyCount"] == 0
