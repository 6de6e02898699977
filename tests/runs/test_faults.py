"""What goes wrong between us and AWS: refused, throttled, lost, stale. Nothing is lost, nothing is guessed, the rest
is served.
"""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.parsers import ResponseParserError

from lab.drifts import DRIFTS
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Report
from reconciler.kinds import REGISTRY
from reconciler.model import Outcome, Policy
from tests.support.packets import violations
from tests.support.runs import Network

WRITES = sorted({row.name for kind in REGISTRY.values() for row in kind.operations})
READS = [
    "DescribeVpcAttribute",
    "DescribeSubnets",
    "DescribeInternetGateways",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeNetworkAcls",
    "DescribeDBInstances",
]


def break_everything(net: Network) -> None:
    for drift in DRIFTS:
        drift.apply(net.hands, net.live)
    net.lab.settle()
    net.lab.calls.clear()


def run_to_the_end(net: Network) -> Report:
    """Runs until nothing is left, at most two: the first may end with the database still being changed."""
    report = net.run()
    net.lab.settle()
    return report if report.in_sync else net.run()


@pytest.mark.parametrize("operation", WRITES)
def test_a_write_that_is_refused_costs_nothing_else(net: Network, operation: str) -> None:
    clean = net.state()
    break_everything(net)
    before = net.state()
    with net.watched() as states:
        net.lab.faults.refuse(operation)
        report = net.run()
        net.lab.faults.clear()
        met = [call for call in net.lab.calls if call.operation == operation and call.error]
        assert bool(report.count(Outcome.FAILED)) == bool(met)
        assert all(
            "Unauthorized" in drift.message or "AccessDenied" in drift.message
            for drift in report.drifts
            if drift.outcome is Outcome.FAILED
        )
        net.lab.settle()
        mended = run_to_the_end(net)
    assert mended.in_sync, [drift for drift in mended.drifts if drift.message]
    assert violations(before, clean, states) == []


@pytest.mark.parametrize("operation", WRITES)
def test_while_a_write_is_refused_every_address_that_needs_none_is_corrected(net: Network, operation: str) -> None:
    break_everything(net)
    net.lab.faults.refuse(operation)
    report = net.run()
    refused = {str(one.action.address) for one in report.action_results if one.message and operation in one.message}
    waiting = {str(drift.address) for drift in report.drifts if drift.outcome is Outcome.WAITING}
    for drift in report.drifts:
        if str(drift.address) not in refused | waiting:
            assert drift.outcome is Outcome.CORRECTED, drift


@pytest.mark.parametrize("operation", READS)
def test_a_read_that_is_refused_never_counts_as_absent(net: Network, operation: str) -> None:
    break_everything(net)
    net.lab.faults.refuse(operation)
    report = net.run()
    assert report.failed
    assert not any(
        call.operation.startswith("Create")
        and call.kind == "write"
        and call.operation not in {"CreateTags", "CreateRoute"}
        for call in net.lab.calls
    )
    net.lab.faults.clear()
    assert run_to_the_end(net).in_sync


def test_when_the_vpc_cannot_be_read_nothing_is_written(net: Network) -> None:
    break_everything(net)
    net.lab.faults.refuse("DescribeVpcs")
    with pytest.raises(ObserveError, match="DescribeVpcs: UnauthorizedOperation"):
        net.run()
    assert [call for call in net.lab.calls if call.kind == "write"] == []


@pytest.mark.parametrize("operation", WRITES)
def test_a_lost_answer_is_judged_by_looking_again(net: Network, operation: str) -> None:
    clean = net.state()
    break_everything(net)
    before = net.state()
    with net.watched() as states:
        net.lab.faults.lose_answer(operation)
        report = net.run()
        net.lab.settle()
        assert not report.failed, [drift for drift in report.drifts if drift.message]
        if not report.in_sync:
            report = net.run()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    assert violations(before, clean, states) == []
    assert net.run().writes == 0


@pytest.mark.parametrize(
    "operation", [row for row in WRITES if row.startswith("Create") and row not in {"CreateTags", "CreateRoute"}]
)
def test_a_lost_answer_while_building_makes_nothing_twice(net: Network, operation: str) -> None:
    net.lab.restore(net.empty)
    net.lab.faults.lose_answer(operation)
    policy = Policy(create_databases=True)
    net.run(policy=policy)
    net.lab.settle()
    report = net.run(policy=policy)
    net.lab.settle()
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    made = Counter(
        call.operation
        for call in net.lab.calls
        if call.kind == "write" and (call.error is None or "Error" in call.error)
    )
    kinds = {"CreateVpc": "vpc", "CreateInternetGateway": "internet_gateway", "CreateSubnet": "subnet"}
    for name, kind in kinds.items():
        assert made[name] == len(net.document.of_kind(kind)), made


def test_throttled_writes_are_sent_again_and_end_well(net: Network) -> None:
    break_everything(net)
    net.lab.faults.throttle("RevokeSecurityGroupIngress", times=2)
    assert run_to_the_end(net).in_sync
    assert net.clock.at > net.started


def test_a_storm_of_throttles_ends_clean_and_says_so(net: Network) -> None:
    break_everything(net)
    net.lab.faults.throttle("RevokeSecurityGroupIngress", times=1000)
    report = net.run()
    sent = Counter(call.operation for call in net.lab.calls)["RevokeSecurityGroupIngress"]
    assert sent <= 2 * 3
    assert {drift.outcome for drift in report.drifts} == {Outcome.CORRECTED, Outcome.WAITING}
    net.lab.faults.clear()
    assert run_to_the_end(net).in_sync


@pytest.mark.parametrize("operation", [*READS, "DescribeVpcs"])
@pytest.mark.parametrize("reads", [1, 3])
def test_a_stale_read_after_the_writes_causes_no_second_write(net: Network, operation: str, reads: int) -> None:
    """The stale answers are served from the second look on, when there is something to be stale about."""
    clean = net.state()
    break_everything(net)
    before = net.state()
    armed: list[bool] = []
    with net.watched() as states:
        keep = net.lab.after_write
        assert keep is not None

        def arm(call: object) -> None:
            keep(call)  # type: ignore[arg-type]
            if not armed:
                armed.append(True)
                net.lab.faults.stale(operation, reads=reads)

        net.lab.after_write = arm
        report = net.run()
        net.lab.after_write = keep
        net.lab.faults.clear()
        net.lab.settle()
        if not report.in_sync:
            report = run_to_the_end(net)
    assert report.in_sync, [drift for drift in report.drifts if drift.message]
    assert violations(before, clean, states) == []
    writes = [(call.operation, str(call.params)) for call in net.lab.calls if call.kind == "write"]
    repeated = [one for one, times in Counter(writes).items() if times > 1]
    assert repeated == []


@pytest.mark.parametrize("operation", ["DescribeSecurityGroups", "DescribeVpcs"])
def test_nothing_counts_as_corrected_that_the_second_look_could_not_see(net: Network, operation: str) -> None:
    DRIFTS[0].apply(net.hands, net.live)
    net.lab.calls.clear()
    net.lab.after_write = lambda call: net.lab.faults.refuse(operation)
    report = net.run()
    assert [call.operation for call in net.lab.calls if call.kind == "write"] == ["RevokeSecurityGroupIngress"]
    assert [drift.outcome for drift in report.drifts] == [Outcome.WAITING]
    assert report.failed
    assert [attempt.ended.value for attempt in report.action_results][:1] == ["done"]


def test_an_answer_that_is_no_xml_is_a_failed_read_and_nothing_is_made_for_it(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def garbled(*_: object, **__: object) -> None:
        raise ResponseParserError("invalid XML received")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", garbled)
    with pytest.raises(ObserveError, match="AnswerLost"):
        net.run()
