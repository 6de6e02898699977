"""Programs decide by a `Reason`: nothing in the sources asks a message for its words, and no words change an alert."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reconciler
from desired_state.fields import Address
from reconciler.model import ENDED_THE_RUN, ActionResult, Cause, Ended, Finding, Operation, Outcome, Phase, Reason, Risk
from reconciler.notify.alert import Alert, Topic
from reconciler.notify.alert_rules import find_alerts
from reconciler.report.attempt import AttemptResult
from tests.support.attempts import HTTPS, completed, extra, hostile
from tests.support.reports import GROUP, VPC, action, planned, whole_plan_held

SOURCES = Path(reconciler.__file__).parent
WORDS = frozenset({"message", "problem", "why", "refusal"})
"""Attributes and variables that hold a sentence for people; `str(error)` is such a sentence too."""
QUESTIONS = frozenset(
    {"startswith", "endswith", "find", "rfind", "index", "count", "partition", "rpartition", "removeprefix"}
    | {"removesuffix"}
)
"""What a text answers about its words."""
LAYOUT = frozenset({("reconciler/notify/lines.py", "sentence")})
"""Functions that end a sentence with a full stop, which is no decision."""
ERRORS = frozenset({"error", "cause"})
"""What an error or a cause is called where no `except` names it."""


def _is_words(node: ast.AST, errors: frozenset[str]) -> bool:
    """Whether an expression is a sentence for people; `errors` are the names of errors."""
    match node:
        case ast.Attribute(attr=name):
            return name in WORDS
        case ast.Name(id=name):
            return name in WORDS
        case ast.Call(func=ast.Name(id="str"), args=[spoken]):
            named = spoken.id if isinstance(spoken, ast.Name) else getattr(spoken, "attr", "")
            return named in errors or _is_words(spoken, errors)
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "upper" | "strip" | "casefold")):
            return _is_words(inner, errors)
        case ast.Subscript(value=inner):
            return _is_words(inner, errors)
        case _:
            return False


def _decides(node: ast.AST, errors: frozenset[str]) -> bool:
    """Whether an expression asks a sentence for its words."""
    match node:
        case ast.Call(func=ast.Attribute(value=text, attr=question)) if question in QUESTIONS:
            return _is_words(text, errors)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
            return any(_is_words(one, errors) for one in node.args)
        case ast.Call(func=ast.Attribute(attr="match" | "search" | "fullmatch" | "findall" | "finditer")):
            return any(_is_words(one, errors) for one in node.args)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[text]):
            return _is_words(text, errors)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
            return (_is_words(left, errors) and _is_literal(right)) or (_is_words(right, errors) and _is_literal(left))
        case ast.Match(subject=text):
            return _is_words(text, errors)
        case _:
            return False


def _is_literal(node: ast.AST) -> bool:
    """Whether it is a text of some length; to compare with the empty text asks whether there is a sentence at all."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)
    )


def decisions(tree: ast.AST) -> list[tuple[str, str]]:
    """(function, expression) of every place that asks a sentence for its words."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    return list(_inside(tree, "", ERRORS | caught))


def _inside(tree: ast.AST, function: str, errors: frozenset[str]) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        named = node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        if _decides(node, errors):
            yield named, ast.unparse(node)
        yield from _inside(node, named, errors)


def test_no_source_decides_by_the_words_of_a_message() -> None:
    paths = {path.relative_to(SOURCES.parent).as_posix(): path for path in SOURCES.rglob("*.py")}
    found = {
        (name, function, text)
        for name, path in paths.items()
        for function, text in decisions(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(paths) > 200
    assert {one for one in found if one[:2] not in LAYOUT} == set()
    assert {one[:2] for one in found} >= set(LAYOUT)


@pytest.mark.parametrize(
    "source",
    [
        "if drift.message.startswith('flapping:'): pass",
        "if one.cause.message.endswith('later'): pass",
        "if 'Throttling' in finding.cause.message: pass",
        "if 'Throttling' not in str(error): pass",
        "if str(result.cause).startswith('x'): pass",
        "try:\n    f()\nexcept AwsError as failure:\n    if 'Throttling' in str(failure): pass",
        "re.match('a', one.problem)",
        "re.search('a', str(error))",
        "_CODE.search(why)",
        "if why.lower().startswith('x'): pass",
        "if drift.message == 'the lease is lost': pass",
        "if 'lost' == str(cause): pass",
        "one.message.removeprefix('a fight: ')",
        "match one.message:\n    case 'x': pass",
        "_ = [one for one in many if one.why[:5].startswith('x')]",
    ],
)
def test_a_source_that_did_would_be_found(source: str) -> None:
    assert len(decisions(ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "if drift.message: pass",
        "if drift.message == '': pass",
        "if drift.cause.reason is Reason.FLAPPING: pass",
        "if one.cause.code in CODES: pass",
        "if one.cause == plan_held: pass",
        "if address.startswith('vpc/'): pass",
        "print(f'{one.why}: {error}')",
        "re.sub('a', 'b', text)",
    ],
)
def test_what_asks_no_message_for_its_words_is_not_found(source: str) -> None:
    assert decisions(ast.parse(source)) == []


REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
LEADS = (
    "",
    "RevokeSecurityGroupIngress: ",
    "RevokeSecurityGroupIngress: RequestLimitExceeded: ",
    "flapping: ",
    "a fight: ",
    "it could not be read: ",
    "whether it was corrected could not be verified",
    "nothing was tried",
    "the plan removes or replaces 40 live members",
    "the time of this run is up",
    "the lease is another run's now",
    "a setpoint:hold tag holds it until ",
    "this deployment only reports: SETPOINT_MODE is report",
)
"""How sentences begin that are told of one reason or another."""
words = st.builds(str.__add__, st.sampled_from(LEADS), hostile)
codes = st.sampled_from(["", "ExpiredToken", "Throttling", "UnauthorizedOperation"])
reasons_of_a_drift = st.sampled_from(sorted(set(Reason) - ENDED_THE_RUN))
revoke = REVOKE.on(GROUP, "revoke it", "ingress")


def topics(alerts: tuple[Alert, ...]) -> list[Topic]:
    return [one.topic for one in alerts]


def stopped(cause: Cause, ended: Ended, beside: Cause) -> AttemptResult:
    """A run that was stopped for `cause`, with another drift that waits for something else."""
    return completed(
        extra(outcome=Outcome.WAITING, cause=cause),
        extra(HTTPS, Outcome.WAITING, beside, at="security_group/App"),
        action_results=(ActionResult(revoke, ended, cause),),
    )


@pytest.mark.parametrize("reason", sorted(ENDED_THE_RUN))
@pytest.mark.parametrize("ended", [Ended.WAITING, Ended.SKIPPED])
@given(words, words, codes)
def test_what_ended_the_run_stops_it_whatever_its_message_says(
    reason: Reason, ended: Ended, message: str, other: str, code: str
) -> None:
    result = stopped(Cause(reason, message, code), ended, Cause(Reason.BUSY, other))
    found = find_alerts(result)
    assert sorted(topics(found)) == [Topic.DRIFT, Topic.STOPPED]
    (one,) = (one for one in found if one.topic is Topic.STOPPED)
    assert one.title == "the run stopped; partial: 0 of 2 done"
    assert [member.what for member in one.members] == [message, "security_group/Web: ingress: tcp 22 from 0.0.0.0/0"]
    again = stopped(Cause(reason, other, code), ended, Cause(Reason.BUSY, message))
    assert {one.digest for one in find_alerts(again)} == {one.digest for one in found}


@given(reasons_of_a_drift, words, codes)
def test_no_other_reason_stops_a_run_whatever_its_message_says(reason: Reason, message: str, code: str) -> None:
    cause = Cause(reason, message, code)
    for ended in (Ended.WAITING, Ended.SKIPPED, Ended.FAILED, Ended.STALE, Ended.UNKNOWN):
        drift, results = extra(outcome=Outcome.WAITING, cause=cause), (ActionResult(revoke, ended, cause),)
        gated = completed(drift, action_results=results, gate=whole_plan_held(cause))
        for result in (completed(drift, action_results=results), gated):
            assert Topic.STOPPED not in topics(find_alerts(result))


@given(words, words, codes)
def test_what_could_not_be_read_is_unseen_whatever_its_message_says(message: str, other: str, code: str) -> None:
    def told(text: str) -> tuple[Alert, ...]:
        return find_alerts(completed(findings=(Finding(GROUP, Outcome.FAILED, Cause(Reason.UNREADABLE, text, code)),)))

    assert topics(told(message)) == [Topic.UNSEEN]
    assert told(message)[0].digest == told(other)[0].digest


@given(words, words, codes)
def test_a_changed_identity_is_told_by_its_ids_whatever_its_message_says(message: str, other: str, code: str) -> None:
    def told(text: str, ids: str) -> tuple[Alert, ...]:
        cause = Cause(Reason.IDENTITY_CHANGED, text, ids)
        drift = extra(outcome=Outcome.HELD, cause=cause)
        return find_alerts(completed(drift, findings=(Finding(GROUP, Outcome.HELD, cause),)))

    assert topics(told(message, code)) == [Topic.IDENTITY]
    assert told(message, code)[0].digest == told(other, code)[0].digest != told(message, f"{code} -> x")[0].digest


TOLD_TOGETHER = {Reason.UNREADABLE, Reason.SECTION_LOST, Reason.IDENTITY_CHANGED}


@given(st.sampled_from(sorted(set(Reason) - TOLD_TOGETHER)), words, codes)
def test_a_finding_of_any_other_reason_is_told_by_itself(reason: Reason, message: str, code: str) -> None:
    found = find_alerts(completed(findings=(Finding(GROUP, Outcome.BLOCKED, Cause(reason, message, code), "tags"),)))
    assert [(one.topic, one.address) for one in found] == [(Topic.DRIFT, GROUP)]


TOPICS = {Reason.UNVERIFIED: Topic.UNSEEN, Reason.FLAPPING: Topic.FLAPPING, Reason.PLAN_HELD: Topic.PLAN_HELD}
"""What an alert is about, where the reason of a drift says so; every other drift is told as one."""


def told_of_a_drift(cause: Cause, outcome: Outcome) -> tuple[Alert, ...]:
    """What is told of one drift; where its reason is that the plan is held, the gate says so for the whole plan."""
    result = completed(extra(outcome=outcome, cause=cause))
    if cause.reason is Reason.PLAN_HELD and result.report:
        result = replace(result, report=replace(result.report, gate=whole_plan_held(cause)))
    return find_alerts(result)


@given(
    st.sampled_from(list(Reason)),
    st.sampled_from([Outcome.HELD, Outcome.WAITING, Outcome.BLOCKED]),
    words,
    words,
    codes,
)
def test_a_drift_is_told_by_its_reason_whatever_its_message_says(
    reason: Reason, outcome: Outcome, message: str, other: str, code: str
) -> None:
    (one,) = told_of_a_drift(Cause(reason, message, code), outcome)
    assert one.topic is TOPICS.get(reason, Topic.DRIFT)
    assert one.once is (reason is Reason.FLAPPING)
    (again,) = told_of_a_drift(Cause(reason, other, code), outcome)
    assert (again.topic, again.fingerprint, again.digest) == (one.topic, one.fingerprint, one.digest)


@given(words)
def test_what_is_owned_and_no_longer_declared_is_held_with_the_plan_whatever_the_message_says(message: str) -> None:
    gone, cause = action(), Cause(Reason.PLAN_HELD, message)
    results = (ActionResult(gone, Ended.HELD, cause),)
    found = find_alerts(completed(plan=planned(gone), action_results=results, gate=whole_plan_held(cause)))
    assert topics(found) == [Topic.PLAN_HELD]


@given(words)
def test_a_lost_section_is_told_with_the_held_plan_whatever_its_message_says(message: str) -> None:
    lost = Finding(Address("subnet/*"), Outcome.HELD, Cause(Reason.SECTION_LOST, message))
    hold = Finding(VPC, Outcome.HELD, Cause(Reason.HOLD_TAG, message), "tags", "setpoint:hold")
    gate = whole_plan_held(Cause(Reason.PLAN_HELD, message), lost, hold)
    found = find_alerts(completed(findings=(lost, hold), gate=gate))
    assert sorted(topics(found)) == [Topic.DRIFT, Topic.PLAN_HELD]


def test_a_plan_that_is_not_held_takes_no_drift_out_of_sight() -> None:
    """Should a drift say that the plan is held where it is not, people are told of the drift itself."""
    result = completed(extra(outcome=Outcome.HELD, cause=Cause(Reason.PLAN_HELD, "held")))
    assert topics(find_alerts(result)) == [Topic.DRIFT]


def test_what_waits_for_its_own_reason_is_not_told_as_left_by_a_run_that_stopped() -> None:
    """A dependency that the planner found has its own alert, though a call was skipped for another dependency."""
    stop, skip = Cause(Reason.OUT_OF_TIME, "time is up"), Cause(Reason.DEPENDENCY, "it depends on: close it")
    own = Cause(Reason.DEPENDENCY, "it depends on an action that cannot be done now: create the group")
    result = completed(
        extra(outcome=Outcome.WAITING, cause=stop),
        extra(HTTPS, Outcome.WAITING, skip, at="security_group/App"),
        extra(HTTPS, Outcome.WAITING, own, at="security_group/Db"),
        action_results=(ActionResult(revoke, Ended.WAITING, stop), ActionResult(revoke, Ended.SKIPPED, skip)),
    )
    found = find_alerts(result)
    assert sorted(topics(found)) == [Topic.DRIFT, Topic.STOPPED]
    assert [one.address for one in found if one.topic is Topic.DRIFT] == ["security_group/Db"]


def test_another_text_that_is_no_time_is_another_problem() -> None:
    def told(code: str) -> str:
        cause = Cause(Reason.INVALID_HOLD_TAG, "its tag holds nothing", code)
        finding = Finding(GROUP, Outcome.BLOCKED, cause, "tags", "setpoint:hold")
        (alert,) = find_alerts(completed(findings=(finding,)))
        return alert.digest

    assert told("for ever") == told("for ever") != told("until Kim is back")
