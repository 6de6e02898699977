"""Network interfaces: what is kept of one, and whose each is."""

from __future__ import annotations

from typing import Any

import pytest

from desired_state.fields import Address
from reconciler.engine.interfaces import interfaces_of
from reconciler.model import Cause, Interface, Reason
from reconciler.reach.judge.intents import Status, Verdict, judge
from reconciler.reach.judge.live import live, live_machines
from tests.support.intents import DB, context_of, document, network

ITEM: dict[str, Any] = {
    "NetworkInterfaceId": "eni-0a1b2c3d4e5f60718",
    "SubnetId": "subnet-1",
    "VpcId": "vpc-1",
    "Groups": [{"GroupId": "sg-2", "GroupName": "web"}, {"GroupId": "sg-1", "GroupName": "<b>"}],
    "PrivateIpAddress": "10.0.1.4",
    "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.4"}, {"PrivateIpAddress": "10.0.1.5"}],
    "Ipv6Addresses": [{"Ipv6Address": "2001:db8::4"}],
    "InterfaceType": "interface",
    "RequesterManaged": False,
    "Attachment": {"InstanceId": "i-0a1b2c3d4e5f60718"},
    "Status": "in-use",
    "Description": "nat-0123 is what a person wrote",
}
ASSOCIATED = {"Association": {"PublicIp": "203.0.113.9"}}


def kept(**changes: Any) -> Interface:
    (found,) = interfaces_of([ITEM | changes])
    return found


def test_an_interface_keeps_what_the_judgement_asks() -> None:
    assert kept() == Interface(
        id="eni-0a1b2c3d4e5f60718",
        subnet="subnet-1",
        groups=frozenset({"sg-1", "sg-2"}),
        addresses=("10.0.1.4/32", "10.0.1.5/32", "2001:db8::4/128"),
        public=False,
        type="interface",
        managed=False,
        instance="i-0a1b2c3d4e5f60718",
        nat="",
        in_use=True,
    )


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, False),
        (ASSOCIATED, True),
        (
            {"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.4"}, {"PrivateIpAddress": "10.0.1.5"} | ASSOCIATED]},
            True,
        ),
        ({"Association": {"CarrierIp": "203.0.113.9"}}, False),
    ],
)
def test_it_is_public_if_a_public_address_is_associated_with_any_of_its_own(
    changes: dict[str, Any], *, public: bool
) -> None:
    assert kept(**changes).public is public


@pytest.mark.parametrize("spelled", ["nat_gateway", "natGateway"])
def test_the_interface_of_a_nat_gateway_has_its_id_in_the_description(spelled: str) -> None:
    said = "Interface for NAT Gateway nat-0123456789abcdef0"
    assert kept(InterfaceType=spelled, Description=said, Groups=[]).nat == "nat-0123456789abcdef0"


def test_what_is_attached_to_nothing_is_not_in_use() -> None:
    assert not kept(Status="available", Attachment=None).in_use


def test_an_interface_without_a_list_of_addresses_has_its_first() -> None:
    assert kept(PrivateIpAddresses=[], Ipv6Addresses=[]).addresses == ("10.0.1.4/32",)


# ------------------------------------------------------------------------------------------------------------ whose

NAMES = {
    "subnet-front": Address("subnet/front"),
    "subnet-back": Address("subnet/back"),
    "subnet-data": Address("subnet/data-a"),
    "sg-web": Address("security_group/web"),
    "sg-app": Address("security_group/app"),
    "sg-data": Address("security_group/data"),
}
ONLY = {"from": "internet", "to": "api", "protocol": "tcp", "ports": 443, "expect": "only"}
BACK = {"from": "internet", "to": "server"}
NONE_ELSE = {"from": "anywhere", "except": "server", "to": DB}


def eni(number: int, subnet: str, *groups: str, **changes: Any) -> Interface:
    address = {"subnet-front": "10.0.1", "subnet-back": "10.0.2", "subnet-data": "10.0.3"}[subnet]
    item = {
        "NetworkInterfaceId": f"eni-{number}",
        "SubnetId": subnet,
        "Groups": [{"GroupId": one} for one in groups],
        "PrivateIpAddresses": [{"PrivateIpAddress": f"{address}.{number}"}],
        "Status": "in-use",
    }
    (found,) = interfaces_of([item | changes])
    return found


def judged(intent: dict[str, Any], interfaces: tuple[Interface, ...] | Cause, *changes: tuple[str, Any]) -> Verdict:
    found = document(network(*changes, intents=[intent]))
    declared = context_of(found).topology.network
    (verdict,) = judge(found.intents, live(found, declared, live_machines(found, declared, interfaces, NAMES)))
    return verdict


def test_a_machine_with_exactly_the_groups_of_a_workload_is_it() -> None:
    assert judged(ONLY, (eni(4, "subnet-front", "sg-web", **ASSOCIATED),)).status is Status.KEPT


def test_one_group_more_is_a_stranger_and_is_named() -> None:
    found = judged(ONLY, (eni(4, "subnet-front", "sg-web", "sg-app", Attachment={"InstanceId": "i-1"}, **ASSOCIATED),))
    assert found.status is Status.BROKEN
    assert [case.target.label for case in found.cases] == ["eni-4 (i-1) in subnet/front"]
    assert str(found.witness) == "tcp 443 from 1.0.0.0 to 10.0.1.4"


def test_a_stranger_without_a_public_address_is_not_reached_from_the_internet() -> None:
    assert judged(ONLY, (eni(4, "subnet-front", "sg-web", "sg-app"),)).status is Status.KEPT


def test_a_stranger_reaches_what_its_groups_let_it_reach() -> None:
    found = judged(NONE_ELSE, (eni(4, "subnet-front", "sg-web", "sg-app"),))
    assert found.status is Status.BROKEN
    assert {case.source.label for case in found.cases} == {"eni-4 in subnet/front"}


def test_interfaces_that_are_alike_are_one_end() -> None:
    some = tuple(eni(number, "subnet-front", "sg-web", "sg-app", **ASSOCIATED) for number in range(4, 9))
    (case,) = judged(ONLY, some).cases
    assert case.target.label == "eni-4, eni-5, eni-6, 2 more alike in subnet/front"


@pytest.mark.parametrize(
    "nobody",
    [
        eni(4, "subnet-front", "sg-web", "sg-app", Status="available", **ASSOCIATED),
        eni(
            4, "subnet-front", InterfaceType="nat_gateway", Description="Interface for NAT Gateway nat-1", **ASSOCIATED
        ),
    ],
)
def test_what_is_attached_to_nothing_and_what_has_no_group_is_no_machine(nobody: Interface) -> None:
    assert judged(ONLY, (nobody,)).status is Status.KEPT


def test_what_rds_keeps_belongs_to_the_database_where_groups_and_subnet_fit() -> None:
    theirs = eni(4, "subnet-data", "sg-data", RequesterManaged=True)
    found = document(network(intents=[NONE_ELSE]))
    declared = context_of(found).topology.network
    assert live_machines(found, declared, (theirs,), NAMES).strangers == ()
    for odd in (theirs._replace(managed=False), theirs._replace(subnet="subnet-back")):
        assert [one.owner for one in live_machines(found, declared, (odd,), NAMES).strangers] == ["eni-4"]


def test_the_interfaces_say_whether_a_workload_has_public_addresses() -> None:
    open_front = ("security_group.app.ingress", [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}])
    routed = ("route_table.private.routes", {"0.0.0.0/0": "internet_gateway/door"})
    unsaid = ("workloads.server", {"subnets": ["subnet/back"], "security_groups": ["security_group/app"]})
    back, public = eni(4, "subnet-back", "sg-app"), eni(5, "subnet-back", "sg-app", **ASSOCIATED)
    changes = (open_front, routed, unsaid)
    assert judged(BACK, (), *changes).status is Status.UNKNOWN
    assert judged(BACK, (back,), *changes).status is Status.KEPT
    assert judged(BACK, (back, public), *changes).status is Status.BROKEN


def test_a_public_address_that_the_document_denies_is_seen_and_its_machine_is_named() -> None:
    open_front = ("security_group.app.ingress", [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}])
    routed = ("route_table.private.routes", {"0.0.0.0/0": "internet_gateway/door"})
    public = eni(5, "subnet-back", "sg-app", **ASSOCIATED)
    assert judged(BACK, (), open_front, routed).status is Status.KEPT
    found = judged(BACK, (public,), open_front, routed)
    assert found.status is Status.BROKEN
    assert [case.target.label for case in found.cases] == ["eni-5 of server"]


def test_a_load_balancer_that_keeps_the_clients_address_makes_the_missing_public_one_no_answer() -> None:
    open_front = ("security_group.app.ingress", [{"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}])
    routed = ("route_table.private.routes", {"0.0.0.0/0": "internet_gateway/door"})
    relay = eni(9, "subnet-front", InterfaceType="network_load_balancer")
    assert judged(BACK, (relay,), open_front, routed).status is Status.UNKNOWN
    assert judged(BACK, (relay,), routed).status is Status.KEPT


def test_the_subnet_of_a_nat_gateway_is_known_from_its_interface() -> None:
    said = "Interface for NAT Gateway nat-0123456789abcdef0"
    nat = eni(9, "subnet-front", InterfaceType="nat_gateway", Description=said)
    routed = ("route_table.private.routes", {"0.0.0.0/0": "nat-0123456789abcdef0"})
    packages = {"from": "server", "to": "internet", "protocol": "tcp", "ports": 443, "expect": "reachable"}
    assert judged(packages, (), routed).status is Status.UNKNOWN
    assert judged(packages, (nat,), routed).status is Status.KEPT


def test_without_the_interfaces_declared_ends_are_judged_and_strangers_are_not_known() -> None:
    refused = Cause(Reason.UNREADABLE, "DescribeNetworkInterfaces: UnauthorizedOperation: no", "UnauthorizedOperation")
    assert judged(BACK, refused).status is Status.KEPT
    found = judged(ONLY, refused)
    assert found.status is Status.UNKNOWN
    assert "ec2:DescribeNetworkInterfaces" in found.unknown[0]
    assert "UnauthorizedOperation" in found.unknown[0]
    opened = ("security_group.web.ingress", [{"protocol": "all", "source": "0.0.0.0/0"}])
    assert judged(ONLY, refused, opened).status is Status.BROKEN
