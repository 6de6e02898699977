"""Everything that a command may meet outside of the network is told in one sentence, and as JSON under `-o json`.

No test in here uses the laboratory, which may be open all the same for the tests before and after.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import botocore.awsrequest
import botocore.httpsession
import click
import pytest
from moto.core.models import botocore_stubber

import desired_state
from handlers import cli, ending, wiring
from tests.support.sampling import sampled

EXAMPLE = Path(desired_state.__file__).with_name("examples") / "test-server.json"
COMMANDS: dict[str, list[Any]] = {
    "plan": ["plan", EXAMPLE],
    "apply": ["apply", EXAMPLE, "--auto-approve"],
    "import": ["import", "--vpc", "vpc-0123456789abcdef0", "--region", "ap-northeast-2"],
}


BODIES = {
    "html": b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1><br></body></html>",
    "xhtml": b"<?xml version='1.0'?><html><body><h1>Sign in</h1></body></html>",
    "nothing": b"",
    "json": b'{"message": "Forbidden"}',
    "bytes": b"\xff\xfe\x00\x80",
    "half": b"<GetCallerIdentityResponse><GetCallerIdentityResult>",
}
WHO = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::123456789012:user/kim</Arn><UserId>A</UserId><Account>123456789012</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.fixture(autouse=True)
def a_fresh_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment, nothing else of AWS, and nobody who waits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(botocore_stubber, "enabled", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "config",
        "AWS_SHARED_CREDENTIALS_FILE": "credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any], tuple[int, bytes]]) -> list[str]:
    """Answer every request so; the requests that were sent."""
    sent = []

    class Raw(io.BytesIO):
        def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
            yield self.read()

    def send(_: Any, request: Any) -> Any:
        sent.append(request.url)
        status, body = answer(request)
        headers: Any = {"Content-Type": "text/html"}
        return botocore.awsrequest.AWSResponse(request.url, status, headers, Raw(body))

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)
    return sent


def assert_told(ran: Any, kind: str, form: str, *, on_stderr: bool = False) -> str:
    """One sentence and no traceback; what it says."""
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    if form == "json":
        error = json.loads(ran.err if on_stderr else ran.out)["error"]
        assert error["kind"] == kind, error
        return str(error["message"])
    told = [line for line in ran.err.splitlines() if not line.startswith("  reading")]
    assert len(told) == 1, told
    assert "this is a bug" not in told[0]
    return str(told[0])


ANSWERS = [*product(BODIES, (200, 302, 403, 502), COMMANDS, ("text", "json"))]
LOGIN_PAGE = [("xhtml", 200, command, "text") for command in COMMANDS]
"""The worst of them: a valid answer to every call, in which nothing exists."""


@pytest.mark.parametrize(("body", "status", "command", "form"), [*LOGIN_PAGE, *sampled(ANSWERS, 36, seed="not AWS")])
def test_an_endpoint_that_is_not_aws_is_told(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, body: str, status: int, command: str, form: str
) -> None:
    answering(monkeypatch, lambda request: (status, BODIES[body]))
    ran = setpoint(*COMMANDS[command], "-o", form)
    assert_told(ran, "connection", form, on_stderr=command == "import")


@pytest.mark.parametrize(
    ("body", "status", "command"),
    [one[:3] for one in LOGIN_PAGE] + sampled([one[:3] for one in ANSWERS[::2]], 36, seed="no more AWS"),
)
def test_an_endpoint_that_stops_being_aws_is_told_and_nothing_is_written(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, body: str, status: int, command: str
) -> None:
    sent: list[bytes] = []

    def answer(request: Any) -> tuple[int, bytes]:
        sent.append(request.body if isinstance(request.body, bytes) else str(request.body).encode())
        return (200, WHO) if b"GetCallerIdentity" in sent[-1] else (status, BODIES[body])

    answering(monkeypatch, answer)
    ran = setpoint(*COMMANDS[command])
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    assert "this is a bug" not in ran.err
    assert len([line for line in ran.err.splitlines() if not line.startswith("  reading")]) <= 1
    written = [one for one in sent if not any(word in one for word in (b"Describe", b"List", b"GetCallerIdentity"))]
    assert written == []
    assert ran.out == "" or "could not be read" in ran.out


def file(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def no_credentials(patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AWS_ACCESS_KEY_ID")
    patch.delenv("AWS_SECRET_ACCESS_KEY")


def _profile(text: str, name: str = "a") -> Callable[[pytest.MonkeyPatch], None]:
    def fault(patch: pytest.MonkeyPatch) -> None:
        no_credentials(patch)
        file("config", text)
        patch.setenv("AWS_PROFILE", name)

    return fault


def _variables(**values: str) -> Callable[[pytest.MonkeyPatch], None]:
    def fault(patch: pytest.MonkeyPatch) -> None:
        no_credentials(patch)
        for name, value in values.items():
            patch.setenv(name, value)

    return fault


def _also(**values: str) -> Callable[[pytest.MonkeyPatch], None]:
    def fault(patch: pytest.MonkeyPatch) -> None:
        for name, value in values.items():
            patch.setenv(name, value)

    return fault


def _directory(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def fault(patch: pytest.MonkeyPatch) -> None:
        no_credentials(patch)
        Path(name).mkdir()

    return fault


def _odd_config(patch: pytest.MonkeyPatch) -> None:
    no_credentials(patch)
    Path("config").write_bytes(b"\xff\xfe\x00")


ROLE = "arn:aws:iam::123456789012:role/x"
LOGIN_FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "no credentials": no_credentials,
    "half of the credentials": lambda patch: patch.delenv("AWS_SECRET_ACCESS_KEY"),
    "a profile that does not exist": _variables(AWS_PROFILE="nobody"),
    "a hostile profile": _variables(AWS_PROFILE="a\x1b[2J"),
    "a config that is no INI": _profile("[profile a\nx"),
    "a config that is no text": _odd_config,
    "credentials that are a directory": _directory("credentials"),
    "a config that is a directory": _directory("config"),
    "a token file that is missing": _variables(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="none"),
    "a token file that is a directory": _variables(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="."),
    "a token of a profile that is missing": _profile(f"[profile a]\nrole_arn={ROLE}\nweb_identity_token_file=none\n"),
    "a process that does not exist": _profile("[profile a]\ncredential_process=/none/such\n"),
    "a process that fails": _profile("[profile a]\ncredential_process=false\n"),
    "a process that says nothing": _profile("[profile a]\ncredential_process=true\n"),
    "a process that says HTML": _profile("[profile a]\ncredential_process=echo <html>\n"),
    "a source profile that does not exist": _profile(f"[profile a]\nrole_arn={ROLE}\nsource_profile=b\n"),
    "a role of itself": _profile(f"[profile a]\nrole_arn={ROLE}\nsource_profile=a\n"),
    "a source that does not exist": _profile(f"[profile a]\nrole_arn={ROLE}\ncredential_source=Nowhere\n"),
    "SSO without a login": _profile(
        "[profile a]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n[sso-session s]\n"
        "sso_region=eu-west-1\nsso_start_url=https://x.invalid\n"
    ),
    "SSO that is half configured": _profile("[profile a]\nsso_account_id=1\nsso_role_name=r\n"),
    "a container endpoint that is not allowed": _variables(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://x.invalid/"),
    "a container token that is missing": _variables(
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1/", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="none"
    ),
    "an endpoint that is no URL": _also(AWS_ENDPOINT_URL="foo"),
    "retries that are no number": _also(AWS_MAX_ATTEMPTS="many"),
    "a region that is no host": _also(AWS_REGION="not a region"),
    "endpoints that do not exist": _also(AWS_STS_REGIONAL_ENDPOINTS="odd"),
    "a defaults mode that does not exist": _also(AWS_DEFAULTS_MODE="odd"),
}


HINTS = {
    "no credentials": "log in, set AWS_PROFILE",
    "a process that fails": "log in, set AWS_PROFILE",
    "a token file that is missing": "log in, set AWS_PROFILE",
    "a profile that does not exist": "`aws configure list-profiles` lists the profiles",
    "an endpoint that is no URL": "check the region, the endpoint and the network",
}
"""What a person can do about some of them."""


@pytest.mark.parametrize(
    ("fault", "command", "form"), sampled([*product(LOGIN_FAULTS, COMMANDS, ("text", "json"))], 6, seed="no login")
)
def test_what_keeps_a_person_from_logging_in_is_told(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, fault: str, command: str, form: str
) -> None:
    answering(monkeypatch, lambda request: (403, b"<Error><Code>InvalidClientTokenId</Code></Error>"))
    LOGIN_FAULTS[fault](monkeypatch)
    told = assert_told(setpoint(*COMMANDS[command], "-o", form), "connection", form, on_stderr=command == "import")
    assert "\x1b" not in told
    assert HINTS.get(fault, "") in told


def test_verbose_tells_which_call_was_refused(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"
    answering(monkeypatch, lambda request: (403, body))
    assert re.search(
        r" s  sts GetCallerIdentity: 403 InvalidClientTokenId, 0\.\d+ s\n", setpoint("plan", EXAMPLE, "-v").err
    )


def test_certificates_that_are_missing_are_told(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/none/such.pem")
    assert_told(setpoint("plan", EXAMPLE), "connection", "text")


def run_program(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "handlers.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("script", "words", "code", "told"),
    [
        ('"$@" <&-', ["validate", "-"], 1, "stdin: it is closed, and - reads the document from it; pipe the document"),
        ('"$@" 0>/dev/null', ["validate", "-"], 1, "stdin: it cannot be read: "),
        ('"$@" <&-', ["apply", str(EXAMPLE)], 1, "no terminal to ask for approval; "),
        ('"$@" <&-', ["import", "--region", "eu-west-1", "--profile", "nobody"], 1, "The config profile (nobody)"),
        ('"$@" </dev/null', ["validate", "-"], 1, "stdin:1:1: "),
        ('"$@" >/dev/full', ["schema"], 1, "the output cannot be written: No space left on device"),
        ('"$@" >/dev/full', ["validate", str(EXAMPLE)], 1, "the output cannot be written: No space left on device"),
        ('"$@" | true; exit "${PIPESTATUS[0]}"', ["schema"], 141, "The output was closed before all of it was written"),
        ('"$@" >&-', ["validate", str(EXAMPLE)], 1, "the output cannot be written: stdout is closed; open it"),
    ],
)
def test_the_program_meets_odd_streams(script: str, words: list[str], code: int, told: str) -> None:
    ran = run_program(script, *words)
    assert ran.returncode == code, ran
    assert ran.stderr.startswith(told)
    assert len(ran.stderr.splitlines()) == bool(told)


@pytest.mark.parametrize(("more", "code"), [([], 1), (["--out", "plan.json"], 0), (["--out=plan.json"], 0)])
def test_a_closed_stdout_matters_only_to_what_is_printed_there(
    more: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.group(cls=ending.Commands)
    def program() -> None: ...

    @program.command()
    @click.option("--out")
    def plan(out: str | None) -> int:
        return 0

    monkeypatch.setattr(sys, "stdout", None)
    assert ending.ended(program, ["plan", *more], "program") == code


def test_nobody_hears_of_an_error_whose_stream_is_closed_and_the_code_says_it() -> None:
    ran = run_program('"$@" 2>&-', "validate", "none.json")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "")


def test_a_bug_is_one_sentence_and_with_v_its_place(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("odd\x1b[2J")

    monkeypatch.setattr(wiring, "connect", fail)
    ran = setpoint("plan", EXAMPLE)
    assert (ran.code, ran.err) == (
        1,
        "Unexpected ZeroDivisionError: odd\\x1b[2J; this is a bug in Setpoint; -v shows where it is\n",
    )
    verbose = setpoint("plan", EXAMPLE, "-v")
    assert "Traceback" in verbose.err
    assert "\x1b" not in verbose.err


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["plan"], "usage"),
        (["plan", "a.json", "--nope"], "usage"),
        (["plan", "a.json"], "document"),
        (["apply", "a.json"], "document"),
        (["plan", str(EXAMPLE), "--downtime", "now", "--max-breaks", "many"], "settings"),
        (["apply", str(EXAMPLE)], "not_approved"),
        (["apply", str(EXAMPLE), "--plan", "none"], "plan_file"),
        (["plan", str(EXAMPLE), "--only", "vpc/x"], "usage"),
        (["plan", str(EXAMPLE), "--against", "none"], "document"),
        (["validate", str(EXAMPLE), "--against", str(EXAMPLE.with_name("minimal.json"))], "usage"),
        (["plan", "-", "-"], "usage"),
        (["operations", "more"], "usage"),
    ],
)
def test_every_error_is_json_where_json_is_asked_for(setpoint: Any, words: list[str], kind: str) -> None:
    ran = setpoint(*words, "-o", "json")
    assert (ran.code, ran.err) == (1, "")
    error = json.loads(ran.out)["error"]
    assert error["kind"] == kind
    assert error["message"]
    if kind == "document":
        assert error["problems"][0]["problem"] == "there is no such file"
    for spelled in ("--output=json", "-ojson"):
        assert setpoint(*words, spelled).out == ran.out


def test_the_session_of_a_command_is_that_of_boto3() -> None:
    assert isinstance(wiring.open_session(wiring.ConnectionOptions()), boto3.Session)
