"""Whatever people do to the reference network, one after another: it comes back, and no packet pays for the way."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.engine.result import Report
from reconciler.model import Outcome
from tests.support.outsider import MEETINGS, Deed, Outsider, changes, deeds, sequences
from tests.support.packets import violations
from tests.support.sampling import sampled

ROUNDS = 3


def left(report: Report) -> list[tuple[str, str, Outcome | None, str]]:
    """What a report leaves open."""
    told = [(str(one.address), one.field, one.outcome, one.message) for one in report.drifts]
    told += [(str(one.address), one.field, one.outcome, one.cause.message) for one in report.findings]
    return [one for one in told if one[2] not in {Outcome.IN_SYNC, Outcome.CORRECTED}]


def check(outsider: Outsider, deeds: list[Deed]) -> None:
    """Deeds are done, the product puts the network right, and somebody watches the packets after every call."""
    net = outsider.net
    saved = net.lab.save()
    try:
        clean = net.state()
        outsider.do(deeds)
        before = net.state()
        net.lab.calls.clear()
        open_after: list[tuple[str, str, Outcome | None, str]] = []
        with net.watched() as states:
            for _ in range(ROUNDS):
                report = net.run()
                net.lab.settle()
                open_after = left(report)
                if not open_after:
                    break
        calls = "\n".join(f"{index}: {call.operation} {call.params}" for index, call in enumerate(changes(net), 1))
        broken = violations(before, clean, states)
        assert not broken, f"{broken[0]}, and {len(broken) - 1} more, of\n{calls}"
        explained = {Outcome.HELD, Outcome.BLOCKED}
        assert all(outcome in explained and why for _, _, outcome, why in open_after), open_after
        again = net.run()
        assert left(again) == open_after
        assert again.writes == 0
        if not open_after:
            assert net.state().in_use() == clean.in_use()
    finally:
        net.lab.restore(saved)
        net.lab.calls.clear()


@pytest.mark.parametrize("deeds", sampled([*MEETINGS.values()], 2, seed="free", ids=[*MEETINGS]))
def test_deeds_that_meet_on_one_way_are_put_right_without_a_gap(outsider: Outsider, deeds: list[Deed]) -> None:
    check(outsider, deeds)


often = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@often
@given(deeds=sequences)
def test_whatever_was_done_is_put_right_without_a_gap(outsider: Outsider, deeds: list[Deed]) -> None:
    check(outsider, deeds)


@pytest.mark.long
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deeds=st.lists(deeds, min_size=1, max_size=12))
def test_whatever_was_done_is_put_right_without_a_gap_at_length(outsider: Outsider, deeds: list[Deed]) -> None:
    check(outsider, deeds)
