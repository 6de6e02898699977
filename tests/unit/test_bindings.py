"""Which documents may be for which accounts and VPCs, by the bindings of the deployment."""

from __future__ import annotations

from itertools import product

import pytest

from handlers.bindings import Binding, binding_problem
from handlers.settings import SettingsError, deployment

OURS, THEIRS, ELSEWHERE = "111122223333", "999999999999", "123456789012"
OUR_VPC, OTHER_VPC = "vpc-0123456789abcdef0", "vpc-0fedcba9876543210"
STACK = {
    "SETPOINT_BUCKET": "setpoint-documents",
    "SETPOINT_TABLE": "setpoint",
    "SETPOINT_QUEUE_URL": "https://sqs.ap-northeast-2.amazonaws.com/123456789012/setpoint",
    "SETPOINT_OWN_ROLES": "arn:aws:iam::123456789012:role/setpoint-worker",
}
WRITTEN = f"team-a={OURS}/{OUR_VPC}, team-b-*={THEIRS}"


def read(text: str) -> tuple[Binding, ...]:
    return deployment(STACK | {"SETPOINT_BINDINGS": text}).bindings


def test_bindings_are_read_as_they_are_written() -> None:
    assert read(WRITTEN) == (Binding("team-a", OURS, OUR_VPC), Binding("team-b-*", THEIRS))
    assert read("") == ()


@pytest.mark.parametrize(
    "text",
    [
        ",",
        " ",
        f"team-a={OURS},",
        "team-a",
        "team-a=",
        f"={OURS}",
        "team-a=11112222333",
        f"team-a={OURS}/",
        f"team-a={OURS}/*",
        f"team-a={OURS}/subnet-0123456789abcdef0",
        f"team-a={OURS}/{OUR_VPC}/x",
        f"team-a={OURS}/{OUR_VPC.upper()}",
        f"Team-A={OURS}",
        f"team_a={OURS}",
        f"team-[ab]={OURS}",
        f"team-?={OURS}",
        f"team-a = {OURS}",
        f"team-a={OURS};team-b={THEIRS}",
        f"team-a={OURS}\nteam-b={THEIRS}",
        f"team-a={OURS}\n/{OUR_VPC}",
        "team-a=１１１１２２２２３３３３",
    ],
)
def test_what_is_not_a_binding_is_refused_and_never_counts_as_none(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(text)
    (line,) = str(error.value).splitlines()
    assert line.startswith("SETPOINT_BINDINGS: ")
    assert "is not valid; write <document>=<account> or <document>=<account>/<vpc id>, separated by commas" in line


@pytest.mark.parametrize(
    ("name", "account", "vpc_id", "told"),
    [
        ("team-a", OURS, OUR_VPC, ""),
        ("team-a", OURS, None, ""),  # the run finds out
        ("team-a", OURS, OTHER_VPC, f"scope.vpc_id: its VPC is {OTHER_VPC}, but by the stack's parameter Bindings, "),
        ("team-a", OURS, "", "scope.vpc_id: its VPC was not found, but by the stack's parameter Bindings, team-a may "),
        ("team-a", THEIRS, OUR_VPC, "scope.account_id: by the stack's parameter Bindings, team-a may only be for 1111"),
        ("team-b-1", THEIRS, OTHER_VPC, ""),
        ("team-b-1", THEIRS, "", ""),
        ("team-b-1", OURS, OUR_VPC, "scope.account_id: by the stack's parameter Bindings, team-b-1 may only be for 99"),
        (
            "team-b",
            THEIRS,
            None,
            "name: the stack's parameter Bindings has no binding for a document named team-b; add",
        ),
        (
            "team-a-2",
            OURS,
            OUR_VPC,
            "name: the stack's parameter Bindings has no binding for a document named team-a-2",
        ),
    ],
)
def test_what_a_name_may_be_for(name: str, account: str, vpc_id: str | None, told: str) -> None:
    problem = binding_problem(read(WRITTEN), name, account, vpc_id)
    assert problem.startswith(told)
    assert bool(problem) is bool(told)


def test_without_bindings_every_name_may_be_for_everything() -> None:
    assert binding_problem((), "team-b", OURS, OUR_VPC) == ""


def test_exactly_what_some_binding_says_is_allowed() -> None:
    names, accounts, vpcs = ("team-a", "team-b", "x"), (OURS, THEIRS), (OUR_VPC, OTHER_VPC)
    one_each = [f"{n}={a}{v}" for n, a, v in product(names, accounts, ("", *(f"/{vpc}" for vpc in vpcs)))]
    for written in product(one_each, repeat=2):
        bindings = read(",".join(written))
        for name, account, vpc in product(names, accounts, vpcs):
            allowed = {f"{name}={account}", f"{name}={account}/{vpc}"} & set(written)
            assert bool(binding_problem(bindings, name, account, vpc)) is not bool(allowed)
