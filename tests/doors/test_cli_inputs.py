"""Several documents, stdin, -v, the version, and what a shell completes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from handlers import cli, terminal
from handlers.options import addresses
from lab import StrictAws

EXAMPLES = Path(__file__).parents[2] / "desired_state/examples"
EXAMPLE, MINIMAL, INVALID = (EXAMPLES / f"{name}.json" for name in ("test-server", "minimal", "as-written"))


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Hand these bytes to stdin."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# Several documents


def test_several_documents_are_validated_one_after_the_other_and_one_bad_one_is_exit_code_1(setpoint: Any) -> None:
    ran = setpoint("validate", MINIMAL, INVALID, EXAMPLE)
    assert ran.code == 1
    assert [line.partition(";")[0] for line in ran.out.splitlines()] == [
        f"{MINIMAL}: valid",
        f"{EXAMPLE}: valid",
        "Intents: 8 kept.",
        "3 documents: 2 passed, 1 did not.",
    ]
    assert {line.split(":")[0] for line in ran.err.splitlines()} == {str(INVALID)}
    assert setpoint("validate", MINIMAL, EXAMPLE).code == 0


def test_several_documents_as_json_are_one_answer(setpoint: Any) -> None:
    ran = setpoint("validate", MINIMAL, INVALID, "-o", "json")
    told = json.loads(ran.out)
    assert (ran.code, ran.err, told["valid"]) == (1, "", False)
    assert [(one["file"], one["valid"]) for one in told["documents"]] == [(str(MINIMAL), True), (str(INVALID), False)]
    assert {key: value for key, value in told["documents"][0].items() if key != "file"} == json.loads(
        setpoint("validate", MINIMAL, "-o", "json").out
    )


def test_several_documents_are_planned_and_the_worst_decides(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], variant: Callable[..., Path]
) -> None:
    calm = variant(file="calm.json")
    elsewhere = variant(file="far.json", scope={"account_id": "111122223333", "region": "ap-northeast-2"})
    assert setpoint("plan", calm, calm).code == 0
    drift("ssh-opened-to-the-world")
    drifted = setpoint("plan", EXAMPLE, calm)
    assert drifted.code == 2
    assert drifted.out.count("document test-server, revision 1") == 2
    assert drifted.out.splitlines()[-1] == "2 documents: 2 with drift."
    failed = setpoint("plan", elsewhere, EXAMPLE)
    assert failed.code == 1
    assert failed.out.splitlines()[-1] == "2 documents: 1 with drift, 1 with an error."
    assert "this is account 123456789012, the document is for 111122223333" in failed.err
    as_json = json.loads(setpoint("plan", elsewhere, EXAMPLE, "-o", "json").out)["documents"]
    assert (as_json[0]["file"], as_json[0]["error"]["kind"]) == (str(elsewhere), "connection")
    assert as_json[1]["drifted"][0]["address"] == "security_group/APIGatewaySG"
    assert [call.operation for call in lab.calls if call.kind == "write"] == []


@pytest.mark.parametrize("option", ["--out", "--only", "--against"])
def test_what_belongs_to_one_document_is_refused_with_several(setpoint: Any, lab: StrictAws, option: str) -> None:
    ran = setpoint("plan", EXAMPLE, MINIMAL, option, "vpc/MyVPC")
    assert ran.code == 1
    assert ran.err == f"{option} is for one document: plan them one by one\n"
    assert lab.calls == []


# Stdin


def test_a_document_from_stdin_is_validated_and_planned(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], pipe: Callable[[bytes], None], tmp_path: Path
) -> None:
    pipe(EXAMPLE.read_bytes())
    assert setpoint("validate", "-").out.startswith("stdin: valid; document test-server")
    drift("ssh-opened-to-the-world")
    pipe(EXAMPLE.read_bytes())
    planned = setpoint("plan", "-")
    assert planned.code == 2
    assert planned.out.startswith("Account 123456789012, ap-northeast-2: document test-server, revision 1 (stdin)")
    assert (
        planned.err.splitlines()[-1] == "To apply it: write the document to a file, so that apply can ask for approval"
    )
    pipe(EXAMPLE.read_bytes())
    path = tmp_path / "p.json"
    assert setpoint("plan", "-", "--out", path).err.splitlines()[-1] == f"To apply it: setpoint apply - --plan={path}"
    pipe(EXAMPLE.read_bytes())
    assert setpoint("apply", "-", "--plan", path).code == 0


@pytest.mark.parametrize("person", [True, False])
def test_apply_cannot_ask_whoever_hands_in_the_document(
    setpoint: Any, lab: StrictAws, pipe: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch, person: bool
) -> None:
    monkeypatch.setattr(terminal, "is_person", lambda: person)
    pipe(EXAMPLE.read_bytes())
    ran = setpoint("apply", "-")
    assert ran.code == 1
    assert ran.err == (
        "the document comes from stdin, so nobody can be asked for approval; review the plan, then use --auto-approve "
        "or --plan FILE\n"
    )
    assert lab.calls == []


def test_a_problem_of_a_document_from_stdin_has_its_place(setpoint: Any, pipe: Callable[[bytes], None]) -> None:
    pipe(b'{\n  "version": 1,\n  oops\n}\n')
    assert setpoint("validate", "-").err.startswith("stdin:3:3: ")


# -v and the version


def test_verbose_tells_what_is_read_as_whom_and_how_long_it_took(setpoint: Any, lab: StrictAws) -> None:
    calm, verbose = setpoint("plan", EXAMPLE), setpoint("plan", EXAMPLE, "-v")
    assert verbose.out == calm.out
    lines = [re.sub(r"^ +[0-9.]+ s  ", "", line) for line in verbose.err.splitlines()]
    assert lines[0] == f"reading {EXAMPLE}"
    assert re.fullmatch(r"read [0-9,]+ bytes, sha256 [0-9a-f]{64}", lines[1])
    assert re.fullmatch(r"sts GetCallerIdentity: 200, as arn:aws:.*, [0-9.]+ s", lines[2])
    assert len([line for line in lines if re.fullmatch(r"(ec2|rds) Describe\w+: 200, [0-9.]+ s", line)]) == 10
    assert re.fullmatch(r"test-server: 10 reads, 0 writes, [0-9.]+ s", lines[-1])
    before = setpoint("-v", "plan", EXAMPLE)
    assert len(before.err.splitlines()) == len(verbose.err.splitlines())
    assert "sts GetCallerIdentity" not in setpoint("plan", EXAMPLE).err


def test_verbose_prints_no_escapes_of_others(setpoint: Any) -> None:
    told = setpoint("validate", "no\u202e.json", "-v").err
    assert "reading no" in told
    assert "\u202e" not in told


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["-v"], ["--verbose"]])
def test_the_version_is_told_however_a_person_asks(setpoint: Any, words: list[str]) -> None:
    ran = setpoint(*words)
    assert (ran.code, ran.out, ran.err) == (0, f"setpoint {metadata.version('setpoint')}\n", "")


# What a shell completes


def completed(*words: str) -> list[str]:
    """What bash offers for the last word, as the script asks for it."""
    code = "from handlers.cli import main; main()"
    environment = {
        **os.environ,
        "_SETPOINT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("setpoint", *words)),
        "COMP_CWORD": str(len(words)),
        "PYTHONPATH": str(Path(cli.__file__).parents[1]),
    }
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return [line.partition(",")[2] for line in ran.stdout.split()]


def test_commands_options_and_addresses_of_the_document_are_completed() -> None:
    assert completed("va") == ["validate"]
    assert "--create-databases" in completed("plan", "--c")
    assert completed("plan", str(EXAMPLE), "--only", "route_table/P") == [
        "route_table/PublicRouteTable",
        "route_table/PrivateRouteTable",
    ]
    assert completed("import", "--into", str(EXAMPLE), "--accept", "vpc/") == ["vpc/MyVPC"]
    assert completed("plan", "none.json", "--only", "v") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(setpoint: Any, shell: str) -> None:
    ran = setpoint("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_SETPOINT_COMPLETE={shell}_complete" in ran.out
    if shell == "bash":
        assert subprocess.run(["/bin/bash", "-n"], input=ran.out, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "content", ["", "[]", "1", '{"resources": []}', '{"resources": {"vpc": 1}}', '{"resources": {"vpc": null}}', "\x00"]
)
def test_what_is_no_document_completes_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(content)
    assert addresses(path) == []
    assert addresses(tmp_path) == []
