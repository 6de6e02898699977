"""SIGINT, SIGTERM and SIGHUP end a command alike: the call in progress finishes, and what was done is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from handlers.signals import Signals
from lab import StrictAws
from lab.drifts import Network
from tests.support.sampling import sampled

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Whoever started the tests may have had a signal ignored, as a shell does for what it puts in the background."""
    before = {one: signal.signal(one, signal.default_int_handler) for one in SIGNALS}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.fixture
def broken(lab: StrictAws, network: Network, drift: Callable[[str], None]) -> StrictAws:
    """A network in which several things must be put right."""
    for one in ("ssh-opened-to-the-world", "tag-changed", "description-changed", "intruder-acl-allow"):
        drift(one)
    lab.calls.clear()
    return lab


def writes(lab: StrictAws) -> list[str]:
    return [call.operation for call in lab.calls if call.kind == "write"]


@pytest.mark.parametrize(("number", "after"), sampled([*product(SIGNALS, (1, 2, 3, 4))], 2, seed="signals"))
def test_a_signal_lets_the_call_finish_and_starts_no_other_one(
    setpoint: Any, broken: StrictAws, number: signal.Signals, after: int
) -> None:
    before = signal.getsignal(number)
    done = []

    def press(call: object) -> None:
        done.append(call)
        if len(done) == after:
            signal.raise_signal(number)

    broken.after_write = press
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 128 + number
    assert len(writes(broken)) == after
    assert signal.getsignal(number) is before
    assert f"{number.name}: the call in progress finishes, then the run ends. Once more ends it now." in ran.err
    by = "" if number is signal.SIGINT else f" by {number.name}"
    left = {1: "3 were not made", 2: "2 were not made", 3: "1 was not made", 4: "none was left"}[after]
    assert f"Interrupted{by} after {after} call{'' if after == 1 else 's'}, {left}: " in ran.err.splitlines()[-1]
    report = ran.out
    assert report.count("(corrected)") == after
    assert report.count(f"waiting: the run was interrupted by {number.name}: the next run continues") == 4 - after
    broken.after_write = None
    assert setpoint("apply", EXAMPLE, "--auto-approve").code == 0


def test_the_report_of_a_run_that_was_interrupted_is_all_of_stdout_as_json(setpoint: Any, broken: StrictAws) -> None:
    broken.after_write = lambda call: signal.raise_signal(signal.SIGTERM)
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "-o", "json")
    assert ran.code == 143
    told = ran.report()
    assert [one["ended"] for one in told["actions"]] == ["done", "waiting", "waiting", "waiting"]
    assert {one["reason"] for one in told["actions"][1:]} == {"interrupted"}


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_the_second_signal_ends_it_at_once_and_says_what_was_in_flight(
    setpoint: Any, broken: StrictAws, number: signal.Signals
) -> None:
    def press(call: object) -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)

    broken.after_write = press
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 128 + number
    assert ran.out == ""
    assert "during or after this write: " in ran.err.splitlines()[-1]
    assert "whether AWS carried it out is not known" in ran.err.splitlines()[-1]
    assert len(writes(broken)) == 1


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_signal_while_reading_ends_it_at_once_and_nothing_was_changed(
    setpoint: Any, broken: StrictAws, number: signal.Signals, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.engine.run.observe", lambda *_, **__: signal.raise_signal(number))
    ran = setpoint(command, EXAMPLE, *(["--auto-approve"] if command == "apply" else []), "-o", "json")
    assert ran.code == 128 + number
    assert json.loads(ran.out)["error"]["kind"] == "interrupted"
    assert "while reading: nothing was changed." in json.loads(ran.out)["error"]["message"]
    assert writes(broken) == []


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert not signals.caught
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_the_program_itself_ends_with_a_sentence_while_it_waits_for_its_document(number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from handlers.cli import main; main(['validate', '-v', '-'])"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin
        assert program.stderr
        program.stderr.readline()  # it is in the command now
        os.kill(program.pid, number)
        _, told = program.communicate(timeout=20)
    assert program.returncode == 128 + number
    by = "" if number is signal.SIGINT else f" by {number.name}"
    assert told.decode().strip() == f"Interrupted{by}: nothing was in flight."
