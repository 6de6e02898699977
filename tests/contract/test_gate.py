"""What `make test` does about the browser: it always runs those tests, or says last that it did not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.exact_role import _WHOLE

ROOT = Path(chromium.__file__).parents[2]
MAKE = shutil.which("make") or "make"


def commands(*arguments: str) -> list[str]:
    """The command lines of the gate, in their order; none of them is run."""
    clean = {name: value for name, value in os.environ.items() if name not in {"BROWSER", "MAKEFLAGS", "MAKELEVEL"}}
    told = subprocess.run(
        [MAKE, "-n", "-o", ".venv/dev.stamp", "test", *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean,
    )
    return told.stdout.replace("\\\n", "").splitlines()


def ran(line: str, folder: Path, *, browser: bool, ci: str = "") -> tuple[int, str, str]:
    """How a line of the gate ends, what it printed and what it told: with stand-ins for pytest and for the question
    whether there is a browser.
    """
    for name, code in (("pytest", "echo pytest"), ("python", f"exit {0 if browser else 1}")):
        (folder / name).write_text(f'#!/bin/sh\n{code} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    told = subprocess.run(
        ["/bin/sh", "-c", line.replace(".venv/bin/", f"{folder}/")],
        check=False,
        capture_output=True,
        text=True,
        env={"CI": ci, "PATH": os.environ["PATH"]},
    )
    return told.returncode, told.stdout, told.stderr


def test_with_a_browser_the_gate_leaves_nothing_out(tmp_path: Path) -> None:
    code, told, _ = ran(commands()[-1], tmp_path, browser=True)
    assert (code, told) == (0, "pytest -n 2 --dist worksteal\n")


@pytest.mark.parametrize(("arguments", "browser"), [(("BROWSER=none",), True), ((), False)])
def test_without_a_browser_the_last_line_of_the_gate_says_what_was_not_run(
    arguments: tuple[str, ...], browser: bool, tmp_path: Path
) -> None:
    code, told, _ = ran(commands(*arguments)[-1], tmp_path, browser=browser)
    tests, last = told.splitlines()
    assert code == 0
    assert tests == f"pytest -n 2 --dist worksteal -m {_WHOLE[1]}"
    assert last.startswith("NOT RUN: the browser tests")


@pytest.mark.parametrize(("arguments", "browser"), [(("BROWSER=none",), True), ((), False)])
@pytest.mark.parametrize(("ci", "fails"), [("true", 1), ("1", 1), ("false", 0), ("", 0)])
def test_in_ci_nobody_leaves_the_browser_tests_out(
    arguments: tuple[str, ...], browser: bool, ci: str, fails: int, tmp_path: Path
) -> None:
    code, _, told = ran(commands(*arguments)[0], tmp_path, browser=browser, ci=ci)
    assert code == fails
    assert ("In CI the browser tests always run" in told) is bool(fails)


def test_another_browser_in_the_environment_leaves_nothing_out() -> None:
    assert commands("BROWSER=firefox") == commands()


def test_where_no_browser_is_installed_the_package_is_named(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), chromium.VARIABLE: ""}
    assert chromium.find(environment, places=()) is None
    environment[chromium.VARIABLE] = str(tmp_path / "not-there")
    command = [sys.executable, "-m", "tests.support.chromium"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert told.returncode == 1
    assert "apt-get install chromium" in told.stderr


def test_a_browser_is_found_by_its_name_at_its_place_or_where_it_is_said_to_be(tmp_path: Path) -> None:
    for name in ("google-chrome", "chromium"):
        (tmp_path / name).touch(mode=0o755)
        assert chromium.find({"PATH": str(tmp_path)}, places=()) == str(tmp_path / name)
    named = str(tmp_path / "google-chrome")
    assert chromium.find({"PATH": str(tmp_path), chromium.VARIABLE: named}, places=()) == named
    assert chromium.find({"PATH": ""}, places=(named,)) == named


def ci(tmp_path: Path, *installed: str, root: bool, fails: str = "") -> tuple[int, str]:
    """The exit code of `.ci/run` and what it told, where these programs are installed; make and apt-get only say so."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    for name in ("make", *installed):
        code = 7 if name == fails else 0
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >&2\nexit {code}\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {0 if root else 1000}\n", encoding="utf-8")
    (tmp_path / "id").chmod(0o755)
    told = subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / ".ci" / "run")],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path), "CI": "true", "BROWSER": "none"},
    )
    return told.returncode, told.stderr


def test_ci_runs_the_gate_with_the_browser_that_is_there_whatever_the_environment_says(tmp_path: Path) -> None:
    assert ci(tmp_path, "google-chrome", "apt-get", root=True) == (0, "make test BROWSER=\n")


def test_ci_installs_the_browser_where_there_is_none(tmp_path: Path) -> None:
    code, told = ci(tmp_path, "apt-get", root=True)
    assert code == 0
    *first, last = told.splitlines()
    assert last == "make test BROWSER="
    first.remove("make .venv/dev.stamp")  # beside the two others, in whatever order
    update, install = first
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install")
    assert install.split()[-1] == "chromium"


@pytest.mark.parametrize(("fails", "code"), [("apt-get", 7), ("make", 7)])
def test_ci_fails_where_the_browser_or_the_wheels_cannot_be_installed(tmp_path: Path, fails: str, code: int) -> None:
    ended, told = ci(tmp_path, "apt-get", root=True, fails=fails)
    assert ended == code
    assert "make test" not in told


@pytest.mark.parametrize(("installed", "root"), [((), True), (("apt-get",), False)])
def test_ci_fails_where_it_cannot_install_the_browser(tmp_path: Path, installed: tuple[str, ...], root: bool) -> None:
    code, told = ci(tmp_path, *installed, root=root)
    assert code == 1
    assert "apt-get install chromium" in told
