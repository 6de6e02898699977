"""What a look saw, kind by kind, as a `Snapshot`. Pure; `observe.py` fills it.

A live value that the model does not support makes its resource unreadable, with the value in the message, and nothing
else. What is not declared becomes the model only when somebody asks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.identity import Identified, Live, messages
from reconciler.model import NAME_TAG, Cause, Found, Observed, Reason, Ref, Snapshot, SubnetRoutes, Unmanaged
from reconciler.model.guard import said
from reconciler.model.kind import Kind, ObserveContext
from reconciler.model.read import Item

log = logging.getLogger(__name__)


class Seen:
    """What a snapshot is made of, kind by kind. `troubled`: something of it could not be understood."""

    def __init__(self, document: Document, at: datetime) -> None:
        self._document, self._at = document, at
        self.troubled = False
        self._unreadable: dict[Address, Cause] = {}
        self._resources: dict[Address, Observed] = {}
        self._handles: dict[Ref, str] = {}
        self._unmanaged: list[Unmanaged] = []
        self._found_by: dict[Address, Found] = {}
        self._subnet_routes: dict[Address, SubnetRoutes] = {}
        self._neighbours = _Neighbours()
        self._known = Identified()

    def snapshot(self) -> Snapshot:
        known = self._known
        return Snapshot(
            self._resources,
            self._handles,
            self._unreadable,
            known.problems,
            tuple(self._unmanaged),
            self._at,
            found_by=self._found_by,
            foreign=known.foreign,
            candidates=known.candidates,
            copies={address: aws_id for aws_id, address in sorted(known.copies.items(), reverse=True)},
            subnet_routes=self._subnet_routes,
            neighbours=self._neighbours,
        )

    def nothing_of(self, name: str, problem: Cause) -> None:
        """A kind of which nothing could be read."""
        self.troubled = True
        self._unreadable |= dict.fromkeys(self._document.of_kind(name) or [Address.of(name, "*")], problem)

    def add(self, kind: Kind, known: Identified, context: ObserveContext) -> None:
        broken = dict(known.aliens)
        lives = [one for one in known.lives if one.id not in broken]
        lives, handles = _of_each(kind.observe.handles, lives, context, broken)
        self._handles |= dict(handles)
        placed = not broken  # of everything, it is known what uses it
        lives, routes = _of_each(kind.observe.subnet_routes, lives, context, broken)
        odd = [one.item for one in known.lives if one.id in broken]
        elsewhere = _users(kind, odd, context) if placed else None
        # What may use a table that is not understood has not the routes of the main one.
        self._subnet_routes |= {
            at: one for at, one in routes if one.explicit or (elsewhere is not None and at not in elsewhere)
        }
        self.troubled |= bool(known.faults or broken)
        for address, cause in known.faults.items():
            self._refuse(address, cause)
        self._handles |= {Ref(at): aws_id for aws_id, at in known.placed.items()}
        self._known.problems |= known.problems
        self._known.foreign |= known.foreign
        self._known.candidates |= known.candidates
        self._known.copies |= known.copies
        for address, match in known.matched.items():
            self._found_by[address] = match.found
            aws_id = match.live.id
            self._handles[Ref(address)] = aws_id
            if aws_id in broken:
                self._refuse(address, broken.pop(aws_id))
            else:
                self._observe(kind, address, match.live, context, known.observed.get(address))
        matched = {match.live.id for match in known.matched.values()}
        left = [one for one in lives if one.id not in matched]
        self._neighbours.add(kind, left, context)
        self._neighbours.add_unknown(kind, broken)
        for live in left if kind.after else ():
            if live.id not in known.candidates:
                self._unmanaged.append(_unmanaged(kind, live, known, context))
                if self._unmanaged[-1].owned:
                    self._handles.setdefault(Ref(self._unmanaged[-1].address), live.id)
        for aws_id, cause in broken.items() if kind.after else ():
            if aws_id not in matched and aws_id not in known.candidates:
                self._unmanaged.append(Unmanaged(Address.of(kind.name, aws_id), aws_id, remark=cause.message))

    def _observe(
        self, kind: Kind, address: Address, live: Live, context: ObserveContext, known: Observed | None
    ) -> None:
        try:
            seen = known or kind.observe.observed(live.item, context)
            resource_id = kind.identify.resource_id(live.item)
            self._resources[address] = (
                seen if seen.resource_id == resource_id else replace(seen, resource_id=resource_id)
            )
        except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
            self._refuse(address, _unsupported(live.id, error))

    def _refuse(self, address: Address, cause: Cause) -> None:
        """Make it unreadable. Of what is external only the id is needed."""
        self.troubled = True
        if address not in self._document.external:
            self._unreadable[address] = cause


def _unsupported(aws_id: str, error: Exception) -> Cause:
    log.warning("%s has a value that Setpoint does not support", aws_id, exc_info=error)
    return Cause(Reason.UNREADABLE, f"{aws_id} has a value that Setpoint does not support: {said(error)}")


def _users(kind: Kind, items: Iterable[Item], context: ObserveContext) -> set[Address] | None:
    """The subnets that use these; None if that cannot be said of one."""
    try:
        return {context.address(subnet) for item in items for subnet in kind.identify.seats(item)}
    except Exception:  # noqa: BLE001 (whatever a live value makes a kind raise; it is told already)
        return None


def _of_each[T](
    ask: Callable[[Iterable[Item], ObserveContext], Iterable[T]],
    lives: list[Live],
    context: ObserveContext,
    broken: dict[str, Cause],
) -> tuple[list[Live], list[T]]:
    """What a kind says of all its items together, and the items: without those for which it raises, which become
    `broken`.
    """
    try:
        return lives, list(ask([one.item for one in lives], context))
    except Exception:
        left = []
        for one in lives:
            try:
                list(ask([one.item], context))
                left.append(one)
            except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
                broken[one.id] = _unsupported(one.id, error)
        if len(left) == len(lives):
            raise
        return left, list(ask([one.item for one in left], context))


class _Neighbours(Mapping[tuple[str, str], Observed | None]):
    """`Snapshot.neighbours`: each becomes the model when it is asked for, which a run without drift never does."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], tuple[Kind, Item, ObserveContext]] = {}
        self._seen: dict[tuple[str, str], Observed | None] = {}

    def add(self, kind: Kind, left: Iterable[Live], context: ObserveContext) -> None:
        """Everything of a kind that was not found to be a declared resource."""
        for one in left if kind.after else ():
            self._items[kind.name, one.id] = kind, one.item, context

    def add_unknown(self, kind: Kind, broken: Iterable[str]) -> None:
        """What cannot be understood, and so may let through anything."""
        for aws_id in broken if kind.after else ():
            self._items.pop((kind.name, aws_id), None)
            self._seen[kind.name, aws_id] = None

    def __getitem__(self, key: tuple[str, str]) -> Observed | None:
        if key not in self._seen:
            kind, item, context = self._items[key]
            try:
                self._seen[key] = kind.observe.observed(item, context)
            except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
                log.info("%s has a value that Setpoint does not support: %s", key[1], said(error))
                self._seen[key] = None
        return self._seen[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items.keys() | self._seen.keys())

    def __len__(self) -> int:
        return len(self._items.keys() | self._seen.keys())


def _unmanaged(kind: Kind, live: Live, known: Identified, context: ObserveContext) -> Unmanaged:
    aws_id, item = live.id, live.item
    tags = kind.observe.tags(item) or {}
    owned, spare = aws_id in known.owned, aws_id in known.spares
    remark = known.foreign.get(aws_id, "")
    if aws_id in known.copies:
        remark = f"it carries the tags of {known.copies[aws_id]} and is not it: take them off"
    if spare:
        mend = messages.delete(kind, context.read.document, aws_id)
        remark += f", or delete it, since nothing uses it: {mend}"
    # The name of a spare one is that of the resource which it is not.
    name = tags[NAME_TAG] if owned else aws_id if spare else kind.observe.label(item) or aws_id
    return Unmanaged(Address.of(kind.name, name), aws_id, owned or spare, remark)
