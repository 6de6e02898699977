"""Whole runs of a document with intents: one read more, what is judged when, and what follows for the report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.load import load
from reconciler.model import Outcome, Reason
from reconciler.model.trigger import Source, Trigger
from reconciler.notify.alert_rules import find_alerts
from reconciler.reach.judge.intents import Status, Verdict
from reconciler.report.as_json import as_json
from reconciler.report.attempt import AttemptResult, Ending
from reconciler.report.text import text
from tests.support.intents import rule
from tests.support.runs import REFERENCE, Network, document, without_intents

FRONT = "from outside only the front door"
HTTPS = "the front door answers HTTPS"
DATABASE = "nobody outside reaches the database"
ALONE = "nobody but the back end reaches the database"
READ = "DescribeNetworkInterfaces"


def known(report: Any) -> dict[str, Verdict]:
    return {one.intent.name: one for one in report.intents.verdicts}


def not_kept(report: Any) -> dict[str, str]:
    return {name: str(one.status) for name, one in known(report).items() if one.status is not Status.KEPT}


def opened_to_ssh(net: Network) -> None:
    """Two drifts that only together let anything in."""
    ec2 = net.outsider("ec2")
    ec2.authorize_security_group_ingress(
        GroupId=net.id("security_group/APIGatewaySG"),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    allow_all(net, "network_acl/PublicSubnetACL", egress=False)


def allow_all(net: Network, acl: str, *, egress: bool) -> None:
    net.outsider("ec2").create_network_acl_entry(
        NetworkAclId=net.id(acl),
        RuleNumber=90,
        Protocol="-1",
        RuleAction="allow",
        Egress=egress,
        CidrBlock="0.0.0.0/0",
    )


def stray(net: Network, *groups: str) -> str:
    """A machine in the public subnet with these groups; the id of its interface."""
    ids = [net.id(f"security_group/{one}") for one in groups]
    made = net.outsider("ec2").run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        SubnetId=net.id("subnet/PublicSubnet1"),
        SecurityGroupIds=ids,
    )
    return str(made["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"])


# ---------------------------------------------------------------------------------------------------- a calm network


@pytest.mark.parametrize("hint", ["", "vpc/MyVPC"])
def test_a_calm_run_makes_ten_reads_and_finds_all_intents_kept(net: Network, hint: str) -> None:
    from reconciler.engine.run import Memory

    report = net.run(memory=Memory(vpc_id=net.id(hint) if hint else ""))
    assert report.in_sync
    assert report.reads == 10
    assert not_kept(report) == {}
    assert [call.operation for call in net.lab.calls].count(READ) == 1
    assert "Intents: 8 kept." in text(report)


def test_without_intents_there_is_no_read_more_and_nothing_to_tell(net: Network) -> None:
    report = net.run(document(without_intents))
    assert (report.reads, report.intents) == (9, None)
    assert READ not in [call.operation for call in net.lab.calls]
    assert "ntent" not in text(report)
    assert as_json(report)["intents"] == []


CALM = """
import sys
from tests.support.runs import build, document
from lab.strict_aws import laboratory

def without(written):
    del written["intents"], written["workloads"]

import tests.support.runs as runs
runs.document = lambda change=None: document(without)
with laboratory() as lab:
    assert build(lab).run().in_sync
judging = ("intents", "forbidden", "live", "flows", "selectors", "offline", "mending", "topology")
print(sorted(name for name in sys.modules if name.startswith("reconciler.reach.") and name.split(".")[-1] in judging))
"""


def test_a_run_without_intents_does_not_import_what_judges_them() -> None:
    ran = subprocess.run([sys.executable, "-c", CALM], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


# ------------------------------------------------------------------------------------------------ what somebody opens


def test_a_drift_that_breaks_an_intent_is_told_by_a_plan_with_what_the_plan_does_about_it(net: Network) -> None:
    opened_to_ssh(net)
    report = net.plan()
    assert not_kept(report) == {FRONT: "broken"}
    assert report.findings == ()
    shown = text(report)
    assert f"Intent broken: {FRONT}. CRITICAL" in shown
    assert "network_acl/PublicSubnetACL in 90 (not declared)" in shown
    assert f"The plan changes an intent from broken to kept: {FRONT}" in shown
    (told,) = [one for one in as_json(report)["intents"] if one["name"] == FRONT]
    assert (told["status"], told["before"], told["after_plan"]) == ("broken", "broken", "kept")


def test_what_a_plan_mends_is_one_line_and_offers_no_mend_of_its_own(net: Network) -> None:
    net.outsider("ec2").delete_route(
        RouteTableId=net.id("route_table/PublicRouteTable"), DestinationCidrBlock="0.0.0.0/0"
    )
    report = net.plan()
    assert report.intents
    assert {one.intent.name for one in report.intents.mended} == set(not_kept(report)) == {FRONT, HTTPS}
    assert report.intents.mending is None
    told = text(report)
    assert told.count("\n  the plan mends it\n") == len((FRONT, HTTPS))
    assert "no route" not in told


def test_what_no_plan_mends_is_explained_with_its_mend(net: Network) -> None:
    def without_route(written: dict[str, Any]) -> None:
        written["resources"]["route_table"]["PublicRouteTable"]["routes"] = {}
        written["intents"] = [one for one in written["intents"] if one["name"] == HTTPS]

    net.outsider("ec2").delete_route(
        RouteTableId=net.id("route_table/PublicRouteTable"), DestinationCidrBlock="0.0.0.0/0"
    )
    report = net.plan(document(without_route))
    assert report.intents
    assert report.intents.mended == ()
    assert "no route" in text(report)


def test_a_run_that_corrects_the_drift_keeps_the_intent_again(net: Network) -> None:
    opened_to_ssh(net)
    report = net.run()
    assert report.in_sync
    assert not_kept(report) == {}
    assert [one.intent.name for one in report.intents.corrected] == [FRONT]  # type: ignore[union-attr]
    assert f"Kept now: {FRONT}. When the run began: " in text(report)
    assert net.run().intents.corrected == ()  # type: ignore[union-attr]


def test_a_stray_machine_with_one_group_more_breaks_only_and_is_named(net: Network) -> None:
    interface = stray(net, "APIGatewaySG", "TestServerSG")
    report = net.run()
    assert not_kept(report) == {FRONT: "broken", ALONE: "broken"}
    (case, *_) = known(report)[FRONT].cases
    assert case.target.label.startswith(f"{interface} (i-")
    found = [one for one in report.findings if one.cause.reason is Reason.INTENT_BROKEN]
    assert [(str(one.address), one.outcome) for one in found] == [
        (f"intent/{FRONT}", Outcome.BLOCKED),
        (f"intent/{ALONE}", Outcome.BLOCKED),
    ]
    assert (report.in_sync, report.failed, report.writes) == (False, False, 0)
    assert "nobody declared that machine: take a group off it" in text(report)


def test_a_machine_with_a_workloads_groups_is_no_stranger(net: Network) -> None:
    stray(net, "APIGatewaySG")
    assert not_kept(net.run()) == {}


def test_what_is_attached_to_nothing_is_nobody(net: Network) -> None:
    net.outsider("ec2").create_network_interface(
        SubnetId=net.id("subnet/PublicSubnet1"),
        Groups=[net.id("security_group/APIGatewaySG"), net.id("security_group/TestServerSG")],
    )
    assert not_kept(net.run()) == {}


@pytest.mark.parametrize(("public", "status"), [(False, None), (True, "broken")])
def test_a_database_that_is_opened_on_every_layer_is_reached_only_with_a_public_address(
    net: Network, *, public: bool, status: str | None
) -> None:
    ec2 = net.outsider("ec2")
    ec2.authorize_security_group_ingress(
        GroupId=net.id("security_group/DBSG"),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    allow_all(net, "network_acl/PrivateSubnetACL", egress=False)
    ec2.create_route(
        RouteTableId=net.id("route_table/PrivateRouteTable"),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=net.id("internet_gateway/MyInternetGateway"),
    )
    if public:
        net.outsider("rds").modify_db_instance(
            DBInstanceIdentifier="mypostgresqldb", PubliclyAccessible=True, ApplyImmediately=True
        )
        net.lab.settle()
    report = net.plan()
    assert not_kept(report).get(DATABASE) == status
    if public:
        assert "reaches db_instance/mypostgresqldb" in text(report)


# ---------------------------------------------------------------------------------------- what the document itself says


def reporting(written: dict[str, Any]) -> None:
    for one in written["intents"]:
        one["enforcement"] = "report"


def test_a_change_of_the_document_that_breaks_an_intent_which_only_reports_is_carried_out_and_told(
    net: Network,
) -> None:
    def shut(written: dict[str, Any]) -> None:
        reporting(written)
        del written["resources"]["network_acl"]["PublicSubnetACL"]["ingress"]["110"]

    planned = net.plan(document(shut))
    assert not_kept(planned) == {}
    assert f"The plan changes an intent from kept to broken: {FRONT}" in text(planned)
    report = net.run(document(shut))
    assert report.count(Outcome.CORRECTED) == 1
    assert not_kept(report) == {FRONT: "broken", "the front door answers HTTPS": "broken"}
    assert report.in_sync
    assert '"action": "allow"' in text(report), "the entry that mends it"


def test_an_intent_that_only_reports_is_told_and_is_no_difference(net: Network) -> None:
    stray(net, "APIGatewaySG", "TestServerSG")
    report = net.run(document(reporting))
    assert not_kept(report) == {FRONT: "broken", ALONE: "broken"}
    assert report.in_sync
    assert {one.outcome for one in report.findings} == {Outcome.IN_SYNC}
    assert f"Intent broken: {FRONT}. CRITICAL" in text(report)


# ------------------------------------------------------------------------------------------------- what is not known


def test_interfaces_that_may_not_be_read_leave_only_unknown_and_name_the_permission(net: Network) -> None:
    net.lab.faults.refuse(READ)
    report = net.run()
    assert not_kept(report) == {FRONT: "unknown", ALONE: "unknown"}
    assert not report.failed
    (finding,) = report.findings
    assert (str(finding.address), finding.outcome, finding.cause.reason) == (
        "network_interface/*",
        Outcome.BLOCKED,
        Reason.UNREADABLE,
    )
    assert "ec2:DescribeNetworkInterfaces" in text(report)


def test_what_is_seen_to_be_broken_is_broken_without_the_interfaces_too(net: Network) -> None:
    opened_to_ssh(net)
    net.lab.faults.refuse(READ)
    assert not_kept(net.plan()) == {FRONT: "broken", ALONE: "unknown"}


def test_where_the_tables_cannot_be_read_nothing_that_rests_on_them_is_kept(net: Network) -> None:
    net.lab.faults.refuse("DescribeRouteTables")
    statuses: Mapping[str, str] = not_kept(net.run())
    assert "broken" not in statuses.values()
    assert statuses["the front door answers HTTPS"] == "unknown"


# ------------------------------------------------------------------------------------------------------ exceptions


def excepting(net: Network, *tolerated: tuple[str, Any]) -> Document:
    """The reference document with exceptions of an hour for inbound members of resources."""
    written = deepcopy(REFERENCE)
    until = f"{net.clock.now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    written["exceptions"] = [
        {"address": address, "field": "ingress", "value": value, "until": until, "reason": "agreed"}
        for address, value in tolerated
    ]
    return load(json.dumps(written).encode(), "test.json")


SSH = "security_group/APIGatewaySG", rule(22)
ALL = "network_acl/PublicSubnetACL", {"90": {"action": "allow", "protocol": "all", "source": "0.0.0.0/0"}}


def test_what_only_exceptions_break_is_tolerated_until_they_end_and_raises_no_alert(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_to_ssh(net)
    wanted = excepting(net, SSH, ALL)
    report = net.run(wanted)
    until = net.clock.now().replace(microsecond=0) + timedelta(hours=1)
    assert (report.writes, report.in_sync, not_kept(report)) == (0, True, {FRONT: "broken"})
    assert f"tolerated until {until:%Y-%m-%d %H:%M} UTC" in text(report)
    (told,) = [one for one in as_json(report)["intents"] if one["name"] == FRONT]
    assert told["tolerated_until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert find_alerts(AttemptResult("test-server", "run", Ending.COMPLETED, Trigger(Source.SCHEDULE), report)) == ()
    monkeypatch.setattr(net.clock, "at", net.clock.now() + timedelta(hours=2))
    assert not_kept(net.run(wanted)) == {}


def test_an_exception_beside_what_breaks_an_intent_does_not_tolerate_it(net: Network) -> None:
    opened_to_ssh(net)
    assert not_kept(net.run(excepting(net, SSH))) == {}
    stray(net, "APIGatewaySG", "DBSG")
    report = net.run(excepting(net, SSH))
    assert not_kept(report)
    assert not report.in_sync
    assert "tolerated until" not in text(report)
