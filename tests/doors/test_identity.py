"""What a deployed stack remembers of who is who from run to run: copies of tags, releases, crashes; and a network that
is taken over, which is told once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lab.faults import Stopped
from lab.network import Network, find_network
from lab.strict_aws import Call
from reconciler.attempt import one_run
from reconciler.aws.client import AwsError
from reconciler.ledger.lease import GRACE, TERM
from tests.support.cases import ANYWHERE
from tests.support.decoys import PRIVATE, PUBLIC, exchanged, replaced, tag, untag
from tests.support.doors import NAME, TABLE, Doors, object_event

SCHEDULED = {"setpoint": 1, "document": NAME, "trigger": {"source": "schedule"}}
OPEN, REVOKED = "ssh-opened-to-the-world", "RevokeSecurityGroupIngress"
STRAY = {"10.9.0.0/16": "internet_gateway/MyInternetGateway"}
IS_ANOTHER = "is another resource than before"
DATABASE = "db_instance/mypostgresqldb"


def declared(written: dict[str, Any]) -> None:
    """A route that the live table does not have, so that every run has something to do there."""
    written["revision"] = 2
    written["resources"]["route_table"]["PrivateRouteTable"]["routes"] = STRAY


def live(doors: Doors) -> Network:
    return find_network(doors.hands, NAME)


def later(written: dict[str, Any]) -> None:
    declared(written)
    written["revision"] = 3


def ec2(doors: Doors) -> Any:
    return doors.hands.client("ec2")


def ids(doors: Doors) -> dict[str, str]:
    """The ids that the ledger has."""
    return {at: one["S"] for at, one in doors.item()["ids"]["M"].items()}


def topics(doors: Doors) -> list[tuple[str, str]]:
    """What people were told so far: status and topic."""
    attributes = [one["MessageAttributes"] for one in doors.alerts()]
    return [(one["status"]["StringValue"], one["topic"]["StringValue"]) for one in attributes]


def subjects(doors: Doors) -> list[str]:
    return [one["Subject"] for one in doors.alerts()]


def routes(doors: Doors, table: str) -> set[str]:
    (found,) = ec2(doors).describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {one["DestinationCidrBlock"] for one in found["Routes"]}


def touching(doors: Doors, aws_id: str) -> list[str]:
    calls = [one for one in doors.lab.calls if one.kind == "write" and one.service == "ec2"]
    return [one.operation for one in calls if aws_id in str(one.params)]


def again(doors: Doors, times: int = 1) -> None:
    for _ in range(times):
        doors.clock.sleep(600)
        assert doors.work(SCHEDULED) == ()


def test_every_resource_is_remembered_by_the_id_that_aws_gives_only_once(doors: Doors) -> None:
    known, found = ids(doors), live(doors)
    assert known["route_table/PrivateRouteTable"] == found[PRIVATE]
    assert known["vpc/MyVPC"] == found.vpc_id
    assert known[DATABASE].startswith("db-")
    assert len(known) == 14


def test_a_copy_of_the_tags_is_held_and_told_once_until_a_person_releases_it(doors: Doors) -> None:
    was = live(doors)[PRIVATE]
    copy = replaced(ec2(doors), live(doors))
    doors.upload(declared)
    doors.drift(OPEN)
    assert doors.work(object_event()) == ()
    assert (doors.writes(), touching(doors, copy)) == ([REVOKED], [])
    assert ids(doors)[PRIVATE] == was
    (alert,) = [one for one in doors.alerts() if IS_ANOTHER in one["Subject"]]
    assert alert["Subject"].startswith("Setpoint high: route_table/PrivateRouteTable is another resource than before")
    assert (
        f"route_table/PrivateRouteTable: it is {copy} now (its tags), and was {was} before: if that is right, write "
        f'"adopt": {{"route_table/PrivateRouteTable": "{copy}"}}, or release this plan; until then nothing is written '
        "to it"
    ) in alert["Message"]
    told = len(doors.alerts())
    again(doors, 3)
    assert (len(doors.alerts()), touching(doors, copy)) == (told, [])

    plan = doors.invoke(mode="plan")["report"]["fingerprint"]
    assert plan in alert["Message"]
    answer = doors.invoke(mode="apply", approve=plan)
    assert (answer["ending"], answer["report"]["in_sync"]) == ("completed", True)
    assert "10.9.0.0/16" in routes(doors, copy)
    assert ids(doors)[PRIVATE] == copy
    assert ("resolved", "resolved") in topics(doors)
    told = len(doors.alerts())
    again(doors, 2)
    assert len(doors.alerts()) == told


def test_an_approval_of_another_plan_releases_nothing(doors: Doors) -> None:
    copy = replaced(ec2(doors), live(doors))
    doors.upload(declared)
    before = doors.invoke(mode="plan")["report"]["fingerprint"]
    second = ec2(doors).create_route_table(VpcId=live(doors).vpc_id)["RouteTable"]["RouteTableId"]
    untag(ec2(doors), copy)
    tag(ec2(doors), second, PRIVATE)
    answer = doors.invoke(mode="apply", approve=before)
    assert (answer["ending"], doors.writes()) == ("refused", [])
    assert "the plan is now" in answer["problem"]


def test_an_entry_in_adopt_releases_it_and_may_then_be_taken_out(doors: Doors) -> None:
    copy = replaced(ec2(doors), live(doors))
    again(doors)
    assert any(IS_ANOTHER in one for one in subjects(doors))

    def adopt(written: dict[str, Any]) -> None:
        declared(written)
        written["adopt"] = {PRIVATE: copy}

    doors.upload(adopt)
    assert doors.work(object_event()) == ()
    assert "10.9.0.0/16" in routes(doors, copy)
    assert ids(doors)[PRIVATE] == copy
    doors.upload(later)
    doors.lab.calls.clear()
    assert doors.work(object_event()) == ()
    again(doors)
    assert (doors.writes(), doors.others()) == ([], [])


def test_exchanged_tags_are_held_on_both_sides_run_after_run(doors: Doors) -> None:
    found = live(doors)
    doors.upload(declared)
    exchanged(ec2(doors), found)
    # Now neither reads more as the other than as what its tags say.
    ec2(doors).delete_route(RouteTableId=found[PUBLIC], DestinationCidrBlock=ANYWHERE)
    assert doors.work(object_event()) == ()
    again(doors, 2)
    assert doors.writes() == []
    assert (ids(doors)[PRIVATE], ids(doors)[PUBLIC]) == (found[PRIVATE], found[PUBLIC])
    (alert,) = [one for one in doors.alerts() if one["MessageAttributes"]["topic"]["StringValue"] == "identity-changed"]
    assert "2 resources are others than before" in alert["Subject"]
    exchanged(ec2(doors), Network(found.vpc_id, {PRIVATE: found[PUBLIC], PUBLIC: found[PRIVATE]}))
    again(doors)
    assert "10.9.0.0/16" in routes(doors, found[PRIVATE])
    assert ("resolved", "resolved") in topics(doors)


def test_a_database_restored_under_the_old_name_is_not_held(doors: Doors) -> None:
    rds, was = doors.hands.client("rds"), ids(doors)[DATABASE]
    rds.create_db_snapshot(DBInstanceIdentifier="mypostgresqldb", DBSnapshotIdentifier="before")
    rds.modify_db_instance(DBInstanceIdentifier="mypostgresqldb", NewDBInstanceIdentifier="old", ApplyImmediately=True)
    doors.lab.settle()
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="mypostgresqldb", DBSnapshotIdentifier="before", DBSubnetGroupName="mydbsubnetgroup"
    )
    doors.lab.settle()
    assert doors.work(SCHEDULED) == ()
    assert "ModifyDBInstance" in doors.writes()
    assert ids(doors)[DATABASE] != was
    assert not any(IS_ANOTHER in one for one in subjects(doors))


def test_an_address_that_is_renamed_takes_its_table_along(doors: Doors) -> None:
    table = live(doors)[PRIVATE]

    def rename(written: dict[str, Any]) -> None:
        written["revision"] = 2
        tables = written["resources"]["route_table"]
        tables["inside"] = tables.pop("PrivateRouteTable") | {"formerly": ["PrivateRouteTable"]}

    doors.upload(rename)
    assert doors.work(object_event()) == ()
    assert doors.writes() == ["CreateTags"]
    assert (ids(doors)["route_table/inside"], PRIVATE in ids(doors)) == (table, False)
    assert not any(IS_ANOTHER in one for one in subjects(doors))


def renamed(written: dict[str, Any]) -> None:
    """The private table under another name, with a route that the live one does not have."""
    declared(written)
    tables = written["resources"]["route_table"]
    tables["inside"] = tables.pop("PrivateRouteTable") | {"formerly": ["PrivateRouteTable"]}


def test_a_copy_is_noticed_also_where_the_address_is_renamed_at_the_same_time(doors: Doors) -> None:
    was, copy = live(doors)[PRIVATE], replaced(ec2(doors), live(doors))
    doors.upload(renamed)
    assert doors.work(object_event()) == ()
    assert touching(doors, copy) == []
    assert (ids(doors)["route_table/inside"], PRIVATE in ids(doors)) == (was, False)
    assert any(IS_ANOTHER in one for one in subjects(doors))


def test_what_is_created_anew_under_another_name_is_its_own_after_a_crash(doors: Doors) -> None:
    doors.upload(renamed)
    lost_table(doors)
    die_at(doors, "CreateRoute")
    with pytest.raises(Stopped):
        doors.work(object_event())
    revive(doors)
    again(doors)
    made = live(doors)["route_table/inside"]
    assert (ids(doors)["route_table/inside"], routes(doors, made)) == (made, {"10.0.0.0/16", "10.9.0.0/16"})
    assert not any(IS_ANOTHER in one for one in subjects(doors))


def test_an_absent_resource_keeps_its_id_so_a_copy_that_comes_later_is_noticed(doors: Doors) -> None:
    was, only_report = live(doors)[PRIVATE], doors.another(policy=doors.policy.__class__(mode="report"))
    copy = replaced(ec2(doors), live(doors))
    untag(ec2(doors), copy)
    (table,) = ec2(doors).describe_route_tables(RouteTableIds=[copy])["RouteTables"]
    for one in table["Associations"]:
        ec2(doors).disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
    assert doors.work(SCHEDULED, stack=only_report) == ()
    assert ids(doors)[PRIVATE] == was
    tag(ec2(doors), copy, PRIVATE)
    doors.upload(declared)
    assert doors.work(object_event()) == ()
    assert touching(doors, copy) == []


# -------------------------------------------------------------------------------------------------------------- crashes


def die_at(doors: Doors, operation: str) -> None:
    """The process is killed right after a call of that name: nothing of it is ever called again."""
    dead = False

    def before(name: str, service: str, called: str) -> None:
        if dead:
            raise Stopped(f"dead before {called}")

    def after(call: Call) -> None:
        nonlocal dead
        if call.operation == operation:
            dead = True
            raise Stopped(operation)

    doors.lab.before_call, doors.lab.after_write = before, after


def revive(doors: Doors) -> None:
    doors.lab.before_call = doors.lab.after_write = None
    doors.clock.sleep((TERM + GRACE).total_seconds() + 1)


def test_the_witness_survives_a_crash(doors: Doors) -> None:
    copy = replaced(ec2(doors), live(doors))
    doors.upload(declared)
    doors.drift(OPEN)
    die_at(doors, REVOKED)
    with pytest.raises(Stopped):
        doors.work(object_event())
    revive(doors)
    again(doors)
    assert touching(doors, copy) == []
    assert any(IS_ANOTHER in one for one in subjects(doors))


def lost_table(doors: Doors) -> None:
    """The private table deleted, with nothing in its place."""
    copy = replaced(ec2(doors), live(doors))
    (table,) = ec2(doors).describe_route_tables(RouteTableIds=[copy])["RouteTables"]
    for one in table["Associations"]:
        ec2(doors).disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
    ec2(doors).delete_route_table(RouteTableId=copy)


@pytest.mark.parametrize("operation", ["CreateRouteTable", "CreateRoute", "AssociateRouteTable"])
def test_what_a_run_created_before_it_crashed_is_its_own(doors: Doors, operation: str) -> None:
    """Its id is another one than before, and the run had no time to say so: it said before that it would create it."""
    was = live(doors)[PRIVATE]
    doors.upload(declared)
    lost_table(doors)
    die_at(doors, operation)
    with pytest.raises(Stopped):
        doors.work(object_event())
    assert PRIVATE not in ids(doors)
    revive(doors)
    again(doors)
    made = live(doors)[PRIVATE]
    assert made != was
    assert "10.9.0.0/16" in routes(doors, made)
    assert ids(doors)[PRIVATE] == made
    assert doors.writes().count("CreateRouteTable") == 1
    assert not any(IS_ANOTHER in one for one in subjects(doors))


def test_what_a_run_created_is_its_own_also_where_no_look_shows_it_yet(doors: Doors) -> None:
    lost_table(doors)

    def hide(call: Call) -> None:
        if call.operation == "CreateRouteTable":
            doors.lab.faults.stale("DescribeRouteTables", 9)

    doors.lab.faults.lose_answer("CreateRouteTable")
    doors.lab.after_write = hide
    assert doors.work(SCHEDULED) == ()
    assert PRIVATE not in ids(doors)
    doors.lab.after_write = None
    doors.lab.faults.clear()
    again(doors)
    assert ids(doors)[PRIVATE] == live(doors)[PRIVATE]
    ours: Any = [{"Name": "tag:setpoint:name", "Values": ["PrivateRouteTable"]}]
    made = doors.hands.client("ec2").describe_route_tables(Filters=ours)["RouteTables"]
    assert [one["RouteTableId"] for one in made] == [live(doors)[PRIVATE]], "the token made it only once"
    assert not any(IS_ANOTHER in one for one in subjects(doors))


def test_what_a_run_created_stays_its_own_whatever_goes_wrong_after_it(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise AwsError("LookupEvents", "InternalError", "something went wrong")

    lost_table(doors)
    monkeypatch.setattr(one_run, "attribute", broken)
    assert doors.work(SCHEDULED) == ()
    assert PRIVATE not in ids(doors)
    monkeypatch.undo()
    again(doors)
    assert ids(doors)[PRIVATE] == live(doors)[PRIVATE]
    assert not any(IS_ANOTHER in one for one in subjects(doors))


@pytest.mark.parametrize(
    ("attribute", "value", "held"),
    [
        ("vpc_id", "", True),
        ("vpc_id", "vpc-0123456789abcdef0", False),
        ("region", "eu-west-1", False),
        ("account", "999999999999", False),
    ],
)
def test_ids_are_those_of_one_account_region_and_vpc(doors: Doors, attribute: str, value: str, held: bool) -> None:
    """Who moves a document to another place says so in its scope: what was found at the former one is no witness."""
    scope = scoped(doors)
    copy = replaced(ec2(doors), live(doors))
    doors.upload(scope)
    item = doors.item()
    moved = {attribute: {"S": value}} if value else {}
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item | moved)
    assert doors.work(object_event()) == ()
    assert any(IS_ANOTHER in one for one in subjects(doors)) is held
    assert (ids(doors)[PRIVATE] == copy) is not held


def test_nothing_is_created_anew_where_that_cannot_be_remembered(doors: Doors) -> None:
    lost_table(doors)

    def refuse(name: str, service: str, operation: str) -> None:
        if operation == "DescribeDBInstances":  # the lease is taken, and the network is being read
            doors.lab.faults.refuse("UpdateItem", code="ProvisionedThroughputExceededException")

    doors.lab.before_call = refuse
    assert doors.work(SCHEDULED) == ()
    assert doors.writes() == []


def test_an_item_of_an_earlier_version_has_no_ids_and_gets_them(doors: Doors) -> None:
    item, known = doors.item(), ids(doors)
    del item["ids"]
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item=item)
    again(doors)
    assert ids(doors) == known
    assert doors.alerts() == []


def test_an_id_that_somebody_broke_is_named_and_nothing_is_changed(doors: Doors) -> None:
    item = doors.item()
    doors.hands.client("dynamodb").put_item(TableName=TABLE, Item={**item, "ids": {"M": {PRIVATE: {"N": "1"}}}})
    answer = doors.invoke(mode="apply")
    assert answer["ending"] == "completed"
    assert f"its item cannot be read, at ids.{PRIVATE}" in answer["problem"]
    assert "write the resource's id as text, or remove the entry" in answer["problem"]
    assert doors.writes() == []


def test_a_plan_remembers_nothing(doors: Doors) -> None:
    known = ids(doors)
    copy = replaced(ec2(doors), live(doors))
    plan = doors.invoke(mode="plan")["report"]
    doors.invoke(mode="plan", approve=plan["fingerprint"])
    assert [one["reason"] for one in plan["findings"]] == ["identity_changed"]
    assert plan["found_by"][PRIVATE] == {"id": copy, "by": "tags", "how": "its tags"}
    assert ids(doors) == known


# ----------------------------------------------------------------------------------------- a network that is taken over


def anonymous(doors: Doors) -> int:
    """Take every tag off the network, and forget it; how many resources it has."""
    found = live(doors)
    in_ec2 = [one for at, one in found.ids.items() if not at.startswith("db_")]
    untag(ec2(doors), *in_ec2)
    rds = doors.hands.client("rds")
    arns = [rds.describe_db_instances()["DBInstances"][0]["DBInstanceArn"]]
    arns.append(rds.describe_db_subnet_groups()["DBSubnetGroups"][0]["DBSubnetGroupArn"])
    for arn in arns:
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["setpoint:document", "setpoint:name"])
    doors.hands.client("dynamodb").delete_item(TableName=TABLE, Key={"document": {"S": NAME}})
    doors.lab.calls.clear()
    return len(in_ec2) + len(arns)


def scoped(doors: Doors) -> Callable[[dict[str, Any]], None]:
    """A next revision that names the VPC."""
    vpc_id = live(doors).vpc_id

    def change(written: dict[str, Any]) -> None:
        written["revision"] = 2
        written["scope"]["vpc_id"] = vpc_id

    return change


def test_a_network_that_is_taken_over_is_told_once_whatever_its_size(doors: Doors) -> None:
    doors.upload(scoped(doors))
    number = anonymous(doors)
    assert doors.work(object_event()) == ()
    assert set(doors.writes()) == {"CreateTags", "AddTagsToResource"}
    (alert,) = doors.others()
    vpc_id = live(doors).vpc_id
    assert alert["Subject"] == f"Setpoint low: adopted {number} resources of {vpc_id} (test-server)"
    assert f"route_table/PrivateRouteTable is {live(doors)[PRIVATE]} (its subnets use it)" in alert["Message"]
    assert alert["Message"].count(" is ") >= number
    again(doors, 3)
    assert len(doors.others()) == 1


def test_where_only_reports_are_made_the_tags_are_neither_set_nor_missed(doors: Doors) -> None:
    doors.upload(scoped(doors))
    number = anonymous(doors)
    only_report = doors.another(policy=doors.policy.__class__(mode="report"))
    assert doors.work(object_event(), stack=only_report) == ()
    assert (doors.writes(), doors.others()) == ([], [])
    report = doors.invoke(mode="plan", stack=only_report)["report"]
    assert (report["in_sync"], report["drifted"]) == (True, [])
    assert len(report["untagged"]) == number - 1  # RDS shows no tags with a subnet group


def test_a_repeat_of_the_alert_comes_after_a_day_and_names_the_same_ids(doors: Doors) -> None:
    copy = replaced(ec2(doors), live(doors))
    assert doors.work(SCHEDULED) == ()
    doors.clock.sleep(timedelta(hours=25).total_seconds())
    assert doors.work(SCHEDULED) == ()
    told = [one for one in topics(doors) if one[1] == "identity-changed"]
    assert told == [("firing", "identity-changed"), ("repeat", "identity-changed")]
    assert all(copy in one["Message"] for one in doors.alerts() if IS_ANOTHER in one["Subject"])
