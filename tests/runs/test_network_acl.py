"""Network ACLs: lists whose order decides, put right one entry at a time, or else behind a temporary ACL."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.fields import Address
from desired_state.rules import IngressEntries
from lab.faults import Stopped
from reconciler.engine.run import Memory
from reconciler.kinds.network_acl.search import steps
from reconciler.model import NAME_TAG, Evidence, Found, Outcome
from tests.support.cases import (
    ANYWHERE,
    Deed,
    Edit,
    both,
    built,
    calm,
    default_acl,
    each,
    edit,
    ended,
    entry,
    left,
    mended,
    move_acl,
    said,
    told,
    writes,
)
from tests.support.packets import violations
from tests.support.runs import REFERENCE, Network, document
from tests.support.sampling import sampled

PUBLIC, PRIVATE = "network_acl/PublicSubnetACL", "network_acl/PrivateSubnetACL"
NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}


def _put(
    acl: str, number: int, action: str, ports: tuple[int, int] | None, cidr: str, protocol: str = "tcp", **how: bool
) -> Deed:
    """Somebody writes an entry, whatever was under its number."""

    def deed(net: Network) -> None:
        ec2, egress = net.outsider("ec2"), how.get("egress", False)
        place = {"NetworkAclId": net.id(acl), "RuleNumber": number, "Egress": egress}
        (found,) = ec2.describe_network_acls(NetworkAclIds=[net.id(acl)])["NetworkAcls"]
        taken = any((one["RuleNumber"], one["Egress"]) == (number, egress) for one in found["Entries"])
        what: dict[str, Any] = {"Protocol": NUMBERS.get(protocol, protocol), "RuleAction": action}
        what["Ipv6CidrBlock" if ":" in cidr else "CidrBlock"] = cidr
        if protocol in {"tcp", "udp"} and ports:
            what["PortRange"] = {"From": ports[0], "To": ports[1]}
        if protocol in {"icmp", "icmpv6"} and ports:
            what["IcmpTypeCode"] = {"Type": ports[0], "Code": ports[1]}
        (ec2.replace_network_acl_entry if taken else ec2.create_network_acl_entry)(**place, **what)

    return deed


def _drop(acl: str, *numbers: int, egress: bool = False) -> Deed:
    def deed(net: Network) -> None:
        for number in numbers:
            net.outsider("ec2").delete_network_acl_entry(NetworkAclId=net.id(acl), RuleNumber=number, Egress=egress)

    return deed


def _reference(acl: str, side: str) -> dict[str, Any]:
    entries: dict[str, Any] = REFERENCE["resources"]["network_acl"][acl.partition("/")[2]][side]
    return entries


ICMP = edit(
    PUBLIC,
    ingress=_reference(PUBLIC, "ingress")
    | {
        "130": entry("allow", "", ANYWHERE, "icmp", icmp_type=8, icmp_code=0),
        "140": entry("allow", "", "::/0", "icmpv6", icmp_type=128, icmp_code=0),
    },
)
IPV6 = edit(PUBLIC, ingress=_reference(PUBLIC, "ingress") | {"131": entry("allow", 443, "::/0")})

DRIFTS: list[tuple[str, Edit | None, Deed]] = [
    ("an entry replaced by a deny", None, _put(PUBLIC, 110, "deny", (443, 443), ANYWHERE)),
    ("an entry's ports changed", None, _put(PUBLIC, 110, "allow", (440, 450), ANYWHERE)),
    ("an entry's protocol changed", None, _put(PUBLIC, 110, "allow", (443, 443), ANYWHERE, "udp")),
    ("an entry for everything", None, _put(PUBLIC, 100, "allow", None, ANYWHERE, "all")),
    ("an extra deny in front", None, _put(PUBLIC, 10, "deny", None, ANYWHERE, "all")),
    ("an extra deny of a part", None, _put(PUBLIC, 105, "deny", (443, 443), "198.51.100.0/24")),
    ("an extra allow behind", None, _put(PRIVATE, 900, "allow", (22, 22), ANYWHERE)),
    ("an extra allow in front", None, _put(PRIVATE, 1, "allow", None, ANYWHERE, "all")),
    ("an entry deleted", None, _drop(PRIVATE, 100)),
    ("all entries deleted", None, _drop(PUBLIC, 100, 110, 120)),
    (
        "renumbered",
        None,
        each(_put(PUBLIC, 200, "allow", (443, 443), ANYWHERE), _drop(PUBLIC, 110)),
    ),
    (
        "two entries exchanged",
        None,
        each(_put(PUBLIC, 100, "allow", (443, 443), ANYWHERE), _put(PUBLIC, 110, "allow", (80, 80), ANYWHERE)),
    ),
    (
        "a deny moved in front of an allow",
        edit(
            PUBLIC,
            ingress={
                "100": entry("allow", 443, "10.0.0.0/16"),
                "110": entry("deny", 443, "10.0.0.0/8"),
                "120": entry("allow", "1-65535", ANYWHERE),
            },
        ),
        each(
            _put(PUBLIC, 100, "deny", (443, 443), "10.0.0.0/8"), _put(PUBLIC, 110, "allow", (443, 443), "10.0.0.0/16")
        ),
    ),
    ("any ICMP for a type", ICMP, _put(PUBLIC, 130, "allow", (-1, -1), ANYWHERE, "icmp")),
    ("an ICMPv6 entry deleted", ICMP, _drop(PUBLIC, 140)),
    ("an IPv6 entry denied", IPV6, _put(PUBLIC, 131, "deny", (443, 443), "::/0")),
    ("an IPv6 entry added", IPV6, _put(PUBLIC, 50, "allow", None, "2001:db8::/32", "all")),
    ("a protocol by its number", None, _put(PUBLIC, 50, "allow", None, ANYWHERE, "47")),
    ("a way out denied", None, _put(PUBLIC, 110, "deny", (443, 443), ANYWHERE, egress=True)),
    ("a way out added", None, _put(PRIVATE, 5, "allow", None, ANYWHERE, "all", egress=True)),
    ("a way out deleted", None, _drop(PRIVATE, 120, egress=True)),
    (
        "both directions at once",
        None,
        each(_drop(PUBLIC, 100), _put(PUBLIC, 1, "allow", None, ANYWHERE, "all", egress=True)),
    ),
]


@pytest.mark.parametrize(
    ("start", "deed"), sampled([one[1:] for one in DRIFTS], 2, seed="drifts", ids=[one[0] for one in DRIFTS])
)
def test_entries_that_differ_are_put_right_without_a_gap(net: Network, start: Edit | None, deed: Deed) -> None:
    mended(net, deed, built(net, start, from_clean=True))
    assert "CreateNetworkAcl" not in writes(net)


def _allow_ports(numbers: dict[int, int]) -> dict[str, Any]:
    return {str(number): entry("allow", port, "10.0.0.0/16") for number, port in sorted(numbers.items())}


FULL = {100 + 10 * index: 8001 + index for index in range(19)}
FULL_LIST = edit(PRIVATE, ingress=_allow_ports(FULL))
"""As many entries as AWS lets a direction have beside its own."""


def test_a_full_list_with_changed_entries_is_put_right_in_place(net: Network) -> None:
    wanted = built(net, FULL_LIST, from_clean=True)
    mended(
        net,
        each(
            _put(PRIVATE, 100, "allow", (22, 22), ANYWHERE),
            _put(PRIVATE, 150, "deny", (8006, 8006), "10.0.0.0/16"),
            _put(PRIVATE, 280, "allow", None, "10.0.0.0/16", "all"),
        ),
        wanted,
    )
    assert writes(net) == ["ReplaceNetworkAclEntry"] * 3


def test_a_full_list_shifted_by_one_number_is_put_right(net: Network) -> None:
    wanted = built(net, FULL_LIST, from_clean=True)
    mended(net, each(_drop(PRIVATE, 100), _put(PRIVATE, 300, "allow", (8001, 8001), "10.0.0.0/16")), wanted)


exchanged = each(
    _put(PRIVATE, 100, "allow", (8002, 8002), "10.0.0.0/16"), _put(PRIVATE, 110, "allow", (8001, 8001), "10.0.0.0/16")
)
"""Two entries of the full list change places: with no entry to spare, no order of single calls keeps both open."""


def _acls(net: Network) -> list[Any]:
    here = [{"Name": "vpc-id", "Values": [net.id("vpc/MyVPC")]}]
    acls: list[Any] = net.outsider("ec2").describe_network_acls(Filters=here)["NetworkAcls"]
    return acls


def _temporary(net: Network) -> list[str]:
    return [one["NetworkAclId"] for one in _acls(net) if any(tag["Key"] == "setpoint:temporary" for tag in one["Tags"])]


def test_no_order_of_single_calls_exchanges_two_entries_of_a_full_list() -> None:
    """What the tests below rest on."""
    live = IngressEntries.read(_allow_ports(FULL | {100: 8002, 110: 8001}))
    assert steps(live, IngressEntries.read(_allow_ports(FULL))) is None


def test_where_no_order_of_single_calls_will_do_a_temporary_acl_stands_in(net: Network) -> None:
    wanted = built(net, FULL_LIST, from_clean=True)
    mended(net, exchanged, wanted)
    made = writes(net)
    assert (made[0], made[-1]) == ("CreateNetworkAcl", "DeleteNetworkAcl")
    assert made.count("ReplaceNetworkAclAssociation") == 4
    assert _temporary(net) == []
    assert len(_acls(net)) == 3


WRITES_OF_A_DETOUR = 1 + (19 + 3) + 2 + 2 + 2 + 1
"""The temporary ACL, its entries, two subnets there, two entries, two subnets back, and the ACL gone."""


def test_every_write_of_a_detour_is_counted(net: Network) -> None:
    wanted = built(net, FULL_LIST, from_clean=True)
    exchanged(net)
    assert net.run(wanted).writes == WRITES_OF_A_DETOUR


def test_a_detour_creates_no_acl_anew(net: Network) -> None:
    """The temporary ACL is made at the address of the one that it stands in for, which stays the same."""
    wanted = built(net, FULL_LIST, from_clean=True)
    exchanged(net)
    forgotten: list[object] = []
    report = net.run(wanted, memory=Memory(ids=net.plan(wanted).resource_ids, forget=forgotten.append))
    assert report.writes == WRITES_OF_A_DETOUR
    assert (forgotten, report.created) == ([], frozenset())


@pytest.mark.parametrize("write", sampled([12, 24, 25, 27, 28, 30], 2))
def test_a_detour_that_dies_on_the_way_is_finished_by_at_most_two_more_runs(net: Network, write: int) -> None:
    """It dies half-way through the temporary ACL's entries; before the first subnet moves there, and the second; before
    the second entry; before the first subnet comes back; before the temporary ACL goes.
    """
    wanted = built(net, FULL_LIST, from_clean=True)
    clean = net.state()
    exchanged(net)
    before = net.state()
    with net.watched() as states:
        net.lab.faults.stop_at(write)
        with pytest.raises(Stopped):
            net.run(wanted)
        net.lab.faults.clear()
        first = net.run(wanted)
        second = first if first.in_sync else net.run(wanted)
    assert second.in_sync, told(second)
    assert net.state().in_use() == clean.in_use()
    assert violations(before, clean, states) == []
    assert _temporary(net) == []
    assert len(_acls(net)) == 3
    calm(net, wanted)


def _die_at(net: Network, wanted: Any, write: int) -> None:
    net.lab.faults.stop_at(write)
    with pytest.raises(Stopped):
        net.run(wanted)
    net.lab.faults.clear()


def test_subnets_that_nobody_manages_are_fetched_back_from_a_temporary_acl(net: Network) -> None:
    """The document says nothing of this ACL's subnets, so that no difference would bring them back."""
    unmanaged = document(both(FULL_LIST, edit(PRIVATE, subnets=...)))
    built(net, FULL_LIST, from_clean=True)
    clean = net.state()
    exchanged(net)
    before = net.state()
    with net.watched() as states:
        _die_at(net, unmanaged, 28)
        reports = [net.run(unmanaged), net.run(unmanaged)]
    assert reports[-1].in_sync, told(reports[-1])
    assert net.state().in_use() == clean.in_use()
    assert violations(before, clean, states) == []
    assert _temporary(net) == []


def test_a_temporary_acl_that_somebody_changed_meanwhile_is_left_to_a_person(net: Network) -> None:
    wanted = built(net, FULL_LIST, from_clean=True)
    exchanged(net)
    _die_at(net, wanted, 25)
    (spare,) = _temporary(net)
    net.outsider("ec2").create_network_acl_entry(
        NetworkAclId=spare, RuleNumber=1, Egress=True, Protocol="-1", RuleAction="allow", CidrBlock=ANYWHERE
    )
    before = net.state()
    why = "its temporary ACL of an earlier run is in use and not as declared"
    left(net, PRIVATE, "ingress", Outcome.HELD, why, wanted)
    assert net.state() == before
    assert _temporary(net) == [spare]


def test_a_subnet_that_leaves_an_acl_which_needs_a_detour_ends_where_it_is_declared(net: Network) -> None:
    built(net, FULL_LIST, from_clean=True)
    exchanged(net)
    wanted = document(both(FULL_LIST, edit(PRIVATE, subnets=["subnet/PrivateSubnet2"])))
    net.run(wanted)
    report = net.run(wanted)
    assert report.in_sync, told(report)
    behind = {one["SubnetId"] for acl in _acls(net) if acl["IsDefault"] for one in acl["Associations"]}
    assert net.id("subnet/PrivateSubnet1") in behind
    assert _temporary(net) == []
    calm(net, wanted)


def test_the_temporary_acl_of_another_document_is_not_ours_to_delete(net: Network) -> None:
    ec2 = net.outsider("ec2")
    other = ec2.create_network_acl(VpcId=net.id("vpc/MyVPC"))["NetworkAcl"]["NetworkAclId"]
    tags = [
        {"Key": "setpoint:document", "Value": "another"},
        {"Key": "setpoint:temporary", "Value": "PrivateSubnetACL"},
    ]
    ec2.create_tags(Resources=[other], Tags=tags)
    calm(net)
    assert _temporary(net) == [other]


def test_what_is_declared_is_no_temporary_acl_whatever_tag_somebody_puts_on_it(net: Network) -> None:
    wanted = built(net, edit("network_acl/Spare", ingress={}, egress={}, subnets=[]))
    (spare,) = (one["NetworkAclId"] for one in _acls(net) if {"Key": NAME_TAG, "Value": "Spare"} in one["Tags"])
    tag = {"Key": "setpoint:temporary", "Value": "PublicSubnetACL"}
    net.outsider("ec2").create_tags(Resources=[spare], Tags=[tag])
    calm(net, wanted)
    assert spare in {one["NetworkAclId"] for one in _acls(net)}


def test_tags_alone_move_no_subnet_that_the_document_does_not_put_there(net: Network) -> None:
    """Somebody's ACL that lets nothing in says that it is the temporary one of an ACL that lets everything in."""
    spare = {
        side: {"100": entry("allow", "", ANYWHERE, "all", egress=side == "egress")} for side in ("ingress", "egress")
    }
    wanted, ec2 = built(net, edit("network_acl/Spare", **spare, subnets=[])), net.outsider("ec2")
    theirs = ec2.create_network_acl(VpcId=net.id("vpc/MyVPC"))["NetworkAcl"]["NetworkAclId"]
    tags = {"setpoint:document": wanted.name, "setpoint:temporary": "Spare"}
    ec2.create_tags(Resources=[theirs], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    made = ec2.create_subnet(VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.200.0/24")["Subnet"]["SubnetId"]
    (seat,) = (one for acl in _acls(net) for one in acl["Associations"] if one["SubnetId"] == made)
    ec2.replace_network_acl_association(AssociationId=seat["NetworkAclAssociationId"], NetworkAclId=theirs)
    before = net.state()
    net.lab.calls.clear()
    (held,) = net.run(wanted).findings
    assert (held.address, held.outcome) == ("network_acl/Spare", Outcome.HELD)
    assert "in use and not as declared" in held.cause.message
    assert (net.state(), writes(net)) == (before, [])


def test_a_subnet_moved_to_the_default_acl_comes_back(net: Network) -> None:
    mended(net, lambda net: move_acl(net, "subnet/PublicSubnet1", default_acl(net)))
    assert writes(net) == ["ReplaceNetworkAclAssociation"]


def test_a_subnet_moved_to_another_declared_acl_comes_back(net: Network) -> None:
    report = mended(net, lambda net: move_acl(net, "subnet/PrivateSubnet1", net.id(PUBLIC)))
    assert ended(report, PUBLIC, "subnets") == ended(report, PRIVATE, "subnets") == {Outcome.CORRECTED}
    assert writes(net) == ["ReplaceNetworkAclAssociation"]


def test_two_acls_that_swapped_subnets_are_unswapped(net: Network) -> None:
    def swap(net: Network) -> None:
        move_acl(net, "subnet/PrivateSubnet1", net.id(PUBLIC))
        move_acl(net, "subnet/PublicSubnet1", net.id(PRIVATE))

    mended(net, swap)
    assert writes(net) == ["ReplaceNetworkAclAssociation"] * 2


def test_a_subnet_that_the_document_puts_behind_no_acl_goes_behind_the_default_one(net: Network) -> None:
    wanted = document(edit(PUBLIC, subnets=[]))
    assert net.run(wanted).in_sync
    assert writes(net) == ["ReplaceNetworkAclAssociation"]
    calm(net, wanted)


def test_an_undeclared_subnet_behind_a_declared_acl_is_told_and_left_where_it_is(net: Network) -> None:
    made = net.outsider("ec2").create_subnet(VpcId=net.id("vpc/MyVPC"), CidrBlock="10.0.200.0/24")["Subnet"]
    subnet = made["SubnetId"]
    (behind,) = [one for one in _acls(net) if subnet in {each["SubnetId"] for each in one["Associations"]}]
    (held,) = [one for one in behind["Associations"] if one["SubnetId"] == subnet]
    net.outsider("ec2").replace_network_acl_association(
        AssociationId=held["NetworkAclAssociationId"], NetworkAclId=net.id(PUBLIC)
    )
    left(net, PUBLIC, "subnets", Outcome.BLOCKED, f"{subnet} uses this ACL and is not declared")
    assert writes(net) == []


DEFAULT = edit("network_acl/default", is_default=True, ingress={}, egress={}, subnets=[])


def test_the_default_acl_is_adopted_and_emptied_when_it_is_declared_empty(net: Network) -> None:
    wanted = document(DEFAULT)
    assert net.run(wanted).in_sync
    assert writes(net) == ["DeleteNetworkAclEntry", "DeleteNetworkAclEntry", "CreateTags"]
    calm(net, wanted)


def test_a_subnet_that_no_acl_lists_is_told_where_the_default_acl_lists_its_own(net: Network) -> None:
    """It has to use that one: to associate it with the default ACL again, in every run, would change nothing."""
    wanted = document(both(edit("network_acl/default", is_default=True, subnets=[]), edit(PUBLIC, subnets=[])))
    net.run(wanted)
    net.lab.calls.clear()
    report = net.run(wanted)
    assert (writes(net), ended(report, "network_acl/default", "subnets")) == ([], {Outcome.BLOCKED})
    assert "subnet/PublicSubnet1 uses this ACL, as all subnets do that no ACL lists" in said(
        report, "network_acl/default", "subnets"
    )


def test_a_declared_default_acl_that_lets_somebody_in_is_closed_again(net: Network) -> None:
    wanted = built(net, DEFAULT)
    acl = default_acl(net)
    mended(
        net,
        lambda net: net.outsider("ec2").create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100, Egress=False, Protocol="-1", RuleAction="allow", CidrBlock=ANYWHERE
        ),
        wanted,
    )
    assert writes(net) == ["DeleteNetworkAclEntry"]


def test_a_deleted_acl_is_made_anew_whole_before_its_subnets_come_to_it(net: Network) -> None:
    def delete(net: Network) -> None:
        move_acl(net, "subnet/PublicSubnet1", default_acl(net))
        net.outsider("ec2").delete_network_acl(NetworkAclId=net.id(PUBLIC))

    report = mended(net, delete, anew=True)
    assert ended(report, PUBLIC) == {Outcome.CORRECTED}
    assert writes(net) == ["CreateNetworkAcl", *["CreateNetworkAclEntry"] * 6, "ReplaceNetworkAclAssociation"]


def test_an_acl_known_by_its_name_tag_is_adopted_and_gets_our_tags(net: Network) -> None:
    owned = [{"Key": "setpoint:document"}, {"Key": "setpoint:name"}]
    mended(net, lambda net: net.outsider("ec2").delete_tags(Resources=[net.id(PUBLIC)], Tags=owned))
    assert writes(net) == ["CreateTags"]


def test_of_two_acls_of_the_same_name_the_one_that_its_subnets_use_is_it(net: Network) -> None:
    ec2 = net.outsider("ec2")
    ec2.delete_tags(Resources=[net.id(PUBLIC)], Tags=[{"Key": "setpoint:document"}, {"Key": "setpoint:name"}])
    twin = ec2.create_network_acl(VpcId=net.id("vpc/MyVPC"))["NetworkAcl"]["NetworkAclId"]
    ec2.create_tags(Resources=[twin], Tags=[{"Key": "Name", "Value": "PublicSubnetACL"}])
    _put(PUBLIC, 1, "allow", None, ANYWHERE, "all")(net)
    report = net.run()
    assert report.in_sync, told(report)
    assert report.found_by[Address(PUBLIC)] == Found(Evidence.NAME, "its Name tag, and its subnets use it")
    assert report.ids[Address(PUBLIC)] == net.id(PUBLIC)


def test_a_direction_that_is_left_out_is_not_managed(net: Network) -> None:
    wanted = document(both(edit(PUBLIC, egress=...), edit(PRIVATE, subnets=...)))
    _put(PUBLIC, 110, "deny", (443, 443), ANYWHERE, egress=True)(net)
    move_acl(net, "subnet/PrivateSubnet1", default_acl(net))
    calm(net, wanted)
