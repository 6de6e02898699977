"""Checks across the parts of a document. `reading.py` calls `findings` with everything that loaded.

A resource that failed to load is not missing: references to it are not reported. `limits.py` checks what AWS would
refuse of single resources and of their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state import adoption, intent_checks, limits
from desired_state.explain import Violation, by_kind, not_declared
from desired_state.fields import Address, RuleKey, shown
from desired_state.members import References
from desired_state.network import NetworkAcl, RouteTable
from desired_state.resource import Resource
from desired_state.rules import Routes, Rules

if TYPE_CHECKING:
    from desired_state.document import DocumentException, External, Scope
    from desired_state.intents import Intent, Workload
    from desired_state.strict_json import Path


class Parts(NamedTuple):
    """Everything in a document that loaded; `declared` has all resources, whether they loaded or not.

    `named` are the names of the workloads, None if they cannot be known.
    """

    name: str | None
    formerly: tuple[str, ...]
    scope: Scope | None
    adopt: Mapping[Address, str]
    external: Mapping[Address, External]
    resources: Mapping[Address, Resource]
    declared: Mapping[Address, Path]
    intents: Mapping[Path, Intent]
    workloads: Mapping[Path, Workload]
    named: frozenset[str] | None
    exceptions: Mapping[Path, DocumentException]


def findings(parts: Parts) -> Iterator[Violation]:
    """Everything that is wrong between the parts, in no order."""
    yield from _one_of_each(parts)
    yield from _dangling(parts)
    yield from _claims(parts)
    yield from limits.findings(parts.resources, parts.external, parts.scope.region if parts.scope else None)
    yield from adoption.findings(parts)
    yield from intent_checks.findings(parts)
    yield from _exceptions(parts)


def references(resource: Resource) -> Iterator[tuple[Path, str]]:
    """(path below the resource, address) of each reference to another resource of the document."""
    for field in resource.described():
        value = getattr(resource, field)
        if isinstance(value, Address):
            yield (field,), value
        elif isinstance(value, Rules):
            for index, key in enumerate(value):
                if key.peer.startswith("security_group/"):
                    yield (field, index, value.end), key.peer
        elif isinstance(value, Routes):
            yield from (((field, to), via) for to, via in value.items() if isinstance(via, Address))
        elif isinstance(value, References):
            yield from (((field, member), member) for member in value if "/" in member)


def _one_of_each(parts: Parts) -> Iterator[Violation]:
    """One VPC, one internet gateway (EC2: one per VPC), one main route table, one default network ACL."""
    vpcs = [(at, path) for at, path in parts.declared.items() if at.kind == "vpc"]
    if not vpcs and parts.scope:
        hint = 'declare one under "vpc", or name it in scope.vpc_id'
        yield Violation(("resources",), "the document has no VPC", hint)
    gateways = [(at, path) for at, path in parts.declared.items() if at.kind == "internet_gateway"]
    tables = ((at, it) for at, it in parts.resources.items() if isinstance(it, RouteTable))
    mains = [(at, (*_at(at), "main")) for at, table in tables if table.main]
    defaults = [
        (at, (*_at(at), "is_default"))
        for at, it in parts.resources.items()
        if isinstance(it, NetworkAcl) and it.is_default
    ]
    for of_kind in (vpcs, gateways):  # what stands under an unknown kind may be something else
        of_kind[:] = [(at, path) for at, path in of_kind if path[0] != "resources" or path[1] == at.kind]
    for found, what, hint in (
        (vpcs, "VPC", "a document describes one VPC: write a document for each"),
        (gateways, "internet gateway", "a VPC has only one: remove one"),
        (mains, "main route table", "a VPC has only one: set main on one table"),
        (defaults, "default network ACL", "a VPC has only one: set is_default on one ACL"),
    ):
        for _, path in found[1:]:
            problem = f"a second {what} besides {shown(found[0][0])}"
            yield Violation(path, problem, hint, on_key=path[-1] not in {"main", "is_default"})


def _dangling(parts: Parts) -> Iterator[Violation]:
    names = by_kind(parts.declared)
    for address, resource in parts.resources.items():
        for below, target in references(resource):
            if target not in parts.declared:
                yield not_declared((*_at(address), *below), target, names)
    for at, workload in parts.workloads.items():
        for field in ("subnets", "security_groups"):
            for member in getattr(workload, field):
                if "/" in member and member not in parts.declared:
                    yield not_declared((*at, field, member), member, names)
    for at, exception in parts.exceptions.items():
        for target in _referred(exception.value):
            if target not in parts.declared:
                yield not_declared((*at, "value"), target, names)


def _referred(value: Any) -> Iterator[str]:
    """The addresses in the value of an exception."""
    if isinstance(value, RuleKey):
        yield from (peer for peer in (value.peer,) if peer.startswith("security_group/"))
    elif isinstance(value, Address):
        yield from (one for one in (value,) if "/" in one)
    elif isinstance(value, tuple):
        yield from (one for one in value if isinstance(one, Address))


def _claims(parts: Parts) -> Iterator[Violation]:
    """A subnet uses one route table and one network ACL."""
    for kind, what in (("route_table", "route table"), ("network_acl", "network ACL")):
        claimed: dict[Address, Address] = {}
        for address, resource in parts.resources.items():
            if address.kind == kind:
                for subnet in getattr(resource, "subnets", None) or ():
                    first = claimed.setdefault(subnet, address)
                    if first != address:
                        problem = f"{shown(subnet)} already has a {what}, {shown(first)}"
                        hint = f"a subnet has only one: list it in one {what}"
                        yield Violation((*_at(address), "subnets", subnet), problem, hint)


def _exceptions(parts: Parts) -> Iterator[Violation]:
    first: dict[tuple[Address, str, Any], Path] = {}
    for at, one in parts.exceptions.items():
        if first.setdefault((one.address, one.field, one.value), at) != at:
            yield Violation(at, "a duplicate exception", "keep the one with the right date")


def _at(address: Address) -> Path:
    return ("resources", address.kind, address.name)
