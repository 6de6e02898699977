"""Tags that are on the wrong resource: exchanged, put elsewhere, or on what another address should be.

Pure; `identify.py` calls it. It concerns the kinds of which a declared resource is found by tags and not by a name.

Anybody who may tag can move our tags, and what carries them would be made what they say. So where a resource has the
tags of an address and reads rather as another one, and the subnets that use it do not speak for its tags, the tags are
not believed. A drift, or a subnet that moved, is nearer to what the tags say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from desired_state.fields import Address
from reconciler.engine.identity import messages
from reconciler.engine.identity.live import Identified, Live, Lives
from reconciler.model import Evidence


def refuse_displaced(lives: Lives, found: Identified) -> None:
    """Make it a problem of each address whose tags are on what is rather another one."""
    fields = (*lives.rules.content, *lives.rules.flag)
    by_tags = [(at, match.live) for at, match in found.matched.items() if match.found.by is Evidence.TAGS]
    tagged = {at: live for at, live in by_tags if at in lives.declared} if lives.rules.content else {}
    odd = {at: live for at, live in tagged.items() if lives.apart(at, live, fields, found)}
    for refuse in (_exchanged, _transferred, _exchanged_with_none, _taken_for) if odd else ():
        refuse({at: live for at, live in odd.items() if at in found.matched}, lives, found)


class _Change(NamedTuple):
    """In how many members more a resource would be as declared if it were another address: in what it does, and in the
    subnets that use it. Negative: in how many fewer.
    """

    content: int
    members: int


def _change(live: Live, one: Address, other: Address, lives: Lives, found: Identified) -> _Change:
    """What changes if `live` is not `one` but `other`. Fields that only one of them declares say nothing."""
    first, second = lives.declared[one], lives.declared[other]

    def more(fields: tuple[str, ...], always: tuple[str, ...] = ()) -> int:
        both = [name for name in fields if None not in (getattr(first, name), getattr(second, name))]
        was, becomes = (lives.apart(at, live, (*both, *always), found) for at in (one, other))
        return was - becomes

    return _Change(more(lives.rules.content, lives.rules.flag), more(lives.rules.members))


def _rather(changes: list[_Change]) -> bool:
    """Whether all in all more is as declared in what they do, and not less in the subnets."""
    return sum(one.content for one in changes) > 0 and sum(one.members for one in changes) >= 0


def _exchanged(odd: Mapping[Address, Live], lives: Lives, found: Identified) -> None:
    """Resources found by tags, each of which reads most as the next one is declared, in a circle."""
    becomes, changes = {}, {}
    for at, live in odd.items():
        others = {other: _change(live, at, other, lives, found) for other in odd if other != at}
        if others:
            becomes[at] = max(others, key=others.__getitem__)
            changes[at] = others[becomes[at]]
    for address, other in becomes.items():
        circle = _circle(address, becomes)
        if circle and _rather([changes[at] for at in circle]):
            right = odd[next(at for at in circle if becomes[at] == address)]
            two, fields = len(circle) == len((address, other)), (*lives.rules.content, *lives.rules.flag)
            exactly = lives.reads_as(other, odd[address], (*fields, *lives.rules.members), found)
            message = messages.exchanged(address, odd[address], other, right, exactly=exactly, two=two)
            found.refuse(address, message, [odd[address]])


def _circle(start: Address, becomes: Mapping[Address, Address]) -> list[Address]:
    """The addresses that lead from `start` back to it; empty if they do not."""
    path, current = [start], becomes.get(start)
    while current is not None and current not in path:
        path.append(current)
        current = becomes.get(current)
    return path if current == start else []


def _transferred(odd: Mapping[Address, Live], lives: Lives, found: Identified) -> None:
    """Something free is where the address should be, and reads rather as declared than what has its tags."""
    fields = lives.rules.content
    for address, live in odd.items():
        places = {one.id: one for one in lives.places(address)}
        for one in lives.left(found):
            if one.id in places and one.free:
                content, members = (
                    lives.apart(address, live, names, found) - lives.apart(address, one, names, found)
                    for names in (fields, lives.rules.members)
                )
                if content > 0 and members >= (0 if lives.rules.standard(one.item) else 1):
                    exactly = lives.reads_as(address, one, (*fields, *lives.rules.flag, *lives.rules.members), found)
                    found.refuse(address, messages.transferred(address, live, one, exactly=exactly), [live, one])
                    break


def _exchanged_with_none(odd: Mapping[Address, Live], lives: Lives, found: Identified) -> None:
    """What has the tags of an address reads as one that was not found, and something free and unused reads as that
    address: tags were exchanged, and the other had none.
    """
    fields = (*lives.rules.content, *lives.rules.flag)
    unfound = [at for at in lives.declared if found.open(at)]
    for address, live in odd.items():
        reads = (at for at in unfound if lives.reads_as(at, live, fields, found))
        if any(_rather([_change(live, address, at, lives, found)]) for at in reads):
            unused = (one for one in lives.left(found) if one.free and not lives.users(one))
            if right := next((one for one in unused if lives.reads_as(address, one, fields, found)), None):
                found.refuse(address, messages.transferred(address, live, right, exactly=True), [live, right])


def _taken_for(odd: Mapping[Address, Live], lives: Lives, found: Identified) -> None:
    """What has the tags of an address is where another should be that was not found, and reads rather as that one."""
    unfound = {at: {one.id for one in lives.places(at)} for at in lives.declared if found.open(at)}
    for address, live in odd.items():
        for other, places in unfound.items():
            if live.id in places and _rather([_change(live, address, other, lives, found)]):
                found.refuse(address, messages.taken_for(address, live, other, lives), [live])
                break
