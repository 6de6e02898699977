"""What differs between the document and the live resources, by the same rules for every kind. Pure.

A field that the document leaves out is not managed. A scalar is compared as a whole. A set or mapping is managed as a
whole, so an extra member is drift; of tags only the declared keys are managed. A live `None` is a value that is not
known yet (the port of a database that is still being created), and is not drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from desired_state.members import Tags
from desired_state.resource import Resource
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Change, Difference, Policy, Snapshot
from reconciler.model.guard import Stage, about
from reconciler.model.kind import Kind, PlanContext


def owner_tags(document: Document, address: Address) -> dict[str, str]:
    """The two tags that say whose a resource is."""
    return {DOCUMENT_TAG: document.name, NAME_TAG: address.name}


def sets_tags(document: Document, policy: Policy, address: Address) -> bool:
    """Whether the owner's tags are set on a live resource: only where differences are corrected at all."""
    return policy.mode == "correct" and document.resources[address].enforcement == "correct"


def wanted(document: Document, policy: Policy, address: Address, kind: Kind, *, missing: bool) -> Resource:
    """The declared resource, with the tags of its owner. A new one also gets a Name tag, if the kind has no other name;
    afterwards that tag is a person's, like any other.
    """
    resource = document.resources[address]
    owned = owner_tags(document, address) if missing or sets_tags(document, policy, address) else {}
    if missing and kind.create.named_by_tag(resource):
        owned["Name"] = address.name
    return resource.but(tags=Tags(owned | (resource.tags or {}))) if owned else resource


def untagged(document: Document, policy: Policy, snapshot: Snapshot) -> Iterator[Address]:
    """The live resources without their owner's tags where these are not set."""
    for address, seen in snapshot.resources.items():
        declared = document.resources[address].enforcement != "ignore" and seen.spec.tags is not None
        if declared and not sets_tags(document, policy, address):
            tags = owner_tags(document, address)
            if not tags.items() <= seen.spec.tags.items():
                yield address


def diff(document: Document, snapshot: Snapshot, context: PlanContext, kinds: Mapping[str, Kind]) -> tuple[Change, ...]:
    """Every resource that differs, in the document's order, except what could not be read or is to be ignored."""
    changes = []
    for address, resource in document.resources.items():
        if resource.enforcement == "ignore" or address in snapshot.unreadable or address in snapshot.ambiguous:
            continue
        have, last = snapshot.resources.get(address), document.compared.get(address)
        if not have or (last and last.policy != context.policy):
            last = None
        if last and have and last.have is have.spec:
            want, base, found = last.want, last.have, last.found
        else:
            kind = kinds[address.kind]
            with about(address, Stage.COMPARING):
                want = last.want if last else wanted(document, context.policy, address, kind, missing=have is None)
                base = have.spec if have else kind.create.initial_state(want, context)
                found = tuple(differences(address, want, base))
            if have:
                document.compared[address] = _Compared(want, base, context.policy, found)
        if found or have is None:
            changes.append(Change(address, want, have, base, found))
    return tuple(changes)


class _Compared(NamedTuple):
    """What was compared, and the differences: a look that shows the same makes the same object of it. What is wanted of
    a live resource does not depend on how it is.
    """

    want: Resource
    have: Resource
    policy: Policy
    found: tuple[Difference, ...]


def differences(
    address: Address, want: Resource, have: Resource, fields: Iterable[str] | None = None
) -> Iterator[Difference]:
    """What differs between two resources of one kind, field by field (None: all), members in a fixed order."""
    for name in want.described() if fields is None else fields:
        declared, live = getattr(want, name), getattr(have, name)
        if declared is None or live is None:
            continue
        with about(address, Stage.COMPARING, name):
            yield from _of_field(address, name, want, have)


def _of_field(address: Address, name: str, want: Resource, have: Resource) -> Iterator[Difference]:
    declared, live = getattr(want, name), getattr(have, name)
    if isinstance(declared, dict):
        yield from _members(address, name, declared, live)
    elif isinstance(declared, frozenset):
        yield from (Difference(address, name, one, one, ABSENT) for one in sorted(declared - live))
        yield from (Difference(address, name, one, ABSENT, one) for one in sorted(live - declared))
    elif declared != live and not (name in want.agrees and want.agrees[name](want, have)):
        yield Difference(address, name, None, declared, live)


def _members(address: Address, name: str, declared: Mapping[Any, Any], live: Mapping[Any, Any]) -> Iterator[Difference]:
    """Missing, then changed, then extra members. Of a member whose value is None, only the key is managed."""
    if declared == live:
        return
    missing, changed = [], []
    for key, value in declared.items():
        found = live.get(key, ABSENT)
        if found is ABSENT:
            missing.append(key)
        elif value is not None and found != value:
            changed.append(key)
    for key in sorted(missing):
        yield Difference(address, name, key, declared[key], ABSENT)
    for key in sorted(changed):
        yield Difference(address, name, key, declared[key], live[key])
    if not isinstance(declared, Tags) and len(live) > len(declared) - len(missing):
        for key in sorted(live.keys() - declared.keys()):
            yield Difference(address, name, key, ABSENT, live[key])


def apply_exceptions(
    changes: Iterable[Change], exceptions: Iterable[DocumentException], now: datetime
) -> tuple[tuple[Change, ...], tuple[tuple[Difference, DocumentException], ...]]:
    """The changes without what an active exception covers, and each covered difference with its exception."""
    active = [one for one in exceptions if now < one.until]
    changed, excepted = [], []
    for change in changes:
        rest = []
        for one in change.differences:
            matching = [exception for exception in active if covers(exception, one)]
            if matching and change.have is not None:
                excepted.append((one, matching[0]))
            else:
                rest.append(one)
        if rest or change.have is None:
            changed.append(Change(change.address, change.want, change.have, change.base, tuple(rest)))
    return tuple(changed), tuple(excepted)


def covers(exception: DocumentException, one: Difference) -> bool:
    """An exception names the live value of a scalar, or the key of a live member, with or without its value."""
    if (exception.address, exception.field) != (one.address, one.field) or one.have is ABSENT:
        return False
    if one.key is None:
        return bool(exception.value == one.have)
    return bool(exception.value in (one.key, (one.key, one.have)))
