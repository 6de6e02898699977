from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

import reconciler.notify
from desired_state.fields import Address, rule_key
from desired_state.network import SecurityGroup
from reconciler.model import ABSENT, ActionResult, Cause, Ended, Finding, Outcome, Reason, Unmanaged
from reconciler.model.trigger import Source
from reconciler.notify.event import detail
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.fitting import encoded
from tests.support.attempts import FLAPPING, SOMEBODY, completed, ended, extra, hostile
from tests.support.reports import GROUP, VPC, action, drift, planned, whole_plan_held

SCHEMA = json.loads((Path(reconciler.notify.__file__).parent / "event.v1.schema.json").read_text(encoding="utf-8"))
VALID = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def event(result: AttemptResult) -> dict[str, Any]:
    """The detail as a reader of the bus gets it; it is as the schema says."""
    told = detail(result)
    assert told is not None
    sent: dict[str, Any] = json.loads(encoded(told))
    VALID.validate(sent)
    return sent


def test_the_published_schema_is_a_schema_and_refuses_what_is_not_as_it_says() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    good = event(completed(extra()))
    for broken in (
        {**good, "version": 2},
        {**good, "ending": "calm"},
        {name: value for name, value in good.items() if name != "drifted"},
        {**good, "drifted": [{**good["drifted"][0], "sign": "?"}]},
        {**good, "account": "1"},
    ):
        assert not VALID.is_valid(broken)


def test_a_calm_run_has_no_event() -> None:
    assert detail(completed()) is None
    assert detail(completed(unmanaged=(Unmanaged(Address("subnet/theirs"), "subnet-0f"),))) is None
    assert detail(completed(findings=(Finding(GROUP, Outcome.IN_SYNC, Cause(Reason.PENDING_CHANGE, "fine")),))) is None


@pytest.mark.parametrize("ending", [Ending.LEASE_HELD, Ending.COVERED])
def test_what_another_run_tells_has_no_event(ending: Ending) -> None:
    assert detail(ended(ending)) is None


@pytest.mark.parametrize(
    "result",
    [
        completed(extra()),
        completed(findings=(Finding(GROUP, Outcome.BLOCKED, Cause(Reason.CONFLICT, "odd")),)),
        completed(gate=whole_plan_held(Cause(Reason.PLAN_HELD, "too much"))),
        completed(refusal="bad"),
        completed(plan=planned(action())),
        completed(writes=1),
        ended(Ending.UNOBSERVABLE, problem="no"),
        ended(Ending.DELETED, problem="gone"),
        ended(Ending.REFUSED, problem="bad"),
    ],
    ids=range(9),
)
def test_a_run_with_anything_to_tell_has_one(result: AttemptResult) -> None:
    assert event(result)["run_id"] == "run-1"


def test_a_drift_is_told_with_its_set_point_its_actor_and_how_long_it_stood_open() -> None:
    told = event(completed(extra(), actors={GROUP: SOMEBODY}, exposed={GROUP: 41.9996}, source=Source.CHANGE))
    assert told["drifted"] == [
        {
            "address": "security_group/Web",
            "id": "sg-0a1b2c3d4e5f60718",
            "field": "ingress",
            "key": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            "sign": "remove",
            "want": None,
            "have": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            "outcome": "corrected",
            "reason": None,
            "message": "",
            "exposed_seconds": 42.0,
            "actor": {
                "who": "arn:aws:iam::123456789012:user/kim",
                "call": "AuthorizeSecurityGroupIngress",
                "at": "2026-03-01T11:58:00Z",
                "source_ip": "198.51.100.7",
                "user_agent": "aws-cli/2.30",
                "event_id": None,
            },
        }
    ]
    assert (told["account"], told["region"], told["vpc_id"]) == (
        "123456789012",
        "ap-northeast-2",
        "vpc-0a1b2c3d4e5f60718",
    )
    assert (told["document"], told["revision"], told["woken_by"]) == ("small", 7, "change")
    assert told["counts"]["corrected"] == 1


def test_an_event_of_an_unobservable_network_says_what_stood_in_the_way_and_nothing_of_the_network() -> None:
    assert event(ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no", retry_after=60)) == {
        "version": 1,
        "run_id": "run-1",
        "document": "small",
        "ending": "blind",
        "woken_by": "schedule",
        "problem": "DescribeVpcs: UnauthorizedOperation: no",
        "refusal": None,
        "again_in_seconds": 60,
        "left_out": {},
    }


def test_an_event_names_the_receipt_of_its_run() -> None:
    key = "receipts/small/20260301T120000Z.sync.critical.r7.w1.6f2c9a1e.json.gz"
    assert event(completed(extra(), receipt=key))["receipt"] == key
    assert "receipt" not in event(completed(extra()))


def test_a_refusal_keeps_its_lines() -> None:
    assert event(completed(refusal="small.json:1:1: bad; correct it\nRevision 7 goes on."))["refusal"] == (
        "small.json:1:1: bad; correct it\nRevision 7 goes on."
    )


def test_a_refusal_of_many_long_lines_fits_and_says_how_many_are_missing() -> None:
    told = event(completed(refusal="\n".join(["\U0001f600" * 700] * 200)))
    assert len(encoded(told).encode()) <= 240_000
    assert told["refusal"].endswith("...\n(170 more lines)")


def test_a_drift_and_a_finding_are_told_with_the_reason_that_programs_decide_by() -> None:
    ambiguous = Finding(VPC, Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, "2 live resources could be it"))
    told = event(completed(extra(outcome=Outcome.HELD, cause=FLAPPING), findings=(ambiguous,)))
    assert [(one["reason"], one["message"]) for one in (*told["drifted"], *told["findings"])] == [
        ("flapping", FLAPPING.message),
        ("ambiguous", "2 live resources could be it"),
    ]


def test_what_nobody_declares_is_told_with_the_rest() -> None:
    told = event(completed(extra(), unmanaged=(Unmanaged(Address("subnet/theirs"), "subnet-0f"),)))
    assert told["unmanaged"] == [{"address": "subnet/theirs", "id": "subnet-0f", "ours": False}]


def test_what_a_person_should_know_about_an_unmanaged_resource_is_told() -> None:
    theirs = Unmanaged(Address("subnet/theirs"), "subnet-0f", remark="it belongs to the account 999999999999")
    (told,) = event(completed(extra(), unmanaged=(theirs,)))["unmanaged"]
    assert told["remark"] == "it belongs to the account 999999999999"


def test_an_action_is_told_with_how_it_ended() -> None:
    gone = action()
    told = event(
        completed(plan=planned(gone), action_results=(ActionResult(gone, Ended.FAILED, Cause(Reason.REFUSED, "no")),))
    )
    assert told["actions"] == [
        {
            "operation": "ec2:DeleteSecurityGroup",
            "address": "security_group/Old",
            "why": "it is ours and no longer declared",
            "risk": "traffic",
            "ended": "failed",
            "reason": "refused",
            "message": "no",
        }
    ]


def test_lists_that_are_too_long_are_cut_and_counted() -> None:
    keys = [rule_key("tcp", port, port, "0.0.0.0/0") for port in range(1, 4001)]
    result = completed(*(extra(key, Outcome.FAILED, Cause(Reason.REFUSED, "no " * 100)) for key in keys))
    told = event(result)
    assert len(encoded(told).encode()) <= 240_000
    assert len(told["drifted"]) + told["left_out"]["drifted"] == 4000
    assert told["drifted"][0]["key"]["ports"] == 1
    assert told["counts"]["failed"] == 4000


def test_a_value_that_is_too_large_says_how_large_it_is() -> None:
    rules = [{"protocol": "tcp", "ports": port, "source": "10.0.0.0/8"} for port in range(1, 500)]
    whole = SecurityGroup.model_validate({"ingress": rules})
    told = event(completed(drift("", None, whole, ABSENT, Outcome.CORRECTED)))
    assert told["drifted"][0]["want"].endswith(" bytes of JSON, left out)")
    assert told["drifted"][0]["have"] is None


def test_what_looks_like_a_secret_is_in_no_event() -> None:
    cause = Cause(Reason.REFUSED, "AKIAIOSFODNN7EXAMPLE")
    result = completed(drift("tags", "note", "a", "password=hunter2-hunter2", Outcome.HELD, cause))
    result = replace(result, actors={GROUP: replace(SOMEBODY, user_agent="AKIAIOSFODNN7EXAMPLE")})
    sent = encoded(event(result))
    assert "hunter2" not in sent
    assert "AKIAIOSFODNN7EXAMPLE" not in sent


@given(hostile, hostile, hostile, st.integers(1, 9))
def test_an_event_is_as_the_schema_says_whatever_the_words_and_however_many(
    name: str, words: str, reason: str, count: int
) -> None:
    at = Address.of("security_group", name)
    cause = Cause(Reason.REFUSED, reason, words)
    drifts = [drift("tags", f"{words}{number}", words, reason, Outcome.HELD, cause, at=at) for number in range(count)]
    result = completed(
        *drifts,
        findings=(Finding(VPC, Outcome.FAILED, Cause(Reason.UNREADABLE, words), name),) * count,
        refusal=f"{words}\n{reason}",
        actors={at: replace(SOMEBODY, who=words, user_agent=reason)},
        ids={at: words},
        run_id=reason,
    )
    sent = encoded(event(result))
    assert len(sent.encode()) <= 240_000
    assert sent.isprintable()
