"""Whose trouble it is when a kind's rules raise while its resources are identified. Pure; `identify.py` calls it.

The rules are asked about live items and declared resources. What raises is set aside, and the rest is identified again
without it. A live item that nobody understands is the declared resource that its id, its tags or its key say; if they
say nothing, it may be any that was not found, so none of these is created.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.aws.shapes import legible_tags
from reconciler.engine.identity.live import Identified
from reconciler.model import CERTAIN, DOCUMENT_TAG, NAME_TAG, Cause, Evidence, Reason
from reconciler.model.guard import Stage, fault, logged, said
from reconciler.model.kind import Kind, ObserveContext
from reconciler.model.read import Item

_ASKED = frozenset({"id", "label", "tags"})
"""What identification asks a kind's `Observe`; its models have a guard of their own (`Lives`)."""


class RuleError(Exception):
    """A rule of a kind raised; `asked` are its arguments."""

    def __init__(self, name: str, asked: tuple[Any, ...], raised: Exception) -> None:
        super().__init__(name)
        self.asked, self.raised = asked, raised


def watched(kind: Kind) -> Kind:
    """The kind, with rules that say what they were asked about when they raise."""
    observe: dict[str, Any] = {name: _watched(name, getattr(kind.observe, name)) for name in _ASKED}
    rules = {one.name: getattr(kind.identify, one.name) for one in fields(kind.identify)}
    identify: dict[str, Any] = {name: _watched(name, rule) for name, rule in rules.items() if callable(rule)}
    return replace(kind, observe=replace(kind.observe, **observe), identify=replace(kind.identify, **identify))


def _watched(name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*args: Any) -> Any:
        try:
            answer = rule(*args)
            return tuple(answer) if isinstance(answer, Iterator) else answer
        except Exception as error:
            raise RuleError(name, args, error) from error

    return asked


class Blame:
    """What was set aside: live `items`, and declared `resources`, each with what was raised for it.

    Where a rule compares an item with a resource, the item is blamed, until the same resource raises with another one.
    """

    def __init__(self, kind: Kind, items: Iterable[Item], seen: ObserveContext) -> None:
        self._kind, self._seen = kind, seen
        self._all = list(items)
        self._items: dict[int, tuple[Item, Exception]] = {}
        self._compared: dict[Address, int] = {}
        self.resources: dict[Address, Cause] = {}
        self.declared: Mapping[Address, Resource] = {}
        """The declared resources as the rules are asked about them."""

    @property
    def items(self) -> list[Item]:
        """What is not set aside."""
        return [one for one in self._all if id(one) not in self._items] if self._items else self._all

    def aliens(self) -> Iterator[tuple[Item, Exception]]:
        yield from self._items.values()

    def add(self, item: Item, error: Exception) -> None:
        """This live item cannot be understood."""
        self._all = [*(one for one in self._all if one is not item), item]
        self._items[id(item)] = item, error

    def lay(self, error: RuleError) -> None:
        """Set aside what the rule was asked about; raises what it raised if that was neither an item nor a resource."""
        raised = error.raised
        item = next((one for one in self.items if any(one is asked for asked in error.asked)), None)
        at = next((at for at, one in self.declared.items() if any(one is it for it in error.asked)), None)
        if at is not None and at not in self.resources and (item is None or at in self._compared):
            logged(raised, at, Stage.IDENTIFYING)
            self.resources[at] = fault(raised, Stage.IDENTIFYING)
            self._items.pop(self._compared.pop(at, 0), None)
        elif item is not None:
            self._items[id(item)] = item, raised
            if at is not None:
                self._compared[at] = id(item)
        else:
            raise raised

    def settle(self, found: Identified) -> None:
        """Say what follows from all that was set aside. Raises if an item has not even an id."""
        found.faults |= self.resources
        tagged = {one: at for one, at in self._tagged() if at in self.resources}
        found.candidates |= {one: at for one, at in tagged.items() if one not in found.taken}
        for item, error in self._items.values():
            aws_id = self._kind.observe.id(item)
            cause = Cause(Reason.UNREADABLE, f"{aws_id} has a value that Setpoint does not support: {said(error)}")
            logged(error, aws_id, Stage.IDENTIFYING)
            found.aliens[aws_id] = cause
            at, sure = self._says(item, aws_id)
            may_be = self._open(found) if at is None else [at] if at and self._may_be(at, found) else []
            for one in may_be:
                found.unmatch(one)
                told = cause.message if one == at else f"{cause.message}; it may be this one"
                found.faults[one] = replace(cause, message=told)
                found.candidates[aws_id] = one
                if one == at and sure:
                    found.placed[aws_id] = one

    def _tagged(self) -> Iterator[tuple[str, Address]]:
        """The ids of what carries this document's tags, with the address that they name."""
        for item in self.items if self.resources else ():
            tags = self._tags(item)
            at = Address.of(self._kind.name, tags.get(NAME_TAG, ""))
            if self._ours(tags) and at in self._seen.read.declared:
                yield self._kind.observe.id(item), at

    def _open(self, found: Identified) -> list[Address]:
        """What has not been found, and is no problem yet."""
        return [at for at in self._seen.read.declared if found.open(at) and at not in found.faults]

    @staticmethod
    def _may_be(at: Address, found: Identified) -> bool:
        """Whether an item may be the address that it says it is: not if something certain says that it is another."""
        match = found.matched.get(at)
        return at not in found.problems and at not in found.faults and (not match or match.found.by not in CERTAIN)

    def _says(self, item: Item, aws_id: str) -> tuple[Address | None, bool]:
        """The address that its id, its key or its tags say it is; None if they say nothing, and an empty one if it is
        somebody else's. And whether that is sure: tags are not of a kind of which they decide nothing.
        """
        document, rules = self._seen.read.document, self._kind.identify
        ids = {aws_id, _asked(lambda: rules.resource_id(item), "")}
        external = {one.id: at for at, one in document.external.items() if one.id and at.kind == self._kind.name}
        said_by_people = external | {one: at for at, one in document.adopt.items() if at.kind == self._kind.name}
        if self._kind.name == document.vpc.kind and document.scope.vpc_id:
            said_by_people[document.scope.vpc_id] = document.vpc
        if named := next((said_by_people[one] for one in ids if one in said_by_people), None):
            return named, True
        key = _asked(lambda: rules.live_key(item, self._seen.read), None)
        keyed = {
            at
            for at, one in self._seen.read.declared.items()
            if key is not None and any(key == self._key(name, one) for name in {at.name, *one.formerly})
        }
        tags = self._tags(item)
        if tags.get(DOCUMENT_TAG) and not self._ours(tags):
            return (keyed.pop() if keyed else Address("")), True
        names = {name: at for at, one in self._seen.read.declared.items() for name in {at.name, *one.formerly}}
        tagged = names.get(tags.get(NAME_TAG, "")) if self._ours(tags) else None
        order = rules.order(self._seen.read.declared[tagged]) if tagged else ()
        if keyed and Evidence.TAGS not in order[:1]:
            return keyed.pop(), True
        return tagged, Evidence.TAGS in order

    def _key(self, name: str, resource: Resource) -> Hashable:
        return _asked(lambda: self._kind.identify.key(name, resource), None)

    def _ours(self, tags: Mapping[str, str]) -> bool:
        document = self._seen.read.document
        return tags.get(DOCUMENT_TAG) in {document.name, *document.formerly}

    def _tags(self, item: Item) -> Mapping[str, str]:
        """Its tags, as far as they can be understood."""
        none: Mapping[str, str] = {}
        whole = _asked(lambda: self._kind.observe.tags(item) or none, none)
        return whole or _asked(lambda: legible_tags(item), none)


def _asked[T](ask: Callable[[], T], otherwise: T) -> T:
    """The answer of a rule about an item that another rule did not understand."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 (that it cannot be understood is known already)
        return otherwise
