"""The demo, as a person without an AWS account runs it: in a process of its own, without credentials or a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlers import demo
from lab import by_hand
from lab.drifts import DRIFTS, Drift

if TYPE_CHECKING:
    import pytest

_SILENT = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_COLOR": "1"}


def test_the_demo_takes_over_builds_breaks_corrects_and_rests_without_credentials_or_sockets(tmp_path: Path) -> None:
    guard = """
import socket, sys
def no_socket(*_, **__): raise AssertionError("the demo opened a socket")
socket.socket.connect = socket.socket.bind = no_socket
from handlers.cli import main
main(["demo", "--page", "page.html"])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SETPOINT_"))}
    ran = subprocess.run(
        [sys.executable, "-c", guard],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment | _SILENT | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "\x1b" not in ran.stdout
    assert [drift.name for drift in DRIFTS if drift.story not in ran.stdout] == []
    assert len(DRIFTS) >= 10
    assert "In sync: 14 resources are as declared; 10 reads, no write. (10 API calls, 0 of them writes)" in ran.stdout
    assert "  asks AWS      14 tag calls (setpoint:document, setpoint:name), nothing else: proven\n" in ran.stdout
    assert "Plan: takes over 14 resources with 14 tag calls, and changes nothing else.\n" in ran.stdout
    assert "  Took over 14 resources with 14 tag calls; the second look is in sync.\n" in ran.stdout
    assert "  security_group/backend: revoke tcp 22 from 0.0.0.0/0\n" in ran.stdout
    assert "  Intent broken: from outside only the front door. CRITICAL\n" in ran.stdout
    assert "  Kept now: from outside only the front door. When the run began: tcp 22 from 1.0.0.0" in ran.stdout
    *_, last, page = ran.stdout.splitlines()
    assert last.startswith("  All 15 were found, corrected and verified: ")
    assert page == "  The page of what was broken: page.html"
    written = (tmp_path / "page.html").read_text("utf-8")
    assert written.startswith("<!doctype html>")
    assert "CRITICAL" in written.upper()
    assert "user/somebody" in written
    assert "assumed-role/setpoint" not in written
    assert len(written.encode()) <= 100_000


def test_the_demo_fails_when_an_accident_is_not_found_and_when_nothing_had_to_be_held(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_hand, "open_ssh", lambda *_: None)
    safe_text = Drift("harmless", "Nobody did anything.", lambda *_: None, frozenset({("vpc/MyVPC", "tags")}))
    monkeypatch.setattr(demo, "DRIFTS", (safe_text,))
    ran = setpoint("demo", "--no-color")
    assert ran.code == 1
    assert "Not found: harmless" in ran.out
    assert (
        ran.out.splitlines()[-1]
        == "  The demo failed to take over and to find and to keep an intent: this is a bug in Setpoint."
    )


def test_without_the_emulator_the_demo_says_what_to_install(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "handlers.demo", raising=False)
    monkeypatch.setitem(sys.modules, "moto", None)
    for name in [name for name in sys.modules if name == "lab" or name.startswith("lab.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("handlers.demo", raising=False)
    ran = setpoint("demo")
    assert ran.code == 1
    assert ran.err == "the demo needs moto; install it with `pip install 'setpoint[cli,demo]'`\n"


def test_a_page_for_a_folder_that_is_not_there_is_refused_before_the_demo_begins(setpoint: Any, tmp_path: Path) -> None:
    ran = setpoint("demo", "--page", tmp_path / "nowhere" / "page.html")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("--page: there is no folder for ")
