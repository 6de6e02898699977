"""A report as data: every kind, every field and every value must come out as the document writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import desired_state
from desired_state.document import DocumentException
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.load import load
from desired_state.members import members
from reconciler.engine.gate import Gate
from reconciler.engine.result import Drift, PendingChange
from reconciler.model import (
    ABSENT,
    ActionResult,
    Cause,
    Difference,
    Ended,
    Evidence,
    Finding,
    Found,
    Outcome,
    Reason,
    Ref,
    Unmanaged,
)
from reconciler.report.as_json import as_json
from reconciler.report.exposure import own_layer
from tests.support.attempts import REPORT_ONLY
from tests.support.reports import GROUP, NOW, VPC, action, document, drift, planned, report

EXAMPLE = Path(desired_state.__file__).with_name("examples") / "test-server.json"
SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")


def test_the_whole_of_a_calm_plan() -> None:
    told = as_json(report())
    assert json.loads(json.dumps(told)) == {
        "format_version": 1,
        "account": "123456789012",
        "region": "ap-northeast-2",
        "document": {"name": "small", "revision": 7, "sha256": document().sha256, "origin": "small.json"},
        "policy": {
            "mode": "correct",
            "create_databases": False,
            "downtime": "never",
            "max_breaks": None,
            "prune": False,
            "adopt": True,
            "hold_exposures": True,
            "max_hold_hours": 24,
            "quota_rules": 60,
            "quota_entries": 20,
            "quota_routes": 500,
        },
        "started": "2026-03-01T12:00:00Z",
        "seconds": 0.25,
        "wrote": False,
        "in_sync": True,
        "fingerprint": "0123456789abcdef",
        "held_as_a_whole": None,
        "ids": {},
        "drifted": [],
        "actions": [],
        "findings": [],
        "pending": [],
        "unmanaged": [],
        "intents": [],
        "openings": [],
        "found_by": {},
        "untagged": [],
        "exceptions": [],
        "counts": {
            "planned": 0,
            "in_sync": 0,
            "corrected": 0,
            "held": 0,
            "waiting": 0,
            "blocked": 0,
            "failed": 0,
            "drifted": 0,
            "unmanaged": 0,
            "breaks": 0,
            "reads": 9,
            "writes": 0,
        },
    }


@pytest.mark.parametrize(
    ("one", "sign", "key", "want", "have"),
    [
        (
            drift("egress", SSH, ABSENT, "x"),
            "remove",
            {"protocol": "tcp", "ports": 22, "destination": "0.0.0.0/0"},
            None,
            {"protocol": "tcp", "ports": 22, "destination": "0.0.0.0/0", "description": "x"},
        ),
        (
            drift("ingress", SSH, None, ABSENT),
            "add",
            {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            None,
        ),
        (
            drift("ingress", 100, ABSENT, AclEntry("deny", "icmp", 8, 0, "10.0.0.0/8"), at="network_acl/A"),
            "remove",
            "100",
            None,
            {"action": "deny", "protocol": "icmp", "icmp_type": 8, "icmp_code": 0, "source": "10.0.0.0/8"},
        ),
        (drift("routes", "0.0.0.0/0", "igw", "nat", at="route_table/P"), "change", "0.0.0.0/0", "igw", "nat"),
        (
            drift("subnets", Address("subnet/A"), ABSENT, Address("subnet/A"), at="network_acl/A"),
            "remove",
            "subnet/A",
            None,
            "subnet/A",
        ),
        (drift("tags", "Name", "a", ABSENT, at=VPC), "add", "Name", "a", None),
        (drift("enable_dns_support", None, True, False, at=VPC), "change", None, True, False),
    ],
)
def test_a_drift_stands_as_the_document_writes_it(one: Drift, sign: str, key: Any, want: Any, have: Any) -> None:
    (told,) = json.loads(json.dumps(as_json(report(one))))["drifted"]
    means = own_layer(one.difference, past=False)
    assert told == {
        "severity": means.severity.value,
        "sentence": means.sentence,
        "id": None,
        "address": one.address,
        "field": one.field,
        "key": key,
        "sign": sign,
        "want": want,
        "have": have,
        "outcome": None,
        "consequence": None,
        "reason": None,
        "message": "",
    }


def test_every_value_of_every_kind_comes_out_as_it_went_in() -> None:
    written = json.loads(EXAMPLE.read_text())["resources"]
    loaded = load(EXAMPLE.read_bytes(), "x").resources
    told = as_json(report(*(drift("", None, one, ABSENT, at=at) for at, one in loaded.items())))
    for one in json.loads(json.dumps(told))["drifted"]:
        address = Address(one["address"])
        assert one["want"] == written[address.kind][address.name] | (
            {"vpc": "vpc/MyVPC"} if address.kind == "internet_gateway" else {}
        )


def test_every_field_of_every_kind_can_be_a_drift() -> None:
    loaded = load(EXAMPLE.read_bytes(), "x").resources
    drifts = []
    for address, resource in loaded.items():
        for field in resource.described():
            held = getattr(resource, field)
            if held is not None and not list(members(held)):
                drifts.append(drift(field, None, held, held, at=address))
            for key in members(held):
                inner = held[key] if isinstance(held, dict) else key
                drifts.append(drift(field, key, inner, ABSENT, at=address))
    told = json.loads(json.dumps(as_json(report(*drifts))))["drifted"]
    assert len(told) == len(drifts) > 60
    assert all(one["have"] is None for one, each in zip(told, drifts, strict=True) if each.difference.have is ABSENT)


def test_each_resource_is_told_with_its_lasting_id_and_by_what_it_was_found() -> None:
    database = Address("db_instance/app")
    told = as_json(
        report(
            ids={VPC: "vpc-1", database: "app"},
            resource_ids={database: "db-ABC"},
            found_by={
                VPC: Found(Evidence.SCOPE, "scope.vpc_id names it"),
                database: Found(Evidence.KEY, "its name"),
            },
            untagged=(GROUP,),
        )
    )
    assert json.loads(json.dumps({name: told[name] for name in ("found_by", "untagged")})) == {
        "found_by": {
            "db_instance/app": {"id": "db-ABC", "by": "key", "how": "its name"},
            "vpc/Main": {"id": "vpc-1", "by": "scope", "how": "scope.vpc_id names it"},
        },
        "untagged": ["security_group/Web"],
    }


def test_actions_have_their_references_by_name_and_say_why_they_are_held() -> None:
    one = action(GroupId=Ref(GROUP), Flags=(True, None, 3), breaks=1)
    held = Gate(held={0: REPORT_ONLY}, deferred={}, plan_held=None, findings=())
    seen = report(plan=planned(one), gate=held, ids={one.address: "sg-0123"})
    (told,) = json.loads(json.dumps(as_json(seen)))["actions"]
    assert told == {
        "number": 1,
        "id": "sg-0123",
        "operation": "ec2:DeleteSecurityGroup",
        "address": "security_group/Old",
        "why": "it is ours and no longer declared",
        "phase": "delete",
        "risk": "traffic",
        "breaks": 1,
        "resolves": [],
        "resolves_drifted": [],
        "params": {"GroupId": "<security_group/Web>", "Flags": [True, None, 3]},
        "ended": "held",
        "reason": "report_only",
        "message": "this deployment only reports: SETPOINT_MODE is report",
    }


def test_after_a_run_the_actions_are_what_was_tried() -> None:
    lost = Cause(Reason.ANSWER_LOST, "lost")
    tries = (ActionResult(action(), Ended.UNKNOWN, lost), ActionResult(action(), Ended.DONE))
    told = as_json(report(plan=planned(action()), wrote=True, writes=2, action_results=tries))
    assert [(one["number"], one["ended"], one["reason"], one["message"]) for one in told["actions"]] == [
        (1, "unknown", "answer_lost", "lost"),
        (2, "done", None, ""),
    ]
    assert told["wrote"] is True
    assert told["in_sync"] is True
    assert told["counts"]["corrected"] == 1


def test_a_change_that_aws_has_accepted_stands_beside_what_is_in_force() -> None:
    at = Address("db_instance/orders")
    waits = PendingChange(at, "db_instance_class", "db.t3.micro", "db.t3.large")
    assert as_json(report(pending=(waits,), ids={at: "orders"}))["pending"] == [
        {
            "address": "db_instance/orders",
            "id": "orders",
            "field": "db_instance_class",
            "now": "db.t3.micro",
            "accepted": "db.t3.large",
        }
    ]


def test_a_run_that_may_write_and_has_nothing_to_write_did_not_write() -> None:
    assert as_json(report(wrote=True))["wrote"] is False


def test_findings_unmanaged_resources_and_exceptions_are_told() -> None:
    holding = DocumentException(
        Address("network_acl/A"), "ingress", (50, AclEntry("allow", "all", -1, -1, "::/0")), NOW, "a"
    )
    rule = DocumentException(GROUP, "egress", SSH, NOW + timedelta(hours=1), "b")
    scalar = DocumentException(VPC, "enable_dns_support", False, NOW, "c")
    seen = report(
        document=replace(document(), exceptions=(holding, rule, scalar)),
        findings=(Finding(VPC, Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, "two candidates"), "tags", "Name"),),
        unmanaged=(
            Unmanaged(Address("subnet/x"), "subnet-1", owned=True),
            Unmanaged(Address("subnet/y"), "subnet-2", remark="it belongs to the account 999999999999"),
        ),
        excepted=((Difference(GROUP, "egress", SSH, ABSENT, None), rule),),
    )
    told = json.loads(json.dumps(as_json(seen)))
    assert told["findings"] == [
        {
            "id": None,
            "address": "vpc/Main",
            "field": "tags",
            "key": "Name",
            "outcome": "blocked",
            "reason": "ambiguous",
            "message": "two candidates",
        }
    ]
    assert told["unmanaged"] == [
        {"address": "subnet/x", "id": "subnet-1", "ours": True, "remark": None},
        {
            "address": "subnet/y",
            "id": "subnet-2",
            "ours": False,
            "remark": "it belongs to the account 999999999999",
        },
    ]
    assert [(one["value"], one["until"], one["active"]) for one in told["exceptions"]] == [
        ({"protocol": "tcp", "ports": 22, "destination": "0.0.0.0/0"}, "2026-03-01T13:00:00Z", True),
        ({"50": {"action": "allow", "protocol": "all", "source": "::/0"}}, "2026-03-01T12:00:00Z", False),
        (False, "2026-03-01T12:00:00Z", False),
    ]
    assert told["in_sync"] is False


def test_hostile_text_is_plain_ascii_in_the_bytes() -> None:
    told = json.dumps(as_json(report(drift("tags", "Name", "x", "\x1b[2J\u202e\x9b", at=VPC))))
    assert told.isascii()
    assert told.isprintable()
    assert json.loads(told)["drifted"][0]["have"] == "\x1b[2J\u202e\x9b"
