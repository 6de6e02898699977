"""Exceptions, holds, what could not be seen, and whatever else a person should know. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reconciler.report.page.reading import Json, listed, mapping, text
from reconciler.report.page.resources import Resource, Resources
from reconciler.report.page.words import Side, duration, member, moment, parsed, plain, side

MOST = 300


class Tolerated(NamedTuple):
    """A declared exception. `left` is the time that it has at the time of the run, None if it has ended."""

    resource: Resource
    field: str | None
    value: Side
    until: str | None
    left: str | None
    reason: str | None
    active: bool


class Hold(NamedTuple):
    """A hold by the tag on a resource."""

    resource: Resource
    who: str | None
    since: str | None
    until: str | None
    left: str | None


class Unseen(NamedTuple):
    """What could not be read."""

    what: str
    why: str


class Finding(NamedTuple):
    """Something that a person should know."""

    resource: Resource
    field: str | None
    outcome: str | None
    reason: str | None
    message: str | None


class Pending(NamedTuple):
    """A change that AWS has accepted and not applied yet."""

    resource: Resource
    field: str
    now: str
    accepted: str


class Opening(NamedTuple):
    """What the plan newly lets the internet reach."""

    source: str
    target: str
    traffic: str
    certain: bool


class Orphaned(NamedTuple):
    """A call that resolves no difference: what it does, why, and how it ended."""

    resource: Resource
    operation: str | None
    why: str | None
    outcome: str | None
    reason: str | None
    message: str | None


@dataclass(frozen=True)
class Notes:
    """All of them; `left_out` is how many more there are."""

    exceptions: tuple[Tolerated, ...]
    holds: tuple[Hold, ...]
    unseen: tuple[Unseen, ...]
    findings: tuple[Finding, ...]
    pending: tuple[Pending, ...]
    openings: tuple[Opening, ...]
    orphaned: tuple[Orphaned, ...]
    untagged: tuple[Resource, ...]
    left_out: int

    @property
    def count(self) -> int:
        return len(self.exceptions) + len(self.holds) + len(self.unseen) + len(self.findings) + len(self.pending)


def notes(receipt: Json, resources: Resources, now: datetime | None) -> Notes:
    """The notes of a receipt; `now` is the time that ends are counted from."""
    names = ("exceptions", "holds", "findings", "pending", "openings", "orphaned", "untagged")
    return Notes(
        exceptions=tuple(_exception(one, resources, now) for one in listed(receipt, "exceptions")[:MOST]),
        holds=tuple(_hold(one, resources, now) for one in listed(receipt, "holds")[:MOST]),
        unseen=tuple(unseen(receipt)),
        findings=tuple(_finding(one, resources) for one in listed(receipt, "findings")[:MOST]),
        pending=tuple(_pending(one, resources) for one in listed(receipt, "pending")[:MOST]),
        openings=tuple(map(_opening, listed(receipt, "openings")[:MOST])),
        orphaned=tuple(_orphaned(one, resources) for one in listed(receipt, "orphaned")[:MOST]),
        untagged=tuple(resources.at(str(address)) for address in listed(receipt, "untagged")[:MOST]),
        left_out=sum(max(0, len(listed(receipt, name)) - MOST) for name in names),
    )


def unseen(receipt: Json) -> list[Unseen]:
    """What could not be read, each once."""
    found = {str(one.get("kind") or one.get("address")): str(one.get("why") or "") for one in listed(receipt, "unseen")}
    for name in ("first", "last"):
        look = mapping(mapping(receipt, "network"), name)
        for what, why in mapping(look, "unread").items():
            found.setdefault(what, str(why))
            if found[what] != str(why):
                found[what] = f"{found[what]}; {why}"
    return [Unseen(what, why) for what, why in list(found.items())[:MOST]]


def _left(until: str | None, now: datetime | None) -> str | None:
    end = parsed(until)
    if end is None or now is None or end <= now:
        return None
    return duration((end - now).total_seconds())


def _exception(one: Json, resources: Resources, now: datetime | None) -> Tolerated:
    until, value = text(one, "until"), one.get("value")
    return Tolerated(
        resource=resources.at(str(one.get("address"))),
        field=text(one, "field"),
        value=side(value) if not isinstance(value, dict) or "protocol" in value else Side(tuple(_keyed(value))),
        until=moment(until),
        left=_left(until, now),
        reason=text(one, "reason"),
        active=bool(one.get("active")),
    )


def _keyed(value: Json) -> list[str]:
    return [f"{key}: {member(inner)}" for key, inner in value.items()]


def _hold(one: Json, resources: Resources, now: datetime | None) -> Hold:
    until = text(one, "until")
    since = moment(text(one, "since"))
    return Hold(resources.at(str(one.get("address"))), text(one, "who"), since, moment(until), _left(until, now))


def _finding(one: Json, resources: Resources) -> Finding:
    field = text(one, "field")
    return Finding(
        resources.at(str(one.get("address"))), field, text(one, "outcome"), text(one, "reason"), text(one, "message")
    )


def _orphaned(one: Json, resources: Resources) -> Orphaned:
    told = (text(one, name) for name in ("operation", "why", "outcome", "reason", "message"))
    return Orphaned(resources.at(str(one.get("address"))), *told)


def _pending(one: Json, resources: Resources) -> Pending:
    now, accepted = plain(one.get("now")), plain(one.get("accepted"))
    return Pending(resources.at(str(one.get("address"))), str(one.get("field")), now, accepted)


def _opening(one: Json) -> Opening:
    certain = one.get("certain") is not False
    return Opening(str(one.get("source")), str(one.get("target")), str(one.get("traffic")), certain)
