"""The command line against an emulator behind HTTP: what a person does who has one running, from nothing to calm.

Plain moto, so that `--endpoint-url` and boto3's own way over the wire are in the path; the strict laboratory is not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from handlers import cli, wiring
from lab.drifts import DRIFTS, Drift, find_network
from tests.support.sampling import sampled

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An emulator in a process of its own, on a port that was free, with the example network built by `apply`."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | _KEYS | {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(port, server)
            url = f"http://127.0.0.1:{port}"
            with pytest.MonkeyPatch.context() as patch:
                _in_this_process(patch, url)
                patch.setenv("SETPOINT_CREATE_DATABASES", "1")
                code = cli.run_command(["apply", str(EXAMPLE), "--auto-approve", "--endpoint-url", url])
                assert code == 0
            yield url
        finally:
            server.terminate()


def _await(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the emulator did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the emulator does not answer")


def _in_this_process(patch: pytest.MonkeyPatch, url: str) -> None:
    for name, text in _KEYS.items():
        patch.setenv(name, text)
    patch.setenv("AWS_ENDPOINT_URL", url)  # for the hands of others; the command line is told by its option
    patch.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", raising=False)
    patch.setattr(wiring, "time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def others(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """Somebody else's session on the same emulator."""
    _in_this_process(monkeypatch, endpoint)
    return boto3.Session(region_name="ap-northeast-2")


def _plan(setpoint: Any, endpoint: str) -> Any:
    return setpoint("plan", EXAMPLE, "-o", "json", "--endpoint-url", endpoint)


def test_a_plan_after_the_build_exits_0_with_ten_reads(setpoint: Any, endpoint: str, others: boto3.Session) -> None:
    ran = _plan(setpoint, endpoint)
    assert ran.code == 0
    told = ran.report()
    assert told["in_sync"] is True
    assert (told["counts"]["reads"], told["counts"]["writes"]) == (10, 0)


def test_an_apply_after_the_build_writes_nothing(setpoint: Any, endpoint: str, others: boto3.Session) -> None:
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "--endpoint-url", endpoint)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "In sync: 14 resources are as declared; 10 reads, no write."


# Plain moto answers UpdateSecurityGroupRuleDescriptions by rule id and changes nothing; test_cli_apply.py has that one.
_CARRIED_OUT = [drift for drift in DRIFTS if drift.name != "description-changed"]


@pytest.mark.parametrize("drift", sampled(_CARRIED_OUT, 12, ids=[drift.name for drift in _CARRIED_OUT]))
def test_a_drift_is_named_exactly_then_corrected_then_gone(
    setpoint: Any, endpoint: str, others: boto3.Session, drift: Drift
) -> None:
    drift.apply(others, find_network(others, "test-server"))
    seen = _plan(setpoint, endpoint)
    assert seen.code == 2
    assert {(one["address"], one["field"]) for one in seen.report()["drifted"]} == drift.addresses
    assert seen.report()["counts"]["writes"] == 0
    corrected = setpoint("apply", EXAMPLE, "--auto-approve", "--endpoint-url", endpoint)
    assert corrected.code == 0, corrected.out
    calm = _plan(setpoint, endpoint)
    assert calm.code == 0
    assert calm.report()["drifted"] == []


def test_the_console_script_itself_exits_with_the_code(endpoint: str) -> None:
    environment = os.environ | _KEYS
    command = [sys.executable, "-m", "handlers.cli", "plan", str(EXAMPLE), "--endpoint-url", endpoint]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "In sync: 14 resources are as declared; 10 reads, no write."


def test_another_account_behind_the_endpoint_is_refused(
    setpoint: Any, endpoint: str, others: boto3.Session, variant: Any
) -> None:
    scope = {"account_id": "111122223333", "region": "ap-northeast-2"}
    ran = setpoint("plan", variant(scope=scope), "--endpoint-url", endpoint)
    assert ran.code == 1
    assert ran.err.startswith("this is account 123456789012, the document is for 111122223333; use --profile")
