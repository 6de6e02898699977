"""Checks of what a document says about who is who: `adopt`, `formerly` and `external`. `checks.py` calls `findings`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from desired_state.document import NEW
from desired_state.explain import Violation
from desired_state.fields import Address, RuleKey, nearest, shown
from desired_state.members import References
from desired_state.resource import SECTIONS, Refusal, Resource
from desired_state.rules import Routes, Rules

if TYPE_CHECKING:
    from desired_state.checks import Parts
    from desired_state.document import External
    from desired_state.strict_json import Path

_Ids = dict[tuple[str, str], Address]
"""(kind, id) -> the address that has this id."""


def address_problem(address: Address, declared: Mapping[Address, Path]) -> Refusal | None:
    """Why `external` cannot have this address; None if it can. `declared` has those of the document itself."""
    if "/" not in address:
        return f"{shown(address)} is not an address", "write <kind>/<name>, such as subnet/private-a"
    if address.kind not in SECTIONS:
        return f"unknown kind of resource {shown(address.kind)}", nearest(address.kind, SECTIONS)
    if address.kind == "vpc":
        return "a VPC cannot be external", "name it in scope.vpc_id"
    if address in declared:
        return f"{shown(address)} is also declared under resources", "take out one of the two"
    return None


def findings(parts: Parts) -> Iterator[Violation]:
    """Everything that is wrong with them, in no order."""
    own: dict[str, list[Address]] = {}
    for address, path in parts.declared.items():
        if path[0] == "resources":
            own.setdefault(address.kind, []).append(address)
    ids: _Ids = {}
    yield from _external(parts, ids)
    yield from _adopt(parts, own, ids)
    yield from _by_id(parts, ids)
    if parts.name in parts.formerly:
        at: Path = ("formerly", parts.formerly.index(parts.name))
        yield Violation(at, f"{shown(parts.name)} is the name of the document", "write earlier names only")
    yield from _formerly(parts, own)


def _external(parts: Parts, ids: _Ids) -> Iterator[Violation]:
    """What is wrong with `external`; adds its ids."""
    named: dict[tuple[str, str, str], Address] = {}
    for address, external in parts.external.items():
        at: Path = ("external", address)
        if (external.id is None) == (external.document is None):
            what = "neither an id nor a document" if external.id is None else "an id and a document"
            yield Violation(at, f"{shown(address)} has {what}", 'write either "id" or "document"')
        if external.name is not None and external.document is None:
            hint = 'leave it out, or write "document": the name is the one that it has there'
            yield Violation((*at, "name"), "a name without a document", hint)
        if external.document is not None:
            yield from _of_document(parts, address, external, named)
        if external.id is not None:
            model = SECTIONS[address.kind]
            if problem := model.id_form.problem(external.id) if model.id_form else model.name_problem(external.id):
                yield Violation((*at, "id"), *problem)
            yield from _taken((*at, "id"), external.id, address, ids)


def _of_document(
    parts: Parts, address: Address, external: External, named: dict[tuple[str, str, str], Address]
) -> Iterator[Violation]:
    at: Path = ("external", address)
    document, name = str(external.document), address.name if external.name is None else external.name
    if external.name is not None and (refused := SECTIONS[address.kind].name_problem(name)):
        yield Violation((*at, "name"), *refused)
    if document == parts.name:
        hint = "declare it under resources, or write the name of the document that owns it"
        yield Violation((*at, "document"), f"{shown(document)} is this document", hint)
    if (other := named.setdefault((address.kind, document, name), address)) != address:
        problem = f"{shown(other)} is {shown(name)} of the document {shown(document)} already"
        yield Violation(at, problem, "refer to it by one address", on_key=True)


def _adopt(parts: Parts, own: Mapping[str, list[Address]], ids: _Ids) -> Iterator[Violation]:
    """What is wrong with `adopt`; adds its ids."""
    vpc_id = parts.scope.vpc_id if parts.scope else None
    for address, aws_id in parts.adopt.items():
        at: Path = ("adopt", address)
        model = SECTIONS.get(address.kind)
        if address in parts.external:
            yield Violation(at, f"{shown(address)} is external", 'write its id there: { "id": "..." }', on_key=True)
        elif model is None or parts.declared.get(address, at)[0] != "resources":
            hint = nearest(address, own.get(address.kind) or [one for some in own.values() for one in some])
            yield Violation(at, f"{shown(address)} is not declared in this document", hint, on_key=True)
        elif refused := _id_problem(address, model, aws_id):
            yield Violation(at, *refused)
        elif address.kind == "vpc" and vpc_id not in {None, aws_id}:
            yield Violation(at, f"scope.vpc_id already says which VPC it is: {vpc_id}", "take out one of the two")
        elif aws_id != NEW:
            yield from _taken(at, aws_id, address, ids)


def _id_problem(address: Address, model: type[Resource], aws_id: str) -> Refusal | None:
    if aws_id == NEW and model.never_renamed:
        return f'a {address.kind} cannot be "{NEW}"', "leave it out: RDS knows it by its name"
    if aws_id == NEW:
        return None
    if model.id_form is None:
        if aws_id == address.name:
            return None
        return f"{shown(aws_id)} is not its name", "leave it out: RDS knows it by its name"
    problem = model.id_form.problem(aws_id)
    return problem and (problem[0], problem[1] if model.never_renamed else f'{problem[1]}, or "{NEW}"')


def _taken(at: Path, aws_id: str, address: Address, ids: _Ids) -> Iterator[Violation]:
    if (other := ids.setdefault((address.kind, aws_id), address)) != address:
        yield Violation(at, f"{shown(aws_id)} is {shown(other)} already", "write one address for each live resource")


def _by_id(parts: Parts, ids: _Ids) -> Iterator[Violation]:
    """References by an id that `adopt` or `external` gives an address: two words for one thing never read as equal."""
    known = {aws_id: address for (_, aws_id), address in ids.items()}
    if known:
        peers = any(kind == "security_group" for kind, _ in ids)  # only these cost a look at every rule
        for at, used in _used(parts, peers=peers):
            if used in known:
                yield Violation(at, f"{shown(used)} is {shown(known[used])}", f"write {shown(known[used])}")


def _used(parts: Parts, *, peers: bool) -> Iterator[tuple[Path, str]]:
    """Every address and id that is referred to, with its place; of rules only with `peers`."""
    for address, resource in parts.resources.items():
        for field in resource.described():
            at: Path = ("resources", address.kind, address.name, field)
            value = getattr(resource, field)
            if isinstance(value, References):
                yield from (((*at, member), member) for member in value)
            elif isinstance(value, Routes):
                yield from (((*at, to), via) for to, via in value.items())
            elif isinstance(value, Rules) and peers:
                yield from (((*at, index, value.end), key.peer) for index, key in enumerate(value))
    for place, workload in parts.workloads.items():
        for field in ("subnets", "security_groups"):
            yield from (((*place, field, member), member) for member in getattr(workload, field))
    for place, exception in parts.exceptions.items():
        value = exception.value
        if isinstance(value, RuleKey):
            yield (*place, "value"), value.peer
        elif isinstance(value, Address):
            yield (*place, "value"), value
        elif exception.field == "routes":
            yield (*place, "value"), value[1]


def _formerly(parts: Parts, own: Mapping[str, list[Address]]) -> Iterator[Violation]:
    """A former name belongs to one resource, and to none that is declared under it."""
    renamed = [(address, one) for address, one in parts.resources.items() if one.formerly]
    kinds = {address.kind for address, _ in renamed}
    declared = {_key(one.kind, one.name): one for kind in kinds for one in own[kind]}
    first: dict[tuple[str, str], Address] = {}
    for address, resource in renamed:
        for index, name in enumerate(resource.formerly):
            at: Path = ("resources", address.kind, address.name, "formerly", index)
            key = _key(address.kind, name)
            if name == address.name:
                yield Violation(at, f"{shown(name)} is its own name", "write earlier names only")
            elif (other := declared.get(key, address)) != address:
                yield Violation(at, f"{shown(other)} is still declared", "write names that are declared no more")
            elif (other := first.setdefault(key, address)) != address:
                problem = f"{shown(name)} is a former name of {shown(other)} too"
                yield Violation(at, problem, "keep it at the one that it belongs to")


def _key(kind: str, name: str) -> tuple[str, str]:
    """The name as AWS compares it, with its kind."""
    return kind, name.lower() if SECTIONS[kind].any_case else name
