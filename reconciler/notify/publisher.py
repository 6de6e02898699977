"""Sends notifications to SNS, and the event of a run to EventBridge. Never fails a run.

`keep.py` calls `send` once for each attempt, under the lease, when all else is done. It returns what could not be sent,
so that this is not remembered as sent, and the next run sends it again. Retries are configured in the clients.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from reconciler.model import Cause, Reason
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
from reconciler.notify.sns import Words, fitting, is_about_the_message, short
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


class _Answer(Enum):
    """What became of a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    """SNS does not take it, even in the plainest words; it may take the next one."""
    FAILED = "failed"


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

    def send(
        self, notifications: Notifications, result: AttemptResult, may_go_on: Callable[[], bool] = lambda: True
    ) -> Sent:
        """Sends the event and the messages; failures are logged and returned, never raised.

        `may_go_on` is asked before each message: if not, somebody else sends the rest, which then counts as lost.
        """
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
        messages = notifications.notifications if self._topic else ()
        for number, notification in enumerate(messages):
            if not may_go_on():
                lost |= {name for one in messages[number:] for name in one.fingerprints}
                break
            answer = self._publish(notification, here) if in_a_row < ENOUGH else _Answer.FAILED
            in_a_row = in_a_row + 1 if answer is _Answer.FAILED else 0
            if answer is not _Answer.TAKEN:
                failed += 1
                lost |= notification.fingerprints
                log.error("an alert was lost: %s", safe_text(f"{notification.severity}: {notification.title}"))
        return Sent(frozenset(lost), failed, event_lost)

    def publish(self, notification: Notification, here: NotificationOrigin) -> bool:
        """Whether one message was sent, or there is no topic."""
        return not self._topic or self._publish(notification, here) is _Answer.TAKEN

    def _publish(self, notification: Notification, here: NotificationOrigin) -> _Answer:
        """Sends one message; if SNS would not take its words, or does not, the plainest ones about the same."""
        plainly = partial(self._plainly, notification, here)
        try:
            words = contained(
                lambda: fitting(self._rendered(notification, here), PLAIN_SUBJECT),
                plainly,
                who=f"the text of {notification.fingerprint}",
                stage=Stage.TELLING,
            )
            answer = self._given(words)
            if answer is _Answer.REFUSED:
                answer = self._given(plainly(Cause(Reason.REFUSED, "SNS did not take the words that it had")))
        except Exception:  # a bug in a message must not keep the run from finishing
            log.exception("a message could not be written")
            return _Answer.REFUSED
        return answer

    def _given(self, words: Words) -> _Answer:
        try:
            self._sns.publish(
                TopicArn=self._topic,
                Subject=words.subject,
                Message=words.message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in words.attributes.items()
                },
            )
        except ClientError as error:
            log.warning("SNS did not accept a message: %s", safe_text(str(error)))
            code = error.response.get("Error", {}).get("Code", "")
            return _Answer.REFUSED if is_about_the_message(code) else _Answer.FAILED
        except BotoCoreError as error:
            log.warning("SNS did not accept a message: %s", safe_text(str(error)))
            return _Answer.REFUSED if isinstance(error, ParamValidationError) else _Answer.FAILED
        return _Answer.TAKEN

    def _rendered(self, notification: Notification, here: NotificationOrigin) -> Words:
        message = chat(notification, here) if self._form == "chat" else text(notification, here)
        return Words(subject(notification, here), message, attributes(notification, here))

    def _plainly(self, notification: Notification, here: NotificationOrigin, cause: Cause) -> Words:
        said = short(plainly(notification, here, cause))
        message = plain_chat(said) if self._form == "chat" else "\n".join(said)
        kinds = {"severity": notification.severity.value, "status": notification.status.value}
        return Words(PLAIN_SUBJECT, message, kinds)

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
