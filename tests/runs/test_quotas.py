"""Quotas are the account's: what the deployment says that AWS has raised is used, and what finds no room is held."""

from __future__ import annotations

from typing import Any

import pytest

from lab import strict_acls, strict_routes, strict_rules
from reconciler.model import Outcome, Policy, Reason
from reconciler.report.text import text
from tests.support.cases import built, calm, edit, ended, entry, mended, permission, rule, said, told, writes
from tests.support.runs import Network, document

LOCAL_GATEWAY = "lgw-0a1b2c3d4e5f60718"
SERVER, ACL, TABLE = "security_group/TestServerSG", "network_acl/PrivateSubnetACL", "route_table/PrivateRouteTable"


def _rules(count: int) -> list[Any]:
    return [rule(port, "10.0.0.0/16") for port in range(1, count + 1)]


def _routes(count: int) -> dict[str, str]:
    return {f"172.{16 + n // 250}.{n % 250}.0/24": LOCAL_GATEWAY for n in range(count)}


def _list(net: Network, most: int) -> str:
    made = net.outsider("ec2").create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=most, AddressFamily="IPv4", Entries=[{"Cidr": "198.51.100.0/24"}]
    )
    return str(made["PrefixList"]["PrefixListId"])


def test_a_raised_quota_of_rules_is_used(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = document(edit(SERVER, ingress=_rules(70)))
    report = net.run(wanted)
    assert Outcome.HELD in ended(report, SERVER, "ingress"), told(report)
    assert "the quota (QUOTA_RULES) allows 60" in said(report, SERVER, "ingress")
    monkeypatch.setattr(strict_rules, "MOST_RULES", 100)
    report = net.run(wanted, Policy(quota_rules=100))
    assert report.in_sync, told(report)


def test_a_raised_quota_of_entries_is_used(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_acls, "MOST_ENTRIES", 40, raising=True)
    entries = {str(n): entry("allow", 5000 + n, "10.0.0.0/16") for n in range(1, 24)}
    wanted = document(edit(ACL, ingress=entries))
    report = net.run(wanted, Policy(quota_entries=40))
    assert report.in_sync, told(report)
    calm(net, wanted, Policy(quota_entries=40))


def test_a_table_may_have_more_routes_than_fifty(net: Network) -> None:
    """All but one are live, one of them is not as declared, and there is an undeclared one."""
    _, first, *rest = _routes(120)
    for destination in rest:
        strict_routes.lay(net.lab._live, net.id(TABLE), destination, LocalGatewayId=LOCAL_GATEWAY)
    for destination in (first, "192.0.2.0/24"):
        strict_routes.lay(net.lab._live, net.id(TABLE), destination, LocalGatewayId="lgw-0fedcba9876543210")
    wanted = document(edit(TABLE, routes=_routes(120)))
    net.lab.calls.clear()
    report = net.run(wanted)
    assert sorted(writes(net)) == ["CreateRoute", "DeleteRoute", "ReplaceRoute"]
    assert report.in_sync, told(report)


def test_what_is_more_than_the_quota_of_routes_is_held(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = document(edit(TABLE, routes={f"172.16.{n}.0/24": "lgw-0a1b2c3d4e5f60718" for n in range(4)}))
    report = net.run(wanted, Policy(quota_routes=3))
    assert writes(net) == []
    assert ended(report, TABLE, "routes") == {Outcome.HELD}
    assert "would have 4 IPv4 routes, the quota (QUOTA_ROUTES) allows 3" in said(report, TABLE, "routes")
    monkeypatch.setattr(strict_routes, "MOST_ROUTES", 3)
    assert Outcome.FAILED in ended(net.run(wanted), TABLE, "routes")
    monkeypatch.setattr(strict_routes, "MOST_ROUTES", 500)
    assert net.run(wanted).in_sync


def test_a_table_that_holds_more_routes_already_shows_a_higher_quota(net: Network) -> None:
    """Four are live, three are a deployment's setting: one may take the place of another."""
    first, *rest = _routes(5)
    for destination in (first, *rest[:3]):
        strict_routes.lay(net.lab._live, net.id(TABLE), destination, LocalGatewayId=LOCAL_GATEWAY)
    report = net.run(document(edit(TABLE, routes=dict.fromkeys(rest, LOCAL_GATEWAY))), Policy(quota_routes=3))
    assert report.in_sync, told(report)


@pytest.mark.parametrize("extra", [5, 6])
def test_a_prefix_list_counts_as_its_maximum_of_entries(net: Network, extra: int) -> None:
    """The live rule, 53 and a list of 6 or 7 entries make 60 or 61: no call is made that AWS would refuse."""
    made = _list(net, extra + 1)
    wanted = document(edit(SERVER, ingress=[*_rules(53), rule(8000, made)]))
    net.lab.calls.clear()
    report = net.run(wanted)
    refused = [call.operation for call in net.lab.calls if call.error]
    assert refused == []
    if extra == 5:
        assert report.in_sync, told(report)
    else:
        assert "61 IPv4 rules would exist at once" in said(report, SERVER, "ingress")


@pytest.mark.parametrize("most", [2, 3])
def test_a_route_to_a_prefix_list_counts_as_its_maximum_of_entries(net: Network, most: int) -> None:
    made = _list(net, most)
    routes = {"172.16.0.0/24": "lgw-0a1b2c3d4e5f60718", made: "lgw-0a1b2c3d4e5f60718"}
    report = net.run(document(edit(TABLE, routes=routes)), Policy(quota_routes=3))
    assert report.in_sync == (most == 2), told(report)
    causes = {one.cause.reason for one in report.drifts if one.cause}
    assert causes == (set() if most == 2 else {Reason.QUOTA})


def test_the_sizes_of_prefix_lists_are_read_only_where_one_is_used(net: Network) -> None:
    net.lab.calls.clear()
    net.run()
    assert "DescribeManagedPrefixLists" not in {call.operation for call in net.lab.calls}
    built(net, edit(SERVER, ingress=[rule(8000, _list(net, 5))]))
    net.run()
    assert [call.operation for call in net.lab.calls].count("DescribeManagedPrefixLists") == 1


def test_a_role_that_may_not_ask_for_sizes_keeps_the_network(net: Network) -> None:
    """The role of an earlier version: a list counts as one, as it did then."""
    made = _list(net, 5)
    wanted = built(net, edit(SERVER, ingress=[rule(8000, made)]))
    net.lab.faults.refuse("DescribeManagedPrefixLists")
    taken = [permission(8000, made)]
    revoke = net.outsider("ec2").revoke_security_group_ingress
    mended(net, lambda it: revoke(GroupId=it.id(SERVER), IpPermissions=taken), wanted)


@pytest.mark.parametrize(("policy", "full"), [(Policy(), False), (Policy(quota_rules=1), True)])
def test_a_mend_says_by_the_accounts_quota_that_there_is_no_room(net: Network, policy: Policy, *, full: bool) -> None:
    def asks(written: dict[str, Any]) -> None:
        written["intents"] = [
            {"name": "health", "from": "api", "to": "server", "protocol": "tcp", "ports": 8443, "expect": "reachable"}
        ]

    shown = text(net.plan(document(asks), policy))
    assert "tcp 8443" in shown, shown
    assert ("that side is full, so something must go first" in shown) is full, shown
