"""The fleet over the laboratory: from the command line, and from the function of a deployed stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from lab import StrictAws
from reconciler.ledger.item import written
from reconciler.ledger.record import Accepted, DocumentRecord
from reconciler.model import Policy
from tests.support.doors import Doors
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


def test_the_function_tells_the_fleet_as_the_worker_left_it(doors: Doors) -> None:
    told = doors.invoke_fleet()
    assert told["problem"] is None
    (line,) = told["fleet"]["documents"]
    assert (line["document"], line["state"], line["revision"]) == ("test-server", "IN SYNC", 1)
    doors.drift("ssh-opened-to-the-world")
    report_only = doors.another(policy=Policy(mode="report"))
    doors.work(SCHEDULED, stack=report_only)
    opened = doors.invoke_fleet()["fleet"]
    assert opened["heading"] == "1 of 1 network lets in what is not declared"
    (line,) = opened["documents"]
    assert line["state"] == "OPEN"
    assert line["openings"][0].startswith("TCP 22 ")
    assert line["alerts"] == {line["severity"]: 1}
    assert 0 <= line["exposed_at_most_s"] <= 3600
    doors.work(SCHEDULED)
    doors.settle()
    (line,) = doors.invoke_fleet()["fleet"]["documents"]
    assert (line["state"], line["openings"], line["alerts"]) == ("IN SYNC", [], {})
    doors.clock.sleep(16 * 60)
    silent = doors.invoke_fleet()["fleet"]
    assert silent["heading"] == "1 of 1 network is not being looked at"
    doors.work(SCHEDULED)
    doors.delete()
    doors.work(SCHEDULED)
    assert doors.invoke_fleet()["fleet"]["counts"] == {"DELETED": 1}


SCHEDULED = {"setpoint": 1, "document": "test-server", "trigger": {"source": "schedule"}}


def test_the_strip_comes_from_the_receipts_and_the_page_with_the_answer(doors: Doors) -> None:
    doors.drift("ssh-opened-to-the-world")
    doors.work(SCHEDULED)
    doors.settle()
    doors.lab.calls.clear()
    told = doors.invoke_fleet({"fleet": True, "page": "html"})
    (line,) = told["fleet"]["documents"]
    assert [one["state"] for one in line["segments"]][-1] == "sync"
    assert line["unlisted"] is None
    assert "test-server" in told["page"]
    assert [one.operation for one in doors.lab.calls] == ["Scan", "ListObjectsV2", "ListObjectsV2"]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"fleet": 1}, "fleet: write true, or leave it out"),
        ({"fleet": True, "page": "pdf"}, "page: write html or markdown, or leave it out"),
        ({"fleet": True, "document": "shop"}, "'document': a request for the fleet has no such member; leave it out"),
    ],
)
def test_another_request_is_refused(doors: Doors, event: dict[str, Any], problem: str) -> None:
    told = doors.invoke_fleet(event)
    assert (told["problem"], told["fleet"]) == (problem, None)
