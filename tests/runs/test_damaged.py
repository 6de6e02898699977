"""One odd value, or one error of our own, costs one resource: the others are corrected, and people are told which.

The answers of a whole network are recorded once; then every value of them is replaced by what nobody foresaw, one at a
time. A kind's functions raise for one resource, one at a time. Both go through a whole run that only plans, without the
emulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.fields import Address
from lab.drifts import DRIFTS
from reconciler.aws.ec2 import PREFIX_LISTS
from reconciler.engine import consequences, diff, gate, intents, plan, suppression, understood
from reconciler.engine.observe import ObserveError
from reconciler.engine.plan import signature
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, Memory, run
from reconciler.engine.seen import Seen
from reconciler.kinds import REGISTRY, declared_effects
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Action, Cause, Difference, Outcome, Policy, Reason, Ref
from reconciler.model.guard import ResourceFaultError, Stage, about, fault
from reconciler.model.read import Read, id_in, read
from reconciler.reach.steps import Steps
from reconciler.report.receipt import receipt
from reconciler.report.text import text
from tests.support.damage import GONE, Damage, Recorded, Recorder, damaged, damages
from tests.support.published import IS_RECEIPT
from tests.support.runs import Clock, Network, document
from tests.support.sampling import sampled

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

CLOSING = {
    "ssh-opened-to-the-world": "security_group/APIGatewaySG",
    "intruder-acl-allow": "network_acl/PrivateSubnetACL",
    "public-ip-on-launch": "subnet/PrivateSubnet2",
    "deletion-protection-off": "db_instance/mypostgresqldb",
}
"""Drifts whose correction opens nothing, so that it needs no knowledge of anything else, with what drifts."""
IDS = ("SubnetId", "RouteTableId", "NetworkAclId", "InternetGatewayId", "DBInstanceIdentifier", "GroupId", "VpcId")
SHARDS = 360


@dataclass(frozen=True)
class World:
    """What AWS answered about a drifted network, and the plan that follows."""

    answers: dict[Read, list[Any]]
    ids: dict[str, Address]
    plan: dict[str, Action]

    def damages(self) -> list[Damage]:
        return [
            one for one in damages(self.answers) if not _means_something(one, self.answers[one.read][int(one.path[0])])
        ]

    def at(self, damage: Damage) -> Address | None:
        """The declared resource whose answer is damaged."""
        item = self.answers[damage.read][int(damage.path[0])]
        found = (item.get(name) for name in IDS) if isinstance(item, dict) else ()
        aws_id = next((one for one in found if one), None)
        return self.ids.get(aws_id) if aws_id else None


def _means_something(one: Damage, item: Any) -> bool:
    """Whether it is a value that AWS might as well show: another text in a tag or a description, or another id, which
    is another resource. Without its id, a whole kind is not known, which is the last resort. A subnet may have IPv6
    only; then it is none that can be declared.
    """
    keys = [key for key in one.path if isinstance(key, str)]
    if keys == ["CidrBlock"] and item.get("Ipv6CidrBlockAssociationSet") and one.value in (GONE, "", None):
        return True
    if not keys or (keys == [keys[-1]] and keys[-1] in IDS):
        return True
    if "Routes" in keys and keys[-1] == "GatewayId":
        return True  # a route to something else
    return "Description" in keys[-1] or (keys[-1] == "Value" and isinstance(one.value, str))


@pytest.fixture(scope="session")
def _kept() -> list[World]:
    return []


@pytest.fixture
def world(net: Network, _kept: list[World]) -> World:
    if not _kept:
        for drift in DRIFTS:
            if drift.name in CLOSING:
                drift.apply(net.hands, net.live)
        net.lab.settle()
        aws = Recorder(net.aws)
        report = run(document(), Environment(aws, net.clock.now, net.clock.sleep), Policy(), write=False)  # type: ignore[arg-type]
        aws.read(read("rds", "DescribeDBSubnetGroups", "DBSubnetGroups", {}, page=100))
        ids = {aws_id: at for at, aws_id in report.ids.items() if at.kind != "db_subnet_group"}
        _kept.append(World(_with_rarities(aws.answers), ids, _calls(report)))
    return _kept[0]


PEERS = {
    "IpProtocol": "58",
    "FromPort": 128,
    "ToPort": -1,
    "IpRanges": [],
    "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "ping"}],
    "PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0", "Description": "offices"}],
    "UserIdGroupPairs": [
        {
            "GroupId": "sg-0123456789abcdef0",
            "UserId": "111122223333",
            "VpcPeeringConnectionId": "pcx-0123456789abcdef0",
            "PeeringStatus": "deleted",
        }
    ],
}
ROUTES = [
    {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-0123456789abcdef0", "State": "active"},
    {"DestinationPrefixListId": "pl-0123456789abcdef1", "GatewayId": "vpce-0123456789abcdef0", "State": "active"},
    {"DestinationCidrBlock": "172.16.0.0/16", "GatewayId": "vgw-0123456789abcdef0", "State": "active"}
    | {"Origin": "EnableVgwRoutePropagation"},
    {"DestinationCidrBlock": "172.17.0.0/16", "IpAddress": "10.0.1.9", "State": "filtered", "Origin": "Advertisement"},
    {"DestinationCidrBlock": "172.18.0.0/16", "VpcPeeringConnectionId": "pcx-0123456789abcdef0", "State": "blackhole"},
]
EDGES = [{"GatewayId": "igw-0123456789abcdef0"}, {"PublicIpv4Pool": "ipv4pool-ec2-0123456789abcdef0"}]
BLOCK6 = {"Ipv6CidrBlock": "2001:db8:0:1::/64", "Ipv6CidrBlockState": {"State": "associated"}}
STAR6 = {"RuleNumber": 32768, "RuleAction": "deny", "Protocol": "-1", "Ipv6CidrBlock": "::/0"}
PING6 = {"RuleNumber": 101, "RuleAction": "allow", "Protocol": "58", "Ipv6CidrBlock": "::/0"} | {
    "IcmpTypeCode": {"Type": 128, "Code": -1}
}
LISTS = [
    {"PrefixListId": "pl-0123456789abcdef0", "PrefixListName": "offices", "MaxEntries": 20, "OwnerId": "123456789012"},
    {"PrefixListId": "pl-0123456789abcdef1", "PrefixListName": "com.amazonaws.eu-west-1.s3", "OwnerId": "AWS"},
]


def _with_rarities(answers: dict[Read, list[Any]]) -> dict[Read, list[Any]]:
    """The answers with what few networks have, at what AWS made and nobody declared."""
    rare = {one: list(items) for one, items in answers.items()}
    rare[PREFIX_LISTS] = LISTS

    def put(operation: str, is_it: Callable[[Any], bool], more: Callable[[Any], dict[str, Any]]) -> None:
        items = rare[next(one for one in rare if one.operation == operation)]
        (index,) = (at for at, one in enumerate(items) if is_it(one))
        items[index] = items[index] | more(items[index])

    put(
        "DescribeSubnets",
        lambda one: {"Key": NAME_TAG, "Value": "PrivateSubnet1"} in one["Tags"],
        lambda one: {"Ipv6CidrBlockAssociationSet": [BLOCK6]},
    )
    put(
        "DescribeSecurityGroups",
        lambda one: one["GroupName"] == "default",
        lambda one: {name: [*one[name], PEERS] for name in ("IpPermissions", "IpPermissionsEgress")},
    )
    put(
        "DescribeRouteTables",
        lambda one: any(seat["Main"] for seat in one["Associations"]),
        lambda one: {
            "Routes": [*one["Routes"], *({"Origin": "CreateRoute"} | route for route in ROUTES)],
            "Associations": [
                *one["Associations"],
                *({"Main": False, "RouteTableAssociationId": "rtbassoc-0123456789abcdef0"} | edge for edge in EDGES),
            ],
        },
    )
    put(
        "DescribeNetworkAcls",
        lambda one: one["IsDefault"],
        lambda one: {
            "Entries": [*one["Entries"], *(it | {"Egress": way} for way in (True, False) for it in (PING6, STAR6))]
        },
    )
    return rare


def _calls(report: Report) -> dict[str, Action]:
    held = report.gate.held
    return {signature(one): one for index, one in enumerate(report.plan.actions) if index not in held}


def _own(at: Address | None) -> set[Address | None]:
    """What a damaged answer is about: that of an instance shows its subnet group too."""
    return {at, Address("db_subnet_group/mydbsubnetgroup")} if at and at.kind == "db_instance" else {at}


def test_the_drifts_of_the_recorded_network_are_all_planned(world: World) -> None:
    assert {one.address for one in world.plan.values()} == set(map(Address, CLOSING.values()))
    assert len(world.damages()) > 3_000


def test_what_few_networks_have_is_understood(world: World) -> None:
    report = Recorded(world.answers).plan(document(), Policy())
    assert [one.remark for one in report.unmanaged if one.remark] == []
    assert report.first
    assert None not in report.first.neighbours.values()


@pytest.mark.parametrize("shard", sampled(range(SHARDS), SHARDS, seed="damaged"))
def test_one_odd_value_costs_at_most_its_resource(world: World, shard: int) -> None:
    for damage in world.damages()[shard::SHARDS]:
        try:
            report = damaged(world.answers, damage).plan(document(), Policy())
        except ObserveError:
            assert damage.read.operation.startswith("DescribeVpc"), damage  # which VPC it is decides about everything
            continue
        at, calls = world.at(damage), _calls(report)
        new = [one for name, one in calls.items() if name not in world.plan]
        assert [(one.address, one.why) for one in new if one.operation.affects_traffic] == [], damage
        lost = {one.address for name, one in world.plan.items() if name not in calls}
        assert lost <= _own(at) | ({"*"} if at and at.kind == "vpc" else set()) or at == document().vpc, damage
        if lost:
            told = {one.address for one in report.findings if one.outcome in NOT_WELL}
            assert (told | {one.address for one in report.drifts}) & _own(at), damage
        assert text(report)
        assert unsaid(report) <= _own(at), damage


def unsaid(report: Report) -> set[Address | None]:
    """The resources whose values the receipt of a run cannot tell; all else is there, and as published."""
    told = receipt(report)
    IS_RECEIPT.validate(told)
    assert told["network"]
    assert told["lanes"] or told["lanes_unknown"]
    assert report.first
    seen = told["network"]["first"]["resources"]
    assert seen.keys() >= report.first.resources.keys()
    return {Address(at) for at, one in seen.items() if "spec" in one}


NOT_WELL = {Outcome.FAILED, Outcome.BLOCKED, Outcome.WAITING, Outcome.HELD}


@dataclass(frozen=True)
class Stub:
    """A function of a kind: in which part of it, and its name."""

    part: str
    name: str

    def __str__(self) -> str:
        return f"{self.part}.{self.name}"


def _functions() -> Iterator[Stub]:
    """What a kind says of one resource or one live item: every function of its parts that is asked about one."""
    for part in ("observe", "identify", "create", "correct", "traffic"):
        one = getattr(REGISTRY["subnet"], part)
        names = [one.name for one in fields(one) if callable(getattr(REGISTRY["subnet"], part).__dict__.get(one.name))]
        yield from (Stub(part, name) for name in names if (part, name) not in _OF_ALL)


_OF_ALL = {("observe", name) for name in ("reads", "more", "again", "lazy_read", "lazy_handles", "id", "live")} | {
    ("identify", "order")
}
"""What a kind says of no resource in particular; and without an id, or an order, nobody can tell which one it is."""
TARGETS = {
    "internet_gateway": "MyInternetGateway",
    "subnet": "PrivateSubnet2",
    "route_table": "PublicRouteTable",
    "security_group": "APIGatewaySG",
    "network_acl": "PrivateSubnetACL",
    "db_subnet_group": "mydbsubnetgroup",
    "db_instance": "mypostgresqldb",
}


class Broken(Exception):
    """An error that nobody foresaw."""


def _broken(stub: Stub, kind: Any, target: Address, ids: Iterable[str]) -> Any:
    """The kind, with a function that raises for one resource."""
    want, known = document().resources[target], set(ids)
    original = getattr(getattr(kind, stub.part), stub.name)

    def about_it(one: Any) -> bool:
        if isinstance(one, dict):
            return bool(known & {value for value in one.values() if isinstance(value, str)})
        if isinstance(one, (list, tuple)):
            return any(map(about_it, one))
        return one in (target, want) or getattr(one, "address", None) == target

    def raising(*args: Any) -> Any:
        if any(about_it(one) for one in args if not isinstance(one, Ref)):
            raise Broken(f"{stub} of {target}")
        return original(*args)

    return replace(kind, **{stub.part: replace(getattr(kind, stub.part), **{stub.name: raising})})


STAGES = [(kind, stub) for stub in _functions() for kind in TARGETS]
"""In the gate each function of one kind."""


@pytest.mark.parametrize(
    ("kind", "stub"), sampled(STAGES, len(TARGETS), seed="stages", ids=[f"{kind} {stub}" for kind, stub in STAGES])
)
def test_what_raises_for_one_resource_at_any_stage_costs_that_resource(
    world: World, kind: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Address.of(kind, TARGETS[kind])
    ids = [aws_id for aws_id, at in world.ids.items() if at == target] or [target.name]
    monkeypatch.setitem(REGISTRY, kind, _broken(stub, REGISTRY[kind], target, ids))
    report = Recorded(world.answers).plan(document(), Policy())
    calls = _calls(report)
    waits = {at for at in CLOSING.values() if stub.part == "identify" and refers(Address(at), target)}
    assert {at for at in CLOSING.values() if at != target} - waits <= {one.address for one in calls.values()}
    assert [one.why for name, one in calls.items() if name not in world.plan and one.operation.affects_traffic] == []
    failed = {one.address: one.cause.message for one in report.findings if one.outcome is Outcome.FAILED}
    assert failed.keys() <= {target}, failed
    if target in failed:
        assert "Broken" in failed[target]
    else:
        assert calls.keys() >= {name for name, one in world.plan.items() if one.address not in waits}
    assert text(report)
    assert unsaid(report) <= {target}


class Flaps:
    """Whether a difference is suppressed, which somebody asks the ledger."""

    @staticmethod
    def asked(one: Difference) -> Cause | None:
        return None


ENGINE: list[tuple[Any, str]] = [
    (diff, "wanted"),
    (diff, "_of_field"),
    (suppression, "_suppressed"),
    (Flaps, "asked"),
    (plan, "_correct"),
    (plan, "_beyond"),
    (plan, "_signature"),
    (Steps, "breach"),
    (Steps, "advance"),
    (gate, "_barrier"),
    (gate, "_hold"),
]
"""What the engine does with one resource at a time, in the order of a run."""


@pytest.mark.parametrize(("where", "name"), ENGINE, ids=[name for _, name in ENGINE])
def test_what_the_engine_itself_fails_at_costs_that_resource(
    world: World, where: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's hold is on it too, and everything is asked about flapping. The document is a copy that nobody has
    compared yet, so that what is wanted is asked.
    """
    target, original = Address("security_group/APIGatewaySG"), getattr(where, name)

    def raising(*args: Any, **options: Any) -> Any:
        if name == "_hold" or any(target in (one, getattr(one, "address", None)) for one in args):
            raise Broken(f"{name} of {target}")
        return original(*args, **options)

    monkeypatch.setattr(where, name, raising)
    clock = Clock()
    environment = Environment(cast("Aws", Recorded(_with_hold(world, target))), clock.now, clock.sleep)
    memory = Memory(flapping=Flaps.asked)
    report = run(replace(document()), environment, Policy(), write=False, memory=memory)
    (failed,) = (one for one in report.findings if one.outcome is Outcome.FAILED)
    # Once the steps cannot be followed, nobody knows the network's state: that is told at the document's VPC.
    assert failed.address == (report.document.vpc if name == "advance" else target)
    assert f"Broken: {name} of {target}" in failed.cause.message
    if name not in {"breach", "advance"}:  # they judge calls, and not what was seen of the resource
        assert next(aws_id for aws_id, at in world.ids.items() if at == target) in failed.cause.message
    assert (", at " in failed.cause.message) == (name in {"_of_field", "asked", "_hold"})
    assert set(map(Address, CLOSING.values())) - {target} == {one.address for one in _calls(report).values()}


UNDECLARED = {
    "DescribeSecurityGroups": ("GroupId", "IpPermissions"),
    "DescribeNetworkAcls": ("NetworkAclId", "Entries"),
    "DescribeRouteTables": ("RouteTableId", "Routes"),
}


@pytest.mark.parametrize("operation", UNDECLARED)
def test_what_is_undeclared_and_not_understood_costs_no_declared_resource(world: World, operation: str) -> None:
    name, field = UNDECLARED[operation]
    asked = next(one for one in world.answers if one.operation == operation)
    (index,) = [index for index, one in enumerate(world.answers[asked]) if one[name] not in world.ids]
    report = damaged(world.answers, Damage(asked, (index, field), [{"alien": 7}])).plan(document(), Policy())
    remarks = {one.id: one.remark for one in report.unmanaged}
    odd = remarks[world.answers[asked][index][name]]
    assert ("has a value that Setpoint does not support" in odd) == (operation == "DescribeRouteTables")  # it asks all
    assert [one for one in report.findings if one.outcome is Outcome.FAILED] == []
    assert {one.address for one in _calls(report).values()} == set(map(Address, CLOSING.values()))


def test_of_a_table_that_is_not_understood_no_subnet_is_said_to_use_the_main_one(world: World) -> None:
    """What other tables show of their subnets is as certain as ever."""
    asked = next(one for one in world.answers if one.operation == "DescribeRouteTables")
    tables = world.answers[asked]
    used = next(index for index, one in enumerate(tables) if any(map(_by_hand, one["Associations"])))
    seen = damaged(world.answers, Damage(asked, (used, "Routes"), "alien")).plan(document(), Policy()).first
    calm = Recorded(world.answers).plan(document(), Policy()).first
    assert seen
    assert calm
    here = {at: one for at, one in calm.subnet_routes.items() if one.table != tables[used]["RouteTableId"]}
    assert (0 < len(here) < len(calm.subnet_routes), seen.subnet_routes) == (True, here)


def test_a_network_of_a_subnet_in_a_state_that_nobody_knows_is_not_taken_for_none(world: World) -> None:
    """Packets of machines with such addresses would not be judged."""
    states = (one for one in world.damages() if one.path[-2:] == ("Ipv6CidrBlockState", "State"))
    (odd,) = (one for one in states if one.value == "alien")
    report = damaged(world.answers, odd).plan(document(), Policy())
    assert _failed(report) == {Address("subnet/PrivateSubnet1")}
    assert report.first
    assert report.first.unreadable[Address("subnet/PrivateSubnet1")].message.endswith(
        "State is 'alien', which is none of associated, associating, disassociated, disassociating, failed, failing"
    )


@pytest.mark.parametrize("odd", [(), ("Routes",), ("Associations",)], ids=str)
def test_a_move_that_loses_routes_of_aws_is_held_whatever_else_is_not_understood(
    world: World, odd: tuple[str, ...]
) -> None:
    asked = next(one for one in world.answers if one.operation == "DescribeRouteTables")
    tables = [dict(one) for one in world.answers[asked]]
    private = next(one for one in tables if world.ids.get(one["RouteTableId"]) == "route_table/PrivateRouteTable")
    main = next(one for one in tables if not any(map(_by_hand, one["Associations"])) and one["Associations"])
    unused = "rtb-00000000000000666"
    tags = [{"Key": DOCUMENT_TAG, "Value": document().name}, {"Key": NAME_TAG, "Value": "Spare"}]
    tables.append(private | {"RouteTableId": unused, "Associations": [], "Tags": tags})
    endpoint = {"DestinationPrefixListId": "pl-0123456789abcdef0", "GatewayId": "vpce-0123456789abcdef0"}
    private["Routes"] = [*private["Routes"], endpoint | {"Origin": "CreateRoute", "State": "active"}]
    main |= dict.fromkeys(odd, "alien")

    def moved(written: dict[str, Any]) -> None:
        declared = written["resources"]["route_table"]
        declared["PrivateRouteTable"]["subnets"].remove("subnet/PrivateSubnet1")
        declared["Spare"] = {"routes": {}, "subnets": ["subnet/PrivateSubnet1"]}

    report = Recorded({**world.answers, asked: tables}).plan(document(moved), Policy())
    held = {one.difference.address for one in report.drifts if one.cause and one.cause.reason is Reason.LOSES_ROUTES}
    assert held == {"route_table/PrivateRouteTable", "route_table/Spare"}
    assert {one.address.kind for one in _calls(report).values()}.isdisjoint({"route_table"})


def _by_hand(association: dict[str, Any]) -> bool:
    return "SubnetId" in association


def test_an_inner_resource_is_to_blame_and_not_the_one_around_it() -> None:
    outer, inner = Address("subnet/a"), Address("subnet/b")
    with pytest.raises(ResourceFaultError) as caught, about(outer, Stage.PLANNING), about(inner, Stage.JUDGING):
        raise Broken
    assert (caught.value.address, caught.value.stage) == (inner, Stage.JUDGING)


def _planned(report: Report) -> set[Address]:
    return {one.address for one in _calls(report).values()}


def _failed(report: Report) -> set[Address]:
    return {one.address for one in report.findings if one.outcome is Outcome.FAILED}


@pytest.mark.parametrize(("module", "name"), [(consequences, "consequences"), (intents, "judge_run")])
def test_what_only_tells_costs_no_call(world: World, module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise Broken(name)

    monkeypatch.setattr(module, name, fails)
    report = Recorded(world.answers).plan(document(), Policy())
    assert _planned(report) == set(map(Address, CLOSING.values()))
    assert _failed(report) == ({Address("intent/*")} if name == "judge_run" else set())


def test_an_instance_of_others_with_odd_tags_costs_nothing(world: World) -> None:
    asked = next(one for one in world.answers if one.operation == "DescribeDBInstances")
    theirs = {
        "DBInstanceIdentifier": "theirs",
        "TagList": [7],
        "DBSubnetGroup": {"DBSubnetGroupName": "theirs", "VpcId": "vpc-theirs"},
    }
    report = Recorded({**world.answers, asked: [*world.answers[asked], theirs]}).plan(document(), Policy())
    assert (_planned(report), _failed(report)) == (set(map(Address, CLOSING.values())), set())


def test_interfaces_that_nobody_understands_leave_the_intents_unknown(world: World) -> None:
    asked = next(one for one in world.answers if one.operation == "DescribeNetworkInterfaces")
    report = Recorded({**world.answers, asked: [7]}).plan(document(), Policy())
    assert _planned(report) == set(map(Address, CLOSING.values()))
    assert report.first
    assert isinstance(report.first.interfaces, Cause)


def test_a_kind_of_which_nothing_can_be_made_costs_what_needs_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Seen.add

    def fails(seen: Seen, kind: Any, *more: Any) -> None:
        if kind.name == "network_acl":
            raise Broken(kind.name)
        original(seen, kind, *more)

    monkeypatch.setattr(Seen, "add", fails)
    anew = document(lambda written: None)  # of which nothing is kept from an earlier look
    report = Recorded(world.answers).plan(anew, Policy())
    assert {at.kind for at in _failed(report)} == {"network_acl"}
    assert _planned(report) == {Address(at) for at in CLOSING.values() if not at.startswith("network_acl/")}


def test_what_fails_for_a_resource_that_was_set_aside_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is not about that resource, and to set it aside again would go on for ever."""

    def fails(*_: Any, **__: Any) -> Any:
        raise ResourceFaultError(Address("subnet/PrivateSubnet2"), Stage.PLANNING, Cause(Reason.FAULT, "odd"))

    monkeypatch.setattr(understood, "diff", fails)
    with pytest.raises(ResourceFaultError, match="odd"):
        Recorded(world.answers).plan(document(), Policy())


def test_a_fault_says_what_was_raised_where_and_of_what() -> None:
    told = fault(ValueError("\x1b[2J" + "x" * 5_000), Stage.COMPARING, aws_id="sg-1", field="ingress").message
    at = "Setpoint failed while comparing it with the document, at ingress of sg-1: ValueError: "
    assert told.startswith(f"{at}\\x1b[2Jxxx")
    assert told.endswith("xxx...")
    assert len(told) < 400


def test_what_a_declaration_makes_of_traffic_is_about_that_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    target, stub = Address("subnet/PrivateSubnet2"), Stub("traffic", "effects")
    monkeypatch.setitem(REGISTRY, "subnet", _broken(stub, REGISTRY["subnet"], target, ()))
    with pytest.raises(ResourceFaultError) as caught:
        declared_effects(target, document().resources[target])
    assert (caught.value.address, caught.value.stage) == (target, Stage.JUDGING)


def _with_hold(world: World, target: Address) -> dict[Read, list[Any]]:
    groups = next(one for one in world.answers if one.operation == "DescribeSecurityGroups")
    hold = {"Key": "setpoint:hold", "Value": "2026-11-22T10:00:00Z"}
    return {
        **world.answers,
        groups: [
            one | {"Tags": [*one["Tags"], hold]} if world.ids.get(one["GroupId"]) == target else one
            for one in world.answers[groups]
        ],
    }


def refers(at: Address, target: Address) -> bool:
    """Whether a resource names another: where it is not known which one that is, a reference to it waits."""
    return target in repr(document().resources[at])


def test_an_undeclared_subnet_with_ipv6_only_is_no_fault_at_all(world: World) -> None:
    """A normal thing: it has no IPv4 network, and beside it a declared subnet has no tags of ours."""
    subnets = next(one for one in world.answers if one.operation == "DescribeSubnets")
    first, *others = world.answers[subnets]
    block = {"Ipv6CidrBlock": "2001:db8:0:9::/64", "Ipv6CidrBlockState": {"State": "associated"}}
    alone = {name: value for name, value in first.items() if name != "CidrBlock"} | {
        "SubnetId": "subnet-00000000000000666",
        "Ipv6Native": True,
        "Ipv6CidrBlockAssociationSet": [block],
        "Tags": [],
    }
    answers = {**world.answers, subnets: [first | {"Tags": []}, *others, alone]}
    report = Recorded(answers).plan(document(), Policy())
    assert [one for one in report.findings if one.outcome is Outcome.FAILED] == []
    assert {one.id for one in report.unmanaged} >= {"subnet-00000000000000666"}
    assert set(map(Address, CLOSING.values())) <= {one.address for one in _calls(report).values()}


def test_what_cannot_be_understood_may_be_what_is_not_found_and_nothing_is_made_for_it(world: World) -> None:
    """A group without a name that anybody can read, and a declared group that is not there: perhaps it is that."""
    groups = next(one for one in world.answers if one.operation == "DescribeSecurityGroups")
    kept = [one for one in world.answers[groups] if one["GroupName"] != "TestServerSG"]
    odd = kept[0] | {"GroupId": "sg-00000000000000666", "GroupName": None, "Tags": []}
    report = Recorded({**world.answers, groups: [*kept, odd]}).plan(document(), Policy())
    failed = {one.address: one.cause.message for one in report.findings if one.outcome is Outcome.FAILED}
    assert failed.keys() == {Address("security_group/TestServerSG")}
    assert "sg-00000000000000666" in failed[Address("security_group/TestServerSG")]
    assert "it may be this one" in failed[Address("security_group/TestServerSG")]
    assert not any(one.operation.name.startswith("Create") for one in report.plan.actions)


def test_an_item_without_an_id_costs_its_kind_and_what_shows_its_ids(world: World) -> None:
    acls = next(one for one in world.answers if one.operation == "DescribeNetworkAcls")
    report = damaged(world.answers, Damage(acls, (0, "NetworkAclId"), GONE)).plan(document(), Policy())
    failed = {one.address.kind for one in report.findings if one.outcome is Outcome.FAILED}
    assert failed == {"network_acl"}
    assert Address("security_group/APIGatewaySG") in {one.address for one in _calls(report).values()}
    with pytest.raises(ValueError, match="GroupId is '', which is no id"):
        id_in("GroupId")({"GroupId": ""})
