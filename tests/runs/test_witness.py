"""A resource that is another one than before: nothing touches it, all else is corrected; and one that changes hands
while a run writes to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from desired_state.fields import Address
from lab.network import Network as Live
from lab.strict_aws import Call
from reconciler.engine.result import Report
from reconciler.engine.run import Memory, StalePlanError
from reconciler.model import Ended, Evidence, Outcome, Policy, Reason
from tests.support.cases import ANYWHERE, DATABASE, edit, permission, told, writes
from tests.support.decoys import PRIVATE, PUBLIC, decoy, exchanged, replaced, tag, untag
from tests.support.runs import Network, document

DB, GROUP = Address(f"db_instance/{DATABASE}"), Address("security_group/DBSG")
ACL = Address("network_acl/PrivateSubnetACL")
DECLARED = edit(PRIVATE, routes={"10.9.0.0/16": "internet_gateway/MyInternetGateway"})
"""The reference, with a route on the private table that the live one does not have."""


def remembered(net: Network) -> dict[Address, str]:
    """What a run of the untouched network would leave in the ledger."""
    return dict(net.plan().resource_ids)


def opened(net: Network) -> None:
    """A difference elsewhere, that every run is to correct."""
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(GROUP), IpPermissions=[permission(22, ANYWHERE)]
    )


def touching(net: Network, aws_id: str) -> list[str]:
    """The writes that named this id."""
    return [call.operation for call in net.lab.calls if call.kind == "write" and aws_id in str(call.params)]


def doubts(report: Report) -> dict[Address, str]:
    """What the report says of changed identities: which ids, by address."""
    of_them = [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED]
    assert {one.outcome for one in of_them} <= {Outcome.HELD}
    return {one.address: one.cause.code for one in of_them}


@pytest.mark.parametrize("deed", [decoy, replaced])
def test_a_copy_of_the_tags_is_not_written_to_and_everything_else_is_corrected(
    net: Network, deed: Callable[[Any, Live], str]
) -> None:
    ids = remembered(net)
    other = deed(net.outsider("ec2"), net.live)
    opened(net)
    net.lab.calls.clear()
    report = net.run(document(DECLARED), memory=Memory(ids=ids))
    assert doubts(report) == {PRIVATE: f"{ids[PRIVATE]} -> {other}"}
    assert list(report.gate.suspects) == [PRIVATE]
    assert touching(net, other) == touching(net, ids[PRIVATE]) == []
    assert writes(net) == ["RevokeSecurityGroupIngress"]
    held = {one.cause.reason for one in report.drifts if one.address == PRIVATE and one.cause}
    assert held == {Reason.IDENTITY_CHANGED}


def test_without_a_memory_the_copy_is_written_to(net: Network) -> None:
    """That is why there is a witness; the command line has none."""
    other = replaced(net.outsider("ec2"), net.live)
    report = net.run(document(DECLARED))
    assert report.in_sync, told(report)
    assert "CreateRoute" in touching(net, other)


def test_exchanged_tags_are_held_on_both_sides(net: Network) -> None:
    ids = remembered(net)
    exchanged(net.outsider("ec2"), net.live)
    report = net.run(memory=Memory(ids=ids))
    blocked = {one.address for one in report.findings if one.cause.reason is Reason.AMBIGUOUS}
    assert blocked | doubts(report).keys() == {PRIVATE, PUBLIC}, told(report)
    assert report.writes == 0


def test_exchanged_tags_of_tables_that_read_as_neither_more_than_the_other_are_held_by_the_witness(
    net: Network,
) -> None:
    ids = remembered(net)
    exchanged(net.outsider("ec2"), net.live)
    net.outsider("ec2").delete_route(RouteTableId=ids[PUBLIC], DestinationCidrBlock=ANYWHERE)
    report = net.run(document(DECLARED), memory=Memory(ids=ids))
    assert doubts(report) == {
        PRIVATE: f"{ids[PRIVATE]} -> {ids[PUBLIC]}",
        PUBLIC: f"{ids[PUBLIC]} -> {ids[PRIVATE]}",
    }
    assert report.writes == 0


def test_what_is_taken_from_the_copy_by_another_table_waits_too(net: Network) -> None:
    """A subnet that hangs on the copy would be moved away from it: that is a call about the copy."""
    ids = remembered(net)
    other, ec2 = decoy(net.outsider("ec2"), net.live), net.outsider("ec2")
    (old,) = ec2.describe_route_tables(RouteTableIds=[ids[PUBLIC]])["RouteTables"]
    ec2.replace_route_table_association(
        AssociationId=old["Associations"][0]["RouteTableAssociationId"], RouteTableId=other
    )
    net.lab.calls.clear()
    report = net.run(memory=Memory(ids=ids))
    assert doubts(report) == {PRIVATE: f"{ids[PRIVATE]} -> {other}"}
    assert report.writes == 0
    (moved,) = [one for one in report.drifts if one.address == PUBLIC]
    assert (moved.field, moved.outcome) == ("subnets", Outcome.HELD)
    assert moved.cause
    assert moved.cause.reason is Reason.IDENTITY_CHANGED


def test_a_person_releases_it_with_the_fingerprint_of_the_plan_for_these_ids(net: Network) -> None:
    ids = remembered(net)
    other = replaced(net.outsider("ec2"), net.live)
    wanted, memory = document(DECLARED), Memory(ids=ids)
    plan = net.plan(wanted, memory=memory).plan.fingerprint
    assert plan != net.plan(wanted).plan.fingerprint
    assert net.plan(wanted, memory=memory, approved="0123456789abcdef").gate.suspects.keys() == {PRIVATE}
    net.lab.calls.clear()
    report = net.run(wanted, memory=memory, approved=plan, expected=plan)
    assert report.in_sync, told(report)
    assert "CreateRoute" in touching(net, other)


def test_an_approval_does_not_release_the_next_copy(net: Network) -> None:
    ids = remembered(net)
    first = replaced(net.outsider("ec2"), net.live)
    wanted, memory = document(DECLARED), Memory(ids=ids)
    plan = net.plan(wanted, memory=memory).plan.fingerprint
    ec2 = net.outsider("ec2")
    untag(ec2, first)
    second = ec2.create_route_table(VpcId=net.id("vpc/MyVPC"))["RouteTable"]["RouteTableId"]
    tag(ec2, second, PRIVATE)
    net.lab.calls.clear()
    with pytest.raises(StalePlanError):
        net.run(wanted, memory=memory, approved=plan, expected=plan)
    assert writes(net) == []


def test_an_entry_in_adopt_releases_it(net: Network) -> None:
    ids = remembered(net)
    other = replaced(net.outsider("ec2"), net.live)

    def adopt(written: dict[str, Any]) -> None:
        DECLARED(written)
        written["adopt"] = {PRIVATE: other}

    report = net.run(document(adopt), memory=Memory(ids=ids))
    assert report.in_sync, told(report)
    assert (doubts(report), report.found_by[PRIVATE].by) == ({}, Evidence.ADOPT)


def test_a_group_of_the_same_name_is_what_aws_calls_it_and_never_in_doubt(net: Network) -> None:
    """Somebody deleted a group and made it anew; its name is unique in the VPC."""
    ids, ec2 = remembered(net), net.outsider("ec2")
    server = Address("security_group/TestServerSG")
    ec2.revoke_security_group_ingress(GroupId=ids[GROUP], IpPermissions=[permission(5432, ids[server])])
    ec2.delete_security_group(GroupId=ids[server])
    made = ec2.create_security_group(GroupName="TestServerSG", Description="x", VpcId=net.id("vpc/MyVPC"))["GroupId"]
    report = net.run(memory=Memory(ids=ids))
    assert doubts(report) == {}
    assert report.resource_ids[server] == made != ids[server]
    assert ("AuthorizeSecurityGroupIngress" in touching(net, made), report.writes > 0) == (True, True)


def test_a_database_restored_under_the_old_name_is_the_database(net: Network) -> None:
    ids = remembered(net)
    rds = net.outsider("rds")
    rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="before")
    rds.modify_db_instance(DBInstanceIdentifier=DATABASE, NewDBInstanceIdentifier="old", ApplyImmediately=True)
    net.lab.settle()
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="before", DBSubnetGroupName="mydbsubnetgroup"
    )
    net.lab.settle()
    report = net.run(memory=Memory(ids=ids))
    assert doubts(report) == {}
    assert report.resource_ids[DB] != ids[DB]
    assert [one.ended.name for one in report.action_results if one.action.address == DB].count("DONE") > 0


def test_the_command_line_has_no_memory_and_its_plans_are_as_before(net: Network) -> None:
    replaced(net.outsider("ec2"), net.live)
    plan, ids = net.plan(), Memory(ids={})
    assert plan.plan.fingerprint == net.plan(memory=ids).plan.fingerprint
    assert (plan.gate.suspects, doubts(plan)) == ({}, {})


def test_in_mode_report_a_changed_identity_is_told(net: Network) -> None:
    ids = remembered(net)
    other = replaced(net.outsider("ec2"), net.live)
    report = net.run(policy=Policy(mode="report"), memory=Memory(ids=ids))
    assert doubts(report) == {PRIVATE: f"{ids[PRIVATE]} -> {other}"}
    assert report.writes == 0


# ---------------------------------------------------------------------------------------- what a run creates is its own


def forgetting(ids: dict[Address, str]) -> tuple[Memory, list[frozenset[Address]]]:
    asked: list[frozenset[Address]] = []
    return Memory(ids=ids, forget=asked.append), asked


def test_before_anything_is_created_anew_its_id_is_forgotten(net: Network) -> None:
    ids = remembered(net)
    ec2 = net.outsider("ec2")
    (old,) = ec2.describe_network_acls(NetworkAclIds=[ids[ACL]])["NetworkAcls"]
    default = ec2.describe_network_acls(Filters=[{"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    (here,) = [one["NetworkAclId"] for one in default if one["VpcId"] == net.id("vpc/MyVPC")]
    for one in old["Associations"]:
        ec2.replace_network_acl_association(AssociationId=one["NetworkAclAssociationId"], NetworkAclId=here)
    ec2.delete_network_acl(NetworkAclId=ids[ACL])
    memory, asked = forgetting(ids)
    net.lab.calls.clear()
    net.lab.after_write = lambda call: order.append(len(asked))
    order: list[int] = []
    report = net.run(memory=memory)
    assert report.in_sync, told(report)
    assert asked == [frozenset({ACL})]
    assert order[0] == 1
    assert report.created == {ACL}
    assert report.resource_ids[ACL] != ids[ACL]


def test_nothing_is_forgotten_where_nothing_remembered_is_created(net: Network) -> None:
    ids = remembered(net)
    opened(net)
    memory, asked = forgetting(ids)
    assert net.run(memory=memory).in_sync
    ec2 = net.outsider("ec2")
    ec2.revoke_security_group_ingress(
        GroupId=ids[GROUP], IpPermissions=[permission(5432, ids[Address("security_group/TestServerSG")])]
    )
    ec2.delete_security_group(GroupId=ids[Address("security_group/TestServerSG")])
    net.plan(memory=memory)
    net.run(policy=Policy(mode="report"), memory=memory)
    first, again = forgetting({})
    assert net.run(memory=first).in_sync
    assert asked == again == []


# ----------------------------------------------------------------------------------- what changes hands during the run


def during(net: Network, operation: str, deed: Callable[[], object]) -> None:
    """Do the deed right after the first call of that name."""

    def after(call: Call) -> None:
        if call.operation == operation:
            net.lab.after_write = None
            deed()

    net.lab.after_write = after


def test_a_database_whose_name_passes_to_another_one_during_the_run_has_failed(net: Network) -> None:
    rds = net.outsider("rds")
    rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="before")
    rds.modify_db_instance(DBInstanceIdentifier=DATABASE, DeletionProtection=False, ApplyImmediately=True)
    net.lab.settle()
    was = net.plan().resource_ids[DB]

    def deed() -> None:
        net.lab.settle()
        rds.modify_db_instance(DBInstanceIdentifier=DATABASE, NewDBInstanceIdentifier="old", ApplyImmediately=True)
        net.lab.settle()
        rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="before", DBSubnetGroupName="mydbsubnetgroup"
        )
        net.lab.settle()

    during(net, "ModifyDBInstance", deed)
    report = net.run()
    now = net.plan().resource_ids[DB]
    (finding,) = [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED]
    assert (finding.address, finding.outcome, finding.cause.code) == (DB, Outcome.FAILED, f"{was} -> {now}")
    assert finding.cause.message == (
        f"the name {DATABASE} passed to another DB instance during the run: it was {was}, and is {now} now; "
        "look at both"
    )
    assert report.failed
    assert report.resource_ids[DB] == was


def test_a_table_whose_tags_pass_to_another_one_during_the_run_has_failed_and_is_not_touched_again(
    net: Network,
) -> None:
    was, made = net.id(PRIVATE), list[str]()
    during(net, "CreateRoute", lambda: made.append(replaced(net.outsider("ec2"), net.live)))
    report = net.run(document(DECLARED))
    (finding,) = [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED]
    assert (finding.address, finding.outcome) == (PRIVATE, Outcome.FAILED)
    assert finding.cause.message == (
        f"the name PrivateRouteTable passed to another route table during the run: it was {was}, and is {made[0]} now; "
        "look at both"
    )
    assert touching(net, made[0]) == []


def test_a_call_whose_answer_was_lost_is_not_repeated_on_what_has_taken_its_place(net: Network) -> None:
    """A further round repeats it, and the table is found by its tags again: at another id."""
    made = list[str]()
    net.lab.faults.lose_answer("CreateRoute")
    during(net, "CreateRoute", lambda: made.append(replaced(net.outsider("ec2"), net.live)))
    report = net.run(document(DECLARED))
    assert [call.operation for call in net.lab.calls].count("CreateRoute") == 1
    assert touching(net, made[0]) == []
    assert [(one.ended, one.cause and one.cause.reason) for one in report.action_results] == [
        (Ended.UNKNOWN, Reason.ANSWER_LOST),
    ]
    assert report.failed


def test_a_call_that_aws_refused_has_written_nothing(net: Network) -> None:
    opened(net)
    net.lab.faults.refuse("CreateRoute")
    during(net, "RevokeSecurityGroupIngress", lambda: decoy(net.outsider("ec2"), net.live))
    report = net.run(document(DECLARED))
    assert [(one.action.address, one.ended) for one in report.action_results] == [
        (GROUP, Ended.DONE),
        (PRIVATE, Ended.FAILED),
    ]
    assert [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED] == []


def test_what_appears_during_a_run_that_could_not_create_it_is_not_its_own(net: Network) -> None:
    """Its id is remembered by no run before one has found it at its first look."""
    opened(net)
    ec2, made = net.outsider("ec2"), list[str]()
    first = replaced(ec2, net.live)
    untag(ec2, first)
    (table,) = ec2.describe_route_tables(RouteTableIds=[first])["RouteTables"]
    for one in table["Associations"]:
        ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])

    def deed() -> None:
        tag(ec2, first, PRIVATE)
        made.append(first)

    net.lab.faults.refuse("CreateRouteTable")
    during(net, "RevokeSecurityGroupIngress", deed)
    report = net.run()
    assert made == [first]
    assert report.found_by[PRIVATE].by is Evidence.TAGS
    assert (PRIVATE in report.resource_ids, PRIVATE in report.created) == (False, False)


def test_what_nobody_wrote_to_may_change_hands_without_a_failure(net: Network) -> None:
    """The next run sees it at another id, and the witness of that run decides."""
    opened(net)
    during(net, "RevokeSecurityGroupIngress", lambda: decoy(net.outsider("ec2"), net.live))
    report = net.run()
    assert [one for one in report.findings if one.cause.reason is Reason.IDENTITY_CHANGED] == []
    assert not report.failed
