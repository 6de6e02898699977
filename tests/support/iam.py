"""Whether a role of a template may make a call, as IAM decides it: as much of its language as the templates speak."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.support.cfn import Stack, listed, statements

Target = tuple[str, Mapping[str, str]]
"""The ARN of a resource that a call is checked against, and the keys that AWS gives with it."""


def attached(worked: Stack, role: str) -> list[dict[str, Any]]:
    """The managed policies of a role: they name their roles, so that one that is left out leaves no gap."""
    return [one for one in worked.of_type("AWS::IAM::ManagedPolicy").values() if role in one["Roles"]]


def allowed(worked: Stack, role: str) -> list[dict[str, Any]]:
    """Every statement that a role has, of its managed policies and its own."""
    properties = worked.resources[role]["Properties"]
    assert "ManagedPolicyArns" not in properties
    managed = [one["PolicyDocument"] for one in attached(worked, role)]
    own = [one["PolicyDocument"] for one in properties.get("Policies", ())]
    return [one for policy in (*managed, *own) for one in statements(policy)]


def may(worked: Stack, role: str, action: str, *targets: Target) -> bool:
    """Every resource of a call must be allowed by some statement and refused by none."""
    assert targets
    held = allowed(worked, role)
    return all({one["Effect"] for one in held if applies(one, action, target)} == {"Allow"} for target in targets)


def applies(one: Mapping[str, Any], action: str, target: Target) -> bool:
    """Whether a statement is about this call and this resource."""
    arn, keys = target
    return (
        any(fnmatchcase(action, pattern) for pattern in listed(one["Action"]))
        and _meant(arn, one)
        and all(
            _holds(operator, keys.get(key), listed(wanted))
            for operator, given in one.get("Condition", {}).items()
            for key, wanted in given.items()
        )
    )


def _meant(arn: str, one: Mapping[str, Any]) -> bool:
    if "NotResource" in one:
        return not any(_arn_like(arn, pattern) for pattern in listed(one["NotResource"]))
    return any(_arn_like(arn, pattern) for pattern in listed(one["Resource"]))


def _holds(operator: str, value: str | None, wanted: list[str]) -> bool:
    if operator == "Null":
        return wanted == [str(value is None).lower()]
    if value is None and (operator.endswith("IfExists") or "Not" in operator):
        return True  # a negated operator holds where there is no such key (IAM user guide, Condition operators)
    if value is None:
        return False
    match operator.removesuffix("IfExists"):
        case "StringEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted
        case "Bool":
            return value.lower() in wanted
        case "StringLike":
            return any(fnmatchcase(value, one) for one in wanted)
        case "ArnNotLike":
            return not any(_arn_like(value, one) for one in wanted)
        case "ArnLike" | "ArnEquals":
            return any(_arn_like(value, one) for one in wanted)
        case _:
            raise AssertionError(f"{operator} is not decided here")


def _arn_like(arn: str, pattern: str) -> bool:
    """Part by part: a star of one part does not reach into the next."""
    if pattern == "*":
        return True
    owned, theirs = arn.split(":", 5), pattern.split(":", 5)
    return len(owned) == len(theirs) and all(map(fnmatchcase, owned, theirs))
