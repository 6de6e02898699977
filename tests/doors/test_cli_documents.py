"""The commands that look at no network: validate, schema, operations, help; and what they do not import."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import desired_state
from handlers import cli, document_input
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


def test_validate_judges_the_intents_of_the_example(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "test-server.json")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == ["Intents: 8 kept."]
    assert ran.err == ""


def edited_example(path: Path, *edits: tuple[str, str]) -> Path:
    text = (EXAMPLES / "test-server.json").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


NO_REPLIES = (
    """          "110": { "action": "allow", "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0" },
          "120": { "action": "allow", "protocol": "tcp", "ports": "1024-65535", "source": "0.0.0.0/0" }
""",
    """          "110": { "action": "allow", "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0" }
""",
)


def test_an_intent_that_the_document_breaks_exits_1_at_its_place(
    setpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edited_example(tmp_path / "broken.json", NO_REPLIES)
    ran = setpoint("validate", "broken.json")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        (
            "broken.json:108:5: the document breaks its intent 'the front door reaches the back end' (intents[2]); "
            'change what it rests on or the intent, or set "enforcement": "report"'
        )
    ]
    assert ran.out.splitlines()[1:] == [
        "Intent broken: the front door reaches the back end (api -> server in subnet/PrivateSubnet1, tcp 8000). HIGH",
        (
            "  request  api -> security_group/APIGatewaySG out all to 0.0.0.0/0 -> network_acl/PublicSubnetACL out 120 "
            "-> network_acl/PrivateSubnetACL in 110 -> security_group/TestServerSG in tcp 8000 from "
            "security_group/APIGatewaySG -> server in subnet/PrivateSubnet1   passes"
        ),
        (
            "  replies  server in subnet/PrivateSubnet1 -> network_acl/PrivateSubnetACL out 120 -> "
            "network_acl/PublicSubnetACL in   DIES HERE"
        ),
        (
            "  blocked  network_acl/PublicSubnetACL in, replies: no entry matches tcp 1024-65535 from 10.0.2.0/24, "
            "so its closing * denies"
        ),
        (
            '  mend     network_acl/PublicSubnetACL, ingress: "120": {"action": "allow", "protocol": "tcp", '
            '"ports": "1024-65535", "source": "10.0.2.0/24"}'
        ),
        "  api -> server in subnet/PrivateSubnet2, tcp 8000:",
        (
            "    request  api -> security_group/APIGatewaySG out all to 0.0.0.0/0 -> network_acl/PublicSubnetACL out "
            "120 -> network_acl/PrivateSubnetACL in 110 -> security_group/TestServerSG in tcp 8000 from "
            "security_group/APIGatewaySG -> server in subnet/PrivateSubnet2   passes"
        ),
        (
            "    replies  server in subnet/PrivateSubnet2 -> network_acl/PrivateSubnetACL out 120 -> "
            "network_acl/PublicSubnetACL in   DIES HERE"
        ),
        (
            "    blocked  network_acl/PublicSubnetACL in, replies: no entry matches tcp 1024-65535 from 10.0.3.0/24, "
            "so its closing * denies"
        ),
        (
            '    mend     network_acl/PublicSubnetACL, ingress: "120": {"action": "allow", "protocol": "tcp", '
            '"ports": "1024-65535", "source": "10.0.3.0/24"}'
        ),
        "All of this together mends the intent:",
        (
            '  network_acl/PublicSubnetACL, ingress: "120": {"action": "allow", "protocol": "tcp", '
            '"ports": "1024-65535", "source": "10.0.2.0/23"}'
        ),
        "Intents: 7 kept, 1 broken.",
    ]


def test_an_exposure_that_the_document_makes_itself_is_shown_as_one_packet(setpoint: Any, tmp_path: Path) -> None:
    opened = (
        '{ "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": "HTTPS from anywhere" }',
        '{ "protocol": "tcp", "ports": "443-8443", "source": "0.0.0.0/0" }',
    )
    ran = setpoint("validate", edited_example(tmp_path / "open.json", opened))
    assert ran.code == 1
    assert ran.out.splitlines()[1:] == [
        "Intent broken: from outside only the front door. CRITICAL",
        "  tcp 1024 from 1.0.0.0 (the internet) reaches api, through",
        (
            "    route_table/PublicRouteTable out 0.0.0.0/0 -> internet_gateway/MyInternetGateway -> "
            "network_acl/PublicSubnetACL in 120 -> security_group/APIGatewaySG in tcp 443-8443 from 0.0.0.0/0"
        ),
        "    all of that is declared, so the document contradicts itself: change it, or the intent",
        "Intents: 7 kept, 1 broken.",
    ]


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (('"name": "the front door reaches the back end",', '"enforcement": "report", "name": "x",'), "broken"),
        (("map_public_ip_on_launch", "note"), "unknown"),
    ],
)
def test_what_is_only_reported_and_what_is_unknown_exits_0(
    setpoint: Any, tmp_path: Path, edit: tuple[str, str], status: str
) -> None:
    edits = [NO_REPLIES, edit] if status == "broken" else [('"map_public_ip_on_launch": true', '"note": ""')]
    ran = setpoint("validate", edited_example(tmp_path / "doc.json", *edits))
    assert ran.code == 0
    assert f"Intent {status}: " in ran.out
    assert ran.err == ""


def test_validate_as_json_has_every_verdict_with_its_place(setpoint: Any, tmp_path: Path) -> None:
    ran = setpoint("validate", edited_example(tmp_path / "broken.json", NO_REPLIES), "-o", "json")
    assert (ran.code, ran.err) == (1, "")
    told = json.loads(ran.out)
    assert (told["valid"], told["document"], told["revision"], told["resources"]) == (True, "test-server", 1, 14)
    assert [one["status"] for one in told["intents"]] == ["kept"] * 2 + ["broken"] + ["kept"] * 5
    broken = told["intents"][2]
    assert (broken["line"], broken["column"]) == (108, 5)
    assert {
        key: broken[key] for key in ("name", "expect", "partly", "severity", "enforcement", "since", "witness")
    } == {
        "name": "the front door reaches the back end",
        "expect": "reachable",
        "partly": False,
        "severity": "high",
        "enforcement": "hold",
        "since": None,
        "witness": None,
    }
    assert broken["blockers"][0] == {
        "component": "network_acl/PublicSubnetACL",
        "side": "ingress",
        "reply": True,
        "member": None,
        "declared": True,
        "passes": False,
        "certain": True,
        "missing": "tcp 1024-65535 from 10.0.2.0/24",
        "decided_by": "network_acl/PublicSubnetACL in, replies: no entry matches tcp 1024-65535 from 10.0.2.0/24, "
        "so its closing * denies",
        "mend": [
            (
                'network_acl/PublicSubnetACL, ingress: "120": {"action": "allow", "protocol": "tcp", '
                '"ports": "1024-65535", "source": "10.0.2.0/24"}'
            )
        ],
    }
    assert broken["path"][-1]["passes"] is False


def test_an_invalid_document_as_json_has_its_problems(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "as-written.json", "-o", "json")
    assert (ran.code, ran.err) == (1, "")
    told = json.loads(ran.out)
    assert told["valid"] is False
    assert [(one["line"], one["column"]) for one in told["problems"]] == [(184, 20), (190, 7), (196, 28)]
    assert set(told["problems"][0]) == {"file", "line", "column", "path", "problem", "hint"}


def test_a_hostile_name_of_an_intent_cannot_speak_to_the_terminal(setpoint: Any, tmp_path: Path) -> None:
    hostile = ("the front door reaches the back end", "x\u001b[2J\nIntents: 8 kept.\u202e")
    for form in ("text", "json"):
        ran = setpoint("validate", edited_example(tmp_path / "h.json", NO_REPLIES, hostile), "-o", form)
        assert ran.code == 1
        assert "\x1b" not in ran.out + ran.err
        assert "\u202e" not in ran.out + ran.err
        assert "Intents: 8 kept." not in ran.out.splitlines()


def test_a_document_without_intents_does_not_load_their_judgement(tmp_path: Path) -> None:
    program = (
        "import sys; from handlers.cli import run_command; run_command(['validate', sys.argv[1]]);"
        "sys.exit(any(name.startswith('reconciler') for name in sys.modules))"
    )
    for example, code in (("minimal", 0), ("test-server", 1)):
        ran = subprocess.run(
            [sys.executable, "-c", program, str(EXAMPLES / f"{example}.json")], capture_output=True, check=False
        )
        assert ran.returncode == code


def test_an_invalid_document_exits_1_with_a_line_for_every_problem(setpoint: Any) -> None:
    ran = setpoint("validate", EXAMPLES / "as-written.json")
    assert ran.code == 1
    assert ran.out == ""
    assert [line.split(": ")[0].rpartition("as-written.json")[2] for line in ran.err.splitlines()] == [
        ":184:20",
        ":190:7",
        ":196:28",
    ]


def test_more_than_the_quota_is_refused_before_it_is_uploaded(
    setpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = json.loads((EXAMPLES / "minimal.json").read_text())
    rules = [{"protocol": "tcp", "ports": port, "source": "10.0.0.0/16"} for port in range(1, 62)]
    written["resources"]["security_group"] = {"web": {"ingress": rules}}
    Path("many.json").write_text(json.dumps(written))
    ran = setpoint("validate", "many.json")
    assert (ran.code, ran.out) == (1, "")
    assert "61 ingress rules for IPv4, the quota (QUOTA_RULES) allows 60" in ran.err
    monkeypatch.setenv("SETPOINT_QUOTA_RULES", "100")
    assert setpoint("validate", "many.json").code == 0


def test_a_mend_says_by_the_quota_of_the_settings_that_there_is_no_room(
    setpoint: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = json.loads((EXAMPLES / "test-server.json").read_text())
    asked = {"name": "health", "from": "internet", "to": "api", "protocol": "tcp", "ports": 8443, "expect": "reachable"}
    Path("asks.json").write_text(json.dumps(written | {"intents": [asked]}))
    full = "that side is full, so something must go first"
    assert full not in setpoint("validate", "asks.json").out
    monkeypatch.setenv("SETPOINT_QUOTA_RULES", "2")
    assert full in setpoint("validate", "asks.json").out


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


def test_operations_as_json_are_those_of_the_registry_and_the_read_of_intents(setpoint: Any) -> None:
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
    assert listed == writes | reads | {("intents", "ec2:DescribeNetworkInterfaces", "read", "none", ())}


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
        ["validate"],
        ["completion", "tcsh"],
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


def test_the_console_script_exits_with_the_commands_code_and_collects_no_garbage() -> None:
    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["validate", str(EXAMPLES / "as-written.json")])
        collecting, frozen = gc.isenabled(), gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.enable()
    assert stopped.value.code == 1
    assert not collecting
    assert frozen


def test_ctrl_c_before_anything_exits_130_with_a_sentence(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_input, "document", _interrupt)
    ran = setpoint("plan", "x.json")
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


def test_an_exception_that_has_ended_is_a_note_and_no_error(setpoint: Any, tmp_path: Path) -> None:
    ended = (
        '"exceptions": [{"address": "vpc/MyVPC", "field": "enable_dns_support", "value": false,'
        ' "until": "2020-01-01", "reason": "x"}], "resources": {'
    )
    document = edited_example(tmp_path / "old.json", ('"resources": {', ended))
    ran = setpoint("validate", document)
    assert (ran.code, ran.err) == (
        0,
        f"{document}: note: the exception for vpc/MyVPC enable_dns_support ended at 2020-01-01 00:00Z; remove it\n",
    )
