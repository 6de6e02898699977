"""What a document would say to have back what a run took away."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from desired_state.fields import Address
from desired_state.load import load
from desired_state.write import as_section
from reconciler.history.recorded import recorded
from reconciler.history.undo import Undo, as_json, text, undo
from tests.support.receipts import fixture
from tests.support.recorded import at, receipt, rule, setting
from tests.support.runs import REFERENCE

NOW = at(24)


def undone(content: dict[str, Any]) -> Undo:
    return undo(content, recorded(content), NOW)


def of(*drifts: dict[str, Any], before: dict[str, Any] | None = None, **declared: Any) -> Undo:
    spec = {one["address"]: {} for one in drifts} if before is None else before
    given = {"declared": {one["address"]: declared for one in drifts}}
    return undone(receipt(at(0), *drifts, run="6f2c9a1e") | {"before": spec, "network": given})


def test_a_rule_that_was_taken_away_is_declared_beside_the_others() -> None:
    web = {"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": "web"}
    found = of(rule(have=rule()["have"] | {"description": ""}), ingress=[web])
    assert found.values == {"security_group/DBSG": {"ingress": [web, rule()["have"]]}}
    (exception,) = found.exceptions
    assert exception == {
        "address": "security_group/DBSG",
        "field": "ingress",
        "value": {"protocol": "tcp", "ports": 5432, "source": "0.0.0.0/0"},
        "until": "2026-11-28",
        "reason": "as it was before run 6f2c9a1e",
    }
    assert found.opens == ("security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0",)


def test_what_was_missing_is_left_out_and_no_exception_says_so() -> None:
    declared = [rule()["have"] | {"description": "wanted"}]
    found = of(rule(have=None, want=declared[0], sign="add", exposes=False), ingress=declared)
    assert found.values == {"security_group/DBSG": {"ingress": []}}
    assert (found.exceptions, found.opens) == ((), ())


@pytest.mark.parametrize(
    ("drift", "declared", "value", "exception"),
    [
        (setting(), {"enable_dns_support": True}, False, False),
        (
            rule(address="network_acl/A", key="50", have={"action": "allow"}, want=None),
            {"ingress": {"100": {"action": "deny"}}},
            {"100": {"action": "deny"}, "50": {"action": "allow"}},
            {"50": {"action": "allow"}},
        ),
        (
            rule(address="route_table/P", field="routes", key="0.0.0.0/0", want="igw", have="nat", sign="change"),
            {"routes": {"0.0.0.0/0": "igw"}},
            {"0.0.0.0/0": "nat"},
            {"0.0.0.0/0": "nat"},
        ),
        (
            rule(address="network_acl/A", field="subnets", key="subnet/A", have="subnet/A"),
            {"subnets": ["subnet/B"]},
            ["subnet/B", "subnet/A"],
            "subnet/A",
        ),
        (rule(field="tags", key="Name", want="a", have="b"), {"tags": {"Name": "a"}}, {"Name": "b"}, {"Name": "b"}),
        # What the receipt does not say the document declares.
        (rule(field="tags", key="Name", have="b"), {}, {"Name": "b"}, {"Name": "b"}),
        (rule(field="subnets", key="subnet/A", have="subnet/A"), {}, ["subnet/A"], "subnet/A"),
        (rule(), {}, [rule()["have"]], rule()["have"]),
    ],
)
def test_each_kind_of_field_is_written_as_a_document_writes_it(
    drift: dict[str, Any], declared: dict[str, Any], value: Any, exception: Any
) -> None:
    found = of(drift, **declared)
    assert found.values == {drift["address"]: {drift["field"]: value}}
    assert [one["value"] for one in found.exceptions] == [exception]


def test_tags_are_no_list_though_one_of_them_says_its_own_name() -> None:
    found = of(rule(field="tags", key="Name", have="Name"), rule(field="tags", key="team", have="shop"))
    assert found.values == {"security_group/DBSG": {"tags": {"Name": "Name", "team": "shop"}}}


def test_as_values_it_has_all_that_it_says() -> None:
    lines = (
        rule(),
        rule(field="tags", key="setpoint:document", have="x", exposes=False),
        rule(address="vpc/x", field="", have=None),
    )
    old = {"description": "x"}
    before: dict[str, Any] = {one["address"]: {} for one in lines} | {"security_group/old": old}
    found = of(*lines, before=before)
    assert as_json(found) == {
        "format_version": 1,
        "document": found.document,
        "run": found.run,
        "before": at(0).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "values": {"security_group/DBSG": {"ingress": [rule()["have"]]}},
        "resources": {"security_group/old": old},
        "absent": ["vpc/x"],
        "exceptions": [dict(one) for one in found.exceptions],
        "cannot": list(found.cannot),
        "opens": ["security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0"],
    }
    assert (len(found.exceptions), len(found.cannot)) == (1, 1)
    assert as_json(replace(found, at=None))["before"] is None
    said = text(found)
    for part in (
        '"old": {',
        '"ingress": [',
        "as exceptions that end",
        "vpc/x was not there",
        "Not possible: ",
        "Z. Nothing is",
    ):
        assert part in said
    bare = text(replace(found, values={}, resources={}, exceptions=(), at=None))
    assert "As values" not in bare
    assert "as exceptions" not in bare
    assert f"run {found.run[:8]} of {found.document}. Nothing" in bare
    assert '"old": {' in text(replace(found, values={}))


def test_a_resource_that_the_run_made_was_not_there() -> None:
    found = of(setting(field=None, want={"a": 1}, have=None), before={})
    assert (found.absent, dict(found.values)) == (("vpc/MyVPC",), {})


def test_a_resource_that_the_run_deleted_is_declared_whole() -> None:
    found = of(before={"security_group/old": {"description": "x", "ingress": []}})
    assert found.resources == {"security_group/old": {"description": "x", "ingress": []}}


def test_what_no_call_touched_is_still_there() -> None:
    assert of(rule(outcome="held"), before={}).is_empty


def test_what_no_document_can_say_is_said_to_be_impossible() -> None:
    found = of(
        setting(field="tags", key="setpoint:name", want="a", have="b"),
        setting(address="internet_gateway/G", field="vpc", want="vpc/MyVPC", have="nowhere"),
        setting(field="tags", key="x", want=None, have="[redacted]"),
    )
    assert (dict(found.values), found.exceptions, len(found.cannot)) == ({}, (), 3)


def real() -> dict[str, Any]:
    """The receipt of a run that corrected the drifts of the demo."""
    return fixture("apply")


def merged(found: Undo, *, keys: str) -> dict[str, Any]:
    """The reference document with the lines in it."""
    written = deepcopy(REFERENCE)
    written.pop("intents", None)
    if keys == "exceptions":
        return written | {"exceptions": [dict(one) for one in found.exceptions]}
    for address, fields in found.values.items():
        kind, _, name = address.partition("/")
        if kind == "vpc":  # without DNS names in it, no document may declare a public database
            continue
        written["resources"][kind][name] |= fields
    return written


def test_the_values_of_a_real_run_load_and_are_what_was_there() -> None:
    content = real()
    found = undone(content)
    loaded = load(json.dumps(merged(found, keys="values")).encode(), "undone.json")
    assert len(found.values) > 5
    for address, fields in found.values.items():
        if Address(address).kind == "vpc":
            continue
        told = as_section(loaded.resources[Address(address)])
        before = content["before"][address]
        for field in fields:
            live, said = before[field], told.get(field, type(before[field])())
            if field == "tags":
                live = {key: value for key, value in live.items() if key in said}
            assert _bare(said) == _bare(live), (address, field)


def test_the_exceptions_of_a_real_run_load() -> None:
    found = undone(real())
    loaded = load(json.dumps(merged(found, keys="exceptions")).encode(), "excepted.json")
    assert len(loaded.exceptions) == len(found.exceptions) > 5


def _bare(value: Any) -> Any:
    """Without an order, and without descriptions that say nothing."""
    if isinstance(value, list):
        plain = [{k: v for k, v in one.items() if v != ""} if isinstance(one, dict) else one for one in value]
        return sorted(plain, key=lambda one: json.dumps(one, sort_keys=True))
    return value


def test_as_text_it_warns_of_what_it_would_open_and_writes_nothing() -> None:
    found = of(rule(), setting(field=None, want={"a": 1}, have=None), ingress=[])
    written = '{ "protocol": "tcp", "ports": 5432, "source": "0.0.0.0/0" }'
    heading, *lines = text(found).splitlines()
    assert heading == (
        "What was there before run 6f2c9a1e of shop, 2026-11-20T00:00:00Z. "
        "Nothing is written; review it like any change."
    )
    assert lines == [
        "It would declare an opening: security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0",
        "",
        "As values, each in place of the field of that name:",
        "{",
        '  "resources": {',
        f'    "security_group": {{ "DBSG": {{ "ingress": [{written}] }} }}',
        "  }",
        "}",
        "",
        "Or, where somebody added or changed something, as exceptions that end by themselves:",
        "{",
        '  "exceptions": [',
        "    {",
        '      "address": "security_group/DBSG",',
        '      "field": "ingress",',
        f'      "value": {written},',
        '      "until": "2026-11-28",',
        '      "reason": "as it was before run 6f2c9a1e"',
        "    }",
        "  ]",
        "}",
        "",
        "vpc/MyVPC was not there: to have that back, remove it from the document.",
    ]
    assert json.loads(json.dumps(as_json(found)))["absent"] == ["vpc/MyVPC"]


def test_a_run_that_changed_nothing_took_nothing_away() -> None:
    assert text(of(before={})) == "Run 6f2c9a1e of shop, 2026-11-20T00:00:00Z took nothing away."


def test_names_of_others_are_inert_in_the_lines() -> None:
    hostile = "security_group/\u202e\x1b[31m"
    found = undone(receipt(at(0), rule(address=hostile)) | {"before": {hostile: {}}, "network": {"declared": {}}})
    assert all(line.isprintable() for line in text(found).splitlines())


def test_a_live_value_that_no_document_may_say_is_left_out() -> None:
    field = "performance_insights_retention_period"  # 0 while nothing is kept
    found = of(setting(address="db_instance/db", field=field, want=7, have=0))
    assert found.values == {"db_instance/db": {field: None}}
    assert found.exceptions == ()
    assert of(setting(address="db_instance/db", field=field, want=7, have=31)).values == {"db_instance/db": {field: 31}}
