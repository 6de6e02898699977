"""The fleet from the command line, over the laboratory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from lab import StrictAws
from reconciler.ledger.item import written
from reconciler.ledger.record import Accepted, DocumentRecord
from tests.support.ledger_table import create_table

TABLE, BUCKET = "ledger-of-a-test", "documents-of-a-fleet"
REGION = "ap-northeast-2"


def remembered(seconds_ago: float, **more: Any) -> DocumentRecord:
    looked_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return DocumentRecord("123456789012", REGION, "", Accepted(7, "ab", "v"), looked_at=looked_at, **more)


@pytest.fixture
def table(lab: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("SETPOINT_TABLE", TABLE)
    dynamodb = lab.outsider().client("dynamodb")
    try:
        create_table(dynamodb, TABLE)
    except dynamodb.exceptions.ResourceInUseException:  # the laboratory keeps its tables from test to test
        for one in dynamodb.scan(TableName=TABLE)["Items"]:
            dynamodb.delete_item(TableName=TABLE, Key={"document": one["document"]})

    def put(name: str, record: DocumentRecord | dict[str, Any]) -> None:
        values = record if isinstance(record, dict) else written(record)
        item = {key: TypeSerializer().serialize(value) for key, value in values.items()}
        dynamodb.put_item(TableName=TABLE, Item=item | {"document": {"S": name}})

    return put


def test_every_document_is_a_line_the_gravest_first(setpoint: Any, table: Any) -> None:
    table("shop", remembered(20, state="sync"))
    table("warehouse", remembered(11_000, state="sync"))
    table("broken", {"looked_at": "yesterday"})
    ran = setpoint("fleet")
    assert ran.code == 2
    lines = ran.out.splitlines()
    assert lines[0] == "2 of 3 networks are not being looked at."
    assert lines[1].endswith("; a look every 5 min, which is assumed: name the stack with --stack")
    assert [line.split()[:2] for line in lines[4:]] == [["SILENT", "warehouse"], ["FAILED", "broken"], ["IN", "SYNC"]]
    table("warehouse", remembered(20, state="sync"))
    table("broken", remembered(20, state="sync"))
    calm = setpoint("fleet", "-o", "json")
    assert calm.code == 0
    assert calm.report()["counts"] == {"IN SYNC": 3}


def test_one_scan_and_no_write(setpoint: Any, table: Any, lab: StrictAws) -> None:
    table("shop", remembered(20, state="sync"))
    lab.calls.clear()
    setpoint("fleet")
    assert [one.operation for one in lab.calls if one.operation != "GetCallerIdentity"] == ["Scan"]


def test_without_a_table_it_says_how_to_name_one(setpoint: Any, table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETPOINT_TABLE")
    assert setpoint("fleet").err == (
        "which table is the ledger is not known: name the stack with --stack, or give SETPOINT_TABLE\n"
    )
    monkeypatch.setenv("SETPOINT_TABLE", "nowhere")
    ran = setpoint("fleet", "-o", "json")
    assert ran.code == 1
    assert ran.report()["error"]["kind"] == "connection"


# ------------------------------------------------------------------------------------------ the deployed function
