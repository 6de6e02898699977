"""How a rule is written in the calls of EC2: in whichever one, ports stand only with a protocol that has them."""

from __future__ import annotations

import pytest

from desired_state.fields import RuleKey
from reconciler.aws.ec2 import permission, rule_request

PORTS = {"FromPort", "ToPort"}


@pytest.mark.parametrize(
    ("protocol", "first", "last", "sent"),
    [
        ("tcp", 22, 22, PORTS),
        ("udp", 0, 65535, PORTS),
        ("icmp", -1, -1, PORTS),
        ("icmp", 8, 0, PORTS),
        ("icmpv6", -1, -1, PORTS),
        ("all", -1, -1, set()),
        ("50", -1, -1, set()),
    ],
)
@pytest.mark.parametrize("peer", ["10.0.0.0/8", "2001:db8::/32", "pl-0123456789abcdef0", "security_group/web"])
def test_ports_are_sent_only_with_a_protocol_that_has_them(
    protocol: str, first: int, last: int, sent: set[str], peer: str
) -> None:
    key = RuleKey(protocol, first, last, peer)
    for params in (permission(key), rule_request(key, None)):
        assert params.keys() & PORTS == sent
        assert {params[name] for name in sent} == ({first, last} if sent else set())
        assert params["IpProtocol"] == ("-1" if protocol == "all" else protocol)
