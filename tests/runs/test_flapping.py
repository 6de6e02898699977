"""Corrections that somebody keeps undoing: how often they are made, and that the rest goes on without a gap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desired_state.fields import Address
from reconciler.attempt.flapping import after, name, suppressed
from reconciler.engine.gate import seen_holds
from reconciler.engine.result import Report
from reconciler.engine.run import Memory
from reconciler.ledger.record import FlappingRecord
from reconciler.model import Cause, Outcome, Reason
from tests.support.cases import ANYWHERE, ended, move_acl, permission, said, told
from tests.support.outsider import MEETINGS, Deed, Outsider, changes, sequences
from tests.support.packets import State, violations
from tests.support.runs import Network
from tests.support.sampling import sampled

API, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
PUBLIC_ACL, PRIVATE_ACL = "network_acl/PublicSubnetACL", "network_acl/PrivateSubnetACL"
TABLE, GATEWAY = "route_table/PublicRouteTable", "internet_gateway/MyInternetGateway"
WHY = Cause(Reason.FLAPPING, "flapping: it is suppressed until noon")


def suppressing(*places: tuple[str, str]) -> Memory:
    """What is suppressed, as (address, field)."""
    return Memory(flapping=lambda one: WHY if (str(one.address), one.field) in places else None)


@dataclass
class Ledger:
    """Runs that remember, one after another, with the times of their writes on one drift."""

    net: Network
    flapping: dict[str, FlappingRecord] = field(default_factory=dict)
    wrote: list[datetime] = field(default_factory=list)

    def run(self) -> Report:
        began = self.net.clock.now()
        report = self.net.run(memory=Memory(flapping=lambda one: suppressed(self.flapping, one, began)))
        self.flapping = after(self.flapping, report, self.net.clock.now())
        self.wrote += [began] if report.writes else []
        return report


def open_ssh(net: Network, group: str = DB) -> None:
    """Somebody opens a door, if it is not open yet."""
    if 22 not in ports(net, group):
        net.outsider("ec2").authorize_security_group_ingress(
            GroupId=net.id(group), IpPermissions=[permission(22, ANYWHERE)]
        )


def close_database(net: Network) -> None:
    peer = net.id(SERVER)
    net.outsider("ec2").revoke_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(5432, peer)])


def ports(net: Network, group: str) -> list[int]:
    (found,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(group)])["SecurityGroups"]
    return sorted(one["FromPort"] for one in found["IpPermissions"])


def test_a_rule_that_is_added_again_and_again_is_revoked_three_times_and_then_suppressed(net: Network) -> None:
    ledger = Ledger(net)
    for _ in range(3):
        open_ssh(net)
        assert ended(ledger.run(), DB, "ingress") == {Outcome.CORRECTED}
        net.clock.sleep(300)
    open_ssh(net)
    report = ledger.run()
    assert ended(report, DB, "ingress") == {Outcome.HELD}
    assert "flapping: it came back each time it was corrected, so it is suppressed until" in said(report, DB, "ingress")
    assert (report.writes, ports(net, DB)) == (0, [22, 5432])


def test_flapping_of_hours_is_written_at_most_three_times_in_any_hour(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, began = Ledger(net), net.clock.now()
    for quarter in range(4 * 4):
        monkeypatch.setattr(net.clock, "at", began + timedelta(minutes=15 * quarter))
        open_ssh(net)
        ledger.run()
    hours = [round((at - began).total_seconds() / 3600, 2) for at in ledger.wrote]
    assert hours == [0.0, 0.25, 0.5, 1.5, 3.5]


def test_a_database_that_is_cut_off_again_and_again_is_suppressed_too(net: Network) -> None:
    ledger = Ledger(net)
    for _ in range(3):
        close_database(net)
        assert ended(ledger.run(), DB, "ingress") == {Outcome.CORRECTED}
    close_database(net)
    assert ended(ledger.run(), DB, "ingress") == {Outcome.HELD}


def test_beside_a_suppressed_rule_the_rest_of_the_group_is_corrected(net: Network) -> None:
    open_ssh(net)
    net.outsider("ec2").authorize_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(23, ANYWHERE)])
    close_database(net)
    report = net.run(memory=Memory(flapping=lambda one: WHY if getattr(one.key, "first", 0) == 22 else None))
    assert {(drift.difference.key.first, drift.outcome) for drift in report.drifts} == {
        (22, Outcome.HELD),
        (23, Outcome.CORRECTED),
        (5432, Outcome.CORRECTED),
    }
    assert ports(net, DB) == [22, 5432]


def test_nobody_keeps_a_door_open_by_fighting_over_the_one_beside_it(net: Network) -> None:
    """Ours is suppressed and missing, and a wider one stands in its place: revoking that alone would cut what both
    sides allow, so the suppression gives way and both are put right.
    """
    close_database(net)
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(DB), IpPermissions=[permission(5432, ANYWHERE), permission(22, ANYWHERE)]
    )
    before = net.state()
    with net.watched() as states:
        report = net.run(memory=Memory(flapping=lambda one: WHY if getattr(one.key, "peer", "") == SERVER else None))
    assert {(drift.difference.key.first, drift.difference.key.peer, drift.outcome) for drift in report.drifts} == {
        (5432, SERVER, Outcome.CORRECTED),
        (5432, ANYWHERE, Outcome.CORRECTED),
        (22, ANYWHERE, Outcome.CORRECTED),
    }
    assert violations(before, net.state(), states) == []


def test_a_door_behind_a_rule_that_is_left_open_stays_shut_and_other_doors_are_opened(net: Network) -> None:
    """The list would let ssh in again, and the group still does: that packet neither side allows."""
    ec2, acl = net.outsider("ec2"), net.id(PUBLIC_ACL)
    ec2.authorize_security_group_ingress(GroupId=net.id(API), IpPermissions=[permission(8000, ANYWHERE)])
    for number in (100, 120):
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Egress=False)
    before = net.state()
    with net.watched() as states:
        report = net.run(memory=suppressing((API, "ingress")))
    assert {(drift.difference.key, drift.outcome) for drift in report.drifts if drift.address == PUBLIC_ACL} == {
        (100, Outcome.CORRECTED),
        (120, Outcome.HELD),
    }
    assert said(report, PUBLIC_ACL, "ingress").endswith(
        "the intent 'from outside only the front door' forbids it: it would let tcp 8000 from the internet reach api; "
        "change the rule or the intent"
    )
    assert violations(before, clean_of(net), [*states]) == []


def test_nobody_moves_to_a_list_that_is_left_as_it_is_and_who_stays_finds_nothing_changed(net: Network) -> None:
    ec2 = net.outsider("ec2")
    clean = net.state()
    ec2.create_network_acl_entry(
        NetworkAclId=net.id(PUBLIC_ACL),
        RuleNumber=50,
        Egress=False,
        Protocol="-1",
        RuleAction="allow",
        CidrBlock=ANYWHERE,
    )
    ec2.create_network_acl_entry(
        NetworkAclId=net.id(PRIVATE_ACL),
        RuleNumber=50,
        Egress=False,
        Protocol="-1",
        RuleAction="deny",
        CidrBlock=ANYWHERE,
    )
    move_acl(net, "subnet/PublicSubnet1", net.id(PRIVATE_ACL))
    before = net.state()
    with net.watched() as states:
        report = net.run(memory=suppressing((PUBLIC_ACL, "ingress")))
    assert ended(report, PUBLIC_ACL, "ingress") == ended(report, PUBLIC_ACL, "subnets") == {Outcome.HELD}
    assert ended(report, PRIVATE_ACL, "ingress") == ended(report, PRIVATE_ACL, "subnets") == {Outcome.HELD}
    assert (states, violations(before, clean, states)) == ([], [])
    assert net.run().in_sync


def test_a_group_that_is_left_missing_leaves_its_rules_missing_and_nothing_else(net: Network) -> None:
    ec2 = net.outsider("ec2")
    clean = net.state()
    close_database(net)
    ec2.revoke_security_group_egress(GroupId=net.id(API), IpPermissions=groups(net, API)["IpPermissionsEgress"])
    open_ssh(net)
    ec2.delete_security_group(GroupId=net.id(SERVER))
    before = net.state()
    with net.watched() as states:
        report = net.run(memory=suppressing((SERVER, "")))
    assert ended(report, SERVER) == {Outcome.HELD}
    ends = [(drift.difference, drift.outcome) for drift in report.drifts]
    assert {(one.address, one.field, getattr(one.key, "first", ""), outcome) for one, outcome in ends} >= {
        (DB, "ingress", 5432, Outcome.HELD),
        (DB, "ingress", 22, Outcome.CORRECTED),
    }
    assert f"it needs {SERVER}, which is suppressed: {WHY}" in said(report, DB, "ingress")
    assert violations(before, clean, states) == []
    again = net.run(memory=suppressing((SERVER, "")))
    assert (again.writes, ended(again, SERVER)) == (0, {Outcome.HELD})


def test_a_gateway_that_is_left_detached_keeps_its_routes_waiting(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.delete_route(RouteTableId=net.id(TABLE), DestinationCidrBlock=ANYWHERE)
    ec2.detach_internet_gateway(InternetGatewayId=net.id(GATEWAY), VpcId=net.id("vpc/MyVPC"))
    report = net.run(memory=suppressing((GATEWAY, "vpc")))
    assert ended(report, GATEWAY, "vpc") == ended(report, TABLE, "routes") == {Outcome.HELD}
    assert (said(report, GATEWAY, "vpc"), report.writes) == (WHY.message, 0)


def test_without_writing_the_plan_says_what_is_suppressed(net: Network) -> None:
    open_ssh(net)
    report = net.plan(memory=suppressing((DB, "ingress")))
    assert [(drift.outcome, drift.cause) for drift in report.drifts] == [(Outcome.HELD, WHY)]
    assert report.plan.actions == ()


def test_a_hold_that_is_written_anew_every_day_ends_all_the_same(net: Network) -> None:
    ec2, since = net.outsider("ec2"), net.clock.now() - timedelta(hours=23)
    until = f"{net.clock.now() + timedelta(hours=20):%Y-%m-%dT%H:%M:%SZ}"
    ec2.create_tags(Resources=[net.id(DB)], Tags=[{"Key": "setpoint:hold", "Value": until}])
    open_ssh(net)
    report = net.run(memory=Memory(held_since={Address(DB): since}))
    end = f"{since + timedelta(hours=24):%Y-%m-%dT%H:%MZ}"
    assert said(report, DB, "ingress") == f"a setpoint:hold tag holds it until {end}"
    assert seen_holds(report, {Address(DB): since}, net.clock.now()) == {Address(DB): since}
    late = net.run(memory=Memory(held_since={Address(DB): since - timedelta(hours=1)}))
    assert ended(late, DB, "ingress") == {Outcome.CORRECTED}


def clean_of(net: Network) -> State:
    """The state of the network as it was built."""
    now = net.lab.save()
    net.lab.restore(net.clean)
    clean = net.state()
    net.lab.restore(now)
    return clean


def groups(net: Network, group: str) -> dict[str, Any]:
    (found,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(group)])["SecurityGroups"]
    return dict(found)


def search(outsider: Outsider, deeds: list[Deed], salt: int, share: int) -> None:
    """Deeds are done, `share` of seven drifts are suppressed, and somebody watches the packets after every call."""
    net = outsider.net
    saved = net.lab.save()
    memory = Memory(flapping=lambda one: WHY if (int(name(one), 16) ^ salt * 2654435761) % 7 < share else None)
    try:
        clean = net.state()
        outsider.do(deeds)
        before = net.state()
        net.lab.calls.clear()
        with net.watched() as states:
            net.run(memory=memory)
            net.lab.settle()
            report = net.run(memory=memory)
        calls = "\n".join(f"{index}: {call.operation} {call.params}" for index, call in enumerate(changes(net), 1))
        broken = violations(before, clean, states)
        assert not broken, f"{broken[0]}, and {len(broken) - 1} more, of\n{calls}\n{told(report)}"
        explained = {Outcome.HELD, Outcome.BLOCKED}
        wrong = [one for one in told(report) if one[2] not in {*explained, Outcome.CORRECTED, Outcome.IN_SYNC}]
        assert not wrong, wrong
        assert report.writes == 0, calls
    finally:
        net.lab.restore(saved)
        net.lab.calls.clear()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deeds=sequences, salt=st.integers(0, 1000), share=st.integers(1, 4))
def test_whatever_is_suppressed_the_rest_is_put_right_without_a_gap(
    outsider: Outsider, deeds: list[Deed], salt: int, share: int
) -> None:
    search(outsider, deeds, salt, share)


@pytest.mark.parametrize("salt", [1])
@pytest.mark.parametrize("deeds", sampled([*MEETINGS.values()], 4, seed="held", ids=[*MEETINGS]))
def test_deeds_that_meet_on_one_way_are_put_right_without_a_gap_beside_what_is_suppressed(
    outsider: Outsider, deeds: list[Deed], salt: int
) -> None:
    search(outsider, deeds, salt, 3)
