"""The fleet as the function of a deployed stack tells it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import Policy
from tests.support.doors import Doors

SCHEDULED = {"setpoint": 1, "document": "test-server", "trigger": {"source": "schedule"}}


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
