"""Who changed what differs: from the event that triggered the run, otherwise from CloudTrail's event history.

`keep.py` calls `attribute` after a run that found drift. Only notifications depend on the result, so a lookup that
fails means "unknown", and never fails a run. A wrong name is worse than none, so a call counts only if it is about this
resource and, by its kind's table (`Kind.changes`), could have caused this drift. Calls of several people that could
have are told as that: who made it is one of them. Even then the claim is only that CloudTrail knows of no other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from desired_state.fields import Address, RuleKey
from desired_state.sanitize import sanitize
from reconciler.aws.client import Aws, AwsError
from reconciler.cloudtrail.details import rule_text
from reconciler.cloudtrail.record import TrailRecord, actor, bounded, no_change
from reconciler.engine.result import Report
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT, Difference
from reconciler.model.cause import Part, Way
from reconciler.model.read import Read, read
from reconciler.model.trigger import Actor

log = logging.getLogger(__name__)

LOOKUPS = 5
"""The most resources that one run looks up: CloudTrail's rate limit is low, and shared by the whole account."""
PACE = 0.5
"""Seconds between lookups: an account may make two a second in a region (CloudTrail API reference, LookupEvents)."""
EVENTS = 50
"""The most events in one answer, newest first; further pages are older, and each would cost another call."""

MOST_PEOPLE = 3
"""The most people of whom one may have made a change, for them to be named."""


NONE: Mapping[str, str] = MappingProxyType({})


class Differing(NamedTuple):
    """One difference, as calls are compared with it. An empty `way` or `key` may be any.

    `key` is the member as `Part.keys` has it, `value` the live value if it is `true` or `false`. `member` is the id of
    a member that is a resource. `before` is the id of what associated it in the last look before this run, `after` of
    what does now.
    """

    field: str
    way: Way | Literal[""] = ""
    key: str = ""
    value: str = ""
    member: str = ""
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    identity: tuple[Address, str, Any] | None = None


class Drifted(NamedTuple):
    """One resource that differs: its AWS id as this run saw it, or as it was when it was there (empty: not known), and
    what differs.
    """

    address: Address
    id: str
    differing: tuple[Differing, ...]

    @property
    def missing(self) -> bool:
        return any(not one.field for one in self.differing)


class Attribution(NamedTuple):
    """By address, who may have caused the drift; by `Difference.identity`, when what is there was certainly made.
    `unknown` is why not all were looked up (empty: they were).
    """

    actors: Mapping[Address, Actor]
    made: Mapping[tuple[Address, str, Any], datetime]
    unknown: str = ""


def drifted(report: Report, ids: Mapping[Address, str], associations: Mapping[str, str]) -> tuple[Drifted, ...]:
    """The resources that a run found to differ, those with something undeclared first.

    `ids` and `associations` are remembered. A missing resource has the id that it had: the id of its replacement, which
    this run may have created, is in no earlier call. RDS's have their name.
    """
    found: dict[Address, list[Differing]] = {}
    undeclared: set[Address] = set()
    for drift in report.drifts:
        found.setdefault(drift.address, []).append(
            differing(drift.difference, report.ids, report.document.vpc, associations, report.associations)
        )
        if drift.difference.want is ABSENT:
            undeclared.add(drift.address)
    drifts = []
    for address, some in found.items():
        missing = any(not one.field for one in some)
        known = "" if _by_name(address) else ids.get(address, "")
        drifts.append(Drifted(address, known if missing else report.ids.get(address, ""), tuple(some)))
    return tuple(sorted(drifts, key=lambda one: one.address not in undeclared))


def differing(
    one: Difference,
    ids: Mapping[Address, str],
    vpc: Address,
    before: Mapping[str, str] = NONE,
    after: Mapping[str, str] = NONE,
) -> Differing:
    """A difference as calls are compared with it, given the ids of what is live, and the associations of the look
    before and of this one.
    """
    way: Way = "extra" if one.want is ABSENT else "gone" if one.have is ABSENT else "other"
    key = str(one.key) if one.key is not None else ""
    member = ""
    if isinstance(one.key, RuleKey):
        key = rule_text(one.key._replace(peer=ids.get(Address(one.key.peer), one.key.peer)))
    elif Address(key).kind in REGISTRY or key.startswith(("subnet-", "sg-")):
        key, member = "", key
    at = member or (vpc if one.field == "main" else "")
    return Differing(
        one.field,
        way,
        key,
        str(one.have).lower() if isinstance(one.have, bool) else "",
        ids.get(Address(member), member),
        _of(at, before),
        _of(at, after),
        one.identity,
    )


def _of(address: str, associations: Mapping[str, str]) -> frozenset[str]:
    return frozenset(aws_id for name, aws_id in associations.items() if address and name.split(" ")[0] == address)


def _by_name(address: Address) -> bool:
    """Whether AWS knows it by its declared name: in RDS."""
    return any(row.service == "rds" for row in REGISTRY[address.kind].operations)


def attribute(
    drifts: Iterable[Drifted],
    actors: Iterable[Actor],
    aws: Aws,
    *,
    since: datetime,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    is_own_call: Callable[[TrailRecord], bool],
) -> Attribution:
    """Who made the calls since `since` (the look before) that explain the drifts; addresses without a known actor are
    left out.

    `drifts` come most severe first: the first `LOOKUPS` of those that `actors` do not explain are looked up, unless
    CloudTrail refuses. `is_own_call` recognises our own calls by their record. Never raises for an answer of AWS.
    """
    since = since.replace(microsecond=0)  # CloudTrail's times are whole seconds
    events = [event for event in actors if event.at >= since]
    explained: dict[Drifted, list[Actor]] = {}
    open_: list[tuple[Drifted, str]] = []
    for drift in drifts:
        if explaining := [event for event in events if _explains(event, drift)]:
            explained[drift] = explaining
        elif name := _resource_name(drift):
            open_.append((drift, name))
    unknown = ""
    if len(open_) > LOOKUPS:
        log.info("who changed %d of %d drifted resources is not looked up", len(open_) - LOOKUPS, len(open_))
        unknown = f"{len(open_) - LOOKUPS} of {len(open_)} resources were not looked up: a run asks {LOOKUPS} times"
    last: datetime | None = None
    for drift, name in open_[:LOOKUPS]:
        if last and (wait := PACE - (now() - last).total_seconds()) > 0:
            sleep(wait)
        last = now()
        try:
            answer = aws.read(_lookup(name, since))
        except (AwsError, KeyError) as error:  # KeyError: an answer without a list of events
            log.warning("who caused the drift is unknown: %s", sanitize(str(error)))
            unknown = f"CloudTrail did not answer: {sanitize(str(error))}"
            break
        if explaining := [event for event in _actors(answer, is_own_call) if _explains(event, drift)]:
            explained[drift] = explaining
    told = ((drift.address, _one_of(calls)) for drift, calls in explained.items())
    who = {address: one for address, one in told if one}
    return Attribution(who, dict(_made(explained)), unknown)


def _lookup(name: str, since: datetime) -> Read:
    """One page of the event history of one resource. Its start time is in seconds, which JSON can represent."""
    about = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    return read(
        "cloudtrail",
        "LookupEvents",
        "Events",
        {"LookupAttributes": about, "StartTime": int(since.timestamp()), "MaxResults": EVENTS},
    )


def _resource_name(drift: Drifted) -> str:
    """CloudTrail's ResourceName: the id. RDS resources are identified by their declared names, so theirs is known even
    if they are missing.
    """
    return drift.id or (drift.address.name if _by_name(drift.address) else "")


def _actors(answer: Iterable[Any], is_own_call: Callable[[TrailRecord], bool]) -> Iterable[Actor]:
    for event in answer:
        try:
            record = json.loads(event["CloudTrailEvent"])
        except (KeyError, TypeError, ValueError, RecursionError):
            continue  # an entry that cannot be read is skipped
        if not no_change(record) and not is_own_call(record) and (found := actor(record)):
            yield found


def who_made(drift: Drifted, events: Iterable[Actor]) -> Actor | None:
    """Who made those of the calls that explain a drift."""
    return _one_of([event for event in events if _explains(event, drift)])


def _one_of(events: Iterable[Actor]) -> Actor | None:
    """Who made these calls: of one person the newest, of several people all of them, of many nobody."""
    newest = {event.who: event for event in sorted(events, key=lambda event: event.at)}
    people = sorted(newest.values(), key=lambda event: event.at)
    if len(people) == 1:
        return people[0]
    if not people or len(people) > MOST_PEOPLE:
        return None
    return bounded(
        Actor(
            who=" or ".join(one.who for one in people),
            call=" or ".join(dict.fromkeys(one.call for one in people)),
            at=people[-1].at,
        )
    )


def _made(explained: Mapping[Drifted, Iterable[Actor]]) -> Iterator[tuple[tuple[Address, str, Any], datetime]]:
    """Since when each undeclared member can be there at most: AWS would have refused the call, had it been there. Of
    several calls the earliest counts: it may have been there in between.
    """
    for drift, events in explained.items():
        for one in drift.differing:
            times = [event.at for event in events for part in _parts(event, drift, one) if part.refused_if_there]
            if times and one.key and one.identity and one.way == "extra":
                yield one.identity, min(times)


def _explains(event: Actor, drift: Drifted) -> bool:
    """Whether a call could have caused the drift. Of what drifted besides tags, only that counts."""
    if drift.missing:
        relevant = [one for one in drift.differing if not one.field]
    else:
        relevant = [one for one in drift.differing if one.field != "tags"] or list(drift.differing)
    return any(True for one in relevant for _ in _parts(event, drift, one))


def _parts(event: Actor, drift: Drifted, one: Differing) -> Iterator[Part]:
    """What the call can have changed of a difference."""
    touches = REGISTRY[drift.address.kind].changes.get(event.call)
    if touches is None or not _about(event, drift, one):
        return
    for part in touches(event.details):
        listed = one.member in event.names
        member = one.member and part.lists and one.way == ("gone" if listed else "extra")
        key = part.keys is not None and one.key and one.key not in part.keys
        value = part.value and one.value and part.value != one.value
        if part.field == one.field and not (one.way and one.way not in part.ways) and not (member or key or value):
            yield part


def _about(event: Actor, drift: Drifted, one: Differing) -> bool:
    """Whether the call names the resource, or what associates the member with it."""
    named = frozenset(map(str.casefold, event.names))
    name = _resource_name(drift)
    names_it = bool(name) and name.casefold() in named
    moved = {one for one in named if one.startswith(_ASSOCIATIONS)}
    if not moved:
        return names_it
    if one.way == "gone" or one.value == "false":  # what it lost, it lost to whatever the call names
        return bool(moved & one.before)
    return names_it and (not one.after or bool(moved & one.after))


_ASSOCIATIONS = ("rtbassoc-", "aclassoc-")
