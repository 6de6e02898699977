"""The database: what takes effect at once, what costs downtime and is held, and whose pending change is whose."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.result import PendingChange
from reconciler.model import Cause, Finding, Outcome, Policy, Reason
from reconciler.report.text import text
from tests.support.cases import (
    DATABASE,
    Edit,
    built,
    calm,
    database,
    edit,
    ended,
    left,
    live_database,
    mended,
    permission,
    told,
    writes,
)
from tests.support.runs import Network, document, drifted

DB = f"db_instance/{DATABASE}"
NOW, WINDOW = Policy(downtime="now"), Policy(downtime="window")


def _wanted(**fields: Any) -> Edit:
    return edit(DB, **fields)


def _instance(net: Network) -> Any:
    (found,) = net.outsider("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    return found


def _modifications(net: Network) -> list[dict[str, Any]]:
    """The parameters of every ModifyDBInstance that went well, without the identifier."""
    calls = [call.params for call in net.lab.calls if call.operation == "ModifyDBInstance" and call.error is None]
    return [{name: value for name, value in one.items() if name != "DBInstanceIdentifier"} for one in calls]


def test_what_takes_effect_at_once_goes_in_one_call_that_flushes_nothing(net: Network) -> None:
    deed = database(
        PubliclyAccessible=True,
        DeletionProtection=False,
        CopyTagsToSnapshot=False,
        AutoMinorVersionUpgrade=False,
        PreferredBackupWindow="10:00-10:30",
        PreferredMaintenanceWindow="mon:12:00-mon:12:30",
        BackupRetentionPeriod=1,
    )
    mended(net, deed)
    (sent,) = _modifications(net)
    assert sent == {
        "ApplyImmediately": False,
        "PubliclyAccessible": False,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "AutoMinorVersionUpgrade": True,
        "PreferredBackupWindow": "17:00-17:30",
        "PreferredMaintenanceWindow": "sun:18:00-sun:18:30",
        "BackupRetentionPeriod": 7,
    }


def test_the_groups_of_a_database_are_replaced_as_one_list(net: Network) -> None:
    groups = [net.id(f"security_group/{name}") for name in ("DBSG", "APIGatewaySG")]
    mended(net, database(VpcSecurityGroupIds=groups))
    assert [one["VpcSecurityGroupIds"] for one in _modifications(net)] == [[net.id("security_group/DBSG")]]


def test_a_group_that_is_opened_meanwhile_is_right_before_the_database_uses_it(net: Network) -> None:
    """Somebody took the database out of its group and opened that group: it comes back to a closed one."""

    def deed(net: Network) -> None:
        database(VpcSecurityGroupIds=[net.id("security_group/TestServerSG")])(net)
        net.outsider("ec2").authorize_security_group_ingress(
            GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(5432, "0.0.0.0/0")]
        )

    mended(net, deed)
    assert writes(net) == ["RevokeSecurityGroupIngress", "ModifyDBInstance"]


def test_windows_that_would_overlap_half_way_are_set_back_in_one_call(net: Network) -> None:
    """Each alone would meet the other's old place, which RDS refuses."""
    deed = database(PreferredBackupWindow="18:00-18:30", PreferredMaintenanceWindow="sun:17:00-sun:17:30")
    mended(net, deed)
    assert len(_modifications(net)) == 1


def test_downtime_in_the_window_leaves_the_change_pending_and_calls_that_in_sync(net: Network) -> None:
    database(DBInstanceClass="db.t3.large")(net)
    report = net.run(policy=WINDOW)
    assert ended(report, DB, "db_instance_class") == {Outcome.CORRECTED}, told(report)
    assert _modifications(net) == [{"ApplyImmediately": False, "DBInstanceClass": "db.t3.micro"}]
    waiting = _instance(net)
    assert (waiting["DBInstanceClass"], waiting["PendingModifiedValues"]) == (
        "db.t3.large",
        {"DBInstanceClass": "db.t3.micro"},
    )
    calm(net, policy=WINDOW)
    calm(net)
    assert report.pending == (PendingChange(Address(DB), "db_instance_class", "db.t3.large", "db.t3.micro"),)
    net.lab.maintenance_window()
    assert _instance(net)["DBInstanceClass"] == "db.t3.micro"
    calm(net)


def test_downtime_now_is_carried_out_at_once(net: Network) -> None:
    mended(net, database(DBInstanceClass="db.t3.large"), policy=NOW)
    assert _modifications(net) == [{"ApplyImmediately": True, "DBInstanceClass": "db.t3.micro"}]
    assert _instance(net)["DBInstanceClass"] == "db.t3.micro"


def test_what_costs_downtime_never_holds_up_what_costs_none(net: Network) -> None:
    database(DBInstanceClass="db.t3.large", DeletionProtection=False)(net)
    report = net.run()
    assert ended(report, DB, "db_instance_class") == {Outcome.HELD}, told(report)
    assert _modifications(net) == [{"ApplyImmediately": False, "DeletionProtection": True}]
    net.lab.settle()
    again = net.run()
    assert drifted(again) == {(DB, "db_instance_class")}
    assert ended(again, DB, "db_instance_class") == {Outcome.HELD}
    assert (again.writes, _instance(net)["DeletionProtection"]) == (0, True)


def test_backups_switched_off_come_back_only_with_leave_for_downtime(net: Network) -> None:
    database(BackupRetentionPeriod=0)(net)
    left(net, DB, "backup_retention_period", Outcome.HELD, "allow it with SETPOINT_DOWNTIME=window")
    assert writes(net) == []
    report = net.run(policy=NOW)
    net.lab.settle()
    assert report.in_sync, told(report)
    assert _instance(net)["BackupRetentionPeriod"] == 7


def test_a_cut_in_backups_is_taken_back_without_any_downtime(net: Network) -> None:
    mended(net, database(BackupRetentionPeriod=1))
    assert _modifications(net) == [{"ApplyImmediately": False, "BackupRetentionPeriod": 7}]


def _pending(net: Network, **values: Any) -> None:
    """Somebody else's changes wait for the maintenance window."""
    net.lab.rds_state(DATABASE, pending=values)


def test_somebody_else_s_pending_change_is_drift_and_is_cancelled_while_it_waits(net: Network) -> None:
    _pending(net, DBInstanceClass="db.r5.8xlarge")
    plan = net.plan()
    assert drifted(plan) == {(DB, "db_instance_class")}
    assert "db_instance_class: db.t3.micro, pending db.r5.8xlarge -> db.t3.micro" in text(plan)
    report = net.run()
    net.lab.settle()
    assert report.in_sync, told(report)
    assert _modifications(net) == [{"ApplyImmediately": True, "DBInstanceClass": "db.t3.micro"}]
    found = _instance(net)
    assert (found["DBInstanceClass"], found["PendingModifiedValues"]) == ("db.t3.micro", {})
    calm(net)


def test_nothing_is_applied_at_once_while_somebody_else_s_change_waits(net: Network) -> None:
    """The document says nothing of certificates, so that change is theirs, and no call of ours may carry it out."""
    _pending(net, CACertificateIdentifier="rds-ca-rsa4096-g1", DBInstanceClass="db.r5.8xlarge")
    database_now = live_database(net)
    database_now.deletion_protection = False
    net.run(policy=NOW)
    net.lab.settle()
    assert [one["ApplyImmediately"] for one in _modifications(net)] == [False] * len(_modifications(net))
    assert _instance(net)["PendingModifiedValues"]["CACertificateIdentifier"] == "rds-ca-rsa4096-g1"
    assert _instance(net)["DBInstanceClass"] == "db.t3.micro"


def test_downtime_now_is_held_while_somebody_else_s_change_waits(net: Network) -> None:
    database(DBInstanceClass="db.t3.large")(net)
    _pending(net, CACertificateIdentifier="rds-ca-rsa4096-g1")
    why = "it would also apply somebody else's pending CACertificateIdentifier"
    left(net, DB, "db_instance_class", Outcome.HELD, why, policy=NOW)
    assert _modifications(net) == []


def test_a_change_without_downtime_joins_the_window_while_somebody_else_s_waits(net: Network) -> None:
    wanted = document(_wanted(allocated_storage=30))
    _pending(net, CACertificateIdentifier="rds-ca-rsa4096-g1")
    report = net.run(wanted)
    assert ended(report, DB, "allocated_storage") == {Outcome.CORRECTED}, told(report)
    assert _modifications(net) == [{"ApplyImmediately": False, "AllocatedStorage": 30}]
    assert _instance(net)["PendingModifiedValues"] == {
        "AllocatedStorage": 30,
        "CACertificateIdentifier": "rds-ca-rsa4096-g1",
    }
    calm(net, wanted)


@pytest.mark.parametrize(
    ("pending", "field"),
    [
        ({"AllocatedStorage": 100}, "allocated_storage"),
        ({"MultiAZ": True}, "multi_az"),
        ({"StorageType": "gp2"}, "storage_type"),
        ({"EngineVersion": "17.2"}, "engine_version"),
        ({"BackupRetentionPeriod": 0}, "backup_retention_period"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_any_pending_change_of_a_declared_property_is_cancelled_while_it_waits(
    net: Network, pending: dict[str, Any], field: str
) -> None:
    _pending(net, **pending)
    assert drifted(net.plan()) == {(DB, field)}
    report = net.run()
    net.lab.settle()
    assert ended(report, DB, field) == {Outcome.CORRECTED}, told(report)
    net.lab.maintenance_window()
    found = _instance(net)
    assert found["PendingModifiedValues"] == {}
    assert (found["AllocatedStorage"], found["MultiAZ"], found["EngineVersion"]) == (20, False, "16.4")
    assert (found["StorageType"], found["BackupRetentionPeriod"]) == ("gp3", 7)
    calm(net)


def test_a_pending_change_of_an_undeclared_property_is_no_concern_of_ours(net: Network) -> None:
    _pending(net, CACertificateIdentifier="rds-ca-rsa4096-g1")
    calm(net)


@pytest.mark.parametrize("status", ["modifying", "backing-up", "upgrading", "stopped"])
def test_a_database_that_is_busy_waits(net: Network, status: str) -> None:
    database(DeletionProtection=False)(net)
    net.lab.settle_after = 1000
    try:
        net.lab.rds_state(DATABASE, status=status)
        left(net, DB, "deletion_protection", Outcome.WAITING, f"AWS accepts no change now: it is {status}")
        assert writes(net) == []
    finally:
        net.lab.settle_after = 1


def test_a_full_disk_may_grow(net: Network) -> None:
    wanted = document(_wanted(allocated_storage=30))
    net.lab.rds_state(DATABASE, status="storage-full")
    report = net.run(wanted)
    net.lab.settle()
    assert ended(report, DB, "allocated_storage") == {Outcome.CORRECTED}, told(report)
    assert _instance(net)["AllocatedStorage"] == 30


def test_storage_that_is_being_rearranged_waits(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net.lab, "settle_after", 1000)  # it takes hours
    wanted = document(_wanted(allocated_storage=30))
    net.lab.rds_state(DATABASE, status="storage-optimization")
    left(
        net,
        DB,
        "allocated_storage",
        Outcome.WAITING,
        "RDS is changing its storage: its status is storage-optimization",
        wanted,
    )
    assert writes(net) == []


def test_all_else_goes_on_while_storage_is_being_rearranged(net: Network) -> None:
    wanted = document(_wanted(allocated_storage=30))
    database(DeletionProtection=False)(net)
    net.lab.rds_state(DATABASE, status="storage-optimization")
    net.run(wanted)
    assert _modifications(net) == [{"ApplyImmediately": False, "DeletionProtection": True}]


def test_storage_that_rds_let_grow_by_itself_is_no_drift(net: Network) -> None:
    wanted = built(net, _wanted(max_allocated_storage=100))
    live_database(net).allocated_storage = 50
    calm(net, wanted)


def test_storage_and_its_sort_change_in_one_call(net: Network) -> None:
    database(StorageType="gp2")(net)
    wanted = document(_wanted(allocated_storage=30))
    report = net.run(wanted)
    net.lab.settle()
    assert report.in_sync, told(report)
    assert _modifications(net) == [{"ApplyImmediately": True, "AllocatedStorage": 30, "StorageType": "gp3"}]
    calm(net, wanted)


def test_a_later_minor_version_is_no_drift_where_rds_may_upgrade(net: Network) -> None:
    wanted = built(net, _wanted(engine_version="16.4"))
    live_database(net).engine_version = "16.6"
    calm(net, wanted)


def test_a_later_minor_version_is_blocked_where_rds_may_not_upgrade(net: Network) -> None:
    wanted = built(net, _wanted(engine_version="16.4", auto_minor_version_upgrade=False))
    live_database(net).engine_version = "16.6"
    left(net, DB, "engine_version", Outcome.BLOCKED, "it runs 16.6; declare that", wanted)


def test_any_minor_version_is_what_a_major_one_asks_for(net: Network) -> None:
    live_database(net).engine_version = "16.1"
    calm(net)


@pytest.mark.parametrize("automatically", [True, False])
def test_a_release_of_extended_support_is_no_drift_and_stops_nothing(net: Network, *, automatically: bool) -> None:
    """RDS upgrades within Extended Support regardless of automatic minor upgrades, and a port is still closed."""
    live_database(net).engine_version = "12.22-rds.20250814"
    live_database(net).auto_minor_version_upgrade = automatically
    wanted = document(_wanted(engine_version="12.22", auto_minor_version_upgrade=automatically))
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(5432, "0.0.0.0/0")]
    )
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == ["RevokeSecurityGroupIngress"]


@pytest.mark.parametrize("live", ["9.6.20", "10.23-R2", "alien", "17.2-preview"])
def test_a_version_of_any_form_costs_the_database_alone_a_correction(net: Network, live: str) -> None:
    live_database(net).engine_version = live
    database(DeletionProtection=False)(net)
    report = net.run(document(_wanted(engine_version="12.22")), NOW)
    assert _modifications(net)[0] == {"ApplyImmediately": False, "DeletionProtection": True}, told(report)


def test_a_version_that_cannot_be_compared_is_blocked_with_the_way_out(net: Network) -> None:
    live_database(net).engine_version = "17.2-preview"
    wanted = document(_wanted(engine_version="17.2"))
    left(net, DB, "engine_version", Outcome.BLOCKED, "cannot be told; declare 17.2-preview", wanted)


def test_a_major_upgrade_says_so_to_rds_and_a_minor_one_does_not(net: Network) -> None:
    live_database(net).engine_version = "16.1"
    minor, major = document(_wanted(engine_version="16.4")), document(_wanted(engine_version="17.2"))
    for wanted in (minor, major):
        report = net.run(wanted, NOW)
        net.lab.settle()
        assert report.in_sync, told(report)
    assert _modifications(net) == [
        {"ApplyImmediately": True, "EngineVersion": "16.4"},
        {"ApplyImmediately": True, "EngineVersion": "17.2", "AllowMajorVersionUpgrade": True},
    ]
    assert _instance(net)["EngineVersion"] == "17.2"


def _delete(net: Network) -> None:
    rds = net.outsider("rds")
    database(DeletionProtection=False)(net)
    rds.delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
    net.lab.settle()


def test_a_deleted_database_is_never_made_anew_without_leave(net: Network) -> None:
    _delete(net)
    left(net, DB, "", Outcome.BLOCKED, "restore it from a snapshot, or set SETPOINT_CREATE_DATABASES=1")
    assert writes(net) == []


def test_a_deleted_database_is_made_anew_with_leave(net: Network) -> None:
    _delete(net)
    report = net.run(policy=Policy(create_databases=True))
    net.lab.settle()
    assert ended(report, DB) == {Outcome.WAITING}, told(report)
    assert writes(net) == ["CreateDBInstance"]
    found = _instance(net)
    assert (found["PubliclyAccessible"], found["StorageEncrypted"], found["DeletionProtection"]) == (False, True, True)
    assert [one["VpcSecurityGroupId"] for one in found["VpcSecurityGroups"]] == [net.id("security_group/DBSG")]
    calm(net)


def test_a_database_that_aws_is_still_creating_waits_and_nothing_is_sent_for_it(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    _delete(net)
    monkeypatch.setattr(net.lab, "settle_after", 1000)
    policy, still = Policy(create_databases=True), Cause(Reason.NOT_READY, "AWS is still creating it")
    made = net.run(policy=policy)
    assert [(one.address, one.outcome, one.cause) for one in made.drifts] == [(DB, Outcome.WAITING, still)]
    assert (made.in_sync, made.findings, writes(net)) == (False, (), ["CreateDBInstance"])
    for again in (net.plan(policy=policy), net.run(policy=policy)):
        assert (again.drifts, again.plan.actions, again.in_sync) == ((), (), False)
        assert again.findings == (Finding(Address(DB), Outcome.WAITING, still),)
    assert writes(net) == ["CreateDBInstance"]
    net.lab.settle()
    calm(net, policy=policy)


def test_a_database_that_cannot_be_made_from_the_document_is_blocked_with_what_is_missing(net: Network) -> None:
    _delete(net)
    wanted = document(_wanted(engine=..., manage_master_user_password=..., db_instance_class=...))
    left(
        net,
        DB,
        "",
        Outcome.BLOCKED,
        "add engine, db_instance_class, manage_master_user_password",
        wanted,
        Policy(create_databases=True),
    )


def test_a_database_that_is_being_deleted_waits(net: Network) -> None:
    database(DeletionProtection=False)(net)
    net.lab.settle_after = 1000
    try:
        net.outsider("rds").delete_db_instance(DBInstanceIdentifier=DATABASE, SkipFinalSnapshot=True)
        left(net, DB, "deletion_protection", Outcome.WAITING, "AWS accepts no change now: it is deleting")
    finally:
        net.lab.settle_after = 1


def test_a_database_of_that_name_in_another_vpc_is_not_touched(net: Network) -> None:
    ec2, rds = net.outsider("ec2"), net.outsider("rds")
    elsewhere = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=elsewhere, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"ap-northeast-2{zone}")
        for index, zone in enumerate("ac")
    ]
    rds.create_db_subnet_group(
        DBSubnetGroupName="theirs",
        DBSubnetGroupDescription="theirs",
        SubnetIds=[one["Subnet"]["SubnetId"] for one in subnets],
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="theirs",
    )
    net.lab.settle()
    wanted = document(edit("db_instance/orders", deletion_protection=True))
    left(net, "db_instance/orders", "deletion_protection", Outcome.BLOCKED, f"another VPC, {elsewhere}", wanted)
    assert writes(net) == []


def test_a_tag_that_nobody_declared_stays(net: Network) -> None:
    arn = f"arn:aws:rds:ap-northeast-2:123456789012:db:{DATABASE}"
    net.outsider("rds").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "cost-centre", "Value": "42"}])
    calm(net)


def test_a_private_database_is_made_public_only_once_the_gateway_is_attached(net: Network) -> None:
    wanted = document(_wanted(publicly_accessible=True))
    net.outsider("ec2").detach_internet_gateway(
        InternetGatewayId=net.id("internet_gateway/MyInternetGateway"), VpcId=net.id("vpc/MyVPC")
    )
    report = net.run(wanted)
    assert writes(net) == ["AttachInternetGateway", "ModifyDBInstance"]
    assert ended(report, DB, "publicly_accessible") == {Outcome.WAITING}, told(report)
    net.lab.settle()
    calm(net, wanted)


def test_a_change_that_rds_is_still_carrying_out_is_called_waiting_and_not_corrected(net: Network) -> None:
    database(PubliclyAccessible=True)(net)
    net.lab.settle_after = 1000
    try:
        report = net.run()
        assert ended(report, DB, "publicly_accessible") == {Outcome.WAITING}, told(report)
        assert net.run().writes == 0
    finally:
        net.lab.settle_after = 1
    net.lab.settle()
    calm(net)


def test_an_adopted_database_is_tagged_before_anything_else_since_powers_may_be_bound_to_the_tag(net: Network) -> None:
    rds = net.outsider("rds")
    arn = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]["DBInstanceArn"]
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["setpoint:document", "setpoint:name"])
    rds.modify_db_instance(DBInstanceIdentifier=DATABASE, PubliclyAccessible=True, ApplyImmediately=True)
    net.lab.settle()
    net.run()
    written = [one.operation for one in net.lab.calls if one.kind == "write"]
    assert written == ["AddTagsToResource", "ModifyDBInstance"]
