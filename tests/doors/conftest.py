"""The command line in this process, over one laboratory: put back to the built example network before every test."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import desired_state
from handlers import cli, ending, wiring
from lab import StrictAws, World, laboratory
from lab.drifts import DRIFTS, Network, find_network
from reconciler.model import Policy
from tests.support.canaries import ENVIRONMENT, assert_silent
from tests.support.doors import Doors, deployed
from tests.support.published import IS_REPORT

EXAMPLE = Path(desired_state.__file__).with_name("examples") / "test-server.json"


class Ran(NamedTuple):
    """One command: its exit code, and what it wrote where."""

    code: int
    out: str
    err: str

    def report(self) -> dict[str, Any]:
        """The data of `-o json`, which must be all that stands on stdout; a report is as published."""
        told: dict[str, Any] = json.loads(self.out)
        if "drifted" in told:
            IS_REPORT.validate(told)
        return told


Setpoint = Callable[..., Ran]


class Laboratory(NamedTuple):
    """The laboratory and its two worlds: nothing, and the example network as built by `apply`.

    One session for all, since the first clients of a session are dear.
    """

    aws: StrictAws
    session: Any
    empty: World
    built: World


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for one in fields(Policy):
        monkeypatch.delenv(f"SETPOINT_{one.name.upper()}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit at a terminal and type that."""

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    def type_in(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", Keyboard(text))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return type_in


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """The doors make the root logger their own; the next test is to find it as this one did."""
    loggers = [logging.getLogger(name) for name in ("", "boto3", "botocore", "urllib3")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    logging.captureWarnings(capture=False)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


class _Heard(logging.Handler):
    """Everything that one test let out: what it printed and logged, and what others hand in (`also_heard`)."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture(autouse=True)
def _heard(
    loggers_as_they_were: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Heard]:
    """No test of a door lets out a secret: neither a planted one nor the laboratory's credentials."""
    for name, secret in ENVIRONMENT.items():
        monkeypatch.setenv(name, secret)
    heard = _Heard()
    captured: type[Any] = type(sys.stdout)  # capsys makes new streams for setup, call and teardown
    write = captured.write

    def overheard(stream: Any, text: str) -> int:
        length: int = write(stream, text)  # click tries bytes, to see them refused
        heard.texts.append(text)
        return length

    monkeypatch.setattr(captured, "write", overheard)
    logging.getLogger().addHandler(heard)
    yield heard
    assert_silent("\n".join(["".join(heard.texts), *heard.texts]))


@pytest.fixture
def also_heard(_heard: _Heard) -> Callable[[str], None]:
    """For a test that sees more of what a door lets out than its streams: hand in a message, an event, an answer."""
    return _heard.texts.append


@pytest.fixture
def setpoint(capsys: pytest.CaptureFixture[str]) -> Setpoint:
    def run(*words: object) -> Ran:
        capsys.readouterr()
        code = cli.run_command([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def built_once() -> dict[str, World]:
    """The example network, by who built it: the first module of a process builds it, and the others restore it."""
    return {}


@pytest.fixture(scope="module")
def one_laboratory(built_once: dict[str, World]) -> Iterator[Laboratory]:
    with laboratory() as aws:
        empty, session = aws.save(), aws.session()
        if "apply" not in built_once:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(wiring, "open_session", lambda entry: session)
                patch.setattr(wiring, "time", SimpleNamespace(sleep=lambda seconds: None))
                command = ["apply", str(EXAMPLE), "--auto-approve", "--create-databases"]
                assert cli.run_command(command) == ending.DRIFT  # the database is being created
            aws.settle()
            built_once["apply"] = aws.save()
        yield Laboratory(aws, session, empty, built_once["apply"])


@pytest.fixture
def lab(one_laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> StrictAws:
    """The laboratory with the example network built and in sync; the command line works in it."""
    aws = one_laboratory.aws
    aws.restore(one_laboratory.built)
    aws.faults.clear()
    aws.calls.clear()
    aws.after_write = None
    monkeypatch.setattr(wiring, "open_session", lambda entry: one_laboratory.session)
    monkeypatch.setattr(wiring, "time", SimpleNamespace(sleep=lambda seconds: None))
    return aws


@pytest.fixture
def nothing(lab: StrictAws, one_laboratory: Laboratory) -> StrictAws:
    """The laboratory before anything was built."""
    lab.restore(one_laboratory.empty)
    return lab


@pytest.fixture
def network(lab: StrictAws) -> Network:
    return find_network(lab.outsider(), "test-server")


@pytest.fixture
def drift(lab: StrictAws, network: Network) -> Callable[[str], None]:
    """Do the drift of that name."""
    by_name = {one.name: one for one in DRIFTS}
    return lambda name: by_name[name].apply(lab.outsider(), network)


@pytest.fixture
def variant(tmp_path: Path) -> Callable[..., Path]:
    """The example document with some of the envelope or of its resources changed, in a file."""

    def write(*, file: str = "variant.json", **changes: Any) -> Path:
        document = json.loads(EXAMPLE.read_text())
        document |= changes
        path = tmp_path / file
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture(scope="module")
def _stage(built_once: dict[str, World]) -> Iterator[Doors]:
    with deployed() as stage:
        built_once["worker"] = stage.begin(built_once.get("worker"))
        yield stage


@pytest.fixture
def doors(_stage: Doors, also_heard: Callable[[str], None]) -> Iterator[Doors]:
    """A deployed stack whose document was looked after once: in sync, and quiet. What it said is listened to."""
    _stage.again()
    yield _stage
    for told in (*_stage.alerts(), *_stage.events()):
        also_heard(json.dumps(told))
