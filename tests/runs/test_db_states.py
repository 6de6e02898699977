"""Every status of a DB instance: what is not as it should be is said in words, and never called in sync."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds.db_instance.states import STATUSES
from reconciler.model import Finding, Outcome, Reason
from reconciler.notify.alert_rules import find_alerts
from tests.support.attempts import completed
from tests.support.cases import DATABASE, calm, database, edit, ended, left, said, told, writes
from tests.support.runs import Network, document
from tests.support.sampling import sampled

DB = f"db_instance/{DATABASE}"
IN_USE = {
    *("available", "storage-optimization", "storage-initialization", "backing-up", "modifying"),
    *("configuring-associated-roles", "configuring-enhanced-monitoring", "configuring-iam-database-auth"),
    *("configuring-log-exports", "storage-config-upgrade", "validating-configuration"),
}
BROKEN = {
    *("failed", "incompatible-create", "incompatible-network", "incompatible-option-group", "incompatible-parameters"),
    *("incompatible-restore", "incompatible-credentials", "inaccessible-encryption-credentials", "storage-full"),
    *("inaccessible-encryption-credentials-recoverable", "insufficient-capacity", "restore-error", "upgrade-failed"),
    *("upgrade_failed", "unsupported-configuration", "modify-failed"),
}
WAITS = {
    *("creating", "rebooting", "renaming", "upgrading", "maintenance", "starting", "stopping", "stopped", "deleting"),
    *("delete-precheck", "converting-to-vpc", "moving-to-vpc", "resetting-master-credentials", "never-heard-of"),
}


@pytest.fixture(autouse=True)
def _still(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """No status passes by itself."""
    monkeypatch.setattr(net.lab, "settle_after", 1000)


def _about(net: Network, **how: Any) -> list[Finding]:
    report = net.plan(**how)
    assert report.in_sync == (not report.findings and not report.drifts)
    return [one for one in report.findings if one.address == DB and not one.field]


def test_every_status_is_here() -> None:
    assert set(STATUSES) <= IN_USE | BROKEN | WAITS


@pytest.mark.parametrize("status", sorted(IN_USE | BROKEN | WAITS))
def test_a_status_that_is_not_in_use_is_never_in_sync(net: Network, status: str) -> None:
    net.lab.rds_state(DATABASE, status=status)
    found = _about(net)
    if status in IN_USE:
        assert found == []
        return
    (one,) = found
    assert one.outcome is (Outcome.BLOCKED if status in BROKEN else Outcome.WAITING)
    assert one.cause.reason is (Reason.BROKEN if status in BROKEN else Reason.NOT_READY)
    assert (f"it is {status}" if status != "creating" else "AWS is still creating it") in one.cause.message
    assert "{" not in one.cause.message


@pytest.mark.parametrize("status", sampled(sorted((BROKEN | WAITS) - {"storage-full", "creating"}), 3, seed="drift"))
def test_drift_waits_with_what_to_do(net: Network, status: str) -> None:
    database(DeletionProtection=False)(net)
    net.lab.rds_state(DATABASE, status=status)
    report = left(net, DB, "deletion_protection", Outcome.WAITING, f"AWS accepts no change now: it is {status}: ")
    assert said(report, DB, "deletion_protection").count(":") >= len("ab")
    assert writes(net) == []


def test_a_stopped_database_says_how_to_start_it(net: Network) -> None:
    net.lab.rds_state(DATABASE, status="stopped")
    (one,) = _about(net)
    assert f"aws rds start-db-instance --db-instance-identifier {DATABASE}" in one.cause.message
    assert "seven days" in one.cause.message


def test_a_full_database_takes_storage_and_nothing_else(net: Network) -> None:
    database(DeletionProtection=False)(net)
    net.lab.rds_state(DATABASE, status="storage-full")
    report = net.run(document(edit(DB, allocated_storage=30)))
    assert writes(net) == ["ModifyDBInstance"]
    assert ended(report, DB, "deletion_protection") == {Outcome.WAITING}, told(report)


def test_a_refusal_because_of_an_earlier_change_of_storage_waits_and_shields_nothing(net: Network) -> None:
    """RDS answers with the code of a wrong parameter: only its text says that it is busy."""
    text = "You can't currently modify the storage of this DB instance because the previous storage change is being"
    net.lab.faults.refuse_parameter("ModifyDBInstance", "AllocatedStorage", f"{text} optimized.")
    net.lab.after_write = lambda call: net.lab.settle()
    report = net.run(document(edit(DB, allocated_storage=30, multi_az=True)))
    assert ended(report, DB, "allocated_storage") == {Outcome.WAITING}, told(report)
    assert ended(report, DB, "multi_az") == {Outcome.CORRECTED}, told(report)


def test_people_are_told_loudly_of_what_is_broken(net: Network) -> None:
    net.lab.rds_state(DATABASE, status="inaccessible-encryption-credentials")
    (alert,) = find_alerts(completed(report=net.plan()))
    assert (alert.severity.name, alert.address) == ("HIGH", DB)
    assert "KMS key" in alert.sentence


def test_a_change_that_rds_does_not_show_yet_is_not_made_again(net: Network) -> None:
    """For some seconds its status still says `available`, with the old values."""
    database(DeletionProtection=False, BackupRetentionPeriod=1)(net)
    net.lab.calls.clear()
    net.lab.settle_after, net.lab.status_lag = 1000, 1000
    try:
        report = net.run()
        assert ended(report, DB, "deletion_protection") == {Outcome.WAITING}, told(report)
        assert len([one for one in net.lab.calls if one.operation == "ModifyDBInstance"]) == 1
    finally:
        net.lab.settle_after, net.lab.status_lag = 1, 0
    net.lab.settle()
    calm(net)
