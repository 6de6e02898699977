"""Reports for tests, made by hand: of a small document, with as many drifts as a test wants."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.load import load
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.result import Drift, Report
from reconciler.model import Action, Cause, Difference, Finding, Operation, Outcome, Phase, Policy, Risk

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GROUP = Address("security_group/Web")
VPC = Address("vpc/Main")
WRITTEN = {
    "version": 1,
    "name": "small",
    "revision": 7,
    "scope": {"account_id": "123456789012", "region": "ap-northeast-2"},
    "resources": {
        "vpc": {"Main": {"cidr_block": "10.0.0.0/16"}},
        "security_group": {"Web": {"ingress": [{"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0"}]}},
    },
}
DELETE = Operation("ec2", "DeleteSecurityGroup", Phase.DELETE, Risk.TRAFFIC)


def document(origin: str = "small.json") -> Document:
    return load(json.dumps(WRITTEN).encode(), origin)


def report(*drifts: Drift, **changes: Any) -> Report:
    """The report of a plan (nothing written) with these drifts."""
    nothing = Report(
        document=document(),
        policy=Policy(),
        started=NOW,
        seconds=0.25,
        wrote=False,
        plan=Plan((), (), (), (), "0123456789abcdef"),
        gate=Gate(held={}, deferred={}, plan_held=None, findings=()),
        drifts=drifts,
        action_results=(),
        findings=(),
        excepted=(),
        unmanaged=(),
        reads=9,
        writes=0,
    )
    return replace(nothing, **changes)


def drift(
    field: str,
    key: Any,
    want: Any,
    have: Any,
    outcome: Outcome | None = None,
    cause: Cause | None = None,
    at: str = GROUP,
) -> Drift:
    return Drift(Difference(Address(at), field, key, want, have), outcome, cause)


def whole_plan_held(cause: Cause, *findings: Finding) -> Gate:
    """The gate of a plan of which nothing may be done before a person releases it."""
    return Gate(held={}, deferred={}, plan_held=cause, findings=findings)


def action(
    why: str = "it is ours and no longer declared", at: str = "security_group/Old", breaks: int = 0, **params: Any
) -> Action:
    return DELETE.on(Address(at), why, breaks=breaks, params=params)


def planned(*actions: Action) -> Plan:
    return Plan((), actions, tuple(frozenset() for _ in actions), (), "0123456789abcdef")
