"""How far a run goes: exceptions, holds, enforcement, pruning, the limits of one run, and plans already seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.run import StalePlanError
from reconciler.model import Outcome, Policy
from tests.support.cases import (
    ANYWHERE,
    DATABASE,
    Edit,
    both,
    built,
    calm,
    database,
    default_acl,
    edit,
    ended,
    entry,
    left,
    move_acl,
    permission,
    removed,
    rule,
    said,
    told,
    writes,
)
from tests.support.runs import Network, document, drifted

API, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
PUBLIC_ACL, TABLE = "network_acl/PublicSubnetACL", "route_table/PublicRouteTable"


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _open_ssh(net: Network, group: str = DB) -> None:
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(group), IpPermissions=[permission(22, ANYWHERE)]
    )


def _open(net: Network, group: str, *ports: int) -> None:
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(group), IpPermissions=[permission(port, ANYWHERE) for port in ports]
    )


def _excepting(net: Network, address: str, field: str, value: Any, hours: int = 1) -> Edit:
    until = _stamp(net.clock.now() + timedelta(hours=hours))
    one = {"address": address, "field": field, "value": value, "until": until, "reason": "agreed with Kim"}
    return lambda written: written.setdefault("exceptions", []).append(one)


def test_a_stranger_s_rule_is_excepted_until_its_date_and_then_revoked(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = document(_excepting(net, DB, "ingress", rule(22, ANYWHERE)))
    _open_ssh(net)
    report = net.run(wanted)
    assert (report.in_sync, report.writes, report.drifts) == (True, 0, ())
    ((difference, exception),) = report.excepted
    assert (difference.address, difference.field, exception.reason) == (DB, "ingress", "agreed with Kim")
    monkeypatch.setattr(net.clock, "at", net.clock.now() + timedelta(hours=2))
    assert ended(net.run(wanted), DB, "ingress") == {Outcome.CORRECTED}
    assert writes(net) == ["RevokeSecurityGroupIngress"]
    calm(net, wanted)


def test_an_excepted_rule_stays_while_the_ones_beside_it_are_corrected(net: Network) -> None:
    wanted = document(_excepting(net, DB, "ingress", rule(22, ANYWHERE)))
    _open(net, DB, 22, 23)
    net.outsider("ec2").revoke_security_group_ingress(
        GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER))]
    )
    report = net.run(wanted)
    assert report.in_sync, told(report)
    (group,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(DB)])["SecurityGroups"]
    assert sorted(one["FromPort"] for one in group["IpPermissions"]) == [22, 5432]
    calm(net, wanted)


def test_an_exception_for_one_rule_covers_no_other(net: Network) -> None:
    wanted = document(_excepting(net, DB, "ingress", rule(22, "198.51.100.0/24")))
    _open_ssh(net)
    report = net.run(wanted)
    assert ended(report, DB, "ingress") == {Outcome.CORRECTED}
    assert report.excepted == ()


def test_an_excepted_entry_stays_while_the_ones_beside_it_are_corrected(net: Network) -> None:
    wanted = document(_excepting(net, PUBLIC_ACL, "ingress", {"50": entry("allow", 22, "198.51.100.0/24")}))
    ec2, acl = net.outsider("ec2"), net.id(PUBLIC_ACL)
    ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=50,
        Egress=False,
        Protocol="6",
        RuleAction="allow",
        CidrBlock="198.51.100.0/24",
        PortRange={"From": 22, "To": 22},
    )
    ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert len(report.excepted) == 1
    (found,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]
    numbers = sorted(one["RuleNumber"] for one in found["Entries"] if not one["Egress"])
    assert numbers == [50, 100, 110, 120, 32767]
    calm(net, wanted)


def test_an_excepted_group_stays_on_the_database_while_another_is_taken_off(net: Network) -> None:
    wanted = document(_excepting(net, f"db_instance/{DATABASE}", "vpc_security_groups", SERVER))
    groups = [net.id(one) for one in (DB, SERVER, API)]
    database(VpcSecurityGroupIds=groups)(net)
    net.run(wanted)
    net.lab.settle()
    calm(net, wanted)
    (found,) = net.outsider("rds").describe_db_instances()["DBInstances"]
    assert {one["VpcSecurityGroupId"] for one in found["VpcSecurityGroups"]} == {net.id(DB), net.id(SERVER)}


def test_an_excepted_value_is_that_value_and_no_other(net: Network) -> None:
    wanted = document(_excepting(net, f"db_instance/{DATABASE}", "deletion_protection", False))
    database(DeletionProtection=False, CopyTagsToSnapshot=False)(net)
    assert drifted(net.plan(wanted)) == {(f"db_instance/{DATABASE}", "copy_tags_to_snapshot")}


def _hold(net: Network, address: str, until: str) -> None:
    net.outsider("ec2").create_tags(Resources=[net.id(address)], Tags=[{"Key": "setpoint:hold", "Value": until}])


def test_a_hold_keeps_a_resource_as_it_is_until_it_ends(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    _open_ssh(net)
    _open_ssh(net, SERVER)
    until = net.clock.now() + timedelta(hours=2)
    _hold(net, DB, _stamp(until))
    report = net.run()
    assert ended(report, DB, "ingress") == {Outcome.HELD}
    assert f"a setpoint:hold tag holds it until {until:%Y-%m-%dT%H:%MZ}" in said(report, DB, "ingress")
    assert ended(report, SERVER, "ingress") == {Outcome.CORRECTED}
    assert net.run().writes == 0
    monkeypatch.setattr(net.clock, "at", until + timedelta(seconds=1))
    assert ended(net.run(), DB, "ingress") == {Outcome.CORRECTED}


def test_a_hold_on_a_database_is_honoured_too(net: Network) -> None:
    database(DeletionProtection=False)(net)
    arn = f"arn:aws:rds:ap-northeast-2:123456789012:db:{DATABASE}"
    until = _stamp(net.clock.now() + timedelta(hours=2))
    net.outsider("rds").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "setpoint:hold", "Value": until}])
    left(net, f"db_instance/{DATABASE}", "deletion_protection", Outcome.HELD, "a setpoint:hold tag holds it until")
    assert writes(net) == []


def test_a_hold_on_either_end_of_a_move_holds_it(net: Network) -> None:
    move_acl(net, "subnet/PublicSubnet1", net.id("network_acl/PrivateSubnetACL"))
    _hold(net, "network_acl/PrivateSubnetACL", _stamp(net.clock.now() + timedelta(hours=1)))
    report = net.run()
    for acl in ("network_acl/PrivateSubnetACL", PUBLIC_ACL):
        assert ended(report, acl, "subnets") == {Outcome.HELD}, told(report)
    assert writes(net) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2036-01-01T00:00:00Z", "the latest that this deployment allows"),
        ("until Kim is back", "it is not a time; write one such as"),
        ("2026-11-22T23:00:00", "it has no time zone; add Z for UTC"),
        ("", "it is not a time"),
    ],
)
def test_a_hold_that_is_none_holds_nothing_and_is_told(net: Network, text: str, why: str) -> None:
    _open_ssh(net)
    _hold(net, DB, text)
    report = net.run()
    assert ended(report, DB, "ingress") == {Outcome.CORRECTED}
    (finding,) = [one for one in report.findings if one.address == DB]
    assert (finding.outcome, finding.key, why in finding.cause.message) == (Outcome.BLOCKED, "setpoint:hold", True)
    assert not report.in_sync


def test_a_deployment_may_allow_longer_holds(net: Network) -> None:
    _open_ssh(net)
    _hold(net, DB, _stamp(net.clock.now() + timedelta(hours=40)))
    assert ended(net.run(policy=Policy(max_hold_hours=48)), DB, "ingress") == {Outcome.HELD}
    assert ended(net.run(), DB, "ingress") == {Outcome.CORRECTED}


def test_a_resource_that_the_document_only_reports_is_told_and_left(net: Network) -> None:
    wanted = document(edit(DB, enforcement="report"))
    _open_ssh(net)
    _open_ssh(net, SERVER)
    report = left(net, DB, "ingress", Outcome.HELD, f"the document sets enforcement to report for {DB}", wanted)
    assert ended(report, SERVER, "ingress") == {Outcome.CORRECTED}


def test_a_resource_that_the_document_ignores_is_not_even_told(net: Network) -> None:
    wanted = document(edit(DB, enforcement="ignore"))
    _open_ssh(net)
    calm(net, wanted)


@pytest.mark.parametrize("enforcement", ["report", "ignore"])
def test_a_resource_may_be_corrected_in_a_document_that_is_not(net: Network, enforcement: str) -> None:
    wanted = document(both(lambda it: it.update(enforcement=enforcement), edit(SERVER, enforcement="correct")))
    _open_ssh(net)
    _open_ssh(net, SERVER)
    report = net.run(wanted)
    assert ended(report, SERVER, "ingress") == {Outcome.CORRECTED}
    assert ended(report, DB, "ingress") == ({Outcome.HELD} if enforcement == "report" else set())
    assert writes(net) == ["RevokeSecurityGroupIngress"]


def test_a_deployment_that_only_reports_writes_nothing(net: Network) -> None:
    _open_ssh(net)
    left(
        net,
        DB,
        "ingress",
        Outcome.HELD,
        "this deployment only reports: SETPOINT_MODE is report",
        policy=Policy(mode="report"),
    )
    assert writes(net) == []


ORPHANS = both(
    edit("security_group/Old", ingress=[], egress=[]),
    edit("route_table/Old", routes={}, subnets=[]),
    edit("network_acl/Old", ingress={}, egress={}, subnets=[]),
)


def _orphans(net: Network, report: Any) -> set[str]:
    return {str(one.address) for one in report.unmanaged if one.owned}


def test_what_is_ours_and_no_longer_declared_is_only_reported_without_leave_to_prune(net: Network) -> None:
    built(net, ORPHANS)
    report = net.run()
    assert _orphans(net, report) == {"security_group/Old", "route_table/Old", "network_acl/Old"}
    assert (report.in_sync, report.writes) == (True, 0)


def test_what_is_ours_and_no_longer_declared_goes_with_leave_to_prune(net: Network) -> None:
    built(net, ORPHANS)
    report = net.run(policy=Policy(prune=True))
    assert report.in_sync, told(report)
    assert sorted(writes(net)) == ["DeleteNetworkAcl", "DeleteRouteTable", "DeleteSecurityGroup"]
    assert _orphans(net, net.run()) == set()
    calm(net, policy=Policy(prune=True))


def test_a_group_that_others_name_goes_after_the_rules_that_name_it(net: Network) -> None:
    built(net, both(edit("security_group/Old", ingress=[]), edit(DB, ingress=[rule(5432, "security_group/Old")])))
    report = net.run(policy=Policy(prune=True))
    assert report.in_sync, told(report)
    assert writes(net)[-1] == "DeleteSecurityGroup"
    assert _orphans(net, net.run()) == set()


def test_nothing_of_strangers_or_of_another_document_is_ever_pruned(net: Network) -> None:
    ec2, here = net.outsider("ec2"), net.id("vpc/MyVPC")
    ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=here)
    other = ec2.create_route_table(VpcId=here)["RouteTable"]["RouteTableId"]
    tags = [{"Key": "setpoint:document", "Value": "another"}, {"Key": "setpoint:name", "Value": "Old"}]
    ec2.create_tags(Resources=[other], Tags=tags)
    calm(net, policy=Policy(prune=True))


def test_subnets_and_databases_are_never_pruned(net: Network) -> None:
    built(
        net,
        both(
            edit("subnet/Old", cidr_block="10.0.9.0/24", availability_zone="ap-northeast-2a"),
            edit(
                "db_instance/old",
                engine="postgres",
                db_instance_class="db.t3.micro",
                allocated_storage=20,
                master_username="postgres",
                manage_master_user_password=True,
                db_subnet_group="db_subnet_group/mydbsubnetgroup",
                publicly_accessible=False,
            ),
        ),
    )
    report = net.run(policy=Policy(prune=True))
    assert report.writes == 0
    assert _orphans(net, report) == {"subnet/Old", "db_instance/old"}


def test_a_plan_that_takes_away_too_much_is_not_begun_and_is_released_by_its_name(net: Network) -> None:
    ports = range(100, 121)
    _open(net, DB, *ports)
    net.outsider("ec2").delete_route(RouteTableId=net.id(TABLE), DestinationCidrBlock=ANYWHERE)
    report = net.run()
    assert writes(net) == []
    assert ended(report, DB, "ingress") == ended(report, TABLE, "routes") == {Outcome.HELD}
    assert "the plan removes or replaces 21 live members, and the limit of one run is 20" in said(report, DB, "ingress")
    released = net.run(approved=report.plan.fingerprint)
    assert released.in_sync, told(released)
    calm(net)


def test_a_plan_at_the_limit_is_carried_out(net: Network) -> None:
    _open(net, DB, *range(100, 120))
    assert net.run().in_sync


@pytest.mark.parametrize(("limit", "outcome"), [(0, Outcome.HELD), (1, Outcome.CORRECTED)])
def test_a_deployment_may_set_the_limit_itself(net: Network, limit: int, outcome: Outcome) -> None:
    _open_ssh(net)
    assert ended(net.run(policy=Policy(max_breaks=limit)), DB, "ingress") == {outcome}


def test_the_name_of_another_plan_releases_nothing(net: Network) -> None:
    _open_ssh(net)
    other = net.plan().plan.fingerprint
    _open(net, DB, *range(100, 130))
    report = net.run(approved=other)
    assert ended(report, DB, "ingress") == {Outcome.HELD}
    assert writes(net) == []


def test_a_document_that_lost_a_whole_section_writes_nothing_at_all(net: Network) -> None:
    def without(written: dict[str, Any]) -> None:
        del written["resources"]["network_acl"]

    wanted = document(without)
    _open_ssh(net)
    report = net.run(wanted, Policy(prune=True))
    assert ended(report, DB, "ingress") == {Outcome.HELD}
    assert "network_acl/*: the document no longer has this section" in said(report, DB, "ingress")
    assert writes(net) == []
    released = net.run(wanted, approved=net.plan(wanted).plan.fingerprint)
    assert ended(released, DB, "ingress") == {Outcome.CORRECTED}


def test_only_what_was_asked_for_is_touched(net: Network) -> None:
    _open_ssh(net)
    _open_ssh(net, SERVER)
    report = net.run(only=frozenset({Address(SERVER)}))
    assert drifted(report) == {(SERVER, "ingress")}
    assert report.in_sync, told(report)
    assert writes(net) == ["RevokeSecurityGroupIngress"]
    assert drifted(net.plan()) == {(DB, "ingress")}


def test_a_narrowed_run_prunes_nothing(net: Network) -> None:
    built(net, ORPHANS)
    _open_ssh(net)
    report = net.run(policy=Policy(prune=True), only=frozenset({Address(DB)}))
    assert report.in_sync, told(report)
    assert writes(net) == ["RevokeSecurityGroupIngress"]


def test_a_plan_that_somebody_has_seen_is_carried_out_as_it_was(net: Network) -> None:
    _open_ssh(net)
    seen = net.plan().plan.fingerprint
    assert net.run(expected=seen).in_sync


def test_a_plan_that_is_no_longer_what_somebody_has_seen_is_refused_before_any_write(net: Network) -> None:
    _open_ssh(net)
    seen = net.plan().plan.fingerprint
    move_acl(net, "subnet/PublicSubnet1", default_acl(net))
    with pytest.raises(StalePlanError, match=f"not {seen}: something has changed since"):
        net.run(expected=seen)
    assert writes(net) == []


def test_the_plan_of_another_document_is_refused_even_where_it_would_do_the_same(net: Network) -> None:
    _open_ssh(net)
    seen = net.plan().plan.fingerprint
    wanted = document(lambda written: written.update(revision=2))
    with pytest.raises(StalePlanError):
        net.run(wanted, expected=seen)
    assert writes(net) == []


def test_a_plan_alone_writes_nothing(net: Network) -> None:
    _open_ssh(net)
    report = net.plan()
    assert (report.writes, ended(report, DB, "ingress")) == (0, {None})
    assert drifted(net.plan()) == {(DB, "ingress")}


def test_a_resource_taken_out_of_the_document_and_of_all_that_names_it_is_left_alone(net: Network) -> None:
    def without(written: dict[str, Any]) -> None:
        removed(API)(written)
        edit(SERVER, ingress=[])(written)
        del written["workloads"], written["intents"]

    wanted = document(without)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == ["RevokeSecurityGroupIngress"]
    assert API in _orphans(net, report)


def test_a_document_that_lost_a_whole_section_is_not_in_sync_though_nothing_else_differs(net: Network) -> None:
    wanted = document(lambda it: it["resources"].pop("network_acl"))
    report = net.run(wanted)
    assert (report.drifts, report.in_sync, writes(net)) == ((), False, [])
    assert [(str(one.address), one.outcome) for one in report.findings] == [("network_acl/*", Outcome.HELD)]
