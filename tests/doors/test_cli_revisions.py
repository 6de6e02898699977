"""The terminal and a new version: what it means, compared with the one before, and what a plan opens next to the live
network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import StrictAws

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
SSH = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
OPENS = "tcp 22 from the internet can reach api"


@pytest.fixture
def opens_ssh(variant: Callable[..., Path]) -> Path:
    """The example, with SSH from anywhere to the front door, and without the intent that forbids it."""
    document = json.loads(EXAMPLE.read_text())
    resources = document["resources"]
    resources["security_group"]["APIGatewaySG"]["ingress"].append(SSH)
    resources["network_acl"]["PublicSubnetACL"]["ingress"]["90"] = {"action": "allow", **SSH}
    intents = [one for one in document["intents"] if one["expect"] != "only"]
    return variant(revision=2, resources=resources, intents=intents, file="opens-ssh.json")


def writes(lab: StrictAws) -> list[str]:
    return [call.operation for call in lab.calls if call.kind == "write"]


# Two versions


def test_validate_shows_what_a_version_changes_and_refuses_what_would_be_held(setpoint: Any, opens_ssh: Path) -> None:
    ran = setpoint("validate", opens_ssh, "--against", EXAMPLE)
    assert ran.code == 1
    told = ran.out[ran.out.index("Revision 2, compared with revision 1:") :].splitlines()
    assert told[1] == f"  CRITICAL {OPENS}"
    assert "  HIGH     no longer guarded: the intent 'from outside only the front door' is dropped: " in ran.out
    assert told[-2].startswith("It would be held until a person approves it, by the fingerprint ")
    assert told[-1] == f"  {OPENS}"


def test_validate_lets_pass_what_no_deployment_holds(
    setpoint: Any, opens_ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = setpoint("validate", opens_ssh, "--against", EXAMPLE, "--no-hold-exposures")
    assert (ran.code, OPENS in ran.out) == (0, True)
    assert "It would be held if HOLD_EXPOSURES were on:" in ran.out.splitlines()
    monkeypatch.setenv("SETPOINT_HOLD_EXPOSURES", "0")
    assert setpoint("validate", opens_ssh, "--against", EXAMPLE).code == 0
    assert setpoint("validate", opens_ssh, "--against", EXAMPLE, "--hold-exposures").code == 1


def test_validate_says_it_in_json(setpoint: Any, opens_ssh: Path) -> None:
    ran = setpoint("validate", opens_ssh, "--against", EXAMPLE, "-o", "json")
    change = ran.report()["revision_change"]
    assert (ran.code, change["held"], change["before"], change["severity"]) == (1, True, 1, "critical")
    assert change["holds"] == [{"reason": "exposes", "message": OPENS}]
    assert {one["message"] for one in change["flows"] if one["opened"]} >= {OPENS}


def test_validate_without_a_version_before_is_as_it_was(setpoint: Any, opens_ssh: Path) -> None:
    ran = setpoint("validate", opens_ssh)
    assert (ran.code, "compared with" in ran.out) == (0, False)


def test_a_version_that_changes_nothing_is_told_in_one_line(setpoint: Any, variant: Callable[..., Path]) -> None:
    ran = setpoint("validate", variant(revision=2), "--against", EXAMPLE)
    assert ran.code == 0
    assert ran.out.splitlines()[-2:] == ["Revision 2, compared with revision 1:", "  changes nothing in meaning"]


def test_versions_of_two_documents_are_not_compared(setpoint: Any, variant: Callable[..., Path]) -> None:
    other = variant(name="another", file="another.json")
    for command in ("validate", "plan"):
        ran = setpoint(command, other, "--against", EXAMPLE)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            f"--against: {EXAMPLE} is the document test-server, and {other} the document another; "
            "name a version of the same document\n"
        )


def test_a_version_before_that_does_not_load_is_named_with_its_place(
    setpoint: Any, variant: Callable[..., Path]
) -> None:
    broken = variant(revision=0, file="broken.json")
    ran = setpoint("validate", EXAMPLE, "--against", broken)
    assert (ran.code, ran.err.startswith(f"{broken}:1:")) == (1, True)


def test_plan_shows_it_before_the_plan(setpoint: Any, lab: StrictAws, opens_ssh: Path) -> None:
    ran = setpoint("plan", opens_ssh, "--against", EXAMPLE)
    assert ran.code == 2
    assert ran.out.startswith("Revision 2, compared with revision 1:\n  CRITICAL ")
    assert "\n\nAccount 123456789012, ap-northeast-2: document test-server, revision 2" in ran.out
    assert setpoint("plan", opens_ssh, "--against", EXAMPLE, "-o", "json").report()["revision_change"]["held"] is True


# A plan next to the live network


def test_auto_approve_alone_does_not_open_the_network(setpoint: Any, lab: StrictAws, opens_ssh: Path) -> None:
    ran = setpoint("apply", opens_ssh, "--auto-approve")
    assert (ran.code, writes(lab)) == (2, [])
    assert f"  CRITICAL {OPENS}" in ran.out.splitlines()
    assert (
        "the plan newly lets the internet reach a database or a management port: review it, then release it with "
        "setpoint plan --out FILE and setpoint apply --plan FILE, or allow it with --no-hold-exposures" in ran.out
    )
    assert setpoint("apply", opens_ssh, "--auto-approve", "-o", "json").report()["openings"][0]["traffic"] == "tcp 22"
    ran = setpoint("apply", opens_ssh, "--auto-approve", "--no-hold-exposures")
    assert (ran.code, len(writes(lab))) == (0, 2)


def test_a_reviewed_plan_opens_the_network(setpoint: Any, lab: StrictAws, opens_ssh: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    ran = setpoint("plan", opens_ssh, "--out", plan)
    assert (ran.code, f"  CRITICAL {OPENS}" in ran.out.splitlines()) == (2, True)
    assert setpoint("apply", opens_ssh, "--plan", plan).code == 0
    assert len(writes(lab)) == 2


def test_on_a_terminal_the_question_says_that_the_plan_opens_the_network(
    setpoint: Any, lab: StrictAws, opens_ssh: Path, answer: Callable[[str], None]
) -> None:
    question = "This plan newly opens the network, as said above. Apply it all the same? Only `yes` is accepted: "
    for typed, code, number in (("no\n", 1, 0), ("yes\n", 0, 2)):
        answer(typed)
        ran = setpoint("apply", opens_ssh)
        assert (ran.code, len(writes(lab))) == (code, number)
        assert f"CRITICAL {OPENS}" in ran.err.replace("\x1b[31m", "").replace("\x1b[0m", "")
        assert question in ran.err


def test_a_plan_that_opens_nothing_new_is_not_held(setpoint: Any, lab: StrictAws, opens_ssh: Path) -> None:
    assert setpoint("apply", opens_ssh, "--auto-approve", "--no-hold-exposures").code == 0
    lab.calls.clear()
    document = json.loads(opens_ssh.read_text())
    document["resources"]["security_group"]["APIGatewaySG"]["ingress"].append(SSH | {"ports": 8443})
    opens_ssh.write_text(json.dumps(document))
    ran = setpoint("apply", opens_ssh, "--auto-approve")
    assert (ran.code, len(writes(lab))) == (0, 1)
