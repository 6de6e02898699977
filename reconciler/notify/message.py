"""A notification as plain text for SNS: what is wrong, who did it, what was done and what to do next.

Pure; `publisher.py` sends it, and `chat.py` formats the same for chat. Names, tags, descriptions, ARNs and user agents
are untrusted text: each is put on one line, without anything that looks like a secret, anything that a terminal or a
mail program would act on, or anything that becomes a link.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import Cause, Outcome
from reconciler.model.trigger import Actor, Upload
from reconciler.notify.alert import Alert, Member, Topic
from reconciler.notify.deduplication import Notification, Status
from reconciler.redact import safe_text
from reconciler.report.attempt import AttemptResult
from reconciler.report.fitting import cut, cut_lines, size

LONGEST_SUBJECT = 99
"""Characters: SNS requires printable ASCII, fewer than 100, no line break (SNS API reference, Publish, Subject)."""
LONGEST_BODY = 64_000
"""Bytes of UTF-8 that a body is cut to; SNS accepts 262,144 (SNS API reference, Publish, Message)."""

_LONGEST_NAME = 256
_DOCUMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""A valid name of a document; an object in the bucket may have any other."""
_RECEIPT = re.compile(r"receipts/[a-z0-9][a-z0-9-]{0,62}/[0-9TZ]{16}(\.[a-z0-9]{1,16}){5}\.json\.gz")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LINK = re.compile(r"(?i)(?<![a-z0-9])(?:(?!s3:)([a-z][a-z0-9+.-]*):(?=//)|(mailto):)")
_WEB = re.compile(r"(?i)(?<![a-z0-9])www\.")
_WHY = {
    Status.REPEAT: "Reported before, and unchanged.",
    Status.CHANGED: "Reported before, and different now.",
}


@dataclass(frozen=True)
class NotificationOrigin:
    """Where a notification comes from: the document, and its account and region (empty: not known).

    `invoke` is the name of the manual function; empty: there is only the command line. `approved_by` is who approved
    what the run did (empty: nothing was approved), `receipt` the key of the run's receipt (empty: it left none).
    """

    document: str
    revision: int | None
    account: str
    region: str
    run_id: str
    invoke: str
    approved_by: str = ""
    receipt: str = ""


def origin_of(result: AttemptResult, *, region: str = "", invoke: str = "") -> NotificationOrigin:
    """The origin of an attempt's notifications; `region` is the deployment's."""
    invoke = invoke if _PLAIN.fullmatch(invoke) else ""
    if result.report is None:
        account = result.trigger.account
        return NotificationOrigin(result.document, None, account, region, result.run_id, invoke, receipt=result.receipt)
    document = result.report.document
    scope = document.scope
    place = scope.account_id, scope.region
    return NotificationOrigin(
        result.document,
        document.revision,
        *place,
        result.run_id,
        invoke,
        approved_by=result.approved_by,
        receipt=result.receipt,
    )


def subject(notification: Notification, here: NotificationOrigin) -> str:
    """The subject of an email, as SNS accepts it."""
    words = shown(f"{headline(notification)} ({here.document})")
    return cut(f"Setpoint {words}".encode("ascii", "replace").decode(), LONGEST_SUBJECT)


def headline(notification: Notification) -> str:
    """What the notification is about, in a few words; not yet made safe by `shown`."""
    match notification.status:
        case Status.RESOLVED:
            return f"resolved: {notification.title}"
        case Status.REPEAT:
            return f"{notification.severity} (still): {notification.title}"
        case Status.CHANGED:
            return f"{notification.severity} (update): {notification.title}"
        case _:
            return f"{notification.severity}: {notification.title}"


def attributes(notification: Notification, here: NotificationOrigin) -> dict[str, str]:
    """The message attributes that subscriptions can filter by (SNS filter policies)."""
    document = here.document if _DOCUMENT.fullmatch(here.document) else "unknown"
    topic = notification.alert.topic.value if notification.alert else notification.status.value
    return {
        "severity": notification.severity.value,
        "document": document,
        "topic": topic,
        "status": notification.status.value,
    }


def text(notification: Notification, here: NotificationOrigin) -> str:
    """The notification as plain text of at most LONGEST_BODY bytes, and how many lines were left out."""
    head = [f"{notification.severity.upper()}: {shown(sentence(notification))}", "", shown(notification.title), ""]
    if notification.status in _WHY:
        head.insert(3, _WHY[notification.status])
    tail = [*(f"{f'{label}:':<13}{value}" for label, value in facts(notification, here)), ""]
    if commands := steps(notification, here):
        tail += ["What to do next:", *(f"  {command}" for command in commands)]
    room = LONGEST_BODY - sum(size(line) + 1 for line in (*head, *tail)) - 100
    body, left = cut_lines(list(details(notification)), room)
    body += [f"  {left_out(left)}"] if left else []
    return "\n".join([*head, *body, *([""] if body else []), *tail])


PLAIN_SUBJECT = "Setpoint: an alert that could not be written as it should be"


def plainly(notification: Notification, here: NotificationOrigin, cause: Cause) -> list[str]:
    """The lines of a notification whose text could not be written: what it is about, and why no more is said."""
    alert = notification.alert
    about = [one.title for one in notification.rest]
    if alert:
        about = [f"{one.what} ({one.outcome.value})" if one.outcome else one.what for one in alert.members]
    more = [f"  {left_out(len(about) - _PLAIN_LINES)}"] if len(about) > _PLAIN_LINES else []
    return [
        f"{notification.severity.upper()}: {shown(notification.title)}",
        "",
        f"This message could not be written as it should be: {shown(cause.message)}.",
        *(f"  - {shown(one)}" for one in about[:_PLAIN_LINES]),
        *more,
        f"Resource:    {shown(alert.address if alert and alert.address else 'see above')}",
        f"Document:    {shown(here.document)}",
        f"Run:         {shown(here.run_id)}",
        "The log of this run has the rest; the plan of the document shows what differs now.",
    ]


_PLAIN_LINES = 30


def left_out(lines: int) -> str:
    """The line that stands for those that were left out."""
    return f"... and {lines} more {'line' if lines == 1 else 'lines'}, left out here"


def sentence(notification: Notification) -> str:
    """The one sentence to read first."""
    if notification.alert:
        return notification.alert.sentence
    if notification.status is Status.RESOLVED:
        return "Resolved: this run no longer finds it."
    counts = Counter(one.severity for one in notification.rest)
    severities = sorted(counts, key=lambda severity: severity.rank)
    return f"More alerts than one run may send: {', '.join(f'{counts[one]} {one}' for one in severities)}."


def details(notification: Notification) -> Iterator[str]:
    """What differs, a few lines for each member: the declared value, the live one, and why it still differs."""
    for one in notification.rest:
        yield f"  - {shown(headline(one))}"
    if notification.alert and notification.alert.members:
        members = notification.alert.members
        if notification.alert.topic in _REVISIONS and (meant := [one for one in members if not one.compared]):
            waits = notification.alert.topic is Topic.REVISION_HELD
            yield "What it would change:" if waits else "What it changes:"
            yield from (f"  - {shown(one.what)}" for one in meant)
            members = tuple(one for one in members if one.compared)
        compared = any(one.compared for one in members)
        adopted = notification.alert.topic is Topic.ADOPTED
        if members:
            taken = "Taken over:" if notification.alert.settled else "Taken over, or why not:"
            yield taken if adopted else "What differs:" if compared else "What is wrong:"
        for member in members:
            yield from _member(member)


_REVISIONS = frozenset({Topic.REVISION, Topic.REVISION_HELD, Topic.ROLLOUT})
"""What an alert is about whose members say first what a revision means."""


def _member(one: Member) -> Iterator[str]:
    state = {Outcome.CORRECTED: " (corrected)", None: " (nothing was tried)"}.get(one.outcome, "")
    if one.late and one.outcome is Outcome.IN_SYNC:
        state = " (whether it was corrected is not known)"
    yield f"  - {shown(one.what)}{state}"
    if one.compared:
        yield f"      declared: {_written(one.want)}"
        yield f"      found:    {_written(one.have)}"
    if one.why and one.outcome is not Outcome.CORRECTED:
        yield f"      {one.outcome.value if one.outcome else 'open'}: {shown(one.why)}"


def _written(value: Any) -> str:
    return "absent" if value is None else shown(json.dumps(value, ensure_ascii=False))


def facts(notification: Notification, here: NotificationOrigin) -> Iterator[tuple[str, str]]:
    """What a person may want to look up, as (label, value), made safe by `shown`."""
    alert = notification.alert
    if alert and alert.topic is Topic.INTENT and alert.address:
        yield "Intent", shown(cut(alert.address.name, _LONGEST_NAME))
    elif alert and alert.address:
        yield "Resource", shown(alert.address)
        yield "AWS id", shown(alert.aws_id) or "unknown: it is missing, or could not be read"
    yield "Account", f"{shown(here.account) or 'unknown'}, {shown(here.region) or 'unknown region'}"
    revision = "" if here.revision is None else f", revision {here.revision}"
    yield "Document", f"{shown(here.document)}{revision}"
    if alert and alert.topic in _REVISIONS:
        yield "Uploaded by", _uploaded(alert.upload)
        if alert.release:
            yield "Fingerprint", shown(alert.release)
            yield "Not wanted?", "upload a corrected version with a higher revision; until then nothing changes"
    if alert and here.approved_by:
        yield "Approved by", shown(here.approved_by)
    if notification.since:
        yield "Known since", _time(notification.since)
    if alert and alert.topic in {Topic.DRIFT, Topic.FLAPPING}:
        yield "Last change", _who(alert.actor)
        if alert.exposed is not None:
            yield "Open for", f"at most {math.ceil(alert.exposed)} s"
        elif alert.exposed_unknown:
            yield "Open for", "not known: no earlier look is remembered"
        yield "Done", _done(alert)
    yield "Run", shown(here.run_id)
    if _RECEIPT.fullmatch(here.receipt):
        yield "Receipt", here.receipt
        yield "Its page", _page(here)


def _page(here: NotificationOrigin) -> str:
    """The command that shows the receipt; its last part but the ending is the run."""
    stack = here.invoke.removesuffix("-invoke")
    where = f" --stack {stack}" if stack else ""
    if stack and _PLAIN.fullmatch(here.region):
        where += f" --region {here.region}"
    return f"setpoint receipt {here.document} {here.receipt.split('.')[-3]}{where} -o html > receipt.html"


def _who(actor: Actor | None) -> str:
    if actor is None:
        return "unknown: CloudTrail has no record of it (yet)"
    address = f", from {actor.source_ip}" if actor.source_ip else ""
    agent = f", with {actor.user_agent}" if actor.user_agent else ""
    return shown(f"{actor.who} by {actor.call} at {_time(actor.at)}{address}{agent}")


def _uploaded(upload: Upload | None) -> str:
    if upload is None:
        return "unknown: no event of S3 came with this run"
    address = f", from {upload.source_ip}" if upload.source_ip else ""
    time = f" at {_time(upload.at)}" if upload.at else ""
    account = "account " if upload.who.isdigit() else ""
    return shown(f"{account}{upload.who}{time}{address}")


def _done(alert: Alert) -> str:
    """What was done, in counts: the reasons are given with each member."""
    if alert.settled and any(one.outcome is Outcome.IN_SYNC for one in alert.members):
        return "not known: look at the network, or at CloudTrail"
    counts = Counter(one.outcome for one in alert.members)
    done = counts.pop(Outcome.CORRECTED, 0)
    if not counts:
        return "corrected, and verified by a later look"
    left = ", ".join(f"{number} {one.value if one else 'not tried'}" for one, number in counts.items())
    summary = f"{done} corrected, {left}" if done else f"nothing yet: {left}"
    return f"{summary}; corrections are suppressed for a while" if alert.once else summary


def steps(notification: Notification, here: NotificationOrigin) -> tuple[str, ...]:
    """What to do next: commands that can be copied as they are. Untrusted names are never part of one."""
    if notification.status is Status.RESOLVED or not _DOCUMENT.fullmatch(here.document):
        return ()
    alert = notification.alert
    if alert is None:
        return (_command(here, "plan"),)
    if alert.topic is Topic.DELETED:
        return ()
    if alert.topic is Topic.REFUSED:
        return (f"setpoint validate {here.document}.json",)
    if alert.topic is Topic.REVISION_HELD:
        return _approve(here, alert.release)
    if alert.release and (here.invoke or alert.topic is not Topic.IDENTITY):
        return _release(here, alert.release)
    retry = alert.topic is Topic.DRIFT and any(one.outcome in _RETRYABLE for one in alert.members)
    plan = _command(here, "plan")
    return (plan, _command(here, "apply")) if retry or alert.topic is Topic.STOPPED else (plan,)


_RETRYABLE = {Outcome.FAILED, Outcome.WAITING, None}
"""Outcomes that another run alone may change; what is held or blocked needs more than that."""


def _release(here: NotificationOrigin, fingerprint: str) -> tuple[str, ...]:
    """Show the plan, then apply exactly that plan."""
    if here.invoke:
        return (_command(here, "plan"), _command(here, "apply", approve=fingerprint))
    return (
        f"setpoint plan {here.document}.json --out plan.json",
        f"setpoint apply {here.document}.json --plan plan.json",
    )


def _approve(here: NotificationOrigin, fingerprint: str) -> tuple[str, ...]:
    """Show the plan of the held revision, then accept and apply it. Without the function there is nobody to approve."""
    if not here.invoke:
        return (f"setpoint validate {here.document}.json --against PREVIOUS.json",)
    return tuple(_command(here, mode, approve_revision=fingerprint) for mode in ("plan", "apply"))


def _command(here: NotificationOrigin, mode: str, **more: str) -> str:
    if not here.invoke:
        return f"setpoint {mode} {here.document}.json"
    payload = shlex.quote(json.dumps({"document": here.document, "mode": mode, **more}))
    region = f" --region {here.region}" if _PLAIN.fullmatch(here.region) else ""
    how = "--cli-read-timeout 310 --cli-binary-format raw-in-base64-out"
    return f"aws lambda invoke --function-name {here.invoke}{region} {how} --payload {payload} /dev/stdout"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown(words: str) -> str:
    """Untrusted text made safe for a message: one line, no secret, no control or bidi character, no link."""
    return _WEB.sub("www[.]", _LINK.sub(_unlinked, safe_text(str(words))))


def _unlinked(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}[:]"
