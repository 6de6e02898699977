"""A new kind is a new file and a line in the registry: nothing else in the product knows the kinds by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from desired_state.load import DocumentError, load
from desired_state.resource import SECTIONS
from desired_state.schema import schema
from lab.strict_aws import StrictAws, laboratory
from reconciler.aws.client import Aws
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.kinds import REGISTRY
from reconciler.model import Outcome, Policy
from tests.support import toy
from tests.support.worlds import MORNING

SECTIONS.pop("toy")  # defining the model has entered it, and only the tests below want it there

DOCUMENT = {
    "version": 1,
    "name": "shop",
    "revision": 1,
    "scope": {"account_id": "123456789012", "region": "ap-northeast-2"},
    "resources": {
        "vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
        "toy": {"box": {"max_entries": 5, "tags": {"team": "shop"}}},
    },
}


@pytest.fixture
def nine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy is one of the kinds within a test, and unknown again behind it."""
    monkeypatch.setitem(SECTIONS, toy.Toy.kind, toy.Toy)
    monkeypatch.setitem(REGISTRY, toy.KIND.name, toy.KIND)


@pytest.fixture
def lab() -> Iterator[StrictAws]:
    with laboratory() as strict:
        yield strict


def ran(lab: StrictAws, *, write: bool = True) -> Report:
    aws = Aws(lab.session(), lab.region, sleep=lambda seconds: None)
    world = Environment(aws, lambda: MORNING, lambda seconds: None)
    return run(load(json.dumps(DOCUMENT).encode(), "test.json"), world, Policy(), write=write)


def boxes(ec2: Any) -> list[dict[str, Any]]:
    return [one for one in ec2.describe_managed_prefix_lists()["PrefixLists"] if one["PrefixListName"] == "box"]


def test_a_ninth_kind_is_declared_made_watched_and_mended(nine: None, lab: StrictAws) -> None:
    planned = ran(lab, write=False)
    assert [str(action.address) for action in planned.plan.actions] == ["vpc/main", "toy/box"]
    made = ran(lab)
    assert made.in_sync
    assert {(str(line.address), line.outcome) for line in made.lines} == {
        ("vpc/main", Outcome.CORRECTED),
        ("toy/box", Outcome.CORRECTED),
    }
    calm = ran(lab)
    assert (calm.in_sync, calm.writes, calm.lines) == (True, 0, ())
    ec2 = lab.outsider().client("ec2")
    (box,) = boxes(ec2)
    ec2.create_tags(Resources=[box["PrefixListId"]], Tags=[{"Key": "team", "Value": "ops"}])
    mended = ran(lab)
    assert [(str(line.address), line.field, line.key, line.outcome) for line in mended.lines] == [
        ("toy/box", "tags", "team", Outcome.CORRECTED)
    ]
    assert [one["PrefixListId"] for one in boxes(ec2)] == [box["PrefixListId"]]
    assert {"Key": "team", "Value": "shop"} in boxes(ec2)[0]["Tags"]


def test_the_schema_has_a_section_for_a_ninth_kind(nine: None) -> None:
    assert schema()["$defs"]["Toy"]["required"] == ["max_entries"]
    assert "toy" in schema()["properties"]["resources"]["properties"]


def test_without_its_line_the_kind_is_unknown() -> None:
    with pytest.raises(DocumentError, match="unknown kind of resource 'toy'"):
        load(json.dumps(DOCUMENT | {"revision": 2}).encode(), "test.json")
