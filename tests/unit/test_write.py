"""Documents are written for people and for diffs, and what is written loads as what it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import desired_state
from desired_state.fields import Address, RuleKey
from desired_state.load import load
from desired_state.members import Names, Subnets, Tags
from desired_state.network import InternetGateway, RouteTable, SecurityGroup
from desired_state.resource import SECTIONS, Resource
from desired_state.rules import Ingress, Routes
from desired_state.strict_json import MAX_BYTES
from desired_state.write import as_section, write
from tests.support.documents import ADOPTED, DOCUMENT

EXAMPLES = sorted((Path(desired_state.__file__).parent / "examples").glob("*.json"))

# The layout.

LAID_OUT = """\
{
  "name": "shop",
  "empty": {},
  "none": [],
  "scope": { "account_id": "123456789012", "region": "eu-central-1" },
  "resources": {
    "route_table": {
      "main": { "main": true, "routes": {}, "subnets": [] },
      "private": {
        "routes": { "0.0.0.0/0": "nat-0123456789abcdef0" },
        "subnets": ["subnet/private-a", "subnet/private-b", "subnet/private-c", "subnet/private-d", "subnet/isolated"]
      }
    },
    "security_group": {
      "web": {
        "ingress": [
          { "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": "HTTPS" },
          { "protocol": "tcp", "ports": "1024-65535", "source": "10.0.0.0/8" }
        ],
        "egress": [{ "protocol": "all", "destination": "0.0.0.0/0" }]
      }
    }
  },
  "revision": 7
}
"""


def test_an_object_stands_on_one_line_if_it_fits() -> None:
    assert write(json.loads(LAID_OUT)).decode() == LAID_OUT


def test_a_line_has_118_columns_with_its_key_and_its_comma() -> None:
    fits = '{\n  "a": ["' + "x" * 106 + '"],\n  "b": 1\n}\n'
    assert write({"a": ["x" * 106], "b": 1}).decode() == fits
    assert len(fits.split("\n")[1]) == 118
    assert write({"a": ["x" * 107], "b": 1}).decode() == '{\n  "a": [\n    "' + "x" * 107 + '"\n  ],\n  "b": 1\n}\n'


def test_the_last_member_has_no_comma_to_fit() -> None:
    assert write({"b": 1, "a": ["x" * 107]}).decode() == '{\n  "b": 1,\n  "a": ["' + "x" * 107 + '"]\n}\n'


def test_a_text_that_is_too_long_for_any_line_is_not_broken() -> None:
    assert write({"note": "x" * 200}).decode() == '{\n  "note": "' + "x" * 200 + '"\n}\n'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", '"plain"'),
        ('a "quoted" \\ word', r'"a \"quoted\" \\ word"'),
        ("two\nlines\tand a \x00", r'"two\nlines\tand a \u0000"'),
        ("Zürich, 서울, \U0001f512", '"Zürich, 서울, \U0001f512"'),
        ("\x1b[31m\x7f\x9b", r'"\u001b[31m\u007f\u009b"'),
        ("\u202eoff\u2028\u200b\ufeff\xa0", r'"\u202eoff\u2028\u200b\ufeff\u00a0"'),
        ("ü\U000e0001", r'"ü\udb40\udc01"'),
        ("\ud800", r'"\ud800"'),
    ],
)
def test_a_text_is_written_so_that_no_terminal_acts_on_it(text: str, written: str) -> None:
    assert write({text: text}).decode() == f"{{ {written}: {written} }}\n"


def test_numbers_and_truths_are_those_of_json() -> None:
    assert (
        write({"a": True, "b": False, "c": -1, "d": 2**53})
        == b'{ "a": true, "b": false, "c": -1, "d": 9007199254740992 }\n'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        write({"a": float("nan")})


def test_lists_of_either_type_and_addresses_are_written_alike() -> None:
    assert (
        write({"a": ("b", Address("subnet/c"))}) == write({"a": ["b", "subnet/c"]}) == b'{ "a": ["b", "subnet/c"] }\n'
    )


VALUES = st.recursive(
    st.text(max_size=40) | st.integers() | st.booleans() | st.text("abc ", max_size=90),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=30,
)
DOCUMENTS = st.dictionaries(st.text(max_size=20), VALUES, max_size=6)


def follows_the_layout(values: dict[str, Any]) -> None:
    """The rule again, from the text alone: whatever stands on several lines would not fit on one."""
    data = write(values)
    text = data.decode()
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert json.loads(text) == values
    assert list(json.loads(text)) == list(values)
    assert text.replace("\n", "").isprintable()
    assert [line for line in lines if line != line.rstrip() or not line] == []
    assert joined(lines) == [flat(values, "")]
    assert [line for line in lines if len(line) > 118 and has_members(line)] == []


def joined(lines: list[str]) -> list[str]:
    """The members on these lines, each on one line without its indentation; fails if one could have stood so."""
    members: list[str] = []
    while lines:
        first, *lines = lines
        margin = len(first) - len(first.lstrip())
        member = first.lstrip()
        if member[-1] in "{[":
            end = next(n for n, line in enumerate(lines) if len(line) - len(line.lstrip()) == margin)
            inner, last, lines = lines[:end], lines[end].lstrip(), lines[end + 1 :]
            assert inner
            assert {len(line) - len(line.lstrip()) for line in inner} >= {margin + 2}
            assert min(len(line) - len(line.lstrip()) for line in inner) == margin + 2
            blank = " " if member[-1] == "{" else ""
            member = f"{member}{blank}{' '.join(joined(inner))}{blank}{last}"
            assert margin + len(member) > 118
        members.append(member)
    return members


def flat(value: Any, comma: str) -> str:
    """A value on one line, made from what json makes of its parts."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{flat(key, '')}: {flat(one, '')}" for key, one in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(flat(one, "") for one in value) + "]"
    plain = json.dumps(value)
    if not isinstance(value, str):
        return plain
    return (
        '"'
        + "".join(char if char.isprintable() and char not in '"\\' else json.dumps(char)[1:-1] for char in value)
        + '"'
    )


def has_members(line: str) -> bool:
    """Whether a line has a whole object or list that is not empty."""
    return (
        line.rstrip(",")[-1] in "}]"
        and line.strip(" ,") not in {"}", "]"}
        and line.rstrip(",")[-2:] not in {"{}", "[]"}
    )


@settings(max_examples=40)
@given(DOCUMENTS)
@example({"a": {"b": ["x" * 50, "y" * 50], "": {}}, "c{": "[", "d}": "],"})
@example({"\ud800": ["\udfff", "\u202e"]})
def test_any_values_follow_the_layout(values: dict[str, Any]) -> None:
    follows_the_layout(values)


@pytest.mark.long
@given(DOCUMENTS)
def test_any_values_follow_the_layout_at_length(values: dict[str, Any]) -> None:
    follows_the_layout(values)


@pytest.mark.parametrize("text", [DOCUMENT, ADOPTED, *(path.read_text(encoding="utf-8") for path in EXAMPLES)])
def test_documents_follow_the_layout(text: str) -> None:
    follows_the_layout(json.loads(text))


def test_a_list_in_a_list_and_a_nearly_full_line_follow_the_layout() -> None:
    for width in range(80, 125):
        follows_the_layout({"a": [["x" * width, []], [["y" * width]]], "b": {"c": {"d": "z" * width}}})


def test_the_example_of_an_adopted_network_is_as_it_would_be_written() -> None:
    (adopted,) = (path for path in EXAMPLES if path.stem == "adopted")
    assert write(json.loads(adopted.read_bytes())) == adopted.read_bytes()


# Too large for a document.


def large(groups: int) -> dict[str, Any]:
    rules = [{"protocol": "tcp", "ports": port, "source": "10.0.0.0/8"} for port in range(1, 61)]
    document: dict[str, Any] = json.loads(DOCUMENT)
    document["resources"]["security_group"] |= {f"group {n}": {"ingress": rules} for n in range(groups)}
    return document


def test_what_would_be_too_large_is_written_without_indentation() -> None:
    small, document = write(large(200)), large(240)
    assert b'    "subnet": {\n      "a": {' in small
    data = write(document)
    assert json.loads(data) == document
    assert len(data) <= MAX_BYTES
    assert data.startswith(
        b'{\n"version":1,\n"name":"shop",\n"revision":3,\n"scope":{"account_id":"123456789012","region"'
    )
    assert b'\n{"protocol":"tcp","ports":1,"source":"10.0.0.0/8"},\n{"protocol":"tcp","ports":2,' in data
    assert [line for line in data.split(b"\n")[:-1] if line.startswith(b" ") or not line or line.endswith(b" ")] == []
    assert load(data, "shop.json").resources == load(json.dumps(document).encode(), "shop.json").resources


def test_the_limit_itself_is_not_too_large() -> None:
    def written(length: int) -> bytes:
        return write({"notes": ["x" * length, ""], "note": "y" * 200})

    rest = len(written(1_000)) - 1_000
    fits, exceeds = written(1_000_000 - rest), written(1_000_001 - rest)
    assert len(fits) == 1_000_000
    assert fits.startswith(b'{\n  "notes": [\n    "xxx')
    assert exceeds.startswith(b'{\n"notes":[\n"xxx')
    assert write({"a": "x" * 2_000_000}) == b'{\n"a":"' + b"x" * 2_000_000 + b'"\n}\n'  # and is for `load` to refuse


# The fields of a resource.


def test_a_section_has_what_is_managed_in_the_order_of_its_model_and_tags_last() -> None:
    group = SecurityGroup.model_validate(
        {
            "tags": {"b": "2", "a": "1"},
            "egress": [],
            "ingress": [{"protocol": "tcp", "ports": 443, "source": "::/0", "description": "HTTPS"}],
            "enforcement": "report",
            "note": "why",
            "formerly": ["b", "a"],
        }
    )
    assert list(as_section(group).items()) == [
        ("formerly", ["b", "a"]),
        ("note", "why"),
        ("enforcement", "report"),
        ("ingress", [{"protocol": "tcp", "ports": 443, "source": "::/0", "description": "HTTPS"}]),
        ("egress", []),
        ("tags", {"a": "1", "b": "2"}),
    ]


def test_what_is_not_managed_is_not_written_and_what_is_empty_is() -> None:
    assert as_section(SecurityGroup()) == {}
    table = RouteTable(main=False, routes=Routes(), subnets=Subnets(), formerly=Names(), tags=Tags())
    assert as_section(table) == {"main": False, "routes": {}, "subnets": [], "tags": {}}


def test_an_address_is_written_as_a_plain_text() -> None:
    (written,) = as_section(InternetGateway(vpc=Address("vpc/main"))).values()
    assert (type(written), written) == (str, "vpc/main")


def test_live_state_is_written_like_a_document() -> None:
    live = SecurityGroup(ingress=Ingress({RuleKey("all", -1, -1, "sg-0123456789abcdef0"): None}))
    assert as_section(live) == {"ingress": [{"protocol": "all", "source": "sg-0123456789abcdef0"}]}


def test_members_are_written_in_one_order_whatever_order_they_came_in() -> None:
    subnets = [f"subnet/{n}" for n in range(50)]
    rules = [{"protocol": "tcp", "ports": n, "source": "10.0.0.0/8"} for n in range(50)]
    written = set()
    for seed in range(5):
        Random(seed).shuffle(subnets)
        Random(seed).shuffle(rules)
        models: list[Resource] = [
            RouteTable.model_validate({"subnets": subnets}),
            SecurityGroup.model_validate({"ingress": rules}),
        ]
        written.add(write({"a": [as_section(model) for model in models]}))
    assert len(written) == 1


def test_two_processes_write_the_same_bytes() -> None:
    program = (
        "import sys; from desired_state.load import load; from desired_state.write import as_section, write;"
        "resources = load(sys.stdin.buffer.read(), 'x').resources;"
        "sys.stdout.buffer.write(write({at: as_section(one) for at, one in resources.items()}))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=ADOPTED.encode(),
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().startswith(b'{\n  "vpc/main": {')


# Round trips: every kind, every field.

VPC = Address("vpc/vpc-0123456789abcdef0")
GROUP_TEXT = st.text("abcXYZ019 ._-:/()#,@[]+=;{}!$*", min_size=1, max_size=40)
NAMES = st.lists(st.text("abcd-", min_size=1, max_size=8), max_size=4, unique=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SUBNETS = st.lists(st.sampled_from(["subnet/x", "subnet/y y", "subnet/PrivateSubnet1", "subnet-01234567"]), unique=True)
GROUPS = ("security_group/x", "security_group/y y", "sg-01234567")
PEERS = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "::/0", *GROUPS, "111122223333/sg-01234567", "pl-01234567"])
TRAFFIC = st.sampled_from(
    [
        {"protocol": "all"},
        {"protocol": "tcp", "ports": 443},
        {"protocol": "tcp", "ports": "0-65535"},
        {"protocol": "udp", "ports": "1-2"},
        {"protocol": 50},
    ]
)
PINGS = st.sampled_from(
    [{"protocol": "icmp"}, {"protocol": "icmp", "icmp_type": 3}, {"protocol": "icmp", "icmp_type": 3, "icmp_code": 4}]
)


def rules(end: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.fixed_dictionaries({end: PEERS}, optional={"description": GROUP_TEXT})
    rule = st.builds(lambda traffic, others: traffic | others, TRAFFIC | PINGS, rule)
    return st.lists(rule, max_size=8, unique_by=lambda one: json.dumps({**one, "description": ""}, sort_keys=True))


def entries(end: str) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    def entry(action: str, traffic: dict[str, Any], network: str) -> dict[str, Any]:
        return {"action": action, **traffic, end: network}

    action = st.sampled_from(["allow", "deny"])
    networks = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8"])
    any_entry = st.builds(entry, action, TRAFFIC, networks | st.just("::/0")) | st.builds(
        entry, action, PINGS, networks
    )
    return st.dictionaries(st.integers(1, 32766).map(str), any_entry, max_size=6)


EVERYWHERE: dict[str, st.SearchStrategy[Any]] = {
    "enforcement": st.sampled_from(["correct", "report", "ignore"]),
    "note": TEXT,
    "tags": st.dictionaries(
        st.text("abc.:/=+-@_ é", min_size=1, max_size=9), st.text("abc 1é", max_size=9), max_size=4
    ),
}
RENAMED = {"formerly": NAMES}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f5c2a10-0000-4000-8000-1a2b3c4d5e6f"
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "vpc": RENAMED
    | {
        "cidr_block": st.just("10.0.0.0/16"),
        "secondary_cidr_blocks": st.lists(
            st.sampled_from(["100.64.0.0/16", "10.1.0.0/20", "10.2.0.0/28"]), unique=True
        ),
        "enable_dns_support": st.just(True),
        "enable_dns_hostnames": st.booleans(),
    },
    "internet_gateway": RENAMED | {"vpc": st.just(str(VPC))},
    "subnet": RENAMED
    | {
        "cidr_block": st.sampled_from(["10.0.1.0/24", "10.0.0.0/28"]),
        "availability_zone": st.sampled_from(["eu-central-1a", "eu-central-1-ham-1a"]),
        "map_public_ip_on_launch": st.booleans(),
    },
    "route_table": RENAMED
    | {
        "main": st.booleans(),
        "routes": st.dictionaries(
            st.sampled_from(["0.0.0.0/0", "10.9.0.0/16", "::/0", "pl-01234567"]),
            st.sampled_from(["internet_gateway/x", "igw-01234567", "nat-01234567", "vpce-0123456789abcdef0"]),
        ),
        "subnets": SUBNETS,
    },
    "security_group": RENAMED | {"description": GROUP_TEXT, "ingress": rules("source"), "egress": rules("destination")},
    "network_acl": RENAMED
    | {
        "is_default": st.booleans(),
        "ingress": entries("source"),
        "egress": entries("destination"),
        "subnets": SUBNETS,
    },
    "db_subnet_group": {
        "description": st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255),
        "subnets": SUBNETS.map(lambda chosen: [*chosen, "subnet-fedcba98"]),
    },
    "db_instance": {
        "engine": st.just("postgres"),
        "engine_version": st.sampled_from(["16", "16.4"]),
        "db_instance_class": st.sampled_from(["db.t3.micro", "db.r6g.16xlarge"]),
        "storage_type": st.just("gp3"),
        "allocated_storage": st.integers(400, 3072),
        "max_allocated_storage": st.just(0) | st.integers(3400, 65536),
        "iops": st.integers(12000, 64000),
        "storage_throughput": st.integers(500, 4000),
        "kms_key": st.just(KEY),
        "storage_encrypted": st.just(True),
        "db_name": st.sampled_from(["orders", "A_1"]),
        "master_username": st.sampled_from(["postgres", "me"]),
        "manage_master_user_password": st.just(True),
        "port": st.integers(1150, 65535),
        "multi_az": st.booleans(),
        "publicly_accessible": st.booleans(),
        "db_subnet_group": st.sampled_from(["db_subnet_group/x", "db_subnet_group/default"]),
        "vpc_security_groups": st.lists(st.sampled_from(GROUPS), min_size=1, unique=True),
        "backup_retention_period": st.integers(0, 35),
        "preferred_backup_window": st.sampled_from(["17:00-17:30", "23:45-00:15"]),
        "preferred_maintenance_window": st.sampled_from(["sun:18:00-sun:18:30", "sat:01:00-sat:02:00"]),
        "auto_minor_version_upgrade": st.booleans(),
        "copy_tags_to_snapshot": st.booleans(),
        "deletion_protection": st.booleans(),
        "enabled_cloudwatch_logs_exports": st.lists(
            st.sampled_from(["postgresql", "upgrade", "iam-db-auth-error"]), unique=True
        ),
        "monitoring_interval": st.sampled_from([1, 60]),
        "monitoring_role": st.just("arn:aws:iam::123456789012:role/service-role/rds-monitoring-role"),
        "performance_insights_enabled": st.just(True),
        "performance_insights_retention_period": st.sampled_from([465, 713, 731]),
        "performance_insights_kms_key": st.just(KEY),
        "ca_certificate_identifier": st.sampled_from(["rds-ca-rsa2048-g1", "rds-ca-ecc384-g1"]),
        "iam_database_authentication": st.booleans(),
        "db_parameter_group": st.sampled_from(["default.postgres16", "orders-16"]),
        "network_type": st.sampled_from(["IPV4", "DUAL"]),
        "database_insights_mode": st.sampled_from(["standard", "advanced"]),
        "dedicated_log_volume": st.just(False),
        "engine_lifecycle_support": st.sampled_from(
            ["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"]
        ),
    },
}
TOGETHER = (
    {"monitoring_interval", "monitoring_role"},
    {"performance_insights_enabled", "performance_insights_retention_period", "performance_insights_kms_key"},
)
"""Fields that a document has together or not at all."""


def models(kind: str) -> st.SearchStrategy[Resource]:
    """Models of a kind: with every field, and with some. What a document fills in itself (the enforcement, the VPC of a
    gateway) is always given.
    """
    model, fields = SECTIONS[kind], EVERYWHERE | FIELDS[kind]
    always = {"enforcement", "vpc", *model.required, *(set().union(*TOGETHER) if kind == "db_instance" else ())}
    some = st.fixed_dictionaries(
        {name: one for name, one in fields.items() if name in always},
        optional={name: one for name, one in fields.items() if name not in always},
    )
    return (st.fixed_dictionaries(fields) | some).map(model.model_validate)


def test_every_field_of_every_kind_goes_round() -> None:
    found = {kind: {*EVERYWHERE, *fields} for kind, fields in FIELDS.items()}
    assert found == {
        kind: set(model.model_fields) - ({"formerly"} if model.never_renamed else set())
        for kind, model in SECTIONS.items()
    }


EXTERNAL = (
    "subnet/x",
    "subnet/y y",
    "subnet/PrivateSubnet1",
    "security_group/x",
    "security_group/y y",
    "db_subnet_group/x",
    "db_subnet_group/default",
)


def goes_round(kind: str, model: Resource) -> None:
    """The model, written into a document and loaded, is itself again; what it refers to is external."""
    section, scope = as_section(model), {"account_id": "123456789012", "region": "eu-central-1"}
    assert section.keys() == {name for name in type(model).model_fields if getattr(model, name) not in (None, ())}
    gateway = () if kind == "internet_gateway" else ("internet_gateway/x",)
    document = {
        "version": 1,
        "name": "shop",
        "revision": 1,
        "scope": scope if kind == "vpc" else scope | {"vpc_id": VPC.name},
        "external": {address: {"document": "network"} for address in (*EXTERNAL, *gateway)},
        "resources": {kind: {"it": section}},
    }
    data = write(document)
    assert load(data, "shop.json").resources[Address.of(kind, "it")] == model
    assert json.loads(data) == document


@settings(max_examples=12)
@pytest.mark.parametrize("kind", FIELDS)
@given(st.data())
def test_a_model_goes_round(kind: str, data: st.DataObject) -> None:
    goes_round(kind, data.draw(models(kind)))


@pytest.mark.long
@settings(max_examples=500)
@pytest.mark.parametrize("kind", FIELDS)
@given(st.data())
def test_a_model_goes_round_at_length(kind: str, data: st.DataObject) -> None:
    goes_round(kind, data.draw(models(kind)))
