"""AWS may be slow to show what was made: nothing is made a second time within a run for that."""

from __future__ import annotations

from lab.strict_aws import laboratory
from reconciler.aws.client import Aws
from reconciler.engine.run import Environment, run
from reconciler.model import Outcome, Policy
from tests.support.runs import Clock, document


def test_a_vpc_that_does_not_show_yet_is_not_made_again() -> None:
    def alone(written: dict[str, object]) -> None:
        written["resources"] = {"vpc": {"MyVPC": {"cidr_block": "10.0.0.0/16"}}}
        written.pop("intents")
        written.pop("workloads")

    declared, clock = document(alone), Clock()
    with laboratory() as lab:
        environment = Environment(Aws(lab.session(), lab.region, sleep=clock.sleep), clock.now, clock.sleep)
        lab.faults.stale("DescribeVpcs", reads=40)
        first = run(declared, environment, Policy())
        assert [(drift.outcome is Outcome.WAITING) for drift in first.drifts] == [True]
        assert [call.operation for call in lab.calls if call.kind == "write"] == ["CreateVpc"]
        lab.faults.clear()
        second = run(declared, environment, Policy())
        assert second.in_sync
        assert [call.operation for call in lab.calls if call.kind == "write"] == ["CreateVpc"]
