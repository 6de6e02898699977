"""Somebody edits between the look and the write: nothing is taken away that is not as it was seen moments before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desired_state.document import Document
from lab.drifts import DRIFTS
from lab.strict_aws import Call
from reconciler.engine import again, apply, run
from reconciler.model import Ended, Policy, Reason
from tests.support.cases import (
    ANYWHERE,
    Deed,
    Edit,
    built,
    calm,
    database,
    default_acl,
    each,
    edit,
    main_table,
    move_acl,
    other_main,
    permission,
    told,
)
from tests.support.moves import use_table
from tests.support.outsider import Deed as Done
from tests.support.outsider import Outsider, deeds, sequences
from tests.support.packets import State, violations
from tests.support.runs import Network
from tests.support.sampling import sampled

WEB, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
OUTSIDE, INSIDE = "network_acl/PublicSubnetACL", "network_acl/PrivateSubnetACL"
OUT, IN = "route_table/PublicRouteTable", "route_table/PrivateRouteTable"
DATABASE = "db_instance/mypostgresqldb"
FRONT, BACK = "subnet/PublicSubnet1", "subnet/PrivateSubnet1"
TEN_SECONDS = 10.0


@dataclass(frozen=True)
class Meeting:
    """What a run corrects, by which call, and what somebody edits just before: the network is then no more as seen."""

    name: str
    call: str
    drift: Deed
    edit: Deed
    wanted: Edit | None = None
    policy: Policy = field(default_factory=Policy)
    leaves: bool = False
    """Whether what they did is not declared and not taken away: a resource of theirs."""
    held: bool = False
    """Whether what they did keeps it from being corrected."""


def rule(group: str, *added: Any, revoked: Any = None, egress: bool = False) -> Deed:
    def deed(net: Network) -> None:
        ec2, side = net.outsider("ec2"), "egress" if egress else "ingress"
        for one in added:
            getattr(ec2, f"authorize_security_group_{side}")(GroupId=net.id(group), IpPermissions=[one])
        if revoked:
            getattr(ec2, f"revoke_security_group_{side}")(GroupId=net.id(group), IpPermissions=[revoked])

    return deed


def from_group(group: str, rule_of: Callable[[str], Deed]) -> Deed:
    return lambda net: rule_of(net.id(group))(net)


def entry(acl: str, number: int, verb: str = "create", action: str = "allow", **more: Any) -> Deed:
    def deed(net: Network) -> None:
        what = {"Protocol": "-1", "RuleAction": action, "CidrBlock": ANYWHERE} if verb != "delete" else {}
        place = {"NetworkAclId": net.id(acl), "RuleNumber": number, "Egress": False}
        getattr(net.outsider("ec2"), f"{verb}_network_acl_entry")(**place, **what, **more)

    return deed


def route(table: str | None, to: str, via: str, verb: str = "create") -> Deed:
    """A route of a table, or of the main one, via the internet gateway, a NAT gateway, or nothing (`delete`)."""

    def deed(net: Network) -> None:
        ec2 = net.outsider("ec2")
        target: dict[str, str] = {"GatewayId": net.id("internet_gateway/MyInternetGateway")} if via == "gateway" else {}
        if via == "nat":
            made = ec2.create_nat_gateway(SubnetId=net.id(FRONT), ConnectivityType="private")
            target = {"NatGatewayId": made["NatGateway"]["NatGatewayId"]}
        table_id = net.id(table) if table else main_table(net)[0]
        getattr(ec2, f"{verb}_route")(RouteTableId=table_id, DestinationCidrBlock=to, **target)

    return deed


def default_entry(net: Network) -> None:
    net.outsider("ec2").create_network_acl_entry(
        NetworkAclId=default_acl(net),
        RuleNumber=7,
        Egress=False,
        Protocol="-1",
        RuleAction="deny",
        CidrBlock="192.0.2.0/24",
    )


def associated(subnet: str, table: str) -> Deed:
    def deed(net: Network) -> None:
        use_table(net.outsider("ec2"), net.id(subnet), net.id(table))

    return deed


def tagged(address: str, **tags: str) -> Deed:
    return lambda net: net.outsider("ec2").create_tags(
        Resources=[net.id(address)], Tags=[{"Key": f"setpoint:{key}", "Value": value} for key, value in tags.items()]
    )


def owned(kind: str) -> Deed:
    """Something of this document that it no longer declares, as an earlier revision made it."""

    def deed(net: Network) -> None:
        ec2, vpc = net.outsider("ec2"), net.id("vpc/MyVPC")
        own = {"setpoint:document": "test-server", "setpoint:name": "old"}
        tags = [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in own.items()]}]
        if kind == "security-group":
            ec2.create_security_group(VpcId=vpc, GroupName="old", Description="old", TagSpecifications=tags)
        elif kind == "network-acl":
            ec2.create_network_acl(VpcId=vpc, TagSpecifications=tags)
        else:
            ec2.create_route_table(VpcId=vpc, TagSpecifications=tags)

    return deed


def taken_over(kind: str) -> Deed:
    """Somebody puts their own name on it."""

    def deed(net: Network) -> None:
        ec2 = net.outsider("ec2")
        (found,) = ec2.describe_tags(
            Filters=[{"Name": "key", "Values": ["setpoint:name"]}, {"Name": "value", "Values": ["old"]}]
        )["Tags"]
        assert found["ResourceType"] == kind
        ec2.create_tags(Resources=[found["ResourceId"]], Tags=[{"Key": "setpoint:document", "Value": "theirs"}])

    return deed


IMPLICIT = edit(IN, subnets=[BACK])
"""The second private subnet uses the main table."""
MEETINGS = (
    Meeting(
        "a rule is revoked where the rule that it stands beside was revoked",
        "RevokeSecurityGroupIngress",
        rule(SERVER, permission(8000, "10.0.1.0/24")),
        from_group(WEB, lambda web: rule(SERVER, revoked=permission(8000, web))),
    ),
    Meeting(
        "a rule is revoked in a group that somebody works on",
        "RevokeSecurityGroupIngress",
        rule(WEB, permission(22, ANYWHERE)),
        rule(WEB, permission(8443, "198.51.100.0/24")),
    ),
    Meeting(
        "an egress rule is revoked",
        "RevokeSecurityGroupEgress",
        rule(WEB, permission(22, ANYWHERE), egress=True),
        rule(WEB, permission(-1, ANYWHERE, protocol="-1"), egress=False),
    ),
    Meeting(
        "a rule is changed in a group that somebody works on",
        "ModifySecurityGroupRules",
        rule(WEB, permission(80, "203.0.113.0/24"), revoked=permission(80, ANYWHERE)),
        rule(WEB, permission(8080, "198.51.100.0/24")),
    ),
    Meeting(
        "a rule is revoked, and the group is put on hold",
        "RevokeSecurityGroupIngress",
        rule(WEB, permission(22, ANYWHERE)),
        tagged(WEB, hold="2026-11-22T15:00:00Z"),
        held=True,
    ),
    Meeting(
        "an entry is replaced that somebody replaced again",
        "ReplaceNetworkAclEntry",
        entry(OUTSIDE, 110, "replace", "deny"),
        entry(OUTSIDE, 110, "replace"),
    ),
    Meeting(
        "an entry is deleted that somebody has made the opposite of",
        "DeleteNetworkAclEntry",
        entry(INSIDE, 50),
        entry(INSIDE, 50, "replace", "deny"),
    ),
    Meeting(
        "an entry is deleted where another is gone",
        "DeleteNetworkAclEntry",
        entry(INSIDE, 50),
        entry(INSIDE, 100, "delete"),
    ),
    Meeting(
        "a subnet goes back to an ACL that somebody has emptied",
        "ReplaceNetworkAclAssociation",
        lambda net: move_acl(net, FRONT, default_acl(net)),
        each(entry(OUTSIDE, 100, "delete"), entry(OUTSIDE, 110, "delete")),
    ),
    Meeting(
        "a subnet leaves the default ACL, in which somebody has just denied an attacker",
        "ReplaceNetworkAclAssociation",
        lambda net: move_acl(net, FRONT, default_acl(net)),
        default_entry,
    ),
    Meeting(
        "a route is replaced in a table that somebody works on",
        "ReplaceRoute",
        route(OUT, ANYWHERE, "nat", "replace"),
        route(OUT, "203.0.113.0/24", "nat"),
    ),
    Meeting(
        "a route is deleted that leads elsewhere now",
        "DeleteRoute",
        route(IN, ANYWHERE, "nat"),
        route(IN, ANYWHERE, "gateway", "replace"),
    ),
    Meeting(
        "a subnet goes back to a table that somebody has opened",
        "ReplaceRouteTableAssociation",
        associated(BACK, OUT),
        route(IN, ANYWHERE, "gateway"),
    ),
    Meeting(
        "a subnet leaves a table that somebody works on",
        "ReplaceRouteTableAssociation",
        associated(BACK, OUT),
        route(OUT, "203.0.113.0/24", "nat"),
    ),
    Meeting(
        "a subnet goes back to the main table, which somebody has opened",
        "DisassociateRouteTable",
        associated("subnet/PrivateSubnet2", IN),
        route(None, ANYWHERE, "gateway"),
        wanted=IMPLICIT,
        leaves=True,
    ),
    Meeting(
        "the main table is exchanged for one that somebody has opened",
        "ReplaceRouteTableAssociation",
        other_main,
        route(IN, ANYWHERE, "gateway"),
        wanted=edit(IN, main=True),
    ),
    Meeting(
        "the database gets its groups back, and somebody has given it another",
        "ModifyDBInstance",
        lambda net: database(VpcSecurityGroupIds=[net.id(DB), net.id(WEB)])(net),
        lambda net: database(VpcSecurityGroupIds=[net.id(DB), net.id(WEB), net.id(SERVER)])(net),
    ),
    Meeting(
        "the database loses a public address, and somebody has changed its backups",
        "ModifyDBInstance",
        database(PubliclyAccessible=True, BackupRetentionPeriod=3),
        database(BackupRetentionPeriod=30),
    ),
    Meeting(
        "the database leaves for a group that somebody has opened",
        "ModifyDBInstance",
        lambda net: database(VpcSecurityGroupIds=[net.id(WEB)])(net),
        rule(DB, permission(22, ANYWHERE)),
    ),
    *(
        Meeting(
            f"an undeclared {kind} of ours is deleted that somebody has taken over",
            call,
            owned(kind),
            taken_over(kind),
            policy=Policy(prune=True),
            leaves=True,
        )
        for kind, call in (
            ("security-group", "DeleteSecurityGroup"),
            ("network-acl", "DeleteNetworkAcl"),
            ("route-table", "DeleteRouteTable"),
        )
    ),
)


@dataclass
class Watched:
    """One run that somebody got into. `first` are the calls after the edit and before the whole network was looked at
    again, `later` those after.
    """

    report: Any
    edited: State
    states: list[State]
    calls: list[Call]

    @property
    def first(self) -> list[str]:
        names = [one.operation for one in self.calls]
        return names[: names.index("DescribeVpcs")] if "DescribeVpcs" in names else names


@pytest.fixture
def between(net: Network, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    """A run that is interrupted after its first look, by `edit`, for ten seconds."""

    def meet(edit_: Deed, wanted: Document | None = None, policy: Policy | None = None) -> Watched:
        edited: list[State] = []
        states: list[State] = []

        def late(*args: Any) -> Any:
            if not edited:
                edit_(net)
                net.clock.sleep(TEN_SECONDS)
                edited.append(net.state())
                net.lab.calls.clear()
            return apply.apply(*args)

        monkeypatch.setattr(run, "apply", late)
        with net.watched() as seen:
            report = net.run(wanted, policy)
            states += seen
        monkeypatch.undo()
        return Watched(report, edited[0], states, list(net.lab.calls))

    return meet


def met(net: Network, between: Callable[..., Watched], meeting: Meeting) -> tuple[Watched, Document]:
    wanted = built(net, meeting.wanted, from_clean=True)
    meeting.drift(net)
    return between(meeting.edit, wanted, meeting.policy), wanted


@pytest.mark.parametrize("meeting", sampled(MEETINGS, 4, seed="with", ids=[one.name for one in MEETINGS]))
def test_nothing_is_taken_away_that_somebody_has_changed(
    net: Network, between: Callable[..., Watched], meeting: Meeting
) -> None:
    wanted = built(net, meeting.wanted, from_clean=True)
    clean = net.state()
    watched, _ = met(net, between, meeting)
    assert meeting.call not in watched.first, watched.first
    assert any(one.startswith("Describe") for one in watched.first), "it was not looked at again"
    assert "DescribeVpcs" in [one.operation for one in watched.calls], "the network was not looked at again"
    net.lab.settle()
    others = [net.state()] if meeting.leaves else []
    assert violations(watched.edited, clean, watched.states, *others) == []
    net.run(wanted, meeting.policy)
    net.lab.settle()
    last = net.run(wanted, meeting.policy)
    assert last.in_sync or meeting.leaves or meeting.held, told(last)


@pytest.mark.parametrize("meeting", sampled(MEETINGS, 11, seed="without", ids=[one.name for one in MEETINGS]))
def test_without_another_look_it_would_be(
    net: Network, between: Callable[..., Watched], meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "FRESH_FOR", timedelta(days=1))
    assert meeting.call in met(net, between, meeting)[0].first


ONCE = (rule(WEB, permission(22, ANYWHERE)), rule(WEB, permission(22, "192.0.2.0/24"), egress=True))
"""Two calls of one group, one for each direction."""


def slowly(net: Network, seconds: float) -> None:
    """Every write takes so long."""
    net.lab.after_write = lambda call: net.clock.sleep(seconds)


def again_reads(net: Network) -> int:
    """How many reads name resources by their ids."""
    return sum(
        any(one["Name"] in {"group-id", "network-acl-id", "route-table-id", "db-instance-id"} for one in filters)
        for call in net.lab.calls
        if call.kind == "read" and (filters := call.params.get("Filters"))
    )


@pytest.mark.parametrize(("seconds", "looks"), [(1.0, 0), (10.0, 1)])
def test_only_what_was_seen_too_long_ago_is_looked_at_again(net: Network, seconds: float, looks: int) -> None:
    each(*ONCE)(net)
    net.lab.calls.clear()
    slowly(net, seconds)
    report = net.run()
    assert report.in_sync, told(report)
    assert (report.writes, again_reads(net)) == (2, looks)


def test_a_calm_run_looks_at_nothing_again(net: Network) -> None:
    calm(net)
    assert again_reads(net) == 0


@pytest.mark.parametrize("times", [1, 2])
def test_a_call_of_its_own_that_is_not_visible_yet_is_waited_for(net: Network, times: int) -> None:
    each(*ONCE)(net)
    net.lab.calls.clear()

    def late(call: Call) -> None:
        net.clock.sleep(TEN_SECONDS)
        if call.operation.startswith("Revoke") and not net.lab.faults.take("DescribeSecurityGroups", "read"):
            net.lab.faults.stale("DescribeSecurityGroups", times)
            net.lab.after_write = None

    net.lab.after_write = late
    report = net.run()
    assert report.in_sync, told(report)
    assert (report.writes, again_reads(net)) == (2, times + 1)


def test_a_call_of_its_own_that_stays_invisible_costs_another_round_and_nothing_else(net: Network) -> None:
    each(*ONCE)(net)
    net.lab.calls.clear()

    def late(call: Call) -> None:
        net.clock.sleep(TEN_SECONDS)
        net.lab.faults.stale("DescribeSecurityGroups", 3)
        net.lab.after_write = None

    net.lab.after_write = late
    report = net.run()
    assert report.in_sync, told(report)
    assert (report.writes, again_reads(net)) == (2, 3)


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "UnauthorizedOperation"])
def test_what_cannot_be_looked_at_again_is_not_taken_away_in_this_round(net: Network, code: str) -> None:
    each(*ONCE)(net)
    net.lab.calls.clear()

    def late(call: Call) -> None:
        net.clock.sleep(TEN_SECONDS)
        net.lab.faults.fail("DescribeSecurityGroups", code)
        net.lab.after_write = None

    net.lab.after_write = late
    report = net.run()
    names = [one.operation for one in net.lab.calls]
    first = next(index for index, name in enumerate(names) if name.startswith("Revoke"))
    second = next(index for index, name in enumerate(names) if index > first and name.startswith("Revoke"))
    assert "DescribeVpcs" in names[first:second]
    assert report.in_sync, told(report)


def test_what_waits_says_who_changed_what(net: Network, between: Callable[..., Watched]) -> None:
    rule(WEB, permission(22, ANYWHERE))(net)
    watched = between(rule(WEB, permission(8443, "198.51.100.0/24")))
    (stale,) = [one for one in watched.report.action_results if one.ended is Ended.STALE]
    assert stale.cause
    assert stale.cause.reason is Reason.STALE
    assert stale.message == (
        f"{WEB} has changed since it was looked at: ingress rule tcp 8443 from 198.51.100.0/24 is new"
    )


def test_all_drifts_at_once_are_corrected_with_as_many_reads_as_before(net: Network) -> None:
    for drift in DRIFTS:
        drift.apply(net.hands, net.live)
    net.lab.settle()
    net.lab.calls.clear()
    net.run()
    assert again_reads(net) == 0


def quiet(outsider: Outsider, drift: list[Done]) -> None:
    """A slow run into which nobody gets takes nothing for an edit, and ends as a quick one does."""
    net = outsider.net
    saved = net.lab.save()
    try:
        outsider.do(drift)
        slowly(net, 4.0)
        report = net.run()
        assert [one.message for one in report.action_results if "since it was looked at" in one.message] == []
        assert Reason.NOT_VISIBLE_YET not in {one.cause.reason for one in report.action_results if one.cause}
    finally:
        net.lab.after_write = None
        net.lab.restore(saved)
        net.lab.calls.clear()


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(drift=sequences)
def test_a_slow_run_takes_nothing_of_its_own_for_an_edit(outsider: Outsider, drift: list[Done]) -> None:
    quiet(outsider, drift)


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(drift=st.lists(deeds, min_size=3, max_size=12))
def test_a_slow_run_takes_nothing_of_its_own_for_an_edit_at_length(outsider: Outsider, drift: list[Done]) -> None:
    quiet(outsider, drift)
