"""Documents with references in every spelling, drawn by seed: spelled by what is known, they are what was meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address, rule_key
from desired_state.load import load
from desired_state.network import SecurityGroup
from desired_state.rules import Ingress
from desired_state.spelling import spelled, spelled_peer, spelled_resource
from reconciler.engine.spelled import as_seen
from reconciler.model import Ref, Snapshot

ACCOUNT, OTHER = "123456789012", "999999999999"
GROUPS = {f"security_group/g{n}": f"sg-0000000{n}" for n in range(4)}
SUBNETS = {f"subnet/s{n}": f"subnet-0000000{n}" for n in range(4)}
GATEWAY = {"internet_gateway/door": "igw-00000001"}
IDS = GROUPS | SUBNETS | GATEWAY
NAMES = {aws_id: Address(at) for at, aws_id in IDS.items()}
THEIRS = f"{OTHER}/sg-0000000a"


def _text(random: Random | None, at: str, *, peer: bool = False) -> str:
    """An address, in one of its spellings."""
    if random is None:
        return at
    return random.choice([at, IDS[at], *([f"{ACCOUNT}/{IDS[at]}"] if peer else [])])


def _document(seed: int, *, meant: bool) -> Document:
    """The document of a seed as it is meant, with addresses only, or in any spelling."""
    draw, spell = Random(seed), None if meant else Random(-seed)
    zones = ["ap-northeast-2a", "ap-northeast-2c"]

    def rules() -> list[dict[str, Any]]:
        peers = draw.sample([*GROUPS, THEIRS, "10.0.0.0/8", "pl-00000001"], 4)
        texts = [_text(spell, one, peer=True) if one in GROUPS else one for one in peers]
        return [{"protocol": "tcp", "ports": 5432, "source": one} for one in texts]

    subnets = [_text(spell, one) for one in draw.sample(list(SUBNETS), 2)]
    excepted = draw.choice(list(GROUPS))
    values: dict[str, Any] = {
        "version": 1,
        "name": "shop",
        "revision": 1,
        "scope": {"account_id": ACCOUNT, "region": "ap-northeast-2"},
        "resources": {
            "vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
            "internet_gateway": {"door": {}},
            "subnet": {f"s{n}": {"cidr_block": f"10.0.{n}.0/24", "availability_zone": zones[n % 2]} for n in range(4)},
            "security_group": {f"g{n}": {"ingress": rules()} for n in range(4)},
            "route_table": {
                "out": {"routes": {"0.0.0.0/0": _text(spell, "internet_gateway/door")}, "subnets": subnets}
            },
            "network_acl": {"front": {"subnets": subnets}},
        },
        "workloads": {"app": {"subnets": subnets, "security_groups": [_text(spell, draw.choice(list(GROUPS)))]}},
        "exceptions": [
            {
                "address": address,
                "field": field,
                "value": value,
                "until": "2027-01-01",
                "reason": "a test",
            }
            for address, field, value in (
                (
                    "security_group/g0",
                    "ingress",
                    {"protocol": "tcp", "ports": 22, "source": _text(spell, excepted, peer=True)},
                ),
                ("route_table/out", "routes", {"172.16.0.0/12": _text(spell, "internet_gateway/door")}),
                ("network_acl/front", "subnets", _text(spell, "subnet/s3")),
            )
        ],
    }
    return load(json.dumps(values).encode(), "shop.json")


@pytest.mark.parametrize("seed", range(1, 41))
def test_every_spelling_becomes_what_is_meant(seed: int) -> None:
    meant, written = _document(seed, meant=True), spelled(_document(seed, meant=False), NAMES)
    assert written.resources == meant.resources
    assert written.workloads == meant.workloads
    assert written.exceptions == meant.exceptions
    assert spelled(written, NAMES) is written


def test_what_has_no_other_spelling_is_the_same_object() -> None:
    document = _document(1, meant=True)
    assert spelled(document, NAMES) is document
    assert document.ids <= {"sg-0000000a"}


@pytest.mark.parametrize(
    ("peer", "names", "found"),
    [
        ("sg-0000000a", {}, "sg-0000000a"),
        (f"{ACCOUNT}/sg-0000000a", {}, "sg-0000000a"),
        (THEIRS, {}, THEIRS),
        ("sg-0000000a", {"sg-0000000a": THEIRS}, THEIRS),
        (THEIRS, {"sg-0000000a": THEIRS}, THEIRS),
        (f"{ACCOUNT}/sg-0000000a", {"sg-0000000a": THEIRS}, "sg-0000000a"),
        ("111122223333/sg-0000000a", {"sg-0000000a": THEIRS}, "111122223333/sg-0000000a"),
        (THEIRS, {"sg-0000000a": "security_group/ops"}, "security_group/ops"),
        ("pl-00000001", {"pl-00000001": "nothing"}, "pl-00000001"),
        ("10.0.0.0/8", {}, "10.0.0.0/8"),
    ],
)
def test_a_peer_is_told_apart_by_its_owner_where_that_is_known(peer: str, names: dict[str, str], found: str) -> None:
    assert spelled_peer(peer, ACCOUNT, {key: Address(at) for key, at in names.items()}) == found


@pytest.mark.parametrize("descriptions", [("mine", None), (None, "mine"), ("mine", "other")])
def test_of_two_spellings_of_one_rule_the_first_description_counts(descriptions: tuple[str | None, ...]) -> None:
    first, second = (rule_key("tcp", 22, 22, peer) for peer in ("sg-0000000a", f"{OTHER}/sg-0000000a"))
    group = SecurityGroup(ingress=Ingress(zip((first, second), descriptions, strict=True)))
    assert spelled_resource(group, ACCOUNT, {"sg-0000000a": Address(THEIRS)}).ingress == {second: "mine"}


def test_a_database_that_has_the_id_of_something_else_for_a_name_is_not_meant_by_it() -> None:
    gateway, name = "igw-0000000a", Address("db_instance/igw-0000000a")
    resources = {
        "vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
        "route_table": {"out": {"routes": {"0.0.0.0/0": gateway}}},
        "db_instance": {name.name: {"engine": "postgres"}},
    }
    scope = {"account_id": ACCOUNT, "region": "ap-northeast-2"}
    written = {"version": 1, "name": "shop", "revision": 1, "scope": scope, "resources": resources}
    document = load(json.dumps(written).encode(), "shop.json")
    look = Snapshot({}, {Ref(name): name.name}, {}, {}, (), datetime(2026, 11, 22, tzinfo=UTC))
    assert as_seen(document, look) is document
