"""Who made a call, according to one CloudTrail record. Pure.

`handlers/triggers.py` reads the `detail` of EventBridge events with it, and `attribution.py` the JSON in the
`CloudTrailEvent` of LookupEvents: both have the same format (CloudTrail User Guide, "record contents" and "userIdentity
element"). Session names, user agents and resource names are untrusted text: they are shortened and sanitized here. Of a
record only an `Actor` is kept.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from desired_state.sanitize import sanitize
from reconciler.cloudtrail.details import bounded_details, details_of
from reconciler.model.trigger import Actor

TrailRecord = Mapping[str, Any]
"""A CloudTrail record as parsed JSON; any part of it may be missing or malformed."""

NAMES = 40
"""The most ids and names that are kept of one call: the first ones."""
_LONGEST_NAME = 128
_LONGEST_WHO = 400
_LONGEST_TEXT = {"call": 100, "source_ip": 100, "user_agent": 256, "event_id": 64}
_VISITED = 5_000
"""The most values of one record that are searched for names: a record may have 256 KB."""

_ID = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,17}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]*")
_NAMING = frozenset(
    {
        "dbinstanceidentifier",
        "newdbinstanceidentifier",
        "targetdbinstanceidentifier",
        "dbsubnetgroupname",
        "groupname",
        "resourceidentifier",
        "resourcename",
    }
)
"""Keys, in lower case, whose value names the resource of a call if it is not an id: RDS, and groups by their name."""
_OTHER = frozenset(
    {
        *("ippermissions", "groups", "referencedgroupid", "referencedgroupinfo"),
        *("tags", "tagset", "tagspecification", "tagspecificationset", "taglist"),
        *("description", "groupdescription", "dbsubnetgroupdescription"),
    }
)
"""Keys, in lower case, that name nothing that the call changes: the group at the other end of a rule, and free text."""


def actor(record: object) -> Actor | None:
    """Who made the call of a record; None if it does not say who, what or when."""
    if not isinstance(record, Mapping):
        return None
    identity, call, at = record.get("userIdentity"), record.get("eventName"), time_of(record.get("eventTime"))
    if not isinstance(identity, Mapping) or not isinstance(call, str) or not call or at is None:
        return None
    return bounded(
        Actor(
            who=_who(identity),
            call=call,
            at=at,
            source_ip=_text(record, "sourceIPAddress"),
            user_agent=_text(record, "userAgent"),
            event_id=_text(record, "eventID"),
            names=frozenset(_names(record)),
            details=details_of(record),
        )
    )


def bounded(actor: Actor) -> Actor:
    """An actor that is safe to store and to show: texts shortened and sanitized, names limited in number and form.
    A bounded actor is returned as it is.
    """
    names = sorted(name for name in actor.names if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name))
    texts: dict[str, Any] = {field: _cut(getattr(actor, field), longest) for field, longest in _LONGEST_TEXT.items()}
    details = bounded_details(actor.details)
    return replace(actor, who=_short(actor.who), names=frozenset(names[:NAMES]), details=details, **texts)


def is_own(record: object, own_roles: Collection[str], own_sessions: Collection[str]) -> bool:
    """Whether this deployment made the call: in a session of one of its roles (ARNs), with one of its session names.

    Only a role's session has an issuer, so a user, root or a service never matches, whatever its name.
    """
    identity = _part(record, "userIdentity")
    issuer = _text(_part(_part(identity, "sessionContext"), "sessionIssuer"), "arn")
    _, assumed, session = _text(identity, "arn").partition(":assumed-role/")
    return (
        identity.get("type") == "AssumedRole"
        and bool(assumed)
        and issuer in own_roles
        and session.rpartition("/")[2] in own_sessions
    )


def no_change(record: object) -> str:
    """Why the call of a record changed nothing; empty if it may have changed something."""
    if not isinstance(record, Mapping):
        return "it is not a record of a call"
    if failed := record.get("errorCode") or record.get("errorMessage"):
        return f"the call failed: {sanitize(str(failed)[:100])}"
    if record.get("readOnly") in (True, "true"):
        return "the call only reads"
    return ""


def _who(identity: TrailRecord) -> str:
    """The ARN, or what CloudTrail has for identities without one; then on whose behalf the call was made."""
    service = _text(identity, "invokedBy")
    behind = _part(identity, "onBehalfOf")
    user, account = _text(identity, "userName"), _text(identity, "accountId")
    if who := _text(identity, "arn"):
        pass
    elif identity.get("type") == "AWSService" and service:
        return service
    elif _text(behind, "userId"):
        return f"{_text(behind, 'userId')} of {_text(behind, 'identityStoreArn') or 'IAM Identity Center'}"
    elif user:
        who = f"{user} of {_text(identity, 'identityProvider') or account or 'an unknown account'}"
    else:
        named = " of ".join(filter(None, (_text(identity, "type"), account)))
        who = _text(identity, "principalId") or named or "unknown"
    notes = {
        "source identity": _text(_part(identity, "sessionContext"), "sourceIdentity"),
        "on behalf of": _text(behind, "userId"),
        "through": service,
    }
    return who + "".join(f" ({word} {text[:_LONGEST_NAME]})" for word, text in notes.items() if text)


def _short(who: str) -> str:
    """Shortened in the middle: a user's path may have 512 characters, and the name follows it."""
    safe = sanitize(who) if len(who) <= _LONGEST_WHO else f"{sanitize(who[:200])}...{sanitize(who[-197:])}"
    return safe if len(safe) <= _LONGEST_WHO else f"{safe[:240]}...{safe[-157:]}"


def _names(record: TrailRecord) -> Iterator[str]:
    """The ids and names in a call, those at the top of the request first.

    EC2 writes keys in lowerCamelCase with lists under `items`, ModifySecurityGroupRules as in its request, RDS with a
    lower-case first letter (`dBInstanceIdentifier`): so keys are compared ignoring case.
    """
    found: set[str] = set()
    ahead: deque[tuple[str, Any]] = deque(("", record.get(part)) for part in ("requestParameters", "responseElements"))
    for _ in range(_VISITED):
        if not ahead or len(found) == NAMES:
            return
        key, value = ahead.popleft()
        match value:
            case Mapping():
                inside = [(str(name).lower(), inner) for name, inner in value.items()]
                inside.sort(key=lambda item: isinstance(item[1], (Mapping, list)))
                ahead.extendleft(item for item in reversed(inside) if item[0] not in _OTHER)
            case list():
                ahead.extendleft((key, inner) for inner in reversed(value))
            case str():
                name = value.rpartition(":")[2] if value.startswith("arn:") else value
                fits = _NAME if key in _NAMING else _ID
                if len(name) <= _LONGEST_NAME and name not in found and fits.fullmatch(name):
                    found.add(name)
                    yield name
            case _:
                pass


def _cut(text: str, longest: int) -> str:
    return sanitize(text[:longest])[:longest]


def _part(value: object, key: str) -> TrailRecord:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _text(value: TrailRecord, key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def time_of(text: object) -> datetime | None:
    """The time of a record or an event, in UTC; None if it is none with an offset."""
    try:
        read = datetime.fromisoformat(text) if isinstance(text, str) else None
        return read.astimezone(UTC) if read and read.tzinfo else None
    except (ValueError, OverflowError):
        return None
