"""Who changed what differs: from the event that triggered the run, otherwise from CloudTrail's event history.

`keep.py` calls `attribute` after a run that found drift. Only notifications depend on the result, so a lookup that
fails means "unknown", and never fails a run. A wrong name is worse than none, so a call counts only if it is about this
resource and could have caused this drift. Even then the claim is only: this is the newest such call known to
CloudTrail.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.aws.client import Aws, AwsError
from reconciler.cloudtrail.record import TrailRecord, actor, no_change
from reconciler.engine.result import Report
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT
from reconciler.model.kind import Read, read
from reconciler.model.trigger import Actor

log = logging.getLogger(__name__)

LOOKUPS = 5
"""The most resources that one run looks up: CloudTrail's rate limit is low, and shared by the whole account."""
PACE = 0.5
"""Seconds between lookups: an account may make two a second in a region (CloudTrail API reference, LookupEvents)."""
EVENTS = 50
"""The most events in one answer, newest first; further pages are older, and each would cost another call."""

_TAGGING = frozenset({"CreateTags", "DeleteTags", "AddTagsToResource", "RemoveTagsFromResource"})
_OTHER_DIRECTION = {frozenset({"ingress"}): "Egress", frozenset({"egress"}): "Ingress"}


class Drifted(NamedTuple):
    """One resource that differs: its AWS id as this run saw it (empty: it was missing), and the fields that differ."""

    address: Address
    id: str
    fields: frozenset[str]


def drifted(report: Report) -> tuple[Drifted, ...]:
    """The resources that a run found to differ, those with something undeclared first.

    A missing one has no id here: the id of its replacement, which this run may have created, is in no earlier call.
    """
    fields: dict[Address, set[str]] = {}
    undeclared: set[Address] = set()
    for drift in report.drifts:
        fields.setdefault(drift.address, set()).add(drift.field)
        if drift.difference.want is ABSENT:
            undeclared.add(drift.address)
    found = [
        Drifted(address, "" if "" in names else report.ids.get(address, ""), frozenset(names - {""}))
        for address, names in fields.items()
    ]
    return tuple(sorted(found, key=lambda one: one.address not in undeclared))


def attribute(
    drifts: Iterable[Drifted],
    actors: Iterable[Actor],
    aws: Aws,
    *,
    since: datetime,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    is_own_call: Callable[[TrailRecord], bool],
) -> Mapping[Address, Actor]:
    """For each address, who made the newest call since `since` (the look before) that explains the drift; addresses
    without a known actor are left out.

    `drifts` come most severe first: the first `LOOKUPS` of those that `actors` do not explain are looked up, unless
    CloudTrail refuses. `is_own_call` recognises our own calls by their record. Never raises for an answer of AWS.
    """
    since = since.replace(microsecond=0)  # CloudTrail's times are whole seconds
    events = [event for event in actors if event.at >= since]
    found: dict[Address, Actor] = {}
    open_: list[tuple[Drifted, str]] = []
    for drift in drifts:
        if explaining := _newest(drift, events):
            found[drift.address] = explaining
        elif name := _resource_name(drift):
            open_.append((drift, name))
    if len(open_) > LOOKUPS:
        log.info("who changed %d of %d drifted resources is not looked up", len(open_) - LOOKUPS, len(open_))
    last: datetime | None = None
    for drift, name in open_[:LOOKUPS]:
        if last and (wait := PACE - (now() - last).total_seconds()) > 0:
            sleep(wait)
        last = now()
        try:
            answer = aws.read(_lookup(name, since))
        except (AwsError, KeyError) as error:  # KeyError: an answer without a list of events
            log.warning("who caused the drift is unknown: %s", sanitize(str(error)))
            break
        if explaining := _newest(drift, _actors(answer, is_own_call)):
            found[drift.address] = explaining
    return found


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
    by_name = any(row.service == "rds" for row in REGISTRY[drift.address.kind].operations)
    return drift.id or (drift.address.name if by_name else "")


def _actors(answer: Iterable[Any], is_own_call: Callable[[TrailRecord], bool]) -> Iterable[Actor]:
    for event in answer:
        try:
            record = json.loads(event["CloudTrailEvent"])
        except (KeyError, TypeError, ValueError, RecursionError):
            continue  # an entry that cannot be read is skipped
        if not no_change(record) and not is_own_call(record) and (found := actor(record)):
            yield found


def _newest(drift: Drifted, actors: Iterable[Actor]) -> Actor | None:
    """The newest call that is about the resource and could have caused its drift."""
    return max((actor for actor in actors if _explains(actor, drift)), key=lambda actor: actor.at, default=None)


def _explains(event: Actor, drift: Drifted) -> bool:
    name = (drift.id or drift.address.name).casefold()
    if event.call not in REGISTRY[drift.address.kind].changed_by or name not in map(str.casefold, event.names):
        return False
    if not drift.id:
        return event.call.startswith("Delete")
    if (event.call in _TAGGING) is not (drift.fields == {"tags"}):
        return False
    other_direction = _OTHER_DIRECTION.get(drift.fields)
    return other_direction is None or not event.call.endswith(other_direction)
