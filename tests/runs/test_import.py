"""Networks that exist, imported and then kept: the first run sets two tags and nothing else, the next run is calm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from desired_state.document import Scope
from desired_state.fields import Address
from desired_state.load import load
from desired_state.write import write
from lab.strict_aws import StrictAws, laboratory
from reconciler.aws.client import Aws
from reconciler.engine.run import Environment, run
from reconciler.importing.draft import Choices
from reconciler.importing.into import Addition, into
from reconciler.importing.new import Imported, Request, new_document
from reconciler.importing.reading import RememberedReads
from reconciler.kinds import REGISTRY
from reconciler.model import Outcome, Policy, Reason
from reconciler.model.read import Read
from tests.support.cases import CASES, Case, built, told
from tests.support.existing import Existing, Worlds
from tests.support.route_targets import DECLARED, INSTANCE, SOMEWHERE, TABLE, UNKNOWN, laid, shown_as
from tests.support.runs import MORNING, REFERENCE, Network
from tests.support.sampling import sampled

OURS = ("setpoint:document", "setpoint:name")
TAG_CALLS = {"CreateTags", "AddTagsToResource"}


_AWS: dict[int, Aws] = {}


def aws_of(lab: StrictAws) -> Aws:
    """Kept, because a session and its clients cost more than a run."""
    return _AWS.setdefault(id(lab), Aws(lab.session(), lab.region, sleep=lambda seconds: None))


class Shuffled:
    """Answers in another order, on every level."""

    patience = None

    def __init__(self, aws: Aws, random: Random) -> None:
        self._aws, self._random = aws, random
        self.reads = 0

    def read(self, read: Read) -> list[Any]:
        return list(self._shuffled(self._aws.read(read)))

    def _shuffled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._shuffled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return self._random.sample([self._shuffled(one) for one in value], len(value))
        return value


def imported(lab: StrictAws, vpc_id: str, reads: RememberedReads | None = None, **choices: Any) -> Imported:
    scope = Scope(account_id=lab.account, region=lab.region, vpc_id=vpc_id)
    request = Request(scope, "imported", choices=Choices(**choices), now=lambda: MORNING)
    return new_document(request, reads or RememberedReads(aws_of(lab)))


def added_to(lab: StrictAws, data: bytes) -> Imported:
    addition = Addition(load(data, "imported.json"), data, now=lambda: MORNING)
    return into(addition, RememberedReads(aws_of(lab)))


def writes(lab: StrictAws) -> list[str]:
    found = [call.operation for call in lab.calls if call.kind == "write"]
    lab.calls.clear()
    return found


def kept(lab: StrictAws, data: bytes, *, dead: bool = False) -> None:
    """A run with this document: tags only, then nothing; with `dead` routes it stays blocked at them alone."""
    environment = Environment(aws_of(lab), lambda: MORNING, lambda seconds: None)
    document = load(data, "imported.json")
    lab.calls.clear()
    first = run(document, environment, Policy())
    assert set(writes(lab)) <= TAG_CALLS
    again = run(document, environment, Policy())
    assert writes(lab) == []
    assert {one.outcome for one in first.drifts} <= {Outcome.CORRECTED}, told(first)
    assert not again.drifts, told(again)
    if dead:
        assert {one.cause.reason for one in again.findings} <= {Reason.TARGET_GONE}
    else:
        assert again.in_sync, told(again)


def without_adopt(data: bytes) -> bytes:
    values = json.loads(data)
    values.pop("adopt", None)
    return write(values)


def stripped(net: Network, *names: str) -> None:
    """Take these tags off everything of the reference network."""
    ec2, rds = net.outsider("ec2"), net.outsider("rds")
    vpc = [{"Name": "vpc-id", "Values": [net.live["vpc/MyVPC"]]}]
    ids = [net.live["vpc/MyVPC"], *(one for one in net.live.ids.values() if one.startswith("igw-"))]
    ids += [one["SubnetId"] for one in ec2.describe_subnets(Filters=vpc)["Subnets"]]
    ids += [one["RouteTableId"] for one in ec2.describe_route_tables(Filters=vpc)["RouteTables"]]
    ids += [one["GroupId"] for one in ec2.describe_security_groups(Filters=vpc)["SecurityGroups"]]
    ids += [one["NetworkAclId"] for one in ec2.describe_network_acls(Filters=vpc)["NetworkAcls"]]
    ec2.delete_tags(Resources=ids, Tags=[{"Key": name} for name in names])
    for instance in rds.describe_db_instances()["DBInstances"]:
        rds.remove_tags_from_resource(ResourceName=instance["DBInstanceArn"], TagKeys=list(names))


@pytest.mark.parametrize("names", [OURS, (*OURS, "Name")], ids=["named", "nameless"])
def test_what_the_product_built_and_nobody_remembers_is_imported_and_kept(net: Network, names: tuple[str, ...]) -> None:
    stripped(net, *names)
    found = imported(net.lab, net.live["vpc/MyVPC"])
    assert len(found.added) == 17
    assert len(found.document.adopt) == (4 if "Name" in names else 0)
    kept(net.lab, found.data)
    kept(net.lab, without_adopt(found.data))


@pytest.mark.parametrize("case", sampled(CASES, 20, seed="import", ids=list(map(str, CASES))))
def test_whatever_a_property_has_become_is_what_is_written(net: Network, case: Case) -> None:
    built(net, case.start, from_clean=True)
    case.deed(net)
    stripped(net, *OURS)
    if net.live["vpc/MyVPC"] not in {one["VpcId"] for one in net.outsider("ec2").describe_vpcs()["Vpcs"]}:
        return  # the case deletes the VPC: there is nothing to import
    found = imported(net.lab, net.live["vpc/MyVPC"], tags=case.field == "tags")
    net.lab.settle()
    kept(net.lab, imported(net.lab, net.live["vpc/MyVPC"]).data, dead=bool(found.for_person))


def test_every_kind_is_imported() -> None:
    """With every property of each: the cases above are those of `test_every_property.py`."""
    assert {case.kind for case in CASES} == set(REGISTRY)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    with laboratory() as lab:
        yield Worlds(lab)


SEEDS = sampled(range(120), 60, seed="networks that exist")


def strip(world: Existing) -> None:
    """Take every tag off the world, except those that only AWS may set, or another account."""
    for one in world.ec2.describe_tags()["Tags"]:
        if not one["Key"].startswith("aws:") and one["ResourceId"] not in world.others:
            try:
                world.ec2.delete_tags(Resources=[one["ResourceId"]], Tags=[{"Key": one["Key"]}])
            except ClientError as error:  # it is in a VPC that another account shares
                if error.response["Error"]["Code"] != "UnauthorizedOperation":
                    raise


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bare", [False, True], ids=["tagged", "bare"])
def test_a_network_that_exists_is_imported_and_kept(worlds: Worlds, seed: int, bare: bool) -> None:
    world = worlds.world(seed)
    if bare:
        strip(world)
    reads = RememberedReads(aws_of(world.lab))
    found = imported(world.lab, world.vpc, reads)
    shuffled = RememberedReads(Shuffled(reads.aws, Random(seed)))  # type: ignore[arg-type]
    assert imported(world.lab, world.vpc, shuffled).data == found.data
    for choices in ({"tags": True}, {"only": frozenset({"route_table", "security_group"})}, {"workloads": False}):
        imported(world.lab, world.vpc, reads, **choices)  # proven, or refused
    kept(world.lab, found.data)
    kept(world.lab, without_adopt(found.data))
    assert added_to(world.lab, found.data).data == found.data


@pytest.mark.parametrize("seed", SEEDS)
def test_only_what_appeared_is_added(worlds: Worlds, seed: int) -> None:
    world = worlds.world(seed)
    found = imported(world.lab, world.vpc)
    world.ec2.create_security_group(GroupName="appeared", Description="Appeared", VpcId=world.vpc)
    again = added_to(world.lab, found.data)
    assert again.added == ("security_group/appeared",)
    before, after = json.loads(found.data), json.loads(again.data)
    assert after["revision"] == before["revision"] + 1
    del after["resources"]["security_group"]["appeared"]
    assert after | {"revision": 1} == before
    kept(world.lab, again.data)


@pytest.mark.parametrize(("name", "target"), {**DECLARED, **INSTANCE, **UNKNOWN}.items())
def test_an_import_carries_or_tells_every_one(net: Network, name: str, target: str) -> None:
    """What a document can name is in it; of a table with another target the routes are left out, and that is told."""
    laid(name, target)(net)
    stripped(net, *OURS)
    found = imported(net.lab, net.id("vpc/MyVPC"))
    tables = json.loads(found.data)["resources"]["route_table"]
    (table,) = [one for one in tables.values() if len(one.get("subnets", ())) == 2]
    if name in DECLARED:
        assert table["routes"] == {SOMEWHERE: target}
    else:
        assert "routes" not in table
        assert any(shown_as(name, target) in one.text for one in found.not_held), found.not_held
    kept(net.lab, found.data)
    tables = net.outsider("ec2").describe_route_tables(RouteTableIds=[net.id(TABLE)])["RouteTables"]
    assert SOMEWHERE in [one.get("DestinationCidrBlock") for one in tables[0]["Routes"]]


def test_what_a_document_names_by_its_id_is_no_difference_when_something_is_added(net: Network) -> None:
    written = deepcopy(REFERENCE)
    written["resources"]["security_group"]["DBSG"]["ingress"][0]["source"] = net.id("security_group/TestServerSG")
    written["resources"]["route_table"]["PublicRouteTable"]["routes"] = {
        "0.0.0.0/0": net.id("internet_gateway/MyInternetGateway")
    }
    net.outsider("ec2").create_security_group(GroupName="late", Description="late", VpcId=net.id("vpc/MyVPC"))
    addition = Addition(
        load(json.dumps(written).encode(), "ids.json"),
        json.dumps(written).encode(),
        now=lambda: MORNING,
        accept=(Address("security_group/DBSG"),),
    )
    added = into(addition, RememberedReads(aws_of(net.lab)))
    assert "security_group/late" in map(str, added.added)
    assert added.accepted == ()
    kept(net.lab, added.data)
