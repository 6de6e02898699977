"""How a `DocumentRecord` is stored as an item of the ledger's table. Pure: `lease.py` reads and writes the items.

One item a document, readable in the console:

    document  S  its name, the key                   expires   N  when that lease ends, seconds since 1970
    owner     S  who has the lease; absent: nobody   fence     N  increases with every lease
    account, region, vpc_id  S                       looked_at S  time
    accepted  M  revision N, sha256 S, version_id S  deleted   BOOL
    announced M  the same; absent: the accepted one, revision 0: none
    flapping     M  drift: {times L of times, pauses N, until time}
    accepted_changes M drift: {address, field, have S, at time, tries, pauses N, until time, refused S}
    notified  M  fingerprint: {digest S, title S, first_seen time, last_alerted time, open BOOL}
    holds     M  address: time                       ids       M  address: id S
    covers    S  time of the queue's clock
    associations M  address and what it is: id S     open_since M  name of a difference: time
    untold    L  of M, an alert of what was about to be corrected, or could not be told; with its members L of M
    rollout   M  since L of versions as accepted, left L of names; absent: the network was brought to the accepted one
    state, severity  S                               openings  L  of S, sentences
    since, in_sync_since  S  time                    day       S  time of the first look of the day
    looks, unseen, longest_gap  N  of the day        gaps      L  of L of two N
    receipt   M  key S, sha256 S, digest S, of S     outcomes  M  outcome: how many N
    exposed_since  S  time                           uploads   L  of M, version_id, who, source_ip S, at time

A time is ISO 8601 with an offset. What has no value is left out. Attributes that are not listed here belong to a newer
version of this program and are not changed.

An item has at most 400 KB (DynamoDB developer guide, "Quotas"), and every renewal of a lease is charged by its size. So
`bounded` limits it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from desired_state.fields import Address, shown
from desired_state.sanitize import sanitize
from reconciler.ledger.record import AcceptedChange, DocumentRecord, FlappingRecord, Rollout, Untold, UntoldMember

MOST_FLAPPING = 200
MOST_ACCEPTED = 200
MOST_NOTIFIED = 200
MOST_HOLDS = 1000
MOST_IDS = 1000
MOST_ASSOCIATIONS = 1000
MOST_OPEN = 1000
MOST_TIMES = 50
"""How many entries are kept of each; `MOST_TIMES` are the corrections of one flapping drift."""
ROOM = 64 * 1024
"""Bytes that `flapping`, `notified`, `holds`, `ids` and `associations` may each take."""
OF_ACCEPTED = 32 * 1024
"""Bytes of `accepted_changes`."""
IN_FULL, BY_NAME = 24 * 1024, 72 * 1024
"""Bytes of `untold`: what is stored with all its words, and the rest."""
MOST_LEFT = 1000
MOST_SINCE = 5
MOST_OPENINGS, LONGEST_OPENING = 3, 110
MOST_GAPS = 8
LONGEST_TITLE = 200
LONGEST_VALUE = 400

ATTRIBUTES = tuple(one.name for one in fields(DocumentRecord))
"""The attributes of an item that hold its record; the others are the key and the lease."""

_NOT_EMPTY = ("accepted_changes", "untold", "openings", "outcomes", "looks", "unseen", "longest_gap", "gaps", "uploads")
"""What is left out of an item where it is empty or 0."""
_LONGEST_LEASE = timedelta(days=1)
_RECORD = TypeAdapter(DocumentRecord)
_UNTOLD = TypeAdapter(Untold)
_TIME = "write a time such as 2026-11-22T09:00:00Z"
_COUNT = "write a whole number from 0, or remove it"
_REMOVE = "correct the entry, or remove it: it is then recorded again"
_HINTS = {
    "account": "write the account's twelve digits as text",
    "region": "write the region's name as text",
    "vpc_id": "write the VPC's id as text",
    "accepted": "write revision (number), sha256 and version_id (text), or remove it: the next version that loads is "
    "then accepted, whatever its revision",
    "announced": "write revision (number), sha256 and version_id (text), or remove it: the accepted version then "
    "counts as announced",
    "looked_at": f"{_TIME}, or remove it",
    "covers": f"{_TIME}, or remove it: no message then counts as covered",
    "deleted": "write a boolean",
    "flapping": _REMOVE,
    "accepted_changes": "correct the entry, or remove it: the change is then tried again at once",
    "notified": _REMOVE,
    "holds": f"{_TIME}, or remove the entry: the hold then counts from now",
    "open_since": f"{_TIME}, or remove the entry: what is open then counts from the look before",
    "associations": "write the association's id as text, or remove the entry",
    "ids": "write the resource's id as text, or remove the entry: what the next run finds is then taken for it",
    "untold": "correct the entry, or remove it: what it tells of is then told by nobody",
    "rollout": "write since and left as lists, or remove it: the network is then at the accepted version",
    "state": "write sync, differs, open, unseen, refused or deleted as text, or remove it",
    "severity": "write critical, high, medium, low or info as text, or remove it",
    "since": f"{_TIME}, or remove it",
    "in_sync_since": f"{_TIME}, or remove it",
    "openings": "write a list of texts, or remove it",
    "exposed_since": f"{_TIME}, or remove it: what stands open then counts from a time that is not known",
    "outcomes": "write whole numbers from 0, or remove it",
    "day": f"{_TIME}, or remove it: the looks of the day are then counted from the next one",
    "looks": _COUNT,
    "unseen": _COUNT,
    "longest_gap": _COUNT,
    "gaps": "write a list of pairs of seconds since 1970, or remove it",
    "uploads": "write a list of version_id, who and source_ip (text) and at (time), or remove it: who uploaded the "
    "version in force is then not known",
    "receipt": "write key, sha256 and digest as text, or remove it: the next run then writes a receipt, linked to none "
    "before it",
    "owner": "remove owner and expires, once no run is under way",
    "expires": "remove owner and expires, once no run is under way",
    "fence": "write a number above every number it ever had",
}


class MalformedItem(Exception):
    """An item that somebody else has changed: `attribute` is the path of what cannot be read, in the attribute `name`,
    and `hint` what to do.
    """

    def __init__(self, attribute: str, problem: str) -> None:
        super().__init__(f"{attribute}: {problem}")
        self.attribute, self.problem = attribute, problem
        self.name = attribute.partition(".")[0]
        self.hint = _HINTS.get(self.name, "correct it")


def read(item: Mapping[str, Any]) -> DocumentRecord:
    """The record of an item, with values as boto3's TypeDeserializer returns them. Raises MalformedItem.

    A missing attribute was never written. One that cannot be read is never treated as missing.
    """
    known = {name: item[name] for name in ATTRIBUTES if name in item}
    for name, value in known.items():
        if value is None:  # this program leaves out what has no value, so somebody else wrote this
            raise MalformedItem(name, "it is null")
    try:
        # From strict JSON pydantic reads times from text, and converts nothing else.
        record = _RECORD.validate_json(json.dumps(known, default=_plain), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(sanitize(str(step)) for step in first["loc"])
        raise MalformedItem(path, first["msg"]) from None
    for path, time in _times(record):
        if time.tzinfo is None:
            raise MalformedItem(sanitize(path), "a time without an offset")
    return record


def salvaged(item: Mapping[str, Any]) -> tuple[DocumentRecord, tuple[MalformedItem, ...]]:
    """The record of what can be read of an item, and what cannot: those attributes are as if never written."""
    left, problems = dict(item), list[MalformedItem]()
    while True:
        try:
            return read(left), tuple(problems)
        except MalformedItem as error:
            problems.append(error)
            del left[error.name]


def written(record: DocumentRecord) -> dict[str, Any]:
    """The attributes of `record`, as boto3's TypeSerializer takes them. Those of ATTRIBUTES that are missing here are
    to be removed from the item.
    """
    plain: dict[str, Any] = _RECORD.dump_python(record, mode="json", exclude_none=True)
    for name in _NOT_EMPTY:
        if not plain[name]:
            del plain[name]
    return plain


def holder(item: Mapping[str, Any], now: datetime) -> tuple[str, datetime]:
    """Who has the lease of an item, and until when. Raises MalformedItem, also for an end too far in the future, which
    would block every run.
    """
    owner, expires = item.get("owner"), item.get("expires")
    if not isinstance(owner, str):
        raise MalformedItem("owner", f"{shown(owner)} is not a name")
    if not isinstance(expires, Decimal):
        raise MalformedItem("expires", f"{shown(expires)} is not a number")
    if not 0 <= expires <= seconds(now + _LONGEST_LEASE):
        raise MalformedItem("expires", f"{shown(str(expires))} is not a time within a day from now")
    return owner, datetime.fromtimestamp(float(expires), UTC)


def fence(item: Mapping[str, Any]) -> Decimal:
    """The fencing number of an item, which only has to grow. Raises MalformedItem."""
    number = item.get("fence")
    if not isinstance(number, Decimal):
        raise MalformedItem("fence", f"{shown(number if isinstance(number, str) else str(number))} is not a number")
    return number


def seconds(time: datetime) -> Decimal:
    """A time as `expires` has it, to the millisecond."""
    return Decimal(f"{time.timestamp():.3f}")


def bounded(record: DocumentRecord) -> DocumentRecord:
    """`record` with no more than an item should hold.

    Resolved alerts are forgotten first, then the oldest entries: of `flapping` by the last correction or the end of the
    pause, of `notified` by the last alert, of `holds` by when they were first seen. Of `ids` the first are kept.
    """
    flapping = {key: replace(one, times=tuple(sorted(one.times)[-MOST_TIMES:])) for key, one in record.flapping.items()}
    notified = {
        key: replace(one, digest=_utf8(one.digest), title=_utf8(one.title)[:LONGEST_TITLE])
        for key, one in record.notified.items()
    }
    accepted = {key: _shorter(one) for key, one in record.accepted_changes.items()}
    ids = [(address, _utf8(one)) for address, one in record.ids.items()]
    return replace(
        record,
        flapping=_newest(flapping, MOST_FLAPPING, _last_change),
        accepted_changes=_newest(accepted, MOST_ACCEPTED, lambda one: one.at, OF_ACCEPTED),
        notified=_newest(notified, MOST_NOTIFIED, lambda one: (one.open, one.last_alerted)),
        holds={Address(key): since for key, since in _newest(record.holds, MOST_HOLDS, lambda since: since).items()},
        ids={Address(key): one for key, one in _first(ids, MOST_IDS).items()},
        open_since=dict(sorted(record.open_since.items())[:MOST_OPEN]),
        associations=_first(((key, _utf8(one)) for key, one in record.associations.items()), MOST_ASSOCIATIONS),
        untold=_fitting(record.untold),
        rollout=record.rollout and _fitting_rollout(record.rollout),
        openings=tuple(_utf8(one)[:LONGEST_OPENING] for one in record.openings[:MOST_OPENINGS]),
        uploads=tuple(
            replace(one, version_id=_utf8(one.version_id), who=_utf8(one.who), source_ip=_utf8(one.source_ip))
            for one in record.uploads
        ),
        gaps=tuple(sorted(sorted(record.gaps, key=lambda one: one[0] - one[1])[:MOST_GAPS])),
    )


def _shorter(one: AcceptedChange) -> AcceptedChange:
    address, field = _utf8(one.address), _utf8(one.field)
    return replace(one, address=address, field=field, have=_utf8(one.have)[:LONGEST_VALUE], refused=_utf8(one.refused))


def _fitting_rollout(one: Rollout) -> Rollout:
    left = one.left if one.left is None or len(one.left) <= MOST_LEFT else None
    return Rollout(one.since[-MOST_SINCE:], left)


def _fitting(untold: Iterable[Untold]) -> tuple[Untold, ...]:
    """The first that find room as they are; of all others only the names, in one."""
    room, kept, rest = IN_FULL, list[Untold](), list[Untold]()
    for one in untold:
        size = len(_UNTOLD.dump_json(one, exclude_none=True))
        if rest or size > room:
            rest.append(one)
        else:
            room -= size
            kept.append(one)
    return (*kept, _further(rest)) if rest else tuple(kept)


def _further(rest: Sequence[Untold]) -> Untold:
    members = [
        UntoldMember((one.title if one.address else member.what)[:60], member.name)
        for one in rest
        for member in one.members
    ]
    room, named = BY_NAME, list[UntoldMember]()
    for one in members:
        room -= len(to_json([one.what, one.name])) + _LABELS
        if room < 0:
            break
        named.append(one)
    first = rest[0]
    return Untold(
        fingerprint=f"{first.fingerprint}+"[:40],
        topic="drift",
        severity=first.severity,
        title=f"{len(members)} further differences",
        sentence="There were too many to remember more of each than its name.",
        at=min(one.at for one in rest),
        members=tuple(named),
        sha256=first.sha256 if all(one.sha256 == first.sha256 for one in rest) else "",
    )


_LABELS = 40
"""Bytes of the names of a member's attributes."""


def _newest[V](
    entries: Mapping[str, V] | Mapping[Address, V], most: int, age: Callable[[V], Any], room: int = ROOM
) -> dict[str, V]:
    return _first(sorted(entries.items(), key=lambda entry: (age(entry[1]), entry[0]), reverse=True), most, room)


def _first[V](entries: Iterable[tuple[str, V]], most: int, room: int = ROOM) -> dict[str, V]:
    # An entry that is too large itself is dropped, and the others stay.
    kept = dict[str, V]()
    for name, value in entries:
        key = _utf8(name)
        size = len(to_json({key: value}))
        if key and len(kept) < most and size <= room:
            room -= size
            kept[key] = value
    return kept


def _last_change(record: FlappingRecord) -> datetime:
    return max((*record.times, *([record.until] if record.until else [])), default=datetime.min.replace(tzinfo=UTC))


def _utf8(text: str) -> str:
    """Half a surrogate pair, which JSON can contain, would make DynamoDB refuse the whole item."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: object) -> int | float:
    """A number as in JSON. Sets and bytes become a number that is invalid for every attribute, so they are refused."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else 0.5


def _times(record: DocumentRecord) -> Iterator[tuple[str, datetime]]:
    if record.looked_at:
        yield "looked_at", record.looked_at
    for name in ("covers", "since", "in_sync_since", "exposed_since", "day"):
        if time := getattr(record, name):
            yield name, time
    for name, flapping in record.flapping.items():
        yield from ((f"flapping.{name}.times", time) for time in flapping.times)
        if flapping.until:
            yield f"flapping.{name}.until", flapping.until
    for name, accepted in record.accepted_changes.items():
        yield f"accepted_changes.{name}.at", accepted.at
        if accepted.until:
            yield f"accepted_changes.{name}.until", accepted.until
    for name, notified in record.notified.items():
        yield f"notified.{name}.first_seen", notified.first_seen
        yield f"notified.{name}.last_alerted", notified.last_alerted
    for address, since in record.holds.items():
        yield f"holds.{address}", since
    yield from ((f"open_since.{key}", since) for key, since in record.open_since.items())
    for number, untold in enumerate(record.untold):
        yield f"untold.{number}.at", untold.at
        if untold.who:
            yield f"untold.{number}.who.at", untold.who.at
