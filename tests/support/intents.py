"""Small networks as documents, and what their intents come to: what the tests of intents share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.load import load
from desired_state.resource import Resource
from reconciler.engine.intents import JudgedIntents
from reconciler.kinds import REGISTRY
from reconciler.model import Effect
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Verdict, judge
from reconciler.reach.judge.offline import offline

OPEN = {"protocol": "all", "source": "0.0.0.0/0"}
OUT = {"protocol": "all", "destination": "0.0.0.0/0"}


def rule(ports: int | str, source: str = "0.0.0.0/0", protocol: str = "tcp") -> dict[str, Any]:
    return {"protocol": protocol, "ports": ports, "source": source}


def entries(*written: dict[str, Any], action: str = "allow") -> dict[str, Any]:
    """Entries under 100, 110, ..."""
    return {str(100 + 10 * n): {"action": action} | one for n, one in enumerate(written)}


NETWORK: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "revision": 1,
    "scope": {"account_id": "123456789012", "region": "eu-central-1"},
    "resources": {
        "vpc": {"main": {"cidr_block": "10.0.0.0/16", "enable_dns_support": True, "enable_dns_hostnames": True}},
        "internet_gateway": {"door": {}},
        "subnet": {
            "front": {
                "cidr_block": "10.0.1.0/24",
                "availability_zone": "eu-central-1a",
                "map_public_ip_on_launch": True,
            },
            "back": {"cidr_block": "10.0.2.0/24", "availability_zone": "eu-central-1a"},
            "data-a": {"cidr_block": "10.0.3.0/24", "availability_zone": "eu-central-1a"},
            "data-b": {"cidr_block": "10.0.4.0/24", "availability_zone": "eu-central-1b"},
        },
        "route_table": {
            "public": {"routes": {"0.0.0.0/0": "internet_gateway/door"}, "subnets": ["subnet/front"]},
            "private": {
                "main": True,
                "routes": {},
                "subnets": ["subnet/back", "subnet/data-a", "subnet/data-b"],
            },
        },
        "security_group": {
            "web": {"ingress": [rule(443)], "egress": [OUT]},
            "app": {"ingress": [rule(8000, "security_group/web")], "egress": [OUT]},
            "data": {"ingress": [rule(5432, "security_group/app")], "egress": []},
        },
        "network_acl": {
            "all": {
                "is_default": True,
                "ingress": entries(OPEN),
                "egress": entries(OUT),
                "subnets": ["subnet/front", "subnet/back", "subnet/data-a", "subnet/data-b"],
            }
        },
        "db_subnet_group": {"data": {"description": "two zones", "subnets": ["subnet/data-a", "subnet/data-b"]}},
        "db_instance": {
            "orders": {
                "publicly_accessible": False,
                "db_subnet_group": "db_subnet_group/data",
                "vpc_security_groups": ["security_group/data"],
            }
        },
    },
    "workloads": {
        "api": {"subnets": ["subnet/front"], "security_groups": ["security_group/web"]},
        "server": {"subnets": ["subnet/back"], "security_groups": ["security_group/app"], "public_address": False},
    },
}
"""A front door, a back end and a database, everything declared, so that no verdict rests on anything."""
DB = "db_instance/orders"


def network(*changes: tuple[str, Any], intents: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """NETWORK with values at paths of keys joined by dots; None takes a key out. Names have no dot."""
    written: dict[str, Any] = deepcopy(NETWORK)
    for path, value in changes:
        *above, key = path.split(".")
        inner = written if above[:1] == ["workloads"] else written["resources"]
        for step in above:
            inner = inner.setdefault(step, {})
        if value is None:
            inner.pop(key, None)
        else:
            inner[key] = value
    written["intents"] = [
        {"name": f"intent {number}", "expect": "blocked"} | dict(one) for number, one in enumerate(intents)
    ]
    return written


def document(written: Mapping[str, Any]) -> Document:
    return load(json.dumps(written).encode(), "shop.json")


def means(address: Address, spec: Resource) -> Iterable[Effect]:
    return REGISTRY[address.kind].traffic.effects(address, spec, None)


def context_of(found: Document) -> JudgeContext:
    return offline(found, means)


def after(context: JudgeContext, effects: Iterable[Effect]) -> JudgeContext:
    """The same machines, in a network with other members."""
    return replace(context, topology=context.topology.after(context.topology.network.after(effects)))


def judged(*changes: tuple[str, Any], intents: Iterable[Mapping[str, Any]]) -> list[Verdict]:
    found = document(network(*changes, intents=intents))
    return list(judge(found.intents, context_of(found)))


def verdict(intent: Mapping[str, Any], *changes: tuple[str, Any]) -> Verdict:
    (found,) = judged(*changes, intents=[intent])
    return found


def status(intent: Mapping[str, Any], *changes: tuple[str, Any]) -> str:
    return str(verdict(intent, *changes).status)


def pairs(found: Verdict) -> Iterator[tuple[str, str]]:
    return ((case.source.label, case.target.label) for case in found.cases)


CLOSED = {"name": "nobody reaches the back end", "from": "internet", "to": "server"}
OPENED = (
    ("security_group.app.ingress", [rule(22)]),
    ("workloads.server", {"subnets": ["subnet/front"], "security_groups": ["security_group/app"]}),
)
"""Changes of NETWORK that break CLOSED."""


def known(
    intent: Mapping[str, Any] = CLOSED,
    *,
    before: Iterable[tuple[str, Any]] = (),
    now: Iterable[tuple[str, Any]] = (),
) -> JudgedIntents:
    """What a run found of one intent: at its first look and at its last, each NETWORK with these changes."""
    contexts = [context_of(document(network(*changes, intents=[intent]))) for changes in (before, now)]
    found = document(network(intents=[intent]))
    first, last = (judge(found.intents, context) for context in contexts)
    return JudgedIntents(found, first, last, last, contexts[1])
