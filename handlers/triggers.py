"""What woke us: events, queue messages and payloads -> a `Trigger` or an `InvokeRequest`. The Lambda doors call `read`,
`read_record` and `read_request`, and put work back on the queue with `message`.

Anybody who can write to the queue can write an event, so an event is a hint: of all its text only the name of a
document is acted upon, after its form is checked; accounts must be ours; ids stay in `Actor.names`, which are only
compared. What is meant for us and known to be no news is `Dropped` with a reason; what nobody knows is `UnknownEvent`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from desired_state.document import Name, Revision
from desired_state.fields import Address, nearest, shown
from desired_state.sanitize import sanitize
from reconciler.cloudtrail.record import actor, bounded, is_own, no_change
from reconciler.kinds import REGISTRY
from reconciler.model.trigger import ACTORS, Source, Trigger

SCHEDULE = {"source": "setpoint.schedule", "version": 1}
"""What the Scheduler sends: the template writes exactly this."""

_ACCEPTED = (
    f"what wakes us is {json.dumps(SCHEDULE)}, 'Object Created' and 'Object Deleted' of aws.s3, "
    "'AWS API Call via CloudTrail' of aws.ec2 and aws.rds, 'RDS DB Instance Event', and messages of our own"
)


@dataclass(frozen=True)
class Here:
    """Where this deployment stands. `accounts` are all that it reaches, its own among them; `own_roles` (ARNs) and
    `own_sessions` (names) are those of its own calls.
    """

    account: str
    region: str
    bucket: str
    prefix: str
    own_roles: Collection[str]
    own_sessions: Collection[str]
    accounts: Collection[str]


@dataclass(frozen=True)
class Dropped:
    """An event that is understood and asks for nothing; `reason` says why, for the log."""

    reason: str


class UnknownEvent(Exception):
    """Nobody knows what this event is: what was seen of it, inert and short, and what would have been understood."""


class InvalidRequest(Exception):
    """A manual invoke asks for what cannot be: a line for each field, with its value and what to write instead."""


@cache
def event_names() -> Mapping[str, frozenset[str]]:
    """By service (`ec2`, `rds`), the CloudTrail eventNames that wake us: all that changes a resource of some kind."""
    services = {row.service for kind in REGISTRY.values() for row in kind.operations}
    return {
        service: frozenset().union(
            *(kind.changed_by for kind in REGISTRY.values() if any(row.service == service for row in kind.operations))
        )
        for service in sorted(services)
    }


def read_record(record: Mapping[str, Any], here: Here) -> Trigger | Dropped:
    """The trigger in one record of an SQS batch: an event or a message of our own, as JSON. Raises `UnknownEvent`.

    `sent` is when it was put on the queue; a message of ours that says it waits for longer than that is believed.
    """
    body = record.get("body")
    try:
        event = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError) as error:
        raise UnknownEvent(
            f"a message that is no JSON ({type(error).__name__}): {_excerpt(body)}; {_ACCEPTED}"
        ) from None
    trigger = read(event, here)
    if isinstance(trigger, Dropped):
        return trigger
    times = [one for one in (trigger.sent, _sent(record)) if one]
    return replace(trigger, sent=min(times, default=None))


def read(event: object, here: Here) -> Trigger | Dropped:
    """The trigger in one event. Raises `UnknownEvent`."""
    if not isinstance(event, Mapping):
        raise _unknown(event, "no object")
    if "setpoint" in event:
        return _message(event)
    detail = event.get("detail")
    if event == SCHEDULE:
        return Trigger(Source.SCHEDULE)
    if not isinstance(detail, Mapping):
        raise _unknown(event, "an unknown event")
    match event.get("source"), event.get("detail-type"):
        case "aws.s3", "Object Created" | "Object Deleted":
            return _elsewhere(event, {here.account}, here) or _of_document(event, detail, here)
        case ("aws.ec2" | "aws.rds") as source, "AWS API Call via CloudTrail":
            return _elsewhere(event, here.accounts, here) or _of_call(event, detail, source.removeprefix("aws."), here)
        case "aws.rds", "RDS DB Instance Event":
            settled = Trigger(Source.CHANGE, account=str(event.get("account")))
            return _elsewhere(event, here.accounts, here) or settled
        case _:
            raise _unknown(event, "an unknown event")


def _elsewhere(event: Mapping[str, Any], accounts: Collection[str], here: Here) -> Dropped | None:
    """Why an event is not about a place that this deployment looks after."""
    account, region = event.get("account"), event.get("region")
    if not isinstance(account, str) or account not in accounts:
        return Dropped(f"it is about account {shown(account)}, which is none of this deployment's")
    if region != here.region:
        return Dropped(f"it is about region {shown(region)}, and this deployment is in {here.region}")
    return None


def _of_document(event: Mapping[str, Any], detail: Mapping[str, Any], here: Here) -> Trigger | Dropped:
    """EventBridge gives keys as they are, not URL-encoded as S3's own notifications do (S3 user guide, EventBridge
    event message structure): so a key is ours to the letter or not at all.
    """
    bucket, key = _inner(detail, "bucket", "name"), _inner(detail, "object", "key")
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise _unknown(event, "an event of S3 without a bucket's name and a key")
    if bucket != here.bucket:
        return Dropped(f"it is about bucket {shown(bucket)}, and the documents are in {here.bucket}")
    name = key.removeprefix(here.prefix).removesuffix(".json")
    if key != f"{here.prefix}{name}.json" or not _is_name(name):
        return Dropped(f"{shown(key)} is no document: one is {here.prefix}<name>.json, <name> of a-z, 0-9 and -")
    return Trigger(Source.DOCUMENT, name)


def _of_call(event: Mapping[str, Any], detail: Mapping[str, Any], service: str, here: Here) -> Trigger | Dropped:
    call = detail.get("eventName")
    if not isinstance(call, str) or detail.get("eventSource") != f"{service}.amazonaws.com":
        raise _unknown(event, f"a record of CloudTrail without a call of {service}")
    if why := no_change(detail):
        return Dropped(f"{shown(call)}: {why}")
    if call not in event_names()[service]:
        return Dropped(f"{shown(call)}: the call changes nothing that a document declares")
    if is_own(detail, here.own_roles, here.own_sessions):
        return Dropped(f"{call}: the call is our own")
    who = actor(detail)
    return Trigger(Source.CHANGE, account=str(event["account"]), actors=(who,) if who else ())


class _Message(BaseModel):
    """A message of our own on the queue, its document beside the trigger; `setpoint` is the version of its form.

    What is unknown is forbidden in the trigger and its actors, too: pydantic hands the setting on to dataclasses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setpoint: Literal[1]
    document: Name
    trigger: Trigger


def message(document: str, trigger: Trigger) -> str:
    """The message that makes the worker look after `document` because of `trigger`; `read_record` reads it."""
    newest = sorted(set(map(bounded, trigger.actors)), key=lambda one: (one.at, one.event_id, one.who), reverse=True)
    trigger = replace(trigger, actors=tuple(newest[:ACTORS]))
    written = _Message.model_construct(setpoint=1, document=document, trigger=trigger)
    return json.dumps(written.model_dump(mode="json", exclude={"trigger": {"document"}}))


def _message(event: Mapping[str, Any]) -> Trigger:
    try:
        read = _Message.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _unknown(event, f"a message of ours that is no such thing at {sanitize(where)}") from None
    if "document" in event["trigger"]:
        raise _unknown(event, "a message of ours that is no such thing at trigger.document")
    return replace(read.trigger, document=read.document, actors=tuple(map(bounded, read.trigger.actors)))


class InvokeRequest(BaseModel):
    """What a person asks of the manual invoke; a field's description is its mend. `only` narrows it to some addresses,
    `approve` is the fingerprint of a held plan that may be carried out, `accept_revision` releases an older document.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    document: Name = Field(description='write the document\'s name, such as "test-server"')
    mode: Literal["plan", "apply"] = Field("plan", description="write plan or apply")
    only: Annotated[
        tuple[Annotated[Address, Field(pattern=r"^[a-z_]{1,64}/.{1,255}\z")], ...], Field(strict=False, max_length=500)
    ] = Field((), description='write a list of addresses, such as ["security_group/web"]')
    approve: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?\z")] = Field(
        "", description="write the 16 digits and letters that the held plan is called by"
    )
    accept_revision: Revision | None = Field(None, description="write the whole number of the revision")


def read_request(payload: object) -> InvokeRequest:
    """The wish in the payload of a manual invoke. Raises `InvalidRequest`."""
    if not isinstance(payload, Mapping):
        raise InvalidRequest(f"{shown(payload)} is no payload; write an object with at least a document's name")
    try:
        return InvokeRequest.model_validate(payload)
    except ValidationError as error:
        fields = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
    raise InvalidRequest("\n".join(_refused(field, payload) for field in fields))


def _refused(field: str, payload: Mapping[str, Any]) -> str:
    known = InvokeRequest.model_fields.get(field)
    if known is None:
        return f"{shown(field)}: there is no such field; {nearest(field, InvokeRequest.model_fields)}"
    if field not in payload:
        return f"{field}: it is missing; {known.description}"
    return f"{field}: {_excerpt(payload[field])} cannot be used; {known.description}"


_NAMES = TypeAdapter(Name)


def _is_name(text: str) -> bool:
    try:
        _NAMES.validate_python(text)
    except ValidationError:
        return False
    return True


def _sent(record: Mapping[str, Any]) -> datetime | None:
    """When SQS took the message: milliseconds since 1970 (SQS API reference, SentTimestamp)."""
    try:
        return datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _inner(value: Mapping[str, Any], *keys: str) -> Any:
    inner: Any = value
    for key in keys:
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    return inner


def _unknown(event: object, what: str) -> UnknownEvent:
    return UnknownEvent(f"{what}: {_excerpt(event)}; {_ACCEPTED}")


def _excerpt(value: object) -> str:
    """What a person needs to know a value again: its first letters, or of an object what it calls itself."""
    if not isinstance(value, Mapping):
        return shown(value) if isinstance(value, (str, int, float, list, type(None))) else type(value).__name__
    said = [f"{key} {shown(value[key])}" for key in ("source", "detail-type", "account", "id") if key in value]
    keys = ", ".join(shown(key) for key in list(value)[:12])
    return sanitize(f"an object with {keys or 'nothing in it'}{''.join(f', {one}' for one in said)}")
