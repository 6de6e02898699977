"""Why an address that nothing was found for is not created: something live could be it. Pure; `identify.py` calls it.

`adopt` with `"new"` is the only way past, and not past what AWS keeps unique: such a call would be refused.
"""

from __future__ import annotations

from collections.abc import Callable

from desired_state.fields import Address
from reconciler.engine.identity import messages
from reconciler.engine.identity.live import Identified, Lives
from reconciler.model import Evidence, Reason

type _Check = Callable[[Address, Lives, Identified], None]


def refuse_seats_of_others(lives: Lives, found: Identified) -> None:
    """Make it a problem of an address if its subnets use what is somebody else's, or has the tags of another address:
    neither a Name tag nor a new resource may decide against that.
    """
    for address in lives.declared:
        for check in (_used_of_others, _misplaced) if address in lives.weak and not lives.new(address) else ():
            if found.open(address):
                check(address, lives, found)


def refuse_seconds(lives: Lives, found: Identified) -> None:
    """Make it a problem of each address that nothing was found for, if anything live could be it."""
    before = -1
    while before < len(found.problems):  # what may be an address that is a problem may be another one too
        before = len(found.problems)
        for address in filter(found.open, lives.declared):
            for check in _ALWAYS if lives.new(address) else (*_ALWAYS, *_UNLESS_NEW):
                if found.open(address):
                    check(address, lives, found)


def _key(address: Address, lives: Lives, found: Identified) -> None:
    """Somebody else, or another address, has what AWS keeps unique."""
    for one in lives.with_key(address):
        apart = one.account and lives.rules.key_of_account
        if one.foreign and not apart:
            found.refuse(address, messages.foreign(one, lives), [one], Reason.FOREIGN)
        elif one.id in found.taken:
            found.refuse(address, messages.held(address, one, found.taken[one.id]), [one])
        elif one.id in found.candidates:
            found.refuse(address, messages.disputed(address, one, found.candidates[one.id]), [one])


def _misnamed(address: Address, lives: Lives, found: Identified) -> None:
    """Something else has its tags, of a kind whose name decides."""
    if Evidence.TAGS not in lives.orders[address]:
        for one in lives.tagged.get(address, ()):
            if one.id not in found.taken and (message := lives.rules.misnamed(address, one.item)):
                found.refuse(address, message, [one])


def _used_of_others(address: Address, lives: Lives, found: Identified) -> None:
    for one in [one for one in lives.seats(address) if one.foreign][:1]:
        found.refuse(address, messages.foreign(one, lives), [one], Reason.FOREIGN)


def _named_of_others(address: Address, lives: Lives, found: Identified) -> None:
    """Another document has one of this name."""
    for one in lives.called_of_others(address)[:1] if address in lives.weak else ():
        found.refuse(address, messages.foreign(one, lives), [one], Reason.FOREIGN)


def _misplaced(address: Address, lives: Lives, found: Identified) -> None:
    """Its subnets use something with the tags of another address, and nothing else says that this is right."""
    for one in lives.seats(address):
        if one.tagged is None or one.tagged == address:
            continue
        match = found.matched.get(one.tagged)
        is_it = match is not None and match.live is one
        right = is_it and match is not None and match.found.by is not Evidence.TAGS
        used = is_it and lives.seated(one.tagged) & lives.users(one)
        if not right and not used and not (is_it and lives.reads_as(one.tagged, one, lives.rules.content, found)):
            found.refuse(address, messages.misplaced(address, one, one.tagged), [one])


def _twin(address: Address, lives: Lives, found: Identified) -> None:
    """Something that reads as declared is left over, is free and used by no subnet but those of this document, or may
    be an address that is a problem. Tags of an address that is another resource say nothing: then the Name tag counts.
    """
    weak = address in lives.weak
    for one in lives.left(found):
        if one.foreign or lives.rules.standard(one.item) or lives.rules.temporary(one.item):
            continue
        users = lives.users(one)
        copy = found.matched.get(one.tagged) is not None if one.tagged else False
        idle = weak and (one.free or copy) and (not users or bool(lives.known(users)))
        unclear = weak and one.id in found.candidates
        if weak and copy and one.tagged and lives.is_named(address, one):
            found.refuse(address, messages.mistagged(address, one, one.tagged, lives.label(one)), [one])
            return
        if (one.stale or idle or unclear) and lives.reads_as(address, one, lives.rules.content, found):
            other, used = found.candidates.get(one.id), bool(users)
            twin = messages.left_over(address, one) if one.stale else messages.twin(address, one, other, used=used)
            found.refuse(address, twin, [one])
            return


def _rival(address: Address, lives: Lives, found: Identified) -> None:
    for one in lives.left(found):
        if not one.foreign and (message := lives.rules.rival(address, lives.declared[address], one.item)):
            found.refuse(address, message, [one])


_ALWAYS: tuple[_Check, ...] = (_key, _misnamed)
_UNLESS_NEW: tuple[_Check, ...] = (_named_of_others, _twin, _rival)
