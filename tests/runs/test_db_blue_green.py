"""Blue/green deployments of a database: nothing is touched before the switchover, and its twin is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.document import Document
from reconciler.engine.memory import Memory
from reconciler.model import Outcome, Policy, Reason
from tests.support.cases import DATABASE, calm, database, edit, ended, live_database, told, writes
from tests.support.runs import Network, document

DB = f"db_instance/{DATABASE}"
NOW = Policy(downtime="now", create_databases=True)


@pytest.fixture
def wanted(net: Network) -> Document:
    """The database has a password of its own: RDS deploys no other."""
    live_database(net).manage_master_user_password = False
    return document(edit(DB, manage_master_user_password=...))


def deploy(net: Network, **how: Any) -> str:
    """A deployment of the database that is ready to be switched over; its id."""
    rds = net.outsider("rds")
    (blue,) = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"]
    made = rds.create_blue_green_deployment(BlueGreenDeploymentName="upgrade", Source=blue["DBInstanceArn"], **how)
    net.lab.settle()
    net.lab.calls.clear()
    return str(made["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"])


def status(net: Network) -> str:
    (one,) = net.outsider("rds").describe_blue_green_deployments()["BlueGreenDeployments"]
    return str(one["Status"])


def names(net: Network) -> set[str]:
    return {one["DBInstanceIdentifier"] for one in net.outsider("rds").describe_db_instances()["DBInstances"]}


def switch(net: Network, deployment: str) -> None:
    net.outsider("rds").switchover_blue_green_deployment(BlueGreenDeploymentIdentifier=deployment)


@pytest.mark.parametrize("has_tags", [False, True])
def test_nothing_is_modified_while_a_deployment_names_it(net: Network, wanted: Document, *, has_tags: bool) -> None:
    net.lab.rds_unsure(green_has_tags=has_tags)
    database(DeletionProtection=False)(net)
    deploy(net)
    report = net.run(wanted, NOW)
    assert ended(report, DB, "deletion_protection") == {Outcome.HELD}, told(report)
    assert {one.cause and one.cause.reason for one in report.drifts} == {Reason.KEPT_BY_OTHERS}
    assert (writes(net), status(net)) == ([], "AVAILABLE")
    assert [one for one in report.findings if one.outcome is not Outcome.HELD] == []
    assert not [one for one in report.unmanaged if one.owned or one.remark], report.unmanaged


@pytest.mark.parametrize("at", ["SWITCHOVER_IN_PROGRESS", "half way"])
def test_nothing_is_made_or_modified_while_it_is_switched_over(net: Network, wanted: Document, at: str) -> None:
    """For a moment no instance has the name: an empty database in its place would be the worst that could happen."""
    deployment = deploy(net)
    database_now = live_database(net)
    database_now.deletion_protection = False
    switch(net, deployment)
    if at == "half way":
        net.lab.half_switched_over(deployment)
    before = names(net)
    report = net.run(wanted, NOW)
    assert (writes(net), names(net)) == ([], before), told(report)
    assert not report.in_sync
    assert "blue/green deployment" in str(told(report))
    net.lab.settle()
    assert {DATABASE, f"{DATABASE}-old1"} == names(net)


def test_after_the_switchover_the_new_one_is_kept_and_the_old_one_is_left_alone(net: Network, wanted: Document) -> None:
    known = net.run(wanted).resource_ids
    deployment = deploy(net)
    switch(net, deployment)
    net.lab.settle()
    now = live_database(net)
    now.deletion_protection = False
    old = net.lab._live.instance(f"{DATABASE}-old1")
    old.deletion_protection = False
    net.lab.calls.clear()
    report = net.run(wanted, NOW, memory=Memory(ids=known))
    net.lab.settle()
    assert {one.field for one in report.drifts} == {"deletion_protection"}, told(report)
    assert writes(net) == ["ModifyDBInstance"]
    assert (now.deletion_protection, old.deletion_protection) == (True, False)
    assert report.findings == ()
    assert not [one for one in report.unmanaged if one.owned or one.remark], report.unmanaged
    calm(net, wanted)
    net.outsider("rds").delete_blue_green_deployment(BlueGreenDeploymentIdentifier=deployment)
    net.lab.settle()
    calm(net, wanted)


def test_a_version_that_was_switched_over_is_no_reason_to_go_back(net: Network, wanted: Document) -> None:
    switch(net, deploy(net, TargetEngineVersion="17.2"))
    net.lab.settle()
    report = net.run(wanted, NOW)
    (drift,) = report.drifts
    assert (drift.field, drift.outcome) == ("engine_version", Outcome.BLOCKED), told(report)
    assert writes(net) == []
