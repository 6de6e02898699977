"""The manual door: what a person gets to see for each thing that may be asked, and that nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from handlers.invoke import LARGEST, answer, invoke
from handlers.stack import Invocation, Stack
from lab.drifts import DRIFTS
from lab.strict_aws import Call as Made
from reconciler.attempt.keep import Request, keep
from reconciler.ledger.lease import Lease
from reconciler.model import Cause, Policy, Reason
from reconciler.model.trigger import Source, Trigger
from tests.support.doors import NAME, Doors, object_event

OPEN = "ssh-opened-to-the-world"
KEYS = {
    "format_version",
    "run_id",
    "document",
    "ending",
    "problem",
    "refusal",
    "again_in_seconds",
    "report",
    "revision_change",
}


def network(doors: Doors) -> list[str]:
    return [one.operation for one in doors.lab.calls if one.service in {"ec2", "rds"}]


def sent(doors: Doors) -> list[dict[str, Any]]:
    return [json.loads(body) for body, _ in doors.sent()]


# ------------------------------------------------------------------------------------------------ what cannot be asked


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (None, "an object with at least a document's name"),
        ([], "an object with at least a document's name"),
        ("test-server", "an object with at least a document's name"),
        ({}, "document: missing"),
        ({"document": "../secrets"}, "document: '../secrets' is not valid"),
        ({"document": NAME, "mode": "destroy"}, "mode: 'destroy' is not valid; write plan or apply"),
        ({"document": NAME, "page": "pdf"}, "page: 'pdf' is not valid; write html or markdown, or leave it out"),
        ({"document": NAME, "page": True}, "page: true is not valid; write html or markdown, or leave it out"),
        ({"document": NAME, "dry_run": True}, "dry_run"),
        ({"document": NAME, "only": ["nonsense"]}, "only: "),
        ({"document": NAME, "mode": "apply", "only": []}, "only: the list is empty"),
        ({"document": NAME, "approve": "yes"}, "approve: 'yes' is not valid"),
        ({"document": NAME, "accept_revision": "2"}, "accept_revision: '2' is not valid"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_its_mend_and_touches_nothing(
    doors: Doors, payload: object, told: str
) -> None:
    doors.drift(OPEN)
    given = invoke(payload, doors.stack, Invocation("run", lambda: 300.0))
    assert given.keys() == KEYS
    assert (given["ending"], given["report"], given["document"]) == ("refused", None, None)
    assert told in given["problem"]
    assert doors.lab.calls == []


def test_an_address_that_the_document_does_not_declare_is_refused_with_the_nearest_and_nobody_else_is_told(
    doors: Doors,
) -> None:
    doors.drift(OPEN)
    given = doors.invoke(mode="apply", only=["security_group/DBSG", "security_group/TestServrSG"])
    assert given["ending"] == "refused"
    assert "'security_group/TestServrSG' is not declared in this document" in given["problem"]
    assert "security_group/TestServerSG" in given["problem"]
    assert (network(doors), doors.alerts(), doors.sent()) == ([], [], [])


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_a_name_that_no_document_has_is_told_and_is_no_deletion_that_others_hear_of(doors: Doors, mode: str) -> None:
    for _ in range(2):
        given = doors.invoke(document="nobody", mode=mode)
        assert given.keys() == KEYS
        assert given["ending"] == "unknown"
        assert given["problem"] == (
            "unknown: there is no such object, and nothing is remembered of one; write the name of the object, "
            "without .json, which is the name in the document too"
        )
    assert doors.sweep() == 1
    doors.settle()
    assert (doors.writes(), doors.alerts()) == ([], [])


# -------------------------------------------------------------------------------------------------- plan, apply, only


def test_a_plan_covers_no_message_that_was_sent_before_it(doors: Doors) -> None:
    doors.drift(OPEN)
    early = doors.record(object_event())
    doors.clock.sleep(60)
    before = doors.item()
    assert doors.invoke(mode="plan")["report"]["counts"]["drifted"] == 1
    assert {name for name, value in doors.item().items() if before.get(name) != value} == {"fence"}
    assert doors.work_records([early]) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress"]


def test_a_plan_of_a_revision_that_would_be_accepted_remembers_nothing(doors: Doors) -> None:
    doors.upload(lambda written: written.update(revision=2))
    given = doors.invoke(mode="plan")
    assert given["report"]["document"]["revision"] == 2
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "1"}


def test_an_apply_of_some_addresses_leaves_the_others_as_they_are_and_covers_nothing(doors: Doors) -> None:
    doors.drift(OPEN)
    doors.drift("tag-changed")
    early = doors.record(object_event())
    doors.clock.sleep(60)
    looked = doors.item()["looked_at"]
    given = doors.invoke(mode="apply", only=["security_group/APIGatewaySG", "security_group/DBSG"])
    assert (given["ending"], doors.writes()) == ("completed", ["RevokeSecurityGroupIngress"])
    assert doors.item()["looked_at"] == looked
    assert doors.work_records([early]) == ()
    assert doors.writes() == ["RevokeSecurityGroupIngress", "CreateTags"]


# ------------------------------------------------------------------------------------------------------------- page


@pytest.mark.parametrize(
    ("page", "begins"), [("html", "<!doctype html>"), ("markdown", "## Setpoint: plan of `test-server`")]
)
def test_the_page_of_a_run_is_text_in_the_answer_beside_its_report(doors: Doors, page: str, begins: str) -> None:
    doors.drift(OPEN)
    given = doors.invoke(mode="plan", page=page)
    assert given.keys() == KEYS | {"page", "page_problem"}
    assert given["page"].startswith(begins)
    assert given["page_problem"] is None
    assert given["report"]["drifted"][0]["id"] in given["page"]
    assert given["run_id"] in given["page"]
    assert doors.invoke(mode="plan").keys() == KEYS


def test_an_attempt_without_a_report_has_a_page_that_says_so(doors: Doors) -> None:
    given = doors.invoke(document="nobody", page="markdown")
    assert (given["ending"], given["report"]) == ("unknown", None)
    assert "there is no such object" in given["page"]


def test_a_page_takes_its_room_from_the_report_and_one_that_has_none_is_left_out(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in DRIFTS:
        doors.drift(one.name)
    dependencies = doors.stack.dependencies(Invocation("run", lambda: 300.0))
    kept = keep(NAME, Trigger(Source.MANUAL, NAME), dependencies, Request(write=False))
    whole = answer(kept, page="markdown")
    assert "left_out" not in whole
    room = len(json.dumps(whole)) - 100
    monkeypatch.setattr("handlers.invoke.LARGEST", room)
    cut = answer(kept, page="markdown")
    assert cut["page"] == whole["page"]
    assert len(json.dumps(cut)) <= room
    assert cut["left_out"]
    monkeypatch.setattr("handlers.invoke.LARGEST_PAGE", 1_000)
    none = answer(kept, page="markdown")
    assert none["page"] is None
    assert none["page_problem"] == f"it takes {len(json.dumps(whole['page'])):,} bytes of the 1,000 that it may"


def test_a_page_that_cannot_be_made_does_not_hide_what_an_apply_did(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("no page")

    monkeypatch.setattr("reconciler.report.page.markdown.markdown", broken)
    doors.drift(OPEN)
    given = doors.invoke(mode="apply", page="markdown")
    assert (given["ending"], doors.writes(), given["page"]) == ("completed", ["RevokeSecurityGroupIngress"], None)
    assert given["page_problem"] == "Setpoint failed while telling of it: RuntimeError: no page"


# ------------------------------------------------------------------------------------------- approve, accept_revision


def careful(doors: Doors) -> Stack:
    """The same stack with a blast radius of nothing."""
    return doors.another(Policy(create_databases=True, max_breaks=0))


def test_a_plan_that_a_limit_holds_is_carried_out_once_a_person_approves_it_by_its_fingerprint(doors: Doors) -> None:
    stack = careful(doors)
    doors.drift(OPEN)
    held = doors.invoke(stack, mode="apply")
    assert "the limit of one run is 0" in held["report"]["held_as_a_whole"]
    assert (doors.writes(), held["report"]["counts"]["held"]) == ([], 1)
    (alert,) = doors.alerts()
    assert held["report"]["fingerprint"] in alert["Message"]
    done = doors.invoke(stack, mode="apply", approve=held["report"]["fingerprint"])
    assert (done["ending"], done["report"]["in_sync"]) == ("completed", True)
    assert doors.writes() == ["RevokeSecurityGroupIngress"]
    assert "resolved: " in doors.alerts()[-1]["Subject"] or "corrected" in doors.alerts()[-1]["Subject"]


def test_an_approval_of_a_plan_that_is_another_by_now_changes_nothing(doors: Doors) -> None:
    stack = careful(doors)
    doors.drift(OPEN)
    seen = doors.invoke(stack, mode="plan")["report"]["fingerprint"]
    doors.drift("rule-widened")
    given = doors.invoke(stack, mode="apply", approve=seen)
    assert given.keys() == KEYS
    assert (given["ending"], given["report"]) == ("refused", None)
    assert f"not {seen}: something has changed since" in given["problem"]
    assert (doors.writes(), doors.alerts(), doors.sent()) == ([], [], [])


def test_accepting_another_revision_than_the_one_that_is_there_does_nothing(doors: Doors) -> None:
    doors.upload(lambda written: written.update(revision=3))
    doors.work(object_event())
    doors.upload(lambda written: written.update(revision=2))
    doors.drift(OPEN)
    given = doors.invoke(mode="apply", accept_revision=1)
    assert given["ending"] == "refused"
    assert "the request accepts revision 1, but the object has revision 2" in given["problem"]
    assert (doors.writes(), doors.item()["accepted"]["M"]["revision"]) == ([], {"N": "3"})


def test_a_plan_of_an_older_revision_shows_it_and_does_not_accept_it(doors: Doors) -> None:
    doors.upload(lambda written: written.update(revision=3))
    doors.work(object_event())
    doors.upload(lambda written: written.update(revision=2))
    given = doors.invoke(mode="plan", accept_revision=2)
    assert given["report"]["document"]["revision"] == 2
    assert doors.item()["accepted"]["M"]["revision"] == {"N": "3"}


# ------------------------------------------------------------------------------------------------ what is in the way


def test_while_another_run_has_the_lease_a_person_is_told_who_and_until_when(doors: Doors) -> None:
    held = doors.another().ledger.take(NAME, "another run")
    assert isinstance(held, Lease)
    given = doors.invoke(mode="apply")
    assert given["ending"] == "lease_held"
    assert given["problem"].startswith("another run has the lease until ")
    assert given["problem"].endswith(": another run")
    assert (given["again_in_seconds"], doors.sent(), network(doors)) == (None, [], [])
    held.release(held.record)


def test_a_ledger_that_cannot_be_reached_is_told_with_its_mend_and_nothing_comes_back_by_itself(doors: Doors) -> None:
    doors.lab.faults.refuse("UpdateItem", code="AccessDeniedException")
    given = doors.invoke(mode="apply")
    assert given.keys() == KEYS
    assert given["ending"] == "unobservable"
    assert "allow dynamodb:UpdateItem" in given["problem"]
    assert (given["again_in_seconds"], doors.sent(), network(doors)) == (None, [], [])


def busy_database(doors: Doors) -> None:
    doors.drift("deletion-protection-off")
    doors.lab.rds_state("mypostgresqldb", status="modifying")
    doors.lab.settle_after = 10**6


@pytest.fixture
def settles(doors: Doors) -> Iterator[None]:
    before = doors.lab.settle_after
    yield
    doors.lab.settle_after = before


def test_what_an_apply_has_to_wait_for_the_worker_goes_on_with(doors: Doors, settles: None) -> None:
    busy_database(doors)
    given = doors.invoke(mode="apply")
    assert (given["again_in_seconds"], given["problem"]) == (60, None)
    ((body, delay),) = doors.sent()
    assert (json.loads(body)["trigger"]["source"], json.loads(body)["trigger"]["tries"], delay) == ("again", 1, 60)


def test_what_could_not_be_handed_to_the_worker_is_said_to_be_left_to_the_sweep(doors: Doors, settles: None) -> None:
    busy_database(doors)
    doors.lab.faults.refuse("SendMessageBatch", code="AccessDenied")
    given = doors.invoke(mode="apply")
    assert (given["ending"], given["again_in_seconds"]) == ("completed", None)
    assert given["problem"] == "what is left could not be put on the queue; the next sweep continues it"


def test_a_plan_that_sees_something_busy_hands_nothing_to_the_worker(doors: Doors, settles: None) -> None:
    busy_database(doors)
    assert doors.invoke(mode="plan")["again_in_seconds"] is None
    assert doors.sent() == []


def test_lambda_delivering_one_invoke_twice_at_once_does_no_call_twice(doors: Doors) -> None:
    """Asynchronous invocations are delivered at least once, under one request id (Lambda developer guide)."""
    doors.drift(OPEN)
    doors.drift("tag-changed")
    second: list[dict[str, Any]] = []

    def again(made: Made) -> None:
        if made.service in {"ec2", "rds"} and not second:
            second.append({})
            second[0] = invoke({"document": NAME, "mode": "apply"}, doors.another(), Invocation("one", lambda: 300.0))

    doors.lab.after_write = again
    first = invoke({"document": NAME, "mode": "apply"}, doors.stack, Invocation("one", lambda: 300.0))
    doors.lab.after_write = None
    assert sorted(doors.writes()) == ["CreateTags", "RevokeSecurityGroupIngress"]
    assert second[0]["report"]["in_sync"]
    assert first["ending"] == "completed"
    assert doors.invoke()["report"]["in_sync"]


# --------------------------------------------------------------------------------------------------------- long answers


def test_an_answer_beyond_six_megabytes_is_shortened_and_says_of_which_list_how_much(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a smaller scale, as eight thousand differences take a quarter of a minute."""
    assert LARGEST < 6 * 1024 * 1024
    largest = LARGEST // 20
    monkeypatch.setattr("handlers.invoke.LARGEST", largest)
    doors.drift(OPEN)
    doors.drift("tag-changed")
    dependencies = doors.stack.dependencies(Invocation("run", lambda: 300.0))
    kept = keep(NAME, Trigger(Source.MANUAL, NAME), dependencies, Request(write=False))
    assert kept.report is not None
    wordy = Cause(Reason.NOT_ATTEMPTED, "word " * 160)
    long = [replace(drift, cause=wordy) for drift in kept.report.drifts]
    big = replace(kept, report=replace(kept.report, drifts=tuple(long * 200)))
    whole, told = answer(kept), answer(big)
    assert "left_out" not in whole
    assert len(json.dumps(told)) <= largest
    assert told["left_out"].keys() == {"drifted"}
    assert len(told["report"]["drifted"]) + told["left_out"]["drifted"] == 400
    assert len(told["report"]["drifted"]) >= 50
    assert told["report"]["counts"]["drifted"] == 400
    assert told["report"]["fingerprint"] == kept.report.plan.fingerprint


def test_a_document_with_a_thousand_mistakes_still_has_an_answer_that_lambda_can_give(doors: Doors) -> None:
    wrong = {f"field-{index:06}": "\u0001" * 8 for index in range(10_000)}
    doors.upload(lambda written: written.update(wrong, revision=2))
    given = doors.invoke(mode="plan")
    assert len(json.dumps(given)) <= LARGEST
    assert "field-000000" in given["refusal"]
    assert given["report"]["document"]["revision"] == 1
