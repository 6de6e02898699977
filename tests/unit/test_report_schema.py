"""The published schemas of the report and of the receipt: all that is made is as they say, and has nothing besides."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.history.receipts import Day, chained, day_sheet
from reconciler.model.network_state import NetworkState
from reconciler.report.as_json import as_json
from tests.support.published import IS_RECEIPT, IS_REPORT, RECEIPT, REPORT
from tests.support.random_receipts import random_receipt
from tests.support.receipts import NAMES, fixture
from tests.support.reports import action, drift, planned, report


@pytest.mark.parametrize("schema", [REPORT, RECEIPT], ids=["report", "receipt"])
def test_the_published_schemas_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


def test_what_both_say_is_the_same() -> None:
    assert {name: RECEIPT["$defs"][name] for name in REPORT["$defs"]} == REPORT["$defs"]
    assert all(RECEIPT["properties"][name] == one for name, one in REPORT["properties"].items() if name not in _OTHER)


_OTHER = {"account", "region", "revision_change"}
"""A receipt without a report may not know them, and none is made of a comparison."""


@pytest.mark.parametrize("name", NAMES)
def test_every_receipt_is_as_published(name: str) -> None:
    IS_RECEIPT.validate(fixture(name))


@pytest.mark.parametrize("name", ["calm", "refused"])
def test_what_is_not_as_published_is_no_receipt(name: str) -> None:
    one = fixture(name)
    for broken in (
        {**one, "receipt": 2},
        {**one, "state": "calm"},
        {**one, "unheard_of": 1},
        {key: value for key, value in one.items() if key != "run"},
    ):
        assert not IS_RECEIPT.is_valid(broken)
    if "drifted" in one:
        assert not IS_RECEIPT.is_valid({key: value for key, value in one.items() if key != "network"})


@pytest.mark.parametrize("name", ["calm", "plan", "apply", "hostile"])
def test_the_report_in_a_receipt_is_as_published(name: str) -> None:
    one = fixture(name)
    IS_REPORT.validate({key: value for key, value in one.items() if key in REPORT["properties"]})


def test_a_report_is_as_published() -> None:
    one = json.loads(json.dumps(as_json(report(drift("ingress", None, 1, 2), plan=planned(action())))))
    IS_REPORT.validate(one)
    for broken in (
        {**one, "format_version": 2},
        {**one, "drifted": [{**one["drifted"][0], "sign": "?"}]},
        {**one, "drifted": [{**one["drifted"][0], "severity": "grave"}]},
        {**one, "actions": [{**one["actions"][0], "resolves_drifted": ["0"]}]},
        {key: value for key, value in one.items() if key != "ids"},
    ):
        assert not IS_REPORT.is_valid(broken)


def test_a_day_sheet_is_a_receipt_as_published() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    day = Day(at, 1440, 4, 360, ((int(at.timestamp()), int(at.timestamp()) + 360),))
    sheet = day_sheet(
        "shop",
        day,
        until=at,
        state=NetworkState.SYNC,
        severity=None,
        revision=7,
        run={"id": "r", "ending": "completed"},
        found="",
    )
    IS_RECEIPT.validate(chained(sheet, None))


@pytest.mark.parametrize("seed", range(5))
def test_receipts_that_are_drawn_for_tests_are_as_published(seed: int) -> None:
    IS_RECEIPT.validate(random_receipt(Random(seed)))
