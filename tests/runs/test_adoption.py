"""Who is who on a network that exists: what is found by what, what is never made twice, what a person must settle."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Report
from reconciler.engine.run import Memory
from reconciler.model import Evidence, Outcome, Policy, Reason
from reconciler.report.as_json import as_json
from reconciler.report.text import text
from tests.support.cases import (
    association,
    both,
    calm,
    default_acl,
    edit,
    move_acl,
    permission,
    removed,
    rule,
    told,
    writes,
)
from tests.support.moves import use_table
from tests.support.runs import Network, document

VPC = "vpc/MyVPC"
PRIVATE, PUBLIC = "route_table/PrivateRouteTable", "route_table/PublicRouteTable"
ACL, OTHER_ACL = "network_acl/PrivateSubnetACL", "network_acl/PublicSubnetACL"
FIRST, SECOND, FRONT = "subnet/PrivateSubnet1", "subnet/PrivateSubnet2", "subnet/PublicSubnet1"
GROUP, DATABASE = "security_group/DBSG", "db_instance/mypostgresqldb"
OWNERS = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
BUILDING = Policy(create_databases=True)
PRUNING = Policy(prune=True)
OTHER_ACCOUNT = "999999999999"


def strip(net: Network, *addresses: str) -> None:
    """Somebody takes our tags and the Name tag away: it is as people make it."""
    ids = [net.id(one) for one in addresses]
    net.outsider("ec2").delete_tags(Resources=ids, Tags=[*OWNERS, {"Key": "Name"}])


def tag(net: Network, aws_id: str, **tags: str) -> None:
    written = [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()]
    net.outsider("ec2").create_tags(Resources=[aws_id], Tags=written)


def ours(net: Network, aws_id: str, name: str, owner: str = "test-server") -> None:
    tag(net, aws_id, setpoint__document=owner, setpoint__name=name)


def tags_of(net: Network, aws_id: str) -> dict[str, str]:
    found = net.outsider("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [aws_id]}])["Tags"]
    return {one["Key"]: one["Value"] for one in found}


def table(net: Network) -> str:
    return str(net.outsider("ec2").create_route_table(VpcId=net.id(VPC))["RouteTable"]["RouteTableId"])


def move(net: Network, subnet: str, to: str) -> None:
    use_table(net.outsider("ec2"), net.id(subnet), to)


def endpoint(net: Network, *tables: str) -> str:
    made = net.outsider("ec2").create_vpc_endpoint(
        VpcId=net.id(VPC), ServiceName="com.amazonaws.ap-northeast-2.s3", RouteTableIds=list(tables)
    )
    return str(made["VpcEndpoint"]["VpcEndpointId"])


def routes(net: Network, table_id: str) -> set[str]:
    (found,) = net.outsider("ec2").describe_route_tables(RouteTableIds=[table_id])["RouteTables"]
    return {str(one.get("DestinationPrefixListId") or one.get("DestinationCidrBlock")) for one in found["Routes"]}


def how(report: Report, address: str) -> Evidence:
    return report.found_by[Address(address)].by


def problem(report: Report, address: str) -> str:
    """Why an address is blocked; the rest of the document goes on."""
    (finding,) = [one for one in report.findings if one.address == address]
    assert finding.outcome is Outcome.BLOCKED, told(report)
    return finding.cause.message


def adopting(**ids: str) -> Any:
    return lambda written: written.setdefault("adopt", {}).update({at.replace("__", "/"): it for at, it in ids.items()})


def adopted(address: str, aws_id: str) -> Document:
    return document(lambda written: written.update(adopt={address: aws_id}))


# Tables and ACLs without tags.


@pytest.mark.parametrize("name", ["", "legacy"])
def test_an_untagged_table_is_the_one_that_its_declared_subnets_use(net: Network, name: str) -> None:
    private = net.id(PRIVATE)
    made = endpoint(net, private)
    strip(net, PRIVATE)
    if name:
        tag(net, private, Name=name)
    net.lab.calls.clear()
    report = net.run()
    assert (how(report, PRIVATE), report.ids[Address(PRIVATE)]) == (Evidence.SEATS, private)
    assert report.found_by[Address(PRIVATE)].how == "its subnets use it"
    assert (report.in_sync, writes(net)) == (True, ["CreateTags"])
    assert tags_of(net, private).get("Name", "") == name
    assert any(one.startswith("pl-") for one in routes(net, private)), made
    calm(net)


def test_an_untagged_acl_is_the_one_that_its_declared_subnets_use(net: Network) -> None:
    strip(net, ACL, OTHER_ACL)
    report = net.run()
    assert {how(report, one) for one in (ACL, OTHER_ACL)} == {Evidence.SEATS}
    assert (report.in_sync, writes(net)) == (True, ["CreateTags", "CreateTags"])


def test_two_tables_that_each_hold_one_of_its_subnets_are_never_chosen_between(net: Network) -> None:
    other = table(net)
    move(net, SECOND, other)
    strip(net, PRIVATE)
    net.lab.calls.clear()
    first, second = sorted([net.id(PRIVATE), other])
    said = f'its subnets use {first} and {second}: write which one it is: "adopt": {{"{PRIVATE}": "{first}"}}'
    assert problem(net.run(), PRIVATE) == f'{said}, or "new" to have another made'
    assert writes(net) == []


def test_a_name_tag_does_not_decide_against_the_subnets(net: Network) -> None:
    strip(net, PRIVATE)
    other = table(net)
    tag(net, other, Name="PrivateRouteTable")
    net.lab.calls.clear()
    said = f"{other} is called 'PrivateRouteTable', but its subnets use {net.id(PRIVATE)}: write which one it is: "
    assert problem(net.run(), PRIVATE).startswith(said)
    assert writes(net) == []


def test_two_addresses_that_one_table_serves_are_both_asked_about(net: Network) -> None:
    split = both(edit(PRIVATE, subnets=[FIRST]), edit("route_table/Other", routes={"10.1.0.0/16": "pcx-0a1b2c3d"}))
    wanted = document(both(split, edit("route_table/Other", subnets=[SECOND])))
    strip(net, PRIVATE)
    net.lab.calls.clear()
    report = net.run(wanted)
    line = f'write which one it is: "adopt": {{"{PRIVATE}": "{net.id(PRIVATE)}"}}'
    said = f"its subnets use {net.id(PRIVATE)}, and so do those of route_table/Other: {line}"
    assert problem(report, PRIVATE).startswith(said)
    assert PRIVATE in problem(report, "route_table/Other")
    assert writes(net) == []


def test_new_makes_another_table_and_names_the_routes_that_nobody_could_put_there(net: Network) -> None:
    made = endpoint(net, net.id(PRIVATE))
    strip(net, PRIVATE)
    wanted = adopted(PRIVATE, "new")
    net.lab.calls.clear()
    for _ in range(2):
        report = net.run(wanted)
        held = [one for one in report.drifts if one.field == "subnets"]
        held_by = {(one.outcome, one.cause.reason if one.cause else None) for one in held}
        assert held_by <= {(Outcome.HELD, Reason.LOSES_ROUTES)}, told(report)
        said = [one.cause.message for one in report.findings if one.address == PRIVATE]
        said += [one.message for one in held]
        assert any("would lose pl-" in one and f"via {made}: AWS makes these routes itself" in one for one in said)
    assert writes(net) == ["CreateRouteTable"] * 2  # the first token has made the other table, and answers with it
    ours_now = [{"Name": "tag:setpoint:name", "Values": [Address(PRIVATE).name]}]
    assert len(net.outsider("ec2").describe_route_tables(Filters=ours_now)["RouteTables"]) == 1
    assert association(net, FIRST)["RouteTableId"] == net.id(PRIVATE)


def test_a_seat_of_somebody_else_blocks_and_nothing_is_made(net: Network) -> None:
    ours(net, net.id(PRIVATE), "inside", "network")
    net.lab.calls.clear()
    said = problem(net.run(), PRIVATE)
    assert said == (
        f"{net.id(PRIVATE)} is it, but it belongs to the document 'network': refer to it under \"external\", or, if "
        'this document takes it over, take it out of that one and write "formerly": ["network"]'
    )
    strip(net, PRIVATE)
    net.lab.give(net.id(PRIVATE), OTHER_ACCOUNT)
    said = problem(net.run(), PRIVATE)
    assert (
        said == f'{net.id(PRIVATE)} is it, but belongs to the account 999999999999: declare it under "external" instead'
    )
    assert writes(net) == []


def test_an_adopted_id_that_is_not_there_blocks_although_the_subnets_tell(net: Network) -> None:
    strip(net, PRIVATE)
    net.lab.calls.clear()
    gone = "rtb-0123456789abcdef0"
    said = f"adopt names {gone}, which does not exist here; its subnets use {net.id(PRIVATE)}: "
    assert problem(net.run(adopted(PRIVATE, gone)), PRIVATE) == f"{said}correct the id, or take the entry out"
    assert writes(net) == []


def test_adopt_outranks_tags_and_may_be_taken_out_afterwards(net: Network) -> None:
    spare = table(net)
    ours(net, spare, "PrivateRouteTable")
    strip(net, PRIVATE)
    wanted = adopted(PRIVATE, net.id(PRIVATE))
    report = net.run(wanted)
    assert (how(report, PRIVATE), report.in_sync) == (Evidence.ADOPT, True)
    copies = {one.id: one.remark for one in report.unmanaged}
    assert copies[spare] == (
        f"it carries the tags of {PRIVATE} and is not it: take them off, or delete it, since nothing uses it: "
        f"aws ec2 delete-route-table --route-table-id {spare} --region ap-northeast-2"
    )
    net.outsider("ec2").delete_tags(Resources=[spare], Tags=OWNERS)
    assert how(net.run(), PRIVATE) is Evidence.TAGS
    calm(net)


# The VPC.


def test_a_vpc_of_the_same_network_is_told_and_no_second_one_made(net: Network) -> None:
    strip(net, VPC)
    for name in ("", "production"):
        if name:
            tag(net, net.id(VPC), Name=name)
        net.lab.calls.clear()
        with pytest.raises(ObserveError) as caught:
            net.run(policy=BUILDING)
        called = "its Name tag says 'production'" if name else "it has no Name tag"
        assert str(caught.value) == (
            f"{VPC}: {net.id(VPC)} has the network 10.0.0.0/16, and {called}: name it in scope.vpc_id if it is this "
            f'one; write "adopt": {{"{VPC}": "new"}} to have another made beside it'
        )
        assert writes(net) == []

    def alone(written: dict[str, Any]) -> None:
        written.update(name="beside", resources={"vpc": written["resources"]["vpc"]}, intents=[], workloads={})
        written["adopt"] = {VPC: "new"}

    assert net.run(document(alone)).in_sync
    assert writes(net)[0] == "CreateVpc"


def test_two_documents_with_a_vpc_of_one_network_each_are_both_in_sync(net: Network) -> None:
    def second(written: dict[str, Any]) -> None:
        written.update(name="second", resources={"vpc": {"Other": written["resources"]["vpc"]["MyVPC"]}})
        written.update(adopt={"vpc/Other": "new"}, intents=[], workloads={})

    wanted = document(second)
    assert net.run(wanted).in_sync
    calm(net, wanted)
    calm(net)


def test_a_vpc_that_was_the_documents_is_not_replaced_when_its_tags_change(net: Network) -> None:
    strip(net, VPC)
    ours(net, net.id(VPC), "VPC", "network")
    net.lab.calls.clear()
    with pytest.raises(ObserveError) as caught:
        net.run(policy=BUILDING, memory=Memory(vpc_id=net.id(VPC)))
    assert caught.value.cause.reason is Reason.IDENTITY_CHANGED
    assert "was this document's VPC, and is not found any more: it belongs to the document 'network'" in str(
        caught.value
    )
    assert writes(net) == []


# Databases.


def rename(net: Network, old: str, new: str) -> None:
    net.outsider("rds").modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
    net.lab.settle()


def restore(net: Network, name: str) -> None:
    rds = net.outsider("rds")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="mypostgresqldb",
        TargetDBInstanceIdentifier=name,
        UseLatestRestorableTime=True,
        DBSubnetGroupName="mydbsubnetgroup",
    )
    net.lab.settle()


def test_a_database_that_was_renamed_is_missing_and_nothing_is_made_or_written(net: Network) -> None:
    rename(net, "mypostgresqldb", "app-old1")
    net.lab.calls.clear()
    report = net.run(policy=BUILDING)
    assert problem(report, DATABASE) == (
        "mypostgresqldb does not exist, and app-old1 carries its tags: it may have been renamed, or be a copy; rename "
        "it back, declare it as db_instance/app-old1, or take the tag setpoint:name off it"
    )
    assert writes(net) == []


def test_the_database_that_has_the_name_is_compared_and_written_and_downtime_waits(net: Network) -> None:
    restore(net, "next")
    net.outsider("rds").modify_db_instance(
        DBInstanceIdentifier="next", PubliclyAccessible=True, DBInstanceClass="db.t3.large", ApplyImmediately=True
    )
    net.lab.settle()
    rename(net, "mypostgresqldb", "app-old1")
    rename(net, "next", "mypostgresqldb")
    first = net.run(policy=Policy(downtime="now"))
    assert "publicly_accessible" in {one.field for one in first.drifts}
    net.lab.settle()
    report = net.run(policy=Policy(downtime="now"))
    drifts = {one.field: one for one in report.drifts if one.address == DATABASE}
    assert "publicly_accessible" not in drifts
    assert drifts["db_instance_class"].outcome is Outcome.HELD
    now = report.resource_ids[Address(DATABASE)]
    assert drifts["db_instance_class"].message == (
        "app-old1 carries its tags too: what costs downtime waits until it is clear which one is meant; take the tags "
        f'off app-old1, or write "adopt": {{"{DATABASE}": "{now}"}}'
    )
    certain = adopted(DATABASE, now)
    net.lab.settle()
    report = net.run(certain, Policy(downtime="now"))
    assert (how(report, DATABASE), report.in_sync or report.count(Outcome.WAITING) > 0) == (Evidence.ADOPT, True)
    assert not report.count(Outcome.HELD), told(report)


def test_adopt_of_a_database_must_be_the_one_that_has_the_name(net: Network) -> None:
    restore(net, "next")
    (other,) = net.outsider("rds").describe_db_instances(DBInstanceIdentifier="next")["DBInstances"]
    net.lab.calls.clear()
    said = problem(net.run(adopted(DATABASE, other["DbiResourceId"])), DATABASE)
    assert (
        said == f"adopt names {other['DbiResourceId']}, which is called 'next': correct the id, or take the entry out"
    )
    assert writes(net) == []


def test_a_restore_that_carries_the_tags_is_unmanaged_and_never_deleted(net: Network) -> None:
    restore(net, "restore-test")
    net.outsider("rds").modify_db_instance(DBInstanceIdentifier="mypostgresqldb", DeletionProtection=False)
    net.lab.settle()
    net.run(policy=PRUNING)
    net.lab.settle()
    report = net.run(policy=PRUNING)
    assert report.in_sync, told(report)
    remarks = {one.id: (one.owned, one.remark) for one in report.unmanaged}
    assert remarks["restore-test"] == (False, f"it carries the tags of {DATABASE} and is not it: take them off")


# Groups.


def create_group(net: Network, name: str) -> str:
    made = net.outsider("ec2").create_security_group(VpcId=net.id(VPC), GroupName=name, Description=name)
    return str(made["GroupId"])


def test_of_two_groups_with_its_tags_the_one_with_its_name_is_it(net: Network) -> None:
    decoy = create_group(net, "decoy")
    ours(net, decoy, "DBSG")
    ssh = [permission(22, "0.0.0.0/0")]
    net.outsider("ec2").authorize_security_group_ingress(GroupId=net.id(GROUP), IpPermissions=ssh)
    report = net.run(policy=PRUNING)
    assert (report.in_sync, report.ids[Address(GROUP)]) == (True, net.id(GROUP)), told(report)
    assert {one.operation for one in net.lab.calls if one.kind == "write"} & {"DeleteSecurityGroup"} == set()
    calm(net)


def test_a_group_is_adopted_under_another_name_by_its_former_one(net: Network) -> None:
    old = create_group(net, "launch-wizard-3")
    wanted = document(edit("security_group/bastion", formerly=["launch-wizard-3"], ingress=[]))
    net.lab.calls.clear()
    report = net.run(wanted)
    assert (report.in_sync, writes(net)) == (True, ["CreateTags"]), told(report)
    assert (how(report, "security_group/bastion"), tags_of(net, old)["setpoint:name"]) == (Evidence.KEY, "bastion")
    calm(net, wanted)


def test_a_group_with_the_tags_and_another_name_blocks_and_what_refers_to_it_waits(net: Network) -> None:
    """Its id may be the one that rules name: nothing that names it is taken away."""
    decoy = create_group(net, "web-old")
    ours(net, decoy, "front")
    ec2 = net.outsider("ec2")
    ec2.authorize_security_group_ingress(GroupId=net.id(GROUP), IpPermissions=[permission(5432, decoy)])
    written = document()
    rules = [*written.resources[Address(GROUP)].ingress.as_written(), rule(5432, "security_group/front")]  # type: ignore[attr-defined]
    wanted = document(both(edit("security_group/front", ingress=[]), edit(GROUP, ingress=rules)))
    net.lab.calls.clear()
    report = net.run(wanted)
    assert problem(report, "security_group/front") == (
        f"{decoy} carries its tags and is called 'web-old', and AWS never renames a group: "
        'write "formerly": ["web-old"] if it is this one, or take the tag setpoint:name off it'
    )
    assert writes(net) == []
    waiting = {(str(one.difference.key), one.outcome) for one in report.drifts}
    assert waiting == {("tcp 5432 security_group/front", Outcome.HELD), (f"tcp 5432 {decoy}", Outcome.HELD)}


def test_prune_deletes_no_group_whose_name_is_not_the_one_in_its_tags(net: Network) -> None:
    decoy = create_group(net, "decoy")
    ours(net, decoy, "gone")
    net.run(policy=PRUNING)
    assert net.outsider("ec2").describe_security_groups(GroupIds=[decoy])["SecurityGroups"]


# Renames.


def renamed(old: str, new: str, **more: Any) -> Any:
    """An edit that gives a resource another address, with every reference to it."""

    def change(written: dict[str, Any]) -> None:
        kind, name = old.split("/")
        section = written["resources"][kind]
        section[new.split("/")[1]] = section.pop(name) | more
        for part in ("resources", "intents", "workloads"):
            _replace(written[part], old, new)

    return change


def _replace(node: Any, old: str, new: str) -> None:
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if value == old:
            node[key] = new
        elif isinstance(value, (dict, list)):
            _replace(value, old, new)


@pytest.mark.parametrize(
    ("old", "new"), [(PRIVATE, "route_table/Inner"), (ACL, "network_acl/Inner"), (FIRST, "subnet/Inner")]
)
def test_a_renamed_address_finds_its_resource_and_one_tag_call_follows(net: Network, old: str, new: str) -> None:
    wanted = document(renamed(old, new))
    net.lab.calls.clear()
    report = net.run(wanted)
    assert (report.in_sync, writes(net)) == (True, ["CreateTags"]), told(report)
    calm(net, wanted)


def test_a_renamed_table_without_declared_subnets_is_asked_about(net: Network) -> None:
    without = document(edit(PRIVATE, subnets=...))
    calm(net, without)
    wanted = document(both(edit(PRIVATE, subnets=...), renamed(PRIVATE, "route_table/Inner")))
    net.lab.calls.clear()
    report = net.run(wanted)
    assert problem(report, "route_table/Inner") == (
        f"{net.id(PRIVATE)} is this document's under the name 'PrivateRouteTable', which is declared no more, and "
        'reads as declared: write "formerly": ["PrivateRouteTable"] here, or "adopt": {"route_table/Inner": "new"} '
        "to have another made"
    )
    assert writes(net) == []
    formerly = both(edit(PRIVATE, subnets=...), renamed(PRIVATE, "route_table/Inner", formerly=["PrivateRouteTable"]))
    assert net.run(document(formerly)).in_sync
    assert writes(net) == ["CreateTags"]


def test_a_renamed_document_takes_its_resources_with_it(net: Network) -> None:
    renamed_to = document(lambda written: written.update(name="shop", formerly=["test-server"]))
    net.lab.calls.clear()
    report = net.run(renamed_to)
    assert report.in_sync, told(report)
    assert set(writes(net)) == {"CreateTags", "AddTagsToResource"}
    calm(net, renamed_to)


def test_a_renamed_document_that_does_not_say_so_makes_nothing(net: Network) -> None:
    net.lab.calls.clear()
    with pytest.raises(ObserveError, match="belongs to the document 'test-server'"):
        net.run(document(lambda written: written.update(name="shop")), BUILDING)
    assert writes(net) == []


# Two documents on one VPC.


def guest(net: Network, *edits: Any) -> Document:
    """A document of another team on the same VPC: it refers to subnets and the gateway of the first one."""

    def change(written: dict[str, Any]) -> None:
        written.update(name="guest", resources={})
        written["scope"]["vpc_id"] = net.id(VPC)
        gateway = net.id("internet_gateway/MyInternetGateway")
        written["external"] = {
            FIRST: {"document": "test-server"},
            "subnet/second": {"document": "test-server", "name": "PrivateSubnet2"},
            "security_group/back": {"document": "test-server", "name": "TestServerSG"},
            "internet_gateway/main": {"id": gateway},
        }
        written.pop("intents", None)
        written.pop("workloads", None)

    return document(both(change, *edits))


def test_a_second_document_on_a_vpc_owns_its_own_things_and_touches_no_others(net: Network) -> None:
    everything = [net.id(one) for one in (VPC, FIRST, SECOND, PRIVATE, GROUP, "internet_gateway/MyInternetGateway")]
    before = [tags_of(net, one) for one in everything]
    own = both(
        edit("security_group/own", ingress=[rule(8000, "security_group/back")]),
        edit("db_subnet_group/own", subnets=[FIRST, "subnet/second"]),
        edit("route_table/own", routes={"0.0.0.0/0": "internet_gateway/main"}),
    )
    wanted = guest(net, own)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    calm(net, wanted)
    calm(net)
    assert [tags_of(net, one) for one in everything] == before
    assert not [one for one in net.run().unmanaged if one.owned]


def test_a_resource_that_another_document_has_blocks_and_the_rest_goes_on(net: Network) -> None:
    wanted = guest(net, edit("security_group/DBSG", ingress=[]), edit("security_group/own", ingress=[]))
    report = net.run(wanted)
    assert "it belongs to the document 'test-server'" in problem(report, GROUP)
    assert report.ids.get(Address("security_group/own"))
    calm(net)


def test_a_resource_is_taken_over_in_two_uploads_without_a_gap(net: Network) -> None:
    """The new owner declares it first; the old one then takes it out, and may even prune."""
    taken = document().resources[Address(GROUP)].model_dump(mode="json", exclude_none=True, exclude={"enforcement"})
    taken.pop("formerly", None)
    _replace(taken, "security_group/TestServerSG", "security_group/back")
    formerly = lambda written: written.update(formerly=["test-server"])  # noqa: E731
    wanted = guest(net, edit(GROUP, **taken), formerly)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert tags_of(net, net.id(GROUP))["setpoint:document"] == "guest"
    left = document(
        both(
            removed(GROUP),
            edit(DATABASE, vpc_security_groups=...),
            lambda written: written.update(external={GROUP: {"document": "guest"}}),
        )
    )
    net.lab.calls.clear()
    assert net.run(left, PRUNING).in_sync
    assert writes(net) == []
    calm(net, wanted)


def test_a_subnet_of_another_document_is_never_moved(net: Network) -> None:
    wanted = guest(net, edit("route_table/own", routes={}, subnets=[FIRST]), edit("network_acl/own", subnets=[FIRST]))
    report = net.run(wanted)
    assert association(net, FIRST)["RouteTableId"] == net.id(PRIVATE)
    assert "belongs to the document 'test-server'" in problem(report, "route_table/own")
    calm(net)


@pytest.mark.parametrize("external", [False, True])
def test_another_table_does_not_become_the_main_one_while_a_subnet_of_others_uses_that(
    net: Network, *, external: bool
) -> None:
    ec2 = net.outsider("ec2")
    theirs = ec2.create_subnet(VpcId=net.id(VPC), CidrBlock="10.0.200.0/24")["Subnet"]["SubnetId"]
    if not external:
        ours(net, theirs, "theirs", "network")
    declared = {"external": {"subnet/theirs": {"id": theirs}}} if external else {}
    wanted = document(both(edit(PRIVATE, main=True), lambda written: written.update(declared)))
    for _ in range(2):
        report = net.run(wanted)
        (drift,) = report.drifts
        assert (drift.address, drift.field, drift.outcome) == (PRIVATE, "main", Outcome.HELD), told(report)
        assert drift.cause is not None
        assert drift.cause.reason is Reason.FOREIGN
        assert "uses the main table, and is not moved: " in drift.message
        assert writes(net) == []
    ec2.associate_route_table(SubnetId=theirs, RouteTableId=table(net))
    net.lab.calls.clear()
    assert net.run(wanted).in_sync
    assert writes(net) == ["ReplaceRouteTableAssociation"]


def test_an_external_that_its_tags_put_on_another_resource_is_not_used_before_a_person_says_so(net: Network) -> None:
    own = edit("security_group/own", ingress=[rule(8000, "security_group/back")])
    wanted = guest(net, own)
    first = net.run(wanted)
    assert first.in_sync, told(first)
    decoy = create_group(net, "decoy")
    ours(net, decoy, "TestServerSG")
    strip(net, "security_group/TestServerSG")
    net.lab.calls.clear()
    report = net.run(wanted, memory=Memory(ids=first.resource_ids))
    assert writes(net) == []
    held = {one.cause.reason for one in report.drifts if one.cause} | {one.cause.reason for one in report.findings}
    assert held == {Reason.IDENTITY_CHANGED}, told(report)


def test_an_external_that_nobody_has_is_told_and_nothing_else_stops(net: Network) -> None:
    nobody = lambda written: written["external"].update({"subnet/ghost": {"document": "network"}})  # noqa: E731
    report = net.run(guest(net, nobody, edit("security_group/own", ingress=[])))
    assert problem(report, "subnet/ghost") == (
        "no subnet carries the tags of 'ghost' of the document 'network': "
        'correct "external" for subnet/ghost, or let that document create it first'
    )
    assert report.ids.get(Address("security_group/own"))


# Shared VPCs and odd networks.


def test_a_participants_group_of_the_same_name_is_somebody_elses(net: Network) -> None:
    theirs = create_group(net, "web")
    net.lab.give(theirs, OTHER_ACCOUNT)
    wanted = document(edit("security_group/web", ingress=[]))
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert report.ids[Address("security_group/web")] != theirs
    assert {one.id: one.remark for one in report.unmanaged}[theirs] == "it belongs to the account 999999999999"
    assert tags_of(net, theirs) == {}


def test_a_subnet_of_another_account_is_not_made_again(net: Network) -> None:
    net.lab.give(net.id(SECOND), OTHER_ACCOUNT)
    net.lab.calls.clear()
    said = problem(net.run(), SECOND)
    assert said == (
        f"{net.id(SECOND)} has this network and belongs to the account 999999999999: "
        'declare it under "external" instead'
    )
    assert writes(net) == []


def test_a_subnet_in_a_secondary_network_is_in_sync(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.associate_vpc_cidr_block(VpcId=net.id(VPC), CidrBlock="100.64.0.0/16")
    more = both(
        edit(VPC, secondary_cidr_blocks=["100.64.0.0/16"]),
        edit("subnet/more", cidr_block="100.64.1.0/24", availability_zone="ap-northeast-2a"),
    )
    wanted = document(more)
    assert net.run(wanted).in_sync
    calm(net, wanted)
    report = net.run(document(edit(VPC, secondary_cidr_blocks=[])))
    (drift,) = [one for one in report.drifts if one.address == VPC]
    assert (drift.outcome, drift.field) == (Outcome.BLOCKED, "secondary_cidr_blocks")


# Tags that were exchanged.


def test_exchanged_tags_block_both_and_nothing_is_written(net: Network) -> None:
    ours(net, net.id(PRIVATE), "PublicRouteTable")
    ours(net, net.id(PUBLIC), "PrivateRouteTable")
    net.lab.calls.clear()
    report = net.run()
    said = (
        f"{net.id(PUBLIC)} carries its tags and reads in everything as {PUBLIC}, and the other way round: "
        f'exchange their tags, or write "adopt": {{"{PRIVATE}": "{net.id(PRIVATE)}"}}'
    )
    assert problem(report, PRIVATE) == said
    assert f'"adopt": {{"{PUBLIC}": "{net.id(PUBLIC)}"}}' in problem(report, PUBLIC)
    assert writes(net) == []


def test_one_subnet_between_two_declared_tables_is_drift_and_is_put_back(net: Network) -> None:
    move(net, SECOND, net.id(PUBLIC))
    report = net.run()
    assert report.in_sync, told(report)
    assert association(net, SECOND)["RouteTableId"] == net.id(PRIVATE)


def test_the_default_acl_is_never_taken_for_a_custom_one(net: Network) -> None:
    strip(net, ACL)
    ours(net, default_acl(net), "PrivateSubnetACL")
    net.lab.calls.clear()
    report = net.run()
    assert (report.in_sync, how(report, ACL), writes(net)) == (True, Evidence.SEATS, ["CreateTags"])


# Moves that lose AWS's own routes.


def test_a_subnet_does_not_move_away_from_routes_that_aws_made(net: Network) -> None:
    """Somebody else's table has an endpoint: taking the subnet back would cut it from S3."""
    other = table(net)
    made = endpoint(net, other)
    move(net, SECOND, other)
    report = net.run()
    (drift,) = report.drifts
    assert (drift.outcome, drift.cause and drift.cause.reason) == (Outcome.HELD, Reason.LOSES_ROUTES)
    assert f"via {made}: AWS makes these routes itself, and this table has none of them; add the table" in drift.message
    assert association(net, SECOND)["RouteTableId"] == other


def test_a_new_table_does_not_get_a_subnet_whose_routes_nobody_put_there(net: Network) -> None:
    """Neither in the round after the one that created it, nor in a later run: the plan said that it is held."""
    made = endpoint(net, net.id(PRIVATE))
    new = edit("route_table/Data", routes={}, subnets=[SECOND])
    wanted = document(both(edit(PRIVATE, subnets=[FIRST]), new))
    net.lab.calls.clear()
    reports = [net.run(wanted) for _ in range(2)]
    assert all(one.count(Outcome.HELD) for one in reports), list(map(told, reports))
    assert {drift.outcome for drift in reports[1].drifts} == {Outcome.HELD}, told(reports[1])
    assert writes(net) == ["CreateRouteTable"]
    assert association(net, SECOND)["RouteTableId"] == net.id(PRIVATE)
    new_id = reports[-1].ids[Address("route_table/Data")]
    net.outsider("ec2").modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[new_id])
    assert net.run(wanted).in_sync
    calm(net, wanted)


def test_it_moves_where_staying_keeps_a_way_to_the_internet_open(net: Network) -> None:
    other = table(net)
    endpoint(net, other)
    gateway = net.id("internet_gateway/MyInternetGateway")
    net.outsider("ec2").create_route(RouteTableId=other, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    move(net, SECOND, other)
    report = net.run()
    assert report.in_sync, told(report)
    (action,) = [one for one in report.plan.actions if one.loses]
    assert action.loses.startswith(f"{SECOND} loses pl-")
    assert f"          {action.loses}" in text(report).splitlines()
    assert action.loses in {one.get("loses") for one in as_json(report)["actions"]}


def test_it_moves_between_two_tables_that_a_person_declared(net: Network) -> None:
    made = endpoint(net, net.id(PUBLIC))
    move(net, SECOND, net.id(PUBLIC))
    report = net.run()
    assert report.in_sync, told(report)
    (action,) = [one for one in report.plan.actions if one.loses]
    assert made in action.loses


def test_a_propagated_route_is_not_lost_either(net: Network) -> None:
    ec2 = net.outsider("ec2")
    other = table(net)
    gateway = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpcId=net.id(VPC), VpnGatewayId=gateway)
    net.lab.learn(gateway, ["192.168.0.0/16"])
    ec2.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=other)
    move(net, SECOND, other)
    (drift,) = net.run().drifts
    assert "would lose 192.168.0.0/16 via vgw-" in drift.message


# Where nothing is corrected.


def test_missing_tags_are_no_drift_in_mode_report(net: Network) -> None:
    strip(net, PRIVATE, ACL, FIRST)
    report = net.run(policy=Policy(mode="report"))
    assert (report.drifts, report.writes) == ((), 0)
    assert set(report.untagged) == {Address(one) for one in (PRIVATE, ACL, FIRST)}
    assert report.in_sync


def test_what_is_only_reported_gets_no_tags(net: Network) -> None:
    strip(net, PRIVATE)
    wanted = document(edit(PRIVATE, enforcement="report"))
    report = net.run(wanted)
    assert (report.drifts, report.untagged) == ((), (Address(PRIVATE),))


def test_a_name_tag_is_a_persons_after_it_was_made(net: Network) -> None:
    tag(net, net.id(PRIVATE), Name="renamed by hand")
    calm(net)
    wanted = document(edit(PRIVATE, tags={"Name": "kept"}))
    assert net.run(wanted).in_sync
    assert tags_of(net, net.id(PRIVATE))["Name"] == "kept"


def test_an_acl_moved_to_another_is_still_put_back(net: Network) -> None:
    move_acl(net, SECOND, net.id(OTHER_ACL))
    assert net.run().in_sync
