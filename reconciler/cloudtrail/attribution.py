"""Who changed what differs, as far as AWS tells: the event that woke us, else CloudTrail's event history.

`keep.py` calls `attribute` after a run that found drift. Nothing depends on the answer but what people are told, so a
lookup that fails is "unknown", never the failure of a run; and a wrong name is worse than none, so a call counts only
where it is about this very resource and could have caused this very drift. What is said is still no more than: this is
the newest such call that AWS has told of.
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
"""How many resources are looked up in one run, the first given first: CloudTrail's patience is small, and shared."""
PACE = 0.5
"""Seconds between lookups: an account may make two a second in a region (CloudTrail API reference, LookupEvents)."""
EVENTS = 50
"""The most that one answer holds, newest first; further pages are older, and each would cost another call."""

_TAGGING = frozenset({"CreateTags", "DeleteTags", "AddTagsToResource", "RemoveTagsFromResource"})
_OTHER_WAY = {frozenset({"ingress"}): "Egress", frozenset({"egress"}): "Ingress"}


class Drifted(NamedTuple):
    """One resource that differs: its AWS id as we saw it ourselves (empty: it is missing), and the fields that do."""

    address: Address
    id: str
    fields: frozenset[str]


def drifted(report: Report) -> tuple[Drifted, ...]:
    """What a run found to differ, each resource once; where something is there that nobody declares, first.

    What was missing has no id here: that of the new one, which this run may have made, is in nobody's call.
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
    """For each address, who made the newest call since `since` (when it was last seen as it should be) that explains
    the drift; an address of which nothing is known is left out.

    `drifts` come most severe first: of those that `actors` do not explain the first `LOOKUPS` are looked up, unless
    CloudTrail refuses. `is_own_call` tells our own calls by their record. Never raises for what AWS answers.
    """
    since = since.replace(microsecond=0)  # CloudTrail's times are whole seconds
    events = [one for one in actors if one.at >= since]
    found: dict[Address, Actor] = {}
    open_: list[tuple[Drifted, str]] = []
    for one in drifts:
        if told := _newest(one, events):
            found[one.address] = told
        elif name := _looked_up_as(one):
            open_.append((one, name))
    if len(open_) > LOOKUPS:
        log.info("who changed %d of %d drifted resources is not looked up", len(open_) - LOOKUPS, len(open_))
    last: datetime | None = None
    for one, name in open_[:LOOKUPS]:
        if last and (wait := PACE - (now() - last).total_seconds()) > 0:
            sleep(wait)
        last = now()
        try:
            answer = aws.read(_lookup(name, since))
        except (AwsError, KeyError) as error:  # KeyError: an answer without a list of events
            log.warning("who changed what drifted is unknown: %s", sanitize(str(error)))
            break
        if told := _newest(one, _actors(answer, is_own_call)):
            found[one.address] = told
    return found


def _lookup(name: str, since: datetime) -> Read:
    """One page of the event history of one resource. Its time is in seconds, so that the read is plain JSON."""
    about = [{"AttributeKey": "ResourceName", "AttributeValue": name}]
    return read(
        "cloudtrail",
        "LookupEvents",
        "Events",
        {"LookupAttributes": about, "StartTime": int(since.timestamp()), "MaxResults": EVENTS},
    )


def _looked_up_as(one: Drifted) -> str:
    """What CloudTrail knows a resource by: its id; RDS goes by the names that documents give, so there it is known
    even of what is missing.
    """
    by_name = any(row.service == "rds" for row in REGISTRY[one.address.kind].operations)
    return one.id or (one.address.name if by_name else "")


def _actors(answer: Iterable[Any], is_own_call: Callable[[TrailRecord], bool]) -> Iterable[Actor]:
    for event in answer:
        try:
            record = json.loads(event["CloudTrailEvent"])
        except (KeyError, TypeError, ValueError, RecursionError):
            continue  # one entry that cannot be read is as if CloudTrail did not know it
        if not no_change(record) and not is_own_call(record) and (told := actor(record)):
            yield told


def _newest(one: Drifted, actors: Iterable[Actor]) -> Actor | None:
    """The newest call that is about the resource and could have caused its drift."""
    return max((each for each in actors if _explains(each, one)), key=lambda each: each.at, default=None)


def _explains(told: Actor, one: Drifted) -> bool:
    name = (one.id or one.address.name).casefold()
    if told.call not in REGISTRY[one.address.kind].changed_by or name not in map(str.casefold, told.names):
        return False
    if not one.id:
        return told.call.startswith("Delete")
    if (told.call in _TAGGING) is not (one.fields == {"tags"}):
        return False
    other_way = _OTHER_WAY.get(one.fields)
    return other_way is None or not told.call.endswith(other_way)
