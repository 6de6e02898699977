"""Parses events, queue messages and payloads into a `Trigger` or an `InvokeRequest`, and writes queue messages.

Anybody who can write to the queue can forge an event, so its text is not trusted: only the name of a document is acted
upon, after its form is checked; accounts must be the deployment's; ids stay in `Actor.names`, which are only compared.
An event that needs no run is `Dropped` with a reason; one that cannot be parsed raises `UnknownEvent`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from desired_state.document import Name, Revision
from desired_state.fields import Address, nearest, shown
from desired_state.sanitize import sanitize
from reconciler.cloudtrail.record import actor, bounded, is_own, no_change, time_of
from reconciler.kinds import REGISTRY
from reconciler.model.cause import only_tags
from reconciler.model.trigger import ACTORS, UPLOADS, Source, Trigger, Upload

SCHEDULE = {"source": "setpoint.schedule", "version": 1}
"""What the Scheduler sends; `template.yaml` has exactly this."""

_ACCEPTED = (
    f"accepted are {json.dumps(SCHEDULE)}, 'Object Created' and 'Object Deleted' of aws.s3, "
    "'AWS API Call via CloudTrail' of aws.ec2 and aws.rds, 'RDS DB Instance Event', and Setpoint's own messages"
)


@dataclass(frozen=True)
class Here:
    """The deployment's account, region and bucket. `accounts` are all that it has a role in, and its own; `own_roles`
    (ARNs) and `own_sessions` (names) are those of its own calls.
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
    """An event that needs no run; `reason` says why, for the log."""

    reason: str


class UnknownEvent(Exception):
    """An event that cannot be parsed; the text has a sanitized excerpt of it, and what is accepted."""


class InvalidRequest(Exception):
    """An invalid manual request: one line per field, with its value and a hint."""


@cache
def event_names() -> Mapping[str, frozenset[str]]:
    """By service (`ec2`, `rds`): the CloudTrail eventNames of all calls that change a resource of some kind."""
    services = {row.service for kind in REGISTRY.values() for row in kind.operations}
    return {
        service: frozenset().union(
            *(kind.changed_by for kind in REGISTRY.values() if any(row.service == service for row in kind.operations))
        )
        for service in sorted(services)
    }


def read_record(record: Mapping[str, Any], here: Here) -> Trigger | Dropped:
    """The trigger in one record of an SQS batch: an event, or one of Setpoint's own messages. Raises `UnknownEvent`.

    `sent` is when it was put on the queue, or earlier if a retry message says so; `received` when it was taken from it.
    """
    body = record.get("body")
    try:
        event = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError) as error:
        raise UnknownEvent(
            f"a message that is not JSON ({type(error).__name__}): {_excerpt(body)}; {_ACCEPTED}"
        ) from None
    trigger = read(event, here)
    if isinstance(trigger, Dropped):
        return trigger
    sent = _stamp(record, "SentTimestamp")
    times = [one for one in (trigger.sent, sent) if one]
    received = _stamp(record, "ApproximateFirstReceiveTimestamp") or sent
    return replace(trigger, sent=min(times, default=None), received=received)


def read(event: object, here: Here) -> Trigger | Dropped:
    """The trigger in one event. Raises `UnknownEvent`."""
    if not isinstance(event, Mapping):
        raise _unknown(event, "not an object")
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
            changed = Trigger(Source.CHANGE, account=str(event.get("account")))
            return _elsewhere(event, here.accounts, here) or changed
        case _:
            raise _unknown(event, "an unknown event")


def _elsewhere(event: Mapping[str, Any], accounts: Collection[str], here: Here) -> Dropped | None:
    """Why an event is not about an account and region of this deployment."""
    account, region = event.get("account"), event.get("region")
    if not isinstance(account, str) or account not in accounts:
        return Dropped(f"it is about account {shown(account)}, which this deployment does not manage")
    if region != here.region:
        return Dropped(f"it is about region {shown(region)}; this deployment is in {here.region}")
    return None


def _of_document(event: Mapping[str, Any], detail: Mapping[str, Any], here: Here) -> Trigger | Dropped:
    """EventBridge does not URL-encode keys, unlike S3's own notifications (S3 user guide, EventBridge event message
    structure), so they are compared as they are.
    """
    bucket, key = _inner(detail, "bucket", "name"), _inner(detail, "object", "key")
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise _unknown(event, "an S3 event without a bucket name and a key")
    if bucket != here.bucket:
        return Dropped(f"it is about bucket {shown(bucket)}; the documents are in {here.bucket}")
    name = key.removeprefix(here.prefix).removesuffix(".json")
    if key != f"{here.prefix}{name}.json" or not _is_name(name):
        return Dropped(f"{shown(key)} is not a document's key; use {here.prefix}<name>.json, <name> of a-z, 0-9 and -")
    return Trigger(Source.DOCUMENT, name, uploads=tuple(_uploads(event, detail)))


def _uploads(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[Upload]:
    """Who uploaded which version: `requester` is an account id or the name of an AWS service (S3 user guide,
    EventBridge event message structure). A deletion uploads nothing.
    """
    version, who, address = (
        _inner(detail, "object", "version-id"),
        detail.get("requester"),
        detail.get("source-ip-address"),
    )
    if event.get("detail-type") != "Object Created" or not isinstance(version, str) or not isinstance(who, str):
        return
    yield _bounded(Upload(version, who, time_of(event.get("time")), address if isinstance(address, str) else ""))


def _bounded(upload: Upload) -> Upload:
    """An upload that is safe to store and to show. A version id that is too long is nobody's."""
    return replace(
        upload,
        version_id=upload.version_id[:1024],
        who=sanitize(upload.who[:128])[:256],
        source_ip=sanitize(upload.source_ip[:50])[:100],
    )


def _of_call(event: Mapping[str, Any], detail: Mapping[str, Any], service: str, here: Here) -> Trigger | Dropped:
    call = detail.get("eventName")
    if not isinstance(call, str) or detail.get("eventSource") != f"{service}.amazonaws.com":
        raise _unknown(event, f"a CloudTrail record without a call to {service}")
    if why := no_change(detail):
        return Dropped(f"{shown(call)}: {why}")
    if call not in event_names()[service]:
        return Dropped(f"{shown(call)}: the call changes nothing that a document can declare")
    if is_own(detail, here.own_roles, here.own_sessions):
        return Dropped(f"{call}: the call is Setpoint's own")
    who = actor(detail)
    minor = who is not None and only_tags((kind.changes for kind in REGISTRY.values()), call, who.details)
    return Trigger(Source.CHANGE, account=str(event["account"]), actors=(who,) if who else (), only_tags=minor)


class _Message(BaseModel):
    """One of Setpoint's own queue messages; `setpoint` is the version of its format.

    Unknown fields are forbidden in the trigger and its actors too: pydantic passes `extra` on to dataclasses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setpoint: Literal[1]
    document: Name
    trigger: Trigger


def message(document: str, trigger: Trigger) -> str:
    """The queue message that makes the worker reconcile `document`; `read_record` parses it."""
    newest = sorted(set(map(bounded, trigger.actors)), key=lambda one: (one.at, one.event_id, one.who), reverse=True)
    uploads = sorted(
        set(map(_bounded, trigger.uploads)), key=lambda one: (one.at or _EARLIEST, one.version_id), reverse=True
    )
    trigger = replace(trigger, actors=tuple(newest[:ACTORS]), uploads=tuple(uploads[:UPLOADS]))
    written = _Message.model_construct(setpoint=1, document=document, trigger=trigger)
    left_out = _NEVER_WRITTEN if trigger.uploads else {*_NEVER_WRITTEN, "uploads"}
    return json.dumps(written.model_dump(mode="json", exclude={"trigger": left_out}))


_NEVER_WRITTEN = {"document", "received", "only_tags"}
"""Fields of a trigger that its messages do not have: they are known otherwise, of the message that comes."""


def _message(event: Mapping[str, Any]) -> Trigger:
    try:
        read = _Message.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _unknown(event, f"a message of Setpoint that is not valid at {sanitize(where)}") from None
    for name in sorted(_NEVER_WRITTEN):
        if name in event["trigger"]:
            raise _unknown(event, f"a message of Setpoint that is not valid at trigger.{name}")
    uploads = tuple(map(_bounded, read.trigger.uploads))
    return replace(
        read.trigger, document=read.document, actors=tuple(map(bounded, read.trigger.actors)), uploads=uploads
    )


class InvokeRequest(BaseModel):
    """The payload of a manual invocation; a field's description is its hint. `only` limits the run to some addresses,
    `approve` is the fingerprint of a held plan that may be applied, `accept_revision` accepts an older document,
    `approve_revision` is the fingerprint of a held version of it, `page` is the form of the page of the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    document: Name = Field(description='write the document\'s name, such as "test-server"')
    mode: Literal["plan", "apply"] = Field("plan", description="write plan or apply")
    page: Literal["html", "markdown"] | None = Field(None, description="write html or markdown, or leave it out")
    only: Annotated[
        tuple[Annotated[Address, Field(pattern=r"^[a-z_]{1,64}/.{1,255}\z")], ...], Field(strict=False, max_length=500)
    ] = Field((), description='write a list of addresses, such as ["security_group/web"]')
    approve: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?\z")] = Field(
        "", description="write the fingerprint of the held plan: 16 hexadecimal digits"
    )
    accept_revision: Revision | None = Field(None, description="write the revision as a whole number")
    approve_revision: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?\z")] = Field(
        "", description="write the fingerprint of the held revision: 16 hexadecimal digits"
    )


def read_request(payload: object) -> InvokeRequest:
    """The request in the payload of a manual invocation. Raises `InvalidRequest`."""
    if not isinstance(payload, Mapping):
        raise InvalidRequest(f"the payload is {shown(payload)}; write an object with at least a document's name")
    try:
        return InvokeRequest.model_validate(payload)
    except ValidationError as error:
        fields = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
    raise InvalidRequest("\n".join(_refused(field, payload) for field in fields))


def _refused(field: str, payload: Mapping[str, Any]) -> str:
    known = InvokeRequest.model_fields.get(field)
    if known is None:
        return f"{shown(field)}: unknown field; {nearest(field, InvokeRequest.model_fields)}"
    if field not in payload:
        return f"{field}: missing; {known.description}"
    return f"{field}: {_excerpt(payload[field])} is not valid; {known.description}"


_NAMES = TypeAdapter(Name)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def _is_name(text: str) -> bool:
    try:
        _NAMES.validate_python(text)
    except ValidationError:
        return False
    return True


def _stamp(record: Mapping[str, Any], name: str) -> datetime | None:
    """When the message was sent or first received: milliseconds since 1970, by SQS's clock (SQS API reference,
    ReceiveMessage, MessageSystemAttributeNames).
    """
    try:
        return datetime.fromtimestamp(int(record["attributes"][name]) / 1000, UTC)
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
    """Enough of a value to recognize it: the start of a text, or an object's keys and identifying fields."""
    if not isinstance(value, Mapping):
        return shown(value) if isinstance(value, (str, int, float, list, type(None))) else type(value).__name__
    fields = [f"{key} {shown(value[key])}" for key in ("source", "detail-type", "account", "id") if key in value]
    keys = ", ".join(shown(key) for key in list(value)[:12])
    return sanitize(f"an object with {keys or 'nothing in it'}{''.join(f', {one}' for one in fields)}")
