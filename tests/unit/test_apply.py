"""Carrying out a plan, one call at a time: how each call may end, and what that means for the calls after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.rules import Ingress, IngressEntries
from reconciler.aws.client import AwsError
from reconciler.aws.errors import LOST
from reconciler.engine.apply import ApplyContext, apply
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.writer import CONSISTENCY_PAUSES, tokens_of
from reconciler.model import Action, ActionResult, Cause, Ended, Operation, Phase, Reason, Ref, Risk, Snapshot
from reconciler.model.read import Read
from reconciler.reach.network import routes, rules
from reconciler.reach.steps import Steps
from tests.support import worlds
from tests.support.worlds import (
    APP,
    BACK1,
    DB,
    GATEWAY,
    IN,
    INSIDE,
    OUTSIDE,
    VPC,
    WEB,
    document,
    drifted,
    missing,
    seen,
)

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

DOCUMENT = document()
LOOK = seen(DOCUMENT)

MAKE = Operation("ec2", "CreateSecurityGroup", Phase.CREATE, Risk.REVERSIBLE, yields="GroupId")
MAKE_ONCE = replace(MAKE, takes_token=True)
ALLOW = Operation(
    "ec2",
    "AuthorizeSecurityGroupIngress",
    Phase.BIND,
    Risk.REVERSIBLE,
    already_applied_codes=frozenset({"InvalidPermission.Duplicate"}),
)
REVOKE = Operation(
    "ec2",
    "RevokeSecurityGroupIngress",
    Phase.UNBIND,
    Risk.TRAFFIC,
    already_applied_codes=frozenset({"InvalidPermission.NotFound"}),
)
MOVE = Operation("ec2", "ReplaceNetworkAclAssociation", Phase.BIND, Risk.TRAFFIC, yields="NewAssociationId")


type Told = Mapping[str, Any] | str | Exception


@dataclass
class Script:
    """AWS as a test tells it: for each call, by operation, what comes back; nothing told is an empty answer."""

    answers: dict[str, list[Told]] = field(default_factory=dict)
    shown: list[Any] = field(default_factory=list)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def write(
        self, operation: Operation, params: Mapping[str, Any], before_resending: Callable[[], None] = lambda: None
    ) -> Mapping[str, Any]:
        self.calls.append((operation.name, params))
        queue = self.answers.get(operation.name, [])
        answer = queue.pop(0) if queue else {}
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            raise AwsError(operation.name, answer, "told so")
        return answer

    def read(self, read: Read) -> list[Any]:
        self.reads.append(read)
        return self.shown

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def by_hand(*actions: Action, needs: dict[int, set[int]] | None = None) -> Plan:
    wanted = needs or {}
    return Plan((), actions, tuple(frozenset(wanted.get(index, ())) for index in range(len(actions))), (), "f" * 16)


FREE = Gate({}, {}, None, ())
LOST_LEASE = Cause(Reason.LEASE_LOST, "the lease is lost")
UP = Cause(Reason.OUT_OF_TIME, "no time is left")
HOLD = Cause(Reason.HOLD_TAG, "a setpoint:hold tag holds it")


def done(
    plan: Plan,
    aws: Script,
    look: Snapshot = LOOK,
    gate: Gate = FREE,
    *,
    refused: Cause | None = None,
    age: float = 0,
) -> tuple[ActionResult, ...]:
    context = ApplyContext(
        cast("Aws", aws), aws.naps.append, lambda: refused, lambda: LOOK.at + timedelta(seconds=age), aws.notices.append
    )
    return apply(plan, gate, look, DOCUMENT, context)


def causes(action_results: tuple[ActionResult, ...]) -> list[tuple[Ended, Cause | None]]:
    return [(result.ended, result.cause) for result in action_results]


def ends(action_results: tuple[ActionResult, ...]) -> list[Ended]:
    return [result.ended for result in action_results]


def only(code: str, action: Action | None = None) -> tuple[ActionResult, Script]:
    one = action or ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)})
    aws = Script({one.operation.name: [code] * 9})
    (result,) = done(by_hand(one), aws)
    return result, aws


def test_a_call_is_made_with_ids_in_place_of_references_and_noticed() -> None:
    aws = Script()
    rule = {"UserIdGroupPairs": [{"GroupId": Ref(APP)}]}
    action_results = done(
        by_hand(ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB), "IpPermissions": [rule]})), aws
    )
    web, app = LOOK.handles[Ref(WEB)], LOOK.handles[Ref(APP)]
    assert ends(action_results) == [Ended.DONE]
    assert aws.calls == [
        (
            "AuthorizeSecurityGroupIngress",
            {"GroupId": web, "IpPermissions": [{"UserIdGroupPairs": [{"GroupId": app}]}]},
        )
    ]
    assert aws.notices == ["security_group/APIGatewaySG: allow it"]


@pytest.mark.parametrize(
    ("code", "ended", "reason"),
    [
        ("UnauthorizedOperation", Ended.FAILED, Reason.REFUSED),
        ("InvalidParameterValue", Ended.FAILED, Reason.REFUSED),
        ("RulesPerSecurityGroupLimitExceeded", Ended.FAILED, Reason.REFUSED),
        ("SomethingNobodyListed", Ended.FAILED, Reason.REFUSED),
        ("ExpiredToken", Ended.FAILED, Reason.CREDENTIALS),
        ("RequestLimitExceeded", Ended.WAITING, Reason.THROTTLED),
        ("DependencyViolation", Ended.WAITING, Reason.BUSY),
        ("InvalidDBInstanceStateFault", Ended.WAITING, Reason.BUSY),
        ("InvalidGroup.NotFound", Ended.STALE, Reason.STALE),
        ("InternalError", Ended.UNKNOWN, Reason.ANSWER_LOST),
        ("InvalidPermission.Duplicate", Ended.DONE, None),
    ],
)
def test_an_error_ends_a_call_as_the_table_of_errors_says(code: str, ended: Ended, reason: Reason | None) -> None:
    result, aws = only(code)
    assert result.ended is ended
    assert len(aws.calls) == 1
    assert (result.cause and result.cause.reason) == reason
    assert result.message == ("" if ended is Ended.DONE else f"AuthorizeSecurityGroupIngress: {code}: told so")


@pytest.mark.parametrize("operation", [MAKE, MAKE_ONCE], ids=["without a token", "with one"])
def test_an_answer_without_the_id_of_what_was_made_is_a_lost_one(operation: Operation) -> None:
    aws = Script()
    (result,) = done(by_hand(operation.on(WEB, "make it", gives=Ref(WEB))), aws)
    assert (result.ended, result.cause and result.cause.reason) == (Ended.UNKNOWN, Reason.ANSWER_LOST)
    assert len(aws.calls) == 1


def test_a_token_that_made_something_else_the_look_has_seen_makes_way_for_the_next() -> None:
    aws = Script(
        {MAKE_ONCE.name: ["IdempotentParameterMismatch", {"GroupId": LOOK.handles[Ref(APP)]}, {"GroupId": "n"}]}
    )
    (result,) = done(by_hand(MAKE_ONCE.on(WEB, "make it", gives=Ref(WEB))), aws, missing(LOOK, WEB))
    assert result.ended is Ended.DONE
    tokens = [params["ClientToken"] for _, params in aws.calls]
    assert len(set(tokens)) == len(tokens) == 3


def test_a_token_is_of_the_account_the_document_its_revision_and_the_address() -> None:
    action = MAKE_ONCE.on(WEB, "make it", gives=Ref(WEB))
    scope = DOCUMENT.scope.model_copy(update={"account_id": "999999999999"})
    others = [
        (replace(DOCUMENT, scope=scope), action),
        (replace(DOCUMENT, name="another"), action),
        (replace(DOCUMENT, revision=DOCUMENT.revision + 1), action),
        (DOCUMENT, replace(action, address=APP)),
    ]
    some = [tuple(islice(tokens_of(*one), 3)) for one in [(DOCUMENT, action), *others]]
    assert some[0] == tuple(islice(tokens_of(replace(DOCUMENT), replace(action)), 3))
    tokens = [one for each in some for one in each]
    assert len(set(tokens)) == len(tokens) == 15
    assert all(one.isascii() and len(one) <= 64 for one in tokens)


def test_a_lost_answer_is_neither_done_nor_failed_and_not_sent_again() -> None:
    result, aws = only(LOST)
    assert result.ended is Ended.UNKNOWN
    lost = "AWS's answer was lost: only another look tells whether it was done"
    assert result.cause == Cause(Reason.ANSWER_LOST, lost, LOST)
    assert len(aws.calls) == 1


def batch(*ports: int) -> Action:
    def rules(some: tuple[int, ...]) -> dict[str, Any]:
        return {"GroupId": Ref(WEB), "IpPermissions": [{"FromPort": port} for port in some]}

    parts = tuple(ALLOW.on(WEB, f"allow {port}", params=rules((port,))) for port in ports)
    return ALLOW.on(WEB, "allow all", parts=parts, params=rules(ports))


def ports_of(aws: Script) -> list[list[int]]:
    return [[one["FromPort"] for one in params["IpPermissions"]] for _, params in aws.calls]


def test_a_batch_with_one_duplicate_is_sent_again_rule_by_rule() -> None:
    aws = Script({ALLOW.name: ["InvalidPermission.Duplicate", {}, "InvalidPermission.Duplicate", {}]})
    action_results = done(by_hand(batch(22, 80, 443)), aws)
    assert ends(action_results) == [Ended.DONE]
    assert ports_of(aws) == [[22, 80, 443], [22], [80], [443]]


def test_a_batch_of_which_one_rule_cannot_be_had_has_the_others() -> None:
    aws = Script({ALLOW.name: [LOST, {}, "InvalidGroup.NotFound", "InvalidParameterValue"]})
    (result,) = done(by_hand(batch(22, 80, 443)), aws)
    assert result.ended is Ended.STALE
    assert result.cause == Cause(
        Reason.STALE,
        "AuthorizeSecurityGroupIngress: InvalidGroup.NotFound: told so; "
        "AuthorizeSecurityGroupIngress: InvalidParameterValue: told so",
        "InvalidGroup.NotFound",
    )
    assert ports_of(aws) == [[22, 80, 443], [22], [80], [443]]


def test_a_batch_that_is_forbidden_is_not_taken_apart() -> None:
    aws = Script({ALLOW.name: ["UnauthorizedOperation"]})
    action_results = done(by_hand(batch(22, 80)), aws)
    assert ends(action_results) == [Ended.FAILED]
    assert ports_of(aws) == [[22, 80]]


def test_credentials_that_end_within_a_batch_end_the_run_there() -> None:
    aws = Script({ALLOW.name: [LOST, {}, "ExpiredToken"]})
    action_results = done(by_hand(batch(22, 80, 443), ALLOW.on(DB, "next", params={"GroupId": Ref(DB)})), aws)
    assert ends(action_results) == [Ended.FAILED, Ended.SKIPPED]
    assert [one.cause and one.cause.reason for one in action_results] == [Reason.CREDENTIALS] * 2
    assert ports_of(aws) == [[22, 80, 443], [22], [80]]


def test_an_error_that_says_already_so_counts_for_one_fact_only() -> None:
    result, _ = only("InvalidPermission.NotFound", REVOKE.on(WEB, "revoke it", params={"GroupId": Ref(WEB)}))
    assert result.ended is Ended.DONE
    result, _ = only("InvalidPermission.NotFound", ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}))
    assert result.ended is Ended.STALE


@pytest.mark.parametrize("code", ["InvalidGroup.NotFound", "IncorrectState"])
def test_a_thing_made_a_moment_ago_may_be_unknown_or_pending_for_a_while(code: str) -> None:
    late: list[Told] = [code, code, {}]
    aws = Script({MAKE.name: [{"GroupId": "sg-new"}], ALLOW.name: late})
    look = missing(LOOK, WEB)
    plan = by_hand(
        MAKE.on(WEB, "make it", gives=Ref(WEB)), ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}), needs={1: {0}}
    )
    assert ends(done(plan, aws, look)) == [Ended.DONE, Ended.DONE]
    assert aws.names == [MAKE.name, ALLOW.name, ALLOW.name, ALLOW.name]
    assert aws.calls[-1][1] == {"GroupId": "sg-new"}
    assert aws.naps == [1.0, 2.0]


def test_patience_with_what_was_just_created_ends() -> None:
    aws = Script({MAKE.name: [{"GroupId": "sg-new"}], ALLOW.name: ["InvalidGroup.NotFound"] * 9})
    plan = by_hand(MAKE.on(WEB, "make it", gives=Ref(WEB)), ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}))
    assert ends(done(plan, aws, missing(LOOK, WEB))) == [Ended.DONE, Ended.STALE]
    assert aws.naps == list(CONSISTENCY_PAUSES)


def test_nobody_is_patient_with_what_was_there_before_or_with_another_error() -> None:
    result, aws = only("InvalidGroup.NotFound")
    assert (result.ended, aws.naps, len(aws.calls)) == (Ended.STALE, [], 1)
    script = Script({MAKE.name: [{"GroupId": "sg-new"}], ALLOW.name: ["InvalidParameterValue"]})
    plan = by_hand(MAKE.on(WEB, "make it", gives=Ref(WEB)), ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}))
    assert ends(done(plan, script, missing(LOOK, WEB))) == [Ended.DONE, Ended.FAILED]
    assert script.naps == []


@pytest.mark.parametrize(
    ("code", "named", "ended"),
    [
        ("InvalidNatGatewayID.NotFound", "nat-0a1b2c3d", Ended.WAITING),
        ("InvalidGroup.NotFound", "sg-0a1b2c3d", Ended.WAITING),
        ("InvalidPrefixListId.NotFound", "pl-0a1b2c3d", Ended.WAITING),
        ("InvalidNatGatewayID.NotFound", "pcx-0a1b2c3d", Ended.STALE),
        ("InvalidGroup.NotFound", Ref(APP), Ended.STALE),
    ],
)
def test_what_a_document_names_by_its_id_and_aws_does_not_find_is_told(code: str, named: Any, ended: Ended) -> None:
    """What Setpoint manages itself was there at the last look: then another one tells."""
    params = {"GroupId": Ref(WEB), "IpPermissions": [{"anything": [named]}]}
    result, aws = only(code, ALLOW.on(WEB, "allow it", params=params))
    assert (result.ended, len(aws.calls)) == (ended, 1)
    assert (result.cause and result.cause.reason) == (Reason.STALE if ended is Ended.STALE else Reason.TARGET_GONE)


def test_a_new_association_id_is_used_by_the_next_move() -> None:
    subnet = Ref(BACK1, "network_acl_association")
    first = MOVE.on(INSIDE, "there", gives=subnet, params={"AssociationId": subnet})
    second = MOVE.on(OUTSIDE, "and back", gives=subnet, params={"AssociationId": subnet})
    aws = Script({MOVE.name: [{"NewAssociationId": "aclassoc-2"}, {"NewAssociationId": "aclassoc-3"}]})
    assert ends(done(by_hand(first, second), aws)) == [Ended.DONE, Ended.DONE]
    old = LOOK.handles[subnet]
    assert [params["AssociationId"] for _, params in aws.calls] == [old, "aclassoc-2"]


def test_what_comes_after_something_that_did_not_end_well_is_skipped() -> None:
    aws = Script({ALLOW.name: ["InvalidParameterValue"]})
    plan = by_hand(
        ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}),
        REVOKE.on(DB, "revoke it", params={"GroupId": Ref(DB)}),
        REVOKE.on(APP, "and that", params={"GroupId": Ref(APP)}),
        needs={1: {0}, 2: {1}},
    )
    action_results = done(plan, aws)
    assert ends(action_results) == [Ended.FAILED, Ended.SKIPPED, Ended.SKIPPED]
    assert action_results[1].cause == Cause(Reason.DEPENDENCY, "it depends on: allow it, which did not succeed")
    assert action_results[2].cause == Cause(Reason.DEPENDENCY, "it depends on: revoke it, which is skipped")
    assert aws.names == [ALLOW.name]


def test_where_something_could_not_be_made_nothing_is_taken_away_and_elsewhere_it_is() -> None:
    aws = Script({ALLOW.name: ["InvalidParameterValue"]})
    plan = by_hand(
        ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}),
        REVOKE.on(WEB, "break", params={"GroupId": Ref(WEB)}),
        REVOKE.on(WEB, "close", closes=True, params={"GroupId": Ref(WEB)}),
        REVOKE.on(DB, "break elsewhere", params={"GroupId": Ref(DB)}),
    )
    action_results = done(plan, aws)
    assert ends(action_results) == [Ended.FAILED, Ended.SKIPPED, Ended.DONE, Ended.DONE]
    assert action_results[1].cause == Cause(
        Reason.DEPENDENCY, "nothing is removed where something could not be created"
    )


def test_what_the_gate_holds_or_defers_is_not_done_and_nothing_is_taken_away_there() -> None:
    plan = by_hand(
        ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}),
        REVOKE.on(WEB, "break", params={"GroupId": Ref(WEB)}),
        ALLOW.on(DB, "allow that", params={"GroupId": Ref(DB)}),
    )
    aws = Script()
    later = Cause(Reason.NEXT_RUN, "another run")
    action_results = done(plan, aws, gate=Gate({0: HOLD}, {2: later}, None, ()))
    assert ends(action_results) == [Ended.HELD, Ended.SKIPPED, Ended.SKIPPED]
    assert [one.cause for one in action_results][::2] == [HOLD, later]
    assert aws.calls == []


def test_no_call_is_started_when_there_is_no_time_left() -> None:
    aws = Script()
    action_results = done(by_hand(ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)})), aws, refused=UP)
    assert causes(action_results) == [(Ended.WAITING, UP)]
    assert aws.calls == []


def test_on_an_old_look_things_are_still_made_and_nothing_is_taken_away() -> None:
    aws = Script()
    plan = by_hand(
        ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)}),
        REVOKE.on(DB, "revoke it", params={"GroupId": Ref(DB)}),
        MOVE.on(INSIDE, "move it", breaks=1),
    )
    action_results = done(plan, aws, age=61)
    assert ends(action_results) == [Ended.DONE, Ended.STALE, Ended.STALE]
    assert action_results[1].cause == Cause(Reason.STALE, "the last look is too old to base a removal on")
    assert aws.names == [ALLOW.name]


@pytest.mark.parametrize("code", ["ExpiredToken", "AuthFailure", "NoCredentials"])
def test_without_credentials_nothing_more_is_tried(code: str) -> None:
    aws = Script({ALLOW.name: [code]})
    plan = by_hand(*(ALLOW.on(at, "allow it", params={"GroupId": Ref(at)}) for at in (WEB, APP, DB)))
    action_results = done(plan, aws)
    assert ends(action_results) == [Ended.FAILED, Ended.SKIPPED, Ended.SKIPPED]
    expired = Cause(Reason.CREDENTIALS, f"AuthorizeSecurityGroupIngress: {code}: told so", code)
    assert [one.cause for one in action_results] == [expired] * 3
    assert len(aws.calls) == 1


def test_a_failure_stops_nothing_that_does_not_depend_on_it() -> None:
    aws = Script({ALLOW.name: ["UnauthorizedOperation", {}]})
    plan = by_hand(*(ALLOW.on(at, "allow it", params={"GroupId": Ref(at)}) for at in (WEB, APP)))
    assert ends(done(plan, aws)) == [Ended.FAILED, Ended.DONE]


CHANGED = drifted(
    LOOK,
    DB,
    ingress=Ingress({RuleKey("tcp", 5433, 5433, APP): ""}),
)
CHANGED_2 = drifted(
    LOOK,
    WEB,
    ingress=Ingress(
        {
            RuleKey("tcp", 80, 80, "203.0.113.0/24"): "",
            RuleKey("tcp", 443, 443, "0.0.0.0/0"): "HTTPS from anywhere",
        }
    ),
)


def shown_rule(peer: str, port: int, rule_id: str) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule_id,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "CidrIpv4": peer,
    }


def test_the_id_of_a_rule_is_looked_up_when_it_is_needed() -> None:
    plan = worlds.plan(DOCUMENT, CHANGED_2)
    assert [action.operation.name for action in plan.actions] == ["ModifySecurityGroupRules"]
    aws = Script(shown=[shown_rule("203.0.113.0/24", 80, "sgr-80"), shown_rule("0.0.0.0/0", 443, "sgr-443")])
    assert ends(done(plan, aws, CHANGED_2)) == [Ended.DONE]
    assert [look.operation for look in aws.reads] == ["DescribeSecurityGroupRules"]
    assert LOOK.handles[Ref(WEB)] in aws.reads[0].params
    assert [one["SecurityGroupRuleId"] for one in aws.calls[0][1]["SecurityGroupRules"]] == ["sgr-80"]


def test_a_rule_that_is_gone_meanwhile_means_that_the_world_has_changed() -> None:
    aws = Script(shown=[shown_rule("0.0.0.0/0", 443, "sgr-443")])
    (result,) = done(worlds.plan(DOCUMENT, CHANGED_2), aws, CHANGED_2)
    assert result.ended is Ended.STALE
    assert result.cause == Cause(
        Reason.STALE,
        "<security_group/APIGatewaySG ingress tcp 80 203.0.113.0/24> no longer exists: "
        "something has changed since the last look",
    )
    assert aws.calls == []


def test_a_rule_that_protects_nothing_is_replaced_without_looking_for_its_id() -> None:
    plan = worlds.plan(DOCUMENT, CHANGED)
    aws = Script()
    assert set(ends(done(plan, aws, CHANGED))) == {Ended.DONE}
    assert aws.names == ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"]
    assert aws.reads == []


def test_everything_from_nothing_uses_the_ids_as_they_come() -> None:
    declared = worlds.of_groups(web={"ingress": [{"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0"}]})
    look = seen(declared, only=[])
    aws = Script({"CreateVpc": [{"Vpc": {"VpcId": "vpc-new"}}], "CreateSecurityGroup": [{"GroupId": "sg-new"}]})
    context = ApplyContext(cast("Aws", aws), aws.naps.append, lambda: None, lambda: LOOK.at, aws.notices.append)
    plan = worlds.plan(declared, look)
    assert set(ends(apply(plan, FREE, look, declared, context))) == {Ended.DONE}
    assert aws.names == ["CreateVpc", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"]
    assert aws.calls[1][1]["VpcId"] == "vpc-new"
    assert aws.calls[2][1]["GroupId"] == "sg-new"


def test_a_failed_make_leaves_its_children_and_its_siblings_are_made() -> None:
    declared = worlds.of_groups(web={"ingress": []}, app={"ingress": []})
    look = seen(declared, only=[VPC])
    plan = worlds.plan(declared, look)
    assert [action.address.name for action in plan.actions] == ["app", "web"]
    aws = Script({"CreateSecurityGroup": ["SecurityGroupLimitExceeded", {"GroupId": "sg-web"}]})
    context = ApplyContext(cast("Aws", aws), aws.naps.append, lambda: None, lambda: LOOK.at, aws.notices.append)
    assert ends(apply(plan, FREE, look, declared, context)) == [Ended.FAILED, Ended.DONE]


OPEN_ROUTE = Operation("ec2", "CreateRoute", Phase.BIND, Risk.REVERSIBLE, affects_traffic=True)
SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
EXPOSED = drifted(
    drifted(LOOK, DB, ingress=Ingress({SSH: ""})),
    INSIDE,
    ingress=IngressEntries({100: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")}),
)
"""A database's group lets in from everywhere, which no route makes possible yet."""
CLOSE = REVOKE.on(
    DB, "revoke it", closes=True, breaks=1, params={"GroupId": Ref(DB)}, effect=((rules(DB, "ingress"), SSH, None),)
)
OPEN = OPEN_ROUTE.on(IN, "open it", params={"RouteTableId": Ref(IN)}, effect=((routes(IN), "0.0.0.0/0", GATEWAY),))
OTHER = ALLOW.on(WEB, "allow it", params={"GroupId": Ref(WEB)})


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation", LOST])
def test_no_way_is_opened_to_what_may_not_have_been_closed(code: str) -> None:
    action_results = done(by_hand(CLOSE, OPEN, OTHER), Script({REVOKE.name: [code] * 9}), EXPOSED)
    assert ends(action_results)[1:] == [Ended.SKIPPED, Ended.DONE]
    assert action_results[1].cause == Cause(
        Reason.WOULD_OPEN,
        f"it would let through tcp 22 from 0.0.0.0 for {DB} in subnet/PrivateSubnet1, "
        "because not everything before it was done, or is in force yet",
    )


def test_what_was_closed_lets_the_way_be_opened() -> None:
    assert ends(done(by_hand(CLOSE, OPEN), Script(), EXPOSED)) == [Ended.DONE, Ended.DONE]


def test_what_is_in_force_later_opens_nothing_now() -> None:
    later = replace(CLOSE, operation=replace(CLOSE.operation, takes_effect_later=True))
    assert ends(done(by_hand(later, OPEN), Script(), EXPOSED)) == [Ended.DONE, Ended.SKIPPED]


def test_a_batch_that_was_done_in_part_counts_for_what_was_done() -> None:
    other = RuleKey("tcp", 23, 23, "0.0.0.0/0")
    look = drifted(EXPOSED, DB, ingress=Ingress({SSH: "", other: ""}))
    parts = tuple(
        REVOKE.on(DB, str(key), params={"GroupId": Ref(DB)}, effect=((rules(DB, "ingress"), key, None),))
        for key in (SSH, other)
    )
    batch = replace(CLOSE, parts=parts, effect=tuple(effect for part in parts for effect in part.effect))
    refused: list[Told] = ["InvalidPermission.NotFound", {}, "UnauthorizedOperation"]
    first, second = done(by_hand(batch, OPEN), Script({REVOKE.name: refused}), look)
    assert (first.ended, second.ended) == (Ended.FAILED, Ended.SKIPPED)
    assert second.cause
    assert "tcp 23" in second.cause.message


def test_what_is_held_on_purpose_keeps_no_other_way_shut() -> None:
    action_results = done(by_hand(CLOSE, OPEN), Script(), EXPOSED, gate=Gate({0: HOLD}, {}, None, ()))
    assert ends(action_results) == [Ended.HELD, Ended.DONE]


def test_an_address_is_not_an_id() -> None:
    ghost = Ref(Address("security_group/ghost"))
    aws = Script()
    (result,) = done(by_hand(ALLOW.on(WEB, "allow it", params={"GroupId": ghost})), aws)
    gone = Cause(Reason.STALE, "<security_group/ghost> no longer exists: something has changed since the last look")
    assert (result.ended, result.cause) == (Ended.STALE, gone)
    assert aws.calls == []


def asked(plan: Plan, aws: Script, *answers: Cause | None) -> tuple[tuple[ActionResult, ...], list[int]]:
    """The results where `may_start` gives these answers in turn, and how many calls were made each time it was asked.

    It is asked no further than there are answers.
    """
    left, seen = list(answers), list[int]()

    def may_start() -> Cause | None:
        seen.append(len(aws.calls))
        return left.pop(0)

    context = ApplyContext(cast("Aws", aws), aws.naps.append, may_start, lambda: LOOK.at, aws.notices.append)
    return apply(plan, FREE, LOOK, DOCUMENT, context), seen


def test_permission_is_asked_once_before_each_write() -> None:
    aws = Script()
    plan = by_hand(*(ALLOW.on(at, "allow it", params={"GroupId": Ref(at)}) for at in (WEB, APP, DB)))
    action_results, seen = asked(plan, aws, None, None, None)
    assert (ends(action_results), seen) == ([Ended.DONE] * 3, [0, 1, 2])


def test_after_a_lost_lease_nothing_is_written_or_asked_any_more_and_all_the_rest_waits() -> None:
    aws = Script()
    plan = by_hand(*(ALLOW.on(at, "allow it", params={"GroupId": Ref(at)}) for at in (WEB, APP, DB)))
    action_results, seen = asked(plan, aws, None, LOST_LEASE)
    assert causes(action_results) == [
        (Ended.DONE, None),
        (Ended.WAITING, LOST_LEASE),
        (Ended.WAITING, LOST_LEASE),
    ]
    assert (len(aws.calls), seen, len(aws.notices)) == (1, [0, 1], 1)


def test_each_part_of_a_batch_needs_permission_of_its_own() -> None:
    parts = tuple(ALLOW.on(WEB, f"allow {port}", params={"GroupId": Ref(WEB), "FromPort": port}) for port in (1, 2, 3))
    aws = Script({ALLOW.name: ["InvalidPermission.Duplicate"]})
    batch = ALLOW.on(WEB, "allow them", parts=parts, params={"GroupId": Ref(WEB)})
    action_results, seen = asked(
        by_hand(batch, ALLOW.on(DB, "allow that", params={"GroupId": Ref(DB)})), aws, None, None, UP
    )
    assert causes(action_results) == [(Ended.WAITING, UP)] * 2
    assert [params.get("FromPort") for _, params in aws.calls] == [None, 1]
    assert seen == [0, 1, 2]


def test_patience_with_what_was_just_created_asks_again_after_each_pause() -> None:
    aws = Script({MAKE.name: [{"GroupId": "sg-1"}], ALLOW.name: ["InvalidGroup.NotFound"] * 9})
    made = Ref(Address("security_group/New"))
    plan = by_hand(MAKE.on(made.to, "make it", gives=made), ALLOW.on(made.to, "allow it", params={"GroupId": made}))
    action_results, seen = asked(plan, aws, None, None, None, LOST_LEASE)
    assert causes(action_results) == [
        (Ended.DONE, None),
        (Ended.WAITING, LOST_LEASE),
    ]
    assert (aws.names, seen, aws.naps) == ([MAKE.name, ALLOW.name, ALLOW.name], [0, 1, 2, 3], [1.0, 2.0])


def test_what_cannot_be_sent_asks_no_permission() -> None:
    aws = Script()
    gone = ALLOW.on(WEB, "allow it", params={"GroupId": Ref(Address("security_group/Gone"))})
    action_results, seen = asked(by_hand(gone), aws)
    assert (ends(action_results), seen) == ([Ended.STALE], [])


def test_a_call_at_whose_answer_setpoint_fails_may_have_been_made_and_the_others_are() -> None:
    results = done(by_hand(OTHER, CLOSE), Script({ALLOW.name: [ZeroDivisionError()]}), EXPOSED)
    assert ends(results) == [Ended.UNKNOWN, Ended.DONE]
    assert results[0].cause
    assert results[0].cause.reason is Reason.FAULT
    assert ends(done(by_hand(CLOSE, OPEN), Script({REVOKE.name: [ZeroDivisionError()]}), EXPOSED)) == [
        Ended.UNKNOWN,
        Ended.SKIPPED,
    ]


def test_a_call_that_setpoint_cannot_even_send_has_failed_and_the_others_are_made() -> None:
    odd = replace(OTHER, params={"GroupId": Odd()})
    assert ends(done(by_hand(odd, CLOSE), Script(), EXPOSED)) == [Ended.FAILED, Ended.DONE]


class Odd(list[Any]):
    """Parameters that nobody can read."""

    def __iter__(self) -> Any:
        raise ZeroDivisionError


def test_what_cannot_be_judged_is_not_sent_and_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Steps, "breach", fails)
    script = Script({REVOKE.name: ["UnauthorizedOperation"]})
    results = done(by_hand(CLOSE, OPEN, OTHER), script, EXPOSED)
    assert ends(results) == [Ended.FAILED, Ended.SKIPPED, Ended.DONE]
    assert results[1].cause
    assert results[1].cause.reason is Reason.FAULT


def test_what_raises_outside_of_a_call_ends_the_run() -> None:
    def fails() -> Any:
        raise ZeroDivisionError

    context = ApplyContext(cast("Aws", Script()), lambda seconds: None, fails, lambda: LOOK.at, lambda text: None)
    with pytest.raises(ZeroDivisionError):
        apply(by_hand(OTHER), FREE, LOOK, DOCUMENT, context)
