"""Sends notifications to SNS, and the event of a run to EventBridge. Never fails a run.

`keep.py` calls `send` once for each attempt, under the lease, when all else is done. It returns what could not be sent,
so that this is not remembered as sent, and the next run sends it again. Retries are configured in the clients.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from reconciler.model import Cause
from reconciler.model.guard import Stage, contained
from reconciler.notify.chat import chat, plain_chat
from reconciler.notify.deduplication import Notification, Notifications
from reconciler.notify.event import DETAIL_TYPE, SOURCE, detail
from reconciler.notify.message import (
    PLAIN_SUBJECT,
    NotificationOrigin,
    attributes,
    origin_of,
    plainly,
    subject,
    text,
)
from reconciler.redact import safe_text
from reconciler.report.attempt import AttemptResult
from reconciler.report.fitting import encoded

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

log = logging.getLogger(__name__)

AN_HOUR = timedelta(hours=1)
ENOUGH = 2
"""Consecutive failures after which no more messages are tried: the run needs the remaining time to finish."""


@dataclass(frozen=True)
class Sent:
    """What could not be sent: the fingerprints of the alerts `lost`, how many `messages`, and whether the `event`."""

    lost: frozenset[str] = frozenset()
    messages: int = 0
    event: bool = False


class _Words(NamedTuple):
    """A message as SNS takes it."""

    subject: str
    message: str
    attributes: dict[str, str]


class Publisher:
    """The SNS topic and the event bus of a deployment. Without a topic no message is sent, without a bus no event, and
    neither counts as lost.

    `invoke` is the name of the manual function, for the commands in messages.
    """

    def __init__(
        self,
        sns: SNSClient,
        events: EventBridgeClient,
        *,
        topic_arn: str = "",
        bus: str = "default",
        form: Literal["text", "chat"] = "text",
        invoke: str = "",
    ) -> None:
        self._sns, self._events = sns, events
        self._topic, self._bus, self._form, self._invoke = topic_arn, bus, form, invoke
        self._told: dict[str, datetime] = {}

    def may_tell(self, what: str, now: datetime) -> bool:
        """Whether this process has told nobody of `what` for an hour: for what no ledger can remember."""
        last = self._told.get(what)
        if last is not None and timedelta(0) <= now - last < AN_HOUR:
            return False
        self._told[what] = now
        return True

    def send(self, notifications: Notifications, result: AttemptResult) -> Sent:
        """Sends the event and the messages; failures are logged and returned, never raised."""
        event_lost = not self._put(result)
        lost: set[str] = set()
        failed, in_a_row = 0, 0
        region = self._sns.meta.region_name
        here = contained(
            lambda: origin_of(result, region=region, invoke=self._invoke),
            lambda cause: NotificationOrigin(result.document, None, "", region, result.run_id, ""),
            who="where the messages come from",
            stage=Stage.TELLING,
        )
        for notification in notifications.notifications if self._topic else ():
            if in_a_row < ENOUGH and self.publish(notification, here):
                in_a_row = 0
                continue
            in_a_row += 1
            failed += 1
            lost |= notification.fingerprints
            log.error("an alert was lost: %s", safe_text(f"{notification.severity}: {notification.title}"))
        return Sent(frozenset(lost), failed, event_lost)

    def publish(self, notification: Notification, here: NotificationOrigin) -> bool:
        """Whether one message was sent, or there is no topic."""
        if not self._topic:
            return True
        try:
            words = contained(
                lambda: self._rendered(notification, here),
                lambda cause: self._plainly(notification, here, cause),
                who=f"the text of {notification.fingerprint}",
                stage=Stage.TELLING,
            )
            self._sns.publish(
                TopicArn=self._topic,
                Subject=words.subject,
                Message=words.message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in words.attributes.items()
                },
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("SNS did not accept a message: %s", safe_text(str(error)))
            return False
        except Exception:  # a bug in a message must not keep the run from finishing
            log.exception("a message could not be written")
            return False
        return True

    def _rendered(self, notification: Notification, here: NotificationOrigin) -> _Words:
        message = chat(notification, here) if self._form == "chat" else text(notification, here)
        return _Words(subject(notification, here), message, attributes(notification, here))

    def _plainly(self, notification: Notification, here: NotificationOrigin, cause: Cause) -> _Words:
        said = plainly(notification, here, cause)
        message = plain_chat(said) if self._form == "chat" else "\n".join(said)
        kinds = {"severity": notification.severity.value, "status": notification.status.value}
        return _Words(PLAIN_SUBJECT, message, kinds)

    def _put(self, result: AttemptResult) -> bool:
        """Whether the event was sent, or there is none. PutEvents answers 200 even for entries that it refuses."""
        try:
            event = detail(result) if self._bus else None
            if event is None:
                return True
            entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": encoded(event), "EventBusName": self._bus}
            answer = self._events.put_events(Entries=[entry])  # type: ignore[list-item]
            refused = [one for one in answer["Entries"] if one.get("ErrorCode")]
        except (ClientError, BotoCoreError) as error:
            log.error("the event of this run was lost: %s", safe_text(str(error)))  # noqa: TRY400 (needs no traceback)
            return False
        except Exception:
            log.exception("the event of this run could not be written")
            return False
        if answer["FailedEntryCount"] or refused:
            errors = ", ".join(f"{one.get('ErrorCode')}: {one.get('ErrorMessage')}" for one in refused)
            log.error("the event of this run was lost: %s", safe_text(errors))
            return False
        return True
