"""The local Lambda itself, with functions of a few lines: what it tells, what it hides, how it ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.runtime_api import Lambda

Start = Callable[..., Lambda]


@pytest.fixture
def start(tmp_path: Path, runtime: Path) -> Start:
    """A function of this code; `env` is added to its environment."""

    def starting(code: str, **env: str) -> Lambda:
        folder = tmp_path / "task"
        folder.mkdir()
        (folder / "small.py").write_text(code)
        return Lambda(folder, "small.handler", runtime, tmp_path / "log", env)

    return starting


def test_the_payload_is_what_the_handler_returns(start: Start) -> None:
    with start("def handler(event, context): return {'had': event}") as function:
        assert function.invoke({"a": 1}).payload == {"had": {"a": 1}}
        assert function.invoke([]).payload == {"had": []}


def test_a_warm_function_keeps_what_it_had(start: Start) -> None:
    with start(
        "import os\nseen = []\ndef handler(event, context): seen.append(event); return [os.getpid(), seen]"
    ) as one:
        first, second = one.invoke("a").payload, one.invoke("b").payload
    assert first[0] == second[0]
    assert second[1] == ["a", "b"]


def test_the_context_says_who_and_how_long(start: Start) -> None:
    code = """
def handler(event, context):
    return [context.function_name, context.memory_limit_in_mb, context.invoked_function_arn,
            context.aws_request_id, context.get_remaining_time_in_millis()]
"""
    with start(code) as function:
        name, memory, arn, request, left = function.invoke({}, deadline_ms=30_000).payload
    assert (name, memory) == ("setpoint-small", "512")
    assert arn == "arn:aws:lambda:ap-northeast-2:123456789012:function:setpoint-small"
    assert len(request) == 36
    assert 20_000 < left <= 30_000


def test_an_exception_is_told_as_lambda_tells_it_and_the_function_goes_on(start: Start) -> None:
    with start("def handler(event, context): return 1 / event") as function:
        failed = function.invoke(0)
        assert failed.payload is None
        assert failed.error is not None
        assert (failed.error["errorType"], failed.error["errorMessage"]) == ("ZeroDivisionError", "division by zero")
        assert function.invoke(2).payload == 0.5


def test_what_cannot_be_imported_is_the_first_answer(start: Start) -> None:
    with start("import nothing_of_this_name") as function:
        told = function.invoke({}).error
    assert told is not None
    assert told["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'nothing_of_this_name'" in told["errorMessage"]


def test_each_answer_has_its_own_lines(start: Start) -> None:
    with start("print('loaded')\ndef handler(event, context): print('said', event)") as function:
        assert function.invoke(1).log_lines == ("loaded", "said 1")
        assert function.invoke(2).log_lines == ("said 2",)


def test_what_is_logged_is_json_with_the_request_in_it(start: Start) -> None:
    code = """
import logging
def handler(event, context):
    logging.getLogger('a').warning('b')
    return context.aws_request_id
"""
    with start(code) as function:
        answer = function.invoke({})
    assert len(answer.log_lines) == 1
    assert '"message": "b"' in answer.log_lines[0]
    assert answer.payload in answer.log_lines[0]


def test_one_that_takes_too_long_is_killed(start: Start) -> None:
    with start("import threading\ndef handler(event, context): threading.Event().wait()") as function:
        late = function.invoke({}, deadline_ms=700)
        assert late.error is not None
        assert late.error["errorType"] == "Sandbox.Timedout"
        assert late.seconds < 10
        again = function.invoke({})
    assert again.error is not None
    assert again.error["errorType"] == "Runtime.ExitError"


def test_one_that_ends_itself_is_told_so(start: Start) -> None:
    with start("import os\ndef handler(event, context): os._exit(3)") as function:
        told = function.invoke({}).error
    assert told == {"errorType": "Runtime.ExitError", "errorMessage": "setpoint-small ended: 3"}


def test_no_process_is_left(start: Start) -> None:
    with start("import os\ndef handler(event, context): return os.getpid()") as function:
        process = function.invoke({}).payload
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_the_function_sees_neither_this_environment_nor_this_project(start: Start, runtime: Path) -> None:
    code = """
import os, sys
from importlib.util import find_spec
def handler(event, context):
    names = ("boto3", "botocore", "pydantic", "pytest", "moto", "handlers", "lab", "awslambdaric")
    return [name for name in names if find_spec(name)], sys.path, sorted(os.environ)
"""
    with start(code, SETPOINT_MODE="report") as function:
        there, path, environment = function.invoke({}).payload
    assert there == ["awslambdaric"]
    assert not [one for one in path if one.endswith("site-packages")]
    assert str(runtime) in path
    assert "SETPOINT_MODE" in environment
    assert not [one for one in environment if one.startswith(("PYTEST", "HOME", "VIRTUAL_ENV"))]
