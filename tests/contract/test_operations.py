"""Every call the product can make is one that AWS has, with parameters that AWS takes, by botocore's models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from desired_state.document import Document
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import Subnets
from desired_state.rules import Egress, IngressEntries
from reconciler.aws.errors import REACTIONS, bare
from reconciler.engine.interfaces import interfaces_read
from reconciler.kinds import REGISTRY
from reconciler.model import Action, Operation, Policy, Ref, Unmanaged
from reconciler.model.read import Read, ReadContext
from tests.support import worlds
from tests.support.worlds import (
    BACK1,
    BACK2,
    FRONT,
    IN,
    OUT,
    OUTSIDE,
    VPC,
    aws_id,
    document,
    drifted,
    missing,
    plan,
    seen,
)

OPERATIONS = sorted({(kind.name, row.name): row for kind in REGISTRY.values() for row in kind.operations}.items())
LARGEST_PAGE = {
    "DescribeRouteTables": 100,
    "DescribeManagedPrefixLists": 100,
    "DescribeBlueGreenDeployments": 100,
    "DescribeDBInstances": 100,
    "DescribeDBSubnetGroups": 100,
}
"""The largest page of each call (EC2 and RDS API references); 1000 for every other call of EC2."""


@cache
def service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


def operation(row: Operation | Read) -> OperationModel:
    name = row.name if isinstance(row, Operation) else row.operation
    return service(row.service).operation_model(name)


def shape_at(shape: Shape | None, path: str) -> Shape:
    for step in path.split("."):
        assert isinstance(shape, StructureShape), path
        assert step in shape.members, f"{shape.name} has no member {step}"
        shape = shape.members[step]
    assert shape is not None
    return shape


def problems(row: Operation | Read, params: Mapping[str, Any]) -> str:
    shape = operation(row).input_shape
    assert shape is not None
    return str(ParamValidator().validate(params, shape).generate_report())


@cache
def client(service: str) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name="ap-northeast-2",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


@pytest.mark.parametrize(
    "row", [row for _, row in OPERATIONS], ids=[f"{kind}-{name}" for (kind, name), _ in OPERATIONS]
)
def test_every_operation_is_one_of_the_service_and_a_method_of_its_client(row: Operation) -> None:
    assert row.name in service(row.service).operation_names
    assert callable(getattr(client(row.service), xform_name(row.name)))
    assert row.permission == f"{row.service}:{row.name}"


@pytest.mark.parametrize(
    "row", [row for _, row in OPERATIONS], ids=[f"{kind}-{name}" for (kind, name), _ in OPERATIONS]
)
def test_what_an_operation_yields_stands_in_its_answer(row: Operation) -> None:
    if row.yields:
        assert shape_at(operation(row).output_shape, row.yields).type_name == "string"


def test_further_permissions_name_actions_of_known_services() -> None:
    further = {one for _, row in OPERATIONS for one in row.also_needs}
    assert further == {
        "ec2:CreateTags",
        "iam:PassRole",
        "kms:DescribeKey",
        "rds:AddTagsToResource",
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
    }
    for one in further - {"iam:PassRole"}:  # a permission without an operation
        name, _, action = one.partition(":")
        assert action in service(name).operation_names


def test_every_code_that_means_already_so_stands_in_the_table_of_errors() -> None:
    for _, row in OPERATIONS:
        assert {bare(code) for code in row.already_applied_codes} <= REACTIONS.keys()


def test_nothing_that_deletes_data_is_in_any_table() -> None:
    names = {row.name for _, row in OPERATIONS}
    assert not names & {"DeleteDBInstance", "DeleteDBSubnetGroup", "DeleteVpc", "DeleteSubnet", "RebootDBInstance"}
    assert not any(name.startswith(("Reset", "Restore", "Detach", "DeleteTags", "RemoveTags")) for name in names)


def entry(port: int) -> AclEntry:
    return AclEntry("allow", "tcp", port, port, "0.0.0.0/0")


EVERYTHING = Policy(create_databases=True, prune=True, downtime="now")


def random_drift(seed: int) -> tuple[Document, tuple[Action, ...]]:
    declared, fact = (document(worlds.written(Random(seed + shift))) for shift in (0, 1000))
    return declared, plan(declared, seen(fact), EVERYTHING).actions


def plans() -> Iterator[tuple[Document, tuple[Action, ...]]]:
    """The actions of many plans: random drifts, networks from nothing, missing parts, pruning, detours."""
    for seed in range(12):
        declared, fact = (document(worlds.written(Random(seed + shift))) for shift in (0, 1000))
        yield random_drift(seed)
        if seed < 4:
            yield declared, plan(declared, seen(declared, only=[]), EVERYTHING).actions
            gone = Random(seed).sample(sorted(set(declared.resources) - {VPC}), 4)
            yield declared, plan(declared, missing(seen(fact), *gone), EVERYTHING).actions
    declared = document()
    old = [Unmanaged(Address.of(kind, "old"), f"{kind[:3]}-0a1b2c3d", owned=True) for kind in REGISTRY]
    yield declared, plan(declared, worlds.beside(seen(declared), *old), EVERYTHING).actions
    look = drifted(seen(declared), worlds.GATEWAY, vpc=Address("nowhere"))
    look = replace(look, handles={ref: one for ref, one in look.handles.items() if ref.handle != "internet_gateway"})
    yield declared, plan(declared, look, EVERYTHING).actions
    out = {"protocol": "all", "destination": "0.0.0.0/0", "description": "Anywhere"}
    said = worlds.of_groups(only={"description": "One", "egress": [out]})
    otherwise = Egress({RuleKey("all", -1, -1, "0.0.0.0/0"): "Said otherwise"})
    group = Address("security_group/only")
    yield said, plan(said, drifted(seen(said), group, egress=otherwise), EVERYTHING).actions
    main = document(route_table={"PublicRouteTable": {"main": True}, "PrivateRouteTable": {"routes": {}}})
    yield main, plan(main, drifted(seen(main), OUT, main=False), EVERYTHING).actions
    swap = document(
        network_acl={
            "PublicSubnetACL": {
                "ingress": {"1": entry_written(443), "2": entry_written(22)},
                "subnets": ["subnet/PublicSubnet1"],
            }
        }
    )
    live = IngressEntries({1: entry(22)._replace(action="deny"), 2: entry(443)})
    yield swap, plan(swap, drifted(seen(swap), OUTSIDE, ingress=live), EVERYTHING).actions
    bare_table = drifted(seen(declared), OUT, subnets=Subnets([FRONT, BACK1]))
    yield declared, plan(declared, drifted(bare_table, IN, subnets=Subnets([BACK2])), EVERYTHING).actions


def entry_written(port: int) -> dict[str, Any]:
    return {"action": "allow", "protocol": "tcp", "ports": port, "source": "0.0.0.0/0"}


def resolved(value: Any) -> Any:
    if isinstance(value, Ref):
        return aws_id(value.to) if not value.handle else f"{value.handle[:8]}-0a1b2c3d"
    if isinstance(value, Mapping):
        return {key: resolved(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolved(inner) for inner in value]
    return value


def test_every_call_of_many_plans_has_parameters_that_aws_takes_and_every_operation_is_among_them() -> None:
    made = {one for _, actions in plans() for one in checked(actions)}
    assert {name for name, _ in OPERATIONS} == made


@pytest.mark.long
@pytest.mark.parametrize("first", range(12, 212, 20))
def test_every_call_of_many_more_plans_has_parameters_that_aws_takes(first: int) -> None:
    for seed in range(first, first + 20):
        _, actions = random_drift(seed)
        assert checked(actions), f"seed {seed}"


def checked(actions: Iterable[Action]) -> set[tuple[str, str]]:
    """The (kind, operation) of these actions, whose parameters AWS takes."""
    for action in actions:
        for one in (action, *action.parts):
            assert problems(one.operation, resolved(one.params)) == "", one
        assert action.operation in REGISTRY[action.address.kind].operations
    return {(action.address.kind, action.operation.name) for action in actions}


def reads() -> set[Read]:
    """Every read that any kind could make, and the one that is no kind's."""
    declared = document(worlds.written(Random(1)))
    found: set[Read] = set()
    for vpc_id in ("", aws_id(VPC)):
        for kind in REGISTRY.values():
            read_context = ReadContext(declared, vpc_id, declared.of_kind(kind.name))
            first = set(kind.observe.reads(read_context))
            found |= first | set(kind.observe.more(read_context, {one: [] for one in first}))
            green = [{"DBInstanceIdentifier": f"{at.name}-green-a1b2c3"} for at in declared.of_kind("db_instance")]
            if kind.name == "db_instance":
                found |= set(kind.observe.more(read_context, dict.fromkeys(first, green)))
    handles = ("", "ingress tcp 22 0.0.0.0/0", "network_acl_association")
    wanted = [Ref(at, handle) for at in declared.resources for handle in handles]
    late = {kind.observe.lazy_read(ref, "x-0a1b2c3d") for ref in wanted for kind in REGISTRY.values()}
    beside = interfaces_read(ReadContext(declared, aws_id(VPC), {}))
    return found | {beside} | {one for one in late if one}


@pytest.mark.parametrize("read", sorted(reads()), ids=lambda read: read.operation)
def test_every_read_is_one_that_aws_has(read: Read) -> None:
    model = operation(read)
    params = json.loads(read.params)
    assert problems(read, params) == ""
    answer = shape_at(model.output_shape, read.result)
    assert xform_name(read.operation).startswith(("describe_", "list_"))
    pages = botocore.session.get_session().get_paginator_model(read.service)
    if read.page:
        told = pages.get_paginator(read.operation)
        assert told["result_key"] == read.result
        assert isinstance(answer, ListShape)
        assert read.page == LARGEST_PAGE.get(read.operation, 1000)
        assert problems(read, params | {told["limit_key"]: read.page}) == ""
        limit = shape_at(model.input_shape, told["limit_key"]).metadata
        assert limit.get("min", 0) <= read.page <= limit.get("max", read.page)
    else:
        assert not model.output_shape or "NextToken" not in model.output_shape.members


def test_the_reads_that_may_say_there_is_none_name_codes_of_the_table() -> None:
    assert {bare(code) for read in reads() for code in read.absent} <= REACTIONS.keys()


def test_the_sample_holds_rules_of_every_sort_of_peer() -> None:
    peers = set()
    for seed in range(60):
        groups = document(worlds.written(Random(seed))).of_kind("security_group").values()
        keys = {key for one in groups for side in ("ingress", "egress") for key in getattr(one, side)}
        peers |= {key.peer.partition("/")[0] if "sg-" in key.peer or "group" in key.peer else key.peer for key in keys}
    assert {"0.0.0.0/0", "::/0", "security_group", "pl-0a1b2c3d", "111122223333", "sg-0a1b2c3d4e5f60718"} <= peers
