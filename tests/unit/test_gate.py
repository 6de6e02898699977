"""What of a plan may be done now: each reason to hold an action, and what is held together with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address, RuleKey
from desired_state.members import Tags
from desired_state.rules import Egress, Ingress, Routes
from reconciler.engine.gate import Gate, Limits, gate, owned_members, seen_holds
from reconciler.engine.plan import Plan
from reconciler.model import Action, Cause, Operation, Outcome, Phase, Policy, Reason, Ref, Risk, Snapshot, Unmanaged
from reconciler.reach.steps import Steps
from tests.support.worlds import (
    BACK1,
    DATABASE,
    DB,
    FRONT,
    GATEWAY,
    MORNING,
    OUT,
    OUTSIDE,
    VPC,
    WEB,
    beside,
    document,
    drifted,
    missing,
    of_groups,
    plan,
    seen,
)

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
DOCUMENT = document()
LOOK = seen(DOCUMENT)
OPEN = drifted(LOOK, WEB, ingress=Ingress({**DOCUMENT.resources[WEB].ingress, SSH: ""}))  # type: ignore[attr-defined]
HOLD = "setpoint:hold"


def judged(
    look: Snapshot, policy: Policy | None = None, declared: Document = DOCUMENT, approved: str = ""
) -> tuple[Plan, Gate]:
    allowed = policy or Policy()
    found = plan(declared, look, allowed)
    return found, gate(found, declared, look, allowed, MORNING, approved=approved)


def causes(look: Snapshot, policy: Policy | None = None, declared: Document = DOCUMENT) -> list[Cause | None]:
    """Why each action of the plan is held; None: it is not."""
    found, gated = judged(look, policy, declared)
    return [gated.held.get(index) for index in range(len(found.actions))]


def hold(until: str) -> Cause:
    return Cause(Reason.HOLD_TAG, f"a setpoint:hold tag holds it until {until}")


def reported(address: Address) -> Cause:
    return Cause(Reason.REPORT_ONLY, f"the document sets enforcement to report for {address}")


def tagged(look: Snapshot, at: Address, text: str) -> Snapshot:
    tags = look.resources[at].spec.tags or Tags()
    return drifted(look, at, tags=Tags({**tags, HOLD: text}))


def rules(count: int) -> Ingress:
    return Ingress({RuleKey("udp", port, port, "203.0.113.0/24"): "" for port in range(1000, 1000 + count)})


BOTH_WAYS = {
    "ingress": [{"protocol": "tcp", "ports": 5432, "source": "10.0.0.0/16"}],
    "egress": [{"protocol": "tcp", "ports": 5432, "destination": "10.0.0.0/16"}],
}
NEITHER: dict[str, Any] = {"ingress": [], "egress": []}
EXCHANGED = of_groups(one=NEITHER, two=BOTH_WAYS)
UNEXCHANGED = seen(of_groups(one=BOTH_WAYS, two=NEITHER))
"""No order of the four calls that move both rules keeps every machine with both groups connected."""


def test_what_has_no_safe_order_is_held_until_a_person_releases_exactly_that_plan() -> None:
    found, gated = judged(UNEXCHANGED, declared=EXCHANGED)
    assert gated.held == found.unsafe
    assert {one.reason for one in gated.held.values()} == {Reason.NO_SAFE_ORDER}
    assert gated.plan_held is None
    assert judged(UNEXCHANGED, declared=EXCHANGED, approved="0" * 16)[1].held == found.unsafe
    assert judged(UNEXCHANGED, declared=EXCHANGED, approved=found.fingerprint)[1].held == {}


def test_a_further_round_releases_nothing_that_has_no_safe_order() -> None:
    """Nobody has seen its plan."""
    found = plan(EXCHANGED, UNEXCHANGED)
    limits = Limits(further=True)
    gated = gate(found, EXCHANGED, UNEXCHANGED, Policy(), MORNING, approved=found.fingerprint, limits=limits)
    assert gated.held == found.unsafe


def test_a_release_lifts_nothing_else_and_makes_no_call_that_would_cut_for_longer_than_it_said() -> None:
    """What was released is a cut for the time of some calls, not for as long as the others are held."""
    found = plan(EXCHANGED, UNEXCHANGED)
    problem = Cause(Reason.IDENTITY_CHANGED, "another one")
    limits = Limits(changed={Address("security_group/two"): problem})
    gated = gate(found, EXCHANGED, UNEXCHANGED, Policy(), MORNING, approved=found.fingerprint, limits=limits)
    assert [gated.held[index].reason for index in range(4)] == [
        Reason.WOULD_CUT,
        Reason.IDENTITY_CHANGED,
        Reason.WOULD_CUT,
        Reason.IDENTITY_CHANGED,
    ]


def test_calls_that_wait_for_a_release_do_not_count_against_the_limit() -> None:
    found = plan(EXCHANGED, UNEXCHANGED)
    assert found.breaks == 2
    _, gated = judged(UNEXCHANGED, Policy(max_breaks=1), declared=EXCHANGED)
    assert gated.plan_held is None


def test_an_ordinary_correction_is_not_held() -> None:
    _, gated = judged(OPEN)
    assert gated == Gate({}, {}, None, ())


def test_a_deployment_that_only_reports_holds_everything() -> None:
    assert causes(OPEN, Policy(mode="report")) == [Cause(Reason.REPORT_ONLY, "this deployment only reports")]


def test_a_document_may_ask_for_a_report_only() -> None:
    declared = replace(
        DOCUMENT, resources={**DOCUMENT.resources, WEB: DOCUMENT.resources[WEB].but(enforcement="report")}
    )
    look = drifted(OPEN, DB, egress=Egress())
    assert causes(look, declared=declared) == [reported(WEB), None]


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-11-22T18:00:00Z", "2026-11-22T18:00Z"),
        ("2026-11-23T02:59:00+09:00", "2026-11-22T17:59Z"),
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00Z"),
    ],
)
def test_somebody_may_hold_a_resource_for_a_while(text: str, until: str) -> None:
    found, gated = judged(tagged(OPEN, WEB, text))
    assert len(found.actions) == 1
    assert gated.held == {0: hold(until)}
    (finding,) = gated.findings
    assert (finding.address, finding.outcome, finding.key) == (WEB, Outcome.HELD, HOLD)
    assert finding.cause == hold(until)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("for ever", "it is not a time; write one such as 2026-11-23T09:00:00Z"),
        ("", "it is not a time; write one such as 2026-11-23T09:00:00Z"),
        ("2026-11-22T18:00:00", "it has no time zone; add Z for UTC"),
        ("2026-11-22", "it has no time zone; add Z for UTC"),
        (
            "2026-11-23T09:00:01Z",
            "it is after 2026-11-23T09:00Z, the latest that this deployment allows",
        ),
        ("0001-01-01T00:00:00+23:59", "it is not a time; write one such as 2026-11-23T09:00:00Z"),
        ("9999-12-31T23:59:59-23:59", "it is not a time; write one such as 2026-11-23T09:00:00Z"),
        (
            "9999-12-31T23:59:59Z",
            "it is after 2026-11-23T09:00Z, the latest that this deployment allows",
        ),
    ],
)
def test_a_hold_that_is_no_hold_holds_nothing_and_is_told(text: str, problem: str) -> None:
    _, gated = judged(tagged(OPEN, WEB, text))
    assert gated.held == {}
    (finding,) = gated.findings
    assert (finding.address, finding.outcome) == (WEB, Outcome.BLOCKED)
    code = "" if "it is after" in problem else text
    assert finding.cause == Cause(Reason.INVALID_HOLD_TAG, f"its tag {HOLD}={text!r} has no effect: {problem}", code)


def test_a_hold_that_is_over_is_not_worth_a_word() -> None:
    _, gated = judged(tagged(OPEN, WEB, "2026-11-22T09:00:00Z"))
    assert gated == Gate({}, {}, None, ())


def test_a_hold_on_what_a_move_would_leave_holds_the_move() -> None:
    subnets = DOCUMENT.resources[OUT].subnets - {FRONT}  # type: ignore[attr-defined]
    wrong = DOCUMENT.resources[Address("route_table/PrivateRouteTable")].subnets | {FRONT}  # type: ignore[attr-defined]
    look = drifted(LOOK, OUT, subnets=subnets)
    look = drifted(look, Address("route_table/PrivateRouteTable"), subnets=wrong)
    look = replace(look, handles={**look.handles, Ref(FRONT, "route_table_association"): "rtbassoc-1"})
    held = tagged(look, Address("route_table/PrivateRouteTable"), "2026-11-22T10:00:00Z")
    assert causes(look) == [None]
    assert causes(held) == [hold("2026-11-22T10:00Z")]


def test_downtime_needs_permission() -> None:
    look = drifted(LOOK, DATABASE, port=5433)
    declared = document()
    database = declared.resources[DATABASE].but(port=5432)
    declared = replace(declared, resources={**declared.resources, DATABASE: database})
    hint = "allow it with SETPOINT_DOWNTIME=window (in the maintenance window) or =now"
    held = Cause(Reason.DOWNTIME, f"it costs downtime: {hint}")
    assert causes(look, declared=declared) == [held]
    assert causes(look, Policy(downtime="window"), declared) == [None]
    assert causes(look, Policy(downtime="now"), declared) == [None]


def test_a_plan_that_takes_away_too_much_is_held_whole() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**DOCUMENT.resources[WEB].ingress, **rules(21)}))  # type: ignore[attr-defined]
    look = drifted(look, DB, egress=Egress())
    found, gated = judged(look)
    assert (found.breaks, len(found.actions)) == (21, 2)
    assert gated.plan_held == Cause(
        Reason.PLAN_HELD,
        "the plan removes or replaces 21 live members, and the limit of one run is 20: review the plan, "
        "then release it: with setpoint plan --out FILE and setpoint apply --plan FILE, "
        "or by its fingerprint with approve in a manual invoke",
    )
    assert set(gated.held.values()) == {gated.plan_held}
    assert sorted(gated.held) == [0, 1]


def test_a_plan_within_the_limit_is_not_held() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**DOCUMENT.resources[WEB].ingress, **rules(20)}))  # type: ignore[attr-defined]
    assert judged(look)[1].plan_held is None


def test_the_limit_grows_with_the_document_and_a_deployment_may_set_it() -> None:
    groups = {
        f"g{n}": {"ingress": [{"protocol": "tcp", "ports": 1000 + m, "source": "10.0.0.0/16"} for m in range(20)]}
        for n in range(6)
    }
    declared = of_groups(**groups)
    assert owned_members(declared) == 1 + 6 + 6 * 20
    at = Address("security_group/g0")
    look = seen(declared)
    for extra, held in ((31, False), (32, True)):
        more = drifted(look, at, ingress=Ingress({**declared.resources[at].ingress, **rules(extra)}))  # type: ignore[attr-defined]
        assert bool(judged(more, declared=declared)[1].plan_held) is held
    one = drifted(look, at, ingress=Ingress({**declared.resources[at].ingress, **rules(1)}))  # type: ignore[attr-defined]
    assert "the limit of one run is 0" in str(judged(one, Policy(max_breaks=0), declared)[1].plan_held)
    assert judged(one, Policy(max_breaks=1), declared)[1].plan_held is None


def test_tags_are_no_members_that_a_run_could_take_away() -> None:
    assert owned_members(of_groups(web={"tags": {"a": "b", "c": "d"}})) == 2


def test_a_document_that_lost_a_whole_section_is_held_whole() -> None:
    declared = document(network_acl=None)
    left = Unmanaged(OUTSIDE, "acl-0a1b2c3d", owned=True)
    theirs = Unmanaged(Address("network_acl/acl-1"), "acl-0a1b2c3e")
    look = beside(drifted(seen(declared), DB, egress=Egress()), theirs, left)
    _, gated = judged(look, declared=declared)
    assert gated.plan_held
    assert gated.plan_held.reason is Reason.PLAN_HELD
    assert gated.plan_held.message.startswith(
        "network_acl/*: the document no longer has this section, but these resources have its tag: acl-0a1b2c3d: "
    )
    assert judged(beside(look, theirs), declared=declared)[1].plan_held is None


def test_a_released_plan_passes_the_limits_and_nothing_else() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**DOCUMENT.resources[WEB].ingress, **rules(30)}))  # type: ignore[attr-defined]
    look = tagged(drifted(look, DB, egress=Egress()), DB, "2026-11-22T10:00:00Z")
    found, _ = judged(look)
    _, released = judged(look, approved=found.fingerprint)
    assert [found.actions[index].address for index in released.held] == [DB]
    _, another = judged(look, approved="0123456789abcdef")
    assert len(another.held) == len(found.actions)
    assert gate(found, DOCUMENT, look, Policy(mode="report"), MORNING, approved=found.fingerprint).held.keys() == {0, 1}


def test_what_comes_after_something_held_is_held_with_it() -> None:
    look = drifted(missing(LOOK, DB), DATABASE, vpc_security_groups=DOCUMENT.resources[DATABASE].vpc_security_groups)  # type: ignore[attr-defined]
    found = plan(DOCUMENT, look)
    make = next(index for index, action in enumerate(found.actions) if action.operation.phase is Phase.CREATE)
    gated = gate(found, DOCUMENT, look, Policy(max_breaks=0), MORNING)
    assert gated.held == {}
    declared = replace(DOCUMENT, resources={**DOCUMENT.resources, DB: DOCUMENT.resources[DB].but(enforcement="report")})
    assert causes(look, declared=declared)[make] == reported(DB)
    assert all(causes(look, declared=declared))


REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
AUTHORIZE = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.REVERSIBLE)
DETACH = Operation("ec2", "DisassociateRouteTable", Phase.UNBIND, Risk.TRAFFIC)


def by_hand(*actions: Action, needs: dict[int, set[int]] | None = None) -> Plan:
    wanted = needs or {}
    return Plan((), actions, tuple(frozenset(wanted.get(index, ())) for index in range(len(actions))), (), "f" * 16)


def test_nothing_is_taken_away_where_what_is_to_be_made_is_held_except_what_only_closes() -> None:
    found = by_hand(
        REVOKE.on(WEB, "close", closes=True),
        AUTHORIZE.on(WEB, "dear", risk=Risk.DOWNTIME),
        DETACH.on(WEB, "take away"),
        DETACH.on(DB, "elsewhere"),
    )
    held = gate(found, DOCUMENT, LOOK, Policy(), MORNING).held
    assert list(held) == [1, 2]
    assert held[2] == Cause(Reason.DEPENDENCY, "nothing is removed where something to be created is held")


def test_a_hold_cascades_along_what_actions_need() -> None:
    found = by_hand(
        AUTHORIZE.on(WEB, "dear", risk=Risk.DOWNTIME),
        AUTHORIZE.on(DB, "next"),
        AUTHORIZE.on(VPC, "last"),
        AUTHORIZE.on(BACK1, "apart"),
        needs={1: {0}, 2: {1}},
    )
    held = gate(found, DOCUMENT, LOOK, Policy(), MORNING).held
    assert {index: cause for index, cause in held.items() if index} == {
        1: Cause(Reason.DEPENDENCY, "it depends on an action that is held: dear"),
        2: Cause(Reason.DEPENDENCY, "it depends on an action that is held: next"),
    }


def test_what_the_caller_defers_is_deferred_and_holds_nothing_else() -> None:
    found = by_hand(AUTHORIZE.on(WEB, "mine"), AUTHORIZE.on(DB, "next"), needs={1: {0}})
    later = Cause(Reason.NEXT_RUN, "later")
    limits = Limits(lambda one: later if one.address == WEB else None)
    gated = gate(found, DOCUMENT, LOOK, Policy(), MORNING, limits=limits)
    assert (gated.held, gated.deferred) == ({}, {0: later})


def test_a_route_through_a_table_that_is_held_is_held() -> None:
    look = tagged(drifted(LOOK, OUT, routes=Routes()), OUT, "2026-11-22T10:00:00Z")
    assert causes(look) == [hold("2026-11-22T10:00Z")]


def held_since(hours: float, until: str = "2026-11-22T18:00:00Z") -> Gate:
    """What is held at nine in the morning where a hold has been seen for so many hours; 24 are allowed."""
    look = tagged(OPEN, WEB, until)
    found = plan(DOCUMENT, look)
    limits = Limits(held_since={WEB: MORNING - timedelta(hours=hours)})
    return gate(found, DOCUMENT, look, Policy(), MORNING, limits=limits)


def test_a_hold_ends_a_day_after_it_was_first_seen_whatever_its_tag_says_by_now() -> None:
    assert held_since(3).held == {0: hold("2026-11-22T18:00Z")}
    assert held_since(23).held == {0: hold("2026-11-22T10:00Z")}
    assert held_since(24).held == {}
    (finding,) = held_since(24).findings
    assert finding.outcome is Outcome.BLOCKED
    told = "its tag setpoint:hold='2026-11-22T18:00:00Z' has no effect: it has been held since 2026-11-21T09:00Z, "
    assert finding.cause == Cause(Reason.INVALID_HOLD_TAG, told + "longer than this deployment allows")


@dataclass(frozen=True)
class Judged:
    gate: Gate


def remembered(look: Snapshot, since: dict[Address, datetime]) -> dict[Address, datetime]:
    return seen_holds(Judged(judged(look)[1]), since, MORNING)


def test_a_hold_is_remembered_from_when_it_was_first_seen_until_it_is_over_or_gone() -> None:
    early = MORNING - timedelta(hours=5)
    live = tagged(LOOK, WEB, "2026-11-22T18:00:00Z")
    assert remembered(live, {}) == {WEB: MORNING}
    assert remembered(live, {WEB: early, DB: early}) == {WEB: early}
    assert remembered(tagged(LOOK, WEB, "2026-11-22T08:00:00Z"), {WEB: early}) == {}
    assert remembered(tagged(LOOK, WEB, "for ever"), {WEB: early}) == {}
    assert remembered(LOOK, {WEB: early}) == {}


def test_a_hold_that_lies_too_far_ahead_is_seen_all_the_same() -> None:
    assert remembered(tagged(LOOK, WEB, "2027-01-01T00:00:00Z"), {}) == {WEB: MORNING}


def test_of_what_could_not_be_seen_a_hold_is_remembered() -> None:
    early = MORNING - timedelta(hours=5)
    refused, two = Cause(Reason.REFUSED, "refused"), Cause(Reason.AMBIGUOUS, "two of them")
    dark = replace(missing(LOOK, WEB, DB), unreadable={WEB: refused}, ambiguous={DB: two})
    assert remembered(dark, {WEB: early, DB: early, VPC: early}) == {WEB: early, DB: early}


def test_what_is_suppressed_is_asked_only_about_what_nothing_else_holds() -> None:
    look = drifted(tagged(OPEN, WEB, "2026-11-22T18:00:00Z"), DB, egress=Egress())
    found = plan(DOCUMENT, look)
    asked: list[str] = []

    suppressed = Cause(Reason.SUPPRESSED, "it is suppressed")

    def guard(action: Action) -> Cause:
        asked.append(action.address)
        return suppressed

    gated = gate(found, DOCUMENT, look, Policy(), MORNING, limits=Limits(guard=guard))
    assert asked == [DB]
    assert set(gated.held.values()) == {suppressed, hold("2026-11-22T18:00Z")}
    assert len(gated.held) == 2


POSTGRES = RuleKey("tcp", 5432, 5432, "10.0.0.0/16")
ONE, TWO = Address("security_group/one"), Address("security_group/two")
LET_IN = {"ingress": [{"protocol": "tcp", "ports": 5432, "source": POSTGRES.peer}]}
MOVED = of_groups(one=LET_IN, two={"ingress": []})
REPORTED = of_groups(one={**LET_IN, "enforcement": "report"}, two={"ingress": []})


def only_one(reason: Reason) -> Callable[[Action], Cause | None]:
    return lambda action: Cause(reason, "as told") if action.address == ONE else None


@pytest.mark.parametrize(
    ("declared", "limits", "reason"),
    [
        (MOVED, Limits(changed={ONE: Cause(Reason.IDENTITY_CHANGED, "another one")}), Reason.WOULD_CUT),
        (MOVED, Limits(deferred=only_one(Reason.NEXT_RUN)), Reason.WOULD_CUT),
        (MOVED, Limits(guard=only_one(Reason.FLAPPING)), None),
        (REPORTED, Limits(), None),
        (REPORTED, Limits(deferred=only_one(Reason.NEXT_RUN)), None),
    ],
    ids=["identity changed", "left to the next run", "suppressed", "only reported", "only reported, and left"],
)
def test_what_only_waits_is_relied_on_and_what_is_meant_to_stay_is_not(
    declared: Document, limits: Limits, reason: Reason | None
) -> None:
    """A rule stands in the wrong one of two groups, and a machine may have both: it is revoked there if the other group
    will not get it, and not if that only takes time.
    """
    look = drifted(drifted(seen(declared), ONE, ingress=Ingress()), TWO, ingress=Ingress({POSTGRES: ""}))
    found = plan(declared, look)
    gated = gate(found, declared, look, Policy(), MORNING, limits=limits)
    (revoke,) = [index for index, action in enumerate(found.actions) if action.address == TWO]
    held = gated.held.get(revoke)
    assert (held and held.reason) == reason


@pytest.mark.parametrize("address", [VPC, GATEWAY, FRONT, OUT, OUTSIDE, WEB, DATABASE])
def test_what_a_deployment_may_not_adopt_is_held_with_what_to_do_and_not_tried(address: Address) -> None:
    bare = drifted(LOOK, address, tags={})
    if address == DATABASE:
        bare = drifted(bare, address, deletion_protection=False)
    found, gated = judged(bare, Policy(adopt=False))
    assert found.actions
    assert {one.address for one in found.actions} == {address}
    if address not in {GATEWAY, DATABASE}:
        assert gated.held == {}
        return
    assert {cause.reason for cause in gated.held.values()} == {Reason.NOT_ADOPTED}
    assert gated.held.keys() == set(range(len(found.actions)))
    assert gated.held[0].message == (
        "it does not carry the tag setpoint:document, and this deployment adopts nothing (SETPOINT_ADOPT): set the "
        "stack's parameter Adopt to true until it is adopted, or give it the tags setpoint:document=test-server and "
        f"setpoint:name={address.name}"
    )
    assert judged(bare)[1].held == {}


def test_what_carries_our_tag_is_corrected_where_nothing_is_adopted() -> None:
    assert causes(drifted(LOOK, DATABASE, deletion_protection=False), Policy(adopt=False)) == [None]
    assert set(causes(missing(LOOK, GATEWAY), Policy(adopt=False))) == {None}


@pytest.mark.parametrize("name", ["__init__", "breach", "advance"])
def test_what_cannot_be_judged_beside_something_held_costs_the_judgement(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan could judge it: what only closes goes on, and people are told."""
    look = drifted(OPEN, DB, ingress=Ingress({SSH: ""}))
    found = plan(DOCUMENT, look)
    original = getattr(Steps, name)

    def raising(steps: Steps, action: Any, *more: Any, **options: Any) -> Any:
        if name == "__init__" or action.address == WEB:
            raise ZeroDivisionError
        return original(steps, action, *more, **options)

    monkeypatch.setattr(Steps, name, raising)
    later = Limits(lambda one: Cause(Reason.NEXT_RUN, "later") if one.address == DB else None)
    gated = gate(found, DOCUMENT, look, Policy(), MORNING, limits=later)
    assert [index for index, one in enumerate(found.actions) if one.address == WEB and index in gated.held] == []
    at = WEB if name == "breach" else VPC
    assert [(one.address, one.outcome, one.cause.reason) for one in gated.findings] == [
        (at, Outcome.FAILED, Reason.FAULT)
    ]
