"""The rules of identification, in their order: what a person said, certain evidence and tags, weak evidence.

Pure. What is left is created, unless `creation.py` says why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from desired_state.fields import Address
from reconciler.engine.identity import messages
from reconciler.engine.identity.blame import Blame, RuleError, watched
from reconciler.engine.identity.creation import refuse_seats_of_others, refuse_seconds
from reconciler.engine.identity.displaced import refuse_displaced
from reconciler.engine.identity.live import WEAK, Identified, Live, Lives
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Evidence, Found, Reason
from reconciler.model.kind import Kind, ObserveContext
from reconciler.model.read import Item

_HOW = {
    Evidence.SCOPE: "scope.vpc_id names it",
    Evidence.ADOPT: "adopt names it",
    Evidence.EXTERNAL: "external names it",
    Evidence.TAGS: "its tags",
    Evidence.NAME: "its Name tag",
    Evidence.SEATS: "its subnets use it",
}


def identify(
    kind: Kind, items: Iterable[Item], seen: ObserveContext, aliens: Iterable[tuple[Item, Exception]] = ()
) -> Identified:
    """Which of the `items` each declared resource is. `seen.names` are the ids of the kinds that come before.

    Whatever a rule of the kind raises costs what it was asked about, and nothing else. `aliens` are what is known to be
    of this kind and could not even be selected, with what was raised. Raises if something has not even an id.
    """
    blame = Blame(kind, items, seen)
    for item, error in aliens:
        blame.add(item, error)
    found = _unwatched(kind, blame, seen) or _watched(watched(kind), blame, seen)
    blame.settle(found)
    return found


def _unwatched(kind: Kind, blame: Blame, seen: ObserveContext) -> Identified | None:
    """Almost always no rule raises; to watch them costs twice the time, so it is done only then (None)."""
    try:
        return _identified(kind, blame, seen)
    except Exception:  # noqa: BLE001 (the watched rules raise it again, and say what for)
        return None


def _watched(kind: Kind, blame: Blame, seen: ObserveContext) -> Identified:
    while True:
        try:
            return _identified(kind, blame, seen)
        except RuleError as error:
            blame.lay(error)


def _identified(kind: Kind, blame: Blame, seen: ObserveContext) -> Identified:
    lives = Lives(kind, blame.items, seen, blame.resources)
    blame.declared = lives.declared
    found = Identified(foreign={one.id: one.foreign for one in lives.all if one.foreign}, lives=lives.all)
    _refer(lives, found)
    _adopt(lives, found)
    for evidence in _strong(lives):
        for address, order in lives.orders.items():
            if evidence in order and found.open(address):
                _by_strong(evidence, address, lives, found)
    refuse_displaced(lives, found)
    refuse_seats_of_others(lives, found)
    _by_weak(lives, found)
    refuse_seconds(lives, found)
    _rest(lives, found)
    return found


def _match(address: Address, live: Live, evidence: Evidence, lives: Lives, found: Identified) -> None:
    how = lives.rules.key_text if evidence is Evidence.KEY else _HOW[evidence]
    found.match(address, live, Found(evidence, how))


# What a person said.


def _refer(lives: Lives, found: Identified) -> None:
    """External resources: by their id, or by the tags of the other document."""
    for address in lives.external:
        external = lives.document.external[address]
        name, noun = external.name or address.name, lives.rules.noun
        if external.id:
            alike = [one for one in lives.all if one.id == external.id]
            missing = f'no {noun} here has the id {external.id}: correct "external" for {address}'
        else:
            alike = [one for one in lives.all if _belongs(one, external.document or "", name, lives)]
            missing = messages.not_external(address, noun, external.document or "", name)
        if len(alike) == 1 and external.id:
            _match(address, alike[0], Evidence.EXTERNAL, lives, found)
        elif len(alike) == 1:  # anybody with the right to tag can make these
            found.match(address, alike[0], Found(Evidence.TAGS, f"the tags of the document {external.document!r}"))
        elif alike:
            line = f'"external": {{"{address}": {{"id": "{min(one.id for one in alike)}"}}}}'
            several = f"{len(alike)} live resources carry these tags: {messages.ids(alike)}"
            found.refuse(address, f"{several}; refer to one by its id: {line}", alike)
        else:
            found.refuse(address, missing, reason=Reason.MISSING_REFERENCE)


def _belongs(live: Live, document: str, name: str, lives: Lives) -> bool:
    """Whether it is the resource `name` of another document; where no tags are shown, its name in AWS says it."""
    tags = lives.kind.observe.tags(live.item)
    if tags is None:
        return lives.rules.name(live.item) == name
    return tags.get(DOCUMENT_TAG) == document and tags.get(NAME_TAG) == name


def _adopt(lives: Lives, found: Identified) -> None:
    for address in lives.declared:
        if not (target := lives.adopted(address)):
            continue
        alike = [one for one in lives.all if target in {one.id, lives.rules.resource_id(one.item)}]
        if not alike:
            message = messages.not_there(target, lives.seats(address))
            found.refuse(address, message, reason=Reason.MISSING_REFERENCE)
        elif alike[0].foreign:
            found.refuse(address, messages.foreign(alike[0], lives), alike, Reason.FOREIGN)
        elif lives.rules.resource_id(alike[0].item) and alike[0] not in lives.with_key(address):
            # Every call names it by its name, so the name must be the adopted one's.
            found.refuse(address, messages.elsewhere(target, lives.rules.name(alike[0].item)), alike)
        else:
            _match(address, alike[0], Evidence.ADOPT, lives, found)


# Certain evidence, and tags.


def _strong(lives: Lives) -> Iterator[Evidence]:
    """The certain evidence and the tags, in the order of the kind; of the orders of two resources, the longer first."""
    orders = sorted(dict.fromkeys(lives.orders.values()), key=len, reverse=True)
    return iter(dict.fromkeys(one for order in orders for one in order if one not in WEAK))


def _by_strong(evidence: Evidence, address: Address, lives: Lives, found: Identified) -> None:
    resource = lives.declared[address]
    if evidence is Evidence.TAGS:
        alike = [one for one in lives.tagged.get(address, ()) if lives.rules.fits(resource, one.item)]
    elif evidence is Evidence.SCOPE:
        alike = [one for one in lives.all if one.id == lives.document.scope.vpc_id]
    else:
        alike = [one for one in lives.with_key(address) if not one.foreign]
    alike = [one for one in alike if one.id not in found.taken]
    if evidence is Evidence.TAGS and len(alike) > 1:
        alike = _without_spares(address, alike, lives, found)
    if len(alike) > 1:
        found.refuse(address, messages.several(address, alike, lives), alike)
    elif alike and alike[0].foreign and resource.enforcement != "ignore":
        found.refuse(address, messages.foreign(alike[0], lives), alike, Reason.FOREIGN)
    elif alike:
        _match(address, alike[0], evidence, lives, found)


def _without_spares(address: Address, alike: list[Live], lives: Lives, found: Identified) -> list[Live]:
    """The only one that is in use, if it reads as declared as well as any of them: a run that died after a call, and a
    next one that did not see what it had made, have made it twice. Tags on several that are in use, or on what reads
    worse, still decide nothing.
    """
    apart = {one.id: lives.apart(address, one, lives.rules.content, found) for one in alike}
    used = [one for one in alike if not lives.rules.spare(one.item)]
    return used if len(used) == 1 and apart[used[0].id] == min(apart.values()) else alike


# Weak evidence.


class _Claim(NamedTuple):
    """What weak evidence gives an address: by its Name tag, by the subnets that use it, or by both."""

    address: Address
    live: Live
    named: bool
    seated: bool


def _by_weak(lives: Lives, found: Identified) -> None:
    claims: dict[str, list[_Claim]] = defaultdict(list)
    left = [one for one in lives.left(found) if one.free and not lives.rules.temporary(one.item)]
    for address in lives.declared:
        wanted = found.open(address) and address in lives.weak and not lives.new(address)
        if wanted and (claim := _claim(address, left, lives, found)):
            claims[claim.live.id].append(claim)
    for claimed in claims.values():
        live = claimed[0].live
        agreed = claimed if len(claimed) == 1 else [one for one in claimed if one.named and one.seated]
        if other := found.candidates.get(live.id):
            for one in claimed:
                found.refuse(one.address, messages.disputed(one.address, live, other), [live])
        elif lives.rules.standard(live.item):
            for one in claimed:
                found.refuse(one.address, messages.standard(one.address, live, lives), [live])
        elif len(agreed) != 1:
            _refuse_contested(claimed, lives, found)
        elif others := _others(agreed[0], lives, found):
            found.refuse(agreed[0].address, messages.seated(agreed[0].address, live, lives, others[0]), [live])
        else:
            evidence = Evidence.NAME if agreed[0].named else Evidence.SEATS
            both = f"{_HOW[Evidence.NAME]}, and {_HOW[Evidence.SEATS]}"
            how = both if agreed[0].named and agreed[0].seated else _HOW[evidence]
            found.match(agreed[0].address, live, Found(evidence, how))


def _claim(address: Address, left: list[Live], lives: Lives, found: Identified) -> _Claim | None:
    """What the Name tags and the subnets agree on; None, with a problem unless there is no evidence, if they do not."""
    named = [one for one in left if lives.is_named(address, one)]
    seats = [one for one in lives.seats(address) if one in left]
    if len(seats) > 1:
        message = f"its subnets use {messages.ids(seats)}: {messages.which(address, seats)}"
        found.refuse(address, message, seats)
    elif seats and named and seats[0] not in named:
        message = messages.against(address, lives.label(named[0]), named, seats[0])
        found.refuse(address, message, [*seats, *named])
    elif not seats and len(named) > 1:
        found.refuse(address, messages.several(address, named, lives), named)
    elif not seats and named and lives.rules.members and (theirs := lives.called_of_others(address)):
        # Of a VPC its network agrees with its Name; here nothing does.
        found.refuse(address, messages.foreign(theirs[0], lives), [*theirs, *named], Reason.FOREIGN)
    elif seats and not named and (better := _better(address, seats[0], left, lives, found)):
        found.refuse(address, messages.better(address, seats[0], better), [seats[0], better])
    elif chosen := [*seats, *named]:
        return _Claim(address, chosen[0], chosen[0] in named, chosen[0] in seats)
    return None


def _better(address: Address, seat: Live, left: list[Live], lives: Lives, found: Identified) -> Live | None:
    """Something unused that reads as declared, if what the subnets use does not: a subnet that was moved, and no other
    evidence, would make one resource of another.
    """
    content = lives.rules.content
    if lives.reads_as(address, seat, content, found):
        return None
    unused = (one for one in left if not lives.users(one) and not lives.rules.standard(one.item))
    return next((one for one in unused if lives.reads_as(address, one, content, found)), None)


def _others(claim: _Claim, lives: Lives, found: Identified) -> list[Address]:
    """The addresses whose declared subnets use what only a Name tag gives to another: they speak against it, unless it
    reads as declared and each of them was found elsewhere.
    """
    if claim.seated or not (others := [at for at in lives.seated_there(claim.live) if at != claim.address]):
        return []
    certain = all(at in found.matched for at in others)
    return [] if certain and lives.reads_as(claim.address, claim.live, lives.rules.content, found) else others


def _refuse_contested(claimed: list[_Claim], lives: Lives, found: Identified) -> None:
    """Several addresses that weak evidence gives the same live resource."""
    for one in claimed:
        other = next(it for it in claimed if it is not one)
        mine = f"{one.live.id} is called {lives.label(one.live)!r}" if one.named else f"its subnets use {one.live.id}"
        theirs = f"so do those of {other.address}" if other.seated else f"it is called {lives.label(other.live)!r}"
        if one.named:
            theirs = f"the subnets of {other.address} use it"
        found.refuse(one.address, messages.contested(one.address, one.live, mine, theirs), [one.live])


# What is left.


def _rest(lives: Lives, found: Identified) -> None:
    for one in lives.left(found):
        if one.tagged and one.id not in found.candidates:
            found.copies[one.id] = one.tagged
            if lives.rules.spare(one.item):
                found.spares.add(one.id)
        elif one.stale and lives.rules.name(one.item) in {"", one.stale}:
            found.owned.add(one.id)
