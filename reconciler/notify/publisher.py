"""Tells people and programs: SNS messages of what is new, one EventBridge event of a run. Never fails a run.

`keep.py` calls `send` once for each attempt, under the lease, when all else is done. What could not be sent comes back
by name, so that it is not remembered as told and goes out with the next run. The clients are handed in; how often they
try again is theirs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from reconciler.notify.chat import chat
from reconciler.notify.deduplication import Notification, Notifications
from reconciler.notify.event import DETAIL_TYPE, SOURCE, detail, encoded
from reconciler.notify.message import NotificationOrigin, attributes, origin_of, subject, text
from reconciler.redact import safe_text
from reconciler.report.attempt import AttemptResult

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

log = logging.getLogger(__name__)

ENOUGH = 2
"""Failures in a row after which SNS is left alone: what time is left belongs to the end of the run."""


@dataclass(frozen=True)
class Sent:
    """What did not arrive: the fingerprints of the concerns `lost`, how many `messages`, and whether the event was."""

    lost: frozenset[str] = frozenset()
    messages: int = 0
    event: bool = False


class Publisher:
    """The voice of a deployment. Without a topic no message is sent, without a bus no event, and neither is lost.

    `invoke` is the name of the manual function, for the commands that messages propose.
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

    def send(self, notifications: Notifications, result: AttemptResult) -> Sent:
        """Sends the event and the messages; whatever goes wrong is logged and answered, never raised."""
        event_lost = not self._put(result)
        lost: set[str] = set()
        failed, in_a_row = 0, 0
        here = origin_of(result, region=self._sns.meta.region_name, invoke=self._invoke)
        for notification in notifications.notifications if self._topic else ():
            if in_a_row < ENOUGH and self._publish(notification, here):
                in_a_row = 0
                continue
            in_a_row += 1
            failed += 1
            lost |= notification.fingerprints
            log.error("an alert was lost: %s", safe_text(f"{notification.severity}: {notification.title}"))
        return Sent(frozenset(lost), failed, event_lost)

    def _publish(self, notification: Notification, here: NotificationOrigin) -> bool:
        try:
            self._sns.publish(
                TopicArn=self._topic,
                Subject=subject(notification, here),
                Message=chat(notification, here) if self._form == "chat" else text(notification, here),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes(notification, here).items()
                },
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("SNS took no message: %s", safe_text(str(error)))
            return False
        except Exception:  # an alert, whatever is wrong with it, must not cost the run its end
            log.exception("a message could not be made")
            return False
        return True

    def _put(self, result: AttemptResult) -> bool:
        """Whether the event of this run is on the bus, where it needs one. The bus answers 200 for what it refuses."""
        try:
            told = detail(result) if self._bus else None
            if told is None:
                return True
            entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": encoded(told), "EventBusName": self._bus}
            answer = self._events.put_events(Entries=[entry])  # type: ignore[list-item]
            refused = [one for one in answer["Entries"] if one.get("ErrorCode")]
        except (ClientError, BotoCoreError) as error:
            log.error("the event of this run was lost: %s", safe_text(str(error)))  # noqa: TRY400  no traceback helps here
            return False
        except Exception:
            log.exception("the event of this run could not be made")
            return False
        if answer["FailedEntryCount"] or refused:
            why = ", ".join(f"{one.get('ErrorCode')}: {one.get('ErrorMessage')}" for one in refused)
            log.error("the event of this run was lost: %s", safe_text(why))
            return False
        return True
