"""A notification for chat: a custom notification of Amazon Q Developer in chat applications. Pure.

The format is that of the administrator guide ("Custom notifications using Amazon Q Developer in chat applications"):
version and source are fixed, the text is the chat's own markdown, and messages with the same `threadId` form a thread.
Text of other people is put in code spans. Characters that Slack or Teams would act on (a mention, a link, the end of
the span) are replaced by their full-width forms, which people can read and no program interprets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from reconciler.notify.deduplication import Notification
from reconciler.notify.message import NotificationOrigin, details, facts, headline, left_out, sentence, shown, steps
from reconciler.report.fitting import cut, cut_lines

LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_STEP = 250, 8_000, 1_000
"""Characters. The guide gives no limits; published examples of the format keep to 250 and 8,000."""

_ACTIVE = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>&@|\\"} | {"`": "'"})
_MARKUP = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "*~#[]!"})
_EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_EMOJI = re.compile(r":(?=[A-Za-z0-9_+-]+:)")


def chat(notification: Notification, here: NotificationOrigin) -> str:
    """The notification as JSON."""
    alert = notification.alert
    topic = alert.topic.value if alert else notification.status.value
    custom: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "id": plain(f"{here.run_id}-{notification.fingerprint}"),
        "content": {
            "textType": "client-markdown",
            "title": cut(f"Setpoint {plain(headline(notification))}", LONGEST_TITLE),
            "description": _description(notification, here),
            "nextSteps": [_code(step) for step in steps(notification, here) if len(step) < LONGEST_STEP],
            "keywords": ["setpoint", notification.severity.value, plain(here.document)],
        },
        "metadata": {
            "threadId": notification.fingerprint,
            "summary": cut(plain(sentence(notification)), LONGEST_TITLE),
            "eventType": f"setpoint-{topic}",
            "relatedResources": [plain(alert.aws_id)] if alert and alert.aws_id else [],
            "additionalContext": {
                "severity": notification.severity.value,
                "status": notification.status.value,
                "document": plain(here.document),
                "account": plain(here.account),
                "region": plain(here.region),
                "run": plain(here.run_id),
            },
        },
    }
    if not custom["content"]["nextSteps"]:
        del custom["content"]["nextSteps"]
    return json.dumps(custom, ensure_ascii=False)


def plain_chat(lines: Iterable[str]) -> str:
    """A notification of which nothing but these lines could be written."""
    said = "\n".join(f"`{_inactive(line)}`" for line in lines if line)
    content = {"textType": "client-markdown", "title": "Setpoint: an alert in short", "description": said}
    return json.dumps({"version": "1.0", "source": "custom", "content": content}, ensure_ascii=False)


def _description(notification: Notification, here: NotificationOrigin) -> str:
    """At most LONGEST_DESCRIPTION characters, and how many lines were left out."""
    head = [_code(shown(sentence(notification)))]
    tail = [f"{label}: {_code(value)}" for label, value in facts(notification, here)]
    tail = [f"{cut(line[:-1], LONGEST_STEP - 1)}`" for line in tail]  # the code span stays closed
    room = LONGEST_DESCRIPTION - sum(len(line) + 1 for line in (*head, *tail)) - 60
    body, left = cut_lines([_code(line.strip()) for line in details(notification)], room)
    body += [left_out(left)] if left else []
    return "\n".join([*head, *body, *tail])


def _code(words: str) -> str:
    """Text that was made safe by `shown`, as a code span: no markup works in it, and nothing in it ends it."""
    return f"`{_inactive(words)}`"


def _inactive(words: str) -> str:
    return words.translate(_ACTIVE)


def plain(words: str) -> str:
    """Untrusted text outside a code span: no mention, no markup, no link, no emoji."""
    without_emoji = _EMOJI.sub("\uff1a", _inactive(shown(words)).translate(_MARKUP))
    return _EDGE.sub("\uff3f", without_emoji)
