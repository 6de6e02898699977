"""What a run says that a drift means from end to end, beside an oracle that sees packets and nothing of the product."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.drifts import DRIFTS, Drift, let_ssh_through
from reconciler.engine.result import Report
from reconciler.model import Outcome
from reconciler.model.exposure import Severity
from reconciler.reach.compare import FlowChange
from reconciler.reach.pair.ends import CLIENT_PORTS, End, Endpoint
from reconciler.report.consequence import sentence
from reconciler.report.text import text
from tests.support.packets import State, violations
from tests.support.runs import Network

TRAFFIC = {"ingress", "egress", "routes", "subnets", "vpc", "map_public_ip_on_launch", "publicly_accessible"}
"""Fields that decide about packets, besides the groups of a database."""
ONLY_WORDS = {"description-changed"}
MACHINES = {
    "api": ("security_group/APIGatewaySG", ["subnet/PublicSubnet1"]),
    "server": ("security_group/TestServerSG", ["subnet/PrivateSubnet1", "subnet/PrivateSubnet2"]),
}
SAID = re.compile(
    r"after write 1, (?P<source>.+) -> (?P<target>.+): (?P<what>exposed|cut) (the replies (tcp|udp) (?P<port>\d+))?"
)
OPEN_SSH = next(drift for drift in DRIFTS if drift.name == "ssh-opened-to-the-world")

type Pairs = set[tuple[str, str]]


def flows(report: Report) -> list[FlowChange]:
    return [flow for drift in report.drifts if drift.consequence for flow in drift.consequence.flows]


def told(report: Report, *, opened: bool) -> Pairs:
    """The pairs of ends of which the report says that something passes, or does not, and did not, or did."""
    return {(_name(one.source), _name(one.target)) for one in flows(report) if one.opened is opened}


def _name(end: End) -> str:
    return f"{end.owner} in {end.subnet}" if isinstance(end, Endpoint) else end.label


def seen(net: Network, clean: State, now: State, what: str) -> Pairs:
    """The pairs of which the oracle sees it. To it, clients may use any port, also those that none uses."""
    names = {"the internet": "the internet", **dict(_named(net))}
    lines = violations(clean, clean, [now])
    found = [match for one in lines if (match := SAID.match(one))]
    assert len(found) == len(lines)
    found = [one for one in found if one["what"] == what and int(one["port"] or CLIENT_PORTS[0]) >= CLIENT_PORTS[0]]
    pairs = ((names.get(one["source"]), names.get(one["target"])) for one in found)
    return {(source, target) for source, target in pairs if source and target}


def _named(net: Network) -> Iterator[tuple[str, str]]:
    """What the oracle calls the machines that the document names."""
    for name, (group, subnets) in MACHINES.items():
        yield from ((f"{net.id(group)} in {net.id(subnet)}", f"{name} in {subnet}") for subnet in subnets)
    for subnet in MACHINES["server"][1]:
        yield f"mypostgresqldb in {net.id(subnet)}", f"db_instance/mypostgresqldb in {subnet}"


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_what_a_drift_means_is_what_the_packets_show(net: Network, drift: Drift) -> None:
    clean = net.state()
    drift.apply(net.hands, net.live)
    now, report = net.state(), net.plan()
    for one in report.drifts:
        affects = one.field in TRAFFIC | {"vpc_security_groups"} and drift.name not in ONLY_WORDS
        assert (one.consequence is not None) == affects, one
        if one.consequence:
            assert sentence(one.consequence, past=False) in text(report)
    assert told(report, opened=True) == seen(net, clean, now, "exposed")
    assert told(report, opened=False) >= seen(net, clean, now, "cut")


def test_what_two_layers_open_together_is_said_at_both_and_was_after_the_correction(net: Network) -> None:
    clean = net.state()
    OPEN_SSH.apply(net.hands, net.live)
    let_ssh_through(net.hands, net.live)
    planned = net.plan()
    assert told(planned, opened=True) == seen(net, clean, net.state(), "exposed")
    assert [one.consequence and one.consequence.severity for one in planned.drifts] == [Severity.CRITICAL] * 2
    report = net.run()
    assert [one.outcome for one in report.drifts] == [Outcome.CORRECTED] * 2
    assert text(report).count("TCP 22 from the internet") == 2
    assert "could reach api." in text(report)


def test_all_drifts_together_tell_no_flow_that_the_packets_do_not_show(net: Network) -> None:
    clean = net.state()
    for drift in DRIFTS:
        drift.apply(net.hands, net.live)
    report = net.plan()
    assert told(report, opened=True) == seen(net, clean, net.state(), "exposed")
    assert told(report, opened=False) >= seen(net, clean, net.state(), "cut")
