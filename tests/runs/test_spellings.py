"""One thing, however a document spells it: its address, its id, or its id with our own account in front.

Every reference of the reference network is spelled in every way that the document's format allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.load import DocumentError, load
from reconciler.model import Outcome
from tests.support.cases import ANYWHERE, Edit, both, calm, edit, ended, mended, permission, rule, said, told, writes
from tests.support.packets import violations
from tests.support.runs import REFERENCE, Network, document

API, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
GATEWAY, PUBLIC = "internet_gateway/MyInternetGateway", "route_table/PublicRouteTable"
ACCOUNT, OTHER = "123456789012", "999999999999"
THEIRS = "sg-0123456789abcdef0"
_REFERRED = ("security_group/", "subnet/", "internet_gateway/")
_PARTS = ("resources", "workloads")

Place = tuple[str | int, ...]


def _references(written: Any, at: Place = ()) -> Iterator[Place]:
    """Where a document refers to something that has an id."""
    if isinstance(written, str):
        if written.startswith(_REFERRED):
            yield at
        return
    members = written.items() if isinstance(written, dict) else enumerate(written) if isinstance(written, list) else ()
    for key, value in members:
        if at or key in _PARTS:
            yield from _references(value, (*at, key))


REFERENCES = list(_references(REFERENCE))


def _spellings(net: Network, at: Place, named: str) -> Iterator[str]:
    yield net.id(named)
    if at[-1] in {"source", "destination"}:
        yield f"{ACCOUNT}/{net.id(named)}"


def _put(written: Any, at: Place, text: str) -> None:
    for key in at[:-1]:
        written = written[key]
    written[at[-1]] = text


def _named(at: Place) -> str:
    found: Any = REFERENCE
    for key in at:
        found = found[key]
    return str(found)


def _respelled(net: Network, *, own_account: bool = False) -> Document:
    """The reference document with an id at every reference."""
    written = deepcopy(REFERENCE)
    for at in REFERENCES:
        _put(written, at, list(_spellings(net, at, _named(at)))[-1 if own_account else 0])
    return load(json.dumps(written).encode(), "ids.json")


def test_every_kind_of_reference_is_spelled() -> None:
    fields = {("resources", at[1], at[3]) if at[0] == "resources" else ("workloads", at[2]) for at in REFERENCES}
    assert fields == {
        ("resources", "route_table", "routes"),
        ("resources", "route_table", "subnets"),
        ("resources", "network_acl", "subnets"),
        ("resources", "security_group", "ingress"),
        ("resources", "db_subnet_group", "subnets"),
        ("resources", "db_instance", "vpc_security_groups"),
        ("workloads", "subnets"),
        ("workloads", "security_groups"),
    }


def test_a_network_in_sync_is_in_sync_however_a_reference_is_spelled(net: Network) -> None:
    for at in REFERENCES:
        for spelling in _spellings(net, at, _named(at)):
            written = deepcopy(REFERENCE)
            _put(written, at, spelling)
            report = net.run(load(json.dumps(written).encode(), "ids.json"))
            assert (report.in_sync, report.writes, report.drifts) == (True, 0, ()), (at, spelling, told(report))


def _everything_astray(net: Network) -> None:
    """Every reference of the network is broken, each in the way of its kind."""
    ec2 = net.outsider("ec2")
    for group, first, peer in ((SERVER, 8000, API), (DB, 5432, SERVER)):
        ec2.revoke_security_group_ingress(GroupId=net.id(group), IpPermissions=[permission(first, net.id(peer))])
    ec2.delete_route(RouteTableId=net.id(PUBLIC), DestinationCidrBlock=ANYWHERE)
    tables = ec2.describe_route_tables(RouteTableIds=[net.id("route_table/PrivateRouteTable")])["RouteTables"]
    for one in tables[0]["Associations"]:
        ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
    net.outsider("rds").modify_db_instance(
        DBInstanceIdentifier="mypostgresqldb", VpcSecurityGroupIds=[net.id(API)], ApplyImmediately=True
    )
    net.lab.settle()


@pytest.mark.parametrize("own_account", [False, True])
def test_what_is_spelled_by_its_id_is_corrected_as_by_its_address(net: Network, own_account: bool) -> None:
    mended(net, _everything_astray, _respelled(net, own_account=own_account))


def _both_in_force(net: Network) -> None:
    """The database's group lets in two declared groups on one port."""
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(API))]
    )


@pytest.mark.parametrize("form", ["{0}", f"{ACCOUNT}/{{0}}"])
@pytest.mark.parametrize("extra", [False, True])
def test_no_rule_that_both_sides_have_is_revoked(net: Network, form: str, extra: bool) -> None:
    """Two declared groups by their ids, both in force, with and without a third rule that is to go."""
    _both_in_force(net)
    if extra:
        net.outsider("ec2").authorize_security_group_ingress(
            GroupId=net.id(DB), IpPermissions=[permission(22, ANYWHERE)]
        )
    wanted = document(edit(DB, ingress=[rule(5432, form.format(net.id(SERVER))), rule(5432, form.format(net.id(API)))]))
    before = net.state()
    net.lab.calls.clear()
    with net.watched() as states:
        report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == (["RevokeSecurityGroupIngress"] if extra else [])
    assert violations(before, net.state(), states) == []
    calm(net, wanted)


@pytest.mark.parametrize("live", [False, True])
def test_two_spellings_of_one_rule_count_once(net: Network, live: bool) -> None:
    """At load nobody knows whose id it is; in a run it is one rule, and its description is the one that is written."""
    wanted = document(
        edit(DB, ingress=[rule(5432, SERVER), rule(5432, net.id(SERVER), description="PostgreSQL from the back end")])
    )
    if not live:
        net.outsider("ec2").revoke_security_group_ingress(
            GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER))]
        )
    net.lab.calls.clear()
    report = net.run(wanted)
    assert report.in_sync, told(report)
    assert writes(net) == ([] if live else ["AuthorizeSecurityGroupIngress"])
    calm(net, wanted)


EXCEPTED: list[tuple[str, str, Any, Any]] = [
    (DB, "ingress", lambda net: rule(5432, net.id(API)), _both_in_force),
    (DB, "ingress", lambda net: rule(5432, f"{ACCOUNT}/{net.id(API)}"), _both_in_force),
    (
        PUBLIC,
        "routes",
        lambda net: {"203.0.113.0/24": net.id(GATEWAY)},
        lambda net: net.outsider("ec2").create_route(
            RouteTableId=net.id(PUBLIC), DestinationCidrBlock="203.0.113.0/24", GatewayId=net.id(GATEWAY)
        ),
    ),
    (
        "db_instance/mypostgresqldb",
        "vpc_security_groups",
        lambda net: net.id(API),
        lambda net: net.outsider("rds").modify_db_instance(
            DBInstanceIdentifier="mypostgresqldb", VpcSecurityGroupIds=[net.id(DB), net.id(API)], ApplyImmediately=True
        ),
    ),
]


@pytest.mark.parametrize(("address", "field", "value", "deed"), EXCEPTED)
def test_an_exception_by_id_is_honoured(net: Network, address: str, field: str, value: Any, deed: Any) -> None:
    deed(net)
    net.lab.settle()
    one = {"address": address, "field": field, "value": value(net), "until": "2027-01-01", "reason": "a test"}
    report = net.run(document(lambda written: written.update(exceptions=[one])))
    assert report.writes == 0, told(report)
    assert len(report.excepted) == 1


def _of_another_account(net: Network, owner: str | None) -> None:
    """The database's group lets in a group of another account, and AWS shows its owner or not."""
    (live,) = net.lab._live.group(net.id(DB)).ingress_rules
    live.source_group = {"GroupId": THEIRS, "UserId": owner} if owner else {"GroupId": THEIRS}
    net.lab._live.forget_answers()


@pytest.mark.parametrize("spelling", [THEIRS, f"{OTHER}/{THEIRS}"])
@pytest.mark.parametrize("owner", [None, OTHER])
def test_a_group_of_another_account_is_one_with_and_without_its_owner(
    net: Network, spelling: str, owner: str | None
) -> None:
    _of_another_account(net, owner)
    wanted = document(edit(DB, ingress=[rule(5432, spelling)]))
    report = net.run(wanted)
    assert (report.in_sync, report.writes) == (True, 0), told(report)


@pytest.mark.parametrize("owner", [None, OTHER])
def test_a_rule_of_such_a_group_is_changed_in_place(net: Network, owner: str | None) -> None:
    """The change finds the rule's id although its peer is spelled in another way."""
    _of_another_account(net, owner)
    (live,) = net.lab._live.group(net.id(DB)).ingress_rules
    live.from_port, live.to_port = 5000, 6000
    net.lab.faults.fail("ModifySecurityGroupRules", "UnauthorizedOperation")  # moto knows no groups of other accounts
    net.lab.calls.clear()
    net.run(document(edit(DB, ingress=[rule(5432, f"{OTHER}/{THEIRS}")])))
    assert [(call.operation, call.error) for call in net.lab.calls if call.kind == "write"] == [
        ("ModifySecurityGroupRules", "UnauthorizedOperation")
    ]


def test_already_there_is_what_is_seen_and_nothing_is_revoked_for_what_is_not(net: Network) -> None:
    """AWS says that a rule exists which no look shows: what it should replace stays in force."""
    ec2 = net.outsider("ec2")
    ec2.authorize_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(5432, "10.0.0.0/8")])
    ec2.revoke_security_group_ingress(GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER))])
    net.lab.faults.fail("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", times=100)
    net.lab.calls.clear()
    report = net.run()
    assert writes(net) == []
    assert ended(report, DB, "ingress") == {Outcome.FAILED}, told(report)
    assert "no look shows it" in said(report, DB, "ingress")
    net.lab.faults.clear()
    assert net.run().in_sync


def test_what_is_seen_to_be_there_is_done(net: Network) -> None:
    """The answer to the first call was lost, and the second finds its rule."""
    net.outsider("ec2").revoke_security_group_ingress(
        GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER))]
    )
    net.lab.faults.stale("DescribeSecurityGroups", reads=1)
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id(DB), IpPermissions=[permission(5432, net.id(SERVER), Description="PostgreSQL from the back end")]
    )
    report = net.run()
    assert report.in_sync, told(report)


LOADED: list[tuple[Edit, str]] = [
    (edit(DB, ingress=[rule(1, THEIRS), rule(1, f"{ACCOUNT}/{THEIRS}")]), "a duplicate of the rule"),
    (
        both(edit(DB, ingress=[rule(1, f"{ACCOUNT}/{THEIRS}")]), lambda it: it.update(adopt={API: THEIRS})),
        f"'{THEIRS}' is '{API}'",
    ),
    (
        both(
            edit(DB, ingress=[rule(1, f"{ACCOUNT}/{THEIRS}"), rule(1, "security_group/ops")]),
            lambda it: it.update(external={"security_group/ops": {"id": THEIRS}}),
        ),
        f"'{THEIRS}' is 'security_group/ops'",
    ),
    (
        both(
            edit("db_instance/mypostgresqldb", vpc_security_groups=[DB, THEIRS]),
            lambda it: it.update(adopt={DB: THEIRS}),
        ),
        f"'{THEIRS}' is '{DB}'",
    ),
]


@pytest.mark.parametrize(("change", "problem"), LOADED)
def test_two_spellings_are_refused_where_the_document_says_that_they_are_one(change: Edit, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        document(change)
