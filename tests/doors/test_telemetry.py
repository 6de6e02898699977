"""What the functions log, as Lambda receives it: on stdout, after the runtime has set logging up its own way."""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from awslambdaric.bootstrap import StandardLogSink, _setup_logging  # type: ignore[import-untyped]
from awslambdaric.lambda_runtime_log_utils import LogFormat  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from desired_state.fields import Address, RuleKey
from handlers import telemetry
from reconciler.model import ABSENT, ActionResult, Cause, Ended, Finding, Outcome, Reason
from reconciler.model.trigger import Source, Trigger
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.reports import GROUP, VPC, action, document, drift, report

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
CALM = AttemptResult("small", "run-1", Ending.COMPLETED, Trigger(Source.SCHEDULE, "small"), report(wrote=True))
COUNTS = "AlertsLost Blocked Corrected DocumentInvalid Drifted Failed Held ReadCalls RunSucceeded Unmanaged Waiting"
ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\[^\\\"]")
"""What a reader of JSON would turn into another character than a backslash or a quote."""

Heard = Callable[[], list[dict[str, Any]]]


@pytest.fixture(params=["JSON", "Text", "JSON at DEBUG"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logging as awslambdaric leaves it before it imports a handler."""
    form, _, level = request.param.partition(" at ")
    monkeypatch.setenv("AWS_LAMBDA_LOG_FORMAT", form)
    if level:
        monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", level)
    converter = logging.Formatter.converter
    _setup_logging(LogFormat.from_str(form), level, StandardLogSink())
    yield
    logging.Formatter.converter = converter


@pytest.fixture
def heard(capsys: pytest.CaptureFixture[str]) -> Heard:
    """What stands on stdout, each line read as one JSON object; nothing may stand on stderr."""

    def read() -> list[dict[str, Any]]:
        out, err = capsys.readouterr()
        assert err == ""
        lines = [json.loads(text) for text in out.split("\n")[:-1]]
        assert all(isinstance(one, dict) for one in lines)
        return lines

    return read


def test_a_calm_run_is_one_line_and_one_object_of_metrics(runtime: None, heard: Heard) -> None:
    with telemetry.log_context(run_id="run-1"):
        telemetry.emit(CALM)
    told, embedded = heard()
    timestamp = told.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", timestamp)
    assert told == {
        "level": "INFO",
        "message": "In sync: 2 resources are as declared; 9 reads, no write.",
        "service": "setpoint",
        "record": "run",
        "ending": "completed",
        "source": "schedule",
        "in_sync": True,
        "seconds": 0.25,
        "reads": 9,
        "writes": 0,
        "wrote": False,
        "sha256": document().sha256,
        "origin": "small.json",
        "document": "small",
        "run_id": "run-1",
        "revision": 7,
    }
    assert embedded["RunSucceeded"] == [1.0]


def test_the_metrics_have_service_as_their_only_dimension(
    runtime: None, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "network-prod")
    with telemetry.log_context():
        telemetry.emit(AttemptResult(**{**vars(CALM), "exposed": {Address(GROUP): 12.5}}))
    _, embedded = heard()
    (directive,) = embedded["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Setpoint"
    assert directive["Dimensions"] == [["service"]]
    assert sorted((one["Name"], one["Unit"]) for one in directive["Metrics"]) == sorted(
        [
            *((name, "Count") for name in [*COUNTS.split(), "WriteCalls"]),
            ("RunDuration", "Milliseconds"),
            ("ExposureSeconds", "Seconds"),
        ]
    )
    assert embedded["RunDuration"] == [250.0]
    assert embedded["ExposureSeconds"] == [12.5]
    named = {one["Name"] for one in directive["Metrics"]}
    assert {name: embedded[name] for name in embedded.keys() - named - {"_aws"}} == {
        "service": "network-prod",
        "document": "small",
        "run_id": "run-1",
        "revision": 7,
    }


def test_each_run_has_its_own_metrics(heard: Heard) -> None:
    with telemetry.log_context():
        telemetry.emit(CALM)
        telemetry.emit(
            AttemptResult("other", "run-2", Ending.UNOBSERVABLE, Trigger(Source.SCHEDULE), problem="no answer")
        )
        telemetry.emit(AttemptResult("third", "run-3", Ending.COVERED, Trigger(Source.SCHEDULE)))
    told = [one for one in heard() if "_aws" in one]
    assert [(one["document"], one["RunSucceeded"], "ReadCalls" in one) for one in told] == [
        ("small", [1.0], True),
        ("other", [0.0], False),
    ]


def test_everybodys_log_comes_out_in_one_form_and_once(runtime: None, heard: Heard) -> None:
    with telemetry.log_context(run_id="run-1"), telemetry.log_keys(document="small"):
        logging.getLogger("reconciler.engine.apply").warning("%s of %d", "one", 2)
        logging.getLogger("desired_state.load").info('{"level": "no level"}')
        logging.getLogger("setpoint").info("as the service itself")
        logging.getLogger("botocore.retries").warning("slow")
        logging.getLogger("py.warnings").warning("old")
    assert [(one["level"], one["logger"], one["message"], one["run_id"], one["document"]) for one in heard()] == [
        ("WARNING", "reconciler.engine.apply", "one of 2", "run-1", "small"),
        ("INFO", "desired_state.load", '{"level": "no level"}', "run-1", "small"),
        ("INFO", "setpoint", "as the service itself", "run-1", "small"),
        ("WARNING", "botocore.retries", "slow", "run-1", "small"),
        ("WARNING", "py.warnings", "old", "run-1", "small"),
    ]


def test_a_warning_of_python_is_a_line_like_any_other(heard: Heard) -> None:
    with telemetry.log_context(), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("this will go", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (told,) = heard()
    assert told["logger"] == "py.warnings"
    assert "DeprecationWarning: this will go" in told["message"]


def test_the_keys_of_one_run_are_not_on_the_lines_of_the_next(heard: Heard) -> None:
    log = logging.getLogger("reconciler.x")
    with telemetry.log_context(run_id="run-1"):
        with telemetry.log_keys(document="one", run_id="run-1a"):
            log.info("a")
        log.info("b")
        with telemetry.log_keys(document="two"):
            log.info("c")
    with pytest.raises(telemetry.BrokenOffError), telemetry.log_context(run_id="run-2", note="n"):
        raise LookupError
    with telemetry.log_context():
        log.info("d")
    assert [(one["message"], one.get("run_id"), one.get("document"), one.get("note")) for one in heard()] == [
        ("a", "run-1a", "one", None),
        ("b", "run-1", None, None),
        ("c", "run-1", "two", None),
        ("the function broke off", "run-2", None, "n"),
        ("d", None, None, None),
    ]


def test_lines_of_threads_carry_the_keys_and_stay_whole(heard: Heard) -> None:
    log = logging.getLogger("reconciler.engine.observe")
    with telemetry.log_context(run_id="run-1"), ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda number: log.info("read %d %s", number, "x" * 400), range(200)))
    told = heard()
    assert len(told) == 200
    assert {one["run_id"] for one in told} == {"run-1"}


def _fail() -> None:
    names = {"a value": "of a local variable"}
    try:
        names["sg-1"]
    except KeyError as error:
        raise RuntimeError("first line\r\n\x1b[31msecond") from error


def test_an_exception_is_its_type_its_words_and_short_frames(runtime: None, heard: Heard) -> None:
    with telemetry.log_context():
        try:
            _fail()
        except RuntimeError:
            logging.getLogger("reconciler.x").exception("it failed")
    (told,) = heard()
    frames = told["error"].pop("frames")
    assert told["error"] == {
        "type": "RuntimeError",
        "message": "first line\\r\\n\\x1b[31msecond",
        "causes": ["KeyError: 'sg-1'"],
    }
    assert [re.sub(r":\d+ ", ":N ", one) for one in frames] == [
        "doors/test_telemetry.py:N test_an_exception_is_its_type_its_words_and_short_frames",
        "doors/test_telemetry.py:N _fail",
    ]
    assert told.keys() == {"level", "location", "message", "timestamp", "service", "logger", "error"}


def test_what_escapes_is_logged_and_reaches_the_runtime_without_its_raw_words(heard: Heard) -> None:
    with pytest.raises(telemetry.BrokenOffError) as caught, telemetry.log_context(run_id="run-1"):
        _fail()
    assert str(caught.value) == "RuntimeError: first line\\r\\n\\x1b[31msecond"
    assert caught.value.__cause__ is None
    (told,) = heard()
    assert (told["level"], told["message"], told["error"]["type"]) == (
        "ERROR",
        "the function broke off",
        "RuntimeError",
    )


def test_a_line_that_cannot_be_made_says_where_it_was_logged_and_nothing_else(heard: Heard) -> None:
    with telemetry.log_context():
        logging.getLogger("reconciler.x").warning("%d", "s3cret")
    (told,) = heard()
    assert told.pop("location").startswith("test_telemetry.py:")
    assert told == {
        "level": "ERROR",
        "message": "a line of the log could not be written",
        "name": "reconciler.x",
        "error": "TypeError",
    }


def test_a_line_is_as_loud_as_what_it_tells(heard: Heard) -> None:
    mixed = report(
        drift("ingress", SSH, ABSENT, None, Outcome.CORRECTED),
        drift("description", None, "a", "b", Outcome.HELD),
        findings=(
            Finding(Address(VPC), Outcome.FAILED, Cause(Reason.UNREADABLE, "no answer")),
            Finding(Address(VPC), Outcome.WAITING, Cause(Reason.BUSY, "busy")),
        ),
        action_results=(ActionResult(action(), Ended.UNKNOWN, Cause(Reason.ANSWER_LOST, "lost")),),
        wrote=True,
    )
    with telemetry.log_context():
        telemetry.emit(AttemptResult(**{**vars(CALM), "report": mixed}))
        telemetry.emit(AttemptResult("small", "run-1", Ending.LEASE_HELD, Trigger(Source.RETRY), problem="taken"))
        telemetry.emit(AttemptResult("small", "run-1", Ending.DELETED, Trigger(Source.RETRY), problem="gone"))
    assert [(one["record"], one["level"]) for one in heard() if "_aws" not in one] == [
        ("drift", "INFO"),
        ("drift", "WARNING"),
        ("finding", "ERROR"),
        ("finding", "INFO"),
        ("action", "WARNING"),
        ("run", "ERROR"),
        ("run", "INFO"),
        ("run", "WARNING"),
    ]


@pytest.mark.parametrize(
    ("environment", "heard_of"),
    [
        ({}, ["info", "warning"]),
        ({"SETPOINT_LOG_LEVEL": "warning"}, ["warning"]),
        ({"POWERTOOLS_LOG_LEVEL": "DEBUG"}, ["debug", "info", "warning"]),
        ({"SETPOINT_LOG_LEVEL": "INFO", "POWERTOOLS_LOG_LEVEL": "DEBUG"}, ["info", "warning"]),
        ({"SETPOINT_LOG_LEVEL": "loud"}, ["info", "warning"]),
        ({"SETPOINT_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_LEVEL": "WARN"}, ["warning"]),
    ],
)
def test_the_environment_sets_how_much_is_told(
    environment: dict[str, str], heard_of: list[str], heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"levels-{len(environment)}-{'-'.join(environment)}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with telemetry.log_context():
        for level in ("debug", "info", "warning"):
            logging.getLogger("reconciler.x").log(logging.getLevelNamesMapping()[level.upper()], level)
    assert [one["message"] for one in heard()] == heard_of


def test_a_service_named_like_one_of_our_loggers_tells_every_line_once(
    runtime: None, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "reconciler")
    with telemetry.log_context():
        logging.getLogger("reconciler.x").info("once")
        logging.getLogger("reconciler").info("and once")
        logging.getLogger("handlers").info("and at last")
    assert [one["message"] for one in heard()] == ["once", "and once", "and at last"]


HOSTILE = st.text() | st.text(
    alphabet='\x00\x07\x1b\r\n\t\x85\u2028\u202e\u2066\ud800\U000e0041"\\{}%s[0m', max_size=60
)


@pytest.mark.parametrize("form", ["JSON", "Text"])
def test_every_hostile_string_is_a_line_of_inert_json(form: str, capsys: Any) -> None:
    _setup_logging(LogFormat.from_str(form), "", StandardLogSink())

    @given(st.lists(HOSTILE, min_size=4, max_size=4))
    def each(texts: list[str]) -> None:
        capsys.readouterr()
        log = logging.getLogger("reconciler.x")
        one, two, three, four = texts
        log.warning("%s", one)
        log.warning(two.replace("%", "%%"))
        log.warning("it", extra={"tags": {three: [three]}, "key": three})
        log.error("no", exc_info=RuntimeError(four))
        lines = capsys.readouterr().out.split("\n")
        assert lines.pop() == ""
        assert [json.loads(told)["level"] for told in lines] == ["WARNING", "WARNING", "WARNING", "ERROR"]
        assert all(told.isprintable() for told in lines)
        assert not any(map(ESCAPED.search, lines))

    with telemetry.log_context(run_id="run-1"):
        each()


@given(HOSTILE)
def test_hostile_names_of_a_run_are_inert_in_its_metrics_too(text: str) -> None:
    embedded = json.loads(telemetry._embedded({"RunSucceeded": 0}, {"document": text, "run_id": text}))
    assert embedded["document"].isprintable()
    assert embedded["run_id"].isprintable()
