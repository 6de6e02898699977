"""A new kind is its model, its kind file and a line in the registry: nothing else knows the kinds by name.

The ninth kind is a NAT gateway with a route through it (tests/support/nat_gateway.py), taken through every stage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from artefact.permissions import calls, read_permissions, writes
from desired_state.fields import Address
from desired_state.load import DocumentError, load
from desired_state.resource import SECTIONS
from desired_state.schema import schema
from handlers.operations import rows
from handlers.triggers import event_names
from lab import World
from lab.strict_aws import ACCOUNT, REGION, StrictAws, laboratory
from reconciler.aws.client import Aws
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.kinds import REGISTRY, live_network, ranked
from reconciler.model import Outcome, Policy, Reason
from reconciler.reach.network import USABLE
from reconciler.report.as_json import as_json
from reconciler.report.text import text
from tests.support import nat_gateway
from tests.support.worlds import MORNING

NAT, PRIVATE, SUBNET = "nat_gateway/way-out", "route_table/private", "subnet/private"


@pytest.fixture
def nine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The NAT gateway is one of the kinds within a test, and unknown again behind it."""
    monkeypatch.setitem(SECTIONS, nat_gateway.NatGateway.kind, nat_gateway.NatGateway)
    monkeypatch.setitem(REGISTRY, nat_gateway.KIND.name, nat_gateway.KIND)
    event_names.cache_clear()
    yield
    event_names.cache_clear()


@pytest.fixture(scope="module")
def _empty() -> Iterator[tuple[StrictAws, World]]:
    with laboratory() as strict:
        yield strict, strict.save()


@pytest.fixture
def lab(_empty: tuple[StrictAws, World]) -> StrictAws:
    """An account with nothing in it."""
    strict, empty = _empty
    strict.restore(empty)
    strict.faults.clear()
    return strict


@pytest.fixture
def allocation(lab: StrictAws) -> str:
    """An elastic IP that somebody has allocated."""
    return str(lab.outsider().client("ec2").allocate_address(Domain="vpc")["AllocationId"])


def written(allocation: str) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "revision": 1,
        "scope": {"account_id": ACCOUNT, "region": REGION},
        "resources": {
            "vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
            "internet_gateway": {"main": {}},
            "subnet": {
                "public": {"cidr_block": "10.0.1.0/24", "availability_zone": f"{REGION}a"},
                "private": {"cidr_block": "10.0.2.0/24", "availability_zone": f"{REGION}a"},
            },
            "nat_gateway": {
                "way-out": {"subnet": "subnet/public", "allocation_id": allocation, "tags": {"team": "shop"}}
            },
            "route_table": {
                "public": {"routes": {"0.0.0.0/0": "internet_gateway/main"}, "subnets": ["subnet/public"]},
                "private": {"routes": {"0.0.0.0/0": NAT}, "subnets": [SUBNET]},
            },
        },
    }


def ran(lab: StrictAws, allocation: str, *, write: bool = True, policy: Policy | None = None) -> Report:
    aws = Aws(lab.session(), lab.region, sleep=lambda seconds: None)
    environment = Environment(aws, lambda: MORNING, lambda seconds: None)
    document = load(json.dumps(written(allocation)).encode(), "test.json")
    return run(document, environment, policy or Policy(), write=write)


def of(report: Report, address: str) -> list[tuple[str, Outcome | None, Reason | None]]:
    found = [one for one in report.drifts if one.address == address]
    return [(one.field, one.outcome, one.cause.reason if one.cause else None) for one in found]


def gateways(lab: StrictAws) -> list[Any]:
    """The emulator's own NAT gateways, to say what AWS would say while it creates one."""
    return list(lab._live.ec2.nat_gateways.values())


def routes(lab: StrictAws, name: str) -> dict[str, str]:
    tables = lab.outsider().client("ec2").describe_route_tables()["RouteTables"]
    (table,) = [one for one in tables if {"Key": "Name", "Value": name} in one.get("Tags", [])]
    return {one["DestinationCidrBlock"]: one.get("NatGatewayId") or one["GatewayId"] for one in table["Routes"]}


def test_it_is_created_before_the_tables_that_lead_to_it(nine: None) -> None:
    order = ranked()
    assert order.index("subnet") < order.index("nat_gateway") < order.index("route_table")


def test_it_is_planned_and_what_needs_it_waits_until_it_can_be_used(
    nine: None, lab: StrictAws, allocation: str
) -> None:
    planned = ran(lab, allocation, write=False)
    (create,) = [one for one in planned.plan.actions if one.address == NAT]
    assert create.params["AllocationId"] == allocation
    assert not [one for one in planned.plan.actions if one.operation.name == "CreateRoute" and one.address == PRIVATE]
    assert of(planned, PRIVATE) == [("", None, None)]
    assert [(one.address, one.field, one.outcome, one.cause.reason) for one in planned.findings] == [
        (PRIVATE, "routes", Outcome.WAITING, Reason.NOT_READY)
    ]


def test_it_is_created_watched_and_corrected(nine: None, lab: StrictAws, allocation: str) -> None:
    built = ran(lab, allocation)
    assert of(built, NAT) == [("", Outcome.CORRECTED, None)]
    if not built.in_sync:
        built = ran(lab, allocation)
    assert built.in_sync, text(built)
    (gateway,) = gateways(lab)
    assert routes(lab, "private")["0.0.0.0/0"] == gateway.id
    calm = ran(lab, allocation)
    assert (calm.in_sync, calm.writes, calm.drifts) == (True, 0, ())
    assert calm.ids[Address(NAT)] == gateway.id
    ec2 = lab.outsider().client("ec2")
    ec2.create_tags(Resources=[gateway.id], Tags=[{"Key": "team", "Value": "ops"}])
    (table,) = [
        one
        for one in ec2.describe_route_tables()["RouteTables"]
        if any(route.get("NatGatewayId") for route in one["Routes"])
    ]
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    corrected = ran(lab, allocation)
    assert corrected.in_sync
    assert of(corrected, NAT) == [("tags", Outcome.CORRECTED, None)]
    assert of(corrected, PRIVATE) == [("routes", Outcome.CORRECTED, None)]
    assert [one.id for one in gateways(lab)] == [gateway.id]
    assert routes(lab, "private")["0.0.0.0/0"] == gateway.id


def test_while_aws_creates_it_it_is_waiting_and_no_route_leads_to_it(
    nine: None, lab: StrictAws, allocation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly = lambda live, thing, passing, final: setattr(thing, "state", passing)  # noqa: E731 (in one place)
    monkeypatch.setattr("lab.arrivals.begin", slowly)
    built = ran(lab, allocation)
    assert of(built, NAT) == [("", Outcome.WAITING, Reason.NOT_READY)]
    assert "it is pending" in text(built)
    assert "0.0.0.0/0" not in routes(lab, "private")
    again = ran(lab, allocation)
    assert not again.in_sync
    assert [(one.address, one.outcome, one.cause.reason) for one in again.findings] == [
        (NAT, Outcome.WAITING, Reason.NOT_READY)
    ]
    assert of(again, PRIVATE) == [("routes", Outcome.WAITING, Reason.NOT_READY)]
    assert again.writes == 0
    gateways(lab)[0].state = "available"
    done = ran(lab, allocation)
    assert done.in_sync
    assert routes(lab, "private")["0.0.0.0/0"] == gateways(lab)[0].id


def test_what_is_fixed_about_it_is_blocked_and_its_deletion_out_of_band_is_a_drift(
    nine: None, lab: StrictAws, allocation: str
) -> None:
    ran(lab, allocation)
    ran(lab, allocation)
    ec2 = lab.outsider().client("ec2")
    other = ec2.allocate_address(Domain="vpc")["AllocationId"]
    blocked = ran(lab, other)
    assert of(blocked, NAT) == [("allocation_id", Outcome.BLOCKED, Reason.IMMUTABLE)]
    gateways(lab)[0].state = "deleted"
    replaced = ran(lab, allocation, write=False)
    assert ("", None, None) in of(replaced, NAT)


def test_packets_pass_through_it_only_while_it_is_available(nine: None, lab: StrictAws, allocation: str) -> None:
    ran(lab, allocation)
    ran(lab, allocation)

    def usable() -> set[str]:
        from reconciler.engine.observe import ObserveOptions, observe

        document = load(json.dumps(written(allocation)).encode(), "test.json")
        aws = Aws(lab.session(), lab.region, sleep=lambda seconds: None)
        snapshot = observe(document, aws, ObserveOptions(lambda: MORNING, lambda: None))
        return set(live_network(snapshot)[USABLE])

    assert usable() == {NAT, "internet_gateway/main"}
    gateways(lab)[0].state = "pending"
    assert usable() == {"internet_gateway/main"}


def test_its_read_that_fails_costs_what_rests_on_it_and_no_more(nine: None, lab: StrictAws, allocation: str) -> None:
    ran(lab, allocation)
    ran(lab, allocation)
    ec2 = lab.outsider().client("ec2")
    (subnet,) = [one for one in ec2.describe_subnets()["Subnets"] if one["CidrBlock"] == "10.0.2.0/24"]
    ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
    lab.faults.refuse("DescribeNatGateways")
    report = ran(lab, allocation)
    unreadable = {one.address for one in report.findings if one.cause.reason is Reason.UNREADABLE}
    assert {NAT, PRIVATE} <= unreadable
    assert len(gateways(lab)) == 1


def test_its_call_that_is_refused_is_told_by_its_name(nine: None, lab: StrictAws, allocation: str) -> None:
    lab.faults.refuse("CreateNatGateway", code="NatGatewayLimitExceeded")
    report = ran(lab, allocation)
    assert [(one.outcome, one.cause and one.cause.code) for one in report.drifts if one.address == NAT] == [
        (Outcome.FAILED, "NatGatewayLimitExceeded")
    ]
    assert "0.0.0.0/0" not in routes(lab, "private")
    assert routes(lab, "public")["0.0.0.0/0"].startswith("igw-")


def test_reports_have_it(nine: None, lab: StrictAws, allocation: str) -> None:
    report = ran(lab, allocation, write=False)
    told = as_json(report)
    assert NAT in {one["address"] for one in told["drifted"]}
    assert f"+ {NAT}" in text(report)
    assert "subnet: subnet/public" in text(report)


def test_its_permissions_and_the_calls_that_wake_us_follow_from_its_table(nine: None) -> None:
    assert "ec2:DescribeNatGateways" in read_permissions(REGISTRY).actions
    made = {
        action: on for one in writes("ec2", REGISTRY) for action, on in one.checks.items() if "NatGateway" in action
    }
    assert {on.rpartition(":")[2] for on in made["ec2:CreateNatGateway"]} >= {"natgateway/*"}
    assert {"CreateNatGateway", "DescribeNatGateways"} <= calls()["ec2"]
    assert {"CreateNatGateway", "DeleteNatGateway"} <= event_names()["ec2"]
    assert ["nat_gateway"] in [one["kinds"] for one in rows() if one["operation"] == "CreateNatGateway"]


def test_the_schema_has_a_section_for_it_and_the_document_takes_routes_to_it(nine: None) -> None:
    assert schema()["$defs"]["NatGateway"]["required"] == ["allocation_id", "subnet"]
    assert "nat_gateway" in schema()["properties"]["resources"]["properties"]
    bad = written("eipalloc-0123456789abcdef0")
    bad["resources"]["route_table"]["private"]["routes"]["0.0.0.0/0"] = "subnet/public"
    with pytest.raises(DocumentError, match="internet_gateway/<name> or nat_gateway/<name>"):
        load(json.dumps(bad).encode(), "test.json")


def test_without_its_line_the_kind_is_unknown() -> None:
    with pytest.raises(DocumentError, match="unknown kind of resource 'nat_gateway'"):
        load(json.dumps(written("eipalloc-0123456789abcdef0") | {"revision": 2}).encode(), "test.json")
