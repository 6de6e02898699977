"""A call with several settings of one resource: when it is taken apart, in which order, and what is not sent alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.database import DbInstance
from desired_state.fields import AclEntry, RuleKey
from desired_state.members import SecurityGroups
from desired_state.rules import Ingress, IngressEntries
from reconciler.aws.client import AwsError
from reconciler.aws.errors import LOST
from reconciler.engine.apply import ApplyContext, apply
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.writer import SETTING_PAUSES
from reconciler.kinds.db_instance.changes import MODIFY
from reconciler.kinds.db_instance.refused import not_now
from reconciler.kinds.db_instance.settings import SETTINGS, Facts
from reconciler.model import (
    Action,
    ActionResult,
    Difference,
    Ended,
    Observed,
    Operation,
    Phase,
    Reason,
    Ref,
    Risk,
    Snapshot,
)
from reconciler.reach.network import PUBLIC, routes, rules
from tests.support import worlds
from tests.support.worlds import DATABASE, DB, GATEWAY, IN, WEB, document, drifted, seen

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

DOCUMENT = document()
LOOK = seen(DOCUMENT)
WRONG, BUSY = "InvalidParameterCombination", "InvalidDBInstanceState"
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)


@dataclass
class Rds:
    """AWS as a test tells it: the error of each call that has one, by the parameters that it names, in turn."""

    errors: dict[frozenset[str], list[str]] = field(default_factory=dict)
    calls: list[frozenset[str]] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)

    def write(self, operation: Operation, params: Mapping[str, Any], before_resending: Any) -> Mapping[str, Any]:
        named = frozenset(params) - {"DBInstanceIdentifier", "GroupId", "RouteTableId"}
        self.calls.append(named)
        if told := self.errors.get(named):
            raise AwsError(operation.name, told.pop(0), "told so")
        return {}


def done(aws: Rds, *actions: Action, look: Snapshot = LOOK, **needs: Any) -> tuple[ActionResult, ...]:
    plan = Plan((), actions, needs.get("needs", tuple(frozenset() for _ in actions)), (), "f" * 16)
    context = ApplyContext(cast("Aws", aws), aws.naps.append, lambda: None, lambda: LOOK.at, lambda text: None)
    return apply(plan, Gate({}, {}, None, ()), look, DOCUMENT, context)


def modify(*parameters: str, **options: Any) -> Action:
    params = dict.fromkeys(parameters, 1)
    return MODIFY.on(DATABASE, f"set {', '.join(parameters)}", *parameters, params=params, **options)


def of(*names: str) -> frozenset[str]:
    return frozenset(names)


BOTH = modify("A", "B", settings=True, parts=(modify("A"), modify("B")))


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        (BUSY, Ended.WAITING),
        ("RequestLimitExceeded", Ended.WAITING),
        (LOST, Ended.UNKNOWN),
        ("DBInstanceNotFound", Ended.STALE),
        ("ExpiredToken", Ended.FAILED),
    ],
)
def test_a_call_that_was_not_refused_for_what_it_says_is_not_taken_apart(code: str, ended: Ended) -> None:
    aws = Rds({of("A", "B"): [code]})
    assert [one.ended for one in done(aws, BOTH)] == [ended]
    assert aws.calls == [of("A", "B")]


def test_what_was_busy_before_anything_was_accepted_is_not_waited_for() -> None:
    """Somebody else's change may take hours."""
    aws = Rds({of("A", "B"): [WRONG], of("A"): [BUSY] * 9, of("B"): [BUSY] * 9})
    assert {one.ended for one in done(aws, BOTH)} == {Ended.WAITING}
    assert aws.naps == []


def test_what_is_busy_with_our_own_setting_is_waited_for_and_not_for_ever() -> None:
    aws = Rds({of("A", "B"): [WRONG], of("B"): [BUSY] * 99})
    assert [one.ended for one in done(aws, BOTH)] == [Ended.DONE, Ended.WAITING]
    assert aws.naps == list(SETTING_PAUSES)


def test_of_a_call_that_is_skipped_only_what_needs_nothing_else_is_sent() -> None:
    group = MODIFY.on(DATABASE, "set groups", "groups", params={"VpcSecurityGroupIds": [Ref(WEB)]})
    relies = modify("C", after=frozenset({WEB}))
    parts = (modify("A"), group, relies, modify("D", before=frozenset({WEB})))
    failed = REVOKE.on(WEB, "revoke it", params={"GroupId": Ref(WEB), "Rule": 1})
    whole = modify("A", "C", "D", "VpcSecurityGroupIds", settings=True, parts=parts)
    aws = Rds({of("Rule"): ["UnauthorizedOperation"]})
    results = done(aws, failed, whole, needs=(frozenset(), frozenset({0})))
    assert [one.ended for one in results[1:]] == [Ended.DONE, Ended.SKIPPED, Ended.SKIPPED, Ended.SKIPPED]
    assert aws.calls == [of("Rule"), of("A")]


SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
EXPOSED = drifted(LOOK, DB, ingress=Ingress({SSH: ""}))


def test_a_setting_that_alone_would_open_what_all_of_them_would_not_is_not_sent_alone() -> None:
    """Together they replace the groups that let everyone in, so the public address opened nothing."""
    closing = modify("Groups", effect=((rules(DB, "ingress"), SSH, None),))
    opening = modify("PubliclyAccessible", effect=((PUBLIC, DATABASE, True), (routes(IN), "0.0.0.0/0", GATEWAY)))
    effect = (*closing.effect, *opening.effect)
    whole = modify("Groups", "PubliclyAccessible", settings=True, parts=(closing, opening), effect=effect)
    look = drifted(EXPOSED, worlds.INSIDE, ingress=IngressEntries({100: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")}))
    refused = Rds({of("Groups", "PubliclyAccessible"): [WRONG], of("Groups"): [WRONG]})
    results = done(refused, whole, look=look)
    assert [one.ended for one in results] == [Ended.FAILED, Ended.SKIPPED]
    assert results[1].cause
    assert results[1].cause.reason is Reason.WOULD_OPEN
    assert refused.calls == [of("Groups", "PubliclyAccessible"), of("Groups")]
    free = Rds({of("Groups", "PubliclyAccessible"): [WRONG]})
    kept = replace(whole, parts=(replace(closing, operation=REVOKE), opening))
    assert [one.ended for one in done(free, kept, look=look)] == [Ended.DONE, Ended.DONE]


def test_what_closes_is_sent_first_and_what_opens_last() -> None:
    """The parts of the call for a database that is to be public, and is to lose a group."""
    wanted = document()
    instance = wanted.resources[DATABASE].but(publicly_accessible=True, backup_retention_period=9)
    declared = replace(wanted, resources={**wanted.resources, DATABASE: instance})
    look = drifted(seen(wanted), DATABASE, deletion_protection=False, vpc_security_groups=SecurityGroups({DB, WEB}))
    (action,) = [one for one in worlds.plan(declared, look).actions if one.address == DATABASE]
    first, *_, last = action.parts
    assert {name for _, name in first.resolves} == {"vpc_security_groups"}
    assert {name for _, name in last.resolves} == {"publicly_accessible"}
    assert len(action.parts) == 3


STORAGE = {"allocated_storage", "storage_type", "iops", "storage_throughput"}


@pytest.mark.parametrize("field", SETTINGS)
def test_what_the_storage_is_doing_decides_which_settings_wait(field: str) -> None:
    one = Difference(DATABASE, field, None, 1, 0)
    waits = {
        status: bool(not_now(one, Observed("db", DbInstance(), Facts({}, frozenset(), status, "vpc", "vpc"))))
        for status in ("available", "storage-optimization", "storage-full")
    }
    full = field not in STORAGE | {"max_allocated_storage"}
    assert waits == {"available": False, "storage-optimization": field in STORAGE, "storage-full": full}
