"""Workloads that a new document proposes: one for each set of groups that machines carry, with their subnets. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

from desired_state.fields import Address
from desired_state.intents import WORDS
from reconciler.importing.naming import natural, sayable
from reconciler.model.read import Item

_BALANCER = re.compile(r"ELB (?:(?:app|net|gwy)/)?([A-Za-z0-9-]+)(?:/[0-9a-f]+)?")
"""The description of a load balancer's interface: `ELB app/<name>/<id>`, of a classic one `ELB <name>` (Elastic Load
Balancing user guides, network interfaces of load balancers).
"""
_FUNCTION = re.compile(r"AWS Lambda VPC ENI-(.+?)(?:-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?")
"""The description of a function's interface (Lambda developer guide, network interfaces of functions)."""
_TASK = "arn:aws"
"""How the description of the interface of an ECS task begins: the ARN of its attachment (ECS developer guide)."""


def proposed(
    interfaces: Iterable[Item], names: Mapping[str, Address], taken: Collection[str] = ()
) -> dict[str, dict[str, list[str]]]:
    """The workloads by name, as a document writes them. `names` are the addresses of groups and subnets by id, `taken`
    the names of workloads that there are.
    """
    sets: dict[frozenset[str], list[Item]] = defaultdict(list)
    for item in interfaces:
        groups = frozenset(str(one["GroupId"]) for one in item.get("Groups", ()))
        if groups and is_machine(item):
            sets[groups].append(item)
    called: dict[str, list[frozenset[str]]] = defaultdict(list)
    for groups, items in sets.items():
        called[_name(items) or _of_groups(items)].append(groups)
    found: dict[str, dict[str, list[str]]] = {}
    for name in sorted(called):
        for groups in sorted(called[name], key=sorted):
            ends = "-".join(sorted(one[-4:] for one in groups))
            whole = "-".join(sorted(groups))
            alone = len(called[name]) == 1
            choices = (*([name] if alone else []), f"{name}-{ends}", f"{name}-{whole}", whole)
            unique = next((one for one in choices if one not in found and one not in taken), whole)
            found[unique] = {
                "subnets": sorted({_said(str(item["SubnetId"]), names) for item in sets[groups]}, key=natural),
                "security_groups": sorted((_said(group, names) for group in groups), key=natural),
            }
    return {name: found[name] for name in sorted(found, key=natural)}


def with_any(
    found: Mapping[str, Mapping[str, list[str]]], groups: Container[Address]
) -> dict[str, Mapping[str, list[str]]]:
    """The workloads that have any of these groups."""
    return {name: one for name, one in found.items() if any(at in groups for at in one["security_groups"])}


def is_machine(item: Item) -> bool:
    """Whether something that people run stands behind an interface: an instance, a balancer, a function or a task. Not
    a database, a NAT gateway, an endpoint, or an interface that nothing uses.
    """
    if item.get("Status") != "in-use":
        return False
    description = str(item.get("Description", ""))
    if (item.get("Attachment") or {}).get("InstanceId"):
        return True
    return bool(_BALANCER.fullmatch(description) or _FUNCTION.fullmatch(description)) or description.startswith(_TASK)


def _name(items: list[Item]) -> str:
    """The balancer or function behind all of these interfaces; empty if there is no such one."""
    names = {_of_description(str(item.get("Description", ""))) for item in items}
    name = names.pop() if len(names) == 1 else ""
    return "" if name in WORDS else name


def _of_description(description: str) -> str:
    match = _BALANCER.fullmatch(description) or _FUNCTION.fullmatch(description)
    return sayable(match[1]).replace("/", "-") if match else ""


def _of_groups(items: list[Item]) -> str:
    groups: dict[str, Any] = {str(one["GroupId"]): one.get("GroupName") for one in items[0]["Groups"]}
    words = sorted((sayable(str(name or one)) for one, name in groups.items()), key=natural)
    name = "-".join(words).replace("/", "-")
    return f"{name}-group" if name in WORDS else name


def _said(aws_id: str, names: Mapping[str, Address]) -> str:
    return str(names.get(aws_id, aws_id))
