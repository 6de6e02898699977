"""Two documents made comparable: renamed resources under one name, and what is not declared any more as it was. Pure.

What a document leaves out is not managed: nobody takes it away. So the flows of what was declared before go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from desired_state.document import Document, DocumentException
from desired_state.fields import Address, RuleKey
from desired_state.intents import Ends, Workload
from desired_state.members import References
from desired_state.resource import Resource
from desired_state.rules import Routes, Rules

type Names = Mapping[str, Address]
"""The address now, by the one before."""


def renamed(before: Document, after: Document) -> Document:
    """`before`, with the names that its resources have in `after` (`formerly`)."""
    former = {
        Address.of(at.kind, name): at
        for at, one in after.resources.items()
        for name in one.formerly
        if at not in before.resources
    }
    names: Names = {at: former[at] for at in before.resources if at in former}
    if not names:
        return before
    return replace(
        before,
        vpc=names.get(before.vpc, before.vpc),
        adopt={names.get(at, at): one for at, one in before.adopt.items()},
        resources={names.get(at, at): _resource(one, names) for at, one in before.resources.items()},
        workloads={name: _workload(one, names) for name, one in before.workloads.items()},
        intents=tuple(
            one.model_copy(
                update={
                    "source": _ends(one.source, names),
                    "to": _ends(one.to, names),
                    "excluding": one.excluding and _ends(one.excluding, names),
                }
            )
            for one in before.intents
        ),
        exceptions=tuple(_exception(one, names) for one in before.exceptions),
    )


def _resource(one: Resource, names: Names) -> Resource:
    fields = {name: getattr(one, name) for name in one.described()}
    changed = {name: _value(value, names) for name, value in fields.items() if value is not None}
    return one.but(**changed)


def _value(value: Any, names: Names) -> Any:
    match value:
        case References():
            return type(value)(names.get(one, one) for one in value)
        case Rules():
            return type(value)((_rule(key, names), said) for key, said in value.items())
        case Routes():
            return type(value)((to, names.get(via, via)) for to, via in value.items())
        case Address():
            return names.get(value, value)
        case _:
            return value


def _rule(key: RuleKey, names: Names) -> RuleKey:
    return key._replace(peer=names[key.peer]) if key.peer in names else key


def _exception(one: DocumentException, names: Names) -> DocumentException:
    match one.value:
        case RuleKey():
            value: Any = _rule(one.value, names)
        case (to, via) if one.field == "routes":
            value = to, names.get(via, via)
        case _:
            value = _value(one.value, names)
    return replace(one, address=names.get(one.address, one.address), value=value)


def _workload(one: Workload, names: Names) -> Workload:
    parts = {name: _value(getattr(one, name), names) for name in ("subnets", "security_groups")}
    return one.model_copy(update=parts)


def _ends(ends: Ends, names: Names) -> Ends:
    return Ends(names.get(one, one) for one in ends)


def lasting(before: Document, after: Document) -> tuple[Document, Document]:
    """Both documents, to judge their flows: the new one with what only the old one declares, and both with the
    workloads of the other one, where its groups and subnets are known.
    """
    if before.scope != after.scope:
        return before, after
    dropped = {at: one for at, one in before.resources.items() if at not in after.resources}
    kept = {at: _with_rest(one, before.resources.get(at)) for at, one in after.resources.items()}
    external = {at: one for at, one in before.external.items() if at in dropped}
    later = replace(after, resources={**dropped, **kept}, external={**external, **after.external})
    return _with_workloads(before, after), _with_workloads(later, before)


def _with_rest(now: Resource, then: Resource | None) -> Resource:
    """A resource with the fields that only the version before declares."""
    if then is None:
        return now
    rest = {name: getattr(then, name) for name in now.described() if getattr(now, name) is None}
    return now.but(**{name: value for name, value in rest.items() if value is not None})


def _with_workloads(document: Document, other: Document) -> Document:
    known = {
        name: one
        for name, one in other.workloads.items()
        if all(at in document.resources for at in (*one.subnets, *one.security_groups))
    }
    return replace(document, workloads={**known, **document.workloads})
