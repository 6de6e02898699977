"""Nothing in a policy is there for nothing: without any one statement, condition or bound, a call is decided otherwise.

The mutants are made of the statements themselves, so that a new one is asked about without a line here. The calls are
those of `calls.py` and `probes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.calls import MAY, MAY_NOT, NEW_DATABASE, PRUNE, stack
from tests.support.cfn import listed, template
from tests.support.iam import Target, allowed, applies
from tests.support.probes import ANSWERED, DESTROYS, REFUSED, ROLES

type Statement = Mapping[str, Any]

ALONE: tuple[dict[str, str], ...] = ({"Adopt": "false"}, {"CreateDatabases": "false"})
"""Deployments: what most of them allow twice is allowed once in one of these."""
EVERYTHING: Statement = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
UNNEEDED = {
    # Of a group of subnets nothing says whose it is (its tags are read only if they are declared), so its change is not
    # bound by a tag and covers the tags of a new one. That each statement follows from the registry weighs more.
    "Allow TagSubgrp: all of it",
    "Allow TagSubgrp: Null aws:RequestTag/setpoint:document",
    # AWS says the engine of databases only.
    "Deny NeverAnotherEngine: Resource is *",
}
PROBES: tuple[tuple[str, Target], ...] = (
    *((call, target) for call, targets in (*MAY, *MAY_NOT, *PRUNE, *NEW_DATABASE) for target in targets),
    *((call, target) for call, target, _ in ANSWERED),
    *REFUSED,
    *DESTROYS,
)


def most(role: str, **other: str) -> list[dict[str, Any]]:
    """Every statement of a role, with all that a deployment can allow."""
    given = {
        "Prune": "true",
        "CreateDatabases": "true",
        "MonitoringRole": "setpoint-monitoring",
        "TargetRoleArns": "arn:aws:iam::111122223333:role/setpoint",
    }
    of = "templates/target-role.yaml" if role == "TargetRole" else "template.yaml"
    known = template(of)["Parameters"]
    return allowed(stack(of, **{key: value for key, value in (given | other).items() if key in known}), role)


def may(held: list[dict[str, Any]], call: str, target: Target) -> bool:
    by = {one["Effect"] for one in held if applies(one, call, target)}
    return by == {"Allow"}


@pytest.mark.parametrize("role", ROLES)
def test_each_call_is_allowed_to_those_who_need_it_and_to_nobody_else(role: str) -> None:
    held = most(role)
    assert [one for one in ANSWERED if may(held, *one[:2]) is not (role in one[2])] == []
    # What the denials refuse is not allowed either: of two locks each holds alone.
    allows = [one for one in held if one["Effect"] == "Allow"]
    assert [one for one in ANSWERED if may(allows, *one[:2]) is not (role in one[2])] == []


@pytest.mark.parametrize("role", ["WorkerRole", "InvokeRole", "PlanRole", "TargetRole"])
def test_what_destroys_is_refused_whatever_else_a_role_is_given(role: str) -> None:
    held = [*most(role), dict(EVERYTHING)]
    assert [one for one in (*DESTROYS, *REFUSED) if may(held, *one)] == []
    assert [call for call, target, who in ANSWERED if role in who and not may(held, call, target)] == []


def mutants(one: Statement) -> Iterator[tuple[str, Statement | None]]:
    """The statement taken out, and with each of its bounds left out."""
    yield "all of it", None
    for operator, keys in one.get("Condition", {}).items():
        for key in keys:
            left = {name: wanted for name, wanted in keys.items() if name != key}
            yield f"{operator} {key}", {**one, "Condition": {**one["Condition"], operator: left}}
    name = "Resource" if "Resource" in one else "NotResource"
    bounds = listed(one[name])
    if bounds != ["*"]:
        yield f"{name} is *", {**one, name: "*"}
    for bound in bounds if len(bounds) > 1 else ():
        yield f"{name} without {bound}", {**one, name: [other for other in bounds if other != bound]}
    if one["Effect"] == "Deny" and len(listed(one["Action"])) > 1:
        for action in listed(one["Action"]):
            yield f"without {action}", {**one, "Action": [other for other in listed(one["Action"]) if other != action]}


def _has(held: list[dict[str, Any]], part: str) -> bool:
    return any(part.startswith(f"{one['Effect']} {one['Sid']}: ") for one in held)


def unneeded(held: list[dict[str, Any]]) -> Iterator[str]:
    """The parts of the statements of a role without which every call is decided as before: what is allowed as if
    nothing were denied, and what is denied as if everything were allowed, so that of two locks each is tried alone.
    """
    for one in held:
        others = [other for other in held if other is not one and other["Effect"] == one["Effect"]]
        about = [probe for probe in PROBES if applies({**one, "Resource": "*", "Condition": {}}, *probe)]
        asked = [
            (probe, applies(one, *probe)) for probe in about if not any(applies(other, *probe) for other in others)
        ]
        for part, changed in mutants(one):
            if all(before is bool(changed and applies(changed, *probe)) for probe, before in asked):
                yield f"{one['Effect']} {one['Sid']}: {part}"


@pytest.mark.parametrize("role", ROLES)
def test_every_statement_and_every_bound_of_it_decides_something(role: str) -> None:
    left = set(unneeded(most(role)))
    for world in ALONE:
        if left - UNNEEDED:
            left &= set(unneeded(most(role, **world))) | {part for part in left if not _has(most(role, **world), part)}
    assert left - UNNEEDED == set(), "give tests/support/probes.py a call that each of these decides"
