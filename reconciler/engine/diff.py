"""What differs: the document's resources against the live ones, by one rule for every kind. Pure.

A field the document leaves out is not managed. A scalar is compared as a whole; a set or mapping that is given is owned
whole, member by member, so that an extra member is drift; of tags only the keys named are managed. A live `None` is a
value nobody knows yet (the port of a database that is still being made) and is no drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from desired_state.members import Tags
from desired_state.resource import Resource
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Change, Difference, Snapshot
from reconciler.model.kind import Kind, PlanContext


def wanted(document: Document, address: Address, kind: Kind) -> Resource:
    """The resource as it should be, with the tags that say whose it is (and its name, where that is a Name tag)."""
    resource = document.resources[address]
    owned = {DOCUMENT_TAG: document.name, NAME_TAG: address.name}
    if kind.observe.named_by_tag(resource, document):
        owned["Name"] = address.name
    return resource.but(tags=Tags(owned | (resource.tags or {})))


def diff(document: Document, snapshot: Snapshot, context: PlanContext, kinds: Mapping[str, Kind]) -> tuple[Change, ...]:
    """Every resource that differs, in the document's order, but for what could not be seen or is to be ignored."""
    changes = []
    for address, resource in document.resources.items():
        if resource.enforcement == "ignore" or address in snapshot.unreadable or address in snapshot.ambiguous:
            continue
        kind = kinds[address.kind]
        want, have = wanted(document, address, kind), snapshot.resources.get(address)
        base = have.spec if have else kind.create.initial_state(want, context)
        found = tuple(differences(address, want, base))
        if found or have is None:
            changes.append(Change(address, want, have, base, found))
    return tuple(changes)


def differences(address: Address, want: Resource, have: Resource) -> Iterator[Difference]:
    """What differs between two resources of one kind, field by field, members in a fixed order."""
    for name in want.described():
        wish, fact = getattr(want, name), getattr(have, name)
        if wish is None or fact is None:
            continue
        if isinstance(wish, dict):
            yield from _members(address, name, wish, fact)
        elif isinstance(wish, frozenset):
            yield from (Difference(address, name, one, one, ABSENT) for one in sorted(wish - fact))
            yield from (Difference(address, name, one, ABSENT, one) for one in sorted(fact - wish))
        elif wish != fact and not (name in want.agrees and want.agrees[name](want, have)):
            yield Difference(address, name, None, wish, fact)


def _members(address: Address, name: str, wish: Mapping[Any, Any], fact: Mapping[Any, Any]) -> Iterator[Difference]:
    """Missing, then changed, then extra members. A member whose value is None is owned, its value is not."""
    if wish == fact:
        return
    missing, changed = [], []
    for key, value in wish.items():
        found = fact.get(key, ABSENT)
        if found is ABSENT:
            missing.append(key)
        elif value is not None and found != value:
            changed.append(key)
    for key in sorted(missing):
        yield Difference(address, name, key, wish[key], ABSENT)
    for key in sorted(changed):
        yield Difference(address, name, key, wish[key], fact[key])
    if not isinstance(wish, Tags) and len(fact) > len(wish) - len(missing):
        for key in sorted(fact.keys() - wish.keys()):
            yield Difference(address, name, key, ABSENT, fact[key])


def apply_exceptions(
    changes: Iterable[Change], exceptions: Iterable[DocumentException], now: datetime
) -> tuple[tuple[Change, ...], tuple[tuple[Difference, DocumentException], ...]]:
    """The changes without what an exception still covers, and each covered difference with its exception."""
    active = [one for one in exceptions if now < one.until]
    kept, covered = [], []
    for change in changes:
        rest = []
        for one in change.differences:
            matching = [each for each in active if _covers(each, one)]
            if matching and change.have is not None:
                covered.append((one, matching[0]))
            else:
                rest.append(one)
        if rest or change.have is None:
            kept.append(Change(change.address, change.want, change.have, change.base, tuple(rest)))
    return tuple(kept), tuple(covered)


def _covers(exception: DocumentException, one: Difference) -> bool:
    """A tolerated scalar is the live value itself; a tolerated member is live under its key with its value."""
    if (exception.address, exception.field) != (one.address, one.field) or one.have is ABSENT:
        return False
    if one.key is None:
        return bool(exception.value == one.have)
    return bool(exception.value in (one.key, (one.key, one.have)))
