"""What RDS tells only in its events: a change that it accepted and did not carry out. Called by rds_clock, strict_aws.

Facts encoded (RDS API reference, DescribeEvents; RDS User Guide, "Working with Amazon RDS event notification"; the
texts that CloudFormation's provider for RDS searches events for): a ModifyDBInstance may answer 200, show its change as
pending and end `available` with the old value; only an event of the instance has the reason. Events are kept for 14
days; DescribeEvents answers those of the last hour unless it is told otherwise, and needs the type of a named source.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.live import Answer, Live, Params
from lab.refusal import Refusal

NO_CAPACITY = "insufficient instance capacity"
TEXTS = (
    NO_CAPACITY, "the storage volume limitation was exceeded", "the db engine version upgrade failed",
    "the instance could not be upgraded", "unable to modify database instance class",
    "instance is in a state that cannot be upgraded",
)  # fmt: skip
_STANDS_STILL = datetime(2026, 11, 22, 9, tzinfo=UTC)
_KEPT = timedelta(days=14)


def now(live: Live) -> datetime:
    """The time of the laboratory; the same for ever until a test sets its clock."""
    at: datetime = vars(live.rds).get("laboratory_at", _STANDS_STILL)
    return at


def fail(live: Live, identifier: str, parameter: str, text: str) -> None:
    """From now on no change of this parameter is carried out; an empty text: they are again."""
    armed = vars(live.rds).setdefault("laboratory_failures", {})
    armed[live.instance(identifier).dbi_resource_id, parameter] = text


def without_failing(live: Live, instance: Any, changes: Params) -> Params:
    """The changes that are carried out; each of the others becomes an event."""
    armed = vars(live.rds).get("laboratory_failures", {})
    failed = {name: text for name in changes if (text := armed.get((instance.dbi_resource_id, name)))}
    for text in failed.values():
        record(live, instance, f"Unable to modify the DB instance: {text}.", "failure")
    return {name: value for name, value in changes.items() if name not in failed}


def record(live: Live, instance: Any, message: str, category: str) -> None:
    event = {
        "SourceIdentifier": instance.db_instance_identifier,
        "SourceType": "db-instance",
        "Message": message,
        "EventCategories": [category],
        "Date": now(live),
        "SourceArn": instance.db_instance_arn,
    }
    vars(live.rds).setdefault("laboratory_events", []).append(event)


def describe(live: Live, params: Params) -> Answer:
    source, kind = params.get("SourceIdentifier"), params.get("SourceType")
    if source and not kind:
        raise Refusal("InvalidParameterCombination", "SourceType is required when SourceIdentifier is supplied.")
    end = params.get("EndTime") or now(live)
    start = params.get("StartTime") or end - timedelta(minutes=params.get("Duration", 60))
    if start < now(live) - _KEPT:
        raise Refusal("InvalidParameterValue", "Events are kept for 14 days.")
    wanted = set(params.get("EventCategories") or ())
    found = [
        event
        for event in vars(live.rds).get("laboratory_events", [])
        if start <= event["Date"] <= end
        and (not source or event["SourceIdentifier"] == source.lower())
        and (not kind or event["SourceType"] == kind)
        and (not wanted or wanted & set(event["EventCategories"]))
    ]
    return {"Events": [dict(event) for event in found]}


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {"DescribeEvents": describe}
