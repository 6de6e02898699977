"""What two documents declare of resources, compared: which are declared at all, how they are enforced, and every field.

A field is told by what leaving it out means: it is not managed any more. Which flows a rule lets through is not told
here (`flows.py`), only that it is declared otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address, shown
from desired_state.members import Collection, Tags
from desired_state.resource import Resource
from reconciler.engine.diff import differences
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT, Difference
from reconciler.model.exposure import Severity
from reconciler.revision.change import Point, Side, Subject

_STRICT = {"ignore": 0, "report": 1, "correct": 2}
_MEANS = {
    "ignore": "not looked at any more",
    "report": "looked at, and differences are only reported",
    "correct": "looked at, and differences are corrected",
}
_NAMED = 5
"""The most resources that one point names; the others are counted."""
_PLAIN = frozenset({"description", "tags"})
"""Fields that neither packets nor data depend on."""


def points(before: Document, after: Document) -> Iterator[Point]:
    """Everything that the resources of both say differently."""
    old, new = _own(before), _own(after)
    yield from _declared(old, new, after)
    pairs = [(new[at], old[at], at) for at in old if at in new]
    yield from _enforcement(pairs)
    for now, then, address in pairs:
        yield from _fields(address, then, now)


def _own(document: Document) -> Mapping[Address, Resource]:
    """The resources that a document declares itself."""
    return {
        at: one
        for at, one in document.resources.items()
        if at not in document.external and at.name != document.scope.vpc_id
    }


def _declared(old: Mapping[Address, Resource], new: Mapping[Address, Resource], after: Document) -> Iterator[Point]:
    for address, resource in old.items():
        if address in new or address in after.external or resource.enforcement == "ignore":
            continue
        words = f"{address} is not declared any more, and whoever changes it is not corrected"
        yield Point(Side.UNGUARDED, Subject.RESOURCE, address, words, Severity.HIGH)
    added = [at for at in new if at not in old]
    if added:
        words = f"newly declared: {_named(added)}"
        yield Point(Side.GUARDED, Subject.RESOURCE, added[0], words, Severity.INFO)


def _enforcement(pairs: Sequence[tuple[Resource, Resource, Address]]) -> Iterator[Point]:
    """One point for all resources that change in the same way: a default of the document may change all of them."""
    changed = defaultdict[tuple[str, str], list[Address]](list)
    for now, then, address in pairs:
        if now.enforcement != then.enforcement:
            changed[then.enforcement or "", now.enforcement or ""].append(address)
    for (was, now_is), addresses in changed.items():
        weaker, one = _STRICT[now_is] < _STRICT[was], len(addresses) == 1
        all_of_them = len(addresses) == len(pairs) and not one
        who = f"all {len(addresses)} resources" if all_of_them else _named(addresses)
        verb = "is" if one else "are"
        words = f"{who} {verb} {_MEANS[now_is]} (enforcement is {now_is}, was {was})"
        grave = Severity.HIGH if now_is == "ignore" else Severity.MEDIUM
        side = Side.UNGUARDED if weaker else Side.GUARDED
        yield Point(side, Subject.ENFORCEMENT, addresses[0], words, grave if weaker else Severity.INFO)


def _fields(address: Address, then: Resource, now: Resource) -> Iterator[Point]:
    dropped, added = list[str](), list[str]()
    for name in then.described():
        was, value = getattr(then, name), getattr(now, name)
        if was is not None and value is None:
            dropped.append(name)
        elif was is None and value is not None:
            added.append(name)
        elif isinstance(was, Tags):
            added += [f"tag {shown(one)}" for one in sorted(value.keys() - was.keys())]
        if isinstance(was, Tags) and value is not None and (lost := sorted(was.keys() - value.keys())):
            words = f"{address}: not declared any more: {', '.join(f'tag {shown(one)}' for one in lost)}"
            yield Point(Side.UNGUARDED, Subject.FIELD, address, words, Severity.LOW)
    if then.enforcement != "ignore":
        for name in dropped:
            yield _dropped(address, name, getattr(then, name))
    if added:
        words = f"{address}: newly declared: {', '.join(added)}"
        yield Point(Side.GUARDED, Subject.FIELD, address, words, Severity.INFO)
    yield from _values(address, then, now)


def _dropped(address: Address, name: str, was: Any) -> Point:
    if isinstance(was, Collection):
        words = f"{address}: {name} is not declared any more, and whatever is in it stays"
        severity = Severity.LOW if name in _PLAIN else Severity.HIGH
    else:
        what = f"{name} is not declared any more (it was {_written(was)})"
        words = f"{address}: {what}, and whoever changes it is not corrected"
        loosest = Difference(address, name, None, was, not was if isinstance(was, bool) else ABSENT)
        severity = Severity.LOW if name in _PLAIN else _gravity(loosest, Severity.MEDIUM)
    return Point(Side.UNGUARDED, Subject.FIELD, address, words, severity)


def _values(address: Address, then: Resource, now: Resource) -> Iterator[Point]:
    """What is declared otherwise, one point a field: a setting with both values, a set or mapping in counts."""
    fields = defaultdict[str, list[Difference]](list)
    for one in _differences(address, then, now):
        fields[one.field].append(one)
    for name, found in fields.items():
        if found[0].key is None:
            (one,) = found
            words = f"{address}: {name} is {_written(one.have)}, was {_written(one.want)}"
            severity = Severity.INFO if name in _PLAIN else _gravity(one, Severity.LOW)
            yield Point(Side.DECLARED, Subject.VALUE, address, words, severity)
            continue
        gone, new = sum(one.have is ABSENT for one in found), sum(one.want is ABSENT for one in found)
        counts = ((new, "added"), (gone, "removed"), (len(found) - gone - new, "changed"))
        words = f"{address}: {name}: {', '.join(f'{count} {verb}' for count, verb in counts if count)}"
        yield Point(Side.DECLARED, Subject.VALUE, address, words, Severity.INFO if name in _PLAIN else Severity.LOW)


def _differences(address: Address, then: Resource, now: Resource) -> Iterator[Difference]:
    """What is declared otherwise. Two declared values are the same only if they are equal, whatever AWS may make of one
    by itself (`agrees`). A tag that is not declared any more is told elsewhere.
    """
    for name in then.described():
        was, value = getattr(then, name), getattr(now, name)
        if isinstance(value, Collection):
            one_field = then.but(**{other: None for other in then.described() if other != name})
            found = differences(address, one_field, now)
            yield from (one for one in found if not (isinstance(was, Tags) and one.have is ABSENT))
        elif None not in (was, value) and was != value:
            yield Difference(address, name, None, was, value)


def _gravity(one: Difference, otherwise: Severity) -> Severity:
    """How grave the kind says that this value is, next to the one before; HIGH at most, since nothing is open yet."""
    past = False
    exposure = REGISTRY[one.address.kind].traffic.exposure(one, past)
    found = exposure.severity if exposure else otherwise
    return Severity.HIGH if found is Severity.CRITICAL else found


def _named(addresses: list[Address]) -> str:
    more = f" and {len(addresses) - _NAMED} more" if len(addresses) > _NAMED else ""
    return f"{', '.join(addresses[:_NAMED])}{more}"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else shown(value)
