"""Security groups: every way in which a rule can differ, each put right without letting in or cutting off a packet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from reconciler.model import Outcome
from tests.support.cases import (
    ANYWHERE,
    Deed,
    Edit,
    both,
    built,
    calm,
    edit,
    ended,
    left,
    mended,
    permission,
    removed,
    rule,
    told,
    writes,
)
from tests.support.runs import Network, address, document
from tests.support.sampling import sampled

API, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
ALL_OUT = [{"protocol": "all", "destination": ANYWHERE}]


def _add(net: Network, group: str, *permissions: Any, egress: bool = False) -> None:
    ec2 = net.outsider("ec2")
    call = ec2.authorize_security_group_egress if egress else ec2.authorize_security_group_ingress
    call(GroupId=net.id(group), IpPermissions=list(permissions))


def _take(net: Network, group: str, *permissions: Any, egress: bool = False) -> None:
    ec2 = net.outsider("ec2")
    call = ec2.revoke_security_group_egress if egress else ec2.revoke_security_group_ingress
    call(GroupId=net.id(group), IpPermissions=list(permissions))


def _becomes(group: str, old: list[Any], new: list[Any], *, egress: bool = False) -> Deed:
    """Somebody puts other rules in the place of some."""

    def deed(net: Network) -> None:
        if new:
            _add(net, group, *(_filled(net, one) for one in new), egress=egress)
        if old:
            _take(net, group, *(_filled(net, one) for one in old), egress=egress)

    return deed


def _filled(net: Network, one: tuple[Any, ...]) -> Any:
    first, peer, *rest = one
    return permission(first, net.id(peer) if peer.startswith("security_group/") else peer, *rest)


ICMP_RULES = [
    rule("", ANYWHERE, "icmp", icmp_type=8, icmp_code=0),
    rule("", "::/0", "icmpv6", icmp_type=128, icmp_code=0),
]
BOTH_WAYS = edit(
    SERVER, egress=[rule(443, ANYWHERE, egress=True), rule("1024-2048", "10.0.0.0/16", "udp", egress=True)]
)
AUTHORIZE, REVOKE, MODIFY = "AuthorizeSecurityGroup", "RevokeSecurityGroup", "ModifySecurityGroupRules"

DRIFTS: list[tuple[str, Edit | None, Deed, set[str]]] = [
    ("a rule added", None, _becomes(API, [], [(22, ANYWHERE)]), {REVOKE}),
    ("rules added", None, _becomes(API, [], [(22, ANYWHERE), (3389, ANYWHERE), (23, "::/0")]), {REVOKE}),
    ("everything let in", None, _becomes(DB, [], [(-1, ANYWHERE, -1, "-1")]), {REVOKE}),
    ("a rule deleted", None, _becomes(SERVER, [(8000, API)], []), {AUTHORIZE}),
    ("all rules deleted", None, _becomes(API, [(80, ANYWHERE), (443, ANYWHERE)], []), {AUTHORIZE}),
    ("a peer widened", edit(DB, ingress=[rule(5432, "10.0.2.0/24")]),
     _becomes(DB, [(5432, "10.0.2.0/24")], [(5432, ANYWHERE)]), {MODIFY}),
    ("a peer narrowed", None, _becomes(API, [(443, ANYWHERE)], [(443, "10.0.0.0/16")]), {MODIFY}),
    ("ports widened", None, _becomes(API, [(443, ANYWHERE)], [(440, ANYWHERE, 450)]), {MODIFY}),
    ("ports narrowed", edit(API, ingress=[rule("8000-8100", ANYWHERE)]),
     _becomes(API, [(8000, ANYWHERE, 8100)], [(8000, ANYWHERE)]), {MODIFY}),
    ("ports moved", None, _becomes(API, [(443, ANYWHERE)], [(444, ANYWHERE)]), {AUTHORIZE, REVOKE}),
    ("a rule split", None, _becomes(API, [(443, ANYWHERE)], [(443, "0.0.0.0/1"), (443, "128.0.0.0/1")]),
     {AUTHORIZE, REVOKE, MODIFY}),
    ("rules merged", None, _becomes(API, [(80, ANYWHERE), (443, ANYWHERE)], [(80, ANYWHERE, 443)]),
     {AUTHORIZE, REVOKE, MODIFY}),
    ("a group for a network", edit(DB, ingress=[rule(5432, "10.0.2.0/24")]),
     _becomes(DB, [(5432, "10.0.2.0/24")], [(5432, SERVER)]), {AUTHORIZE, REVOKE}),
    ("a network for a group", None, _becomes(DB, [(5432, SERVER)], [(5432, "10.0.0.0/16")]), {AUTHORIZE, REVOKE}),
    ("another group", None, _becomes(DB, [(5432, SERVER)], [(5432, API)]), {AUTHORIZE, REVOKE, MODIFY}),
    ("itself for another group", None, _becomes(DB, [(5432, SERVER)], [(5432, DB)]), {AUTHORIZE, REVOKE, MODIFY}),
    ("IPv6 for IPv4", None, _becomes(API, [(443, ANYWHERE)], [(443, "::/0")]), {AUTHORIZE, REVOKE}),
    ("UDP for TCP", None, _becomes(API, [(443, ANYWHERE)], [(443, ANYWHERE, 443, "udp")]), {AUTHORIZE, REVOKE}),
    ("all protocols for TCP", None, _becomes(API, [(443, ANYWHERE)], [(-1, ANYWHERE, -1, "-1")]),
     {AUTHORIZE, REVOKE, MODIFY}),
    ("any ICMP for a type", edit(API, ingress=ICMP_RULES),
     _becomes(API, [(8, ANYWHERE, 0, "icmp")], [(-1, ANYWHERE, -1, "icmp")]), {AUTHORIZE, REVOKE, MODIFY}),
    ("any ICMPv6 for a type", edit(API, ingress=ICMP_RULES),
     _becomes(API, [(128, "::/0", 0, "icmpv6")], [(-1, "::/0", -1, "icmpv6")]), {AUTHORIZE, REVOKE, MODIFY}),
    ("a protocol by its number", edit(API, ingress=[rule("", ANYWHERE, 47)]),
     _becomes(API, [(-1, ANYWHERE, -1, "47")], [(-1, ANYWHERE, -1, "50")]), {AUTHORIZE, REVOKE, MODIFY}),
    ("a way out added", BOTH_WAYS, _becomes(SERVER, [], [(-1, ANYWHERE, -1, "-1")], egress=True), {REVOKE}),
    ("a way out deleted", BOTH_WAYS, _becomes(SERVER, [(443, ANYWHERE)], [], egress=True), {AUTHORIZE}),
    ("a way out narrowed", BOTH_WAYS,
     _becomes(SERVER, [(1024, "10.0.0.0/16", 2048, "udp")], [(1024, "10.0.0.0/16", 1024, "udp")], egress=True),
     {MODIFY}),
    ("a way out to a group", BOTH_WAYS, _becomes(SERVER, [(443, ANYWHERE)], [(443, DB)], egress=True),
     {AUTHORIZE, REVOKE}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "deed", "calls"), sampled([one[1:] for one in DRIFTS], 2, seed="drifts", ids=[one[0] for one in DRIFTS])
)
def test_rules_that_differ_are_put_right_in_at_most_one_call_of_a_sort(
    net: Network, start: Edit | None, deed: Deed, calls: set[str]
) -> None:
    wanted = built(net, start, from_clean=True)
    mended(net, deed, wanted)
    made = Counter((call.operation, call.params.get("GroupId")) for call in net.lab.calls if call.kind == "write")
    assert {name.removesuffix("Ingress").removesuffix("Egress") for name, _ in made} <= calls
    assert max(made.values()) == 1


def test_many_changes_to_one_group_take_one_call_of_a_sort(net: Network) -> None:
    """Ten rules to add, ten to take away, ten that changed: three calls."""
    kept = [rule(port, "10.0.0.0/16") for port in range(100, 120)]
    wanted = built(net, edit(DB, ingress=kept))

    def stir(net: Network) -> None:
        _take(net, DB, *(permission(port, "10.0.0.0/16") for port in range(100, 120)))
        _add(net, DB, *(permission(port, "10.0.0.0/24") for port in range(110, 120)))
        _add(net, DB, *(permission(port, ANYWHERE) for port in range(200, 210)))

    mended(net, stir, wanted)
    assert sorted(writes(net)) == [
        "AuthorizeSecurityGroupIngress",
        "ModifySecurityGroupRules",
        "RevokeSecurityGroupIngress",
    ]


def _describe(net: Network, text: str) -> None:
    pairs = [{"GroupId": net.id(SERVER), "Description": text}] if text else [{"GroupId": net.id(SERVER)}]
    net.outsider("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=net.id(DB),
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": pairs}],
    )


@pytest.mark.parametrize("text", ["ask Kim before touching", ""])
def test_a_description_alone_takes_one_call_that_touches_no_packet(net: Network, text: str) -> None:
    mended(net, lambda net: _describe(net, text))
    assert writes(net) == ["UpdateSecurityGroupRuleDescriptionsIngress"]


def test_a_description_that_the_document_leaves_out_is_not_managed(net: Network) -> None:
    wanted = built(net, edit(DB, ingress=[rule(5432, SERVER)]))
    _describe(net, "ask Kim before touching")
    calm(net, wanted)


def test_an_empty_description_that_is_declared_is_put_back(net: Network) -> None:
    wanted = built(net, edit(DB, ingress=[rule(5432, SERVER, description="")]))
    calm(net, wanted)
    mended(net, lambda net: _describe(net, "ask Kim & Lee"), wanted)
    assert writes(net) == ["UpdateSecurityGroupRuleDescriptionsIngress"]


def test_a_changed_rule_is_given_its_description_in_the_same_call(net: Network) -> None:
    mended(net, _becomes(API, [(443, ANYWHERE)], [(443, "10.0.0.0/16")]))
    (group,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(API)])["SecurityGroups"]
    (https,) = [one for one in group["IpPermissions"] if one["FromPort"] == 443]
    assert https["IpRanges"] == [{"CidrIp": ANYWHERE, "Description": "HTTPS from anywhere"}]


def test_the_order_of_rules_is_no_drift(net: Network) -> None:
    def turned(written: dict[str, Any]) -> None:
        for group in written["resources"]["security_group"].values():
            group["ingress"].reverse()

    calm(net, document(turned))
    rules = [permission(port, ANYWHERE) for port in (80, 443)]
    _take(net, API, *rules)
    described = {80: "HTTP from anywhere", 443: "HTTPS from anywhere"}
    for port in (443, 80):
        _add(net, API, permission(port, ANYWHERE, Description=described[port]))
    calm(net)


def test_an_empty_list_means_that_no_rule_may_be_there(net: Network) -> None:
    wanted = built(net, edit(SERVER, ingress=[], egress=[]))

    def open_both(net: Network) -> None:
        _add(net, SERVER, permission(22, ANYWHERE))
        _add(net, SERVER, permission(443, ANYWHERE), egress=True)

    mended(net, open_both, wanted)
    (group,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(SERVER)])["SecurityGroups"]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])


def test_a_direction_that_is_left_out_is_not_managed(net: Network) -> None:
    wanted = document(edit(SERVER, egress=...))
    _take(net, SERVER, permission(-1, ANYWHERE, protocol="-1"), egress=True)
    _add(net, SERVER, permission(25, ANYWHERE), egress=True)
    calm(net, wanted)


EMPTY_DEFAULT = edit("security_group/default", ingress=[], egress=[])


def _default(net: Network) -> Any:
    filters = [{"Name": "vpc-id", "Values": [net.id("vpc/MyVPC")]}, {"Name": "group-name", "Values": ["default"]}]
    (group,) = net.outsider("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return group


def test_the_default_group_is_adopted_and_emptied_when_it_is_declared_empty(net: Network) -> None:
    before = _default(net)
    assert (len(before["IpPermissions"]), len(before["IpPermissionsEgress"])) == (1, 1)
    wanted = document(EMPTY_DEFAULT)
    assert net.run(wanted).in_sync
    after = _default(net)
    assert (after["GroupId"], after["IpPermissions"], after["IpPermissionsEgress"]) == (before["GroupId"], [], [])
    calm(net, wanted)


def test_a_rule_put_back_into_the_empty_default_group_is_taken_out_again(net: Network) -> None:
    wanted = built(net, EMPTY_DEFAULT)
    own = _default(net)["GroupId"]
    mended(
        net,
        lambda net: net.outsider("ec2").authorize_security_group_ingress(
            GroupId=own, IpPermissions=[permission(-1, own, protocol="-1")]
        ),
        wanted,
    )
    assert writes(net) == ["RevokeSecurityGroupIngress"]


def test_a_group_that_is_called_otherwise_in_case_only_is_the_same_group(net: Network) -> None:
    """EC2 holds names unique whatever their case, so it could not be made beside the other."""

    def renamed(written: dict[str, Any]) -> None:
        groups = written["resources"]["security_group"]
        groups["dbsg"] = groups.pop("DBSG")
        edit("db_instance/mypostgresqldb", vpc_security_groups=["security_group/dbsg"])(written)

    wanted = document(renamed)
    assert net.run(wanted).in_sync
    assert writes(net) == ["CreateTags"]
    calm(net, wanted)


def test_a_deleted_group_is_made_anew_with_the_rules_of_others_that_name_it(net: Network) -> None:
    def delete(net: Network) -> None:
        _take(net, DB, permission(5432, net.id(SERVER)))
        net.outsider("ec2").delete_security_group(GroupId=net.id(SERVER))

    report = mended(net, delete, anew=True)
    assert ended(report, SERVER) == ended(report, DB, "ingress") == {Outcome.CORRECTED}
    (db,) = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(DB)])["SecurityGroups"]
    (pair,) = db["IpPermissions"][0]["UserIdGroupPairs"]
    (server,) = net.outsider("ec2").describe_security_groups(GroupIds=[pair["GroupId"]])["SecurityGroups"]
    assert (server["GroupName"], server["GroupId"] != net.id(SERVER)) == ("TestServerSG", True)
    assert [one["FromPort"] for one in server["IpPermissions"]] == [8000]


def test_groups_that_name_each_other_are_both_made_anew(net: Network) -> None:
    mutual = both(
        edit(API, ingress=[rule(80, ANYWHERE), rule(9000, SERVER)]),
        edit(SERVER, ingress=[rule(8000, API)], egress=[rule(9000, API, egress=True)]),
    )
    wanted = built(net, mutual)

    def delete(net: Network) -> None:
        _take(net, API, permission(9000, net.id(SERVER)))
        _take(net, SERVER, permission(8000, net.id(API)))
        _take(net, SERVER, permission(9000, net.id(API)), egress=True)
        _take(net, DB, permission(5432, net.id(SERVER)))
        for group in (API, SERVER):
            net.outsider("ec2").delete_security_group(GroupId=net.id(group))

    report = mended(net, delete, wanted, anew=True)
    assert ended(report, API) == ended(report, SERVER) == {Outcome.CORRECTED}, told(report)


FULL = edit(SERVER, ingress=[rule(8000, API), *(rule(port, "10.0.2.0/24") for port in range(8001, 8060))])
"""As many IPv4 rules as AWS lets a group have."""


def test_a_rule_that_is_changed_in_place_keeps_a_description_that_the_document_leaves_out(net: Network) -> None:
    wanted = built(net, edit(DB, ingress=[rule(5432, "10.0.2.0/24")]), from_clean=True)

    def widen(net: Network) -> None:
        described = permission(5432, ANYWHERE)
        described["IpRanges"][0]["Description"] = "kept by hand"
        _take(net, DB, permission(5432, "10.0.2.0/24"))
        _add(net, DB, described)

    widen(net)
    net.run(wanted)
    assert writes(net) == ["ModifySecurityGroupRules"]
    groups = net.outsider("ec2").describe_security_groups(GroupIds=[net.id(DB)])["SecurityGroups"]
    assert groups[0]["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.2.0/24", "Description": "kept by hand"}]


def test_a_full_group_with_one_changed_rule_is_changed_in_place(net: Network) -> None:
    wanted = built(net, FULL, from_clean=True)

    def widen(net: Network) -> None:
        _take(net, SERVER, permission(8001, "10.0.2.0/24"))
        _add(net, SERVER, permission(8001, ANYWHERE))

    mended(net, widen, wanted)
    assert writes(net) == ["ModifySecurityGroupRules"]


def test_a_full_group_with_an_opening_in_place_of_a_rule_is_closed_first(net: Network) -> None:
    wanted = built(net, FULL, from_clean=True)

    def swap(net: Network) -> None:
        _take(net, SERVER, permission(8001, "10.0.2.0/24"))
        _add(net, SERVER, permission(22, ANYWHERE))

    mended(net, swap, wanted)
    assert writes(net) == ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"]


def test_a_full_group_with_another_sort_of_peer_is_held_and_nothing_is_revoked(net: Network) -> None:
    """Its successor would be the 61st rule, and revoking first would cut what both sides let through."""
    wanted = built(net, FULL, from_clean=True)
    _take(net, SERVER, permission(8001, "10.0.2.0/24"))
    _add(net, SERVER, permission(8001, net.id(API)))
    left(
        net,
        SERVER,
        "ingress",
        Outcome.HELD,
        "61 IPv4 rules would exist at once, the quota (QUOTA_RULES) allows 60",
        wanted,
    )
    assert writes(net) == []


def test_ipv6_rules_have_a_quota_of_their_own(net: Network) -> None:
    def with_ipv6(written: dict[str, Any]) -> None:
        FULL(written)
        written["resources"]["security_group"]["TestServerSG"]["ingress"].append(rule(8000, "2001:db8::/32"))

    wanted = built(net, with_ipv6)
    mended(net, _becomes(SERVER, [(8000, "2001:db8::/32")], []), wanted)
    assert writes(net) == ["AuthorizeSecurityGroupIngress"]


def test_a_prefix_list_is_a_peer_like_any_other(net: Network) -> None:
    made = net.outsider("ec2").create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "198.51.100.0/24"}]
    )
    prefix_list = made["PrefixList"]["PrefixListId"]
    wanted = built(net, edit(DB, ingress=[rule(5432, SERVER), rule(5432, prefix_list)]))
    mended(net, _becomes(DB, [(5432, prefix_list)], []), wanted)
    mended(net, _becomes(DB, [(5432, prefix_list)], [(5433, prefix_list)]), wanted)


def test_a_group_of_another_account_is_told_apart_from_ours(net: Network) -> None:
    wanted = document(edit(DB, ingress=[rule(5432, "111122223333/sg-0123456789abcdef0")]))
    (live,) = net.lab._live.group(net.id(DB)).ingress_rules
    live.source_group = {"GroupId": "sg-0123456789abcdef0", "UserId": "111122223333"}
    calm(net, wanted)
    report = net.plan()
    keys = {(one.difference.want, one.difference.have) for one in report.drifts if one.address == DB}
    assert len(keys) == 2, told(report)


def test_a_group_that_nobody_declared_is_named_by_its_id(net: Network) -> None:
    made = net.outsider("ec2").create_security_group(
        GroupName="elsewhere", Description="of another team", VpcId=net.id("vpc/MyVPC")
    )["GroupId"]
    mended(net, _becomes(DB, [], [(5432, made)]))
    wanted = built(net, edit(DB, ingress=[rule(5432, made)]))
    mended(net, _becomes(DB, [(5432, made)], []), wanted)


def test_an_undeclared_group_is_reported_and_not_touched(net: Network) -> None:
    made = net.outsider("ec2").create_security_group(
        GroupName="elsewhere", Description="of another team", VpcId=net.id("vpc/MyVPC")
    )["GroupId"]
    report = net.run()
    assert made in {one.id for one in report.unmanaged}
    assert (report.in_sync, report.writes) == (True, 0)


def test_a_group_in_use_that_left_the_document_is_reported_only(net: Network) -> None:
    def without(written: dict[str, Any]) -> None:
        removed(SERVER)(written)
        edit(DB, ingress=[])(written)
        del written["workloads"], written["intents"]

    wanted = document(without)
    report = net.run(wanted)
    assert [(one.id, one.owned) for one in report.unmanaged if one.id == net.id(SERVER)] == [(net.id(SERVER), True)]
    assert "DeleteSecurityGroup" not in writes(net)


def test_nothing_is_revoked_where_its_successor_needs_a_group_that_is_not_made_now(net: Network) -> None:
    """Narrowed to one address, the run may not make the group that the new rule names: then the old rule stays."""
    group = net.id("security_group/DBSG")
    net.outsider("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(5432, "0.0.0.0/0")])
    wanted = document(
        both(
            edit("security_group/ReportSG", description="Reports", ingress=[], egress=[]),
            edit(
                "security_group/DBSG",
                ingress=[rule(5432, "security_group/TestServerSG"), rule(5432, "security_group/ReportSG")],
            ),
        )
    )
    report = net.run(wanted, only=frozenset({address("security_group/DBSG")}))
    assert [one.operation for one in net.lab.calls if one.operation.startswith(("Authorize", "Revoke"))] == []
    ends = {drift.outcome for drift in report.drifts if drift.field == "ingress"}
    assert ends - {Outcome.CORRECTED} == {Outcome.BLOCKED}
    assert net.run(wanted).in_sync
