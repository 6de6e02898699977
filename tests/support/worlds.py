"""Documents and looks made by hand: what the tests of the pure core are fed with. No AWS and no emulator.

`written` draws a whole document from a `Random`, so that one generator serves seeded samples and hypothesis alike;
`seen` is the look at a network that is exactly as a document says, under made-up ids.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

import desired_state
from desired_state.database import DbInstance
from desired_state.document import Document
from desired_state.fields import AclEntry, Address
from desired_state.load import load
from desired_state.members import Subnets
from desired_state.network import NetworkAcl, RouteTable
from desired_state.resource import Resource
from desired_state.rules import EgressEntries, IngressEntries, Routes
from reconciler.engine.diff import diff, wanted
from reconciler.engine.plan import Plan, make_plan
from reconciler.kinds import REGISTRY
from reconciler.kinds.db_instance.settings import Facts as InstanceFacts
from reconciler.kinds.db_subnet_group import Facts as GroupFacts
from reconciler.kinds.network_acl.calls import Facts as AclFacts
from reconciler.kinds.route_table.observed import Facts as TableFacts
from reconciler.kinds.subnet import Facts as SubnetFacts
from reconciler.model import Change, Observed, Policy, Ref, Snapshot, Unmanaged
from reconciler.model.kind import PlanContext, VpcFacts

EXAMPLES = Path(desired_state.__file__).parent / "examples"
REFERENCE: dict[str, Any] = json.loads((EXAMPLES / "test-server.json").read_text(encoding="utf-8"))
MORNING = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

ALL_ENTRIES = {100: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")}

VPC = Address("vpc/MyVPC")
GATEWAY = Address("internet_gateway/MyInternetGateway")
WEB, APP, DB = (Address(f"security_group/{name}") for name in ("APIGatewaySG", "TestServerSG", "DBSG"))
OUTSIDE, INSIDE = Address("network_acl/PublicSubnetACL"), Address("network_acl/PrivateSubnetACL")
OUT, IN = Address("route_table/PublicRouteTable"), Address("route_table/PrivateRouteTable")
FRONT, BACK1, BACK2 = (Address(f"subnet/{name}") for name in ("PublicSubnet1", "PrivateSubnet1", "PrivateSubnet2"))
DATABASE, SUBNET_GROUP = Address("db_instance/mypostgresqldb"), Address("db_subnet_group/mydbsubnetgroup")

_PREFIXES = {
    "vpc": "vpc",
    "internet_gateway": "igw",
    "subnet": "subnet",
    "route_table": "rtb",
    "security_group": "sg",
    "network_acl": "acl",
}


def document(written: dict[str, Any] | None = None, **sections: Any) -> Document:
    """The document of a dict, or the reference with some of its sections replaced (None: left out)."""
    whole = deepcopy(written or REFERENCE)
    for kind, section in sections.items():
        if section is None:
            del whole["resources"][kind]
        else:
            whole["resources"][kind] = section
    if sections:
        whole.pop("intents", None)
        whole.pop("workloads", None)
    return load(json.dumps(whole).encode(), "test.json")


def of_groups(**groups: Any) -> Document:
    """A document of one VPC and some security groups."""
    return document(
        {
            "version": 1,
            "name": "shop",
            "revision": 1,
            "scope": {"account_id": "123456789012", "region": "ap-northeast-2"},
            "resources": {"vpc": {"MyVPC": {"cidr_block": "10.0.0.0/16"}}, "security_group": groups},
        }
    )


def aws_id(address: Address) -> str:
    """A made-up id, always the same for an address; databases are called by their names."""
    prefix = _PREFIXES.get(address.kind)
    return f"{prefix}-{zlib.crc32(address.encode()):017x}" if prefix else address.name


def seen(declared: Document, *, only: Iterable[Address] | None = None, vpc: Address = VPC) -> Snapshot:
    """The look at a network that is as `declared` says; with `only`, nothing else is there."""
    found = set(declared.resources if only is None else only)
    resources = {
        at: Observed(aws_id(at), _live(declared, at), _facts(declared, at, vpc), usable=_usable(declared, at, vpc))
        for at in declared.resources
        if at in found
    }
    handles = {Ref(at): aws_id(at) for at in resources}
    if vpc in resources:
        handles |= {Ref(vpc, "main_route_table_association"): "rtbassoc-0", Ref(vpc, "default_network_acl"): "acl-0"}
    for at, one in resources.items():
        if at.kind == "internet_gateway" and getattr(one.spec, "vpc", None) == vpc:
            handles[Ref(vpc, "internet_gateway")] = one.id
        if at.kind in {"route_table", "network_acl"}:
            for subnet in getattr(one.spec, "subnets", None) or ():
                handles[Ref(subnet, f"{at.kind}_association")] = f"assoc-{zlib.crc32((at + subnet).encode()):08x}"
        if at.kind == "subnet":
            handles.setdefault(Ref(at, "network_acl_association"), f"aclassoc-{zlib.crc32(at.encode()):08x}")
    return Snapshot(resources, handles, {}, {}, (), MORNING, neighbours=_neighbours(resources))


def _neighbours(resources: Mapping[Address, Observed]) -> dict[tuple[str, str], Observed | None]:
    """The main table and the default ACL that AWS makes with every VPC, where nobody declares them."""
    found: dict[tuple[str, str], Observed | None] = {}
    if not any(at.kind == "vpc" for at in resources):
        return found
    if not any(getattr(one.spec, "main", False) for one in resources.values()):
        found["route_table", "rtb-0"] = Observed("rtb-0", RouteTable(main=True, routes=Routes()), TableFacts())
    if not any(getattr(one.spec, "is_default", False) for one in resources.values()):
        acl = NetworkAcl(is_default=True, ingress=IngressEntries(ALL_ENTRIES), egress=EgressEntries(ALL_ENTRIES))
        found["network_acl", "acl-0"] = Observed("acl-0", acl, AclFacts())
    return found


def _usable(declared: Document, at: Address, vpc: Address) -> bool:
    return at.kind != "internet_gateway" or getattr(declared.resources[at], "vpc", None) == vpc


def _live(declared: Document, at: Address) -> Resource:
    """What AWS would show of a resource that is as declared: nothing is left out."""
    spec = wanted(declared, Policy(), at, REGISTRY[at.kind], missing=False)
    empty = {"route_table": {"main": False}, "network_acl": {"is_default": False}}.get(at.kind, {})
    known: dict[str, Any] = {name: value for name, value in empty.items() if getattr(spec, name) is None}
    return spec.but(**known)


def _facts(declared: Document, at: Address, vpc: Address) -> Any:
    spec = declared.resources[at]
    if isinstance(spec, DbInstance):
        now = {"publicly_accessible": None, **{name: getattr(spec, name) for name in spec.described()}}
        groups = frozenset(spec.vpc_security_groups or ())
        return InstanceFacts(now, frozenset(), "available", aws_id(vpc), aws_id(vpc), groups)
    known: dict[str, Any] = {
        "db_subnet_group": GroupFacts(aws_id(vpc), aws_id(vpc)),
        "network_acl": AclFacts(),
        "route_table": TableFacts(frozenset({"10.0.0.0/16"})),
        "subnet": SubnetFacts(),
        "vpc": VpcFacts(frozenset({"10.0.0.0/16"})),
    }
    return known.get(at.kind)


def drifted(snapshot: Snapshot, address: Address, **fields: Any) -> Snapshot:
    """The same look with other live values in one resource. What `Observed` and its facts have beside the model
    (`status`, `creating`, `remarks`, the names of the facts) may be among them; `elsewhere` is what subnets use
    instead that nobody declares.
    """
    neighbours = dict(snapshot.neighbours)
    for subnet, spec in fields.pop("elsewhere", {}).items():
        other = replace(snapshot.resources[address], id=f"other-{subnet}", spec=spec.but(subnets=Subnets([subnet])))
        neighbours[address.kind, other.id] = other
    one = snapshot.resources[address]
    beside = {name: fields.pop(name) for name in ("status", "creating", "remarks", "usable") if name in fields}
    facts = {name: fields.pop(name) for name in getattr(one.facts, "_fields", ()) if name in fields}
    changed = replace(one, spec=one.spec.but(**fields), **beside)
    if address.kind == "internet_gateway":
        changed = replace(changed, usable=changed.spec.vpc == VPC)
    if facts:
        changed = replace(changed, facts=one.facts._replace(**facts))
    return replace(snapshot, resources={**snapshot.resources, address: changed}, neighbours=neighbours)


def missing(snapshot: Snapshot, *addresses: Address) -> Snapshot:
    """The same look without some resources, and without their handles."""
    resources = {at: one for at, one in snapshot.resources.items() if at not in addresses}
    handles = {ref: one for ref, one in snapshot.handles.items() if ref.to not in addresses}
    return replace(snapshot, resources=resources, handles=handles)


def beside(snapshot: Snapshot, *unmanaged: Unmanaged) -> Snapshot:
    """The same look with unmanaged resources; those that are owned have handles."""
    handles = {**snapshot.handles, **{Ref(one.address): one.id for one in unmanaged if one.owned}}
    return replace(snapshot, unmanaged=unmanaged, handles=handles)


def context(declared: Document, snapshot: Snapshot, policy: Policy | None = None) -> PlanContext:
    return PlanContext(declared, snapshot, policy or Policy())


def changes(declared: Document, snapshot: Snapshot, policy: Policy | None = None) -> tuple[Change, ...]:
    return diff(declared, snapshot, context(declared, snapshot, policy), REGISTRY)


def plan(
    declared: Document, snapshot: Snapshot, policy: Policy | None = None, only: frozenset[Address] | None = None
) -> Plan:
    """The plan from a look to a document."""
    return make_plan(changes(declared, snapshot, policy), context(declared, snapshot, policy), only)


_CIDRS = ("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.128/25", "203.0.113.0/24")
_PEERS = (
    *_CIDRS,
    "::/0",
    "2001:db8::/32",
    "security_group/APIGatewaySG",
    "security_group/DBSG",
    "sg-0a1b2c3d4e5f60718",
    "111122223333/sg-0a1b2c3d",
    "pl-0a1b2c3d",
)
_TRAFFIC: tuple[dict[str, Any], ...] = (
    {"protocol": "all"},
    {"protocol": "tcp", "ports": "0-65535"},
    {"protocol": "tcp", "ports": 22},
    {"protocol": "tcp", "ports": 443},
    {"protocol": "tcp", "ports": "1024-65535"},
    {"protocol": "udp", "ports": 53},
    {"protocol": 47},
)
_PING: tuple[dict[str, Any], ...] = (
    {"protocol": "icmp"},
    {"protocol": "icmp", "icmp_type": 8},
    {"protocol": "icmp", "icmp_type": 3, "icmp_code": 4},
)
_TARGETS = ("internet_gateway/MyInternetGateway", "nat-0a1b2c3d", "pcx-0a1b2c3d", "tgw-0a1b2c3d", "eni-0a1b2c3d")
_DESTINATIONS = (*_CIDRS[:2], "10.1.0.0/16", "203.0.113.0/24", "pl-0a1b2c3d", "::/0")


def written(random: Random) -> dict[str, Any]:
    """A document about the addresses of the reference, with everything in them that can be changed changed."""
    whole = deepcopy(REFERENCE)
    whole.pop("intents")
    whole.pop("workloads")
    parts: dict[str, Any] = whole["resources"]
    support = random.random() < 0.8
    parts["vpc"]["MyVPC"] |= {"enable_dns_support": support, "enable_dns_hostnames": support and random.random() < 0.5}
    for section in parts.values():
        for one in section.values():
            if random.random() < 0.3:
                one["tags"] = {"team": random.choice(("shop", "ops"))}
    for subnet in parts["subnet"].values():
        subnet["map_public_ip_on_launch"] = random.random() < 0.5
    for group in parts["security_group"].values():
        for side, end in (("ingress", "source"), ("egress", "destination")):
            group[side] = _rules(random, end)
    for kind, names in (("route_table", ("", *parts["route_table"])), ("network_acl", ("", *parts["network_acl"]))):
        homes = {f"subnet/{subnet}": random.choice(names) for subnet in parts["subnet"]}
        for name, one in parts[kind].items():
            one["subnets"] = [subnet for subnet, home in homes.items() if home == name]
    for table in parts["route_table"].values():
        chosen = random.sample(_DESTINATIONS, random.randint(0, 3))
        table["routes"] = {destination: random.choice(_TARGETS) for destination in chosen}
    for acl in parts["network_acl"].values():
        for side, end in (("ingress", "source"), ("egress", "destination")):
            acl[side] = _entries(random, end)
    _databases(random, parts)
    return whole


def _rules(random: Random, end: str) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = {}
    for _ in range(random.randint(0, 4)):
        rule = {**random.choice((*_TRAFFIC, *_PING)), end: random.choice(_PEERS)}
        said = {"description": random.choice(("a", "b"))} if random.random() < 0.7 else {}
        rules[json.dumps(rule, sort_keys=True)] = rule | said
    return list(rules.values())


def _entries(random: Random, end: str) -> dict[str, dict[str, Any]]:
    entries = {}
    for number in random.sample((50, 100, 101, 110, 120, 130), random.randint(0, 4)):
        cidr = random.choice((*_CIDRS, "::/0"))
        what = random.choice(_TRAFFIC if ":" in cidr else (*_TRAFFIC, *_PING))
        entries[str(number)] = {"action": random.choice(("allow", "allow", "deny")), **what, end: cidr}
    return entries


def _databases(random: Random, parts: dict[str, Any]) -> None:
    database = parts["db_instance"]["mypostgresqldb"]
    groups = [f"security_group/{name}" for name in parts["security_group"]]
    database |= {
        "vpc_security_groups": random.sample(groups, random.randint(1, 2)),
        "multi_az": random.random() < 0.5,
        "backup_retention_period": random.choice((1, 7)),
        "deletion_protection": random.random() < 0.5,
        "db_instance_class": random.choice(("db.t3.micro", "db.t3.small")),
        "allocated_storage": random.choice((20, 40)),
        "port": random.choice((5432, 5433)),
    }
    parts["db_subnet_group"]["mydbsubnetgroup"]["description"] = random.choice(("Two", "Private subnets"))


documents = st.randoms(use_true_random=False).map(lambda random: document(written(random)))
"""Documents about the same addresses; hypothesis shrinks the choices that `written` makes."""


@cache
def drawn(seed: int) -> tuple[Document, Snapshot, Plan]:
    """A declared network, another live one, and the plan from this to that: a second each, so they are shared."""
    declared, fact = (document(written(Random(f"{seed} {which}"))) for which in ("declared", "live"))
    return declared, seen(fact), plan(declared, seen(fact))
