"""`setpoint plan` over the laboratory: what it prints, how it exits, what it refuses; it never writes."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ProfileNotFound, SSOTokenLoadError

from handlers import wiring
from lab import StrictAws
from lab.drifts import Network

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
SSH = {("security_group/APIGatewaySG", "ingress")}


@pytest.fixture(autouse=True)
def nothing_is_written(lab: StrictAws) -> Iterator[None]:
    yield
    assert [call.operation for call in lab.calls if call.kind == "write"] == []


def test_a_network_as_declared_exits_0_and_ends_with_one_sentence(setpoint: Any, lab: StrictAws) -> None:
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"Account 123456789012, ap-northeast-2: document test-server, revision 1 ({EXAMPLE})"
    assert lines[-1] == "In sync: 14 resources are as declared; 10 reads, no write."
    assert ran.err == "  reading: 10 calls\n"


_NEEDLESS = (
    *("jinja2", "markupsafe", "rich", "handlers.demo", "handlers.stack", "handlers.history_source"),
    *("reconciler.attempt", "reconciler.cloudtrail", "reconciler.history", "reconciler.importing", "reconciler.ledger"),
    *("reconciler.notify", "reconciler.revision", "reconciler.report.as_json", "reconciler.report.lanes"),
    *("reconciler.report.network", "reconciler.report.receipt", "reconciler.report.revision"),
    *("reconciler.report.page.html", "reconciler.report.page.markdown", "reconciler.report.page.view"),
)


def test_a_calm_plan_imports_nothing_that_only_a_page_a_history_or_a_function_needs(
    setpoint: Any, lab: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needless() -> set[str]:
        return {name for name in sys.modules if f"{name}.".startswith(tuple(f"{one}." for one in _NEEDLESS))}

    for name in needless():
        parent, _, leaf = name.rpartition(".")
        if parent in sys.modules:
            monkeypatch.delattr(sys.modules[parent], leaf, raising=False)
        monkeypatch.delitem(sys.modules, name)
    assert setpoint("plan", EXAMPLE).code == 0
    assert needless() == set()


def test_drift_exits_2_and_is_shown_with_its_sign_and_its_call(
    setpoint: Any, drift: Callable[[str], None], network: Network
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 2
    group = network["security_group/APIGatewaySG"]
    assert (
        f"  ~ security_group/APIGatewaySG ({group})\n"
        '      - ingress: tcp 22 from 0.0.0.0/0 "temporary, for debugging"\n' in ran.out
    )
    assert (
        "The call, with its risk:\n"
        f"  1  traffic  ec2:RevokeSecurityGroupIngress  security_group/APIGatewaySG ({group}): revoke tcp 22 from "
        "0.0.0.0/0\n" in ran.out
    )
    assert ran.out.splitlines()[-1] == "Plan: 1 to remove. Nothing was changed."


def test_the_next_command_is_offered_quoted_with_the_same_options(
    setpoint: Any, drift: Callable[[str], None], tmp_path: Path
) -> None:
    drift("ssh-opened-to-the-world")
    path = tmp_path / "my doc; rm -rf $HOME.json"
    path.write_text(EXAMPLE.read_text())
    ran = setpoint("plan", path, "--only", "security_group/APIGatewaySG", "--downtime", "now", "--no-prune")
    assert ran.err.splitlines()[-1] == (
        f"To apply it: setpoint apply '{path}' --only=security_group/APIGatewaySG --downtime=now --no-prune"
    )


def test_json_is_all_that_stands_on_stdout_and_names_the_drift(
    setpoint: Any, drift: Callable[[str], None], network: Network
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("plan", EXAMPLE, "-o", "json")
    assert ran.code == 2
    told = ran.report()
    assert told["format_version"] == 1
    assert (told["account"], told["region"], told["document"]["name"]) == (
        "123456789012",
        "ap-northeast-2",
        "test-server",
    )
    assert told["in_sync"] is False
    group = network["security_group/APIGatewaySG"]
    assert told["drifted"] == [
        {
            "id": group,
            "address": "security_group/APIGatewaySG",
            "field": "ingress",
            "key": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            "sign": "remove",
            "want": None,
            "have": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0", "description": "temporary, for debugging"},
            "outcome": None,
            "consequence": {
                "severity": "medium",
                "sentence": "TCP 22 can pass between machines of api. From outside the VPC it is stopped "
                "(network_acl/PublicSubnetACL: no entry matches, so the closing * denies).",
                "flows": [
                    {
                        "source": "api",
                        "target": "api",
                        "traffic": "tcp 22",
                        "opened": True,
                        "certain": True,
                        "replies": False,
                    }
                ],
                "stopped_by": "network_acl/PublicSubnetACL: no entry matches, so the closing * denies",
            },
            "severity": "critical",
            "sentence": "security_group/APIGatewaySG lets in tcp 22 from anyone on the internet (0.0.0.0/0), "
            "which is not declared.",
            "reason": None,
            "message": "",
        }
    ]
    assert [(one["number"], one["operation"], one["risk"], one["id"]) for one in told["actions"]] == [
        (1, "ec2:RevokeSecurityGroupIngress", "traffic", group)
    ]
    assert told["counts"]["planned"] == 1
    assert told["counts"]["writes"] == 0


def test_only_narrows_the_plan(setpoint: Any, drift: Callable[[str], None]) -> None:
    drift("ssh-opened-to-the-world")
    drift("tag-changed")
    ran = setpoint("plan", EXAMPLE, "-o", "json", "--only", "vpc/MyVPC")
    assert {(one["address"], one["field"]) for one in ran.report()["drifted"]} == {("vpc/MyVPC", "tags")}
    both = setpoint("plan", EXAMPLE, "-o", "json", "--only", "vpc/MyVPC", "--only", "security_group/APIGatewaySG")
    assert {(one["address"], one["field"]) for one in both.report()["drifted"]} == {("vpc/MyVPC", "tags")} | SSH


def test_what_is_only_reported_is_marked_and_exits_2(setpoint: Any, drift: Callable[[str], None]) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("plan", EXAMPLE, "--mode", "report")
    assert ran.code == 2
    assert "    ! - ingress: tcp 22 from 0.0.0.0/0" in ran.out
    assert "held: this deployment only reports" in ran.out
    assert ran.out.splitlines()[-1] == "Plan: 1 held. Nothing was changed."
    assert "To apply it" not in ran.err


def test_the_environment_sets_the_policy_and_the_option_wins(
    setpoint: Any, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drift("ssh-opened-to-the-world")
    monkeypatch.setenv("SETPOINT_MODE", "report")
    assert setpoint("plan", EXAMPLE, "-o", "json").report()["policy"]["mode"] == "report"
    assert setpoint("plan", EXAMPLE, "-o", "json", "--mode", "correct").report()["policy"]["mode"] == "correct"


def test_a_plan_that_takes_away_too_much_is_held_as_a_whole_with_one_reason(
    setpoint: Any, drift: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")
    drift("intruder-acl-allow")
    ran = setpoint("plan", EXAMPLE, "--max-breaks", "1")
    assert ran.code == 2
    assert ran.out.count("the limit of one run is 1") == 1
    assert "The plan removes or replaces 2 live members." in ran.out
    assert ran.out.splitlines()[-1] == "Plan: 2 held. Nothing was changed."


def test_something_that_cannot_be_looked_at_exits_1(setpoint: Any, lab: StrictAws) -> None:
    lab.faults.refuse("DescribeNetworkAcls")
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 1
    assert "network_acl/PublicSubnetACL" in ran.out
    assert "it could not be read" in ran.out
    assert "Traceback" not in ran.err


def test_another_account_is_refused_before_anything_is_read(
    setpoint: Any, lab: StrictAws, variant: Callable[..., Path]
) -> None:
    scope = {"account_id": "111122223333", "region": "ap-northeast-2"}
    ran = setpoint("plan", variant(scope=scope))
    assert ran.code == 1
    assert ran.err == (
        "this is account 123456789012, the document is for 111122223333; "
        "use --profile with a profile of that account, or correct scope.account_id\n"
    )
    assert [call.operation for call in lab.calls] == ["GetCallerIdentity"]


@pytest.mark.parametrize("way", ["option", "variable"])
def test_another_region_is_refused_before_anything_is_asked(
    setpoint: Any, lab: StrictAws, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    words = ["--region", "us-east-1"] if way == "option" else []
    if way == "variable":
        monkeypatch.setenv("AWS_REGION", "us-east-1")
    ran = setpoint("plan", EXAMPLE, *words)
    assert ran.code == 1
    assert ran.err == (
        "this is region us-east-1, the document is for ap-northeast-2; "
        "use --region ap-northeast-2, or correct scope.region\n"
    )
    assert lab.calls == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoCredentialsError(), "Unable to locate credentials; log in, set AWS_PROFILE or "),
        (SSOTokenLoadError(profile_name="x", error_msg="gone"), "Error loading SSO Token: "),
        (ProfileNotFound(profile="a\x1bb"), "The config profile (a\\x1bb) could not be found; `aws configure"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9/"), "AWS cannot be reached: Could not connect"),
        (ValueError("Invalid endpoint: foo"), "AWS cannot be reached: Invalid endpoint: foo; check"),
    ],
)
def test_what_keeps_us_from_aws_is_told_without_a_traceback(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def refuse(entry: wiring.ConnectionOptions) -> None:
        raise error

    monkeypatch.setattr(wiring, "open_session", refuse)
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 1
    assert ran.err.startswith(told)
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "hint"), [("ExpiredToken", ""), ("InvalidClientTokenId", ", or enable the region ap-northeast-2 for the ")]
)
def test_credentials_that_are_not_taken_may_belong_to_a_region_that_is_not_enabled(
    setpoint: Any, lab: StrictAws, code: str, hint: str
) -> None:
    lab.faults.fail("GetCallerIdentity", code)
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 1
    assert ran.err.startswith("AWS does not accept the credentials: An error occurred")
    assert ("enable the region" in ran.err) is bool(hint)
    assert hint in ran.err


def test_credentials_that_expire_after_the_first_call_are_told_without_a_traceback(
    setpoint: Any, lab: StrictAws
) -> None:
    lab.faults.fail("DescribeVpcs", "ExpiredToken", times=9)
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("the network could not be read: DescribeVpcs: ExpiredToken")
    assert "Traceback" not in ran.err


def test_hostile_names_are_inert_in_the_text(setpoint: Any, lab: StrictAws, network: Network) -> None:
    ec2 = lab.outsider().client("ec2")
    hostile = "\x9b2Jx\nIn sync: all is well.\u202egpj"  # \x9b is ESC [ in one character; XML cannot carry ESC itself
    ec2.create_tags(Resources=[network.vpc_id], Tags=[{"Key": "setpoint:name", "Value": hostile}])
    ec2.create_tags(Resources=[network["subnet/PublicSubnet1"]], Tags=[{"Key": "setpoint:hold", "Value": hostile}])
    ran = setpoint("plan", EXAMPLE)
    assert ran.code == 2
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", ran.out + ran.err) == []
    assert '      ~ tags: setpoint:name = "\\x9b2Jx\\nIn sync: all is well.\\u202egpj" -> MyVPC' in ran.out.splitlines()
    assert not any(line.startswith("In sync") for line in ran.out.splitlines())


def test_a_terminal_gets_colours_unless_told_not_to(
    setpoint: Any, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drift("ssh-opened-to-the-world")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b[31m-\x1b[0m" in setpoint("plan", EXAMPLE).out
    assert "\x1b" not in setpoint("plan", EXAMPLE, "--no-color").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in setpoint("plan", EXAMPLE).out


def test_on_a_terminal_reads_are_one_line_that_is_rewritten(setpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    ran = setpoint("plan", EXAMPLE)
    assert "\r\x1b[2Kreading: 9 calls\r\x1b[2K" in ran.err
    assert "\n" not in ran.err


def test_the_plan_file_is_json_that_a_person_can_read(
    setpoint: Any, drift: Callable[[str], None], tmp_path: Path
) -> None:
    drift("ssh-opened-to-the-world")
    path = tmp_path / "p.json"
    ran = setpoint("plan", EXAMPLE, "--out", path)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == f"To apply it: setpoint apply {EXAMPLE} --plan={path}"
    plan = json.loads(path.read_text())
    assert (plan["file"], plan["format_version"], plan["account"], plan["region"]) == (
        "setpoint plan",
        1,
        "123456789012",
        "ap-northeast-2",
    )
    assert plan["document"]["name"] == "test-server"
    assert re.fullmatch("[0-9a-f]{16}", plan["fingerprint"])
    assert [action["why"] for action in plan["actions"]] == ["revoke tcp 22 from 0.0.0.0/0"]
    assert setpoint("plan", EXAMPLE, "--out", path).code == 2, "a plan file may be written over"


@pytest.mark.parametrize("place", ["document", "directory", "no directory"])
def test_a_plan_is_not_written_over_something_else(setpoint: Any, lab: StrictAws, tmp_path: Path, place: str) -> None:
    document = tmp_path / "d.json"
    document.write_text(EXAMPLE.read_text())
    out = {"document": document, "directory": tmp_path, "no directory": tmp_path / "none" / "p"}[place]
    ran = setpoint("plan", document, "--out", out)
    assert ran.code == 1
    assert ran.err.startswith(f"{out}: ")
    assert document.read_text() == EXAMPLE.read_text()
    assert lab.calls == []


def test_exceptions_are_told_while_they_hold_and_when_they_have_expired(
    setpoint: Any, drift: Callable[[str], None], variant: Callable[..., Path]
) -> None:
    drift("ssh-opened-to-the-world")

    def tolerating(until: str) -> Path:
        rule = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
        one = {"address": "security_group/APIGatewaySG", "field": "ingress", "value": rule}
        return variant(exceptions=[one | {"until": until, "reason": "pen test"}])

    told = '    security_group/APIGatewaySG ingress: tcp 22 from 0.0.0.0/0, until {} 00:00 UTC: "pen test"'
    held = setpoint("plan", tolerating("2999-01-01T00:00:00Z"))
    assert held.code == 0
    assert f"Active exceptions:\n{told.format('2999-01-01')}" in held.out
    assert held.out.splitlines()[-1] == ("In sync: 14 resources are as declared, with 1 exception; 10 reads, no write.")
    expired = setpoint("plan", tolerating("2001-01-01T00:00:00Z"))
    assert expired.code == 2
    assert f"Expired exceptions:\n{told.format('2001-01-01')}" in expired.out
    as_json = setpoint("plan", tolerating("2001-01-01T00:00:00Z"), "-o", "json").report()
    assert as_json["exceptions"] == [
        {
            "address": "security_group/APIGatewaySG",
            "field": "ingress",
            "value": {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"},
            "until": "2001-01-01T00:00:00Z",
            "reason": "pen test",
            "active": False,
        }
    ]


@pytest.mark.parametrize("problem", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EIO])
def test_a_plan_that_cannot_be_written_is_told(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, problem: int, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(Path, "write_text", refuse)
    ran = setpoint("plan", EXAMPLE, "--out", tmp_path / "p.json", "-o", "json")
    assert ran.code == 1
    told = f"{tmp_path / 'p.json'}: cannot be written: {os.strerror(problem)}; check the path"
    assert ran.report()["error"] == {"kind": "plan_file", "message": told, "problems": []}
