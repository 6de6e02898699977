"""A modify that RDS accepts and never carries out: told with where the reason is, and tried again after a pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from desired_state.document import Document
from reconciler.attempt import flapping, not_carried_out
from reconciler.engine.memory import Memory
from reconciler.engine.result import Report
from reconciler.ledger.record import AcceptedChange, FlappingRecord
from reconciler.model import Outcome, Policy, Reason
from reconciler.notify.alert_rules import find_alerts
from tests.support.attempts import completed
from tests.support.cases import DATABASE, built, database, edit, ended, told, writes
from tests.support.runs import Network, document
from tests.support.sampling import sampled

DB = f"db_instance/{DATABASE}"
NOW, WINDOW = Policy(downtime="now"), Policy(downtime="window")


@dataclass
class Runs:
    """Runs that remember, as the functions make them."""

    net: Network
    wanted: Document | None = None
    policy: Policy = NOW
    flapping: dict[str, FlappingRecord] = field(default_factory=dict)
    accepted: dict[str, AcceptedChange] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)

    def run(self) -> Report:
        """One run, after which RDS has done what it does."""
        began = self.net.clock.now()
        memory = Memory(
            flapping=lambda one: flapping.suppressed(self.flapping, one, began),
            not_carried_out=lambda one: not_carried_out.held(self.accepted, one, began),
        )
        report = self.net.run(self.wanted, self.policy, memory=memory)
        now = self.net.clock.now()
        self.flapping = flapping.after(self.flapping, report, now)
        self.accepted = not_carried_out.after(self.accepted, report, now)
        self.sent += [self.minutes(began)] if report.writes else []
        self.net.lab.settle()
        return report

    def minutes(self, at: datetime) -> float:
        return round((at - self.net.started).total_seconds() / 60)

    def wait(self, minutes: float) -> None:
        self.net.clock.sleep(minutes * 60)


@pytest.fixture
def runs(net: Network, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(net.clock, "at", net.started)
    return Runs(net)


def cause(report: Report, of: str) -> tuple[set[Outcome | None], set[Reason | None]]:
    found = [one for one in report.drifts if one.field == of]
    return {one.outcome for one in found}, {one.cause.reason if one.cause else None for one in found}


HELD = ({Outcome.HELD}, {Reason.NOT_CARRIED_OUT})
Deed = Callable[[Network], object]
PROPERTIES: dict[str, tuple[Deed, dict[str, Any], str]] = {
    "db_instance_class": (database(DBInstanceClass="db.t3.large"), {}, "DBInstanceClass"),
    "allocated_storage": (lambda net: None, {"allocated_storage": 30}, "AllocatedStorage"),
    "engine_version": (lambda net: None, {"engine_version": "17.2"}, "EngineVersion"),
    "multi_az": (lambda net: None, {"multi_az": True}, "MultiAZ"),
    "deletion_protection": (database(DeletionProtection=False), {}, "DeletionProtection"),
    "enabled_cloudwatch_logs_exports": (
        lambda net: None,
        {"enabled_cloudwatch_logs_exports": ["upgrade"]},
        "CloudwatchLogsExportConfiguration",
    ),
}


@pytest.mark.parametrize("name", sampled(list(PROPERTIES), 3, seed="undone"))
def test_what_rds_accepts_and_does_not_do_is_told_and_not_sent_in_every_run(runs: Runs, name: str) -> None:
    deed, declared, parameter = PROPERTIES[name]
    deed(runs.net)
    runs.wanted = document(edit(DB, **declared))
    runs.net.lab.calls.clear()
    runs.net.lab.rds_fails(DATABASE, parameter)
    first = runs.run()
    assert cause(first, name)[1] <= {Reason.ACCEPTED, Reason.NOT_VISIBLE_YET, Reason.NOT_READY, None}, told(first)
    runs.wait(10)
    report = runs.run()
    assert cause(report, name) == HELD, told(report)
    (drift,) = [one for one in report.drifts if one.field == name]
    command = f"aws rds describe-events --source-type db-instance --source-identifier {DATABASE} --duration 20160"
    assert "AWS accepted this change at 2026-11-22T09:00Z and did not make it" in drift.message
    assert f"see its events ({command})" in drift.message
    assert not report.in_sync
    (alert,) = [one for one in find_alerts(completed(report=report)) if one.address == DB]
    assert (alert.title, [one.why for one in alert.members]) == (f"{DB} {name}: held", [drift.message])
    for _ in range(2):
        runs.wait(10)
        assert cause(runs.run(), name) == HELD
    assert writes(runs.net) == ["ModifyDBInstance"]


def test_it_is_over_as_soon_as_rds_can_do_it(runs: Runs) -> None:
    database(DBInstanceClass="db.t3.large")(runs.net)
    runs.net.lab.rds_fails(DATABASE, "DBInstanceClass")
    runs.run()
    runs.wait(10)
    assert cause(runs.run(), "db_instance_class") == HELD
    runs.net.lab.rds_fails(DATABASE, "DBInstanceClass", "")
    runs.wait(75)
    assert ended(runs.run(), DB, "db_instance_class") == {Outcome.CORRECTED}
    runs.wait(1)
    assert (runs.run().in_sync, runs.accepted) == (True, {})


def test_what_fails_in_the_window_days_later_is_told_then(runs: Runs) -> None:
    """It is pending all the time, which counts as done: only when the window has come does it turn out."""
    runs.policy = WINDOW
    database(DBInstanceClass="db.t3.large")(runs.net)
    runs.net.lab.rds_fails(DATABASE, "DBInstanceClass")
    first = runs.run()
    (drift,) = first.drifts
    assert (drift.outcome, drift.cause and drift.cause.reason) == (Outcome.CORRECTED, Reason.ACCEPTED)
    (alert,) = [one for one in find_alerts(completed(report=first)) if one.address == DB]
    assert alert.title == f"{DB} db_instance_class: accepted by AWS"
    for _ in range(3):
        runs.wait(24 * 60)
        assert runs.run().in_sync
    assert len(runs.accepted) == 1
    runs.net.lab.maintenance_window()
    runs.wait(1)
    assert cause(runs.run(), "db_instance_class") == HELD
    assert runs.sent == [0]


def test_a_change_that_is_under_way_is_not_called_undone(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    database(DeletionProtection=False)(runs.net)
    monkeypatch.setattr(runs.net.lab, "settle_after", 10**6)
    with monkeypatch.context() as still:
        still.setattr(runs.net.lab, "settle", lambda: None)
        runs.run()
        runs.wait(30)
        report = runs.run()
        assert cause(report, "deletion_protection") == ({Outcome.WAITING}, {Reason.NOT_READY}), told(report)
    runs.net.lab.settle()
    assert (runs.run().in_sync, runs.accepted) == (True, {})


def test_who_reaches_the_data_is_corrected_three_times_before_the_first_pause(runs: Runs) -> None:
    database(PubliclyAccessible=True)(runs.net)
    runs.net.lab.rds_fails(DATABASE, "PubliclyAccessible")
    for _ in range(4):
        runs.run()
        runs.wait(5)
    assert cause(runs.run(), "publicly_accessible") == HELD
    assert runs.sent == [0, 5, 10]


def test_another_value_that_somebody_sets_meanwhile_is_corrected_at_once(runs: Runs) -> None:
    database(DBInstanceClass="db.t3.large")(runs.net)
    runs.net.lab.rds_fails(DATABASE, "DBInstanceClass")
    runs.run()
    runs.net.lab.rds_fails(DATABASE, "DBInstanceClass", "")
    database(DBInstanceClass="db.r5.large")(runs.net)
    runs.wait(10)
    assert ended(runs.run(), DB, "db_instance_class") == {Outcome.CORRECTED}


INSIGHTS = {"performance_insights_enabled": True, "performance_insights_retention_period": 31}
RETENTION = "performance_insights_retention_period"
LEFT = ({Outcome.HELD}, {Reason.KEPT_BY_OTHERS})


def test_a_retention_period_that_aws_refuses_is_tried_once(runs: Runs) -> None:
    runs.net.lab.rds_unsure(retention="refused")
    runs.wanted = document(edit(DB, **INSIGHTS))
    first = runs.run()
    assert ended(first, DB, RETENTION) == {Outcome.FAILED}, told(first)
    runs.wait(10)
    runs.run()  # without the period, RDS switches the insights on
    for _ in range(2):
        runs.wait(12 * 24 * 60)
        assert cause(runs.run(), RETENTION) == LEFT
    (drift,) = runs.run().drifts
    assert "refused the declared value (InvalidParameterCombination)" in drift.message
    sent = [call.params for call in runs.net.lab.calls if call.operation == "ModifyDBInstance"]
    assert [one.get("PerformanceInsightsRetentionPeriod") for one in sent] == [31, None]


def test_a_retention_period_that_aws_puts_back_is_corrected_once(runs: Runs) -> None:
    runs.wanted = built(runs.net, edit(DB, **INSIGHTS))
    runs.net.lab.rds_unsure(retention="put back")

    def day() -> Report:
        runs.wait(24 * 60)
        runs.net.lab.advance(runs.net.clock.now())
        return runs.run()

    assert ended(day(), DB, RETENTION) <= {Outcome.CORRECTED, Outcome.WAITING}
    for _ in range(2):
        assert cause(day(), RETENTION) == LEFT
    assert len(runs.sent) == 1
    runs.wanted = document(edit(DB, **(INSIGHTS | {RETENTION: 62})))
    assert ended(day(), DB, RETENTION) <= {Outcome.CORRECTED, Outcome.WAITING}, "another declared value starts anew"
    assert cause(day(), RETENTION) == LEFT
    runs.wanted = document(edit(DB, **(INSIGHTS | {RETENTION: 7})))
    assert day().in_sync


def test_memory_of_what_no_kind_knows_any_more_is_harmless(runs: Runs) -> None:
    stranger = AcceptedChange("proxy/x", "y", "1", runs.net.started - timedelta(days=1))
    runs.accepted = {"0123456789abcdef": stranger}
    assert (runs.run().in_sync, runs.accepted) == (True, {})
