"""What people read when a live resource is not clearly a declared one, with the line to write."""

from __future__ import annotations

import json
from collections.abc import Iterable

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.identity.live import NEW, Live, Lives
from reconciler.model import NAME_TAG
from reconciler.model.kind import Kind


def ids(lives: Iterable[Live]) -> str:
    """The ids, as a person reads them."""
    return " and ".join(sorted(one.id for one in lives))


def adopt(address: Address, aws_id: str) -> str:
    """The line that names it."""
    return f'"adopt": {json.dumps({address: aws_id})}'


def which(address: Address, lives: Iterable[Live]) -> str:
    """The line that says which one it is, or that another is to be made."""
    line = adopt(address, min(one.id for one in lives))
    return f'write which one it is: {line}, or "new" to have another made'


def several(address: Address, lives: list[Live], rules: Lives) -> str:
    """More than one has the same evidence."""
    spare = [one.id for one in lives if rules.rules.spare(one.item)]
    mend = f"; or delete what nothing uses: {delete(rules.kind, rules.document, spare[-1])}" if spare else ""
    return f"{len(lives)} live resources could be it: {ids(lives)}; {which(address, lives)}{mend}"


def delete(kind: Kind, document: Document, aws_id: str) -> str:
    """The call of the AWS CLI that deletes it."""
    return f"{kind.identify.deleted_by} {aws_id} --region {document.scope.region}"


def foreign(live: Live, rules: Lives) -> str:
    """That it is the address, and somebody else's."""
    if live.account:
        key = rules.rules.key_text
        what = f"has this{key.removeprefix('its')} and" if key.startswith("its") else "is it, but"
        declare = rules.rules.refer.replace("refer to it", "declare it") + " instead"
        return f"{live.id} {what} belongs to the account {live.account}: {declare}"
    if live.owner in rules.document.formerly:
        named = f"its tag {NAME_TAG} names nothing that is declared here: put that tag right"
        return f"{live.id} is it, but {live.foreign}, a former name of this one, and {named}"
    formerly = f'"formerly": {json.dumps([live.owner])}'
    take = f"if this document takes it over, take it out of that one and write {formerly}"
    return f"{live.id} is it, but {live.foreign}: {rules.rules.refer}, or, {take}"


def not_there(target: str, seats: list[Live]) -> str:
    """What `adopt` names does not exist."""
    where = f"its subnets use {ids(seats)}: " if seats else ""
    return f"adopt names {target}, which does not exist here; {where}correct the id, or take the entry out"


def elsewhere(target: str, name: str) -> str:
    """What `adopt` names has another name in AWS."""
    return f"adopt names {target}, which is called {name!r}: correct the id, or take the entry out"


def against(address: Address, label: str, named: list[Live], seat: Live) -> str:
    """A Name tag against the subnets."""
    called = f"{ids(named)} {'is' if len(named) == 1 else 'are'} called {label!r}"
    return f"{called}, but its subnets use {seat.id}: {which(address, [seat])}"


def better(address: Address, seat: Live, other: Live) -> str:
    """What its subnets use does not read as declared, and something unused does."""
    reads = f"its subnets use {seat.id}, which does not read as declared, and {other.id}, which has no subnet, does"
    return f"{reads}: {which(address, [seat, other])}"


def standard(address: Address, live: Live, rules: Lives) -> str:
    """It has the Name tag of an address that is not declared as the VPC's own."""
    called = (
        f"{live.id} is called {rules.label(live)!r}, and {rules.rules.key_text}, which {address} is not declared to be"
    )
    return f"{called}: declare it so, or {which(address, [live])}"


def seated(address: Address, live: Live, rules: Lives, other: Address) -> str:
    """It has its Name tag, and the subnets of another address use it."""
    return f"{live.id} is called {rules.label(live)!r}, but the subnets of {other} use it: {which(address, [live])}"


def held(address: Address, live: Live, other: Address) -> str:
    """What AWS keeps unique of it is another address."""
    return f"{live.id} is found as {other}: put its tags right, or write {adopt(address, live.id)}"


def disputed(address: Address, live: Live, other: Address) -> str:
    """Weak evidence gives it what may be another address, which is a problem."""
    return f"{live.id} could be it, and could be {other} too: {which(address, [live])}"


def contested(address: Address, live: Live, mine: str, theirs: str) -> str:
    """Weak evidence gives one live resource to two addresses."""
    return f"{mine}, and {theirs}: {which(address, [live])}"


def misplaced(address: Address, live: Live, other: Address) -> str:
    """Its subnets use what has the tags of another address."""
    put = "put its tags right, or "
    return f"its subnets use {live.id}, which carries the tags of {other}: {put}{which(address, [live])}"


def exchanged(address: Address, live: Live, other: Address, right: Live, *, exactly: bool, two: bool) -> str:
    """Tags that were exchanged."""
    around = "and the other way round" if two else "and so on in a circle"
    reads = f"{live.id} carries its tags and reads {'in everything' if exactly else 'rather'} as {other}, {around}"
    return f"{reads}: exchange their tags, or write {adopt(address, right.id)}"


def transferred(address: Address, live: Live, right: Live, *, exactly: bool) -> str:
    """Its tags are on another resource, and what reads as declared has none."""
    does = "does in everything" if exactly else "rather does"
    reads = f"{live.id} carries its tags and does not read as declared, and {right.id} {does}"
    return f"{reads}: put its tags right, or write {adopt(address, right.id)}"


def taken_for(address: Address, live: Live, other: Address, rules: Lives) -> str:
    """Its tags are on another address's resource."""
    why = f"and {rules.rules.key_text}" if rules.rules.standard(live.item) else "whose subnets use it"
    reads = f"{live.id} carries its tags, and reads as {other}, {why}"
    return f"{reads}: put its tags right, or write {adopt(address, live.id)}"


def twin(address: Address, live: Live, other: Address | None, *, used: bool) -> str:
    """Something reads as declared that nothing of its own uses, or that may be another address."""
    has = f"may be {other}" if other else "has no subnet of its own" if used else "has no subnet"
    return f"{live.id} {has} and reads as declared: {which(address, [live])}"


def mistagged(address: Address, live: Live, other: Address, label: str) -> str:
    """It has its Name tag, and the tags of an address that is another resource."""
    return f"{live.id} is called {label!r}, and carries the tags of {other}: {which(address, [live])}"


def left_over(address: Address, live: Live) -> str:
    """Something under a former name reads as declared."""
    was = f"{live.id} is this document's under the name {live.stale!r}, which is declared no more"
    write = f'write "formerly": {json.dumps([live.stale])} here, or {adopt(address, NEW)}'
    return f"{was}, and reads as declared: {write} to have another made"


def not_external(address: Address, noun: str, document: str, name: str) -> str:
    """The other document has no such resource."""
    carries = f"no {noun} carries the tags of {name!r} of the document {document!r}"
    return f'{carries}: correct "external" for {address}, or let that document create it first'
