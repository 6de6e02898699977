"""The measure of the exact role: what a complete test run called, against what `artefact/permissions.py` allows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.strict_aws import Used
from tests.support.exact_role import allowed, complete, differences, needed

NEEDS = {
    ("ec2", "CreateVpc"): {"ec2:CreateVpc", "ec2:CreateTags"},
    ("s3", "GetObject"): {"s3:GetObject", "s3:GetObjectVersion"},
}
ALLOWED = {"ec2:CreateVpc", "ec2:CreateTags", "s3:GetObject", "s3:GetObjectVersion"}


def made(*calls: str) -> list[Used]:
    """Calls written as `service:operation parameter parameter`."""
    words = [one.replace(":", " ").split() for one in calls]
    return [Used(service, operation, frozenset(params)) for service, operation, *params in words]


def test_calls_and_actions_that_match_are_no_difference() -> None:
    calls = made("ec2:CreateVpc CidrBlock TagSpecifications", "s3:GetObject Bucket", "s3:GetObject Bucket VersionId")
    assert differences(calls, NEEDS, ALLOWED) == []


def test_a_call_that_no_table_knows_is_named_with_what_to_do() -> None:
    calls = made("ec2:CreateVpc TagSpecifications", "s3:GetObject VersionId", "ec2:DeleteVpc VpcId", "ec2:DeleteVpc")
    (told,) = differences(calls, NEEDS, ALLOWED)
    assert told.startswith("ec2:DeleteVpc is called by a test, and no role allows it: add it to the kind")
    assert "outsider()" in told


def test_an_action_that_no_call_uses_is_named_with_what_to_do() -> None:
    (told,) = differences(made("ec2:CreateVpc TagSpecifications", "s3:GetObject VersionId"), NEEDS, ALLOWED | {"x:Y"})
    assert told.startswith("x:Y is allowed, and no test uses it: write the test that needs it, or take it out")


def test_an_action_that_is_used_and_taken_out_of_the_template_is_named() -> None:
    calls = made("ec2:CreateVpc TagSpecifications", "s3:GetObject VersionId")
    (told,) = differences(calls, NEEDS, ALLOWED - {"ec2:CreateTags"})
    assert told.startswith("ec2:CreateTags is used by a test, and no role allows it")


def test_what_a_call_takes_only_with_a_parameter_is_not_used_without_it() -> None:
    told = differences(made("ec2:CreateVpc CidrBlock", "s3:GetObject Bucket"), NEEDS, ALLOWED)
    assert [one.split()[0] for one in told] == ["ec2:CreateTags", "s3:GetObjectVersion"]


def test_whatever_the_tables_need_is_what_the_roles_allow() -> None:
    assert {action for actions in needed().values() for action in actions} == allowed()


OPTIONS = {"keyword": "", "markexpr": " not long", "deselect": None, "ignore": None, "collectonly": False}


@pytest.mark.parametrize(
    ("source", "changed", "whole"),
    [
        (pytest.Config.ArgsSource.TESTPATHS, {}, True),
        (pytest.Config.ArgsSource.TESTPATHS, {"markexpr": "not long and not browser"}, True),
        (pytest.Config.ArgsSource.TESTPATHS, {"keyword": "vpc"}, False),
        (pytest.Config.ArgsSource.TESTPATHS, {"markexpr": "long"}, False),
        (pytest.Config.ArgsSource.TESTPATHS, {"deselect": ["tests/unit"]}, False),
        (pytest.Config.ArgsSource.TESTPATHS, {"lf": True}, False),
        (pytest.Config.ArgsSource.ARGS, {}, False),
    ],
)
def test_only_a_run_of_all_tests_is_compared(source: Any, changed: dict[str, Any], whole: bool) -> None:
    config: Any = SimpleNamespace(args_source=source, option=SimpleNamespace(**{**OPTIONS, **changed}))
    assert complete(config) is whole
