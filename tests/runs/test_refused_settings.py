"""RDS refuses ModifyDBInstance as a whole because of one setting: the others are in force all the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from desired_state.document import Document
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.kinds.db_instance.settings import SETTINGS
from reconciler.model import Outcome, Policy
from tests.support.cases import DATABASE, database, edit, ended, permission, said, told, writes
from tests.support.runs import Network, document
from tests.support.sampling import sampled

DB = f"db_instance/{DATABASE}"
CLOSES = ["publicly_accessible", "vpc_security_groups"]

FREE: dict[str, Any] = {
    "publicly_accessible": True,
    "deletion_protection": False,
    "copy_tags_to_snapshot": False,
    "auto_minor_version_upgrade": False,
    "preferred_backup_window": "10:00-10:30",
    "preferred_maintenance_window": "mon:12:00-mon:12:30",
    "backup_retention_period": 1,
}
DOWNTIME: dict[str, Any] = {"db_instance_class": "db.t3.large", "port": 5433}
PAIRS = [(*one, apart) for one in itertools.combinations(FREE, 2) for apart in (False, True)]


def _drifted(net: Network, fields: dict[str, Any]) -> None:
    database(**{SETTINGS[field].parameter: value for field, value in fields.items()})(net)
    database(VpcSecurityGroupIds=[net.id(f"security_group/{one}") for one in ("DBSG", "APIGatewaySG")])(net)
    net.lab.calls.clear()


def _run(net: Network, wanted: Document | None = None, policy: Policy | None = None) -> Report:
    """One run, during whose pauses RDS finishes what it does."""

    def sleep(seconds: float) -> None:
        net.clock.sleep(seconds)
        net.lab.settle()

    return run(wanted or document(), Environment(net.aws, net.clock.now, sleep), policy or Policy())


def _checked(net: Network, report: Report, refused: set[str], drifted: set[str]) -> None:
    """What is refused, with what goes only together with it, is told by its field; all else is in force."""
    net.lab.settle()
    groups = {SETTINGS[field].together for field in refused} - {""}
    together = {field for field in drifted if SETTINGS[field].together in groups}
    assert {one.field for one in net.plan(report.document).drifts} == (refused & drifted) | together
    for field in drifted:
        how = ended(report, DB, field)
        assert (how == {Outcome.FAILED}) is (field in refused | together), (field, told(report))
    for field in refused & drifted:
        assert "InvalidParameterCombination" in said(report, DB, field)


@pytest.mark.parametrize("refused", [*FREE, "vpc_security_groups"])
def test_one_refused_setting_shields_no_other(net: Network, refused: str) -> None:
    _drifted(net, FREE)
    net.lab.faults.refuse_parameter("ModifyDBInstance", SETTINGS[refused].parameter)
    report = _run(net)
    _checked(net, report, {refused}, {*FREE, "vpc_security_groups"})
    sent = [call for call in net.lab.calls if call.operation == "ModifyDBInstance"]
    closing = [one for one in CLOSES if one != refused]
    together, *alone = [[field for field, row in SETTINGS.items() if row.parameter in call.params] for call in sent]
    assert len(together) == len(FREE) + 1
    assert [one for one in alone if one[0] in closing][: len(closing)] == [[one] for one in closing]
    assert max(alone.index([one]) for one in closing) < len(CLOSES)


@pytest.mark.parametrize(("one", "other", "apart"), sampled(PAIRS, 14, seed="pairs"))
def test_neither_of_two_refused_settings_shields_the_others(net: Network, one: str, other: str, *, apart: bool) -> None:
    """`apart`: nothing else is drifted."""
    fields = {field: FREE[field] for field in (one, other)} if apart else FREE
    _drifted(net, fields)
    for field in (one, other):
        net.lab.faults.refuse_parameter("ModifyDBInstance", SETTINGS[field].parameter)
    _checked(net, _run(net), {one, other}, {*fields, "vpc_security_groups"})


@pytest.mark.parametrize("refused", DOWNTIME)
def test_what_costs_downtime_is_sent_apart_too(net: Network, refused: str) -> None:
    wanted = document(edit(DB, port=5432))
    _drifted(net, DOWNTIME)
    net.lab.faults.refuse_parameter("ModifyDBInstance", SETTINGS[refused].parameter)
    _checked(net, _run(net, wanted, Policy(downtime="now")), {refused}, {*DOWNTIME, "vpc_security_groups"})


def test_the_next_run_tells_the_same_and_changes_nothing(net: Network) -> None:
    _drifted(net, FREE)
    net.lab.faults.refuse_parameter("ModifyDBInstance", "PreferredBackupWindow")
    _run(net)
    net.lab.settle()
    net.lab.calls.clear()
    again = _run(net)
    assert {one.field for one in again.drifts} == {"preferred_backup_window", "preferred_maintenance_window"}
    assert writes(net) == []


def test_a_group_that_cannot_be_corrected_shields_no_public_database(net: Network) -> None:
    """The list of groups waits for the rules of its groups, and nothing else does."""
    _drifted(net, {"publicly_accessible": True, "deletion_protection": False})
    database(VpcSecurityGroupIds=[net.id("security_group/TestServerSG")])(net)
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(5432, "0.0.0.0/0")]
    )
    net.lab.faults.refuse("RevokeSecurityGroupIngress")
    report = _run(net)
    net.lab.settle()
    assert {one.field for one in net.plan().drifts if one.address == DB} == {"vpc_security_groups"}, told(report)


def test_a_group_that_is_missing_shields_no_public_database(net: Network) -> None:
    def with_group(written: dict[str, Any]) -> None:
        written["resources"]["security_group"]["new"] = {"description": "new"}
        written["resources"]["db_instance"][DATABASE]["vpc_security_groups"] = ["security_group/new"]

    _drifted(net, {"publicly_accessible": True})
    net.lab.faults.refuse("CreateSecurityGroup")
    report = _run(net, document(with_group))
    net.lab.settle()
    assert {one.field for one in net.plan().drifts if one.address == DB} == {"vpc_security_groups"}, told(report)
