"""The commands that look at no network: validate, schema, operations, help; and what they do not import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import desired_state
from handlers import cli
from reconciler.kinds import REGISTRY

EXAMPLES = Path(desired_state.__file__).with_name("examples")


def test_a_valid_document_exits_0_and_is_summed_up_in_a_line(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "minimal.json")
    assert ran.code == 0
    assert ran.out == (
        f"{EXAMPLES / 'minimal.json'}: valid; document minimal, revision 1, "
        "2 resources in account 123456789012, ap-northeast-2.\n"
    )
    assert ran.err == ""


def test_validate_says_that_intents_are_not_judged(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "test-server.json")
    assert ran.code == 0
    assert ran.out.splitlines()[1] == "Its intents (6) are not checked against the network yet."


def test_an_invalid_document_exits_1_with_a_line_for_every_problem(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "as-written.json")
    assert ran.code == 1
    assert ran.out == ""
    assert [line.split(": ")[0].rpartition("as-written.json")[2] for line in ran.err.splitlines()] == [
        ":184:20",
        ":190:7",
        ":196:28",
    ]


@pytest.mark.parametrize("command", ["validate", "plan", "apply"])
def test_bad_json_exits_1_with_its_place(
    setpoint: Any, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{\n  "version": 1,\n  oops\n}\n')
    ran = setpoint(command, "bad.json")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("bad.json:3:3: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", ["validate", "plan", "apply"])
def test_a_missing_file_exits_1_and_says_so(setpoint: Any, tmp_path: Path, command: str) -> None:
    ran = setpoint(command, tmp_path / "none.json")
    assert ran.code == 1
    assert "there is no such file" in ran.err


def test_a_hostile_file_name_cannot_speak_to_the_terminal(setpoint: Any, tmp_path: Path) -> None:
    ran = setpoint("validate", tmp_path / "a\x1b[2J\nIn sync.json")
    assert ran.code == 1
    assert "\x1b" not in ran.err
    assert len(ran.err.splitlines()) == 1


def test_the_schema_is_the_file(setpoint: Any) -> None:
    ran = setpoint("schema")
    assert ran.code == 0
    assert ran.out == Path(desired_state.__file__).with_name("schema.v1.json").read_text()


def test_operations_as_json_are_those_of_the_registry_and_no_others(setpoint: Any) -> None:
    ran = setpoint("operations", "-o", "json")
    assert ran.code == 0
    listed = {
        (kind, row["permission"], row["phase"], row["risk"], tuple(row["also_needs"]))
        for row in json.loads(ran.out)
        for kind in row["kinds"]
    }
    writes = {
        (kind.name, one.permission, one.phase.name.lower(), one.risk.name.lower(), tuple(sorted(one.also_needs)))
        for kind in REGISTRY.values()
        for one in kind.operations
    }
    reads = {(kind.name, look, "read", "none", ()) for kind in REGISTRY.values() for look in kind.observe.permissions}
    assert listed == writes | reads


def test_operations_as_text_have_a_line_for_every_row(setpoint: Any) -> None:
    lines = setpoint("operations").out.splitlines()
    assert lines[0].split() == ["PERMISSION", "PHASE", "RISK", "KINDS", "ALSO", "NEEDS"]
    assert len(lines) == 1 + len(json.loads(setpoint("operations", "-o", "json").out))
    revoke = next(line for line in lines if line.startswith("ec2:RevokeSecurityGroupIngress "))
    assert revoke.split() == ["ec2:RevokeSecurityGroupIngress", "unbind", "traffic", "security_group"]


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["plan", "--nope", "x.json"],
        ["nope"],
        ["plan", "x.json", "-o", "xml"],
        ["plan", "x.json", "--downtime", "yes"],
        ["validate", "a", "b"],
        [],
    ],
)
def test_usage_errors_exit_1_and_not_2_which_means_drift(setpoint: Any, words: list[str]) -> None:
    ran = setpoint(*words)
    assert ran.code == 1
    assert ran.out == ""
    assert "Usage: setpoint" in ran.err


@pytest.mark.parametrize("words", [["--help"], ["plan", "--help"], ["apply", "-h"], ["--version"]])
def test_help_exits_0(setpoint: Any, words: list[str]) -> None:
    ran = setpoint(*words)
    assert ran.code == 0
    assert "setpoint" in ran.out


@pytest.mark.parametrize("words", [["--help"], ["validate", str(EXAMPLES / "test-server.json")], ["schema"]])
def test_a_command_that_does_not_look_at_aws_imports_no_aws_library(words: list[str]) -> None:
    code = f"""
import sys
from handlers.cli import run_command
assert run_command({words!r}) == 0
print(sorted({{"boto3", "botocore", "rich", "moto", "flask"}} & set(sys.modules)), file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "[]"


def test_help_does_not_even_import_the_models() -> None:
    code = (
        "import sys; from handlers.cli import run_command; run_command(['--help']); sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_console_script_exits_with_the_commands_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["validate", str(EXAMPLES / "as-written.json")])
    assert stopped.value.code == 1


def test_ctrl_c_before_anything_exits_130_with_a_sentence(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_document", _interrupt)
    ran = setpoint("validate", "x.json")
    assert ran.code == 130
    assert ran.err.strip() == "Interrupted: nothing was in flight."


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_setting_that_cannot_be_used_exits_1(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, variant: Callable[..., Path]
) -> None:
    monkeypatch.setenv("SETPOINT_DOWNTIME", "sometimes")
    ran = setpoint("plan", variant())
    assert ran.code == 1
    assert ran.err == "SETPOINT_DOWNTIME: 'sometimes' is not valid; write never, window or now\n"


def test_only_an_address_that_is_declared_may_be_chosen(setpoint: Any, variant: Callable[..., Path]) -> None:
    ran = setpoint("plan", variant(), "--only", "subnet/PublicSubnet")
    assert ran.code == 1
    assert ran.err == (
        "--only: 'subnet/PublicSubnet' is not declared in this document; did you mean 'subnet/PublicSubnet1'?\n"
    )
