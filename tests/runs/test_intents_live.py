"""A network that is as its document says is judged as the document is, and what people change of it shows."""

from __future__ import annotations

from dataclasses import replace

from reconciler.engine.observe import ObserveOptions, observe
from reconciler.kinds import live_network
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.judge.places import placed
from reconciler.reach.pair.topology import Topology
from tests.support.intents import context_of
from tests.support.runs import Network

DB = "db_instance/mypostgresqldb"


def judged_live(net: Network) -> dict[str, Verdict]:
    """What is known of the intents from one look, of the machines that the document names."""
    network = live_network(observe(net.document, net.aws, ObserveOptions(net.clock.now, lambda: None)))
    there = placed(net.document, network)
    context = JudgeContext(Topology(network, there.endpoints), there)
    return {one.intent.name: one for one in judge(net.document.intents, context)}


def judged_offline(net: Network) -> dict[str, Verdict]:
    context = replace(context_of(net.document), possible=())
    return {one.intent.name: one for one in judge(net.document.intents, context)}


def test_the_built_network_is_judged_as_its_document_is(net: Network) -> None:
    live, offline = judged_live(net), judged_offline(net)
    assert live == offline
    assert {one.status for one in live.values()} == {Status.KEPT}


def test_what_somebody_opens_breaks_the_sentence_and_shows_the_way(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.authorize_security_group_ingress(
        GroupId=net.id("security_group/APIGatewaySG"),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    ec2.create_network_acl_entry(
        NetworkAclId=net.id("network_acl/PublicSubnetACL"),
        RuleNumber=90,
        Protocol="6",
        RuleAction="allow",
        Egress=False,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 22, "To": 22},
    )
    found = judged_live(net)["from outside only the front door"]
    assert found.status is Status.BROKEN
    assert str(found.witness) == "tcp 22 from 1.0.0.0 to 10.0.1.0"
    assert [(hop.component, str(hop.member)) for hop in found.path if hop.member is not None] == [
        ("route_table/PublicRouteTable", "0.0.0.0/0"),
        ("network_acl/PublicSubnetACL", "90"),
        ("security_group/APIGatewaySG", "tcp 22 0.0.0.0/0"),
    ]


def test_what_somebody_takes_away_breaks_the_flow(net: Network) -> None:
    net.outsider("ec2").delete_network_acl_entry(
        NetworkAclId=net.id("network_acl/PublicSubnetACL"), RuleNumber=120, Egress=False
    )
    found = judged_live(net)
    broken = found["the front door reaches the back end"]
    assert broken.status is Status.BROKEN
    assert {(one.hop.component, one.hop.side, one.hop.reply) for one in broken.blockers} == {
        ("network_acl/PublicSubnetACL", "ingress", True)
    }
    assert found["from outside only the front door"].status is Status.KEPT
