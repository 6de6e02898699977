"""What happened, as records for the log and as figures: told once, as a document writes them, never without end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desired_state.fields import Address, RuleKey
from handlers.staleness import Staleness
from reconciler.engine.result import Report
from reconciler.model import (
    ABSENT,
    Action,
    ActionResult,
    Cause,
    Ended,
    Evidence,
    Finding,
    Found,
    Operation,
    Outcome,
    Phase,
    Reason,
    Ref,
    Risk,
    Unmanaged,
)
from reconciler.model.trigger import Actor, Source, Trigger
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.records import UNITS, bounded, metrics, records
from tests.support.attempts import REPORT_ONLY, completed
from tests.support.intents import known
from tests.support.reports import GROUP, NOW, VPC, action, document, drift, planned, report

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
WEB = RuleKey("tcp", 443, 443, "0.0.0.0/0")
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
HOLD = Cause(Reason.HOLD_TAG, "a setpoint:hold tag holds it")
RUN: dict[str, Any] = {
    "record": "run",
    "message": "In sync: 2 resources are as declared; 9 reads, no write.",
    "ending": "completed",
    "source": "schedule",
    "in_sync": True,
    "seconds": 0.25,
    "reads": 9,
    "writes": 0,
    "wrote": False,
    "sha256": document().sha256,
    "origin": "small.json",
}
NAME = {"document": "small", "run_id": "run-1", "revision": 7}


def attempt(
    told: Report | None = None, ending: Ending = Ending.COMPLETED, source: Source = Source.SCHEDULE, **how: Any
) -> AttemptResult:
    return AttemptResult("small", "run-1", ending, Trigger(source, "small"), told, **how)


def revoke(*keys: RuleKey, **params: Any) -> Action:
    effect = tuple(("ingress of Web", key, False) for key in keys)
    return REVOKE.on(
        Address(GROUP),
        "revoke it",
        "ingress",
        effect=effect,
        breaks=1,
        params={"GroupId": Ref(Address(GROUP)), **params},
    )


def test_a_calm_run_is_one_short_line() -> None:
    told = records(attempt(report(wrote=True)))  # it might have written, and had nothing to write
    assert told == [RUN | NAME]
    assert len(json.dumps(told[0])) < 500


def test_unmanaged_resources_and_exceptions_are_counted_in_that_line() -> None:
    unmanaged = (Unmanaged(Address("subnet/subnet-1"), "subnet-1"), Unmanaged(Address("subnet/subnet-2"), "subnet-2"))
    assert records(attempt(report(wrote=True, unmanaged=unmanaged))) == [RUN | NAME | {"counts": {"unmanaged": 2}}]


def test_the_line_of_a_run_counts_by_what_resources_were_found_and_says_what_stands_beside_them() -> None:
    theirs = Unmanaged(Address("subnet/theirs"), "subnet-1", remark="it belongs to the account 999999999999")
    found = {
        VPC: Found(Evidence.SCOPE, "scope.vpc_id names it"),
        Address(GROUP): Found(Evidence.KEY, "its name"),
        Address("subnet/a"): Found(Evidence.KEY, "its network"),
    }
    seen = report(wrote=True, found_by=found, untagged=(VPC,), unmanaged=(theirs,))
    assert records(attempt(seen)) == [
        RUN
        | NAME
        | {
            "counts": {"unmanaged": 1},
            "found_by": {"scope": 1, "key": 2},
            "untagged": 1,
            "remarks": [
                {
                    "address": "subnet/theirs",
                    "id": "subnet-1",
                    "ours": False,
                    "remark": "it belongs to the account 999999999999",
                }
            ],
        }
    ]


def test_a_finding_is_told_with_the_resource_that_it_is_about() -> None:
    cause = Cause(Reason.IDENTITY_CHANGED, "it is sg-2 now", "sg-1 -> sg-2")
    seen = report(
        findings=(Finding(Address(GROUP), Outcome.HELD, cause), Finding(VPC, Outcome.HELD, HOLD)),
        found_by={Address(GROUP): Found(Evidence.TAGS, "its tags")},
        resource_ids={Address(GROUP): "sg-2"},
    )
    first, second, _ = records(attempt(seen))
    assert first["found_by"] == {"id": "sg-2", "by": "tags", "how": "its tags"}
    assert "found_by" not in second


def test_a_corrected_drift_is_told_with_who_did_it_what_was_called_and_the_run() -> None:
    actor = Actor(
        "arn:aws:iam::123456789012:user/eve", "AuthorizeSecurityGroupIngress", NOW, "192.0.2.7", "aws-cli", "e-1"
    )
    opened = report(
        drift("ingress", SSH, ABSENT, "for a moment", Outcome.CORRECTED),
        wrote=True,
        writes=1,
        plan=planned(revoke(SSH)),
        action_results=(ActionResult(revoke(SSH), Ended.DONE),),
    )
    rule = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0", "description": "for a moment"}
    who = {Address(GROUP): actor}
    assert records(attempt(opened, source=Source.CHANGE, actors=who, exposed={Address(GROUP): 12.5})) == [
        {
            "record": "drift",
            "address": "security_group/Web",
            "field": "ingress",
            "key": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            "sign": "remove",
            "have": rule,
            "outcome": "corrected",
            "message": 'ingress: tcp 22 from 0.0.0.0/0 "for a moment"',
            "who": {
                "who": "arn:aws:iam::123456789012:user/eve",
                "call": "AuthorizeSecurityGroupIngress",
                "at": "2026-03-01T12:00:00Z",
                "source_ip": "192.0.2.7",
                "user_agent": "aws-cli",
                "event_id": "e-1",
            },
            **NAME,
        },
        {
            "record": "action",
            "operation": "ec2:RevokeSecurityGroupIngress",
            "address": "security_group/Web",
            "phase": "unbind",
            "risk": "traffic",
            "breaks": 1,
            "params": {"GroupId": "<security_group/Web>"},
            "ended": "done",
            "message": "revoke it",
            "before": {"ingress": [rule]},
            **NAME,
        },
        RUN
        | NAME
        | {
            "message": "Corrected 1 difference with 1 write; the second look is in sync.",
            "source": "change",
            "writes": 1,
            "wrote": True,
            "exposed_seconds": 12.5,
            "counts": {"corrected": 1, "drifted": 1, "breaks": 1, "tried": 1},
            "fingerprint": "0123456789abcdef",
        },
    ]


def test_two_calls_on_one_field_each_tell_of_their_own_members() -> None:
    opened = report(
        drift("ingress", SSH, ABSENT, None, Outcome.CORRECTED),
        drift("ingress", WEB, ABSENT, None, Outcome.CORRECTED),
        wrote=True,
        action_results=(ActionResult(revoke(SSH), Ended.DONE), ActionResult(revoke(WEB), Ended.DONE)),
    )
    _, _, first, second, _ = records(attempt(opened))
    assert first["before"] == {"ingress": [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}]}
    assert second["before"] == {"ingress": [{"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0"}]}


def test_a_call_tells_what_was_there_and_what_is_to_be_there() -> None:
    modify = Operation("ec2", "ModifyVpcAttribute", Phase.BIND, Risk.COSMETIC)
    create = Operation("ec2", "CreateSecurityGroup", Phase.CREATE, Risk.REVERSIBLE)
    whole = document().resources[Address(GROUP)]
    both = report(
        drift("enable_dns_hostnames", None, True, False, Outcome.CORRECTED, at=VPC),
        drift("tags", "Name", "new", "old", Outcome.CORRECTED, at=VPC),
        drift("", None, whole, ABSENT, Outcome.CORRECTED),
        wrote=True,
        action_results=(
            ActionResult(modify.on(Address(VPC), "dns", "enable_dns_hostnames", "tags"), Ended.DONE),
            ActionResult(create.on(Address(GROUP), "make it"), Ended.DONE),
        ),
    )
    _, _, missing, first, second, _ = records(attempt(both))
    assert missing["message"] == "the whole resource is missing"
    assert first["before"] == {"enable_dns_hostnames": False, "tags": {"Name": "old"}}
    assert first["after"] == {"enable_dns_hostnames": True, "tags": {"Name": "new"}}
    assert "before" not in second
    assert second["after"]["resource"]["ingress"] == [{"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0"}]


def test_what_nobody_declares_is_told_with_its_id_before_it_goes() -> None:
    owned = (Unmanaged(Address("security_group/Old"), "sg-0123456789abcdef0", owned=True),)
    told = records(attempt(report(wrote=True, unmanaged=owned, action_results=(ActionResult(action(), Ended.DONE),))))
    assert [(one["record"], one.get("before")) for one in told] == [
        ("action", {"id": "sg-0123456789abcdef0"}),
        ("run", None),
    ]


def test_what_was_not_tried_is_told_once_at_its_drift_or_by_itself_where_it_has_none() -> None:
    held = report(
        drift("ingress", SSH, ABSENT, None, Outcome.HELD, HOLD),
        wrote=True,
        action_results=(
            ActionResult(revoke(SSH), Ended.HELD, HOLD),
            ActionResult(revoke(WEB), Ended.SKIPPED, Cause(Reason.DEPENDENCY, "it depends on something")),
            ActionResult(action(), Ended.HELD, REPORT_ONLY),
        ),
    )
    told = records(attempt(held))
    names = ("record", "outcome", "ended", "reason", "cause")
    assert [tuple(one.get(name) for name in names) for one in told] == [
        ("drift", "held", None, "hold_tag", "a setpoint:hold tag holds it"),
        ("action", None, "held", "report_only", "this deployment only reports: SETPOINT_MODE is report"),
        ("run", None, None, None, None),
    ]


def test_a_finding_is_told_with_its_place() -> None:
    invalid = Cause(Reason.INVALID_HOLD_TAG, "its hold is no time")
    finding = Finding(Address(VPC), Outcome.BLOCKED, invalid, "tags", "setpoint:hold")
    assert records(attempt(report(wrote=True, findings=(finding,))))[0] == {
        "record": "finding",
        "address": "vpc/Main",
        "field": "tags",
        "key": "setpoint:hold",
        "outcome": "blocked",
        "reason": "invalid_hold_tag",
        "message": "its hold is no time",
        **NAME,
    }


def test_what_is_no_run_of_the_network_says_why_in_one_line() -> None:
    told = records(
        attempt(None, Ending.UNOBSERVABLE, problem="AWS did not answer", refusal="a.json:1:1: no", retry_after=60)
    )
    assert told == [
        {
            "record": "run",
            "message": "AWS did not answer",
            "ending": "unobservable",
            "source": "schedule",
            "refusal": "a.json:1:1: no",
            "again": 60,
            "document": "small",
            "run_id": "run-1",
        }
    ]


def test_hostile_text_is_sanitized_and_what_looks_like_a_secret_is_gone_wherever_it_stands() -> None:
    bad = "x\x1b[31m\r\n\u202epassword=hunter2"
    cause = Cause(Reason.REFUSED, bad, bad)
    told = report(
        drift("description", None, bad, bad, Outcome.FAILED, cause),
        drift("tags", "ApiKey", "one", "two", Outcome.HELD),
        drift("tags", bad, bad, bad, Outcome.HELD),
        document=document(bad),
        findings=(Finding(Address(GROUP), Outcome.BLOCKED, cause, "tags", bad),),
        action_results=(ActionResult(action(bad, Description=bad), Ended.FAILED, cause),),
        wrote=True,
    )
    actor = Actor(bad, bad, NOW, bad, bad, bad, frozenset({bad}))
    mess = attempt(told, actors={Address(GROUP): actor}, problem=bad, refusal=bad)
    text = json.dumps(records(replace(mess, document=bad, run_id=bad)), ensure_ascii=False)
    assert text.isprintable()
    assert "hunter2" not in text
    assert '"one"' not in text
    assert '"two"' not in text


def test_a_correction_of_five_hundred_drifts_is_told_in_full_and_in_less_than_a_megabyte() -> None:
    keys = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in range(1, 501)]
    note = "d" * 255
    opened = report(
        *(drift("ingress", key, ABSENT, note, Outcome.CORRECTED) for key in keys),
        wrote=True,
        action_results=tuple(ActionResult(revoke(key), Ended.DONE) for key in keys),
    )
    told = records(attempt(opened))
    assert [one["record"] for one in told] == ["drift"] * 500 + ["action"] * 500 + ["run"]
    assert len(json.dumps(told)) < 1_000_000


def test_one_call_with_a_thousand_rules_is_told_in_one_line_that_says_how_many_are_left_out() -> None:
    keys = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in range(1, 1001)]
    many = revoke(
        *keys, IpPermissions=[{"FromPort": key.first, "IpRanges": [{"Description": "d" * 255}]} for key in keys]
    )
    opened = report(
        *(drift("ingress", key, ABSENT, None, Outcome.CORRECTED) for key in keys),
        wrote=True,
        action_results=(ActionResult(many, Ended.DONE),),
    )
    told = next(one for one in records(attempt(opened)) if one["record"] == "action")
    assert len(json.dumps(told)) < 33_000
    assert told["params"]["IpPermissions"][-1] == "936 more"
    assert told["before"]["ingress"][-1] == "936 more"


def test_drifts_without_end_are_cut_and_the_run_says_so() -> None:
    keys = [RuleKey("tcp", port, port, "0.0.0.0/0") for port in range(1, 2_011)]
    told = records(attempt(report(*(drift("ingress", key, ABSENT, None, Outcome.HELD) for key in keys), wrote=True)))
    assert len(told) == 2_001
    assert told[-1]["left_out"] == 10
    assert told[-1]["counts"]["held"] == 2_010


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(), inner, max_size=9),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=9))
@settings(max_examples=50)
def test_whatever_stands_in_a_record_it_is_narrow_printable_json(record: dict[str, Any]) -> None:
    text = json.dumps(bounded(record, 8_192), ensure_ascii=False, allow_nan=False)
    assert len(text.encode()) <= 8_192
    assert text.isprintable()


def test_a_record_that_lists_cannot_make_narrow_is_cut_in_its_texts() -> None:
    wide = {f"field {number}": "\U0001f40d" * 500 for number in range(100)} | {"many": [1] * 9}
    told = bounded(wide, 8_192)
    assert told["field 0"] == "\U0001f40d" * 60
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= 8_192


def test_the_figures_of_a_run() -> None:
    told = report(
        drift("ingress", SSH, ABSENT, None, Outcome.CORRECTED),
        drift("ingress", WEB, ABSENT, None, Outcome.HELD),
        drift("description", None, "a", "b", Outcome.WAITING),
        wrote=True,
        writes=3,
        findings=(Finding(Address(VPC), Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, "ambiguous")),),
        unmanaged=(Unmanaged(Address("subnet/subnet-1"), "subnet-1"),),
    )
    exposed = {Address(GROUP): 12.5, Address(VPC): 3.0}
    assert metrics(attempt(told, exposed=exposed, alerts_lost=2, refusal="a.json:1:1: no")) == {
        "Drifted": 3,
        "Corrected": 1,
        "Held": 1,
        "Waiting": 1,
        "Blocked": 1,
        "Failed": 0,
        "Unmanaged": 1,
        "ReadCalls": 9,
        "WriteCalls": 3,
        "RunDuration": 250.0,
        "ExposureSeconds": 12.5,
        "DocumentInvalid": 1,
        "RunSucceeded": 1,
        "AlertsLost": 2,
    }


def test_every_figure_has_a_unit_and_every_unit_a_figure() -> None:
    exposed = {Address(GROUP): 1.0}
    told = metrics(replace(attempt(report(wrote=True, intents=known()), exposed=exposed), receipts_lost=1))
    assert sorted(told | Staleness({}, frozenset()).figures) == sorted(UNITS)
    without = metrics(attempt(report(wrote=True), exposed=exposed))
    assert sorted(set(told) - set(without)) == ["IntentsBroken", "IntentsUnknown", "ReceiptsLost"]
    assert "ExposureSeconds" not in metrics(attempt(report(wrote=True)))


FAILED = Finding(Address(VPC), Outcome.FAILED, Cause(Reason.UNREADABLE, "it could not be read: throttled"))


@pytest.mark.parametrize(
    ("what", "invalid", "succeeded"),
    [
        (attempt(report(wrote=True)), 0, 1),
        (attempt(report(wrote=True), refusal="the newest version is no document"), 1, 1),
        (attempt(report(wrote=True, findings=(FAILED,))), 0, 0),
        (attempt(report(drift("description", None, "a", "b", Outcome.FAILED), wrote=True)), 0, 0),
        (attempt(report(wrote=True, action_results=(ActionResult(action(), Ended.FAILED),))), 0, 0),
        (attempt(report(wrote=True), source=Source.MANUAL), 0, 1),
        (attempt(None, Ending.UNOBSERVABLE, problem="no answer"), 0, 0),
        (attempt(None, Ending.REFUSED, problem="no document"), 1, 0),
        (attempt(None, Ending.DELETED, problem="its object is gone"), 0, 0),
        (attempt(None, Ending.UNOBSERVABLE, Source.MANUAL), 0, 0),
    ],
)
def test_a_run_succeeded_when_all_was_seen_and_nothing_failed(
    what: AttemptResult, invalid: int, succeeded: int
) -> None:
    told = metrics(what)
    assert (told["DocumentInvalid"], told["RunSucceeded"]) == (invalid, succeeded)
    assert ("ReadCalls" in told) == (what.report is not None)


@pytest.mark.parametrize(
    "what",
    [
        attempt(None, Ending.COVERED),
        attempt(None, Ending.LEASE_HELD, problem="another run has the lease"),
        attempt(report(wrote=False), source=Source.MANUAL),
        attempt(None, Ending.REFUSED, Source.MANUAL, problem="only: no such address"),
    ],
)
def test_what_is_no_run_of_the_deployment_has_no_figures_and_one_line(what: AttemptResult) -> None:
    assert metrics(what) == {}
    assert [one["record"] for one in records(what)] == ["run"]


def test_the_record_of_a_run_says_by_whom_it_was_approved() -> None:
    approved = [one.get("approved_by") for who in ("", "not known") for one in records(completed(approved_by=who))]
    assert approved == [None, "not known"]
