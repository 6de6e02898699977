"""Changes become a plan: one order for one state, nothing forgotten, nothing before what it needs."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import Subnets, Tags
from desired_state.rules import Egress, Ingress, IngressEntries, Routes
from reconciler.engine.order import Tier
from reconciler.engine.plan import Plan, fingerprint, make_plan, printable, signature
from reconciler.engine.understood import _set_aside
from reconciler.kinds import REGISTRY, live_network, ranked
from reconciler.model import Cause, Observed, Outcome, Phase, Policy, Reason, Ref, Remark, Unmanaged, refs
from reconciler.model.guard import ResourceFaultError, Stage
from reconciler.model.kind import PlanContext
from reconciler.reach.steps import Breach, Steps
from tests.support.sampling import sampled
from tests.support.worlds import (
    APP,
    BACK1,
    BACK2,
    DATABASE,
    DB,
    FRONT,
    GATEWAY,
    IN,
    INSIDE,
    OUT,
    OUTSIDE,
    VPC,
    WEB,
    beside,
    document,
    drawn,
    drifted,
    missing,
    of_groups,
    plan,
    seen,
)

SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
HTTP = RuleKey("tcp", 80, 80, "0.0.0.0/0")
EVERYTHING = AclEntry("allow", "all", -1, -1, "0.0.0.0/0")
DOCUMENT = document()
LOOK = seen(DOCUMENT)


def told(found: Plan) -> list[tuple[str, str]]:
    return [(action.operation.name, str(action.address)) for action in found.actions]


def said(found: Plan) -> list[tuple[str, str, Outcome]]:
    return [(str(one.address), one.field, one.outcome) for one in found.findings]


def live(address: Address, field: str) -> Any:
    return getattr(DOCUMENT.resources[address], field)


def test_a_network_as_declared_makes_no_plan() -> None:
    found = plan(DOCUMENT, LOOK)
    assert (found.actions, found.changes, found.findings) == ((), (), ())


def test_what_only_closes_goes_first_whatever_kind_it_is_of() -> None:
    look = drifted(LOOK, VPC, enable_dns_support=False)
    look = drifted(look, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    look = drifted(look, APP, ingress=Ingress())
    assert told(plan(DOCUMENT, look)) == [
        ("RevokeSecurityGroupIngress", "security_group/APIGatewaySG"),
        ("ModifyVpcAttribute", "vpc/MyVPC"),
        ("AuthorizeSecurityGroupIngress", "security_group/TestServerSG"),
    ]


def test_what_takes_away_goes_before_what_opens_and_what_opens_behind_what_it_needs() -> None:
    denied = AclEntry("deny", "tcp", 443, 443, "0.0.0.0/0")
    look = drifted(LOOK, OUTSIDE, ingress=IngressEntries({**live(OUTSIDE, "ingress"), 110: denied}))
    look = drifted(look, VPC, enable_dns_support=False, enable_dns_hostnames=False)
    look = drifted(look, OUT, routes=Routes({"0.0.0.0/0": "nat-0a1b2c3d"}))
    assert told(plan(DOCUMENT, look)) == [
        ("ReplaceRoute", "route_table/PublicRouteTable"),
        ("ModifyVpcAttribute", "vpc/MyVPC"),
        ("ModifyVpcAttribute", "vpc/MyVPC"),
        ("ReplaceNetworkAclEntry", "network_acl/PublicSubnetACL"),
    ]


def test_everything_from_nothing_comes_parents_first() -> None:
    found = plan(DOCUMENT, seen(DOCUMENT, only=[]), Policy(create_databases=True))
    made = [action.address.kind for action in found.actions if action.operation.phase is Phase.CREATE]
    assert made == [
        "vpc",
        "internet_gateway",
        *["subnet"] * 3,
        *["network_acl"] * 2,
        *["route_table"] * 2,
        *["security_group"] * 3,
        "db_subnet_group",
        "db_instance",
    ]
    assert found.breaks == 0
    assert found.findings == ()


def test_kinds_are_ranked_behind_those_they_need() -> None:
    order = ranked()
    assert sorted(order) == sorted(REGISTRY)
    assert all(order.index(parent) < order.index(name) for name, kind in REGISTRY.items() for parent in kind.after)


def test_the_actions_of_a_chain_need_one_another_in_turn() -> None:
    look = drifted(LOOK, DB, ingress=Ingress({RuleKey("tcp", 5432, 5432, "0.0.0.0/0"): ""}))
    found = plan(DOCUMENT, look)
    assert told(found) == [
        ("AuthorizeSecurityGroupIngress", "security_group/DBSG"),
        ("RevokeSecurityGroupIngress", "security_group/DBSG"),
    ]
    assert found.needs == (frozenset(), frozenset({0}))


def test_a_subnet_moves_only_to_a_table_that_is_right_and_only_then_is_the_one_it_left_touched() -> None:
    look = drifted(LOOK, OUT, routes=Routes({"203.0.113.0/24": "nat-0a1b2c3d"}), subnets=Subnets([FRONT, BACK1]))
    look = drifted(look, IN, routes=Routes({"0.0.0.0/0": "nat-0a1b2c3d"}), subnets=Subnets([BACK2]))
    found = plan(DOCUMENT, look)
    assert told(found) == [
        ("DeleteRoute", "route_table/PrivateRouteTable"),
        ("ReplaceRouteTableAssociation", "route_table/PrivateRouteTable"),
        ("CreateRoute", "route_table/PublicRouteTable"),
        ("DeleteRoute", "route_table/PublicRouteTable"),
    ]
    moved = next(index for index, action in enumerate(found.actions) if action.moves)
    for index, action in enumerate(found.actions):
        if action.address == OUT:
            assert moved in found.needs[index]
        elif index != moved:
            assert index in found.needs[moved]


def test_subnets_change_places_between_two_acls_that_both_change() -> None:
    """Each move waits for the ACL that it goes to, which waits for the other move: each call is judged instead."""
    look = drifted(LOOK, OUTSIDE, subnets=Subnets([BACK1]), ingress=IngressEntries({100: EVERYTHING}))
    look = drifted(look, INSIDE, subnets=Subnets([FRONT, BACK2]), ingress=IngressEntries({100: EVERYTHING}))
    found = plan(DOCUMENT, look)
    assert (found.findings, dict(found.unsafe)) == ((), {})
    network = Steps(lambda: live_network(look), found.actions)
    for action in found.actions:
        assert not network.breach(action)
        network.advance(action)
    assert {one.address for one in found.actions if one.moves} == {OUTSIDE, INSIDE}


def test_subnets_that_change_places_between_two_tables_that_both_change_are_held() -> None:
    """A table decides not only whether a packet passes, but also where it goes."""
    look = drifted(LOOK, OUT, subnets=Subnets([BACK1]), routes=Routes({"203.0.113.0/24": "nat-0a1b2c3d"}))
    look = drifted(look, IN, subnets=Subnets([FRONT, BACK2]), routes=Routes({"0.0.0.0/0": "nat-0a1b2c3d"}))
    look = drifted(look, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    found = plan(DOCUMENT, look)
    assert told(found)[0] == ("RevokeSecurityGroupIngress", "security_group/APIGatewaySG")
    told_why = (
        "moves between these resources depend on each other: "
        "make one of the changes by hand, or split them over two revisions of the document"
    )
    assert Cause(Reason.NO_SAFE_ORDER, told_why) in {one.cause for one in found.findings}
    assert {one.outcome for one in found.findings} == {Outcome.HELD}


BOTH_WAYS = {
    "ingress": [{"protocol": "tcp", "ports": 5432, "source": "10.0.0.0/16"}],
    "egress": [{"protocol": "tcp", "ports": 5432, "destination": "10.0.0.0/16"}],
}
NEITHER: dict[str, Any] = {"ingress": [], "egress": []}


def test_what_no_order_makes_safe_comes_last_and_cuts_rather_than_lets_through() -> None:
    """Two machines that both have both groups talk now and in the end. Whatever comes first cuts them off, or lets a
    machine of one group talk to one of the other.
    """
    one, two = of_groups(one=BOTH_WAYS, two=NEITHER), of_groups(one=NEITHER, two=BOTH_WAYS)
    found = plan(two, seen(one))
    assert told(found) == [
        ("RevokeSecurityGroupIngress", "security_group/one"),
        ("AuthorizeSecurityGroupEgress", "security_group/two"),
        ("RevokeSecurityGroupEgress", "security_group/one"),
        ("AuthorizeSecurityGroupIngress", "security_group/two"),
    ]
    assert found.findings == ()
    assert sorted(found.unsafe) == [0, 1, 2, 3]
    assert found.unsafe[0].message.startswith(
        "no order of the calls avoids it: it would cut tcp 5432 from 10.0.0.0 for security_group/one, "
        "for the time of 3 more calls at most; review the plan, then release it: "
    )
    assert all(
        found.unsafe[place].message.startswith("it comes after a call that no order makes safe: revoke tcp 5432")
        for place in (1, 2, 3)
    )
    assert {cause.reason for cause in found.unsafe.values()} == {Reason.NO_SAFE_ORDER}
    assert found.fingerprint != fingerprint(two.sha256, found.actions)


def test_nothing_that_has_no_safe_order_can_be_released_while_something_could_not_be_read() -> None:
    one, two = of_groups(one=BOTH_WAYS, two=NEITHER), of_groups(one=NEITHER, two=BOTH_WAYS)
    look = replace(seen(one), unreadable={IN: Cause(Reason.UNREADABLE, "throttled")})
    found = plan(two, look)
    assert (found.actions, dict(found.unsafe)) == ((), {})
    assert {one.cause.reason for one in found.findings} == {Reason.NO_SAFE_ORDER}


def test_nothing_that_an_intent_forbids_can_be_released(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = of_groups(one=BOTH_WAYS, two=NEITHER), of_groups(one=NEITHER, two=BOTH_WAYS)
    forbidden = Breach(Reason.HELD_BY_INTENT, Address(""), "held by the intent")
    monkeypatch.setattr(
        "reconciler.engine.plan._forbids", lambda context: lambda before: lambda later, action: forbidden
    )
    found = plan(two, seen(one))
    assert (found.actions, dict(found.unsafe)) == ((), {})
    assert {one.outcome for one in found.findings} == {Outcome.HELD}


def test_a_batch_without_a_safe_order_is_made_rule_by_rule() -> None:
    """Of each batch, one rule must come before the next batch, and the other one after it, in a circle."""

    def rules(end: str, *traffic: tuple[str, int]) -> list[dict[str, Any]]:
        return [{"protocol": protocol, "ports": port, end: "10.0.0.0/16"} for protocol, port in traffic]

    ssh, web, dns, data = ("tcp", 22), ("tcp", 443), ("udp", 53), ("tcp", 5432)
    before = {"ingress": rules("source", ssh, web), "egress": rules("destination", dns, data)}
    after = {"ingress": rules("source", web, dns), "egress": rules("destination", data, ssh)}
    look, declared = seen(of_groups(one=before, two=NEITHER)), of_groups(one=NEITHER, two=after)
    found = plan(declared, look)
    assert (found.findings, dict(found.unsafe)) == ((), {})
    assert len(found.actions) == 8
    assert found.breaks == 4


def test_what_refers_to_something_that_could_not_be_seen_is_blocked_and_so_is_what_refers_to_that() -> None:
    look = replace(missing(LOOK, APP, DB), unreadable={APP: Cause(Reason.UNREADABLE, "refused")})
    found = plan(DOCUMENT, look)
    assert told(found) == [("CreateSecurityGroup", "security_group/DBSG")]
    assert said(found) == [("security_group/DBSG", "ingress", Outcome.BLOCKED)]
    assert found.findings[0].cause == Cause(
        Reason.MISSING_REFERENCE,
        "it needs <security_group/TestServerSG>, which does not exist and is not created now",
    )


def test_what_refers_to_something_that_has_to_wait_waits_too() -> None:
    """A subnet is pending, so that its DB subnet group cannot be made yet, nor the database in it."""
    group = Address("db_subnet_group/mydbsubnetgroup")
    look = drifted(missing(LOOK, group, DATABASE), BACK1, status="pending", creating=True)
    found = plan(DOCUMENT, look, Policy(create_databases=True))
    assert told(found) == []
    messages = {one.address: one.cause.message for one in found.findings if one.outcome is Outcome.WAITING}
    assert messages == {
        BACK1: "AWS is still creating it: it is pending",
        group: f"it needs {BACK1}, which AWS is still creating",
        DATABASE: f"it needs <{group}>, which has to wait itself",
    }


def test_a_handle_that_only_a_later_look_shows_does_not_block() -> None:
    look = drifted(missing(LOOK, BACK1), INSIDE, subnets=Subnets([BACK2]))
    found = plan(DOCUMENT, look)
    moved = [action for action in found.actions if action.operation.name == "ReplaceNetworkAclAssociation"]
    assert [action.params["AssociationId"] for action in moved] == [Ref(BACK1, "network_acl_association")]
    assert found.findings == ()


def test_the_fingerprint_is_that_of_the_document_and_the_actions() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    other = drifted(LOOK, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: "", RuleKey("udp", 53, 53, "::/0"): ""}))
    found = plan(DOCUMENT, look).fingerprint
    assert len(found) == 16
    assert plan(DOCUMENT, look).fingerprint == found
    assert plan(DOCUMENT, other).fingerprint != found
    assert plan(replace(DOCUMENT, sha256="0" * 64), look).fingerprint != found
    assert fingerprint(DOCUMENT.sha256, plan(DOCUMENT, look).actions) == found


PLANS = sampled(range(80), 40)


@pytest.mark.parametrize("seed", PLANS)
def test_a_plan_is_the_same_in_whatever_order_a_document_lists_its_resources(seed: int) -> None:
    declared, look, found = drawn(seed)
    order = list(declared.resources)
    Random(seed).shuffle(order)
    turned = plan(replace(declared, resources={at: declared.resources[at] for at in order}), look)
    assert turned.fingerprint == found.fingerprint
    assert told(turned) == told(found)


def test_references_are_printed_by_name() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    (action,) = plan(DOCUMENT, look).actions
    assert printable(action.params) == {
        "GroupId": "<security_group/APIGatewaySG>",
        "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        ],
    }
    assert signature(action).startswith('["ec2:RevokeSecurityGroupIngress", "security_group/APIGatewaySG", {"GroupId"')


@pytest.mark.parametrize("seed", PLANS)
def test_every_difference_is_resolved_by_an_action_or_told(seed: int) -> None:
    _, _, found = drawn(seed)
    resolved = {one for action in found.actions for one in action.resolves}
    explained = {(one.address, one.field) for one in found.findings}
    for change in found.changes:
        for one in change.differences:
            where = (one.address, one.field)
            assert where in resolved | explained or (one.address, "") in explained, where


@pytest.mark.parametrize("seed", PLANS)
def test_nothing_comes_before_what_it_needs(seed: int) -> None:
    _, look, found = drawn(seed)
    assert all(earlier < index for index, needs in enumerate(found.needs) for earlier in needs)
    known = set(look.handles)
    last: dict[tuple[Address, str], int] = {}
    for index, action in enumerate(found.actions):
        late = {ref for ref in refs(action.params) if ref.handle and ref.to in look.resources}
        assert set(refs(action.params)) <= known | late
        known |= {action.gives} - {None}  # type: ignore[arg-type]
        if action.chain:
            before = last.get((action.address, action.chain))
            assert before is None or before in found.needs[index]
            last[action.address, action.chain] = index


@pytest.mark.parametrize("seed", PLANS)
def test_what_closes_and_needs_nothing_comes_as_soon_as_it_cuts_nothing(seed: int) -> None:
    _, look, found = drawn(seed)
    network = Steps(lambda: live_network(look), found.actions)
    free = {index for index, action in enumerate(found.actions) if action.closes and not found.needs[index]}
    safe = len(found.actions) - len(found.unsafe)
    for index, action in enumerate(found.actions[:safe]):
        waiting = [found.actions[later] for later in free if later > index]
        breaches = [network.breach(one) for one in waiting if not action.closes]
        assert all(breach and breach.reason is Reason.WOULD_CUT for breach in breaches)
        network.advance(action)
    assert found.breaks == sum(action.breaks for action in found.actions)


def test_only_narrows_a_plan_to_some_addresses() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    look = drifted(look, DB, egress=Egress())
    assert told(plan(DOCUMENT, look, only=frozenset({DB}))) == [("AuthorizeSecurityGroupEgress", "security_group/DBSG")]
    assert plan(DOCUMENT, look, only=frozenset({APP})).actions == ()


def test_what_aws_never_changes_is_blocked_and_the_rest_is_corrected() -> None:
    look = drifted(LOOK, WEB, description="The old front door", ingress=Ingress({**live(WEB, "ingress"), SSH: ""}))
    found = plan(DOCUMENT, look)
    assert told(found) == [("RevokeSecurityGroupIngress", "security_group/APIGatewaySG")]
    assert said(found) == [("security_group/APIGatewaySG", "description", Outcome.BLOCKED)]
    assert found.findings[0].cause.reason is Reason.IMMUTABLE
    assert found.findings[0].cause.message.startswith(
        "AWS cannot change it: it is 'The old front door', and 'Front door: the only group the internet reaches' "
        "is declared; "
    )


def test_what_comes_with_a_vpc_is_never_created() -> None:
    declared = of_groups(default={"ingress": [], "egress": []})
    with_vpc, without = plan(declared, seen(declared, only=[VPC])), plan(declared, seen(declared, only=[]))
    problem = "AWS creates it with every VPC, and this VPC has none: ask AWS Support"
    assert [(one.outcome, one.cause) for one in with_vpc.findings] == [
        (Outcome.BLOCKED, Cause(Reason.CREATED_BY_AWS, problem))
    ]
    assert with_vpc.actions == ()
    assert said(without) == [("security_group/default", "", Outcome.WAITING)]
    assert without.findings[0].cause == Cause(Reason.CREATED_BY_AWS, "AWS creates it together with the VPC")
    assert told(without) == [("CreateVpc", "vpc/MyVPC")]


def test_a_remark_of_a_declared_member_becomes_a_finding() -> None:
    dead = (
        Remark("routes", "0.0.0.0/0", "its target is gone"),
        Remark("routes", "10.1.0.0/16", "nobody declared this one"),
    )
    found = plan(DOCUMENT, drifted(LOOK, OUT, remarks=dead))
    assert [(one.address, one.field, one.key, one.outcome, one.cause) for one in found.findings] == [
        (OUT, "routes", "0.0.0.0/0", Outcome.BLOCKED, Cause(Reason.TARGET_GONE, "its target is gone"))
    ]


OLD = Unmanaged(Address("security_group/old"), "sg-00000000000000001", owned=True)
THEIRS = Unmanaged(Address("security_group/theirs"), "sg-00000000000000002")


def test_unmanaged_resources_are_not_touched() -> None:
    assert plan(DOCUMENT, beside(LOOK, OLD, THEIRS)).actions == ()


def test_what_raises_at_a_deletion_is_about_what_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(unmanaged: Unmanaged) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(REGISTRY, "security_group", replace(REGISTRY["security_group"], delete=fails))
    ours = Unmanaged(Address("security_group/ours"), "sg-ours", owned=True)
    with pytest.raises(ResourceFaultError) as caught:
        plan(DOCUMENT, beside(LOOK, ours), Policy(prune=True))
    assert (caught.value.address, caught.value.stage) == (ours.address, Stage.PLANNING)
    rest = _set_aside(beside(LOOK, ours, OLD), caught.value)  # so the run goes on without it
    assert (rest.unmanaged, rest.unreadable.keys()) == ((OLD,), {ours.address})


def test_with_permission_to_prune_what_is_ours_and_no_longer_declared_goes_last() -> None:
    look = drifted(beside(LOOK, OLD, THEIRS), DB, ingress=Ingress())
    found = plan(DOCUMENT, look, Policy(prune=True))
    assert told(found) == [
        ("AuthorizeSecurityGroupIngress", "security_group/DBSG"),
        ("DeleteSecurityGroup", "security_group/old"),
    ]
    assert plan(DOCUMENT, look, Policy(prune=True), only=frozenset({DB})).breaks == 0


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize(("had", "known"), [(None, True), (frozenset({OLD.id}), True), (frozenset({"sg-1"}), False)])
def test_what_is_deleted_carries_our_tags_and_is_known_to_have_been_declared(
    *, prune: bool, owned: bool, had: frozenset[str] | None, known: bool
) -> None:
    """A person who looks at the plan stands in for the memory (None); the tags alone are anybody's to put on."""
    look = beside(LOOK, replace(OLD, owned=owned))
    look = replace(look, handles={**look.handles, Ref(OLD.address): OLD.id})
    found = make_plan((), PlanContext(DOCUMENT, look, Policy(prune=prune), had), None)
    assert bool(found.actions) is (prune and owned and known)


def test_a_table_goes_before_the_gateway_it_routes_through() -> None:
    owned = [
        Unmanaged(Address(at), f"{at[:3]}-0000000000000001", owned=True)
        for at in ("internet_gateway/old", "route_table/old")
    ]
    assert told(plan(DOCUMENT, beside(LOOK, *owned), Policy(prune=True))) == [
        ("DeleteRouteTable", "route_table/old"),
        ("DeleteInternetGateway", "internet_gateway/old"),
    ]


def test_a_temporary_acl_of_a_stopped_run_is_cleared_away() -> None:
    look = replace(LOOK, handles={**LOOK.handles, Ref(OUTSIDE, "temporary"): "acl-0a1b2c3d"})
    assert told(plan(DOCUMENT, look)) == [("DeleteNetworkAcl", "network_acl/PublicSubnetACL")]
    ignored = {at: one.but(enforcement="ignore") for at, one in DOCUMENT.resources.items()}
    assert plan(replace(DOCUMENT, resources=ignored), look).actions == ()


def test_a_missing_database_is_not_created_without_permission() -> None:
    look = missing(LOOK, DATABASE)
    assert said(plan(DOCUMENT, look)) == [("db_instance/mypostgresqldb", "", Outcome.BLOCKED)]
    assert told(plan(DOCUMENT, look, Policy(create_databases=True))) == [
        ("CreateDBInstance", "db_instance/mypostgresqldb")
    ]


def test_tags_are_corrected_without_touching_anything_else() -> None:
    look = drifted(LOOK, VPC, tags=Tags({"Name": "old"}))
    (action,) = plan(DOCUMENT, look).actions
    assert printable(action.params) == {
        "Resources": ["<vpc/MyVPC>"],
        "Tags": [
            {"Key": "setpoint:document", "Value": "test-server"},
            {"Key": "setpoint:name", "Value": "MyVPC"},
        ],
    }
    assert not action.touches_traffic


def test_a_gateway_is_attached_after_all_that_closes() -> None:
    look = drifted(LOOK, GATEWAY, vpc=Address("nowhere"))
    handles = {ref: one for ref, one in look.handles.items() if ref != Ref(VPC, "internet_gateway")}
    look = drifted(replace(look, handles=handles), DATABASE, publicly_accessible=True)
    assert told(plan(DOCUMENT, look)) == [
        ("ModifyDBInstance", "db_instance/mypostgresqldb"),
        ("AttachInternetGateway", "internet_gateway/MyInternetGateway"),
    ]


def test_tiers_run_from_closing_to_unmaking() -> None:
    assert [tier.name for tier in sorted(Tier)] == ["CLOSE", "REMOVE", "EXCHANGE", "ADD", "DELETE"]


@pytest.mark.parametrize("status", ["modifying", "backing-up"])
def test_a_busy_database_waits(status: str) -> None:
    look = drifted(LOOK, DATABASE, deletion_protection=False, status=status)
    assert isinstance(look.resources[DATABASE], Observed)
    found = plan(DOCUMENT, look)
    assert (told(found), said(found)) == (
        [],
        [("db_instance/mypostgresqldb", "deletion_protection", Outcome.WAITING)],
    )
    assert found.findings[0].cause == Cause(Reason.NOT_READY, f"AWS accepts no change now: it is {status}")


def test_nothing_is_put_into_a_new_subnet_before_it_is_bound_to_its_table_and_its_acl() -> None:
    found = plan(DOCUMENT, seen(DOCUMENT, only=[VPC, GATEWAY]), Policy(create_databases=True))
    (made,) = [index for index, action in enumerate(found.actions) if action.operation.name == "CreateDBSubnetGroup"]
    binding = {index for index, action in enumerate(found.actions) if action.moves and BACK1 in str(action.params)}
    assert len(binding) == 2
    assert binding <= found.needs[made]
