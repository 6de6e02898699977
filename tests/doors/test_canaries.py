"""The planted secrets: the check that finds them, and that no log line shows them, however they come in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from desired_state.fields import Address
from handlers import telemetry
from reconciler.model import ActionResult, Cause, Ended, Finding, Outcome, Reason
from reconciler.model.trigger import Actor, Source, Trigger
from reconciler.redact import redacted
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.canaries import CANARIES, Canary, assert_silent
from tests.support.reports import GROUP, NOW, action, drift, report

EACH = pytest.mark.parametrize("canary", CANARIES, ids=lambda one: one.name)


def test_there_are_thirty_and_each_stands_in_its_text() -> None:
    assert len({one.name for one in CANARIES}) == 30
    assert [one.name for one in CANARIES if one.secret not in one.text] == []


@EACH
def test_the_check_finds_it(canary: Canary) -> None:
    with pytest.raises(AssertionError):
        assert_silent(f"... {canary.text} ...")
    with pytest.raises(AssertionError):
        assert_silent(json.dumps([canary.text]))


def test_the_check_finds_the_credentials_that_the_laboratory_hands_out() -> None:
    for told in ("ASIA" + "ABCDEFGHIJKLMNOP", "FQoGZXIvYXdz" + "x" * 40):
        with pytest.raises(AssertionError, match="credential"):
            assert_silent(f"key {told}")


def test_the_check_lets_pass_what_is_no_secret() -> None:
    assert_silent(
        "vpc-0123456789abcdef0 arn:aws:iam::123456789012:role/Setpoint db_instance/Orders password=[redacted]"
    )


@EACH
def test_redaction_takes_it_out_and_leaves_the_words_around_it(canary: Canary) -> None:
    told = redacted(f"Before: {canary.text}\nAfter it")
    assert_silent(told)
    assert told.startswith("Before: ")
    assert told.endswith("\nAfter it") or "cut short" in canary.name


def _break_off(secret: str) -> None:
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": secret}, "ResponseMetadata": {}}
    first = ClientError(answer, "GetObject")
    raise EndpointConnectionError(endpoint_url=f"https://db/?{secret}", error=first) from first


def _say(secret: str) -> None:
    """All the ways that a foreign text has into the log."""
    actor = Actor(f"arn:aws:iam::123456789012:user/{secret}", secret, NOW, secret, secret, secret)
    cause = Cause(Reason.REFUSED, secret, secret)
    told = report(
        drift("description", None, secret, secret, Outcome.FAILED, cause),
        drift("tags", secret, secret, secret, Outcome.HELD),
        findings=(Finding(Address(GROUP), Outcome.BLOCKED, cause, "tags", secret),),
        action_results=(
            ActionResult(action(secret, Description=secret, Tags=[{"Key": "a", "Value": secret}]), Ended.DONE, cause),
        ),
        wrote=True,
    )
    kept = AttemptResult(
        "small", "run-1", Ending.COMPLETED, Trigger(Source.CHANGE), told, refusal=secret, problem=secret
    )
    log = logging.getLogger("reconciler.somewhere")
    with telemetry.log_context(run_id="run-1", note=secret):
        telemetry.emit(replace(kept, actors={Address(GROUP): actor}))
        telemetry.emit(replace(kept, report=None, ending=Ending.UNOBSERVABLE))
        log.warning("%s", secret)
        log.warning(secret.replace("%", "%%"))
        log.warning("extra", extra={"held": {"inside": [secret]}, secret: 1})
        log.warning("%d", secret)
        try:
            _break_off(secret)
        except EndpointConnectionError:
            log.exception("it broke off: %s", secret)
        _break_off(secret)


@EACH
def test_the_voice_does_not_tell_it(canary: Canary, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(telemetry.BrokenOffError) as caught:
        _say(canary.text)
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) == 14  # 5 of the report, 1 of the unobservable run, 2 of metrics, 6 logged
    assert_silent(f"{out}\n{caught.value}")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_in_a_password_field_is_not_told_though_it_has_no_shape(capsys: pytest.CaptureFixture[str]) -> None:
    told = report(
        drift("tags", "DbPassword", "correct horse battery", "staple", Outcome.CORRECTED),
        action_results=(
            ActionResult(action(Tags=[{"Key": "DbPassword", "Value": "correct horse battery"}]), Ended.DONE),
        ),
        wrote=True,
    )
    with telemetry.log_context():
        telemetry.emit(AttemptResult("small", "run-1", Ending.COMPLETED, Trigger(Source.CHANGE), told))
        logging.getLogger("reconciler.x").warning("x", extra={"answer": {"MasterUserSecret": {"SecretArn": "horse"}}})
    out = capsys.readouterr().out
    assert "horse" not in out
    assert "staple" not in out
    assert out.count("[redacted]") == 6


def test_botocore_never_tells_its_requests(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETPOINT_LOG_LEVEL", "DEBUG")
    with telemetry.log_context():
        botocore = logging.getLogger("botocore.endpoint")
        botocore.debug("Making request: {'Authorization': 'x'}")
        logging.getLogger("botocore").setLevel(logging.DEBUG)  # as boto3.set_stream_logger does
        botocore.debug("Making request: {'Authorization': 'x'}")
        logging.getLogger("urllib3.connectionpool").info("GET /?X-Amz-Signature=x")
        botocore.warning("slow")
        logging.getLogger("reconciler.x").debug("ours")
    told = [json.loads(text)["message"] for text in capsys.readouterr().out.splitlines()]
    assert told == ["slow", "ours"]


def test_what_is_handed_in_is_heard_too(also_heard: Callable[[str], None], request: pytest.FixtureRequest) -> None:
    also_heard("an SNS message")
    assert "an SNS message" in request.getfixturevalue("_heard").texts


def test_what_is_printed_or_logged_is_heard(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    print("to the one")  # noqa: T201 (printing is what is tested)
    logging.getLogger("somebody").warning("to the other")
    assert {"to the one", "to the other"} <= set(request.getfixturevalue("_heard").texts)
    assert capsys.readouterr().out == "to the one\n"
