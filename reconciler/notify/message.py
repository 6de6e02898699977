"""A message to people: what is the matter, who did it, what was done and what to do next, as plain text for SNS.

Pure; `alerts.py` sends it, and `chat.py` puts the same into the form of a chat. Names, tags, descriptions, ARNs and
user agents are other people's words: they stand on one line, without what looks like a secret, without anything that a
terminal or a mail program would act on, and no link is ever made of them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import Outcome
from reconciler.model.trigger import Actor
from reconciler.notify.alert import Alert, Member, Topic
from reconciler.notify.deduplication import Notification, Status
from reconciler.redact import safe_text
from reconciler.report.attempt import AttemptResult

LONGEST_SUBJECT = 99
"""Characters: SNS wants printable ASCII, fewer than 100, no line break (SNS API reference, Publish, Subject)."""
LONGEST_BODY = 64_000
"""Bytes of UTF-8 that a body is cut to; SNS takes 262,144 (SNS API reference, Publish, Message)."""

_DOCUMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""The name of a document, as `desired_state` takes it; an object in the bucket may be called anything."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LINK = re.compile(r"(?i)(?<![a-z0-9])(?:(?!s3:)([a-z][a-z0-9+.-]*):(?=//)|(mailto):)")
_WEB = re.compile(r"(?i)(?<![a-z0-9])www\.")
_WHY = {
    Status.REPEAT: "It was told before, and still stands.",
    Status.CHANGED: "It was told before, and is another now.",
}


@dataclass(frozen=True)
class NotificationOrigin:
    """Where the message comes from: the document, and the account and region it keeps (empty: not known).

    `invoke` is the name of the function that a person may invoke, a plain word; empty: only the command line is there.
    """

    document: str
    revision: int | None
    account: str
    region: str
    run_id: str
    invoke: str


def origin_of(result: AttemptResult, *, region: str = "", invoke: str = "") -> NotificationOrigin:
    """Where an attempt took place; `region` is the deployment's."""
    invoke = invoke if _PLAIN.fullmatch(invoke) else ""
    if result.report is None:
        return NotificationOrigin(result.document, None, result.trigger.account, region, result.run_id, invoke)
    document = result.report.document
    scope = document.scope
    return NotificationOrigin(result.document, document.revision, scope.account_id, scope.region, result.run_id, invoke)


def subject(notification: Notification, here: NotificationOrigin) -> str:
    """The subject of a mail, as SNS takes it."""
    words = shown(f"{headline(notification)} ({here.document})")
    text = f"Setpoint {words}".encode("ascii", "replace").decode()
    return text if len(text) <= LONGEST_SUBJECT else f"{text[: LONGEST_SUBJECT - 3]}..."


def headline(notification: Notification) -> str:
    """What the message is about, in a few words; not yet fit to be shown."""
    match notification.status:
        case Status.RESOLVED:
            return f"back to normal, it was: {notification.title}"
        case Status.REPEAT:
            return f"{notification.severity} (still): {notification.title}"
        case Status.CHANGED:
            return f"{notification.severity} (update): {notification.title}"
        case _:
            return f"{notification.severity}: {notification.title}"


def attributes(notification: Notification, here: NotificationOrigin) -> dict[str, str]:
    """What subscriptions may filter by (SNS filter policies)."""
    document = here.document if _DOCUMENT.fullmatch(here.document) else "unknown"
    topic = notification.alert.topic.value if notification.alert else notification.status.value
    return {
        "severity": notification.severity.value,
        "document": document,
        "topic": topic,
        "status": notification.status.value,
    }


def text(notification: Notification, here: NotificationOrigin) -> str:
    """The message as plain text, at most LONGEST_BODY bytes; what had to be left out is counted."""
    head = [f"{notification.severity.upper()}: {shown(sentence(notification))}", "", shown(notification.title), ""]
    if notification.status in _WHY:
        head.insert(3, _WHY[notification.status])
    tail = [*(f"{f'{label}:':<13}{value}" for label, value in facts(notification, here)), ""]
    if todo := steps(notification, here):
        tail += ["What to do next:", *(f"  {one}" for one in todo)]
    room = LONGEST_BODY - sum(len(line.encode()) + 1 for line in (*head, *tail)) - 100
    body, left = fitted(list(details(notification)), room)
    if left:
        body.append(f"  ... and {left} more {'line' if left == 1 else 'lines'}, left out here")
    return "\n".join([*head, *body, *([""] if body else []), *tail])


def fitted(lines: list[str], room: int) -> tuple[list[str], int]:
    """As many of the lines as there is room for, in bytes with their line breaks, and how many are left out."""
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return lines[:number], len(lines) - number
    return lines, 0


def sentence(notification: Notification) -> str:
    """The one sentence to read first."""
    if notification.alert:
        return notification.alert.sentence
    if notification.status is Status.RESOLVED:
        return "It is over: this run no longer finds it."
    counts = Counter(one.severity for one in notification.rest)
    told = ", ".join(f"{counts[one]} {one}" for one in sorted(counts, key=lambda one: one.rank))
    return f"There is more to tell than one run may send: {told}."


def details(notification: Notification) -> Iterator[str]:
    """What differs, a few lines for each thing: the set point against what was found, and why it still does."""
    for one in notification.rest:
        yield f"  - {shown(headline(one))}"
    if notification.alert and notification.alert.members:
        compared = any(one.compared for one in notification.alert.members)
        yield "What differs (set point against found):" if compared else "What is the matter:"
        for member in notification.alert.members:
            yield from _member(member)


def _member(one: Member) -> Iterator[str]:
    state = {Outcome.CORRECTED: " (corrected)", None: " (nothing was tried)"}.get(one.outcome, "")
    yield f"  - {shown(one.what)}{state}"
    if one.compared:
        yield f"      set point: {_written(one.want)}"
        yield f"      found:     {_written(one.have)}"
    if one.why and one.outcome is not Outcome.CORRECTED:
        yield f"      {one.outcome.value if one.outcome else 'open'}: {shown(one.why)}"


def _written(value: Any) -> str:
    return "not there" if value is None else shown(json.dumps(value, ensure_ascii=False))


def facts(notification: Notification, here: NotificationOrigin) -> Iterator[tuple[str, str]]:
    """What a person wants to look up, as (label, value), fit to be shown."""
    alert = notification.alert
    if alert and alert.address:
        yield "Resource", shown(alert.address)
        yield "AWS id", shown(alert.aws_id) or "unknown: it is not there, or was not seen"
    yield "Account", f"{shown(here.account) or 'unknown'}, {shown(here.region) or 'unknown region'}"
    revision = "" if here.revision is None else f", revision {here.revision}"
    yield "Document", f"{shown(here.document)}{revision}"
    if notification.since:
        yield "Known since", _time(notification.since)
    if alert and alert.topic in {Topic.DRIFT, Topic.FLAPPING}:
        yield "Last change", _who(alert.actor)
        if alert.exposed is not None:
            yield "Stood open", f"at most {alert.exposed:.0f} s"
        yield "Done", _done(alert)
    yield "Run", shown(here.run_id)


def _who(actor: Actor | None) -> str:
    if actor is None:
        return "unknown: CloudTrail has told nothing of it (yet)"
    told = f"{actor.who} by {actor.call} at {_time(actor.at)}"
    origin = f", from {actor.source_ip}" if actor.source_ip else ""
    with_what = f", with {actor.user_agent}" if actor.user_agent else ""
    return shown(f"{told}{origin}{with_what}")


def _done(alert: Alert) -> str:
    """What was done, or why it was not: the reasons themselves stand with what they are about."""
    counts = Counter(one.outcome for one in alert.members)
    done = counts.pop(Outcome.CORRECTED, 0)
    if not counts:
        return "corrected, and the look after it shows it as it should be"
    left = ", ".join(f"{number} {one.value if one else 'not tried'}" for one, number in counts.items())
    told = f"{done} corrected, {left}" if done else f"nothing yet: {left}"
    return f"{told}; it is left alone for a while, and both sides stand above" if alert.once else told


def steps(notification: Notification, here: NotificationOrigin) -> tuple[str, ...]:
    """What to do next: commands that can be copied as they are. A name that is no plain word enters none."""
    if notification.status is Status.RESOLVED or not _DOCUMENT.fullmatch(here.document):
        return ()
    alert = notification.alert
    if alert is None:
        return (_ask(here, "plan"),)
    if alert.topic is Topic.DELETED:
        return ()
    if alert.topic is Topic.REFUSED:
        return (f"setpoint validate {here.document}.json",)
    if alert.release:
        return _released(here, alert.release)
    helps = alert.topic is Topic.DRIFT and any(one.outcome in _AGAIN for one in alert.members)
    return (_ask(here, "plan"), _ask(here, "apply")) if helps or alert.topic is Topic.STOPPED else (_ask(here, "plan"),)


_AGAIN = {Outcome.FAILED, Outcome.WAITING, None}
"""How a drift ended for which another run may be all it needs; what is held or blocked needs more than that."""


def _released(here: NotificationOrigin, fingerprint: str) -> tuple[str, ...]:
    """The plan to look at, and what carries out exactly that plan."""
    if here.invoke:
        return (_ask(here, "plan"), _ask(here, "apply", approve=fingerprint))
    return (
        f"setpoint plan {here.document}.json --out plan.json",
        f"setpoint apply {here.document}.json --plan plan.json",
    )


def _ask(here: NotificationOrigin, mode: str, **more: str) -> str:
    if not here.invoke:
        return f"setpoint {mode} {here.document}.json"
    asked = shlex.quote(json.dumps({"document": here.document, "mode": mode, **more}))
    region = f" --region {here.region}" if _PLAIN.fullmatch(here.region) else ""
    how = "--cli-read-timeout 310 --cli-binary-format raw-in-base64-out"
    return f"aws lambda invoke --function-name {here.invoke}{region} {how} --payload {asked} /dev/stdout"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown(words: str) -> str:
    """Anybody's words for a message: one line, no secret, no control or bidi character, nothing to click on."""
    return _WEB.sub("www[.]", _LINK.sub(_unlinked, safe_text(str(words))))


def _unlinked(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}[:]"
