"""`setpoint apply` over the laboratory: approval, plan files, exit codes, and what the world is afterwards."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers import terminal
from lab import StrictAws
from lab.drifts import Network
from lab.faults import Stopped
from lab.strict_aws import Call

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"


def _ports(lab: StrictAws, network: Network) -> list[int]:
    """The ports that the front door lets in, as AWS has them."""
    groups = lab.outsider().client("ec2").describe_security_groups(GroupIds=[network["security_group/APIGatewaySG"]])
    return sorted(rule["FromPort"] for rule in groups["SecurityGroups"][0]["IpPermissions"])


def _writes(lab: StrictAws) -> list[str]:
    return [call.operation for call in lab.calls if call.kind == "write"]


def test_a_packet_that_was_cut_between_two_calls_is_an_exit_code_of_its_own_right(
    setpoint: Any, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sync afterwards, and yet something was not as it should be."""
    drift("ssh-opened-to-the-world")
    flow = {
        "class": "broken",
        "traffic": "tcp 443",
        "from": {"label": "the internet"},
        "to": {"label": "workload api"},
        "verdict": "cut after call 1, although both the state before and the document let it through",
    }
    monkeypatch.setattr("reconciler.report.lanes.lanes", lambda report: {"flows": [flow, flow | {"class": "missing"}]})
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert (ran.code, ran.out.splitlines()[-1][:9]) == (2, "Corrected")
    said = "Between two calls a packet was cut or let through that should not have been: tcp 443 from the internet to "
    assert f"{said}workload api: cut after call 1, although both" in ran.err
    again = setpoint("apply", EXAMPLE, "--auto-approve")  # makes no call, so there is nothing to say
    assert (again.code, "Between two calls" in again.err) == (0, False)


def test_a_vpc_that_a_killed_command_has_just_made_is_found_before_another_one_is_made(
    setpoint: Any, nothing: StrictAws, variant: Callable[..., Path]
) -> None:
    """A terminal remembers nothing, and EC2 shows the VPC a little later: its tags tell, once it does."""
    document = json.loads(EXAMPLE.read_text())
    alone = variant(resources={"vpc": document["resources"]["vpc"]}, intents=[], workloads={})

    def killed(call: Call) -> None:
        raise Stopped(f"after {call.operation}")

    nothing.after_write = killed
    with pytest.raises(Stopped):
        setpoint("apply", alone, "--auto-approve")
    nothing.after_write = None
    nothing.faults.stale("DescribeVpcs", reads=6)
    setpoint("apply", alone, "--auto-approve")
    assert setpoint("apply", alone, "--auto-approve").code == 0
    assert _writes(nothing).count("CreateVpc") == 1


def test_nothing_becomes_the_network_and_a_second_apply_writes_nothing(setpoint: Any, nothing: StrictAws) -> None:
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "--create-databases")
    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "Corrected 13 of 14 differences with 38 writes; 1 waiting."
    assert ran.out.count("; made with the VPC\n") == 3
    assert "! + db_instance/mypostgresqldb" in ran.out.splitlines()
    assert "          waiting: AWS is still creating it" in ran.out.splitlines()
    nothing.settle()
    nothing.calls.clear()
    again = setpoint("apply", EXAMPLE, "--auto-approve", "--create-databases")
    assert again.code == 0
    assert again.out.splitlines()[-1] == "In sync: 14 resources are as declared; 10 reads, no write."
    assert _writes(nothing) == []


def test_a_missing_database_is_not_made_unless_the_deployment_says_so(setpoint: Any, nothing: StrictAws) -> None:
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 2
    assert nothing.outsider().client("rds").describe_db_instances()["DBInstances"] == []
    assert "SETPOINT_CREATE_DATABASES" in ran.out


def test_drift_is_corrected_and_proven_and_exits_0(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 0
    assert '      - ingress: tcp 22 from 0.0.0.0/0 "temporary, for debugging" (corrected)' in ran.out.splitlines()
    assert ran.out.splitlines()[-1] == "Corrected 1 difference with 1 write; the second look is in sync."
    assert ran.err == (
        "  reading: 10 calls\n  security_group/APIGatewaySG: revoke tcp 22 from 0.0.0.0/0\n  reading again: 10 calls\n"
    )
    assert _ports(lab, network) == [80, 443]


def test_a_changed_description_is_put_back_in_place(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None]
) -> None:
    drift("description-changed")
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 0
    assert (
        "      ~ ingress: tcp 5432 from security_group/TestServerSG "
        '"ask Kim before touching" -> "PostgreSQL from the back end" (corrected)'
    ) in ran.out.splitlines()
    assert _writes(lab) == ["UpdateSecurityGroupRuleDescriptionsIngress"]


def test_without_a_terminal_nothing_is_even_read_unless_approved(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drift("ssh-opened-to-the-world")
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    ran = setpoint("apply", EXAMPLE)
    assert ran.code == 1
    assert ran.err == "no terminal to ask for approval; review the plan, then use --auto-approve or --plan FILE\n"
    assert lab.calls == []


def test_on_a_terminal_yes_does_it(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None], answer: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")
    answer("yes\n")
    ran = setpoint("apply", EXAMPLE, "-o", "json", "--no-color")
    assert ran.code == 0
    assert '- ingress: tcp 22 from 0.0.0.0/0 "temporary, for debugging"' in ran.err
    assert ran.report()["drifted"][0]["outcome"] == "corrected"
    assert _ports(lab, network) == [80, 443]


@pytest.mark.parametrize("typed", ["y\n", "YES\n", "\n", "", "yes please\n"])
def test_on_a_terminal_anything_but_yes_changes_nothing(
    setpoint: Any,
    lab: StrictAws,
    network: Network,
    drift: Callable[[str], None],
    answer: Callable[[str], None],
    typed: str,
) -> None:
    drift("ssh-opened-to-the-world")
    answer(typed)
    ran = setpoint("apply", EXAMPLE)
    assert ran.code == 1
    echoed = "" if typed else "\n"  # a terminal shows what is typed, and the end of input has no line break
    assert ran.err.endswith(f"Only `yes` is accepted: {echoed}not approved; nothing was changed\n")
    assert _writes(lab) == []
    assert _ports(lab, network) == [22, 80, 443]


def test_what_is_in_sync_is_not_asked_about(setpoint: Any, lab: StrictAws, answer: Callable[[str], None]) -> None:
    answer("")
    ran = setpoint("apply", EXAMPLE)
    assert ran.code == 0
    assert "yes" not in ran.err


def test_what_changes_between_the_question_and_the_answer_stops_it(
    setpoint: Any,
    lab: StrictAws,
    network: Network,
    drift: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[str], None],
) -> None:
    drift("ssh-opened-to-the-world")
    answer("")

    def slow_yes(*_: object, **__: object) -> bool:
        drift("intruder-acl-allow")
        return True

    monkeypatch.setattr(terminal, "approved", slow_yes)
    ran = setpoint("apply", EXAMPLE)
    assert ran.code == 1
    assert "something has changed since" in ran.err
    assert "nothing was changed; plan again" in ran.err
    assert _writes(lab) == []


def test_only_leaves_the_rest_as_it_is(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")
    drift("tag-changed")
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "--only", "vpc/MyVPC")
    assert ran.code == 0
    assert _writes(lab) == ["CreateTags"]
    assert _ports(lab, network) == [22, 80, 443]


def test_what_is_held_exits_2_and_is_left_as_it_is(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "--mode", "report")
    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "Nothing was changed: 1 held."
    nobody = setpoint("apply", EXAMPLE, "--mode", "report")  # what changes nothing needs no approval
    assert (nobody.code, nobody.out.splitlines()[-1]) == (2, "Plan: 1 held. Nothing was changed.")
    assert _writes(lab) == []
    assert _ports(lab, network) == [22, 80, 443]


def test_a_refused_write_exits_1_and_says_why(setpoint: Any, lab: StrictAws, drift: Callable[[str], None]) -> None:
    drift("ssh-opened-to-the-world")
    lab.faults.refuse("RevokeSecurityGroupIngress")
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 1
    assert "    ! - ingress: tcp 22 from 0.0.0.0/0" in ran.out
    assert "failed: RevokeSecurityGroupIngress: UnauthorizedOperation" in ran.out


def test_ctrl_c_exits_130_and_says_what_was_in_flight_and_the_next_run_goes_on(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None]
) -> None:
    drift("ssh-opened-to-the-world")

    def press(call: object) -> None:
        raise KeyboardInterrupt

    lab.after_write = press
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 130
    assert ran.out == ""
    assert ran.err.splitlines()[-1] == (
        "Interrupted during or after this write: security_group/APIGatewaySG: revoke tcp 22 from 0.0.0.0/0; "
        "whether AWS carried it out is not known; the next run reads the network first and continues from there."
    )
    lab.after_write = None
    assert setpoint("apply", EXAMPLE, "--auto-approve").code == 0
    assert _ports(lab, network) == [80, 443]


def test_ctrl_c_while_looking_says_that_nothing_was_changed(
    setpoint: Any, lab: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reconciler.engine.run.observe", press)
    ran = setpoint("apply", EXAMPLE, "--auto-approve")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "Interrupted while reading: nothing was changed."


# The plan file


@pytest.fixture
def planned(setpoint: Any, drift: Callable[[str], None], tmp_path: Path) -> Path:
    drift("ssh-opened-to-the-world")
    path = tmp_path / "plan.json"
    assert setpoint("plan", EXAMPLE, "--out", path).code == 2
    return path


def test_a_plan_file_is_done_without_a_question(setpoint: Any, lab: StrictAws, network: Network, planned: Path) -> None:
    ran = setpoint("apply", EXAMPLE, "--plan", planned)
    assert ran.code == 0
    assert _ports(lab, network) == [80, 443]


def test_a_plan_file_releases_a_plan_that_takes_away_too_much(
    setpoint: Any, lab: StrictAws, network: Network, planned: Path
) -> None:
    assert setpoint("apply", EXAMPLE, "--auto-approve", "--max-breaks", "0").code == 2
    assert _ports(lab, network) == [22, 80, 443]
    assert setpoint("apply", EXAMPLE, "--plan", planned, "--max-breaks", "0").code == 0
    assert _ports(lab, network) == [80, 443]


def test_a_stale_plan_is_refused(setpoint: Any, lab: StrictAws, planned: Path, drift: Callable[[str], None]) -> None:
    drift("intruder-acl-allow")
    ran = setpoint("apply", EXAMPLE, "--plan", planned)
    assert ran.code == 1
    assert "something has changed since" in ran.err
    assert _writes(lab) == []


def test_the_plan_of_other_bytes_is_refused_before_anything_is_read(
    setpoint: Any, lab: StrictAws, planned: Path, variant: Callable[..., Path]
) -> None:
    lab.calls.clear()
    ran = setpoint("apply", variant(revision=2), "--plan", planned)
    assert ran.code == 1
    assert ran.err.startswith(f"{planned}: the document has changed since the plan, from revision 1, sha256 ")
    assert lab.calls == []


def test_the_plan_of_another_document_is_refused(
    setpoint: Any, lab: StrictAws, planned: Path, variant: Callable[..., Path]
) -> None:
    ran = setpoint("apply", variant(name="other"), "--plan", planned)
    assert ran.code == 1
    assert ran.err == f"{planned}: the plan is for document test-server, this is other\n"
    assert _writes(lab) == []


@pytest.mark.parametrize(("name", "value"), [("account", "111122223333"), ("region", "us-east-1")])
def test_the_plan_of_another_place_is_refused(
    setpoint: Any, lab: StrictAws, planned: Path, name: str, value: str
) -> None:
    planned.write_text(json.dumps(json.loads(planned.read_text()) | {name: value}))
    ran = setpoint("apply", EXAMPLE, "--plan", planned)
    assert ran.code == 1
    assert value in ran.err
    assert "the document is for account 123456789012, ap-northeast-2" in ran.err
    assert _writes(lab) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        "[]",
        "{}",
        "\x1b[2J",
        '{"format_version": 2}',
        EXAMPLE.read_text(),
    ],
)
def test_what_is_no_plan_file_is_refused(setpoint: Any, lab: StrictAws, tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    ran = setpoint("apply", EXAMPLE, "--plan", path)
    assert ran.code == 1
    assert "not a plan file" in ran.err
    assert "\x1b" not in ran.err
    assert lab.calls == []


def test_a_plan_file_without_a_fingerprint_does_not_mean_any_plan(setpoint: Any, lab: StrictAws, planned: Path) -> None:
    planned.write_text(json.dumps(json.loads(planned.read_text()) | {"fingerprint": ""}))
    ran = setpoint("apply", EXAMPLE, "--plan", planned)
    assert ran.code == 1
    assert "not a plan file of this version (fingerprint)" in ran.err
    assert _writes(lab) == []


def test_a_plan_file_that_is_not_there_is_refused(setpoint: Any, tmp_path: Path) -> None:
    ran = setpoint("apply", EXAMPLE, "--plan", tmp_path / "none")
    assert ran.code == 1
    assert "cannot be read: No such file or directory; check the path" in ran.err


def test_a_plan_file_remembers_what_it_was_narrowed_to(
    setpoint: Any, lab: StrictAws, network: Network, drift: Callable[[str], None], tmp_path: Path
) -> None:
    drift("ssh-opened-to-the-world")
    drift("tag-changed")
    path = tmp_path / "plan.json"
    setpoint("plan", EXAMPLE, "--only", "vpc/MyVPC", "--out", path)
    ran = setpoint("apply", EXAMPLE, "--plan", path, "--only", "security_group/APIGatewaySG")
    assert ran.code == 1
    assert ran.err == "--only: the plan file names its own resources; omit --only\n"
    assert setpoint("apply", EXAMPLE, "--plan", path).code == 0
    assert _writes(lab) == ["CreateTags"]
    assert _ports(lab, network) == [22, 80, 443]


@pytest.fixture
def spare(lab: StrictAws, network: Network) -> str:
    """A group of somebody else that carries this document's tags."""
    ec2 = lab.outsider().client("ec2")
    made = ec2.create_security_group(GroupName="Spare", Description="theirs", VpcId=network.vpc_id)["GroupId"]
    tags: Any = [{"Key": "setpoint:document", "Value": "test-server"}, {"Key": "setpoint:name", "Value": "Spare"}]
    ec2.create_tags(Resources=[made], Tags=tags)
    return str(made)


def test_an_approval_in_advance_deletes_nothing_and_names_the_ways(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], spare: str
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "--prune")
    assert ran.code == 2
    assert _writes(lab) == ["RevokeSecurityGroupIngress"]
    (said,) = [line for line in ran.err.splitlines() if line.startswith("--prune: ")]
    assert f"not deleted, because --auto-approve approves no deletion: security_group/Spare ({spare}). " in said
    assert "setpoint apply --plan FILE" in said
    assert "manual invoke" in said
    quiet = setpoint("apply", EXAMPLE, "--auto-approve", "--no-prune")
    assert (quiet.code, "--prune: not" in quiet.err) == (0, False)


def test_a_person_who_has_seen_the_deletion_may_have_it_made(
    setpoint: Any, lab: StrictAws, spare: str, tmp_path: Path, answer: Callable[[str], None]
) -> None:
    plan = tmp_path / "plan.json"
    ran = setpoint("plan", EXAMPLE, "--prune", "--out", plan)
    assert spare in ran.out or "security_group/Spare" in ran.out
    world = lab.save()
    assert setpoint("apply", EXAMPLE, "--plan", plan, "--prune", "--auto-approve").code == 0
    assert _writes(lab) == ["DeleteSecurityGroup"]
    lab.restore(world)
    lab.calls.clear()
    answer("yes\n")
    assert setpoint("apply", EXAMPLE, "--prune").code == 0
    assert _writes(lab) == ["DeleteSecurityGroup"]
