"""One spelling for every reference, because AWS's answers have one: the address of what is declared, otherwise an id.

A document may name a thing by its address, by its id, or, as the peer of a rule, by its id after an account's. At load
only its own account is known: `reading.py` leaves that out, and refuses a rule in both spellings. Whose an id is, a run
knows after its look: it spells the document by that, and counts two spellings of one thing as one.

`names` has the address of every known id; of a group of another account it may have `<account>/<id>`, its full name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from desired_state.fields import Address, RuleKey, rule_key
from desired_state.members import References
from desired_state.rules import Routes, Rules

if TYPE_CHECKING:
    from desired_state.document import Document, DocumentException
    from desired_state.resource import Resource

_GROUP = re.compile(r"(?:([0-9]{12})/)?(sg-[0-9a-f]+)")

type Names = Mapping[str, Address]


@lru_cache(maxsize=32768)
def group_of(peer: str) -> tuple[str, str] | None:
    """(account, id) of the group that the peer of a rule names by its id, the account empty if it is not written.

    Memoized: live state repeats its peers, look after look.
    """
    found = _GROUP.fullmatch(peer)
    return (found[1] or "", found[2]) if found else None


def spelled_peer(peer: str, account: str, names: Names) -> str:
    """The peer of a rule in its one spelling; `account` is the document's own."""
    found = group_of(peer)
    if found is None:
        return peer
    owner, group = found
    known = names.get(group)
    if known and (not owner or not group_of(known)):
        return known
    return group if owner in {"", account} else peer


def spelled_rule(key: RuleKey, account: str, names: Names) -> RuleKey:
    """A rule with its peer in its one spelling."""
    peer = spelled_peer(key.peer, account, names)
    return key if peer == key.peer else rule_key(key.protocol, key.first, key.last, peer)


def spelled_resource[Some: Resource](resource: Some, account: str, names: Names) -> Some:
    """A resource with its references in their one spelling; itself, if they are."""
    changes: dict[str, Any] = {}
    for field in resource.described():
        value = getattr(resource, field)
        if isinstance(value, (Rules, Routes, References)):
            spelled = _collection(value, account, names)
            if spelled != value:
                changes[field] = spelled
    return resource.but(**changes) if changes else resource


def _collection(value: Any, account: str, names: Names) -> Any:
    """Of two rules that are one, the first description counts, if any is written."""
    if isinstance(value, Rules):
        rules = type(value)()
        for key, description in value.items():
            one = spelled_rule(key, account, names)
            first = rules.get(one)
            rules[one] = description if first is None else first
        return rules
    if isinstance(value, Routes):
        return Routes({to: names.get(via, via) for to, via in value.items()})
    return type(value)(names.get(one, one) for one in value)


def twice(value: Any, account: str) -> Iterator[tuple[int, RuleKey]]:
    """The rules that a list has before, with or without the account in front, each with its index."""
    seen = set[RuleKey]()
    for index, key in enumerate(value if isinstance(value, Rules) else ()):
        one = spelled_rule(key, account, {})
        if one in seen:
            yield index, one
        seen.add(one)


def spelled_exception(one: DocumentException, account: str, names: Names) -> DocumentException:
    """`value` is a member as `reading.py` reads it: of a mapping a key with its value, otherwise the member alone."""
    value: Any = one.value
    if isinstance(value, RuleKey):
        value = spelled_rule(value, account, names)
    elif one.field == "routes" and isinstance(value, tuple):
        value = value[0], names.get(value[1], value[1])
    elif isinstance(value, Address):
        value = names.get(value, value)
    return one if value == one.value else replace(one, value=value)


def spelled(document: Document, names: Names) -> Document:
    """The document with every reference in its one spelling; itself, if it names nothing that has another."""
    if document.ids.isdisjoint(names):
        return document
    account = document.scope.account_id
    workloads = {
        name: one.model_copy(
            update={field: _collection(getattr(one, field), account, names) for field in ("subnets", "security_groups")}
        )
        for name, one in document.workloads.items()
    }
    return replace(
        document,
        resources={at: spelled_resource(one, account, names) for at, one in document.resources.items()},
        workloads=workloads,
        exceptions=tuple(spelled_exception(one, account, names) for one in document.exceptions),
    )


def ids_in(document: Document) -> Iterator[str]:
    """Every id by which a document names something, without the account before it."""
    for ids in document.ids_of.values():
        yield from ids
    for workload in document.workloads.values():
        yield from (*_ids(workload.subnets), *_ids(workload.security_groups))
    for one in document.exceptions:
        yield from _text_ids(one.value)


def ids_of(resource: Resource) -> Iterator[str]:
    """Every id by which a resource names something, without the account before it."""
    for field in resource.described():
        yield from _ids(getattr(resource, field))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, Rules):
        for key in value:
            yield from _text_ids(key)
    elif isinstance(value, (Routes, References)):
        yield from (one for one in (value.values() if isinstance(value, Routes) else value) if "/" not in one)


def _text_ids(value: Any) -> Iterator[str]:
    """The ids in one member: of a rule, of a route, or itself."""
    if isinstance(value, RuleKey):
        found = group_of(value.peer)
        yield from (found[1],) if found else ()
    elif isinstance(value, tuple):
        yield from (one for one in value if isinstance(one, str) and "/" not in one)
    elif isinstance(value, Address) and "/" not in value:
        yield value


def foreign_groups(document: Document) -> Iterator[tuple[str, Address]]:
    """The id and the full name, `<account>/<id>`, of every group of another account that a document names with it."""
    for resource in document.resources.values():
        for field in resource.described():
            value = getattr(resource, field)
            for key in value if isinstance(value, Rules) else ():
                if (found := group_of(key.peer)) and found[0]:
                    yield found[1], Address(key.peer)
