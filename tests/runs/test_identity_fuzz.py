"""Existing networks, taken over by a truthful document and then attacked: nothing is made twice, lost or left unsaid.

A case is a number. It decides the world (ten cases in a row share one), the attacks, and how far the deployment goes;
`python -m pytest tests/runs/test_identity_fuzz.py -k <number>` repeats a case of the gate, `Fuzz.case(number)` any.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from desired_state.load import load
from lab.strict_aws import StrictAws, laboratory
from lab.world import World as Saved
from reconciler.aws.client import Aws
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.model import Outcome, Policy
from tests.support.attacks import ATTACKS, BEFORE_TAGS, Attack
from tests.support.auditor import (
    EVERYTHING,
    Fault,
    Look,
    Told,
    by_aws,
    differences,
    faults,
    look,
    not_only_tags,
    table_of,
)
from tests.support.existing import Existing, Worlds
from tests.support.moves import use_table
from tests.support.runs import Clock
from tests.support.sampling import sampled

A_WORLD = 10
"""Cases in a row that share a world: the first takes it over, the last two attack it before that, the others after."""
_UNTOUCHED = (8, 9)
KEPT = 8
"""Worlds that are kept as they were after they were taken over."""
SEED = 37
"""A world with a spare table, a database, and endpoint routes on one of its tables and not on another."""
_FINE = {Outcome.IN_SYNC, Outcome.CORRECTED}


class Adopted(NamedTuple):
    """A world after the run that took it over; `found` is what was wrong with that run."""

    world: Existing
    saved: Saved
    look: Look
    found: list[Fault]


class Fuzz:
    """The cases in one laboratory."""

    def __init__(self, lab: StrictAws) -> None:
        self.lab = lab
        self.worlds = Worlds(lab)
        self._clock = Clock()
        self._aws = Aws(lab.session(), lab.region, sleep=self._clock.sleep)
        self._adopted: OrderedDict[int, Adopted] = OrderedDict()

    def adopted(self, seed: int) -> Adopted:
        """The world of that seed, taken over by its truthful document."""
        if seed not in self._adopted:
            world = self.worlds.world(seed)
            before = look(world)
            told = self.told(world, Policy())
            after, calls = look(world), list(self.lab.calls)
            found = [*faults(world, before, before, after, calls, told), *not_only_tags(calls)]
            if not found and not self._comes_to_rest(world):
                found.append(Fault("restless", "the third run still wrote"))
            self._adopted[seed] = Adopted(world, self.lab.save(), after, found)
            if len(self._adopted) > KEPT:
                self._adopted.popitem(last=False)
        return self._adopted[seed]

    def _comes_to_rest(self, world: Existing) -> bool:
        """Whether a run or two later nothing is written: with its tags on one table, another may be told from it."""
        for _ in range(2):
            self.lab.calls.clear()
            self.told(world, Policy())
            if not any(call.kind == "write" for call in self.lab.calls):
                return True
        return False

    def case(self, number: int, without: frozenset[int] = frozenset()) -> tuple[list[Fault], list[str]]:
        """What is wrong after one case, and what was done in it; `without` some of its attacks, by their place."""
        seed, place = divmod(number, A_WORLD)
        if place == 0:
            return self.adopted(seed).found, [f"take over world {seed}"]
        random = Random(number)
        if place in _UNTOUCHED:
            world = self.worlds.world(seed)
            first = look(world)
        else:
            adopted = self.adopted(seed)
            self.lab.restore(adopted.saved)
            world, first = adopted.world.copy(), adopted.look
        self.worlds.seed(number)
        prune = random.random() < 0.3
        attacks = ATTACKS if place not in _UNTOUCHED else BEFORE_TAGS
        for index, attack in enumerate(random.choices(attacks, k=random.choice((1, 1, 2, 2, 3, 4)))):
            if index not in without:
                attack(world, Random(f"{number}-{index}"))
        policy = Policy(prune=prune and not world.may_create)
        before = look(world)
        self.lab.calls.clear()
        told = self.told(world, policy)
        found = faults(world, first, before, look(world), self.lab.calls, told)
        return found, [*world.done, f"prune: {policy.prune}"]

    def smallest(self, number: int) -> tuple[list[Fault], list[str]]:
        """The same, without the attacks that a fault of the same sort does not need."""
        found, done = self.case(number)
        sorts, without = {fault.sort for fault in found}, frozenset[int]()
        for index in range(len(done)):
            fewer, less = self.case(number, without | {index})
            if number % A_WORLD and sorts & {fault.sort for fault in fewer}:
                found, done, without = fewer, less, without | {index}
        return found, done

    def told(self, world: Existing, policy: Policy) -> Told:
        """One run of the product, and what its report mentions."""
        document = load(json.dumps(world.document).encode(), "shop.json")
        try:
            report = run(document, Environment(self._aws, self._clock.now, self._clock.sleep), policy)
        except ObserveError:
            return EVERYTHING
        return Told(frozenset(_mentioned(report)))


def _mentioned(report: Report) -> Iterator[tuple[str, str]]:
    for drift in report.drifts:
        if drift.outcome not in _FINE:
            yield str(drift.address), drift.field
    for finding in report.findings:
        if finding.outcome not in _FINE:
            yield str(finding.address), finding.field


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Fuzz]:
    with laboratory() as lab:
        yield Fuzz(lab)


@pytest.mark.parametrize("seed", sampled(range(500), 250, seed="who is who"))
def test_nothing_is_made_twice_lost_or_left_unsaid(fuzz: Fuzz, seed: int) -> None:
    for number in range(seed * A_WORLD, (seed + 1) * A_WORLD):
        if fuzz.case(number)[0]:
            found, done = fuzz.smallest(number)
            told = "\n".join(f"{fault.sort}: {fault.text}" for fault in found)
            pytest.fail(f"case {number}: {'; '.join(done)}\n{told}")


# The worlds, the attacks and the auditor themselves.


@pytest.mark.parametrize("seed", sampled(range(100), 50, seed="true"))
def test_the_document_of_a_world_says_what_is_live(fuzz: Fuzz, seed: int) -> None:
    world = fuzz.worlds.world(seed)
    seen = look(world)
    assert world.means
    untrue = {address: differences(world, seen, address) for address in world.means}
    assert {address: fields for address, fields in untrue.items() if set(fields) - {"tags"}} == {}
    load(json.dumps(world.document).encode(), "shop.json")


def test_a_seed_always_makes_the_same_world(fuzz: Fuzz) -> None:
    first = fuzz.worlds.world(SEED)
    with laboratory() as lab:
        again = Worlds(lab).world(SEED)
        assert (again.document, again.means, again.others) == (first.document, first.means, first.others)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_every_attack_does_something_and_keeps_the_record(fuzz: Fuzz, attack: Attack) -> None:
    adopted = fuzz.adopted(SEED)
    fuzz.lab.restore(adopted.saved)
    world = adopted.world.copy()
    for number in range(8):
        attack(world, Random(number))
        if world.done:
            break
    assert world.done
    seen = look(world)
    assert all(seen.of(address.partition("/")[0], aws_id) for address, aws_id in world.means.items())
    load(json.dumps(world.document).encode(), "shop.json")


class Scene:
    """A world that was taken over, in the hands of a run that does everything wrong."""

    def __init__(self, fuzz: Fuzz) -> None:
        adopted = fuzz.adopted(SEED)
        assert adopted.found == []
        fuzz.lab.restore(adopted.saved)
        fuzz.lab.calls.clear()
        self.lab, self.world, self.first = fuzz.lab, adopted.world.copy(), adopted.look
        session = fuzz.lab.session()
        self.ec2: Any = session.client("ec2")
        self.rds: Any = session.client("rds")

    def sorts(self, *mentions: tuple[str, str]) -> set[str]:
        """The sorts of fault that the auditor finds, if a report mentions these."""
        after = look(self.world)
        found = faults(self.world, self.first, self.first, after, self.lab.calls, Told(frozenset(mentions)))
        return {fault.sort for fault in found}

    def id(self, kind: str, index: int = 0) -> str:
        return self.world.means[self.world.of(kind)[index]]

    def move(self, subnet: str, table: str) -> None:
        use_table(self.ec2, subnet, table)


@pytest.fixture
def scene(fuzz: Fuzz) -> Scene:
    return Scene(fuzz)


def test_the_auditor_has_nothing_against_a_run_that_does_nothing(scene: Scene) -> None:
    assert scene.sorts() == set()


@pytest.mark.parametrize("kind", ["vpc", "route_table", "network_acl", "security_group"])
def test_the_auditor_sees_a_second_thing(scene: Scene, kind: str) -> None:
    if kind == "vpc":
        scene.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    elif kind == "security_group":
        scene.ec2.create_security_group(GroupName="web-2", Description="Again", VpcId=scene.world.vpc)
    else:
        getattr(scene.ec2, f"create_{kind}")(VpcId=scene.world.vpc)
    assert scene.sorts() == {"second"}


def test_the_auditor_allows_what_the_document_asks_for(scene: Scene) -> None:
    address = scene.world.of("security_group")[0]
    scene.world.may_create.add("security_group/new")
    resource = scene.world.document["resources"]["security_group"].pop(address.partition("/")[2])
    scene.world.document["resources"]["security_group"]["new"] = resource
    del scene.world.means[address]
    scene.ec2.create_security_group(GroupName="new", Description="New", VpcId=scene.world.vpc)
    assert "second" not in scene.sorts()


def test_the_auditor_misses_a_route_that_aws_made(scene: Scene) -> None:
    seen = scene.first
    subnets = [scene.world.means[each] for each in scene.world.of("subnet")]
    loser = next(subnet for subnet in subnets if by_aws(seen, subnet))
    other = next(table_of(seen, subnet)["RouteTableId"] for subnet in subnets if not by_aws(seen, subnet))
    scene.move(loser, other)
    assert "lost" in scene.sorts(*((address, "") for address in scene.world.means))


def test_the_auditor_hears_silence(scene: Scene) -> None:
    address = scene.world.of("security_group")[0]
    everyone = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    scene.world.ec2.authorize_security_group_ingress(GroupId=scene.world.means[address], IpPermissions=everyone)
    assert scene.sorts() == {"silent"}
    assert scene.sorts((address, "egress")) == {"silent"}
    assert scene.sorts((address, "ingress")) == set()
    assert scene.sorts((address, "")) == set()


def test_the_auditor_hears_silence_about_every_sort_of_field(scene: Scene) -> None:
    world, ec2 = scene.world, scene.world.ec2
    table, acl, subnet = scene.id("route_table"), scene.id("network_acl"), scene.id("subnet")
    nowhere = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="203.0.113.0/24", GatewayId=nowhere)
    entry = {"RuleNumber": 7, "Egress": True, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "192.0.2.0/24"}
    ec2.create_network_acl_entry(NetworkAclId=acl, **entry)
    ec2.delete_tags(Resources=[subnet], Tags=[{"Key": "setpoint:name"}])
    world.rds.modify_db_instance(DBInstanceIdentifier="app", BackupRetentionPeriod=5, ApplyImmediately=True)
    scene.lab.settle()
    after = look(world)
    assert {address: fields for address in world.means if (fields := differences(world, after, address))} == {
        world.of("route_table")[0]: ["routes"],
        world.of("network_acl")[0]: ["egress"],
        world.of("subnet")[0]: ["tags"],
        "db_instance/app": ["backup_retention_period"],
    }


def test_the_auditor_sees_a_write_to_what_nothing_means(scene: Scene) -> None:
    (spare,) = scene.world.spare
    scene.ec2.create_tags(Resources=[spare], Tags=[{"Key": "team", "Value": "shop"}])
    assert scene.sorts() == {"wrong"}


def test_the_auditor_sees_the_tags_of_one_thing_on_another(scene: Scene) -> None:
    one, two = scene.world.of("route_table")[:2]
    tags = [{"Key": "setpoint:name", "Value": two.partition("/")[2]}]
    scene.ec2.create_tags(Resources=[scene.world.means[one]], Tags=tags)
    assert scene.sorts() == {"wrong", "silent"}


def test_the_auditor_sees_that_somebody_elses_thing_was_touched(scene: Scene) -> None:
    (spare,) = scene.world.spare
    scene.world.others.add(spare)
    scene.ec2.create_tags(Resources=[spare], Tags=[{"Key": "team", "Value": "shop"}])
    assert scene.sorts() == {"trespass"}
    scene.lab.calls.clear()
    assert scene.sorts() == {"trespass"}


def test_the_auditor_sees_that_something_is_gone(scene: Scene) -> None:
    (spare,) = scene.world.spare
    scene.world.ec2.delete_route_table(RouteTableId=spare)
    assert scene.sorts() == {"deleted"}


def test_the_auditor_sees_another_databases_name(scene: Scene) -> None:
    tags = [{"Key": "setpoint:name", "Value": "other"}]
    (app,) = scene.rds.describe_db_instances(DBInstanceIdentifier="app")["DBInstances"]
    scene.rds.add_tags_to_resource(ResourceName=app["DBInstanceArn"], Tags=tags)
    assert scene.sorts() == {"wrong", "silent"}


def test_taking_over_is_tags_only(scene: Scene) -> None:
    ours = [{"Key": "setpoint:name", "Value": "x"}]
    scene.ec2.create_tags(Resources=[scene.id("subnet")], Tags=ours)
    assert list(not_only_tags(scene.lab.calls)) == []
    scene.ec2.create_tags(Resources=[scene.id("subnet")], Tags=[{"Key": "Name", "Value": "x"}])
    scene.ec2.modify_subnet_attribute(SubnetId=scene.id("subnet"), MapPublicIpOnLaunch={"Value": True})
    assert [fault.sort for fault in not_only_tags(scene.lab.calls)] == ["more", "more"]
